//! A sealed record: what it is made of, and what of it can be checked without a key.

use super::author::Author;
use super::block::{AuthorBlock, Resealed, SealerBlock};
use super::content::{Content, ContentPart, Root, hash_of};
use super::envelope::{Body, Envelope, EnvelopeStatement, Part, Wrap, WrapKey, field_header, revision_of};
use super::place::Place;
use super::{Fields, MAX_CBOR, MAX_FIELDS};
use crate::consent::Access;
use crate::error::{Error, Result, Unknown};
use crate::id::{CompartmentId, Generation, Hash, KeyId, OwnerId, RecordId, Revision, SchemaId, Time};
use crate::identity::Signature;
use crate::seal::{Block, Commitment, Dek, FieldPath, PartKey, Salt, SealedField, fill_random};

/// A record as it is stored and sent.
///
/// - the [`Content`] that its author signed, and the older ones that some of its parts were written in;
/// - for each part an envelope (what ties the body to a content), a wrap (the part's key under a compartment key) and a
///   body (the sealed fields).
///
/// A store may give some of the parts only, such as those whose compartments the reader can open. The pieces can be
/// stored apart ([`SealedRecord::pieces`]), and the wraps replaced without touching the rest ([`SealedRecord::rewrap`]).
///
/// # Security
///
/// A value that was decoded is only well-formed: its pieces belong together by their own account. Nothing in it is true
/// before a [`Reader`](super::Reader) opened it, and then as much as the [module](super) says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRecord {
    pub(super) content: Content,
    // INVARIANT: in the order of their revisions, each before that of `content`, which still names a part as each wrote it.
    pub(super) older: Vec<Content>,
    // INVARIANT: in the order of their compartments; see `checked`.
    pub(super) parts: Vec<Part>,
}

impl SealedRecord {
    /// The patient, as the record says.
    pub fn owner(&self) -> &OwnerId {
        &self.content.owner
    }

    /// The record's id, as it says.
    pub fn record(&self) -> &RecordId {
        &self.content.record
    }

    /// The record's schema, as it says.
    pub fn schema(&self) -> &SchemaId {
        &self.content.schema
    }

    /// Which revision it says it is.
    pub fn revision(&self) -> Revision {
        self.content.revision
    }

    /// What its latest author signed.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The hash of the latest content; the next revision names it.
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn hash(&self) -> Result<Hash> {
        Ok(hash_of(&self.content.message()?))
    }

    /// Whether it is the next revision of that record, and takes nothing from it: every part is there still, as it was or
    /// written anew, and the schema is the same.
    ///
    /// Its time says nothing here: one from the future, by somebody who may not write, would shut everybody out.
    pub(crate) fn follows(&self, before: &Self) -> Result<bool> {
        let keeps = |part: &ContentPart| self.content.part(&part.compartment).is_some();
        let kept = self.schema() == before.schema() && before.content.parts.iter().all(keeps);
        Ok(kept && self.supersedes(before)?)
    }

    /// Whether it is the next revision of that record: what it does not write anew or leave out is as it was, and the
    /// contents of that are all here. It is of another schema only if nothing stays.
    pub(crate) fn supersedes(&self, before: &Self) -> Result<bool> {
        let is_new = |part: &ContentPart| part.revision == self.revision();
        let stands = |part: &ContentPart| {
            if is_new(part) {
                self.part(&part.compartment).is_some()
            } else {
                before.content.part(&part.compartment) == Some(part) && self.schema() == before.schema()
            }
        };
        let older = before.older.iter().chain([&before.content]);
        let older = older.filter(|older| self.content.names_a_part_of(older));
        Ok((self.owner(), self.record()) == (before.owner(), before.record())
            && before.revision().0.checked_add(1) == Some(self.revision().0)
            && self.content.previous == Some(before.hash()?)
            && self.content.parts.iter().all(stands)
            && older.eq(&self.older))
    }

    /// Whether it has the same body for a compartment as another record, written in the same content. A body alone says
    /// nothing: whoever sends both records makes the two alike.
    pub(crate) fn has_part_of(&self, other: &Self, compartment: &CompartmentId) -> bool {
        let part = |record: &Self| {
            record.part(compartment).map(|part| {
                let statement = &part.envelope.statement;
                (statement.content, statement.root)
            })
        };
        let written = self.content.part(compartment) == other.content.part(compartment);
        written && part(self).is_some() && part(self) == part(other)
    }

    /// With one part alone, if it has it, written in that content.
    pub(crate) fn only(mut self, compartment: &CompartmentId, content: &Hash) -> Option<Self> {
        self.parts.retain(|part| {
            let statement = &part.envelope.statement;
            (&statement.compartment, &statement.content) == (compartment, content)
        });
        (!self.parts.is_empty()).then_some(self)
    }

