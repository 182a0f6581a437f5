//! A nurse is shut out of a database on disk: through crashes at each call, closing and opening the file, and a restore. She
//! and a doctor try with their own keys.
#![cfg(feature = "redb")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use chartseal::pin::PinStore;

use crate::support::guard;
use crate::support::stored::{self, fill, read};
use crate::support::waiting::{block_on, calls};
use crate::support::world::{NOW, Person, World};
use chartseal::Error;
use chartseal::backup;
use chartseal::consent::{Access, StoredConsent};
use chartseal::id::Time;
use chartseal::kem::UserKey;
use chartseal::repository::Put;
use chartseal::rotation::{Retirement, Rotation};
use chartseal::store::{Fault, FaultyStore, RedbStore, Store};

const RECORDS: usize = 12;

struct Hospital {
    world: World,
    folder: tempfile::TempDir,
    doctor: UserKey,
    nurse: UserKey,
    first: (StoredConsent, Access),
    second: (StoredConsent, Access),
}

impl Hospital {
    /// Records that doctors and nurses read, in a file; the nurse is shut out by a consent that is not published yet.
    fn new() -> Self {
        let world = World::new();
        let key = |person: &Person| person.identity.accept(&person.issued, &world.trust, NOW).unwrap();
        let (doctor, nurse) = (key(&world.ada), key(&world.nurse));
        let consent = world.phone.consent(world.devices(), "a".parse().unwrap());
        let consent = consent.read(&world.trust, world.hospital.id(), "role:doctor or role:nurse").unwrap();
        let first = consent.write(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap();
        let sharing = world.phone.sharing(world.devices(), &world.trust, &first.1);
        let (stored, access, _) = sharing.revoke("nurse-ned".parse().unwrap()).unwrap().seal(NOW).unwrap();
        let hospital =
            Self { world, folder: tempfile::tempdir().unwrap(), doctor, nurse, first, second: (stored, access) };
        let (store, ledger) = (hospital.open("data"), hospital.open("ledger"));
        hospital.publish(&store, &ledger, &hospital.first.0);
        fill(&hospital.world, &store, &hospital.first.1, RECORDS);
        hospital
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, name: &str) -> RedbStore {
        RedbStore::open(self.path(name)).unwrap()
    }

    fn publish(&self, store: &dyn Store, ledger: &dyn Store, consent: &StoredConsent) {
        let repository = guard::guarded(store, guard::ledger(ledger));
        assert_eq!(block_on(repository.publish(&self.world.live(consent), consent)).unwrap(), Put::Done);
    }

    /// What a person gets out of any of these consents with her key.
    fn accesses(&self, consents: &[StoredConsent], key: &UserKey) -> Vec<Access> {
        consents
            .iter()
            .filter_map(|consent| self.world.live(consent).open(key, &mut PinStore::default()).ok())
            .collect()
    }

    /// Whom the store serves each record to, of those who come with their keys and with what they once opened.
    fn readers(&self, store: &dyn Store, ledger: &dyn Store) -> (bool, bool) {
        let repository = guard::guarded(store, guard::ledger(ledger));
        let (owner, section) = (self.first.1.owner(), self.first.1.compartment());
        let consents = block_on(repository.consents(owner, section, None)).unwrap();
        let reads = |key| {
            let kept = self.accesses(std::slice::from_ref(&self.first.0), key);
            let now = self.accesses(&consents, key);
            let all: Vec<&Access> = kept.iter().chain(&now).collect();
            let mut each = (0..RECORDS).map(|i| {
                let record = read(store, &self.first.1, &format!("r{i:05}"));
                self.world.reader().open(&record, &all).is_ok()
            });
            let first = each.next().unwrap();
            assert!(each.all(|other| other == first));
            first
        };
        (reads(&self.doctor), reads(&self.nurse))
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
}

#[test]
fn a_rotation_on_disk_that_dies_at_any_call_ends_with_the_nurse_outside() {
    let hospital = Hospital::new();
    assert_eq!(hospital.readers(&hospital.open("data"), &hospital.open("ledger")), (true, true));
    hospital.publish(&hospital.open("data"), &hospital.open("ledger"), &hospital.second.0);
    let (old, new) = (&hospital.first.1, &hospital.second.1);
    let mut deaths = 0;
    for call in calls() {
        let [data, ledger] = ["data", "ledger"].map(|name| {
            let copied = format!("{name}-{call}");
            copy(&hospital.path(name), &hospital.path(&copied));
            copied
        });
        let time = AtomicU64::new(NOW.as_secs());
        let clock = || Time::from_secs(time.load(Ordering::SeqCst)).unwrap();
        let work = |fault: Option<Fault>| -> Result<Retirement, Error> {
            let (store, ledger) = (FaultyStore::new(hospital.open(&data)), hospital.open(&ledger));
            if let Some(fault) = fault {
                store.fail_at(call, fault);
            }
            let rotation = Rotation::new(&store, &[old], new, &clock).unwrap();
            let progress = block_on(rotation.run("job", |_| ()))?;
            assert!(progress.finished && progress.records == RECORDS as u64);
            block_on(rotation.retire(&guard::ledger(&ledger)))
        };
        let died = work(Some(if call % 2 == 0 { Fault::Crash } else { Fault::CrashTorn(5) })).is_err();
        deaths += u64::from(died);
        // The file was closed, and is opened by somebody else when the claim is over.
        time.fetch_add(61, Ordering::SeqCst);
        assert!(matches!(work(None).unwrap(), Retirement::Done { lost: 0, .. }), "{call}");
        let (store, ledger) = (hospital.open(&data), hospital.open(&ledger));
        assert_eq!(hospital.readers(&store, &ledger), (true, false), "{call}");
        let repository = guard::guarded(&store, guard::ledger(&ledger));
        let left = block_on(repository.consents(old.owner(), old.compartment(), None)).unwrap();
        assert_eq!(left, std::slice::from_ref(&hospital.second.0));
        if !died {
            break;
        }
    }
    assert!(deaths > 10, "{deaths}");
}

#[test]
fn a_backup_on_disk_of_before_lets_the_nurse_in_at_no_time() {
    let hospital = Hospital::new();
    let (old, new) = (&hospital.first.1, &hospital.second.1);
    let mut stream = Vec::new();
    {
        let (store, ledger) = (hospital.open("data"), hospital.open("ledger"));
        assert!(block_on(backup::write(&store, &mut stream)).unwrap().damaged.is_empty());
        hospital.publish(&store, &ledger, &hospital.second.0);
        let rotation = Rotation::new(&store, &[old], new, &stored::now).unwrap();
        assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
        assert!(matches!(block_on(rotation.retire(&guard::ledger(&ledger))).unwrap(), Retirement::Done { .. }));
    }
    // Another file, the same ledger.
    let (store, ledger) = (hospital.open("restored"), hospital.open("ledger"));
    block_on(backup::restore(&store, &mut stream.as_slice())).unwrap();
    let repository = guard::guarded(&store, guard::ledger(&ledger));
    let (owner, section) = (old.owner(), old.compartment());
    let consents = || block_on(repository.consents(owner, section, None));
    let record = || block_on(repository.get(owner, &"r00000".parse().unwrap()));
    assert_eq!((consents().err(), record().err()), (Some(Error::Rollback("consent")), Some(Error::Rollback("record"))));
    for (owner, section) in block_on(repository.behind()).unwrap() {
        assert_eq!(block_on(repository.catch_up(&owner, &section)).unwrap().as_ref(), Some(&hospital.second.0));
    }
    assert_eq!((consents().err(), record().err()), (Some(Error::Rollback("consent")), Some(Error::Rollback("record"))));
    let rotation = Rotation::new(&store, &[old], new, &stored::now).unwrap();
    assert!(block_on(rotation.run("restore", |_| ())).unwrap().finished);
    assert!(matches!(block_on(rotation.retire(&guard::ledger(&ledger))).unwrap(), Retirement::Done { .. }));
    // What is served first.
    assert_eq!(consents().unwrap(), std::slice::from_ref(&hospital.second.0));
    assert_eq!(hospital.readers(&store, &ledger), (true, false));
}
