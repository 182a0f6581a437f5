//! A store and its ledger know each other, and neither goes with another one.

use crate::support::guard;
use crate::support::hospital::{self, Hospital, Interrupted, When, put};
use crate::support::stored::{self, contents, now, sealed};
use crate::support::waiting::{block_on, calls};
use crate::support::world::NOW;
use chartseal::Error;
use chartseal::ledger::{KeyState, Ledger, LedgerError};
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Retirement, Rotation};
use chartseal::store::{Entry, Fault, FaultyStore, MemoryStore, Op, Store};

type Bind = for<'a> fn(&'a dyn Store, Ledger<'a>) -> Result<(), Error>;

fn guarded(store: &dyn Store, ledger: Ledger<'_>) -> Result<(), Error> {
    block_on(Repository::guarded(store, ledger)).map(drop)
}

fn bind(store: &dyn Store, ledger: Ledger<'_>) -> Result<(), Error> {
    block_on(Repository::bind(store, ledger)).map(drop)
}

fn replace_store(store: &dyn Store, ledger: Ledger<'_>) -> Result<(), Error> {
    block_on(Repository::replace_store(store, ledger)).map(drop)
}

fn replace_ledger(store: &dyn Store, ledger: Ledger<'_>) -> Result<(), Error> {
    block_on(Repository::replace_ledger(store, ledger)).map(drop)
}

fn create(store: &dyn Store) -> Ledger<'_> {
    block_on(Ledger::create(store)).unwrap()
}

/// Everything, by the engine's own means: what the store says of its ledger, too.
fn snapshot(store: &dyn Store) -> MemoryStore {
    let copy = MemoryStore::new();
    for key in block_on(store.keys("", "", usize::MAX)).unwrap() {
        let held = block_on(store.get(std::slice::from_ref(&key))).unwrap().remove(0).unwrap();
        put(&copy, &key, &held.value);
    }
    copy
}

fn restored(store: &dyn Store) -> MemoryStore {
    stored::restored(&stored::backed_up(store))
}

fn is_bound(store: &dyn Store) -> bool {
    block_on(store.get(&["bound".to_owned()])).unwrap()[0].is_some()
}

#[test]
fn a_ledger_that_is_not_there_is_an_error_and_no_blank_one() {
    let empty = MemoryStore::new();
    assert_eq!(block_on(Ledger::open(&empty)).err(), Some(LedgerError::Missing.into()));
    assert!(contents(&empty).is_empty(), "to look for it creates none");
    // Nor where everything else of it is left.
    let hospital = Hospital::new();
    hospital::remove(&hospital.ledger, "identity");
    assert_eq!(block_on(Ledger::open(&hospital.ledger)).err(), Some(LedgerError::Missing.into()));
    let blank = create(&empty);
    assert!(block_on(blank.compartments(None)).unwrap().is_empty());
    assert!(block_on(Ledger::open(&empty)).is_ok());
}

#[test]
fn no_ledger_is_created_where_anything_lies() {
    let hospital = Hospital::new();
    let occupied = Some(Error::from(LedgerError::Occupied));
    assert_eq!(block_on(Ledger::create(&hospital.ledger)).err(), occupied);
    assert_eq!(block_on(Ledger::create(&hospital.store)).err(), occupied);
    let store = MemoryStore::new();
    put(&store, "restoring", b"");
    assert_eq!(block_on(Ledger::create(&store)).err(), occupied);
}

#[test]
fn of_two_who_create_a_ledger_at_once_one_does() {
    let store = MemoryStore::new();
    let act = || assert!(block_on(Ledger::create(&store)).is_ok());
    let slow = Interrupted::new(&store, When::Writing(&|_| true), &act);
    assert_eq!(block_on(Ledger::create(&slow)).err(), Some(LedgerError::Occupied.into()));
    assert!(slow.happened() && block_on(Ledger::open(&store)).is_ok());
}

