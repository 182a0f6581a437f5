//! What a store fails with.

use std::fmt;

/// A failure of a store.
///
/// The text is the adapter's; it names keys at most, never values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError {
    failure: StoreFailure,
    text: String,
}

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreFailure {
    /// The store could not be asked, or did not answer: try again later. A change may have been made.
    Unavailable,
    /// The store refuses this for good: a key or value over the limit, or a key that is none.
    Refused,
    /// What the store holds is damaged.
    Corrupt,
}

impl StoreError {
    /// A failure, with the adapter's words about it.
    pub fn new(failure: StoreFailure, text: impl Into<String>) -> Self {
        Self { failure, text: text.into() }
    }

    /// What kind of failure it was.
    pub fn failure(&self) -> StoreFailure {
        self.failure
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.failure {
            StoreFailure::Unavailable => "the store is unavailable",
            StoreFailure::Refused => "the store refuses this",
            StoreFailure::Corrupt => "the store is damaged",
        };
        write!(f, "{kind}: {}", self.text)
    }
}

impl std::error::Error for StoreError {}
