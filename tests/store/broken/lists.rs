//! Adapters whose listings, or deletions of a prefix, are wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use chartseal::store::{BoxFuture, Entry, MemoryStore, Op, Outcome, Store, StoreError, Tag, check_prefix};

use super::right::Shared;
use super::{Broken, Inside};
use crate::support::store::hands_on;
use crate::support::waiting::block_on;

pub(super) const BROKEN: &[Broken] = &[
    ("an order for people", "order-of-bytes", |inside| by(inside, collates)),
    ("a prefix that is a pattern", "prefix-is-plain", |inside| by(inside, like_prefixes)),
    ("a prefix without its slash", "prefix-is-plain", |inside| by(inside, prefix_of_a_name)),
    ("pages that all begin at the beginning", "page-has-a-limit", |inside| by(inside, no_next_page)),
    ("pages that begin with the last key", "page-has-a-limit", |inside| by(inside, inclusive)),
    ("a limit in 32 bits", "page-has-a-limit", |inside| by(inside, short_limit)),
    ("tombstones that fill a page", "empty-page-is-last", |inside| {
        Box::new(Tombstones(Shared(inside), Mutex::default()))
    }),
    ("pages by OFFSET", "pages-under-change", |inside| Box::new(Offsets(Shared(inside), Mutex::default()))),
    ("pages of one snapshot", "pages-under-change", |inside| Box::new(Snapshot(Shared(inside), Mutex::default()))),
    ("a scan that skips what is large", "scan-is-of-get", |inside| Box::new(SmallScans(Shared(inside)))),
    ("look-alikes that are deleted", "prefix-is-deleted", |inside| Box::new(Deletes(Shared(inside), look_alikes))),
    ("one page that is deleted", "prefix-is-deleted", |inside| Box::new(Deletes(Shared(inside), one_page))),
    ("a count of nothing", "prefix-is-deleted", |inside| Box::new(Deletes(Shared(inside), no_count))),
];

type Page = Result<Vec<String>, StoreError>;

/// A store that lists by another function, of what the store inside holds.
struct By(Shared, fn(&Inside, &str, &str, usize) -> Vec<String>);

impl Inside {
    pub(super) fn all(&self) -> Vec<String> {
        block_on(self.store.keys("", "", usize::MAX)).unwrap()
    }

    fn entries(&self, keys: Vec<String>) -> Vec<(String, Entry)> {
        let held = block_on(self.store.get(&keys)).unwrap();
        keys.into_iter().zip(held).filter_map(|(key, held)| Some((key, held?))).collect()
    }
}

fn by(inside: Arc<Inside>, list: fn(&Inside, &str, &str, usize) -> Vec<String>) -> Box<dyn Store> {
    Box::new(By(Shared(inside), list))
}

impl Store for By {
    hands_on!(0: limits get tags apply);

    fn keys<'a>(&'a self, prefix: &'a str, after: &'a str, limit: usize) -> BoxFuture<'a, Page> {
        Box::pin(async move { check_prefix(prefix).map(|()| (self.1)(&self.0.0, prefix, after, limit)) })
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(String, Entry)>, StoreError>> {
        Box::pin(async move { Ok(self.0.0.entries(self.keys(prefix, after, limit).await?)) })
    }
}

fn collates(inside: &Inside, prefix: &str, after: &str, limit: usize) -> Vec<String> {
    let place = |key: &str| (key.to_lowercase(), key.to_owned());
    let mut keys = inside.all();
    keys.retain(|key| key.starts_with(prefix) && (after.is_empty() || place(key) > place(after)));
    keys.sort_by_key(|key| place(key));
    keys.truncate(limit);
    keys
}

fn like_prefixes(inside: &Inside, prefix: &str, after: &str, limit: usize) -> Vec<String> {
    let same = |(one, other): (u8, u8)| one == b'_' || one == other;
    let like = |key: &str| key.len() >= prefix.len() && prefix.bytes().zip(key.bytes()).all(same);
    inside.all().into_iter().filter(|key| like(key) && key.as_str() > after).take(limit).collect()
}

fn prefix_of_a_name(inside: &Inside, prefix: &str, after: &str, limit: usize) -> Vec<String> {
    let name = prefix.trim_end_matches('/');
    inside.all().into_iter().filter(|key| key.starts_with(name) && key.as_str() > after).take(limit).collect()
}

fn no_next_page(inside: &Inside, prefix: &str, _after: &str, limit: usize) -> Vec<String> {
    block_on(inside.store.keys(prefix, "", limit)).unwrap()
}

fn inclusive(inside: &Inside, prefix: &str, after: &str, limit: usize) -> Vec<String> {
    inside.all().into_iter().filter(|key| key.starts_with(prefix) && key.as_str() >= after).take(limit).collect()
}

fn short_limit(inside: &Inside, prefix: &str, after: &str, limit: usize) -> Vec<String> {
    block_on(inside.store.keys(prefix, after, limit as u32 as usize)).unwrap()
}

