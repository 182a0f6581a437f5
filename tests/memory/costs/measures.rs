//! Each verb, at a size, ten times that and a hundred times.

use std::fs::File;
use std::path::Path;

use chartseal::backup;
use chartseal::consent::{Access, StoredConsent};
use chartseal::pin::PinStore;
use chartseal::record::SealedRecord;
use chartseal::repository::Put;
use chartseal::rotation::{Keys, Retirement, Rotation, Scope, Sweep};
use chartseal::store::Store;

use super::bases::Base;
use super::counted::Counted;
use crate::support::stored::now;
use crate::support::waiting::block_on;
use crate::support::world::NOW;

/// What is measured in a folder, at a size.
type Work = fn(&Path, usize);

/// At this size, ten times that, and, if it is asked for, a hundred times.
pub(crate) fn all(sizes: usize) {
    let works: [(Work, usize); 6] =
        [(records, 100), (sealed_again, 10), (revisions, 2), (bodies, 20_000), (consents, 2), (compartments, 2)];
    for (work, size) in works {
        for times in [1, 10, 100].into_iter().take(sizes) {
            let folder = tempfile::tempdir().unwrap();
            work(folder.path(), size * times);
        }
    }
}

/// A patient's records: each is small.
fn records(folder: &Path, many: usize) {
    let mut base = Base::new(folder, "records, from 100");
    base.fill((0..many).map(|n| base.sealed(&format!("r{n:05}"), 100)));
    of_one_record(&base, &base.sealed("new", 100));
    let (owner, section) = (base.newest().owner().clone(), base.newest().compartment().clone());
    let repository = base.repository();
    base.measure("`consents`", || block_on(repository.consents(&owner, &section, None)).unwrap());
    base.measure("`compartments`", || block_on(repository.compartments(None, None)).unwrap());
    base.measure("`behind`", || assert!(block_on(repository.behind()).unwrap().is_empty()));
    base.rotate();
    base.measure("`publish`", || base.publish_last());
    base.measure("`catch_up`", || block_on(base.repository().catch_up(&owner, &section)).unwrap());
    moved(&base, "`Rotation::");
    backed_up(&base, folder);
    let before = base.newest().version();
    base.rotate();
    base.publish_last();
    let new = base.newest();
    assert!(new.version() > before);
    let swept = base.measure("`Sweep::run`", || {
        let keys = |consents: &[StoredConsent]| {
            let mut opened = opened(&base, consents);
            let new = opened.pop().unwrap();
            Ok(Some(Keys { old: opened, new, device: None }))
        };
        block_on(Sweep::new(&base.data, &now, Scope::Everything).run("sweep", keys, |_, _| ())).unwrap()
    });
    assert!(swept.is_complete());
    erased(&base);
    let restored = Counted::open(&folder.join("restored"));
    base.measure_in(&restored, "`erase_restored`", || {
        block_on(base.over(&restored).erase_restored(&owner)).unwrap();
    });
}

fn opened(base: &Base, consents: &[StoredConsent]) -> Vec<Access> {
    let open = |stored| base.world.live(stored).open_as_device(&base.world.phone, &mut PinStore::default()).unwrap();
    consents.iter().map(open).collect()
}

/// A record that comes new.
fn of_one_record(base: &Base, new: &SealedRecord) {
    let (repository, id) = (base.repository(), new.record().to_string());
    base.measure("`put`", || assert_eq!(block_on(repository.put(new)).unwrap(), Put::Done));
    base.measure("`get`", || drop(base.read(&id)));
    let after = base.amended(new);
    base.measure("`amend`", || assert_eq!(block_on(repository.amend(new, &after)).unwrap(), Put::Done));
    base.measure("`revision`", || assert!(base.at_first(new).is_some()));
    let last = base.world.reader().supersede(&after, &[base.newest()]).unwrap();
    let last = last.field("/history", "own").unwrap().seal(&base.device(), NOW).unwrap();
    base.measure("`supersede`", || assert_eq!(block_on(repository.supersede(&after, &last)).unwrap(), Put::Done));
    let keys = (base.newest(), base.newest());
    let again = base.world.reader().reseal(&last, keys, &base.device(), NOW).unwrap();
    base.measure("`reseal`", || assert_eq!(block_on(repository.reseal(&last, &again)).unwrap(), Put::Done));
}

/// To the last key from the one before.
fn moved(base: &Base, verb: &str) {
    let (new, old) = base.consents.split_last().unwrap();
    let rotation = Rotation::new(&base.data, &[&old.last().unwrap().1], &new.1, &now).unwrap();
    base.measure(&format!("{verb}run`"), || assert!(block_on(rotation.run("job", |_| ())).unwrap().finished));
    base.measure(&format!("{verb}quarantined`"), || assert!(block_on(rotation.quarantined("job")).unwrap().is_empty()));
    base.measure(&format!("{verb}retry`"), || assert_eq!(block_on(rotation.retry("job")), Ok(0)));
    base.measure(&format!("{verb}break_leases`"), || assert_eq!(block_on(rotation.break_leases("job")), Ok(0)));
    base.measure(&format!("{verb}verify`"), || assert!(block_on(rotation.verify()).unwrap().is_clean()));
    base.measure(&format!("{verb}retire`"), || {
        let retired = block_on(rotation.retire(&base.ledger())).unwrap();
        assert!(matches!(retired, Retirement::Done { lost: 0, .. }), "{retired:?}");
    });
}

