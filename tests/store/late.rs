//! Callers who come late, twice, or beside others: an erasure, a restore, another worker.

use crate::support::store::hands_on;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::hospital::{Around, Corrupt, Hospital, Interrupted, Tags, When, put, writes_wrap};
use crate::support::stored::{backed_up, contents, now, read, sealed};
use crate::support::waiting::{Meeting, block_on, calls};
use crate::support::world::NOW;
use chartseal::Error;
use chartseal::backup;
use chartseal::consent::StoredConsent;
use chartseal::record::{Author, SealedRecord};
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Keys, Retirement, Rotation, Scope, Sweep};
use chartseal::store::{BoxFuture, Entry, Fault, FaultyStore, MemoryStore, Op, Store, StoreError};

fn writes_consent(op: &Op) -> bool {
    op.key().starts_with("consent/")
}

impl Hospital {
    /// Does this with a repository while the owner is erased in the middle of it, just before the first write of that kind.
    fn erased_before<T>(&self, kind: &str, work: impl Fn(&dyn Store) -> T) -> T {
        let erasure = self.world.erasure();
        let act = || assert!(block_on(self.repository().erase(&erasure)).is_ok());
        let is_due = |op: &Op| op.key().starts_with(kind);
        let store = Interrupted::new(&self.store, When::Writing(&is_due), &act);
        let done = work(&store);
        assert!(store.happened());
        done
    }

    fn resealed(&self) -> (SealedRecord, SealedRecord) {
        let before = read(&self.store, self.access(0), "r00000");
        let phone = Author::device(&self.world.phone, self.world.devices()).unwrap();
        let reader = self.world.reader();
        let after = reader.reseal(&before, (self.access(0), self.access(1)), &phone, NOW).unwrap();
        (before, after)
    }
}

/// Whoever is in a hurry comes before the backup, or while it comes in.
#[test]
fn nobody_guards_a_store_before_a_backup_is_whole_in_it() {
    let hospital = Hospital::new();
    let stream = backed_up(&hospital.store);
    hospital.publish(1);
    let old = [hospital.access(0)];
    let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    let store = MemoryStore::new();
    let (owner, section) = hospital.place();
    let refused = || {
        assert!(block_on(Repository::replace_store(&store, hospital.noted())).is_err());
        assert!(block_on(Repository::guarded(&store, hospital.noted())).is_err());
    };
    refused();
    let inner = Interrupted::new(&store, When::Writing(&writes_consent), &refused);
    let slow = Interrupted::new(&inner, When::Writing(&writes_wrap), &refused);
    assert!(block_on(backup::restore(&slow, &mut stream.as_slice())).is_ok());
    assert!(inner.happened() && slow.happened());
    let repository = block_on(Repository::replace_store(&store, hospital.noted())).unwrap();
    assert!(block_on(repository.catch_up(&owner, &section)).unwrap().is_some());
    assert_eq!(block_on(repository.behind()).unwrap(), [hospital.place()]);
    assert!(!hospital.old_key_opens(&store));
}

#[test]
fn a_consent_that_cannot_be_read_holds_up_neither_the_next_one_nor_other_compartments() {
    let hospital = Hospital::new();
    let bad = contents(&hospital.store).into_keys().find(|key| key.starts_with("consent/")).unwrap();
    let store = Corrupt { inner: &hospital.store, key: &bad };
    assert_eq!(block_on(hospital.over(&store).behind()), Ok(Vec::new()));
    let next = &hospital.chain[1].0;
    assert_eq!(block_on(hospital.over(&store).publish(&hospital.world.live(next), next)), Ok(Put::Done));
    let (owner, section) = hospital.place();
    let served = block_on(hospital.over(&store).consents(&owner, &section, None)).unwrap();
    assert_eq!(served, std::slice::from_ref(next));
    assert!(block_on(hospital.over(&store).get(&owner, &"r00000".parse().unwrap())).unwrap().is_some());
}

/// Reads slowly.
struct Slow<'a>(&'a dyn Store);

