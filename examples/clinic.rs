//! The main job: two whole charts, sealed by section under their patients' consents, opened by exactly the members of
//! staff whom the consents admit.
//!
//! ```text
//! cargo run --release --example clinic [FOLDER]
//! ```
//!
//! Two FHIR R4 bundles of synthetic people are split into resources, the resources into fields. For each section of the
//! chart the patient's phone signs a consent: who may read, who may write. The phone brings in the chart; the laboratory
//! writes its own section, and can read none of it. Everything is written as JSON files, read back, and opened as each of
//! ten members of staff. What a member could open is compared with the policies evaluated in plain, and every opened
//! resource with its source, byte for byte. Then a doctor's amendment is accepted, and a nurse's, an earlier revision, a
//! forged consent and an earlier one are refused. Anything else than that ends the program with an error.

#[path = "clinic/cabinet.rs"]
mod cabinet;
#[path = "clinic/chart.rs"]
mod chart;
#[path = "clinic/hospital.rs"]
mod hospital;
#[path = "clinic/people.rs"]
mod people;
#[path = "clinic/scenes.rs"]
mod scenes;
#[path = "clinic/sections.rs"]
mod sections;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chartseal::consent::Access;
use chartseal::pin::PinStore;
use chartseal::record::{Author, Reader};

use cabinet::Cabinet;
use chart::{Chart, compartment};
use hospital::{Hospital, Staff};
use people::{NOW, PATIENTS, policy, writers};
use sections::Section;

/// Why the example stopped.
type Failure = Box<dyn Error>;

/// Time spent on so many things.
#[derive(Default)]
struct Clock {
    spent: Duration,
    count: usize,
}

impl Clock {
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let out = work();
        self.spent += start.elapsed();
        self.count += 1;
        out
    }

    fn each(&self) -> String {
        format!("{:.1} µs", self.spent.as_secs_f64() * 1e6 / self.count.max(1) as f64)
    }
}

#[derive(Default)]
struct Clocks {
    sign: Clock,
    enter: Clock,
    seal: Clock,
    open: Clock,
}

fn main() -> Result<(), Failure> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clinic"));
    let mut clocks = Clocks::default();

    let mut hospital = Hospital::open()?;
    let mut charts = Vec::new();
    for patient in &PATIENTS {
        let chart = Chart::read(patient)?;
        let cabinet = Cabinet::create(&folder, patient.name)?;
        seal(&hospital, &chart, &cabinet, &mut clocks)?;
        println!("{}: {} resources sealed as {}", patient.name, chart.len(), cabinet.path().display());
        charts.push((chart, cabinet));
    }

    for (chart, cabinet) in &charts {
        println!("\n{:32}{}", chart.patient.name, Section::ALL.map(|s| format!("{:>14}", s.name())).concat());
        for staff in 0..hospital.staff.len() {
            let row = Section::ALL.map(|section| visit(&mut hospital, staff, chart, cabinet, section, &mut clocks));
            let row = row.into_iter().collect::<Result<Vec<_>, _>>()?;
            let member = hospital.staff.get(staff).ok_or("nobody there")?.member;
            let name = format!("{}, {}", member.id, member.what);
            println!("{name:32}{}", row.iter().map(|cell| format!("{cell:>14}")).collect::<String>());
        }
    }
    println!(
        "\nEvery cell is what the policy says in plain, and every opened resource is its source, byte for byte.\n"
    );

    let (chart, cabinet) = charts.first().ok_or("no chart")?;
    scenes::play(&mut hospital, chart, cabinet)?;

    println!();
    for (what, clock, of) in [
        ("seal", &clocks.seal, "a resource, signed, as JSON"),
        ("open", &clocks.open, "a resource, both signatures verified, from JSON"),
        ("consent", &clocks.sign, "to make and sign, once a section"),
        ("", &clocks.enter, "to verify and open, or to find closed, once a member and section"),
    ] {
        println!("{what:8}{:>10} {of} ({} of them)", clock.each(), clock.count);
    }
    Ok(())
}

