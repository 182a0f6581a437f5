//! Making a consent.

mod draft;
mod sealing;
mod terms;

use std::collections::BTreeSet;

use super::access::Access;
use super::devices::Devices;
use super::exclusion::{Action, Cause, Exclusion, excluded};
use super::mandate::{Mandate, MandateStatement};
use super::preview::{Admitted, Preview};
use super::referral::EndedReferral;
use super::terms::{ConsumedStatement, Named, Policies, Reading, Writing, canonical};
use crate::authority::{Trust, VerifiedCredential};
use crate::error::{Error, Result};
use crate::id::{AuthorityId, CompartmentId, DeviceId, Generation, Hash, PersonId, Time, Version};
use crate::identity::{SigningKey, SigningPublic};
use crate::policy::Policy;
pub use draft::ConsentDraft;
use terms::{Draft, parse, widened};

/// A consent that is being written. Without any `read` or `name`, it is for the owner alone.
///
/// Got from [`Device::consent`](crate::owner::Device::consent).
#[derive(Debug)]
pub struct ConsentBuilder<'a> {
    device: &'a DeviceId,
    signing: Signing<'a>,
    /// None if the device signs itself.
    mandate: Option<&'a Mandate>,
    devices: &'a Devices,
    compartment: CompartmentId,
    after: Option<&'a Access>,
    keep_key: bool,
    read: Vec<Draft<'a>>,
    write: Vec<Draft<'a>>,
    people: Vec<Named>,
    custodian: Option<Named>,
    /// Those of the version before that stay.
    exclusions: BTreeSet<Exclusion>,
    /// Those that are said here.
    excluded: Vec<Exclusion>,
    /// Names among them that nobody looked up.
    said_by_name: Vec<PersonId>,
    consumed: Vec<ConsumedStatement>,
    /// Version and key generation that the next ones have to be above.
    beyond: (Version, Generation),
    /// Whether another branch has another key than the version before.
    other_key: bool,
    not_before: Option<Time>,
    /// `None` until something is said about it.
    not_after: Option<Option<Time>>,
}

/// Who signs: a device, or a custodian by the mandate of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signer<'a> {
    /// The device, in both cases.
    pub(crate) device: &'a DeviceId,
    pub(crate) key: &'a SigningKey,
}

/// Where the key is that signs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Signing<'a> {
    Here(&'a SigningKey),
    Elsewhere(SigningPublic),
}

impl Signing<'_> {
    fn public(self) -> SigningPublic {
        match self {
            Self::Here(key) => key.public(),
            Self::Elsewhere(public) => public,
        }
    }
}

impl<'a> ConsentBuilder<'a> {
    pub(crate) fn new(signer: Signer<'a>, devices: &'a Devices, compartment: CompartmentId) -> Self {
        Self::start((signer.device, Signing::Here(signer.key)), devices, compartment, None)
    }

    pub(super) fn mandated(signing: Signing<'a>, devices: &'a Devices, mandate: &'a Mandate) -> Self {
        let MandateStatement { compartment, device, .. } = mandate.unverified();
        Self::start((device, signing), devices, compartment.clone(), Some(mandate))
    }

    fn start(
        (device, signing): (&'a DeviceId, Signing<'a>),
        devices: &'a Devices,
        compartment: CompartmentId,
        mandate: Option<&'a Mandate>,
    ) -> Self {
        Self {
            device,
            signing,
            mandate,
            devices,
            compartment,
            after: None,
            keep_key: false,
            read: Vec::new(),
            write: Vec::new(),
            people: Vec::new(),
            custodian: None,
            exclusions: BTreeSet::new(),
            excluded: Vec::new(),
            said_by_name: Vec::new(),
            consumed: Vec::new(),
            beyond: (Version(0), Generation(0)),
            other_key: false,
            not_before: None,
            not_after: None,
        }
    }

