//! A referral, from the question to the end: a physician refers, the patient's phone agrees, the specialist reads one
//! section of a whole chart for a month and nothing else, and cannot pass it on. When the month is over the patient is
//! offline: a custodian ends it under her mandate, and moves the records to a key that the specialist never had.
//!
//! ```text
//! cargo run --release --example referral
//! ```
//!
//! Anything else than what is printed ends the program with an error.

#[allow(dead_code, reason = "the clinic uses more of it")]
#[path = "clinic/sections.rs"]
mod sections;

use std::error::Error;
use std::time::Duration;

use chartseal::authority::{Authority, REVOCATION_LIMIT, Trust, VerifiedCredential};
use chartseal::consent::{
    Access, Evidence, LiveConsent, Mandate, OpenedConsents, Referral, ReferralEnd, StoredConsent,
};
use chartseal::fhir::{Bundle, Entry, Resource};
use chartseal::id::{CompartmentId, DeviceId, RecordId, SchemaId, Time};
use chartseal::identity::Identity;
use chartseal::ledger::Ledger;
use chartseal::owner::{Device, Owner};
use chartseal::pin::{PinStore, Pins};
use chartseal::record::{Author, Reader, Record};
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Retirement, Rotation};
use chartseal::store::MemoryStore;
use pollster::block_on;
use sections::{Section, sections};

type Failure = Box<dyn Error>;

const NOW: Time = Time::at(1_775_000_000); // 2026-03-31
const DAY: Duration = Duration::from_secs(86_400);
const CHART: &str = include_str!("data/claudio-delarosa.json");

/// The patient's phone, and what it has seen.
struct Patient {
    owner: Owner,
    phone: Device,
    pins: PinStore,
}

/// Somebody with keys of his own, and what he has seen: his workstation keeps both.
struct Person {
    identity: Identity,
    pins: PinStore,
}

/// The server: it opens nothing. What it has seen of consents is in its ledger.
struct Server<'a> {
    repository: Repository<'a>,
    pins: PinStore,
}

/// A section of the chart.
struct Part<'a> {
    section: CompartmentId,
    resources: Vec<(usize, &'a Entry<'a>)>,
}

