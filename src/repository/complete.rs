//! Writing a record again of which the store has lost a piece.

use std::collections::{BTreeMap, BTreeSet};

use super::{Put, Repository};
use crate::error::Result;
use crate::id::CompartmentId;
use crate::ledger::KeyState;
use crate::record::SealedRecord;
use crate::store::is_there;
use crate::store::space::{Kind, PartPiece};

impl Repository<'_> {
    /// For a record whose contents are in the store: writes those of its pieces that they name and that are missing, so
    /// that `Done` says of a second call what it says of the first. [`Put::Conflict`] if something is missing of a part that
    /// is another one by now.
    pub(super) async fn complete(
        &self,
        record: &SealedRecord,
        contents: &[u8],
        pieces: BTreeMap<String, Vec<u8>>,
    ) -> Result<Put> {
        let keys: Vec<String> = pieces.keys().cloned().collect();
        let there = is_there(self.store, &keys).await?;
        if !there.contains(&false) {
            return Ok(Put::Done);
        }
        let absent = keys.iter().zip(there).filter(|(_, there)| !there).map(|(key, _)| key);
        let absent: Vec<&String> = absent.collect();
        let Some((lost, rest)) = self.lost(record, contents, &pieces, &absent).await? else {
            return Ok(Put::Conflict);
        };
        if lost.is_empty() {
            return Ok(rest);
        }
        let sealed = sealed_under_keys(absent.iter().copied().filter(|key| lost.contains_key(*key)));
        let outdated = self.outdated_of(record, &|compartment| sealed.contains(compartment)).await?;
        if self.delete_of_the_erased(record.owner(), keys).await? || outdated {
            return Ok(Put::Outdated);
        }
        let (put, written) = self.write_pieces(&lost).await?;
        if put == Put::Conflict {
            self.take_back_unnamed(record.owner(), &lost, written).await?;
            return Ok(Put::Conflict);
        }
        let sealed = sealed_under_keys(written.iter().map(|(key, _)| key));
        let outdated = self.outdated_of(record, &|compartment| sealed.contains(compartment)).await?;
        // The contents name it: under a key that is destroyed by now it would close the record. Under one that is not it
        // stays, as somebody else may have been told that it is there.
        if self.is_gone(record, &sealed).await? {
            self.take_back(written).await?;
            return Ok(Put::Outdated);
        }
        if outdated {
            return Ok(Put::Outdated);
        }
        Ok(rest)
    }

    /// Whether the owner was erased, or the key of one of these parts destroyed.
    async fn is_gone(&self, record: &SealedRecord, parts: &BTreeSet<CompartmentId>) -> Result<bool> {
        let Some(ledger) = &self.ledger else { return Ok(false) };
        for compartment in parts {
            if let Some(key) = record.key_id(compartment)
                && ledger.state(record.owner(), compartment, key).await? == KeyState::Destroyed
            {
                return Ok(true);
            }
        }
        ledger.is_erased(record.owner()).await
    }

    /// Those of the pieces that the contents lack, and whether the parts that they are of are whole with them. `None` if
    /// the contents are other ones by now.
    async fn lost(
        &self,
        record: &SealedRecord,
        contents: &[u8],
        pieces: &BTreeMap<String, Vec<u8>>,
        absent: &[&String],
    ) -> Result<Option<(BTreeMap<String, Vec<u8>>, Put)>> {
        let (owner, id) = (record.owner(), record.record());
        let key = SealedRecord::content_key(owner, id);
        // Who amends a record may have seen some of its parts only.
        let is_of_mine = |key: &str| Kind::of(key) != Some(Kind::Envelope) || pieces.contains_key(key);
        let held = self.pieces((owner, id), &key, &is_of_mine).await?;
        let Some(mut held) = held.filter(|held| held.get(&key).is_some_and(|held| held == contents)) else {
            return Ok(None);
        };
        let piece = |key: &str| pieces.get(key).map(|value| (key.to_owned(), value.clone()));
        let past = absent.iter().filter(|key| Kind::of(key) == Some(Kind::Past));
        let mut lost: BTreeMap<String, Vec<u8>> = past.filter_map(|key| piece(key)).collect();
        // An envelope that comes back names a wrap and the beginning of a body, and this the rest.
        loop {
            let mut missing = SealedRecord::missing(owner, id, &held)?;
            missing.retain(|key| is_of_mine(key));
            let found: BTreeMap<String, Vec<u8>> = missing.iter().filter_map(|key| piece(key)).collect();
            if found.is_empty() {
                return Ok(Some((lost, Put::of(missing.is_empty()))));
            }
            // What the store has of the rest is not written again, see `write_pieces`.
            held.extend(found.clone());
            lost.extend(found);
        }
    }
}

/// The compartments of the parts whose wraps come back. An envelope or a body lies under no compartment key: its wrap, where
/// that is there, may have been moved to a later one.
fn sealed_under_keys<'a>(written: impl Iterator<Item = &'a String>) -> BTreeSet<CompartmentId> {
    let wraps = written.filter_map(|key| PartPiece::read(key)).filter(|(kind, _)| *kind == Kind::Wrap);
    wraps.map(|(_, piece)| piece.compartment).collect()
}
