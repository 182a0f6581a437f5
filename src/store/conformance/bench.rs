//! What the promises are looked at with: a store, asked from outside of any runtime.

use std::fmt;

use super::wait::{Bounded, LIMIT, no_answer};
use super::{Engine, Handles};
use crate::store::{BoxFuture, Entry, Limits, Op, Outcome, Store, StoreError, StoreFailure, Tag};

/// What was seen instead of what was promised.
#[derive(Debug)]
pub(super) struct Broken(String);

pub(super) fn broken(seen: impl Into<String>) -> Broken {
    Broken(seen.into())
}

pub(super) fn ensure(holds: bool, otherwise: impl Into<String>) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken(otherwise.into())) }
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self(format!("a call failed: {error}"))
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An engine, and the name of the store to be used.
pub(super) struct Bench<'a> {
    pub(super) engine: &'a dyn Engine,
    name: &'static str,
}

impl<'a> Bench<'a> {
    pub(super) fn new(engine: &'a dyn Engine, name: &'static str) -> Self {
        Self { engine, name }
    }

    pub(super) fn open(&self) -> Result<Handle<'a>, Broken> {
        let store = self.engine.open(self.name).map_err(|error| broken(format!("it does not open: {error}")))?;
        Ok(Handle { engine: self.engine, store })
    }

    /// Opens it for the first time.
    pub(super) fn empty(&self) -> Result<Handle<'a>, Broken> {
        let handle = self.open()?;
        ensure(handle.keys("", "", 1)?.is_empty(), "it is not empty when the suite begins")?;
        Ok(handle)
    }

    /// So many handles of the store, or one where there cannot be more.
    pub(super) fn several(&self, count: usize) -> Result<Vec<Handle<'a>>, Broken> {
        let first = self.empty()?;
        let others = match self.engine.handles() {
            Handles::One => 0,
            Handles::Many => count.saturating_sub(1),
        };
        std::iter::once(Ok(first)).chain((0..others).map(|_| self.open())).collect()
    }

    /// Drops the handle before it opens the store again.
    pub(super) fn reopen(&self, handle: Handle<'a>) -> Result<Handle<'a>, Broken> {
        drop(handle);
        self.open()
    }
}

/// An open store.
pub(super) struct Handle<'a> {
    engine: &'a dyn Engine,
    pub(super) store: Box<dyn Store>,
}

