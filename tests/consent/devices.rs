//! Owners and their devices.

use std::time::Duration;

use chartseal::consent::{DeviceList, LiveConsent, MAX_DEVICES, MAX_REMOVED, PublicDevice, Removal};
use chartseal::id::Time;
use chartseal::identity::Identity;
use chartseal::owner::{Device, Owner};
use chartseal::pin::PinStore;
use chartseal::{Error, Unknown};

use crate::support::two_hospitals::{NOW, World, cardiology};

fn device(id: &str) -> Device {
    Device::generate(id.parse().unwrap()).unwrap()
}

#[test]
fn any_device_of_the_list_carries_a_consent_on() {
    let mut world = World::new();
    let (stored, access) = world.sealed("role:doctor");
    let tablet = device("tablet");
    world.owner.add_device(&tablet.public(), NOW).unwrap();
    // The first consent still counts, but has no slot for the tablet.
    let live = world.verify(&stored).unwrap();
    assert_eq!(live.open_as_device(&tablet, &mut PinStore::default()).unwrap_err(), Error::CannotOpen);

    let next = world.consent().after(&access).unwrap().reseal().unwrap().same_terms(&world.trust).unwrap();
    let (stored, _) = next.seal(NOW).unwrap();
    let access = world.verify(&stored).unwrap().open_as_device(&tablet, &mut PinStore::default()).unwrap();
    let next = tablet.consent(world.owner.devices(), cardiology()).after(&access).unwrap();
    let (stored, _) = next.seal(NOW).unwrap();
    let live = world.verify(&stored).unwrap();
    assert_eq!(live.version().0, 3);
    assert!(live.open_as_device(&world.phone, &mut PinStore::default()).is_ok());
}

#[test]
fn a_removed_device_signs_and_opens_nothing_any_more() {
    let mut world = World::new();
    let tablet = device("tablet");
    world.owner.add_device(&tablet.public(), NOW).unwrap();
    let old_list = world.owner.devices().clone();
    let (stored, access) = world.sealed("role:doctor");
    world.owner.remove_device(tablet.id(), Removal::Retired, NOW.plus(Duration::from_secs(1))).unwrap();
    assert_eq!(world.owner.devices().removed()[0].since, NOW.plus(Duration::from_secs(1)));

    // With the list of before, the thief signs the next version; those who know the new one refuse it.
    let next = tablet.consent(&old_list, cardiology()).after(&access).unwrap();
    let (stolen, _) = next.seal(NOW).unwrap();
    assert_eq!(world.verify(&stolen).unwrap_err(), Error::Forged("consent"));
    let live = world.verify(&stored).unwrap();
    assert_eq!(
        live.fresh(&tablet.head(&live, NOW).unwrap(), &mut PinStore::default(), NOW, Default::default()),
        Err(Error::Forged("head"))
    );
    assert!(matches!(tablet.consent(world.owner.devices(), cardiology()).seal(NOW), Err(Error::ApiMisuse(_))));

    // The consents that follow are closed to it.
    let (next, _) = world.consent().after(&access).unwrap().seal(NOW).unwrap();
    let live = world.verify(&next).unwrap();
    assert_eq!(live.open_as_device(&tablet, &mut PinStore::default()).unwrap_err(), Error::CannotOpen);
    // Whoever holds an old list is told to fetch the new one.
    let seen = next.verify(&old_list, &cardiology(), &PinStore::default(), NOW);
    assert_eq!(seen.unwrap_err(), Error::Rollback("device list"));
}

/// The custodian cannot change for whom the owner's slots are, so they stay as they were when she gave the mandate.
#[test]
fn a_mandate_keeps_the_slots_of_its_time_until_the_owner_signs_again() {
    let mut world = World::new();
    let (old, new) = (device("tablet"), device("laptop"));
    world.owner.add_device(&old.public(), NOW).unwrap();
    let keeper = Identity::generate("keeper".parse().unwrap()).unwrap();
    let (_, access) = world.consent().custodian(&keeper.public()).unwrap().seal(NOW).unwrap();
    let until = NOW.plus(Duration::from_secs(1_000));
    let mandate = world.phone.mandate((world.owner.devices(), &access), &keeper.public(), until, NOW).unwrap();
    world.owner.remove_device(old.id(), Removal::Retired, NOW).unwrap();
    world.owner.add_device(&new.public(), NOW).unwrap();

    let next = mandate.consent(&keeper, world.owner.devices()).unwrap().after(&access).unwrap();
    let (stored, mandated) = next.same_terms(&world.trust).unwrap().seal(NOW).unwrap();
    let live = world.verify(&stored).unwrap();
    let opens = |live: &LiveConsent, device: &Device| live.open_as_device(device, &mut PinStore::default()).err();
    assert_eq!([&world.phone, &old].map(|device| opens(&live, device)), [None, None]);
    assert_eq!(opens(&live, &new), Some(Error::CannotOpen));

    let (hers, _) = world.consent().after(&mandated).unwrap().seal(NOW).unwrap();
    let live = world.verify(&hers).unwrap();
    assert_eq!([&world.phone, &new].map(|device| opens(&live, device)), [None, None]);
    assert_eq!(opens(&live, &old), Some(Error::CannotOpen));
}

