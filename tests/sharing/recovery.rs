//! Lost devices, lost root keys, guardians and majority: an owner comes back, and nobody else does.

use std::time::Duration;

use crate::support::world::{NOW, World, after, record};
use chartseal::consent::{Access, DeviceList, Devices, Removal, StoredConsent, Veto};
use chartseal::id::{DeviceId, Generation, Time};
use chartseal::owner::recovery::{GuardianShare, Guardianship, RecoveryKey, RecoveryPublic};
use chartseal::owner::{Device, Owner, Recovery};
use chartseal::pin::PinStore;
use chartseal::record::{Author, Reader};
use chartseal::{Error, Unknown};

const WEEK: u64 = 604_800;
const DELAY: Duration = Duration::from_secs(WEEK);

struct Family {
    owner: Owner,
    phone: Device,
    tablet: Device,
    plan: Guardianship,
    shares: Vec<GuardianShare>,
    stored: StoredConsent,
}

fn device(id: &str) -> Device {
    Device::generate(id.parse().unwrap()).unwrap()
}

fn guardians(names: &[&str]) -> (RecoveryKey, Guardianship, Vec<GuardianShare>) {
    let key = RecoveryKey::generate().unwrap();
    let (plan, shares) = key.share(2, names.iter().map(|name| name.parse().unwrap()).collect()).unwrap();
    (key, plan, shares)
}

fn named<'a>(key: &RecoveryKey, plan: &'a Guardianship) -> Recovery<'a> {
    Recovery { key: key.public(), delay: DELAY, plan: Some(plan) }
}

impl Family {
    /// Two devices, three guardians of whom two are needed, and a consent.
    fn new() -> Self {
        let (mut owner, phone) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
        let tablet = device("tablet");
        owner.add_device(&tablet.public(), NOW).unwrap();
        let (key, plan, shares) = guardians(&["sister", "friend", "notary"]);
        owner.arrange_recovery(&[named(&key, &plan)], NOW).unwrap();
        let (stored, _) = phone.consent(owner.devices(), "a".parse().unwrap()).seal(NOW).unwrap();
        Self { owner, phone, tablet, plan, shares, stored }
    }

    fn key(&self) -> RecoveryKey {
        self.plan.combine(&self.shares[1..]).unwrap()
    }

    fn phone_is_gone(&self) -> [(DeviceId, Removal); 1] {
        [("phone".parse().unwrap(), Removal::Retired)]
    }

    /// Somebody who has read this owner before.
    fn known(&self) -> PinStore {
        let mut pins = PinStore::default();
        self.accept(self.owner.list(), &mut pins, NOW).unwrap();
        pins
    }

    fn accept(&self, list: &DeviceList, pins: &mut PinStore, now: Time) -> Result<Devices, Error> {
        list.accept(self.owner.id(), pins, now)
    }

    fn open(&self, stored: &StoredConsent, devices: &Devices, key: &RecoveryKey) -> Result<Access, Error> {
        let live = stored.verify(devices, &"a".parse().unwrap(), &PinStore::default(), NOW)?;
        live.open_as_recovery(key, &mut PinStore::default())
    }
}

