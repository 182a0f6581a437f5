//! Attribute authorities: who people are, what they may show, and whom to believe.
//!
//! - An [`Authority`] (a hospital, an agency) enrols people under a number for life, issues attributes to them, and
//!   publishes, signed and in versions, its public parameters, its revocation list and its map of people.
//! - A [`Credential`] is its statement of one person: id, number, public keys, attributes, validity. With it comes a
//!   [`UserKey`](crate::kem::UserKey) for the same attributes, sealed to the person.
//! - A [`StoredAuthority`] lies in a [`Store`](crate::store::Store), sealed, and what it publishes on a [`BulletinBoard`] in one:
//!   in as many values as it takes, however many people there are.
//! - [`Trust`] is what a verifier holds: for each authority an [`Anchor`], got out of band, and the latest of what it
//!   published. [`Trust::credential`] makes a [`VerifiedCredential`] of a [`Credential`].
//!
//! # Example
//!
//! ```
//! use chartseal::authority::{Authority, Reason, REVOCATION_LIMIT, Trust};
//! use chartseal::{Error, id::Time, identity::Identity, pin::PinStore};
//!
//! let now = Time::at(1_775_000_000); // 2026-03-31
//! let next_year = Time::at(1_806_000_000);
//! let mut hospital = Authority::setup("st-olave".parse()?, now)?;
//! let ada = Identity::generate("dr-ada".parse()?)?;
//! hospital.enrol(&ada.enrol()?)?;
//! let issued = hospital.issue(ada.id(), &"role:doctor, dept:icu".parse()?, now, next_year, now)?;
//!
//! let mut trust = Trust::new(REVOCATION_LIMIT);
//! let mut pins = PinStore::default();
//! trust.add(hospital.anchor())?;
//! trust.update(&hospital.publish(now)?, &mut pins, now)?;
//! let key = ada.accept(&issued, &trust, now)?;
//! let shown = trust.credential(&issued.credential, now)?;
//! assert_eq!(shown.attributes().to_string(), "dept:icu, role:doctor, user:#1, valid-until = 2027-03");
//!
//! hospital.revoke(ada.id(), now, Reason::Ended, now)?;
//! trust.update(&hospital.publish(now)?, &mut pins, now)?;
//! assert!(matches!(trust.credential(&issued.credential, now), Err(Error::Revoked(_))));
//! # let _ = key;
//! # Ok::<(), Error>(())
//! ```
//!
//! # What it does not do
//!
//! Revocation tells verifiers not to believe what a person signs. It takes no key back: what a user key opens, it opens
//! until consents exclude the person (`not user:#1`) or are sealed again after `valid-until`. An authority can issue any
//! key to itself: whoever relies on its attributes trusts it with everything that they open.

mod board;
mod credential;
mod shards;
mod state;
mod statements;
mod stored;
mod trust;

pub use board::BulletinBoard;
pub use credential::{Credential, CredentialStatement, Issued};
pub use statements::{Anchor, Bulletin, ParametersStatement, PeopleMap, Reason, RevocationList, Revoked};
pub use stored::StoredAuthority;
pub(crate) use trust::Backing;
pub use trust::{REVOCATION_LIMIT, Standing, Trust, VerifiedCredential};

use crate::error::{Error, Result, Unknown};
use crate::id::{AuthorityId, PersonId, Time, Version};
use crate::identity::{PublicIdentity, Signed, SigningKey};
use crate::kem::{self, MasterKey};
use crate::policy::{Attributes, Month, PersonNumber};
use state::{Enrolled, State};

/// An attribute authority with its secrets: the master key of the KEM and the key that signs its statements.
///
/// A [`StoredAuthority`] writes each change before anything of it is given out. Or keep [`Authority::to_secret_bytes`] after
/// every call that takes `&mut self`, before what it returned leaves the house: an authority that forgets a number or a
/// version gives it out twice.
#[derive(Debug)]
pub struct Authority {
    master: MasterKey,
    signing: SigningKey,
    state: State,
}

impl Authority {
    /// Draws the keys of a new authority.
    ///
    /// # Errors
    ///
    /// [`Error::Randomness`].
    pub fn setup(authority: AuthorityId, now: Time) -> Result<Self> {
        let (_, master) = kem::setup(authority)?;
        Ok(Self { master, signing: SigningKey::generate()?, state: State::new(now) })
    }