impl Store for Slow<'_> {
    hands_on!(0: limits tags keys scan apply);

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        if keys.len() > 1 && keys[0].starts_with("wrap/") {
            std::thread::sleep(Duration::from_millis(30));
        }
        self.0.get(keys)
    }
}

/// Each takes the other for dead before it is done.
#[test]
fn workers_whose_lease_is_too_short_come_to_an_end() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let start = Instant::now();
    let clock = || NOW.plus(Duration::from_secs(u64::try_from(start.elapsed().as_millis()).unwrap()));
    let store = Slow(&hospital.store);
    let (finished, batches) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let old = [hospital.access(0)];
                let rotation = Rotation::new(&store, &old, hospital.access(1), &clock).unwrap().lease(10);
                // Bounded, and by far enough.
                for _ in 0..2000 {
                    let done = block_on(rotation.run("job", |_| _ = batches.fetch_add(1, Ordering::SeqCst))).unwrap();
                    if done.finished {
                        assert_eq!(done.records, 3);
                        finished.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
        }
    });
    assert_eq!(finished.load(Ordering::SeqCst), 2);
    assert!(batches.load(Ordering::SeqCst) < 8, "{batches:?}");
}

#[test]
fn a_write_beside_an_erasure_leaves_nothing_whenever_it_comes() {
    // A content, after the erasure went through the contents; and the same call again.
    let hospital = Hospital::new();
    let late = sealed(&hospital.world, hospital.access(0), "late");
    let told = hospital.erased_before("content/", |store| block_on(hospital.over(store).put(&late)));
    assert_eq!(told, Ok(Put::Outdated));
    assert!(contents(&hospital.store).is_empty());
    assert_eq!(block_on(hospital.repository().put(&late)), Ok(Put::Outdated));
    // Parts that are sealed again, at either write, and again afterwards.
    for kind in ["wrap/", "replaced/"] {
        let hospital = Hospital::new();
        hospital.publish(1);
        let (before, after) = hospital.resealed();
        let told = hospital.erased_before(kind, |store| block_on(hospital.over(store).reseal(&before, &after)));
        assert_eq!(told, Ok(Put::Outdated), "{kind}");
        assert!(contents(&hospital.store).is_empty(), "{kind}");
    }
    // In the middle of the erasure, which has gone through the wraps and not through the bodies.
    let hospital = Hospital::new();
    hospital.publish(1);
    let (old, new) = hospital.resealed();
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
        assert_eq!(block_on(hospital.over(&store).reseal(&old, &new)), Ok(Put::Outdated));
    });
    assert!(contents(&hospital.store).is_empty());
}

/// Whoever did not hear that it was written, and tries again when the owner is erased.
#[test]
fn a_second_try_takes_back_what_the_first_one_wrote() {
    for consent in [false, true] {
        let hospital = Hospital::new();
        hospital.publish(1);
        let (before, after) = hospital.resealed();
        let next = &hospital.chain[2].0;
        let erasure = hospital.world.erasure();
        let act = || assert!(block_on(hospital.repository().erase(&erasure)).is_ok());
        let kind = if consent { "consent/" } else { "wrap/" };
        let is_due = |op: &Op| op.key().starts_with(kind);
        let store = FaultyStore::new(Interrupted::new(&hospital.store, When::Writing(&is_due), &act));
        let repository = hospital.over(&store);
        let work = || {
            if consent { block_on(repository.put_consent(next)) } else { block_on(repository.reseal(&before, &after)) }
        };
        for call in calls() {
            store.fail_at(call, Fault::AnswerLost);
            let told = work();
            store.heal();
            if store.inner().happened() || told.is_ok() {
                break;
            }
        }
        assert_eq!(work(), Ok(Put::Outdated));
        assert!(contents(&hospital.store).is_empty(), "{consent}");
    }
}

#[test]
fn a_sweep_of_a_bad_name_is_refused_and_calls_no_compartment_damaged() {
    let hospital = Hospital::new();
    let keys = |_: &[StoredConsent]| Ok(None::<Keys>);
    let told = block_on(Sweep::new(&hospital.store, &now, Scope::Everything).run("not a name", keys, |_, _| ()));
    assert_eq!(told.err(), Some(Error::Malformed("name of a job")));
}