/// A thief signs the highest number there is. Readers who saw it are not lost to the owner.
#[test]
fn a_removed_device_leaves_no_pin_that_locks_readers_out() {
    let mut world = World::new();
    let tablet = device("tablet");
    world.owner.add_device(&tablet.public(), NOW).unwrap();
    let old_list = world.owner.devices().clone();
    let (stored, access) = world.sealed("role:doctor");
    let mut pins = PinStore::default();
    let mut last =
        stored.verify(&old_list, &cardiology(), &pins, NOW).unwrap().open_as_device(&tablet, &mut pins).unwrap();
    for _ in 0..5 {
        let (stolen, next) = tablet.consent(&old_list, cardiology()).after(&last).unwrap().seal(NOW).unwrap();
        let live = stolen.verify(&old_list, &cardiology(), &pins, NOW).unwrap();
        assert!(live.open_as_device(&tablet, &mut pins).is_ok());
        last = next;
    }
    world.owner.remove_device(tablet.id(), Removal::Retired, NOW).unwrap();
    // The numbers are used up, and the honest version 2 counts all the same; nothing of before comes back.
    let (next, _) = world.consent().after(&access).unwrap().seal(NOW).unwrap();
    let list = world.owner.devices();
    assert_eq!(stored.verify(list, &cardiology(), &pins, NOW).unwrap_err(), Error::Rollback("consent"));
    let live = next.verify(list, &cardiology(), &pins, NOW).unwrap();
    assert_eq!(live.open_as_device(&world.phone, &mut pins).unwrap().version().0, 2);
    assert_eq!(stored.verify(list, &cardiology(), &pins, NOW).unwrap_err(), Error::Rollback("consent"));
    // A device that has not heard of the list yet is told so.
    let (_, late) = world.consent().seal(NOW).unwrap();
    assert!(matches!(world.phone.consent(&old_list, cardiology()).after(&late), Err(Error::ApiMisuse(_))));
}

#[test]
fn the_root_key_brings_a_history_back_onto_a_new_phone() {
    let mut world = World::new();
    let (stored, _) = world.sealed("role:doctor");
    let new = device("new-phone");
    let found = world.verify(&stored).unwrap().open_as_root(&world.owner, &mut PinStore::default()).unwrap();
    world.owner.add_device(&new.public(), NOW).unwrap();
    world.owner.remove_device(world.phone.id(), Removal::Retired, NOW).unwrap();
    assert_eq!(world.verify(&stored).unwrap_err(), Error::Forged("consent"));
    let next = new.consent(world.owner.devices(), cardiology()).after(&found).unwrap();
    let (stored, _) = next.same_terms(&world.trust).unwrap().seal(NOW).unwrap();
    assert!(world.verify(&stored).unwrap().open_as_device(&new, &mut PinStore::default()).is_ok());
}

#[test]
fn a_device_list_is_the_owners_and_the_latest() {
    let mut world = World::new();
    let id = world.owner.id().clone();
    let first = world.owner.list().clone();
    let second = world.owner.add_device(&device("tablet").public(), NOW).unwrap().clone();
    let mut pins = PinStore::default();
    assert_eq!(first.accept(&id, &mut pins, NOW).unwrap().version().0, 1);
    assert_eq!(second.accept(&id, &mut pins, NOW).unwrap().version().0, 2);
    assert_eq!(first.accept(&id, &mut pins, NOW).unwrap_err(), Error::Rollback("device list"));

    // The same root key, brought back from a backup, signs another second list.
    let mut twin = World::new();
    let backup = |owner: &Owner| Owner::decode(owner.to_secret_bytes().unwrap().expose()).unwrap();
    let mut restored = backup(&twin.owner);
    let one = twin.owner.add_device(&device("tablet").public(), NOW).unwrap().clone();
    let two = restored.add_device(&device("watch").public(), NOW).unwrap();
    let id = twin.owner.id();
    assert!(one.accept(id, &mut pins, NOW).is_ok());
    assert_eq!(two.accept(id, &mut pins, NOW).unwrap_err(), Error::Fork("device list"));

    // Another owner's, or one that somebody altered.
    assert_eq!(first.accept(id, &mut pins, NOW).unwrap_err(), Error::Forged("device list"));
    let mut json: serde_json::Value = serde_json::from_str(&first.to_json().unwrap()).unwrap();
    json["statement"]["owner"] = id.as_str().into();
    let renamed = DeviceList::from_json(&json.to_string()).unwrap();
    assert_eq!(renamed.accept(id, &mut pins, NOW).unwrap_err(), Error::Forged("device list"));
}

