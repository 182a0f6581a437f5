//! Who signs a consent chooses nothing in its slots but whom they are for, and that stands in the terms.

use std::collections::BTreeSet;

use pollster::block_on;

use super::*;
use crate::consent::slot::{Slot, SlotContent};
use crate::identity::{Sealed, SealingKey, SealingPublic, Signature};
use crate::kem;
use crate::owner::recovery::RecoveryKey;
use crate::owner::{MIN_DELAY, Recovery};
use crate::policy::AccessTree;
use crate::seal::{Cek, Salt, seal_terms_with};
use crate::secret::Secret;
use crate::store::BoxFuture;

/// A consent that a custodian made honestly, taken apart.
struct Parts {
    statement: ConsentStatement,
    cek: Cek,
    terms: Terms,
    sealed: Vec<u8>,
    slots: Vec<Vec<u8>>,
}

impl Parts {
    fn of((stored, access): &(StoredConsent, Access)) -> Self {
        let cek = Cek::from_secret(Secret::new(*access.cek.expose()));
        let (terms, sealed) = (access.terms.clone(), stored.terms().to_vec());
        let slots = stored.slots().map(<[u8]>::to_vec).collect();
        Self { statement: access.statement.clone(), cek, terms, sealed, slots }
    }

    fn context(&self) -> Context {
        Context::of(&self.statement).unwrap()
    }

    /// What the slots are made with by who keeps to the rule.
    fn make<T>(&self, make: impl FnOnce(&SlotMaker<'_>) -> T) -> T {
        make(&SlotMaker::again(&self.context(), &self.statement, &self.cek))
    }

    /// The holders of the sealed slots, and the place of the first of them.
    fn holders(&self) -> (usize, Vec<SealingPublic>) {
        let holders = self.make(|maker| maker.ordered(self.terms.holders()).unwrap());
        (self.slots.len() - holders.len(), holders)
    }

    fn place(&self, holder: &SealingPublic) -> usize {
        let (first, holders) = self.holders();
        first + holders.iter().position(|other| other == holder).unwrap()
    }

    fn sealed_to(&self, index: usize, holder: &SealingPublic) -> Vec<u8> {
        self.make(|maker| maker.sealed(index, holder).unwrap().to_bytes().unwrap())
    }

    /// All slots anew, by the rule, for the terms and the statement as they are by now.
    fn again(&mut self, world: &World) {
        self.statement.terms = terms_hash(&self.sealed);
        let public = world.trust.parameters(&world.hospital).unwrap();
        self.slots = self.make(|maker| {
            let mut slots = Vec::new();
            for reading in &self.terms.read {
                let policy = reading.sealed_policy(&self.terms.exclusions).unwrap().unwrap();
                let tree = public.expand(&policy).unwrap();
                slots.push(maker.policy(slots.len(), public, &tree).unwrap());
            }
            for holder in maker.ordered(self.terms.holders()).unwrap() {
                slots.push(maker.sealed(slots.len(), &holder).unwrap());
            }
            slots.iter().map(|slot| slot.to_bytes().unwrap()).collect()
        });
    }

    fn signed(mut self, world: &World, key: &crate::identity::SigningKey) -> LiveConsent {
        self.statement.terms = terms_hash(&self.sealed);
        self.statement.slots = self.slots.iter().map(|slot| slot_hash(slot)).collect();
        let mandate = self.statement.mandate.map(|_| world.mandate.clone());
        let consent = Signed::sign(self.statement, key).unwrap();
        let stored = StoredConsent::from_parts(consent, self.sealed, self.slots).unwrap().under(mandate).unwrap();
        world.verify(&stored, later(1)).unwrap()
    }
}

impl World {
    fn honest(&self) -> Parts {
        Parts::of(&self.builder(&self.access).seal(later(1)).unwrap())
    }

    /// What all those say of it who ought to open it; every way leads through the same check.
    fn everybody(&self, live: &LiveConsent) -> [Option<Error>; 5] {
        let keeper = KeyService(&self.keeper, self.keeper.public());
        let ways = [
            live.open(&self.ada, &mut PinStore::default()),
            live.open_as_device(&self.phone, &mut PinStore::default()),
            live.open_as_root(&self.owner, &mut PinStore::default()),
            live.open_as(&self.keeper, &mut PinStore::default()),
            block_on(live.open_with(&keeper, &mut PinStore::default())),
        ];
        ways.map(Result::err)
    }

