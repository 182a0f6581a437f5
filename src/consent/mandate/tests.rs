//! What a mandate lets a custodian do, and what one who cheats can do with the compartment key and a signing key in hand:
//! his consents are made here without the builder's checks.

use std::time::Duration;

use crate::authority::{Authority, Trust};
mod slots;

use crate::consent::slot::{Context, SlotMaker, slot_hash, terms_hash};
use crate::consent::*;
use crate::error::Error;
use crate::id::{CompartmentId, Generation, Hash, Time, Version};
use crate::identity::{Identity, Signed};
use crate::kem::UserKey;
use crate::owner::{Device, Owner};
use crate::pin::{Base, PinStore};
use crate::seal::seal_terms;

const NOW: Time = Time::at(1_775_000_000);
const DAY: u64 = 24 * 60 * 60;
const UNTIL: Time = NOW.plus(Duration::from_secs(200 * DAY));

struct World {
    owner: Owner,
    phone: Device,
    trust: Trust,
    hospital: crate::id::AuthorityId,
    authority: Authority,
    ada: UserKey,
    bob: UserKey,
    keeper: Identity,
    stored: StoredConsent,
    access: Access,
    mandate: Mandate,
    /// Ada's own.
    doctor: (Identity, crate::authority::Credential),
}

fn compartment() -> CompartmentId {
    "icu".parse().unwrap()
}

fn later(days: u64) -> Time {
    NOW.plus(Duration::from_secs(days * DAY))
}

