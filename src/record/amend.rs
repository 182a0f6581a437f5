//! The next revision of a record.

use std::fmt;

use super::author::Author;
use super::content::{Content, Suite, hash_of};
use super::place::Place;
use super::reader::Reader;
use super::sealed::{Draft, SealedRecord, Sealer};
use super::view::Field;
use super::{Fields, Older, checked_field, seal_parts};
use crate::consent::Access;
use crate::error::{Error, Result};
use crate::id::{CompartmentId, Revision, Time};
use crate::seal::FieldPath;

/// A record that is being changed. Its values are wiped when it is dropped.
///
/// Parts in which nothing changes keep their pieces and their author, whether the amending author can open them or not.
/// Of the others everything is sealed anew under a fresh key; the amending author signs all of their values.
///
/// What the next content says of parts that did not open is what the store says of them: who opens them later checks that
/// they are genuine and agree with it, not that the store gave the latest.
///
/// # Example
///
/// ```no_run
/// # use chartseal::{Error, consent::Access, id::Time, record::{Author, Reader, SealedRecord}};
/// # fn example(reader: Reader, sealed: SealedRecord, access: Access, author: Author, now: Time) -> Result<(), Error> {
/// let next = reader.amend(&sealed, &[&access])?.field("/diagnosis", "I21.9")?.seal(&author, now)?;
/// assert_eq!(next.content().previous, Some(sealed.hash()?));
/// // The revision before this one is not accepted in its place by who asks for its number.
/// assert!(sealed.revision() < next.revision());
/// # Ok(())
/// # }
/// ```
pub struct Amendment<'a> {
    base: SealedRecord,
    // INVARIANT: at most one for each compartment.
    parts: Vec<Opened<'a>>,
    at: Option<usize>,
}

struct Opened<'a> {
    place: Place<'a>,
    fields: Fields,
    /// The revisions of those of `fields` that were not changed.
    older: Older,
    changed: bool,
}

impl Reader<'_> {
    /// Starts the next revision of a record, with what the accesses open of it. Where two are for the same compartment,
    /// the newer one is sealed for.
    ///
    /// If one part opens, the amendment is about that one; otherwise say which by [`Amendment::part`].
    ///
    /// # Errors
    ///
    /// As for [`Reader::open`]: nobody amends what he would not believe.
    pub fn amend<'a>(&self, record: &SealedRecord, accesses: &[&'a Access]) -> Result<Amendment<'a>> {
        let view = self.open(record, accesses)?;
        let mut parts = Vec::new();
        for part in view.parts() {
            let own = accesses.iter().copied().filter(|access| *access.compartment() == part.compartment);
            let access = own.max_by_key(|access| access.place()).ok_or(Error::CannotOpen)?;
            parts.push(Opened { place: access.into(), fields: Fields::new(), older: Older::new(), changed: false });
        }
        for Field { path, revision, value } in view.into_fields() {
            let stands = |part: &&mut Opened<'_>| {
                record.part(part.place.compartment()).is_some_and(|part| part.body.fields.contains_key(&path))
            };
            let part = parts.iter_mut().find(stands).ok_or(Error::CannotOpen)?;
            part.fields.insert(path.clone(), value.into_inner());
            part.older.insert(path, revision);
        }
        let at = (parts.len() == 1).then_some(0);
        Ok(Amendment { base: record.clone(), parts, at })
    }

    /// Seals a part anew under a fresh key, as a device of the owner does so that who kept the old key cannot follow.
    /// Author, content and revision stay: the device signs the envelope only. Whether the author was allowed to write there,
    /// and was revoked since, is not looked at: readers look at it.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::open`] but for the write policy and the author's standing; [`Error::ApiMisuse`] if `new` is for another owner or compartment than `old`, or
    /// of an earlier consent, or `sealer` no device; [`Error::NotAllowed`] if it is another owner's.
    pub fn reseal(
        &self,
        record: &SealedRecord,
        (old, new): (&Access, &Access),
        sealer: &Author<'_>,
        now: Time,
    ) -> Result<SealedRecord> {
        if (old.owner(), old.compartment()) != (new.owner(), new.compartment()) {
            return Err(Error::ApiMisuse("a part stays in its compartment"));
        }
        if new.place() < old.place() {
            return Err(Error::ApiMisuse("a part does not go back to an earlier key"));
        }
        if !sealer.is_device() {
            return Err(Error::ApiMisuse("only a device of the owner seals what another wrote"));
        }
        let place = Place::from(new);
        sealer.check(&place)?;
        let index = record.index(old.compartment()).ok_or(Error::CannotOpen)?;
        let (fields, block, signed) = self.values(record, index, old)?;
        let part = record.parts.get(index).ok_or(Error::CannotOpen)?;
        let named = &part.envelope.statement.content;
        for content in record.contents() {
            let hash = hash_of(&content.message()?);
            if hash != *named {
                continue;
            }
            let entry = content.part(old.compartment()).ok_or(Error::CannotOpen)?;
            let draft = Draft::new(content, (entry.clone(), &block), fields)?;
            let sealer = Sealer { author: sealer, time: now, before: Some(signed) };
            let part = draft.finish((content, hash), &block, &sealer, &place)?;
            let mut sealed = record.clone();
            *sealed.parts.get_mut(index).ok_or(Error::CannotOpen)? = part;
            return sealed.within_limits();
        }
        Err(Error::CannotOpen)
    }
}

