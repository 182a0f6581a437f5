//! Consents that were replaced, opened for their keys alone: whoever signed them may have cheated.

use std::cell::RefCell;

use pollster::block_on;

use super::slots::duplicate;
use super::*;
use crate::ledger::{KeyState, Ledger};
use crate::record::{Author, Reader, Record};
use crate::repository::{Put, Repository};
use crate::store::{Entry, MemoryStore, Op, Store};

/// The phone is stolen, signs for whom it likes, and is removed; the tablet signs the next.
struct Theft {
    world: World,
    tablet: Device,
    theft: (StoredConsent, Access),
    own: (StoredConsent, Access),
}

impl Theft {
    fn new() -> Self {
        let mut world = World::new();
        let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
        world.owner.add_device(&tablet.public(), NOW).unwrap();
        let (stored, access, _) = {
            let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &world.access);
            sharing.reseal().unwrap().seal(NOW).unwrap()
        };
        (world.stored, world.access) = (stored, access);
        let (stored, thiefs, _) = {
            let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &world.access);
            sharing.rotate().unwrap().seal(later(1)).unwrap()
        };
        let why = Removal::Lost { since: NOW };
        world.owner.remove_device(&"phone".parse().unwrap(), why, later(2)).unwrap();
        let (own, access, _) = {
            let sharing = tablet.sharing(world.owner.devices(), &world.trust, &world.access);
            sharing.rotate().unwrap().seal(later(2)).unwrap()
        };
        Self { world, tablet, theft: (stored, thiefs), own: (own, access) }
    }

    fn opened(&self, stored: &[StoredConsent]) -> OpenedConsents {
        let (devices, mut pins) = (self.world.owner.devices(), PinStore::default());
        devices
            .open_consents(&compartment(), stored, &mut pins, later(3), |live, pins| {
                live.open_as_device(&self.tablet, pins)
            })
            .unwrap()
    }
}

/// A server that has not heard of the newest yet.
#[test]
fn a_consent_that_was_opened_for_its_key_alone_is_no_evidence() {
    let theft = Theft::new();
    let world = &theft.world;
    let (store, noted) = (MemoryStore::new(), MemoryStore::new());
    let ledger = block_on(Ledger::create(&noted)).unwrap();
    let repository = block_on(Repository::bind(&store, ledger)).unwrap();
    assert_eq!(block_on(repository.publish(&world.access, &world.stored)), Ok(Put::Done));
    let opened = theft.opened(&[world.stored.clone(), theft.theft.0.clone(), theft.own.0.clone()]);
    assert_eq!(opened.newest.hash(), theft.own.1.hash());
    let thiefs = opened.earlier.iter().find(|access| access.hash() == theft.theft.1.hash()).unwrap();
    assert_eq!(block_on(repository.publish(thiefs, &theft.theft.0)), Err(Error::NotAllowed));
    assert_eq!(block_on(ledger.advance(thiefs, &theft.theft.0)), Err(Error::NotAllowed));
    let state = block_on(ledger.state(world.owner.id(), &compartment(), thiefs.key_id()));
    assert_ne!(state, Ok(KeyState::Active));
}

/// What is handed to whoever opens says no more.
#[test]
fn a_consent_that_is_opened_for_its_key_alone_speaks_for_nothing_while_it_is_opened() {
    let theft = Theft::new();
    let world = &theft.world;
    let seen = RefCell::new(Vec::new());
    let stored = [world.stored.clone(), theft.theft.0.clone(), theft.own.0.clone()];
    let open = |live: &LiveConsent, pins: &mut dyn crate::pin::Pins| {
        let written = live.write_only(&mut PinStore::default()).map(drop);
        let head = theft.tablet.head(live, later(3)).map(drop);
        let evidence = stored.iter().find(|stored| stored.consent().hash() == Ok(live.hash())).unwrap();
        let by = [Evidence::from(live), Evidence::of_custodian(live)].map(|by| by.check(evidence).is_ok());
        seen.borrow_mut().push((live.hash(), [written.is_ok(), head.is_ok(), by[0], by[1]]));
        live.open_as_device(&theft.tablet, pins)
    };
    let opened =
        world.owner.devices().open_consents(&compartment(), &stored, &mut PinStore::default(), later(3), open).unwrap();
    assert_eq!(opened.earlier.len(), 2);
    for (hash, said) in seen.into_inner() {
        assert_eq!(said, [hash == opened.newest.hash(); 4]);
    }
}

