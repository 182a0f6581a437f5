//! A nurse is shut out of 100,000 records: their keys move to a new compartment key in a database on disk, in a process
//! that is killed half-way, while a doctor goes on reading and writing.
//!
//! `cargo run --release --example rotation`

use std::error::Error;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use chartseal::authority::{Authority, Issued, REVOCATION_LIMIT, Trust};
use chartseal::consent::{Access, DeviceList, Devices, LiveConsent, OpenedConsents, StoredConsent};
use chartseal::id::{CompartmentId, OwnerId, RecordId, Time};
use chartseal::identity::Identity;
use chartseal::ledger::Ledger;
use chartseal::owner::{Device, Owner};
use chartseal::pin::{Pins, RedbPins};
use chartseal::record::{Author, Reader, Record, SealedRecord, View};
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
    let (alice, phone) = Owner::generate_with_device("phone".parse()?, clock())?;

    // What everybody was given by another way, and what was published; then what the phone and the doctor's workstation keep.
    // The worker finds it there.
    std::fs::write(path.join("anchor"), serde_json::to_vec(&hospital.anchor())?)?;
    std::fs::write(path.join("owner"), alice.id().as_str())?;
    std::fs::write(path.join("bulletin"), serde_json::to_vec(&hospital.publish(clock())?)?)?;
    std::fs::write(path.join("list"), alice.list().to_cbor()?)?;
    std::fs::write(path.join("phone"), phone.to_secret_bytes().expose())?;
    std::fs::write(path.join("ada"), ada.to_secret_bytes().expose())?;
    std::fs::write(path.join("credential"), for_ada.to_cbor()?)?;

    let mut neds = Host::start(path, "ned")?;
    let nurse = ned.accept(&for_ned, &neds.trust, clock())?;
    let kept = {
        let (disk, server, phones) = (Disk::set_up(path)?, Host::start(path, "server")?, Host::start(path, "phone")?);
        let consent = phone.consent(&phones.devices, compartment()?);
        let consent = consent.read(&phones.trust, hospital.id(), "role:doctor or role:nurse")?;
        let (_, access) = consent.seal(clock())?;
        // Doctors write, too.
        let sharing = phone.sharing(&phones.devices, &phones.trust, &access);
        let (stored, access, receipt) = sharing.grant_writing(hospital.id(), "role:doctor")?.seal(clock())?;
        println!("{receipt}");
        server.publish(&disk, &stored)?;
        fill(&disk.records, &phone, &phones.devices, &access)?;
        // The nurse reads, and keeps the compartment key that she got.
        let kept = neds.open(&disk, |live, pins| live.open(&nurse, pins))?.newest;
        let (stored, _, receipt) =
            phone.sharing(&phones.devices, &phones.trust, &access).revoke(ned.id().clone())?.seal(clock())?;
        server.publish(&disk, &stored)?;
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
    let opened = Host::start(path, "phone")?.open(&disk, |live, pins| live.open_as_device(&phone, pins))?;
    let (now, old) = (clock, opened.earlier.iter().collect::<Vec<_>>());
    let rotation = Rotation::new(&disk.records, &old, &opened.newest, &now)?;
    let found = block_on(rotation.verify())?;
    println!("\nVerified: {} records under the new key, {} behind, {} broken", found.moved, found.behind, found.broken);
    match block_on(rotation.retire(&disk.noted()?))? {
        Retirement::Done { consents: 1, lost: 0 } => println!("The old key is destroyed."),
        other => return Err(format!("the old key is still needed: {other:?}").into()),
    }
    look(&disk, Host::start(path, "ada")?, (&ada, &for_ada), [&worker, &second], &kept)?;
    let own = neds.open(&disk, |live, pins| live.open(&nurse, pins)).err().ok_or("the nurse's key opens")?;
    println!("The nurse's own key: {own}");
    Ok(())
}

/// What doctor and nurse read in the end, of all that was written.
fn look(
    disk: &Disk,
    mut doctor: Host,
    (ada, issued): (&Identity, &Issued),
    workers: [&Child; 2],
    kept: &Access,
) -> Result<(), Failure> {
    let key = ada.accept(issued, &doctor.trust, clock())?;
    let opened = doctor.open(disk, |live, pins| live.open(&key, pins))?;
    if !opened.earlier.is_empty() {
        return Err("there is more than one consent left".into());
    }
    let (reader, owner, repository) = (doctor.reader(), doctor.devices.owner(), disk.repository()?);
    let read = |id: RecordId, text: &str| -> Result<bool, Failure> {
        let Some(record) = block_on(repository.get(owner, &id))? else { return Ok(false) };
        if reader.open(&record, &opened.accesses())?.get("/text")? != Some(text.as_bytes()) {
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

/// A worker of the phone's: knows the folder, and what is in it.
fn work(path: &Path) -> Result<(), Failure> {
    let phone = Device::decode(&std::fs::read(path.join("phone"))?)?;
    let disk = Disk::open(path)?;
    let opened = Host::start(path, "phone")?.open(&disk, |live, pins| live.open_as_device(&phone, pins))?;

    let (now, old) = (clock, opened.earlier.iter().collect::<Vec<_>>());
    let rotation = Rotation::new(&disk.records, &old, &opened.newest, &now)?.lease(1);
    let bar = ProgressBar::new(RECORDS);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}")?);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<(), Failure> {
        let doctor = scope.spawn(|| go_on(&disk, path, &done).map_err(|error| error.to_string()));
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
        let [requests, behind] = doctor.join().map_err(|_| "the doctor's thread panicked")??;
        moved?;
        bar.finish();
        println!("Meanwhile the doctor read a note {requests} times, {behind} times one still under the old key.");
        Ok(())
    })
}

