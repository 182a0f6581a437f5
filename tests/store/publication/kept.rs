//! A consent before the newest that the store could not be made to hold is not lost.

use super::BadPlace;
use crate::support::hospital::{Corrupt, Hospital, Interrupted, When, put, remove};
use crate::support::store::hands_on;
use crate::support::stored::contents;
use crate::support::waiting::{block_on, calls};
use crate::support::world::NOW;
use chartseal::Error;
use chartseal::repository::Put;
use chartseal::rotation::Retirement;
use chartseal::store::{BoxFuture, Entry, Fault, FaultyStore, Op, Store, StoreError, StoreFailure};

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

#[test]
fn who_dies_between_keeping_a_consent_and_publishing_the_next_is_gone_on_from() {
    for (in_ledger, fault) in [false, true].into_iter().flat_map(|at| [(at, Fault::Crash), (at, Fault::AnswerLost)]) {
        for again in [1, 2] {
            for call in calls() {
                let hospital = Hospital::new();
                let (owner, section) = hospital.place();
                let key = hospital.lies_at(0);
                let bad = Corrupt { inner: &hospital.store, key: &key };
                let repository = hospital.over(&bad);
                (if in_ledger { &hospital.ledger } else { &hospital.store }).fail_at(call, fault);
                let died = hospital.published(&repository, 1).is_err();
                [&hospital.ledger, &hospital.store].into_iter().for_each(FaultyStore::heal);
                let what = format!("{fault:?} at call {call}, in the ledger: {in_ledger}; then {again}");
                assert_eq!(hospital.published(&repository, again), Ok(Put::Done), "{what}");
                assert_eq!(hospital.newest(), hospital.chain[again].0, "{what}");
                assert_eq!(block_on(repository.behind()).unwrap(), [hospital.place()], "{what}");
                remove(&hospital.store, &key);
                assert!(block_on(hospital.repository().catch_up(&owner, &section)).unwrap().is_some());
                let held = hospital.held();
                assert_eq!((held.first(), held.last()), (Some(&hospital.chain[0].0), Some(&hospital.chain[again].0)));
                assert_eq!(block_on(hospital.repository().behind()).unwrap(), [], "{what}");
                if !died {
                    break;
                }
            }
        }
    }
}

/// Whoever catches up is slow, with what the ledger keeps in his hand; in its place lies nothing, or garbage.
fn while_it_is_given_back(act: impl Fn(&Hospital) + Sync, then: impl Fn(&Hospital)) {
    for garbage in [false, true] {
        let hospital = Hospital::new();
        let (owner, section) = hospital.place();
        let key = hospital.lies_at(0);
        let bad = Corrupt { inner: &hospital.store, key: &key };
        assert_eq!(hospital.published(&hospital.over(&bad), 1), Ok(Put::Done));
        remove(&hospital.store, &key);
        if garbage {
            put(&hospital.store, &key, b"garbage");
        }
        let act = || act(&hospital);
        let when = |op: &Op| op.key() == key && (matches!(op, Op::Swap { .. }) || !garbage);
        let slow = Interrupted::new(&hospital.store, When::Writing(&when), &act);
        assert!(block_on(hospital.over(&slow).catch_up(&owner, &section)).unwrap().is_some());
        assert!(slow.happened());
        then(&hospital);
    }
}

#[test]
fn what_is_destroyed_is_given_back_by_no_ledger() {
    let retire = |hospital: &Hospital| assert!(matches!(hospital.rotate(0, 1, "job"), Retirement::Done { .. }));
    while_it_is_given_back(retire, |hospital| {
        assert_eq!(hospital.held(), [hospital.chain[1].0.clone()]);
        assert_eq!(block_on(hospital.repository().behind()).unwrap(), []);
    });
}

#[test]
fn nothing_of_an_erased_owner_is_given_back() {
    let erase = |hospital: &Hospital| {
        assert!(block_on(hospital.repository().erase(&hospital.world.erasure())).is_ok());
    };
    while_it_is_given_back(erase, |hospital| {
        assert!(contents(&hospital.store).is_empty());
        assert!(contents(&hospital.ledger).keys().all(|key| key.starts_with("erased/")));
    });
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