#[test]
fn a_store_and_a_ledger_that_are_not_bound_to_each_other_are_refused() {
    let [store, another, noted, new] = [(); 4].map(|()| MemoryStore::new());
    let (ledger, other) = (create(&noted), create(&new));
    assert_eq!(guarded(&store, ledger), Err(LedgerError::Unbound.into()));
    assert_eq!(bind(&store, ledger), Ok(()));
    assert_eq!(bind(&store, ledger), Ok(()), "again does no harm");
    assert_eq!(guarded(&store, ledger), Ok(()));
    for refused in [guarded as Bind, bind as Bind] {
        assert_eq!(refused(&store, other), Err(LedgerError::OtherLedger.into()));
        assert_eq!(refused(&another, ledger), Err(LedgerError::OtherStore.into()));
    }
    assert_eq!(bind(&another, other), Ok(()));
    for refused in [guarded as Bind, bind as Bind] {
        assert_eq!(refused(&store, other), Err(LedgerError::OtherLedger.into()));
        assert_eq!(refused(&another, ledger), Err(LedgerError::OtherLedger.into()));
    }
    // Nor by the calls that put one in the place of another that is lost.
    assert_eq!(replace_store(&another, ledger), Err(LedgerError::OtherLedger.into()));
    assert_eq!(replace_ledger(&another, ledger), Err(LedgerError::OtherStore.into()));
    assert_eq!((guarded(&store, ledger), guarded(&another, other)), (Ok(()), Ok(())));
}

#[test]
fn a_ledger_guards_no_store_that_it_lies_in() {
    let store = MemoryStore::new();
    let ledger = create(&store);
    for refused in [guarded as Bind, bind as Bind, replace_ledger as Bind] {
        assert_eq!(refused(&store, ledger), Err(LedgerError::SameStore.into()));
    }
    let (data, noted) = (MemoryStore::new(), MemoryStore::new());
    let bound = create(&noted);
    assert_eq!(bind(&data, bound), Ok(()));
    for refused in [guarded as Bind, replace_store as Bind] {
        assert_eq!(refused(&noted, bound), Err(LedgerError::SameStore.into()));
    }
}

#[test]
fn only_an_empty_store_and_a_new_ledger_are_bound_for_the_first_time() {
    let hospital = Hospital::new();
    let noted = MemoryStore::new();
    let full = restored(&hospital.store);
    assert_eq!(bind(&full, create(&noted)), Err(LedgerError::NotEmpty.into()));
    let known = MemoryStore::new();
    let ledger = create(&known);
    let stored = &hospital.chain[0].0;
    block_on(ledger.advance(&hospital.world.live(stored), stored)).unwrap();
    assert_eq!(bind(&MemoryStore::new(), ledger), Err(LedgerError::NothingRestored.into()));
}

#[test]
fn who_dies_while_he_binds_leaves_what_the_next_one_ends() {
    let hospital = Hospital::new();
    let ways: [(Bind, bool, bool); 3] =
        [(bind, false, false), (replace_store, true, true), (replace_ledger, true, false)];
    for (way, filled, place) in ways {
        for in_ledger in [false, true] {
            for fault in [Fault::Crash, Fault::AnswerLost] {
                let mut deaths = 0;
                for call in calls() {
                    let data = if filled { restored(&hospital.store) } else { MemoryStore::new() };
                    let (data, noted) = (FaultyStore::new(data), FaultyStore::new(MemoryStore::new()));
                    let before = MemoryStore::new();
                    let ledger = create(&noted);
                    if place {
                        assert_eq!(bind(&before, ledger), Ok(()));
                    }
                    (if in_ledger { &noted } else { &data }).fail_at(call, fault);
                    let died = way(&data, ledger).is_err();
                    [&data, &noted].into_iter().for_each(FaultyStore::heal);
                    if died {
                        deaths += 1;
                        // In the middle, the two do not go with each other, unless all was done.
                        let half = guarded(&data, ledger);
                        assert!(half.is_ok() || matches!(half, Err(Error::Ledger(_))), "{half:?}");
                        assert_eq!(way(&data, ledger), Ok(()), "{call} {fault:?}");
                    }
                    assert_eq!(guarded(&data, ledger), Ok(()));
                    if !died {
                        break;
                    }
                }
                assert!(deaths > 0);
            }
        }
    }
}

#[test]
fn two_who_bind_one_pair_at_once_both_do() {
    let writes = |_: &Op| true;
    for slow_ledger in [false, true] {
        let (store, noted) = (MemoryStore::new(), MemoryStore::new());
        create(&noted);
        let act = || assert_eq!(bind(&store, block_on(Ledger::open(&noted)).unwrap()), Ok(()));
        let slow = Interrupted::new(if slow_ledger { &noted } else { &store }, When::Writing(&writes), &act);
        let (mine, its): (&dyn Store, &dyn Store) = if slow_ledger { (&store, &slow) } else { (&slow, &noted) };
        assert_eq!(bind(mine, block_on(Ledger::open(its)).unwrap()), Ok(()));
        assert!(slow.happened());
        assert_eq!(guarded(&store, block_on(Ledger::open(&noted)).unwrap()), Ok(()));
    }
}

