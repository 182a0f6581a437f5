//! What a hostile or damaged store holds neither hangs nor stops anybody, and passes for nothing that it is not.

use std::sync::atomic::AtomicU64;

use crate::support::guard;
use crate::support::hospital::{self, Budget, Hospital, put};
use crate::support::stored::{altered, contents, now, read, sealed};
use crate::support::waiting::block_on;
use crate::support::world::{self, World, after};
use base64ct::Encoding;
use chartseal::Error;
use chartseal::consent::{Removal, StoredConsent};
use chartseal::id::{Revision, Time};
use chartseal::record::SealedRecord;
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Retirement, Rotation, Scope, Sweep, Swept};
use chartseal::store::{Fault, MAX_KEY, MemoryStore, Store};

fn sweep(store: &dyn Store) -> Swept {
    let budget = Budget(store, AtomicU64::new(5000));
    let sweep = Sweep::new(&budget, &now, Scope::Everything);
    block_on(sweep.run("sweep", |_: &[StoredConsent]| Ok(None), |_, _| ())).unwrap()
}

#[test]
fn a_consent_that_was_copied_to_another_place_is_none() {
    let hospital = Hospital::new();
    hospital.publish(1);
    assert_eq!(hospital.rotate(0, 1, "job"), Retirement::Done { consents: 1, lost: 0 });
    let copy = hospital.chain[0].0.to_cbor().unwrap();
    let (owner, section) = hospital.place();
    for place in ["00000000000000000007", "p1.1.7", "z", "-"] {
        let key = format!("{}{place}", hospital.prefix("consent"));
        put(&hospital.store, &key, &copy);
        let served = block_on(hospital.repository().consents(&owner, &section, None)).unwrap();
        assert_eq!(served, [hospital.chain[1].0.clone()], "{place}");
        let damaged = block_on(hospital.repository().damaged_consents(&owner, &section)).unwrap();
        assert_eq!(damaged, std::slice::from_ref(&key), "{place}");
        let swept = sweep(&hospital.store);
        assert_eq!((swept.damaged.len(), swept.is_complete()), (1, false), "{place}");
        hospital::remove(&hospital.store, &key);
    }
    assert_eq!(sweep(&hospital.store).closed, [(owner, section)]);
}

#[test]
fn keys_that_are_none_of_a_consent_are_passed_over() {
    let hospital = Hospital::new();
    for key in ["consent", "consent/x", "consent/-/-/-/-", "consent/x/y"] {
        put(&hospital.store, key, b"");
    }
    put(&hospital.store, &format!("{}z", hospital.prefix("consent")), b"junk");
    assert_eq!(block_on(Repository::new(&hospital.store).compartments(None, None)).unwrap(), [hospital.place()]);
    let swept = sweep(&hospital.store);
    assert_eq!(swept.damaged, [hospital.place()]);
    // Nor do they keep the list of what has to catch up from anybody.
    assert!(block_on(hospital.repository().behind()).unwrap().is_empty());
}

#[test]
fn a_retirement_is_finished_whatever_lies_among_the_consents() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let junk = format!("{}00000000000000000000", hospital.prefix("consent"));
    put(&hospital.store, &junk, b"junk");
    assert_eq!(hospital.rotate(0, 1, "job"), Retirement::Done { consents: 1, lost: 0 });
    assert_eq!(hospital::count(&contents(&hospital.store), "consent"), 2);
}

#[test]
fn a_key_of_any_length_goes_into_the_quarantine() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let prefix = hospital.prefix("wrap");
    let long = format!("{prefix}{}", "-".repeat(MAX_KEY - prefix.len()));
    put(&hospital.store, &long, b"");
    let old = [hospital.access(0)];
    let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    let quarantined = block_on(rotation.quarantined("job")).unwrap();
    assert_eq!(quarantined.iter().map(|one| &one.key).collect::<Vec<_>>(), [&long]);
    assert_eq!(block_on(rotation.retry("job")).unwrap(), 1);
    let Retirement::Blocked { found, quarantined, .. } = block_on(rotation.retire(&hospital.noted())).unwrap() else {
        panic!("retired");
    };
    assert_eq!((found.broken, found.named, &quarantined), (1, vec![long.clone()], &vec![long.clone()]));
    // Somebody looked at it, and gives it up.
    let retired = block_on(rotation.retire_leaving(&hospital.noted(), &[long])).unwrap();
    assert_eq!(retired, Retirement::Done { consents: 1, lost: 0 });
}

