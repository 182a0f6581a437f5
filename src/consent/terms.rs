//! What a consent says, for those who can open it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::mandate::Ceiling;
use super::referral::Referred;
use crate::authority::VerifiedCredential;
use crate::error::{Error, Result};
use crate::id::{AuthorityId, Hash, PersonId, Time, Version};
use crate::identity::{PublicIdentity, SealingPublic};
use crate::pin::{Base, Place};
use crate::policy::{Month, PersonNumber, Policy};
use crate::wire;

/// Most bytes of the terms.
pub const MAX_TERMS: usize = 64 * 1024;
/// Most earlier write policies that the terms remember.
pub const MAX_PAST: usize = 64;
/// Most bytes of all of them, each counted with its texts and 64 more.
pub const MAX_PAST_BYTES: usize = 16 * 1024;
/// Most of them that are of one mandate.
pub const MAX_MANDATES_PAST: usize = 8;
/// Most bytes of these, where there are several.
pub const MAX_MANDATES_PAST_BYTES: usize = 4 * 1024;

/// Who may read and write, in words: the same for everybody who can open the consent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Who may read by attributes, at most one entry for each authority.
    pub read: Vec<Reading>,
    /// Who may write by attributes, at most one entry for each authority.
    pub write: Vec<Writing>,
    /// Who may read by name.
    pub people: Vec<Named>,
    /// Who holds a key on the owner's behalf.
    pub custodian: Option<Named>,
    /// Who is excluded by name under every authority that knows the name; ascending.
    pub excluded: Vec<PersonId>,
    /// Who could write under earlier versions, the earliest first, so that what they wrote can be judged when those
    /// versions are gone. At most [`MAX_PAST`] entries of [`MAX_PAST_BYTES`], and of one mandate the latest
    /// [`MAX_MANDATES_PAST`]; beyond it those of the present mandate are dropped, then those of earlier ones, then the
    /// owner's, the earliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<PastWriting>,
    /// Referrals whose specialist left before their time, and declines that were carried out, until they are over by
    /// themselves; ascending. They count here no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spent: Vec<Spent>,
    /// Persons who were excluded by number before they were excluded by name or kept out, and stay so when that is taken
    /// back; ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub barred: Vec<Barred>,
    /// Persons who are kept out by number whatever policies are said anew: by stolen keys that go on opening what they
    /// satisfy, or by their own wish; ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_out: Vec<KeptOut>,
    /// How far the mandate goes under which a custodian signed this; none if the owner did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<Box<Ceiling>>,
}

/// Who may read, by the attributes of one authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// The authority.
    pub authority: AuthorityId,
    /// The canonical text of the policy, persons by number.
    pub policy: String,
    /// The month that keys have to be valid in at least: months since 1970-01.
    pub month: u32,
}

/// Who may write, by the attributes of one authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Writing {
    /// The authority.
    pub authority: AuthorityId,
    /// The canonical text of the policy, persons by number.
    pub policy: String,
}

/// Who could write under some earlier versions, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastWriting {
    /// The first of them.
    pub from: Version,
    /// The last of them.
    pub to: Version,
    /// When the first of them was signed.
    pub issued_at: Time,
    /// The end of their validity.
    pub not_after: Option<Time>,
    /// Who could write by attributes.
    pub write: Vec<Writing>,
    /// The version of the device list that they were signed under.
    pub devices: Version,
    /// The owner's own consent that they go on from, if a custodian signed these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
}

/// A person or service by name, and the key that a slot was sealed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The person.
    pub person: PersonId,
    /// The key.
    pub sealing: SealingPublic,
    /// Until when; none for as long as the consent. The consent after that time leaves the person out, under a new key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// The referral that brought the person here, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referred: Option<Referred>,
}

/// A referral or a decline that counts no more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    /// Its hash.
    pub statement: Hash,
    /// The last second of it.
    pub until: Time,
}

/// An exclusion of a person by number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Barred {
    /// The authority.
    pub authority: AuthorityId,
    /// The person's number there.
    pub number: PersonNumber,
    /// What from.
    pub from: Verb,
}

/// A person who is kept out by number, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptOut {
    /// The authority.
    pub authority: AuthorityId,
    /// The person's number there.
    pub number: PersonNumber,
    /// What from.
    pub from: Verb,
    /// Why.
    pub cause: Cause,
}

/// Why somebody is kept out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// Her keys were stolen.
    Stolen,
    /// She declined.
    Declined,
}

impl Barred {
    /// Whether one of these is for the same.
    pub(crate) fn is_among(&self, kept_out: &[KeptOut]) -> bool {
        let same =
            |kept: &KeptOut| (&kept.authority, kept.number, kept.from) == (&self.authority, self.number, self.from);
        kept_out.iter().any(same)
    }
}

/// What a policy is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Reading.
    Read,
    /// Writing.
    Write,
}