impl World {
    fn new() -> Self {
        let mut hospital = Authority::setup("st-olave".parse().unwrap(), NOW).unwrap();
        let mut trust = Trust::new(Duration::MAX);
        trust.add(hospital.anchor()).unwrap();
        let mut identities = ["dr-ada", "dr-bob"].map(|name| Identity::generate(name.parse().unwrap()).unwrap());
        let issued = identities.each_mut().map(|identity| {
            hospital.enrol(&identity.enrol().unwrap()).unwrap();
            let attributes = "role:doctor".parse().unwrap();
            hospital.issue(identity.id(), &attributes, NOW, later(60), NOW).unwrap()
        });
        trust.update(&hospital.publish(NOW).unwrap(), &mut PinStore::default()).unwrap();
        let [ada, bob] = [0, 1].map(|i: usize| identities[i].accept(&issued[i], &trust, NOW).unwrap());
        let keeper = Identity::generate("keeper".parse().unwrap()).unwrap();
        let (owner, phone) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
        let builder = phone.consent(owner.devices(), compartment()).custodian(&keeper.public()).unwrap();
        let builder = builder.read(&trust, hospital.id(), "role:doctor").unwrap();
        let (stored, access) = builder.write(&trust, hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap();
        let mandate = phone.mandate((owner.devices(), &access), &keeper.public(), UNTIL, NOW).unwrap();
        let (hospital, authority) = (hospital.id().clone(), hospital);
        let ([doctor, _], [credential, _]) = (identities, issued.map(|issued| issued.credential));
        let doctor = (doctor, credential);
        Self { owner, phone, trust, hospital, authority, ada, bob, keeper, stored, access, mandate, doctor }
    }

    fn builder<'a>(&'a self, access: &'a Access) -> ConsentBuilder<'a> {
        let builder = self.mandate.consent(&self.keeper, self.owner.devices()).unwrap().after(access).unwrap();
        builder.same_terms(&self.trust).unwrap()
    }

    fn verify(&self, stored: &StoredConsent, now: Time) -> Result<LiveConsent, Error> {
        stored.verify(self.owner.devices(), &compartment(), &PinStore::default(), now)
    }

    /// The same consent with other terms or another statement, made by a custodian who keeps to no rule.
    fn forge(
        &self,
        (stored, access): &(StoredConsent, Access),
        change_terms: impl FnOnce(&mut Terms),
        change: impl FnOnce(&mut ConsentStatement),
    ) -> StoredConsent {
        let mut statement = access.statement.clone();
        change(&mut statement);
        let mut terms = access.terms.clone();
        change_terms(&mut terms);
        let context = Context::of(&statement).unwrap();
        let sealed = seal_terms(&access.cek, context.of_terms(), &terms.to_bytes().unwrap()).unwrap();
        statement.terms = terms_hash(&sealed);
        let maker = SlotMaker::again(&context, &statement, &access.cek);
        let public = self.trust.parameters(&self.hospital).unwrap();
        let mut slots = Vec::new();
        for reading in &terms.read {
            let Some(policy) = reading.sealed_policy(&terms.exclusions).unwrap() else { continue };
            slots.push(maker.policy(slots.len(), public, &public.expand(&policy).unwrap()).unwrap());
        }
        for holder in maker.ordered(terms.holders()).unwrap() {
            slots.push(maker.sealed(slots.len(), &holder).unwrap());
        }
        let slots: Vec<_> = slots.iter().map(|slot| slot.to_bytes().unwrap()).collect();
        statement.slots = slots.iter().map(|slot| slot_hash(slot)).collect();
        let consent = Signed::sign(statement, self.keeper.signing()).unwrap();
        StoredConsent::from_parts(consent, sealed, slots).unwrap().under(stored.mandate().cloned()).unwrap()
    }
}

#[test]
fn a_custodian_seals_for_a_new_month_while_the_patient_is_offline() {
    let world = World::new();
    let live = world.verify(&world.stored, later(40)).unwrap();
    let opened = live.open_as(&world.keeper, &mut PinStore::default()).unwrap();
    let (stored, access) = world.builder(&opened).reseal().unwrap().seal(later(40)).unwrap();
    assert_eq!((access.version(), access.generation()), (Version(2), Generation(1)));
    assert_eq!(access.not_after(), Some(UNTIL));
    let stored = StoredConsent::from_cbor(&stored.to_cbor().unwrap()).unwrap();
    assert_eq!(StoredConsent::from_json(&stored.to_json().unwrap()).unwrap(), stored);

    let live = world.verify(&stored, later(40)).unwrap();
    assert!(live.open(&world.ada, &mut PinStore::default()).is_ok());
    assert!(live.open_as_device(&world.phone, &mut PinStore::default()).is_ok());
    // Keys end after 60 days, so a sealing for the month of day 100 leaves them out, and keys of that time are let in.
    let (next, _) = world.builder(&access).reseal().unwrap().seal(later(100)).unwrap();
    let live = world.verify(&next, later(100)).unwrap();
    assert_eq!(live.open(&world.ada, &mut PinStore::default()).err(), Some(Error::CannotOpen));
    assert!(live.open_as(&world.keeper, &mut PinStore::default()).is_ok());
}

#[test]
fn a_custodian_shuts_people_out_with_a_new_key() {
    let world = World::new();
    let builder = world.builder(&world.access).exclude("dr-bob".parse().unwrap());
    let (stored, access) = builder.seal(later(1)).unwrap();
    assert_eq!(access.generation(), Generation(2));
    let live = world.verify(&stored, later(1)).unwrap();
    assert!(live.open(&world.ada, &mut PinStore::default()).is_ok());
    assert_eq!(live.open(&world.bob, &mut PinStore::default()).err(), Some(Error::CannotOpen));
    // And cannot let him in again: what is excluded under the mandate's own ceiling stays so only there.
    let (again, _) = {
        let builder = world.mandate.consent(&world.keeper, world.owner.devices()).unwrap().after(&access).unwrap();
        builder.read(&world.trust, &world.hospital, "role:doctor").unwrap().seal(later(2)).unwrap()
    };
    assert!(
        world.verify(&again, later(2)).unwrap().open(&world.bob, &mut PinStore::default()).is_ok(),
        "the ceiling is the owner's own word"
    );
}

#[test]
fn the_builder_refuses_to_go_further_than_the_mandate() {
    let world = World::new();
    let start = || world.mandate.consent(&world.keeper, world.owner.devices()).unwrap().after(&world.access).unwrap();
    let wider = start().read(&world.trust, &world.hospital, "role:doctor or role:clerk").unwrap();
    assert_eq!(wider.seal(later(1)).err(), Some(Error::NotAllowed));
    let writes = start().write(&world.trust, &world.hospital, "role:doctor or role:clerk").unwrap();
    assert_eq!(writes.seal(later(1)).err(), Some(Error::NotAllowed));
    let eve = Identity::generate("eve".parse().unwrap()).unwrap();
    assert_eq!(start().name(&eve.public()).unwrap().seal(later(1)).err(), Some(Error::NotAllowed));
    let backdated = world.builder(&world.access).valid(later(1), None).seal(later(201));
    assert_eq!(backdated.err(), Some(Error::NotAllowed));
    assert!(world.mandate.consent(&eve, world.owner.devices()).is_err());
}

#[test]
fn readers_refuse_what_a_cheating_custodian_widens() {
    let world = World::new();
    let honest = world.builder(&world.access).seal(later(1)).unwrap();
    let open = |stored: &StoredConsent| {
        world
            .verify(stored, later(1))
            .and_then(|live| live.open_as(&world.keeper, &mut PinStore::default()))
            .map(|access| access.version())
    };
    // The forger's tool works: unchanged, what it makes opens.
    assert_eq!(open(&world.forge(&honest, |_| (), |_| ())), Ok(Version(2)));

    type Change = Box<dyn Fn(&mut Terms)>;
    let eve = Identity::generate("eve".parse().unwrap()).unwrap();
    let eve = Named::from(&eve.public());
    let base = world.mandate.unverified().base();
    let changes: Vec<(&str, Change)> = vec![
        ("a wider read policy", Box::new(|terms| terms.read[0].policy = "role:doctor or role:clerk".into())),
        ("an earlier month", Box::new(|terms| terms.read[0].month -= 2)),
        ("a wider write policy", Box::new(|terms| terms.write[0].policy = "role:clerk".into())),
        ("a new reader by name", Box::new(move |terms| terms.people.push(eve.clone()))),
        ("no past", Box::new(|terms| terms.past.clear())),
        (
            "a past that is to come",
            Box::new(move |terms| {
                let (from, to, issued_at, not_after) = (Version(2), Version(9), later(1), Some(UNTIL));
                let (devices, base) = (Version(1), Some(base));
                terms.past.push(PastWriting { from, to, issued_at, not_after, write: Vec::new(), devices, base });
            }),
        ),
        ("a past that goes on", Box::new(|terms| terms.past[0].to = Version(2))),
        ("another past", Box::new(|terms| terms.past[0].write[0].policy = "role:clerk".into())),
        ("a past that lasted longer", Box::new(|terms| terms.past[0].not_after = Some(UNTIL))),
        (
            "a raised ceiling",
            Box::new(|terms| {
                let ceiling = terms.ceiling.as_mut().unwrap();
                ceiling.terms.read[0].policy = "role:doctor or role:clerk".into();
                terms.read[0].policy = "role:doctor or role:clerk".into();
            }),
        ),
        ("no ceiling", Box::new(|terms| terms.ceiling = None)),
    ];
    for (what, change) in changes {
        let seen = open(&world.forge(&honest, change, |_| ()));
        assert!(matches!(seen, Err(Error::NotAllowed | Error::Forged(_))), "{what}: {seen:?}");
    }
}

#[test]
fn readers_refuse_what_outlives_the_mandate_or_evades_it() {
    let world = World::new();
    let honest = world.builder(&world.access).seal(later(1)).unwrap();
    type Change = Box<dyn Fn(&mut ConsentStatement)>;
    let changes: Vec<(&str, Change)> = vec![
        ("no end", Box::new(|statement| statement.not_after = None)),
        ("a later end", Box::new(|statement| statement.not_after = Some(later(201)))),
        ("signed after the end", Box::new(|statement| statement.issued_at = later(201))),
        ("signed before the mandate", Box::new(|statement| statement.issued_at = NOW.minus(Duration::from_secs(1)))),
        ("the version that the owner signed", Box::new(|statement| statement.version = Version(1))),
        ("more versions than there are", Box::new(|statement| statement.version = Version(2 + MAX_MANDATED))),
        ("no generation", Box::new(|statement| statement.generation = Generation(0))),
        ("a generation for no version", Box::new(|statement| statement.generation = Generation(3))),
        ("another device list", Box::new(|statement| statement.devices = Version(0))),
        ("no word of the mandate", Box::new(|statement| statement.mandate = None)),
        ("another compartment", Box::new(|statement| statement.compartment = "other".parse().unwrap())),
    ];
    for (what, change) in changes {
        let forged = world.forge(
            &honest,
            |_| (),
            |statement| {
                change(statement);
                if statement.version == Version(1) {
                    statement.previous = None;
                }
            },
        );
        assert!(world.verify(&forged, later(1)).is_err(), "{what}");
    }
    // Without the mandate beside it, and with one for another compartment.
    let (stored, _) = &honest;
    assert!(world.verify(&stored.clone().under(None).unwrap(), later(1)).is_err());
    // And an honest one is over with the mandate.
    assert!(world.verify(stored, UNTIL).is_ok());
    let late = world.verify(stored, UNTIL.plus(Duration::from_secs(1))).unwrap();
    assert_eq!(late.open_as(&world.keeper, &mut PinStore::default()).err(), Some(Error::Expired("consent")));
}

#[test]
fn the_owners_own_word_ends_a_mandate_whatever_version_was_used_up_under_it() {
    let world = World::new();
    let mut pins = PinStore::default();
    let honest = world.builder(&world.access).seal(later(1)).unwrap();
    let greedy = world.forge(&honest, |_| (), |statement| statement.version = Version(1 + MAX_MANDATED));
    let verify = |stored: &StoredConsent, pins: &mut PinStore| {
        let live = stored.verify(world.owner.devices(), &compartment(), pins, later(2))?;
        live.open_as(&world.keeper, pins).map(|access| access.version())
    };
    assert_eq!(verify(&greedy, &mut pins), Ok(Version(1 + MAX_MANDATED)));
    assert_eq!(verify(&honest.0, &mut pins), Err(Error::Rollback("consent")));

    let builder = world.phone.consent(world.owner.devices(), compartment()).after(&world.access).unwrap();
    let (own, access) = builder.same_terms(&world.trust).unwrap().seal(later(2)).unwrap();
    assert_eq!(verify(&own, &mut pins), Ok(Version(2)));
    assert_eq!(verify(&greedy, &mut pins), Err(Error::Rollback("consent")));
    let pins = PinStore::from_cbor(&pins.to_cbor().unwrap()).unwrap();
    assert_eq!(verify(&greedy, &mut pins.clone()), Err(Error::Rollback("consent")));

    // A reader who was shown no more than the owner's head knows as much.
    let fresh = PinStore::default();
    let live = own.verify(world.owner.devices(), &compartment(), &fresh, later(2)).unwrap();
    let head = world.phone.head(&live, later(2)).unwrap();
    let mut told = PinStore::default();
    live.fresh(&head, &mut told, later(2), HEAD_LIMIT).unwrap();
    assert_eq!(verify(&greedy, &mut told), Err(Error::Rollback("consent")));
    assert_eq!(access.generation(), Generation(2));
}

#[test]
fn a_removed_device_takes_its_mandates_along() {
    let mut world = World::new();
    let (stored, _) = world.builder(&world.access).seal(later(1)).unwrap();
    let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
    world.owner.add_device(&tablet.public(), later(1)).unwrap();
    assert!(world.verify(&stored, later(1)).is_ok());
    world.owner.remove_device(world.phone.id(), later(1)).unwrap();
    assert_eq!(world.verify(&stored, later(1)).err(), Some(Error::Forged("consent")));
    assert!(world.mandate.consent(&world.keeper, world.owner.devices()).is_err());
}

#[test]
fn a_mandate_is_given_for_what_the_owner_signed_and_to_its_custodian() {
    let world = World::new();
    let eve = Identity::generate("eve".parse().unwrap()).unwrap();
    let give = |access: &Access, to: &Identity, until| {
        world.phone.mandate((world.owner.devices(), access), &to.public(), until, NOW).map(|_| ())
    };
    assert_eq!(give(&world.access, &world.keeper, UNTIL), Ok(()));
    assert!(give(&world.access, &eve, UNTIL).is_err());
    assert!(give(&world.access, &world.keeper, NOW.minus(Duration::from_secs(1))).is_err());
    let (_, under) = world.builder(&world.access).seal(later(1)).unwrap();
    assert!(give(&under, &world.keeper, UNTIL).is_err());
}

#[test]
fn the_hash_of_a_ceiling_is_no_dictionary() {
    let world = World::new();
    let ceiling = mandate::Ceiling::of(&world.access).unwrap();
    let other = World::new();
    assert_ne!(ceiling.hash().unwrap(), mandate::Ceiling::of(&other.access).unwrap().hash().unwrap());
    assert_eq!(ceiling.hash().unwrap(), world.mandate.unverified().ceiling);
    // Whoever holds no compartment key has to guess 32 bytes: another salt gives another hash.
    let guess = mandate::Ceiling { salt: crate::seal::Salt::generate().unwrap(), ..ceiling.clone() };
    assert_ne!(guess.hash().unwrap(), ceiling.hash().unwrap());
}

#[test]
fn the_owners_next_consent_does_not_end_with_the_mandate() {
    let world = World::new();
    let (stored, under) = world.builder(&world.access).seal(later(1)).unwrap();
    assert_eq!(under.not_after(), Some(UNTIL));
    let (_, by_verb, _) =
        world.phone.sharing(world.owner.devices(), &world.trust, &under).rotate().unwrap().seal(later(2)).unwrap();
    let builder = world.phone.consent(world.owner.devices(), compartment()).after(&under).unwrap();
    let (_, by_builder) = builder.same_terms(&world.trust).unwrap().seal(later(2)).unwrap();
    for own in [by_verb, by_builder] {
        assert_eq!((own.version(), own.not_after(), own.terms().ceiling.is_none()), (Version(3), None, true));
        assert_eq!(own.terms().past.last().map(|past| past.not_after), Some(Some(UNTIL)));
    }
    assert!(world.verify(&stored, UNTIL).is_ok());
}

/// The whole way with a key service: it opens the slot and signs, and never hands a key out.
#[test]
fn a_key_service_seals_on_without_giving_its_key_away() {
    let mut world = World::new();
    let master = crate::Secret::build(|bytes: &mut [u8; 32]| bytes.fill(9));
    let keeper = MasterKeyCustodian::new("keeper".parse().unwrap(), &master).unwrap();
    let service: &dyn Custodian = &keeper;
    let builder = world.phone.consent(world.owner.devices(), compartment()).custodian(service.public()).unwrap();
    let builder = builder.read(&world.trust, &world.hospital, "role:doctor").unwrap();
    let (stored, access) = builder.seal(NOW).unwrap();
    let given = world.phone.mandate((world.owner.devices(), &access), service.public(), UNTIL, NOW).unwrap();
    world.mandate = given;

    let live = world.verify(&stored, later(1)).unwrap();
    let opened = pollster::block_on(live.open_with(service, &mut PinStore::default())).unwrap();
    let draft = || {
        let builder = world.mandate.consent_elsewhere(world.owner.devices()).unwrap().after(&opened).unwrap();
        builder.same_terms(&world.trust).unwrap()
    };
    assert!(matches!(draft().seal(later(1)), Err(Error::ApiMisuse(_))));
    let unsigned = draft().draft(later(1)).unwrap();
    let signature = pollster::block_on(service.sign(&unsigned.message().unwrap())).unwrap();
    let (next, _) = unsigned.finish(signature).unwrap();
    let next = world.verify(&next, later(1)).unwrap();
    assert!(next.open(&world.ada, &mut PinStore::default()).is_ok());
    // It says that this is the latest, too.
    let head = || next.custodian_head_elsewhere(service.public(), later(1)).unwrap();
    let said = pollster::block_on(service.sign(&head().message().unwrap())).unwrap();
    let fresh = next.fresh(&head().finish(said).unwrap(), &mut PinStore::default(), later(1), HEAD_LIMIT);
    assert_eq!(fresh, Ok(Freshness::Fresh));
    assert_eq!(head().finish(signature).err(), Some(Error::Forged("head")));

    // A signature of something else is refused before it is stored.
    let unsigned = draft().draft(later(1)).unwrap();
    assert_eq!(unsigned.finish(signature).err(), Some(Error::Forged("consent")));
    let stranger = MasterKeyCustodian::new("stranger".parse().unwrap(), &master).unwrap();
    assert_eq!(pollster::block_on(live.open_with(&stranger, &mut PinStore::default())).err(), Some(Error::CannotOpen));
}

/// Between the months nothing but numbers change; these go up by one each, so that the owner has some left.
#[test]
fn a_custodian_takes_a_generation_for_each_version_at_most() {
    let mut world = World::new();
    let next = world.phone.sharing(world.owner.devices(), &world.trust, &world.access).reseal().unwrap();
    let (_, access, _) = next.seal(NOW).unwrap();
    assert_eq!((access.version(), access.generation()), (Version(2), Generation(1)));
    world.mandate = world.phone.mandate((world.owner.devices(), &access), &world.keeper.public(), UNTIL, NOW).unwrap();
    let honest = world.builder(&access).seal(later(1)).unwrap();
    assert!(world.verify(&honest.0, later(1)).is_ok());
    for generation in [0, 3, u64::MAX] {
        let forged = world.forge(&honest, |_| (), |statement| statement.generation = Generation(generation));
        let refused = world.verify(&forged, later(1)).err();
        assert!(matches!(refused, Some(Error::NotAllowed | Error::Malformed(_))), "{generation}: {refused:?}");
    }
}

#[test]
fn a_custodian_cannot_write_his_own_past() {
    let world = World::new();
    let (_, second) = world.builder(&world.access).seal(later(1)).unwrap();
    let honest = world.builder(&second).seal(later(2)).unwrap();
    let open = |change: &dyn Fn(&mut PastWriting)| {
        let forged = world.forge(&honest, |terms| change(terms.past.last_mut().unwrap()), |_| ());
        world
            .verify(&forged, later(2))
            .and_then(|live| live.open_as(&world.keeper, &mut PinStore::default()))
            .map(|access| access.version())
    };
    assert_eq!(open(&|_| ()), Ok(Version(3)));
    assert_eq!(open(&|last| last.issued_at = Time::MIN), Err(Error::NotAllowed));
    assert_eq!(open(&|last| last.not_after = None), Err(Error::NotAllowed));
    assert_eq!(open(&|last| last.not_after = Some(UNTIL.plus(Duration::from_secs(1)))), Err(Error::NotAllowed));
    assert_eq!(open(&|last| last.to = Version(3)), Err(Error::NotAllowed));
    // Nor where it stands among the owner's.
    let base = world.mandate.unverified().base();
    assert_eq!(open(&|last| last.base = Some(Base { version: Version(2), ..base })), Err(Error::NotAllowed));
    assert_eq!(open(&|last| last.base = Some(Base { hash: Hash([7; 32]), ..base })), Err(Error::NotAllowed));
    assert_eq!(open(&|last| last.base = None), Err(Error::NotAllowed));
    assert_eq!(open(&|last| last.devices = Version(2)), Err(Error::NotAllowed));
}

/// The first that are dropped for want of room are the earliest.
#[test]
fn a_long_past_stays_whole_under_a_mandate() {
    let mut world = World::new();
    let mut access = None::<Access>;
    for version in 0..=MAX_PAST as u64 {
        let before = access.as_ref().unwrap_or(&world.access);
        let builder = world.phone.consent(world.owner.devices(), compartment()).after(before).unwrap();
        let builder = builder.reseal().unwrap().same_terms(&world.trust).unwrap();
        // Each with an end of its own, so that none is one with the one before.
        access = Some(builder.valid(None, later(300 + version)).seal(NOW).unwrap().1);
    }
    let access = access.unwrap();
    // With room for what a mandate may add.
    assert_eq!(access.terms.past.len(), MAX_PAST - MAX_MANDATES_PAST);
    world.mandate = world.phone.mandate((world.owner.devices(), &access), &world.keeper.public(), UNTIL, NOW).unwrap();
    let honest = world.builder(&access).seal(later(1)).unwrap();
    let open = |stored: &StoredConsent| {
        world.verify(stored, later(1)).and_then(|live| live.open_as(&world.keeper, &mut PinStore::default()))
    };
    assert!(open(&honest.0).is_ok());
    let shorter = world.forge(&honest, |terms| drop(terms.past.remove(0)), |_| ());
    assert_eq!(open(&shorter).err(), Some(Error::NotAllowed));
    let gap = world.forge(&honest, |terms| drop(terms.past.remove(30)), |_| ());
    assert_eq!(open(&gap).err(), Some(Error::NotAllowed));
}

#[test]
fn a_custodian_does_not_keep_whose_time_is_over_nor_forget_a_referral_that_ended() {
    let mut world = World::new();
    let eve = Identity::generate("eve".parse().unwrap()).unwrap();
    let builder = world.phone.consent(world.owner.devices(), compartment()).custodian(&world.keeper.public()).unwrap();
    let builder = builder.name(Named::from(&eve.public()).until(later(1))).unwrap();
    let ended = ConsumedStatement { statement: crate::id::Hash([7; 32]), until: later(9) };
    let (_, access) = builder.consume(ended.clone()).seal(NOW).unwrap();
    world.mandate = world.phone.mandate((world.owner.devices(), &access), &world.keeper.public(), UNTIL, NOW).unwrap();
    let honest = world.builder(&access).seal(later(1)).unwrap();
    let open = |stored: &StoredConsent| {
        world.verify(stored, later(20)).and_then(|live| live.open_as(&world.keeper, &mut PinStore::default()))
    };
    assert!(open(&honest.0).is_ok());
    let kept = world.forge(&honest, |_| (), |statement| statement.issued_at = later(2));
    assert_eq!(open(&kept).err(), Some(Error::Forged("consent")));
    let forgotten = world.forge(&honest, |terms| terms.consumed.clear(), |_| ());
    assert_eq!(open(&forgotten).err(), Some(Error::NotAllowed));
    let (_, next) = world.builder(&access).seal(later(20)).unwrap();
    assert_eq!((next.terms.people.len(), &next.terms.consumed), (0, &vec![ended]));
}

/// Her parent's device, after majority, with the clock of the year before.
#[test]
fn a_device_whose_time_is_over_leaves_no_trace_in_what_readers_remember() {
    let (mut child, own) = Owner::generate_with_device("own".parse().unwrap(), NOW).unwrap();
    let parent = Device::generate("parents".parse().unwrap()).unwrap();
    child.add_device_until(&parent.public(), later(10), NOW).unwrap();
    let (_, first) = own.consent(child.devices(), compartment()).seal(NOW).unwrap();
    let (_, second) = parent.consent(child.devices(), compartment()).after(&first).unwrap().seal(later(9)).unwrap();
    let (third, _) = parent.consent(child.devices(), compartment()).after(&second).unwrap().seal(later(9)).unwrap();
    let pins = PinStore::default();
    let late = third.verify(child.devices(), &compartment(), &pins, later(11));
    assert_eq!(late.err(), Some(Error::Expired("device")));
    assert_eq!(pins, PinStore::default());
    let (honest, _) = own.consent(child.devices(), compartment()).after(&first).unwrap().seal(later(11)).unwrap();
    assert!(honest.verify(child.devices(), &compartment(), &pins, later(11)).is_ok());
}

/// Before it, doctors could write; now nobody can. What they wrote stands by what is remembered.
#[test]
fn a_custodian_neither_pushes_the_owners_past_out_nor_fills_the_terms() {
    let mut world = World::new();
    let builder = world.phone.consent(world.owner.devices(), compartment()).after(&world.access).unwrap();
    let builder = builder.read(&world.trust, &world.hospital, "role:doctor").unwrap();
    let (_, access) = builder.custodian(&world.keeper.public()).unwrap().seal(NOW).unwrap();
    world.mandate = world.phone.mandate((world.owner.devices(), &access), &world.keeper.public(), UNTIL, NOW).unwrap();
    let honest = world.builder(&access).seal(later(1)).unwrap();
    let base = world.mandate.unverified().base();
    let invented = |i: u64| {
        let (at, devices, base) = (Version(3 + i), Version(1), Some(base));
        PastWriting { from: at, to: at, issued_at: NOW, not_after: Some(UNTIL), write: Vec::new(), devices, base }
    };
    let open = |change: &dyn Fn(&mut Terms)| {
        let version = Version(3 + MAX_PAST as u64);
        let forged = world.forge(&honest, |terms| change(terms), |statement| statement.version = version);
        world.verify(&forged, later(1)).and_then(|live| live.open_as(&world.keeper, &mut PinStore::default()))
    };
    let room = MAX_MANDATES_PAST as u64;
    let refused = open(&|terms| terms.past = (0..=room).map(invented).collect()).err();
    assert_eq!(refused, Some(Error::NotAllowed));
    assert!(open(&|terms| terms.past.extend((0..=room).map(invented))).is_err());
    // With as many as there is room for, the owner's own are the last to go.
    let full = open(&|terms| terms.past.extend((0..room).map(invented))).unwrap();
    let next = world.phone.sharing(world.owner.devices(), &world.trust, &full).rotate().unwrap();
    let (_, own, _) = next.seal(later(2)).unwrap();
    assert_eq!(own.terms.past.iter().filter(|entry| entry.base.is_none()).count(), 2);
    assert_eq!(own.terms.past.len(), MAX_MANDATES_PAST + 2);

    let consumed = |i: u8| ConsumedStatement { statement: crate::id::Hash([i; 32]), until: UNTIL };
    assert_eq!(open(&|terms| terms.consumed = vec![consumed(1)]).err(), Some(Error::NotAllowed));
    let named = |i: usize| Exclusion::by_name(format!("person-{i:03}").parse().unwrap());
    assert!(open(&|terms| terms.exclusions = (0..64).map(named).collect()).is_ok());
    assert_eq!(open(&|terms| terms.exclusions = (0..65).map(named).collect()).err(), Some(Error::NotAllowed));
    // Nor with numbers under authorities that nobody asks.
    let number = crate::policy::PersonNumber::new(7).unwrap();
    let mut elsewhere = named(0);
    elsewhere.numbers = [("st-elsewhere".parse().unwrap(), number)].into();
    assert_eq!(open(&|terms| terms.exclusions = vec![elsewhere.clone()]).err(), Some(Error::NotAllowed));
    elsewhere.numbers = [(world.hospital.clone(), number)].into();
    assert!(open(&|terms| terms.exclusions = vec![elsewhere.clone()]).is_ok());
}

/// A stolen key, and a custodian who makes room for it in what the owner will say next.
#[test]
fn a_custodian_neither_forgets_nor_adds_to_whom_the_owner_shuts_out_by_number() {
    let mut world = World::new();
    let number = world.trust.resolve(&world.hospital)("dr-ada").unwrap();
    let kept = |number| Exclusion {
        since: NOW,
        ..Exclusion::by_number((&world.hospital, number), Action::Read, Cause::Stolen)
    };
    let (ada, another) = (kept(number), kept(crate::policy::PersonNumber::new(7).unwrap()));
    let builder = world.phone.consent(world.owner.devices(), compartment()).after(&world.access).unwrap();
    let builder = builder.same_terms(&world.trust).unwrap().shut_out([ada.clone()]);
    let (stored, access) = builder.seal(NOW).unwrap();
    let opens = |stored: &StoredConsent| {
        let live = world.verify(stored, later(1)).unwrap();
        [&world.ada, &world.bob].map(|key| live.open(key, &mut PinStore::default()).is_ok())
    };
    assert_eq!(opens(&stored), [false, true]);
    world.mandate = world.phone.mandate((world.owner.devices(), &access), &world.keeper.public(), UNTIL, NOW).unwrap();
    // Said anew by hand, as far as the mandate goes.
    let builder = world.mandate.consent(&world.keeper, world.owner.devices()).unwrap().after(&access).unwrap();
    let policy = format!("role:doctor and not user:{number}");
    let builder = builder.read(&world.trust, &world.hospital, &policy).unwrap();
    let honest = builder.seal(later(1)).unwrap();
    assert_eq!(honest.1.terms.exclusions, std::slice::from_ref(&ada));
    let later_on = Exclusion { since: later(1), ..ada.clone() };
    let ending = Exclusion { until: Some(later(2)), ..ada.clone() };
    let from_all = Exclusion { action: Action::Both, ..ada.clone() };
    let renumbered = Exclusion { person: Some("dr-ada".parse().unwrap()), ..ada.clone() };
    let lists = [
        vec![],
        vec![another.clone()],
        vec![ada, another],
        vec![later_on],
        vec![ending],
        vec![from_all],
        vec![renumbered],
    ];
    for list in lists {
        let forged = world.forge(&honest, |terms| terms.exclusions = list, |_| ());
        let opened = world.verify(&forged, later(1)).and_then(|live| live.open(&world.bob, &mut PinStore::default()));
        assert_eq!(opened.err(), Some(Error::NotAllowed));
    }
    let by_owner = world.phone.sharing(world.owner.devices(), &world.trust, &honest.1);
    let (stored, ..) = by_owner.restrict(&world.hospital, "role:doctor").unwrap().seal(later(1)).unwrap();
    let live = world.verify(&stored, later(1)).unwrap();
    assert_eq!([&world.ada, &world.bob].map(|key| live.open(key, &mut PinStore::default()).is_ok()), [false, true]);
}

/// Under the first mandate he shut the doctor out, who wrote on; under the second one he wants nobody to know of the first.
#[test]
fn a_custodian_does_not_forget_what_was_under_an_earlier_mandate() {
    use crate::record::{Author, Reader, Record, SealedRecord};
    let world = World::new();
    let (_, night) = world.builder(&world.access).exclude("dr-ada".parse().unwrap()).seal(later(1)).unwrap();
    let author = Author::new(&world.doctor.0, &world.doctor.1).unwrap();
    let record = Record::new("r".parse().unwrap(), "clinic/note".parse().unwrap()).part(&world.access).unwrap();
    let mut record = record.field("/a", "1").unwrap().seal(&author, later(2)).unwrap();
    let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &night);
    let (_, own, _) = sharing.rotate().unwrap().seal(later(3)).unwrap();
    record.rewrap(&world.access, &own).unwrap();
    let reads = |record: &SealedRecord, access: &Access| {
        let reader = Reader::new(&world.trust, later(6)).devices(world.owner.devices().clone());
        reader.open(record, &[access]).map(|_| ())
    };
    assert_eq!(reads(&record, &own), Err(Error::NotAllowed));
    let given = (world.owner.devices(), &own);
    let mandate = world.phone.mandate(given, &world.keeper.public(), UNTIL, later(3)).unwrap();
    let builder = mandate.consent(&world.keeper, world.owner.devices()).unwrap().after(&own).unwrap();
    let honest = builder.same_terms(&world.trust).unwrap().seal(later(4)).unwrap();
    record.rewrap(&own, &honest.1).unwrap();
    assert_eq!(reads(&record, &honest.1), Err(Error::NotAllowed));
    let forged = world.forge(&honest, |terms| terms.past.retain(|entry| entry.base.is_none()), |_| ());
    let opened = world.verify(&forged, later(4)).and_then(|live| live.open_as(&world.keeper, &mut PinStore::default()));
    assert_eq!(opened.err(), Some(Error::NotAllowed));
    // Nor are they pushed out by many honest nights.
    let mut last = honest.1;
    for night in 0..2 * MAX_PAST as u64 {
        let builder = mandate.consent(&world.keeper, world.owner.devices()).unwrap().after(&last).unwrap();
        let builder = builder.same_terms(&world.trust).unwrap();
        let end = later(5 + night % 2);
        last = builder.valid(None, end).seal(later(4)).unwrap().1;
    }
    record.rewrap(&own, &last).unwrap_or(());
    assert!(own.terms.past.iter().all(|entry| last.terms.past.contains(entry)));
}