    /// The compartments of the parts that are here.
    pub fn compartments(&self) -> impl ExactSizeIterator<Item = &CompartmentId> {
        self.parts.iter().map(|part| &part.envelope.statement.compartment)
    }

    /// The generation of the compartment key that a part's own key is wrapped under.
    pub fn generation(&self, compartment: &CompartmentId) -> Option<Generation> {
        self.part(compartment).map(|part| part.wrap.generation)
    }

    /// The id of that compartment key.
    pub fn key_id(&self, compartment: &CompartmentId) -> Option<KeyId> {
        self.part(compartment).map(|part| part.wrap.id)
    }

    /// The sealed fields of all parts that are here, part by part in the order of their paths.
    pub fn fields(&self) -> impl Iterator<Item = (&FieldPath, &SealedField)> {
        self.parts.iter().flat_map(|part| &part.body.fields)
    }

    /// Moves a part's own key from one compartment key to the next. Everything else stays as it is, and the body is not
    /// even read.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the two are not of one compartment of this record's owner, or the new one has the same
    /// key, is of an earlier consent or was opened for its key alone; [`Error::Unknown`] if the record has no such part;
    /// [`Error::CannotOpen`] if `old` does not open the wrap, or the wrap is of another key than the envelope. The record
    /// is unchanged then.
    ///
    /// # Security
    ///
    /// Whoever kept the part's key, or the old compartment key and the old wrap, can still open this part.
    pub fn rewrap(&mut self, old: &Access, new: &Access) -> Result<()> {
        if (old.owner(), old.compartment()) != (new.owner(), new.compartment()) || old.owner() != self.owner() {
            return Err(Error::ApiMisuse("a rewrap stays in one compartment"));
        }
        new.check_rules()?;
        let unknown = || Error::Unknown(Unknown::Part(old.compartment().clone()));
        let index = self.index(old.compartment()).ok_or_else(unknown)?;
        let part = self.parts.get(index).ok_or_else(unknown)?;
        if new.has_key_of(old) || new.place() < old.place() {
            return Err(Error::ApiMisuse("a rewrap needs a later key"));
        }
        if old.key_id() != part.wrap.id {
            return Err(Error::CannotOpen);
        }
        let dek = part.wrap.open(old, &self.content)?;
        part.envelope.statement.part_key(&dek)?;
        let wrap = Wrap::symmetric(new, &self.content, &dek)?;
        if let Some(part) = self.parts.get_mut(index) {
            part.wrap = wrap;
        }
        Ok(())
    }

    pub(super) fn index(&self, compartment: &CompartmentId) -> Option<usize> {
        self.parts.binary_search_by(|part| part.envelope.statement.compartment.cmp(compartment)).ok()
    }

    pub(super) fn part(&self, compartment: &CompartmentId) -> Option<&Part> {
        self.parts.get(self.index(compartment)?)
    }

    /// The newest content first.
    pub(super) fn contents(&self) -> impl Iterator<Item = &Content> {
        std::iter::once(&self.content).chain(self.older.iter().rev())
    }

    /// Whether the pieces belong together by their own account. What they say is not checked here.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`].
    pub(super) fn checked(self) -> Result<Self> {
        if self.is_well_formed()? { Ok(self) } else { Err(Error::Malformed(super::format::WHAT)) }
    }

    fn is_well_formed(&self) -> Result<bool> {
        let place = (self.owner(), self.record(), self.schema());
        let mut contents = Vec::with_capacity(self.older.len() + 1);
        for content in self.contents() {
            let same = (&content.owner, &content.record, &content.schema) == place;
            let older = contents.last().is_none_or(|(_, newer): &(Hash, &Content)| content.revision < newer.revision);
            if !same || !older || !content.is_well_formed() {
                return Ok(false);
            }
            contents.push((hash_of(&content.message()?), content));
        }

        let mut last: Option<&CompartmentId> = None;
        for part in &self.parts {
            let EnvelopeStatement { content, compartment, .. } = &part.envelope.statement;
            let Some((_, written)) = contents.iter().find(|(hash, _)| hash == content) else {
                return Ok(false);
            };
            // The part is the one that its own content wrote, and the newest content still names the same.
            let entry = written.part(compartment);
            let current = entry.is_some_and(|entry| entry.revision == written.revision);
            if !current || self.content.part(compartment) != entry || last.is_some_and(|last| last >= compartment) {
                return Ok(false);
            }
            last = Some(compartment);
        }
        Ok(!self.parts.is_empty() && self.older.iter().all(|older| self.content.names_a_part_of(older)))
    }

