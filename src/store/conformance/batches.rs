//! Batches at the limits that a store declares.

use super::bench::{Bench, Broken, Handle, delete, ensure, entry, is_written, put, refused, swap};
use crate::store::{MAX_KEY, MAX_VALUE, Op, Outcome, Tag};

/// Limits beyond these are looked at so far.
const MOST_OPS: usize = 10_000;
const MOST_BYTES: usize = 64 << 20;

pub(super) fn within(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    let limits = store.limits();
    ensure(limits.ops > 0, "no change fits in a batch")?;
    ensure(limits.bytes >= MAX_KEY + MAX_VALUE, "the longest value with its key fits in no batch")?;
    many_changes(&store)?;
    many_bytes(&store)
}

/// As many changes as there may be, of the longest keys.
fn many_changes(store: &Handle<'_>) -> Result<(), Broken> {
    let limits = store.limits();
    let count = limits.ops.min(MOST_OPS).min(limits.bytes / (MAX_KEY + 1));
    let under = format!("many/{}/", "k".repeat(200));
    let keys: Vec<String> = (0..count).map(|n| format!("{under}{n:0rest$}", rest = MAX_KEY - under.len())).collect();
    let tags = all_made(store, keys.iter().rev().map(|key| put(key, b"1")).collect())?;
    let read = store.get_all(&keys)?;
    let same = read.iter().zip(tags.iter().rev()).all(|(held, tag)| *held == Some(entry(tag, b"1")));
    ensure(same, format!("{count} values of one batch are not read back by one call"))?;
    let tags = all_made(store, keys.iter().zip(tags.iter().rev()).map(|(key, tag)| swap(key, tag, b"2")).collect())?;
    ensure(store.tags(&keys)?.iter().flatten().eq(&tags), format!("{count} tags are not read back by one call"))?;
    ensure(store.all_keys("many/", 5000)? == keys, format!("{count} keys of one batch are not listed"))?;
    let gone = store.apply(keys.iter().zip(&tags).map(|(key, tag)| delete(key, tag)).collect())?;
    ensure(gone.iter().all(|outcome| *outcome == Outcome::Deleted), format!("{count} deletions are not all made"))?;
    ensure(store.keys("many/", "", 1)?.is_empty(), "what a batch deleted is listed")
}

/// As many bytes as there may be, to the last one.
fn many_bytes(store: &Handle<'_>) -> Result<(), Broken> {
    let limits = store.limits();
    let bytes = limits.bytes.min(MOST_BYTES);
    let (mut ops, mut left) = (Vec::new(), bytes);
    for n in (0..32).take(limits.ops.min(32)) {
        let key = format!("large/{n:02}");
        let Some(room) = left.checked_sub(key.len()) else { break };
        let value = vec![n; room.min(MAX_VALUE)];
        left = room - value.len();
        ops.push(put(&key, &value));
    }
    let keys: Vec<String> = ops.iter().map(|op| op.key().to_owned()).collect();
    let lengths: Vec<usize> = ops.iter().map(|op| op.size() - op.key().len()).collect();
    all_made(store, ops)?;
    let read = store.get_all(&keys)?.into_iter().zip(lengths).zip(0..);
    let whole = |held: &[u8], length, n| held == vec![n; length];
    let mut whole = read.map(|((held, length), n)| held.is_some_and(|held| whole(&held.value, length, n)));
    ensure(whole.all(|whole| whole), format!("the values of a batch of {bytes} bytes are not read back by one call"))
}

fn all_made(store: &Handle<'_>, ops: Vec<Op>) -> Result<Vec<Tag>, Broken> {
    let (count, bytes) = (ops.len(), ops.iter().map(Op::size).sum::<usize>());
    let outcomes = store.apply(ops)?;
    let tags: Vec<Tag> = outcomes
        .into_iter()
        .filter_map(|outcome| match outcome {
            Outcome::Written(tag) => Some(tag),
            _ => None,
        })
        .collect();
    ensure(tags.len() == count, format!("a batch of {count} changes and {bytes} bytes is made in part"))?;
    Ok(tags)
}

pub(super) fn over(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    let limits = store.limits();
    if limits.ops <= MOST_OPS {
        let ops: Vec<Op> = (0..=limits.ops).map(|n| put(&format!("many/{n:05}"), b"")).collect();
        refused(store.wait(store.store.apply(ops)), "a batch of one change more than the limit")?;
    }
    // With more changes than there may be, it would be refused for that.
    if limits.bytes <= MOST_BYTES && limits.bytes / MAX_VALUE < limits.ops {
        let (mut ops, mut left) = (Vec::new(), limits.bytes + 1);
        for n in 0..u8::MAX {
            let key = format!("large/{n:03}");
            let length = left.saturating_sub(key.len()).min(MAX_VALUE);
            left = left.saturating_sub(key.len() + length);
            ops.push(put(&key, &vec![n; length]));
            if left == 0 {
                break;
            }
        }
        refused(store.wait(store.store.apply(ops)), "a batch of one byte more than the limit")?;
    }
    ensure(store.keys("", "", 1)?.is_empty(), "of a batch that is refused, something is written")?;
    ensure(is_written(&store.one(put("a", b"1"))?), "after a batch that was refused, nothing is written")
}
