//! What a verifier believes of what authorities published and signed, and what it refuses.

use std::sync::LazyLock;
use std::time::Duration;

use chartseal::authority::{
    Anchor, Authority, Bulletin, Credential, CredentialStatement, Issued, ParametersStatement, PeopleMap,
    REVOCATION_LIMIT, Reason, RevocationList, Revoked, Standing, Trust,
};
use chartseal::id::{Time, Version};
use chartseal::identity::{Identity, Signed};
use chartseal::pin::PinStore;
use chartseal::policy::{PersonNumber, Policy};
use chartseal::{Error, Unknown, kem};
use proptest::prelude::*;

#[allow(dead_code, reason = "shared with another test")]
use crate::support::forge::{self, Forge};

const NOW: Time = Time::at(1_775_000_000);
const END: Time = Time::at(1_806_000_000);
const ID: &str = "st-olave";

fn number(n: u32) -> PersonNumber {
    PersonNumber::new(n).unwrap()
}

fn parameters(inside: &kem::PublicParameters, id: &str, version: u64) -> ParametersStatement {
    let parameters = inside.as_bytes().to_vec();
    ParametersStatement { authority: id.parse().unwrap(), version: Version(version), issued_at: NOW, parameters }
}

fn people(version: u64, people: &[(&str, u32)]) -> PeopleMap {
    let people = people.iter().map(|(id, n)| (id.parse().unwrap(), number(*n))).collect();
    PeopleMap { authority: ID.parse().unwrap(), version: Version(version), issued_at: NOW, people }
}

fn revoked(n: u32, key: u8, since: u64, reason: Reason) -> Revoked {
    let person = format!("dr-{n}").parse().unwrap();
    Revoked { person, number: number(n), signing: [key; 32].into(), since: Time::from_secs(since).unwrap(), reason }
}

fn list(version: u64, revoked: &[Revoked]) -> RevocationList {
    let revoked = revoked.to_vec();
    RevocationList { authority: ID.parse().unwrap(), version: Version(version), issued_at: NOW, revoked }
}

fn statement() -> CredentialStatement {
    CredentialStatement {
        authority: ID.parse().unwrap(),
        serial: 1,
        person: "dr-1".parse().unwrap(),
        number: number(1),
        signing: [1; 32].into(),
        sealing: [2; 32].into(),
        attributes: "role:doctor, user:#1, valid-until = 2027-03".to_owned(),
        not_before: NOW,
        not_after: END,
    }
}

/// A trust in a forged authority, with its revocation list, however old that is.
fn trusting(forge: &Forge, revoked: &[Revoked]) -> Trust {
    let mut trust = Trust::new(Duration::MAX);
    trust.add(forge.anchor(ID)).unwrap();
    let list = Signed::from_cbor(&forge.sign(forge::REVOCATIONS, &list(1, revoked))).unwrap();
    trust.update_revocations(&list, &mut PinStore::default(), NOW).unwrap();
    trust
}

fn credential(forge: &Forge, statement: &CredentialStatement) -> Credential {
    Credential::from_cbor(&forge.sign(forge::CREDENTIAL, statement)).unwrap()
}

