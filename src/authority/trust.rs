//! What a verifier believes, and why.

mod held;
mod verified;

use std::collections::BTreeMap;
use std::time::Duration;

use super::credential::{Credential, CredentialStatement};
use super::statements::{Anchor, Bulletin, ParametersStatement, PeopleMap, Reason, RevocationList};
use crate::error::{Error, Result, Unknown};
use crate::id::{AuthorityId, PersonId, Time};
use crate::identity::{Signed, SigningPublic};
use crate::kem::PublicParameters;
use crate::pin::Pins;
use crate::policy::{Attributes, Month, PersonNumber};
use held::{Held, Lists, People, Revocations, Versioned};
pub use verified::VerifiedCredential;

/// How old a revocation list may be, unless the host has a reason for another limit: a week. An authority renews it every
/// day.
pub const REVOCATION_LIMIT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What a verifier holds: an anchor for each authority, and the latest of what it published.
///
/// It lives in memory: after a start, add the anchors, retire those that were retired, and feed it what was published
/// last; of a retired authority, the last lists that were taken over. The [`Pins`] is what must survive, so that nobody
/// can feed it something older, or, for a retired authority, something else.
#[derive(Debug, Clone)]
pub struct Trust {
    limit: Duration,
    authorities: BTreeMap<AuthorityId, Known>,
    // INVARIANT: none of them is among `authorities`.
    retired: BTreeMap<AuthorityId, Retired>,
}

/// What is left of an authority whose anchor was retired.
#[derive(Debug, Clone)]
struct Retired {
    key: SigningPublic,
    lists: Lists,
}

#[derive(Debug, Clone)]
struct Known {
    key: SigningPublic,
    parameters: Option<Held<PublicParameters>>,
    previous: Option<Held<PublicParameters>>,
    lists: Lists,
}

/// Whether a person is still trusted today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// She is.
    Good,
    /// She is not, since a time after the one that was asked about. Only her word, or a receipt of somebody else, says
    /// that what she signed is older.
    RevokedSince(Time),
}

/// A credential that its authority signed, whether it counts at any time or not.
pub(crate) struct Vouched<'a> {
    pub(crate) said: &'a CredentialStatement,
    pub(crate) attributes: Attributes,
    /// Since when its key is revoked, and why.
    pub(crate) revoked: Option<(Time, Reason)>,
    /// Whether the map of people at hand gives the number to somebody else, or the person another one.
    pub(crate) contradicted: bool,
    pub(crate) backing: Backing,
}

/// What stands behind a credential today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backing {
    /// An anchor, and a revocation list of its authority.
    Whole,
    /// An anchor; who was revoked is not known.
    NoList,
    /// An anchor, and a revocation list that is too old, or of a time to come.
    OldList,
    /// An anchor that was retired.
    Retired,
}

impl Trust {
    /// Trusts nobody. Of those to come, nobody is believed by a revocation list that is older than `limit` today, such as
    /// [`REVOCATION_LIMIT`]: whoever withholds the lists gains so much time, and no more.
    pub fn new(limit: Duration) -> Self {
        Self { limit, authorities: BTreeMap::new(), retired: BTreeMap::new() }
    }

    /// Trusts an authority.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if it is trusted already under another key, or was retired.
    pub fn add(&mut self, anchor: Anchor) -> Result<()> {
        let Anchor { authority, key } = anchor;
        if self.retired.contains_key(&authority) {
            return Err(Error::ApiMisuse("the anchor of this authority was retired"));
        }
        let new = Known { key, parameters: None, previous: None, lists: Lists::default() };
        if self.authorities.entry(authority).or_insert(new).key == key {
            Ok(())
        } else {
            Err(Error::ApiMisuse("this authority has another anchor already"))
        }
    }

