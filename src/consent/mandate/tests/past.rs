//! What the terms remember of those who could write, and what a custodian may say of it.

use super::*;

#[test]
fn a_custodian_cannot_write_his_own_past() {
    let world = World::new();
    let (_, second) = world.builder(&world.access).seal(later(1)).unwrap();
    let honest = world.builder(&second).seal(later(2)).unwrap();
    let open = |change: &dyn Fn(&mut PastWriting)| {
        let forged = world.forge(&honest, |terms| change(terms.past.last_mut().unwrap()), |_| ());
        world
            .verify(&forged, later(2))
            .and_then(|live| live.open_as(&world.keeper, &mut PinStore::default()))
            .map(|access| access.version())
    };
    assert_eq!(open(&|_| ()), Ok(Version(3)));
    assert_eq!(open(&|last| last.issued_at = Time::MIN), Err(Error::NotAllowed));
    assert_eq!(open(&|last| last.not_after = None), Err(Error::NotAllowed));
    assert_eq!(open(&|last| last.not_after = Some(UNTIL.plus(Duration::from_secs(1)))), Err(Error::NotAllowed));
    assert_eq!(open(&|last| last.to = Version(3)), Err(Error::NotAllowed));
    // Nor where it stands among the owner's.
    let base = world.mandate.unverified().base();
    assert_eq!(open(&|last| last.base = Some(Base { version: Version(2), ..base })), Err(Error::NotAllowed));
    assert_eq!(open(&|last| last.base = Some(Base { hash: Hash([7; 32]), ..base })), Err(Error::NotAllowed));
    assert_eq!(open(&|last| last.base = None), Err(Error::NotAllowed));
    assert_eq!(open(&|last| last.devices = Version(2)), Err(Error::NotAllowed));
}

/// The first that are dropped for want of room are the earliest.
#[test]
fn a_long_past_stays_whole_under_a_mandate() {
    let mut world = World::new();
    let mut access = None::<Access>;
    for version in 0..=MAX_PAST as u64 {
        let before = access.as_ref().unwrap_or(&world.access);
        let builder = world.phone.consent(world.owner.devices(), compartment()).after(before).unwrap();
        let builder = builder.reseal().unwrap().same_terms(&world.trust).unwrap();
        // Each with an end of its own, so that none is one with the one before.
        access = Some(builder.valid(None, later(300 + version)).seal(NOW).unwrap().1);
    }
    let access = access.unwrap();
    // With room for what a mandate may add.
    assert_eq!(access.terms.past.len(), MAX_PAST - MAX_MANDATES_PAST);
    world.mandate = world.phone.mandate((world.owner.devices(), &access), &world.keeper.public(), UNTIL, NOW).unwrap();
    let honest = world.builder(&access).seal(later(1)).unwrap();
    let open = |stored: &StoredConsent| {
        world.verify(stored, later(1)).and_then(|live| live.open_as(&world.keeper, &mut PinStore::default()))
    };
    assert!(open(&honest.0).is_ok());
    let shorter = world.forge(&honest, |terms| drop(terms.past.remove(0)), |_| ());
    assert_eq!(open(&shorter).err(), Some(Error::NotAllowed));
    let gap = world.forge(&honest, |terms| drop(terms.past.remove(30)), |_| ());
    assert_eq!(open(&gap).err(), Some(Error::NotAllowed));
}

#[test]
fn a_custodian_does_not_keep_whose_time_is_over_nor_forget_a_referral_that_ended() {
    let mut world = World::new();
    let eve = Identity::generate("eve".parse().unwrap()).unwrap();
    let builder = world.phone.consent(world.owner.devices(), compartment()).custodian(&world.keeper.public()).unwrap();
    let builder = builder.name(Named::from(&eve.public()).until(later(1))).unwrap();
    let ended = ConsumedStatement { statement: crate::id::Hash([7; 32]), until: later(9) };
    let (_, access) = builder.consume(ended.clone()).seal(NOW).unwrap();
    world.mandate = world.phone.mandate((world.owner.devices(), &access), &world.keeper.public(), UNTIL, NOW).unwrap();
    let honest = world.builder(&access).seal(later(1)).unwrap();
    let open = |stored: &StoredConsent| {
        world.verify(stored, later(20)).and_then(|live| live.open_as(&world.keeper, &mut PinStore::default()))
    };
    assert!(open(&honest.0).is_ok());
    let kept = world.forge(&honest, |_| (), |statement| statement.issued_at = later(2));
    assert_eq!(open(&kept).err(), Some(Error::Forged("consent")));
    let forgotten = world.forge(&honest, |terms| terms.consumed.clear(), |_| ());
    assert_eq!(open(&forgotten).err(), Some(Error::NotAllowed));
    let (_, next) = world.builder(&access).seal(later(20)).unwrap();
    assert_eq!((next.terms.people.len(), &next.terms.consumed), (0, &vec![ended]));
}

