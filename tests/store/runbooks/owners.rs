//! A guardian leaves; a guardian until majority; an executor, after death; two devices at once.

use std::time::Duration;

use chartseal::Error;
use chartseal::backup;
use chartseal::consent::{Access, DeviceList, Devices, PublicDevice, Removal, StoredConsent};
use chartseal::id::{Hash, OwnerId, Time};
use chartseal::owner::recovery::{GuardianShare, Guardianship, RecoveryKey};
use chartseal::owner::{Device, Owner, Recovery};
use chartseal::pin::PinStore;
use chartseal::record::{Author, Reader};
use chartseal::repository::{Put, Repository};

use super::{DAY, Site, by_device, by_key, by_name, by_recovery, by_root, identity, section};
use crate::support::stored::sealed;
use crate::support::waiting::block_on;
use crate::support::world::{self, NOW, World, after};

const DELAY: Duration = Duration::from_secs(7 * DAY);

fn device(id: &str) -> Device {
    Device::generate(id.parse().unwrap()).unwrap()
}

fn shared(names: &[&str]) -> (RecoveryKey, Guardianship, Vec<GuardianShare>) {
    let key = RecoveryKey::generate().unwrap();
    let (plan, shares) = key.share(2, names.iter().map(|name| name.parse().unwrap()).collect()).unwrap();
    (key, plan, shares)
}

fn named<'a>(key: &RecoveryKey, delay: Duration, plan: &'a Guardianship) -> Recovery<'a> {
    Recovery { key: key.public(), delay, plan: Some(plan) }
}

