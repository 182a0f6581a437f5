//! What is left of a batch, and seen of it, when it ends in its midst.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use super::bench::{Bench, Broken, Handle, broken, delete, ensure, is_written, put, swap};
use super::together::together;
use crate::store::{BoxFuture, Op, Order, StoreError};

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
        let ended = drop_after(&store, store.store.apply(writes(&keys)), polls)?;
        is_prefix(&store, &keys)?;
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
    let write = || {
        // Made or not; it is looked at what is left.
        let _answer = store.wait(store.store.apply(writes(&keys)));
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
        is_prefix(&store, &keys)?;
    }
    Ok(store)
}

/// What a reader sees in the midst of a batch is what would be left, if the store broke then.
fn beside_a_reader(store: &Handle<'_>, round: usize) -> Result<(), Broken> {
    let keys = scattered(&format!("read/{round}"), store.limits().ops.min(1000));
    let some: Vec<String> = keys.iter().step_by((keys.len() / 24).max(1)).cloned().collect();
    let written = AtomicBool::new(false);
    together(2, |thread| {
        if thread == 0 {
            let outcomes = store.apply(writes(&keys));
            written.store(true, Ordering::SeqCst);
            return ensure(outcomes?.iter().all(is_written), "new keys are not all written");
        }
        while !written.load(Ordering::SeqCst) {
            is_prefix(store, &some)?;
        }
        Ok(())
    })
    .map(|_| ())
}

/// Whether those of the batch that are there come before all that are not. Each is read by a call of its own, the last one
/// first, so that it may go on meanwhile.
fn is_prefix(store: &Handle<'_>, keys: &[String]) -> Result<(), Broken> {
    let mut later: Option<&String> = None;
    for key in keys.iter().rev() {
        match (store.get(key)?, later) {
            (Some(_), None) => later = Some(key),
            (None, Some(later)) => {
                return Err(broken(format!(
                    "of one batch `{later}` is there, and `{key}`, which comes before it, is not"
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

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
    let last = drop_after(&store, store.store.apply(vec![delete("held", &tag)]), 1)?;
    let gone = store.get("held")?.is_none();
    ensure(gone || !last, "a deletion that ended is not made")
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
