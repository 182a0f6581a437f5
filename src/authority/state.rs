//! What an authority has to remember, and its secret bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Authority;
use super::shards::Changes;
use super::statements::{MAX_LIST, ParametersStatement, Reason, Revoked};
use crate::error::{Error, Result};
use crate::id::{PersonId, Time, Version};
use crate::identity::{PublicIdentity, SealingPublic, Signed, SigningKey, SigningPublic};
use crate::kem::MasterKey;
use crate::policy::PersonNumber;
use crate::secret::Secret;
use crate::wire::{self, Reader, Writer};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    pub(super) setup_at: Time,
    /// The serial of the last credential.
    pub(super) serial: u64,
    pub(super) directory: Published,
    /// Numbered densely from 1; nobody ever leaves.
    pub(super) people: BTreeMap<PersonId, Enrolled>,
    pub(super) revocations: Published,
    /// By [`Revoked::key`].
    pub(super) revoked: Vec<Revoked>,
    /// When the parameters of today were made, if they are not the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rotated_at: Option<Time>,
    /// The parameters before those of today, as long as user keys of them are accepted. Their master key is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) previous: Option<Signed<ParametersStatement>>,
    /// What can be computed from the rest.
    #[serde(skip)]
    index: Index,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Enrolled {
    pub(super) number: PersonNumber,
    pub(super) signing: SigningPublic,
    pub(super) sealing: SealingPublic,
    /// Of the last credential for these keys, if one was issued since serials are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) serial: Option<u64>,
}

/// The version that was published last, 0 before the first, and whether the next one differs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Published {
    version: Version,
    issued_at: Time,
    pub(super) changed: bool,
}

#[derive(Debug, Default)]
struct Index {
    /// Every key in use, and every revoked one.
    keys: BTreeSet<[u8; 32]>,
    /// At least the size of the map of people in CBOR.
    directory_bytes: usize,
    changes: Changes,
}

impl State {
    pub(super) fn new(now: Time) -> Self {
        let published = Published { version: Version(0), issued_at: now, changed: true };
        Self {
            setup_at: now,
            serial: 0,
            directory: published.clone(),
            people: BTreeMap::new(),
            revocations: published,
            revoked: Vec::new(),
            rotated_at: None,
            previous: None,
            index: Index::default(),
        }
    }

    /// Gives a person who is not there yet the next number.
    pub(super) fn add(&mut self, public: &PublicIdentity) -> Result<PersonNumber> {
        let bytes = self.index.directory_bytes.saturating_add(entry_bytes(&public.id));
        if bytes > MAX_DIRECTORY {
            return Err(Error::TooLarge("people map"));
        }
        let number = u32::try_from(self.people.len()).unwrap_or(u32::MAX).saturating_add(1);
        let number = PersonNumber::new(number)?;
        self.index.directory_bytes = bytes;
        self.directory.changed = true;
        self.set_keys(public, number);
        Ok(number)
    }

    /// Gives a person who is there other keys.
    pub(super) fn replace(&mut self, public: &PublicIdentity) {
        if let Some(Enrolled { number, sealing, .. }) = self.people.get(&public.id).cloned() {
            // The signing key is on the revocation list and stays known.
            self.index.keys.remove(sealing.as_bytes());
            self.set_keys(public, number);
        }
    }

    pub(super) fn keys_in_use(&self, public: &PublicIdentity) -> bool {
        self.index.keys.contains(public.signing.as_bytes()) || self.index.keys.contains(public.sealing.as_bytes())
    }

    pub(super) fn next_serial(&self) -> Result<u64> {
        self.serial.checked_add(1).ok_or(Error::TooLarge("credential serial"))
    }

    /// What was issued since this state was kept is not known, but how often it was written until then: whose credential is
    /// the last one is forgotten, and the serials of since are passed over.
    pub(super) fn forget_serials(&mut self, written: Version) {
        self.serial = self.serial.max(written.0.saturating_mul(MOST_ISSUED));
        self.people.values_mut().for_each(|known| known.serial = None);
    }

    /// A credential of this serial was issued to a person.
    pub(super) fn note_serial(&mut self, person: &PersonId, serial: u64) {
        self.serial = serial;
        if let Some(known) = self.people.get_mut(person) {
            known.serial = Some(serial);
            self.index.changes.of(known.number);
        }
    }

    pub(super) fn changes(&self) -> &Changes {
        &self.index.changes
    }

    /// All of it lies in a store now, as of this keeping.
    pub(super) fn kept(&mut self, kept: Arc<()>) {
        self.index.changes.kept(kept);
    }

