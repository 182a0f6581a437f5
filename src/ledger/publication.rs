//! A consent that is on its way into the store.
//!
//! Store and ledger are two, and nothing changes both at once. So the ledger is told before that a consent is coming, and
//! again when it is in the store. Whoever comes by in between, a reader or a writer, ends what was begun. He needs no word of
//! anybody's for that: the ledger was told by somebody who had it, and a store cannot say so.

use std::cmp::Ordering;

use super::known::Noted;
use super::{Ledger, key};
use crate::consent::{Evidence, StoredConsent};
use crate::error::{Error, Result};
use crate::id::{CompartmentId, OwnerId};

/// What became of an announcement.
#[derive(Debug)]
pub(crate) enum Announced {
    /// It is noted: write the consent into the store, and confirm it. With what is the newest until then.
    Now(Option<Box<StoredConsent>>),
    /// The consent is the newest already.
    Before,
    /// Another one was announced and is not ended: end that first.
    Another,
}

impl Ledger<'_> {
    /// Notes that a consent is about to be published.
    ///
    /// # Errors
    ///
    /// As [`Ledger::advance`].
    pub(crate) async fn announce(&self, evidence: Evidence, stored: &StoredConsent) -> Result<Announced> {
        self.announce_where(evidence, stored, &|announced| Ok(announced.is_none())).await
    }

    /// As [`Ledger::announce`], in the place of an earlier one that nobody can end: its place in the store takes nothing.
    pub(crate) async fn announce_over(&self, evidence: Evidence, stored: &StoredConsent) -> Result<Announced> {
        let later = |announced: Option<&Noted>| {
            let Some(announced) = announced else { return Ok(true) };
            let earlier = announced.read()?.precedence()?;
            Ok(stored.precedence()?.compare(&earlier, "consent")? == Ordering::Greater)
        };
        self.announce_where(evidence, stored, &later).await
    }

    async fn announce_where(
        &self,
        evidence: Evidence,
        stored: &StoredConsent,
        free: &(dyn Fn(Option<&Noted>) -> Result<bool> + Sync),
    ) -> Result<Announced> {
        evidence.check(stored)?;
        let noted = Noted::of(stored)?;
        let statement = stored.consent().unverified();
        self.unless_erased(stored, |known| {
            let free = known.gives_way_to(stored)? && free(known.announced.as_ref())?;
            Ok(free.then(|| known.announcing(Some(noted.clone()))))
        })
        .await?;
        let known = self.known(&key(&statement.owner, &statement.compartment)).await?;
        let known = known.map(|(_, known)| known).unwrap_or_default();
        Ok(match &known.announced {
            Some(announced) if *announced == noted => {
                Announced::Now(known.newest.as_ref().map(Noted::read).transpose()?.map(Box::new))
            }
            Some(_) => Announced::Another,
            // Somebody took it back meanwhile.
            None if known.gives_way_to(stored)? => Announced::Another,
            None => Announced::Before,
        })
    }

    /// The consent that was announced and not ended, and the newest until it is.
    pub(crate) async fn announced(
        &self,
        owner: &OwnerId,
        compartment: &CompartmentId,
    ) -> Result<Option<(StoredConsent, Option<StoredConsent>)>> {
        let Some((_, known)) = self.known(&key(owner, compartment)).await? else { return Ok(None) };
        let Some(announced) = known.announced else { return Ok(None) };
        Ok(Some((announced.read()?, known.newest.as_ref().map(Noted::read).transpose()?)))
    }

    /// A consent that was announced is in the store: it is the newest from now on.
    ///
    /// # Errors
    ///
    /// [`Error::Rollback`] if a later one is known by now, or its key is destroyed, or it was taken back; [`Error::Fork`] if
    /// another one of the same version is known; [`Error::Store`].
    pub(crate) async fn confirm(&self, stored: &StoredConsent) -> Result<()> {
        let noted = Noted::of(stored)?;
        self.unless_erased(stored, |known| {
            if !known.gives_way_to(stored)? {
                return Ok(None);
            }
            if known.announced.as_ref() != Some(&noted) {
                return Err(Error::Rollback("consent"));
            }
            known.then(noted.clone()).map(Some)
        })
        .await
    }

    /// A consent that was announced is not to be published: there is another one in its place, or its key is gone.
    pub(crate) async fn withdraw(&self, stored: &StoredConsent) -> Result<()> {
        let (noted, statement) = (Noted::of(stored)?, stored.consent().unverified());
        self.change(&key(&statement.owner, &statement.compartment), |known| {
            let mine = known.announced.as_ref() == Some(&noted);
            Ok(mine.then(|| known.announcing(None)))
        })
        .await
    }

    /// Keeps the newest consent when a later one has come: `why` the store cannot be made to hold it. Says so where too
    /// many are kept already.
    pub(crate) async fn keep(&self, newest: &StoredConsent, why: &Error) -> Result<()> {
        let (noted, statement) = (Noted::of(newest)?, newest.consent().unverified());
        self.change(&key(&statement.owner, &statement.compartment), |known| {
            // Where there is another one by now, whoever published that has kept this one.
            if known.newest.as_ref() != Some(&noted) {
                return Ok(None);
            }
            let next = known.keeping(noted.clone()).ok_or_else(|| why.clone())?;
            Ok((next != *known).then_some(next))
        })
        .await
    }

    /// The newest consent, and those before it that the store could not be made to hold, the earliest first.
    pub(crate) async fn newest_and_kept(
        &self,
        owner: &OwnerId,
        compartment: &CompartmentId,
    ) -> Result<Option<(StoredConsent, Vec<StoredConsent>)>> {
        let Some((_, known)) = self.known(&key(owner, compartment)).await? else { return Ok(None) };
        let newest = known.newest.as_ref().map(Noted::read).transpose()?;
        newest.map(|newest| Ok((newest, known.kept()?))).transpose()
    }

    /// The store holds it by now.
    pub(crate) async fn give_back(&self, kept: &StoredConsent) -> Result<()> {
        let (noted, statement) = (Noted::of(kept)?, kept.consent().unverified());
        self.change(&key(&statement.owner, &statement.compartment), |known| {
            let next = known.giving_back(&noted);
            Ok((next != *known).then_some(next))
        })
        .await
    }
}
