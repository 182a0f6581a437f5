//! A bundle of resources and its skeleton.

use std::borrow::Cow;
use std::fmt;

use super::{MAX_DEPTH, Resource, text, type_name};
use crate::error::{Error, Result};
use crate::secret::Secret;

/// Longest text of a bundle, in bytes: 64 MiB.
pub const MAX_BUNDLE: usize = 64 << 20;

/// Most entries of a bundle.
pub const MAX_ENTRIES: usize = 1 << 16;

/// Most members of the bundle's own object and of an entry. FHIR defines about ten of either.
const MAX_MEMBERS: usize = 64;

const WHAT: &str = "FHIR bundle";

/// A FHIR bundle cut into the resources of its entries; it borrows the text that it was parsed from.
///
/// # Example
///
/// ```
/// use chartseal::fhir::Bundle;
///
/// let source = r#"{"resourceType":"Bundle","type":"collection",
///     "entry":[{"fullUrl":"urn:uuid:6f1c","resource":{"resourceType":"Patient","id":"6f1c"}}]}"#;
/// let bundle = Bundle::parse(source)?;
/// let patient = &bundle.entries()[0];
/// assert_eq!((patient.full_url(), patient.resource_type(), patient.id()), (Some("urn:uuid:6f1c"), "Patient", Some("6f1c")));
///
/// let resources: Vec<&str> = bundle.entries().iter().map(|entry| entry.text()).collect();
/// assert_eq!(Bundle::join(bundle.skeleton(), &resources)?.expose(), source);
///
/// // One resource for each hole, and no other number of them.
/// assert!(Bundle::join(bundle.skeleton(), [patient.text(); 2]).is_err());
/// # Ok::<(), chartseal::Error>(())
/// ```
pub struct Bundle<'a> {
    text: &'a str,
    entries: Vec<Entry<'a>>,
    skeleton: String,
}

impl<'a> Bundle<'a> {
    /// Finds the resources of a bundle, and checks each as [`Resource::parse`] does.
    ///
    /// Entries without a resource (a deletion in a transaction) are left in the skeleton.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the text is not one JSON object and nothing more, if its `resourceType` is not `Bundle`,
    /// if `entry` is not an array of objects, if a `fullUrl` is not a string, if the bundle or an entry names a member
    /// twice, or if a resource is malformed. [`Error::TooLarge`] beyond [`MAX_BUNDLE`], [`MAX_ENTRIES`],
    /// [`MAX_DEPTH`](super::MAX_DEPTH) for the whole text, 64 members of the bundle or of an entry, or a limit of a
    /// resource.
    pub fn parse(text: &'a str) -> Result<Self> {
        let mut entries = Vec::new();
        for Slot { full_url, content } in slots(text)? {
            let Resource { resource_type, id, .. } = Resource::parse(content)?;
            entries.push(Entry { full_url, text: content, resource_type, id });
        }
        let cuts: Vec<(&str, &str)> = entries.iter().map(|entry: &Entry<'_>| (entry.text, text::HOLE)).collect();
        let skeleton = text::splice(text, &cuts, MAX_BUNDLE, WHAT)?;
        Ok(Self { text, entries, skeleton })
    }

    /// Joins a skeleton and the texts of its resources, in order, to the text of the bundle.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the skeleton is not a bundle whose resources are all cut out, if the number of resources
    /// is not the number of holes, if a resource has white space before or after it, or if the joined text is not a
    /// bundle as in [`Bundle::parse`]. [`Error::TooLarge`] beyond the limits there.
    pub fn join<R: AsRef<str>>(skeleton: &str, resources: impl IntoIterator<Item = R>) -> Result<Secret<String>> {
        let holes = slots(skeleton)?;
        // One more than can be right, so that an endless iterator ends here.
        let resources: Vec<R> = resources.into_iter().take(holes.len().saturating_add(1)).collect();
        if resources.len() != holes.len() {
            return Err(Error::Malformed("FHIR bundle: the number of resources is not that of the skeleton"));
        }
        let mut cuts = Vec::with_capacity(holes.len());
        for (hole, resource) in holes.iter().zip(&resources) {
            if hole.content != text::HOLE {
                return Err(Error::Malformed("FHIR bundle skeleton: it holds a resource"));
            }
            if !text::is_value(resource.as_ref()) {
                return Err(Error::Malformed("FHIR resource"));
            }
            cuts.push((hole.content, resource.as_ref()));
        }
        let joined = Secret::new(text::splice(skeleton, &cuts, MAX_BUNDLE, "FHIR bundle")?);
        Bundle::parse(joined.expose())?;
        Ok(joined)
    }

    /// The text that was parsed.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The entries that have a resource, in order.
    pub fn entries(&self) -> &[Entry<'a>] {
        &self.entries
    }

    /// The text with each resource replaced by `0`: what [`Bundle::join`] takes. It still shows what stands beside the
    /// resources (`fullUrl`, `request`), and can be sealed as a [`Resource`] of its own.
    pub fn skeleton(&self) -> &str {
        &self.skeleton
    }
}

/// Shows the number of entries, never what they hold.
impl fmt::Debug for Bundle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

/// One resource of a [`Bundle`], as it stands there.
#[derive(Clone)]
pub struct Entry<'a> {
    full_url: Option<Cow<'a, str>>,
    text: &'a str,
    resource_type: Cow<'a, str>,
    id: Option<Cow<'a, str>>,
}