#[test]
fn of_two_stores_or_two_ledgers_that_are_bound_at_once_one_is_and_the_other_stays_free() {
    let writes = |_: &Op| true;
    // Two stores, one ledger.
    let [first, second, noted] = [(); 3].map(|()| MemoryStore::new());
    create(&noted);
    let act = || assert_eq!(bind(&first, block_on(Ledger::open(&noted)).unwrap()), Ok(()));
    let slow = Interrupted::new(&noted, When::Writing(&writes), &act);
    let told = bind(&second, block_on(Ledger::open(&slow)).unwrap());
    assert_eq!(told, Err(LedgerError::OtherStore.into()));
    assert!(slow.happened() && is_bound(&first) && !is_bound(&second));
    // Two ledgers, one store.
    let [store, first, second] = [(); 3].map(|()| MemoryStore::new());
    let (first, second) = (create(&first), create(&second));
    let act = || assert_eq!(bind(&store, first), Ok(()));
    let slow = Interrupted::new(&store, When::Writing(&writes), &act);
    assert_eq!(bind(&slow, second), Err(LedgerError::OtherLedger.into()));
    assert_eq!(bind(&MemoryStore::new(), second), Ok(()));
}

/// The old disk died, with everything under the first key; the backup is from before the second one.
#[test]
fn a_restored_store_is_closed_wherever_it_is_behind_when_it_takes_the_place_of_the_lost_one() {
    let hospital = Hospital::new();
    let store = restored(&hospital.store);
    let (owner, section) = hospital.place();
    let (noted, id) = (hospital.noted(), "r00000".parse().unwrap());
    hospital.publish(1);
    assert_eq!(guarded(&store, noted), Err(LedgerError::OtherStore.into()));
    let repository = block_on(Repository::replace_store(&store, noted)).unwrap();
    assert_eq!(guarded(&hospital.store, noted), Err(LedgerError::OtherStore.into()), "the old one is refused");
    let closed = || {
        assert_eq!(block_on(repository.behind()).unwrap(), [hospital.place()]);
        assert_eq!(block_on(repository.get(&owner, &id)).err(), Some(Error::Rollback("record")));
    };
    closed();
    assert!(block_on(repository.catch_up(&owner, &section)).unwrap().is_some());
    closed();
    let old = [hospital.access(0)];
    let rotation = Rotation::new(&store, &old, hospital.access(1), &now).unwrap();
    assert!(block_on(rotation.run("restore", |_| ())).unwrap().finished);
    assert!(matches!(block_on(rotation.retire(&noted)).unwrap(), Retirement::Done { .. }));
    assert!(block_on(repository.behind()).unwrap().is_empty());
    assert!(block_on(repository.get(&owner, &id)).unwrap().is_some());
}

/// The copy was made by the engine in the middle of a rotation, so nothing marked it; the records were moved since.
#[test]
fn a_copy_from_the_middle_of_a_rotation_is_closed_when_it_takes_the_place_of_the_lost_one() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let copy = snapshot(&hospital.store);
    hospital::remove(&copy, "bound");
    let repository = block_on(Repository::replace_store(&copy, hospital.noted())).unwrap();
    assert_eq!(block_on(repository.behind()).unwrap(), [hospital.place()]);
    let got = block_on(repository.get(&hospital.place().0, &"r00000".parse().unwrap()));
    assert_eq!(got.err(), Some(Error::Rollback("record")));
}

/// It carries what the store said of its ledger.
#[test]
fn a_copy_by_the_engine_that_is_put_back_is_closed_where_it_is_behind() {
    let hospital = Hospital::new();
    let copy = snapshot(&hospital.store);
    hospital.publish(1);
    assert!(matches!(hospital.rotate(0, 1, "job"), Retirement::Done { .. }));
    let repository = block_on(Repository::guarded(&copy, hospital.noted())).unwrap();
    assert_eq!(block_on(repository.behind()).unwrap(), [hospital.place()]);
    let got = block_on(repository.get(&hospital.place().0, &"r00000".parse().unwrap()));
    assert_eq!(got.err(), Some(Error::Rollback("record")));
    let late = sealed(&hospital.world, hospital.access(0), "late");
    assert_eq!(block_on(repository.put(&late)), Ok(Put::Outdated));
}

