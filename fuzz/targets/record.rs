//! Sealed records, in both forms.

use std::sync::LazyLock;
use std::time::Duration;

use chartseal::Error;
use chartseal::authority::{Anchor, Trust};
use chartseal::consent::{Access, DeviceList, Devices, StoredConsent};
use chartseal::id::Time;
use chartseal::identity::Signed;
use chartseal::owner::Device;
use chartseal::pin::PinStore;
use chartseal::record::{Reader, SealedRecord};

use super::{header, header_bytes};

/// What was read from JSON is written to the same record in both forms, and opens to nothing that was not sealed.
pub(crate) fn record_json(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let Ok(record) = SealedRecord::from_json(text) else { return false };
    let written = record.to_json().expect("a record can be written");
    let again = SealedRecord::from_json(&written).expect("and read");
    assert_eq!(again, record);
    assert_eq!(again.to_json().unwrap(), written);
    assert_eq!(SealedRecord::from_cbor(&record.to_cbor().unwrap()).expect("as CBOR, too"), record);
    opens_to_what_was_sealed(record);
    true
}

/// A record has one CBOR encoding, and opens to nothing that was not sealed.
pub(crate) fn record_cbor(data: &[u8]) -> bool {
    let Ok(record) = SealedRecord::from_cbor(data) else { return false };
    assert_eq!(record.to_cbor().expect("a record can be written"), data);
    assert_eq!(SealedRecord::from_json(&record.to_json().unwrap()).expect("as JSON, too"), record);
    opens_to_what_was_sealed(record);
    true
}

/// Whoever keeps the store can leave parts out of a record, and leave it alone; nothing else opens.
pub(super) fn opens_to_what_was_sealed(record: SealedRecord) {
    let RecordWorld { now, trust, devices, access, other } = &*RECORD_WORLD;
    let reader = Reader::new(trust, *now).devices(devices.clone());
    let opened = match reader.open(&record, &[access]) {
        Ok(view) => {
            assert_eq!(record.owner(), devices.owner(), "a record was moved");
            for (_, path, value) in view.iter() {
                assert!(FACTS.contains(&(path.as_str(), value)), "a value was forged at {path}");
            }
            true
        }
        Err(error) => {
            assert!(!matches!(error, Error::Malformed(_) | Error::TooLarge(_) | Error::ApiMisuse(_)), "{error}");
            false
        }
    };
    let pieces = record.pieces().expect("a record has pieces");
    let again = SealedRecord::from_pieces(record.owner(), record.record(), pieces).expect("and is made of them");
    assert_eq!(again, record);
    // Moves a part that opens, and changes nothing of what can be opened in another.
    let mut moved = record.clone();
    let moves = moved.rewrap(access, other).is_ok();
    assert!(moves || !opened, "a record that opens can be moved");
    let already = reader.open(&record, &[other]).is_ok();
    assert_eq!(reader.open(&moved, &[other]).is_ok(), opened || already);
    assert!(!opened || reader.open(&moved, &[access]).is_err());
    assert_eq!(reader.into_view(record, &[access]).is_ok(), opened);
}

/// Who can open the records of the corpora, which are some of the test vectors: see `tests/vectors/record.rs`.
struct RecordWorld {
    now: Time,
    trust: Trust,
    devices: Devices,
    access: Access,
    other: Access,
}

static RECORD_WORLD: LazyLock<RecordWorld> = LazyLock::new(|| {
    let text = include_str!("../../tests/vectors/record_world/world.txt");
    let bytes = |name: &str| header_bytes(text, name);
    let now = Time::from_secs(header(text, "now").parse().unwrap()).unwrap();
    let (mut trust, mut pins) = (Trust::new(Duration::MAX), PinStore::default());
    let key: [u8; 32] = bytes("anchor").try_into().unwrap();
    trust.add(Anchor { authority: header(text, "authority").parse().unwrap(), key: key.into() }).unwrap();
    trust.update_revocations(&Signed::from_cbor(&bytes("revocations")).unwrap(), &mut pins, now).unwrap();
    let device = Device::decode(&bytes("device")).unwrap();
    let list = DeviceList::from_cbor(&bytes("devices")).unwrap();
    let devices = list.accept(&list.unverified().owner, &mut pins, now).unwrap();
    let access = |name: &str| {
        let stored = StoredConsent::from_cbor(&bytes(&format!("consent {name}"))).unwrap();
        let compartment = "cardiology".parse().unwrap();
        let live = stored.verify(&devices, &compartment, &PinStore::default(), now).unwrap();
        live.open_as_device(&device, &mut PinStore::default()).unwrap()
    };
    let (access, other) = (access("cardiology"), access("cardiology-2"));
    RecordWorld { now, trust, devices, access, other }
});

/// All that the records of the corpora say in the compartment.
const FACTS: [(&str, &[u8]); 4] =
    [("/diagnosis", b"I21.4"), ("/diagnosis", b"I20.0"), ("/history", b"h"), ("/note", b"")];
