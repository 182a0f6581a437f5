//! Honest people in any order: nobody is locked out of what the others did.

use std::collections::BTreeMap;

use chartseal::Error;
use chartseal::consent::{Access, Devices, Mandate, OpenedConsents, Removal, StoredConsent};
use chartseal::id::{CompartmentId, RecordId, Time};
use chartseal::identity::Identity;
use chartseal::kem::UserKey;
use chartseal::owner::Device;
use chartseal::pin::PinStore;
use chartseal::record::Reader;
use chartseal::repository::{Put, Repository};
use chartseal::rotation::Rotation;
use chartseal::store::MemoryStore;

use crate::support::guard;
use crate::support::waiting::block_on;
use crate::support::world::{NOW, World, record};

/// A small generator, so that a history is its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

struct History {
    world: World,
    tablet: Device,
    keeper: Identity,
    key: UserKey,
    store: MemoryStore,
    noted: MemoryStore,
    mandate: Option<Mandate>,
    /// Ada's, the phone's, the tablet's, the custodian's.
    pins: [PinStore; 4],
    written: BTreeMap<RecordId, String>,
    now: Time,
    log: Vec<String>,
    watches: u64,
    watch: Option<Device>,
}

fn section() -> CompartmentId {
    "a".parse().unwrap()
}

impl History {
    fn new() -> Self {
        let mut world = World::new();
        let key = world.ada.identity.accept(&world.ada.issued, &world.trust, NOW).unwrap();
        let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
        world.alice.add_device(&tablet.public(), NOW).unwrap();
        let keeper = Identity::generate("keeper".parse().unwrap()).unwrap();
        let builder = world.phone.consent(world.devices(), section()).custodian(&keeper.public()).unwrap();
        let builder = builder.read(&world.trust, world.hospital.id(), "role:doctor").unwrap();
        let (stored, access) =
            builder.write(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap();
        let history = Self {
            world,
            tablet,
            keeper,
            key,
            store: MemoryStore::new(),
            noted: MemoryStore::new(),
            mandate: None,
            pins: Default::default(),
            written: BTreeMap::new(),
            now: NOW,
            log: Vec::new(),
            watches: 0,
            watch: None,
        };
        assert_eq!(block_on(history.repository().publish(&access, &stored)), Ok(Put::Done));
        history
    }

    fn repository(&self) -> Repository<'_> {
        guard::guarded(&self.store, guard::ledger(&self.noted))
    }

    fn devices(&self) -> Devices {
        self.world.devices().clone()
    }

    fn stored(&self) -> Vec<StoredConsent> {
        let (mut all, mut last) = (Vec::<StoredConsent>::new(), None);
        loop {
            let page = block_on(self.repository().consents(self.world.alice.id(), &section(), last.as_ref())).unwrap();
            let Some(end) = page.last() else { return all };
            last = Some(end.clone());
            all.extend(page);
        }
    }

    fn opened(&mut self, who: usize) -> OpenedConsents {
        let (stored, devices, now) = (self.stored(), self.devices(), self.now);
        let (world, key, tablet, keeper) = (&self.world, &self.key, &self.tablet, &self.keeper);
        let opened = devices.open_consents(&section(), &stored, &mut self.pins[who], now, |live, pins| match who {
            0 => live.open(key, pins),
            1 => live.open_as_device(&world.phone, pins),
            2 => live.open_as_device(tablet, pins),
            _ => live.open_as(keeper, pins),
        });
        opened.unwrap_or_else(|error| panic!("{who}: {error:?} after {:?}", self.log))
    }

    fn device(&self, who: usize) -> &Device {
        if who == 1 { &self.world.phone } else { &self.tablet }
    }

    fn owners(&self, who: usize, before: &Access, rotate: bool) -> (StoredConsent, Access) {
        let devices = self.world.devices();
        let sharing = self.device(who).sharing(devices, &self.world.trust, before);
        let change = if rotate { sharing.rotate() } else { sharing.reseal() }.unwrap();
        let (stored, access, _) =
            change.seal(self.now).unwrap_or_else(|error| panic!("{error:?} after {:?}", self.log));
        (stored, access)
    }

