//! Exclusions for several causes at once, as a state machine: the owner's verbs and a custodian's nights, against sets of
//! people, one for each cause. Keys judge who is out.

use std::collections::BTreeSet;

use chartseal::consent::{Access, Cause, Decline, Mandate, StoredConsent};
use chartseal::id::{CompartmentId, Time};
use chartseal::identity::Identity;
use chartseal::kem::UserKey;
use chartseal::owner::{Change, Sharing};
use chartseal::pin::PinStore;
use chartseal::policy::PersonNumber;
use chartseal::{Error, Unknown};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::policies::cases;
use crate::support::world::{NOW, Person, World, YEAR, after};

#[derive(Debug, Clone)]
enum Step {
    /// More roles, as a mask; but for a person.
    Grant(u8, Option<But>),
    Restrict(u8, Option<But>),
    RevokeAuthority,
    Revoke(usize),
    Readmit(usize),
    Decline(usize),
    ReadmitNumber(usize, Cause),
    Rotate,
    Reseal,
    /// A custodian seals it again, and may shut somebody out.
    Night(Option<usize>),
}

/// `and not user:…`, by name or by number.
#[derive(Debug, Clone)]
enum But {
    Name(usize),
    Number(usize),
}

const ROLES: [&str; 3] = ["role:doctor", "role:nurse", "role:laboratory"];

#[derive(Debug, Default)]
struct Model {
    /// Whether there is a policy.
    said: bool,
    /// Whom the policy admits, by its words.
    admitted: BTreeSet<usize>,
    /// Whom the policy excluded as a whole, also before it became wider.
    by_policy: BTreeSet<usize>,
    revoked: BTreeSet<usize>,
    declined: BTreeSet<usize>,
}

impl Model {
    fn say(&mut self, mask: u8, but: &Option<But>) {
        let left_out = if let Some(But::Number(member)) = but { Some(*member) } else { None };
        self.admitted.extend((0..3).filter(|member| mask & (1 << member) != 0 && left_out != Some(*member)));
        if !self.said {
            self.by_policy = left_out.into_iter().collect();
        }
        if let Some(But::Name(member)) = but {
            self.revoked.insert(*member);
        }
        self.said = true;
    }

    fn unsay(&mut self) {
        self.said = false;
        self.admitted.clear();
        self.by_policy.clear();
    }

    fn admits(&self, member: usize) -> bool {
        let out = [&self.by_policy, &self.revoked, &self.declined];
        self.admitted.contains(&member) && !out.iter().any(|out| out.contains(&member))
    }
}

struct System {
    world: World,
    keys: Vec<UserKey>,
    keeper: Identity,
    access: Access,
    /// For the consent that the owner signed last, if a custodian went on from it.
    mandate: Option<Mandate>,
    clock: u64,
    model: Model,
}

fn section() -> CompartmentId {
    "a".parse().unwrap()
}

impl System {
    fn new() -> Self {
        let world = World::new();
        let key = |person: &Person| person.identity.accept(&person.issued, &world.trust, NOW).unwrap();
        let keys = vec![key(&world.ada), key(&world.nurse), key(&world.lab)];
        let keeper = Identity::generate("keeper".parse().unwrap()).unwrap();
        let consent = world.phone.consent(world.devices(), section()).custodian(&keeper.public()).unwrap();
        let consent = consent.write(&world.trust, world.hospital.id(), "role:doctor or role:nurse").unwrap();
        let (_, access) = consent.seal(NOW).unwrap();
        Self { world, keys, keeper, access, mandate: None, clock: 0, model: Model::default() }
    }

    fn person(&self, member: usize) -> &Person {
        [&self.world.ada, &self.world.nurse, &self.world.lab][member]
    }

    fn number(&self, member: usize) -> PersonNumber {
        self.person(member).issued.credential.unverified().number
    }

    fn now(&self) -> Time {
        after(self.clock)
    }

    fn policy(&self, mask: u8, but: &Option<But>) -> String {
        let roles = ROLES.iter().enumerate().filter(|(at, _)| mask & (1 << at) != 0).map(|(_, role)| *role);
        let roles = roles.collect::<Vec<_>>().join(" or ");
        match but {
            None => roles,
            Some(But::Name(member)) => format!("({roles}) and not user:{}", self.person(*member).identity.id()),
            Some(But::Number(member)) => format!("({roles}) and not user:{}", self.number(*member)),
        }
    }

