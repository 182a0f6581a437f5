//! What the ledger knows of a compartment, and what it becomes.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::entry::{MALFORMED, opened, sealed};
use crate::consent::{ConsentStatement, StoredConsent};
use crate::error::{Error, Result};
use crate::id::{KeyId, Version};
use crate::pin::Place;
use crate::wire::{Reader, Writer};

/// What the ledger knows of a compartment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) newest: Option<Noted>,
    /// What somebody is about to publish, or died over.
    pub(super) announced: Option<Noted>,
    /// Consents before the newest that the store could not be made to hold, the earliest first.
    kept: Vec<Noted>,
    /// The keys of the consents before the newest, the earliest first, each once.
    past: Vec<Earlier>,
    /// The keys that are gone, the earliest first.
    destroyed: Vec<Earlier>,
}

/// A consent, and what is asked of it most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Noted {
    at: Newest,
    consent: Vec<u8>,
}

/// Where a consent stands among all to its compartment, and the key that it gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Newest {
    pub(crate) place: Place,
    pub(crate) key: KeyId,
}

/// A key that is not the newest, and whose consent gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Earlier(KeyId, By);

/// Who signed the consent that gave a key, the one who is forgotten first at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Owner,
    Custodian,
    /// This ledger took no consent of that key.
    Unknown,
}

impl By {
    /// Under a mandate, the key that the owner gave it for is hers.
    fn of(consent: &StoredConsent) -> Self {
        let commitment = &consent.consent().unverified().commitment;
        let hers = consent.mandate().is_none_or(|mandate| mandate.unverified().commitment == *commitment);
        if hers { Self::Owner } else { Self::Custodian }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Owner => 0,
            Self::Custodian => 1,
            Self::Unknown => 2,
        }
    }
}

impl Noted {
    pub(super) fn of(stored: &StoredConsent) -> Result<Self> {
        let at = Newest { place: stored.place(), key: stored.consent().unverified().key_id() };
        Ok(Self { at, consent: stored.to_cbor()? })
    }

    pub(super) fn read(&self) -> Result<StoredConsent> {
        let stored = StoredConsent::from_cbor(&self.consent)?;
        let at = Newest { place: stored.place(), key: stored.consent().unverified().key_id() };
        if at == self.at { Ok(stored) } else { Err(MALFORMED) }
    }

    fn encode(&self, out: &mut Writer) -> Result<()> {
        let length = u32::try_from(self.consent.len()).map_err(|_| MALFORMED)?;
        let Place { under, base, version } = self.at.place;
        out.u64(under.0).u64(base.0).u64(version.0).bytes(&self.at.key.0);
        out.bytes(&length.to_be_bytes()).bytes(&self.consent);
        Ok(())
    }
}

impl Known {
    /// Whether a consent is later than the newest, or the same with other bytes: what was verified takes the place of what was
    /// damaged here.
    pub(super) fn gives_way_to(&self, stored: &StoredConsent) -> Result<bool> {
        let key = stored.consent().unverified().key_id();
        if self.destroyed.iter().any(|gone| gone.0 == key) {
            return Err(Error::Rollback("compartment key"));
        }
        let Some(newest) = &self.newest else { return Ok(true) };
        let newest = newest.read()?;
        match stored.precedence()?.compare(&newest.precedence()?, "consent")? {
            Ordering::Less => Err(Error::Rollback("consent")),
            Ordering::Equal => Ok(*stored != newest),
            Ordering::Greater => {
                self.check_keys(newest.consent().unverified(), stored.consent().unverified())?;
                Ok(true)
            }
        }
    }

    /// A custodian brings no earlier key back, nor two keys of one number: only the owner's word does that.
    fn check_keys(&self, newest: &ConsentStatement, next: &ConsentStatement) -> Result<()> {
        let same = next.has_key_of(newest);
        if next.mandate.is_none() || same && next.generation == newest.generation {
            return Ok(());
        }
        let past = self.past.iter().any(|earlier| earlier.0 == next.key_id());
        if same || past || next.generation <= newest.generation {
            return Err(Error::Rollback("compartment key"));
        }
        Ok(())
    }

