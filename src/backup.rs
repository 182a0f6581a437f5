//! Backups of a store's records and consents, taken while it is in use.
//!
//! [`write()`] reads record by record, each as a whole, and puts the pieces into one stream; [`restore`] puts them into an
//! empty store. Jobs are left out: they begin anew.
//!
//! # Security
//!
//! A backup holds what the store holds: nothing that opens without a key, and everything that a key of that time opens.
//! A backup still admits anyone who was revoked after it was taken. So a restored store is served through a [`Repository`] with
//! the [`Ledger`](crate::ledger::Ledger), which is no part of backups, and which refuses until the store has caught up. What the
//! store says of its ledger is no part of them either: a restored store is another one, and takes the place of the lost one when
//! the operator says so ([`Repository::replace_store`]).
//! Records' own keys of that time are in it, too: if they had to be closed by sealing everything again, do so after the
//! restore as well. A stream has a checksum against damage, and nothing against whoever
//! changes it: records and consents are verified by those who read them.
//!
//! # Format
//!
//! `"csb" ‖ 1 ‖ entry … ‖ end`, where an entry is `1 ‖ length of key (4, big-endian) ‖ length of value (4) ‖ key ‖ value`
//! and the end is `0 ‖ number of entries (8) ‖ SHA-256 of everything before it (32)`. Nothing follows.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};

use sha2::{Digest, Sha256};

use crate::consent::StoredConsent;
use crate::error::{Error, Result};
use crate::id::{CompartmentId, KeyId, OwnerId, RecordId, Revision};
use crate::pin::Place;
use crate::record::{Named, SealedRecord, StoredWrap};
use crate::repository::Repository;
use crate::store::space::{self, Kind, RESTORING};
use crate::store::{Entry, MAX_KEY, MAX_VALUE, Op, Outcome, Pages, Store, apply_all, check_keys, each, is_there};

