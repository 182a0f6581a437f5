//! Records of a compartment move to a new key: through crashes, beside other workers and against racing writers.

use crate::support::guard;
use crate::support::store::hands_on;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::stored::{contents, fill, now, publish, read, sealed};
use crate::support::waiting::{Meeting, block_on, calls};
use crate::support::world::{NOW, World};
use chartseal::Error;
use chartseal::consent::Access;
use chartseal::id::{Generation, Time};
use chartseal::ledger::KeyState;
use chartseal::record::SealedRecord;
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Retirement, Rotation, Verification};
use chartseal::store::{BoxFuture, Entry, Fault, FaultyStore, MemoryStore, Op, Outcome, Store, StoreError};

/// Every record opens under the new key alone, is the author's, and says what it said; nothing opens under the old one.
fn all_moved(world: &World, store: &dyn Store, (old, new): (&Access, &Access), n: usize) {
    for i in 0..n {
        let id = format!("r{i:05}");
        let record = read(store, new, &id);
        let view = world.reader().open(&record, &[new]).unwrap();
        assert_eq!(view.get("/diagnosis"), Ok(Some(format!("of {id}").as_bytes())));
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
    publish(&world, &store, &new);
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
    for (key, value) in contents(&store).iter().filter(|(key, _)| !key.starts_with("job/")) {
        let changed = before.get(key) != Some(value);
        assert_eq!(changed, key.starts_with(&format!("wrap/{}/a/", old.owner())), "{key}");
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
    hands_on!(0: limits tags keys scan);

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        assert!(keys.iter().all(|key| !key.starts_with("body/") && !key.starts_with("content/")));
        self.0.get(keys)
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        assert!(ops.iter().all(|op| !op.key().starts_with("body/") && !op.key().starts_with("content/")));
        self.0.apply(ops)
    }
}

#[test]
fn neither_job_nor_verification_reads_a_body() {
    let world = World::new();
    let (store, old) = (NoBodies(MemoryStore::new()), world.access("a"));
    fill(&world, &store.0, &old, 5);
    let new = world.rotated(&old, "role:doctor");
    publish(&world, &store, &new);
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    assert!(block_on(rotation.verify()).unwrap().is_clean());
    all_moved(&world, &store.0, (&old, &new), 5);
}

/// What a store holds, of each wrap its length: its salt is random. And of the job that nothing is claimed any more.
fn settled(store: &dyn Store) -> BTreeMap<String, Vec<u8>> {
    let mut held = contents(store);
    for (key, value) in &mut held {
        if key.starts_with("wrap/") {
            *value = value.len().to_be_bytes().to_vec();
        } else if key.starts_with("job/") {
            assert!(value.windows(7).any(|word| word == b"claims\x80"), "claims are left");
            value.clear();
        }
    }
    held
}

/// A worker dies at each call of the store in turn, in each way; another one goes on when its time is over.
#[test]
fn a_rotation_that_dies_at_any_call_ends_as_if_it_had_not() {
    let world = World::new();
    let old = world.access("a");
    let new = world.rotated(&old, "role:doctor");
    let records: Vec<_> = (0..4).map(|i| sealed(&world, &old, &format!("r{i:05}"))).collect();
    let calm = MemoryStore::new();
    for record in &records {
        assert_eq!(block_on(Repository::new(&calm).put(record)).unwrap(), Put::Done);
    }
    publish(&world, &calm, &new);
    let rotation = Rotation::new(&calm, &[&old], &new, &now).unwrap();
    let uninterrupted = block_on(rotation.run("job", |_| ())).unwrap();
    let calm = settled(&calm);
    let faults = [Fault::Refused, Fault::AnswerLost, Fault::Torn(2), Fault::Crash, Fault::CrashTorn(1)];
    for fault in faults {
        let mut deaths = 0;
        for call in calls() {
            let store = FaultyStore::new(MemoryStore::new());
            publish(&world, store.inner(), &new);
            for record in &records {
                assert_eq!(block_on(Repository::new(store.inner()).put(record)).unwrap(), Put::Done);
            }
            let time = AtomicU64::new(NOW.as_secs());
            let clock = || Time::from_secs(time.load(Ordering::SeqCst)).unwrap();
            let rotation = Rotation::new(&store, &[&old], &new, &clock).unwrap();
            store.fail_at(call, fault);
            let died = block_on(rotation.run("job", |_| ())).is_err();
            store.heal();
            deaths += u64::from(died);
            // What the dead worker holds is held until its time is over.
            time.fetch_add(61, Ordering::SeqCst);
            let progress = block_on(rotation.run("job", |_| ())).unwrap();
            assert!(progress.finished, "{fault:?} at {call}");
            assert_eq!((progress.records, progress.bytes), (uninterrupted.records, uninterrupted.bytes));
            assert_eq!(settled(store.inner()), calm, "{fault:?} at {call}");
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
    publish(&world, &store, &new);
    let time = AtomicU64::new(NOW.as_secs());
    let clock = || Time::from_secs(time.load(Ordering::SeqCst)).unwrap();
    let rotation = Rotation::new(&store, &[&old], &new, &clock).unwrap();
    // The call after the claim was written.
    store.fail_at(7, Fault::Crash);
    assert!(block_on(rotation.run("job", |_| ())).is_err());
    store.heal();
    let held = block_on(rotation.run("job", |_| ())).unwrap();
    assert_eq!((held.finished, held.records), (false, 0));
    time.fetch_add(61, Ordering::SeqCst);
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    all_moved(&world, store.inner(), (&old, &new), 3);
}

/// Another record after each batch, each behind all that were there.
#[test]
fn a_writer_of_ascending_ids_keeps_no_job_from_its_end() {
    let world = World::new();
    let (store, old) = (MemoryStore::new(), world.access("a"));
    block_on(store.apply(many(&world, &old, 1_100))).unwrap();
    let new = world.rotated(&old, "role:doctor");
    publish(&world, &store, &new);
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    let (mut batches, mut written) = (0, 0);
    let done = block_on(rotation.run("job", |_| {
        batches += 1;
        assert!(batches < 4, "it does not end");
        written += 1;
        let pieces = sealed(&world, &old, &format!("s{batches:05}")).pieces().unwrap();
        let put = pieces.into_iter().map(|(key, value)| Op::Put { key, value });
        block_on(store.apply(put.collect())).unwrap();
    }));
    assert_eq!(done.map(|done| (done.finished, done.records)), Ok((true, 1_100)));
    assert_eq!(block_on(rotation.verify()).unwrap().behind, written);
    // Those are for the next job.
    assert!(block_on(rotation.run("next", |_| ())).unwrap().finished);
    assert!(block_on(rotation.verify()).unwrap().is_clean());
}

/// Records of some batches: pieces that are sealed once, for many stores.
fn many(world: &World, access: &Access, n: usize) -> Vec<Op> {
    let records = (0..n).map(|i| sealed(world, access, &format!("r{i:05}")));
    let pieces = records.flat_map(|record| record.pieces().unwrap());
    pieces.map(|(key, value)| Op::Put { key, value }).collect()
}

#[test]
fn workers_share_a_job() {
    const RECORDS: usize = 2_100;
    let world = World::new();
    let (store, old) = (MemoryStore::new(), world.access("a"));
    block_on(store.apply(many(&world, &old, RECORDS))).unwrap();
    let new = world.rotated(&old, "role:doctor");
    publish(&world, &store, &new);
    // Nobody goes on after a first batch before the other one has done one, too.
    let (batches, both) = (AtomicU64::new(0), Meeting::new("each worker has done a batch"));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
                let mut mine = 0;
                let progress = block_on(rotation.run("job", |_| {
                    batches.fetch_add(1, Ordering::SeqCst);
                    mine += 1;
                    if mine == 1 {
                        both.meet();
                    }
                }));
                // Whoever is not the last leaves before the job is finished.
                assert!(progress.unwrap().records <= RECORDS as u64 && mine >= 1);
            });
        }
    });
    // Each batch was done once.
    assert_eq!(batches.load(Ordering::SeqCst), 3);
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    let progress = block_on(rotation.run("job", |_| panic!())).unwrap();
    assert_eq!((progress.finished, progress.records), (true, RECORDS as u64));
    assert!(block_on(rotation.quarantined("job")).unwrap().is_empty());
    all_moved(&world, &store, (&old, &new), RECORDS);
}

