//! Several callers at once, on threads of their own.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;

use super::bench::{Bench, Broken, Handle, broken, delete, ensure, entry, put, swap};
use super::together::together;
use crate::store::{Entry, Op, Outcome, StoreError, StoreFailure, Tag};

const THREADS: usize = 4;
const ROUNDS: usize = 40;

pub(super) fn one_wins(bench: &Bench<'_>) -> Result<(), Broken> {
    let handles = bench.several(THREADS)?;
    let first = handles.first().ok_or_else(|| broken("there is no handle"))?;
    for round in 0..ROUNDS {
        let key = format!("threads/{round}");
        one_after_the_other(first, &key, |ops| {
            together(ops.len(), |n| {
                let (op, handle) = ops.get(n).zip(handles.get(n % handles.len())).ok_or_else(|| broken("no change"))?;
                handle.one(op.clone())
            })
        })?;
    }
    // Each by a call of its own on one thread, which goes on whenever the others wait.
    one_after_the_other(first, "calls", |ops| Ok(first.wait(at_once(first, ops))?))
}

/// A key that is put, then swapped, then swapped and deleted, by many at once.
fn one_after_the_other(
    store: &Handle<'_>,
    key: &str,
    race: impl Fn(Vec<Op>) -> Result<Vec<Outcome>, Broken>,
) -> Result<(), Broken> {
    let all = || 0..THREADS as u8;
    let won = |ops: Vec<Op>| {
        let outcomes = race(ops)?.into_iter().zip(0_u8..);
        let won: Vec<_> = outcomes.filter(|(outcome, _)| *outcome != Outcome::Conflict).collect();
        match <[_; 1]>::try_from(won) {
            Ok([(Outcome::Written(tag), n)]) => {
                ensure(
                    store.get(key)? == Some(entry(&tag, &[n])),
                    "another value stands than that of the one who won",
                )?;
                Ok(Some(tag))
            }
            Ok(_) => {
                ensure(store.get(key)?.is_none(), "what was deleted is there")?;
                Ok(None)
            }
            Err(won) => Err(broken(format!("of several changes of one value {} are made", won.len()))),
        }
    };
    let put = won(all().map(|n| put(key, &[n])).collect())?;
    let tag = put.ok_or_else(|| broken("a put deletes"))?;
    let tag = won(all().map(|n| swap(key, &tag, &[n])).collect())?.ok_or_else(|| broken("a swap deletes"))?;
    won(all().map(|n| if n % 2 == 0 { delete(key, &tag) } else { swap(key, &tag, &[n]) }).collect())?;
    Ok(())
}

type Outcomes<'a> = crate::store::BoxFuture<'a, Result<Vec<Outcome>, StoreError>>;