#[test]
fn nobody_is_trusted_without_an_anchor() {
    let forge = Forge::new(1);
    let mut pins = PinStore::default();
    let (public, _) = kem::setup(ID.parse().unwrap()).unwrap();
    let bulletin = Bulletin {
        parameters: Signed::from_cbor(&forge.sign(forge::PARAMETERS, &parameters(&public, ID, 1))).unwrap(),
        revocations: Signed::from_cbor(&forge.sign(forge::REVOCATIONS, &list(1, &[]))).unwrap(),
        people: Signed::from_cbor(&forge.sign(forge::PEOPLE, &people(1, &[]))).unwrap(),
        previous: None,
    };
    let unknown = Error::Unknown(Unknown::Authority(ID.parse().unwrap()));
    let mut trust = Trust::new(REVOCATION_LIMIT);
    for (anchor, error) in [
        (None, unknown.clone()),
        (Some(forge.anchor("st-giles")), unknown.clone()),
        (Some(Forge::new(2).anchor(ID)), Error::Forged("parameters statement")),
    ] {
        if let Some(anchor) = anchor {
            trust.add(anchor).unwrap();
        }
        assert_eq!(trust.update(&bulletin, &mut pins, NOW), Err(error.clone()));
        if error == unknown {
            assert_eq!(trust.update_revocations(&bulletin.revocations, &mut pins, NOW), Err(unknown.clone()));
            assert_eq!(trust.update_people(&bulletin.people, &mut pins, NOW), Err(unknown.clone()));
            assert_eq!(trust.credential(&credential(&forge, &statement()), NOW), Err(unknown.clone()));
        } else {
            let forged = trust.update_revocations(&bulletin.revocations, &mut pins, NOW);
            assert_eq!(forged, Err(Error::Forged("revocation list")));
            assert_eq!(trust.update_people(&bulletin.people, &mut pins, NOW), Err(Error::Forged("people map")));
            let forged = trust.credential(&credential(&forge, &statement()), NOW);
            assert_eq!(forged, Err(Error::Forged("credential")));
        }
    }
    assert_eq!(pins, PinStore::default(), "what is refused leaves no pin");
    assert!(matches!(trust.add(forge.anchor(ID)), Err(Error::ApiMisuse(_))), "a second key for one authority");
    assert_eq!(trust.add(Forge::new(2).anchor(ID)), Ok(()));
}

#[test]
fn one_authority_cannot_speak_for_another() {
    let (mine, theirs) = (Forge::new(1), Forge::new(2));
    let mut trust = trusting(&mine, &[]);
    trust.add(theirs.anchor("st-giles")).unwrap();
    let swapped = credential(&theirs, &statement());
    assert_eq!(trust.credential(&swapped, NOW), Err(Error::Forged("credential")));
    // A statement of one kind, shown as one of another: the signature is over the kind, too.
    let crossed = mine.sign(forge::PEOPLE, &statement());
    let crossed = Credential::from_cbor(&crossed).unwrap();
    assert_eq!(trust.credential(&crossed, NOW), Err(Error::Forged("credential")));
}

#[test]
fn stale_swapped_and_forked_statements_are_refused() {
    let forge = Forge::new(1);
    let (public, _) = kem::setup(ID.parse().unwrap()).unwrap();
    let (other, _) = kem::setup(ID.parse().unwrap()).unwrap();
    let signed = |n: u64, key| -> Signed<RevocationList> {
        Signed::from_cbor(&forge.sign(forge::REVOCATIONS, &list(n, &[revoked(1, key, 5, Reason::Ended)]))).unwrap()
    };
    let mut trust = Trust::new(REVOCATION_LIMIT);
    trust.add(forge.anchor(ID)).unwrap();
    let mut pins = PinStore::default();
    assert_eq!(trust.update_revocations(&signed(3, 1), &mut pins, NOW), Ok(()));
    assert_eq!(trust.update_revocations(&signed(3, 1), &mut pins, NOW), Ok(()), "the same again");
    assert_eq!(trust.update_revocations(&signed(3, 2), &mut pins, NOW), Err(Error::Fork("revocation list")));
    assert_eq!(trust.update_revocations(&signed(2, 1), &mut pins, NOW), Err(Error::Rollback("revocation list")));

    // Pins without the trust, as after a restart; then the trust without the pins.
    let mut later = Trust::new(REVOCATION_LIMIT);
    later.add(forge.anchor(ID)).unwrap();
    let mut pins = PinStore::from_cbor(&pins.to_cbor().unwrap()).unwrap();
    assert_eq!(later.update_revocations(&signed(2, 1), &mut pins, NOW), Err(Error::Rollback("revocation list")));
    assert_eq!(later.update_revocations(&signed(3, 2), &mut pins, NOW), Err(Error::Fork("revocation list")));
    let mut none = PinStore::default();
    assert_eq!(trust.update_revocations(&signed(2, 1), &mut none, NOW), Err(Error::Rollback("revocation list")));
    assert_eq!(trust.update_revocations(&signed(3, 2), &mut none, NOW), Err(Error::Fork("revocation list")));
    assert_eq!(none, PinStore::default());

    let signed =
        |statement: ParametersStatement| Signed::from_cbor(&forge.sign(forge::PARAMETERS, &statement)).unwrap();
    let good = signed(parameters(&public, ID, 1));
    assert_eq!(trust.update_parameters(&good, &mut pins, NOW), Ok(public.clone()));
    let swapped = signed(parameters(&other, ID, 1));
    assert_eq!(trust.update_parameters(&swapped, &mut pins, NOW), Err(Error::Fork("public parameters")));
    assert_eq!(trust.parameters(&ID.parse().unwrap()), Some(&public));
}

