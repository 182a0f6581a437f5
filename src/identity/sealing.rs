//! Sealing to a person: HPKE base mode (RFC 9180), DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, one message a
//! context.

use std::fmt;

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::wire::{self, public_bytes};

type Private = <X25519HkdfSha256 as Kem>::PrivateKey;
type Public = <X25519HkdfSha256 as Kem>::PublicKey;
type Encapped = <X25519HkdfSha256 as Kem>::EncappedKey;

public_bytes! {
    /// An X25519 public key for HPKE.
    pub struct SealingPublic(32);
}

public_bytes! {
    /// The encapsulated key of one HPKE message.
    pub struct EncappedKey(32);
}

/// An X25519 secret key for HPKE.
#[derive(Debug)]
pub(crate) struct SealingKey(Secret<[u8; 32]>);

/// One message to one holder of a sealing key; it does not tell whom it is for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    encapped: EncappedKey,
    #[serde(with = "data")]
    data: Vec<u8>,
}

impl SealingKey {
    /// `DeriveKeyPair` (RFC 9180, section 7.1.3) of 32 random bytes.
    pub(crate) fn generate() -> Result<Self> {
        Ok(Self::derive(&Secret::random()?))
    }

    /// `DeriveKeyPair` of a secret that is uniformly random.
    pub(crate) fn derive(ikm: &Secret<[u8; 32]>) -> Self {
        let (private, _) = X25519HkdfSha256::derive_keypair(ikm.expose());
        let mut bytes = private.to_bytes();
        let key = Secret::build(|key| key.copy_from_slice(&bytes));
        bytes.zeroize();
        Self(key)
    }

    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Result<Self> {
        Private::from_bytes(bytes).map_err(|_| Error::Malformed("sealing key"))?;
        Ok(Self(Secret::build(|key| key.copy_from_slice(bytes))))
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    pub(crate) fn public(&self) -> SealingPublic {
        // A secret key that was made or checked above always decodes.
        let public = self.private().map(|private| X25519HkdfSha256::sk_to_pk(&private).to_bytes().into());
        SealingPublic(public.unwrap_or_default())
    }

    /// Opens a message.
    ///
    /// # Errors
    ///
    /// [`Error::CannotOpen`].
    pub(crate) fn open(&self, info: &[u8], aad: &[u8], sealed: &Sealed) -> Result<Secret<Vec<u8>>> {
        let encapped = Encapped::from_bytes(&sealed.encapped.0).map_err(|_| Error::CannotOpen)?;
        let mut context = hpke::setup_receiver::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.private()?,
            &encapped,
            info,
        )
        .map_err(|_| Error::CannotOpen)?;
        context.open(&sealed.data, aad).map(Secret::new).map_err(|_| Error::CannotOpen)
    }

    fn private(&self) -> Result<Private> {
        Private::from_bytes(self.0.expose()).map_err(|_| Error::CannotOpen)
    }
}

impl SealingPublic {
    /// Seals a message.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] for a public key that is none, [`Error::Randomness`].
    pub(crate) fn seal(&self, info: &[u8], aad: &[u8], message: &[u8]) -> Result<Sealed> {
        let public = Public::from_bytes(&self.0).map_err(|_| Error::Malformed("sealing key"))?;
        // Asked here, since HPKE's own source of randomness has no way to say that it failed.
        getrandom::fill(&mut [0; 1]).map_err(|_| Error::Randomness)?;
        let (encapped, mut context) =
            hpke::setup_sender::<AesGcm256, HkdfSha256, X25519HkdfSha256>(&OpModeS::Base, &public, info)
                .map_err(|_| Error::Malformed("sealing key"))?;
        let data = context.seal(message, aad).map_err(|_| Error::TooLarge("sealed message"))?;
        Ok(Sealed { encapped: EncappedKey(encapped.to_bytes().into()), data })
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.data.len())
    }
}

/// Most bytes of a sealed message.
const MAX_SEALED: usize = 4 << 20;

mod data {
    use super::{MAX_SEALED, wire};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(data: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        wire::bytes::serialize(data, serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        wire::bytes::deserialize(deserializer, MAX_SEALED)
    }
}