/// One of two workers dies between batches, at any call; the other one, who lives, has done its own meanwhile.
#[test]
fn a_worker_that_dies_among_others_leaves_them_its_batch() {
    const RECORDS: usize = 2_100;
    let world = World::new();
    let old = world.access("a");
    let new = world.rotated(&old, "role:doctor");
    let pieces = many(&world, &old, RECORDS);
    let mut deaths = 0;
    for call in 1..=24 {
        let store = FaultyStore::new(MemoryStore::new());
        block_on(store.inner().apply(pieces.clone())).unwrap();
        publish(&world, store.inner(), &new);
        let time = AtomicU64::new(NOW.as_secs());
        let clock = || Time::from_secs(time.load(Ordering::SeqCst)).unwrap();
        let dying = Rotation::new(&store, &[&old], &new, &clock).unwrap();
        let living = Rotation::new(store.inner(), &[&old], &new, &clock).unwrap();
        store.fail_at(call, if call % 2 == 0 { Fault::Crash } else { Fault::CrashTorn(500) });
        // After its first batch, the other one takes what there is.
        let mut first = true;
        let died = block_on(dying.run("job", |_| {
            if std::mem::take(&mut first) {
                assert_ne!(block_on(living.run("job", |_| ())).unwrap().records, 0);
            }
        }));
        deaths += u64::from(died.is_err());
        let held = block_on(living.run("job", |_| ())).unwrap();
        time.fetch_add(61, Ordering::SeqCst);
        let progress = block_on(living.run("job", |_| ())).unwrap();
        assert_eq!((progress.finished, progress.records), (true, RECORDS as u64), "{call}: {held:?}");
        assert!(block_on(living.verify()).unwrap().is_clean());
        all_moved(&world, store.inner(), (&old, &new), 3);
    }
    assert!(deaths > 8, "{deaths}");
}

