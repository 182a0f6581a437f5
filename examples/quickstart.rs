//! The README's first code block.

use chartseal::id::Generation;
use chartseal::record::{Record, RecordContext};
use chartseal::seal::{Cek, unwrap_cek, wrap_cek};
use chartseal::{Error, kem};

fn main() -> Result<(), Error> {
    // The hospital issues keys for attributes.
    let (public, master) = kem::setup("st-olave".parse()?)?;
    let ada = kem::issue(&master, &"role:doctor, dept:cardiology, user:#17".parse()?)?;
    let bob = kem::issue(&master, &"role:doctor, dept:cardiology, user:#4".parse()?)?;

    // A policy, and a compartment key behind it: every cardiologist except Dr Bob.
    let tree = public.expand(&"role:doctor and dept:cardiology and not user:#4".parse()?)?;
    let place = b"alice, cardiology, generation 1";
    let (capsule, shared) = kem::encapsulate(&public, &tree, place)?;
    let cek = Cek::generate()?;
    let slot = wrap_cek(&shared, place, &cek)?;

    // A record under the compartment key: each field under a key of its own.
    let context = RecordContext {
        owner: "alice".parse()?,
        record: "encounter-17".parse()?,
        schema: "clinic/encounter".parse()?,
        compartment: "cardiology".parse()?,
    };
    let sealed = Record::new(context).field("/diagnosis", "I21.4")?.seal(&cek, Generation(1))?;

    // Ada opens it; Bob's key satisfies nothing.
    let shared = kem::decapsulate(&ada, &tree, place, &capsule)?;
    let view = sealed.open(&unwrap_cek(&shared, place, &slot)?)?;
    assert_eq!(view.get("/diagnosis"), Some(&b"I21.4"[..]));
    assert_eq!(kem::decapsulate(&bob, &tree, place, &capsule).err(), Some(Error::CannotOpen));
    println!("Ada reads {}, Bob cannot open", String::from_utf8_lossy(view.get("/diagnosis").unwrap_or_default()));
    Ok(())
}
