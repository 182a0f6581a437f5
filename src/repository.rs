//! Records and consents in a [`Store`].
//!
//! Each verb commits by one change of one key, so that a crash in between leaves what was there before, or all of the
//! new. What was written for a commit that never came stays behind unseen; it is overwritten or passed over later.
//!
//! # Security
//!
//! What comes out of a store is only well-formed: verify consents, and open records with a
//! [`Reader`](crate::record::Reader).

use std::collections::BTreeMap;

use crate::consent::StoredConsent;
use crate::error::{Error, Result};
use crate::id::{CompartmentId, OwnerId, RecordId, Revision, Version};
use crate::record::SealedRecord;
use crate::store::{Entry, Op, Outcome, Store};

/// Records and consents in a store.
#[derive(Clone, Copy)]
pub struct Repository<'a> {
    store: &'a dyn Store,
}

/// Whether a verb did what it was asked for, or somebody was faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is done, or was done before.
    Done,
    /// There is another one in its place: read it, and decide.
    Conflict,
}

impl<'a> Repository<'a> {
    /// Over this store.
    pub fn new(store: &'a dyn Store) -> Self {
        Self { store }
    }

    /// Writes a record that the store does not have. Its content is written last: without it, nothing of the rest is
    /// seen. To write the same bytes again does no harm. Another record of the same id is a conflict, even if its writing
    /// was never finished.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; try again then. [`Error::ApiMisuse`] if it is not the first revision.
    pub async fn put(&self, record: &SealedRecord) -> Result<Put> {
        if record.revision() != Revision(0) {
            return Err(Error::ApiMisuse("a new record is of revision 0"));
        }
        let mut pieces = record.pieces()?;
        let key = SealedRecord::content_key(record.owner(), record.record());
        let (key, value) = pieces.remove_entry(&key).ok_or(Error::Malformed("record"))?;
        if self.write_pieces(pieces).await? == Put::Conflict {
            return Ok(Put::Conflict);
        }
        self.commit(key, value).await
    }

    /// Reads a record, all its parts that are there; none if there is no such record.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if what is stored is no record, or keeps changing while it is read; [`Error::Store`].
    pub async fn get(&self, owner: &OwnerId, record: &RecordId) -> Result<Option<SealedRecord>> {
        let key = SealedRecord::content_key(owner, record);
        let Some(Entry { value, .. }) = self.entry(&key).await? else {
            return Ok(None);
        };
        let mut pieces = BTreeMap::from([(key, value)]);
        // Contents name envelopes, and these the rest.
        for _ in 0..2 {
            let missing = SealedRecord::missing(owner, record, &pieces)?;
            let found = self.store.get(&missing).await?;
            let there = missing.into_iter().zip(found).filter_map(|(key, entry)| Some((key, entry?.value)));
            pieces.extend(there);
        }
        SealedRecord::from_pieces(owner, record, pieces).map(Some)
    }

    /// Writes a consent, if the store has none of its version.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn put_consent(&self, consent: &StoredConsent) -> Result<Put> {
        let statement = consent.consent().unverified();
        let key = format!("{}{:020}", consents(&statement.owner, &statement.compartment), statement.version.0);
        self.commit(key, consent.to_cbor()?).await
    }

    /// The consents of a compartment with a version above `after`, a hundred at most, the earliest first.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if what is stored is no consent; [`Error::Store`].
    pub async fn consents(
        &self,
        owner: &OwnerId,
        compartment: &CompartmentId,
        after: Version,
    ) -> Result<Vec<StoredConsent>> {
        let prefix = consents(owner, compartment);
        let keys = self.store.keys(&prefix, &format!("{prefix}{:020}", after.0), 100).await?;
        let entries = self.store.get(&keys).await?;
        entries.into_iter().flatten().map(|entry| StoredConsent::from_cbor(&entry.value)).collect()
    }

    /// Never writes over a piece that is there: somebody else may be about to commit it.
    async fn write_pieces(&self, pieces: BTreeMap<String, Vec<u8>>) -> Result<Put> {
        let keys: Vec<String> = pieces.keys().cloned().collect();
        let ops = pieces.clone().into_iter().map(|(key, value)| Op::Put { key, value }).collect();
        self.store.apply(ops).await?;
        let held = self.store.get(&keys).await?;
        let same = pieces.iter().zip(held).all(|((key, value), held)| {
            // A rotation may have moved the wrap on; its key is that of the body.
            held.is_some_and(|held| held.value == *value || key.starts_with("wrap~"))
        });
        Ok(if same { Put::Done } else { Put::Conflict })
    }

    async fn commit(&self, key: String, value: Vec<u8>) -> Result<Put> {
        let op = Op::Put { key: key.clone(), value: value.clone() };
        let done = matches!(self.store.apply(vec![op]).await?.as_slice(), [Outcome::Written(_)]);
        let same = done || self.entry(&key).await?.is_some_and(|held| held.value == value);
        Ok(if same { Put::Done } else { Put::Conflict })
    }

    async fn entry(&self, key: &str) -> Result<Option<Entry>> {
        Ok(self.store.get(&[key.to_owned()]).await?.pop().flatten())
    }
}

fn consents(owner: &OwnerId, compartment: &CompartmentId) -> String {
    format!("consent~{owner}~{compartment}~")
}

impl std::fmt::Debug for Repository<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository").finish_non_exhaustive()
    }
}
