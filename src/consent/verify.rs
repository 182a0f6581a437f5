//! Checking a consent before anything in it is used.

use std::collections::BTreeSet;

use super::access::Use;
use super::devices::Devices;
use super::mandate::MandateStatement;
use super::slot::{MAX_SLOTS, Slot, SlotContent, slot_hash, terms_hash};
use super::statement::ConsentStatement;
use super::stored::{Signatures, StoredConsent};
use crate::authority::Trust;
use crate::error::{Error, Result};
use crate::id::{CompartmentId, Generation, Hash, KeyId, OwnerId, Time, Version};
use crate::identity::{SealingPublic, Signed};
use crate::pin::{Base, Pins, Place, Precedence};
use crate::time::CLOCK_SKEW;

/// A consent that is signed by the owner's device, whole, valid and no older than what was seen before.
///
/// Whoever opens it has an [`Access`](super::Access); whoever only writes has a [`WriteOnly`].
#[derive(Debug)]
pub struct LiveConsent {
    pub(super) statement: ConsentStatement,
    pub(super) hash: Hash,
    pub(super) signatures: Signatures,
    // INVARIANT: checked, as far as that goes without opening the consent.
    pub(super) mandate: Option<MandateStatement>,
    pub(super) devices: Devices,
    pub(super) terms: Vec<u8>,
    pub(super) slots: Vec<Slot>,
    /// When it was verified.
    pub(super) now: Time,
    pub(super) use_for: Use,
}

impl StoredConsent {
    /// Checks everything that can be checked without a key: that the consent is for this compartment, signed by a device
    /// of the list that it was signed under, whole, no older than what `pins` remember, and not of a time to come.
    ///
    /// The signature is checked before anything else is looked at. Nothing is remembered yet: a custodian who cheats
    /// signs what verifies, and nobody can open or believe, and that must not take the place of the consent before it.
    /// What opens is remembered ([`LiveConsent::open`]), and what a writer goes by who opens nothing
    /// ([`LiveConsent::write_only`]). If it is refused there, go on with the one before, and tell the patient.
    ///
    /// # Errors
    ///
    /// [`Error::Forged`] if it is for another owner or compartment, not signed by a device of the list, or if terms or
    /// slots are not those that were signed; [`Error::Rollback`] for an older consent than one seen before, and for a
    /// device list older than the one that the consent was signed under; [`Error::Fork`], [`Error::Expired`],
    /// [`Error::Malformed`].
    pub fn verify(
        &self,
        devices: &Devices,
        compartment: &CompartmentId,
        pins: &dyn Pins,
        now: Time,
    ) -> Result<LiveConsent> {
        let claimed = self.consent().unverified();
        if claimed.owner != *devices.owner() || claimed.compartment != *compartment {
            return Err(Error::Forged(WHAT));
        }
        if claimed.devices > devices.version() {
            return Err(Error::Rollback("device list"));
        }
        let device = devices.get_under(claimed.devices, &claimed.device).ok_or(Error::Forged(WHAT))?;
        let (signing, base) = match self.mandate() {
            None if claimed.mandate.is_none() => (device.signing, None),
            None => return Err(Error::Forged(WHAT)),
            Some(mandate) => {
                let mandate = mandate.check(devices, claimed)?;
                (mandate.custodian.signing, Some(mandate.base()))
            }
        };
        let statement = self.consent().verify(&signing)?;
        let hash = self.consent().hash()?;
        statement.check()?;
        if !device.lasts(statement.not_after) {
            return Err(Error::NotAllowed);
        }
        // Before anything is remembered: it may have been signed since.
        if !device.lasts(Some(now)) {
            return Err(Error::Expired("device"));
        }
        if now < statement.not_before || statement.issued_at > now.plus(CLOCK_SKEW) {
            return Err(Error::Expired(WHAT));
        }
        let name = pin_name(&statement.owner, &statement.compartment);
        let precedence = Precedence::new(statement.devices, base, statement.version, hash);
        pins.reaches((WHAT, super::head::WHAT), &name, &precedence)?;
        pins.admits(WHAT, &name, &precedence)?;

        self.live(devices, now, Use::All)
    }

    /// What is signed is whole. Who signed it, and whether it holds, was checked.
    pub(super) fn live(&self, devices: &Devices, now: Time, use_for: Use) -> Result<LiveConsent> {
        let (statement, hash) = (self.consent().unverified().clone(), self.consent().hash()?);
        statement.check()?;
        if !self.is_whole()? {
            return Err(Error::Forged(WHAT));
        }
        let slots = self.slots().map(Slot::from_bytes).collect::<Result<Vec<_>>>()?;
        let mut authorities = BTreeSet::new();
        for slot in &slots {
            if let SlotContent::Policy(slot) = &slot.content
                && !authorities.insert(&slot.authority)
            {
                return Err(Error::Malformed(WHAT));
            }
        }
        let mandate = self.mandate().map(|mandate| mandate.unverified().clone());
        let (devices, terms) = (devices.clone(), self.terms().to_vec());
        let signatures = self.signatures();
        Ok(LiveConsent { statement, hash, signatures, mandate, devices, terms, slots, now, use_for })
    }

    /// Whether terms, slots and mandate are those of the signed statement.
    pub(super) fn is_whole(&self) -> Result<bool> {
        let statement = self.consent().unverified();
        Ok(terms_hash(self.terms()) == statement.terms
            && self.slots().map(slot_hash).eq(statement.slots.iter().copied())
            && self.mandate().map(Signed::hash).transpose()? == statement.mandate)
    }
}

