//! Mandates: the owner's leave for a custodian to go on in her absence, and how far it goes.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::access::Access;
use super::builder::{ConsentBuilder, Signer, Signing};
use super::devices::Devices;
use super::exclusion::Exclusion;
use super::statement::ConsentStatement;
use super::terms::{
    ConsumedStatement, MAX_MANDATES_PAST, MAX_MANDATES_PAST_BYTES, MAX_PAST, MAX_PAST_BYTES, PastRule, PastWriting,
    Reading, Terms, Writing, canonical,
};
use crate::error::{Error, Result};
use crate::id::{AuthorityId, CompartmentId, DeviceId, Generation, Hash, OwnerId, Time, Version};
use crate::identity::{Identity, PublicIdentity, SealingPublic, Signed, Statement};
use crate::pin::Base;
use crate::policy::Policy;
use crate::seal::{Commitment, Salt, ceiling_salt, label};
use crate::wire;

/// Most versions that a custodian may sign under one mandate.
pub const MAX_MANDATED: u64 = 65_536;
/// Most people that a custodian may exclude beyond those that the owner did.
const MAX_MORE: usize = 64;

/// A signed mandate. It is stored with each consent that was signed under it.
pub type Mandate = Signed<MandateStatement>;

/// What a device signs to let a custodian seal a compartment again: for a new month, with a new key, or for fewer people.
///
/// - It goes no further than the consent that it names: everybody who reads the result holds its terms against it.
/// - What is signed under it ends with it. To go on, the owner signs another.
/// - It takes a version and a key generation for each consent that is signed, at most [`MAX_MANDATED`].
/// - It ends at once when the owner signs a consent herself, or removes the device that signed it: readers who know of
///   that refuse what a custodian signs under the old one, whatever its version.
///
/// # Security
///
/// A custodian holds the compartment key, and could give it to anybody; no signature keeps him from that. What he cannot
/// do is change what others accept: who may write, who is said to read, who has a slot, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MandateStatement {
    /// The patient.
    pub owner: OwnerId,
    /// The version of the owner's device list that the device stood in.
    pub devices: Version,
    /// The device that signs.
    pub device: DeviceId,
    /// The compartment.
    pub compartment: CompartmentId,
    /// The version of the consent that the custodian goes on from.
    pub base: Version,
    /// Its hash.
    pub hash: Hash,
    /// The generation of its key, from which the custodian goes on.
    pub generation: Generation,
    /// The commitment to that key: no other one has this generation, and no other generation this key.
    pub commitment: Commitment,
    /// What those who only write seal to under it.
    pub write_key: SealingPublic,
    /// The hash of its terms, salted: `SHA-256(label ‖ canonical CBOR of the ceiling)`.
    pub ceiling: Hash,
    /// The custodian.
    pub custodian: PublicIdentity,
    /// Until when; what is signed under the mandate ends by then.
    pub until: Time,
    /// When it was signed.
    pub issued_at: Time,
}

impl MandateStatement {
    /// The consent that the custodian goes on from.
    pub(crate) fn base(&self) -> Base {
        Base { version: self.base, hash: self.hash }
    }
}

impl Statement for MandateStatement {
    const LABEL: &'static [u8] = label::SIGN_MANDATE;
    const WHAT: &'static str = WHAT;
    const LIMIT: usize = 2048;
}

/// How far a mandate goes: the terms of the consent that it was given for. It lies sealed in the terms of what is signed
/// under the mandate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ceiling {
    salt: Salt,
    /// The terms.
    pub terms: Terms,
    /// When that consent was signed.
    pub issued_at: Time,
    /// Until when it is valid.
    pub not_after: Option<Time>,
}

impl Ceiling {
    /// The one that a mandate for this consent, or under which it was signed, goes up to.
    pub(super) fn of(access: &Access) -> Result<Self> {
        if let Some(ceiling) = &access.terms.ceiling {
            return Ok(Self::clone(ceiling));
        }
        let statement = &access.statement;
        Ok(Self {
            salt: ceiling_salt(&access.cek, &statement.salt)?,
            terms: access.terms.clone(),
            issued_at: statement.issued_at,
            not_after: statement.not_after,
        })
    }

    pub(super) fn hash(&self) -> Result<Hash> {
        let bytes = wire::to_cbor(self, WHAT)?;
        Ok(Hash(Sha256::new().chain_update(label::CEILING).chain_update(bytes).finalize().into()))
    }

