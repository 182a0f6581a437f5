//! What is left of a batch, and seen of it, when it ends in its midst.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use super::bench::{Bench, Broken, Handle, broken, delete, ensure, put, swap};
use super::together::together;
use crate::store::{BoxFuture, Entry, Op, Order, Outcome, StoreError};

pub(super) fn is_kept(bench: &Bench<'_>) -> Result<(), Broken> {
    let mut store = bench.empty()?;
    for round in 0..6 {
        store = disturbed(bench, store, round)?;
    }
    if store.limits().order == Order::Any {
        return Ok(());
    }
    for polls in 0..MOST_POLLS {
        let keys = scattered(&format!("drop/{polls}"), store.limits().ops.min(24));
        let ops = changes(&store, &keys)?;
        let ended = drop_after(&store, store.store.apply(ops.clone()), polls)?;
        is_prefix(&store, &ops)?;
        if ended {
            break;
        }
    }
    for round in 0..6 {
        beside_a_reader(&store, round)?;
    }
    Ok(())
}

/// The engine breaks while the batch is written, or right before.
fn disturbed<'a>(bench: &Bench<'a>, store: Handle<'a>, round: usize) -> Result<Handle<'a>, Broken> {
    let keys = scattered(&format!("disturbed/{round}"), store.limits().ops.min(200));
    let ops = changes(&store, &keys)?;
    let write = || {
        // Made or not; it is looked at what is left.
        let _answer = store.wait(store.store.apply(ops.clone()));
    };
    if round.is_multiple_of(2) {
        bench.engine.disturb();
        write();
    } else {
        together(2, |thread| {
            if thread == 0 {
                write()
            } else {
                bench.engine.disturb()
            }
            Ok(())
        })?;
    }
    let store = bench.reopen(store)?;
    if store.limits().order == Order::Prefix {
        is_prefix(&store, &ops)?;
    }
    Ok(store)
}

/// What a reader sees in the midst of a batch is what would be left, if the store broke then.
fn beside_a_reader(store: &Handle<'_>, round: usize) -> Result<(), Broken> {
    let keys = scattered(&format!("read/{round}"), store.limits().ops.min(1000));
    let ops = changes(store, &keys)?;
    // Not one kind of change alone.
    let step = (keys.len() / 24).max(1);
    let some: Vec<Op> = ops.iter().step_by(step + usize::from(step.is_multiple_of(KINDS))).cloned().collect();
    let written = AtomicBool::new(false);
    together(2, |thread| {
        if thread == 0 {
            let outcomes = store.apply(ops.clone());
            written.store(true, Ordering::SeqCst);
            let made = outcomes?.iter().all(|outcome| *outcome != Outcome::Conflict);
            return ensure(made, "changes that nothing stands against are not all made");
        }
        while !written.load(Ordering::SeqCst) {
            is_prefix(store, &some)?;
        }
        Ok(())
    })
    .map(|_| ())
}

