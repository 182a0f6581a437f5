//! Records of a compartment move to a new key: through crashes, beside other workers and against racing writers.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

#[path = "common/stored.rs"]
mod stored;
#[path = "common/world.rs"]
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use chartseal::Error;
use chartseal::consent::Access;
use chartseal::id::{Generation, Time};
use chartseal::record::SealedRecord;
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Rotation, Verification};
use chartseal::store::{BoxFuture, Entry, Fault, FaultyStore, MemoryStore, Op, Outcome, Store, StoreError};
use pollster::block_on;
use stored::{contents, fill, now, read, sealed};
use world::{NOW, World};

/// Every record opens under the new key alone, is the author's, and says what it said; nothing opens under the old one.
fn all_moved(world: &World, store: &dyn Store, (old, new): (&Access, &Access), n: usize) {
    for i in 0..n {
        let id = format!("r{i:05}");
        let record = read(store, new, &id);
        let view = world.reader().open(&record, &[new]).unwrap();
        assert_eq!(view.get("/diagnosis"), Some(format!("of {id}").as_bytes()));
        assert_eq!(world.reader().open(&record, &[old]).err(), Some(Error::CannotOpen));
        assert_eq!(record.generation(new.compartment()), Some(new.generation()));
    }
}

#[test]
fn a_rotation_moves_every_record_and_touches_nothing_but_wraps() {
    let world = World::new();
    let (store, old, other) = (MemoryStore::new(), world.access("a"), world.access("b"));
    fill(&world, &store, &old, 25);
    let untouched = sealed(&world, &other, "elsewhere");
    assert_eq!(block_on(Repository::new(&store).put(&untouched)).unwrap(), Put::Done);
    let new = world.rotated(&old, "role:doctor");
    let before = contents(&store);
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    assert_eq!(block_on(rotation.verify()).unwrap().behind, 25);

    let progress = block_on(rotation.run("first", |_| ())).unwrap();
    assert!(progress.finished);
    assert_eq!(progress.records, 25);
    all_moved(&world, &store, (&old, &new), 25);
    let found = block_on(rotation.verify()).unwrap();
    assert!(found.is_clean());
    assert_eq!(found.moved, 25);
    for (key, value) in contents(&store).iter().filter(|(key, _)| !key.starts_with("job~")) {
        let changed = before.get(key) != Some(value);
        assert_eq!(changed, key.starts_with(&format!("wrap~{}~a~", old.owner())), "{key}");
    }
    // Again, and as a job of another name: nothing is left to do, and nothing changes.
    let after = contents(&store);
    assert_eq!(block_on(rotation.run("first", |_| panic!())).unwrap().records, 25);
    assert_eq!(contents(&store), after);
    assert!(block_on(rotation.run("second", |_| ())).unwrap().finished);
    all_moved(&world, &store, (&old, &new), 25);
}

/// Bodies are out of reach, and the rotation does not notice.
struct NoBodies(MemoryStore);

impl Store for NoBodies {
    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        assert!(keys.iter().all(|key| !key.starts_with("body~") && !key.starts_with("content~")));
        self.0.get(keys)
    }

    fn keys<'a>(&'a self, prefix: &'a str, after: &'a str, n: usize) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.0.keys(prefix, after, n)
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        assert!(ops.iter().all(|op| !op.key().starts_with("body~") && !op.key().starts_with("content~")));
        self.0.apply(ops)
    }
}

#[test]
fn neither_job_nor_verification_reads_a_body() {
    let world = World::new();
    let (store, old) = (NoBodies(MemoryStore::new()), world.access("a"));
    fill(&world, &store.0, &old, 5);
    let new = world.rotated(&old, "role:doctor");
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    assert!(block_on(rotation.verify()).unwrap().is_clean());
    all_moved(&world, &store.0, (&old, &new), 5);
}