    /// Whether terms of that version and with that end stay within the mandate: nobody reads or writes who did not
    /// before, and what is remembered stays so.
    pub(super) fn covers(
        &self,
        mandate: &MandateStatement,
        terms: &Terms,
        (version, not_after): (Version, Option<Time>),
    ) -> Result<bool> {
        let months = terms.read.iter().all(|reading| {
            let before = self.terms.read.iter().find(|before| before.authority == reading.authority);
            before.is_some_and(|before| before.month <= reading.month)
        });
        let ends = |end: Time| not_after.is_some_and(|not_after| not_after <= end);
        Ok(self.narrows(terms)?
            && months
            && self.terms.owner_keys == terms.owner_keys
            && terms.people.iter().all(|named| self.terms.people.contains(named))
            && terms.custodian.as_ref().is_none_or(|custodian| self.terms.custodian.as_ref() == Some(custodian))
            && self.excludes(terms)
            && self.consumes(terms)
            && ends(mandate.until)
            && self.not_after.is_none_or(ends)
            && self.keeps_the_past(mandate, (&terms.past, version))?)
    }

    /// Each policy as it is said only narrows what it was, whoever is excluded: what nobody satisfies today may be
    /// satisfied when an exclusion is taken back.
    fn narrows(&self, terms: &Terms) -> Result<bool> {
        let read = |terms: &Terms| said(terms.read.iter().map(|Reading { authority, policy, .. }| (authority, policy)));
        let write = |terms: &Terms| said(terms.write.iter().map(|Writing { authority, policy }| (authority, policy)));
        Ok(within(&read(terms)?, &read(&self.terms)?) && within(&write(terms)?, &write(&self.terms)?))
    }

    /// Whoever is excluded stays so, for the same cause. What a custodian adds is by name, so that the owner can take it
    /// back by that name.
    fn excludes(&self, terms: &Terms) -> bool {
        let (read, write) = (self.terms.read.iter(), self.terms.write.iter());
        let places = read.map(|reading| &reading.authority).chain(write.map(|writing| &writing.authority)).collect();
        let (before, now) = (&self.terms.exclusions, &terms.exclusions);
        let goes_on = |now: &Exclusion| before.iter().any(|before| now.continues(before, &places));
        before.iter().all(|before| now.iter().any(|now| now.continues(before, &places)))
            && now.iter().all(|one| goes_on(one) || one.is_plain(&places))
            && now.len() <= before.len().saturating_add(MAX_MORE)
    }

    /// What counts no more stays so; what is added is of those whom the ceiling names by a referral.
    fn consumes(&self, terms: &Terms) -> bool {
        let of_named = |consumed: &ConsumedStatement| {
            let mut people = self.terms.people.iter();
            people.any(|named| named.referred.as_ref().is_some_and(|by| by.consumed() == *consumed))
        };
        self.terms.consumed.iter().all(|consumed| terms.consumed.contains(consumed))
            && terms.consumed.iter().all(|consumed| self.terms.consumed.contains(consumed) || of_named(consumed))
    }

