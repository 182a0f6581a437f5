//! What the engine fails with, in the store's words. It may panic over a damaged file: that is damage, too.

use std::fmt::Display;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};

use redb::{DatabaseError, Error};

use crate::store::{StoreError, StoreFailure};

/// As the engine says: what is damaged is not better later.
pub(crate) fn failed(error: impl Into<Error>) -> StoreError {
    let error = error.into();
    let failure = match &error {
        Error::Corrupted(_)
        | Error::TableTypeMismatch { .. }
        | Error::TableIsMultimap(_)
        | Error::TableDoesNotExist(_)
        | Error::TypeDefinitionChanged { .. } => StoreFailure::Corrupt,
        Error::PreviousIo | Error::DatabaseClosed | Error::LockPoisoned(_) => StoreFailure::Reopen,
        Error::Io(io) => match io.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => StoreFailure::Full,
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => StoreFailure::Corrupt,
            _ => StoreFailure::Unavailable,
        },
        _ => StoreFailure::Unavailable,
    };
    StoreError::new(failure, error.to_string())
}

/// As [`failed`], of a file that is opened.
pub(crate) fn not_opened(error: DatabaseError) -> StoreError {
    match error {
        // Only asked for by a check, and by nobody here.
        DatabaseError::RepairAborted => StoreError::new(StoreFailure::Corrupt, error.to_string()),
        error => failed(error),
    }
}

/// Does this, and takes a panic of the engine for damage. A host that aborts on panics has no such luck.
///
/// # Errors
///
/// What it fails with; [`StoreFailure::Corrupt`] if it panics.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    // Nothing is used afterwards that it may have left half done: readings are thrown away, and nothing is written any
    // more after a transaction that panicked.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(panicked()))
}

pub(super) fn panicked() -> StoreError {
    StoreError::new(StoreFailure::Corrupt, "the engine gave up over the file")
}

/// Damage, with the key that has it.
pub(crate) fn damaged(key: &[u8], what: &str) -> StoreError {
    StoreError::new(StoreFailure::Corrupt, format!("{}: {what}", name(key)))
}

/// A key as a message shows it; what is damaged may be no text.
pub(super) fn name(key: &[u8]) -> String {
    format!("`{}`", key.escape_ascii())
}

pub(super) fn gone() -> StoreError {
    StoreError::new(StoreFailure::Reopen, "the store was closed")
}

pub(crate) fn unavailable(error: impl Display) -> StoreError {
    StoreError::new(StoreFailure::Unavailable, error.to_string())
}

impl StoreError {
    /// With the key that was asked for, where it is damage.
    pub(crate) fn of(self, key: &[u8]) -> Self {
        match self.failure() {
            StoreFailure::Corrupt => damaged(key, self.text()),
            _ => self,
        }
    }
}
