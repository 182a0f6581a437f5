//! Who opens a consent.

use std::collections::BTreeSet;
use std::time::Duration;

use chartseal::consent::{Access, Reader, UnenforcedExclusion};
use chartseal::identity::Identity;
use chartseal::policy::ParseErrorKind;
use chartseal::{Error, Unknown};

use chartseal::pin::PinStore;

use crate::support::two_hospitals::{DAY, NOW, Person, World, cardiology, issue, olave, opens, thomas};

#[test]
fn a_consent_opens_for_those_whom_its_policy_admits_and_for_the_owner() {
    let mut world = World::new();
    let ada = world.at_olave("dr-ada", "role:doctor, dept:icu");
    let nina = world.at_olave("nina", "role:nurse, dept:icu");
    let elsewhere = world.at_thomas("dr-eve", "role:doctor, dept:icu");
    let (stored, access) = world.sealed("role:doctor and dept:icu");
    let live = world.verify(&stored).unwrap();
    assert!(opens(&live, &ada) && !opens(&live, &nina) && !opens(&live, &elsewhere));

    let everybody = [
        live.open(&ada.key, &mut PinStore::default()).unwrap(),
        live.open_as_device(&world.phone, &mut PinStore::default()).unwrap(),
        live.open_as_root(&world.owner, &mut PinStore::default()).unwrap(),
    ];
    for opened in everybody {
        assert_eq!(opened.terms(), access.terms());
        assert_eq!(
            (opened.hash(), opened.version(), opened.write_key()),
            (live.hash(), live.version(), live.write_key())
        );
        assert_eq!((opened.owner(), opened.compartment()), (world.owner.id(), &cardiology()));
    }
    // The text that readers see, and what it was sealed as.
    assert_eq!(access.terms().read[0].policy, "role:doctor and dept:icu");
    assert_eq!(access.read_policies()[0].1.to_string(), "(role:doctor and dept:icu) and valid-until >= 2026-03");
}

#[test]
fn a_new_compartment_is_the_owners_alone() {
    let mut world = World::new();
    let ada = world.at_olave("dr-ada", "role:doctor");
    let (stored, access) = world.consent().seal(NOW).unwrap();
    let live = world.verify(&stored).unwrap();
    assert!(!opens(&live, &ada));
    assert_eq!(live.open_as(&ada.identity, &mut PinStore::default()).unwrap_err(), Error::CannotOpen);
    assert!(
        live.open_as_device(&world.phone, &mut PinStore::default()).is_ok()
            && live.open_as_root(&world.owner, &mut PinStore::default()).is_ok()
    );
    assert!(!access.may_write(&olave(), ada.shown.attributes()));
    assert_eq!(stored.slots().len(), 2);
}

#[test]
fn the_summary_is_shared_by_one_call() {
    let mut world = World::new();
    let ada = world.at_olave("dr-ada", "role:doctor");
    let devices = world.owner.devices();
    let (stored, _) = world.phone.share_summary(devices, &world.trust, &olave(), "role:doctor", NOW).unwrap();
    let live = stored.verify(devices, &"summary".parse().unwrap(), &world.pins, NOW).unwrap();
    assert!(opens(&live, &ada));
}

#[test]
fn named_people_and_the_custodian_open_whatever_their_attributes() {
    let mut world = World::new();
    let bob = world.at_olave("dr-bob", "role:porter");
    let carol = Identity::generate("carol".parse().unwrap()).unwrap();
    let custodian = Identity::generate("key-service".parse().unwrap()).unwrap();
    let builder = world.consent().name(&bob.shown).unwrap().name(&carol.public()).unwrap();
    let (stored, access) = builder.custodian(&custodian.public()).unwrap().seal(NOW).unwrap();
    let live = world.verify(&stored).unwrap();
    for who in [&bob.identity, &carol, &custodian] {
        assert!(live.open_as(who, &mut PinStore::default()).is_ok());
    }
    let stranger = Identity::generate("carol".parse().unwrap()).unwrap();
    assert_eq!(live.open_as(&stranger, &mut PinStore::default()).unwrap_err(), Error::CannotOpen);
    assert!(!opens(&live, &bob), "he has no attributes for it");
    let names: Vec<_> = access.terms().people.iter().map(|named| named.person.as_str()).collect();
    assert_eq!(names, ["dr-bob", "carol"]);

    let twice = world.consent().name(&carol.public()).unwrap().custodian(&carol.public());
    assert!(matches!(twice, Err(Error::ApiMisuse(_))));
}

