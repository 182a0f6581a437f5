//! Opening records.

use std::fmt;

use super::Fields;
use super::author::{Writer, both};
use super::block::{AuthorBlock, Resealed, SealerBlock};
use super::content::{Content, Root, hash_of};
use super::envelope::{EnvelopeStatement, Part, field_header, revision_of};
use super::sealed::SealedRecord;
use super::signer::Signers;
use super::view::{Field, Resealing, Value, View, ViewPart};
use crate::authority::Trust;
use crate::consent::{Access, CLOCK_SKEW, Devices, WriteRule};
use crate::error::{Error, Result};
use crate::id::{Hash, Time, Version};
use crate::identity::Signature;
use crate::seal::{Block, FieldHeader, PartKey, label};

/// Opens records, and checks who wrote them.
///
/// It remembers the credentials that it verified, so keep one for as long as trust and time stay the same: of 1,000
/// records by one author, the credential is verified once.
///
/// # Example
///
/// See [`Record`](super::Record).
pub struct Reader<'a> {
    signers: Signers<'a>,
    now: Time,
}

/// A part whose author and sealer were verified; its values are still sealed.
struct OpenPart {
    index: usize,
    key: PartKey,
    header: FieldHeader,
    block: AuthorBlock,
    /// The author's signature, and the hash of the envelope that it is about.
    signed: (Signature, Hash),
    place: ViewPart,
    root: Hash,
}

impl<'a> Reader<'a> {
    /// Believes whom `trust` believes, and takes `now` for the time.
    pub fn new(trust: &'a Trust, now: Time) -> Self {
        Self { signers: Signers::new(trust), now }
    }

    /// Believes an owner's devices, too. Of several lists of one owner the newest counts.
    pub fn devices(mut self, devices: Devices) -> Self {
        self.signers.add(devices);
        self
    }

    /// Opens every part of a record that one of `accesses` opens: those of the owner, the compartment and the key that the
    /// part is wrapped under. What none opens stays closed, and is counted.
    ///
    /// A part that is wrong spoils the whole: nothing of the record is shown. To see the rest, leave the access to that
    /// part out.
    ///
    /// The author has to satisfy the write policy of the consent that the content names, if its access is there, or of a
    /// later one that is there and was signed before the content was written; or else that of the newest one for the
    /// compartment. Give old accesses, too, where a later consent took a right to write
    /// away from somebody whose earlier words shall stand.
    ///
    /// # Errors
    ///
    /// - [`Error::CannotOpen`] if no part opens, or one whose key is there was altered or mixed from others;
    /// - [`Error::Forged`] if what an author or sealer signed is something else, or two parts contradict each other;
    /// - [`Error::NotAllowed`] if the author may not write there;
    /// - [`Error::Expired`] if the author's credential was not valid when the content was written, or the consent that it
    ///   names had ended by then, or the content is written in the future; [`Error::Revoked`] if it was revoked by then;
    /// - [`Error::Unknown`] if nobody vouches for the author.
    pub fn open(&self, record: &SealedRecord, accesses: &[&Access]) -> Result<View> {
        let mut fields = Vec::new();
        let mut places = Vec::new();
        for mut open in self.parts(record, accesses, true)? {
            let part = record.parts.get(open.index).ok_or(Error::CannotOpen)?;
            let mut root = Root::new(&open.block.rho, &open.block.by)?;
            for (path, field) in &part.body.fields {
                let revision = revision_of(&open.block.older, path, open.place.revision);
                let value = open.key.open(&mut open.header, (path, revision), field)?;
                root.add(path, revision, &value)?;
                fields.push(Field { path: path.clone(), revision, value: Value::new(value) });
            }
            places.push(open.finish(root)?);
        }
        View::new(record, fields, places)
    }

    /// Opens a record like [`Reader::open`], each value in the memory of its ciphertext: no copy is made.
    ///
    /// # Errors
    ///
    /// As for [`Reader::open`]; the record is gone then, too.
    pub fn into_view(&self, mut record: SealedRecord, accesses: &[&Access]) -> Result<View> {
        let mut fields = Vec::new();
        let mut places = Vec::new();
        for mut open in self.parts(&record, accesses, true)? {
            let part = record.parts.get_mut(open.index).ok_or(Error::CannotOpen)?;
            let mut root = Root::new(&open.block.rho, &open.block.by)?;
            for (path, field) in std::mem::take(&mut part.body.fields) {
                let revision = revision_of(&open.block.older, &path, open.place.revision);
                let value = open.key.open_owned(&mut open.header, (&path, revision), field)?;
                root.add(&path, revision, &value)?;
                fields.push(Field { path, revision, value: Value::new(value) });
            }
            places.push(open.finish(root)?);
        }
        View::new(&record, fields, places)
    }

