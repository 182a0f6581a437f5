//! Where a statement stands among others of its kind.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::Pin;
use crate::error::{Error, Result};
use crate::id::{Hash, Version};

/// An owner's own statement that a custodian goes on from: its number and its hash, since two of her devices may have
/// used one number.
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

    /// As if it stood under this list of signers, if its own is earlier.
    pub(super) fn at_least_under(self, under: Version) -> Self {
        Self { place: Place { under: self.place.under.max(under), ..self.place }, ..self }
    }

    pub(super) fn to_pin(self) -> Pin {
        let Place { under, base, version } = self.place;
        let base = (self.base != self.hash).then_some(Base { version: base, hash: self.base });
        Pin { under, version, hash: self.hash, base }
    }
}

impl Pin {
    pub(super) fn precedence(&self) -> Precedence {
        Precedence::new(self.under, self.base, self.version, self.hash)
    }
}