#[test]
fn slots_for_holders_have_one_length_and_one_form() {
    let world = World::new();
    let carol = Identity::generate("carol".parse().unwrap()).unwrap();
    let custodian = Identity::generate("key-service".parse().unwrap()).unwrap();
    let builder = world.consent().name(&carol.public()).unwrap();
    let (stored, _) = builder.custodian(&custodian.public()).unwrap().seal(NOW).unwrap();
    let slots: Vec<_> = stored.slots().collect();
    assert_eq!(slots.len(), 4);
    // Map of two, `salt` and its 32 bytes, `content`, map of one, `sealed`, map of two, `encapped` and its 32 bytes,
    // `data` and its 48 bytes: nothing but random bytes and ciphertext differs.
    let open = |slot: &[u8]| {
        let (salt, key, data) = (8..40, 68..100, 107..155);
        assert_eq!(slot.len(), data.end);
        let keep = |at: &usize| !(salt.contains(at) || key.contains(at) || data.contains(at));
        (0..slot.len()).filter(keep).map(|at| slot[at]).collect::<Vec<_>>()
    };
    assert_eq!(slots.iter().map(|slot| open(slot)).collect::<BTreeSet<_>>().len(), 1);
}

#[test]
fn what_the_server_keeps_of_a_consent_names_nobody_who_is_in_it_or_excluded() {
    let mut world = World::new();
    world.at_olave("dr-bob", "role:doctor");
    let [carol, keeper] = ["carol", "key-service"].map(|name| Identity::generate(name.parse().unwrap()).unwrap());
    let builder = world.consent().read(&world.trust, &olave(), "role:doctor").unwrap();
    let builder = builder.write(&world.trust, &olave(), "role:scribe").unwrap().exclude("dr-bob".parse().unwrap());
    let builder = builder.name(&carol.public()).unwrap().custodian(&keeper.public()).unwrap();
    let (stored, _) = builder.seal(NOW).unwrap();
    let live = world.verify(&stored).unwrap();
    let access = live.open_as(&carol, &mut PinStore::default()).unwrap();
    assert_eq!(access.terms().exclusions[0].person, Some("dr-bob".parse().unwrap()));
    let (json, cbor) = (stored.to_json().unwrap(), stored.to_cbor().unwrap());
    let holds =
        |what: &[u8]| json.as_bytes().windows(what.len()).chain(cbor.windows(what.len())).any(|window| window == what);
    // It sees the policy of who reads.
    assert!(holds(b"st-olave") && holds(b"role") && holds(b"doctor"));
    let root = world.owner.list().unverified().root_sealing;
    let keys = [carol.public().sealing, keeper.public().sealing, world.phone.public().sealing, root];
    for secret in [&b"dr-bob"[..], b"carol", b"key-service", b"scribe"]
        .into_iter()
        .chain(keys.iter().map(|key| &key.as_bytes()[..]))
    {
        assert!(!holds(secret), "{}", String::from_utf8_lossy(secret));
    }
}

#[test]
fn an_excluded_person_stays_excluded_with_a_new_key() {
    let mut world = World::new();
    let ada = world.at_olave("dr-ada", "role:doctor");
    let bob = world.at_olave("dr-bob", "role:doctor");
    let (stored, _) = world.sealed("role:doctor and not user:dr-bob");
    let live = world.verify(&stored).unwrap();
    assert!(opens(&live, &ada) && !opens(&live, &bob));

    // The same person with another key and more attributes.
    let bob = issue(
        &mut world.olave,
        &world.trust,
        bob.identity,
        "role:doctor, dept:icu",
        NOW.plus(Duration::from_secs(400 * DAY)),
    );
    assert!(!opens(&live, &bob));
    // And with a new identity, lost the old one.
    let identity = Identity::generate("dr-bob".parse().unwrap()).unwrap();
    let reason = chartseal::authority::Reason::Compromised;
    world.olave.replace_keys(&identity.enrol().unwrap(), NOW, reason, NOW).unwrap();
    world.update();
    let bob = issue(&mut world.olave, &world.trust, identity, "role:doctor", NOW.plus(Duration::from_secs(365 * DAY)));
    assert!(!opens(&live, &bob));
}