#[test]
fn parameters_must_be_those_that_the_statement_names() {
    let forge = Forge::new(1);
    let (public, _) = kem::setup(ID.parse().unwrap()).unwrap();
    let (foreign, _) = kem::setup("st-giles".parse().unwrap()).unwrap();
    let mut trust = trusting(&forge, &[]);
    let mut pins = PinStore::default();
    let mut update = |statement: &ParametersStatement| {
        let signed = Signed::from_cbor(&forge.sign(forge::PARAMETERS, statement)).unwrap();
        trust.update_parameters(&signed, &mut pins, NOW).map(|_| ())
    };
    assert_eq!(update(&parameters(&public, ID, 2)), Err(Error::Untrusted("public parameters")));
    assert_eq!(update(&parameters(&foreign, ID, 1)), Err(Error::Untrusted("public parameters")));
    let mut cut = parameters(&public, ID, 1);
    cut.parameters.pop();
    assert_eq!(update(&cut), Err(Error::Malformed("public parameters")));
    assert_eq!(update(&parameters(&public, ID, 1)), Ok(()));
}

#[test]
fn a_map_that_renumbers_anybody_is_refused() {
    let forge = Forge::new(1);
    let mut trust = trusting(&forge, &[]);
    let mut pins = PinStore::default();
    let mut update = |map: &PeopleMap| {
        let signed: Signed<PeopleMap> = Signed::from_cbor(&forge.sign(forge::PEOPLE, map))?;
        trust.update_people(&signed, &mut pins, NOW)
    };
    assert_eq!(update(&people(1, &[("dr-ada", 1), ("dr-bob", 2)])), Ok(()));
    let refused = Err(Error::Untrusted("people map"));
    assert_eq!(update(&people(2, &[("dr-ada", 2), ("dr-bob", 1)])), refused);
    assert_eq!(update(&people(2, &[("dr-ada", 1), ("dr-eve", 2)])), refused, "a number given out again");
    assert_eq!(update(&people(2, &[("dr-ada", 1)])), refused);
    let twice = people(2, &[("dr-ada", 1), ("dr-bob", 2), ("dr-eve", 2)]);
    assert_eq!(update(&twice), Err(Error::Malformed("people map")), "two people under one number");
    assert_eq!(update(&people(2, &[("dr-ada", 1), ("dr-bob", 2), ("dr-eve", 3)])), Ok(()));

    let id = ID.parse().unwrap();
    let policy = Policy::parse_with("role:doctor and not user:dr-eve", trust.resolve(&id)).unwrap();
    assert_eq!(policy.to_string(), "role:doctor and not user:#3");
    assert!(Policy::parse_with("not user:dr-zoe", trust.resolve(&id)).is_err());
    assert_eq!(trust.resolve(&"st-giles".parse().unwrap())("dr-ada"), None);
}

#[test]
fn nobody_is_believed_by_a_revocation_list_over_the_limit_or_from_the_future() {
    let forge = Forge::new(1);
    let shown = credential(&forge, &statement());
    let (limit, skew) = (Duration::from_secs(1000), Duration::from_secs(300));
    let mut trust = Trust::new(limit);
    trust.add(forge.anchor(ID)).unwrap();
    let published = NOW.plus(Duration::from_secs(5000));
    let signed = RevocationList { issued_at: published, ..list(1, &[]) };
    let signed = Signed::from_cbor(&forge.sign(forge::REVOCATIONS, &signed)).unwrap();
    trust.update_revocations(&signed, &mut PinStore::default(), published).unwrap();
    let (second, refused) = (Duration::from_secs(1), Err(Error::Expired("revocation list")));
    for now in [published.minus(skew), published, published.plus(limit)] {
        assert!(trust.credential(&shown, now).is_ok());
        assert!(trust.credential_at(&shown, NOW, now).is_ok(), "signed long before the list");
    }
    for now in [published.minus(skew).minus(second), published.plus(limit).plus(second), END] {
        assert_eq!(trust.credential(&shown, now), refused);
        assert_eq!(trust.credential_at(&shown, published, now), refused, "when it was signed, the list was fresh");
    }
}

