//! What the file holds: rows with a checksum, large values beside them, and the count of writes.
//!
//! The engine checks its pages when it opens a file, not when it reads them later. So a row says of itself whether it is
//! whole, and what is not found is looked for between its neighbours: a key that was damaged is not in its place.

use redb::{ReadableTable, TableDefinition};
use sha2::{Digest, Sha256};

use super::failure::{damaged, failed};
use crate::store::StoreError;

/// A key's row: checksum of key, number and place (8), number (8), place (1), checksum of all of it and the value (8), and the
/// value, unless it is large.
pub(crate) const ENTRIES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("entries");
/// The large values, by their key: tags and keys are read without them.
pub(super) const BODIES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("bodies");
/// Under the empty key: a row without a value, whose number says how many writes there were.
pub(super) const WRITTEN: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("written");

/// A larger value has a place of its own.
const LARGE: usize = 2048;
pub(super) const NUMBER: usize = 8;
const CHECK: usize = 8;
const HERE: u8 = 0;
const BESIDE: u8 = 1;

/// A row whose key and number are as they were written. Its value may not be.
pub(crate) struct Row<'a> {
    key: &'a [u8],
    /// The checksum of what it says before the value.
    head: [u8; CHECK],
    /// Which write it was.
    pub(crate) number: [u8; NUMBER],
    place: u8,
    sum: [u8; CHECK],
    rest: &'a [u8],
}

/// The row of a value.
pub(crate) enum Encoded {
    Here(Vec<u8>),
    /// The value is written beside it.
    Beside(Vec<u8>),
}

pub(crate) fn encode(key: &[u8], number: u64, value: &[u8]) -> Encoded {
    if value.len() > LARGE {
        Encoded::Beside(row(key, number, (BESIDE, value), b""))
    } else {
        Encoded::Here(row(key, number, (HERE, value), value))
    }
}

/// A row with its value, however large.
pub(crate) fn encode_here(key: &[u8], number: u64, value: &[u8]) -> Vec<u8> {
    row(key, number, (HERE, value), value)
}

fn row(key: &[u8], number: u64, (place, value): (u8, &[u8]), rest: &[u8]) -> Vec<u8> {
    let number = number.to_be_bytes();
    let head = sum_of_head(key, &number, place);
    [&head[..], &number, &[place], &sum(&head, value), rest].concat()
}

/// Over the key, too: a whole row under another key is damage.
fn sum_of_head(key: &[u8], number: &[u8; NUMBER], place: u8) -> [u8; CHECK] {
    short(
        Sha256::new()
            .chain_update((key.len() as u64).to_be_bytes())
            .chain_update(key)
            .chain_update(number)
            .chain_update([place]),
    )
}

fn sum(head: &[u8; CHECK], value: &[u8]) -> [u8; CHECK] {
    short(Sha256::new().chain_update(head).chain_update(value))
}

fn short(sum: Sha256) -> [u8; CHECK] {
    sum.finalize().first_chunk().copied().unwrap_or_default()
}

/// Reads the row of a key.
///
/// # Errors
///
/// [`StoreFailure::Corrupt`](crate::store::StoreFailure::Corrupt) with the key, if key and number are not as they were
/// written.
pub(crate) fn decode<'a>(key: &'a [u8], row: &'a [u8]) -> Result<Row<'a>, StoreError> {
    let parts = || {
        let (head, rest) = row.split_first_chunk::<CHECK>()?;
        let (&number, rest) = rest.split_first_chunk::<NUMBER>()?;
        let (&place, rest) = rest.split_first()?;
        let (&sum, rest) = rest.split_first_chunk::<CHECK>()?;
        (*head == sum_of_head(key, &number, place)).then_some(Row { key, head: *head, number, place, sum, rest })
    };
    parts().ok_or_else(|| damaged(key, "its row is damaged"))
}

impl Row<'_> {
    /// Whether its value is in the other table.
    pub(super) fn is_beside(&self) -> bool {
        self.place == BESIDE
    }

    /// The value that it has itself.
    ///
    /// # Errors
    ///
    /// As [`decode`], if it is not as it was written.
    pub(crate) fn value(&self) -> Result<&[u8], StoreError> {
        self.compared(self.rest)
    }

    /// The value, wherever it is.
    ///
    /// # Errors
    ///
    /// As [`Row::value`].
    pub(super) fn value_from(
        &self,
        bodies: &impl ReadableTable<&'static [u8], &'static [u8]>,
    ) -> Result<Vec<u8>, StoreError> {
        if !self.is_beside() {
            return self.value().map(<[u8]>::to_vec);
        }
        let body = bodies.get(self.key).map_err(|error| failed(error).of(self.key))?;
        let body = body.ok_or_else(|| damaged(self.key, "its value is lost"))?;
        self.compared(body.value()).map(<[u8]>::to_vec)
    }

    fn compared<'v>(&self, value: &'v [u8]) -> Result<&'v [u8], StoreError> {
        if sum(&self.head, value) == self.sum { Ok(value) } else { Err(damaged(self.key, "its value is damaged")) }
    }
}

/// The bytes under a key. That there are none is believed when the keys of both neighbours are whole, and in order.
///
/// # Errors
///
/// As [`decode`].
pub(crate) fn find<T>(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
    read: impl FnOnce(&[u8]) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let failed = |error| failed(error).of(key);
    if let Some(row) = table.get(key).map_err(failed)? {
        return read(row.value()).map(Some);
    }
    let after = table.range(key..).map_err(failed)?.next().transpose().map_err(failed)?;
    let before = table.range(..key).map_err(failed)?.next_back().transpose().map_err(failed)?;
    let after = after.is_none_or(|(next, row)| next.value() > key && decode(next.value(), row.value()).is_ok());
    let before = before.is_none_or(|(last, row)| last.value() < key && decode(last.value(), row.value()).is_ok());
    if after && before { Ok(None) } else { Err(damaged(key, "what lies beside its place is damaged")) }
}

/// How many writes there were.
///
/// # Errors
///
/// As [`decode`].
pub(super) fn written(counter: &impl ReadableTable<&'static [u8], &'static [u8]>) -> Result<u64, StoreError> {
    let count = counter.get(&b""[..]).map_err(failed)?;
    count.map_or(Ok(0), |row| Ok(u64::from_be_bytes(decode(b"", row.value())?.number)))
}
