//! What a custodian needs of a store to rotate a compartment, and no more.

use crate::id::{CompartmentId, OwnerId};
use crate::store::space::{self, BOUND, Kind, RESTORING};
use crate::store::{BoxFuture, Entry, Limits, Op, Outcome, Store, StoreError, StoreFailure, Tag};

/// A view of a store for whoever rotates one compartment on another's behalf: the wraps, envelopes and consents of that
/// compartment, and the states of its jobs. Bodies, contents and other compartments are out of reach. Of wraps it lets
/// one be exchanged for another, and consents be deleted, as a [retirement](super::Rotation::retire) does; who is given
/// it is trusted that far.
///
/// So a server that holds no keys has a compartment moved by a custodian that holds them, to a new month or a stricter
/// policy, and the custodian is given no body to read: run a [`Rotation`](super::Rotation) over this view, or serve the
/// view over the network. "Unable to read" holds as long as the two are apart: together they have everything.
pub struct KeysOnly<'a> {
    store: &'a dyn Store,
    read: [String; 3],
    jobs: [String; 2],
    stale: String,
}

impl<'a> KeysOnly<'a> {
    /// The view of one compartment.
    pub fn new(store: &'a dyn Store, owner: &OwnerId, compartment: &CompartmentId) -> Self {
        let prefix = |kind: Kind| kind.of_compartment(owner, compartment);
        Self {
            store,
            read: [Kind::Wrap, Kind::Envelope, Kind::Consent].map(prefix),
            jobs: [Kind::Job, Kind::Quarantine].map(prefix),
            stale: space::stale(owner, compartment),
        }
    }

    fn shows(&self, key: &str) -> bool {
        let under = |prefix: &String| key.starts_with(prefix);
        [RESTORING, BOUND, &self.stale].contains(&key) || self.read.iter().any(under) || self.jobs.iter().any(under)
    }

    fn lets(&self, op: &Op) -> bool {
        let [wraps, _, consents] = &self.read;
        let own = match op {
            Op::Swap { key, .. } => key.starts_with(wraps),
            Op::Delete { key, .. } => key.starts_with(consents),
            Op::Put { .. } => false,
        };
        own || op.key() == self.stale || self.jobs.iter().any(|prefix| op.key().starts_with(prefix))
    }
}

fn refused<'a, T>() -> BoxFuture<'a, Result<T, StoreError>> {
    Box::pin(async { Err(StoreError::new(StoreFailure::Refused, "not in this view")) })
}

impl Store for KeysOnly<'_> {
    fn limits(&self) -> Limits {
        self.store.limits()
    }

    fn tags<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Tag>>, StoreError>> {
        if keys.iter().all(|key| self.shows(key)) { self.store.tags(keys) } else { refused() }
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(String, Entry)>, StoreError>> {
        if self.shows(prefix) { self.store.scan(prefix, after, limit) } else { refused() }
    }

    fn delete_prefix<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<u64, StoreError>> {
        let own = self.jobs.iter().any(|jobs| prefix.starts_with(jobs));
        if own { self.store.delete_prefix(prefix) } else { refused() }
    }

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        if keys.iter().all(|key| self.shows(key)) { self.store.get(keys) } else { refused() }
    }

    fn keys<'a>(&'a self, prefix: &'a str, after: &'a str, n: usize) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        if self.shows(prefix) { self.store.keys(prefix, after, n) } else { refused() }
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        if ops.iter().all(|op| self.lets(op)) { self.store.apply(ops) } else { refused() }
    }
}

impl std::fmt::Debug for KeysOnly<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeysOnly").field("wraps", &self.read).finish_non_exhaustive()
    }
}
