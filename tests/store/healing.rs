//! What crashes, slow callers and damage leave behind in a store: it opens to nobody, and stands in nobody's way.

use chartseal::pin::PinStore;

use crate::support::branches::Branches;
use crate::support::guard;
use crate::support::hospital::{Around, Corrupt, Hospital, Interrupted, When, count, writes_wrap};
use crate::support::stored::{backed_up, contents, fill, now, read, sealed};
use crate::support::waiting::{Meeting, block_on, calls};
use crate::support::world::{NOW, after};
use chartseal::Error;
use chartseal::backup::{self, BackupError};
use chartseal::consent::{Access, StoredConsent};
use chartseal::ledger::KeyState;
use chartseal::record::{Author, Reader};
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Keys, Retirement, Rotation, Scope, Sweep};
use chartseal::store::{Entry, Fault, FaultyStore, MemoryStore, Op, Store};

impl Hospital {
    /// Seals everything again under the second key, and retires the first.
    fn reencrypt(&self, job: &str) -> Retirement {
        let phone = Author::device(&self.world.phone, self.world.devices()).unwrap();
        let old = [self.access(0)];
        let rotation = Rotation::new(&self.store, &old, self.access(1), &now).unwrap();
        let rotation = rotation.reencrypt(self.noted(), &self.world.trust, self.world.devices(), &phone);
        assert!(block_on(rotation.run(job, |_| ())).unwrap().finished);
        block_on(rotation.retire(&self.noted())).unwrap()
    }
}

/// Whoever catches up, or publishes, or just stores a consent, does so while the backup is still coming in, or after it.
#[test]
fn a_restored_store_is_opened_by_no_consent_alone_whenever_it_comes() {
    let acts: [fn(&Hospital, &dyn Store); 3] = [
        |hospital, store| {
            let (owner, section) = hospital.place();
            assert!(block_on(hospital.over(store).catch_up(&owner, &section)).unwrap().is_some());
        },
        |hospital, store| {
            let (stored, _) = &hospital.chain[2];
            let published = block_on(hospital.over(store).publish(&hospital.world.live(stored), stored));
            assert_eq!(published.unwrap(), Put::Done);
        },
        |hospital, store| {
            assert_eq!(block_on(hospital.over(store).put_consent(&hospital.chain[1].0)).unwrap(), Put::Done);
        },
    ];
    for act in acts {
        for during in [true, false] {
            let hospital = Hospital::new();
            let stream = backed_up(&hospital.store);
            hospital.publish(1);
            let old = [hospital.access(0)];
            let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
            assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);

            let store = MemoryStore::new();
            // Half of it is guarded by nobody.
            let refused = || {
                let told = block_on(Repository::replace_store(&store, hospital.noted()));
                assert_eq!(told.err(), Some(Error::ApiMisuse("a backup is being restored")));
            };
            let slow = Interrupted::new(&store, When::Writing(&writes_wrap), &refused);
            block_on(backup::restore(if during { &slow } else { &store }, &mut stream.as_slice())).unwrap();
            assert_eq!(slow.happened(), during);
            act(&hospital, &store);
            assert_eq!(block_on(hospital.over(&store).behind()).unwrap(), [hospital.place()]);
            assert!(!hospital.old_key_opens(&store));
            // What was read is the backup's own data: without the guard it opens.
            assert!(world_opens(&hospital, &store));
        }
    }
}

fn world_opens(hospital: &Hospital, store: &dyn Store) -> bool {
    let record = read(store, hospital.access(0), "r00000");
    hospital.world.reader().open(&record, &[hospital.access(0)]).is_ok()
}

