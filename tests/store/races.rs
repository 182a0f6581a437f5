//! Who is overtaken, dies or is revoked in the middle of something loses nothing, and leaves nothing behind.

use crate::support::guard;
use crate::support::store::hands_on;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::support::hospital::{self, Hospital, Interrupted, When, count, writes_wrap};
use crate::support::stored::{contents, fill, now, read, sealed};
use crate::support::waiting::{block_on, calls};
use crate::support::world::{self, NOW, World, after};
use chartseal::Error;
use chartseal::authority::Reason;
use chartseal::consent::Removal;
use chartseal::id::Time;
use chartseal::owner::Device;
use chartseal::record::Author;
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Retirement, Rotation};
use chartseal::store::{BoxFuture, Entry, Fault, MemoryStore, Op, Store, StoreError};

fn swaps_envelope(op: &Op) -> bool {
    matches!(op, Op::Swap { key, .. } if key.starts_with("envelope/"))
}

/// He read a record under the first key, to seal it under the second; meanwhile the compartment goes on to the third, and
/// the first two are destroyed.
#[test]
fn a_worker_who_was_overtaken_brings_nothing_back_under_a_destroyed_key() {
    for (when, notices) in [(writes_wrap as fn(&Op) -> bool, true), (swaps_envelope, false)] {
        let hospital = Hospital::new();
        hospital.publish(1);
        let act = || {
            hospital.publish(2);
            let old = [hospital.access(0), hospital.access(1)];
            let rotation = Rotation::new(&hospital.store, &old, hospital.access(2), &now).unwrap();
            assert!(block_on(rotation.run("third", |_| ())).unwrap().finished);
            assert!(matches!(block_on(rotation.retire(&hospital.noted())).unwrap(), Retirement::Done { .. }));
        };
        let store = Interrupted::new(&hospital.store, When::Writing(&when), &act);
        let author = Author::device(&hospital.world.phone, hospital.world.devices()).unwrap();
        let (old, trust) = ([hospital.access(0)], &hospital.world.trust);
        let rotation = Rotation::new(&store, &old, hospital.access(1), &now).unwrap();
        let rotation = rotation.reencrypt(hospital.noted(), trust, hospital.world.devices(), &author);
        // Where his part had its place by then, it was moved on; the others are closed to him.
        match block_on(rotation.run("second", |_| ())) {
            Err(error) => assert!(notices && error == Error::Rollback("compartment key")),
            Ok(_) => assert!(!notices && block_on(rotation.quarantined("second")).unwrap().len() >= 2),
        }
        assert!(store.happened());
        for i in 0..3 {
            let record = read(&hospital.store, hospital.access(2), &format!("r{i:05}"));
            assert!(hospital.world.reader().open(&record, &[hospital.access(2)]).is_ok(), "r{i:05}");
        }
        hospital.publish(3);
        assert!(matches!(hospital.rotate(2, 3, "fourth"), Retirement::Done { .. }));
    }
}

#[test]
fn a_write_that_came_too_late_is_unseen_and_blocks_no_retirement() {
    let hospital = Hospital::new();
    let act = || {
        hospital.publish(1);
        assert!(matches!(hospital.rotate(0, 1, "job"), Retirement::Done { .. }));
    };
    let store = Interrupted::new(&hospital.store, When::Writing(&writes_wrap), &act);
    let late = sealed(&hospital.world, hospital.access(0), "late");
    assert_eq!(block_on(hospital.over(&store).put(&late)).unwrap(), Put::Outdated);
    assert!(store.happened());
    assert_eq!(count(&contents(&hospital.store), "content"), 3);
    hospital.publish(2);
    // It opens under a destroyed key only, and keeps nobody from going on.
    assert_eq!(hospital.rotate(1, 2, "next"), Retirement::Done { consents: 1, lost: 1 });
}