#[test]
fn a_quarantine_that_somebody_else_filled_is_emptied() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let (owner, section) = hospital.place();
    let key = hospital.access(1).key_id();
    for (n, subject) in [&b""[..], b"content/x", b"\xff"].into_iter().enumerate() {
        let key = base64ct::Base64UrlUnpadded::encode_string(key.as_bytes());
        put(&hospital.store, &format!("quarantine/{owner}/{section}/{key}/rewrap/job/{n}"), subject);
    }
    let old = [hospital.access(0)];
    let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    assert_eq!(block_on(rotation.retry("job")).unwrap(), 0);
    assert!(block_on(rotation.quarantined("job")).unwrap().is_empty());
}

/// The clock of a worker was far ahead when he died.
#[test]
fn a_claim_for_ever_is_taken_over() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let old = [hospital.access(0)];
    let far = || Time::MAX;
    let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &far).unwrap();
    let mut deaths = 0;
    for call in 1..20 {
        hospital.store.fail_at(call, Fault::Crash);
        deaths += usize::from(block_on(rotation.run(&format!("job-{call}"), |_| ())).is_err());
        hospital.store.heal();
        let later = || after(1);
        let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &later).unwrap();
        assert!(block_on(rotation.run(&format!("job-{call}"), |_| ())).unwrap().finished, "{call}");
    }
    assert!(deaths > 3);
}

#[test]
fn a_revision_is_the_one_that_was_asked_for() {
    let hospital = Hospital::new();
    let (owner, _) = hospital.place();
    let record = read(&hospital.store, hospital.access(0), "r00000");
    let content = contents(&hospital.store)[&SealedRecord::content_key(&owner, record.record())].clone();
    put(&hospital.store, &format!("past/{owner}/r00000/{:020}", 5), &content);
    let found = block_on(hospital.repository().revision(&owner, record.record(), Revision(5))).unwrap();
    assert_eq!(found, None);
}

