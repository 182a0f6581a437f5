//! What FHIR text fails with, and where.

use std::fmt;

/// Why FHIR text was refused, and where. It holds nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FhirError {
    kind: FhirErrorKind,
    offset: Option<usize>,
    entry: Option<usize>,
}

impl FhirError {
    /// What is wrong.
    pub fn kind(&self) -> FhirErrorKind {
        self.kind
    }

    /// The byte where it is, counted from 0 from the start of the whole text, of a bundle's resource too. For a field, it is
    /// where the value begins.
    ///
    /// When text is joined, it is the byte of the joined text, or of the layout or skeleton if a piece does not fit the hole
    /// there. `None` if what is wrong has no place: a piece too many, or a layout that was not given.
    pub fn offset(&self) -> Option<usize> {
        self.offset
    }

    /// The element of the bundle's `entry` in which it is, counted from 0, those without a resource too. `None` outside
    /// them, and for a text that is no bundle.
    pub fn entry(&self) -> Option<usize> {
        self.entry
    }

    pub(super) fn at(kind: FhirErrorKind, offset: usize) -> Self {
        Self { kind, offset: Some(offset), entry: None }
    }

    /// Of a text that begins so many bytes into another.
    pub(super) fn within(self, start: usize) -> Self {
        Self { offset: self.offset.map(|offset| offset.saturating_add(start)), ..self }
    }

    pub(super) fn in_entry(self, entry: usize) -> Self {
        Self { entry: Some(entry), ..self }
    }
}

impl From<FhirErrorKind> for FhirError {
    fn from(kind: FhirErrorKind) -> Self {
        Self { kind, offset: None, entry: None }
    }
}

impl fmt::Display for FhirError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(offset) = self.offset {
            write!(f, " at byte {offset}")?;
        }
        if let Some(entry) = self.entry {
            write!(f, ", in `entry[{entry}]`")?;
        }
        Ok(())
    }
}

impl std::error::Error for FhirError {}

/// The ways in which FHIR text can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FhirErrorKind {
    /// Not JSON text (RFC 8259), or something follows it.
    #[error("FHIR text is not JSON")]
    NotJson,
    /// A resource, a bundle, an entry or a layout that is another JSON value than an object.
    #[error("expected a JSON object in FHIR text")]
    ExpectedObject,
    /// A bundle's `entry` that is neither an array nor `null`.
    #[error("expected a JSON array in FHIR text")]
    ExpectedArray,
    /// A member that its object has already, whatever escapes the names are written with.
    #[error("a JSON object of FHIR text names a member twice")]
    RepeatedMember,
    /// A member's name that is no part of a [`FieldPath`](crate::seal::FieldPath): it holds an invisible character, or a
    /// space at an end or after another.
    #[error(
        "the name of a member of FHIR text holds a character that is not seen, or a space at an end or after another"
    )]
    HiddenName,
    /// `resourceType` is missing, or is not a string of 1 to 64 ASCII letters and digits.
    #[error("the `resourceType` of a FHIR resource is missing or is not a name")]
    NoResourceType,
    /// The `resourceType` of a bundle is not `Bundle`.
    #[error("the `resourceType` of a FHIR bundle is not `Bundle`")]
    NotABundle,
    /// The text is over [`MAX_TEXT`](super::MAX_TEXT), or a bundle's over [`MAX_BUNDLE`](super::MAX_BUNDLE).
    #[error("FHIR text is over its limit")]
    TextTooLarge,
    /// The value, or the layout, is over [`MAX_VALUE`](super::MAX_VALUE): an attachment, mostly.
    #[error("a FHIR value is too large for a field")]
    ValueTooLarge,
    /// Arrays and objects are nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    #[error("FHIR text is nested too deep")]
    TooDeep,
    /// More than [`MAX_MEMBERS`](super::MAX_MEMBERS) members of a resource, or more than 64 of a bundle or an entry.
    #[error("a JSON object of FHIR text has too many members")]
    TooManyMembers,
    /// More than [`MAX_ENTRIES`](super::MAX_ENTRIES) entries.
    #[error("a FHIR bundle has too many entries")]
    TooManyEntries,
    /// The path that a member's name makes is over [`MAX_PATH`](super::MAX_PATH).
    #[error("the name of a member of FHIR text is too long")]
    NameTooLong,
    /// No layout is among the fields.
    #[error("the layout is missing among the FHIR fields")]
    NoLayout,
    /// A field of the layout is missing.
    #[error("a FHIR field of the layout is missing")]
    MissingField,
    /// A field is given twice.
    #[error("a FHIR field is given twice")]
    RepeatedField,
    /// A field is given that the layout does not have.
    #[error("a FHIR field is not of the layout")]
    UnknownField,
    /// A field or a resource is not exactly one JSON value in UTF-8, without white space around it.
    #[error("a piece of FHIR text is not one JSON value")]
    NotAValue,
    /// There is something else than `0` where a layout or a skeleton has a hole.
    #[error("a FHIR layout or skeleton holds a value")]
    FilledHole,
    /// The number of resources is not the number of holes in the skeleton.
    #[error("the number of FHIR resources is not that of the skeleton")]
    ResourceCount,
}

impl FhirErrorKind {
    /// Whether it is a matter of one resource that a record cannot hold, and the text is otherwise as it should be.
    pub(super) fn spares_the_rest(self) -> bool {
        matches!(
            self,
            Self::TextTooLarge
                | Self::ValueTooLarge
                | Self::TooDeep
                | Self::TooManyMembers
                | Self::NameTooLong
                | Self::HiddenName
        )
    }
}
