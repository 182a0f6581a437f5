//! What is given to readers: nothing that the ledger knows more of.

use super::{MOST_READS, Repository};
use crate::error::{Error, Result};
use crate::id::{CompartmentId, OwnerId, RecordId, Revision};
use crate::ledger::{KeyState, Ledger, Standing};
use crate::record::SealedRecord;
use crate::store::is_there;
use crate::store::space::{self, RESTORING};

impl Repository<'_> {
    /// Reads a record, all its parts that are there; none if there is no such record.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if what is stored is no record; [`Error::Rollback`] if a part lies under a compartment key that the
    /// ledger knows as destroyed, or in a compartment that has not caught up: it came out of a backup; [`Error::Store`], also
    /// if the record keeps changing while it is read.
    pub async fn get(&self, owner: &OwnerId, record: &RecordId) -> Result<Option<SealedRecord>> {
        self.served((owner, record), &SealedRecord::content_key(owner, record)).await
    }

    /// Reads a record as it was at an earlier revision, or is, if that is its latest.
    ///
    /// # Errors
    ///
    /// As [`Repository::get`].
    pub async fn revision(
        &self,
        owner: &OwnerId,
        record: &RecordId,
        revision: Revision,
    ) -> Result<Option<SealedRecord>> {
        // In this order, so that one that is amended meanwhile is found in its new place.
        if let Some(latest) = self.get(owner, record).await?.filter(|latest| latest.revision() == revision) {
            return Ok(Some(latest));
        }
        let earlier = self.served((owner, record), &space::past(owner, record, revision)).await?;
        // What a key says is the store's word alone.
        Ok(earlier.filter(|earlier| earlier.revision() == revision))
    }

    /// The record whose first piece lies under this key, if the ledger knows no more of it than the store.
    async fn served(&self, (owner, record): (&OwnerId, &RecordId), key: &str) -> Result<Option<SealedRecord>> {
        let mut last = None;
        for _ in 0..MOST_READS {
            let Some(held) = self.read(owner, record, key).await? else { return Ok(None) };
            let Some(ledger) = &self.ledger else { return Ok(Some(held)) };
            let compartments: Vec<&CompartmentId> = held.compartments().collect();
            let known = self.standings(ledger, owner, &compartments).await?;
            let destroyed = compartments.iter().zip(&known).any(|(compartment, standing)| {
                held.key_id(compartment).is_some_and(|key| standing.state(key) == KeyState::Destroyed)
            });
            if !destroyed && !self.lags(owner, &compartments, &known).await? {
                return Ok(Some(held));
            }
            // A retirement may have come between one look and the other. What is the same twice came out of a backup.
            let seen = Some((held, known));
            if seen == last {
                break;
            }
            last = seen;
        }
        Err(Error::Rollback("record"))
    }

    /// What the ledger knows of a compartment, and whether the store is behind in it.
    pub(super) async fn is_current(
        &self,
        ledger: &Ledger<'_>,
        owner: &OwnerId,
        compartment: &CompartmentId,
    ) -> Result<(Standing, bool)> {
        let mut last = Standing::Erased;
        for _ in 0..MOST_READS {
            let known = self.standings(ledger, owner, &[compartment]).await?;
            let current = !self.lags(owner, &[compartment], &known).await?;
            let standing = known.into_iter().next().unwrap_or(Standing::Erased);
            // As there.
            if current || standing == last {
                return Ok((standing, current));
            }
            last = standing;
        }
        Ok((last, false))
    }

    /// Whether the store came out of a backup and lacks what the ledger knows of a compartment, or has records under
    /// older keys than before.
    async fn lags(&self, owner: &OwnerId, compartments: &[&CompartmentId], known: &[Standing]) -> Result<bool> {
        let (mut asked, mut places) = (vec![RESTORING.to_owned()], 0);
        for (compartment, standing) in compartments.iter().zip(known) {
            match standing {
                Standing::Erased => return Ok(true),
                // Of what it does not know the ledger has nothing to say.
                Standing::Unknown => {}
                Standing::Known { newest, .. } => {
                    asked.push(space::stale(owner, compartment));
                    asked.push(super::consents::key_at(owner, compartment, newest.place));
                    places += 1;
                }
            }
        }
        let held = is_there(self.store, &asked).await?;
        let Some((restoring, held)) = held.split_first() else { return Ok(true) };
        // What lies in the place may be damaged; but a store of before would have nothing there.
        let current = held.chunks(2).filter(|held| matches!(held, [false, true])).count();
        Ok(*restoring || current < places)
    }
}
