//! Who writes: a person with a credential, or one of the owner's devices.

use super::place::Place;
use crate::authority::{Credential, Standing};
use crate::consent::{Devices, Signer};
use crate::error::{Error, Result};
use crate::id::{AuthorityId, DeviceId, Hash, OwnerId, PersonId, Time};
use crate::identity::{Identity, Signature, SigningKey};
use crate::owner::Device;
use crate::policy::Attributes;
use crate::seal::label;
use crate::time::CLOCK_SKEW;

/// Who writes a record, with the key to sign it.
///
/// Who it was lies sealed in the record: the store does not see it, readers do.
#[derive(Debug)]
pub struct Author<'a> {
    pub(super) key: &'a SigningKey,
    pub(super) by: By,
    pub(super) may: May,
}

/// Who wrote a part of an opened record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Writer {
    /// A person, by a credential that was valid at the time that she wrote.
    Person {
        /// The authority that vouches for the person.
        authority: AuthorityId,
        /// The person.
        person: PersonId,
        /// Whether the person was revoked since. If so, only her word says that she wrote before that.
        standing: Standing,
    },
    /// One of the owner's devices.
    Device {
        /// The device.
        device: DeviceId,
        /// Whether it was removed since. If so, only its word says that it wrote before that.
        standing: Standing,
    },
}

/// The name of a signer inside a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum By {
    /// The canonical CBOR of the credential.
    Credential(Vec<u8>),
    /// A device of the owner.
    Device(DeviceId),
}

/// What the author may write and when, as far as the author knows.
#[derive(Debug)]
pub(super) enum May {
    /// By attributes, from the one time to the other.
    Attributes(AuthorityId, Attributes, (Time, Time)),
    /// Everywhere in the owner's records, until the device's own time is over.
    Owner(OwnerId, Option<Time>),
    /// Nobody asks.
    Unchecked,
}

impl<'a> Author<'a> {
    /// A person with a credential.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the credential is of other keys than the identity's, [`Error::Malformed`] if its
    /// attributes are none.
    pub fn new(identity: &'a Identity, credential: &Credential) -> Result<Self> {
        let claimed = credential.unverified();
        if claimed.signing != identity.public().signing {
            return Err(Error::ApiMisuse("the credential is not this identity's"));
        }
        let attributes = claimed.attributes.parse().map_err(|_| Error::Malformed("credential"))?;
        let by = By::Credential(credential.to_cbor()?);
        let may = May::Attributes(claimed.authority.clone(), attributes, (claimed.not_before, claimed.not_after));
        Ok(Self { key: identity.signing(), by, may })
    }

    /// One of the owner's devices: it may write everywhere in the owner's records.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the device is not in the list.
    pub fn device(device: &'a Device, devices: &Devices) -> Result<Self> {
        let Signer { device: id, key } = device.signer();
        let listed = devices.get(id).filter(|listed| listed.signing == key.public());
        let listed = listed.ok_or(Error::ApiMisuse("the device is not in the device list"))?;
        Ok(Self { key, by: By::Device(id.clone()), may: May::Owner(devices.owner().clone(), listed.until) })
    }

    /// The same author, who seals whatever readers will say to it: for tests of what they refuse, since whoever means harm
    /// does not ask this crate.
    #[must_use]
    pub fn danger_unchecked(self) -> Self {
        Self { may: May::Unchecked, ..self }
    }

    /// Whether readers will accept what this author writes now: better refused here than there.
    ///
    /// A reader lets a clock be off by [`CLOCK_SKEW`]. Whoever seals has no such leave at an end, or what he seals at the
    /// last moment is refused by whoever is stricter.
    pub(super) fn check(&self, place: &Place<'_>, now: Time) -> Result<()> {
        if matches!(self.may, May::Unchecked) {
            return Ok(());
        }
        self.check_place(place)?;
        match self.may {
            May::Attributes(_, _, (from, to)) if now < from || now > to => return Err(Error::Expired("credential")),
            May::Owner(_, Some(until)) if now > until => return Err(Error::Expired("device")),
            _ => {}
        }
        // The end binds others, not the owner.
        let ended = !self.is_device() && place.not_after().is_some_and(|end| now > end);
        if ended || now.plus(CLOCK_SKEW) < place.issued_at() {
            return Err(Error::Expired("consent"));
        }
        Ok(())
    }

    /// Whether the author may write there at any time, as far as the author knows.
    pub(super) fn check_place(&self, place: &Place<'_>) -> Result<()> {
        if let Place::Access(access) = place {
            access.check_rules()?;
        }
        let allowed = match (&self.may, place) {
            (May::Attributes(authority, attributes, _), Place::Access(access)) => {
                access.may_write(authority, attributes)
            }
            (May::Attributes(..), Place::WriteOnly(_)) | (May::Unchecked, _) => true,
            (May::Owner(owner, _), place) => owner == place.owner(),
        };
        if allowed { Ok(()) } else { Err(Error::NotAllowed) }
    }

    pub(super) fn is_device(&self) -> bool {
        matches!(self.by, By::Device(_))
    }

    pub(super) fn by(&self) -> &By {
        &self.by
    }

    /// Signs a content and the envelope that the author sealed it in: one signature for both.
    pub(super) fn sign_content(&self, content: &Hash, envelope: &Hash) -> Signature {
        self.key.sign(label::SIGN_CONTENT, &both(content, envelope))
    }

    pub(super) fn sign_envelope(&self, message: &[u8]) -> Signature {
        self.key.sign(label::SIGN_ENVELOPE, message)
    }
}

/// What an author signs: `content hash (32) ‖ envelope hash (32)`.
pub(super) fn both(content: &Hash, envelope: &Hash) -> [u8; 64] {
    let mut both = [0; 64];
    both.iter_mut().zip(content.0.iter().chain(&envelope.0)).for_each(|(to, from)| *to = *from);
    both
}
