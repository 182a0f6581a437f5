//! Owners of records and their devices.
//!
//! An [`Owner`] is a root key: it makes the owner's id, signs the list of devices, and can stay in a drawer otherwise. A
//! [`Device`] is what the patient carries: it signs consents, opens them and writes records.
//!
//! # Example
//!
//! ```
//! use chartseal::{Error, id::Time, owner::{Device, Owner}, pin::PinStore};
//!
//! let now = Time::at(1_775_000_000);
//! let (mut alice, phone) = Owner::generate_with_device("phone".parse()?, now)?;
//! let first = alice.list().clone();
//! alice.add_device(&Device::generate("tablet".parse()?)?.public(), now)?;
//!
//! let mut pins = PinStore::default();
//! assert_eq!(alice.list().accept(alice.id(), &mut pins, now)?.iter().len(), 2);
//! assert_eq!(first.accept(alice.id(), &mut pins, now).err(), Some(Error::Rollback("device list")));
//!
//! let (stored, _) = phone.consent(alice.devices(), "cardiology".parse()?).seal(now)?;
//! let live = stored.verify(alice.devices(), &"cardiology".parse()?, &mut pins, now)?;
//! assert!(live.open_as_root(&alice, &mut pins).is_ok());
//! # Ok::<(), Error>(())
//! ```

mod device;
mod erasure;
mod life;
mod receipt;
pub mod recovery;
mod sharing;

pub use device::Device;
pub use erasure::{AcceptedErasure, ERASURE_LIMIT, Erasure, ErasureStatement};
pub use life::{MIN_DELAY, Recovery};
pub use receipt::{Adversary, Party, Protection, Receipt, Step, Who};
pub use sharing::{Change, Sharing};

use std::time::Duration;

use crate::consent::{
    Access, ArrangementStatement, DeviceList, DeviceListStatement, Devices, ListedDevice, LiveConsent, MAX_DEVICES,
    MAX_REMOVED, PublicDevice, Removal, RemovedDevice, owner_id,
};
use crate::error::{Error, Result, Unknown};
use crate::id::{DeviceId, OwnerId, Time, Version};
use crate::identity::{SealingKey, Signed, SigningKey};
use crate::pin::Pins;
use crate::secret::Secret;
use crate::time::CLOCK_SKEW;
use crate::wire::{Reader, Writer};

/// An owner's root key and the latest list of devices.
#[derive(Debug)]
pub struct Owner {
    root: SigningKey,
    sealing: SealingKey,
    list: DeviceList,
    devices: Devices,
}

impl Owner {
    /// Draws a new root key, and signs the list of the first device.
    ///
    /// # Errors
    ///
    /// [`Error::Randomness`], [`Error::Malformed`] if nothing can be sealed to the device.
    pub fn generate(first_device: &PublicDevice, now: Time) -> Result<Self> {
        first_device.sealing.seal(b"", b"", b"")?;
        let (root, sealing) = (SigningKey::generate()?, SealingKey::generate()?);
        let statement = DeviceListStatement {
            owner: owner_id(&root.public())?,
            root: root.public(),
            root_sealing: sealing.public(),
            version: Version(1),
            previous: None,
            devices: vec![ListedDevice { device: first_device.clone(), since: Version(1) }],
            removed: Vec::new(),
            issued_at: now,
            recovery: Vec::new(),
            succession: Vec::new(),
        };
        let (list, devices) = sign(statement, &root)?;
        Ok(Self { root, sealing, list, devices })
    }

    /// An owner with a first device, both new.
    ///
    /// # Errors
    ///
    /// [`Error::Randomness`].
    pub fn generate_with_device(device: DeviceId, now: Time) -> Result<(Self, Device)> {
        let device = Device::generate(device)?;
        Ok((Self::generate(&device.public(), now)?, device))
    }

    /// The owner's id, made from the root key.
    pub fn id(&self) -> &OwnerId {
        self.devices.owner()
    }

    /// The list of devices as it is published.
    pub fn list(&self) -> &DeviceList {
        &self.list
    }

    /// The list of devices as the owner's own devices use it.
    pub fn devices(&self) -> &Devices {
        &self.devices
    }

    /// Signs a list with one more device. It opens consents that are sealed from then on: seal the present ones again.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] over [`MAX_DEVICES`], [`Error::ApiMisuse`] if the list has, or had, the id or a key already,
    /// [`Error::Malformed`] if nothing can be sealed to the device: no consent could be sealed any more;
    /// [`Error::Expired`] if `now` is before the last list ([`Owner::correct_clock`]).
    pub fn add_device(&mut self, device: &PublicDevice, now: Time) -> Result<&DeviceList> {
        let mut statement = self.next(now)?;
        if statement.devices.len() >= MAX_DEVICES {
            return Err(Error::TooLarge("device list"));
        }
        device.sealing.seal(b"", b"", b"")?;
        statement.devices.push(ListedDevice { device: device.clone(), since: statement.version });
        self.publish(statement).map_err(|error| match error {
            Error::Malformed(_) => Error::ApiMisuse("the device's id or keys stand in the list already"),
            other => other,
        })
    }

    /// Signs a list without a device. Whoever sees the list refuses all consents that the device signed, earlier ones
    /// too, since nothing but the device's word says that they are earlier. Seal those that still count again from
    /// another device, with a new compartment key if the device was lost.
    ///
    /// Readers who saw a consent that a thief signed refuse the older ones until there is one under the new list; so does
    /// the owner's own memory. Before this call, open the last honest one, with an empty
    /// [`PinStore`](crate::pin::PinStore) if need be, to go on from it: if the device signed it, it is not believed after.
    ///
    /// `why` says what becomes of the records that it wrote: they stand, or are for the owner to look through
    /// ([`Removal`]). If it turns out later that a retired device was stolen, say so by the same call; the other way round
    /// there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] if the device is not in the list, [`Error::ApiMisuse`] if it is the only one: add its successor
    /// first; and if it is to be lost at a time to come; [`Error::Expired`] if `now` is before the last list.
    pub fn remove_device(&mut self, device: &DeviceId, why: Removal, now: Time) -> Result<&DeviceList> {
        let mut statement = self.next(now)?;
        remove(&mut statement, device, why, removed_at(&self.devices, now))?;
        if statement.devices.is_empty() {
            return Err(Error::ApiMisuse("an owner needs a device"));
        }
        self.publish(statement)
    }

