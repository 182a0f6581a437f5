//! What the owner's device signs.

use serde::{Deserialize, Serialize};

use crate::id::{CompartmentId, DeviceId, Generation, Hash, KeyId, OwnerId, Time, Version};
use crate::identity::{SealingPublic, Signed, Statement};
use crate::seal::{Commitment, Salt, label};

/// A signed consent, without its slots.
pub type Consent = Signed<ConsentStatement>;

/// What a device signs when it signs a consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentStatement {
    /// The patient.
    pub owner: OwnerId,
    /// The version of the owner's device list that the device stood in.
    pub devices: Version,
    /// The device that signs, or that signed the mandate.
    pub device: DeviceId,
    /// The compartment.
    pub compartment: CompartmentId,
    /// 1, then one more with each consent to this compartment.
    pub version: Version,
    /// The hash of the consent before this one; none for version 1.
    pub previous: Option<Hash>,
    /// The generation of the compartment key.
    pub generation: Generation,
    /// The salt of the commitment and of the write key; one for each generation.
    pub salt: Salt,
    /// The commitment to the compartment key.
    pub commitment: Commitment,
    /// What those who only write seal to.
    pub write_key: SealingPublic,
    /// The hash of the sealed terms.
    pub terms: Hash,
    /// The hashes of the slots, in their order.
    pub slots: Vec<Hash>,
    /// Not valid before.
    pub not_before: Time,
    /// Not valid after; none for a consent that holds until it is replaced.
    pub not_after: Option<Time>,
    /// When it was signed, by the signer's clock.
    pub issued_at: Time,
    /// The hash of the mandate under which a custodian signed it; none if the device itself did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mandate: Option<Hash>,
}

impl ConsentStatement {
    /// The id of the key that it gives.
    pub(crate) fn key_id(&self) -> KeyId {
        self.commitment.key_id()
    }

    /// Whether the two give one key.
    pub(crate) fn has_key_of(&self, other: &Self) -> bool {
        self.commitment == other.commitment
    }
}

impl Statement for ConsentStatement {
    const LABEL: &'static [u8] = label::SIGN_CONSENT;
    const WHAT: &'static str = "consent";
    const LIMIT: usize = 8 * 1024;
}
