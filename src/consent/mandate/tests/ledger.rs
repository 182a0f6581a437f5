//! What a server takes from a custodian, who may be one who cheats.

use pollster::block_on;

use super::*;
use crate::ledger::{KeyState, Ledger};
use crate::record::{Author, Record};
use crate::repository::{Put, Repository};
use crate::store::{MemoryStore, Op, Store};

/// A server with the owner's own consent.
struct Server {
    world: World,
    store: MemoryStore,
    noted: MemoryStore,
}

impl Server {
    fn new() -> Self {
        let server = Self { world: World::new(), store: MemoryStore::new(), noted: MemoryStore::new() };
        let ledger = block_on(Ledger::create(&server.noted)).unwrap();
        assert!(block_on(Repository::bind(&server.store, ledger)).is_ok());
        let world = &server.world;
        assert_eq!(server.publish(&world.stored, &world.verify(&world.stored, NOW).unwrap()), Ok(Put::Done));
        server
    }

    fn ledger(&self) -> Ledger<'_> {
        block_on(Ledger::open(&self.noted)).unwrap()
    }

    fn repository(&self) -> Repository<'_> {
        block_on(Repository::guarded(&self.store, self.ledger())).unwrap()
    }

    fn publish(&self, stored: &StoredConsent, evidence: impl Into<Evidence> + Send) -> Result<Put, Error> {
        block_on(self.repository().publish(evidence, stored))
    }

    fn state(&self, access: &Access) -> KeyState {
        block_on(self.ledger().state(self.world.owner.id(), &compartment(), access.key_id())).unwrap()
    }

    /// Takes a consent out of the store by hand.
    fn delete(&self, stored: &StoredConsent) {
        let bytes = stored.to_cbor().unwrap();
        for key in block_on(self.store.keys("consent/", "", 100)).unwrap() {
            let entry = block_on(self.store.get(std::slice::from_ref(&key))).unwrap().pop().flatten().unwrap();
            if entry.value == bytes {
                block_on(self.store.apply(vec![Op::Delete { key, tag: entry.tag }])).unwrap();
            }
        }
    }

    fn served(&self) -> Vec<StoredConsent> {
        block_on(self.repository().consents(self.world.owner.id(), &compartment(), None)).unwrap()
    }
}

/// The public half of the owner's key, with a slot that nobody but the cheater opens; and a key of his own, likewise.
#[test]
fn a_server_does_not_go_by_a_custodians_consent_that_nobody_opened() {
    let server = Server::new();
    let world = &server.world;
    let eve = Named::from(&Identity::generate("eve".parse().unwrap()).unwrap().public());
    let same_key = world.builder(&world.access).reseal().unwrap().seal(later(1)).unwrap();
    let new_key = world.builder(&world.access).seal(later(1)).unwrap();
    for honest in [same_key, new_key] {
        let evil = world.forge(&honest, |terms| terms.people.push(eve.clone()), |_| ());
        let live = world.verify(&evil, later(1)).unwrap();
        assert_eq!(live.open_as_device(&world.phone, &mut PinStore::default()).err(), Some(Error::NotAllowed));
        assert_eq!(server.publish(&evil, &live), Err(Error::NotAllowed));
        assert_eq!(block_on(server.ledger().advance(&live, &evil)), Err(Error::NotAllowed));
        // His own word about it is none of somebody who had to open it, and a device gives none.
        let head = live.custodian_head(&world.keeper, later(1)).unwrap();
        let confirmed = live.confirmed(&head, &mut PinStore::default(), later(1), HEAD_LIMIT);
        assert_eq!(confirmed.err(), Some(Error::NotAllowed));
        assert_eq!(world.phone.head(&live, later(1)).err(), Some(Error::NotAllowed));
        // In the store it may lie: it stands behind the one before, which is served, and takes the writes.
        assert_eq!(block_on(server.repository().put_consent(&evil)), Ok(Put::Done));
        assert!(server.served().contains(&world.stored));
        assert_eq!(server.state(&world.access), KeyState::Active);
        server.delete(&evil);
    }
}