#[test]
fn nobody_writes_into_a_store_while_a_backup_is_restored() {
    let hospital = Hospital::new();
    let stream = backed_up(&hospital.store);
    let another = sealed(&hospital.world, hospital.access(0), "r00000");
    let is_content = |op: &Op| op.key().starts_with("content/");
    // Through a guarded repository, he is told so.
    let store = MemoryStore::new();
    let refused = || {
        let told = block_on(Repository::replace_store(&store, hospital.noted()));
        assert_eq!(told.err(), Some(Error::ApiMisuse("a backup is being restored")));
    };
    let slow = Interrupted::new(&store, When::Writing(&is_content), &refused);
    block_on(backup::restore(&slow, &mut stream.as_slice())).unwrap();
    assert!(slow.happened());
    assert_eq!(contents(&store), contents(&hospital.store));
    // Past it, the restore does not pass over what is in the place.
    let store = MemoryStore::new();
    let act = || assert_eq!(block_on(Repository::new(&store).put(&another)).unwrap(), Put::Done);
    let slow = Interrupted::new(&store, When::Writing(&is_content), &act);
    let told = block_on(backup::restore(&slow, &mut stream.as_slice()));
    assert!(matches!(told, Err(BackupError::Data(Error::ApiMisuse(_)))));
}

/// An owner who did not know of the custodian's rotation revokes somebody. Both new keys are the second; what is wrapped
/// names the key, and not its number alone.
#[test]
fn two_keys_of_one_generation_are_told_apart() {
    let branches = Branches::new();
    let (store, noted) = (MemoryStore::new(), MemoryStore::new());
    let ledger = guard::ledger(&noted);
    let repository = guard::guarded(&store, ledger);
    for (stored, _) in [&branches.first, &branches.custodians, &branches.own] {
        assert_eq!(branches.publish(&repository, stored), Ok(Put::Done));
    }
    let (owner, section) = (branches.first.1.owner(), branches.first.1.compartment());
    let [first, custodians, own] = [&branches.first.1, &branches.custodians.1, &branches.own.1];
    assert_eq!(custodians.generation(), own.generation());
    let state = |access: &Access| block_on(ledger.state(owner, section, access.key_id())).unwrap();
    let states = [KeyState::DecryptOnly, KeyState::DecryptOnly, KeyState::Active];
    assert_eq!([first, custodians, own].map(state), states);
    let write = |access: &Access, id: &str| block_on(repository.put(&sealed(&branches.world, access, id))).unwrap();
    assert_eq!(write(custodians, "late"), Put::Outdated);
    assert_eq!(write(own, "own"), Put::Done);
    // What was written under either moves to the owner's.
    for (access, id) in [(first, "one"), (custodians, "two")] {
        assert_eq!(block_on(Repository::new(&store).put(&sealed(&branches.world, access, id))).unwrap(), Put::Done);
    }
    let rotation = Rotation::new(&store, &[first, custodians], own, &now).unwrap();
    assert_eq!(block_on(rotation.run("job", |_| ())).unwrap().records, 3);
    assert!(matches!(block_on(rotation.retire(&ledger)), Ok(Retirement::Done { consents: 2, lost: 0 })));
    let states = [KeyState::Destroyed, KeyState::Destroyed, KeyState::Active];
    assert_eq!([first, custodians, own].map(state), states);
    for id in ["own", "one", "two"] {
        let record = read(&store, own, id);
        assert!(branches.world.reader().open(&record, &[own]).is_ok(), "{id}");
    }
}

