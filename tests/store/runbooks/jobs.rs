//! A rotation does not finish.

use chartseal::Error;
use chartseal::backup;
use chartseal::consent::{Access, ConsentBuilder};
use chartseal::id::Time;
use chartseal::kem::UserKey;
use chartseal::record::Author;
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Retirement, Rotation};
use chartseal::store::{Op, Outcome, RedbStore, Store, Tag};

use super::{DAY, Site, by_device, by_key, by_name, identity, section};
use crate::support::stored::{contents, sealed};
use crate::support::waiting::block_on;
use crate::support::world::{NOW, World, after};

const RECORDS: [&str; 3] = ["r0", "r1", "r2"];

fn late() -> Time {
    after(1_000)
}

/// Three records under the first key. Doctors read and write.
struct Begun {
    world: World,
    site: Site,
    doctor: UserKey,
    first: Access,
}

impl Begun {
    fn new() -> Self {
        let (world, site) = (World::new(), Site::new());
        let doctor = world.ada.identity.accept(&world.ada.issued, &world.trust, NOW).unwrap();
        let (stored, first) = Self::doctors(&world, world.phone.consent(world.devices(), section())).seal(NOW).unwrap();
        site.publish(world.devices(), &stored, NOW);
        for id in RECORDS {
            site.write(&world, &first, id);
        }
        Self { world, site, doctor, first }
    }

    fn doctors<'a>(world: &'a World, consent: ConsentBuilder<'a>) -> ConsentBuilder<'a> {
        let consent = consent.read(&world.trust, world.hospital.id(), "role:doctor").unwrap();
        consent.write(&world.trust, world.hospital.id(), "role:doctor").unwrap()
    }

    /// The next consent, under a new key, which is published.
    fn next(&self, before: &Access, now: Time) -> Access {
        let change = self.world.phone.sharing(self.world.devices(), &self.world.trust, before).rotate().unwrap();
        let (stored, access, _) = change.seal(now).unwrap();
        self.site.publish(self.world.devices(), &stored, now);
        access
    }

    fn all_read(&self, ids: &[&str]) {
        for id in ids {
            let knows = (&self.world.trust, self.world.devices(), late());
            assert_eq!(self.site.reads(knows, id, by_key(&self.doctor)), Ok(()), "{id}");
        }
    }

    fn key(&self, kind: &str, id: &str) -> String {
        let mut keys = contents(&self.site.store).into_keys();
        keys.find(|key| key.starts_with(kind) && key.contains(&format!("/{id}/"))).unwrap()
    }
}

fn tag(store: &RedbStore, key: &str) -> Tag {
    block_on(store.tags(&[key.to_owned()])).unwrap().remove(0).unwrap()
}

fn apply(store: &RedbStore, op: Op) {
    assert!(!block_on(store.apply(vec![op])).unwrap().contains(&Outcome::Conflict));
}

