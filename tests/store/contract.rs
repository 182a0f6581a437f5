//! Stores keep what they promise, through faults, restarts and a killed process.

use chartseal::store::{BoxFuture, MemoryStore, Op, Outcome, Store, StoreError, StoreFailure};

use crate::support::store::hands_on;
use crate::support::waiting::block_on;

#[cfg(feature = "redb")]
mod on_disk {
    use std::path::Path;
    use std::time::{Duration, Instant};

    use chartseal::pin::RedbPins;
    use chartseal::store::conformance::{Engine, violations};
    use chartseal::store::{Entry, Op, Outcome, RedbStore, Store, StoreError, StoreFailure};

    use crate::support::waiting::{Again, LIMIT, block_on};

    struct Folder(tempfile::TempDir);

    impl Engine for Folder {
        fn open(&self, name: &str) -> Result<Box<dyn Store>, StoreError> {
            Ok(Box::new(RedbStore::open(self.0.path().join(name))?))
        }
    }

    #[test]
    fn the_store_on_disk_keeps_every_promise() {
        assert_eq!(violations(&Folder(tempfile::tempdir().unwrap())), []);
    }

    #[test]
    fn what_was_written_is_there_after_a_restart_and_no_tag_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let put = |store: &RedbStore, key: &str| match block_on(
            store.apply(vec![Op::Put { key: key.into(), value: b"1".to_vec() }]),
        )
        .unwrap()
        .remove(0)
        {
            Outcome::Written(tag) => tag,
            other => panic!("{other:?}"),
        };
        let store = RedbStore::open(&path).unwrap();
        let first = put(&store, "a");
        let gone = put(&store, "b");
        assert_eq!(
            block_on(store.apply(vec![Op::Delete { key: "b".into(), tag: gone.clone() }])).unwrap(),
            [Outcome::Deleted]
        );
        drop(store);
        let store = RedbStore::open(&path).unwrap();
        let held: Vec<_> = block_on(store.get(&["a".into(), "b".into()])).unwrap();
        assert_eq!(held, [Some(Entry { tag: first, value: b"1".to_vec() }), None]);
        assert_ne!(put(&store, "b"), gone);
    }

    #[test]
    fn many_threads_share_one_store() {
        let folder = tempfile::tempdir().unwrap();
        let store = RedbStore::open(folder.path().join("store")).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                let store = &store;
                scope.spawn(move || {
                    for n in 0..20 {
                        let key = format!("count/{n}");
                        let tries = (0..100).find(|_| {
                            let held = block_on(store.get(std::slice::from_ref(&key))).unwrap().remove(0);
                            let op = match held {
                                None => Op::Put { key: key.clone(), value: vec![1] },
                                Some(Entry { tag, value }) => {
                                    Op::Swap { key: key.clone(), tag, value: vec![value[0] + 1] }
                                }
                            };
                            block_on(store.apply(vec![op])).unwrap() != [Outcome::Conflict]
                        });
                        // Each of the seven others comes first once.
                        assert!(tries.is_some_and(|tries| tries <= 7), "{tries:?}");
                    }
                });
            }
        });
        let keys: Vec<String> = (0..20).map(|n| format!("count/{n}")).collect();
        assert!(block_on(store.get(&keys)).unwrap().iter().all(|entry| entry.as_ref().unwrap().value == [8]));
    }

    #[test]
    fn a_file_that_is_none_of_ours_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        std::fs::write(&path, [7; 10_000]).unwrap();
        assert_eq!(RedbStore::open(&path).unwrap_err().failure(), StoreFailure::Corrupt);
        assert_eq!(std::fs::read(&path).unwrap(), [7; 10_000]);
        let nowhere = RedbStore::open(folder.path().join("no/such/folder"));
        assert_eq!(nowhere.unwrap_err().failure(), StoreFailure::Unavailable);
    }

    const CHILD: &str = "CHARTSEAL_TEST_WRITER";

    /// The part of the next test that runs in a process of its own: says of each value when it is durable.
    #[test]
    fn writes_until_it_is_killed() {
        let Ok(path) = std::env::var(CHILD) else { return };
        let store = RedbStore::open(path).unwrap();
        let start = Instant::now();
        for n in (0u64..).take_while(|_| start.elapsed() < LIMIT) {
            let op = Op::Put { key: format!("k/{n:08}"), value: n.to_be_bytes().to_vec() };
            block_on(store.apply(vec![op])).unwrap();
            println!("written {n}");
        }
    }

    fn killed_after(path: &Path, acknowledged: u64) -> u64 {
        let test = concat!(module_path!(), "::writes_until_it_is_killed");
        let writer = Again::start(test, |command| _ = command.env(CHILD, path));
        let number = |line: String| line.rsplit_once("written ").map(|(_, n)| n.trim().parse::<u64>().unwrap());
        let mut last = None;
        while last < Some(acknowledged) {
            last = number(writer.line().unwrap()).or(last);
        }
        last.unwrap()
    }

    const MAKER: &str = "CHARTSEAL_TEST_MAKER";

    /// The part of the next test that runs in a process of its own.
    #[test]
    fn makes_files_until_it_is_killed() {
        let Some(folder) = std::env::var_os(MAKER) else { return };
        let start = Instant::now();
        for n in (0u64..).take_while(|_| start.elapsed() < LIMIT) {
            println!("making {n}");
            let _made = RedbStore::open(Path::new(&folder).join(format!("store-{n}"))).unwrap();
            let _made = RedbPins::open(Path::new(&folder).join(format!("pins-{n}"))).unwrap();
        }
    }

    /// A host that is started anew after it died at its first start goes on.
    #[test]
    fn a_process_that_is_killed_while_it_makes_its_files_leaves_none_that_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..12_u64 {
            let folder = folder.path().join(format!("{n}"));
            std::fs::create_dir(&folder).unwrap();
            let test = concat!(module_path!(), "::makes_files_until_it_is_killed");
            let maker = Again::start(test, |command| _ = command.env(MAKER, &folder));
            while !maker.line().unwrap().contains("making 2") {}
            std::thread::sleep(Duration::from_micros(n * 700));
            drop(maker);
            for file in std::fs::read_dir(&folder).unwrap() {
                let path = file.unwrap().path();
                match path.file_name().unwrap().to_str().unwrap() {
                    unfinished if unfinished.ends_with(".new") => {}
                    store if store.starts_with("store") => drop(RedbStore::open(&path).unwrap()),
                    _ => drop(RedbPins::open(&path).unwrap()),
                }
            }
        }
    }

    #[test]
    fn a_file_that_was_cut_to_nothing_is_no_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, []).unwrap();
        assert_eq!(RedbStore::open(&path).unwrap_err().failure(), StoreFailure::Corrupt);
        assert_eq!(RedbPins::open(&path).unwrap_err().failure(), StoreFailure::Corrupt);
        // Nor is it made into one.
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_place_where_no_file_is_yet_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (link, place) = (folder.path().join("link"), folder.path().join("data"));
        std::os::unix::fs::symlink(&place, &link).unwrap();
        drop(RedbStore::open(&link).unwrap());
        assert!(RedbStore::open(&place).is_ok());
    }

    #[test]
    fn threads_that_open_a_new_file_at_once_hold_one_and_leave_no_other() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..10 {
            let path = folder.path().join(format!("{n}"));
            let opened: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| RedbStore::open(&path))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(opened.iter().filter(|opened| opened.is_ok()).count(), 1);
            assert!(
                opened
                    .iter()
                    .flat_map(|opened| opened.as_ref().err())
                    .all(|error| error.failure() == StoreFailure::Unavailable)
            );
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 10);
    }

    #[test]
    fn what_was_acknowledged_survives_a_kill() {
        let folder = tempfile::tempdir().unwrap();
        for acknowledged in [1, 20, 50] {
            let path = folder.path().join(format!("store-{acknowledged}"));
            let last = killed_after(&path, acknowledged);
            let store = RedbStore::open(&path).unwrap();
            let keys: Vec<String> = (0..=last).map(|n| format!("k/{n:08}")).collect();
            for (n, entry) in block_on(store.get(&keys)).unwrap().into_iter().enumerate() {
                assert_eq!(entry.unwrap().value, (n as u64).to_be_bytes());
            }
        }
    }
}

/// Writes a key again before each deletion of it.
struct Restless(MemoryStore);

impl Store for Restless {
    hands_on!(0: limits get tags keys scan);

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        let again = ops.iter().filter_map(|op| match op {
            Op::Delete { key, tag } if key.ends_with("restless") => {
                Some(Op::Swap { key: key.clone(), tag: tag.clone(), value: b"again".to_vec() })
            }
            _ => None,
        });
        let again = self.0.apply(again.collect());
        Box::pin(async move {
            again.await?;
            self.0.apply(ops).await
        })
    }
}

#[test]
fn what_keeps_being_changed_is_not_said_to_be_deleted() {
    let store = Restless(MemoryStore::new());
    let put = |key: &str| Op::Put { key: key.to_owned(), value: Vec::new() };
    block_on(store.apply(vec![put("a/calm"), put("a/restless"), put("b/calm")])).unwrap();
    let error = block_on(store.delete_prefix("a/")).unwrap_err();
    assert_eq!(error.failure(), StoreFailure::Unavailable);
    assert_eq!(block_on(store.keys("", "", 10)).unwrap(), ["a/restless", "b/calm"]);
    assert_eq!(block_on(store.delete_prefix("b/")), Ok(1));
}
