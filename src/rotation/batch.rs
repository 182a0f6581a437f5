//! One batch: read, rewrap, swap; again for what was changed meanwhile.

use super::Rotation;
use crate::error::{Error, Result};
use crate::record::StoredWrap;
use crate::store::{Entry, Op, Outcome, Scanned, apply_all, each};

/// What became of a batch.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Parts that are done.
    pub(super) records: u64,
    /// Bytes of what was written for them.
    pub(super) bytes: u64,
    /// Keys of entries that could not be moved.
    pub(super) failed: Vec<String>,
}

/// How often a wrap that others keep changing is read again.
pub(super) const MOST_TRIES: usize = 16;

impl Rotation<'_> {
    /// Moves the wraps of a page, as they were read.
    pub(super) async fn batch(&self, mut page: Vec<Scanned>) -> Result<Done> {
        let mut done = Done::default();
        for _ in 0..MOST_TRIES {
            let (mut ops, mut sizes) = (Vec::with_capacity(page.len()), Vec::with_capacity(page.len()));
            for (key, entry) in page {
                // What was deleted meanwhile needs no key.
                let Some(entry) = entry.transpose() else { continue };
                let moved = entry.map_err(Error::from).and_then(|entry| Ok((self.moved(&key, &entry)?, entry)));
                match moved {
                    Ok((None, entry)) => done.count(entry.value.len()),
                    Ok((Some(value), Entry { tag, .. })) => {
                        sizes.push(value.len());
                        ops.push(Op::Swap { key, tag, value });
                    }
                    Err(error) if error == Error::CannotOpen || error.is_damage() => done.failed.push(key),
                    Err(error) => return Err(error),
                }
            }
            if ops.is_empty() {
                return Ok(done);
            }
            let swapped: Vec<String> = ops.iter().map(|op| op.key().to_owned()).collect();
            let outcomes = apply_all(self.store, ops).await?;
            let mut changed = Vec::new();
            for ((key, size), outcome) in swapped.into_iter().zip(sizes).zip(outcomes) {
                match outcome {
                    Outcome::Written(_) => done.count(size),
                    Outcome::Deleted | Outcome::Conflict => changed.push(key),
                }
            }
            if changed.is_empty() {
                return Ok(done);
            }
            page = self.read(changed).await?;
        }
        done.failed.extend(page.into_iter().map(|(key, _)| key));
        Ok(done)
    }

    /// What these keys have.
    pub(super) async fn read(&self, keys: Vec<String>) -> Result<Vec<Scanned>> {
        let entries = each(self.store, &keys).await?;
        Ok(keys.into_iter().zip(entries).collect())
    }

    /// The wrap under the new key; none if it lies there already.
    fn moved(&self, key: &str, entry: &Entry) -> Result<Option<Vec<u8>>> {
        let wrap = StoredWrap::read(key, &entry.value)?;
        if wrap.key_id() == self.new.key_id() {
            return wrap.check(self.new, None).map(|()| None);
        }
        match self.key(wrap.key_id()) {
            Some(old) => wrap.rewrap(old, self.new)?.to_bytes().map(Some),
            // Somebody has moved on meanwhile.
            None if wrap.generation() > self.new.generation() => Ok(None),
            None => Err(Error::CannotOpen),
        }
    }
}

impl Done {
    pub(super) fn count(&mut self, bytes: usize) {
        self.records += 1;
        self.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
    }
}
