//! Makes the slots of a consent, and what is to be signed of it.

use std::collections::BTreeSet;

use super::{ConsentBuilder, ConsentDraft, Signing};
use crate::consent::access::{Access, Use};
use crate::consent::mandate::Ceiling;
use crate::consent::slot::{Context, MAX_SLOTS, Slot, SlotMaker, slot_hash, terms_hash};
use crate::consent::statement::ConsentStatement;
use crate::consent::stored::{MAX_POLICY_SLOTS, StoredConsent};
use crate::consent::terms::{Policies, Reading, Terms};
use crate::error::{Error, Result, Unknown};
use crate::id::{AuthorityId, Generation, Hash, Time, Version};
use crate::identity::{SealingKey, SealingPublic, Signed};
use crate::kem::PublicParameters;
use crate::policy::Policy;
use crate::seal::{Cek, cek_salt, seal_terms, write_seed};
use crate::secret::Secret;

impl<'a> ConsentBuilder<'a> {
    /// Makes the slots and signs.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the device is not in the list, the validity is empty, somebody is named and excluded at
    /// once, or the time is before that of the consent before; [`Error::NotAllowed`] under a mandate that does not go so
    /// far, or is over; [`Error::Unknown`] if the trust has no parameters of an authority; [`Error::Policy`] if a policy
    /// is too large with its exclusions and validity; [`Error::TooLarge`] over [`MAX_SLOTS`] or another limit, or if it
    /// would be in the month that takes the most;
    /// [`Error::Malformed`] if a named key is none; [`Error::Randomness`].
    pub fn seal(self, now: Time) -> Result<(StoredConsent, Access)> {
        let Signing::Here(key) = self.signing else {
            return Err(Error::ApiMisuse("the signing key is with the custodian: take a draft there"));
        };
        self.draft(now)?.sign(key)
    }

