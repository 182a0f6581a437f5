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
    /// Those who may write by attributes. The owner's devices always may.
    pub writes: BTreeSet<Reader>,
    /// Those among them who might not under the version before.
    pub gains_writing: BTreeSet<Reader>,
    /// Those who might write under the version before and may not under this one. What they wrote stands.
    pub loses_writing: BTreeSet<Reader>,
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
        after: Admitted<'_>,
        before: Option<Admitted<'_>>,
        people: &[VerifiedCredential],
        (unenforced, unproven): (Vec<UnenforcedExclusion>, BTreeSet<AuthorityId>),
    ) -> Self {
        let opens = after.readers(people);
        let opened = before.map(|before| before.readers(people)).unwrap_or_default();
        let gains = opens.difference(&opened).cloned().collect();
        let loses = opened.difference(&opens).cloned().collect();
        let writes = after.writers(people);
        let wrote = before.map(|before| before.writers(people)).unwrap_or_default();
        let gains_writing = writes.difference(&wrote).cloned().collect();
        let loses_writing = wrote.difference(&writes).cloned().collect();
        Self { opens, gains, loses, writes, gains_writing, loses_writing, unenforced, unproven }
    }
}

/// Whom a consent is for: the policies of its terms, with the validity condition, and the names.
#[derive(Clone, Copy)]
pub(super) struct Admitted<'a> {
    pub(super) read: &'a [(AuthorityId, Policy)],
    pub(super) write: &'a [(AuthorityId, Policy)],
    pub(super) terms: &'a Terms,
}

impl Admitted<'_> {
    fn readers(self, people: &[VerifiedCredential]) -> BTreeSet<Reader> {
        let named = |who: &VerifiedCredential| self.terms.named().any(|named| named.sealing == *who.sealing());
        among(people, |who| admits(self.read, who) || named(who))
    }

    fn writers(self, people: &[VerifiedCredential]) -> BTreeSet<Reader> {
        among(people, |who| admits(self.write, who))
    }
}

fn admits(policies: &[(AuthorityId, Policy)], who: &VerifiedCredential) -> bool {
    policies.iter().any(|(authority, policy)| authority == who.authority() && policy.satisfied_by(who.attributes()))
}

fn among(people: &[VerifiedCredential], meant: impl Fn(&VerifiedCredential) -> bool) -> BTreeSet<Reader> {
    let reader = |who: &VerifiedCredential| Reader { authority: who.authority().clone(), person: who.person().clone() };
    people.iter().filter(|who| meant(who)).map(reader).collect()
}