    /// Trusts an authority no more, and keeps its key to verify what was signed before: an agency that closed, or one
    /// whose key was stolen. The revocation list and the map of people at hand stay, too. If they are not at hand, since
    /// this is a new trust after a start, feed it those that were taken over last ([`Trust::update_revocations`],
    /// [`Trust::update_people`]): the pins know them by their hashes. So keep the bytes. Without them, nothing is known
    /// of keys that were stolen before.
    ///
    /// Its credentials are refused from now on, nothing is sealed under its parameters, and nothing that it publishes
    /// from now on is taken over. What its people wrote stays readable with a verdict of its own,
    /// [`Verdict::AnchorRetired`](crate::record::Verdict::AnchorRetired): whoever has the stolen key can write in their
    /// names, and with any date.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if it is trusted, or was retired, under another key.
    pub fn retire(&mut self, anchor: Anchor) -> Result<()> {
        const OTHER: Error = Error::ApiMisuse("this authority has another anchor");
        let Anchor { authority, key } = anchor;
        if self.authorities.get(&authority).is_some_and(|known| known.key != key) {
            return Err(OTHER);
        }
        let lists = self.authorities.remove(&authority).map(|known| known.lists).unwrap_or_default();
        let retired = self.retired.entry(authority).or_insert(Retired { key, lists });
        if retired.key == key { Ok(()) } else { Err(OTHER) }
    }

    /// Takes over everything that an authority published.
    ///
    /// # Errors
    ///
    /// Those of the three methods that follow. What came before the one that was refused has been taken over.
    ///
    /// # Security
    ///
    /// A bulletin is a bundle of signed statements, and no statement itself: whoever serves it can leave out the previous
    /// parameters, or bring them back in an old one until the parameters change again. With them come user keys of before,
    /// and nothing is sealed under them.
    pub fn update(&mut self, bulletin: &Bulletin, pins: &mut dyn Pins, now: Time) -> Result<()> {
        let previous = bulletin.previous.as_ref().map(|previous| self.previous(previous, bulletin, now)).transpose()?;
        self.update_parameters(&bulletin.parameters, pins, now)?;
        let authority = &bulletin.parameters.unverified().authority;
        if let Some(known) = self.authorities.get_mut(authority) {
            match previous {
                Some(held) => _ = held.replace(&mut known.previous, PREVIOUS, authority, pins)?,
                None => known.previous = None,
            }
        }
        self.update_revocations(&bulletin.revocations, pins, now)?;
        self.update_people(&bulletin.people, pins, now)
    }

    /// Takes over public parameters.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] without an anchor, [`Error::Forged`] if it did not sign, [`Error::Rollback`] and
    /// [`Error::Fork`] if the pins or this trust saw a later or another one; [`Error::Malformed`],
    /// [`Error::UnknownVersion`] or [`Error::Untrusted`] if the parameters are none, or those of another authority or
    /// version than the statement says. [`Error::Malformed`] also for a version that is higher than its time has seconds.
    /// [`Error::Expired`] if it is signed for a time to come: nothing of it is remembered, or one slip of a clock would
    /// close the authority until then.
    pub fn update_parameters(
        &mut self,
        signed: &Signed<ParametersStatement>,
        pins: &mut dyn Pins,
        now: Time,
    ) -> Result<PublicParameters> {
        let (known, statement) = self.verify(signed, |statement| &statement.authority, now)?;
        let held = Held::parameters(signed, statement)?;
        if known.parameters.as_ref().is_some_and(|before| before.version < held.version) {
            known.previous = None;
        }
        held.replace(&mut known.parameters, PARAMETERS, &statement.authority, pins).cloned()
    }

    /// The parameters before those of a bulletin: of the version before, and those that were held if that version was.
    fn previous(
        &mut self,
        signed: &Signed<ParametersStatement>,
        bulletin: &Bulletin,
        now: Time,
    ) -> Result<Held<PublicParameters>> {
        let (known, statement) = self.verify(signed, |statement| &statement.authority, now)?;
        let held = Held::parameters(signed, statement)?;
        let current = bulletin.parameters.unverified();
        if statement.authority != current.authority || statement.version.0.checked_add(1) != Some(current.version.0) {
            return Err(Error::Untrusted(PREVIOUS));
        }
        match &known.parameters {
            Some(before) if before.version == held.version && before.hash != held.hash => Err(Error::Fork(PREVIOUS)),
            _ => Ok(held),
        }
    }

