//! What was seen last of everything that is published in versions.
//!
//! [`Pins`] is the memory of a reader: a row for each versioned statement (public parameters, revocation list, map of
//! people, device list, consent) with the highest version that was accepted, and its hash. Consents are ordered by the
//! version of the device list that they were signed under first: what a device signed before it was removed stands in
//! nobody's way.
//!
//! It has a row for each part of a record, too, for whoever opens records with it
//! ([`Reader::remembering`](crate::record::Reader::remembering)): its revision, and the hash of its content.
//!
//! Who has seen version v never accepts less, nor another statement under the same number. Whoever has no memory can be
//! shown an old statement until it expires. Keep the rows where they outlive the process and are not restored from
//! backups:
//!
//! A row is some 60 bytes, and a key of up to [`MAX_PIN_KEY`], a hundred or so for a part of a record.
//!
//! - [`PinStore`] holds them in memory, for the few that a phone needs, and writes them as one value;
//! - [`RedbPins`] keeps them in a file, one read a look-up, for a server with millions of patients;
//! - a host with a database of its own implements [`Pins`] over a table of two columns.

mod memory;
mod precedence;
#[cfg(feature = "redb")]
mod redb;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::id::{Hash, Version};
use crate::store::StoreError;
use crate::wire;

pub use memory::PinStore;
pub use precedence::Base;
pub(crate) use precedence::{Place, Precedence};
#[cfg(feature = "redb")]
pub use redb::RedbPins;

/// The memory of a reader, row by row. The crate reads and writes rows one at a time, each by its key, and never lists
/// them.
///
/// A row is only ever replaced by a later one, or deleted when somebody says so
/// ([`Remembering::forget`](crate::record::Remembering::forget)), so one memory must not be written by two at once: a row
/// that is read, compared and written back could bring an earlier one back. Taking `&mut` sees to that within a process.
pub trait Pins: Send {
    /// The row under a key, of at most [`MAX_PIN_KEY`] bytes; none if there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be read: what is checked against it is refused then.
    fn get(&self, key: &str) -> Result<Option<Pin>, StoreError>;

    /// Writes a row in the place of what is there. It outlives the process when this returns.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it is not known to be written.
    fn set(&mut self, key: &str, pin: Pin) -> Result<(), StoreError>;

    /// Deletes the row under a key, if there is one. It does not come back after this returns.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it is not known to be deleted.
    fn remove(&mut self, key: &str) -> Result<(), StoreError>;
}

/// Most bytes in the key of a row: a kind, and three ids.
pub const MAX_PIN_KEY: usize = 512;

/// What is remembered of a statement: a row of [`Pins`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// The version of the list of signers that the statement was signed under; 0 where there is no such list.
    under: Version,
    version: Version,
    hash: Hash,
    /// The owner's own statement that it goes on from, where somebody else signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<Base>,
}

impl Pin {
    /// Canonical CBOR, at most 256 bytes.
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
        wire::from_cbor(bytes, MAX_PIN, WHAT)
    }
}

impl dyn Pins + '_ {
    /// Accepts a verified statement, and remembers it if it is the newest.
    ///
    /// # Errors
    ///
    /// [`Error::Rollback`] if a later version was seen, [`Error::Fork`] if the same version was seen with another hash.
    pub(crate) fn accept(&mut self, what: &'static str, name: &str, version: Version, hash: Hash) -> Result<()> {
        self.accept_under(what, name, Precedence::own(Version(0), version, hash))
    }

    /// Whether `accept_under` would take it.
    ///
    /// # Errors
    ///
    /// As there.
    pub(crate) fn admits(&self, what: &'static str, name: &str, new: &Precedence) -> Result<()> {
        self.is_news(what, &key(what, name)?, new).map(|_| ())
    }

    /// Whether a statement is later than what is remembered, and not the same.
    fn is_news(&self, what: &'static str, key: &str, new: &Precedence) -> Result<bool> {
        let Some(pin) = self.get(key)? else { return Ok(true) };
        match new.compare(&pin.precedence(), what)? {
            Ordering::Less => Err(Error::Rollback(what)),
            Ordering::Equal => Ok(false),
            Ordering::Greater => Ok(true),
        }
    }

    /// As `accept`, for a statement that one of several signers made: what was signed under a later list of
    /// signers is later, whatever its version. Otherwise a signer who is not to be trusted any more could have taken the
    /// highest number there is, and nothing that the others sign would ever be accepted again.
    pub(crate) fn accept_under(&mut self, what: &'static str, name: &str, new: Precedence) -> Result<()> {
        let key = key(what, name)?;
        // A row that says the same is not written again.
        if self.is_news(what, &key, &new)? {
            self.set(&key, new.to_pin())?;
        }
        Ok(())
    }

    /// Remembers a statement in the place of what is there: of one that was held against it already.
    pub(crate) fn replace(&mut self, what: &'static str, name: &str, version: Version, hash: Hash) -> Result<()> {
        Ok(self.set(&key(what, name)?, Precedence::own(Version(0), version, hash).to_pin())?)
    }

    /// Forgets what is remembered under a name.
    pub(crate) fn forget(&mut self, what: &'static str, name: &str) -> Result<()> {
        Ok(self.remove(&key(what, name)?)?)
    }

    /// What is remembered under a name.
    pub(crate) fn seen(&self, what: &'static str, name: &str) -> Result<Option<(Version, Hash)>> {
        Ok(self.get(&key(what, name)?)?.map(|pin| (pin.version, pin.hash)))
    }

    /// Remembers something for good, unless it is remembered already; gives what is.
    pub(crate) fn remember(
        &mut self,
        what: &'static str,
        name: &str,
        version: Version,
        hash: Hash,
    ) -> Result<(Version, Hash)> {
        let key = key(what, name)?;
        if let Some(pin) = self.get(&key)? {
            return Ok((pin.version, pin.hash));
        }
        self.set(&key, Precedence::own(Version(0), version, hash).to_pin())?;
        Ok((version, hash))
    }

    /// Whether a statement is as late as the pinned word `of` one, which was given under the same or a later list of
    /// signers. A statement under a later list is not bound by it.
    ///
    /// # Errors
    ///
    /// [`Error::Rollback`] if it is earlier than that, [`Error::Fork`] if that word is about another of the same version.
    pub(crate) fn reaches(&self, (what, of): (&'static str, &'static str), name: &str, at: &Precedence) -> Result<()> {
        let Some(pin) = self.get(&key(of, name)?)? else { return Ok(()) };
        let said = pin.precedence();
        // Under an earlier list it is held against the numbers of the later one, too.
        let at = at.at_least_under(said.place.under);
        if at.compare(&said, what)? == Ordering::Less { Err(Error::Rollback(what)) } else { Ok(()) }
    }
}

