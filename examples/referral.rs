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
use chartseal::consent::{Access, Mandate, Referral, ReferralEnd, StoredConsent};
use chartseal::fhir::{Bundle, Entry, Resource};
use chartseal::id::{CompartmentId, DeviceId, RecordId, SchemaId, Time};
use chartseal::identity::Identity;
use chartseal::ledger::Ledger;
use chartseal::owner::{Device, Owner};
use chartseal::pin::PinStore;
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

/// The patient, with a chart in a store.
struct Patient<'a> {
    owner: Owner,
    phone: Device,
    resources: Vec<(usize, &'a Entry<'a>)>,
    repository: Repository<'a>,
}

fn main() -> Result<(), Failure> {
    let mut hospital = Authority::setup("st-olave".parse()?, NOW)?;
    let ada = Identity::generate("dr-ada".parse()?)?;
    hospital.enrol(&ada.enrol()?)?;
    let issued = hospital.issue(ada.id(), &"role:doctor".parse()?, NOW, days(365), NOW)?;
    let mut trust = Trust::new(REVOCATION_LIMIT);
    trust.add(hospital.anchor())?;
    trust.update(&hospital.publish(NOW)?, &mut PinStore::default(), NOW)?;
    let ada_says = trust.credential(&issued.credential, NOW)?;
    // The specialist has a practice of his own, which the patient knows; the hospital need not.
    let mut practice = Authority::setup("practice-bo".parse()?, NOW)?;
    let bo = Identity::generate("dr-bo".parse()?)?;
    practice.enrol(&bo.enrol()?)?;
    let issued = practice.issue(bo.id(), &"role:specialist".parse()?, NOW, days(365), NOW)?;
    trust.add(practice.anchor())?;
    trust.update(&practice.publish(NOW)?, &mut PinStore::default(), NOW)?;
    let bo_says = trust.credential(&issued.credential, NOW)?;
    // The custodian is a service of the patient's own.
    let custodian = Identity::generate("custodian".parse()?)?;

    let bundle = Bundle::parse(CHART)?;
    let found = sections(&bundle)?;
    let of = |section| {
        let entries = bundle.entries().iter().zip(&found).enumerate();
        entries.filter(move |(_, (_, found))| **found == section).map(|(i, (entry, _))| (i, entry)).collect::<Vec<_>>()
    };
    let (store, ledger) = (MemoryStore::new(), MemoryStore::new());
    let repository = Repository::new(&store).guarded(Ledger::new(&ledger));
    let (owner, phone) = Owner::generate_with_device(DeviceId::new("phone")?, NOW)?;
    let patient = Patient { owner, phone, resources: of(Section::Laboratory), repository };
    let laboratory = patient.begin(&trust, &hospital, &custodian, Section::Laboratory)?;
    let other = Patient { resources: of(Section::MentalHealth), ..patient.again()? };
    let mental_health = other.begin(&trust, &hospital, &custodian, Section::MentalHealth)?;
    println!(
        "{} results of the laboratory and {} entries of mental health are sealed",
        patient.resources.len(),
        other.resources.len()
    );

    // Nobody has referred yet.
    closed(&patient, &laboratory.0, &bo, NOW)?;

    let sections = [CompartmentId::new(Section::Laboratory.name())?];
    let referral = Referral::refer((&ada, &ada_says), patient.owner.id(), sections, &bo_says, (days(30), NOW))?;
    let accepted = referral.accept(&ada_says, &trust, NOW)?;
    let sharing = patient.phone.sharing(patient.owner.devices(), &trust, &laboratory.1);
    let (consent, access, receipt) = sharing.refer(&accepted)?.seal(NOW)?;
    patient.publish(&consent, NOW)?;
    // For when it ends, and she is away.
    let mandate = patient.phone.mandate((patient.owner.devices(), &access), &custodian.public(), days(60), NOW)?;
    println!("\ndr-ada refers to dr-bo, and the patient agrees:\n{receipt}");

    let opened = open(&patient, &consent, &bo, days(29))?;
    let count = patient.read(&trust, &opened)?;
    println!("dr-bo reads {count} results, each its source byte for byte; mental health stays closed");
    closed(&other, &mental_health.0, &bo, days(29))?;
    passed_on(&patient, &opened)?;
    println!("what dr-bo signs to let a friend in is refused");

    let expired = open(&patient, &consent, &bo, days(31)).err().map(|error| error.to_string());
    println!("\nafter a month, honest software says: {}", expired.ok_or("the referral has no end")?);
    end(&patient, &trust, (&custodian, &mandate), &bo)?;
    println!("the custodian shuts dr-bo out, and moves the records: what he kept of the consent opens none of them");

    called_back(&patient, &mut trust, [&mut hospital, &mut practice], (&ada, &ada_says), (&bo, &bo_says))?;
    println!("\na second referral is called back by dr-ada within the day");
    Ok(())
}

