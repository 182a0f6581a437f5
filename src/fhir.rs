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
//! are: FHIR gives a decimal's trailing zeros a meaning, and a signature over the text survives. A byte order mark before
//! the text is part of the layout, or of the skeleton. What is checked is that the text is one JSON object ([RFC 8259]) in
//! UTF-8, which names no member twice and none with a character that is not seen, that it has a `resourceType`, and the
//! limits below: the fields of what passes fit into one [`Record`](crate::record::Record). Whether it is *valid FHIR* is
//! not checked.
//!
//! What is refused is refused with its place: a [`FhirError`] names the byte, and the entry of a bundle. A resource that a
//! record cannot hold, such as one with an attachment over [`MAX_VALUE`], refuses itself alone ([`Entry::split`]), and the
//! other entries of its bundle go on.
//!
//! [RFC 6901]: https://www.rfc-editor.org/rfc/rfc6901
//! [RFC 8259]: https://www.rfc-editor.org/rfc/rfc8259

mod bundle;
mod error;
mod text;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use crate::secret::Secret;
use crate::visible;

pub use bundle::{Bundle, Entry, MAX_BUNDLE, MAX_ENTRIES};
use error::FhirErrorKind as Kind;
pub use error::{FhirError, FhirErrorKind};

/// The path of the field that holds a resource's layout.
pub const LAYOUT: &str = "#layout";

/// Longest text of one resource, in bytes: 16 MiB.
pub const MAX_TEXT: usize = 16 << 20;

/// Most members of one resource. With the layout that makes 4,096 fields.
pub const MAX_MEMBERS: usize = 4095;

/// Longest value of a member, and longest layout, in bytes: what a field holds.
pub const MAX_VALUE: usize = crate::seal::MAX_FIELD;

/// Longest path of a field, in bytes.
pub const MAX_PATH: usize = crate::seal::MAX_PATH;

/// Deepest nesting of arrays and objects in a resource, the outermost object counting as one. In a bundle each resource is
/// counted by itself, as it is elsewhere, and what is around them as if they were not there.
pub const MAX_DEPTH: usize = 128;

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
    /// A [`FhirError`] if the text is not one JSON object and nothing more, but for a byte order mark before it; if an
    /// object's member is named twice (whatever escapes its name is written with) or its name is no part of a
    /// [`FieldPath`](crate::seal::FieldPath); if `resourceType` is missing or is not a string of 1 to 64 ASCII letters and
    /// digits; and beyond [`MAX_TEXT`], [`MAX_MEMBERS`], [`MAX_VALUE`], [`MAX_PATH`] or [`MAX_DEPTH`].
    ///
    /// Only the resource's own object is searched for members named twice, not the objects inside its values.
    pub fn parse(text: &'a str) -> Result<Self, FhirError> {
        let (members, layout) = split(text)?;
        let Header { resource_type, id } = header(text, &members)?;
        let field = |member: &text::Member<'a>| Ok::<_, FhirError>((path(text, member)?, member.value));
        let fields = members.iter().map(field).collect::<Result<_, _>>()?;
        Ok(Self { text, resource_type, id, fields, layout })
    }

    /// Joins the fields of a resource, the layout among them and in any order, to the text that they were split from.
    ///
    /// Takes what [`Resource::fields`] gives, or the same with owned paths and values as bytes. The result is as
    /// secret as the fields were.
    ///
    /// # Errors
    ///
    /// A [`FhirError`] if the layout is missing or is none, if a field is missing, given twice or unknown to the layout,
    /// if a value is not exactly one JSON value (so no value can bring a member of its own), or if the joined text is not
    /// a resource as in [`Resource::parse`].
    pub fn join<P: AsRef<str>, V: AsRef<[u8]>>(
        fields: impl IntoIterator<Item = (P, V)>,
    ) -> Result<Secret<String>, FhirError> {
        // One more than can be right, so that an endless iterator ends here.
        let given: Vec<(P, V)> = fields.into_iter().take(MAX_MEMBERS + 2).collect();
        if given.len() > MAX_MEMBERS + 1 {
            return Err(Kind::TooManyMembers.into());
        }
        let mut values = BTreeMap::new();
        for (path, value) in &given {
            if values.insert(path.as_ref(), value.as_ref()).is_some() {
                return Err(Kind::RepeatedField.into());
            }
        }
        let layout = values.remove(LAYOUT).ok_or(Kind::NoLayout)?;
        let layout = std::str::from_utf8(layout).map_err(|_| Kind::NotAValue)?;
        let (holes, _) = split(layout)?;
        let mut cuts = Vec::with_capacity(holes.len());
        for hole in &holes {
            let here = |kind| FhirError::at(kind, text::start(layout, hole.value));
            let value = values.remove(&*path(layout, hole)?).ok_or(here(Kind::MissingField))?;
            if hole.value != text::HOLE {
                return Err(here(Kind::FilledHole));
            }
            let value = std::str::from_utf8(value).ok().filter(|value| text::is_value(value));
            cuts.push((hole.value, value.ok_or(here(Kind::NotAValue))?));
        }
        if !values.is_empty() {
            return Err(Kind::UnknownField.into());
        }
        let joined = Secret::new(text::splice(layout, &cuts, MAX_TEXT).ok_or(Kind::TextTooLarge)?);
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

    /// The resource's `id`, escapes undone, if it has one. Any string: FHIR's own rule for ids is not enforced. A number or
    /// `null` is no id; it stays the value that it is.
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

/// What a resource says of itself.
struct Header<'a> {
    resource_type: Cow<'a, str>,
    id: Option<Cow<'a, str>>,
}

