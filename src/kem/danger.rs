//! The same steps with randomness from the caller, for test vectors and nothing else.
//!
//! # Security
//!
//! A seed that is used twice, or guessed, gives away the key that was made from it. A seed used for two keys of
//! different attributes lets their holders combine them.

use super::{Error, MasterKey, PublicParameters, UserKey, fo};
use crate::error::Result;
use crate::id::AuthorityId;
use crate::kem::fo::Coins;
use crate::kem::{Capsule, RealmKey, SharedKey};
use crate::policy::{AccessTree, Attributes, Leaf};
use crate::seal::label;
use crate::secret::wiping_stack;

/// [`setup`](super::setup) with `α` drawn from `SHAKE256("chartseal kem v1 setup" ‖ seed)`: 64 bytes, reduced.
///
/// # Errors
///
/// [`Error::Randomness`] for the one seed in 2^255 that gives zero.
pub fn setup_from_seed(authority: AuthorityId, seed: &[u8; 64]) -> Result<(PublicParameters, MasterKey)> {
    master_key(authority, FIRST_VERSION, seed)
}

/// [`rotate`](super::rotate) with `α` drawn as in [`setup_from_seed`].
///
/// # Errors
///
/// As there; [`Error::TooLarge`] after 2^64 − 1 versions.
pub fn rotate_from_seed(master: &MasterKey, seed: &[u8; 64]) -> Result<(PublicParameters, MasterKey)> {
    let version = master.public().version().checked_add(1).ok_or(Error::TooLarge("version"))?;
    master_key(master.public().authority().clone(), version, seed)
}

/// [`issue`](super::issue) with `r` drawn from `SHAKE256("chartseal kem v1 issue" ‖ seed)`: 64 bytes, reduced.
///
/// # Errors
///
/// As [`issue`](super::issue).
pub fn issue_from_seed(master: &MasterKey, attributes: &Attributes, seed: &[u8; 64]) -> Result<UserKey> {
    issue_leaves_from_seed(master, attributes.leaves(master.public().authority()), seed)
}

/// [`issue_blinded`](super::issue_blinded) with `r` drawn as in [`issue_from_seed`].
///
/// # Errors
///
/// As [`issue`](super::issue).
pub fn issue_blinded_from_seed(
    master: &MasterKey,
    attributes: &Attributes,
    realm: &RealmKey,
    seed: &[u8; 64],
) -> Result<UserKey> {
    let mut leaves = attributes.leaves(master.public().authority());
    for leaf in &mut leaves {
        *leaf = realm.blind(leaf);
    }
    leaves.sort_unstable();
    issue_leaves_from_seed(master, leaves, seed)
}

/// [`encapsulate`](super::encapsulate) with the message, 32 bytes, from which all else follows.
pub fn encapsulate_message(
    public: &PublicParameters,
    tree: &AccessTree,
    context: &[u8],
    message: &[u8; 32],
) -> (Capsule, SharedKey) {
    wiping_stack(|| fo::seal(public, tree, context, message))
}

fn master_key(authority: AuthorityId, version: u64, seed: &[u8; 64]) -> Result<(PublicParameters, MasterKey)> {
    let master = wiping_stack(|| {
        let alpha = Coins::seeded(label::KEM_SETUP, seed).scalar();
        MasterKey::from_alpha(authority, version, &alpha)
    })?;
    Ok((master.public().clone(), master))
}

pub(super) fn issue_leaves_from_seed(master: &MasterKey, leaves: Vec<Leaf>, seed: &[u8; 64]) -> Result<UserKey> {
    if leaves.is_empty() {
        return Err(Error::ApiMisuse("a key needs at least one attribute"));
    }
    Ok(wiping_stack(|| {
        let r = Coins::seeded(label::KEM_ISSUE, seed).scalar();
        master.issue(leaves, &r)
    }))
}

/// The version of the first parameters of an authority.
const FIRST_VERSION: u64 = 1;
