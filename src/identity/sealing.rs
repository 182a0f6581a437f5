//! Sealing to a person: HPKE base mode (RFC 9180), DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, one message a
//! context.

use std::convert::Infallible;
use std::fmt;

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
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
        self.seal_with(Secret::random()?, info, aad, message)
    }

    /// Seals a message under the ephemeral key pair that `DeriveKeyPair(ikm)` gives. The secret serves one recipient, info,
    /// AAD and message: with another AAD or message, one key and nonce of AES-GCM would be used twice.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] for a public key that is none.
    pub(crate) fn seal_with(&self, ikm: Secret<[u8; 32]>, info: &[u8], aad: &[u8], message: &[u8]) -> Result<Sealed> {
        let public = Public::from_bytes(&self.0).map_err(|_| Error::Malformed("sealing key"))?;
        let mut once = Once { ikm: Some(ikm), refused: false };
        let (encapped, mut context) = hpke::setup_sender_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &public,
            info,
            &mut once,
        )
        .map_err(|_| Error::Malformed("sealing key"))?;
        if once.refused {
            return Err(Error::Randomness);
        }
        let data = context.seal(message, aad).map_err(|_| Error::TooLarge("sealed message"))?;
        Ok(Sealed { encapped: EncappedKey(encapped.to_bytes().into()), data })
    }
}

/// A source of randomness that has 32 bytes, for one asking: HPKE derives its ephemeral key pair from them. Whoever asks
/// otherwise gets zeros, and nothing is made of them.
struct Once {
    ikm: Option<Secret<[u8; 32]>>,
    refused: bool,
}

impl TryRng for Once {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> std::result::Result<u32, Infallible> {
        self.refused = true;
        Ok(0)
    }

    fn try_next_u64(&mut self) -> std::result::Result<u64, Infallible> {
        self.refused = true;
        Ok(0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> std::result::Result<(), Infallible> {
        match self.ikm.take() {
            Some(ikm) if bytes.len() == ikm.expose().len() => bytes.copy_from_slice(ikm.expose()),
            _ => {
                bytes.fill(0);
                self.refused = true;
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for Once {}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn ikm() -> Secret<[u8; 32]> {
        Secret::new([7; 32])
    }

    /// RFC 9180, section 7.1.3, spelled out: `sk = LabeledExpand(LabeledExtract("", "dkp_prk", ikm), "sk", "", 32)`.
    #[test]
    fn the_ephemeral_key_pair_is_the_one_that_the_secret_derives() {
        let suite = b"KEM\x00\x20";
        let (_, prk) =
            hkdf::Hkdf::<sha2::Sha256>::extract(None, &[b"HPKE-v1", &suite[..], b"dkp_prk", &[7; 32]].concat());
        let mut secret = [0; 32];
        let info = [b"\x00\x20HPKE-v1", &suite[..], b"sk"].concat();
        prk.expand(&info, &mut secret).unwrap();
        let ephemeral = SealingKey::from_bytes(&secret).unwrap().public();

        let to = SealingKey::derive(&Secret::new([8; 32]));
        let sealed = to.public().seal_with(ikm(), b"info", b"aad", b"message").unwrap();
        assert_eq!(sealed.encapped.0, ephemeral.0);
        assert_eq!(to.open(b"info", b"aad", &sealed).unwrap().expose(), b"message");
        assert!(to.public().seal_with(ikm(), b"info", b"aad", b"message").unwrap() == sealed);
        assert!(to.public().seal(b"info", b"aad", b"message").unwrap() != sealed);
    }

    /// What has to be bound into the secret: recipient and info make another key, and AAD and message do not.
    #[test]
    fn one_secret_for_two_messages_would_repeat_the_key_stream() {
        let to = SealingKey::derive(&Secret::new([8; 32])).public();
        let one = to.seal_with(ikm(), b"info", b"aad", b"message one").unwrap();
        let two = to.seal_with(ikm(), b"info", b"AAD", b"message two").unwrap();
        let difference: Vec<u8> = one.data.iter().zip(&two.data).map(|(one, two)| one ^ two).take(8).collect();
        assert_eq!((one.encapped == two.encapped, difference), (true, vec![0; 8]));
        let three = to.seal_with(ikm(), b"into", b"aad", b"message one").unwrap();
        assert_ne!(one.data[..8], three.data[..8]);
    }

    #[test]
    fn a_secret_is_given_out_once_and_whole_or_not_at_all() {
        let mut once = Once { ikm: Some(ikm()), refused: false };
        let mut bytes = [1; 32];
        once.try_fill_bytes(&mut bytes).unwrap();
        assert_eq!((bytes, once.refused, once.ikm.is_none()), ([7; 32], false, true));
        once.try_fill_bytes(&mut bytes).unwrap();
        assert_eq!((bytes, once.refused), ([0; 32], true));
        for ask in [
            (|once: &mut Once| once.try_fill_bytes(&mut [1; 31]).unwrap()) as fn(&mut Once),
            |once| assert_eq!(once.try_next_u32().unwrap(), 0),
            |once| assert_eq!(once.try_next_u64().unwrap(), 0),
        ] {
            let mut once = Once { ikm: Some(ikm()), refused: false };
            ask(&mut once);
            assert!(once.refused);
        }
    }
}
