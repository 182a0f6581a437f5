//! How records change: amendments, re-seals and rewraps.

use std::time::Duration;

use super::authors::{parsed, person, value};
use crate::support::world::{self, NOW, World, after, record};
use chartseal::id::Revision;
use chartseal::record::{Author, SealedRecord, Writer};
use chartseal::{Error, Unknown};
use serde_json::json;

#[test]
fn an_amendment_names_its_predecessor_and_keeps_what_it_cannot_open() {
    let world = World::new();
    let access = world.consent("cardiology", "role:doctor or role:nurse").1;
    let closed = world.access("psychiatry");
    let record = record("letter").part(&access).unwrap().field("/diagnosis", "I20.0").unwrap();
    let record = record.field("/history", "none").unwrap().field("/note", "x").unwrap();
    let record = record.part(&closed).unwrap().field("/secret", "s").unwrap();
    let before = record.seal(&world.ada.author(), NOW).unwrap();

    let reader = world.reader();
    let amendment = reader.amend(&before, &[&access]).unwrap();
    let amendment =
        amendment.field("/diagnosis", "I21.4").unwrap().field("/new", "n").unwrap().remove("/note").unwrap();
    let amended = amendment.seal(&world.nurse.author(), after(60)).unwrap();
    assert_eq!(amended.content().previous, Some(before.hash().unwrap()));
    assert_eq!((amended.revision(), amended.content().time), (Revision(1), after(60)));
    assert_eq!(value(&amended)["parts"][1], value(&before)["parts"][1]);
    assert_ne!(value(&amended)["parts"][0]["envelope"], value(&before)["parts"][0]["envelope"]);

    let amended = SealedRecord::from_cbor(&amended.to_cbor().unwrap()).unwrap();
    let view = reader.open(&amended, &[&access, &closed]).unwrap();
    let all: Vec<_> = view.iter().map(|(_, path, value)| (path.as_str(), value)).collect();
    assert_eq!(all, [("/diagnosis", &b"I21.4"[..]), ("/history", b"none"), ("/new", b"n"), ("/secret", b"s")]);
    let revisions =
        ["/diagnosis", "/history", "/new", "/secret"].map(|path| view.revision_of(path).unwrap().unwrap().0);
    assert_eq!(revisions, [1, 0, 1, 0]);
    let writers: Vec<_> = view.parts().iter().map(|part| (person(&part.writer), part.revision.0)).collect();
    assert_eq!(writers, [("nurse-ned", 1), ("dr-ada", 0)]);

    // Again, and the older content is dropped when nothing was written in it any more.
    let both = reader.amend(&amended, &[&access, &closed]).unwrap();
    assert!(matches!(both.field("/x", "1").unwrap_err(), Error::ApiMisuse(_)), "which part?");
    let both =
        reader.amend(&amended, &[&access, &closed]).unwrap().part(&closed).unwrap().field("/secret", "t").unwrap();
    let both = both.part(&access).unwrap().field("/history", "h").unwrap().seal(&world.ada.author(), NOW).unwrap();
    assert_eq!(value(&both)["older"], json!([]));
    let view = reader.open(&both, &[&access, &closed]).unwrap();
    assert_eq!(view.revision_of("/diagnosis"), Ok(Some(Revision(1))));
    assert_eq!(view.get("/secret"), Ok(Some(&b"t"[..])));
}

#[test]
fn an_amendment_is_refused_to_whoever_may_not_write_or_read() {
    let world = World::new();
    let [access, closed, new] = ["a", "b", "c"].map(|compartment| world.access(compartment));
    let record = record("r").part(&access).unwrap().field("/a", "1").unwrap().part(&closed).unwrap();
    let sealed = record.field("/b", "2").unwrap().seal(&world.ada.author(), NOW).unwrap();
    let reader = world.reader();
    let amend = || reader.amend(&sealed, &[&access]).unwrap();
    assert_eq!(amend().field("/a", "2").unwrap().seal(&world.nurse.author(), NOW).unwrap_err(), Error::NotAllowed);
    assert!(matches!(amend().seal(&world.ada.author(), NOW), Err(Error::ApiMisuse(_))), "nothing changed");
    assert_eq!(amend().part(&closed).unwrap_err(), Error::CannotOpen);
    assert!(matches!(amend().remove("/b").unwrap_err(), Error::ApiMisuse(_)));
    let emptied = amend().remove("/a").unwrap().seal(&world.ada.author(), NOW);
    assert!(matches!(emptied, Err(Error::ApiMisuse(_))), "a part needs a field");
    assert_eq!(reader.amend(&sealed, &[&new]).unwrap_err(), Error::CannotOpen);

    // A part that the record did not have.
    let grown = amend().part(&new).unwrap().field("/c", "3").unwrap().seal(&world.ada.author(), NOW).unwrap();
    let grown = SealedRecord::from_json(&grown.to_json().unwrap()).unwrap();
    assert_eq!(reader.open(&grown, &[&new, &access, &closed]).unwrap().len(), 3);
}

