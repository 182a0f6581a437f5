//! A part that does not count takes nothing away from the others, and what counts no more is shown with a verdict.

use std::time::Duration;

use chartseal::authority::{Authority, Reason, Standing, Trust};
use chartseal::consent::{Access, StoredConsent};
use chartseal::id::{CompartmentId, Revision, Time};
use chartseal::identity::Identity;
use chartseal::pin::PinStore;
use chartseal::record::{Author, MAX_PARTS, Reader, ReviewedPart, SealedRecord, Verdict, Writer};
use chartseal::repository::{Put, Repository};
use chartseal::store::MemoryStore;
use chartseal::{Error, Unknown};
use pollster::block_on;

use super::authors::refused;
use super::support::world::{NOW, World, YEAR, after, record};

const DAY: u64 = 86_400;

pub(crate) fn phone(world: &World) -> Author<'_> {
    Author::device(&world.phone, world.devices()).unwrap()
}

pub(crate) fn at(world: &World, now: Time) -> Reader<'_> {
    Reader::new(&world.trust, now).devices(world.devices().clone())
}

/// A record as whoever has no key to these compartments gets it.
pub(crate) fn without(record: &SealedRecord, compartment: &str) -> SealedRecord {
    let mut pieces = record.pieces().unwrap();
    pieces.retain(|key, _| !key.contains(&format!("/{compartment}/")));
    SealedRecord::from_pieces(record.owner(), record.record(), pieces).unwrap()
}

fn stored(repository: &Repository<'_>, record: &SealedRecord) -> SealedRecord {
    block_on(repository.get(record.owner(), record.record())).unwrap().unwrap()
}

fn only<'a>(review: &'a chartseal::record::Review, access: &Access) -> &'a ReviewedPart {
    review.part(access.compartment()).unwrap()
}

#[test]
fn a_writer_of_one_compartment_takes_no_path_from_another() {
    let world = World::new();
    let a = world.access("a");
    let (_, b) = world.consent("b", "role:doctor or role:nurse");
    let store = MemoryStore::new();
    let repository = Repository::new(&store);
    let first = record("r").part(&a).unwrap().field("/diagnosis", "I21.4").unwrap();
    let first = first.part(&b).unwrap().field("/note", "x").unwrap().seal(&world.ada.author(), NOW).unwrap();
    assert_eq!(block_on(repository.put(&first)), Ok(Put::Done));
    // The nurse has no key to a, and takes a path that stands there.
    let hers = without(&first, "a");
    let evil = world.reader().amend(&hers, &[&b]).unwrap().field("/diagnosis", "evil").unwrap();
    let evil = evil.seal(&world.nurse.author(), NOW).unwrap();
    assert_eq!(block_on(repository.amend(&hers, &evil)), Ok(Put::Done));

    let view = world.reader().open(&stored(&repository, &first), &[&a, &b]).unwrap();
    assert_eq!(view.get_in(a.compartment(), "/diagnosis"), Some(&b"I21.4"[..]));
    assert_eq!(view.get_in(b.compartment(), "/diagnosis"), Some(&b"evil"[..]));
    assert_eq!(view.get_in(b.compartment(), "/absent"), None);
    // Neither of the two, and not nothing, to whoever does not say which.
    assert!(matches!(view.get("/diagnosis"), Err(Error::ApiMisuse(_))));
    assert!(matches!(view.revision_of("/diagnosis"), Err(Error::ApiMisuse(_))));
    assert_eq!(view.get("/note"), Ok(Some(&b"x"[..])));
    let all: Vec<_> = view.iter().map(|(compartment, path, _)| (compartment.as_str(), path.as_str())).collect();
    assert_eq!(all, [("a", "/diagnosis"), ("b", "/diagnosis"), ("b", "/note")]);
    // And part a can be amended.
    let whole = stored(&repository, &first);
    let next = world.reader().amend(&whole, &[&a]).unwrap().field("/note", "y").unwrap();
    let next = next.seal(&world.ada.author(), NOW).unwrap();
    assert_eq!(block_on(repository.amend(&whole, &next)), Ok(Put::Done));
}

/// As many fields as a part may have leave the other parts their own.
#[test]
fn a_writer_of_one_compartment_takes_no_room_of_fields_from_another() {
    let world = World::new();
    let [a, b] = ["a", "b"].map(|compartment| world.access(compartment));
    let mut many = record("r").part(&b).unwrap();
    for i in 0..chartseal::record::MAX_FIELDS {
        many = many.field(format!("/{i}").as_str(), "").unwrap();
    }
    let many = many.part(&a).unwrap().field("/diagnosis", "I21.4").unwrap().seal(&world.ada.author(), NOW).unwrap();
    let many = SealedRecord::from_cbor(&many.to_cbor().unwrap()).unwrap();
    let view = world.reader().open(&many, &[&a, &b]).unwrap();
    assert_eq!(view.get_in(a.compartment(), "/diagnosis"), Some(&b"I21.4"[..]));
}

