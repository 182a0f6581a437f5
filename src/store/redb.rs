//! A store on disk, in one file, by the `redb` crate.

mod copying;
mod failure;
mod file;
mod findings;
#[cfg(test)]
mod full;
mod held;
mod options;
mod queue;
mod reading;
mod row;
mod writing;

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use futures_channel::oneshot;
use redb::{Database, ReadableDatabase};

use self::failure::gone;
use self::held::{Held, Opener};
use self::queue::{Queue, Received};
use self::reading::Listing;
use self::writing::{Answer, Job};
use super::{
    BoxFuture, Entry, Limits, Op, Order, Outcome, Store, StoreError, Tag, check_keys, check_ops, check_prefix,
};

pub(crate) use failure::{caught, damaged, failed, unavailable};
pub(crate) use file::open as open_file;
pub use findings::Findings;
pub use options::{OpenCheck, RedbOptions};
pub(crate) use row::{decode, encode_here, find};

/// A [`Store`] in one file of this machine.
///
/// One thread writes. It takes all batches that wait for it into one durable transaction, so that many callers share the
/// cost of reaching the disk. At most 64 MiB wait for it; whoever has more to write waits until there is room, and a call
/// that is dropped before its turn is not made. A few threads read, so that nothing blocks the caller's.
///
/// What is damaged is [`Corrupt`](super::StoreFailure::Corrupt), and the key is named. Rows have checksums, and a key is
/// absent when its neighbours are whole and in order. After an I/O error, a full disk too, the file is opened again. The
/// engine may panic over a damaged file, which is caught: build with unwinding panics. After a transaction that panicked,
/// nothing more is written until the store is opened again.
pub struct RedbStore {
    held: Arc<Held>,
    writes: Arc<Queue<Job>>,
    reads: Arc<Queue<Reading>>,
    threads: Vec<JoinHandle<()>>,
}

type Reading = Box<dyn FnOnce(&Held) + Send>;

/// One transaction takes a batch whole.
const LIMITS: Limits = Limits { ops: 10_000, bytes: 64 << 20, order: Order::Prefix };
/// Most bytes of batches that wait.
const MOST_WRITES: usize = 64 << 20;
/// Most readings that wait.
const MOST_READS: usize = 1024;
const READERS: usize = 4;

