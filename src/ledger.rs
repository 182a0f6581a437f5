//! What must not go back when a backup is restored: the newest consents, and which compartment keys are gone.
//!
//! A [`Ledger`] lies in a [`Store`] of its own that is never restored from a backup: a small one, an entry for each
//! compartment. A [`Repository`](crate::repository::Repository) that has one takes no writes under older keys, and after a
//! restore it serves nothing of a compartment that the restored data is behind in, until it has caught up.
//!
//! A compartment key is *active* from the consent that brings it on, *decrypt-only* from the next one on (what lies under
//! it is read and moved, nothing new is written), and *destroyed* when
//! [`Rotation::retire`](crate::rotation::Rotation::retire) found that it is needed no more.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::consent::{ConsentStatement, Evidence, StoredConsent};
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
    /// What lies under it is read and moved, and nothing new is written: it is an earlier one, or one that nobody
    /// published.
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
    past: Vec<Earlier>,
    /// The keys that are gone, the earliest first.
    destroyed: Vec<Earlier>,
}

/// A key that is not the newest, and whose consent gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Earlier(KeyId, By);

/// Who signed the consent that gave a key, the one who is forgotten first at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum By {
    Owner,
    Custodian,
    /// This ledger took no consent of that key.
    Unknown,
}

impl By {
    /// Under a mandate, the key that the owner gave it for is hers.
    fn of(consent: &StoredConsent) -> Self {
        let commitment = &consent.consent().unverified().commitment;
        let hers = consent.mandate().is_none_or(|mandate| mandate.unverified().commitment == *commitment);
        if hers { Self::Owner } else { Self::Custodian }
    }
}

/// Bounds a list. What whoever else signed goes before what the owner did, the earliest first, so that nobody who uses up
/// numbers pushes hers out. What is dropped from either is decrypt-only from then on.
fn bounded(mut keys: Vec<Earlier>, most: usize) -> Vec<Earlier> {
    for by in [By::Unknown, By::Custodian, By::Owner] {
        let mut over = keys.len().saturating_sub(most);
        keys.retain(|key| {
            let drop = over > 0 && key.1 == by;
            over -= usize::from(drop);
            !drop
        });
    }
    keys
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
    /// Whether a consent is later than this one, or the same with other bytes: what was verified takes the place of what was
    /// damaged here.
    fn gives_way_to(&self, stored: &StoredConsent) -> Result<bool> {
        let key = stored.consent().unverified().key_id();
        if self.destroyed.iter().any(|gone| gone.0 == key) {
            return Err(Error::Rollback("compartment key"));
        }
        let newest = StoredConsent::from_cbor(&self.consent)?;
        match stored.precedence()?.compare(&newest.precedence()?, "consent")? {
            Ordering::Less => Err(Error::Rollback("consent")),
            Ordering::Equal => Ok(*stored != newest),
            Ordering::Greater => {
                self.keeps_keys(newest.consent().unverified(), stored.consent().unverified())?;
                Ok(true)
            }
        }
    }

    /// A custodian brings no earlier key back, nor two keys of one number: only the owner's word does that.
    fn keeps_keys(&self, newest: &ConsentStatement, next: &ConsentStatement) -> Result<()> {
        let same = next.has_key_of(newest);
        if next.mandate.is_none() || same && next.generation == newest.generation {
            return Ok(());
        }
        let past = self.past.iter().any(|earlier| earlier.0 == next.key_id());
        if same || past || next.generation <= newest.generation {
            return Err(Error::Rollback("compartment key"));
        }
        Ok(())
    }

    /// With a later consent as the newest.
    fn then(&self, consent: &[u8], newest: KeyId) -> Result<Self> {
        let before = StoredConsent::from_cbor(&self.consent)?;
        let (key, by) = (before.consent().unverified().key_id(), By::of(&before));
        let mut past: Vec<_> =
            self.past.iter().copied().filter(|earlier| earlier.0 != newest && earlier.0 != key).collect();
        past.extend(Some(Earlier(key, by)).filter(|_| key != newest));
        Ok(Self { consent: consent.to_vec(), past: bounded(past, MAX_KEYS), destroyed: self.destroyed.clone() })
    }

    /// With these keys destroyed, and those of the consents before the one that gave `new`.
    fn without(&self, new: KeyId, mut gone: BTreeSet<KeyId>) -> Result<Self> {
        let newest = StoredConsent::from_cbor(&self.consent)?.consent().unverified().key_id();
        let at = self.past.iter().position(|earlier| earlier.0 == new);
        if at.is_none() && newest != new {
            return Err(Error::ApiMisuse("the ledger does not know the consent of the new key"));
        }
        let (before, rest) = self.past.split_at(at.unwrap_or(self.past.len()));
        gone.extend(before.iter().map(|earlier| earlier.0));
        let known = |keys: &[Earlier], key: KeyId| keys.iter().find(|earlier| earlier.0 == key).copied();
        gone.retain(|key| *key != newest && known(rest, *key).is_none());
        let mut destroyed = self.destroyed.clone();
        let new = gone.into_iter().filter(|key| known(&self.destroyed, *key).is_none());
        destroyed.extend(new.map(|key| known(before, key).unwrap_or(Earlier(key, By::Unknown))));
        // What is dropped is decrypt-only again; there is no consent left that gives it.
        Ok(Self { consent: self.consent.clone(), past: rest.to_vec(), destroyed: bounded(destroyed, MAX_DESTROYED) })
    }
}