    /// Takes over a revocation list; of an authority that was [retired](Trust::retire), the one that the pins remember.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`], [`Error::Forged`], [`Error::Rollback`], [`Error::Fork`] and [`Error::Expired`] as above.
    /// [`Error::Malformed`] if its entries are not in order, [`Error::Untrusted`] if it takes back what the list before it
    /// said.
    pub fn update_revocations(
        &mut self,
        signed: &Signed<RevocationList>,
        pins: &mut dyn Pins,
        now: Time,
    ) -> Result<()> {
        let (lists, statement) = self.verify_list(signed, |statement| &statement.authority, pins, now)?;
        let mut value = Revocations::new();
        for revoked in &statement.revoked {
            let at = revoked.key();
            if value.last_key_value().is_some_and(|(last, _)| *last >= at) {
                return Err(Error::Malformed(REVOCATIONS));
            }
            value.insert(at, revoked.clone());
        }
        if let Some(before) = &lists.revocations
            && before.version < statement.version
            && !before.value.iter().all(|(at, revoked)| value.get(at).is_some_and(|now| revoked.is_kept_by(now)))
        {
            return Err(Error::Untrusted(REVOCATIONS));
        }
        let held = Held { version: statement.version, hash: signed.hash()?, issued_at: statement.issued_at, value };
        held.replace(&mut lists.revocations, REVOCATIONS, &statement.authority, pins).map(|_| ())
    }

    /// Takes over a map of people; of an authority that was [retired](Trust::retire), the one that the pins remember.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`], [`Error::Forged`], [`Error::Rollback`], [`Error::Fork`] and [`Error::Expired`] as above.
    /// [`Error::Untrusted`] if somebody has another number than in the map before it, or none, or a number went to somebody
    /// else: numbers are for life.
    pub fn update_people(&mut self, signed: &Signed<PeopleMap>, pins: &mut dyn Pins, now: Time) -> Result<()> {
        let (lists, statement) = self.verify_list(signed, |statement| &statement.authority, pins, now)?;
        let value = People::of(&statement.people)?;
        if let Some(before) = &lists.people
            && before.version < statement.version
            && !value.keeps(&before.value)
        {
            return Err(Error::Untrusted(PEOPLE));
        }
        let held = Held { version: statement.version, hash: signed.hash()?, issued_at: statement.issued_at, value };
        held.replace(&mut lists.people, PEOPLE, &statement.authority, pins).map(|_| ())
    }

