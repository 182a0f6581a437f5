//! Whoever tries again after a failure gets where he wanted.

use super::bench::{Bench, Broken, Handle, ensure, put, swap};
use crate::store::{BoxFuture, Entry, Fault, FaultyStore, Limits, Op, Outcome, Store, StoreError, StoreFailure, Tag};

/// The store of a handle, for a store around it.
struct Lent<'a>(&'a dyn Store);

impl Store for Lent<'_> {
    fn limits(&self) -> Limits {
        self.0.limits()
    }

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        self.0.get(keys)
    }

    fn tags<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Tag>>, StoreError>> {
        self.0.tags(keys)
    }

    fn keys<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.0.keys(prefix, after, limit)
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(String, Entry)>, StoreError>> {
        self.0.scan(prefix, after, limit)
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        self.0.apply(ops)
    }

    fn delete_prefix<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<u64, StoreError>> {
        self.0.delete_prefix(prefix)
    }
}

pub(super) fn gets_there(bench: &Bench<'_>) -> Result<(), Broken> {
    let handle = bench.empty()?;
    let faulty = FaultyStore::new(Lent(&*handle.store));
    let faults = [Fault::Refused, Fault::AnswerLost, Fault::Torn(1), Fault::Torn(2), Fault::Crash, Fault::CrashTorn(1)];
    for (round, fault) in faults.into_iter().enumerate() {
        for at in 1..=4 {
            let keys: Vec<String> = (0..handle.limits().ops.min(3)).map(|n| format!("k/{round}/{at}/{n}")).collect();
            faulty.fail_at(at, fault);
            let mut tries = 0;
            while let Err(error) = handle.wait(Box::pin(raise(&faulty, &keys, 2))) {
                ensure(error.failure() == StoreFailure::Unavailable, "a fault is no refusal")?;
                tries += 1;
                ensure(tries < 8, "a store that is well again does not do what it is asked for")?;
                let held = handle.get_all(&keys)?.into_iter().flatten();
                let whole = held.into_iter().all(|held| held.value == [1; 100] || held.value == [2; 100]);
                ensure(whole, "a failure leaves a value that nobody wrote")?;
                faulty.heal();
            }
            ensure(tries == 1, "a call that fails is not made")?;
            reached(&handle, &keys)?;
        }
    }
    Ok(())
}

fn reached(handle: &Handle<'_>, keys: &[String]) -> Result<(), Broken> {
    let all = handle.get_all(keys)?.into_iter().all(|held| held.is_some_and(|held| held.value == [2; 100]));
    ensure(all, "what was asked for until it did not fail is not done")
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
