//! What must not go back when a backup is restored: the newest consents, and which compartment keys are gone.
//!
//! A [`Ledger`] lies in a [`Store`] of its own that is never restored from a backup: a small one, an entry for each
//! compartment. It is [created](Ledger::create) once, and [opened](Ledger::open) from then on; a missing one is an error. A
//! [`Repository`](crate::repository::Repository) that has one takes no writes under older keys, and after a restore it serves
//! nothing of a compartment that the restored data is behind in, until it has caught up.
//!
//! Ledger and store are [bound](crate::repository::Repository::bind) to each other, once and for all: each keeps the other's
//! id, and neither goes with another one, until an operator says so. So an empty database, a forgotten copy, or the ledger
//! of another database is refused before anything is served or destroyed by it.
//!
//! A compartment key is *active* from the consent that brings it on, *decrypt-only* from the next one on (what lies under
//! it is read and moved, nothing new is written), and *destroyed* when
//! [`Rotation::retire`](crate::rotation::Rotation::retire) found that it is needed no more.

mod binding;
mod entry;
pub(crate) mod error;
mod known;
mod listing;
mod publication;
mod standing;

use std::collections::BTreeSet;

use crate::consent::{Evidence, StoredConsent};
use crate::error::{Error, Result};
use crate::id::{CompartmentId, KeyId, OwnerId};
use crate::store::{Entry, Op, Outcome, Store, Tag};
use binding::Id;
use known::{Known, Noted};

pub(crate) use binding::Relation;
pub use error::LedgerError;
pub(crate) use publication::Announced;
pub(crate) use standing::{Standing, Standings};

/// The newest consents, and which compartment keys are gone.
///
/// Where it is gone itself, emptied or replaced by another one while somebody has it open, every call is
/// [`LedgerError::Missing`].
#[derive(Clone, Copy)]
pub struct Ledger<'a> {
    store: &'a dyn Store,
    id: Id,
}

/// What a compartment key is still for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Records are written under it: that of the newest consent, or any where the ledger knows no consent yet.
    Active,
    /// What lies under it is read and moved, and nothing new is written: it is an earlier one, or one that nobody
    /// published.
    DecryptOnly,
    /// Nothing lies under it, and the consents that gave it are deleted.
    Destroyed,
}