/// The doctor, who goes on while the keys move: a note is read and one is written at each request. Both keys are at hand then,
/// for a reader with memory by [`Devices::open_consents`]. Gives the number of requests, and of notes under the old key.
fn go_on(disk: &Disk, path: &Path, done: &AtomicBool) -> Result<[u64; 2], Failure> {
    let ada = Identity::decode(&std::fs::read(path.join("ada"))?)?;
    let issued = Issued::from_cbor(&std::fs::read(path.join("credential"))?)?;
    let author = Author::new(&ada, &issued.credential)?;
    let mut host = Host::start(path, "ada")?;
    let key = ada.accept(&issued, &host.trust, clock())?;
    let repository = disk.repository()?;
    let (mut requests, mut behind) = (0, 0);
    while !done.load(Ordering::SeqCst) {
        let opened = host.open(disk, |live, pins| live.open(&key, pins))?;
        let number = requests * 7_919 % RECORDS;
        let record = block_on(repository.get(host.devices.owner(), &note(number)?))?.ok_or("a note is gone")?;
        if host.read(&record, &opened.accesses())?.get("/text")? != Some(format!("note {number}").as_bytes()) {
            return Err(format!("note {number} says something else meanwhile").into());
        }
        let by_the_new_key = host.reader().open(&record, &[&opened.newest]);
        behind += u64::from(matches!(by_the_new_key, Err(chartseal::Error::CannotOpen)));
        // What is written goes under the new key.
        let record = Record::new(written_meanwhile(std::process::id(), requests)?, "note".parse()?);
        let record = record.part(&opened.newest)?.field("/text", "still writing")?.seal(&author, clock())?;
        if block_on(repository.put(&record))? != Put::Done {
            return Err("a record was turned away".into());
        }
        requests += 1;
    }
    Ok([requests, behind])
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

    /// The hospital's first day: the two are bound to each other, and go with no other from then on.
    fn set_up(path: &Path) -> Result<Self, Failure> {
        let disk = Self::open(path)?;
        block_on(Repository::bind(&disk.records, block_on(Ledger::create(&disk.ledger))?))?;
        Ok(disk)
    }

    fn noted(&self) -> chartseal::Result<Ledger<'_>> {
        block_on(Ledger::open(&self.ledger))
    }

    fn repository(&self) -> chartseal::Result<Repository<'_>> {
        block_on(Repository::guarded(&self.records, self.noted()?))
    }
}

/// What a host keeps for somebody: whom he trusts, and what he has seen.
struct Host {
    trust: Trust,
    devices: Devices,
    pins: RedbPins,
}

impl Host {
    /// Starts with what was seen before. The memory is a file of its own, which no backup brings back.
    fn start(path: &Path, name: &str) -> Result<Self, Failure> {
        let file = |name: &str| std::fs::read(path.join(name));
        let mut pins = RedbPins::open(path.join(format!("pins-{name}")))?;
        let mut trust = Trust::new(REVOCATION_LIMIT);
        trust.add(serde_json::from_slice(&file("anchor")?)?)?;
        trust.update(&serde_json::from_slice(&file("bulletin")?)?, &mut pins, clock())?;
        let owner = OwnerId::new(String::from_utf8(file("owner")?)?)?;
        let devices = DeviceList::from_cbor(&file("list")?)?.accept(&owner, &mut pins, clock())?;
        Ok(Self { trust, devices, pins })
    }

    /// One request of a reader: what the store has of the consents, opened and remembered.
    fn open(
        &mut self,
        disk: &Disk,
        open: impl Fn(&LiveConsent, &mut dyn Pins) -> chartseal::Result<Access>,
    ) -> Result<OpenedConsents, Failure> {
        let stored = block_on(disk.repository()?.consents(self.devices.owner(), &compartment()?, None))?;
        Ok(self.devices.open_consents(&compartment()?, &stored, &mut self.pins, clock(), open)?)
    }

    /// For the server: it opens nothing, and what it goes by is remembered by its ledger.
    fn publish(&self, disk: &Disk, consent: &StoredConsent) -> Result<(), Failure> {
        let live = consent.verify(&self.devices, &compartment()?, &self.pins, clock())?;
        match block_on(disk.repository()?.publish(&live, consent))? {
            Put::Done => Ok(()),
            _ => Err("the store has another consent".into()),
        }
    }

    /// Opens a record, and remembers the revision: no earlier one is shown to this host again.
    fn read(&mut self, record: &SealedRecord, accesses: &[&Access]) -> chartseal::Result<View> {
        let reader = Reader::new(&self.trust, clock()).devices(self.devices.clone());
        reader.remembering(&mut self.pins).open(record, accesses)
    }

    /// For the counts of this program, which ask what a key opens and remember nothing: each row would be a write to disk.
    fn reader(&self) -> Reader<'_> {
        Reader::new(&self.trust, clock()).devices(self.devices.clone())
    }
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
