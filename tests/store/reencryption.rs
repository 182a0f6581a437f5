//! Parts are sealed again under new keys of their own, in bulk; amendments keep what they replace.

use crate::support::guard;
use crate::support::hospital::Scanned;
use crate::support::store::hands_on;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chartseal::pin::PinStore;

use crate::support::stored::{contents, fill, now, publish, read, sealed};
use crate::support::waiting::{block_on, calls};
use crate::support::world::{NOW, World};
use chartseal::Error;
use chartseal::consent::{Access, StoredConsent};
use chartseal::id::{Revision, Time};
use chartseal::owner::Device;
use chartseal::record::{Author, SealedRecord, Writer};
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Keys, Rotation, Scope, Sweep};
use chartseal::store::{BoxFuture, Entry, Fault, FaultyStore, MemoryStore, Op, Outcome, Store, StoreError};

fn device(world: &World) -> Author<'_> {
    Author::device(&world.phone, world.devices()).unwrap()
}

fn amended(world: &World, before: &SealedRecord, access: &Access, value: &str) -> SealedRecord {
    let reader = world.reader();
    let amendment = reader.amend(before, &[access]).unwrap().field("/diagnosis", value).unwrap();
    amendment.seal(&world.ada.author(), NOW).unwrap()
}

/// Everything that a database of before holds, with the wraps as they were, against the bodies of now.
fn opens_with_kept_wraps(world: &World, store: &dyn Store, kept: &SealedRecord, old: &Access) -> bool {
    let mut pieces = kept.pieces().unwrap();
    for (key, value) in contents(store) {
        if pieces.contains_key(&key) && !key.starts_with("wrap/") {
            pieces.insert(key, value);
        }
    }
    let Ok(record) = SealedRecord::from_pieces(kept.owner(), kept.record(), pieces) else {
        return false;
    };
    world.reader().open(&record, &[old]).is_ok()
}

#[test]
fn a_reencryption_gives_each_part_a_new_key_and_keeps_its_author() {
    let world = World::new();
    let (store, ledger, old) = (MemoryStore::new(), MemoryStore::new(), world.access("a"));
    fill(&world, &store, &old, 5);
    let kept = read(&store, &old, "r00003");
    let new = world.rotated(&old, "role:doctor");
    publish(&world, &store, &new);
    let author = device(&world);
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    // A rewrap alone leaves the parts' own keys to whoever kept a wrap.
    assert!(block_on(rotation.run("first", |_| ())).unwrap().finished);
    assert!(opens_with_kept_wraps(&world, &store, &kept, &old));
    let moved = world.reader().open(&read(&store, &new, "r00003"), &[&new]).unwrap();
    assert_eq!(moved.parts()[0].resealed, None);

    let rotation = rotation.reencrypt(guard::bound(&store, &ledger), &world.trust, world.devices(), &author);
    let progress = block_on(rotation.run("second", |_| ())).unwrap();
    assert!(progress.finished);
    assert!(!opens_with_kept_wraps(&world, &store, &kept, &old));
    for i in 0..5 {
        let record = read(&store, &new, &format!("r{i:05}"));
        let view = world.reader().open(&record, &[&new]).unwrap();
        assert_eq!(view.get("/diagnosis"), Ok(Some(format!("of r{i:05}").as_bytes())));
        let writer = &view.parts()[0].writer;
        assert!(matches!(writer, Writer::Person { person, .. } if person.as_str() == "dr-ada"));
        let sealer = view.parts()[0].resealed.as_ref().unwrap();
        assert!(matches!(&sealer.by, Writer::Device { device, .. } if device.as_str() == "phone"));
    }
    // What was replaced is gone: as many pieces as before.
    assert_eq!(contents(&store).keys().filter(|key| key.starts_with("body/")).count(), 5);
    assert_eq!(contents(&store).keys().filter(|key| key.starts_with("wrap/")).count(), 5);
    assert!(block_on(rotation.verify()).unwrap().is_clean());
}