/// Whether those of the batch that are made come before all that are not. Each is read by a call of its own, the last one
/// first, so that it may go on meanwhile.
fn is_prefix(store: &Handle<'_>, ops: &[Op]) -> Result<(), Broken> {
    let mut later: Option<&str> = None;
    for op in ops.iter().rev() {
        match (is_made(op, store.get(op.key())?.as_ref()), later) {
            (true, None) => later = Some(op.key()),
            (false, Some(later)) => {
                let key = op.key();
                return Err(broken(format!(
                    "of one batch the change of `{later}` is made, and that of `{key}`, which comes before it, is not"
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

/// By what stands under its key, which nobody else changes.
fn is_made(op: &Op, held: Option<&Entry>) -> bool {
    match op {
        Op::Put { .. } => held.is_some(),
        Op::Swap { value, .. } => held.is_some_and(|held| held.value == *value),
        Op::Delete { .. } => held.is_none(),
    }
}

/// A change of each of these keys, which have no values yet: a put, a swap and a deletion in turn.
fn changes(store: &Handle<'_>, keys: &[String]) -> Result<Vec<Op>, Broken> {
    let stand: Vec<String> =
        keys.iter().enumerate().filter(|(n, _)| !n.is_multiple_of(KINDS)).map(|(_, key)| key.clone()).collect();
    store.fill(&stand)?;
    let mut tags = store.tags(&stand)?.into_iter();
    let change = |(n, key): (usize, &String)| match (n % KINDS, &mut tags) {
        (0, _) => Ok(put(key, key.as_bytes())),
        (kind, tags) => {
            let tag = tags.next().flatten().ok_or_else(|| broken("what was written is not there"))?;
            Ok(if kind == 1 { swap(key, &tag, b"2") } else { delete(key, &tag) })
        }
    };
    keys.iter().enumerate().map(change).collect()
}

/// Of changes.
const KINDS: usize = 3;

pub(super) fn dropped(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    let tag = store.write(put("held", b"1"))?;
    for polls in 0..MOST_POLLS {
        let keys = scattered(&format!("drop/{polls}"), store.limits().ops.min(8));
        let mut ended = drop_after(&store, store.store.apply(writes(&keys)), polls)?;
        ended &= drop_after(&store, store.store.get(&keys), polls)?;
        ended &= drop_after(&store, store.store.keys("", "", 100), polls)?;
        // What was dropped may still be under way: each key is written by either.
        for key in &keys {
            store.one(put(key, key.as_bytes()))?;
            let held = store.get(key)?.ok_or_else(|| broken("a key has no value after two puts"))?;
            ensure(held.value == key.as_bytes(), "a call that was dropped leaves a value that nobody wrote")?;
            store.write(swap(key, &held.tag, b"2"))?;
        }
        if ended {
            break;
        }
    }
    dropped_often(&store)?;
    let last = drop_after(&store, store.store.apply(vec![delete("held", &tag)]), 1)?;
    let gone = store.get("held")?.is_none();
    ensure(gone || !last, "a deletion that ended is not made")
}

/// As often as no engine has connections, of each call there is: who was dropped keeps nothing.
fn dropped_often(store: &Handle<'_>) -> Result<(), Broken> {
    for n in 0..MOST_DROPS {
        let keys = [format!("often/{n}")];
        let mut ended = drop_after(store, store.store.apply(writes(&keys)), 1)?;
        ended &= drop_after(store, store.store.get(&keys), 1)?;
        ended &= drop_after(store, store.store.tags(&keys), 1)?;
        ended &= drop_after(store, store.store.keys("often/", "", 9), 1)?;
        ended &= drop_after(store, store.store.scan("often/", "", 9), 1)?;
        ended &= drop_after(store, store.store.delete_prefix("none/"), 1)?;
        if ended {
            break;
        }
    }
    store.write(put("after", b"1")).map(|_| ())
}

/// Polls a call so often, and drops it; says whether it ended before.
fn drop_after<'a, T: Send + 'a>(
    store: &Handle<'_>,
    call: BoxFuture<'a, Result<T, StoreError>>,
    polls: usize,
) -> Result<bool, Broken> {
    let (mut call, mut polled) = (Some(call), 0);
    let dropping = poll_fn(move |context| match &mut call {
        Some(running) if polled < polls => {
            polled += 1;
            match running.as_mut().poll(context) {
                Poll::Ready(answer) => Poll::Ready(answer.map(|_| true)),
                Poll::Pending if polled == polls => {
                    call = None;
                    Poll::Ready(Ok(false))
                }
                Poll::Pending => Poll::Pending,
            }
        }
        _ => Poll::Ready(Ok(false)),
    });
    Ok(store.wait(Box::pin(dropping))?)
}

/// So many keys in an order that is not that of their bytes.
fn scattered(name: &str, count: usize) -> Vec<String> {
    // A prime, and no count is a multiple of it.
    (0..count).map(|n| format!("{name}/{:04}", (n * 7919 + 5) % count)).collect()
}

fn writes(keys: &[String]) -> Vec<Op> {
    keys.iter().map(|key| put(key, key.as_bytes())).collect()
}

/// A call that is polled more often is not looked at further.
const MOST_POLLS: usize = 64;
/// More than a pool has connections.
const MOST_DROPS: usize = 150;
