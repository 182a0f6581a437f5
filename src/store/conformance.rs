//! What every adapter of a [`Store`] has to do, as a suite to run against it.
//!
//! [`PROMISES`] is the list of what the suite proves. An author of an adapter implements [`Engine`], which opens stores,
//! and asks for [`violations`] in a test:
//!
//! ```no_run
//! # #[cfg(feature = "redb")]
//! # fn test() -> Result<(), Box<dyn std::error::Error>> {
//! use chartseal::store::conformance::{Engine, violations};
//! use chartseal::store::{RedbStore, Store, StoreError};
//!
//! struct Folder(tempfile::TempDir);
//!
//! impl Engine for Folder {
//!     fn open(&self, name: &str) -> Result<Box<dyn Store>, StoreError> {
//!         Ok(Box::new(RedbStore::open(self.0.path().join(name))?))
//!     }
//! }
//!
//! assert_eq!(violations(&Folder(tempfile::tempdir()?)), []);
//! # Ok(())
//! # }
//! ```
//!
//! An adapter of a server gives each name a table, a collection or a bucket of its own, says [`Handles::Many`], so that the
//! suite asks one handle for what another one wrote, enters its runtime in [`Engine::block_on`], and breaks its connection
//! in [`Engine::disturb`].
//!
//! The suite waits for no call for ever, but for one that blocks its thread: futures have to return. It uses up to eight
//! threads and about 200 MB. What it cannot see is a machine that loses power: kill a process that writes, in a test
//! beside this one, and look for what it was told is written.

mod batches;
mod bench;
mod delete;
mod durable;
mod keys;
mod order;
mod pages;
mod retry;
mod sight;
mod threads;
mod together;
mod values;
mod wait;
mod writes;

use std::fmt;

use super::{BoxFuture, Store, StoreError};
use bench::{Bench, Broken};

/// Where the suite opens stores.
pub trait Engine: Sync {
    /// Opens the store of this name, which is empty the first time, and holds what was written to it from then on. A name
    /// is at most 32 bytes of `a–z` and `-`.
    ///
    /// # Errors
    ///
    /// As the adapter says; the promise that the suite looks at is taken for broken.
    fn open(&self, name: &str) -> Result<Box<dyn Store>, StoreError>;

    /// Whether a store can be open more than once. If it can, and this does not say so, less is proven.
    fn handles(&self) -> Handles {
        Handles::One
    }

    /// Polls until the future is ready, on this thread. The suite calls it from several threads at once. What is given here
    /// needs no runtime; an adapter whose calls need one enters it.
    fn block_on(&self, call: BoxFuture<'_, ()>) {
        wait::block_on(call);
    }

    /// Breaks the engine in the midst of the batch that is being written now, or of the next one: cuts the connection, kills
    /// the node. The suite opens the store again after it. Does nothing here.
    fn disturb(&self) {}
}

/// How often a store can be open at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handles {
    /// Once: the suite drops a store before it opens it again.
    One,
    /// As often as somebody likes: the suite asks each handle for what the others wrote.
    Many,
}

/// One thing that a [`Store`] promises.
#[derive(Debug, Clone, Copy)]
pub struct Promise {
    id: &'static str,
    sentence: &'static str,
    check: fn(&Bench<'_>) -> Result<(), Broken>,
}

/// A promise that a store does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    id: &'static str,
    sentence: &'static str,
    seen: String,
}

