//! Two hospitals, their people, and a patient with her phone.

use std::time::Duration;

use chartseal::authority::{Authority, Trust, VerifiedCredential};
use chartseal::consent::{Access, ConsentBuilder, LiveConsent, StoredConsent};
use chartseal::id::{AuthorityId, CompartmentId, Time};
use chartseal::identity::Identity;
use chartseal::kem::UserKey;
use chartseal::owner::{Device, Owner};
use chartseal::pin::PinStore;
use chartseal::{Error, Result};

/// 2026-03-31T23:33:20Z.
pub(crate) const NOW: Time = Time::at(1_775_000_000);
pub(crate) const DAY: u64 = 24 * 60 * 60;

pub(crate) struct Person {
    pub(crate) identity: Identity,
    pub(crate) key: UserKey,
    pub(crate) shown: VerifiedCredential,
}

pub(crate) struct World {
    pub(crate) olave: Authority,
    pub(crate) thomas: Authority,
    pub(crate) trust: Trust,
    pub(crate) pins: PinStore,
    pub(crate) owner: Owner,
    pub(crate) phone: Device,
}

impl World {
    pub(crate) fn new() -> Self {
        let olave = Authority::setup("st-olave".parse().unwrap(), NOW).unwrap();
        let thomas = Authority::setup("st-thomas".parse().unwrap(), NOW).unwrap();
        let mut trust = Trust::new(Duration::MAX);
        trust.add(olave.anchor()).unwrap();
        trust.add(thomas.anchor()).unwrap();
        let (owner, phone) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
        let mut world = Self { olave, thomas, trust, pins: PinStore::default(), owner, phone };
        world.update();
        world
    }

    pub(crate) fn update(&mut self) {
        for authority in [&mut self.olave, &mut self.thomas] {
            self.trust.update(&authority.publish(NOW).unwrap(), &mut self.pins, NOW).unwrap();
        }
    }

    /// Somebody with attributes of St Olave's, for a year.
    pub(crate) fn at_olave(&mut self, name: &str, attributes: &str) -> Person {
        let identity = Identity::generate(name.parse().unwrap()).unwrap();
        self.olave.enrol(&identity.enrol().unwrap()).unwrap();
        self.update();
        issue(&mut self.olave, &self.trust, identity, attributes, NOW.plus(Duration::from_secs(365 * DAY)))
    }

    pub(crate) fn at_thomas(&mut self, name: &str, attributes: &str) -> Person {
        let identity = Identity::generate(name.parse().unwrap()).unwrap();
        self.thomas.enrol(&identity.enrol().unwrap()).unwrap();
        self.update();
        issue(&mut self.thomas, &self.trust, identity, attributes, NOW.plus(Duration::from_secs(365 * DAY)))
    }

    pub(crate) fn consent(&self) -> ConsentBuilder<'_> {
        self.phone.consent(self.owner.devices(), cardiology())
    }

    pub(crate) fn sealed(&self, policy: &str) -> (StoredConsent, Access) {
        self.consent().read(&self.trust, &olave(), policy).unwrap().seal(NOW).unwrap()
    }

    /// As somebody without memory.
    pub(crate) fn verify(&self, stored: &StoredConsent) -> Result<LiveConsent> {
        self.verify_at(stored, NOW)
    }

    pub(crate) fn verify_at(&self, stored: &StoredConsent, now: Time) -> Result<LiveConsent> {
        stored.verify(self.owner.devices(), &cardiology(), &PinStore::default(), now)
    }
}

pub(crate) fn issue(
    authority: &mut Authority,
    trust: &Trust,
    identity: Identity,
    attributes: &str,
    until: Time,
) -> Person {
    let issued = authority.issue(identity.id(), &attributes.parse().unwrap(), NOW, until, NOW).unwrap();
    let key = identity.accept(&issued, trust, NOW).unwrap();
    Person { key, shown: trust.credential(&issued.credential, NOW).unwrap(), identity }
}

pub(crate) fn opens(live: &LiveConsent, person: &Person) -> bool {
    match live.open(&person.key, &mut PinStore::default()) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error, Error::CannotOpen);
            false
        }
    }
}

pub(crate) fn olave() -> AuthorityId {
    "st-olave".parse().unwrap()
}

pub(crate) fn thomas() -> AuthorityId {
    "st-thomas".parse().unwrap()
}

pub(crate) fn cardiology() -> CompartmentId {
    "cardiology".parse().unwrap()
}
