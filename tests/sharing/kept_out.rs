//! Whoever is shut out stays out, by whatever way, and comes back by the way that is meant for it.

use crate::support::world::{NOW, World, YEAR, after};
use chartseal::authority::{REVOCATION_LIMIT, Reason, Trust};
use chartseal::consent::{Access, Cause, Decline, Declined, StoredConsent};
use chartseal::id::{CompartmentId, Time};
use chartseal::identity::Identity;
use chartseal::owner::{Change, Sharing};
use chartseal::pin::PinStore;
use chartseal::policy::{ParseErrorKind, PersonNumber};
use chartseal::{Error, Unknown};

const DAY: u64 = 86_400;

fn section() -> CompartmentId {
    "a".parse().unwrap()
}

fn start(world: &World, policy: &str) -> (StoredConsent, Access) {
    let consent = world.phone.consent(world.devices(), section());
    consent.read(&world.trust, world.hospital.id(), policy).unwrap().seal(NOW).unwrap()
}

fn sharing<'a>(world: &'a World, access: &'a Access) -> Sharing<'a> {
    world.phone.sharing(world.devices(), &world.trust, access)
}

fn seal(change: Result<Change<'_>, Error>) -> (StoredConsent, Access) {
    let (stored, access, _) = change.unwrap().seal(NOW).unwrap();
    (stored, access)
}

/// Whether the doctor opens it.
fn opens(world: &World, stored: &StoredConsent) -> bool {
    let key = world.ada.identity.accept(&world.ada.issued, &world.trust, NOW).unwrap();
    world.live(stored).open(&key, &mut PinStore::default()).is_ok()
}

fn number(world: &World) -> PersonNumber {
    world.ada.issued.credential.unverified().number
}

fn declined(world: &World) -> Declined {
    let credential = world.trust.credential(&world.ada.issued.credential, NOW).unwrap();
    let decline = Decline::decline((&world.ada.identity, &credential), world.alice.id(), &section(), NOW).unwrap();
    decline.accept(&credential, NOW).unwrap()
}

/// She was excluded by number, by the owner's own words, declines, and thinks better of it.
#[test]
fn what_a_decline_is_taken_back_for_is_the_decline() {
    let world = World::new();
    let (id, number) = (world.hospital.id(), number(&world));
    let policy = format!("role:doctor and not user:{number}");
    let (_, access) = start(&world, &policy);
    let (_, out) = seal(sharing(&world, &access).decline(&declined(&world)));
    let (stored, back) = seal(sharing(&world, &out).readmit_number(id, number, Cause::Declined));
    assert!(!opens(&world, &stored));
    assert_eq!(back.terms().read[0].policy, policy);
    // Shut out by name as well, in between.
    let (_, revoked) = seal(sharing(&world, &out).revoke("dr-ada".parse().unwrap()));
    let (_, back) = seal(sharing(&world, &revoked).readmit_number(id, number, Cause::Declined));
    let (stored, back) = seal(sharing(&world, &back).readmit(&"dr-ada".parse().unwrap()));
    assert!(!opens(&world, &stored));
    assert_eq!(back.terms().read[0].policy, policy);
    // From writing alone.
    let consent = world.phone.consent(world.devices(), section());
    let consent = consent.read(&world.trust, id, "role:doctor").unwrap();
    let (_, access) = consent.write(&world.trust, id, "role:doctor and not user:dr-ada").unwrap().seal(NOW).unwrap();
    let credential = world.trust.credential(&world.ada.issued.credential, NOW).unwrap();
    let (_, out) = seal(sharing(&world, &access).decline(&declined(&world)));
    let (stored, back) = seal(sharing(&world, &out).readmit_number(id, number, Cause::Declined));
    assert!(opens(&world, &stored) && !back.may_write(id, credential.attributes()));
}