#[test]
fn an_exclusion_holds_under_every_authority_that_knows_the_name_and_shows_where_not() {
    let mut world = World::new();
    let ada = world.at_olave("dr-ada", "role:doctor");
    let bob = world.at_olave("dr-bob", "role:doctor");
    let excluding = |world: &World| {
        let builder = world.consent().read(&world.trust, &thomas(), "role:doctor").unwrap();
        builder.read(&world.trust, &olave(), "role:doctor and not user:dr-bob").unwrap().preview(&[], NOW).unwrap()
    };
    // St Thomas' has not linked him.
    let unenforced = UnenforcedExclusion { authority: thomas(), person: "dr-bob".parse().unwrap() };
    assert_eq!(excluding(&world).unenforced, [unenforced]);

    let bob_at_thomas = world.at_thomas("dr-bob", "role:doctor");
    let eve = world.at_thomas("dr-eve", "role:doctor");
    assert_eq!(excluding(&world).unenforced, []);
    let builder = world.consent().read(&world.trust, &thomas(), "role:doctor").unwrap();
    let builder = builder.read(&world.trust, &olave(), "role:doctor and not user:dr-bob").unwrap();
    let (stored, access) = builder.seal(NOW).unwrap();
    let live = world.verify(&stored).unwrap();
    assert!(opens(&live, &ada) && opens(&live, &eve));
    assert!(!opens(&live, &bob) && !opens(&live, &bob_at_thomas));

    // It outlasts a re-seal, and reaches an authority that comes later.
    let next = world.consent().after(&access).unwrap().reseal().unwrap().same_terms(&world.trust).unwrap();
    let (stored, _) = next.seal(NOW).unwrap();
    let live = world.verify(&stored).unwrap();
    assert!(opens(&live, &eve) && !opens(&live, &bob_at_thomas));
}

#[test]
fn an_exclusion_in_one_branch_leaves_no_other_branch_open() {
    let mut world = World::new();
    let ada = world.at_olave("dr-ada", "role:doctor");
    let bob = world.at_olave("dr-bob", "role:doctor, dept:icu, ward:7");
    let number = bob.shown.number();
    for (policy, exclude) in [
        ("(role:doctor and not user:dr-bob) or dept:icu".to_owned(), false),
        ("2 of (role:doctor, ward:7, not user:dr-bob) or role:doctor".to_owned(), false),
        (format!("(role:doctor and not user:{number}) or dept:icu or role:doctor"), true),
        (format!("2 of (role:doctor, ward:7, not user:{number}) or role:doctor"), true),
    ] {
        let mut builder = world.consent().read(&world.trust, &olave(), &policy).unwrap();
        if exclude {
            builder = builder.exclude(bob.identity.id().clone());
        }
        let (stored, access) = builder.seal(NOW).unwrap();
        let names: Vec<_> = access.terms().exclusions.iter().map(|one| one.person.clone()).collect();
        assert_eq!(names, [Some(bob.identity.id().clone())]);
        let live = world.verify(&stored).unwrap();
        assert!(!opens(&live, &bob), "{policy}");
        assert!(opens(&live, &ada), "{policy}");
        // What is there already is not said twice, however often it is sealed again.
        let again = world.consent().after(&access).unwrap().same_terms(&world.trust).unwrap().seal(NOW).unwrap().1;
        assert_eq!(again.terms().read, access.terms().read);
        assert_eq!(again.terms().exclusions, access.terms().exclusions);
    }
}

#[test]
fn nobody_is_named_and_excluded_at_once() {
    let mut world = World::new();
    let bob = world.at_olave("dr-bob", "role:doctor");
    let builder = world.consent().name(&bob.shown).unwrap().exclude(bob.identity.id().clone());
    assert!(matches!(builder.seal(NOW), Err(Error::ApiMisuse(_))));
}

#[test]
fn a_key_that_was_not_renewed_opens_no_slot_of_a_later_month() {
    let mut world = World::new();
    let identity = Identity::generate("dr-ada".parse().unwrap()).unwrap();
    world.olave.enrol(&identity.enrol().unwrap()).unwrap();
    world.update();
    // Valid until the end of March; sealed on the last of March, and again in April.
    let ada = issue(&mut world.olave, &world.trust, identity, "role:doctor", NOW.plus(Duration::from_secs(60)));
    let (stored, access) = world.sealed("role:doctor");
    assert!(opens(&world.verify(&stored).unwrap(), &ada));
    let april = NOW.plus(Duration::from_secs(DAY));
    let next = world.consent().after(&access).unwrap().reseal().unwrap().same_terms(&world.trust).unwrap();
    let (stored, access) = next.seal(april).unwrap();
    let live = world.verify_at(&stored, april).unwrap();
    assert!(!opens(&live, &ada));
    assert!(access.read_policies()[0].1.to_string().ends_with("valid-until >= 2026-04"));
    let ada =
        issue(&mut world.olave, &world.trust, ada.identity, "role:doctor", NOW.plus(Duration::from_secs(30 * DAY)));
    assert!(opens(&live, &ada));
}