fn main() -> Result<(), Failure> {
    let mut hospital = Authority::setup("st-olave".parse()?, NOW)?;
    let ada = Identity::generate("dr-ada".parse()?)?;
    hospital.enrol(&ada.enrol()?)?;
    let issued = hospital.issue(ada.id(), &"role:doctor".parse()?, NOW, days(365), NOW)?;
    // All who act here trust the same, by one memory of what was published; each of their hosts has one.
    let (mut trust, mut published) = (Trust::new(REVOCATION_LIMIT), PinStore::default());
    trust.add(hospital.anchor())?;
    trust.update(&hospital.publish(NOW)?, &mut published, NOW)?;
    let ada_says = trust.credential(&issued.credential, NOW)?;
    // The specialist has a practice of his own, which the patient knows; the hospital need not.
    let mut practice = Authority::setup("practice-bo".parse()?, NOW)?;
    let mut bo = Person::new("dr-bo")?;
    practice.enrol(&bo.identity.enrol()?)?;
    let issued = practice.issue(bo.identity.id(), &"role:specialist".parse()?, NOW, days(365), NOW)?;
    trust.add(practice.anchor())?;
    trust.update(&practice.publish(NOW)?, &mut published, NOW)?;
    let bo_says = trust.credential(&issued.credential, NOW)?;
    // The custodian is a service of the patient's own.
    let mut custodian = Person::new("custodian")?;

    let bundle = Bundle::parse(CHART)?;
    let found = sections(&bundle)?;
    let of = |section: Section| -> Result<Part<'_>, Failure> {
        let entries = bundle.entries().iter().zip(&found).enumerate();
        let resources =
            entries.filter(|(_, (_, found))| **found == section).map(|(i, (entry, _))| (i, entry)).collect();
        Ok(Part { section: CompartmentId::new(section.name())?, resources })
    };
    let (store, ledger) = (MemoryStore::new(), MemoryStore::new());
    let repository = block_on(Repository::bind(&store, block_on(Ledger::create(&ledger))?))?;
    let mut server = Server { repository, pins: PinStore::default() };
    let (owner, phone) = Owner::generate_with_device(DeviceId::new("phone")?, NOW)?;
    let mut patient = Patient { owner, phone, pins: PinStore::default() };
    let (laboratory, mental_health) = (of(Section::Laboratory)?, of(Section::MentalHealth)?);
    for part in [&laboratory, &mental_health] {
        patient.begin(&mut server, &trust, &hospital, &custodian.identity, part)?;
    }
    println!(
        "{} results of the laboratory and {} entries of mental health are sealed",
        laboratory.resources.len(),
        mental_health.resources.len()
    );

    // Nobody has referred yet.
    bo.is_kept_out(&patient, &server, &laboratory, NOW)?;

    let sections = [laboratory.section.clone()];
    let referral = Referral::refer((&ada, &ada_says), patient.owner.id(), sections, &bo_says, (days(30), NOW))?;
    let accepted = referral.accept(&ada_says, &trust, NOW)?;
    let newest = patient.open(&server, &laboratory, NOW)?.newest;
    let sharing = patient.phone.sharing(patient.owner.devices(), &trust, &newest);
    let (consent, access, receipt) = sharing.refer(&accepted)?.seal(NOW)?;
    server.publish_hers(&patient, &consent, NOW)?;
    // For when it ends, and she is away.
    let to = custodian.identity.public();
    let mandate = patient.phone.mandate((patient.owner.devices(), &access), &to, days(60), NOW)?;
    println!("\ndr-ada refers to dr-bo, and the patient agrees:\n{receipt}");

    let opened = bo.open(&patient, &server, &laboratory, days(29))?;
    let count = read(&patient, &server, &trust, &laboratory, (&opened.accesses(), &mut bo.pins))?;
    println!("dr-bo reads {count} results, each its source byte for byte; mental health stays closed");
    bo.is_kept_out(&patient, &server, &mental_health, days(29))?;
    passed_on(&patient, &opened.newest)?;
    println!("what dr-bo signs to let a friend in is refused");

    let expired = bo.open(&patient, &server, &laboratory, days(31)).err().map(|error| error.to_string());
    println!("\nafter a month, honest software says: {}", expired.ok_or("the referral has no end")?);
    end(&patient, &server, &trust, (&mut custodian, &mandate), &laboratory)?;
    bo.is_kept_out(&patient, &server, &laboratory, days(31))?;
    opens_nothing(&patient, &server, &trust, &laboratory, (&opened.newest, &mut bo.pins))?;
    println!("the custodian shuts dr-bo out, and moves the records: what he kept of the consent opens none of them");

    // Nobody is believed by the lists of a month ago.
    for authority in [&mut hospital, &mut practice] {
        trust.update_revocations(&authority.renew_revocations(days(31))?, &mut published, days(31))?;
    }
    called_back(&mut patient, &mut server, &trust, ((&ada, &ada_says), (&mut bo, &bo_says)), &laboratory)?;
    println!("\na second referral is called back by dr-ada within the day");
    Ok(())
}

impl Patient {
    /// A first consent for a section, with the patient's custodian, and the section's resources under it.
    fn begin(
        &self,
        server: &mut Server<'_>,
        trust: &Trust,
        hospital: &Authority,
        custodian: &Identity,
        part: &Part<'_>,
    ) -> Result<(), Failure> {
        let consent = self.phone.consent(self.owner.devices(), part.section.clone());
        let consent = consent.read(trust, hospital.id(), "role:doctor")?.write(trust, hospital.id(), "role:doctor")?;
        let (stored, access) = consent.custodian(&custodian.public())?.seal(NOW)?;
        server.publish_hers(self, &stored, NOW)?;
        let author = Author::device(&self.phone, self.owner.devices())?;
        for (i, entry) in &part.resources {
            let resource = entry.split()?;
            let schema = SchemaId::new(format!("fhir/R4/{}", resource.resource_type()))?;
            let mut record = Record::new(name(*i)?, schema).part(&access)?;
            for (path, value) in resource.fields() {
                record = record.field(path, value)?;
            }
            let put = block_on(server.repository.put(&record.seal(&author, NOW)?))?;
            same(put, Put::Done, "a resource is stored already")?;
        }
        Ok(())
    }

