//! Sealing parts again: read, seal under a new key, swap; again for what was changed meanwhile.

use std::sync::PoisonError;

use super::Rotation;
use super::batch::{Done, MOST_TRIES};
use crate::authority::Trust;
use crate::consent::Devices;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::record::{Author, Reader, SealedRecord};
use crate::repository::{Put, Repository, Revisions};
use crate::store::space::{Kind, PartPiece};

/// Who seals parts again, and whom it believes.
pub(super) struct Sealer<'a> {
    pub(super) ledger: Ledger<'a>,
    pub(super) trust: &'a Trust,
    pub(super) devices: &'a Devices,
    pub(super) author: &'a Author<'a>,
}

/// What became of one part.
enum Part {
    /// It has a new key; so many bytes were sealed.
    Sealed(usize),
    /// It is gone, or its writing was never finished.
    Nothing,
    Failed,
}

impl Rotation<'_> {
    pub(super) async fn reencrypt_batch(&self, keys: Vec<String>) -> Result<Done> {
        let mut done = Done::default();
        // Of a record with many revisions all lie side by side.
        let mut known = self.revisions.lock().unwrap_or_else(PoisonError::into_inner).take();
        for key in keys {
            match self.reencrypt_one(&key, &mut known).await? {
                Part::Sealed(bytes) => done.count(bytes),
                Part::Nothing => {}
                Part::Failed => done.failed.push(key),
            }
        }
        *self.revisions.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(done)
    }

    async fn reencrypt_one(&self, key: &str, known: &mut Option<Revisions>) -> Result<Part> {
        let Some((Kind::Envelope, PartPiece { record, hash, .. })) = PartPiece::read(key) else {
            return Ok(Part::Failed);
        };
        let place = (record, hash);
        let Some(sealer) = &self.sealer else {
            return Err(Error::ApiMisuse("nobody was named who seals again"));
        };
        // The job began by holding the two against each other.
        let repository = Repository::unchecked(self.store, sealer.ledger);
        for _ in 0..MOST_TRIES {
            let of = (self.new.owner(), self.new.compartment());
            let record = match repository.part(of, &place, known).await {
                Ok(Some(record)) => record,
                Ok(None) => return Ok(Part::Nothing),
                Err(error) if lasting(&error) => return Ok(Part::Failed),
                Err(error) => return Err(error),
            };
            let sealed = match self.sealed_again(sealer, &record) {
                Ok(sealed) => sealed,
                Err(error) if lasting(&error) => return Ok(Part::Failed),
                Err(error) => return Err(error),
            };
            match repository.reseal(&record, &sealed).await? {
                Put::Done => return Ok(Part::Sealed(sealed.fields().map(|(_, field)| field.data().len()).sum())),
                Put::Conflict => {}
                // The compartment went on to a later key, or its owner was erased: nothing is left for this job.
                Put::Outdated => return Err(Error::Rollback("compartment key")),
            }
        }
        Ok(Part::Failed)
    }

    fn sealed_again(&self, sealer: &Sealer<'_>, record: &SealedRecord) -> Result<SealedRecord> {
        let Sealer { trust, devices, author, .. } = *sealer;
        let key = record.key_id(self.new.compartment()).ok_or(Error::CannotOpen)?;
        let from = if key == self.new.key_id() { self.new } else { self.key(key).ok_or(Error::CannotOpen)? };
        let now = (self.clock)();
        Reader::new(trust, now).devices((*devices).clone()).reseal(record, (from, self.new), author, now)
    }
}

/// Whether it would be the same the next time: the part is to blame, not the store or the caller.
fn lasting(error: &Error) -> bool {
    error.is_damage() || !matches!(error, Error::Store(_) | Error::Randomness | Error::ApiMisuse(_))
}
