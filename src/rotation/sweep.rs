//! Jobs over many compartments: of a patient, of an authority, or all.

use super::{Pass, Progress, Rotation};
use crate::authority::Trust;
use crate::consent::{Access, Devices, StoredConsent};
use crate::error::{Error, Result};
use crate::id::{AuthorityId, CompartmentId, Hash, OwnerId, Time};
use crate::ledger::Ledger;
use crate::owner::Device;
use crate::record::Author;
use crate::repository::Repository;
use crate::store::Store;

/// Which compartments a sweep goes through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Those of one patient.
    Patient(OwnerId),
    /// Those whose newest consent names this authority.
    Authority(AuthorityId),
    /// All that have a consent in the store.
    Everything,
}

/// The keys of one compartment, for a rotation.
#[derive(Debug)]
pub struct Keys {
    /// Accesses to earlier keys, under which records may lie in the store.
    pub old: Vec<Access>,
    /// The access to move to: that of the newest consent in the store.
    pub new: Access,
    /// A device of the owner's, with the list that it stands in, to seal every part again under a new key of its own
    /// ([`Rotation::reencrypt`]); none to move the keys that there are.
    pub device: Option<(Devices, Device)>,
}

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "compartments may be left"]
pub struct Swept {
    /// Compartments whose job is finished.
    pub finished: u64,
    /// Parts that these jobs counted.
    pub records: u64,
    /// Entries in their quarantines.
    pub quarantined: u64,
    /// Compartments where other workers hold the rest of the job: run the sweep again.
    pub held: Vec<(OwnerId, CompartmentId)>,
    /// Compartments that nobody gave keys for.
    pub closed: Vec<(OwnerId, CompartmentId)>,
    /// Compartments of which the ledger knows a later key than the one to re-encrypt under.
    pub outdated: Vec<(OwnerId, CompartmentId)>,
    /// Compartments of which a consent cannot be read, and which were gone through as far as the others tell; or of which
    /// the entry of this job cannot be read, where nothing was done: take another name.
    pub damaged: Vec<(OwnerId, CompartmentId)>,
    /// Compartments where nothing was done, and why: a consent of theirs does not open, or the access that was given is
    /// not that of the newest consent in the store.
    pub refused: Vec<(OwnerId, CompartmentId, Error)>,
}

impl Swept {
    /// Whether every compartment in the scope was gone through, and nothing stayed behind.
    pub fn is_complete(&self) -> bool {
        let left = [&self.held, &self.closed, &self.outdated, &self.damaged];
        self.quarantined == 0 && self.refused.is_empty() && left.iter().all(|left| left.is_empty())
    }
}

/// A job that goes from compartment to compartment.
///
/// Each compartment is a [`Rotation`] of its own, so that workers share a sweep, and a sweep that died goes on, by the same
/// name.
pub struct Sweep<'a> {
    store: &'a dyn Store,
    clock: &'a (dyn Fn() -> Time + Sync),
    scope: Scope,
    trust: Option<(Ledger<'a>, &'a Trust)>,
}

impl<'a> Sweep<'a> {
    /// Over the compartments in this scope.
    pub fn new(store: &'a dyn Store, clock: &'a (dyn Fn() -> Time + Sync), scope: Scope) -> Self {
        Self { store, clock, scope, trust: None }
    }

    /// Believes whom `trust` believes of the authors of what is sealed again, and writes under no key that the ledger has a
    /// later one for; needed where a device is given for that.
    #[must_use]
    pub fn trusting(self, ledger: Ledger<'a>, trust: &'a Trust) -> Self {
        Self { trust: Some((ledger, trust)), ..self }
    }

