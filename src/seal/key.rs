//! The key types, their derivations and their commitments.

use std::fmt;

use hkdf::Hkdf;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::label;
use crate::error::{Error, Result};
use crate::id::KeyId;
use crate::secret::Secret;
use crate::wire::bytes;

macro_rules! key_type {
    ($(#[$doc:meta])* $vis:vis $name:ident) => {
        $(#[$doc])*
        $vis struct $name(Secret<[u8; 32]>);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

key_type!(
    /// What a capsule of the KEM carries: 32 bytes, the same for every key that satisfies the policy.
    ///
    /// It wraps a [`Cek`] ([`wrap_cek`](super::wrap_cek)) or is taken out ([`SharedKey::expose`]) by whoever uses the
    /// KEM alone.
    pub SharedKey
);

key_type!(
    /// A compartment key: 32 random bytes for one owner, compartment and generation. It wraps the DEKs of the
    /// compartment's records.
    ///
    /// It has no `Clone`, no serde and a redacted `Debug`; it is wiped when dropped.
    ///
    /// # Example
    ///
    /// ```
    /// use chartseal::seal::{Cek, Salt};
    ///
    /// let (cek, other, salt) = (Cek::generate()?, Cek::generate()?, Salt::generate()?);
    /// let commitment = cek.commit(&salt)?;
    /// assert!(cek.verify(&salt, &commitment).is_ok());
    /// assert!(other.verify(&salt, &commitment).is_err());
    /// assert_eq!(format!("{cek:?}"), "Cek(..)");
    /// # Ok::<(), chartseal::Error>(())
    /// ```
    pub Cek
);

key_type!(
    /// The key of one part of a record: 32 random bytes, drawn afresh for each.
    pub(crate) Dek
);

impl SharedKey {
    /// Takes over a shared key that was not made by this crate's KEM.
    ///
    /// # Security
    ///
    /// The bytes must be uniformly random and known to nobody else. A password is not such a key.
    pub fn danger_from_bytes(bytes: Secret<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// Shows the bytes. Derive from them, with a label of your own; do not use them as a cipher's key as they are.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// Compares in constant time.
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0)
    }
}

impl Cek {
    /// Draws a new key.
    ///
    /// # Errors
    ///
    /// [`Error::Randomness`] when the operating system gives no randomness.
    pub fn generate() -> Result<Self> {
        Secret::random().map(Self)
    }

    /// Takes over the bytes of a key: for test vectors, and for hosts that keep compartment keys themselves.
    ///
    /// # Security
    ///
    /// The bytes must be uniformly random and never have served another purpose.
    pub fn danger_from_bytes(bytes: Secret<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The commitment to this key under `salt`: `HKDF[salt, "chartseal-1 cek commit"](CEK, 32)`. It tells nothing of the
    /// key, and no second key has the same one.
    ///
    /// # Errors
    ///
    /// None in practice: HKDF refuses only outputs of more than 8160 bytes.
    pub fn commit(&self, salt: &Salt) -> Result<Commitment> {
        Prk::extract(&salt.0, self.expose()).commitment(label::CEK_COMMIT)
    }

    /// Checks, in constant time, that this is the key that `commitment` was made for.
    ///
    /// # Errors
    ///
    /// [`Error::CannotOpen`] if it is not.
    pub fn verify(&self, salt: &Salt, commitment: &Commitment) -> Result<()> {
        if self.commit(salt)? == *commitment { Ok(()) } else { Err(Error::CannotOpen) }
    }

    pub(crate) fn from_secret(secret: Secret<[u8; 32]>) -> Self {
        Self(secret)
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

impl Dek {
    pub(crate) fn generate() -> Result<Self> {
        Secret::random().map(Self)
    }

    pub(crate) fn from_secret(secret: Secret<[u8; 32]>) -> Self {
        Self(secret)
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

/// The public, random salt of a commitment: 32 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt(pub(crate) [u8; 32]);

/// A commitment to a key: 32 bytes, public. Compared in constant time.
#[derive(Clone, Eq)]
pub struct Commitment(pub(crate) [u8; 32]);

impl Salt {
    /// Draws a new salt.
    ///
    /// # Errors
    ///
    /// [`Error::Randomness`] when the operating system gives no randomness.
    pub fn generate() -> Result<Self> {
        let mut salt = [0; 32];
        fill_random(&mut salt)?;
        Ok(Self(salt))
    }

    /// The salt's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Commitment {
    /// The commitment's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The id of the compartment key that this is the commitment to: its first 16 bytes.
    pub fn key_id(&self) -> KeyId {
        let mut id = [0; 16];
        id.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        KeyId::from(id)
    }
}

impl PartialEq for Commitment {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

macro_rules! public_bytes {
    ($name:ident) => {
        impl From<[u8; 32]> for $name {
            fn from(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(32 bytes)"))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                bytes::serialize(&self.0, serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                bytes::deserialize_array(deserializer).map(Self)
            }
        }
    };
}

public_bytes!(Salt);
public_bytes!(Commitment);

/// The state of HKDF after Extract: the two HMAC halves are hashed in once, and each subkey starts from them.
pub(super) struct Prk(Hkdf<Sha256>);

impl Prk {
    pub(super) fn extract(salt: &[u8; 32], key: &[u8; 32]) -> Self {
        let (mut prk, hkdf) = Hkdf::<Sha256>::extract(Some(salt), key);
        prk.as_mut_slice().zeroize();
        Self(hkdf)
    }

    /// One subkey: HKDF-Expand of the concatenated info.
    pub(super) fn subkey(&self, info: &[&[u8]]) -> Result<Zeroizing<[u8; 32]>> {
        let mut key = Zeroizing::new([0; 32]);
        // 32 bytes are one block; Expand refuses more than 255.
        self.0.expand_multi_info(info, key.as_mut_slice()).map_err(|_| Error::TooLarge("derived key"))?;
        Ok(key)
    }

    pub(super) fn commitment(&self, label: &[u8]) -> Result<Commitment> {
        self.subkey(&[label]).map(|key| Commitment(*key))
    }
}

/// Fills a public buffer (salts, IVs) from the operating system.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|_| Error::Randomness)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::ZeroizeOnDrop;

    fn wiped<T: ZeroizeOnDrop>() {}

    #[test]
    fn keys_and_what_is_derived_from_them_are_wiped() {
        // Each key is a `Secret` and nothing else.
        let (Cek(_), Dek(_), SharedKey(_)): (Cek, Dek, SharedKey) = (
            Cek(Secret::<[u8; 32]>::new([0; 32])),
            Dek(Secret::<[u8; 32]>::new([0; 32])),
            SharedKey(Secret::<[u8; 32]>::new([0; 32])),
        );
        // The state of HKDF is that of HMAC: two states and one buffer of the hash, which wipe themselves.
        wiped::<Sha256>();
        wiped::<aes_gcm::Aes256Gcm>();
        wiped::<Zeroizing<[u8; 32]>>();
    }

    /// RFC 2104 and RFC 5869, spelled out over the hash alone.
    #[test]
    fn a_subkey_is_one_block_of_hkdf_sha_256() {
        use sha2::Digest;
        let hmac = |key: &[u8], text: &[u8]| {
            let padded = |pad: u8| -> [u8; 64] { std::array::from_fn(|i| key.get(i).copied().unwrap_or(0) ^ pad) };
            let inner = Sha256::digest([&padded(0x36), text].concat());
            Sha256::digest([&padded(0x5c), inner.as_slice()].concat())
        };
        let prk = hmac(&[1; 32], &[2; 32]);
        let expected = hmac(&prk, b"one two\x01");
        assert_eq!(Prk::extract(&[1; 32], &[2; 32]).subkey(&[b"one ", b"two"]).unwrap()[..], expected[..]);
    }
}