/// Why a backup could not be written or restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The stream could not be written or read.
    #[error("the backup's stream failed")]
    Stream(#[from] std::io::Error),
    /// The store failed, or something in it or in the backup is damaged.
    #[error(transparent)]
    Data(#[from] Error),
}

/// What a backup holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "records may be damaged"]
pub struct Written {
    /// How many entries.
    pub entries: u64,
    /// Keys of what the store does not have whole: of records, at that revision, of which a part is missing, a piece cannot
    /// be read, or no consent gives the key; of consents that cannot be read; and of what belongs to nothing. What can be
    /// read of them is in the backup, but for what is too large to be restored.
    pub damaged: Vec<String>,
}

/// Writes the store's records, with their earlier revisions, and its consents. Records that are written meanwhile may
/// be in it or not, each as a whole.
///
/// # Errors
///
/// [`BackupError`]; the stream is useless then.
pub async fn write(store: &dyn Store, stream: &mut (dyn Write + Send)) -> Result<Written, BackupError> {
    if !store.get(&[RESTORING.to_owned()]).await?.iter().all(Option::is_none) {
        return Err(Error::ApiMisuse("the store is half a backup itself").into());
    }
    let mut out = Out { stream, digest: Sha256::new(), written: Written::default(), seen: Seen::default() };
    out.bytes(MAGIC)?;
    // First, too: a rotation may delete consents while the records that still need them are read.
    consents(store, &Kind::Consent.prefix(), &mut out).await?;
    let mut pages = Pages::new(store, Kind::Content.prefix(), PAGE);
    while let Some(page) = pages.keys().await? {
        for key in &page {
            record(store, key, &mut out).await?;
        }
    }
    // What belongs to no record by now, or never did.
    let mut pages = Pages::new(store, Kind::Past.prefix(), PAGE);
    while let Some(page) = pages.keys().await? {
        for key in &page {
            let content = space::past_of(key).map(|(owner, record, _)| space::content(&owner, &record));
            let held = match content {
                Some(content) => is_there(store, &[content]).await?.contains(&true),
                None => false,
            };
            if !held {
                out.damage(store, key).await?;
            }
        }
    }
    // Again: by now records may lie under keys of consents that were not there before.
    consents(store, &Kind::Consent.prefix(), &mut out).await?;
    out.end()
}

/// Writes the consents with this prefix that are not written yet.
async fn consents(store: &dyn Store, prefix: &str, out: &mut Out<'_>) -> Result<(), BackupError> {
    let mut pages = Pages::new(store, prefix, PAGE);
    while let Some(page) = pages.entries().await? {
        for (key, entry) in page {
            if out.seen.entries.contains(&key) {
                continue;
            }
            let entry = match entry {
                Ok(None) => continue,
                Ok(Some(entry)) => StoredConsent::from_cbor(&entry.value).map(|consent| (entry, consent)),
                Err(error) => Err(error.into()),
            };
            match entry {
                Ok((entry, consent)) => {
                    let said = consent.consent().unverified();
                    let gives = format!("{}/{}/{}", said.owner, said.compartment, said.key_id().to_text());
                    out.seen.keys.insert(gives);
                    out.entry(&key, &entry.value)?;
                }
                Err(_) => out.damage(store, &key).await?,
            }
            out.seen.entries.insert(key);
        }
    }
    Ok(())
}

/// Writes a record with all its revisions.
async fn record(store: &dyn Store, key: &str, out: &mut Out<'_>) -> Result<(), BackupError> {
    let Some((owner, record)) = space::content_of(key) else {
        return out.damage(store, key).await;
    };
    // The envelopes of the parts that are written: several revisions share a part.
    let mut parts = BTreeSet::new();
    let Some(latest) = revision(store, (&owner, &record), (key, &mut parts), out).await? else { return Ok(()) };
    // Those before this one, and no later ones: it may be amended meanwhile.
    let mut pages = Pages::new(store, space::all_past(&owner, &record), PAGE);
    while latest > Revision(0)
        && let Some(page) = pages.keys().await?
    {
        for key in &page {
            if space::past_of(key).is_none_or(|(_, _, revision)| revision < latest) {
                revision(store, (&owner, &record), (key, &mut parts), out).await?;
            }
        }
    }
    Ok(())
}

/// Writes one revision of a record, but for the parts that are written already, and says which it is.
async fn revision(
    store: &dyn Store,
    (owner, record): (&OwnerId, &RecordId),
    (key, parts): (&str, &mut BTreeSet<String>),
    out: &mut Out<'_>,
) -> Result<Option<Revision>, BackupError> {
    for last in [false, true] {
        let new = match new_parts(store, (owner, record), (key, parts)).await {
            Ok(Some(new)) => new,
            Ok(None) => return Ok(None),
            Err(error) if error.is_damage() => {
                out.damage(store, key).await?;
                // Of a latest one that cannot be read, all earlier ones are held.
                return Ok(Some(Revision(u64::MAX)));
            }
            Err(error) => return Err(error.into()),
        };
        // A key may have come and gone since the consents were read.
        let mut open = true;
        for (compartment, key) in new.keys() {
            let place = format!("{owner}/{compartment}/");
            let needed = format!("{place}{}", key.to_text());
            if !out.seen.keys.contains(&needed) {
                consents(store, &Kind::Consent.of_compartment(owner, &compartment), out).await?;
                // Where there are none at all, the host keeps them elsewhere.
                let elsewhere = !out.seen.keys.range(place.clone()..).next().is_some_and(|key| key.starts_with(&place));
                open &= elsewhere || out.seen.keys.contains(&needed);
            }
        }
        if !open && !last {
            continue;
        }
        if !open || !new.whole {
            out.written.damaged.push(key.to_owned());
        }
        let contents = SealedRecord::content_key(owner, record);
        for (name, value) in &new.pieces {
            out.entry(if *name == contents { key } else { name }, value)?;
            if Kind::of(name) == Some(Kind::Envelope) {
                parts.insert(name.clone());
            }
        }
        return Ok(Some(new.revision));
    }
    Ok(None)
}

/// What one revision of a record adds to those that are written.
struct New {
    revision: Revision,
    /// Its first piece, and those of the parts that are not written yet.
    pieces: BTreeMap<String, Vec<u8>>,
    /// The same, if there are such parts.
    record: Option<SealedRecord>,
    /// Whether every part that it names is here, or written.
    whole: bool,
}

impl New {
    /// The compartment keys that the new parts lie under.
    fn keys(&self) -> Vec<(CompartmentId, KeyId)> {
        let Some(record) = &self.record else { return Vec::new() };
        record.compartments().filter_map(|of| Some((of.clone(), record.key_id(of)?))).collect()
    }
}

async fn new_parts(
    store: &dyn Store,
    (owner, record): (&OwnerId, &RecordId),
    (key, parts): (&str, &BTreeSet<String>),
) -> Result<Option<New>, Error> {
    let pieces = Repository::new(store).pieces((owner, record), key, &|envelope| !parts.contains(envelope)).await?;
    let Some(pieces) = pieces else { return Ok(None) };
    let contents = pieces.get(&SealedRecord::content_key(owner, record)).ok_or(MALFORMED)?;
    let Named { revision, count, envelopes } = SealedRecord::named(owner, record, contents)?;
    let there = envelopes.iter().filter(|key| parts.contains(*key) || pieces.contains_key(*key)).count();
    let known = envelopes.iter().any(|key| parts.contains(key));
    // Without any part there is no record to check; where all are written, it was checked with them.
    let record = match SealedRecord::from_pieces(owner, record, pieces.clone()) {
        Err(_) if known && pieces.len() == 1 => None,
        record => Some(record?),
    };
    Ok(Some(New { revision, pieces, record, whole: there == count }))
}

/// Puts a backup into an empty store, and gives the number of entries.
///
/// # Errors
///
/// [`BackupError`]: throw the store away then. [`Error::ApiMisuse`] if the store is not empty, or somebody else writes
/// into it, [`Error::UnknownVersion`] for another version, [`Error::Malformed`] if the stream is damaged, or ends early
/// or late.
pub async fn restore(store: &dyn Store, stream: &mut (dyn Read + Send)) -> Result<u64, BackupError> {
    if !store.keys("", "", 1).await?.is_empty() {
        return Err(Error::ApiMisuse("a backup is restored into an empty store").into());
    }
    let mut input = In { stream, digest: Sha256::new() };
    // Until it is whole, nothing of it is served by a guarded repository.
    store.apply(vec![Op::Put { key: RESTORING.to_owned(), value: Vec::new() }]).await?;
    let mut found = BTreeMap::<(OwnerId, CompartmentId), Found>::new();
    let [c, s, b, version] = input.array()?;
    if [c, s, b] != *b"csb" {
        return Err(MALFORMED.into());
    }
    if version != 1 {
        return Err(Error::UnknownVersion(WHAT).into());
    }
    let (mut entries, mut ops, mut size) = (0_u64, Vec::new(), 0);
    loop {
        match input.array()? {
            [1] => {
                let (key, value) = input.entry()?;
                if let Some((place, consent)) = consent_in(&key, &value) {
                    let found = found.entry(place).or_default();
                    found.newest = found.newest.max(Some(consent));
                } else if let Some((place, key)) = wrap_in(&key, &value) {
                    found.entry(place).or_default().add(key);
                }
                size += key.len() + value.len();
                ops.push(Op::Put { key, value });
                entries += 1;
                if ops.len() >= PAGE || size >= PAGE_BYTES {
                    put_all(store, std::mem::take(&mut ops)).await?;
                    size = 0;
                }
            }
            [0] => break,
            _ => return Err(MALFORMED.into()),
        }
    }
    let counted = u64::from_be_bytes(input.array()?);
    let digest: [u8; 32] = input.digest.clone().finalize().into();
    if counted != entries || input.array::<32>()? != digest || input.stream.read(&mut [0])? != 0 {
        return Err(MALFORMED.into());
    }
    put_all(store, ops).await?;
    // A rotation was on, and may have been finished since.
    for ((owner, compartment), found) in &found {
        if found.lags() {
            Repository::new(store).mark_stale(owner, compartment).await?;
        }
    }
    if let Some(Entry { tag, .. }) = store.get(&[RESTORING.to_owned()]).await?.pop().flatten() {
        store.apply(vec![Op::Delete { key: RESTORING.to_owned(), tag }]).await?;
    }
    Ok(entries)
}

/// Writes what is absent. Pieces come several times where revisions share them; a content or a consent comes once, so
/// another one in its place is somebody else's.
async fn put_all(store: &dyn Store, mut ops: Vec<Op>) -> Result<(), BackupError> {
    let mut keys = BTreeSet::new();
    let mut twice = false;
    ops.retain(|op| {
        let first = keys.insert(op.key().to_owned());
        twice |= !first && is_once(op.key());
        first
    });
    if twice {
        return Err(MALFORMED.into());
    }
    let once = |op: &Op| match op {
        Op::Put { key, value } if is_once(key) => Some((key.clone(), value.clone())),
        _ => None,
    };
    let once: Vec<_> = ops.iter().map(once).collect();
    for (once, outcome) in once.into_iter().zip(apply_all(store, ops).await?) {
        if let (Some((key, value)), Outcome::Conflict) = (once, outcome) {
            let held = store.get(std::slice::from_ref(&key)).await?.pop().flatten();
            // Whoever catches up meanwhile may have written a consent whole that the backup has damaged.
            let is_consent =
                |held: &Entry| Kind::of(&key) == Some(Kind::Consent) && StoredConsent::from_cbor(&held.value).is_ok();
            if held.is_none_or(|held| held.value != value && !is_consent(&held)) {
                return Err(Error::ApiMisuse("somebody writes into the store while a backup is restored").into());
            }
        }
    }
    Ok(())
}

/// Whether revisions of a record do not share it.
fn is_once(key: &str) -> bool {
    matches!(Kind::of(key), Some(Kind::Content | Kind::Past | Kind::Consent))
}

/// What a backup holds of a compartment.
#[derive(Default)]
struct Found {
    /// The place of the newest consent, and the key that it gives.
    newest: Option<(Place, KeyId)>,
    /// A key that a wrap lies under.
    wraps: Option<KeyId>,
    /// Whether wraps lie under several.
    several: bool,
}

impl Found {
    fn add(&mut self, key: KeyId) {
        self.several |= *self.wraps.get_or_insert(key) != key;
    }

    /// Whether wraps lie under another key than that of the newest consent.
    fn lags(&self) -> bool {
        let other = |(_, newest)| self.wraps.is_some_and(|key| key != newest);
        self.newest.is_some_and(|newest| self.several || other(newest))
    }
}

fn consent_in(key: &str, value: &[u8]) -> Option<((OwnerId, CompartmentId), (Place, KeyId))> {
    Kind::of(key).filter(|kind| *kind == Kind::Consent)?;
    let consent = StoredConsent::from_cbor(value).ok()?;
    let said = consent.consent().unverified();
    Some(((said.owner.clone(), said.compartment.clone()), (consent.place(), said.key_id())))
}

fn wrap_in(key: &str, value: &[u8]) -> Option<((OwnerId, CompartmentId), KeyId)> {
    let wrap = StoredWrap::read(key, value).ok()?;
    Some((space::compartment_of(key)?, wrap.key_id()))
}

struct Out<'a> {
    stream: &'a mut (dyn Write + Send),
    digest: Sha256,
    written: Written,
    seen: Seen,
}

