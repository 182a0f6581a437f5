//! The patient's verbs: grant, restrict, revoke, rotate.

use super::device::Device;
use super::receipt::Receipt;
use crate::authority::{Credential, Trust, VerifiedCredential};
use crate::consent::{
    AcceptedReferral, Access, Barred, Cause, ConsentBuilder, Declined, Devices, EndedReferral, KeptOut, Named, Preview,
    Reading, StoredConsent, Terms, Verb, Writing,
};
use crate::error::{Error, Result};
use crate::id::{AuthorityId, PersonId, Time};
use crate::policy::{PersonNumber, Policy};

/// One compartment, as its owner changes who may read it. Got from [`Device::sharing`].
///
/// Each verb prepares the next version of the consent; look at [`Change::preview`], then [`Change::seal`] it.
///
/// # Example
///
/// ```
/// use chartseal::authority::{Authority, Trust};
/// use chartseal::{Error, id::Time, identity::Identity, owner::Owner, pin::PinStore};
///
/// let now = Time::at(1_775_000_000);
/// let mut hospital = Authority::setup("st-olave".parse()?, now)?;
/// let bob = Identity::generate("dr-bob".parse()?)?;
/// hospital.enrol(&bob.enrol()?)?;
/// let issued = hospital.issue(bob.id(), &"role:doctor".parse()?, now, Time::at(1_776_000_000), now)?;
/// let (mut trust, mut pins) = (Trust::new(), PinStore::default());
/// trust.add(hospital.anchor())?;
/// trust.update(&hospital.publish(now)?, &mut pins)?;
/// let key = bob.accept(&issued, &trust, now)?;
///
/// let (alice, phone) = Owner::generate_with_device("phone".parse()?, now)?;
/// let first = phone.consent(alice.devices(), "cardiology".parse()?).read(&trust, hospital.id(), "role:doctor")?;
/// let (_, access) = first.seal(now)?;
///
/// let change = phone.sharing(alice.devices(), &trust, &access).revoke("dr-bob".parse()?)?;
/// assert_eq!(change.preview(&[trust.credential(&issued.credential, now)?], now)?.loses.len(), 1);
/// let (stored, next, receipt) = change.seal(now)?;
/// let live = stored.verify(alice.devices(), next.compartment(), &mut pins, now)?;
/// assert_eq!(live.open(&key).err(), Some(Error::CannotOpen));
/// assert!(receipt.to_string().contains("not protected"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Sharing<'a> {
    device: &'a Device,
    devices: &'a Devices,
    trust: &'a Trust,
    access: &'a Access,
}

/// The next version of a consent, not signed yet.
#[derive(Debug)]
pub struct Change<'a> {
    before: &'a Access,
    builder: ConsentBuilder<'a>,
}

impl Device {
    /// Starts a change of the compartment that was opened.
    pub fn sharing<'a>(&'a self, devices: &'a Devices, trust: &'a Trust, access: &'a Access) -> Sharing<'a> {
        Sharing { device: self, devices, trust, access }
    }
}