#[test]
fn everyone_but_one_is_no_wider_with_others_beside_it() {
    let world = World::new();
    let (stored, access) = start(&world, "not user:nurse-ned");
    assert!(opens(&world, &stored));
    let (_, revoked) = seal(sharing(&world, &access).revoke("dr-ada".parse().unwrap()));
    let (_, wider) = seal(sharing(&world, &revoked).grant_policy(world.hospital.id(), "dept:icu"));
    let ned = world.nurse.identity.accept(&world.nurse.issued, &world.trust, NOW).unwrap();
    let (stored, anew) = seal(sharing(&world, &wider).grant_policy(world.hospital.id(), "role:nurse"));
    assert!(world.live(&stored).open(&ned, &mut PinStore::default()).is_err(), "{}", anew.terms().read[0].policy);
    let (stored, back) = seal(sharing(&world, &wider).readmit(&"dr-ada".parse().unwrap()));
    assert!(opens(&world, &stored) && world.live(&stored).open(&ned, &mut PinStore::default()).is_err());
    assert_eq!(back.terms().read, wider.terms().read);
}

#[test]
fn whoever_is_excluded_in_every_branch_does_not_come_in_by_another() {
    let world = World::new();
    let number = number(&world);
    for policy in [
        format!("dept:icu and not user:{number} or role:nurse and not user:{number}"),
        format!("2 of (role:nurse, not user:{number})"),
    ] {
        let (_, access) = start(&world, &policy);
        let (stored, wider) = seal(sharing(&world, &access).grant_policy(world.hospital.id(), "role:doctor"));
        assert!(!opens(&world, &stored), "{}", wider.terms().read[0].policy);
    }
}