#[test]
fn a_credential_that_contradicts_the_map_of_people_at_hand_is_refused() {
    let forge = Forge::new(1);
    let mut trust = trusting(&forge, &[]);
    let shown = |person: &str, n: u32| {
        let attributes = format!("role:doctor, user:#{n}, valid-until = 2027-03");
        let person = person.parse().unwrap();
        credential(&forge, &CredentialStatement { person, number: number(n), attributes, ..statement() })
    };
    assert!(trust.credential(&shown("mallory", 2), NOW).is_ok(), "without a map nobody can tell");
    let map = people(1, &[("dr-ada", 1), ("dr-bob", 2)]);
    let map = Signed::from_cbor(&forge.sign(forge::PEOPLE, &map)).unwrap();
    trust.update_people(&map, &mut PinStore::default(), NOW).unwrap();
    let refused = Err(Error::Untrusted("people map"));
    assert_eq!(trust.credential(&shown("mallory", 2), NOW), refused, "the number is Bob's");
    assert_eq!(trust.credential(&shown("dr-bob", 3), NOW), refused, "Bob has another number");
    assert_eq!(trust.credential(&shown("dr-bob", 1), NOW), refused, "both");
    assert!(trust.credential(&shown("dr-bob", 2), NOW).is_ok());
    assert!(trust.credential(&shown("dr-new", 3), NOW).is_ok(), "enrolled after the map was published");
}

#[test]
fn no_statement_of_an_authority_has_a_version_above_the_seconds_of_its_time() {
    let forge = Forge::new(1);
    let mut trust = trusting(&forge, &[]);
    let (public, _) = kem::setup(ID.parse().unwrap()).unwrap();
    let mut pins = PinStore::default();
    for above in [NOW.as_secs() + 1, u64::MAX] {
        let all = Signed::from_cbor(&forge.sign(forge::REVOCATIONS, &list(above, &[]))).unwrap();
        assert_eq!(trust.update_revocations(&all, &mut pins, NOW), Err(Error::Malformed("revocation list")));
        let all = Signed::from_cbor(&forge.sign(forge::PEOPLE, &people(above, &[]))).unwrap();
        assert_eq!(trust.update_people(&all, &mut pins, NOW), Err(Error::Malformed("people map")));
        let all = Signed::from_cbor(&forge.sign(forge::PARAMETERS, &parameters(&public, ID, above))).unwrap();
        assert_eq!(trust.update_parameters(&all, &mut pins, NOW).err(), Some(Error::Malformed("parameters statement")));
    }
    assert_eq!(pins, PinStore::default(), "what is refused leaves no pin");
    let last = Signed::from_cbor(&forge.sign(forge::REVOCATIONS, &list(NOW.as_secs(), &[]))).unwrap();
    assert_eq!(trust.update_revocations(&last, &mut pins, NOW), Ok(()));
}

