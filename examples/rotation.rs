//! A nurse is shut out of 100,000 records: their keys move to a new compartment key in a database on disk, in a process
//! that is killed half-way, while a doctor goes on writing.
//!
//! `cargo run --release --example rotation`

use std::error::Error;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use chartseal::authority::{Authority, Issued, REVOCATION_LIMIT, Trust};
use chartseal::consent::{Access, DeviceList, Devices, LiveConsent, StoredConsent};
use chartseal::id::{CompartmentId, RecordId, Time};
use chartseal::identity::Identity;
use chartseal::kem::UserKey;
use chartseal::ledger::Ledger;
use chartseal::owner::{Device, Owner};
use chartseal::pin::PinStore;
use chartseal::record::{Author, Reader, Record};
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Retirement, Rotation};
use chartseal::store::{Op, RedbStore, Store};
use indicatif::{ProgressBar, ProgressStyle};
use pollster::block_on;

type Failure = Box<dyn Error>;

const RECORDS: u64 = 100_000;
const JOB: &str = "shut-out";

fn main() -> Result<(), Failure> {
    match std::env::args().nth(1) {
        // The part that runs in a process of its own.
        Some(folder) => work(Path::new(&folder)),
        None => whole(),
    }
}

fn whole() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let path = folder.path();
    let mut hospital = Authority::setup("st-olave".parse()?, clock())?;
    let (ada, ned) = (Identity::generate("dr-ada".parse()?)?, Identity::generate("nurse-ned".parse()?)?);
    let mut join = |person: &Identity, role: &str| -> Result<Issued, Failure> {
        hospital.enrol(&person.enrol()?)?;
        let next_year = clock().plus(Duration::from_secs(31_536_000));
        Ok(hospital.issue(person.id(), &role.parse()?, clock(), next_year, clock())?)
    };
    let (for_ada, for_ned) = (join(&ada, "role:doctor")?, join(&ned, "role:nurse")?);
    let mut trust = Trust::new(REVOCATION_LIMIT);
    trust.add(hospital.anchor())?;
    trust.update(&hospital.publish(clock())?, &mut PinStore::default(), clock())?;
    let (doctor, nurse) = (ada.accept(&for_ada, &trust, clock())?, ned.accept(&for_ned, &trust, clock())?);
    let (alice, phone) = Owner::generate_with_device("phone".parse()?, clock())?;

    // What the phone, the doctor's workstation and the hospital keep; the worker finds it there.
    std::fs::write(path.join("phone"), phone.to_secret_bytes().expose())?;
    std::fs::write(path.join("list"), alice.list().to_cbor()?)?;
    std::fs::write(path.join("ada"), ada.to_secret_bytes().expose())?;
    std::fs::write(path.join("credential"), for_ada.to_cbor()?)?;

    let kept = {
        let disk = Disk::open(path)?;
        let consent = phone.consent(alice.devices(), compartment()?);
        let consent = consent.read(&trust, hospital.id(), "role:doctor or role:nurse")?;
        let (stored, access) = consent.write(&trust, hospital.id(), "role:doctor")?.seal(clock())?;
        disk.publish(&stored, alice.devices())?;
        fill(&disk.records, &phone, alice.devices(), &access)?;
        // The nurse reads, and keeps the compartment key that she got.
        let kept = live(&stored, alice.devices())?.open(&nurse, &mut PinStore::default())?;
        let (stored, _, receipt) =
            phone.sharing(alice.devices(), &trust, &access).revoke(ned.id().clone())?.seal(clock())?;
        disk.publish(&stored, alice.devices())?;
        println!("{receipt}");
        kept
    };

    println!("The worker is killed half-way (SIGKILL):");
    let mut worker = start(path)?;
    while worker.try_wait()?.is_none() {
        if std::fs::read_to_string(path.join("moved")).is_ok_and(|n| n.parse().unwrap_or(0) >= RECORDS / 2) {
            worker.kill()?;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    if worker.wait()?.success() {
        return Err("the worker was faster than its killer".into());
    }
    println!("\nThe worker is dead; another one goes on:");
    let mut second = start(path)?;
    if !second.wait()?.success() {
        return Err("the second worker failed".into());
    }

    let disk = Disk::open(path)?;
    let [old, new] = disk.accesses(&phone, alice.devices())?;
    let now = clock;
    let rotation = Rotation::new(&disk.records, &[&old], &new, &now)?;
    let found = block_on(rotation.verify())?;
    println!("\nVerified: {} records under the new key, {} behind, {} broken", found.moved, found.behind, found.broken);
    match block_on(rotation.retire(&Ledger::new(&disk.ledger)))? {
        Retirement::Done { consents: 1, lost: 0 } => println!("The old key is destroyed."),
        other => return Err(format!("the old key is still needed: {other:?}").into()),
    }
    look(&disk, &alice, &trust, [&worker, &second], (&doctor, &nurse, &kept))
}

/// What doctor and nurse read in the end, of all that was written.
fn look(
    disk: &Disk,
    alice: &Owner,
    trust: &Trust,
    workers: [&Child; 2],
    (doctor, nurse, kept): (&UserKey, &UserKey, &Access),
) -> Result<(), Failure> {
    let consents = block_on(disk.repository().consents(alice.id(), &compartment()?, None))?;
    let [newest] = consents.as_slice() else { return Err("there is one consent left".into()) };
    let newest = live(newest, alice.devices())?;
    let access = newest.open(doctor, &mut PinStore::default())?;
    println!(
        "The nurse's own key:       {}",
        newest.open(nurse, &mut PinStore::default()).err().ok_or("the nurse's key opens")?
    );

    let reader = Reader::new(trust, clock()).devices(alice.devices().clone());
    let read = |id: RecordId, text: &str| -> Result<bool, Failure> {
        let Some(record) = block_on(disk.repository().get(alice.id(), &id))? else { return Ok(false) };
        if reader.open(&record, &[&access])?.get("/text")? != Some(text.as_bytes()) {
            return Err(format!("{id} says something else").into());
        }
        match reader.open(&record, &[kept]) {
            Err(chartseal::Error::CannotOpen) => Ok(true),
            other => Err(format!("the nurse still reads {id}: {other:?}").into()),
        }
    };
    for n in 0..RECORDS {
        if !read(note(n)?, &format!("note {n}"))? {
            return Err(format!("note {n} is lost").into());
        }
    }
    let mut meanwhile = 0;
    for worker in workers {
        for n in 0.. {
            if !read(written_meanwhile(worker.id(), n)?, "still writing")? {
                break;
            }
            meanwhile += 1;
        }
    }
    println!("The key that she had kept: opens none of {} records", RECORDS + meanwhile);
    println!("The doctor reads all of them; {meanwhile} were written while the keys moved");
    Ok(())
}

fn start(path: &Path) -> Result<Child, Failure> {
    Ok(Command::new(std::env::current_exe()?).arg(path).stdin(Stdio::null()).spawn()?)
}

/// A worker: knows the folder, and what is in it.
fn work(path: &Path) -> Result<(), Failure> {
    let phone = Device::decode(&std::fs::read(path.join("phone"))?)?;
    let list = DeviceList::from_cbor(&std::fs::read(path.join("list"))?)?;
    let devices = list.accept(&list.unverified().owner.clone(), &mut PinStore::default(), clock())?;
    let disk = Disk::open(path)?;
    let [old, new] = disk.accesses(&phone, &devices)?;

    let now = clock;
    let rotation = Rotation::new(&disk.records, &[&old], &new, &now)?.lease(1);
    let bar = ProgressBar::new(RECORDS);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}")?);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<(), Failure> {
        let writer = scope.spawn(|| write_on(&disk, path, &devices, &done).map_err(|error| error.to_string()));
        let moved = (|| -> Result<(), Failure> {
            loop {
                let progress = block_on(rotation.run(JOB, |progress| {
                    bar.set_position(progress.records);
                    if let (Some(rate), Some(left)) = (progress.rate(), progress.remaining(RECORDS)) {
                        bar.set_message(format!("{rate} a second, {left} s left"));
                    }
                    // For whoever wants to kill this process in time.
                    _ = std::fs::write(path.join("moved"), progress.records.to_string());
                }))?;
                if progress.finished {
                    return Ok(());
                }
                // A dead worker's batch is still held.
                std::thread::sleep(Duration::from_millis(200));
            }
        })();
        done.store(true, Ordering::SeqCst);
        writer.join().map_err(|_| "the writer panicked")??;
        moved?;
        bar.finish();
        Ok(())
    })
}

