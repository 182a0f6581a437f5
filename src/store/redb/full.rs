//! A disk that is full for a while.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use redb::{Database, StorageBackend};

use super::RedbStore;
use crate::store::{Op, Outcome, Store, StoreError, StoreFailure};

/// A sparse file: a block that is written takes room, one that is written again does not.
#[derive(Debug, Clone, Default)]
struct Disk(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    blocks: Mutex<BTreeMap<u64, [u8; BLOCK]>>,
    length: AtomicU64,
    /// Blocks that there is room for.
    room: AtomicU64,
    /// Readings that fail.
    unreadable: AtomicU64,
}

const BLOCK: usize = 4096;

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, Error> {
        Ok(self.0.length.load(Ordering::SeqCst))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        if self.0.unreadable.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
            return Err(Error::other("a cable was loose"));
        }
        let blocks = self.0.blocks.lock().unwrap();
        let mut place = offset as usize;
        for part in pieces(place, out.len()) {
            let (out, within) = (&mut out[part.clone()], place % BLOCK);
            match blocks.get(&((place / BLOCK) as u64)) {
                Some(block) => out.copy_from_slice(&block[within..within + out.len()]),
                None => out.fill(0),
            }
            place += part.len();
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        self.0.length.store(len, Ordering::SeqCst);
        self.0.blocks.lock().unwrap().retain(|block, _| block * (BLOCK as u64) < len);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), Error> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        let mut blocks = self.0.blocks.lock().unwrap();
        let mut place = offset as usize;
        for part in pieces(place, data.len()) {
            let (number, within) = ((place / BLOCK) as u64, place % BLOCK);
            if !blocks.contains_key(&number) && blocks.len() as u64 >= self.0.room.load(Ordering::SeqCst) {
                return Err(Error::from(ErrorKind::StorageFull));
            }
            let block = blocks.entry(number).or_insert([0; BLOCK]);
            block[within..within + part.len()].copy_from_slice(&data[part.clone()]);
            place += part.len();
        }
        Ok(())
    }
}

/// The parts of so many bytes from there on that lie in one block each.
fn pieces(start: usize, length: usize) -> Vec<std::ops::Range<usize>> {
    let mut pieces = Vec::new();
    let mut done = 0;
    while done < length {
        let end = length.min(done + BLOCK - (start + done) % BLOCK);
        pieces.push(done..end);
        done = end;
    }
    pieces
}

fn open(disk: &Disk) -> RedbStore {
    let database = |disk: Disk| Database::builder().create_with_backend(disk).map_err(super::failure::not_opened);
    let again = disk.clone();
    let opener = Box::new(move |_: &Path| database(again.clone()));
    RedbStore::start(database(disk.clone()).unwrap(), Path::new("none"), opener).unwrap()
}

fn put(store: &RedbStore, key: &str) -> Result<Outcome, StoreError> {
    let op = Op::Put { key: key.to_owned(), value: vec![1; 1000] };
    Ok(pollster::block_on(store.apply(vec![op]))?.remove(0))
}

#[test]
fn a_full_disk_is_said_to_be_full_reads_go_on_and_so_do_writes_when_there_is_room() {
    let disk = Disk::default();
    disk.0.room.store(u64::MAX, Ordering::SeqCst);
    let store = open(&disk);
    let mut written = Vec::new();
    let mut next = (0..10_000).map(|n| format!("k/{n:05}"));
    let mut fails = 0;
    for _ in 0..3 {
        let used = disk.0.blocks.lock().unwrap().len() as u64;
        disk.0.room.store(used + 40, Ordering::SeqCst);
        // Some of it is free again after a failure, and is written then.
        let mut refused = 0;
        while refused < 10 {
            let key = next.next().unwrap();
            match put(&store, &key) {
                Ok(outcome) => {
                    assert!(matches!(outcome, Outcome::Written(_)));
                    written.push(key);
                }
                Err(error) => {
                    assert_eq!(error.failure(), StoreFailure::Full, "{error}");
                    refused += 1;
                    let held = pollster::block_on(store.keys("k/", "", 10_000)).unwrap();
                    assert_eq!(held, written, "nothing was changed");
                }
            }
        }
        fails += refused;
        let held = pollster::block_on(store.get(&written)).unwrap();
        assert!(held.iter().all(Option::is_some));
    }
    assert_eq!(fails, 30);
    disk.0.room.store(u64::MAX, Ordering::SeqCst);
    for key in next.take(20) {
        assert!(matches!(put(&store, &key), Ok(Outcome::Written(_))));
        written.push(key);
    }
    drop(store);
    let held = pollster::block_on(open(&disk).get(&written)).unwrap();
    assert!(held.iter().all(Option::is_some));
}

#[test]
fn a_reading_that_fails_once_fails_no_other_call() {
    let disk = Disk::default();
    disk.0.room.store(u64::MAX, Ordering::SeqCst);
    let store = open(&disk);
    put(&store, "a").unwrap();
    drop(store);
    let store = open(&disk);
    disk.0.unreadable.store(1, Ordering::SeqCst);
    let keys = ["a".to_owned()];
    let first = pollster::block_on(store.get(&keys));
    assert!(first.is_ok() || first.unwrap_err().failure() == StoreFailure::Unavailable);
    assert!(pollster::block_on(store.get(&keys)).unwrap()[0].is_some());
    assert!(matches!(put(&store, "b"), Ok(Outcome::Written(_))));
}
