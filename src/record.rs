//! Records: fields by path, in one or several compartments, with an author.
//!
//! - [`Record`]: the plaintext, built part by part and field by field, then sealed by an [`Author`];
//! - [`SealedRecord`]: what is stored and sent, in JSON or CBOR, whole or in pieces;
//! - [`Reader`]: opens records for whoever has [`Access`](crate::consent::Access), and checks who wrote them;
//!   [`Remembering`]: the same, with a memory of what was seen;
//! - [`View`]: the plaintext again, and who wrote it; [`Review`]: what counts no more as well, with a verdict for each
//!   part;
//! - [`Amendment`]: the next revision.
//!
//! # What an opened record proves, and what not
//!
//! Each part was written, value for value, by the [`Writer`] that the view names, whose credential was valid at the time
//! that the content states and satisfies the consent's write policy; or by a device of the owner. That holds against
//! everybody else who can read the compartment. Fields, parts, revisions, records and patients cannot be exchanged.
//!
//! Each part stands alone: one that does not count is [listed](View::refused) and not shown, and takes nothing away from
//! the others; a path belongs to its part. What counts no more, since a key was stolen or an authority closed, is shown
//! by [`Reader::review`], never without its [`Verdict`].
//!
//! The record is the one that it says it is, which need not be the one that you asked for: compare
//! [`SealedRecord::owner`] and [`SealedRecord::record`] with what you wanted, or the store can serve one record of a
//! compartment for another.
//!
//! The time is the author's word, and so is the revision that a value was changed in: see [`View::follows`]. Whoever keeps
//! the store can withhold parts (they count as closed). Before a reader without memory he can bring back an older revision,
//! too; keep a memory where that matters ([`Reader::remembering`]). Paths, ids, times, compartments and the lengths
//! of values stand in the open. Who wrote does not.

mod amend;
#[cfg(test)]
mod attacks;
mod author;
mod block;
mod content;
mod envelope;
mod format;
mod judge;
mod memory;
mod pieces;
mod place;
mod reader;
mod review;
mod sealed;
mod segments;
mod signer;
mod stored_wrap;
mod verdict;
mod view;

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::id::{Hash, OwnerId, RecordId, Revision, SchemaId, Time};
use crate::seal::{FieldPath, MAX_FIELD};
use crate::secret::Secret;

pub use amend::Amendment;
pub use author::{Author, Writer};
use block::AuthorBlock;
pub use content::{Content, ContentPart};
use content::{Rho, Suite};
pub use format::{MAX_CBOR, MAX_JSON};
pub use memory::Remembering;
pub(crate) use pieces::Named;
pub use place::Place;
pub use reader::Reader;
pub use review::{Review, ReviewedPart};
pub use sealed::SealedRecord;
use sealed::{Draft, SIZE_OF_FIELD, Sealer};
pub(crate) use stored_wrap::{StoredEnvelope, StoredWrap};
pub use verdict::Verdict;
pub use view::{Refusal, Resealing, Value, Values, View, ViewPart};

/// Most fields in a part.
pub const MAX_FIELDS: usize = 4096;
/// Most parts in a record.
pub const MAX_PARTS: usize = 64;

/// Values on their way in or out.
type Fields = BTreeMap<FieldPath, Zeroizing<Vec<u8>>>;
/// The revisions of the fields that are older than their part's.
type Older = BTreeMap<FieldPath, Revision>;

