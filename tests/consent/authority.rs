//! Enrolment, issue and publication by an authority, and the delivery of keys to their holders.

use std::time::Duration;

use chartseal::authority::{
    Authority, CredentialStatement, Issued, ParametersStatement, REVOCATION_LIMIT, Reason, Trust,
};
use chartseal::id::{Time, Version};
use chartseal::identity::{Identity, PublicIdentity, Signed};
use chartseal::pin::PinStore;
use chartseal::policy::{Attributes, MAX_ATTRIBUTES, Month};
use chartseal::{Error, Unknown, kem};

use crate::support::forge::{self, Forge};

/// 2026-03-31, and 2027-03-25.
const NOW: Time = Time::at(1_775_000_000);
const END: Time = Time::at(1_806_000_000);

fn hospital() -> Authority {
    Authority::setup("st-olave".parse().unwrap(), NOW).unwrap()
}

fn person(id: &str) -> Identity {
    Identity::generate(id.parse().unwrap()).unwrap()
}

/// Nobody whom St Olave's knows.
fn nobody(id: &str) -> Error {
    Error::Unknown(Unknown::Person { person: id.parse().unwrap(), asked: vec!["st-olave".parse().unwrap()] })
}

fn enrolled(authority: &mut Authority, id: &str) -> Identity {
    let person = person(id);
    authority.enrol(&person.enrol().unwrap()).unwrap();
    person
}

fn issue(authority: &mut Authority, person: &Identity, attributes: &str) -> Issued {
    authority.issue(person.id(), &attributes.parse().unwrap(), NOW, END, NOW).unwrap()
}

fn trust(authority: &mut Authority) -> Trust {
    let mut trust = Trust::new(REVOCATION_LIMIT);
    trust.add(authority.anchor()).unwrap();
    trust.update(&authority.publish(NOW).unwrap(), &mut PinStore::default(), NOW).unwrap();
    trust
}

fn restarted(authority: &Authority) -> Authority {
    Authority::decode(authority.to_secret_bytes().unwrap().expose()).unwrap()
}

#[test]
fn a_person_number_is_for_life() {
    let mut hospital = hospital();
    let (ada, bob) = (person("dr-ada"), person("dr-bob"));
    let number =
        |hospital: &mut Authority, person: &Identity| hospital.enrol(&person.enrol().unwrap()).map(|n| n.get());
    assert_eq!(number(&mut hospital, &ada), Ok(1));
    assert_eq!(number(&mut hospital, &bob), Ok(2));
    assert_eq!(number(&mut hospital, &ada), Ok(1));

    hospital.revoke(ada.id(), NOW, Reason::Ended, NOW).unwrap();
    assert_eq!(number(&mut hospital, &ada), Ok(1));
    let mut hospital = restarted(&hospital);
    assert_eq!(number(&mut hospital, &person("dr-eve")), Ok(3), "the number of the revoked is not given out again");

    let again = person("dr-ada");
    let kept = hospital.replace_keys(&again.enrol().unwrap(), NOW, Reason::Replaced, NOW).unwrap();
    assert_eq!(kept.get(), 1);
    for attributes in ["role:doctor", "role:nurse"] {
        assert_eq!(issue(&mut hospital, &again, attributes).credential.unverified().number.get(), 1);
    }
}

#[test]
fn nobody_enrols_with_the_keys_or_the_name_of_another() {
    let mut hospital = hospital();
    let ada = enrolled(&mut hospital, "dr-ada");
    let refused = |hospital: &mut Authority, enrolment: &Signed<PublicIdentity>| {
        assert!(matches!(hospital.enrol(enrolment), Err(Error::ApiMisuse(_))));
    };
    refused(&mut hospital, &person("dr-ada").enrol().unwrap());

    // The same keys under another name, signed by their holder; then only the sealing key.
    let twin = Identity::decode(&renamed(&ada)).unwrap();
    assert_eq!(twin.public().signing, ada.public().signing);
    refused(&mut hospital, &twin.enrol().unwrap());
    let (eve, seed) = with_seed("dr-eve");
    let half = PublicIdentity { sealing: ada.public().sealing, ..eve.public() };
    refused(&mut hospital, &enrolment(&seed, &half));

    let forged = ada.enrol().unwrap().to_json().unwrap().replace("dr-ada", "dr-eve");
    let forged = Signed::<PublicIdentity>::from_json(&forged).unwrap();
    assert_eq!(hospital.enrol(&forged), Err(Error::Forged("enrolment")));
    assert_eq!(hospital.people(NOW).unwrap().unverified().people.len(), 1);
}

/// A person whose signing key the test knows.
fn with_seed(id: &str) -> (Identity, [u8; 32]) {
    let person = person(id);
    let at = 5 + id.len();
    let seed = person.to_secret_bytes().expose()[at..at + 32].try_into().unwrap();
    (person, seed)
}

