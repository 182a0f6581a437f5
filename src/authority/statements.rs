//! What an authority publishes: anchor, public parameters, revocation list, map of people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::id::{AuthorityId, PersonId, Time, Version};
use crate::identity::{Signed, SigningPublic, Statement};
use crate::policy::PersonNumber;
use crate::seal::label;
use crate::wire;

/// The name of an authority and the key that verifies what it signs. It is public, and it is where trust begins: take it
/// only from where you would take the authority's own word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// The authority.
    pub authority: AuthorityId,
    /// Verifies its statements.
    pub key: SigningPublic,
}

/// The public parameters of an authority's KEM; [`Trust::update_parameters`](super::Trust::update_parameters) checks and
/// decodes them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParametersStatement {
    /// The authority.
    pub authority: AuthorityId,
    /// The version, the same as in the parameters.
    pub version: Version,
    /// When this version was made.
    pub issued_at: Time,
    /// The bytes of [`PublicParameters`](crate::kem::PublicParameters).
    #[serde(with = "parameters")]
    pub parameters: Vec<u8>,
}

/// Whose signatures are not to be believed any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationList {
    /// The authority.
    pub authority: AuthorityId,
    /// One more with every change.
    pub version: Version,
    /// When this version was published first.
    pub issued_at: Time,
    /// By number, then by key, each pair once.
    pub revoked: Vec<Revoked>,
}

/// One person's revoked key. All credentials for this key are revoked; the person may have got another one since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// The person.
    pub person: PersonId,
    /// Her number.
    pub number: PersonNumber,
    /// The revoked key.
    pub signing: SigningPublic,
    /// What was signed from then on does not count.
    pub since: Time,
    /// Why.
    pub reason: Reason,
}

/// Why a key was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The person left, or lost the role.
    Ended,
    /// The key was lost or replaced; nobody else has it.
    Replaced,
    /// Somebody else may have the key. Since he can put any date on what he signs, nothing signed with it counts, of
    /// whatever date.
    Compromised,
}

/// Everybody whom an authority ever enrolled, with the number that stands for the person in policies and keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeopleMap {
    /// The authority.
    pub authority: AuthorityId,
    /// One more with every change.
    pub version: Version,
    /// When this version was published first.
    pub issued_at: Time,
    /// No two people have one number.
    #[serde(deserialize_with = "people")]
    pub people: BTreeMap<PersonId, PersonNumber>,
}

/// Everything that an authority publishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bulletin {
    /// The public parameters.
    pub parameters: Signed<ParametersStatement>,
    /// The revocation list.
    pub revocations: Signed<RevocationList>,
    /// The map of people.
    pub people: Signed<PeopleMap>,
    /// The public parameters before these, as long as user keys of them are accepted: nothing is sealed under them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Signed<ParametersStatement>>,
}

impl Revoked {
    /// What the list is ordered by.
    pub(super) fn key(&self) -> (PersonNumber, SigningPublic) {
        (self.number, self.signing)
    }

    /// Whether a later list that says `now` of the same key takes nothing back.
    pub(super) fn is_kept_by(&self, now: &Self) -> bool {
        let still = self.reason != Reason::Compromised || now.reason == Reason::Compromised;
        self.person == now.person && now.since <= self.since && still
    }
}

impl Statement for ParametersStatement {
    const LABEL: &'static [u8] = label::SIGN_PARAMETERS;
    const WHAT: &'static str = "parameters statement";
    const LIMIT: usize = 2048;
}

impl Statement for RevocationList {
    const LABEL: &'static [u8] = label::SIGN_REVOCATIONS;
    const WHAT: &'static str = "revocation list";
    const LIMIT: usize = MAX_LIST;
}

impl Statement for PeopleMap {
    const LABEL: &'static [u8] = label::SIGN_PEOPLE;
    const WHAT: &'static str = "people map";
    const LIMIT: usize = MAX_LIST;
}

impl fmt::Debug for ParametersStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParametersStatement")
            .field("authority", &self.authority)
            .field("version", &self.version)
            .field("issued_at", &self.issued_at)
            .finish_non_exhaustive()
    }
}

wire::object! { Anchor, "anchor", 1024 }
wire::object! { Bulletin, "bulletin", 2 * MAX_LIST + 8192 }

/// Most bytes of a revocation list, and of a map of people, with the signature.
pub(super) const MAX_LIST: usize = 64 << 20;
/// Most bytes of encoded public parameters.
const MAX_PARAMETERS: usize = 1024;

mod parameters {
    use super::{MAX_PARAMETERS, wire};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        wire::bytes::serialize(bytes, serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        wire::bytes::deserialize(deserializer, MAX_PARAMETERS)
    }
}

/// A map in which no id and no number stands twice. What serde derives keeps the last of two.
fn people<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<PersonId, PersonNumber>, D::Error> {
    deserializer.deserialize_map(People)
}

struct People;

impl<'de> Visitor<'de> for People {
    type Value = BTreeMap<PersonId, PersonNumber>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("person numbers by id")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut people, mut numbers) = (BTreeMap::new(), BTreeSet::new());
        while let Some((person, number)) = map.next_entry()? {
            if !numbers.insert(number) {
                return Err(A::Error::custom("a number stands twice"));
            }
            if people.insert(person, number).is_some() {
                return Err(A::Error::custom("a person stands twice"));
            }
        }
        Ok(people)
    }
}