/// Her parent's device, after majority, with the clock of the year before.
#[test]
fn a_device_whose_time_is_over_leaves_no_trace_in_what_readers_remember() {
    let (mut child, own) = Owner::generate_with_device("own".parse().unwrap(), NOW).unwrap();
    let parent = Device::generate("parents".parse().unwrap()).unwrap();
    child.add_device_until(&parent.public(), later(10), NOW).unwrap();
    let (_, first) = own.consent(child.devices(), compartment()).seal(NOW).unwrap();
    let (_, second) = parent.consent(child.devices(), compartment()).after(&first).unwrap().seal(later(9)).unwrap();
    let (third, _) = parent.consent(child.devices(), compartment()).after(&second).unwrap().seal(later(9)).unwrap();
    let pins = PinStore::default();
    let late = third.verify(child.devices(), &compartment(), &pins, later(11));
    assert_eq!(late.err(), Some(Error::Expired("device")));
    assert_eq!(pins, PinStore::default());
    let (honest, _) = own.consent(child.devices(), compartment()).after(&first).unwrap().seal(later(11)).unwrap();
    assert!(honest.verify(child.devices(), &compartment(), &pins, later(11)).is_ok());
}

/// Before it, doctors could write; now nobody can. What they wrote stands by what is remembered.
#[test]
fn a_custodian_neither_pushes_the_owners_past_out_nor_fills_the_terms() {
    let mut world = World::new();
    let builder = world.phone.consent(world.owner.devices(), compartment()).after(&world.access).unwrap();
    let builder = builder.read(&world.trust, &world.hospital, "role:doctor").unwrap();
    let (_, access) = builder.custodian(&world.keeper.public()).unwrap().seal(NOW).unwrap();
    world.mandate = world.phone.mandate((world.owner.devices(), &access), &world.keeper.public(), UNTIL, NOW).unwrap();
    let honest = world.builder(&access).seal(later(1)).unwrap();
    let base = world.mandate.unverified().base();
    let invented = |i: u64| {
        let (at, devices, base) = (Version(3 + i), Version(1), Some(base));
        PastWriting { from: at, to: at, issued_at: NOW, not_after: Some(UNTIL), write: Vec::new(), devices, base }
    };
    let open = |change: &dyn Fn(&mut Terms)| {
        let version = Version(3 + MAX_PAST as u64);
        let forged = world.forge(&honest, |terms| change(terms), |statement| statement.version = version);
        world.verify(&forged, later(1)).and_then(|live| live.open_as(&world.keeper, &mut PinStore::default()))
    };
    let room = MAX_MANDATES_PAST as u64;
    let refused = open(&|terms| terms.past = (0..=room).map(invented).collect()).err();
    assert_eq!(refused, Some(Error::NotAllowed));
    assert!(open(&|terms| terms.past.extend((0..=room).map(invented))).is_err());
    // With as many as there is room for, the owner's own are the last to go.
    let full = open(&|terms| terms.past.extend((0..room).map(invented))).unwrap();
    let next = world.phone.sharing(world.owner.devices(), &world.trust, &full).rotate().unwrap();
    let (_, own, _) = next.seal(later(2)).unwrap();
    assert_eq!(own.terms.past.iter().filter(|entry| entry.base.is_none()).count(), 2);
    assert_eq!(own.terms.past.len(), MAX_MANDATES_PAST + 2);

    let consumed = |i: u8| ConsumedStatement { statement: crate::id::Hash([i; 32]), until: UNTIL };
    assert_eq!(open(&|terms| terms.consumed = vec![consumed(1)]).err(), Some(Error::NotAllowed));
    let named = |i: usize| Exclusion::by_name(format!("person-{i:03}").parse().unwrap());
    assert!(open(&|terms| terms.exclusions = (0..64).map(named).collect()).is_ok());
    assert_eq!(open(&|terms| terms.exclusions = (0..65).map(named).collect()).err(), Some(Error::NotAllowed));
    // Nor with numbers under authorities that nobody asks.
    let number = crate::policy::PersonNumber::new(7).unwrap();
    let mut elsewhere = named(0);
    elsewhere.numbers = [("st-elsewhere".parse().unwrap(), number)].into();
    assert_eq!(open(&|terms| terms.exclusions = vec![elsewhere.clone()]).err(), Some(Error::NotAllowed));
    elsewhere.numbers = [(world.hospital.clone(), number)].into();
    assert!(open(&|terms| terms.exclusions = vec![elsewhere.clone()]).is_ok());
}