#[test]
fn a_list_from_the_future_is_neither_taken_over_nor_remembered() {
    let forge = Forge::new(1);
    let (public, _) = kem::setup(ID.parse().unwrap()).unwrap();
    let ahead = |seconds| NOW.plus(Duration::from_secs(seconds));
    let mut trust = trusting(&forge, &[]);
    let mut pins = PinStore::default();
    let mut take = |version: u64, issued_at: Time, now: Time| {
        let inside = parameters(&public, ID, 1);
        let bytes = forge.sign(forge::PARAMETERS, &ParametersStatement { issued_at, ..inside });
        let parameters = trust.update_parameters(&Signed::from_cbor(&bytes).unwrap(), &mut pins, now).map(|_| ());
        let bytes = forge.sign(forge::REVOCATIONS, &RevocationList { issued_at, ..list(version, &[]) });
        let revocations = trust.update_revocations(&Signed::from_cbor(&bytes).unwrap(), &mut pins, now);
        let bytes = forge.sign(forge::PEOPLE, &PeopleMap { issued_at, ..people(version, &[]) });
        let people = trust.update_people(&Signed::from_cbor(&bytes).unwrap(), &mut pins, now);
        ([parameters, revocations, people], pins.clone())
    };
    let refused = ["parameters statement", "revocation list", "people map"].map(|what| Err(Error::Expired(what)));
    for (version, issued_at) in [(3, ahead(301)), (Time::MAX.as_secs(), Time::MAX)] {
        assert_eq!(take(version, issued_at, NOW), (refused.clone(), PinStore::default()), "{issued_at:?}");
    }
    // What the authority signs by a right clock is taken over after it, with lower versions and all.
    assert_eq!(take(2, ahead(300), NOW).0, [Ok(()), Ok(()), Ok(())]);
    let (same, _) = take(3, ahead(301), ahead(1));
    assert_eq!(same[1..], [Ok(()), Ok(())], "its time has come");
}

#[test]
fn an_authority_whose_clock_was_wrong_goes_on_by_the_right_one() {
    let mut authority = Authority::setup(ID.parse().unwrap(), NOW).unwrap();
    let mut pins = PinStore::default();
    let mut trust = Trust::new(REVOCATION_LIMIT);
    trust.add(authority.anchor()).unwrap();
    trust.update(&authority.publish(NOW).unwrap(), &mut pins, NOW).unwrap();
    let before = pins.clone();

    let wrong = authority.renew_revocations(Time::MAX).unwrap();
    assert_eq!(trust.update_revocations(&wrong, &mut pins, NOW), Err(Error::Expired("revocation list")));
    assert_eq!(pins, before);
    let healed = authority.publish(NOW).unwrap();
    assert!(healed.revocations.unverified().version > wrong.unverified().version);
    assert_eq!(healed.revocations.unverified().issued_at, NOW);
    assert_eq!(authority.publish(NOW).unwrap(), healed, "once is enough");
    assert_eq!(trust.update(&healed, &mut pins, NOW), Ok(()));
    // Who believed the wrong clock takes it, too.
    let mut misled = Trust::new(REVOCATION_LIMIT);
    misled.add(authority.anchor()).unwrap();
    let mut pins_of_misled = PinStore::default();
    misled.update_revocations(&wrong, &mut pins_of_misled, Time::MAX).unwrap();
    assert_eq!(misled.update_revocations(&healed.revocations, &mut pins_of_misled, NOW), Ok(()));

    // Parameters that were made by the wrong clock are not published, and not beside those that take their place.
    authority.rotate(Time::MAX).unwrap();
    authority.drop_previous();
    assert_eq!(authority.publish(NOW).err(), Some(Error::Expired("parameters statement")));
    authority.rotate(NOW).unwrap();
    let healed = authority.publish(NOW).unwrap();
    assert_eq!((healed.parameters.unverified().version, &healed.previous), (Version(3), &None));
    assert_eq!(trust.update(&healed, &mut pins, NOW), Ok(()));
}

#[test]
fn a_revocation_list_takes_nothing_back() {
    let forge = Forge::new(1);
    let mut trust = Trust::new(REVOCATION_LIMIT);
    trust.add(forge.anchor(ID)).unwrap();
    let mut pins = PinStore::default();
    let mut update = |version, entries: &[Revoked]| {
        let signed = Signed::from_cbor(&forge.sign(forge::REVOCATIONS, &list(version, entries))).unwrap();
        trust.update_revocations(&signed, &mut pins, NOW)
    };
    let [one, two] = [revoked(1, 1, 5, Reason::Compromised), revoked(2, 1, 5, Reason::Ended)];
    for unordered in [[two.clone(), one.clone()], [one.clone(), one.clone()]] {
        assert_eq!(update(1, &unordered), Err(Error::Malformed("revocation list")));
    }
    assert_eq!(update(1, &[one.clone(), two.clone()]), Ok(()));
    let refused = Err(Error::Untrusted("revocation list"));
    let later = Revoked { since: Time::at(6), ..two.clone() };
    let milder = Revoked { reason: Reason::Ended, ..one.clone() };
    for back in [vec![one.clone()], vec![one.clone(), later], vec![milder, two.clone()], vec![]] {
        assert_eq!(update(2, &back), refused);
    }
    let harsher = Revoked { since: Time::at(4), reason: Reason::Compromised, ..two };
    assert_eq!(update(2, &[one, harsher]), Ok(()));
}

