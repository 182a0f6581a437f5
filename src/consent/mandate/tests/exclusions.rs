//! Whom a custodian may shut out, and in whose name.

use std::collections::BTreeMap;

use super::*;
use crate::policy::PersonNumber;

/// A stolen key, and a custodian who makes room for it in what the owner will say next.
#[test]
fn a_custodian_neither_forgets_nor_adds_to_whom_the_owner_shuts_out_by_number() {
    let mut world = World::new();
    let number = world.trust.resolve(&world.hospital)("dr-ada").unwrap();
    let kept = |number| Exclusion {
        since: NOW,
        ..Exclusion::by_number((&world.hospital, number), Action::Read, Cause::Stolen)
    };
    let (ada, another) = (kept(number), kept(crate::policy::PersonNumber::new(7).unwrap()));
    let builder = world.phone.consent(world.owner.devices(), compartment()).after(&world.access).unwrap();
    let builder = builder.same_terms(&world.trust).unwrap().shut_out([ada.clone()]);
    let (stored, access) = builder.seal(NOW).unwrap();
    let opens = |stored: &StoredConsent| {
        let live = world.verify(stored, later(1)).unwrap();
        [&world.ada, &world.bob].map(|key| live.open(key, &mut PinStore::default()).is_ok())
    };
    assert_eq!(opens(&stored), [false, true]);
    world.mandate = world.phone.mandate((world.owner.devices(), &access), &world.keeper.public(), UNTIL, NOW).unwrap();
    // Said anew by hand, as far as the mandate goes.
    let builder = world.mandate.consent(&world.keeper, world.owner.devices()).unwrap().after(&access).unwrap();
    let policy = format!("role:doctor and not user:{number}");
    let builder = builder.read(&world.trust, &world.hospital, &policy).unwrap();
    let honest = builder.seal(later(1)).unwrap();
    assert_eq!(honest.1.terms.exclusions, std::slice::from_ref(&ada));
    let later_on = Exclusion { since: later(1), ..ada.clone() };
    let ending = Exclusion { until: Some(later(2)), ..ada.clone() };
    let from_all = Exclusion { action: Action::Both, ..ada.clone() };
    let renumbered = Exclusion { person: Some("dr-ada".parse().unwrap()), ..ada.clone() };
    let lists = [
        vec![],
        vec![another.clone()],
        vec![ada, another],
        vec![later_on],
        vec![ending],
        vec![from_all],
        vec![renumbered],
    ];
    for list in lists {
        let forged = world.forge(&honest, |terms| terms.exclusions = list, |_| ());
        let opened = world.verify(&forged, later(1)).and_then(|live| live.open(&world.bob, &mut PinStore::default()));
        assert_eq!(opened.err(), Some(Error::NotAllowed));
    }
    let by_owner = world.phone.sharing(world.owner.devices(), &world.trust, &honest.1);
    let (stored, ..) = by_owner.restrict(&world.hospital, "role:doctor").unwrap().seal(later(1)).unwrap();
    let live = world.verify(&stored, later(1)).unwrap();
    assert_eq!([&world.ada, &world.bob].map(|key| live.open(key, &mut PinStore::default()).is_ok()), [false, true]);
}

/// He says that she is out for the owner's own reasons, whom the owner revoked by name or keeps out; so that no word of the
/// owner's would bring her back.
#[test]
fn a_custodian_gives_no_reasons_in_the_owners_name() {
    let mut world = World::new();
    let number = world.trust.resolve(&world.hospital)("dr-ada").unwrap();
    let by_number = |cause| Exclusion::by_number((&world.hospital, number), Action::Read, cause);
    let [by_policy, declined, stolen] = [Cause::Policy, Cause::Declined, Cause::Stolen].map(by_number);
    let next = || world.phone.consent(world.owner.devices(), compartment()).after(&world.access).unwrap();
    let next = || next().same_terms(&world.trust).unwrap();
    let shut_out = [next().exclude("dr-ada".parse().unwrap()).seal(NOW), next().shut_out([declined.clone()]).seal(NOW)];
    for (_, access) in shut_out.map(Result::unwrap) {
        let given = (world.owner.devices(), &access);
        world.mandate = world.phone.mandate(given, &world.keeper.public(), UNTIL, NOW).unwrap();
        let honest = world.builder(&access).seal(later(1)).unwrap();
        assert!(world.verify(&honest.0, later(1)).unwrap().open(&world.bob, &mut PinStore::default()).is_ok());
        for cause in [&by_policy, &declined, &stolen] {
            let reason = Exclusion { since: later(1), ..cause.clone() };
            let add = |terms: &mut Terms| {
                terms.exclusions.push(reason);
                terms.exclusions.sort_unstable();
            };
            let opened = world
                .verify(&world.forge(&honest, add, |_| ()), later(1))
                .and_then(|live| live.open_as(&world.keeper, &mut PinStore::default()));
            assert_eq!(opened.err(), Some(Error::NotAllowed));
        }
    }
}