/// What is written of consents.
#[derive(Default)]
struct Seen {
    /// Their keys in the store.
    entries: BTreeSet<String>,
    /// Owner, compartment and generation of the keys that they give.
    keys: BTreeSet<String>,
}

impl Out<'_> {
    /// Names an entry as damaged, and writes what there is of it, if it can be restored.
    async fn damage(&mut self, store: &dyn Store, key: &str) -> Result<(), BackupError> {
        self.written.damaged.push(key.to_owned());
        match each(store, &[key.to_owned()]).await?.pop() {
            Some(Ok(Some(Entry { value, .. }))) if value.len() <= MAX_VALUE => self.entry(key, &value),
            _ => Ok(()),
        }
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.digest.update(bytes);
        Ok(self.stream.write_all(bytes)?)
    }

    fn entry(&mut self, key: &str, value: &[u8]) -> Result<(), BackupError> {
        let length = |n: usize| u32::try_from(n).map_err(|_| Error::TooLarge(WHAT));
        self.bytes(&[1])?;
        self.bytes(&length(key.len())?.to_be_bytes())?;
        self.bytes(&length(value.len())?.to_be_bytes())?;
        self.bytes(key.as_bytes())?;
        self.bytes(value)?;
        self.written.entries += 1;
        Ok(())
    }

    fn end(mut self) -> Result<Written, BackupError> {
        self.bytes(&[0])?;
        self.bytes(&self.written.entries.to_be_bytes())?;
        let digest: [u8; 32] = self.digest.finalize().into();
        self.stream.write_all(&digest)?;
        self.stream.flush()?;
        Ok(self.written)
    }
}

