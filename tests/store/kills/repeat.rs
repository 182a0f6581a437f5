//! What was cut off is done again, by the same call, and nothing stands in its way.

use std::fs;
use std::path::{Path, PathBuf};

use chartseal::backup;
use chartseal::consent::StoredConsent;
use chartseal::pin::PinStore;
use chartseal::record::SealedRecord;
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Retirement, Rotation};
use chartseal::store::{MemoryStore, RedbStore, Store};

use super::Random;
use super::cast::{Cast, Patient};
use super::disks::Disks;
use super::known::{Known, Verb};
use super::proof::is_restored;
use super::work::{back_up, erase, kept_pieces, keys, reencrypt, restore, run, time};
use crate::support::stored::contents;
use crate::support::waiting::block_on;

pub(crate) fn what_was_cut(
    known: &mut Known,
    cast: &Cast,
    disks: &Disks,
    (folder, number, random): (&Path, u64, &mut Random),
) {
    for (name, snapshot) in std::mem::take(&mut known.backups) {
        is_restored(&restored(&folder.join(format!("backup-0-{name}"))), &snapshot, cast, &name);
    }
    let Some(verb) = known.cut.take() else { return };
    known.was_cut(&verb);
    // What nobody does again stands in nobody's way either. An erasure is for whoever began it.
    if verb.name != "erase" && random.below(4) == 0 {
        known.patients.entry(verb.patient).or_default().is_behind |= verb.name == "retire";
        return;
    }
    if repeated(&verb, known, cast, disks, (folder, number)) {
        known.is_done(&verb);
    }
}

/// Whether it is acknowledged now.
fn repeated(verb: &Verb, known: &Known, cast: &Cast, disks: &Disks, (folder, number): (&Path, u64)) -> bool {
    let patient = &cast.patients[verb.patient];
    // Leases of whoever was killed are over by then.
    let (name, now) = (verb.what[0].as_str(), time(number + 1));
    match verb.name.as_str() {
        "put" | "amend" => put(verb, patient, disks, folder),
        "publish" => {
            let stored = StoredConsent::from_cbor(&fs::read(folder.join("consent")).unwrap()).unwrap();
            let access = patient.access(&stored, &mut PinStore::default());
            assert_eq!(block_on(disks.repository().publish(&access, &stored)).unwrap(), Put::Done, "{verb:?}");
        }
        "rotate" => {
            let accesses = patient.accesses(&disks.stored(patient));
            let (old, new) = keys(&accesses).unwrap();
            run(&disks.data, (&old, new), name, now);
        }
        "reencrypt" => reencrypt((cast, patient), disks, &patient.accesses(&disks.stored(patient)), name, now),
        "retire" => retire(patient, disks, number),
        "erase" => erase(patient, disks),
        "backup" => {
            let file = folder.join(format!("backup-0-{name}"));
            back_up(&disks.data, &file);
            is_restored(&restored(&file), &known.snapshot(), cast, name);
            return false;
        }
        "restore" => restore_again(&folder.join(format!("backup-0-{name}")), disks, folder),
        // Whoever reads next does it.
        _ => return false,
    }
    true
}

fn put(verb: &Verb, patient: &Patient, disks: &Disks, folder: &Path) {
    let name = verb.what[0].parse().unwrap();
    let record = |pieces| SealedRecord::from_pieces(patient.owner.id(), &name, pieces).unwrap();
    let mut kept: Vec<SealedRecord> = kept_pieces(folder).into_iter().map(record).collect();
    let after = kept.pop().unwrap();
    let put = match kept.pop() {
        None => block_on(disks.repository().put(&after)),
        Some(before) => block_on(disks.repository().amend(&before, &after)),
    };
    assert_eq!(put.unwrap(), Put::Done, "{verb:?}");
}

fn retire(patient: &Patient, disks: &Disks, number: u64) {
    let accesses = patient.accesses(&disks.stored(patient));
    // Its consents may be gone already: the ledger knows the keys.
    let (old, new) = keys(&accesses).unwrap_or((Vec::new(), accesses.last().unwrap()));
    let clock = || time(number + 1);
    let rotation = Rotation::new(&disks.data, &old, new, &clock).unwrap();
    let retired = block_on(rotation.retire(&disks.ledger())).unwrap();
    assert!(matches!(retired, Retirement::Done { lost: 0, .. }), "{retired:?}");
}

/// A store that was cut off while a backup was put into it serves nothing; it is thrown away, and another one is whole.
fn restore_again(from: &Path, disks: &Disks, folder: &Path) {
    let place = PathBuf::from(fs::read_to_string(folder.join("place")).unwrap());
    let whole = contents(&restored(from));
    if place.exists() {
        let half = RedbStore::open(&place).unwrap();
        let held = contents(&half);
        if held != whole {
            assert!(block_on(Repository::guarded(&half, disks.ledger())).is_err(), "half a backup is guarded");
            assert!(
                block_on(Repository::replace_store(&half, disks.ledger())).is_err(),
                "half a backup takes the place"
            );
        }
        drop(half);
        fs::remove_file(&place).unwrap();
    }
    restore(from, &place);
    assert!(contents(&RedbStore::open(&place).unwrap()) == whole);
    fs::remove_file(place).unwrap();
}

fn restored(backup: &Path) -> impl Store {
    let store = MemoryStore::new();
    block_on(backup::restore(&store, &mut fs::File::open(backup).unwrap())).unwrap();
    store
}
