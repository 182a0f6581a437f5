//! An opened record.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;

use zeroize::Zeroizing;

use super::author::Writer;
use super::sealed::SealedRecord;
use super::verdict::Verdict;
use crate::error::{Error, Result};
use crate::id::{CompartmentId, Hash, OwnerId, RecordId, Revision, SchemaId, Time, Version};
use crate::seal::FieldPath;
use crate::time::CLOCK_SKEW;

/// One opened value; wiped when dropped, never printed.
pub struct Value(Zeroizing<Vec<u8>>);

impl Value {
    pub(super) fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    pub(super) fn into_inner(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

impl Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Value {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(..)")
    }
}

/// The values of the parts of a record that count, by compartment and path, and who wrote them. They are wiped when it is
/// dropped.
///
/// Two parts may have a value at one path: each belongs to its own compartment, whoever else writes the same path
/// elsewhere.
pub struct View {
    owner: OwnerId,
    record: RecordId,
    schema: SchemaId,
    // INVARIANT: sorted by compartment, at least one.
    parts: Vec<ViewPart>,
    // INVARIANT: those of `parts`, in their order; each sorted by path.
    fields: Vec<Vec<Field>>,
    refused: Vec<Refusal>,
    closed: Vec<CompartmentId>,
}

/// A part whose key was there, and which is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The compartment.
    pub compartment: CompartmentId,
    /// Why: all that is to be thought of it, the mildest first. [`Reader::review`](super::Reader::review) gives its values,
    /// if it has any.
    pub verdicts: Vec<Verdict>,
    /// Who wrote it and when, as far as the signatures go; none where there is no value.
    pub written: Option<ViewPart>,
}

/// One part of an opened record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ViewPart {
    /// The compartment.
    pub compartment: CompartmentId,
    /// The version of the consent that it was written under, by its author's account.
    pub consent: Version,
    /// The revision of the record that it was written in.
    pub revision: Revision,
    /// When it was written, by its author's clock.
    pub time: Time,
    /// Who wrote it.
    pub writer: Writer,
    /// Who sealed it again since, if somebody did; what it says is the writer's word all the same.
    pub resealed: Option<Resealing>,
    /// The hash of the content that its author signed.
    pub content: Hash,
    /// The hash of the content before that one, by its author's account.
    pub previous: Option<Hash>,
}

/// Who sealed a part again, under a new key of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resealing {
    /// One of the owner's devices.
    pub by: Writer,
    /// When, by its clock.
    pub time: Time,
}

pub(super) struct Field {
    pub(super) path: FieldPath,
    pub(super) revision: Revision,
    pub(super) value: Value,
}

/// The values of one part, by path.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    // INVARIANT: sorted by path, each path once.
    fields: &'a [Field],
}

impl<'a> Values<'a> {
    pub(super) fn new(fields: &'a [Field]) -> Self {
        Self { fields }
    }

    /// The value at `path`, if there is one.
    pub fn get(&self, path: &str) -> Option<&'a [u8]> {
        self.field(path).map(|field| &*field.value)
    }

    /// The revision that the value at `path` was last changed in, by the account of who wrote the part: see
    /// [`View::revision_of`].
    pub fn revision_of(&self, path: &str) -> Option<Revision> {
        self.field(path).map(|field| field.revision)
    }

    /// All values, in the order of their paths.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a FieldPath, &'a [u8])> + use<'a> {
        self.fields.iter().map(|field| (&field.path, &*field.value))
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is none: what was there was taken back.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    fn field(&self, path: &str) -> Option<&'a Field> {
        let index = self.fields.binary_search_by(|field| field.path.as_str().cmp(path)).ok()?;
        self.fields.get(index)
    }
}

/// Tells paths, no values.
impl fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Values")?;
        f.debug_list().entries(self.fields.iter().map(|field| field.path.as_str())).finish()
    }
}