#[test]
fn an_empty_database_takes_no_place() {
    let hospital = Hospital::new();
    let empty = MemoryStore::new();
    assert_eq!(replace_store(&empty, hospital.noted()), Err(LedgerError::NothingRestored.into()));
    assert!(contents(&empty).is_empty() && !is_bound(&empty));
    // Nor half a backup.
    let half = restored(&hospital.store);
    put(&half, "restoring", b"");
    assert!(matches!(replace_store(&half, hospital.noted()), Err(Error::ApiMisuse(_))));
    assert_eq!(guarded(&hospital.store, hospital.noted()), Ok(()));
}

/// The lost disk is found again, and everything that only it had.
#[test]
fn a_store_that_is_found_again_takes_its_place_back_and_loses_nothing() {
    let hospital = Hospital::new();
    let store = restored(&hospital.store);
    let late = sealed(&hospital.world, hospital.access(0), "late");
    assert_eq!(block_on(hospital.repository().put(&late)), Ok(Put::Done));
    let old = [hospital.access(0)];
    let moved = |store: &dyn Store, job: &str| {
        let rotation = Rotation::new(store, &old, hospital.access(1), &now).unwrap();
        assert!(block_on(rotation.run(job, |_| ())).unwrap().finished);
        assert!(matches!(block_on(rotation.retire(&hospital.noted())).unwrap(), Retirement::Done { .. }));
    };
    let repository = block_on(Repository::replace_store(&store, hospital.noted())).unwrap();
    let (second, _) = &hospital.chain[1];
    assert_eq!(block_on(repository.publish(&hospital.world.live(second), second)), Ok(Put::Done));
    moved(&store, "job");

    let found = block_on(Repository::replace_store(&hospital.store, hospital.noted())).unwrap();
    let (owner, section) = hospital.place();
    assert_eq!(block_on(found.get(&owner, late.record())).err(), Some(Error::Rollback("record")));
    assert!(block_on(found.catch_up(&owner, &section)).unwrap().is_some());
    moved(&hospital.store, "found");
    let held = block_on(found.get(&owner, late.record())).unwrap().unwrap();
    assert!(hospital.world.reader().open(&held, &[hospital.access(1)]).is_ok());
}

#[test]
fn an_erased_owner_comes_back_with_no_restored_store() {
    let hospital = Hospital::new();
    let store = restored(&hospital.store);
    let erasure = hospital.world.alice.erase(NOW, NOW).unwrap();
    let erasure = erasure.accept(hospital.world.devices(), NOW).unwrap();
    assert!(block_on(hospital.repository().erase(&erasure)).is_ok());
    let repository = block_on(Repository::replace_store(&store, hospital.noted())).unwrap();
    let (owner, _) = hospital.place();
    let got = block_on(repository.get(&owner, &"r00000".parse().unwrap()));
    assert_eq!(got.err(), Some(Error::Rollback("record")));
    assert_eq!(block_on(repository.erase_restored(&owner)).unwrap().records, 3);
    assert!(contents(&store).is_empty());
}

/// By the runbook: the new ledger is told what the store knows.
#[test]
fn a_new_ledger_takes_the_place_of_a_lost_one_and_a_copy_from_before_that_is_closed() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let copy = snapshot(&hospital.store);
    let noted = MemoryStore::new();
    let ledger = create(&noted);
    assert_eq!(guarded(&hospital.store, ledger), Err(LedgerError::OtherLedger.into()));
    let repository = block_on(Repository::replace_ledger(&hospital.store, ledger)).unwrap();
    assert_eq!(
        guarded(&hospital.store, hospital.noted()),
        Err(LedgerError::OtherLedger.into()),
        "if it is found again"
    );
    let (owner, section) = hospital.place();
    let newest = block_on(repository.stored_consents(&owner, &section, None)).unwrap().pop().unwrap();
    block_on(ledger.advance(&hospital.world.live(&newest), &newest)).unwrap();
    let state = block_on(ledger.state(&owner, &section, hospital.access(0).key_id()));
    assert_eq!(state, Ok(KeyState::DecryptOnly));
    // The copy names the ledger that was lost.
    assert_eq!(guarded(&copy, ledger), Err(LedgerError::OtherLedger.into()));
    let repository = block_on(Repository::replace_store(&copy, ledger)).unwrap();
    assert_eq!(block_on(repository.behind()).unwrap(), [hospital.place()]);
}