#[test]
fn progress_tells_records_bytes_rate_and_what_is_left() {
    const RECORDS: usize = 2_100;
    let world = World::new();
    let (store, old) = (MemoryStore::new(), world.access("a"));
    block_on(store.apply(many(&world, &old, RECORDS))).unwrap();
    let new = world.rotated(&old, "role:doctor");
    publish(&world, &store, &new);
    let time = AtomicU64::new(NOW.as_secs());
    let clock = || Time::from_secs(time.load(Ordering::SeqCst)).unwrap();
    let rotation = Rotation::new(&store, &[&old], &new, &clock).unwrap();
    let mut seen = Vec::new();
    let end = block_on(rotation.run("job", |at| {
        seen.push((at.records, at.seconds, at.rate(), at.remaining(RECORDS as u64), at.finished));
        // Each of the next batches takes ten seconds.
        time.fetch_add(10, Ordering::SeqCst);
    }));
    let expected =
        [(1_000, 0, None, None, false), (2_000, 10, Some(200), Some(0), false), (2_100, 20, Some(105), Some(0), true)];
    assert_eq!(seen, expected);
    assert_eq!((seen[1].2, block_on(rotation.run("job", |_| ())).unwrap().remaining(5_000)), (Some(200), Some(41)));
    let wraps = contents(&store).into_iter().filter(|(key, _)| key.starts_with("wrap/"));
    assert_eq!(end.unwrap().bytes, wraps.map(|(_, value)| value.len() as u64).sum::<u64>());
}

/// Changes what is to be swapped or deleted just before that, each entry so many times.
struct Racing<'a> {
    store: MemoryStore,
    times: usize,
    what: &'a str,
    raced: Mutex<BTreeMap<String, usize>>,
    write: &'a (dyn Fn(&MemoryStore, &str) + Sync),
}

impl<'a> Racing<'a> {
    fn new(times: usize, what: &'a str, write: &'a (dyn Fn(&MemoryStore, &str) + Sync)) -> Self {
        Self { store: MemoryStore::new(), times, what, raced: Mutex::default(), write }
    }
}

impl Store for Racing<'_> {
    hands_on!(store: limits get tags keys scan);

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        for op in &ops {
            let mut raced = self.raced.lock().unwrap();
            let times = raced.entry(op.key().to_owned()).or_default();
            if !matches!(op, Op::Put { .. }) && op.key().starts_with(self.what) && *times < self.times {
                *times += 1;
                (self.write)(&self.store, op.key());
            }
        }
        self.store.apply(ops)
    }
}

/// The same value again, with another tag.
fn rewrite(store: &MemoryStore, key: &str) {
    if let Some(Entry { tag, value }) = block_on(store.get(&[key.into()])).unwrap().remove(0) {
        block_on(store.apply(vec![Op::Swap { key: key.into(), tag, value }])).unwrap();
    }
}

#[test]
fn a_writer_who_is_faster_at_every_swap_loses_nothing_and_holds_nothing_up() {
    let world = World::new();
    let old = world.access("a");
    let new = world.rotated(&old, "role:doctor");
    // Every entry that a rotation swaps: the wraps, and the job's own.
    let store = Racing::new(5, "", &rewrite);
    fill(&world, &store.store, &old, 3);
    publish(&world, &store.store, &new);
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    let progress = block_on(rotation.run("job", |_| ())).unwrap();
    assert_eq!((progress.finished, progress.records), (true, 3));
    let raced = std::mem::take(&mut *store.raced.lock().unwrap());
    let raced: Vec<_> = raced.into_iter().filter(|(_, times)| *times > 0).collect();
    assert!(raced.len() == 4 && raced.iter().all(|(_, times)| *times == 5), "{raced:?}");
    assert!(raced[0].0.starts_with("job/") && raced[1].0.starts_with("wrap/"));
    all_moved(&world, &store.store, (&old, &new), 3);
    // And one that deletes a record meanwhile.
    let delete = |store: &MemoryStore, key: &str| {
        let Entry { tag, .. } = block_on(store.get(&[key.into()])).unwrap().remove(0).unwrap();
        block_on(store.apply(vec![Op::Delete { key: key.into(), tag }])).unwrap();
    };
    let mut store = Racing::new(1, "", &delete);
    fill(&world, &store.store, &old, 3);
    publish(&world, &store.store, &new);
    let victim = block_on(store.store.keys("wrap/", "", 1)).unwrap().remove(0);
    store.what = &victim;
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    let progress = block_on(rotation.run("job", |_| ())).unwrap();
    assert_eq!((progress.finished, progress.records), (true, 2));
    assert!(block_on(rotation.quarantined("job")).unwrap().is_empty());
}

