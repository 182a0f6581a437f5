//! A credential that was believed.

use super::Standing;
use crate::authority::credential::{Credential, CredentialStatement};
use crate::id::{AuthorityId, PersonId, Time};
use crate::identity::{SealingPublic, SigningPublic};
use crate::policy::{Attributes, PersonNumber};

/// A credential that was believed, at the time and with the trust of the check. It cannot be decoded, only be got by
/// [`Trust::credential`](super::Trust::credential).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCredential {
    pub(super) credential: Credential,
    pub(super) attributes: Attributes,
    pub(super) standing: Standing,
}

impl VerifiedCredential {
    /// The credential as its authority signed it, for others to believe or not.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    fn statement(&self) -> &CredentialStatement {
        self.credential.unverified()
    }

    /// The authority that vouches.
    pub fn authority(&self) -> &AuthorityId {
        &self.statement().authority
    }

    /// The number of the credential.
    pub fn serial(&self) -> u64 {
        self.statement().serial
    }

    /// The person.
    pub fn person(&self) -> &PersonId {
        &self.statement().person
    }

    /// The person's number.
    pub fn number(&self) -> PersonNumber {
        self.statement().number
    }

    /// Verifies what the person signs.
    pub fn signing(&self) -> &SigningPublic {
        &self.statement().signing
    }

    /// Seals to the person.
    pub fn sealing(&self) -> &SealingPublic {
        &self.statement().sealing
    }

    /// What the person may show, `user:#number` and `valid-until` among them.
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// The last second at which it is valid.
    pub fn not_after(&self) -> Time {
        self.statement().not_after
    }

    /// Whether the person was revoked since.
    pub fn standing(&self) -> Standing {
        self.standing
    }
}
