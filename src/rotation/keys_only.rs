//! What a custodian needs of a store to rotate a compartment, and no more.

use crate::id::{CompartmentId, OwnerId};
use crate::record::{StoredEnvelope, StoredWrap};
use crate::repository::restored::RESTORING;
use crate::store::{BoxFuture, Entry, Op, Outcome, Store, StoreError, StoreFailure};

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
    jobs: [String; 4],
}

impl<'a> KeysOnly<'a> {
    /// The view of one compartment.
    pub fn new(store: &'a dyn Store, owner: &OwnerId, compartment: &CompartmentId) -> Self {
        let place = format!("{owner}~{compartment}~");
        let (wraps, envelopes) = (StoredWrap::prefix(owner, compartment), StoredEnvelope::prefix(owner, compartment));
        let jobs = ["job", "quarantine~job", "quarantine~reencrypt", "restored"].map(|kind| format!("{kind}~{place}"));
        Self { store, read: [wraps, envelopes, format!("consent~{place}")], jobs }
    }

    fn shows(&self, key: &str) -> bool {
        key == RESTORING || self.read.iter().chain(&self.jobs).any(|prefix| key.starts_with(prefix))
    }

    fn lets(&self, op: &Op) -> bool {
        let [wraps, _, consents] = &self.read;
        let own = match op {
            Op::Swap { key, .. } => key.starts_with(wraps),
            Op::Delete { key, .. } => key.starts_with(consents),
            Op::Put { .. } => false,
        };
        own || self.jobs.iter().any(|prefix| op.key().starts_with(prefix))
    }
}

fn refused<'a, T>() -> BoxFuture<'a, Result<T, StoreError>> {
    Box::pin(async { Err(StoreError::new(StoreFailure::Refused, "not in this view")) })
}

impl Store for KeysOnly<'_> {
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