/// A policy is for the doctor alone, who is shut out: it waits until she is let in again, and not in the custodian's words.
#[test]
fn a_custodian_rewrites_no_policy_that_nobody_satisfies() {
    let mut world = World::new();
    let [ada, bob] = ["dr-ada", "dr-bob"].map(|name| world.trust.resolve(&world.hospital)(name).unwrap());
    let consent = |world: &World| {
        let builder =
            world.phone.consent(world.owner.devices(), compartment()).custodian(&world.keeper.public()).unwrap();
        let builder = builder.write(&world.trust, &world.hospital, &format!("user:{ada}")).unwrap();
        builder.read(&world.trust, &world.hospital, &format!("user:{ada}")).unwrap().seal(NOW).unwrap().1
    };
    let access = consent(&world);
    let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &access);
    let (_, out, _) = sharing.revoke("dr-ada".parse().unwrap()).unwrap().seal(NOW).unwrap();
    world.mandate = world.phone.mandate((world.owner.devices(), &out), &world.keeper.public(), UNTIL, NOW).unwrap();
    let honest = world.builder(&out).seal(later(1)).unwrap();
    let open = |change: &dyn Fn(&mut Terms)| {
        let forged = world.forge(&honest, |terms| change(terms), |_| ());
        world
            .verify(&forged, later(1))
            .and_then(|live| live.open_as(&world.keeper, &mut PinStore::default()))
            .map(|access| access.terms)
    };
    assert_eq!(open(&|_| ()).as_ref(), Ok(&honest.1.terms));
    let exclude_bob = |terms: &mut Terms| {
        let bob = Exclusion { numbers: [(world.hospital.clone(), bob)].into(), ..named("dr-bob", later(1)) };
        terms.exclusions.push(bob);
    };
    assert!(open(&exclude_bob).is_ok());
    let words = format!("user:{bob}");
    let read = |terms: &mut Terms| {
        exclude_bob(terms);
        terms.read[0].policy = words.clone();
    };
    let write = |terms: &mut Terms| {
        exclude_bob(terms);
        terms.write[0].policy = words.clone();
    };
    assert_eq!(open(&read).err(), Some(Error::NotAllowed));
    assert_eq!(open(&write).err(), Some(Error::NotAllowed));
}

fn named(person: &str, since: Time) -> Exclusion {
    Exclusion { since, ..Exclusion::by_name(person.parse().unwrap()) }
}

/// The owner revoked her before the hospital knew the name; he says that another's number is hers.
#[test]
fn whom_a_custodian_shuts_out_by_a_name_of_nobodys_is_found_by_her_own_and_by_her_number() {
    let world = World::new();
    let bob = world.trust.resolve(&world.hospital)("dr-bob").unwrap();
    let honest = world.builder(&world.access).seal(later(1)).unwrap();
    let lie = |terms: &mut Terms| {
        let numbers = BTreeMap::from([(world.hospital.clone(), bob)]);
        let nobody = Exclusion::by_name("dr-nobody".parse().unwrap());
        terms.exclusions.push(Exclusion { numbers, since: later(1), ..nobody });
    };
    let forged = world.verify(&world.forge(&honest, lie, |_| ()), later(1)).unwrap();
    let opens =
        |live: &LiveConsent| [&world.ada, &world.bob].map(|key| live.open(key, &mut PinStore::default()).is_ok());
    assert_eq!(opens(&forged), [true, false]);
    let opened = forged.open_as(&world.keeper, &mut PinStore::default()).unwrap();

    let sharing = || world.phone.sharing(world.owner.devices(), &world.trust, &opened);
    let bobs = "dr-bob".parse().unwrap();
    for (change, left) in [
        (sharing().readmit(&bobs), 1),
        (sharing().readmit_number(&world.hospital, bob, Cause::Revoked), 1),
        (sharing().readmit(&"dr-nobody".parse().unwrap()), 0),
        (sharing().reseal(), 1),
    ] {
        let (stored, own, receipt) = change.unwrap().seal(later(2)).unwrap();
        assert_eq!(opens(&world.verify(&stored, later(2)).unwrap()), [true, true]);
        assert_eq!((own.terms.exclusions.len(), receipt.unenforced.len()), (left, left), "the name means nobody");
        let again = world.phone.sharing(world.owner.devices(), &world.trust, &own).readmit(&bobs);
        assert_eq!(again.err(), Some(Error::Unknown(Unknown::Exclusion(bobs.clone()))));
    }
    let adas = "dr-ada".parse().unwrap();
    assert_eq!(sharing().readmit(&adas).err(), Some(Error::Unknown(Unknown::Exclusion(adas))));

    // Without the map of people, by the number.
    let mut unknowing = Trust::new(crate::authority::REVOCATION_LIMIT);
    unknowing.add(world.authority.anchor()).unwrap();
    let parameters = world.authority.parameters().unwrap();
    unknowing.update_parameters(&parameters, &mut PinStore::default(), NOW).unwrap();
    let sharing = || world.phone.sharing(world.owner.devices(), &unknowing, &opened);
    assert_eq!(sharing().readmit(&bobs).err(), Some(Error::Unknown(Unknown::Exclusion(bobs.clone()))));
    let change = sharing().readmit_number(&world.hospital, bob, Cause::Revoked).unwrap();
    let (stored, ..) = change.seal(later(2)).unwrap();
    assert_eq!(opens(&world.verify(&stored, later(2)).unwrap()), [true, true]);
}