impl<'a> Patient<'a> {
    /// A first consent for a section, with the patient's custodian, and the section's resources under it.
    fn begin(
        &self,
        trust: &Trust,
        hospital: &Authority,
        custodian: &Identity,
        section: Section,
    ) -> Result<(StoredConsent, Access), Failure> {
        let consent = self.phone.consent(self.owner.devices(), CompartmentId::new(section.name())?);
        let consent = consent.read(trust, hospital.id(), "role:doctor")?.write(trust, hospital.id(), "role:doctor")?;
        let (stored, access) = consent.custodian(&custodian.public())?.seal(NOW)?;
        self.publish(&stored, NOW)?;
        let author = Author::device(&self.phone, self.owner.devices())?;
        for (i, entry) in &self.resources {
            let resource = entry.split()?;
            let schema = SchemaId::new(format!("fhir/R4/{}", resource.resource_type()))?;
            let mut record = Record::new(name(*i)?, schema).part(&access)?;
            for (path, value) in resource.fields() {
                record = record.field(path, value)?;
            }
            let put = block_on(self.repository.put(&record.seal(&author, NOW)?))?;
            same(put, Put::Done, "a resource is stored already")?;
        }
        Ok((stored, access))
    }

    /// The same patient, for another section.
    fn again(&self) -> Result<Self, Failure> {
        let owner = Owner::decode(self.owner.to_secret_bytes()?.expose())?;
        let phone = Device::decode(self.phone.to_secret_bytes().expose())?;
        Ok(Self { owner, phone, resources: Vec::new(), repository: self.repository })
    }

    fn publish(&self, consent: &StoredConsent, now: Time) -> Result<(), Failure> {
        let section = &consent.consent().unverified().compartment;
        let live = consent.verify(self.owner.devices(), section, &PinStore::default(), now)?;
        same(block_on(self.repository.publish(&live, consent))?, Put::Done, "a consent is published already")
    }

    /// Reads the whole section out of the store, and compares it with the chart.
    fn read(&self, trust: &Trust, access: &Access) -> Result<usize, Failure> {
        let reader = Reader::new(trust, NOW).devices(self.owner.devices().clone());
        for (i, entry) in &self.resources {
            let record = block_on(self.repository.get(self.owner.id(), &name(*i)?))?.ok_or("a record is gone")?;
            let view = reader.open(&record, &[access])?;
            let values = view.values(access.compartment()).ok_or("a part is gone")?;
            let text = Resource::join(values.iter().map(|(path, value)| (path.as_str(), value)))?;
            same(text.expose().as_str(), entry.text(), "a resource is not its source")?;
        }
        Ok(self.resources.len())
    }
}

/// Opens a consent as a person, believing nothing but the patient's devices.
fn open(patient: &Patient<'_>, consent: &StoredConsent, who: &Identity, now: Time) -> Result<Access, Failure> {
    let section = &consent.consent().unverified().compartment;
    Ok(consent
        .verify(patient.owner.devices(), section, &PinStore::default(), now)?
        .open_as(who, &mut PinStore::default())?)
}

fn closed(patient: &Patient<'_>, consent: &StoredConsent, who: &Identity, now: Time) -> Result<(), Failure> {
    match open(patient, consent, who, now) {
        Err(error) if error.downcast_ref() == Some(&chartseal::Error::CannotOpen) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err("a closed section opens".into()),
    }
}

