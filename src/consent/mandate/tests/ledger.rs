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
        let world = &server.world;
        assert_eq!(server.publish(&world.stored, &world.verify(&world.stored, NOW).unwrap()), Ok(Put::Done));
        server
    }

    fn ledger(&self) -> Ledger<'_> {
        Ledger::new(&self.noted)
    }

    fn repository(&self) -> Repository<'_> {
        Repository::new(&self.store).guarded(self.ledger())
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
        for key in block_on(self.store.keys("consent~", "", 100)).unwrap() {
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

/// The owner revoked somebody by a new key, and gave a mandate; the custodian goes back to the key that the revoked one has.
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