#[test]
fn guardians_bring_back_the_history_and_the_owner_after_the_delay() {
    let family = Family::new();
    let author = Author::device(&family.phone, family.owner.devices()).unwrap();
    let world = World::new();
    let live = family.stored.verify(family.owner.devices(), &"a".parse().unwrap(), &PinStore::default(), NOW);
    let access = live.unwrap().open_as_device(&family.phone, &mut PinStore::default()).unwrap();
    let written = record("r").part(&access).unwrap().field("/a", "history").unwrap().seal(&author, NOW).unwrap();

    let (mut reader, key, new) = (family.known(), family.key(), device("new-phone"));
    let back = key.succeed(family.owner.devices(), &family.phone_is_gone(), &new.public(), after(1)).unwrap();
    assert_eq!(back.id(), family.owner.id());
    for early in [after(1), after(WEEK + 1)] {
        let refused = family.accept(back.list(), &mut reader, early);
        assert_eq!(refused.err(), Some(Error::Expired("change of root key")));
    }
    // Until then the last list counts.
    assert!(family.accept(family.owner.list(), &mut reader, after(WEEK)).is_ok());
    let devices = family.accept(back.list(), &mut reader, after(WEEK + 2)).unwrap();
    let ids: Vec<_> = devices.iter().map(|device| device.id.as_str()).collect();
    assert_eq!(ids, ["tablet", "new-phone"]);
    assert_eq!(
        family.accept(family.owner.list(), &mut reader, after(WEEK + 2)).err(),
        Some(Error::Rollback("change of root key"))
    );

    // The consent of the lost phone counts no more; what it gave is opened under the last list, and signed again.
    let opened = family.open(&family.stored, family.owner.devices(), &key).unwrap();
    let section = "a".parse().unwrap();
    let refused = family.stored.verify(&devices, &section, &PinStore::default(), after(WEEK + 2));
    assert_eq!(refused.err(), Some(Error::Forged("consent")));
    let consent = new.consent(&devices, section.clone()).after(&opened).unwrap().reseal().unwrap();
    let (again, _) = consent.seal(after(WEEK + 2)).unwrap();
    let live = again.verify(&devices, &section, &reader, after(WEEK + 2)).unwrap();
    let access = live.open_as_root(&back, &mut PinStore::default()).unwrap();
    let view = Reader::new(&world.trust, after(WEEK + 2)).devices(devices).open(&written, &[&access]).unwrap();
    assert_eq!(view.get("/a"), Ok(Some(&b"history"[..])));
    // An owner who was brought back survives her bytes.
    let decoded = Owner::decode(back.to_secret_bytes().unwrap().expose()).unwrap();
    assert_eq!(decoded.list(), back.list());
}

#[test]
fn any_device_of_the_last_list_stops_a_change_and_no_other_does() {
    let family = Family::new();
    let (key, thiefs) = (family.key(), device("thiefs"));
    let stolen = key.succeed(family.owner.devices(), &family.phone_is_gone(), &thiefs.public(), NOW).unwrap();
    let mut reader = family.known();
    assert!(family.accept(stolen.list(), &mut reader, NOW).is_err());
    for other in [&thiefs, &device("tablet")] {
        let veto = other.veto(family.owner.devices(), stolen.list()).unwrap();
        assert_eq!(veto.accept(family.owner.devices(), stolen.list(), &mut reader, NOW), Err(Error::Forged("veto")));
    }
    let veto = family.tablet.veto(family.owner.devices(), stolen.list()).unwrap();
    // A veto against another change, or of another owner, is none against this.
    let other = key.succeed(family.owner.devices(), &[], &thiefs.public(), after(1)).unwrap();
    let elsewhere = Family::new();
    assert!(veto.accept(family.owner.devices(), other.list(), &mut reader, NOW).is_err());
    assert!(veto.accept(elsewhere.owner.devices(), stolen.list(), &mut reader, NOW).is_err());
    let veto = Veto::from_cbor(&veto.to_cbor().unwrap()).unwrap();
    veto.accept(family.owner.devices(), stolen.list(), &mut reader, NOW).unwrap();
    let refused = family.accept(stolen.list(), &mut reader, after(10 * WEEK));
    assert_eq!(refused.err(), Some(Error::Revoked("this change of root key")));
    assert!(family.accept(family.owner.list(), &mut reader, after(10 * WEEK)).is_ok());
    // One who accepted it already is not turned back.
    let mut late = family.known();
    assert!(family.accept(stolen.list(), &mut late, NOW).is_err());
    assert!(family.accept(stolen.list(), &mut late, after(WEEK + 1)).is_ok());
    veto.accept(family.owner.devices(), stolen.list(), &mut late, NOW).unwrap();
    assert!(family.accept(stolen.list(), &mut late, after(WEEK + 2)).is_ok());
}