/// A custodian moved on to a second key, and a record was written under it; then the owner, who did not know, sealed the first
/// one again. Everybody is honest, and an old job to the first key knows nothing of the second.
#[test]
fn a_retirement_destroys_no_key_that_records_lie_under_where_an_earlier_key_came_back() {
    let branches = Branches::new();
    let (store, noted) = (MemoryStore::new(), MemoryStore::new());
    let ledger = guard::ledger(&noted);
    let repository = guard::guarded(&store, ledger);
    let [first, custodians] = [&branches.first.1, &branches.custodians.1];
    let reseal = branches.reseal();
    for stored in [&branches.first.0, &branches.custodians.0] {
        assert_eq!(branches.publish(&repository, stored), Ok(Put::Done));
    }
    assert_eq!(block_on(repository.put(&sealed(&branches.world, custodians, "theirs"))), Ok(Put::Done));
    assert_eq!(branches.publish(&repository, &reseal.0), Ok(Put::Done));
    assert!(reseal.1.has_key_of(first));

    let state = || block_on(ledger.state(first.owner(), first.compartment(), custodians.key_id())).unwrap();
    for access in [first, &reseal.1] {
        let blind = Rotation::new(&store, &[], access, &now).unwrap();
        let Retirement::Blocked { found, .. } = block_on(blind.retire(&ledger)).unwrap() else { panic!("retired") };
        assert_eq!((found.later + found.behind, found.moved), (1, 0));
        assert_eq!(state(), KeyState::DecryptOnly);
    }
    let record = block_on(repository.get(first.owner(), &"theirs".parse().unwrap())).unwrap().unwrap();
    assert!(branches.world.reader().open(&record, &[custodians, &reseal.1]).is_ok());
    // With the second key at hand, the record moves, and then the key may go.
    let seeing = Rotation::new(&store, &[custodians], &reseal.1, &now).unwrap();
    assert_eq!(block_on(seeing.run("job", |_| ())).unwrap().records, 1);
    assert!(matches!(block_on(seeing.retire(&ledger)), Ok(Retirement::Done { .. })));
    assert_eq!(state(), KeyState::Destroyed);
    let record = read(&store, &reseal.1, "theirs");
    assert!(branches.world.reader().open(&record, &[&reseal.1]).is_ok());
}

/// A retirement to the custodian's key goes through the compartment; meanwhile the owner comes back to the first key, of which
/// an earlier consent lies in the store.
#[test]
fn a_retirement_deletes_no_consent_of_a_key_that_it_does_not_destroy() {
    let branches = Branches::new();
    let (store, noted) = (MemoryStore::new(), MemoryStore::new());
    let ledger = guard::ledger(&noted);
    let repository = guard::guarded(&store, ledger);
    let [first, custodians] = [&branches.first.1, &branches.custodians.1];
    assert_eq!(branches.publish(&repository, &branches.first.0), Ok(Put::Done));
    fill(&branches.world, &store, first, 3);
    assert_eq!(branches.publish(&repository, &branches.custodians.0), Ok(Put::Done));
    let rotation = Rotation::new(&store, &[first], custodians, &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);

    let reseal = branches.reseal();
    let act = || assert_eq!(branches.publish(&repository, &reseal.0), Ok(Put::Done));
    let prefix = format!("envelope/{}/{}/", first.owner(), first.compartment());
    let slow = Interrupted::new(&store, When::Listing(&prefix), &act);
    let rotation = Rotation::new(&slow, &[first], custodians, &now).unwrap();
    let retired = block_on(rotation.retire(&ledger));
    assert!(slow.happened());
    assert!(!matches!(retired, Ok(Retirement::Done { consents: 1.., .. })), "{retired:?}");

    let (owner, section) = (first.owner(), first.compartment());
    assert_eq!(block_on(ledger.state(owner, section, first.key_id())), Ok(KeyState::Active));
    let stored = block_on(repository.stored_consents(owner, section, None)).unwrap();
    assert!(stored.contains(&reseal.0), "the owner's newest consent is there");
    assert!(block_on(repository.get(owner, &"r00000".parse().unwrap())).unwrap().is_some());
    // Back to her key, and the custodian's may go.
    let back = Rotation::new(&store, &[custodians], &reseal.1, &now).unwrap();
    assert!(block_on(back.run("back", |_| ())).unwrap().finished);
    assert!(matches!(block_on(back.retire(&ledger)), Ok(Retirement::Done { .. })));
    assert!(branches.world.reader().open(&read(&store, &reseal.1, "r00000"), &[&reseal.1]).is_ok());
}

