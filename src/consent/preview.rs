//! Who opens a consent, before it is signed.

use std::collections::BTreeSet;

use super::terms::Terms;
use crate::authority::VerifiedCredential;
use crate::id::{AuthorityId, PersonId};
use crate::policy::Policy;

/// What a consent means for a list of people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preview {
    /// Those who open it.
    pub opens: BTreeSet<Reader>,
    /// Those among them who did not open the version before.
    pub gains: BTreeSet<Reader>,
    /// Those who opened the version before and not this one.
    pub loses: BTreeSet<Reader>,
    /// Those who are to be excluded and cannot be, since an authority does not know them by this name: whoever they are
    /// there, if its policy is satisfied, the consent opens.
    pub unenforced: Vec<UnenforcedExclusion>,
    /// Authorities whose slot of the version before could not be shown to be for the policy that its terms say: who
    /// signed it made it for another, or it is under parameters that the trust does not have. Whoever opened it is not
    /// known, and is not among those who lose.
    pub unproven: BTreeSet<AuthorityId>,
}

/// A person, as an authority knows her.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reader {
    /// The authority of the credential.
    pub authority: AuthorityId,
    /// The person.
    pub person: PersonId,
}

/// An exclusion that an authority's slot does not carry out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnenforcedExclusion {
    /// The authority that does not know the person.
    pub authority: AuthorityId,
    /// The person.
    pub person: PersonId,
}

impl Preview {
    pub(super) fn new(
        after: Readers<'_>,
        before: Option<Readers<'_>>,
        people: &[VerifiedCredential],
        (unenforced, unproven): (Vec<UnenforcedExclusion>, BTreeSet<AuthorityId>),
    ) -> Self {
        let opens = after.among(people);
        let opened = before.map(|before| before.among(people)).unwrap_or_default();
        let gains = opens.difference(&opened).cloned().collect();
        let loses = opened.difference(&opens).cloned().collect();
        Self { opens, gains, loses, unenforced, unproven }
    }
}

/// Whom a consent is for: the policies of its terms, with the validity condition, and the names.
#[derive(Clone, Copy)]
pub(super) struct Readers<'a> {
    pub(super) read: &'a [(AuthorityId, Policy)],
    pub(super) terms: &'a Terms,
}

impl Readers<'_> {
    fn among(self, people: &[VerifiedCredential]) -> BTreeSet<Reader> {
        let opens = |who: &&VerifiedCredential| {
            let admits = |(authority, policy): &(AuthorityId, Policy)| {
                authority == who.authority() && policy.satisfied_by(who.attributes())
            };
            self.read.iter().any(admits) || self.terms.named().any(|named| named.sealing == *who.sealing())
        };
        let reader =
            |who: &VerifiedCredential| Reader { authority: who.authority().clone(), person: who.person().clone() };
        people.iter().filter(opens).map(reader).collect()
    }
}