/// Any keys, signed by a signing key.
fn enrolment(seed: &[u8; 32], public: &PublicIdentity) -> Signed<PublicIdentity> {
    Signed::from_cbor(&Forge::of(seed).sign("chartseal-1 sign enrolment: ", public)).unwrap()
}

/// The secret bytes of an identity, with another last letter in its name.
fn renamed(person: &Identity) -> Vec<u8> {
    let mut bytes = person.to_secret_bytes().expose().clone();
    let last = 5 + person.id().as_str().len() - 1;
    bytes[last] = b'e';
    bytes
}

#[test]
fn keys_that_nothing_can_be_sealed_to_are_refused() {
    let mut hospital = hospital();
    let (ada, seed) = with_seed("dr-ada");
    // A point of small order.
    let low = enrolment(&seed, &PublicIdentity { sealing: [0; 32].into(), ..ada.public() });
    assert!(low.verify_own().is_ok());
    assert_eq!(hospital.enrol(&low), Err(Error::Malformed("sealing key")));
}

#[test]
fn replaced_keys_are_revoked_and_never_come_back() {
    let mut hospital = hospital();
    let old = enrolled(&mut hospital, "dr-ada");
    let before = issue(&mut hospital, &old, "role:doctor").credential;
    let new = person("dr-ada");
    let replace = |hospital: &mut Authority, keys: &Identity| {
        hospital.replace_keys(&keys.enrol().unwrap(), NOW, Reason::Compromised, NOW).map(|number| number.get())
    };
    assert!(matches!(replace(&mut hospital, &old), Err(Error::ApiMisuse(_))), "the same keys");
    assert_eq!(replace(&mut hospital, &person("dr-eve")), Err(nobody("dr-eve")));
    assert_eq!(replace(&mut hospital, &new), Ok(1));
    let mut hospital = restarted(&hospital);
    assert!(matches!(replace(&mut hospital, &old), Err(Error::ApiMisuse(_))));

    let after = issue(&mut hospital, &new, "role:doctor").credential;
    let trust = trust(&mut hospital);
    assert_eq!(trust.credential(&before, NOW), Err(Error::Revoked("this person")));
    assert_eq!(trust.credential(&after, NOW).unwrap().number().get(), 1);
}

#[test]
fn the_authority_adds_person_and_month_itself() {
    let mut hospital = hospital();
    let ada = enrolled(&mut hospital, "dr-ada");
    let issued = issue(&mut hospital, &ada, "role:doctor, clearance = 3");
    let shown = trust(&mut hospital).credential(&issued.credential, NOW).unwrap();
    assert_eq!(shown.attributes().to_string(), "role:doctor, clearance = 3, user:#1, valid-until = 2027-03");
    assert_eq!((shown.number(), shown.serial()), (shown.attributes().person().unwrap(), 1));
    assert_eq!(shown.attributes().valid_until(), Month::new(2027, 3).ok());

    for forbidden in ["role:doctor, user:#1", "role:doctor, valid-until = 2040-01"] {
        let refused = hospital.issue(ada.id(), &forbidden.parse().unwrap(), NOW, END, NOW);
        assert!(matches!(refused, Err(Error::ApiMisuse(_))), "{forbidden}");
    }
}

#[test]
fn what_cannot_be_issued_is_refused_and_uses_up_no_serial() {
    let mut hospital = hospital();
    let ada = enrolled(&mut hospital, "dr-ada");
    let doctor: Attributes = "role:doctor".parse().unwrap();
    let late = Time::from_secs(20_000_000_000).unwrap();
    let mut refused = |id: &str, attributes: &Attributes, not_before, not_after, now| {
        hospital.issue(&id.parse().unwrap(), attributes, not_before, not_after, now).unwrap_err()
    };
    assert_eq!(refused("dr-eve", &doctor, NOW, END, NOW), nobody("dr-eve"));
    assert!(matches!(refused("dr-ada", &doctor, END, NOW, NOW), Error::ApiMisuse(_)));
    assert!(matches!(refused("dr-ada", &doctor, NOW, NOW, END), Error::ApiMisuse(_)));
    assert!(matches!(refused("dr-ada", &doctor, NOW, late, NOW), Error::ApiMisuse(_)), "after the last month");
    let mut many = doctor.clone();
    for n in 2..MAX_ATTRIBUTES {
        many = many.with_text("team", &n.to_string()).unwrap();
    }
    assert!(matches!(refused("dr-ada", &many, NOW, END, NOW), Error::Policy(_)));

    assert_eq!(issue(&mut hospital, &ada, "role:doctor").credential.unverified().serial, 1);
    hospital.revoke(ada.id(), NOW, Reason::Ended, NOW).unwrap();
    assert!(matches!(hospital.issue(ada.id(), &doctor, NOW, END, NOW), Err(Error::Revoked(_))));
    assert!(matches!(hospital.revoke(ada.id(), END, Reason::Ended, NOW), Err(Error::ApiMisuse(_))), "in the future");
}

