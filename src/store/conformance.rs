//! What every adapter of a [`Store`] has to do, as a suite to run against it.
//!
//! Run [`all`] against an empty store, and [`with_faults`] against another one. Where an adapter keeps data over
//! restarts, test that beside them.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::task::Poll;

use super::{Entry, Fault, FaultyStore, MAX_KEY, MAX_VALUE, Op, Outcome, Store, StoreError, StoreFailure, Tag};

/// A promise that a store does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Violation {}

impl From<StoreError> for Violation {
    fn from(error: StoreError) -> Self {
        Self(format!("a call failed: {error}"))
    }
}

/// All promises, against an empty store.
///
/// # Errors
///
/// The first promise that is broken.
pub async fn all(store: &dyn Store) -> Result<(), Violation> {
    writes_only_what_is_absent(store).await?;
    swaps_only_what_was_read(store).await?;
    gives_no_tag_twice(store).await?;
    makes_every_change_of_a_batch(store).await?;
    pages_through_keys(store).await?;
    refuses_what_is_no_key(store).await?;
    lets_one_of_many_win(store).await?;
    keeps_large_values_and_batches(store).await
}

/// Under each fault at each call, a caller that reads and tries again gets where it wanted, and no value is half written.
///
/// # Errors
///
/// The first promise that is broken.
pub async fn with_faults(store: impl Store) -> Result<(), Violation> {
    let store = FaultyStore::new(store);
    let faults = [Fault::Refused, Fault::AnswerLost, Fault::Torn(1), Fault::Torn(2), Fault::Crash, Fault::CrashTorn(1)];
    for (round, fault) in faults.into_iter().enumerate() {
        for at in 1..=4 {
            let keys: Vec<String> = (0..3).map(|n| format!("fault/{round}/{at}/{n}")).collect();
            store.fail_at(at, fault);
            let mut tries = 0;
            while let Err(error) = raise(&store, &keys, 2).await {
                ensure(error.failure() == StoreFailure::Unavailable, "a fault is no refusal")?;
                tries += 1;
                ensure(tries < 8, "a store that is well again does what it is asked for")?;
                for entry in store.inner().get(&keys).await?.into_iter().flatten() {
                    let whole = entry.value == [1; 100] || entry.value == [2; 100];
                    ensure(whole, "a value is one that was written")?;
                }
                store.heal();
            }
            ensure(tries == 1, "the fault came up")?;
            for entry in store.inner().get(&keys).await? {
                ensure(entry.is_some_and(|entry| entry.value == [2; 100]), "what was asked for was done")?;
            }
        }
    }
    Ok(())
}

/// Brings every key to `[level; 100]`, from nothing, one level after the other.
async fn raise(store: &dyn Store, keys: &[String], level: u8) -> Result<(), StoreError> {
    // Once more than there are levels, to see the last; the caller looks whether the store did it.
    for _ in 0..=level {
        let mut ops = Vec::new();
        for (key, entry) in keys.iter().zip(store.get(keys).await?) {
            match entry {
                None => ops.push(put(key, &[1; 100])),
                Some(Entry { tag, value }) => {
                    let at = value.first().copied().unwrap_or_default();
                    if at < level {
                        ops.push(swap(key, &tag, &[at + 1; 100]));
                    }
                }
            }
        }
        if ops.is_empty() {
            return Ok(());
        }
        store.apply(ops).await?;
    }
    Ok(())
}

async fn writes_only_what_is_absent(store: &dyn Store) -> Result<(), Violation> {
    let key = "absent/a";
    ensure(get(store, key).await?.is_none(), "an empty store holds nothing")?;
    let tag = written(store, put(key, b"1")).await?;
    ensure(get(store, key).await? == Some(entry(&tag, b"1")), "what was put is there, under the tag that was given")?;
    ensure(one(store, put(key, b"2")).await? == Outcome::Conflict, "put does not replace")?;
    ensure(get(store, key).await? == Some(entry(&tag, b"1")), "a conflict changes nothing")?;
    let empty = written(store, put("absent/b", b"")).await?;
    ensure(get(store, "absent/b").await? == Some(entry(&empty, b"")), "an empty value is a value")?;
    let keys = ["absent/c", "absent/a", "absent/a"].map(String::from);
    let found: Vec<bool> = store.get(&keys).await?.iter().map(Option::is_some).collect();
    ensure(found == [false, true, true], "values come in the order of the keys")?;
    ensure(store.get(&[]).await?.is_empty() && store.apply(Vec::new()).await?.is_empty(), "nothing gives nothing")
}