    /// Refuses what would not be read again.
    pub(super) fn within_limits(self) -> Result<Self> {
        let fields = self.fields().map(|(path, field)| path.as_str().len() + field.data().len() + SIZE_OF_FIELD);
        let parts = self.parts.iter().map(|part| {
            let written = if let WrapKey::Written(_) = part.wrap.key { 128 } else { 0 };
            part.envelope.sealer.data().len() + part.body.author.data().len() + written + SIZE_OF_PART
        });
        let contents = self.contents().map(|content| SIZE_OF_HEAD + content.parts.len() * SIZE_OF_ENTRY);
        if self.parts.iter().any(|part| part.body.fields.len() > MAX_FIELDS) {
            return Err(Error::TooLarge("number of fields"));
        }
        let size = fields.chain(parts).chain(contents).fold(0, usize::saturating_add);
        if size > MAX_CBOR { Err(Error::TooLarge("record")) } else { Ok(self) }
    }
}

/// A part on its way to being sealed: its fields are sealed, its content is still to be signed.
pub(super) struct Draft {
    pub(super) entry: ContentPart,
    key: PartKey,
    dek: Dek,
    salt: Salt,
    commitment: Commitment,
    fields: std::collections::BTreeMap<FieldPath, SealedField>,
}

impl Draft {
    /// Seals the fields under a fresh key, each in its own memory, and makes the root over its author and their values.
    ///
    /// `content` says where they belong; its parts and its hash are not looked at.
    pub(super) fn new(
        content: &Content,
        (mut entry, author): (ContentPart, &AuthorBlock),
        fields: Fields,
    ) -> Result<Self> {
        let mut ivs = vec![[0; 12]; fields.len()];
        fill_random(ivs.as_flattened_mut())?;
        let (dek, salt) = (Dek::generate()?, Salt::generate()?);
        let (key, commitment) = PartKey::fresh(&dek, &salt)?;
        let mut header = field_header(content, &entry.compartment)?;
        let mut root = Root::new(&author.rho, &author.by)?;
        let mut sealed = Vec::with_capacity(fields.len());
        for ((path, mut value), iv) in fields.into_iter().zip(ivs) {
            let revision = revision_of(&author.older, &path, entry.revision);
            root.add(&path, revision, &value)?;
            let field = key.seal(&mut header, (&path, revision), iv, &mut value)?;
            sealed.push((path, field));
        }
        entry.root = root.finish();
        Ok(Self { entry, key, dek, salt, commitment, fields: sealed.into_iter().collect() })
    }

    /// Adds the blocks, the envelope and the wrap.
    pub(super) fn finish(
        self,
        (content, hash): (&Content, Hash),
        author: &AuthorBlock,
        sealer: &Sealer<'_>,
        place: &Place<'_>,
    ) -> Result<Part> {
        let Self { entry: ContentPart { compartment, .. }, key, dek, salt, commitment, fields } = self;
        let author = key.seal_block(Block::Author, (&hash, &compartment), &author.encode()?)?;
        let body = Body { author, fields };
        let root = body.root()?;
        let wrap = place.wrap(content, &dek)?;
        let statement = EnvelopeStatement { content: hash, compartment, time: sealer.time, salt, commitment, root };
        let message = statement.message()?;
        let block = match &sealer.before {
            None => {
                let envelope = EnvelopeStatement::hash_of(&message);
                SealerBlock { author: sealer.author.sign_content(&hash, &envelope), resealed: None }
            }
            Some((author, first)) => {
                let (by, signature) = (sealer.author.by().clone(), sealer.author.sign_envelope(&message));
                SealerBlock { author: *author, resealed: Some(Resealed { by, first: *first, signature }) }
            }
        };
        let sealer = key.seal_block(Block::Sealer, (&hash, &statement.compartment), &block.encode()?)?;
        Ok(Part { envelope: Envelope { statement, sealer }, wrap, body })
    }
}

/// Who seals, and when.
pub(super) struct Sealer<'a> {
    pub(super) author: &'a Author<'a>,
    pub(super) time: Time,
    /// What the author signed, and the hash of the first envelope, if it is somebody else who seals now.
    pub(super) before: Option<(Signature, Hash)>,
}

/// Most bytes in CBOR of a content without its parts: five ids of at most 128 bytes, names and lengths.
pub(super) const SIZE_OF_HEAD: usize = 1024;
/// Most bytes in CBOR of a part as its content names it.
pub(super) const SIZE_OF_ENTRY: usize = 256;
/// Most bytes in CBOR of envelope, wrap and names of a part beside its blocks.
pub(super) const SIZE_OF_PART: usize = 768;
/// Most bytes in CBOR of a field beside its path and its data: IV, tag, three names, lengths.
pub(super) const SIZE_OF_FIELD: usize = 64;