/// The thief writes what he likes for the time of the announcement.
#[test]
fn a_backdated_change_waits_where_the_owner_is_known_and_nowhere_else() {
    let family = Family::new();
    let thiefs = device("thiefs");
    let stolen = family.key().succeed(family.owner.devices(), &[], &thiefs.public(), Time::at(1_000)).unwrap();
    let mut known = family.known();
    assert_eq!(family.accept(stolen.list(), &mut known, NOW).err(), Some(Error::Expired("change of root key")));
    assert!(family.accept(stolen.list(), &mut known, after(WEEK)).is_err());
    // Not protected: who has no memory has only the thief's word.
    assert!(family.accept(stolen.list(), &mut PinStore::default(), NOW).is_ok());
    // Behind a planned change that nobody here has seen, it waits, too.
    let before = family.known();
    let arranged = RecoveryKey::generate().unwrap();
    let Family { owner, .. } = family;
    let mut second = owner.change_root(NOW).unwrap();
    let id = second.id().clone();
    second.arrange_recovery(&[Recovery { key: arranged.public(), delay: DELAY, plan: None }], NOW).unwrap();
    let stolen = arranged.succeed(second.devices(), &[], &thiefs.public(), Time::at(1_000)).unwrap();
    let mut reader = before;
    assert_eq!(stolen.list().accept(&id, &mut reader, NOW).err(), Some(Error::Expired("change of root key")));
}

#[test]
fn the_share_of_a_guardian_who_was_let_go_is_worth_nothing() {
    let mut family = Family::new();
    let (old_key, old_devices) = (family.key(), family.owner.devices().clone());
    let (fresh, plan, mut shares) = guardians(&["sister", "friend"]);
    // The notary's share beside one of the new plan, under either plan, and relabelled as the friend's.
    let notarys = family.shares[2].to_secret_bytes().unwrap();
    let sisters = shares.remove(0);
    let new_plan = plan.to_cbor().unwrap();
    let mut relabelled = notarys.expose()[..4 + 1 + 32].to_vec();
    relabelled[4] = 2;
    relabelled.extend(&new_plan);
    assert_eq!(GuardianShare::decode(&relabelled).err(), Some(Error::Untrusted("guardian's share")));
    let mixed = [sisters, GuardianShare::decode(notarys.expose()).unwrap()];
    assert_eq!(plan.combine(&mixed).err(), Some(Error::Untrusted("guardian's share")));
    assert_eq!(family.plan.combine(&mixed).err(), Some(Error::Untrusted("guardian's share")));
    family.owner.arrange_recovery(&[named(&fresh, &plan)], NOW).unwrap();
    let thiefs = device("thiefs");
    let refused = old_key.succeed(family.owner.devices(), &[], &thiefs.public(), NOW);
    assert!(matches!(refused, Err(Error::ApiMisuse(_))));

    // On top of the list that named the old key: refused by whoever has seen the new one, however long he waits.
    let stolen = old_key.succeed(&old_devices, &[], &thiefs.public(), Time::at(1_000)).unwrap();
    let mut reader = family.known();
    for now in [NOW, after(10 * WEEK)] {
        assert_eq!(family.accept(stolen.list(), &mut reader, now).err(), Some(Error::Fork("change of root key")));
    }
    // Not protected: who has never seen the new list.
    assert!(family.accept(stolen.list(), &mut PinStore::default(), NOW).is_ok());
    // What is sealed under the new list does not open with the old key.
    let (sealed, _) = family.tablet.consent(family.owner.devices(), "a".parse().unwrap()).seal(NOW).unwrap();
    assert_eq!(family.open(&sealed, family.owner.devices(), &old_key).err(), Some(Error::CannotOpen));
    assert!(family.open(&sealed, family.owner.devices(), &fresh).is_ok());
    // Not protected, either: what was sealed while the old plan stood.
    assert!(family.open(&family.stored, &old_devices, &old_key).is_ok());
}

