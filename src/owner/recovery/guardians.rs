//! Guardians: who they are, and what each of them holds.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::RecoveryKey;
use super::shares::{self, Commitments, Share, WHAT as SHARE};
use crate::error::{Error, Result};
use crate::id::{Hash, PersonId};
use crate::identity::{Identity, PublicIdentity, Sealed};
use crate::seal::label;
use crate::secret::Secret;
use crate::wire::{self, Reader, Writer};

/// Who shares a recovery key, and the commitments that every share is checked against. The device list names its hash,
/// so that readers do not learn who the guardians are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guardianship {
    guardians: Vec<PersonId>,
    commitments: Commitments,
}

wire::object!(Guardianship, "guardianship", LIMIT);

/// What one guardian holds. It opens nothing alone.
#[derive(Debug)]
pub struct GuardianShare {
    plan: Guardianship,
    share: Share,
}

impl Guardianship {
    pub(super) fn share(
        secret: &Secret<[u8; 32]>,
        threshold: usize,
        guardians: Vec<PersonId>,
    ) -> Result<(Self, Vec<GuardianShare>)> {
        if guardians.iter().collect::<BTreeSet<_>>().len() != guardians.len() {
            return Err(Error::ApiMisuse("a guardian is named twice"));
        }
        let (commitments, shares) = shares::share(secret, threshold, guardians.len())?;
        let plan = Self { guardians, commitments };
        let shares = shares.into_iter().map(|share| GuardianShare { plan: plan.clone(), share }).collect();
        Ok((plan, shares))
    }

    /// The guardians, in the order of their shares.
    pub fn guardians(&self) -> &[PersonId] {
        &self.guardians
    }

    /// How many of them bring the key back.
    pub fn threshold(&self) -> usize {
        self.commitments.threshold()
    }

    /// `SHA-256(label ‖ canonical CBOR)`, as it stands in the device list. The commitments are random, so it is no test of
    /// the names.
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn hash(&self) -> Result<Hash> {
        Ok(Hash(Sha256::new().chain_update(label::GUARDIANSHIP).chain_update(self.to_cbor()?).finalize().into()))
    }

    /// The recovery key from the shares of enough guardians. Take the plan whose hash the device list names: the plan that
    /// a share carries is only what the guardian says.
    ///
    /// # Errors
    ///
    /// [`Error::Untrusted`] if a share is not its guardian's under this plan, wrong or made up; [`Error::ApiMisuse`] if one
    /// comes twice or there are too few. Never another key.
    pub fn combine(&self, shares: &[GuardianShare]) -> Result<RecoveryKey> {
        let shares: Vec<_> = shares.iter().map(|held| held.share.duplicate()).collect();
        if shares.iter().any(|share| self.guardian(share).is_none()) {
            return Err(Error::Untrusted(SHARE));
        }
        RecoveryKey::new(self.commitments.combine(&shares)?)
    }

    fn guardian(&self, share: &Share) -> Option<&PersonId> {
        self.guardians.get(usize::from(share.place).checked_sub(1)?)
    }

    /// The shape that every plan has.
    fn check(&self) -> Result<()> {
        let distinct = self.guardians.iter().collect::<BTreeSet<_>>().len() == self.guardians.len();
        let enough = (self.threshold()..=shares::MAX_GUARDIANS).contains(&self.guardians.len());
        self.commitments.points()?;
        if distinct && enough { Ok(()) } else { Err(Error::Malformed(WHAT)) }
    }
}

impl GuardianShare {
    /// The plan that the share is for. A guardian compares its hash with that in the owner's device list, or she holds
    /// something that brings nothing back.
    pub fn plan(&self) -> &Guardianship {
        &self.plan
    }

    /// The guardian whose share it is.
    pub fn guardian(&self) -> Option<&PersonId> {
        self.plan.guardian(&self.share)
    }

    /// Seals the share to its guardian, or again to whoever brings the shares together.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if nothing can be sealed to that key, [`Error::Randomness`].
    pub fn seal(&self, to: &PublicIdentity) -> Result<Sealed> {
        to.sealing.seal(label::HPKE_SHARE, &[], self.to_secret_bytes()?.expose())
    }

    /// Opens a share that was sealed to this identity.
    ///
    /// # Errors
    ///
    /// [`Error::CannotOpen`]; otherwise as [`GuardianShare::decode`].
    pub fn open(sealed: &Sealed, identity: &Identity) -> Result<Self> {
        Self::decode(identity.sealing().open(label::HPKE_SHARE, &[], sealed)?.expose())
    }

