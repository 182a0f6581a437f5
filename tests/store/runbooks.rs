//! The runbooks, step by step, on stores on disk: each test is the story of one, by somebody who has the public calls and the
//! page, and nothing else.
#![cfg(feature = "redb")]

mod calendar;
mod jobs;
mod losses;
mod owners;
mod people;
mod planted;

use chartseal::Error;
use chartseal::authority::{Authority, Credential, Trust};
use chartseal::consent::{Access, Devices, Evidence, LiveConsent, OpenedConsents, StoredConsent};
use chartseal::id::{CompartmentId, OwnerId, RecordId, Time};
use chartseal::identity::Identity;
use chartseal::kem::UserKey;
use chartseal::ledger::Ledger;
use chartseal::owner::recovery::RecoveryKey;
use chartseal::owner::{Device, Owner};
use chartseal::pin::{PinStore, Pins};
use chartseal::record::{Reader, SealedRecord};
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Retirement, Rotation};
use chartseal::store::RedbStore;

use crate::support::stored::sealed;
use crate::support::waiting::block_on;
use crate::support::world::World;

const DAY: u64 = 86_400;

/// A host: a store and a ledger, in files.
struct Site {
    store: RedbStore,
    noted: RedbStore,
    folder: tempfile::TempDir,
}

/// By what somebody believes what he is given: his trust, the owner's devices, and his clock.
type Knows<'a> = (&'a Trust, &'a Devices, Time);

impl Site {
    /// A store is set up.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [store, noted] = ["data", "ledger"].map(|name| RedbStore::open(folder.path().join(name)).unwrap());
        block_on(Repository::bind(&store, block_on(Ledger::create(&noted)).unwrap())).unwrap();
        Self { store, noted, folder }
    }

    fn another_store(&self, name: &str) -> RedbStore {
        RedbStore::open(self.folder.path().join(name)).unwrap()
    }

    fn ledger(&self) -> Ledger<'_> {
        block_on(Ledger::open(&self.noted)).unwrap()
    }

    fn repository(&self) -> Repository<'_> {
        block_on(Repository::guarded(&self.store, self.ledger())).unwrap()
    }

    fn try_to_publish(&self, evidence: impl Into<Evidence> + Send, stored: &StoredConsent) -> Result<Put, Error> {
        block_on(self.repository().publish(evidence, stored))
    }

    /// By a server that has no memory of consents.
    fn publish(&self, devices: &Devices, stored: &StoredConsent, now: Time) {
        let live = stored.verify(devices, &compartment_of(stored), &PinStore::default(), now).unwrap();
        assert_eq!(self.try_to_publish(&live, stored), Ok(Put::Done));
    }

    fn consents(&self, owner: &OwnerId) -> Vec<StoredConsent> {
        block_on(self.repository().consents(owner, &section(), None)).unwrap()
    }

    /// What somebody without a memory opens of what is served.
    fn open(
        &self,
        devices: &Devices,
        now: Time,
        by: impl Fn(&LiveConsent, &mut dyn Pins) -> Result<Access, Error>,
    ) -> Result<OpenedConsents, Error> {
        devices.open_consents(&section(), &self.consents(devices.owner()), &mut PinStore::default(), now, by)
    }

    fn put(&self, record: &SealedRecord) {
        assert_eq!(block_on(self.repository().put(record)), Ok(Put::Done));
    }

    /// Writes a record of the doctor's.
    fn write(&self, world: &World, access: &Access, id: &str) {
        self.put(&sealed(world, access, id));
    }

    fn record(&self, owner: &OwnerId, id: &str) -> SealedRecord {
        block_on(self.repository().get(owner, &record(id))).unwrap().unwrap()
    }

    /// Whether somebody who comes without a memory reads a record that the doctor wrote.
    fn reads(
        &self,
        knows: Knows<'_>,
        id: &str,
        by: impl Fn(&LiveConsent, &mut dyn Pins) -> Result<Access, Error>,
    ) -> Result<(), Error> {
        let opened = self.open(knows.1, knows.2, by)?;
        self.opens(knows, id, &opened.accesses())
    }

    /// Whether these accesses open it, whoever has kept them.
    fn opens(&self, (trust, devices, now): Knows<'_>, id: &str, accesses: &[&Access]) -> Result<(), Error> {
        let record = self.record(devices.owner(), id);
        let view = Reader::new(trust, now).devices(devices.clone()).open(&record, accesses)?;
        assert!(view.get("/diagnosis").unwrap().is_some());
        Ok(())
    }

    /// A compartment moves to a new key: steps 3 and 4.
    fn moves(&self, old: &[&Access], new: &Access, job: &str, now: Time) {
        let clock = || now;
        let rotation = Rotation::new(&self.store, old, new, &clock).unwrap();
        assert!(block_on(rotation.run(job, |_| ())).unwrap().finished);
        let retired = block_on(rotation.retire(&self.ledger())).unwrap();
        assert!(matches!(retired, Retirement::Done { lost: 0, .. }), "{retired:?}");
        let left = self.consents(new.owner());
        assert!(left.iter().all(|one| one.consent().unverified().generation == new.generation()));
    }
}

fn section() -> CompartmentId {
    "a".parse().unwrap()
}

fn compartment_of(stored: &StoredConsent) -> CompartmentId {
    stored.consent().unverified().compartment.clone()
}

fn record(id: &str) -> RecordId {
    id.parse().unwrap()
}

fn by_key(key: &UserKey) -> impl Fn(&LiveConsent, &mut dyn Pins) -> Result<Access, Error> {
    move |live, pins| live.open(key, pins)
}

fn by_name(person: &Identity) -> impl Fn(&LiveConsent, &mut dyn Pins) -> Result<Access, Error> {
    move |live, pins| live.open_as(person, pins)
}

fn by_device(device: &Device) -> impl Fn(&LiveConsent, &mut dyn Pins) -> Result<Access, Error> {
    move |live, pins| live.open_as_device(device, pins)
}

fn by_root(owner: &Owner) -> impl Fn(&LiveConsent, &mut dyn Pins) -> Result<Access, Error> {
    move |live, pins| live.open_as_root(owner, pins)
}

fn by_recovery(key: &RecoveryKey) -> impl Fn(&LiveConsent, &mut dyn Pins) -> Result<Access, Error> {
    move |live, pins| live.open_as_recovery(key, pins)
}

fn identity(id: &str) -> Identity {
    Identity::generate(id.parse().unwrap()).unwrap()
}

/// The authority issues attributes to somebody, who takes the key.
fn issue(
    hospital: &mut Authority,
    trust: &Trust,
    person: &Identity,
    attributes: &str,
    (until, now): (Time, Time),
) -> (Credential, UserKey) {
    let issued = hospital.issue(person.id(), &attributes.parse().unwrap(), now, until, now).unwrap();
    let key = person.accept(&issued, trust, now).unwrap();
    (issued.credential, key)
}