    /// What the server has of the consents to a section, opened on the phone.
    fn open(&mut self, server: &Server<'_>, part: &Part<'_>, now: Time) -> Result<OpenedConsents, Failure> {
        let (stored, phone) = (server.consents(self, part)?, &self.phone);
        let open = |live: &LiveConsent, pins: &mut dyn Pins| live.open_as_device(phone, pins);
        Ok(self.owner.devices().open_consents(&part.section, &stored, &mut self.pins, now, open)?)
    }
}

impl Person {
    fn new(name: &str) -> Result<Self, Failure> {
        Ok(Self { identity: Identity::generate(name.parse()?)?, pins: PinStore::default() })
    }

    /// What the server has of the consents to a section, opened by name: believing nothing but the patient's devices, and no
    /// consent that is older than one seen before.
    fn open(
        &mut self,
        patient: &Patient,
        server: &Server<'_>,
        part: &Part<'_>,
        now: Time,
    ) -> Result<OpenedConsents, Failure> {
        let (stored, identity) = (server.consents(patient, part)?, &self.identity);
        let devices = patient.owner.list().accept(patient.owner.id(), &mut self.pins, now)?;
        let open = |live: &LiveConsent, pins: &mut dyn Pins| live.open_as(identity, pins);
        Ok(devices.open_consents(&part.section, &stored, &mut self.pins, now, open)?)
    }

    fn is_kept_out(
        &mut self,
        patient: &Patient,
        server: &Server<'_>,
        part: &Part<'_>,
        now: Time,
    ) -> Result<(), Failure> {
        match self.open(patient, server, part, now) {
            Err(error) if error.downcast_ref() == Some(&chartseal::Error::CannotOpen) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err("a closed section opens".into()),
        }
    }
}

impl Server<'_> {
    fn consents(&self, patient: &Patient, part: &Part<'_>) -> Result<Vec<StoredConsent>, Failure> {
        Ok(block_on(self.repository.consents(patient.owner.id(), &part.section, None))?)
    }

    /// What the patient signed is her own word: it is verified, and taken.
    fn publish_hers(&mut self, patient: &Patient, consent: &StoredConsent, now: Time) -> Result<(), Failure> {
        let devices = patient.owner.list().accept(patient.owner.id(), &mut self.pins, now)?;
        let section = &consent.consent().unverified().compartment;
        self.publish(&consent.verify(&devices, section, &self.pins, now)?, consent)
    }

    /// What a custodian signed is taken from somebody who has opened it.
    fn publish(&self, evidence: impl Into<Evidence> + Send, consent: &StoredConsent) -> Result<(), Failure> {
        same(block_on(self.repository.publish(evidence, consent))?, Put::Done, "a consent is published already")
    }

    /// Moves a section's records to a new key, and ends the keys before.
    fn moves(&self, job: &str, old: &[&Access], new: &Access, now: Time) -> Result<(), Failure> {
        let clock = || now;
        let rotation = Rotation::new(self.repository.store(), old, new, &clock)?;
        if !block_on(rotation.run(job, |_| ()))?.finished {
            return Err("others hold the rest".into());
        }
        match block_on(rotation.retire(&self.repository.ledger().ok_or("no ledger")?))? {
            Retirement::Done { .. } => Ok(()),
            _ => Err("the old key cannot be retired".into()),
        }
    }
}

/// Reads the whole section out of the store, and compares it with the chart. What was read is remembered, each revision.
fn read(
    patient: &Patient,
    server: &Server<'_>,
    trust: &Trust,
    part: &Part<'_>,
    (accesses, pins): (&[&Access], &mut PinStore),
) -> Result<usize, Failure> {
    let reader = Reader::new(trust, NOW).devices(patient.owner.devices().clone());
    let mut reader = reader.remembering(pins);
    for (i, entry) in &part.resources {
        let record = block_on(server.repository.get(patient.owner.id(), &name(*i)?))?.ok_or("a record is gone")?;
        let view = reader.open(&record, accesses)?;
        let values = view.values(&part.section).ok_or("a part is gone")?;
        let text = Resource::join(values.iter().map(|(path, value)| (path.as_str(), value)))?;
        same(text.expose().as_str(), entry.text(), "a resource is not its source")?;
    }
    Ok(part.resources.len())
}

