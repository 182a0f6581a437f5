//! Who may write, and who may open what.

use std::time::Duration;

use crate::support::world::{NOW, World, YEAR, after, record};
use chartseal::authority::{REVOCATION_LIMIT, Reason, Standing, Trust};
use chartseal::consent::{Devices, Removal};
use chartseal::id::{DeviceId, Revision, Version};
use chartseal::owner::{Device, Owner};
use chartseal::pin::PinStore;
use chartseal::record::{Author, Reader, SealedRecord, Verdict, View, Writer};
use chartseal::{Error, Unknown};
use serde_json::{Value, json};

pub(super) fn value(record: &SealedRecord) -> Value {
    serde_json::from_str(&record.to_json().unwrap()).unwrap()
}

pub(super) fn parsed(value: &Value) -> Result<SealedRecord, Error> {
    SealedRecord::from_json(&value.to_string())
}

pub(crate) fn refused(view: &View) -> Vec<(&str, Vec<Verdict>)> {
    view.refused().iter().map(|refusal| (refusal.compartment.as_str(), refusal.verdicts.clone())).collect()
}

pub(super) fn person(writer: &Writer) -> &str {
    match writer {
        Writer::Person { person, .. } => person.as_str(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reader_learns_who_wrote_when_under_which_consent() {
    let world = World::new();
    let access = world.access("cardiology");
    let view = world.reader().open(&world.sealed(&access), &[&access]).unwrap();
    let [part] = view.parts() else { panic!() };
    assert_eq!((part.time, part.revision, part.consent), (NOW, Revision(0), Version(1)));
    let Writer::Person { authority, person, standing } = &part.writer else { panic!() };
    assert_eq!((authority.as_str(), person.as_str(), *standing), ("st-olave", "dr-ada", Standing::Good));
}

#[test]
fn the_writer_is_refused_first() {
    let world = World::new();
    let access = world.access("cardiology");
    let record = || record("r").part(&access).unwrap().field("/a", "1").unwrap();
    assert_eq!(record().seal(&world.nurse.author(), NOW).unwrap_err(), Error::NotAllowed);
    assert!(record().seal(&world.ada.author(), NOW).is_ok());
    let credential = &world.ada.issued.credential;
    assert!(matches!(Author::new(&world.nurse.identity, credential), Err(Error::ApiMisuse(_))));
}

/// The writer seals as if the policy let him: here under a consent of the same compartment that does.
#[test]
fn whoever_may_not_write_is_refused_by_the_reader_too() {
    let world = World::new();
    let (stored, access) = world.consent("cardiology", "role:doctor");
    let live = world.live(&stored);
    let by_nurse =
        record("r").part(live.write_only(&mut PinStore::default()).unwrap()).unwrap().field("/a", "1").unwrap();
    let sealed = by_nurse.seal(&world.nurse.author(), NOW).unwrap();
    assert_eq!(world.reader().open(&sealed, &[&access]).unwrap_err(), Error::NotAllowed);
}

#[test]
fn an_expired_credential_writes_nothing() {
    let world = World::new();
    let access = world.access("cardiology");
    let seal = |time| {
        let record = record("r").part(&access).unwrap().field("/a", "1").unwrap();
        record.seal(&world.ada.author().danger_unchecked(), time).unwrap()
    };
    let late = Reader::new(&world.trust, after(2 * YEAR)).devices(world.devices().clone());
    // What was written while it was valid stands afterwards; the other order finds it in the reader's memory.
    for _ in 0..2 {
        assert!(late.open(&seal(after(YEAR)), &[&access]).is_ok());
        assert_eq!(late.open(&seal(after(YEAR + 1)), &[&access]).unwrap_err(), Error::Expired("credential"));
        assert_eq!(
            late.open(&seal(NOW.minus(Duration::from_secs(1))), &[&access]).unwrap_err(),
            Error::Expired("credential")
        );
    }
    let fresh = Reader::new(&world.trust, after(2 * YEAR));
    assert_eq!(fresh.open(&seal(after(YEAR + 1)), &[&access]).unwrap_err(), Error::Expired("credential"));
    // The reader's clock may be five minutes behind.
    assert!(world.reader().open(&seal(after(300)), &[&access]).is_ok());
    assert_eq!(world.reader().open(&seal(after(301)), &[&access]).unwrap_err(), Error::Expired("content"));
}

#[test]
fn a_revoked_person_writes_nothing_from_then_on() {
    let mut world = World::new();
    let access = world.access("cardiology");
    let seal = |world: &World, time| {
        let record = record("r").part(&access).unwrap().field("/a", "1").unwrap();
        record.seal(&world.ada.author(), time).unwrap()
    };
    world.revoke("dr-ada", after(50), Reason::Ended);
    let (before, since) = (seal(&world, after(49)), seal(&world, after(50)));
    for order in [[&before, &since], [&since, &before]] {
        let reader = world.reader();
        for record in order {
            let opened = reader.open(record, &[&access]);
            if record == &before {
                let view = opened.unwrap();
                let Writer::Person { standing, .. } = &view.parts()[0].writer else { panic!() };
                assert_eq!(*standing, Standing::RevokedSince(after(50)));
            } else {
                assert!(matches!(opened.unwrap_err(), Error::Revoked(_)));
            }
        }
    }
    world.revoke("dr-ada", after(50), Reason::Compromised);
    assert!(matches!(world.reader().open(&before, &[&access]).unwrap_err(), Error::Revoked(_)));
}

#[test]
fn nobody_is_believed_without_an_anchor() {
    let world = World::new();
    let access = world.access("cardiology");
    let trust = Trust::new(REVOCATION_LIMIT);
    let reader = Reader::new(&trust, NOW);
    assert!(matches!(reader.open(&world.sealed(&access), &[&access]).unwrap_err(), Error::Unknown(_)));
}

#[test]
fn old_records_open_with_a_revocation_list_of_today_and_none_with_an_old_one() {
    let mut world = World::new();
    let access = world.access("cardiology");
    let sealed = world.sealed(&access);
    let mut trust = Trust::new(REVOCATION_LIMIT);
    trust.add(world.hospital.anchor()).unwrap();
    let mut pins = PinStore::default();
    trust.update(&world.hospital.publish(NOW).unwrap(), &mut pins, NOW).unwrap();
    let devices = world.devices().clone();
    let open =
        |trust: &Trust, now| Reader::new(trust, now).devices(devices.clone()).open(&sealed, &[&access]).map(|_| ());
    // The credential is over by then, too; what was written while it was valid stands.
    let late = after(2 * YEAR);
    let last = trust.revocations_issued_at(world.hospital.id()).unwrap().plus(REVOCATION_LIMIT);
    assert_eq!(open(&trust, last), Ok(()));
    for at in [last.plus(Duration::from_secs(1)), late] {
        assert_eq!(open(&trust, at), Err(Error::Expired("revocation list")));
    }
    trust.update_revocations(&world.hospital.renew_revocations(late).unwrap(), &mut pins, late).unwrap();
    assert_eq!(open(&trust, late), Ok(()));
    // Whoever stole her key signs today what he says is old: the list of today knows of it.
    world.hospital.revoke(&"dr-ada".parse().unwrap(), late, Reason::Compromised, late).unwrap();
    trust.update_revocations(&world.hospital.revocations(late).unwrap(), &mut pins, late).unwrap();
    assert_eq!(open(&trust, late), Err(Error::Revoked("this person")));
}

#[test]
fn a_laboratory_writes_and_opens_nothing() {
    let world = World::new();
    let (stored, access) = world.consent("lab", "role:laboratory");
    let live = world.live(&stored);
    let sealed = record("r")
        .part(live.write_only(&mut PinStore::default()).unwrap())
        .unwrap()
        .field("/potassium", "3.9")
        .unwrap();
    let sealed = sealed.seal(&world.lab.author(), NOW).unwrap();
    assert!(value(&sealed)["parts"][0]["wrap"]["key"]["written"].is_object());

    let reader = world.reader();
    let view = reader.open(&sealed, &[&access]).unwrap();
    assert_eq!(view.get("/potassium"), Ok(Some(&b"3.9"[..])));
    assert_eq!(person(&view.parts()[0].writer), "lab-7");
    // What the laboratory holds: the consent, its own keys, and no access.
    assert_eq!(reader.open(&sealed, &[]).unwrap_err(), Error::CannotOpen);
    assert!(live.open_as(&world.lab.identity, &mut PinStore::default()).is_err());

    // The next generation makes the wrap symmetric, and everything else stays.
    let next = world.rotated(&access, "role:laboratory");
    let mut moved = sealed.clone();
    moved.rewrap(&access, &next).unwrap();
    assert!(value(&moved)["parts"][0]["wrap"]["key"]["symmetric"].is_string());
    assert!(reader.open(&moved, &[&next]).is_ok());
    assert_eq!(reader.open(&moved, &[&access]).unwrap_err(), Error::CannotOpen);
    let (mut one, two) = (value(&sealed), value(&moved));
    one["parts"][0]["wrap"] = two["parts"][0]["wrap"].clone();
    assert_eq!(one, two);
}

#[test]
fn an_owners_device_writes_whatever_the_consent_says() {
    let world = World::new();
    let access = world.access("diary");
    let sealed = {
        let author = Author::device(&world.phone, world.devices()).unwrap();
        record("r").part(&access).unwrap().field("/mood", "good").unwrap().seal(&author, NOW).unwrap()
    };
    let view = world.reader().open(&sealed, &[&access]).unwrap();
    assert!(matches!(&view.parts()[0].writer, Writer::Device { device, .. } if device.as_str() == "phone"));
    let reader = Reader::new(&world.trust, NOW);
    let unknown = Error::Unknown(Unknown::DeviceList(world.alice.id().clone()));
    assert_eq!(reader.open(&sealed, &[&access]).unwrap_err(), unknown);

    // Not somebody else's device, neither under its own list nor with its own name.
    let (other, phone) = Owner::generate_with_device(DeviceId::new("phone").unwrap(), NOW).unwrap();
    let author = Author::device(&phone, other.devices()).unwrap();
    let foreign = record("r").part(&access).unwrap().field("/mood", "bad").unwrap();
    assert_eq!(foreign.seal(&author, NOW).unwrap_err(), Error::NotAllowed);
    assert!(matches!(Author::device(&phone, world.devices()), Err(Error::ApiMisuse(_))));
}

#[test]
fn what_a_retired_device_wrote_stands() {
    let mut world = World::new();
    let access = world.access("a");
    // And is marked.
    let tablet = Device::generate(DeviceId::new("tablet").unwrap()).unwrap();
    world.alice.add_device(&tablet.public(), NOW).unwrap();
    let seal = |world: &World, time| {
        let author = Author::device(&tablet, world.devices()).unwrap();
        record("r").part(&access).unwrap().field("/mood", "good").unwrap().seal(&author, time).unwrap()
    };
    let (before, since) = (seal(&world, after(5)), seal(&world, after(10)));
    world.alice.remove_device(tablet.id(), Removal::Retired, after(10)).unwrap();
    let view = world.reader().open(&before, &[&access]).unwrap();
    let Writer::Device { standing, .. } = &view.parts()[0].writer else { panic!() };
    assert_eq!(*standing, Standing::RevokedSince(after(10)));
    assert_eq!(world.reader().open(&since, &[&access]).unwrap_err(), Error::Revoked("this device"));
}

#[test]
fn what_a_stolen_device_backdates_does_not_count() {
    let mut world = World::new();
    let access = world.access("a");
    let tablet = Device::generate(DeviceId::new("tablet").unwrap()).unwrap();
    world.alice.add_device(&tablet.public(), NOW).unwrap();
    let listed = world.devices().clone();
    let seal = |time| {
        let author = Author::device(&tablet, &listed).unwrap();
        record("r").part(&access).unwrap().field("/mood", "good").unwrap().seal(&author, time).unwrap()
    };
    world.alice.remove_device(tablet.id(), Removal::Retired, after(20)).unwrap();
    let retired = world.devices().clone();
    // It turns out that the tablet was not wiped, but stolen.
    let stolen = Removal::Lost { since: after(10) };
    world.alice.remove_device(tablet.id(), stolen, after(30)).unwrap();
    // In whatever list comes later, it gets no milder.
    let unknown = Unknown::Device { owner: world.alice.id().clone(), device: tablet.id().clone() };
    let milder = world.alice.remove_device(tablet.id(), Removal::Retired, after(40)).err();
    assert_eq!(milder, Some(Error::Unknown(unknown)));
    world.alice.remove_device(tablet.id(), Removal::Lost { since: after(15) }, after(40)).unwrap();
    world.alice.add_device(&Device::generate(DeviceId::new("watch").unwrap()).unwrap().public(), after(50)).unwrap();
    assert_eq!(world.devices().removed()[0].why, stolen);
    assert_eq!(world.devices().removed()[0].since, after(20));
    let future = world.alice.remove_device(world.phone.id(), Removal::Lost { since: after(61) }, after(60));
    assert!(matches!(future, Err(Error::ApiMisuse(_))));
    for at in [after(0), after(5), after(25)] {
        let theft = seal(at);
        let now = after(60);
        let reader = |devices: &Devices| Reader::new(&world.trust, now).devices(devices.clone());
        assert_eq!(
            reader(&retired).open(&theft, &[&access]).is_ok(),
            at < after(20),
            "while it was said to be retired"
        );
        assert_eq!(reader(world.devices()).open(&theft, &[&access]).err(), Some(Error::Revoked("this device")));
        let review = reader(world.devices()).review(&theft, &[&access]).unwrap();
        let part = review.part(access.compartment()).unwrap();
        assert_eq!(part.verdicts(), [Verdict::KeyCompromised]);
        // The owner looks through it, and knows since when.
        assert_eq!(part.values(&[Verdict::KeyCompromised]).unwrap().get("/mood"), Some(&b"good"[..]));
        let Writer::Device { standing, .. } = &part.written().unwrap().writer else { panic!() };
        assert_eq!(*standing, Standing::RevokedSince(after(10)));
    }
}

#[test]
fn a_record_in_three_compartments_opens_as_far_as_the_keys_go() {
    let world = World::new();
    let [a, b, c] = ["a", "b", "c"].map(|compartment| world.access(compartment));
    let sealed = record("letter").part(&c).unwrap().field("/z", "3").unwrap();
    let sealed = sealed.part(&a).unwrap().field("/m", "1").unwrap().field("/x", "1b").unwrap();
    let sealed = sealed.part(&b).unwrap().field("/b", "2").unwrap().seal(&world.ada.author(), NOW).unwrap();
    let reader = world.reader();
    let view = reader.open(&sealed, &[&b, &a]).unwrap();
    let all: Vec<_> = view.iter().map(|(_, path, value)| (path.as_str(), value)).collect();
    assert_eq!(all, [("/m", &b"1"[..]), ("/x", b"1b"), ("/b", b"2")]);
    assert_eq!(view.closed().iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["c"]);
    assert_eq!(view.get("/z"), Ok(None));
    assert_eq!(reader.open(&sealed, &[&a, &b, &c]).unwrap().closed(), []);
    assert_eq!(reader.into_view(sealed, &[&c]).unwrap().len(), 1);
}

#[test]
fn parts_of_two_records_do_not_mix() {
    let world = World::new();
    let [a, b] = ["a", "b"].map(|compartment| world.access(compartment));
    let seal = || {
        let record = record("letter").part(&a).unwrap().field("/a", "1").unwrap().part(&b).unwrap();
        value(&record.field("/b", "2").unwrap().seal(&world.ada.author(), NOW).unwrap())
    };
    let (one, two) = (seal(), seal());
    // A part whole: its envelope names a content that is not here.
    let mut mixed = one.clone();
    mixed["parts"][1] = two["parts"][1].clone();
    assert_eq!(parsed(&mixed), Err(Error::Malformed("sealed record")));
    // With its content: that cannot stand beside one of the same revision.
    mixed["older"] = json!([two["content"]]);
    assert_eq!(parsed(&mixed), Err(Error::Malformed("sealed record")));
    // Envelope made to fit.
    mixed["older"] = json!([]);
    mixed["parts"][1]["envelope"]["statement"]["content"] = one["parts"][1]["envelope"]["statement"]["content"].clone();
    let mixed = parsed(&mixed).unwrap();
    assert_eq!(world.reader().open(&mixed, &[&b]).unwrap_err(), Error::CannotOpen);
    let view = world.reader().open(&mixed, &[&a, &b]).unwrap();
    assert_eq!((view.get("/a"), view.get("/b")), (Ok(Some(&b"1"[..])), Ok(None)));
    assert_eq!(refused(&view), [("b", vec![Verdict::Altered])]);
    // Parts exchanged between compartments, by name.
    let mut swapped = one.clone();
    swapped["parts"][0]["body"] = one["parts"][1]["body"].clone();
    swapped["parts"][1]["body"] = one["parts"][0]["body"].clone();
    let swapped = parsed(&swapped).unwrap();
    assert_eq!(world.reader().open(&swapped, &[&a]).unwrap_err(), Error::CannotOpen);
}

/// Two parts at different revisions: what one signed content says of the other part must be true.
#[test]
fn parts_of_two_revisions_do_not_mix() {
    let world = World::new();
    let [a, b] = ["a", "b"].map(|compartment| world.access(compartment));
    let reader = world.reader();
    let ada = world.ada.author();
    let record = record("letter").part(&a).unwrap().field("/a", "1").unwrap().part(&b).unwrap();
    let r0 = record.field("/b", "2").unwrap().seal(&ada, NOW).unwrap();
    let r1 = reader.amend(&r0, &[&b]).unwrap().field("/b", "3").unwrap().seal(&ada, NOW).unwrap();
    let r2 = reader.amend(&r1, &[&a]).unwrap().field("/a", "4").unwrap().seal(&ada, NOW).unwrap();
    assert_eq!(reader.open(&r2, &[&a, &b]).unwrap().get("/b"), Ok(Some(&b"3"[..])));

    // The old part b under the newest content: it does not name that part.
    let (v0, v2) = (value(&r0), value(&r2));
    let mut mixed = v2.clone();
    mixed["parts"][1] = v0["parts"][1].clone();
    mixed["older"] = json!([v0["content"]]);
    assert_eq!(parsed(&mixed), Err(Error::Malformed("sealed record")));
    // The store makes the newest content name it: then that is not what ada signed.
    mixed["content"]["parts"][1] = v0["content"]["parts"][1].clone();
    let unsigned = mixed.clone();
    assert_eq!(parsed(&unsigned), Err(Error::Malformed("sealed record")), "part a names another content");

    // A newest content that nobody signed, above parts of two revisions of which one knows better.
    let mut above = json!({
        "suite": "chartseal-1", "content": v2["content"], "older": [v0["content"], v2["content"]],
        "parts": [v2["parts"][0], v0["parts"][1]],
    });
    above["content"]["revision"] = json!(3);
    above["content"]["parts"][1] = v0["content"]["parts"][1].clone();
    above["content"]["parts"].as_array_mut().unwrap().push(json!({
        "compartment": "c", "consent": 1, "revision": 3, "root": v2["content"]["parts"][0]["root"],
    }));
    let above = parsed(&above).unwrap();
    let view = reader.open(&above, &[&a, &b]).unwrap();
    assert_eq!((view.get("/a"), view.get("/b")), (Ok(Some(&b"4"[..])), Ok(None)));
    assert_eq!(refused(&view), [("b", vec![Verdict::Contradicted])]);
    // Who opens one of them only cannot know: the part itself is genuine, and says which revision it is.
    assert_eq!(reader.open(&above, &[&b]).unwrap().revision(), Revision(0));
}

#[test]
fn earlier_words_stand_by_the_consent_that_they_were_written_under() {
    let world = World::new();
    let first = world.consent("a", "role:nurse").1;
    let sealed = record("r").part(&first).unwrap().field("/a", "1").unwrap().seal(&world.nurse.author(), NOW);
    let mut sealed = sealed.unwrap();
    let second = world.rotated(&first, "role:doctor");
    sealed.rewrap(&first, &second).unwrap();
    let reader = world.reader();
    // With the first consent at hand, and by what the second says of it.
    assert!(reader.open(&sealed, &[&second]).is_ok());
    let view = reader.open(&sealed, &[&first, &second]).unwrap();
    assert_eq!((view.parts()[0].consent, person(&view.parts()[0].writer)), (Version(1), "nurse-ned"));
    // Nothing new comes in that way: what names the second consent is judged by it.
    let later = record("r").part(&second).unwrap().field("/a", "1").unwrap();
    assert_eq!(later.seal(&world.nurse.author(), NOW).unwrap_err(), Error::NotAllowed);
}

#[test]
fn the_store_sees_neither_author_nor_attributes() {
    let world = World::new();
    let access = world.access("cardiology");
    let sealed = world.sealed(&access);
    let (json, cbor) = (sealed.to_json().unwrap(), sealed.to_cbor().unwrap());
    let signing = world.ada.identity.public().signing;
    for secret in [&b"dr-ada"[..], b"st-olave", b"role", b"doctor", signing.as_bytes(), b"I21.4"] {
        assert!(!cbor.windows(secret.len()).any(|window| window == secret));
        assert!(!json.as_bytes().windows(secret.len()).any(|window| window == secret));
    }
    // Nor by the lengths of the blocks: that of the owner's phone is as long, a nurse's too, and one that was sealed anew.
    let values = |access| {
        let record = record("encounter-17").part(access).unwrap().field("/diagnosis", "I21.4").unwrap();
        record.field("/history", "I20.0").unwrap().field("/empty", "").unwrap()
    };
    let phone = Author::device(&world.phone, world.devices()).unwrap();
    assert_eq!(values(&access).seal(&phone, NOW).unwrap().to_cbor().unwrap().len(), cbor.len());
    let again = world.reader().reseal(&sealed, (&access, &access), &phone, NOW).unwrap();
    assert_eq!(again.to_cbor().unwrap().len(), cbor.len());
    let access = world.consent("cardiology", "role:nurse").1;
    assert_eq!(values(&access).seal(&world.nurse.author(), NOW).unwrap().to_cbor().unwrap().len(), cbor.len());
}

/// Whoever lost the right to write names the consent that gave it: that ends when the next one is signed.
#[test]
fn a_consent_that_was_replaced_lets_nobody_write() {
    let world = World::new();
    let first = world.consent("a", "role:nurse").1;
    let second = world.rotated(&first, "role:doctor");
    let third = world.rotated(&second, "role:nurse");
    let reader = Reader::new(&world.trust, after(YEAR));
    let seal = |time| {
        let record = record("r").part(&first).unwrap().field("/a", "1").unwrap();
        record.seal(&world.nurse.author(), time).unwrap()
    };
    // A phone's clock and an author's may differ by five minutes.
    assert!(reader.open(&seal(after(300)), &[&first, &second]).is_ok());
    assert!(reader.open(&seal(after(301)), &[&first]).is_ok());
    for accesses in [[&first, &second], [&second, &first]] {
        assert_eq!(reader.open(&seal(after(301)), &accesses).unwrap_err(), Error::NotAllowed);
    }
    // Nor does the consent between two that allow it forbid what the latest allows.
    assert!(reader.open(&seal(after(301)), &[&first, &second, &third]).is_ok());
}

#[test]
fn a_consent_that_ended_lets_nobody_write() {
    let world = World::new();
    let consent = world.phone.consent(world.devices(), "a".parse().unwrap()).valid(NOW, after(1000));
    let consent = consent.write(&world.trust, world.hospital.id(), "role:nurse").unwrap();
    let access = consent.seal(NOW).unwrap().1;
    let reader = Reader::new(&world.trust, after(YEAR)).devices(world.devices().clone());
    let seal = |author: &Author<'_>, time| {
        let record = record("r").part(&access).unwrap().field("/a", "1").unwrap();
        reader.open(&record.seal(author, time)?, &[&access]).map(drop)
    };
    let unasked = world.nurse.author().danger_unchecked();
    assert_eq!(seal(&unasked, after(1300)), Ok(()));
    assert_eq!(seal(&unasked, after(1301)), Err(Error::Expired("consent")));
    // Who asks before he seals is told at the end, without the leave that a reader's clock has.
    assert_eq!(seal(&world.nurse.author(), after(1000)), Ok(()));
    assert_eq!(seal(&world.nurse.author(), after(1001)), Err(Error::Expired("consent")));
    // It binds others, not the owner.
    let phone = Author::device(&world.phone, world.devices()).unwrap();
    assert_eq!(seal(&phone, after(1301)), Ok(()));
}

/// Old consents are destroyed after a rotation; what was written under them is not lost with them.
#[test]
fn a_later_consent_remembers_who_could_write_when_the_earlier_ones_are_gone() {
    let world = World::new();
    let first = world.consent("a", "role:nurse").1;
    let second = world.rotated(&first, "role:nurse");
    let third = world.rotated(&second, "role:doctor");
    let fourth = world.rotated(&third, "role:doctor");
    let past = &fourth.terms().past;
    assert_eq!(past.iter().map(|past| (past.from.0, past.to.0)).collect::<Vec<_>>(), [(1, 2), (3, 3)]);

    let reader = Reader::new(&world.trust, after(YEAR));
    let sealed = |access, time| {
        let record = record("r").part(access).unwrap().field("/a", "1").unwrap();
        let mut sealed = record.seal(&world.nurse.author(), time).unwrap();
        sealed.rewrap(access, &fourth).unwrap();
        sealed
    };
    for access in [&first, &second] {
        let lawful = sealed(access, after(300));
        assert_eq!(person(&reader.open(&lawful, &[&fourth]).unwrap().parts()[0].writer), "nurse-ned");
        // Naming the old consent helps nobody after the next one was signed, whether the old one is at hand or not.
        let late = sealed(access, after(301));
        assert_eq!(reader.open(&late, &[&fourth]).unwrap_err(), Error::NotAllowed);
        assert_eq!(reader.open(&late, &[access, &fourth]).unwrap_err(), Error::NotAllowed);
    }
}