    pub(super) fn is_revoked(&self, known: &Enrolled) -> bool {
        self.revocation(known.number, known.signing).is_ok()
    }

    /// Adds an entry, or makes the one that is there harsher.
    pub(super) fn revoke(&mut self, new: Revoked) -> Result<()> {
        self.index.changes.of(new.number);
        match self.revocation(new.number, new.signing) {
            Ok(at) => {
                let Some(old) = self.revoked.get_mut(at) else { return Ok(()) };
                let since = old.since.min(new.since);
                let reason = if new.reason == Reason::Compromised { new.reason } else { old.reason };
                self.revocations.changed |= (since, reason) != (old.since, old.reason);
                (old.since, old.reason) = (since, reason);
            }
            Err(_) if self.revoked.len() == MAX_REVOKED => return Err(Error::TooLarge("revocation list")),
            Err(at) => {
                self.revoked.insert(at, new);
                self.revocations.changed = true;
            }
        }
        Ok(())
    }

    fn revocation(&self, number: PersonNumber, signing: SigningPublic) -> Result<usize, usize> {
        self.revoked.binary_search_by_key(&(number, signing), Revoked::key)
    }

    fn set_keys(&mut self, public: &PublicIdentity, number: PersonNumber) {
        let PublicIdentity { id, signing, sealing } = public;
        self.index.changes.of(number);
        self.index.keys.extend([*signing.as_bytes(), *sealing.as_bytes()]);
        self.people.insert(id.clone(), Enrolled { number, signing: *signing, sealing: *sealing, serial: None });
    }

    /// Checks what no encoding can, and fills the index.
    fn check(mut self) -> Result<Self> {
        let mut numbers: Vec<u32> = self.people.values().map(|known| known.number.get()).collect();
        numbers.sort_unstable();
        let dense = numbers.iter().zip(1..).all(|(number, expected)| *number == expected);
        let ordered = self.revoked.is_sorted_by(|one, two| one.key() < two.key());
        let known = self
            .revoked
            .iter()
            .all(|revoked| self.people.get(&revoked.person).is_some_and(|known| known.number == revoked.number));
        if !dense || !ordered || !known || self.revoked.len() > MAX_REVOKED {
            return Err(Error::Malformed(WHAT));
        }
        for (person, known) in &self.people {
            self.index.directory_bytes = self.index.directory_bytes.saturating_add(entry_bytes(person));
            self.index.keys.extend([*known.signing.as_bytes(), *known.sealing.as_bytes()]);
        }
        self.index.keys.extend(self.revoked.iter().map(|revoked| *revoked.signing.as_bytes()));
        if self.index.directory_bytes > MAX_DIRECTORY { Err(Error::Malformed(WHAT)) } else { Ok(self) }
    }
}

impl Enrolled {
    pub(super) fn holds(&self, public: &PublicIdentity) -> bool {
        (self.signing, self.sealing) == (public.signing, public.sealing)
    }
}

impl Published {
    /// The version to publish and its time. Times do not go back, but for one that a wrong clock made: no verifier takes
    /// that over before it comes, so the next version, of now, is said in its place.
    pub(super) fn publish(&mut self, now: Time) -> Result<(Version, Time)> {
        let wrong = self.issued_at.is_to_come(now);
        if self.changed || wrong {
            let version = self.version.0.checked_add(1).ok_or(Error::TooLarge("version"))?;
            let issued_at = if wrong { now } else { self.issued_at.max(now) };
            let version = Version(version);
            if !version.is_of(issued_at) {
                return Err(Error::TooLarge("version"));
            }
            *self = Self { version, issued_at, changed: false };
        }
        Ok((self.version, self.issued_at))
    }
}

impl Authority {
    /// The canonical bytes, to be kept where keys are kept: `"csa" ‖ 1 ‖ u16 length ‖ master key ‖ signing seed (32) ‖
    /// canonical CBOR of the people, the revocations and the versions`.
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn to_secret_bytes(&self) -> Result<Secret<Vec<u8>>> {
        self.with_state(&self.state)
    }

    /// The same bytes, with nobody in them.
    pub(super) fn core(&self) -> Result<Secret<Vec<u8>>> {
        let State { setup_at, serial, ref directory, ref revocations, rotated_at, ref previous, .. } = self.state;
        let (directory, revocations, previous) = (directory.clone(), revocations.clone(), previous.clone());
        self.with_state(&State {
            setup_at,
            serial,
            directory,
            revocations,
            rotated_at,
            previous,
            ..State::new(setup_at)
        })
    }

