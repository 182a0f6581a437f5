//! A compartment that a custodian went on with while its owner, who did not know of it, did the same.

use chartseal::Error;
use chartseal::consent::{Access, ConsentBuilder, Mandate, StoredConsent};
use chartseal::identity::Identity;
use chartseal::pin::PinStore;
use chartseal::repository::{Put, Repository};

use super::waiting::block_on;
use super::world::{NOW, World, YEAR, after};

pub(crate) struct Branches {
    pub(crate) world: World,
    /// Under the first key.
    pub(crate) first: (StoredConsent, Access),
    /// Under a second key, by the custodian.
    pub(crate) custodians: (StoredConsent, Access),
    /// Under another second key, by the owner, who shuts a person out.
    pub(crate) own: (StoredConsent, Access),
}

impl Branches {
    pub(crate) fn new() -> Self {
        let world = World::new();
        let keeper = Identity::generate("keeper".parse().unwrap()).unwrap();
        let builder = world.phone.consent(world.devices(), "a".parse().unwrap()).custodian(&keeper.public()).unwrap();
        let builder = builder.read(&world.trust, world.hospital.id(), "role:doctor").unwrap();
        let first = builder.write(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap();
        let mandate = world.phone.mandate((world.devices(), &first.1), &keeper.public(), after(YEAR), NOW).unwrap();
        let builder = Mandate::consent(&mandate, &keeper, world.devices()).unwrap();
        let builder = ConsentBuilder::after(builder, &first.1).unwrap();
        let custodians = builder.same_terms(&world.trust).unwrap().seal(after(10)).unwrap();
        let sharing = world.phone.sharing(world.devices(), &world.trust, &first.1);
        let change = sharing.revoke("nurse-ned".parse().unwrap()).unwrap();
        let (stored, access, _) = change.seal(after(10_000)).unwrap();
        Self { world, first, custodians, own: (stored, access) }
    }

    /// Under the first key again, by the owner.
    pub(crate) fn reseal(&self) -> (StoredConsent, Access) {
        let sharing = self.world.phone.sharing(self.world.devices(), &self.world.trust, &self.first.1);
        let (stored, access, _) = sharing.reseal().unwrap().seal(after(10_000)).unwrap();
        (stored, access)
    }

    pub(crate) fn publish(&self, repository: &Repository<'_>, stored: &StoredConsent) -> Result<Put, Error> {
        let section = self.first.1.compartment();
        let live = stored.verify(self.world.devices(), section, &PinStore::default(), after(20_000)).unwrap();
        let access = live.open_as_device(&self.world.phone, &mut PinStore::default()).unwrap();
        block_on(repository.publish(&access, stored))
    }
}
