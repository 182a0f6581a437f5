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
    /// The store could not be asked, did not answer, or others kept changing what was asked for: try again. A change may have
    /// been made.
    Unavailable,
    /// This handle of the store is of no more use: drop it and open the store again. A change may have been made.
    Reopen,
    /// There is no room. Of a batch nothing was changed; of a deletion by prefix some may be gone. Reads go on, and writes
    /// when there is room again.
    Full,
    /// What the store holds is damaged: trying again does not help. Other keys may be whole.
    Corrupt,
    /// The store refuses this for good: a key that is none, a value or a batch over the limit. Nothing was changed.
    Refused,
}

impl StoreError {
    /// A failure, with the adapter's words about it.
    pub fn new(failure: StoreFailure, text: impl Into<String>) -> Self {
        Self { failure, text: text.into() }
    }

    /// Others keep changing what this call reads and writes, so that it does not come to an end.
    pub(crate) fn busy(text: &'static str) -> Self {
        Self::new(StoreFailure::Unavailable, text)
    }

    /// What kind of failure it was.
    pub fn failure(&self) -> StoreFailure {
        self.failure
    }

    /// The adapter's words.
    #[cfg(feature = "redb")]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.failure {
            StoreFailure::Unavailable => "the store is unavailable, try again",
            StoreFailure::Reopen => "the store has to be opened again",
            StoreFailure::Full => "the store is full",
            StoreFailure::Corrupt => "the store is damaged",
            StoreFailure::Refused => "the store refuses this",
        };
        write!(f, "{kind}: {}", self.text)
    }
}

impl std::error::Error for StoreError {}
