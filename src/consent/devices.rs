//! An owner's devices: the list that the root key signs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use base64ct::{Base64UrlUnpadded, Encoding};

use super::succession::{Arrangement, MAX_ARRANGEMENTS, MAX_DELAY, Succession};
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
    pub devices: Vec<ListedDevice>,
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

/// A device as a list names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedDevice {
    /// The device.
    pub device: PublicDevice,
    /// Since which version of the list it stands in it. A consent under that version or a later one is sealed to it, so
    /// whoever has a later list than the consent's sees that it was left out.
    pub since: Version,
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
    /// Why.
    pub why: Removal,
}

/// Why a device is a device no longer. A later list can only say worse of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Removal {
    /// Nobody else has its keys: it was replaced and wiped, or destroyed. What it wrote stands.
    Retired,
    /// It was lost or stolen: somebody else may have its keys. Since he can put any date on what he signs, nothing that it
    /// wrote counts, of whatever date; the owner looks through it ([`Verdict::KeyCompromised`]) and says anew what is hers.
    ///
    /// [`Verdict::KeyCompromised`]: crate::record::Verdict::KeyCompromised
    Lost {
        /// When it was lost, as far as the owner knows; whoever reviews what it wrote is shown this time.
        since: Time,
    },
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
    /// [`Error::Forged`] if it is another owner's or not signed by the root key, [`Error::Malformed`] if it has no device
    /// or too many, two of one id or key, or a version that is higher than its time has seconds, [`Error::Rollback`] or
    /// [`Error::Fork`] by what `pins` remember. [`Error::Expired`] if it is signed for a time to come, of which nothing
    /// is remembered, or before a change has taken effect; [`Error::Revoked`] if a device vetoed the change.
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
        let devices = self.devices.iter().map(|ListedDevice { device, .. }| (&device.id, device.signing));
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
            if !own
                || !self.may_be_since(arrangement.since)
                || arrangement.delay() > MAX_DELAY
                || !keys.insert(arrangement.signing)
                || !sealing.insert(arrangement.sealing)
            {
                return Err(Error::Malformed(WHAT));
            }
        }
        let listed = |one: &ListedDevice| self.may_be_since(one.since) && sealing.insert(one.device.sealing);
        if self.devices.iter().all(listed) { Ok(()) } else { Err(Error::Malformed(WHAT)) }
    }

    fn may_be_since(&self, version: Version) -> bool {
        (Version(1)..=self.version).contains(&version)
    }
}

impl PublicDevice {
    /// Whether the device may sign something that ends at this time, or never.
    pub(super) fn lasts(&self, end: Option<Time>) -> bool {
        self.until.is_none_or(|until| end.is_some_and(|end| end <= until))
    }
}

impl RemovedDevice {
    /// Since when it is the owner's no longer.
    pub(crate) fn gone_since(&self) -> Time {
        match self.why {
            Removal::Retired => self.since,
            Removal::Lost { since } => self.since.min(since),
        }
    }

    /// Says worse of it, or nothing else.
    pub(crate) fn worsen(&mut self, why: Removal) {
        self.why = match (self.why, why) {
            (Removal::Lost { since: known }, Removal::Lost { since }) => Removal::Lost { since: known.min(since) },
            (Removal::Retired, lost) => lost,
            (lost, Removal::Retired) => lost,
        };
    }

    /// What a clock that was ahead said of it is of now.
    pub(crate) fn by_now(&mut self, now: Time) {
        self.since = self.since.min(now);
        self.worsen(match self.why {
            Removal::Retired => Removal::Retired,
            Removal::Lost { since } => Removal::Lost { since: since.min(now) },
        });
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
        self.statement.devices.iter().map(|listed| &listed.device)
    }

    /// A device of the list.
    pub fn get(&self, id: &DeviceId) -> Option<&PublicDevice> {
        self.iter().find(|device| device.id == *id)
    }

    /// A device of the list that stood in it in that version already: what it signs is signed under no earlier one, which
    /// would leave out the keys that came with it.
    pub(super) fn get_under(&self, version: Version, id: &DeviceId) -> Option<&PublicDevice> {
        let mut listed = self.statement.devices.iter().filter(|listed| listed.since <= version);
        listed.find(|listed| listed.device.id == *id).map(|listed| &listed.device)
    }

    /// Devices that were removed from the list. They sign no consent any more; what they wrote before stands, if nobody
    /// else has their keys.
    pub fn removed(&self) -> &[RemovedDevice] {
        &self.statement.removed
    }

    /// What is sealed to the owner in every consent under this list, ascending: the root key's, each device's and each
    /// recovery key's.
    pub(super) fn sealing_keys(&self) -> Vec<SealingPublic> {
        self.keys_under(self.version())
    }

    /// Those of these keys that stood in that version of the list, too.
    fn keys_under(&self, version: Version) -> Vec<SealingPublic> {
        let DeviceListStatement { root_sealing, devices, recovery, succession, .. } = &self.statement;
        // The first list of a root key has a higher version than the last one of the key before.
        let changed = succession.last().map_or(Version(0), |last| last.change.unverified().version);
        let root = (changed < version).then_some(*root_sealing);
        let devices = devices.iter().filter(|listed| listed.since <= version).map(|listed| listed.device.sealing);
        let recovery = recovery.iter().map(|arrangement| arrangement.unverified());
        let recovery = recovery.filter(|named| named.since <= version).map(|named| named.sealing);
        let keys: BTreeSet<_> = devices.chain(recovery).chain(root).collect();
        keys.into_iter().collect()
    }

    /// Whether a consent that was signed under that version of the list seals to these keys of the owner's: those of this
    /// list, or, if it is a later one, all that stood in the earlier one already. What is in no list any more is not
    /// known here.
    pub(super) fn has_keys(&self, version: Version, keys: &[SealingPublic]) -> bool {
        let known = self.keys_under(version);
        if version == self.version() { known == keys } else { known.iter().all(|key| keys.contains(key)) }
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
