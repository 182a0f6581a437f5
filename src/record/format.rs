//! The two forms of a sealed record, from the same serde types.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::MAX_FIELDS;
use super::sealed::{Envelope, Header, SealedRecord, Wrap};
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
/// `{"suite", "header": {"context": {"owner", "record", "schema", "compartment"}, "revision"}, "envelope": {"salt",
/// "commitment"}, "wrap": {"generation", "key"}, "body": {path: {"data", "iv", "tag"}}}`
///
/// In JSON, bytes are unpadded base64url and members may stand in any order. In CBOR they are byte strings, and there is
/// one encoding: members in the order above, paths in the order of their bytes, shortest definite lengths.
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
    /// [`Error::TooLarge`] over [`MAX_JSON`] bytes, or over [`MAX_CBOR`] in the other form, [`Error::UnknownVersion`] if it names another suite,
    /// [`Error::Malformed`] for anything else that is not exactly one record: missing, repeated or unknown members,
    /// non-canonical base64, trailing text.
    pub fn from_json(json: &str) -> Result<Self> {
        if json.len() > MAX_JSON {
            return Err(Error::TooLarge(WHAT));
        }
        let record = serde_json::from_str(json).map_err(|_| why_not(|| serde_json::from_str(json).ok()))?;
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
            Error::Malformed(_) => why_not(|| peek_cbor(bytes)),
            other => other,
        })
    }
}

/// A record that could not be read is of another version if it says so, else malformed.
fn why_not(peek: impl FnOnce() -> Option<Peek>) -> Error {
    match peek() {
        Some(Peek { suite }) if suite != SUITE => Error::UnknownVersion(WHAT),
        _ => Error::Malformed(WHAT),
    }
}

fn peek_cbor<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    cbor4ii::serde::from_slice(bytes).ok()
}

/// The one member that every version has; the rest is skipped.
#[derive(Deserialize)]
struct Peek {
    suite: String,
}

impl Serialize for SealedRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_struct("SealedRecord", 5)?;
        members.serialize_field("suite", SUITE)?;
        members.serialize_field("header", &self.header)?;
        members.serialize_field("envelope", &self.envelope)?;
        members.serialize_field("wrap", &self.wrap)?;
        members.serialize_field("body", &self.body)?;
        members.end()
    }
}

impl<'de> Deserialize<'de> for SealedRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Members {
            suite: Suite,
            #[serde(deserialize_with = "map_only")]
            header: Header,
            #[serde(deserialize_with = "map_only")]
            envelope: Envelope,
            #[serde(deserialize_with = "map_only")]
            wrap: Wrap,
            body: Body,
        }

        let Members { suite: Suite, header, envelope, wrap, body: Body(body) } = map_only(deserializer)?;
        Ok(Self { header, envelope, wrap, body })
    }
}

struct Suite;

impl<'de> Deserialize<'de> for Suite {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if String::deserialize(deserializer)? == SUITE { Ok(Self) } else { Err(D::Error::custom("unknown suite")) }
    }
}

/// Fields by path: one to [`MAX_FIELDS`], each path once. What serde derives for a map keeps the last of two.
struct Body(BTreeMap<FieldPath, SealedField>);

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BodyVisitor).map(Self)
    }
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
        if body.is_empty() { Err(A::Error::custom("no field")) } else { Ok(body) }
    }
}

const WHAT: &str = "sealed record";
