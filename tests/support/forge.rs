//! An authority written a second time, from the description of the format alone: it signs whatever it is told.

use chartseal::authority::Anchor;
use chartseal::identity::{Signature, SigningPublic};
use ed25519_dalek::{Signer, SigningKey};
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeS, Serializable};
use serde::Serialize;
use sha2::{Digest, Sha256};

pub(crate) const CREDENTIAL: &str = "chartseal-1 sign credential: ";
pub(crate) const PARAMETERS: &str = "chartseal-1 sign parameters: ";
pub(crate) const REVOCATIONS: &str = "chartseal-1 sign revocations: ";
pub(crate) const PEOPLE: &str = "chartseal-1 sign people: ";

pub(crate) struct Forge(SigningKey);

#[derive(Serialize)]
struct Signed<'a, T> {
    statement: &'a T,
    signature: Signature,
}

impl Forge {
    pub(crate) fn new(seed: u8) -> Self {
        Self::of(&[seed; 32])
    }

    pub(crate) fn of(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    pub(crate) fn anchor(&self, authority: &str) -> Anchor {
        let key = SigningPublic::from(self.0.verifying_key().to_bytes());
        Anchor { authority: authority.parse().unwrap(), key }
    }

    /// The CBOR of the signed statement.
    pub(crate) fn sign<T: Serialize>(&self, label: &str, statement: &T) -> Vec<u8> {
        let message = [label.as_bytes(), &cbor(statement)].concat();
        cbor(&Signed { statement, signature: self.0.sign(&message).to_bytes().into() })
    }
}

/// What [`chartseal::identity::Signed::hash`] has to be.
pub(crate) fn hash<T: Serialize>(label: &str, statement: &T) -> [u8; 32] {
    Sha256::new().chain_update(label).chain_update(cbor(statement)).finalize().into()
}

/// A message to a sealing key: the encapsulated key and the ciphertext.
pub(crate) fn hpke_seal(to: &[u8; 32], info: &[u8], aad: &[u8], message: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let to = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(to).unwrap();
    let (encapped, mut context) =
        hpke::setup_sender::<AesGcm256, HkdfSha256, X25519HkdfSha256>(&OpModeS::Base, &to, info).unwrap();
    (encapped.to_bytes().to_vec(), context.seal(message, aad).unwrap())
}

pub(crate) fn cbor<T: Serialize>(value: &T) -> Vec<u8> {
    cbor4ii::serde::to_vec(Vec::new(), value).unwrap()
}