    /// The authority's name.
    pub fn id(&self) -> &AuthorityId {
        self.master.public().authority()
    }

    /// What verifiers need, over a channel that they trust, to believe anything that this authority signs.
    pub fn anchor(&self) -> Anchor {
        Anchor { authority: self.id().clone(), key: self.signing.public() }
    }

    /// Gives a person a number for life, or tells the number that she has.
    ///
    /// The signature proves that whoever made the statement holds the signing key; not that she holds the sealing key,
    /// to which others' keys can be written, nor who hands it in, since it names no authority and no time. That she is
    /// who she says she is, and hands it in herself, is for the caller to find out, before the call.
    ///
    /// # Errors
    ///
    /// [`Error::Forged`] if the keys did not sign; [`Error::ApiMisuse`] if this person has other keys
    /// ([`Authority::replace_keys`]) or a key belongs to another person, who would be two people then;
    /// [`Error::Malformed`] if nothing can be sealed to the sealing key; [`Error::TooLarge`] when there are too many
    /// people.
    pub fn enrol(&mut self, enrolment: &Signed<PublicIdentity>) -> Result<PersonNumber> {
        let public = enrolment.verify_own()?;
        match self.state.people.get(&public.id) {
            Some(known) if known.holds(public) => return Ok(known.number),
            Some(_) => return Err(Error::ApiMisuse("this person has other keys, which have to be replaced")),
            None => self.check_new_keys(public)?,
        }
        self.state.add(public)
    }

    /// Gives a person new keys in place of those that were lost or stolen, and revokes the old ones. She keeps her
    /// number; her credentials and user keys have to be issued anew. For a person who was revoked, this is the way
    /// back.
    ///
    /// # Errors
    ///
    /// As for [`Authority::enrol`] and [`Authority::revoke`]; keys that were revoked once cannot come back.
    pub fn replace_keys(
        &mut self,
        enrolment: &Signed<PublicIdentity>,
        since: Time,
        reason: Reason,
        now: Time,
    ) -> Result<PersonNumber> {
        let public = enrolment.verify_own()?;
        let known = self.known(&public.id)?;
        if known.holds(public) {
            return Err(Error::ApiMisuse("the new keys are the old ones"));
        }
        self.check_new_keys(public)?;
        let number = known.number;
        self.revoke(&public.id, since, reason, now)?;
        self.state.replace(public);
        Ok(number)
    }

    /// Issues attributes: a credential that shows them and a user key that opens by them. `user:#number` and
    /// `valid-until` (the month, in UTC, of `not_after`) are added.
    ///
    /// What was issued before stays valid to its own end: issuing less does not take away a role. For that, give the
    /// person new keys ([`Authority::replace_keys`]), which revokes all that was issued for the old ones, and keep
    /// validities short. The user key opens what is sealed up to the last day of its month, though the credential may
    /// end earlier in it.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] for a person who is not enrolled, [`Error::Revoked`] for one who was revoked,
    /// [`Error::ApiMisuse`] if the attributes name a person or a month already, or the validity is empty or over,
    /// [`Error::Policy`] if two more attributes are too many, [`Error::Randomness`].
    pub fn issue(
        &mut self,
        person: &PersonId,
        attributes: &Attributes,
        not_before: Time,
        not_after: Time,
        now: Time,
    ) -> Result<Issued> {
        let known = self.known(person)?;
        if self.state.is_revoked(known) {
            return Err(Error::Revoked("this person"));
        }
        if not_before > not_after || not_after < now {
            return Err(Error::ApiMisuse("a credential has to be valid for some time to come"));
        }
        if attributes.person().is_some() || attributes.valid_until().is_some() {
            return Err(Error::ApiMisuse("the person and `valid-until` are added by the authority"));
        }
        let attributes = attributes.clone().with_person(known.number)?.with_valid_until(Month::at(not_after)?)?;
        self.issue_whole(person, &attributes, (not_before, not_after))
    }

