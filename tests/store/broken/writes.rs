//! Adapters that write what they should not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use chartseal::store::{BoxFuture, Limits, MAX_VALUE, Op, Outcome, Store, StoreError, StoreFailure, Tag, check_ops};

use super::right::{Shared, pause};
use super::{Broken, Inside};
use crate::support::store::hands_on;
use crate::support::waiting::block_on;

pub(super) const BROKEN: &[Broken] = &[
    ("a put that replaces", "put-is-new", |inside| by(inside, put_replaces)),
    ("a tag that is not compared", "swap-is-of-the-tag", any_tag),
    ("a transaction that a conflict ends", "each-by-itself", |inside| by(inside, conflict_stops_all)),
    ("a column of text", "bytes-come-back", |inside| by(inside, values_of_text)),
    ("documents of 1 MiB at most", "bytes-come-back", |inside| by(inside, small_values)),
    ("values that are cut", "value-has-a-limit", |inside| by(inside, cuts_values)),
    ("a table that folds case", "keys-are-apart", |inside| by(inside, folds_case)),
    ("an index of 255 bytes", "keys-are-apart", |inside| by(inside, cuts_keys)),
    ("paths that are normalised", "no-key-is-refused", |inside| by(inside, normalises_paths)),
    ("the last change of a key counts", "key-is-named-once", |inside| by(inside, last_counts)),
    ("a message of 1,000 changes at most", "batch-within-limits", |inside| by(inside, small_messages)),
    ("a message of 16 MiB at most", "batch-within-limits", |inside| by(inside, short_messages)),
    ("chunks, the second of which does not fit", "batch-within-limits", |inside| by(inside, tears_chunks)),
    ("limits that are not kept", "batch-over-limits", |inside| Box::new(DeclaresLess(Shared(inside)))),
    ("a batch that is sorted", "order-of-a-batch", |inside| in_steps(inside, Steps::Sorted)),
    ("a batch that is sorted, in one go", "order-of-a-batch", |inside| by(inside, sorts)),
    ("chunks that are written at once", "order-of-a-batch", |inside| in_steps(inside, Steps::LastChunkFirst)),
    ("a batch that tears anywhere", "order-of-a-batch", |inside| by(inside, tears_anywhere)),
    ("an answer before the write", "write-is-kept", |inside| by(inside, acknowledges_early)),
    ("a dropped call that holds its lock", "dropped-call", |inside| in_steps(inside, Steps::Locked)),
    ("a check, and a write without one", "one-wins", |inside| by(inside, checks_then_writes)),
    ("a check, a wait, and a write without one", "one-wins", |inside| in_steps(inside, Steps::CheckedFirst)),
    ("a check, and a write without one", "no-change-is-lost", |inside| by(inside, checks_then_writes)),
    ("swaps that are not made", "retry-gets-there", |inside| by(inside, idle_swaps)),
];

type Answer = Result<Vec<Outcome>, StoreError>;

/// A store that writes by another function.
struct By(Shared, fn(&Inside, Vec<Op>) -> Answer);

impl Store for By {
    hands_on!(0: limits get tags keys scan);

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Answer> {
        Box::pin(async move { (self.1)(&self.0.0, ops) })
    }
}

fn by(inside: Arc<Inside>, apply: fn(&Inside, Vec<Op>) -> Answer) -> Box<dyn Store> {
    Box::new(By(Shared(inside), apply))
}

impl Inside {
    pub(crate) fn held(&self, key: &str) -> Option<Tag> {
        block_on(self.store.tags(&[key.to_owned()])).ok()?.remove(0)
    }

    fn write(&self, ops: Vec<Op>) -> Answer {
        block_on(self.store.apply(ops))
    }

    fn each(&self, ops: Vec<Op>, change: impl Fn(Op) -> Op) -> Answer {
        self.write(ops.into_iter().map(change).collect())
    }
}

fn refused(text: &str) -> Answer {
    Err(StoreError::new(StoreFailure::Refused, text))
}

fn valued(op: Op, change: impl Fn(Vec<u8>) -> Vec<u8>) -> Op {
    match op {
        Op::Put { key, value } => Op::Put { key, value: change(value) },
        Op::Swap { key, tag, value } => Op::Swap { key, tag, value: change(value) },
        other => other,
    }
}