impl ViewPart {
    /// How it stands to a content that was seen of its record before.
    ///
    /// # Errors
    ///
    /// [`Error::Fork`] if the two are different contents of one revision, or if it is of the next revision and goes on from
    /// another content. The owner's devices may do the latter: they mend a fork.
    pub(super) fn compare(&self, (revision, content): (Revision, Hash)) -> Result<Ordering> {
        let order = self.revision.cmp(&revision);
        let is_owners = matches!(self.writer, Writer::Device { .. });
        let is_next = revision.0.checked_add(1) == Some(self.revision.0);
        let forked = match order {
            Ordering::Less => false,
            Ordering::Equal => self.content != content,
            Ordering::Greater => is_next && self.previous != Some(content) && !is_owners,
        };
        if forked { Err(Error::Fork("record")) } else { Ok(order) }
    }
}

impl View {
    pub(super) fn new(record: &SealedRecord, opened: Vec<(ViewPart, Vec<Field>)>, refused: Vec<Refusal>) -> Self {
        let (parts, fields): (Vec<ViewPart>, Vec<_>) = opened.into_iter().unzip();
        let known = |compartment: &CompartmentId| {
            parts.iter().any(|part| part.compartment == *compartment)
                || refused.iter().any(|refusal| refusal.compartment == *compartment)
        };
        let all = record.content.parts.iter().map(|part| &part.compartment);
        let closed = all.filter(|compartment| !known(compartment)).cloned().collect();
        let (owner, schema) = (record.owner().clone(), record.schema().clone());
        Self { owner, record: record.record().clone(), schema, parts, fields, refused, closed }
    }

    /// The patient.
    pub fn owner(&self) -> &OwnerId {
        &self.owner
    }

    /// The record: compare it with the one that you asked for.
    pub fn record(&self) -> &RecordId {
        &self.record
    }

    /// What the fields mean.
    pub fn schema(&self) -> &SchemaId {
        &self.schema
    }

    /// The value at `path`, if one of the opened parts has one there.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if several parts have one: who may write in one compartment neither replaces nor hides what
    /// stands in another, so say which ([`View::get_in`]).
    pub fn get(&self, path: &str) -> Result<Option<&[u8]>> {
        Ok(self.field(path)?.map(|field| &*field.value))
    }

    /// The value at `path` in the part of a compartment, if that opened and has one there.
    pub fn get_in(&self, compartment: &CompartmentId, path: &str) -> Option<&[u8]> {
        self.values(compartment)?.get(path)
    }

    /// The revision that the value at `path` was last changed in.
    ///
    /// That is the word of whoever wrote the part: he signed all of its values, and could have changed one and given it an
    /// older revision. Nobody who has this revision of the record alone can tell; with an earlier one at hand
    /// [`View::follows`] does.
    ///
    /// # Errors
    ///
    /// As for [`View::get`]; then [`View::values`] tells it of each.
    pub fn revision_of(&self, path: &str) -> Result<Option<Revision>> {
        Ok(self.field(path)?.map(|field| field.revision))
    }

