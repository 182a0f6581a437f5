//! Exchanging parts for the same parts under new keys of their own.

use std::collections::BTreeMap;

use super::{Put, Repository};
use crate::error::{Error, Result};
use crate::id::{CompartmentId, OwnerId};
use crate::record::{SealedRecord, StoredEnvelope};
use crate::store::space::{Kind, PartPiece, place};
use crate::store::{Entry, Op, Pages, apply_all, each};

/// The pieces of one part, before and after.
struct Exchange {
    /// The key of its envelope.
    envelope: String,
    old: Vec<u8>,
    new: Vec<u8>,
    /// The keys of wrap and body that go.
    gone: Vec<String>,
}

impl Repository<'_> {
    /// Writes a record of which parts were sealed again, `before` being the one that they were sealed from, and deletes
    /// what was replaced. Each part changes at once, one after the other. To do it again does no harm.
    ///
    /// What was replaced is noted before, so that it is deleted by the next [rotation](crate::rotation) that re-encrypts
    /// the compartment, should this one not come to it.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; try again then. [`Error::ApiMisuse`] if the two are not of one content.
    pub async fn reseal(&self, before: &SealedRecord, after: &SealedRecord) -> Result<Put> {
        let (old, new) = (before.pieces()?, after.pieces()?);
        let key = SealedRecord::content_key(after.owner(), after.record());
        if old.get(&key) != new.get(&key) {
            return Err(Error::ApiMisuse("sealed again, a record keeps its content"));
        }
        let notes: Vec<String> = old.keys().filter_map(|key| note(key)).collect();
        let mine = new.keys().cloned().chain(notes).collect();
        let put = self.reseal_pieces((before, old), (after, new)).await;
        // An erasure may be on, or over: nothing of this try, or of one before it, stays.
        if put != Ok(Put::Done) && self.delete_of_the_erased(after.owner(), mine).await? {
            return Ok(Put::Outdated);
        }
        put
    }

    async fn reseal_pieces(
        &self,
        (before, old): (&SealedRecord, BTreeMap<String, Vec<u8>>),
        (after, new): (&SealedRecord, BTreeMap<String, Vec<u8>>),
    ) -> Result<Put> {
        if self.outdated(after, Some(before)).await? {
            return Ok(Put::Outdated);
        }
        let only_in = |pieces: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>| {
            let differ = pieces.iter().filter(|(key, _)| !other.contains_key(*key));
            differ.map(|(key, value)| (key.clone(), value.clone())).collect::<BTreeMap<_, _>>()
        };
        let (put, mut written) = self.write_pieces(&only_in(&new, &old)).await?;
        if put == Put::Conflict {
            return Ok(Put::Conflict);
        }
        if self.outdated(after, Some(before)).await? {
            self.leave_nothing_of_the_erased(after.owner(), written).await?;
            return Ok(Put::Outdated);
        }
        let gone = only_in(&old, &new);
        for (envelope, old) in old.into_iter().filter(|(key, _)| Kind::of(key) == Some(Kind::Envelope)) {
            let Some(new) = new.get(&envelope).filter(|new| **new != old).cloned() else { continue };
            let gone = gone.keys().filter(|key| place(key) == place(&envelope)).cloned().collect();
            let part = Exchange { envelope, old, new, gone };
            if self.exchange_part(&part).await? == Put::Conflict {
                // Nothing names the pieces of this part, and nothing will: the envelope that they were for is another one by
                // now. Of the parts after it, the same call, made twice, may have committed.
                written.retain(|(key, _)| place(key) == place(&part.envelope));
                self.take_back(written).await?;
                return Ok(Put::Conflict);
            }
            written.retain(|(key, _)| place(key) != place(&part.envelope));
        }
        Ok(Put::Done)
    }

    async fn exchange_part(&self, Exchange { envelope, old, new, gone }: &Exchange) -> Result<Put> {
        let Some(Entry { tag, value: held }) = self.entry(envelope).await? else {
            return Ok(Put::Conflict);
        };
        if held != *new && held != *old {
            return Ok(Put::Conflict);
        }
        let notes: Vec<String> = gone.iter().filter_map(|key| note(key)).collect();
        if held != *new {
            let put = notes.iter().map(|key| Op::Put { key: key.clone(), value: envelope.clone().into_bytes() });
            apply_all(self.store, put.collect()).await?;
            if self.exchange(envelope.clone(), tag, new.clone()).await? == Put::Conflict {
                return Ok(Put::Conflict);
            }
        }
        self.delete(gone.clone()).await?;
        self.delete(notes).await?;
        Ok(Put::Done)
    }

    /// Deletes what is noted as replaced in a compartment and is not named any more: what a worker left who died, or was
    /// overtaken, between the exchange of an envelope and the end.
    pub(crate) async fn delete_replaced(&self, owner: &OwnerId, compartment: &CompartmentId) -> Result<()> {
        let mut pages = Pages::new(self.store, Kind::Replaced.of_compartment(owner, compartment), 100);
        let envelopes = Kind::Envelope.of_compartment(owner, compartment);
        while let Some(page) = pages.entries().await? {
            for (note, entry) in page {
                // What cannot be read says nothing.
                let Ok(Some(Entry { value, .. })) = entry else { continue };
                let envelope = String::from_utf8(value).ok().filter(|key| key.starts_with(&envelopes));
                let (Some(envelope), Some((_, piece))) = (envelope, PartPiece::read(&note)) else { continue };
                let Some(Ok(Some(held))) = each(self.store, std::slice::from_ref(&envelope)).await?.pop() else {
                    continue;
                };
                // An envelope that cannot be read may still name them.
                if StoredEnvelope::read(&held.value).is_ok_and(|held| held.root() != piece.hash) {
                    self.delete(vec![piece.keys().wrap(&piece.hash)]).await?;
                    self.store.delete_prefix(&piece.keys().body(&piece.hash)).await?;
                    self.delete(vec![note]).await?;
                }
            }
        }
        Ok(())
    }
}

/// Where it is noted that a wrap, and its body, are replaced.
fn note(wrap: &str) -> Option<String> {
    match PartPiece::read(wrap) {
        Some((Kind::Wrap, piece)) => Some(piece.keys().replaced(&piece.hash)),
        _ => None,
    }
}
