//! Sharing as a state machine: random sequences of verbs, writes, rotations, crashes and restores, against a model of who
//! may read what. Members judge by their keys alone: each keeps every consent that was ever published, and every key that
//! she ever got out of one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use chartseal::pin::PinStore;

use crate::support::guard;
use crate::support::policies::cases;
use crate::support::stored::read;
use crate::support::waiting::block_on;
use crate::support::world::{NOW, Person, World, record};
use chartseal::backup;
use chartseal::consent::{Access, Named, StoredConsent};
use chartseal::id::{AuthorityId, Time};
use chartseal::kem::UserKey;
use chartseal::owner::{Change, Sharing};
use chartseal::record::Author;
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Retirement, Rotation};
use chartseal::store::{Fault, FaultyStore, MemoryStore};
use chartseal::{Error, Unknown};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Grant(usize),
    /// More roles, as a mask; the key stays.
    GrantPolicy(u8),
    Restrict(u8),
    Revoke(usize),
    Readmit(usize),
    Rotate,
    Reseal,
    Write,
    /// The job dies at this call of the store, and another worker ends it.
    Move(u64),
    Backup,
    Restore,
}

const ROLES: [&str; 3] = ["role:doctor", "role:nurse", "role:laboratory"];

/// Who may read, as far as the verbs say.
#[derive(Debug, Default)]
struct Model {
    roles: u8,
    named: BTreeSet<usize>,
    excluded: BTreeSet<usize>,
    generation: u64,
    /// The generations of keys that each member got hold of at any time.
    reached: [BTreeSet<u64>; 3],
    /// Records by their number, with the generation that they lie under.
    records: BTreeMap<usize, u64>,
}

impl Model {
    fn may(&self, member: usize) -> bool {
        let role = self.roles & (1 << member) != 0 && !self.excluded.contains(&member);
        role || self.named.contains(&member)
    }

    fn published(&mut self, generation: u64) {
        self.generation = generation;
        for member in 0..3 {
            if self.may(member) {
                self.reached[member].insert(generation);
            }
        }
    }
}

struct System {
    world: World,
    keys: Vec<UserKey>,
    store: FaultyStore<MemoryStore>,
    ledger: MemoryStore,
    time: AtomicU64,
    jobs: usize,
    written: usize,
    accesses: Vec<Access>,
    /// What each member got out of the consents, by generation.
    held: [BTreeMap<u64, Access>; 3],
    backup: Option<(Vec<u8>, BTreeMap<usize, u64>)>,
    model: Model,
}

fn policy(mask: u8) -> String {
    let roles = ROLES.iter().enumerate().filter(|(at, _)| mask & (1 << at) != 0).map(|(_, role)| *role);
    roles.collect::<Vec<_>>().join(" or ")
}

impl System {
    fn new() -> Self {
        let world = World::new();
        let key = |person: &Person| person.identity.accept(&person.issued, &world.trust, NOW).unwrap();
        let keys = vec![key(&world.ada), key(&world.nurse), key(&world.lab)];
        let consent = world.phone.consent(world.devices(), "a".parse().unwrap());
        let (stored, access) = consent.read(&world.trust, world.hospital.id(), &policy(1)).unwrap().seal(NOW).unwrap();
        let mut system = Self {
            world,
            keys,
            store: FaultyStore::new(MemoryStore::new()),
            ledger: MemoryStore::new(),
            time: AtomicU64::new(NOW.as_secs()),
            jobs: 0,
            written: 0,
            accesses: Vec::new(),
            held: Default::default(),
            backup: None,
            model: Model { roles: 1, ..Model::default() },
        };
        system.publish(&stored, access);
        system
    }

    fn person(&self, member: usize) -> &Person {
        [&self.world.ada, &self.world.nurse, &self.world.lab][member]
    }

