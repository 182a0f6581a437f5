//! What a store that came out of a backup remembers of that, until it has caught up.

use super::Repository;
use crate::error::{Error, Result};
use crate::id::{CompartmentId, OwnerId};
use crate::store::space::{RESTORING, stale};
use crate::store::{Op, Store, is_there};

/// What is said to whoever may not change anything then.
pub(crate) const RESTORE: Error = Error::ApiMisuse("a backup is being restored");

impl Repository<'_> {
    /// Whether a backup is being restored: its records come after its consents.
    pub(crate) async fn is_restoring(&self) -> Result<bool> {
        Ok(is_there(self.store, &[RESTORING.to_owned()]).await?.contains(&true))
    }

    pub(crate) async fn mark(&self, owner: &OwnerId, compartment: &CompartmentId) -> Result<()> {
        self.store.apply(vec![Op::Put { key: stale(owner, compartment), value: Vec::new() }]).await?;
        Ok(())
    }
}

/// Takes the marker away when nothing lies under older keys any more.
pub(crate) async fn caught_up(store: &dyn Store, owner: &OwnerId, compartment: &CompartmentId) -> Result<()> {
    let key = stale(owner, compartment);
    if let Some(tag) = store.tags(std::slice::from_ref(&key)).await?.pop().flatten() {
        store.apply(vec![Op::Delete { key, tag }]).await?;
    }
    Ok(())
}
