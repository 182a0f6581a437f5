//! A key under another key, 80 bytes.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::aead;
use super::header::WrapHeader;
use super::key::{Cek, Dek, Prk, Salt, SharedKey};
use super::label;
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::wire::bytes;

const SALT: usize = 32;
const KEY: usize = 32;
const WRAPPED: usize = SALT + KEY + aead::TAG;

/// A wrapped key: salt (32 bytes) ‖ ciphertext (32 bytes) ‖ tag (16 bytes).
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey([u8; WRAPPED]);

impl WrappedKey {
    /// The 80 bytes.
    pub fn as_bytes(&self) -> &[u8; 80] {
        &self.0
    }
}

impl From<[u8; 80]> for WrappedKey {
    fn from(bytes: [u8; 80]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrappedKey(80 bytes)")
    }
}

impl Serialize for WrappedKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        bytes::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for WrappedKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bytes::deserialize_array(deserializer).map(Self)
    }
}

/// Wraps a compartment key under the KEM's shared key. `context` is authenticated with it, whole and as it is: put in
/// everything that the wrap must not be moved away from, in an unambiguous encoding.
///
/// # Errors
///
/// [`Error::Randomness`] when the operating system gives no randomness.
///
/// # Example
///
/// ```
/// use chartseal::Secret;
/// use chartseal::seal::{Cek, SharedKey, unwrap_cek, wrap_cek};
///
/// let shared = SharedKey::danger_from_bytes(Secret::random()?);
/// let wrapped = wrap_cek(&shared, b"alice/cardiology/1", &Cek::generate()?)?;
/// assert!(unwrap_cek(&shared, b"alice/cardiology/1", &wrapped).is_ok());
/// assert!(unwrap_cek(&shared, b"alice/cardiology/2", &wrapped).is_err());
/// # Ok::<(), chartseal::Error>(())
/// ```
pub fn wrap_cek(shared: &SharedKey, context: &[u8], cek: &Cek) -> Result<WrappedKey> {
    wrap_cek_with(shared, context, cek, &Salt::generate()?)
}

/// As [`wrap_cek`], with a salt that is never used for two keys or contexts.
pub(crate) fn wrap_cek_with(shared: &SharedKey, context: &[u8], cek: &Cek, salt: &Salt) -> Result<WrappedKey> {
    wrap((shared.expose(), salt), label::CEK_WRAP_KEY, &cek_wrap_header(context), cek.expose())
}

/// What a wrap of a compartment key authenticates.
pub(crate) fn cek_wrap_header(context: &[u8]) -> Vec<u8> {
    [label::CEK_WRAP, context].concat()
}

/// Unwraps what [`wrap_cek`] wrapped.
///
/// # Errors
///
/// [`Error::CannotOpen`] if the key or the context is another one, or a byte was altered.
///
/// # Security
///
/// A wrap does not commit to its key: check the compartment key with [`Cek::verify`] before you use it.
pub fn unwrap_cek(shared: &SharedKey, context: &[u8], wrapped: &WrappedKey) -> Result<Cek> {
    unwrap(shared.expose(), label::CEK_WRAP_KEY, &cek_wrap_header(context), wrapped).map(Cek::from_secret)
}

/// Wraps a DEK under the compartment key.
pub(crate) fn wrap_dek(cek: &Cek, header: &WrapHeader, dek: &Dek) -> Result<WrappedKey> {
    wrap((cek.expose(), &Salt::generate()?), label::DEK_WRAP_KEY, header.as_bytes(), dek.expose())
}

/// Unwraps what [`wrap_dek`] wrapped.
pub(crate) fn unwrap_dek(cek: &Cek, header: &WrapHeader, wrapped: &WrappedKey) -> Result<Dek> {
    unwrap(cek.expose(), label::DEK_WRAP_KEY, header.as_bytes(), wrapped).map(Dek::from_secret)
}

// The key of a wrap is used once: its salt is fresh, or made from all that is wrapped. So the IV says nothing and is zero.
const ZERO_IV: [u8; aead::IV] = [0; aead::IV];

fn wrap((key, salt): (&[u8; 32], &Salt), info: &[u8], header: &[u8], payload: &[u8; KEY]) -> Result<WrappedKey> {
    let subkey = Prk::extract(salt.as_bytes(), key).subkey(&[info])?;
    let mut text = Zeroizing::new(*payload);
    let tag = aead::seal(&subkey, &ZERO_IV, header, text.as_mut_slice())?;

    let mut wrapped = [0; WRAPPED];
    let parts = salt.as_bytes().iter().chain(text.iter()).chain(tag.iter());
    wrapped.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
    Ok(WrappedKey(wrapped))
}

fn unwrap(key: &[u8; 32], info: &[u8], header: &[u8], wrapped: &WrappedKey) -> Result<Secret<[u8; KEY]>> {
    let (salt, rest) = wrapped.0.split_first_chunk::<SALT>().ok_or(Error::CannotOpen)?;
    let (text, tag) = rest.split_first_chunk::<KEY>().ok_or(Error::CannotOpen)?;
    let tag = tag.first_chunk::<{ aead::TAG }>().ok_or(Error::CannotOpen)?;

    let subkey = Prk::extract(salt, key).subkey(&[info])?;
    let mut opened = Err(Error::CannotOpen);
    let payload = Secret::build(|payload| {
        opened = aead::open_into(&subkey, &ZERO_IV, header, (text, payload), tag);
    });
    opened.map(|()| payload)
}