/// The key is destroyed, and no consent gives it any more; but the operator has it, and a wrap of before came back.
#[test]
fn what_the_old_key_at_hand_opens_is_not_lost() {
    let branches = Branches::new();
    let (store, noted) = (MemoryStore::new(), MemoryStore::new());
    let ledger = guard::ledger(&noted);
    let repository = guard::guarded(&store, ledger);
    let [first, custodians] = [&branches.first.1, &branches.custodians.1];
    for stored in [&branches.first.0, &branches.custodians.0] {
        assert_eq!(branches.publish(&repository, stored), Ok(Put::Done));
    }
    let rotation = Rotation::new(&store, &[first], custodians, &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    assert_eq!(block_on(rotation.retire(&ledger)), Ok(Retirement::Done { consents: 1, lost: 0 }));
    let restored = sealed(&branches.world, first, "restored");
    assert_eq!(block_on(Repository::new(&store).put(&restored)), Ok(Put::Done));

    let Retirement::Blocked { found, .. } = block_on(rotation.retire(&ledger)).unwrap() else { panic!("retired") };
    assert_eq!((found.behind, found.lost), (1, 0));
    assert_eq!(block_on(rotation.run("again", |_| ())).unwrap().records, 1);
    assert_eq!(block_on(rotation.retire(&ledger)), Ok(Retirement::Done { consents: 0, lost: 0 }));
    assert!(branches.world.reader().open(&read(&store, custodians, "restored"), &[custodians]).is_ok());
    // Without the key, it would have been.
    assert_eq!(block_on(Repository::new(&store).put(&sealed(&branches.world, first, "late"))), Ok(Put::Done));
    let blind = Rotation::new(&store, &[], custodians, &now).unwrap();
    assert_eq!(block_on(blind.retire(&ledger)), Ok(Retirement::Done { consents: 0, lost: 1 }));
}

#[test]
fn a_consent_whose_key_is_destroyed_while_it_is_published_does_not_become_the_newest() {
    let branches = Branches::new();
    let (store, noted) = (MemoryStore::new(), MemoryStore::new());
    let repository = guard::guarded(&store, guard::ledger(&noted));
    let (owner, section) = (branches.first.1.owner(), branches.first.1.compartment());
    assert_eq!(branches.publish(&repository, &branches.first.0), Ok(Put::Done));
    fill(&branches.world, &store, &branches.first.1, 3);
    assert_eq!(branches.publish(&repository, &branches.custodians.0), Ok(Put::Done));
    let old = [&branches.first.1];
    let rotation = Rotation::new(&store, &old, &branches.custodians.1, &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    let act = || {
        let retired = block_on(rotation.retire(&guard::ledger(&noted))).unwrap();
        assert!(matches!(retired, Retirement::Done { .. }));
    };
    let is_entry = |op: &Op| op.key().starts_with("ledger/");
    let slow = Interrupted::new(&noted, When::Writing(&is_entry), &act);
    let reseal = branches.reseal();
    let told = branches.publish(&guard::guarded(&store, guard::ledger(&slow)), &reseal.0);
    assert_eq!(told, Err(Error::Rollback("compartment key")));
    assert_eq!(branches.publish(&repository, &reseal.0), Err(Error::Rollback("compartment key")));
    assert!(block_on(repository.get(owner, &"r00000".parse().unwrap())).unwrap().is_some());
    let served = block_on(repository.consents(owner, section, None)).unwrap();
    assert_eq!(served, std::slice::from_ref(&branches.custodians.0));
    let write = block_on(repository.put(&sealed(&branches.world, &branches.custodians.1, "new"))).unwrap();
    assert_eq!(write, Put::Done);
}

/// The same call is made twice; the first one hangs, and goes on when everything was sealed again and the old key is gone.
#[test]
fn a_write_that_hung_brings_nothing_back_that_was_sealed_again() {
    let late = |hospital: &Hospital, amend: bool| {
        let fresh = sealed(&hospital.world, hospital.access(0), "late");
        let before = read(&hospital.store, hospital.access(0), "r00000");
        let amendment = hospital.world.reader().amend(&before, &[hospital.access(0)]).unwrap();
        let amended = amendment.field("/diagnosis", "x").unwrap().seal(&hospital.world.ada.author(), NOW).unwrap();
        move |repository: &Repository<'_>| {
            let put =
                async { if amend { repository.amend(&before, &amended).await } else { repository.put(&fresh).await } };
            block_on(put).unwrap()
        }
    };
    for amend in [false, true] {
        let hospital = Hospital::new();
        let write = late(&hospital, amend);
        let act = || {
            assert_eq!(write(&hospital.repository()), Put::Done);
            hospital.publish(1);
            assert!(matches!(hospital.reencrypt("job"), Retirement::Done { .. }));
        };
        let slow = Interrupted::new(&hospital.store, When::Writing(&writes_wrap), &act);
        // It is done; nobody needs to hear that somebody did it otherwise.
        assert_eq!(write(&hospital.over(&slow)), Put::Done);
        assert!(slow.happened());
        let held = contents(&hospital.store);
        assert_eq!((count(&held, "body"), count(&held, "wrap")), (4, 4));
    }
}

#[test]
fn a_write_that_was_torn_stands_in_no_retirements_way() {
    for made in 1..4 {
        let hospital = Hospital::new();
        let late = sealed(&hospital.world, hospital.access(0), "late");
        hospital.store.fail_at(2, Fault::CrashTorn(made));
        assert!(block_on(hospital.repository().put(&late)).is_err());
        hospital.store.heal();
        hospital.publish(1);
        assert!(matches!(hospital.rotate(0, 1, "job"), Retirement::Done { .. }), "{made}");
        assert_eq!(block_on(hospital.repository().put(&late)).unwrap(), Put::Outdated);
    }
}

/// The erasure has gone through the wraps when they are written, and not through the bodies.
#[test]
fn a_writer_in_the_middle_of_an_erasure_leaves_nothing() {
    let hospital = Hospital::new();
    let late = sealed(&hospital.world, hospital.access(0), "late");
    let erasure = hospital.world.erasure();
    let stages = ["the writer is about to write", "the erasure is at the bodies", "it is written", "it is erased"];
    let [ready, listed, written, erased] = stages.map(Meeting::new);
    let listing = format!("body/{}/", hospital.place().0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Before that, the writer would find the owner erased and not write.
            ready.meet();
            let act = || {
                listed.meet();
                written.meet();
            };
            let store = Interrupted::new(&hospital.store, When::Listing(&listing), &act);
            assert!(block_on(hospital.over(&store).erase(&erasure)).is_ok());
            erased.meet();
        });
        let before = || {
            ready.meet();
            listed.meet();
        };
        let then = || {
            written.meet();
            erased.meet();
        };
        let store = Around::new(&hospital.store, &before, &then);
        assert_ne!(block_on(hospital.over(&store).put(&late)).unwrap(), Put::Done);
    });
    assert_eq!(contents(&hospital.store).into_keys().collect::<Vec<_>>(), Vec::<String>::new());

    // One who did not hear that it was written, and tries again.
    let hospital = Hospital::new();
    let late = sealed(&hospital.world, hospital.access(0), "late");
    let erasure = hospital.world.erasure();
    let act = || assert!(block_on(hospital.repository().erase(&erasure)).is_ok());
    let store = FaultyStore::new(Interrupted::new(&hospital.store, When::Writing(&writes_wrap), &act));
    let repository = hospital.over(&store);
    let calls = calls().find(|call| {
        store.fail_at(*call, Fault::AnswerLost);
        let told = block_on(repository.put(&late));
        store.heal();
        store.inner().happened() || told == Ok(Put::Outdated)
    });
    assert!(calls.is_some() && count(&contents(&hospital.store), "wrap") == 1);
    assert_eq!(block_on(hospital.over(&store).put(&late)).unwrap(), Put::Outdated);
    assert!(contents(&hospital.store).is_empty());
}