#[test]
fn a_credential_is_valid_from_its_first_second_to_its_last() {
    let forge = Forge::new(1);
    let trust = trusting(&forge, &[]);
    let credential = credential(&forge, &statement());
    for at in [NOW, END] {
        assert_eq!(trust.credential(&credential, at).unwrap().standing(), Standing::Good);
    }
    for at in [Time::MIN, NOW.minus(Duration::from_secs(1)), END.plus(Duration::from_secs(1)), Time::MAX] {
        assert_eq!(trust.credential(&credential, at), Err(Error::Expired("credential")));
    }
    let mut no_list = Trust::new(REVOCATION_LIMIT);
    no_list.add(forge.anchor(ID)).unwrap();
    assert_eq!(no_list.credential(&credential, NOW), Err(Error::Unknown(Unknown::RevocationList(ID.parse().unwrap()))));
}

#[test]
fn a_revoked_person_is_refused_since_then_and_a_compromised_one_always() {
    let forge = Forge::new(1);
    let at = NOW.plus(Duration::from_secs(100));
    let shown = credential(&forge, &statement());
    let check = |revoked: Revoked| trusting(&forge, &[revoked]).credential(&shown, at).map(|shown| shown.standing());
    let refused = Err(Error::Revoked("this person"));
    for reason in [Reason::Ended, Reason::Replaced] {
        assert_eq!(check(revoked(1, 1, at.as_secs() - 1, reason)), refused);
        assert_eq!(check(revoked(1, 1, at.as_secs(), reason)), refused);
        assert_eq!(
            check(revoked(1, 1, at.as_secs() + 1, reason)),
            Ok(Standing::RevokedSince(at.plus(Duration::from_secs(1))))
        );
    }
    assert_eq!(check(revoked(1, 1, at.as_secs() + 1, Reason::Compromised)), refused);
    assert_eq!(check(revoked(1, 9, 0, Reason::Compromised)), Ok(Standing::Good), "another key of the same person");
    assert_eq!(check(revoked(2, 1, 0, Reason::Compromised)), Ok(Standing::Good), "another person");
}

#[test]
fn a_credential_that_contradicts_itself_is_refused() {
    let forge = Forge::new(1);
    let trust = trusting(&forge, &[]);
    for attributes in [
        "",
        "role:doctor",
        "role:doctor, user:#1",
        "role:doctor, valid-until = 2027-03",
        "role:doctor, user:#2, valid-until = 2027-03",
        "role:doctor, user:#1, valid-until = 2027-04",
        "role:doctor, user:#1, valid-until = 2027-02",
        "role:doctor,user:#1, valid-until = 2027-03",
        "user:#1, role:doctor, valid-until = 2027-03",
        "role:doctor, user:#01, valid-until = 2027-03",
        "role:\"doctor\", user:#1, valid-until = 2027-03",
        "role:doctor, user:#1, valid-until = 2027-03 ",
        "role:doctor and user:#1",
    ] {
        let contradicts = credential(&forge, &CredentialStatement { attributes: attributes.to_owned(), ..statement() });
        assert_eq!(trust.credential(&contradicts, NOW), Err(Error::Malformed("credential")), "{attributes}");
    }
    let endless = CredentialStatement { not_after: Time::MAX, ..statement() };
    assert_eq!(trust.credential(&credential(&forge, &endless), NOW), Err(Error::Malformed("credential")));
}

/// Everything an authority makes, with what reads it.
struct Objects {
    trust: Trust,
    issued: Issued,
    bulletin: Bulletin,
    anchor: Anchor,
}