    /// Makes this the version after the one that was opened, with a new compartment key.
    ///
    /// Nothing else is taken over, but who is [excluded](super::Terms::exclusions) because her keys were stolen or she declined:
    /// who may read and write, and who is excluded by name, is said anew, or with [`ConsentBuilder::same_terms`]. Under a
    /// mandate, whom the owner excluded stays so for whatever cause.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if that is a consent of another owner or compartment, or was opened for its key alone
    /// ([`OpenedConsents::earlier`](super::OpenedConsents::earlier)), or was signed under a later device list: readers
    /// would take this one for older.
    pub fn after(mut self, access: &'a Access) -> Result<Self> {
        access.check_rules()?;
        if access.owner() != self.devices.owner() || *access.compartment() != self.compartment {
            return Err(Error::ApiMisuse("the consent before this one is for another owner or compartment"));
        }
        if access.statement.devices > self.devices.version() {
            return Err(Error::ApiMisuse("the consent before this one was signed under a later device list"));
        }
        self.after = Some(access);
        // To leave out one of the owner's would be to go further than the mandate.
        let owners = access.terms.ceiling.as_ref().map_or(&access.terms, |ceiling| &ceiling.terms);
        let before = if self.mandate.is_some() { owners } else { &access.terms };
        let stays = |one: &&Exclusion| self.mandate.is_some() || one.outlasts_policies();
        self.exclusions = before.exclusions.iter().filter(stays).cloned().collect();
        Ok(self)
    }

    /// Takes a version and a key generation above those of another branch, too: of what a custodian signed meanwhile,
    /// where the version before was made without knowing of it. Records that he moved to a key of his are moved on from
    /// there, with his access among the old ones of the rotation. So there is a new compartment key, unless both have the
    /// same.
    ///
    /// Of its terms it takes over which of the referrals have ended that people are named by here; whom else the other
    /// one left out or excluded is to be said anew.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] before [`ConsentBuilder::after`], or if that is a consent of another owner or compartment.
    pub fn beyond(mut self, other: &Access) -> Result<Self> {
        if other.owner() != self.devices.owner() || *other.compartment() != self.compartment {
            return Err(Error::ApiMisuse("the other consent is for another owner or compartment"));
        }
        self.other_key |= !other.has_key_of(self.before()?);
        let (version, generation) = self.beyond;
        self.beyond = (version.max(other.version()), generation.max(other.generation()));
        // Of those whom this branch names, and no others: the other one may be a thief's.
        for named in &self.before()?.terms.people {
            if let Some(referred) = &named.referred
                && other.terms.consumed.iter().any(|consumed| consumed.statement == referred.referral)
            {
                self.consumed.push(referred.consumed());
            }
        }
        Ok(self)
    }

    /// Keeps the compartment key of the version before. Records need no rewrap, and whoever had the key still has it:
    /// this adds readers, or lets keys that were not renewed open no more slots; it takes nothing from anybody who
    /// opened the version before.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] before [`ConsentBuilder::after`].
    pub fn reseal(mut self) -> Result<Self> {
        self.before()?;
        self.keep_key = true;
        Ok(self)
    }

    /// Takes over what the version before says: policies, named and excluded people, custodian, and the end of its
    /// validity unless [`ConsentBuilder::valid`] says otherwise, so that sealing again does not make a consent outlive
    /// its date. The month that keys have to be valid in is that of the new sealing.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] before [`ConsentBuilder::after`], or if an authority has a policy already.
    pub fn same_terms(self, trust: &'a Trust) -> Result<Self> {
        self.same_policies(trust)?.same_exclusions(|_| true)?.same_people(|_| true)
    }

    /// Takes over the policies of the version before.
    pub(crate) fn same_policies(self, trust: &'a Trust) -> Result<Self> {
        self.same_reading(trust, |_| true)?.same_writing(trust, |_| true)
    }