#[test]
fn a_planned_change_keeps_id_devices_and_recovery() {
    let family = Family::new();
    let (mut pins, phone, key) = (family.known(), &family.phone, family.key());
    let last = family.owner.devices().clone();
    let id = family.owner.id().clone();
    let old = Owner::decode(family.owner.to_secret_bytes().unwrap().expose()).unwrap();
    let new = family.owner.change_root(NOW).unwrap();
    let devices = new.list().accept(&id, &mut pins, NOW).unwrap();
    assert_eq!(devices.iter().collect::<Vec<_>>(), last.iter().collect::<Vec<_>>());
    let (stored, _) = phone.consent(&devices, "a".parse().unwrap()).seal(NOW).unwrap();
    let live = stored.verify(&devices, &"a".parse().unwrap(), &pins, NOW).unwrap();
    assert!(
        live.open_as_root(&new, &mut PinStore::default()).is_ok()
            && live.open_as_recovery(&key, &mut PinStore::default()).is_ok()
    );
    assert_eq!(live.open_as_root(&old, &mut PinStore::default()).err(), Some(Error::CannotOpen));
    // The old root key signs on: nobody who has seen the change follows.
    let mut old = old;
    old.remove_device(&"tablet".parse().unwrap(), Removal::Retired, NOW).unwrap();
    old.add_device(&device("thiefs").public(), NOW).unwrap();
    assert_eq!(old.list().accept(&id, &mut pins, NOW).err(), Some(Error::Rollback("change of root key")));
    let other = old.change_root(NOW).unwrap();
    assert_eq!(other.list().accept(&id, &mut pins, after(WEEK)).err(), Some(Error::Fork("change of root key")));
    // A second change follows the first.
    let third = new.change_root(NOW).unwrap();
    assert!(third.list().accept(&id, &mut pins, NOW).is_ok());
    assert_eq!(third.list().unverified().succession.len(), 2);
    assert!(third.list().accept(&id, &mut PinStore::default(), NOW).is_ok());
}

#[test]
fn a_chain_that_was_cut_mixed_or_signed_by_others_leads_nowhere() {
    let family = Family::new();
    let (id, stranger) = (family.owner.id().clone(), Family::new());
    let new = device("new");
    let back = family.key().succeed(family.owner.devices(), &[], &new.public(), Time::at(1_000)).unwrap();
    let accept = |json: &str| {
        let list = DeviceList::from_json(json)?;
        list.accept(&id, &mut PinStore::default(), NOW)
    };
    let json: serde_json::Value = serde_json::from_str(&back.list().to_json().unwrap()).unwrap();
    assert!(accept(&json.to_string()).is_ok());
    let mut changed = Vec::new();
    // Without the change; without who may have made it; with a stranger's; twice.
    let mut cut = json.clone();
    cut["statement"].as_object_mut().unwrap().remove("succession");
    changed.push(cut);
    let mut planned = json.clone();
    planned["statement"]["succession"][0].as_object_mut().unwrap().remove("by");
    changed.push(planned);
    let theirs = stranger.key().succeed(stranger.owner.devices(), &[], &new.public(), Time::at(1_000)).unwrap();
    let theirs: serde_json::Value = serde_json::from_str(&theirs.list().to_json().unwrap()).unwrap();
    for part in ["change", "by"] {
        let mut mixed = json.clone();
        mixed["statement"]["succession"][0][part] = theirs["statement"]["succession"][0][part].clone();
        changed.push(mixed);
    }
    let mut twice = json.clone();
    let link = json["statement"]["succession"][0].clone();
    twice["statement"]["succession"].as_array_mut().unwrap().push(link);
    changed.push(twice);
    for list in changed {
        assert!(accept(&list.to_string()).is_err());
    }
}

