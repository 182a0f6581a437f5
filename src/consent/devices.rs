//! An owner's devices: the list that the root key signs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use base64ct::{Base64UrlUnpadded, Encoding};

use super::succession::{Arrangement, MAX_ARRANGEMENTS, Succession};
use crate::error::{Error, Result};
use crate::id::{DeviceId, Hash, OwnerId, Time, Version};
use crate::identity::{SealingPublic, Signed, SigningPublic, Statement};
use crate::pin::Pins;
use crate::seal::label;

/// Most devices in a list.
pub const MAX_DEVICES: usize = 16;
/// Most removed devices that a list remembers; the oldest are dropped beyond it.
pub const MAX_REMOVED: usize = 128;

/// A signed device list. It counts once it was accepted: [`DeviceList::accept`].
pub type DeviceList = Signed<DeviceListStatement>;

/// What an owner's root key signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceListStatement {
    /// The owner; the id is made from the root key.
    pub owner: OwnerId,
    /// The root key that signs the list.
    pub root: SigningPublic,
    /// Seals to whoever holds the root key.
    pub root_sealing: SealingPublic,
    /// 1, then one more with each change.
    pub version: Version,
    /// The hash of the list before this one; none for version 1.
    pub previous: Option<Hash>,
    /// The devices, one to [`MAX_DEVICES`].
    pub devices: Vec<PublicDevice>,
    /// Devices that are devices no longer, the latest last: what they signed as authors can still be attributed.
    pub removed: Vec<RemovedDevice>,
    /// When it was signed.
    pub issued_at: Time,
    /// Recovery keys, at most [`MAX_ARRANGEMENTS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recovery: Vec<Arrangement>,
    /// The changes of root key since the first one, the earliest first; at most
    /// [`MAX_SUCCESSION`](super::MAX_SUCCESSION).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub succession: Vec<Succession>,
}

/// A device's public keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicDevice {
    /// The device; an owner never gives an id twice.
    pub id: DeviceId,
    /// Verifies what the device signs.
    pub signing: SigningPublic,
    /// Seals to the device.
    pub sealing: SealingPublic,
    /// Until when, for a device that is not the owner's own: a parent's, until majority. What it signs ends then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// A device that is a device no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemovedDevice {
    /// The device.
    pub id: DeviceId,
    /// Verified what the device signed.
    pub signing: SigningPublic,
    /// When it was removed, or the second after its own end, if that was earlier.
    pub since: Time,
}

/// A device list that was verified and is no older than what was seen before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Devices {
    statement: DeviceListStatement,
    hash: Hash,
}

impl Statement for DeviceListStatement {
    const LABEL: &'static [u8] = label::SIGN_DEVICES;
    const WHAT: &'static str = WHAT;
    const LIMIT: usize = 64 * 1024;
}

impl Signed<DeviceListStatement> {
    /// The list, if it is the owner's at this time: signed by the first root key, which makes the owner id, or by one that
    /// a chain of changes leads to.
    ///
    /// A change by a recovery key takes effect when its delay is over. Whoever knew the owner before counts it from when
    /// the change was first seen here, and so has to be shown it when it is announced; whoever did not has only the word of
    /// the recovery key's holder for when that was.
    ///
    /// # Errors
    ///
    /// [`Error::Forged`] if it is another owner's or not signed by the root key, [`Error::Malformed`] if it has no
    /// device or too many, two of one id or key, or a version that is higher than its time has seconds, [`Error::Rollback`]
    /// or [`Error::Fork`] by what `pins` remember. [`Error::Expired`] if it is signed for a time to come, of which nothing is
    /// remembered, or before a change has taken effect; [`Error::Revoked`] if a device vetoed the change.
    pub fn accept(&self, owner: &OwnerId, pins: &mut dyn Pins, now: Time) -> Result<Devices> {
        let devices = self.accept_own()?;
        if devices.owner() != owner {
            return Err(Error::Forged(WHAT));
        }
        // Its version counts the seconds of that time: pinned, it would outrank all that the owner signs until then.
        if devices.statement.issued_at.is_to_come(now) {
            return Err(Error::Expired(WHAT));
        }
        devices.statement.take_effect(pins, now)?;
        pins.accept(WHAT, owner.as_str(), devices.version(), devices.hash)?;
        Ok(devices)
    }

