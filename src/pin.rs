//! What was seen last of everything that is published in versions.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::id::{Hash, Version};
use crate::wire;

/// The memory of a reader: for each versioned statement (public parameters, revocation list, map of people, device list,
/// consent) the highest version that was accepted, and its hash. Consents are ordered by the version of the device list
/// that they were signed under first: what a device signed before it was removed stands in nobody's way.
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

/// What is remembered of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    /// The version of the list of signers that the statement was signed under; 0 where there is no such list.
    under: Version,
    version: Version,
    hash: Hash,
    /// The owner's own statement that it goes on from, where somebody else signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<Base>,
}

/// An owner's own statement that a custodian goes on from: its number and its hash, since two of her devices may have used one
/// number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// Its version.
    pub version: Version,
    /// Its hash.
    pub hash: Hash,
}

/// Where a statement stands among all versions of it. The list of signers comes first; then what the owner signed last: a
/// mandate that she did not renew is worth nothing against her own later word, whatever numbers were used up under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The version of the list of signers that it was signed under; 0 where there is no such list.
    pub(crate) under: Version,
    /// The version that the owner signed last before it, or its own if she signed it.
    pub(crate) base: Version,
    /// Its version.
    pub(crate) version: Version,
}

/// Where a statement stands, which one it is, and which of the owner's own it is or goes on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Precedence {
    pub(crate) place: Place,
    hash: Hash,
    base: Hash,
}

impl Precedence {
    /// Of what the owner, or an authority, signed.
    pub(crate) fn own(under: Version, version: Version, hash: Hash) -> Self {
        Self { place: Place { under, base: version, version }, hash, base: hash }
    }

    /// Of what was signed under a list of signers: by the owner, or, with a base, by a custodian.
    pub(crate) fn new(under: Version, base: Option<Base>, version: Version, hash: Hash) -> Self {
        let own = Base { version, hash };
        let base = base.unwrap_or(own);
        Self { place: Place { under, base: base.version, version }, hash, base: base.hash }
    }

    /// How this one stands to another.
    ///
    /// # Errors
    ///
    /// [`Error::Fork`] if the two are different statements of one number, or go on from different ones of one number.
    pub(crate) fn compare(&self, other: &Self, what: &'static str) -> Result<Ordering> {
        let (this, that) = (self.place, other.place);
        let by_owner = (this.under, this.base).cmp(&(that.under, that.base));
        if by_owner != Ordering::Equal {
            return Ok(by_owner);
        }
        if self.base != other.base || (this.version == that.version && self.hash != other.hash) {
            return Err(Error::Fork(what));
        }
        Ok(this.version.cmp(&that.version))
    }

    fn to_pin(self) -> Pin {
        let Place { under, base, version } = self.place;
        let base = (self.base != self.hash).then_some(Base { version: base, hash: self.base });
        Pin { under, version, hash: self.hash, base }
    }
}

impl Pin {
    fn precedence(&self) -> Precedence {
        Precedence::new(self.under, self.base, self.version, self.hash)
    }
}

impl PinStore {
    /// Accepts a verified statement, and remembers it if it is the newest.
    ///
    /// # Errors
    ///
    /// [`Error::Rollback`] if a later version was seen, [`Error::Fork`] if the same version was seen with another hash.
    pub(crate) fn accept(&mut self, what: &'static str, name: &str, version: Version, hash: Hash) -> Result<()> {
        self.accept_under(what, name, Precedence::own(Version(0), version, hash))
    }

    /// As [`PinStore::accept`], for a statement that one of several signers made: what was signed under a later list of
    /// signers is later, whatever its version. Otherwise a signer who is not to be trusted any more could have taken the
    /// highest number there is, and nothing that the others sign would ever be accepted again.
    pub(crate) fn accept_under(&mut self, what: &'static str, name: &str, new: Precedence) -> Result<()> {
        let pin = self.pins.entry(format!("{what}/{name}")).or_insert(new.to_pin());
        if new.compare(&pin.precedence(), what)? == Ordering::Less {
            return Err(Error::Rollback(what));
        }
        *pin = new.to_pin();
        Ok(())
    }

    /// What is remembered under a name.
    pub(crate) fn get(&self, what: &'static str, name: &str) -> Option<(Version, Hash)> {
        self.pins.get(&format!("{what}/{name}")).map(|pin| (pin.version, pin.hash))
    }

    /// Remembers something for good, unless it is remembered already; gives what is.
    pub(crate) fn remember(&mut self, what: &'static str, name: &str, version: Version, hash: Hash) -> (Version, Hash) {
        let new = Precedence::own(Version(0), version, hash).to_pin();
        let pin = self.pins.entry(format!("{what}/{name}")).or_insert(new);
        (pin.version, pin.hash)
    }

    /// Whether a statement is as late as the pinned word `of` one, which was given under the same or a later list of
    /// signers. A statement under a later list is not bound by it.
    ///
    /// # Errors
    ///
    /// [`Error::Rollback`] if it is earlier than that, [`Error::Fork`] if that word is about another of the same version.
    pub(crate) fn reaches(&self, (what, of): (&'static str, &'static str), name: &str, at: &Precedence) -> Result<()> {
        let Some(pin) = self.pins.get(&format!("{of}/{name}")) else { return Ok(()) };
        let said = pin.precedence();
        // Under an earlier list it is held against the numbers of the later one, too.
        let at = Precedence { place: Place { under: at.place.under.max(said.place.under), ..at.place }, ..*at };
        if at.compare(&said, what)? == Ordering::Less { Err(Error::Rollback(what)) } else { Ok(()) }
    }

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

const WHAT: &str = "pin store";
const MAX_PINS: usize = 1 << 30;

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
    #[test]
    fn what_is_signed_under_a_later_list_is_later() {
        let mut pins = PinStore::default();
        let mut accept = |under, version, hash| {
            pins.accept_under("consent", "a", Precedence::own(Version(under), Version(version), Hash([hash; 32])))
        };
        assert_eq!(accept(1, 3, 1), Ok(()));
        assert_eq!(accept(1, u64::MAX, 2), Ok(()));
        assert_eq!(accept(1, 4, 3), Err(Error::Rollback("consent")));
        assert_eq!(accept(2, 4, 3), Ok(()));
        assert_eq!(accept(2, 4, 4), Err(Error::Fork("consent")));
        assert_eq!(accept(1, u64::MAX, 2), Err(Error::Rollback("consent")));
        assert_eq!(accept(2, 5, 5), Ok(()));
    }
}
