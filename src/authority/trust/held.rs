//! The latest of what an authority published, as a verifier holds it.

use std::collections::BTreeMap;

use super::PEOPLE;
use crate::authority::statements::{ParametersStatement, PeopleMap, RevocationList, Revoked};
use crate::error::{Error, Result};
use crate::id::{AuthorityId, Hash, PersonId, Time, Version};
use crate::identity::{Signed, SigningPublic, Statement};
use crate::kem::PublicParameters;
use crate::pin::Pins;
use crate::policy::PersonNumber;

/// What an authority said of people: it is to be known for as long as what they signed is read.
#[derive(Debug, Clone, Default)]
pub(super) struct Lists {
    pub(super) revocations: Option<Held<Revocations>>,
    pub(super) people: Option<Held<People>>,
}

/// The latest version of something published.
#[derive(Debug, Clone)]
pub(super) struct Held<T> {
    pub(super) version: Version,
    pub(super) hash: Hash,
    pub(super) issued_at: Time,
    pub(super) value: T,
}

pub(super) type Revocations = BTreeMap<(PersonNumber, SigningPublic), Revoked>;

/// A map of people, in both directions.
#[derive(Debug, Clone, Default)]
pub(super) struct People {
    pub(super) numbers: BTreeMap<PersonId, PersonNumber>,
    pub(super) persons: BTreeMap<PersonNumber, PersonId>,
}

/// What an authority says again and again, the later word in the place of the earlier.
pub(super) trait Versioned: Statement {
    fn version(&self) -> (Version, Time);
}

impl Versioned for ParametersStatement {
    fn version(&self) -> (Version, Time) {
        (self.version, self.issued_at)
    }
}

impl Versioned for RevocationList {
    fn version(&self) -> (Version, Time) {
        (self.version, self.issued_at)
    }
}

impl Versioned for PeopleMap {
    fn version(&self) -> (Version, Time) {
        (self.version, self.issued_at)
    }
}

impl People {
    pub(super) fn of(numbers: &BTreeMap<PersonId, PersonNumber>) -> Result<Self> {
        let persons: BTreeMap<_, _> = numbers.iter().map(|(person, number)| (*number, person.clone())).collect();
        let once = persons.len() == numbers.len();
        if once { Ok(Self { numbers: numbers.clone(), persons }) } else { Err(Error::Malformed(PEOPLE)) }
    }

    /// Whether everybody has the number that she had.
    pub(super) fn keeps(&self, before: &Self) -> bool {
        before.numbers.iter().all(|(person, number)| self.numbers.get(person) == Some(number))
    }

    /// Whether this person has another number here, or this number another person. Who is not here yet may have a number
    /// that nobody has.
    pub(super) fn contradicts(&self, person: &PersonId, number: PersonNumber) -> bool {
        self.numbers.get(person).is_some_and(|known| *known != number)
            || self.persons.get(&number).is_some_and(|known| known != person)
    }
}

impl Held<PublicParameters> {
    pub(super) fn parameters(signed: &Signed<ParametersStatement>, statement: &ParametersStatement) -> Result<Self> {
        let value = PublicParameters::decode(&statement.parameters)?;
        if (value.authority(), Version(value.version())) != (&statement.authority, statement.version) {
            return Err(Error::Untrusted("public parameters"));
        }
        Ok(Self { version: statement.version, hash: signed.hash()?, issued_at: statement.issued_at, value })
    }
}

impl<T> Held<T> {
    /// Takes the place of what was held, unless that is newer or another of the same version; what is the same stays,
    /// with what was computed from it. What is refused leaves no pin.
    pub(super) fn replace<'a>(
        self,
        held: &'a mut Option<Self>,
        what: &'static str,
        authority: &AuthorityId,
        pins: &mut dyn Pins,
    ) -> Result<&'a T> {
        let before = held.as_ref().map(|held| (held.version, held.hash));
        match before {
            Some((version, _)) if self.version < version => return Err(Error::Rollback(what)),
            Some((version, hash)) if self.version == version && self.hash != hash => return Err(Error::Fork(what)),
            _ => pins.accept(what, authority.as_str(), self.version, self.hash)?,
        }
        if before != Some((self.version, self.hash)) {
            *held = None;
        }
        Ok(&held.get_or_insert(self).value)
    }
}