/// The first try of a client hung, the second was done; then the first goes on and is turned away.
#[test]
fn a_try_that_is_turned_away_takes_nothing_from_the_one_that_was_not() {
    let hospital = Hospital::new();
    let late = sealed(&hospital.world, hospital.access(0), "late");
    let before = read(&hospital.store, hospital.access(0), "r00000");
    let reader = hospital.world.reader();
    let amended = |value: &str| {
        let amendment = reader.amend(&before, &[hospital.access(0)]).unwrap().field("/diagnosis", value).unwrap();
        amendment.seal(&hospital.world.ada.author(), NOW).unwrap()
    };
    let (one, two) = (amended("one"), amended("two"));
    let phone = Author::device(&hospital.world.phone, hospital.world.devices()).unwrap();
    let old = read(&hospital.store, hospital.access(0), "r00001");
    let again = reader.reseal(&old, (hospital.access(0), hospital.access(0)), &phone, NOW).unwrap();
    let repository = hospital.repository();
    let then = |act: &(dyn Fn() + Sync), call: &dyn Fn(&Repository<'_>) -> Put| {
        let ledger = AfterPieces { store: &hospital.ledger, act, calls: AtomicU64::new(0) };
        let put = call(&guard::guarded(&hospital.store, guard::ledger(&ledger)));
        assert!(ledger.calls.load(Ordering::SeqCst) > 3);
        put
    };
    let publish = || hospital.publish(1);
    let put = || assert_eq!(block_on(repository.put(&late)).unwrap(), Put::Done);
    assert_eq!(then(&put, &|first| block_on(first.put(&late)).unwrap()), Put::Done);
    let amend = || {
        assert_eq!(block_on(repository.amend(&before, &two)).unwrap(), Put::Done);
        assert_eq!(block_on(repository.reseal(&old, &again)).unwrap(), Put::Done);
        publish();
    };
    assert_eq!(then(&amend, &|first| block_on(first.amend(&before, &one)).unwrap()), Put::Outdated);
    let id = late.record().clone();
    for (id, revision) in [(id, 0), (before.record().clone(), 1), (old.record().clone(), 0)] {
        let held = block_on(repository.get(late.owner(), &id)).unwrap().unwrap();
        assert_eq!(held.revision().0, revision);
        assert!(reader.open(&held, &[hospital.access(0)]).is_ok());
    }
    let first = block_on(repository.revision(late.owner(), before.record(), before.revision())).unwrap().unwrap();
    assert!(reader.open(&first, &[hospital.access(0)]).is_ok());
}

/// A ledger at whose fourth question something happens first: it is opened, held against its store, and asked before and
/// after the pieces are written.
struct AfterPieces<'a> {
    store: &'a dyn Store,
    act: &'a (dyn Fn() + Sync),
    calls: AtomicU64,
}

impl Store for AfterPieces<'_> {
    hands_on!(store: limits tags keys scan apply);

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        if self.calls.fetch_add(1, Ordering::SeqCst) == 3 {
            (self.act)();
        }
        self.store.get(keys)
    }
}

#[test]
fn of_an_erased_patient_no_writer_brings_anything_back() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let erasure = hospital.world.erasure();
    let act = || assert!(block_on(hospital.repository().erase(&erasure)).is_ok());
    let late = sealed(&hospital.world, hospital.access(1), "late");
    let author = Author::device(&hospital.world.phone, hospital.world.devices()).unwrap();
    let (old, trust) = ([hospital.access(0)], &hospital.world.trust);

    let store = Interrupted::new(&hospital.store, When::Writing(&writes_wrap), &act);
    let rotation = Rotation::new(&store, &old, hospital.access(1), &now).unwrap();
    let rotation = rotation.reencrypt(hospital.noted(), trust, hospital.world.devices(), &author);
    assert_eq!(block_on(rotation.run("job", |_| ())).err(), Some(Error::Rollback("compartment key")));
    assert!(store.happened());
    let store = Interrupted::new(&hospital.store, When::Writing(&writes_wrap), &act);
    assert_eq!(block_on(hospital.over(&store).put(&late)).unwrap(), Put::Outdated);
    for kind in ["body", "wrap", "envelope", "content", "consent"] {
        assert_eq!(count(&contents(&hospital.store), kind), 0, "{kind}");
    }

    // Nor into the ledger.
    let hospital = Hospital::new();
    let erasure = hospital.world.erasure();
    let act = || assert!(block_on(hospital.repository().erase(&erasure)).is_ok());
    let when = |op: &Op| op.key().starts_with("ledger/");
    let ledger = Interrupted::new(&hospital.ledger, When::Writing(&when), &act);
    let stored = &hospital.chain[1].0;
    let noted = block_on(guard::ledger(&ledger).advance(&hospital.world.live(stored), stored));
    assert_eq!(noted, Err(Error::Rollback("consent")));
    assert!(ledger.happened());
    assert_eq!(contents(&hospital.ledger).into_keys().collect::<Vec<_>>(), [format!("erased/{}", hospital.place().0)]);
    assert!(block_on(hospital.repository().behind()).unwrap().is_empty());
}