    /// The canonical bytes, for the guardian's safe: `"csg" ‖ 1 ‖ place (1) ‖ value (32) ‖ the plan in CBOR`.
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn to_secret_bytes(&self) -> Result<Secret<Vec<u8>>> {
        let plan = self.plan.to_cbor()?;
        let mut w = Writer::with_capacity(4 + 1 + 32 + plan.len(), MAGIC);
        w.u8(self.share.place).bytes(self.share.value.expose()).bytes(&plan);
        Ok(Secret::new(w.finish()))
    }

    /// Reads a share strictly, and checks it against its plan.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`], [`Error::UnknownVersion`] or [`Error::TooLarge`] for bytes in another form,
    /// [`Error::Untrusted`] if it is not the share of its place.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes, SHARE);
        r.magic(MAGIC)?;
        let place = r.u8()?;
        let value = r.array::<32>()?;
        let value = Secret::build(|to| to.copy_from_slice(value));
        let held = Self { plan: Guardianship::from_cbor(r.rest())?, share: Share { place, value } };
        held.plan.check()?;
        held.plan.commitments.check(&held.share)?;
        if held.guardian().is_some() { Ok(held) } else { Err(Error::Untrusted(SHARE)) }
    }
}

const WHAT: &str = "guardianship";
const LIMIT: usize = 4 * 1024;
const MAGIC: &[u8; 4] = b"csg\x01";

#[cfg(test)]
mod tests {
    use super::*;

    fn people(names: &[&str]) -> Vec<PersonId> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn a_share_survives_its_bytes_and_its_way_to_the_guardian_alone() {
        let key = RecoveryKey::generate().unwrap();
        let (plan, shares) = key.share(2, people(&["ann", "ben", "cleo"])).unwrap();
        let [ann, ben] = ["ann", "ben"].map(|id| Identity::generate(id.parse().unwrap()).unwrap());
        let sealed = shares[0].seal(&ann.public()).unwrap();
        assert_eq!(GuardianShare::open(&sealed, &ben).err(), Some(Error::CannotOpen));
        let opened = GuardianShare::open(&sealed, &ann).unwrap();
        assert_eq!(opened.guardian().unwrap().as_str(), "ann");
        assert_eq!(opened.plan(), &plan);
        let other = GuardianShare::decode(shares[2].to_secret_bytes().unwrap().expose()).unwrap();
        assert_eq!(plan.combine(&[opened, other]).unwrap().public(), key.public());
    }

    #[test]
    fn a_share_with_a_changed_byte_is_refused() {
        let (_, shares) = RecoveryKey::generate().unwrap().share(2, people(&["ann", "ben", "cleo"])).unwrap();
        let bytes = shares[1].to_secret_bytes().unwrap();
        for at in 0..4 + 1 + 32 {
            let mut altered = bytes.expose().clone();
            altered[at] ^= 1;
            assert!(GuardianShare::decode(&altered).is_err(), "{at}");
        }
        for end in 0..bytes.expose().len() {
            assert!(GuardianShare::decode(&bytes.expose()[..end]).is_err(), "{end}");
        }
        assert!(GuardianShare::decode(&[bytes.expose().as_slice(), &[0]].concat()).is_err());
    }

    #[test]
    fn shares_of_another_plan_for_the_same_key_do_not_mix() {
        let key = RecoveryKey::generate().unwrap();
        let (first, mut one) = key.share(2, people(&["ann", "ben"])).unwrap();
        let (_, mut two) = key.share(2, people(&["ann", "ben"])).unwrap();
        let mixed = [one.remove(0), two.remove(1)];
        assert_eq!(first.combine(&mixed).err(), Some(Error::Untrusted(SHARE)));
    }

    #[test]
    fn a_plan_of_more_than_the_most_guardians_stays_within_its_limit() {
        let longest = |n: usize| format!("{n:0>64}").parse().unwrap();
        let key = RecoveryKey::generate().unwrap();
        let (plan, shares) = key.share(16, (0..16).map(longest).collect()).unwrap();
        assert_eq!(Guardianship::from_cbor(&plan.to_cbor().unwrap()).unwrap(), plan);
        assert!(GuardianShare::decode(shares[15].to_secret_bytes().unwrap().expose()).is_ok());
        assert!(matches!(key.share(2, people(&["ann", "ann"])), Err(Error::ApiMisuse(_))));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let key = RecoveryKey::generate().unwrap();
        let (_, shares) = key.share(2, people(&["ann", "ben"])).unwrap();
        assert!(format!("{key:?}").contains("secret: Secret(..)"));
        assert!(format!("{:?}", shares[0]).contains("value: Secret(..)"));
    }
}
