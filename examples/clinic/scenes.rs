//! What happens afterwards: an amendment that counts, and what is refused before the reader's eyes.

use std::time::Duration;

use chartseal::consent::StoredConsent;
use chartseal::id::{DeviceId, Time};
use chartseal::owner::Owner;
use chartseal::pin::PinStore;
use chartseal::record::{Author, Reader, SealedRecord, Writer};
use chartseal::{Error, record::Record};

use crate::cabinet::Cabinet;
use crate::chart::{Chart, compartment, name};
use crate::hospital::Hospital;
use crate::people::{NOW, policy, writers};
use crate::sections::Section;
use crate::{Failure, enter};

pub(crate) fn play(hospital: &mut Hospital, chart: &Chart, cabinet: &Cabinet) -> Result<(), Failure> {
    doctors_amend_and_nurses_do_not(hospital, chart, cabinet)?;
    a_forged_consent_is_refused(hospital, chart, cabinet)?;
    a_consent_that_was_replaced_does_not_come_back(hospital, chart, cabinet)
}

fn doctors_amend_and_nurses_do_not(hospital: &mut Hospital, chart: &Chart, cabinet: &Cabinet) -> Result<(), Failure> {
    let section = Section::Summary;
    let (i, _) = chart.resources(section).next().ok_or("an empty section")?;
    let mut access = |who| enter(hospital.member(who)?, chart, cabinet, section);
    let (ada_reads, ben_reads, noor_reads) = (access("dr-ada")?, access("nurse-ben")?, access("dr-noor")?);
    let published = cabinet.consent(section)?;
    let published = published.verify(chart.owner.devices(), &compartment(section)?, &PinStore::default(), NOW)?;

    let mut noor_remembers = std::mem::take(&mut hospital.member("dr-noor")?.pins);
    let reader = Reader::new(&hospital.trust, LATER).devices(chart.owner.devices().clone());
    let author = |who: &str| {
        let staff = hospital.staff.iter().find(|staff| staff.member.id == who).ok_or("nobody of that name")?;
        Ok::<_, Failure>(Author::new(&staff.identity, &staff.credential)?)
    };
    let stored = SealedRecord::from_json(&cabinet.get(section, i)?)?;
    let amended =
        reader.amend(&stored, &[&ada_reads])?.field("/comment", "\"seen\"")?.seal(&author("dr-ada")?, LATER)?;
    let mut noor = reader.remembering(&mut noor_remembers);
    let view = noor.open(&SealedRecord::from_json(&amended.to_json()?)?, &[&noor_reads])?;
    let by_ada = view
        .parts()
        .iter()
        .all(|part| matches!(&part.writer, Writer::Person { person, .. } if person.as_str() == "dr-ada"));
    require(view.get("/comment")? == Some(&b"\"seen\""[..]) && by_ada && view.revision() > stored.revision())?;
    println!("dr-ada amends a record; dr-noor reads revision {}, written by dr-ada", view.revision().0);
    require(noor.open(&stored, &[&noor_reads]).err() == Some(Error::Rollback("record")))?;
    println!("what dr-noor has read is not taken back to revision {}", stored.revision().0);

    // The nurse's own library would not seal it. One that writes without reading does not know the write policy, so this
    // gets as far as the readers.
    let refused =
        reader.amend(&stored, &[&ben_reads])?.field("/comment", "\"seen\"")?.seal(&author("nurse-ben")?, LATER);
    require(refused.err() == Some(Error::NotAllowed))?;
    let note = Record::new(name(i)?, "fhir/R4/Basic".parse()?).part(published.write_only(&mut PinStore::default())?)?;
    let note = note.field("/comment", "\"seen\"")?.seal(&author("nurse-ben")?, LATER)?;
    require(noor.open(&note, &[&noor_reads]).err() == Some(Error::NotAllowed))?;
    println!("nurse-ben may read it, and what he writes is refused by every reader");
    hospital.member("dr-noor")?.pins = noor_remembers;
    Ok(())
}

fn a_forged_consent_is_refused(hospital: &mut Hospital, chart: &Chart, cabinet: &Cabinet) -> Result<(), Failure> {
    let section = Section::MentalHealth;
    let genuine = cabinet.consent(section)?;
    let mut refused = |consent: &StoredConsent| {
        let noor = hospital.member("dr-noor")?;
        let devices = cabinet.devices()?.accept(chart.id(), &mut noor.pins, NOW)?;
        let found = consent.verify(&devices, &compartment(section)?, &noor.pins, NOW);
        require(matches!(found, Err(Error::Forged(_))))
    };
    // The server leaves a slot out, or exchanges two.
    let parts = |slots| StoredConsent::from_parts(genuine.consent().clone(), genuine.terms().to_vec(), slots);
    let mut slots: Vec<Vec<u8>> = genuine.slots().map(<[u8]>::to_vec).collect();
    slots.reverse();
    refused(&parts(slots.clone())?)?;
    slots.pop();
    refused(&parts(slots)?)?;
    // Somebody else signs one for this compartment.
    let (owner, device) = Owner::generate_with_device(DeviceId::new("phone")?, NOW)?;
    let (foreign, _) = device.consent(owner.devices(), compartment(section)?).seal(NOW)?;
    refused(&foreign)?;
    println!("consents with a slot less, with slots exchanged, or signed by somebody else are refused");
    Ok(())
}

fn a_consent_that_was_replaced_does_not_come_back(
    hospital: &mut Hospital,
    chart: &Chart,
    cabinet: &Cabinet,
) -> Result<(), Failure> {
    let section = Section::Billing;
    let old = cabinet.consent(section)?;
    let devices = chart.owner.devices();
    let mut pins = PinStore::default();
    let live = old.verify(devices, &compartment(section)?, &pins, NOW)?;
    let access = live.open_as_device(&chart.phone, &mut pins)?;
    let (trust, authority) = (&hospital.trust, hospital.authority.id());
    let next = chart.phone.consent(devices, compartment(section)?).after(&access)?;
    let next = next.read(trust, authority, &format!("({}) and not user:finn", policy(section, chart.patient)))?;
    let (next, _) = next.write(trust, authority, writers(section))?.seal(LATER)?;

    let finn = hospital.member("finn")?;
    let newer = next.verify(devices, &compartment(section)?, &finn.pins, LATER)?;
    require(newer.open(&finn.key, &mut finn.pins).err() == Some(Error::CannotOpen))?;
    newer.open_as_device(&chart.phone, &mut pins)?;
    let served = old.verify(devices, &compartment(section)?, &pins, LATER);
    require(matches!(served, Err(Error::Rollback(_))))?;
    println!("finn is excluded in version 2; whoever has opened that is not taken back to version 1");
    Ok(())
}

fn require(held: bool) -> Result<(), Failure> {
    if held { Ok(()) } else { Err("a scene did not go as it has to".into()) }
}

/// An hour after the consents.
const LATER: Time = NOW.plus(Duration::from_secs(3600));