    /// Issues again what a person was issued last, under the master key of today: after [`Authority::rotate`], for
    /// everybody who stays. Attributes and validity are those of the credential.
    ///
    /// # Errors
    ///
    /// [`Error::Forged`] if this authority did not sign it; [`Error::Rollback`] if it is not the last one of this person,
    /// so that a role that was dropped does not come back; [`Error::Revoked`], [`Error::Unknown`]; [`Error::Expired`] if
    /// its time is over; [`Error::Randomness`].
    pub fn reissue(&mut self, credential: &Credential, now: Time) -> Result<Issued> {
        let statement = credential.verify(&self.signing.public())?.clone();
        let known = self.known(&statement.person)?;
        if self.state.is_revoked(known) {
            return Err(Error::Revoked("this person"));
        }
        if known.serial != Some(statement.serial) {
            return Err(Error::Rollback("credential"));
        }
        if statement.not_after < now {
            return Err(Error::Expired("credential"));
        }
        let attributes = statement.attributes.parse().map_err(|_| Error::Malformed("credential"))?;
        self.issue_whole(&statement.person, &attributes, (statement.not_before, statement.not_after))
    }

    fn issue_whole(
        &mut self,
        person: &PersonId,
        attributes: &Attributes,
        (not_before, not_after): (Time, Time),
    ) -> Result<Issued> {
        let known = self.known(person)?;
        let statement = CredentialStatement {
            authority: self.id().clone(),
            serial: self.state.next_serial()?,
            person: person.clone(),
            number: known.number,
            signing: known.signing,
            sealing: known.sealing,
            attributes: attributes.to_string(),
            not_before,
            not_after,
        };
        let serial = statement.serial;
        let issued = Issued::new(Signed::sign(statement, &self.signing)?, &kem::issue(&self.master, attributes)?)?;
        self.state.note_serial(person, serial);
        Ok(issued)
    }

    /// Draws a new master key, and forgets the one before. The new parameters are published from now on, the ones before
    /// beside them, until [`Authority::drop_previous`]: the user keys of these are accepted and open the consents of their
    /// time. Nothing is sealed under them by anybody who has heard of the new ones.
    ///
    /// Then issue everybody's key again ([`Authority::reissue`]), and have owners or their custodians seal their consents
    /// again, under new compartment keys where a key was stolen. A person who left has no way back to a key.
    ///
    /// Parameters of a time to come were made by a clock that was wrong. Nobody takes them over, so they are not published
    /// beside the new ones.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] while parameters before these are published, [`Error::Randomness`].
    pub fn rotate(&mut self, now: Time) -> Result<()> {
        if self.state.previous.is_some() {
            return Err(Error::ApiMisuse("the parameters before these are still published: drop them first"));
        }
        let previous = self.parameters()?;
        let (_, master) = kem::rotate(&self.master)?;
        self.master = master;
        let made = previous.unverified().issued_at;
        let wrong = made.is_to_come(now);
        self.state.rotated_at = Some(if wrong { now } else { now.max(made) });
        self.state.previous = (!wrong).then_some(previous);
        Ok(())
    }

    /// Publishes the parameters before those of today no more: their user keys are not accepted from now on, by whoever
    /// has the bulletin of today at hand and none of before. Whoever has one of the keys at hand still opens consents of
    /// its time that were not sealed again.
    pub fn drop_previous(&mut self) {
        self.state.previous = None;
    }

    /// A member leaves at `since`, or left: her keys are revoked as [`Reason::Ended`], and nothing is issued again. What
    /// her user key opens, it opens until consents exclude her, are sealed again after its month, or are sealed again
    /// after [`Authority::rotate`].
    ///
    /// # Errors
    ///
    /// As [`Authority::revoke`].
    pub fn leave(&mut self, person: &PersonId, since: Time, now: Time) -> Result<()> {
        self.revoke(person, since, Reason::Ended, now)
    }

