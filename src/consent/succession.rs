//! Changes of an owner's root key, each signed by the key before it or by a recovery key that this one named.
//!
//! The owner keeps the id, which is made from the first root key. A device list carries every change since, so that a
//! reader can walk from the id to the key that signed the list.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::devices::{DeviceList, DeviceListStatement, Devices, owner_id};
use crate::error::{Error, Result};
use crate::id::{DeviceId, Hash, OwnerId, Time, Version};
use crate::identity::{SealingPublic, Signed, SigningPublic, Statement};
use crate::pin::Pins;
use crate::seal::label;

/// Most changes of root key in an owner's life.
pub const MAX_SUCCESSION: usize = 32;
/// Most recovery arrangements in one list.
pub const MAX_ARRANGEMENTS: usize = 4;

/// The longest time that a change of root key may wait for a veto: 90 days. Where no device is left that could veto,
/// nothing is gained by a longer one; and a slip, milliseconds in the place of seconds, would close the way back, and be
/// found when it is needed.
pub const MAX_DELAY: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A recovery key that a root key named, signed by it: anew for each list, so that a key that stands in no list any more
/// changes nothing from the next list on.
pub type Arrangement = Signed<ArrangementStatement>;

/// What a root key signs to name a recovery key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArrangementStatement {
    /// The owner.
    pub owner: OwnerId,
    /// The version of the device list that names the key.
    pub version: Version,
    /// The version of the first one that does, of those without a gap up to this one. See [`ListedDevice`].
    ///
    /// [`ListedDevice`]: super::ListedDevice
    pub since: Version,
    /// Verifies a change of root key.
    pub signing: SigningPublic,
    /// Seals to whoever holds the recovery key: a slot of every consent.
    pub sealing: SealingPublic,
    /// For how many seconds a change waits for a veto, at most [`MAX_DELAY`].
    pub delay: u64,
    /// The hash of the plan by which guardians share the key; none if it is on paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Hash>,
}

impl ArrangementStatement {
    pub(super) fn delay(&self) -> Duration {
        Duration::from_secs(self.delay)
    }
}

impl Statement for ArrangementStatement {
    const LABEL: &'static [u8] = label::SIGN_ARRANGEMENT;
    const WHAT: &'static str = "recovery arrangement";
    const LIMIT: usize = 1024;
}

/// What the old root key, or a recovery key, signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootChangeStatement {
    /// The owner.
    pub owner: OwnerId,
    /// The root key until now.
    pub from: SigningPublic,
    /// The root key from now on.
    pub to: SigningPublic,
    /// The version of the last list that the old key signed.
    pub version: Version,
    /// The hash of that list.
    pub list: Hash,
    /// When it was signed, by the signer's clock.
    pub announced_at: Time,
}

impl Statement for RootChangeStatement {
    const LABEL: &'static [u8] = label::SIGN_ROOT_CHANGE;
    const WHAT: &'static str = WHAT;
    const LIMIT: usize = 1024;
}

/// One change of root key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Succession {
    /// The change.
    pub change: Signed<RootChangeStatement>,
    /// The arrangement whose key signed it; none if the old root key did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Arrangement>,
}

/// A device's no to a change of root key by a recovery key.
///
/// Any device of the list that the change was made from has it, a stolen one too, and against each new change again: a
/// change that could drop the device that says no would be worth as much to whoever stole the recovery key. Only the root
/// key, which removes the device, ends that.
pub type Veto = Signed<VetoStatement>;

/// What a device signs to veto a change of root key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VetoStatement {
    /// The owner.
    pub owner: OwnerId,
    /// The hash of the change.
    pub change: Hash,
    /// The device.
    pub device: DeviceId,
}

impl Statement for VetoStatement {
    const LABEL: &'static [u8] = label::SIGN_VETO;
    const WHAT: &'static str = "veto";
    const LIMIT: usize = 1024;
}

impl Signed<VetoStatement> {
    /// Remembers the veto, if it is against the first change of the announced list that `before` does not tell of, by a
    /// recovery key, and a device of `before` signed it, which is the list of the version that the change was made from:
    /// the change, and with it whatever follows, is refused for good by whoever has these pins, unless it was accepted
    /// before.
    ///
    /// # Errors
    ///
    /// [`Error::Forged`]; [`Error::Expired`] if the device's own time is over.
    pub fn accept(&self, before: &Devices, announced: &DeviceList, pins: &mut dyn Pins, now: Time) -> Result<()> {
        let claimed = self.unverified();
        let device = before.get(&claimed.device).ok_or(Error::Forged("veto"))?;
        let known = &before.statement().succession;
        let announced = &announced.unverified().succession;
        // Whatever list the change claims to be made from: who signed it may have written anything.
        let against = announced.get(known.len()).filter(|link| {
            let made_from = link.change.unverified().version == before.version();
            made_from && link.by.is_some() && link.change.hash() == Ok(claimed.change)
        });
        if claimed.owner != *before.owner() || against.is_none() || !announced.starts_with(known) {
            return Err(Error::Forged("veto"));
        }
        self.verify(&device.signing)?;
        if !device.lasts(Some(now)) {
            return Err(Error::Expired("device"));
        }
        pins.remember(VETO, &place(&claimed.owner, &claimed.change), before.version(), before.hash())?;
        Ok(())
    }
}

