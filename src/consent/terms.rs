//! What a consent says, for those who can open it.

use serde::{Deserialize, Serialize};

use crate::id::{AuthorityId, PersonId};
use crate::identity::SealingPublic;

/// Who may read and write, in words: the same for everybody who can open the consent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Who may read by attributes, at most one entry for each authority.
    pub read: Vec<Reading>,
    /// Who may write by attributes, at most one entry for each authority.
    pub write: Vec<Writing>,
    /// Who may read by name.
    pub people: Vec<Named>,
    /// Who holds a key on the owner's behalf.
    pub custodian: Option<Named>,
}

/// Who may read, by the attributes of one authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// The authority.
    pub authority: AuthorityId,
    /// The canonical text of the policy, persons by number.
    pub policy: String,
    /// The month that keys have to be valid in at least, written like `2027-03`.
    pub month: String,
}

/// Who may write, by the attributes of one authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Writing {
    /// The authority.
    pub authority: AuthorityId,
    /// The canonical text of the policy, persons by number.
    pub policy: String,
}

/// A person or service by name, and the key that a slot was sealed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The person.
    pub person: PersonId,
    /// The key.
    pub sealing: SealingPublic,
}
