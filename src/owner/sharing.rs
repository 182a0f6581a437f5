//! The patient's verbs: grant, restrict, revoke, rotate; and the same for writing.

mod writing;

use super::device::Device;
use super::receipt::Receipt;
use crate::authority::{Credential, Trust, VerifiedCredential};
use crate::consent::{
    AcceptedReferral, Access, Action, Cause, ConsentBuilder, Declined, Devices, EndedReferral, Exclusion, Named,
    Preview, StoredConsent, Terms,
};
use crate::error::{Error, Result, Unknown};
use crate::id::{AuthorityId, PersonId, Time};
use crate::policy::{Month, PersonNumber};

/// One compartment, as its owner changes who may read and write it. Got from [`Device::sharing`].
///
/// Each verb prepares the next version of the consent; look at [`Change::preview`], then [`Change::seal`] it.
///
/// # Example
///
/// ```
/// use chartseal::authority::{Authority, REVOCATION_LIMIT, Trust};
/// use chartseal::{Error, id::Time, identity::Identity, owner::Owner, pin::PinStore};
///
/// let now = Time::at(1_775_000_000);
/// let mut hospital = Authority::setup("st-olave".parse()?, now)?;
/// let bob = Identity::generate("dr-bob".parse()?)?;
/// hospital.enrol(&bob.enrol()?)?;
/// let issued = hospital.issue(bob.id(), &"role:doctor".parse()?, now, Time::at(1_776_000_000), now)?;
/// let (mut trust, mut pins) = (Trust::new(REVOCATION_LIMIT), PinStore::default());
/// trust.add(hospital.anchor())?;
/// trust.update(&hospital.publish(now)?, &mut pins, now)?;
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
/// assert_eq!(live.open(&key, &mut pins).err(), Some(Error::CannotOpen));
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
    /// present one excludes as a whole: "everyone but Dr Bob" stays closed to him. The compartment key stays, unless the
    /// policy excludes somebody by name who was not.
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::read`]; [`Error::ApiMisuse`] if the policy is for somebody by number who is excluded.
    pub fn grant_policy(self, authority: &AuthorityId, policy: &str) -> Result<Change<'a>> {
        let builder = self.next()?.reseal()?.read_also(self.trust, authority, policy)?;
        let builder = builder.same_reading(self.trust, |other| other != authority)?;
        let builder = builder.same_writing(self.trust, |_| true)?;
        Ok(self.change(builder.same_exclusions(|_| true)?.same_people(|_| true)?))
    }

    /// Puts another policy in the place of an authority's, under a new compartment key. Whoever was excluded by name,
    /// declined, or had her keys stolen stays out; whom the present policy excludes by number does not.
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::read`].
    pub fn restrict(self, authority: &AuthorityId, policy: &str) -> Result<Change<'a>> {
        Ok(self.change(self.without_policy(authority)?.read(self.trust, authority, policy)?))
    }

    /// Lets nobody read any more by the attributes of an authority, under a new compartment key. Those whom the consent
    /// names stay. Who may write stays as well: see [`Sharing::revoke_writing`].
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn revoke_authority(self, authority: &AuthorityId) -> Result<Change<'a>> {
        Ok(self.change(self.without_policy(authority)?))
    }

    /// Shuts a person out, under a new compartment key: by name, and, whatever attributes she has or gets, under every
    /// authority that knows her name, from reading and from writing. [`Receipt::unenforced`] lists the authorities that do
    /// not. What she wrote before stands. A policy that is for her alone lets nobody in.
    ///
    /// She is named by this id; if the consent names her by another one as well, that slot stays. [`Sharing::readmit`]
    /// takes it back.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`], with whom it asked, if nobody knows her: neither any authority that is trusted, nor the consent,
    /// which would name her by a key. A name that is misspelt shuts nobody out. [`Error::Policy`] if there are too many
    /// exclusions.
    pub fn revoke(self, person: PersonId) -> Result<Change<'a>> {
        if !self.access.terms().knows(&person) {
            self.trust.check_person(&person)?;
        }
        let builder = self.rules()?.same_people(|named| named.person != person)?;
        Ok(self.change(builder.shut_out([Exclusion::by_name(person)])))
    }

    /// Takes back that a person was shut out by [`Sharing::revoke`], or by name in a policy: she reads and writes again
    /// what her attributes admit her to. For whatever other cause she is [excluded](Terms::exclusions), she stays so: see
    /// [`Sharing::readmit_number`]; and so does whom a policy excludes in its own words: say it anew. The compartment key
    /// stays: nobody loses by it.
    ///
    /// A custodian may have shut her out by a name that nobody has, and by her number. Whoever has the authority's map of
    /// people at hand finds that, too; by any change of the owner's the number goes.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] if she is excluded neither by name nor under another one.
    pub fn readmit(self, person: &PersonId) -> Result<Change<'a>> {
        let mut all = self.access.terms().exclusions.iter();
        if !all.any(|one| one.names(person) || one.misnames(person, self.trust)) {
            return Err(Error::Unknown(Unknown::Exclusion(person.clone())));
        }
        self.without_exclusions(|one| one.names(person))
    }

    /// Takes back that a person is [excluded](Terms::exclusions) by number for this cause: she declined and thinks better
    /// of it, or her stolen keys are known not to open anything any more. Who is excluded for another cause as well stays
    /// so. With [`Cause::Revoked`], whatever name she is excluded by is readmitted, under every authority; but where the
    /// authority's map of people is at hand and gives the number to somebody else, the name stays excluded, and the
    /// number alone goes: a custodian may have given it to the name of somebody whom the owner revoked. The compartment
    /// key stays.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] if nobody is excluded by this number for that.
    pub fn readmit_number(self, authority: &AuthorityId, number: PersonNumber, cause: Cause) -> Result<Change<'a>> {
        if !self.access.terms().exclusions.iter().any(|one| one.is_of(authority, number, cause)) {
            return Err(Error::Unknown(Unknown::NumberExclusion { authority: authority.clone(), number }));
        }
        let anothers = |person: &PersonId| self.trust.is_anothers(authority, number, person);
        let is_meant =
            |one: &Exclusion| one.is_of(authority, number, cause) && !one.person.as_ref().is_some_and(anothers);
        self.without_exclusions(is_meant)
    }

    /// Lets a specialist read whom somebody referred to, if the referral is for this section: by name, until its time.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the referral is for another patient or section, or brought somebody here who still is;
    /// [`Error::Revoked`] if it counts no more: who referred has ended it ([`Sharing::end_referral`]), or whom it brought
    /// here left before its time, for whatever reason; and as [`Sharing::grant`].
    pub fn refer(self, referral: &AcceptedReferral) -> Result<Change<'a>> {
        let Terms { people, consumed, .. } = self.access.terms();
        if consumed.iter().any(|consumed| consumed.statement == referral.hash()) {
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
    /// [excluded](Terms::exclusions) from policies that are said later, too, until [`Sharing::readmit_number`]; she can be
    /// named all the same. If the consent names her by an earlier key as well, that slot stays: the preview shows it, and
    /// [`Sharing::revoke`] takes it.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if it is about another section, [`Error::Revoked`] if it was carried out before, and
    /// [`Error::Policy`] if there are too many exclusions.
    pub fn decline(self, declined: &Declined) -> Result<Change<'a>> {
        if self.access.terms().consumed.contains(declined.consumed()) {
            return Err(Error::Revoked("this decline"));
        }
        let (number, sealing) = declined.key(self.access.owner(), self.access.compartment())?;
        let builder = self.rules()?.same_people(|named| named.sealing != sealing)?;
        let builder = builder.consume(declined.consumed().clone());
        Ok(self.change(builder.shut_out([Exclusion::by_number(number, Action::Both, Cause::Declined)])))
    }

    /// Shuts out the stolen keys of a person, and, if she reads here by them, keeps the person: by name, with the sealing
    /// key of her new credential. `stolen` are the credentials of all the keys that were stolen, as for
    /// [`Exposure::of`](crate::consent::Exposure::of).
    ///
    /// - Whatever one of their sealing keys is named for is named for the new one: as long as before, and by the same
    ///   referral. A custodian stays custodian; give her a new mandate.
    /// - Under their authorities her numbers are [excluded](Terms::exclusions) from reading, by this policy and by those
    ///   that are said later: they are in the stolen user keys and in every key that she gets later; so by attributes she
    ///   reads here no more. Who read by attributes is named until the end of the new credential. It ends with the month
    ///   in which the last of the stolen keys does: what is sealed after that, they do not open.
    ///
    /// What is signed with a stolen signing key is for the authorities' revocation lists.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if a credential is another person's, if there is none, or if the new sealing key is one that
    /// the consent names already; [`Error::Forged`] if a credential is none of its authority's; [`Error::Policy`] if
    /// there are too many exclusions.
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
            numbers.push((&said.authority, said.number, Month::at(said.not_after).ok().map(Month::end)));
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
            numbers.iter().any(|(of, ..)| *of == authority)
                && authority == new.authority()
                && policy.satisfied_by(new.attributes())
        });
        let attributes = by_attributes.then(|| Named::from(new).until(new.not_after()));
        let names = terms.people.iter().filter(|named| is_stolen(named)).cloned();
        let longest = names.chain(attributes).max_by_key(|named| named.until.unwrap_or(Time::MAX));

        let stolen = |(authority, number, until)| Exclusion {
            until,
            ..Exclusion::by_number((authority, number), Action::Read, Cause::Stolen)
        };
        let builder = self.rules()?.same_people(|named| !is_stolen(named))?;
        let builder = builder.shut_out(numbers.into_iter().map(stolen));
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

    /// Policies and exclusions as they are.
    fn rules(&self) -> Result<ConsentBuilder<'a>> {
        self.next()?.same_policies(self.trust)?.same_exclusions(|_| true)
    }

    /// The terms as they are, but for one authority's read policy.
    fn without_policy(&self, authority: &AuthorityId) -> Result<ConsentBuilder<'a>> {
        let builder = self.next()?.same_reading(self.trust, |other| other != authority)?;
        let builder = builder.same_writing(self.trust, |_| true)?;
        builder.same_exclusions(|one| !one.is_of_policy(authority, Action::Read))?.same_people(|_| true)
    }

    /// The terms as they are, but for these exclusions, under the same key.
    fn without_exclusions(&self, is_meant: impl Fn(&Exclusion) -> bool) -> Result<Change<'a>> {
        let builder = self.next()?.reseal()?.same_policies(self.trust)?;
        Ok(self.change(builder.same_exclusions(|one| !is_meant(one))?.same_people(|_| true)?))
    }
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

    /// Who opens it, who may write, who gains and who loses: see [`ConsentBuilder::preview`].
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::seal`].
    pub fn preview(&self, people: &[VerifiedCredential], now: Time) -> Result<Preview> {
        self.builder.preview(people, now)
    }

    /// Signs it, and says who was let in, until when, what is protected from now on and what is not.
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::seal`].
    pub fn seal(self, now: Time) -> Result<(StoredConsent, Access, Receipt)> {
        let unenforced = self.builder.preview(&[], now)?.unenforced;
        let (stored, access) = self.builder.seal(now)?;
        let receipt = Receipt::new(self.before, &access, unenforced);
        Ok((stored, access, receipt))
    }
}