impl DeviceListStatement {
    /// Walks from the owner's id to the root key of the list. Who signed is checked, and not when.
    pub(super) fn walk(&self) -> Result<()> {
        if self.succession.len() > MAX_SUCCESSION {
            return Err(Error::TooLarge(WHAT));
        }
        let first = self.succession.first().map_or(self.root, |first| first.change.unverified().from);
        if self.owner != owner_id(&first)? {
            return Err(Error::Forged(DEVICES));
        }
        let (mut root, mut last) = (first, Version(0));
        for Succession { change, by } in &self.succession {
            let signer = match by {
                None => root,
                Some(by) => {
                    let by = by.verify(&root)?;
                    if (&by.owner, by.version) != (&self.owner, change.unverified().version) {
                        return Err(Error::Forged(WHAT));
                    }
                    if by.delay() > MAX_DELAY {
                        return Err(Error::Malformed(WHAT));
                    }
                    by.signing
                }
            };
            let change = change.verify(&signer)?;
            if (&change.owner, change.from) != (&self.owner, root) || change.version <= last {
                return Err(Error::Forged(WHAT));
            }
            (root, last) = (change.to, change.version);
        }
        let direct = self.succession.last().map(|last| last.change.unverified()).filter(|last| {
            // The first list of a new root key follows the one that the change was made from.
            last.version.0.checked_add(1) == Some(self.version.0) && self.previous != Some(last.list)
        });
        if root == self.root && self.version > last && direct.is_none() { Ok(()) } else { Err(Error::Forged(DEVICES)) }
    }

    /// Whether the changes that `pins` have not accepted yet may take effect, and then remembers them. Each is made from
    /// the very list that is pinned, if one is; nobody vetoed it; and its delay is over: since it was seen first, if the
    /// owner was known before, or else since it was announced by its own account.
    ///
    /// Of two changes that race, the one that takes effect here first stays, and the other is a fork: these pins are all
    /// that decides it, so readers may differ. A log that witnesses announcements and vetoes has its place here: its time
    /// in the place of the one first seen, and its order in the place of the pins' own.
    pub(super) fn take_effect(&self, pins: &mut dyn Pins, now: Time) -> Result<()> {
        let owner = self.owner.as_str();
        let accepted = pins.seen(ACCEPTED, owner)?;
        let known = accepted.map_or(0, |(version, _)| usize::try_from(version.0).unwrap_or(usize::MAX));
        if known > self.succession.len() {
            return Err(Error::Rollback(WHAT));
        }
        if let Some((_, hash)) = accepted
            && self.succession.get(known.saturating_sub(1)).map(|last| last.change.hash()).transpose()? != Some(hash)
        {
            return Err(Error::Fork(WHAT));
        }
        let pinned = pins.seen(DEVICES, owner)?;
        for Succession { change, by } in self.succession.get(known..).unwrap_or_default() {
            let (hash, statement) = (change.hash()?, change.unverified());
            let place = place(&self.owner, &hash);
            // A key that a later list dismissed signs for the version of its own list, whatever list it names.
            let made_from = (statement.version, statement.list);
            if pinned.is_some_and(|pinned| pinned.0 > made_from.0 || (pinned.0 == made_from.0 && pinned != made_from)) {
                return Err(Error::Fork(WHAT));
            }
            if let Some(by) = by {
                let seen = match pinned {
                    None => statement.announced_at,
                    Some(_) => {
                        let first = pins.remember(SEEN, &place, Version(now.as_secs()), hash)?;
                        Time::from_secs(first.0.0)?.max(statement.announced_at)
                    }
                };
                if pins.seen(VETO, &place)?.is_some() {
                    return Err(Error::Revoked("this change of root key"));
                }
                if now <= seen.plus(by.unverified().delay()) {
                    return Err(Error::Expired(WHAT));
                }
            }
        }
        if let Some(last) = self.succession.last() {
            let length = u64::try_from(self.succession.len()).unwrap_or(u64::MAX);
            pins.accept(ACCEPTED, owner, Version(length), last.change.hash()?)?;
        }
        Ok(())
    }
}

fn place(owner: &OwnerId, change: &Hash) -> String {
    use base64ct::{Base64UrlUnpadded, Encoding};
    format!("{owner}/{}", Base64UrlUnpadded::encode_string(change.as_bytes()))
}

pub(super) const WHAT: &str = "change of root key";
const DEVICES: &str = "device list";
const ACCEPTED: &str = "root key";
const SEEN: &str = "root change";
const VETO: &str = "veto";