/// The patient's phone signs a consent for each section; the phone, or the laboratory, seals what belongs there.
fn seal(hospital: &Hospital, chart: &Chart, cabinet: &Cabinet, clocks: &mut Clocks) -> Result<(), Failure> {
    cabinet.put_devices(chart.owner.list())?;
    let devices = chart.owner.devices();
    let (trust, authority) = (&hospital.trust, hospital.authority.id());
    let phone = Author::device(&chart.phone, devices)?;
    let laboratory = Author::new(&hospital.laboratory.identity, &hospital.laboratory.credential)?;
    for section in Section::ALL {
        let (consent, access) = clocks.sign.time(|| {
            let consent = chart.phone.consent(devices, compartment(section)?);
            let consent = consent.read(trust, authority, &policy(section, chart.patient))?;
            Ok::<_, Failure>(consent.write(trust, authority, writers(section))?.seal(NOW)?)
        })?;
        cabinet.put_consent(section, &consent)?;
        // What the laboratory gets is the consent as it is published: it has no way in.
        let published = consent.verify(devices, &compartment(section)?, &PinStore::default(), NOW)?;
        if published.open(&hospital.laboratory.key, &mut PinStore::default()).err()
            != Some(chartseal::Error::CannotOpen)
        {
            return Err("the laboratory can read".into());
        }
        for (i, entry) in chart.resources(section) {
            let sealed = clocks.seal.time(|| match section {
                Section::Laboratory => {
                    chart::seal(published.write_only(&mut PinStore::default())?, i, entry, &laboratory)
                }
                _ => chart::seal(&access, i, entry, &phone),
            })?;
            cabinet.put(section, i, &sealed)?;
        }
    }
    Ok(())
}

/// What a member finds in one section: verifies and opens the consent, opens every resource, compares with the source.
fn visit(
    hospital: &mut Hospital,
    staff: usize,
    chart: &Chart,
    cabinet: &Cabinet,
    section: Section,
    clocks: &mut Clocks,
) -> Result<String, Failure> {
    let member = hospital.staff.get_mut(staff).ok_or("nobody there")?;
    let access = match clocks.enter.time(|| enter(member, chart, cabinet, section)) {
        Ok(access) => Some(access),
        Err(error) if error.downcast_ref() == Some(&chartseal::Error::CannotOpen) => None,
        Err(error) => return Err(error),
    };
    let member = hospital.staff.get(staff).ok_or("nobody there")?;
    if access.is_some() != hospital.admits(&policy(section, chart.patient), member)? {
        let (who, whose) = (member.member.id, chart.patient.name);
        return Err(format!("{who} and the policy of {whose}, {} disagree", section.name()).into());
    }
    let Some(access) = access else { return Ok("-".to_owned()) };

    let reader = Reader::new(&hospital.trust, NOW).devices(chart.owner.devices().clone());
    let member = hospital.staff.get_mut(staff).ok_or("nobody there")?;
    let mut reader = reader.remembering(&mut member.pins);
    let mut opened = 0;
    for (i, entry) in chart.resources(section) {
        let stored = cabinet.get(section, i)?;
        let text = clocks.open.time(|| chart::open(i, &stored, &access, &mut reader))?;
        if text.expose() != entry.text() {
            return Err(format!("{}: resource {i} is not its source", chart.patient.name).into());
        }
        opened += 1;
    }
    Ok(format!("{opened}/{}", chart.resources(section).count()))
}

/// From the store's files to the compartment key, believing nothing but the patient's id.
fn enter(staff: &mut Staff, chart: &Chart, cabinet: &Cabinet, section: Section) -> Result<Access, Failure> {
    let devices = cabinet.devices()?.accept(chart.id(), &mut staff.pins, NOW)?;
    let consent = cabinet.consent(section)?.verify(&devices, &compartment(section)?, &staff.pins, NOW)?;
    Ok(consent.open(&staff.key, &mut staff.pins)?)
}
