//! An opened record.

use std::fmt;
use std::ops::Deref;

use zeroize::Zeroizing;

use super::author::Writer;
use super::sealed::SealedRecord;
use crate::error::Result;
use crate::id::{CompartmentId, Revision, Time, Version};
use crate::seal::FieldPath;

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

/// The values of the parts of a record that opened, by path, and who wrote them. They are wiped when it is dropped.
pub struct View {
    // INVARIANT: sorted by path, each path once.
    fields: Vec<Field>,
    // INVARIANT: sorted by compartment, at least one.
    parts: Vec<ViewPart>,
    closed: Vec<CompartmentId>,
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

impl View {
    pub(super) fn new(record: &SealedRecord, mut fields: Vec<Field>, parts: Vec<ViewPart>) -> Result<Self> {
        // Each part is in order already, and a record has each path once.
        if parts.len() > 1 {
            fields.sort_by(|a, b| a.path.cmp(&b.path));
        }
        let opened = |compartment: &CompartmentId| parts.iter().any(|part| part.compartment == *compartment);
        let all = record.content.parts.iter().map(|part| &part.compartment);
        let closed = all.filter(|compartment| !opened(compartment)).cloned().collect();
        Ok(Self { fields, parts, closed })
    }

    /// The value at `path`, if an opened part has one there.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.field(path).map(|field| &*field.value)
    }

    /// The revision that the value at `path` was written in. Whoever amended the part since stands by it.
    pub fn revision_of(&self, path: &str) -> Option<Revision> {
        self.field(path).map(|field| field.revision)
    }

    /// All values, in the order of their paths.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&FieldPath, &[u8])> {
        self.fields.iter().map(|field| (&field.path, &*field.value))
    }

    /// How many values there are: one at least.
    #[expect(clippy::len_without_is_empty, reason = "a record has a field")]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// The parts that opened, in the order of their compartments: one at least.
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

    /// The compartments of the parts that stay closed, by the account of whoever keeps the record.
    pub fn closed(&self) -> &[CompartmentId] {
        &self.closed
    }

    pub(super) fn into_fields(self) -> Vec<Field> {
        self.fields
    }

    fn field(&self, path: &str) -> Option<&Field> {
        let index = self.fields.binary_search_by(|field| field.path.as_str().cmp(path)).ok()?;
        self.fields.get(index)
    }
}

/// Tells paths, no values.
impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("View")?;
        f.debug_list().entries(self.fields.iter().map(|field| field.path.as_str())).finish()
    }
}
