//! The copying of a file to a new one: so that nothing is in it that was deleted, or to save what can be read.

use std::fs;
use std::path::{Path, PathBuf};

use redb::{Database, ReadTransaction, ReadableDatabase};

use super::failure::{caught, failed, unavailable};
use super::file;
use super::findings::{COUNT, Findings, Found, Whole, read, walk};
use super::held::Held;
use super::options::RedbOptions;
use super::row::{BODIES, ENTRIES, WRITTEN, written};
use super::writing::set_count;
use crate::store::{StoreError, StoreFailure};

/// Copies what lives into a new file, and puts that in the place of the old one, so that nothing of what was deleted is left
/// between the pages.
pub(super) fn compact(held: &Held) -> Result<(), StoreError> {
    let new = unfinished(held.path());
    remove_if_there(&new)?;
    let copied = make_alike(&new, held.path()).and_then(|()| {
        held.read(|reading| {
            let findings = copy(&reading, &new)?;
            match findings.damaged().first() {
                None => Ok(()),
                Some(damage) => Err(StoreError::new(StoreFailure::Corrupt, damage.as_str())),
            }
        })
    });
    let exchanged = copied.and_then(|()| held.exchange(&new));
    let _gone = remove_if_there(&new);
    exchanged
}

/// Makes the new file for those alone whom the old one is for, before anything is in it.
fn make_alike(new: &Path, old: &Path) -> Result<(), StoreError> {
    drop(file::open(new, &RedbOptions::new().builder_again())?);
    let permissions = fs::metadata(old).map_err(unavailable)?.permissions();
    fs::set_permissions(new, permissions).map_err(unavailable)
}

/// Where the new file is made. It has a name that the next one who opens the store knows, and deletes: it may hold what is
/// erased later.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".compacting");
    path.with_file_name(name)
}

/// Deletes a file, if it is there.
pub(super) fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unavailable(error)),
        _ => Ok(()),
    }
}

/// Copies what is readable of a damaged file, which nobody holds, to a new one.
pub(super) fn salvage(from: &Path, to: &Path) -> Result<Findings, StoreError> {
    let locked = fs::File::open(from).map_err(unavailable)?;
    locked.try_lock_shared().map_err(unavailable)?;
    if to.try_exists().map_err(unavailable)? {
        return Err(unavailable(format!("{} is there already", to.display())));
    }
    // The engine changes what it opens, so it is given a copy.
    let trial = unfinished(to);
    let salvaged = fs::copy(from, &trial).map_err(unavailable).and_then(|_| {
        file::take_for_closed(&trial).map_err(unavailable)?;
        let readable = file::read_only(&trial)?;
        let reading = readable.begin_read().map_err(failed)?;
        make_alike(to, from)?;
        copy(&reading, to)
    });
    let _gone = remove_if_there(&trial);
    if salvaged.is_err() {
        let _gone = remove_if_there(to);
    }
    salvaged
}

/// Copies each whole value, with its tag, to a file that holds nothing yet.
fn copy(reading: &ReadTransaction, to: &Path) -> Result<Findings, StoreError> {
    // Or nothing is readable.
    caught(|| reading.open_table(ENTRIES).map_err(failed))?;
    let mut findings = Findings::default();
    let target = file::open(to, &RedbOptions::new().builder_again())?;
    let bodies = caught(|| reading.open_table(BODIES).map_err(failed));
    let mut copying = Copying { target: &target, rows: Vec::new(), bytes: 0, most: 0, failed: None };
    let gaps = walk(reading, &mut |Found { key, row, .. }| {
        // Without room for it, nothing more is read.
        if copying.failed.is_some() {
            return;
        }
        let bodies = bodies.as_ref().map_err(Clone::clone);
        match bodies.and_then(|bodies| read(bodies, key, row)) {
            Ok(whole) => {
                findings.whole += 1;
                copying.add(key, row, whole);
            }
            Err(error) => findings.add(error.text().to_owned()),
        }
    });
    gaps.into_iter().for_each(|gap| findings.add(gap));
    let counted = match reading.open_table(WRITTEN).map_err(failed).and_then(|counter| written(&counter)) {
        Ok(count) => count,
        Err(_) => {
            findings.add(COUNT.to_owned());
            // Past every number that was given.
            copying.most.saturating_add(SKIPPED)
        }
    };
    copying.end(counted)?;
    Ok(findings)
}

