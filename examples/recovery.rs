//! The phone lies in a lake, and the root key with it: two of three guardians bring the whole chart back, after a delay in which
//! a thief would have been stopped. Then a guardian is let go, and a printed code stands beside the two who stay.
//!
//! ```text
//! cargo run --release --example recovery
//! ```
//!
//! Anything else than what is printed ends the program with an error.

use std::error::Error;
use std::time::Duration;

use chartseal::authority::{REVOCATION_LIMIT, Trust};
use chartseal::consent::{Access, DeviceList, Devices, LiveConsent, Removal, StoredConsent};
use chartseal::fhir::{Bundle, Resource};
use chartseal::id::{CompartmentId, DeviceId, RecordId, SchemaId, Time};
use chartseal::identity::Identity;
use chartseal::ledger::Ledger;
use chartseal::owner::recovery::{GuardianShare, RecoveryKey};
use chartseal::owner::{Device, Owner, Recovery};
use chartseal::pin::{PinStore, Pins};
use chartseal::record::{Author, Reader, Record};
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Rotation, Verification};
use chartseal::store::MemoryStore;
use pollster::block_on;

type Failure = Box<dyn Error>;

const NOW: Time = Time::at(1_775_000_000); // 2026-03-31
const WEEK: Duration = Duration::from_secs(7 * 86_400);
const CHART: &str = include_str!("data/donovan-gottlieb.json");
const GUARDIANS: [&str; 3] = ["sister", "friend", "notary"];

