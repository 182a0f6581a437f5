//! Records and consents in a [`Store`].
//!
//! Each verb commits by one change of one key, so that a crash in between leaves what was there before, or all of the
//! new. What was written for a commit that never came stays behind unseen; it is overwritten or passed over later.
//!
//! # Security
//!
//! What comes out of a store is only well-formed: verify consents, and open records with a
//! [`Reader`](crate::record::Reader).

mod binding;
mod complete;
mod consents;
mod erase;
mod part;
mod publish;
mod reseal;
pub(crate) mod restored;
mod serve;

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::id::{CompartmentId, OwnerId, RecordId, Revision};
use crate::ledger::{KeyState, Ledger, Standing};
use crate::record::SealedRecord;
use crate::store::space::{self, Kind, place};
use crate::store::{Entry, Op, Outcome, Store, StoreError, Tag, apply_all, apply_in_order, only, tags_of_each};

pub use erase::Erased;
pub(crate) use part::Revisions;

/// Records and consents in a store.
#[derive(Clone, Copy)]
pub struct Repository<'a> {
    store: &'a dyn Store,
    ledger: Option<Ledger<'a>>,
}

/// Whether a verb did what it was asked for, or somebody was faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "nothing may have been written"]
pub enum Put {
    /// It is done, or was done before.
    Done,
    /// There is another one in its place: read it, and decide.
    Conflict,
    /// A part lies under a compartment key that takes no new writes: seal it under the newest consent.
    Outdated,
}

impl<'a> Repository<'a> {
    /// Over this store, without a ledger: nothing is refused for being old. [`Repository::guarded`] has one.
    pub fn new(store: &'a dyn Store) -> Self {
        Self { store, ledger: None }
    }

