//! Fixed bytes of what is signed and kept for the events of a life.
//!
//! `object: …` says what the body is, in JSON; `cbor` is the same in CBOR, `hash` that of the statement. Device lists say
//! who accepts them when. Shares say which key they give back. A consent has the list and the secret key of a device that opens
//! it, and says whom it excludes and which policies come of it.

use crate::generate::if_asked;
use crate::support::case::{Case, hex, unhex};
use crate::support::waiting::block_on;
use base64ct::{Base64UrlUnpadded, Encoding};
use chartseal::authority::Bulletin;
use chartseal::backup;
use chartseal::consent::{Decline, DeviceList, Head, Mandate, Referral, ReferralEnd, StoredConsent, Veto};
use chartseal::id::Time;
use chartseal::owner::recovery::{GuardianShare, Guardianship, RecoveryKey};
use chartseal::owner::{Device, Erasure};
use chartseal::pin::PinStore;
use chartseal::store::{MemoryStore, Store};

/// Both forms give each other; the hash is the statement's.
macro_rules! forms {
    ($type:ty, $case:expr, $body:expr) => {{
        let value = <$type>::from_json($body).unwrap();
        let cbor = $case.bytes("cbor");
        assert_eq!(hex(&value.to_cbor().unwrap()), hex(&cbor), "{}", $case.name);
        assert_eq!(<$type>::from_cbor(&cbor).unwrap().to_json().unwrap(), *$body, "{}", $case.name);
        value
    }};
}

macro_rules! statement {
    ($type:ty, $case:expr, $body:expr) => {{
        let value = forms!($type, $case, $body);
        assert_eq!(hex(value.hash().unwrap().as_bytes()), $case.text("hash"), "{}", $case.name);
    }};
}

#[test]
fn what_was_written_once_is_read_and_written_the_same() {
    if_asked(crate::generate::life::write_all);
    let cases = Case::all("life");
    assert!(cases.len() >= 22, "{} vectors: some are missing", cases.len());
    for mut case in cases {
        let object = case.text("object");
        let body = case.body();
        match object.as_str() {
            "referral" => statement!(Referral, case, &body),
            "end of referral" => statement!(ReferralEnd, case, &body),
            "decline" => statement!(Decline, case, &body),
            "veto" => statement!(Veto, case, &body),
            "erasure" => statement!(Erasure, case, &body),
            "mandate" => statement!(Mandate, case, &body),
            "head" => statement!(Head, case, &body),
            "consent" => consent(&mut case, &body),
            "bulletin" => assert!(forms!(Bulletin, case, &body).previous.is_some()),
            "device list" => list(&mut case, &body),
            "shares" => shares(&mut case, &body),
            "backup" => {
                let stream = Base64UrlUnpadded::decode_vec(&body).unwrap();
                let store = MemoryStore::new();
                let entries = block_on(backup::restore(&store, &mut stream.as_slice())).unwrap();
                assert_eq!(entries.to_string(), case.text("entries"));
                let keys = block_on(store.keys("", "", 99)).unwrap();
                assert_eq!(keys.join(" "), case.text("keys"));
            }
            other => panic!("{}: {other}", case.name),
        }
        case.finish();
    }
}

fn consent(case: &mut Case, body: &str) {
    let stored = forms!(StoredConsent, case, body);
    let list = DeviceList::from_cbor(&case.bytes("list")).unwrap();
    let (mut pins, said) = (PinStore::default(), stored.consent().unverified());
    let devices = list.accept(&said.owner, &mut pins, said.issued_at).unwrap();
    let live = stored.verify(&devices, &said.compartment, &pins, said.issued_at).unwrap();
    let access =
        live.open_as_device(&Device::decode(&case.bytes("device")).unwrap(), &mut PinStore::default()).unwrap();
    let terms = access.terms();
    let exclusions = terms.exclusions.iter().map(|one| serde_json::to_string(one).unwrap());
    assert_eq!(exclusions.collect::<Vec<_>>().join(" "), case.text("exclusions"));
    let [(_, read)] = access.read_policies() else { panic!() };
    assert_eq!(terms.read[0].sealed_policy(&terms.exclusions).unwrap().as_ref(), Some(read));
    let [(_, write)] = access.write_policies() else { panic!() };
    assert_eq!([read, write].map(ToString::to_string), ["read", "write"].map(|header| case.text(header)));
}

fn list(case: &mut Case, body: &str) {
    let list = forms!(DeviceList, case, body);
    let owner = case.text("owner").parse().unwrap();
    let now = Time::from_secs(case.text("now").parse().unwrap()).unwrap();
    let result = list.accept(&owner, &mut PinStore::default(), now);
    let said = result.map_or_else(|error| error.to_string(), |devices| format!("version {}", devices.version().0));
    assert_eq!(said, case.text("expect"), "{}", case.name);
}

fn shares(case: &mut Case, body: &str) {
    let plan = forms!(Guardianship, case, body);
    let shares: Vec<_> = case.each("share ").into_iter().map(|(_, share)| unhex(&share)).collect();
    let held: Vec<_> = shares.iter().map(|share| GuardianShare::decode(share).unwrap()).collect();
    let code = case.text("code");
    for pair in [[0, 1], [1, 2], [2, 0]] {
        let some = pair.map(|at| GuardianShare::decode(held[at].to_secret_bytes().unwrap().expose()).unwrap());
        let key = plan.combine(&some).unwrap();
        assert_eq!(*key.code().expose(), code);
        assert_eq!(RecoveryKey::from_code(&code).unwrap().public(), key.public());
    }
    let public = RecoveryKey::from_code(&code).unwrap().public();
    assert_eq!(hex(public.signing.as_bytes()), case.text("signing"));
    assert_eq!(hex(public.sealing.as_bytes()), case.text("sealing"));
    assert_eq!(hex(plan.hash().unwrap().as_bytes()), case.text("plan"));
}