impl Named {
    /// Until that time, and not after.
    #[must_use]
    pub fn until(self, until: Time) -> Self {
        Self { until: Some(until), ..self }
    }

    /// Whether the person's time is over.
    pub fn is_over(&self, now: Time) -> bool {
        self.until.is_some_and(|until| until < now)
    }
}

impl From<&PublicIdentity> for Named {
    fn from(identity: &PublicIdentity) -> Self {
        Self { person: identity.id.clone(), sealing: identity.sealing, until: None, referred: None }
    }
}

impl From<&VerifiedCredential> for Named {
    fn from(credential: &VerifiedCredential) -> Self {
        let (person, sealing) = (credential.person().clone(), *credential.sealing());
        Self { person, sealing, until: None, referred: None }
    }
}

impl Reading {
    /// The policy that the slot is made for: `(policy) and valid-until >= month`.
    ///
    /// # Errors
    ///
    /// [`Error::Policy`] if the text is not in the language, [`Error::Malformed`] if it is not canonical,
    /// [`Error::ApiMisuse`] if the month is none.
    pub fn sealed_policy(&self) -> Result<Policy> {
        let policy = canonical(&self.policy)?;
        let month = Month::new((self.month / 12).saturating_add(1970), self.month % 12 + 1)?;
        Ok(format!("({policy}) and valid-until >= {month}").parse()?)
    }
}

impl Terms {
    /// Those who may read by name, and the custodian.
    pub(crate) fn named(&self) -> impl Iterator<Item = &Named> {
        self.people.iter().chain(&self.custodian)
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let bytes = wire::to_cbor(self, WHAT)?;
        if bytes.len() > MAX_TERMS { Err(Error::TooLarge(WHAT)) } else { Ok(bytes) }
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        wire::from_cbor(bytes, MAX_TERMS, WHAT)
    }

    /// The policies, parsed, if the terms are what a builder makes: canonical, one policy for each authority, nobody
    /// named twice.
    pub(super) fn policies(&self) -> Result<Policies> {
        let read = self.read.iter().map(|reading| Ok((reading.authority.clone(), reading.sealed_policy()?)));
        let write = self.write.iter().map(|writing| Ok((writing.authority.clone(), canonical(&writing.policy)?)));
        let (read, write) = (read.collect::<Result<Vec<_>>>()?, write.collect::<Result<Vec<_>>>()?);
        let once = |policies: &[(AuthorityId, Policy)]| {
            policies.iter().map(|(authority, _)| authority).collect::<BTreeSet<_>>().len() == policies.len()
        };
        let past = self.past.iter().map(PastWriting::policies).collect::<Result<Vec<_>>>()?;
        let ordered = self.past.iter().all(|past| past.from <= past.to)
            && self.past.iter().zip(self.past.iter().skip(1)).all(|(one, next)| one.to < next.from);
        let keys: BTreeSet<_> = self.named().map(|named| named.sealing).collect();
        let ascending = self.excluded.is_sorted_by(|one, two| one < two)
            && self.spent.is_sorted_by(|one, two| one < two)
            && self.barred.is_sorted_by(|one, two| one < two)
            && self.kept_out.is_sorted_by(|one, two| one < two);
        if once(&read)
            && once(&write)
            && ordered
            && self.past.len() <= MAX_PAST
            && keys.len() == self.named().count()
            && ascending
        {
            Ok(Policies { read, write, past })
        } else {
            Err(Error::Malformed(WHAT))
        }
    }
}

impl PastWriting {
    /// About how many bytes it takes.
    pub(super) fn size(&self) -> usize {
        let texts = self.write.iter().map(|writing| writing.authority.as_str().len() + writing.policy.len() + 32);
        texts.fold(64, usize::saturating_add)
    }

    /// Where the last of them stood among all consents to the compartment.
    pub(super) fn place(&self) -> Place {
        Place { under: self.devices, base: self.base.map_or(self.to, |base| base.version), version: self.to }
    }

    /// The write policies, parsed.
    pub(super) fn policies(&self) -> Result<Vec<(AuthorityId, Policy)>> {
        self.write.iter().map(|writing| Ok((writing.authority.clone(), canonical(&writing.policy)?))).collect()
    }
}

/// Parsed terms: who may read, with the validity condition, and who may write.
#[derive(Debug)]
pub(super) struct Policies {
    pub(super) read: Vec<(AuthorityId, Policy)>,
    pub(super) write: Vec<(AuthorityId, Policy)>,
    /// In the order of the terms' own.
    pub(super) past: Vec<Vec<(AuthorityId, Policy)>>,
}

/// A policy from its canonical text.
fn canonical(text: &str) -> Result<Policy> {
    let policy: Policy = text.parse()?;
    if policy.to_string() == text { Ok(policy) } else { Err(Error::Malformed(WHAT)) }
}

const WHAT: &str = "terms";
