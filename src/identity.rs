//! People and their keys: signatures (Ed25519, RFC 8032) and sealing to a person (HPKE, RFC 9180).
//!
//! An [`Identity`] is what a person's device holds; a [`PublicIdentity`] is what others know of it. What people sign are
//! [`Signed`] statements.
//!
//! # Example
//!
//! ```
//! use chartseal::identity::Identity;
//!
//! let ada = Identity::generate("dr-ada".parse()?)?;
//! let enrolment = ada.enrol()?;
//! assert_eq!(enrolment.verify_own()?.id.as_str(), "dr-ada");
//! assert!(format!("{ada:?}").ends_with("Secret(..)) }"));
//! # Ok::<(), chartseal::Error>(())
//! ```

mod sealing;
mod signed;

pub(crate) use sealing::SealingKey;
pub use sealing::{EncappedKey, Sealed, SealingPublic};
pub use signed::{Signature, Signed, SigningPublic};
pub(crate) use signed::{SigningKey, Statement};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::id::PersonId;
use crate::seal::label;
use crate::secret::Secret;
use crate::wire::{Reader, Writer};

/// A person's secret keys.
#[derive(Debug)]
pub struct Identity {
    id: PersonId,
    signing: SigningKey,
    sealing: SealingKey,
}

/// A person's public keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicIdentity {
    /// The person.
    pub id: PersonId,
    /// Verifies what the person signs.
    pub signing: SigningPublic,
    /// Seals to the person.
    pub sealing: SealingPublic,
}

impl Statement for PublicIdentity {
    const LABEL: &'static [u8] = label::SIGN_ENROLMENT;
    const WHAT: &'static str = "enrolment";
    const LIMIT: usize = 1024;
}

impl Signed<PublicIdentity> {
    /// The keys, if the holder of the signing key signed them: proof of possession.
    ///
    /// # Errors
    ///
    /// [`Error::Forged`].
    pub fn verify_own(&self) -> Result<&PublicIdentity> {
        self.verify(&self.unverified().signing)
    }
}

impl Identity {
    /// Draws new keys.
    ///
    /// # Errors
    ///
    /// [`Error::Randomness`].
    pub fn generate(id: PersonId) -> Result<Self> {
        Ok(Self { id, signing: SigningKey::generate()?, sealing: SealingKey::generate()? })
    }

    /// The person.
    pub fn id(&self) -> &PersonId {
        &self.id
    }

    /// The public keys.
    pub fn public(&self) -> PublicIdentity {
        PublicIdentity { id: self.id.clone(), signing: self.signing.public(), sealing: self.sealing.public() }
    }

    /// The public keys, signed by themselves, as an authority wants them for enrolment.
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn enrol(&self) -> Result<Signed<PublicIdentity>> {
        Signed::sign(self.public(), &self.signing)
    }

    /// The canonical bytes, for the device's own key store: `"csi" ‖ 1 ‖ u8 length ‖ id ‖ signing seed (32) ‖ sealing
    /// key (32)`.
    pub fn to_secret_bytes(&self) -> Secret<Vec<u8>> {
        let mut w = Writer::with_capacity(4 + 1 + self.id.as_str().len() + 64, MAGIC);
        // Ids have at most 128 bytes.
        w.u8(u8::try_from(self.id.as_str().len()).unwrap_or(u8::MAX)).bytes(self.id.as_str().as_bytes());
        w.bytes(self.signing.expose()).bytes(self.sealing.expose());
        Secret::new(w.finish())
    }

    /// Reads an identity strictly.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] or [`Error::UnknownVersion`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes, "identity");
        r.magic(MAGIC)?;
        let length = r.u8()?;
        let id = str::from_utf8(r.take(length.into())?).map_err(|_| Error::Malformed("identity"))?;
        let id = PersonId::new(id).map_err(|_| Error::Malformed("identity"))?;
        let signing = SigningKey::from_seed(r.array()?);
        let sealing = SealingKey::from_bytes(r.array()?)?;
        r.finish()?;
        Ok(Self { id, signing, sealing })
    }

    pub(crate) fn signing(&self) -> &SigningKey {
        &self.signing
    }

    pub(crate) fn sealing(&self) -> &SealingKey {
        &self.sealing
    }
}

const MAGIC: &[u8; 4] = b"csi\x01";