/// The custodian before filled what is remembered, as far as he could; this one shut the doctor out, who writes on.
#[test]
fn an_earlier_custodian_makes_nobody_forget_what_a_later_one_shut_out() {
    use crate::record::{Author, Reader, Record};
    for nights in [2, MAX_PAST as u64 + 2] {
        let mut world = World::new();
        let mut last = world.builder(&world.access).seal(later(1)).unwrap().1;
        for night in 0..nights {
            last = world.builder(&last).valid(None, later(150 + night % 2)).seal(later(1)).unwrap().1;
        }
        let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &last);
        let (_, own, _) = sharing.rotate().unwrap().seal(later(2)).unwrap();
        let given = (world.owner.devices(), &own);
        world.mandate = world.phone.mandate(given, &world.keeper.public(), UNTIL, later(2)).unwrap();
        let builder = world.builder(&own).exclude("dr-ada".parse().unwrap());
        let (stored, night) = builder.seal(later(3)).unwrap();
        assert!(world.verify(&stored, later(3)).unwrap().open_as(&world.keeper, &mut PinStore::default()).is_ok());
        let author = Author::new(&world.doctor.0, &world.doctor.1).unwrap();
        let record = Record::new("r".parse().unwrap(), "clinic/note".parse().unwrap()).part(&own).unwrap();
        let mut record = record.field("/a", "1").unwrap().seal(&author, later(4)).unwrap();
        let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &night);
        let (_, owners, _) = sharing.rotate().unwrap().seal(later(5)).unwrap();
        record.rewrap(&own, &owners).unwrap();
        let reader = Reader::new(&world.trust, later(6)).devices(world.owner.devices().clone());
        assert_eq!(reader.open(&record, &[&owners]).err(), Some(Error::NotAllowed), "{nights}");
    }
}

