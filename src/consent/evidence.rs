//! What speaks for a consent that a server is to go by.

use std::time::Duration;

use super::access::{Access, Use};
use super::head::{Freshness, Head};
use super::stored::{Signatures, StoredConsent};
use super::verify::{LiveConsent, WriteOnly};
use crate::error::{Error, Result};
use crate::id::{Hash, Time};
use crate::pin::Pins;

/// Why a server, which opens nothing, may take a consent for the latest.
///
/// What a device of the owner signed is the owner's word. What a custodian signed under a mandate may be nothing that
/// anybody can open, or a copy of the present key's public half with slots for nobody; a server cannot tell, and would
/// hide the consent before it. So it takes it from somebody who has opened it: the custodian himself, with his
/// [`Access`], or a device of the owner by its [`Head`] ([`LiveConsent::confirmed`]).
#[derive(Debug, Clone, Copy)]
pub struct Evidence {
    consent: Hash,
    signatures: Signatures,
    by: By,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// It was opened, or is the owner's.
    Opened,
    Nobody,
}

/// A consent that a device of the owner has opened, by its head.
#[derive(Debug, Clone, Copy)]
pub struct Confirmed<'a>(&'a LiveConsent);

impl Evidence {
    /// The custodian's word alone, by his signature on the consent: for a host whose own custodian runs on another
    /// machine and sends what he seals.
    ///
    /// # Security
    ///
    /// A custodian who cheats then takes the compartment from readers without a copy of the consent before, and from
    /// writers, until the patient's next word. He learns nothing by it, and nobody is let in. Where the host and the
    /// custodian are not one, wait for the patient's device ([`LiveConsent::confirmed`]).
    pub fn of_custodian(live: &LiveConsent) -> Self {
        let by = if live.use_for == Use::All { By::Opened } else { By::Nobody };
        Self::of(live, by)
    }

    fn of(live: &LiveConsent, by: By) -> Self {
        Self { consent: live.hash(), signatures: live.signatures, by }
    }

    /// Whether it speaks for this consent, with the terms, slots and mandate that were signed, and these signatures.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if it is about another one; [`Error::NotAllowed`] if a custodian signed it, and nobody says
    /// that he opened it, or if it was replaced, and opened for its key alone.
    pub(crate) fn check(self, stored: &StoredConsent) -> Result<()> {
        let verified = (stored.consent().hash()?, stored.signatures()) == (self.consent, self.signatures);
        if !verified || !stored.is_whole()? {
            return Err(Error::ApiMisuse("the consent that was verified is another one"));
        }
        if self.by == By::Opened { Ok(()) } else { Err(Error::NotAllowed) }
    }
}

impl From<&LiveConsent> for Evidence {
    fn from(live: &LiveConsent) -> Self {
        let by = if live.mandate.is_none() && live.use_for == Use::All { By::Opened } else { By::Nobody };
        Self::of(live, by)
    }
}

impl From<&Access> for Evidence {
    fn from(access: &Access) -> Self {
        // Whoever wants a key alone does not ask whether the signer still counts.
        let by = if access.rules() { By::Opened } else { By::Nobody };
        Self { consent: access.hash(), signatures: access.signatures, by }
    }
}

impl From<Confirmed<'_>> for Evidence {
    fn from(Confirmed(live): Confirmed<'_>) -> Self {
        Self::of(live, By::Opened)
    }
}

impl LiveConsent {
    /// The consent as one that a device of the owner has opened, by a fresh head that it signed: a device signs none for
    /// what it cannot open ([`Device::head`](crate::owner::Device::head)).
    ///
    /// # Errors
    ///
    /// As [`LiveConsent::fresh`]; [`Error::NotAllowed`] if it is the custodian's head, [`Error::Expired`] if it is stale.
    pub fn confirmed(&self, head: &Head, pins: &mut dyn Pins, now: Time, limit: Duration) -> Result<Confirmed<'_>> {
        if head.unverified().mandate.is_some() {
            return Err(Error::NotAllowed);
        }
        self.use_for.check()?;
        match self.fresh(head, pins, now, limit)? {
            Freshness::Fresh => Ok(Confirmed(self)),
            Freshness::Stale => Err(Error::Expired("head")),
        }
    }
}

impl<'a> Confirmed<'a> {
    /// As [`LiveConsent::write_only`], whoever signed the consent.
    ///
    /// # Errors
    ///
    /// As there, but for [`Error::NotAllowed`].
    pub fn write_only(self, pins: &mut dyn Pins) -> Result<WriteOnly<'a>> {
        self.0.write_under(pins)
    }
}
