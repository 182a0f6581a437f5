//! Bulk jobs: a compartment's records are moved to a new compartment key, over a [`Store`], without reading a body.
//!
//! A [`Rotation`] walks the compartment's wraps in the order of their keys, a batch at a time. Everything it has to
//! remember lies in the store, in one entry that changes by compare-and-swap:
//!
//! - a worker claims the next batch until a time; several workers share a job so, and what a dead one claimed is done again
//!   when its time is over;
//! - a wrap that lies under the new key already is passed over, so doing a batch again does no harm;
//! - a wrap that was changed meanwhile is read again; one that does not open is put on a list, the quarantine, and the rest
//!   goes on.
//!
//! While it runs, readers need both consents, and find each record under one of them. [`Rotation::verify`] says when
//! the old compartment key is needed no more: what was written under it after its batch was done shows there, and a
//! further [`Rotation::run`] of a new job moves it.
//!
//! Then [`Rotation::retire`] deletes the consents that give the old keys. A [`Sweep`] does the same for all compartments
//! of a patient, of an authority, or of the store.
//!
//! # Security
//!
//! Whoever kept the old compartment key and a copy of the old wraps, or a record's own key, still opens what was
//! sealed before: delete old copies, and re-encrypt ([`Rotation::reencrypt`]) what must be closed to them from now on.

mod batch;
mod contents;
mod job;
mod keys_only;
mod page;
mod published;
mod reencrypt;
mod retire;
mod sweep;
mod verify;
mod walk;

use std::sync::Mutex;

use crate::authority::Trust;
use crate::consent::{Access, Devices};
use crate::error::{Error, Result};
use crate::id::{KeyId, Time};
use crate::ledger::Ledger;
use crate::record::Author;
use crate::repository::Revisions;
use crate::store::Store;
use crate::store::space::Kind;
use reencrypt::Sealer;

pub use job::{Progress, Quarantined};
pub use keys_only::KeysOnly;
pub use retire::Retirement;
pub use sweep::{Keys, Scope, Sweep, Swept};
pub use verify::{MAX_NAMED, Verification};
pub use walk::Pass;

/// Moves the records of one compartment from older compartment keys to the newest one.
pub struct Rotation<'a> {
    store: &'a dyn Store,
    old: Vec<&'a Access>,
    new: &'a Access,
    clock: &'a (dyn Fn() -> Time + Sync),
    prefix: String,
    lease: u64,
    sealer: Option<Sealer<'a>>,
    /// Where the contents of the record lie that was sealed again last.
    revisions: Mutex<Option<Revisions>>,
}

impl<'a> Rotation<'a> {
    /// A rotation to `new` from every other key that one of `old` gives. `clock` says what time it is.
    ///
    /// Publish the consent of `new` first: records under a key that nobody can open again are lost.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if they are not of one compartment, or an old one gives another key and counts as later: by the
    /// device list that it was signed under, what the owner signed last, and its version; or if all the old ones give the
    /// key of the new one.
    pub fn new(
        store: &'a dyn Store,
        old: &[&'a Access],
        new: &'a Access,
        clock: &'a (dyn Fn() -> Time + Sync),
    ) -> Result<Self> {
        new.check_rules()?;
        for access in old {
            if (access.owner(), access.compartment()) != (new.owner(), new.compartment()) {
                return Err(Error::ApiMisuse("a rotation stays in one compartment"));
            }
            if access.place() >= new.place() && !new.has_key_of(access) {
                return Err(Error::ApiMisuse("a rotation goes to a later consent"));
            }
        }
        if !old.is_empty() && old.iter().all(|access| new.has_key_of(access)) {
            return Err(Error::ApiMisuse("nothing is moved: the consents have one key"));
        }
        let prefix = Kind::Wrap.of_compartment(new.owner(), new.compartment());
        let old = old.iter().copied().filter(|access| !new.has_key_of(access)).collect();
        Ok(Self { store, old, new, clock, prefix, lease: LEASE, sealer: None, revisions: Mutex::default() })
    }

    /// For how many seconds a worker holds a batch of a thousand before others may take it for dead; 60 by default. If it
    /// is not dead, the batch is gone through twice, which does no harm.
    #[must_use]
    pub fn lease(mut self, seconds: u64) -> Self {
        self.lease = seconds;
        self
    }

    /// Seals every part again, too, under a new key of its own: for when records' own keys are known to somebody. Bodies
    /// are read then. Authors' signatures stay; `author`, one of the owner's devices, signs as who sealed it again.
    ///
    /// It writes, and so it needs the ledger, as every writer does: a worker who was overtaken by a later rotation would
    /// otherwise bring parts back under a key that is gone.
    #[must_use]
    pub fn reencrypt(
        mut self,
        ledger: Ledger<'a>,
        trust: &'a Trust,
        devices: &'a Devices,
        author: &'a Author<'a>,
    ) -> Self {
        self.sealer = Some(Sealer { ledger, trust, devices, author });
        self
    }

    /// The old access that gives this key.
    fn key(&self, id: KeyId) -> Option<&'a Access> {
        self.old.iter().find(|access| access.key_id() == id).copied()
    }
}

/// For how many seconds a worker holds a batch, unless it is told otherwise.
const LEASE: u64 = 60;

impl std::fmt::Debug for Rotation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rotation").field("old", &self.old).field("new", self.new).finish_non_exhaustive()
    }
}
