//! The two forms of a stored consent, and its limits.

use chartseal::Error;
use chartseal::consent::{Consent, MAX_CONSENT, MAX_SLOT, MAX_SLOTS, MAX_TERMS, StoredConsent};
use chartseal::identity::Identity;

use chartseal::pin::PinStore;

use crate::support::two_hospitals::{NOW, World, olave};

#[test]
fn both_forms_carry_the_same_consent() {
    let world = World::new();
    let (stored, _) = world.sealed("role:doctor");
    let (cbor, json) = (stored.to_cbor().unwrap(), stored.to_json().unwrap());
    assert_eq!(StoredConsent::from_cbor(&cbor).unwrap(), stored);
    assert_eq!(StoredConsent::from_json(&json).unwrap(), stored);
    assert_eq!(StoredConsent::from_json(&json).unwrap().to_cbor().unwrap(), cbor);
    let alone = stored.consent();
    assert_eq!(Consent::from_cbor(&alone.to_cbor().unwrap()).unwrap(), *alone);
    assert_eq!(Consent::from_json(&alone.to_json().unwrap()).unwrap(), *alone);
}

#[test]
fn every_cut_or_longer_consent_is_malformed() {
    let world = World::new();
    let (stored, _) = world.sealed("role:doctor");
    let (cbor, json) = (stored.to_cbor().unwrap(), stored.to_json().unwrap());
    let malformed = Err(Error::Malformed("consent"));
    for length in 0..cbor.len() {
        assert_eq!(StoredConsent::from_cbor(&cbor[..length]), malformed, "{length}");
    }
    for length in 0..json.len() {
        assert_eq!(StoredConsent::from_json(&json[..length]), malformed, "{length}");
    }
    assert_eq!(StoredConsent::from_cbor(&[&cbor[..], &[0]].concat()), malformed);
    assert_eq!(StoredConsent::from_json(&format!("{json}x")), malformed);
    let alone = stored.consent().to_cbor().unwrap();
    for length in 0..alone.len() {
        assert_eq!(Consent::from_cbor(&alone[..length]).unwrap_err(), Error::Malformed("consent"), "{length}");
    }
    assert_eq!(Consent::from_cbor(&[&alone[..], &[0]].concat()).unwrap_err(), Error::Malformed("consent"));
}

#[test]
fn other_members_other_suites_and_other_shapes_are_refused() {
    let world = World::new();
    let (stored, _) = world.sealed("role:doctor");
    let json: serde_json::Value = serde_json::from_str(&stored.to_json().unwrap()).unwrap();
    let read = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = json.clone();
        change(&mut json);
        StoredConsent::from_json(&json.to_string())
    };
    assert_eq!(read(&|_| {}).unwrap(), stored);
    let malformed = Err(Error::Malformed("consent"));
    assert_eq!(read(&|json| json["suite"] = "chartseal-2".into()), Err(Error::UnknownVersion("consent")));
    assert_eq!(read(&|json| json["more"] = 1.into()), malformed);
    assert_eq!(read(&|json| json["consent"]["statement"]["more"] = 1.into()), malformed);
    assert_eq!(
        read(&|json| drop(json["consent"]["statement"].as_object_mut().unwrap().remove("not_after"))),
        malformed
    );
    assert_eq!(read(&|json| json["slots"] = serde_json::json!([])), malformed);
    assert_eq!(read(&|json| json["slots"][0] = serde_json::json!([1, 2])), malformed);
    assert_eq!(read(&|json| json["terms"] = "AB".into()), malformed);
    assert_eq!(read(&|json| json["consent"]["statement"]["salt"] = "AAAA".into()), malformed);
    let members = |json: &serde_json::Value| json.as_object().unwrap().values().cloned().collect::<Vec<_>>();
    assert_eq!(read(&|json| json["consent"] = members(&json["consent"]).into()), malformed);
    let text = stored.to_json().unwrap();
    let twice = text.replacen("\"terms\"", "\"suite\":\"chartseal-1\",\"terms\"", 1);
    assert_eq!(StoredConsent::from_json(&twice), malformed);
}

