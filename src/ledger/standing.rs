//! What the ledger knows of a compartment, as far as whoever reads or writes records there asks for it.

use std::collections::BTreeSet;

use super::KeyState;
use super::known::{Newest, Parts, ROW};
use crate::error::Result;
use crate::id::KeyId;

/// What the ledger knows of a compartment. No consent is parsed for it, and no list of keys: they may be long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its owner was erased.
    Erased,
    Unknown,
    Known {
        newest: Newest,
        /// The keys that are gone.
        destroyed: Destroyed,
        /// Whether it keeps consents for the store, which could not be made to hold them.
        keeps: bool,
    },
}

/// What the ledger knows of some compartments.
pub(crate) struct Standings {
    /// In the order in which they were asked for.
    pub(crate) of: Vec<Standing>,
    /// Whether a publication was begun in one of them, and not ended.
    pub(crate) announced: bool,
}

/// Keys as they lie in the entry.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Destroyed(Box<[u8]>);

impl Standing {
    /// From an entry; and whether a publication was begun there.
    pub(super) fn read(key: &str, bytes: &[u8]) -> Result<(Self, bool)> {
        let Parts { destroyed, newest, announced, kept, .. } = Parts::read(key, bytes)?;
        let keeps = !kept.is_empty();
        let known = |(newest, _)| Self::Known { newest, destroyed: Destroyed(destroyed.into()), keeps };
        Ok((newest.map_or(Self::Unknown, known), announced.is_some()))
    }

    pub(crate) fn state(&self, key: KeyId) -> KeyState {
        match self {
            Self::Erased => KeyState::Destroyed,
            Self::Unknown => KeyState::Active,
            Self::Known { destroyed, .. } if destroyed.contains(key) => KeyState::Destroyed,
            Self::Known { newest, .. } if newest.key == key => KeyState::Active,
            Self::Known { .. } => KeyState::DecryptOnly,
        }
    }
}

impl Destroyed {
    pub(crate) fn contains(&self, key: KeyId) -> bool {
        self.0.chunks_exact(ROW).any(|row| row.starts_with(key.as_bytes()))
    }

    pub(crate) fn ids(&self) -> BTreeSet<KeyId> {
        let id = |row: &[u8]| row.first_chunk().copied().map(KeyId);
        self.0.chunks_exact(ROW).filter_map(id).collect()
    }
}

impl std::fmt::Debug for Destroyed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Destroyed({} keys)", self.0.len() / ROW)
    }
}
