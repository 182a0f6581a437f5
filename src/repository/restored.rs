//! What a store that came out of a backup remembers of that, until it has caught up.

use super::{Put, Repository};
use crate::error::Result;
use crate::id::{CompartmentId, Generation, OwnerId};
use crate::store::{Entry, Op, Store};

/// There while a backup is being restored: of half a store, nothing is served.
pub(crate) const RESTORING: &str = "restoring";

/// The key of the marker of a compartment whose records may lie under older keys than they did before the restore. Its
/// value is the generation, in decimal, that they have to be moved to.
pub(crate) fn marker(owner: &OwnerId, compartment: &CompartmentId) -> String {
    format!("restored~{owner}~{compartment}~")
}

impl Repository<'_> {
    /// Marks a compartment, unless it is marked for a later generation.
    pub(crate) async fn mark(&self, owner: &OwnerId, compartment: &CompartmentId, to: Generation) -> Result<()> {
        let key = marker(owner, compartment);
        loop {
            let put = match self.entry(&key).await? {
                None => self.commit(key.clone(), to.0.to_string().into_bytes()).await?,
                Some(Entry { value, .. }) if generation(&value) >= to => return Ok(()),
                Some(Entry { tag, .. }) => self.exchange(key.clone(), tag, to.0.to_string().into_bytes()).await?,
            };
            if put == Put::Done {
                return Ok(());
            }
        }
    }
}

/// Takes the marker away when everything was moved to this generation.
pub(crate) async fn moved(
    store: &dyn Store,
    owner: &OwnerId,
    compartment: &CompartmentId,
    to: Generation,
) -> Result<()> {
    let key = marker(owner, compartment);
    if let Some(Entry { tag, value }) = store.get(std::slice::from_ref(&key)).await?.pop().flatten()
        && generation(&value) <= to
    {
        // Whoever was faster has marked it for a later one.
        store.apply(vec![Op::Delete { key, tag }]).await?;
    }
    Ok(())
}

/// One that cannot be read is taken away by nothing.
fn generation(value: &[u8]) -> Generation {
    let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    Generation(number.unwrap_or(u64::MAX))
}
