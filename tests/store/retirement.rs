//! Old keys retire when nothing needs them any more, and stay away when a backup of before comes back.

use crate::support::guard;
use crate::support::hospital::{Hospital, Interrupted, When, writes_wrap};
use crate::support::stored::{backed_up, contents, fill, now, read, sealed};
use crate::support::waiting::{block_on, calls};
use crate::support::world::{NOW, World, after};
use chartseal::Error;
use chartseal::backup::{self, BackupError};
use chartseal::consent::{Access, Freshness, HEAD_LIMIT, Head, StoredConsent};
use chartseal::id::Version;
use chartseal::identity::Identity;
use chartseal::ledger::KeyState;
use chartseal::pin::PinStore;
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Keys, KeysOnly, Retirement, Rotation, Scope, Sweep};
use chartseal::store::{Entry, Fault, FaultyStore, MemoryStore, Op, Store};

impl Hospital {
    /// Moves everything to the second key, and retires the first.
    fn moved(&self) -> Retirement {
        self.rotate(0, 1, "job")
    }

    fn state(&self, generation: u64) -> KeyState {
        let access = self.access(if generation == 1 { 0 } else { 1 });
        block_on(self.noted().state(access.owner(), access.compartment(), access.key_id())).unwrap()
    }

    fn consents(&self) -> Result<Vec<Version>, Error> {
        let (owner, compartment) = self.place();
        let consents = block_on(self.repository().consents(&owner, &compartment, None))?;
        Ok(consents.iter().map(|consent| consent.consent().unverified().version).collect())
    }
}

#[test]
fn a_key_goes_from_active_to_decrypt_only_to_destroyed() {
    let hospital = Hospital::new();
    // One that nobody published is for no writes.
    assert_eq!([hospital.state(1), hospital.state(2)], [KeyState::Active, KeyState::DecryptOnly]);
    hospital.publish(1);
    assert_eq!([hospital.state(1), hospital.state(2)], [KeyState::DecryptOnly, KeyState::Active]);
    assert_eq!(hospital.consents().unwrap(), [Version(1), Version(2)]);
    assert_eq!(hospital.moved(), Retirement::Done { consents: 1, lost: 0 });
    assert_eq!([hospital.state(1), hospital.state(2)], [KeyState::Destroyed, KeyState::Active]);
    assert_eq!(hospital.consents().unwrap(), [Version(2)]);
    for i in 0..3 {
        let record = read(&hospital.store, hospital.access(1), &format!("r{i:05}"));
        assert!(hospital.world.reader().open(&record, &[hospital.access(1)]).is_ok());
    }
    // Once more does no harm.
    assert_eq!(hospital.moved(), Retirement::Done { consents: 0, lost: 0 });
}

#[test]
fn a_consent_older_than_one_noted_or_another_of_its_version_is_not_noted() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let ledger = hospital.noted();
    let (first, _) = &hospital.chain[0];
    assert_eq!(block_on(ledger.advance(&hospital.world.live(first), first)).err(), Some(Error::Rollback("consent")));
    let builder = hospital.world.phone.consent(hospital.world.devices(), "a".parse().unwrap());
    let (twin, _) = builder.after(hospital.access(0)).unwrap().seal(NOW).unwrap();
    assert_eq!(block_on(ledger.advance(&hospital.world.live(&twin), &twin)).err(), Some(Error::Fork("consent")));
    let mixed = block_on(ledger.advance(&hospital.world.live(&twin), first));
    assert!(matches!(mixed, Err(Error::ApiMisuse(_))));
}

#[test]
fn new_writes_under_an_older_key_are_turned_away() {
    let hospital = Hospital::new();
    let before = read(&hospital.store, hospital.access(0), "r00000");
    hospital.publish(1);
    let (world, repository) = (&hospital.world, hospital.repository());
    let (old, new) = (hospital.access(0), hospital.access(1));
    assert_eq!(block_on(repository.put(&sealed(world, old, "late"))).unwrap(), Put::Outdated);
    assert_eq!(block_on(repository.put(&sealed(world, new, "late"))).unwrap(), Put::Done);
    let reader = world.reader();
    let amended = |place: &Access| {
        let amendment = reader.amend(&before, &[old]).unwrap().part(place).unwrap().field("/diagnosis", "x").unwrap();
        amendment.seal(&world.ada.author(), NOW).unwrap()
    };
    assert_eq!(block_on(repository.amend(&before, &amended(old))).unwrap(), Put::Outdated);
    assert_eq!(read(&hospital.store, old, "r00000"), before);
}

