//! What opening a custodian's consent refuses, and what is remembered then.

use super::*;

/// He lets somebody in by name whom the owner did not: what he signed verifies, and is refused by whoever opens it.
#[test]
fn a_consent_that_is_refused_at_opening_takes_nobody_the_one_before() {
    let world = World::new();
    let honest = world.builder(&world.access).seal(later(1)).unwrap();
    let eve = Identity::generate("eve".parse().unwrap()).unwrap();
    let evil = world.forge(&honest, |terms| terms.people.push(Named::from(&eve.public())), |_| ());
    let mut pins = PinStore::default();
    let verify =
        |stored: &StoredConsent, pins: &PinStore| stored.verify(world.owner.devices(), &compartment(), pins, later(1));
    assert!(verify(&world.stored, &pins).unwrap().open(&world.ada, &mut pins).is_ok());
    let before = pins.clone();
    let live = verify(&evil, &pins).unwrap();
    assert_eq!(live.open(&world.ada, &mut pins).err(), Some(Error::NotAllowed));
    assert_eq!(live.open_as_device(&world.phone, &mut pins).err(), Some(Error::NotAllowed));
    assert_eq!(live.open_as(&eve, &mut pins).err(), Some(Error::NotAllowed));
    assert_eq!(pins, before, "nothing of it is remembered");
    // The phone does not speak for it, and the custodian's own word about it binds nobody.
    assert_eq!(world.phone.head(&live, later(1)).err(), Some(Error::NotAllowed));
    let head = live.custodian_head(&world.keeper, later(1)).unwrap();
    assert_eq!(live.fresh(&head, &mut pins, later(1), HEAD_LIMIT), Ok(Freshness::Fresh));
    assert_eq!(pins, before);
    assert!(verify(&world.stored, &pins).unwrap().open(&world.ada, &mut pins).is_ok());
    // What is opened is remembered, and the one before is gone.
    assert!(verify(&honest.0, &pins).unwrap().open(&world.ada, &mut pins).is_ok());
    assert_eq!(verify(&world.stored, &pins).err(), Some(Error::Rollback("consent")));
}

/// Who was left out, or shut out, cannot tell which; neither takes anything from him that he has.
#[test]
fn a_consent_that_does_not_open_is_not_remembered() {
    let world = World::new();
    let (closed, _) = world.builder(&world.access).exclude("dr-bob".parse().unwrap()).seal(later(1)).unwrap();
    let mut pins = PinStore::default();
    let live = closed.verify(world.owner.devices(), &compartment(), &pins, later(1)).unwrap();
    assert_eq!(live.open(&world.bob, &mut pins).err(), Some(Error::CannotOpen));
    assert_eq!(pins, PinStore::default());
    // Who writes and opens nothing says that he goes by it.
    let head = world.phone.head(&live, later(1)).unwrap();
    let confirmed = live.confirmed(&head, &mut PinStore::default(), later(1), HEAD_LIMIT).unwrap();
    assert!(confirmed.write_only(&mut pins).is_ok());
    let first = world.stored.verify(world.owner.devices(), &compartment(), &pins, later(1));
    assert_eq!(first.err(), Some(Error::Rollback("consent")));
}

/// Keys that were not renewed are to lose the compartment with each new month: he signs for today, and seals for a month
/// ago.
#[test]
fn a_consent_is_sealed_for_the_month_that_it_is_signed_in() {
    let world = World::new();
    let honest = world.builder(&world.access).reseal().unwrap().seal(later(100)).unwrap();
    let open = |change: i64| {
        let month = |terms: &mut Terms| {
            let month = &mut terms.read[0].month;
            *month = month.checked_add_signed(i32::try_from(change).unwrap()).unwrap();
        };
        let forged = world.forge(&honest, month, |_| ());
        let live = world.verify(&forged, later(100)).unwrap();
        live.open_as(&world.keeper, &mut PinStore::default()).map(drop)
    };
    assert_eq!(open(0), Ok(()));
    for change in [-3, -1, 1, 600] {
        assert_eq!(open(change), Err(Error::Forged("consent")), "{change}");
    }
}

/// The server serves what a cheating custodian signed; a reader goes on with the one before, request by request, and is
/// told.
#[test]
fn a_reader_goes_on_with_the_consent_before_one_that_a_cheating_custodian_signed() {
    let world = World::new();
    let honest = world.builder(&world.access).seal(later(1)).unwrap();
    let eve = Identity::generate("eve".parse().unwrap()).unwrap();
    let evil = world.forge(&honest, |terms| terms.people.push(Named::from(&eve.public())), |_| ());
    let mut pins = PinStore::default();
    let open = |stored: &[StoredConsent], pins: &mut PinStore| {
        let devices = world.owner.devices();
        devices.open_consents(&compartment(), stored, pins, later(1), |live, pins| live.open(&world.ada, pins)).unwrap()
    };
    for _ in 0..2 {
        let opened = open(&[world.stored.clone(), evil.clone()], &mut pins);
        assert_eq!(opened.newest.hash(), world.access.hash());
        assert!(matches!(opened.refused.as_slice(), [refused] if refused.why == Error::NotAllowed));
    }
    // The owner's next word heals it.
    let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &world.access);
    let (own, access, _) = sharing.rotate().unwrap().seal(later(1)).unwrap();
    let opened = open(&[world.stored.clone(), evil, own], &mut pins);
    assert_eq!((opened.newest.hash(), opened.refused.len()), (access.hash(), 0));
    assert_eq!(opened.earlier.len(), 1, "of the cheater's, not even the key is used");
}

