//! A store on disk that counts what it is asked for.

use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chartseal::store::{
    BoxFuture, Entry, Limits, Op, OpenCheck, Outcome, RedbOptions, RedbStore, Store, StoreError, Tag,
};

pub(crate) struct Counted {
    store: RedbStore,
    calls: [AtomicU64; 6],
    read: AtomicU64,
    paused: AtomicBool,
}

const NAMES: [&str; 6] = ["get", "tags", "keys", "scan", "apply", "delete"];
/// So small that it is full at once, and what is measured is not the cache.
const CACHE: usize = 64_000;

impl Counted {
    pub(crate) fn open(path: &Path) -> Self {
        let options = RedbOptions::new().cache(CACHE).check(OpenCheck::AfterACrash);
        let store = RedbStore::open_with(path, &options).unwrap();
        Self { store, calls: Default::default(), read: AtomicU64::new(0), paused: AtomicBool::new(false) }
    }

    /// The calls since this was asked last, in words.
    pub(crate) fn take_calls(&self) -> String {
        let mut text = String::new();
        for (calls, name) in self.calls.iter().zip(NAMES) {
            let calls = calls.swap(0, Ordering::SeqCst);
            if calls > 0 {
                let comma = if text.is_empty() { "" } else { ", " };
                write!(text, "{comma}{calls} {name}").unwrap();
            }
        }
        if text.is_empty() { "none".to_owned() } else { text }
    }

    /// The bytes of keys and values that were read since this was asked last.
    pub(crate) fn take_read(&self) -> u64 {
        self.read.swap(0, Ordering::SeqCst)
    }

    /// Does what a host does once, and is no part of a verb.
    pub(crate) fn uncounted<T>(&self, work: impl FnOnce() -> T) -> T {
        self.paused.store(true, Ordering::SeqCst);
        let done = work();
        self.paused.store(false, Ordering::SeqCst);
        done
    }

    fn call(&self, number: usize) {
        if !self.paused.load(Ordering::SeqCst) {
            self.calls[number].fetch_add(1, Ordering::SeqCst);
        }
    }

    fn reads(&self, bytes: usize) {
        if !self.paused.load(Ordering::SeqCst) {
            self.read.fetch_add(bytes as u64, Ordering::SeqCst);
        }
    }
}

impl Store for Counted {
    fn limits(&self) -> Limits {
        self.store.limits()
    }

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        self.call(0);
        Box::pin(async {
            let found = self.store.get(keys).await?;
            self.reads(found.iter().flatten().map(|entry| entry.value.len()).sum());
            Ok(found)
        })
    }

    fn tags<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Tag>>, StoreError>> {
        self.call(1);
        self.store.tags(keys)
    }

    fn keys<'a>(&'a self, prefix: &'a str, after: &'a str, n: usize) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.call(2);
        Box::pin(async move {
            let found = self.store.keys(prefix, after, n).await?;
            self.reads(found.iter().map(String::len).sum());
            Ok(found)
        })
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        n: usize,
    ) -> BoxFuture<'a, Result<Vec<(String, Entry)>, StoreError>> {
        self.call(3);
        Box::pin(async move {
            let found = self.store.scan(prefix, after, n).await?;
            self.reads(found.iter().map(|(key, entry)| key.len() + entry.value.len()).sum());
            Ok(found)
        })
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        self.call(4);
        self.store.apply(ops)
    }

    fn delete_prefix<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<u64, StoreError>> {
        self.call(5);
        self.store.delete_prefix(prefix)
    }
}
