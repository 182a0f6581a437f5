//! Stores: bytes under keys, with compare-and-swap.
//!
//! [`Store`] is what this crate asks of a database; everything above it works over any of them. A store sees keys and
//! bytes, no plaintext. An adapter shows by [`conformance`] that it keeps what the trait promises.

pub mod conformance;
mod error;
mod faults;
mod large;
mod limits;
mod memory;
#[cfg(feature = "redb")]
pub(crate) mod redb;
pub(crate) mod space;
mod tools;

use std::future::Future;
use std::pin::Pin;

pub use error::{StoreError, StoreFailure};
pub use faults::{Fault, FaultyStore};
pub(crate) use large::{Held, Large, LargeLimits, Next, Replaced};
pub use limits::{Limits, MAX_KEY, MAX_VALUE, Order, check_keys, check_ops, check_prefix};
pub use memory::MemoryStore;
#[cfg(feature = "redb")]
pub use redb::{Findings, OpenCheck, RedbOptions, RedbStore};
pub(crate) use tools::{
    Each, Pages, Scanned, apply_all, apply_in_order, each, is_there, only, scan_each, tags_of_each,
};

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
    /// Deletes the value that has this tag. An engine that has a conditional write and no conditional deletion writes a
    /// tombstone, which its adapter shows to nobody.
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
/// Keys are 1 to [`MAX_KEY`] bytes: segments of `A–Z a–z 0–9 - _ . :`, none of them `.` or `..`, with `/` between them. So
/// a key is a path in an object store, too, the same in all of them. Keys are ordered by their bytes. Values have at most
/// [`MAX_VALUE`] bytes. A prefix is empty, or ends in `/`.
///
/// Every read and every listing sees each write that was acknowledged before it began, whoever made it: a replica that
/// lags behind is no store. A call whose future is dropped may have been made or not, and holds up no later one.
///
/// # For authors of adapters
///
/// [`MemoryStore`] is the shortest example. [`check_keys`], [`check_prefix`] and [`check_ops`] refuse what has to be refused.
/// The suite in [`conformance`] finds what goes wrong with engines: it needs a [`conformance::Engine`], which opens a store
/// by name, and gives the [`conformance::PROMISES`] that are not kept:
///
/// ```no_run
/// # use chartseal::store::conformance::{Engine, violations};
/// # fn test(engine: &dyn Engine) {
/// assert_eq!(violations(engine), []);
/// # }
/// ```
pub trait Store: Send + Sync {
    /// What a batch may hold, and what is left of one that failed.
    fn limits(&self) -> Limits;

    /// The values of these keys, in their order; `None` where a key has none. Read at one or several moments. There may be
    /// more keys than [`Store::limits`] allows in a batch.
    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>>;

    /// The tags of these keys' values, as [`Store::get`]. The values are not read.
    fn tags<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Tag>>, StoreError>>;

    /// At most `limit` keys after `after` (not included) that begin with `prefix`, ascending; at least one, if there is one.
    /// An empty page, and no other, says that there are no more. A key that was there all the while is in it, whatever
    /// comes and goes beside it.
    fn keys<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, StoreError>>;

    /// As [`Store::keys`], with the values. A page may end early, so that it is not too large; the next one goes on.
    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(String, Entry)>, StoreError>>;

    /// Makes changes, each atomic by itself and durable when this returns; one outcome for each, in their order. A conflict
    /// stops no other change. They may be made in any order, or all at once.
    ///
    /// A batch that names a key twice, is larger than [`Store::limits`] says, or has a key or value that is none, is refused
    /// whole ([`check_ops`]). After another error each change may have been made or not, see [`Order`].
    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>>;

    /// Deletes everything under a prefix that was there when the call began, whatever its tag, and says how many keys that
    /// were. What is written meanwhile may be deleted, too.
    ///
    /// What is given here deletes key by key; an adapter whose engine can do it in one call does that.
    fn delete_prefix<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(tools::delete_by_key(self, prefix))
    }
}

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

    /// Bytes of key and value.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Put { key, value } | Self::Swap { key, value, .. } => key.len().saturating_add(value.len()),
            Self::Delete { key, .. } => key.len(),
        }
    }
}