/// He says that she is out for the owner's own reasons, whom the owner revoked by name or keeps out; so that no word of the
/// owner's would bring her back.
#[test]
fn a_custodian_gives_no_reasons_in_the_owners_name() {
    let mut world = World::new();
    let number = world.trust.resolve(&world.hospital)("dr-ada").unwrap();
    let by_number = |cause| Exclusion::by_number((&world.hospital, number), Action::Read, cause);
    let [by_policy, declined, stolen] = [Cause::Policy, Cause::Declined, Cause::Stolen].map(by_number);
    let next = || world.phone.consent(world.owner.devices(), compartment()).after(&world.access).unwrap();
    let next = || next().same_terms(&world.trust).unwrap();
    let shut_out = [next().exclude("dr-ada".parse().unwrap()).seal(NOW), next().shut_out([declined.clone()]).seal(NOW)];
    for (_, access) in shut_out.map(Result::unwrap) {
        let given = (world.owner.devices(), &access);
        world.mandate = world.phone.mandate(given, &world.keeper.public(), UNTIL, NOW).unwrap();
        let honest = world.builder(&access).seal(later(1)).unwrap();
        assert!(world.verify(&honest.0, later(1)).unwrap().open(&world.bob, &mut PinStore::default()).is_ok());
        for cause in [&by_policy, &declined, &stolen] {
            let reason = Exclusion { since: later(1), ..cause.clone() };
            let add = |terms: &mut Terms| {
                terms.exclusions.push(reason);
                terms.exclusions.sort_unstable();
            };
            let opened = world
                .verify(&world.forge(&honest, add, |_| ()), later(1))
                .and_then(|live| live.open_as(&world.keeper, &mut PinStore::default()));
            assert_eq!(opened.err(), Some(Error::NotAllowed));
        }
    }
}