impl Ledger<'_> {
    /// Takes note of a consent that was verified, and opened if a custodian signed it. Its key is the one for new writes
    /// from now on.
    ///
    /// The one before it is forgotten here, and so has to lie in the store.
    /// [`Repository::publish`](crate::repository::Repository::publish) sees to that, and to the new one.
    ///
    /// # Errors
    ///
    /// [`Error::NotAllowed`] if a custodian signed it, and the evidence is nobody's who opened it; [`Error::ApiMisuse`]
    /// if the two are not one consent; [`Error::Rollback`] if a later one is known, or its key is destroyed, or was an
    /// earlier one that a custodian brings back, [`Error::Fork`] if another one of the same version is;
    /// [`Error::Malformed`] if the entry is damaged; [`Error::Store`].
    pub async fn advance(&self, evidence: impl Into<Evidence> + Send, stored: &StoredConsent) -> Result<()> {
        let evidence: Evidence = evidence.into();
        evidence.check(stored)?;
        let noted = Noted::of(stored)?;
        self.unless_erased(stored, |known| {
            if known.gives_way_to(stored)? { known.then(noted.clone()).map(Some) } else { Ok(None) }
        })
        .await
    }

    /// The newest consent to a compartment, if any is known.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the entry is damaged; [`Error::Store`].
    pub async fn newest(&self, owner: &OwnerId, compartment: &CompartmentId) -> Result<Option<StoredConsent>> {
        let known = self.known(&key(owner, compartment)).await?;
        known.and_then(|(_, known)| known.newest).map(|newest| newest.read()).transpose()
    }

    /// What a compartment key is still for.
    ///
    /// # Errors
    ///
    /// As [`Ledger::newest`].
    pub async fn state(&self, owner: &OwnerId, compartment: &CompartmentId, key: KeyId) -> Result<KeyState> {
        let known = self.standings(owner, &[compartment]).await?;
        Ok(known.of.first().map_or(KeyState::Active, |standing| standing.state(key)))
    }

    /// What is known of some compartments, in their order.
    pub(crate) async fn standings(&self, owner: &OwnerId, compartments: &[&CompartmentId]) -> Result<Standings> {
        let mut keys = vec![erased(owner)];
        keys.extend(compartments.iter().map(|compartment| key(owner, compartment)));
        let held = self.held(&keys).await?;
        let mut held = keys.iter().zip(held);
        if held.next().is_some_and(|(_, erased)| erased.is_some()) {
            return Ok(Standings { of: vec![Standing::Erased; compartments.len()], announced: false });
        }
        let mut standings = Standings { of: Vec::with_capacity(compartments.len()), announced: false };
        for (key, entry) in held {
            let (standing, announced) = match entry {
                None => (Standing::Unknown, false),
                Some(entry) => Standing::read(key, &entry.value)?,
            };
            standings.of.push(standing);
            standings.announced |= announced;
        }
        Ok(standings)
    }

    /// Whether an owner was erased.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn is_erased(&self, owner: &OwnerId) -> Result<bool> {
        // A note that is damaged is one.
        self.has(erased(owner)).await
    }

    /// Notes an owner as erased, and forgets her consents.
    pub(crate) async fn erase(&self, owner: &OwnerId) -> Result<()> {
        self.is_there().await?;
        let key = erased(owner);
        let value = entry::sealed(&key, &[]);
        self.store.apply(vec![Op::Put { key, value }]).await?;
        self.forget(owner).await
    }

    async fn forget(&self, owner: &OwnerId) -> Result<()> {
        self.store.delete_prefix(&format!("{PREFIX}{owner}/")).await?;
        Ok(())
    }

    /// These keys are gone, and those of every consent before the one that gave `new`, which the ledger has to know.
    pub(crate) async fn destroy(
        &self,
        owner: &OwnerId,
        compartment: &CompartmentId,
        new: KeyId,
        gone: &BTreeSet<KeyId>,
    ) -> Result<()> {
        self.change(&key(owner, compartment), |known| {
            let next = known.without(new, gone.clone())?;
            Ok((next != *known).then_some(next))
        })
        .await
    }

    /// Changes what is known of a consent's compartment, unless its owner was erased.
    async fn unless_erased(
        &self,
        stored: &StoredConsent,
        change: impl Fn(&Known) -> Result<Option<Known>>,
    ) -> Result<()> {
        let statement = stored.consent().unverified();
        if self.is_erased(&statement.owner).await? {
            return Err(Error::Rollback("consent"));
        }
        self.change(&key(&statement.owner, &statement.compartment), change).await?;
        // Once more: the owner may have been erased meanwhile, and her entries gone through already.
        if self.is_erased(&statement.owner).await? {
            self.forget(&statement.owner).await?;
            return Err(Error::Rollback("consent"));
        }
        Ok(())
    }

    async fn change(&self, key: &str, change: impl Fn(&Known) -> Result<Option<Known>>) -> Result<()> {
        loop {
            let (tag, known) = self.known(key).await?.map_or_else(Default::default, |(tag, known)| (Some(tag), known));
            let Some(next) = change(&known)? else { return Ok(()) };
            let key = key.to_owned();
            let op = match (tag, next == Known::default()) {
                (None, true) => return Ok(()),
                (None, false) => Op::Put { value: next.encode(&key)?, key },
                (Some(tag), false) => Op::Swap { value: next.encode(&key)?, tag, key },
                (Some(tag), true) => Op::Delete { key, tag },
            };
            if !self.store.apply(vec![op]).await?.contains(&Outcome::Conflict) {
                return Ok(());
            }
        }
    }

    async fn known(&self, key: &str) -> Result<Option<(Tag, Known)>> {
        match self.held(&[key.to_owned()]).await?.pop().flatten() {
            None => Ok(None),
            Some(Entry { tag, value }) => Ok(Some((tag, Known::decode(key, &value)?))),
        }
    }
}

#[cfg(test)]
impl Ledger<'_> {
    /// The earlier keys of a compartment, and whose each is.
    pub(crate) async fn past(&self, owner: &OwnerId, compartment: &CompartmentId) -> Result<Vec<(KeyId, String)>> {
        Ok(self.known(&key(owner, compartment)).await?.map(|(_, known)| known.past()).unwrap_or_default())
    }
}

fn key(owner: &OwnerId, compartment: &CompartmentId) -> String {
    format!("{PREFIX}{owner}/{compartment}")
}

fn erased(owner: &OwnerId) -> String {
    format!("{ERASED}{owner}")
}

impl std::fmt::Debug for Ledger<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}

const ERASED: &str = "erased/";
const PREFIX: &str = "ledger/";