impl RedbStore {
    /// Opens the file, or makes it, with the options of [`RedbOptions::new`]. One process at a time can hold it.
    ///
    /// # Errors
    ///
    /// As [`RedbStore::open_with`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, &RedbOptions::new())
    }

    /// Opens the file, or makes it.
    ///
    /// # Errors
    ///
    /// [`StoreFailure`](super::StoreFailure): `Unavailable` if it cannot be opened, `Corrupt` if it is not such a file or
    /// damaged, `Full` if there is no room.
    pub fn open_with(path: impl AsRef<Path>, options: &RedbOptions) -> Result<Self, StoreError> {
        let database = file::open(path.as_ref(), &options.builder())?;
        // Where it lies: a link to it stays one when the file is exchanged.
        let path = fs::canonicalize(path).map_err(unavailable)?;
        // Nobody else holds the file now, so nobody is making this one.
        copying::remove_if_there(&copying::unfinished(&path))?;
        let options = options.clone();
        let opener: Opener = Box::new(move |path| file::open_there(path, &options.builder_again()));
        Self::start(database, &path, opener)
    }

    fn start(database: Database, path: &Path, opener: Opener) -> Result<Self, StoreError> {
        caught(|| make_tables(&database))?;
        let held = Arc::new(Held::new(database, path.to_owned(), opener));
        let (writes, reads) = (Arc::new(Queue::new(MOST_WRITES)), Arc::new(Queue::new(MOST_READS)));
        let mut store = Self { held, writes, reads, threads: Vec::new() };
        let (held, writes) = (store.held.clone(), store.writes.clone());
        store.thread("chartseal-redb-write", move || writing::write(&held, &writes))?;
        for _ in 0..READERS {
            let (held, reads) = (store.held.clone(), store.reads.clone());
            store.thread("chartseal-redb-read", move || {
                while let Received::Item(read) = reads.receive(None) {
                    read(&held);
                }
            })?;
        }
        Ok(store)
    }

    fn thread(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(unavailable)?;
        self.threads.push(thread);
        Ok(())
    }

    /// Reads every row, and says which are damaged. Writes go on meanwhile; it is of one moment.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the file cannot be read at all.
    pub async fn check(&self) -> Result<Findings, StoreError> {
        self.read(|reading| findings::check(&reading)).await
    }

    /// Copies everything into a new file beside this one, and puts it in its place, so that the file is as small as can be,
    /// and nothing that was deleted or replaced lies in it. It needs room for the copy. Reads go on until the new file is
    /// there; writes wait. The blocks of the old file are the file system's then, which may keep their bytes.
    ///
    /// # Errors
    ///
    /// [`StoreFailure`](super::StoreFailure): `Corrupt` if anything is damaged, `Full` if there is no room. The file is as it
    /// was.
    pub async fn compact(&self) -> Result<(), StoreError> {
        self.ask(0, |answer| Job::Compact { answer }).await
    }

    /// Copies what is readable of a damaged file to a new one, tags too, and says what is not. The damaged file stays as it
    /// is; no process may hold it. It takes as long as copying the file twice, on the caller's thread.
    ///
    /// What is lost is lost: restore it from a backup. A rollback guard of which anything is lost is no guard any more.
    ///
    /// # Errors
    ///
    /// [`StoreFailure`](super::StoreFailure): `Corrupt` if nothing is readable, `Unavailable` if a file cannot be opened or
    /// the new one is there already, `Full` if there is no room.
    pub fn salvage(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<Findings, StoreError> {
        copying::salvage(from.as_ref(), to.as_ref())
    }

    /// Reads on a thread of the store.
    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(redb::ReadTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let read = move |held: &Held| {
            if !answer.is_canceled() {
                let _gone = answer.send(held.read(work));
            }
        };
        self.reads.send(Box::new(read), 1).await?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Asks the thread that writes.
    async fn ask<T>(&self, weight: usize, job: impl FnOnce(Answer<T>) -> Job) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.writes.send(job(answer), weight).await?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// Without writing anything where they are there.
fn make_tables(database: &Database) -> Result<(), StoreError> {
    if reading::has_tables(&database.begin_read().map_err(failed)?)? {
        return Ok(());
    }
    let writing = database.begin_write().map_err(failed)?;
    for table in [row::ENTRIES, row::BODIES, row::WRITTEN] {
        writing.open_table(table).map_err(failed)?;
    }
    writing.commit().map_err(failed)
}

impl Store for RedbStore {
    fn limits(&self) -> Limits {
        LIMITS
    }

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        Box::pin(async move {
            check_keys(keys)?;
            let keys = keys.to_vec();
            self.read(move |reading| reading::get(&reading, &keys)).await
        })
    }

    fn tags<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Tag>>, StoreError>> {
        Box::pin(async move {
            check_keys(keys)?;
            let keys = keys.to_vec();
            self.read(move |reading| reading::tags(&reading, &keys)).await
        })
    }

    fn keys<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            check_prefix(prefix)?;
            let from = Listing { prefix: prefix.to_owned(), after: after.to_owned(), limit };
            self.read(move |reading| reading::keys(&reading, &from)).await
        })
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(String, Entry)>, StoreError>> {
        Box::pin(async move {
            check_prefix(prefix)?;
            let from = Listing { prefix: prefix.to_owned(), after: after.to_owned(), limit };
            self.read(move |reading| reading::scan(&reading, &from)).await
        })
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        Box::pin(async move {
            check_ops(&ops, &LIMITS)?;
            self.ask(writing::weight(&ops), |answer| Job::Batch { ops, answer }).await
        })
    }

    fn delete_prefix<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(async move {
            check_prefix(prefix)?;
            let prefix = prefix.to_owned();
            self.ask(prefix.len(), |answer| Job::DeletePrefix { prefix, answer }).await
        })
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        self.writes.close();
        self.reads.close();
        self.threads.drain(..).for_each(|thread| _ = thread.join());
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").finish_non_exhaustive()
    }
}
