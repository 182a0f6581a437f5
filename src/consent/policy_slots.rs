//! Whether the capsules of a consent are for the policies that it shows.

use super::access::Access;
use super::slot::{Context, SlotMaker, slot_hash};
use super::verify::WHAT;
use crate::authority::Trust;
use crate::error::{Error, Result, Unknown};
use crate::id::{AuthorityId, Version};
use crate::kem::PublicParameters;
use crate::policy::Policy;

impl Access {
    /// Makes each policy slot again, and compares: each is for the policy that the terms show, and for nobody else.
    ///
    /// Opening a consent compares the policies that its slots show with the terms, and makes the sealed slots again, but
    /// not the capsules, which takes as long as sealing them does. Whoever signed the consent may have made a capsule for
    /// another policy than the one beside it: then those whom the terms name do not open it, and somebody else may. Ask
    /// before you go on from what a custodian signed; [`ConsentBuilder::preview`](super::ConsentBuilder::preview) does.
    ///
    /// # Errors
    ///
    /// [`Error::Forged`] if a slot is another; [`Error::Unknown`] if the trust does not have, or no longer has, the
    /// parameters that a slot says it was made under.
    pub fn check_policy_slots(&self, trust: &Trust) -> Result<()> {
        self.policy_slots(&[trust]).try_for_each(|(_, verdict)| verdict)
    }

    /// The verdict on the slot of each authority, with parameters from any of these.
    pub(super) fn policy_slots<'a>(
        &'a self,
        trusts: &'a [&'a Trust],
    ) -> impl Iterator<Item = (&'a AuthorityId, Result<()>)> {
        let policies = self.read.iter().zip(&self.parameters).enumerate();
        policies.map(|(index, ((authority, policy), version))| {
            let known = trusts.iter().find_map(|trust| trust.parameters_of(authority, *version));
            let verdict = known.ok_or_else(|| Error::Unknown(Unknown::PublicParameters(authority.clone())));
            (authority, verdict.and_then(|public| self.policy_slot(index, policy, public)))
        })
    }

    fn policy_slot(&self, index: usize, policy: &Policy, public: &PublicParameters) -> Result<()> {
        let context = Context::of(&self.statement)?;
        let maker = SlotMaker::again(&context, &self.statement, &self.cek);
        let slot = maker.policy(index, public, &public.expand(policy)?)?;
        let same = self.statement.slots.get(index) == Some(&slot_hash(&slot.to_bytes()?));
        if same { Ok(()) } else { Err(Error::Forged(WHAT)) }
    }
}

impl Trust {
    /// The parameters of an authority of one version.
    fn parameters_of(&self, authority: &AuthorityId, version: Version) -> Option<&PublicParameters> {
        let both = [self.parameters(authority), self.previous_parameters(authority)];
        both.into_iter().flatten().find(|public| Version(public.version()) == version)
    }
}