#[test]
fn one_of_several_devices_is_lost_and_the_others_go_on() {
    let mut family = Family::new();
    let (_, access) = family.phone.consent(family.owner.devices(), "a".parse().unwrap()).seal(NOW).unwrap();
    family.owner.remove_device(&"phone".parse().unwrap(), Removal::Retired, NOW).unwrap();
    let devices = family.owner.devices();
    let section = "a".parse().unwrap();
    assert!(family.stored.verify(devices, &section, &PinStore::default(), NOW).is_err());
    let (again, again_access) =
        family.tablet.consent(devices, section.clone()).after(&access).unwrap().seal(NOW).unwrap();
    assert_eq!(again_access.generation(), Generation(2));
    let live = again.verify(devices, &section, &PinStore::default(), NOW).unwrap();
    assert!(live.open_as_device(&family.tablet, &mut PinStore::default()).is_ok());
    assert_eq!(live.open_as_device(&family.phone, &mut PinStore::default()).err(), Some(Error::CannotOpen));
}

/// A parent's device signs until the child is of age: by the end of what it signs, and not by the parent's clock.
#[test]
fn what_a_guardians_device_signs_ends_with_majority() {
    let (mut child, own) = Owner::generate_with_device("own".parse().unwrap(), NOW).unwrap();
    let parent = device("parents");
    let before = child.to_secret_bytes().unwrap();
    child.add_device_until(&parent.public(), after(WEEK), NOW).unwrap();
    let (devices, section) = (child.devices(), "a".parse().unwrap());
    let (stored, access) = parent.consent(devices, section).seal(NOW).unwrap();
    assert_eq!(access.not_after(), Some(after(WEEK)));
    let mut pins = PinStore::default();
    let live = stored.verify(devices, access.compartment(), &pins, after(WEEK)).unwrap();
    assert!(live.fresh(&parent.head(&live, after(WEEK)).unwrap(), &mut pins, after(WEEK), DELAY).is_ok());
    let late = live.fresh(&parent.head(&live, NOW).unwrap(), &mut pins, after(WEEK + 1), DELAY);
    assert_eq!(late.err(), Some(Error::Expired("device")));
    let ended = stored.verify(devices, access.compartment(), &pins, after(WEEK + 1));
    assert_eq!(ended.err(), Some(Error::Expired("device")));
    // Its own software would put no end to it: under a list that sets no time.
    let mut careless = Owner::decode(before.expose()).unwrap();
    careless.add_device(&parent.public(), NOW).unwrap();
    let (endless, _) = parent.consent(careless.devices(), access.compartment().clone()).seal(NOW).unwrap();
    let refused = endless.verify(devices, access.compartment(), &PinStore::default(), NOW);
    assert_eq!(refused.err(), Some(Error::NotAllowed));
    assert!(own.consent(devices, "b".parse().unwrap()).seal(after(WEEK + 1)).is_ok());
}

/// To tidy up gives nobody time that he did not have.
#[test]
fn a_device_that_is_removed_after_its_end_wrote_nothing_in_between() {
    let (mut child, own) = Owner::generate_with_device("own".parse().unwrap(), NOW).unwrap();
    let parent = device("parents");
    child.add_device_until(&parent.public(), after(WEEK), NOW).unwrap();
    let (_, access) = own.consent(child.devices(), "a".parse().unwrap()).seal(NOW).unwrap();
    let world = World::new();
    let written = |at: u64| {
        let author = Author::device(&parent, child.devices()).unwrap().danger_unchecked();
        record("r").part(&access).unwrap().field("/a", "1").unwrap().seal(&author, after(at)).unwrap()
    };
    let [before, last, late] = [0, WEEK, WEEK + 1].map(written);
    let opens = |devices: &Devices| {
        let trust = world.trust.clone();
        let reader = Reader::new(&trust, after(3 * WEEK)).devices(devices.clone());
        [&before, &last, &late].map(|record| reader.open(record, &[&access]).is_ok())
    };
    assert_eq!(opens(child.devices()), [true, true, false]);
    let mut tidy = Owner::decode(child.to_secret_bytes().unwrap().expose()).unwrap();
    tidy.remove_device(parent.id(), Removal::Retired, after(2 * WEEK)).unwrap();
    assert_eq!(opens(tidy.devices()), [true, true, false]);
}