#[test]
fn a_user_key_opens_for_its_holder_only() {
    let mut hospital = hospital();
    let (ada, bob) = (enrolled(&mut hospital, "dr-ada"), enrolled(&mut hospital, "dr-bob"));
    let issued = issue(&mut hospital, &ada, "role:doctor");
    let trust = trust(&mut hospital);
    let parameters = trust.parameters(hospital.id()).unwrap();
    let key = ada.accept(&issued, &trust, NOW).unwrap();

    let tree = parameters.expand(&"role:doctor and user:#1 and valid-until >= 2027-03".parse().unwrap()).unwrap();
    let (capsule, shared) = kem::encapsulate(parameters, &tree, b"").unwrap();
    assert!(kem::decapsulate(&key, &tree, b"", &capsule).unwrap().ct_eq(&shared));

    assert_eq!(bob.accept(&issued, &trust, NOW).unwrap_err(), Error::CannotOpen);
    let week_over = NOW.plus(REVOCATION_LIMIT).plus(Duration::from_secs(1));
    assert_eq!(ada.accept(&issued, &trust, week_over).unwrap_err(), Error::Expired("revocation list"));
    let namesake = person("dr-ada");
    assert_eq!(namesake.accept(&issued, &trust, NOW).unwrap_err(), Error::CannotOpen);
    assert_eq!(
        ada.accept(&issued, &trust, END.plus(Duration::from_secs(1))).unwrap_err(),
        Error::Expired("credential")
    );
}

#[test]
fn a_delivery_put_together_from_two_is_refused() {
    let mut hospital = hospital();
    let (ada, bob) = (enrolled(&mut hospital, "dr-ada"), enrolled(&mut hospital, "dr-bob"));
    let [one, two] = ["role:doctor", "role:nurse"].map(|attributes| issue(&mut hospital, &ada, attributes));
    let other = issue(&mut hospital, &bob, "role:doctor");
    let trust = trust(&mut hospital);
    for key in [two.key, other.key] {
        let mixed = Issued { credential: one.credential.clone(), key };
        assert_eq!(ada.accept(&mixed, &trust, NOW).unwrap_err(), Error::CannotOpen);
    }
    assert!(ada.accept(&one, &trust, NOW).is_ok());
}

/// A delivery made by hand: `attributes` in the credential, `leaves` in the user key.
fn delivery(forge: &Forge, to: &Identity, master: &kem::MasterKey, attributes: &str, leaves: &str) -> Issued {
    let PublicIdentity { id, signing, sealing } = to.public();
    let statement = CredentialStatement {
        authority: "st-olave".parse().unwrap(),
        serial: 1,
        person: id,
        number: 1.try_into().unwrap(),
        signing,
        sealing,
        attributes: attributes.to_owned(),
        not_before: NOW,
        not_after: END,
    };
    let key = kem::issue(master, &leaves.parse().unwrap()).unwrap().to_secret_bytes();
    let info = b"chartseal-1 hpke user key: \0\x08st-olave\0\x06dr-ada";
    let aad = forge::hash(forge::CREDENTIAL, &statement);
    let (encapped, data) = forge::hpke_seal(sealing.as_bytes(), info, &aad, key.expose());
    let mut bytes = b"\xa2\x6acredential".to_vec();
    bytes.extend(forge.sign(forge::CREDENTIAL, &statement));
    bytes.extend(b"\x63key\xa2\x68encapped\x58\x20");
    bytes.extend(encapped);
    bytes.extend(b"\x64data\x59");
    bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    bytes.extend(&data);
    Issued::from_cbor(&bytes).unwrap()
}

