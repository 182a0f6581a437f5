//! Consents in a store, and catching up after a restore.

use super::{Put, Repository};
use crate::consent::{LiveConsent, StoredConsent};
use crate::error::{Error, Result};
use crate::id::{CompartmentId, Generation, OwnerId, Version};
use crate::ledger::KeyState;
use crate::store::{Entry, Op};

impl Repository<'_> {
    /// Writes a consent that was verified, and takes note of it in the ledger, if there is one.
    ///
    /// # Errors
    ///
    /// As [`Ledger::advance`](crate::ledger::Ledger::advance).
    pub async fn publish(&self, live: &LiveConsent, consent: &StoredConsent) -> Result<Put> {
        if consent.consent().hash()? != live.hash() {
            return Err(Error::ApiMisuse("the consent that was verified is another one"));
        }
        let put = self.put_consent(consent).await?;
        if let (Put::Done, Some(ledger)) = (put, &self.ledger) {
            ledger.advance(live, consent).await?;
        }
        Ok(put)
    }

    /// Writes a consent, if the store has none of its version.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn put_consent(&self, consent: &StoredConsent) -> Result<Put> {
        let statement = consent.consent().unverified();
        if let Some(ledger) = &self.ledger {
            let state = ledger.state(&statement.owner, &statement.compartment, statement.generation).await?;
            if state == KeyState::Destroyed {
                return Ok(Put::Outdated);
            }
        }
        let key = format!("{}{:020}", consents(&statement.owner, &statement.compartment), statement.version.0);
        self.commit(key, consent.to_cbor()?).await
    }

    /// The consents of a compartment with a version above `after`, a hundred at most, the earliest first.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if what is stored is no consent; [`Error::Rollback`] if the ledger knows a later consent than
    /// the store has, or one of those that are stored gives a destroyed key: they came out of a backup; [`Error::Store`].
    pub async fn consents(
        &self,
        owner: &OwnerId,
        compartment: &CompartmentId,
        after: Version,
    ) -> Result<Vec<StoredConsent>> {
        if self.is_behind(owner, compartment).await? {
            return Err(Error::Rollback("consent"));
        }
        self.stored_consents(owner, compartment, after).await
    }

    /// What the store has of the consents to a compartment, as [`Repository::consents`], whether it is behind or not: for
    /// catching up.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if what is stored is no consent; [`Error::Store`].
    pub async fn stored_consents(
        &self,
        owner: &OwnerId,
        compartment: &CompartmentId,
        after: Version,
    ) -> Result<Vec<StoredConsent>> {
        let prefix = consents(owner, compartment);
        let keys = self.store.keys(&prefix, &format!("{prefix}{:020}", after.0), 100).await?;
        let entries = self.store.get(&keys).await?;
        entries.into_iter().flatten().map(|entry| StoredConsent::from_cbor(&entry.value)).collect()
    }

    /// The compartments with consents in the store, in the order of their keys, from the one after `after` on; of one
    /// owner, if one is named. A hundred at most.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if a key is none of a consent; [`Error::Store`].
    pub async fn compartments(
        &self,
        owner: Option<&OwnerId>,
        after: Option<&(OwnerId, CompartmentId)>,
    ) -> Result<Vec<(OwnerId, CompartmentId)>> {
        let prefix = owner.map_or_else(|| "consent~".to_owned(), |owner| format!("consent~{owner}~"));
        // No digit follows a `:`, so that this is behind every version.
        let behind = |(owner, compartment): &(OwnerId, CompartmentId)| format!("{}:", consents(owner, compartment));
        let mut after = after.map(behind).unwrap_or_default();
        let mut found = Vec::new();
        while found.len() < 100 {
            let Some(key) = self.store.keys(&prefix, &after, 1).await?.pop() else {
                break;
            };
            let mut names = key.split('~').skip(1);
            let (Some(owner), Some(compartment)) = (names.next(), names.next()) else {
                return Err(Error::Malformed("consent"));
            };
            let place = (OwnerId::new(owner)?, CompartmentId::new(compartment)?);
            after = behind(&place);
            found.push(place);
        }
        Ok(found)
    }

    /// The compartments that the ledger knows more of than the store: after a restore, those that have to catch up. Of each
    /// the newest consent is [`Repository::catch_up`]'s; then rotate to its key, and retire the older ones.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] without a ledger; [`Error::Store`].
    pub async fn behind(&self) -> Result<Vec<(OwnerId, CompartmentId)>> {
        let ledger = self.ledger.ok_or(NO_LEDGER)?;
        let (mut behind, mut last) = (Vec::new(), None::<(OwnerId, CompartmentId)>);
        loop {
            let page = ledger.compartments(last.as_ref().map(|(owner, compartment)| (owner, compartment))).await?;
            let Some(end) = page.last() else { return Ok(behind) };
            last = Some(end.clone());
            for (owner, compartment) in page {
                if self.is_behind(&owner, &compartment).await? {
                    behind.push((owner, compartment));
                }
            }
        }
    }

    /// Writes the newest consent to a compartment into the store again, as the ledger has it.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] without a ledger; [`Error::Store`].
    pub async fn catch_up(&self, owner: &OwnerId, compartment: &CompartmentId) -> Result<Option<StoredConsent>> {
        let Some(newest) = self.ledger.ok_or(NO_LEDGER)?.newest(owner, compartment).await? else {
            return Ok(None);
        };
        self.put_consent(&newest).await?;
        Ok(Some(newest))
    }

    async fn is_behind(&self, owner: &OwnerId, compartment: &CompartmentId) -> Result<bool> {
        let Some(ledger) = &self.ledger else {
            return Ok(false);
        };
        let Some(newest) = ledger.newest(owner, compartment).await? else {
            return ledger.is_erased(owner).await;
        };
        let version = newest.consent().unverified().version;
        let prefix = consents(owner, compartment);
        let held = self.entry(&format!("{prefix}{:020}", version.0)).await?;
        if held.is_none_or(|held| StoredConsent::from_cbor(&held.value) != Ok(newest)) {
            return Ok(true);
        }
        let stored = self.stored_consents(owner, compartment, Version(0)).await?;
        let Some(generation) = stored.first().map(|first| first.consent().unverified().generation) else {
            return Ok(false);
        };
        Ok(ledger.state(owner, compartment, generation).await? == KeyState::Destroyed)
    }

    /// Deletes the consents that give an earlier key than `before`, and gives their number.
    pub(crate) async fn delete_consents(
        &self,
        owner: &OwnerId,
        compartment: &CompartmentId,
        before: Generation,
        page: usize,
    ) -> Result<u64> {
        let prefix = consents(owner, compartment);
        let (mut deleted, mut after) = (0, String::new());
        loop {
            let keys = self.store.keys(&prefix, &after, page).await?;
            let Some(last) = keys.last() else { return Ok(deleted) };
            after.clone_from(last);
            let mut ops = Vec::new();
            for (key, entry) in keys.iter().zip(self.store.get(&keys).await?) {
                let Some(Entry { tag, value }) = entry else { continue };
                if StoredConsent::from_cbor(&value)?.consent().unverified().generation < before {
                    ops.push(Op::Delete { key: key.clone(), tag });
                    deleted += 1;
                }
            }
            if !ops.is_empty() {
                self.store.apply(ops).await?;
            }
        }
    }
}

fn consents(owner: &OwnerId, compartment: &CompartmentId) -> String {
    format!("consent~{owner}~{compartment}~")
}

const NO_LEDGER: Error = Error::ApiMisuse("there is no ledger");