impl<'a> Sharing<'a> {
    /// Lets one more person read, by name. The compartment key stays: nobody loses by it.
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::name`]; whoever was revoked is refused when it is sealed.
    pub fn grant(self, person: impl Into<Named>) -> Result<Change<'a>> {
        let builder = self.next()?.reseal()?.same_terms(self.trust)?.name(person)?;
        Ok(self.change(builder))
    }

    /// Lets those read, by the attributes of an authority, who satisfy the present policy or this one, but for whom the
    /// present one excludes as a whole: "everyone but Dr Bob" stays closed to him. The compartment key stays, unless the policy
    /// excludes somebody by name who was not.
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::read`]; [`Error::ApiMisuse`] if the policy is for somebody by number who is excluded.
    pub fn grant_policy(self, authority: &AuthorityId, policy: &str) -> Result<Change<'a>> {
        let builder = self.next()?.reseal()?.read_also(self.trust, authority, policy)?;
        Ok(self.change(self.other_policies(builder, authority)?))
    }

    /// Puts another policy in the place of an authority's, under a new compartment key.
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::read`].
    pub fn restrict(self, authority: &AuthorityId, policy: &str) -> Result<Change<'a>> {
        let builder = self.next()?.read(self.trust, authority, policy)?;
        Ok(self.change(self.other_policies(builder, authority)?))
    }

    /// Lets nobody read any more by the attributes of an authority, under a new compartment key. Those whom the consent
    /// names stay.
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn revoke_authority(self, authority: &AuthorityId) -> Result<Change<'a>> {
        Ok(self.change(self.other_policies(self.next()?, authority)?))
    }

    /// Shuts a person out, under a new compartment key: by name, and, whatever attributes she has or gets, under every
    /// authority that knows her name, from reading and from writing. [`Receipt::uncovered`] lists the authorities that do
    /// not. What she wrote before stands. A policy that is for her alone goes.
    ///
    /// She is named by this id; if the consent names her by another one as well, that slot stays. [`Sharing::readmit`] takes
    /// it back.
    ///
    /// # Errors
    ///
    /// [`Error::Policy`] if there are too many exclusions.
    pub fn revoke(self, person: PersonId) -> Result<Change<'a>> {
        let builder = self.policies(self.next()?, as_it_is)?;
        let builder = self.people(builder, |named| named.person != person)?;
        Ok(self.change(self.excluded(builder).exclude(person)))
    }

    /// Takes back that a person was shut out by [`Sharing::revoke`]: she reads and writes again what her attributes admit her
    /// to, and did before. Whom a policy excluded by number before stays so, and who is [kept out](Terms::kept_out) by number,
    /// because her keys were [replaced](Sharing::replace_key) or by her own wish: see [`Sharing::readmit_number`]. A policy
    /// that was for her alone is gone: grant it again. The compartment key stays: nobody loses by it.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] if she is not shut out by name, or the trust has no map of people to tell her number by;
    /// [`Error::ApiMisuse`] if a policy excludes her inside: say that policy anew.
    pub fn readmit(self, person: &PersonId) -> Result<Change<'a>> {
        let Terms { excluded, barred, kept_out, .. } = self.access.terms();
        if !excluded.contains(person) {
            return Err(Error::Unknown("exclusion"));
        }
        let builder = self.policies(self.next()?.reseal()?, |from, authority, policy| {
            let Some(number) = self.trust.resolve(authority)(person.as_str()) else {
                // Who is not in the map was not excluded; without a map nobody can tell.
                let told = self.trust.knows_people(authority) || policy.exclusions().next().is_none();
                return if told { Ok(policy) } else { Err(Error::Unknown("people map")) };
            };
            let stays = Barred { authority: authority.clone(), number, from };
            let stays = barred.contains(&stays) || stays.is_among(kept_out);
            if stays { Ok(policy) } else { readmitting(policy, number) }
        })?;
        let builder = self.people(builder, |_| true)?;
        let others = excluded.iter().filter(|other| *other != person).cloned();
        Ok(self.change(others.fold(builder, ConsentBuilder::exclude)))
    }

    /// Takes back that a person is [kept out](Terms::kept_out) by number for this cause: she declined and thinks better of it, or
    /// the month is over in which the last of her stolen keys ended, as far as which a key opens what is sealed in it. Who is
    /// out for the other cause as well stays so, whoever is shut out by name, and whom a policy excluded by number before.
    /// The compartment key stays.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] if nobody is kept out by this number for that; [`Error::ApiMisuse`] as [`Sharing::readmit`].
    pub fn readmit_number(self, authority: &AuthorityId, number: PersonNumber, cause: Cause) -> Result<Change<'a>> {
        let Terms { kept_out, barred, .. } = self.access.terms();
        let is_meant = |kept: &KeptOut| (&kept.authority, kept.number, kept.cause) == (authority, number, cause);
        if !kept_out.iter().any(is_meant) {
            return Err(Error::Unknown("exclusion"));
        }
        let (taken_back, left): (Vec<_>, Vec<_>) = kept_out.iter().cloned().partition(is_meant);
        let builder = self.policies(self.next()?.reseal()?, |from, of, policy| {
            let kept = Barred { authority: of.clone(), number, from };
            let stays = barred.contains(&kept) || kept.is_among(&left) || !kept.is_among(&taken_back);
            if stays { Ok(policy) } else { readmitting(policy, number) }
        })?;
        let builder = self.people(builder, |_| true)?.let_in(authority.clone(), number, cause);
        Ok(self.change(self.excluded(builder)))
    }

    /// Lets a specialist read whom somebody referred to, if the referral is for this section: by name, until its time.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the referral is for another patient or section, or brought somebody here who still is;
    /// [`Error::Revoked`] if it counts no more: who referred has ended it ([`Sharing::end_referral`]), or whom it brought here
    /// left before its time, for whatever reason; and as [`Sharing::grant`].
    pub fn refer(self, referral: &AcceptedReferral) -> Result<Change<'a>> {
        let Terms { people, spent, .. } = self.access.terms();
        if spent.iter().any(|spent| spent.statement == referral.hash()) {
            return Err(Error::Revoked("this referral"));
        }
        let mut referrals = people.iter().filter_map(|named| named.referred.as_ref());
        if referrals.any(|referred| referred.referral == referral.hash()) {
            return Err(Error::ApiMisuse("the referral brought somebody here already"));
        }
        let named = referral.named(self.access.owner(), self.access.compartment())?;
        self.grant(named)
    }

    /// Leaves out whom a referral brought here, under a new compartment key, at the word of who referred. The consent
    /// remembers it, so that the same referral brings nobody here again; nor afterwards, if it has brought nobody yet.
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::same_terms`].
    pub fn end_referral(self, ended: &EndedReferral) -> Result<Change<'a>> {
        let builder = self.next()?.reseal()?.same_terms(self.trust)?.end_referral(ended);
        Ok(self.change(builder))
    }

    /// Shuts a person out who does not want access, under a new compartment key: the very person who signed, by her number
    /// under the authority that vouches for her, from reading and from writing, and by the key of her credential. She is
    /// [kept out](Terms::kept_out) from policies that are said later, too, until [`Sharing::readmit_number`]; she can be
    /// named all the same. If the consent names her by an earlier key as well, that slot stays: the preview shows it, and
    /// [`Sharing::revoke`] takes it.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if it is about another section, [`Error::Revoked`] if it was carried out before, and
    /// [`Error::Policy`] if there are too many exclusions.
    pub fn decline(self, declined: &Declined) -> Result<Change<'a>> {
        if self.access.terms().spent.contains(declined.spent()) {
            return Err(Error::Revoked("this decline"));
        }
        let ((authority, number), sealing) = declined.key(self.access.owner(), self.access.compartment())?;
        let builder = self.policies(self.next()?, as_it_is)?;
        let builder = self.people(builder, |named| named.sealing != sealing)?;
        let builder = self.excluded(builder).spend(std::slice::from_ref(declined.spent()));
        let kept_out = [Verb::Read, Verb::Write].map(|from| KeptOut {
            authority: authority.clone(),
            number,
            from,
            cause: Cause::Declined,
        });
        Ok(self.change(builder.keep_out(kept_out)))
    }

    /// Shuts out the stolen keys of a person, and, if she reads here by them, keeps the person: by name, with the sealing key of her new
    /// credential. `stolen` are the credentials of all the keys that were stolen, as for
    /// [`Exposure::of`](crate::consent::Exposure::of).
    ///
    /// - Whatever one of their sealing keys is named for is named for the new one: as long as before, and by the same
    ///   referral. A custodian stays custodian; give her a new mandate.
    /// - Under their authorities her numbers are [kept out](Terms::kept_out) from reading, by this policy and by those that
    ///   are said later: they are in the stolen user keys and in every key that she gets later; so by attributes she reads
    ///   here no more. Who read by attributes is named until the end of the new credential.
    ///
    /// What is signed with a stolen signing key is for the authorities' revocation lists.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if a credential is another person's, if there is none, or if the new sealing key is one that the consent names already; [`Error::Forged`] if a credential is none of
    /// its authority's; [`Error::Policy`] if there are too many exclusions.
    pub fn replace_key(self, stolen: &[&Credential], new: &VerifiedCredential) -> Result<Change<'a>> {
        let terms = self.access.terms();
        if terms.named().any(|named| named.sealing == *new.sealing()) {
            return Err(Error::ApiMisuse("the consent names this key already"));
        }
        let (mut numbers, mut keys) = (Vec::new(), Vec::new());
        for credential in stolen {
            let said = self.trust.authentic(credential)?;
            if said.person != *new.person() {
                return Err(Error::ApiMisuse("the stolen credentials and the new one are of one person"));
            }
            numbers.push((&said.authority, said.number));
            keys.push(said.sealing);
        }
        if keys.is_empty() {
            return Err(Error::ApiMisuse("no credential was stolen"));
        }
        if keys.contains(new.sealing()) {
            return Err(Error::ApiMisuse("the new credential has a stolen key"));
        }
        let is_stolen = |named: &Named| keys.contains(&named.sealing);
        let by_attributes = self.access.read_policies().iter().any(|(authority, policy)| {
            numbers.iter().any(|(of, _)| *of == authority)
                && authority == new.authority()
                && policy.satisfied_by(new.attributes())
        });
        let attributes = by_attributes.then(|| Named::from(new).until(new.not_after()));
        let names = terms.people.iter().filter(|named| is_stolen(named)).cloned();
        let longest = names.chain(attributes).max_by_key(|named| named.until.unwrap_or(Time::MAX));

        let builder = self.policies(self.next()?, as_it_is)?;
        let builder = self.excluded(self.people(builder, |named| !is_stolen(named))?);
        let kept_out = numbers.iter().map(|(authority, number)| (AuthorityId::clone(authority), *number));
        let kept_out =
            kept_out.map(|(authority, number)| KeptOut { authority, number, from: Verb::Read, cause: Cause::Stolen });
        let builder = builder.keep_out(kept_out);
        let builder = if terms.custodian.as_ref().is_some_and(is_stolen) {
            builder.custodian(new)?
        } else {
            match longest {
                Some(Named { until, referred, .. }) => builder.name(Named { until, referred, ..Named::from(new) })?,
                None => builder,
            }
        };
        Ok(self.change(builder))
    }

    /// The same people under a new compartment key.
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::same_terms`].
    pub fn rotate(self) -> Result<Change<'a>> {
        let builder = self.next()?.same_terms(self.trust)?;
        Ok(self.change(builder))
    }

    /// The same people and the same compartment key, for a new month: user keys that were not renewed open it no more,
    /// unless they opened the version before.
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::same_terms`].
    pub fn reseal(self) -> Result<Change<'a>> {
        let builder = self.next()?.reseal()?.same_terms(self.trust)?;
        Ok(self.change(builder))
    }

    fn next(&self) -> Result<ConsentBuilder<'a>> {
        self.device.consent(self.devices, self.access.compartment().clone()).after(self.access)
    }

    fn change(&self, builder: ConsentBuilder<'a>) -> Change<'a> {
        Change { before: self.access, builder }
    }

    /// The terms as they are, but for one authority's read policy.
    fn other_policies(self, mut builder: ConsentBuilder<'a>, authority: &AuthorityId) -> Result<ConsentBuilder<'a>> {
        let Terms { read, write, .. } = self.access.terms();
        for reading in read.iter().filter(|reading| reading.authority != *authority) {
            builder = builder.keep_read(self.trust, &reading.authority, reading.policy.parse()?)?;
        }
        for writing in write {
            builder = builder.keep_write(self.trust, &writing.authority, writing.policy.parse()?)?;
        }
        Ok(self.excluded(self.people(builder, |_| true)?))
    }

    /// The policies, each as it becomes.
    fn policies(
        &self,
        mut builder: ConsentBuilder<'a>,
        becomes: impl Fn(Verb, &AuthorityId, Policy) -> Result<Policy>,
    ) -> Result<ConsentBuilder<'a>> {
        let Terms { read, write, .. } = self.access.terms();
        for Reading { authority, policy, .. } in read {
            let policy = becomes(Verb::Read, authority, policy.parse()?)?;
            builder = builder.keep_read(self.trust, authority, policy)?;
        }
        for Writing { authority, policy } in write {
            let policy = becomes(Verb::Write, authority, policy.parse()?)?;
            builder = builder.keep_write(self.trust, authority, policy)?;
        }
        Ok(builder)
    }

    /// Who is named and is to stay, which referrals have ended, and until when it all is valid.
    fn people(&self, mut builder: ConsentBuilder<'a>, stays: impl Fn(&Named) -> bool) -> Result<ConsentBuilder<'a>> {
        let Terms { people, custodian, spent, .. } = self.access.terms();
        for named in people.iter().filter(|named| stays(named)) {
            builder = builder.name(named.clone())?;
        }
        if let Some(custodian) = custodian.as_ref().filter(|named| stays(named)) {
            builder = builder.custodian(custodian.clone())?;
        }
        Ok(builder.spend(spent).valid(None, self.access.owners_end()))
    }

    /// Who is excluded by name.
    fn excluded(&self, builder: ConsentBuilder<'a>) -> ConsentBuilder<'a> {
        self.access.terms().excluded.iter().cloned().fold(builder, ConsentBuilder::exclude)
    }
}

fn as_it_is(_: Verb, _: &AuthorityId, policy: Policy) -> Result<Policy> {
    Ok(policy)
}

/// The policy open to a person again whom it excludes as a whole.
fn readmitting(policy: Policy, number: PersonNumber) -> Result<Policy> {
    let policy = policy.readmitting(number).filter(|policy| !policy.excludes(number));
    policy.ok_or(Error::ApiMisuse("a policy excludes the person inside: say it anew"))
}

impl Change<'_> {
    /// Takes a version and a key generation above those of what a custodian signed meanwhile: see
    /// [`ConsentBuilder::beyond`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn beyond(self, other: &Access) -> Result<Self> {
        Ok(Self { builder: self.builder.beyond(other)?, ..self })
    }

    /// Who opens it, who gains and who loses: see [`ConsentBuilder::preview`].
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::seal`].
    pub fn preview(&self, people: &[VerifiedCredential], now: Time) -> Result<Preview> {
        self.builder.preview(people, now)
    }

    /// Signs it, and says what is protected from now on and what is not.
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::seal`].
    pub fn seal(self, now: Time) -> Result<(StoredConsent, Access, Receipt)> {
        let uncovered = self.builder.preview(&[], now)?.uncovered;
        let (stored, access) = self.builder.seal(now)?;
        let receipt = Receipt::new(self.before, &access, uncovered);
        Ok((stored, access, receipt))
    }
}