const fn promise(id: &'static str, sentence: &'static str, check: fn(&Bench<'_>) -> Result<(), Broken>) -> Promise {
    Promise { id, sentence, check }
}

/// What the suite proves of a store, as far as calls from outside can.
pub const PROMISES: &[Promise] = &[
    promise("put-is-new", "a put writes a key that has no value, and no other", writes::put_is_new),
    promise(
        "swap-is-of-the-tag",
        "a swap or a deletion changes the value that has its tag, and no other",
        writes::swap_is_of_the_tag,
    ),
    promise("tag-is-once", "no two values that a key ever had share a tag", writes::tag_is_once),
    promise("each-by-itself", "a batch has one outcome for each change, and a conflict stops no other", writes::each),
    promise("bytes-come-back", "a value comes back byte for byte, from none to the most there are", values::come_back),
    promise("value-has-a-limit", "a value that is too long is refused, and its whole batch", values::limit),
    promise("tags-are-of-get", "the tags that are read alone are those of the values", values::tags),
    promise(
        "many-are-read",
        "a read takes more keys than a batch may have, and gives all that are there",
        values::many,
    ),
    promise("scan-is-of-get", "a scan gives the keys of the listing with the values and tags of a read", values::scan),
    promise("keys-are-apart", "keys that look alike, or lie below one another, are different keys", keys::apart),
    promise("no-key-is-refused", "what is no key or no prefix is refused, and its whole batch", keys::no_key),
    promise("key-is-named-once", "a batch that names a key twice is refused whole", keys::named_once),
    promise("order-of-bytes", "a listing is in the order of the keys' bytes", pages::order_of_bytes),
    promise(
        "prefix-is-plain",
        "a listing has what begins with the prefix, which is no pattern",
        pages::prefix_is_plain,
    ),
    promise("page-has-a-limit", "a page begins after the key that it is told, and keeps its limit", pages::limit),
    promise("empty-page-is-last", "a page is empty at the end, and nowhere before", pages::empty_is_last),
    promise("pages-under-change", "what stays is on one page, whatever comes and goes beside it", pages::under_change),
    promise("batch-within-limits", "a batch within the declared limits is made", batches::within),
    promise("batch-over-limits", "a batch over the declared limits is refused whole", batches::over),
    promise("order-of-a-batch", "what is seen of a batch is what its declared order allows", order::is_kept),
    promise("dropped-call", "a call that is dropped was made or not, and the next ones go on", order::dropped),
    promise("prefix-is-deleted", "what lies under a prefix is deleted and counted, and nothing else", delete::prefix),
    promise("one-wins", "of several changes of one value at once, one is made", threads::one_wins),
    promise(
        "batches-at-once",
        "of batches at once over the same keys, each change is made or conflicts by itself",
        threads::batches_at_once,
    ),
    promise("no-change-is-lost", "who reads, swaps and tries again after a conflict loses nothing", threads::none_lost),
    promise("entry-is-whole", "a read gives a value as it was written, with its own tag", threads::entry_is_whole),
    promise("write-is-seen", "every read and listing sees what was acknowledged before", sight::is_seen),
    promise("write-is-kept", "what was acknowledged is there after the store broke or was closed", durable::is_kept),
    promise("tag-is-once-for-good", "no tag comes back after the store was opened again", durable::tag_is_once),
    promise("retry-gets-there", "who tries again after a failure gets where he wanted", retry::gets_there),
];

/// All the promises that the engine's stores do not keep; none from an adapter that is right. Each is looked at in a store
/// of its own, so an engine is good for one call.
pub fn violations(engine: &dyn Engine) -> Vec<Violation> {
    PROMISES.iter().filter_map(|promise| check(engine, promise).err()).collect()
}

/// Whether the engine's stores keep this promise, in the store that has its [`Promise::id`] for a name.
///
/// # Errors
///
/// What was seen instead.
pub fn check(engine: &dyn Engine, promise: &Promise) -> Result<(), Violation> {
    (promise.check)(&Bench::new(engine, promise.id)).map_err(|broken| {
        let Promise { id, sentence, .. } = *promise;
        Violation { id, sentence, seen: broken.to_string() }
    })
}

impl Promise {
    /// Its name.
    pub const fn id(&self) -> &'static str {
        self.id
    }

    /// What is promised.
    pub const fn sentence(&self) -> &'static str {
        self.sentence
    }
}

impl Violation {
    /// The [`Promise::id`] of the promise.
    pub fn promise(&self) -> &'static str {
        self.id
    }

    /// What was seen instead.
    pub fn seen(&self) -> &str {
        &self.seen
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is broken ({}): {}", self.id, self.sentence, self.seen)
    }
}

impl std::error::Error for Violation {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_promise_has_a_name_of_its_own_that_names_a_store() {
        let names: BTreeSet<_> = PROMISES.iter().map(Promise::id).collect();
        assert_eq!(names.len(), PROMISES.len());
        for name in names {
            assert!(name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
        }
    }
}