/// A policy is for the doctor alone, who is shut out: it waits until she is let in again, and not in the custodian's words.
#[test]
fn a_custodian_rewrites_no_policy_that_nobody_satisfies() {
    let mut world = World::new();
    let [ada, bob] = ["dr-ada", "dr-bob"].map(|name| world.trust.resolve(&world.hospital)(name).unwrap());
    let consent = |world: &World| {
        let builder =
            world.phone.consent(world.owner.devices(), compartment()).custodian(&world.keeper.public()).unwrap();
        let builder = builder.write(&world.trust, &world.hospital, &format!("user:{ada}")).unwrap();
        builder.read(&world.trust, &world.hospital, &format!("user:{ada}")).unwrap().seal(NOW).unwrap().1
    };
    let access = consent(&world);
    let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &access);
    let (_, out, _) = sharing.revoke("dr-ada".parse().unwrap()).unwrap().seal(NOW).unwrap();
    world.mandate = world.phone.mandate((world.owner.devices(), &out), &world.keeper.public(), UNTIL, NOW).unwrap();
    let honest = world.builder(&out).seal(later(1)).unwrap();
    let open = |change: &dyn Fn(&mut Terms)| {
        let forged = world.forge(&honest, |terms| change(terms), |_| ());
        world
            .verify(&forged, later(1))
            .and_then(|live| live.open_as(&world.keeper, &mut PinStore::default()))
            .map(|access| access.terms)
    };
    assert_eq!(open(&|_| ()).as_ref(), Ok(&honest.1.terms));
    let exclude_bob = |terms: &mut Terms| {
        let bob = Exclusion { numbers: [(world.hospital.clone(), bob)].into(), ..named("dr-bob", later(1)) };
        terms.exclusions.push(bob);
    };
    assert!(open(&exclude_bob).is_ok());
    let words = format!("user:{bob}");
    let read = |terms: &mut Terms| {
        exclude_bob(terms);
        terms.read[0].policy = words.clone();
    };
    let write = |terms: &mut Terms| {
        exclude_bob(terms);
        terms.write[0].policy = words.clone();
    };
    assert_eq!(open(&read).err(), Some(Error::NotAllowed));
    assert_eq!(open(&write).err(), Some(Error::NotAllowed));
}

