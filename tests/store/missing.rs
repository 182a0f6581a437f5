//! A record of which the store has lost a piece is written again by whoever still has it.

use chartseal::consent::Access;
use chartseal::record::{Author, SealedRecord};
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Retirement, Rotation};
use chartseal::seal::MAX_FIELD;
use chartseal::store::{MemoryStore, Op, Store};

use crate::support::hospital::{Hospital, Interrupted, When, remove};
use crate::support::stored::{contents, now, read};
use crate::support::waiting::block_on;
use crate::support::world::{NOW, World, record};

fn large(world: &World, accesses: &[Access; 2]) -> SealedRecord {
    let large = record("r").part(&accesses[0]).unwrap().field("/b", vec![1; MAX_FIELD]).unwrap();
    let large = large.field("/c", vec![2; MAX_FIELD]).unwrap().part(&accesses[1]).unwrap().field("/d", "d").unwrap();
    large.seal(&world.ada.author(), NOW).unwrap()
}

#[test]
fn a_record_that_is_put_again_is_whole_again_whatever_piece_was_lost() {
    let world = World::new();
    let accesses = [world.access("a"), world.access("b")];
    let record = large(&world, &accesses);
    let store = MemoryStore::new();
    let repository = Repository::new(&store);
    let put = || assert_eq!(block_on(repository.put(&record)).unwrap(), Put::Done);
    put();
    let whole = contents(&store);
    let lost: Vec<&String> = whole.keys().filter(|key| !key.starts_with("content/")).collect();
    assert!(lost.len() > 6);
    for key in &lost {
        remove(&store, key);
        put();
        assert_eq!(contents(&store), whole, "{key}");
    }
    lost.iter().for_each(|key| remove(&store, key));
    put();
    assert_eq!(contents(&store), whole);
    assert_eq!(block_on(repository.get(record.owner(), record.record())).unwrap(), Some(record.clone()));
}

/// By somebody who sees one part of two: the other one is not his to write, nor to wait for.
#[test]
fn an_amendment_that_is_made_again_is_whole_again_and_so_is_the_revision_before() {
    let world = World::new();
    let accesses = [world.access("a"), world.access("b")];
    let store = MemoryStore::new();
    let repository = Repository::new(&store);
    let whole = large(&world, &accesses);
    assert_eq!(block_on(repository.put(&whole)).unwrap(), Put::Done);
    let pieces = whole.pieces().unwrap().into_iter().filter(|(key, _)| !key.contains("/b/"));
    let before = SealedRecord::from_pieces(whole.owner(), whole.record(), pieces.collect()).unwrap();
    let amendment = world.reader().amend(&before, &[&accesses[0]]).unwrap().field("/b", "new").unwrap();
    let after = amendment.seal(&world.ada.author(), NOW).unwrap();
    let amend = || block_on(repository.amend(&before, &after)).unwrap();
    assert_eq!(amend(), Put::Done);
    let there = contents(&store);
    let mine = after.pieces().unwrap();
    let past = there.keys().filter(|key| key.starts_with("past/"));
    for key in mine.keys().chain(past).filter(|key| !key.starts_with("content/")) {
        remove(&store, key);
        assert_eq!(amend(), Put::Done);
        assert_eq!(contents(&store), there, "{key}");
    }
    let others = there.keys().find(|key| key.starts_with("wrap/") && key.contains("/b/")).unwrap();
    remove(&store, others);
    assert_eq!(amend(), Put::Done);
    assert!(!contents(&store).contains_key(others));
}

#[test]
fn a_piece_that_was_lost_does_not_come_back_under_a_key_that_takes_no_new_writes() {
    let hospital = Hospital::new();
    let record = read(&hospital.store, hospital.access(0), "r00000");
    let put = |store: &dyn Store| block_on(hospital.over(store).put(&record)).unwrap();
    let wrap = record.pieces().unwrap().into_keys().find(|key| key.starts_with("wrap/")).unwrap();
    // A publication in the middle is seen, too.
    remove(&hospital.store, &wrap);
    let publish = || hospital.publish(1);
    let writes_it = |op: &Op| op.key() == wrap;
    assert_eq!(put(&Interrupted::new(&hospital.store, When::Writing(&writes_it), &publish)), Put::Outdated);
    remove(&hospital.store, &wrap);
    let lost = contents(&hospital.store);
    assert_eq!(put(&hospital.store), Put::Outdated);
    assert_eq!(contents(&hospital.store), lost);
}

#[test]
fn what_was_sealed_again_and_lost_is_not_called_done() {
    let hospital = Hospital::new();
    let before = read(&hospital.store, hospital.access(0), "r00000");
    let phone = Author::device(&hospital.world.phone, hospital.world.devices()).unwrap();
    let after = hospital.world.reader().reseal(&before, (hospital.access(0), hospital.access(0)), &phone, NOW).unwrap();
    let repository = hospital.repository();
    assert_eq!(block_on(repository.reseal(&before, &after)).unwrap(), Put::Done);
    let whole = contents(&hospital.store);
    let put = |record: &SealedRecord| block_on(repository.put(record)).unwrap();
    assert_eq!(put(&before), Put::Done);
    assert_eq!(contents(&hospital.store), whole);
    for key in after.pieces().unwrap().keys().filter(|key| key.starts_with("wrap/") || key.starts_with("body/")) {
        remove(&hospital.store, key);
        let lost = contents(&hospital.store);
        assert_eq!(put(&before), Put::Conflict, "{key}");
        assert_eq!(contents(&hospital.store), lost, "{key}");
        assert_eq!(put(&after), Put::Done, "{key}");
        assert_eq!(contents(&hospital.store), whole, "{key}");
    }
}