fn reencrypted(base: &Base) {
    let (new, old) = base.consents.split_last().unwrap();
    let (old, author) = ([&old.last().unwrap().1], base.device());
    let rotation = Rotation::new(&base.data, &old, &new.1, &now).unwrap();
    let rotation = rotation.reencrypt(base.ledger(), &base.world.trust, base.world.devices(), &author);
    base.measure("`Rotation::reencrypt` and `run`", || {
        assert!(block_on(rotation.run("again", |_| ())).unwrap().finished);
    });
}

/// To a file and from it.
fn backed_up(base: &Base, folder: &Path) {
    let path = folder.join("backup");
    let mut file = File::create(&path).unwrap();
    base.measure("`backup::write`", || {
        assert!(block_on(backup::write(&base.data, &mut file)).unwrap().damaged.is_empty());
    });
    let (mut file, restored) = (File::open(&path).unwrap(), Counted::open(&folder.join("restored")));
    base.measure_in(&restored, "`backup::restore`", || {
        block_on(backup::restore(&restored, &mut file)).unwrap();
    });
}

fn erased(base: &Base) {
    let owner = &base.world.alice;
    let wish = owner.erase(NOW, NOW).unwrap().accept(owner.devices(), NOW).unwrap();
    base.measure("`erase`", || block_on(base.repository().erase(&wish)).unwrap());
    let left = block_on(base.data.keys("", "", 1000)).unwrap();
    assert!(left.iter().all(|key| !key.contains(owner.id().as_str())));
}

/// Records that are sealed again.
fn sealed_again(folder: &Path, many: usize) {
    let mut base = Base::new(folder, "records, from 10");
    base.fill((0..many).map(|n| base.sealed(&format!("r{n:05}"), 100)));
    base.rotate();
    base.publish_last();
    reencrypted(&base);
}

/// One record that was amended again and again.
fn revisions(folder: &Path, many: usize) {
    let base = Base::new(folder, "revisions, from 2");
    let mut last = base.sealed("r", 100);
    assert_eq!(block_on(base.repository().put(&last)).unwrap(), Put::Done);
    let amend = |last: &SealedRecord| {
        let after = base.amended(last);
        assert_eq!(block_on(base.repository().amend(last, &after)).unwrap(), Put::Done);
        after
    };
    for _ in 2..many {
        last = amend(&last);
    }
    base.measure("`amend`", || last = amend(&last));
    base.measure("`get`", || drop(base.read("r")));
    base.measure("`revision`", || assert!(base.at_first(&last).is_some()));
    to_its_end(base, folder);
}

/// What befalls all records in the end.
fn to_its_end(mut base: Base, folder: &Path) {
    base.rotate();
    base.publish_last();
    reencrypted(&base);
    moved(&base, "`Rotation::");
    backed_up(&base, folder);
    erased(&base);
}

/// One record with a body of so many bytes.
fn bodies(folder: &Path, bytes: usize) {
    let base = Base::new(folder, "bytes of a body, from 20,000");
    of_one_record(&base, &base.sealed("r", bytes));
    to_its_end(base, folder);
}

/// Consents to one compartment.
fn consents(folder: &Path, many: usize) {
    let mut base = Base::new(folder, "consents, from 2");
    base.fill(std::iter::once(base.sealed("r", 100)));
    for _ in 2..many {
        base.reseal();
        base.publish_last();
    }
    base.reseal();
    base.measure("`publish`", || base.publish_last());
    let last = &base.consents.last().unwrap().0;
    base.measure("`put_consent`", || assert_eq!(block_on(base.repository().put_consent(last)).unwrap(), Put::Done));
    let (owner, section) = (base.newest().owner().clone(), base.newest().compartment().clone());
    let repository = base.repository();
    base.measure("`consents`", || assert_eq!(block_on(repository.consents(&owner, &section, None)).unwrap().len(), 1));
    base.measure("`stored_consents`", || block_on(repository.stored_consents(&owner, &section, None)).unwrap());
    base.measure("`damaged_consents`", || {
        assert!(block_on(repository.damaged_consents(&owner, &section)).unwrap().is_empty());
    });
    base.measure("`catch_up`", || block_on(repository.catch_up(&owner, &section)).unwrap());
    base.measure("`behind`", || assert!(block_on(repository.behind()).unwrap().is_empty()));
    base.rotate();
    base.publish_last();
    moved(&base, "`Rotation::");
    erased(&base);
}

/// Compartments of one patient.
fn compartments(folder: &Path, many: usize) {
    let base = Base::new(folder, "compartments, from 2");
    let repository = base.repository();
    for n in 1..many {
        let (stored, access) = base.world.consent(&format!("c{n:03}"), "role:doctor");
        assert_eq!(block_on(repository.publish(&access, &stored)).unwrap(), Put::Done);
    }
    base.measure("`compartments`", || block_on(repository.compartments(None, None)).unwrap());
    base.measure("`behind`", || assert!(block_on(repository.behind()).unwrap().is_empty()));
    base.measure("`Sweep::run`", || {
        let keys = |consents: &[StoredConsent]| {
            let mut opened = opened(&base, consents);
            let new = opened.pop().unwrap();
            Ok(Some(Keys { old: opened, new, device: None }))
        };
        let swept = block_on(Sweep::new(&base.data, &now, Scope::Everything).run("sweep", keys, |_, _| ())).unwrap();
        assert!(swept.is_complete());
    });
    erased(&base);
}
