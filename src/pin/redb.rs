//! Pins in a file, by the `redb` crate.

use std::fmt;
use std::path::Path;

use redb::{Database, ReadableDatabase, Table, TableDefinition, TableError};

use super::{Pin, Pins};
use crate::store::redb::{caught, damaged, decode, encode_here, failed, find, open_file};
use crate::store::{RedbOptions, StoreError, StoreFailure};

/// [`Pins`] in one file of this machine: a look-up reads one row, and a row that is written is on disk. With the parts of
/// records that were seen it grows by some 200 bytes for each, and each that is new is two commits, of which the second
/// changes nothing: a header that is damaged leads to the commit before the last, and no row may be forgotten with it.
///
/// What is damaged is [`StoreFailure::Corrupt`], as in [`RedbStore`](crate::store::RedbStore).
///
/// # Example
///
/// ```
/// use chartseal::pin::{Pins, RedbPins};
///
/// let folder = tempfile::tempdir()?;
/// let pins = RedbPins::open(folder.path().join("pins.redb"))?;
/// assert_eq!(pins.get("consent/o-alice/cardiology")?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RedbPins(Database);

/// By its key: the row in canonical CBOR, as a value in the table `entries` of a store, with the number 0.
const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("pins");

impl RedbPins {
    /// Opens the file, or makes it, with the options of [`RedbOptions::new`]. One process at a time can hold it. Keep it out of
    /// backups that are restored.
    ///
    /// # Errors
    ///
    /// As [`RedbPins::open_with`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, &RedbOptions::new())
    }

    /// Opens the file, or makes it.
    ///
    /// # Errors
    ///
    /// [`StoreFailure::Unavailable`] if it cannot be opened, [`StoreFailure::Corrupt`] if it is not such a file or damaged,
    /// [`StoreFailure::Full`] if there is no room.
    pub fn open_with(path: impl AsRef<Path>, options: &RedbOptions) -> Result<Self, StoreError> {
        let database = open_file(path.as_ref(), &options.builder())?;
        caught(|| make_table(&database))?;
        Ok(Self(database))
    }

    fn write(
        &self,
        work: impl FnOnce(&mut Table<'_, &'static [u8], &'static [u8]>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        caught(|| {
            let writing = self.0.begin_write().map_err(failed)?;
            work(&mut writing.open_table(ROWS).map_err(failed)?)?;
            writing.commit().map_err(failed)?;
            self.0.begin_write().map_err(failed)?.commit().map_err(failed)
        })
    }
}

fn make_table(database: &Database) -> Result<(), StoreError> {
    match database.begin_read().map_err(failed)?.open_table(ROWS) {
        Err(TableError::TableDoesNotExist(_)) => {}
        table => return table.map(drop).map_err(failed),
    }
    let writing = database.begin_write().map_err(failed)?;
    writing.open_table(ROWS).map_err(failed)?;
    writing.commit().map_err(failed)
}

impl Pins for RedbPins {
    fn get(&self, key: &str) -> Result<Option<Pin>, StoreError> {
        let key = key.as_bytes();
        caught(|| {
            let reading = self.0.begin_read().map_err(failed)?;
            let table = reading.open_table(ROWS).map_err(failed)?;
            find(&table, key, |row| {
                let row = decode(key, row)?;
                Pin::from_cbor(row.value()?).map_err(|_| damaged(key, "its row is no pin"))
            })
        })
    }

    fn set(&mut self, key: &str, pin: Pin) -> Result<(), StoreError> {
        let pin = pin.to_cbor().map_err(|error| StoreError::new(StoreFailure::Refused, error.to_string()))?;
        let key = key.as_bytes();
        self.write(|table| {
            // Not beside one that is there, in a place where it is not found.
            find(table, key, |_| Ok(()))?;
            table.insert(key, encode_here(key, 0, &pin).as_slice()).map_err(failed)?;
            Ok(())
        })
    }

    fn remove(&mut self, key: &str) -> Result<(), StoreError> {
        let key = key.as_bytes();
        self.write(|table| {
            find(table, key, |_| Ok(()))?;
            table.remove(key).map_err(failed)?;
            Ok(())
        })
    }
}

impl fmt::Debug for RedbPins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedbPins")
    }
}
