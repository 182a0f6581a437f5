use std::time::Duration;

use super::*;
use crate::id::{Hash, Version};
use crate::pin::PinStore;

const NOW: Time = Time::at(1_775_000_000);

/// The holder of a recovery key that is named no more signs a change himself, with whatever he likes in it: the crate's own
/// refusals are left out.
fn forged(last: &Devices, key: &RecoveryKey, (version, list): (Version, Hash)) -> DeviceList {
    let before = last.statement();
    let by = before.recovery.iter().find(|named| named.unverified().signing == key.public().signing).unwrap().clone();
    let keys = (SigningKey::generate().unwrap(), SealingKey::generate().unwrap());
    let said = RootChangeStatement { version, list, announced_at: Time::at(1), ..change(last, &keys.0, NOW) };
    let link = Succession { change: Signed::sign(said, key.signing()).unwrap(), by: Some(by) };
    let mut statement = next(last, NOW).unwrap();
    // One further than it has to be: the next one is held against the list that the change names.
    statement.version = Version(version.0 + 2);
    statement.previous = Some(list);
    statement.recovery.clear();
    (statement.root, statement.root_sealing) = (keys.0.public(), keys.1.public());
    statement.succession.push(link);
    Signed::sign(statement, &keys.0).unwrap()
}

#[test]
fn a_recovery_key_that_is_named_no_more_changes_nothing_on_later_lists_real_or_invented() {
    let (mut owner, _) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
    let (old, new) = (RecoveryKey::generate().unwrap(), RecoveryKey::generate().unwrap());
    let named = |key: &RecoveryKey| Recovery { key: key.public(), delay: MIN_DELAY, plan: None };
    owner.arrange_recovery(&[named(&old)], NOW).unwrap();
    let then = owner.devices().clone();
    owner.arrange_recovery(&[named(&new)], NOW).unwrap();
    let now = owner.devices().clone();
    let late = NOW.plus(2 * MIN_DELAY);
    let accept = |list: &DeviceList, pins: &mut PinStore| list.accept(owner.id(), pins, late);
    let seen = || {
        let mut pins = PinStore::default();
        owner.list().accept(owner.id(), &mut pins, NOW).unwrap();
        pins
    };
    // The forgery is right but for what it says of the list: on its own list it is taken by who has seen no other.
    let own = forged(&then, &old, (then.version(), then.hash()));
    assert!(accept(&own, &mut PinStore::default()).is_ok());
    assert_eq!(accept(&own, &mut seen()).err(), Some(Error::Fork("change of root key")));
    // Of its own version, and made from the list that the reader holds.
    let mixed = forged(&then, &old, (then.version(), now.hash()));
    let mut reader = seen();
    for at in [late, late.plus(Duration::from_secs(1_000_000_000))] {
        let refused = mixed.accept(owner.id(), &mut reader, at);
        assert_eq!(refused.err(), Some(Error::Fork("change of root key")));
    }
    for place in [(now.version(), now.hash()), (Version(1000), Hash([7; 32])), (Version(2000), now.hash())] {
        for mut pins in [PinStore::default(), seen()] {
            let list = forged(&then, &old, place);
            assert_eq!(accept(&list, &mut pins).err(), Some(Error::Forged("change of root key")));
        }
    }
}