/// What those go by who write in a compartment and read nothing there: a laboratory. Got from
/// [`LiveConsent::write_only`], or [`Confirmed::write_only`](super::Confirmed::write_only).
#[derive(Debug, Clone, Copy)]
pub struct WriteOnly<'a>(&'a LiveConsent);

impl<'a> WriteOnly<'a> {
    /// The consent.
    pub fn consent(self) -> &'a LiveConsent {
        self.0
    }
}

impl LiveConsent {
    /// For whoever writes under this consent and cannot open it; `pins` remember it as the latest.
    ///
    /// Who opens nothing cannot tell whose the write key is. Here it is the owner's word: she signed the consent, or the
    /// mandate with this very key. Under a key that a custodian brought, what is written could be open to a cheater and
    /// lost to the patient: wait until one of her devices has opened the consent ([`LiveConsent::confirmed`]). A guarded
    /// repository takes nothing under the key before in the meantime.
    ///
    /// # Errors
    ///
    /// [`Error::NotAllowed`] if the custodian brought the key; [`Error::Rollback`] or [`Error::Fork`] by what `pins`
    /// remember, [`Error::Expired`] if the consent had ended when it was verified.
    ///
    /// # Security
    ///
    /// Whoever has a stolen device signs as the owner until she removes it: its write key may be the thief's.
    pub fn write_only(&self, pins: &mut dyn Pins) -> Result<WriteOnly<'_>> {
        let vouched = |mandate: &MandateStatement| mandate.generation == self.generation();
        if self.mandate.as_ref().is_none_or(vouched) { self.write_under(pins) } else { Err(Error::NotAllowed) }
    }

    pub(super) fn write_under(&self, pins: &mut dyn Pins) -> Result<WriteOnly<'_>> {
        self.use_for.check()?;
        self.remember(pins)?;
        Ok(WriteOnly(self))
    }

    /// From now on nothing earlier is accepted, even if this one is valid no longer: what it replaced does not come back.
    /// Of one whose key alone is wanted, nothing is remembered, and its end is of no account.
    pub(super) fn remember(&self, pins: &mut dyn Pins) -> Result<()> {
        if self.use_for == Use::ItsKey {
            return Ok(());
        }
        let name = pin_name(self.owner(), self.compartment());
        let precedence = Precedence::new(self.statement.devices, self.base(), self.version(), self.hash);
        pins.reaches((WHAT, super::head::WHAT), &name, &precedence)?;
        pins.accept_under(WHAT, &name, precedence)?;
        if self.statement.not_after.is_some_and(|end| self.now > end) { Err(Error::Expired(WHAT)) } else { Ok(()) }
    }
}

impl ConsentStatement {
    fn check(&self) -> Result<()> {
        let first = self.version == Version(1);
        let ends = self.not_after.is_none_or(|end| self.not_before <= end);
        let slots = (1..=MAX_SLOTS).contains(&self.slots.len());
        let counted = self.version > Version(0) && self.version.is_of(self.issued_at);
        // Each version brings one new key at most.
        let keys = (1..=self.version.0).contains(&self.generation.0);
        if counted && keys && first == self.previous.is_none() && ends && slots {
            Ok(())
        } else {
            Err(Error::Malformed(WHAT))
        }
    }
}

impl LiveConsent {
    /// The patient.
    pub fn owner(&self) -> &OwnerId {
        &self.statement.owner
    }

    /// The compartment.
    pub fn compartment(&self) -> &CompartmentId {
        &self.statement.compartment
    }

    /// The consent's version.
    pub fn version(&self) -> Version {
        self.statement.version
    }

    /// When the consent was signed, by the signer's clock.
    pub(crate) fn issued_at(&self) -> Time {
        self.statement.issued_at
    }

    /// Where the consent stands among all to its compartment.
    pub(crate) fn place(&self) -> Place {
        let version = self.version();
        let base = self.base().map_or(version, |base| base.version);
        Place { under: self.statement.devices, base, version }
    }

    /// Until when the consent is valid.
    pub fn not_after(&self) -> Option<Time> {
        self.statement.not_after
    }

    /// The consent's hash.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The generation of the compartment key.
    pub fn generation(&self) -> Generation {
        self.statement.generation
    }

    /// The id of the compartment key.
    pub fn key_id(&self) -> KeyId {
        self.statement.key_id()
    }

    /// The owner's own consent that this one goes on from, if a custodian signed it under her mandate.
    pub fn base(&self) -> Option<Base> {
        self.mandate.as_ref().map(MandateStatement::base)
    }

    /// The version of the device list that it was signed under.
    pub(crate) fn signed_under(&self) -> Version {
        self.statement.devices
    }

    /// Whether every policy slot is sealed under the latest parameters that the trust has of its authority.
    ///
    /// # Errors
    ///
    /// [`Error::Rollback`] if one is sealed under earlier parameters: user keys that an authority meant to leave behind
    /// open it, and those that it issued since do not. Have it sealed again. [`Error::Unknown`] without parameters.
    pub fn check_parameters(&self, trust: &Trust) -> Result<()> {
        for slot in &self.slots {
            let SlotContent::Policy(slot) = &slot.content else { continue };
            let latest = trust.known_parameters(&slot.authority)?;
            if slot.parameters < Version(latest.version()) {
                return Err(Error::Rollback("public parameters"));
            }
        }
        Ok(())
    }

    /// What those who only write seal to.
    pub fn write_key(&self) -> SealingPublic {
        self.statement.write_key
    }
}

/// Owner ids that were verified have one length, so no two pairs give the same name.
pub(super) fn pin_name(owner: &OwnerId, compartment: &CompartmentId) -> String {
    format!("{owner}/{compartment}")
}

pub(super) const WHAT: &str = "consent";