fn main() -> Result<(), Failure> {
    let bundle = Bundle::parse(CHART)?;
    let (store, ledger) = (MemoryStore::new(), MemoryStore::new());
    let repository = block_on(Repository::bind(&store, block_on(Ledger::create(&ledger))?))?;
    let guardians = GUARDIANS.map(|name| Identity::generate(name.parse()?));
    let guardians = guardians.into_iter().collect::<Result<Vec<_>, chartseal::Error>>()?;

    // The phone draws a recovery key, gives each guardian a share that is sealed to her, and keeps no copy.
    let (mut owner, phone) = Owner::generate_with_device(DeviceId::new("phone")?, NOW)?;
    let key = RecoveryKey::generate()?;
    let names = guardians.iter().map(|guardian| guardian.id().clone()).collect();
    let (plan, shares) = key.share(2, names)?;
    owner.arrange_recovery(&[Recovery { key: key.public(), delay: WEEK, plan: Some(&plan) }], NOW)?;
    let safes: Vec<_> =
        shares.iter().zip(&guardians).map(|(share, to)| share.seal(&to.public())).collect::<Result<_, _>>()?;
    drop((key, shares));

    // The hospital's server keeps what it has seen; of consents, its ledger does.
    let mut hospital = PinStore::default();
    let (list, id) = (owner.list().clone(), owner.id().clone());
    let last = list.accept(&id, &mut hospital, NOW)?;
    let (consent, access) = phone.consent(owner.devices(), section()?).seal(NOW)?;
    publish(repository, &consent, (&last, &hospital), NOW)?;
    write(repository, &bundle, &access, &Author::device(&phone, owner.devices())?)?;
    println!("{} resources are sealed; {} guardians hold a share each", bundle.entries().len(), safes.len());
    drop((owner, phone, access, consent));

    // What is left: the server's data and memory, and the safes. One guardian is not enough.
    println!("\nthe phone is gone, and the root key with it");
    let mut brought = Vec::new();
    for (safe, guardian) in safes.iter().zip(&guardians).skip(1) {
        brought.push(GuardianShare::open(safe, guardian)?);
    }
    if plan.combine(brought.get(..1).unwrap_or_default()).is_ok() {
        return Err("one share is enough".into());
    }
    let key = plan.combine(&brought)?;
    // The new phone has seen nothing yet, and keeps what it sees.
    let (new, mut seen) = (Device::generate(DeviceId::new("new-phone")?)?, PinStore::default());
    let mut back = key.succeed(&last, &[(DeviceId::new("phone")?, Removal::Retired)], &new.public(), day(1))?;
    println!("friend and notary bring the recovery key back; it names a new root key and a new phone");
    let waits = back.list().accept(&id, &mut hospital, day(1));
    println!("the hospital, when it hears of it: {}", waits.err().ok_or("the change did not wait")?);
    let devices = back.list().accept(&id, &mut hospital, day(9))?;
    println!("and after the delay: version {} of the list counts, with the new phone", devices.version().0);

    let access = take_over(repository, (&last, &key), (&new, &mut seen), (&devices, &hospital))?;
    let read = read(repository, &bundle, &devices, (&access, &mut seen))?;
    println!(
        "{read} resources are there again, each its source byte for byte, under a key that the old phone never had"
    );

    thief((&last, back.list()), &mut hospital)?;
    println!("\nanother patient's recovery key is stolen: her tablet vetoes the change, and it never takes effect");

    // The notary is let go: a new key for the two who stay, and one on paper.
    let paper = RecoveryKey::generate()?;
    let fresh = RecoveryKey::generate()?;
    let stay = guardians.iter().take(2).map(|guardian| guardian.id().clone()).collect();
    let (stayed, _) = fresh.share(2, stay)?;
    let arranged = [
        Recovery { key: fresh.public(), delay: WEEK, plan: Some(&stayed) },
        Recovery { key: paper.public(), delay: WEEK, plan: None },
    ];
    back.arrange_recovery(&arranged, day(10))?;
    let code = paper.code();
    drop(paper);
    let (consent, _) = new.consent(back.devices(), section()?).after(&access)?.seal(day(10))?;
    let devices = back.list().accept(&id, &mut hospital, day(10))?;
    publish(repository, &consent, (&devices, &hospital), day(10))?;
    consent.verify(back.devices(), &section()?, &seen, day(10))?.open_as_device(&new, &mut seen)?;
    // Whoever comes with shares or a printed code has lost everything else: he has no memory.
    let mut nothing_seen = PinStore::default();
    let devices = back.list().accept(&id, &mut nothing_seen, day(10))?;
    let live = consent.verify(&devices, &section()?, &nothing_seen, day(10))?;
    if live.open_as_recovery(&key, &mut nothing_seen).is_ok() {
        return Err("the old shares still open".into());
    }
    live.open_as_recovery(&RecoveryKey::from_code(code.expose())?, &mut nothing_seen)?;
    println!(
        "the old shares open nothing that is sealed now; the printed code does, and it notices a wrong character:"
    );
    let mut wrong = code.expose().clone();
    let last = wrong.pop();
    wrong.push(if last == Some('q') { 'p' } else { 'q' });
    println!("  {}", RecoveryKey::from_code(&wrong).err().ok_or("a wrong code is taken")?);
    Ok(())
}

/// Writes a consent where everybody finds it, before anything is moved to its key. The server verifies it, by what it has seen.
fn publish(
    repository: Repository<'_>,
    consent: &StoredConsent,
    (devices, server): (&Devices, &PinStore),
    now: Time,
) -> Result<(), Failure> {
    let live = consent.verify(devices, &section()?, server, now)?;
    if block_on(repository.publish(&live, consent))? == Put::Done { Ok(()) } else { Err("another consent".into()) }
}

/// Opens the last consent with the recovery key, signs the next one on the new phone, and moves the records.
fn take_over(
    repository: Repository<'_>,
    (last, key): (&Devices, &RecoveryKey),
    (phone, seen): (&Device, &mut PinStore),
    (devices, server): (&Devices, &PinStore),
) -> Result<Access, Failure> {
    let stored = block_on(repository.consents(last.owner(), &section()?, None))?;
    let open = |live: &LiveConsent, pins: &mut dyn Pins| live.open_as_recovery(key, pins);
    let old = last.open_consents(&section()?, &stored, seen, day(9), open)?.newest;
    let (next, new) = phone.consent(devices, section()?).after(&old)?.seal(day(9))?;
    publish(repository, &next, (devices, server), day(9))?;
    let clock = || day(9);
    let rotation = Rotation::new(repository.store(), &[&old], &new, &clock)?;
    if !block_on(rotation.run("recovered", |_| ()))?.finished {
        return Err("others hold the rest".into());
    }
    let found: Verification = block_on(rotation.verify())?;
    if !found.is_clean() {
        return Err("records stayed behind".into());
    }
    // From the server, as from now on.
    let stored = block_on(repository.consents(devices.owner(), &section()?, None))?;
    let open = |live: &LiveConsent, pins: &mut dyn Pins| live.open_as_device(phone, pins);
    Ok(devices.open_consents(&section()?, &stored, seen, day(9), open)?.newest)
}

