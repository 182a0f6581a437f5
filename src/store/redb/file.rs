//! The file of a database: it comes to be as a whole, or not at all.

use std::fmt::Display;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use redb::{Builder, Database, DatabaseError, StorageError};

use crate::store::{StoreError, StoreFailure};

/// Opens the file, or makes it where there is none. One that was cut to nothing is damaged, and no new one.
///
/// # Errors
///
/// [`StoreFailure::Unavailable`] if it cannot be opened, [`StoreFailure::Corrupt`] if it is not such a file.
pub(crate) fn open(path: &Path, builder: &Builder) -> Result<Database, StoreError> {
    if !path.try_exists().map_err(unavailable)? {
        make(path)?;
    }
    builder.open(path).map_err(failed)
}

/// Makes it beside its place: a process that dies before the database is one leaves nothing there that would not open
/// again.
fn make(path: &Path) -> Result<(), StoreError> {
    let new = beside(path)?;
    let made = Database::create(&new).map_err(failed).and_then(|database| {
        drop(database);
        // Never over the file of somebody who was faster.
        match fs::hard_link(&new, path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            // A file system without links: made in its place, it can be left half made there.
            Err(_) => Database::create(path).map(drop).map_err(failed),
            Ok(()) => Ok(()),
        }
    });
    let _gone = fs::remove_file(&new);
    made?;
    lasting(path).map_err(unavailable)
}

/// A name that nobody else takes meanwhile.
fn beside(path: &Path) -> Result<PathBuf, StoreError> {
    let number = getrandom::u64().map_err(unavailable)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{number:016x}.new"));
    Ok(path.with_file_name(name))
}

/// A new file survives a power cut only when its folder is written, too.
#[cfg(unix)]
fn lasting(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn lasting(_: &Path) -> io::Result<()> {
    Ok(())
}

fn failed(error: DatabaseError) -> StoreError {
    let damaged = match &error {
        DatabaseError::Storage(StorageError::Corrupted(_)) => true,
        DatabaseError::Storage(StorageError::Io(io)) => {
            matches!(io.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
        }
        _ => false,
    };
    if damaged { StoreError::new(StoreFailure::Corrupt, error.to_string()) } else { unavailable(error) }
}

fn unavailable(error: impl Display) -> StoreError {
    StoreError::new(StoreFailure::Unavailable, error.to_string())
}
