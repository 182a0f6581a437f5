//! What is read in one transaction.

use redb::{ReadTransaction, ReadableTable, TableError};

use super::failure::{caught, damaged, failed, panicked};
use super::row::{BODIES, ENTRIES, NUMBER, WRITTEN, decode, find};
use crate::store::{Entry, StoreError, Tag};

/// A page of a listing ends after so many bytes of values.
const PAGE: usize = 8 << 20;

pub(super) fn get(reading: &ReadTransaction, keys: &[String]) -> Result<Vec<Option<Entry>>, StoreError> {
    let (rows, bodies) = (reading.open_table(ENTRIES).map_err(failed)?, reading.open_table(BODIES).map_err(failed)?);
    let entry = |key: &String| {
        let key = key.as_bytes();
        of_one(key, || find(&rows, key, |row| entry(key, row, &bodies)))
    };
    keys.iter().map(entry).collect()
}

pub(super) fn tags(reading: &ReadTransaction, keys: &[String]) -> Result<Vec<Option<Tag>>, StoreError> {
    let rows = reading.open_table(ENTRIES).map_err(failed)?;
    let tag = |key: &String| {
        let key = key.as_bytes();
        of_one(key, || find(&rows, key, |row| Ok(tag(decode(key, row)?.number))))
    };
    keys.iter().map(tag).collect()
}

/// The engine may give up over one key, which is named.
fn of_one<T>(key: &[u8], read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    caught(read).map_err(|error| if error == panicked() { error.of(key) } else { error })
}

/// Where a listing begins, and how long a page is.
pub(super) struct Listing {
    pub(super) prefix: String,
    pub(super) after: String,
    pub(super) limit: usize,
}

/// Rows are not looked at: one that is damaged is listed, and whoever reads it is told.
pub(super) fn keys(reading: &ReadTransaction, from: &Listing) -> Result<Vec<String>, StoreError> {
    list(&reading.open_table(ENTRIES).map_err(failed)?, from, |key, _| Ok((key, 0)))
}

pub(super) fn scan(reading: &ReadTransaction, from: &Listing) -> Result<Vec<(String, Entry)>, StoreError> {
    let (rows, bodies) = (reading.open_table(ENTRIES).map_err(failed)?, reading.open_table(BODIES).map_err(failed)?);
    list(&rows, from, |key, row| {
        let entry = entry(key.as_bytes(), row, &bodies)?;
        let size = entry.value.len();
        Ok(((key, entry), size))
    })
}

/// One page of it. Keys are in their order, and so are those beside the page, or it is refused.
pub(super) fn list<T>(
    rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
    Listing { prefix, after, limit }: &Listing,
    mut get: impl FnMut(String, &[u8]) -> Result<(T, usize), StoreError>,
) -> Result<Vec<T>, StoreError> {
    let start = prefix.max(after).as_bytes();
    let misplaced = |last: &[u8]| damaged(last, "what lies beside it is damaged");
    // A key out of its place would end a listing early, or lead it to another one.
    if let Some(entry) = rows.range(..start).map_err(failed)?.next_back() {
        let (last, row) = entry.map_err(|error| failed(error).of(start))?;
        if last.value() >= start || decode(last.value(), row.value()).is_err() {
            return Err(misplaced(start));
        }
    }
    let (mut page, mut size, mut last) = (Vec::new(), 0, Vec::new());
    for entry in rows.range(start..).map_err(failed)? {
        if page.len() == *limit || size >= PAGE {
            break;
        }
        let (key, row) = entry.map_err(|error| failed(error).of(if last.is_empty() { start } else { &last }))?;
        let key = key.value();
        if key < start || (!last.is_empty() && key <= last.as_slice()) {
            return Err(misplaced(key));
        }
        last.clear();
        last.extend_from_slice(key);
        if !key.starts_with(prefix.as_bytes()) {
            decode(key, row.value()).map_err(|_| misplaced(key))?;
            break;
        }
        if key == after.as_bytes() {
            continue;
        }
        let text = String::from_utf8(key.to_vec()).map_err(|_| misplaced(key))?;
        let (listed, bytes) = get(text, row.value())?;
        size += bytes;
        page.push(listed);
    }
    Ok(page)
}

fn entry(
    key: &[u8],
    row: &[u8],
    bodies: &impl ReadableTable<&'static [u8], &'static [u8]>,
) -> Result<Entry, StoreError> {
    let row = decode(key, row)?;
    Ok(Entry { tag: tag(row.number), value: row.value_from(bodies)? })
}

pub(super) fn tag(number: [u8; NUMBER]) -> Tag {
    Tag::new(number)
}

/// Whether the file has its tables; a new one has none.
///
/// # Errors
///
/// [`StoreFailure::Corrupt`](crate::store::StoreFailure::Corrupt) if they are not ours.
pub(super) fn has_tables(reading: &ReadTransaction) -> Result<bool, StoreError> {
    for table in [ENTRIES, BODIES, WRITTEN] {
        match reading.open_table(table) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(false),
            table => table.map(drop).map_err(failed)?,
        }
    }
    Ok(true)
}