#[test]
fn a_part_that_its_author_may_not_write_hides_no_other_and_its_owner_takes_it_back() {
    let world = World::new();
    let (_, a) = world.consent("a", "role:doctor or role:nurse");
    let (consent, b) = world.consent("b", "role:doctor");
    let store = MemoryStore::new();
    let repository = Repository::new(&store);
    let first = record("r").part(&a).unwrap().field("/diagnosis", "I21.4").unwrap();
    let first = first.seal(&world.ada.author(), NOW).unwrap();
    assert_eq!(block_on(repository.put(&first)), Ok(Put::Done));
    // The nurse may write in a, and not in b; her library does not know what stands in a consent that she cannot open.
    let live = world.live(&consent);
    let evil = world
        .reader()
        .amend(&first, &[&a])
        .unwrap()
        .part(live.write_only(&mut PinStore::default()).unwrap())
        .unwrap()
        .field("/junk", "x")
        .unwrap();
    let evil = evil.seal(&world.nurse.author(), NOW).unwrap();
    assert_eq!(block_on(repository.amend(&first, &evil)), Ok(Put::Done));

    let reader = world.reader();
    let now = stored(&repository, &first);
    for view in [reader.open(&now, &[&a, &b]).unwrap(), reader.into_view(now.clone(), &[&a, &b]).unwrap()] {
        assert_eq!((view.get("/diagnosis"), view.get("/junk")), (Ok(Some(&b"I21.4"[..])), Ok(None)));
        assert_eq!(refused(&view), [("b", vec![Verdict::NotAllowed])]);
        assert!(view.closed().is_empty() && view.parts().len() == 1);
    }
    // Asked for alone, it is an error.
    assert_eq!(reader.open(&now, &[&b]).err(), Some(Error::NotAllowed));
    // Others amend around it, and write nothing over it by chance.
    let beside = reader.amend(&now, &[&a, &b]).unwrap();
    assert_eq!(beside.part(&b).err(), Some(Error::NotAllowed));

    // The owner takes it back.
    let phone = phone(&world);
    let mended = reader.supersede(&now, &[&a, &b]).unwrap().anew(&b).unwrap().seal(&phone, after(1)).unwrap();
    assert_eq!(block_on(repository.amend(&now, &mended)), Ok(Put::Done));
    let view = reader.open(&stored(&repository, &first), &[&a, &b]).unwrap();
    assert_eq!(refused(&view), []);
    assert_eq!(view.get("/diagnosis"), Ok(Some(&b"I21.4"[..])));
    // Who remembers the part is told by whom it is gone.
    let part = view.part(b.compartment()).unwrap();
    assert!(matches!(&part.writer, Writer::Device { device, .. } if device.as_str() == "phone"));
    assert!(view.values(b.compartment()).unwrap().is_empty());
    // And what the doctor wrote is still the doctor's.
    assert!(
        matches!(&view.part(a.compartment()).unwrap().writer, Writer::Person { person, .. } if person.as_str() == "dr-ada")
    );
    // From then on who may write there goes on.
    let next = reader.amend(&mended, &[&a, &b]).unwrap().part(&b).unwrap().field("/note", "n").unwrap();
    assert!(next.seal(&world.ada.author(), after(2)).is_ok());
}

/// A part of a compartment's own reader that was altered is as little a reason as one of a stranger.
#[test]
fn an_altered_part_hides_no_other_and_whoever_may_write_replaces_it() {
    let world = World::new();
    let [a, b] = ["a", "b"].map(|compartment| world.access(compartment));
    let sealed = record("r").part(&a).unwrap().field("/a", "1").unwrap().part(&b).unwrap();
    let sealed = sealed.field("/b", "2").unwrap().seal(&world.ada.author(), NOW).unwrap();
    for pointer in ["body/fields/~1b/tag", "body/author/tag", "envelope/sealer/tag"] {
        let mut altered: serde_json::Value = serde_json::from_str(&sealed.to_json().unwrap()).unwrap();
        *altered["parts"][1].pointer_mut(&format!("/{pointer}")).unwrap() = "AAAAAAAAAAAAAAAAAAAAAA".into();
        let altered = SealedRecord::from_json(&altered.to_string()).unwrap();
        let reader = world.reader();
        let view = reader.open(&altered, &[&a, &b]).unwrap();
        assert_eq!((view.get("/a"), view.get("/b")), (Ok(Some(&b"1"[..])), Ok(None)), "{pointer}");
        assert_eq!(refused(&view), [("b", vec![Verdict::Altered])]);
        let review = reader.review(&altered, &[&a, &b]).unwrap();
        let every = [Verdict::Altered, Verdict::UnknownAuthor, Verdict::NotAllowed];
        assert_eq!(only(&review, &b).values(&every).err(), Some(Verdict::Altered), "nobody can say whose it is");
        assert!(only(&review, &b).written().is_none());
        assert_eq!(only(&review, &a).values(&[]).unwrap().get("/a"), Some(&b"1"[..]));

        let anew = reader.amend(&altered, &[&a, &b]).unwrap().anew(&b).unwrap().field("/b", "3").unwrap();
        let anew = anew.seal(&world.ada.author(), after(1)).unwrap();
        assert_eq!(reader.open(&anew, &[&a, &b]).unwrap().get("/b"), Ok(Some(&b"3"[..])));
    }
}

