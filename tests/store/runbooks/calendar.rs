//! A new month; a head is due; a clock was wrong.

use std::time::Duration;

use chartseal::Error;
use chartseal::authority::{Authority, Reason};
use chartseal::consent::{Access, Freshness, HEAD_LIMIT, Mandate, Named, Removal, StoredConsent};
use chartseal::id::Time;
use chartseal::identity::Identity;
use chartseal::owner::recovery::RecoveryKey;
use chartseal::owner::{Device, MIN_DELAY, Recovery};
use chartseal::pin::PinStore;
use chartseal::record::{Author, Reader, Verdict};
use chartseal::repository::{Put, Repository};
use chartseal::rotation::Rotation;

use super::{DAY, Site, by_device, by_key, by_name, identity, issue, section};
use crate::support::waiting::block_on;
use crate::support::world::{self, NOW, World, YEAR, after};

/// Doctors and nurses read, doctors write, and a custodian keeps the key.
fn first(world: &World, keeper: &Identity, friend: Option<Named>) -> (StoredConsent, Access) {
    let consent = world.phone.consent(world.devices(), section()).custodian(&keeper.public()).unwrap();
    let consent = consent.read(&world.trust, world.hospital.id(), "role:doctor or role:nurse").unwrap();
    let consent = consent.write(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let consent = match friend {
        Some(friend) => consent.name(friend).unwrap(),
        None => consent,
    };
    consent.seal(NOW).unwrap()
}

fn custodians(
    world: &World,
    (mandate, keeper): (&Mandate, &Identity),
    before: &Access,
    now: Time,
) -> (StoredConsent, Access) {
    let consent = mandate.consent(keeper, world.devices()).unwrap().after(before).unwrap();
    consent.reseal().unwrap().same_terms(&world.trust).unwrap().seal(now).unwrap()
}

/// 27 minutes before midnight, at the end of March. The nurse's key is not renewed; the friend is named until the 20th.
#[test]
fn when_the_month_turns_keys_that_were_not_renewed_and_people_whose_time_is_over_are_left_out() {
    let (april, may) = (after(2_000), after(33 * DAY));
    let (mut world, site) = (World::new(), Site::new());
    let (keeper, friend) = (identity("keeper"), identity("friend"));
    let march = (after(1_500), NOW);
    let (_, old) = issue(&mut world.hospital, &world.trust, &world.ada.identity, "role:doctor", march);
    let (_, nurse) = issue(&mut world.hospital, &world.trust, &world.nurse.identity, "role:nurse", march);
    let until = Named::from(&friend.public()).until(after(20 * DAY));
    let (stored, march) = first(&world, &keeper, Some(until));
    site.publish(world.devices(), &stored, NOW);
    site.write(&world, &march, "r");
    for key in [&old, &nurse] {
        assert_eq!(site.reads((&world.trust, world.devices(), NOW), "r", by_key(key)), Ok(()));
    }

    // 1 and 2.
    let (_, renewed) =
        issue(&mut world.hospital, &world.trust, &world.ada.identity, "role:doctor", (after(YEAR), after(10)));
    world.publish();
    // 3 to 5, on a device.
    let opened = site.open(world.devices(), april, by_device(&world.phone)).unwrap();
    let change = world.phone.sharing(world.devices(), &world.trust, &opened.newest).reseal().unwrap();
    let (stored, access, receipt) = change.seal(april).unwrap();
    assert!(!receipt.needs_rewrap());
    site.publish(world.devices(), &stored, april);
    let mandate = world.phone.mandate((world.devices(), &access), &keeper.public(), after(60 * DAY), april).unwrap();
    let knows = (&world.trust, world.devices(), april);
    assert_eq!(site.reads(knows, "r", by_key(&renewed)), Ok(()));
    for over in [&old, &nurse] {
        assert_eq!(site.reads(knows, "r", by_key(over)), Err(Error::CannotOpen));
    }
    assert_eq!(site.reads(knows, "r", by_name(&friend)), Ok(()));
    // Nothing is closed to whoever opened the compartment before.
    assert_eq!(site.opens(knows, "r", &[&march]), Ok(()));

    // In May, the custodian: 3 and 4.
    let opened = site.open(world.devices(), may, by_name(&keeper)).unwrap();
    assert_eq!(opened.newest.over(may).count(), 1);
    let (stored, access) = custodians(&world, (&mandate, &keeper), &opened.newest, may);
    assert!(!access.has_key_of(&opened.newest), "the friend is left out");
    assert_eq!(site.try_to_publish(&access, &stored), Ok(Put::Done));
    site.moves(&opened.accesses(), &access, "may", may);
    let knows = (&world.trust, world.devices(), may);
    assert_eq!(site.reads(knows, "r", by_key(&renewed)), Ok(()));
    assert_eq!(site.reads(knows, "r", by_name(&friend)), Err(Error::CannotOpen));
    assert_eq!(site.opens(knows, "r", &[&march]), Err(Error::CannotOpen));
}

/// The nurse was shut out, and the records are still being moved.
#[test]
fn a_head_keeps_a_reader_without_memory_from_the_consent_of_before() {
    let (world, site, keeper) = (World::new(), Site::new(), identity("keeper"));
    let [ada, nurse] =
        [&world.ada, &world.nurse].map(|one| one.identity.accept(&one.issued, &world.trust, NOW).unwrap());
    let (stored, access) = first(&world, &keeper, None);
    site.publish(world.devices(), &stored, NOW);
    site.write(&world, &access, "r");
    let change =
        world.phone.sharing(world.devices(), &world.trust, &access).revoke("nurse-ned".parse().unwrap()).unwrap();
    let (next, newest, _) = change.seal(after(10)).unwrap();
    site.publish(world.devices(), &next, after(10));
    let mandate =
        world.phone.mandate((world.devices(), &newest), &keeper.public(), after(30 * DAY), after(10)).unwrap();
    let (owner, now) = (world.devices().owner(), after(20));
    let verify =
        |stored: &StoredConsent, pins: &PinStore, now| stored.verify(world.devices(), &section(), pins, now).unwrap();

    // 1 and 2.
    let head = world.phone.head(&verify(&next, &PinStore::default(), now), now).unwrap();
    // 3. A server that keeps the newer one back is found out.
    let early = verify(&stored, &PinStore::default(), now);
    assert_eq!(early.fresh(&head, &mut PinStore::default(), now, HEAD_LIMIT), Err(Error::Rollback("consent")));
    // Both are served: the last is held against the head.
    let consents = site.consents(owner);
    assert_eq!(consents, [stored.clone(), next.clone()]);
    for (key, reads) in [(&ada, true), (&nurse, false)] {
        let mut pins = PinStore::default();
        let last = verify(consents.last().unwrap(), &pins, now);
        assert_eq!(last.fresh(&head, &mut pins, now, HEAD_LIMIT), Ok(Freshness::Fresh));
        let opened = world.devices().open_consents(&section(), &consents, &mut pins, now, by_key(key));
        assert_eq!(opened.is_ok(), reads);
        if let Ok(opened) = opened {
            assert_eq!(site.opens((&world.trust, world.devices(), now), "r", &opened.accesses()), Ok(()));
        }
    }
    let tomorrow = now.plus(HEAD_LIMIT).plus(Duration::from_secs(1));
    let last = verify(&next, &PinStore::default(), tomorrow);
    assert_eq!(last.fresh(&head, &mut PinStore::default(), tomorrow, HEAD_LIMIT), Ok(Freshness::Stale));

    // No device is at hand: the custodian seals it again once, and signs heads from then on, until the mandate ends.
    assert!(matches!(last.custodian_head(&keeper, tomorrow), Err(Error::ApiMisuse(_))));
    let opened = site.open(world.devices(), tomorrow, by_name(&keeper)).unwrap();
    let (his, access) = custodians(&world, (&mandate, &keeper), &opened.newest, tomorrow);
    assert_eq!(site.try_to_publish(&access, &his), Ok(Put::Done));
    let live = verify(&his, &PinStore::default(), tomorrow);
    assert_eq!(live.fresh(&head, &mut PinStore::default(), tomorrow, HEAD_LIMIT), Err(Error::Rollback("head")));
    let his = live.custodian_head(&keeper, tomorrow).unwrap();
    assert_eq!(live.fresh(&his, &mut PinStore::default(), tomorrow, HEAD_LIMIT), Ok(Freshness::Fresh));
    assert!(matches!(live.custodian_head(&keeper, after(31 * DAY)), Err(Error::ApiMisuse(_))));
}

/// Steps 1 to 3.
#[test]
fn what_an_authority_signed_by_a_clock_that_was_ahead_is_said_again() {
    let (mut world, ahead, now) = (World::new(), after(10 * DAY), after(200));
    let ned = "nurse-ned".parse().unwrap();
    // 1. The list and the map.
    world.hospital.revoke(&ned, ahead, Reason::Ended, ahead).unwrap();
    let wrong = world.hospital.publish(ahead).unwrap();
    assert!(matches!(world.trust.update(&wrong, &mut world.pins, now), Err(Error::Expired(_))));
    world.hospital.revoke(&ned, now, Reason::Ended, now).unwrap();
    let right = world.hospital.publish(now).unwrap();
    world.trust.update(&right, &mut world.pins, now).unwrap();
    assert_eq!(right.revocations.unverified().revoked[0].since, now);
    let is_next = right.revocations.unverified().version > wrong.revocations.unverified().version;
    assert!(is_next && right.people.unverified().issued_at <= now);
    // 2. The parameters, beside others.
    let old = world.ada.identity.accept(&world.ada.issued, &world.trust, now).unwrap();
    world.hospital.rotate(ahead).unwrap();
    assert!(matches!(world.hospital.publish(now), Err(Error::Expired(_))));
    assert!(matches!(world.hospital.rotate(now), Err(Error::ApiMisuse(_))));
    world.hospital.drop_previous();
    world.hospital.rotate(now).unwrap();
    let bulletin = world.hospital.publish(now).unwrap();
    assert!(bulletin.previous.is_none());
    world.trust.update(&bulletin, &mut world.pins, now).unwrap();
    let (_, new) = issue(&mut world.hospital, &world.trust, &world.ada.identity, "role:doctor", (after(YEAR), now));
    let consent = world.phone.consent(world.devices(), section());
    let (stored, _) = consent.read(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(now).unwrap();
    let live = stored.verify(world.devices(), &section(), &PinStore::default(), now).unwrap();
    assert!(live.open(&new, &mut PinStore::default()).is_ok());
    assert_eq!(live.open(&old, &mut PinStore::default()).err(), Some(Error::CannotOpen));
    // The first of all.
    let mut thomas = Authority::setup("st-thomas".parse().unwrap(), ahead).unwrap();
    assert!(matches!(thomas.publish(now), Err(Error::Expired(_))));
    thomas.rotate(now).unwrap();
    world.trust.add(thomas.anchor()).unwrap();
    world.trust.update(&thomas.publish(now).unwrap(), &mut world.pins, now).unwrap();
    // 3. Credentials.
    let late =
        world.hospital.issue(world.ada.identity.id(), &"role:doctor".parse().unwrap(), ahead, after(YEAR), ahead);
    assert!(matches!(world.ada.identity.accept(&late.unwrap(), &world.trust, now), Err(Error::Expired(_))));
    issue(&mut world.hospital, &world.trust, &world.ada.identity, "role:doctor", (after(YEAR), now));
}

/// Step 4.
#[test]
fn a_device_list_of_a_time_to_come_is_signed_again_and_what_was_removed_by_it_is_removed_now() {
    let (mut world, ahead, now) = (World::new(), after(10 * DAY), after(200));
    let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
    world.alice.add_device(&tablet.public(), NOW).unwrap();
    let mut pins = PinStore::default();
    world.alice.list().accept(world.alice.id(), &mut pins, NOW).unwrap();
    world.alice.remove_device(tablet.id(), Removal::Retired, ahead).unwrap();
    assert!(matches!(world.alice.list().accept(world.alice.id(), &mut pins, now), Err(Error::Expired(_))));
    let key = RecoveryKey::generate().unwrap();
    let arranged = Recovery { key: key.public(), delay: 8 * MIN_DELAY, plan: None };
    assert!(matches!(world.alice.arrange_recovery(&[arranged], now), Err(Error::Expired(_))));
    world.alice.correct_clock(now).unwrap();
    let devices = world.alice.list().accept(world.alice.id(), &mut pins, now).unwrap();
    assert_eq!(devices.removed()[0].since, now);
}

/// Step 5: the server's clock was ahead as well, and the records were moved already, or there was nothing to move.
#[test]
fn a_consent_of_a_time_to_come_is_gone_beyond_from_the_last_honest_one() {
    for (by_custodian, new_key) in [(false, true), (false, false), (true, true), (true, false)] {
        let (world, site, keeper) = (World::new(), Site::new(), identity("keeper"));
        let ada = world.ada.identity.accept(&world.ada.issued, &world.trust, NOW).unwrap();
        let (ahead, now) = (after(10 * DAY), after(1_000));
        let (stored, honest) = first(&world, &keeper, None);
        site.publish(world.devices(), &stored, NOW);
        site.write(&world, &honest, "r");
        let mandate = world.phone.mandate((world.devices(), &honest), &keeper.public(), after(30 * DAY), NOW).unwrap();
        let (wrong, access) = if by_custodian {
            let consent = mandate.consent(&keeper, world.devices()).unwrap().after(&honest).unwrap();
            let consent = if new_key { consent } else { consent.reseal().unwrap() };
            consent.same_terms(&world.trust).unwrap().seal(ahead).unwrap()
        } else {
            let sharing = world.phone.sharing(world.devices(), &world.trust, &honest);
            let change = if new_key { sharing.rotate() } else { sharing.reseal() };
            let (stored, access, _) = change.unwrap().seal(ahead).unwrap();
            (stored, access)
        };
        assert_eq!(site.try_to_publish(&access, &wrong), Ok(Put::Done));
        if new_key {
            let clock = || ahead;
            let old = [&honest];
            let rotation = Rotation::new(&site.store, &old, &access, &clock).unwrap();
            assert!(block_on(rotation.run("ahead", |_| ())).unwrap().finished);
        }
        drop((honest, access));
        let knows = (&world.trust, world.devices(), now);
        assert!(site.reads(knows, "r", by_key(&ada)).is_err());

        let owner = world.devices().owner();
        let held = block_on(site.repository().stored_consents(owner, &section(), None)).unwrap();
        let [honest, wrong] = held.as_slice() else { panic!("{}", held.len()) };
        let open = |stored: &StoredConsent, now| {
            let live = stored.verify(world.devices(), &section(), &PinStore::default(), now).unwrap();
            live.open_as_device(&world.phone, &mut PinStore::default()).unwrap()
        };
        assert!(matches!(wrong.verify(world.devices(), &section(), &PinStore::default(), now), Err(Error::Expired(_))));
        let (honest, wrong) = (open(honest, now), open(wrong, wrong.consent().unverified().issued_at));
        let change =
            world.phone.sharing(world.devices(), &world.trust, &honest).reseal().unwrap().beyond(&wrong).unwrap();
        let (next, access, receipt) = change.seal(now).unwrap();
        site.publish(world.devices(), &next, now);
        assert_eq!(receipt.needs_rewrap(), new_key);
        if new_key {
            site.moves(&[&honest, &wrong], &access, "right", now);
        }
        assert_eq!(site.reads(knows, "r", by_key(&ada)), Ok(()));
        site.write(&world, &access, "later");
        world.phone.mandate((world.devices(), &access), &keeper.public(), after(30 * DAY), now).unwrap();
    }
}

/// Step 6.
#[test]
fn a_record_of_a_time_to_come_is_written_anew_by_the_owners_device() {
    let (world, site, keeper) = (World::new(), Site::new(), identity("keeper"));
    let (stored, access) = first(&world, &keeper, None);
    site.publish(world.devices(), &stored, NOW);
    let (ahead, now) = (after(10 * DAY), after(1_000));
    let record = world::record("r").part(&access).unwrap().field("/diagnosis", "I21.4").unwrap();
    site.put(&record.seal(&world.ada.author(), ahead).unwrap());
    let owner = world.devices().owner();
    let (held, reader) = (site.record(owner, "r"), Reader::new(&world.trust, now).devices(world.devices().clone()));
    assert!(reader.open(&held, &[&access]).is_err());
    let review = reader.review(&held, &[&access]).unwrap();
    assert_eq!(review.parts()[0].verdicts(), [Verdict::FromTheFuture]);
    let value = review.parts()[0].values(&[Verdict::FromTheFuture]).unwrap().get("/diagnosis").unwrap().to_vec();
    let anew = || {
        let amendment = reader.supersede(&held, &[&access]).unwrap().anew(&access).unwrap();
        amendment.field("/diagnosis", value.clone()).unwrap()
    };
    assert_eq!(anew().seal(&world.ada.author(), now).err(), Some(Error::NotAllowed), "its author cannot");
    let next = anew().seal(&Author::device(&world.phone, world.devices()).unwrap(), now).unwrap();
    assert_eq!(block_on(site.repository().supersede(&held, &next)), Ok(Put::Done));
    assert_eq!(site.opens((&world.trust, world.devices(), now), "r", &[&access]), Ok(()));
    // Whoever looks at the store without its ledger sees the same.
    assert!(block_on(Repository::new(&site.store).get(owner, &super::record("r"))).unwrap().is_some());
}
