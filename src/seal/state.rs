//! What an authority keeps in a store, sealed under a key of its house.

use zeroize::Zeroizing;

use super::aead;
use super::key::{Prk, fill_random};
use super::label;
use crate::error::{Error, Result};
use crate::id::{AuthorityId, Hash};
use crate::secret::Secret;

/// Seals the pieces of one authority's state, each as
/// `salt ‖ AEAD[HKDF[salt, AUTHORITY_KEY](key), iv = 0, header](text) ‖ tag` with a salt of 32 random bytes.
pub(crate) struct StateKey {
    key: Secret<[u8; 32]>,
    authority: AuthorityId,
}

/// Which piece it is: part of what is authenticated.
#[derive(Debug, Clone, Copy)]
pub(crate) enum StatePiece<'a> {
    /// The keys and the versions, beside parts with this hash.
    Core(&'a Hash),
    /// The people of the shard of this number.
    Shard(u64),
}

impl StateKey {
    pub(crate) fn new(key: &Secret<[u8; 32]>, authority: AuthorityId) -> Self {
        Self { key: key.duplicate(), authority }
    }

    pub(crate) fn seal(&self, piece: StatePiece<'_>, text: &[u8]) -> Result<Vec<u8>> {
        let mut salt = [0; SALT];
        fill_random(&mut salt)?;
        // Reserved at once, so that no growth leaves a copy behind.
        let mut sealed = Vec::with_capacity(SALT + text.len() + aead::TAG);
        sealed.extend_from_slice(&salt);
        sealed.extend_from_slice(text);
        let (_, text) = sealed.split_at_mut_checked(SALT).ok_or(Error::CannotOpen)?;
        let tag = aead::seal(&*self.subkey(&salt)?, &ZERO_IV, &self.header(piece), text)?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    pub(crate) fn open(&self, piece: StatePiece<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let (salt, rest) = sealed.split_first_chunk::<SALT>().ok_or(Error::CannotOpen)?;
        let (text, tag) = rest.split_last_chunk::<{ aead::TAG }>().ok_or(Error::CannotOpen)?;
        let mut text = Zeroizing::new(text.to_vec());
        aead::open(&*self.subkey(salt)?, &ZERO_IV, &self.header(piece), &mut text, tag)?;
        Ok(text)
    }

    fn subkey(&self, salt: &[u8; SALT]) -> Result<Zeroizing<[u8; 32]>> {
        Prk::extract(salt, self.key.expose()).subkey(&[label::AUTHORITY_KEY])
    }

    /// `label ‖ u8 length ‖ authority ‖ hash or number`.
    fn header(&self, piece: StatePiece<'_>) -> Vec<u8> {
        let id = self.authority.as_str().as_bytes();
        // An id has 64 bytes at most.
        let length = [u8::try_from(id.len()).unwrap_or(u8::MAX)];
        match piece {
            StatePiece::Core(parts) => [label::AUTHORITY_STATE, &length, id, parts.as_bytes()].concat(),
            StatePiece::Shard(number) => [label::AUTHORITY_SHARD, &length, id, &number.to_be_bytes()].concat(),
        }
    }
}

const SALT: usize = 32;
const ZERO_IV: [u8; aead::IV] = [0; aead::IV];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_opens_as_what_it_was_sealed_as_and_as_nothing_else() {
        let key = |byte: u8, id: &str| StateKey::new(&Secret::new([byte; 32]), id.parse().unwrap());
        let (hash, other) = (Hash([1; 32]), Hash([2; 32]));
        let pieces = [StatePiece::Core(&hash), StatePiece::Core(&other), StatePiece::Shard(0), StatePiece::Shard(1)];
        let house = key(7, "st-olave");
        for (at, piece) in pieces.into_iter().enumerate() {
            let sealed = house.seal(piece, b"text").unwrap();
            assert_ne!(sealed, house.seal(piece, b"text").unwrap(), "a salt is drawn for each");
            for (opened, other) in pieces.into_iter().enumerate() {
                assert_eq!(house.open(other, &sealed).is_ok(), at == opened, "{piece:?} as {other:?}");
            }
            assert_eq!(house.open(piece, &sealed).unwrap().as_slice(), b"text");
            for wrong in [key(8, "st-olave"), key(7, "st-olav"), key(7, "st-bride")] {
                assert_eq!(wrong.open(piece, &sealed).unwrap_err(), Error::CannotOpen);
            }
            for length in 0..sealed.len() {
                assert_eq!(house.open(piece, &sealed[..length]).unwrap_err(), Error::CannotOpen);
            }
        }
    }
}
