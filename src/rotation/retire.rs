//! Destroying the keys that nothing lies under any more.

use super::job::BATCH;
use super::{Pass, Rotation, Verification};
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::repository::Repository;

/// What became of a retirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retirement {
    /// The older keys are destroyed: so many consents that gave them were deleted.
    Done {
        /// Consents that were deleted.
        consents: u64,
    },
    /// Something still needs them; nothing was deleted.
    Blocked {
        /// What the walk found.
        found: Verification,
        /// Entries in the quarantine of any job to this generation.
        quarantined: u64,
    },
}

impl Rotation<'_> {
    /// Deletes the consents that give older compartment keys, and says in the ledger that these keys are gone: if nothing
    /// is left under them, by a walk of its own, and no job to this generation has anything in its quarantine.
    ///
    /// Every writer has to go through a [guarded](Repository::guarded) repository with this ledger: what another one writes
    /// under an older key from now on is lost.
    ///
    /// From then on readers need the newest consent alone. Copies that somebody kept of the old consents are not reached.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the ledger does not know the consent of the new key, so that
    /// writers may still use the older ones; [`Error::Store`]: try again then.
    pub async fn retire(&self, ledger: &Ledger<'_>) -> Result<Retirement> {
        let (owner, compartment) = (self.new.owner(), self.new.compartment());
        // Before the walk: who writes under an older key from here on is turned away, and who did so before is seen.
        let newest = ledger.newest(owner, compartment).await?.map(|newest| newest.consent().unverified().generation);
        if newest.is_none_or(|newest| newest < self.new.generation()) {
            return Err(Error::ApiMisuse("the ledger does not know the consent of the new key"));
        }
        let mut quarantined: usize = 0;
        for pass in Pass::ALL {
            quarantined += self.all_keys(&format!("quarantine~{}", self.jobs(pass))).await?.len();
        }
        let quarantined = u64::try_from(quarantined).unwrap_or(u64::MAX);
        let found = self.verify().await?;
        if !found.is_clean() || quarantined > 0 {
            return Ok(Retirement::Blocked { found, quarantined });
        }
        ledger.destroy(owner, compartment, self.new.generation()).await?;
        let repository = Repository::new(self.store);
        let consents = repository.delete_consents(owner, compartment, self.new.generation(), BATCH).await?;
        Ok(Retirement::Done { consents })
    }
}
