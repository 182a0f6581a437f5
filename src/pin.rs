//! What was seen last of everything that is published in versions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::id::{Hash, Version};
use crate::wire;

/// The memory of a reader: for each versioned statement (public parameters, revocation list, map of people, device list,
/// consent) the highest version that was accepted, and its hash.
///
/// Who has seen version v never accepts less, nor another statement under the same number. Keep it where it outlives the
/// process and is not restored from backups ([`PinStore::to_cbor`]); whoever has no memory can be shown an old statement
/// until it expires.
///
/// # Example
///
/// ```
/// use chartseal::pin::PinStore;
///
/// let pins = PinStore::default();
/// assert_eq!(PinStore::from_cbor(&pins.to_cbor()?)?, pins);
/// # Ok::<(), chartseal::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinStore {
    pins: BTreeMap<String, Pin>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    version: Version,
    hash: Hash,
}

impl PinStore {
    /// Accepts a verified statement, and remembers it if it is the newest.
    ///
    /// # Errors
    ///
    /// [`Error::Rollback`] if a later version was seen, [`Error::Fork`] if the same version was seen with another hash.
    pub(crate) fn accept(&mut self, what: &'static str, name: &str, version: Version, hash: Hash) -> Result<()> {
        let pin = self.pins.entry(format!("{what}/{name}")).or_insert(Pin { version, hash });
        if version < pin.version {
            return Err(Error::Rollback(what));
        }
        if version == pin.version && hash != pin.hash {
            return Err(Error::Fork(what));
        }
        *pin = Pin { version, hash };
        Ok(())
    }

    /// Canonical CBOR.
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn to_cbor(&self) -> Result<Vec<u8>> {
        wire::to_cbor(self, WHAT)
    }

    /// Reads canonical CBOR.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] or [`Error::TooLarge`].
    pub fn from_cbor(bytes: &[u8]) -> Result<Self> {
        wire::from_cbor(bytes, 64 << 20, WHAT)
    }
}

const WHAT: &str = "pin store";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_store_refuses_what_is_older_and_what_conflicts() {
        let mut pins = PinStore::default();
        let mut accept = |name: &str, version, hash| pins.accept("consent", name, Version(version), Hash([hash; 32]));
        assert_eq!(accept("a", 3, 1), Ok(()));
        assert_eq!(accept("a", 3, 1), Ok(()));
        assert_eq!(accept("a", 3, 2), Err(Error::Fork("consent")));
        assert_eq!(accept("a", 2, 1), Err(Error::Rollback("consent")));
        assert_eq!(accept("b", 1, 1), Ok(()));
        assert_eq!(accept("a", 5, 9), Ok(()));
        assert_eq!(accept("a", 4, 8), Err(Error::Rollback("consent")));
        let pins = PinStore::from_cbor(&pins.to_cbor().unwrap()).unwrap();
        assert_eq!(pins.clone().accept("consent", "a", Version(4), Hash([8; 32])), Err(Error::Rollback("consent")));
    }
}