fn key(what: &str, name: &str) -> Result<String> {
    let key = format!("{what}/{name}");
    if key.len() > MAX_PIN_KEY { Err(Error::TooLarge("name of a pin")) } else { Ok(key) }
}

const WHAT: &str = "pin";
const MAX_PIN: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_store_refuses_what_is_older_and_what_conflicts() {
        let mut pins = PinStore::default();
        let memory: &mut dyn Pins = &mut pins;
        let mut accept = |name: &str, version, hash| memory.accept("consent", name, Version(version), Hash([hash; 32]));
        assert_eq!(accept("a", 3, 1), Ok(()));
        assert_eq!(accept("a", 3, 1), Ok(()));
        assert_eq!(accept("a", 3, 2), Err(Error::Fork("consent")));
        assert_eq!(accept("a", 2, 1), Err(Error::Rollback("consent")));
        assert_eq!(accept("b", 1, 1), Ok(()));
        assert_eq!(accept("a", 5, 9), Ok(()));
        assert_eq!(accept("a", 4, 8), Err(Error::Rollback("consent")));
        let pins = PinStore::from_cbor(&pins.to_cbor().unwrap()).unwrap();
        let mut read = pins.clone();
        let read: &mut dyn Pins = &mut read;
        assert_eq!(read.accept("consent", "a", Version(4), Hash([8; 32])), Err(Error::Rollback("consent")));
    }

    #[test]
    fn what_is_signed_under_a_later_list_is_later() {
        let mut pins = PinStore::default();
        let pins: &mut dyn Pins = &mut pins;
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

    /// Two of one number that a custodian went on from, and what he made of either.
    #[test]
    fn what_goes_on_from_a_statement_that_lost_is_a_fork_at_every_version() {
        let mut pins = PinStore::default();
        let pins: &mut dyn Pins = &mut pins;
        let base = |hash| Some(Base { version: Version(2), hash: Hash([hash; 32]) });
        let mut accept = |base, version, hash| {
            pins.accept_under("consent", "a", Precedence::new(Version(1), base, Version(version), Hash([hash; 32])))
        };
        assert_eq!(accept(None, 2, 1), Ok(()));
        assert_eq!(accept(base(9), 3, 2), Err(Error::Fork("consent")));
        assert_eq!(accept(base(1), 3, 3), Ok(()));
        assert_eq!(accept(base(9), 4, 4), Err(Error::Fork("consent")));
        assert_eq!(accept(base(9), 3, 3), Err(Error::Fork("consent")));
        assert_eq!(accept(base(1), 4, 5), Ok(()));
        assert_eq!(accept(None, 2, 1), Err(Error::Rollback("consent")));
        assert_eq!(accept(None, 3, 6), Ok(()), "the owner's own next word");
        assert_eq!(accept(base(1), 5, 7), Err(Error::Rollback("consent")));
    }

    /// A memory that cannot be asked, or cannot write.
    struct Broken;

    impl Pins for Broken {
        fn get(&self, key: &str) -> Result<Option<Pin>, StoreError> {
            let failure = StoreError::new(crate::store::StoreFailure::Unavailable, "no disk");
            if key.starts_with("consent") { Err(failure) } else { Ok(None) }
        }

        fn set(&mut self, _: &str, _: Pin) -> Result<(), StoreError> {
            Err(StoreError::new(crate::store::StoreFailure::Unavailable, "no disk"))
        }

        fn remove(&mut self, _: &str) -> Result<(), StoreError> {
            Err(StoreError::new(crate::store::StoreFailure::Unavailable, "no disk"))
        }
    }

    #[test]
    fn nothing_is_accepted_that_cannot_be_held_against_the_memory_or_remembered() {
        let pins: &mut dyn Pins = &mut Broken;
        for what in ["consent", "head"] {
            let told = pins.accept(what, "a", Version(1), Hash([1; 32]));
            assert!(matches!(told, Err(Error::Store(_))), "{what}");
        }
    }
}