/// Somebody is faster at every swap of the ledger, and at every consent that is deleted.
#[test]
fn a_retirement_is_not_held_up_by_others_either() {
    let world = World::new();
    let (store, ledger) = (Racing::new(5, "", &rewrite), Racing::new(5, "", &rewrite));
    let repository = guard::guarded(&store, guard::ledger(&ledger));
    let (first, old) = world.consent("a", "role:doctor");
    assert_eq!(block_on(repository.publish(&world.live(&first), &first)).unwrap(), Put::Done);
    fill(&world, &store.store, &old, 3);
    let (second, new, _) =
        world.phone.sharing(world.devices(), &world.trust, &old).rotate().unwrap().seal(NOW).unwrap();
    assert_eq!(block_on(repository.publish(&world.live(&second), &second)).unwrap(), Put::Done);
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    let retired = block_on(rotation.retire(&guard::ledger(&ledger))).unwrap();
    assert_eq!(retired, Retirement::Done { consents: 1, lost: 0 });
    for (store, what) in [(&ledger, "ledger/"), (&store, "consent/")] {
        let raced = store.raced.lock().unwrap();
        assert!(raced.iter().any(|(key, times)| key.starts_with(what) && *times == 5), "{raced:?}");
    }
    let state =
        |access: &Access| block_on(guard::ledger(&ledger).state(old.owner(), old.compartment(), access.key_id()));
    assert_eq!((state(&old).unwrap(), state(&new).unwrap()), (KeyState::Destroyed, KeyState::Active));
    let consents = block_on(repository.consents(old.owner(), old.compartment(), None)).unwrap();
    assert_eq!(consents, [second]);
    all_moved(&world, &store.store, (&old, &new), 3);
}

#[test]
fn what_changes_again_and_again_is_put_aside_and_tried_later() {
    let world = World::new();
    let old = world.access("a");
    let new = world.rotated(&old, "role:doctor");
    let mut store = Racing::new(usize::MAX, "wrap/", &rewrite);
    fill(&world, &store.store, &old, 3);
    publish(&world, &store.store, &new);
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    let progress = block_on(rotation.run("job", |_| ())).unwrap();
    assert_eq!((progress.finished, progress.records), (true, 0));
    assert_eq!(block_on(rotation.quarantined("job")).unwrap().len(), 3);
    assert_eq!(block_on(rotation.retry("job")).unwrap(), 3);
    store.times = 0;
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    assert_eq!(block_on(rotation.retry("job")).unwrap(), 0);
    assert!(block_on(rotation.quarantined("job")).unwrap().is_empty());
    all_moved(&world, &store.store, (&old, &new), 3);
}

#[test]
fn what_is_written_under_the_old_key_meanwhile_shows_and_moves_with_the_next_job() {
    let world = World::new();
    let (store, old) = (MemoryStore::new(), world.access("a"));
    fill(&world, &store, &old, 2);
    let new = world.rotated(&old, "role:doctor");
    publish(&world, &store, &new);
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
    publish(&world, &store, &new);
    let keys = block_on(store.keys("wrap/", "", 9)).unwrap();
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
    let mut listed: Vec<_> =
        block_on(rotation.quarantined("job")).unwrap().into_iter().map(|entry| entry.key).collect();
    listed.sort();
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
        |record: &SealedRecord| record.pieces().unwrap().into_iter().find(|(key, _)| key.starts_with("wrap/")).unwrap();
    let (key, other) = (wrap(&first).0, wrap(&second).1);
    let tag = block_on(store.get(std::slice::from_ref(&key))).unwrap().remove(0).unwrap().tag;
    block_on(store.apply(vec![Op::Swap { key, tag, value: other }])).unwrap();
    let new = world.rotated(&old, "role:doctor");
    publish(&world, &store, &new);
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
    publish(&world, &store, &new);
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
