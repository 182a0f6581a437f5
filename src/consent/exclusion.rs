//! Who is shut out, whatever the policies say.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::authority::Trust;
use crate::id::{AuthorityId, PersonId, Time};
use crate::policy::PersonNumber;

/// An exclusion of a person, by name or by number.
///
/// Policies stand beside it as they were said: it is added to each of them when it is sealed or judged. So to shut somebody
/// out is to add one, and to take that back is to remove it; what was said for another cause stays.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// The name that was said: whoever bears it under any authority is meant, and under one that comes to know it later,
    /// too. None if numbers were said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
    /// The person's number under each authority, as far as it was known when the consent was sealed: where there is none,
    /// it is not enforced.
    pub numbers: BTreeMap<AuthorityId, PersonNumber>,
    /// What from.
    pub action: Action,
    /// Why.
    pub cause: Cause,
    /// When the first consent was signed that says so.
    pub since: Time,
    /// The last second of it, if it ends by itself: the owner's next consent after that leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// What somebody is shut out from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Reading and writing.
    Both,
}

/// Why somebody is shut out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The owner said so, by name.
    Revoked,
    /// A policy excluded her by number as a whole before it was widened. It ends when that policy is said anew.
    Policy,
    /// Her keys were stolen.
    Stolen,
    /// She declined.
    Declined,
}

impl Exclusion {
    /// By name, from everything.
    pub(crate) fn by_name(person: PersonId) -> Self {
        Self { person: Some(person), ..Self::new(BTreeMap::new(), Action::Both, Cause::Revoked) }
    }

    /// By number under one authority.
    pub(crate) fn by_number((authority, number): (&AuthorityId, PersonNumber), action: Action, cause: Cause) -> Self {
        Self::new(BTreeMap::from([(authority.clone(), number)]), action, cause)
    }

    /// The time is that of the consent, and not known yet.
    fn new(numbers: BTreeMap<AuthorityId, PersonNumber>, action: Action, cause: Cause) -> Self {
        Self { person: None, numbers, action, cause, since: Time::MIN, until: None }
    }

    /// Whether it is of that number for that cause, by whatever name.
    pub(crate) fn is_of(&self, authority: &AuthorityId, number: PersonNumber, cause: Cause) -> bool {
        self.cause == cause && self.numbers.get(authority) == Some(&number)
    }

    /// Whether it is by the name of somebody else, and of this person's number all the same.
    pub(crate) fn misnames(&self, person: &PersonId, trust: &Trust) -> bool {
        let hers = |(authority, number): (_, &PersonNumber)| trust.resolve(authority)(person.as_str()) == Some(*number);
        self.person.as_ref().is_some_and(|named| named != person) && self.numbers.iter().any(hers)
    }

    /// Whether the owner excluded this person by name.
    pub(crate) fn names(&self, person: &PersonId) -> bool {
        self.person.as_ref() == Some(person)
    }

    /// Whether the policy of an authority for that brought it about and ends it.
    pub(crate) fn is_of_policy(&self, authority: &AuthorityId, action: Action) -> bool {
        self.cause == Cause::Policy && self.action == action && self.numbers.contains_key(authority)
    }

    /// Whether it stays when policies are said anew: it has nothing to do with them.
    pub(super) fn outlasts_policies(&self) -> bool {
        matches!(self.cause, Cause::Stolen | Cause::Declined)
    }

    /// Whether it ended by itself.
    pub(super) fn is_over(&self, now: Time) -> bool {
        self.until.is_some_and(|until| until < now)
    }

    /// Whether both say the same, whenever they did, and wherever it is enforced if they say it by name.
    pub(crate) fn says_what(&self, other: &Self) -> bool {
        (&self.person, self.action, self.cause, self.until) == (&other.person, other.action, other.cause, other.until)
            && (self.person.is_some() || self.numbers == other.numbers)
    }

    /// Whether a custodian may say it of his own: by name and nothing else, so that the owner can take it back by that
    /// name.
    pub(super) fn is_plain(&self, places: &BTreeSet<&AuthorityId>) -> bool {
        let plain = self.person.clone().map(|person| Self { since: self.since, ..Self::by_name(person) });
        plain.is_some_and(|plain| self.continues(&plain, places))
    }

    /// Whether this is the other one, enforced in as many places or, if it is by name, in more of these.
    pub(super) fn continues(&self, other: &Self, places: &BTreeSet<&AuthorityId>) -> bool {
        let kept = other.numbers.iter().all(|(authority, number)| self.numbers.get(authority) == Some(number));
        let mut new = self.numbers.keys().filter(|authority| !other.numbers.contains_key(*authority));
        self.says_what(other) && self.since == other.since && kept && new.all(|authority| places.contains(authority))
    }
}

/// Who is excluded, by number, from that under an authority.
pub(super) fn excluded(exclusions: &[Exclusion], action: Action, authority: &AuthorityId) -> BTreeSet<PersonNumber> {
    let meant = exclusions.iter().filter(|one| one.action == action || one.action == Action::Both);
    meant.filter_map(|one| one.numbers.get(authority).copied()).collect()
}