impl<'a> Amendment<'a> {
    /// Goes on with the part of that compartment: one that opened, or one that the record does not have yet.
    ///
    /// # Errors
    ///
    /// [`Error::CannotOpen`] if the record has that part and it did not open; [`Error::ApiMisuse`] for another owner.
    pub fn part(mut self, place: impl Into<Place<'a>>) -> Result<Self> {
        let place = place.into();
        if place.owner() != self.base.owner() {
            return Err(Error::ApiMisuse("a record has one owner"));
        }
        let found = self.parts.iter().position(|part| part.place.compartment() == place.compartment());
        self.at = match found {
            Some(at) => Some(at),
            None if self.base.content.part(place.compartment()).is_some() => return Err(Error::CannotOpen),
            None => {
                self.parts.push(Opened { place, fields: Fields::new(), older: Older::new(), changed: true });
                self.parts.len().checked_sub(1)
            }
        };
        Ok(self)
    }

    /// Sets a value in the part at hand, whether there is one at that path or not.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`], [`Error::TooLarge`] as for [`Record::field`](super::Record::field); [`Error::ApiMisuse`]
    /// without a part, or if another part that is here has that path. Parts that the store left out cannot be asked: if
    /// one of them has it, the record put together whole is malformed.
    pub fn field(mut self, path: impl TryInto<FieldPath>, value: impl Into<Vec<u8>>) -> Result<Self> {
        let (path, value) = checked_field(path, value)?;
        let at = self.at()?;
        let elsewhere = self.parts.iter().enumerate().any(|(i, part)| i != at && part.fields.contains_key(&path));
        if elsewhere || self.closed().any(|known| *known == path) {
            return Err(Error::ApiMisuse("another part of the record has that path"));
        }
        if let Some(part) = self.parts.get_mut(at) {
            part.older.remove(&path);
            part.fields.insert(path, value);
            part.changed = true;
        }
        Ok(self)
    }

    /// Takes a value out of the part at hand. The revision before this one still has it.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the part has no such path.
    pub fn remove(mut self, path: &str) -> Result<Self> {
        let at = self.at()?;
        let part = self.parts.get_mut(at).ok_or(NO_PART)?;
        part.older.remove(path);
        part.fields.remove(path).ok_or(Error::ApiMisuse("there is no such path to remove"))?;
        part.changed = true;
        Ok(self)
    }

    /// Seals and signs the revision.
    ///
    /// # Errors
    ///
    /// As for [`Record::seal`](super::Record::seal); [`Error::ApiMisuse`] if nothing was changed, or a part is not here and
    /// neither is the content that it was written in: stored, the amendment would close that part for ever.
    pub fn seal(self, author: &Author<'_>, now: Time) -> Result<SealedRecord> {
        let Self { base, parts, .. } = self;
        let parts: Vec<_> = parts.into_iter().filter(|part| part.changed).collect();
        if parts.is_empty() {
            return Err(Error::ApiMisuse("nothing was changed"));
        }
        let revision = base.revision().0.checked_add(1).ok_or(Error::TooLarge("revision"))?;
        let replaced = |compartment: &CompartmentId| parts.iter().any(|part| part.place.compartment() == compartment);
        let kept = base.content.parts.iter().filter(|part| !replaced(&part.compartment));
        let content = Content {
            suite: Suite,
            owner: base.owner().clone(),
            record: base.record().clone(),
            schema: base.schema().clone(),
            revision: Revision(revision),
            previous: Some(base.hash()?),
            time: now,
            parts: kept.cloned().collect(),
        };
        if content.parts.len() + parts.len() > super::MAX_PARTS {
            return Err(Error::TooLarge("number of parts"));
        }

        let mut sealed = base.parts;
        sealed.retain(|part| !replaced(&part.envelope.statement.compartment));
        let mut older = base.older;
        older.push(base.content);
        older.retain(|older| content.names_a_part_of(older));
        if !content.parts.iter().all(|part| older.iter().any(|older| older.wrote(part))) {
            return Err(Error::ApiMisuse("the content of a part that is not here is missing, and would be lost"));
        }

        let parts = parts.into_iter().map(|part| (part.place, part.fields, part.older)).collect();
        let (content, new) = seal_parts(content, parts, author)?;
        sealed.extend(new);
        sealed.sort_by(|a, b| a.envelope.statement.compartment.cmp(&b.envelope.statement.compartment));
        SealedRecord { content, older, parts: sealed }.within_limits()
    }

    fn at(&self) -> Result<usize> {
        self.at.ok_or(NO_PART)
    }

    /// The paths of the parts that did not open.
    fn closed(&self) -> impl Iterator<Item = &FieldPath> {
        let opened = |part: &&super::envelope::Part| {
            let compartment = &part.envelope.statement.compartment;
            self.parts.iter().any(|open| open.place.compartment() == compartment)
        };
        self.base.parts.iter().filter(move |part| !opened(part)).flat_map(|part| part.body.fields.keys())
    }
}

/// Tells compartments and paths, no values.
impl fmt::Debug for Amendment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Amendment");
        out.field("record", self.base.record()).field("revision", &self.base.revision());
        for part in &self.parts {
            out.field(part.place.compartment().as_str(), &part.fields.keys());
        }
        out.finish()
    }
}

const NO_PART: Error = Error::ApiMisuse("say which part first");
