//! Consents in a store, and catching up after a restore.

mod listing;

use std::collections::BTreeSet;

use super::{MOST_TRIES, Put, Repository};
use crate::consent::{Access, StoredConsent};
use crate::error::{Error, Result};
use crate::id::{CompartmentId, KeyId, OwnerId};
use crate::ledger::{KeyState, Ledger, Standing};
use crate::pin::Place;
use crate::record::StoredWrap;
use crate::store::space::{self, Kind};
use crate::store::{Entry, Op, Outcome, Pages, StoreError, apply_all, each, is_there, scan_each};
use listing::consent_at;

impl Repository<'_> {
    /// Writes a consent, if the store has none in its place. Where two were made of one version before, an owner's and her
    /// custodian's, each has its own.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn put_consent(&self, consent: &StoredConsent) -> Result<Put> {
        if self.is_destroyed(consent).await? {
            // Of an owner who was erased, an earlier try may have written it. Otherwise it is a restore's, and needed.
            if let Some(ledger) = &self.ledger
                && ledger.is_erased(&consent.consent().unverified().owner).await?
            {
                self.delete_destroyed(consent).await?;
            }
            return Ok(Put::Outdated);
        }
        // A store that came out of a backup, or that one comes into, does not catch up by a consent alone: the records have
        // to follow. So it is closed before it looks as if it had, and opened if there is nothing to follow.
        let lacking = self.lacking(consent).await?;
        if let Some(newest) = &lacking {
            let statement = newest.consent().unverified();
            self.mark_stale(&statement.owner, &statement.compartment).await?;
        }
        let put = self.put_in_its_place(consent).await?;
        if let Some(newest) = &lacking
            && let statement = newest.consent().unverified()
            && let place = (&statement.owner, &statement.compartment)
            && !(self.is_restoring().await? || self.has_other_wraps(place, statement.key_id()).await?)
        {
            self.unmark_stale(&statement.owner, &statement.compartment).await?;
        }
        if put == Put::Done { self.done_unless_destroyed(consent).await } else { Ok(put) }
    }

    /// Once a consent is written: its key may have been destroyed meanwhile, with the consents that were there.
    async fn done_unless_destroyed(&self, consent: &StoredConsent) -> Result<Put> {
        if !self.is_destroyed(consent).await? {
            return Ok(Put::Done);
        }
        self.delete_destroyed(consent).await?;
        Ok(Put::Outdated)
    }

    async fn put_in_its_place(&self, consent: &StoredConsent) -> Result<Put> {
        self.commit(key_of(consent), consent.to_cbor()?).await
    }

    async fn delete_destroyed(&self, consent: &StoredConsent) -> Result<()> {
        let (key, value) = (key_of(consent), consent.to_cbor()?);
        if let Some(Entry { tag, .. }) = self.entry(&key).await?.filter(|held| held.value == value) {
            self.store.apply(vec![Op::Delete { key, tag }]).await?;
        }
        Ok(())
    }

    /// The newest consent to the compartment that the ledger knows, if the store lacks it, or is closed for having lacked it:
    /// who wrote it may have died before he opened.
    async fn lacking(&self, consent: &StoredConsent) -> Result<Option<StoredConsent>> {
        let Some(ledger) = &self.ledger else { return Ok(None) };
        let statement = consent.consent().unverified();
        let mut newest = ledger.newest(&statement.owner, &statement.compartment).await?;
        loop {
            let Some(known) = newest else { return Ok(None) };
            if self.has_caught_up(&known).await? {
                return Ok(None);
            }
            // A retirement may have deleted it, after a later one came.
            newest = ledger.newest(&statement.owner, &statement.compartment).await?;
            if newest.as_ref() == Some(&known) {
                return Ok(newest);
            }
        }
    }

    async fn is_destroyed(&self, consent: &StoredConsent) -> Result<bool> {
        let statement = consent.consent().unverified();
        let Some(ledger) = &self.ledger else { return Ok(false) };
        let state = ledger.state(&statement.owner, &statement.compartment, statement.key_id()).await?;
        Ok(state == KeyState::Destroyed)
    }

    /// Writes a verified consent over what is in its place, if that is the same consent damaged, or none at all.
    pub(super) async fn mend(&self, consent: &StoredConsent) -> Result<Put> {
        let key = key_of(consent);
        let Some(Entry { tag, value }) = self.entry(&key).await? else { return Ok(Put::Conflict) };
        // The signature may be what is damaged.
        match StoredConsent::from_cbor(&value) {
            Ok(held) if held.consent().unverified() != consent.consent().unverified() => Ok(Put::Conflict),
            _ => self.exchange(key, tag, consent.to_cbor()?).await,
        }
    }

    /// The consents of a compartment after this one, a hundred at most, the earliest first: in the order in which readers
    /// take one for later than another, by the device list that they were signed under, what the owner signed last, and
    /// the version. What cannot be read is passed over ([`Repository::damaged_consents`]). With a ledger, those that give
    /// a destroyed key are left out, and earlier ones that give the key of the newest: who is not let in by that one, and
    /// never opened those, is not helped to.
    ///
    /// # Errors
    ///
    /// [`Error::Rollback`] if the ledger knows a later consent than the store has, or if the store came out of a backup
    /// and has not caught up; [`Error::Store`].
    pub async fn consents(
        &self,
        owner: &OwnerId,
        compartment: &CompartmentId,
        after: Option<&StoredConsent>,
    ) -> Result<Vec<StoredConsent>> {
        let Some(ledger) = &self.ledger else {
            return self.stored_consents(owner, compartment, after).await;
        };
        let (standing, true) = self.is_current(ledger, owner, compartment).await? else {
            return Err(Error::Rollback("consent"));
        };
        let mut last = after.cloned();
        loop {
            let page = self.stored_consents(owner, compartment, last.as_ref()).await?;
            let Some(end) = page.last() else { return Ok(page) };
            last = Some(end.clone());
            let mut served = Vec::new();
            for consent in page {
                let key = consent.consent().unverified().key_id();
                let superseded = match &standing {
                    Standing::Known { newest, .. } => newest.key == key && consent.place() < newest.place,
                    Standing::Unknown | Standing::Erased => false,
                };
                if !superseded && standing.state(key) != KeyState::Destroyed {
                    served.push(consent);
                }
            }
            if !served.is_empty() {
                return Ok(served);
            }
        }
    }

    /// The compartments that have to catch up after a restore: the ledger knows more of them than the store, or their
    /// records lie under older keys than the newest consent's, or it keeps a consent that the store could not be made to
    /// hold. Of each, [`Repository::catch_up`]; then rotate to the key of the newest consent and retire the older ones,
    /// after which a compartment is listed no more. One whose entry in the ledger is damaged is listed, too;
    /// [`Repository::catch_up`] says so.
    ///
    /// Owners who were erased are [`Ledger::erased`](crate::ledger::Ledger::erased)'s.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] without a ledger; [`Error::Store`].
    pub async fn behind(&self) -> Result<Vec<(OwnerId, CompartmentId)>> {
        let ledger = self.ledger.ok_or(NO_LEDGER)?;
        let (mut behind, mut pages) = (Vec::new(), ledger.compartment_pages());
        while let Some(page) = pages.next().await? {
            for (owner, compartment) in page {
                // What the ledger knew of one may be damaged: that is one to see to, and hides no other.
                let is_behind = match self.is_behind(&ledger, &owner, &compartment).await {
                    Err(error) if error.is_damage() => true,
                    is_behind => is_behind?,
                };
                if is_behind {
                    behind.push((owner, compartment));
                }
            }
        }
        Ok(behind)
    }

    /// Writes the newest consent to a compartment into the store again, as the ledger has it, over anything else in its
    /// place; and those before it that the ledger keeps, since the store could not be made to hold them when a later one
    /// came. If records lie under earlier keys, the compartment stays closed until they are moved and these keys retired.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] without a ledger; [`Error::Rollback`] if the owner was erased; [`Error::Malformed`] with
    /// `"ledger"` or `"consent"` if the entry in the ledger is damaged; [`Error::Store`]: do it again then.
    pub async fn catch_up(&self, owner: &OwnerId, compartment: &CompartmentId) -> Result<Option<StoredConsent>> {
        let ledger = self.ledger.ok_or(NO_LEDGER)?;
        self.standings(&ledger, owner, &[compartment]).await?;
        let Some((newest, kept)) = ledger.newest_and_kept(owner, compartment).await? else { return Ok(None) };
        if self.put_over(&newest).await? == Put::Outdated {
            return Err(Error::Rollback("consent"));
        }
        self.take_kept(&ledger, &kept).await?;
        Ok(Some(newest))
    }

    /// Writes the consents that the ledger keeps for this store, as far as their places can be written again.
    async fn take_kept(&self, ledger: &Ledger<'_>, kept: &[StoredConsent]) -> Result<()> {
        for kept in kept {
            match self.put_over(kept).await {
                Err(error) if error.is_damage() => {}
                // What is destroyed meanwhile is needed no more.
                put => {
                    let _done_or_outdated = put?;
                    ledger.give_back(kept).await?;
                }
            }
        }
        Ok(())
    }

    /// Writes a consent that the ledger goes by, if it is not there, over anything else in its place.
    async fn put_over(&self, consent: &StoredConsent) -> Result<Put> {
        for _ in 0..MOST_TRIES {
            match self.put_consent(consent).await? {
                Put::Conflict => {
                    let key = key_of(consent);
                    if let Some(Entry { tag, .. }) = self.entry(&key).await?
                        && self.exchange(key, tag, consent.to_cbor()?).await? == Put::Done
                    {
                        return self.done_unless_destroyed(consent).await;
                    }
                }
                put => return Ok(put),
            }
        }
        Err(StoreError::busy("others are writing the same consent all the while").into())
    }

    /// Has the store keep the newest consent that the ledger knows, which is about to forget it for a later one: what lies
    /// under its key could be opened by nobody any more.
    pub(super) async fn keep_newest(&self, ledger: &Ledger<'_>, newest: &StoredConsent) -> Result<()> {
        let there = match self.is_as_known(newest).await {
            // What is destroyed meanwhile is needed no more.
            Ok(false) => self.put_over(newest).await.map(drop),
            known => known.map(drop),
        };
        match there {
            // One bad place holds up nothing that is new: the ledger keeps it until the store takes it again.
            Err(error) if error.is_damage() => ledger.keep(newest, &error).await,
            there => there,
        }
    }

    async fn is_as_known(&self, consent: &StoredConsent) -> Result<bool> {
        let value = consent.to_cbor()?;
        Ok(self.entry(&key_of(consent)).await?.is_some_and(|held| held.value == value))
    }

    /// Whether records lie under other keys than this one.
    async fn has_other_wraps(&self, (owner, compartment): (&OwnerId, &CompartmentId), key_id: KeyId) -> Result<bool> {
        let mut pages = Pages::new(self.store, Kind::Wrap.of_compartment(owner, compartment), 1000);
        while let Some(page) = pages.entries().await? {
            for (key, entry) in page {
                let Ok(Some(entry)) = entry else { continue };
                let wrap = StoredWrap::read(&key, &entry.value);
                if wrap.is_ok_and(|wrap| wrap.key_id() != key_id) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether the store lacks the newest consent to a compartment, or has records under other keys than that gives.
    pub(super) async fn has_to_follow(
        &self,
        ledger: &Ledger<'_>,
        owner: &OwnerId,
        compartment: &CompartmentId,
    ) -> Result<bool> {
        let known = ledger.standings(owner, &[compartment]).await?;
        let Some(Standing::Known { newest, .. }) = known.of.first() else { return Ok(false) };
        let lacks = !is_there(self.store, &[key_at(owner, compartment, newest.place)]).await?.contains(&true);
        Ok(lacks || self.has_other_wraps((owner, compartment), newest.key).await?)
    }

    /// Whether there is anything in this consent's place, and its compartment is not closed.
    async fn has_caught_up(&self, consent: &StoredConsent) -> Result<bool> {
        let statement = consent.consent().unverified();
        let asked = [key_of(consent), space::stale(&statement.owner, &statement.compartment)];
        Ok(matches!(is_there(self.store, &asked).await?.as_slice(), [true, false]))
    }

    async fn is_behind(&self, ledger: &Ledger<'_>, owner: &OwnerId, compartment: &CompartmentId) -> Result<bool> {
        let (standing, current) = self.is_current(ledger, owner, compartment).await?;
        if standing == Standing::Erased || !current {
            return Ok(standing != Standing::Erased);
        }
        if matches!(standing, Standing::Known { keeps: true, .. }) {
            return Ok(true);
        }
        let destroyed =
            |consent: &StoredConsent| standing.state(consent.consent().unverified().key_id()) == KeyState::Destroyed;
        let mut pages = self.consent_pages(owner, compartment);
        while let Some(page) = pages.next().await? {
            if page.iter().any(destroyed) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Deletes the consents that give one of these keys, and gives their number. What is no consent stays.
    pub(crate) async fn delete_consents(
        &self,
        owner: &OwnerId,
        compartment: &CompartmentId,
        keys: &BTreeSet<KeyId>,
        page: usize,
    ) -> Result<u64> {
        let prefix = Kind::Consent.of_compartment(owner, compartment);
        let (mut deleted, mut after) = (0, String::new());
        loop {
            let page = scan_each(self.store, (&prefix, &after), page).await?;
            let Some((last, _)) = page.last() else { return Ok(deleted) };
            let last = last.clone();
            let mut ops = Vec::new();
            for (key, entry) in page {
                let Ok(Some(Entry { tag, value })) = entry else { continue };
                let consent = StoredConsent::from_cbor(&value);
                if consent.is_ok_and(|consent| keys.contains(&consent.consent().unverified().key_id())) {
                    ops.push(Op::Delete { key, tag });
                }
            }
            let outcomes = apply_all(self.store, ops).await?;
            deleted += outcomes.iter().filter(|outcome| **outcome == Outcome::Deleted).count() as u64;
            // What was changed meanwhile is read again.
            if !outcomes.contains(&Outcome::Conflict) {
                after = last;
            }
        }
    }

    /// The consent that an access is of, if it is in its place.
    pub(crate) async fn consent_of(&self, access: &Access) -> Result<Option<StoredConsent>> {
        let key = key_at(access.owner(), access.compartment(), access.place());
        let held = each(self.store, std::slice::from_ref(&key)).await?.pop();
        Ok(held.and_then(|entry| consent_at(&key, entry.ok()?.as_ref()?)))
    }
}

/// A consent's key, by its place among all to the compartment.
fn key_of(consent: &StoredConsent) -> String {
    let statement = consent.consent().unverified();
    key_at(&statement.owner, &statement.compartment, consent.place())
}

/// The key of the consent in this place.
pub(super) fn key_at(owner: &OwnerId, compartment: &CompartmentId, place: Place) -> String {
    space::consent(owner, compartment, (place.under.0, place.base.0, place.version.0))
}

const NO_LEDGER: Error = Error::ApiMisuse("there is no ledger");
