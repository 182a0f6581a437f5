//! Backups of a store in use, and what is served after a restore.

use crate::support::guard;
use crate::support::hospital::{self, Hospital, Interrupted, When, put};
use crate::support::stored::{contents, now, read, restored, sealed};
use crate::support::waiting::{block_on, calls};
use crate::support::world::{NOW, World};
use chartseal::Error;
use chartseal::backup::{self, BackupError, Written};
use chartseal::consent::Access;
use chartseal::id::{RecordId, Revision};
use chartseal::ledger::LedgerError;
use chartseal::record::SealedRecord;
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Retirement, Rotation};
use chartseal::store::{Fault, FaultyStore, MemoryStore, Op, Store};

fn backed_up(store: &dyn Store) -> (Vec<u8>, Written) {
    let mut stream = Vec::new();
    let written = block_on(backup::write(store, &mut stream)).unwrap();
    (stream, written)
}

fn amended(world: &World, before: &SealedRecord, access: &Access, value: &str) -> SealedRecord {
    let reader = world.reader();
    let amendment = reader.amend(before, &[access]).unwrap().field("/diagnosis", value).unwrap();
    amendment.seal(&world.ada.author(), NOW).unwrap()
}

fn id() -> RecordId {
    "r00000".parse().unwrap()
}

/// By the runbook: what the ledger knew of that one is said anew.
#[test]
fn a_damaged_entry_of_the_ledger_hides_no_other_compartment_that_is_behind_and_is_mended_alone() {
    let world = World::new();
    let (store, noted) = (MemoryStore::new(), MemoryStore::new());
    let ledger = guard::ledger(&noted);
    let repository = guard::guarded(&store, ledger);
    let consents: Vec<_> = ["a", "b", "c"].map(|section| world.consent(section, "role:doctor")).into();
    for (stored, access) in &consents {
        assert_eq!(block_on(repository.publish(access, stored)).unwrap(), Put::Done);
    }
    let (stored, access) = &consents[0];
    let (owner, section) = (access.owner().clone(), access.compartment().clone());
    let (stream, _) = backed_up(&store);
    let key = format!("ledger/{owner}/{section}");
    hospital::remove(&noted, &key);
    put(&noted, &key, b"damaged");
    // Nothing of it is served, and the others are.
    let repository = guard::guarded(&store, ledger);
    assert_eq!(block_on(repository.consents(&owner, &section, None)).err(), Some(Error::Malformed("ledger")));
    assert!(block_on(repository.consents(&owner, consents[1].1.compartment(), None)).is_ok());
    assert_eq!(block_on(repository.behind()).unwrap(), [(owner.clone(), section.clone())]);
    assert_eq!(block_on(repository.catch_up(&owner, &section)).err(), Some(Error::Malformed("ledger")));
    assert_eq!(block_on(repository.publish(access, stored)).err(), Some(Error::Malformed("ledger")));
    let partial = MemoryStore::new();
    assert_eq!(block_on(Repository::new(&partial).put_consent(&consents[1].0)).unwrap(), Put::Done);
    let behind = block_on(guard::guarded(&partial, ledger).behind()).unwrap();
    assert_eq!(behind, [0, 2].map(|at: usize| (owner.clone(), consents[at].1.compartment().clone())));

    hospital::remove(&noted, &key);
    let store = restored(&stream);
    let repository = guard::guarded(&store, ledger);
    let served = block_on(repository.stored_consents(&owner, &section, None)).unwrap();
    block_on(ledger.advance(&world.live(&served[0]), &served[0])).unwrap();
    assert!(block_on(repository.behind()).unwrap().is_empty());
    assert!(block_on(repository.consents(&owner, &section, None)).unwrap() == [stored.clone()]);
}

