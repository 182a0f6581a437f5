//! Secret bytes that come back from a safe.

use std::sync::LazyLock;
use std::time::Duration;

use chartseal::Error;
use chartseal::authority::{Authority, Issued, REVOCATION_LIMIT, Reason, Trust};
use chartseal::consent::Removal;
use chartseal::id::Time;
use chartseal::identity::Identity;
use chartseal::owner::{Device, Owner};
use chartseal::pin::PinStore;

use super::{AUTHORITY, MASTER};

/// Secret bytes have one encoding, and what was read from them works: nothing that it makes is refused by others.
///
/// The first byte chooses: an identity, a device, an owner, an authority; or an authority's state, behind its genuine
/// keys.
pub(crate) fn secrets(data: &[u8]) -> bool {
    let Some((kind, rest)) = data.split_first() else { return false };
    match kind {
        0 => identity(rest),
        1 => device(rest),
        2 => owner(rest),
        3 => authority(rest),
        _ => authority(&[&HOUSE.bytes[..HOUSE.state], rest].concat()),
    }
}

fn identity(bytes: &[u8]) -> bool {
    let Ok(identity) = Identity::decode(bytes) else { return false };
    assert_eq!(identity.to_secret_bytes().expose(), bytes);
    let enrolment = identity.enrol().expect("the keys sign");
    assert_eq!(*enrolment.verify_own().expect("their own signature"), identity.public());
    match Authority::decode(&HOUSE.bytes).unwrap().enrol(&enrolment) {
        Ok(number) => assert!(number.get() > 0),
        Err(error) => assert!(matches!(error, Error::ApiMisuse(_)), "{error}: in use, or as if of another person"),
    }
    true
}

fn device(bytes: &[u8]) -> bool {
    let Ok(device) = Device::decode(bytes) else { return false };
    assert_eq!(device.to_secret_bytes().expose(), bytes);
    let owner = Owner::generate(&device.public(), NOW).expect("any device can be an owner's first");
    assert_eq!(owner.devices().get(device.id()), Some(&device.public()));
    true
}

fn owner(bytes: &[u8]) -> bool {
    let Ok(mut owner) = Owner::decode(bytes) else { return false };
    assert_eq!(owner.to_secret_bytes().unwrap().expose(), bytes);
    let tablet = Device::decode(&[b"csd\x01\x01t", &[8; 64][..]].concat()).unwrap().public();
    let before = owner.devices().clone();
    owner.add_device(&tablet, NOW).expect("the list has room");
    owner.remove_device(&tablet.id, Removal::Retired, NOW).expect("the tablet is in it");
    assert_eq!(owner.devices().version().0, before.version().0 + 2);
    let again = Owner::decode(owner.to_secret_bytes().unwrap().expose()).expect("what it keeps can be read");
    assert_eq!(again.devices(), owner.devices());
    true
}

fn authority(bytes: &[u8]) -> bool {
    let Ok(mut house) = Authority::decode(bytes) else { return false };
    assert_eq!(house.to_secret_bytes().unwrap().expose(), bytes);
    let (mut trust, mut pins) = (Trust::new(REVOCATION_LIMIT), PinStore::default());
    trust.add(house.anchor()).unwrap();
    let [ada, ..] = &*PEOPLE;
    let mut published = published(&mut house, &mut trust, &mut pins);
    if house.enrol(&ada.enrol().unwrap()).is_ok() {
        house.revoke(ada.id(), NOW, Reason::Compromised, NOW).expect("she is known");
        // Versions end some day.
        published &= self::published(&mut house, &mut trust, &mut pins);
    }
    let again = Authority::decode(house.to_secret_bytes().unwrap().expose()).expect("what it keeps can be read");
    assert_eq!(again.anchor(), house.anchor());
    published
}

/// Whether there are versions left for lists, which everybody believes then.
fn published(house: &mut Authority, trust: &mut Trust, pins: &mut PinStore) -> bool {
    let lists = house.revocations(NOW).and_then(|revocations| Ok((revocations, house.people(NOW)?)));
    match lists {
        Ok((revocations, people)) => {
            trust.update_revocations(&revocations, pins, NOW).expect("its revocations are believed");
            trust.update_people(&people, pins, NOW).expect("its map is believed");
            true
        }
        Err(error) => {
            assert!(matches!(error, Error::TooLarge("version")), "{error}");
            false
        }
    }
}

/// An authority that is the same in every run, with what it gave out.
pub(crate) struct House {
    /// Its secret bytes, up to `state` its keys.
    pub(crate) bytes: Vec<u8>,
    pub(crate) state: usize,
    pub(crate) trust: Trust,
    /// The first person's; the second is revoked. Only the user keys in them differ from run to run.
    pub(crate) issued: [Issued; 2],
}

/// Two people with keys that are the same in every run.
pub(crate) static PEOPLE: LazyLock<[Identity; 2]> = LazyLock::new(|| {
    [("dr-ada", 6), ("dr-bob", 7)].map(|(id, key)| {
        let length = [u8::try_from(id.len()).unwrap()];
        Identity::decode(&[b"csi\x01", &length[..], id.as_bytes(), &[key; 64]].concat()).unwrap()
    })
});

pub(crate) static HOUSE: LazyLock<House> = LazyLock::new(|| {
    // The state of a new authority, behind keys that are not drawn.
    let drawn = Authority::setup(AUTHORITY.clone(), NOW).unwrap().to_secret_bytes().unwrap();
    let master = MASTER.to_secret_bytes();
    let state = 4 + 2 + master.expose().len() + 32;
    let bytes = [&drawn.expose()[..6], master.expose(), &[9; 32], &drawn.expose()[state..]].concat();
    let mut house = Authority::decode(&bytes).unwrap();
    let issued = PEOPLE.each_ref().map(|person| {
        house.enrol(&person.enrol().unwrap()).unwrap();
        let attributes = "role:doctor".parse().unwrap();
        house.issue(person.id(), &attributes, NOW, NOW.plus(Duration::from_secs(1_000_000)), NOW).unwrap()
    });
    house.revoke(PEOPLE[1].id(), NOW, Reason::Ended, NOW).unwrap();
    let mut trust = Trust::new(REVOCATION_LIMIT);
    trust.add(house.anchor()).unwrap();
    trust.update(&house.publish(NOW).unwrap(), &mut PinStore::default(), NOW).unwrap();
    House { bytes: house.to_secret_bytes().unwrap().expose().clone(), state, trust, issued }
});

pub(crate) const NOW: Time = Time::at(1_775_000_000);
