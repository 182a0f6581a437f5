//! A reader with memory, request by request: what the server has of the consents, and records that a rotation is moving.

use crate::support::guard;
use crate::support::waiting::block_on;
use crate::support::world::{NOW, World, YEAR, after, record};
use chartseal::Error;
use chartseal::consent::{Access, LiveConsent, MAX_EARLIER, OpenedConsents, Removal, StoredConsent};
use chartseal::id::{Time, Version};
use chartseal::kem::UserKey;
use chartseal::owner::Device;
use chartseal::pin::{PinStore, Pins};
use chartseal::record::SealedRecord;
use chartseal::repository::{Put, Repository};
use chartseal::rotation::Rotation;
use chartseal::store::MemoryStore;

/// A patient whose compartment doctors read and write, and the doctor's key.
struct Ward {
    world: World,
    key: UserKey,
    first: (StoredConsent, Access),
}

impl Ward {
    fn new() -> Self {
        let world = World::new();
        let key = world.ada.identity.accept(&world.ada.issued, &world.trust, NOW).unwrap();
        let builder = world.phone.consent(world.devices(), "a".parse().unwrap());
        let builder = builder.read(&world.trust, world.hospital.id(), "role:doctor or role:nurse").unwrap();
        let first =
            builder.write(&world.trust, world.hospital.id(), "role:doctor or role:nurse").unwrap().seal(NOW).unwrap();
        Self { world, key, first }
    }

    /// The next consent, under a new key.
    fn rotated(&self, before: &Access, at: Time) -> (StoredConsent, Access) {
        let sharing = self.world.phone.sharing(self.world.devices(), &self.world.trust, before);
        let (stored, access, _) = sharing.rotate().unwrap().seal(at).unwrap();
        (stored, access)
    }

    /// One request of the doctor's, who keeps her pins as bytes in between.
    fn opens(&self, stored: &[StoredConsent], pins: &mut Vec<u8>, now: Time) -> Result<OpenedConsents, Error> {
        let mut kept = PinStore::from_cbor(pins).unwrap();
        let open = |live: &LiveConsent, pins: &mut dyn Pins| live.open(&self.key, pins);
        let opened = self.world.devices().open_consents(&"a".parse().unwrap(), stored, &mut kept, now, open);
        *pins = kept.to_cbor().unwrap();
        opened
    }

    fn written(&self, access: &Access, id: &str) -> SealedRecord {
        let record = record(id).part(access).unwrap().field("/diagnosis", format!("of {id}")).unwrap();
        record.seal(&self.world.ada.author(), NOW).unwrap()
    }
}

fn no_pins() -> Vec<u8> {
    PinStore::default().to_cbor().unwrap()
}

#[test]
fn a_reader_with_memory_reads_on_while_a_rotation_is_under_way() {
    let ward = Ward::new();
    let second = ward.rotated(&ward.first.1, NOW);
    let stored = [ward.first.0.clone(), second.0.clone()];
    let behind = ward.written(&ward.first.1, "behind");
    let mut moved = ward.written(&ward.first.1, "moved");
    moved.rewrap(&ward.first.1, &second.1).unwrap();
    let mut pins = no_pins();
    for request in 0..3 {
        let opened = ward.opens(&stored, &mut pins, NOW).unwrap();
        assert_eq!((opened.newest.hash(), opened.earlier.len(), opened.refused.len()), (second.1.hash(), 1, 0));
        for record in [&behind, &moved] {
            let view = ward.world.reader().open(record, &opened.accesses()).unwrap();
            let said = format!("of {}", record.record());
            assert_eq!(view.get("/diagnosis").unwrap(), Some(said.as_bytes()), "{request}");
        }
        // One by one, the earlier is refused for good once the later was opened.
        let kept = PinStore::from_cbor(&pins).unwrap();
        let told = ward.first.0.verify(ward.world.devices(), ward.first.1.compartment(), &kept, NOW);
        assert_eq!(told.err(), Some(Error::Rollback("consent")));
    }
    // What is served in another order is the same; and without the newest, nothing is gone by.
    let turned = [second.0.clone(), ward.first.0.clone()];
    assert_eq!(ward.opens(&turned, &mut pins, NOW).unwrap().newest.hash(), second.1.hash());
    assert_eq!(ward.opens(&stored[..1], &mut pins, NOW).err(), Some(Error::Rollback("consent")));
    assert_eq!(ward.opens(&[], &mut pins, NOW).err(), Some(Error::CannotOpen));
}

