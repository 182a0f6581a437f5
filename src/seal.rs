//! Keys and sealing.

use crate::secret::Secret;

/// The 32-byte key that a capsule carries.
#[derive(Debug)]
pub struct SharedKey(Secret<[u8; 32]>);

impl SharedKey {
    pub(crate) fn new(key: Secret<[u8; 32]>) -> Self {
        Self(key)
    }

    /// The key's bytes.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// Compares in constant time.
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0)
    }
}