    /// The list, if it is that of the owner that it names.
    pub(crate) fn accept_own(&self) -> Result<Devices> {
        let claimed = self.unverified();
        claimed.walk()?;
        let statement = self.verify(&claimed.root)?.clone();
        statement.check()?;
        Ok(Devices { statement, hash: self.hash()? })
    }
}

impl DeviceListStatement {
    /// The shape that every list has.
    pub(crate) fn check(&self) -> Result<()> {
        if self.devices.is_empty() || self.version == Version(0) {
            return Err(Error::Malformed(WHAT));
        }
        if (self.version == Version(1)) != self.previous.is_none() || !self.version.is_of(self.issued_at) {
            return Err(Error::Malformed(WHAT));
        }
        if self.devices.len() > MAX_DEVICES || self.removed.len() > MAX_REMOVED {
            return Err(Error::TooLarge(WHAT));
        }
        let mut ids = BTreeSet::new();
        let mut keys = BTreeSet::from([self.root]);
        let devices = self.devices.iter().map(|device| (&device.id, device.signing));
        let removed = self.removed.iter().map(|device| (&device.id, device.signing));
        for (id, key) in devices.chain(removed) {
            if !ids.insert(id) || !keys.insert(key) {
                return Err(Error::Malformed(WHAT));
            }
        }
        if self.recovery.len() > MAX_ARRANGEMENTS {
            return Err(Error::TooLarge(WHAT));
        }
        let mut sealing = BTreeSet::from([self.root_sealing]);
        for arrangement in &self.recovery {
            let arrangement = arrangement.verify(&self.root)?;
            let own = arrangement.owner == self.owner && arrangement.version == self.version;
            if !own || !keys.insert(arrangement.signing) || !sealing.insert(arrangement.sealing) {
                return Err(Error::Malformed(WHAT));
            }
        }
        if self.devices.iter().all(|device| sealing.insert(device.sealing)) {
            Ok(())
        } else {
            Err(Error::Malformed(WHAT))
        }
    }
}

impl PublicDevice {
    /// Whether the device may sign something that ends at this time, or never.
    pub(super) fn lasts(&self, end: Option<Time>) -> bool {
        self.until.is_none_or(|until| end.is_some_and(|end| end <= until))
    }
}

impl Devices {
    /// The owner.
    pub fn owner(&self) -> &OwnerId {
        &self.statement.owner
    }

    /// The list's version.
    pub fn version(&self) -> Version {
        self.statement.version
    }

    /// The list's hash.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The devices, in the owner's order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &PublicDevice> {
        self.statement.devices.iter()
    }

    /// A device of the list.
    pub fn get(&self, id: &DeviceId) -> Option<&PublicDevice> {
        self.iter().find(|device| device.id == *id)
    }

    /// Devices that were removed from the list. They sign no consent any more; what they wrote before stands.
    pub fn removed(&self) -> &[RemovedDevice] {
        &self.statement.removed
    }

    /// What is sealed to the owner in every consent under this list, ascending: the root key's, each device's and each
    /// recovery key's.
    pub(super) fn sealing_keys(&self) -> Vec<SealingPublic> {
        let DeviceListStatement { root_sealing, devices, recovery, .. } = &self.statement;
        let devices = devices.iter().map(|device| device.sealing);
        let recovery = recovery.iter().map(|arrangement| arrangement.unverified().sealing);
        let keys: BTreeSet<_> = devices.chain(recovery).chain([*root_sealing]).collect();
        keys.into_iter().collect()
    }

    /// Whether a consent that was signed under that version of the list seals to these keys of the owner's. What another
    /// version said is not known here, beside the root key that it was signed with.
    pub(super) fn has_keys(&self, version: Version, keys: &[SealingPublic]) -> bool {
        if version == self.version() {
            return self.sealing_keys() == keys;
        }
        let changed = self.statement.succession.last().map(|last| last.change.unverified().version);
        changed.is_some_and(|changed| version <= changed) || keys.contains(&self.statement.root_sealing)
    }

    pub(crate) fn statement(&self) -> &DeviceListStatement {
        &self.statement
    }
}

/// The id of the owner with this root key: `"o-"` and the base64url of `SHA-256(label ‖ key)`.
pub(crate) fn owner_id(root: &SigningPublic) -> Result<OwnerId> {
    let hash = Sha256::new().chain_update(label::OWNER_ID).chain_update(root.as_bytes()).finalize();
    OwnerId::new(format!("o-{}", Base64UrlUnpadded::encode_string(&hash)))
}

const WHAT: &str = "device list";