/// The key of an earlier consent is wanted, and not its word.
#[test]
fn what_was_opened_for_its_key_alone_neither_judges_nor_seals() {
    let ward = Ward::new();
    let world = &ward.world;
    let second = ward.rotated(&ward.first.1, after(60));
    let old = ward.written(&ward.first.1, "old");
    let opened = ward.opens(&[ward.first.0.clone(), second.0.clone()], &mut no_pins(), after(60)).unwrap();
    let [earlier] = opened.earlier.as_slice() else { panic!("one key of before") };
    let misuse = |told: Option<Error>| assert!(matches!(told, Some(Error::ApiMisuse(_))), "{told:?}");
    let part = record("r").part(earlier).unwrap().field("/a", "1").unwrap();
    misuse(part.seal(&world.ada.author(), after(60)).err());
    misuse(world.phone.consent(world.devices(), "a".parse().unwrap()).after(earlier).err());
    misuse(world.phone.sharing(world.devices(), &world.trust, earlier).rotate().err());
    let store = MemoryStore::new();
    let now = || NOW;
    misuse(Rotation::new(&store, &[], earlier, &now).err());
    // It opens what lies under it for whoever goes by the newest, and alone it says nothing of who may write.
    assert!(world.reader().open(&old, &opened.accesses()).is_ok());
    assert_eq!(world.reader().open(&old, &[earlier]).err(), Some(Error::Rollback("consent")));
    // A job moves records from it.
    assert_eq!(block_on(Repository::new(&store).put_consent(&second.0)), Ok(Put::Done));
    let rotation = Rotation::new(&store, &[earlier], &opened.newest, &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
}

/// A thief's, who had the phone: its key is not one to move records to, nor its consent one to publish.
#[test]
fn to_what_was_opened_for_its_key_alone_nothing_is_moved_and_it_is_not_published() {
    let mut ward = Ward::new();
    let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
    let thiefs = ward.rotated(&ward.first.1, NOW);
    ward.world.alice.add_device(&tablet.public(), NOW).unwrap();
    ward.world.alice.remove_device(&"phone".parse().unwrap(), Removal::Lost { since: NOW }, NOW).unwrap();
    let world = &ward.world;
    let sharing = tablet.sharing(world.devices(), &world.trust, &ward.first.1);
    let (third, ..) = sharing.rotate().unwrap().seal(NOW).unwrap();
    let opened = ward.opens(&[ward.first.0.clone(), thiefs.0.clone(), third], &mut no_pins(), NOW).unwrap();
    let [earlier, first] = opened.earlier.as_slice() else { panic!("two keys of before") };
    assert_eq!((earlier.hash(), first.hash()), (thiefs.1.hash(), ward.first.1.hash()));
    let mut old = ward.written(&ward.first.1, "old");
    assert!(matches!(old.rewrap(first, earlier), Err(Error::ApiMisuse(_))));
    assert_eq!(old.rewrap(first, &opened.newest), Ok(()));
    let (store, noted) = (MemoryStore::new(), MemoryStore::new());
    let repository = guard::guarded(&store, guard::ledger(&noted));
    assert_eq!(block_on(repository.publish(earlier, &thiefs.0)), Err(Error::NotAllowed));
    // Nor does it say that another was replaced.
    let reader = world.reader().newest(earlier);
    let old = ward.written(&ward.first.1, "old");
    let next = reader.amend(&old, &[&ward.first.1]).unwrap().field("/diagnosis", "I21.9").unwrap();
    assert!(next.seal(&world.ada.author(), NOW).is_ok());
}

/// The nurse wrote under the first consent and may not under the second; she names the first, with a date of today.
#[test]
fn an_earlier_consent_lets_nobody_write_on() {
    let ward = Ward::new();
    let world = &ward.world;
    let builder = world.phone.consent(world.devices(), "a".parse().unwrap()).after(&ward.first.1).unwrap();
    let builder = builder.read(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let builder = builder.write(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let second = builder.seal(after(10_000)).unwrap();
    let part = |at: Time| {
        let part = record("r").part(&ward.first.1).unwrap().field("/a", "1").unwrap();
        part.seal(&world.nurse.author(), at).unwrap()
    };
    let opened = ward.opens(&[ward.first.0.clone(), second.0], &mut no_pins(), after(30_000)).unwrap();
    let reader = chartseal::record::Reader::new(&world.trust, after(30_000)).devices(world.devices().clone());
    assert!(reader.open(&part(after(100)), &opened.accesses()).is_ok());
    assert_eq!(reader.open(&part(after(20_000)), &opened.accesses()).err(), Some(Error::NotAllowed));
}

/// The phone was lost, and the tablet signed the next consent under the list without it; the old one had an end, too.
#[test]
fn what_was_not_moved_opens_although_the_device_of_its_consent_is_gone_and_its_end_over() {
    let mut ward = Ward::new();
    let world = &mut ward.world;
    let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
    world.alice.add_device(&tablet.public(), NOW).unwrap();
    let builder = world.phone.consent(world.alice.devices(), "a".parse().unwrap()).after(&ward.first.1).unwrap();
    let builder = builder.read(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let builder = builder.write(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let second = builder.valid(NOW, after(YEAR / 12)).seal(NOW).unwrap();
    let old = ward.written(&second.1, "old");
    let world = &mut ward.world;
    world.alice.remove_device(&"phone".parse().unwrap(), Removal::Retired, after(YEAR / 6)).unwrap();
    let later = after(YEAR / 6 + 60);
    let builder = tablet.consent(world.alice.devices(), "a".parse().unwrap()).after(&second.1).unwrap();
    let builder = builder.same_terms(&world.trust).unwrap().valid(later, after(YEAR));
    let (third, _) = builder.seal(later).unwrap();
    let stored = [ward.first.0.clone(), second.0.clone(), third];
    let mut pins = no_pins();
    for _ in 0..2 {
        let opened = ward.opens(&stored, &mut pins, later).unwrap();
        assert_eq!((opened.newest.version(), opened.earlier.len()), (Version(3), 2));
        let reader = chartseal::record::Reader::new(&ward.world.trust, later).devices(ward.world.devices().clone());
        assert!(reader.open(&old, &opened.accesses()).is_ok());
    }
    // Alone, it is gone by no more.
    let told = ward.opens(&stored[..2], &mut no_pins(), later);
    assert_eq!(told.err(), Some(Error::Forged("consent")));
}

/// The doctor was left out of the newest: the one before still opens, and it is said that it was replaced.
#[test]
fn whoever_was_left_out_is_told_that_there_is_a_later_consent() {
    let ward = Ward::new();
    let world = &ward.world;
    let sharing = world.phone.sharing(world.devices(), &world.trust, &ward.first.1);
    let (stored, access, _) = sharing.revoke("dr-ada".parse().unwrap()).unwrap().seal(NOW).unwrap();
    let opened = ward.opens(&[ward.first.0.clone(), stored], &mut no_pins(), NOW).unwrap();
    assert_eq!(opened.newest.hash(), ward.first.1.hash());
    let refused: Vec<_> = opened.refused.iter().map(|refused| (refused.version, refused.hash, &refused.why)).collect();
    assert_eq!(refused, [(Version(2), access.hash(), &Error::CannotOpen)]);
}

/// Two of the patient's devices signed one version, and the server serves both.
#[test]
fn whoever_is_served_two_consents_of_one_number_reads_and_writes_by_the_one_that_he_remembers() {
    let mut ward = Ward::new();
    let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
    ward.world.alice.add_device(&tablet.public(), NOW).unwrap();
    let first = ward.rotated(&ward.first.1, NOW);
    let world = &ward.world;
    let [phones, tablets] = [&world.phone, &tablet].map(|device| {
        let sharing = device.sharing(world.devices(), &world.trust, &first.1);
        let (stored, access, _) = sharing.rotate().unwrap().seal(NOW).unwrap();
        (stored, access)
    });
    let mut pins = no_pins();
    let stored = [first.0.clone(), phones.0.clone(), tablets.0.clone()];
    let opened = ward.opens(&stored, &mut pins, NOW).unwrap();
    let won = opened.newest.hash();
    for turn in 0..3 {
        let stored = if turn % 2 == 0 { [&first.0, &tablets.0, &phones.0] } else { [&tablets.0, &phones.0, &first.0] };
        let opened = ward.opens(&stored.map(Clone::clone), &mut pins, NOW).unwrap();
        assert_eq!(opened.newest.hash(), won);
        assert!(opened.refused.iter().all(|refused| refused.why == Error::Fork("consent")));
        let record = ward.written(&opened.newest, "r");
        let reader = world.reader();
        let amendment = reader.amend(&record, &opened.accesses()).unwrap();
        let amended = amendment.field("/diagnosis", "I21.4").unwrap().seal(&world.ada.author(), NOW);
        assert_eq!(amended.map(drop), Ok(()));
    }
    // As one whose key alone is wanted, the other has the number of the newest.
    let opened = ward.opens(&stored, &mut no_pins(), NOW).unwrap();
    let [other, _] = opened.earlier.as_slice() else { panic!("two keys of before") };
    assert_eq!(other.version(), opened.newest.version());
    let record = ward.written(&opened.newest, "r");
    let reader = world.reader();
    let amendment = reader.amend(&record, &opened.accesses()).unwrap();
    let amended = amendment.field("/diagnosis", "I21.4").unwrap().seal(&world.ada.author(), NOW).unwrap();
    assert_eq!(amended.key_id(opened.newest.compartment()), Some(opened.newest.key_id()));
}

/// Whoever has the stolen phone signs a hundred consents, each with a key of its own, and the server keeps them all.
#[test]
fn whoever_signs_many_consents_pushes_out_no_key_of_a_present_device() {
    let mut ward = Ward::new();
    let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
    ward.world.alice.add_device(&tablet.public(), NOW).unwrap();
    let builder = tablet.consent(ward.world.devices(), "a".parse().unwrap()).after(&ward.first.1).unwrap();
    let second = builder.same_terms(&ward.world.trust).unwrap().seal(NOW).unwrap();
    let mut stored = vec![ward.first.0.clone(), second.0.clone()];
    let mut last = ward.rotated(&second.1, NOW);
    for _ in 0..MAX_EARLIER + 10 {
        let next = ward.rotated(&last.1, NOW);
        stored.push(std::mem::replace(&mut last, next).0);
    }
    ward.world.alice.remove_device(&"phone".parse().unwrap(), Removal::Lost { since: NOW }, NOW).unwrap();
    let builder = tablet.consent(ward.world.alice.devices(), "a".parse().unwrap()).after(&second.1).unwrap();
    stored.push(builder.same_terms(&ward.world.trust).unwrap().seal(NOW).unwrap().0);
    let opened = ward.opens(&stored, &mut no_pins(), NOW).unwrap();
    assert!(opened.earlier.is_sorted_by(|one, two| one.version() > two.version()));
    // What the newest goes on from, whoever signed it; and the latest of the thief's.
    for honest in [&ward.first.1, &second.1] {
        assert!(opened.earlier.iter().any(|access| access.has_key_of(honest)));
    }
    assert_eq!(opened.earlier.len(), 2 + MAX_EARLIER);
}

/// Her only phone signed all that there is; whoever stole it signed as many as he liked after that.
#[test]
fn the_keys_that_a_lost_device_gave_honestly_are_not_pushed_out_by_its_thief() {
    let mut ward = Ward::new();
    let second = ward.rotated(&ward.first.1, NOW);
    let record = ward.written(&second.1, "r");
    let mut stored = vec![ward.first.0.clone(), second.0.clone()];
    let mut last = ward.rotated(&second.1, NOW);
    for _ in 0..MAX_EARLIER + 10 {
        let next = ward.rotated(&last.1, NOW);
        stored.push(std::mem::replace(&mut last, next).0);
    }
    let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
    ward.world.alice.add_device(&tablet.public(), NOW).unwrap();
    ward.world.alice.remove_device(&"phone".parse().unwrap(), Removal::Lost { since: NOW }, NOW).unwrap();
    let builder = tablet.consent(ward.world.alice.devices(), "a".parse().unwrap()).after(&second.1).unwrap();
    let own = builder.same_terms(&ward.world.trust).unwrap().seal(NOW).unwrap();
    stored.push(own.0.clone());
    let opened = ward.opens(&stored, &mut no_pins(), NOW).unwrap();
    assert_eq!(opened.newest.hash(), own.1.hash());
    assert!(ward.world.reader().open(&record, &opened.accesses()).is_ok());
}

/// He had her phone and signed many, each after the one before. She did not know yet when she went on from the last.
#[test]
fn the_keys_of_before_a_theft_are_not_pushed_out_where_the_owner_went_on_from_what_the_thief_signed() {
    let mut ward = Ward::new();
    let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
    ward.world.alice.add_device(&tablet.public(), NOW).unwrap();
    let second = ward.rotated(&ward.first.1, NOW);
    let records = [ward.written(&ward.first.1, "one"), ward.written(&second.1, "two")];
    let mut stored = vec![ward.first.0.clone(), second.0];
    let mut last = second.1;
    for _ in 0..MAX_EARLIER + 10 {
        let (thiefs, access) = ward.rotated(&last, NOW);
        stored.push(thiefs);
        last = access;
    }
    for known in [false, true] {
        if known {
            ward.world.alice.remove_device(&"phone".parse().unwrap(), Removal::Lost { since: NOW }, NOW).unwrap();
        }
        let sharing = tablet.sharing(ward.world.devices(), &ward.world.trust, &last);
        let (own, access, _) = sharing.rotate().unwrap().seal(NOW).unwrap();
        stored.push(own);
        last = access;
        let opened = ward.opens(&stored, &mut no_pins(), NOW).unwrap();
        assert_eq!(opened.newest.hash(), last.hash());
        for record in &records {
            assert!(ward.world.reader().open(record, &opened.accesses()).is_ok(), "{known}");
        }
    }
}

/// Nobody retires keys here. The custodian's own, which records are being moved from, is the last of many.
#[test]
fn the_owners_many_earlier_keys_do_not_push_out_the_one_that_a_custodian_moves_records_from() {
    let ward = Ward::new();
    let world = &ward.world;
    let keeper = chartseal::identity::Identity::generate("keeper".parse().unwrap()).unwrap();
    let builder = world.phone.consent(world.devices(), "a".parse().unwrap()).after(&ward.first.1).unwrap();
    let builder = builder.same_terms(&world.trust).unwrap().custodian(&keeper.public()).unwrap();
    let mut last = builder.seal(NOW).unwrap();
    let mut stored = vec![ward.first.0.clone()];
    for _ in 0..MAX_EARLIER + 5 {
        let next = ward.rotated(&last.1, NOW);
        stored.push(std::mem::replace(&mut last, next).0);
    }
    stored.push(last.0.clone());
    let given = world.phone.mandate((world.devices(), &last.1), &keeper.public(), after(YEAR), NOW).unwrap();
    let sealed = |before: &Access| {
        let builder = given.consent(&keeper, world.devices()).unwrap().after(before).unwrap();
        builder.same_terms(&world.trust).unwrap().seal(NOW).unwrap()
    };
    let one = sealed(&last.1);
    let two = sealed(&one.1);
    let record = ward.written(&one.1, "r");
    stored.extend([one.0, two.0]);
    let opened = ward.opens(&stored, &mut no_pins(), NOW).unwrap();
    assert_eq!(opened.newest.hash(), two.1.hash());
    assert!(world.reader().open(&record, &opened.accesses()).is_ok());
}
