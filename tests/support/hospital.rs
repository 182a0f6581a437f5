//! A hospital with a store and a ledger, and a chain of consents of which the first is published.

use crate::support::store::hands_on;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chartseal::consent::{Access, StoredConsent};
use chartseal::id::{CompartmentId, OwnerId};
use chartseal::ledger::Ledger;
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Retirement, Rotation};
use chartseal::store::{BoxFuture, Entry, FaultyStore, MemoryStore, Op, Outcome, Store, StoreError, StoreFailure, Tag};

use super::guard;
use super::stored::{fill, now};
use super::waiting::block_on;
use super::world::{NOW, World};

pub(crate) struct Hospital {
    pub(crate) world: World,
    pub(crate) store: FaultyStore<MemoryStore>,
    pub(crate) ledger: FaultyStore<MemoryStore>,
    /// Versions 1 to 4, each with a key of its own.
    pub(crate) chain: Vec<(StoredConsent, Access)>,
}

impl Hospital {
    /// Three records under the first consent.
    pub(crate) fn new() -> Self {
        let world = World::new();
        let mut chain = vec![world.consent("a", "role:doctor")];
        while chain.len() < 4 {
            let last = &chain.last().unwrap().1;
            let next = world.phone.consent(world.devices(), "a".parse().unwrap()).after(last).unwrap();
            chain.push(next.write(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap());
        }
        let hospital = {
            let [store, ledger] = [(); 2].map(|()| FaultyStore::new(MemoryStore::new()));
            Self { world, store, ledger, chain }
        };
        hospital.publish(0);
        fill(&hospital.world, &hospital.store, hospital.access(0), 3);
        hospital
    }

    pub(crate) fn access(&self, at: usize) -> &Access {
        &self.chain[at].1
    }

    pub(crate) fn noted(&self) -> Ledger<'_> {
        guard::ledger(&self.ledger)
    }

    pub(crate) fn repository(&self) -> Repository<'_> {
        self.over(&self.store)
    }

    /// A guarded repository over another store.
    pub(crate) fn over<'a>(&'a self, store: &'a dyn Store) -> Repository<'a> {
        guard::guarded(store, self.noted())
    }

    pub(crate) fn publish(&self, at: usize) {
        let stored = &self.chain[at].0;
        assert_eq!(block_on(self.repository().publish(&self.world.live(stored), stored)).unwrap(), Put::Done);
    }

    /// Moves everything from one key to the next, and retires what is before that.
    pub(crate) fn rotate(&self, from: usize, to: usize, job: &str) -> Retirement {
        let old = [self.access(from)];
        let rotation = Rotation::new(&self.store, &old, self.access(to), &now).unwrap();
        assert!(block_on(rotation.run(job, |_| ())).unwrap().finished);
        block_on(rotation.retire(&self.noted())).unwrap()
    }

    pub(crate) fn place(&self) -> (OwnerId, CompartmentId) {
        (self.access(0).owner().clone(), self.access(0).compartment().clone())
    }

    /// Whether a guarded repository over this store gives out a record that the first key opens.
    pub(crate) fn old_key_opens(&self, store: &dyn Store) -> bool {
        let (owner, _) = self.place();
        let got = block_on(self.over(store).get(&owner, &"r00000".parse().unwrap()));
        got.is_ok_and(|record| {
            record.is_some_and(|record| self.world.reader().open(&record, &[self.access(0)]).is_ok())
        })
    }

    /// What begins the keys of that kind in the compartment.
    pub(crate) fn prefix(&self, kind: &str) -> String {
        let (owner, compartment) = self.place();
        format!("{kind}/{owner}/{compartment}/")
    }
}

pub(crate) fn put(store: &dyn Store, key: &str, value: &[u8]) {
    let outcomes = block_on(store.apply(vec![Op::Put { key: key.into(), value: value.to_vec() }])).unwrap();
    assert!(matches!(outcomes[0], Outcome::Written(_)));
}

pub(crate) fn remove(store: &dyn Store, key: &str) {
    let Entry { tag, .. } = block_on(store.get(&[key.to_owned()])).unwrap().remove(0).unwrap();
    assert_eq!(block_on(store.apply(vec![Op::Delete { key: key.into(), tag }])).unwrap(), [Outcome::Deleted]);
}

/// How many keys there are of a kind.
pub(crate) fn count(entries: &BTreeMap<String, Vec<u8>>, kind: &str) -> usize {
    entries.keys().filter(|key| key.split('/').next() == Some(kind)).count()
}

pub(crate) type Scanned<'a> = BoxFuture<'a, Result<Vec<(String, Entry)>, StoreError>>;
pub(crate) type Tags<'a> = BoxFuture<'a, Result<Vec<Option<Tag>>, StoreError>>;

/// Does something, once, just before a write, a listing or a read for which it is time.
pub(crate) struct Interrupted<'a> {
    store: &'a dyn Store,
    armed: AtomicBool,
    when: When<'a>,
    act: &'a (dyn Fn() + Sync),
}

