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

/// Seals the terms of a consent: `salt ‖ AEAD[HKDF[salt, TERMS_KEY](CEK), iv = 0](text) ‖ tag`. The salt is made from
/// the header and the text, so the key is used for one text alone.
pub(crate) fn seal_terms(cek: &Cek, header: &[u8], text: &[u8]) -> Result<Vec<u8>> {
    seal_terms_with(cek, header, text, &terms_salt(cek, header, text)?)
}

/// With a salt of the caller's choice.
pub(crate) fn seal_terms_with(cek: &Cek, header: &[u8], text: &[u8], salt: &Salt) -> Result<Vec<u8>> {
    let key = Prk::extract(salt.as_bytes(), cek.expose()).subkey(&[label::TERMS_KEY])?;
    let mut sealed = Vec::with_capacity(text.len() + TERMS_OVERHEAD);
    sealed.extend_from_slice(salt.as_bytes());
    sealed.extend_from_slice(text);
    let (_, text) = sealed.split_at_mut_checked(SALT).ok_or(Error::CannotOpen)?;
    let tag = aead::seal(&key, &ZERO_IV, header, text)?;
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

/// `HKDF[32 zero bytes](CEK, TERMS_SALT ‖ lp(header) ‖ text)`. The header names the key's own salt.
fn terms_salt(cek: &Cek, header: &[u8], text: &[u8]) -> Result<Salt> {
    let length = u16::try_from(header.len()).map_err(|_| Error::TooLarge("terms"))?;
    let prk = Prk::extract(&[0; SALT], cek.expose());
    let salt = prk.subkey(&[label::TERMS_SALT, &length.to_be_bytes(), header, text])?;
    Ok(Salt(*salt))
}

/// Opens what [`seal_terms`] sealed, and nothing that was sealed under another salt.
pub(crate) fn open_terms(cek: &Cek, header: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let (salt, rest) = sealed.split_first_chunk::<SALT>().ok_or(Error::CannotOpen)?;
    let (text, tag) = rest.split_last_chunk::<{ aead::TAG }>().ok_or(Error::CannotOpen)?;
    let key = Prk::extract(salt, cek.expose()).subkey(&[label::TERMS_KEY])?;
    let mut text = Zeroizing::new(text.to_vec());
    aead::open(&key, &ZERO_IV, header, &mut text, tag)?;
    if terms_salt(cek, header, &text)?.as_bytes() == salt { Ok(text) } else { Err(Error::CannotOpen) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_texts_or_headers_never_share_a_salt_and_a_chosen_one_does_not_open() {
        let cek = Cek::from_secret(Secret::new([1; 32]));
        let sealed = |header: &[u8], text: &[u8]| seal_terms(&cek, header, text).unwrap();
        let all = [
            sealed(b"header", b"text"),
            sealed(b"header", b"test"),
            sealed(b"heade", b"rtext"),
            sealed(b"header", b"text "),
            sealed(b"header", b""),
        ];
        let salts: std::collections::BTreeSet<_> = all.iter().map(|sealed| sealed[..SALT].to_vec()).collect();
        assert_eq!(salts.len(), all.len());
        assert_eq!(sealed(b"header", b"text"), all[0]);
        assert_eq!(open_terms(&cek, b"header", &all[0]).unwrap().as_slice(), b"text");
        let chosen = seal_terms_with(&cek, b"header", b"text", &Salt([7; 32])).unwrap();
        assert_eq!(open_terms(&cek, b"header", &chosen).unwrap_err(), Error::CannotOpen);
    }
}
