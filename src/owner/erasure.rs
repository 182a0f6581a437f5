//! The owner's word that everything of hers is to be deleted.

use serde::{Deserialize, Serialize};

use super::Owner;
use crate::consent::Devices;
use crate::error::{Error, Result};
use crate::id::{OwnerId, Time};
use crate::identity::{Signed, Statement};
use crate::seal::label;

/// A signed wish to be erased. It counts after [`Erasure::accept`](Signed::accept).
pub type Erasure = Signed<ErasureStatement>;

/// What an owner's root key signs to have everything deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureStatement {
    /// The owner.
    pub owner: OwnerId,
    /// When it was signed.
    pub issued_at: Time,
}

impl Statement for ErasureStatement {
    const LABEL: &'static [u8] = label::SIGN_ERASURE;
    const WHAT: &'static str = "erasure";
    const LIMIT: usize = 1024;
}

/// An erasure that the owner's root key signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedErasure(ErasureStatement);

impl Owner {
    /// Asks that every consent and record be deleted. There is no way back: wipe the root key and the devices' keys
    /// afterwards, and have shares and printed codes of the recovery keys destroyed.
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn erase(&self, now: Time) -> Result<Erasure> {
        Signed::sign(ErasureStatement { owner: self.id().clone(), issued_at: now }, &self.root)
    }
}

impl Signed<ErasureStatement> {
    /// The erasure, if the root key of the owner's list signed it.
    ///
    /// # Errors
    ///
    /// [`Error::Forged`].
    pub fn accept(&self, devices: &Devices) -> Result<AcceptedErasure> {
        let statement = self.verify(&devices.statement().root)?;
        if statement.owner == *devices.owner() {
            Ok(AcceptedErasure(statement.clone()))
        } else {
            Err(Error::Forged("erasure"))
        }
    }
}

impl AcceptedErasure {
    /// The owner.
    pub fn owner(&self) -> &OwnerId {
        &self.0.owner
    }
}