    fn verb(&mut self, verb: impl for<'a> FnOnce(Sharing<'a>) -> Result<Change<'a>, Error>) -> Result<(), Error> {
        let sharing = self.world.phone.sharing(self.world.devices(), &self.world.trust, &self.access);
        let (stored, access, receipt) = verb(sharing)?.seal(self.now())?;
        assert_eq!(receipt.unenforced, []);
        self.mandate = None;
        self.check(&stored, access);
        Ok(())
    }

    fn check(&mut self, stored: &StoredConsent, access: Access) {
        let live = stored.verify(self.world.devices(), &section(), &PinStore::default(), self.now()).unwrap();
        for member in 0..3 {
            assert_eq!(
                live.open(&self.keys[member], &mut PinStore::default()).is_ok(),
                self.model.admits(member),
                "member {member}"
            );
            let credential = self.world.trust.credential(&self.person(member).issued.credential, NOW).unwrap();
            let out = self.model.revoked.contains(&member) || self.model.declined.contains(&member);
            let writes = access.may_write(self.world.hospital.id(), credential.attributes());
            assert_eq!(writes, member < 2 && !out, "member {member}");
        }
        // Whoever has the terms and no map of people gets to the same.
        let opened = live.open_as_device(&self.world.phone, &mut PinStore::default()).unwrap();
        let terms = opened.terms();
        let policies = terms.read.iter().filter_map(|reading| {
            Some((reading.authority.clone(), reading.sealed_policy(&terms.exclusions).unwrap()?))
        });
        assert_eq!(policies.collect::<Vec<_>>(), opened.read_policies());
        let of = |cause| {
            let numbers = terms.exclusions.iter().filter(move |one| one.cause == cause);
            let numbers = numbers.map(|one| one.numbers[self.world.hospital.id()]);
            numbers.map(|number| (0..3).find(|member| self.number(*member) == number).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(BTreeSet::from_iter(of(Cause::Revoked)), self.model.revoked);
        assert_eq!(BTreeSet::from_iter(of(Cause::Declined)), self.model.declined);
        // None twice, and none without end.
        assert!([Cause::Revoked, Cause::Declined, Cause::Policy].iter().all(|cause| of(*cause).len() <= 3));
        self.access = access;
    }

    fn step(&mut self, step: &Step) {
        self.clock += 1;
        match step {
            Step::Grant(mask, but) => {
                let policy = self.policy(*mask, but);
                self.model.say(*mask, but);
                let id = self.world.hospital.id().clone();
                self.verb(|sharing| sharing.grant_policy(&id, &policy)).unwrap();
            }
            Step::Restrict(mask, but) => {
                let policy = self.policy(*mask, but);
                self.model.unsay();
                self.model.say(*mask, but);
                let id = self.world.hospital.id().clone();
                self.verb(|sharing| sharing.restrict(&id, &policy)).unwrap();
            }
            Step::RevokeAuthority => {
                self.model.unsay();
                let id = self.world.hospital.id().clone();
                self.verb(|sharing| sharing.revoke_authority(&id)).unwrap();
            }
            Step::Revoke(member) => {
                self.model.revoked.insert(*member);
                let person = self.person(*member).identity.id().clone();
                self.verb(|sharing| sharing.revoke(person)).unwrap();
            }
            Step::Readmit(member) => {
                let possible = self.model.revoked.remove(member);
                let person = self.person(*member).identity.id().clone();
                let done = self.verb(|sharing| sharing.readmit(&person));
                assert_eq!(done.err(), (!possible).then_some(Error::Unknown(Unknown::Exclusion(person))));
            }
            Step::Decline(member) => {
                self.model.declined.insert(*member);
                let person = self.person(*member);
                let credential = self.world.trust.credential(&person.issued.credential, NOW).unwrap();
                let from = (&person.identity, &credential);
                let decline = Decline::decline(from, self.world.alice.id(), &section(), self.now()).unwrap();
                let declined = decline.accept(&credential, self.now()).unwrap();
                self.verb(|sharing| sharing.decline(&declined)).unwrap();
            }
            Step::ReadmitNumber(member, cause) => {
                let possible = *cause == Cause::Declined && self.model.declined.remove(member);
                let (id, number) = (self.world.hospital.id().clone(), self.number(*member));
                let done = self.verb(|sharing| sharing.readmit_number(&id, number, *cause));
                let unknown = Unknown::NumberExclusion { authority: id, number };
                assert_eq!(done.err(), (!possible).then_some(Error::Unknown(unknown)));
            }
            Step::Rotate => self.verb(|sharing| sharing.rotate()).unwrap(),
            Step::Reseal => self.verb(|sharing| sharing.reseal()).unwrap(),
            Step::Night(member) => self.night(*member),
        }
    }

    fn night(&mut self, member: Option<usize>) {
        let devices = self.world.devices();
        let given = self.mandate.take();
        let mandate = given.unwrap_or_else(|| {
            let until = after(YEAR);
            self.world.phone.mandate((devices, &self.access), &self.keeper.public(), until, self.now()).unwrap()
        });
        let builder = mandate.consent(&self.keeper, devices).unwrap().after(&self.access).unwrap();
        let mut builder = builder.same_terms(&self.world.trust).unwrap();
        if let Some(member) = member {
            builder = builder.exclude(self.person(member).identity.id().clone());
            self.model.revoked.insert(member);
        }
        let (stored, access) = builder.seal(self.now()).unwrap();
        self.mandate = Some(mandate);
        self.check(&stored, access);
    }
}

fn but() -> impl Strategy<Value = Option<But>> {
    prop_oneof![3 => Just(None), 1 => (0..3_usize).prop_map(|one| Some(But::Name(one))),
        1 => (0..3_usize).prop_map(|one| Some(But::Number(one)))]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..8_u8, but()).prop_map(|(mask, but)| Step::Grant(mask, but)),
        2 => (1..8_u8, but()).prop_map(|(mask, but)| Step::Restrict(mask, but)),
        1 => Just(Step::RevokeAuthority),
        2 => (0..3_usize).prop_map(Step::Revoke),
        2 => (0..3_usize).prop_map(Step::Readmit),
        2 => (0..3_usize).prop_map(Step::Decline),
        2 => (0..3_usize).prop_map(|one| Step::ReadmitNumber(one, Cause::Declined)),
        1 => (0..3_usize).prop_map(|one| Step::ReadmitNumber(one, Cause::Stolen)),
        1 => Just(Step::Rotate),
        1 => Just(Step::Reseal),
        2 => prop::option::of(0..3_usize).prop_map(Step::Night),
    ]
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn who_is_excluded_for_one_cause_is_let_in_for_no_other(steps in vec(step(), 1..16)) {
        let mut system = System::new();
        for step in &steps {
            system.step(step);
        }
    }
}