#[test]
fn a_damaged_consent_in_a_backup_gives_way_to_whoever_catches_up() {
    let hospital = Hospital::new();
    let key = contents(&hospital.store).into_keys().find(|key| key.starts_with("consent/")).unwrap();
    let Entry { tag, mut value } = block_on(hospital.store.get(std::slice::from_ref(&key))).unwrap().remove(0).unwrap();
    value.truncate(20);
    block_on(hospital.store.apply(vec![Op::Swap { key: key.clone(), tag, value }])).unwrap();
    let mut stream = Vec::new();
    assert_eq!(block_on(backup::write(&hospital.store, &mut stream)).unwrap().damaged[0], key);
    let store = MemoryStore::new();
    let (owner, section) = hospital.place();
    let act = || assert_eq!(block_on(Repository::new(&store).put_consent(&hospital.chain[0].0)), Ok(Put::Done));
    let slow = Interrupted::new(&store, When::Writing(&writes_consent), &act);
    assert!(block_on(backup::restore(&slow, &mut stream.as_slice())).is_ok());
    assert_eq!(block_on(hospital.over(&store).stored_consents(&owner, &section, None)).unwrap().len(), 1);
}

/// Before it writes, a publisher is overtaken by the whole of a rotation; a wrap that is lost lies in the store.
#[test]
fn a_publisher_who_was_overtaken_closes_nothing() {
    let hospital = Hospital::new();
    hospital.publish(1);
    assert!(matches!(hospital.rotate(0, 1, "one"), Retirement::Done { .. }));
    let late = sealed(&hospital.world, hospital.access(0), "late").pieces().unwrap();
    let (key, value) = late.iter().find(|(key, _)| key.starts_with("wrap/")).unwrap();
    put(&hospital.store, key, value);
    let armed = AtomicBool::new(true);
    let overtake = || {
        if armed.swap(false, Ordering::SeqCst) {
            hospital.publish(2);
            assert!(matches!(hospital.rotate(1, 2, "two"), Retirement::Done { .. }));
        }
    };
    let store = Overtaken { inner: &hospital.store, act: &overtake };
    let next = &hospital.chain[2].0;
    assert_eq!(block_on(hospital.over(&store).publish(&hospital.world.live(next), next)), Ok(Put::Done));
    assert!(!armed.load(Ordering::SeqCst));
    assert_eq!(block_on(hospital.repository().behind()), Ok(Vec::new()));
}

/// Acts before consents are looked for.
struct Overtaken<'a> {
    inner: &'a dyn Store,
    act: &'a (dyn Fn() + Sync),
}

impl Store for Overtaken<'_> {
    hands_on!(inner: limits get keys scan apply);

    fn tags<'a>(&'a self, keys: &'a [String]) -> Tags<'a> {
        if keys[0].starts_with("consent/") {
            (self.act)();
        }
        self.inner.tags(keys)
    }
}

#[test]
fn an_earlier_revision_that_cannot_be_read_holds_up_no_other() {
    let hospital = Hospital::new();
    let access = [hospital.access(0)];
    for text in ["x", "y"] {
        let before = read(&hospital.store, hospital.access(0), "r00000");
        let amendment = hospital.world.reader().amend(&before, &access).unwrap();
        let amended = amendment.field("/diagnosis", text).unwrap().seal(&hospital.world.ada.author(), NOW).unwrap();
        assert_eq!(block_on(hospital.repository().amend(&before, &amended)).unwrap(), Put::Done);
    }
    hospital.publish(1);
    let bad = contents(&hospital.store).into_keys().find(|key| key.starts_with("past/")).unwrap();
    let store = Corrupt { inner: &hospital.store, key: &bad };
    let phone = Author::device(&hospital.world.phone, hospital.world.devices()).unwrap();
    let rotation = Rotation::new(&store, &access, hospital.access(1), &now).unwrap();
    let rotation = rotation.reencrypt(hospital.noted(), &hospital.world.trust, hospital.world.devices(), &phone);
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    assert_eq!(block_on(rotation.quarantined("job")).unwrap().len(), 1);
}