fn objects() -> Objects {
    let mut hospital = Authority::setup(ID.parse().unwrap(), NOW).unwrap();
    for id in ["dr-ada", "dr-bob"] {
        hospital.enrol(&Identity::generate(id.parse().unwrap()).unwrap().enrol().unwrap()).unwrap();
    }
    hospital.revoke(&"dr-bob".parse().unwrap(), NOW, Reason::Ended, NOW).unwrap();
    let attributes = "role:doctor, name:\"Ada \\\"É\\\"\"".parse().unwrap();
    let issued = hospital.issue(&"dr-ada".parse().unwrap(), &attributes, NOW, END, NOW).unwrap();
    let bulletin = hospital.publish(NOW).unwrap();
    let mut trust = Trust::new(REVOCATION_LIMIT);
    trust.add(hospital.anchor()).unwrap();
    trust.update(&bulletin, &mut PinStore::default(), NOW).unwrap();
    Objects { trust, issued, bulletin, anchor: hospital.anchor() }
}

macro_rules! each_form {
    ($($object:expr => $kind:ty),* $(,)?) => {$({
        let object: &$kind = $object;
        let (bytes, json) = (object.to_cbor().unwrap(), object.to_json().unwrap());
        assert_eq!(&<$kind>::from_cbor(&bytes).unwrap(), object);
        let read = <$kind>::from_json(&json).unwrap();
        assert_eq!(&read, object);
        assert_eq!(read.to_cbor().unwrap(), bytes, "both forms carry the same");
        for length in 0..bytes.len() {
            assert!(<$kind>::from_cbor(&bytes[..length]).is_err(), "{length}");
        }
        for length in (0..json.len()).filter(|length| json.is_char_boundary(*length)) {
            assert!(<$kind>::from_json(&json[..length]).is_err(), "{length}");
        }
        assert!(<$kind>::from_cbor(&[&bytes[..], b"\0"].concat()).is_err());
        assert!(<$kind>::from_json(&format!("{json} {{}}")).is_err());
        assert!(<$kind>::from_json(&json.replacen('{', "{\"kid\":1,", 1)).is_err());
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let members: Vec<_> = value.as_object().unwrap().values().cloned().collect();
        assert!(<$kind>::from_json(&serde_json::Value::from(members).to_string()).is_err(), "a bare list");
        assert!(<$kind>::from_cbor(&[0x81; 100_000]).is_err());
        assert!(<$kind>::from_json(&"[".repeat(100_000)).is_err());
    })*};
}

#[test]
fn every_object_has_one_encoding_and_its_json_says_the_same() {
    let Objects { issued, bulletin, anchor, .. } = objects();
    each_form! {
        &issued.credential => Credential,
        &bulletin.parameters => Signed<ParametersStatement>,
        &bulletin.revocations => Signed<RevocationList>,
        &bulletin.people => Signed<PeopleMap>,
        &anchor => Anchor,
        &issued => Issued,
        &bulletin => Bulletin,
    }
}

#[test]
fn no_flipped_bit_of_anything_signed_is_believed() {
    let Objects { trust, issued, bulletin, anchor } = objects();
    let flips = |bytes: Vec<u8>| {
        (0..bytes.len() * 8).map(move |bit| {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped
        })
    };
    let mut decoded = 0;
    for flipped in flips(issued.credential.to_cbor().unwrap()).filter_map(|bytes| Credential::from_cbor(&bytes).ok()) {
        decoded += 1;
        assert!(trust.credential(&flipped, NOW).is_err());
    }
    let mut trust = Trust::new(REVOCATION_LIMIT);
    trust.add(anchor).unwrap();
    for flipped in flips(bulletin.revocations.to_cbor().unwrap()).filter_map(|bytes| Signed::from_cbor(&bytes).ok()) {
        decoded += 1;
        assert!(trust.update_revocations(&flipped, &mut PinStore::default(), NOW).is_err());
    }
    for flipped in flips(bulletin.people.to_cbor().unwrap()).filter_map(|bytes| Signed::from_cbor(&bytes).ok()) {
        decoded += 1;
        assert!(trust.update_people(&flipped, &mut PinStore::default(), NOW).is_err());
    }
    assert!(decoded > 2_000, "{decoded} of the altered objects still decoded, and were refused for their signature");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_anywhere_are_refused_without_a_panic(
        at in any::<prop::sample::Index>(),
        cut in 0..20usize,
        noise in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        static OBJECTS: LazyLock<Objects> = LazyLock::new(objects);
        let Objects { trust, issued, bulletin, anchor } = &*OBJECTS;
        let spliced = |bytes: Vec<u8>| {
            let at = at.index(bytes.len());
            let rest = bytes.get(at + cut..).unwrap_or_default();
            [&bytes[..at], &noise, rest].concat()
        };
        let credential = spliced(issued.credential.to_cbor().unwrap());
        if credential != issued.credential.to_cbor().unwrap() {
            prop_assert!(Credential::from_cbor(&credential).and_then(|read| trust.credential(&read, NOW)).is_err());
        }
        let text = String::from_utf8_lossy(&spliced(issued.credential.to_json().unwrap().into_bytes())).into_owned();
        if let Ok(read) = Credential::from_json(&text) {
            prop_assert!(read == issued.credential || trust.credential(&read, NOW).is_err());
        }
        let bytes = bulletin.to_cbor().unwrap();
        let noisy = spliced(bytes.clone());
        if noisy != bytes {
            let mut fresh = Trust::new(REVOCATION_LIMIT);
            fresh.add(anchor.clone()).unwrap();
            let read = Bulletin::from_cbor(&noisy);
            prop_assert!(read.and_then(|read| fresh.update(&read, &mut PinStore::default(), NOW)).is_err());
        }
        prop_assert!(Issued::from_cbor(&noise).is_err());
        prop_assert!(Authority::decode(&noise).is_err());
    }
}

