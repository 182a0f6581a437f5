//! Bodies in segments: no piece of a record is larger than a store takes.

use crate::support::waiting::block_on;
use crate::support::world::{NOW, World, record};
use chartseal::Error;
use chartseal::record::SealedRecord;
use chartseal::repository::{Put, Repository};
use chartseal::seal::MAX_FIELD;
use chartseal::store::{MAX_VALUE, MemoryStore};

/// Three fields of the most that one may have, and a small one.
fn large(world: &World) -> (chartseal::consent::Access, SealedRecord) {
    let access = world.access("a");
    let value = |n: u8| vec![n; MAX_FIELD];
    let record = record("r").part(&access).unwrap().field("/b", value(1)).unwrap().field("/c", value(2)).unwrap();
    let record = record.field("/d", value(3)).unwrap().field("/a", "small").unwrap();
    let sealed = record.seal(&world.ada.author(), NOW).unwrap();
    (access, sealed)
}

#[test]
fn a_large_body_is_split_between_fields_and_comes_back_from_a_store() {
    let world = World::new();
    let (access, sealed) = large(&world);
    let pieces = sealed.pieces().unwrap();
    assert!(pieces.values().all(|piece| piece.len() <= MAX_VALUE));
    let bodies: Vec<_> = pieces.keys().filter(|key| key.starts_with("body/")).collect();
    assert!(bodies.len() > 1 && bodies.iter().enumerate().all(|(n, key)| key.ends_with(&format!("/{n:02}"))));
    let store = MemoryStore::new();
    let repository = Repository::new(&store);
    assert_eq!(block_on(repository.put(&sealed)), Ok(Put::Done));
    let held = block_on(repository.get(sealed.owner(), sealed.record())).unwrap().unwrap();
    assert_eq!(held, sealed);
    assert_eq!(world.reader().open(&held, &[&access]).unwrap().len(), 4);
}

/// Of each piece in turn: what is missing, stands in another's place, or says another number.
#[test]
fn segments_that_do_not_belong_together_are_no_record() {
    let world = World::new();
    let (_, sealed) = large(&world);
    let pieces = sealed.pieces().unwrap();
    let (owner, id) = (sealed.owner(), sealed.record());
    let bodies: Vec<_> = pieces.keys().filter(|key| key.starts_with("body/")).cloned().collect();
    let malformed = Err(Error::Malformed("sealed record"));
    for key in &bodies {
        let mut less = pieces.clone();
        less.remove(key);
        assert_eq!(SealedRecord::from_pieces(owner, id, less), malformed);
        for other in bodies.iter().filter(|other| *other != key) {
            let mut swapped = pieces.clone();
            swapped.insert(key.clone(), pieces[other].clone());
            assert_eq!(SealedRecord::from_pieces(owner, id, swapped), malformed);
        }
    }
    let number = 1 + b"\x68segments".len();
    for segments in [0, 1, u8::try_from(bodies.len()).unwrap() + 1, 23] {
        let mut other = pieces.clone();
        other.get_mut(&bodies[0]).unwrap()[number] = segments;
        assert_eq!(SealedRecord::from_pieces(owner, id, other), malformed, "{segments}");
    }
}

/// Fields moved to a segment of their own, though there is room in the one before.
#[test]
fn a_body_lies_in_one_row_of_segments_and_in_no_other() {
    let world = World::new();
    let sealed = world.sealed(&world.access("a"));
    let pieces = sealed.pieces().unwrap();
    let (key, body) = pieces.iter().find(|(key, _)| key.starts_with("body/")).unwrap();
    let (author, fields) = body.split_at(body.windows(7).rposition(|at| at == b"\x66fields").unwrap());
    let mut first = [author, b"\x66fields\xa0"].concat();
    first[1 + b"\x68segments".len()] = 2;
    let mut loose = pieces.clone();
    loose.insert(key.clone(), first);
    loose.insert(format!("{}01", key.strip_suffix("00").unwrap()), [&b"\xa1"[..], fields].concat());
    let read = SealedRecord::from_pieces(sealed.owner(), sealed.record(), loose);
    assert_eq!(read, Err(Error::Malformed("sealed record")));
    assert_eq!(SealedRecord::from_pieces(sealed.owner(), sealed.record(), pieces), Ok(sealed));
}
