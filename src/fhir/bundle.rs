//! A bundle of resources and its skeleton.

use std::borrow::Cow;
use std::fmt;

use super::error::{FhirError, FhirErrorKind as Kind};
use super::{Header, MAX_DEPTH, Resource, header, text};
use crate::secret::Secret;

/// Longest text of a bundle, in bytes: 64 MiB.
pub const MAX_BUNDLE: usize = 64 << 20;

/// Most entries of a bundle.
pub const MAX_ENTRIES: usize = 1 << 16;

/// Most members of the bundle's own object and of an entry. FHIR defines about ten of either.
const MAX_MEMBERS: usize = 64;

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
    /// Entries without a resource (a deletion in a transaction, a `null`) are left in the skeleton. A resource that is over
    /// a limit, or has a member whose name is no part of a field's path, does not hold up the others: [`Entry::split`]
    /// refuses it, and it has its place in the skeleton and its [text](Entry::text) like any other.
    ///
    /// # Errors
    ///
    /// A [`FhirError`] if the text is not one JSON object and nothing more, but for a byte order mark before it; if its
    /// `resourceType` is not `Bundle`; if `entry` is neither `null` nor an array of objects and `null`s, or a `resource`
    /// neither `null` nor an object; if the bundle or an entry names a member twice, or has more than 64; if a resource is
    /// malformed; beyond [`MAX_BUNDLE`] or [`MAX_ENTRIES`]; and beyond [`MAX_DEPTH`] in what is left when
    /// the resources are taken out.
    pub fn parse(text: &'a str) -> Result<Self, FhirError> {
        let mut entries = Vec::new();
        for Slot { index, full_url, content } in slots(text)? {
            let Header { resource_type, id } = match Resource::parse(content) {
                Ok(Resource { resource_type, id, .. }) => Ok(Header { resource_type, id }),
                Err(error) if error.kind().spares_the_rest() => {
                    text::pick(content, &["resourceType", "id"]).and_then(|members| header(content, &members))
                }
                Err(error) => Err(error),
            }
            .map_err(|error| error.within(text::start(text, content)).in_entry(index))?;
            let start = text::start(text, content);
            entries.push(Entry { index, start, full_url, text: content, resource_type, id });
        }
        let cuts: Vec<(&str, &str)> = entries.iter().map(|entry: &Entry<'_>| (entry.text, text::HOLE)).collect();
        let skeleton = text::splice(text, &cuts, MAX_BUNDLE).ok_or(Kind::TextTooLarge)?;
        Ok(Self { text, entries, skeleton })
    }

    /// Joins a skeleton and the texts of its resources, in order, to the text of the bundle.
    ///
    /// # Errors
    ///
    /// A [`FhirError`] if the skeleton is not a bundle whose resources are all cut out, if the number of resources is not
    /// the number of holes, if a resource is not one JSON value or has white space before or after it, or if the joined
    /// text is not a bundle as in [`Bundle::parse`].
    pub fn join<R: AsRef<str>>(
        skeleton: &str,
        resources: impl IntoIterator<Item = R>,
    ) -> Result<Secret<String>, FhirError> {
        let holes = slots(skeleton)?;
        // One more than can be right, so that an endless iterator ends here.
        let resources: Vec<R> = resources.into_iter().take(holes.len().saturating_add(1)).collect();
        if resources.len() != holes.len() {
            return Err(Kind::ResourceCount.into());
        }
        let mut cuts = Vec::with_capacity(holes.len());
        for (hole, resource) in holes.iter().zip(&resources) {
            let here = |kind| FhirError::at(kind, text::start(skeleton, hole.content)).in_entry(hole.index);
            if hole.content != text::HOLE {
                return Err(here(Kind::FilledHole));
            }
            if !text::is_value(resource.as_ref()) {
                return Err(here(Kind::NotAValue));
            }
            // Read again, the entry would be one without a resource.
            if resource.as_ref() == text::NULL {
                return Err(here(Kind::ExpectedObject));
            }
            cuts.push((hole.content, resource.as_ref()));
        }
        let joined = Secret::new(text::splice(skeleton, &cuts, MAX_BUNDLE).ok_or(Kind::TextTooLarge)?);
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
    /// resources (`fullUrl`, `request`), and can be sealed as a [`Resource`] of its own, as long as its `entry` fits into a
    /// field.
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
    index: usize,
    start: usize,
    full_url: Option<Cow<'a, str>>,
    text: &'a str,
    resource_type: Cow<'a, str>,
    id: Option<Cow<'a, str>>,
}

impl<'a> Entry<'a> {
    /// Its place in the bundle's `entry`, counted from 0, those without a resource too.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The entry's `fullUrl`, escapes undone, if it has one. What is no string is none.
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
    /// A [`FhirError`] if the resource is one that a record cannot hold: it is over a limit of [`Resource::parse`], such as
    /// with an attachment over [`MAX_VALUE`](super::MAX_VALUE), or the name of a member is no part of a field's path.
    pub fn split(&self) -> Result<Resource<'a>, FhirError> {
        Resource::parse(self.text).map_err(|error| error.within(self.start).in_entry(self.index))
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
    index: usize,
    full_url: Option<Cow<'a, str>>,
    content: &'a str,
}

/// The places of the resources in a bundle or in a skeleton.
fn slots(bundle: &str) -> Result<Vec<Slot<'_>>, FhirError> {
    if bundle.len() > MAX_BUNDLE {
        return Err(FhirError::at(Kind::TextTooLarge, 0));
    }
    let object = text::unmarked(bundle);
    // Of an error within the object: where that is in the whole, and which entry it is in.
    let placed = |error: FhirError| {
        let entry = error.offset().and_then(|offset| text::element_at(object, "entry", offset));
        let error = error.within(text::start(bundle, object));
        entry.map_or(error, |entry| error.in_entry(entry))
    };
    let members = text::members(object, MAX_MEMBERS).map_err(placed)?;
    let Header { resource_type, .. } = header(bundle, &members)?;
    let value = |name| members.iter().find(|member| member.name == name).map(|member| member.value);
    if resource_type != "Bundle" {
        let place = value("resourceType").map_or(0, |value| text::start(bundle, value));
        return Err(FhirError::at(Kind::NotABundle, place));
    }
    let mut slots = Vec::new();
    if let Some(entries) = value("entry").filter(|entries| *entries != text::NULL) {
        let whole = entries;
        let entries = text::elements(whole, MAX_ENTRIES);
        let entries = entries.map_err(|error| placed(error.within(text::start(object, whole))))?;
        for (index, entry) in entries.into_iter().enumerate().filter(|(_, entry)| *entry != text::NULL) {
            let slot = slot(index, entry).map_err(|error| error.within(text::start(bundle, entry)).in_entry(index))?;
            slots.extend(slot);
        }
    }
    text::check_depth(object, slots.iter().map(|slot| slot.content), MAX_DEPTH).map_err(placed)?;
    Ok(slots)
}

/// The place of the resource in an entry that is not `null`, if it has one.
fn slot(index: usize, entry: &str) -> Result<Option<Slot<'_>>, FhirError> {
    let members = text::members(entry, MAX_MEMBERS)?;
    let value = |name| members.iter().find(|member| member.name == name).map(|member| member.value);
    let full_url = value("fullUrl").and_then(text::string);
    let content = value("resource").filter(|resource| *resource != text::NULL);
    Ok(content.map(|content| Slot { index, full_url, content }))
}