async fn swaps_only_what_was_read(store: &dyn Store) -> Result<(), Violation> {
    let key = "swap/a";
    let first = written(store, put(key, b"1")).await?;
    let second = written(store, swap(key, &first, b"2")).await?;
    ensure(get(store, key).await? == Some(entry(&second, b"2")), "a swap replaces value and tag")?;
    ensure(one(store, swap(key, &first, b"3")).await? == Outcome::Conflict, "a stale tag swaps nothing")?;
    ensure(one(store, delete(key, &first)).await? == Outcome::Conflict, "a stale tag deletes nothing")?;
    ensure(one(store, swap("swap/b", &second, b"3")).await? == Outcome::Conflict, "what is not there is not swapped")?;
    ensure(get(store, "swap/b").await?.is_none(), "a swap makes no key")?;
    ensure(one(store, delete(key, &second)).await? == Outcome::Deleted, "a tag that is right deletes")?;
    ensure(one(store, delete(key, &second)).await? == Outcome::Conflict, "what is gone is not deleted again")?;
    ensure(get(store, key).await?.is_none(), "what was deleted is gone")
}

async fn gives_no_tag_twice(store: &dyn Store) -> Result<(), Violation> {
    let key = "tags/a";
    let mut seen = Vec::new();
    for _ in 0..4 {
        let first = written(store, put(key, b"same")).await?;
        let second = written(store, swap(key, &first, b"same")).await?;
        for old in &seen {
            ensure(one(store, swap(key, old, b"other")).await? == Outcome::Conflict, "no tag comes back")?;
        }
        ensure(one(store, delete(key, &second)).await? == Outcome::Deleted, "a tag that is right deletes")?;
        seen.extend([first, second]);
    }
    Ok(())
}

async fn makes_every_change_of_a_batch(store: &dyn Store) -> Result<(), Violation> {
    let tag = written(store, put("batch/b", b"1")).await?;
    let ops = vec![put("batch/c", b"5"), put("batch/b", b"3"), put("batch/a", b"1"), swap("batch/d", &tag, b"4")];
    let outcomes = store.apply(ops).await?;
    let made: Vec<bool> = outcomes.iter().map(|outcome| matches!(outcome, Outcome::Written(_))).collect();
    ensure(made == [true, false, true, false], "each change has its own outcome, in their order")?;
    for (key, value) in [("batch/a", b"1"), ("batch/b", b"1"), ("batch/c", b"5")] {
        ensure(get(store, key).await?.is_some_and(|entry| entry.value == *value), "a conflict stops no other change")?;
    }
    let twice = vec![put("batch/e", b"1"), put("batch/f", b"1"), put("batch/e", b"2")];
    let refused = store.apply(twice).await.err().map(|error| error.failure());
    ensure(refused == Some(StoreFailure::Refused), "a batch that names a key twice is refused")?;
    ensure(get(store, "batch/f").await?.is_none(), "and refused whole")
}

