//! What a store that came out of a backup remembers of that, until it has caught up.

use super::Repository;
use crate::error::{Error, Result};
use crate::id::{CompartmentId, OwnerId};
use crate::store::{Entry, Op, Store};

/// There while a backup is being restored: of half a store, nothing is served.
pub(crate) const RESTORING: &str = "restoring";

/// What is said to whoever may not change anything then.
pub(crate) const RESTORE: Error = Error::ApiMisuse("a backup is being restored");

/// The key of the marker of a compartment whose records lie under older keys than they may have before the restore.
pub(crate) fn marker(owner: &OwnerId, compartment: &CompartmentId) -> String {
    format!("restored~{owner}~{compartment}~")
}

impl Repository<'_> {
    /// Whether a backup is being restored: its records come after its consents.
    pub(crate) async fn is_restoring(&self) -> Result<bool> {
        Ok(self.entry(RESTORING).await?.is_some())
    }

    pub(crate) async fn mark(&self, owner: &OwnerId, compartment: &CompartmentId) -> Result<()> {
        self.store.apply(vec![Op::Put { key: marker(owner, compartment), value: Vec::new() }]).await?;
        Ok(())
    }
}

/// Takes the marker away when nothing lies under older keys any more.
pub(crate) async fn caught_up(store: &dyn Store, owner: &OwnerId, compartment: &CompartmentId) -> Result<()> {
    let key = marker(owner, compartment);
    if let Some(Entry { tag, .. }) = store.get(std::slice::from_ref(&key)).await?.pop().flatten() {
        store.apply(vec![Op::Delete { key, tag }]).await?;
    }
    Ok(())
}