    /// The values of the part of a compartment, if it opened.
    pub fn values(&self, compartment: &CompartmentId) -> Option<Values<'_>> {
        let at = self.parts.iter().position(|part| part.compartment == *compartment)?;
        self.fields.get(at).map(|fields| Values::new(fields))
    }

    /// All values, by compartment and path.
    pub fn iter(&self) -> impl Iterator<Item = (&CompartmentId, &FieldPath, &[u8])> {
        let parts = self.parts.iter().zip(&self.fields);
        parts.flat_map(|(part, fields)| fields.iter().map(|field| (&part.compartment, &field.path, &*field.value)))
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.fields.iter().map(Vec::len).sum()
    }

    /// Whether there is none: all that was there was taken back.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The parts that opened and count, in the order of their compartments: one at least.
    pub fn parts(&self) -> &[ViewPart] {
        &self.parts
    }

    /// The part of a compartment, if it opened.
    pub fn part(&self, compartment: &CompartmentId) -> Option<&ViewPart> {
        self.parts.iter().find(|part| part.compartment == *compartment)
    }

    /// The latest revision that a part which opened was written in. Others may have been amended since.
    pub fn revision(&self) -> Revision {
        self.parts.iter().map(|part| part.revision).max().unwrap_or(Revision(0))
    }

    /// The parts whose keys were there and which do not count: nothing of them is shown, and they take nothing away from
    /// the others. A host that shows a record says that they are there.
    pub fn refused(&self) -> &[Refusal] {
        &self.refused
    }

    /// The compartments of the parts that stay closed, by the account of whoever keeps the record.
    pub fn closed(&self) -> &[CompartmentId] {
        &self.closed
    }

    /// Checks that this is a later view of the record of `before`, or the same, as far as both show the same parts: no part
    /// went back or is another one of the same revision, no values are other ones under a revision that `before` saw, and
    /// no author claims a time before that of his predecessor, but for what clocks may differ by.
    ///
    /// A part that `before` shows and that is [refused](View::refused) now did not go back either: so nobody hides an
    /// older one behind a verdict. What was altered, or written over by one who may not, is passed over: it takes nothing
    /// away from the others, and its refusal says so.
    ///
    /// This is what [`View::revision_of`] needs to be more than the last author's word. Of parts alone, a memory says as
    /// much ([`Reader::remembering`](super::Reader::remembering)).
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] for another record, [`Error::Rollback`] if a part is older or not named any more,
    /// [`Error::Fork`] if there are two contents of one revision or the chain is broken by another than the owner's
    /// devices, [`Error::Forged`] if a value was changed under an older revision, or the schema was; [`Error::Expired`]
    /// for a time before its predecessor's.
    pub fn follows(&self, before: &Self) -> Result<()> {
        if (&self.owner, &self.record) != (&before.owner, &before.record) {
            return Err(Error::ApiMisuse("two views of one record are compared"));
        }
        for (this, other) in self.parts.iter().flat_map(|this| before.parts.iter().map(move |other| (this, other))) {
            this.compare((other.revision, other.content))?;
        }
        for (other, values) in before.parts.iter().zip(&before.fields) {
            let Some(at) = self.parts.iter().position(|part| part.compartment == other.compartment) else {
                self.hides_nothing_older(other)?;
                continue;
            };
            let (Some(this), Some(fields)) = (self.parts.get(at), self.fields.get(at)) else { continue };
            if this.revision < other.revision {
                return Err(Error::Rollback("record"));
            }
            if self.schema != before.schema && !matches!(this.writer, Writer::Device { .. }) {
                return Err(Error::Forged("schema"));
            }
            if this.time.plus(CLOCK_SKEW) < other.time {
                return Err(Error::Expired("content"));
            }
            let known = Values::new(values);
            let changed = |field: &&Field| {
                let said = known.field(field.path.as_str()).filter(|said| said.revision == field.revision);
                field.revision <= other.revision && said.is_none_or(|said| *said.value != *field.value)
            };
            if fields.iter().any(|field| changed(&field)) {
                return Err(Error::Forged("revision of a field"));
            }
        }
        Ok(())
    }

    /// Whether a part that was seen, and is not shown, is still there and did not go back.
    fn hides_nothing_older(&self, seen: &ViewPart) -> Result<()> {
        if self.closed.contains(&seen.compartment) {
            return Ok(());
        }
        let refused = self.refused.iter().find(|refusal| refusal.compartment == seen.compartment);
        let refused = refused.filter(|refusal| !refusal.verdicts.contains(&Verdict::LeftOut));
        let Some(part) = &refused.ok_or(Error::Rollback("record"))?.written else { return Ok(()) };
        match part.revision.cmp(&seen.revision) {
            Ordering::Less => Err(Error::Rollback("record")),
            Ordering::Equal => part.compare((seen.revision, seen.content)).map(drop),
            // What somebody wrote over it who may not says whatever he likes of the one before.
            Ordering::Greater => Ok(()),
        }
    }

    /// The one value at `path`.
    fn field(&self, path: &str) -> Result<Option<&Field>> {
        let mut found = self.fields.iter().filter_map(|fields| Values::new(fields).field(path));
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(Error::ApiMisuse("several parts have that path: say which compartment")),
            (found, None) => Ok(found),
        }
    }
}

/// Tells paths, no values.
impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("View")?;
        f.debug_map()
            .entries(self.parts.iter().zip(&self.fields).map(|(part, fields)| (&part.compartment, Values::new(fields))))
            .finish()
    }
}
