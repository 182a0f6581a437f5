//! Opening what a server has of the consents to a compartment, by a reader who remembers what he has seen.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::access::{Access, Use};
use super::devices::Devices;
use super::head::WHAT as HEAD;
use super::mandate::MandateStatement;
use super::statement::ConsentStatement;
use super::stored::StoredConsent;
use super::verify::{LiveConsent, WHAT, pin_name};
use crate::error::{Error, Result};
use crate::id::{CompartmentId, Hash, OwnerId, Time, Version};
use crate::identity::SigningPublic;
use crate::pin::{PinStore, Pins};

/// The consents to a compartment that somebody opened: the one that holds, and the keys of earlier ones.
///
/// # Example
///
/// ```no_run
/// # use chartseal::{Error, consent::{Devices, StoredConsent}, id::{CompartmentId, Time}, kem::UserKey, pin::Pins};
/// # use chartseal::record::{Reader, SealedRecord, View};
/// # fn example(devices: &Devices, section: &CompartmentId, stored: &[StoredConsent], key: &UserKey, pins: &mut dyn Pins,
/// #     reader: &Reader, record: &SealedRecord, now: Time) -> Result<View, Error> {
/// let opened = devices.open_consents(section, stored, pins, now, |live, pins| live.open(key, pins))?;
/// for refused in &opened.refused {
///     println!("version {} is not gone by: {}", refused.version.0, refused.why);
/// }
/// // Records are sealed to `opened.newest`; what a rotation has not moved yet opens, too.
/// reader.remembering(pins).open(record, &opened.accesses())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct OpenedConsents {
    /// The newest that opened: it says who may write, and new records are sealed to it.
    pub newest: Access,
    /// Accesses to other keys, of consents that this one replaced, the latest first. They open what still lies under
    /// these keys, and are good for nothing else.
    pub earlier: Vec<Access>,
    /// Those that are later than `newest` and were not opened, the latest first: somebody should be told.
    pub refused: Vec<RefusedConsent>,
}

/// A consent that was not gone by, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedConsent {
    /// Its version, by its own account.
    pub version: Version,
    /// Its hash.
    pub hash: Hash,
    /// [`Error::CannotOpen`] for one that lets this reader in no more, or never did; [`Error::Forged`] or
    /// [`Error::NotAllowed`] for one whose signer cheats: tell the patient; what [`StoredConsent::verify`] says
    /// otherwise.
    pub why: Error,
}

/// Most consents of before that [`Devices::open_consents`] opens for their keys, of each of four kinds: those of the
/// owner's that the newest goes on from, whoever has the device by now; others of present devices; a custodian's; and
/// those of devices that were removed; of each, half of them the latest and half the earliest that there are. Records lie
/// under one or two earlier keys as long as rotations are finished before the next.
pub const MAX_EARLIER: usize = 64;

/// Most refused consents of one mandate that [`Devices::open_consents`] looks at before it passes over all others of that
/// mandate, but for the one that the reader remembers: a custodian who cheats makes nobody slow, and shuts nobody out who
/// opened the one before.
pub const MAX_REFUSED: usize = 64;

/// What kind of consent an earlier one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// The owner's own, which her later word goes on from.
    InLine,
    /// A present device's.
    Device,
    Custodian,
    /// Of a device that was removed, or under its mandate.
    Removed,
}

impl OpenedConsents {
    /// All accesses, the newest first, as a [`Reader`](crate::record::Reader) takes them.
    pub fn accesses(&self) -> Vec<&Access> {
        std::iter::once(&self.newest).chain(&self.earlier).collect()
    }
}