/// Numbers of writes that a damaged count may have hidden.
const SKIPPED: u64 = 1 << 40;

struct Copied {
    key: Vec<u8>,
    row: Vec<u8>,
    body: Option<Vec<u8>>,
}

struct Copying<'a> {
    target: &'a Database,
    rows: Vec<Copied>,
    bytes: usize,
    most: u64,
    failed: Option<StoreError>,
}

impl Copying<'_> {
    fn add(&mut self, key: &[u8], row: &[u8], whole: Whole) {
        if self.failed.is_some() {
            return;
        }
        self.most = self.most.max(whole.number);
        self.bytes += key.len() + row.len() + whole.body.as_ref().map_or(0, Vec::len);
        self.rows.push(Copied { key: key.to_vec(), row: row.to_vec(), body: whole.body });
        if self.bytes > AT_ONCE {
            self.failed = self.write(None).err();
        }
    }

    fn write(&mut self, count: Option<u64>) -> Result<(), StoreError> {
        let writing = self.target.begin_write().map_err(failed)?;
        {
            let mut rows = writing.open_table(ENTRIES).map_err(failed)?;
            let mut bodies = writing.open_table(BODIES).map_err(failed)?;
            for Copied { key, row, body } in self.rows.drain(..) {
                rows.insert(key.as_slice(), row.as_slice()).map_err(failed)?;
                if let Some(body) = body {
                    bodies.insert(key.as_slice(), body.as_slice()).map_err(failed)?;
                }
            }
            if let Some(count) = count {
                set_count(&writing, count)?;
            }
        }
        self.bytes = 0;
        writing.commit().map_err(failed)
    }

    fn end(mut self, count: u64) -> Result<(), StoreError> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.write(Some(count)),
        }
    }
}

/// Bytes of rows in one transaction of a copy.
const AT_ONCE: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use redb::StorageBackend;
    use redb::backends::InMemoryBackend;

    use super::*;

    /// A disk that is full from some time on.
    #[derive(Debug)]
    struct Full(InMemoryBackend, &'static AtomicBool);

    impl StorageBackend for Full {
        fn len(&self) -> std::io::Result<u64> {
            self.0.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
            self.0.read(offset, out)
        }

        fn set_len(&self, len: u64) -> std::io::Result<()> {
            if self.1.load(Ordering::SeqCst) {
                Err(std::io::ErrorKind::StorageFull.into())
            } else {
                self.0.set_len(len)
            }
        }

        fn sync_data(&self) -> std::io::Result<()> {
            self.0.sync_data()
        }

        fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
            self.0.write(offset, data)
        }
    }

    #[test]
    #[allow(clippy::unwrap_used, reason = "a test")]
    fn a_copy_that_finds_no_room_keeps_nothing_of_the_rest_in_memory() {
        static IS_FULL: AtomicBool = AtomicBool::new(false);
        let target = Database::builder().create_with_backend(Full(InMemoryBackend::new(), &IS_FULL)).unwrap();
        IS_FULL.store(true, Ordering::SeqCst);
        let mut copying = Copying { target: &target, rows: Vec::new(), bytes: 0, most: 0, failed: None };
        for n in 0..40_u64 {
            let body = Some(vec![7; 4 << 20]);
            copying.add(&n.to_be_bytes(), b"row", Whole { number: n, body });
        }
        let held: usize = copying.rows.iter().filter_map(|row| row.body.as_ref()).map(Vec::len).sum();
        assert!(held <= 2 * AT_ONCE, "{held} bytes");
        assert_eq!(copying.end(40).unwrap_err().failure(), StoreFailure::Full);
    }
}
