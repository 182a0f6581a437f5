//! Whether a job may begin: the consent of the new key is where its readers find it, and the store is the ledger's.

use super::Rotation;
use crate::consent::Evidence;
use crate::error::{Error, Result};
use crate::repository::Repository;

impl Rotation<'_> {
    /// Refuses to move anything to a key if the consent that gave the access is not in the store: nobody could open it. Who
    /// seals again writes, and does so by the store's own ledger.
    pub(super) async fn check_published(&self) -> Result<()> {
        if let Some(sealer) = &self.sealer {
            sealer.ledger.check(self.store).await?;
        }
        let repository = Repository::new(self.store);
        // What lies elsewhere, or there and is another one, gives nobody the key, whatever it says: somebody who has seen the
        // true one may have put it there.
        if let Some(consent) = repository.consent_of(self.new).await?
            && Evidence::from(self.new).check(&consent).is_ok()
        {
            return Ok(());
        }
        Err(UNPUBLISHED)
    }
}

const UNPUBLISHED: Error =
    Error::ApiMisuse("publish the consent of the new key first: nobody could open what is moved");
