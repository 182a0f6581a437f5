//! Replays `tests/vectors/consent/*.txt`: consents that another implementation must open, or refuse, as we do.
//!
//! Each file says: `expect` (`ok` or the error's text), `comment`, `devices` (the signed device list, CBOR), `owner`,
//! `compartment`, `now`, `form` (`json` or `cbor`) and `consent`; perhaps `seen`, a consent (CBOR) that the verifier
//! remembers; how it is opened, `as` (`device`, `identity`, `root` or `key`) and `secret`, with `parameters` for a user
//! key, or `as: nobody` to write only; and of one that opens, `terms` as JSON. Bytes are hexadecimal.

use std::collections::BTreeMap;

use crate::generate::if_asked;
use crate::support::case::{Case, unhex};
use chartseal::Result;
use chartseal::consent::{Access, DeviceList, LiveConsent, StoredConsent, Terms};
use chartseal::id::{OwnerId, Time};
use chartseal::identity::Identity;
use chartseal::kem::{PublicParameters, UserKey};
use chartseal::owner::{Device, Owner};
use chartseal::pin::PinStore;

#[test]
fn every_vector_ends_as_it_says() {
    if_asked(crate::generate::consent::write_all);
    let mut outcomes = BTreeMap::<_, u32>::new();
    for case in Case::all("consent") {
        *outcomes.entry(replay(case)).or_default() += 1;
    }
    for (outcome, least) in [
        ("ok", 6),
        ("cannot open", 4),
        ("consent is not signed by the key that it names", 10),
        ("malformed consent", 5),
    ] {
        assert!(outcomes.get(outcome).is_some_and(|&n| n >= least), "{outcome}: {outcomes:?}");
    }
}

fn replay(mut case: Case) -> String {
    let expect = case.text("expect");
    let name = case.name.clone();
    let (outcome, _comment) = (outcome(&mut case), case.text("comment"));
    let said = match &outcome {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.to_string(),
    };
    assert_eq!(said, expect, "{name}");
    match (outcome, case.maybe("terms")) {
        (Ok(Some(access)), Some(terms)) => {
            assert_eq!(*access.terms(), serde_json::from_str::<Terms>(&terms).unwrap(), "{name}");
        }
        (Ok(None) | Err(_), None) => {}
        _ => panic!("{name}: an opened consent has terms, and no other"),
    }
    case.finish();
    expect
}

fn outcome(case: &mut Case) -> Result<Option<Access>> {
    // Asked for first: every header counts, whatever fails.
    let list = case.bytes("devices");
    let owner: OwnerId = case.text("owner").parse().unwrap();
    let compartment = case.text("compartment").parse().unwrap();
    let now = Time::from_secs(case.text("now").parse().unwrap()).unwrap();
    let (form, text, seen) = (case.text("form"), case.text("consent"), case.maybe("seen"));
    let (opener, secret, parameters) = (case.text("as"), case.maybe("secret"), case.maybe("parameters"));

    let mut pins = PinStore::default();
    let devices = DeviceList::from_cbor(&list)?.accept(&owner, &mut pins, now)?;
    if let Some(seen) = seen {
        let seen = StoredConsent::from_cbor(&unhex(&seen))?.verify(&devices, &compartment, &pins, now).unwrap();
        seen.write_only(&mut pins).unwrap();
    }
    let stored = match form.as_str() {
        "json" => StoredConsent::from_json(&text),
        "cbor" => StoredConsent::from_cbor(&unhex(&text)),
        other => panic!("form {other}"),
    }?;
    assert_eq!(StoredConsent::from_json(&stored.to_json()?)?, stored, "{}", case.name);
    assert_eq!(StoredConsent::from_cbor(&stored.to_cbor()?)?, stored, "{}", case.name);
    let live = stored.verify(&devices, &compartment, &pins, now)?;
    let secret = secret.map(|secret| unhex(&secret)).unwrap_or_default();
    open(&live, &opener, (&secret, parameters), &mut pins)
}

fn open(
    live: &LiveConsent,
    opener: &str,
    (secret, parameters): (&[u8], Option<String>),
    pins: &mut PinStore,
) -> Result<Option<Access>> {
    match opener {
        "nobody" => live.write_only(pins).map(|_| None),
        "device" => live.open_as_device(&Device::decode(secret).unwrap(), pins).map(Some),
        "identity" => live.open_as(&Identity::decode(secret).unwrap(), pins).map(Some),
        "root" => live.open_as_root(&Owner::decode(secret).unwrap(), pins).map(Some),
        "key" => {
            let parameters = PublicParameters::decode(&unhex(&parameters.unwrap())).unwrap();
            live.open(&UserKey::decode(secret, &parameters).unwrap(), pins).map(Some)
        }
        other => panic!("as {other}"),
    }
}
