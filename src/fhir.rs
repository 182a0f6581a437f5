//! FHIR R4 text split into fields, and joined again byte for byte.
//!
//! A resource becomes one field for each member of its object, so that each can be sealed by itself:
//!
//! | path | value |
//! |---|---|
//! | `/resourceType`, `/id`, `/code`, ... | the member's value, exactly the characters of the source |
//! | [`LAYOUT`], `#layout` | the source with the value of each member replaced by the one character `0` |
//!
//! A path is the JSON pointer ([RFC 6901]) of the member: `/`, then the name with its JSON escapes undone and with `~`
//! written `~0` and `/` written `~1`. The layout begins with `#`, which no pointer does.
//!
//! The layout is JSON text too. It holds whatever lies between the values: the names as they were written, the order,
//! the white space, the line ends. So the source
//!
//! ```json
//! { "resourceType": "Observation",
//!   "valueQuantity": {"value": 1.10} }
//! ```
//!
//! has the layout
//!
//! ```json
//! { "resourceType": 0,
//!   "valueQuantity": 0 }
//! ```
//!
//! and there is one layout for each source. A [`Bundle`] is cut in the same way: its skeleton is its text with each
//! `entry[].resource` replaced by `0`, which again is the text of a resource, of type `Bundle`, without its contents.
//!
//! Values are never read as numbers, strings or trees, so `1.0`, `1e2` and a decimal of thirty digits stay what they
//! are: FHIR gives a decimal's trailing zeros a meaning, and a signature over the text survives. What is checked is
//! that the text is one JSON object ([RFC 8259]), in UTF-8 without a byte order mark, which names no member twice and
//! none with a character that is not seen, that it has a `resourceType`, and the limits below: the fields of what passes fit into
//! one [`Record`](crate::record::Record). Whether it is *valid FHIR* is not checked.
//!
//! [RFC 6901]: https://www.rfc-editor.org/rfc/rfc6901
//! [RFC 8259]: https://www.rfc-editor.org/rfc/rfc8259

mod bundle;
mod text;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::visible;

pub use bundle::{Bundle, Entry, MAX_BUNDLE, MAX_ENTRIES};

/// The path of the field that holds a resource's layout.
pub const LAYOUT: &str = "#layout";

/// Longest text of one resource, in bytes: 16 MiB.
pub const MAX_TEXT: usize = 16 << 20;

/// Most members of one resource. With the layout that makes 4,096 fields.
pub const MAX_MEMBERS: usize = 4095;

/// Longest path of a field, in bytes.
pub const MAX_PATH: usize = crate::seal::MAX_PATH;

/// Deepest nesting of arrays and objects in a resource or a bundle, the outermost object counting as one.
pub const MAX_DEPTH: usize = 128;

const WHAT: &str = "FHIR resource";

/// A FHIR resource cut into fields; it borrows the text that it was parsed from.
///
/// # Example
///
/// ```
/// use chartseal::fhir::Resource;
///
/// let source = "{\"resourceType\":\"Observation\", \"value\\u0051uantity\": {\"value\": 1.10} }\n";
/// let resource = Resource::parse(source)?;
/// assert_eq!(resource.resource_type(), "Observation");
/// assert_eq!(resource.get("/valueQuantity"), Some("{\"value\": 1.10}"));
///
/// let joined = Resource::join(resource.fields())?;
/// assert_eq!(joined.expose(), source);
///
/// // Every field has to be there, and nothing else.
/// assert!(Resource::join(resource.fields().skip(1)).is_err());
/// assert!(Resource::parse("{\"resourceType\":\"Observation\",\"id\":\"1\",\"id\":\"2\"}").is_err());
/// # Ok::<(), chartseal::Error>(())
/// ```
pub struct Resource<'a> {
    text: &'a str,
    resource_type: Cow<'a, str>,
    id: Option<Cow<'a, str>>,
    fields: Vec<(String, &'a str)>,
    layout: String,
}

impl<'a> Resource<'a> {
    /// Splits the text of one resource.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the text is not one JSON object and nothing more, if an object's member is named twice
    /// (whatever escapes its name is written with) or has a name that is no part of a field's path, if `resourceType` is missing
    /// or is not a string of 1 to 64 ASCII letters and digits, or if there is an `id` that is not a string.
    /// [`Error::TooLarge`] beyond [`MAX_TEXT`], [`MAX_MEMBERS`], [`MAX_PATH`] or [`MAX_DEPTH`].
    ///
    /// Only the resource's own object is searched for members named twice, not the objects inside its values.
    pub fn parse(text: &'a str) -> Result<Self> {
        let (fields, layout) = split(text)?;
        let value = |path| fields.iter().find(|(known, _)| known == path).map(|(_, value)| *value);
        let resource_type = type_name(value("/resourceType"))?;
        let id = match value("/id") {
            None => None,
            Some(id) => Some(text::string(id).ok_or(Error::Malformed("FHIR resource: its `id` is not a string"))?),
        };
        Ok(Self { text, resource_type, id, fields, layout })
    }