#[test]
fn earlier_revisions_stay_and_are_sealed_again_with_the_rest() {
    let world = World::new();
    let (store, ledger, old) = (MemoryStore::new(), MemoryStore::new(), world.access("a"));
    let repository = Repository::new(&store);
    let first = sealed(&world, &old, "r");
    assert_eq!(block_on(repository.put(&first)).unwrap(), Put::Done);
    let second = amended(&world, &first, &old, "second");
    let third = amended(&world, &second, &old, "third");
    assert_eq!(block_on(repository.amend(&first, &second)).unwrap(), Put::Done);
    assert_eq!(block_on(repository.amend(&second, &third)).unwrap(), Put::Done);
    let new = world.rotated(&old, "role:doctor");
    publish(&world, &store, &new);
    let author = device(&world);
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    let rotation = rotation.reencrypt(guard::bound(&store, &ledger), &world.trust, world.devices(), &author);
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    assert!(block_on(rotation.quarantined("job")).unwrap().is_empty());
    for (revision, before, value) in [(0, &first, "of r"), (1, &second, "second"), (2, &third, "third")] {
        let found = block_on(repository.revision(old.owner(), first.record(), Revision(revision))).unwrap().unwrap();
        let view = world.reader().open(&found, &[&new]).unwrap();
        assert_eq!(view.get("/diagnosis"), Ok(Some(value.as_bytes())));
        assert!(!opens_with_kept_wraps(&world, &store, before, &old));
    }
    assert_eq!(block_on(repository.revision(old.owner(), first.record(), Revision(3))).unwrap(), None);
}

/// Two amend one revision: in the way that once let the loser write over the winner's envelope.
#[test]
fn of_two_amendments_one_counts_and_is_whole() {
    let world = World::new();
    let (store, access) = (MemoryStore::new(), world.access("a"));
    let repository = Repository::new(&store);
    let first = sealed(&world, &access, "r");
    assert_eq!(block_on(repository.put(&first)).unwrap(), Put::Done);
    let (one, other) = (amended(&world, &first, &access, "one"), amended(&world, &first, &access, "other"));
    let shared = other.pieces().unwrap().into_keys().filter(|key| one.pieces().unwrap().contains_key(key));
    assert_eq!(shared.collect::<Vec<_>>(), [SealedRecord::content_key(first.owner(), first.record())]);
    // The loser has written all but the content when the winner commits.
    let faulty = FaultyStore::new(store);
    faulty.fail_at(3, Fault::Refused);
    assert!(block_on(Repository::new(&faulty).amend(&first, &other)).is_err());
    faulty.heal();
    let repository = Repository::new(&faulty);
    assert_eq!(block_on(repository.amend(&first, &one)).unwrap(), Put::Done);
    assert_eq!(block_on(repository.amend(&first, &other)).unwrap(), Put::Conflict);
    assert_eq!(block_on(repository.amend(&first, &one)).unwrap(), Put::Done);
    assert_eq!(read(&faulty, &access, "r"), one);
    assert!(matches!(block_on(repository.amend(&other, &one)), Err(Error::ApiMisuse(_))));
}

#[test]
fn an_amendment_that_dies_at_any_call_leaves_the_old_or_the_new() {
    let world = World::new();
    let access = world.access("a");
    let first = sealed(&world, &access, "r");
    let second = amended(&world, &first, &access, "second");
    for fault in [Fault::Refused, Fault::AnswerLost, Fault::Torn(1), Fault::CrashTorn(2)] {
        for call in calls() {
            let store = FaultyStore::new(MemoryStore::new());
            let repository = Repository::new(&store);
            assert_eq!(block_on(repository.put(&first)).unwrap(), Put::Done);
            store.fail_at(call, fault);
            let died = block_on(repository.amend(&first, &second)).is_err();
            store.heal();
            let held = read(&store, &access, "r");
            assert!(held == first || held == second, "{fault:?} at {call}");
            assert_eq!(block_on(repository.amend(&first, &second)).unwrap(), Put::Done);
            assert_eq!(read(&store, &access, "r"), second);
            if !died {
                break;
            }
        }
    }
}