/// The records had been moved, and the old key was not destroyed yet, when the disk died.
#[test]
fn a_revoked_reader_stays_out_of_a_restored_store_until_its_records_are_moved_again() {
    let hospital = Hospital::new();
    let (stream, _) = backed_up(&hospital.store);
    hospital.publish(1);
    let old = [hospital.access(0)];
    let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);

    let store = restored(&stream);
    let repository = hospital.over(&store);
    let (owner, section) = hospital.place();
    let closed = || {
        assert_eq!(block_on(repository.behind()).unwrap(), [hospital.place()]);
        assert_eq!(block_on(repository.get(&owner, &id())).err(), Some(Error::Rollback("record")));
        assert_eq!(block_on(repository.revision(&owner, &id(), Revision(0))).err(), Some(Error::Rollback("record")));
        let served = block_on(repository.consents(&owner, &section, None));
        assert_eq!(served.err(), Some(Error::Rollback("consent")));
    };
    closed();
    assert_eq!(block_on(repository.catch_up(&owner, &section)).unwrap().as_ref(), Some(&hospital.chain[1].0));
    // Whoever catches up may die here; the list does not forget.
    closed();
    assert!(block_on(repository.catch_up(&owner, &section)).unwrap().is_some());
    let rotation = Rotation::new(&store, &old, hospital.access(1), &now).unwrap();
    assert!(block_on(rotation.run("restore", |_| ())).unwrap().finished);
    closed();
    assert_eq!(block_on(rotation.retire(&hospital.noted())).unwrap(), Retirement::Done { consents: 1, lost: 0 });
    assert!(block_on(repository.behind()).unwrap().is_empty());
    let record = block_on(repository.get(&owner, &id())).unwrap().unwrap();
    assert!(hospital.world.reader().open(&record, &old).is_err());
    assert!(hospital.world.reader().open(&record, &[hospital.access(1)]).is_ok());
}

/// The backup has both consents: it was taken in the middle of a rotation, or before it.
#[test]
fn a_backup_from_the_middle_of_a_rotation_has_to_catch_up_too() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let (stream, _) = backed_up(&hospital.store);
    let store = restored(&stream);
    let repository = hospital.over(&store);
    let (owner, section) = hospital.place();
    assert_eq!(block_on(repository.behind()).unwrap(), [hospital.place()]);
    assert_eq!(block_on(repository.get(&owner, &id())).err(), Some(Error::Rollback("record")));
    assert!(block_on(repository.catch_up(&owner, &section)).unwrap().is_some());
    let old = [hospital.access(0)];
    let rotation = Rotation::new(&store, &old, hospital.access(1), &now).unwrap();
    assert!(block_on(rotation.run("restore", |_| ())).unwrap().finished);
    assert_eq!(block_on(rotation.retire(&hospital.noted())).unwrap(), Retirement::Done { consents: 1, lost: 0 });
    assert!(block_on(repository.behind()).unwrap().is_empty());
    assert!(block_on(repository.get(&owner, &id())).unwrap().is_some());
}

/// A re-seal keeps the key: there is nothing to move.
#[test]
fn after_a_mere_reseal_it_is_enough_to_catch_up() {
    let hospital = Hospital::new();
    let (stream, _) = backed_up(&hospital.store);
    let world = &hospital.world;
    let change = world.phone.sharing(world.devices(), &world.trust, hospital.access(0)).reseal().unwrap();
    let (stored, access, _) = change.seal(NOW).unwrap();
    let before = contents(&hospital.store);
    assert_eq!(block_on(hospital.repository().publish(&world.live(&stored), &stored)).unwrap(), Put::Done);
    // One consent more, and no record was touched.
    let mut after = contents(&hospital.store);
    let new: Vec<String> = after.keys().filter(|key| !before.contains_key(*key)).cloned().collect();
    assert!(new.len() == 1 && new[0].starts_with("consent/"), "{new:?}");
    after.remove(&new[0]);
    assert_eq!(after, before);
    let store = restored(&stream);
    let repository = hospital.over(&store);
    let (owner, section) = hospital.place();
    assert_eq!(block_on(repository.behind()).unwrap(), [hospital.place()]);
    assert!(block_on(repository.catch_up(&owner, &section)).unwrap().is_some());
    assert!(block_on(repository.behind()).unwrap().is_empty());
    assert!(block_on(repository.get(&owner, &id())).unwrap().is_some());
    // Whoever goes by the book and rotates finds nothing to do.
    assert!(matches!(Rotation::new(&store, &[hospital.access(0)], &access, &now), Err(Error::ApiMisuse(_))));
    let rotation = Rotation::new(&store, &[], &access, &now).unwrap();
    assert!(block_on(rotation.run("restore", |_| ())).unwrap().finished);
    assert_eq!(block_on(rotation.retire(&hospital.noted())).unwrap(), Retirement::Done { consents: 0, lost: 0 });
}

