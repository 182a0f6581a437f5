//! A consent that was checked.

use super::statement::ConsentStatement;
use crate::id::{CompartmentId, Generation, Hash, OwnerId, Version};
use crate::identity::SealingPublic;

/// A consent that is signed by the owner's device, whole, valid and no older than what was seen before.
///
/// Whoever opens it has an [`Access`](super::Access); whoever only writes needs no more than this.
#[derive(Debug)]
pub struct LiveConsent {
    pub(super) statement: ConsentStatement,
    pub(super) hash: Hash,
}

impl LiveConsent {
    /// The patient.
    pub fn owner(&self) -> &OwnerId {
        &self.statement.owner
    }

    /// The compartment.
    pub fn compartment(&self) -> &CompartmentId {
        &self.statement.compartment
    }

    /// The consent's version.
    pub fn version(&self) -> Version {
        self.statement.version
    }

    /// The consent's hash.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The generation of the compartment key.
    pub fn generation(&self) -> Generation {
        self.statement.generation
    }

    /// What those who only write seal to.
    pub fn write_key(&self) -> SealingPublic {
        self.statement.write_key
    }
}
