//! Opening a checked consent.

use super::access::Access;
use super::custodian::Custodian;
use super::slot::{Context, Slot, SlotContent, SlotMaker, slot_hash};
use super::statement::ConsentStatement;
use super::terms::{Policies, Terms};
use super::verify::{LiveConsent, WHAT};
use crate::error::{Error, Result};
use crate::id::{AuthorityId, Version};
use crate::identity::{Identity, SealingKey};
use crate::kem::UserKey;
use crate::pin::Pins;
use crate::policy::{Month, Policy};
use crate::seal::{Cek, cek_salt, open_terms, write_seed};

impl LiveConsent {
    /// Opens the consent by attributes. Once it is open and checked, `pins` remember it, and nothing before.
    ///
    /// # Errors
    ///
    /// [`Error::Expired`] if the consent had ended when it was verified: it is remembered all the same, since what it
    /// replaced does not come back; [`Error::Rollback`] or [`Error::Fork`] by what `pins` remember by now.
    /// [`Error::CannotOpen`] if the key satisfies no slot, [`Error::Forged`] if the consent says to its readers something
    /// else than its slots do: a policy slot shows another policy, or a sealed slot is for somebody whom the terms do not
    /// name, or somebody of the terms has none, the owner's own keys among them. Only who signed it can bring that about.
    pub fn open(&self, key: &UserKey, pins: &mut dyn Pins) -> Result<Access> {
        self.remembered(self.open_by(|slot, context, index| slot.open(context, index, key))?, pins)
    }

    /// Opens the consent as a person who is named in it, or as the custodian.
    ///
    /// # Errors
    ///
    /// As [`LiveConsent::open`]; [`Error::Expired`] if the person's time was over when the consent was verified. Whoever
    /// ignores that opens it until the next consent leaves the person out.
    pub fn open_as(&self, identity: &Identity, pins: &mut dyn Pins) -> Result<Access> {
        let access = self.open_sealed(identity.sealing(), pins)?;
        let own = identity.public().sealing;
        let over = access.over(self.now).any(|named| named.sealing == own);
        if over { Err(Error::Expired("access of this person")) } else { Ok(access) }
    }

    /// Opens the consent as its custodian, whose key may lie in a key service: that service is asked about slots in turn
    /// until one opens, 64 times at most.
    ///
    /// # Errors
    ///
    /// As [`LiveConsent::open`]; a service that cannot be asked looks like one that opens nothing.
    pub async fn open_with(&self, custodian: &dyn Custodian, pins: &mut dyn Pins) -> Result<Access> {
        let context = Context::of(&self.statement)?;
        for (index, slot) in self.slots.iter().enumerate() {
            let SlotContent::Sealed(sealed) = &slot.content else { continue };
            let Ok(opened) = custodian.open(&context.info(index)?, sealed).await else { continue };
            let Ok(cek) = Slot::cek(&opened) else { continue };
            if cek.verify(&self.statement.salt, &self.statement.commitment).is_ok() {
                return self.remembered(self.access(&context, cek)?, pins);
            }
        }
        Err(Error::CannotOpen)
    }

    pub(crate) fn open_sealed(&self, key: &SealingKey, pins: &mut dyn Pins) -> Result<Access> {
        self.remembered(self.opened_sealed(key)?, pins)
    }

    /// As `open_sealed`, for who does not go by it: nothing is remembered.
    pub(crate) fn opened_sealed(&self, key: &SealingKey) -> Result<Access> {
        self.open_by(|slot, context, index| slot.open_sealed(context, index, key))
    }

    fn remembered(&self, access: Access, pins: &mut dyn Pins) -> Result<Access> {
        self.remember(pins)?;
        Ok(access)
    }

    fn open_by(&self, open: impl Fn(&Slot, &Context, usize) -> Result<Cek>) -> Result<Access> {
        let context = Context::of(&self.statement)?;
        for (index, slot) in self.slots.iter().enumerate() {
            let Ok(cek) = open(slot, &context, index) else { continue };
            if cek.verify(&self.statement.salt, &self.statement.commitment).is_ok() {
                return self.access(&context, cek);
            }
        }
        Err(Error::CannotOpen)
    }