#[test]
fn half_a_restore_serves_nothing() {
    let hospital = Hospital::new();
    let (stream, written) = backed_up(&hospital.store);
    let (owner, section) = hospital.place();
    for call in calls() {
        let store = FaultyStore::new(MemoryStore::new());
        store.fail_at(call, Fault::Crash);
        let died = block_on(backup::restore(&store, &mut stream.as_slice())).is_err();
        store.heal();
        let repository = block_on(Repository::replace_store(&store, hospital.noted()));
        let whole = contents(&store).len() as u64 == written.entries;
        assert_eq!(repository.is_ok(), whole, "{call}");
        if let Ok(repository) = repository {
            assert!(block_on(repository.get(&owner, &id())).is_ok(), "{call}");
            assert!(block_on(repository.consents(&owner, &section, None)).is_ok(), "{call}");
        } else if !contents(&store).is_empty() {
            let again = block_on(backup::write(&store, &mut Vec::new()));
            assert!(matches!(again, Err(BackupError::Data(Error::ApiMisuse(_)))), "{call}");
        }
        if !died {
            assert!(call > 3 && whole);
            break;
        }
    }
}

/// Between the two passes of the old days, the record was amended twice.
#[test]
fn a_record_that_is_amended_during_a_backup_can_be_amended_after_the_restore() {
    let hospital = Hospital::new();
    let (world, access) = (&hospital.world, hospital.access(0));
    let act = || {
        let first = read(&hospital.store, access, "r00000");
        let second = amended(world, &first, access, "one");
        let third = amended(world, &second, access, "two");
        assert_eq!(block_on(hospital.repository().amend(&first, &second)).unwrap(), Put::Done);
        assert_eq!(block_on(hospital.repository().amend(&second, &third)).unwrap(), Put::Done);
    };
    let (owner, _) = hospital.place();
    let of_record = format!("past/{owner}/r00000/");
    for prefix in ["past/", "content/", "consent/", &of_record] {
        let store = Interrupted::new(&hospital.store, When::Listing(prefix), &act);
        let (stream, written) = backed_up(&store);
        assert!(written.damaged.is_empty());
        let store = restored(&stream);
        let repository = Repository::new(&store);
        let mut latest = read(&store, access, "r00000");
        let revision = latest.revision().0;
        for earlier in 0..revision {
            let found = block_on(repository.revision(&owner, &id(), Revision(earlier))).unwrap();
            assert_eq!(found.map(|found| found.revision()), Some(Revision(earlier)), "{prefix}");
        }
        assert_eq!(block_on(repository.revision(&owner, &id(), Revision(revision + 1))).unwrap(), None);
        for value in ["new one", "new two"] {
            let next = amended(world, &latest, access, value);
            assert_eq!(block_on(repository.amend(&latest, &next)).unwrap(), Put::Done, "{prefix}");
            latest = next;
        }
    }
}

/// While the backup runs, the compartment goes on by two keys, and the one between is destroyed.
#[test]
fn every_record_of_a_backup_has_its_consent() {
    let hospital = Hospital::new();
    let act = || {
        hospital.publish(1);
        assert!(matches!(hospital.rotate(0, 1, "first"), Retirement::Done { .. }));
    };
    let then = || {
        hospital.publish(2);
        assert!(matches!(hospital.rotate(1, 2, "second"), Retirement::Done { .. }));
    };
    let inner = Interrupted::new(&hospital.store, When::Listing("content/"), &act);
    let store = Interrupted::new(&inner, When::Listing("past/"), &then);
    let (stream, written) = backed_up(&store);
    assert!(inner.happened() && store.happened() && written.damaged.is_empty());
    let store = restored(&stream);
    let (owner, section) = hospital.place();
    let record = read(&store, hospital.access(0), "r00000");
    let needed = record.generation(&section).unwrap();
    let held = block_on(Repository::new(&store).stored_consents(&owner, &section, None)).unwrap();
    assert!(held.iter().any(|consent| consent.consent().unverified().generation == needed));
}