/// Two attestations, of the death, bring the history to the executor: shares of a second recovery key. The patient lives,
/// and says so.
#[test]
fn an_executor_needs_two_attestations_and_a_patient_who_is_silent() {
    let mut family = Family::new();
    let (guardians_key, plan) = (family.key(), family.plan.clone());
    let (executors, attested, attestations) = guardians(&["registrar", "physician"]);
    let slow = Recovery { delay: 4 * DELAY, ..named(&executors, &attested) };
    family.owner.arrange_recovery(&[named(&guardians_key, &plan), slow], NOW).unwrap();
    let known = family.known();
    for alone in &attestations {
        let alone = GuardianShare::decode(alone.to_secret_bytes().unwrap().expose()).unwrap();
        assert!(matches!(attested.combine(&[alone]), Err(Error::ApiMisuse(_))));
    }
    let key = attested.combine(&attestations).unwrap();
    let (sealed, _) = family.phone.consent(family.owner.devices(), "a".parse().unwrap()).seal(NOW).unwrap();
    assert!(family.open(&sealed, family.owner.devices(), &key).is_ok());
    let lost = family.phone_is_gone();
    let executor = key.succeed(family.owner.devices(), &lost, &device("executors").public(), NOW).unwrap();
    let mut reader = PinStore::from_cbor(&known.to_cbor().unwrap()).unwrap();
    assert!(family.accept(executor.list(), &mut reader, NOW).is_err());
    assert!(family.accept(executor.list(), &mut reader, after(4 * WEEK)).is_err());
    let mut alive = PinStore::from_cbor(&reader.to_cbor().unwrap()).unwrap();
    assert!(family.accept(executor.list(), &mut reader, after(4 * WEEK + 1)).is_ok());
    let veto = family.phone.veto(family.owner.devices(), executor.list()).unwrap();
    veto.accept(family.owner.devices(), executor.list(), &mut alive, NOW).unwrap();
    assert!(family.accept(executor.list(), &mut alive, after(4 * WEEK + 1)).is_err());
}

#[test]
fn a_printed_code_brings_the_owner_back() {
    let (mut owner, phone) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
    let key = RecoveryKey::generate().unwrap();
    owner.arrange_recovery(&[Recovery { key: key.public(), delay: DELAY, plan: None }], NOW).unwrap();
    let paper = key.code();
    drop(key);
    let (stored, _) = phone.consent(owner.devices(), "a".parse().unwrap()).seal(NOW).unwrap();
    let typed = RecoveryKey::from_code(paper.expose()).unwrap();
    let live = stored.verify(owner.devices(), &"a".parse().unwrap(), &PinStore::default(), NOW).unwrap();
    assert!(live.open_as_recovery(&typed, &mut PinStore::default()).is_ok());
    assert!(live.open_as_recovery(&RecoveryKey::generate().unwrap(), &mut PinStore::default()).is_err());
    let back = typed
        .succeed(owner.devices(), &[("phone".parse().unwrap(), Removal::Retired)], &device("new").public(), NOW)
        .unwrap();
    assert!(back.list().accept(owner.id(), &mut PinStore::default(), after(WEEK + 1)).is_ok());
    // A device that was never there, and the last device's id taken again.
    let unknown =
        typed.succeed(owner.devices(), &[("none".parse().unwrap(), Removal::Retired)], &device("new").public(), NOW);
    let none = Unknown::Device { owner: owner.id().clone(), device: "none".parse().unwrap() };
    assert_eq!(unknown.err(), Some(Error::Unknown(none)));
    assert!(typed.succeed(owner.devices(), &[], &device("phone").public(), NOW).is_err());
}

