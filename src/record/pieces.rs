//! A sealed record in pieces, each under a key of its own in a store.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::content::{Content, ContentPart, hash_of};
use super::envelope::{Envelope, Part, Wrap};
use super::format::{MAX_CBOR, WHAT, map_only, maps, other_suite};
use super::sealed::SealedRecord;
use super::segments;
use crate::error::{Error, Result};
use crate::id::{CompartmentId, Hash, OwnerId, RecordId, Revision};
use crate::store::space::{self, PartKeys};
use crate::wire;

/// The piece that says what the others are.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    #[serde(deserialize_with = "map_only")]
    content: Content,
    #[serde(deserialize_with = "maps")]
    older: Vec<Content>,
}

impl Contents {
    /// The parts, each with the hash of the content that wrote it. Those whose content is not here are left out: they
    /// open for nobody.
    fn parts(&self) -> Result<Vec<(Hash, &ContentPart)>> {
        let mut parts = Vec::with_capacity(self.content.parts.len());
        for written in self.older.iter().chain([&self.content]) {
            let hash = hash_of(&written.message()?);
            parts.extend(self.content.parts.iter().filter(|part| written.wrote(part)).map(|part| (hash, part)));
        }
        parts.sort_by(|(_, a), (_, b)| a.compartment.cmp(&b.compartment));
        Ok(parts)
    }
}

/// What a record's first piece names.
pub(crate) struct Named {
    pub(crate) revision: Revision,
    /// How many parts there are.
    pub(crate) count: usize,
    /// The keys of their envelopes, of those whose content is here.
    pub(crate) envelopes: Vec<String>,
}

/// # Pieces
///
/// ```text
/// content/owner/record                           latest content and the older ones; replaced by an amendment
/// envelope/owner/compartment/record/hash         replaced by a re-seal
/// wrap/owner/compartment/record/root             replaced by a rewrap
/// body/owner/compartment/record/root/number      a segment of the body; never replaced
/// ```
///
/// `hash` is that of the content that the part was written in, `root` that of the body, both in base64url; `/` is in no
/// id. `number` counts from `00`, in two digits: a body is split between its fields, so that no piece is larger than
/// [`MAX_VALUE`](crate::store::MAX_VALUE). Each is canonical CBOR. So an amendment, a re-seal and a rewrap each write new
/// keys first and then take effect by the exchange of one; and two amendments of one record never write the same key.
impl SealedRecord {
    /// The pieces, by key.
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn pieces(&self) -> Result<BTreeMap<String, Vec<u8>>> {
        let mut pieces = BTreeMap::new();
        let contents = Contents { content: self.content.clone(), older: self.older.clone() };
        pieces.insert(Self::content_key(self.owner(), self.record()), wire::to_cbor(&contents, WHAT)?);
        for part in &self.parts {
            let statement = &part.envelope.statement;
            let keys = keys(&self.content, &statement.compartment);
            pieces.insert(keys.envelope(&statement.content), wire::to_cbor(&part.envelope, WHAT)?);
            pieces.insert(keys.wrap(&statement.root), wire::to_cbor(&part.wrap, WHAT)?);
            for (number, segment) in segments::split(&part.body)?.into_iter().enumerate() {
                pieces.insert(keys.segment(&statement.root, number), segment);
            }
        }
        Ok(pieces)
    }

    /// The key of a record's first piece.
    pub fn content_key(owner: &OwnerId, record: &RecordId) -> String {
        space::content(owner, record)
    }

    /// The hash of the latest content in a record's first piece.
    pub(crate) fn latest_content(owner: &OwnerId, record: &RecordId, contents: &[u8]) -> Result<Hash> {
        let Contents { content, .. } = decode_contents(contents)?;
        if (&content.owner, &content.record) != (owner, record) {
            return Err(Error::Malformed(WHAT));
        }
        Ok(hash_of(&content.message()?))
    }

    /// What a record's first piece names.
    pub(crate) fn named(owner: &OwnerId, record: &RecordId, contents: &[u8]) -> Result<Named> {
        let first = BTreeMap::from([(Self::content_key(owner, record), contents.to_vec())]);
        let envelopes = Self::missing(owner, record, &first)?;
        let Contents { content, .. } = decode_contents(contents)?;
        Ok(Named { revision: content.revision, count: content.parts.len(), envelopes })
    }