impl<'a> Ledger<'a> {
    /// In this store, which is not the one that records lie in, nor restored with it.
    pub fn new(store: &'a dyn Store) -> Self {
        Self { store }
    }

    /// Takes note of a consent that was verified, and opened if a custodian signed it. Its key is the one for new writes
    /// from now on.
    ///
    /// # Errors
    ///
    /// [`Error::NotAllowed`] if a custodian signed it, and the evidence is nobody's who opened it; [`Error::ApiMisuse`]
    /// if the two are not one consent; [`Error::Rollback`] if a later one is known, or its key is destroyed, or was an
    /// earlier one that a custodian brings back, [`Error::Fork`] if another one of the same version is; [`Error::Store`].
    pub async fn advance(&self, evidence: impl Into<Evidence> + Send, stored: &StoredConsent) -> Result<()> {
        let evidence: Evidence = evidence.into();
        evidence.check(stored)?;
        let bytes = stored.to_cbor()?;
        let statement = stored.consent().unverified();
        let owner = &statement.owner;
        if self.is_erased(owner).await? {
            return Err(Error::Rollback("consent"));
        }
        self.change(owner, &statement.compartment, |known| {
            let Some(known) = known else {
                return Ok(Some(Known { consent: bytes.clone(), past: Vec::new(), destroyed: Vec::new() }));
            };
            if !known.gives_way_to(stored)? {
                return Ok(None);
            }
            known.then(&bytes, statement.key_id()).map(Some)
        })
        .await?;
        // Once more: the owner may have been erased meanwhile, and her entries gone through already.
        if self.is_erased(owner).await? {
            self.forget(owner).await?;
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
            known.gives_way_to(stored)?;
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
        let mut keys = vec![erased(owner)];
        keys.extend(compartments.iter().map(|compartment| key(owner, compartment)));
        let mut held = self.store.get(&keys).await?.into_iter();
        if held.next().flatten().is_some() {
            return Ok(vec![Standing::Erased; compartments.len()]);
        }
        let standing = |entry: Option<Entry>| {
            let Some(entry) = entry else { return Ok(Standing::Unknown) };
            let known: Known = wire::from_cbor(&entry.value, MAX_ENTRY, WHAT)?;
            let newest = Box::new(StoredConsent::from_cbor(&known.consent)?);
            Ok(Standing::Known { newest, destroyed: known.destroyed.into_iter().map(|gone| gone.0).collect() })
        };
        held.map(standing).collect()
    }

    /// Owners who were erased, from the one after `after` on, a hundred at most.
    ///
    /// # Errors
    ///
    /// As [`Ledger::compartments`].
    pub async fn erased(&self, after: Option<&OwnerId>) -> Result<Vec<OwnerId>> {
        let after = after.map(erased).unwrap_or_default();
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
        Ok(self.store.get(&[erased(owner)]).await?.pop().flatten().is_some())
    }

    /// Notes an owner as erased, and forgets her consents.
    pub(crate) async fn erase(&self, owner: &OwnerId) -> Result<()> {
        self.store.apply(vec![Op::Put { key: erased(owner), value: Vec::new() }]).await?;
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
            let (owner, compartment) = key.strip_prefix(PREFIX)?.split_once('/')?;
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
    format!("{PREFIX}{owner}/{compartment}")
}

fn erased(owner: &OwnerId) -> String {
    format!("{ERASED}{owner}")
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

const ERASED: &str = "erased/";
const PREFIX: &str = "ledger/";
/// Most keys of earlier consents that an entry tells apart from unknown ones.
const MAX_KEYS: usize = 1024;
/// Most destroyed keys that are remembered of a compartment: one a day for twenty years.
const MAX_DESTROYED: usize = 8192;
/// The consent, and at most 28 bytes a key.
const MAX_ENTRY: usize = crate::consent::MAX_CONSENT + 256 * 1024;
const WHAT: &str = "ledger";

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(by: By, range: std::ops::Range<u16>) -> Vec<Earlier> {
        let id = |number: u16| {
            let mut id = [by as u8; 16];
            id[..2].copy_from_slice(&number.to_be_bytes());
            Earlier(KeyId(id), by)
        };
        range.map(id).collect()
    }

    #[test]
    fn whoever_uses_up_numbers_pushes_no_key_of_the_owners_out() {
        let all = [keys(By::Owner, 0..10), keys(By::Custodian, 0..100), keys(By::Unknown, 0..100)].concat();
        let kept = bounded(all.clone(), 50);
        assert_eq!(kept, [keys(By::Owner, 0..10), keys(By::Custodian, 60..100)].concat());
        assert_eq!(bounded(all.clone(), 5), keys(By::Owner, 5..10));
        assert_eq!(bounded(all[..20].to_vec(), 20), all[..20]);
    }

    /// What is written can be read back, however full it is.
    #[test]
    fn the_fullest_entry_is_within_its_bound() {
        let past = keys(By::Custodian, 0..u16::try_from(MAX_KEYS).unwrap());
        let destroyed = keys(By::Custodian, 0..u16::try_from(MAX_DESTROYED).unwrap());
        let known = Known { consent: vec![0; crate::consent::MAX_CONSENT], past, destroyed };
        let bytes = wire::to_cbor(&known, WHAT).unwrap();
        assert_eq!(wire::from_cbor::<Known>(&bytes, MAX_ENTRY, WHAT).unwrap(), known);
    }
}
