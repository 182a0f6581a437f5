//! Slots: the compartment key, for one policy or one holder of a sealing key each.

mod make;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::statement::ConsentStatement;
use crate::error::{Error, Result};
use crate::id::{AuthorityId, CompartmentId, Hash, OwnerId, Version};
use crate::identity::{Sealed, SealingKey};
use crate::kem::{self, Capsule, MAX_CAPSULE, UserKey};
use crate::policy::{AccessTree, MAX_TREE_BYTES};
use crate::seal::{Cek, Commitment, SUITE, Salt, WrappedKey, label, unwrap_cek};
use crate::secret::Secret;
use crate::wire::{self, bytes};
pub(crate) use make::SlotMaker;

/// Most bytes of one slot, 208 KiB: whatever a policy within its own limits expands to, in whatever month.
pub const MAX_SLOT: usize = (MAX_TREE_BYTES + MAX_CAPSULE + REST).next_multiple_of(16 * 1024);
/// Most slots of a consent.
pub const MAX_SLOTS: usize = 64;
/// Most bytes of a slot for the holder of a sealing key.
pub(super) const MAX_SEALED_SLOT: usize = 192;
/// Most bytes of a slot for a policy beside its tree and its capsule: ids, keys, names of members.
const REST: usize = 512;

/// One slot. Its bytes travel whole, so that an outer layer can be put around them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Slot {
    /// Keeps the slot's hash from being a test of what is in it, to who has no compartment key.
    pub(super) salt: Salt,
    pub(crate) content: SlotContent,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SlotContent {
    /// For everybody whose attributes satisfy a policy.
    Policy(PolicySlot),
    /// For the holder of one sealing key: root, device, named person, custodian; it does not tell which.
    Sealed(Sealed),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicySlot {
    pub(crate) authority: AuthorityId,
    /// The version of the authority's parameters.
    pub(crate) parameters: Version,
    #[serde(with = "opaque")]
    pub(crate) tree: Vec<u8>,
    #[serde(with = "opaque")]
    pub(super) capsule: Vec<u8>,
    pub(super) key: WrappedKey,
}

impl Slot {
    /// Most bytes of the slot for a policy whose tree in the month of the most leaves is this one, in any month.
    pub(super) fn most_bytes(tree: &AccessTree) -> usize {
        // A leaf of the month may stand in the policy, too.
        REST + MONTH + tree.as_bytes().len() + Capsule::length_for(tree, 1)
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        let bytes = wire::to_cbor(self, WHAT)?;
        if bytes.len() > MAX_SLOT { Err(Error::TooLarge(WHAT)) } else { Ok(bytes) }
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        wire::from_cbor(bytes, MAX_SLOT, WHAT)
    }

    /// The compartment key, if the slot is for this user key.
    pub(crate) fn open(&self, context: &Context, index: usize, key: &UserKey) -> Result<Cek> {
        let SlotContent::Policy(slot) = &self.content else {
            return Err(Error::CannotOpen);
        };
        if slot.authority != *key.public().authority() || slot.parameters != Version(key.public().version()) {
            return Err(Error::CannotOpen);
        }
        let tree = AccessTree::decode(&slot.tree).map_err(|_| Error::CannotOpen)?;
        let capsule = Capsule::decode(&tree, &slot.capsule).map_err(|_| Error::CannotOpen)?;
        let context = context.of_slot(index)?;
        let shared = kem::decapsulate(key, &tree, &context, &capsule)?;
        unwrap_cek(&shared, &context, &slot.key)
    }

    /// The compartment key, if the slot is for this sealing key.
    pub(crate) fn open_sealed(&self, context: &Context, index: usize, key: &SealingKey) -> Result<Cek> {
        let SlotContent::Sealed(sealed) = &self.content else {
            return Err(Error::CannotOpen);
        };
        Self::cek(&key.open(&context.info(index)?, &[], sealed)?)
    }

    /// The compartment key that a sealed slot held.
    pub(super) fn cek(opened: &Secret<Vec<u8>>) -> Result<Cek> {
        let bytes: &[u8; 32] = opened.expose().as_slice().try_into().map_err(|_| Error::CannotOpen)?;
        Ok(Cek::from_secret(Secret::build(|cek| cek.copy_from_slice(bytes))))
    }
}

/// `SHA-256(label ‖ the slot's bytes)`.
pub(crate) fn slot_hash(bytes: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update(label::SLOT).chain_update(bytes).finalize().into())
}

/// `SHA-256(label ‖ the sealed terms)`.
pub(crate) fn terms_hash(bytes: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update(label::TERMS).chain_update(bytes).finalize().into())
}

/// What every slot of a consent and its terms are bound to.
pub(crate) struct Context(Vec<u8>);

impl Context {
    pub(crate) fn new(
        owner: &OwnerId,
        compartment: &CompartmentId,
        (version, previous): (Version, Option<Hash>),
        (salt, commitment): (&Salt, &Commitment),
    ) -> Result<Self> {
        let previous = previous.as_ref().map_or(&[][..], |hash| hash.as_bytes());
        let version = version.0.to_be_bytes();
        let mut bytes = label::SLOT_CONTEXT.to_vec();
        for part in [
            SUITE.as_bytes(),
            owner.as_str().as_bytes(),
            compartment.as_str().as_bytes(),
            &version,
            previous,
            salt.as_bytes(),
            commitment.as_bytes(),
        ] {
            push(&mut bytes, part)?;
        }
        Ok(Self(bytes))
    }

    pub(crate) fn of(statement: &ConsentStatement) -> Result<Self> {
        let ConsentStatement { owner, compartment, version, previous, salt, commitment, .. } = statement;
        Self::new(owner, compartment, (*version, *previous), (salt, commitment))
    }

    /// The header of the terms: no index.
    pub(crate) fn of_terms(&self) -> &[u8] {
        &self.0
    }

    /// HPKE's info for a sealed slot.
    pub(super) fn info(&self, index: usize) -> Result<Vec<u8>> {
        Ok([label::HPKE_SLOT, &self.of_slot(index)?].concat())
    }

    pub(super) fn of_slot(&self, index: usize) -> Result<Vec<u8>> {
        let index = u16::try_from(index).map_err(|_| Error::TooLarge("slots"))?;
        let mut bytes = self.0.clone();
        push(&mut bytes, &index.to_be_bytes())?;
        Ok(bytes)
    }
}

fn push(bytes: &mut Vec<u8>, part: &[u8]) -> Result<()> {
    let length = u16::try_from(part.len()).map_err(|_| Error::TooLarge("id"))?;
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(part);
    Ok(())
}

mod opaque {
    use super::{MAX_SLOT, bytes};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(data: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        bytes::serialize(data, serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        bytes::deserialize(deserializer, MAX_SLOT)
    }
}

/// A policy of nothing but a range of months becomes one range with the month of the sealing: at most 22 leaves of at most
/// 203 bytes, each with a row of 48.
const MONTH: usize = 22 * (3 + 203 + 48);
const WHAT: &str = "slot";