    fn custodians(&self, mandate: &Mandate, before: &Access, rotate: bool) -> Result<(StoredConsent, Access), Error> {
        let builder = mandate.consent(&self.keeper, self.world.devices())?.after(before)?;
        let builder = if rotate { builder } else { builder.reseal()? };
        builder.same_terms(&self.world.trust)?.seal(self.now)
    }

    fn publish_verified(&self, stored: &StoredConsent) -> Result<Put, Error> {
        let live = stored.verify(self.world.devices(), &section(), &PinStore::default(), self.now)?;
        block_on(self.repository().publish(&live, stored))
    }

    fn step(&mut self, dice: &mut Dice) {
        self.now = self.now.plus(std::time::Duration::from_secs(60 + dice.roll(40_000)));
        let rotate = dice.roll(2) == 0;
        let who = 1 + usize::try_from(dice.roll(2)).unwrap();
        let roll = dice.roll(9);
        self.log.push(format!("{roll} {who} {rotate}"));
        match roll {
            0 => {
                let before = self.opened(who).newest;
                let (stored, _) = self.owners(who, &before, rotate);
                assert_eq!(self.publish_verified(&stored), Ok(Put::Done), "{:?}", self.log);
            }
            // Two devices race: one is told.
            1 => {
                let [one, other] = [1, 2].map(|who| {
                    let before = self.opened(who).newest;
                    self.owners(who, &before, dice.roll(2) == 0).0
                });
                assert_eq!(self.publish_verified(&one), Ok(Put::Done), "{:?}", self.log);
                let told = self.publish_verified(&other);
                assert!(matches!(told, Err(Error::Fork(_)) | Ok(Put::Conflict)), "{told:?} {:?}", self.log);
            }
            2 => {
                let before = self.opened(who).newest;
                let (stored, access) = self.owners(who, &before, rotate);
                assert_eq!(self.publish_verified(&stored), Ok(Put::Done), "{:?}", self.log);
                let devices = self.devices();
                let until = self.now.plus(std::time::Duration::from_secs(3_000_000));
                let given = self.device(who).mandate((&devices, &access), &self.keeper.public(), until, self.now);
                self.mandate = Some(given.unwrap());
            }
            // He goes on, where nothing of the owner's came since.
            3 | 4 => {
                let Some(mandate) = self.mandate.take() else { return };
                let before = self.opened(3).newest;
                let stale = !self.is_his(&before, &mandate);
                let sealed = self.custodians(&mandate, &before, rotate);
                match sealed {
                    Ok((stored, access)) if !stale => {
                        let by_head = dice.roll(2) == 0;
                        let put = if by_head {
                            let devices = self.devices();
                            let live = stored.verify(&devices, &section(), &PinStore::default(), self.now).unwrap();
                            let head = self.device(who).head(&live, self.now).unwrap();
                            let limit = chartseal::consent::HEAD_LIMIT;
                            let mut pins = PinStore::default();
                            let confirmed = live.confirmed(&head, &mut pins, self.now, limit).unwrap();
                            block_on(self.repository().publish(confirmed, &stored))
                        } else {
                            block_on(self.repository().publish(&access, &stored))
                        };
                        assert_eq!(put, Ok(Put::Done), "{:?}", self.log);
                        self.mandate = Some(mandate);
                    }
                    Ok((stored, access)) => {
                        let told = block_on(self.repository().publish(&access, &stored));
                        self.log.push(format!("stale mandate: {told:?}"));
                        assert!(told.is_err(), "{:?}", self.log);
                    }
                    Err(error) => {
                        assert!(stale, "{error:?} {:?}", self.log);
                        self.log.push(format!("stale mandate: {error:?}"));
                    }
                }
            }
            // A device and the custodian race: the owner's word counts.
            5 => {
                let Some(mandate) = self.mandate.take() else { return };
                let before = self.opened(3).newest;
                if !self.is_his(&before, &mandate) {
                    return;
                }
                let Ok((his, access)) = self.custodians(&mandate, &before, rotate) else { return };
                let known = self.opened(who).newest;
                let (hers, _) = self.owners(who, &known, dice.roll(2) == 0);
                let first = dice.roll(2) == 0;
                if first {
                    let put = block_on(self.repository().publish(&access, &his));
                    assert_eq!(put, Ok(Put::Done), "{:?}", self.log);
                }
                assert_eq!(self.publish_verified(&hers), Ok(Put::Done), "{:?}", self.log);
                if !first {
                    assert!(block_on(self.repository().publish(&access, &his)).is_err(), "{:?}", self.log);
                }
            }
            // The device list changes.
            6 => {
                let now = self.now;
                match self.watch.take() {
                    None => {
                        self.watches += 1;
                        let watch = Device::generate(format!("watch-{}", self.watches).parse().unwrap()).unwrap();
                        self.world.alice.add_device(&watch.public(), now).unwrap();
                        self.watch = Some(watch);
                    }
                    Some(watch) => {
                        let why = if rotate { Removal::Retired } else { Removal::Lost { since: now } };
                        self.world.alice.remove_device(watch.id(), why, now).unwrap();
                    }
                }
            }
            7 => {
                let opened = self.opened(0);
                let id: RecordId = format!("r{}", dice.roll(3)).parse().unwrap();
                let value = format!("at {}", self.now.as_secs());
                let devices = self.devices();
                let reader = Reader::new(&self.world.trust, self.now).devices(devices);
                let ada = self.world.ada.author();
                let held = block_on(self.repository().get(self.world.alice.id(), &id)).unwrap();
                let put = match held {
                    None => {
                        let new =
                            record(id.as_str()).part(&opened.newest).unwrap().field("/a", value.as_str()).unwrap();
                        block_on(self.repository().put(&new.seal(&ada, self.now).unwrap()))
                    }
                    Some(held) => {
                        let amendment = reader.remembering(&mut self.pins[0]).amend(&held, &opened.accesses()).unwrap();
                        let next = amendment.part(&opened.newest).unwrap().field("/a", value.as_str()).unwrap();
                        let next = next.seal(&ada, self.now);
                        let next = next.unwrap_or_else(|error| panic!("{error:?} {:?}", self.log));
                        block_on(guard::guarded(&self.store, guard::ledger(&self.noted)).amend(&held, &next))
                    }
                };
                assert_eq!(put, Ok(Put::Done), "{:?}", self.log);
                self.written.insert(id, value);
            }
            _ => {
                let OpenedConsents { newest, earlier, .. } = self.opened(who);
                let old: Vec<&Access> = earlier.iter().collect();
                let now = self.now;
                let clock = move || now;
                let rotation = Rotation::new(&self.store, &old, &newest, &clock).unwrap();
                let done = block_on(rotation.run(&format!("job-{}", self.log.len()), |_| ())).unwrap();
                assert!(done.finished, "{:?}", self.log);
                if rotate {
                    let retired = block_on(rotation.retire(&guard::ledger(&self.noted)));
                    assert!(retired.is_ok(), "{retired:?} {:?}", self.log);
                    self.log.push(format!("{retired:?}"));
                }
            }
        }
    }

