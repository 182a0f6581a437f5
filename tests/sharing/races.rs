//! Two devices, or a device and a custodian, who sign without knowing of each other; and clocks that are wrong.

use chartseal::Error;
use chartseal::consent::{Access, ConsentBuilder, Freshness, HEAD_LIMIT, Mandate, StoredConsent};
use chartseal::identity::Identity;
use chartseal::owner::Device;
use chartseal::pin::PinStore;
use chartseal::repository::{Put, Repository};
use chartseal::store::MemoryStore;
use pollster::block_on;

use crate::support::guard;
use crate::support::world::{NOW, World, YEAR, after};

/// The phone revokes Ada, and everybody hears of it. The tablet, at the same moment, signs its own second version, which
/// nobody publishes, and a mandate for it.
struct Lost {
    world: World,
    tablet: Device,
    keeper: Identity,
    first: (StoredConsent, Access),
    /// The phone's: without Ada.
    won: (StoredConsent, Access),
    /// The tablet's: with her.
    lost: (StoredConsent, Access),
    mandate: Mandate,
}

impl Lost {
    fn new() -> Self {
        let mut world = World::new();
        let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
        world.alice.add_device(&tablet.public(), NOW).unwrap();
        let keeper = Identity::generate("keeper".parse().unwrap()).unwrap();
        let builder = world.phone.consent(world.devices(), "a".parse().unwrap()).custodian(&keeper.public()).unwrap();
        let builder = builder.read(&world.trust, world.hospital.id(), "role:doctor").unwrap();
        let first = builder.write(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap();
        let sharing = world.phone.sharing(world.devices(), &world.trust, &first.1);
        let (stored, access, _) = sharing.revoke("dr-ada".parse().unwrap()).unwrap().seal(after(100)).unwrap();
        let won = (stored, access);
        let sharing = tablet.sharing(world.devices(), &world.trust, &first.1);
        let (stored, access, _) = sharing.reseal().unwrap().seal(after(50)).unwrap();
        let lost = (stored, access);
        let mandate = tablet.mandate((world.devices(), &lost.1), &keeper.public(), after(YEAR), after(50)).unwrap();
        Self { world, tablet, keeper, first, won, lost, mandate }
    }

    /// What the custodian makes of a consent under the tablet's mandate.
    fn custodians(&self, before: &Access, at: u64) -> (StoredConsent, Access) {
        let builder = self.mandate.consent(&self.keeper, self.world.devices()).unwrap();
        let builder = ConsentBuilder::after(builder, before).unwrap().same_terms(&self.world.trust).unwrap();
        builder.seal(after(at)).unwrap()
    }

    fn verify(&self, stored: &StoredConsent, pins: &mut PinStore, at: u64) -> Result<(), Error> {
        let live = stored.verify(self.world.devices(), self.first.1.compartment(), pins, after(at))?;
        live.open_as_device(&self.world.phone, pins).map(drop)
    }

    fn publish(&self, repository: &Repository<'_>, stored: &StoredConsent) -> Result<Put, Error> {
        let live =
            stored.verify(self.world.devices(), self.first.1.compartment(), &PinStore::default(), after(10_000))?;
        let access = live.open_as_device(&self.world.phone, &mut PinStore::default())?;
        block_on(repository.publish(&access, stored))
    }
}

#[test]
fn a_mandate_for_a_consent_that_lost_a_race_undoes_no_revocation() {
    let lost = Lost::new();
    let mut pins = PinStore::default();
    assert_eq!(lost.verify(&lost.won.0, &mut pins, 200), Ok(()));
    let third = lost.custodians(&lost.lost.1, 300);
    let fourth = lost.custodians(&third.1, 400);
    for (stored, _) in [&lost.lost, &third, &fourth] {
        assert_eq!(lost.verify(stored, &mut pins, 500), Err(Error::Fork("consent")));
    }
    assert_eq!(lost.verify(&lost.won.0, &mut pins, 500), Ok(()), "nothing of it was remembered");
    // To whoever knows neither, it is a consent as good as the other: it is the memory that tells.
    assert_eq!(lost.verify(&fourth.0, &mut PinStore::default(), 500), Ok(()));
}

#[test]
fn a_ledger_takes_nothing_that_goes_on_from_a_consent_that_lost_a_race() {
    let lost = Lost::new();
    let (store, noted) = (MemoryStore::new(), MemoryStore::new());
    let repository = guard::guarded(&store, guard::ledger(&noted));
    for stored in [&lost.first.0, &lost.won.0] {
        assert_eq!(lost.publish(&repository, stored), Ok(Put::Done));
    }
    let third = lost.custodians(&lost.lost.1, 300);
    let fourth = lost.custodians(&third.1, 400);
    for (stored, _) in [&lost.lost, &third, &fourth] {
        assert_eq!(lost.publish(&repository, stored), Err(Error::Fork("consent")));
    }
    let served = block_on(repository.consents(lost.first.1.owner(), lost.first.1.compartment(), None)).unwrap();
    assert_eq!(served, [lost.first.0.clone(), lost.won.0.clone()]);
}

/// A reader who was shown the loser first is told of the other; and the owner's next word, whichever it goes on from, is
/// taken by both.
#[test]
fn the_owners_next_word_heals_a_race_for_whoever_saw_either_side() {
    let lost = Lost::new();
    let third = lost.custodians(&lost.lost.1, 300);
    let (mut one, mut two) = (PinStore::default(), PinStore::default());
    assert_eq!(lost.verify(&lost.won.0, &mut one, 500), Ok(()));
    assert_eq!(lost.verify(&third.0, &mut two, 500), Ok(()));
    assert_eq!(lost.verify(&lost.won.0, &mut two, 500), Err(Error::Fork("consent")));
    // A head of the phone for the one that won says so, too.
    let live = lost.won.0.verify(lost.world.devices(), lost.first.1.compartment(), &one, after(500)).unwrap();
    let head = lost.world.phone.head(&live, after(500)).unwrap();
    assert_eq!(live.fresh(&head, &mut one, after(500), HEAD_LIMIT), Ok(Freshness::Fresh));
    assert_eq!(lost.verify(&third.0, &mut one, 500), Err(Error::Fork("consent")));

    for device in [&lost.world.phone, &lost.tablet] {
        let sharing = device.sharing(lost.world.devices(), &lost.world.trust, &lost.won.1);
        let (next, _, _) = sharing.rotate().unwrap().seal(after(600)).unwrap();
        for pins in [&one, &two] {
            assert_eq!(lost.verify(&next, &mut pins.clone(), 700), Ok(()));
        }
    }
}

/// A phone whose clock is behind would un-say what others wrote since, and let keys in that are over.
#[test]
fn a_consent_is_not_signed_for_before_its_predecessor() {
    let world = World::new();
    let (_, first) = world.consent("a", "role:doctor");
    let sharing = world.phone.sharing(world.devices(), &world.trust, &first);
    let (_, second, _) = sharing.reseal().unwrap().seal(after(1000)).unwrap();
    let next = |at| {
        let sharing = world.phone.sharing(world.devices(), &world.trust, &second);
        sharing.reseal().unwrap().seal(at).map(drop)
    };
    let behind = Error::ApiMisuse("the clock is behind: the consent before this one was signed later");
    assert_eq!(next(after(999)), Err(behind));
    assert_eq!(next(after(1000)), Ok(()));
}

#[test]
fn a_consent_of_a_time_to_come_is_not_taken_yet() {
    let world = World::new();
    let builder = world.phone.consent(world.devices(), "a".parse().unwrap()).valid(NOW, None);
    let (stored, access) = builder.seal(after(1000)).unwrap();
    let pins = PinStore::default();
    let verify = |at| stored.verify(world.devices(), access.compartment(), &pins, after(at)).map(drop);
    assert_eq!(verify(0), Err(Error::Expired("consent")));
    assert_eq!(verify(699), Err(Error::Expired("consent")));
    assert_eq!(verify(700), Ok(()));
}
