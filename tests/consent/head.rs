//! Heads: how a reader without memory learns that a consent is the latest.

use std::time::Duration;

use chartseal::Error;
use chartseal::consent::{Access, Freshness, HEAD_LIMIT, Head, Removal};
use chartseal::id::Time;
use chartseal::identity::Identity;
use chartseal::owner::{Device, Owner};
use chartseal::pin::PinStore;

use crate::support::two_hospitals::{DAY, NOW, World};

#[test]
fn a_head_is_fresh_within_the_limit_and_stale_beyond_it_and_before_its_time() {
    let world = World::new();
    let (stored, _) = world.sealed("role:doctor");
    let live = world.verify(&stored).unwrap();
    let head = world.phone.head(&live, NOW).unwrap();
    for (now, expected) in [
        (NOW.as_secs(), Freshness::Fresh),
        (NOW.as_secs() + DAY, Freshness::Fresh),
        (NOW.as_secs() + DAY + 1, Freshness::Stale),
        // Clocks differ, by less than a head of tomorrow is ahead.
        (NOW.as_secs() - 300, Freshness::Fresh),
        (NOW.as_secs() - 301, Freshness::Stale),
        (NOW.as_secs() - DAY, Freshness::Stale),
        (0, Freshness::Stale),
        (Time::MAX.as_secs(), Freshness::Stale),
    ] {
        assert_eq!(
            live.fresh(&head, &mut PinStore::default(), Time::from_secs(now).unwrap(), HEAD_LIMIT),
            Ok(expected),
            "{now}"
        );
    }
    assert_eq!(
        live.fresh(&head, &mut PinStore::default(), NOW.plus(Duration::from_secs(10)), Duration::from_secs(9)),
        Ok(Freshness::Stale)
    );
}

#[test]
fn a_head_of_another_version_is_a_rollback_of_the_one_or_the_other() {
    let world = World::new();
    let (first, access) = world.sealed("role:doctor");
    let (second, _) = world.consent().after(&access).unwrap().seal(NOW).unwrap();
    let (fork, _) = world.consent().after(&access).unwrap().seal(NOW).unwrap();
    let [first, second, fork] = [first, second, fork].map(|stored| world.verify(&stored).unwrap());
    let head = |live| world.phone.head(live, NOW).unwrap();
    assert_eq!(first.fresh(&head(&second), &mut PinStore::default(), NOW, HEAD_LIMIT), Err(Error::Rollback("consent")));
    assert_eq!(second.fresh(&head(&first), &mut PinStore::default(), NOW, HEAD_LIMIT), Err(Error::Rollback("head")));
    assert_eq!(second.fresh(&head(&fork), &mut PinStore::default(), NOW, HEAD_LIMIT), Err(Error::Fork("consent")));
    assert_eq!(second.fresh(&head(&second), &mut PinStore::default(), NOW, HEAD_LIMIT), Ok(Freshness::Fresh));
}

#[test]
fn who_has_seen_a_head_is_not_shown_an_older_consent_again() {
    let mut world = World::new();
    let (first, access) = world.sealed("role:doctor");
    let (second, _) = world.consent().after(&access).unwrap().seal(NOW).unwrap();
    let compartment = access.compartment().clone();
    let head = world.phone.head(&world.verify(&second).unwrap(), NOW).unwrap();

    let mut pins = PinStore::default();
    let live = first.verify(world.owner.devices(), &compartment, &pins, NOW).unwrap();
    assert_eq!(live.fresh(&head, &mut pins, NOW, HEAD_LIMIT), Err(Error::Rollback("consent")));
    // The server hides the head from now on.
    let pins = PinStore::from_cbor(&pins.to_cbor().unwrap()).unwrap();
    let again = first.verify(world.owner.devices(), &compartment, &pins, NOW).map(|_| ());
    assert_eq!(again, Err(Error::Rollback("consent")));
    assert!(second.verify(world.owner.devices(), &compartment, &pins, NOW).is_ok());

    // A stolen device that announces what there is not is in nobody's way once it is removed.
    let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
    world.owner.add_device(&tablet.public(), NOW).unwrap();
    let (third, _) =
        tablet.consent(world.owner.devices(), compartment.clone()).after(&access).unwrap().seal(NOW).unwrap();
    let mut pins = PinStore::default();
    let live = third.verify(world.owner.devices(), &compartment, &pins, NOW).unwrap();
    let live_head = tablet.head(&live, NOW).unwrap();
    assert_eq!(live.fresh(&live_head, &mut pins, NOW, HEAD_LIMIT), Ok(Freshness::Fresh));
    world.owner.remove_device(&"tablet".parse().unwrap(), Removal::Retired, NOW).unwrap();
    let (honest, _) = world.consent().after(&access).unwrap().seal(NOW).unwrap();
    assert!(honest.verify(world.owner.devices(), &compartment, &pins, NOW).is_ok());
}

