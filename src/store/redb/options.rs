//! How a file is opened.

use redb::{Builder, Database};

/// How a [`RedbStore`](super::RedbStore) or [`RedbPins`](crate::pin::RedbPins) opens its file.
///
/// # Example
///
/// ```
/// use chartseal::store::{OpenCheck, RedbOptions, RedbStore};
///
/// let folder = tempfile::tempdir()?;
/// let options = RedbOptions::new().cache(256 << 20).check(OpenCheck::AfterACrash);
/// let store = RedbStore::open_with(folder.path().join("records.redb"), &options)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedbOptions {
    cache: usize,
    check: OpenCheck,
}

/// When the whole file is read and its checksums are compared as it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenCheck {
    /// Each time: what was damaged while it was closed is refused. It takes some 0.2 s
    /// for 100 MB, as opening after a crash does in any case.
    Always,
    /// When it was not closed, as the engine does by itself. For files that are too large to be read at each start: rows
    /// have checksums of their own, and [`RedbStore::check`](super::RedbStore::check) reads all of them at another time.
    AfterACrash,
}

impl RedbOptions {
    /// A cache of [`DEFAULT_CACHE`](Self::DEFAULT_CACHE), and a check each time.
    pub fn new() -> Self {
        Self { cache: Self::DEFAULT_CACHE, check: OpenCheck::Always }
    }

    /// Memory for pages of the file unless another size is set, in bytes.
    pub const DEFAULT_CACHE: usize = 128 << 20;

    /// Most memory for pages of the file, in bytes; half of it, at most, for pages that are to be written.
    #[must_use]
    pub fn cache(self, bytes: usize) -> Self {
        Self { cache: bytes, ..self }
    }

    /// When the whole file is checked as it is opened.
    #[must_use]
    pub fn check(self, check: OpenCheck) -> Self {
        Self { check, ..self }
    }

    pub(crate) fn builder(&self) -> Builder {
        let mut builder = self.builder_again();
        builder.set_check_integrity_on_open(self.check == OpenCheck::Always);
        builder
    }

    /// For a file that this process had open.
    pub(crate) fn builder_again(&self) -> Builder {
        let mut builder = Database::builder();
        builder.set_cache_size(self.cache);
        builder
    }
}

impl Default for RedbOptions {
    fn default() -> Self {
        Self::new()
    }
}