/// Amended from some of its pieces and stored, a record still has the content that the absent part was written in.
#[test]
fn an_amendment_of_one_part_loses_no_other_that_was_left_out() {
    let world = World::new();
    let [a, b] = ["a", "b"].map(|compartment| world.access(compartment));
    let (reader, ada) = (world.reader(), world.ada.author());
    let r0 = record("letter").part(&a).unwrap().field("/a", "1").unwrap().part(&b).unwrap();
    let r0 = r0.field("/b", "2").unwrap().seal(&ada, NOW).unwrap();
    let mut store = r0.pieces().unwrap();
    for revision in 1..=2_u8 {
        let mut some = store.clone();
        some.retain(|key, _| !key.contains("/b/"));
        let some = SealedRecord::from_pieces(r0.owner(), r0.record(), some).unwrap();
        let next = reader.amend(&some, &[&a]).unwrap().field("/a", [revision]).unwrap().seal(&ada, NOW).unwrap();
        let next = SealedRecord::from_cbor(&next.to_cbor().unwrap()).unwrap();
        store.retain(|key, _| !key.contains("/a/"));
        store.extend(next.pieces().unwrap());
        let whole = SealedRecord::from_pieces(r0.owner(), r0.record(), store.clone()).unwrap();
        let view = reader.open(&whole, &[&a, &b]).unwrap();
        assert_eq!((view.get("/a"), view.get("/b")), (Ok(Some(&[revision][..])), Ok(Some(&b"2"[..]))));
    }

    // Without that content there is nothing to go on from.
    let whole = SealedRecord::from_pieces(r0.owner(), r0.record(), store).unwrap();
    let mut bare = value(&whole);
    bare["older"] = json!([]);
    bare["parts"].as_array_mut().unwrap().pop();
    let bare = parsed(&bare).unwrap();
    assert!(reader.open(&bare, &[&a]).is_ok());
    let amended = reader.amend(&bare, &[&a]).unwrap().field("/a", "4").unwrap().seal(&ada, NOW);
    assert!(matches!(amended, Err(Error::ApiMisuse(_))));
}

#[test]
fn a_rewrap_stays_in_its_compartment_and_goes_forward() {
    let world = World::new();
    let (old, other) = (world.access("a"), world.access("b"));
    let new = world.rotated(&old, "role:doctor");
    let before = world.sealed(&old);
    let mut record = before.clone();
    assert!(matches!(record.rewrap(&old, &old), Err(Error::ApiMisuse(_))));
    assert!(matches!(record.rewrap(&old, &other), Err(Error::ApiMisuse(_))));
    let unknown = Error::Unknown(Unknown::Part("b".parse().unwrap()));
    assert_eq!(record.rewrap(&other, &world.rotated(&other, "role:doctor")), Err(unknown));
    // Another key that claims to be the old one.
    let impostor = World::new();
    let foreign = impostor.access("a");
    assert!(matches!(record.rewrap(&foreign, &impostor.rotated(&foreign, "role:doctor")), Err(Error::ApiMisuse(_))));
    let again = world.access("a");
    assert_eq!(record.rewrap(&again, &new), Err(Error::CannotOpen));
    assert_eq!(record, before);
    record.rewrap(&old, &new).unwrap();
    assert_eq!(record.generation(old.compartment()), Some(new.generation()));
    assert!(world.reader().open(&record, &[&new]).is_ok());
    assert_eq!(world.reader().open(&record, &[&old]).unwrap_err(), Error::CannotOpen);
    assert_eq!(record.rewrap(&old, &new), Err(Error::CannotOpen), "it lies under the new key");

    // A key that the record is not committed to is not moved.
    let mut spliced = value(&before);
    spliced["parts"][0]["wrap"] = value(&world.sealed(&old))["parts"][0]["wrap"].clone();
    assert_eq!(parsed(&spliced).unwrap().rewrap(&old, &new), Err(Error::CannotOpen));
}