    /// The key is the one that was signed; the rest has to follow from it.
    fn access(&self, context: &Context, cek: Cek) -> Result<Access> {
        let forged = |_| Error::Forged(WHAT);
        let ConsentStatement { owner, compartment, .. } = &self.statement;
        if cek_salt(&cek, owner, compartment)? != self.statement.salt {
            return Err(Error::Forged(WHAT));
        }
        let write_key = SealingKey::derive(&write_seed(&cek, &self.statement.salt)?).public();
        if write_key != self.statement.write_key {
            return Err(Error::Forged(WHAT));
        }
        let text = open_terms(&cek, context.of_terms(), &self.terms).map_err(forged)?;
        let terms = Terms::decode(&text).map_err(forged)?;
        let Policies { read, write, past } = terms.policies().map_err(forged)?;
        let parameters = self.slots_say(&read)?;
        self.stays_within(&terms)?;
        self.slots_are_for(read.len(), &terms, &SlotMaker::again(context, &self.statement, &cek))?;
        // With an earlier month, keys that were not renewed would go on; with a later one, none would.
        let month = Month::at(self.statement.issued_at)?.count();
        if terms.read.iter().any(|reading| reading.month != month) {
            return Err(Error::Forged(WHAT));
        }
        // By its own date it would shut them out: no honest signer names them any more.
        if terms.people.iter().any(|named| named.is_over(self.statement.issued_at)) {
            return Err(Error::Forged(WHAT));
        }
        // Dated back, it would un-say what others wrote since, and let keys in that were not renewed.
        if terms.past.iter().any(|past| past.issued_at > self.statement.issued_at) {
            return Err(Error::Forged(WHAT));
        }
        let (statement, base, use_for) = (self.statement.clone(), self.base(), self.use_for);
        let (hash, signatures) = (self.hash, self.signatures);
        Ok(Access { statement, hash, signatures, base, cek, terms, read, write, past, parameters, use_for })
    }

    /// What a custodian signed goes no further than the owner's mandate.
    fn stays_within(&self, terms: &Terms) -> Result<()> {
        let (mandate, ceiling) = match (&self.mandate, &terms.ceiling) {
            (None, None) => return Ok(()),
            (Some(mandate), Some(ceiling)) => (mandate, ceiling),
            _ => return Err(Error::Forged(WHAT)),
        };
        if ceiling.hash()? != mandate.ceiling {
            return Err(Error::Forged(WHAT));
        }
        let ConsentStatement { version, not_after, .. } = self.statement;
        if ceiling.covers(mandate, terms, (version, not_after))? { Ok(()) } else { Err(Error::NotAllowed) }
    }

    /// Every policy slot shows the policy of the terms, in their order, before all others. Gives the versions of the
    /// parameters. Whether the capsules are for what they show is for who asks:
    /// [`Access::check_policy_slots`](super::Access::check_policy_slots).
    fn slots_say(&self, read: &[(AuthorityId, Policy)]) -> Result<Vec<Version>> {
        let policies = self.slots.iter().map_while(|slot| match &slot.content {
            SlotContent::Policy(slot) => Some(slot),
            SlotContent::Sealed(_) => None,
        });
        let policies: Vec<_> = policies.collect();
        if policies.len() != read.len() {
            return Err(Error::Forged(WHAT));
        }
        for (slot, (authority, policy)) in policies.iter().zip(read) {
            if slot.authority != *authority || policy.expand(authority)?.as_bytes() != slot.tree {
                return Err(Error::Forged(WHAT));
            }
        }
        Ok(policies.iter().map(|slot| slot.parameters).collect())
    }

    /// The other slots are those of whom the terms name, of the owner's own keys, and of nobody else: each is made again.
    fn slots_are_for(&self, policies: usize, terms: &Terms, maker: &SlotMaker<'_>) -> Result<()> {
        let (signed, holders) = (&self.statement.slots, terms.holders());
        let under = self.statement.devices;
        if !self.devices.has_keys(under, &terms.owner_keys) || policies + holders.len() != signed.len() {
            return Err(Error::Forged(WHAT));
        }
        let signed = signed.iter().enumerate().skip(policies);
        for ((index, signed), holder) in signed.zip(maker.ordered(holders)?) {
            // To a key that is none, nothing can be sealed.
            let slot = maker.sealed(index, &holder).map_err(|_| Error::Forged(WHAT))?;
            if slot_hash(&slot.to_bytes()?) != *signed {
                return Err(Error::Forged(WHAT));
            }
        }
        Ok(())
    }
}
