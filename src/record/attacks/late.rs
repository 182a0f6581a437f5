//! Writing under a key that takes no writes any more.

use pollster::block_on;

use super::*;
use crate::ledger::Ledger;
use crate::repository::{Put, Repository};
use crate::store::MemoryStore;

/// Whoever sends an amendment sends the revision before, too, and shapes both: a body that was there before needs no new
/// key.
#[test]
fn a_revision_before_that_was_made_up_lets_nothing_in_under_an_older_key() {
    let world = world();
    let (store, noted) = (MemoryStore::new(), MemoryStore::new());
    let ledger = block_on(Ledger::create(&noted)).unwrap();
    let repository = block_on(Repository::bind(&store, ledger)).unwrap();
    let consent = world.phone.consent(world.alice.devices(), "cardiology".parse().unwrap());
    let (stored, first) = consent.seal(NOW).unwrap();
    assert_eq!(block_on(repository.publish(&first, &stored)), Ok(Put::Done));
    let author = Author::device(&world.phone, world.alice.devices()).unwrap();
    let record = Record::new("r".parse().unwrap(), "s".parse().unwrap()).part(&first).unwrap();
    let before = record.field("/diagnosis", "I21.9").unwrap().seal(&author, NOW).unwrap();
    assert_eq!(block_on(repository.put(&before)), Ok(Put::Done));

    let sharing = world.phone.sharing(world.alice.devices(), &world.trust, &first);
    let (stored, second, _) = sharing.rotate().unwrap().seal(NOW).unwrap();
    assert_eq!(block_on(repository.publish(&second, &stored)), Ok(Put::Done));
    let reader = Reader::new(&world.trust, NOW).devices(world.alice.devices().clone());
    let amended = |access| {
        let amendment = reader.amend(&before, &[&first]).unwrap().anew(access).unwrap();
        amendment.field("/diagnosis", "Z99").unwrap().seal(&author, NOW).unwrap()
    };
    let late = amended(&first);
    assert_eq!(block_on(repository.amend(&before, &late)), Ok(Put::Outdated));
    let mut made_up = before.clone();
    made_up.parts[0].envelope.statement.root = late.parts[0].envelope.statement.root;
    assert_eq!(block_on(repository.amend(&made_up, &late)), Ok(Put::Outdated));
    assert_eq!(block_on(repository.amend(&before, &amended(&second))), Ok(Put::Done));
}

/// She kept an access of before, and knows of the consent that replaced it: somebody who was revoked may have the earlier
/// key.
#[test]
fn nothing_is_amended_under_an_earlier_key_than_that_of_a_consent_that_is_known() {
    let world = world();
    let second = world.rotated();
    let before = world.sealed("r", "I21.9");
    let reader = Reader::new(&world.trust, NOW).devices(world.alice.devices().clone()).newest(&second);
    let author = world.author(&world.ada);
    let amended = |accesses: &[&Access]| {
        let amendment = reader.amend(&before, accesses).unwrap().field("/diagnosis", "Z99").unwrap();
        amendment.seal(&author, NOW).map(|sealed| sealed.key_id(second.compartment()).unwrap())
    };
    assert_eq!(amended(&[&world.access]), Err(Error::Rollback("consent")));
    assert_eq!(amended(&[&world.access, &second]), Ok(second.key_id()));
}

/// Both accesses are at hand, as while records are being moved, and a part is begun anew, or added, under the earlier one.
#[test]
fn nothing_is_amended_under_an_earlier_key_than_that_of_an_access_that_was_given() {
    let world = world();
    let second = world.rotated();
    let (before, _) = world.two_parts();
    let other = before.content.parts.iter().map(|part| &part.compartment);
    let other = other.clone().find(|compartment| *compartment != second.compartment()).unwrap().clone();
    let author = Author::device(&world.phone, world.alice.devices()).unwrap();
    let reader = Reader::new(&world.trust, NOW).devices(world.alice.devices().clone());
    let accesses = [&world.access, &second];
    let sealed = |amendment: Amendment<'_>| {
        let sealed = amendment.field("/diagnosis", "Z99").unwrap().seal(&author, NOW);
        sealed.map(|sealed| sealed.key_id(second.compartment()).unwrap())
    };
    let anew = |access| sealed(reader.amend(&before, &accesses).unwrap().anew(access).unwrap());
    assert_eq!(anew(&world.access), Err(Error::Rollback("consent")));
    assert_eq!(anew(&second), Ok(second.key_id()));
    // A record that has no such part yet.
    let bare = Record::new("bare".parse().unwrap(), "s".parse().unwrap());
    let consent = world.phone.consent(world.alice.devices(), other).seal(NOW).unwrap().1;
    let bare = bare.part(&consent).unwrap().field("/note", "n").unwrap().seal(&author, NOW).unwrap();
    let accesses = [&consent, &second, &world.access];
    let added = |access| sealed(reader.amend(&bare, &accesses).unwrap().part(access).unwrap());
    assert_eq!(added(&world.access), Err(Error::Rollback("consent")));
    assert_eq!(added(&second), Ok(second.key_id()));
}

/// The device that seals again kept the accesses of before, and was told of the consent that replaced both.
#[test]
fn nothing_is_sealed_again_under_an_earlier_key_than_that_of_a_consent_that_is_known() {
    let world = world();
    let second = world.rotated();
    let sharing = world.phone.sharing(world.alice.devices(), &world.trust, &second);
    let third = sharing.rotate().unwrap().seal(NOW).unwrap().1;
    let record = world.sealed("r", "I21.4");
    let phone = Author::device(&world.phone, world.alice.devices()).unwrap();
    let reader = Reader::new(&world.trust, NOW).devices(world.alice.devices().clone()).newest(&third);
    let resealed = |new| {
        let sealed = reader.reseal(&record, (&world.access, new), &phone, NOW);
        sealed.map(|sealed| sealed.key_id(third.compartment()).unwrap())
    };
    assert_eq!(resealed(&second), Err(Error::Rollback("consent")));
    assert_eq!(resealed(&third), Ok(third.key_id()));
}
