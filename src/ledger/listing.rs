//! What lies in a ledger. What is none of its entries is passed over, and named.

use super::known::Known;
use super::{ERASED, Ledger, PREFIX, entry, erased, key};
use crate::error::Result;
use crate::id::{CompartmentId, OwnerId};
use crate::store::Pages;

/// The compartments that a ledger knows, page by page.
pub(crate) struct CompartmentPages<'a> {
    ledger: Ledger<'a>,
    last: Option<(OwnerId, CompartmentId)>,
}

impl CompartmentPages<'_> {
    /// The next ones; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<(OwnerId, CompartmentId)>>> {
        let last = self.last.as_ref().map(|(owner, compartment)| (owner, compartment));
        let page = self.ledger.compartments(last).await?;
        let Some(end) = page.last() else { return Ok(None) };
        self.last = Some(end.clone());
        Ok(Some(page))
    }
}

impl<'a> Ledger<'a> {
    /// All compartments that are known.
    pub(crate) fn compartment_pages(&self) -> CompartmentPages<'a> {
        CompartmentPages { ledger: *self, last: None }
    }

    /// The compartments that are known, from the one after `after` on, a hundred at most; none at the end. Keys that are none
    /// of the ledger's are passed over ([`Ledger::damaged`]).
    ///
    /// # Errors
    ///
    /// [`Error::Store`](crate::Error::Store).
    pub async fn compartments(
        &self,
        after: Option<(&OwnerId, &CompartmentId)>,
    ) -> Result<Vec<(OwnerId, CompartmentId)>> {
        let after = after.map(|(owner, compartment)| key(owner, compartment)).unwrap_or_default();
        self.page(PREFIX, after, compartment_of).await
    }

    /// Owners who were erased, from the one after `after` on, a hundred at most; none at the end. Keys that are none of the
    /// ledger's are passed over ([`Ledger::damaged`]).
    ///
    /// # Errors
    ///
    /// [`Error::Store`](crate::Error::Store).
    pub async fn erased(&self, after: Option<&OwnerId>) -> Result<Vec<OwnerId>> {
        self.page(ERASED, after.map(erased).unwrap_or_default(), erased_in).await
    }

    /// The keys of what lies in the ledger's store and is none of its entries, or is damaged. An owner whose note is damaged
    /// counts as erased all the same.
    ///
    /// # Errors
    ///
    /// [`Error::Store`](crate::Error::Store).
    pub async fn damaged(&self) -> Result<Vec<String>> {
        let (mut damaged, mut pages) = (Vec::new(), Pages::new(self.store, "", PAGE));
        while let Some(page) = pages.entries().await? {
            for (key, held) in page {
                let whole = match held {
                    Ok(None) => true,
                    Ok(Some(held)) => self.is_whole(&key, &held.value),
                    Err(_) => false,
                };
                if !whole {
                    damaged.push(key);
                }
            }
        }
        self.is_there().await?;
        Ok(damaged)
    }

    fn is_whole(&self, key: &str, value: &[u8]) -> bool {
        if compartment_of(key).is_some() {
            return Known::decode(key, value).and_then(|known| known.check()).is_ok();
        }
        if erased_in(key).is_some() {
            return entry::opened(key, value).is_ok_and(|note| note.rest().is_empty());
        }
        self.is_identity(key, value)
    }

    async fn page<T>(&self, prefix: &str, after: String, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>> {
        let mut pages = Pages::new(self.store, prefix, PAGE).after(after);
        while let Some(page) = pages.keys().await? {
            let found: Vec<T> = page.iter().filter_map(|key| read(key)).collect();
            if !found.is_empty() {
                // It may be another one's.
                self.is_there().await?;
                return Ok(found);
            }
        }
        self.is_there().await?;
        Ok(Vec::new())
    }
}

fn compartment_of(key: &str) -> Option<(OwnerId, CompartmentId)> {
    let (owner, compartment) = key.strip_prefix(PREFIX)?.split_once('/')?;
    Some((OwnerId::new(owner).ok()?, CompartmentId::new(compartment).ok()?))
}

fn erased_in(key: &str) -> Option<OwnerId> {
    OwnerId::new(key.strip_prefix(ERASED)?).ok()
}

/// Keys that are listed at a time.
const PAGE: usize = 100;