#[test]
fn a_number_that_a_custodian_gave_to_a_name_yields_to_the_authoritys() {
    let mut world = World::new();
    world.known_elsewhere("dr-eve");
    let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &world.access);
    let (_, out, receipt) = sharing.revoke("dr-eve".parse().unwrap()).unwrap().seal(NOW).unwrap();
    assert_eq!((receipt.unenforced.len(), out.terms.exclusions[0].numbers.len()), (1, 0));
    world.mandate = world.phone.mandate((world.owner.devices(), &out), &world.keeper.public(), UNTIL, NOW).unwrap();
    let honest = world.builder(&out).seal(later(1)).unwrap();
    let bob = world.trust.resolve(&world.hospital)("dr-bob").unwrap();
    let lie = |terms: &mut Terms| terms.exclusions[0].numbers.extend([(world.hospital.clone(), bob)]);
    let forged = world.verify(&world.forge(&honest, lie, |_| ()), later(1)).unwrap();
    let opens =
        |live: &LiveConsent| [&world.ada, &world.bob].map(|key| live.open(key, &mut PinStore::default()).is_ok());
    assert_eq!(opens(&forged), [true, false]);
    let opened = forged.open_as(&world.keeper, &mut PinStore::default()).unwrap();

    let eve = Identity::generate("dr-eve".parse().unwrap()).unwrap();
    world.authority.enrol(&eve.enrol().unwrap()).unwrap();
    let bulletin = world.authority.publish(later(2)).unwrap();
    let mut trust = world.trust.clone();
    trust.update(&bulletin, &mut PinStore::default(), later(2)).unwrap();
    let sharing = world.phone.sharing(world.owner.devices(), &trust, &opened);
    let (stored, own, receipt) = sharing.rotate().unwrap().seal(later(2)).unwrap();
    assert_eq!((receipt.unenforced.len(), own.terms.exclusions.len()), (0, 1));
    assert_eq!(own.terms.exclusions[0].numbers[&world.hospital], trust.resolve(&world.hospital)("dr-eve").unwrap());
    let opens =
        |live: &LiveConsent| [&world.ada, &world.bob].map(|key| live.open(key, &mut PinStore::default()).is_ok());
    assert_eq!(opens(&world.verify(&stored, later(2)).unwrap()), [true, true]);
}

/// He says a stricter policy anew, and nothing of exclusions.
#[test]
fn whom_the_owner_excluded_stays_so_when_a_custodian_says_policies_by_hand() {
    let mut world = World::new();
    let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &world.access);
    let (_, out, _) = sharing.revoke("dr-ada".parse().unwrap()).unwrap().seal(NOW).unwrap();
    world.mandate = world.phone.mandate((world.owner.devices(), &out), &world.keeper.public(), UNTIL, NOW).unwrap();
    let by_hand = |access: &Access, day| {
        let builder = world.mandate.consent(&world.keeper, world.owner.devices()).unwrap().after(access).unwrap();
        let builder = builder.read(&world.trust, &world.hospital, "role:doctor and valid-until >= 2026-04").unwrap();
        let (stored, access) = builder.custodian(&world.keeper.public()).unwrap().seal(later(day)).unwrap();
        assert_eq!(access.terms.exclusions, out.terms.exclusions);
        let live = world.verify(&stored, later(day)).unwrap();
        assert_eq!([&world.ada, &world.bob].map(|key| live.open(key, &mut PinStore::default()).is_ok()), [false, true]);
        access
    };
    by_hand(&by_hand(&out, 1), 2);
}