    /// With this announcement in the place of what was announced.
    pub(super) fn announcing(&self, announced: Option<Noted>) -> Self {
        Self { announced, ..self.clone() }
    }

    /// With a later consent as the newest.
    pub(super) fn then(&self, next: Noted) -> Result<Self> {
        let mut past = self.past.clone();
        past.retain(|earlier| earlier.0 != next.at.key);
        if let Some(newest) = self.newest.as_ref().filter(|newest| newest.at.key != next.at.key) {
            past.retain(|earlier| earlier.0 != newest.at.key);
            past.push(Earlier(newest.at.key, By::of(&newest.read()?)));
        }
        // What was announced before it comes too late.
        let announced = self.announced.clone().filter(|announced| announced.at.place > next.at.place);
        Ok(Self { newest: Some(next), announced, past: bounded(past, MAX_KEYS), ..self.clone() })
    }

    /// With these keys destroyed, and those of the consents before the one that gave `new`.
    pub(super) fn without(&self, new: KeyId, mut gone: BTreeSet<KeyId>) -> Result<Self> {
        let newest = self.newest.as_ref().map(|newest| newest.at.key);
        let at = self.past.iter().position(|earlier| earlier.0 == new);
        if at.is_none() && newest != Some(new) {
            return Err(Error::ApiMisuse("the ledger does not know the consent of the new key"));
        }
        let (before, rest) = self.past.split_at(at.unwrap_or(self.past.len()));
        gone.extend(before.iter().map(|earlier| earlier.0));
        let known = |keys: &[Earlier], key: KeyId| keys.iter().find(|earlier| earlier.0 == key).copied();
        // What is announced may be in the store, and written under, by now.
        let announced = self.announced.as_ref().map(|announced| announced.at.key);
        gone.retain(|key| Some(*key) != newest && Some(*key) != announced && known(rest, *key).is_none());
        let mut destroyed = self.destroyed.clone();
        let new = gone.into_iter().filter(|key| known(&self.destroyed, *key).is_none());
        destroyed.extend(new.map(|key| known(before, key).unwrap_or(Earlier(key, By::Unknown))));
        let mut kept = self.kept.clone();
        kept.retain(|noted| known(&destroyed, noted.at.key).is_none());
        // What is dropped is decrypt-only again; there is no consent left that gives it.
        Ok(Self { past: rest.to_vec(), destroyed: bounded(destroyed, MAX_DESTROYED), kept, ..self.clone() })
    }

    /// With this consent among those that are kept; none if there are too many.
    pub(super) fn keeping(&self, noted: Noted) -> Option<Self> {
        let mut kept = self.kept.clone();
        if !kept.contains(&noted) {
            kept.push(noted);
        }
        (kept.len() <= MAX_KEPT).then(|| Self { kept, ..self.clone() })
    }

    /// Without this consent among those that are kept.
    pub(super) fn giving_back(&self, noted: &Noted) -> Self {
        let kept = self.kept.iter().filter(|kept| *kept != noted).cloned().collect();
        Self { kept, ..self.clone() }
    }

    pub(super) fn kept(&self) -> Result<Vec<StoredConsent>> {
        self.kept.iter().map(Noted::read).collect()
    }

    #[cfg(test)]
    pub(super) fn past(&self) -> Vec<(KeyId, String)> {
        self.past.iter().map(|Earlier(key, by)| (*key, format!("{by:?}").to_lowercase())).collect()
    }

    /// Whether its consents can be read.
    pub(super) fn check(&self) -> Result<()> {
        let noted = self.newest.iter().chain(&self.announced).chain(&self.kept);
        noted.map(Noted::read).try_for_each(|read| read.map(drop))
    }

