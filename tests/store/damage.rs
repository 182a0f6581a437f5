//! Files that are damaged: what is there is never taken for absent, or for something else.
#![cfg(feature = "redb")]

use std::path::{Path, PathBuf};

use chartseal::backup;
use chartseal::store::{
    Entry, MemoryStore, Op, OpenCheck, Outcome, RedbOptions, RedbStore, Store, StoreError, StoreFailure,
};

use crate::support::stored::{contents, fill};
use crate::support::waiting::block_on;
use crate::support::world::World;

/// A file of rows, one of them with a large value, as it is when it was closed.
struct Closed {
    folder: tempfile::TempDir,
    keys: Vec<String>,
    held: Vec<Option<Entry>>,
    whole: Vec<u8>,
}

impl Closed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys: Vec<String> = (0..40).map(|n| format!("ledger/o-{n:04}/cardiology")).collect();
        let store = RedbStore::open(folder.path().join("store")).unwrap();
        for (n, key) in keys.iter().enumerate() {
            let size = if n == 20 { 5000 } else { 300 };
            put(&store, key, vec![7; size]).unwrap();
        }
        let held = block_on(store.get(&keys)).unwrap();
        assert!(held.iter().all(Option::is_some));
        drop(store);
        let whole = std::fs::read(folder.path().join("store")).unwrap();
        Self { folder, keys, held, whole }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Around each copy of a row's key, in the header, and here and there.
    fn places(&self, key: &str) -> Vec<usize> {
        let rows = copies(&self.whole, key.as_bytes());
        let near = rows.into_iter().flat_map(|at| at.saturating_sub(16)..at + key.len() + 30);
        near.step_by(3).chain((0..400).step_by(5)).chain((0..self.whole.len()).step_by(7919)).collect()
    }

    fn damage(&self, at: usize) {
        let mut damaged = self.whole.clone();
        damaged[at] ^= 0x10;
        std::fs::write(self.path(), &damaged).unwrap();
    }
}

fn put(store: &RedbStore, key: &str, value: Vec<u8>) -> Result<Outcome, StoreError> {
    Ok(block_on(store.apply(vec![Op::Put { key: key.to_owned(), value }]))?.remove(0))
}

fn copies(bytes: &[u8], of: &[u8]) -> Vec<usize> {
    let starts = bytes.windows(of.len()).enumerate().filter(|(_, part)| *part == of);
    starts.map(|(at, _)| at).collect()
}

fn unchecked(path: &Path) -> Result<RedbStore, StoreError> {
    RedbStore::open_with(path, &RedbOptions::new().cache(1 << 20).check(OpenCheck::AfterACrash))
}