async fn pages_through_keys(store: &dyn Store) -> Result<(), Violation> {
    let names = ["-", ".a", "0", "9:", "A", "Z", "_", "a", "a-b", "a.b", "a/b", "a/b/c", "a:b", "aa", "b", "z"];
    // Of each pair, what the second one would stand for where a prefix is a pattern, or case does not matter.
    let lookalikes = [("x_z", "xyz"), ("x.z", "xyz"), ("XyZ", "xyz"), ("x-z", "x_z"), ("x.z", "x.zz")];
    for (n, (one, other)) in lookalikes.into_iter().enumerate() {
        let (one, other) = (format!("like/{n}/{one}"), format!("like/{n}/{other}"));
        let below = [&one, &other].map(|key| put(&format!("{key}/k"), b""));
        store.apply(below.into()).await?;
        let found = store.keys(&format!("{one}/"), "", 9).await?;
        ensure(found == [format!("{one}/k")], "a prefix is no pattern, and case matters")?;
    }
    let mut keys: Vec<String> = names.iter().map(|name| format!("page/{name}")).collect();
    let outside = ["page", "pagf/a", "pag/z", "page-a", "page.a"].map(|key| put(key, b""));
    store.apply(keys.iter().rev().map(|key| put(key, b"")).chain(outside).collect()).await?;
    keys.sort();
    for limit in [1, 2, 3, keys.len(), 100] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = store.keys("page/", &after, limit).await?;
            ensure(page.len() <= limit, "a page keeps its limit")?;
            begins_after(&after, &page)?;
            let Some(last) = page.last() else { break };
            after.clone_from(last);
            seen.extend(page);
        }
        ensure(seen == keys, "pages give every key once, by their bytes")?;
    }
    ensure(store.keys("page/a/", "page/a/b", 9).await? == ["page/a/b/c"], "a page begins after a key of the prefix")?;
    ensure(store.keys("page/a/b/", "page/a", 9).await? == ["page/a/b/c"], "or before the prefix")?;
    ensure(store.keys("page/", "page/zz", 9).await?.is_empty(), "nothing follows the last")?;
    ensure(store.keys("page/none/", "", 9).await?.is_empty(), "a prefix without keys has none")?;
    ensure(store.keys("page/", "", 0).await?.is_empty(), "no key fits in a page of none")
}

/// Without this, who goes through the pages of a broken store would never come to the last.
fn begins_after(after: &str, page: &[String]) -> Result<(), Violation> {
    ensure(page.iter().all(|key| key.as_str() > after), "a page begins after the key that it is told")
}

async fn refuses_what_is_no_key(store: &dyn Store) -> Result<(), Violation> {
    let long = "k".repeat(MAX_KEY);
    ensure(matches!(one(store, put(&long, b"1")).await?, Outcome::Written(_)), "the longest key is a key")?;
    for bad in ["", "a b", "a\n", "é", "a\0", "a%7Eb", "/a", "a/", "a//b", "../a", "a/./b", &format!("{long}k")] {
        let ops = vec![put("refused/a", b"1"), put(bad, b"1")];
        let refused = store.apply(ops).await.err().map(|error| error.failure());
        ensure(refused == Some(StoreFailure::Refused), "what is no key is refused")?;
        ensure(get(store, "refused/a").await?.is_none(), "a batch is refused whole")?;
        let refused = store.get(&[bad.to_owned()]).await.err().map(|error| error.failure());
        ensure(refused == Some(StoreFailure::Refused), "what is no key is not read")?;
    }
    Ok(())
}

async fn lets_one_of_many_win(store: &dyn Store) -> Result<(), Violation> {
    let tag = written(store, put("race/a", b"")).await?;
    let won = winners(store, (0..32).map(|n| swap("race/a", &tag, &[n])).collect()).await?;
    let [(n, Outcome::Written(tag))] = won.as_slice() else {
        return Err(Violation("of several swaps of one value, one wins".into()));
    };
    ensure(get(store, "race/a").await? == Some(entry(tag, &[*n])), "and its value stands")?;
    let won = winners(store, (0..32).map(|n| put("race/b", &[n])).collect()).await?;
    let [(n, Outcome::Written(first))] = won.as_slice() else {
        return Err(Violation("of several puts under one key, one wins".into()));
    };
    ensure(get(store, "race/b").await? == Some(entry(first, &[*n])), "and what it put stands")?;
    let mixed = (0..32).map(|n| if n % 2 == 0 { delete("race/b", first) } else { swap("race/b", first, &[n]) });
    let won = winners(store, mixed.collect()).await?;
    match won.as_slice() {
        [(_, Outcome::Deleted)] => ensure(get(store, "race/b").await?.is_none(), "what was deleted is gone"),
        [(n, Outcome::Written(tag))] => {
            ensure(get(store, "race/b").await? == Some(entry(tag, &[*n])), "what was swapped stands")
        }
        _ => Err(Violation("of deletions and swaps of one value, one wins".into())),
    }
}

