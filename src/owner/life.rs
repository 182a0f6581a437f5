//! What happens to root keys in a life: they are named successors, lost, and changed.

use std::time::Duration;

use super::recovery::{Guardianship, RecoveryKey, RecoveryPublic};
use super::{Device, Owner, next, remove, removed_at, sign};
use crate::consent::{
    Access, ArrangementStatement, DeviceList, DeviceListStatement, Devices, ListedDevice, LiveConsent,
    MAX_ARRANGEMENTS, MAX_DELAY, PublicDevice, Removal, RootChangeStatement, Succession, Veto, VetoStatement,
};
use crate::error::{Error, Result};
use crate::id::{DeviceId, Time};
use crate::identity::{SealingKey, Signed, SigningKey};
use crate::pin::Pins;

/// The shortest time that a change of root key may wait for a veto: a day.
pub const MIN_DELAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A recovery key as the owner names it.
#[derive(Debug, Clone, Copy)]
pub struct Recovery<'a> {
    /// The key.
    pub key: RecoveryPublic,
    /// For how long a change of root key waits for a veto: [`MIN_DELAY`] at least, [`MAX_DELAY`] at most, in whole seconds.
    pub delay: Duration,
    /// The plan by which guardians share the key; none if it is on paper.
    pub plan: Option<&'a Guardianship>,
}

