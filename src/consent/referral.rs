//! Referrals: a physician asks the patient to let a specialist read some sections for a time. And the words by which either
//! side ends a relation: the referring physician a referral, any person her own access.
//!
//! Nothing here opens anything. The patient's device turns a referral into a consent ([`Sharing::refer`]), and an end into
//! the next one. Whoever was referred to can refer on; it is a question to the patient again, no more.
//!
//! [`Sharing::refer`]: crate::owner::Sharing::refer

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::terms::{ConsumedStatement, Named};
use crate::authority::{Credential, CredentialStatement, Standing, Trust, VerifiedCredential};
use crate::error::{Error, Result};
use crate::id::{AuthorityId, CompartmentId, Hash, OwnerId, PersonId, Time};
use crate::identity::{Identity, SealingPublic, Signed, Statement};
use crate::policy::PersonNumber;
use crate::seal::label;
use crate::time::CLOCK_SKEW;

/// Most sections in one referral.
pub const MAX_SECTIONS: usize = 64;

/// For how long a decline can be carried out: 90 days.
pub const DECLINE_LIMIT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A signed referral. It counts after [`Referral::accept`](Signed::accept).
pub type Referral = Signed<ReferralStatement>;

/// What a referring person signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferralStatement {
    /// The patient.
    pub owner: OwnerId,
    /// The authority that vouches for who refers.
    pub authority: AuthorityId,
    /// Who refers.
    pub by: PersonId,
    /// The specialist's credential: the patient's device believes it or not, by its own trust.
    pub to: Credential,
    /// The sections, ascending.
    pub compartments: Vec<CompartmentId>,
    /// The last second of it.
    pub until: Time,
    /// When it was signed.
    pub issued_at: Time,
}

impl Statement for ReferralStatement {
    const LABEL: &'static [u8] = label::SIGN_REFERRAL;
    const WHAT: &'static str = REFERRAL;
    // 16 KiB, and the credential.
    const LIMIT: usize = 16 * 1024 + CredentialStatement::LIMIT;
}

/// The end of a referral, signed by who referred. It counts after [`ReferralEnd::accept`](Signed::accept).
pub type ReferralEnd = Signed<ReferralEndStatement>;

/// What a referring person signs to end a referral.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferralEndStatement {
    /// The hash of the referral.
    pub referral: Hash,
    /// The authority that vouches for who referred.
    pub authority: AuthorityId,
    /// Who referred.
    pub by: PersonId,
    /// When it was signed.
    pub issued_at: Time,
}

impl Statement for ReferralEndStatement {
    const LABEL: &'static [u8] = label::SIGN_REFERRAL_END;
    const WHAT: &'static str = "end of a referral";
    const LIMIT: usize = 1024;
}

/// A person's wish not to have access. It counts after [`Decline::accept`](Signed::accept).
pub type Decline = Signed<DeclineStatement>;

/// What a person signs who declines access to a section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclineStatement {
    /// The patient.
    pub owner: OwnerId,
    /// The section.
    pub compartment: CompartmentId,
    /// The authority that vouches for the person.
    pub authority: AuthorityId,
    /// The person.
    pub person: PersonId,
    /// When it was signed.
    pub issued_at: Time,
}

impl Statement for DeclineStatement {
    const LABEL: &'static [u8] = label::SIGN_DECLINE;
    const WHAT: &'static str = "decline";
    const LIMIT: usize = 1024;
}

/// By whom, and by which referral, somebody came to be named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Referred {
    /// The hash of the referral.
    pub referral: Hash,
    /// The authority that vouches for who referred.
    pub authority: AuthorityId,
    /// Who referred.
    pub by: PersonId,
    /// The last second of the referral.
    pub until: Time,
}

impl Referred {
    /// What has to be remembered when the one whom it brought here leaves.
    pub(super) fn consumed(&self) -> ConsumedStatement {
        ConsumedStatement { statement: self.referral, until: self.until }
    }
}

/// A referral whose signature holds, by a person whose credential does, to another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedReferral {
    statement: ReferralStatement,
    to: Named,
    hash: Hash,
}