/// A record before it is sealed. Its values are wiped when it is dropped, and overwritten when it is sealed.
///
/// # Example
///
/// ```
/// use chartseal::authority::{Authority, REVOCATION_LIMIT, Trust};
/// use chartseal::id::{DeviceId, Time};
/// use chartseal::identity::Identity;
/// use chartseal::owner::Owner;
/// use chartseal::pin::PinStore;
/// use chartseal::record::{Author, Reader, Record, SealedRecord, Writer};
///
/// # let now = Time::at(1_775_000_000);
/// # let next_year = Time::at(1_806_000_000);
/// // A hospital, a doctor of it, and who believes them.
/// let mut hospital = Authority::setup("st-olave".parse()?, now)?;
/// let ada = Identity::generate("dr-ada".parse()?)?;
/// hospital.enrol(&ada.enrol()?)?;
/// let issued = hospital.issue(ada.id(), &"role:doctor".parse()?, now, next_year, now)?;
/// let (mut trust, mut pins) = (Trust::new(REVOCATION_LIMIT), PinStore::default());
/// trust.add(hospital.anchor())?;
/// trust.update(&hospital.publish(now)?, &mut pins, now)?;
///
/// // A patient, and her consent.
/// let (alice, phone) = Owner::generate_with_device(DeviceId::new("phone")?, now)?;
/// let consent = phone.consent(alice.devices(), "cardiology".parse()?);
/// let id = hospital.id();
/// let consent = consent.read(&trust, id, "role:doctor")?.write(&trust, id, "role:doctor")?;
/// let (_, access) = consent.seal(now)?;
///
/// // The doctor writes, and the patient reads.
/// let author = Author::new(&ada, &issued.credential)?;
/// let record = Record::new("encounter-17".parse()?, "clinic/encounter".parse()?);
/// let sealed = record.part(&access)?.field("/diagnosis", "I21.4")?.seal(&author, now)?;
/// let stored = sealed.to_json()?;
/// assert!(!stored.contains("I21.4") && !stored.contains("dr-ada"));
///
/// // What she has seen, nobody takes her back from: keep the pins.
/// let reader = Reader::new(&trust, now);
/// let view = reader.remembering(&mut pins).open(&SealedRecord::from_json(&stored)?, &[&access])?;
/// assert_eq!(view.get("/diagnosis")?, Some(&b"I21.4"[..]));
/// assert!(matches!(&view.parts()[0].writer, Writer::Person { person, .. } if person.as_str() == "dr-ada"));
///
/// // Whoever does not believe the hospital does not believe the doctor.
/// assert!(Reader::new(&Trust::new(REVOCATION_LIMIT), now).open(&sealed, &[&access]).is_err());
/// # Ok::<(), chartseal::Error>(())
/// ```
pub struct Record<'a> {
    record: RecordId,
    schema: SchemaId,
    parts: Vec<(Place<'a>, Fields)>,
    // INVARIANT: a lower bound of what the fields take in CBOR.
    size: usize,
}

impl<'a> Record<'a> {
    /// Starts a record without parts.
    pub fn new(record: RecordId, schema: SchemaId) -> Self {
        Self { record, schema, parts: Vec::new(), size: 0 }
    }

    /// Starts a part: the fields that follow go there. Its place is an [`Access`](crate::consent::Access), or, for who
    /// writes and does not read, a [`LiveConsent`](crate::consent::LiveConsent).
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if there is a part in that compartment already, or one of another owner;
    /// [`Error::TooLarge`] over [`MAX_PARTS`]. The record is dropped, and wiped, with each.
    pub fn part(mut self, place: impl Into<Place<'a>>) -> Result<Self> {
        let place = place.into();
        if self.parts.iter().any(|(other, _)| other.owner() != place.owner()) {
            return Err(Error::ApiMisuse("a record has one owner"));
        }
        if self.parts.iter().any(|(other, _)| other.compartment() == place.compartment()) {
            return Err(Error::ApiMisuse("the record has a part in that compartment already"));
        }
        if self.parts.len() >= MAX_PARTS {
            return Err(Error::TooLarge("number of parts"));
        }
        self.parts.push((place, Fields::new()));
        Ok(self)
    }

    /// Adds a value to the part that was started last. A `Vec` or `String` is taken over and wiped with the record; of
    /// borrowed bytes the record keeps a copy.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the path is no JSON pointer, [`Error::ApiMisuse`] if the part has that path already or
    /// there is none yet, [`Error::TooLarge`] if the value is over [`MAX_FIELD`], the part over [`MAX_FIELDS`] or the
    /// record over [`MAX_CBOR`]. The record is dropped, and wiped, with each.
    pub fn field(mut self, path: impl TryInto<FieldPath>, value: impl Into<Vec<u8>>) -> Result<Self> {
        let (path, value) = checked_field(path, value)?;
        self.size = self.size.saturating_add(value.len()).saturating_add(path.as_str().len() + SIZE_OF_FIELD);
        if self.size > MAX_CBOR {
            return Err(Error::TooLarge("record"));
        }
        let (_, fields) = self.parts.last_mut().ok_or(Error::ApiMisuse("a field needs a part to stand in"))?;
        if fields.contains_key(&path) {
            return Err(Error::ApiMisuse("the part has that path already"));
        }
        if fields.len() >= MAX_FIELDS {
            return Err(Error::TooLarge("number of fields"));
        }
        fields.insert(path, value);
        Ok(self)
    }