fn named(person: &str, since: Time) -> Exclusion {
    Exclusion { since, ..Exclusion::by_name(person.parse().unwrap()) }
}

/// The owner revoked her before the hospital knew the name; he says that another's number is hers.
#[test]
fn a_number_that_a_custodian_gave_to_a_name_yields_to_the_authoritys() {
    let mut world = World::new();
    let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &world.access);
    let (_, out, receipt) = sharing.revoke("dr-eve".parse().unwrap()).unwrap().seal(NOW).unwrap();
    assert_eq!((receipt.unenforced.len(), out.terms.exclusions[0].numbers.len()), (1, 0));
    world.mandate = world.phone.mandate((world.owner.devices(), &out), &world.keeper.public(), UNTIL, NOW).unwrap();
    let honest = world.builder(&out).seal(later(1)).unwrap();
    let bob = world.trust.resolve(&world.hospital)("dr-bob").unwrap();
    let lie = |terms: &mut Terms| terms.exclusions[0].numbers.extend([(world.hospital.clone(), bob)]);
    let forged = world.verify(&world.forge(&honest, lie, |_| ()), later(1)).unwrap();
    let opens =
        |live: &LiveConsent| [&world.ada, &world.bob].map(|key| live.open(key, &mut PinStore::default()).is_ok());
    assert_eq!(opens(&forged), [true, false]);
    let opened = forged.open_as(&world.keeper, &mut PinStore::default()).unwrap();

    let eve = Identity::generate("dr-eve".parse().unwrap()).unwrap();
    world.authority.enrol(&eve.enrol().unwrap()).unwrap();
    let bulletin = world.authority.publish(later(2)).unwrap();
    let mut trust = world.trust.clone();
    trust.update(&bulletin, &mut PinStore::default()).unwrap();
    let sharing = world.phone.sharing(world.owner.devices(), &trust, &opened);
    let (stored, own, receipt) = sharing.rotate().unwrap().seal(later(2)).unwrap();
    assert_eq!((receipt.unenforced.len(), own.terms.exclusions.len()), (0, 1));
    assert_eq!(own.terms.exclusions[0].numbers[&world.hospital], trust.resolve(&world.hospital)("dr-eve").unwrap());
    let opens =
        |live: &LiveConsent| [&world.ada, &world.bob].map(|key| live.open(key, &mut PinStore::default()).is_ok());
    assert_eq!(opens(&world.verify(&stored, later(2)).unwrap()), [true, true]);
}

/// He says a stricter policy anew, and nothing of exclusions.
#[test]
fn whom_the_owner_excluded_stays_so_when_a_custodian_says_policies_by_hand() {
    let mut world = World::new();
    let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &world.access);
    let (_, out, _) = sharing.revoke("dr-ada".parse().unwrap()).unwrap().seal(NOW).unwrap();
    world.mandate = world.phone.mandate((world.owner.devices(), &out), &world.keeper.public(), UNTIL, NOW).unwrap();
    let by_hand = |access: &Access, day| {
        let builder = world.mandate.consent(&world.keeper, world.owner.devices()).unwrap().after(access).unwrap();
        let builder = builder.read(&world.trust, &world.hospital, "role:doctor and valid-until >= 2026-04").unwrap();
        let (stored, access) = builder.custodian(&world.keeper.public()).unwrap().seal(later(day)).unwrap();
        assert_eq!(access.terms.exclusions, out.terms.exclusions);
        let live = world.verify(&stored, later(day)).unwrap();
        assert_eq!([&world.ada, &world.bob].map(|key| live.open(key, &mut PinStore::default()).is_ok()), [false, true]);
        access
    };
    by_hand(&by_hand(&out, 1), 2);
}