#[test]
fn a_custodian_who_signs_many_consents_that_nobody_takes_makes_no_reader_slow() {
    let world = World::new();
    let honest = world.builder(&world.access).seal(later(1)).unwrap();
    let mut stored = vec![world.stored.clone()];
    for version in 2..100 {
        stored.push(world.forge(&honest, |terms| terms.people.clear(), |said| said.version = Version(version)));
    }
    let tries = std::cell::Cell::new(0);
    let devices = world.owner.devices();
    let opened = devices.open_consents(&compartment(), &stored, &mut PinStore::default(), later(1), |live, _| {
        tries.set(tries.get() + 1);
        // As if none of his opened: it costs an opening to know.
        if live.statement.mandate.is_some() {
            Err(Error::NotAllowed)
        } else {
            live.open(&world.ada, &mut PinStore::default())
        }
    });
    let opened = opened.unwrap();
    assert_eq!(opened.newest.hash(), world.access.hash());
    assert_eq!((opened.refused.len(), tries.get()), (MAX_REFUSED, MAX_REFUSED + 1));
}

/// The doctor opened his last honest one, the laboratory's reader was told of it by the owner's head, and the owner's phone
/// goes on from it.
#[test]
fn a_custodian_who_signs_many_consents_that_nobody_takes_shuts_nobody_out_who_remembers_the_one_before() {
    let world = World::new();
    let honest = world.builder(&world.access).seal(later(1)).unwrap();
    let live = world.verify(&honest.0, later(1)).unwrap();
    let (mut opened, mut told) = (PinStore::default(), PinStore::default());
    live.open(&world.ada, &mut opened).unwrap();
    let head = world.phone.head(&live, later(1)).unwrap();
    live.fresh(&head, &mut told, later(1), HEAD_LIMIT).unwrap();
    let eve = Named::from(&Identity::generate("eve".parse().unwrap()).unwrap().public());
    let mut stored = vec![world.stored.clone(), honest.0.clone()];
    for version in 3..4 + MAX_REFUSED as u64 {
        let version = |said: &mut ConsentStatement| said.version = Version(version);
        stored.push(world.forge(&honest, |terms| terms.people.push(eve.clone()), version));
    }
    let open = |stored: &[StoredConsent], pins: &mut PinStore| {
        let devices = world.owner.devices();
        devices.open_consents(&compartment(), stored, pins, later(2), |live, pins| live.open(&world.ada, pins))
    };
    for pins in [&mut opened, &mut told] {
        let gone_by = open(&stored, pins).unwrap();
        assert_eq!((gone_by.newest.hash(), gone_by.refused.len()), (honest.1.hash(), MAX_REFUSED));
        assert!(gone_by.refused.iter().all(|refused| refused.why == Error::NotAllowed));
    }
    // Her next word from there leaves nobody without the key that he moved records to before.
    let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &honest.1);
    let (own, access, _) = sharing.rotate().unwrap().seal(later(2)).unwrap();
    stored.push(own);
    let gone_by = open(&stored, &mut PinStore::default()).unwrap();
    assert_eq!((gone_by.newest.hash(), gone_by.refused.len()), (access.hash(), 0));
    assert!(gone_by.earlier.iter().any(|earlier| earlier.has_key_of(&honest.1)));
}

/// The owner's phone was away, and does not know of the honest one; it goes on from its own.
#[test]
fn what_a_custodian_moved_before_he_signed_many_that_nobody_takes_opens_after_the_owners_next_word() {
    let world = World::new();
    let honest = world.builder(&world.access).seal(later(1)).unwrap();
    let eve = Named::from(&Identity::generate("eve".parse().unwrap()).unwrap().public());
    let mut stored = vec![world.stored.clone(), honest.0.clone()];
    for version in 3..4 + MAX_EARLIER as u64 {
        let version = |said: &mut ConsentStatement| said.version = Version(version);
        stored.push(world.forge(&honest, |terms| terms.people.push(eve.clone()), version));
    }
    let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &world.access);
    let (own, access, _) = sharing.rotate().unwrap().seal(later(2)).unwrap();
    stored.push(own);
    let (devices, mut pins) = (world.owner.devices(), PinStore::default());
    let open = |live: &LiveConsent, pins: &mut dyn crate::pin::Pins| live.open(&world.ada, pins);
    let opened = devices.open_consents(&compartment(), &stored, &mut pins, later(2), open).unwrap();
    assert_eq!(opened.newest.hash(), access.hash());
    assert!(opened.earlier.iter().any(|earlier| earlier.has_key_of(&honest.1)));
}

/// He signs for a day before the one that he signed for last, with the keys and the writers of that day.
#[test]
fn a_consent_is_not_dated_before_those_that_it_remembers() {
    let world = World::new();
    let builder = world.mandate.consent(&world.keeper, world.owner.devices()).unwrap().after(&world.access).unwrap();
    // Nobody writes under it: its successor remembers it apart.
    let builder = builder.read(&world.trust, &world.hospital, "role:doctor").unwrap();
    let builder = builder.custodian(&world.keeper.public()).unwrap();
    let (_, second) = builder.seal(later(50)).unwrap();
    let honest = world.builder(&second).reseal().unwrap().seal(later(51)).unwrap();
    assert_eq!(honest.1.terms.past.last().unwrap().issued_at, later(50));
    let open = |days| {
        // With the month of its own day.
        let month = world.builder(&world.access).seal(later(days)).unwrap().1.terms.read[0].month;
        let month = |terms: &mut Terms| terms.read[0].month = month;
        let forged = world.forge(&honest, month, |statement| statement.issued_at = later(days));
        world.verify(&forged, later(60)).unwrap().open_as(&world.keeper, &mut PinStore::default()).map(drop)
    };
    assert_eq!([open(51), open(50)], [Ok(()), Ok(())]);
    assert_eq!([open(49), open(1)], [Err(Error::Forged("consent")), Err(Error::Forged("consent"))]);
}