/// Somebody else, who has a tablet: whoever got hold of her recovery key is stopped by it.
fn thief((last, honest): (&Devices, &DeviceList), hospital: &mut PinStore) -> Result<(), Failure> {
    let (mut owner, tablet) = Owner::generate_with_device(DeviceId::new("tablet")?, NOW)?;
    let key = RecoveryKey::generate()?;
    owner.arrange_recovery(&[Recovery { key: key.public(), delay: WEEK, plan: None }], NOW)?;
    owner.list().accept(owner.id(), hospital, NOW)?;
    let stolen = key.succeed(owner.devices(), &[], &Device::generate(DeviceId::new("thiefs")?)?.public(), day(1))?;
    if stolen.list().accept(owner.id(), hospital, day(1)).is_ok() {
        return Err("the theft did not wait".into());
    }
    tablet.veto(owner.devices(), stolen.list())?.accept(owner.devices(), stolen.list(), hospital, day(1))?;
    if stolen.list().accept(owner.id(), hospital, day(365)).is_ok() {
        return Err("the veto does not count".into());
    }
    // A veto stops what it was made against, and nothing else; so it is at a second hospital, which has seen neither patient.
    let mut other = PinStore::default();
    if tablet.veto(owner.devices(), stolen.list())?.accept(last, honest, &mut other, day(1)).is_ok() {
        return Err("a veto of another owner counts".into());
    }
    honest.accept(last.owner(), &mut other, day(9))?;
    Ok(())
}

/// A field for each member of each resource.
fn write(repository: Repository<'_>, bundle: &Bundle<'_>, access: &Access, author: &Author<'_>) -> Result<(), Failure> {
    for (i, entry) in bundle.entries().iter().enumerate() {
        let resource = entry.split()?;
        let schema = SchemaId::new(format!("fhir/R4/{}", resource.resource_type()))?;
        let mut record = Record::new(name(i)?, schema).part(access)?;
        for (path, value) in resource.fields() {
            record = record.field(path, value)?;
        }
        if block_on(repository.put(&record.seal(author, NOW)?))? != Put::Done {
            return Err("a resource is stored already".into());
        }
    }
    Ok(())
}

/// As the new phone, which remembers what it read.
fn read(
    repository: Repository<'_>,
    bundle: &Bundle<'_>,
    devices: &Devices,
    (access, seen): (&Access, &mut PinStore),
) -> Result<usize, Failure> {
    let trust = Trust::new(REVOCATION_LIMIT);
    let reader = Reader::new(&trust, day(9)).devices(devices.clone());
    let mut reader = reader.remembering(seen);
    for (i, entry) in bundle.entries().iter().enumerate() {
        let record = block_on(repository.get(devices.owner(), &name(i)?))?.ok_or("a record is gone")?;
        let view = reader.open(&record, &[access])?;
        let values = view.values(access.compartment()).ok_or("a part is gone")?;
        let text = Resource::join(values.iter().map(|(path, value)| (path.as_str(), value)))?;
        if text.expose() != entry.text() {
            return Err("a resource is not its source".into());
        }
    }
    Ok(bundle.entries().len())
}

fn section() -> Result<CompartmentId, Failure> {
    Ok(CompartmentId::new("chart")?)
}

fn name(i: usize) -> Result<RecordId, Failure> {
    Ok(RecordId::new(format!("resource-{i}"))?)
}

fn day(n: u64) -> Time {
    NOW.plus(Duration::from_secs(n * 86_400))
}