    fn refused(&self, parts: Parts, error: &Error) {
        let live = parts.signed(self, self.keeper.signing());
        assert_eq!(self.everybody(&live), all(Some(error)));
    }
}

/// A key service that opens and signs.
struct KeyService<'a>(&'a Identity, crate::identity::PublicIdentity);

impl Custodian for KeyService<'_> {
    fn public(&self) -> &crate::identity::PublicIdentity {
        &self.1
    }

    fn open<'a>(&'a self, info: &'a [u8], sealed: &'a Sealed) -> BoxFuture<'a, crate::Result<Secret<Vec<u8>>>> {
        Box::pin(std::future::ready(self.0.sealing().open(info, &[], sealed)))
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, crate::Result<Signature>> {
        Box::pin(std::future::ready(Ok(self.0.signing().sign(&[], message))))
    }
}

fn all(error: Option<&Error>) -> [Option<Error>; 5] {
    [error; 5].map(|error| error.cloned())
}

const FORGED: Error = Error::Forged("consent");

#[test]
fn what_a_custodian_makes_by_the_rule_opens_for_everybody() {
    let world = World::new();
    let live = world.honest().signed(&world, world.keeper.signing());
    assert_eq!(world.everybody(&live), all(None));
    let mut again = world.honest();
    let slots = again.slots.clone();
    again.again(&world);
    assert_eq!(again.slots, slots, "there is one way to make them");
}

#[test]
fn a_custodian_hides_no_slot_for_somebody_whom_the_terms_do_not_name() {
    let world = World::new();
    let eve = Identity::generate("eve".parse().unwrap()).unwrap();
    let to = eve.public().sealing;
    let count = world.honest().slots.len();
    for place in 0..=count {
        let mut parts = world.honest();
        parts.slots.insert(place, parts.sealed_to(place, &to));
        let slot = Slot::from_bytes(&parts.slots[place]).unwrap();
        // The attack itself works: Eve has the key.
        let opened = slot.open_sealed(&parts.context(), place, eve.sealing()).unwrap();
        assert_eq!(opened.expose(), parts.cek.expose());
        if place == count {
            let live = parts.signed(&world, world.keeper.signing());
            assert_eq!(live.open_as(&eve, &mut PinStore::default()).err(), Some(FORGED));
            assert_eq!(world.everybody(&live), all(Some(&FORGED)));
        } else {
            // Those after it stand elsewhere now: whoever opens one of them would see it, and the others do not open.
            let live = parts.signed(&world, world.keeper.signing());
            assert!(world.everybody(&live).iter().all(Option::is_some));
        }
    }
    // In the place of somebody else.
    for place in 1..count {
        let mut parts = world.honest();
        parts.slots[place] = parts.sealed_to(place, &to);
        let live = parts.signed(&world, world.keeper.signing());
        assert_eq!(live.open(&world.ada, &mut PinStore::default()).err(), Some(FORGED));
        assert_eq!(live.open_as(&eve, &mut PinStore::default()).err(), Some(FORGED));
    }
}