    /// Who could write before the mandate stands as it stood; since then nobody could who may not under the ceiling, and
    /// only under versions that were signed since.
    ///
    /// For the versions that he signed himself, a custodian may say less than he let in.
    fn keeps_the_past(&self, mandate: &MandateStatement, (past, version): (&[PastWriting], Version)) -> Result<bool> {
        let most = PastRule::policies(&self.terms.write_rules())?;
        let known =
            PastWriting::after(&self.terms, (mandate.devices, mandate.base, None), (self.issued_at, self.not_after));
        let owners = |entry: &&PastWriting| entry.base.is_none();
        if !known.iter().all(|entry| past.contains(entry))
            || !known.iter().filter(owners).eq(past.iter().filter(owners))
            || past.last().is_some_and(|last| last.to >= version)
            || PastWriting::is_too_much(past)
        {
            return Ok(false);
        }
        let span = mandate.issued_at..=mandate.until;
        let more: Vec<&PastWriting> =
            past.iter().filter(|entry| entry.base.is_some() && !known.contains(entry)).collect();
        if PastWriting::is_more_than_a_share(&more) {
            return Ok(false);
        }
        for entry in more {
            let own = (entry.devices, entry.base) == (mandate.devices, Some(mandate.base()));
            let said = span.contains(&entry.issued_at) && entry.not_after.is_some_and(|end| end <= mandate.until);
            if !own || !said || entry.from <= mandate.base || !within(&PastRule::policies(&entry.write)?, &most) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Policies as they were said.
fn said<'a>(texts: impl Iterator<Item = (&'a AuthorityId, &'a String)>) -> Result<Vec<(AuthorityId, Policy)>> {
    texts.map(|(authority, policy)| Ok((authority.clone(), canonical(policy)?))).collect()
}

/// Each authority's policy only narrows what it was.
fn within(now: &[(AuthorityId, Policy)], most: &[(AuthorityId, Policy)]) -> bool {
    now.iter().all(|(authority, policy)| {
        let most = most.iter().find(|(other, _)| other == authority);
        most.is_some_and(|(_, most)| policy.implies(most))
    })
}

impl PastWriting {
    /// What the version after one with these terms remembers.
    pub(super) fn after(
        terms: &Terms,
        (devices, version, base): (Version, Version, Option<Base>),
        (issued_at, not_after): (Time, Option<Time>),
    ) -> Vec<Self> {
        let mut past = terms.past.clone();
        let write = terms.write_rules();
        match past.last_mut() {
            Some(last)
                if (&last.write, last.not_after) == (&write, not_after)
                    && (last.devices, last.base) == (devices, base) =>
            {
                last.to = version;
            }
            _ => {
                past.push(Self { from: version, to: version, issued_at, not_after, write, devices, base });
            }
        }
        let present = |entry: &Self| entry.base.is_some() && (entry.devices, entry.base) == (devices, base);
        // A mandate has its share, and what the owner leaves has room for one: nobody fills it.
        while Self::is_more_than_a_share(&past.iter().filter(|entry| present(entry)).collect::<Vec<_>>())
            && let Some(at) = past.iter().position(present)
        {
            past.remove(at);
        }
        let room = if base.is_none() { (MAX_MANDATES_PAST, MAX_MANDATES_PAST_BYTES) } else { (0, 0) };
        // What a custodian signed goes first, under this mandate and then under earlier ones: he could push out what others
        // did.
        while Self::is_beyond(&past, (MAX_PAST - room.0, MAX_PAST_BYTES - room.1)) {
            let custodians = || past.iter().position(|entry| entry.base.is_some());
            past.remove(past.iter().position(present).or_else(custodians).unwrap_or(0));
        }
        past
    }

    fn is_too_much(past: &[Self]) -> bool {
        Self::is_beyond(past, (MAX_PAST, MAX_PAST_BYTES))
    }

    fn is_more_than_a_share(of_one_mandate: &[&Self]) -> bool {
        Self::is_beyond(of_one_mandate.iter().copied(), (MAX_MANDATES_PAST, MAX_MANDATES_PAST_BYTES))
    }

    /// One entry is within the bytes, however large it is.
    fn is_beyond<'a>(past: impl IntoIterator<Item = &'a Self>, (most, bytes): (usize, usize)) -> bool {
        let sizes: Vec<usize> = past.into_iter().map(Self::size).collect();
        sizes.len() > most || (sizes.len() > 1 && sizes.into_iter().fold(0, usize::saturating_add) > bytes)
    }
}

impl Signed<MandateStatement> {
    pub(crate) fn give(
        signer: Signer<'_>,
        (devices, access): (&Devices, &Access),
        custodian: PublicIdentity,
        (until, now): (Time, Time),
    ) -> Result<Self> {
        access.check_rules()?;
        let named = access.terms.custodian.as_ref();
        if named.is_none_or(|named| (&named.person, named.sealing) != (&custodian.id, custodian.sealing)) {
            return Err(Error::ApiMisuse("the consent names another custodian, or none"));
        }
        if access.statement.mandate.is_some() {
            return Err(Error::ApiMisuse("a mandate is given for a consent that the owner signed"));
        }
        if access.owner() != devices.owner() || access.statement.devices != devices.version() {
            return Err(Error::ApiMisuse("seal the consent again under the present device list first"));
        }
        if until < now || now < access.issued_at() {
            return Err(Error::ApiMisuse("the mandate would never be valid"));
        }
        let listed = devices.get(signer.device).filter(|device| device.signing == signer.key.public());
        if !listed.is_some_and(|device| device.lasts(Some(until))) {
            return Err(Error::ApiMisuse("the device is not in the list, or not for as long as the mandate"));
        }
        let statement = MandateStatement {
            owner: access.owner().clone(),
            devices: devices.version(),
            device: signer.device.clone(),
            compartment: access.compartment().clone(),
            base: access.version(),
            hash: access.hash(),
            generation: access.generation(),
            commitment: access.statement.commitment.clone(),
            write_key: access.write_key(),
            ceiling: Ceiling::of(access)?.hash()?,
            custodian,
            until,
            issued_at: now,
        };
        Self::sign(statement, signer.key)
    }

