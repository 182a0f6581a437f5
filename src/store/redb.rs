//! A store on disk, in one file, by the `redb` crate.

pub(crate) mod file;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use futures_channel::oneshot;
use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition};

use super::{
    BoxFuture, Entry, Limits, Op, Order, Outcome, Store, StoreError, StoreFailure, Tag, check_keys, check_ops,
    check_prefix,
};

/// A [`Store`] in one file of this machine.
///
/// One thread writes. It takes all batches that wait for it into one durable transaction, so that many callers share the
/// cost of reaching the disk. Reads run on the caller's thread.
pub struct RedbStore {
    database: Arc<Database>,
    // INVARIANT: there until the store is dropped.
    queue: Option<Sender<Batch>>,
    writer: Option<JoinHandle<()>>,
}

struct Batch {
    ops: Vec<Op>,
    answer: oneshot::Sender<Result<Vec<Outcome>, StoreError>>,
}

/// A key's value: the number of the write (8 bytes, big-endian), then the bytes.
const ENTRIES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("entries");
/// Under the empty key: how many writes there were.
const WRITTEN: TableDefinition<'_, &str, u64> = TableDefinition::new("written");
/// Most changes in one transaction, beyond the first batch of it.
const MOST_OPS: usize = 4096;
const TAG: usize = 8;
/// A page of a listing ends after so many bytes of values.
const PAGE: usize = 8 << 20;
/// One transaction takes a batch whole.
const LIMITS: Limits = Limits { ops: 10_000, bytes: 64 << 20, order: Order::Prefix };

fn entry(tag: &[u8], value: &[u8]) -> Entry {
    Entry { tag: Tag::new(tag), value: value.to_vec() }
}

impl RedbStore {
    /// Opens the file, or makes it. One process at a time can hold it.
    ///
    /// # Errors
    ///
    /// [`StoreFailure::Unavailable`] if it cannot be opened, [`StoreFailure::Corrupt`] if it is not such a file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let database = file::open(path.as_ref(), &Database::builder())?;
        let setup = database.begin_write().map_err(unavailable)?;
        setup.open_table(ENTRIES).map_err(|error| corrupt(&error))?;
        setup.open_table(WRITTEN).map_err(|error| corrupt(&error))?;
        setup.commit().map_err(unavailable)?;

        let database = Arc::new(database);
        let (queue, batches) = channel();
        let writer = {
            let database = database.clone();
            std::thread::Builder::new().name("chartseal-redb".into()).spawn(move || write(&database, &batches))
        };
        Ok(Self { database, queue: Some(queue), writer: Some(writer.map_err(unavailable)?) })
    }

    fn read<T>(&self, keys: &[String], get: impl Fn(&[u8], &[u8]) -> T) -> Result<Vec<Option<T>>, StoreError> {
        check_keys(keys)?;
        let reading = self.database.begin_read().map_err(failed)?;
        let table = reading.open_table(ENTRIES).map_err(failed)?;
        let entry = |key: &String| -> Result<Option<T>, StoreError> {
            let Some(bytes) = table.get(key.as_str()).map_err(failed)? else { return Ok(None) };
            let (tag, value) = bytes.value().split_at_checked(TAG).ok_or_else(damaged)?;
            Ok(Some(get(tag, value)))
        };
        keys.iter().map(entry).collect()
    }

    fn list<T>(
        &self,
        prefix: &str,
        (after, limit): (&str, usize),
        get: impl Fn(&str, &[u8], &[u8]) -> T,
    ) -> Result<Vec<T>, StoreError> {
        check_prefix(prefix)?;
        let reading = self.database.begin_read().map_err(failed)?;
        let table = reading.open_table(ENTRIES).map_err(failed)?;
        let (mut page, mut size) = (Vec::new(), 0);
        for entry in table.range(prefix.max(after)..).map_err(failed)? {
            if page.len() == limit || size >= PAGE {
                break;
            }
            let (key, value) = entry.map_err(failed)?;
            let key = key.value();
            if !key.starts_with(prefix) {
                break;
            }
            if key > after {
                let (tag, value) = value.value().split_at_checked(TAG).ok_or_else(damaged)?;
                size += value.len();
                page.push(get(key, tag, value));
            }
        }
        Ok(page)
    }

    fn send(&self, ops: Vec<Op>) -> Result<oneshot::Receiver<Result<Vec<Outcome>, StoreError>>, StoreError> {
        check_ops(&ops, &LIMITS)?;
        let (answer, answered) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(Batch { ops, answer }).map_err(|_| gone())?;
        Ok(answered)
    }
}

