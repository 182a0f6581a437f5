//! A custodian who goes on for long, or beyond another branch.

use super::*;

/// Some hundred nights, with a person whose time ends in the middle, and another mandate after the owner came by.
#[test]
fn an_honest_custodian_goes_on_and_on() {
    let mut world = World::new();
    let eve = Identity::generate("eve".parse().unwrap()).unwrap();
    let builder = world.phone.consent(world.owner.devices(), compartment()).custodian(&world.keeper.public()).unwrap();
    let builder = builder.write(&world.trust, &world.hospital, "role:doctor").unwrap();
    let builder = builder.name(Named::from(&eve.public()).until(later(50))).unwrap();
    let (_, mut last) = builder.valid(None, later(150)).seal(NOW).unwrap();
    world.mandate = world.phone.mandate((world.owner.devices(), &last), &world.keeper.public(), UNTIL, NOW).unwrap();
    for day in 1..150 {
        if day == 140 {
            let change = world.phone.sharing(world.owner.devices(), &world.trust, &last).reseal().unwrap();
            last = change.seal(later(day)).unwrap().1;
            let devices = world.owner.devices();
            world.mandate = world.phone.mandate((devices, &last), &world.keeper.public(), UNTIL, later(day)).unwrap();
        }
        // Each with another end, so that none is one with the one before.
        let mut builder = world.builder(&last).valid(None, later(150 - day % 2));
        if day % 3 == 0 {
            builder = builder.reseal().unwrap();
        }
        let (stored, next) = builder.seal(later(day)).unwrap();
        assert!(
            world.verify(&stored, later(day)).unwrap().open_as(&world.keeper, &mut PinStore::default()).is_ok(),
            "day {day}"
        );
        last = next;
    }
    assert!(last.terms.people.is_empty());
}

/// He went on under one mandate, the owner signed without knowing, and gave him another.
#[test]
fn what_an_honest_custodian_seals_beyond_his_own_branch_is_taken() {
    let mut world = World::new();
    let (_, second) = world.builder(&world.access).seal(later(1)).unwrap();
    let (_, third) = world.builder(&second).seal(later(2)).unwrap();
    let change = world.phone.sharing(world.owner.devices(), &world.trust, &world.access).reseal().unwrap();
    let (_, own, _) = change.seal(later(3)).unwrap();
    world.mandate =
        world.phone.mandate((world.owner.devices(), &own), &world.keeper.public(), UNTIL, later(3)).unwrap();
    let (stored, next) = world.builder(&own).reseal().unwrap().beyond(&third).unwrap().seal(later(4)).unwrap();
    assert!(next.generation() > third.generation());
    assert!(world.verify(&stored, later(4)).unwrap().open_as(&world.keeper, &mut PinStore::default()).is_ok());
    // A clock that is behind the mandate's is noticed here, and not by the readers.
    assert!(matches!(world.builder(&own).seal(later(2)).err(), Some(Error::ApiMisuse(_))));
}

/// His branch left somebody out whose referral was over by itself; the owner's own consent has forgotten it since.
#[test]
fn what_is_over_keeps_no_custodian_from_going_beyond() {
    let mut world = World::new();
    let eve = Identity::generate("eve".parse().unwrap()).unwrap();
    let (authority, until) = (world.hospital.clone(), later(5));
    let by = "dr-ada".parse().unwrap();
    let referred = Some(Referred { referral: crate::id::Hash([7; 32]), authority, by, until });
    let named = Named { until: Some(until), referred, ..Named::from(&eve.public()) };
    let builder = world.phone.consent(world.owner.devices(), compartment()).custodian(&world.keeper.public()).unwrap();
    let (_, access) = builder.name(named).unwrap().seal(NOW).unwrap();
    world.mandate = world.phone.mandate((world.owner.devices(), &access), &world.keeper.public(), UNTIL, NOW).unwrap();
    let (_, third) = world.builder(&access).seal(later(6)).unwrap();
    assert_eq!((third.terms.people.len(), third.terms.consumed.len()), (0, 1));
    let change = world.phone.sharing(world.owner.devices(), &world.trust, &access).reseal().unwrap();
    let (_, own, _) = change.seal(later(7)).unwrap();
    assert!(own.terms.consumed.is_empty());
    world.mandate =
        world.phone.mandate((world.owner.devices(), &own), &world.keeper.public(), UNTIL, later(7)).unwrap();
    let (stored, _) = world.builder(&own).beyond(&third).unwrap().seal(later(8)).unwrap();
    assert!(world.verify(&stored, later(8)).unwrap().open_as(&world.keeper, &mut PinStore::default()).is_ok());
}

/// A stolen device signed it, with whatever it likes in it; the owner goes beyond it, since records lie under its key.
#[test]
fn a_thiefs_terms_keep_nobody_from_going_beyond_them() {
    let world = World::new();
    let consumed = |i: u32| {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&i.to_be_bytes());
        ConsumedStatement { statement: crate::id::Hash(hash), until: Time::MAX }
    };
    let consent = world.phone.consent(world.owner.devices(), compartment()).after(&world.access).unwrap();
    let consent = (0..600).map(consumed).fold(consent, ConsentBuilder::consume);
    let (_, theft) = consent.seal(later(1)).unwrap();
    assert_eq!(theft.terms.consumed.len(), 600);
    let change = world.phone.sharing(world.owner.devices(), &world.trust, &world.access).rotate().unwrap();
    let (_, own, _) = change.beyond(&theft).unwrap().seal(later(2)).unwrap();
    assert!(own.terms.consumed.is_empty());
}
