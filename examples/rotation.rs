//! A nurse is shut out of 100,000 records: their keys move to a new compartment key in a database on disk, in a process
//! that is killed half-way, while a doctor goes on writing.
//!
//! `cargo run --release --example rotation`

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use chartseal::authority::Trust;
use chartseal::consent::{Access, DeviceList, Devices, StoredConsent};
use chartseal::id::{CompartmentId, Time};
use chartseal::owner::{Device, Owner};
use chartseal::pin::PinStore;
use chartseal::record::{Author, Reader, Record};
use chartseal::repository::{Put, Repository};
use chartseal::rotation::Rotation;
use chartseal::store::{Op, RedbStore, Store};
use indicatif::{ProgressBar, ProgressStyle};
use pollster::block_on;

const RECORDS: u64 = 100_000;
const JOB: &str = "shut-out";

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        // The part that runs in a process of its own.
        Some(folder) => work(Path::new(&folder)),
        None => whole(),
    }
}

fn publish(store: &RedbStore, consent: &StoredConsent) -> Result<(), Box<dyn Error>> {
    match block_on(Repository::new(store).put_consent(consent))? {
        Put::Done => Ok(()),
        _ => Err("the store has another consent".into()),
    }
}

fn whole() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path();
    let (alice, phone) = Owner::generate_with_device("phone".parse()?, clock())?;
    // What a phone keeps in its own key store.
    std::fs::write(path.join("device"), phone.to_secret_bytes().expose())?;
    std::fs::write(path.join("list"), alice.list().to_cbor()?)?;

    let first = {
        let store = RedbStore::open(path.join("store"))?;
        let (stored, access) = phone.consent(alice.devices(), compartment()?).seal(clock())?;
        publish(&store, &stored)?;
        fill(&store, &phone, alice.devices(), &access)?;
        let trust = Trust::new();
        let (stored, _, receipt) = phone.sharing(alice.devices(), &trust, &access).rotate()?.seal(clock())?;
        publish(&store, &stored)?;
        println!("{receipt}");
        access
    };

    println!("The worker is killed half-way (SIGKILL):");
    let mut worker = start(path)?;
    while worker.try_wait()?.is_none() {
        if std::fs::read_to_string(path.join("moved")).is_ok_and(|n| n.parse().unwrap_or(0) >= RECORDS / 2) {
            worker.kill()?;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let died = !worker.wait()?.success();
    println!("\nThe worker {}; another one goes on:", if died { "is dead" } else { "was faster than its killer" });
    if !start(path)?.wait()?.success() {
        return Err("the second worker failed".into());
    }

    let store = RedbStore::open(path.join("store"))?;
    let [old, new] = accesses(&store, &phone, alice.devices())?;
    let now = clock;
    let found = block_on(Rotation::new(&store, &[&old], &new, &now)?.verify())?;
    println!("\nVerified: {} records under the new key, {} behind, {} broken", found.moved, found.behind, found.broken);
    if !found.is_clean() || found.moved < RECORDS {
        return Err("the rotation is not clean".into());
    }
    let record = block_on(Repository::new(&store).get(alice.id(), &"note-0000007".parse()?))?.ok_or("a lost record")?;
    let trust = Trust::new();
    let reader = Reader::new(&trust, clock()).devices(alice.devices().clone());
    println!("The new key reads: {:?}", reader.open(&record, &[&new])?.get("/text").map(String::from_utf8_lossy));
    println!("The old key:       {}", reader.open(&record, &[&first]).err().ok_or("the old key still opens")?);
    Ok(())
}

fn start(path: &Path) -> Result<std::process::Child, Box<dyn Error>> {
    Ok(Command::new(std::env::current_exe()?).arg(path).stdin(Stdio::null()).spawn()?)
}

/// A worker: knows the folder, and what is in it.
fn work(path: &Path) -> Result<(), Box<dyn Error>> {
    let phone = Device::decode(&std::fs::read(path.join("device"))?)?;
    let list = DeviceList::from_cbor(&std::fs::read(path.join("list"))?)?;
    let devices = list.accept(&list.unverified().owner.clone(), &mut PinStore::default())?;
    let store = RedbStore::open(path.join("store"))?;
    let [old, new] = accesses(&store, &phone, &devices)?;

    let now = clock;
    let rotation = Rotation::new(&store, &[&old], &new, &now)?.lease(1);
    let bar = ProgressBar::new(RECORDS);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {eta}")?);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<(), Box<dyn Error>> {
        let writer = scope.spawn(|| write_on(&store, &phone, &devices, &new, &done));
        let moved = (|| -> Result<(), Box<dyn Error>> {
            loop {
                let progress = block_on(rotation.run(JOB, |progress| {
                    bar.set_position(progress.records);
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
        let written = writer.join().map_err(|_| "the writer panicked")?;
        moved?;
        bar.finish();
        println!("{} records were written meanwhile", written.map_err(|error| error.to_string())?);
        Ok(())
    })
}

/// A writer who goes on under the new consent.
fn write_on(
    store: &RedbStore,
    phone: &Device,
    devices: &Devices,
    access: &Access,
    done: &AtomicBool,
) -> chartseal::Result<u64> {
    let author = Author::device(phone, devices)?;
    let mut written = 0;
    while !done.load(Ordering::SeqCst) {
        let id = format!("meanwhile-{}-{written}", std::process::id()).parse()?;
        let record = Record::new(id, "note".parse()?).part(access)?.field("/text", "still writing")?;
        if block_on(Repository::new(store).put(&record.seal(&author, clock())?))? == Put::Done {
            written += 1;
        }
    }
    Ok(written)
}

/// A hundred thousand notes, a thousand at a time.
fn fill(store: &RedbStore, phone: &Device, devices: &Devices, access: &Access) -> Result<(), Box<dyn Error>> {
    let author = Author::device(phone, devices)?;
    let bar = ProgressBar::new(RECORDS);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} sealed")?);
    for start in (0..RECORDS).step_by(1000) {
        let mut ops = Vec::new();
        for n in start..start + 1000 {
            let record = Record::new(format!("note-{n:07}").parse()?, "note".parse()?).part(access)?;
            let sealed = record.field("/text", format!("note {n}"))?.seal(&author, clock())?;
            ops.extend(sealed.pieces()?.into_iter().map(|(key, value)| Op::Put { key, value }));
        }
        block_on(store.apply(ops))?;
        bar.inc(1000);
    }
    bar.finish();
    Ok(())
}

/// The keys of both versions, opened by the device.
fn accesses(store: &RedbStore, phone: &Device, devices: &Devices) -> Result<[Access; 2], Box<dyn Error>> {
    let compartment = compartment()?;
    let mut pins = PinStore::default();
    let mut opened = Vec::new();
    for stored in block_on(Repository::new(store).consents(devices.owner(), &compartment, None))? {
        opened.push(stored.verify(devices, &compartment, &mut pins, clock())?.open_as_device(phone)?);
    }
    opened.try_into().map_err(|_| "there are two consents".into())
}

fn compartment() -> chartseal::Result<CompartmentId> {
    "notes".parse()
}

fn clock() -> Time {
    Time(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}
