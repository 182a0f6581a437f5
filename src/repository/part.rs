//! One part of a record, by the content that it was written in, at whatever revision that was.

use std::collections::BTreeMap;

use super::Repository;
use crate::error::{Error, Result};
use crate::id::{CompartmentId, Hash, OwnerId, RecordId};
use crate::record::SealedRecord;
use crate::store::space::{self, PartKeys};
use crate::store::{Entry, Pages};

/// Where the contents of one record lie: whoever wants its parts one after the other goes through its revisions once.
#[derive(Debug)]
pub(crate) struct Revisions {
    record: RecordId,
    /// The hash of a content, and the key of the first piece that it is the latest of.
    keys: BTreeMap<Hash, String>,
    /// What of them could not be read.
    damage: Option<Error>,
}

impl Repository<'_> {
    /// The record, at its latest revision or an earlier one, that holds the part of this compartment that was written in
    /// this content: that part alone. No other body is read. `known` is where the record's contents lie, if somebody looked.
    pub(crate) async fn part(
        &self,
        (owner, compartment): (&OwnerId, &CompartmentId),
        (record, content): &(RecordId, Hash),
        known: &mut Option<Revisions>,
    ) -> Result<Option<SealedRecord>> {
        let latest = SealedRecord::content_key(owner, record);
        if known.as_ref().is_none_or(|known| known.record != *record) {
            *known = Some(self.revisions(owner, record).await?);
        } else if known.as_ref().is_some_and(|known| !known.keys.contains_key(content)) {
            // It may have been amended since; what was never finished has no content, however often one looks.
            let held = self.entry(&latest).await?;
            let now = held.and_then(|held| SealedRecord::latest_content(owner, record, &held.value).ok());
            if now.is_some_and(|now| known.as_ref().is_some_and(|known| !known.keys.contains_key(&now))) {
                *known = Some(self.revisions(owner, record).await?);
            }
        }
        let Some(Revisions { keys, damage, .. }) = known.as_ref() else { return Ok(None) };
        let envelope = PartKeys { owner, compartment, record }.envelope(content);
        // The latest one keeps what it did not change.
        let key = keys.get(content).unwrap_or(&latest);
        let pieces = self.pieces((owner, record), key, &|key| key == envelope).await?;
        match (pieces.filter(|pieces| pieces.contains_key(&envelope)), damage) {
            (Some(pieces), _) => Ok(SealedRecord::from_pieces(owner, record, pieces)?.only(compartment, content)),
            (None, Some(damage)) => Err(damage.clone()),
            (None, None) => Ok(None),
        }
    }

    async fn revisions(&self, owner: &OwnerId, record: &RecordId) -> Result<Revisions> {
        let mut found = Revisions { record: record.clone(), keys: BTreeMap::new(), damage: None };
        let mut add = |key: String, entry: Result<Option<Entry>>| {
            let hash = match entry {
                Ok(None) => return Ok(()),
                Ok(Some(entry)) => SealedRecord::latest_content(owner, record, &entry.value),
                Err(error) => Err(error),
            };
            match hash {
                Ok(hash) => _ = found.keys.insert(hash, key),
                Err(error) if error.is_damage() => found.damage = Some(error),
                Err(error) => return Err(error),
            }
            Ok(())
        };
        // In this order, so that one that is amended meanwhile is found in its new place.
        let latest = SealedRecord::content_key(owner, record);
        let held = self.entry(&latest).await;
        add(latest, held)?;
        let mut pages = Pages::new(self.store, space::all_past(owner, record), PAGE);
        while let Some(page) = pages.entries().await? {
            for (key, entry) in page {
                add(key, entry.map_err(Error::from))?;
            }
        }
        Ok(found)
    }
}

/// Contents in a page.
const PAGE: usize = 100;
