//! The computations of those who hold more than a server does: a reader with the compartment key, and a device of the
//! owner that cheats its readers.

use std::time::Duration;

use super::slot::{Context, Slot, SlotContent, SlotMaker, slot_hash, terms_hash};
use super::*;
use crate::authority::{Authority, Trust};
use crate::error::Error;
use crate::id::{CompartmentId, Generation, Time, Version};
use crate::identity::{Identity, SealingKey, Signed};
use crate::kem::UserKey;
use crate::owner::{Device, Owner};
use crate::pin::PinStore;
use crate::seal::{Cek, Salt, seal_terms};

const NOW: Time = Time::at(1_775_000_000);
const POLICY: &str = "role:doctor and dept:icu";

struct World {
    owner: Owner,
    phone: Device,
    trust: Trust,
    /// A doctor in intensive care, who satisfies the policy.
    ada: (Identity, UserKey),
    /// A nurse, who does not.
    nina: (Identity, UserKey),
    stored: StoredConsent,
    access: Access,
}

impl World {
    fn new() -> Self {
        let mut hospital = Authority::setup("st-olave".parse().unwrap(), NOW).unwrap();
        let mut trust = Trust::new(Duration::MAX);
        trust.add(hospital.anchor()).unwrap();
        let people =
            [("dr-ada", "role:doctor, dept:icu"), ("nina", "role:nurse, dept:icu")].map(|(name, attributes)| {
                let identity = Identity::generate(name.parse().unwrap()).unwrap();
                hospital.enrol(&identity.enrol().unwrap()).unwrap();
                let end = NOW.plus(Duration::from_secs(30_000_000));
                (hospital.issue(identity.id(), &attributes.parse().unwrap(), NOW, end, NOW).unwrap(), identity)
            });
        trust.update(&hospital.publish(NOW).unwrap(), &mut PinStore::default(), NOW).unwrap();
        let [ada, nina] = people.map(|(issued, identity)| {
            let key = identity.accept(&issued, &trust, NOW).unwrap();
            (identity, key)
        });
        let (owner, phone) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
        let builder = phone.consent(owner.devices(), compartment());
        let builder = builder.read(&trust, hospital.id(), POLICY).unwrap();
        let (stored, access) = builder.write(&trust, hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap();
        Self { owner, phone, trust, ada, nina, stored, access }
    }

    fn verify(&self, stored: &StoredConsent) -> Result<LiveConsent, Error> {
        stored.verify(self.owner.devices(), &compartment(), &PinStore::default(), NOW)
    }

    fn slots(&self) -> Vec<Vec<u8>> {
        self.stored.slots().map(<[u8]>::to_vec).collect()
    }

    fn context(&self) -> Context {
        Context::of(&self.access.statement).unwrap()
    }

    /// A consent with other pieces, named and signed rightly, by the owner's device.
    fn signed(&self, terms: Vec<u8>, slots: Vec<Vec<u8>>, change: impl FnOnce(&mut ConsentStatement)) -> StoredConsent {
        let mut statement = self.access.statement.clone();
        statement.terms = terms_hash(&terms);
        statement.slots = slots.iter().map(|slot| slot_hash(slot)).collect();
        change(&mut statement);
        let consent = Signed::sign(statement, self.phone.signer().key).unwrap();
        StoredConsent::from_parts(consent, terms, slots).unwrap()
    }

    /// The policy slots as they are, and the others as these terms have them.
    fn slots_for(&self, terms: &Terms, sealed: &[u8]) -> Vec<Vec<u8>> {
        let is_policy = |slot: &Vec<u8>| matches!(Slot::from_bytes(slot).unwrap().content, SlotContent::Policy(_));
        let mut slots: Vec<_> = self.slots().into_iter().filter(is_policy).collect();
        let statement = ConsentStatement { terms: terms_hash(sealed), ..self.access.statement.clone() };
        let context = self.context();
        let maker = SlotMaker::again(&context, &statement, &self.access.cek);
        for holder in maker.ordered(terms.holders()).unwrap() {
            slots.push(maker.sealed(slots.len(), &holder).unwrap().to_bytes().unwrap());
        }
        slots
    }

    fn sealed(&self, terms: &Terms) -> Vec<u8> {
        seal_terms(&self.access.cek, self.context().of_terms(), &terms.to_cbor().unwrap()).unwrap()
    }
}

fn compartment() -> CompartmentId {
    "cardiology".parse().unwrap()
}

/// What ada does who wants nina to read too: she has the key, and makes a slot that opens with it.
#[test]
fn a_slot_that_a_reader_makes_is_refused_by_everybody() {
    let world = World::new();
    let live = world.verify(&world.stored).unwrap();
    let ada = live.open(&world.ada.1, &mut PinStore::default()).unwrap();
    assert_eq!(live.open(&world.nina.1, &mut PinStore::default()).unwrap_err(), Error::CannotOpen);

    let nina = world.nina.0.public().sealing;
    let context = Context::of(&live.statement).unwrap();
    let maker = SlotMaker::again(&context, &live.statement, ada.cek());
    let forged = |index| maker.sealed(index, &nina).unwrap().to_bytes().unwrap();
    let mut added = world.slots();
    added.push(forged(added.len()));
    let mut replaced = world.slots();
    *replaced.last_mut().unwrap() = forged(replaced.len() - 1);
    for slots in [added, replaced] {
        let consent = world.stored.consent().clone();
        let stored = StoredConsent::from_parts(consent, world.stored.terms().to_vec(), slots.clone()).unwrap();
        assert_eq!(world.verify(&stored).unwrap_err(), Error::Forged("consent"));
        // The slot itself is sound: only the owner's signature keeps nina out.
        let (place, slot) = (slots.len() - 1, Slot::from_bytes(slots.last().unwrap()).unwrap());
        assert!(slot.open_sealed(&context, place, world.nina.0.sealing()).is_ok());
        // And with it, that the terms do not name her.
        let agreed = world.verify(&world.signed(world.stored.terms().to_vec(), slots, |_| {})).unwrap();
        assert_eq!(agreed.open_as(&world.nina.0, &mut PinStore::default()).unwrap_err(), Error::Forged("consent"));
    }
}

/// She names everything rightly and signs herself: with her own key, and as a device of that name.
#[test]
fn a_consent_that_a_reader_signs_is_refused_by_everybody() {
    let world = World::new();
    let mut statement = world.access.statement.clone();
    statement.version = Version(2);
    statement.previous = Some(world.access.hash());
    let impostor = Device::generate("phone".parse().unwrap()).unwrap();
    let ada = world.ada.0.signing();
    for key in [ada, impostor.signer().key] {
        let consent = Signed::sign(statement.clone(), key).unwrap();
        let stored = StoredConsent::from_parts(consent, world.stored.terms().to_vec(), world.slots()).unwrap();
        assert_eq!(world.verify(&stored).unwrap_err(), Error::Forged("consent"));
    }
    // A list with her own device is another owner's.
    let other = Owner::generate(&impostor.public(), NOW).unwrap();
    let pins = &mut PinStore::default();
    assert_eq!(other.list().accept(world.owner.id(), pins, NOW).unwrap_err(), Error::Forged("device list"));
    statement.owner = other.id().clone();
    let consent = Signed::sign(statement, impostor.signer().key).unwrap();
    let stored = StoredConsent::from_parts(consent, world.stored.terms().to_vec(), world.slots()).unwrap();
    assert_eq!(world.verify(&stored).unwrap_err(), Error::Forged("consent"));
    assert_eq!(*pins, PinStore::default());
}

/// With the key, she seals other terms, in which nurses may write.
#[test]
fn terms_that_a_reader_seals_are_refused_by_everybody() {
    let world = World::new();
    let mut terms = world.access.terms.clone();
    terms.write[0].policy = "role:nurse".to_owned();
    let sealed = world.sealed(&terms);
    let stored = StoredConsent::from_parts(world.stored.consent().clone(), sealed, world.slots()).unwrap();
    assert_eq!(world.verify(&stored).unwrap_err(), Error::Forged("consent"));
}

#[test]
fn a_device_cannot_show_its_readers_another_policy_than_the_slots_are_for() {
    let world = World::new();
    let opens = |terms: &Terms| {
        let sealed = world.sealed(terms);
        let stored = world.signed(sealed.clone(), world.slots_for(terms, &sealed), |_| {});
        let live = world.verify(&stored).unwrap();
        let opened = live.open(&world.ada.1, &mut PinStore::default()).map(drop);
        assert_eq!(
            live.open_as_device(&world.phone, &mut PinStore::default()).map(drop),
            opened,
            "every reader sees the same"
        );
        opened
    };
    let terms = || world.access.terms.clone();
    assert_eq!(opens(&terms()), Ok(()));

    let refused = Err(Error::Forged("consent"));
    let mut narrower = terms();
    narrower.read[0].policy = "role:doctor and dept:surgery".to_owned();
    let mut other_month = terms();
    other_month.read[0].month += 1;
    let mut no_month = terms();
    no_month.read[0].month = u32::MAX;
    let mut silent = terms();
    silent.read.clear();
    let mut other_authority = terms();
    other_authority.read[0].authority = "st-elsewhere".parse().unwrap();
    let mut more = terms();
    more.read.push(Reading { authority: "st-elsewhere".parse().unwrap(), ..more.read[0].clone() });
    let mut twice = terms();
    twice.read.push(twice.read[0].clone());
    let mut injected = terms();
    injected.read[0].policy = "role:doctor) or (role:nurse".to_owned();
    let mut not_canonical = terms();
    not_canonical.read[0].policy = "role:doctor  and dept:icu".to_owned();
    for lie in [narrower, other_month, no_month, silent, other_authority, more, twice, injected, not_canonical] {
        assert_eq!(opens(&lie), refused, "{lie:?}");
    }
    // Nor that somebody is excluded whom the slots do not exclude, or in a form of its own.
    let authority = || world.access.terms.read[0].authority.clone();
    let of = |number| (authority(), crate::policy::PersonNumber::new(number).unwrap());
    let by_name = |name: &str| Exclusion::by_name(name.parse().unwrap());
    let [eve, zoe] = ["dr-eve", "dr-zoe"].map(by_name);
    let with = |exclusions: Vec<Exclusion>| Terms { exclusions, ..terms() };
    assert_eq!(opens(&with(vec![eve.clone(), zoe.clone()])), Ok(()), "nobody enforces it, and the terms say so");
    let from_writing = Exclusion { action: Action::Write, numbers: [of(7)].into(), ..eve.clone() };
    assert_eq!(opens(&with(vec![from_writing])), Ok(()));
    let enforced = Exclusion { numbers: [of(7)].into(), ..eve.clone() };
    let nobody = Exclusion { person: None, ..eve.clone() };
    for lie in [vec![enforced], vec![nobody], vec![zoe, eve.clone()], vec![eve.clone(), eve]] {
        assert_eq!(opens(&with(lie.clone())), refused, "{lie:?}");
    }
}

#[test]
fn a_device_cannot_publish_a_write_key_or_terms_that_do_not_follow_from_the_key() {
    let world = World::new();
    let terms = world.stored.terms().to_vec();
    let other = SealingKey::generate().unwrap().public();
    let stored = world.signed(terms.clone(), world.slots(), |statement| statement.write_key = other);
    assert_eq!(
        world.verify(&stored).unwrap().open(&world.ada.1, &mut PinStore::default()).unwrap_err(),
        Error::Forged("consent")
    );

    let mut garbled = terms;
    garbled[40] ^= 1;
    let short = vec![7; 47];
    for terms in [garbled, short, Vec::new()] {
        let stored = world.signed(terms, world.slots(), |_| {});
        assert_eq!(
            world.verify(&stored).unwrap().open(&world.ada.1, &mut PinStore::default()).unwrap_err(),
            Error::Forged("consent")
        );
    }
}

/// The slots of another version, place, compartment or commitment, named and signed rightly: none opens.
#[test]
fn a_slot_opens_only_where_it_was_made_for() {
    let world = World::new();
    let terms = world.stored.terms().to_vec();
    let refuses = |stored: StoredConsent, compartment: &CompartmentId| {
        let live = stored.verify(world.owner.devices(), compartment, &PinStore::default(), NOW).unwrap();
        assert_eq!(live.open(&world.ada.1, &mut PinStore::default()).unwrap_err(), Error::CannotOpen);
        assert_eq!(live.open_as_root(&world.owner, &mut PinStore::default()).unwrap_err(), Error::CannotOpen);
        assert_eq!(live.open_as_device(&world.phone, &mut PinStore::default()).unwrap_err(), Error::CannotOpen);
    };
    let mut moved = world.slots();
    moved.rotate_right(1);
    refuses(world.signed(terms.clone(), moved, |_| {}), &compartment());
    let psychiatry: CompartmentId = "psychiatry".parse().unwrap();
    refuses(world.signed(terms.clone(), world.slots(), |s| s.compartment = psychiatry.clone()), &psychiatry);
    let later = |statement: &mut ConsentStatement| {
        statement.version = Version(2);
        statement.previous = Some(world.access.hash());
    };
    refuses(world.signed(terms.clone(), world.slots(), later), &compartment());
    // Another key, or another salt, behind the same slots.
    let (salt, cek) = (Salt::generate().unwrap(), Cek::generate().unwrap());
    let other_key = |statement: &mut ConsentStatement| statement.commitment = cek.commit(&statement.salt).unwrap();
    refuses(world.signed(terms.clone(), world.slots(), other_key), &compartment());
    refuses(world.signed(terms, world.slots(), |statement| statement.salt = salt.clone()), &compartment());
}

/// A device makes two slots with two keys, so that two readers would write under two keys. The commitment lets one in.
#[test]
fn two_readers_never_get_two_keys() {
    let world = World::new();
    let second = Cek::generate().unwrap();
    let mut slots = world.slots();
    let place = slots.len();
    let context = world.context();
    let slot = SlotMaker::again(&context, &world.access.statement, &second);
    slots.push(slot.sealed(place, &world.nina.0.public().sealing).unwrap().to_bytes().unwrap());
    let live = world.verify(&world.signed(world.stored.terms().to_vec(), slots, |_| {})).unwrap();
    assert_eq!(live.open_as(&world.nina.0, &mut PinStore::default()).unwrap_err(), Error::CannotOpen);
    assert_eq!(
        live.open(&world.ada.1, &mut PinStore::default()).unwrap_err(),
        Error::Forged("consent"),
        "and the others see it"
    );
}

#[test]
fn a_signed_consent_out_of_shape_is_malformed() {
    let world = World::new();
    let verify = |change: &dyn Fn(&mut ConsentStatement)| {
        world.verify(&world.signed(world.stored.terms().to_vec(), world.slots(), change)).map(drop)
    };
    assert_eq!(verify(&|_| {}), Ok(()));
    let malformed = Err(Error::Malformed("consent"));
    assert_eq!(verify(&|statement| statement.version = Version(0)), malformed);
    assert_eq!(verify(&|statement| statement.version = Version(2)), malformed);
    assert_eq!(verify(&|statement| statement.previous = Some(world.access.hash())), malformed);
    assert_eq!(verify(&|statement| statement.not_after = Some(NOW.minus(Duration::from_secs(1)))), malformed);
    assert_eq!(verify(&|statement| statement.slots.clear()), malformed);
    assert_eq!(verify(&|statement| statement.slots.resize(65, statement.terms)), malformed);

    // Two slots for one authority: a reader would have to try each.
    let mut slots = world.slots();
    slots.push(slots[0].clone());
    let stored = world.signed(world.stored.terms().to_vec(), slots, |_| {});
    assert_eq!(world.verify(&stored).map(drop), malformed);
    // A slot that is none.
    let mut slots = world.slots();
    slots[0].push(0);
    let stored = world.signed(world.stored.terms().to_vec(), slots, |_| {});
    assert_eq!(world.verify(&stored).unwrap_err(), Error::Malformed("slot"));
}

#[test]
fn every_truncation_and_every_longer_slot_is_malformed() {
    let world = World::new();
    for slot in world.slots() {
        assert!(Slot::from_bytes(&slot).is_ok());
        for length in 0..slot.len() {
            assert_eq!(Slot::from_bytes(&slot[..length]), Err(Error::Malformed("slot")), "{length}");
        }
        assert_eq!(Slot::from_bytes(&[&slot[..], &[0]].concat()), Err(Error::Malformed("slot")));
    }
    let terms = world.access.terms.to_cbor().unwrap();
    for length in 0..terms.len() {
        assert_eq!(Terms::from_cbor(&terms[..length]), Err(Error::Malformed("terms")));
    }
    assert_eq!(Terms::from_cbor(&[&terms[..], &[0]].concat()), Err(Error::Malformed("terms")));
}

/// A laboratory's wraps outlive a re-seal and end with a rotation.
#[test]
fn the_write_key_is_one_for_each_generation() {
    let world = World::new();
    let secret = world.access.write_secret().unwrap();
    assert_eq!(secret.public(), world.access.write_key());
    let again = || world.phone.consent(world.owner.devices(), compartment()).after(&world.access).unwrap();
    let (_, resealed) = again().reseal().unwrap().same_terms(&world.trust).unwrap().seal(NOW).unwrap();
    assert_eq!(resealed.write_secret().unwrap().expose(), secret.expose());
    assert_eq!(resealed.generation(), world.access.generation());
    assert_eq!(resealed.cek().expose(), world.access.cek().expose());
    let (_, rotated) = again().seal(NOW).unwrap();
    assert_ne!(rotated.write_key(), world.access.write_key());
    assert_ne!(rotated.cek().expose(), world.access.cek().expose());
    assert_eq!(rotated.generation().0, world.access.generation().0 + 1);
}

#[test]
fn a_device_that_is_not_in_the_list_cannot_seal() {
    let world = World::new();
    let impostor = Device::generate("phone".parse().unwrap()).unwrap();
    let stranger = Device::generate("tablet".parse().unwrap()).unwrap();
    for device in [&impostor, &stranger] {
        let sealed = device.consent(world.owner.devices(), compartment()).seal(NOW);
        assert!(matches!(sealed, Err(Error::ApiMisuse(_))));
    }
}

/// A root key, a device and nobody else: where the root key's slot stands is a matter of the compartment key.
#[test]
fn the_place_of_a_slot_says_nothing_of_its_holder() {
    let world = World::new();
    let root = world.owner.list().unverified().root_sealing;
    let mut first = 0;
    for _ in 0..64 {
        let (_, access) = world.phone.consent(world.owner.devices(), compartment()).seal(NOW).unwrap();
        let context = Context::of(&access.statement).unwrap();
        let maker = SlotMaker::again(&context, &access.statement, &access.cek);
        let [one, two] = maker.ordered(access.terms.holders()).unwrap().try_into().unwrap();
        assert!(one == root || two == root);
        first += u32::from(one == root);
    }
    assert!((1..64).contains(&first), "the chance of this is 2^-63");
}

/// Whatever is signed with the owner's own key, and everything else in order: the number is over what its time allows.
#[test]
fn no_version_is_over_the_seconds_of_its_own_time() {
    let world = World::new();
    let with = |version: u64, generation: u64, at: Time| {
        let mut statement = world.access.statement.clone();
        (statement.version, statement.generation) = (Version(version), Generation(generation));
        (statement.issued_at, statement.not_before) = (at, at);
        statement.previous = Some(world.access.hash());
        let consent = Signed::sign(statement, world.phone.signer().key).unwrap();
        let stored = StoredConsent::from_parts(consent, world.stored.terms().to_vec(), world.slots()).unwrap();
        stored.verify(world.owner.devices(), &compartment(), &PinStore::default(), NOW).map(drop)
    };
    let malformed = Err(Error::Malformed("consent"));
    let second = NOW.as_secs();
    for (version, generation) in [(u64::MAX, u64::MAX), (u64::MAX, 1), (second + 1, 1), (2, 3), (2, u64::MAX), (2, 0)] {
        assert_eq!(with(version, generation, NOW), malformed, "{version} {generation}");
    }
    assert_eq!(with(second, second, NOW), Ok(()));
    // A time that allows more is not here yet.
    assert_eq!(with(Time::MAX.as_secs(), 1, Time::MAX), Err(Error::Expired("consent")));
    assert_eq!(with(second + 1000, 1, NOW.plus(Duration::from_secs(1000))), Err(Error::Expired("consent")));
}

/// The thief takes the highest numbers that his time allows; the owner does not have what he sealed.
#[test]
fn whatever_a_removed_device_signed_the_owners_next_consent_counts_and_takes_writes() {
    use crate::ledger::{KeyState, Ledger};
    use crate::record::{Author, Reader, Record};
    use crate::repository::{Put, Repository};
    use crate::rotation::Rotation;
    use crate::store::MemoryStore;
    use pollster::block_on;

    let mut world = World::new();
    let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
    world.owner.add_device(&tablet.public(), NOW).unwrap();
    let (store, noted) = (MemoryStore::new(), MemoryStore::new());
    let ledger = block_on(Ledger::create(&noted)).unwrap();
    let repository = block_on(Repository::bind(&store, ledger)).unwrap();
    let live = world.verify(&world.stored).unwrap();
    assert_eq!(block_on(repository.publish(&live, &world.stored)), Ok(Put::Done));

    // The thief rotates as the phone, and then forges the highest numbers into it.
    let thief = world.phone.sharing(world.owner.devices(), &world.trust, &world.access).rotate().unwrap();
    let (_, thiefs, _) = thief.seal(NOW).unwrap();
    let thiefs = Access {
        statement: ConsentStatement {
            version: Version(NOW.as_secs()),
            generation: Generation(NOW.as_secs()),
            ..thiefs.statement.clone()
        },
        ..thiefs
    };
    let theft = thiefs.signed_again(&world.phone, world.owner.devices());
    let pins = PinStore::default();
    let live = theft.verify(world.owner.devices(), &compartment(), &pins, NOW).unwrap();
    let thiefs = live.open_as_device(&world.phone, &mut PinStore::default()).unwrap();
    assert_eq!(block_on(repository.publish(&live, &theft)), Ok(Put::Done));
    let author = Author::device(&tablet, world.owner.devices()).unwrap();
    let record = |id: &str, access: &Access| {
        let record = Record::new(id.parse().unwrap(), "s".parse().unwrap()).part(access).unwrap();
        record.field("/a", "1").unwrap().seal(&author, NOW).unwrap()
    };
    // An honest author who was shown the thief's consent writes under it.
    assert_eq!(block_on(repository.put(&record("shown", &thiefs))), Ok(Put::Done));

    // By the runbook: the phone is removed, and the tablet signs the next from what it opened last.
    world.owner.remove_device(&"phone".parse().unwrap(), Removal::Retired, NOW).unwrap();
    let devices = world.owner.devices();
    let (stored, next, _) = tablet.sharing(devices, &world.trust, &world.access).rotate().unwrap().seal(NOW).unwrap();
    let live = stored.verify(devices, &compartment(), &pins, NOW).expect("whoever saw the theft takes it");
    assert_eq!(block_on(repository.publish(&live, &stored)), Ok(Put::Done));
    let state = |access: &Access| block_on(ledger.state(world.owner.id(), &compartment(), access.key_id()));
    assert_eq!(state(&next), Ok(KeyState::Active));
    assert_eq!(state(&thiefs), Ok(KeyState::DecryptOnly));
    let record = |id: &str, access: &Access| {
        let record = Record::new(id.parse().unwrap(), "s".parse().unwrap()).part(access).unwrap();
        record.field("/a", "1").unwrap().seal(&Author::device(&tablet, devices).unwrap(), NOW).unwrap()
    };
    assert_eq!(block_on(repository.put(&record("own", &next))), Ok(Put::Done));
    assert_eq!(block_on(repository.put(&record("late", &thiefs))), Ok(Put::Outdated));
    // If somebody has the thief's key, what lies under it moves, whatever its number.
    let clock = || NOW;
    let rotation = Rotation::new(&store, &[&world.access, &thiefs], &next, &clock).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    let moved = block_on(repository.get(world.owner.id(), &"shown".parse().unwrap())).unwrap().unwrap();
    let reader = Reader::new(&world.trust, NOW).devices(devices.clone());
    assert_eq!(reader.open(&moved, &[&next]).unwrap().get("/a"), Ok(Some(&b"1"[..])));
}

impl Access {
    /// Makes slots for the owner's keys, and signs, whatever the statement says.
    fn signed_again(&self, device: &Device, devices: &Devices) -> StoredConsent {
        let context = Context::of(&self.statement).unwrap();
        let terms = Terms { read: Vec::new(), owner_keys: devices.sealing_keys(), ..self.terms.clone() };
        let holders = terms.holders();
        let terms = seal_terms(&self.cek, context.of_terms(), &terms.to_cbor().unwrap()).unwrap();
        let mut statement = self.statement.clone();
        statement.terms = terms_hash(&terms);
        let maker = SlotMaker::again(&context, &statement, &self.cek);
        let holders = maker.ordered(holders).unwrap();
        let slots = holders.iter().enumerate().map(|(index, key)| maker.sealed(index, key).unwrap());
        let slots: Vec<_> = slots.map(|slot| slot.to_bytes().unwrap()).collect();
        statement.slots = slots.iter().map(|slot| slot_hash(slot)).collect();
        StoredConsent::from_parts(Signed::sign(statement, device.signer().key).unwrap(), terms, slots).unwrap()
    }
}

/// Five minutes ahead, as clocks may be, with as many numbers as that time allows: she cannot go beyond it yet, and is
/// told.
#[test]
fn nothing_is_signed_that_no_reader_takes() {
    let world = World::new();
    let ahead = NOW.plus(Duration::from_secs(300));
    let change = world.phone.sharing(world.owner.devices(), &world.trust, &world.access).rotate().unwrap();
    let (_, thiefs, _) = change.seal(ahead).unwrap();
    let version = Version(ahead.as_secs());
    let thiefs = Access { statement: ConsentStatement { version, ..thiefs.statement.clone() }, ..thiefs };
    let beyond = |at| {
        let change = world.phone.sharing(world.owner.devices(), &world.trust, &world.access).rotate().unwrap();
        change.beyond(&thiefs).unwrap().seal(at)
    };
    assert_eq!(beyond(NOW).err(), Some(Error::TooLarge("version")));
    let next = ahead.plus(Duration::from_secs(1));
    let (stored, ..) = beyond(next).unwrap();
    let pins = PinStore::default();
    assert!(stored.verify(world.owner.devices(), &compartment(), &pins, next).is_ok());
}

/// A stolen phone names the right consent, and a base that no number is above: nothing of it is remembered.
#[test]
fn a_head_binds_nobody_to_another_base_than_that_of_its_consent() {
    use crate::pin::Base;

    let world = World::new();
    let live = world.verify(&world.stored).unwrap();
    let genuine = world.phone.head(&live, NOW).unwrap().unverified().clone();
    for base in [u64::MAX, NOW.as_secs(), 1, 0] {
        let base = Some(Base { version: Version(base), hash: crate::id::Hash([7; 32]) });
        let head = Signed::sign(HeadStatement { base, ..genuine.clone() }, world.phone.signer().key).unwrap();
        let mut pins = PinStore::default();
        assert!(live.fresh(&head, &mut pins, NOW, HEAD_LIMIT).is_err(), "{base:?}");
        let change = world.phone.sharing(world.owner.devices(), &world.trust, &world.access).rotate().unwrap();
        let (next, ..) = change.seal(NOW).unwrap();
        assert!(next.verify(world.owner.devices(), &compartment(), &pins, NOW).is_ok(), "{base:?}");
    }
}