    fn repository(&self) -> Repository<'_> {
        guard::guarded(&self.store, guard::ledger(&self.ledger))
    }

    fn publish(&mut self, stored: &StoredConsent, access: Access) {
        let live = self.world.live(stored);
        assert_eq!(block_on(self.repository().publish(&live, stored)).unwrap(), Put::Done);
        self.model.published(access.generation().0);
        for member in 0..3 {
            let opened = live
                .open(&self.keys[member], &mut PinStore::default())
                .or_else(|_| live.open_as(&self.person(member).identity, &mut PinStore::default()));
            assert_eq!(opened.is_ok(), self.model.may(member), "member {member}");
            if let Ok(opened) = opened {
                self.held[member].insert(opened.generation().0, opened);
            }
        }
        self.accesses.push(access);
    }

    fn verb(
        &mut self,
        verb: impl for<'a> FnOnce(Sharing<'a>, &AuthorityId) -> Result<Change<'a>, Error>,
    ) -> Result<(), Error> {
        let world = &self.world;
        let sharing = world.phone.sharing(world.devices(), &world.trust, self.accesses.last().unwrap());
        let (stored, access, receipt) = verb(sharing, world.hospital.id())?.seal(NOW)?;
        assert_eq!(receipt.needs_rewrap(), access.generation().0 > self.model.generation);
        self.publish(&stored, access);
        Ok(())
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Grant(member) => {
                let identity = self.person(*member).identity.public();
                let possible = !self.model.named.contains(member) && !self.model.excluded.contains(member);
                let before = self.model.named.clone();
                if possible {
                    self.model.named.insert(*member);
                }
                let done = self.verb(|sharing, _| sharing.grant(Named::from(&identity)));
                assert_eq!(done.is_ok(), possible);
                assert!(possible || (matches!(done, Err(Error::ApiMisuse(_))) && before == self.model.named));
            }
            Step::GrantPolicy(mask) => {
                self.model.roles |= *mask;
                self.verb(|sharing, id| sharing.grant_policy(id, &policy(*mask))).unwrap();
            }
            Step::Restrict(mask) => {
                self.model.roles = *mask;
                self.verb(|sharing, id| sharing.restrict(id, &policy(*mask))).unwrap();
            }
            Step::Revoke(member) => {
                let person = self.person(*member).identity.id().clone();
                self.model.named.remove(member);
                self.model.excluded.insert(*member);
                self.verb(|sharing, _| sharing.revoke(person)).unwrap();
            }
            Step::Readmit(member) => {
                let person = self.person(*member).identity.id().clone();
                let possible = self.model.excluded.remove(member);
                let done = self.verb(|sharing, _| sharing.readmit(&person));
                assert_eq!(done.err(), (!possible).then_some(Error::Unknown(Unknown::Exclusion(person))));
            }
            Step::Rotate => self.verb(|sharing, _| sharing.rotate()).unwrap(),
            Step::Reseal => self.verb(|sharing, _| sharing.reseal()).unwrap(),
            Step::Write => {
                let access = self.accesses.last().unwrap();
                let author = Author::device(&self.world.phone, self.world.devices()).unwrap();
                let id = format!("r{}", self.written);
                let sealed = record(&id).part(access).unwrap().field("/a", id.clone()).unwrap();
                let sealed = sealed.seal(&author, NOW).unwrap();
                assert_eq!(block_on(self.repository().put(&sealed)).unwrap(), Put::Done);
                self.model.records.insert(self.written, self.model.generation);
                self.written += 1;
            }
            Step::Move(call) => {
                self.store.fail_at(*call, Fault::CrashTorn(1));
                self.rotate(false);
                self.store.heal();
                self.take_stock();
                self.check();
                self.time.fetch_add(61, Ordering::SeqCst);
                self.rotate(true);
                self.take_stock();
                assert!(self.model.records.values().all(|generation| *generation == self.model.generation));
            }
            Step::Backup => {
                let mut stream = Vec::new();
                assert!(block_on(backup::write(&self.store, &mut stream)).unwrap().damaged.is_empty());
                self.backup = Some((stream, self.model.records.clone()));
            }
            Step::Restore => self.restore(),
        }
    }

    /// Moves everything to the newest key and retires the others.
    fn rotate(&mut self, to_the_end: bool) {
        if !to_the_end {
            self.jobs += 1;
        }
        let name = format!("job-{}", self.jobs);
        let new = self.accesses.last().unwrap();
        let old: Vec<&Access> = self.accesses.iter().filter(|old| old.generation() < new.generation()).collect();
        let clock = || Time::from_secs(self.time.load(Ordering::SeqCst)).unwrap();
        let rotation = Rotation::new(&self.store, &old, new, &clock).unwrap();
        let run = block_on(rotation.run(&name, |_| ()));
        if to_the_end {
            assert!(run.unwrap().finished);
            let retired = block_on(rotation.retire(&guard::ledger(&self.ledger))).unwrap();
            assert!(matches!(retired, Retirement::Done { .. }));
        }
    }

    fn restore(&mut self) {
        let Some((stream, records)) = self.backup.clone() else { return };
        self.store = FaultyStore::new(MemoryStore::new());
        block_on(backup::restore(&self.store, &mut stream.as_slice())).unwrap();
        self.model.records = records;
        // Before the first answer.
        for (owner, compartment) in block_on(self.repository().behind()).unwrap() {
            block_on(self.repository().catch_up(&owner, &compartment)).unwrap();
        }
        self.rotate(false);
        self.rotate(true);
        assert!(block_on(self.repository().behind()).unwrap().is_empty());
        self.take_stock();
        assert!(self.model.records.values().all(|generation| *generation == self.model.generation));
    }

    /// Under which of the keys each record lies now; where a rotation died, only the store knows.
    fn take_stock(&mut self) {
        let access = self.accesses.last().unwrap();
        for (number, generation) in &mut self.model.records {
            let now = read(&self.store, access, &format!("r{number}")).generation(access.compartment()).unwrap().0;
            assert!(now == *generation || now == self.model.generation);
            *generation = now;
        }
    }

    fn check(&self) {
        let access = self.accesses.last().unwrap();
        for (number, generation) in &self.model.records {
            let id = format!("r{number}");
            let record = read(&self.store, access, &id);
            for member in 0..3 {
                let held: Vec<&Access> = self.held[member].values().collect();
                let opened = self.world.reader().open(&record, &held);
                assert_eq!(opened.is_ok(), self.model.reached[member].contains(generation), "{member} {id}");
                assert!(opened.is_err() || opened.unwrap().get("/a") == Ok(Some(id.as_bytes())));
            }
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..3_usize).prop_map(Step::Grant),
        2 => (1..8_u8).prop_map(Step::GrantPolicy),
        2 => (1..8_u8).prop_map(Step::Restrict),
        2 => (0..3_usize).prop_map(Step::Revoke),
        2 => (0..3_usize).prop_map(Step::Readmit),
        1 => Just(Step::Rotate),
        1 => Just(Step::Reseal),
        4 => Just(Step::Write),
        3 => (1..20_u64).prop_map(Step::Move),
        2 => Just(Step::Backup),
        2 => Just(Step::Restore),
    ]
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn each_member_opens_exactly_what_the_model_says(steps in vec(step(), 1..16)) {
        let mut system = System::new();
        for step in &steps {
            system.step(step);
            system.check();
        }
    }
}