    /// The canonical bytes, for a safe: `"cso" ‖ 1 ‖ signing seed (32) ‖ sealing key (32) ‖ the signed list in CBOR`.
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn to_secret_bytes(&self) -> Result<Secret<Vec<u8>>> {
        let list = self.list.to_cbor()?;
        let mut w = Writer::with_capacity(4 + 64 + list.len(), MAGIC);
        w.bytes(self.root.expose()).bytes(self.sealing.expose()).bytes(&list);
        Ok(Secret::new(w.finish()))
    }

    /// Reads an owner strictly.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`], [`Error::UnknownVersion`] or [`Error::TooLarge`] for bytes in another form,
    /// [`Error::Forged`] if the list is not that of the keys.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes, WHAT);
        r.magic(MAGIC)?;
        let root = SigningKey::from_seed(r.array()?);
        let sealing = SealingKey::from_bytes(r.array()?)?;
        let list = DeviceList::from_cbor(r.rest())?;
        let devices = list.accept_own()?;
        let statement = devices.statement();
        if statement.root != root.public() || statement.root_sealing != sealing.public() {
            return Err(Error::Forged("device list"));
        }
        Ok(Self { root, sealing, list, devices })
    }

    /// Signs the list again as of now, after a clock that was ahead signed the last one for a time to come: nobody with a
    /// right clock took that one over. What was removed by it is removed now.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the last list is not of a time to come by this clock: then this is perhaps the wrong one.
    pub fn correct_clock(&mut self, now: Time) -> Result<&DeviceList> {
        if self.devices.statement().issued_at <= now.plus(CLOCK_SKEW) {
            return Err(Error::ApiMisuse("the last device list is not of a time to come"));
        }
        let mut statement = next(&self.devices, now)?;
        for removed in &mut statement.removed {
            removed.by_now(now);
        }
        self.publish(statement)
    }

    /// The next list. It is not before the one that it follows: by a clock that is behind, a device would be removed
    /// before it wrote what it wrote last.
    fn next(&self, now: Time) -> Result<DeviceListStatement> {
        if now.plus(CLOCK_SKEW) < self.devices.statement().issued_at {
            return Err(Error::Expired("device list"));
        }
        next(&self.devices, now)
    }

    fn publish(&mut self, statement: DeviceListStatement) -> Result<&DeviceList> {
        (self.list, self.devices) = sign(statement, &self.root)?;
        Ok(&self.list)
    }
}

/// The next list, with everything as it is.
fn next(devices: &Devices, now: Time) -> Result<DeviceListStatement> {
    let mut statement = devices.statement().clone();
    statement.version = Version(statement.version.0.checked_add(1).ok_or(Error::TooLarge("version"))?);
    statement.previous = Some(devices.hash());
    statement.issued_at = now;
    Ok(statement)
}

/// When a device is removed from a list: not before that was signed, by a clock that is behind.
fn removed_at(devices: &Devices, now: Time) -> Time {
    now.max(devices.statement().issued_at)
}

/// Takes a device out of a list, and keeps its key among the removed. One whose own time was over before counts no longer
/// for being removed later.
fn remove(statement: &mut DeviceListStatement, device: &DeviceId, why: Removal, now: Time) -> Result<()> {
    if matches!(why, Removal::Lost { since } if since > now) {
        return Err(Error::ApiMisuse("a device cannot be lost in the future"));
    }
    if let Removal::Lost { .. } = why
        && let Some(removed) = statement.removed.iter_mut().find(|removed| removed.id == *device)
    {
        removed.worsen(why);
        return Ok(());
    }
    let at = statement.devices.iter().position(|listed| listed.device.id == *device);
    let unknown = || Error::Unknown(Unknown::Device { owner: statement.owner.clone(), device: device.clone() });
    let at = at.ok_or_else(unknown)?;
    let PublicDevice { id, signing, until, .. } = statement.devices.remove(at).device;
    if statement.removed.len() >= MAX_REMOVED {
        statement.removed.remove(0);
    }
    let ended = until.map(|until| until.plus(Duration::from_secs(1)));
    let since = ended.map_or(now, |ended| ended.min(now));
    statement.removed.push(RemovedDevice { id, signing, since, why });
    Ok(())
}

impl LiveConsent {
    /// Opens the consent with the root key: every consent has a slot for it.
    ///
    /// # Errors
    ///
    /// As [`LiveConsent::open`].
    pub fn open_as_root(&self, owner: &Owner, pins: &mut dyn Pins) -> Result<Access> {
        self.open_sealed(&owner.sealing, pins)
    }
}

fn sign(mut statement: DeviceListStatement, root: &SigningKey) -> Result<(DeviceList, Devices)> {
    // Each list has its own word on the recovery keys.
    for arrangement in &mut statement.recovery {
        let said = ArrangementStatement { version: statement.version, ..arrangement.unverified().clone() };
        *arrangement = Signed::sign(said, root)?;
    }
    let list = Signed::sign(statement, root)?;
    let devices = list.accept_own()?;
    Ok((list, devices))
}

const WHAT: &str = "owner";
const MAGIC: &[u8; 4] = b"cso\x01";
