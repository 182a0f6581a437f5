//! A consent as it is stored and sent.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::mandate::{Mandate, MandateStatement};
use super::slot::{MAX_SEALED_SLOT, MAX_SLOT, MAX_SLOTS, Slot, SlotContent};
use super::statement::{Consent, ConsentStatement};
use super::terms::MAX_TERMS;
use crate::error::{Error, Result};
use crate::id::AuthorityId;
use crate::identity::{Signature, Signed, Statement};
use crate::pin::{Place, Precedence};
use crate::seal::{SUITE, TERMS_OVERHEAD};
use crate::wire::{self, bytes};

/// Most bytes of a consent with its slots, in CBOR, 1 MiB: with the largest terms under a mandate and [`MAX_SLOTS`] slots
/// for holders of keys, any policies of four authorities fit, or more that are smaller.
pub const MAX_CONSENT: usize = (REST + 4 * MAX_SLOT).next_multiple_of(256 * 1024);
/// Most bytes of all slots for policies.
pub(super) const MAX_POLICY_SLOTS: usize = MAX_CONSENT - REST;
/// Most bytes of all else: the last kibibyte is for names of members, lengths and signatures.
const REST: usize = ConsentStatement::LIMIT
    + (MAX_TERMS + TERMS_OVERHEAD)
    + MandateStatement::LIMIT
    + MAX_SLOTS * MAX_SEALED_SLOT
    + 1024;

/// A consent with its sealed terms and its slots: what a server keeps.
///
/// # Formats
///
/// `{"suite", "consent": {"statement", "signature"}, "terms", "slots": [slot, …]}`, and `"mandate"` if a custodian
/// signed it. In JSON, bytes are unpadded
/// base64url; in CBOR they are byte strings and there is one encoding.
///
/// # Security
///
/// A decoded value is only well-formed; [`StoredConsent::verify`] says whether it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredConsent {
    consent: Consent,
    terms: Opaque<{ MAX_TERMS + TERMS_OVERHEAD }>,
    slots: Vec<Opaque<MAX_SLOT>>,
    mandate: Option<Mandate>,
}

/// The signatures of a consent and of its mandate.
pub(super) type Signatures = (Signature, Option<Signature>);

impl StoredConsent {
    /// Puts a consent together from its pieces.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] over a limit: [`MAX_SLOTS`], [`MAX_SLOT`], [`MAX_TERMS`] and what sealing adds,
    /// [`MAX_CONSENT`]. [`Error::Malformed`] without slots: the owner's own is always there.
    pub fn from_parts(consent: Consent, terms: Vec<u8>, slots: Vec<Vec<u8>>) -> Result<Self> {
        if terms.len() > MAX_TERMS + TERMS_OVERHEAD {
            return Err(Error::TooLarge("terms"));
        }
        if slots.iter().any(|slot| slot.len() > MAX_SLOT) {
            return Err(Error::TooLarge("slot"));
        }
        let slots = slots.into_iter().map(Opaque).collect();
        let stored = Self { consent, terms: Opaque(terms), slots, mandate: None };
        stored.check()?;
        stored.to_cbor()?;
        Ok(stored)
    }

    /// With the mandate under which a custodian signed it.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] over [`MAX_CONSENT`].
    pub fn under(mut self, mandate: impl Into<Option<Mandate>>) -> Result<Self> {
        self.mandate = mandate.into();
        self.to_cbor()?;
        Ok(self)
    }

    /// The mandate under which a custodian signed it; none if a device did.
    pub fn mandate(&self) -> Option<&Mandate> {
        self.mandate.as_ref()
    }

    /// The signed statement.
    pub fn consent(&self) -> &Consent {
        &self.consent
    }

    /// Where it stands among all consents to its compartment, if its signatures hold.
    pub(crate) fn place(&self) -> Place {
        let statement = self.consent.unverified();
        let base = self.mandate.as_ref().map_or(statement.version, |mandate| mandate.unverified().base);
        Place { under: statement.devices, base, version: statement.version }
    }

    /// The same, and which one it is.
    pub(crate) fn precedence(&self) -> Result<Precedence> {
        let statement = self.consent.unverified();
        let base = self.mandate.as_ref().map(|mandate| mandate.unverified().base());
        Ok(Precedence::new(statement.devices, base, statement.version, self.consent.hash()?))
    }

    /// What its hash does not hold.
    pub(super) fn signatures(&self) -> Signatures {
        (self.consent.signature(), self.mandate.as_ref().map(Signed::signature))
    }