/// Under the first mandate he shut the doctor out, who wrote on; under the second one he wants nobody to know of the first.
#[test]
fn a_custodian_does_not_forget_what_was_under_an_earlier_mandate() {
    use crate::record::{Author, Reader, Record, SealedRecord};
    let world = World::new();
    let (_, night) = world.builder(&world.access).exclude("dr-ada".parse().unwrap()).seal(later(1)).unwrap();
    let author = Author::new(&world.doctor.0, &world.doctor.1).unwrap();
    let record = Record::new("r".parse().unwrap(), "clinic/note".parse().unwrap()).part(&world.access).unwrap();
    let mut record = record.field("/a", "1").unwrap().seal(&author, later(2)).unwrap();
    let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &night);
    let (_, own, _) = sharing.rotate().unwrap().seal(later(3)).unwrap();
    record.rewrap(&world.access, &own).unwrap();
    let reads = |record: &SealedRecord, access: &Access| {
        let reader = Reader::new(&world.trust, later(6)).devices(world.owner.devices().clone());
        reader.open(record, &[access]).map(|_| ())
    };
    assert_eq!(reads(&record, &own), Err(Error::NotAllowed));
    let given = (world.owner.devices(), &own);
    let mandate = world.phone.mandate(given, &world.keeper.public(), UNTIL, later(3)).unwrap();
    let builder = mandate.consent(&world.keeper, world.owner.devices()).unwrap().after(&own).unwrap();
    let honest = builder.same_terms(&world.trust).unwrap().seal(later(4)).unwrap();
    record.rewrap(&own, &honest.1).unwrap();
    assert_eq!(reads(&record, &honest.1), Err(Error::NotAllowed));
    let forged = world.forge(&honest, |terms| terms.past.retain(|entry| entry.base.is_none()), |_| ());
    let opened = world.verify(&forged, later(4)).and_then(|live| live.open_as(&world.keeper, &mut PinStore::default()));
    assert_eq!(opened.err(), Some(Error::NotAllowed));
    // Nor are they pushed out by many honest nights.
    let mut last = honest.1;
    for night in 0..2 * MAX_PAST as u64 {
        let builder = mandate.consent(&world.keeper, world.owner.devices()).unwrap().after(&last).unwrap();
        let builder = builder.same_terms(&world.trust).unwrap();
        let end = later(5 + night % 2);
        last = builder.valid(None, end).seal(later(4)).unwrap().1;
    }
    record.rewrap(&own, &last).unwrap_or(());
    assert!(own.terms.past.iter().all(|entry| last.terms.past.contains(entry)));
}

/// The custodian before filled what is remembered, as far as he could; this one shut the doctor out, who writes on.
#[test]
fn an_earlier_custodian_makes_nobody_forget_what_a_later_one_shut_out() {
    use crate::record::{Author, Reader, Record};
    for nights in [2, MAX_PAST as u64 + 2] {
        let mut world = World::new();
        let mut last = world.builder(&world.access).seal(later(1)).unwrap().1;
        for night in 0..nights {
            last = world.builder(&last).valid(None, later(150 + night % 2)).seal(later(1)).unwrap().1;
        }
        let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &last);
        let (_, own, _) = sharing.rotate().unwrap().seal(later(2)).unwrap();
        let given = (world.owner.devices(), &own);
        world.mandate = world.phone.mandate(given, &world.keeper.public(), UNTIL, later(2)).unwrap();
        let builder = world.builder(&own).exclude("dr-ada".parse().unwrap());
        let (stored, night) = builder.seal(later(3)).unwrap();
        assert!(world.verify(&stored, later(3)).unwrap().open_as(&world.keeper, &mut PinStore::default()).is_ok());
        let author = Author::new(&world.doctor.0, &world.doctor.1).unwrap();
        let record = Record::new("r".parse().unwrap(), "clinic/note".parse().unwrap()).part(&own).unwrap();
        let mut record = record.field("/a", "1").unwrap().seal(&author, later(4)).unwrap();
        let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &night);
        let (_, owners, _) = sharing.rotate().unwrap().seal(later(5)).unwrap();
        record.rewrap(&own, &owners).unwrap();
        let reader = Reader::new(&world.trust, later(6)).devices(world.owner.devices().clone());
        assert_eq!(reader.open(&record, &[&owners]).err(), Some(Error::NotAllowed), "{nights}");
    }
}

/// One that is larger than all are meant to be together is kept all the same.
#[test]
fn a_custodian_goes_on_from_long_write_policies() {
    let mut world = World::new();
    let long = |i| format!("role:doctor-with-a-very-long-name-{i}");
    let policy = (0..34).fold("role:doctor".to_owned(), |policy, i| format!("{policy} or {}", long(i)));
    let mut builder =
        world.phone.consent(world.owner.devices(), compartment()).custodian(&world.keeper.public()).unwrap();
    let mut ids = Vec::new();
    for i in 0..13 {
        let mut authority = Authority::setup(format!("authority-{i}").parse().unwrap(), NOW).unwrap();
        world.trust.add(authority.anchor()).unwrap();
        world.trust.update(&authority.publish(NOW).unwrap(), &mut PinStore::default(), NOW).unwrap();
        ids.push(authority.id().clone());
    }
    for id in &ids {
        builder = builder.write(&world.trust, id, &policy).unwrap();
    }
    let (_, access) = builder.seal(NOW).unwrap();
    world.mandate = world.phone.mandate((world.owner.devices(), &access), &world.keeper.public(), UNTIL, NOW).unwrap();
    let (stored, next) = world.builder(&access).seal(later(1)).unwrap();
    assert!(next.terms.past.iter().map(PastWriting::size).sum::<usize>() > MAX_PAST_BYTES);
    assert!(world.verify(&stored, later(1)).unwrap().open_as(&world.keeper, &mut PinStore::default()).is_ok());
}