#[test]
fn what_cannot_be_restored_is_named_and_stops_no_backup() {
    let hospital = Hospital::new();
    let (owner, _) = hospital.place();
    let consent = format!("{}{:020}", hospital.prefix("consent"), 9);
    let mut junk = vec![
        ("content/x".to_owned(), b"".as_slice()),
        (format!("content/{owner}/r/more"), b""),
        (consent, b""),
        ("consent/x".to_owned(), b"junk"),
        ("past/x".to_owned(), b""),
        (format!("past/{owner}/gone/{:020}", 3), b""),
    ];
    for (key, value) in &junk {
        put(&hospital.store, key, value);
    }
    let (stream, mut written) = backed_up(&hospital.store);
    written.damaged.sort_unstable();
    junk.sort_unstable();
    assert_eq!(written.damaged, junk.into_iter().map(|(key, _)| key).collect::<Vec<_>>());
    let store = restored(&stream);
    assert!(hospital.world.reader().open(&read(&store, hospital.access(0), "r00000"), &[hospital.access(0)]).is_ok());
    assert!(contents(&store).into_keys().eq(contents(&hospital.store).into_keys()));
}

/// One damaged row in the file is the affair of whoever asks for it.
#[cfg(feature = "redb")]
#[test]
fn a_damaged_row_fails_no_other_batch_of_its_transaction() {
    use chartseal::store::RedbStore;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let put = |key: &str| Op::Put { key: key.into(), value: vec![0; 2000] };
    block_on(RedbStore::open(&path).unwrap().apply(vec![put("y"), put("z")])).unwrap();
    {
        let database = redb::Database::open(&path).unwrap();
        let writing = database.begin_write().unwrap();
        let table = redb::TableDefinition::<&[u8], &[u8]>::new("entries");
        writing.open_table(table).unwrap().insert(&b"z"[..], &b"x"[..]).unwrap();
        writing.commit().unwrap();
    }
    let store = RedbStore::open(&path).unwrap();
    let mut large = store.apply((0..4096).map(|i| put(&format!("k{i}"))).collect());
    let (mut innocent, mut bad) = (store.apply(vec![put("innocent")]), store.apply(vec![put("z")]));
    // All of them are sent before anybody waits.
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for call in [&mut large, &mut innocent, &mut bad] {
        let _sent = call.as_mut().poll(&mut context);
    }
    assert!(block_on(large).is_ok() && block_on(innocent).is_ok());
    let failure = block_on(bad).unwrap_err().failure();
    assert_eq!(failure, chartseal::store::StoreFailure::Corrupt);
    assert!(block_on(store.get(&["innocent".into()])).unwrap()[0].is_some());
}

#[test]
fn a_late_record_of_a_backup_is_sealed_under_the_newest_key_alone() {
    let hospital = Hospital::new();
    let (stream, _) = backed_up(&hospital.store);
    hospital.publish(1);
    let store = restored(&stream);
    let repository = hospital.over(&store);
    let late = sealed(&hospital.world, hospital.access(0), "late");
    assert_eq!(block_on(repository.put(&late)).unwrap(), Put::Outdated);
    let new = sealed(&hospital.world, hospital.access(1), "new");
    assert_eq!(block_on(repository.put(&new)).unwrap(), Put::Done);
}