pub(crate) enum When<'a> {
    Writing(&'a (dyn Fn(&Op) -> bool + Sync)),
    Listing(&'a str),
    /// Of values or of tags, of a key that begins so.
    Reading(&'a str),
}

impl<'a> Interrupted<'a> {
    pub(crate) fn new(store: &'a dyn Store, when: When<'a>, act: &'a (dyn Fn() + Sync)) -> Self {
        Self { store, armed: AtomicBool::new(true), when, act }
    }

    pub(crate) fn happened(&self) -> bool {
        !self.armed.load(Ordering::SeqCst)
    }

    fn now(&self, due: bool) {
        if due && self.armed.swap(false, Ordering::SeqCst) {
            (self.act)();
        }
    }
}

impl Store for Interrupted<'_> {
    hands_on!(store: limits);

    fn tags<'a>(&'a self, keys: &'a [String]) -> Tags<'a> {
        self.now(matches!(self.when, When::Reading(begin) if keys.iter().any(|key| key.starts_with(begin))));
        self.store.tags(keys)
    }

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        self.now(matches!(self.when, When::Reading(begin) if keys.iter().any(|key| key.starts_with(begin))));
        self.store.get(keys)
    }

    fn keys<'a>(&'a self, prefix: &'a str, after: &'a str, n: usize) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.now(matches!(self.when, When::Listing(kind) if prefix == kind));
        self.store.keys(prefix, after, n)
    }

    fn scan<'a>(&'a self, prefix: &'a str, after: &'a str, n: usize) -> Scanned<'a> {
        self.now(matches!(self.when, When::Listing(kind) if prefix == kind));
        self.store.scan(prefix, after, n)
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        self.now(matches!(self.when, When::Writing(when) if ops.iter().any(when)));
        self.store.apply(ops)
    }
}

/// Fails the test after so many calls: what would go on for ever does not.
pub(crate) struct Budget<'a>(pub(crate) &'a dyn Store, pub(crate) AtomicU64);

impl Budget<'_> {
    fn spend(&self) {
        assert!(self.1.fetch_sub(1, Ordering::SeqCst) > 1, "it does not end");
    }
}

impl Store for Budget<'_> {
    hands_on!(0: limits);

    fn tags<'a>(&'a self, keys: &'a [String]) -> Tags<'a> {
        self.spend();
        self.0.tags(keys)
    }

    fn scan<'a>(&'a self, prefix: &'a str, after: &'a str, n: usize) -> Scanned<'a> {
        self.spend();
        self.0.scan(prefix, after, n)
    }

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        self.spend();
        self.0.get(keys)
    }

    fn keys<'a>(&'a self, prefix: &'a str, after: &'a str, n: usize) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.spend();
        self.0.keys(prefix, after, n)
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        self.spend();
        self.0.apply(ops)
    }
}

pub(crate) fn writes_wrap(op: &Op) -> bool {
    matches!(op, Op::Put { key, .. } if key.starts_with("wrap/"))
}

/// Does something before wraps are written, and something else before the next read after that.
pub(crate) struct Around<'a> {
    inner: &'a dyn Store,
    written: AtomicBool,
    before: &'a (dyn Fn() + Sync),
    then: &'a (dyn Fn() + Sync),
}

impl<'a> Around<'a> {
    pub(crate) fn new(inner: &'a dyn Store, before: &'a (dyn Fn() + Sync), then: &'a (dyn Fn() + Sync)) -> Self {
        Self { inner, written: AtomicBool::new(false), before, then }
    }
}

impl Store for Around<'_> {
    hands_on!(inner: limits keys scan);

    fn tags<'a>(&'a self, keys: &'a [String]) -> Tags<'a> {
        if self.written.swap(false, Ordering::SeqCst) {
            (self.then)();
        }
        self.inner.tags(keys)
    }

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        if self.written.swap(false, Ordering::SeqCst) {
            (self.then)();
        }
        self.inner.get(keys)
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        let wraps = ops.iter().any(writes_wrap);
        if wraps {
            (self.before)();
        }
        let outcomes = self.inner.apply(ops);
        self.written.fetch_or(wraps, Ordering::SeqCst);
        outcomes
    }
}

/// A store that cannot read one of its values.
pub(crate) struct Corrupt<'a> {
    pub(crate) inner: &'a dyn Store,
    pub(crate) key: &'a str,
}

impl Store for Corrupt<'_> {
    hands_on!(inner: limits tags keys apply);

    fn scan<'a>(&'a self, prefix: &'a str, after: &'a str, n: usize) -> Scanned<'a> {
        Box::pin(async move {
            let page = self.inner.scan(prefix, after, n).await?;
            if page.iter().any(|(key, _)| key == self.key) {
                return Err(StoreError::new(StoreFailure::Corrupt, "a bad page"));
            }
            Ok(page)
        })
    }

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        if keys.iter().any(|key| key == self.key) {
            return Box::pin(async { Err(StoreError::new(StoreFailure::Corrupt, "a bad page")) });
        }
        self.inner.get(keys)
    }
}
