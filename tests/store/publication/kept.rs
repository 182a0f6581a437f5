//! A consent before the newest that the store could not be made to hold is not lost.

use super::BadPlace;
use crate::support::hospital::{Corrupt, Hospital, remove};
use crate::support::store::hands_on;
use crate::support::stored::contents;
use crate::support::waiting::block_on;
use crate::support::world::NOW;
use chartseal::Error;
use chartseal::repository::Put;
use chartseal::rotation::Retirement;
use chartseal::store::{BoxFuture, Entry, Store, StoreError, StoreFailure};

/// The engine cannot read the place of the newest consent. The next one is published all the same, or nobody could be shut
/// out any more; and the one before comes back when the file was salvaged.
#[test]
fn what_a_store_cannot_read_is_kept_by_the_ledger_until_it_is_in_the_store_again() {
    let hospital = Hospital::new();
    let (owner, section) = hospital.place();
    let key = hospital.lies_at(0);
    let bad = Corrupt { inner: &hospital.store, key: &key };
    assert_eq!(hospital.published(&hospital.over(&bad), 1), Ok(Put::Done));
    assert_eq!(hospital.published(&hospital.over(&bad), 2), Ok(Put::Done));
    assert_eq!(block_on(hospital.over(&bad).behind()).unwrap(), [hospital.place()]);
    assert!(block_on(hospital.over(&bad).catch_up(&owner, &section)).unwrap().is_some());
    assert_eq!(block_on(hospital.over(&bad).behind()).unwrap(), [hospital.place()]);

    remove(&hospital.store, &key);
    assert_eq!(hospital.held().len(), 2);
    assert!(block_on(hospital.repository().catch_up(&owner, &section)).unwrap().is_some());
    let all: Vec<_> = hospital.chain[..3].iter().map(|(stored, _)| stored.clone()).collect();
    assert_eq!(hospital.held(), all);
    assert_eq!(block_on(hospital.repository().behind()).unwrap(), []);
    // It was given back, and is not written again.
    remove(&hospital.store, &key);
    assert!(block_on(hospital.repository().catch_up(&owner, &section)).unwrap().is_some());
    assert_eq!(hospital.held(), all[1..]);
}

/// As before, where the engine reads that nothing is there, and then cannot write it.
#[test]
fn what_a_store_cannot_write_is_kept_by_the_ledger_until_it_is_in_the_store_again() {
    let hospital = Hospital::new();
    let (owner, section) = hospital.place();
    let key = hospital.lies_at(0);
    remove(&hospital.store, &key);
    let bad = BadPlace(&hospital.store, key);
    for at in [1, 2] {
        assert_eq!(hospital.published(&hospital.over(&bad), at), Ok(Put::Done));
    }
    assert_eq!(block_on(hospital.over(&bad).behind()).unwrap(), [hospital.place()]);
    assert!(block_on(hospital.repository().catch_up(&owner, &section)).unwrap().is_some());
    let all: Vec<_> = hospital.chain[..3].iter().map(|(stored, _)| stored.clone()).collect();
    assert_eq!(hospital.held(), all);
    assert_eq!(block_on(hospital.repository().behind()).unwrap(), []);
}

/// A ledger keeps a few, and then the owner's next word has to wait for the operator rather than cost what lies under the last.
#[test]
fn a_ledger_that_has_no_room_for_another_unreadable_consent_takes_no_later_one() {
    let mut hospital = Hospital::new();
    while hospital.chain.len() < 8 {
        let (world, last) = (&hospital.world, &hospital.chain.last().unwrap().1);
        let next = world.phone.consent(world.devices(), "a".parse().unwrap()).after(last).unwrap();
        let next = next.seal(NOW).unwrap();
        hospital.chain.push(next);
    }
    let bad = Unreadable(&hospital.store);
    let told: Vec<_> = (1..8).map(|at| hospital.published(&hospital.over(&bad), at)).collect();
    let taken = told.iter().take_while(|told| **told == Ok(Put::Done)).count();
    assert_eq!(taken, 4);
    assert!(told[taken..].iter().all(|told| matches!(told, Err(Error::Store(_)))), "{told:?}");
    assert_eq!(hospital.newest(), hospital.chain[4].0);
    // All that nobody could read is there when it can be read and written again.
    let (owner, section) = hospital.place();
    let keys: Vec<String> = contents(&hospital.store).into_keys().filter(|key| key.starts_with("consent/")).collect();
    keys.iter().for_each(|key| remove(&hospital.store, key));
    assert!(block_on(hospital.repository().catch_up(&owner, &section)).unwrap().is_some());
    // The last one is still announced, and is ended now.
    let all: Vec<_> = [0, 1, 2, 3, 4, 7].map(|at: usize| hospital.chain[at].0.clone()).into();
    assert_eq!(hospital.held(), all);
}

/// Of a consent whose key is gone, nothing has to be kept.
#[test]
fn what_is_destroyed_is_kept_by_no_ledger() {
    let hospital = Hospital::new();
    let key = hospital.lies_at(0);
    let bad = Corrupt { inner: &hospital.store, key: &key };
    assert_eq!(hospital.published(&hospital.over(&bad), 1), Ok(Put::Done));
    let kept = hospital.chain[0].0.to_cbor().unwrap();
    let keeps = || contents(&hospital.ledger).values().any(|value| value.windows(kept.len()).any(|at| at == kept));
    assert!(keeps());
    assert!(matches!(hospital.rotate(0, 1, "job"), Retirement::Done { .. }));
    assert!(!keeps());
    assert_eq!(block_on(hospital.repository().behind()).unwrap(), []);
}

/// A store that can read no consent.
struct Unreadable<'a>(&'a dyn Store);

impl Store for Unreadable<'_> {
    hands_on!(0: limits tags keys scan apply);

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        if keys.iter().any(|key| key.starts_with("consent/")) {
            return Box::pin(async { Err(StoreError::new(StoreFailure::Corrupt, "a bad page")) });
        }
        self.0.get(keys)
    }
}
