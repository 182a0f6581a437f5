//! What is to be thought of the parts of a record: whose they are, and whether these were allowed to write them.

use std::collections::BTreeMap;

use super::Fields;
use super::author::{Writer, both};
use super::block::{AuthorBlock, Resealed, SealerBlock};
use super::content::{Content, Root, hash_of};
use super::envelope::{EnvelopeStatement, Part, field_header, revision_of};
use super::memory::{Memory, Row};
use super::reader::{Reader, Unsealed};
use super::sealed::SealedRecord;
use super::signer::Signer;
use super::verdict::{Doubts, Verdict};
use super::view::{Field, Resealing, Value, ViewPart};
use crate::consent::{Access, WriteRule};
use crate::error::{Error, Result};
use crate::id::{CompartmentId, Hash, Time, Version};
use crate::identity::Signature;
use crate::seal::{Block, FieldHeader, FieldPath, PartKey, SealedField, label};
use crate::time::CLOCK_SKEW;

/// A part whose key was there.
pub(super) struct Weighed {
    pub(super) compartment: CompartmentId,
    /// An error if it is not what its author signed, nobody knows the author, or it is not there any more.
    pub(super) outcome: Result<OpenPart>,
}

/// A part whose author and sealer were verified; its values are still sealed.
pub(super) struct OpenPart {
    pub(super) index: usize,
    pub(super) doubts: Doubts,
    pub(super) place: ViewPart,
    /// Where it is remembered, if it is later than what was seen and counts.
    pub(super) news: Option<Row>,
    key: PartKey,
    header: FieldHeader,
    block: AuthorBlock,
    /// The author's signature, and the hash of the envelope that it is about.
    signed: (Signature, Hash),
    root: Hash,
}

impl Reader<'_> {
    /// Unwraps and verifies every part that one of `accesses` opens, and weighs what speaks against it.
    pub(super) fn weigh(
        &self,
        record: &SealedRecord,
        accesses: &[&Access],
        memory: &Memory<'_>,
    ) -> Result<Vec<Weighed>> {
        let contents = hashes(record)?;
        let mut weighed = Vec::new();
        let mut signed = Vec::new();
        for (index, part) in record.parts.iter().enumerate() {
            let EnvelopeStatement { compartment, content: named, .. } = &part.envelope.statement;
            let own = |access: &&&Access| access.owner() == record.owner() && access.compartment() == compartment;
            let mut keys = accesses.iter().filter(own).copied();
            let Some(access) = keys.find(|access| access.key_id() == part.wrap.id) else { continue };
            let (hash, content) = contents.iter().find(|(hash, _)| hash == named).ok_or(Error::CannotOpen)?;
            let rules = accesses.iter().chain(&self.newest).filter(own).copied();
            let rules: Vec<&Access> = rules.filter(|access| access.rules()).collect();
            let mut outcome = self.part((index, part), (hash, content), access, &rules);
            if let Ok(open) = &mut outcome {
                memory.weigh(record, open)?;
            }
            weighed.push(Weighed { compartment: compartment.clone(), outcome });
            signed.push(*content);
        }
        compare(&mut weighed, &signed);
        for compartment in memory.left_out(record, accesses)? {
            weighed.push(Weighed { compartment, outcome: Err(Error::Rollback("record")) });
        }
        weighed.sort_by(|a, b| a.compartment.cmp(&b.compartment));
        Ok(weighed)
    }

    fn part(
        &self,
        (index, part): (usize, &Part),
        (hash, content): (&Hash, &Content),
        access: &Access,
        rules: &[&Access],
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

        let author = self.signers.find(&block.by, &content.owner, content.time)?;
        let message = statement.message()?;
        let mut resealed = None;
        let first = match &sealer.resealed {
            None => EnvelopeStatement::hash_of(&message),
            Some(Resealed { by, first, signature }) => {
                // That the values are the author's, her own signature says; a device that was removed since, or while it
                // sealed, takes nothing away from them.
                let sealer = self.signers.find(by, &content.owner, content.time)?;
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
        let current = |revision| revision < content.revision;
        let known =
            block.older.iter().all(|(path, revision)| current(*revision) && part.body.fields.contains_key(path));
        if !known {
            return Err(Error::Forged("content"));
        }

        let entry = content.part(compartment).ok_or(Error::CannotOpen)?;
        let mut doubts = author.doubts.clone();
        if content.time > self.now.plus(CLOCK_SKEW) {
            doubts.add(Verdict::FromTheFuture, Error::Expired("content"));
        }
        self.judge(&author, (entry.consent, content.time), rules, &mut doubts);
        let place = ViewPart {
            compartment: compartment.clone(),
            consent: entry.consent,
            revision: content.revision,
            time: content.time,
            writer: author.writer,
            resealed,
            content: *hash,
            previous: content.previous,
        };
        let header = field_header(content, compartment)?;
        let signed = (sealer.author, first);
        Ok(OpenPart { index, doubts, place, news: None, key, header, block, signed, root: entry.root })
    }

    /// Whether the author was allowed to write in a compartment under the version of a consent, at a time, by the rules at
    /// hand. The owner's devices always are.
    fn judge(&self, author: &Signer, (version, at): (Version, Time), rules: &[&Access], doubts: &mut Doubts) {
        let (Writer::Person { authority, .. }, Some(attributes)) = (&author.writer, &author.attributes) else {
            return;
        };
        let ruling = ruling(rules, version, at);
        let mut admitting = ruling.iter().filter(|rule| rule.admits(authority, attributes)).peekable();
        if admitting.peek().is_none() {
            // One that is not at hand may allow it: the owner's own, of a number that a custodian used, too.
            if all_rules(rules).all(|rule| rule.owners_last() < version) {
                doubts.add(Verdict::OlderRule, Error::Rollback("consent"));
            } else {
                doubts.add(Verdict::NotAllowed, Error::NotAllowed);
            }
            return;
        }
        let ended = |rule: &WriteRule<'_>| {
            let ended = rule.not_after.is_some_and(|end| end.plus(CLOCK_SKEW) < at);
            ended && rule.versions.contains(&version)
        };
        if admitting.all(ended) {
            doubts.add(Verdict::ConsentEnded, Error::Expired("consent"));
        }
    }
}