    /// Joins the fields of a resource, the layout among them and in any order, to the text that they were split from.
    ///
    /// Takes what [`Resource::fields`] gives, or the same with owned paths and values as bytes. The result is as
    /// secret as the fields were.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the layout is missing or is none, if a field is missing, given twice or unknown to the
    /// layout, if a value is not exactly one JSON value (so no value can bring a member of its own), or if the joined
    /// text is not a resource as in [`Resource::parse`]. [`Error::TooLarge`] beyond the limits there.
    pub fn join<P: AsRef<str>, V: AsRef<[u8]>>(fields: impl IntoIterator<Item = (P, V)>) -> Result<Secret<String>> {
        // One more than can be right, so that an endless iterator ends here.
        let given: Vec<(P, V)> = fields.into_iter().take(MAX_MEMBERS + 2).collect();
        if given.len() > MAX_MEMBERS + 1 {
            return Err(Error::TooLarge("number of FHIR fields"));
        }
        let mut values = BTreeMap::new();
        for (path, value) in &given {
            let value = std::str::from_utf8(value.as_ref()).map_err(|_| Error::Malformed("FHIR field"))?;
            if values.insert(path.as_ref(), value).is_some() {
                return Err(Error::Malformed("FHIR fields: one is given twice"));
            }
        }
        let layout = values.remove(LAYOUT).ok_or(Error::Malformed("FHIR fields: the layout is missing"))?;
        let (holes, _) = split(layout)?;
        let mut cuts = Vec::with_capacity(holes.len());
        for (path, hole) in &holes {
            let value =
                values.remove(path.as_str()).ok_or(Error::Malformed("FHIR fields: one of the layout is missing"))?;
            if *hole != text::HOLE {
                return Err(Error::Malformed("FHIR layout: it holds a value"));
            }
            if !text::is_value(value) {
                return Err(Error::Malformed("FHIR field"));
            }
            cuts.push((*hole, value));
        }
        if !values.is_empty() {
            return Err(Error::Malformed("FHIR fields: one is not of the layout"));
        }
        let joined = Secret::new(text::splice(layout, &cuts, MAX_TEXT, "FHIR text")?);
        Resource::parse(joined.expose())?;
        Ok(joined)
    }

    /// The text that was parsed.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The kind of resource, such as `Observation`: 1 to 64 ASCII letters and digits.
    pub fn resource_type(&self) -> &str {
        &self.resource_type
    }

    /// The resource's `id`, escapes undone, if it has one. Any string: FHIR's own rule for ids is not enforced.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The fields: each member's path and value in the order of the source, then [`LAYOUT`].
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let members = self.fields.iter().map(|(path, value)| (path.as_str(), *value));
        members.chain(std::iter::once((LAYOUT, self.layout.as_str())))
    }

    /// The value at `path` as it is written in the source, or the layout.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.fields().find(|(known, _)| *known == path).map(|(_, value)| value)
    }
}

/// Shows the kind and the number of fields, never what they hold.
impl fmt::Debug for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource").field("resource_type", &self.resource_type).finish_non_exhaustive()
    }
}

/// The paths and values of an object's members, and its layout. A layout is split as any other object is.
fn split(text: &str) -> Result<(Vec<(String, &str)>, String)> {
    if text.len() > MAX_TEXT {
        return Err(Error::TooLarge("FHIR text"));
    }
    text::check_depth(text, MAX_DEPTH)?;
    let members = text::members(text, MAX_MEMBERS, WHAT)?;
    let cuts: Vec<(&str, &str)> = members.iter().map(|member| (member.value, text::HOLE)).collect();
    // Every value has at least one character, so a layout is never longer than its source.
    let layout = text::splice(text, &cuts, MAX_TEXT, "FHIR text")?;
    let fields = members.iter().map(|member| Ok((path(&member.name)?, member.value))).collect::<Result<_>>()?;
    Ok((fields, layout))
}

/// The JSON pointer of a member.
fn path(name: &str) -> Result<String> {
    let escapes = name.bytes().filter(|byte| b"~/".contains(byte)).count();
    let length = name.len().saturating_add(escapes).saturating_add(1);
    if length > MAX_PATH {
        return Err(Error::TooLarge("path of a FHIR field"));
    }
    if !visible::is_visible(name) {
        return Err(Error::Malformed("FHIR resource: a member's name holds what is not seen"));
    }
    let mut path = String::with_capacity(length);
    path.push('/');
    for c in name.chars() {
        match c {
            '~' => path.push_str("~0"),
            '/' => path.push_str("~1"),
            c => path.push(c),
        }
    }
    Ok(path)
}

/// The string that is the value of a `resourceType`.
fn type_name(value: Option<&str>) -> Result<Cow<'_, str>> {
    value
        .and_then(text::string)
        .filter(|name| (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .ok_or(Error::Malformed("FHIR resource: its `resourceType` is missing or is not a name"))
}