#[test]
fn a_reencryption_that_dies_at_any_call_loses_nothing_and_ends_whole() {
    let world = World::new();
    let old = world.access("a");
    let new = world.rotated(&old, "role:doctor");
    let author = device(&world);
    let ledger = MemoryStore::new();
    let records: Vec<_> = (0..2).map(|i| sealed(&world, &old, &format!("r{i:05}"))).collect();
    for fault in [Fault::Refused, Fault::AnswerLost, Fault::Torn(1), Fault::CrashTorn(2)] {
        let mut deaths = 0;
        for call in calls() {
            let store = FaultyStore::new(MemoryStore::new());
            for record in &records {
                assert_eq!(block_on(Repository::new(store.inner()).put(record)).unwrap(), Put::Done);
            }
            publish(&world, store.inner(), &new);
            let time = AtomicU64::new(NOW.as_secs());
            let clock = || Time::from_secs(time.load(Ordering::SeqCst)).unwrap();
            let rotation = Rotation::new(&store, &[&old], &new, &clock).unwrap();
            let rotation = rotation.reencrypt(guard::bound(&store, &ledger), &world.trust, world.devices(), &author);
            store.fail_at(call, fault);
            let died = block_on(rotation.run("job", |_| ())).is_err();
            store.heal();
            for record in &records {
                let held = read(&store, &old, record.record().as_str());
                assert!(world.reader().open(&held, &[&old, &new]).is_ok(), "{fault:?} at {call}");
            }
            deaths += u64::from(died);
            time.fetch_add(61, Ordering::SeqCst);
            assert!(block_on(rotation.run("job", |_| ())).unwrap().finished, "{fault:?} at {call}");
            assert!(block_on(rotation.quarantined("job")).unwrap().is_empty());
            assert!(block_on(rotation.verify()).unwrap().is_clean());
            for record in &records {
                let held = read(&store, &old, record.record().as_str());
                assert!(world.reader().open(&held, &[&new]).is_ok());
                assert!(!opens_with_kept_wraps(&world, &store, record, &old), "{fault:?} at {call}");
            }
            if !died {
                break;
            }
        }
        assert!(deaths > 10, "{fault:?}: {deaths}");
    }
}

/// Amends the record just before an envelope of it is swapped.
struct Racing<'a> {
    store: MemoryStore,
    armed: AtomicBool,
    amend: &'a (dyn Fn(&MemoryStore) + Sync),
}

impl Store for Racing<'_> {
    hands_on!(store: limits get tags keys scan);

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        let swaps = ops.iter().any(|op| matches!(op, Op::Swap { key, .. } if key.starts_with("envelope/")));
        if swaps && self.armed.swap(false, Ordering::SeqCst) {
            (self.amend)(&self.store);
        }
        self.store.apply(ops)
    }
}

#[test]
fn an_amendment_in_the_middle_of_a_reencryption_is_not_lost() {
    let world = World::new();
    let old = world.access("a");
    let ledger = MemoryStore::new();
    let first = sealed(&world, &old, "r");
    let second = amended(&world, &first, &old, "second");
    let amend = |store: &MemoryStore| {
        assert_eq!(block_on(Repository::new(store).amend(&first, &second)).unwrap(), Put::Done);
    };
    let store = Racing { store: MemoryStore::new(), armed: AtomicBool::new(false), amend: &amend };
    assert_eq!(block_on(Repository::new(&store).put(&first)).unwrap(), Put::Done);
    store.armed.store(true, Ordering::SeqCst);
    let new = world.rotated(&old, "role:doctor");
    publish(&world, &store, &new);
    let author = device(&world);
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    let rotation = rotation.reencrypt(guard::bound(&store, &ledger), &world.trust, world.devices(), &author);
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    assert!(!store.armed.load(Ordering::SeqCst));
    let held = read(&store, &old, "r");
    assert_eq!(held.revision(), Revision(1));
    let view = world.reader().open(&held, &[&new]).unwrap();
    assert_eq!(view.get("/diagnosis"), Ok(Some(&b"second"[..])));
}

