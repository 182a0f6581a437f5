//! Whose signatures count: credentials that an authority vouches for, and the owner's devices.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::author::{By, Writer};
use crate::authority::{Credential, Standing, Trust};
use crate::consent::Devices;
use crate::error::{Error, Result};
use crate::id::{AuthorityId, DeviceId, OwnerId, PersonId, Time};
use crate::identity::{PreparedKey, SigningPublic};
use crate::policy::Attributes;

/// Who signed, as far as somebody vouches for it.
pub(super) struct Signer {
    pub(super) key: PreparedKey,
    pub(super) writer: Writer,
    /// None for the owner's devices, which may write whatever the consent says.
    pub(super) attributes: Option<Rc<Attributes>>,
}

/// Finds signers, and remembers the credentials that were verified.
pub(super) struct Signers<'a> {
    trust: &'a Trust,
    devices: Vec<Devices>,
    known: RefCell<HashMap<Vec<u8>, Rc<Known>>>,
}

/// A credential whose signature was verified, with all that depends on the time of the question.
struct Known {
    key: PreparedKey,
    authority: AuthorityId,
    person: PersonId,
    attributes: Rc<Attributes>,
    not_before: Time,
    not_after: Time,
    revoked: Option<Time>,
}

impl<'a> Signers<'a> {
    pub(super) fn new(trust: &'a Trust) -> Self {
        Self { trust, devices: Vec::new(), known: RefCell::default() }
    }

    pub(super) fn add(&mut self, devices: Devices) {
        self.devices.push(devices);
    }

    /// # Errors
    ///
    /// Those of [`Trust::credential`] at the time `at`; for devices [`Error::Unknown`] without the owner's list,
    /// [`Error::Forged`] if it names no such device, [`Error::Revoked`] if the device was removed by then.
    pub(super) fn find(&self, by: &By, owner: &OwnerId, at: Time) -> Result<Signer> {
        match by {
            By::Credential(bytes) => {
                let known = self.known(bytes, at)?;
                let standing = known.standing(at)?;
                let (authority, person) = (known.authority.clone(), known.person.clone());
                let writer = Writer::Person { authority, person, standing };
                Ok(Signer { key: known.key.clone(), writer, attributes: Some(known.attributes.clone()) })
            }
            By::Device(id) => {
                let (key, standing) = self.device(id, owner)?;
                if self.until(id, owner).is_some_and(|until| until < at) {
                    return Err(Error::Expired("device"));
                }
                if matches!(standing, Standing::RevokedSince(since) if since <= at) {
                    return Err(Error::Revoked("this device"));
                }
                let key = key.prepare().ok_or(Error::Forged("content"))?;
                Ok(Signer { key, writer: Writer::Device { device: id.clone(), standing }, attributes: None })
            }
        }
    }

    /// Whose key it is, whether it counts at any time or not: for what the signer does not vouch for alone, or to seal again
    /// what others will judge.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] without an anchor or the owner's list, [`Error::Forged`] if these do not know the key.
    pub(super) fn find_any(&self, by: &By, owner: &OwnerId) -> Result<Signer> {
        match by {
            By::Credential(bytes) => {
                let credential = Credential::from_cbor(bytes)?;
                let said = self.trust.authentic(&credential)?;
                let standing = self.trust.standing(said);
                let writer =
                    Writer::Person { authority: said.authority.clone(), person: said.person.clone(), standing };
                let key = said.signing.prepare().ok_or(Error::Forged("credential"))?;
                Ok(Signer { key, writer, attributes: None })
            }
            By::Device(id) => {
                let (key, standing) = self.device(id, owner)?;
                let key = key.prepare().ok_or(Error::Forged("content"))?;
                Ok(Signer { key, writer: Writer::Device { device: id.clone(), standing }, attributes: None })
            }
        }
    }

    /// The newest list says most.
    fn list(&self, owner: &OwnerId) -> Option<&Devices> {
        self.devices.iter().filter(|devices| devices.owner() == owner).max_by_key(|devices| devices.version())
    }

    fn until(&self, id: &DeviceId, owner: &OwnerId) -> Option<Time> {
        self.list(owner)?.get(id)?.until
    }

    /// The key of a device of the owner's, or of one that was, and since when it counts no more.
    fn device(&self, id: &DeviceId, owner: &OwnerId) -> Result<(SigningPublic, Standing)> {
        let devices = self.list(owner).ok_or(Error::Unknown("device list"))?;
        if let Some(device) = devices.get(id) {
            return Ok((device.signing, Standing::Good));
        }
        let removed = devices.removed().iter().find(|device| device.id == *id).ok_or(Error::Forged("content"))?;
        Ok((removed.signing, Standing::RevokedSince(removed.since)))
    }

    fn known(&self, bytes: &[u8], at: Time) -> Result<Rc<Known>> {
        if let Some(known) = self.known.borrow().get(bytes) {
            return Ok(known.clone());
        }
        let credential = Credential::from_cbor(bytes)?;
        let verified = self.trust.credential(&credential, at)?;
        let known = Rc::new(Known {
            key: verified.signing().prepare().ok_or(Error::Forged("credential"))?,
            authority: verified.authority().clone(),
            person: verified.person().clone(),
            attributes: Rc::new(verified.attributes().clone()),
            not_before: credential.unverified().not_before,
            not_after: credential.unverified().not_after,
            revoked: match verified.standing() {
                Standing::Good => None,
                Standing::RevokedSince(since) => Some(since),
            },
        });
        let mut all = self.known.borrow_mut();
        if all.len() >= MAX_KNOWN {
            all.clear();
        }
        all.insert(bytes.to_vec(), known.clone());
        Ok(known)
    }
}

impl Known {
    /// What [`Trust::credential`] says of another time.
    fn standing(&self, at: Time) -> Result<Standing> {
        if at < self.not_before || at > self.not_after {
            return Err(Error::Expired("credential"));
        }
        match self.revoked {
            None => Ok(Standing::Good),
            Some(since) if since > at => Ok(Standing::RevokedSince(since)),
            Some(_) => Err(Error::Revoked("this person")),
        }
    }
}

/// Most credentials that are remembered: as many as a hospital has people who write.
const MAX_KNOWN: usize = 4096;