/// One exclusion of the owner's, said again in many ways.
#[test]
fn a_custodian_fills_the_terms_with_no_more_exclusions_than_he_may_add() {
    let mut world = World::new();
    let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &world.access);
    let (_, out, _) = sharing.revoke("dr-eve".parse().unwrap()).unwrap().seal(NOW).unwrap();
    world.mandate = world.phone.mandate((world.owner.devices(), &out), &world.keeper.public(), UNTIL, NOW).unwrap();
    let honest = world.builder(&out).seal(later(1)).unwrap();
    for (many, taken) in [(64, true), (65, false)] {
        let add = |terms: &mut Terms| {
            for number in 1..=many {
                let number = crate::policy::PersonNumber::new(1000 + number).unwrap();
                let again =
                    Exclusion { numbers: [(world.hospital.clone(), number)].into(), ..terms.exclusions[0].clone() };
                terms.exclusions.push(again);
            }
        };
        let opened = world
            .verify(&world.forge(&honest, add, |_| ()), later(1))
            .unwrap()
            .open_as(&world.keeper, &mut PinStore::default());
        assert_eq!(opened.err(), (!taken).then_some(Error::NotAllowed));
    }
}

/// Some hundred nights, with a person whose time ends in the middle, and another mandate after the owner came by.
#[test]
fn an_honest_custodian_goes_on_and_on() {
    let mut world = World::new();
    let eve = Identity::generate("eve".parse().unwrap()).unwrap();
    let builder = world.phone.consent(world.owner.devices(), compartment()).custodian(&world.keeper.public()).unwrap();
    let builder = builder.write(&world.trust, &world.hospital, "role:doctor").unwrap();
    let builder = builder.name(Named::from(&eve.public()).until(later(50))).unwrap();
    let (_, mut last) = builder.valid(None, later(150)).seal(NOW).unwrap();
    world.mandate = world.phone.mandate((world.owner.devices(), &last), &world.keeper.public(), UNTIL, NOW).unwrap();
    for day in 1..150 {
        if day == 140 {
            let change = world.phone.sharing(world.owner.devices(), &world.trust, &last).reseal().unwrap();
            last = change.seal(later(day)).unwrap().1;
            let devices = world.owner.devices();
            world.mandate = world.phone.mandate((devices, &last), &world.keeper.public(), UNTIL, later(day)).unwrap();
        }
        // Each with another end, so that none is one with the one before.
        let mut builder = world.builder(&last).valid(None, later(150 - day % 2));
        if day % 3 == 0 {
            builder = builder.reseal().unwrap();
        }
        let (stored, next) = builder.seal(later(day)).unwrap();
        assert!(
            world.verify(&stored, later(day)).unwrap().open_as(&world.keeper, &mut PinStore::default()).is_ok(),
            "day {day}"
        );
        last = next;
    }
    assert!(last.terms.people.is_empty());
}

/// He went on under one mandate, the owner signed without knowing, and gave him another.
#[test]
fn what_an_honest_custodian_seals_beyond_his_own_branch_is_taken() {
    let mut world = World::new();
    let (_, second) = world.builder(&world.access).seal(later(1)).unwrap();
    let (_, third) = world.builder(&second).seal(later(2)).unwrap();
    let change = world.phone.sharing(world.owner.devices(), &world.trust, &world.access).reseal().unwrap();
    let (_, own, _) = change.seal(later(3)).unwrap();
    world.mandate =
        world.phone.mandate((world.owner.devices(), &own), &world.keeper.public(), UNTIL, later(3)).unwrap();
    let (stored, next) = world.builder(&own).reseal().unwrap().beyond(&third).unwrap().seal(later(4)).unwrap();
    assert!(next.generation() > third.generation());
    assert!(world.verify(&stored, later(4)).unwrap().open_as(&world.keeper, &mut PinStore::default()).is_ok());
    // A clock that is behind the mandate's is noticed here, and not by the readers.
    assert!(matches!(world.builder(&own).seal(later(2)).err(), Some(Error::ApiMisuse(_))));
}

/// His branch left somebody out whose referral was over by itself; the owner's own consent has forgotten it since.
#[test]
fn what_is_over_keeps_no_custodian_from_going_beyond() {
    let mut world = World::new();
    let eve = Identity::generate("eve".parse().unwrap()).unwrap();
    let (authority, until) = (world.hospital.clone(), Some(later(5)));
    let by = "dr-ada".parse().unwrap();
    let referred = Some(Referred { referral: crate::id::Hash([7; 32]), authority, by, until });
    let named = Named { until, referred, ..Named::from(&eve.public()) };
    let builder = world.phone.consent(world.owner.devices(), compartment()).custodian(&world.keeper.public()).unwrap();
    let (_, access) = builder.name(named).unwrap().seal(NOW).unwrap();
    world.mandate = world.phone.mandate((world.owner.devices(), &access), &world.keeper.public(), UNTIL, NOW).unwrap();
    let (_, third) = world.builder(&access).seal(later(6)).unwrap();
    assert_eq!((third.terms.people.len(), third.terms.consumed.len()), (0, 1));
    let change = world.phone.sharing(world.owner.devices(), &world.trust, &access).reseal().unwrap();
    let (_, own, _) = change.seal(later(7)).unwrap();
    assert!(own.terms.consumed.is_empty());
    world.mandate =
        world.phone.mandate((world.owner.devices(), &own), &world.keeper.public(), UNTIL, later(7)).unwrap();
    let (stored, _) = world.builder(&own).beyond(&third).unwrap().seal(later(8)).unwrap();
    assert!(world.verify(&stored, later(8)).unwrap().open_as(&world.keeper, &mut PinStore::default()).is_ok());
}

#[test]
fn a_custodian_excludes_by_name_whom_he_excluded_by_number() {
    let world = World::new();
    let number = world.trust.resolve(&world.hospital)("dr-bob").unwrap();
    let policy =
        "role:doctor".parse::<crate::policy::Policy>().unwrap().excluding(&[number].into()).unwrap().to_string();
    let builder = world.mandate.consent(&world.keeper, world.owner.devices()).unwrap().after(&world.access).unwrap();
    let builder = builder.read(&world.trust, &world.hospital, &policy).unwrap();
    let (_, second) = builder.custodian(&world.keeper.public()).unwrap().seal(later(1)).unwrap();
    let (stored, _) = world.builder(&second).exclude("dr-bob".parse().unwrap()).seal(later(2)).unwrap();
    assert!(world.verify(&stored, later(2)).unwrap().open_as(&world.keeper, &mut PinStore::default()).is_ok());
}

/// One that is larger than all are meant to be together is kept all the same.
#[test]
fn a_custodian_goes_on_from_long_write_policies() {
    let mut world = World::new();
    let long = |i| format!("role:doctor-with-a-very-long-name-{i}");
    let policy = (0..34).fold("role:doctor".to_owned(), |policy, i| format!("{policy} or {}", long(i)));
    let mut builder =
        world.phone.consent(world.owner.devices(), compartment()).custodian(&world.keeper.public()).unwrap();
    let mut ids = Vec::new();
    for i in 0..13 {
        let mut authority = Authority::setup(format!("authority-{i}").parse().unwrap(), NOW).unwrap();
        world.trust.add(authority.anchor()).unwrap();
        world.trust.update(&authority.publish(NOW).unwrap(), &mut PinStore::default()).unwrap();
        ids.push(authority.id().clone());
    }
    for id in &ids {
        builder = builder.write(&world.trust, id, &policy).unwrap();
    }
    let (_, access) = builder.seal(NOW).unwrap();
    world.mandate = world.phone.mandate((world.owner.devices(), &access), &world.keeper.public(), UNTIL, NOW).unwrap();
    let (stored, next) = world.builder(&access).seal(later(1)).unwrap();
    assert!(next.terms.past.iter().map(PastWriting::size).sum::<usize>() > MAX_PAST_BYTES);
    assert!(world.verify(&stored, later(1)).unwrap().open_as(&world.keeper, &mut PinStore::default()).is_ok());
}