/// Once more a thief would open what she could not.
#[test]
fn no_record_is_moved_to_a_key_that_was_opened_for_itself_alone() {
    let theft = Theft::new();
    let world = &theft.world;
    let author = Author::device(&theft.tablet, world.owner.devices()).unwrap();
    let record = Record::new("r".parse().unwrap(), "s".parse().unwrap()).part(&world.access).unwrap();
    let mut record = record.field("/a", "1").unwrap().seal(&author, later(1)).unwrap();
    let opened = theft.opened(&[world.stored.clone(), theft.theft.0.clone(), theft.own.0.clone()]);
    let [thiefs, first] = opened.earlier.as_slice() else { panic!() };
    assert_eq!((thiefs.hash(), first.hash()), (theft.theft.1.hash(), world.access.hash()));
    let before = record.clone();
    for from in [first, &world.access] {
        let moved = record.rewrap(from, thiefs);
        assert!(matches!(moved, Err(Error::ApiMisuse(_))), "{moved:?}");
    }
    assert_eq!(record, before);
    let reader = Reader::new(&world.trust, later(3)).devices(world.owner.devices().clone());
    let sealed = reader.reseal(&record, (first, thiefs), &author, later(3)).map(drop);
    assert!(matches!(sealed, Err(Error::ApiMisuse(_))), "{sealed:?}");
    // What lies under the thief's key goes on from it.
    record.rewrap(first, &theft.theft.1).unwrap();
    record.rewrap(thiefs, &opened.newest).unwrap();
    assert!(reader.open(&record, &[&opened.newest]).is_ok());
}

/// The numbers of the year 2286, that the owner would go beyond.
#[test]
fn an_earlier_consent_of_a_time_to_come_gives_no_key() {
    let theft = Theft::new();
    let world = &theft.world;
    let at = Time::from_secs(10_000_000_000).unwrap();
    let numbers = |statement: &mut ConsentStatement| {
        statement.issued_at = at;
        statement.version = Version(at.as_secs());
        statement.generation = Generation(at.as_secs());
    };
    let month = |terms: &mut Terms| {
        terms.read.iter_mut().for_each(|read| read.month = crate::policy::Month::at(at).unwrap().count())
    };
    let stored = world.forge(&theft.theft, month, numbers);
    let consent = Signed::sign(stored.consent().unverified().clone(), world.phone.signer().key).unwrap();
    let slots = stored.slots().map(<[u8]>::to_vec).collect();
    let stored = StoredConsent::from_parts(consent, stored.terms().to_vec(), slots).unwrap();
    let opened = theft.opened(&[stored, theft.own.0.clone()]);
    assert_eq!(opened.earlier.len(), 0);
    for earlier in &opened.earlier {
        let sharing = theft.tablet.sharing(world.owner.devices(), &world.trust, &opened.newest);
        let next = sharing.rotate().unwrap().beyond(earlier).unwrap().seal(later(4)).map(drop);
        assert_eq!(next, Ok(()));
    }
}

/// One signed statement, and beside it other terms, slots or signatures, or a mandate that puts it elsewhere.
#[test]
fn what_is_published_is_what_was_verified() {
    let world = World::new();
    let (stored, access) = world.builder(&world.access).reseal().unwrap().seal(later(1)).unwrap();
    let slots: Vec<Vec<u8>> = stored.slots().map(<[u8]>::to_vec).collect();
    let with = |terms: Vec<u8>, slots: Vec<Vec<u8>>, mandate: Option<Mandate>| {
        StoredConsent::from_parts(stored.consent().clone(), terms, slots).unwrap().under(mandate).unwrap()
    };
    let mandate = stored.mandate().cloned();
    let mut said = world.mandate.unverified().clone();
    said.base = Version(1 << 40);
    let other = Signed::sign(said, world.keeper.signing()).unwrap();
    let terms = stored.terms().to_vec();
    // A hash is of the statement alone.
    let resigned = Signed::with_signature(stored.consent().unverified().clone(), [7; 64].into());
    let resigned = StoredConsent::from_parts(resigned, terms.clone(), slots.clone()).unwrap();
    let mandate_resigned = Signed::with_signature(world.mandate.unverified().clone(), [7; 64].into());
    let tampered = [
        resigned.under(mandate.clone()).unwrap(),
        with(terms.clone(), slots.clone(), Some(mandate_resigned)),
        with(vec![7; 100], slots.clone(), mandate.clone()),
        with(terms.clone(), slots[1..].to_vec(), mandate.clone()),
        with(terms.clone(), slots.iter().rev().cloned().collect(), mandate.clone()),
        with(terms.clone(), slots.clone(), None),
        with(terms, slots, Some(other)),
    ];
    for (at, tampered) in tampered.iter().enumerate() {
        for stored_before in [false, true] {
            let (store, noted) = (MemoryStore::new(), MemoryStore::new());
            let ledger = block_on(Ledger::create(&noted)).unwrap();
            let repository = block_on(Repository::bind(&store, ledger)).unwrap();
            assert_eq!(block_on(repository.publish(&world.access, &world.stored)), Ok(Put::Done));
            if stored_before {
                assert_eq!(block_on(repository.publish(&access, &stored)), Ok(Put::Done));
            }
            let put = block_on(repository.publish(&access, tampered));
            assert!(matches!(put, Err(Error::ApiMisuse(_))), "{at} {stored_before} {put:?}");
            let taken = block_on(ledger.advance(&access, tampered));
            assert!(matches!(taken, Err(Error::ApiMisuse(_))), "{at} {stored_before} {taken:?}");
            // And what was verified is, whoever opened it.
            let live = world.verify(&stored, later(1)).unwrap();
            let opened = live.open_as_device(&world.phone, &mut PinStore::default()).unwrap();
            assert_eq!(block_on(repository.publish(&opened, &stored)), Ok(Put::Done));
        }
    }
}