/// The honest one has opened what he seals, or the owner's phone has, and says so.
#[test]
fn a_server_goes_by_a_custodians_consent_that_was_opened() {
    let by_himself = Server::new();
    let world = &by_himself.world;
    let (stored, access) = world.builder(&world.access).reseal().unwrap().seal(later(1)).unwrap();
    assert_eq!(by_himself.publish(&stored, &access), Ok(Put::Done));
    assert_eq!(by_himself.served(), [stored], "with the one before, keys that were not renewed would come back");

    let by_phone = Server::new();
    let world = &by_phone.world;
    let (stored, _) = world.builder(&world.access).reseal().unwrap().seal(later(1)).unwrap();
    let (live, mut pins) = (world.verify(&stored, later(1)).unwrap(), PinStore::default());
    let head = world.phone.head(&live, later(1)).unwrap();
    let old = live.confirmed(&head, &mut pins, later(3), HEAD_LIMIT);
    assert_eq!(old.err(), Some(Error::Expired("head")));
    let confirmed = live.confirmed(&head, &mut pins, later(1), HEAD_LIMIT).unwrap();
    assert_eq!(by_phone.publish(&stored, confirmed), Ok(Put::Done));
    assert_eq!(by_phone.served(), [stored]);
    // A host that runs its custodian elsewhere says so.
    let by_word = Server::new();
    let world = &by_word.world;
    let (stored, _) = world.builder(&world.access).reseal().unwrap().seal(later(1)).unwrap();
    let live = world.verify(&stored, later(1)).unwrap();
    assert_eq!(by_word.publish(&stored, &live), Err(Error::NotAllowed));
    assert_eq!(by_word.publish(&stored, Evidence::of_custodian(&live)), Ok(Put::Done));
    assert_eq!(by_word.served(), [stored]);
    // Evidence is for one consent.
    let other = world.builder(&world.access).reseal().unwrap().seal(later(2)).unwrap();
    assert!(matches!(by_phone.publish(&other.0, confirmed), Err(Error::ApiMisuse(_))));
}

/// What tells keys apart is the id; and the owner's key has her number, and no other key has it.
#[test]
fn a_custodian_gives_no_key_the_number_of_the_owners_and_hers_no_other() {
    let world = World::new();
    let same = world.builder(&world.access).reseal().unwrap().seal(later(1)).unwrap();
    let new = world.builder(&world.access).seal(later(1)).unwrap();
    let verify =
        |honest, change: fn(&mut ConsentStatement)| world.verify(&world.forge(honest, |_| (), change), later(1));
    assert!(verify(&same, |_| ()).is_ok() && verify(&new, |_| ()).is_ok());
    assert_eq!(verify(&new, |s| s.generation = Generation(1)).err(), Some(Error::NotAllowed));
    assert_eq!(verify(&same, |s| s.generation = Generation(2)).err(), Some(Error::NotAllowed));
    let key = Identity::generate("eve".parse().unwrap()).unwrap().public().sealing;
    let mut statement = same.1.statement.clone();
    statement.write_key = key;
    let consent = Signed::sign(statement, world.keeper.signing()).unwrap();
    let slots = same.0.slots().map(<[u8]>::to_vec).collect();
    let forged = StoredConsent::from_parts(consent, same.0.terms().to_vec(), slots).unwrap();
    let forged = forged.under(same.0.mandate().cloned()).unwrap();
    assert_eq!(world.verify(&forged, later(1)).err(), Some(Error::NotAllowed), "her key has her write key");
}

/// The owner revoked somebody by a new key, and gave a mandate; the custodian goes back to the key that the revoked one
/// has.
#[test]
fn a_custodian_brings_no_revoked_key_back() {
    let server = Server::new();
    let world = &server.world;
    let (second, second_access) = world.builder(&world.access).seal(later(1)).unwrap();
    assert_eq!(server.publish(&second, &second_access), Ok(Put::Done));
    // Back to the key of the mandate's own consent, which readers may accept: whoever has the ledger does not.
    let back = world.builder(&world.access).reseal().unwrap().seal(later(2)).unwrap();
    let back = world.forge(&back, |_| (), |statement| statement.version = Version(3));
    let live = world.verify(&back, later(2)).unwrap();
    let opened = live.open_as(&world.keeper, &mut PinStore::default()).unwrap();
    assert_eq!(server.publish(&back, &opened), Err(Error::Rollback("compartment key")));
    assert_eq!(server.state(&second_access), KeyState::Active);
    // Nor is there a third key under the number of the second.
    let third = world.builder(&world.access).seal(later(2)).unwrap();
    let third = world.forge(&third, |_| (), |statement| statement.version = Version(3));
    let opened = world.verify(&third, later(2)).unwrap().open_as(&world.keeper, &mut PinStore::default()).unwrap();
    assert_eq!(server.publish(&third, &opened), Err(Error::Rollback("compartment key")));
    // The owner herself may come back to it.
    let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &world.access);
    let (own, access, _) = sharing.reseal().unwrap().seal(later(3)).unwrap();
    assert_eq!(server.publish(&own, &world.verify(&own, later(3)).unwrap()), Ok(Put::Done));
    assert_eq!(server.state(&access), KeyState::Active);
}