/// Until the last sender is gone: takes what waits, writes it in one transaction, answers.
fn write(database: &Database, batches: &Receiver<Batch>) {
    while let Ok(first) = batches.recv() {
        let mut count = first.ops.len();
        let mut group = vec![first];
        while count < MOST_OPS
            && let Ok(next) = batches.try_recv()
        {
            count += next.ops.len();
            group.push(next);
        }
        let (ops, answers): (Vec<_>, Vec<_>) = group.into_iter().map(|batch| (batch.ops, batch.answer)).unzip();
        // Whoever no longer waits for an answer needs none.
        match transact(database, &ops) {
            Ok(outcomes) => answers.into_iter().zip(outcomes).for_each(|(answer, outcomes)| {
                let _gone = answer.send(Ok(outcomes));
            }),
            // Nothing of the group was written, and one of them alone is to blame.
            Err(error) if error.failure() == StoreFailure::Corrupt => {
                answers.into_iter().zip(ops).for_each(|(answer, ops)| {
                    let alone = transact(database, &[ops]).map(|outcomes| outcomes.into_iter().flatten().collect());
                    let _gone = answer.send(alone);
                })
            }
            Err(error) => answers.into_iter().for_each(|answer| {
                let _gone = answer.send(Err(error.clone()));
            }),
        }
    }
}

fn transact(database: &Database, batches: &[Vec<Op>]) -> Result<Vec<Vec<Outcome>>, StoreError> {
    let writing = database.begin_write().map_err(failed)?;
    let outcomes = {
        let mut entries = writing.open_table(ENTRIES).map_err(failed)?;
        let mut counter = writing.open_table(WRITTEN).map_err(failed)?;
        let mut written = counter.get("").map_err(failed)?.map_or(0, |count| count.value());
        let mut outcomes = Vec::with_capacity(batches.len());
        for ops in batches {
            let changes = ops.iter().map(|op| change(&mut entries, &mut written, op));
            outcomes.push(changes.collect::<Result<Vec<_>, _>>()?);
        }
        counter.insert("", written).map_err(failed)?;
        outcomes
    };
    writing.commit().map_err(failed)?;
    Ok(outcomes)
}

fn change(entries: &mut Table<'_, &str, &[u8]>, written: &mut u64, op: &Op) -> Result<Outcome, StoreError> {
    let held: Option<Tag> = match entries.get(op.key()).map_err(failed)? {
        None => None,
        Some(bytes) => Some(Tag::new(bytes.value().get(..TAG).ok_or_else(damaged)?)),
    };
    match op {
        Op::Put { key, value } if held.is_none() => insert(entries, written, key, value),
        Op::Swap { key, tag, value } if held.as_ref() == Some(tag) => insert(entries, written, key, value),
        Op::Delete { key, tag } if held.as_ref() == Some(tag) => {
            entries.remove(key.as_str()).map_err(failed)?;
            Ok(Outcome::Deleted)
        }
        _ => Ok(Outcome::Conflict),
    }
}

fn insert(
    entries: &mut Table<'_, &str, &[u8]>,
    written: &mut u64,
    key: &str,
    value: &[u8],
) -> Result<Outcome, StoreError> {
    *written += 1;
    let tag = written.to_be_bytes();
    entries.insert(key, [&tag[..], value].concat().as_slice()).map_err(failed)?;
    Ok(Outcome::Written(Tag::new(tag)))
}

impl Store for RedbStore {
    fn limits(&self) -> Limits {
        LIMITS
    }

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        Box::pin(async move { self.read(keys, entry) })
    }

    fn tags<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Tag>>, StoreError>> {
        Box::pin(async move { self.read(keys, |tag, _| Tag::new(tag)) })
    }

    fn keys<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move { self.list(prefix, (after, limit), |key, _, _| key.to_owned()) })
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(String, Entry)>, StoreError>> {
        Box::pin(
            async move { self.list(prefix, (after, limit), |key, tag, value| (key.to_owned(), entry(tag, value))) },
        )
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        // Sent at once, so that what several callers send before they wait goes into one transaction.
        let sent = self.send(ops);
        Box::pin(async move { sent?.await.unwrap_or_else(|_| Err(gone())) })
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        // The thread ends when nobody can send any more, after it wrote what was sent.
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            let _panicked = writer.join();
        }
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").finish_non_exhaustive()
    }
}

/// As the database says: what is damaged is not better later.
fn failed(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        error @ redb::Error::Corrupted(_) => corrupt(&error),
        error @ redb::Error::PreviousIo => StoreError::new(StoreFailure::Reopen, error.to_string()),
        error => unavailable(error),
    }
}

fn unavailable(error: impl fmt::Display) -> StoreError {
    StoreError::new(StoreFailure::Unavailable, error.to_string())
}

fn corrupt(error: &dyn fmt::Display) -> StoreError {
    StoreError::new(StoreFailure::Corrupt, error.to_string())
}

fn damaged() -> StoreError {
    StoreError::new(StoreFailure::Corrupt, "a value without a tag")
}

fn gone() -> StoreError {
    StoreError::new(StoreFailure::Reopen, "the writing thread is gone")
}