/// What was replaced is closed to old keys only when it is gone.
#[test]
fn a_reencryption_that_died_leaves_no_body_of_before() {
    let mut deaths = 0;
    for call in calls() {
        let hospital = Hospital::new();
        hospital.publish(1);
        let before: Vec<String> =
            contents(&hospital.store).into_keys().filter(|key| key.starts_with("body/")).collect();
        let author = Author::device(&hospital.world.phone, hospital.world.devices()).unwrap();
        let (old, trust) = ([hospital.access(0)], &hospital.world.trust);
        let run = |clock: &(dyn Fn() -> Time + Sync)| {
            let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), clock).unwrap();
            let rotation = rotation.reencrypt(hospital.noted(), trust, hospital.world.devices(), &author);
            block_on(rotation.run("job", |_| ()))
        };
        hospital.store.fail_at(call, Fault::Crash);
        let died = run(&now).is_err();
        hospital.store.heal();
        assert!(run(&|| after(61)).unwrap().finished);
        let held = contents(&hospital.store);
        assert!(before.iter().all(|key| !held.contains_key(key)), "a crash at call {call}");
        assert_eq!(count(&held, "replaced"), 0, "a crash at call {call}");
        if !died {
            break;
        }
        deaths += 1;
    }
    assert!(deaths > 20, "{deaths}");
}

/// The lease of one was over while he still worked.
#[test]
fn of_two_workers_on_one_part_the_slower_takes_his_pieces_back() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let author = Author::device(&hospital.world.phone, hospital.world.devices()).unwrap();
    let (old, trust) = ([hospital.access(0)], &hospital.world.trust);
    let later = || after(61);
    let act = || {
        let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &later).unwrap();
        let rotation = rotation.reencrypt(hospital.noted(), trust, hospital.world.devices(), &author);
        assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    };
    let store = Interrupted::new(&hospital.store, When::Writing(&swaps_envelope), &act);
    let rotation = Rotation::new(&store, &old, hospital.access(1), &now).unwrap();
    let rotation = rotation.reencrypt(hospital.noted(), trust, hospital.world.devices(), &author);
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    assert!(store.happened());
    let held = contents(&hospital.store);
    assert_eq!(["body", "wrap", "envelope", "replaced"].map(|kind| count(&held, kind)), [3, 3, 3, 0]);
    for i in 0..3 {
        let record = read(&hospital.store, hospital.access(1), &format!("r{i:05}"));
        assert!(hospital.world.reader().open(&record, &[hospital.access(1)]).is_ok());
    }
}

/// The tablet was stolen while it sealed the records again, and goes on for a second.
#[test]
fn what_a_device_sealed_again_when_it_was_removed_opens() {
    let mut world = World::new();
    let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
    world.alice.add_device(&tablet.public(), NOW).unwrap();
    let (store, noted) = (MemoryStore::new(), MemoryStore::new());
    let ledger = guard::ledger(&noted);
    let repository = guard::guarded(&store, ledger);
    let (first, access) = world.consent("a", "role:doctor");
    assert_eq!(block_on(repository.publish(&world.live(&first), &first)).unwrap(), Put::Done);
    fill(&world, &store, &access, 2);
    let change = world.phone.sharing(world.devices(), &world.trust, &access).rotate().unwrap();
    let (second, new, _) = change.seal(NOW).unwrap();
    assert_eq!(block_on(repository.publish(&world.live(&second), &second)).unwrap(), Put::Done);
    let list = world.devices().clone();
    let author = Author::device(&tablet, &list).unwrap();
    world.alice.remove_device(tablet.id(), Removal::Retired, NOW).unwrap();
    let (clock, old) = (|| after(1), [&access]);
    let rotation = Rotation::new(&store, &old, &new, &clock).unwrap();
    let rotation = rotation.reencrypt(ledger, &world.trust, &list, &author);
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    assert!(matches!(block_on(rotation.retire(&ledger)).unwrap(), Retirement::Done { .. }));
    let record = read(&store, &new, "r00000");
    let reader = chartseal::record::Reader::new(&world.trust, after(2)).devices(world.devices().clone());
    assert!(reader.open(&record, &[&new]).is_ok());
    let phone = Author::device(&world.phone, world.devices()).unwrap();
    assert!(reader.reseal(&record, (&new, &new), &phone, after(2)).is_ok());
}

/// Nothing that a stolen key signed is believed; but it is moved with the rest, and keeps no old key alive.
#[test]
fn records_whose_author_was_revoked_are_sealed_again_with_the_others() {
    let mut hospital = Hospital::new();
    hospital.publish(1);
    hospital.world.revoke("dr-ada", NOW.minus(Duration::from_secs(10)), Reason::Compromised);
    let author = Author::device(&hospital.world.phone, hospital.world.devices()).unwrap();
    let (old, trust) = ([hospital.access(0)], &hospital.world.trust);
    let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
    let rotation = rotation.reencrypt(hospital.noted(), trust, hospital.world.devices(), &author);
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    assert!(block_on(rotation.quarantined("job")).unwrap().is_empty());
    assert_eq!(block_on(rotation.retire(&hospital.noted())).unwrap(), Retirement::Done { consents: 1, lost: 0 });
    let record = read(&hospital.store, hospital.access(1), "r00000");
    let refused = hospital.world.reader().open(&record, &[hospital.access(1)]);
    assert_eq!(refused.err(), Some(Error::Revoked("this person")));
}

