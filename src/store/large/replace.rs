//! A large value is replaced: parts first, then the head.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::{Head, Held, Large, Left, Part, SEGMENT, hash_of};
use crate::error::{Error, Result};
use crate::id::Hash;
use crate::store::tools::{Pages, apply_all, only};
use crate::store::{Op, Outcome, StoreError, StoreFailure};
use crate::wire;

/// A part of the next value.
pub(crate) enum Next {
    /// One of the value before, which is not written again.
    Kept(Part),
    /// Another one, which is not empty.
    New(Vec<u8>),
}

/// What became of a replacement.
#[must_use = "nothing may have been written"]
pub(crate) enum Replaced {
    /// It is there, and this is what the next value goes on from.
    Done(Held),
    /// Somebody else replaced what was read: read it, and decide.
    Conflict,
}

impl Large<'_> {
    /// Puts a value in the place of what was read. The note is made for the hash of the parts, [`Held::hash`].
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] over a limit, with nothing written; [`Error::Randomness`]; the errors of `note`. [`Error::Store`]:
    /// the value may have been replaced or not.
    pub(crate) async fn replace(
        &self,
        before: Held,
        next: Vec<Next>,
        note: impl FnOnce(&Hash) -> Result<Vec<u8>> + Send,
    ) -> Result<Replaced> {
        let mut left = match before.left {
            Left::Unknown => self.unnamed(&before.head).await?,
            Left::Nothing => BTreeSet::new(),
        };
        let (mut parts, mut new) = (Vec::with_capacity(next.len()), Vec::new());
        for next in next {
            parts.push(match next {
                Next::Kept(part) => part,
                Next::New(bytes) => {
                    let part = drawn(&bytes)?;
                    new.push((part, bytes));
                    part
                }
            });
        }
        let note = note(&hash_of(&parts)?)?;
        let head = Head { note, parts };
        self.check(&head)?;
        self.write(new).await?;

        let (key, value) = (self.keys.head(), wire::to_cbor(&head, self.what)?);
        let op = match before.tag {
            Some(tag) => Op::Swap { key: key.clone(), tag, value: value.clone() },
            None => Op::Put { key: key.clone(), value: value.clone() },
        };
        let tag = match self.store.apply(vec![op]).await?.pop() {
            Some(Outcome::Written(tag)) => tag,
            // An adapter that tried again may have been told of its own write: what was drawn is in no other head.
            _ => match only(self.store, &key).await? {
                Some(held) if held.value == value => held.tag,
                _ => return Ok(Replaced::Conflict),
            },
        };

        let gone = before.head.parts.iter().filter(|part| !head.parts.contains(part));
        left.extend(gone.map(|part| self.keys.part(&part.id)));
        // It is written, whatever becomes of this; what stays is deleted with what follows.
        let mut clean = Left::Nothing;
        for prefix in left {
            if self.store.delete_prefix(&prefix).await.is_err() {
                clean = Left::Unknown;
            }
        }
        Ok(Replaced::Done(Held { tag: Some(tag), head, left: clean }))
    }

    /// Writes the segments of new parts, a few at once.
    async fn write(&self, new: Vec<(Part, Vec<u8>)>) -> Result<()> {
        let (mut ops, mut size) = (Vec::new(), 0);
        for (part, bytes) in new {
            let segments: Vec<Vec<u8>> =
                if bytes.len() <= SEGMENT { vec![bytes] } else { bytes.chunks(SEGMENT).map(<[u8]>::to_vec).collect() };
            for (number, value) in (0..).zip(segments) {
                size += value.len();
                ops.push(Op::Put { key: self.keys.segment(&part.id, number), value });
                if size > AT_ONCE {
                    self.put(std::mem::take(&mut ops)).await?;
                    size = 0;
                }
            }
        }
        self.put(ops).await
    }

    async fn put(&self, ops: Vec<Op>) -> Result<()> {
        if ops.is_empty() {
            return Ok(());
        }
        let outcomes = apply_all(self.store, ops).await?;
        if outcomes.iter().all(|outcome| matches!(outcome, Outcome::Written(_))) {
            return Ok(());
        }
        Err(StoreError::new(StoreFailure::Unavailable, "a new key has a value already").into())
    }

    /// What the keys of each part begin with that lies here and is not named.
    async fn unnamed(&self, head: &Head) -> Result<BTreeSet<String>> {
        let named: BTreeSet<_> = head.parts.iter().map(|part| self.keys.part(&part.id)).collect();
        let mut left = BTreeSet::new();
        let mut pages = Pages::new(self.store, self.keys.parts(), PAGE);
        while let Some(page) = pages.keys().await? {
            left.extend(page.iter().filter_map(|key| self.keys.part_of(key)).filter(|part| !named.contains(part)));
        }
        Ok(left)
    }
}

/// A part of these bytes, under an id of its own.
fn drawn(bytes: &[u8]) -> Result<Part> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|_| Error::Randomness)?;
    Ok(Part { id, length: bytes.len() as u64, sha256: Hash(Sha256::digest(bytes).into()) })
}

/// Bytes of segments that are written at once, and one more segment.
const AT_ONCE: usize = 16 << 20;
/// Keys in a page.
const PAGE: usize = 1000;