    /// Revokes a person: what she signed from `since` on is not to be believed, and with [`Reason::Compromised`] nothing
    /// that she ever signed. She keeps her number. A second revocation can only make the first one harsher.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] for a person who is not enrolled, [`Error::ApiMisuse`] if `since` lies in the future: who
    /// leaves later gets a credential that ends then. [`Error::TooLarge`] when the list is full.
    pub fn revoke(&mut self, person: &PersonId, since: Time, reason: Reason, now: Time) -> Result<()> {
        let known = self.known(person)?;
        if since > now {
            return Err(Error::ApiMisuse("a revocation cannot begin in the future"));
        }
        let Enrolled { number, signing, .. } = *known;
        self.state.revoke(Revoked { person: person.clone(), number, signing, since, reason })
    }

    /// The public parameters, signed. Verifiers refuse them before they were made, by a clock that was wrong then: see
    /// [`Authority::rotate`].
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn parameters(&self) -> Result<Signed<ParametersStatement>> {
        let public = self.master.public();
        let statement = ParametersStatement {
            authority: self.id().clone(),
            version: Version(public.version()),
            issued_at: self.state.rotated_at.unwrap_or(self.state.setup_at),
            parameters: public.as_bytes().to_vec(),
        };
        Signed::sign(statement, &self.signing)
    }

    /// The revocation list, signed. It has a new version, issued now, if it changed since it was published last;
    /// otherwise it is the same statement as then. If that is signed for a time to come, by a clock that was wrong, it
    /// has a new version, too: no verifier takes the other one.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if the clock is wrong today, and says less seconds than there were versions.
    pub fn revocations(&mut self, now: Time) -> Result<Signed<RevocationList>> {
        let (version, issued_at) = self.state.revocations.publish(now)?;
        let revoked = self.state.revoked.clone();
        let statement = RevocationList { authority: self.id().clone(), version, issued_at, revoked };
        Signed::sign(statement, &self.signing)
    }

    /// As [`Authority::revocations`], in a new version even if nothing changed, to say that it is still
    /// so. Do it every day: verifiers believe nobody by a list that is too old for them ([`Trust::new`]).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn renew_revocations(&mut self, now: Time) -> Result<Signed<RevocationList>> {
        self.state.revocations.changed = true;
        self.revocations(now)
    }

    /// The map from ids to person numbers, signed; versions as for [`Authority::revocations`]. Everybody who was ever
    /// enrolled is in it.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn people(&mut self, now: Time) -> Result<Signed<PeopleMap>> {
        let (version, issued_at) = self.state.directory.publish(now)?;
        let people = self.state.people.iter().map(|(person, known)| (person.clone(), known.number)).collect();
        let statement = PeopleMap { authority: self.id().clone(), version, issued_at, people };
        Signed::sign(statement, &self.signing)
    }

    /// All three at once, and the parameters before those of today, if their keys are still accepted.
    ///
    /// # Errors
    ///
    /// [`Error::Expired`] if the parameters are of a time to come, by a clock that was wrong: [`Authority::rotate`] makes
    /// others. As [`Authority::revocations`].
    pub fn publish(&mut self, now: Time) -> Result<Bulletin> {
        let previous = self.state.previous.clone();
        let parameters = self.parameters()?;
        if parameters.unverified().issued_at.is_to_come(now) {
            return Err(Error::Expired("parameters statement"));
        }
        let revocations = self.revocations(now)?;
        Ok(Bulletin { parameters, revocations, people: self.people(now)?, previous })
    }

    /// What a decoded state says of earlier parameters is its own word.
    fn check_previous(&self) -> Result<()> {
        let Some(previous) = &self.state.previous else {
            return Ok(());
        };
        let statement = previous.verify(&self.signing.public())?;
        let before = statement.version.0.checked_add(1) == Some(self.master.public().version());
        if statement.authority == *self.id() && before { Ok(()) } else { Err(Error::Malformed("authority")) }
    }

    fn known(&self, person: &PersonId) -> Result<&Enrolled> {
        let known = self.state.people.get(person);
        known.ok_or_else(|| Error::Unknown(Unknown::Person { person: person.clone(), asked: vec![self.id().clone()] }))
    }

    /// Keys that are new to this authority and that can be sealed to.
    fn check_new_keys(&self, public: &PublicIdentity) -> Result<()> {
        if self.state.keys_in_use(public) {
            return Err(Error::ApiMisuse("these keys belong to somebody, or did"));
        }
        public.sealing.seal(b"", b"", b"").map(|_| ())
    }
}