    /// Seals and signs the record: for each part a fresh key, and one signature of the content and the part's envelope.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if it has no part, or one without a field; [`Error::NotAllowed`] if the author may not write
    /// in one of the places. Of a place that he cannot read he does not know; readers will refuse it. [`Error::Expired`]
    /// if the author's credential, or the device's own time, is not valid now, or the consent of one of the places has
    /// ended or is yet to be signed: readers would refuse it, or soon. [`Error::TooLarge`] over [`MAX_CBOR`],
    /// [`Error::Randomness`] when the operating system gives no randomness.
    pub fn seal(mut self, author: &Author<'_>, now: Time) -> Result<SealedRecord> {
        if self.parts.iter().any(|(_, fields)| fields.is_empty()) {
            return Err(amend::NO_FIELD);
        }
        self.parts.sort_by(|(a, _), (b, _)| a.compartment().cmp(b.compartment()));
        let owner = self.parts.first().map(|(place, _)| place.owner().clone());
        let content = Content {
            suite: Suite,
            owner: owner.ok_or(Error::ApiMisuse("a record needs a part"))?,
            record: self.record,
            schema: self.schema,
            revision: Revision(0),
            previous: None,
            time: now,
            parts: Vec::new(),
        };
        let parts = self.parts.into_iter().map(|(place, fields)| (place, fields, Older::new())).collect();
        let (content, parts) = seal_parts(content, parts, author)?;
        SealedRecord { content, older: Vec::new(), parts }.within_limits()
    }
}

/// Seals new parts; the content names others already. Gives the content that names all.
fn seal_parts(
    mut content: Content,
    parts: Vec<(Place<'_>, Fields, Older)>,
    author: &Author<'_>,
) -> Result<(Content, Vec<envelope::Part>)> {
    let mut drafts = Vec::with_capacity(parts.len());
    for (place, fields, older) in parts {
        if *place.owner() != content.owner {
            return Err(Error::ApiMisuse("a record has one owner"));
        }
        author.check(&place, content.time)?;
        let entry = ContentPart {
            compartment: place.compartment().clone(),
            consent: place.version(),
            revision: content.revision,
            root: Hash([0; 32]),
        };
        let block = AuthorBlock { rho: random_rho()?, by: author.by().clone(), older };
        let draft = Draft::new(&content, (entry, &block), fields)?;
        drafts.push((place, draft, block));
    }
    content.parts.extend(drafts.iter().map(|(_, draft, ..)| draft.entry.clone()));
    content.parts.sort_by(|a, b| a.compartment.cmp(&b.compartment));

    let hash = content::hash_of(&content.message()?);
    let sealer = Sealer { author, time: content.time, before: None };
    let mut sealed = Vec::with_capacity(drafts.len());
    for (place, draft, block) in drafts {
        sealed.push(draft.finish((&content, hash), &block, &sealer, &place)?);
    }
    Ok((content, sealed))
}

fn random_rho() -> Result<Rho> {
    Ok(Zeroizing::new(*Secret::<[u8; 32]>::random()?.expose()))
}

fn checked_field(path: impl TryInto<FieldPath>, value: impl Into<Vec<u8>>) -> Result<(FieldPath, Zeroizing<Vec<u8>>)> {
    let value = Zeroizing::new(value.into());
    let path = path.try_into().map_err(|_| Error::Malformed("field path"))?;
    if value.len() > MAX_FIELD { Err(Error::TooLarge("field")) } else { Ok((path, value)) }
}

/// Tells compartments, paths and lengths, no values.
impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Record");
        out.field("record", &self.record).field("schema", &self.schema).field("owner", &self.owner());
        for (place, fields) in &self.parts {
            let lengths: BTreeMap<_, _> = fields.iter().map(|(path, value)| (path, value.len())).collect();
            out.field(place.compartment().as_str(), &lengths);
        }
        out.finish()
    }
}

impl Record<'_> {
    fn owner(&self) -> Option<&OwnerId> {
        self.parts.first().map(|(place, _)| place.owner())
    }
}
