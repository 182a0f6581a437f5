//! The README's first code block.

use chartseal::Error;
use chartseal::authority::{Authority, REVOCATION_LIMIT, Trust};
use chartseal::id::Time;
use chartseal::identity::Identity;
use chartseal::owner::Owner;
use chartseal::pin::PinStore;
use chartseal::record::{Author, Reader, Record};

fn main() -> Result<(), Error> {
    let (now, next_year) = (Time::at(1_775_000_000), Time::at(1_806_000_000));
    // The hospital knows Ada and Bob, both cardiologists; whoever trusts it reads what it publishes.
    let mut hospital = Authority::setup("st-olave".parse()?, now)?;
    let (ada, bob) = (Identity::generate("dr-ada".parse()?)?, Identity::generate("dr-bob".parse()?)?);
    let mut join = |person: &Identity| {
        hospital.enrol(&person.enrol()?)?;
        hospital.issue(person.id(), &"role:doctor, dept:cardiology".parse()?, now, next_year, now)
    };
    let (for_ada, for_bob) = (join(&ada)?, join(&bob)?);
    let (mut trust, mut pins) = (Trust::new(REVOCATION_LIMIT), PinStore::default());
    trust.add(hospital.anchor())?;
    trust.update(&hospital.publish(now)?, &mut pins, now)?;
    // Alice lets every cardiologist read but Dr Bob, and doctors write. Her phone signs that.
    let (alice, phone) = Owner::generate_with_device("phone".parse()?, now)?;
    let consent = phone.consent(alice.devices(), "cardiology".parse()?);
    let consent = consent.read(&trust, hospital.id(), "dept:cardiology and not user:dr-bob")?;
    let (stored, access) = consent.write(&trust, hospital.id(), "role:doctor")?.seal(now)?;
    // Ada writes; Ada reads; Bob's key satisfies nothing.
    let record = Record::new("encounter-17".parse()?, "clinic/encounter".parse()?).part(&access)?;
    let sealed = record.field("/diagnosis", "I21.4")?.seal(&Author::new(&ada, &for_ada.credential)?, now)?;
    let consent = stored.verify(alice.devices(), access.compartment(), &pins, now)?;
    let opened = consent.open(&ada.accept(&for_ada, &trust, now)?, &mut pins)?;
    let view = Reader::new(&trust, now).remembering(&mut pins).open(&sealed, &[&opened])?;
    assert_eq!(view.get("/diagnosis")?, Some(&b"I21.4"[..]));
    assert_eq!(consent.open(&bob.accept(&for_bob, &trust, now)?, &mut pins).err(), Some(Error::CannotOpen));
    Ok(())
}
