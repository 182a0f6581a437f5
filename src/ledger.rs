//! What must not go back when a backup is restored: the newest consents, and which compartment keys are gone.
//!
//! A [`Ledger`] lies in a [`Store`] of its own that is never restored from a backup: a small one, an entry for each
//! compartment. A [`Repository`](crate::repository::Repository) that has one takes no writes under older keys, and after a
//! restore it serves nothing of a compartment that the restored data is behind in, until it has caught up.
//!
//! A compartment key is *active* from the consent that brings it on, *decrypt-only* from the next one on (what lies under
//! it is read and moved, nothing new is written), and *destroyed* when [`Rotation::retire`](crate::rotation::Rotation::retire)
//! found that it is needed no more.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::consent::{LiveConsent, StoredConsent};
use crate::error::{Error, Result};
use crate::id::{CompartmentId, KeyId, OwnerId};
use crate::store::{Entry, Op, Outcome, Store};
use crate::wire::{self, bytes};

/// The newest consents, and which compartment keys are gone.
#[derive(Clone, Copy)]
pub struct Ledger<'a> {
    store: &'a dyn Store,
}

/// What a compartment key is still for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Records are written under it: that of the newest consent, or any where the ledger knows no consent yet.
    Active,
    /// What lies under it is read and moved, and nothing new is written: it is an earlier one, or one that nobody published.
    DecryptOnly,
    /// Nothing lies under it, and the consents that gave it are deleted.
    Destroyed,
}

/// What the ledger knows of a compartment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    #[serde(with = "consent_bytes")]
    consent: Vec<u8>,
    /// The keys of the consents before that one, the earliest first, each once.
    past: Vec<KeyId>,
    /// The keys that are gone, the earliest first.
    destroyed: Vec<KeyId>,
}

/// What the ledger knows of a compartment, read.
#[derive(Debug, Clone)]
pub(crate) enum Standing {
    /// Its owner was erased.
    Erased,
    Unknown,
    Known {
        newest: Box<StoredConsent>,
        /// The keys that are gone.
        destroyed: BTreeSet<KeyId>,
    },
}

impl Standing {
    pub(crate) fn state(&self, key: KeyId) -> KeyState {
        match self {
            Self::Erased => KeyState::Destroyed,
            Self::Unknown => KeyState::Active,
            Self::Known { destroyed, .. } if destroyed.contains(&key) => KeyState::Destroyed,
            Self::Known { newest, .. } if newest.consent().unverified().key_id() == key => KeyState::Active,
            Self::Known { .. } => KeyState::DecryptOnly,
        }
    }
}

impl Known {
    /// Whether a consent is later than this one, and not the same.
    fn is_before(&self, stored: &StoredConsent) -> Result<bool> {
        if self.destroyed.contains(&stored.consent().unverified().key_id()) {
            return Err(Error::Rollback("compartment key"));
        }
        let newest = StoredConsent::from_cbor(&self.consent)?;
        match stored.precedence()?.compare(&newest.precedence()?, "consent")? {
            Ordering::Less => Err(Error::Rollback("consent")),
            Ordering::Equal => Ok(false),
            Ordering::Greater => Ok(true),
        }
    }

    /// With a later consent as the newest.
    fn then(&self, consent: &[u8], newest: KeyId) -> Result<Self> {
        let before = StoredConsent::from_cbor(&self.consent)?.consent().unverified().key_id();
        let mut past: Vec<KeyId> = self.past.iter().copied().filter(|key| *key != newest && *key != before).collect();
        past.extend(Some(before).filter(|before| *before != newest));
        // A signer who uses up numbers does not fill the entry: what is dropped is decrypt-only for good.
        past.drain(..past.len().saturating_sub(MAX_KEYS));
        Ok(Self { consent: consent.to_vec(), past, destroyed: self.destroyed.clone() })
    }

    /// With these keys destroyed, and those of the consents before the one that gave `new`.
    fn without(&self, new: KeyId, mut gone: BTreeSet<KeyId>) -> Result<Self> {
        let newest = StoredConsent::from_cbor(&self.consent)?.consent().unverified().key_id();
        let at = self.past.iter().position(|key| *key == new);
        if at.is_none() && newest != new {
            return Err(Error::ApiMisuse("the ledger does not know the consent of the new key"));
        }
        let (before, rest) = self.past.split_at(at.unwrap_or(self.past.len()));
        gone.extend(before);
        gone.retain(|key| *key != newest && !rest.contains(key));
        let mut destroyed = self.destroyed.clone();
        destroyed.extend(gone.into_iter().filter(|key| !self.destroyed.contains(key)));
        // What is dropped is decrypt-only again; there is no consent left that gives it.
        destroyed.drain(..destroyed.len().saturating_sub(MAX_DESTROYED));
        Ok(Self { consent: self.consent.clone(), past: rest.to_vec(), destroyed })
    }
}

