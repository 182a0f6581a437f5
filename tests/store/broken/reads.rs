//! Adapters that read what is not so, forget, or give a tag twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use chartseal::store::{BoxFuture, Entry, MemoryStore, Op, Outcome, Store, StoreError, Tag, check_keys, check_ops};

use super::right::Shared;
use super::{Broken, Inside};
use crate::support::store::hands_on;
use crate::support::waiting::block_on;

pub(super) const BROKEN: &[Broken] = &[
    ("tags in the order of the table", "tags-are-of-get", |inside| Box::new(SortedTags(Shared(inside)))),
    ("a value and its tag in two reads", "entry-is-whole", |inside| Box::new(TwoReads(Shared(inside)))),
    ("a listing that lags", "write-is-seen", |inside| lagging(inside, Lags::Listings)),
    ("every other read of a replica that lags", "write-is-seen", |inside| lagging(inside, Lags::EveryOtherRead)),
    ("reads that are kept by each handle", "write-is-seen", |inside| {
        Box::new(Cached(Shared(inside), Mutex::default()))
    }),
    ("nothing on disk", "write-is-kept", |_| Box::new(MemoryStore::new())),
    ("a last write that is not flushed", "write-is-kept", |inside| {
        Box::new(Unflushed(Shared(inside), Mutex::default()))
    }),
    ("a tag that is a hash of the value", "tag-is-once", |inside| tagged(inside, Tags::OfTheValue)),
    ("a tag that is counted from the opening", "tag-is-once-for-good", |inside| tagged(inside, Tags::SinceOpening)),
];

type Entries = Result<Vec<Option<Entry>>, StoreError>;

struct SortedTags(Shared);

impl Store for SortedTags {
    hands_on!(0: limits get keys scan apply);

    fn tags<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Tag>>, StoreError>> {
        Box::pin(async move {
            check_keys(keys)?;
            let mut sorted = keys.to_vec();
            sorted.sort();
            Ok(sorted.iter().map(|key| self.0.0.held(key)).collect())
        })
    }
}

struct TwoReads(Shared);

impl Store for TwoReads {
    hands_on!(0: limits tags keys scan apply);

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Entries> {
        Box::pin(async move {
            let values = self.0.get(keys).await?;
            // The way to the engine and back.
            thread::sleep(Duration::from_micros(200));
            let tags = self.0.tags(keys).await?;
            let entries = values.into_iter().zip(tags);
            Ok(entries.map(|(held, tag)| Some(Entry { tag: tag?, value: held?.value })).collect())
        })
    }
}

/// What was there before the last change, which is all that a replica knows.
struct Lagging {
    store: Shared,
    lags: Lags,
    before: Mutex<BTreeMap<String, Entry>>,
    reads: AtomicU64,
}

#[derive(PartialEq)]
enum Lags {
    Listings,
    EveryOtherRead,
}

fn lagging(inside: Arc<Inside>, lags: Lags) -> Box<dyn Store> {
    Box::new(Lagging { store: Shared(inside), lags, before: Mutex::default(), reads: AtomicU64::new(0) })
}

impl Store for Lagging {
    hands_on!(store: limits tags scan);

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Entries> {
        let old = self.reads.fetch_add(1, Ordering::SeqCst) % 2 == 1;
        if self.lags != Lags::EveryOtherRead || !old || check_keys(keys).is_err() {
            return self.store.get(keys);
        }
        let before = self.before.lock().unwrap();
        let held = keys.iter().map(|key| before.get(key).cloned()).collect();
        Box::pin(async move { Ok(held) })
    }

    fn keys<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        if self.lags != Lags::Listings {
            return self.store.keys(prefix, after, limit);
        }
        let before = self.before.lock().unwrap();
        let page = before.keys().filter(|key| key.starts_with(prefix) && key.as_str() > after).take(limit);
        let page = page.cloned().collect();
        Box::pin(async move { Ok(page) })
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        Box::pin(async move {
            let now = self.store.scan("", "", usize::MAX).await?;
            *self.before.lock().unwrap() = now.into_iter().collect();
            self.store.apply(ops).await
        })
    }
}

/// Keeps what it read until it writes that key itself.
struct Cached(Shared, Mutex<BTreeMap<String, Option<Entry>>>);