/// What somebody kept of a key that is gone.
fn opens_nothing(
    patient: &Patient,
    server: &Server<'_>,
    trust: &Trust,
    part: &Part<'_>,
    (kept, pins): (&Access, &mut PinStore),
) -> Result<(), Failure> {
    match read(patient, server, trust, part, (&[kept], pins)) {
        Err(error) if error.downcast_ref() == Some(&chartseal::Error::CannotOpen) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err("the old key still opens".into()),
    }
}

/// The specialist has the key of the section, and signs a consent of his own making for a friend.
fn passed_on(patient: &Patient, opened: &Access) -> Result<(), Failure> {
    let mut friend = Person::new("friend")?;
    let (forger, phone) = Owner::generate_with_device(DeviceId::new("phone")?, NOW)?;
    let consent = phone.consent(forger.devices(), opened.compartment().clone()).name(&friend.identity.public())?;
    let (forged, _) = consent.seal(NOW)?;
    let devices = patient.owner.list().accept(patient.owner.id(), &mut friend.pins, NOW)?;
    let refused = forged.verify(&devices, opened.compartment(), &friend.pins, NOW);
    same(refused.err(), Some(chartseal::Error::Forged("consent")), "a forged consent is taken")
}

/// The month is over and the patient away: the custodian's next consent, the rotation, and the end of the old key.
fn end(
    patient: &Patient,
    server: &Server<'_>,
    trust: &Trust,
    (custodian, mandate): (&mut Person, &Mandate),
    part: &Part<'_>,
) -> Result<(), Failure> {
    let later = days(31);
    let held = custodian.open(patient, server, part, later)?.newest;
    let devices = patient.owner.list().accept(patient.owner.id(), &mut custodian.pins, later)?;
    let consent = mandate.consent(&custodian.identity, &devices)?.after(&held)?.same_terms(trust)?;
    let (next, new) = consent.seal(later)?;
    // That he has opened it speaks for it: nobody else could say so while she is away.
    server.publish(&new, &next)?;
    server.moves("end-of-referral", &[&held], &new, later)?;
    read(patient, server, trust, part, (&[&new], &mut custodian.pins))?;
    Ok(())
}

/// Another referral, which the physician ends by her own word.
fn called_back(
    patient: &mut Patient,
    server: &mut Server<'_>,
    trust: &Trust,
    ((ada, ada_says), (bo, bo_says)): ((&Identity, &VerifiedCredential), (&mut Person, &VerifiedCredential)),
    part: &Part<'_>,
) -> Result<(), Failure> {
    let now = days(31);
    let before = patient.open(server, part, now)?.newest;
    let sections = [part.section.clone()];
    let referral = Referral::refer((ada, ada_says), patient.owner.id(), sections, bo_says, (days(60), now))?;
    let accepted = referral.accept(ada_says, trust, now)?;
    let sharing = |access| patient.phone.sharing(patient.owner.devices(), trust, access);
    let (open_to_bo, referred, _) = sharing(&before).refer(&accepted)?.seal(now)?;
    server.publish_hers(patient, &open_to_bo, now)?;
    let kept = bo.open(patient, server, part, now)?.newest;
    let ended = ReferralEnd::end((ada, ada_says), &referral, now)?.accept(&referral, ada_says)?;
    let (closed, new, _) = sharing(&referred).end_referral(&ended)?.seal(now)?;
    server.publish_hers(patient, &closed, now)?;
    // Until the records are moved, he goes on by the consent before, and is told that there is a later one.
    let passed_over = bo.open(patient, server, part, now)?.refused;
    same(passed_over.len(), 1, "dr-bo does not hear of the end")?;
    server.moves("called-back", &[&before, &referred], &new, now)?;
    bo.is_kept_out(patient, server, part, now)?;
    opens_nothing(patient, server, trust, part, (&kept, &mut bo.pins))
}

fn same<T: PartialEq>(one: T, other: T, otherwise: &str) -> Result<(), Failure> {
    if one == other { Ok(()) } else { Err(otherwise.into()) }
}

fn days(n: u32) -> Time {
    NOW.plus(DAY * n)
}

fn name(i: usize) -> Result<RecordId, Failure> {
    Ok(RecordId::new(format!("resource-{i}"))?)
}