impl Devices {
    /// Opens the newest of these consents that holds by what `pins` remember and that `open` opens, and has it
    /// remembered; then the earlier ones that have other keys, at most [`MAX_EARLIER`] of a kind. While a rotation is under
    /// way, records lie under both.
    ///
    /// If the newest is refused, the one before takes its place, unless a later one was remembered; what was passed over
    /// stands in [`OpenedConsents::refused`], at most [`MAX_REFUSED`] of one mandate. That is how a reader goes on whom a
    /// custodian shut out by a consent that nobody can open; and it is all that somebody sees who was left out: what is
    /// written from then on lies under a key that he does not have.
    ///
    /// `open` is asked once for each: [`LiveConsent::open`] or one of its sisters, with the memory that it is given.
    ///
    /// # Errors
    ///
    /// If none opens: why the latest did not. [`Error::CannotOpen`] if there is none.
    pub fn open_consents(
        &self,
        compartment: &CompartmentId,
        consents: &[StoredConsent],
        pins: &mut dyn Pins,
        now: Time,
        open: impl Fn(&LiveConsent, &mut dyn Pins) -> Result<Access>,
    ) -> Result<OpenedConsents> {
        let mut ordered: Vec<&StoredConsent> = consents.iter().collect();
        ordered.sort_by_key(|stored| Reverse(stored.place()));
        let mut refused = Vec::new();
        let mut mandates = BTreeMap::<Hash, usize>::new();
        let remembered = remembered(self.owner(), compartment, pins)?;
        let mut rest = ordered.into_iter();
        let newest = loop {
            let Some(stored) = rest.next() else {
                let first = refused.into_iter().next();
                return Err(first.map_or(Error::CannotOpen, |refused: RefusedConsent| refused.why));
            };
            if let Some(mandate) = stored.consent().unverified().mandate {
                let tries = mandates.entry(mandate).or_default();
                *tries += 1;
                if *tries > MAX_REFUSED && !remembered.contains(&stored.consent().hash()?) {
                    continue;
                }
            }
            let opened = stored.verify(self, compartment, pins, now).and_then(|live| open(&live, pins));
            match opened {
                Ok(access) => break access,
                // Without the memory, nothing is gone by.
                Err(Error::Store(error)) => return Err(Error::Store(error)),
                Err(why) => {
                    let version = stored.consent().unverified().version;
                    refused.push(RefusedConsent { version, hash: stored.consent().hash()?, why });
                }
            }
        };
        let earlier = self.earlier_keys(&newest, rest.collect(), now, open)?;
        Ok(OpenedConsents { newest, earlier, refused })
    }

    /// The keys of those that the newest replaced. A bounded number of each kind is opened: whoever signs many with a
    /// stolen phone, or under a mandate, makes nobody slow, and pushes out what is of his own kind. What the phone signed
    /// before it was stolen is of another, as far as the owner went on from it; and what was there before he began is at the
    /// other end, if she goes on from his.
    fn earlier_keys(
        &self,
        newest: &Access,
        replaced: Vec<&StoredConsent>,
        now: Time,
        open: impl Fn(&LiveConsent, &mut dyn Pins) -> Result<Access>,
    ) -> Result<Vec<Access>> {
        let line = line(newest, &replaced)?;
        let mut kinds = BTreeMap::<Kind, VecDeque<&StoredConsent>>::new();
        for stored in replaced {
            let in_line = line.contains(&stored.consent().hash()?);
            let kind = if in_line { Kind::InLine } else { self.kind(stored.consent().unverified()) };
            kinds.entry(kind).or_default().push_back(stored);
        }
        let (mut earlier, mut keys) = (Vec::new(), BTreeSet::from([newest.key_id()]));
        for of_kind in kinds.into_values() {
            let mut tries = 0;
            for stored in from_both_ends(of_kind) {
                if keys.contains(&stored.consent().unverified().key_id()) {
                    continue;
                }
                let Ok(live) = stored.verify_earlier(self, newest.compartment(), now) else { continue };
                tries += 1;
                // Whom one that is over never let in cannot open it, and needs not.
                if let Ok(access) = open(&live, &mut PinStore::default()) {
                    keys.insert(access.key_id());
                    earlier.push(access);
                }
                if tries == MAX_EARLIER {
                    break;
                }
            }
        }
        earlier.sort_by_key(|access| Reverse(access.place()));
        Ok(earlier)
    }

