//! What a store on disk promises beyond the trait: nothing is left of what was deleted, and nothing is written that was not
//! sent.
#![cfg(feature = "redb")]

use std::sync::atomic::{AtomicBool, Ordering};

use chartseal::store::{MemoryStore, Op, Outcome, RedbOptions, RedbStore, Store};

use crate::support::guard;
use crate::support::stored::{contents, fill};
use crate::support::waiting::block_on;
use crate::support::world::World;

fn put(key: &str, value: &[u8]) -> Op {
    Op::Put { key: key.to_owned(), value: value.to_vec() }
}

fn is_in(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn after_compacting_nothing_of_what_was_deleted_or_replaced_lies_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = RedbStore::open(&path).unwrap();
    let large = |mark: &str| mark.repeat(1000).into_bytes();
    for n in 0..50 {
        let ops = vec![
            put(&format!("wrap/alice/{n:03}"), b"wrap-of-the-erased"),
            put(&format!("body/alice/{n:03}"), &large("body-of-the-erased")),
            put(&format!("body/bob/{n:03}"), &large("body-of-another")),
            put(&format!("wrap/bob/{n:03}"), b"first-wrap-of-another"),
        ];
        block_on(store.apply(ops)).unwrap();
        let key = format!("wrap/bob/{n:03}");
        let tag = block_on(store.tags(std::slice::from_ref(&key))).unwrap().remove(0).unwrap();
        block_on(store.apply(vec![Op::Swap { key, tag, value: b"second-wrap-of-another".to_vec() }])).unwrap();
    }
    let kept: Vec<String> = (0..50).flat_map(|n| [format!("body/bob/{n:03}"), format!("wrap/bob/{n:03}")]).collect();
    let held = block_on(store.get(&kept)).unwrap();
    for prefix in ["wrap/alice/", "body/alice/"] {
        assert_eq!(block_on(store.delete_prefix(prefix)).unwrap(), 50);
    }
    let before = std::fs::read(&path).unwrap();
    assert!(is_in(&before, b"wrap-of-the-erased") || is_in(&before, b"body-of-the-erased"), "this test shows nothing");
    block_on(store.compact()).unwrap();
    assert_eq!(block_on(store.get(&kept)).unwrap(), held);
    let Outcome::Written(tag) = block_on(store.apply(vec![put("new", b"1")])).unwrap().remove(0) else { panic!() };
    assert!(held.iter().flatten().all(|entry| entry.tag != tag));
    drop(store);
    let after = std::fs::read(&path).unwrap();
    for erased in ["wrap-of-the-erased", "body-of-the-erased", "alice", "first-wrap-of-another"] {
        assert!(!is_in(&after, erased.as_bytes()), "{erased}");
    }
    assert!(after.len() < before.len());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(block_on(RedbStore::open(&path).unwrap().get(&kept)).unwrap(), held);
}

#[test]
fn after_an_erasure_and_a_compaction_no_wrap_and_no_body_of_the_erased_lies_in_the_file() {
    let (world, other) = (World::new(), World::new());
    let (access, kept) = (world.access("a"), other.access("a"));
    let folder = tempfile::tempdir().unwrap();
    let (path, ledger) = (folder.path().join("store"), MemoryStore::new());
    let store = RedbStore::open(&path).unwrap();
    fill(&world, &store, &access, 5);
    let of_hers = contents(&store);
    fill(&other, &store, &kept, 5);
    let repository = guard::guarded(&store, guard::ledger(&ledger));
    let erasure = world.erasure();
    let erased = block_on(repository.erase(&erasure)).unwrap();
    assert_eq!((erased.wraps, erased.bodies), (5, 5));
    let said = erased.to_string();
    assert!(said.contains("5 pieces of sealed bodies") && said.contains("compacted"), "{said}");
    let left = contents(&store);
    assert_eq!(left.len(), of_hers.len());
    let before = std::fs::read(&path).unwrap();
    assert!(of_hers.values().any(|value| is_in(&before, value)), "this test shows nothing");
    block_on(store.compact()).unwrap();
    assert_eq!(contents(&store), left);
    drop(store);
    let after = std::fs::read(&path).unwrap();
    for (key, value) in of_hers {
        // Values that say nothing are the same for everybody.
        assert!(!is_in(&after, key.as_bytes()) && (value.len() < 32 || !is_in(&after, &value)), "{key}");
    }
}

#[test]
fn a_copy_that_a_killed_process_left_half_made_is_deleted_when_the_store_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    drop(RedbStore::open(&path).unwrap());
    let left = folder.path().join("store.compacting");
    std::fs::write(&left, b"wrap-of-the-erased").unwrap();
    drop(RedbStore::open(&path).unwrap());
    assert!(!left.exists());
}