#[test]
fn a_quarantine_blocks_the_retirement_and_nothing_is_deleted() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let key = block_on(hospital.store.keys("wrap/", "", 1)).unwrap().remove(0);
    let Entry { tag, value } = block_on(hospital.store.get(std::slice::from_ref(&key))).unwrap().remove(0).unwrap();
    let mut damaged = value.clone();
    *damaged.last_mut().unwrap() ^= 1;
    block_on(hospital.store.apply(vec![Op::Swap { key: key.clone(), tag, value: damaged }])).unwrap();
    let Retirement::Blocked { found, quarantined, .. } = hospital.moved() else { panic!("retired") };
    assert_eq!((found.behind, &found.named, &quarantined), (1, &vec![key.clone()], &vec![key.clone()]));
    assert_eq!(hospital.consents().unwrap(), [Version(1), Version(2)]);
    assert_eq!(hospital.state(1), KeyState::DecryptOnly);

    // Mended, but still on the list: blocked until somebody tries it again.
    let tag = block_on(hospital.store.get(std::slice::from_ref(&key))).unwrap().remove(0).unwrap().tag;
    block_on(hospital.store.apply(vec![Op::Swap { key, tag, value }])).unwrap();
    let old = [hospital.access(0)];
    let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
    assert!(block_on(rotation.run("another", |_| ())).unwrap().finished);
    assert!(block_on(rotation.verify()).unwrap().is_clean());
    assert!(matches!(hospital.moved(), Retirement::Blocked { quarantined, .. } if quarantined.len() == 1));
    assert_eq!(block_on(rotation.retry("job")).unwrap(), 0);
    assert_eq!(hospital.moved(), Retirement::Done { consents: 1, lost: 0 });
}

