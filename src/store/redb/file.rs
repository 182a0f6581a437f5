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
    let database = builder.open(path).map_err(failed)?;
    // Each time: whoever made it may have died before.
    lasting(path).map_err(unavailable)?;
    Ok(database)
}

/// Makes it beside its place: a process that dies before the database is one leaves nothing there that would not open
/// again.
fn make(path: &Path) -> Result<(), StoreError> {
    let new = beside(path)?;
    let made = Database::create(&new).map_err(failed).and_then(|database| {
        drop(database);
        // Never over the file of somebody who was faster.
        match fs::hard_link(&new, path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && path.exists() => Ok(()),
            // A file system without links, or a symbolic link to where nothing is yet: made in its place, it can be left
            // half made there.
            Err(_) => Database::create(path).map(drop).map_err(failed),
            Ok(()) => Ok(()),
        }
    });
    let _gone = fs::remove_file(&new);
    made
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
    // Where it lies, not where a link to it does.
    match fs::canonicalize(path)?.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
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