#[test]
fn a_user_key_must_be_of_the_parameters_and_of_the_attributes_that_are_shown() {
    let forge = Forge::new(7);
    let (public, master) = kem::setup("st-olave".parse().unwrap()).unwrap();
    let (_, other) = kem::setup("st-olave".parse().unwrap()).unwrap();
    let statement = ParametersStatement {
        authority: "st-olave".parse().unwrap(),
        version: Version(1),
        issued_at: NOW,
        parameters: public.as_bytes().to_vec(),
    };
    let ada = person("dr-ada");
    let mut trust = Trust::new(REVOCATION_LIMIT);
    trust.add(forge.anchor("st-olave")).unwrap();
    let list = hospital_list(&forge);
    trust.update_revocations(&list, &mut PinStore::default(), NOW).unwrap();
    let shown = "role:doctor, user:#1, valid-until = 2027-03";
    let issued = |master, leaves| delivery(&forge, &ada, master, shown, leaves);

    assert_eq!(
        ada.accept(&issued(&master, shown), &trust, NOW).unwrap_err(),
        Error::Unknown(Unknown::PublicParameters("st-olave".parse().unwrap())),
        "none were supplied"
    );
    let signed = Signed::from_cbor(&forge.sign(forge::PARAMETERS, &statement)).unwrap();
    trust.update_parameters(&signed, &mut PinStore::default(), NOW).unwrap();
    assert!(ada.accept(&issued(&master, shown), &trust, NOW).is_ok());
    let refused = ada.accept(&issued(&other, shown), &trust, NOW).unwrap_err();
    assert_eq!(refused, Error::Untrusted("user key"));
    for (master, leaves) in [
        (&master, "role:doctor, user:#2, valid-until = 2027-03"),
        (&master, "role:doctor, user:#1, valid-until = 2027-04"),
        (&master, "role:doctor, role:chief, user:#1, valid-until = 2027-03"),
    ] {
        let refused = ada.accept(&issued(master, leaves), &trust, NOW).unwrap_err();
        assert_eq!(refused, Error::Untrusted("attributes of a user key"), "{leaves}");
    }
}

fn hospital_list(forge: &Forge) -> Signed<chartseal::authority::RevocationList> {
    let list = chartseal::authority::RevocationList {
        authority: "st-olave".parse().unwrap(),
        version: Version(1),
        issued_at: NOW,
        revoked: Vec::new(),
    };
    Signed::from_cbor(&forge.sign(forge::REVOCATIONS, &list)).unwrap()
}

#[test]
fn what_did_not_change_is_published_as_the_same_bytes() {
    let mut hospital = hospital();
    let ada = enrolled(&mut hospital, "dr-ada");
    let later = |seconds| NOW.plus(Duration::from_secs(seconds));
    let first = hospital.publish(NOW).unwrap();
    assert_eq!((first.revocations.unverified().version, first.people.unverified().version), (Version(1), Version(1)));
    let mut hospital = restarted(&hospital);
    assert_eq!(hospital.publish(later(60)).unwrap(), first);
    issue(&mut hospital, &ada, "role:doctor");
    hospital.enrol(&ada.enrol().unwrap()).unwrap();
    assert_eq!(hospital.publish(later(60)).unwrap(), first);

    hospital.revoke(ada.id(), NOW, Reason::Ended, NOW).unwrap();
    let second = hospital.publish(later(120)).unwrap();
    let list = second.revocations.unverified();
    assert_eq!((list.version, list.issued_at, list.revoked.len()), (Version(2), later(120), 1));
    assert_eq!(second.people, first.people);
    hospital.revoke(ada.id(), NOW, Reason::Ended, NOW).unwrap();
    assert_eq!(hospital.revocations(later(180)).unwrap(), second.revocations, "the same once more is no change");

    hospital.revoke(ada.id(), later(0), Reason::Compromised, NOW).unwrap();
    assert_eq!(hospital.revocations(Time::MIN), Err(Error::TooLarge("version")), "a clock that never was right");
    let list = hospital.revocations(NOW).unwrap();
    assert_eq!(list.unverified().version, Version(3));
    assert_eq!(list.unverified().issued_at, later(120), "time does not go back");
    hospital.revoke(ada.id(), NOW, Reason::Ended, NOW).unwrap();
    assert_eq!(hospital.revocations(NOW).unwrap(), list, "a revocation is not made milder");
    let renewed = hospital.renew_revocations(later(240)).unwrap();
    assert_eq!(renewed.unverified().version, Version(4));
    assert_eq!(renewed.unverified().revoked, list.unverified().revoked);
}

#[test]
fn an_authority_survives_a_restart_and_shows_no_secret() {
    let mut hospital = hospital();
    let ada = enrolled(&mut hospital, "dr-ada");
    issue(&mut hospital, &ada, "role:doctor");
    hospital.revoke(ada.id(), NOW, Reason::Ended, NOW).unwrap();
    hospital.publish(NOW).unwrap();
    let bytes = hospital.to_secret_bytes().unwrap();
    let bytes = bytes.expose();
    let again = Authority::decode(bytes).unwrap();
    assert_eq!(again.to_secret_bytes().unwrap().expose(), bytes);
    assert_eq!((again.id(), again.anchor()), (hospital.id(), hospital.anchor()));
    assert!(format!("{hospital:?}").contains("secret: Secret(..)"));
    assert!(format!("{hospital:?}").contains("signing: SigningKey(Secret(..))"));

    for length in 0..bytes.len() {
        assert!(Authority::decode(&bytes[..length]).is_err(), "{length}");
    }
    assert!(Authority::decode(&[&bytes[..], b"\0"].concat()).is_err());
    let mut later = bytes.clone();
    later[3] = 2;
    assert_eq!(Authority::decode(&later).unwrap_err(), Error::UnknownVersion("authority"));
}