#[test]
fn no_key_retires_that_writers_may_still_use() {
    let hospital = Hospital::new();
    // By a publisher who died between the store and the ledger.
    let stored = Repository::new(&hospital.store);
    assert_eq!(block_on(stored.put_consent(&hospital.chain[1].0)), Ok(Put::Done));
    let rotation = Rotation::new(&hospital.store, &[hospital.access(0)], hospital.access(1), &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    let calls = hospital.store.calls();
    let retired = block_on(rotation.retire(&hospital.noted()));
    assert!(matches!(retired, Err(Error::ApiMisuse(_))));
    // It asks whose the store is, and whether it is whole, and looks at nothing else: a walk from before the writers knew would
    // prove nothing.
    assert_eq!(hospital.store.calls(), calls + 2);
    assert_eq!(hospital.consents().unwrap(), [Version(1), Version(2)]);
}

#[test]
fn a_retirement_that_dies_at_any_call_is_finished_by_the_next() {
    for call in calls() {
        let hospital = Hospital::new();
        hospital.publish(1);
        let old = [hospital.access(0)];
        let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
        assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
        hospital.store.fail_at(call, Fault::Crash);
        let died = block_on(rotation.retire(&hospital.noted())).is_err();
        hospital.store.heal();
        assert!(matches!(hospital.moved(), Retirement::Done { .. }));
        assert_eq!(hospital.consents().unwrap(), [Version(2)]);
        if !died {
            assert!(call > 4);
            break;
        }
    }
}

/// The drill: a backup of before a rotation comes back into an empty store.
#[test]
fn a_backup_of_before_serves_nothing_until_it_has_caught_up() {
    let mut hospital = Hospital::new();
    let (old, new) = (hospital.access(0), hospital.access(1));
    let repository = hospital.repository();
    let id = "r00000".parse().unwrap();
    let first = read(&hospital.store, old, "r00000");
    let reader = hospital.world.reader();
    let amendment = reader.amend(&first, &[old]).unwrap().field("/diagnosis", "later").unwrap();
    let later = amendment.seal(&hospital.world.ada.author(), NOW).unwrap();
    assert_eq!(block_on(repository.amend(&first, &later)).unwrap(), Put::Done);
    let stream = backed_up(&hospital.store);
    let before = contents(&hospital.store);
    hospital.publish(1);
    assert_eq!(hospital.moved(), Retirement::Done { consents: 1, lost: 0 });

    let (owner, compartment) = (old.owner().clone(), old.compartment().clone());
    let restored = FaultyStore::new(MemoryStore::new());
    block_on(backup::restore(&restored, &mut stream.as_slice())).unwrap();
    // All that was there; a revoked reader's old access would open it.
    assert_eq!(contents(&restored), before);
    let unguarded = block_on(Repository::new(&restored).get(&owner, &id)).unwrap().unwrap();
    assert!(hospital.world.reader().open(&unguarded, &[old]).is_ok());

    let repository = hospital.over(&restored);
    assert_eq!(block_on(repository.get(&owner, &id)).err(), Some(Error::Rollback("record")));
    assert_eq!(block_on(repository.consents(&owner, &compartment, None)).err(), Some(Error::Rollback("consent")));
    assert_eq!(block_on(repository.put_consent(&hospital.chain[0].0)).unwrap(), Put::Outdated);
    let place = (owner.clone(), compartment.clone());
    assert_eq!(block_on(repository.behind()).unwrap(), std::slice::from_ref(&place));

    let newest = block_on(repository.catch_up(&owner, &compartment)).unwrap();
    assert_eq!(newest.as_ref(), Some(&hospital.chain[1].0));
    // The old consent is still in the store: nothing is served yet.
    assert_eq!(block_on(repository.behind()).unwrap(), [place]);
    assert_eq!(block_on(repository.get(&owner, &id)).err(), Some(Error::Rollback("record")));
    let rotation = Rotation::new(&restored, &[old], new, &now).unwrap();
    assert!(block_on(rotation.run("restore", |_| ())).unwrap().finished);
    let retired = block_on(rotation.retire(&hospital.noted())).unwrap();
    assert_eq!(retired, Retirement::Done { consents: 1, lost: 0 });
    assert!(block_on(repository.behind()).unwrap().is_empty());

    let served = block_on(repository.get(&owner, &id)).unwrap().unwrap();
    assert_eq!(hospital.world.reader().open(&served, &[old]).err(), Some(Error::CannotOpen));
    let view = hospital.world.reader().open(&served, &[new]).unwrap();
    assert_eq!(view.get("/diagnosis"), Ok(Some(&b"later"[..])));
    let earlier = block_on(repository.revision(&owner, &id, first.revision())).unwrap().unwrap();
    assert!(hospital.world.reader().open(&earlier, &[new]).is_ok());
    hospital.store = restored;
    assert_eq!(hospital.consents().unwrap(), [Version(2)]);
}

#[test]
fn a_damaged_cut_or_longer_backup_is_refused() {
    let hospital = Hospital::new();
    let stream = backed_up(&hospital.store);
    let restore = |stream: &[u8]| {
        let mut stream = stream;
        block_on(backup::restore(&MemoryStore::new(), &mut stream))
    };
    assert!(restore(&stream).is_ok());
    for at in (0..stream.len()).step_by(7).chain([3, stream.len() - 1]) {
        let mut damaged = stream.clone();
        damaged[at] ^= 1;
        assert!(restore(&damaged).is_err(), "{at}");
        assert!(restore(&stream[..at]).is_err(), "{at}");
    }
    let longer = [stream.as_slice(), &[0]].concat();
    assert!(matches!(restore(&longer), Err(BackupError::Data(Error::Malformed(_)))));
    let full = block_on(backup::restore(&hospital.store, &mut stream.as_slice()));
    assert!(matches!(full, Err(BackupError::Data(Error::ApiMisuse(_)))));
    // A length that is not there is not allocated.
    let huge = [b"csb\x01\x01\x00\x00\x00\x05\x01\x00\x00\x00".as_slice(), b"body/"].concat();
    assert!(restore(&huge).is_err());
}

#[test]
fn a_sweep_goes_through_all_compartments_of_its_scope_and_says_what_it_left() {
    let world = World::new();
    let store = MemoryStore::new();
    let repository = Repository::new(&store);
    let mut accesses = Vec::new();
    for compartment in ["a", "b", "c"] {
        let builder = world.phone.consent(world.devices(), compartment.parse().unwrap());
        // Only `b` is read under the authority.
        let builder = if compartment == "b" {
            builder.read(&world.trust, world.hospital.id(), "role:doctor").unwrap()
        } else {
            builder
        };
        let (stored, access) =
            builder.write(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap();
        assert_eq!(block_on(repository.put_consent(&stored)).unwrap(), Put::Done);
        assert_eq!(
            block_on(repository.put(&sealed(&world, &access, &format!("in-{compartment}")))).unwrap(),
            Put::Done
        );
        accesses.push(access);
    }
    let owner = accesses[0].owner().clone();
    let open = |stored: &StoredConsent| world.live(stored).open_as_device(&world.phone, &mut PinStore::default());
    let sweep = |scope: Scope, name: &str, left_out: &str| {
        let keys = |consents: &[StoredConsent]| {
            let mut opened = consents.iter().map(open).collect::<Result<Vec<_>, _>>()?;
            let new = opened.pop().unwrap();
            Ok((new.compartment().as_str() != left_out).then_some(Keys { old: opened, new, device: None }))
        };
        block_on(Sweep::new(&store, &now, scope).run(name, keys, |_, _| ()))
    };
    // Each compartment has a second consent; records are still under the first.
    for access in &accesses {
        let sharing = world.phone.sharing(world.devices(), &world.trust, access).rotate().unwrap();
        let (stored, ..) = sharing.seal(NOW).unwrap();
        assert_eq!(block_on(repository.put_consent(&stored)).unwrap(), Put::Done);
    }
    let behind = || {
        let generation = |id: &str, access: &Access| read(&store, access, id).generation(access.compartment()).unwrap();
        let behind =
            accesses.iter().filter(|access| generation(&format!("in-{}", access.compartment()), access).0 == 1);
        behind.map(|access| access.compartment().to_string()).collect::<Vec<_>>()
    };
    let swept = sweep(Scope::Authority(world.hospital.id().clone()), "one", "").unwrap();
    assert_eq!((swept.finished, swept.records, swept.is_complete()), (1, 1, true));
    assert_eq!(behind(), ["a", "c"]);
    let swept = sweep(Scope::Everything, "two", "c").unwrap();
    assert!(!swept.is_complete());
    assert_eq!(swept.closed, [(owner.clone(), "c".parse().unwrap())]);
    assert_eq!(behind(), ["c"]);
    let stranger = World::new().access("a").owner().clone();
    assert_eq!(sweep(Scope::Patient(stranger), "three", "").unwrap().finished, 0);
    assert!(sweep(Scope::Patient(owner), "four", "").unwrap().is_complete());
    assert!(behind().is_empty());

    // To a key that nobody published, nothing is moved.
    let keys = |consents: &[StoredConsent]| {
        let access = open(consents.first().unwrap())?;
        Ok(Some(Keys { new: world.rotated(&access, "role:doctor"), old: vec![access], device: None }))
    };
    let lost = block_on(Sweep::new(&store, &now, Scope::Everything).run("five", keys, |_, _| ())).unwrap();
    assert_eq!((lost.refused.len(), lost.is_complete()), (3, false));
    assert!(lost.refused.iter().all(|(_, _, why)| matches!(why, Error::ApiMisuse(_))));
}

/// A consent that nobody can open, of a custodian who cheats or a stolen phone, in one compartment of many.
#[test]
fn one_compartment_that_does_not_open_stops_no_sweep() {
    let world = World::new();
    let store = MemoryStore::new();
    let repository = Repository::new(&store);
    let mut accesses = Vec::new();
    for compartment in ["a", "b", "c"] {
        let (stored, access) = world.consent(compartment, "role:doctor");
        assert_eq!(block_on(repository.put_consent(&stored)).unwrap(), Put::Done);
        let record = sealed(&world, &access, &format!("in-{compartment}"));
        assert_eq!(block_on(repository.put(&record)).unwrap(), Put::Done);
        let sharing = world.phone.sharing(world.devices(), &world.trust, &access).rotate().unwrap();
        let (next, ..) = sharing.seal(NOW).unwrap();
        assert_eq!(block_on(repository.put_consent(&next)).unwrap(), Put::Done);
        accesses.push(access);
    }
    let keys = |consents: &[StoredConsent]| {
        let open = |stored: &StoredConsent| match stored.consent().unverified().compartment.as_str() {
            "a" => Err(Error::CannotOpen),
            _ => world.live(stored).open_as_device(&world.phone, &mut PinStore::default()),
        };
        let mut opened = consents.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        Ok(opened.pop().map(|new| Keys { old: opened, new, device: None }))
    };
    let swept = block_on(Sweep::new(&store, &now, Scope::Everything).run("one", keys, |_, _| ())).unwrap();
    let owner = world.alice.id().clone();
    assert_eq!((swept.finished, swept.is_complete()), (2, false));
    assert_eq!(swept.refused, [(owner, "a".parse().unwrap(), Error::CannotOpen)]);
    for access in &accesses[1..] {
        let moved = read(&store, access, &format!("in-{}", access.compartment()));
        assert_eq!(moved.generation(access.compartment()).unwrap().0, 2);
    }
}

#[test]
fn an_erased_owner_is_gone_and_does_not_come_back_with_a_backup() {
    let hospital = Hospital::new();
    let (world, repository) = (&hospital.world, hospital.repository());
    let (owner, id) = (hospital.access(0).owner().clone(), "r00000".parse().unwrap());
    let other = World::new();
    let untouched = sealed(&other, &other.access("a"), "elsewhere");
    assert_eq!(block_on(repository.put(&untouched)).unwrap(), Put::Done);
    let stream = backed_up(&hospital.store);
    let stranger = other.alice.erase(NOW, NOW).unwrap();
    assert_eq!(stranger.accept(world.devices(), NOW).err(), Some(Error::Forged("erasure")));

    let erasure = world.erasure();
    let erased = block_on(repository.erase(&erasure)).unwrap();
    assert_eq!((erased.records, erased.wraps, erased.bodies, erased.consents), (3, 3, 3, 1));
    assert!(erased.to_string().contains("Not reached: backups"));
    assert!(contents(&hospital.store).keys().all(|key| !key.contains(owner.as_str())));
    let kept = block_on(repository.get(untouched.owner(), untouched.record())).unwrap();
    assert_eq!(kept.as_ref(), Some(&untouched));
    let noted = contents(&hospital.ledger);
    assert!(noted.keys().all(|key| *key == format!("erased/{owner}")));
    // Nothing of hers is written any more.
    assert_eq!(block_on(repository.put(&sealed(world, hospital.access(0), "late"))).unwrap(), Put::Outdated);
    assert_eq!(block_on(repository.put_consent(&hospital.chain[0].0)).unwrap(), Put::Outdated);

    let restored = MemoryStore::new();
    block_on(backup::restore(&restored, &mut stream.as_slice())).unwrap();
    let repository = hospital.over(&restored);
    assert_eq!(block_on(repository.get(&owner, &id)).err(), Some(Error::Rollback("record")));
    let section = hospital.access(0).compartment();
    assert_eq!(block_on(repository.consents(&owner, section, None)).err(), Some(Error::Rollback("consent")));
    for erased in block_on(hospital.noted().erased(None)).unwrap() {
        assert_eq!(block_on(repository.erase_restored(&erased)).unwrap().records, 3);
    }
    assert!(contents(&restored).keys().all(|key| !key.contains(owner.as_str())));
    let refused = block_on(repository.erase_restored(untouched.owner()));
    assert!(matches!(refused, Err(Error::ApiMisuse(_))));
}

/// The server holds no key, the custodian no body: between them the compartment moves under a stricter policy.
#[test]
fn a_custodian_moves_a_compartment_by_its_keys_alone() {
    let world = World::new();
    let (store, service) = (MemoryStore::new(), Identity::generate("service".parse().unwrap()).unwrap());
    let consent = world.phone.consent(world.devices(), "a".parse().unwrap()).custodian(&service.public()).unwrap();
    let consent = consent.read(&world.trust, world.hospital.id(), "role:doctor or role:nurse").unwrap();
    let consent = consent.write(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let (stored, access) = consent.seal(NOW).unwrap();
    fill(&world, &store, &access, 3);
    let noted = MemoryStore::new();
    let ledger = guard::ledger(&noted);
    let repository = guard::guarded(&store, ledger);
    assert_eq!(block_on(repository.publish(&world.live(&stored), &stored)).unwrap(), Put::Done);
    let mandate = world.phone.mandate((world.devices(), &access), &service.public(), after(100), NOW).unwrap();
    let old = world.live(&stored).open_as(&service, &mut PinStore::default()).unwrap();
    let next = mandate.consent(&service, world.devices()).unwrap().after(&old).unwrap();
    let next = next.read(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let next = next.write(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let (stricter, new) = next.custodian(&service.public()).unwrap().seal(NOW).unwrap();

    assert_eq!(block_on(repository.publish(&new, &stricter)).unwrap(), Put::Done);
    let view = KeysOnly::new(&store, access.owner(), access.compartment());
    let rotation = Rotation::new(&view, &[&old], &new, &now).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    assert!(block_on(rotation.verify()).unwrap().is_clean());
    assert_eq!(block_on(rotation.retire(&ledger)).unwrap(), Retirement::Done { consents: 1, lost: 0 });
    for i in 0..3 {
        let record = read(&store, &new, &format!("r{i:05}"));
        assert!(world.reader().open(&record, &[&new]).is_ok());
    }
    // What the view does not show, by any of its calls.
    let all = contents(&store);
    for (key, value) in &all {
        let shown = ["wrap/", "envelope/", "consent/", "job/"].iter().any(|kind| key.starts_with(kind));
        let alone = std::slice::from_ref(key);
        assert_eq!(block_on(view.get(alone)).is_ok(), shown, "{key}");
        assert_eq!(block_on(view.tags(alone)).is_ok(), shown, "{key}");
        let both = [all.keys().find(|key| key.starts_with("wrap/")).unwrap().clone(), key.clone()];
        assert_eq!(block_on(view.get(&both)).is_ok(), shown, "{key}");
        let tag = block_on(store.get(std::slice::from_ref(key))).unwrap().remove(0).unwrap().tag;
        if !key.starts_with("job/") && !key.starts_with("consent/") {
            assert!(block_on(view.apply(vec![Op::Delete { key: key.clone(), tag: tag.clone() }])).is_err(), "{key}");
            assert!(block_on(view.apply(vec![Op::Put { key: key.clone(), value: value.clone() }])).is_err(), "{key}");
        }
        let swap = block_on(view.apply(vec![Op::Swap { key: key.clone(), tag, value: value.clone() }]));
        assert_eq!(swap.is_ok(), key.starts_with("wrap/") || key.starts_with("job/"), "{key}");
    }
    let section = format!("{}/{}/", access.owner(), access.compartment());
    let other_section = format!("{}/b/", access.owner());
    for kind in ["wrap", "envelope", "consent", "job", "quarantine", "body", "content", "past", "replaced", "authority"]
    {
        let shown = ["wrap", "envelope", "consent", "job", "quarantine"].contains(&kind);
        for (prefix, shown) in [(format!("{kind}/{section}"), shown), (format!("{kind}/{other_section}"), false)] {
            assert_eq!(block_on(view.keys(&prefix, "", 9)).is_ok(), shown, "{prefix}");
            assert_eq!(block_on(view.scan(&prefix, "", 9)).is_ok(), shown, "{prefix}");
            let deletes = shown && ["job", "quarantine"].contains(&kind);
            let before = contents(&store);
            assert_eq!(block_on(view.delete_prefix(&prefix)).is_ok(), deletes, "{prefix}");
            assert!(deletes || contents(&store) == before, "{prefix}");
        }
    }
    for prefix in ["", "w", "wrap/", "body/", "content/", "job/"] {
        assert!(block_on(view.keys(prefix, "", 9)).is_err(), "{prefix}");
        assert!(block_on(view.scan(prefix, "", 9)).is_err(), "{prefix}");
        assert!(block_on(view.delete_prefix(prefix)).is_err(), "{prefix}");
    }
    let other = KeysOnly::new(&store, access.owner(), &"b".parse().unwrap());
    assert!(all.keys().all(|key| block_on(other.get(std::slice::from_ref(key))).is_err()));
    // And the custodian vouches for what he signed, as long as his mandate lasts, and for nothing else.
    let live = world.live(&stricter);
    let head = live.custodian_head(&service, NOW).unwrap();
    let mut pins = PinStore::default();
    assert_eq!(live.fresh(&head, &mut pins, NOW, HEAD_LIMIT), Ok(Freshness::Fresh));
    assert_eq!(live.fresh(&head, &mut pins, after(101), HEAD_LIMIT), Err(Error::Expired("mandate")));
    let stranger = Identity::generate("service".parse().unwrap()).unwrap();
    assert!(matches!(live.custodian_head(&stranger, NOW), Err(Error::ApiMisuse(_))));
    assert!(matches!(world.live(&stored).custodian_head(&service, NOW), Err(Error::ApiMisuse(_))));
    assert_eq!(world.live(&stored).fresh(&head, &mut PinStore::default(), NOW, HEAD_LIMIT), Err(Error::Forged("head")));
    for (what, with) in [("\"version\":2", "\"version\":3"), ("\"base\":{\"version\":1", "\"base\":{\"version\":2")] {
        let json = head.to_json().unwrap();
        assert!(json.contains(what));
        let altered = Head::from_json(&json.replace(what, with)).unwrap();
        assert_eq!(live.fresh(&altered, &mut PinStore::default(), NOW, HEAD_LIMIT), Err(Error::Forged("head")));
    }
    // The owner's own word ends it: her next consent counts against his head.
    let (hers, _, _) = world.phone.sharing(world.devices(), &world.trust, &new).rotate().unwrap().seal(NOW).unwrap();
    assert!(world.live(&hers).fresh(&head, &mut PinStore::default(), NOW, HEAD_LIMIT).is_err());
}

/// The key retires between the writer's look at the ledger and her write: what she is told is true.
#[test]
fn a_write_in_flight_while_its_key_retires_is_turned_away_and_not_lost() {
    let hospital = Hospital::new();
    let (world, old, new) = (&hospital.world, hospital.access(0), hospital.access(1));
    let before = read(&hospital.store, old, "r00000");
    let retire = || {
        hospital.publish(1);
        assert!(matches!(hospital.moved(), Retirement::Done { .. }));
    };
    let store = Interrupted::new(&hospital.store, When::Writing(&writes_wrap), &retire);
    let repository = hospital.over(&store);
    let late = sealed(world, old, "late");
    assert_eq!(block_on(repository.put(&late)).unwrap(), Put::Outdated);
    assert!(store.happened());
    assert_eq!(block_on(repository.get(old.owner(), late.record())).unwrap(), None);
    // Sealed again under the newest consent, it is a record like any other.
    let again = sealed(world, new, "late-again");
    assert_eq!(block_on(repository.put(&again)).unwrap(), Put::Done);

    let reader = world.reader();
    let amendment = reader.amend(&before, &[old]).unwrap().field("/diagnosis", "late").unwrap();
    let amended = amendment.seal(&world.ada.author(), NOW).unwrap();
    assert_ne!(block_on(repository.amend(&before, &amended)).unwrap(), Put::Done);
    assert!(reader.open(&read(&store, new, "r00000"), &[new]).is_ok());
}

#[test]
fn a_backup_of_a_damaged_store_names_what_is_damaged_and_holds_the_rest() {
    let hospital = Hospital::new();
    let keys = |kind: &str| block_on(hospital.store.keys(kind, "", 9)).unwrap();
    let remove = |key: &String| {
        let tag = block_on(hospital.store.get(std::slice::from_ref(key))).unwrap().remove(0).unwrap().tag;
        block_on(hospital.store.apply(vec![Op::Delete { key: key.clone(), tag }])).unwrap();
    };
    remove(&keys("envelope/")[0]);
    remove(&keys("body/")[1]);
    let mut stream = Vec::new();
    let written = block_on(backup::write(&hospital.store, &mut stream)).unwrap();
    assert_eq!(written.damaged, keys("content/")[..2]);
    let restored = MemoryStore::new();
    assert_eq!(block_on(backup::restore(&restored, &mut stream.as_slice())).unwrap(), written.entries);
    let whole = read(&restored, hospital.access(0), "r00002");
    assert!(hospital.world.reader().open(&whole, &[hospital.access(0)]).is_ok());
    assert_eq!(block_on(restored.keys("content/", "", 9)).unwrap(), keys("content/"));
}