/// The end of a referral, by who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedReferral(ConsumedStatement);

/// A decline by the person herself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declined {
    statement: DeclineStatement,
    number: PersonNumber,
    sealing: SealingPublic,
    consumed: ConsumedStatement,
}

impl Signed<ReferralStatement> {
    /// Refers a patient to a specialist, for some sections and until a time.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the credential is of other keys, there is no section or more than [`MAX_SECTIONS`], or it
    /// would never be valid.
    pub fn refer(
        (identity, credential): (&Identity, &VerifiedCredential),
        owner: &OwnerId,
        compartments: impl IntoIterator<Item = CompartmentId>,
        to: &VerifiedCredential,
        (until, now): (Time, Time),
    ) -> Result<Self> {
        own(identity, credential)?;
        let compartments: std::collections::BTreeSet<_> = compartments.into_iter().collect();
        if until < now || !(1..=MAX_SECTIONS).contains(&compartments.len()) {
            return Err(Error::ApiMisuse("a referral has sections, and an end to come"));
        }
        let statement = ReferralStatement {
            owner: owner.clone(),
            authority: credential.authority().clone(),
            by: credential.person().clone(),
            to: to.credential().clone(),
            compartments: compartments.into_iter().collect(),
            until,
            issued_at: now,
        };
        Self::sign(statement, identity.signing())
    }

    /// The referral, if `from` signed it, it has not ended, and an authority that the patient trusts vouches for the
    /// specialist: for the id with this key. That need not be the authority of who refers; but it has to be in `trust`,
    /// so that nobody is named here under a name of his own making, and who is shut out comes back under no other.
    ///
    /// # Errors
    ///
    /// [`Error::Forged`] if somebody else signed it; [`Error::Revoked`] if the person was revoked since, or the
    /// specialist by now; [`Error::Malformed`], [`Error::Expired`]; for the specialist's credential those of
    /// [`Trust::credential`], among them [`Error::Unknown`] for an authority that the patient does not trust.
    pub fn accept(&self, from: &VerifiedCredential, trust: &Trust, now: Time) -> Result<AcceptedReferral> {
        let claimed = self.unverified();
        if (&claimed.authority, &claimed.by) != (from.authority(), from.person()) {
            return Err(Error::Forged(REFERRAL));
        }
        let statement = self.verify(from.signing())?.clone();
        let ascending = statement.compartments.is_sorted_by(|one, two| one < two);
        if !ascending || !(1..=MAX_SECTIONS).contains(&statement.compartments.len()) {
            return Err(Error::Malformed(REFERRAL));
        }
        if statement.until < now {
            return Err(Error::Expired(REFERRAL));
        }
        // Who was revoked since may have signed since, and written an earlier time.
        if from.standing() != Standing::Good {
            return Err(Error::Revoked("who refers"));
        }
        let to = Named::from(&trust.credential(&statement.to, now)?);
        Ok(AcceptedReferral { statement, to, hash: self.hash()? })
    }
}

impl AcceptedReferral {
    /// What it says.
    pub fn statement(&self) -> &ReferralStatement {
        &self.statement
    }

    /// Its hash.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The specialist, as a consent to one of the sections names her.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the referral is for another patient, or not for this section.
    pub fn named(&self, owner: &OwnerId, compartment: &CompartmentId) -> Result<Named> {
        let ReferralStatement { authority, by, compartments, until, .. } = &self.statement;
        if self.statement.owner != *owner || !compartments.contains(compartment) {
            return Err(Error::ApiMisuse("the referral is not for this section of this patient"));
        }
        let referred = Referred { referral: self.hash, authority: authority.clone(), by: by.clone(), until: *until };
        Ok(Named { until: Some(*until), referred: Some(referred), ..self.to.clone() })
    }
}