/// Keeps what was deleted in its pages, and shows it to nobody.
struct Tombstones(Shared, Mutex<BTreeSet<String>>);

impl Store for Tombstones {
    hands_on!(0: limits get tags scan);

    fn keys<'a>(&'a self, prefix: &'a str, after: &'a str, limit: usize) -> BoxFuture<'a, Page> {
        Box::pin(async move {
            check_prefix(prefix)?;
            let all: BTreeSet<String> = self.0.0.all().into_iter().chain(self.1.lock().unwrap().clone()).collect();
            let page = all.into_iter().filter(|key| key.starts_with(prefix) && key.as_str() > after).take(limit);
            Ok(page.filter(|key| self.0.0.held(key).is_some()).collect())
        })
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        self.1.lock().unwrap().extend(ops.iter().map(|op| op.key().to_owned()));
        self.0.apply(ops)
    }
}

/// Knows how many keys it gave up to each one that was the last of a page.
struct Offsets(Shared, Mutex<BTreeMap<(String, String), usize>>);

impl Store for Offsets {
    hands_on!(0: limits get tags scan apply);

    fn keys<'a>(&'a self, prefix: &'a str, after: &'a str, limit: usize) -> BoxFuture<'a, Page> {
        Box::pin(async move {
            let given = self.1.lock().unwrap().get(&(prefix.to_owned(), after.to_owned())).copied();
            let Some(given) = given.or((after.is_empty()).then_some(0)) else {
                return self.0.keys(prefix, after, limit).await;
            };
            let all = self.0.keys(prefix, "", usize::MAX).await?;
            let page: Vec<String> = all.into_iter().skip(given).take(limit).collect();
            if let Some(last) = page.last() {
                self.1.lock().unwrap().insert((prefix.to_owned(), last.clone()), given + page.len());
            }
            Ok(page)
        })
    }
}

/// Gives all pages of what there was at the first one.
struct Snapshot(Shared, Mutex<Vec<String>>);

impl Store for Snapshot {
    hands_on!(0: limits get tags scan apply);

    fn keys<'a>(&'a self, prefix: &'a str, after: &'a str, limit: usize) -> BoxFuture<'a, Page> {
        Box::pin(async move {
            if after.is_empty() {
                *self.1.lock().unwrap() = self.0.keys(prefix, "", usize::MAX).await?;
            }
            Ok(self.1.lock().unwrap().iter().filter(|key| key.as_str() > after).take(limit).cloned().collect())
        })
    }
}

struct SmallScans(Shared);

impl Store for SmallScans {
    hands_on!(0: limits get tags keys apply);

    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(String, Entry)>, StoreError>> {
        Box::pin(async move {
            let mut page = self.0.scan(prefix, after, limit).await?;
            page.retain(|(_, held)| held.value.len() < 4 << 20);
            Ok(page)
        })
    }
}

/// A store that deletes by another function.
struct Deletes(Shared, fn(&Inside, &str) -> u64);

impl Store for Deletes {
    hands_on!(0: limits get tags keys scan apply);

    fn delete_prefix<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(async move { check_prefix(prefix).map(|()| (self.1)(&self.0.0, prefix)) })
    }
}

fn deleted(inside: &Inside, keys: impl Iterator<Item = String>) -> u64 {
    let ops = keys.filter_map(|key| Some(Op::Delete { tag: inside.held(&key)?, key }));
    block_on(inside.store.apply(ops.collect())).unwrap().len() as u64
}

fn look_alikes(inside: &Inside, prefix: &str) -> u64 {
    deleted(inside, inside.all().into_iter().filter(|key| key.starts_with(prefix.trim_end_matches('/'))))
}

fn one_page(inside: &Inside, prefix: &str) -> u64 {
    deleted(inside, inside.all().into_iter().filter(|key| key.starts_with(prefix)).take(1000))
}

fn no_count(inside: &Inside, prefix: &str) -> u64 {
    _ = block_on(inside.store.delete_prefix(prefix)).unwrap();
    0
}

/// Gives the same page for ever, and deletes nothing of it.
#[derive(Default)]
pub(super) struct Endless {
    store: MemoryStore,
    pages: AtomicUsize,
}

impl Endless {
    fn page(&self) -> (String, Entry) {
        assert!(self.pages.fetch_add(1, Ordering::SeqCst) < 1000, "it does not end");
        ("consent/a/b".into(), Entry { tag: Tag::new(*b"t"), value: vec![7] })
    }
}

impl Store for Endless {
    hands_on!(store: limits get tags apply);

    fn keys<'a>(&'a self, _: &'a str, _: &'a str, _: usize) -> BoxFuture<'a, Page> {
        Box::pin(async move { Ok(vec![self.page().0]) })
    }

    fn scan<'a>(&'a self, _: &'a str, _: &'a str, _: usize) -> BoxFuture<'a, Result<Vec<(String, Entry)>, StoreError>> {
        Box::pin(async move { Ok(vec![self.page()]) })
    }
}
