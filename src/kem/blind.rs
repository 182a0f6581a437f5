//! Blinded labels: attributes known to the store only by a keyed hash.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::Result;
use crate::policy::Leaf;
use crate::seal::label;
use crate::secret::Secret;

/// The key that an authority and those who write policies share so that nobody else reads attribute names off a tree.
///
/// A leaf becomes `HMAC-SHA-256(key, "chartseal blind v1" ‖ leaf)`.
///
/// # Security
///
/// Whoever holds this key can still guess names and compare. It hides names from the store, not from writers.
#[derive(Debug)]
pub struct RealmKey(Secret<[u8; 32]>);

impl RealmKey {
    /// A fresh key.
    ///
    /// # Errors
    ///
    /// [`Error::Randomness`](crate::Error::Randomness).
    pub fn generate() -> Result<Self> {
        Secret::random().map(Self)
    }

    /// A key from its bytes.
    pub fn from_secret(key: Secret<[u8; 32]>) -> Self {
        Self(key)
    }

    /// The key's bytes, to be shared with the realm's writers over a channel that keeps them secret.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    pub(super) fn blind(&self, leaf: &Leaf) -> Leaf {
        // HMAC fills a key up with zeros to the block of the hash.
        let mut block = Zeroizing::new([0; 64]);
        for (to, from) in block.iter_mut().zip(self.0.expose()) {
            *to = *from;
        }
        let mut mac = Hmac::<Sha256>::new((&*block).into());
        mac.update(label::KEM_BLIND);
        mac.update(leaf.as_bytes());
        Leaf::blinded(&mac.finalize().into_bytes().into())
    }
}
