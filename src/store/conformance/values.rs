//! What comes back of a value, by each way to read it.

use super::bench::{Bench, Broken, broken, delete, ensure, entry, put, refused, swap};
use crate::store::{MAX_VALUE, Tag};

pub(super) fn come_back(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    let every_byte: Vec<u8> = (0..=255).collect();
    // No page or block of an engine is a multiple of 257.
    let uneven = |length: usize| {
        let mut value = [&every_byte[..], b"."].concat().repeat(length / 257 + 1);
        value.truncate(length);
        value
    };
    let (large, longest) = (uneven(3_000_000), uneven(MAX_VALUE));
    let values = [&[][..], &[0], b"\xff\xfe\x80", b"\r\n\0 ", &every_byte, &large, &longest, b"short", &longest];
    let mut tag: Option<Tag> = None;
    for (n, value) in values.into_iter().enumerate() {
        let alone = store.write(put(&format!("each/{n}"), value))?;
        let seen = format!("a value of {} bytes does not come back", value.len());
        ensure(store.get(&format!("each/{n}"))? == Some(entry(&alone, value)), &seen)?;
        let over = store.write(match &tag {
            None => put("all", value),
            Some(tag) => swap("all", tag, value),
        })?;
        ensure(store.get("all")? == Some(entry(&over, value)), format!("{seen} after another one"))?;
        tag = Some(over);
    }
    let keys: Vec<String> = (0..values.len()).map(|n| format!("each/{n}")).collect();
    let together = store.get_all(&keys)?;
    let whole = together.into_iter().zip(values).all(|(held, value)| held.is_some_and(|held| held.value == value));
    ensure(whole, "values that are read together are not as they were written")
}

pub(super) fn limit(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    let tag = store.write(put("b", b"1"))?;
    let long = vec![7; MAX_VALUE + 1];
    for op in [put("a", &long), swap("b", &tag, &long)] {
        refused(store.wait(store.store.apply(vec![op.clone()])), "a value over the limit")?;
        refused(store.wait(store.store.apply(vec![put("c", b"1"), op])), "a value over the limit")?;
    }
    ensure(store.keys("", "", 9)? == ["b"], "of a batch that is refused, something is written")?;
    ensure(store.get("b")? == Some(entry(&tag, b"1")), "of a batch that is refused, something is swapped")
}

/// Of what is asked for, half is there.
pub(super) fn many(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    let keys: Vec<String> = (0..MANY).map(|n| format!("k/{n:04}")).collect();
    let (there, _) = keys.split_at(MANY / 2);
    store.fill(there)?;
    // Backwards, and what is not there first.
    let asked: Vec<String> = keys.iter().rev().cloned().collect();
    let held = store.get_all(&asked)?;
    let whole = asked.iter().zip(&held).all(|(key, held)| match held {
        Some(held) => held.value == key.as_bytes(),
        None => !there.contains(key),
    });
    ensure(whole, format!("a read of {MANY} keys is not of what is there"))?;
    let tags: Vec<Option<Tag>> = held.into_iter().map(|held| Some(held?.tag)).collect();
    ensure(store.tags(&asked)? == tags, format!("the tags of {MANY} keys are not those of the values"))
}

/// More keys than this crate asks for at once, and than most engines take in a message.
const MANY: usize = 3000;

pub(super) fn tags(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    let keys: Vec<String> = (0..12).map(|n| format!("k/{n:02}")).collect();
    ensure(store.tags(&[])?.is_empty(), "nothing gives something")?;
    for round in 0..4_u8 {
        for (key, n) in keys.iter().zip(0..) {
            let held = store.get(key)?;
            match (held, n % 3) {
                (None, _) => _ = store.write(put(key, &[round]))?,
                (Some(held), 0) => _ = store.write(swap(key, &held.tag, &[round]))?,
                (Some(held), 1) => _ = store.one(delete(key, &held.tag))?,
                _ => {}
            }
        }
        // Backwards, and one of them twice.
        let asked: Vec<String> = keys.iter().rev().chain(keys.first()).cloned().collect();
        let held: Vec<Option<Tag>> = store.get_all(&asked)?.into_iter().map(|held| Some(held?.tag)).collect();
        ensure(store.tags(&asked)? == held, "tags differ from those of the values")?;
    }
    Ok(())
}

pub(super) fn scan(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    let keys: Vec<String> = (0..30).map(|n| format!("k/{n:02}")).collect();
    store.fill(&keys)?;
    store.fill(&["j/a", "k", "k-", "l/a"].map(String::from))?;
    for (key, n) in keys.iter().zip(0..) {
        let tag = store.get(key)?.ok_or_else(|| broken("what was written is not there"))?.tag;
        match n % 4 {
            0 => _ = store.write(swap(key, &tag, &[n, 0, 255]))?,
            1 => _ = store.one(delete(key, &tag))?,
            2 => _ = store.write(swap(key, &tag, b""))?,
            _ => {}
        }
    }
    for (prefix, limit) in [("k/", 1), ("k/", 4), ("k/", 1000), ("", 7)] {
        let listed = store.all_keys(prefix, limit)?;
        let read = store.get_all(&listed)?;
        let scanned = store.all_entries(prefix, limit)?;
        let expected: Vec<_> = listed.into_iter().zip(read).collect();
        let scanned: Vec<_> = scanned.into_iter().map(|(key, held)| (key, Some(held))).collect();
        ensure(scanned == expected, "a scan differs from what is listed and read")?;
    }
    // More than one answer of most engines can hold.
    let large: Vec<String> = (0..5).map(|n| format!("large/{n}")).collect();
    for (key, n) in large.iter().zip(0..) {
        store.write(put(key, &vec![n; MAX_VALUE]))?;
    }
    let scanned = store.all_entries("large/", 1000)?;
    let whole =
        scanned.iter().zip(0..).all(|((_, held), n)| held.value.len() == MAX_VALUE && held.value.first() == Some(&n));
    ensure(scanned.len() == large.len() && whole, "a scan of the longest values leaves some out")
}