#[test]
fn the_write_policy_is_asked_per_authority() {
    let mut world = World::new();
    let ada = world.at_olave("dr-ada", "role:doctor");
    let nina = world.at_olave("nina", "role:nurse");
    let builder = world.consent().write(&world.trust, &olave(), "role:doctor").unwrap();
    let (_, access) = builder.seal(NOW).unwrap();
    assert!(access.may_write(&olave(), ada.shown.attributes()));
    assert!(!access.may_write(&olave(), nina.shown.attributes()));
    assert!(!access.may_write(&thomas(), ada.shown.attributes()));
}

#[test]
fn a_preview_says_who_opens_who_gains_and_who_loses() {
    let mut world = World::new();
    let people: Vec<Person> = [
        ("dr-ada", "role:doctor, dept:icu"),
        ("dr-bob", "role:doctor, dept:surgery"),
        ("nina", "role:nurse, dept:icu"),
        ("paul", "role:porter"),
    ]
    .into_iter()
    .map(|(name, attributes)| world.at_olave(name, attributes))
    .collect();
    let shown: Vec<_> = people.iter().map(|person| person.shown.clone()).collect();
    let set = |names: &[&str]| -> BTreeSet<Reader> {
        let reader = |name: &&str| Reader { authority: olave(), person: name.parse().unwrap() };
        names.iter().map(reader).collect()
    };

    let first = world.consent().read(&world.trust, &olave(), "role:doctor").unwrap();
    let preview = first.preview(&shown, NOW).unwrap();
    assert_eq!((&preview.opens, &preview.gains), (&set(&["dr-ada", "dr-bob"]), &set(&["dr-ada", "dr-bob"])));
    assert_eq!(preview.loses, set(&[]));
    let (_, access): (_, Access) = first.seal(NOW).unwrap();

    let next = world.consent().after(&access).unwrap().read(&world.trust, &olave(), "dept:icu").unwrap();
    let next = next.name(&people[3].shown).unwrap();
    let preview = next.preview(&shown, NOW).unwrap();
    assert_eq!(preview.opens, set(&["dr-ada", "nina", "paul"]));
    assert_eq!(preview.gains, set(&["nina", "paul"]));
    assert_eq!(preview.loses, set(&["dr-bob"]));

    // What it says is what comes about.
    let (stored, _) = next.seal(NOW).unwrap();
    let live = world.verify(&stored).unwrap();
    for person in &people {
        let reader = Reader { authority: olave(), person: person.identity.id().clone() };
        let opened = opens(&live, person) || live.open_as(&person.identity, &mut PinStore::default()).is_ok();
        assert_eq!(opened, preview.opens.contains(&reader), "{reader:?}");
    }
}

#[test]
fn a_mistake_of_the_caller_is_named() {
    let world = World::new();
    let error = world.consent().read(&world.trust, &olave(), "role:doctor and not user:dr-who").unwrap_err();
    assert!(matches!(error, Error::Policy(error) if error.kind() == &ParseErrorKind::UnknownPerson));
    let twice = world.consent().read(&world.trust, &olave(), "a:1").unwrap().read(&world.trust, &olave(), "b:1");
    assert!(matches!(twice, Err(Error::ApiMisuse(_))));
    let nowhere = world.consent().read(&world.trust, &"nowhere".parse().unwrap(), "a:1").unwrap().seal(NOW);
    assert_eq!(nowhere.unwrap_err(), Error::Unknown(Unknown::PublicParameters("nowhere".parse().unwrap())));
    assert!(matches!(world.consent().reseal(), Err(Error::ApiMisuse(_))));
    assert!(matches!(world.consent().same_terms(&world.trust), Err(Error::ApiMisuse(_))));
    let never = world.consent().valid(NOW, NOW.minus(Duration::from_secs(1))).seal(NOW);
    assert!(matches!(never, Err(Error::ApiMisuse(_))));
    let (_, other) = world.phone.consent(world.owner.devices(), "summary".parse().unwrap()).seal(NOW).unwrap();
    assert!(matches!(world.consent().after(&other), Err(Error::ApiMisuse(_))));
}

#[test]
fn what_is_secret_is_not_printed() {
    let world = World::new();
    let (_, access) = world.sealed("role:doctor");
    let text = format!("{access:?}");
    assert!(text.contains("Cek(..)") && !text.contains("role:doctor"), "{text}");
    assert!(format!("{:?}", world.phone).ends_with("Secret(..)) }"), "{:?}", world.phone);
}