/// A worker dies at each call of the store in turn, in each way; another one goes on when its time is over.
#[test]
fn a_rotation_that_dies_at_any_call_ends_as_if_it_had_not() {
    let world = World::new();
    let old = world.access("a");
    let new = world.rotated(&old, "role:doctor");
    let records: Vec<_> = (0..4).map(|i| sealed(&world, &old, &format!("r{i:05}"))).collect();
    let faults = [Fault::Refused, Fault::AnswerLost, Fault::Torn(2), Fault::Crash, Fault::CrashTorn(1)];
    for fault in faults {
        let mut deaths = 0;
        for call in 1.. {
            let store = FaultyStore::new(MemoryStore::new());
            for record in &records {
                assert_eq!(block_on(Repository::new(store.inner()).put(record)).unwrap(), Put::Done);
            }
            let time = AtomicU64::new(NOW.0);
            let clock = || Time(time.load(Ordering::SeqCst));
            let rotation = Rotation::new(&store, &[&old], &new, &clock).unwrap();
            store.fail_at(call, fault);
            let died = block_on(rotation.run("job", |_| ())).is_err();
            store.heal();
            deaths += u64::from(died);
            // What the dead worker holds is held until its time is over.
            time.fetch_add(61, Ordering::SeqCst);
            let progress = block_on(rotation.run("job", |_| ())).unwrap();
            assert!(progress.finished, "{fault:?} at {call}");
            assert!(block_on(rotation.verify()).unwrap().is_clean());
            assert!(block_on(rotation.quarantined("job")).unwrap().is_empty());
            all_moved(&world, store.inner(), (&old, &new), records.len());
            if !died {
                assert!(store.calls() < call + 40);
                break;
            }
        }
        assert!(deaths > 5, "{fault:?}: {deaths}");
    }
}

#[test]
fn a_worker_waits_for_another_ones_batch_and_takes_it_when_its_time_is_over() {
    let world = World::new();
    let (store, old) = (FaultyStore::new(MemoryStore::new()), world.access("a"));
    fill(&world, store.inner(), &old, 3);
    let new = world.rotated(&old, "role:doctor");
    let time = AtomicU64::new(NOW.0);
    let clock = || Time(time.load(Ordering::SeqCst));
    let rotation = Rotation::new(&store, &[&old], &new, &clock).unwrap();
    // The call after the claim was written.
    store.fail_at(4, Fault::Crash);
    assert!(block_on(rotation.run("job", |_| ())).is_err());
    store.heal();
    let held = block_on(rotation.run("job", |_| ())).unwrap();
    assert_eq!((held.finished, held.records), (false, 0));
    time.fetch_add(61, Ordering::SeqCst);
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    all_moved(&world, store.inner(), (&old, &new), 3);
}

#[test]
fn workers_share_a_job() {
    let world = World::new();
    let (store, old) = (MemoryStore::new(), world.access("a"));
    // More than two batches.
    let one = sealed(&world, &old, "r00000");
    let pieces = one.pieces().unwrap();
    let wrap = pieces.iter().find(|(key, _)| key.starts_with("wrap~")).unwrap();
    assert_eq!(block_on(Repository::new(&store).put(&one)).unwrap(), Put::Done);
    let copies = (1..2500).map(|i| {
        // Wraps are bound to their record; those of others do not open, and are what the quarantine is for.
        Op::Put { key: wrap.0.replace("r00000", &format!("x{i:05}")), value: wrap.1.clone() }
    });
    block_on(store.apply(copies.collect())).unwrap();
    let new = world.rotated(&old, "role:doctor");
    let batches = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
                // Whoever is not the last leaves before the job is finished.
                let mine = block_on(rotation.run("job", |_| _ = batches.fetch_add(1, Ordering::SeqCst))).unwrap();
                assert!(mine.records <= 2500);
            });
        }
    });
    // Each batch was done once.
    assert_eq!(batches.load(Ordering::SeqCst), 3);
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    let progress = block_on(rotation.run("job", |_| ())).unwrap();
    assert_eq!((progress.finished, progress.records), (true, 1));
    assert_eq!(block_on(rotation.quarantined("job")).unwrap().len(), 2499);
    all_moved(&world, &store, (&old, &new), 1);
}

/// Changes every wrap just before it is swapped, some times.
struct Racing<'a> {
    store: MemoryStore,
    left: Mutex<usize>,
    write: &'a (dyn Fn(&MemoryStore, &str) + Sync),
}

impl Store for Racing<'_> {
    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        self.store.get(keys)
    }

    fn keys<'a>(&'a self, prefix: &'a str, after: &'a str, n: usize) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.store.keys(prefix, after, n)
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        for op in &ops {
            let mut left = self.left.lock().unwrap();
            if *left > 0 && op.key().starts_with("wrap~") {
                *left -= 1;
                (self.write)(&self.store, op.key());
            }
        }
        self.store.apply(ops)
    }
}

