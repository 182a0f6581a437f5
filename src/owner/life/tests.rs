use super::*;
use crate::id::{Hash, Version};
use crate::pin::PinStore;

const NOW: Time = Time(1_775_000_000);

/// The holder of a recovery key that is named no more signs a change himself, with whatever he likes in it: the crate's own
/// refusals are left out.
fn forged(last: &Devices, key: &RecoveryKey, (version, list): (Version, Hash)) -> DeviceList {
    let before = last.statement();
    let by = before.recovery.iter().find(|named| named.unverified().signing == key.public().signing).unwrap().clone();
    let keys = (SigningKey::generate().unwrap(), SealingKey::generate().unwrap());
    let said = RootChangeStatement { version, list, announced_at: Time(1), ..change(last, &keys.0, NOW) };
    let link = Succession { change: Signed::sign(said, key.signing()).unwrap(), by: Some(by) };
    let mut statement = next(last, NOW).unwrap();
    statement.version = Version(version.0 + 1);
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
    let named = |key: &RecoveryKey| Recovery { key: key.public(), delay: Duration::from_secs(1), plan: None };
    owner.arrange_recovery(&[named(&old)], NOW).unwrap();
    let then = owner.devices().clone();
    owner.arrange_recovery(&[named(&new)], NOW).unwrap();
    let now = owner.devices().clone();
    let late = Time(NOW.0 + 1000);
    let accept = |list: &DeviceList, pins: &mut PinStore| list.accept_at(owner.id(), pins, late);
    let seen = || {
        let mut pins = PinStore::default();
        owner.list().accept(owner.id(), &mut pins).unwrap();
        pins
    };
    // The forgery is right but for what it says of the list: on its own list it is taken by who has seen no other.
    let own = forged(&then, &old, (then.version(), then.hash()));
    assert!(accept(&own, &mut PinStore::default()).is_ok());
    assert!(accept(&own, &mut seen()).is_err());
    for place in [(now.version(), now.hash()), (Version(1000), Hash([7; 32])), (Version(2000), now.hash())] {
        for mut pins in [PinStore::default(), seen()] {
            let list = forged(&then, &old, place);
            assert_eq!(accept(&list, &mut pins).err(), Some(Error::Forged("change of root key")));
        }
    }
}
