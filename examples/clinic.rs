//! The main job: two whole charts, sealed by section, opened by exactly the members of staff whom the policies admit.
//!
//! ```text
//! cargo run --release --example clinic [FOLDER]
//! ```
//!
//! Two FHIR R4 bundles of synthetic people are split into resources, the resources into fields. Each section of a chart
//! has a policy and a compartment key; the policy's capsule carries the key to whoever satisfies it. Every resource is
//! sealed and written as a JSON file, read back, and opened as each of ten members of staff. What a member could open is
//! compared with the policies evaluated in plain, and every opened resource with its source, byte for byte; any
//! difference ends the program with an error.

#[path = "clinic/cabinet.rs"]
mod cabinet;
#[path = "clinic/chart.rs"]
mod chart;
#[path = "clinic/people.rs"]
mod people;
#[path = "clinic/sections.rs"]
mod sections;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chartseal::kem::{self, PublicParameters, UserKey};
use chartseal::policy::{Attributes, Policy};

use cabinet::Cabinet;
use chart::Chart;
use people::{MEMBERS, Member, PATIENTS, policy};
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
    fn time<T>(&mut self, count: usize, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let out = work();
        self.spent += start.elapsed();
        self.count += count;
        out
    }

    fn each(&self) -> String {
        format!("{:.1} µs", self.spent.as_secs_f64() * 1e6 / self.count.max(1) as f64)
    }
}

#[derive(Default)]
struct Clocks {
    encapsulate: Clock,
    decapsulate: Clock,
    seal: Clock,
    open: Clock,
}

fn main() -> Result<(), Failure> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clinic"));
    let mut clocks = Clocks::default();

    let (public, master) = kem::setup("st-olave".parse()?)?;
    let charts: Vec<Chart> = PATIENTS.iter().map(Chart::read).collect::<Result<_, _>>()?;
    for chart in &charts {
        let cabinet = Cabinet::create(&folder, chart.patient.name)?;
        let sealed = seal(&public, chart, &cabinet, &mut clocks)?;
        println!("{}: {} resources sealed as {}", chart.patient.name, sealed, cabinet.path().display());
    }

    let width = MEMBERS.iter().map(|member| member.name.len()).max().unwrap_or_default();
    for chart in &charts {
        let cabinet = Cabinet::at(&folder, chart.patient.name);
        println!("\n{:width$} {}", chart.patient.name, Section::ALL.map(|s| format!("{:>14}", s.name())).concat());
        for member in &MEMBERS {
            // The key as the member's own device holds it: bytes from the authority, checked on import.
            let issued = kem::issue(&master, &member.attributes.parse()?)?.to_secret_bytes();
            let key = UserKey::decode(issued.expose(), &public)?;
            let row = Section::ALL.map(|section| visit(chart, section, member, &key, &cabinet, &mut clocks));
            let row = row.into_iter().collect::<Result<Vec<_>, _>>()?;
            println!("{:width$} {}", member.name, row.iter().map(|cell| format!("{cell:>14}")).collect::<String>());
        }
    }

    println!("\nEvery cell is what the policy says in plain, and every opened resource is its source, byte for byte.");
    println!("seal      {:>10} a resource ({} of them)", clocks.seal.each(), clocks.seal.count);
    println!("open      {:>10} a resource ({} of them)", clocks.open.each(), clocks.open.count);
    println!(
        "capsule   {:>10} to make ({} of them), once a section",
        clocks.encapsulate.each(),
        clocks.encapsulate.count
    );
    println!(
        "          {:>10} to open ({} times), once a member and section",
        clocks.decapsulate.each(),
        clocks.decapsulate.count
    );
    Ok(())
}

/// Seals a chart section by section; returns how many resources went into files.
fn seal(public: &PublicParameters, chart: &Chart, cabinet: &Cabinet, clocks: &mut Clocks) -> Result<usize, Failure> {
    for section in Section::ALL {
        let policy: Policy = policy(section, chart.patient).parse()?;
        let tree = public.expand(&policy)?;
        let cek = clocks.encapsulate.time(1, || cabinet.put_slot(public, &tree, section))?;
        for (i, entry) in chart.resources(section) {
            let sealed = clocks.seal.time(1, || chart.seal(section, i, entry, &cek))?;
            cabinet.put(section, i, &sealed)?;
        }
    }
    Ok(chart.len())
}

/// What a member finds in one section: tries the capsule, opens every resource and compares it with the source.
fn visit(
    chart: &Chart,
    section: Section,
    member: &Member,
    key: &UserKey,
    cabinet: &Cabinet,
    clocks: &mut Clocks,
) -> Result<String, Failure> {
    let attributes: Attributes = member.attributes.parse()?;
    let expected = policy(section, chart.patient).parse::<Policy>()?.satisfied_by(&attributes);
    let cek = match clocks.decapsulate.time(1, || cabinet.open_slot(key, section)) {
        Ok(cek) => Some(cek),
        Err(error) if error.downcast_ref() == Some(&chartseal::Error::CannotOpen) => None,
        Err(error) => return Err(error),
    };
    let Some(cek) = cek else {
        return if expected { Err(disagree(chart, section, member)) } else { Ok("-".to_owned()) };
    };
    if !expected {
        return Err(disagree(chart, section, member));
    }
    let mut opened = 0;
    for (i, entry) in chart.resources(section) {
        let stored = cabinet.get(section, i)?;
        let text = clocks.open.time(1, || chart.open(section, i, &stored, &cek))?;
        if text.expose() != entry.text() {
            return Err(format!("{}: resource {i} is not its source", chart.patient.name).into());
        }
        opened += 1;
    }
    Ok(format!("{opened}/{}", chart.resources(section).count()))
}

fn disagree(chart: &Chart, section: Section, member: &Member) -> Failure {
    format!("{} and the policy of {}, {} disagree", member.name, chart.patient.name, section.name()).into()
}