    /// The keys of the pieces that are still missing, by those that are here: first the envelopes, then wraps and the first
    /// segments of bodies, then the other segments. Leave out what only other readers need, and put the rest in until
    /// nothing that you want is missing.
    ///
    /// # Errors
    ///
    /// As for [`SealedRecord::from_pieces`].
    pub fn missing(owner: &OwnerId, record: &RecordId, pieces: &BTreeMap<String, Vec<u8>>) -> Result<Vec<String>> {
        let first = Self::content_key(owner, record);
        let Some(contents) = pieces.get(&first) else {
            return Ok(vec![first]);
        };
        let contents = decode_contents(contents)?;
        if (&contents.content.owner, &contents.content.record) != (owner, record) {
            return Err(Error::Malformed(WHAT));
        }
        let mut missing = Vec::new();
        for (hash, entry) in contents.parts()? {
            let keys = keys(&contents.content, &entry.compartment);
            let key = keys.envelope(&hash);
            let Some(envelope) = pieces.get(&key) else {
                missing.push(key);
                continue;
            };
            let Envelope { statement, .. } = decode(envelope)?;
            let segment = |number| keys.segment(&statement.root, number);
            let count = pieces.get(&segment(0)).map_or(Ok(1), |first| segments::count(first))?;
            let rest = std::iter::once(keys.wrap(&statement.root)).chain((0..count).map(segment));
            missing.extend(rest.filter(|key| !pieces.contains_key(key)));
        }
        Ok(missing)
    }

    /// Puts a record together from its pieces. Parts of which no envelope is there are left out.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the first piece is missing, another has no place, the pieces of a part are not complete, or
    /// they do not belong together; [`Error::UnknownVersion`] if the first piece names another suite; [`Error::TooLarge`]
    /// over [`MAX_CBOR`].
    pub fn from_pieces(owner: &OwnerId, record: &RecordId, mut pieces: BTreeMap<String, Vec<u8>>) -> Result<Self> {
        let size = pieces.values().map(Vec::len).fold(0, usize::saturating_add);
        if size > MAX_CBOR {
            return Err(Error::TooLarge(WHAT));
        }
        let contents = pieces.remove(&Self::content_key(owner, record)).ok_or(Error::Malformed(WHAT))?;
        let contents = decode_contents(&contents)?;
        if (&contents.content.owner, &contents.content.record) != (owner, record) {
            return Err(Error::Malformed(WHAT));
        }
        let mut parts = Vec::new();
        for (hash, entry) in contents.parts()? {
            let keys = keys(&contents.content, &entry.compartment);
            let Some(envelope) = pieces.remove(&keys.envelope(&hash)) else {
                continue;
            };
            let envelope: Envelope = decode(&envelope)?;
            let root = envelope.statement.root;
            let wrap: Wrap = decode(&pieces.remove(&keys.wrap(&root)).ok_or(Error::Malformed(WHAT))?)?;
            let first = pieces.remove(&keys.segment(&root, 0)).ok_or(Error::Malformed(WHAT))?;
            let count = segments::count(&first)?;
            let mut body = vec![first];
            for number in 1..count {
                body.push(pieces.remove(&keys.segment(&root, number)).ok_or(Error::Malformed(WHAT))?);
            }
            parts.push(Part { envelope, wrap, body: segments::join(&body)? });
        }
        if !pieces.is_empty() {
            return Err(Error::Malformed(WHAT));
        }
        let Contents { content, older } = contents;
        Self { content, older, parts }.checked()
    }
}

fn keys<'a>(content: &'a Content, compartment: &'a CompartmentId) -> PartKeys<'a> {
    PartKeys { owner: &content.owner, compartment, record: &content.record }
}

fn decode<T: Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    wire::from_cbor(bytes, MAX_CBOR, WHAT)
}

fn decode_contents(bytes: &[u8]) -> Result<Contents> {
    #[derive(Deserialize)]
    struct Peek {
        content: super::format::Peek,
    }

    decode(bytes).map_err(|error| match error {
        Error::Malformed(_) => other_suite(cbor4ii::serde::from_slice(bytes).ok().map(|Peek { content }| content)),
        other => other,
    })
}