#[test]
fn a_writer_who_is_faster_at_every_swap_loses_nothing_and_holds_nothing_up() {
    let world = World::new();
    let old = world.access("a");
    let new = world.rotated(&old, "role:doctor");
    // The writer puts the same part's key under a wrap of its own: the old one again, with another tag.
    let rewrite = |store: &MemoryStore, key: &str| {
        let Entry { tag, value } = block_on(store.get(&[key.into()])).unwrap().remove(0).unwrap();
        block_on(store.apply(vec![Op::Swap { key: key.into(), tag, value }])).unwrap();
    };
    let store = Racing { store: MemoryStore::new(), left: Mutex::new(0), write: &rewrite };
    fill(&world, &store.store, &old, 3);
    *store.left.lock().unwrap() = 9;
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    assert_eq!(*store.left.lock().unwrap(), 0);
    all_moved(&world, &store.store, (&old, &new), 3);

    // And one that deletes a record meanwhile.
    let delete = |store: &MemoryStore, key: &str| {
        let Entry { tag, .. } = block_on(store.get(&[key.into()])).unwrap().remove(0).unwrap();
        block_on(store.apply(vec![Op::Delete { key: key.into(), tag }])).unwrap();
    };
    let store = Racing { store: MemoryStore::new(), left: Mutex::new(0), write: &delete };
    fill(&world, &store.store, &old, 3);
    *store.left.lock().unwrap() = 1;
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    let progress = block_on(rotation.run("job", |_| ())).unwrap();
    assert_eq!((progress.finished, progress.records), (true, 2));
    assert!(block_on(rotation.quarantined("job")).unwrap().is_empty());
}

#[test]
fn what_is_written_under_the_old_key_meanwhile_shows_and_moves_with_the_next_job() {
    let world = World::new();
    let (store, old) = (MemoryStore::new(), world.access("a"));
    fill(&world, &store, &old, 2);
    let new = world.rotated(&old, "role:doctor");
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    assert!(block_on(rotation.run("one", |_| ())).unwrap().finished);
    assert_eq!(block_on(Repository::new(&store).put(&sealed(&world, &old, "a-late-one"))).unwrap(), Put::Done);
    let found = block_on(rotation.verify()).unwrap();
    assert_eq!((found.behind, found.is_clean()), (1, false));
    assert!(block_on(rotation.run("two", |_| ())).unwrap().finished);
    assert!(block_on(rotation.verify()).unwrap().is_clean());
    assert!(world.reader().open(&read(&store, &new, "a-late-one"), &[&new]).is_ok());
}

#[test]
fn what_cannot_be_moved_is_listed_and_spoils_the_verification() {
    let world = World::new();
    let (store, old) = (MemoryStore::new(), world.access("a"));
    fill(&world, &store, &old, 3);
    let new = world.rotated(&old, "role:doctor");
    let keys = block_on(store.keys("wrap~", "", 9)).unwrap();
    let damage = |key: &str, f: &dyn Fn(&mut Vec<u8>)| {
        let Entry { tag, mut value } = block_on(store.get(&[key.into()])).unwrap().remove(0).unwrap();
        let whole = value.clone();
        f(&mut value);
        block_on(store.apply(vec![Op::Swap { key: key.into(), tag, value }])).unwrap();
        whole
    };
    let whole = damage(&keys[0], &|value| *value.last_mut().unwrap() ^= 1);
    damage(&keys[1], &|value| value.truncate(9));
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    let progress = block_on(rotation.run("job", |_| ())).unwrap();
    assert_eq!((progress.finished, progress.records), (true, 1));
    let listed: Vec<_> = block_on(rotation.quarantined("job")).unwrap().into_iter().map(|entry| entry.key).collect();
    assert_eq!(listed, keys[..2]);
    assert!(!block_on(rotation.verify()).unwrap().is_clean());
    assert_eq!(block_on(rotation.retry("job")).unwrap(), 2);

    // One is brought back from a backup.
    damage(&keys[0], &|value| value.clone_from(&whole));
    assert_eq!(block_on(rotation.retry("job")).unwrap(), 1);
    let listed: Vec<_> = block_on(rotation.quarantined("job")).unwrap().into_iter().map(|entry| entry.key).collect();
    assert_eq!(listed, keys[1..2]);
}

/// A wrap that opens, and holds another key than its part's: whoever has the compartment key can make one.
#[test]
fn the_verification_holds_each_key_against_its_part() {
    let world = World::new();
    let (store, old) = (MemoryStore::new(), world.access("a"));
    let first = sealed(&world, &old, "r00000");
    let second = sealed(&world, &old, "r00000");
    assert_eq!(block_on(Repository::new(&store).put(&first)).unwrap(), Put::Done);
    let wrap =
        |record: &SealedRecord| record.pieces().unwrap().into_iter().find(|(key, _)| key.starts_with("wrap~")).unwrap();
    let (key, other) = (wrap(&first).0, wrap(&second).1);
    let tag = block_on(store.get(std::slice::from_ref(&key))).unwrap().remove(0).unwrap().tag;
    block_on(store.apply(vec![Op::Swap { key, tag, value: other }])).unwrap();
    let new = world.rotated(&old, "role:doctor");
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    let Verification { moved, broken, .. } = block_on(rotation.verify()).unwrap();
    assert_eq!((moved, broken), (1, 1));
}