#[test]
fn a_value_that_the_store_cannot_read_holds_up_nothing_but_itself() {
    for kind in ["wrap/", "envelope/", "body/", "content/", "consent/"] {
        let hospital = Hospital::new();
        let mut stream = Vec::new();
        let bad = contents(&hospital.store).into_keys().find(|key| key.starts_with(kind)).unwrap();
        let store = Corrupt { inner: &hospital.store, key: &bad };
        // A backup names it, by the record that it belongs to, and holds the rest.
        let written = block_on(backup::write(&store, &mut stream)).unwrap();
        assert!(!written.damaged.is_empty(), "{kind}");
        assert!(kind == "consent/" || written.damaged.iter().all(|key| key.contains("r00000")), "{written:?}");
        // A rotation moves the others.
        hospital.publish(1);
        let old = [hospital.access(0)];
        let rotation = Rotation::new(&store, &old, hospital.access(1), &now).unwrap();
        let progress = block_on(rotation.run("job", |_| ())).unwrap();
        let quarantined = block_on(rotation.quarantined("job")).unwrap();
        let found = block_on(rotation.verify()).unwrap();
        match kind {
            "wrap/" => {
                assert_eq!((progress.records, quarantined[0].key.as_str()), (2, bad.as_str()));
                assert_eq!((found.moved, found.broken, &found.named), (2, 1, &vec![bad.clone()]));
                let retired = block_on(rotation.retire(&hospital.noted())).unwrap();
                assert!(matches!(retired, Retirement::Blocked { .. }));
            }
            "envelope/" => assert_eq!((progress.records, found.broken), (3, 1)),
            _ => assert!(progress.records == 3 && quarantined.is_empty() && found.is_clean()),
        }
        let given_up = std::slice::from_ref(&bad);
        let retired = block_on(rotation.retire_leaving(&hospital.noted(), given_up)).unwrap();
        assert!(matches!(retired, Retirement::Done { .. }), "{kind}");
        // An erasure deletes it, too: that does not need its value.
        let erasure = hospital.world.erasure();
        assert!(block_on(hospital.over(&store).erase(&erasure)).is_ok());
        assert!(contents(&hospital.store).is_empty(), "{kind}");
    }
}