#[test]
fn no_byte_of_a_list_with_a_change_can_be_altered() {
    let family = Family::new();
    let mut back = family.key().succeed(family.owner.devices(), &[], &device("new").public(), Time::at(1_000)).unwrap();
    back.arrange_recovery(&[Recovery { key: family.key().public(), delay: DELAY, plan: None }], NOW).unwrap();
    let bytes = back.list().to_cbor().unwrap();
    let accept = |bytes: &[u8]| {
        let list = DeviceList::from_cbor(bytes)?;
        list.accept(family.owner.id(), &mut PinStore::default(), after(WEEK + 1))
    };
    assert!(accept(&bytes).is_ok());
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        assert!(accept(&altered).is_err(), "{at}");
    }
}

/// The thief of a recovery key changes the root key twice, so that the change that stands last in the list is a plain one.
#[test]
fn a_veto_is_heard_whatever_follows_the_change() {
    let family = Family::new();
    let thiefs = device("thiefs");
    let stolen = family.key().succeed(family.owner.devices(), &[], &thiefs.public(), NOW).unwrap();
    let stolen = stolen.change_root(NOW).unwrap();
    let mut reader = family.known();
    assert!(family.accept(stolen.list(), &mut reader, NOW).is_err());
    let mut unheard = PinStore::from_cbor(&reader.to_cbor().unwrap()).unwrap();
    assert!(family.accept(stolen.list(), &mut unheard, after(10 * WEEK)).is_ok());
    let veto = family.tablet.veto(family.owner.devices(), stolen.list()).unwrap();
    veto.accept(family.owner.devices(), stolen.list(), &mut reader, NOW).unwrap();
    let refused = family.accept(stolen.list(), &mut reader, after(10 * WEEK));
    assert_eq!(refused.err(), Some(Error::Revoked("this change of root key")));
    // What the root key itself signed is not for devices to refuse.
    let Family { owner, tablet, .. } = family;
    let last = owner.devices().clone();
    let new = owner.change_root(NOW).unwrap();
    let veto = tablet.veto(&last, new.list()).unwrap();
    assert_eq!(veto.accept(&last, new.list(), &mut reader, NOW), Err(Error::Forged("veto")));
    assert!(matches!(tablet.veto(&last, &last_list(&last)), Err(Error::ApiMisuse(_))));

    fn last_list(last: &chartseal::consent::Devices) -> DeviceList {
        let (owner, _) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
        assert_ne!(owner.id(), last.owner());
        owner.list().clone()
    }
}

#[test]
fn a_recovery_key_that_nothing_can_be_sealed_to_and_a_device_of_a_taken_id_are_refused() {
    let mut family = Family::new();
    let key = family.key();
    let bad = RecoveryPublic { sealing: [0; 32].into(), ..key.public() };
    let arranged = family.owner.arrange_recovery(&[Recovery { key: bad, delay: DELAY, plan: None }], NOW);
    assert!(matches!(arranged, Err(Error::Malformed(_))));
    let again = device("phone");
    let taken = key.succeed(family.owner.devices(), &family.phone_is_gone(), &again.public(), NOW);
    assert!(matches!(taken, Err(Error::ApiMisuse(_))));
}