/// The doctor, who goes on under the new consent: all that he needs of it is the write key.
fn write_on(disk: &Disk, path: &Path, devices: &Devices, done: &AtomicBool) -> Result<(), Failure> {
    let ada = Identity::decode(&std::fs::read(path.join("ada"))?)?;
    let issued = Issued::from_cbor(&std::fs::read(path.join("credential"))?)?;
    let author = Author::new(&ada, &issued.credential)?;
    let consents = block_on(disk.repository().consents(devices.owner(), &compartment()?, None))?;
    let newest = live(consents.last().ok_or("no consent")?, devices)?;
    for n in 0.. {
        if done.load(Ordering::SeqCst) {
            break;
        }
        let record = Record::new(written_meanwhile(std::process::id(), n)?, "note".parse()?);
        let record = record
            .part(newest.write_only(&mut PinStore::default())?)?
            .field("/text", "still writing")?
            .seal(&author, clock())?;
        if block_on(disk.repository().put(&record))? != Put::Done {
            return Err("a record was turned away".into());
        }
    }
    Ok(())
}

/// A hundred thousand notes, a thousand at a time.
fn fill(store: &RedbStore, phone: &Device, devices: &Devices, access: &Access) -> Result<(), Failure> {
    let author = Author::device(phone, devices)?;
    let bar = ProgressBar::new(RECORDS);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} sealed")?);
    for start in (0..RECORDS).step_by(1000) {
        let mut ops = Vec::new();
        for n in start..start + 1000 {
            let record = Record::new(note(n)?, "note".parse()?).part(access)?;
            let sealed = record.field("/text", format!("note {n}"))?.seal(&author, clock())?;
            ops.extend(sealed.pieces()?.into_iter().map(|(key, value)| Op::Put { key, value }));
        }
        block_on(store.apply(ops))?;
        bar.inc(1000);
    }
    bar.finish();
    Ok(())
}