impl<'a> Entry<'a> {
    /// The entry's `fullUrl`, escapes undone, if it has one.
    pub fn full_url(&self) -> Option<&str> {
        self.full_url.as_deref()
    }

    /// The resource's text, from its opening brace to its closing one.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The kind of resource, as [`Resource::resource_type`].
    pub fn resource_type(&self) -> &str {
        &self.resource_type
    }

    /// The resource's `id`, as [`Resource::id`].
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Splits the resource into fields.
    ///
    /// # Errors
    ///
    /// None: the bundle was parsed with this resource in it. The result only spares the crate a panic.
    pub fn split(&self) -> Result<Resource<'a>> {
        Resource::parse(self.text)
    }
}

/// Shows the kind of resource, never what it holds.
impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("resource_type", &self.resource_type).finish_non_exhaustive()
    }
}

/// The place of a resource in a bundle or in a skeleton.
struct Slot<'a> {
    full_url: Option<Cow<'a, str>>,
    content: &'a str,
}

/// The places of the resources in a bundle or in a skeleton.
fn slots(bundle: &str) -> Result<Vec<Slot<'_>>> {
    if bundle.len() > MAX_BUNDLE {
        return Err(Error::TooLarge(WHAT));
    }
    text::check_depth(bundle, MAX_DEPTH)?;
    let members = text::members(bundle, MAX_MEMBERS, WHAT)?;
    let value = |name| members.iter().find(|member| member.name == name).map(|member| member.value);
    if type_name(value("resourceType"))? != "Bundle" {
        return Err(Error::Malformed("FHIR bundle: its `resourceType` is not `Bundle`"));
    }
    let Some(entries) = value("entry") else { return Ok(Vec::new()) };
    let mut slots = Vec::new();
    for entry in text::elements(entries, MAX_ENTRIES, WHAT)? {
        let members = text::members(entry, MAX_MEMBERS, WHAT)?;
        let value = |name| members.iter().find(|member| member.name == name).map(|member| member.value);
        let full_url = match value("fullUrl") {
            None => None,
            Some(url) => Some(text::string(url).ok_or(Error::Malformed("FHIR bundle: a `fullUrl` is not a string"))?),
        };
        if let Some(content) = value("resource") {
            slots.push(Slot { full_url, content });
        }
    }
    Ok(slots)
}