/// Of a part that counts, its content says which other parts were there. A part of an earlier revision that is another one
/// was brought back, or is of another record.
///
/// What does not count takes nothing away from what does.
fn compare(weighed: &mut [Weighed], signed: &[&Content]) {
    let mut order: Vec<usize> = (0..weighed.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(signed.get(*at).map(|content| content.revision)));
    for at in order {
        let counts =
            weighed.get(at).and_then(|one| one.outcome.as_ref().ok()).is_some_and(|open| open.doubts.check().is_ok());
        let Some(witness) = signed.get(at).filter(|_| counts) else { continue };
        for (part, written) in weighed.iter_mut().zip(signed) {
            let agrees = witness.part(&part.compartment) == written.part(&part.compartment);
            if let Ok(open) = &mut part.outcome
                && !agrees
                && witness.revision >= written.revision
            {
                open.doubts.add(Verdict::Contradicted, Error::Forged("content"));
            }
        }
    }
}

impl OpenPart {
    /// The values, each in new memory.
    pub(super) fn values(mut self, sealed: &BTreeMap<FieldPath, SealedField>) -> Result<(ViewPart, Vec<Field>)> {
        let mut root = Root::new(&self.block.rho, &self.block.by)?;
        let mut fields = Vec::with_capacity(sealed.len());
        for (path, field) in sealed {
            let revision = revision_of(&self.block.older, path, self.place.revision);
            let value = self.key.open(&mut self.header, (path, revision), field)?;
            root.add(path, revision, &value)?;
            fields.push(Field { path: path.clone(), revision, value: Value::new(value) });
        }
        self.finish(root)?;
        Ok((self.place, fields))
    }

    /// The values, each in the memory of its ciphertext.
    pub(super) fn values_owned(mut self, sealed: BTreeMap<FieldPath, SealedField>) -> Result<(ViewPart, Vec<Field>)> {
        let mut root = Root::new(&self.block.rho, &self.block.by)?;
        let mut fields = Vec::with_capacity(sealed.len());
        for (path, field) in sealed {
            let revision = revision_of(&self.block.older, &path, self.place.revision);
            let value = self.key.open_owned(&mut self.header, (&path, revision), field)?;
            root.add(&path, revision, &value)?;
            fields.push(Field { path, revision, value: Value::new(value) });
        }
        self.finish(root)?;
        Ok((self.place, fields))
    }

    /// All that it takes to seal the part again.
    pub(super) fn unsealed(mut self, sealed: &BTreeMap<FieldPath, SealedField>) -> Result<Unsealed> {
        let mut root = Root::new(&self.block.rho, &self.block.by)?;
        let mut fields = Fields::new();
        for (path, field) in sealed {
            let revision = revision_of(&self.block.older, path, self.place.revision);
            let value = self.key.open(&mut self.header, (path, revision), field)?;
            root.add(path, revision, &value)?;
            fields.insert(path.clone(), value);
        }
        self.finish(root)?;
        Ok((fields, self.block, self.signed))
    }

    /// The values are those that the author signed.
    fn finish(&self, root: Root) -> Result<()> {
        if root.finish() == self.root { Ok(()) } else { Err(Error::Forged("content")) }
    }
}

/// The consents that say who may write a part whose content names `version` and is of the time `at`: of those of that
/// version that were signed by then, each that no later one follows that was signed by then, too; or else the latest that
/// was signed by then; or the newest at hand if none was.
///
/// So whoever lost the right to write cannot go on by naming the consent that gave it, except by a false time. Consents
/// that are gone are known from what the newest one remembers of them. Several have one version where a custodian went on
/// while the owner did; a custodian's versions count until the owner's own word, whatever numbers they have.
fn ruling<'a>(rules: &[&'a Access], version: Version, at: Time) -> Vec<WriteRule<'a>> {
    let Some(newest) = newest(rules) else { return Vec::new() };
    let all = || all_rules(rules);
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

/// The latest at hand.
fn newest<'a>(rules: &[&'a Access]) -> Option<&'a Access> {
    rules.iter().copied().max_by_key(|access| access.place())
}

/// What is known of who could write: the consents at hand, and what the latest remembers of those before it.
fn all_rules<'a>(rules: &[&'a Access]) -> impl Iterator<Item = WriteRule<'a>> {
    let past = newest(rules).into_iter().flat_map(Access::past_rules);
    past.chain(rules.iter().map(|access| access.write_rule()))
}

/// The contents with their hashes.
fn hashes(record: &SealedRecord) -> Result<Vec<(Hash, &Content)>> {
    record.contents().map(|content| Ok((hash_of(&content.message()?), content))).collect()
}