#[test]
fn no_flipped_bit_of_a_closed_file_is_read_as_nothing_or_as_another_value() {
    let closed = Closed::new();
    let mut refused = 0;
    for at in closed.places(&closed.keys[20]) {
        closed.damage(at);
        match RedbStore::open(closed.path()).and_then(|store| block_on(store.get(&closed.keys))) {
            Ok(found) => assert_eq!(found, closed.held, "{at}"),
            Err(error) => {
                assert!(matches!(error.failure(), StoreFailure::Corrupt | StoreFailure::Unavailable), "{at}: {error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
}

/// As if the damage came after it was opened: the pages are not looked at before they are read.
#[test]
fn no_flipped_bit_of_an_open_file_is_read_as_nothing_or_as_another_value_and_writing_goes_on_or_says_why() {
    let closed = Closed::new();
    let (mut refused, mut named) = (0, 0);
    for at in closed.places(&closed.keys[20]).into_iter().chain(closed.places(&closed.keys[0])).step_by(2) {
        closed.damage(at);
        let Ok(store) = unchecked(&closed.path()) else { continue };
        for (key, held) in closed.keys.iter().zip(&closed.held) {
            match block_on(store.get(std::slice::from_ref(key))) {
                Ok(found) => assert_eq!(found, std::slice::from_ref(held), "{at} {key}"),
                Err(error) => {
                    refused += 1;
                    named += u32::from(error.to_string().contains(key.as_str()));
                }
            }
            // What is there is not written beside.
            if let Ok(outcome) = put(&store, key, vec![1]) {
                assert_eq!(outcome, Outcome::Conflict, "{at} {key}");
            }
        }
        let listed = block_on(store.keys("ledger/", "", 100));
        assert!(listed.is_err() || listed.unwrap().len() == closed.keys.len(), "{at}");
        match block_on(store.scan("ledger/", "", 100)) {
            Ok(page) => assert!(page.into_iter().map(|(_, entry)| Some(entry)).eq(closed.held.iter().cloned()), "{at}"),
            Err(error) => assert_ne!(error.failure(), StoreFailure::Refused, "{at}"),
        }
        // The writing thread answers still.
        if let Err(error) = put(&store, "z/another", vec![1]) {
            assert_eq!(error.failure(), StoreFailure::Corrupt, "{at}: {error}");
        }
    }
    assert!(refused > 0);
    // But for a file that cannot be read at all.
    assert!(named * 10 >= refused * 9, "{named} of {refused}");
}

/// The value of one row, in each copy of it that lies in the file.
fn damage_value(closed: &Closed, key: &str) {
    let mut damaged = closed.whole.clone();
    let store = unchecked(&closed.path()).unwrap();
    let entry = block_on(store.get(&[key.to_owned()])).unwrap().remove(0).unwrap();
    drop(store);
    // Its number stands in its row, and in no other.
    let mut row = entry.tag.as_bytes().to_vec();
    row.push(0);
    let places = copies(&damaged, &row);
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| damaged[at + 50] ^= 1);
    std::fs::write(closed.path(), damaged).unwrap();
}

#[test]
fn a_damaged_row_is_named_and_the_others_are_whole_and_saved() {
    let closed = Closed::new();
    let lost = &closed.keys[7];
    damage_value(&closed, lost);
    assert_eq!(RedbStore::open(closed.path()).unwrap_err().failure(), StoreFailure::Corrupt);
    let store = unchecked(&closed.path()).unwrap();
    let error = block_on(store.get(std::slice::from_ref(lost))).unwrap_err();
    assert_eq!(error.failure(), StoreFailure::Corrupt);
    assert!(error.to_string().contains(lost.as_str()), "{error}");
    assert_eq!(block_on(store.get(&closed.keys[8..])).unwrap(), closed.held[8..]);
    // It is listed, so that it is known to be there.
    assert_eq!(block_on(store.keys("ledger/", "", 100)).unwrap(), closed.keys);
    let findings = block_on(store.check()).unwrap();
    assert_eq!(findings.whole(), 39);
    assert_eq!(findings.damaged().len(), 1, "{findings}");
    assert!(findings.damaged()[0].contains(lost.as_str()), "{findings}");
    // What is damaged is not left out silently.
    assert_eq!(block_on(store.compact()).unwrap_err().failure(), StoreFailure::Corrupt);
    assert_eq!(block_on(store.keys("ledger/", "", 100)).unwrap(), closed.keys);
    drop(store);

    let saved = closed.folder.path().join("saved");
    let before = std::fs::read(closed.path()).unwrap();
    assert_eq!(RedbStore::salvage(closed.path(), &saved).unwrap(), findings);
    assert_eq!(std::fs::read(closed.path()).unwrap(), before);
    assert!(RedbStore::salvage(closed.path(), &saved).is_err(), "nothing is overwritten");
    let store = RedbStore::open(&saved).unwrap();
    let mut expected = closed.held.clone();
    expected[7] = None;
    assert_eq!(block_on(store.get(&closed.keys)).unwrap(), expected);
    // Numbers go on, so that no tag comes back.
    let Outcome::Written(tag) = put(&store, lost, vec![1]).unwrap() else { panic!() };
    assert!(closed.held.iter().flatten().all(|entry| entry.tag != tag));
}

/// Rows are read from the first one on, and beyond the damage from the last one back.
#[cfg(unix)]
#[test]
fn rows_on_either_side_of_damage_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = RedbStore::open(&path).unwrap();
    for some in (0..3000).collect::<Vec<_>>().chunks(500) {
        let ops = some.iter().map(|n| Op::Put { key: format!("k/{n:05}"), value: vec![7; 900] });
        block_on(store.apply(ops.collect())).unwrap();
    }
    drop(store);
    let whole = std::fs::read(&path).unwrap();
    let mut gaps = 0;
    for at in (4096..whole.len()).step_by(4096 * 23) {
        std::fs::write(&path, &whole).unwrap();
        // It comes when the file is open, or the engine would not open it.
        let store = RedbStore::open_with(&path, &RedbOptions::new().cache(0).check(OpenCheck::AfterACrash)).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &[whole[at] ^ 0x7f], at as u64).unwrap();
        let Ok(findings) = block_on(store.check()) else { continue };
        if findings.damaged().iter().any(|damage| damage.starts_with("between")) {
            gaps += 1;
            assert!(findings.damaged().iter().all(|damage| !damage.contains("not in its place")), "{at}: {findings}");
        }
    }
    assert!(gaps > 0);
}

/// By the runbook: what lies beside the damage fails with it until then.
#[test]
fn whatever_row_is_damaged_the_salvaged_store_lists_erases_and_backs_up_all_others() {
    let world = World::new();
    let (access, memory) = (world.access("a"), MemoryStore::new());
    fill(&world, &memory, &access, 3);
    let all = contents(&memory);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = RedbStore::open(&path).unwrap();
    // Numbers that stand nowhere else.
    let first = (0..9000).map(|n| Op::Put { key: format!("first/{n}"), value: Vec::new() });
    block_on(store.apply(first.collect())).unwrap();
    block_on(store.delete_prefix("first/")).unwrap();
    all.iter().for_each(|(key, value)| _ = put(&store, key, value.clone()).unwrap());
    let keys: Vec<String> = all.keys().cloned().collect();
    let tags = block_on(store.tags(&keys)).unwrap();
    // Nor in the count of writes.
    put(&store, "last/1", Vec::new()).unwrap();
    block_on(store.delete_prefix("last/")).unwrap();
    block_on(store.compact()).unwrap();
    drop(store);
    let whole = std::fs::read(&path).unwrap();
    let mut beside = 0;
    for (n, (lost, tag)) in keys.iter().zip(tags).enumerate() {
        let saved = folder.path().join(format!("saved-{n}"));
        let mut damaged = whole.clone();
        let places = copies(&damaged, tag.unwrap().as_bytes());
        assert!(!places.is_empty());
        places.into_iter().for_each(|at| damaged[at] ^= 1);
        std::fs::write(&path, damaged).unwrap();
        if let Ok(store) = unchecked(&path) {
            beside += u32::from(block_on(backup::write(&store, &mut Vec::new())).is_err());
        }
        let findings = RedbStore::salvage(&path, &saved).unwrap();
        assert_eq!((findings.whole() as usize, findings.damaged().len()), (all.len() - 1, 1), "{lost}: {findings}");
        let store = RedbStore::open(&saved).unwrap();
        let written = block_on(backup::write(&store, &mut Vec::new())).unwrap();
        assert!(written.damaged.len() <= 1, "{lost}: {:?}", written.damaged);
        assert_eq!(block_on(store.delete_prefix("")).unwrap() as usize, all.len() - 1);
    }
    assert!(beside > 0, "this test shows nothing");
}

#[test]
fn what_can_be_read_of_a_damaged_file_is_saved_wherever_the_damage_is() {
    let closed = Closed::new();
    let (mut nothing, mut some) = (0, 0);
    for (n, at) in closed.places(&closed.keys[20]).into_iter().step_by(4).enumerate() {
        closed.damage(at);
        let saved = closed.folder.path().join(format!("saved-{n}"));
        let Ok(findings) = RedbStore::salvage(closed.path(), &saved) else {
            nothing += 1;
            continue;
        };
        let found = block_on(RedbStore::open(&saved).unwrap().get(&closed.keys)).unwrap();
        let lost = found.iter().filter(|entry| entry.is_none()).count();
        assert!(found.iter().zip(&closed.held).all(|(found, held)| found.is_none() || found == held), "{at}");
        assert!(lost == 0 || !findings.damaged().is_empty(), "{at}: {lost} lost");
        assert_eq!(findings.whole() as usize, 40 - lost, "{at}");
        some += 1;
    }
    assert!(some > nothing, "{some} {nothing}");
}

#[test]
fn a_file_that_a_process_holds_is_not_salvaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let _store = RedbStore::open(&path).unwrap();
    let failure = RedbStore::salvage(&path, folder.path().join("saved")).unwrap_err().failure();
    assert_eq!(failure, StoreFailure::Unavailable);
}

/// The header names the last two commits: a bit of it leads to the one before.
#[test]
fn no_flipped_bit_of_a_header_takes_a_store_of_a_killed_process_back_when_it_was_quiet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = RedbStore::open(&path).unwrap();
    let keys: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
    keys.iter().for_each(|key| _ = put(&store, key, vec![1; 50]).unwrap());
    let held = block_on(store.get(&keys)).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let killed = std::fs::read(&path).unwrap();
    drop(store);
    // The marks, and here and there in what says where the last two commits lie.
    for (at, bit) in (0..8).map(|bit| (9, 1 << bit)).chain((0..320).step_by(5).map(|at| (at, 0x04))) {
        let mut damaged = killed.clone();
        damaged[at] ^= bit;
        std::fs::write(&path, &damaged).unwrap();
        if let Ok(found) = RedbStore::open(&path).and_then(|store| block_on(store.get(&keys))) {
            assert_eq!(found, held, "{at}");
        }
    }
}
