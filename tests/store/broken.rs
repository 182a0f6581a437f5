//! Stores that break a promise each, and the suite that finds them by its name; and stores that keep all, and pass.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use chartseal::store::conformance::{Engine, Handles, PROMISES, check, violations};
use chartseal::store::{MemoryStore, Store, StoreError, StoreFailure};
use chartseal::{Error, backup, backup::BackupError};

use crate::support::waiting::block_on;

mod crowds;
mod lists;
mod reads;
mod right;
mod writes;

/// What all handles of a store share: the engine's side.
#[derive(Default)]
pub(crate) struct Inside {
    pub(crate) store: MemoryStore,
    pub(crate) disturbed: AtomicBool,
    /// Keys that a transaction holds.
    pub(crate) locked: Mutex<BTreeSet<String>>,
    /// Large values that are being written.
    pub(crate) half: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Whether one of them was read meanwhile.
    pub(crate) seen: AtomicBool,
}

type Make = fn(Arc<Inside>) -> Box<dyn Store>;

/// Stores in memory, with an adapter of some kind before them.
struct Adapted {
    stores: Mutex<BTreeMap<String, Arc<Inside>>>,
    adapter: Make,
    handles: Handles,
}

impl Adapted {
    fn new(adapter: Make, handles: Handles) -> Self {
        Self { stores: Mutex::default(), adapter, handles }
    }
}

impl Engine for Adapted {
    fn open(&self, name: &str) -> Result<Box<dyn Store>, StoreError> {
        let inside = self.stores.lock().unwrap().entry(name.to_owned()).or_default().clone();
        inside.disturbed.store(false, Ordering::SeqCst);
        Ok((self.adapter)(inside))
    }

    fn handles(&self) -> Handles {
        self.handles
    }

    fn disturb(&self) {
        self.stores.lock().unwrap().values().for_each(|inside| inside.disturbed.store(true, Ordering::SeqCst));
    }
}

/// How a store is broken, the promise that it breaks, and its adapter.
type Broken = (&'static str, &'static str, Make);

fn all_broken() -> Vec<Broken> {
    [writes::BROKEN, lists::BROKEN, reads::BROKEN, crowds::BROKEN].concat()
}

#[test]
fn the_suite_finds_each_broken_adapter_by_the_name_of_the_promise() {
    for (how, id, adapter) in all_broken() {
        let promise = PROMISES.iter().find(|promise| promise.id() == id).unwrap();
        let violation = check(&Adapted::new(adapter, Handles::Many), promise).expect_err(how);
        assert_eq!(violation.promise(), id, "{how}");
        assert!(violation.to_string().contains(promise.sentence()) && !violation.seen().is_empty(), "{violation}");
    }
}

#[test]
fn the_suite_proves_nothing_that_no_adapter_breaks() {
    let broken = all_broken();
    for promise in PROMISES {
        assert!(broken.iter().any(|(_, id, _)| *id == promise.id()), "{}", promise.id());
    }
}

#[test]
fn a_violation_is_found_among_all_promises() {
    let found = violations(&Adapted::new(writes::any_tag, Handles::One));
    assert!(found.iter().any(|violation| violation.promise() == "swap-is-of-the-tag"), "{found:?}");
}

#[test]
fn the_store_in_memory_keeps_every_promise() {
    assert_eq!(violations(&Adapted::new(right::shared, Handles::Many)), []);
    assert_eq!(violations(&Adapted::new(right::shared, Handles::One)), []);
}

#[test]
fn a_store_that_fails_in_the_midst_of_a_batch_keeps_every_promise() {
    assert_eq!(violations(&Adapted::new(right::torn_when_disturbed, Handles::Many)), []);
}

#[test]
fn a_store_that_does_no_more_than_it_has_to_keeps_every_promise() {
    assert_eq!(violations(&Adapted::new(right::modest, Handles::Many)), []);
}

#[test]
fn a_listing_that_does_not_go_on_ends_whoever_goes_through_it_with_an_error() {
    let store = lists::Endless::default();
    let failure = block_on(store.delete_prefix("consent/")).unwrap_err().failure();
    assert_eq!(failure, StoreFailure::Corrupt);
    let Err(BackupError::Data(error)) = block_on(backup::write(&store, &mut Vec::new())) else { panic!("it ended") };
    assert!(matches!(error, Error::Store(error) if error.failure() == StoreFailure::Corrupt));
}
