//! Who takes part, the same in each process: their keys lie in files.

use std::fs;
use std::path::Path;
use std::time::Duration;

use chartseal::authority::{Authority, Trust};
use chartseal::consent::{Access, StoredConsent};
use chartseal::id::{AuthorityId, CompartmentId};
use chartseal::identity::Identity;
use chartseal::kem::UserKey;
use chartseal::owner::{Device, Owner};
use chartseal::pin::{PinStore, Pins};
use chartseal::record::Reader;

use crate::support::world::{NOW, Person, World, YEAR, after};

pub(crate) struct Cast {
    pub(crate) hospital: AuthorityId,
    pub(crate) trust: Trust,
    pub(crate) ada: Person,
    /// Shut out of each patient's compartment by the third consent to it. Only who looks on has her key.
    pub(crate) nurse: Option<UserKey>,
    pub(crate) patients: Vec<Patient>,
}

pub(crate) struct Patient {
    pub(crate) owner: Owner,
    pub(crate) phone: Device,
}

const SECTION: &str = "a";

impl Cast {
    pub(crate) fn new(world: &World, folder: &Path) -> Self {
        fs::write(folder.join("hospital"), world.hospital.to_secret_bytes().unwrap().expose()).unwrap();
        fs::write(folder.join("ada"), world.ada.identity.to_secret_bytes().expose()).unwrap();
        let nurse = world.nurse.identity.accept(&world.nurse.issued, &world.trust, NOW).unwrap();
        Self { nurse: Some(nurse), ..Self::load(folder) }
    }

    pub(crate) fn load(folder: &Path) -> Self {
        let read = |name: String| fs::read(folder.join(name));
        let mut hospital = Authority::decode(&read("hospital".to_owned()).unwrap()).unwrap();
        let identity = Identity::decode(&read("ada".to_owned()).unwrap()).unwrap();
        let attributes = "role:doctor".parse().unwrap();
        let issued = hospital.issue(identity.id(), &attributes, NOW, after(YEAR), NOW).unwrap();
        let mut trust = Trust::new(Duration::MAX);
        trust.add(hospital.anchor()).unwrap();
        trust.update(&hospital.publish(after(100)).unwrap(), &mut PinStore::default(), after(100)).unwrap();
        let patient = |number: usize| {
            let owner = Owner::decode(&read(format!("owner-{number}")).ok()?).unwrap();
            let phone = Device::decode(&read(format!("phone-{number}")).ok()?).unwrap();
            Some(Patient { owner, phone })
        };
        let patients = (0..).map_while(patient).collect();
        let hospital = hospital.id().clone();
        Self { hospital, trust, ada: Person { identity, issued }, nurse: None, patients }
    }

    /// Makes patients until there are so many.
    pub(crate) fn keep(&mut self, folder: &Path, many: usize) {
        for number in self.patients.len()..many {
            let (owner, phone) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
            fs::write(folder.join(format!("owner-{number}")), owner.to_secret_bytes().unwrap().expose()).unwrap();
            fs::write(folder.join(format!("phone-{number}")), phone.to_secret_bytes().expose()).unwrap();
            self.patients.push(Patient { owner, phone });
        }
    }

    pub(crate) fn reader(&self, patient: &Patient) -> Reader<'_> {
        Reader::new(&self.trust, NOW).devices(patient.owner.devices().clone())
    }
}

impl Patient {
    pub(crate) fn section(&self) -> CompartmentId {
        SECTION.parse().unwrap()
    }

    /// What her phone opens.
    pub(crate) fn access(&self, stored: &StoredConsent, pins: &mut dyn Pins) -> Access {
        let live = stored.verify(self.owner.devices(), &self.section(), pins, NOW).unwrap();
        live.open_as_device(&self.phone, pins).unwrap()
    }

    pub(crate) fn accesses(&self, stored: &[StoredConsent]) -> Vec<Access> {
        stored.iter().map(|stored| self.access(stored, &mut PinStore::default())).collect()
    }

    /// What somebody else opens with a user key.
    pub(crate) fn opened_by(&self, key: &UserKey, stored: &StoredConsent) -> Option<Access> {
        let live = stored.verify(self.owner.devices(), &self.section(), &PinStore::default(), NOW).unwrap();
        live.open(key, &mut PinStore::default()).ok()
    }
}