#[test]
fn a_custodian_leaves_no_key_of_the_owners_out() {
    let world = World::new();
    let statement = world.owner.list().unverified();
    let own = [statement.root_sealing, statement.devices[0].device.sealing];
    let fill = SealingKey::generate().unwrap().public();
    for left_out in own {
        // Her slot is gone, and the others are where they would be without her; or another stands there.
        let mut parts = world.honest();
        parts.slots.remove(parts.place(&left_out));
        assert_eq!(
            parts.signed(&world, world.keeper.signing()).open(&world.ada, &mut PinStore::default()).err(),
            Some(FORGED)
        );
        let mut parts = world.honest();
        let place = parts.place(&left_out);
        parts.slots[place] = parts.sealed_to(place, &fill);
        let live = parts.signed(&world, world.keeper.signing());
        assert_eq!(
            (
                live.open(&world.ada, &mut PinStore::default()).err(),
                live.open_as(&world.keeper, &mut PinStore::default()).err()
            ),
            (Some(FORGED), Some(FORGED))
        );

        // The terms say so, too, and all slots are by the rule.
        let honest = world.builder(&world.access).seal(later(1)).unwrap();
        let stored = world.forge(&honest, |terms| terms.owner_keys.retain(|key| *key != left_out), |_| ());
        assert_eq!(
            world.verify(&stored, later(1)).unwrap().open(&world.ada, &mut PinStore::default()).err(),
            Some(Error::NotAllowed)
        );
    }
    // Nor does he add one.
    let honest = world.builder(&world.access).seal(later(1)).unwrap();
    let more = |terms: &mut Terms| {
        terms.owner_keys.push(fill);
        terms.owner_keys.sort_unstable();
    };
    let stored = world.forge(&honest, more, |_| ());
    assert_eq!(
        world.verify(&stored, later(1)).unwrap().open(&world.ada, &mut PinStore::default()).err(),
        Some(Error::NotAllowed)
    );
}

/// The consent is his own, from before there was a mandate: a thief's, who has the phone and signs as a device.
#[test]
fn a_device_leaves_no_key_of_the_owners_out() {
    let mut world = World::new();
    let root = world.owner.list().unverified().root_sealing;
    let without = |world: &World, key: SealingPublic, under: Version| {
        let mut parts = Parts::of(&(world.stored.clone(), duplicate(&world.access)));
        parts.statement.devices = under;
        parts.terms.owner_keys.retain(|other| *other != key);
        parts.sealed = seal_terms(&parts.cek, parts.context().of_terms(), &parts.terms.to_cbor().unwrap()).unwrap();
        parts.again(world);
        parts.signed(world, world.phone.signer().key).open(&world.ada, &mut PinStore::default()).map(drop)
    };
    let nobody = SealingKey::generate().unwrap().public();
    let present = world.owner.devices().version();
    let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
    assert_eq!(without(&world, nobody, present), Ok(()));
    assert_eq!(without(&world, root, present), Err(FORGED));
    world.owner.add_device(&tablet.public(), NOW).unwrap();
    // A consent from before the new device does not name it, and goes on to count.
    assert_eq!(without(&world, nobody, present), Ok(()));
    assert_eq!(without(&world, root, present), Err(FORGED), "nor by naming an earlier list");
    assert_eq!(without(&world, nobody, world.owner.devices().version()), Err(FORGED));
    let live = world.verify(&world.stored, NOW).unwrap();
    assert!(live.open_as_device(&world.phone, &mut PinStore::default()).is_ok());
    assert_eq!(live.open_as_device(&tablet, &mut PinStore::default()).err(), Some(Error::CannotOpen));
}

pub(super) fn duplicate(access: &Access) -> Access {
    let (statement, terms) = (access.statement.clone(), access.terms.clone());
    let cek = Cek::from_secret(Secret::new(*access.cek.expose()));
    let (read, write, past) = (access.read.clone(), access.write.clone(), access.past.clone());
    let parameters = access.parameters.clone();
    Access {
        statement,
        hash: access.hash,
        signatures: access.signatures,
        base: access.base,
        cek,
        terms,
        read,
        write,
        past,
        parameters,
        use_for: access.use_for,
    }
}

#[test]
fn nobody_whom_the_terms_name_is_left_without_a_slot() {
    let world = World::new();
    let parts = world.honest();
    let (_, holders) = parts.holders();
    assert_eq!(holders.len(), 3, "the root key, the phone, the keeper");
    for left_out in &holders {
        for instead in &holders {
            let mut parts = world.honest();
            let place = parts.place(left_out);
            if instead == left_out {
                parts.slots.remove(place);
            } else {
                parts.slots[place] = parts.sealed_to(place, instead);
            }
            assert_eq!(
                parts.signed(&world, world.keeper.signing()).open(&world.ada, &mut PinStore::default()).err(),
                Some(FORGED)
            );
        }
    }
}