impl Store for Cached {
    hands_on!(0: limits tags keys scan);

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Entries> {
        Box::pin(async move {
            let read = self.0.get(keys).await?;
            let mut kept = self.1.lock().unwrap();
            Ok(keys.iter().zip(read).map(|(key, held)| kept.entry(key.clone()).or_insert(held).clone()).collect())
        })
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        self.1.lock().unwrap().retain(|key, _| ops.iter().all(|op| op.key() != key));
        self.0.apply(ops)
    }
}

/// Has its last write in a buffer, which nobody writes out when it is closed.
struct Unflushed(Shared, Mutex<Vec<Op>>);

impl Store for Unflushed {
    hands_on!(0: limits get tags keys scan);

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        Box::pin(async move {
            let last = ops.last().cloned();
            let outcomes = self.0.apply(ops).await?;
            if let (Some(Op::Put { key, .. }), Some(Outcome::Written(tag))) = (last, outcomes.last()) {
                *self.1.lock().unwrap() = vec![Op::Delete { key, tag: tag.clone() }];
            }
            Ok(outcomes)
        })
    }
}

impl Drop for Unflushed {
    fn drop(&mut self) {
        block_on(self.0.apply(self.1.lock().unwrap().clone())).unwrap();
    }
}

/// A store with tags of its own, which stand before the value.
struct Tagged {
    store: Shared,
    tags: Tags,
    written: AtomicU64,
}

#[derive(PartialEq)]
enum Tags {
    OfTheValue,
    SinceOpening,
}

fn tagged(inside: Arc<Inside>, tags: Tags) -> Box<dyn Store> {
    Box::new(Tagged { store: Shared(inside), tags, written: AtomicU64::new(0) })
}

fn split(held: Entry) -> Entry {
    let (tag, value) = held.value.split_at(8);
    Entry { tag: Tag::new(tag), value: value.to_vec() }
}

impl Tagged {
    fn stored(&self, value: &[u8]) -> Vec<u8> {
        let tag = match self.tags {
            Tags::OfTheValue => {
                value.iter().fold(7, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)))
            }
            Tags::SinceOpening => self.written.fetch_add(1, Ordering::SeqCst),
        };
        [&tag.to_be_bytes(), value].concat()
    }

    async fn change(&self, op: Op) -> Result<Outcome, StoreError> {
        let held = self.store.get(&[op.key().to_owned()]).await?.remove(0);
        let named = |tag: &Tag| held.clone().filter(|held| split(held.clone()).tag == *tag).map(|held| held.tag);
        let (op, tag) = match op {
            Op::Put { key, value } => {
                let value = self.stored(&value);
                let tag = Tag::new(&value[..8]);
                (Op::Put { key, value }, tag)
            }
            Op::Swap { key, tag, value } => {
                let Some(held) = named(&tag) else { return Ok(Outcome::Conflict) };
                let value = self.stored(&value);
                let tag = Tag::new(&value[..8]);
                (Op::Swap { key, tag: held, value }, tag)
            }
            Op::Delete { key, tag } => {
                let Some(held) = named(&tag) else { return Ok(Outcome::Conflict) };
                (Op::Delete { key, tag: held }, tag)
            }
        };
        Ok(match self.store.apply(vec![op]).await?.remove(0) {
            Outcome::Written(_) => Outcome::Written(tag),
            other => other,
        })
    }
}

impl Store for Tagged {
    hands_on!(store: limits keys);

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Entries> {
        Box::pin(async move { Ok(self.store.get(keys).await?.into_iter().map(|held| held.map(split)).collect()) })
    }

    fn tags<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Tag>>, StoreError>> {
        Box::pin(async move { Ok(self.get(keys).await?.into_iter().map(|held| held.map(|held| held.tag)).collect()) })
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(String, Entry)>, StoreError>> {
        Box::pin(async move {
            let page = self.store.scan(prefix, after, limit).await?;
            Ok(page.into_iter().map(|(key, held)| (key, split(held))).collect())
        })
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        Box::pin(async move {
            check_ops(&ops, &self.limits())?;
            let mut outcomes = Vec::new();
            for op in ops {
                outcomes.push(self.change(op).await?);
            }
            Ok(outcomes)
        })
    }
}