#[cfg(unix)]
#[test]
fn compacting_follows_a_link_to_the_file_and_leaves_it_one() {
    let folder = tempfile::tempdir().unwrap();
    let (link, place) = (folder.path().join("link"), folder.path().join("data"));
    std::os::unix::fs::symlink(&place, &link).unwrap();
    let store = RedbStore::open(&link).unwrap();
    block_on(store.apply(vec![put("a", b"1")])).unwrap();
    block_on(store.compact()).unwrap();
    drop(store);
    assert!(link.is_symlink());
    assert!(block_on(RedbStore::open(&place).unwrap().get(&["a".to_owned()])).unwrap()[0].is_some());
}

/// Whoever could not read the file before it was copied cannot read it after, nor the copy meanwhile.
#[cfg(unix)]
#[test]
fn a_compacted_file_is_for_those_whom_it_was_for() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = RedbStore::open(&path).unwrap();
    block_on(store.apply(vec![put("a", b"1")])).unwrap();
    for mode in [0o600, 0o660] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        block_on(store.compact()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
    }
}

/// What was readable for one alone is not for everybody because it was damaged.
#[cfg(unix)]
#[test]
fn a_salvaged_file_is_for_those_whom_the_damaged_one_is_for() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let (path, saved) = (folder.path().join("store"), folder.path().join("saved"));
    block_on(RedbStore::open(&path).unwrap().apply(vec![put("a", b"1")])).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(RedbStore::salvage(&path, &saved).unwrap().whole(), 1);
    assert_eq!(std::fs::metadata(&saved).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Whoever waits for the file would get the one that is no longer in its place, and what he writes is lost.
#[cfg(unix)]
#[test]
fn nobody_else_gets_a_file_while_it_is_compacted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = RedbStore::open(&path).unwrap();
    block_on(store.apply(vec![put("a", b"1")])).unwrap();
    let compacted = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let waiting = [(); 2].map(|()| {
            scope.spawn(|| {
                let is_refused = || RedbStore::open(&path).is_err();
                while !compacted.load(Ordering::SeqCst) {
                    assert!(is_refused(), "a second one has the file");
                }
            })
        });
        let done: Vec<_> = (0..60).map(|_| block_on(store.compact())).collect();
        compacted.store(true, Ordering::SeqCst);
        assert!(waiting.into_iter().all(|thread| thread.join().is_ok()));
        assert!(done.iter().all(Result::is_ok), "{done:?}");
    });
    assert!(block_on(store.get(&["a".to_owned()])).unwrap()[0].is_some());
}

#[test]
fn reads_and_writes_go_on_while_a_store_is_compacted() {
    let folder = tempfile::tempdir().unwrap();
    let store = RedbStore::open(folder.path().join("store")).unwrap();
    std::thread::scope(|scope| {
        let compacting = scope.spawn(|| (0..10).for_each(|_| block_on(store.compact()).unwrap()));
        for n in 0..50_u8 {
            let key = format!("k/{n}");
            assert!(matches!(block_on(store.apply(vec![put(&key, &[n])])).unwrap()[0], Outcome::Written(_)));
            assert_eq!(block_on(store.get(&[key])).unwrap().remove(0).unwrap().value, [n]);
        }
        compacting.join().unwrap();
    });
    assert_eq!(block_on(store.keys("k/", "", 100)).unwrap().len(), 50);
}

#[test]
fn a_call_that_is_dropped_before_it_is_sent_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let store = RedbStore::open(folder.path().join("store")).unwrap();
    drop(store.apply(vec![put("dropped", b"1")]));
    drop(store.delete_prefix(""));
    block_on(store.apply(vec![put("made", b"1")])).unwrap();
    assert_eq!(block_on(store.keys("", "", 10)).unwrap(), ["made"]);
}

#[test]
fn a_store_with_a_small_cache_holds_what_is_larger_than_it() {
    let folder = tempfile::tempdir().unwrap();
    let options = RedbOptions::new().cache(64 << 10);
    let store = RedbStore::open_with(folder.path().join("store"), &options).unwrap();
    for n in 0..20_u8 {
        block_on(store.apply(vec![put(&format!("k/{n:02}"), &[n; 100_000])])).unwrap();
    }
    let page = block_on(store.scan("k/", "", 100)).unwrap();
    assert!(page.iter().enumerate().all(|(n, (_, entry))| entry.value == [n as u8; 100_000]));
    assert_eq!(page.len(), 20);
}

#[test]
fn a_value_that_grows_or_shrinks_is_the_one_that_was_written_last() {
    let folder = tempfile::tempdir().unwrap();
    let store = RedbStore::open(folder.path().join("store")).unwrap();
    let key = "k".to_owned();
    let mut outcome = block_on(store.apply(vec![put("k", b"small")])).unwrap().remove(0);
    for size in [5000, 10, 2048, 2049, 0] {
        let Outcome::Written(tag) = outcome else { panic!("{outcome:?}") };
        outcome =
            block_on(store.apply(vec![Op::Swap { key: key.clone(), tag, value: vec![3; size] }])).unwrap().remove(0);
        let entry = block_on(store.get(std::slice::from_ref(&key))).unwrap().remove(0).unwrap();
        assert_eq!(entry.value, vec![3; size]);
        assert_eq!(block_on(store.check()).unwrap().whole(), 1);
    }
}