impl Signed<ReferralEndStatement> {
    /// Ends a referral that this person made.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the credential is of other keys, or somebody else referred.
    pub fn end(
        (identity, credential): (&Identity, &VerifiedCredential),
        referral: &Referral,
        now: Time,
    ) -> Result<Self> {
        own(identity, credential)?;
        let claimed = referral.unverified();
        if (&claimed.authority, &claimed.by) != (credential.authority(), credential.person()) {
            return Err(Error::ApiMisuse("somebody else referred"));
        }
        let (authority, by) = (claimed.authority.clone(), claimed.by.clone());
        let statement = ReferralEndStatement { referral: referral.hash()?, authority, by, issued_at: now };
        Self::sign(statement, identity.signing())
    }

    /// The end of this referral, if `from` signed both.
    ///
    /// # Errors
    ///
    /// [`Error::Forged`].
    pub fn accept(&self, referral: &Referral, from: &VerifiedCredential) -> Result<EndedReferral> {
        let said = self.verify(from.signing())?;
        let ended = referral.verify(from.signing())?;
        let (who, hash) = ((from.authority(), from.person()), referral.hash()?);
        if (&said.authority, &said.by) != who || (&ended.authority, &ended.by) != who || said.referral != hash {
            return Err(Error::Forged("end of a referral"));
        }
        Ok(EndedReferral(ConsumedStatement { statement: hash, until: ended.until }))
    }
}

impl EndedReferral {
    /// What has to be remembered.
    pub(super) fn consumed(&self) -> &ConsumedStatement {
        &self.0
    }

    /// Whether that one is named by this referral.
    pub(super) fn brought(&self, named: &Named) -> bool {
        named.referred.as_ref().is_some_and(|referred| referred.referral == self.0.statement)
    }
}

impl Signed<DeclineStatement> {
    /// Declines access to a section of a patient.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the credential is of other keys.
    pub fn decline(
        (identity, credential): (&Identity, &VerifiedCredential),
        owner: &OwnerId,
        compartment: &CompartmentId,
        now: Time,
    ) -> Result<Self> {
        own(identity, credential)?;
        let statement = DeclineStatement {
            owner: owner.clone(),
            compartment: compartment.clone(),
            authority: credential.authority().clone(),
            person: credential.person().clone(),
            issued_at: now,
        };
        Self::sign(statement, identity.signing())
    }

    /// The decline, if the person herself signed it, not longer than [`DECLINE_LIMIT`] ago.
    ///
    /// # Errors
    ///
    /// [`Error::Forged`]; [`Error::Expired`] if it is older, or of a time that is more than five minutes ahead.
    pub fn accept(&self, from: &VerifiedCredential, now: Time) -> Result<Declined> {
        let statement = self.verify(from.signing())?;
        if (&statement.authority, &statement.person) != (from.authority(), from.person()) {
            return Err(Error::Forged("decline"));
        }
        let until = statement.issued_at.plus(DECLINE_LIMIT);
        if until < now || statement.issued_at > now.plus(CLOCK_SKEW) {
            return Err(Error::Expired("decline"));
        }
        let consumed = ConsumedStatement { statement: self.hash()?, until };
        Ok(Declined { statement: statement.clone(), number: from.number(), sealing: *from.sealing(), consumed })
    }
}

impl Declined {
    /// What it says.
    pub fn statement(&self) -> &DeclineStatement {
        &self.statement
    }

    /// What has to be remembered.
    pub(crate) fn consumed(&self) -> &ConsumedStatement {
        &self.consumed
    }

    /// By what its person reads, if it is about this section.
    pub(crate) fn key(
        &self,
        owner: &OwnerId,
        compartment: &CompartmentId,
    ) -> Result<((&AuthorityId, PersonNumber), SealingPublic)> {
        if (&self.statement.owner, &self.statement.compartment) == (owner, compartment) {
            Ok(((&self.statement.authority, self.number), self.sealing))
        } else {
            Err(Error::ApiMisuse("the decline is about another section"))
        }
    }
}

fn own(identity: &Identity, credential: &VerifiedCredential) -> Result<()> {
    let same = *credential.signing() == identity.public().signing && credential.person() == identity.id();
    if same { Ok(()) } else { Err(Error::ApiMisuse("the credential is not this identity's")) }
}

const REFERRAL: &str = "referral";
