//! A custodian goes on while the owner is away, and the owner goes on from where she was: two branches of one compartment.

use crate::support::guard;
use crate::support::stored::{fill, now, read};
use crate::support::waiting::block_on;
use crate::support::world::{NOW, World, YEAR, after, record};
use chartseal::Error;
use chartseal::consent::{Access, ConsentBuilder, Mandate, StoredConsent};
use chartseal::id::{Generation, Time, Version};
use chartseal::identity::Identity;
use chartseal::pin::PinStore;
use chartseal::record::{Reader, SealedRecord};
use chartseal::repository::Put;
use chartseal::rotation::{Retirement, Rotation};
use chartseal::store::{MemoryStore, Store};

/// The owner's first consent; two of the custodian's, each with a new key; and the owner's next, which shuts the doctor out
/// and knows nothing of the two.
struct Branches {
    world: World,
    first: (StoredConsent, Access),
    second: (StoredConsent, Access),
    third: (StoredConsent, Access),
    own: (StoredConsent, Access),
}

const LATER: u64 = 10_000;

impl Branches {
    fn new() -> Self {
        let world = World::new();
        let keeper = Identity::generate("keeper".parse().unwrap()).unwrap();
        let builder = world.phone.consent(world.devices(), "a".parse().unwrap()).custodian(&keeper.public()).unwrap();
        let builder = builder.read(&world.trust, world.hospital.id(), "role:doctor").unwrap();
        let first = builder.write(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap();
        let mandate = world.phone.mandate((world.devices(), &first.1), &keeper.public(), after(YEAR), NOW).unwrap();
        let next = |after: &Access, at: Time| {
            let builder = Mandate::consent(&mandate, &keeper, world.devices()).unwrap();
            ConsentBuilder::after(builder, after).unwrap().same_terms(&world.trust).unwrap().seal(at).unwrap()
        };
        let second = next(&first.1, after(10));
        let third = next(&second.1, after(20));
        let change = world.phone.sharing(world.devices(), &world.trust, &first.1).revoke("dr-ada".parse().unwrap());
        let (stored, access, _) = change.unwrap().seal(after(LATER)).unwrap();
        Self { world, first, second, third, own: (stored, access) }
    }

    /// The doctor seals to a consent that she holds, at a time that she says.
    fn writes(&self, consent: &StoredConsent, at: Time) -> SealedRecord {
        let section = "a".parse().unwrap();
        let live = consent.verify(self.world.devices(), &section, &PinStore::default(), at).unwrap();
        record("r")
            .part(&live.open_as_device(&self.world.phone, &mut PinStore::default()).unwrap())
            .unwrap()
            .field("/a", "1")
            .unwrap()
            .seal(&self.world.ada.author(), at)
            .unwrap()
    }

    fn reads(&self, record: &SealedRecord, accesses: &[&Access]) -> Option<Error> {
        let reader = Reader::new(&self.world.trust, after(3 * LATER)).devices(self.world.devices().clone());
        reader.open(record, accesses).err()
    }
}

#[test]
fn a_custodians_numbers_let_nobody_write_on_whom_the_owner_shut_out() {
    let branches = Branches::new();
    let accesses = [&branches.own.1, &branches.third.1, &branches.second.1, &branches.first.1];
    let refused = Error::NotAllowed;
    // The owner may have signed one of that number since, for all that is known.
    let unknown = Error::Rollback("consent");
    for (named, told) in [(&branches.first.0, &refused), (&branches.second.0, &refused), (&branches.third.0, &unknown)]
    {
        let (before, late) = (branches.writes(named, after(2000)), branches.writes(named, after(2 * LATER)));
        for turn in 0..accesses.len() {
            let mut accesses = accesses;
            accesses.rotate_left(turn);
            assert_eq!(branches.reads(&before, &accesses), None);
            assert_eq!(branches.reads(&late, &accesses).as_ref(), Some(told));
        }
    }
    // Of her word itself nobody has more than what her next consent remembers.
    let world = &branches.world;
    let change = world.phone.sharing(world.devices(), &world.trust, &branches.own.1).rotate().unwrap();
    let (_, last, _) = change.seal(after(2 * LATER + 1)).unwrap();
    let (before, late) =
        (branches.writes(&branches.third.0, after(2000)), branches.writes(&branches.third.0, after(2 * LATER)));
    for accesses in [[&last, &branches.third.1], [&branches.third.1, &last]] {
        assert_eq!(branches.reads(&before, &accesses), None);
        assert_eq!(branches.reads(&late, &accesses), Some(Error::NotAllowed));
    }
}

#[test]
fn both_branches_have_their_place_and_the_owners_is_the_later() {
    let branches = Branches::new();
    let (store, noted) = (MemoryStore::new(), MemoryStore::new());
    let ledger = guard::ledger(&noted);
    let repository = guard::guarded(&store, ledger);
    let (world, section) = (&branches.world, branches.first.1.compartment());
    let publish = |stored: &StoredConsent| {
        let live = stored.verify(world.devices(), section, &PinStore::default(), after(LATER)).unwrap();
        let access = live.open_as_device(&world.phone, &mut PinStore::default()).unwrap();
        block_on(repository.publish(&access, stored)).unwrap()
    };
    assert_eq!(publish(&branches.first.0), Put::Done);
    fill(world, &store, &branches.first.1, 3);
    let moved = |old: &[&Access], new: &Access| {
        let rotation = Rotation::new(&store, old, new, &now).unwrap();
        assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
        assert!(block_on(rotation.quarantined("job")).unwrap().is_empty());
        block_on(rotation.retire(&ledger))
    };
    assert_eq!(publish(&branches.second.0), Put::Done);
    assert!(moved(&[&branches.first.1], &branches.second.1).is_ok());
    assert_eq!(branches.second.1.generation(), branches.own.1.generation());

    // The same number, another place; and the mandate is over.
    assert_eq!(publish(&branches.own.0), Put::Done);
    assert_eq!(
        block_on(repository.publish(&branches.third.1, &branches.third.0)).err(),
        Some(Error::Rollback("consent"))
    );
    assert!(block_on(repository.behind()).unwrap().is_empty());
    let served = block_on(repository.consents(world.alice.id(), section, None)).unwrap();
    assert_eq!(served, [branches.second.0.clone(), branches.own.0.clone()]);

    // Whoever does not have the custodian's key takes nothing under it for moved, whatever number it has; and nothing goes
    // back to what counts less.
    let wrong = Rotation::new(&store, &[&branches.own.1], &branches.second.1, &now);
    assert!(matches!(wrong, Err(Error::ApiMisuse(_))));
    let blind = Rotation::new(&store, &[], &branches.own.1, &now).unwrap();
    assert!(block_on(blind.run("blind", |_| ())).unwrap().finished);
    assert_eq!(block_on(blind.quarantined("blind")).unwrap().len(), 3);
    assert!(matches!(block_on(blind.retire(&ledger)).unwrap(), Retirement::Blocked { .. }));

    // With it, everything moves; and beyond both the doctor stays shut out.
    let seeing = Rotation::new(&store, &[&branches.second.1], &branches.own.1, &now).unwrap();
    assert_eq!(block_on(seeing.retry("blind")), Ok(0));
    assert_eq!(block_on(seeing.retire(&ledger)), Ok(Retirement::Done { consents: 1, lost: 0 }));
    let change = world.phone.sharing(world.devices(), &world.trust, &branches.own.1).rotate().unwrap();
    let (stored, last, _) = change.beyond(&branches.second.1).unwrap().seal(after(LATER)).unwrap();
    assert_eq!((last.version(), last.generation()), (Version(3), Generation(3)));
    assert_eq!(publish(&stored), Put::Done);
    let retired = moved(&[&branches.own.1, &branches.second.1], &last).unwrap();
    assert_eq!(retired, Retirement::Done { consents: 1, lost: 0 });
    for i in 0..3 {
        let record = read(&store, &last, &format!("r{i:05}"));
        assert!(world.reader().open(&record, &[&last]).is_ok());
    }
    assert!(block_on(store.keys("consent/", "", 9)).unwrap().len() == 1);
    let elsewhere = world.access("b");
    let sharing = world.phone.sharing(world.devices(), &world.trust, &branches.own.1);
    assert!(matches!(sharing.rotate().unwrap().beyond(&elsewhere), Err(Error::ApiMisuse(_))));
}

#[test]
fn records_under_two_keys_of_one_generation_open_with_both_at_hand() {
    let branches = Branches::new();
    let one = branches.writes(&branches.second.0, after(2000));
    let (phone, devices) = (&branches.world.phone, branches.world.devices());
    let author = chartseal::record::Author::device(phone, devices).unwrap();
    let two = record("r").part(&branches.own.1).unwrap().field("/a", "2").unwrap().seal(&author, after(LATER)).unwrap();
    let (second, own) = (&branches.second.1, &branches.own.1);
    for accesses in [[second, own], [own, second]] {
        assert_eq!((branches.reads(&one, &accesses), branches.reads(&two, &accesses)), (None, None));
    }
    assert_eq!(branches.reads(&one, &[own]), Some(Error::CannotOpen));
    assert_eq!(branches.reads(&two, &[second]), Some(Error::CannotOpen));
}

#[test]
fn an_amendment_lies_under_the_owners_key_whatever_number_another_has() {
    let branches = Branches::new();
    let (phone, devices) = (&branches.world.phone, branches.world.devices());
    let author = chartseal::record::Author::device(phone, devices).unwrap();
    let (third, own) = (&branches.third.1, &branches.own.1);
    let first = record("r").part(own).unwrap().field("/a", "1").unwrap().seal(&author, after(LATER)).unwrap();
    let reader = Reader::new(&branches.world.trust, after(3 * LATER)).devices(devices.clone());
    let amendment = reader.amend(&first, &[third, own]).unwrap().field("/a", "2").unwrap();
    let next = amendment.seal(&author, after(2 * LATER)).unwrap();
    assert_eq!(branches.reads(&next, &[own]), None);
    assert_eq!(branches.reads(&next, &[third]), Some(Error::CannotOpen));
}

/// The doctor wrote under the custodian's consent, while she could; then the owner went on from before that.
#[test]
fn what_was_written_under_a_custodians_consent_stands_after_the_owner_went_beyond_it() {
    let branches = Branches::new();
    let world = &branches.world;
    let change = world.phone.sharing(world.devices(), &world.trust, &branches.own.1).rotate().unwrap();
    let (_, last, _) = change.beyond(&branches.third.1).unwrap().seal(after(2 * LATER)).unwrap();
    for (consent, access) in [&branches.second, &branches.third] {
        for (at, refused) in [(2000, None), (2 * LATER - 1, Some(Error::NotAllowed))] {
            let mut moved = branches.writes(consent, after(at));
            moved.rewrap(access, &last).unwrap();
            assert_eq!(branches.reads(&moved, &[&last]), refused);
        }
    }
}

/// Two consents have one number, and the nurse writes as soon as the owner lets her.
#[test]
fn who_was_just_let_in_writes_at_once_whatever_the_custodian_says() {
    let branches = Branches::new();
    let world = &branches.world;
    let consent = world.phone.consent(world.devices(), "a".parse().unwrap()).after(&branches.first.1).unwrap();
    let consent = consent.write(&world.trust, world.hospital.id(), "role:nurse").unwrap();
    let (stored, own) = consent.seal(after(LATER)).unwrap();
    let live = stored.verify(world.devices(), own.compartment(), &PinStore::default(), after(LATER)).unwrap();
    let written =
        record("r").part(live.write_only(&mut PinStore::default()).unwrap()).unwrap().field("/a", "1").unwrap();
    let written = written.seal(&world.nurse.author(), after(LATER + 60)).unwrap();
    for accesses in [[&own, &branches.second.1], [&branches.second.1, &own]] {
        assert_eq!(branches.reads(&written, &accesses), None);
    }
}