    /// Starts the next version of the consent, to be signed by the custodian. Say what it is after
    /// ([`ConsentBuilder::after`]); what goes further than the mandate is refused when it is sealed.
    ///
    /// The consent ends with the mandate, or earlier, as [`ConsentBuilder::valid`] says.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the mandate is for somebody else, [`Error::Forged`] if it is not signed by a device of
    /// the list.
    pub fn consent<'a>(&'a self, custodian: &'a Identity, devices: &'a Devices) -> Result<ConsentBuilder<'a>> {
        let statement = self.accept(devices)?;
        if statement.custodian != custodian.public() {
            return Err(Error::ApiMisuse("the mandate is for another custodian"));
        }
        Ok(ConsentBuilder::mandated(Signing::Here(custodian.signing()), devices, self))
    }

    /// As [`Mandate::consent`](Signed::consent), for a custodian whose key service signs: take a
    /// [draft](ConsentBuilder::draft).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn consent_elsewhere<'a>(&'a self, devices: &'a Devices) -> Result<ConsentBuilder<'a>> {
        let signing = self.accept(devices)?.custodian.signing;
        Ok(ConsentBuilder::mandated(Signing::Elsewhere(signing), devices, self))
    }

    /// What the mandate says, if a device of the owner's list signed it.
    ///
    /// # Errors
    ///
    /// [`Error::Forged`].
    pub fn accept(&self, devices: &Devices) -> Result<&MandateStatement> {
        let claimed = self.unverified();
        if claimed.owner != *devices.owner() {
            return Err(Error::Forged(WHAT));
        }
        if claimed.devices > devices.version() {
            return Err(Error::Rollback("device list"));
        }
        let device = devices.get_under(claimed.devices, &claimed.device).ok_or(Error::Forged(WHAT))?;
        if !device.lasts(Some(claimed.until)) {
            return Err(Error::Forged(WHAT));
        }
        self.verify(&device.signing)
    }

    /// Whether a consent is one that this mandate lets its custodian sign, as far as that shows without opening it.
    ///
    /// # Errors
    ///
    /// [`Error::Forged`] or [`Error::NotAllowed`].
    pub(super) fn check(&self, devices: &Devices, consent: &ConsentStatement) -> Result<&MandateStatement> {
        let mandate = self.accept(devices)?;
        if consent.mandate != Some(self.hash()?)
            || (&consent.owner, &consent.compartment, &consent.device)
                != (&mandate.owner, &mandate.compartment, &mandate.device)
        {
            return Err(Error::Forged(WHAT));
        }
        // Under one list: a custodian does not choose how late his word counts.
        let under = consent.devices == mandate.devices;
        // Numbers go up by one at most, or the owner could be left without any.
        let steps = consent.version.0.checked_sub(mandate.base.0).filter(|steps| (1..=MAX_MANDATED).contains(steps));
        let keys = consent.generation.0.checked_sub(mandate.generation.0);
        let counted = steps.is_some_and(|steps| keys.is_some_and(|keys| keys <= steps));
        // The owner's key stands under her own number, with her own write key; another one never does.
        let own = (consent.generation, &consent.commitment, consent.write_key)
            == (mandate.generation, &mandate.commitment, mandate.write_key);
        let other = consent.generation != mandate.generation && consent.commitment != mandate.commitment;
        let ends = consent.not_after.is_some_and(|end| end <= mandate.until);
        let signed = (mandate.issued_at..=mandate.until).contains(&consent.issued_at);
        if under && counted && (own || other) && ends && signed { Ok(mandate) } else { Err(Error::NotAllowed) }
    }
}

#[cfg(test)]
mod tests;

const WHAT: &str = "mandate";