/// The ledger says that the first key is destroyed; the backup brought it back, with everything under it.
#[test]
fn a_retirement_destroys_no_key_that_a_restored_record_still_needs() {
    let hospital = Hospital::new();
    let (stream, _) = backed_up(&hospital.store);
    hospital.publish(1);
    assert!(matches!(hospital.rotate(0, 1, "job"), Retirement::Done { .. }));
    let store = restored(&stream);
    let repository = hospital.over(&store);
    let (owner, section) = hospital.place();
    assert!(block_on(repository.catch_up(&owner, &section)).unwrap().is_some());
    // Without the old access nothing is moved.
    let blind = Rotation::new(&store, &[], hospital.access(1), &now).unwrap();
    for run in [false, true] {
        if run {
            assert!(block_on(blind.run("blind", |_| ())).unwrap().finished);
        }
        let Retirement::Blocked { found, quarantined, .. } = block_on(blind.retire(&hospital.noted())).unwrap() else {
            panic!("retired");
        };
        assert_eq!((found.behind, quarantined.len()), (3, if run { 3 } else { 0 }));
    }
    let record = block_on(Repository::new(&store).get(&owner, &id())).unwrap().unwrap();
    assert!(hospital.world.reader().open(&record, &[hospital.access(0)]).is_ok());

    // What cannot be moved is given up, and the rest is served.
    let key = contents(&store).into_keys().find(|key| key.starts_with("wrap/") && key.contains("r00002")).unwrap();
    hospital::remove(&store, &key);
    put(&store, &key, b"damaged");
    let old = [hospital.access(0)];
    let rotation = Rotation::new(&store, &old, hospital.access(1), &now).unwrap();
    assert!(block_on(rotation.run("restore", |_| ())).unwrap().finished);
    assert_eq!(block_on(rotation.retry("blind")).unwrap(), 1);
    assert!(matches!(block_on(rotation.retire(&hospital.noted())).unwrap(), Retirement::Blocked { .. }));
    let retired = block_on(rotation.retire_leaving(&hospital.noted(), &[key])).unwrap();
    assert_eq!(retired, Retirement::Done { consents: 1, lost: 0 });
    assert!(block_on(repository.behind()).unwrap().is_empty());
    assert!(block_on(repository.get(&owner, &id())).unwrap().is_some());
}

/// Whoever holds no keys, the server, could not open it again.
#[test]
fn a_compartment_of_which_nothing_is_behind_is_closed_by_no_restore_and_by_no_damage() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let old = [hospital.access(0)];
    let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    let store = restored(&backed_up(&hospital.store).0);
    let repository = hospital.over(&store);
    let (owner, section) = hospital.place();
    assert!(block_on(repository.behind()).unwrap().is_empty());
    assert!(block_on(repository.get(&owner, &id())).unwrap().is_some());

    let newest = contents(&store).into_keys().rfind(|key| key.starts_with("consent/")).unwrap();
    hospital::remove(&store, &newest);
    put(&store, &newest, b"damaged");
    assert!(block_on(repository.get(&owner, &id())).unwrap().is_some());
    assert_eq!(block_on(repository.consents(&owner, &section, None)).unwrap(), [hospital.chain[0].0.clone()]);
    assert!(block_on(repository.catch_up(&owner, &section)).unwrap().is_some());
    assert!(block_on(repository.behind()).unwrap().is_empty());
    assert_eq!(block_on(repository.consents(&owner, &section, None)).unwrap().len(), 2);

    // A ledger that knows nothing of it has nothing to say.
    hospital::remove(&store, &newest);
    block_on(repository.catch_up(&owner, &section)).unwrap();
    put(&store, hospital.prefix("stale").trim_end_matches('/'), b"");
    let noted = MemoryStore::new();
    let unknown = block_on(Repository::replace_ledger(&store, guard::ledger(&noted))).unwrap();
    assert!(block_on(unknown.get(&owner, &id())).unwrap().is_some());
}

