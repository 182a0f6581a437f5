//! Listings, page by page.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use super::bench::{Bench, Broken, Handle, delete, ensure, is_page, put};
use super::together::together;

pub(super) fn order_of_bytes(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    let names = [
        "-", ".a", "0", "10", "9", "9:", "A", "Z", "_", "a", "a-b", "a.b", "a/b", "a/b/c", "a/bc", "a:b", "aB", "a_b",
        "aa", "ab", "b", "z",
    ];
    let mut keys: Vec<String> = names.iter().rev().map(|name| format!("page/{name}")).collect();
    store.fill(&keys)?;
    keys.sort();
    for limit in [1, 2, 3, keys.len(), 100] {
        ensure(store.all_keys("page/", limit)? == keys, "pages do not give every key once")?;
        ensure(store.all_keys("", limit)? == keys, "pages of all keys do not give every key once")?;
        let scanned: Vec<String> = store.all_entries("page/", limit)?.into_iter().map(|(key, _)| key).collect();
        ensure(scanned == keys, "pages of a scan do not give every key once")?;
    }
    Ok(())
}

pub(super) fn prefix_is_plain(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    // Each would stand for some other one, if a prefix were a pattern, if case did not matter, or if a slash were nothing.
    let names =
        ["x_z", "xyz", "x.z", "XyZ", "x-z", "x.zz", "x", "xy", "x/y", "x/yz", "x/y/z", "x:z", "x0", "x./z", "x_/z"];
    let mut keys: Vec<String> = names.iter().flat_map(|name| [(*name).to_owned(), format!("{name}/k")]).collect();
    keys.sort();
    store.fill(&keys)?;
    for prefix in names.iter().map(|name| format!("{name}/")) {
        let under: Vec<&String> = keys.iter().filter(|key| key.starts_with(&prefix)).collect();
        ensure(
            store.all_keys(&prefix, 4)?.iter().eq(under.iter().copied()),
            format!("under `{prefix}` lie other keys"),
        )?;
        let scanned = store.all_entries(&prefix, 4)?;
        let scanned = scanned.iter().map(|(key, _)| key);
        ensure(scanned.eq(under.iter().copied()), format!("under `{prefix}` a scan has other keys"))?;
    }
    ensure(store.keys("none/", "", 9)?.is_empty(), "a prefix without keys has some")
}

pub(super) fn limit(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    let keys = ["a", "p", "p-", "p/a", "p/a/b", "p/b", "p/c", "p0", "q"].map(String::from);
    store.fill(&keys)?;
    for limit in [0, 1, 2, 3, 9, 1 << 33, usize::MAX] {
        for after in ["", "a", "o", "p/", "p/a", "p/a/b", "p/aa", "p/c", "p/zz", "q", "zz"] {
            for prefix in ["p/", "p/a/", ""] {
                let expected = keys.iter().filter(|key| key.starts_with(prefix) && key.as_str() > after).take(limit);
                let page = store.keys(prefix, after, limit)?;
                let scanned: Vec<String> = store.scan(prefix, after, limit)?.into_iter().map(|(key, _)| key).collect();
                for page in [page, scanned] {
                    is_page(after, page.iter(), limit)?;
                    // It may end early, but not before it began.
                    let begins = expected.clone().zip(&page).all(|(one, other)| one == other);
                    let some = page.is_empty() == (expected.clone().count() == 0);
                    let seen = format!("the page of {limit} under `{prefix}` after `{after}` is {page:?}");
                    ensure(begins && some && page.len() <= expected.clone().count(), seen)?;
                }
            }
        }
    }
    Ok(())
}