    /// By its own account, for one that nobody went on from.
    fn kind(&self, statement: &ConsentStatement) -> Kind {
        match (self.get(&statement.device), statement.mandate) {
            (Some(_), None) => Kind::Device,
            (Some(_), Some(_)) => Kind::Custodian,
            (None, _) => Kind::Removed,
        }
    }

    /// The key that a device signs by, or signed by before it was removed.
    fn signed_by(&self, statement: &ConsentStatement) -> Result<SigningPublic> {
        let listed = self.get(&statement.device).map(|device| device.signing);
        let mut removed = self.removed().iter().filter(|device| device.id == statement.device);
        listed.or_else(|| removed.next().map(|device| device.signing)).ok_or(Error::Forged(WHAT))
    }
}

/// The first, the last, the second, the last but one: between them lies what somebody has many of.
fn from_both_ends<T>(mut list: VecDeque<T>) -> impl Iterator<Item = T> {
    let mut at_front = false;
    std::iter::from_fn(move || {
        at_front = !at_front;
        if at_front { list.pop_front() } else { list.pop_back() }
    })
}

/// The consents that were opened last, or that a head named.
fn remembered(owner: &OwnerId, compartment: &CompartmentId, pins: &dyn Pins) -> Result<Vec<Hash>> {
    let name = pin_name(owner, compartment);
    let seen = [pins.seen(WHAT, &name)?, pins.seen(HEAD, &name)?];
    Ok(seen.into_iter().flatten().map(|(_, hash)| hash).collect())
}

/// The consents that the newest goes on from, by their hashes: each of the owner's names the one before it. Of what a
/// custodian signed counts what his mandate was given for, which is the owner's word, and not what he says.
fn line(newest: &Access, replaced: &[&StoredConsent]) -> Result<BTreeSet<Hash>> {
    let mut known = BTreeMap::new();
    for stored in replaced {
        known.insert(stored.consent().hash()?, *stored);
    }
    let mut line = BTreeSet::new();
    let mut next = newest.base.map_or(newest.statement.previous, |base| Some(base.hash));
    while let Some((hash, stored)) = next.and_then(|hash| known.remove_entry(&hash)) {
        let statement = stored.consent().unverified();
        next = match stored.mandate() {
            Some(mandate) if statement.mandate == Some(mandate.hash()?) => Some(mandate.unverified().hash),
            _ => statement.previous.filter(|_| statement.mandate.is_none()),
        };
        line.insert(hash);
    }
    Ok(line)
}

impl StoredConsent {
    /// As [`StoredConsent::verify`], for one that a later one replaced, whose key is wanted and not its word: whether it
    /// has ended, or its device was removed since, is of no account. Whoever had the device, or the mandate, may have
    /// signed it.
    fn verify_earlier(&self, devices: &Devices, compartment: &CompartmentId, now: Time) -> Result<LiveConsent> {
        let claimed = self.consent().unverified();
        if claimed.owner != *devices.owner() || claimed.compartment != *compartment {
            return Err(Error::Forged(WHAT));
        }
        let device = devices.signed_by(claimed)?;
        let signing = match self.mandate() {
            None if claimed.mandate.is_none() => device,
            Some(mandate) if claimed.mandate == Some(mandate.hash()?) => {
                let MandateStatement { owner, compartment, custodian, .. } = mandate.verify(&device)?;
                if (owner, compartment) != (&claimed.owner, &claimed.compartment) {
                    return Err(Error::Forged(WHAT));
                }
                custodian.signing
            }
            _ => return Err(Error::Forged(WHAT)),
        };
        self.consent().verify(&signing)?;
        // Nobody wrote under it yet; and its numbers may be as high as its time.
        if claimed.issued_at.is_to_come(now) {
            return Err(Error::Expired(WHAT));
        }
        // As of when it was signed: who was in it then has its key.
        self.live(devices, claimed.issued_at, Use::ItsKey)
    }
}