#[test]
fn a_head_by_anybody_else_or_of_another_compartment_is_refused() {
    let world = World::new();
    let (stored, _) = world.sealed("role:doctor");
    let live = world.verify(&stored).unwrap();
    let forged = Err(Error::Forged("head"));
    for id in ["phone", "tablet"] {
        let impostor = Device::generate(id.parse().unwrap()).unwrap();
        // Who cannot open it makes no head by the API; by hand, as one who has a device's name.
        assert_eq!(impostor.head(&live, NOW).err(), Some(Error::CannotOpen));
        let (own, own_phone) = Owner::generate_with_device(id.parse().unwrap(), NOW).unwrap();
        let (theirs, _) = own_phone.consent(own.devices(), live.compartment().clone()).seal(NOW).unwrap();
        let theirs = theirs.verify(own.devices(), live.compartment(), &PinStore::default(), NOW).unwrap();
        let json = own_phone.head(&theirs, NOW).unwrap().to_json().unwrap();
        let head = Head::from_json(&json.replace(own.id().as_str(), live.owner().as_str())).unwrap();
        assert_eq!(live.fresh(&head, &mut PinStore::default(), NOW, HEAD_LIMIT), forged);
    }
    let (other, _) = world.phone.consent(world.owner.devices(), "summary".parse().unwrap()).seal(NOW).unwrap();
    let summary = "summary".parse().unwrap();
    let other = other.verify(world.owner.devices(), &summary, &PinStore::default(), NOW).unwrap();
    assert_eq!(live.fresh(&world.phone.head(&other, NOW).unwrap(), &mut PinStore::default(), NOW, HEAD_LIMIT), forged);

    let head = world.phone.head(&live, NOW).unwrap();
    let bytes = head.to_cbor().unwrap();
    assert_eq!(Head::from_cbor(&bytes).unwrap(), head);
    assert_eq!(Head::from_json(&head.to_json().unwrap()).unwrap(), head);
    for length in 0..bytes.len() {
        assert_eq!(Head::from_cbor(&bytes[..length]), Err(Error::Malformed("head")));
    }
    assert_eq!(Head::from_cbor(&[&bytes[..], &[0]].concat()), Err(Error::Malformed("head")));
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        let fresh =
            Head::from_cbor(&altered).and_then(|head| live.fresh(&head, &mut PinStore::default(), NOW, HEAD_LIMIT));
        assert!(fresh == forged || fresh == Err(Error::Malformed("head")), "{at}: {fresh:?}");
    }
}

/// A thief's tablet signed on; the phone, asked by the server, said which was the latest; then the tablet was removed. The
/// server shows the old head to who has seen nothing of this.
#[test]
fn a_head_of_before_a_device_was_removed_stands_in_nobodys_way() {
    let mut world = World::new();
    let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
    world.owner.add_device(&tablet.public(), NOW).unwrap();
    let (_, first) = world.consent().seal(NOW).unwrap();
    let compartment = first.compartment().clone();
    let sign = |before: &Access| {
        let consent = tablet.consent(world.owner.devices(), compartment.clone());
        consent.after(before).unwrap().seal(NOW).unwrap()
    };
    let mut thiefs = sign(&first);
    for _ in 0..4 {
        thiefs = sign(&thiefs.1);
    }
    let old_head = world.phone.head(&world.verify(&thiefs.0).unwrap(), NOW).unwrap();
    world.owner.remove_device(&"tablet".parse().unwrap(), Removal::Retired, NOW.plus(Duration::from_secs(10))).unwrap();
    let (second, access) = world.consent().after(&first).unwrap().seal(NOW).unwrap();
    let (third, _) = world.consent().after(&access).unwrap().seal(NOW).unwrap();
    let mut pins = PinStore::default();
    let live = second.verify(world.owner.devices(), &compartment, &pins, NOW).unwrap();
    assert_eq!(live.fresh(&old_head, &mut pins, NOW, HEAD_LIMIT), Err(Error::Rollback("head")));
    for stored in [&second, &third] {
        let live = stored.verify(world.owner.devices(), &compartment, &pins, NOW).unwrap();
        let head = world.phone.head(&live, NOW).unwrap();
        assert_eq!(live.fresh(&head, &mut pins, NOW, HEAD_LIMIT), Ok(Freshness::Fresh));
    }
}

/// The phone has a list that the tablet has not heard of yet, and a custodian goes on under the list of his mandate: all of
/// them speak of consents that were signed before it.
#[test]
fn a_later_list_ages_no_head() {
    let mut world = World::new();
    let [tablet, watch] = ["tablet", "watch"].map(|id| Device::generate(id.parse().unwrap()).unwrap());
    world.owner.add_device(&tablet.public(), NOW).unwrap();
    let keeper = Identity::generate("keeper".parse().unwrap()).unwrap();
    let (stored, access) = world.consent().custodian(&keeper.public()).unwrap().seal(NOW).unwrap();
    let given = (world.owner.devices(), &access);
    let mandate = world.phone.mandate(given, &keeper.public(), NOW.plus(Duration::from_secs(9 * DAY)), NOW).unwrap();
    let before = world.owner.devices().clone();
    world.owner.add_device(&watch.public(), NOW).unwrap();

    let compartment = access.compartment().clone();
    let mut pins = PinStore::default();
    let live = stored.verify(world.owner.devices(), &compartment, &pins, NOW).unwrap();
    let there = stored.verify(&before, &compartment, &PinStore::default(), NOW).unwrap();
    for head in [world.phone.head(&live, NOW).unwrap(), tablet.head(&there, NOW).unwrap()] {
        assert_eq!(live.fresh(&head, &mut pins, NOW, HEAD_LIMIT), Ok(Freshness::Fresh));
    }
    let builder = mandate.consent(&keeper, world.owner.devices()).unwrap().after(&access).unwrap();
    let (next, _) = builder.same_terms(&world.trust).unwrap().seal(NOW).unwrap();
    let live = next.verify(world.owner.devices(), &compartment, &pins, NOW).unwrap();
    let head = live.custodian_head(&keeper, NOW).unwrap();
    assert_eq!(live.fresh(&head, &mut pins, NOW, HEAD_LIMIT), Ok(Freshness::Fresh));
}