    /// Makes the slots, for a custodian whose key service signs: what it has to sign, and what comes of it.
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::seal`].
    pub fn draft(self, now: Time) -> Result<ConsentDraft> {
        self.in_time(now).finish(now)
    }

    /// Without those of the consent before whose time is over meanwhile, and those whose referral counts no more.
    fn in_time(self, now: Time) -> Self {
        let before = self.after.map_or(&[][..], |before| &before.terms.people);
        let consumed = self.consumed(now);
        let is_consumed = |hash: &Hash| consumed.iter().any(|consumed| consumed.statement == *hash);
        let builder = self.leave_out(|named| {
            let over = named.is_over(now) && before.contains(named);
            over || named.referred.as_ref().is_some_and(|referred| is_consumed(&referred.referral))
        });
        Self { keep_key: builder.keep_key && !builder.other_key, ..builder }
    }

    fn finish(self, now: Time) -> Result<ConsentDraft> {
        let ceiling = self.ceiling()?;
        let not_before = self.not_before.unwrap_or(now);
        let not_after = self.ends(ceiling.as_ref());
        if not_after.is_some_and(|end| end < not_before) {
            return Err(Error::ApiMisuse("the consent would never be valid"));
        }
        if self.people.iter().any(|named| named.is_over(now)) {
            return Err(Error::ApiMisuse("the time of a person who is named is over"));
        }
        let (terms, _) = self.terms(now)?;
        self.check_later_months(&terms)?;
        let text = terms.to_cbor()?;
        let Policies { read, write, past } = terms.policies()?;

        let (version, previous, generation) = match self.after {
            None => (Version(1), None, Generation(1)),
            // A slow clock would un-say what others wrote meanwhile, and let keys in that are over.
            Some(access) if now < access.issued_at() => {
                return Err(Error::ApiMisuse("the clock is behind: the consent before this one was signed later"));
            }
            Some(access) => {
                let (version, generation) = self.beyond;
                let (version, next) = (access.version().max(version), access.generation().max(generation));
                let version = version.0.checked_add(1).ok_or(Error::TooLarge("version"))?;
                let next = next.0.checked_add(1).ok_or(Error::TooLarge("generation"))?;
                let generation = if self.keep_key { access.generation() } else { Generation(next) };
                // A custodian's keys are counted by his versions.
                let counted = self.mandate.map(Signed::unverified).and_then(|mandate| {
                    let keys = generation.0.checked_sub(mandate.generation.0)?;
                    mandate.base.0.checked_add(keys)
                });
                (Version(version.max(counted.unwrap_or(0))), Some(access.hash()), generation)
            }
        };
        if let (Some(mandate), Some(ceiling)) = (self.mandate, &ceiling)
            && !(ceiling.covers(mandate.unverified(), &terms, (version, not_after))?
                && now <= mandate.unverified().until)
        {
            return Err(Error::NotAllowed);
        }
        let cek = match self.after {
            Some(access) if self.keep_key => duplicate(&access.cek),
            _ => Cek::generate()?,
        };
        let owner = self.devices.owner().clone();
        let salt = cek_salt(&cek, &owner, &self.compartment)?;
        let commitment = cek.commit(&salt)?;
        let context = Context::new(&owner, &self.compartment, (version, previous), (&salt, &commitment))?;
        let sealed_terms = seal_terms(&cek, context.of_terms(), &text)?;
        let maker = SlotMaker::new(&context, terms_hash(&sealed_terms), (&cek, &salt));
        let slots = self.slots(&maker, &read, terms.holders())?;
        let parameters = self.parameters(&read)?;

        let statement = ConsentStatement {
            owner,
            devices: self.mandate.map_or(self.devices.version(), |mandate| mandate.unverified().devices),
            device: self.device.clone(),
            compartment: self.compartment,
            version,
            previous,
            generation,
            write_key: SealingKey::derive(&write_seed(&cek, &salt)?).public(),
            salt,
            commitment,
            terms: terms_hash(&sealed_terms),
            slots: slots.iter().map(|slot| slot_hash(slot)).collect(),
            not_before,
            not_after,
            issued_at: now,
            mandate: self.mandate.map(Signed::hash).transpose()?,
        };
        // Whatever readers would refuse is not signed.
        if !version.is_of(now) {
            return Err(Error::TooLarge("version"));
        }
        if let Some(mandate) = self.mandate {
            mandate.check(self.devices, &statement)?;
        }
        let mandate = self.mandate.cloned();
        let signing = self.signing.public();
        // Its hash and its signatures are given when it is signed.
        let base = self.mandate.map(|mandate| mandate.unverified().base());
        let access = Access {
            statement,
            hash: Hash([0; 32]),
            signatures: ([0; 64].into(), None),
            base,
            cek,
            terms,
            read,
            write,
            past,
            parameters,
            use_for: Use::All,
        };
        Ok(ConsentDraft { access, sealed_terms, slots, mandate, signing })
    }

    /// What could not be sealed again in a later month is not sealed now, or nobody could be shut out then. The month 1
    /// takes the most leaves that any does, twelve.
    fn check_later_months(&self, terms: &Terms) -> Result<()> {
        terms.check_growth()?;
        let mut bytes = 0_usize;
        for reading in &terms.read {
            let worst = Reading { month: 1, ..reading.clone() }.sealed_policy(&terms.exclusions)?;
            let tree = worst.map(|policy| self.public(&reading.authority)?.expand(&policy)).transpose()?;
            bytes = bytes.saturating_add(tree.as_ref().map_or(0, Slot::most_bytes));
        }
        if bytes > MAX_POLICY_SLOTS { Err(Error::TooLarge("consent")) } else { Ok(()) }
    }

    /// First those for the policies, as the terms have them, then the sealed ones.
    fn slots(
        &self,
        maker: &SlotMaker<'_>,
        read: &[(AuthorityId, Policy)],
        holders: BTreeSet<SealingPublic>,
    ) -> Result<Vec<Vec<u8>>> {
        if read.len().saturating_add(holders.len()) > MAX_SLOTS {
            return Err(Error::TooLarge("slots"));
        }
        let mut slots = Vec::with_capacity(read.len() + holders.len());
        for (authority, policy) in read {
            let public = self.public(authority)?;
            slots.push(maker.policy(slots.len(), public, &public.expand(policy)?)?.to_bytes()?);
        }
        for holder in maker.ordered(holders)? {
            slots.push(maker.sealed(slots.len(), &holder)?.to_bytes()?);
        }
        Ok(slots)
    }

    /// Which parameters of each authority the slots are made under.
    fn parameters(&self, read: &[(AuthorityId, Policy)]) -> Result<Vec<Version>> {
        read.iter().map(|(authority, _)| Ok(Version(self.public(authority)?.version()))).collect()
    }

    fn public(&self, authority: &AuthorityId) -> Result<&'a PublicParameters> {
        let draft = self.read.iter().find(|draft| draft.authority == *authority);
        draft.ok_or_else(|| Error::Unknown(Unknown::PublicParameters(authority.clone())))?.parameters()
    }

    /// The owner's own keys: a custodian takes over those of the consent that his mandate was given for.
    pub(super) fn owner_keys(&self) -> Result<Vec<SealingPublic>> {
        let ceiling = self.ceiling()?;
        Ok(ceiling.map_or_else(|| self.devices.sealing_keys(), |ceiling| ceiling.terms.owner_keys))
    }

    /// How far a custodian may go; none if the device signs itself.
    pub(super) fn ceiling(&self) -> Result<Option<Ceiling>> {
        let Some(mandate) = self.mandate else {
            let listed = self.devices.get(self.device);
            if listed.is_none_or(|device| device.signing != self.signing.public()) {
                return Err(Error::ApiMisuse("the device that signs is not in the device list"));
            }
            return Ok(None);
        };
        let before = self.before()?;
        let ceiling = Ceiling::of(before)?;
        if ceiling.hash()? != mandate.unverified().ceiling {
            return Err(Error::ApiMisuse("the mandate is not for the consent before this one"));
        }
        Ok(Some(ceiling))
    }

    /// The end of the validity: what is signed under a mandate ends with it, and with what the mandate was given for.
    fn ends(&self, ceiling: Option<&Ceiling>) -> Option<Time> {
        let until = self.mandate.map(|mandate| mandate.unverified().until);
        let most = ceiling.and_then(|ceiling| ceiling.not_after);
        // A device that is not the owner's own signs for no longer than it is one.
        let device = self.devices.get(self.device).and_then(|device| device.until);
        [self.not_after.flatten(), until, most, device].into_iter().flatten().min()
    }
}

fn duplicate(cek: &Cek) -> Cek {
    Cek::from_secret(Secret::build(|bytes| bytes.copy_from_slice(cek.expose())))
}
