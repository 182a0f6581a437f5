//! Signed statements: canonical CBOR under a label, Ed25519 over both.

use std::fmt;

use ed25519_dalek::{Signer, VerifyingKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::id::Hash;
use crate::secret::Secret;
use crate::wire::{self, public_bytes};

public_bytes! {
    /// An Ed25519 public key.
    pub struct SigningPublic(32);
}

public_bytes! {
    /// An Ed25519 signature.
    pub struct Signature(64);
}

/// An Ed25519 secret key, as its seed.
#[derive(Debug)]
pub(crate) struct SigningKey(Secret<[u8; 32]>);

impl SigningKey {
    pub(crate) fn generate() -> Result<Self> {
        Secret::random().map(Self)
    }

    pub(crate) fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Secret::build(|bytes| bytes.copy_from_slice(seed)))
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    pub(crate) fn public(&self) -> SigningPublic {
        SigningPublic(self.dalek().verifying_key().to_bytes())
    }

    pub(crate) fn sign(&self, label: &[u8], message: &[u8]) -> Signature {
        Signature(self.dalek().sign(&[label, message].concat()).to_bytes())
    }

    /// Wipes itself when dropped.
    fn dalek(&self) -> ed25519_dalek::SigningKey {
        ed25519_dalek::SigningKey::from_bytes(self.0.expose())
    }
}

impl SigningPublic {
    /// Strict verification: no small-order keys, no malleable signatures.
    pub(crate) fn verify(&self, label: &[u8], message: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        VerifyingKey::from_bytes(&self.0)
            .and_then(|key| key.verify_strict(&[label, message].concat(), &signature))
            .is_ok()
    }
}

/// A public key that was read once for many signatures.
#[derive(Clone)]
pub(crate) struct PreparedKey(VerifyingKey);

impl SigningPublic {
    /// None if it is no key.
    pub(crate) fn prepare(&self) -> Option<PreparedKey> {
        VerifyingKey::from_bytes(&self.0).ok().map(PreparedKey)
    }
}

impl PreparedKey {
    /// As [`SigningPublic::verify`].
    pub(crate) fn verify(&self, label: &[u8], message: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify_strict(&[label, message].concat(), &signature).is_ok()
    }
}

/// What can be signed: its bytes are canonical CBOR of at most [`Statement::LIMIT`] bytes.
pub(crate) trait Statement: Serialize + DeserializeOwned {
    const LABEL: &'static [u8];
    const WHAT: &'static str;
    const LIMIT: usize;
}

/// A statement with a signature: `Ed25519(label ‖ canonical CBOR of the statement)`.
///
/// A decoded value is only well-formed. What it says counts after it was verified under a key that is trusted for it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed<T> {
    statement: T,
    signature: Signature,
}

#[expect(private_bounds, reason = "the statements are this crate's own types")]
impl<T: Statement> Signed<T> {
    pub(crate) fn sign(statement: T, key: &SigningKey) -> Result<Self> {
        let signature = key.sign(T::LABEL, &wire::to_cbor(&statement, T::WHAT)?);
        Ok(Self { statement, signature })
    }

    /// What is signed: `label ‖ canonical CBOR of the statement`.
    pub(crate) fn message(statement: &T) -> Result<Vec<u8>> {
        Ok([T::LABEL, &wire::to_cbor(statement, T::WHAT)?].concat())
    }

    /// A statement with a signature that was made elsewhere.
    pub(crate) fn with_signature(statement: T, signature: Signature) -> Self {
        Self { statement, signature }
    }

    pub(crate) fn signature(&self) -> Signature {
        self.signature
    }

    pub(crate) fn verify(&self, key: &SigningPublic) -> Result<&T> {
        let bytes = wire::to_cbor(&self.statement, T::WHAT)?;
        if key.verify(T::LABEL, &bytes, &self.signature) { Ok(&self.statement) } else { Err(Error::Forged(T::WHAT)) }
    }

    /// What the statement says, as long as nobody relies on it.
    pub fn unverified(&self) -> &T {
        &self.statement
    }

    /// `SHA-256(label ‖ canonical CBOR of the statement)`; the signature is not in it.
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn hash(&self) -> Result<Hash> {
        let bytes = wire::to_cbor(&self.statement, T::WHAT)?;
        Ok(Hash(Sha256::new().chain_update(T::LABEL).chain_update(bytes).finalize().into()))
    }

    /// Canonical CBOR.
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn to_cbor(&self) -> Result<Vec<u8>> {
        wire::to_cbor(self, T::WHAT)
    }

    /// Reads canonical CBOR.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] or [`Error::TooLarge`].
    pub fn from_cbor(bytes: &[u8]) -> Result<Self> {
        wire::from_cbor(bytes, T::LIMIT, T::WHAT)
    }

    /// JSON with the same content.
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|_| Error::Malformed(T::WHAT))
    }

    /// Reads JSON.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] or [`Error::TooLarge`].
    pub fn from_json(text: &str) -> Result<Self> {
        wire::from_json(text, T::LIMIT, T::WHAT)
    }
}

impl<T: fmt::Debug> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signed").field(&self.statement).finish()
    }
}
