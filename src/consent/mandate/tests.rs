//! What a mandate lets a custodian do, and what one who cheats can do with the compartment key and a signing key in hand:
//! his consents are made here without the builder's checks.

use std::time::Duration;

mod beyond;
mod earlier;
mod exclusions;
mod ledger;
mod opening;
mod past;
mod slots;

use crate::authority::{Authority, Trust};

use crate::consent::slot::{Context, SlotMaker, slot_hash, terms_hash};
use crate::consent::*;
use crate::error::{Error, Unknown};
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
        trust.update(&hospital.publish(NOW).unwrap(), &mut PinStore::default(), NOW).unwrap();
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

    /// Another authority comes to be trusted, which knows this name and no other.
    fn known_elsewhere(&mut self, name: &str) {
        let mut elsewhere = Authority::setup("elsewhere".parse().unwrap(), NOW).unwrap();
        let person = Identity::generate(name.parse().unwrap()).unwrap();
        elsewhere.enrol(&person.enrol().unwrap()).unwrap();
        self.trust.add(elsewhere.anchor()).unwrap();
        self.trust.update(&elsewhere.publish(NOW).unwrap(), &mut PinStore::default(), NOW).unwrap();
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
        let sealed = seal_terms(&access.cek, context.of_terms(), &terms.to_cbor().unwrap()).unwrap();
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
    world.owner.remove_device(world.phone.id(), Removal::Retired, later(1)).unwrap();
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