/// One exclusion of the owner's, said again in many ways.
#[test]
fn a_custodian_fills_the_terms_with_no_more_exclusions_than_he_may_add() {
    let mut world = World::new();
    world.known_elsewhere("dr-eve");
    let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &world.access);
    let (_, out, _) = sharing.revoke("dr-eve".parse().unwrap()).unwrap().seal(NOW).unwrap();
    world.mandate = world.phone.mandate((world.owner.devices(), &out), &world.keeper.public(), UNTIL, NOW).unwrap();
    let honest = world.builder(&out).seal(later(1)).unwrap();
    for (many, taken) in [(64, true), (65, false)] {
        let add = |terms: &mut Terms| {
            for number in 1..=many {
                let number = PersonNumber::new(1000 + number).unwrap();
                let again =
                    Exclusion { numbers: [(world.hospital.clone(), number)].into(), ..terms.exclusions[0].clone() };
                terms.exclusions.push(again);
            }
        };
        let opened = world
            .verify(&world.forge(&honest, add, |_| ()), later(1))
            .unwrap()
            .open_as(&world.keeper, &mut PinStore::default());
        assert_eq!(opened.err(), (!taken).then_some(Error::NotAllowed));
    }
}

#[test]
fn a_custodian_excludes_by_name_whom_he_excluded_by_number() {
    let world = World::new();
    let number = world.trust.resolve(&world.hospital)("dr-bob").unwrap();
    let policy =
        "role:doctor".parse::<crate::policy::Policy>().unwrap().excluding(&[number].into()).unwrap().to_string();
    let builder = world.mandate.consent(&world.keeper, world.owner.devices()).unwrap().after(&world.access).unwrap();
    let builder = builder.read(&world.trust, &world.hospital, &policy).unwrap();
    let (_, second) = builder.custodian(&world.keeper.public()).unwrap().seal(later(1)).unwrap();
    let (stored, _) = world.builder(&second).exclude("dr-bob".parse().unwrap()).seal(later(2)).unwrap();
    assert!(world.verify(&stored, later(2)).unwrap().open_as(&world.keeper, &mut PinStore::default()).is_ok());
}

/// The owner revoked somebody by a name that no authority knows yet, and a custodian says that another's number is hers. Gives
/// the number, and what is opened then.
fn revoked_by_name_with_anothers_number() -> (World, PersonNumber, Access) {
    let mut world = World::new();
    world.known_elsewhere("dr-eve");
    let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &world.access);
    let (_, out, _) = sharing.revoke("dr-eve".parse().unwrap()).unwrap().seal(NOW).unwrap();
    world.mandate = world.phone.mandate((world.owner.devices(), &out), &world.keeper.public(), UNTIL, NOW).unwrap();
    let honest = world.builder(&out).seal(later(1)).unwrap();
    let bob = world.trust.resolve(&world.hospital)("dr-bob").unwrap();
    let lie = |terms: &mut Terms| terms.exclusions[0].numbers.extend([(world.hospital.clone(), bob)]);
    let forged = world.verify(&world.forge(&honest, lie, |_| ()), later(1)).unwrap();
    let opened = forged.open_as(&world.keeper, &mut PinStore::default()).unwrap();
    (world, bob, opened)
}

/// He waits for the owner to let that one in again.
#[test]
fn whoever_is_let_in_by_number_brings_nobody_back_who_was_revoked_by_name() {
    let (world, bob, opened) = revoked_by_name_with_anothers_number();
    for by_number in [true, false] {
        let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &opened);
        let change = if by_number {
            sharing.readmit_number(&world.hospital, bob, Cause::Revoked)
        } else {
            sharing.readmit(&"dr-bob".parse().unwrap())
        };
        let (_, own, _) = change.unwrap().seal(later(2)).unwrap();
        let named: Vec<_> = own.terms.exclusions.iter().filter_map(|one| one.person.clone()).collect();
        assert_eq!(named, ["dr-eve".parse().unwrap()], "{by_number}");
    }
}

/// As before; and the hospital's anchor was retired since, with its map of people at hand.
#[test]
fn whoever_is_let_in_by_a_number_of_a_retired_authority_brings_nobody_back_who_was_revoked_by_name() {
    let (world, bob, opened) = revoked_by_name_with_anothers_number();
    let mut trust = world.trust.clone();
    trust.retire(world.authority.anchor()).unwrap();
    let sharing = world.phone.sharing(world.owner.devices(), &trust, &opened);
    let (_, without, _) = sharing.revoke_authority(&world.hospital).unwrap().seal(later(2)).unwrap();
    let [exclusion] = without.terms.exclusions.as_slice() else { panic!("one is excluded") };
    assert_eq!((exclusion.person.clone(), exclusion.numbers.len()), (Some("dr-eve".parse().unwrap()), 0));
    let sharing = world.phone.sharing(world.owner.devices(), &trust, &without);
    let told = sharing.readmit_number(&world.hospital, bob, Cause::Revoked);
    let unknown = Unknown::NumberExclusion { authority: world.hospital.clone(), number: bob };
    assert_eq!(told.err(), Some(Error::Unknown(unknown)), "the number went with the first change");
}
