//! What lies in a store of consents. What is none is passed over, and named.

use super::key_of;
use crate::consent::StoredConsent;
use crate::error::Result;
use crate::id::{CompartmentId, OwnerId};
use crate::repository::Repository;
use crate::store::space::{self, Kind};
use crate::store::{Entry, Pages, Store};

/// The consents to a compartment that the store has and that can be read, page by page.
pub(crate) struct ConsentPages<'a>(Pages<'a>);

impl ConsentPages<'_> {
    /// The next ones, the earliest first; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<StoredConsent>>> {
        while let Some(page) = self.0.entries().await? {
            let read = page.iter().filter_map(|(key, entry)| consent_at(key, entry.as_ref().ok()?.as_ref()?));
            let found: Vec<StoredConsent> = read.collect();
            if !found.is_empty() {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

impl<'a> Repository<'a> {
    /// What the store has of the consents to a compartment, as [`Repository::consents`], whether it is behind or not: for
    /// catching up.
    ///
    /// # Errors
    ///
    /// [`Error::Store`](crate::Error::Store).
    pub async fn stored_consents(
        &self,
        owner: &OwnerId,
        compartment: &CompartmentId,
        after: Option<&StoredConsent>,
    ) -> Result<Vec<StoredConsent>> {
        let pages = entries(self.store, owner, compartment).after(after.map(key_of).unwrap_or_default());
        Ok(ConsentPages(pages).next().await?.unwrap_or_default())
    }

    /// All consents to a compartment that the store has and that can be read, the earliest first.
    pub(crate) fn consent_pages(&self, owner: &OwnerId, compartment: &CompartmentId) -> ConsentPages<'a> {
        ConsentPages(entries(self.store, owner, compartment))
    }

    /// The keys of what lies among a compartment's consents and is none, or one of another place.
    ///
    /// # Errors
    ///
    /// [`Error::Store`](crate::Error::Store).
    pub async fn damaged_consents(&self, owner: &OwnerId, compartment: &CompartmentId) -> Result<Vec<String>> {
        let (mut pages, mut damaged) = (entries(self.store, owner, compartment), Vec::new());
        while let Some(page) = pages.entries().await? {
            for (key, entry) in page {
                if entry.map_or(true, |entry| entry.is_some_and(|entry| consent_at(&key, &entry).is_none())) {
                    damaged.push(key);
                }
            }
        }
        Ok(damaged)
    }

    /// The compartments with consents in the store, in the order of their keys, from the one after `after` on; of one
    /// owner, if one is named. A hundred at most. Keys that no compartment has are passed over.
    ///
    /// # Errors
    ///
    /// [`Error::Store`](crate::Error::Store).
    pub async fn compartments(
        &self,
        owner: Option<&OwnerId>,
        after: Option<&(OwnerId, CompartmentId)>,
    ) -> Result<Vec<(OwnerId, CompartmentId)>> {
        let prefix = owner.map_or_else(|| Kind::Consent.prefix(), |owner| Kind::Consent.of_owner(owner));
        // Behind every key of the compartment that a consent can have.
        let behind = |(owner, compartment): &(OwnerId, CompartmentId)| {
            format!("{}:", Kind::Consent.of_compartment(owner, compartment))
        };
        let mut last = after.map(behind).unwrap_or_default();
        let mut found = Vec::new();
        while found.len() < 100 {
            let Some(key) = self.store.keys(&prefix, &last, 1).await?.pop() else {
                break;
            };
            let Some(place) = space::compartment_of(&key).filter(|_| key.split('/').count() == 4) else {
                last = key;
                continue;
            };
            // Never back, whatever follows the names.
            last = behind(&place).max(key);
            if found.last() != Some(&place) && after != Some(&place) {
                found.push(place);
            }
        }
        Ok(found)
    }
}

fn entries<'a>(store: &'a dyn Store, owner: &OwnerId, compartment: &CompartmentId) -> Pages<'a> {
    Pages::new(store, Kind::Consent.of_compartment(owner, compartment), PAGE)
}

/// What lies under a key, if it is a consent, and this is its place: one that was copied elsewhere would pass for another.
pub(super) fn consent_at(key: &str, entry: &Entry) -> Option<StoredConsent> {
    StoredConsent::from_cbor(&entry.value).ok().filter(|consent| key_of(consent) == key)
}

/// Consents in a page.
const PAGE: usize = 100;