    pub(super) fn encode(&self, key: &str) -> Result<Vec<u8>> {
        let mut out = Writer::new(b"");
        for keys in [&self.past, &self.destroyed] {
            out.u16(u16::try_from(keys.len()).map_err(|_| MALFORMED)?);
            for Earlier(key, by) in keys {
                out.bytes(&key.0).u8(by.code());
            }
        }
        for noted in [&self.newest, &self.announced] {
            out.u8(u8::from(noted.is_some()));
            noted.iter().try_for_each(|noted| noted.encode(&mut out))?;
        }
        out.u8(u8::try_from(self.kept.len()).map_err(|_| MALFORMED)?);
        self.kept.iter().try_for_each(|noted| noted.encode(&mut out))?;
        Ok(sealed(key, &out.finish()))
    }

    pub(super) fn decode(key: &str, bytes: &[u8]) -> Result<Self> {
        let Parts { past, destroyed, newest, announced, kept } = Parts::read(key, bytes)?;
        let noted = |(at, consent): (Newest, &[u8])| Noted { at, consent: consent.to_vec() };
        Ok(Self {
            newest: newest.map(noted),
            announced: announced.map(noted),
            kept: kept.into_iter().map(noted).collect(),
            past: earlier(past)?,
            destroyed: earlier(destroyed)?,
        })
    }
}

/// An entry as it lies in the store: nothing of it is decoded that is not asked for.
pub(super) struct Parts<'a> {
    past: &'a [u8],
    /// A row for each key: its id, and whose it is.
    pub(super) destroyed: &'a [u8],
    pub(super) newest: Option<(Newest, &'a [u8])>,
    pub(super) announced: Option<(Newest, &'a [u8])>,
    pub(super) kept: Vec<(Newest, &'a [u8])>,
}

impl<'a> Parts<'a> {
    pub(super) fn read(key: &str, bytes: &'a [u8]) -> Result<Self> {
        let mut reader = opened(key, bytes)?;
        let past = rows(&mut reader, MAX_KEYS)?;
        let destroyed = rows(&mut reader, MAX_DESTROYED)?;
        let [newest, announced] = [at_most(&mut reader, 1)?.pop(), at_most(&mut reader, 1)?.pop()];
        let kept = at_most(&mut reader, MAX_KEPT)?;
        reader.finish()?;
        Ok(Self { past, destroyed, newest, announced, kept })
    }
}

fn rows<'a>(reader: &mut Reader<'a>, most: usize) -> Result<&'a [u8]> {
    let count = usize::from(reader.u16()?);
    if count > most { Err(MALFORMED) } else { reader.take(count * ROW) }
}

fn at_most<'a>(reader: &mut Reader<'a>, most: usize) -> Result<Vec<(Newest, &'a [u8])>> {
    let count = usize::from(reader.u8()?);
    if count > most {
        return Err(MALFORMED);
    }
    let noted = |_| {
        let [under, base, version] = [reader.u64()?, reader.u64()?, reader.u64()?].map(Version);
        let key = KeyId(*reader.array()?);
        let length = usize::try_from(u32::from_be_bytes(*reader.array()?)).map_err(|_| MALFORMED)?;
        Ok((Newest { place: Place { under, base, version }, key }, reader.take(length)?))
    };
    (0..count).map(noted).collect()
}

fn earlier(rows: &[u8]) -> Result<Vec<Earlier>> {
    let row = |row: &[u8]| {
        let (id, by) = row.split_first_chunk().ok_or(MALFORMED)?;
        let by = match by {
            [0] => By::Owner,
            [1] => By::Custodian,
            [2] => By::Unknown,
            _ => return Err(MALFORMED),
        };
        Ok(Earlier(KeyId(*id), by))
    };
    rows.chunks_exact(ROW).map(row).collect()
}

