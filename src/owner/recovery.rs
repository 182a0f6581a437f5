//! The recovery key: what brings an owner back who lost every device, and the root key with them.
//!
//! A [`RecoveryKey`] opens every consent that was sealed while its arrangement stood in the owner's device list, and signs
//! a change of root key that takes effect after a delay, in which any device can veto it. It is kept in one of two ways:
//!
//! - printed, as a code with a checksum: [`RecoveryKey::code`];
//! - shared among guardians, of whom some are needed: [`RecoveryKey::share`]. Each gets a [`GuardianShare`], which carries
//!   the [`Guardianship`] that it belongs to.
//!
//! # Example
//!
//! ```
//! use chartseal::{Error, owner::recovery::RecoveryKey};
//!
//! let key = RecoveryKey::generate()?;
//! let guardians = ["sister", "friend", "notary"].map(|id| id.parse()).into_iter().collect::<Result<Vec<_>, _>>()?;
//! let (plan, mut shares) = key.share(2, guardians)?;
//! assert_eq!(plan.combine(&shares[1..])?.public(), key.public());
//! assert!(plan.combine(&shares[..1]).is_err());
//!
//! let code = key.code();
//! assert_eq!(RecoveryKey::from_code(code.expose())?.public(), key.public());
//! assert!(RecoveryKey::from_code(&code.expose().replacen("csrec1", "csrec2", 1)).is_err());
//! # Ok::<(), Error>(())
//! ```
//!
//! # Security
//!
//! As many guardians as are needed can read the history at once, with the consents and records that the server has: no
//! delay holds them off, since the delay is a rule that readers follow, and reading needs nobody. Choose them, and how many
//! are needed, by that. Fewer learn nothing of the key: their shares fit every key alike, and the commitments beside them
//! show the secret's image in a group where nobody can compute it back.

mod code;
mod guardians;
pub(crate) mod shares;

pub use code::CodeError;
pub use guardians::{GuardianShare, Guardianship};
pub use shares::{Commitment, MAX_GUARDIANS, MIN_THRESHOLD};

use crate::error::{Error, Result};
use crate::id::PersonId;
use crate::identity::{SealingKey, SealingPublic, SigningKey, SigningPublic};
use crate::seal::recovery_seeds;
use crate::secret::Secret;

/// A recovery key. Draw it, give it away in shares or on paper, and drop it: the owner keeps no copy.
#[derive(Debug)]
pub struct RecoveryKey {
    secret: Secret<[u8; 32]>,
    signing: SigningKey,
    sealing: SealingKey,
}

/// What everybody may know of a recovery key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoveryPublic {
    /// Verifies a change of root key.
    pub signing: SigningPublic,
    /// Seals to whoever holds the recovery key.
    pub sealing: SealingPublic,
}

impl RecoveryKey {
    /// Draws a new key.
    ///
    /// # Errors
    ///
    /// [`Error::Randomness`].
    pub fn generate() -> Result<Self> {
        Self::new(shares::random_secret()?)
    }

    /// The public keys.
    pub fn public(&self) -> RecoveryPublic {
        RecoveryPublic { signing: self.signing.public(), sealing: self.sealing.public() }
    }

    /// Shares the key among guardians, of whom any `threshold` bring it back.
    ///
    /// The shares come in the order of the guardians. Whoever leaves the guardians keeps her share: draw a new key for
    /// those who stay, and put it into the device list.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] for fewer than [`MIN_THRESHOLD`] or more than [`MAX_GUARDIANS`], a threshold over their
    /// number, or one named twice; [`Error::Randomness`].
    pub fn share(&self, threshold: usize, guardians: Vec<PersonId>) -> Result<(Guardianship, Vec<GuardianShare>)> {
        Guardianship::share(&self.secret, threshold, guardians)
    }

    /// The key as text to print: `csrec1`, then groups of four characters, the last with a checksum (bech32m). It is in
    /// lower case; capitals read the same.
    ///
    /// # Security
    ///
    /// The text is the key. Whoever photographs it reads the history.
    pub fn code(&self) -> Secret<String> {
        code::write(&self.secret)
    }

    /// Reads a printed code that somebody typed. Capitals are small letters, wherever a keyboard puts them. Spaces, line
    /// ends, soft hyphens, dashes of every length and full stops between the characters do not count.
    ///
    /// # Errors
    ///
    /// A [`CodeError`] says whether a character is none that a code has, and which; whether the length is wrong; or whether
    /// the checksum does not fit. Up to three wrong characters are always noticed. It holds nothing of the code.
    pub fn from_code(text: &str) -> Result<Self, CodeError> {
        Self::new(code::read(text)?).map_err(|_| CodeError::NoKey)
    }

    pub(super) fn signing(&self) -> &SigningKey {
        &self.signing
    }

    pub(super) fn sealing(&self) -> &SealingKey {
        &self.sealing
    }

    fn new(secret: Secret<[u8; 32]>) -> Result<Self> {
        if !shares::is_secret(&secret) {
            return Err(Error::Malformed(WHAT));
        }
        let [signing, sealing] = recovery_seeds(&secret)?;
        let (signing, sealing) = (SigningKey::from_seed(signing.expose()), SealingKey::derive(&sealing));
        Ok(Self { secret, signing, sealing })
    }
}

const WHAT: &str = "recovery key";
