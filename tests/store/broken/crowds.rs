//! Adapters that are right as long as little is asked of them, and by one caller.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use chartseal::store::{
    BoxFuture, Entry, Limits, Op, Outcome, Store, StoreError, StoreFailure, Tag, check_ops, check_prefix,
};

use super::Broken;
use super::right::{Shared, pause};
use crate::support::store::hands_on;

pub(super) const BROKEN: &[Broken] = &[
    ("reads of 100 keys, and no word of the rest", "many-are-read", |inside| Box::new(ShortReads(Shared(inside)))),
    ("a batch that is sorted by what is done", "order-of-a-batch", |inside| Box::new(ByKind(Shared(inside)))),
    ("a page of tombstones", "empty-page-is-last", |inside| Box::new(Buried(Shared(inside), Mutex::default()))),
    ("a connection that a dropped call keeps", "dropped-call", |inside| {
        Box::new(Pool(Shared(inside), AtomicUsize::new(CONNECTIONS)))
    }),
    ("a transaction that gives way, and says conflict", "batches-at-once", |inside| Box::new(GivesWay(Shared(inside)))),
    ("large values in pieces that are written over", "entry-is-whole", |inside| Box::new(Pieces(Shared(inside)))),
];

type Answer = Result<Vec<Outcome>, StoreError>;

/// Takes 100 keys in a batch, and so it does in a read. What is over that is said to have no value.
struct ShortReads(Shared);

impl ShortReads {
    const MOST: usize = 100;

    async fn short<'a, T: Clone>(
        &'a self,
        keys: &'a [String],
        read: BoxFuture<'a, Result<Vec<Option<T>>, StoreError>>,
    ) -> Result<Vec<Option<T>>, StoreError> {
        let mut held = read.await?;
        held.truncate(Self::MOST);
        held.resize(keys.len(), None);
        Ok(held)
    }
}

impl Store for ShortReads {
    hands_on!(0: keys scan);

    fn limits(&self) -> Limits {
        Limits { ops: Self::MOST, ..self.0.limits() }
    }

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        Box::pin(self.short(keys, self.0.get(keys)))
    }

    fn tags<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Tag>>, StoreError>> {
        Box::pin(self.short(keys, self.0.tags(keys)))
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            check_ops(&ops, &self.limits())?;
            self.0.apply(ops).await
        })
    }
}

/// One statement for all puts, one for all swaps, one for all deletions.
struct ByKind(Shared);

impl Store for ByKind {
    hands_on!(0: limits get tags keys scan);

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            check_ops(&ops, &self.limits())?;
            let mut outcomes = vec![Outcome::Conflict; ops.len()];
            let kinds: [fn(&Op) -> bool; 3] = [
                |op| matches!(op, Op::Put { .. }),
                |op| matches!(op, Op::Swap { .. }),
                |op| matches!(op, Op::Delete { .. }),
            ];
            for is_of in kinds {
                let (places, some): (Vec<usize>, Vec<Op>) =
                    ops.iter().cloned().enumerate().filter(|(_, op)| is_of(op)).unzip();
                for (n, outcome) in places.into_iter().zip(self.0.apply(some).await?) {
                    outcomes[n] = outcome;
                }
                if self.0.0.disturbed.load(Ordering::SeqCst) {
                    return Err(StoreError::new(StoreFailure::Unavailable, "the connection is gone"));
                }
                pause().await;
            }
            Ok(outcomes)
        })
    }
}

/// Reads 1,000 keys of its table, and leaves out what was deleted.
struct Buried(Shared, Mutex<BTreeSet<String>>);

impl Buried {
    fn page(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        check_prefix(prefix)?;
        let all: BTreeSet<String> = self.0.0.all().into_iter().chain(self.1.lock().unwrap().clone()).collect();
        let page = all.into_iter().filter(|key| key.starts_with(prefix) && key.as_str() > after).take(1000);
        Ok(page.filter(|key| self.0.0.held(key).is_some()).take(limit).collect())
    }
}