/// Bounds a list. What whoever else signed goes before what the owner did, the earliest first, so that nobody who uses up
/// numbers pushes hers out. What is dropped from either is decrypt-only from then on.
fn bounded(mut keys: Vec<Earlier>, most: usize) -> Vec<Earlier> {
    for by in [By::Unknown, By::Custodian, By::Owner] {
        let mut over = keys.len().saturating_sub(most);
        keys.retain(|key| {
            let drop = over > 0 && key.1 == by;
            over -= usize::from(drop);
            !drop
        });
    }
    keys
}

/// Bytes of a key in a list: its id, and whose it is.
pub(super) const ROW: usize = 17;
/// Most keys of earlier consents that an entry tells apart from unknown ones.
const MAX_KEYS: usize = 1024;
/// Most consents that an entry keeps for a store that cannot be made to hold them.
const MAX_KEPT: usize = 4;
/// Most destroyed keys that are remembered of a compartment: one a day for twenty years.
const MAX_DESTROYED: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::MAX_CONSENT;
    use crate::ledger::{KeyState, Standing};
    use crate::store::MAX_VALUE;

    fn keys(by: By, range: std::ops::Range<u16>) -> Vec<Earlier> {
        let id = |number: u16| {
            let mut id = [by as u8; 16];
            id[..2].copy_from_slice(&number.to_be_bytes());
            Earlier(KeyId(id), by)
        };
        range.map(id).collect()
    }

    fn fullest() -> Known {
        let noted = |number: u64| {
            let version = Version(number);
            let at = Newest { place: Place { under: version, base: version, version }, key: KeyId([9; 16]) };
            Some(Noted { at, consent: vec![0; MAX_CONSENT] })
        };
        let past = keys(By::Custodian, 0..u16::try_from(MAX_KEYS).unwrap());
        let destroyed = keys(By::Unknown, 0..u16::try_from(MAX_DESTROYED).unwrap());
        let kept = (3..).filter_map(noted).take(MAX_KEPT).collect();
        Known { newest: noted(1), announced: noted(2), kept, past, destroyed }
    }

    #[test]
    fn whoever_uses_up_numbers_pushes_no_key_of_the_owners_out() {
        let all = [keys(By::Owner, 0..10), keys(By::Custodian, 0..100), keys(By::Unknown, 0..100)].concat();
        let kept = bounded(all.clone(), 50);
        assert_eq!(kept, [keys(By::Owner, 0..10), keys(By::Custodian, 60..100)].concat());
        assert_eq!(bounded(all.clone(), 5), keys(By::Owner, 5..10));
        assert_eq!(bounded(all[..20].to_vec(), 20), all[..20]);
    }

    /// What is written can be read back, however full it is.
    #[test]
    fn the_fullest_entry_fits_into_a_value_and_is_read_back() {
        let known = fullest();
        let bytes = known.encode("ledger/a/b").unwrap();
        assert!(bytes.len() < MAX_VALUE);
        assert_eq!(Known::decode("ledger/a/b", &bytes).unwrap(), known);
        let mut longer = known;
        longer.destroyed.extend(keys(By::Owner, 0..1));
        assert_eq!(Known::decode("ledger/a/b", &longer.encode("ledger/a/b").unwrap()), Err(MALFORMED));
    }

    #[test]
    fn a_usual_read_says_of_each_key_what_the_whole_entry_says() {
        let known = fullest();
        let (standing, announced) = Standing::read("ledger/a/b", &known.encode("ledger/a/b").unwrap()).unwrap();
        assert!(announced);
        for Earlier(key, _) in known.destroyed.iter().step_by(101) {
            assert_eq!(standing.state(*key), KeyState::Destroyed);
        }
        assert!(known.past.iter().step_by(101).all(|Earlier(key, _)| standing.state(*key) == KeyState::DecryptOnly));
        assert_eq!(standing.state(KeyId([9; 16])), KeyState::Active);
    }
}