    /// The values of one part, verified, its author's block, and what its author signed. Not whether she was allowed to.
    pub(super) fn values(
        &self,
        record: &SealedRecord,
        index: usize,
        access: &Access,
    ) -> Result<(Fields, AuthorBlock, (Signature, Hash))> {
        let mut parts = self.parts(record, &[access], false)?.into_iter();
        let mut open = parts.find(|open| open.index == index).ok_or(Error::CannotOpen)?;
        let part = record.parts.get(index).ok_or(Error::CannotOpen)?;
        let mut root = Root::new(&open.block.rho, &open.block.by)?;
        let mut fields = Fields::new();
        for (path, field) in &part.body.fields {
            let revision = revision_of(&open.block.older, path, open.place.revision);
            let value = open.key.open(&mut open.header, (path, revision), field)?;
            root.add(path, revision, &value)?;
            fields.insert(path.clone(), value);
        }
        if root.finish() == open.root { Ok((fields, open.block, open.signed)) } else { Err(Error::Forged("content")) }
    }

    /// Unwraps and verifies every part that one of `accesses` opens, and that they are of one record. Whether the authors
    /// were allowed to write, and their keys counted then, is looked at if it is `judged`.
    fn parts(&self, record: &SealedRecord, accesses: &[&Access], judged: bool) -> Result<Vec<OpenPart>> {
        let contents = hashes(record)?;
        let mut open = Vec::new();
        let mut signed = Vec::new();
        for (index, part) in record.parts.iter().enumerate() {
            let own = |access: &&&Access| {
                access.owner() == record.owner() && access.compartment() == &part.envelope.statement.compartment
            };
            let named = &part.envelope.statement.content;
            let mut keys = accesses.iter().filter(own).copied();
            let Some(access) = keys.find(|access| access.key_id() == part.wrap.id) else { continue };
            let (hash, content) = contents.iter().find(|(hash, _)| hash == named).ok_or(Error::CannotOpen)?;
            let rules: Vec<&Access> = accesses.iter().filter(own).copied().collect();
            open.push(self.part((index, part), (hash, content), access, judged.then_some(&rules))?);
            signed.push(*content);
        }
        if open.is_empty() {
            return Err(Error::CannotOpen);
        }
        // Every content that was signed and names a part that it did not write names the one that is here.
        for content in &signed {
            for (part, written) in open.iter().zip(&signed) {
                let named = content.part(&part.place.compartment);
                let agrees = named == written.part(&part.place.compartment);
                if !agrees && content.revision >= written.revision {
                    return Err(Error::Forged("content"));
                }
            }
        }
        Ok(open)
    }

