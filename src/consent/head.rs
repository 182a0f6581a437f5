//! Heads: the owner's word on which consent is the latest.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::verify::{LiveConsent, WHAT as CONSENT, pin_name};
use crate::error::{Error, Result};
use crate::id::{CompartmentId, DeviceId, Hash, OwnerId, Time, Version};
use crate::identity::{Identity, PublicIdentity, Signature, Signed, SigningPublic, Statement};
use crate::pin::{Base, Pins, Precedence};
use crate::seal::label;
use crate::time::CLOCK_SKEW;

/// How old a head may be, unless the host has a reason for another limit.
pub const HEAD_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// A signed head. It counts once a consent was held against it: [`LiveConsent::fresh`].
pub type Head = Signed<HeadStatement>;

/// What a device signs to say which consent is the latest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadStatement {
    /// The patient.
    pub owner: OwnerId,
    /// The compartment.
    pub compartment: CompartmentId,
    /// The version of the latest consent.
    pub version: Version,
    /// Its hash.
    pub hash: Hash,
    /// The owner's own consent that it goes on from, if a custodian signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// The version of the device list that the consent was signed under, so that it binds nobody to what a device signed
    /// before it was removed.
    pub devices: Version,
    /// When it was signed.
    pub issued_at: Time,
    /// The device that signs, or that signed the mandate.
    pub device: DeviceId,
    /// The hash of the mandate under which a custodian signs; none if the device itself does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mandate: Option<Hash>,
}

impl Statement for HeadStatement {
    const LABEL: &'static [u8] = label::SIGN_HEAD;
    const WHAT: &'static str = WHAT;
    const LIMIT: usize = 1024;
}

/// A custodian's head that only lacks its signature.
#[derive(Debug)]
pub struct HeadDraft {
    statement: HeadStatement,
    signing: SigningPublic,
}

impl HeadDraft {
    /// What has to be signed, label and all, with Ed25519.
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn message(&self) -> Result<Vec<u8>> {
        Signed::message(&self.statement)
    }

    /// The head with its signature.
    ///
    /// # Errors
    ///
    /// [`Error::Forged`] if it is not the signature of the message by the custodian's key.
    pub fn finish(self, signature: Signature) -> Result<Head> {
        let head = Signed::with_signature(self.statement, signature);
        head.verify(&self.signing)?;
        Ok(head)
    }
}

/// Whether the owner confirmed a consent lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// The head was signed within the limit.
    Fresh,
    /// The head is older than the limit, or more than five minutes from the future: a later consent may exist. Whether to
    /// go on is the host's decision; an emergency does not wait.
    Stale,
}

impl LiveConsent {
    /// As [`Device::head`](crate::owner::Device::head), by the custodian who signed this consent under a mandate.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if this consent was not signed by that custodian under a mandate that lasts until now.
    pub fn custodian_head(&self, custodian: &Identity, now: Time) -> Result<Head> {
        Signed::sign(self.custodians(&custodian.public(), now)?, custodian.signing())
    }