/// Makes these changes all at once, each by a call of its own that goes on whenever the others wait, and gives those that
/// were made.
async fn winners(store: &dyn Store, ops: Vec<Op>) -> Result<Vec<(u8, Outcome)>, Violation> {
    let mut calls: Vec<_> = ops.into_iter().zip(0..).map(|(op, n)| (n, store.apply(vec![op]))).collect();
    let mut won = Vec::new();
    poll_fn(|context| {
        let mut failed = None;
        calls.retain_mut(|(n, call)| match call.as_mut().poll(context) {
            Poll::Pending => true,
            Poll::Ready(Ok(outcomes)) => {
                let made = outcomes.into_iter().filter(|outcome| *outcome != Outcome::Conflict);
                won.extend(made.map(|outcome| (*n, outcome)));
                false
            }
            Poll::Ready(Err(error)) => {
                failed = Some(error);
                false
            }
        });
        match failed {
            Some(error) => Poll::Ready(Err(error)),
            None if calls.is_empty() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    })
    .await?;
    Ok(won)
}

async fn keeps_large_values_and_batches(store: &dyn Store) -> Result<(), Violation> {
    let large: Vec<u8> = (0..3_000_000u32).map(|n| n.to_le_bytes()).map(|[a, b, c, _]| a ^ b ^ c).collect();
    let tag = written(store, put("large/a", &large)).await?;
    ensure(get(store, "large/a").await? == Some(entry(&tag, &large)), "three megabytes come back whole")?;
    let many: BTreeMap<String, [u8; 4]> = (0..2000u32).map(|n| (format!("many/{n:05}"), n.to_be_bytes())).collect();
    let outcomes = super::apply_all(store, many.iter().map(|(key, value)| put(key, value)).collect()).await?;
    ensure(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Written(_))), "a batch of 2,000 is written")?;
    let keys: Vec<String> = many.keys().cloned().collect();
    let same = store.get(&keys).await?.into_iter().zip(many.values());
    let same = same.filter(|(entry, value)| entry.as_ref().is_some_and(|entry| entry.value == **value)).count();
    ensure(same == many.len(), "and read")?;
    for (prefix, limit) in [("many/", 1000), ("many/", 5000), ("", 1000)] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = store.keys(prefix, &after, limit).await?;
            begins_after(&after, &page)?;
            let Some(last) = page.last() else { break };
            after.clone_from(last);
            seen.extend(page.into_iter().filter(|key| key.starts_with("many/")));
        }
        ensure(seen == keys, "only an empty page is the last one, and nothing begins every key")?;
    }
    let largest = vec![7; MAX_VALUE];
    let tag = written(store, put("large/b", &largest)).await?;
    ensure(get(store, "large/b").await? == Some(entry(&tag, &largest)), "the largest value comes back whole")
}

async fn get(store: &dyn Store, key: &str) -> Result<Option<Entry>, Violation> {
    let [entry] = <[_; 1]>::try_from(store.get(&[key.to_owned()]).await?)
        .map_err(|_| Violation("one key gives one answer".into()))?;
    Ok(entry)
}

async fn one(store: &dyn Store, op: Op) -> Result<Outcome, Violation> {
    let [outcome] = <[_; 1]>::try_from(store.apply(vec![op]).await?)
        .map_err(|_| Violation("one change gives one outcome".into()))?;
    Ok(outcome)
}

async fn written(store: &dyn Store, op: Op) -> Result<Tag, Violation> {
    match one(store, op).await? {
        Outcome::Written(tag) => Ok(tag),
        other => Err(Violation(format!("a change that nothing stands against is made, not {other:?}"))),
    }
}

fn entry(tag: &Tag, value: &[u8]) -> Entry {
    Entry { tag: tag.clone(), value: value.to_vec() }
}

fn put(key: &str, value: &[u8]) -> Op {
    Op::Put { key: key.to_owned(), value: value.to_vec() }
}

fn swap(key: &str, tag: &Tag, value: &[u8]) -> Op {
    Op::Swap { key: key.to_owned(), tag: tag.clone(), value: value.to_vec() }
}

fn delete(key: &str, tag: &Tag) -> Op {
    Op::Delete { key: key.to_owned(), tag: tag.clone() }
}

fn ensure(holds: bool, promise: &str) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(promise.to_owned())) }
}