/// A retry of a call that had timed out.
#[test]
fn a_consent_that_comes_in_the_middle_of_a_retirement_does_not_stay() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let act = || assert!(matches!(hospital.rotate(0, 1, "job"), Retirement::Done { .. }));
    let when = |op: &Op| op.key().starts_with("consent/");
    let store = Interrupted::new(&hospital.store, When::Writing(&when), &act);
    hospital::remove(
        &hospital.store,
        &contents(&hospital.store).into_keys().find(|key| key.starts_with("consent/")).unwrap(),
    );
    assert_eq!(block_on(hospital.over(&store).put_consent(&hospital.chain[0].0)).unwrap(), Put::Outdated);
    assert!(store.happened());
    let (owner, section) = hospital.place();
    let served = block_on(hospital.repository().consents(&owner, &section, None)).unwrap();
    assert_eq!(served, [hospital.chain[1].0.clone()]);
}

/// The wrap may be in a backup, under the key that is about to go.
#[test]
fn a_part_without_its_wrap_blocks_the_retirement_and_is_named() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let wrap = contents(&hospital.store).into_keys().find(|key| key.starts_with("wrap/")).unwrap();
    hospital::remove(&hospital.store, &wrap);
    let Retirement::Blocked { found, .. } = hospital.rotate(0, 1, "job") else { panic!("retired") };
    assert_eq!((found.missing, found.named.len()), (1, 1));
    assert!(found.named[0].starts_with("envelope/"));
    let old = [hospital.access(0)];
    let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
    let retired = block_on(rotation.retire_leaving(&hospital.noted(), &found.named)).unwrap();
    assert_eq!(retired, Retirement::Done { consents: 1, lost: 0 });
}

/// Between the retirement's question to the ledger and its walk, the compartment goes on.
#[test]
fn what_was_written_under_a_later_key_is_not_broken() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let act = || {
        hospital.publish(2);
        let newer = sealed(&hospital.world, hospital.access(2), "newer");
        assert_eq!(block_on(hospital.repository().put(&newer)).unwrap(), Put::Done);
    };
    let old = [hospital.access(0)];
    let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    let wraps = hospital.prefix("wrap");
    let store = Interrupted::new(&hospital.store, When::Listing(&wraps), &act);
    let rotation = Rotation::new(&store, &old, hospital.access(1), &now).unwrap();
    assert!(matches!(block_on(rotation.retire(&hospital.noted())).unwrap(), Retirement::Done { .. }));
    assert!(store.happened());
    assert_eq!(block_on(rotation.verify()).unwrap().later, 1);
}

/// The call hung before its first exchange; the same call, made again, was done; then somebody sealed one part once more.
#[test]
fn who_loses_one_part_takes_nothing_of_another() {
    let world = World::new();
    let (a, b) = (world.access("a"), world.access("b"));
    let first = world::record("r").part(&a).unwrap().field("/a", "1").unwrap();
    let first = first.part(&b).unwrap().field("/b", "2").unwrap().seal(&world.ada.author(), NOW).unwrap();
    let store = MemoryStore::new();
    let repository = Repository::new(&store);
    assert_eq!(block_on(repository.put(&first)).unwrap(), Put::Done);
    let phone = Author::device(&world.phone, world.devices()).unwrap();
    let reader = world.reader();
    let one = reader.reseal(&first, (&a, &a), &phone, NOW).unwrap();
    let both = reader.reseal(&one, (&b, &b), &phone, NOW).unwrap();
    let again = reader.reseal(&both, (&a, &a), &phone, NOW).unwrap();
    let act = || {
        assert_eq!(block_on(repository.reseal(&first, &both)).unwrap(), Put::Done);
        assert_eq!(block_on(repository.reseal(&both, &again)).unwrap(), Put::Done);
    };
    let slow = Interrupted::new(&store, When::Writing(&swaps_envelope), &act);
    assert_eq!(block_on(Repository::new(&slow).reseal(&first, &both)).unwrap(), Put::Conflict);
    assert!(slow.happened());
    let held = block_on(repository.get(first.owner(), first.record())).unwrap().unwrap();
    assert!(reader.open(&held, &[&a, &b]).is_ok());
    assert_eq!(count(&contents(&store), "body"), 2);
}