#[test]
fn nobody_chooses_an_ephemeral_key_or_a_salt() {
    let world = World::new();
    let root = world.owner.list().unverified().root_sealing;
    let mut parts = world.honest();
    let place = parts.place(&root);
    let info = parts.context().info(place).unwrap();
    let honest = Slot::from_bytes(&parts.slots[place]).unwrap();

    // Eve has the ephemeral secret key: to her the slot is open.
    let chosen = root.seal_with(Secret::random().unwrap(), &info, &[], parts.cek.expose()).unwrap();
    let slot = Slot { content: SlotContent::Sealed(chosen), ..honest };
    assert!(slot.open_sealed(&parts.context(), place, &root_key(&world)).is_ok());
    parts.slots[place] = slot.to_bytes().unwrap();
    world.refused(parts, &FORGED);

    // 32 bytes for her, in a slot.
    let mut parts = world.honest();
    let place = parts.place(&root);
    let honest = Slot::from_bytes(&parts.slots[place]).unwrap();
    let slot = Slot { salt: Salt::generate().unwrap(), ..honest };
    assert!(slot.open_sealed(&parts.context(), place, &root_key(&world)).is_ok());
    parts.slots[place] = slot.to_bytes().unwrap();
    world.refused(parts, &FORGED);

    // In the terms: they open, for who does not ask.
    let mut parts = world.honest();
    let text = parts.terms.to_cbor().unwrap();
    let salt = Salt::generate().unwrap();
    parts.sealed = seal_terms_with(&parts.cek, parts.context().of_terms(), &text, &salt).unwrap();
    parts.again(&world);
    world.refused(parts, &FORGED);

    // In the salt of a new key: everything else follows from it.
    let mut parts = world.honest();
    parts.statement.salt = Salt::generate().unwrap();
    parts.statement.commitment = parts.cek.commit(&parts.statement.salt).unwrap();
    let seed = crate::seal::write_seed(&parts.cek, &parts.statement.salt).unwrap();
    parts.statement.write_key = SealingKey::derive(&seed).public();
    parts.sealed = seal_terms(&parts.cek, parts.context().of_terms(), &parts.terms.to_cbor().unwrap()).unwrap();
    parts.again(&world);
    world.refused(parts, &FORGED);
}

fn root_key(world: &World) -> SealingKey {
    let bytes = world.owner.to_secret_bytes().unwrap();
    SealingKey::from_bytes(bytes.expose()[36..68].try_into().unwrap()).unwrap()
}

/// Which of the ways to order them is a message, too.
#[test]
fn nobody_chooses_the_order_of_the_slots() {
    let world = World::new();
    for (one, two) in [(0, 1), (0, 2), (1, 2)] {
        let mut parts = world.honest();
        let (first, mut order) = parts.holders();
        order.swap(one, two);
        for (place, holder) in order.iter().enumerate() {
            parts.slots[first + place] = parts.sealed_to(first + place, holder);
        }
        world.refused(parts, &FORGED);
    }
    // A sealed slot before that of the policy.
    let mut parts = world.honest();
    let public = world.trust.parameters(&world.hospital).unwrap();
    let tree = public.expand(&parts.terms.read[0].sealed_policy(&parts.terms.exclusions).unwrap().unwrap()).unwrap();
    let holder = parts.holders().1[0];
    parts.slots[1] = parts.make(|maker| maker.policy(1, public, &tree).unwrap().to_bytes().unwrap());
    parts.slots[0] = parts.sealed_to(0, &holder);
    world.refused(parts, &FORGED);
}

impl World {
    /// The custodian's consent with a policy slot that shows what it should, and is something else.
    fn with_policy_slot(&self, make: impl FnOnce(&Parts, &AccessTree) -> Slot) -> LiveConsent {
        let mut parts = self.honest();
        let public = self.trust.parameters(&self.hospital).unwrap();
        let tree =
            public.expand(&parts.terms.read[0].sealed_policy(&parts.terms.exclusions).unwrap().unwrap()).unwrap();
        parts.slots[0] = make(&parts, &tree).to_bytes().unwrap();
        parts.signed(self, self.keeper.signing())
    }
}