    /// The store.
    pub fn store(&self) -> &'a dyn Store {
        self.store
    }

    /// The ledger, if there is one.
    pub fn ledger(&self) -> Option<Ledger<'a>> {
        self.ledger
    }

    /// Writes a record that the store does not have. Its content is written last: without it, nothing of the rest is
    /// seen. To write the same bytes again does no harm, and writes what the store has lost of them. Another record of the
    /// same id is a conflict; what was left by one whose writing was never finished stays beside it, unseen.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; try again then. [`Error::ApiMisuse`] if it is not the first revision, and, with a ledger, while a
    /// backup is being restored.
    pub async fn put(&self, record: &SealedRecord) -> Result<Put> {
        if record.revision() != Revision(0) {
            return Err(Error::ApiMisuse("a new record is of revision 0"));
        }
        let mut pieces = record.pieces()?;
        let key = SealedRecord::content_key(record.owner(), record.record());
        let all: Vec<String> = pieces.keys().cloned().collect();
        let (key, value) = pieces.remove_entry(&key).ok_or(Error::Malformed("record"))?;
        if let Some(held) = self.entry(&key).await? {
            if self.delete_of_the_erased(record.owner(), all).await? {
                return Ok(Put::Outdated);
            }
            return if held.value == value { self.complete(record, &value, pieces).await } else { Ok(Put::Conflict) };
        }
        if self.outdated(record, None).await? {
            self.delete_of_the_erased(record.owner(), all).await?;
            return Ok(Put::Outdated);
        }
        let (put, written) = self.write_pieces(&pieces).await?;
        if put == Put::Conflict {
            self.take_back_unnamed(record.owner(), &pieces, written).await?;
            // The record may have been written by the same call, and sealed again since.
            return Ok(Put::of(self.entry(&key).await?.is_some_and(|held| held.value == value)));
        }
        // Once more: whoever retires the key from now on has seen the wraps.
        if self.outdated(record, None).await? {
            self.leave_nothing_of_the_erased(record.owner(), written).await?;
            return Ok(Put::Outdated);
        }
        let put = self.commit(key, value).await?;
        // And once more: an erasure that has gone through the contents did not see this one.
        if self.delete_of_the_erased(record.owner(), all).await? {
            return Ok(Put::Outdated);
        }
        Ok(put)
    }

    /// Writes the next revision of a record, `before` being the one that was amended. The revision before stays, see
    /// [`Repository::revision`]. To do it again does no harm, and writes what the store has lost of `after`.
    ///
    /// It keeps every part, as it was or written anew, and the schema. Who may write anew what, no key here tells: readers
    /// refuse a part whose author may not write it, and the owner [supersedes](Repository::supersede) it.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; try again then. [`Error::ApiMisuse`] if `after` does not follow `before`, and, with a ledger,
    /// while a backup is being restored.
    pub async fn amend(&self, before: &SealedRecord, after: &SealedRecord) -> Result<Put> {
        if !after.follows(before)? {
            return Err(Error::ApiMisuse("an amendment follows the revision before"));
        }
        self.replace(before, after).await
    }

    /// Writes a revision by which the owner takes a record into her own hands: like [`Repository::amend`], and it may leave
    /// parts out and, where nothing stays, have another schema.
    ///
    /// This is the owner's: a host lets nobody else call it, as it lets nobody else delete.
    ///
    /// # Errors
    ///
    /// As for [`Repository::amend`].
    pub async fn supersede(&self, before: &SealedRecord, after: &SealedRecord) -> Result<Put> {
        if !after.supersedes(before)? {
            return Err(Error::ApiMisuse("what supersedes a revision is the next one"));
        }
        self.replace(before, after).await
    }

    async fn replace(&self, before: &SealedRecord, after: &SealedRecord) -> Result<Put> {
        let key = SealedRecord::content_key(after.owner(), after.record());
        let (mut old, mut new) = (before.pieces()?, after.pieces()?);
        let (old_contents, contents) = (old.remove(&key).unwrap_or_default(), new.remove(&key).unwrap_or_default());
        let Some(held) = self.entry(&key).await? else {
            return Ok(Put::Conflict);
        };
        let past = space::past(before.owner(), before.record(), before.revision());
        if held.value == contents {
            new.insert(past, old_contents);
            return self.complete(after, &contents, new).await;
        }
        if held.value != old_contents {
            return Ok(Put::Conflict);
        }
        if self.outdated(after, Some(before)).await? {
            self.delete_of_the_erased(after.owner(), new.into_keys().collect()).await?;
            return Ok(Put::Outdated);
        }
        // Parts that were not changed are there, and may have been moved or sealed again since.
        new.retain(|key, _| !old.contains_key(key));
        new.insert(past, old_contents);
        let (put, written) = self.write_pieces(&new).await?;
        if put == Put::Conflict {
            self.take_back_unnamed(after.owner(), &new, written).await?;
            return Ok(Put::of(self.entry(&key).await?.is_some_and(|held| held.value == contents)));
        }
        if self.outdated(after, Some(before)).await? {
            self.leave_nothing_of_the_erased(after.owner(), written).await?;
            return Ok(Put::Outdated);
        }
        self.exchange(key, held.tag, contents).await
    }

    /// Whether a part that `before` did not have lies under a key that takes no new writes.
    async fn outdated(&self, record: &SealedRecord, before: Option<&SealedRecord>) -> Result<bool> {
        let is_new =
            |compartment: &CompartmentId| !before.is_some_and(|before| before.has_part_of(record, compartment));
        self.outdated_of(record, &is_new).await
    }

    /// Whether one of these parts of a record lies under a key that takes no new writes.
    async fn outdated_of(
        &self,
        record: &SealedRecord,
        is_written: &(dyn Fn(&CompartmentId) -> bool + Sync),
    ) -> Result<bool> {
        let Some(ledger) = &self.ledger else {
            return Ok(false);
        };
        if self.is_restoring().await? {
            return Err(restored::RESTORE);
        }
        let written = record.compartments();
        let written = written.filter(|compartment| is_written(compartment) && record.key_id(compartment).is_some());
        let written: Vec<&CompartmentId> = written.collect();
        if written.is_empty() {
            return Ok(false);
        }
        let known = self.standings(ledger, record.owner(), &written).await?;
        let active = |(compartment, standing): (&&CompartmentId, &Standing)| {
            record.key_id(compartment).is_some_and(|key| standing.state(key) == KeyState::Active)
        };
        Ok(!written.iter().zip(&known).all(active))
    }

    pub(crate) async fn read(&self, owner: &OwnerId, record: &RecordId, key: &str) -> Result<Option<SealedRecord>> {
        let pieces = self.pieces((owner, record), key, &|_| true).await?;
        pieces.map(|pieces| SealedRecord::from_pieces(owner, record, pieces)).transpose()
    }

    /// The pieces of the record whose first one lies under this key, of the parts with these envelopes.
    pub(crate) async fn pieces(
        &self,
        (owner, record): (&OwnerId, &RecordId),
        key: &str,
        wanted: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<Option<BTreeMap<String, Vec<u8>>>> {
        let missing = |pieces: &BTreeMap<String, Vec<u8>>| {
            let mut missing = SealedRecord::missing(owner, record, pieces)?;
            missing.retain(|key| Kind::of(key) != Some(Kind::Envelope) || wanted(key));
            Ok::<_, Error>(missing)
        };
        let mut last = None;
        for _ in 0..MOST_READS {
            let Some(Entry { value, .. }) = self.entry(key).await? else {
                return Ok(None);
            };
            let mut pieces = BTreeMap::from([(SealedRecord::content_key(owner, record), value)]);
            // Contents name envelopes, these wraps and the beginnings of bodies, and these the rest.
            for _ in 0..3 {
                let missing = missing(&pieces)?;
                if missing.is_empty() {
                    break;
                }
                let found = self.store.get(&missing).await?;
                let there = missing.into_iter().zip(found).filter_map(|(key, entry)| Some((key, entry?.value)));
                pieces.extend(there);
            }
            // What is missing may have been replaced meanwhile; what is missing twice is not there.
            if missing(&pieces)?.is_empty() || last.as_ref() == Some(&pieces) {
                return Ok(Some(pieces));
            }
            last = Some(pieces);
        }
        Err(StoreError::busy("others keep changing the record").into())
    }

    /// Never writes over a piece that is there: somebody else may be about to commit it. Gives what was written.
    async fn write_pieces(&self, pieces: &BTreeMap<String, Vec<u8>>) -> Result<(Put, Vec<(String, Tag)>)> {
        // Wraps before envelopes: an envelope without its wrap would be one that lost it.
        let (envelopes, rest): (Vec<_>, Vec<_>) =
            pieces.iter().partition(|(key, _)| Kind::of(key) == Some(Kind::Envelope));
        let put = |(key, value): &(&String, &Vec<u8>)| Op::Put { key: (*key).clone(), value: (*value).clone() };
        let steps = [&rest, &envelopes].map(|step| step.iter().map(put).collect());
        let outcomes = apply_in_order(self.store, steps.into()).await?;
        let (mut written, mut others) = (Vec::new(), Vec::new());
        for ((key, value), outcome) in rest.into_iter().chain(envelopes).zip(outcomes) {
            match outcome {
                Outcome::Written(tag) => written.push((key.clone(), tag)),
                // A rotation may have moved the wrap on; its key is that of the body.
                _ => others.push((key.clone(), value)),
            }
        }
        let keys: Vec<String> = others.iter().map(|(key, _)| key.clone()).collect();
        let held = if keys.is_empty() { Vec::new() } else { self.store.get(&keys).await? };
        let same = others.iter().zip(held).all(|((key, value), held)| {
            held.is_some_and(|held| held.value == **value || Kind::of(key) == Some(Kind::Wrap))
        });
        Ok((Put::of(same), written))
    }

    /// After a conflict, deletes what was just written for a part of which the envelope is another one: nobody can name
    /// it any more. The part was sealed again meanwhile, or is somebody else's. Of an owner who was erased, all of it.
    async fn take_back_unnamed(
        &self,
        owner: &OwnerId,
        pieces: &BTreeMap<String, Vec<u8>>,
        mut written: Vec<(String, Tag)>,
    ) -> Result<()> {
        if let Some(ledger) = &self.ledger
            && ledger.is_erased(owner).await?
        {
            return self.take_back(written).await;
        }
        let envelopes: Vec<String> =
            pieces.keys().filter(|key| Kind::of(key) == Some(Kind::Envelope)).cloned().collect();
        let held = self.store.get(&envelopes).await?;
        let replaced = envelopes.iter().zip(held).filter(|(key, held)| {
            held.as_ref().is_some_and(|held| pieces.get(*key).is_some_and(|value| *value != held.value))
        });
        let places: Vec<&str> = replaced.filter_map(|(key, _)| place(key)).collect();
        written.retain(|(key, _)| place(key).is_some_and(|place| places.contains(&place)));
        self.take_back(written).await
    }

    /// Of an owner who was erased, deletes what this or an earlier try may have written. Says whether she was.
    async fn delete_of_the_erased(&self, owner: &OwnerId, keys: Vec<String>) -> Result<bool> {
        match &self.ledger {
            Some(ledger) if ledger.is_erased(owner).await? => {
                self.delete(keys).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Of an owner who was erased, what was written too late is deleted. Otherwise it stays, unseen: the same call, made
    /// twice, may commit on the pieces of the first.
    async fn leave_nothing_of_the_erased(&self, owner: &OwnerId, written: Vec<(String, Tag)>) -> Result<()> {
        match &self.ledger {
            Some(ledger) if ledger.is_erased(owner).await? => self.take_back(written).await,
            _ => Ok(()),
        }
    }

    /// Deletes what was written and is named by nothing, unless somebody has touched it since.
    async fn take_back(&self, written: Vec<(String, Tag)>) -> Result<()> {
        let ops: Vec<Op> = written.into_iter().map(|(key, tag)| Op::Delete { key, tag }).collect();
        if !ops.is_empty() {
            apply_all(self.store, ops).await?;
        }
        Ok(())
    }

    async fn commit(&self, key: String, value: Vec<u8>) -> Result<Put> {
        let op = Op::Put { key: key.clone(), value: value.clone() };
        let done = matches!(self.store.apply(vec![op]).await?.as_slice(), [Outcome::Written(_)]);
        Ok(Put::of(done || self.entry(&key).await?.is_some_and(|held| held.value == value)))
    }

    async fn exchange(&self, key: String, tag: Tag, value: Vec<u8>) -> Result<Put> {
        let op = Op::Swap { key: key.clone(), tag, value: value.clone() };
        let done = matches!(self.store.apply(vec![op]).await?.as_slice(), [Outcome::Written(_)]);
        Ok(Put::of(done || self.entry(&key).await?.is_some_and(|held| held.value == value)))
    }

    /// Deletes what can be deleted; [`Error::Store`] afterwards if the store holds one of them damaged.
    async fn delete(&self, keys: Vec<String>) -> Result<()> {
        let (mut keys, mut damage) = (keys, Ok(()));
        while !keys.is_empty() {
            let tags = tags_of_each(self.store, &keys).await?;
            let mut ops = Vec::with_capacity(keys.len());
            for (key, tag) in keys.into_iter().zip(tags) {
                match tag {
                    Ok(Some(tag)) => ops.push(Op::Delete { key, tag }),
                    Ok(None) => {}
                    Err(error) => damage = Err(error.into()),
                }
            }
            keys = ops.iter().map(|op| op.key().to_owned()).collect();
            let outcomes = apply_all(self.store, ops).await?;
            let left = keys.into_iter().zip(outcomes).filter(|(_, outcome)| *outcome == Outcome::Conflict);
            keys = left.map(|(key, _)| key).collect();
        }
        damage
    }

    async fn entry(&self, key: &str) -> Result<Option<Entry>> {
        Ok(only(self.store, key).await?)
    }
}

impl Put {
    fn of(done: bool) -> Self {
        if done { Self::Done } else { Self::Conflict }
    }
}

impl std::fmt::Debug for Repository<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository").finish_non_exhaustive()
    }
}

/// How often a record that is being replaced is read again.
const MOST_READS: usize = 8;
/// How often what others keep changing is tried again.
const MOST_TRIES: usize = 16;
