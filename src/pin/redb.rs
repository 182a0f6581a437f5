//! Pins in a file, by the `redb` crate.

use std::fmt;
use std::path::Path;

use redb::{Database, ReadableDatabase, TableDefinition};

use super::{Pin, Pins};
use crate::store::redb_file;
use crate::store::{StoreError, StoreFailure};

/// [`Pins`] in one file of this machine: a look-up reads one row, and a row that is written is on disk. With the parts of
/// records that were seen it grows by some 200 bytes for each, and each that is new is a commit.
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

/// By the row's key, its canonical CBOR.
const ROWS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("pins");

impl RedbPins {
    /// Opens the file, or makes it. One process at a time can hold it. Keep it out of backups that are restored.
    ///
    /// It is read through once, and its checksums are compared: what was damaged is refused, or a row would be forgotten.
    ///
    /// # Errors
    ///
    /// [`StoreFailure::Unavailable`] if it cannot be opened, [`StoreFailure::Corrupt`] if it is not such a file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let database = redb_file::open(path.as_ref(), Database::builder().set_check_integrity_on_open(true))?;
        let setup = database.begin_write().map_err(failed)?;
        setup.open_table(ROWS).map_err(failed)?;
        setup.commit().map_err(failed)?;
        Ok(Self(database))
    }
}

impl Pins for RedbPins {
    fn get(&self, key: &str) -> Result<Option<Pin>, StoreError> {
        let reading = self.0.begin_read().map_err(failed)?;
        let table = reading.open_table(ROWS).map_err(failed)?;
        let Some(row) = table.get(key).map_err(failed)? else { return Ok(None) };
        let pin = Pin::from_cbor(row.value());
        pin.map(Some).map_err(|_| StoreError::new(StoreFailure::Corrupt, format!("the row of `{key}` is no pin")))
    }

    fn set(&mut self, key: &str, pin: Pin) -> Result<(), StoreError> {
        let row = pin.to_cbor().map_err(|error| StoreError::new(StoreFailure::Refused, error.to_string()))?;
        let writing = self.0.begin_write().map_err(failed)?;
        {
            let mut table = writing.open_table(ROWS).map_err(failed)?;
            table.insert(key, row.as_slice()).map_err(failed)?;
        }
        writing.commit().map_err(failed)
    }

    fn remove(&mut self, key: &str) -> Result<(), StoreError> {
        let writing = self.0.begin_write().map_err(failed)?;
        {
            let mut table = writing.open_table(ROWS).map_err(failed)?;
            table.remove(key).map_err(failed)?;
        }
        writing.commit().map_err(failed)
    }
}

impl fmt::Debug for RedbPins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedbPins")
    }
}

fn failed(error: impl Into<redb::Error>) -> StoreError {
    let error = error.into();
    let damaged = match &error {
        redb::Error::Corrupted(_) => true,
        redb::Error::Io(io) => io.kind() == std::io::ErrorKind::InvalidData,
        redb::Error::TableTypeMismatch { .. } | redb::Error::TableIsMultimap(_) => true,
        _ => false,
    };
    let failure = if damaged { StoreFailure::Corrupt } else { StoreFailure::Unavailable };
    StoreError::new(failure, error.to_string())
}
