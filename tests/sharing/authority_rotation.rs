//! An authority's keys rotate: what opens with which key, judged by what keys do and not by what calls refuse.

use crate::support::world::{NOW, World, YEAR, after, record};
use chartseal::authority::{Authority, Bulletin, Issued, REVOCATION_LIMIT, Reason, Trust};
use chartseal::consent::{Access, Cause, ExposedBy, Exposure, Named, Referral, ReferralEnd, StoredConsent};
use chartseal::id::{Generation, Time};
use chartseal::identity::Identity;
use chartseal::kem::{self, UserKey};
use chartseal::owner::{Device, Sharing};
use chartseal::pin::PinStore;
use chartseal::record::{Author, SealedRecord};
use chartseal::{Error, Unknown};

const MONTH: u64 = 31 * 86_400;

fn consent(world: &World) -> (StoredConsent, Access) {
    let consent = world.phone.consent(world.devices(), "a".parse().unwrap());
    consent.read(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap()
}

fn sharing<'a>(world: &'a World, access: &'a Access) -> Sharing<'a> {
    world.phone.sharing(world.devices(), &world.trust, access)
}

fn resealed(world: &World, access: &Access, now: Time) -> (StoredConsent, Access) {
    let (stored, access, _) = sharing(world, access).reseal().unwrap().seal(now).unwrap();
    (stored, access)
}

fn opens(world: &World, stored: &StoredConsent, key: &UserKey, now: Time) -> bool {
    let compartment = stored.consent().unverified().compartment.clone();
    let live = stored.verify(world.devices(), &compartment, &PinStore::default(), now).unwrap();
    match live.open(key, &mut PinStore::default()) {
        Ok(_) => true,
        Err(Error::CannotOpen) => false,
        Err(other) => panic!("{other}"),
    }
}

fn accept(world: &World, issued: &Issued) -> Result<UserKey, Error> {
    world.ada.identity.accept(issued, &world.trust, NOW)
}

/// The hospital rotates; everybody hears of it.
fn rotate(world: &mut World) -> Issued {
    world.hospital.rotate(after(10)).unwrap();
    world.publish();
    let credential = world.ada.issued.credential.clone();
    world.hospital.reissue(&credential, NOW).unwrap()
}

#[test]
fn keys_and_consents_of_two_versions_open_with_their_own_only() {
    let mut world = World::new();
    let (before, access) = consent(&world);
    let old = accept(&world, &world.ada.issued).unwrap();
    let reissued = rotate(&mut world);
    let new = accept(&world, &reissued).unwrap();
    let (after_rotation, resealed) = resealed(&world, &access, NOW);
    assert_eq!(resealed.generation(), Generation(1));
    // Rows: the consent of before, the one sealed again. Columns: the old key, the new one.
    let table = [&before, &after_rotation].map(|stored| [&old, &new].map(|key| opens(&world, stored, key, NOW)));
    assert_eq!(table, [[true, false], [false, true]]);
    assert_eq!(world.live(&before).check_parameters(&world.trust), Err(Error::Rollback("public parameters")));
    assert_eq!(world.live(&after_rotation).check_parameters(&world.trust), Ok(()));
}

/// The same table without any of the checks of versions: capsules and keys alone.
#[test]
fn no_check_but_the_mathematics_keeps_the_versions_apart() {
    let (first, master) = kem::setup("st-olave".parse().unwrap()).unwrap();
    let (second, rotated) = kem::rotate(&master).unwrap();
    assert_eq!((first.version(), second.version()), (1, 2));
    let attributes = "role:doctor".parse().unwrap();
    let keys = [&master, &rotated].map(|master| kem::issue(master, &attributes).unwrap());
    let policy = "role:doctor".parse().unwrap();
    for (i, public) in [&first, &second].into_iter().enumerate() {
        let tree = public.expand(&policy).unwrap();
        let (capsule, shared) = kem::encapsulate(public, &tree, b"context").unwrap();
        for (j, key) in keys.iter().enumerate() {
            let opened = kem::decapsulate(key, &tree, b"context", &capsule);
            assert_eq!(opened.is_ok_and(|opened| opened.ct_eq(&shared)), i == j, "{i} {j}");
        }
    }
    // A key of the first, said to be of the second: its points fail the second's equation.
    let mut bytes = keys[0].to_secret_bytes().expose().clone();
    let other = keys[1].to_secret_bytes().expose().clone();
    let pid = (0..bytes.len() - 32).find(|at| bytes[*at] != other[*at]).unwrap();
    bytes[pid..pid + 32].copy_from_slice(&other[pid..pid + 32]);
    assert_eq!(UserKey::decode(&bytes, &second).err(), Some(Error::Untrusted("user key")));
}

#[test]
fn stale_parameters_are_refused_and_never_sealed_under() {
    let mut world = World::new();
    let stale: Bulletin = world.hospital.publish(after(100)).unwrap();
    world.hospital.rotate(after(10)).unwrap();
    world.publish();
    let rollback = world.trust.clone().update(&stale, &mut PinStore::default(), NOW);
    assert_eq!(rollback, Err(Error::Rollback("public parameters")));
    // One who has no trust at hand but remembers.
    let mut fresh = Trust::new(REVOCATION_LIMIT);
    fresh.add(world.hospital.anchor()).unwrap();
    assert_eq!(fresh.update(&stale, &mut world.pins.clone(), NOW), Err(Error::Rollback("public parameters")));
    let (stored, _) = consent(&world);
    assert_eq!(world.live(&stored).check_parameters(&world.trust), Ok(()));
    assert_eq!(world.trust.parameters(world.hospital.id()).unwrap().version(), 2);
    assert_eq!(world.trust.previous_parameters(world.hospital.id()).unwrap().version(), 1);
}

#[test]
fn a_bulletin_with_other_earlier_parameters_is_refused_whole() {
    let mut world = World::new();
    let first = world.trust.clone();
    world.hospital.rotate(after(10)).unwrap();
    let bulletin = world.hospital.publish(after(100)).unwrap();
    world.hospital.drop_previous();
    world.hospital.rotate(after(20)).unwrap();
    let third = world.hospital.publish(after(100)).unwrap();
    // Of the wrong version, of no authority at all, and another statement than the one that was seen.
    let skipped = Bulletin { previous: bulletin.previous.clone(), ..third.clone() };
    let mut other = Authority::setup("st-olave".parse().unwrap(), NOW).unwrap();
    let stranger = Bulletin { previous: Some(other.publish(NOW).unwrap().parameters), ..bulletin.clone() };
    let untrusted = Error::Untrusted("previous public parameters");
    for (bulletin, error) in [(skipped, untrusted), (stranger, Error::Forged("parameters statement"))] {
        let mut trust = first.clone();
        assert_eq!(trust.update(&bulletin, &mut PinStore::default(), NOW), Err(error));
        assert_eq!(trust.parameters(world.hospital.id()).unwrap().version(), 1);
    }
}

#[test]
fn a_key_that_is_imported_late_opens_the_consents_of_its_time_until_its_parameters_are_dropped() {
    let mut world = World::new();
    let (before, access) = consent(&world);
    rotate(&mut world);
    let late = accept(&world, &world.ada.issued).unwrap();
    assert!(opens(&world, &before, &late, NOW));
    assert!(!opens(&world, &resealed(&world, &access, NOW).0, &late, NOW));
    world.hospital.drop_previous();
    world.publish();
    assert_eq!(world.trust.previous_parameters(world.hospital.id()), None);
    assert_eq!(accept(&world, &world.ada.issued).err(), Some(Error::Untrusted("user key")));
}

#[test]
fn only_what_was_issued_last_is_issued_again() {
    let mut world = World::new();
    let person = world.ada.identity.id().clone();
    let first = world.ada.issued.credential.clone();
    let second = world.hospital.issue(&person, &"role:nurse".parse().unwrap(), NOW, after(YEAR), NOW).unwrap();
    // The role of doctor was dropped: it does not come back.
    assert_eq!(world.hospital.reissue(&first, NOW).err(), Some(Error::Rollback("credential")));
    let again = world.hospital.reissue(&second.credential, NOW).unwrap();
    let (old, new) = (second.credential.unverified(), again.credential.unverified());
    assert_eq!((&old.attributes, old.not_after, old.number), (&new.attributes, new.not_after, new.number));
    assert!(new.serial > old.serial);
    assert_eq!(world.hospital.reissue(&second.credential, NOW).err(), Some(Error::Rollback("credential")));
    assert_eq!(world.hospital.reissue(&again.credential, after(YEAR + 1)).err(), Some(Error::Expired("credential")));
    let mut other = Authority::setup("st-olave".parse().unwrap(), NOW).unwrap();
    assert_eq!(other.reissue(&again.credential, NOW).err(), Some(Error::Forged("credential")));
}

#[test]
fn who_left_or_has_new_keys_gets_nothing_issued_again() {
    let mut world = World::new();
    let nurse = world.nurse.identity.id().clone();
    world.hospital.leave(&nurse, NOW, NOW).unwrap();
    world.hospital.rotate(after(10)).unwrap();
    let credential = world.nurse.issued.credential.clone();
    assert_eq!(world.hospital.reissue(&credential, NOW).err(), Some(Error::Revoked("this person")));
    let again = Identity::generate(world.ada.identity.id().clone()).unwrap();
    world.hospital.replace_keys(&again.enrol().unwrap(), NOW, Reason::Compromised, NOW).unwrap();
    let credential = world.ada.issued.credential.clone();
    assert_eq!(world.hospital.reissue(&credential, NOW).err(), Some(Error::Rollback("credential")));
}

#[test]
fn an_authority_remembers_its_rotation_and_forgets_the_old_master_key() {
    let mut world = World::new();
    let plain = world.hospital.to_secret_bytes().unwrap();
    assert!(matches!(
        (world.hospital.rotate(after(10)), world.hospital.rotate(after(11))),
        (Ok(()), Err(Error::ApiMisuse(_)))
    ));
    let bytes = world.hospital.to_secret_bytes().unwrap();
    let mut decoded = Authority::decode(bytes.expose()).unwrap();
    assert_eq!(decoded.publish(after(100)), world.hospital.publish(after(100)));
    assert_eq!(decoded.parameters().unwrap().unverified().issued_at, after(10));
    let credential = world.ada.issued.credential.clone();
    assert!(decoded.reissue(&credential, NOW).is_ok());
    // The secret of the first master key: its last 48 bytes, before the signing seed.
    let length = usize::from(u16::from_be_bytes([plain.expose()[4], plain.expose()[5]]));
    let secret = &plain.expose()[6 + length - 48..6 + length];
    assert!(!bytes.expose().windows(48).any(|window| window == secret));
    // A state whose earlier parameters somebody else signed is none.
    let mut other = Authority::setup("st-olave".parse().unwrap(), NOW).unwrap();
    other.rotate(after(10)).unwrap();
    let other = other.to_secret_bytes().unwrap();
    let cut = 6 + length;
    let mixed = [&bytes.expose()[..cut + 32], &other.expose()[cut + 32..]].concat();
    assert!(Authority::decode(&mixed).is_err());
}

/// A compartment under another name is another one: keys by attributes open it as its own consent says, and the old
/// consent does not open it under the new name.
#[test]
fn a_renamed_compartment_keeps_nothing_of_the_old_one() {
    let world = World::new();
    let (stored, before) = consent(&world);
    let key = accept(&world, &world.ada.issued).unwrap();
    let renamed =
        StoredConsent::from_json(&stored.to_json().unwrap().replace(r#""compartment":"a""#, r#""compartment":"b""#));
    let section = "b".parse().unwrap();
    let verified = renamed.unwrap().verify(world.devices(), &section, &PinStore::default(), NOW);
    assert_eq!(verified.err(), Some(Error::Forged("consent")));
    let consent = world.phone.consent(world.devices(), section);
    let (other, access) = consent.read(&world.trust, world.hospital.id(), "role:nurse").unwrap().seal(NOW).unwrap();
    assert_eq!(access.generation(), before.generation());
    assert_eq!([&stored, &other].map(|stored| opens(&world, stored, &key, NOW)), [true, false]);
    // Records of either, with the name in the clear changed or not, to the key of the other one.
    let section = |access: &Access| access.compartment().to_string();
    for (from, to) in [(&before, &access), (&access, &before)] {
        let author = Author::device(&world.phone, world.devices()).unwrap();
        let sealed = record("r").part(from).unwrap().field("/a", "1").unwrap().seal(&author, NOW).unwrap();
        assert!(world.reader().open(&sealed, &[from]).is_ok());
        let text = sealed.to_json().unwrap();
        let moved = text.replace(&format!("\"{}\"", section(from)), &format!("\"{}\"", section(to)));
        assert_ne!(moved, text);
        for text in [moved, text] {
            let opened = SealedRecord::from_json(&text).and_then(|record| world.reader().open(&record, &[to]));
            assert!(matches!(opened.unwrap_err(), Error::CannotOpen | Error::Malformed("sealed record")));
        }
        assert!(sealed.clone().rewrap(from, to).is_err());
    }
}

#[test]
fn a_consent_that_a_custodian_sealed_again_for_a_new_month_stays_closed_to_a_key_that_was_not_renewed() {
    let mut world = World::new();
    let service = Identity::generate("service".parse().unwrap()).unwrap();
    let consent = world.phone.consent(world.devices(), "a".parse().unwrap());
    let consent = consent.read(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let (stored, access) = consent.custodian(&service.public()).unwrap().seal(NOW).unwrap();
    let person = world.ada.identity.id().clone();
    let roles = "role:doctor".parse().unwrap();
    let short = world.hospital.issue(&person, &roles, NOW, after(1), NOW).unwrap();
    let long = world.hospital.issue(&person, &roles, NOW, after(YEAR), NOW).unwrap();
    let [short, long] = [short, long].map(|issued| accept(&world, &issued).unwrap());
    assert_eq!([&short, &long].map(|key| opens(&world, &stored, key, NOW)), [true, true]);

    let mandate = world.phone.mandate((world.devices(), &access), &service.public(), after(3 * MONTH), NOW).unwrap();
    let opened = world.live(&stored).open_as(&service, &mut PinStore::default()).unwrap();
    let next = mandate.consent(&service, world.devices()).unwrap().after(&opened).unwrap();
    let later = after(2 * MONTH);
    let (sealed, again) = next.reseal().unwrap().same_terms(&world.trust).unwrap().seal(later).unwrap();
    assert_eq!(again.generation(), Generation(1));
    assert_eq!([&short, &long].map(|key| opens(&world, &sealed, key, later)), [false, true]);
    // After a rotation of the authority, the custodian's next one is closed to both until they are issued again.
    world.hospital.rotate(after(10)).unwrap();
    world.publish();
    let next = mandate.consent(&service, world.devices()).unwrap().after(&again).unwrap();
    let (sealed, _) = next.reseal().unwrap().same_terms(&world.trust).unwrap().seal(later).unwrap();
    assert_eq!([&short, &long].map(|key| opens(&world, &sealed, key, later)), [false, false]);
}

/// She is excluded; another hospital, which knows her too, issues her the same role.
#[test]
fn an_excluded_person_stays_out_with_a_key_of_a_second_linked_authority_and_with_one_issued_again() {
    let mut world = World::new();
    let mut clinic = Authority::setup("clinic".parse().unwrap(), NOW).unwrap();
    for number in ["somebody", "dr-ada"] {
        let identity = Identity::generate(number.parse().unwrap()).unwrap();
        let enrolment = if number == "dr-ada" { world.ada.identity.enrol() } else { identity.enrol() };
        clinic.enrol(&enrolment.unwrap()).unwrap();
    }
    world.trust.add(clinic.anchor()).unwrap();
    world.trust.update(&clinic.publish(NOW).unwrap(), &mut world.pins, NOW).unwrap();
    let consent = world.phone.consent(world.devices(), "a".parse().unwrap());
    let consent = consent.read(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let (stored, access) = consent.read(&world.trust, clinic.id(), "role:doctor").unwrap().seal(NOW).unwrap();
    let second = clinic.issue(world.ada.identity.id(), &"role:doctor".parse().unwrap(), NOW, after(YEAR), NOW).unwrap();
    let keys = [accept(&world, &world.ada.issued).unwrap(), accept(&world, &second).unwrap()];
    assert!(keys.iter().all(|key| opens(&world, &stored, key, NOW)));
    let (closed, closed_access, _) =
        sharing(&world, &access).revoke(world.ada.identity.id().clone()).unwrap().seal(NOW).unwrap();
    assert!(keys.iter().all(|key| !opens(&world, &closed, key, NOW)));
    let reissued = rotate(&mut world);
    let (again, _) = resealed(&world, &closed_access, NOW);
    assert!(!opens(&world, &again, &accept(&world, &reissued).unwrap(), NOW));
    let again = world.hospital.issue(
        world.ada.identity.id(),
        &"role:doctor, role:nurse".parse().unwrap(),
        NOW,
        after(YEAR),
        NOW,
    );
    let again = accept(&world, &again.unwrap()).unwrap();
    let (closed, _) = resealed(&world, &closed_access, NOW);
    assert!(!opens(&world, &closed, &again, NOW));
    // It is her being shut out, and nothing else, that keeps the key from opening.
    let back = sharing(&world, &closed_access).readmit(world.ada.identity.id()).unwrap();
    assert!(opens(&world, &back.seal(NOW).unwrap().0, &again, NOW));
}

#[test]
fn stolen_keys_are_reported_and_shut_out_while_the_person_stays() {
    let mut world = World::new();
    let (stored, access) = consent(&world);
    let other = world.access("closed-to-her");
    let stolen = accept(&world, &world.ada.issued).unwrap();
    let credential = world.ada.issued.credential.clone();
    let report = Exposure::of(&[&credential], &[&access, &other]).unwrap();
    assert_eq!(report.opened.len(), 1);
    assert_eq!(report.opened[0].compartment.as_str(), "a");
    assert_eq!(report.opened[0].by, ExposedBy::Attributes(world.hospital.id().clone()));
    assert!(report.to_string().contains("`a`") && !report.to_string().contains("closed-to-her"));
    // The report says what the keys do.
    assert!(opens(&world, &stored, &stolen, NOW));

    let again = Identity::generate(world.ada.identity.id().clone()).unwrap();
    world.hospital.replace_keys(&again.enrol().unwrap(), NOW, Reason::Compromised, NOW).unwrap();
    world.publish();
    let issued = world.hospital.issue(again.id(), &"role:doctor".parse().unwrap(), NOW, after(YEAR), NOW).unwrap();
    let new = world.trust.credential(&issued.credential, NOW).unwrap();
    let (closed, now_access, receipt) =
        sharing(&world, &access).replace_key(&[&credential], &new).unwrap().seal(NOW).unwrap();
    assert!(receipt.needs_rewrap());
    assert!(!opens(&world, &closed, &stolen, NOW));
    assert_eq!(
        world.live(&closed).open_as(&world.ada.identity, &mut PinStore::default()).err(),
        Some(Error::CannotOpen)
    );
    assert!(world.live(&closed).open_as(&again, &mut PinStore::default()).is_ok());
    let report = Exposure::of(&[&credential], &[&access, &now_access]).unwrap();
    assert_eq!(report.opened.iter().map(|exposed| exposed.generation).collect::<Vec<_>>(), [Generation(1)]);
    // Of her new keys the sealing key opens, and so it is reported when it is stolen in its turn.
    let report = Exposure::of(&[&issued.credential], &[&now_access]).unwrap();
    assert_eq!(report.opened[0].by, ExposedBy::Name);
    assert!(matches!(sharing(&world, &now_access).replace_key(&[&credential], &new), Err(Error::ApiMisuse(_))));
    // Whoever does not read here does not come to, and nobody else's credential shuts anybody out.
    let (elsewhere, nurses) = (&other, &world.nurse.issued.credential);
    let (_, there, _) = sharing(&world, elsewhere).replace_key(&[&credential], &new).unwrap().seal(NOW).unwrap();
    assert!(there.terms().people.is_empty());
    assert!(matches!(sharing(&world, &access).replace_key(&[nurses], &new), Err(Error::ApiMisuse(_))));
    assert!(matches!(sharing(&world, &access).replace_key(&[], &new), Err(Error::ApiMisuse(_))));
    let forged = credential.to_json().unwrap().replace("role:doctor", "role:doctoress");
    let forged = chartseal::authority::Credential::from_json(&forged).unwrap();
    let refused = sharing(&world, &access).replace_key(&[&forged], &new);
    assert_eq!(refused.err(), Some(Error::Forged("credential")));
    // By attributes she read as long as her credential lasts; by name she reads no longer.
    assert_eq!(now_access.terms().people[0].until, Some(after(YEAR)));
}

/// What was stolen is judged by its keys: named for a time, by a referral, as custodian, and under a second authority.
#[test]
fn a_new_key_has_what_the_stolen_one_had_and_no_more() {
    let mut world = World::new();
    let mut clinic = Authority::setup("clinic".parse().unwrap(), NOW).unwrap();
    clinic.enrol(&world.ada.identity.enrol().unwrap()).unwrap();
    let attributes = "role:doctor".parse().unwrap();
    let second = clinic.issue(world.ada.identity.id(), &attributes, NOW, after(YEAR), NOW).unwrap();
    world.trust.add(clinic.anchor()).unwrap();
    world.trust.update(&clinic.publish(NOW).unwrap(), &mut PinStore::default(), NOW).unwrap();
    let again = Identity::generate(world.ada.identity.id().clone()).unwrap();
    let first = world.ada.issued.credential.clone();
    let ada = world.trust.credential(&first, NOW).unwrap();
    let (phone, devices) = (&world.phone, world.devices().clone());
    let consent = |section: &str| phone.consent(&devices, section.parse().unwrap());

    let (_, until) = consent("until").name(Named::from(&ada).until(after(7))).unwrap().seal(NOW).unwrap();
    let nurse = world.trust.credential(&world.nurse.issued.credential, NOW).unwrap();
    let from = (&world.nurse.identity, &nurse);
    let referral = Referral::refer(from, until.owner(), ["a".parse().unwrap()], &ada, (after(9), NOW));
    let referral = referral.unwrap();
    let (_, empty) = consent("a").seal(NOW).unwrap();
    let accepted = referral.accept(&nurse, &world.trust, NOW).unwrap();
    let end = ReferralEnd::end(from, &referral, NOW).unwrap().accept(&referral, &nurse).unwrap();
    let (_, referred, _) = sharing(&world, &empty).refer(&accepted).unwrap().seal(NOW).unwrap();
    let (_, kept) = consent("kept").custodian(&ada).unwrap().seal(NOW).unwrap();
    let both = consent("both").read(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let both = both.read(&world.trust, clinic.id(), "role:doctor").unwrap();
    let (both_stored, both) = both.seal(NOW).unwrap();
    let stolen = world.ada.identity.accept(&second, &world.trust, NOW).unwrap();
    assert!(opens(&world, &both_stored, &stolen, NOW));

    world.hospital.replace_keys(&again.enrol().unwrap(), NOW, Reason::Compromised, NOW).unwrap();
    world.publish();
    let issued = world.hospital.issue(again.id(), &attributes, NOW, after(YEAR), NOW).unwrap();
    let new = world.trust.credential(&issued.credential, NOW).unwrap();
    let all = [&first, &second.credential];
    let replace = |access: &Access| sharing(&world, access).replace_key(&all, &new).unwrap().seal(NOW).unwrap();
    let stays_out = |stored: &StoredConsent| {
        world.live(stored).open_as(&world.ada.identity, &mut PinStore::default()).err() == Some(Error::CannotOpen)
            && world.live(stored).open_as(&again, &mut PinStore::default()).is_ok()
    };

    let (closed, access, _) = replace(&until);
    assert!(stays_out(&closed));
    assert_eq!(access.terms().people[0].until, Some(after(7)));
    let (closed, access, _) = replace(&referred);
    assert!(stays_out(&closed));
    assert_eq!(access.terms().people[0].until, Some(after(9)));
    // Shown again, the referral does not name the stolen key beside the new one.
    assert!(matches!(sharing(&world, &access).refer(&accepted), Err(Error::ApiMisuse(_))));
    let (ended, ..) = sharing(&world, &access).end_referral(&end).unwrap().seal(NOW).unwrap();
    assert_eq!(world.live(&ended).open_as(&again, &mut PinStore::default()).err(), Some(Error::CannotOpen));
    let (closed, access, _) = replace(&kept);
    assert!(stays_out(&closed) && access.terms().people.is_empty());
    assert_eq!(access.terms().custodian.as_ref().map(|keeper| keeper.sealing), Some(*new.sealing()));
    let (closed, ..) = replace(&both);
    assert!(stays_out(&closed) && !opens(&world, &closed, &stolen, NOW));
    assert_eq!(Exposure::of(&all, &[&access]).unwrap().opened.len(), 0);
}

/// Her keys were stolen, she was shut out and taken back: the stolen user key is shut out still.
#[test]
fn a_stolen_key_is_not_readmitted_with_its_person() {
    let mut world = World::new();
    let (stored, access) = consent(&world);
    let stolen = accept(&world, &world.ada.issued).unwrap();
    assert!(opens(&world, &stored, &stolen, NOW));
    let again = Identity::generate(world.ada.identity.id().clone()).unwrap();
    let old = world.ada.issued.credential.clone();
    let same = world.trust.credential(&old, NOW).unwrap();
    assert!(matches!(sharing(&world, &access).replace_key(&[&old], &same), Err(Error::ApiMisuse(_))));
    world.hospital.replace_keys(&again.enrol().unwrap(), NOW, Reason::Compromised, NOW).unwrap();
    world.publish();
    let issued = world.hospital.issue(again.id(), &"role:doctor".parse().unwrap(), NOW, after(YEAR), NOW).unwrap();
    let new = world.trust.credential(&issued.credential, NOW).unwrap();
    let (_, access, _) = sharing(&world, &access).replace_key(&[&old], &new).unwrap().seal(NOW).unwrap();
    let (_, revoked, _) = sharing(&world, &access).revoke(again.id().clone()).unwrap().seal(NOW).unwrap();
    let (stored, ..) = sharing(&world, &revoked).readmit(again.id()).unwrap().seal(NOW).unwrap();
    assert!(!opens(&world, &stored, &stolen, NOW));
    // Nor does it come back with a policy that is said anew.
    let id = world.hospital.id();
    let (none, without, _) = sharing(&world, &access).revoke_authority(id).unwrap().seal(NOW).unwrap();
    let (wider, ..) = sharing(&world, &access).grant_policy(id, "role:doctor or ward:1").unwrap().seal(NOW).unwrap();
    let (anew, ..) = sharing(&world, &access).restrict(id, "role:doctor").unwrap().seal(NOW).unwrap();
    let (again, next, _) = sharing(&world, &without).grant_policy(id, "role:doctor").unwrap().seal(NOW).unwrap();
    for stored in [none, wider, anew, again] {
        assert!(!opens(&world, &stored, &stolen, NOW));
    }
    // Until its time is over, and the owner says so.
    let number = old.unverified().number;
    let (stored, next, _) =
        sharing(&world, &next).readmit_number(id, number, Cause::Stolen).unwrap().seal(NOW).unwrap();
    assert!(opens(&world, &stored, &stolen, NOW));
    let unknown = Unknown::NumberExclusion { authority: id.clone(), number };
    let again = sharing(&world, &next).readmit_number(id, number, Cause::Stolen);
    assert_eq!(again.err(), Some(Error::Unknown(unknown)));
}

/// The server takes the previous parameters out of a bulletin, once: what it serves later counts as before.
#[test]
fn a_bulletin_that_was_stripped_stops_no_later_one() {
    let mut world = World::new();
    world.hospital.rotate(after(200)).unwrap();
    let stripped = Bulletin { previous: None, ..world.hospital.publish(after(200)).unwrap() };
    world.trust.update(&stripped, &mut world.pins, NOW).unwrap();
    world.hospital.revoke(&"nurse-ned".parse().unwrap(), NOW, Reason::Compromised, after(300)).unwrap();
    world.trust.update(&world.hospital.publish(after(300)).unwrap(), &mut world.pins, after(300)).unwrap();
    assert!(world.trust.credential(&world.nurse.issued.credential, NOW).is_err());
    assert!(world.trust.previous_parameters(world.hospital.id()).is_some());
}

/// Twenty levels of the patient's own words, as they are.
#[test]
fn a_custodian_goes_on_with_a_deep_policy_and_a_stranger_gives_no_mandate() {
    let world = World::new();
    let keeper = Identity::generate("keeper".parse().unwrap()).unwrap();
    let deep = (0..20).fold("role:doctor".to_owned(), |inner, n| {
        if n % 2 == 0 { format!("(a:{n} or {inner})") } else { format!("(b:{n} and {inner})") }
    });
    let consent = world.phone.consent(world.devices(), "a".parse().unwrap()).custodian(&keeper.public()).unwrap();
    let (_, access) = consent.read(&world.trust, world.hospital.id(), &deep).unwrap().seal(NOW).unwrap();
    let mandate = world.phone.mandate((world.devices(), &access), &keeper.public(), after(YEAR), NOW).unwrap();
    let builder = mandate.consent(&keeper, world.devices()).unwrap().after(&access).unwrap();
    assert!(builder.same_terms(&world.trust).unwrap().seal(after(10)).is_ok());
    let stranger = Device::generate("stranger".parse().unwrap()).unwrap();
    let given = stranger.mandate((world.devices(), &access), &keeper.public(), after(YEAR), NOW);
    assert!(matches!(given, Err(Error::ApiMisuse(_))));
}