#[test]
fn what_was_damaged_or_lost_is_brought_back_from_a_backup_and_the_rotation_ends() {
    let begun = Begun::new();
    let site = &begun.site;
    let mut stream = Vec::new();
    assert!(block_on(backup::write(&site.store, &mut stream)).unwrap().damaged.is_empty());
    let next = begun.next(&begun.first, after(10));
    let [damaged, lost] = ["r0", "r1"].map(|id| begun.key("wrap/", id));
    apply(&site.store, Op::Swap { tag: tag(&site.store, &damaged), key: damaged.clone(), value: b"damaged".to_vec() });
    apply(&site.store, Op::Delete { tag: tag(&site.store, &lost), key: lost.clone() });

    let old = [&begun.first];
    let rotation = Rotation::new(&site.store, &old, &next, &late).unwrap();
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    let quarantined = block_on(rotation.quarantined("job")).unwrap();
    assert_eq!(quarantined.iter().map(|one| &one.key).collect::<Vec<_>>(), [&damaged]);
    let Retirement::Blocked { found, quarantined, .. } = block_on(rotation.retire(&site.ledger())).unwrap() else {
        panic!("retired")
    };
    assert_eq!((found.broken, found.missing, quarantined), (1, 1, vec![damaged.clone()]));
    let envelope = begun.key("envelope/", "r1");
    assert!(found.named.contains(&damaged) && found.named.contains(&envelope), "{:?}", found.named);

    let elsewhere = site.another_store("elsewhere");
    block_on(backup::restore(&elsewhere, &mut stream.as_slice())).unwrap();
    // To put the records again does not do it.
    for (id, put) in [("r0", Put::Done), ("r1", Put::Outdated)] {
        let whole =
            block_on(Repository::new(&elsewhere).get(begun.first.owner(), &super::record(id))).unwrap().unwrap();
        assert_eq!(block_on(site.repository().put(&whole)), Ok(put), "{id}");
        assert!(matches!(block_on(rotation.retire(&site.ledger())).unwrap(), Retirement::Blocked { .. }));
    }
    let values = block_on(elsewhere.get(&[damaged.clone(), lost.clone()])).unwrap();
    let [one, other] = [0, 1].map(|at| values[at].clone().unwrap().value);
    apply(&site.store, Op::Swap { tag: tag(&site.store, &damaged), key: damaged, value: one });
    apply(&site.store, Op::Put { key: lost, value: other });
    assert_eq!(block_on(rotation.retry("job")), Ok(0));
    assert!(block_on(rotation.run("again", |_| ())).unwrap().finished);
    let retired = block_on(rotation.retire(&site.ledger())).unwrap();
    assert_eq!(retired, Retirement::Done { consents: 1, lost: 0 });
    begun.all_read(&RECORDS);
}

/// One wrote past the guard; then a record was deleted that the job had come upon.
#[test]
fn late_writers_are_moved_by_another_job_and_parts_that_were_deleted_since_are_given_up_by_theirs() {
    let begun = Begun::new();
    let site = &begun.site;
    let next = begun.next(&begun.first, after(10));
    let old = [&begun.first];
    let rotation = Rotation::new(&site.store, &old, &next, &late).unwrap();
    assert!(block_on(rotation.run("first", |_| ())).unwrap().finished);
    let strayed = sealed(&begun.world, &begun.first, "strayed");
    assert_eq!(block_on(Repository::new(&site.store).put(&strayed)), Ok(Put::Done));
    let Retirement::Blocked { found, .. } = block_on(rotation.retire(&site.ledger())).unwrap() else {
        panic!("retired")
    };
    assert_eq!(found.behind, 1);
    assert!(block_on(rotation.run("second", |_| ())).unwrap().finished);
    let retired = block_on(rotation.retire(&site.ledger())).unwrap();
    assert_eq!(retired, Retirement::Done { consents: 1, lost: 0 });
    begun.all_read(&["r0", "r1", "r2", "strayed"]);

    let third = begun.next(&next, after(20));
    let old = [&next];
    let rotation = Rotation::new(&site.store, &old, &third, &late).unwrap();
    assert_eq!(block_on(rotation.run("third", |_| ())).unwrap().records, 4);
    for key in contents(&site.store).into_keys().filter(|key| key.contains("strayed")) {
        apply(&site.store, Op::Delete { tag: tag(&site.store, &key), key });
    }
    let retired = block_on(rotation.retire(&site.ledger())).unwrap();
    let Retirement::Blocked { unseen: 1, counted: Some(job), .. } = retired else { panic!("{retired:?}") };
    let given_up = [job];
    // It was the only job: what is there has to be gone through again.
    assert!(matches!(block_on(rotation.retire_leaving(&site.ledger(), &given_up)), Err(Error::ApiMisuse(_))));
    assert_eq!(block_on(rotation.run("fourth", |_| ())).unwrap().records, 3);
    let retired = block_on(rotation.retire_leaving(&site.ledger(), &given_up)).unwrap();
    assert_eq!(retired, Retirement::Done { consents: 1, lost: 0 });
    begun.all_read(&RECORDS);
}