/// The attacker's computation: the old compartment key on what the store holds now, without any check of ours but the
/// cipher's own.
#[test]
fn the_old_key_opens_no_new_wrap_and_a_kept_wrap_still_opens() {
    let world = World::new();
    let (store, old) = (MemoryStore::new(), world.access("a"));
    fill(&world, &store, &old, 1);
    let kept = read(&store, &old, "r00000");
    let new = world.rotated(&old, "role:doctor");
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    let moved = read(&store, &old, "r00000");
    // The generation in the clear put back, so that the old key is tried on the new wrap.
    let text = moved.to_json().unwrap().replace("\"generation\":2", "\"generation\":1");
    let disguised = SealedRecord::from_json(&text).unwrap();
    assert_eq!(disguised.generation(old.compartment()), Some(Generation(1)));
    assert_eq!(world.reader().open(&disguised, &[&old]).err(), Some(Error::CannotOpen));
    // What rotation does not protect: a copy of the store from before.
    assert!(world.reader().open(&kept, &[&old]).is_ok());
}

#[test]
fn a_rotation_is_refused_between_compartments_and_backwards() {
    let world = World::new();
    let (store, old) = (MemoryStore::new(), world.access("a"));
    let (new, other) = (world.rotated(&old, "role:doctor"), world.access("b"));
    let start = |old: &Access, new: &Access| Rotation::new(&store, &[old], new, &now).err();
    assert!(matches!(start(&other, &new), Some(Error::ApiMisuse(_))));
    assert!(matches!(start(&new, &old), Some(Error::ApiMisuse(_))));
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    for name in ["", "a~b", "a b", &"x".repeat(65)] {
        assert_eq!(block_on(rotation.run(name, |_| ())).err(), Some(Error::Malformed("name of a job")));
    }
}

#[test]
fn a_record_is_stored_whole_or_not_at_all_and_never_over_another() {
    let world = World::new();
    let access = world.access("a");
    let (one, other) = (sealed(&world, &access, "r"), sealed(&world, &access, "r"));
    let id = "r".parse().unwrap();
    for fault in [Fault::Crash, Fault::AnswerLost, Fault::Torn(1), Fault::CrashTorn(2)] {
        for call in 1..=3 {
            let store = FaultyStore::new(MemoryStore::new());
            let repository = Repository::new(&store);
            store.fail_at(call, fault);
            assert!(block_on(repository.put(&one)).is_err(), "{fault:?} at {call}");
            store.heal();
            let held = block_on(repository.get(access.owner(), &id)).unwrap();
            assert!(held.is_none_or(|held| held == one));
            assert_eq!(block_on(repository.put(&one)).unwrap(), Put::Done);
            assert_eq!(block_on(repository.get(access.owner(), &id)).unwrap().unwrap(), one);
            assert_eq!(block_on(repository.put(&other)).unwrap(), Put::Conflict);
            assert_eq!(block_on(repository.get(access.owner(), &id)).unwrap().unwrap(), one);
        }
    }
}

#[test]
fn consents_are_kept_by_their_version() {
    let world = World::new();
    let store = MemoryStore::new();
    let repository = Repository::new(&store);
    let (first, access) = world.consent("a", "role:doctor");
    let (other, _) = world.consent("a", "role:nurse");
    assert_eq!(block_on(repository.put_consent(&first)).unwrap(), Put::Done);
    assert_eq!(block_on(repository.put_consent(&first)).unwrap(), Put::Done);
    assert_eq!(block_on(repository.put_consent(&other)).unwrap(), Put::Conflict);
    let builder = world.phone.consent(world.devices(), "a".parse().unwrap()).after(&access).unwrap();
    let (second, _) = builder.seal(NOW).unwrap();
    assert_eq!(block_on(repository.put_consent(&second)).unwrap(), Put::Done);
    let consents = |after| block_on(repository.consents(access.owner(), access.compartment(), after)).unwrap();
    assert_eq!(consents(None), [first.clone(), second.clone()]);
    assert_eq!(consents(Some(&first)), [second]);
}