#[test]
fn a_wrap_that_does_not_open_is_counted_once() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let old = [hospital.access(0)];
    let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    let wrap = contents(&hospital.store).into_keys().find(|key| key.starts_with("wrap/")).unwrap();
    let Entry { tag, mut value } =
        block_on(hospital.store.get(std::slice::from_ref(&wrap))).unwrap().remove(0).unwrap();
    *value.last_mut().unwrap() ^= 1;
    block_on(hospital.store.apply(vec![Op::Swap { key: wrap.clone(), tag, value }])).unwrap();
    let found = block_on(rotation.verify()).unwrap();
    assert_eq!((found.broken, found.named), (1, vec![wrap]));
}

/// Between the word in the ledger and the end of the old consents.
#[test]
fn a_retirement_that_died_half_way_closes_nothing() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let old = [hospital.access(0)];
    let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    let (owner, section) = hospital.place();
    let repository = hospital.repository();
    let mut half_way = 0;
    for call in calls() {
        hospital.store.fail_at(call, Fault::Crash);
        let done = block_on(rotation.retire(&hospital.noted())).is_ok();
        hospital.store.heal();
        let served = block_on(repository.consents(&owner, &section, None)).unwrap();
        let destroyed = block_on(hospital.noted().state(&owner, &section, hospital.access(0).key_id())).unwrap()
            == KeyState::Destroyed;
        let expected = if destroyed { &hospital.chain[1..2] } else { &hospital.chain[..2] };
        assert!(served.iter().eq(expected.iter().map(|(stored, _)| stored)), "{call}");
        assert!(block_on(repository.get(&owner, &"r00000".parse().unwrap())).is_ok());
        half_way += u64::from(destroyed && !done);
        if done {
            break;
        }
    }
    assert!(half_way > 0);
}

/// A hundred calls are enough for some records and not for a thousand.
#[test]
fn workers_who_live_shortly_come_to_an_end_together() {
    let hospital = Hospital::new();
    for i in 0..40 {
        let record = sealed(&hospital.world, hospital.access(0), &format!("k{i:02}"));
        assert_eq!(block_on(hospital.repository().put(&record)).unwrap(), Put::Done);
    }
    hospital.publish(1);
    let phone = Author::device(&hospital.world.phone, hospital.world.devices()).unwrap();
    let old = [hospital.access(0)];
    let finished = (0..20).find(|life| {
        let clock = move || after(61 * life);
        let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &clock).unwrap();
        let rotation = rotation.reencrypt(hospital.noted(), &hospital.world.trust, hospital.world.devices(), &phone);
        hospital.store.fail_at(400, Fault::Crash);
        let done = block_on(rotation.run("job", |_| ()));
        hospital.store.heal();
        done.is_ok_and(|progress| progress.finished)
    });
    assert!(finished.is_some_and(|lives| lives > 0), "{finished:?}");
    let held = contents(&hospital.store);
    assert_eq!((count(&held, "body"), count(&held, "wrap")), (43, 43));
    let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
    assert!(block_on(rotation.verify()).unwrap().is_clean());
}

