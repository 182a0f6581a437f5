//! JSON text cut into members and put together again, without reading a value.
//!
//! Everything here works on positions in the source text: values stay the characters that they were.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::error::{FhirError, FhirErrorKind as Kind};

/// What stands for a value that was cut out.
pub(super) const HOLE: &str = "0";

/// The value of what is not there.
pub(super) const NULL: &str = "null";

/// The byte order mark.
const MARK: char = '\u{feff}';

/// One member of a JSON object: its name with the escapes undone, and its value as written.
pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: &'a str,
}

/// A string that is borrowed when it holds no escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// `text` without the byte order mark that it may begin with; the rest stays a slice of it.
pub(super) fn unmarked(text: &str) -> &str {
    text.strip_prefix(MARK).unwrap_or(text)
}

/// The members of the one object that `text` is, in order. Names are unique, at most `limit` of them.
///
/// Syntax is checked in full, by a scanner that does not recurse; nesting is for [`check_depth`].
pub(super) fn members(text: &str, limit: usize) -> Result<Vec<Member<'_>>, FhirError> {
    read(text, Members { limit, only: None }, Kind::ExpectedObject)
}

/// Those of the members of the one object that `text` is that have one of these names, whatever the number of the others.
pub(super) fn pick<'a>(text: &'a str, names: &[&str]) -> Result<Vec<Member<'a>>, FhirError> {
    read(text, Members { limit: names.len(), only: Some(names) }, Kind::ExpectedObject)
}

fn read<'a>(text: &'a str, visitor: Members<'_>, expected: Kind) -> Result<Vec<Member<'a>>, FhirError> {
    let limit = visitor.limit;
    let mut json = serde_json::Deserializer::from_str(text);
    let found = json.deserialize_map(visitor).and_then(|found| json.end().map(|()| found));
    let found = found.map_err(|error| fault(text, &error, expected))?;
    let mut names = BTreeSet::new();
    if let Some(again) = found.iter().find(|member| !names.insert(member.name.as_ref())) {
        return Err(FhirError::at(Kind::RepeatedMember, start(text, again.value)));
    }
    match found.get(limit) {
        Some(over) => Err(FhirError::at(Kind::TooManyMembers, start(text, over.value))),
        None => Ok(found),
    }
}

/// The elements of the one array that `text` is, in order, at most `limit` of them.
pub(super) fn elements(text: &str, limit: usize) -> Result<Vec<&str>, FhirError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let found = json.deserialize_seq(Elements { limit }).and_then(|found| json.end().map(|()| found));
    let found = found.map_err(|error| fault(text, &error, Kind::ExpectedArray))?;
    match found.get(limit) {
        Some(over) => Err(FhirError::at(Kind::TooManyEntries, start(text, over))),
        None => Ok(found),
    }
}

/// What the parser says of `text`; `expected` if it is JSON of another kind.
fn fault(text: &str, error: &serde_json::Error, expected: Kind) -> FhirError {
    if error.is_data() {
        // The kind shows in the first character.
        let value = text.trim_start_matches([' ', '\t', '\r', '\n']);
        return FhirError::at(expected, start(text, value));
    }
    let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let line = lines.fold(0, |sum: usize, line| sum.saturating_add(line.len()));
    // The parser counts the bytes of a line, the one that it stopped at among them.
    let offset = line.saturating_add(error.column()).saturating_sub(1);
    if error.is_eof() {
        return FhirError::at(Kind::NotJson, text.len());
    }
    // Of a control character in a string, it may name the byte before. Up to there, nothing is wrong yet.
    let begun = text.as_bytes().get(..=offset).map(serde_json::from_slice::<IgnoredAny>);
    let early = begun.is_some_and(|read| read.is_err_and(|error| error.is_eof()));
    FhirError::at(Kind::NotJson, offset.saturating_add(early.into()).min(text.len()))
}

