//! Adapters that are right.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use chartseal::store::{
    BoxFuture, Entry, Fault, FaultyStore, Limits, MAX_KEY, MAX_VALUE, Op, Order, Outcome, Store, StoreError, Tag,
};

use super::Inside;
use crate::support::store::hands_on;

/// A handle of the store that hands on everything.
pub(super) struct Shared(pub(super) Arc<Inside>);

impl Shared {
    fn store(&self) -> &dyn Store {
        &self.0.store
    }
}

macro_rules! shared {
    ($($call:ident($($name:ident: $type:ty),*) -> $answer:ty;)*) => {$(
        fn $call<'a>(&'a self $(, $name: $type)*) -> BoxFuture<'a, Result<$answer, StoreError>> {
            self.store().$call($($name),*)
        }
    )*};
}

impl Store for Shared {
    fn limits(&self) -> Limits {
        self.store().limits()
    }

    shared! {
        get(keys: &'a [String]) -> Vec<Option<Entry>>;
        tags(keys: &'a [String]) -> Vec<Option<Tag>>;
        keys(prefix: &'a str, after: &'a str, limit: usize) -> Vec<String>;
        scan(prefix: &'a str, after: &'a str, limit: usize) -> Vec<(String, Entry)>;
        apply(ops: Vec<Op>) -> Vec<Outcome>;
        delete_prefix(prefix: &'a str) -> u64;
    }
}

pub(super) fn shared(inside: Arc<Inside>) -> Box<dyn Store> {
    Box::new(Shared(inside))
}

/// Of a batch, makes the first three changes and fails, when it is disturbed.
struct TornWhenDisturbed {
    store: FaultyStore<Shared>,
    inside: Arc<Inside>,
}

impl Store for TornWhenDisturbed {
    hands_on!(store: limits get tags keys scan);

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        if self.inside.disturbed.load(Ordering::SeqCst) {
            self.store.fail_at(1, Fault::CrashTorn(3));
        }
        self.store.apply(ops)
    }
}

pub(super) fn torn_when_disturbed(inside: Arc<Inside>) -> Box<dyn Store> {
    Box::new(TornWhenDisturbed { store: FaultyStore::new(Shared(inside.clone())), inside })
}

/// Takes one change at a time and gives pages of two, waits at each call, deletes by key.
struct Modest(Shared);

/// Lets others go on once.
pub(super) async fn pause() {
    let mut paused = false;
    poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut paused, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

macro_rules! modest {
    ($($call:ident($($name:ident: $type:ty = $given:expr),*) -> $answer:ty;)*) => {$(
        fn $call<'a>(&'a self $(, $name: $type)*) -> BoxFuture<'a, Result<$answer, StoreError>> {
            Box::pin(async move {
                pause().await;
                let answer = self.0.$call($($given),*).await;
                pause().await;
                answer
            })
        }
    )*};
}

impl Store for Modest {
    fn limits(&self) -> Limits {
        Limits { ops: 1, bytes: MAX_KEY + MAX_VALUE, order: Order::Any }
    }

    modest! {
        get(keys: &'a [String] = keys) -> Vec<Option<Entry>>;
        tags(keys: &'a [String] = keys) -> Vec<Option<Tag>>;
        keys(prefix: &'a str = prefix, after: &'a str = after, limit: usize = limit.min(2)) -> Vec<String>;
        scan(prefix: &'a str = prefix, after: &'a str = after, limit: usize = limit.min(2)) -> Vec<(String, Entry)>;
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        Box::pin(async move {
            chartseal::store::check_ops(&ops, &self.limits())?;
            pause().await;
            let answer = self.0.apply(ops).await;
            pause().await;
            answer
        })
    }
}

pub(super) fn modest(inside: Arc<Inside>) -> Box<dyn Store> {
    Box::new(Modest(Shared(inside)))
}