    /// The authorities whose keys its slots are sealed for, as it says.
    ///
    /// # Errors
    ///
    /// As for [`StoredConsent::verify`] where a slot is none.
    pub fn authorities(&self) -> Result<BTreeSet<AuthorityId>> {
        let mut authorities = BTreeSet::new();
        for slot in self.slots() {
            if let SlotContent::Policy(slot) = Slot::from_bytes(slot)?.content {
                authorities.insert(slot.authority);
            }
        }
        Ok(authorities)
    }

    /// The sealed terms.
    pub fn terms(&self) -> &[u8] {
        &self.terms.0
    }

    /// The bytes of the slots, in their order.
    pub fn slots(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.slots.iter().map(|slot| slot.0.as_slice())
    }

    /// The CBOR form.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] over [`MAX_CONSENT`], which a value that was decoded from CBOR is not.
    pub fn to_cbor(&self) -> Result<Vec<u8>> {
        let bytes = wire::to_cbor(self, WHAT)?;
        if bytes.len() > MAX_CONSENT { Err(Error::TooLarge(WHAT)) } else { Ok(bytes) }
    }

    /// Reads the CBOR form.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] over [`MAX_CONSENT`] bytes or [`MAX_SLOTS`] slots, [`Error::UnknownVersion`] if it names
    /// another suite, [`Error::Malformed`] for anything that [`StoredConsent::to_cbor`] would not have written.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self> {
        let stored: Self = wire::from_cbor(bytes, MAX_CONSENT, WHAT).map_err(|error| match error {
            Error::Malformed(_) => why_not(cbor4ii::serde::from_slice(bytes).ok()),
            other => other,
        })?;
        stored.check()?;
        Ok(stored)
    }

    /// The JSON form.
    ///
    /// # Errors
    ///
    /// None for a consent that was sealed or decoded by this crate.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|_| Error::Malformed(WHAT))
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    ///
    /// As [`StoredConsent::from_cbor`]; the text may be twice as long.
    pub fn from_json(text: &str) -> Result<Self> {
        let stored: Self = wire::from_json(text, MAX_CONSENT, WHAT).map_err(|error| match error {
            Error::Malformed(_) => why_not(serde_json::from_str(text).ok()),
            other => other,
        })?;
        stored.check()?;
        Ok(stored)
    }

    fn check(&self) -> Result<()> {
        if self.slots.len() > MAX_SLOTS {
            return Err(Error::TooLarge("slots"));
        }
        if self.slots.is_empty() { Err(Error::Malformed(WHAT)) } else { Ok(()) }
    }
}

impl Serialize for StoredConsent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Members<'a> {
            suite: &'a str,
            consent: &'a Consent,
            terms: &'a Opaque<{ MAX_TERMS + TERMS_OVERHEAD }>,
            slots: &'a [Opaque<MAX_SLOT>],
            #[serde(skip_serializing_if = "Option::is_none")]
            mandate: Option<&'a Mandate>,
        }

        let Self { consent, terms, slots, mandate } = self;
        Members { suite: SUITE, consent, terms, slots, mandate: mandate.as_ref() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for StoredConsent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Members {
            suite: String,
            #[serde(deserialize_with = "bytes::map_only")]
            consent: Consent,
            terms: Opaque<{ MAX_TERMS + TERMS_OVERHEAD }>,
            slots: Vec<Opaque<MAX_SLOT>>,
            #[serde(default, deserialize_with = "mandate")]
            mandate: Option<Mandate>,
        }

        let Members { suite, consent, terms, slots, mandate } = bytes::map_only(deserializer)?;
        if suite != SUITE {
            return Err(de::Error::custom("unknown suite"));
        }
        Ok(Self { consent, terms, slots, mandate })
    }
}

/// A member that is there is a mandate, never a null.
fn mandate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Mandate>, D::Error> {
    bytes::map_only(deserializer).map(Some)
}

/// Bytes that are looked into later.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Opaque<const LIMIT: usize>(Vec<u8>);

impl<const LIMIT: usize> Serialize for Opaque<LIMIT> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        bytes::serialize(&self.0, serializer)
    }
}

impl<'de, const LIMIT: usize> Deserialize<'de> for Opaque<LIMIT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bytes::deserialize(deserializer, LIMIT).map(Self)
    }
}

/// The one member that every version has; the rest is skipped.
#[derive(Deserialize)]
struct Peek {
    suite: String,
}

fn why_not(peek: Option<Peek>) -> Error {
    match peek {
        Some(Peek { suite }) if suite != SUITE => Error::UnknownVersion(WHAT),
        _ => Error::Malformed(WHAT),
    }
}

const WHAT: &str = "consent";