#[test]
fn a_capsule_for_another_policy_than_the_one_beside_it_is_found_on_demand_and_in_previews() {
    let world = World::new();
    let public = world.trust.parameters(&world.hospital).unwrap();
    let unproven = |access: &Access| {
        let builder = world.phone.consent(world.owner.devices(), compartment()).after(access).unwrap();
        builder.same_terms(&world.trust).unwrap().preview(&[], later(1)).unwrap().unproven
    };
    let honest =
        world.honest().signed(&world, world.keeper.signing()).open(&world.ada, &mut PinStore::default()).unwrap();
    assert_eq!(honest.check_policy_slots(&world.trust), Ok(()));
    assert_eq!(unproven(&honest), BTreeSet::new());

    // For nurses, with what doctors ought to have.
    let nurses = public.expand(&"role:nurse".parse().unwrap()).unwrap();
    let live = world.with_policy_slot(|parts, tree| {
        let Slot { salt, content } = parts.make(|maker| maker.policy(0, public, &nurses).unwrap());
        let SlotContent::Policy(slot) = content else { panic!() };
        Slot { salt, content: SlotContent::Policy(slot::PolicySlot { tree: tree.as_bytes().to_vec(), ..slot }) }
    });
    assert_eq!(live.open(&world.ada, &mut PinStore::default()).err(), Some(Error::CannotOpen));
    let opened = live.open_as_device(&world.phone, &mut PinStore::default()).unwrap();
    assert_eq!(opened.check_policy_slots(&world.trust), Err(FORGED));
    assert_eq!(unproven(&opened), BTreeSet::from([world.hospital.clone()]));
}

#[test]
fn a_capsule_or_a_salt_that_was_chosen_is_found_on_demand() {
    let world = World::new();
    let public = world.trust.parameters(&world.hospital).unwrap();
    // For the right policy, with a message that somebody has; then a salt beside it.
    let live = world.with_policy_slot(|parts, tree| {
        let context = parts.context().of_slot(0).unwrap();
        let (capsule, shared) = kem::encapsulate(public, tree, &context).unwrap();
        let slot = parts.make(|maker| maker.policy(0, public, tree).unwrap());
        let SlotContent::Policy(policy) = slot.content else { panic!() };
        let key = crate::seal::wrap_cek(&shared, &context, &parts.cek).unwrap();
        let capsule = capsule.as_bytes().to_vec();
        Slot { content: SlotContent::Policy(slot::PolicySlot { capsule, key, ..policy }), salt: slot.salt }
    });
    assert_eq!(live.open(&world.ada, &mut PinStore::default()).unwrap().check_policy_slots(&world.trust), Err(FORGED));
    let live = world.with_policy_slot(|parts, tree| {
        let slot = parts.make(|maker| maker.policy(0, public, tree).unwrap());
        Slot { salt: Salt::generate().unwrap(), ..slot }
    });
    assert_eq!(live.open(&world.ada, &mut PinStore::default()).unwrap().check_policy_slots(&world.trust), Err(FORGED));

    // Of parameters that nobody has, nothing can be said.
    let live = world.with_policy_slot(|parts, tree| {
        let slot = parts.make(|maker| maker.policy(0, public, tree).unwrap());
        let SlotContent::Policy(policy) = slot.content else { panic!() };
        Slot { content: SlotContent::Policy(slot::PolicySlot { parameters: Version(9), ..policy }), salt: slot.salt }
    });
    let opened = live.open_as_device(&world.phone, &mut PinStore::default()).unwrap();
    assert_eq!(
        opened.check_policy_slots(&world.trust),
        Err(Error::Unknown(Unknown::PublicParameters(world.hospital.clone())))
    );
}

