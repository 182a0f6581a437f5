//! A part that was refused is begun anew by whoever may write there, if that is its own fault, and by the owner otherwise.

use std::time::Duration;

use chartseal::authority::{Reason, Trust};
use chartseal::consent::Access;
use chartseal::id::Time;
use chartseal::owner::Device;
use chartseal::pin::PinStore;
use chartseal::record::{Author, Reader, SealedRecord, Verdict};
use chartseal::{Error, Unknown};

use super::support::world::{NOW, World, YEAR, after, record};
use super::verdicts::{at, phone};

/// Doctors and nurses write there.
fn access(world: &World) -> Access {
    world.consent("a", "role:doctor or role:nurse").1
}

fn note(access: &Access, author: Author<'_>, time: Time) -> SealedRecord {
    let note = record("r").part(access).unwrap().field("/a", "1").unwrap();
    note.seal(&author.danger_unchecked(), time).unwrap()
}

/// What comes of it when the doctor begins a part anew, and when the phone does.
fn anew(
    world: &World,
    (reader, access): (&Reader<'_>, &Access),
    sealed: &SealedRecord,
    verdict: Verdict,
) -> [Result<(), Error>; 2] {
    assert_eq!(reader.review(sealed, &[access]).unwrap().parts()[0].verdicts(), [verdict]);
    [world.ada.author(), phone(world)].map(|author| {
        let anew = reader.supersede(sealed, &[access]).unwrap().anew(access).unwrap().field("/a", "2").unwrap();
        anew.seal(&author, sealed.content().time.min(after(YEAR))).map(drop)
    })
}

const OWNER_ALONE: [Result<(), Error>; 2] = [Err(Error::NotAllowed), Ok(())];
const ANYBODY: [Result<(), Error>; 2] = [Ok(()), Ok(())];

#[test]
fn a_colleagues_note_is_not_begun_anew_for_an_old_revocation_list() {
    let mut world = World::new();
    let a = access(&world);
    let sealed = note(&a, world.nurse.author(), after(10));
    let mut trust = Trust::new(Duration::from_secs(100));
    trust.add(world.hospital.anchor()).unwrap();
    let none = Reader::new(&trust, after(10));
    assert_eq!(anew(&world, (&none, &a), &sealed, Verdict::RevocationsUnknown), OWNER_ALONE);
    let mut trust = trust.clone();
    trust.update(&world.hospital.publish(NOW).unwrap(), &mut PinStore::default(), NOW).unwrap();
    let old = Reader::new(&trust, after(1000));
    assert_eq!(anew(&world, (&old, &a), &sealed, Verdict::RevocationsUnknown), OWNER_ALONE);
}

#[test]
fn what_a_reader_merely_cannot_judge_is_the_owners_to_replace() {
    let mut world = World::new();
    let a = access(&world);
    let sealed = note(&a, world.nurse.author(), after(10));
    // No anchor; one that was retired; a clock that is behind; a key that was stolen since.
    let trust = Trust::new(Duration::MAX);
    let stranger = Reader::new(&trust, NOW);
    assert_eq!(anew(&world, (&stranger, &a), &sealed, Verdict::UnknownAuthor), OWNER_ALONE);
    let mut trust = world.trust.clone();
    trust.retire(world.hospital.anchor()).unwrap();
    let retired = Reader::new(&trust, NOW);
    assert_eq!(anew(&world, (&retired, &a), &sealed, Verdict::AnchorRetired), OWNER_ALONE);
    let early = note(&a, world.nurse.author(), after(1000));
    assert_eq!(anew(&world, (&world.reader(), &a), &early, Verdict::FromTheFuture), OWNER_ALONE);
    world.revoke("nurse-ned", after(50), Reason::Compromised);
    assert_eq!(anew(&world, (&world.reader(), &a), &sealed, Verdict::KeyCompromised), OWNER_ALONE);
}

/// The patient's new tablet wrote it, and the doctor has her device list of yesterday.
#[test]
fn a_note_of_the_owners_new_device_is_not_begun_anew_for_an_old_device_list() {
    let mut world = World::new();
    let a = access(&world);
    let old = world.devices().clone();
    let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
    world.alice.add_device(&tablet.public(), NOW).unwrap();
    let sealed = note(&a, Author::device(&tablet, world.devices()).unwrap(), after(10));
    assert!(world.reader().open(&sealed, &[&a]).is_ok());
    let reader = Reader::new(&world.trust, NOW).devices(old);
    let unknown = Unknown::Device { owner: world.alice.id().clone(), device: tablet.id().clone() };
    assert_eq!(reader.open(&sealed, &[&a]).err(), Some(Error::Unknown(unknown)));
    assert_eq!(anew(&world, (&reader, &a), &sealed, Verdict::UnknownAuthor), OWNER_ALONE);
}

/// The next consent lets nurses write, too, and the doctor has not heard of it.
#[test]
fn a_note_under_a_consent_that_is_not_at_hand_is_not_called_one_that_may_not_be() {
    let world = World::new();
    let (_, first) = world.consent("a", "role:doctor");
    let next = world.phone.consent(world.devices(), "a".parse().unwrap()).after(&first).unwrap().reseal().unwrap();
    let next = next.write(&world.trust, world.hospital.id(), "role:doctor or role:nurse").unwrap();
    let (_, second) = next.seal(after(1)).unwrap();
    let sealed = note(&second, world.nurse.author(), after(400));
    let reader = at(&world, after(400));
    assert!(reader.open(&sealed, &[&first, &second]).is_ok());
    assert_eq!(reader.open(&sealed, &[&first]).err(), Some(Error::Rollback("consent")));
    assert_eq!(anew(&world, (&reader, &first), &sealed, Verdict::OlderRule), OWNER_ALONE);
    let told = at(&world, after(400)).newest(&second);
    assert!(told.open(&sealed, &[&first]).is_ok());
    // By the consent that is at hand, nurses may not.
    let under_first = note(&first, world.nurse.author(), NOW);
    assert_eq!(anew(&world, (&reader, &first), &under_first, Verdict::NotAllowed), ANYBODY);
    // Whoever may write by what is at hand may go on.
    assert!(reader.open(&note(&second, world.ada.author(), after(400)), &[&first]).is_ok());
}

/// Another part belongs there, which the doctor would lose unseen.
#[test]
fn what_stands_in_anothers_place_is_the_owners_to_replace() {
    let mut world = World::new();
    let a = access(&world);
    let zero = note(&a, world.nurse.author(), NOW);
    let next = |value: &str| {
        let next = world.reader().amend(&zero, &[&a]).unwrap().field("/a", value).unwrap();
        next.seal(&world.nurse.author(), after(1)).unwrap()
    };
    let (one, other) = (next("1"), next("x"));
    let mut pins = PinStore::default();
    let reader = world.reader();
    assert!(reader.remembering(&mut pins).open(&one, &[&a]).is_ok());
    for record in [&zero, &other] {
        let seal = |author: Author<'_>| {
            let mut pins = pins.clone();
            let anew = reader.remembering(&mut pins).supersede(record, &[&a]).unwrap().anew(&a).unwrap();
            anew.field("/a", "2").unwrap().seal(&author, after(2)).map(drop)
        };
        assert_eq!([seal(world.ada.author()), seal(phone(&world))], OWNER_ALONE);
    }
    // Whatever else is wrong with what stands there.
    world.revoke("nurse-ned", NOW, Reason::Ended);
    let reader = world.reader();
    let mut again = pins.clone();
    let review = reader.remembering(&mut again).review(&zero, &[&a]).unwrap();
    assert_eq!(review.parts()[0].verdicts(), [Verdict::AfterRevocation, Verdict::RolledBack]);
    for (author, sealed) in [(world.ada.author(), Err(Error::NotAllowed)), (phone(&world), Ok(()))] {
        let anew = reader.remembering(&mut again).supersede(&zero, &[&a]).unwrap().anew(&a).unwrap();
        assert_eq!(anew.field("/a", "2").unwrap().seal(&author, after(2)).map(drop), sealed);
    }
}

