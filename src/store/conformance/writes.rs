//! What one change does, and what a batch of a few.

use super::bench::{Bench, Broken, delete, ensure, entry, is_written, put, swap};
use crate::store::{Outcome, Tag};

pub(super) fn put_is_new(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    ensure(store.get("a")?.is_none(), "a key that was never written has a value")?;
    let tag = store.write(put("a", b"1"))?;
    ensure(store.get("a")? == Some(entry(&tag, b"1")), "what was put is not there under its tag")?;
    ensure(store.one(put("a", b"2"))? == Outcome::Conflict, "a put replaces a value")?;
    ensure(store.get("a")? == Some(entry(&tag, b"1")), "a put that conflicts changes the value")?;
    ensure(store.one(put("a", b"1"))? == Outcome::Conflict, "a put of the value that stands is no conflict")?;
    ensure(store.one(delete("a", &tag))? == Outcome::Deleted, "a value is not deleted by its tag")?;
    ensure(store.get("a")?.is_none(), "what was deleted is there")?;
    let tag = store.write(put("a", b"3"))?;
    ensure(store.get("a")? == Some(entry(&tag, b"3")), "a deleted key is not written anew")
}

pub(super) fn swap_is_of_the_tag(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    let first = store.write(put("a", b"1"))?;
    let other = store.write(put("b", b"1"))?;
    let second = store.write(swap("a", &first, b"2"))?;
    ensure(store.get("a")? == Some(entry(&second, b"2")), "a swap does not replace value and tag")?;
    ensure(store.get("b")? == Some(entry(&other, b"1")), "a swap changes another key")?;
    let strange = [&b""[..], b"0", b"\xff\x00\xff", b"' OR 1=1 --", &[7; 300]].map(Tag::new);
    for tag in strange.iter().chain([&first]) {
        ensure(store.one(swap("a", tag, b"3"))? == Outcome::Conflict, "a tag that is not the value's swaps it")?;
        ensure(store.one(delete("a", tag))? == Outcome::Conflict, "a tag that is not the value's deletes it")?;
    }
    ensure(store.get("a")? == Some(entry(&second, b"2")), "a conflict changes the value")?;
    ensure(store.one(swap("c", &second, b"3"))? == Outcome::Conflict, "what is not there is swapped")?;
    ensure(store.get("c")?.is_none(), "a swap makes a key")?;
    ensure(store.one(delete("a", &second))? == Outcome::Deleted, "a value is not deleted by its tag")?;
    ensure(store.one(delete("a", &second))? == Outcome::Conflict, "what is gone is deleted again")?;
    ensure(store.one(swap("a", &second, b"3"))? == Outcome::Conflict, "what is gone is swapped")?;
    ensure(store.get("a")?.is_none() && store.keys("", "", 9)? == ["b"], "what was deleted is there")
}

pub(super) fn tag_is_once(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    let mut seen: Vec<Tag> = Vec::new();
    for _ in 0..6 {
        let first = store.write(put("a", b"same"))?;
        let second = store.write(swap("a", &first, b"same"))?;
        ensure(first != second && !seen.contains(&first) && !seen.contains(&second), "a key has a tag again")?;
        for old in &seen {
            ensure(store.one(swap("a", old, b"x"))? == Outcome::Conflict, "an old tag swaps a value like it")?;
            ensure(store.one(delete("a", old))? == Outcome::Conflict, "an old tag deletes a value like it")?;
        }
        ensure(store.one(delete("a", &second))? == Outcome::Deleted, "a value is not deleted by its tag")?;
        seen.extend([first, second]);
    }
    Ok(())
}

pub(super) fn each(bench: &Bench<'_>) -> Result<(), Broken> {
    let store = bench.empty()?;
    ensure(store.apply(Vec::new())?.is_empty() && store.get_all(&[])?.is_empty(), "nothing gives something")?;
    let keys = ["c", "b", "a", "d", "e"].map(String::from);
    let (b, e) = (store.write(put("b", b"1"))?, store.write(put("e", b"1"))?);
    // A store that takes less in a batch is asked in several: what is promised is the same.
    let ops = [put("c", b"5"), put("b", b"3"), put("a", b"1"), swap("d", &b, b"4"), delete("e", &e)];
    let mut outcomes = Vec::new();
    for some in ops.chunks(store.limits().ops.max(1)) {
        outcomes.extend(store.apply(some.to_vec())?);
    }
    let made: Vec<bool> = outcomes.iter().map(|outcome| *outcome != Outcome::Conflict).collect();
    ensure(made == [true, false, true, false, true], "outcomes are not those of the changes, in their order")?;
    let tags: Vec<Option<Tag>> = outcomes
        .iter()
        .zip([None, Some(b), None, None, None])
        .map(|(outcome, held)| match outcome {
            Outcome::Written(tag) => Some(tag.clone()),
            Outcome::Conflict => held,
            Outcome::Deleted => None,
        })
        .collect();
    ensure(outcomes.iter().filter(|outcome| is_written(outcome)).count() == 2, "a deletion has a tag")?;
    let values = [Some(&b"5"[..]), Some(b"1"), Some(b"1"), None, None];
    for ((held, tag), value) in store.get_all(&keys)?.into_iter().zip(tags).zip(values) {
        let expected = tag.zip(value).map(|(tag, value)| entry(&tag, value));
        ensure(held == expected, "what a batch leaves is not what its outcomes say")?;
    }
    let twice = ["e", "a", "a", "b"].map(String::from);
    let found: Vec<bool> = store.get_all(&twice)?.iter().map(Option::is_some).collect();
    ensure(found == [false, true, true, true], "values do not come in the order of the keys")
}