fn at_once<'a>(handle: &'a Handle<'_>, ops: Vec<Op>) -> Outcomes<'a> {
    let mut calls: Vec<_> = ops.into_iter().map(|op| (handle.store.apply(vec![op]), None)).collect();
    Box::pin(poll_fn(move |context| {
        for (call, outcome) in calls.iter_mut().filter(|(_, outcome)| outcome.is_none()) {
            match call.as_mut().poll(context) {
                Poll::Ready(Ok(mut outcomes)) => *outcome = Some(outcomes.pop().unwrap_or(Outcome::Conflict)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
        }
        let all: Option<Vec<Outcome>> = calls.iter().map(|(_, outcome)| outcome.clone()).collect();
        all.map_or(Poll::Pending, |all| Poll::Ready(Ok(all)))
    }))
}

/// Each batch has some keys that all of them have, in an order of its own, and one that no other has.
pub(super) fn batches_at_once(bench: &Bench<'_>) -> Result<(), Broken> {
    let handles = bench.several(THREADS)?;
    let first = handles.first().ok_or_else(|| broken("there is no handle"))?;
    for round in 0..ROUNDS / 2 {
        let shared: Vec<String> = (0..8).map(|n| format!("at-once/{round}/{n}")).collect();
        let own = |thread: usize| format!("own/{round}/{thread}");
        let found = together(THREADS, |thread| {
            let handle = handles.get(thread % handles.len()).ok_or_else(|| broken("there is no handle"))?;
            let mut keys = shared.clone();
            keys.rotate_left(thread);
            if thread % 2 == 1 {
                keys.reverse();
            }
            keys.insert(4, own(thread));
            let mut made = Made::default();
            for some in keys.chunks(handle.limits().ops.max(1)) {
                made.batch(handle, some, thread as u8)?;
            }
            Ok(made)
        })?;
        for key in &shared {
            let won: Vec<_> = found.iter().zip(0_u8..).filter_map(|(made, n)| Some((made.tags.get(key)?, n))).collect();
            let held = first.get(key)?;
            match won.as_slice() {
                [(tag, n)] => ensure(
                    held == Some(entry(tag, &[*n])),
                    "another value stands than that of the batch that was told of it",
                )?,
                [] => ensure(
                    held.is_some() && found.iter().any(|made| made.again),
                    "a change of a new key conflicts in every batch",
                )?,
                won => return Err(broken(format!("of several changes of one value {} are made", won.len()))),
            }
        }
        for (made, thread) in found.iter().zip(0..) {
            let key = own(thread);
            let stands = first.get(&key)?.is_some_and(|held| held.value == [thread as u8]);
            ensure(
                stands && (made.again || made.tags.contains_key(&key)),
                "a change conflicts because others of its batch do",
            )?;
        }
    }
    Ok(())
}

/// What a thread was told of its batches.
#[derive(Default)]
struct Made {
    tags: BTreeMap<String, Tag>,
    /// It had to try again, and may have been told of a conflict with itself.
    again: bool,
}

impl Made {
    fn batch(&mut self, handle: &Handle<'_>, keys: &[String], value: u8) -> Result<(), Broken> {
        let ops: Vec<Op> = keys.iter().map(|key| put(key, &[value])).collect();
        let mut answer = handle.wait(handle.store.apply(ops.clone()));
        // An engine may end one of two transactions that wait for each other.
        for _ in 0..ROUNDS {
            match &answer {
                Err(error) if error.failure() == StoreFailure::Unavailable => {
                    self.again = true;
                    answer = handle.wait(handle.store.apply(ops.clone()));
                }
                _ => break,
            }
        }
        let outcomes = answer?;
        ensure(outcomes.len() == keys.len(), format!("{} changes have {} outcomes", keys.len(), outcomes.len()))?;
        self.tags.extend(keys.iter().zip(outcomes).filter_map(|(key, outcome)| match outcome {
            Outcome::Written(tag) => Some((key.clone(), tag)),
            _ => None,
        }));
        Ok(())
    }
}

pub(super) fn none_lost(bench: &Bench<'_>) -> Result<(), Broken> {
    const EACH: usize = 50;
    let handles = bench.several(THREADS)?;
    together(THREADS, |n| {
        let handle = handles.get(n % handles.len()).ok_or_else(|| broken("there is no handle"))?;
        let mut conflicts = 0;
        for _ in 0..EACH {
            while !raised(handle)? {
                conflicts += 1;
                // Each is because another one wrote in between.
                ensure(conflicts <= THREADS * EACH, "changes conflict that nobody else made")?;
            }
        }
        Ok(())
    })?;
    let last = handles.last().ok_or_else(|| broken("there is no handle"))?;
    let count = last.get("count")?.map_or(0, |held| held.value.len());
    ensure(count == THREADS * EACH, format!("of {} changes {count} are there", THREADS * EACH))
}

fn raised(handle: &Handle<'_>) -> Result<bool, Broken> {
    let op = match handle.get("count")? {
        None => put("count", &[0]),
        Some(Entry { tag, value }) => swap("count", &tag, &[&value[..], &[0]].concat()),
    };
    Ok(handle.one(op)? != Outcome::Conflict)
}

pub(super) fn entry_is_whole(bench: &Bench<'_>) -> Result<(), Broken> {
    let handles = bench.several(2)?;
    let (writer, reader) = handles.first().zip(handles.last()).ok_or_else(|| broken("there is no handle"))?;
    let (written, read) = (AtomicBool::new(false), AtomicUsize::new(0));
    let found = together(2, |thread| {
        let mut seen: BTreeMap<Vec<u8>, (usize, Option<u8>)> = BTreeMap::new();
        let mut note = |Entry { tag, value }: Entry| {
            let uniform = value.first().is_some_and(|first| value == vec![*first; value.len()]);
            ensure(uniform, "a value is read that was half replaced")?;
            let value = (value.len(), value.first().copied());
            let same = seen.insert(tag.as_bytes().to_vec(), value).is_none_or(|before| before == value);
            ensure(same, "two values are read under one tag")
        };
        if thread == 0 {
            let wrote = write_many(writer, &read, &mut note);
            written.store(true, Ordering::SeqCst);
            wrote?;
        } else {
            while !written.load(Ordering::SeqCst) {
                reader.get("a")?.map_or(Ok(()), &mut note)?;
                reader.scan("", "", 9)?.into_iter().try_for_each(|(_, held)| note(held))?;
                read.fetch_add(1, Ordering::SeqCst);
            }
        }
        Ok(seen)
    })?;
    let [written, read] = found.as_slice() else { return Err(broken("there are no two threads")) };
    let own = read.iter().all(|(tag, value)| written.get(tag) == Some(value));
    ensure(own, "a value is read under the tag of another one")
}

/// More than a row or a document of many engines.
const LARGE: usize = 3_000_000;

/// Until there were enough writes, and reads between them.
fn write_many(
    store: &Handle<'_>,
    read: &AtomicUsize,
    note: &mut impl FnMut(Entry) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let mut tag: Option<Tag> = None;
    for n in (0..=u8::MAX).cycle().take(2_000) {
        // Now and then two in a row that an engine may keep in pieces.
        let value = vec![n; if n % 8 < 2 { LARGE } else { 1 + usize::from(n % 7) * 20_000 }];
        let now = store.write(match &tag {
            None => put("a", &value),
            Some(tag) => swap("a", tag, &value),
        })?;
        note(entry(&now, &value))?;
        tag = Some(now);
        if n >= 40 && read.load(Ordering::SeqCst) > 60 {
            break;
        }
    }
    Ok(())
}
