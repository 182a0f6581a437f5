//! The thread that writes. It takes all batches that wait into one durable transaction, so that many callers share the cost
//! of reaching the disk.

use std::cell::Cell;
use std::time::Duration;

use futures_channel::oneshot;
use redb::{Table, WriteTransaction};

use super::copying;
use super::failure::failed;
use super::held::Held;
use super::queue::{Queue, Received};
use super::reading::{Listing, list, tag};
use super::row::{BODIES, ENTRIES, Encoded, WRITTEN, decode, encode, encode_here, find, written};
use crate::store::{Op, Outcome, StoreError, StoreFailure, Tag};

/// What the thread is asked for.
pub(super) enum Job {
    Batch { ops: Vec<Op>, answer: Answer<Vec<Outcome>> },
    DeletePrefix { prefix: String, answer: Answer<u64> },
    Compact { answer: Answer<()> },
}

pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;
type Rows<'a> = Table<'a, &'static [u8], &'static [u8]>;

/// Most changes in one transaction, beyond the first batch of it; bytes, too.
const MOST_OPS: usize = 4096;
const MOST_BYTES: usize = 64 << 20;
/// Most keys that one transaction deletes under a prefix.
const MOST_DELETED: usize = 10_000;
/// When nothing came for so long, the last commit is followed by an empty one.
const QUIET: Duration = Duration::from_millis(20);

/// What a batch weighs in the queue.
pub(super) fn weight(ops: &[Op]) -> usize {
    ops.iter().map(|op| op.size().saturating_add(size_of::<Op>())).sum()
}

/// Until the queue is closed.
pub(super) fn write(held: &Held, queue: &Queue<Job>) {
    let mut followed = true;
    loop {
        let job = match queue.receive((!followed).then_some(QUIET)) {
            Received::Item(job) => job,
            Received::Idle => {
                followed = true;
                follow(held);
                continue;
            }
            Received::Closed => return,
        };
        followed = false;
        match job {
            // A call that was dropped before its turn is not made.
            Job::Batch { answer, .. } if answer.is_canceled() => {}
            Job::Batch { ops, answer } => {
                let (mut count, mut bytes) = (ops.len(), weight(&ops));
                let (mut batches, mut answers) = (vec![ops], vec![answer]);
                while count < MOST_OPS && bytes < MOST_BYTES {
                    let next = queue.next_if(|job| matches!(job, Job::Batch { .. }));
                    let Some(Job::Batch { ops, answer }) = next else { break };
                    if !answer.is_canceled() {
                        (count, bytes) = (count + ops.len(), bytes + weight(&ops));
                        batches.push(ops);
                        answers.push(answer);
                    }
                }
                group(held, batches, answers);
            }
            Job::DeletePrefix { answer, .. } if answer.is_canceled() => {}
            Job::DeletePrefix { prefix, answer } => _ = answer.send(delete_prefix(held, &prefix)),
            Job::Compact { answer } if answer.is_canceled() => {}
            Job::Compact { answer } => _ = answer.send(copying::compact(held)),
        }
    }
}

/// The header of the file names the last two commits. A header that is damaged leads to the one before, in which nothing is
/// missing then.
fn follow(held: &Held) {
    // It changes nothing: whoever writes next is told what is wrong.
    let _unchanged = held.write(|writing| writing.commit().map_err(failed));
}

fn group(held: &Held, batches: Vec<Vec<Op>>, answers: Vec<Answer<Vec<Outcome>>>) {
    // Whoever no longer waits for an answer needs none.
    match transact(held, &batches) {
        Ok(outcomes) => {
            // Before whoever waits makes the next one: it is not held beside that.
            drop(batches);
            answers.into_iter().zip(outcomes).for_each(|(answer, outcomes)| {
                let _gone = answer.send(Ok(outcomes));
            });
        }
        // Nothing of the group was written, and one of them alone is to blame, or fits.
        Err(error) if matches!(error.failure(), StoreFailure::Corrupt | StoreFailure::Full) && batches.len() > 1 => {
            answers.into_iter().zip(batches).for_each(|(answer, ops)| {
                let alone = transact(held, &[ops]).map(|outcomes| outcomes.into_iter().flatten().collect());
                let _gone = answer.send(alone);
            });
        }
        Err(error) => answers.into_iter().for_each(|answer| {
            let _gone = answer.send(Err(error.clone()));
        }),
    }
}

