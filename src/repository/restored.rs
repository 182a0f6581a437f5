//! What a store that came out of a backup remembers of that, until it has caught up.

use super::Repository;
use crate::error::{Error, Result};
use crate::id::{CompartmentId, OwnerId};
use crate::store::space::{RESTORING, stale};
use crate::store::{Op, is_there};

/// What is said to whoever may not change anything then.
pub(crate) const RESTORE: Error = Error::ApiMisuse("a backup is being restored");

impl Repository<'_> {
    /// Whether a backup is being restored: its records come after its consents.
    pub(crate) async fn is_restoring(&self) -> Result<bool> {
        Ok(is_there(self.store, &[RESTORING.to_owned()]).await?.contains(&true))
    }

    /// Refuses a store into which a backup is being restored.
    pub(crate) async fn check_no_restore(&self) -> Result<()> {
        if self.is_restoring().await? { Err(RESTORE) } else { Ok(()) }
    }

    /// Notes that a compartment has to catch up.
    pub(crate) async fn mark_stale(&self, owner: &OwnerId, compartment: &CompartmentId) -> Result<()> {
        self.store.apply(vec![Op::Put { key: stale(owner, compartment), value: Vec::new() }]).await?;
        Ok(())
    }

    /// Takes the note away when nothing lies under older keys any more.
    pub(crate) async fn unmark_stale(&self, owner: &OwnerId, compartment: &CompartmentId) -> Result<()> {
        let key = stale(owner, compartment);
        if let Some(tag) = self.store.tags(std::slice::from_ref(&key)).await?.pop().flatten() {
            self.store.apply(vec![Op::Delete { key, tag }]).await?;
        }
        Ok(())
    }
}