/// The specialist has the key of the section, and signs a consent of his own making for a friend.
fn passed_on(patient: &Patient<'_>, opened: &Access) -> Result<(), Failure> {
    let friend = Identity::generate("friend".parse()?)?;
    let (forger, phone) = Owner::generate_with_device(DeviceId::new("phone")?, NOW)?;
    let consent = phone.consent(forger.devices(), opened.compartment().clone()).name(&friend.public())?;
    let (forged, _) = consent.seal(NOW)?;
    let refused = forged.verify(patient.owner.devices(), opened.compartment(), &PinStore::default(), NOW);
    same(refused.err(), Some(chartseal::Error::Forged("consent")), "a forged consent is taken")
}

/// The month is over and the patient away: the custodian's next consent, the rotation, and the end of the old key.
fn end(
    patient: &Patient<'_>,
    trust: &Trust,
    (custodian, mandate): (&Identity, &Mandate),
    bo: &Identity,
) -> Result<(), Failure> {
    let (devices, later) = (patient.owner.devices(), days(31));
    let section = &mandate.unverified().compartment;
    let consents = block_on(patient.repository.consents(devices.owner(), section, None))?;
    let newest = consents.last().ok_or("no consent")?;
    let held = open(patient, newest, custodian, later)?;
    let kept = open(patient, newest, bo, NOW)?;
    let (next, new) = mandate.consent(custodian, devices)?.after(&held)?.same_terms(trust)?.seal(later)?;
    // The server takes a custodian's consent from who has opened it.
    let published = block_on(patient.repository.publish(&new, &next))?;
    same(published, Put::Done, "a consent is published already")?;
    closed(patient, &next, bo, later)?;

    let clock = || later;
    let store = patient.repository.store();
    let rotation = Rotation::new(store, &[&held], &new, &clock)?;
    if !block_on(rotation.run("end-of-referral", |_| ()))?.finished {
        return Err("others hold the rest".into());
    }
    let Retirement::Done { .. } = block_on(rotation.retire(&patient.repository.ledger().ok_or("no ledger")?))? else {
        return Err("the old key cannot be retired".into());
    };
    patient.read(trust, &new)?;
    match patient.read(trust, &kept) {
        Err(error) if error.downcast_ref() == Some(&chartseal::Error::CannotOpen) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err("the old key still opens".into()),
    }
}

/// Another referral, which the physician ends by her own word.
fn called_back(
    patient: &Patient<'_>,
    trust: &mut Trust,
    authorities: [&mut Authority; 2],
    (ada, ada_says): (&Identity, &VerifiedCredential),
    (bo, bo_says): (&Identity, &VerifiedCredential),
) -> Result<(), Failure> {
    // A month later: nobody is believed by the lists of then.
    for authority in authorities {
        trust.update_revocations(&authority.renew_revocations(days(31))?, &mut PinStore::default(), days(31))?;
    }
    let section = CompartmentId::new(Section::Laboratory.name())?;
    let consents = block_on(patient.repository.consents(patient.owner.id(), &section, None))?;
    let newest = consents.last().ok_or("no consent")?;
    let live = newest.verify(patient.owner.devices(), &section, &PinStore::default(), days(31))?;
    let access = live.open_as_device(&patient.phone, &mut PinStore::default())?;
    let referral = Referral::refer((ada, ada_says), patient.owner.id(), [section], bo_says, (days(60), days(31)))?;
    let accepted = referral.accept(ada_says, trust, days(31))?;
    let sharing = |access| patient.phone.sharing(patient.owner.devices(), trust, access);
    let (open_to_bo, referred, _) = sharing(&access).refer(&accepted)?.seal(days(31))?;
    open(patient, &open_to_bo, bo, days(31))?;
    let ended = ReferralEnd::end((ada, ada_says), &referral, days(31))?.accept(&referral, ada_says)?;
    let (ended, ..) = sharing(&referred).end_referral(&ended)?.seal(days(31))?;
    closed(patient, &ended, bo, days(31))
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
