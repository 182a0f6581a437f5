//! What lies in a store in several values: bodies of records, an authority's state, and what it publishes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chartseal::authority::{Authority, BulletinBoard, REVOCATION_LIMIT, StoredAuthority, Trust};
use chartseal::pin::PinStore;
use chartseal::record::SealedRecord;
use chartseal::store::{MemoryStore, Op, Store};
use chartseal::{Error, Secret};
use pollster::block_on;

use super::record::opens_to_what_was_sealed;
use super::{AUTHORITY, HOUSE, NOW, PUBLISHED, edit};

/// The segments of a body, each `length (2) ‖ bytes`, the last one all that is left: with the other pieces of a genuine record
/// they are a record that gives these very segments again, and opens to nothing that was not sealed, or none.
pub(crate) fn segments(data: &[u8]) -> bool {
    let RecordPieces { genuine, pieces, body } = &*RECORD_PIECES;
    let (mut pieces, mut rest, mut number) = (pieces.clone(), data, 0);
    while let Some((&[high, low], bytes)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([high, low])).min(bytes.len());
        let (segment, more) = if number == 7 { (bytes, &[][..]) } else { bytes.split_at(length) };
        pieces.insert(format!("{body}{number:02}"), segment.to_vec());
        (rest, number) = (more, number + 1);
    }
    let (owner, id) = (genuine.owner(), genuine.record());
    let missing = SealedRecord::missing(owner, id, &pieces);
    let Ok(record) = SealedRecord::from_pieces(owner, id, pieces.clone()) else { return false };
    assert_eq!(missing, Ok(Vec::new()), "a whole record misses nothing");
    assert_eq!(record.pieces().expect("a record has pieces"), pieces, "one body has one form");
    opens_to_what_was_sealed(record);
    true
}

/// What an authority keeps and publishes, of which one value is changed: what is opened is what was kept, what is believed is
/// what was published, and what is posted again is there.
///
/// The first byte chooses the value, the second what becomes of it: 0 the rest takes its place, 1 the rest is edits to it
/// with the next one at hand, else it goes.
pub(crate) fn stored(data: &[u8]) -> bool {
    let &[at, form, ref rest @ ..] = data else { return false };
    let mut entries = STORED.clone();
    let at = usize::from(at) % entries.len();
    let next = entries[(at + 1) % entries.len()].1.clone();
    match form {
        0 => entries[at].1 = rest.to_vec(),
        1 => edit(&mut entries[at].1, &next, rest),
        _ => _ = entries.remove(at),
    }
    let store = MemoryStore::new();
    let puts = entries.into_iter().map(|(key, value)| Op::Put { key, value }).collect();
    block_on(store.apply(puts)).expect("memory holds it");

    let mut pins = PinStore::default();
    let opened = block_on(StoredAuthority::open(&store, &key(), &mut pins, AUTHORITY.clone()));
    let whole = match opened {
        Ok(mut house) => {
            let house = block_on(house.authority()).expect("it was opened");
            assert_eq!(*house.to_secret_bytes().unwrap().expose(), HOUSE.bytes, "another state was opened");
            true
        }
        Err(error) => {
            assert!(!matches!(error, Error::ApiMisuse(_) | Error::Store(_)), "{error}");
            assert_eq!(pins, PinStore::default(), "nothing is remembered of what is damaged");
            false
        }
    };
    let (board, genuine) = (BulletinBoard::new(&store), &PUBLISHED.bulletin);
    let posted = block_on(board.bulletin(&AUTHORITY));
    if let Ok(Some(found)) = &posted {
        let mut trust = Trust::new(REVOCATION_LIMIT);
        trust.add(PUBLISHED.anchor.clone()).unwrap();
        assert_eq!(trust.update(found, &mut PinStore::default(), NOW).is_ok(), found == genuine);
    }
    match block_on(board.post(genuine)) {
        Ok(()) => assert_eq!(block_on(board.bulletin(&AUTHORITY)), Ok(Some(genuine.clone())), "it was posted"),
        Err(error) => assert!(matches!(error, Error::Rollback(_)), "{error}"),
    }
    whole && posted.is_ok_and(|posted| posted.as_ref() == Some(genuine))
}

fn key() -> Secret<[u8; 32]> {
    Secret::new([12; 32])
}

/// What lies in the store of [`HOUSE`], by its keys.
pub(crate) static STORED: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let (store, mut pins) = (MemoryStore::new(), PinStore::default());
    let house = Authority::decode(&HOUSE.bytes).unwrap();
    block_on(StoredAuthority::create(&store, &key(), &mut pins, house)).expect("memory holds it");
    block_on(BulletinBoard::new(&store).post(&PUBLISHED.bulletin)).expect("memory holds it");
    block_on(store.scan("", "", 100)).unwrap().into_iter().map(|(key, entry)| (key, entry.value)).collect()
});

/// A record of the corpora, of which the body is missing.
struct RecordPieces {
    genuine: SealedRecord,
    pieces: BTreeMap<String, Vec<u8>>,
    /// What the keys of its segments begin with.
    body: String,
}

static RECORD_PIECES: LazyLock<RecordPieces> = LazyLock::new(|| {
    let (_, json) = include_str!("../../tests/vectors/record/one_field_json.txt").split_once("\n\n").unwrap();
    let genuine = SealedRecord::from_json(json).expect("it is a record");
    let mut pieces = genuine.pieces().expect("a record has pieces");
    let key = pieces.keys().find(|key| key.starts_with("body/")).expect("it has a body").clone();
    pieces.remove(&key);
    let body = key.strip_suffix("00").expect("one segment").to_owned();
    RecordPieces { genuine, pieces, body }
});

/// The one segment of that record.
pub(crate) static SEGMENT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let RecordPieces { genuine, body, .. } = &*RECORD_PIECES;
    genuine.pieces().expect("a record has pieces")[&format!("{body}00")].clone()
});