#[test]
fn a_person_named_twice_in_json_is_refused() {
    let map = Forge::new(1).sign(forge::PEOPLE, &people(1, &[("dr-ada", 1), ("dr-bob", 2)]));
    let json = Signed::<PeopleMap>::from_cbor(&map).unwrap().to_json().unwrap();
    let twice = json.replace("\"dr-ada\":1", "\"dr-ada\":3,\"dr-ada\":1");
    assert_ne!(twice, json);
    assert!(Signed::<PeopleMap>::from_json(&twice).is_err());
}

#[test]
fn what_is_over_its_limit_is_refused_unread() {
    let zeros = vec![0; (64 << 20) + 1];
    assert_eq!(Credential::from_cbor(&zeros[..20 * 1024 + 1]), Err(Error::TooLarge("credential")));
    assert_eq!(Credential::from_cbor(&zeros[..20 * 1024]), Err(Error::Malformed("credential")));
    let text = " ".repeat(2 * 20 * 1024 + 1);
    assert_eq!(Credential::from_json(&text), Err(Error::TooLarge("credential")));
    assert_eq!(Credential::from_json(&text[1..]), Err(Error::Malformed("credential")));
    assert_eq!(Signed::<PeopleMap>::from_cbor(&zeros), Err(Error::TooLarge("people map")));
    assert_eq!(Signed::<RevocationList>::from_cbor(&zeros), Err(Error::TooLarge("revocation list")));
    let parameters = Signed::<ParametersStatement>::from_cbor(&zeros[..2049]);
    assert_eq!(parameters, Err(Error::TooLarge("parameters statement")));
    assert_eq!(Anchor::from_cbor(&zeros[..1025]), Err(Error::TooLarge("anchor")));
    assert_eq!(Issued::from_cbor(&zeros[..(4 << 20) + 32 * 1024 + 1]), Err(Error::TooLarge("issued key")));

    // The largest set of attributes fits into a credential, in both forms.
    let mut attributes = "user:#1, valid-until = 2027-03".to_owned();
    for n in 0..1000 {
        let longer = format!("a{n:03}:\"{}\", {attributes}", "\\\"".repeat(if n < 60 { 127 } else { 1 }));
        if longer.len() > 16 * 1024 {
            break;
        }
        attributes = longer;
    }
    let attributes: chartseal::policy::Attributes = attributes.parse().unwrap();
    assert!(attributes.to_string().len() > 16 * 1024 - 300);
    let forge = Forge::new(1);
    let large = credential(&forge, &CredentialStatement { attributes: attributes.to_string(), ..statement() });
    assert_eq!(Credential::from_json(&large.to_json().unwrap()).as_ref(), Ok(&large));
    assert!(trusting(&forge, &[]).credential(&large, NOW).is_ok());
}