    /// Takes over who may read by the policies of these authorities.
    pub(crate) fn same_reading(mut self, trust: &'a Trust, stays: impl Fn(&AuthorityId) -> bool) -> Result<Self> {
        let before = &self.before()?.terms.read;
        for Reading { authority, policy, .. } in before.iter().filter(|reading| stays(&reading.authority)) {
            let policy = canonical(policy)?;
            self = self.add_read(Draft { trust, authority: authority.clone(), policy, said: None })?;
        }
        Ok(self)
    }

    /// Takes over who may write by the policies of these authorities.
    pub(crate) fn same_writing(mut self, trust: &'a Trust, stays: impl Fn(&AuthorityId) -> bool) -> Result<Self> {
        let before = &self.before()?.terms.write;
        for Writing { authority, policy } in before.iter().filter(|writing| stays(&writing.authority)) {
            let policy = canonical(policy)?;
            self = self.add_write(Draft { trust, authority: authority.clone(), policy, said: None })?;
        }
        Ok(self)
    }

    /// Takes over these exclusions of the version before, and no others.
    pub(crate) fn same_exclusions(mut self, stays: impl Fn(&Exclusion) -> bool) -> Result<Self> {
        self.exclusions = self.before()?.terms.exclusions.iter().filter(|one| stays(one)).cloned().collect();
        Ok(self)
    }

    /// Takes over these people of the version before, the custodian among them, and until when it all is valid.
    pub(crate) fn same_people(mut self, stays: impl Fn(&Named) -> bool) -> Result<Self> {
        let before = self.before()?;
        self.not_after = self.not_after.or(Some(before.owners_end()));
        for person in before.terms.people.iter().filter(|named| stays(named)) {
            self = self.name(person.clone())?;
        }
        match before.terms.custodian.as_ref().filter(|named| stays(named)) {
            Some(custodian) => self.custodian(custodian.clone()),
            None => Ok(self),
        }
    }

    /// Lets those read whose attributes from `authority` satisfy the policy, and whose keys are valid in the month of the
    /// sealing. People may stand by name. Whoever is excluded by name (`not user:dr-bob`), even in one branch of an `or`,
    /// is excluded from the whole consent as by [`ConsentBuilder::exclude`]: from this policy and under every other
    /// authority, as far as that one knows the name; [`ConsentBuilder::preview`] says where it does not. Who is excluded by
    /// number is excluded where it stands and nowhere else.
    ///
    /// # Errors
    ///
    /// [`Error::Policy`] for the text, [`Error::ApiMisuse`] if the authority has a policy already.
    pub fn read(self, trust: &'a Trust, authority: &AuthorityId, policy: &str) -> Result<Self> {
        let said = Some(policy.to_owned());
        let (policy, named) = parse(trust, authority, policy)?;
        let people = named.into_iter().map(|(person, _)| Exclusion::by_name(person));
        self.shut_out(people).add_read(Draft { trust, authority: authority.clone(), policy, said })
    }