/// What holds, and what does not: nothing tells a stolen device of the last list from an honest one.
#[test]
fn a_stolen_phone_of_the_last_list_can_veto_for_ever_and_the_root_key_ends_that() {
    let mut family = Family::new();
    let (key, last) = (family.key(), family.owner.devices().clone());
    let mut reader = family.known();
    for week in 0..5 {
        // Each change drops the phone; it stands in the list that the change is made from, and that is what counts.
        let back = key.succeed(&last, &family.phone_is_gone(), &device("new").public(), after(week * WEEK)).unwrap();
        let veto = family.phone.veto(&last, back.list()).unwrap();
        veto.accept(&last, back.list(), &mut reader, after(week * WEEK)).unwrap();
        let refused = family.accept(back.list(), &mut reader, after((week + 30) * WEEK));
        assert_eq!(refused.err(), Some(Error::Revoked("this change of root key")));
    }
    // With the root key at hand the phone is removed at once, without a delay, and vetoes nothing that follows.
    family.owner.remove_device(&"phone".parse().unwrap(), Removal::Retired, NOW).unwrap();
    family.accept(family.owner.list(), &mut reader, NOW).unwrap();
    let then = family.owner.devices().clone();
    let back = key.succeed(&then, &[], &device("newer").public(), NOW).unwrap();
    let veto = family.phone.veto(&then, back.list()).unwrap();
    assert_eq!(veto.accept(&then, back.list(), &mut reader, NOW), Err(Error::Forged("veto")));
    assert_eq!(veto.accept(&last, back.list(), &mut reader, NOW), Err(Error::Forged("veto")));
    assert_eq!(family.accept(back.list(), &mut reader, NOW).err(), Some(Error::Expired("change of root key")));
    assert!(family.accept(back.list(), &mut reader, after(WEEK + 1)).is_ok());
}

/// What holds, and what does not: each reader keeps to the change that it accepted first, and readers do not know of each
/// other.
#[test]
fn of_two_recovery_keys_that_race_each_reader_keeps_to_the_first_and_readers_may_differ() {
    let (mut owner, _) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
    let tablet = device("tablet");
    owner.add_device(&tablet.public(), NOW).unwrap();
    let (code, guardians) = (RecoveryKey::generate().unwrap(), RecoveryKey::generate().unwrap());
    let named = |key: &RecoveryKey| Recovery { key: key.public(), delay: DELAY, plan: None };
    owner.arrange_recovery(&[named(&code), named(&guardians)], NOW).unwrap();
    let back = |key: &RecoveryKey| {
        key.succeed(owner.devices(), &[("phone".parse().unwrap(), Removal::Retired)], &device("new").public(), NOW)
            .unwrap()
    };
    // A thief has found the printed code. The guardians announce at the same time.
    let (thief, honest) = (back(&code), back(&guardians));
    let reader = || {
        let mut pins = PinStore::default();
        owner.list().accept(owner.id(), &mut pins, NOW).unwrap();
        for list in [thief.list(), honest.list()] {
            assert_eq!(list.accept(owner.id(), &mut pins, NOW).err(), Some(Error::Expired("change of root key")));
        }
        pins
    };
    let late = after(WEEK + 1);
    for (first, second) in [(&thief, &honest), (&honest, &thief)] {
        let mut pins = reader();
        assert!(first.list().accept(owner.id(), &mut pins, late).is_ok());
        let fork = second.list().accept(owner.id(), &mut pins, after(10 * WEEK));
        assert_eq!(fork.err(), Some(Error::Fork("change of root key")), "it keeps to the first");
    }
    // A device that is left decides it, where its veto arrives before the delay is over.
    let mut told = reader();
    let veto = tablet.veto(owner.devices(), thief.list()).unwrap();
    veto.accept(owner.devices(), thief.list(), &mut told, NOW).unwrap();
    assert_eq!(thief.list().accept(owner.id(), &mut told, late).err(), Some(Error::Revoked("this change of root key")));
    assert!(honest.list().accept(owner.id(), &mut told, late).is_ok());
}

/// What a retired device wrote counts up to its end, which is not before the list that it last stood in.
#[test]
fn a_recovery_by_a_clock_that_is_behind_takes_nothing_from_a_device_that_was_listed_since() {
    let mut family = Family::new();
    family.owner.add_device(&device("watch").public(), after(100)).unwrap();
    let last = family.owner.devices();
    let back = family.key().succeed(last, &family.phone_is_gone(), &device("new").public(), NOW).unwrap();
    assert_eq!(back.devices().removed()[0].since, after(100));
    let back = family.key().succeed(last, &family.phone_is_gone(), &device("new").public(), after(200)).unwrap();
    assert_eq!(back.devices().removed()[0].since, after(200));
}
