//! What others sign, and the memory of it.

use std::sync::LazyLock;
use std::time::Duration;

use chartseal::Error;
use chartseal::authority::{
    Anchor, Authority, Bulletin, Credential, Issued, ParametersStatement, PeopleMap, REVOCATION_LIMIT, RevocationList,
    Trust,
};
use chartseal::consent::{DeviceList, Devices, Head, HeadStatement, LiveConsent, StoredConsent};
use chartseal::id::{CompartmentId, OwnerId};
use chartseal::identity::{Identity, PublicIdentity, Signed};
use chartseal::kem::{PublicParameters, UserKey};
use chartseal::owner::{Device, Owner};
use chartseal::pin::PinStore;

use super::{HOUSE, NOW, PEOPLE, edit, header, header_bytes};

/// Reads JSON or CBOR, and holds what was read against its other form.
macro_rules! read {
    ($type:ty, $json:expr, $data:expr) => {{
        let value = if $json {
            let Ok(text) = str::from_utf8($data) else { return false };
            let Ok(value) = <$type>::from_json(text) else { return false };
            value
        } else {
            let Ok(value) = <$type>::from_cbor($data) else { return false };
            let data: &[u8] = $data;
            assert_eq!(value.to_cbor().expect("it can be written"), data);
            value
        };
        let json = value.to_json().expect("it can be written as JSON");
        let again = <$type>::from_json(&json).expect("and read");
        assert_eq!(again, value);
        assert_eq!(again.to_json().unwrap(), json);
        assert_eq!(<$type>::from_cbor(&value.to_cbor().unwrap()).expect("as CBOR, too"), value);
        value
    }};
}

pub(super) use read;

/// Each object has one CBOR encoding and comes back from both forms; what is signed is believed if it is the genuine one,
/// and nothing else is.
///
/// The lowest bit of the first byte says JSON, the others choose the object.
pub(crate) fn statements(data: &[u8]) -> bool {
    let Some((first, data)) = data.split_first() else { return false };
    let json = first & 1 == 1;
    let genuine = &*PUBLISHED;
    let pins = &mut PinStore::default();
    let mut trust = Trust::new(REVOCATION_LIMIT);
    trust.add(genuine.anchor.clone()).unwrap();
    match first >> 1 {
        0 => {
            let credential = read!(Credential, json, data);
            let believed = HOUSE.trust.credential(&credential, NOW).is_ok();
            assert_eq!(believed, credential == HOUSE.issued[0].credential);
        }
        1 => {
            let statement = read!(Signed<ParametersStatement>, json, data);
            let believed = trust.update_parameters(&statement, pins, NOW).is_ok();
            assert_eq!(believed, statement == genuine.bulletin.parameters);
        }
        2 => {
            let list = read!(Signed<RevocationList>, json, data);
            assert_eq!(trust.update_revocations(&list, pins, NOW).is_ok(), list == genuine.bulletin.revocations);
        }
        3 => {
            let map = read!(Signed<PeopleMap>, json, data);
            assert_eq!(trust.update_people(&map, pins, NOW).is_ok(), map == genuine.bulletin.people);
        }
        4 => {
            let bulletin = read!(Bulletin, json, data);
            assert_eq!(trust.update(&bulletin, pins, NOW).is_ok(), bulletin == genuine.bulletin);
        }
        5 => {
            let issued = read!(Issued, json, data);
            if let Ok(key) = PEOPLE[0].accept(&issued, &HOUSE.trust, NOW) {
                assert_eq!(issued.credential, HOUSE.issued[0].credential);
                let shown = HOUSE.trust.credential(&issued.credential, NOW).unwrap();
                assert_eq!(key.leaves(), shown.attributes().leaves(shown.authority()));
            }
            assert!(PEOPLE[1].accept(&issued, &HOUSE.trust, NOW).is_err(), "a key for another person");
        }
        6 => {
            let enrolment = read!(Signed<PublicIdentity>, json, data);
            let genuine = PEOPLE.iter().any(|person| person.enrol().unwrap() == enrolment);
            assert_eq!(enrolment.verify_own().is_ok(), genuine, "nobody else holds these keys");
        }
        7 => {
            let list = read!(DeviceList, json, data);
            let accepted = list.accept(&CLINIC.owner, pins, NOW).is_ok();
            assert_eq!(accepted, list == CLINIC.list);
            assert_eq!(*pins == PinStore::default(), !accepted, "nothing is remembered of a list that is refused");
        }
        8 => {
            let head = read!(Head, json, data);
            let fresh = CLINIC.live.fresh(&head, &mut PinStore::default(), NOW, Duration::from_secs(1)).is_ok();
            assert_eq!(fresh, head == CLINIC.head);
        }
        9 => {
            let anchor = read!(Anchor, json, data);
            let other = anchor.authority == genuine.anchor.authority && anchor != genuine.anchor;
            assert_eq!(trust.add(anchor).is_err(), other);
        }
        _ => {
            let Ok(mut pins) = PinStore::from_cbor(data) else { return false };
            assert_eq!(pins.to_cbor().expect("it can be written"), data);
            // A memory of anything can refuse the genuine list, and nothing else comes of it.
            match CLINIC.list.accept(&CLINIC.owner, &mut pins, NOW) {
                Ok(_) => assert!(CLINIC.list.accept(&CLINIC.owner, &mut pins, NOW).is_ok()),
                Err(error) => assert!(matches!(error, Error::Rollback(_) | Error::Fork(_)), "{error}"),
            }
        }
    }
    true
}

