//! What is there after the store was opened again.

use super::bench::{Bench, Broken, Handle, broken, delete, ensure, put, swap};
use crate::store::{Entry, Outcome, Tag};

pub(super) fn is_kept(bench: &Bench<'_>) -> Result<(), Broken> {
    let mut store = bench.empty()?;
    let keys: Vec<String> = (0..40).map(|n| format!("k/{n:02}")).collect();
    for round in 0..3_u8 {
        let all: Vec<String> = keys.iter().map(|key| format!("{key}.{round}")).collect();
        store.fill(&all)?;
        for (key, n) in all.iter().zip(0_usize..) {
            let tag = store.get(key)?.ok_or_else(|| broken("what was written is not there"))?.tag;
            match n % 3 {
                0 => _ = store.write(swap(key, &tag, &[round]))?,
                1 => _ = store.one(delete(key, &tag))?,
                _ => {}
            }
        }
        store.fill(&["gone/a", "gone/b"].map(String::from))?;
        store.delete_prefix("gone/")?;
        // The last thing before it is closed, and the largest.
        store.write(put(&format!("last/{round}"), &vec![round; 1 << 20]))?;
        let before = all_there_is(&store, &all)?;
        store = bench.reopen(store)?;
        ensure(all_there_is(&store, &all)? == before, "after the store was opened again, it holds something else")?;
    }
    for round in 0..4 {
        let keys: Vec<String> = (0..20).map(|n| format!("disturbed/{round}/{n:02}")).collect();
        bench.engine.disturb();
        let acknowledged = store.fill(&keys).is_ok();
        store = bench.reopen(store)?;
        let kept = store.get_all(&keys)?.iter().all(Option::is_some);
        ensure(kept || !acknowledged, "after the engine broke, what was acknowledged is not there")?;
    }
    Ok(())
}

type All = (Vec<(String, Entry)>, Vec<String>, Vec<Option<Entry>>, Vec<Option<Tag>>);

fn all_there_is(store: &Handle<'_>, keys: &[String]) -> Result<All, Broken> {
    Ok((store.all_entries("", 30)?, store.all_keys("", 30)?, store.get_all(keys)?, store.tags(keys)?))
}

pub(super) fn tag_is_once(bench: &Bench<'_>) -> Result<(), Broken> {
    let mut store = bench.empty()?;
    let mut seen: Vec<Tag> = Vec::new();
    for _ in 0..4 {
        let first = store.write(put("a", b"same"))?;
        let second = store.write(swap("a", &first, b"same"))?;
        ensure(!seen.contains(&first) && !seen.contains(&second), "a key has a tag again")?;
        store = bench.reopen(store)?;
        for old in seen.iter().chain([&first]) {
            ensure(store.one(swap("a", old, b"x"))? == Outcome::Conflict, "an old tag swaps a value like it")?;
        }
        ensure(
            store.one(delete("a", &second))? == Outcome::Deleted,
            "a tag is another one after the store was opened",
        )?;
        seen.extend([first, second]);
        store = bench.reopen(store)?;
    }
    Ok(())
}
