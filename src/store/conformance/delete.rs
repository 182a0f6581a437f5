//! Deletion of all that lies under a prefix.

use super::bench::{Bench, Broken, Handle, broken, ensure, put, swap};
use super::together::together;
use crate::store::Outcome;

pub(super) fn prefix(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    takes_no_other(&store)?;
    takes_more_than_a_page(&store)?;
    takes_what_changes(&store)?;
    let left = store.all_keys("", 1000)?.len();
    ensure(left > 0 && store.delete_prefix("")? == left as u64, "the deletion of everything counts other keys")?;
    ensure(store.keys("", "", 1)?.is_empty(), "the deletion of everything leaves something")?;
    ensure(store.delete_prefix("")? == 0, "what is gone is deleted again")
}

fn takes_no_other(store: &Handle<'_>) -> Result<(), Broken> {
    let names = [
        "a", "a/b", "a/b/1", "a/b/2/3", "a/b/B", "a/bc/1", "a/b-/1", "a/b.", "a/b0", "A/b/1", "a/B/1", "x_z", "x_z/1",
        "xyz/1", "x.z/1", "z/a/b/1", "ab/1",
    ];
    let mut keys = names.map(String::from).to_vec();
    store.fill(&keys)?;
    keys.sort();
    for (prefix, count) in [("a/b/", 3), ("none/", 0), ("x_z/", 1), ("x.z/", 1), ("a/b/", 0)] {
        let deleted = store.delete_prefix(prefix)?;
        keys.retain(|key| !key.starts_with(prefix));
        ensure(deleted == count, format!("{deleted} keys are deleted under `{prefix}`, which has {count}"))?;
        let seen = format!("the deletion of `{prefix}` takes another key, or leaves one");
        ensure(store.all_keys("", 100)? == keys, &seen)?;
        ensure(store.get_all(&names.map(String::from))?.iter().flatten().count() == keys.len(), &seen)?;
    }
    Ok(())
}

fn takes_more_than_a_page(store: &Handle<'_>) -> Result<(), Broken> {
    let many: Vec<String> = (0..2345).map(|n| format!("many/{n:04}")).collect();
    let beside = ["many", "many-/1", "many0/1"].map(String::from);
    store.fill(&many)?;
    store.fill(&beside)?;
    let first = many.first().ok_or_else(|| broken("there is no key"))?;
    let before = store.tags(std::slice::from_ref(first))?;
    let deleted = store.delete_prefix("many/")?;
    ensure(deleted == many.len() as u64, format!("of {} keys {deleted} are deleted", many.len()))?;
    ensure(store.keys("many/", "", 1)?.is_empty(), "a key under the prefix is left")?;
    ensure(store.get_all(&beside)?.iter().all(Option::is_some), "a key beside the prefix is deleted")?;
    let anew = store.write(put(first, first.as_bytes()))?;
    ensure(!before.contains(&Some(anew)), "what is written anew has the tag of what was deleted")
}

/// Others write under the prefix meanwhile, and each of the keys once.
fn takes_what_changes(store: &Handle<'_>) -> Result<(), Broken> {
    for round in 0..3 {
        let prefix = format!("busy/{round}/");
        let keys: Vec<String> = (0..60).map(|n| format!("{prefix}{n:02}")).collect();
        store.fill(&keys)?;
        together(2, |thread| {
            if thread == 0 {
                return store.delete_prefix(&prefix).map(|_| ());
            }
            for key in keys.iter().rev() {
                if let Some(held) = store.get(key)? {
                    let outcome = store.one(swap(key, &held.tag, b"2"))?;
                    ensure(outcome != Outcome::Deleted, "a swap deletes")?;
                }
                store.one(put(&format!("{key}.new"), b"1"))?;
            }
            Ok(())
        })?;
        ensure(store.get_all(&keys)?.iter().all(Option::is_none), "what was swapped meanwhile is left")?;
    }
    Ok(())
}