impl<'a> Ledger<'a> {
    /// In this store, which is not the one that records lie in, nor restored with it.
    pub fn new(store: &'a dyn Store) -> Self {
        Self { store }
    }

    /// Takes note of a consent that was verified. Its key is the one for new writes from now on.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the two are not one consent; [`Error::Rollback`] if a later one is known, or its key is
    /// destroyed, [`Error::Fork`] if another one of the same version is; [`Error::Store`].
    pub async fn advance(&self, live: &LiveConsent, stored: &StoredConsent) -> Result<()> {
        if stored.consent().hash()? != live.hash() {
            return Err(Error::ApiMisuse("the consent that was verified is another one"));
        }
        let bytes = stored.to_cbor()?;
        if self.is_erased(live.owner()).await? {
            return Err(Error::Rollback("consent"));
        }
        self.change(live.owner(), live.compartment(), |known| {
            let Some(known) = known else {
                return Ok(Some(Known { consent: bytes.clone(), past: Vec::new(), destroyed: Vec::new() }));
            };
            if !known.is_before(stored)? {
                return Ok(None);
            }
            known.then(&bytes, live.key_id()).map(Some)
        })
        .await?;
        // Once more: the owner may have been erased meanwhile, and her entries gone through already.
        if self.is_erased(live.owner()).await? {
            self.forget(live.owner()).await?;
            return Err(Error::Rollback("consent"));
        }
        Ok(())
    }

    /// Whether [`Ledger::advance`] would refuse it.
    pub(crate) async fn admits(&self, stored: &StoredConsent) -> Result<()> {
        let statement = stored.consent().unverified();
        if self.is_erased(&statement.owner).await? {
            return Err(Error::Rollback("consent"));
        }
        if let Some((_, known)) = self.known(&key(&statement.owner, &statement.compartment)).await? {
            known.is_before(stored)?;
        }
        Ok(())
    }

    /// The newest consent to a compartment, if any is known.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the entry is damaged; [`Error::Store`].
    pub async fn newest(&self, owner: &OwnerId, compartment: &CompartmentId) -> Result<Option<StoredConsent>> {
        let known = self.known(&key(owner, compartment)).await?;
        known.map(|(_, known)| StoredConsent::from_cbor(&known.consent)).transpose()
    }

    /// What a compartment key is still for.
    ///
    /// # Errors
    ///
    /// As [`Ledger::newest`].
    pub async fn state(&self, owner: &OwnerId, compartment: &CompartmentId, key: KeyId) -> Result<KeyState> {
        let known = self.standings(owner, &[compartment]).await?;
        Ok(known.first().map_or(KeyState::Active, |standing| standing.state(key)))
    }

    /// What is known of some compartments, in their order.
    pub(crate) async fn standings(&self, owner: &OwnerId, compartments: &[&CompartmentId]) -> Result<Vec<Standing>> {
        let mut keys = vec![format!("{ERASED}{owner}")];
        keys.extend(compartments.iter().map(|compartment| key(owner, compartment)));
        let mut held = self.store.get(&keys).await?.into_iter();
        if held.next().flatten().is_some() {
            return Ok(vec![Standing::Erased; compartments.len()]);
        }
        let standing = |entry: Option<Entry>| {
            let Some(entry) = entry else { return Ok(Standing::Unknown) };
            let known: Known = wire::from_cbor(&entry.value, MAX_ENTRY, WHAT)?;
            let newest = Box::new(StoredConsent::from_cbor(&known.consent)?);
            Ok(Standing::Known { newest, destroyed: known.destroyed.into_iter().collect() })
        };
        held.map(standing).collect()
    }

    /// Owners who were erased, from the one after `after` on, a hundred at most.
    ///
    /// # Errors
    ///
    /// As [`Ledger::compartments`].
    pub async fn erased(&self, after: Option<&OwnerId>) -> Result<Vec<OwnerId>> {
        let after = after.map(|owner| format!("{ERASED}{owner}")).unwrap_or_default();
        let keys = self.store.keys(ERASED, &after, 100).await?;
        let owner = |key: &String| key.strip_prefix(ERASED).and_then(|owner| OwnerId::new(owner).ok());
        keys.iter().map(|key| owner(key).ok_or(Error::Malformed(WHAT))).collect()
    }

