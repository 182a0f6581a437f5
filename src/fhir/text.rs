//! JSON text cut into members and put together again, without reading a value.
//!
//! Everything here works on positions in the source text: values stay the characters that they were.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use serde::Deserializer as _;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Error, Result};

/// What stands for a value that was cut out.
pub(super) const HOLE: &str = "0";

/// One member of a JSON object: its name with the escapes undone, and its value as written.
pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: &'a str,
}

/// A string that is borrowed when it holds no escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of the one object that `text` is, in order. Names are unique, at most `limit` of them.
///
/// Syntax is checked in full, by a scanner that does not recurse; nesting is for [`check_depth`].
pub(super) fn members<'a>(text: &'a str, limit: usize, what: &'static str) -> Result<Vec<Member<'a>>> {
    let mut json = serde_json::Deserializer::from_str(text);
    let found = json.deserialize_map(Members { limit }).and_then(|found| json.end().map(|()| found));
    let found = found.map_err(|_| Error::Malformed(what))?;
    if found.len() > limit {
        return Err(Error::TooLarge("number of members of a FHIR object"));
    }
    let mut names = BTreeSet::new();
    if found.iter().all(|member| names.insert(member.name.as_ref())) {
        Ok(found)
    } else {
        Err(Error::Malformed("FHIR text: an object names a member twice"))
    }
}

/// The elements of the one array that `text` is, in order, at most `limit` of them.
pub(super) fn elements<'a>(text: &'a str, limit: usize, what: &'static str) -> Result<Vec<&'a str>> {
    let mut json = serde_json::Deserializer::from_str(text);
    let found = json.deserialize_seq(Elements { limit }).and_then(|found| json.end().map(|()| found));
    let found = found.map_err(|_| Error::Malformed(what))?;
    if found.len() > limit { Err(Error::TooLarge("number of entries of a FHIR bundle")) } else { Ok(found) }
}

/// The string that `value`, a JSON value as written, is; `None` if it is another kind of value.
pub(super) fn string(value: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(value).ok().map(|text| text.0)
}

/// Whether `text` is one JSON value with nothing around it, not even white space.
pub(super) fn is_value(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok_and(|value| value.get().len() == text.len())
}

/// Refuses text whose arrays and objects lie deeper than `limit` in each other, the outermost counting as one.
///
/// Only brackets outside strings are counted; whether they match is the parser's business.
pub(super) fn check_depth(text: &str, limit: usize) -> Result<()> {
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth = depth.saturating_add(1);
                if depth > limit {
                    return Err(Error::TooLarge("nesting of FHIR text"));
                }
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Where `part` lies in `text`, of which it must be a slice.
fn position(text: &str, part: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    text.get(start..end).map(|_| start..end)
}

/// `text` with each of `cuts`, which are slices of it in order, replaced by the text beside it.
///
/// The length is known before anything is allocated, so that no half-written copy is left behind in memory.
pub(super) fn splice(text: &str, cuts: &[(&str, &str)], limit: usize, what: &'static str) -> Result<String> {
    let length = cuts.iter().try_fold(text.len(), |length, (cut, new)| {
        length.checked_sub(cut.len()).and_then(|length| length.checked_add(new.len()))
    });
    let length = length.filter(|length| *length <= limit).ok_or(Error::TooLarge(what))?;
    let mut out = String::with_capacity(length);
    let mut from = 0;
    for (cut, new) in cuts {
        let place = position(text, cut).ok_or(Error::Malformed(what))?;
        out.push_str(text.get(from..place.start).ok_or(Error::Malformed(what))?);
        out.push_str(new);
        from = place.end;
    }
    out.push_str(text.get(from..).ok_or(Error::Malformed(what))?);
    Ok(out)
}

/// Collects members up to one beyond the limit, and reads over the rest.
struct Members {
    limit: usize,
}

impl<'a> Visitor<'a> for Members {
    type Value = Vec<Member<'a>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(Text(name)) = map.next_key()? {
            let value: &RawValue = map.next_value()?;
            if found.len() <= self.limit {
                found.push(Member { name, value: value.get() });
            }
        }
        Ok(found)
    }
}

/// Collects elements up to one beyond the limit, and reads over the rest.
struct Elements {
    limit: usize,
}

impl<'a> Visitor<'a> for Elements {
    type Value = Vec<&'a str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(value) = seq.next_element::<&RawValue>()? {
            if found.len() <= self.limit {
                found.push(value.get());
            }
        }
        Ok(found)
    }
}
