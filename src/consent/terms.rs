//! What a consent says, for those who can open it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::exclusion::{Action, Exclusion, excluded};
use super::mandate::Ceiling;
use super::referral::Referred;
use crate::authority::VerifiedCredential;
use crate::error::{Error, Result};
use crate::id::{AuthorityId, Hash, PersonId, Time, Version};
use crate::identity::{PublicIdentity, SealingPublic};
use crate::pin::{Base, Place};
use crate::policy::{Month, ParseError, ParseErrorKind, PersonNumber, Policy};
use crate::wire;

/// Most bytes of the terms that an owner signs, with as much of the past as they may come to remember.
pub const MAX_OWNER_TERMS: usize = 64 * 1024;
/// Most bytes of the terms: under a mandate, the custodian's hold those of the owner, and whom he excludes himself.
pub const MAX_TERMS: usize = 2 * MAX_OWNER_TERMS + 32 * 1024;
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
    /// The owner's own keys, which slots are sealed to: the root key's, each device's and each recovery key's of the device
    /// list that the consent was signed under; strictly ascending.
    pub owner_keys: Vec<SealingPublic>,
    /// Who may read by name.
    pub people: Vec<Named>,
    /// Who holds a key on the owner's behalf.
    pub custodian: Option<Named>,
    /// Who is shut out whatever the policies say, strictly ascending.
    pub exclusions: Vec<Exclusion>,
    /// Who could write under earlier versions, the earliest first, so that what they wrote can be judged when those
    /// versions are gone. At most [`MAX_PAST`] entries of [`MAX_PAST_BYTES`], and of one mandate the latest
    /// [`MAX_MANDATES_PAST`]; beyond it those of the present mandate are dropped, then those of earlier ones, then the
    /// owner's, the earliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<PastWriting>,
    /// Referrals whose specialist left before their time, and declines that were carried out, until they are over by
    /// themselves; ascending. They count here no more. They shut nobody out, so they are no exclusions: whoever left may be
    /// named again, by another referral.
    pub consumed: Vec<ConsumedStatement>,
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
    /// The canonical text of the policy as it was said, persons by number. Whom it excludes by name beside everything else
    /// stands in [`Terms::exclusions`] instead.
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
    /// The canonical text of the policy as it was said, persons by number.
    pub policy: String,
}

/// Who may write, as it was at some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastRule {
    /// The authority.
    pub authority: AuthorityId,
    /// The canonical text of the policy, persons by number.
    pub policy: String,
    /// Who was excluded from it, strictly ascending.
    pub excluded: BTreeSet<PersonNumber>,
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
    pub write: Vec<PastRule>,
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
pub struct ConsumedStatement {
    /// Its hash.
    pub statement: Hash,
    /// The last second of it.
    pub until: Time,
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
    /// The policy that the slot is made for: `(policy and not …) and valid-until >= month`, with all who are excluded from
    /// reading under the authority. None if it is for excluded people or earlier months alone: then there is no slot.
    ///
    /// # Errors
    ///
    /// [`Error::Policy`] if the text is not in the language or there are too many exclusions, [`Error::Malformed`] if it is
    /// not canonical, [`Error::ApiMisuse`] if the month is none.
    pub fn sealed_policy(&self, exclusions: &[Exclusion]) -> Result<Option<Policy>> {
        let month = Month::new((self.month / 12).saturating_add(1970), self.month % 12 + 1)?;
        let policy = closed(&self.policy, &excluded(exclusions, Action::Read, &self.authority))?;
        let policy = policy.map(|policy| format!("({policy}) and valid-until >= {month}").parse::<Policy>());
        policy.map_or(Ok(None), |policy| satisfiable(policy.map_err(ParseError::without_place)))
    }
}

impl Terms {
    /// Those who may read by name, and the custodian.
    pub(crate) fn named(&self) -> impl Iterator<Item = &Named> {
        self.people.iter().chain(&self.custodian)
    }

    /// Whether somebody of this name is let in by it, or shut out somewhere.
    pub(crate) fn knows(&self, person: &PersonId) -> bool {
        let shut_out = |one: &Exclusion| one.names(person) && !one.numbers.is_empty();
        self.named().any(|named| named.person == *person) || self.exclusions.iter().any(shut_out)
    }

    /// Everybody whom a slot is sealed to.
    pub(super) fn holders(&self) -> BTreeSet<SealingPublic> {
        self.owner_keys.iter().copied().chain(self.named().map(|named| named.sealing)).collect()
    }

    /// Canonical CBOR, for whoever shows them elsewhere. They are sealed in the consent, and say who reads: keep them as
    /// secret as what they are about.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] over [`MAX_TERMS`], which those of an opened consent are not.
    pub fn to_cbor(&self) -> Result<Vec<u8>> {
        let bytes = wire::to_cbor(self, WHAT)?;
        if bytes.len() > MAX_TERMS { Err(Error::TooLarge(WHAT)) } else { Ok(bytes) }
    }

    /// Whether later versions that say the same have room for what they will remember: a full past, and under a mandate
    /// all of this beside the custodian's own.
    pub(super) fn check_growth(&self) -> Result<()> {
        let next = PastRule::sizes(&self.write_rules());
        let most = self.past.iter().map(PastWriting::size).chain([next, MAX_PAST_BYTES]).max().unwrap_or(0);
        let terms = Self { past: Vec::new(), ceiling: None, ..self.clone() };
        let own = wire::to_cbor(&terms, WHAT)?.len().saturating_add(most).saturating_add(PAST_NAMES);
        let (whole, limit) = match &self.ceiling {
            None => (own, MAX_OWNER_TERMS),
            Some(ceiling) => (wire::to_cbor(ceiling, WHAT)?.len().saturating_add(own), MAX_TERMS),
        };
        if whole > limit { Err(Error::TooLarge(WHAT)) } else { Ok(()) }
    }

