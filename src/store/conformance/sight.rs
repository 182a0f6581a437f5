//! What was acknowledged is seen, by whoever asks next.

use super::bench::{Bench, Broken, Handle, broken, delete, ensure, entry, put, swap};
use super::together::together;
use crate::store::Entry;

pub(super) fn is_seen(bench: &Bench<'_>) -> Result<(), Broken> {
    let handles = bench.several(3)?;
    for round in 0..40_usize {
        let (writer, reader) = (handles.get(round % handles.len()), handles.get((round + 1) % handles.len()));
        let (writer, reader) = writer.zip(reader).ok_or_else(|| broken("there is no handle"))?;
        let key = format!("k/{:02}", round % 8);
        // Whoever keeps what he read keeps this.
        let before = reader.get(&key)?;
        looks(reader, &key, before.as_ref())?;
        let after = match (before, round % 3) {
            (None, _) => Some(entry(&writer.write(put(&key, &[0]))?, &[0])),
            (Some(Entry { tag, .. }), 0) => {
                writer.one(delete(&key, &tag))?;
                None
            }
            (Some(Entry { tag, value }), _) => {
                let value = [&value[..], &[1]].concat();
                Some(entry(&writer.write(swap(&key, &tag, &value))?, &value))
            }
        };
        // Once by the thread that wrote, once by another one.
        looks(reader, &key, after.as_ref())?;
        together(1, |_| looks(reader, &key, after.as_ref()))?;
        looks(writer, &key, after.as_ref())?;
    }
    for round in 0..10_usize {
        let (writer, reader) = (handles.first(), handles.last());
        let (writer, reader) = writer.zip(reader).ok_or_else(|| broken("there is no handle"))?;
        let keys: Vec<String> = (0..20).map(|n| format!("batch/{round}/{n:02}")).collect();
        writer.fill(&keys)?;
        ensure(
            reader.all_keys(&format!("batch/{round}/"), 7)? == keys,
            "a listing misses what was acknowledged before",
        )?;
        writer.delete_prefix("batch/")?;
        ensure(reader.keys("batch/", "", 1)?.is_empty(), "a listing has what was deleted before")?;
    }
    Ok(())
}

/// Looks by every call there is.
fn looks(store: &Handle<'_>, key: &str, expected: Option<&Entry>) -> Result<(), Broken> {
    let alone = [key.to_owned()];
    ensure(
        store.all_keys("k/", 100)?.iter().any(|listed| listed == key) == expected.is_some(),
        "a listing is not what was acknowledged",
    )?;
    ensure(store.get(key)?.as_ref() == expected, "a read is not what was acknowledged")?;
    let tag = store.tags(&alone)?.pop().flatten();
    ensure(tag.as_ref() == expected.map(|held| &held.tag), "a tag is not what was acknowledged")?;
    let scanned = store.all_entries("k/", 100)?.into_iter().find(|(scanned, _)| scanned == key).map(|(_, held)| held);
    ensure(scanned.as_ref() == expected, "a scan is not what was acknowledged")
}
