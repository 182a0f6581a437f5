//! A value that is larger than any of a store: cut into segments, and replaced as a whole.
//!
//! A *head* names the *parts* of the value, in their order, with the length and the hash of each, and carries a note of
//! whoever keeps the value. A part lies in segments under an id that is drawn for it, is written once, and never changed.
//! So a replacement writes parts, then exchanges the head, which is what counts, then deletes the parts that no head names
//! any more: a crash at any instant leaves the old value or the new one, whole. A part that stays is not written again.
//!
//! What was left by writers who died is deleted by the next one. It lists the parts before it exchanges the head and deletes
//! after it: whoever wrote a listed part has read a head that is gone by then, and cannot exchange it. For the same reason a
//! head is never deleted: a key without one would look to such a writer as it did before.

mod replace;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

use super::space::LargeKeys;
use super::tools::only;
use super::{Entry, MAX_VALUE, Store, StoreError, Tag};
use crate::error::{Error, Result};
use crate::id::Hash;
use crate::wire::{self, bytes};

pub(crate) use replace::{Next, Replaced};

/// A place for a large value, and what may lie there.
pub(crate) struct Large<'a> {
    store: &'a dyn Store,
    keys: LargeKeys,
    limits: LargeLimits,
    what: &'static str,
}

/// What a value may be, checked before anything of it is read.
#[derive(Clone, Copy)]
pub(crate) struct LargeLimits {
    /// Most parts, [`MAX_PARTS`] or fewer.
    pub(crate) parts: usize,
    /// Most bytes of all parts.
    pub(crate) bytes: u64,
}

/// What lay in a place when it was read: what the next value goes on from.
#[derive(Debug)]
pub(crate) struct Held {
    /// Of the head; none where there never was one.
    tag: Option<Tag>,
    head: Head,
    left: Left,
}

/// Whether parts may lie in the place that the head does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Unknown,
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    #[serde(serialize_with = "bytes::serialize", deserialize_with = "note")]
    note: Vec<u8>,
    parts: Vec<Part>,
}

/// One part of a value, as its head names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    #[serde(serialize_with = "bytes::serialize", deserialize_with = "bytes::deserialize_array")]
    id: [u8; 16],
    length: u64,
    sha256: Hash,
}

impl<'a> Large<'a> {
    pub(crate) fn new(store: &'a dyn Store, keys: LargeKeys, limits: LargeLimits, what: &'static str) -> Self {
        Self { store, keys, limits, what }
    }

    /// What lies here, without the parts.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] and [`Error::TooLarge`] if the head is none, or names more than there may be; [`Error::Store`].
    pub(crate) async fn held(&self) -> Result<Held> {
        let Some(Entry { tag, value }) = only(self.store, &self.keys.head()).await? else {
            return Ok(Held { tag: None, head: Head { note: Vec::new(), parts: Vec::new() }, left: Left::Unknown });
        };
        let head: Head = wire::from_cbor(&value, MAX_HEAD, self.what)?;
        self.check(&head)?;
        Ok(Held { tag: Some(tag), head, left: Left::Unknown })
    }

    /// As [`Large::held`], with nothing where the head is damaged, for whoever writes the value anew.
    pub(crate) async fn held_or_damaged(&self) -> Result<Held> {
        match self.held().await {
            Err(error) if error.is_damage() => {
                let tag = self.store.tags(&[self.keys.head()]).await?.pop().flatten();
                Ok(Held { tag, head: Head { note: Vec::new(), parts: Vec::new() }, left: Left::Unknown })
            }
            held => held,
        }
    }

