//! Stores: bytes under keys, with compare-and-swap.
//!
//! [`Store`] is what this crate asks of a database; everything above it works over any of them. A store sees keys and
//! bytes, no plaintext.

pub mod conformance;
mod error;
mod faults;
mod memory;
#[cfg(feature = "redb")]
mod redb;

use std::future::Future;
use std::pin::Pin;

pub use error::{StoreError, StoreFailure};
pub use faults::{Fault, FaultyStore};
pub use memory::MemoryStore;
#[cfg(feature = "redb")]
pub use redb::RedbStore;
#[cfg(feature = "redb")]
pub(crate) use redb::file as redb_file;

/// A future that a [`Store`] gives: boxed, so that stores can be exchanged at run time, and bound to no runtime.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Which write of a key this is: no two values that a key ever had share a tag, not even after a deletion.
///
/// Opaque bytes of the store's own choice, compared for equality only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tag(Box<[u8]>);

/// A value with its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which write it was.
    pub tag: Tag,
    /// The bytes.
    pub value: Vec<u8>,
}

/// One change of one key. Each is atomic by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Writes a key that has no value.
    Put {
        /// The key.
        key: String,
        /// The bytes.
        value: Vec<u8>,
    },
    /// Replaces the value that has this tag.
    Swap {
        /// The key.
        key: String,
        /// The tag of the value to be replaced.
        tag: Tag,
        /// The bytes.
        value: Vec<u8>,
    },
    /// Deletes the value that has this tag.
    Delete {
        /// The key.
        key: String,
        /// The tag of the value to be deleted.
        tag: Tag,
    },
}

/// What became of an [`Op`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Written, durably; the tag is the new value's.
    Written(Tag),
    /// Deleted, durably.
    Deleted,
    /// Nothing was changed: the key has another value, or none.
    Conflict,
}

/// A database, as far as this crate needs one.
///
/// Keys are 1 to [`MAX_KEY`] bytes of ASCII from `!` to `~`, ordered by their bytes. Values have at most [`MAX_VALUE`]
/// bytes.
pub trait Store: Send + Sync {
    /// The values of these keys, in their order; `None` where a key has none. Read at one or several moments.
    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>>;

    /// At most `limit` keys after `after` (not included) that begin with `prefix`, ascending. Fewer than `limit`, if there
    /// are no more.
    fn keys<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, StoreError>>;

    /// Makes changes, each atomic by itself and durable when this returns; one outcome for each, in their order. Changes
    /// of one key are made in their order.
    ///
    /// A batch with a key or value that is none is refused whole. After another error, each change may have been made or
    /// not.
    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>>;
}

/// Longest key, in bytes.
pub const MAX_KEY: usize = 1024;
/// Longest value, in bytes.
pub const MAX_VALUE: usize = 256 << 20;

impl Tag {
    /// Takes over the bytes of a tag.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Op {
    /// The key that is changed.
    pub fn key(&self) -> &str {
        match self {
            Self::Put { key, .. } | Self::Swap { key, .. } | Self::Delete { key, .. } => key,
        }
    }
}

/// Whether a key is one.
///
/// # Errors
///
/// [`StoreFailure::Refused`].
pub fn check_key(key: &str) -> Result<(), StoreError> {
    if (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|byte| (b'!'..=b'~').contains(&byte)) {
        Ok(())
    } else {
        Err(StoreError::new(StoreFailure::Refused, "not a key"))
    }
}

/// The values of these keys, each by itself: one that the store holds damaged does not stand in the way of the others.
///
/// # Errors
///
/// As [`Store::get`], but for [`StoreFailure::Corrupt`], which is of one key.
pub(crate) async fn each(
    store: &dyn Store,
    keys: &[String],
) -> Result<Vec<Result<Option<Entry>, StoreError>>, StoreError> {
    let is_damage = |error: &StoreError| error.failure() == StoreFailure::Corrupt;
    match store.get(keys).await {
        Ok(entries) => return Ok(entries.into_iter().map(Ok).collect()),
        Err(error) if is_damage(&error) => {}
        Err(error) => return Err(error),
    }
    let mut all = Vec::with_capacity(keys.len());
    for key in keys {
        all.push(match store.get(std::slice::from_ref(key)).await {
            Ok(mut entry) => Ok(entry.pop().flatten()),
            Err(error) if is_damage(&error) => Err(error),
            Err(error) => return Err(error),
        });
    }
    Ok(all)
}

/// Whether each key of a batch is one, and each value within its limit. Adapters ask this before they do anything.
///
/// # Errors
///
/// [`StoreFailure::Refused`].
pub fn check_ops(ops: &[Op]) -> Result<(), StoreError> {
    for op in ops {
        check_key(op.key())?;
        if let Op::Put { value, .. } | Op::Swap { value, .. } = op
            && value.len() > MAX_VALUE
        {
            return Err(StoreError::new(StoreFailure::Refused, "a value over the limit"));
        }
    }
    Ok(())
}
