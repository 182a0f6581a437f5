//! Whether the old compartment keys are needed no more.

use std::collections::BTreeSet;

use super::Rotation;
use super::job::BATCH;
use crate::error::{Error, Result};
use crate::id::KeyId;
use crate::record::{StoredEnvelope, StoredWrap};
use crate::store::space::Kind;
use crate::store::{Entry, Pages, StoreError, each};

/// What a walk through a compartment found. It says what was there while it walked, not what was written since.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "older keys may be needed"]
pub struct Verification {
    /// Wraps that open under the new key.
    pub moved: u64,
    /// Wraps under older keys, or unknown ones.
    pub behind: u64,
    /// Wraps under an unknown key of a later generation than the new one. They block a retirement, unless all
    /// lie under the key that the compartment went on to meanwhile.
    pub later: u64,
    /// Wraps that are damaged, do not open, or hold another key than their part's; and envelopes that are damaged.
    pub broken: u64,
    /// Envelopes without a wrap.
    pub missing: u64,
    /// Wraps under keys that were destroyed before: whatever they held is lost.
    pub lost: u64,
    /// The keys, in the store, of what is behind, later, broken or missing: the first [`MAX_NAMED`].
    pub named: Vec<String>,
    /// The first two of the later keys: whether they are one, and which.
    later_keys: BTreeSet<KeyId>,
    /// Wraps that are given up.
    given_up: u64,
}

/// How many keys a [`Verification`] names.
pub const MAX_NAMED: usize = 1000;

/// What a walk passes over.
#[derive(Default)]
pub(super) struct Exempt<'a> {
    pub(super) lost: Lost,
    /// Keys of entries that are given up.
    pub(super) given_up: BTreeSet<&'a str>,
}

/// Which keys are gone for good.
#[derive(Default)]
pub(super) struct Lost {
    /// Keys that the ledger notes as destroyed.
    pub(super) destroyed: BTreeSet<KeyId>,
    /// Keys that are not lost all the same: a consent in the store gives them, or somebody has them at hand.
    pub(super) given: BTreeSet<KeyId>,
}

impl Lost {
    pub(super) fn is(&self, key: KeyId) -> bool {
        self.destroyed.contains(&key) && !self.given.contains(&key)
    }
}

/// What is found of one entry.
pub(super) enum Found {
    Moved,
    Behind,
    Later,
    Broken,
    Missing,
    Lost,
}

impl Verification {
    /// Whether the older keys open nothing that the new one does not.
    pub fn is_clean(&self) -> bool {
        (self.behind, self.broken, self.missing) == (0, 0, 0)
    }

    /// Whether everything that lies under a later key lies under this one.
    pub(super) fn later_lie_under(&self, key: Option<KeyId>) -> bool {
        self.later_keys.iter().all(|later| Some(*later) == key)
    }

