//! Whose signatures count: credentials that an authority vouches for, and the owner's devices.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::author::{By, Writer};
use super::verdict::{Doubts, Verdict};
use crate::authority::{Backing, Credential, Reason, Standing, Trust};
use crate::consent::{Devices, Removal, RemovedDevice};
use crate::error::{Error, Result, Unknown};
use crate::id::{AuthorityId, DeviceId, OwnerId, PersonId, Time};
use crate::identity::{PreparedKey, SigningPublic};
use crate::policy::Attributes;

/// Who signed, as far as somebody vouches for it.
pub(super) struct Signer {
    pub(super) key: PreparedKey,
    pub(super) writer: Writer,
    /// None for the owner's devices, which may write whatever the consent says.
    pub(super) attributes: Option<Rc<Attributes>>,
    /// What speaks against the signer at the time that was asked about.
    pub(super) doubts: Doubts,
}

/// Finds signers, and remembers the credentials that were verified.
pub(super) struct Signers<'a> {
    trust: &'a Trust,
    now: Time,
    devices: Vec<Devices>,
    known: RefCell<HashMap<Vec<u8>, Rc<Known>>>,
}

/// A credential whose signature was verified, and all that its standing at some time depends on.
struct Known {
    key: PreparedKey,
    authority: AuthorityId,
    person: PersonId,
    attributes: Rc<Attributes>,
    not_before: Time,
    not_after: Time,
    revoked: Option<(Time, Reason)>,
    contradicted: bool,
    backing: Backing,
}

impl<'a> Signers<'a> {
    pub(super) fn new(trust: &'a Trust, now: Time) -> Self {
        Self { trust, now, devices: Vec::new(), known: RefCell::default() }
    }

    pub(super) fn add(&mut self, devices: Devices) {
        self.devices.push(devices);
    }

    /// Whose key it is, and what speaks against it at the time `at`. Whoever seals again what others will judge, and who
    /// vouches for nothing alone, passes over the doubts.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] without an anchor or the owner's list, or if the list has no such device: it may be an old one;
    /// [`Error::Forged`] or [`Error::Malformed`] for a credential that is none.
    pub(super) fn find(&self, by: &By, owner: &OwnerId, at: Time) -> Result<Signer> {
        match by {
            By::Credential(bytes) => {
                let known = self.known(bytes)?;
                let (authority, person) = (known.authority.clone(), known.person.clone());
                let standing = known.revoked.map_or(Standing::Good, |(since, _)| Standing::RevokedSince(since));
                Ok(Signer {
                    key: known.key.clone(),
                    writer: Writer::Person { authority, person, standing },
                    attributes: Some(known.attributes.clone()),
                    doubts: known.doubts(at),
                })
            }
            By::Device(id) => {
                let (key, removed) = self.device(id, owner)?;
                let standing = removed.map_or(Standing::Good, |removed| Standing::RevokedSince(removed.gone_since()));
                let mut doubts = Doubts::default();
                if self.until(id, owner).is_some_and(|until| until < at) {
                    doubts.add(Verdict::CredentialExpired, Error::Expired("device"));
                }
                match removed {
                    None => {}
                    Some(RemovedDevice { why: Removal::Lost { .. }, .. }) => {
                        doubts.add(Verdict::KeyCompromised, Error::Revoked("this device"));
                    }
                    Some(removed) if removed.since > at => doubts.note(Verdict::BeforeRevocation),
                    Some(_) => doubts.add(Verdict::AfterRevocation, Error::Revoked("this device")),
                }
                let key = key.prepare().ok_or(Error::Forged("content"))?;
                let writer = Writer::Device { device: id.clone(), standing };
                Ok(Signer { key, writer, attributes: None, doubts })
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

    /// The key of a device of the owner's, or of one that was, with what is said of its removal.
    fn device(&self, id: &DeviceId, owner: &OwnerId) -> Result<(SigningPublic, Option<&RemovedDevice>)> {
        let devices = self.list(owner).ok_or_else(|| Error::Unknown(Unknown::DeviceList(owner.clone())))?;
        if let Some(device) = devices.get(id) {
            return Ok((device.signing, None));
        }
        let removed = devices.removed().iter().find(|device| device.id == *id);
        let unknown = || Error::Unknown(Unknown::Device { owner: owner.clone(), device: id.clone() });
        let removed = removed.ok_or_else(unknown)?;
        Ok((removed.signing, Some(removed)))
    }

    fn known(&self, bytes: &[u8]) -> Result<Rc<Known>> {
        if let Some(known) = self.known.borrow().get(bytes) {
            return Ok(known.clone());
        }
        let credential = Credential::from_cbor(bytes)?;
        let vouched = self.trust.vouched(&credential, self.now)?;
        let known = Rc::new(Known {
            key: vouched.said.signing.prepare().ok_or(Error::Forged("credential"))?,
            authority: vouched.said.authority.clone(),
            person: vouched.said.person.clone(),
            attributes: Rc::new(vouched.attributes),
            not_before: vouched.said.not_before,
            not_after: vouched.said.not_after,
            revoked: vouched.revoked,
            contradicted: vouched.contradicted,
            backing: vouched.backing,
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
    /// What speaks against the credential at a time: what [`Trust::credential_at`] would refuse it for, and the rest.
    fn doubts(&self, at: Time) -> Doubts {
        let mut doubts = Doubts::default();
        if self.backing == Backing::Retired {
            doubts.add(Verdict::AnchorRetired, Error::Unknown(Unknown::Authority(self.authority.clone())));
        }
        if at < self.not_before || at > self.not_after {
            doubts.add(Verdict::CredentialExpired, Error::Expired("credential"));
        }
        if self.contradicted {
            doubts.add(Verdict::NumberContradicted, Error::Untrusted("people map"));
        }
        match self.backing {
            Backing::NoList => {
                let unknown = Unknown::RevocationList(self.authority.clone());
                doubts.add(Verdict::RevocationsUnknown, Error::Unknown(unknown));
            }
            Backing::OldList => doubts.add(Verdict::RevocationsUnknown, Error::Expired("revocation list")),
            Backing::Whole | Backing::Retired => {}
        }
        match self.revoked {
            None => {}
            Some((_, Reason::Compromised)) => doubts.add(Verdict::KeyCompromised, Error::Revoked("this person")),
            Some((since, _)) if since > at => doubts.note(Verdict::BeforeRevocation),
            Some(_) => doubts.add(Verdict::AfterRevocation, Error::Revoked("this person")),
        }
        doubts
    }
}

/// Most credentials that are remembered: as many as a hospital has people who write.
const MAX_KNOWN: usize = 4096;
