//! Destroying the keys that nothing lies under any more.

use std::collections::BTreeSet;

use super::job::BATCH;
use super::verify::{Exempt, Lost};
use super::{Rotation, Verification};
use crate::error::{Error, Result};
use crate::id::KeyId;
use crate::ledger::{Ledger, Standing};
use crate::record::StoredWrap;
use crate::repository::Repository;
use crate::store::each;
use crate::store::space::{self, Kind};

/// What became of a retirement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "it may be blocked"]
pub enum Retirement {
    /// The older keys are destroyed: so many consents that gave them were deleted.
    Done {
        /// Consents that were deleted.
        consents: u64,
        /// Wraps under keys that were destroyed before: writers left them who came too late, or whatever they held is lost.
        lost: u64,
    },
    /// Something still needs them; nothing was deleted.
    Blocked {
        /// What the walk found, with the keys of what blocks.
        found: Verification,
        /// Entries in the quarantine of any job to this key.
        quarantined: Vec<String>,
        /// How many records' parts a finished job had come upon that the walk did not see: a listing hides them. Of several
        /// jobs to this key, the one that had come upon the most counts: a later one may have gone through such a listing.
        unseen: u64,
        /// The key of that job in the store, if it had. If the parts were deleted since, give the job up by it
        /// ([`Rotation::retire_leaving`]), and run another one if there is none left.
        counted: Option<String>,
    },
}