    /// Moves every compartment in the scope to the key of its newest consent in the store; publish the consents with new
    /// keys first. `keys` opens the consents of a compartment, the earliest first; it may leave a compartment out.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; run it again then. [`Error::Malformed`] for a name that is none. Whatever else is wrong with one
    /// compartment, what `keys` fails with among it, is in [`Swept::refused`], and the others are gone through: with
    /// [`Error::ApiMisuse`] if `keys` gives another access than that of the newest consent (records under a key that nobody
    /// published would be lost), or a device to seal again where nobody is [trusted](Sweep::trusting).
    pub async fn run(
        &self,
        name: &str,
        mut keys: impl FnMut(&[StoredConsent]) -> Result<Option<Keys>> + Send,
        mut progress: impl FnMut(&CompartmentId, &Progress) + Send,
    ) -> Result<Swept> {
        super::walk::check_name(name)?;
        let repository = Repository::new(self.store);
        let owner = if let Scope::Patient(owner) = &self.scope { Some(owner) } else { None };
        let (mut swept, mut last) = (Swept::default(), None::<(OwnerId, CompartmentId)>);
        loop {
            let page = repository.compartments(owner, last.as_ref()).await?;
            let Some(end) = page.last() else { return Ok(swept) };
            last = Some(end.clone());
            for place in page {
                let consents = self.consents(&place).await?;
                let readable = consents.last().is_none_or(|newest| newest.authorities().is_ok());
                if !readable || !repository.damaged_consents(&place.0, &place.1).await?.is_empty() {
                    swept.damaged.push(place.clone());
                }
                if !self.is_in_scope(&consents) {
                    continue;
                }
                let keys = match keys(&consents) {
                    Ok(Some(keys)) => keys,
                    Ok(None) => {
                        swept.closed.push(place);
                        continue;
                    }
                    Err(error) if stops(&error) => return Err(error),
                    Err(error) => {
                        swept.refused.push((place.0, place.1, error));
                        continue;
                    }
                };
                let newest = consents.last().map(|newest| newest.consent().hash()).transpose()?;
                let moved = self.sweep((name, newest), &keys, |at| progress(&place.1, at)).await;
                match moved {
                    Ok((done, quarantined)) => {
                        swept.records += done.records;
                        swept.quarantined += quarantined;
                        if done.finished && done.pass == Pass::Rewrap {
                            swept.finished += 1;
                        } else {
                            swept.held.push(place);
                        }
                    }
                    Err(error) if stops(&error) => return Err(error),
                    Err(Error::Rollback(_)) => swept.outdated.push(place),
                    // Its entry of the job; the other compartments have their own.
                    Err(error) if error.is_damage() => swept.damaged.push(place),
                    Err(error) => swept.refused.push((place.0, place.1, error)),
                }
            }
        }
    }

    /// One compartment: how far its job is, and how many entries are in its quarantine.
    async fn sweep(
        &self,
        (name, newest): (&str, Option<Hash>),
        Keys { old, new, device }: &Keys,
        progress: impl FnMut(&Progress) + Send,
    ) -> Result<(Progress, u64)> {
        if newest != Some(new.hash()) {
            return Err(Error::ApiMisuse("a sweep moves to the newest consent in the store"));
        }
        let earlier = |access: &&Access| access.place() < new.place() && !new.has_key_of(access);
        let old: Vec<&Access> = old.iter().filter(earlier).collect();
        let mut rotation = Rotation::new(self.store, &old, new, self.clock)?;
        let author = device.as_ref().map(|(devices, device)| Author::device(device, devices)).transpose()?;
        if let (Some(author), Some((devices, _))) = (&author, device) {
            let (ledger, trust) = self.trust.ok_or(Error::ApiMisuse("say whom the sweep trusts"))?;
            rotation = rotation.reencrypt(ledger, trust, devices, author);
        }
        let done = rotation.run(name, progress).await?;
        let quarantined = rotation.quarantined(name).await?.len();
        Ok((done, u64::try_from(quarantined).unwrap_or(u64::MAX)))
    }

    async fn consents(&self, (owner, compartment): &(OwnerId, CompartmentId)) -> Result<Vec<StoredConsent>> {
        let (mut all, mut pages) = (Vec::new(), Repository::new(self.store).consent_pages(owner, compartment));
        while let Some(page) = pages.next().await? {
            all.extend(page);
        }
        Ok(all)
    }

    /// Where the newest consent cannot be read, the others tell; where none can, it may be in any scope.
    fn is_in_scope(&self, consents: &[StoredConsent]) -> bool {
        let Some(newest) = consents.last() else { return false };
        let Scope::Authority(authority) = &self.scope else { return true };
        match newest.authorities() {
            Ok(all) => all.contains(authority),
            Err(_) => {
                let mut readable = consents.iter().filter_map(|consent| consent.authorities().ok()).peekable();
                readable.peek().is_none() || readable.any(|all| all.contains(authority))
            }
        }
    }
}

/// Whether the other compartments would fail, too: what one lacks is its own.
fn stops(error: &Error) -> bool {
    matches!(error, Error::Store(_)) && !error.is_damage()
}

impl std::fmt::Debug for Sweep<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sweep").field("scope", &self.scope).finish_non_exhaustive()
    }
}