    /// As [`LiveConsent::custodian_head`], for a custodian whose key service signs.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn custodian_head_elsewhere(&self, custodian: &PublicIdentity, now: Time) -> Result<HeadDraft> {
        Ok(HeadDraft { statement: self.custodians(custodian, now)?, signing: custodian.signing })
    }

    fn custodians(&self, custodian: &PublicIdentity, now: Time) -> Result<HeadStatement> {
        self.use_for.check()?;
        let mandate = self.mandate.as_ref().filter(|mandate| mandate.custodian == *custodian && now <= mandate.until);
        let mandate = mandate.ok_or(Error::ApiMisuse("the consent is not this custodian's, or his mandate is over"))?;
        Ok(HeadStatement {
            owner: self.owner().clone(),
            compartment: self.compartment().clone(),
            version: self.version(),
            hash: self.hash(),
            base: Some(mandate.base()),
            devices: self.statement.devices,
            issued_at: now,
            device: mandate.device.clone(),
            mandate: self.statement.mandate,
        })
    }

    /// Whether this is the latest consent, by a head that one of the owner's devices signed, and how long ago that was.
    ///
    /// `pins` remember the head: a consent older than it is a rollback from then on.
    ///
    /// A custodian who signed this consent under a mandate signs heads for it, too. He can keep a later word of the owner's
    /// from a reader without memory, together with the server, until the mandate ends; only a device's head rules that out.
    ///
    /// A head counts as fresh if its time is within `limit` before `now`, or less than five minutes after: clocks differ.
    /// One of a later time is not remembered.
    ///
    /// # Errors
    ///
    /// [`Error::Forged`] if the head is for another owner or compartment or not signed by a device of the list, nor by
    /// the consent's own custodian, [`Error::Expired`] if the time of that device or custodian is over,
    /// [`Error::Malformed`] for a version over the seconds of its time, [`Error::Rollback`] with `"consent"` if it names
    /// a later consent than this, with `"head"` if an earlier one or one of an earlier device list, with `"device list"`
    /// if its consent was signed under a later list than the reader has, [`Error::Fork`] if another one of this version.
    pub fn fresh(&self, head: &Head, pins: &mut dyn Pins, now: Time, limit: Duration) -> Result<Freshness> {
        let claimed = head.unverified();
        if claimed.owner != *self.owner() || claimed.compartment != *self.compartment() {
            return Err(Error::Forged(WHAT));
        }
        let device = self.devices.get(&claimed.device).ok_or(Error::Forged(WHAT))?;
        let head = match (claimed.mandate, &self.mandate) {
            (None, _) => head.verify(&device.signing)?,
            // A custodian's word is about what he signed himself, as long as he may.
            (Some(under), Some(mandate)) if self.statement.mandate == Some(under) => {
                let head = head.verify(&mandate.custodian.signing)?;
                let own = (&head.device, head.base) == (&mandate.device, Some(mandate.base()));
                if !own
                    || head.devices != self.statement.devices
                    || head.version != self.version()
                    || head.issued_at > mandate.until
                {
                    return Err(Error::Forged(WHAT));
                }
                if now > mandate.until {
                    return Err(Error::Expired("mandate"));
                }
                head
            }
            _ => return Err(Error::Forged(WHAT)),
        };
        if !device.lasts(Some(now)) {
            return Err(Error::Expired("device"));
        }
        // A number that no time allows would bind everybody to a consent that never comes.
        if !head.version.is_of(head.issued_at) || head.base.is_some_and(|base| base.version >= head.version) {
            return Err(Error::Malformed(WHAT));
        }
        // Of this consent it says what the consent says.
        let same = (head.version, head.hash) == (self.version(), self.hash());
        if same && (head.base, head.devices) != (self.base(), self.statement.devices) {
            return Err(Error::Forged(WHAT));
        }
        let under = head.devices;
        if under > self.devices.version() {
            return Err(Error::Rollback("device list"));
        }
        let precedence = Precedence::new(under, head.base, head.version, head.hash);
        // One of a time to come says nothing yet. A custodian's says no more than his consent, which is remembered once opened.
        let to_come = head.issued_at > now.plus(CLOCK_SKEW);
        if !to_come && head.mandate.is_none() {
            pins.accept_under(WHAT, &pin_name(self.owner(), self.compartment()), precedence)?;
        }
        // One of before the list that this was signed under says nothing of it.
        if under < self.statement.devices {
            return Err(Error::Rollback(WHAT));
        }
        if head.version > self.version() {
            return Err(Error::Rollback(CONSENT));
        }
        if head.version < self.version() {
            return Err(Error::Rollback(WHAT));
        }
        if head.hash != self.hash() {
            return Err(Error::Fork(CONSENT));
        }
        let age = now.as_secs().saturating_sub(head.issued_at.as_secs());
        Ok(if !to_come && age <= limit.as_secs() { Freshness::Fresh } else { Freshness::Stale })
    }
}

pub(super) const WHAT: &str = "head";