#[test]
fn a_device_list_from_the_future_is_neither_taken_over_nor_remembered() {
    let mut world = World::new();
    let id = world.owner.id().clone();
    let mut pins = PinStore::default();
    world.owner.list().accept(&id, &mut pins, NOW).unwrap();
    let before = pins.clone();
    world.owner.add_device(&device("tablet").public(), Time::MAX).unwrap();
    let wrong = world.owner.remove_device(world.phone.id(), Removal::Retired, Time::MAX).unwrap().clone();
    assert_eq!(wrong.accept(&id, &mut pins, NOW), Err(Error::Expired("device list")));
    let slightly = NOW.plus(Duration::from_secs(300));
    assert_eq!(wrong.accept(&id, &mut pins, slightly), Err(Error::Expired("device list")));
    assert_eq!(pins, before);

    // A list of the right clock says so of what was removed by the wrong one.
    let told = world.owner.add_device(&device("watch").public(), slightly);
    assert_eq!(told.err(), Some(Error::Expired("device list")));
    let healed = world.owner.correct_clock(slightly).unwrap().clone();
    assert!(matches!(world.owner.correct_clock(slightly), Err(Error::ApiMisuse(_))));
    let devices = healed.accept(&id, &mut pins, NOW).unwrap();
    assert_eq!(devices.removed()[0].since, slightly);
    let mut misled = PinStore::default();
    wrong.accept(&id, &mut misled, Time::MAX).unwrap();
    assert!(healed.accept(&id, &mut misled, slightly).is_ok());

    // A change of root key, as well.
    let changed = world.owner.change_root(Time::MAX).unwrap();
    assert_eq!(changed.list().accept(&id, &mut pins, NOW), Err(Error::Expired("device list")));
    assert!(healed.accept(&id, &mut pins, NOW).is_ok());
}

/// What a retired device wrote counts up to its end. By a clock that is behind, its end would come earlier for good.
#[test]
fn a_clock_that_is_behind_takes_nothing_from_a_device_that_was_retired() {
    let day = |days: u64| NOW.plus(Duration::from_secs(days * 86_400));
    let (mut owner, phone) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
    owner.add_device(&device("tablet").public(), day(1)).unwrap();
    owner.remove_device(phone.id(), Removal::Retired, day(100)).unwrap();
    let told = owner.add_device(&device("watch").public(), day(10));
    assert_eq!(told.err(), Some(Error::Expired("device list")));
    owner.add_device(&device("watch").public(), day(101)).unwrap();
    assert_eq!(owner.devices().removed()[0].since, day(100));
    // By one that is so little behind that it is let pass, the list that a device stood in is not before its end either.
    let slightly = day(101).minus(Duration::from_secs(300));
    owner.remove_device(&"tablet".parse().unwrap(), Removal::Retired, slightly).unwrap();
    assert_eq!(owner.devices().removed()[1].since, day(101));
    assert_eq!(owner.change_root(day(10)).err(), Some(Error::Expired("device list")));
}

#[test]
fn every_altered_cut_or_longer_device_list_is_refused() {
    let world = World::new();
    let bytes = world.owner.list().to_cbor().unwrap();
    assert_eq!(DeviceList::from_cbor(&bytes).unwrap(), *world.owner.list());
    assert_eq!(DeviceList::from_json(&world.owner.list().to_json().unwrap()).unwrap(), *world.owner.list());
    for length in 0..bytes.len() {
        assert_eq!(DeviceList::from_cbor(&bytes[..length]), Err(Error::Malformed("device list")));
    }
    assert_eq!(DeviceList::from_cbor(&[&bytes[..], &[0]].concat()), Err(Error::Malformed("device list")));
    let mut pins = PinStore::default();
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        let seen = DeviceList::from_cbor(&altered).and_then(|list| list.accept(world.owner.id(), &mut pins, NOW));
        let error = seen.unwrap_err();
        assert!(matches!(error, Error::Forged(_) | Error::Malformed(_)), "{at}: {error:?}");
    }
    assert_eq!(pins, PinStore::default());
}

