//! A store that fails on purpose.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{BoxFuture, Entry, Limits, Op, Outcome, Store, StoreError, StoreFailure, Tag};

/// A [`Store`] around another one that fails at a call of your choice, to try whatever is built on stores: let each call
/// of a piece of work fail in turn, in each way, and see where it ends up.
///
/// # Example
///
/// ```
/// use chartseal::store::{Fault, FaultyStore, MemoryStore, Op, Store};
///
/// # pollster::block_on(async {
/// let store = FaultyStore::new(MemoryStore::new());
/// store.fail_at(1, Fault::AnswerLost);
/// let put = || Op::Put { key: "a".into(), value: vec![1] };
/// assert!(store.apply(vec![put()]).await.is_err());
/// // It was written all the same.
/// assert!(store.get(&["a".into()]).await?[0].is_some());
/// # Ok::<(), chartseal::store::StoreError>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct FaultyStore<S> {
    store: S,
    calls: AtomicU64,
    plan: Mutex<Option<(u64, Fault)>>,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done.
    Refused,
    /// Everything is done, and the caller does not learn of it.
    AnswerLost,
    /// Of a batch, the first so many changes are made and the others not. Other calls are refused.
    Torn(usize),
    /// Nothing is done, now or later, until [`FaultyStore::heal`]: the process, or the store, is dead.
    Crash,
    /// As [`Fault::Torn`], and nothing is done from then on.
    CrashTorn(usize),
}

impl<S: Store> FaultyStore<S> {
    /// A store that does not fail yet.
    pub fn new(store: S) -> Self {
        Self { store, calls: AtomicU64::new(0), plan: Mutex::new(None) }
    }

    /// Lets the call of this number fail, counted from the next one, which is number 1.
    pub fn fail_at(&self, call: u64, fault: Fault) {
        self.calls.store(0, Ordering::SeqCst);
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Some((call, fault));
    }

    /// Ends all failing.
    pub fn heal(&self) {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// How many calls there were since the last [`FaultyStore::fail_at`].
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// The store inside.
    pub fn inner(&self) -> &S {
        &self.store
    }

    fn fault(&self) -> Option<Fault> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let (at, fault) = (*self.plan.lock().unwrap_or_else(PoisonError::into_inner))?;
        match fault {
            Fault::Crash | Fault::CrashTorn(_) if call > at => Some(Fault::Crash),
            fault if call == at => Some(fault),
            _ => None,
        }
    }
}

impl<S: Store> Store for FaultyStore<S> {
    fn limits(&self) -> Limits {
        self.store.limits()
    }

    fn tags<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Tag>>, StoreError>> {
        match self.fault() {
            None => self.store.tags(keys),
            Some(_) => Box::pin(async { Err(failed()) }),
        }
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(String, Entry)>, StoreError>> {
        match self.fault() {
            None => self.store.scan(prefix, after, limit),
            Some(_) => Box::pin(async { Err(failed()) }),
        }
    }

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        match self.fault() {
            None => self.store.get(keys),
            Some(_) => Box::pin(async { Err(failed()) }),
        }
    }

    fn keys<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        match self.fault() {
            None => self.store.keys(prefix, after, limit),
            Some(_) => Box::pin(async { Err(failed()) }),
        }
    }

    fn apply<'a>(&'a self, mut ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        match self.fault() {
            None => return self.store.apply(ops),
            Some(Fault::Refused | Fault::Crash) => return Box::pin(async { Err(failed()) }),
            Some(Fault::AnswerLost) => {}
            Some(Fault::Torn(made) | Fault::CrashTorn(made)) => ops.truncate(made),
        }
        Box::pin(async move {
            self.store.apply(ops).await?;
            Err(failed())
        })
    }
}

fn failed() -> StoreError {
    StoreError::new(StoreFailure::Unavailable, "failed on purpose")
}
