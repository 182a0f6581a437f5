//! What is a key, and which keys are the same.

use super::bench::{Bench, Broken, Handle, delete, ensure, entry, put, refused};
use crate::store::{MAX_KEY, Tag};

/// Alike to engines that fold case, look at a part of a key, take keys for paths, numbers or patterns, or keep some names
/// for themselves.
const ALIKE: [&[&str]; 9] = [
    &["A", "a", "b", "B", "AB", "Ab", "aB", "ab"],
    &["x/a", "x/A", "X/a"],
    &["d", "d/e", "d/e/f", "d-e", "d.e", "d:e", "d_e", "de"],
    &["0", "00", "1", "01", "1.0", "1e0", "-1", "0x1"],
    &["...", ".a", "a.", "a..", ".-", "-.", "-", "--", "_", "__", ":", "::"],
    &["axb", "a_b", "a.b"],
    &["con", "nul", "aux.txt", "CON", "id", "_id", "null", "true", "__proto__", "index.html"],
    &["t.tmp", "t.lock", "t.new", ".git", ".tmp", "t:stream", "c:"],
    &["2026-01-01T00:00:00", "1_000", "NaN", "inf"],
];

pub(super) fn apart(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    // The longest keys, which differ in the last byte, in the first one, and in how many segments they have.
    let long = |first: char, between: &str, last: char| {
        let middle = format!("{}{between}", "k".repeat(60)).repeat(MAX_KEY);
        format!("{first}{}{last}", middle.get(..MAX_KEY - 2).unwrap_or_default())
    };
    let longest =
        [long('a', "", 'a'), long('a', "", 'b'), long('b', "", 'a'), long('a', "/", 'a'), long('a', "/", 'A')];
    let mut keys: Vec<String> = ALIKE.into_iter().flatten().map(|key| (*key).to_owned()).chain(longest).collect();
    let mut tags: Vec<Tag> = Vec::new();
    for key in &keys {
        tags.push(store.write(put(key, key.as_bytes()))?);
    }
    each_is_itself(&store, &keys, &tags)?;
    // One in three goes, and takes no other one along.
    for (key, tag) in keys.iter().zip(&tags).step_by(3) {
        store.one(delete(key, tag))?;
    }
    let stays = |n: &usize| !n.is_multiple_of(3);
    tags = tags.into_iter().enumerate().filter(|(n, _)| stays(n)).map(|(_, tag)| tag).collect();
    keys = keys.into_iter().enumerate().filter(|(n, _)| stays(n)).map(|(_, key)| key).collect();
    each_is_itself(&store, &keys, &tags)
}

fn each_is_itself(store: &Handle<'_>, keys: &[String], tags: &[Tag]) -> Result<(), Broken> {
    for ((key, tag), held) in keys.iter().zip(tags).zip(store.get_all(keys)?) {
        ensure(held == Some(entry(tag, key.as_bytes())), format!("`{key}` has what was written under another key"))?;
    }
    let mut sorted = keys.to_vec();
    sorted.sort();
    ensure(store.all_keys("", 1000)? == sorted, "a listing has other keys than were written")
}

/// None of these is a key, nor begins a prefix with `/` behind it.
const BAD: [&str; 26] = [
    "", "/", "/a", "a/", "a//b", "//", ".", "..", "./a", "../a", "a/.", "a/..", "a/./b", "a/../b", "a b", " a", "a\n",
    "a\0b", "é", "a~b", "a%2fb", "a%7Eb", "a\\b", "a*", "a?b", "a'b",
];

pub(super) fn no_key(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    let good = "a".to_owned();
    let tag = store.write(put(&good, b"1"))?;
    let long = "k".repeat(MAX_KEY + 1);
    for bad in BAD.into_iter().chain([long.as_str()]) {
        let what = format!("`{}`, which is no key,", bad.escape_debug());
        for op in [put(bad, b"1"), delete(bad, &tag)] {
            refused(store.wait(store.store.apply(vec![op.clone()])), &what)?;
            refused(store.wait(store.store.apply(vec![put("b", b"1"), op])), &what)?;
        }
        let read = [good.clone(), bad.to_owned()];
        refused(store.wait(store.store.get(&read)), &what)?;
        refused(store.wait(store.store.tags(&read)), &what)?;
        // A slash behind it makes a prefix of what is none; what ends in one already, or is empty, is looked at below.
        if !matches!(bad, "a/" | "") {
            is_no_prefix(&store, &format!("{bad}/"))?;
        }
    }
    for bad in ["a", "/", "a//", "a/b", "%", "a/%", "../", "a/../", "a*/"] {
        is_no_prefix(&store, bad)?;
    }
    ensure(store.keys("", "", 9)? == ["a"], "of what is refused, something is done")
}

fn is_no_prefix(store: &Handle<'_>, bad: &str) -> Result<(), Broken> {
    let what = format!("`{}`, which is no prefix,", bad.escape_debug());
    refused(store.wait(store.store.keys(bad, "", 9)), &what)?;
    refused(store.wait(store.store.scan(bad, "", 9)), &what)?;
    refused(store.wait(store.store.delete_prefix(bad)), &what)
}

pub(super) fn named_once(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    let tag = store.write(put("t", b"1"))?;
    let batches = [
        vec![put("a", b"1"), put("a", b"1")],
        vec![put("a", b"1"), put("b", b"1"), put("a", b"2")],
        vec![put("b", b"1"), put("a", b"1"), put("b", b"1"), put("c", b"1")],
        vec![put("a", b"1"), delete("t", &tag), put("t", b"2")],
        vec![delete("t", &tag), delete("t", &tag)],
    ];
    for batch in batches {
        refused(store.wait(store.store.apply(batch)), "a batch that names a key twice")?;
        ensure(store.keys("", "", 9)? == ["t"], "of a batch that is refused, something is done")?;
    }
    ensure(store.get("t")? == Some(entry(&tag, b"1")), "of a batch that is refused, something is done")
}