impl Store for Buried {
    hands_on!(0: limits get tags);

    fn keys<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move { self.page(prefix, after, limit) })
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(String, Entry)>, StoreError>> {
        Box::pin(async move {
            let mut scanned = self.0.scan(prefix, after, usize::MAX).await?;
            let page: BTreeSet<String> = self.page(prefix, after, limit)?.into_iter().collect();
            scanned.retain(|(key, _)| page.contains(key));
            Ok(scanned)
        })
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Answer> {
        self.1.lock().unwrap().extend(ops.iter().map(|op| op.key().to_owned()));
        self.0.apply(ops)
    }
}

const CONNECTIONS: usize = 20;

/// Gives a connection back after a call that ended.
struct Pool(Shared, AtomicUsize);

impl Store for Pool {
    hands_on!(0: limits get tags keys scan);

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let free = self.1.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |free| free.checked_sub(1));
            free.map_err(|_| StoreError::new(StoreFailure::Unavailable, "no connection is free"))?;
            pause().await;
            let outcomes = self.0.apply(ops).await;
            self.1.fetch_add(1, Ordering::SeqCst);
            outcomes
        })
    }
}

/// Of two transactions that want one key the later one ends, and all of it is said to conflict. One change needs none.
struct GivesWay(Shared);

impl Store for GivesWay {
    hands_on!(0: limits get tags keys scan);

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            check_ops(&ops, &self.limits())?;
            if ops.len() == 1 {
                return self.0.apply(ops).await;
            }
            let keys: Vec<String> = ops.iter().map(|op| op.key().to_owned()).collect();
            {
                let mut locked = self.0.0.locked.lock().unwrap();
                if keys.iter().any(|key| locked.contains(key)) {
                    return Ok(vec![Outcome::Conflict; ops.len()]);
                }
                locked.extend(keys.iter().cloned());
            }
            // The way to the engine and back.
            thread::sleep(Duration::from_micros(200));
            let outcomes = self.0.apply(ops).await;
            let mut locked = self.0.0.locked.lock().unwrap();
            keys.iter().for_each(|key| _ = locked.remove(key));
            outcomes
        })
    }
}

/// Writes a value over 1 MiB in two pieces over those of the one before, and its tag last.
struct Pieces(Shared);

impl Pieces {
    const LARGE: usize = 1 << 20;

    async fn half_written(&self, ops: &[Op]) {
        for op in ops {
            let Op::Swap { key, tag, value } = op else { continue };
            let Ok(mut held) = self.0.get(std::slice::from_ref(key)).await else { continue };
            let before = held.remove(0).filter(|held| held.tag == *tag && held.value.len() > Self::LARGE);
            if let Some(before) = before.filter(|_| value.len() > Self::LARGE) {
                let half = value.iter().take(Self::LARGE).chain(before.value.iter().skip(Self::LARGE)).copied();
                self.0.0.half.lock().unwrap().insert(key.clone(), half.collect());
                // Until somebody came by, if anybody does.
                self.0.0.seen.store(false, Ordering::SeqCst);
                for _ in 0..500 {
                    thread::sleep(Duration::from_millis(1));
                    if self.0.0.seen.load(Ordering::SeqCst) {
                        break;
                    }
                }
            }
        }
    }
}

impl Store for Pieces {
    hands_on!(0: limits tags keys scan);

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        Box::pin(async move {
            let half = self.0.0.half.lock().unwrap().clone();
            let mut held = self.0.get(keys).await?;
            for (key, held) in keys.iter().zip(&mut held) {
                if let (Some(held), Some(half)) = (held, half.get(key)) {
                    held.value.clone_from(half);
                    self.0.0.seen.store(true, Ordering::SeqCst);
                }
            }
            Ok(held)
        })
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            check_ops(&ops, &self.limits())?;
            self.half_written(&ops).await;
            let outcomes = self.0.apply(ops).await;
            self.0.0.half.lock().unwrap().clear();
            outcomes
        })
    }
}