    /// Every wrap that the walk came upon.
    pub(super) fn seen(&self) -> u64 {
        [self.moved, self.behind, self.later, self.broken, self.lost, self.given_up]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// With what was found by another way: what both found is counted once.
    pub(super) fn with(&mut self, other: Self) {
        self.behind = self.behind.max(other.behind);
        self.later = self.later.max(other.later);
        self.broken = self.broken.max(other.broken);
        self.missing = self.missing.max(other.missing);
        self.later_keys.extend(other.later_keys);
        let known: BTreeSet<String> = self.named.iter().cloned().collect();
        let new = other.named.into_iter().filter(|key| !known.contains(key));
        self.named.extend(new.take(MAX_NAMED.saturating_sub(known.len())));
    }

    fn later(&mut self, key: KeyId) {
        // Whether they are one, two of them tell.
        if self.later_keys.len() < 2 {
            self.later_keys.insert(key);
        }
    }

    pub(super) fn count(&mut self, exempt: &Exempt<'_>, key: &str, found: &Found) {
        let count = match found {
            Found::Moved => &mut self.moved,
            Found::Lost => &mut self.lost,
            _ if exempt.given_up.contains(key) => {
                self.given_up += u64::from(Kind::of(key) == Some(Kind::Wrap));
                return;
            }
            Found::Later => &mut self.later,
            Found::Behind => &mut self.behind,
            Found::Broken => &mut self.broken,
            Found::Missing => &mut self.missing,
        };
        *count += 1;
        if !matches!(found, Found::Moved | Found::Lost) && self.named.len() < MAX_NAMED {
            self.named.push(key.to_owned());
        }
    }
}

impl Rotation<'_> {
    /// Opens every wrap of the compartment, and holds the keys of parts whose envelopes are there against the envelopes'
    /// commitments. Bodies are not read.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn verify(&self) -> Result<Verification> {
        self.walk_through(&Exempt::default()).await
    }

    pub(super) async fn walk_through(&self, exempt: &Exempt<'_>) -> Result<Verification> {
        let mut found = Verification::default();
        let mut pages = Pages::new(self.store, &*self.prefix, BATCH);
        while let Some(page) = pages.entries().await? {
            for (key, entry) in page {
                let Some(entry) = entry.transpose() else { continue };
                let wrap = entry.map_err(Error::from).and_then(|entry| StoredWrap::read(&key, &entry.value));
                let one = match wrap {
                    Ok(wrap) if exempt.lost.is(wrap.key_id()) => Found::Lost,
                    Ok(wrap) if wrap.key_id() == self.new.key_id() => match wrap.check(self.new, None) {
                        Ok(()) => Found::Moved,
                        Err(_) => Found::Broken,
                    },
                    Ok(wrap) if self.is_later(&wrap) => {
                        found.later(wrap.key_id());
                        Found::Later
                    }
                    Ok(_) => Found::Behind,
                    Err(_) => Found::Broken,
                };
                found.count(exempt, &key, &one);
            }
        }
        self.hold_against_envelopes(exempt, &mut found).await?;
        Ok(found)
    }

    async fn hold_against_envelopes(&self, exempt: &Exempt<'_>, found: &mut Verification) -> Result<()> {
        let prefix = Kind::Envelope.of_compartment(self.new.owner(), self.new.compartment());
        let (mut pages, mut by_key) = (Pages::new(self.store, prefix, BATCH), Verification::default());
        while let Some(page) = pages.entries().await? {
            let page = page.into_iter().filter_map(|(key, entry)| Some((key, entry.transpose()?)));
            self.hold(page, exempt, &mut by_key).await?;
        }
        // What of wraps is broken was counted before.
        by_key.broken = by_key.broken.saturating_add(found.broken);
        found.with(by_key);
        Ok(())
    }

    /// Holds these envelopes against their wraps, which are asked for by their keys, whether a listing showed them or not.
    pub(super) async fn hold(
        &self,
        page: impl Iterator<Item = (String, Result<Entry, StoreError>)>,
        exempt: &Exempt<'_>,
        found: &mut Verification,
    ) -> Result<()> {
        let (mut wraps, mut envelopes) = (Vec::new(), Vec::new());
        for (key, entry) in page {
            let envelope = entry.map_err(Error::from).and_then(|entry| StoredEnvelope::read(&entry.value));
            match envelope.and_then(|envelope| Ok((envelope.wrap_key(&key)?, envelope))) {
                Ok((wrap, envelope)) => {
                    wraps.push(wrap);
                    envelopes.push((key, envelope));
                }
                Err(_) => found.count(exempt, &key, &Found::Broken),
            }
        }
        let held = each(self.store, &wraps).await?;
        for ((wrap, (key, envelope)), entry) in wraps.iter().zip(envelopes).zip(held) {
            // What is damaged was counted before, as what does not open.
            let Ok(entry) = entry else { continue };
            let Some(entry) = entry else {
                if !self.is_replaced(&key, wrap).await? {
                    found.count(exempt, &key, &Found::Missing);
                }
                continue;
            };
            let Ok(stored) = StoredWrap::read(wrap, &entry.value) else { continue };
            if stored.key_id() == self.new.key_id() {
                let is_anothers =
                    stored.check(self.new, Some(&envelope)).is_err() && stored.check(self.new, None).is_ok();
                if is_anothers {
                    found.count(exempt, wrap, &Found::Broken);
                }
            } else if self.is_later(&stored) {
                found.later(stored.key_id());
                found.count(exempt, wrap, &Found::Later);
            } else if !exempt.lost.is(stored.key_id()) {
                found.count(exempt, wrap, &Found::Behind);
            }
        }
        Ok(())
    }

    /// Whether it lies under a key that is unknown here, and numbered as a later one.
    fn is_later(&self, wrap: &StoredWrap) -> bool {
        wrap.generation() > self.new.generation() && self.key(wrap.key_id()).is_none()
    }

    /// Whether the envelope names another wrap by now, or is gone.
    async fn is_replaced(&self, key: &str, wrap: &str) -> Result<bool> {
        let Some(Ok(entry)) = each(self.store, &[key.to_owned()]).await?.pop().and_then(Result::transpose) else {
            return Ok(true);
        };
        let named = StoredEnvelope::read(&entry.value).and_then(|held| held.wrap_key(key));
        Ok(named.is_ok_and(|named| named != wrap))
    }
}