/// A laboratory opens nothing. It seals to the write key that the owner signed, in her consent or in the mandate.
#[test]
fn who_only_writes_seals_to_no_key_that_a_custodian_alone_vouches_for() {
    let world = World::new();
    let mut pins = PinStore::default();
    let (same, access) = world.builder(&world.access).reseal().unwrap().seal(later(1)).unwrap();
    let live = world.verify(&same, later(1)).unwrap();
    assert_eq!(live.write_only(&mut pins).unwrap().consent().write_key(), world.access.write_key());

    let honest = world.builder(&access).seal(later(2)).unwrap();
    let thief = crate::identity::SealingKey::derive(&crate::secret::Secret::new([7; 32])).public();
    let evil = world.forge(&honest, |_| (), |statement| statement.write_key = thief);
    for stored in [&honest.0, &evil] {
        let live = world.verify(stored, later(2)).unwrap();
        let before = pins.clone();
        assert_eq!(live.write_only(&mut pins).err(), Some(Error::NotAllowed));
        assert_eq!(pins, before, "nothing of it is remembered");
    }
    let live = world.verify(&evil, later(2)).unwrap();
    assert_eq!(world.phone.head(&live, later(2)).err(), Some(Error::Forged("consent")));
    // Once the phone has opened it, the laboratory goes on.
    let live = world.verify(&honest.0, later(2)).unwrap();
    let head = world.phone.head(&live, later(2)).unwrap();
    let confirmed = live.confirmed(&head, &mut pins, later(2), HEAD_LIMIT).unwrap();
    let place = confirmed.write_only(&mut pins).unwrap();
    let author = Author::device(&world.phone, world.owner.devices()).unwrap();
    let record = Record::new("r".parse().unwrap(), "fhir/R4/Basic".parse().unwrap());
    let sealed = record.part(place).unwrap().field("/a", "1").unwrap().seal(&author, later(2)).unwrap();
    assert_eq!(sealed.key_id(&compartment()), Some(honest.1.key_id()));
}

/// All the numbers that a mandate allows: the owner's next word counts, and takes the writes.
#[test]
fn the_owners_next_word_takes_writes_whatever_numbers_a_custodian_used_up() {
    let server = Server::new();
    let world = &server.world;
    let honest = world.builder(&world.access).seal(later(1)).unwrap();
    let top = 1 + MAX_MANDATED;
    let evil = world.forge(&honest, |_| (), |s| (s.version, s.generation) = (Version(top), Generation(top)));
    let opened = world.verify(&evil, later(1)).unwrap().open_as(&world.keeper, &mut PinStore::default()).unwrap();
    assert_eq!(server.publish(&evil, &opened), Ok(Put::Done));
    let change = world.phone.sharing(world.owner.devices(), &world.trust, &world.access).rotate().unwrap();
    let (own, access, _) = change.seal(later(2)).unwrap();
    assert_eq!(server.publish(&own, &world.verify(&own, later(2)).unwrap()), Ok(Put::Done));
    assert_eq!(server.state(&access), KeyState::Active);
}

/// What the ledger's entry says of who gave the earlier keys.
fn earlier(server: &Server) -> Vec<(crate::id::KeyId, String)> {
    block_on(server.ledger().past(server.world.owner.id(), &compartment())).unwrap()
}

