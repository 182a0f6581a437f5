//! The patient's verbs: grant, restrict, revoke, rotate.

use super::device::Device;
use super::receipt::Receipt;
use crate::authority::{Trust, VerifiedCredential};
use crate::consent::{
    AcceptedReferral, Access, ConsentBuilder, Declined, Devices, EndedReferral, Named, Preview, StoredConsent,
    Uncovered,
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
/// let now = Time(1_775_000_000);
/// let mut hospital = Authority::setup("st-olave".parse()?, now)?;
/// let bob = Identity::generate("dr-bob".parse()?)?;
/// hospital.enrol(&bob.enrol()?)?;
/// let issued = hospital.issue(bob.id(), &"role:doctor".parse()?, now, Time(now.0 + 1_000_000), now)?;
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
    /// Who is shut out and still writes, since an authority of the write policies does not know the name.
    writing: Vec<Uncovered>,
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

    /// Lets those read, by the attributes of an authority, who satisfy the present policy or this one. The compartment key
    /// stays.
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::read`].
    pub fn grant_policy(self, authority: &AuthorityId, policy: &str) -> Result<Change<'a>> {
        let present = self.access.terms().read.iter().find(|reading| reading.authority == *authority);
        let wider = match present {
            Some(reading) => format!("({}) or ({policy})", reading.policy),
            None => policy.to_owned(),
        };
        let builder = self.with_policy(self.next()?.reseal()?, authority, Some(&wider))?;
        Ok(self.change(builder))
    }

    /// Puts another policy in the place of an authority's, under a new compartment key.
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::read`].
    pub fn restrict(self, authority: &AuthorityId, policy: &str) -> Result<Change<'a>> {
        let builder = self.with_policy(self.next()?, authority, Some(policy))?;
        Ok(self.change(builder))
    }

    /// Lets nobody read any more by the attributes of an authority, under a new compartment key. Those whom the consent
    /// names stay.
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn revoke_authority(self, authority: &AuthorityId) -> Result<Change<'a>> {
        let builder = self.with_policy(self.next()?, authority, None)?;
        Ok(self.change(builder))
    }

    /// Shuts a person out, under a new compartment key: by name, and, whatever attributes she has or gets, under every
    /// authority that knows her name, from reading and from writing. [`Receipt::uncovered`] lists the authorities that do
    /// not. What she wrote before stands.
    ///
    /// She is named by this id; if the consent names her by another one as well, that slot stays. [`Sharing::readmit`] takes
    /// it back.
    ///
    /// # Errors
    ///
    /// [`Error::Policy`] if there are too many exclusions.
    pub fn revoke(self, person: PersonId) -> Result<Change<'a>> {
        let unknown = |authority: &AuthorityId| self.trust.resolve(authority)(person.as_str()).is_none();
        let authorities = self.access.terms().write.iter().map(|writing| &writing.authority);
        let writing = authorities
            .filter(|authority| unknown(authority))
            .map(|authority| Uncovered { authority: authority.clone(), person: person.clone() })
            .collect();
        let builder = self.without(self.next()?, &person)?.exclude(person);
        Ok(Change { writing, ..self.change(builder) })
    }

    /// Takes back that a person was shut out by [`Sharing::revoke`]: she reads and writes again what her attributes admit her
    /// to. The compartment key stays: nobody loses by it.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] if she is not shut out by name; [`Error::ApiMisuse`] if a policy excludes her inside: say that
    /// policy anew.
    pub fn readmit(self, person: &PersonId) -> Result<Change<'a>> {
        let terms = self.access.terms();
        if !terms.excluded.contains(person) {
            return Err(Error::Unknown("exclusion"));
        }
        let policy = |authority: &AuthorityId, text: &str| -> Result<String> {
            let policy: Policy = text.parse()?;
            let Some(number) = self.trust.resolve(authority)(person.as_str()) else {
                return Ok(text.to_owned());
            };
            let policy = policy.readmitting(number).filter(|policy| !policy.excludes(number));
            let policy = policy.ok_or(Error::ApiMisuse("a policy excludes the person inside: say it anew"))?;
            Ok(policy.to_string())
        };
        let mut builder = self.next()?.reseal()?;
        for reading in &terms.read {
            builder = builder.read(self.trust, &reading.authority, &policy(&reading.authority, &reading.policy)?)?;
        }
        for writing in &terms.write {
            builder = builder.write(self.trust, &writing.authority, &policy(&writing.authority, &writing.policy)?)?;
        }
        let builder = self.people(builder, None)?;
        let others = terms.excluded.iter().filter(|other| *other != person).cloned();
        Ok(self.change(others.fold(builder, ConsentBuilder::exclude)))
    }

    /// Lets a specialist read whom somebody referred to, if the referral is for this section: by name, until its time.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the referral is for another patient or section, and as
    /// [`Sharing::grant`].
    pub fn refer(self, referral: &AcceptedReferral) -> Result<Change<'a>> {
        let named = referral.named(self.access.owner(), self.access.compartment())?;
        self.grant(named)
    }

    /// Leaves out whom a referral brought here, under a new compartment key, at the word of who referred.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] if nobody is here by that referral.
    pub fn end_referral(self, ended: &EndedReferral) -> Result<Change<'a>> {
        let named = self.access.terms().people.len();
        let builder = self.next()?.same_terms(self.trust)?.end_referral(ended);
        if builder.people() == named {
            return Err(Error::Unknown("referral"));
        }
        Ok(self.change(builder))
    }

    /// Shuts a person out who does not want access, as [`Sharing::revoke`].
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if it is about another section, and as [`Sharing::revoke`].
    pub fn decline(self, declined: &Declined) -> Result<Change<'a>> {
        let person = declined.person(self.access.owner(), self.access.compartment())?.clone();
        self.revoke(person)
    }

    /// Shuts out the stolen keys of a person and keeps the person: by name, with the sealing key of her new credential.
    /// Under the credential's authority her number is excluded, which is in the stolen user key and in every key that she
    /// gets later; so by attributes she reads here no more.
    ///
    /// # Errors
    ///
    /// [`Error::Policy`] if there are too many exclusions; [`Error::ApiMisuse`] if the new sealing key is the one that the
    /// consent names already.
    pub fn replace_key(self, new: &VerifiedCredential) -> Result<Change<'a>> {
        let terms = self.access.terms();
        if terms.named().any(|named| named.sealing == *new.sealing()) {
            return Err(Error::ApiMisuse("the consent names this key already"));
        }
        let (trust, number) = (self.trust, new.number());
        let mut builder = self.next()?;
        for reading in &terms.read {
            let policy = if reading.authority == *new.authority() {
                without_number(&reading.policy, number)?
            } else {
                reading.policy.clone()
            };
            builder = builder.read(trust, &reading.authority, &policy)?;
        }
        let change = self.rest(builder, None)?.leave_out(|named| named.person == *new.person()).name(new)?;
        Ok(self.change(change))
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
        Change { before: self.access, builder, writing: Vec::new() }
    }

    /// The terms as they are, without a person by name.
    fn without(self, mut builder: ConsentBuilder<'a>, person: &PersonId) -> Result<ConsentBuilder<'a>> {
        for reading in &self.access.terms().read {
            builder = builder.read(self.trust, &reading.authority, &reading.policy)?;
        }
        self.rest(builder, Some(person))
    }

    /// The terms as they are, but for one authority's policy.
    fn with_policy(
        self,
        mut builder: ConsentBuilder<'a>,
        authority: &AuthorityId,
        policy: Option<&str>,
    ) -> Result<ConsentBuilder<'a>> {
        if let Some(policy) = policy {
            builder = builder.read(self.trust, authority, policy)?;
        }
        for reading in self.access.terms().read.iter().filter(|reading| reading.authority != *authority) {
            builder = builder.read(self.trust, &reading.authority, &reading.policy)?;
        }
        self.rest(builder, None)
    }

    /// Everything but the read policies.
    fn rest(&self, mut builder: ConsentBuilder<'a>, without: Option<&PersonId>) -> Result<ConsentBuilder<'a>> {
        let terms = self.access.terms();
        for writing in &terms.write {
            let number = without.and_then(|person| self.trust.resolve(&writing.authority)(person.as_str()));
            let policy = match number {
                Some(number) => without_number(&writing.policy, number)?,
                None => writing.policy.clone(),
            };
            builder = builder.write(self.trust, &writing.authority, &policy)?;
        }
        let builder = self.people(builder, without)?;
        Ok(terms.excluded.iter().cloned().fold(builder, ConsentBuilder::exclude))
    }

    /// Who is named, but for one person, and until when it all is valid.
    fn people(&self, mut builder: ConsentBuilder<'a>, without: Option<&PersonId>) -> Result<ConsentBuilder<'a>> {
        let terms = self.access.terms();
        for named in terms.people.iter().filter(|named| Some(&named.person) != without) {
            builder = builder.name(named.clone())?;
        }
        if let Some(custodian) = terms.custodian.as_ref().filter(|named| Some(&named.person) != without) {
            builder = builder.custodian(custodian.clone())?;
        }
        Ok(builder.valid(None, self.access.owners_end()))
    }
}

/// The policy with one more person excluded, if she is not yet.
fn without_number(policy: &str, number: PersonNumber) -> Result<String> {
    Ok(policy.parse::<Policy>()?.excluding(&[number])?.to_string())
}

impl Change<'_> {
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
        let mut uncovered = self.builder.preview(&[], now)?.uncovered;
        let more = self.writing.into_iter().filter(|one| !uncovered.contains(one)).collect::<Vec<_>>();
        uncovered.extend(more);
        let (stored, access) = self.builder.seal(now)?;
        let receipt = Receipt::new(self.before, &access, uncovered);
        Ok((stored, access, receipt))
    }
}