    /// As [`ConsentBuilder::read`], for those as well whom the version before lets read by a policy of that authority. Whom
    /// that one excludes as a whole stays excluded.
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::read`]; [`Error::ApiMisuse`] if the policy is for somebody by number who stays excluded.
    pub(crate) fn read_also(mut self, trust: &'a Trust, authority: &AuthorityId, policy: &str) -> Result<Self> {
        let said = policy;
        let (mut policy, named) = parse(trust, authority, policy)?;
        let Access { terms: before, read: sealed, .. } = self.before()?;
        // Who is excluded by this may have the present key.
        let sealed = sealed.iter().find(|(other, _)| other == authority);
        self.keep_key &= named.iter().all(|(person, number)| {
            let known = before.exclusions.iter().any(|one| one.names(person));
            known && sealed.is_none_or(|(_, sealed)| sealed.excludes(*number))
        });
        if let Some(present) = before.read.iter().find(|reading| reading.authority == *authority) {
            let present = canonical(&present.policy)?;
            let out = excluded(&before.exclusions, Action::Read, authority);
            let outright;
            (policy, outright) = widened(present, policy, (said, out))?;
            let by_policy = |number| Exclusion::by_number((authority, number), Action::Read, Cause::Policy);
            self = self.shut_out(outright.into_iter().map(by_policy));
        }
        let people = named.into_iter().map(|(person, _)| Exclusion::by_name(person));
        let said = Some(said.to_owned());
        self.shut_out(people).add_read(Draft { trust, authority: authority.clone(), policy, said })
    }

    /// Lets those write whose attributes from `authority` satisfy the policy. The owner's devices always may. Whoever is
    /// excluded from the consent does not write either; who is excluded by this policy alone is excluded from writing by
    /// it.
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::read`].
    pub fn write(self, trust: &'a Trust, authority: &AuthorityId, policy: &str) -> Result<Self> {
        let said = Some(policy.to_owned());
        let policy = Policy::parse_with(policy, trust.resolve(authority))?;
        self.add_write(Draft { trust, authority: authority.clone(), policy, said })
    }

    /// As [`ConsentBuilder::write`], for those as well whom the version before lets write by a policy of that authority. Whom
    /// that one excludes as a whole stays excluded.
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::read_also`].
    pub(crate) fn write_also(mut self, trust: &'a Trust, authority: &AuthorityId, policy: &str) -> Result<Self> {
        let said = policy;
        let mut policy = Policy::parse_with(policy, trust.resolve(authority))?;
        let before = &self.before()?.terms;
        if let Some(present) = before.write.iter().find(|writing| writing.authority == *authority) {
            let present = canonical(&present.policy)?;
            let out = excluded(&before.exclusions, Action::Write, authority);
            let outright;
            (policy, outright) = widened(present, policy, (said, out))?;
            let by_policy = |number| Exclusion::by_number((authority, number), Action::Write, Cause::Policy);
            self = self.shut_out(outright.into_iter().map(by_policy));
        }
        self.add_write(Draft { trust, authority: authority.clone(), policy, said: Some(said.to_owned()) })
    }

    /// Excludes a person from reading and writing under every authority that has a policy here and knows the name. It is
    /// refused with [`Error::Unknown`] when it is sealed, if there are policies and nobody knows the name: no authority that
    /// is trusted, nor the version before, which may let her in by a key.
    #[must_use]
    pub fn exclude(mut self, person: PersonId) -> Self {
        self.said_by_name.push(person.clone());
        self.shut_out([Exclusion::by_name(person)])
    }

    /// Excludes people, from when it is sealed on.
    pub(crate) fn shut_out(mut self, people: impl IntoIterator<Item = Exclusion>) -> Self {
        self.excluded.extend(people);
        self
    }

    /// Lets a person read, whatever attributes she has, and until her time is over if one is [set](Named::until); the
    /// first consent after that leaves her out, under a new compartment key, whoever makes it. Give a
    /// `&VerifiedCredential`, or a `&PublicIdentity` that was got over a channel that is trusted.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the same key is named already.
    pub fn name(mut self, person: impl Into<Named>) -> Result<Self> {
        let person = self.new_name(person.into())?;
        self.people.push(person);
        Ok(self)
    }

    /// Gives the key to a custodian, who keeps it on the owner's behalf.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if there is one already, or the same key is named already.
    pub fn custodian(mut self, custodian: impl Into<Named>) -> Result<Self> {
        if self.custodian.is_some() {
            return Err(Error::ApiMisuse("a consent has one custodian"));
        }
        let custodian = custodian.into();
        if custodian.until.is_some() {
            return Err(Error::ApiMisuse("a custodian's time is that of his mandate"));
        }
        self.custodian = Some(self.new_name(custodian)?);
        Ok(self)
    }

    /// Leaves out whom a referral brought here that has ended, under a new compartment key. The consent remembers it, so
    /// that it brings nobody here afterwards; what a custodian seals remembers only what brought somebody.
    #[must_use]
    pub fn end_referral(mut self, ended: &EndedReferral) -> Self {
        if self.mandate.is_none() {
            self.consumed.push(ended.consumed().clone());
        }
        self.leave_out(|named| ended.brought(named))
    }

    /// Takes it that this counts no more.
    pub(crate) fn consume(mut self, statement: ConsumedStatement) -> Self {
        self.consumed.push(statement);
        self
    }

    /// Without some people, under a new compartment key if there are any.
    pub(crate) fn leave_out(mut self, who: impl Fn(&Named) -> bool) -> Self {
        let before = self.people.len();
        self.people.retain(|named| !who(named));
        self.keep_key &= self.people.len() == before;
        self
    }

    /// When the consent is valid: from `not_before`, by default when it is sealed, to `not_after`, both included; with
    /// `None`, until it is replaced.
    #[must_use]
    pub fn valid(mut self, not_before: impl Into<Option<Time>>, not_after: impl Into<Option<Time>>) -> Self {
        self.not_before = not_before.into();
        self.not_after = Some(not_after.into());
        self
    }

    /// Who of these people opens this consent, who may write under it, who gains by it, who loses, and who is excluded by
    /// name but cannot be excluded everywhere; and whether the slots of the version before are for whom its terms say
    /// ([`Access::check_policy_slots`]). Show it before sealing.
    ///
    /// The attributes are taken at their word; what a revocation list says does not matter, since it takes no key back.
    /// Who loses is kept from what is sealed under a new compartment key, not from what was opened before; after
    /// [`ConsentBuilder::reseal`] there is no new key, and who loses is kept from nothing if she opened the version before.
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::seal`].
    pub fn preview(&self, people: &[VerifiedCredential], now: Time) -> Result<Preview> {
        let (mut terms, unenforced) = self.terms(now)?;
        let consumed: BTreeSet<Hash> = terms.consumed.iter().map(|consumed| consumed.statement).collect();
        terms.people.retain(|named| named.referred.as_ref().is_none_or(|by| !consumed.contains(&by.referral)));
        let Policies { read, write, .. } = terms.policies()?;
        terms.people.retain(|named| !named.is_over(now));
        let after = Admitted { read: &read, write: &write, terms: &terms };
        let before = |access: &'a Access| Admitted { read: &access.read, write: &access.write, terms: &access.terms };
        let before = self.after.map(before);
        Ok(Preview::new(after, before, people, (unenforced, self.unproven())))
    }

    /// Whose slots of the version before are not known to be what they say.
    fn unproven(&self) -> BTreeSet<AuthorityId> {
        let trusts: Vec<_> = self.read.iter().chain(&self.write).map(|draft| draft.trust).collect();
        let verdicts = self.after.into_iter().flat_map(|access| access.policy_slots(&trusts));
        verdicts.filter(|(_, verdict)| verdict.is_err()).map(|(authority, _)| authority.clone()).collect()
    }

    fn before(&self) -> Result<&'a Access> {
        self.after.ok_or(Error::ApiMisuse("name the consent before this one first"))
    }

    fn add_read(mut self, draft: Draft<'a>) -> Result<Self> {
        if self.read.iter().any(|other| other.authority == draft.authority) {
            return Err(Error::ApiMisuse("the authority has a read policy already"));
        }
        self.read.push(draft);
        Ok(self)
    }

    fn add_write(mut self, draft: Draft<'a>) -> Result<Self> {
        if self.write.iter().any(|other| other.authority == draft.authority) {
            return Err(Error::ApiMisuse("the authority has a write policy already"));
        }
        self.write.push(draft);
        Ok(self)
    }

    fn new_name(&self, person: Named) -> Result<Named> {
        if self.people.iter().chain(&self.custodian).any(|other| other.sealing == person.sealing) {
            return Err(Error::ApiMisuse("the same key is named already"));
        }
        Ok(person)
    }
}