/// What a thief writes into the change keeps nobody from saying no to it.
#[test]
fn a_veto_counts_whatever_list_the_change_says_it_was_made_from() {
    let (mut owner, phone) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
    let first = owner.list().clone();
    let key = RecoveryKey::generate().unwrap();
    owner.arrange_recovery(&[Recovery { key: key.public(), delay: MIN_DELAY, plan: None }], NOW).unwrap();
    let last = owner.devices().clone();
    let stolen = forged(&last, &key, (last.version(), Hash([7; 32])));
    // A reader who has not seen the last list would take it, after the delay.
    let reader = || {
        let mut pins = PinStore::default();
        first.accept(owner.id(), &mut pins, NOW).unwrap();
        assert_eq!(stolen.accept(owner.id(), &mut pins, NOW).err(), Some(Error::Expired("change of root key")));
        pins
    };
    let late = NOW.plus(2 * MIN_DELAY);
    assert!(stolen.accept(owner.id(), &mut reader(), late).is_ok());
    let mut told = reader();
    phone.veto(&last, &stolen).unwrap().accept(&last, &stolen, &mut told, NOW).unwrap();
    let refused = stolen.accept(owner.id(), &mut told, late);
    assert_eq!(refused.err(), Some(Error::Revoked("this change of root key")));
}

/// Whoever signs it, the root key's own holder included: what is refused when it is read cannot be found out too late.
#[test]
fn a_delay_that_nobody_can_wait_for_is_neither_signed_nor_read() {
    let (mut owner, _) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
    let paper = RecoveryKey::generate().unwrap();
    let arrange = |owner: &mut Owner, delay| {
        owner.arrange_recovery(&[Recovery { key: paper.public(), delay, plan: None }], NOW).map(drop)
    };
    for delay in [MAX_DELAY + Duration::from_secs(1), Duration::from_secs(7 * 86_400 * 1000), Duration::MAX] {
        let refused = arrange(&mut owner, delay);
        assert_eq!(refused, Err(Error::ApiMisuse("a delay of more than 90 days: nobody can wait for it")), "{delay:?}");
    }
    assert_eq!(arrange(&mut owner, MAX_DELAY), Ok(()));
    for delay in [MAX_DELAY.as_secs() + 1, u64::MAX] {
        let mut statement = next(&owner.devices, NOW).unwrap();
        let said = ArrangementStatement { delay, ..statement.recovery[0].unverified().clone() };
        statement.recovery = vec![Signed::sign(said, &owner.root).unwrap()];
        assert_eq!(sign(statement, &owner.root).err(), Some(Error::Malformed("device list")), "{delay}");
    }
    // Nor does a change count that such a key signed.
    let last = owner.devices.clone();
    let said = ArrangementStatement { delay: u64::MAX, ..last.statement().recovery[0].unverified().clone() };
    let by = Signed::sign(said, &owner.root).unwrap();
    let keys = (SigningKey::generate().unwrap(), SealingKey::generate().unwrap());
    let link = Succession { change: Signed::sign(change(&last, &keys.0, NOW), paper.signing()).unwrap(), by: Some(by) };
    let mut statement = next(&last, NOW).unwrap();
    statement.recovery.clear();
    assert_eq!(successor(statement, link, keys).err(), Some(Error::Malformed("change of root key")));
}

#[test]
fn a_delay_without_time_for_a_veto_is_refused() {
    let (mut owner, _) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
    let key = RecoveryKey::generate().unwrap().public();
    for delay in [Duration::ZERO, Duration::from_millis(900), MIN_DELAY - Duration::from_nanos(1)] {
        let refused = owner.arrange_recovery(&[Recovery { key, delay, plan: None }], NOW).map(|_| ());
        assert!(matches!(refused, Err(Error::ApiMisuse(_))));
    }
}

#[test]
fn no_device_list_has_a_version_above_the_seconds_of_its_time() {
    let (owner, _) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
    let accept = |version| {
        let statement = DeviceListStatement { version: Version(version), ..next(owner.devices(), NOW).unwrap() };
        let list = Signed::sign(statement, &owner.root).unwrap();
        let mut pins = PinStore::default();
        list.accept(owner.id(), &mut pins, NOW).map(|_| pins == PinStore::default())
    };
    for above in [NOW.as_secs() + 1, u64::MAX] {
        assert_eq!(accept(above), Err(Error::Malformed("device list")), "{above}");
    }
    assert_eq!(accept(NOW.as_secs()), Ok(false));
}