fn keyed(op: Op, change: impl Fn(String) -> String) -> Op {
    match op {
        Op::Put { key, value } => Op::Put { key: change(key), value },
        Op::Swap { key, tag, value } => Op::Swap { key: change(key), tag, value },
        Op::Delete { key, tag } => Op::Delete { key: change(key), tag },
    }
}

fn length(op: &Op) -> usize {
    match op {
        Op::Put { value, .. } | Op::Swap { value, .. } => value.len(),
        Op::Delete { .. } => 0,
    }
}

/// The change, whatever stands there.
fn forced(inside: &Inside, op: Op) -> Op {
    match (inside.held(op.key()), op) {
        (Some(tag), Op::Put { key, value } | Op::Swap { key, value, .. }) => Op::Swap { key, tag, value },
        (Some(tag), Op::Delete { key, .. }) => Op::Delete { key, tag },
        (None, Op::Swap { key, value, .. }) => Op::Put { key, value },
        (None, op) => op,
    }
}

fn fits(inside: &Inside, op: &Op) -> bool {
    let held = inside.held(op.key());
    match op {
        Op::Put { .. } => held.is_none(),
        Op::Swap { tag, .. } | Op::Delete { tag, .. } => held.as_ref() == Some(tag),
    }
}

fn put_replaces(inside: &Inside, ops: Vec<Op>) -> Answer {
    inside.each(ops, |op| if matches!(op, Op::Put { .. }) { forced(inside, op) } else { op })
}

pub(super) fn any_tag(inside: Arc<Inside>) -> Box<dyn Store> {
    by(inside, |inside, ops| {
        let stands = |op: &Op| inside.held(op.key()).is_some();
        inside.each(ops, |op| if !matches!(op, Op::Put { .. }) && stands(&op) { forced(inside, op) } else { op })
    })
}

fn conflict_stops_all(inside: &Inside, ops: Vec<Op>) -> Answer {
    check_ops(&ops, &inside.store.limits())?;
    if ops.iter().all(|op| fits(inside, op)) { inside.write(ops) } else { Ok(vec![Outcome::Conflict; ops.len()]) }
}

fn values_of_text(inside: &Inside, ops: Vec<Op>) -> Answer {
    inside.each(ops, |op| valued(op, |value| String::from_utf8_lossy(&value).into_owned().into_bytes()))
}

fn small_values(inside: &Inside, ops: Vec<Op>) -> Answer {
    if ops.iter().any(|op| length(op) > 1 << 20) { refused("a document over 1 MiB") } else { inside.write(ops) }
}

fn cuts_values(inside: &Inside, ops: Vec<Op>) -> Answer {
    inside.each(ops, |op| {
        valued(op, |mut value| {
            value.truncate(MAX_VALUE);
            value
        })
    })
}

fn folds_case(inside: &Inside, ops: Vec<Op>) -> Answer {
    inside.each(ops, |op| keyed(op, |key| key.to_lowercase()))
}

fn cuts_keys(inside: &Inside, ops: Vec<Op>) -> Answer {
    let taken = |key: &str| {
        block_on(inside.store.keys("", "", usize::MAX)).unwrap().iter().any(|held| held.get(..255) == key.get(..255))
    };
    if ops.iter().any(|op| op.key().len() > 255 && taken(op.key())) {
        return Ok(vec![Outcome::Conflict; ops.len()]);
    }
    inside.write(ops)
}

fn normalises_paths(inside: &Inside, ops: Vec<Op>) -> Answer {
    inside.each(ops, |op| keyed(op, |key| key.replace("//", "/")))
}

fn last_counts(inside: &Inside, ops: Vec<Op>) -> Answer {
    let count = ops.len();
    let last: BTreeMap<String, Op> = ops.into_iter().map(|op| (op.key().to_owned(), op)).collect();
    let mut outcomes = inside.write(last.into_values().collect())?;
    outcomes.resize(count, Outcome::Conflict);
    Ok(outcomes)
}

fn small_messages(inside: &Inside, ops: Vec<Op>) -> Answer {
    if ops.len() > 1000 { refused("more than 1,000 parameters") } else { inside.write(ops) }
}

fn short_messages(inside: &Inside, ops: Vec<Op>) -> Answer {
    if ops.iter().map(length).sum::<usize>() > 16 << 20 { refused("over 16 MiB") } else { inside.write(ops) }
}