/// A custodian renews twice from the same version: one key, one salt, one number, and slots in the same places.
#[test]
fn two_renewals_of_one_version_share_no_ephemeral_key_and_no_salt() {
    let world = World::new();
    let opened =
        || world.verify(&world.stored, later(1)).unwrap().open_as(&world.keeper, &mut PinStore::default()).unwrap();
    let base = opened();
    let renewed = |excluded: &[&str]| {
        let builder = world.builder(&base).reseal().unwrap();
        let builder = excluded.iter().fold(builder, |builder, name| builder.exclude(name.parse().unwrap()));
        Parts::of(&builder.seal(later(1)).unwrap())
    };
    let (one, two) = (renewed(&[]), renewed(&["dr-bob"]));
    assert_eq!(one.cek.expose(), two.cek.expose());
    assert_eq!(one.context().of_terms(), two.context().of_terms(), "nothing but the terms differs");
    let bytes = |parts: &Parts| {
        let mut drawn = BTreeSet::new();
        for slot in &parts.slots {
            let slot = Slot::from_bytes(slot).unwrap();
            drawn.insert(slot.salt.as_bytes().to_vec());
            let first = match slot.content {
                SlotContent::Sealed(sealed) => serde_json::to_value(&sealed).unwrap()["encapped"].to_string().into(),
                SlotContent::Policy(policy) => {
                    drawn.insert(policy.key.as_bytes()[..32].to_vec());
                    // ct1: the generator to the first of the coins.
                    policy.capsule[36..132].to_vec()
                }
            };
            drawn.insert(first);
        }
        drawn.insert(parts.sealed[..32].to_vec());
        drawn
    };
    let (one_drew, two_drew) = (bytes(&one), bytes(&two));
    assert_eq!((one_drew.len(), two_drew.len()), (4 + 3 + 2 + 1, 10));
    assert!(one_drew.is_disjoint(&two_drew));
    // Under one key and IV, the difference of two ciphertexts would be that of the texts.
    let [one_text, two_text] = [&one, &two].map(|parts| parts.terms.to_cbor().unwrap());
    let xor = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| a ^ b).collect::<Vec<u8>>();
    let ciphertexts = xor(&one.sealed[32..], &two.sealed[32..]);
    let texts = xor(&one_text, &two_text);
    assert!(texts[..16].iter().all(|byte| *byte == 0), "both begin alike");
    assert_ne!(ciphertexts[..16], texts[..16]);
    // And whoever seals the same again draws nothing new.
    assert_eq!(renewed(&[]).slots, one.slots);
}

/// A thief's who has the phone, and an earlier list at hand: whoever reads has a later one.
#[test]
fn a_consent_under_an_earlier_list_leaves_no_present_key_out_that_stood_in_it() {
    let mut world = World::new();
    let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
    world.owner.add_device(&tablet.public(), NOW).unwrap();
    let paper = RecoveryKey::generate().unwrap().public();
    let arranged = |owner: &mut Owner| {
        let recovery = Recovery { key: paper, delay: MIN_DELAY, plan: None };
        owner.arrange_recovery(&[recovery], NOW).unwrap();
    };
    arranged(&mut world.owner);
    let then = world.owner.devices().clone();
    let change = world.phone.sharing(&then, &world.trust, &world.access).reseal().unwrap();
    let (stored, access, _) = change.seal(later(1)).unwrap();
    let without = |world: &World, key: SealingPublic| {
        let mut parts = Parts::of(&(stored.clone(), duplicate(&access)));
        parts.terms.owner_keys.retain(|other| *other != key);
        parts.sealed = seal_terms(&parts.cek, parts.context().of_terms(), &parts.terms.to_cbor().unwrap()).unwrap();
        parts.again(world);
        parts.signed(world, world.phone.signer().key).open(&world.ada, &mut PinStore::default()).map(drop)
    };
    let keys = |world: &World| {
        [tablet.public().sealing, world.phone.public().sealing, paper.sealing, then.statement().root_sealing]
    };
    let watch = Device::generate("watch".parse().unwrap()).unwrap();
    for step in ["the same list", "one with a new device", "one that names the same recovery key again"] {
        assert_eq!(without(&world, SealingKey::generate().unwrap().public()), Ok(()), "{step}");
        for key in keys(&world) {
            assert_eq!(without(&world, key), Err(FORGED), "{step}");
        }
        match step {
            "the same list" => _ = world.owner.add_device(&watch.public(), NOW).unwrap(),
            _ => arranged(&mut world.owner),
        }
    }
    // Nothing is known of a key that was removed since, nor does anybody miss it.
    world.owner.remove_device(tablet.id(), Removal::Retired, NOW).unwrap();
    assert_eq!(without(&world, tablet.public().sealing), Ok(()));
    assert_eq!(without(&world, paper.sealing), Err(FORGED));
}
