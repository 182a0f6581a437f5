//! A record of which the store has lost a piece is written again by whoever still has it.

use chartseal::consent::Access;
use chartseal::record::{Author, SealedRecord};
use chartseal::repository::{Put, Repository};
use chartseal::seal::MAX_FIELD;
use chartseal::store::{MemoryStore, Op, Store};

use crate::support::hospital::{Hospital, Interrupted, When, remove};
use crate::support::stored::{contents, read};
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