/// Under a mandate he came to the third key, and records lie under it; the owner, who did not know, signed the second.
#[test]
fn records_under_a_later_key_of_the_custodians_are_moved_once_the_owner_goes_beyond_it() {
    let (world, site, keeper) = (World::new(), Site::new(), identity("keeper"));
    let devices = world.devices();
    let doctor = world.ada.identity.accept(&world.ada.issued, &world.trust, NOW).unwrap();
    let consent = world.phone.consent(devices, section()).custodian(&keeper.public()).unwrap();
    let (stored, first) = Begun::doctors(&world, consent).seal(NOW).unwrap();
    site.publish(devices, &stored, NOW);
    site.write(&world, &first, "r0");
    let mandate = world.phone.mandate((devices, &first), &keeper.public(), after(30 * DAY), NOW).unwrap();
    for at in [10, 20] {
        let opened = site.open(devices, after(at), by_name(&keeper)).unwrap();
        let his = mandate.consent(&keeper, devices).unwrap().after(&opened.newest).unwrap();
        let (stored, access) = his.same_terms(&world.trust).unwrap().seal(after(at)).unwrap();
        assert_eq!(site.try_to_publish(&access, &stored), Ok(Put::Done));
        site.write(&world, &access, &format!("his-{at}"));
    }
    let change = world.phone.sharing(devices, &world.trust, &first).rotate().unwrap();
    let (stored, own, _) = change.seal(after(30)).unwrap();
    site.publish(devices, &stored, after(30));
    let old = [&first];
    let rotation = Rotation::new(&site.store, &old, &own, &late).unwrap();
    assert!(block_on(rotation.run("own", |_| ())).unwrap().finished);
    let retired = block_on(rotation.retire(&site.ledger())).unwrap();
    let Retirement::Blocked { found, .. } = &retired else { panic!("{retired:?}") };
    assert_eq!(found.later, 1, "{retired:?}");

    let opened = site.open(devices, after(40), by_device(&world.phone)).unwrap();
    let his = opened.earlier.iter().max_by_key(|one| one.generation()).unwrap();
    let change = world.phone.sharing(devices, &world.trust, &opened.newest).rotate().unwrap().beyond(his).unwrap();
    let (stored, next, _) = change.seal(after(40)).unwrap();
    site.publish(devices, &stored, after(40));
    site.moves(&opened.accesses(), &next, "beyond", after(40));
    for id in ["r0", "his-10", "his-20"] {
        assert_eq!(site.reads((&world.trust, devices, after(50)), id, by_key(&doctor)), Ok(()), "{id}");
    }
}

#[test]
fn a_reencryption_that_was_overtaken_starts_again_to_the_later_key() {
    let begun = Begun::new();
    let (site, world) = (&begun.site, &begun.world);
    let second = begun.next(&begun.first, after(10));
    let third = begun.next(&second, after(20));
    let author = Author::device(&world.phone, world.devices()).unwrap();
    let old = [&begun.first];
    let overtaken = Rotation::new(&site.store, &old, &second, &late).unwrap();
    let overtaken = overtaken.reencrypt(site.ledger(), &world.trust, world.devices(), &author);
    assert!(matches!(block_on(overtaken.run("job", |_| ())), Err(Error::Rollback(_))));
    let old = [&begun.first, &second];
    let rotation = Rotation::new(&site.store, &old, &third, &late).unwrap();
    let rotation = rotation.reencrypt(site.ledger(), &world.trust, world.devices(), &author);
    assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
    let retired = block_on(rotation.retire(&site.ledger())).unwrap();
    assert_eq!(retired, Retirement::Done { consents: 2, lost: 0 });
    begun.all_read(&RECORDS);
}
