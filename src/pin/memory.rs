//! Pins in memory.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Pin, Pins};
use crate::error::{Error, Result};
use crate::store::StoreError;
use crate::wire;

/// [`Pins`] in memory: for a phone or a test, which has few. Keep them as one value ([`PinStore::to_cbor`]): with the parts
/// of records that were seen, 200 bytes or so for each.
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

impl PinStore {
    /// Canonical CBOR.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] for what could not be read back: more than 1 GiB, some five million pins.
    pub fn to_cbor(&self) -> Result<Vec<u8>> {
        let bytes = wire::to_cbor(self, WHAT)?;
        if bytes.len() > MAX_PINS { Err(Error::TooLarge(WHAT)) } else { Ok(bytes) }
    }

    /// Reads canonical CBOR.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] or [`Error::TooLarge`].
    pub fn from_cbor(bytes: &[u8]) -> Result<Self> {
        wire::from_cbor(bytes, MAX_PINS, WHAT)
    }
}

impl Pins for PinStore {
    fn get(&self, key: &str) -> Result<Option<Pin>, StoreError> {
        Ok(self.pins.get(key).copied())
    }

    fn set(&mut self, key: &str, pin: Pin) -> Result<(), StoreError> {
        self.pins.insert(key.to_owned(), pin);
        Ok(())
    }

    fn remove(&mut self, key: &str) -> Result<(), StoreError> {
        self.pins.remove(key);
        Ok(())
    }
}

const WHAT: &str = "pin store";
const MAX_PINS: usize = 1 << 30;
