//! A body in segments, so that no value of a store is larger than an engine takes: it is split between fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::MAX_FIELDS;
use super::envelope::Body;
use super::format::{WHAT, fields, map_only};
use super::sealed::SIZE_OF_FIELD;
use crate::error::{Error, Result};
use crate::seal::{FieldPath, SealedField};
use crate::store::MAX_VALUE;
use crate::wire;

/// The first segment of a body.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    /// How many there are, this one counted.
    segments: u8,
    #[serde(deserialize_with = "map_only")]
    author: SealedField,
    #[serde(deserialize_with = "fields")]
    fields: BTreeMap<FieldPath, SealedField>,
}

/// Another segment: the fields that follow those of the one before.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Next {
    #[serde(deserialize_with = "fields")]
    fields: BTreeMap<FieldPath, SealedField>,
}

/// The segments, each canonical CBOR of at most [`MAX_VALUE`] bytes: as many fields in each as there is room for, in the
/// order of their paths.
pub(super) fn split(body: &Body) -> Result<Vec<Vec<u8>>> {
    let mut fields = body.fields.iter();
    let mut parts = counts(body).into_iter().map(|count| {
        let part = fields.by_ref().take(count);
        part.map(|(path, field)| (path.clone(), field.clone())).collect::<BTreeMap<_, _>>()
    });
    let first = parts.next().unwrap_or_default();
    let next: Vec<_> = parts.map(|fields| wire::to_cbor(&Next { fields }, WHAT)).collect();
    let segments = u8::try_from(1 + next.len()).map_err(|_| Error::TooLarge(WHAT))?;
    let first = First { segments, author: body.author.clone(), fields: first };
    std::iter::once(wire::to_cbor(&first, WHAT)).chain(next).collect()
}

/// How many fields each segment has.
fn counts(body: &Body) -> Vec<usize> {
    let (mut counts, mut count, mut size) = (Vec::new(), 0, body.author.data().len());
    for (path, field) in &body.fields {
        let length = path.as_str().len() + field.data().len() + SIZE_OF_FIELD;
        if size + length > SEGMENT {
            counts.push(std::mem::take(&mut count));
            size = 0;
        }
        size += length;
        count += 1;
    }
    counts.push(count);
    counts
}

/// How many segments there are, by the first. The number stands first in it, so that its fields are decoded once, by
/// [`join`].
pub(super) fn count(first: &[u8]) -> Result<usize> {
    match first.strip_prefix(b"\xa3\x68segments") {
        Some([count @ 1..=23, ..] | [0x18, count @ 24..=255, ..]) => Ok((*count).into()),
        _ => Err(Error::Malformed(WHAT)),
    }
}

/// Puts a body together again.
///
/// # Errors
///
/// [`Error::Malformed`] if a segment is missing, is none, or is not as [`split`] makes it.
pub(super) fn join(segments: &[Vec<u8>]) -> Result<Body> {
    let malformed = Error::Malformed(WHAT);
    let (first, rest) = segments.split_first().ok_or(malformed.clone())?;
    let First { segments: count, author, mut fields } = wire::from_cbor(first, MAX_VALUE, WHAT)?;
    if usize::from(count) != segments.len() {
        return Err(malformed);
    }
    let mut found = vec![fields.len()];
    for next in rest {
        let Next { fields: mut next } = wire::from_cbor(next, MAX_VALUE, WHAT)?;
        let follows = match (fields.last_key_value(), next.first_key_value()) {
            (Some((last, _)), Some((first, _))) => last < first,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if !follows || fields.len() + next.len() > MAX_FIELDS {
            return Err(malformed);
        }
        found.push(next.len());
        fields.append(&mut next);
    }
    let body = Body { author, fields };
    // Or whoever keeps the store could give one body several forms.
    if counts(&body) == found { Ok(body) } else { Err(malformed) }
}

/// Most bytes of a segment, but for what stands around its fields. An author's block, or a field, fits in any.
const SEGMENT: usize = MAX_VALUE - (64 << 10);