struct In<'a> {
    stream: &'a mut (dyn Read + Send),
    digest: Sha256,
}

impl In<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], BackupError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn entry(&mut self) -> Result<(String, Vec<u8>), BackupError> {
        let length = |bytes| usize::try_from(u32::from_be_bytes(bytes)).map_err(|_| MALFORMED);
        let (key, value) = (length(self.array()?)?, length(self.array()?)?);
        if key > MAX_KEY || value > MAX_VALUE {
            return Err(Error::TooLarge(WHAT).into());
        }
        let key = String::from_utf8(self.vec(key)?).map_err(|_| MALFORMED)?;
        check_keys(std::slice::from_ref(&key))?;
        if !Kind::of(&key).is_some_and(Kind::is_kept) {
            return Err(MALFORMED.into());
        }
        Ok((key, self.vec(value)?))
    }

    /// Grows as the bytes come: a length is not believed before.
    fn vec(&mut self, length: usize) -> Result<Vec<u8>, BackupError> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(length).map_err(|_| MALFORMED)?;
        self.stream.take(limit).read_to_end(&mut bytes)?;
        if bytes.len() != length {
            return Err(MALFORMED.into());
        }
        self.digest.update(&bytes);
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        self.stream.read_exact(bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => BackupError::Data(MALFORMED),
            _ => BackupError::Stream(error),
        })?;
        self.digest.update(bytes);
        Ok(())
    }
}

impl From<crate::store::StoreError> for BackupError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Data(error.into())
    }
}

const MAGIC: &[u8] = b"csb\x01";
const PAGE: usize = 1000;
/// Bytes that are written at a time.
const PAGE_BYTES: usize = 16 << 20;
const WHAT: &str = "backup";
const MALFORMED: Error = Error::Malformed(WHAT);