/// A signature that was damaged where it lies is in no hash, and nobody opens what stands beside it. In the store, what was
/// verified takes its place; an entry of the ledger has a checksum over all that it says, and none of it is believed.
#[test]
fn a_damaged_signature_of_what_was_verified_gives_way_to_it() {
    let world = World::new();
    let (custodians, access) = world.builder(&world.access).reseal().unwrap().seal(later(1)).unwrap();
    for (stored, access) in [(&world.stored, &world.access), (&custodians, &access)] {
        let mut signatures = vec![stored.consent().signature()];
        signatures.extend(stored.mandate().map(Signed::signature));
        for signature in signatures {
            for in_ledger in [false, true] {
                let (store, noted) = (MemoryStore::new(), MemoryStore::new());
                let ledger = block_on(Ledger::create(&noted)).unwrap();
                let repository = block_on(Repository::bind(&store, ledger)).unwrap();
                assert_eq!(block_on(repository.publish(access, stored)), Ok(Put::Done));
                let damaged = if in_ledger { (&noted, "ledger/") } else { (&store, "consent/") };
                flip(damaged, signature.as_bytes());
                let published = block_on(repository.publish(access, stored));
                let served = block_on(repository.consents(world.owner.id(), &compartment(), None));
                if in_ledger {
                    assert_eq!(published, Err(Error::Malformed("ledger")));
                    assert_eq!(served, Err(Error::Malformed("ledger")));
                    continue;
                }
                assert_eq!(published, Ok(Put::Done));
                assert_eq!(served.unwrap().last(), Some(stored));
            }
        }
    }
}

/// Flips a bit of these bytes, which one entry holds.
fn flip((store, prefix): (&MemoryStore, &str), bytes: &[u8]) {
    let mut flipped = 0;
    for key in block_on(store.keys(prefix, "", 100)).unwrap() {
        let Entry { tag, mut value } = block_on(store.get(std::slice::from_ref(&key))).unwrap().remove(0).unwrap();
        if let Some(at) = value.windows(bytes.len()).position(|window| window == bytes) {
            value[at] ^= 1;
            block_on(store.apply(vec![Op::Swap { key, tag, value }])).unwrap();
            flipped += 1;
        }
    }
    assert_eq!(flipped, 1);
}

/// The thief signs under the list of before, and leaves the root key out.
#[test]
fn the_root_key_after_a_change_is_left_out_under_no_list_that_has_it() {
    let mut world = World::new();
    let old = world.owner.devices().version();
    world.owner = world.owner.change_root(NOW).unwrap();
    let changed = world.owner.devices().version();
    let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
    let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &world.access);
    let (stored, access, _) = sharing.reseal().unwrap().seal(later(1)).unwrap();
    world.owner.add_device(&tablet.public(), NOW).unwrap();
    let root = world.owner.devices().statement().root_sealing;
    let without = |key: Option<crate::identity::SealingPublic>, under: Version| {
        let forged = world.forge(
            &(stored.clone(), Access { use_for: access.use_for, ..duplicate(&access) }),
            |terms| terms.owner_keys.retain(|own| Some(*own) != key),
            |statement| statement.devices = under,
        );
        let consent = Signed::sign(forged.consent().unverified().clone(), world.phone.signer().key).unwrap();
        let slots = forged.slots().map(<[u8]>::to_vec).collect();
        let forged = StoredConsent::from_parts(consent, forged.terms().to_vec(), slots).unwrap();
        world.verify(&forged, later(2)).and_then(|live| live.open(&world.ada, &mut PinStore::default())).map(drop)
    };
    assert_eq!(without(None, changed), Ok(()));
    assert_eq!(without(Some(root), changed), Err(Error::Forged("consent")));
    assert_eq!(without(Some(world.phone.public().sealing), changed), Err(Error::Forged("consent")));
    // Under the list before, there was another.
    assert_eq!(without(Some(root), old), Ok(()));
    assert_eq!(without(Some(world.phone.public().sealing), old), Err(Error::Forged("consent")));
}