#[test]
fn a_re_seal_keeps_the_author_and_nothing_else() {
    let world = World::new();
    let [old, other] = ["a", "b"].map(|compartment| world.access(compartment));
    let new = world.rotated(&old, "role:doctor");
    let before = world.sealed(&old);
    let reader = world.reader();
    let phone = Author::device(&world.phone, world.devices()).unwrap();
    let after = reader.reseal(&before, (&old, &new), &phone, after(9)).unwrap();
    assert_eq!(after.content(), before.content());
    let (one, two) = (value(&before), value(&after));
    for pointer in ["envelope/statement/salt", "envelope/statement/root", "wrap/key", "body/author", "body/fields"] {
        let pointer = format!("/parts/0/{pointer}");
        assert_ne!(one.pointer(&pointer).unwrap(), two.pointer(&pointer).unwrap(), "{pointer}");
    }
    let view = reader.open(&after, &[&new]).unwrap();
    assert_eq!((person(&view.parts()[0].writer), view.get("/diagnosis")), ("dr-ada", Ok(Some(&b"I21.4"[..]))));
    let sealer = view.parts()[0].resealed.as_ref().unwrap();
    assert!(matches!(&sealer.by, Writer::Device { device, .. } if device.as_str() == "phone"));
    assert_eq!((sealer.time, view.parts()[0].time), (NOW.plus(Duration::from_secs(9)), NOW));
    assert_eq!(reader.open(&before, &[&old]).unwrap().parts()[0].resealed, None);
    assert_eq!(reader.open(&after, &[&old]).unwrap_err(), Error::CannotOpen);
    assert!(matches!(reader.reseal(&before, (&old, &other), &phone, NOW), Err(Error::ApiMisuse(_))));
    assert!(matches!(reader.reseal(&after, (&new, &old), &phone, NOW), Err(Error::ApiMisuse(_))), "an earlier key");
    assert!(matches!(reader.reseal(&before, (&old, &new), &world.ada.author(), NOW), Err(Error::ApiMisuse(_))));
    // The old wrap brought back does not fit the new envelope.
    let mut spliced = two.clone();
    spliced["parts"][0]["wrap"] = one["parts"][0]["wrap"].clone();
    assert_eq!(reader.open(&parsed(&spliced).unwrap(), &[&old, &new]).unwrap_err(), Error::CannotOpen);
}

/// Words of somebody who may write no more can still be moved under a fresh key; that makes them no more allowed.
#[test]
fn a_re_seal_leaves_it_to_readers_who_was_allowed_to_write() {
    let world = World::new();
    let first = world.consent("a", "role:nurse").1;
    let record = record("r").part(&first).unwrap().field("/a", "1").unwrap();
    let mut sealed = record.seal(&world.nurse.author(), NOW).unwrap();
    let second = world.rotated(&first, "role:doctor");
    let third = world.rotated(&second, "role:doctor");
    sealed.rewrap(&first, &second).unwrap();
    let phone = Author::device(&world.phone, world.devices()).unwrap();
    let reader = world.reader();
    let again = reader.reseal(&sealed, (&second, &third), &phone, NOW).unwrap();
    assert_eq!(person(&reader.open(&again, &[&first, &third]).unwrap().parts()[0].writer), "nurse-ned");
    assert_eq!(person(&reader.open(&again, &[&second, &third]).unwrap().parts()[0].writer), "nurse-ned");

    // The same words under the consent that no longer lets him.
    let record = world::record("r").part(&second).unwrap().field("/a", "1").unwrap();
    assert_eq!(record.seal(&world.nurse.author(), NOW).unwrap_err(), Error::NotAllowed);
}