impl Rotation<'_> {
    /// Deletes the consents that give older compartment keys, and says in the ledger that these keys are gone: if nothing
    /// is left under them, by a walk of its own, and no job to this key has anything in its quarantine. The walk goes through
    /// the wraps, the envelopes and the contents, asks for what these name by its key, and has to see as many parts as any
    /// job did: a listing that hides some destroys nothing. What lies
    /// under keys that were destroyed before, and that no consent in the store gives, blocks nothing: it is lost already.
    ///
    /// Every writer has to go through a [guarded](Repository::guarded) repository with this ledger: what another one writes
    /// under an older key from now on is lost. The ledger has to be bound to the rotation's store; this is asked here, before
    /// the walk and after it.
    ///
    /// From then on readers need the newest consent alone. Copies that somebody kept of the old consents are not reached.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the consent of the new key is not the newest that the ledger knows, or one with the same
    /// key: writers may still use the older ones, or nobody has the new one; if no job to this key was finished in this
    /// store, which is another one then, or was restored since; and while a backup is being restored.
    /// [`Error::Ledger`] if the ledger is not this store's: in another database, an empty one or a copy, it would destroy the
    /// keys of records that it does not have. [`Error::Store`]: try again then.
    pub async fn retire(&self, ledger: &Ledger<'_>) -> Result<Retirement> {
        self.retire_leaving(ledger, &[]).await
    }

    /// As [`Rotation::retire`], giving up what these keys in the store name, as [`Retirement::Blocked`] and
    /// [`Rotation::quarantined`] list them: the parts that need them can never be read again. For what is damaged beyond
    /// repair, and would keep the old keys for ever. A finished job that is given up counts nothing.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn retire_leaving(&self, ledger: &Ledger<'_>, given_up: &[String]) -> Result<Retirement> {
        let (owner, compartment) = (self.new.owner(), self.new.compartment());
        self.check_store(ledger).await?;
        let repository = Repository::unchecked(self.store, *ledger);
        // Before the walk: who writes under an older key from here on is turned away, and who did so before is seen.
        let destroyed = match repository.standings(ledger, owner, &[compartment]).await?.pop() {
            Some(Standing::Known { newest, destroyed, .. }) if newest.key == self.new.key_id() => destroyed.ids(),
            _ => return Err(Error::ApiMisuse("the newest consent that the ledger knows has another key")),
        };
        let given = self.given().await?;
        // What an old access at hand opens is not lost either, whoever destroyed its key.
        let at_hand = self.old.iter().map(|access| access.key_id());
        let lost = Lost { destroyed, given: given.iter().copied().chain(at_hand).collect() };
        let given_up: BTreeSet<&str> = given_up.iter().map(String::as_str).collect();
        let quarantined = self.in_quarantine(&lost, &given_up).await?;
        let exempt = Exempt { lost, given_up };
        let mut found = self.walk_through(&exempt).await?;
        self.hold_against_contents(&exempt, &mut found).await?;
        let to_be_seen = self.to_be_seen(&exempt.given_up).await?;
        let unseen = to_be_seen.as_ref().map_or(0, |(parts, _)| parts.saturating_sub(found.seen()));
        // Under a later key there may be records by now, if the compartment went on to it meanwhile. Any other key that
        // records lie under is not this rotation's to destroy, whatever its number: an earlier key may have come back since.
        let newest = match ledger.standings(owner, &[compartment]).await?.of.pop() {
            Some(Standing::Known { newest, .. }) => Some(newest.key),
            _ => None,
        };
        let went_on = newest != Some(self.new.key_id()) && found.later_lie_under(newest);
        if !found.is_clean() || (found.later > 0 && !went_on) || !quarantined.is_empty() || unseen > 0 {
            let counted = to_be_seen.filter(|_| unseen > 0).map(|(_, job)| job);
            return Ok(Retirement::Blocked { found, quarantined, unseen, counted });
        }
        if to_be_seen.is_none() {
            return Err(NO_JOB);
        }
        // Nor has anything come back since, nor another store taken the place of this one.
        self.check_store(ledger).await?;
        if self.given().await? != given {
            return Err(Error::ApiMisuse("consents came while the compartment was gone through: try again"));
        }
        let mut gone = given;
        gone.extend(self.old.iter().map(|access| access.key_id()));
        ledger.destroy(owner, compartment, self.new.key_id(), &gone).await?;
        // The ledger spares the key of a consent that came meanwhile, if it is an earlier one that came back.
        match ledger.standings(owner, &[compartment]).await?.of.pop() {
            Some(Standing::Known { destroyed, .. }) => gone.retain(|key| destroyed.contains(*key)),
            // Erased meanwhile, and with it everything that was to be deleted.
            _ => gone.clear(),
        }
        let consents = repository.delete_consents(owner, compartment, &gone, BATCH).await?;
        for key in &gone {
            // Nothing is left for the jobs to these keys.
            for kind in [Kind::Job, Kind::Quarantine] {
                self.store.delete_prefix(&space::jobs(kind, (owner, compartment, *key))).await?;
            }
        }
        repository.unmark_stale(owner, compartment).await?;
        Ok(Retirement::Done { consents, lost: found.lost })
    }

    /// The store is the ledger's, and no backup comes into it.
    async fn check_store(&self, ledger: &Ledger<'_>) -> Result<()> {
        ledger.check(self.store).await?;
        Repository::new(self.store).check_no_restore().await
    }

    /// The other keys that earlier consents in the store give.
    async fn given(&self) -> Result<BTreeSet<KeyId>> {
        let mut given = BTreeSet::new();
        let mut pages = Repository::new(self.store).consent_pages(self.new.owner(), self.new.compartment());
        while let Some(page) = pages.next().await? {
            let earlier = page.iter().filter(|consent| consent.place() < self.new.place());
            given.extend(earlier.map(|consent| consent.consent().unverified().key_id()));
        }
        given.remove(&self.new.key_id());
        Ok(given)
    }

    /// What is in the quarantine of any job to this key, was not given up, and is not lost anyway.
    async fn in_quarantine(&self, lost: &Lost, given_up: &BTreeSet<&str>) -> Result<Vec<String>> {
        let mut all = Vec::new();
        for (_, key) in self.subjects(&self.jobs(Kind::Quarantine)).await? {
            let held = if key.starts_with(&self.prefix) {
                each(self.store, std::slice::from_ref(&key)).await?.pop().and_then(|held| held.ok().flatten())
            } else {
                None
            };
            let wrap = held.and_then(|held| StoredWrap::read(&key, &held.value).ok());
            let lost = wrap.is_some_and(|wrap| lost.is(wrap.key_id()));
            if !lost && !given_up.contains(key.as_str()) {
                all.push(key);
            }
        }
        Ok(all)
    }
}

const NO_JOB: Error = Error::ApiMisuse("no job to the new key was finished in this store: run one first");