/// He goes on under it, and then under one of his own: what is forgotten first is his.
#[test]
fn the_owners_key_stays_hers_when_a_custodian_went_on_under_it() {
    let server = Server::new();
    let world = &server.world;
    let (second, access) = world.builder(&world.access).reseal().unwrap().seal(later(1)).unwrap();
    assert_eq!(server.publish(&second, &access), Ok(Put::Done));
    let (third, next) = world.builder(&access).seal(later(2)).unwrap();
    assert_eq!(server.publish(&third, &next), Ok(Put::Done));
    let (fourth, last) = world.builder(&next).seal(later(3)).unwrap();
    assert_eq!(server.publish(&fourth, &last), Ok(Put::Done));
    let said = [(world.access.key_id(), "owner".to_owned()), (next.key_id(), "custodian".to_owned())];
    assert_eq!(earlier(&server), said);
}

/// A device's, or the custodian's, whose clock was a year ahead. The phone opens it as of its own time, to go beyond it.
#[test]
fn a_consent_that_a_wrong_clock_signed_and_published_is_replaced_by_the_owners_next() {
    let of_device = |world: &World| {
        let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &world.access);
        let (stored, access, _) = sharing.reseal().unwrap().seal(later(365)).unwrap();
        (stored, access)
    };
    let of_custodian = |world: &World| world.builder(&world.access).reseal().unwrap().seal(later(150)).unwrap();
    for (wrong, days) in [(&of_device as &dyn Fn(&World) -> (StoredConsent, Access), 365), (&of_custodian, 150)] {
        let server = Server::new();
        let world = &server.world;
        let (ahead, access) = wrong(world);
        assert_eq!(server.publish(&ahead, &access), Ok(Put::Done));
        // It has hidden the one before, and nobody opens it.
        assert_eq!(server.served(), std::slice::from_ref(&ahead));
        assert_eq!(world.verify(&ahead, later(1)).err(), Some(Error::Expired("consent")));
        let live = world.verify(&ahead, later(days)).unwrap();
        let opened = live.open_as_device(&world.phone, &mut PinStore::default()).unwrap();
        let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &world.access);
        let (own, next, _) = sharing.reseal().unwrap().beyond(&opened).unwrap().seal(later(1)).unwrap();
        let live = world.verify(&own, later(1)).unwrap();
        assert_eq!(server.publish(&own, &live), Ok(Put::Done));
        assert!(live.open(&world.ada, &mut PinStore::default()).is_ok());
        assert_eq!((server.served(), server.state(&next)), (vec![own], KeyState::Active));
    }
}

/// The custodian's own consent has number two, and three; the owner's later word has number two as well, lets nurses
/// write, and is not at hand.
#[test]
fn a_note_under_the_owners_consent_is_not_called_forbidden_for_a_custodians_of_the_same_number() {
    use crate::record::{Author, Reader, Record, Verdict};
    let mut world = World::new();
    let nurse = Identity::generate("nurse-ned".parse().unwrap()).unwrap();
    world.authority.enrol(&nurse.enrol().unwrap()).unwrap();
    let issued = world.authority.issue(nurse.id(), &"role:nurse".parse().unwrap(), NOW, later(60), NOW).unwrap();
    world.trust.update(&world.authority.publish(later(1)).unwrap(), &mut PinStore::default(), later(1)).unwrap();

    let (_, second) = world.builder(&world.access).reseal().unwrap().seal(later(1)).unwrap();
    let (_, third) = world.builder(&second).reseal().unwrap().seal(later(2)).unwrap();
    let builder = world.phone.consent(world.owner.devices(), compartment()).after(&world.access).unwrap();
    let builder = builder.reseal().unwrap().read(&world.trust, &world.hospital, "role:doctor").unwrap();
    let builder = builder.write(&world.trust, &world.hospital, "role:doctor or role:nurse").unwrap();
    let (_, own) = builder.seal(later(3)).unwrap();
    assert_eq!(own.key_id(), third.key_id());
    let author = Author::new(&nurse, &issued.credential).unwrap();
    let record = Record::new("r".parse().unwrap(), "clinic/note".parse().unwrap()).part(&own).unwrap();
    let note = record.field("/a", "1").unwrap().seal(&author, later(4)).unwrap();
    let reader = Reader::new(&world.trust, later(4)).devices(world.owner.devices().clone());
    assert!(reader.open(&note, &[&own]).is_ok());
    // The doctor has what the custodian sealed last.
    let review = reader.review(&note, &[&third]).unwrap();
    assert_eq!(review.parts()[0].verdicts(), [Verdict::OlderRule]);
    let doctor = Author::new(&world.doctor.0, &world.doctor.1).unwrap();
    let over = reader.supersede(&note, &[&third]).unwrap().anew(&third).unwrap().field("/a", "2").unwrap();
    assert_eq!(over.seal(&doctor, later(4)).err(), Some(Error::NotAllowed));
    // Whoever has the owner's next word knows that she may not.
    let builder = world.phone.consent(world.owner.devices(), compartment()).after(&own).unwrap().reseal().unwrap();
    let builder = builder.write(&world.trust, &world.hospital, "role:doctor").unwrap();
    let (_, next) = builder.seal(later(5)).unwrap();
    let record = Record::new("r".parse().unwrap(), "clinic/note".parse().unwrap()).part(&own).unwrap();
    let late = record.field("/a", "1").unwrap().seal(&author, later(6)).unwrap();
    let reader = Reader::new(&world.trust, later(6)).devices(world.owner.devices().clone());
    assert_eq!(reader.review(&late, &[&next]).unwrap().parts()[0].verdicts(), [Verdict::NotAllowed]);
}