/// Named until the fifth day at first, and on the third for longer, under a new key.
#[test]
fn whoever_is_named_for_longer_reads_what_lies_under_the_key_of_before() {
    let world = World::new();
    let eve = Identity::generate("eve".parse().unwrap()).unwrap();
    let until = |day| Named::from(&eve.public()).until(later(day));
    let builder = world.phone.consent(world.owner.devices(), compartment()).after(&world.access).unwrap();
    let (first, access) = builder.valid(None, later(200)).name(until(5)).unwrap().seal(NOW).unwrap();
    let builder = world.phone.consent(world.owner.devices(), compartment()).after(&access).unwrap();
    let (second, _) = builder.valid(None, later(200)).name(until(150)).unwrap().seal(later(3)).unwrap();
    for day in [4, 6] {
        let open = |live: &LiveConsent, pins: &mut dyn crate::pin::Pins| live.open_as(&eve, pins);
        let (devices, mut pins) = (world.owner.devices(), PinStore::default());
        let stored = [first.clone(), second.clone()];
        let opened = devices.open_consents(&compartment(), &stored, &mut pins, later(day), open).unwrap();
        assert_eq!((opened.newest.version(), opened.earlier.len()), (Version(3), 1), "day {day}");
    }
    // Whom the newest leaves out, no earlier key lets in beyond her time.
    let open = |live: &LiveConsent, pins: &mut dyn crate::pin::Pins| live.open_as(&eve, pins);
    let alone = world.owner.devices().open_consents(&compartment(), &[first], &mut PinStore::default(), later(6), open);
    assert_eq!(alone.err(), Some(Error::Expired("access of this person")));
}

/// The phone came to the third list. Whoever steals it signs under the second, or under none, as if it and the keys that
/// came with it were not there yet.
#[test]
fn a_device_signs_under_no_list_of_before_it() {
    let mut world = World::new();
    let [tablet, watch] = ["tablet", "watch"].map(|id| Device::generate(id.parse().unwrap()).unwrap());
    world.owner.add_device(&tablet.public(), NOW).unwrap();
    world.owner.add_device(&watch.public(), NOW).unwrap();
    let sharing = watch.sharing(world.owner.devices(), &world.trust, &world.access);
    let (stored, access, _) = sharing.reseal().unwrap().seal(later(1)).unwrap();
    let root = world.owner.devices().statement().root_sealing;
    let left_out = [root, tablet.public().sealing, world.phone.public().sealing];
    let under = |under: u64, without: &[crate::identity::SealingPublic]| {
        let forged = world.forge(
            &(stored.clone(), duplicate(&access)),
            |terms| terms.owner_keys.retain(|own| !without.contains(own)),
            |statement| statement.devices = Version(under),
        );
        let consent = Signed::sign(forged.consent().unverified().clone(), watch.signer().key).unwrap();
        let slots = forged.slots().map(<[u8]>::to_vec).collect();
        let forged = StoredConsent::from_parts(consent, forged.terms().to_vec(), slots).unwrap();
        world.verify(&forged, later(2)).and_then(|live| live.open(&world.ada, &mut PinStore::default())).map(drop)
    };
    assert_eq!(under(3, &[]), Ok(()));
    assert_eq!(under(3, &left_out[1..2]), Err(Error::Forged("consent")));
    for before in 0..3 {
        for many in 0..=3 {
            assert_eq!(under(before, &left_out[..many]), Err(Error::Forged("consent")), "{before} {many}");
        }
    }
    // Nor does it give a mandate.
    let given = watch.mandate((world.owner.devices(), &access), &world.keeper.public(), UNTIL, later(1)).unwrap();
    let accept = |under: u64| {
        let said = MandateStatement { devices: Version(under), ..given.unverified().clone() };
        Signed::sign(said, watch.signer().key).unwrap().accept(world.owner.devices()).map(drop)
    };
    assert_eq!(
        (0..=3).map(accept).collect::<Vec<_>>(),
        [Err(Error::Forged("mandate")), Err(Error::Forged("mandate")), Err(Error::Forged("mandate")), Ok(())]
    );
}