fn tears_chunks(inside: &Inside, mut ops: Vec<Op>) -> Answer {
    if ops.len() <= 2000 {
        return inside.write(ops);
    }
    ops.truncate(2000);
    inside.write(ops)?;
    refused("the second message does not fit")
}

fn sorts(inside: &Inside, mut ops: Vec<Op>) -> Answer {
    check_ops(&ops, &inside.store.limits())?;
    let keys: Vec<String> = ops.iter().map(|op| op.key().to_owned()).collect();
    ops.sort_by(|one, other| one.key().cmp(other.key()));
    let mut outcomes = BTreeMap::new();
    for op in ops {
        thread::sleep(Duration::from_micros(20));
        outcomes.insert(op.key().to_owned(), inside.write(vec![op])?.remove(0));
    }
    Ok(keys.iter().map(|key| outcomes[key].clone()).collect())
}

fn tears_anywhere(inside: &Inside, ops: Vec<Op>) -> Answer {
    if !inside.disturbed.load(Ordering::SeqCst) {
        return inside.write(ops);
    }
    inside.write(ops.into_iter().step_by(2).skip(1).collect())?;
    Err(StoreError::new(StoreFailure::Unavailable, "the connection is gone"))
}

fn acknowledges_early(inside: &Inside, ops: Vec<Op>) -> Answer {
    if !inside.disturbed.load(Ordering::SeqCst) {
        return inside.write(ops);
    }
    Ok(ops.iter().map(|_| Outcome::Written(Tag::new(*b"soon"))).collect())
}

fn checks_then_writes(inside: &Inside, ops: Vec<Op>) -> Answer {
    check_ops(&ops, &inside.store.limits())?;
    let mut outcomes = Vec::new();
    for op in ops {
        if !fits(inside, &op) {
            outcomes.push(Outcome::Conflict);
            continue;
        }
        // The way to the engine and back.
        thread::sleep(Duration::from_micros(200));
        outcomes.extend(inside.write(vec![forced(inside, op)])?);
    }
    Ok(outcomes)
}

fn idle_swaps(inside: &Inside, ops: Vec<Op>) -> Answer {
    let mut outcomes = Vec::new();
    for op in ops {
        match op {
            Op::Swap { tag, .. } => outcomes.push(Outcome::Written(tag)),
            op => outcomes.extend(inside.write(vec![op])?),
        }
    }
    Ok(outcomes)
}

struct DeclaresLess(Shared);

impl Store for DeclaresLess {
    hands_on!(0: get tags keys scan apply);

    fn limits(&self) -> Limits {
        Limits { ops: 100, ..self.0.limits() }
    }
}

/// Makes a batch in several steps, between which others go on.
struct InSteps {
    store: Shared,
    steps: Steps,
    locked: AtomicBool,
}

#[derive(PartialEq)]
enum Steps {
    Sorted,
    LastChunkFirst,
    Locked,
    CheckedFirst,
}

fn in_steps(inside: Arc<Inside>, steps: Steps) -> Box<dyn Store> {
    Box::new(InSteps { store: Shared(inside), steps, locked: AtomicBool::new(false) })
}

impl Store for InSteps {
    hands_on!(store: limits get tags keys scan);

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            check_ops(&ops, &self.limits())?;
            if self.locked.load(Ordering::SeqCst) {
                return Err(StoreError::new(StoreFailure::Unavailable, "another call holds the lock"));
            }
            self.locked.store(self.steps == Steps::Locked, Ordering::SeqCst);
            let mut order: Vec<usize> = (0..ops.len()).collect();
            match self.steps {
                Steps::Sorted => order.sort_by_key(|n| ops[*n].key()),
                Steps::LastChunkFirst => order = order.chunks(10).rev().flatten().copied().collect(),
                Steps::Locked | Steps::CheckedFirst => {}
            }
            let mut outcomes = vec![Outcome::Conflict; ops.len()];
            let fitting: Vec<bool> = ops.iter().map(|op| fits(&self.store.0, op)).collect();
            for n in order {
                pause().await;
                let op = match self.steps {
                    Steps::CheckedFirst if !fitting[n] => continue,
                    Steps::CheckedFirst => forced(&self.store.0, ops[n].clone()),
                    _ => ops[n].clone(),
                };
                outcomes[n] = self.store.apply(vec![op]).await?.remove(0);
            }
            self.locked.store(false, Ordering::SeqCst);
            Ok(outcomes)
        })
    }
}