/// A nurse puts junk under the id that the patient's records need, with a schema of her own, and fills all parts there are.
#[test]
fn an_id_that_was_squatted_is_its_owners_again() {
    let world = World::new();
    let a = world.access("a");
    let store = MemoryStore::new();
    let repository = Repository::new(&store);
    let consents: Vec<StoredConsent> =
        (1..MAX_PARTS).map(|i| world.consent(&format!("z{i}"), "role:doctor").0).collect();
    let lives: Vec<_> = consents.iter().map(|consent| world.live(consent)).collect();
    let mut junk = chartseal::record::Record::new("r".parse().unwrap(), "junk/junk".parse().unwrap());
    junk = junk.part(&a).unwrap().field("/junk", "x").unwrap();
    for live in &lives {
        junk = junk.part(live.write_only(&mut PinStore::default()).unwrap()).unwrap().field("/junk", "x").unwrap();
    }
    let junk = junk.seal(&world.nurse.author().danger_unchecked(), NOW).unwrap();
    assert_eq!(block_on(repository.put(&junk)), Ok(Put::Done));
    let honest = record("r").part(&a).unwrap().field("/diagnosis", "I21.4").unwrap();
    assert_eq!(block_on(repository.put(&honest.seal(&world.ada.author(), NOW).unwrap())), Ok(Put::Conflict));

    let reader = world.reader();
    assert_eq!(reader.amend(&junk, &[&a]).err(), Some(Error::NotAllowed));
    let mine = || {
        let mut mine = reader.supersede(&junk, &[&a]).unwrap();
        for live in &lives {
            mine = mine.leave_out(live.compartment()).unwrap();
        }
        mine.anew(&a).unwrap().field("/diagnosis", "I21.4").unwrap().schema("clinic/encounter".parse().unwrap())
    };
    // Nobody but the owner's devices takes a record over.
    assert_eq!(mine().seal(&world.ada.author(), NOW).err(), Some(Error::NotAllowed));
    let mine = mine().seal(&phone(&world), NOW).unwrap();
    assert!(
        matches!(block_on(repository.amend(&junk, &mine)), Err(Error::ApiMisuse(_))),
        "an amendment takes nothing away"
    );
    assert_eq!(block_on(repository.supersede(&junk, &mine)), Ok(Put::Done));
    let now = stored(&repository, &junk);
    let view = reader.open(&now, &[&a]).unwrap();
    assert_eq!((view.schema().as_str(), view.get("/diagnosis")), ("clinic/encounter", Ok(Some(&b"I21.4"[..]))));
    assert!(view.closed().is_empty() && view.refused().is_empty());
    // And a doctor goes on.
    let next =
        reader.amend(&now, &[&a]).unwrap().field("/history", "h").unwrap().seal(&world.ada.author(), NOW).unwrap();
    assert_eq!(block_on(repository.amend(&now, &next)), Ok(Put::Done));
}

/// What somebody cannot open he neither replaces nor leaves out; the owner's devices do.
#[test]
fn nobody_but_the_owner_replaces_what_he_cannot_open() {
    let world = World::new();
    let [a, b] = ["a", "b"].map(|compartment| world.access(compartment));
    let sealed = record("r").part(&a).unwrap().field("/a", "1").unwrap().part(&b).unwrap();
    let sealed = sealed.field("/b", "2").unwrap().seal(&world.ada.author(), NOW).unwrap();
    let reader = world.reader();
    let blind = || reader.supersede(&sealed, &[&a]).unwrap().anew(&b).unwrap().field("/b", "3").unwrap();
    assert_eq!(blind().seal(&world.ada.author(), NOW).err(), Some(Error::NotAllowed));
    let seen = reader.supersede(&sealed, &[&a, &b]).unwrap().anew(&b).unwrap().field("/b", "3").unwrap();
    assert!(seen.seal(&world.ada.author(), NOW).is_ok());
    assert!(blind().seal(&phone(&world), NOW).is_ok());
    let out = || reader.supersede(&sealed, &[&a, &b]).unwrap().leave_out(b.compartment()).unwrap();
    assert!(matches!(out().seal(&phone(&world), NOW), Err(Error::ApiMisuse(_))), "who signs writes a part");
    let out = || out().part(&a).unwrap().field("/a", "2").unwrap();
    assert_eq!(out().seal(&world.ada.author(), NOW).err(), Some(Error::NotAllowed));
    let out = out().seal(&phone(&world), NOW).unwrap();
    // Who saw the part sees that it is gone without a word.
    let [before, gone] = [&sealed, &out].map(|record| reader.open(record, &[&a, &b]).unwrap());
    assert_eq!(gone.follows(&before), Err(Error::Rollback("record")));
    let absent: CompartmentId = "c".parse().unwrap();
    assert!(matches!(reader.supersede(&sealed, &[&a]).unwrap().leave_out(&absent), Err(Error::ApiMisuse(_))));
    let kept = reader.supersede(&sealed, &[&a]).unwrap().schema("other".parse().unwrap());
    let kept = kept.part(&a).unwrap().field("/a", "2").unwrap().seal(&phone(&world), NOW);
    assert!(matches!(kept, Err(Error::ApiMisuse(_))), "part b is sealed under its schema");
}