    /// Believes a credential now.
    ///
    /// Success does not prove that whoever shows it is the person: that takes a signature by
    /// [`VerifiedCredential::signing`].
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] without an anchor or a revocation list of its authority, [`Error::Forged`] if it did not sign,
    /// [`Error::Malformed`] if what it says contradicts itself, [`Error::Untrusted`] if it contradicts the map of people
    /// at hand: the number is somebody else's there, or the person has another; [`Error::Expired`] outside its validity,
    /// and with `"revocation list"` if the list at hand is too old to believe anybody by ([`Trust::new`]), or from the
    /// future; [`Error::Revoked`] if its key is revoked by now, or was compromised.
    pub fn credential(&self, credential: &Credential, now: Time) -> Result<VerifiedCredential> {
        self.credential_at(credential, now, now)
    }

    /// As [`Trust::credential`], for what was signed under it at the time `at`: the credential has to have been valid and
    /// not revoked then. By a list of today, all the same: whatever was signed long ago, a key that was stolen since
    /// counts no more.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn credential_at(&self, credential: &Credential, at: Time, now: Time) -> Result<VerifiedCredential> {
        let Vouched { said: statement, attributes, revoked, contradicted, backing } = self.vouched(credential, now)?;
        if backing == Backing::Retired {
            return Err(unknown(&statement.authority));
        }
        if at < statement.not_before || at > statement.not_after {
            return Err(Error::Expired(CREDENTIAL));
        }
        if contradicted {
            return Err(Error::Untrusted(PEOPLE));
        }
        match backing {
            Backing::NoList => {
                return Err(Error::Unknown(Unknown::RevocationList(statement.authority.clone())));
            }
            Backing::OldList => return Err(Error::Expired(REVOCATIONS)),
            Backing::Whole | Backing::Retired => {}
        }
        let standing = match revoked {
            None => Standing::Good,
            Some((since, reason)) if since > at && reason != Reason::Compromised => Standing::RevokedSince(since),
            Some(_) => return Err(Error::Revoked("this person")),
        };
        Ok(VerifiedCredential { credential: credential.clone(), attributes, standing })
    }

    /// What a credential says, if its authority signed it, whatever there is to be said of it today: for what was stolen.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] without an anchor, [`Error::Forged`] if it did not sign.
    pub(crate) fn authentic<'a>(&self, credential: &'a Credential) -> Result<&'a CredentialStatement> {
        let authority = &credential.unverified().authority;
        let key = self.authorities.get(authority).map(|known| &known.key);
        let key = key.or_else(|| self.retired.get(authority).map(|retired| &retired.key));
        credential.verify(key.ok_or_else(|| unknown(authority))?)
    }

    /// What a credential says, if its authority signed it: whether it is over or revoked or not, and whether the
    /// authority's anchor was retired or not. For what was written before.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] without an anchor, [`Error::Forged`] if it did not sign, [`Error::Malformed`] if what it says
    /// contradicts itself.
    pub(crate) fn vouched<'a>(&self, credential: &'a Credential, now: Time) -> Result<Vouched<'a>> {
        let said = self.authentic(credential)?;
        let authority = &said.authority;
        let (lists, backing) = match (self.authorities.get(authority), self.retired.get(authority)) {
            (Some(known), _) => {
                let backing = known.lists.revocations.as_ref().map_or(Backing::NoList, |held| {
                    let old = now.since(held.issued_at) > self.limit || held.issued_at.is_to_come(now);
                    if old { Backing::OldList } else { Backing::Whole }
                });
                (Some(&known.lists), backing)
            }
            (None, retired) => (retired.map(|retired| &retired.lists), Backing::Retired),
        };
        let attributes: Attributes = said.attributes.parse().map_err(|_| Error::Malformed(CREDENTIAL))?;
        let consistent = attributes.to_string() == said.attributes
            && attributes.person() == Some(said.number)
            && attributes.valid_until().is_some_and(|month| Month::at(said.not_after) == Ok(month));
        if !consistent {
            return Err(Error::Malformed(CREDENTIAL));
        }
        let revocations = lists.and_then(|lists| lists.revocations.as_ref());
        let revoked = revocations.and_then(|held| held.value.get(&(said.number, said.signing)));
        let revoked = revoked.map(|revoked| (revoked.since, revoked.reason));
        let people = lists.and_then(|lists| lists.people.as_ref());
        let contradicted = people.is_some_and(|people| people.value.contradicts(&said.person, said.number));
        Ok(Vouched { said, attributes, revoked, contradicted, backing })
    }

    /// The number of a person by name, for [`Policy::parse_with`](crate::policy::Policy::parse_with). Without a map of
    /// people of this authority, nobody has one.
    pub fn resolve(&self, authority: &AuthorityId) -> impl Fn(&str) -> Option<PersonNumber> {
        let people =
            self.authorities.get(authority).and_then(|known| known.lists.people.as_ref()).map(|held| &held.value);
        move |name| people?.numbers.get(&PersonId::new(name).ok()?).copied()
    }

    /// The authorities that are trusted, in order.
    pub(crate) fn authorities(&self) -> impl Iterator<Item = &AuthorityId> {
        self.authorities.keys()
    }

    /// Whether any authority that is trusted knows this name.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`], with all who were asked, if none does.
    pub(crate) fn check_person(&self, person: &PersonId) -> Result<()> {
        let mut maps = self.authorities.values().filter_map(|known| known.lists.people.as_ref());
        if maps.any(|people| people.value.numbers.contains_key(person)) {
            return Ok(());
        }
        Err(Error::Unknown(Unknown::Person { person: person.clone(), asked: self.authorities().cloned().collect() }))
    }

    /// Whether the map of people of this authority, retired or not, gives a number to somebody else than this person.
    pub(crate) fn is_anothers(&self, authority: &AuthorityId, number: PersonNumber, person: &PersonId) -> bool {
        let lists = self.authorities.get(authority).map(|known| &known.lists);
        let lists = lists.or_else(|| self.retired.get(authority).map(|retired| &retired.lists));
        let people = lists.and_then(|lists| lists.people.as_ref());
        people.is_some_and(|people| people.value.persons.get(&number).is_some_and(|known| known != person))
    }

    /// The latest parameters of an authority.
    pub fn parameters(&self, authority: &AuthorityId) -> Option<&PublicParameters> {
        self.authorities.get(authority)?.parameters.as_ref().map(|held| &held.value)
    }

    /// The latest parameters of an authority, to go on with.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`].
    pub(crate) fn known_parameters(&self, authority: &AuthorityId) -> Result<&PublicParameters> {
        let known = self.parameters(authority);
        known.ok_or_else(|| Error::Unknown(Unknown::PublicParameters(authority.clone())))
    }

    /// The parameters of an authority before its latest, as long as it publishes them: user keys of them are accepted, and
    /// nothing is sealed under them.
    pub fn previous_parameters(&self, authority: &AuthorityId) -> Option<&PublicParameters> {
        self.authorities.get(authority)?.previous.as_ref().map(|held| &held.value)
    }

    /// When the revocation list at hand was published: it is time for the next one before it is too old ([`Trust::new`]).
    pub fn revocations_issued_at(&self, authority: &AuthorityId) -> Option<Time> {
        self.authorities.get(authority)?.lists.revocations.as_ref().map(|held| held.issued_at)
    }

    /// What was signed by now, and the authority that signed it.
    fn verify<'a, T: Versioned>(
        &mut self,
        signed: &'a Signed<T>,
        authority: impl Fn(&T) -> &AuthorityId,
        now: Time,
    ) -> Result<(&mut Known, &'a T)> {
        let id = authority(signed.unverified());
        let known = self.authorities.get_mut(id).ok_or_else(|| unknown(id))?;
        let statement = said(signed, &known.key, now)?;
        Ok((known, statement))
    }

    /// As `verify`, with what is known of the authority's people. Whoever has the stolen key of a retired one can sign
    /// lists, so that of these only the one counts that was taken over before.
    fn verify_list<'a, T: Versioned>(
        &mut self,
        signed: &'a Signed<T>,
        authority: impl Fn(&T) -> &AuthorityId,
        pins: &dyn Pins,
        now: Time,
    ) -> Result<(&mut Lists, &'a T)> {
        let id = authority(signed.unverified());
        let Self { authorities, retired, .. } = self;
        if let Some(known) = authorities.get_mut(id) {
            let statement = said(signed, &known.key, now)?;
            return Ok((&mut known.lists, statement));
        }
        let retired = retired.get_mut(id).ok_or_else(|| unknown(id))?;
        let statement = said(signed, &retired.key, now)?;
        let remembered = pins.seen(T::WHAT, id.as_str())? == Some((statement.version().0, signed.hash()?));
        if remembered { Ok((&mut retired.lists, statement)) } else { Err(unknown(id)) }
    }
}

fn unknown(authority: &AuthorityId) -> Error {
    Error::Unknown(Unknown::Authority(authority.clone()))
}

/// What this key signed, by now.
fn said<'a, T: Versioned>(signed: &'a Signed<T>, key: &SigningPublic, now: Time) -> Result<&'a T> {
    let statement = signed.verify(key)?;
    let (version, issued_at) = statement.version();
    if !version.is_of(issued_at) {
        return Err(Error::Malformed(T::WHAT));
    }
    // Its version counts the seconds of that time: taken over, it would outrank all that is signed until then.
    if issued_at.is_to_come(now) { Err(Error::Expired(T::WHAT)) } else { Ok(statement) }
}

const PARAMETERS: &str = "public parameters";
const PREVIOUS: &str = "previous public parameters";
const REVOCATIONS: &str = "revocation list";
const PEOPLE: &str = "people map";
const CREDENTIAL: &str = "credential";