    fn with_state(&self, state: &State) -> Result<Secret<Vec<u8>>> {
        let state = wire::to_cbor(state, WHAT)?;
        let master = self.master.to_secret_bytes();
        let master = master.expose();
        // Reserved at once, so that no growth leaves a copy behind.
        let mut w = Writer::with_capacity(4 + 2 + master.len() + 32 + state.len(), MAGIC);
        // A master key has less than 1 KiB.
        w.u16(u16::try_from(master.len()).unwrap_or(u16::MAX)).bytes(master);
        w.bytes(self.signing.expose()).bytes(&state);
        Ok(Secret::new(w.finish()))
    }

    /// Reads an authority strictly.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`], [`Error::UnknownVersion`] or [`Error::TooLarge`] for bytes in another form,
    /// [`Error::Untrusted`] if the master key fails its checks.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        Self::assemble(bytes, Ok)
    }

    /// As [`Authority::decode`], of bytes that the rest of the state is added to.
    pub(super) fn assemble(bytes: &[u8], rest: impl FnOnce(State) -> Result<State>) -> Result<Self> {
        let mut r = Reader::new(bytes, WHAT);
        r.magic(MAGIC)?;
        let master = usize::from(r.u16()?);
        let master = MasterKey::decode(r.take(master)?)?;
        let signing = SigningKey::from_seed(r.array()?);
        let state = rest(wire::from_cbor(r.rest(), MAX_STATE, WHAT)?)?;
        let authority = Self { master, signing, state: state.check()? };
        authority.check_previous()?;
        Ok(authority)
    }
}

/// The size of a person's entry in the map of people, at most.
fn entry_bytes(person: &PersonId) -> usize {
    2 + person.as_str().len() + 5
}

/// More credentials than an authority issues in one change.
const MOST_ISSUED: u64 = 1 << 24;
/// Leaves room for the rest of the statement.
const MAX_DIRECTORY: usize = MAX_LIST - 1024;
/// An entry has at most 230 bytes in CBOR, so that the whole list has less than [`MAX_LIST`].
const MAX_REVOKED: usize = 1 << 18;
/// About three million people with ids of ordinary length.
pub(super) const MAX_STATE: usize = 1 << 30;

pub(super) const WHAT: &str = "authority";
const MAGIC: &[u8; 4] = b"csa\x01";

#[cfg(test)]
mod tests {
    use super::*;

    fn state(people: &[(&str, u32)], revoked: &[(&str, u32, u8)]) -> Result<State> {
        let mut state = State::new(Time::MIN);
        for (id, number) in people {
            let number = PersonNumber::new(*number)?;
            let enrolled = Enrolled { number, signing: [1; 32].into(), sealing: [2; 32].into(), serial: None };
            state.people.insert(id.parse()?, enrolled);
        }
        for (id, number, key) in revoked {
            let (person, number) = (id.parse()?, PersonNumber::new(*number)?);
            let signing = [*key; 32].into();
            state.revoked.push(Revoked { person, number, signing, since: Time::MIN, reason: Reason::Ended });
        }
        state.check()
    }

    #[test]
    fn a_state_that_no_authority_reaches_is_malformed() {
        let two: &[_] = &[("ada", 2), ("bob", 1)];
        assert!(state(two, &[("bob", 1, 3), ("bob", 1, 4), ("ada", 2, 0)]).is_ok());
        for gap in [&[("ada", 2)][..], &[("ada", 0)], &[("ada", 1), ("bob", 1)], &[("ada", 1), ("bob", 3)]] {
            assert_eq!(state(gap, &[]).unwrap_err(), Error::Malformed(WHAT));
        }
        for revoked in [
            &[("eve", 3, 0)][..],
            &[("ada", 1, 0)],
            &[("bob", 1, 4), ("bob", 1, 3)],
            &[("ada", 2, 0), ("bob", 1, 0)],
            &[("bob", 1, 3), ("bob", 1, 3)],
        ] {
            assert_eq!(state(two, revoked).unwrap_err(), Error::Malformed(WHAT));
        }
    }

    #[test]
    fn the_largest_lists_stay_within_what_is_decoded() {
        let entry = Revoked {
            person: "x".repeat(crate::id::MAX_ID).parse().unwrap(),
            number: PersonNumber::new(PersonNumber::MAX).unwrap(),
            signing: [0; 32].into(),
            since: Time::MAX,
            reason: Reason::Compromised,
        };
        assert!(wire::to_cbor(&entry, WHAT).unwrap().len() * MAX_REVOKED + 1024 <= MAX_LIST);
        let pair = BTreeMap::from([(entry.person.clone(), entry.number)]);
        assert!(wire::to_cbor(&pair, WHAT).unwrap().len() <= 1 + entry_bytes(&entry.person));
    }
}