/// The consents of a backup come first, and their records after them.
#[test]
fn nothing_retires_while_a_backup_is_restored() {
    let hospital = Hospital::new();
    let filler = hospital.world.access("filler");
    for i in 0..400 {
        let record = sealed(&hospital.world, &filler, &format!("b{i:05}"));
        assert_eq!(block_on(Repository::new(&hospital.store).put(&record)).unwrap(), Put::Done);
    }
    let (stream, _) = backed_up(&hospital.store);
    hospital.publish(1);
    let old = [hospital.access(0)];
    let store = MemoryStore::new();
    let act = || {
        let rotation = Rotation::new(&store, &old, hospital.access(1), &now).unwrap();
        assert_eq!(block_on(rotation.retire(&hospital.noted())), Err(LedgerError::OtherStore.into()));
    };
    let late = |op: &Op| op.key().starts_with("content/") && op.key().contains("r00000");
    let slow = Interrupted::new(&store, When::Writing(&late), &act);
    block_on(backup::restore(&slow, &mut stream.as_slice())).unwrap();
    assert!(slow.happened());
    // Nor where the restore begins while it walks.
    let begin = || put(&hospital.store, "restoring", b"");
    let prefix = hospital.prefix("envelope");
    let walked = Interrupted::new(&hospital.store, When::Listing(&prefix), &begin);
    let rotation = Rotation::new(&walked, &old, hospital.access(1), &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    assert!(matches!(block_on(rotation.retire(&hospital.noted())), Err(Error::ApiMisuse(_))));
    assert!(walked.happened());
    let (owner, section) = hospital.place();
    assert_eq!(block_on(Repository::new(&hospital.store).stored_consents(&owner, &section, None)).unwrap().len(), 2);
}

/// The owner's phone does not know of the restore.
#[test]
fn a_new_consent_does_not_open_a_store_that_has_not_caught_up() {
    let hospital = Hospital::new();
    let (stream, _) = backed_up(&hospital.store);
    hospital.publish(1);
    let store = restored(&stream);
    let repository = hospital.over(&store);
    let (owner, _) = hospital.place();
    let stored = &hospital.chain[2].0;
    assert_eq!(block_on(repository.publish(&hospital.world.live(stored), stored)).unwrap(), Put::Done);
    assert_eq!(block_on(repository.behind()).unwrap(), [hospital.place()]);
    assert_eq!(block_on(repository.get(&owner, &id())).err(), Some(Error::Rollback("record")));
    let old = [hospital.access(0)];
    let rotation = Rotation::new(&store, &old, hospital.access(2), &now).unwrap();
    assert!(block_on(rotation.run("restore", |_| ())).unwrap().finished);
    assert!(matches!(block_on(rotation.retire(&hospital.noted())).unwrap(), Retirement::Done { .. }));
    assert!(block_on(repository.get(&owner, &id())).unwrap().is_some());
}

/// A part that many revisions share is written once, and everything comes back.
#[test]
fn a_backup_holds_each_piece_once() {
    let hospital = Hospital::new();
    let world = &hospital.world;
    let (a, b) = (hospital.access(0), world.access("b"));
    let record = crate::support::world::record("shared").part(a).unwrap().field("/a", "0").unwrap();
    let mut last = record.part(&b).unwrap().field("/b", "kept").unwrap().seal(&world.ada.author(), NOW).unwrap();
    assert_eq!(block_on(Repository::new(&hospital.store).put(&last)), Ok(Put::Done));
    for n in 1..20 {
        let next = world.reader().amend(&last, &[a]).unwrap().field("/a", n.to_string()).unwrap();
        let next = next.seal(&world.ada.author(), NOW).unwrap();
        assert_eq!(block_on(Repository::new(&hospital.store).amend(&last, &next)), Ok(Put::Done));
        last = next;
    }
    let (stream, written) = backed_up(&hospital.store);
    assert_eq!((written.damaged.len(), written.entries), (0, contents(&hospital.store).len() as u64));
    assert_eq!(contents(&restored(&stream)), contents(&hospital.store));
}

#[test]
fn a_backup_can_be_written_by_a_task_that_moves_between_threads() {
    fn moves<T: Send>(task: T) -> T {
        task
    }
    let (store, mut stream) = (MemoryStore::new(), Vec::new());
    assert!(block_on(moves(backup::write(&store, &mut stream))).is_ok());
    assert!(block_on(moves(backup::restore(&store, &mut stream.as_slice()))).is_ok());
}

/// Nothing lies under another key, so nothing has to follow.
#[test]
fn whoever_dies_while_he_catches_up_is_followed_by_one_who_opens_the_compartment() {
    let hospital = Hospital::new();
    let (owner, section) = hospital.place();
    let consent = contents(&hospital.store).into_keys().find(|key| key.starts_with("consent/")).unwrap();
    let repository = hospital.repository();
    for fault in [Fault::Crash, Fault::AnswerLost] {
        for call in calls() {
            hospital::remove(&hospital.store, &consent);
            hospital.store.fail_at(call, fault);
            let died = block_on(repository.catch_up(&owner, &section)).is_err();
            hospital.store.heal();
            assert!(block_on(repository.catch_up(&owner, &section)).unwrap().is_some());
            assert!(block_on(repository.behind()).unwrap().is_empty(), "{fault:?} {call}");
            assert!(block_on(repository.get(&owner, &"r00000".parse().unwrap())).unwrap().is_some());
            if !died {
                break;
            }
        }
    }
}
