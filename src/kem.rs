//! Ciphertext-policy attribute-based encryption, as a key encapsulation mechanism.
//!
//! An authority runs [`setup`] and hands out [`UserKey`]s for sets of attributes with [`issue`]. Anybody who has the
//! [`PublicParameters`] can [`encapsulate`]: out come a fresh 32-byte key and a [`Capsule`] from which exactly those
//! whose attributes satisfy the policy [`decapsulate`] the same key. Two people cannot pool their keys, and whoever
//! alters a capsule makes it open for nobody.
//!
//! | step | source |
//! |---|---|
//! | [`setup`], [`issue`], and the core of the capsule | FABEO CP-ABE, Riepl and Wee, ACM CCS 2022, [ePrint 2022/1415], figure 3 and section 5, with one s' for each use of an attribute |
//! | security against chosen ciphertexts | Fujisaki and Okamoto, with explicit rejection: decapsulation makes the whole capsule again and compares |
//! | hash to the curve | [RFC 9380], `BLS12381G1_XMD:SHA-256_SSWU_RO_` |
//! | curve | BLS12-381, type III, about 120 bits of classical security; none against a quantum computer |
//!
//! [ePrint 2022/1415]: https://eprint.iacr.org/2022/1415
//! [RFC 9380]: https://www.rfc-editor.org/rfc/rfc9380
//!
//! # Example
//!
//! ```
//! use chartseal::{Error, id::AuthorityId, kem};
//!
//! let (public, master) = kem::setup(AuthorityId::new("st-olave")?)?;
//! let ada = kem::issue(&master, &"role:doctor, dept:cardiology".parse()?)?;
//! let bob = kem::issue(&master, &"role:doctor, dept:surgery".parse()?)?;
//!
//! let tree = public.expand(&"role:doctor and dept:cardiology".parse()?)?;
//! let (capsule, key) = kem::encapsulate(&public, &tree, b"ward 7")?;
//!
//! assert!(kem::decapsulate(&ada, &tree, b"ward 7", &capsule)?.ct_eq(&key));
//! assert_eq!(kem::decapsulate(&bob, &tree, b"ward 7", &capsule).err(), Some(Error::CannotOpen));
//! assert_eq!(kem::decapsulate(&ada, &tree, b"ward 8", &capsule).err(), Some(Error::CannotOpen));
//! # Ok::<(), Error>(())
//! ```
//!
//! # What it does not do
//!
//! A key that was issued cannot be called back: it opens what its attributes satisfy, for ever. Let keys expire (a
//! `valid-until` attribute, a `valid-until >= 2026-11` in the policy), exclude persons in the policy, and rotate.
//! The master key opens everything. Policies are in the open unless their labels are blinded ([`RealmKey`]).
//!
//! Every byte is laid down in [`manual::format`](crate::manual::format).

mod blind;
mod cache;
mod capsule;
pub mod danger;
mod fo;
mod keys;
mod params;
mod shares;

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod memcheck;

pub use blind::RealmKey;
pub use capsule::Capsule;
pub(crate) use capsule::MAX_CAPSULE;
pub use keys::{MasterKey, UserKey};
pub use params::PublicParameters;

pub use crate::seal::SharedKey;

use crate::error::{Error, Result};
use crate::id::AuthorityId;
use crate::policy::{AccessTree, Attributes};
use crate::secret::{Secret, wiping_stack};

/// Makes an authority: `α ← Zp; A = e(g1, g2)^α` (FABEO, figure 3: Setup).
///
/// # Errors
///
/// [`Error::Randomness`].
pub fn setup(authority: AuthorityId) -> Result<(PublicParameters, MasterKey)> {
    danger::setup_from_seed(authority, Secret::random()?.expose())
}

/// Draws the next master key of the same authority, under the next version. Neither key says anything of the other, and
/// no user key opens what is encapsulated under the other's parameters.
///
/// # Errors
///
/// [`Error::Randomness`]; [`Error::TooLarge`] after 2^64 − 1 versions.
pub fn rotate(master: &MasterKey) -> Result<(PublicParameters, MasterKey)> {
    danger::rotate_from_seed(master, Secret::random()?.expose())
}

/// Issues a key for a set of attributes, under fresh randomness (FABEO, figure 3: KeyGen). Never give one person the
/// parts of two keys as one: issue a new key for the whole set instead.
///
/// # Errors
///
/// [`Error::Randomness`].
pub fn issue(master: &MasterKey, attributes: &Attributes) -> Result<UserKey> {
    danger::issue_from_seed(master, attributes, Secret::random()?.expose())
}

/// As [`issue`], for trees made by [`PublicParameters::expand_blinded`] under the same realm key.
///
/// # Errors
///
/// [`Error::Randomness`].
pub fn issue_blinded(master: &MasterKey, attributes: &Attributes, realm: &RealmKey) -> Result<UserKey> {
    danger::issue_blinded_from_seed(master, attributes, realm, Secret::random()?.expose())
}

/// Makes a fresh key and the capsule that carries it to whoever satisfies the tree. `context` names what the key is for:
/// decapsulation under any other context fails.
///
/// # Errors
///
/// [`Error::ApiMisuse`] for a tree that was expanded under another authority, since no key would open the capsule;
/// [`Error::Randomness`].
pub fn encapsulate(public: &PublicParameters, tree: &AccessTree, context: &[u8]) -> Result<(Capsule, SharedKey)> {
    encapsulate_with(public, tree, context, &Secret::random()?)
}

/// As [`encapsulate`], with the message from which all else follows. A message that stands in two capsules tells of both
/// that they have it: it has to be made from the parameters, the tree and the context, too.
pub(crate) fn encapsulate_with(
    public: &PublicParameters,
    tree: &AccessTree,
    context: &[u8],
    message: &Secret<[u8; 32]>,
) -> Result<(Capsule, SharedKey)> {
    if !tree.leaves().iter().all(|leaf| leaf.may_be_of(public.authority())) {
        return Err(Error::ApiMisuse("the tree is of another authority than the public parameters"));
    }
    Ok(danger::encapsulate_message(public, tree, context, message.expose()))
}

/// The key in a capsule, if the user key's attributes satisfy the tree and nothing was altered.
///
/// `tree` and `context` must be the ones that the capsule was made for. Success says that the capsule was made by
/// somebody who knew the public parameters, not by whom.
///
/// # Errors
///
/// [`Error::CannotOpen`], whatever the reason.
pub fn decapsulate(key: &UserKey, tree: &AccessTree, context: &[u8], capsule: &Capsule) -> Result<SharedKey> {
    wiping_stack(|| fo::open(key, tree, context, capsule))
}