/// The header of the object in `text` that has these members.
fn header<'a>(text: &str, members: &[text::Member<'a>]) -> Result<Header<'a>, FhirError> {
    let value = |name| members.iter().find(|member| member.name == name).map(|member| member.value);
    let place = value("resourceType").map_or_else(|| text.find('{'), |value| Some(text::start(text, value)));
    let resource_type = value("resourceType").and_then(text::string).filter(|name| is_type_name(name));
    let resource_type = resource_type.ok_or(FhirError::at(Kind::NoResourceType, place.unwrap_or_default()))?;
    Ok(Header { resource_type, id: value("id").and_then(text::string) })
}

/// The members of an object, and its layout. A layout is split as any other object is.
fn split(text: &str) -> Result<(Vec<text::Member<'_>>, String), FhirError> {
    if text.len() > MAX_TEXT {
        return Err(FhirError::at(Kind::TextTooLarge, 0));
    }
    text::check_depth(text, [], MAX_DEPTH)?;
    let object = text::unmarked(text);
    let within = |error: FhirError| error.within(text::start(text, object));
    let members = text::members(object, MAX_MEMBERS).map_err(within)?;
    if let Some(large) = members.iter().find(|member| member.value.len() > MAX_VALUE) {
        return Err(FhirError::at(Kind::ValueTooLarge, text::start(text, large.value)));
    }
    let cuts: Vec<(&str, &str)> = members.iter().map(|member| (member.value, text::HOLE)).collect();
    // Every value has at least one character, so a layout is never longer than its source.
    let layout = text::splice(text, &cuts, MAX_VALUE).ok_or(FhirError::at(Kind::ValueTooLarge, 0))?;
    Ok((members, layout))
}

/// The JSON pointer of a member of an object in `text`.
fn path(text: &str, member: &text::Member<'_>) -> Result<String, FhirError> {
    let name = &member.name;
    let here = |kind| FhirError::at(kind, text::start(text, member.value));
    let escapes = name.bytes().filter(|byte| b"~/".contains(byte)).count();
    let length = name.len().saturating_add(escapes).saturating_add(1);
    if length > MAX_PATH {
        return Err(here(Kind::NameTooLong));
    }
    if !visible::is_visible(name) {
        return Err(here(Kind::HiddenName));
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

fn is_type_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