fn transact(held: &Held, batches: &[Vec<Op>]) -> Result<Vec<Vec<Outcome>>, StoreError> {
    in_one(held, |rows, bodies, count| {
        let mut outcomes = Vec::with_capacity(batches.len());
        for ops in batches {
            let changes = ops.iter().map(|op| change(rows, bodies, count, op));
            outcomes.push(changes.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(outcomes)
    })
}

/// A transaction in which the count of writes goes on.
fn in_one<T>(
    held: &Held,
    work: impl FnOnce(&mut Rows<'_>, &mut Rows<'_>, &mut u64) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let before = Cell::new(None);
    let done = held.write(|writing| {
        let done = {
            let mut rows = writing.open_table(ENTRIES).map_err(failed)?;
            let mut bodies = writing.open_table(BODIES).map_err(failed)?;
            let mut count = read_count(&writing)?;
            before.set(Some(count));
            let began = count;
            let done = work(&mut rows, &mut bodies, &mut count)?;
            if count == began {
                // Conflicts alone need no disk.
                return Ok(done);
            }
            set_count(&writing, count)?;
            done
        };
        writing.commit().map_err(failed)?;
        Ok(done)
    });
    match (done, before.get()) {
        // It says that nothing was changed, so that is made sure of.
        (Err(error), Some(before)) if error.failure() == StoreFailure::Full => Err(match count_now(held) {
            Ok(now) if now == before => error,
            _ => StoreError::new(StoreFailure::Unavailable, error.text()),
        }),
        (done, _) => done,
    }
}

fn count_now(held: &Held) -> Result<u64, StoreError> {
    held.read(|reading| written(&reading.open_table(WRITTEN).map_err(failed)?))
}

fn read_count(writing: &WriteTransaction) -> Result<u64, StoreError> {
    written(&writing.open_table(WRITTEN).map_err(failed)?)
}

pub(super) fn set_count(writing: &WriteTransaction, count: u64) -> Result<(), StoreError> {
    let mut counter = writing.open_table(WRITTEN).map_err(failed)?;
    counter.insert(&b""[..], &encode_here(b"", count, b"")[..]).map_err(failed)?;
    Ok(())
}

fn change(rows: &mut Rows<'_>, bodies: &mut Rows<'_>, count: &mut u64, op: &Op) -> Result<Outcome, StoreError> {
    let key = op.key().as_bytes();
    if let Op::Swap { tag, value, .. } = op
        && let Some(swapped) = swap(rows, count, key, (tag, value))?
    {
        return Ok(swapped);
    }
    let held = find(rows, key, |row| {
        let row = decode(key, row)?;
        Ok((tag(row.number), Body::of(row.is_beside())))
    })?;
    let (held, body) = held.unzip();
    match op {
        Op::Put { value, .. } if held.is_none() => insert(rows, bodies, count, (key, value), body),
        Op::Swap { tag, value, .. } if held.as_ref() == Some(tag) => insert(rows, bodies, count, (key, value), body),
        Op::Delete { tag, .. } if held.as_ref() == Some(tag) => {
            remove(rows, bodies, count, key)?;
            Ok(Outcome::Deleted)
        }
        _ => Ok(Outcome::Conflict),
    }
}

/// Writes a small value over one of the same size, as a rotation does very often: the row is looked for once, and its page
/// has room for it. None, and nothing done, where that is not what is asked for.
fn swap(
    rows: &mut Rows<'_>,
    count: &mut u64,
    key: &[u8],
    (held, value): (&Tag, &[u8]),
) -> Result<Option<Outcome>, StoreError> {
    let Encoded::Here(row) = encode(key, *count + 1, value) else { return Ok(None) };
    let Some(mut place) = rows.get_mut(key).map_err(|error| failed(error).of(key))? else { return Ok(None) };
    let before = decode(key, place.value())?;
    if before.is_beside() || tag(before.number) != *held || place.value().len() != row.len() {
        return Ok(None);
    }
    place.insert(row.as_slice()).map_err(failed)?;
    *count += 1;
    Ok(Some(Outcome::Written(tag(count.to_be_bytes()))))
}

/// Where the value that was there before lies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    Here,
    Beside,
}

impl Body {
    fn of(is_beside: bool) -> Self {
        if is_beside { Self::Beside } else { Self::Here }
    }
}

fn insert(
    rows: &mut Rows<'_>,
    bodies: &mut Rows<'_>,
    count: &mut u64,
    (key, value): (&[u8], &[u8]),
    before: Option<Body>,
) -> Result<Outcome, StoreError> {
    *count += 1;
    match encode(key, *count, value) {
        Encoded::Beside(row) => {
            bodies.insert(key, value).map_err(failed)?;
            rows.insert(key, row.as_slice()).map_err(failed)?;
        }
        Encoded::Here(row) => {
            rows.insert(key, row.as_slice()).map_err(failed)?;
            if before == Some(Body::Beside) {
                bodies.remove(key).map_err(failed)?;
            }
        }
    }
    Ok(Outcome::Written(tag(count.to_be_bytes())))
}

/// Of a row that is damaged, too, so that what is deleted leaves nothing.
fn is_beside(key: &[u8], row: &[u8]) -> bool {
    decode(key, row).map_or(true, |row| row.is_beside())
}

fn remove(rows: &mut Rows<'_>, bodies: &mut Rows<'_>, count: &mut u64, key: &[u8]) -> Result<(), StoreError> {
    *count += 1;
    let before = rows.remove(key).map_err(failed)?;
    if before.is_none_or(|before| is_beside(key, before.value())) {
        bodies.remove(key).map_err(failed)?;
    }
    Ok(())
}

/// Damaged rows, too, as long as their keys are in their places.
fn delete_prefix(held: &Held, prefix: &str) -> Result<u64, StoreError> {
    let some = Listing { prefix: prefix.to_owned(), after: String::new(), limit: MOST_DELETED };
    let mut deleted = 0;
    loop {
        let keys = in_one(held, |rows, bodies, count| {
            let keys = list(rows, &some, |key, _| Ok((key, 0)))?;
            keys.iter().try_for_each(|key| remove(rows, bodies, count, key.as_bytes()))?;
            Ok(keys.len())
        })?;
        deleted += keys as u64;
        if keys < MOST_DELETED {
            return Ok(deleted);
        }
    }
}
