//! Replays `tests/vectors/record/*.txt`: sealed records that another implementation must open, or refuse, as we do.
//!
//! `tests/vectors/record_world/world.txt` holds what all of them share, in hexadecimal: the anchor and the revocation
//! list of an authority, an owner's device list and one of her devices with its secrets, and her consents, which that
//! device opens.
//!
//! A case is headers, an empty line and the record. Headers: `expect` (`ok`, `cannot open`, `malformed`, `unknown
//! version`, `forged`, `not allowed`, `expired`, `revoked`), `comment`, `form` (`json`, or `cbor` as hexadecimal), `now`,
//! `consents` (those that the reader has opened). A record that opens has `closed` (how many parts stay closed), for each
//! part that counts `part <compartment>: <revision> <writer>`, for each field of it `field <compartment> <path>: <revision>
//! <value in hexadecimal>`, and for each part whose key is there and that does not count `refused <compartment>: [<verdict>,
//! …]`, the mildest first.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::generate::if_asked;
use crate::support::case::{Case, hex, unhex};
use chartseal::Error;
use chartseal::authority::{Anchor, RevocationList, Trust};
use chartseal::consent::{Access, DeviceList, Devices, StoredConsent};
use chartseal::id::Time;
use chartseal::identity::{Signed, SigningPublic};
use chartseal::owner::Device;
use chartseal::pin::PinStore;
use chartseal::record::{Reader, SealedRecord, View, Writer};

struct Shared {
    trust: Trust,
    devices: Devices,
    accesses: BTreeMap<String, Access>,
}

impl Shared {
    fn read() -> Self {
        let [mut world] = <[Case; 1]>::try_from(Case::all("record_world")).ok().unwrap();
        world.text("comment");
        let key: [u8; 32] = world.bytes("anchor").try_into().unwrap();
        let anchor = Anchor { authority: world.text("authority").parse().unwrap(), key: SigningPublic::from(key) };
        let now = Time::from_secs(world.text("now").parse().unwrap()).unwrap();
        let (mut trust, mut pins) = (Trust::new(Duration::MAX), PinStore::default());
        trust.add(anchor).unwrap();
        let revocations = Signed::<RevocationList>::from_cbor(&world.bytes("revocations")).unwrap();
        trust.update_revocations(&revocations, &mut pins, now).unwrap();
        let device = Device::decode(&world.bytes("device")).unwrap();
        let list = DeviceList::from_cbor(&world.bytes("devices")).unwrap();
        let devices = list.accept(&list.unverified().owner.clone(), &mut pins, now).unwrap();
        let mut accesses = BTreeMap::new();
        for name in ["cardiology", "cardiology-2", "psychiatry"] {
            let stored = StoredConsent::from_cbor(&world.bytes(&format!("consent {name}"))).unwrap();
            let compartment = stored.consent().unverified().compartment.clone();
            let live = stored.verify(&devices, &compartment, &PinStore::default(), now).unwrap();
            accesses.insert(name.to_owned(), live.open_as_device(&device, &mut PinStore::default()).unwrap());
        }
        world.finish();
        Self { trust, devices, accesses }
    }
}

#[test]
fn every_vector_ends_as_it_says() {
    if_asked(crate::generate::record::write_all);
    let shared = Shared::read();
    let mut outcomes = BTreeMap::<_, u32>::new();
    for case in Case::all("record") {
        *outcomes.entry(replay(&shared, case)).or_default() += 1;
    }
    let least = [
        ("ok", 20),
        ("cannot open", 16),
        ("malformed", 24),
        ("unknown version", 2),
        ("forged", 1),
        ("not allowed", 2),
        ("expired", 2),
        ("revoked", 1),
    ];
    for (outcome, least) in least {
        assert!(outcomes.get(outcome).is_some_and(|&n| n >= least), "{outcome}: {outcomes:?}");
    }
}

fn replay(shared: &Shared, mut case: Case) -> String {
    let name = case.name.clone();
    case.text("comment");
    let expect = case.text("expect");
    let payload = case.body();
    let decoded = match case.text("form").as_str() {
        "json" => SealedRecord::from_json(&payload),
        "cbor" => SealedRecord::from_cbor(&unhex(&payload.replace('\n', ""))),
        other => panic!("{name}: form {other}"),
    };
    let now = Time::from_secs(case.text("now").parse().unwrap()).unwrap();
    let reader = Reader::new(&shared.trust, now).devices(shared.devices.clone());
    let consents = case.text("consents");
    let accesses: Vec<_> = consents.split(", ").map(|name| &shared.accesses[name]).collect();
    let mut shown: Vec<_> = case.maybe("closed").map(|closed| format!("closed: {closed}")).into_iter().collect();
    for prefix in ["part ", "field ", "refused "] {
        shown.extend(case.each(prefix).into_iter().map(|(name, value)| format!("{prefix}{name}: {value}")));
    }
    case.finish();
    let opened = decoded.and_then(|record| {
        // Whatever decodes has all forms, and they say the same.
        assert_eq!(SealedRecord::from_json(&record.to_json()?)?, record, "{name}");
        assert_eq!(SealedRecord::from_cbor(&record.to_cbor()?)?, record, "{name}");
        assert_eq!(SealedRecord::from_pieces(record.owner(), record.record(), record.pieces()?)?, record, "{name}");
        reader.open(&record, &accesses)
    });
    let outcome = match &opened {
        Ok(_) => "ok",
        Err(Error::CannotOpen) => "cannot open",
        Err(Error::Malformed(_)) => "malformed",
        Err(Error::UnknownVersion(_)) => "unknown version",
        Err(Error::Forged(_)) => "forged",
        Err(Error::NotAllowed) => "not allowed",
        Err(Error::Expired(_)) => "expired",
        Err(Error::Revoked(_)) => "revoked",
        Err(other) => panic!("{name}: {other:?}"),
    };
    assert_eq!(outcome, expect, "{name}");
    assert_eq!(opened.map(|view| lines_of(&view)).unwrap_or_default(), shown, "{name}");
    expect
}

/// What a view shows, as headers.
pub(crate) fn lines_of(view: &View) -> Vec<String> {
    let mut lines = vec![format!("closed: {}", view.closed().len())];
    for part in view.parts() {
        let writer = match &part.writer {
            Writer::Person { authority, person, .. } => format!("person {person} of {authority}"),
            Writer::Device { device, .. } => format!("device {device}"),
            other => panic!("{other:?}"),
        };
        lines.push(format!("part {}: {} {writer}", part.compartment, part.revision.0));
    }
    for (compartment, path, value) in view.iter() {
        let revision = view.values(compartment).unwrap().revision_of(path.as_str()).unwrap();
        lines.push(format!("field {compartment} {path}: {} {}", revision.0, hex(value)));
    }
    for refusal in view.refused() {
        lines.push(format!("refused {}: {:?}", refusal.compartment, refusal.verdicts));
    }
    lines
}
