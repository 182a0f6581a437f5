//! What is derived from a compartment key for its consent: the sealed terms and the write key.

use zeroize::Zeroizing;

use super::aead;
use super::key::{Cek, Prk, Salt};
use super::label;
use crate::error::{Error, Result};
use crate::secret::Secret;

const SALT: usize = 32;

/// What a sealed text is longer than the text: salt and tag.
pub(crate) const TERMS_OVERHEAD: usize = SALT + aead::TAG;

/// Seals the terms of a consent: `salt ‖ AEAD[HKDF[salt, TERMS_KEY](CEK), iv = 0](text) ‖ tag`. The salt is fresh, so
/// the key is used once.
pub(crate) fn seal_terms(cek: &Cek, header: &[u8], text: &[u8]) -> Result<Vec<u8>> {
    let salt = Salt::generate()?;
    let key = Prk::extract(salt.as_bytes(), cek.expose()).subkey(&[label::TERMS_KEY])?;
    let mut sealed = Vec::with_capacity(text.len() + TERMS_OVERHEAD);
    sealed.extend_from_slice(salt.as_bytes());
    sealed.extend_from_slice(text);
    let (_, text) = sealed.split_at_mut_checked(SALT).ok_or(Error::CannotOpen)?;
    let tag = aead::seal(&key, &ZERO_IV, header, text)?;
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

/// Opens what [`seal_terms`] sealed.
pub(crate) fn open_terms(cek: &Cek, header: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let (salt, rest) = sealed.split_first_chunk::<SALT>().ok_or(Error::CannotOpen)?;
    let (text, tag) = rest.split_last_chunk::<{ aead::TAG }>().ok_or(Error::CannotOpen)?;
    let key = Prk::extract(salt, cek.expose()).subkey(&[label::TERMS_KEY])?;
    let mut text = Zeroizing::new(text.to_vec());
    aead::open(&key, &ZERO_IV, header, &mut text, tag)?;
    Ok(text)
}

/// The seed of a compartment's write key pair: `HKDF[salt, WRITE](CEK)`.
pub(crate) fn write_seed(cek: &Cek, salt: &Salt) -> Result<Secret<[u8; 32]>> {
    let seed = Prk::extract(salt.as_bytes(), cek.expose()).subkey(&[label::WRITE])?;
    Ok(Secret::build(|bytes| bytes.copy_from_slice(seed.as_slice())))
}

/// What keeps the hash of a ceiling from being a test of what it says: `HKDF[salt, CEILING_SALT](CEK)`.
pub(crate) fn ceiling_salt(cek: &Cek, salt: &Salt) -> Result<Salt> {
    let derived = Prk::extract(salt.as_bytes(), cek.expose()).subkey(&[label::CEILING_SALT])?;
    let mut bytes = [0; SALT];
    bytes.iter_mut().zip(derived.iter()).for_each(|(to, from)| *to = *from);
    Ok(Salt(bytes))
}

/// The seeds of a custodian's signing and sealing keys: `HKDF[salt = 32 zero bytes, CUSTODIAN_SIGNING ‖ id](master key)`,
/// and the same with `CUSTODIAN_SEALING`.
pub(crate) fn custodian_seeds(master: &Secret<[u8; 32]>, id: &str) -> Result<[Secret<[u8; 32]>; 2]> {
    let id = id.as_bytes();
    two_seeds(master, &[label::CUSTODIAN_SIGNING, id], &[label::CUSTODIAN_SEALING, id])
}

/// The seeds of a recovery key's signing and sealing keys: `HKDF[salt = 32 zero bytes, RECOVERY_SIGNING](secret)`, and the
/// same with `RECOVERY_SEALING`.
pub(crate) fn recovery_seeds(secret: &Secret<[u8; 32]>) -> Result<[Secret<[u8; 32]>; 2]> {
    two_seeds(secret, &[label::RECOVERY_SIGNING], &[label::RECOVERY_SEALING])
}

fn two_seeds(secret: &Secret<[u8; 32]>, one: &[&[u8]], two: &[&[u8]]) -> Result<[Secret<[u8; 32]>; 2]> {
    let prk = Prk::extract(&[0; 32], secret.expose());
    let seed = |info: &[&[u8]]| -> Result<Secret<[u8; 32]>> {
        let seed = prk.subkey(info)?;
        Ok(Secret::build(|bytes| bytes.copy_from_slice(seed.as_slice())))
    };
    Ok([seed(one)?, seed(two)?])
}

const ZERO_IV: [u8; aead::IV] = [0; aead::IV];