impl Handle<'_> {
    /// Waits for a call.
    pub(super) fn wait<T: Send>(&self, call: BoxFuture<'_, Result<T, StoreError>>) -> Result<T, StoreError> {
        let mut answer = None;
        let call = Bounded::new(call, LIMIT);
        self.engine.block_on(Box::pin(async { answer = Some(call.await) }));
        answer.unwrap_or_else(|| Err(no_answer()))
    }

    pub(super) fn limits(&self) -> Limits {
        self.store.limits()
    }

    /// The entry of one key.
    pub(super) fn get(&self, key: &str) -> Result<Option<Entry>, Broken> {
        self.get_all(&[key.to_owned()]).map(|mut entries| entries.pop().flatten())
    }

    pub(super) fn get_all(&self, keys: &[String]) -> Result<Vec<Option<Entry>>, Broken> {
        let entries = self.wait(self.store.get(keys))?;
        ensure(entries.len() == keys.len(), format!("a read of {} keys gives {}", keys.len(), entries.len()))?;
        Ok(entries)
    }

    pub(super) fn tags(&self, keys: &[String]) -> Result<Vec<Option<Tag>>, Broken> {
        let tags = self.wait(self.store.tags(keys))?;
        ensure(tags.len() == keys.len(), format!("a read of the tags of {} keys gives {}", keys.len(), tags.len()))?;
        Ok(tags)
    }

    pub(super) fn keys(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, Broken> {
        Ok(self.wait(self.store.keys(prefix, after, limit))?)
    }

    pub(super) fn scan(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<(String, Entry)>, Broken> {
        Ok(self.wait(self.store.scan(prefix, after, limit))?)
    }

    pub(super) fn apply(&self, ops: Vec<Op>) -> Result<Vec<Outcome>, Broken> {
        let count = ops.len();
        let outcomes = self.wait(self.store.apply(ops))?;
        ensure(outcomes.len() == count, format!("{count} changes have {} outcomes", outcomes.len()))?;
        Ok(outcomes)
    }

    pub(super) fn delete_prefix(&self, prefix: &str) -> Result<u64, Broken> {
        Ok(self.wait(self.store.delete_prefix(prefix))?)
    }

    /// The outcome of one change.
    pub(super) fn one(&self, op: Op) -> Result<Outcome, Broken> {
        self.apply(vec![op])?.pop().ok_or_else(|| broken("a change has no outcome"))
    }

    /// The tag of a change that nothing stands against.
    pub(super) fn write(&self, op: Op) -> Result<Tag, Broken> {
        let what = op.key().to_owned();
        match self.one(op)? {
            Outcome::Written(tag) => Ok(tag),
            other => Err(broken(format!("a change of `{what}` that nothing stands against is {other:?}"))),
        }
    }

    /// Writes all of these keys, each with itself as the value, in batches that every store takes.
    pub(super) fn fill(&self, keys: &[String]) -> Result<(), Broken> {
        for some in keys.chunks(self.limits().ops.clamp(1, 100)) {
            let outcomes = self.apply(some.iter().map(|key| put(key, key.as_bytes())).collect())?;
            ensure(outcomes.iter().all(is_written), "keys that have no value are not all written")?;
        }
        Ok(())
    }

    /// Deletes all of these keys, in batches that every store takes.
    pub(super) fn clear(&self, keys: &[String]) -> Result<(), Broken> {
        for some in keys.chunks(self.limits().ops.clamp(1, 100)) {
            let held = some.iter().zip(self.tags(some)?);
            let ops: Vec<Op> = held.filter_map(|(key, tag)| Some(delete(key, &tag?))).collect();
            ensure(ops.len() == some.len(), "what was written is not there")?;
            let outcomes = self.apply(ops)?;
            ensure(
                outcomes.iter().all(|outcome| *outcome == Outcome::Deleted),
                "values are not deleted by their tags",
            )?;
        }
        Ok(())
    }

    /// All keys under a prefix, by pages that keep what a page promises.
    pub(super) fn all_keys(&self, prefix: &str, limit: usize) -> Result<Vec<String>, Broken> {
        all(limit, |after| self.keys(prefix, after, limit), |key| key)
    }

    /// All entries under a prefix, as [`Handle::all_keys`].
    pub(super) fn all_entries(&self, prefix: &str, limit: usize) -> Result<Vec<(String, Entry)>, Broken> {
        all(limit, |after| self.scan(prefix, after, limit), |(key, _)| key)
    }
}

fn all<T>(
    limit: usize,
    page: impl Fn(&str) -> Result<Vec<T>, Broken>,
    key: impl Fn(&T) -> &String,
) -> Result<Vec<T>, Broken> {
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = page(&after)?;
        is_page(&after, page.iter().map(&key), limit)?;
        let Some(last) = page.last() else { return Ok(seen) };
        after.clone_from(key(last));
        seen.extend(page);
        // Without this and the order, a broken store would keep the suite for ever.
        ensure(seen.len() < MOST_KEYS, "a listing has more keys than were written")?;
    }
}

/// Whether these keys are ascending, follow this one, and are no more than asked for.
pub(super) fn is_page<'a>(after: &str, keys: impl Iterator<Item = &'a String>, limit: usize) -> Result<(), Broken> {
    let (mut last, mut count) = (after, 0);
    for key in keys {
        if key.as_str() <= last {
            return Err(broken(format!("a page that begins after `{after}` gives `{key}` after `{last}`")));
        }
        (last, count) = (key, count + 1);
    }
    ensure(count <= limit, format!("a page of at most {limit} keys has {count}"))
}

pub(super) fn put(key: &str, value: &[u8]) -> Op {
    Op::Put { key: key.to_owned(), value: value.to_vec() }
}

pub(super) fn swap(key: &str, tag: &Tag, value: &[u8]) -> Op {
    Op::Swap { key: key.to_owned(), tag: tag.clone(), value: value.to_vec() }
}

pub(super) fn delete(key: &str, tag: &Tag) -> Op {
    Op::Delete { key: key.to_owned(), tag: tag.clone() }
}

pub(super) fn entry(tag: &Tag, value: &[u8]) -> Entry {
    Entry { tag: tag.clone(), value: value.to_vec() }
}

pub(super) fn is_written(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Written(_))
}

/// That a call is refused for good.
pub(super) fn refused<T>(answer: Result<T, StoreError>, what: &str) -> Result<(), Broken> {
    match answer {
        Err(error) if error.failure() == StoreFailure::Refused => Ok(()),
        Err(error) => Err(broken(format!("{what} is not refused, but fails: {error}"))),
        Ok(_) => Err(broken(format!("{what} is not refused"))),
    }
}

/// More than the suite writes to one store.
const MOST_KEYS: usize = 100_000;