/// Both have the id by which the new ledger knows its store.
#[test]
fn of_a_store_and_its_copy_from_before_the_ledger_was_replaced_one_alone_is_served() {
    let hospital = Hospital::new();
    let copy = snapshot(&hospital.store);
    let noted = MemoryStore::new();
    let ledger = create(&noted);
    assert_eq!(replace_ledger(&hospital.store, ledger), Ok(()));
    let both: [&dyn Store; 2] = [&copy, &hospital.store];
    for [served, refused] in [both, [both[1], both[0]]] {
        assert_eq!(replace_store(served, ledger), Ok(()));
        assert_eq!(guarded(served, ledger), Ok(()));
        assert_eq!(guarded(refused, ledger), Err(LedgerError::OtherStore.into()));
    }
}

/// Each copy was made by the engine, from before the ledger was lost for the first time.
#[test]
fn a_copy_from_before_takes_the_place_whatever_was_lost_since_and_one_alone_is_served() {
    for (ledgers, another_store) in [(1, false), (1, true), (2, false), (2, true)] {
        let hospital = Hospital::new();
        let (copy, backup) = (snapshot(&hospital.store), restored(&hospital.store));
        let noted: Vec<MemoryStore> = (0..ledgers).map(|_| MemoryStore::new()).collect();
        for noted in &noted {
            assert_eq!(replace_ledger(&hospital.store, create(noted)), Ok(()));
        }
        let ledger = block_on(Ledger::open(noted.last().unwrap())).unwrap();
        let mut all: Vec<&dyn Store> = vec![&copy, &hospital.store];
        if another_store {
            assert_eq!(replace_store(&backup, ledger), Ok(()));
            all.push(&backup);
        }
        for served in all.iter().chain(all.iter().rev()) {
            assert_eq!(replace_store(*served, ledger), Ok(()), "{ledgers} {another_store}");
            assert_eq!(all.iter().filter(|store| guarded(**store, ledger).is_ok()).count(), 1);
            assert_eq!(guarded(*served, ledger), Ok(()));
        }
    }
}

#[test]
fn who_dies_while_he_replaces_a_ledger_leaves_copies_from_before_that_can_come_back() {
    for fault in [Fault::Crash, Fault::AnswerLost] {
        for call in calls() {
            let hospital = Hospital::new();
            let (copy, noted) = (snapshot(&hospital.store), FaultyStore::new(MemoryStore::new()));
            let ledger = create(&noted);
            noted.fail_at(call, fault);
            let died = replace_ledger(&hospital.store, ledger).is_err();
            noted.heal();
            assert_eq!(replace_ledger(&hospital.store, ledger), Ok(()));
            assert_eq!(replace_store(&copy, ledger), Ok(()), "{fault:?} {call}");
            if !died {
                break;
            }
        }
    }
}

/// The ledger is bound to a new store while somebody else takes it for one that is to replace another one.
#[test]
fn a_store_whose_ledger_is_not_replaced_after_all_stays_its_own() {
    let hospital = Hospital::new();
    let (noted, fresh) = (MemoryStore::new(), MemoryStore::new());
    create(&noted);
    let act = || assert_eq!(bind(&fresh, block_on(Ledger::open(&noted)).unwrap()), Ok(()));
    let writes = |_: &Op| true;
    let slow = Interrupted::new(&noted, When::Writing(&writes), &act);
    let told = replace_ledger(&hospital.store, block_on(Ledger::open(&slow)).unwrap());
    assert_eq!(told, Err(LedgerError::OtherStore.into()));
    assert!(slow.happened());
    assert_eq!(guarded(&hospital.store, block_on(Ledger::open(&hospital.ledger)).unwrap()), Ok(()));
}

/// A copy by the engine was given a ledger of its own, and both were lost in turn. Neither is an earlier state of the other.
#[test]
fn of_a_store_and_its_copy_neither_comes_into_the_place_of_the_other_when_both_had_another_ledger() {
    let hospital = Hospital::new();
    let (copy, before) = (snapshot(&hospital.store), snapshot(&hospital.store));
    let noted = [(); 4].map(|()| MemoryStore::new());
    let [one, other, next, fresh] = noted.each_ref().map(|noted| create(noted));
    assert_eq!(replace_ledger(&hospital.store, one), Ok(()));
    assert_eq!(replace_ledger(&copy, other), Ok(()));
    let is_anothers = |store: &dyn Store, ledger| {
        assert_eq!(guarded(store, ledger), Err(LedgerError::OtherLedger.into()));
        assert_eq!(replace_store(store, ledger), Err(LedgerError::OtherLedger.into()));
        assert_eq!(replace_ledger(store, ledger), Err(LedgerError::OtherStore.into()));
    };
    is_anothers(&hospital.store, other);
    is_anothers(&copy, one);
    assert_eq!(replace_ledger(&copy, next), Ok(()));
    is_anothers(&hospital.store, next);
    // Nor does a ledger of before take the store of a later one.
    is_anothers(&copy, other);
    assert_eq!(guarded(&hospital.store, one), Ok(()));
    // What was before both is before each; and a new ledger can always be put into the place of another.
    assert_eq!(replace_store(&before, next), Ok(()));
    assert_eq!(guarded(&before, next), Ok(()));
    assert_eq!(replace_ledger(&copy, fresh), Ok(()));
    assert_eq!(guarded(&copy, fresh), Ok(()));
}