#[test]
fn what_is_refused_by_its_own_fault_is_begun_anew_by_whoever_may_write() {
    let mut world = World::new();
    let a = access(&world);
    let ending = world.phone.consent(world.devices(), "b".parse().unwrap()).valid(NOW, after(1000));
    let (_, b) = ending.write(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap();
    let by_lab = note(&a, world.lab.author(), NOW);
    assert_eq!(anew(&world, (&world.reader(), &a), &by_lab, Verdict::NotAllowed), ANYBODY);
    let expired = note(&a, world.nurse.author(), after(YEAR + 1));
    assert_eq!(anew(&world, (&at(&world, after(2 * YEAR)), &a), &expired, Verdict::CredentialExpired), ANYBODY);
    let ended = note(&b, world.ada.author(), after(1301));
    let review = at(&world, after(2000)).review(&ended, &[&b]).unwrap();
    assert_eq!(review.parts()[0].verdicts(), [Verdict::ConsentEnded]);
    let late = at(&world, after(2000));
    let again = late.supersede(&ended, &[&b]).unwrap().anew(&b).unwrap().field("/a", "2").unwrap();
    assert_eq!(again.seal(&world.ada.author(), after(2000)).err(), Some(Error::Expired("consent")), "and not before");
    let sealed = note(&a, world.nurse.author(), after(60));
    world.revoke("nurse-ned", after(50), Reason::Ended);
    assert_eq!(anew(&world, (&world.reader(), &a), &sealed, Verdict::AfterRevocation), ANYBODY);
    // Whatever else is unknown of it.
    let mut trust = world.trust.clone();
    trust.retire(world.hospital.anchor()).unwrap();
    let reader = Reader::new(&trust, NOW);
    assert_eq!(
        reader.review(&by_lab, &[&a]).unwrap().parts()[0].verdicts(),
        [Verdict::AnchorRetired, Verdict::NotAllowed]
    );
    let again = reader.supersede(&by_lab, &[&a]).unwrap().anew(&a).unwrap().field("/a", "2").unwrap();
    assert!(again.seal(&world.ada.author(), NOW).is_ok());
}
