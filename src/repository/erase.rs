//! Deleting everything of an owner.

use std::fmt;

use super::Repository;
use crate::error::{Error, Result};
use crate::id::OwnerId;
use crate::owner::AcceptedErasure;
use crate::store::space::Kind;

/// What was deleted, and what is not in reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Erased {
    /// Records, at all their revisions.
    pub records: u64,
    /// Keys of records' parts, under compartment keys.
    pub wraps: u64,
    /// Pieces of sealed bodies of records' parts, of which a body that is not large has one.
    pub bodies: u64,
    /// Consents, each with its slots.
    pub consents: u64,
}

impl Repository<'_> {
    /// Deletes everything of an owner from the store, keys first: consents with their slots, then wraps, then the rest.
    /// With a ledger, the owner is noted as erased there, so that nothing of hers is written or served again, not from a
    /// backup either: after a restore, [`Repository::erase_restored`]. To do it again does no harm, and mends what a
    /// writer left who was in the middle of it, or a job, which knows of no ledger.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; try again then. If what the store holds of her is damaged so that it cannot be read
    /// ([`StoreFailure::Corrupt`](crate::store::StoreFailure::Corrupt)), everything else is deleted before this is said;
    /// that is for the store's own tools.
    pub async fn erase(&self, erasure: &AcceptedErasure) -> Result<Erased> {
        if let Some(ledger) = &self.ledger {
            ledger.erase(erasure.owner()).await?;
        }
        self.erase_again(erasure.owner()).await
    }

    /// Deletes what a backup brought back of an owner that the ledger notes as erased.
    ///
    /// # Errors
    ///
    /// As [`Repository::erase`]; [`Error::ApiMisuse`] if the ledger does not, or there is none.
    pub async fn erase_restored(&self, owner: &OwnerId) -> Result<Erased> {
        match &self.ledger {
            Some(ledger) if ledger.is_erased(owner).await? => self.erase_again(owner).await,
            _ => Err(Error::ApiMisuse("the ledger does not note this owner as erased")),
        }
    }

    async fn erase_again(&self, owner: &OwnerId) -> Result<Erased> {
        let (mut erased, mut damage) = (Erased::default(), Ok(()));
        for kind in Kind::ALL {
            let deleted = match self.store.delete_prefix(&kind.of_owner(owner)).await.map_err(Error::from) {
                Err(error) if error.is_damage() => {
                    damage = Err(error);
                    continue;
                }
                deleted => deleted?,
            };
            match kind {
                Kind::Consent => erased.consents = deleted,
                Kind::Wrap => erased.wraps = deleted,
                Kind::Content => erased.records = deleted,
                Kind::Body => erased.bodies = deleted,
                _ => {}
            }
        }
        damage.map(|()| erased)
    }
}

/// For the patient.
impl fmt::Display for Erased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, wraps, bodies, consents } = self;
        writeln!(f, "Deleted from the store: {records} records, {bodies} pieces of sealed bodies, {wraps} keys of")?;
        writeln!(f, "parts, and {consents} consents with their slots.")?;
        writeln!(f, "The store's files may hold their bytes until the store is compacted.")?;
        writeln!(
            f,
            "Not reached: backups that were taken before. Each holds the consents and records of its time, and"
        )?;
        writeln!(
            f,
            "whoever has a key that one of these consents admits can open them, until the backup is deleted or"
        )?;
        writeln!(
            f,
            "every such key is destroyed: your devices, your root key, shares and printed codes, and the keys of"
        )?;
        writeln!(f, "those who could read. What somebody has read or copied stays with them.")
    }
}
