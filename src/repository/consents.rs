//! Consents in a store, and catching up after a restore.

use super::restored::{RESTORING, marker};
use super::{Put, Repository};
use crate::consent::{LiveConsent, StoredConsent};
use crate::error::{Error, Result};
use crate::id::{CompartmentId, Generation, OwnerId};
use crate::ledger::KeyState;
use crate::record::StoredWrap;
use crate::store::{Entry, Op, Outcome};

impl Repository<'_> {
    /// Writes a consent that was verified, and takes note of it in the ledger, if there is one.
    ///
    /// # Errors
    ///
    /// As [`Ledger::advance`](crate::ledger::Ledger::advance); what the ledger refuses is not written.
    pub async fn publish(&self, live: &LiveConsent, consent: &StoredConsent) -> Result<Put> {
        if consent.consent().hash()? != live.hash() {
            return Err(Error::ApiMisuse("the consent that was verified is another one"));
        }
        if let Some(ledger) = &self.ledger {
            ledger.admits(consent).await?;
        }
        let mut put = self.put_consent(consent).await?;
        if put == Put::Conflict {
            put = self.mend(consent).await?;
        }
        if let (Put::Done, Some(ledger)) = (put, &self.ledger) {
            ledger.advance(live, consent).await?;
        }
        Ok(put)
    }

    /// Writes a consent, if the store has none in its place. Where two were made of one version before, an owner's and her
    /// custodian's, each has its own.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn put_consent(&self, consent: &StoredConsent) -> Result<Put> {
        let [key, old_form] = keys(consent);
        if self.is_destroyed(consent).await? {
            return Ok(Put::Outdated);
        }
        let value = consent.to_cbor()?;
        if self.entry(&old_form).await?.is_some_and(|held| held.value == value) {
            return Ok(Put::Done);
        }
        let put = self.commit(key.clone(), value.clone()).await?;
        // Once more: the key may have been destroyed meanwhile, with the consents that were there.
        if put == Put::Done && self.is_destroyed(consent).await? {
            if let Some(Entry { tag, .. }) = self.entry(&key).await?.filter(|held| held.value == value) {
                self.store.apply(vec![Op::Delete { key, tag }]).await?;
            }
            return Ok(Put::Outdated);
        }
        Ok(put)
    }

    async fn is_destroyed(&self, consent: &StoredConsent) -> Result<bool> {
        let statement = consent.consent().unverified();
        let Some(ledger) = &self.ledger else { return Ok(false) };
        let state = ledger.state(&statement.owner, &statement.compartment, statement.generation).await?;
        Ok(state == KeyState::Destroyed)
    }

    /// Writes a verified consent over what is in its place, if that is the same consent damaged, or none at all.
    async fn mend(&self, consent: &StoredConsent) -> Result<Put> {
        let [key, _] = keys(consent);
        let Some(Entry { tag, value }) = self.entry(&key).await? else { return Ok(Put::Conflict) };
        match StoredConsent::from_cbor(&value) {
            Ok(held) if held.consent() != consent.consent() => Ok(Put::Conflict),
            _ => self.exchange(key, tag, consent.to_cbor()?).await,
        }
    }

    /// The consents of a compartment after this one, a hundred at most, the earliest first: in the order in which readers
    /// take one for later than another, by the device list that they were signed under, what the owner signed last, and the
    /// version. Where several give one compartment key, the last of them alone: who was left out of that one, and never
    /// opened the ones before, is not helped to.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if what is stored is no consent, or one of another place; [`Error::Rollback`] if the ledger knows
    /// a later consent than the store has, if the store came out of a backup and has not caught up, or if one of those that
    /// are stored gives a destroyed key; [`Error::Store`].
    pub async fn consents(
        &self,
        owner: &OwnerId,
        compartment: &CompartmentId,
        after: Option<&StoredConsent>,
    ) -> Result<Vec<StoredConsent>> {
        if self.is_behind(owner, compartment).await? {
            return Err(Error::Rollback("consent"));
        }
        let mut page = self.stored_consents(owner, compartment, after).await?;
        loop {
            let Some(last) = page.last() else { return Ok(page) };
            let next = self.stored_consents(owner, compartment, Some(last)).await?;
            let followers = page.iter().skip(1).chain(next.first());
            let same = |one: &StoredConsent, two: &StoredConsent| {
                one.consent().unverified().has_key_with(two.consent().unverified())
            };
            let superseded: Vec<bool> = page.iter().zip(followers).map(|(one, next)| same(one, next)).collect();
            let mut latest = Vec::new();
            for (at, consent) in page.into_iter().enumerate() {
                if superseded.get(at) == Some(&true) {
                    continue;
                }
                if self.is_destroyed(&consent).await? {
                    return Err(Error::Rollback("consent"));
                }
                latest.push(consent);
            }
            if !latest.is_empty() {
                return Ok(latest);
            }
            page = next;
        }
    }

    /// What the store has of the consents to a compartment, as [`Repository::consents`], whether it is behind or not: for
    /// catching up.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if what is stored is no consent, or one of another place; [`Error::Store`].
    pub async fn stored_consents(
        &self,
        owner: &OwnerId,
        compartment: &CompartmentId,
        after: Option<&StoredConsent>,
    ) -> Result<Vec<StoredConsent>> {
        let prefix = consents(owner, compartment);
        let mut last = match after {
            None => String::new(),
            Some(after) => {
                let [key, old_form] = keys(after);
                let held = self.entry(&old_form).await?;
                if held.is_some_and(|held| StoredConsent::from_cbor(&held.value).as_ref() == Ok(after)) {
                    old_form
                } else {
                    key
                }
            }
        };
        loop {
            let page = self.store.keys(&prefix, &last, 100).await?;
            let Some(end) = page.last() else { return Ok(Vec::new()) };
            last.clone_from(end);
            let mut found = Vec::new();
            for (key, entry) in page.iter().zip(self.store.get(&page).await?) {
                let Some(entry) = entry else { continue };
                let consent = StoredConsent::from_cbor(&entry.value)?;
                // One that was copied elsewhere would pass for another.
                if !keys(&consent).contains(key) {
                    return Err(Error::Malformed("consent"));
                }
                found.push(consent);
            }
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }

    /// The compartments with consents in the store, in the order of their keys, from the one after `after` on; of one
    /// owner, if one is named. A hundred at most. Keys that no compartment has are passed over.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn compartments(
        &self,
        owner: Option<&OwnerId>,
        after: Option<&(OwnerId, CompartmentId)>,
    ) -> Result<Vec<(OwnerId, CompartmentId)>> {
        let prefix = owner.map_or_else(|| "consent~".to_owned(), |owner| format!("consent~{owner}~"));
        // Behind every key of the compartment that a consent can have.
        let behind = |(owner, compartment): &(OwnerId, CompartmentId)| format!("{}~", consents(owner, compartment));
        let mut last = after.map(behind).unwrap_or_default();
        let mut found = Vec::new();
        while found.len() < 100 {
            let Some(key) = self.store.keys(&prefix, &last, 1).await?.pop() else {
                break;
            };
            let mut names = key.split('~').skip(1);
            let place = match (names.next().map(OwnerId::new), names.next().map(CompartmentId::new), names.next()) {
                (Some(Ok(owner)), Some(Ok(compartment)), Some(_)) => (owner, compartment),
                _ => {
                    last = key;
                    continue;
                }
            };
            // Never back, whatever follows the names.
            last = behind(&place).max(key);
            if found.last() != Some(&place) && after != Some(&place) {
                found.push(place);
            }
        }
        Ok(found)
    }

    /// The compartments that have to catch up after a restore: the ledger knows more of them than the store, or their
    /// records may lie under older keys than before. Of each, [`Repository::catch_up`]; then rotate to the key of the newest
    /// consent, after which a compartment is listed no more, and retire the older ones.
    ///
    /// Owners who were erased are [`Ledger::erased`](crate::ledger::Ledger::erased)'s.
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
                if !ledger.is_erased(&owner).await? && self.is_behind(&owner, &compartment).await? {
                    behind.push((owner, compartment));
                }
            }
        }
    }

    /// Writes the newest consent to a compartment into the store again, as the ledger has it, over anything else in its
    /// place. If it brings a later key than the consents that are there, the compartment stays behind until a rotation to
    /// that key is finished.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] without a ledger; [`Error::Rollback`] if the owner was erased; [`Error::Malformed`] if others keep
    /// changing it; [`Error::Store`].
    pub async fn catch_up(&self, owner: &OwnerId, compartment: &CompartmentId) -> Result<Option<StoredConsent>> {
        let Some(newest) = self.ledger.ok_or(NO_LEDGER)?.newest(owner, compartment).await? else {
            return Ok(None);
        };
        // First: the records have to follow, whatever comes in between.
        if !self.has(&newest).await? && self.has_another_key(&newest).await? {
            self.mark(owner, compartment, newest.consent().unverified().generation).await?;
        }
        for _ in 0..MOST_TRIES {
            match self.put_consent(&newest).await? {
                Put::Done => return Ok(Some(newest)),
                Put::Outdated => return Err(Error::Rollback("consent")),
                Put::Conflict => {
                    let [key, _] = keys(&newest);
                    if let Some(Entry { tag, .. }) = self.entry(&key).await?
                        && self.exchange(key, tag, newest.to_cbor()?).await? == Put::Done
                    {
                        return Ok(Some(newest));
                    }
                }
            }
        }
        Err(Error::Malformed("consent"))
    }

    /// Whether records may lie under another key than this consent's, by the consents that are there.
    async fn has_another_key(&self, consent: &StoredConsent) -> Result<bool> {
        let statement = consent.consent().unverified();
        let (mut known, mut last) = (false, None::<StoredConsent>);
        loop {
            let page = match self.stored_consents(&statement.owner, &statement.compartment, last.as_ref()).await {
                Ok(page) => page,
                Err(Error::Malformed(_) | Error::UnknownVersion(_) | Error::TooLarge(_)) => return Ok(true),
                Err(error) => return Err(error),
            };
            if page.iter().any(|held| !held.consent().unverified().has_key_with(statement)) {
                return Ok(true);
            }
            match page.into_iter().last() {
                Some(end) => (known, last) = (true, Some(end)),
                None => break,
            }
        }
        // Records without any consent: nobody knows of which key.
        let wraps = StoredWrap::prefix(&statement.owner, &statement.compartment);
        Ok(!known && !self.store.keys(&wraps, "", 1).await?.is_empty())
    }

    /// Whether the store has this very consent.
    async fn has(&self, consent: &StoredConsent) -> Result<bool> {
        let held = self.store.get(&keys(consent)).await?;
        Ok(held.into_iter().flatten().any(|held| StoredConsent::from_cbor(&held.value).as_ref() == Ok(consent)))
    }

    /// Whether the store came out of a backup and lacks what the ledger knows of the compartment, or may hold records under
    /// older keys than before.
    pub(super) async fn lags(&self, owner: &OwnerId, compartment: &CompartmentId) -> Result<bool> {
        let Some(ledger) = &self.ledger else {
            return Ok(false);
        };
        let held = self.store.get(&[RESTORING.to_owned(), marker(owner, compartment)]).await?;
        if held.iter().any(Option::is_some) {
            return Ok(true);
        }
        match ledger.newest(owner, compartment).await? {
            Some(newest) => Ok(!self.has(&newest).await?),
            None => ledger.is_erased(owner).await,
        }
    }

    async fn is_behind(&self, owner: &OwnerId, compartment: &CompartmentId) -> Result<bool> {
        if self.lags(owner, compartment).await? {
            return Ok(true);
        }
        match self.stored_consents(owner, compartment, None).await {
            Ok(stored) => match stored.first() {
                Some(first) => self.is_destroyed(first).await,
                None => Ok(false),
            },
            // Read them, and the error says so.
            Err(Error::Malformed(_) | Error::UnknownVersion(_) | Error::TooLarge(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Deletes the consents that give an earlier key than `before`, and gives their number. What is no consent stays.
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
            let page = self.store.keys(&prefix, &after, page).await?;
            let Some(last) = page.last() else { return Ok(deleted) };
            let mut ops = Vec::new();
            for (key, entry) in page.iter().zip(self.store.get(&page).await?) {
                let Some(Entry { tag, value }) = entry else { continue };
                let consent = StoredConsent::from_cbor(&value);
                if consent.is_ok_and(|consent| consent.consent().unverified().generation < before) {
                    ops.push(Op::Delete { key: key.clone(), tag });
                }
            }
            let outcomes = if ops.is_empty() { Vec::new() } else { self.store.apply(ops).await? };
            deleted += outcomes.iter().filter(|outcome| **outcome == Outcome::Deleted).count() as u64;
            // What was changed meanwhile is read again.
            if !outcomes.contains(&Outcome::Conflict) {
                after.clone_from(last);
            }
        }
    }
}

fn consents(owner: &OwnerId, compartment: &CompartmentId) -> String {
    format!("consent~{owner}~{compartment}~")
}

/// A consent's key, by its place among all to the compartment; and the one that it had before there were two branches,
/// which is read, and is before all others in the order of keys.
fn keys(consent: &StoredConsent) -> [String; 2] {
    let statement = consent.consent().unverified();
    let prefix = consents(&statement.owner, &statement.compartment);
    let place = consent.place();
    let (under, base, version) = (place.under.0, place.base.0, place.version.0);
    [format!("{prefix}p{under:020}.{base:020}.{version:020}"), format!("{prefix}{version:020}")]
}

const NO_LEDGER: Error = Error::ApiMisuse("there is no ledger");
/// How often a consent that others keep replacing is written again.
const MOST_TRIES: usize = 16;
