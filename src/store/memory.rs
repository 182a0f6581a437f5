//! A store in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::future::ready;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{
    BoxFuture, Entry, Limits, Op, Order, Outcome, Store, StoreError, Tag, check_keys, check_ops, check_prefix,
};

/// A [`Store`] in memory: for tests, and as the shortest example of an adapter.
#[derive(Default)]
pub struct MemoryStore(Mutex<State>);

#[derive(Default)]
struct State {
    entries: BTreeMap<String, Entry>,
    /// Counts writes, so that no tag is given twice.
    written: u64,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    // Nothing in here panics while it holds the lock, and no change is ever half made.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, keys: &[String], get: impl Fn(&Entry) -> T) -> Result<Vec<Option<T>>, StoreError> {
        check_keys(keys)?;
        let state = self.state();
        Ok(keys.iter().map(|key| state.entries.get(key).map(&get)).collect())
    }

    fn list<T>(
        &self,
        prefix: &str,
        (after, limit): (&str, usize),
        get: impl Fn(&String, &Entry) -> T,
    ) -> Result<Vec<T>, StoreError> {
        check_prefix(prefix)?;
        let start = if after < prefix { Bound::Included(prefix) } else { Bound::Excluded(after) };
        let state = self.state();
        let entries = state.entries.range::<str, _>((start, Bound::Unbounded));
        let under = entries.take_while(|(key, _)| key.starts_with(prefix));
        Ok(under.take(limit).map(|(key, entry)| get(key, entry)).collect())
    }

    fn write(&self, ops: Vec<Op>) -> Result<Vec<Outcome>, StoreError> {
        check_ops(&ops, &self.limits())?;
        let mut state = self.state();
        Ok(ops.into_iter().map(|op| state.apply(op)).collect())
    }
}

impl State {
    fn apply(&mut self, op: Op) -> Outcome {
        let held = self.entries.get(op.key()).map(|entry| &entry.tag);
        match op {
            Op::Put { key, value } if held.is_none() => self.insert(key, value),
            Op::Swap { key, tag, value } if held == Some(&tag) => self.insert(key, value),
            Op::Delete { key, tag } if held == Some(&tag) => {
                self.entries.remove(&key);
                Outcome::Deleted
            }
            _ => Outcome::Conflict,
        }
    }

    fn insert(&mut self, key: String, value: Vec<u8>) -> Outcome {
        self.written += 1;
        let tag = Tag::new(self.written.to_be_bytes());
        self.entries.insert(key, Entry { tag: tag.clone(), value });
        Outcome::Written(tag)
    }
}

impl Store for MemoryStore {
    fn limits(&self) -> Limits {
        Limits { ops: 10_000, bytes: 64 << 20, order: Order::Prefix }
    }

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        Box::pin(ready(self.read(keys, Entry::clone)))
    }

    fn tags<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Tag>>, StoreError>> {
        Box::pin(ready(self.read(keys, |entry| entry.tag.clone())))
    }

    fn keys<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(ready(self.list(prefix, (after, limit), |key, _| key.clone())))
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(String, Entry)>, StoreError>> {
        Box::pin(ready(self.list(prefix, (after, limit), |key, entry| (key.clone(), entry.clone()))))
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        Box::pin(ready(self.write(ops)))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("keys", &self.state().entries.len()).finish()
    }
}