    fn part(
        &self,
        (index, part): (usize, &Part),
        (hash, content): (&Hash, &Content),
        access: &Access,
        rules: Option<&[&Access]>,
    ) -> Result<OpenPart> {
        let statement = &part.envelope.statement;
        let EnvelopeStatement { compartment, .. } = statement;
        let dek = part.wrap.open(access, content)?;
        let key = statement.part_key(&dek)?;
        if part.body.root()? != statement.root {
            return Err(Error::CannotOpen);
        }
        let place = (hash, compartment);
        let block = AuthorBlock::decode(&key.open_block(Block::Author, place, &part.body.author)?)?;
        let sealer = SealerBlock::decode(&key.open_block(Block::Sealer, place, &part.envelope.sealer)?)?;

        let author = match rules {
            Some(_) => self.signers.find(&block.by, &content.owner, content.time)?,
            None => self.signers.find_any(&block.by, &content.owner)?,
        };
        let message = statement.message()?;
        let mut resealed = None;
        let first = match &sealer.resealed {
            None => EnvelopeStatement::hash_of(&message),
            Some(Resealed { by, first, signature }) => {
                // That the values are the author's, her own signature says; a device that was removed since, or while it
                // sealed, takes nothing away from them.
                let sealer = self.signers.find_any(by, &content.owner)?;
                if !matches!(sealer.writer, Writer::Device { .. }) {
                    return Err(Error::NotAllowed);
                }
                if !sealer.key.verify(label::SIGN_ENVELOPE, &message, signature) {
                    return Err(Error::Forged("envelope"));
                }
                resealed = Some(Resealing { by: sealer.writer, time: statement.time });
                *first
            }
        };
        if !author.key.verify(label::SIGN_CONTENT, &both(hash, &first), &sealer.author) {
            return Err(Error::Forged("content"));
        }

        if content.time > self.now.plus(CLOCK_SKEW) {
            return Err(Error::Expired("content"));
        }
        let entry = content.part(compartment).ok_or(Error::CannotOpen)?;
        if let (Writer::Person { authority, .. }, Some(attributes), Some(rules)) =
            (&author.writer, &author.attributes, rules)
        {
            let ruling = ruling(rules, entry.consent, content.time);
            let mut admitting = ruling.iter().filter(|rule| rule.admits(authority, attributes)).peekable();
            if admitting.peek().is_none() {
                return Err(Error::NotAllowed);
            }
            let ended = |rule: &WriteRule<'_>| {
                let ended = rule.not_after.is_some_and(|end| end.plus(CLOCK_SKEW) < content.time);
                ended && rule.versions.contains(&entry.consent)
            };
            if admitting.all(ended) {
                return Err(Error::Expired("consent"));
            }
        }
        let current = |revision| revision < content.revision;
        let known =
            block.older.iter().all(|(path, revision)| current(*revision) && part.body.fields.contains_key(path));
        if !known {
            return Err(Error::Forged("content"));
        }
        let place = ViewPart {
            compartment: compartment.clone(),
            consent: entry.consent,
            revision: content.revision,
            time: content.time,
            writer: author.writer,
            resealed,
        };
        let header = field_header(content, compartment)?;
        Ok(OpenPart { index, key, header, block, signed: (sealer.author, first), place, root: entry.root })
    }
}

impl OpenPart {
    /// The values are those that the author signed.
    fn finish(self, root: Root) -> Result<ViewPart> {
        if root.finish() == self.root { Ok(self.place) } else { Err(Error::Forged("content")) }
    }
}

/// The consents that say who may write a part whose content names `version` and is of the time `at`: of those of that
/// version that were signed by then, each that no later one follows that was signed by then, too; or else the latest that was
/// signed by then; or the newest at hand if none was.
///
/// So whoever lost the right to write cannot go on by naming the consent that gave it, except by a false time. Consents
/// that are gone are known from what the newest one remembers of them. Several have one version where a custodian went on
/// while the owner did; a custodian's versions count until the owner's own word, whatever numbers they have.
fn ruling<'a>(rules: &[&'a Access], version: Version, at: Time) -> Vec<WriteRule<'a>> {
    let Some(newest) = rules.iter().max_by_key(|access| access.place()) else { return Vec::new() };
    let all = || newest.past_rules().chain(rules.iter().map(|access| access.write_rule()));
    let later = |best: Option<WriteRule<'a>>, rule: WriteRule<'a>| match best {
        Some(best) if !rule.is_after(&best) => Some(best),
        _ => Some(rule),
    };
    let by_then = |rule: &WriteRule<'_>| rule.issued_at.plus(CLOCK_SKEW) < at;
    let latest = all().filter(by_then).fold(None, later);
    let about_then = |rule: &WriteRule<'_>| rule.issued_at <= at.plus(CLOCK_SKEW);
    let followed = |rule: &WriteRule<'_>| latest.as_ref().is_some_and(|latest| latest.is_after(rule));
    let named = all().filter(|rule| rule.versions.contains(&version) && about_then(rule) && !followed(rule));
    let named: Vec<_> = named.collect();
    if named.is_empty() { vec![latest.unwrap_or_else(|| newest.write_rule())] } else { named }
}

/// The contents with their hashes.
fn hashes(record: &SealedRecord) -> Result<Vec<(Hash, &Content)>> {
    record.contents().map(|content| Ok((hash_of(&content.message()?), content))).collect()
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("now", &self.now).finish_non_exhaustive()
    }
}