#[test]
fn a_key_that_was_stolen_since_closes_no_record_to_its_owner() {
    let mut world = World::new();
    let a = world.access("a");
    let (_, b) = world.consent("b", "role:laboratory");
    let first = record("r").part(&a).unwrap().field("/allergy", "penicillin").unwrap();
    let first = first.seal(&world.ada.author(), NOW).unwrap();
    let lab = world.reader().amend(&first, &[&a]).unwrap().part(&b).unwrap().field("/k", "3.1").unwrap();
    let both = lab.seal(&world.lab.author(), NOW).unwrap();
    assert_eq!(world.reader().open(&both, &[&a, &b]).unwrap().parts().len(), 2);
    world.revoke("dr-ada", after(50), Reason::Compromised);

    let reader = world.reader();
    let view = reader.open(&both, &[&a, &b]).unwrap();
    assert_eq!((view.get("/k"), view.get("/allergy")), (Ok(Some(&b"3.1"[..])), Ok(None)));
    assert_eq!(refused(&view), [("a", vec![Verdict::KeyCompromised])]);
    assert!(matches!(reader.open(&both, &[&a]), Err(Error::Revoked(_))), "the strict way stays strict");
    let review = reader.review(&both, &[&a, &b]).unwrap();
    let part = only(&review, &a);
    assert_eq!((part.verdicts(), part.counts()), (&[Verdict::KeyCompromised][..], false));
    assert_eq!(part.values(&[]).err(), Some(Verdict::KeyCompromised), "no value without naming its verdict");
    assert_eq!(part.values(&[Verdict::AnchorRetired]).err(), Some(Verdict::KeyCompromised));
    assert_eq!(part.values(&[Verdict::KeyCompromised]).unwrap().get("/allergy"), Some(&b"penicillin"[..]));
    let Writer::Person { person, standing, .. } = &part.written().unwrap().writer else { panic!() };
    assert_eq!((person.as_str(), *standing), ("dr-ada", Standing::RevokedSince(after(50))));
    assert_eq!(only(&review, &b).verdicts(), [Verdict::Counts]);
    assert_eq!(format!("{review:?}"), r#"Review{CompartmentId("a"): [KeyCompromised], CompartmentId("b"): [Counts]}"#);

    // The part can be moved under a fresh key, and made the owner's own word.
    let phone = phone(&world);
    let again = reader.reseal(&both, (&a, &a), &phone, NOW).unwrap();
    assert_eq!(only(&reader.review(&again, &[&a]).unwrap(), &a).verdicts(), [Verdict::KeyCompromised]);
    let mut own = reader.supersede(&again, &[&a, &b]).unwrap().anew(&a).unwrap();
    for (path, value) in part.values(&[Verdict::KeyCompromised]).unwrap().iter() {
        own = own.field(path.clone(), value).unwrap();
    }
    let own = own.seal(&phone, after(1)).unwrap();
    assert_eq!(reader.open(&own, &[&a, &b]).unwrap().get("/allergy"), Ok(Some(&b"penicillin"[..])));
}

/// A trust lives in memory: after a restart it is made anew, in whatever order a host does that.
#[test]
fn what_a_retired_authority_said_last_counts_in_whatever_order_a_trust_is_made_anew() {
    let mut world = World::new();
    let a = world.access("a");
    let sealed = world.sealed(&a);
    let later = after(100);
    world.hospital.revoke(world.ada.identity.id(), NOW, Reason::Compromised, NOW).unwrap();
    let bulletin = world.hospital.publish(later).unwrap();
    world.trust.update(&bulletin, &mut world.pins, later).unwrap();
    let verdicts = |trust: &Trust| {
        let reader = Reader::new(trust, later).devices(world.devices().clone());
        only(&reader.review(&sealed, &[&a]).unwrap(), &a).verdicts().to_vec()
    };
    let anchor = world.hospital.anchor();
    let mut pins = world.pins.clone();

    let mut before = world.trust.clone();
    before.retire(anchor.clone()).unwrap();
    let mut again = Trust::new(Duration::MAX);
    again.add(anchor.clone()).unwrap();
    again.update(&bulletin, &mut pins, later).unwrap();
    again.retire(anchor.clone()).unwrap();
    let mut first = Trust::new(Duration::MAX);
    first.retire(anchor.clone()).unwrap();
    assert_eq!(verdicts(&first), [Verdict::AnchorRetired], "nothing is known of stolen keys yet");
    first.update_revocations(&bulletin.revocations, &mut pins, later).unwrap();
    first.update_people(&bulletin.people, &mut pins, later).unwrap();
    for trust in [&before, &again, &first] {
        assert_eq!(verdicts(trust), [Verdict::KeyCompromised, Verdict::AnchorRetired]);
    }
    assert_eq!(pins, world.pins);

    // Whoever has the stolen key signs another list, of the same version or a later one, or has an older one at hand.
    let fresh = || {
        let mut trust = Trust::new(Duration::MAX);
        trust.retire(anchor.clone()).unwrap();
        trust
    };
    let next = world.hospital.renew_revocations(later).unwrap();
    let refused = Err(Error::Unknown(Unknown::Authority(world.hospital.id().clone())));
    assert_eq!(fresh().update_revocations(&next, &mut pins, later), refused);
    assert_eq!(first.update_revocations(&next, &mut pins, later), refused);
    assert_eq!(fresh().update_revocations(&bulletin.revocations, &mut PinStore::default(), later), refused);
    assert_eq!(fresh().update(&bulletin, &mut pins, later), refused, "no parameters");
    assert_eq!(pins, world.pins);
}

#[test]
fn a_retired_anchor_verifies_what_was_written_before_and_vouches_for_nothing_new() {
    let mut world = World::new();
    let a = world.access("a");
    let sealed = world.sealed(&a);
    world.trust.retire(world.hospital.anchor()).unwrap();
    let reader = world.reader();
    assert_eq!(
        reader.open(&sealed, &[&a]).err(),
        Some(Error::Unknown(Unknown::Authority(world.hospital.id().clone())))
    );
    let review = reader.review(&sealed, &[&a]).unwrap();
    assert_eq!(only(&review, &a).verdicts(), [Verdict::AnchorRetired]);
    let values = only(&review, &a).values(&[Verdict::AnchorRetired]).unwrap();
    assert_eq!(values.get("/diagnosis"), Some(&b"I21.4"[..]));
    // Signatures are checked as ever: another's words do not pass for hers.
    let again = reader.reseal(&sealed, (&a, &a), &phone(&world), NOW).unwrap();
    assert!(reader.review(&again, &[&a]).unwrap().parts()[0].written().unwrap().resealed.is_some());

    // Nothing of the authority counts any more, and it does not come back.
    let credential = &world.ada.issued.credential;
    assert_eq!(
        world.trust.credential(credential, NOW).err(),
        Some(Error::Unknown(Unknown::Authority(world.hospital.id().clone())))
    );
    assert!(world.trust.parameters(world.hospital.id()).is_none());
    let mut trust = world.trust.clone();
    assert!(matches!(trust.add(world.hospital.anchor()), Err(Error::ApiMisuse(_))));
    assert!(matches!(
        trust.update(&world.hospital.publish(after(100)).unwrap(), &mut world.pins, after(100)),
        Err(Error::Unknown(_))
    ));
    let other = Authority::setup(world.hospital.id().clone(), NOW).unwrap();
    assert!(matches!(trust.retire(other.anchor()), Err(Error::ApiMisuse(_))));
    assert_eq!(trust.retire(world.hospital.anchor()), Ok(()), "twice does no harm");
    assert_eq!(Trust::new(Duration::MAX).retire(other.anchor()), Ok(()), "one that was never trusted");

    // What its list said of a key is not forgotten.
    let mut world = World::new();
    let a = world.access("a");
    let sealed = world.sealed(&a);
    world.revoke("dr-ada", after(50), Reason::Compromised);
    world.trust.retire(world.hospital.anchor()).unwrap();
    let review = world.reader().review(&sealed, &[&a]).unwrap();
    assert_eq!(only(&review, &a).verdicts(), [Verdict::KeyCompromised, Verdict::AnchorRetired]);
    assert_eq!(only(&review, &a).values(&[Verdict::KeyCompromised]).err(), Some(Verdict::AnchorRetired));

    // Without any anchor nobody can say whose words they are.
    let trust = Trust::new(Duration::MAX);
    let review = Reader::new(&trust, NOW).review(&sealed, &[&a]).unwrap();
    assert_eq!(only(&review, &a).values(&[Verdict::UnknownAuthor]).err(), Some(Verdict::UnknownAuthor));
}

#[test]
fn each_verdict_is_named_for_what_is_wrong() {
    let mut world = World::new();
    let (_, a) = world.consent("a", "role:doctor");
    let ending = world.phone.consent(world.devices(), "b".parse().unwrap()).valid(NOW, after(1000));
    let (_, b) = ending.write(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap();
    let seal = |world: &World, access: &Access, author: Author<'_>, time: Time| {
        let sealed = record("r").part(access).unwrap().field("/a", "1").unwrap();
        let sealed = sealed.seal(&author.danger_unchecked(), time).unwrap();
        let late = at(world, after(2 * YEAR));
        let review = late.review(&sealed, &[access]).unwrap();
        let part = &review.parts()[0];
        assert_eq!(part.counts(), late.open(&sealed, &[access]).is_ok());
        assert_eq!(part.values(part.verdicts()).unwrap().get("/a"), Some(&b"1"[..]));
        part.verdicts().to_vec()
    };
    assert_eq!(seal(&world, &a, world.ada.author(), NOW), [Verdict::Counts]);
    assert_eq!(seal(&world, &a, world.ada.author(), after(YEAR + 1)), [Verdict::CredentialExpired]);
    assert_eq!(seal(&world, &a, world.nurse.author(), NOW), [Verdict::NotAllowed]);
    assert_eq!(seal(&world, &b, world.ada.author(), after(1301)), [Verdict::ConsentEnded]);
    let both = [Verdict::CredentialExpired, Verdict::FromTheFuture];
    assert_eq!(seal(&world, &a, world.ada.author(), after(3 * YEAR)), both);
    world.revoke("dr-ada", after(50), Reason::Ended);
    assert_eq!(seal(&world, &a, world.ada.author(), after(49)), [Verdict::BeforeRevocation]);
    assert_eq!(seal(&world, &a, world.ada.author(), after(50)), [Verdict::AfterRevocation]);
    // An authority of which there is no revocation list.
    let mut trust = Trust::new(Duration::MAX);
    trust.add(world.hospital.anchor()).unwrap();
    let review = Reader::new(&trust, NOW).review(&world.sealed(&a), &[&a]).unwrap();
    assert_eq!(review.parts()[0].verdicts(), [Verdict::RevocationsUnknown]);
    // Or of which it is too old today.
    let mut trust = Trust::new(Duration::from_secs(YEAR));
    trust.add(world.hospital.anchor()).unwrap();
    trust.update(&world.hospital.publish(NOW).unwrap(), &mut PinStore::default(), NOW).unwrap();
    let late = Reader::new(&trust, after(2 * YEAR));
    let sealed = world.sealed(&a);
    assert_eq!(late.open(&sealed, &[&a]).err(), Some(Error::Expired("revocation list")));
    let review = late.review(&sealed, &[&a]).unwrap();
    assert!(review.parts()[0].verdicts().contains(&Verdict::RevocationsUnknown));
    assert_eq!(world.reader().review(&world.sealed(&a), &[&b]).err(), Some(Error::CannotOpen));
}

#[test]
fn who_seals_too_late_or_too_early_is_told() {
    let world = World::new();
    let consent = world.phone.consent(world.devices(), "a".parse().unwrap()).valid(NOW, after(100));
    let consent = consent.write(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let (stored, a) = consent.seal(NOW).unwrap();
    let live = world.live(&stored);
    let b = world.access("b");
    let ada = world.ada.author();
    let seal =
        |access: &Access, time| record("r").part(access).unwrap().field("/a", "1").unwrap().seal(&ada, time).map(drop);
    assert_eq!(seal(&a, after(100)), Ok(()));
    assert_eq!(seal(&a, after(101)), Err(Error::Expired("consent")));
    assert_eq!(seal(&b, after(YEAR)), Ok(()));
    assert_eq!(seal(&b, after(YEAR + 1)), Err(Error::Expired("credential")));
    assert_eq!(seal(&b, NOW.minus(Duration::from_secs(1))), Err(Error::Expired("credential")));
    // Nor one who writes and cannot read; nor in an amendment, of whatever part.
    let written =
        record("r").part(live.write_only(&mut PinStore::default()).unwrap()).unwrap().field("/a", "1").unwrap();
    assert_eq!(written.seal(&ada, after(101)).err(), Some(Error::Expired("consent")));
    let first = record("r").part(&b).unwrap().field("/b", "1").unwrap().seal(&ada, NOW).unwrap();
    let amend = || world.reader().amend(&first, &[&b]).unwrap();
    let later = amend().part(&a).unwrap().field("/a", "1").unwrap();
    assert_eq!(later.seal(&ada, after(101)).err(), Some(Error::Expired("consent")));
    let later = amend().field("/b", "2").unwrap();
    assert_eq!(later.seal(&ada, after(YEAR + 1)).err(), Some(Error::Expired("credential")));
    // The end binds others, not the owner; a clock that is behind the consent's own binds her, too.
    let own = |time| record("r").part(&a).unwrap().field("/a", "1").unwrap().seal(&phone(&world), time).map(drop);
    assert_eq!((own(after(101)), own(NOW.minus(Duration::from_secs(300)))), (Ok(()), Ok(())));
    assert_eq!(own(NOW.minus(Duration::from_secs(301))), Err(Error::Expired("consent")));
}

#[test]
fn who_amends_with_a_clock_that_is_behind_is_told() {
    let world = World::new();
    let a = world.access("a");
    let first = record("r").part(&a).unwrap().field("/a", "1").unwrap().seal(&world.ada.author(), after(1000)).unwrap();
    let amend = |time| {
        let reader = at(&world, after(1000));
        reader.amend(&first, &[&a]).unwrap().field("/a", "2").unwrap().seal(&world.ada.author(), time).map(drop)
    };
    assert_eq!(amend(after(699)), Err(Error::Expired("content")));
    assert_eq!(amend(after(700)), Ok(()));
    // Junk from the far future stops nobody: it does not count.
    let (_, b) = world.consent("b", "role:doctor");
    let far = after(1000 * YEAR);
    let start = record("s").part(&a).unwrap().field("/a", "1").unwrap().seal(&world.ada.author(), NOW).unwrap();
    let junk = world.reader().amend(&start, &[&a]).unwrap().part(&b).unwrap().field("/b", "x").unwrap();
    let junk = junk.seal(&world.ada.author().danger_unchecked(), far).unwrap();
    let reader = world.reader();
    assert_eq!(refused(&reader.open(&junk, &[&a, &b]).unwrap())[0].0, "b");
    let next = reader.amend(&junk, &[&a, &b]).unwrap().field("/a", "2").unwrap().seal(&world.ada.author(), after(1));
    assert_eq!(next.unwrap().revision(), Revision(2));
}

/// An access that was opened before the consent was sealed again with the same key.
#[test]
fn a_kept_access_judges_by_no_older_rule_than_the_reader_knows() {
    let world = World::new();
    let (_, first) = world.consent("a", "role:doctor or role:nurse");
    let next = world.phone.consent(world.devices(), "a".parse().unwrap()).after(&first).unwrap().reseal().unwrap();
    let next = next.write(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let (_, second) = next.seal(after(1)).unwrap();
    let late = after(100 * DAY);
    let seal = |author: Author<'_>, time| {
        record("r").part(&first).unwrap().field("/a", "1").unwrap().seal(&author.danger_unchecked(), time).unwrap()
    };
    let by_nurse = seal(world.nurse.author(), late);
    let told = at(&world, late).newest(&second);
    assert_eq!(told.open(&by_nurse, &[&second]).err(), Some(Error::NotAllowed));
    assert_eq!(told.open(&by_nurse, &[&first, &second]).err(), Some(Error::NotAllowed));
    assert_eq!(told.open(&by_nurse, &[&first]).err(), Some(Error::NotAllowed));
    assert_eq!(told.review(&by_nurse, &[&first]).unwrap().parts()[0].verdicts(), [Verdict::NotAllowed]);
    // Who may go on does; what was written by then is judged as ever.
    assert!(told.open(&seal(world.ada.author(), late), &[&first]).is_ok());
    assert!(told.open(&seal(world.nurse.author(), after(301)), &[&first]).is_ok());
    assert!(told.open(&seal(world.nurse.author(), after(302)), &[&first]).is_err());
    assert!(told.open(&seal(world.ada.author(), late), &[&second]).is_ok());
    // A consent to another compartment says nothing.
    let (_, other) = world.consent("b", "role:doctor");
    assert!(at(&world, late).newest(&other).open(&by_nurse, &[&first]).is_ok());
}

/// One with a stolen phone signs a consent that opens for nobody but himself. It verifies, and says nothing of who may write.
#[test]
fn a_consent_that_nobody_opened_closes_no_note() {
    let world = World::new();
    let doctor = world.ada.identity.accept(&world.ada.issued, &world.trust, NOW).unwrap();
    let consent = world.phone.consent(world.devices(), "a".parse().unwrap());
    let consent = consent.read(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let consent = consent.write(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let (stored, _) = consent.seal(NOW).unwrap();
    let first = world.live(&stored).open(&doctor, &mut PinStore::default()).unwrap();
    let junk = world.phone.consent(world.devices(), "a".parse().unwrap()).after(&first).unwrap();
    let junk = world.live(&junk.seal(NOW).unwrap().0);
    // All that the doctor's host can tell the reader of is what opened.
    let opened = junk.open(&doctor, &mut PinStore::default());
    assert_eq!(opened.as_ref().err(), Some(&Error::CannotOpen));
    let late = after(100 * DAY);
    let newest = opened.as_ref().unwrap_or(&first);
    let note = record("r").part(&first).unwrap().field("/a", "1").unwrap().seal(&world.ada.author(), late).unwrap();
    assert!(at(&world, late).newest(newest).open(&note, &[&first]).is_ok());
}

#[test]
fn with_the_revision_before_at_hand_an_old_value_is_an_old_value() {
    let world = World::new();
    let [a, b] = ["a", "b"].map(|compartment| world.access(compartment));
    let reader = world.reader();
    let ada = world.ada.author();
    let r0 = record("r").part(&a).unwrap().field("/x", "1").unwrap().field("/y", "2").unwrap();
    let r0 = r0.seal(&ada, NOW).unwrap();
    let r1 = reader.amend(&r0, &[&a]).unwrap().field("/x", "3").unwrap().seal(&ada, after(1)).unwrap();
    let r2 =
        reader.amend(&r1, &[&a]).unwrap().part(&b).unwrap().field("/z", "4").unwrap().seal(&ada, after(2)).unwrap();
    let other = reader.amend(&r0, &[&a]).unwrap().field("/x", "3").unwrap().seal(&ada, after(1)).unwrap();
    let [v0, v1, v2, branch] = [&r0, &r1, &r2, &other].map(|record| reader.open(record, &[&a, &b]).unwrap());
    for (later, before) in [(&v0, &v0), (&v1, &v0), (&v2, &v0), (&v2, &v1)] {
        assert_eq!(later.follows(before), Ok(()));
    }
    assert_eq!(v0.follows(&v1), Err(Error::Rollback("record")));
    assert_eq!(branch.follows(&v1), Err(Error::Fork("record")));
    assert_eq!(v2.follows(&branch), Err(Error::Fork("record")));
    assert!(matches!(reader.open(&world.sealed(&a), &[&a]).unwrap().follows(&v0), Err(Error::ApiMisuse(_))));
    assert_eq!(v1.revision_of("/y"), Ok(Some(Revision(0))));
}

/// An authority came back from a backup, and gave Bob's number to Mallory. The map at hand says whose it is.
#[test]
fn a_number_that_was_given_twice_reads_and_writes_in_nobodys_name() {
    let mut world = World::new();
    let backup = world.hospital.to_secret_bytes().unwrap();
    let bob = Identity::generate("dr-bob".parse().unwrap()).unwrap();
    world.hospital.enrol(&bob.enrol().unwrap()).unwrap();
    world.publish();
    let mut restored = Authority::decode(backup.expose()).unwrap();
    let mallory = Identity::generate("mallory".parse().unwrap()).unwrap();
    restored.enrol(&mallory.enrol().unwrap()).unwrap();
    let issued = restored.issue(mallory.id(), &"role:doctor".parse().unwrap(), NOW, after(YEAR), NOW).unwrap();
    let number = issued.credential.unverified().number;
    assert_eq!(Some(number), world.trust.resolve(world.hospital.id())("dr-bob"));

    let refused = Some(Error::Untrusted("people map"));
    assert_eq!(world.trust.credential(&issued.credential, NOW).err(), refused);
    assert_eq!(mallory.accept(&issued, &world.trust, NOW).err(), refused);
    let (_, a) = world.consent("a", "user:dr-bob");
    let author = Author::new(&mallory, &issued.credential).unwrap();
    let sealed = record("r").part(&a).unwrap().field("/a", "1").unwrap().seal(&author.danger_unchecked(), NOW).unwrap();
    assert_eq!(world.reader().open(&sealed, &[&a]).err(), refused);
    let review = world.reader().review(&sealed, &[&a]).unwrap();
    assert_eq!(only(&review, &a).verdicts(), [Verdict::NumberContradicted]);

    // The map is not forgotten where the authority is retired, before it is fed or after.
    let people = world.hospital.people(after(100)).unwrap();
    let both = [Verdict::AnchorRetired, Verdict::NumberContradicted];
    let anchor = world.hospital.anchor();
    world.trust.retire(anchor.clone()).unwrap();
    let mut anew = Trust::new(Duration::MAX);
    anew.retire(anchor).unwrap();
    anew.update_people(&people, &mut world.pins, after(100)).unwrap();
    for trust in [&world.trust, &anew] {
        let reader = Reader::new(trust, NOW).devices(world.devices().clone());
        assert_eq!(only(&reader.review(&sealed, &[&a]).unwrap(), &a).verdicts(), both);
    }
}
