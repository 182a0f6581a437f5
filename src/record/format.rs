//! The two forms of a sealed record, from the same serde types.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::content::{Content, Suite};
use super::envelope::Part;
use super::sealed::SealedRecord;
use super::{MAX_FIELDS, MAX_PARTS};
use crate::error::{Error, Result};
use crate::seal::{FieldPath, SUITE, SealedField};
use crate::wire;
pub(super) use crate::wire::bytes::map_only;

/// Most bytes of a sealed record in CBOR.
pub const MAX_CBOR: usize = 64 * 1024 * 1024;
/// Most bytes of a sealed record in JSON: base64 takes four for three, and white space some. What it says must also fit
/// into [`MAX_CBOR`], so that whatever can be read can be written in both forms.
pub const MAX_JSON: usize = MAX_CBOR / 2 * 3;

/// # Formats
///
/// `{"suite", "content": {"suite", "owner", "record", "schema", "revision", "previous", "time", "parts": [{"compartment",
/// "consent", "revision", "root"}]}, "older": [content], "parts": [{"envelope": {"statement": {"content",
/// "compartment", "time", "salt", "commitment", "root"}, "sealer": field}, "wrap": {"generation", "key":
/// {"symmetric"} or {"written": {"encapped", "data"}}}, "body": {"author": field, "fields": {path: field}}}]}`, a field
/// being `{"data", "iv", "tag"}`.
///
/// In JSON, bytes are unpadded base64url and members may stand in any order. In CBOR they are byte strings, and there is
/// one encoding: members in the order above, paths in the order of their bytes, shortest definite lengths. The
/// [manual](crate::manual) has every byte.
///
/// serde's traits are there for documents that hold records. Other decoders than [`SealedRecord::from_json`] and
/// [`SealedRecord::from_cbor`] check the same members and values, but know neither the limits of length nor the one
/// encoding.
impl SealedRecord {
    /// The JSON form.
    ///
    /// # Errors
    ///
    /// None for a record that was sealed or decoded by this crate.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|_| Error::Malformed(WHAT))
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] over [`MAX_JSON`] bytes, or over [`MAX_CBOR`] in the other form, [`Error::UnknownVersion`] if
    /// it names another suite, [`Error::Malformed`] for anything else that is not exactly one record: missing, repeated
    /// or unknown members, non-canonical base64, trailing text.
    pub fn from_json(json: &str) -> Result<Self> {
        if json.len() > MAX_JSON {
            return Err(Error::TooLarge(WHAT));
        }
        let record = serde_json::from_str(json).map_err(|_| other_suite(serde_json::from_str(json).ok()))?;
        // No record is longer in CBOR than in JSON.
        if json.len() <= MAX_CBOR || wire::fits_cbor(&record, MAX_CBOR) {
            Ok(record)
        } else {
            Err(Error::TooLarge(WHAT))
        }
    }

    /// The CBOR form.
    ///
    /// # Errors
    ///
    /// None for a record that was sealed or decoded by this crate.
    pub fn to_cbor(&self) -> Result<Vec<u8>> {
        wire::to_cbor(self, WHAT)
    }

    /// Reads the CBOR form.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] over [`MAX_CBOR`] bytes, [`Error::UnknownVersion`] if it names another suite,
    /// [`Error::Malformed`] for anything that [`SealedRecord::to_cbor`] would not have written.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self> {
        wire::from_cbor(bytes, MAX_CBOR, WHAT).map_err(|error| match error {
            Error::Malformed(_) => other_suite(cbor4ii::serde::from_slice(bytes).ok()),
            other => other,
        })
    }
}

/// A record that could not be read is of another version if it says so, else malformed.
pub(super) fn other_suite(peek: Option<Peek>) -> Error {
    match peek {
        Some(Peek { suite }) if suite != SUITE => Error::UnknownVersion(WHAT),
        _ => Error::Malformed(WHAT),
    }
}

/// The one member that every version has; the rest is skipped.
#[derive(Deserialize)]
pub(super) struct Peek {
    suite: String,
}

impl Serialize for SealedRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_struct("SealedRecord", 4)?;
        members.serialize_field("suite", SUITE)?;
        members.serialize_field("content", &self.content)?;
        members.serialize_field("older", &self.older)?;
        members.serialize_field("parts", &self.parts)?;
        members.end()
    }
}

impl<'de> Deserialize<'de> for SealedRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Members {
            #[expect(dead_code, reason = "a unit: reading it is all")]
            suite: Suite,
            #[serde(deserialize_with = "map_only")]
            content: Content,
            #[serde(deserialize_with = "maps")]
            older: Vec<Content>,
            #[serde(deserialize_with = "maps")]
            parts: Vec<Part>,
        }

        let Members { content, older, parts, .. } = map_only(deserializer)?;
        Self { content, older, parts }.checked().map_err(|_| D::Error::custom("pieces that do not belong together"))
    }
}

/// Reads at most [`MAX_PARTS`] structs, each from a map.
pub(super) fn maps<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_seq(Maps(PhantomData))
}

struct Maps<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Maps<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(Map(value)) = list.next_element()? {
            if values.len() >= MAX_PARTS {
                return Err(A::Error::custom("too many"));
            }
            values.push(value);
        }
        Ok(values)
    }
}

struct Map<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Map<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        map_only(deserializer).map(Self)
    }
}

/// Fields by path: at most [`MAX_FIELDS`], each path once; none if what was there was taken back. What serde derives for
/// a map keeps the last of two.
pub(super) fn fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<FieldPath, SealedField>, D::Error> {
    deserializer.deserialize_map(BodyVisitor)
}

struct BodyVisitor;

impl<'de> Visitor<'de> for BodyVisitor {
    type Value = BTreeMap<FieldPath, SealedField>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fields by path")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut body = BTreeMap::new();
        while let Some((path, field)) = map.next_entry()? {
            if body.len() >= MAX_FIELDS {
                return Err(A::Error::custom("too many fields"));
            }
            if body.insert(path, field).is_some() {
                return Err(A::Error::custom("a path stands twice"));
            }
        }
        Ok(body)
    }
}

pub(super) const WHAT: &str = "sealed record";