/// A consent has one CBOR encoding and comes back from both forms; only the genuine ones are believed, whole, and they
/// open for nobody to whom they are closed.
///
/// The first byte says what the rest is: 0 a consent in CBOR, 1 one in JSON, else edits to a genuine one with another at
/// hand.
pub(crate) fn consent(data: &[u8]) -> bool {
    let Some((form, data)) = data.split_first() else { return false };
    let clinic = &*CLINIC;
    let stored = match form {
        0 | 1 => read!(StoredConsent, *form == 1, data),
        _ => {
            let [one, other] = [0, 1].map(|next| &clinic.consents[(usize::from(*form) + next) % clinic.consents.len()]);
            let mut bytes = one.to_cbor().unwrap();
            edit(&mut bytes, &other.to_cbor().unwrap(), data);
            read!(StoredConsent, false, &bytes)
        }
    };
    let genuine = clinic.consents.contains(&stored);
    let verify = |devices, compartment| stored.verify(devices, compartment, &PinStore::default(), NOW);
    let surgery = "surgery".parse().unwrap();
    assert!(verify(&clinic.devices, &surgery).is_err(), "moved to another compartment");
    assert!(verify(&clinic.other_devices, &clinic.compartment).is_err(), "moved to another owner");
    match verify(&clinic.devices, &clinic.compartment) {
        Ok(live) => {
            assert!(genuine, "a consent was forged");
            assert!(
                live.open_as_device(&clinic.phone, &mut PinStore::default()).is_ok()
                    && live.open_as_root(&clinic.root, &mut PinStore::default()).is_ok()
            );
            // The later versions name no reader.
            assert_eq!(live.open(&clinic.doctor, &mut PinStore::default()).is_ok(), stored == clinic.consents[0]);
            assert!(clinic.outsiders_find_it_closed(&live));
        }
        Err(error) => {
            assert!(!genuine, "{error}");
            assert!(!matches!(error, Error::TooLarge(_) | Error::ApiMisuse(_) | Error::CannotOpen), "{error}");
        }
    }
    genuine
}

/// What the authority of [`HOUSE`] signs, the same in every run.
pub(crate) struct Published {
    pub(crate) anchor: Anchor,
    pub(crate) bulletin: Bulletin,
}

pub(crate) static PUBLISHED: LazyLock<Published> = LazyLock::new(|| {
    let mut house = Authority::decode(&HOUSE.bytes).unwrap();
    Published { anchor: house.anchor(), bulletin: house.publish(NOW).unwrap() }
});

/// An owner with consents, out of the test vectors.
pub(crate) struct Clinic {
    pub(crate) owner: OwnerId,
    pub(crate) list: DeviceList,
    pub(crate) devices: Devices,
    other_devices: Devices,
    pub(crate) compartment: CompartmentId,
    pub(crate) consents: Vec<StoredConsent>,
    pub(crate) live: LiveConsent,
    pub(crate) head: Head,
    pub(crate) phone: Device,
    pub(crate) root: Owner,
    doctor: UserKey,
    nurse: UserKey,
    unnamed: Identity,
}

impl Clinic {
    fn outsiders_find_it_closed(&self, live: &LiveConsent) -> bool {
        let outsider = Device::decode(&[b"csd\x01\x05phone", &[8; 64][..]].concat()).unwrap();
        [
            live.open_as(&self.unnamed, &mut PinStore::default()),
            live.open_as_device(&outsider, &mut PinStore::default()),
            live.open(&self.nurse, &mut PinStore::default()),
        ]
        .iter()
        .all(|opened| matches!(opened, Err(Error::CannotOpen)))
    }
}

pub(crate) static CLINIC: LazyLock<Clinic> = LazyLock::new(|| {
    let [key, unsatisfied, device, root, unnamed, later, forked] = VECTORS;
    let owner: OwnerId = header(key, "owner").parse().unwrap();
    let list = DeviceList::from_cbor(&header_bytes(key, "devices")).unwrap();
    let accept = |list: &DeviceList| list.accept(&list.unverified().owner, &mut PinStore::default(), NOW).unwrap();
    let devices = accept(&list);
    let record_world = include_str!("../../tests/vectors/record_world/world.txt");
    let other_devices = accept(&DeviceList::from_cbor(&header_bytes(record_world, "devices")).unwrap());
    let compartment = header(key, "compartment").parse().unwrap();
    let stored = |text, name| StoredConsent::from_cbor(&header_bytes(text, name)).unwrap();
    let consents = vec![stored(key, "consent"), stored(later, "seen"), stored(forked, "consent")];
    let live = consents[0].verify(&devices, &compartment, &PinStore::default(), NOW).unwrap();
    let phone = Device::decode(&header_bytes(device, "secret")).unwrap();
    let head = phone.head(&live, NOW).unwrap();
    let user_key = |text| {
        let parameters = PublicParameters::decode(&header_bytes(text, "parameters")).unwrap();
        UserKey::decode(&header_bytes(text, "secret"), &parameters).unwrap()
    };
    let (doctor, nurse) = (user_key(key), user_key(unsatisfied));
    let root = Owner::decode(&header_bytes(root, "secret")).unwrap();
    let unnamed = Identity::decode(&header_bytes(unnamed, "secret")).unwrap();
    Clinic {
        owner,
        list,
        devices,
        other_devices,
        compartment,
        consents,
        live,
        head,
        phone,
        root,
        doctor,
        nurse,
        unnamed,
    }
});

const VECTORS: [&str; 7] = [
    include_str!("../../tests/vectors/consent/by_attributes.txt"),
    include_str!("../../tests/vectors/consent/unsatisfied.txt"),
    include_str!("../../tests/vectors/consent/by_device.txt"),
    include_str!("../../tests/vectors/consent/by_root.txt"),
    include_str!("../../tests/vectors/consent/not_named.txt"),
    include_str!("../../tests/vectors/consent/rolled_back.txt"),
    include_str!("../../tests/vectors/consent/forked.txt"),
];