/// It lies in the store, and nobody opens it: a sweep says so, and the owner's next word lets it through.
#[test]
fn a_custodians_consent_that_nobody_opens_keeps_a_sweep_waiting_for_the_owners_next() {
    use crate::rotation::{Keys, Scope, Sweep};
    let server = Server::new();
    let world = &server.world;
    let eve = Named::from(&Identity::generate("eve".parse().unwrap()).unwrap().public());
    let honest = world.builder(&world.access).seal(later(1)).unwrap();
    let evil = world.forge(&honest, |terms| terms.people.push(eve.clone()), |_| ());
    assert_eq!(block_on(server.repository().put_consent(&evil)), Ok(Put::Done));
    let now = || later(1);
    let run = |name: &str| {
        let keys = |stored: &[StoredConsent]| {
            let (devices, pins) = (world.owner.devices(), &mut PinStore::default());
            let opened = devices.open_consents(&compartment(), stored, pins, later(1), |live, pins| {
                live.open_as_device(&world.phone, pins)
            })?;
            Ok(Some(Keys { old: opened.earlier, new: opened.newest, device: None }))
        };
        block_on(Sweep::new(&server.store, &now, Scope::Everything).run(name, keys, |_, _| ())).unwrap()
    };
    let swept = run("before");
    assert_eq!((swept.finished, swept.is_complete()), (0, false));
    assert!(matches!(swept.refused.as_slice(), [(.., Error::ApiMisuse(_))]));
    let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &world.access);
    let (own, _, _) = sharing.rotate().unwrap().seal(later(1)).unwrap();
    assert_eq!(server.publish(&own, &world.verify(&own, later(1)).unwrap()), Ok(Put::Done));
    let swept = run("after");
    assert_eq!((swept.finished, swept.is_complete()), (1, true));
}

/// He signs it under her key, with a number of his choice: the laboratory remembers it.
#[test]
fn a_laboratory_that_remembers_a_cheaters_consent_goes_on_with_the_owners_next() {
    let world = World::new();
    let mut pins = PinStore::default();
    let honest = world.builder(&world.access).reseal().unwrap().seal(later(1)).unwrap();
    let eve = Named::from(&Identity::generate("eve".parse().unwrap()).unwrap().public());
    let evil = world.forge(&honest, |terms| terms.people.push(eve), |s| s.version = Version(MAX_MANDATED));
    let live = evil.verify(world.owner.devices(), &compartment(), &pins, later(1)).unwrap();
    assert!(live.write_only(&mut pins).is_ok(), "the write key is hers");
    let told = honest.0.verify(world.owner.devices(), &compartment(), &pins, later(1));
    assert_eq!(told.err(), Some(Error::Rollback("consent")));
    let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &world.access);
    let (own, ..) = sharing.rotate().unwrap().seal(later(2)).unwrap();
    let live = own.verify(world.owner.devices(), &compartment(), &pins, later(2)).unwrap();
    assert!(live.write_only(&mut pins).is_ok());
}
