//! Who writes: a person with a credential, or one of the owner's devices.

use super::place::Place;
use crate::authority::{Credential, Standing};
use crate::consent::{Devices, Signer};
use crate::error::{Error, Result};
use crate::id::{AuthorityId, DeviceId, Hash, OwnerId, PersonId};
use crate::identity::{Identity, Signature, SigningKey};
use crate::owner::Device;
use crate::policy::Attributes;
use crate::seal::label;

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

/// What the author may write, as far as the author knows.
#[derive(Debug)]
pub(super) enum May {
    Attributes(AuthorityId, Attributes),
    Owner(OwnerId),
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
        Ok(Self { key: identity.signing(), by, may: May::Attributes(claimed.authority.clone(), attributes) })
    }

    /// One of the owner's devices: it may write everywhere in the owner's records.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the device is not in the list.
    pub fn device(device: &'a Device, devices: &Devices) -> Result<Self> {
        let Signer { device: id, key } = device.signer();
        if devices.get(id).is_none_or(|listed| listed.signing != key.public()) {
            return Err(Error::ApiMisuse("the device is not in the device list"));
        }
        Ok(Self { key, by: By::Device(id.clone()), may: May::Owner(devices.owner().clone()) })
    }

    /// Whether readers will accept what this author writes: better refused here than there.
    pub(super) fn check(&self, place: &Place<'_>) -> Result<()> {
        let allowed = match (&self.may, place) {
            (May::Attributes(authority, attributes), Place::Access(access)) => access.may_write(authority, attributes),
            (May::Attributes(..), Place::WriteOnly(_)) => true,
            (May::Owner(owner), place) => owner == place.owner(),
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