#[test]
fn nothing_of_an_erased_owner_comes_back_when_a_record_is_put_again() {
    let hospital = Hospital::new();
    let record = read(&hospital.store, hospital.access(0), "r00000");
    let wrap = record.pieces().unwrap().into_keys().find(|key| key.starts_with("wrap/")).unwrap();
    remove(&hospital.store, &wrap);
    let world = &hospital.world;
    let erasure = world.alice.erase(NOW, NOW).unwrap().accept(world.devices(), NOW).unwrap();
    let erase = || assert!(block_on(hospital.repository().erase(&erasure)).is_ok());
    let writes_it = |op: &Op| op.key() == wrap;
    let slow = Interrupted::new(&hospital.store, When::Writing(&writes_it), &erase);
    assert_eq!(block_on(hospital.over(&slow).put(&record)).unwrap(), Put::Outdated);
    assert!(slow.happened() && contents(&hospital.store).is_empty());
}

/// The key of a piece of one part.
fn key_of(record: &SealedRecord, kind: &str, compartment: &str) -> String {
    let mut pieces = record.pieces().unwrap().into_keys();
    pieces.find(|key| key.starts_with(kind) && key.split('/').nth(2) == Some(compartment)).unwrap()
}

/// Neither lies under a compartment key, and the wrap is where it was.
#[test]
fn a_body_and_an_envelope_come_back_though_the_wrap_was_moved_to_a_later_key() {
    let hospital = Hospital::new();
    let record = read(&hospital.store, hospital.access(0), "r00000");
    hospital.publish(1);
    assert!(matches!(hospital.rotate(0, 1, "job"), Retirement::Done { .. }));
    let whole = contents(&hospital.store);
    for kind in ["body/", "envelope/"] {
        remove(&hospital.store, &key_of(&record, kind, "a"));
        assert_eq!(block_on(hospital.repository().put(&record)).unwrap(), Put::Done, "{kind}");
        assert_eq!(contents(&hospital.store), whole);
    }
}

impl Hospital {
    /// A record with a part under the first consent, and another one in another compartment.
    fn of_two_parts(&self) -> (SealedRecord, Access) {
        let (stored, other) = self.world.consent("b", "role:doctor");
        assert_eq!(block_on(self.repository().publish(&other, &stored)).unwrap(), Put::Done);
        let two = record("two").part(self.access(0)).unwrap().field("/c", "c").unwrap();
        let two = two.part(&other).unwrap().field("/d", "d").unwrap().seal(&self.world.ada.author(), NOW).unwrap();
        assert_eq!(block_on(self.repository().put(&two)).unwrap(), Put::Done);
        (two, other)
    }
}

#[test]
fn what_was_lost_of_one_part_comes_back_whatever_the_key_of_another() {
    let hospital = Hospital::new();
    let (two, other) = hospital.of_two_parts();
    let world = &hospital.world;
    let amendment = world.reader().amend(&two, &[hospital.access(0), &other]).unwrap();
    let amendment = amendment.part(&other).unwrap().field("/d", "new").unwrap();
    let after = amendment.seal(&world.ada.author(), NOW).unwrap();
    hospital.publish(1);
    remove(&hospital.store, &key_of(&two, "wrap/", "b"));
    assert_eq!(block_on(hospital.repository().put(&two)).unwrap(), Put::Done);
    assert_eq!(block_on(hospital.repository().amend(&two, &after)).unwrap(), Put::Done);
    let whole = contents(&hospital.store);
    remove(&hospital.store, &key_of(&after, "wrap/", "b"));
    assert_eq!(block_on(hospital.repository().amend(&two, &after)).unwrap(), Put::Done);
    assert_eq!(contents(&hospital.store), whole);
}

/// The operator gave up what was lost, and destroyed the key, while somebody who has it was on his way.
#[test]
fn a_piece_that_comes_back_under_a_destroyed_key_closes_no_record() {
    let hospital = Hospital::new();
    let (two, _) = hospital.of_two_parts();
    let (envelope, wrap) = (key_of(&two, "envelope/", "a"), key_of(&two, "wrap/", "a"));
    [&envelope, &wrap].into_iter().for_each(|key| remove(&hospital.store, key));
    let is_read = || block_on(hospital.repository().get(two.owner(), two.record())).map(|held| held.is_some());
    assert_eq!(is_read(), Ok(true));
    let act = || {
        hospital.publish(1);
        let old = [hospital.access(0)];
        let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
        assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
        assert!(matches!(block_on(rotation.retire(&hospital.noted())), Ok(Retirement::Blocked { .. })));
        let told = block_on(rotation.retire_leaving(&hospital.noted(), std::slice::from_ref(&envelope)));
        assert!(matches!(told, Ok(Retirement::Done { .. })), "{told:?}");
    };
    let writes_it = |op: &Op| op.key() == wrap;
    let slow = Interrupted::new(&hospital.store, When::Writing(&writes_it), &act);
    assert_eq!(block_on(hospital.over(&slow).put(&two)).unwrap(), Put::Outdated);
    assert!(slow.happened());
    assert_eq!(is_read(), Ok(true));
}