/// By an admitted writer, who seals a record whose wrap opens under no key, or names a number or a key that is not there.
#[test]
fn a_poisoned_record_is_named_and_can_be_given_up() {
    let wrap_of =
        |record: &SealedRecord| record.pieces().unwrap().into_iter().find(|(key, _)| key.starts_with("wrap/")).unwrap();
    for (what, guarded, later) in [
        ("damaged", Put::Done, 0),
        ("another number", Put::Done, 0),
        ("another key", Put::Outdated, 0),
        ("another key of another number", Put::Outdated, 1),
    ] {
        let hospital = Hospital::new();
        let whole = sealed(&hospital.world, hospital.access(0), "poison");
        let (key, mut value) = wrap_of(&whole);
        if what == "damaged" {
            *value.last_mut().unwrap() ^= 1;
        }
        if what.contains("key") {
            // A byte string of 16.
            let at = value.windows(4).position(|bytes| bytes == b"\x62id\x50").unwrap() + 4;
            value[at] ^= 1;
        }
        if what.contains("number") {
            let at = value.windows(10).position(|bytes| bytes == b"generation").unwrap() + 10;
            value.splice(at..=at, [0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        }
        let mut pieces = whole.pieces().unwrap();
        pieces.insert(key.clone(), value);
        let bad = SealedRecord::from_pieces(whole.owner(), whole.record(), pieces).unwrap();
        assert_eq!(block_on(hospital.repository().put(&bad)).unwrap(), guarded, "{what}");
        assert_eq!(block_on(Repository::new(&hospital.store).put(&bad)).unwrap(), Put::Done);
        hospital.publish(1);
        let old = [hospital.access(0)];
        let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
        assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
        let Retirement::Blocked { found, .. } = block_on(rotation.retire(&hospital.noted())).unwrap() else {
            panic!("retired");
        };
        assert_eq!((found.named, found.later), (vec![key.clone()], later), "{what}");
        let retired = block_on(rotation.retire_leaving(&hospital.noted(), &[key])).unwrap();
        assert_eq!(retired, Retirement::Done { consents: 1, lost: 0 });
    }
}

/// Both devices made the next version; the store took one of them.
#[test]
fn nothing_is_moved_to_a_key_that_nobody_published() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let twin = hospital.world.rotated(hospital.access(0), "role:doctor");
    let old = [hospital.access(0)];
    let rotation = Rotation::new(&hospital.store, &old, &twin, &now).unwrap();
    let before = contents(&hospital.store);
    assert!(matches!(block_on(rotation.run("job", |_| ())), Err(Error::ApiMisuse(_))));
    assert_eq!(contents(&hospital.store), before);
    assert!(matches!(block_on(rotation.retire(&hospital.noted())), Err(Error::ApiMisuse(_))));
}

/// A consent whose place holds something else: what the ledger knows takes it.
#[test]
fn catching_up_writes_over_what_is_in_the_place_but_not_of_an_erased_owner() {
    let hospital = Hospital::new();
    hospital.publish(1);
    hospital.publish(2);
    let world = &hospital.world;
    let fork = world.phone.consent(world.devices(), "a".parse().unwrap()).after(hospital.access(1)).unwrap();
    let (fork, _) = fork.seal(world::NOW).unwrap();
    let restored = MemoryStore::new();
    assert_eq!(block_on(Repository::new(&restored).put_consent(&hospital.chain[0].0)), Ok(Put::Done));
    let repository = hospital.over(&restored);
    let before = contents(&restored);
    // The ledger refuses it, and so nothing of it is written.
    let published = block_on(repository.publish(&world.live(&fork), &fork));
    assert_eq!(published.err(), Some(Error::Fork("consent")));
    assert_eq!(contents(&restored), before);
    assert_eq!(block_on(Repository::new(&restored).put_consent(&fork)).unwrap(), Put::Done);
    let (owner, section) = hospital.place();
    let caught_up = block_on(repository.catch_up(&owner, &section)).unwrap();
    assert_eq!(caught_up.as_ref(), Some(&hospital.chain[2].0));
    let held = block_on(repository.stored_consents(&owner, &section, None)).unwrap();
    assert_eq!(held, [hospital.chain[0].0.clone(), hospital.chain[2].0.clone()]);
    let erasure = world.erasure();
    assert!(block_on(hospital.repository().erase(&erasure)).is_ok());
    assert_eq!(block_on(repository.catch_up(&owner, &section)), Ok(None));
}

/// The thief has the tablet, and publishes with it; then the owner removes it and seals again after her own last word.
#[test]
fn the_owners_word_has_a_place_whatever_numbers_a_thief_used_up() {
    let mut world = World::new();
    let tablet = chartseal::owner::Device::generate("tablet".parse().unwrap()).unwrap();
    world.alice.add_device(&tablet.public(), world::NOW).unwrap();
    let (store, noted) = (MemoryStore::new(), MemoryStore::new());
    let repository = guard::guarded(&store, guard::ledger(&noted));
    let (first, access) = world.consent("a", "role:doctor");
    let publish =
        |world: &World, stored: &StoredConsent| block_on(repository.publish(&world.live(stored), stored)).unwrap();
    assert_eq!(publish(&world, &first), Put::Done);
    let list = world.devices().clone();
    let next = |after: &chartseal::consent::Access| {
        let consent = tablet.consent(&list, "a".parse().unwrap()).after(after).unwrap();
        consent.write(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(world::NOW).unwrap()
    };
    let (second, thief) = next(&access);
    let (third, thief) = {
        assert_eq!(publish(&world, &second), Put::Done);
        next(&thief)
    };
    assert_eq!(publish(&world, &third), Put::Done);
    assert_eq!(block_on(repository.put(&sealed(&world, &thief, "between"))).unwrap(), Put::Done);

    world.alice.remove_device(tablet.id(), Removal::Retired, world::NOW).unwrap();
    let consent = || world.phone.consent(world.devices(), "a".parse().unwrap()).after(&access).unwrap();
    let (honest, _) = consent().seal(world::NOW).unwrap();
    assert_eq!(publish(&world, &honest), Put::Done);
    assert!(block_on(repository.behind()).unwrap().is_empty());
    let (owner, section) = (access.owner(), access.compartment());
    let served = block_on(repository.consents(owner, section, None)).unwrap();
    assert_eq!(served.last(), Some(&honest));
    // What others wrote under the thief's consent is moved from there, if it can be opened.
    let (beyond, last) = consent().beyond(&thief).unwrap().seal(world::NOW).unwrap();
    assert_eq!(publish(&world, &beyond), Put::Done);
    let old = [&access, &thief];
    let rotation = Rotation::new(&store, &old, &last, &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    let ledger = repository.ledger().unwrap();
    assert!(matches!(block_on(rotation.retire(&ledger)).unwrap(), Retirement::Done { .. }));
    assert_eq!(read(&store, &last, "between").generation(section), Some(last.generation()));
}

/// A monthly re-seal shuts out keys that were not renewed, and gives the same compartment key.
#[test]
fn of_several_consents_with_one_key_the_last_is_served() {
    let hospital = Hospital::new();
    let world = &hospital.world;
    let (mut access, mut last) = (None, None);
    for _ in 0..130 {
        let before = access.as_ref().unwrap_or(hospital.access(0));
        let next = world.phone.sharing(world.devices(), &world.trust, before).reseal().unwrap();
        let (stored, next, _) = next.seal(world::NOW).unwrap();
        assert_eq!(block_on(hospital.repository().publish(&world.live(&stored), &stored)).unwrap(), Put::Done);
        (access, last) = (Some(next), Some(stored));
    }
    let (owner, section) = hospital.place();
    assert_eq!(block_on(hospital.repository().consents(&owner, &section, None)).unwrap(), [last.unwrap()]);
    assert_eq!(hospital::count(&contents(&hospital.store), "consent"), 131);
}

/// The thief's consent gives the same key; it counts no more, and the one before it is needed until the records are moved.
#[test]
fn a_consent_that_counts_no_more_hides_none_that_does() {
    let mut world = World::new();
    let tablet = chartseal::owner::Device::generate("tablet".parse().unwrap()).unwrap();
    world.alice.add_device(&tablet.public(), world::NOW).unwrap();
    let (store, noted) = (MemoryStore::new(), MemoryStore::new());
    let repository = guard::guarded(&store, guard::ledger(&noted));
    let (first, access) = world.consent("a", "role:doctor");
    let list = world.devices().clone();
    let again = tablet.consent(&list, "a".parse().unwrap()).after(&access).unwrap().reseal().unwrap();
    let (thiefs, _) = again.seal(world::NOW).unwrap();
    let publish =
        |world: &World, stored: &StoredConsent| block_on(repository.publish(&world.live(stored), stored)).unwrap();
    assert_eq!([publish(&world, &first), publish(&world, &thiefs)], [Put::Done; 2]);
    let served = || block_on(repository.consents(access.owner(), access.compartment(), None)).unwrap();
    assert_eq!(served(), std::slice::from_ref(&thiefs));
    world.alice.remove_device(tablet.id(), Removal::Retired, world::NOW).unwrap();
    let next = world.phone.consent(world.devices(), "a".parse().unwrap()).after(&access).unwrap();
    let (next, _) = next.seal(world::NOW).unwrap();
    assert_eq!(publish(&world, &next), Put::Done);
    assert_eq!(served(), [first, thiefs, next]);
}

/// By a server that has seen the next consent come, in its place and elsewhere.
#[test]
fn nothing_is_moved_to_a_key_that_another_consent_claims_to_give() {
    for planted in [["version"].as_slice(), &["version", "issued_at"]] {
        let hospital = Hospital::new();
        let next = &hospital.chain[1].0;
        let unguarded = Repository::new(&hospital.store);
        for field in planted {
            assert_eq!(block_on(unguarded.put_consent(&altered(next, field))), Ok(Put::Done));
        }
        let (owner, section) = hospital.place();
        let there = block_on(unguarded.stored_consents(&owner, &section, None)).unwrap();
        let claims_to = |one: &&StoredConsent| one.consent().unverified().generation == hospital.access(1).generation();
        assert_eq!(there.iter().filter(claims_to).count(), planted.len());
        let old = [hospital.access(0)];
        let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
        assert!(matches!(block_on(rotation.run("early", |_| ())), Err(Error::ApiMisuse(_))), "{planted:?}");
    }
}

/// One flipped bit in a slot; a sweep after a theft of the authority's key must not miss it.
#[test]
fn a_sweep_passes_over_no_consent_that_it_cannot_read() {
    let world = World::new();
    let store = MemoryStore::new();
    let consent = world.phone.consent(world.devices(), "a".parse().unwrap());
    let consent = consent.read(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let (stored, _) = consent.seal(world::NOW).unwrap();
    assert_eq!(block_on(Repository::new(&store).put_consent(&stored)).unwrap(), Put::Done);
    let key = contents(&store).into_keys().next().unwrap();
    let mut value = contents(&store)[&key].clone();
    let slot = stored.slots().max_by_key(|slot| slot.len()).unwrap();
    let at = value.windows(slot.len()).position(|bytes| bytes == slot).unwrap();
    value[at] ^= 0x40;
    hospital::remove(&store, &key);
    put(&store, &key, &value);
    let sweep = |scope: Scope| {
        let sweep = Sweep::new(&store, &now, scope);
        block_on(sweep.run("sweep", |_: &[StoredConsent]| Ok(None), |_, _| ())).unwrap()
    };
    for scope in [Scope::Authority(world.hospital.id().clone()), Scope::Everything] {
        let swept = sweep(scope);
        assert_eq!((swept.damaged.len(), swept.closed.len()), (1, 1));
    }
}
