//! The crate's one error type.

mod unknown;

pub use unknown::Unknown;

use crate::ledger::error::LedgerError;
use crate::policy::ParseError;
use crate::store::{StoreError, StoreFailure};

/// What a call of this crate fails with.
///
/// Variants that a caller can mend ([`Error::ApiMisuse`], [`Error::Policy`]) say what to mend. Variants caused by
/// bytes from outside say what the bytes were meant to be, never what they held. Everything that could tell an
/// attacker why a capsule, a wrap or a field stayed closed is one variant, [`Error::CannotOpen`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The thing did not open: wrong key, unsatisfied policy, or altered bytes. Which of them is not told.
    #[error("cannot open")]
    CannotOpen,

    /// The policy or attribute text is not in the language; the inner error underlines the place.
    #[error(transparent)]
    Policy(#[from] ParseError),

    /// The FHIR text is none, or is none that fits into a record; the inner error names the byte and the entry.
    #[cfg(feature = "fhir")]
    #[error(transparent)]
    Fhir(#[from] crate::fhir::FhirError),

    /// What was typed is no recovery code; the inner error says what is wrong with it.
    #[error(transparent)]
    RecoveryCode(#[from] crate::owner::recovery::CodeError),

    /// Bytes from outside are not a valid encoding of the named object: wrong magic, wrong length, not canonical,
    /// trailing bytes, or over a limit.
    #[error("malformed {0}")]
    Malformed(&'static str),

    /// The bytes carry a format version or suite that this version of the crate does not know.
    #[error("unknown version of {0}")]
    UnknownVersion(&'static str),

    /// The bytes decode, but the object fails its mathematical checks (subgroup, identity, pairing equation): it
    /// was not made by the authority that it names.
    #[error("{0} fails its checks")]
    Untrusted(&'static str),

    /// The named statement is not signed by whom it has to be signed by, or was altered.
    #[error("{0} is not signed by the key that it names")]
    Forged(&'static str),

    /// The named statement is older than one that was seen before.
    #[error("{0} is older than one seen before")]
    Rollback(&'static str),

    /// Two different statements carry the same version: whoever signed them, or serves them, cheats.
    #[error("two different versions of {0} have the same number")]
    Fork(&'static str),

    /// The named statement is not valid at the time of the check: not yet, or no longer.
    #[error("{0} is not valid at this time")]
    Expired(&'static str),

    /// What is named counts no more: a person or device that was revoked, a statement that was taken back.
    #[error("{0} was revoked")]
    Revoked(&'static str),

    /// Whoever signed, or is about to, may not do so on his own word: an author whose attributes do not satisfy the write
    /// policy of the consent, a custodian who goes further than his mandate, or one whose consent nobody speaks for who
    /// opened it.
    #[error("whoever signs this is not allowed to")]
    NotAllowed,

    /// Nothing is at hand of the named authority, person or device: no trust anchor, or a statement that was never
    /// supplied.
    #[error("{0}")]
    Unknown(Unknown),

    /// The caller asked for something that has no meaning; the text says what.
    #[error("{0}")]
    ApiMisuse(&'static str),

    /// A value is larger than the documented limit of the named thing.
    #[error("{0} is over its limit")]
    TooLarge(&'static str),

    /// A store and a ledger do not go together, or there is no ledger; the inner error says which.
    #[error(transparent)]
    Ledger(#[from] LedgerError),

    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),

    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    Randomness,
}

impl Error {
    /// Whether it tells of what the store holds, and is the same at the next try.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Malformed(_) | Self::UnknownVersion(_) | Self::TooLarge(_) => true,
            Self::Store(error) => error.failure() == StoreFailure::Corrupt,
            _ => false,
        }
    }
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
