//! The patient loses her devices and the server its disk, in either order. She is in again, by the runbooks: each step here
//! is one of theirs.

use std::time::Duration;

use chartseal::Error;
use chartseal::consent::{Access, DeviceList, Devices, LiveConsent, OpenedConsents, Removal, StoredConsent};
use chartseal::id::{CompartmentId, OwnerId, Time};
use chartseal::owner::recovery::RecoveryKey;
use chartseal::owner::{Device, Owner, Recovery};
use chartseal::pin::{PinStore, Pins};
use chartseal::record::Reader;
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Retirement, Rotation};
use chartseal::store::MemoryStore;

use crate::support::guard;
use crate::support::stored::{backed_up, restored, sealed};
use crate::support::waiting::block_on;
use crate::support::world::{NOW, World, after};

const WEEK: u64 = 604_800;
const DELAY: Duration = Duration::from_secs(WEEK);
const LATE: Time = NOW.plus(Duration::from_secs(2 * WEEK));

fn section() -> CompartmentId {
    "a".parse().unwrap()
}

fn device(id: &str) -> Device {
    Device::generate(id.parse().unwrap()).unwrap()
}

fn late() -> Time {
    LATE
}

/// The host: data on a disk that may die, a ledger on replicas, a memory, and the lists that it was given.
struct Server {
    store: MemoryStore,
    ledger: MemoryStore,
    pins: PinStore,
    lists: Vec<DeviceList>,
    owner: OwnerId,
}

impl Server {
    fn repository(&self) -> Repository<'_> {
        guard::guarded(&self.store, guard::ledger(&self.ledger))
    }

    fn accept(&mut self, list: &DeviceList, now: Time) -> Result<Devices, Error> {
        let devices = list.accept(&self.owner, &mut self.pins, now)?;
        self.lists.push(list.clone());
        Ok(devices)
    }

    fn publish(&mut self, devices: &Devices, stored: &StoredConsent, now: Time) {
        let live = stored.verify(devices, &section(), &self.pins, now).unwrap();
        assert_eq!(block_on(self.repository().publish(&live, stored)).unwrap(), Put::Done);
    }

    fn consents(&self) -> Vec<StoredConsent> {
        block_on(self.repository().stored_consents(&self.owner, &section(), None)).unwrap()
    }

    /// A compartment moves to a new key, from step 3.
    fn move_records(&self, old: &[&Access], new: &Access, job: &str) -> Retirement {
        self.move_again(old, new, (job, None))
    }

    /// A rotation does not finish: what another job could not move is tried by this one.
    fn move_again(&self, old: &[&Access], new: &Access, (job, failed): (&str, Option<&str>)) -> Retirement {
        let rotation = Rotation::new(&self.store, old, new, &late).unwrap();
        if let Some(failed) = failed {
            assert_eq!(block_on(rotation.retry(failed)).unwrap(), 0, "none is left");
        }
        assert!(block_on(rotation.run(job, |_| ())).unwrap().finished);
        block_on(rotation.retire(&guard::ledger(&self.ledger))).unwrap()
    }

    /// A backup is taken.
    fn backup(&self) -> Vec<u8> {
        backed_up(&self.store)
    }

    /// The disk dies. A backup comes back: steps 1 to 3, as far as the host can go.
    fn restore(&mut self, stream: &[u8]) {
        self.store = restored(stream);
        let place = (self.owner.clone(), section());
        assert_eq!(block_on(self.repository().behind()).unwrap(), [place]);
        assert!(block_on(self.repository().catch_up(&self.owner, &section())).unwrap().is_some());
    }
}

/// What the server has of the consents, by whoever opens them.
fn open(
    server: &Server,
    devices: &Devices,
    pins: &mut dyn Pins,
    by: impl Fn(&LiveConsent, &mut dyn Pins) -> Result<Access, Error>,
) -> Result<OpenedConsents, Error> {
    devices.open_consents(&section(), &server.consents(), pins, LATE, by)
}