/// Policies are said anew without the verbs, as after a device was lost.
#[test]
fn the_builder_keeps_out_whom_the_version_before_did() {
    let world = World::new();
    let (_, access) = start(&world, "role:doctor");
    let (_, out) = seal(sharing(&world, &access).decline(&declined(&world)));
    let builder = || world.phone.consent(world.devices(), section()).after(&out).unwrap();
    let (stored, anew) = builder().read(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap();
    assert!(!opens(&world, &stored));
    assert_eq!(anew.terms().exclusions, out.terms().exclusions);
    // Even where there was no policy in between.
    let (_, none) = builder().seal(NOW).unwrap();
    let builder = world.phone.consent(world.devices(), section()).after(&none).unwrap();
    let (stored, _) = builder.read(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap();
    assert!(!opens(&world, &stored));
}

#[test]
fn whom_a_policy_is_for_alone_can_be_shut_out() {
    let mut world = World::new();
    let (id, number) = (world.hospital.id().clone(), number(&world));
    let again = Identity::generate("dr-ada".parse().unwrap()).unwrap();
    let stolen = world.ada.identity.accept(&world.ada.issued, &world.trust, NOW).unwrap();
    let (stored, access) = start(&world, &format!("user:{number}"));
    assert!(opens(&world, &stored));
    let verbs = [
        sharing(&world, &access).revoke("dr-ada".parse().unwrap()),
        sharing(&world, &access).decline(&declined(&world)),
    ];
    for verb in verbs {
        let (stored, out) = seal(verb);
        assert!(!opens(&world, &stored) && out.read_policies().is_empty());
        // It stands as it was said, so that taking the exclusion back is enough.
        let back = match out.terms().exclusions[0].cause {
            Cause::Revoked => sharing(&world, &out).readmit(&"dr-ada".parse().unwrap()),
            cause => sharing(&world, &out).readmit_number(&id, number, cause),
        };
        let (stored, back) = seal(back);
        assert!(opens(&world, &stored) && back.terms().read == access.terms().read);
    }
    // Said by hand, it is a mistake.
    let (_, revoked) = seal(sharing(&world, &access).revoke("dr-ada".parse().unwrap()));
    let granted = sharing(&world, &revoked).grant_policy(&id, &format!("user:{number}"));
    assert!(matches!(granted, Err(Error::ApiMisuse(_))));
    let policy = format!("user:{number} and role:doctor");
    let Err(Error::Policy(error)) = sharing(&world, &revoked).restrict(&id, &policy).unwrap().seal(NOW) else {
        panic!()
    };
    assert_eq!((error.kind(), &policy[error.span()]), (&ParseErrorKind::ExcludedAlone, policy.as_str()));
    // Her stolen keys.
    world.hospital.replace_keys(&again.enrol().unwrap(), NOW, Reason::Compromised, NOW).unwrap();
    let issued = world.hospital.issue(again.id(), &"role:doctor".parse().unwrap(), NOW, after(YEAR), NOW).unwrap();
    world.publish();
    let new = world.trust.credential(&issued.credential, NOW).unwrap();
    let (stored, access) = start(&world, &format!("user:{number}"));
    assert!(world.live(&stored).open(&stolen, &mut PinStore::default()).is_ok());
    let (stored, _) = seal(sharing(&world, &access).replace_key(&[&world.ada.issued.credential], &new));
    assert!(
        world.live(&stored).open(&stolen, &mut PinStore::default()).is_err()
            && world.live(&stored).open_as(&again, &mut PinStore::default()).is_ok()
    );
}

/// The number that she was excluded by stands in the terms.
#[test]
fn who_was_shut_out_is_taken_back_without_a_map_of_people() {
    let mut world = World::new();
    let (_, access) = start(&world, "role:doctor");
    let (_, revoked) = seal(sharing(&world, &access).revoke("dr-ada".parse().unwrap()));
    let mut bare = Trust::new(REVOCATION_LIMIT);
    bare.add(world.hospital.anchor()).unwrap();
    let bulletin = world.hospital.publish(after(100)).unwrap();
    bare.update_parameters(&bulletin.parameters, &mut PinStore::default(), NOW).unwrap();
    let bare = world.phone.sharing(world.devices(), &bare, &revoked);
    // And shuts her out for as long as she is not.
    let (stored, _) = seal(bare.rotate());
    assert!(!opens(&world, &stored));
    let (stored, back) = seal(bare.readmit(&"dr-ada".parse().unwrap()));
    assert!(opens(&world, &stored) && back.terms().exclusions.is_empty());
}

#[test]
fn a_grant_that_shuts_somebody_out_has_a_new_key() {
    let world = World::new();
    let (_, access) = start(&world, "role:doctor");
    let policy = "role:nurse and not user:dr-ada";
    let change = sharing(&world, &access).grant_policy(world.hospital.id(), policy).unwrap();
    let (stored, next, receipt) = change.seal(NOW).unwrap();
    assert!(!opens(&world, &stored) && receipt.needs_rewrap());
    // Somebody who was out already takes no new key.
    let (_, again) = seal(sharing(&world, &next).grant_policy(world.hospital.id(), policy));
    assert_eq!(again.generation(), next.generation());
}

/// A key opens what is sealed in the month that it ends in.
#[test]
fn a_stolen_key_is_let_in_by_its_own_month_and_not_by_the_next() {
    let mut world = World::new();
    let id = world.ada.identity.id().clone();
    let stolen = world.hospital.issue(&id, &"role:doctor".parse().unwrap(), NOW, after(10 * DAY), NOW).unwrap();
    let key = world.ada.identity.accept(&stolen, &world.trust, NOW).unwrap();
    let again = Identity::generate(id.clone()).unwrap();
    world.hospital.replace_keys(&again.enrol().unwrap(), NOW, Reason::Compromised, NOW).unwrap();
    let issued = world.hospital.issue(&id, &"role:doctor".parse().unwrap(), NOW, after(YEAR), NOW).unwrap();
    world.publish();
    let (_, access) = start(&world, "role:doctor");
    let new = world.trust.credential(&issued.credential, NOW).unwrap();
    let (_, access) = seal(sharing(&world, &access).replace_key(&[&stolen.credential], &new));
    let opens = |now: Time| {
        let change =
            sharing(&world, &access).readmit_number(world.hospital.id(), number(&world), Cause::Stolen).unwrap();
        let (stored, ..) = change.seal(now).unwrap();
        stored
            .verify(world.devices(), &section(), &PinStore::default(), now)
            .unwrap()
            .open(&key, &mut PinStore::default())
            .is_ok()
    };
    assert_eq!([15, 40].map(|day| opens(after(day * DAY))), [true, false]);
}

/// Nobody has to think of it: whoever seals after the month in which the stolen keys end leaves it out, but for a custodian.
#[test]
fn stolen_keys_are_shut_out_for_as_long_as_they_could_open_and_no_longer() {
    let mut world = World::new();
    let id = world.ada.identity.id().clone();
    let stolen = world.hospital.issue(&id, &"role:doctor".parse().unwrap(), NOW, after(10 * DAY), NOW).unwrap();
    let key = world.ada.identity.accept(&stolen, &world.trust, NOW).unwrap();
    let again = Identity::generate(id.clone()).unwrap();
    world.hospital.replace_keys(&again.enrol().unwrap(), NOW, Reason::Compromised, NOW).unwrap();
    let issued = world.hospital.issue(&id, &"role:doctor".parse().unwrap(), NOW, after(YEAR), NOW).unwrap();
    world.publish();
    let own = again.accept(&issued, &world.trust, NOW).unwrap();
    let keeper = Identity::generate("keeper".parse().unwrap()).unwrap();
    let consent = world.phone.consent(world.devices(), section()).custodian(&keeper.public()).unwrap();
    let (_, access) = consent.read(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap();
    let new = world.trust.credential(&issued.credential, NOW).unwrap();
    let (_, access) = seal(sharing(&world, &access).replace_key(&[&stolen.credential], &new));
    // NOW is the last day of March; the stolen key ends in April.
    assert_eq!(access.terms().exclusions[0].until, Some(after(30 * DAY + 26 * 60 + 39)));
    let given = (world.devices(), &access);
    let mandate = world.phone.mandate(given, &keeper.public(), after(YEAR), NOW).unwrap();
    let opens = |stored: StoredConsent, now: Time| {
        let live = stored.verify(world.devices(), &section(), &PinStore::default(), now).unwrap();
        [&key, &own].map(|key| live.open(key, &mut PinStore::default()).is_ok())
    };
    for (day, expected) in [(15, [false, false]), (30, [false, false]), (31, [false, true])] {
        let now = after(day * DAY);
        let (stored, next, _) = sharing(&world, &access).reseal().unwrap().seal(now).unwrap();
        assert_eq!((opens(stored, now), next.terms().exclusions.is_empty()), (expected, expected[1]), "{day}");
        let builder = mandate.consent(&keeper, world.devices()).unwrap().after(&access).unwrap();
        let (stored, next) = builder.same_terms(&world.trust).unwrap().seal(now).unwrap();
        assert_eq!((opens(stored, now), &next.terms().exclusions), ([false; 2], &access.terms().exclusions));
    }
}

/// As many leaves as there is room for, at the longest month.
#[test]
fn what_can_be_sealed_this_month_can_be_sealed_in_the_next() {
    let world = World::new();
    let digit = |n: u32| char::from_digit(n % 36, 36).unwrap();
    let policy = |n: u32| (0..n).map(|i| format!("a:{}{}", digit(i / 36), digit(i))).collect::<Vec<_>>().join(" or ");
    let sealed = |n| {
        let consent = world.phone.consent(world.devices(), section());
        consent.read(&world.trust, world.hospital.id(), &policy(n)).and_then(|consent| consent.seal(NOW))
    };
    let most = (480..=512).rev().find(|n| sealed(*n).is_ok()).unwrap();
    assert_eq!(most, 500);
    let (_, access) = sealed(most).unwrap();
    for month in 1..24 {
        assert!(sharing(&world, &access).rotate().unwrap().seal(after(month * 31 * DAY)).is_ok(), "{month}");
    }
}

/// Stolen keys are kept out; then she declines, and thinks better of it within the month.
#[test]
fn a_decline_that_is_taken_back_lets_no_stolen_key_in() {
    let mut world = World::new();
    let (id, number) = (world.hospital.id().clone(), number(&world));
    let stolen = world.ada.identity.accept(&world.ada.issued, &world.trust, NOW).unwrap();
    let again = Identity::generate("dr-ada".parse().unwrap()).unwrap();
    world.hospital.replace_keys(&again.enrol().unwrap(), NOW, Reason::Compromised, NOW).unwrap();
    let issued = world.hospital.issue(again.id(), &"role:doctor".parse().unwrap(), NOW, after(YEAR), NOW).unwrap();
    world.publish();
    let new = world.trust.credential(&issued.credential, NOW).unwrap();
    let (_, access) = start(&world, "role:doctor");
    let (_, replaced) = seal(sharing(&world, &access).replace_key(&[&world.ada.issued.credential], &new));
    let decline = Decline::decline((&again, &new), world.alice.id(), &section(), NOW).unwrap();
    let (_, out) = seal(sharing(&world, &replaced).decline(&decline.accept(&new, NOW).unwrap()));
    let (stored, back) = seal(sharing(&world, &out).readmit_number(&id, number, Cause::Declined));
    assert!(world.live(&stored).open(&stolen, &mut PinStore::default()).is_err());
    assert_eq!(back.terms().exclusions, replaced.terms().exclusions);
    let none = sharing(&world, &back).readmit_number(&id, number, Cause::Declined);
    let unknown = Unknown::NumberExclusion { authority: id.clone(), number };
    assert_eq!(none.err(), Some(Error::Unknown(unknown)));
    let (stored, _) = seal(sharing(&world, &back).readmit_number(&id, number, Cause::Stolen));
    assert!(world.live(&stored).open(&stolen, &mut PinStore::default()).is_ok());
}

/// Nobody of that role reads here when the keys are stolen; the role is let in later.
#[test]
fn stolen_keys_stay_out_of_where_they_did_not_read() {
    let mut world = World::new();
    let id = world.hospital.id().clone();
    let stolen = world.ada.identity.accept(&world.ada.issued, &world.trust, NOW).unwrap();
    let again = Identity::generate("dr-ada".parse().unwrap()).unwrap();
    world.hospital.replace_keys(&again.enrol().unwrap(), NOW, Reason::Compromised, NOW).unwrap();
    let issued = world.hospital.issue(again.id(), &"role:doctor".parse().unwrap(), NOW, after(YEAR), NOW).unwrap();
    world.publish();
    let new = world.trust.credential(&issued.credential, NOW).unwrap();
    let (_, access) = start(&world, "role:nurse");
    let (stored, out) = seal(sharing(&world, &access).replace_key(&[&world.ada.issued.credential], &new));
    assert!(out.terms().people.is_empty() && world.live(&stored).open_as(&again, &mut PinStore::default()).is_err());
    let (stored, _) = seal(sharing(&world, &out).grant_policy(&id, "role:doctor"));
    assert!(world.live(&stored).open(&stolen, &mut PinStore::default()).is_err());
}

/// While she is kept out, and by name and number at once.
#[test]
fn what_the_owner_says_by_number_stays_whenever_she_says_it() {
    let world = World::new();
    let (id, number) = (world.hospital.id(), number(&world));
    let own = format!("role:doctor and not user:{number}");
    let (_, access) = start(&world, "role:doctor");
    let (_, out) = seal(sharing(&world, &access).decline(&declined(&world)));
    let (_, said) = seal(sharing(&world, &out).restrict(id, &own));
    let (_, back) = seal(sharing(&world, &said).readmit_number(id, number, Cause::Declined));
    assert_eq!(back.terms().read[0].policy, own);
    let consent = world.phone.consent(world.devices(), section()).read(&world.trust, id, &own).unwrap();
    let (_, access) = consent.exclude("dr-ada".parse().unwrap()).seal(NOW).unwrap();
    let (_, back) = seal(sharing(&world, &access).readmit(&"dr-ada".parse().unwrap()));
    assert_eq!(back.terms().read[0].policy, own);
    // By name alone, it goes with the name.
    let (_, access) = start(&world, "role:doctor and not user:dr-ada");
    let (_, back) = seal(sharing(&world, &access).readmit(&"dr-ada".parse().unwrap()));
    assert_eq!(back.terms().read[0].policy, "role:doctor");
}

/// She was excluded by name before the hospital knew her, so she could open what was sealed until it did.
#[test]
fn a_grant_that_makes_an_exclusion_work_has_a_new_key() {
    let mut world = World::new();
    let id = world.hospital.id().clone();
    world.known_elsewhere("dr-eve");
    let consent = world.phone.consent(world.devices(), section()).read(&world.trust, &id, "role:doctor").unwrap();
    let (_, access) = consent.exclude("dr-eve".parse().unwrap()).seal(NOW).unwrap();
    let eve = Identity::generate("dr-eve".parse().unwrap()).unwrap();
    world.hospital.enrol(&eve.enrol().unwrap()).unwrap();
    world.publish();
    let (_, next) = seal(sharing(&world, &access).grant_policy(&id, "role:nurse and not user:dr-eve"));
    assert_ne!(next.generation(), access.generation());
}