#[test]
fn a_list_takes_so_many_devices_and_none_twice() {
    let mut world = World::new();
    for n in 1..MAX_DEVICES {
        world.owner.add_device(&device(&format!("device-{n}")).public(), NOW).unwrap();
    }
    let another = device("another");
    assert_eq!(world.owner.add_device(&another.public(), NOW).unwrap_err(), Error::TooLarge("device list"));
    world.owner.remove_device(&"device-1".parse().unwrap(), Removal::Retired, NOW).unwrap();
    let misuse = |world: &mut World, device: &PublicDevice| {
        matches!(world.owner.add_device(device, NOW), Err(Error::ApiMisuse(_)))
    };
    // An id that is there, one that was there, a key that is there.
    assert!(misuse(&mut world, &device("phone").public()));
    assert!(misuse(&mut world, &device("device-1").public()));
    let mut same_key = another.public();
    same_key.signing = world.phone.public().signing;
    assert!(misuse(&mut world, &same_key));
    let mut same_key = another.public();
    same_key.sealing = world.phone.public().sealing;
    assert!(misuse(&mut world, &same_key));
    world.owner.add_device(&another.public(), NOW).unwrap();

    let unknown = Unknown::Device { owner: world.owner.id().clone(), device: "nobody".parse().unwrap() };
    let removed = world.owner.remove_device(&"nobody".parse().unwrap(), Removal::Retired, NOW).err();
    assert_eq!(removed, Some(Error::Unknown(unknown)));
    for n in 2..MAX_DEVICES {
        world.owner.remove_device(&format!("device-{n}").parse().unwrap(), Removal::Retired, NOW).unwrap();
    }
    world.owner.remove_device(another.id(), Removal::Retired, NOW).unwrap();
    assert!(matches!(world.owner.remove_device(world.phone.id(), Removal::Retired, NOW), Err(Error::ApiMisuse(_))));
    // A refused change leaves the list as it was.
    let id = world.owner.id();
    assert!(world.owner.list().accept(id, &mut world.pins, NOW).is_ok());
}

#[test]
fn a_device_that_nothing_can_be_sealed_to_does_not_enter_the_list() {
    let mut world = World::new();
    let mut broken = device("tablet").public();
    broken.sealing = [0; 32].into();
    assert_eq!(world.owner.add_device(&broken, NOW).unwrap_err(), Error::Malformed("sealing key"));
    assert_eq!(Owner::generate(&broken, NOW).unwrap_err(), Error::Malformed("sealing key"));
    assert_eq!(world.owner.devices().iter().len(), 1);
    assert!(world.consent().seal(NOW).is_ok());
}

#[test]
fn a_device_can_be_removed_however_many_were_before() {
    let mut world = World::new();
    for n in 0..=MAX_REMOVED {
        let id = format!("{}-{n}", "x".repeat(58));
        let next = device(&id);
        world.owner.add_device(&next.public(), NOW).unwrap();
        world.owner.remove_device(next.id(), Removal::Retired, NOW).unwrap();
    }
    assert_eq!(world.owner.devices().removed().len(), MAX_REMOVED);
    let bytes = world.owner.list().to_cbor().unwrap();
    assert!(DeviceList::from_cbor(&bytes).unwrap().accept(world.owner.id(), &mut world.pins, NOW).is_ok());
}

#[test]
fn owners_and_devices_survive_a_restart_and_nothing_else_is_taken_for_them() {
    let mut world = World::new();
    let (stored, _) = world.sealed("role:doctor");
    let live = world.verify(&stored).unwrap();
    let owner = world.owner.to_secret_bytes().unwrap();
    let phone = world.phone.to_secret_bytes();
    let (owner, phone) = (owner.expose(), phone.expose());
    assert!(live.open_as_root(&Owner::decode(owner).unwrap(), &mut PinStore::default()).is_ok());
    assert!(live.open_as_device(&Device::decode(phone).unwrap(), &mut PinStore::default()).is_ok());
    assert_eq!(Device::decode(phone).unwrap().public(), world.phone.public());

    for length in 0..owner.len() {
        assert!(matches!(Owner::decode(&owner[..length]), Err(Error::Malformed(_))), "{length}");
    }
    for length in 0..phone.len() {
        assert!(matches!(Device::decode(&phone[..length]), Err(Error::Malformed(_))), "{length}");
    }
    assert!(matches!(Owner::decode(&[owner, &[0][..]].concat()), Err(Error::Malformed(_))));
    assert!(matches!(Device::decode(&[phone, &[0][..]].concat()), Err(Error::Malformed(_))));
    let mut later = phone.clone();
    later[3] = 2;
    assert_eq!(Device::decode(&later).unwrap_err(), Error::UnknownVersion("device"));
    // Keys of one owner with the list of another.
    let other = World::new().owner.to_secret_bytes().unwrap();
    let mixed = [&owner[..68], &other.expose()[68..]].concat();
    assert_eq!(Owner::decode(&mixed).unwrap_err(), Error::Forged("device list"));
    let mixed = [&owner[..36], &other.expose()[36..68], &owner[68..]].concat();
    assert_eq!(Owner::decode(&mixed).unwrap_err(), Error::Forged("device list"));
    let id = world.owner.id();
    assert!(world.owner.list().accept(id, &mut world.pins, NOW).is_ok());
}
