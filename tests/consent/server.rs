//! What a server can do with consents, and that none of it is believed.

use std::time::Duration;

use chartseal::Error;
use chartseal::consent::StoredConsent;
use chartseal::id::Time;
use chartseal::pin::PinStore;

use crate::support::two_hospitals::{DAY, NOW, World, cardiology, opens};

const FORGED: Error = Error::Forged("consent");

#[test]
fn slots_that_a_server_adds_drops_swaps_or_reorders_are_refused() {
    let world = World::new();
    let (stored, access) = world.sealed("role:doctor");
    let (other, _) = world.consent().after(&access).unwrap().seal(NOW).unwrap();
    let slots = || -> Vec<Vec<u8>> { stored.slots().map(<[u8]>::to_vec).collect() };
    let refused = |slots: Vec<Vec<u8>>| {
        let altered = StoredConsent::from_parts(stored.consent().clone(), stored.terms().to_vec(), slots).unwrap();
        assert_eq!(world.verify(&altered).unwrap_err(), FORGED);
    };
    let count = slots().len();
    assert_eq!(count, 3);
    let mut twice = slots();
    twice.push(slots()[0].clone());
    refused(twice);
    for at in 0..count {
        let mut dropped = slots();
        dropped.remove(at);
        refused(dropped);
        let mut reordered = slots();
        reordered.swap(at, (at + 1) % count);
        refused(reordered);
        let mut swapped = slots();
        swapped[at] = other.slots().last().unwrap().to_vec();
        refused(swapped);
        for byte in [0, 10, 60] {
            let mut flipped = slots();
            flipped[at][byte] ^= 1;
            refused(flipped);
        }
    }
    refused(other.slots().map(<[u8]>::to_vec).collect());
    let terms = StoredConsent::from_parts(stored.consent().clone(), other.terms().to_vec(), slots()).unwrap();
    assert_eq!(world.verify(&terms).unwrap_err(), FORGED);
}

#[test]
fn every_byte_of_a_consent_counts() {
    let world = World::new();
    let (stored, _) = world.sealed("role:doctor");
    let bytes = stored.to_cbor().unwrap();
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        let refused = StoredConsent::from_cbor(&altered).and_then(|altered| world.verify(&altered));
        let error = refused.unwrap_err();
        let known =
            [FORGED, Error::Malformed("consent"), Error::UnknownVersion("consent"), Error::Rollback("device list")];
        assert!(known.contains(&error), "{at}: {error:?}");
    }
}

#[test]
fn an_old_consent_does_not_come_back() {
    let world = World::new();
    let mut pins = PinStore::default();
    let (old, access) = world.sealed("role:doctor");
    let (new, _) = world.consent().after(&access).unwrap().seal(NOW).unwrap();
    let mut see = |stored: &StoredConsent| {
        let live = stored.verify(world.owner.devices(), &cardiology(), &pins, NOW)?;
        live.open_as_device(&world.phone, &mut pins).map(|access| access.version().0)
    };
    assert_eq!(see(&old), Ok(1));
    assert_eq!(see(&new), Ok(2));
    assert_eq!(see(&new), Ok(2));
    assert_eq!(see(&old), Err(Error::Rollback("consent")));
    // Another consent of the same number, signed as well: two devices at odds, or one that cheats.
    let (fork, _) = world.consent().after(&access).unwrap().seal(NOW).unwrap();
    assert_eq!(see(&fork), Err(Error::Fork("consent")));
    assert_eq!(see(&new), Ok(2));
}

#[test]
fn a_consent_counts_from_its_first_second_to_its_last() {
    let world = World::new();
    let (from, to) = (NOW.plus(Duration::from_secs(DAY)), NOW.plus(Duration::from_secs(2 * DAY)));
    let (stored, _) = world.consent().valid(from, to).seal(NOW).unwrap();
    let expired = Some(Error::Expired("consent"));
    for (now, error) in [
        (NOW, &expired),
        (from.minus(Duration::from_secs(1)), &expired),
        (from, &None),
        (to, &None),
        (to.plus(Duration::from_secs(1)), &expired),
        (Time::MAX, &expired),
        (Time::MIN, &expired),
    ] {
        let opened = world.verify_at(&stored, now);
        let opened = opened.and_then(|live| live.open_as_device(&world.phone, &mut PinStore::default()));
        assert_eq!(opened.err(), *error, "{now:?}");
        // Nor is anything written under it.
        let written =
            world.verify_at(&stored, now).and_then(|live| live.write_only(&mut PinStore::default()).map(drop));
        assert_eq!(written.err(), *error, "{now:?}");
    }
    let (stored, _) = world.consent().seal(NOW).unwrap();
    assert!(world.verify_at(&stored, Time::MAX).is_ok());
}

