//! A hospital, people of it, and a patient with a phone.

use std::sync::Mutex;
use std::time::Duration;

use chartseal::authority::{Authority, Issued, Reason, Trust};
use chartseal::consent::{Access, Devices, LiveConsent, StoredConsent};
use chartseal::id::{DeviceId, Time};
use chartseal::identity::Identity;
use chartseal::owner::{AcceptedErasure, Device, Owner};
use chartseal::pin::PinStore;
use chartseal::record::{Author, Reader, Record, SealedRecord};

pub(crate) const NOW: Time = Time::at(1_775_000_000);
pub(crate) const YEAR: u64 = 31_536_000;

pub(crate) fn after(seconds: u64) -> Time {
    NOW.plus(Duration::from_secs(seconds))
}

pub(crate) struct World {
    pub(crate) hospital: Authority,
    pub(crate) trust: Trust,
    pub(crate) pins: PinStore,
    pub(crate) ada: Person,
    pub(crate) nurse: Person,
    pub(crate) lab: Person,
    pub(crate) alice: Owner,
    pub(crate) phone: Device,
    /// What was sealed by [`World::rotated`].
    rotated: Mutex<Vec<StoredConsent>>,
}

pub(crate) struct Person {
    pub(crate) identity: Identity,
    pub(crate) issued: Issued,
}

impl Person {
    pub(crate) fn author(&self) -> Author<'_> {
        Author::new(&self.identity, &self.issued.credential).unwrap()
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let mut hospital = Authority::setup("st-olave".parse().unwrap(), NOW).unwrap();
        let mut person = |id: &str, attributes: &str| {
            let identity = Identity::generate(id.parse().unwrap()).unwrap();
            hospital.enrol(&identity.enrol().unwrap()).unwrap();
            let issued = hospital.issue(identity.id(), &attributes.parse().unwrap(), NOW, after(YEAR), NOW).unwrap();
            Person { identity, issued }
        };
        let ada = person("dr-ada", "role:doctor");
        let nurse = person("nurse-ned", "role:nurse");
        let lab = person("lab-7", "role:laboratory");
        let (alice, phone) = Owner::generate_with_device(DeviceId::new("phone").unwrap(), NOW).unwrap();
        let mut world = Self {
            // Its tests go through years without a new list.
            trust: Trust::new(Duration::MAX),
            pins: PinStore::default(),
            ada,
            nurse,
            lab,
            alice,
            phone,
            hospital,
            rotated: Mutex::default(),
        };
        world.trust.add(world.hospital.anchor()).unwrap();
        world.publish();
        world
    }

    pub(crate) fn publish(&mut self) {
        self.trust.update(&self.hospital.publish(after(100)).unwrap(), &mut self.pins, after(100)).unwrap();
    }

    /// Another authority comes to be trusted, which knows this name and no other.
    pub(crate) fn known_elsewhere(&mut self, name: &str) -> Authority {
        let mut elsewhere = Authority::setup("elsewhere".parse().unwrap(), NOW).unwrap();
        let person = Identity::generate(name.parse().unwrap()).unwrap();
        elsewhere.enrol(&person.enrol().unwrap()).unwrap();
        self.trust.add(elsewhere.anchor()).unwrap();
        self.trust.update(&elsewhere.publish(NOW).unwrap(), &mut self.pins, NOW).unwrap();
        elsewhere
    }

    pub(crate) fn revoke(&mut self, person: &str, since: Time, reason: Reason) {
        self.hospital.revoke(&person.parse().unwrap(), since, reason, after(100)).unwrap();
        self.publish();
    }

    pub(crate) fn devices(&self) -> &Devices {
        self.alice.devices()
    }

    /// A first consent: the owner alone reads, whoever satisfies `write` writes.
    pub(crate) fn consent(&self, compartment: &str, write: &str) -> (StoredConsent, Access) {
        let consent = self.phone.consent(self.devices(), compartment.parse().unwrap());
        let consent = consent.write(&self.trust, self.hospital.id(), write).unwrap();
        consent.seal(NOW).unwrap()
    }

    pub(crate) fn access(&self, compartment: &str) -> Access {
        self.consent(compartment, "role:doctor").1
    }

    /// The next version, for the same compartment, with a new key.
    pub(crate) fn rotated(&self, access: &Access, write: &str) -> Access {
        let consent = self.phone.consent(self.devices(), access.compartment().clone()).after(access).unwrap();
        let (stored, access) = consent.write(&self.trust, self.hospital.id(), write).unwrap().seal(NOW).unwrap();
        self.rotated.lock().unwrap().push(stored);
        access
    }

    /// The consent that [`World::rotated`] gave this access to.
    pub(crate) fn stored(&self, access: &Access) -> StoredConsent {
        let rotated = self.rotated.lock().unwrap();
        rotated.iter().find(|stored| stored.consent().hash().unwrap() == access.hash()).unwrap().clone()
    }

    pub(crate) fn live(&self, stored: &StoredConsent) -> LiveConsent {
        stored.verify(self.devices(), &stored.consent().unverified().compartment, &PinStore::default(), NOW).unwrap()
    }

    /// Her wish that everything of hers is deleted, accepted.
    pub(crate) fn erasure(&self) -> AcceptedErasure {
        self.alice.erase(NOW, NOW).unwrap().accept(self.devices(), NOW).unwrap()
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader::new(&self.trust, NOW).devices(self.devices().clone())
    }

    /// Three fields by the doctor.
    pub(crate) fn sealed(&self, access: &Access) -> SealedRecord {
        let record = record("encounter-17").part(access).unwrap().field("/diagnosis", "I21.4").unwrap();
        let record = record.field("/history", "I20.0").unwrap().field("/empty", "").unwrap();
        record.seal(&self.ada.author(), NOW).unwrap()
    }
}

pub(crate) fn record<'a>(id: &str) -> Record<'a> {
    Record::new(id.parse().unwrap(), "clinic/encounter".parse().unwrap())
}