impl Owner {
    /// Signs a list that names these recovery keys and no others, at most [`MAX_ARRANGEMENTS`]. Consents that are sealed
    /// from then on have a slot for each: seal the present ones again.
    ///
    /// To let a guardian go, draw a new key for those who stay and name it here. Her share is worth nothing then to
    /// whoever has seen this list; and consents that are sealed again under a new compartment key do not open with it.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`], [`Error::ApiMisuse`] if a key is named twice, or a delay is shorter than [`MIN_DELAY`] or
    /// longer than [`MAX_DELAY`], [`Error::Malformed`] if nothing can be sealed to a key.
    pub fn arrange_recovery(&mut self, recovery: &[Recovery<'_>], now: Time) -> Result<&DeviceList> {
        if recovery.len() > MAX_ARRANGEMENTS {
            return Err(Error::TooLarge("recovery keys"));
        }
        if recovery.iter().any(|recovery| recovery.delay < MIN_DELAY) {
            return Err(Error::ApiMisuse("a delay of less than a day leaves no time for a veto"));
        }
        if recovery.iter().any(|recovery| recovery.delay > MAX_DELAY) {
            return Err(Error::ApiMisuse("a delay of more than 90 days: nobody can wait for it"));
        }
        let mut statement = self.next(now)?;
        let before = std::mem::take(&mut statement.recovery);
        let since = |key: &RecoveryPublic| {
            let known = before.iter().map(|named| named.unverified()).find(|named| named.sealing == key.sealing);
            known.map_or(statement.version, |named| named.since)
        };
        for Recovery { key, delay, plan } in recovery {
            // What nothing can be sealed to would stop every consent.
            key.sealing.seal(b"", b"", b"")?;
            let said = ArrangementStatement {
                owner: self.id().clone(),
                version: statement.version,
                since: since(key),
                signing: key.signing,
                sealing: key.sealing,
                delay: delay.as_secs(),
                plan: plan.map(Guardianship::hash).transpose()?,
            };
            statement.recovery.push(Signed::sign(said, &self.root)?);
        }
        self.publish(statement).map_err(|error| match error {
            Error::Malformed(_) => Error::ApiMisuse("a recovery key is named twice"),
            other => other,
        })
    }

    /// Signs a list with a device that is not the owner's own, until a time: a parent's, until the owner is of age. What it
    /// signs ends then, at the latest.
    ///
    /// # Errors
    ///
    /// As [`Owner::add_device`].
    pub fn add_device_until(&mut self, device: &PublicDevice, until: Time, now: Time) -> Result<&DeviceList> {
        self.add_device(&PublicDevice { until: Some(until), ..device.clone() }, now)
    }

    /// Draws a new root key in place of this one, which signs for the last time. The owner keeps id, devices and recovery
    /// keys. It takes effect at once: readers take the list by [`DeviceList::accept`](Signed::accept).
    ///
    /// Seal the consents again: their slot for the root key is for the old one.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] after too many changes, [`Error::Randomness`], [`Error::Expired`] if `now` is before the last
    /// list.
    pub fn change_root(self, now: Time) -> Result<Self> {
        let keys = (SigningKey::generate()?, SealingKey::generate()?);
        let change = change(&self.devices, &keys.0, now);
        let link = Succession { change: Signed::sign(change, &self.root)?, by: None };
        successor(self.next(now)?, link, keys)
    }
}

impl RecoveryKey {
    /// Draws a new root key for an owner whose last list names this recovery key, and signs the change. The list that comes
    /// of it is its own announcement: publish it at once. Readers refuse it until the delay is over, and for good if a
    /// device of the last list vetoes it.
    ///
    /// `gone` are the devices that are gone, and why; the others stay, with `first` beside them. The new list names no
    /// recovery key: this one was used, so draw another.
    ///
    /// Then open what counts under the last list with [`LiveConsent::open_as_recovery`], and sign it again: consents that a
    /// device signed that is gone are not believed any more.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the list does not name this key; [`Error::Unknown`] for a device that is not in it; as
    /// [`Owner::add_device`] for the new one; [`Error::Randomness`].
    pub fn succeed(
        &self,
        last: &Devices,
        gone: &[(DeviceId, Removal)],
        first: &PublicDevice,
        now: Time,
    ) -> Result<Owner> {
        let before = last.statement();
        let named = before.recovery.iter().find(|named| named.unverified().signing == self.public().signing);
        let by = Some(named.ok_or(Error::ApiMisuse("the owner's list does not name this recovery key"))?.clone());
        let keys = (SigningKey::generate()?, SealingKey::generate()?);
        let change = change(last, &keys.0, now);
        let link = Succession { change: Signed::sign(change, self.signing())?, by };

        first.sealing.seal(b"", b"", b"")?;
        let mut statement = next(last, now)?;
        for (device, why) in gone {
            remove(&mut statement, device, *why, removed_at(last, now))?;
        }
        if last.get(&first.id).is_some() {
            return Err(Error::ApiMisuse("a device of this id is or was in the list"));
        }
        statement.devices.push(ListedDevice { device: first.clone(), since: statement.version });
        statement.recovery.clear();
        successor(statement, link, keys)
    }
}

impl Device {
    /// Says no to a change of root key that leads to an announced list: the first one that the device's own last list knows
    /// nothing of, whatever others follow it. Give it to whoever reads, and to the server that serves the list.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the list tells of no other change than `last` does.
    pub fn veto(&self, last: &Devices, announced: &DeviceList) -> Result<Veto> {
        let claimed = announced.unverified();
        let link = claimed.succession.get(last.statement().succession.len());
        let change = link.ok_or(Error::ApiMisuse("there is no change to veto"))?.change.hash()?;
        let statement = VetoStatement { owner: claimed.owner.clone(), change, device: self.id().clone() };
        Signed::sign(statement, self.signer().key)
    }
}

impl LiveConsent {
    /// Opens the consent with a recovery key that the device list named when it was sealed.
    ///
    /// # Errors
    ///
    /// As [`LiveConsent::open`].
    pub fn open_as_recovery(&self, key: &RecoveryKey, pins: &mut dyn Pins) -> Result<Access> {
        self.open_sealed(key.sealing(), pins)
    }
}

fn change(last: &Devices, to: &SigningKey, now: Time) -> RootChangeStatement {
    RootChangeStatement {
        owner: last.owner().clone(),
        from: last.statement().root,
        to: to.public(),
        version: last.version(),
        list: last.hash(),
        announced_at: now,
    }
}

fn successor(
    mut statement: DeviceListStatement,
    link: Succession,
    (root, sealing): (SigningKey, SealingKey),
) -> Result<Owner> {
    (statement.root, statement.root_sealing) = (root.public(), sealing.public());
    statement.succession.push(link);
    let (list, devices) = sign(statement, &root)?;
    Ok(Owner { root, sealing, list, devices })
}

#[cfg(test)]
mod tests;
