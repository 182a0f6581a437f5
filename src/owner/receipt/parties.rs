//! Who gains by a change of a consent, and who loses.

use std::fmt;

use crate::consent::{Access, Action, Exclusion, Named, Terms};
use crate::id::{AuthorityId, PersonId, Time};
use crate::policy::{PersonNumber, Policy};

/// Somebody whom a change concerns, and what it lets her do or keeps her from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Party {
    /// Who.
    pub who: Who,
    /// What.
    pub action: Action,
    /// The last second of it; none until the consent is replaced.
    pub until: Option<Time>,
    /// Of a policy that was said anew: the one that it came in the place of, which may have admitted more people.
    pub instead_of: Option<String>,
}

/// Somebody, as a consent says it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Who {
    /// By name, whatever she has.
    Person(PersonId),
    /// By a key of hers that the consent names. What policies admit her to has nothing to do with it.
    Named(PersonId),
    /// By a number of an authority's.
    Number {
        /// The authority.
        authority: AuthorityId,
        /// The number.
        number: PersonNumber,
    },
    /// Whoever satisfies a policy, and is not excluded.
    Policy {
        /// The authority whose attributes count.
        authority: AuthorityId,
        /// The policy as the terms have it.
        policy: String,
    },
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(person) | Self::Named(person) => write!(f, "{person}"),
            Self::Number { authority, number } => write!(f, "person {number} of {authority}"),
            Self::Policy { authority, policy } => write!(f, "whoever is `{policy}` at {authority}"),
        }
    }
}

pub(super) fn verb(action: Action) -> &'static str {
    match action {
        Action::Read => "read",
        Action::Write => "write",
        Action::Both => "read or write",
    }
}

/// Names that are new or have another end, and policies that were said anew and let somebody in.
pub(super) fn let_in(before: &Access, after: &Access) -> Vec<Party> {
    let (was, is, end) = (before.terms(), after.terms(), after.not_after());
    let named =
        is.named().filter(|named| !was.named().any(|other| same_key(named, other) && other.until == named.until));
    let named = named.map(|named| Party {
        who: Who::Named(named.person.clone()),
        action: Action::Read,
        until: [named.until, end].into_iter().flatten().min(),
        instead_of: None,
    });
    let policies = |action, was: &Policies<'_>, is: &Policies<'_>, live: &[(AuthorityId, Policy)]| {
        let lives = |authority: &AuthorityId| live.iter().any(|(other, _)| other == authority);
        let new = is.iter().filter(|said| !was.contains(said) && lives(said.0));
        let before =
            |authority| was.iter().find(|(other, _)| *other == authority).map(|(_, policy)| (*policy).to_owned());
        new.map(|said| Party { instead_of: before(said.0), ..of_policy(*said, action, end) }).collect::<Vec<_>>()
    };
    let read = policies(Action::Read, &reading(was), &reading(is), after.read_policies());
    let write = policies(Action::Write, &writing(was), &writing(is), after.write_policies());
    named.chain(read).chain(write).collect()
}

/// Whose exclusion ended, as far as no other one keeps her from the same.
pub(super) fn readmitted(before: &Access, after: &Access) -> Vec<Party> {
    let still = &after.terms().exclusions;
    let back = |one: &Exclusion| {
        let free = |action| {
            let meant = |other: &&Exclusion| other.action == action || other.action == Action::Both;
            let out = |(authority, number): (&AuthorityId, &PersonNumber)| {
                still.iter().filter(meant).any(|other| other.numbers.get(authority) == Some(number))
            };
            one.numbers.is_empty() || !one.numbers.iter().all(out)
        };
        let action = match one.action {
            Action::Both if free(Action::Read) && free(Action::Write) => Action::Both,
            Action::Both => [Action::Read, Action::Write].into_iter().find(|action| free(*action))?,
            action => Some(action).filter(|action| free(*action))?,
        };
        Some(Exclusion { action, ..one.clone() })
    };
    ended(&before.terms().exclusions, still).filter_map(back).flat_map(|one| of_exclusion(&one, None)).collect()
}

/// Whom nothing lets in any more that did, and who is excluded since.
pub(super) fn shut_out(before: &Access, after: &Access) -> Vec<Party> {
    let (was, is) = (before.terms(), after.terms());
    // Where nobody enforces it, that is said elsewhere.
    let enforced = |one: &&Exclusion| !one.numbers.is_empty() || is.read.is_empty() && is.write.is_empty();
    let excluded = ended(&is.exclusions, &was.exclusions).filter(enforced);
    let excluded: Vec<_> = excluded.flat_map(|one| of_exclusion(one, one.until)).collect();
    let left =
        was.named().map(|named| &named.person).filter(|person| !is.named().any(|other| other.person == **person));
    let left = left.filter(|person| !excluded.iter().any(|party| party.who == Who::Person((*person).clone())));
    let left = left.map(|person| Who::Named(person.clone()));
    let left: Vec<_> = left.map(|who| Party { who, action: Action::Read, until: None, instead_of: None }).collect();
    let policies = |action, was: Policies<'_>, is: &Policies<'_>| {
        let gone = was.into_iter().filter(|(authority, _)| !is.iter().any(|(other, _)| other == authority));
        gone.map(|said| of_policy(said, action, None)).collect::<Vec<_>>()
    };
    let read = policies(Action::Read, reading(was), &reading(is));
    let write = policies(Action::Write, writing(was), &writing(is));
    excluded.into_iter().chain(left).chain(read).chain(write).collect()
}

/// Policies as they were said.
type Policies<'a> = Vec<(&'a AuthorityId, &'a str)>;

fn reading(terms: &Terms) -> Policies<'_> {
    terms.read.iter().map(|reading| (&reading.authority, reading.policy.as_str())).collect()
}

fn writing(terms: &Terms) -> Policies<'_> {
    terms.write.iter().map(|writing| (&writing.authority, writing.policy.as_str())).collect()
}

fn of_policy((authority, policy): (&AuthorityId, &str), action: Action, until: Option<Time>) -> Party {
    let who = Who::Policy { authority: authority.clone(), policy: policy.to_owned() };
    Party { who, action, until, instead_of: None }
}

fn same_key(one: &Named, other: &Named) -> bool {
    (&one.person, one.sealing) == (&other.person, other.sealing)
}

/// Those of the first that the others do not say.
fn ended<'a>(these: &'a [Exclusion], others: &'a [Exclusion]) -> impl Iterator<Item = &'a Exclusion> {
    these.iter().filter(|one| !others.iter().any(|other| one.says_what(other)))
}

fn of_exclusion(one: &Exclusion, until: Option<Time>) -> Vec<Party> {
    let party = |who| Party { who, action: one.action, until, instead_of: None };
    match &one.person {
        Some(person) => vec![party(Who::Person(person.clone()))],
        None => {
            let who = |(authority, number): (&AuthorityId, &PersonNumber)| Who::Number {
                authority: authority.clone(),
                number: *number,
            };
            one.numbers.iter().map(who).map(party).collect()
        }
    }
}