#[test]
fn a_sweep_seals_all_compartments_of_a_patient_again() {
    let world = World::new();
    let (store, ledger) = (MemoryStore::new(), MemoryStore::new());
    let repository = Repository::new(&store);
    let mut kept = Vec::new();
    for compartment in ["a", "b"] {
        let (stored, access) = world.consent(compartment, "role:doctor");
        let record = sealed(&world, &access, &format!("in-{compartment}"));
        assert_eq!(block_on(repository.put_consent(&stored)).unwrap(), Put::Done);
        assert_eq!(block_on(repository.put(&record)).unwrap(), Put::Done);
        let change = world.phone.sharing(world.devices(), &world.trust, &access).rotate().unwrap();
        let (next, ..) = change.seal(NOW).unwrap();
        assert_eq!(block_on(repository.put_consent(&next)).unwrap(), Put::Done);
        kept.push((record, access));
    }
    let keys = |consents: &[StoredConsent]| {
        let open = |stored: &StoredConsent| world.live(stored).open_as_device(&world.phone, &mut PinStore::default());
        let mut opened = consents.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let phone = Device::decode(world.phone.to_secret_bytes().expose())?;
        let device = Some((world.devices().clone(), phone));
        Ok(Some(Keys { new: opened.pop().unwrap(), old: opened, device }))
    };
    let scope = Scope::Patient(world.alice.id().clone());
    let blind = block_on(Sweep::new(&store, &now, scope.clone()).run("blind", keys, |_, _| ())).unwrap();
    assert!(blind.refused.iter().all(|(_, _, why)| matches!(why, Error::ApiMisuse(_))));
    assert_eq!((blind.refused.len(), blind.finished), (2, 0));
    let swept = block_on(Sweep::new(&store, &now, scope).trusting(guard::bound(&store, &ledger), &world.trust).run(
        "job",
        keys,
        |_, _| (),
    ))
    .unwrap();
    assert_eq!((swept.finished, swept.is_complete()), (2, true));
    for (record, access) in &kept {
        assert!(world.reader().open(record, &[access]).is_ok());
        assert!(!opens_with_kept_wraps(&world, &store, record, access));
        assert_eq!(read(&store, access, record.record().as_str()).generation(access.compartment()).unwrap().0, 2);
    }
}

/// Counts what is asked for.
struct Counting<'a> {
    store: &'a MemoryStore,
    keys: AtomicU64,
}

impl Counting<'_> {
    fn count(&self, keys: usize) {
        self.keys.fetch_add(keys as u64, Ordering::SeqCst);
    }
}

impl Store for Counting<'_> {
    hands_on!(store: limits tags keys apply);

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        self.count(keys.len());
        self.store.get(keys)
    }

    fn scan<'a>(&'a self, prefix: &'a str, after: &'a str, n: usize) -> Scanned<'a> {
        Box::pin(async move {
            let page = self.store.scan(prefix, after, n).await?;
            self.count(page.len());
            Ok(page)
        })
    }
}

#[test]
fn a_record_is_sealed_again_in_as_many_reads_as_it_has_revisions() {
    let world = World::new();
    let old = world.access("a");
    let new = world.rotated(&old, "role:doctor");
    let (ledger, author) = (MemoryStore::new(), device(&world));
    let reads = |revisions: usize| {
        let store = MemoryStore::new();
        publish(&world, &store, &new);
        let mut last = sealed(&world, &old, "r");
        assert_eq!(block_on(Repository::new(&store).put(&last)), Ok(Put::Done));
        for n in 1..revisions {
            let next = amended(&world, &last, &old, &n.to_string());
            assert_eq!(block_on(Repository::new(&store).amend(&last, &next)), Ok(Put::Done));
            last = next;
        }
        let counting = Counting { store: &store, keys: AtomicU64::new(0) };
        let rotation = Rotation::new(&counting, &[&old], &new, &now).unwrap();
        let rotation = rotation.reencrypt(guard::bound(&store, &ledger), &world.trust, world.devices(), &author);
        assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
        assert!(block_on(rotation.verify()).unwrap().is_clean());
        // Each revision opens under the new key.
        let reader = world.reader();
        for n in [0, revisions - 1] {
            let (owner, revision) = (old.owner(), Revision(n as u64));
            let held = block_on(Repository::new(&store).revision(owner, last.record(), revision)).unwrap().unwrap();
            assert!(reader.open(&held, &[&new]).is_ok());
        }
        counting.keys.load(Ordering::SeqCst)
    };
    let (few, many) = (reads(20), reads(200));
    assert!(many < 11 * few, "{few} and {many}");
}