/// The records' database, and the ledger, which no backup brings back, in a file of its own.
struct Disk {
    records: RedbStore,
    ledger: RedbStore,
}

impl Disk {
    fn open(path: &Path) -> Result<Self, Failure> {
        Ok(Self { records: RedbStore::open(path.join("records"))?, ledger: RedbStore::open(path.join("ledger"))? })
    }

    fn repository(&self) -> Repository<'_> {
        Repository::new(&self.records).guarded(Ledger::new(&self.ledger))
    }

    fn publish(&self, consent: &StoredConsent, devices: &Devices) -> Result<(), Failure> {
        match block_on(self.repository().publish(&live(consent, devices)?, consent))? {
            Put::Done => Ok(()),
            _ => Err("the store has another consent".into()),
        }
    }

    /// The keys of both versions, opened by the phone.
    fn accesses(&self, phone: &Device, devices: &Devices) -> Result<[Access; 2], Failure> {
        let mut opened = Vec::new();
        for stored in block_on(self.repository().consents(devices.owner(), &compartment()?, None))? {
            opened.push(live(&stored, devices)?.open_as_device(phone, &mut PinStore::default())?);
        }
        opened.try_into().map_err(|_| "there are two consents".into())
    }
}

fn live(consent: &StoredConsent, devices: &Devices) -> Result<LiveConsent, Failure> {
    Ok(consent.verify(devices, &compartment()?, &PinStore::default(), clock())?)
}

fn note(n: u64) -> Result<RecordId, Failure> {
    Ok(format!("note-{n:07}").parse()?)
}

fn written_meanwhile(process: u32, n: u64) -> Result<RecordId, Failure> {
    Ok(format!("meanwhile-{process}-{n}").parse()?)
}

fn compartment() -> chartseal::Result<CompartmentId> {
    "notes".parse()
}

fn clock() -> Time {
    Time::from(SystemTime::now())
}