    fn is_his(&self, before: &Access, mandate: &Mandate) -> bool {
        let said = mandate.unverified();
        let stored = self.stored().into_iter().find(|stored| stored.consent().hash() == Ok(before.hash())).unwrap();
        let base = stored.mandate().map_or(before.version(), |mandate| mandate.unverified().base);
        base == said.base && stored.consent().unverified().devices == said.devices
    }

    fn check(&mut self) {
        let known = block_on(guard::ledger(&self.noted).newest(self.world.alice.id(), &section())).unwrap().unwrap();
        for who in 0..4 {
            let opened = self.opened(who);
            assert_eq!(Ok(opened.newest.hash()), known.consent().hash(), "{who} {:?}", self.log);
            assert!(opened.refused.is_empty(), "{who} {:?} {:?}", opened.refused, self.log);
        }
        let opened = self.opened(0);
        for (id, value) in self.written.clone() {
            let record = block_on(self.repository().get(self.world.alice.id(), &id)).unwrap().unwrap();
            let reader = Reader::new(&self.world.trust, self.now).devices(self.devices());
            let view = reader.remembering(&mut self.pins[0]).open(&record, &opened.accesses());
            let view = view.unwrap_or_else(|error| panic!("{id}: {error:?} {:?}", self.log));
            assert_eq!(view.get("/a"), Ok(Some(value.as_bytes())), "{:?}", self.log);
        }
    }
}

#[test]
fn honest_people_lock_nobody_out() {
    for seed in 1..=6_u64 {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let mut history = History::new();
        history.log.push(format!("seed {seed}"));
        for _ in 0..16 {
            history.step(&mut dice);
            history.check();
        }
    }
}