#[test]
fn a_job_of_one_branch_is_not_taken_for_that_of_another() {
    let branches = Branches::new();
    let store = MemoryStore::new();
    fill(&branches.world, &store, &branches.first.1, 3);
    for stored in [&branches.custodians.0, &branches.own.0] {
        assert_eq!(block_on(Repository::new(&store).put_consent(stored)), Ok(Put::Done));
    }
    let run = |old: &[&Access], new: &Access| {
        let rotation = Rotation::new(&store, old, new, &now).unwrap();
        block_on(rotation.run("monthly", |_| ())).unwrap()
    };
    let first = run(&[&branches.first.1], &branches.custodians.1);
    assert!(first.finished && first.records == 3);
    let second = run(&[&branches.first.1], &branches.own.1);
    assert!(second.finished && second.records == 0);
    let rotation = Rotation::new(&store, &[&branches.first.1], &branches.own.1, &now).unwrap();
    assert_eq!(block_on(rotation.quarantined("monthly")).unwrap().len(), 3);
}

#[test]
fn a_job_that_cannot_be_read_ends_no_sweep() {
    let hospital = Hospital::new();
    let (world, repository) = (&hospital.world, hospital.repository());
    hospital.publish(1);
    let (stored, access) = world.consent("b", "role:doctor");
    assert_eq!(block_on(repository.publish(&world.live(&stored), &stored)).unwrap(), Put::Done);
    assert_eq!(block_on(repository.put(&sealed(world, &access, "b"))).unwrap(), Put::Done);
    let sharing = world.phone.sharing(world.devices(), &world.trust, &access);
    let (stored, next, _) = sharing.rotate().unwrap().seal(NOW).unwrap();
    assert_eq!(block_on(repository.publish(&world.live(&stored), &stored)).unwrap(), Put::Done);
    let sweep = || {
        let keys = |consents: &[StoredConsent]| {
            let open = |stored| world.live(stored).open_as_device(&world.phone, &mut PinStore::default());
            let mut all = consents.iter().map(open).collect::<Result<Vec<_>, _>>()?;
            Ok(all.pop().map(|new| Keys { old: all, new, device: None }))
        };
        block_on(Sweep::new(&hospital.store, &now, Scope::Everything).run("sweep", keys, |_, _| ())).unwrap()
    };
    assert!(sweep().is_complete());
    // The job's entry of the first compartment is damaged, and both have something new to move.
    let job = contents(&hospital.store).into_keys().find(|key| key.starts_with(&hospital.prefix("job"))).unwrap();
    let tag = block_on(hospital.store.get(std::slice::from_ref(&job))).unwrap().remove(0).unwrap().tag;
    block_on(hospital.store.apply(vec![Op::Swap { key: job, tag, value: vec![0xff] }])).unwrap();
    let swept = sweep();
    assert_eq!((swept.finished, &swept.damaged), (1, &vec![hospital.place()]));
    assert!(world.reader().open(&read(&hospital.store, &next, "b"), &[&next]).is_ok());
}

/// Reads as somebody who believes the patient's devices.
#[test]
fn what_a_custodians_branch_held_is_read_until_it_is_moved() {
    let branches = Branches::new();
    let store = MemoryStore::new();
    fill(&branches.world, &store, &branches.custodians.1, 1);
    let reader = Reader::new(&branches.world.trust, after(20_000)).devices(branches.world.devices().clone());
    let record = read(&store, &branches.custodians.1, "r00000");
    assert!(reader.open(&record, &[&branches.custodians.1]).is_ok());
    assert_eq!(reader.open(&record, &[&branches.own.1]).err(), Some(Error::CannotOpen));
}