/// Which element of the array that is the member `name` of the object in `text` the byte at `offset` lies in. Up to there
/// `text` is JSON, and may be none from there on.
pub(super) fn element_at(text: &str, name: &str, offset: usize) -> Option<usize> {
    let before = text.get(..offset)?;
    let (mut depth, mut quote, mut escaped) = (0usize, None, false);
    // The last string directly in the object, and the element that is under way.
    let (mut last, mut element) = (0..0, None);
    for (at, byte) in before.bytes().enumerate() {
        match (byte, quote) {
            _ if escaped => escaped = false,
            (b'\\', Some(_)) => escaped = true,
            (b'"', Some(start)) => {
                quote = None;
                if depth == 1 {
                    last = start..at.saturating_add(1);
                }
            }
            (b'"', None) => quote = Some(at),
            (b'{' | b'[', None) => {
                depth = depth.saturating_add(1);
                if depth == 2
                    && byte == b'['
                    && text.get(last.clone()).and_then(string).is_some_and(|last| last == name)
                {
                    element = Some(0usize);
                }
            }
            (b'}' | b']', None) => {
                depth = depth.saturating_sub(1);
                element = element.filter(|_| depth > 1);
            }
            (b',', None) if depth == 2 => element = element.map(|element| element.saturating_add(1)),
            _ => {}
        }
    }
    element
}

/// The string that `value`, a JSON value as written, is; `None` if it is another kind of value.
pub(super) fn string(value: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(value).ok().map(|text| text.0)
}

/// Whether `text` is one JSON value with nothing around it, not even white space.
pub(super) fn is_value(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok_and(|value| value.get().len() == text.len())
}

/// Refuses text whose arrays and objects lie deeper than `limit` in each other, the outermost counting as one. What lies
/// in `holes`, which are slices of it in order, is not counted.
///
/// Only brackets outside strings are counted; whether they match is the parser's business.
pub(super) fn check_depth<'a>(
    text: &str,
    holes: impl IntoIterator<Item = &'a str>,
    limit: usize,
) -> Result<(), FhirError> {
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    let mut from = 0;
    let end = text.len()..text.len();
    for hole in holes.into_iter().filter_map(|hole| position(text, hole)).chain([end]) {
        for (at, byte) in text.bytes().enumerate().take(hole.start).skip(from) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'{' | b'[' if !quoted => {
                    depth = depth.saturating_add(1);
                    if depth > limit {
                        return Err(FhirError::at(Kind::TooDeep, at));
                    }
                }
                b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        from = hole.end;
    }
    Ok(())
}

/// Where `part`, a slice of `text`, begins in it.
pub(super) fn start(text: &str, part: &str) -> usize {
    position(text, part).map_or(0, |place| place.start)
}

/// Where `part` lies in `text`, of which it must be a slice.
fn position(text: &str, part: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    text.get(start..end).map(|_| start..end)
}

/// `text` with each of `cuts`, which are slices of it in order, replaced by the text beside it. `None` beyond the limit.
///
/// The length is known before anything is allocated, so that no half-written copy is left behind in memory.
pub(super) fn splice(text: &str, cuts: &[(&str, &str)], limit: usize) -> Option<String> {
    let length = cuts.iter().try_fold(text.len(), |length, (cut, new)| {
        length.checked_sub(cut.len()).and_then(|length| length.checked_add(new.len()))
    });
    let length = length.filter(|length| *length <= limit)?;
    let mut out = String::with_capacity(length);
    let mut from = 0;
    for (cut, new) in cuts {
        let place = position(text, cut)?;
        out.push_str(text.get(from..place.start)?);
        out.push_str(new);
        from = place.end;
    }
    out.push_str(text.get(from..)?);
    Some(out)
}

/// Collects members up to one beyond the limit, and reads over the rest.
struct Members<'n> {
    limit: usize,
    /// The names of those that count, if not all do.
    only: Option<&'n [&'n str]>,
}

impl<'a> Visitor<'a> for Members<'_> {
    type Value = Vec<Member<'a>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(Text(name)) = map.next_key()? {
            let value: &RawValue = map.next_value()?;
            if found.len() <= self.limit && self.only.is_none_or(|only| only.contains(&&*name)) {
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