/// Nurses read, doctors write.
fn first(world: &World, device: &Device, devices: &Devices) -> (StoredConsent, Access) {
    let consent = device.consent(devices, section()).read(&world.trust, world.hospital.id(), "role:nurse").unwrap();
    consent.write(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap()
}

#[test]
fn a_guardian_who_left_brings_nothing_back_of_what_was_moved() {
    let (world, site) = (World::new(), Site::new());
    let nurse = world.nurse.identity.accept(&world.nurse.issued, &world.trust, NOW).unwrap();
    let (mut owner, phone) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
    let (key, old_plan, old_shares) = shared(&["sister", "friend", "notary"]);
    owner.arrange_recovery(&[named(&key, DELAY, &old_plan)], NOW).unwrap();
    drop(key);
    let mut server = PinStore::default();
    let before = owner.list().accept(owner.id(), &mut server, NOW).unwrap();
    let (stored, access) = first(&world, &phone, &before);
    site.publish(&before, &stored, NOW);
    site.write(&world, &access, "r");
    let mut of_before = Vec::new();
    assert!(block_on(backup::write(&site.store, &mut of_before)).unwrap().damaged.is_empty());

    // 1 to 3.
    let (key, plan, shares) = shared(&["sister", "friend"]);
    owner.arrange_recovery(&[named(&key, DELAY, &plan)], after(1)).unwrap();
    let kept = owner.to_secret_bytes().unwrap();
    let devices = owner.list().accept(owner.id(), &mut server, after(1)).unwrap();
    let guardians = ["sister", "friend"].map(identity);
    let in_list = plan_in(owner.list());
    let shares: Vec<GuardianShare> = shares
        .iter()
        .zip(&guardians)
        .map(|(share, guardian)| {
            let share = GuardianShare::open(&share.seal(&guardian.public()).unwrap(), guardian).unwrap();
            assert_eq!(Some(share.plan().hash().unwrap()), in_list);
            share
        })
        .collect();
    drop(key);
    assert_eq!(Owner::decode(kept.expose()).unwrap().list(), owner.list());
    // 4 and 5.
    let opened = site.open(&devices, after(2), by_device(&phone)).unwrap();
    let change = phone.sharing(&devices, &world.trust, &opened.newest).rotate().unwrap();
    let (stored, rotated, _) = change.seal(after(2)).unwrap();
    site.publish(&devices, &stored, after(2));
    site.moves(&opened.accesses(), &rotated, "guardian", after(2));

    let knows = (&world.trust, &devices, after(3));
    let [old, new] = [old_plan.combine(&old_shares[1..]).unwrap(), plan.combine(&shares).unwrap()];
    assert_eq!(site.reads(knows, "r", by_key(&nurse)), Ok(()));
    assert_eq!(site.reads(knows, "r", by_recovery(&new)), Ok(()));
    assert_eq!(site.reads(knows, "r", by_recovery(&old)), Err(Error::CannotOpen));
    // What the notary's share opened of its time opens nothing that was moved.
    let section = section();
    let live = restored(&site, "elsewhere", &of_before, owner.id());
    let of_its_time = live[0].verify(&before, &section, &PinStore::default(), after(3)).unwrap();
    let kept = of_its_time.open_as_recovery(&old, &mut PinStore::default()).unwrap();
    assert_eq!(site.opens(knows, "r", &[&kept]), Err(Error::CannotOpen));
    assert!(matches!(old.succeed(&devices, &[], &device("thiefs").public(), after(3)), Err(Error::ApiMisuse(_))));
    let announced = old.succeed(&before, &[], &device("thiefs").public(), after(3)).unwrap();
    assert_eq!(
        announced.list().accept(owner.id(), &mut server, after(30 * DAY)).err(),
        Some(Error::Fork("change of root key"))
    );
    // A backup of before does not open with the new shares, and with one of now it is they that open it.
    assert!(of_its_time.open_as_recovery(&new, &mut PinStore::default()).is_err());
    let mut of_now = Vec::new();
    assert!(block_on(backup::write(&site.store, &mut of_now)).unwrap().damaged.is_empty());
    let live = restored(&site, "of-now", &of_now, owner.id());
    assert_eq!(live.len(), 1);
    let live = live[0].verify(&devices, &section, &PinStore::default(), after(3)).unwrap();
    assert!(live.open_as_recovery(&new, &mut PinStore::default()).is_ok());
    assert!(live.open_as_recovery(&old, &mut PinStore::default()).is_err());
}

/// The hash of the plan that a list names.
fn plan_in(list: &DeviceList) -> Option<Hash> {
    list.unverified().recovery[0].unverified().plan
}

/// The consents of a backup, which is restored elsewhere.
fn restored(site: &Site, name: &str, stream: &[u8], owner: &OwnerId) -> Vec<StoredConsent> {
    let elsewhere = site.another_store(name);
    block_on(backup::restore(&elsewhere, &mut &stream[..])).unwrap();
    block_on(Repository::new(&elsewhere).stored_consents(owner, &section(), None)).unwrap()
}

#[test]
fn a_child_of_age_goes_on_and_the_parents_read_no_more() {
    const BIRTHDAY: Time = NOW.plus(Duration::from_secs(100 * DAY));
    let (world, site) = (World::new(), Site::new());
    let nurse = world.nurse.identity.accept(&world.nurse.issued, &world.trust, NOW).unwrap();
    // 1. There is no device of the child's own yet: the first one of the list is a parent's, to the birthday.
    let [mothers, fathers] = ["mothers", "fathers"].map(device);
    let until = PublicDevice { until: Some(BIRTHDAY), ..mothers.public() };
    let mut child = Owner::generate(&until, NOW).unwrap();
    child.add_device_until(&fathers.public(), BIRTHDAY, NOW).unwrap();
    let mut server = PinStore::default();
    let young = child.list().accept(child.id(), &mut server, NOW).unwrap();
    let (stored, access) = first(&world, &mothers, &young);
    assert_eq!(access.not_after(), Some(BIRTHDAY));
    site.publish(&young, &stored, NOW);
    site.write(&world, &access, "r");
    let author = Author::device(&fathers, &young).unwrap();
    let fathers_own = world::record("by-father").part(&access).unwrap().field("/diagnosis", "a cold").unwrap();
    site.put(&fathers_own.seal(&author, after(DAY)).unwrap());

    // 2. A parents' device seals for the new device first.
    let (soon, own) = (after(90 * DAY), device("own"));
    child.add_device(&own.public(), soon).unwrap();
    let devices = child.list().accept(child.id(), &mut server, soon).unwrap();
    assert_eq!(site.open(&devices, soon, by_device(&own)).err(), Some(Error::CannotOpen));
    let opened = site.open(&devices, soon, by_device(&fathers)).unwrap();
    let (stored, ..) = fathers.sharing(&devices, &world.trust, &opened.newest).reseal().unwrap().seal(soon).unwrap();
    site.publish(&devices, &stored, soon);
    let opened = site.open(&devices, soon, by_device(&own)).unwrap();
    let (_, ends, _) = own.sharing(&devices, &world.trust, &opened.newest).reseal().unwrap().seal(soon).unwrap();
    assert_eq!(ends.not_after(), Some(BIRTHDAY));
    let consent = own.consent(&devices, section()).after(&opened.newest).unwrap().reseal().unwrap();
    let (stored, _) = consent.same_terms(&world.trust).unwrap().valid(None, None).seal(soon).unwrap();
    site.publish(&devices, &stored, soon);

    // 3.
    let now = BIRTHDAY.plus(Duration::from_secs(1));
    assert_eq!(site.reads((&world.trust, &devices, now), "r", by_key(&nurse)), Ok(()));
    let parents_root = Owner::decode(child.to_secret_bytes().unwrap().expose()).unwrap();
    let id = child.id().clone();
    let mut grown = child.change_root(now).unwrap();
    for parents in [&mothers, &fathers] {
        grown.remove_device(parents.id(), Removal::Retired, now).unwrap();
    }
    let key = RecoveryKey::generate().unwrap();
    grown.arrange_recovery(&[Recovery { key: key.public(), delay: DELAY, plan: None }], now).unwrap();
    let devices = grown.list().accept(&id, &mut server, now).unwrap();
    // 4.
    let opened = site.open(&devices, now, by_device(&own)).unwrap();
    let change = own.sharing(&devices, &world.trust, &opened.newest).rotate().unwrap();
    let (stored, rotated, _) = change.seal(now).unwrap();
    assert_eq!(rotated.not_after(), None);
    site.publish(&devices, &stored, now);
    site.moves(&opened.accesses(), &rotated, "majority", now);

    let knows = (&world.trust, &devices, after(300 * DAY));
    assert_eq!(site.reads(knows, "r", by_device(&own)), Ok(()));
    assert_eq!(site.reads(knows, "by-father", by_root(&grown)), Ok(()), "it stands");
    assert_eq!(site.reads(knows, "r", by_recovery(&key)), Ok(()));
    for parents in [&mothers, &fathers] {
        assert_eq!(site.reads(knows, "r", by_device(parents)), Err(Error::CannotOpen));
    }
    assert_eq!(site.reads(knows, "r", by_root(&parents_root)), Err(Error::CannotOpen));
    assert_eq!(site.opens(knows, "r", &[&access]), Err(Error::CannotOpen));
    // If they are not to be trusted with what they wrote.
    grown.remove_device(fathers.id(), Removal::Lost { since: now }, now).unwrap();
    let devices = grown.list().accept(&id, &mut server, now).unwrap();
    let knows = (&world.trust, &devices, now);
    assert!(site.reads(knows, "by-father", by_device(&own)).is_err());
    let reader = Reader::new(&world.trust, now).devices(devices.clone());
    assert!(!reader.review(&site.record(&id, "by-father"), &[&rotated]).unwrap().parts()[0].counts());
}

#[test]
fn an_executor_reads_after_two_attestations_and_the_delay_and_not_while_the_patient_lives() {
    let (world, site) = (World::new(), Site::new());
    let nurse = world.nurse.identity.accept(&world.nurse.issued, &world.trust, NOW).unwrap();
    let (mut owner, phone) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
    // 1.
    let (family, plan, _) = shared(&["sister", "friend"]);
    let (attested, attestation, shares) = shared(&["registrar", "physician"]);
    let arranged = [named(&family, DELAY, &plan), named(&attested, 4 * DELAY, &attestation)];
    owner.arrange_recovery(&arranged, NOW).unwrap();
    drop((family, attested));
    let mut server = PinStore::default();
    let last = owner.list().accept(owner.id(), &mut server, NOW).unwrap();
    let (stored, access) = first(&world, &phone, &last);
    site.publish(&last, &stored, NOW);
    site.write(&world, &access, "r");
    // 2.
    let key = attestation.combine(&shares).unwrap();
    let executors = device("executors");
    let gone = [("phone".parse().unwrap(), Removal::Retired)];
    let mut executor = key.succeed(&last, &gone, &executors.public(), after(DAY)).unwrap();
    assert!(executor.list().accept(owner.id(), &mut server, after(DAY)).is_err());
    // 3. She lives.
    let mut alive = server.clone();
    let veto = phone.veto(&last, executor.list()).unwrap();
    veto.accept(&last, executor.list(), &mut alive, after(2 * DAY)).unwrap();
    let late = after(40 * DAY);
    assert_eq!(
        executor.list().accept(owner.id(), &mut alive, late).err(),
        Some(Error::Revoked("this change of root key"))
    );
    // She does not.
    let next = RecoveryKey::generate().unwrap();
    executor.arrange_recovery(&[Recovery { key: next.public(), delay: DELAY, plan: None }], after(2 * DAY)).unwrap();
    assert!(executor.list().accept(owner.id(), &mut server, after(20 * DAY)).is_err());
    let devices = executor.list().accept(owner.id(), &mut server, late).unwrap();
    let opened = site.open(&last, late, by_recovery(&key)).unwrap();
    let change = executors.sharing(&devices, &world.trust, &opened.newest).rotate().unwrap();
    let (stored, rotated, _) = change.seal(late).unwrap();
    site.publish(&devices, &stored, late);
    site.moves(&opened.accesses(), &rotated, "executor", late);
    let knows = (&world.trust, &devices, late);
    assert_eq!(site.reads(knows, "r", by_device(&executors)), Ok(()));
    assert_eq!(site.reads(knows, "r", by_key(&nurse)), Ok(()));
    assert_eq!(site.reads(knows, "r", by_device(&phone)), Err(Error::CannotOpen));
    assert_eq!(site.reads(knows, "r", by_recovery(&key)), Err(Error::CannotOpen));
}

/// The tablet wrote under the key of its own version, into a store that nobody guarded at that moment.
#[test]
fn the_device_that_came_second_goes_on_from_the_published_version() {
    let (world, site) = (World::new(), Site::new());
    let nurse = world.nurse.identity.accept(&world.nurse.issued, &world.trust, NOW).unwrap();
    let (mut owner, phone) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
    let tablet = device("tablet");
    owner.add_device(&tablet.public(), NOW).unwrap();
    let devices = owner.devices();
    let (stored, access) = first(&world, &phone, devices);
    site.publish(devices, &stored, NOW);
    site.write(&world, &access, "r");
    let friend = identity("friend");
    let change = phone.sharing(devices, &world.trust, &access).grant(&friend.public()).unwrap();
    let (phones, ..) = change.seal(after(10)).unwrap();
    let revoke = |access: &Access, now| {
        let change = tablet.sharing(devices, &world.trust, access).revoke("nurse-ned".parse().unwrap()).unwrap();
        change.seal(now).unwrap()
    };
    let (tablets, unpublished, _) = revoke(&access, after(11));
    let mut tablets_pins = PinStore::default();
    let live = tablets.verify(devices, &section(), &tablets_pins, after(11)).unwrap();
    live.open_as_device(&tablet, &mut tablets_pins).unwrap();
    let strayed = sealed(&world, &unpublished, "strayed");
    assert_eq!(block_on(Repository::new(&site.store).put(&strayed)), Ok(Put::Done));
    site.publish(devices, &phones, after(12));
    assert_eq!(site.try_to_publish(&live, &tablets), Err(Error::Fork("consent")));

    // 1. Its own pins remember the other one.
    let now = after(20);
    let consents = site.consents(owner.id());
    let last = consents.last().unwrap();
    let refused =
        devices.open_consents(&section(), std::slice::from_ref(last), &mut tablets_pins, now, by_device(&tablet));
    assert_eq!(refused.err(), Some(Error::Fork("consent")));
    let opened =
        devices.open_consents(&section(), &consents, &mut PinStore::default(), now, by_device(&tablet)).unwrap();
    // 2 to 4.
    let change = tablet.sharing(devices, &world.trust, &opened.newest).revoke("nurse-ned".parse().unwrap()).unwrap();
    let (stored, next, _) = change.beyond(&unpublished).unwrap().seal(now).unwrap();
    site.publish(devices, &stored, now);
    let mut old = opened.accesses();
    old.extend([&access, &unpublished]);
    site.moves(&old, &next, "both", now);
    let knows = (&world.trust, devices, now);
    for id in ["r", "strayed"] {
        assert_eq!(site.reads(knows, id, by_name(&friend)), Ok(()));
        assert_eq!(site.reads(knows, id, by_device(&phone)), Ok(()));
        assert_eq!(site.reads(knows, id, by_key(&nurse)), Err(Error::CannotOpen));
    }
    let live = stored.verify(devices, &section(), &tablets_pins, now).unwrap();
    assert!(live.open_as_device(&tablet, &mut tablets_pins).is_ok(), "who has seen either takes it");
}

/// Without knowing of each other they come to two keys of one number.
#[test]
fn the_owner_goes_beyond_her_custodians_version_and_moves_the_records_from_both() {
    let (world, site, keeper) = (World::new(), Site::new(), identity("keeper"));
    let devices = world.devices();
    let doctor = world.ada.identity.accept(&world.ada.issued, &world.trust, NOW).unwrap();
    let consent = world.phone.consent(devices, section()).custodian(&keeper.public()).unwrap();
    let consent = consent.read(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let consent = consent.write(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let (stored, access) = consent.seal(NOW).unwrap();
    site.publish(devices, &stored, NOW);
    site.write(&world, &access, "r");
    let mandate = world.phone.mandate((devices, &access), &keeper.public(), after(30 * DAY), NOW).unwrap();
    let his = mandate.consent(&keeper, devices).unwrap().after(&access).unwrap().same_terms(&world.trust).unwrap();
    let (his, custodians) = his.seal(after(10)).unwrap();
    assert_eq!(site.try_to_publish(&custodians, &his), Ok(Put::Done));
    site.write(&world, &custodians, "his");
    let (hers, own, _) = world.phone.sharing(devices, &world.trust, &access).rotate().unwrap().seal(after(20)).unwrap();
    site.publish(devices, &hers, after(20));
    assert_eq!(own.generation(), custodians.generation());
    assert_eq!(block_on(site.repository().put(&sealed(&world, &custodians, "late"))), Ok(Put::Outdated));

    let now = after(30);
    let opened = site.open(devices, now, by_device(&world.phone)).unwrap();
    assert_eq!(opened.newest.hash(), own.hash());
    let other = opened.earlier.iter().find(|one| one.hash() == custodians.hash()).unwrap();
    let change = world.phone.sharing(devices, &world.trust, &opened.newest).rotate().unwrap().beyond(other).unwrap();
    let (stored, next, _) = change.seal(now).unwrap();
    site.publish(devices, &stored, now);
    site.moves(&opened.accesses(), &next, "both", now);
    for id in ["r", "his"] {
        assert_eq!(site.reads((&world.trust, devices, now), id, by_key(&doctor)), Ok(()));
        assert_eq!(site.opens((&world.trust, devices, now), id, &[&custodians, &access]), Err(Error::CannotOpen));
    }
}