/// A stolen device signed it, with whatever it likes in it; the owner goes beyond it, since records lie under its key.
#[test]
fn a_thiefs_terms_keep_nobody_from_going_beyond_them() {
    let world = World::new();
    let consumed = |i: u32| {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&i.to_be_bytes());
        ConsumedStatement { statement: crate::id::Hash(hash), until: Time::MAX }
    };
    let consent = world.phone.consent(world.owner.devices(), compartment()).after(&world.access).unwrap();
    let consent = (0..800).map(consumed).fold(consent, ConsentBuilder::consume);
    let (_, theft) = consent.seal(later(1)).unwrap();
    assert_eq!(theft.terms.consumed.len(), 800);
    let change = world.phone.sharing(world.owner.devices(), &world.trust, &world.access).rotate().unwrap();
    let (_, own, _) = change.beyond(&theft).unwrap().seal(later(2)).unwrap();
    assert!(own.terms.consumed.is_empty());
}

/// A new key under the old number: what tells them apart is the id.
#[test]
fn a_custodian_who_gives_a_new_key_the_old_number_stops_no_writes() {
    use crate::ledger::{KeyState, Ledger};
    use crate::repository::{Put, Repository};
    use crate::store::MemoryStore;
    use pollster::block_on;

    let world = World::new();
    let honest = world.builder(&world.access).seal(later(1)).unwrap();
    let evil = world.forge(&honest, |_| (), |statement| statement.generation = Generation(1));
    let (store, noted) = (MemoryStore::new(), MemoryStore::new());
    let ledger = Ledger::new(&noted);
    let repository = Repository::new(&store).guarded(ledger);
    for stored in [&world.stored, &evil] {
        let live = world.verify(stored, later(1)).unwrap();
        assert_eq!(block_on(repository.publish(&live, stored)), Ok(Put::Done));
    }
    let state = |access: &Access| block_on(ledger.state(world.owner.id(), &compartment(), access.key_id())).unwrap();
    assert_eq!([state(&world.access), state(&honest.1)], [KeyState::DecryptOnly, KeyState::Active]);
}

/// All the numbers that a mandate allows, and no slot for the owner: her next word counts, without his key.
#[test]
fn the_owners_next_word_takes_writes_whatever_numbers_a_custodian_used_up() {
    use crate::ledger::{KeyState, Ledger};
    use crate::repository::{Put, Repository};
    use crate::store::MemoryStore;
    use pollster::block_on;

    let world = World::new();
    let honest = world.builder(&world.access).seal(later(1)).unwrap();
    let top = 1 + MAX_MANDATED;
    let evil = world.forge(&honest, |_| (), |s| (s.version, s.generation) = (Version(top), Generation(top)));
    let (store, noted) = (MemoryStore::new(), MemoryStore::new());
    let ledger = Ledger::new(&noted);
    let repository = Repository::new(&store).guarded(ledger);
    let pins = PinStore::default();
    let publish = |stored: &StoredConsent, at| {
        let live = stored.verify(world.owner.devices(), &compartment(), &pins, at).unwrap();
        block_on(repository.publish(&live, stored))
    };
    assert_eq!(publish(&world.stored, later(1)), Ok(Put::Done));
    assert_eq!(publish(&evil, later(1)), Ok(Put::Done));
    let change = world.phone.sharing(world.owner.devices(), &world.trust, &world.access).rotate().unwrap();
    let (own, access, _) = change.seal(later(2)).unwrap();
    assert_eq!(publish(&own, later(2)), Ok(Put::Done));
    let state = block_on(ledger.state(world.owner.id(), &compartment(), access.key_id())).unwrap();
    assert_eq!(state, KeyState::Active);
}

/// He lets somebody in by name whom the owner did not: what he signed verifies, and is refused by whoever opens it.
#[test]
fn a_consent_that_is_refused_at_opening_takes_nobody_the_one_before() {
    let world = World::new();
    let honest = world.builder(&world.access).seal(later(1)).unwrap();
    let eve = Identity::generate("eve".parse().unwrap()).unwrap();
    let evil = world.forge(&honest, |terms| terms.people.push(Named::from(&eve.public())), |_| ());
    let mut pins = PinStore::default();
    let verify =
        |stored: &StoredConsent, pins: &PinStore| stored.verify(world.owner.devices(), &compartment(), pins, later(1));
    assert!(verify(&world.stored, &pins).unwrap().open(&world.ada, &mut pins).is_ok());
    let before = pins.clone();
    let live = verify(&evil, &pins).unwrap();
    assert_eq!(live.open(&world.ada, &mut pins).err(), Some(Error::NotAllowed));
    assert_eq!(live.open_as_device(&world.phone, &mut pins).err(), Some(Error::NotAllowed));
    assert_eq!(live.open_as(&eve, &mut pins).err(), Some(Error::NotAllowed));
    assert_eq!(pins, before, "nothing of it is remembered");
    // The phone does not speak for it, and the custodian's own word about it binds nobody.
    assert_eq!(world.phone.head(&live, later(1)).err(), Some(Error::NotAllowed));
    let head = live.custodian_head(&world.keeper, later(1)).unwrap();
    assert_eq!(live.fresh(&head, &mut pins, later(1), HEAD_LIMIT), Ok(Freshness::Fresh));
    assert_eq!(pins, before);
    assert!(verify(&world.stored, &pins).unwrap().open(&world.ada, &mut pins).is_ok());
    // What is opened is remembered, and the one before is gone.
    assert!(verify(&honest.0, &pins).unwrap().open(&world.ada, &mut pins).is_ok());
    assert_eq!(verify(&world.stored, &pins).err(), Some(Error::Rollback("consent")));
}

/// Who was left out, or shut out, cannot tell which; neither takes anything from him that he has.
#[test]
fn a_consent_that_does_not_open_is_not_remembered() {
    let world = World::new();
    let (closed, _) = world.builder(&world.access).exclude("dr-bob".parse().unwrap()).seal(later(1)).unwrap();
    let mut pins = PinStore::default();
    let live = closed.verify(world.owner.devices(), &compartment(), &pins, later(1)).unwrap();
    assert_eq!(live.open(&world.bob, &mut pins).err(), Some(Error::CannotOpen));
    assert_eq!(pins, PinStore::default());
    // Who writes and opens nothing says that he goes by it.
    assert!(live.write_only(&mut pins).is_ok());
    let first = world.stored.verify(world.owner.devices(), &compartment(), &pins, later(1));
    assert_eq!(first.err(), Some(Error::Rollback("consent")));
}

/// Keys that were not renewed are to lose the compartment with each new month: he signs for today, and seals for a month ago.
#[test]
fn a_consent_is_sealed_for_the_month_that_it_is_signed_in() {
    let world = World::new();
    let honest = world.builder(&world.access).reseal().unwrap().seal(later(100)).unwrap();
    let open = |change: i64| {
        let month = |terms: &mut Terms| {
            let month = &mut terms.read[0].month;
            *month = month.checked_add_signed(i32::try_from(change).unwrap()).unwrap();
        };
        let forged = world.forge(&honest, month, |_| ());
        let live = world.verify(&forged, later(100)).unwrap();
        live.open_as(&world.keeper, &mut PinStore::default()).map(drop)
    };
    assert_eq!(open(0), Ok(()));
    for change in [-3, -1, 1, 600] {
        assert_eq!(open(change), Err(Error::Forged("consent")), "{change}");
    }
}