pub(super) fn empty_is_last(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    // What was deleted may lie about as tombstones, more in a row than an engine gives at once, and fills no page.
    let keys: Vec<String> = (0..2400).map(|n| format!("k/{n:04}")).collect();
    store.fill(&keys)?;
    let stays = |key: &String| matches!(key.as_str(), "k/0000" | "k/0003" | "k/1200" | "k/2399");
    let (left, gone): (Vec<String>, Vec<String>) = keys.into_iter().partition(stays);
    store.clear(&gone)?;
    for limit in [1, 2, 5, 100] {
        ensure(store.all_keys("k/", limit)? == left, "an empty page comes before the end")?;
        let scanned = store.all_entries("k/", limit)?;
        let scanned = scanned.iter().map(|(key, _)| key);
        ensure(scanned.eq(&left), "an empty page of a scan comes before the end")?;
    }
    Ok(())
}

pub(super) fn under_change(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    between_pages(&store, "keys", |prefix, after| store.keys(prefix, after, 7))?;
    between_pages(&store, "scan", |prefix, after| {
        Ok(store.scan(prefix, after, 7)?.into_iter().map(|(key, _)| key).collect())
    })?;
    beside_pages(&store)
}

/// Between any two pages, keys come and go before the last one that was given, and after it.
fn between_pages(
    store: &Handle<'_>,
    name: &str,
    page: impl Fn(&str, &str) -> Result<Vec<String>, Broken>,
) -> Result<(), Broken> {
    let prefix = format!("{name}/");
    let keys: Vec<String> = (0..90).map(|n| format!("{name}/{n:03}")).collect();
    store.fill(&keys)?;
    let (mut seen, mut gone, mut after) = (BTreeSet::new(), BTreeSet::new(), String::new());
    // What is there, after the last key that was given.
    let mut next: BTreeSet<String> = keys.iter().cloned().collect();
    for round in 0.. {
        let page = page(&prefix, &after)?;
        is_page(&after, page.iter(), 7)?;
        let expected = next.iter().take(page.len().max(1));
        ensure(page.iter().eq(expected), format!("the page after `{after}` is {page:?}"))?;
        let Some(last) = page.last() else { break };
        after.clone_from(last);
        seen.extend(page.iter().cloned());
        next = next.split_off(&format!("{after}\0"));
        // It would never come to the end.
        if round >= CHANGES {
            continue;
        }
        let inserted = [format!("{prefix}-{round:03}"), format!("{after}-{round:03}")];
        store.fill(&inserted)?;
        next.extend(inserted.into_iter().filter(|key| *key > after));
        // One comes before, or one comes and two go: what counts keys has lost its place.
        let before = page.iter().take(1).chain([&after]).filter(|_| round % 2 == 1);
        let later = keys.iter().filter(|key| **key > after).nth(4);
        for key in before.chain(later) {
            if let Some(held) = store.get(key)? {
                store.one(delete(key, &held.tag))?;
                next.remove(key);
                gone.insert(key.clone());
            }
        }
    }
    ensure(
        keys.iter().all(|key| gone.contains(key) || seen.contains(key)),
        "a key that was there all the while is on no page",
    )
}

/// While one thread pages, another one writes and deletes between the keys that stay.
fn beside_pages(store: &Handle<'_>) -> Result<(), Broken> {
    let stays: Vec<String> = (0..40).map(|n| format!("beside/{n:03}")).collect();
    store.fill(&stays)?;
    let paged = AtomicBool::new(false);
    together(2, |thread| {
        if thread == 0 {
            let pages = (0..15).try_for_each(|_| {
                let listed: BTreeSet<String> = store.all_keys("beside/", 3)?.into_iter().collect();
                ensure(stays.iter().all(|key| listed.contains(key)), "a key that was there all the while is on no page")
            });
            paged.store(true, Ordering::SeqCst);
            return pages;
        }
        for n in (0..40).cycle().take(4_000) {
            if paged.load(Ordering::SeqCst) {
                break;
            }
            let key = format!("beside/{n:03}.x");
            let tag = store.write(put(&key, b""))?;
            store.one(delete(&key, &tag))?;
        }
        Ok(())
    })
    .map(|_| ())
}

/// After how many pages nothing comes and goes any more.
const CHANGES: usize = 8;