    /// Whether an owner was erased.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn is_erased(&self, owner: &OwnerId) -> Result<bool> {
        Ok(self.store.get(&[format!("{ERASED}{owner}")]).await?.pop().flatten().is_some())
    }

    /// Notes an owner as erased, and forgets her consents.
    pub(crate) async fn erase(&self, owner: &OwnerId) -> Result<()> {
        self.store.apply(vec![Op::Put { key: format!("{ERASED}{owner}"), value: Vec::new() }]).await?;
        self.forget(owner).await
    }

    async fn forget(&self, owner: &OwnerId) -> Result<()> {
        let prefix = format!("{PREFIX}{owner}~");
        loop {
            let keys = self.store.keys(&prefix, "", 100).await?;
            if keys.is_empty() {
                return Ok(());
            }
            let held = self.store.get(&keys).await?;
            let there = keys.into_iter().zip(held).filter_map(|(key, entry)| Some((key, entry?.tag)));
            self.store.apply(there.map(|(key, tag)| Op::Delete { key, tag }).collect()).await?;
        }
    }

    /// These keys are gone, and those of every consent before the one that gave `new`, which the ledger has to know.
    pub(crate) async fn destroy(
        &self,
        owner: &OwnerId,
        compartment: &CompartmentId,
        new: KeyId,
        gone: &BTreeSet<KeyId>,
    ) -> Result<()> {
        self.change(owner, compartment, |known| {
            let known = known.ok_or(Error::ApiMisuse("the ledger does not know this compartment"))?;
            let next = known.without(new, gone.clone())?;
            Ok((next != *known).then_some(next))
        })
        .await
    }

    /// The compartments that are known, from the one after `after` on, a hundred at most.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if a key is none of the ledger's; [`Error::Store`].
    pub async fn compartments(
        &self,
        after: Option<(&OwnerId, &CompartmentId)>,
    ) -> Result<Vec<(OwnerId, CompartmentId)>> {
        let after = after.map(|(owner, compartment)| key(owner, compartment)).unwrap_or_default();
        let keys = self.store.keys(PREFIX, &after, 100).await?;
        let parse = |key: &String| {
            let (owner, compartment) = key.strip_prefix(PREFIX)?.split_once('~')?;
            Some((OwnerId::new(owner).ok()?, CompartmentId::new(compartment).ok()?))
        };
        keys.iter().map(|key| parse(key).ok_or(Error::Malformed(WHAT))).collect()
    }

    async fn change(
        &self,
        owner: &OwnerId,
        compartment: &CompartmentId,
        change: impl Fn(Option<&Known>) -> Result<Option<Known>>,
    ) -> Result<()> {
        let key = key(owner, compartment);
        loop {
            let held = self.known(&key).await?;
            let Some(new) = change(held.as_ref().map(|(_, known)| known))? else {
                return Ok(());
            };
            let (key, value) = (key.clone(), wire::to_cbor(&new, WHAT)?);
            let op = match held {
                Some((Entry { tag, .. }, _)) => Op::Swap { key, tag, value },
                None => Op::Put { key, value },
            };
            if matches!(self.store.apply(vec![op]).await?.as_slice(), [Outcome::Written(_)]) {
                return Ok(());
            }
        }
    }

    async fn known(&self, key: &str) -> Result<Option<(Entry, Known)>> {
        let Some(entry) = self.store.get(&[key.to_owned()]).await?.pop().flatten() else {
            return Ok(None);
        };
        let known = wire::from_cbor(&entry.value, MAX_ENTRY, WHAT)?;
        Ok(Some((entry, known)))
    }
}

fn key(owner: &OwnerId, compartment: &CompartmentId) -> String {
    format!("{PREFIX}{owner}~{compartment}")
}

/// The consent's own encoding, which is checked when it is read.
mod consent_bytes {
    use super::{MAX_ENTRY, bytes};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        bytes::serialize(value, serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        bytes::deserialize(deserializer, MAX_ENTRY)
    }
}

impl std::fmt::Debug for Ledger<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}

const ERASED: &str = "erased~";
const PREFIX: &str = "ledger~";
/// Most keys of earlier consents that an entry tells apart from unknown ones.
const MAX_KEYS: usize = 1024;
/// Most destroyed keys that are remembered of a compartment: one a day for twenty years.
const MAX_DESTROYED: usize = 8192;
/// The consent, and 17 bytes a key.
const MAX_ENTRY: usize = 512 * 1024;
const WHAT: &str = "ledger";