#[test]
fn nesting_noise_and_boasted_lengths_are_malformed() {
    let world = World::new();
    let (stored, _) = world.sealed("role:doctor");
    let malformed = Err(Error::Malformed("consent"));
    for byte in [0x81, 0xa1, 0x9f, 0xbf, 0xc1, 0x5f, 0x00, 0xff] {
        assert_eq!(StoredConsent::from_cbor(&vec![byte; MAX_CONSENT]), malformed, "{byte:x}");
    }
    for text in ["[", "{\"suite\":", "{\"suite\":\"chartseal-1\",\"consent\":{\"statement\":[["] {
        assert_eq!(StoredConsent::from_json(&text.repeat(2 * MAX_CONSENT / text.len())), malformed);
    }
    // A length that the bytes do not bear out, wherever there is a list, a map, a text or a byte string.
    let bytes = stored.to_cbor().unwrap();
    for at in 0..bytes.len() {
        let kind = bytes[at] & 0xe0;
        if (0x40..=0xa0).contains(&kind) {
            let boasting = [&bytes[..at], &[kind | 0x1b], &[0x0f; 8], &bytes[at + 1..]].concat();
            assert_eq!(StoredConsent::from_cbor(&boasting), malformed, "{at}");
        }
    }
    let mut state = 7_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33).to_le_bytes()[0]
    };
    for length in 0..2000 {
        let noise: Vec<u8> = (0..length).map(|_| noise()).collect();
        assert_eq!(StoredConsent::from_cbor(&noise), malformed);
        // Noise behind a good beginning.
        let at = (length * 31) % bytes.len();
        let spliced = [&bytes[..at], &noise].concat();
        assert!(spliced == bytes || StoredConsent::from_cbor(&spliced).is_err());
    }
}

#[test]
fn a_consent_takes_so_many_slots() {
    let world = World::new();
    let people: Vec<_> =
        (0..MAX_SLOTS - 1).map(|n| Identity::generate(format!("person-{n}").parse().unwrap()).unwrap()).collect();
    let naming = |count: usize| {
        people.iter().take(count).fold(world.consent(), |builder, who| builder.name(&who.public()).unwrap())
    };
    // Root and phone have slots of their own.
    let (stored, _) = naming(MAX_SLOTS - 2).seal(NOW).unwrap();
    assert_eq!(stored.slots().len(), MAX_SLOTS);
    assert!(world.verify(&stored).unwrap().open_as(&people[0], &mut PinStore::default()).is_ok());
    assert!(StoredConsent::from_cbor(&stored.to_cbor().unwrap()).is_ok());
    assert_eq!(naming(MAX_SLOTS - 1).seal(NOW).unwrap_err(), Error::TooLarge("slots"));

    let mut slots: Vec<_> = stored.slots().map(<[u8]>::to_vec).collect();
    slots.push(slots[0].clone());
    let more = StoredConsent::from_parts(stored.consent().clone(), stored.terms().to_vec(), slots);
    assert_eq!(more.unwrap_err(), Error::TooLarge("slots"));
    let mut json: serde_json::Value = serde_json::from_str(&stored.to_json().unwrap()).unwrap();
    json["slots"].as_array_mut().unwrap().push("AA".into());
    assert_eq!(StoredConsent::from_json(&json.to_string()).unwrap_err(), Error::TooLarge("slots"));
}

#[test]
fn pieces_at_their_limits_are_taken_and_over_them_refused() {
    let world = World::new();
    let (stored, _) = world.sealed("role:doctor");
    let with = |terms: usize, slots: &[usize]| {
        let slots = slots.iter().map(|&length| vec![0; length]).collect();
        StoredConsent::from_parts(stored.consent().clone(), vec![0; terms], slots).map(|stored| {
            // What is refused later: these are not the pieces that were signed.
            assert_eq!(world.verify(&stored).unwrap_err(), Error::Forged("consent"));
            assert_eq!(StoredConsent::from_json(&stored.to_json().unwrap()).unwrap(), stored);
            stored.to_cbor().unwrap().len()
        })
    };
    assert!(with(0, &[MAX_SLOT]).is_ok());
    assert_eq!(with(0, &[MAX_SLOT + 1]), Err(Error::TooLarge("slot")));
    assert!(with(MAX_TERMS + 48, &[0]).is_ok());
    assert_eq!(with(MAX_TERMS + 49, &[0]), Err(Error::TooLarge("terms")));
    assert_eq!(with(0, &[]), Err(Error::Malformed("consent")));
    let full = [MAX_SLOT, MAX_SLOT, MAX_SLOT, MAX_SLOT, 48 * 1024];
    let rest = MAX_CONSENT - with(70_000, &full).unwrap() + 70_000;
    assert_eq!(with(rest, &full), Ok(MAX_CONSENT));
    assert_eq!(with(rest + 1, &full), Err(Error::TooLarge("consent")));
    assert_eq!(StoredConsent::from_cbor(&vec![0; MAX_CONSENT + 1]), Err(Error::TooLarge("consent")));
    assert_eq!(StoredConsent::from_json(&" ".repeat(2 * MAX_CONSENT + 1)), Err(Error::TooLarge("consent")));
}

#[test]
fn a_policy_too_large_with_its_month_is_refused_by_the_builder() {
    let world = World::new();
    let many: Vec<_> = (0..17).map(|n| format!("n{n} >= 1")).collect();
    let refused = world.consent().read(&world.trust, &olave(), &many.join(" and "));
    assert!(matches!(refused, Err(Error::Policy(_))));
    // 16 of them fit the policy, and not with the month.
    let fits = many[..16].join(" and ");
    let refused = world.consent().read(&world.trust, &olave(), &fits).unwrap().seal(NOW);
    assert!(matches!(refused, Err(Error::Policy(_))), "{refused:?}");
}