    /// Reads canonical CBOR.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] over [`MAX_TERMS`], or over [`MAX_OWNER_TERMS`] if an owner signed them; [`Error::Malformed`] or
    /// [`Error::Policy`] for what no consent says: other CBOR, policies that are none, or several for one authority, people
    /// who are named twice, exclusions out of order or of nobody.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self> {
        let terms = Self::decode(bytes)?;
        terms.policies()?;
        Ok(terms)
    }

    /// What is well-formed alone: the policies are parsed when they are wanted.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let terms: Self = wire::from_cbor(bytes, MAX_TERMS, WHAT)?;
        let over = terms.ceiling.is_none() && bytes.len() > MAX_OWNER_TERMS;
        if over { Err(Error::TooLarge(WHAT)) } else { Ok(terms) }
    }

    /// Who may write, as it is now.
    pub(super) fn write_rules(&self) -> Vec<PastRule> {
        let rule = |Writing { authority, policy }: &Writing| PastRule {
            authority: authority.clone(),
            policy: policy.clone(),
            excluded: excluded(&self.exclusions, Action::Write, authority),
        };
        self.write.iter().map(rule).collect()
    }

    /// The policies, parsed, if the terms are what a builder makes: canonical, one policy for each authority, nobody
    /// named twice.
    pub(super) fn policies(&self) -> Result<Policies> {
        let mut read = Vec::with_capacity(self.read.len());
        for reading in &self.read {
            let policy = reading.sealed_policy(&self.exclusions)?;
            read.extend(policy.map(|policy| (reading.authority.clone(), policy)));
        }
        let write = PastRule::policies(&self.write_rules())?;
        let once =
            |authorities: Vec<&AuthorityId>| authorities.iter().collect::<BTreeSet<_>>().len() == authorities.len();
        let past = self.past.iter().map(|past| PastRule::policies(&past.write)).collect::<Result<Vec<_>>>()?;
        let ordered = self.past.iter().all(|past| past.from <= past.to)
            && self.past.iter().zip(self.past.iter().skip(1)).all(|(one, next)| one.to < next.from);
        let keys: BTreeSet<_> = self.named().map(|named| named.sealing).collect();
        let ascending = self.owner_keys.is_sorted_by(|one, two| one < two)
            && self.consumed.is_sorted_by(|one, two| one < two)
            && self.exclusions.is_sorted_by(|one, two| one < two);
        if once(self.read.iter().map(|reading| &reading.authority).collect())
            && once(self.write.iter().map(|writing| &writing.authority).collect())
            && ordered
            && self.past.len() <= MAX_PAST
            && keys.len() == self.named().count()
            && ascending
            && self.exclusions.iter().all(|one| one.person.is_some() || !one.numbers.is_empty())
        {
            Ok(Policies { read, write, past })
        } else {
            Err(Error::Malformed(WHAT))
        }
    }
}

impl PastRule {
    /// The policies, parsed, without those that were for excluded people alone.
    pub(super) fn policies(rules: &[Self]) -> Result<Vec<(AuthorityId, Policy)>> {
        let mut policies = Vec::with_capacity(rules.len());
        for Self { authority, policy, excluded } in rules {
            policies.extend(closed(policy, excluded)?.map(|policy| (authority.clone(), policy)));
        }
        Ok(policies)
    }

    fn size(&self) -> usize {
        self.authority.as_str().len() + self.policy.len() + 5 * self.excluded.len() + 32
    }

    /// About how many bytes an entry with these takes.
    fn sizes(rules: &[Self]) -> usize {
        rules.iter().map(Self::size).fold(64, usize::saturating_add)
    }
}

impl PastWriting {
    /// About how many bytes it takes.
    pub(super) fn size(&self) -> usize {
        PastRule::sizes(&self.write)
    }

    /// Where the last of them stood among all consents to the compartment.
    pub(super) fn place(&self) -> Place {
        Place { under: self.devices, base: self.base.map_or(self.to, |base| base.version), version: self.to }
    }
}

/// Parsed terms: who may read, with the validity condition, and who may write; each without the excluded. What is for them
/// alone is not among them.
#[derive(Debug)]
pub(super) struct Policies {
    pub(super) read: Vec<(AuthorityId, Policy)>,
    pub(super) write: Vec<(AuthorityId, Policy)>,
    /// In the order of the terms' own.
    pub(super) past: Vec<Vec<(AuthorityId, Policy)>>,
}

/// A policy from its canonical text.
pub(super) fn canonical(text: &str) -> Result<Policy> {
    let policy: Policy = text.parse()?;
    if policy.to_string() == text { Ok(policy) } else { Err(Error::Malformed(WHAT)) }
}

/// The policy closed to these people; none if it is for them alone.
fn closed(text: &str, people: &BTreeSet<PersonNumber>) -> Result<Option<Policy>> {
    satisfiable(canonical(text)?.excluding(people))
}

/// None for a policy that nobody satisfies.
fn satisfiable(policy: Result<Policy, ParseError>) -> Result<Option<Policy>> {
    match policy {
        Err(error) if *error.kind() == ParseErrorKind::Unsatisfiable => Ok(None),
        policy => Ok(Some(policy?)),
    }
}

/// What the past takes beyond the size that is counted, and the owner's terms in a ceiling: names of members.
const PAST_NAMES: usize = 8 * 1024;
const WHAT: &str = "terms";