    /// What lies here, with the bytes of its parts; none if nothing ever did. One that is replaced meanwhile is read again.
    ///
    /// # Errors
    ///
    /// As [`Large::held`]; [`Error::Malformed`] also if a part is missing or is not what the head says.
    pub(crate) async fn read(&self) -> Result<Option<(Held, Vec<Vec<u8>>)>> {
        for _ in 0..MOST_TRIES {
            let held = self.held().await?;
            if held.tag.is_none() {
                return Ok(None);
            }
            match self.parts(&held).await {
                Ok(parts) => return Ok(Some((held, parts))),
                Err(error) if error.is_damage() && self.is_current(&held).await? => return Err(error),
                Err(error) if error.is_damage() => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::busy("others are writing the same value all the while").into())
    }

    /// The bytes of all parts, held against the head.
    pub(crate) async fn parts(&self, held: &Held) -> Result<Vec<Vec<u8>>> {
        let malformed = || Error::Malformed(self.what);
        let mut parts = vec![Vec::new(); held.head.parts.len()];
        let mut segments = held.head.segments().into_iter().peekable();
        while segments.peek().is_some() {
            let (mut batch, mut size) = (Vec::new(), 0);
            while let Some(segment) =
                segments.next_if(|next| batch.is_empty() || (size + next.length <= MAX_VALUE && batch.len() < BATCH))
            {
                size += segment.length;
                batch.push(segment);
            }
            let keys: Vec<_> = batch.iter().map(|segment| self.keys.segment(&segment.id, segment.number)).collect();
            let entries = self.store.get(&keys).await?;
            for (segment, entry) in batch.iter().zip(entries) {
                let value = entry.ok_or_else(malformed)?.value;
                let part = parts.get_mut(segment.part).ok_or_else(malformed)?;
                if value.len() != segment.length {
                    return Err(malformed());
                }
                if part.is_empty() { *part = value } else { part.extend_from_slice(&value) }
            }
        }
        let whole = parts.iter().zip(&held.head.parts).all(|(bytes, part)| part.is_of(bytes));
        if whole { Ok(parts) } else { Err(malformed()) }
    }

    /// Whether nobody has replaced it since.
    async fn is_current(&self, held: &Held) -> Result<bool> {
        Ok(self.store.tags(&[self.keys.head()]).await?.pop().flatten() == held.tag)
    }

    fn check(&self, head: &Head) -> Result<()> {
        let bytes = head.parts.iter().map(|part| part.length).fold(0, u64::saturating_add);
        if head.parts.len() > self.limits.parts || bytes > self.limits.bytes {
            return Err(Error::TooLarge(self.what));
        }
        let ids: BTreeSet<_> = head.parts.iter().map(|part| part.id).collect();
        let empty = head.parts.iter().any(|part| part.length == 0);
        if empty || ids.len() < head.parts.len() { Err(Error::Malformed(self.what)) } else { Ok(()) }
    }
}

impl Held {
    /// Whether there is anything.
    pub(crate) fn is_there(&self) -> bool {
        self.tag.is_some()
    }

    /// The note beside the parts.
    pub(crate) fn note(&self) -> &[u8] {
        &self.head.note
    }

    /// The parts, in their order.
    pub(crate) fn named(&self) -> &[Part] {
        &self.head.parts
    }

    /// The hash of what the head says of the parts: of their ids, lengths and hashes.
    pub(crate) fn hash(&self) -> Result<Hash> {
        hash_of(&self.head.parts)
    }
}

impl Part {
    /// Whether these are its bytes.
    pub(crate) fn is_of(&self, bytes: &[u8]) -> bool {
        self.length == bytes.len() as u64 && self.sha256.as_bytes() == Sha256::digest(bytes).as_slice()
    }
}

impl Head {
    /// Where the bytes of all parts lie.
    fn segments(&self) -> Vec<Segment> {
        let mut segments = Vec::with_capacity(self.parts.len());
        for (part, Part { id, length, .. }) in self.parts.iter().enumerate() {
            segments.extend((0..length.div_ceil(SEGMENT as u64)).map(|number| {
                let rest = length.saturating_sub(number.saturating_mul(SEGMENT as u64));
                Segment { part, id: *id, number, length: usize::try_from(rest).unwrap_or(usize::MAX).min(SEGMENT) }
            }));
        }
        segments
    }
}

/// What lies under one key.
struct Segment {
    part: usize,
    id: [u8; 16],
    number: u64,
    length: usize,
}

fn hash_of(parts: &[Part]) -> Result<Hash> {
    Ok(Hash(Sha256::digest(wire::to_cbor(&parts, "parts")?).into()))
}

fn note<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    bytes::deserialize(deserializer, MAX_NOTE)
}

/// Bytes in a segment; in the last one of a part, what is left.
const SEGMENT: usize = 4 << 20;
/// Most parts of any value.
pub(crate) const MAX_PARTS: usize = 1 << 14;
/// Most bytes of a note.
const MAX_NOTE: usize = 16 << 10;
/// A part has at most 87 bytes in a head.
const MAX_HEAD: usize = MAX_PARTS * 96 + MAX_NOTE + 64;
/// Most segments that are read at once.
const BATCH: usize = 256;
/// How often a value that others keep replacing is read, or written, again.
const MOST_TRIES: usize = 16;