fn is_served(server: &Server, world: &World, devices: &Devices, access: &Access) {
    assert!(block_on(server.repository().behind()).unwrap().is_empty());
    for id in ["r00000", "r00001"] {
        let record = block_on(server.repository().get(&server.owner, &id.parse().unwrap())).unwrap().unwrap();
        let view = Reader::new(&world.trust, LATE).devices(devices.clone()).open(&record, &[access]).unwrap();
        assert_eq!(view.get("/diagnosis"), Ok(Some(format!("of {id}").as_bytes())));
    }
}

/// Doctors write; two records lie under the first key.
fn start(world: &World, owner: &Owner, phone: &Device) -> (Server, Access) {
    let ledger = MemoryStore::new();
    let mut server = Server {
        store: MemoryStore::new(),
        ledger,
        pins: PinStore::default(),
        lists: Vec::new(),
        owner: owner.id().clone(),
    };
    let devices = server.accept(owner.list(), NOW).unwrap();
    let consent = phone.consent(&devices, section()).read(&world.trust, world.hospital.id(), "role:nurse").unwrap();
    let consent = consent.write(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let (stored, access) = consent.seal(NOW).unwrap();
    server.publish(&devices, &stored, NOW);
    for id in ["r00000", "r00001"] {
        assert_eq!(block_on(server.repository().put(&sealed(world, &access, id))).unwrap(), Put::Done);
    }
    (server, access)
}

/// The backup is from before the loss; what it holds lies under a key that the new phone never had.
#[test]
fn after_a_backup_a_lost_phone_a_recovery_and_a_restore_the_owner_is_in_again() {
    let world = World::new();
    let (mut owner, phone) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
    let (mut server, access) = start(&world, &owner, &phone);
    // Recovery is arranged: 1 to 5.
    let key = RecoveryKey::generate().unwrap();
    let names = ["sister", "friend", "notary"].map(|name| name.parse().unwrap()).to_vec();
    let (plan, shares) = key.share(2, names).unwrap();
    owner.arrange_recovery(&[Recovery { key: key.public(), delay: DELAY, plan: Some(&plan) }], NOW).unwrap();
    let devices = server.accept(owner.list(), NOW).unwrap();
    let (stored, ..) = phone.sharing(&devices, &world.trust, &access).reseal().unwrap().seal(NOW).unwrap();
    let before_recovery = server.backup();
    server.publish(&devices, &stored, NOW);
    let backups = [before_recovery, server.backup()];
    drop((key, owner, phone, access));

    // An owner comes back: 1 to 3.
    let key = plan.combine(&shares[1..]).unwrap();
    let new = device("new-phone");
    let last = server.lists.last().unwrap().clone();
    let last_devices = last.accept(&server.owner, &mut PinStore::default(), NOW).unwrap();
    let gone = [("phone".parse().unwrap(), Removal::Lost { since: NOW })];
    let mut back = key.succeed(&last_devices, &gone, &new.public(), after(1)).unwrap();
    assert_eq!(server.accept(back.list(), after(1)).err(), Some(Error::Expired("change of root key")));
    // 5.
    let code = RecoveryKey::generate().unwrap();
    back.arrange_recovery(&[Recovery { key: code.public(), delay: DELAY, plan: None }], after(2)).unwrap();
    // 6, after the delay.
    let devices = server.accept(back.list(), LATE).unwrap();
    let by_key = |live: &LiveConsent, pins: &mut dyn Pins| live.open_as_recovery(&key, pins);
    let opened = open(&server, &last_devices, &mut PinStore::default(), by_key).unwrap();
    let change = new.sharing(&devices, &world.trust, &opened.newest).rotate().unwrap();
    let (stored, rotated, _) = change.seal(LATE).unwrap();
    // 7.
    server.publish(&devices, &stored, LATE);
    let done = server.move_records(&opened.accesses(), &rotated, "recovery");
    assert!(matches!(done, Retirement::Done { lost: 0, .. }));
    is_served(&server, &world, &devices, &rotated);
    drop((key, opened, rotated));
    let fresh = server.backup();

    // The new phone keeps what it has seen.
    let mut seen = PinStore::default();
    let by_phone = |live: &LiveConsent, pins: &mut dyn Pins| live.open_as_device(&new, pins);
    open(&server, &devices, &mut seen, by_phone).unwrap();
    for (at, backup) in backups.iter().enumerate() {
        server.restore(backup);
        // Whoever has not the old key moves nothing, and nothing is lost by trying.
        let mine = open(&server, &devices, &mut seen, by_phone).unwrap();
        assert!(mine.earlier.is_empty());
        let blind = format!("blind-{at}");
        let blocked = server.move_records(&[], &mine.newest, &blind);
        assert!(matches!(blocked, Retirement::Blocked { .. }));
        // A backup comes back, 3: by the key of before, under the list of before, without a memory.
        let key = plan.combine(&shares[..2]).unwrap();
        let by_key = |live: &LiveConsent, pins: &mut dyn Pins| live.open_as_recovery(&key, pins);
        let last_devices = last.accept(&server.owner, &mut PinStore::default(), LATE).unwrap();
        let old = open(&server, &last_devices, &mut PinStore::default(), by_key);
        if at == 0 {
            // The consent that the key opens was not stored yet: nothing that is at hand opens what lies under it. So a
            // backup is taken when recovery was arranged.
            assert!(old.is_err());
            continue;
        }
        let done = server.move_again(&old.unwrap().accesses(), &mine.newest, ("restore", Some(&blind)));
        assert!(matches!(done, Retirement::Done { lost: 0, .. }));
        is_served(&server, &world, &devices, &mine.newest);
    }
    // The backup that was taken after the recovery needs nothing but the phone.
    server.store = restored(&fresh);
    let mine = open(&server, &devices, &mut seen, by_phone).unwrap();
    is_served(&server, &world, &devices, &mine.newest);
}

/// The tablet came after the backup.
#[test]
fn after_a_lost_phone_and_a_restore_the_root_key_opens_what_the_tablet_never_had() {
    let world = World::new();
    let (mut owner, phone) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
    let (mut server, access) = start(&world, &owner, &phone);
    let backup = server.backup();
    // A device is added.
    let tablet = device("tablet");
    owner.add_device(&tablet.public(), NOW).unwrap();
    let devices = server.accept(owner.list(), NOW).unwrap();
    let (stored, ..) = phone.sharing(&devices, &world.trust, &access).reseal().unwrap().seal(NOW).unwrap();
    server.publish(&devices, &stored, NOW);
    drop((phone, access));
    // A device is lost: 1 to 4.
    let mut seen = PinStore::default();
    let by_tablet = |live: &LiveConsent, pins: &mut dyn Pins| live.open_as_device(&tablet, pins);
    let opened = open(&server, &devices, &mut seen, by_tablet).unwrap();
    owner.remove_device(&"phone".parse().unwrap(), Removal::Lost { since: NOW }, after(1)).unwrap();
    let devices = server.accept(owner.list(), after(1)).unwrap();
    let change = tablet.sharing(&devices, &world.trust, &opened.newest).rotate().unwrap();
    let (stored, rotated, _) = change.seal(LATE).unwrap();
    server.publish(&devices, &stored, LATE);
    assert!(matches!(server.move_records(&opened.accesses(), &rotated, "lost"), Retirement::Done { lost: 0, .. }));

    server.restore(&backup);
    let mine = open(&server, &devices, &mut seen, by_tablet).unwrap();
    assert!(mine.earlier.is_empty(), "the tablet was not there");
    let by_root = |live: &LiveConsent, pins: &mut dyn Pins| live.open_as_root(&owner, pins);
    let all = open(&server, &devices, &mut PinStore::default(), by_root).unwrap();
    let earlier: Vec<_> = all.earlier.iter().collect();
    assert_eq!(all.newest.version(), mine.newest.version());
    let done = server.move_records(&earlier, &mine.newest, "restore");
    assert!(matches!(done, Retirement::Done { lost: 0, .. }));
    is_served(&server, &world, &devices, &mine.newest);
}