#[test]
fn a_consent_that_is_sealed_again_ends_when_it_was_to_end() {
    let world = World::new();
    let (end, later) = (NOW.plus(Duration::from_secs(DAY)), NOW.plus(Duration::from_secs(2 * DAY)));
    let (_, access) = world.consent().valid(None, end).seal(NOW).unwrap();
    let again = || world.consent().after(&access).unwrap().reseal().unwrap();
    let ends = |stored: StoredConsent| stored.consent().unverified().not_after;
    assert_eq!(ends(again().same_terms(&world.trust).unwrap().seal(NOW).unwrap().0), Some(end));
    // Unless something else is said, before or after.
    let said = again().same_terms(&world.trust).unwrap().valid(None, later);
    assert_eq!(ends(said.seal(NOW).unwrap().0), Some(later));
    let said = again().valid(None, None).same_terms(&world.trust).unwrap();
    assert_eq!(ends(said.seal(NOW).unwrap().0), None);
    // What has ended is not prolonged in silence.
    let over = again().same_terms(&world.trust).unwrap().seal(later);
    assert!(matches!(over, Err(Error::ApiMisuse(_))));
}

#[test]
fn a_consent_that_has_ended_leaves_no_way_back_to_the_one_before() {
    let world = World::new();
    let mut pins = PinStore::default();
    let (first, access) = world.sealed("role:doctor");
    let (second, access2) =
        world.consent().after(&access).unwrap().valid(None, NOW.plus(Duration::from_secs(DAY))).seal(NOW).unwrap();
    let next_week = NOW.plus(Duration::from_secs(7 * DAY));
    let (third, _) = world
        .consent()
        .after(&access2)
        .unwrap()
        .valid(NOW.plus(Duration::from_secs(30 * DAY)), None)
        .seal(NOW)
        .unwrap();
    let mut see = |stored: &StoredConsent| {
        let live = stored.verify(world.owner.devices(), &cardiology(), &pins, next_week)?;
        live.open_as_device(&world.phone, &mut pins).map(drop)
    };
    assert_eq!(see(&first), Ok(()));
    // One that begins next month changes nothing this week.
    assert_eq!(see(&third), Err(Error::Expired("consent")));
    assert_eq!(see(&first), Ok(()));
    assert_eq!(see(&second), Err(Error::Expired("consent")));
    assert_eq!(see(&first), Err(Error::Rollback("consent")));
}

#[test]
fn a_forged_consent_leaves_no_pin() {
    let world = World::new();
    let (stored, _) = world.sealed("role:doctor");
    let mut json: serde_json::Value = serde_json::from_str(&stored.to_json().unwrap()).unwrap();
    json["consent"]["statement"]["version"] = 7.into();
    let forged = StoredConsent::from_json(&json.to_string()).unwrap();
    let pins = PinStore::default();
    let seen = forged.verify(world.owner.devices(), &cardiology(), &pins, NOW);
    assert_eq!(seen.unwrap_err(), FORGED);
    assert_eq!(pins, PinStore::default());
}

#[test]
fn the_consent_of_another_compartment_or_owner_is_refused() {
    let mut world = World::new();
    let ada = world.at_olave("dr-ada", "role:doctor");
    let (stored, _) = world.sealed("role:doctor");
    assert!(opens(&world.verify(&stored).unwrap(), &ada));
    let pins = &mut PinStore::default();
    let psychiatry = "psychiatry".parse().unwrap();
    assert_eq!(stored.verify(world.owner.devices(), &psychiatry, pins, NOW).unwrap_err(), FORGED);
    let other = World::new();
    assert_eq!(stored.verify(other.owner.devices(), &cardiology(), pins, NOW).unwrap_err(), FORGED);
}
