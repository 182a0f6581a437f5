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
pub(crate) use signed::{PreparedKey, SigningKey, Statement};
pub use signed::{Signature, Signed, SigningPublic};

use std::str::FromStr;

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
        encode_keys(MAGIC, self.id.as_str(), &self.signing, &self.sealing)
    }

    /// Reads an identity strictly.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] or [`Error::UnknownVersion`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let (id, signing, sealing) = decode_keys(bytes, MAGIC, "identity")?;
        Ok(Self { id, signing, sealing })
    }

    pub(crate) fn from_seeds(id: PersonId, [signing, sealing]: &[Secret<[u8; 32]>; 2]) -> Self {
        Self { id, signing: SigningKey::from_seed(signing.expose()), sealing: SealingKey::derive(sealing) }
    }

    pub(crate) fn signing(&self) -> &SigningKey {
        &self.signing
    }

    pub(crate) fn sealing(&self) -> &SealingKey {
        &self.sealing
    }
}

/// Whoever has an id and both kinds of keys is written as `magic ‖ u8 length ‖ id ‖ signing seed (32) ‖ sealing key (32)`.
pub(crate) fn encode_keys(magic: &[u8; 4], id: &str, signing: &SigningKey, sealing: &SealingKey) -> Secret<Vec<u8>> {
    let mut w = Writer::with_capacity(magic.len() + 1 + id.len() + 64, magic);
    // Ids have at most 128 bytes.
    w.u8(u8::try_from(id.len()).unwrap_or(u8::MAX)).bytes(id.as_bytes());
    w.bytes(signing.expose()).bytes(sealing.expose());
    Secret::new(w.finish())
}

/// Reads what [`encode_keys`] wrote.
pub(crate) fn decode_keys<Id: FromStr>(
    bytes: &[u8],
    magic: &[u8; 4],
    what: &'static str,
) -> Result<(Id, SigningKey, SealingKey)> {
    let mut r = Reader::new(bytes, what);
    r.magic(magic)?;
    let length = r.u8()?;
    let id = str::from_utf8(r.take(length.into())?).map_err(|_| Error::Malformed(what))?;
    let id = id.parse().map_err(|_| Error::Malformed(what))?;
    let signing = SigningKey::from_seed(r.array()?);
    let sealing = SealingKey::from_bytes(r.array()?)?;
    r.finish()?;
    Ok((id, signing, sealing))
}

const MAGIC: &[u8; 4] = b"csi\x01";