#[test]
fn of_very_many_ledgers_that_were_lost_the_last_are_remembered() {
    let hospital = Hospital::new();
    let noted: Vec<MemoryStore> = (0..300).map(|_| MemoryStore::new()).collect();
    let copies: Vec<MemoryStore> = noted
        .iter()
        .map(|noted| {
            let copy = snapshot(&hospital.store);
            assert_eq!(replace_ledger(&hospital.store, create(noted)), Ok(()));
            copy
        })
        .collect();
    let ledger = block_on(Ledger::open(noted.last().unwrap())).unwrap();
    assert_eq!(guarded(&hospital.store, ledger), Ok(()));
    let told = |at: usize| replace_store(&copies[300 - at], ledger);
    assert_eq!(told(256), Err(LedgerError::OtherLedger.into()));
    assert_eq!((told(255), told(1)), (Ok(()), Ok(())));
}

/// It knows nothing of what was published since, nor of which keys are destroyed.
#[test]
fn a_ledger_that_was_replaced_and_is_found_again_takes_no_place_back() {
    let hospital = Hospital::new();
    let noted = MemoryStore::new();
    let ledger = create(&noted);
    assert_eq!(replace_ledger(&hospital.store, ledger), Ok(()));
    let old = block_on(Ledger::open(&hospital.ledger)).unwrap();
    for refused in [guarded as Bind, bind as Bind, replace_store as Bind] {
        assert_eq!(refused(&hospital.store, old), Err(LedgerError::OtherLedger.into()));
    }
    assert_eq!(replace_ledger(&hospital.store, old), Err(LedgerError::OtherStore.into()));
    assert_eq!(guarded(&hospital.store, ledger), Ok(()));
}

/// It says that it is the ledger's, as the store does, and another retirement is done in it.
#[test]
fn a_retirement_in_a_forgotten_copy_closes_the_store_and_loses_nothing_of_it() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let copy = snapshot(&hospital.store);
    let old = [hospital.access(0)];
    let rotation = Rotation::new(&copy, &old, hospital.access(1), &now).unwrap();
    assert!(block_on(rotation.run("copy", |_| ())).unwrap().finished);
    assert!(matches!(block_on(rotation.retire(&hospital.noted())).unwrap(), Retirement::Done { .. }));
    let ((owner, _), id) = (hospital.place(), "r00000".parse().unwrap());
    let repository = hospital.repository();
    assert_eq!(block_on(repository.get(&owner, &id)).err(), Some(Error::Rollback("record")));
    assert_eq!(block_on(repository.behind()).unwrap(), [hospital.place()]);
    assert!(matches!(hospital.rotate(0, 1, "job"), Retirement::Done { .. }));
    let held = block_on(repository.get(&owner, &id)).unwrap().unwrap();
    assert!(hospital.world.reader().open(&held, &[hospital.access(1)]).is_ok());
}

#[test]
fn what_is_damaged_of_a_binding_is_refused() {
    let hospital = Hospital::new();
    for (store, key) in [(&hospital.store as &dyn Store, "bound"), (&hospital.ledger, "identity")] {
        let Entry { value, .. } = block_on(store.get(&[key.to_owned()])).unwrap().remove(0).unwrap();
        for at in 0..value.len() {
            let mut damaged = value.clone();
            damaged[at] ^= 0x10;
            hospital::remove(store, key);
            put(store, key, &damaged);
            let opened = block_on(async {
                let ledger = Ledger::open(&hospital.ledger).await?;
                Repository::guarded(&hospital.store, ledger).await.map(drop)
            });
            assert!(matches!(opened, Err(Error::Malformed("ledger") | Error::UnknownVersion("ledger"))), "{key} {at}");
        }
        hospital::remove(store, key);
        put(store, key, &value);
    }
    assert_eq!(guarded(&hospital.store, guard::ledger(&hospital.ledger)), Ok(()));
}
