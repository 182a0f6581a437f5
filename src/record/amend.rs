//! The next revision of a record.

use std::fmt;

use super::author::Author;
use super::content::{Content, Suite, hash_of};
use super::memory::{Memory, Remembering};
use super::place::Place;
use super::reader::{Reader, Sorted};
use super::sealed::{Draft, SealedRecord, Sealer};
use super::verdict::Verdict;
use super::view::Refusal;
use super::{Fields, Older, checked_field, seal_parts};
use crate::consent::Access;
use crate::error::{Error, Result};
use crate::id::{CompartmentId, KeyId, OwnerId, Revision, SchemaId, Time};
use crate::pin;
use crate::seal::FieldPath;
use crate::time::CLOCK_SKEW;

/// A record that is being changed. Its values are wiped when it is dropped.
///
/// Parts in which nothing changes keep their pieces and their author, whether the amending author can open them or not.
/// Of the others everything is sealed anew under a fresh key; the amending author signs all of their values.
///
/// What the next content says of parts that did not open is what the store says of them: who opens them later checks that
/// they are genuine and agree with it, not that the store gave the latest.
///
/// # Example
///
/// ```no_run
/// # use chartseal::{Error, consent::Access, id::Time, record::{Author, Reader, SealedRecord}};
/// # fn example(reader: Reader, sealed: SealedRecord, access: Access, author: Author, now: Time) -> Result<(), Error> {
/// let next = reader.amend(&sealed, &[&access])?.field("/diagnosis", "I21.9")?.seal(&author, now)?;
/// assert_eq!(next.content().previous, Some(sealed.hash()?));
/// // The revision before this one is not accepted in its place by who asks for its number.
/// assert!(sealed.revision() < next.revision());
/// # Ok(())
/// # }
/// ```
pub struct Amendment<'a> {
    base: SealedRecord,
    // INVARIANT: at most one for each compartment.
    parts: Vec<Opened<'a>>,
    at: Option<usize>,
    refused: Vec<Refusal>,
    left_out: Vec<CompartmentId>,
    schema: SchemaId,
    /// The time of the revision before, if its author counts: none is written before it.
    not_before: Option<Time>,
    known: Vec<Known>,
}

/// A consent that is known: the compartment, its place among all to it, and its key.
type Known = (CompartmentId, pin::Place, KeyId);

/// What these say of consents. One that was opened for its key alone says nothing.
fn known<'k>(owner: &OwnerId, accesses: impl Iterator<Item = &'k Access>) -> Vec<Known> {
    let own = accesses.filter(|access| access.owner() == owner && access.rules());
    own.map(|access| (access.compartment().clone(), access.place(), access.key_id())).collect()
}

/// Nothing is written under the key of a consent that another one replaced, with a key of its own: whoever was shut out
/// may have it.
fn check_current(known: &[Known], place: &Place<'_>) -> Result<()> {
    let (at, key) = place.consent();
    let replaces = |(compartment, later, id): &Known| compartment == place.compartment() && at < *later && key != *id;
    if known.iter().any(replaces) { Err(Error::Rollback("consent")) } else { Ok(()) }
}

struct Opened<'a> {
    place: Place<'a>,
    fields: Fields,
    /// The revisions of those of `fields` that were not changed.
    older: Older,
    state: State,
}

/// What becomes of a part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It stays as it is.
    Kept,
    Changed,
    /// It begins anew, whatever was there, and may stay without a value.
    Anew,
    /// The same, of one that the owner's devices alone replace.
    AnewByOwner,
}

impl Reader<'_> {
    /// Starts the next revision of a record, with what the accesses open of it and what of that counts. Where two are for
    /// the same compartment, the newer one is sealed for.
    ///
    /// If one part opens, the amendment is about that one; otherwise say which by [`Amendment::part`].
    ///
    /// # Errors
    ///
    /// As for [`Reader::open`]: nobody amends what he would not believe. A record of which nothing counts is
    /// [superseded](Reader::supersede).
    pub fn amend<'a>(&self, record: &SealedRecord, accesses: &[&'a Access]) -> Result<Amendment<'a>> {
        let sorted = self.sorted(record, accesses, &mut Memory::none())?;
        sorted.check()?;
        Amendment::of(self, record, accesses, sorted)
    }

    /// Starts the next revision of a record like [`Reader::amend`], whether anything in it counts or not: so that the owner
    /// replaces what was refused, or what somebody put under an id that she needs. Parts are begun anew by
    /// [`Amendment::anew`], and dropped by [`Amendment::leave_out`].
    ///
    /// # Errors
    ///
    /// Those of [`SealedRecord::hash`].
    pub fn supersede<'a>(&self, record: &SealedRecord, accesses: &[&'a Access]) -> Result<Amendment<'a>> {
        Amendment::of(self, record, accesses, self.sorted(record, accesses, &mut Memory::none())?)
    }

    /// Seals a part anew under a fresh key, as a device of the owner does so that who kept the old key cannot follow.
    /// Author, content and revision stay: the device signs the envelope only. Whether the author was allowed to write
    /// there, and was revoked since, is not looked at: readers look at it.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::open`] but for the write policy and the author's standing; [`Error::ApiMisuse`] if `new` is for
    /// another owner or compartment than `old`, or of an earlier consent, or `sealer` no device; [`Error::NotAllowed`] if
    /// it is another owner's; [`Error::Rollback`] if the reader [knows](Reader::newest) a later consent with another key
    /// than `new`.
    pub fn reseal(
        &self,
        record: &SealedRecord,
        (old, new): (&Access, &Access),
        sealer: &Author<'_>,
        now: Time,
    ) -> Result<SealedRecord> {
        if (old.owner(), old.compartment()) != (new.owner(), new.compartment()) {
            return Err(Error::ApiMisuse("a part stays in its compartment"));
        }
        if new.place() < old.place() {
            return Err(Error::ApiMisuse("a part does not go back to an earlier key"));
        }
        if !sealer.is_device() {
            return Err(Error::ApiMisuse("only a device of the owner seals what another wrote"));
        }
        let place = Place::from(new);
        sealer.check_place(&place)?;
        check_current(&known(record.owner(), self.newest.iter().copied()), &place)?;
        let index = record.index(old.compartment()).ok_or(Error::CannotOpen)?;
        let (fields, block, signed) = self.unsealed(record, index, old)?;
        let part = record.parts.get(index).ok_or(Error::CannotOpen)?;
        let named = &part.envelope.statement.content;
        for content in record.contents() {
            let hash = hash_of(&content.message()?);
            if hash != *named {
                continue;
            }
            let entry = content.part(old.compartment()).ok_or(Error::CannotOpen)?;
            let draft = Draft::new(content, (entry.clone(), &block), fields)?;
            let sealer = Sealer { author: sealer, time: now, before: Some(signed) };
            let part = draft.finish((content, hash), &block, &sealer, &place)?;
            let mut sealed = record.clone();
            *sealed.parts.get_mut(index).ok_or(Error::CannotOpen)? = part;
            return sealed.within_limits();
        }
        Err(Error::CannotOpen)
    }
}

impl Remembering<'_> {
    /// Starts the next revision of a record like [`Reader::amend`], as far as nothing later was seen.
    ///
    /// # Errors
    ///
    /// As for [`Remembering::open`].
    pub fn amend<'a>(&mut self, record: &SealedRecord, accesses: &[&'a Access]) -> Result<Amendment<'a>> {
        let sorted = self.reader.sorted(record, accesses, &mut self.memory)?;
        sorted.check()?;
        Amendment::of(self.reader, record, accesses, sorted)
    }

    /// Starts the next revision of a record like [`Reader::supersede`], with what counts and of which nothing later was
    /// seen.
    ///
    /// # Errors
    ///
    /// As there; [`Error::Store`] as for [`Remembering::open`].
    pub fn supersede<'a>(&mut self, record: &SealedRecord, accesses: &[&'a Access]) -> Result<Amendment<'a>> {
        let sorted = self.reader.sorted(record, accesses, &mut self.memory)?;
        Amendment::of(self.reader, record, accesses, sorted)
    }
}

impl<'a> Amendment<'a> {
    fn of(reader: &Reader<'_>, record: &SealedRecord, accesses: &[&'a Access], sorted: Sorted) -> Result<Self> {
        let hash = record.hash()?;
        let not_before = sorted.opened.iter().find(|(part, _)| part.content == hash).map(|(part, _)| part.time);
        let mut parts = Vec::with_capacity(sorted.opened.len());
        for (part, values) in sorted.opened {
            let own = |access: &&Access| (access.owner(), access.compartment()) == (record.owner(), &part.compartment);
            let own = accesses.iter().copied().filter(own);
            // One that was opened for its key alone may have the number of the newest, and nothing is sealed to it.
            let access = own.max_by_key(|access| (access.rules(), access.place())).ok_or(Error::CannotOpen)?;
            let (mut fields, mut older) = (Fields::new(), Older::new());
            for field in values {
                fields.insert(field.path.clone(), field.value.into_inner());
                older.insert(field.path, field.revision);
            }
            parts.push(Opened { place: access.into(), fields, older, state: State::Kept });
        }
        let known = known(record.owner(), reader.newest.iter().chain(accesses).copied());
        Ok(Self {
            base: record.clone(),
            at: (parts.len() == 1).then_some(0),
            parts,
            refused: sorted.refused,
            left_out: Vec::new(),
            schema: record.schema().clone(),
            not_before,
            known,
        })
    }

    /// Goes on with the part of that compartment: one that opened and counts, or one that the record does not have yet.
    ///
    /// # Errors
    ///
    /// [`Error::CannotOpen`] if the record has that part and it did not open, [`Error::NotAllowed`] if it opened and does
    /// not count: [`Amendment::anew`] replaces it; [`Error::ApiMisuse`] for another owner.
    pub fn part(mut self, place: impl Into<Place<'a>>) -> Result<Self> {
        let place = place.into();
        self.check_owner(&place)?;
        let compartment = place.compartment();
        self.at = match self.position(compartment) {
            Some(at) => Some(at),
            None if self.refusal(compartment).is_some() => return Err(Error::NotAllowed),
            None if self.is_named(compartment) => return Err(Error::CannotOpen),
            None => self.push(place, State::Changed),
        };
        Ok(self)
    }

    /// Begins the part of that compartment anew, without what it holds; the values that follow go there. Without any it
    /// stays empty, which says that it was taken back: readers who remember the part are told by somebody who may write in
    /// it that it is gone.
    ///
    /// So a part that was refused by its own fault is replaced, by whoever may write there: [`Verdict::AfterRevocation`],
    /// [`Verdict::CredentialExpired`], [`Verdict::ConsentEnded`], [`Verdict::NotAllowed`] and [`Verdict::Altered`], unless
    /// another part belongs in its place. What this reader merely cannot judge, for an old revocation list, say, can be a
    /// colleague's honest word, and is left to the owner. The owner's devices replace any part, whether they can open it or
    /// not. The revision before this one still has it.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] for another owner. [`Amendment::seal`] refuses who may not write there, and who replaces what
    /// is left to the owner's devices, or what he cannot open, and is none of them.
    pub fn anew(mut self, place: impl Into<Place<'a>>) -> Result<Self> {
        let place = place.into();
        self.check_owner(&place)?;
        let compartment = place.compartment();
        let at = self.position(compartment);
        let free = match self.refusal(compartment) {
            Some(refusal) => Verdict::may_be_replaced(&refusal.verdicts),
            None => at.is_some() || !self.is_named(compartment),
        };
        let state = if free { State::Anew } else { State::AnewByOwner };
        self.at = match at.and_then(|at| self.parts.get_mut(at).map(|part| (at, part))) {
            Some((at, part)) => {
                *part = Opened { place, fields: Fields::new(), older: Older::new(), state };
                Some(at)
            }
            None => self.push(place, state),
        };
        Ok(self)
    }

    /// Leaves the part of a compartment out, as if it had never been there: what somebody put under a compartment that
    /// the owner does not have. Such a revision is stored by
    /// [`Repository::supersede`](crate::repository::Repository::supersede).
    ///
    /// Whoever remembers that part as one that counted takes its absence for a theft: begin it [anew](Amendment::anew)
    /// instead.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the record has no such part. [`Amendment::seal`] refuses everybody but the owner's devices.
    pub fn leave_out(mut self, compartment: &CompartmentId) -> Result<Self> {
        if !self.is_named(compartment) {
            return Err(Error::ApiMisuse("there is no such part to leave out"));
        }
        self.parts.retain(|part| part.place.compartment() != compartment);
        self.left_out.push(compartment.clone());
        self.at = None;
        Ok(self)
    }

    /// Gives the record another schema, where all of its parts are begun anew or left out: under an id that somebody else
    /// took first. Such a revision is stored by [`Repository::supersede`](crate::repository::Repository::supersede), and
    /// [`Amendment::seal`] refuses everybody but the owner's devices.
    #[must_use]
    pub fn schema(self, schema: SchemaId) -> Self {
        Self { schema, ..self }
    }

    /// Sets a value in the part at hand, whether there is one at that path or not. Other parts may have one there, too.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`], [`Error::TooLarge`] as for [`Record::field`](super::Record::field); [`Error::ApiMisuse`]
    /// without a part.
    pub fn field(mut self, path: impl TryInto<FieldPath>, value: impl Into<Vec<u8>>) -> Result<Self> {
        let (path, value) = checked_field(path, value)?;
        let part = self.current()?;
        part.older.remove(&path);
        part.fields.insert(path, value);
        part.change();
        Ok(self)
    }

    /// Takes a value out of the part at hand. The revision before this one still has it.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if the part has no such path.
    pub fn remove(mut self, path: &str) -> Result<Self> {
        let part = self.current()?;
        part.older.remove(path);
        part.fields.remove(path).ok_or(Error::ApiMisuse("there is no such path to remove"))?;
        part.change();
        Ok(self)
    }

    /// Seals and signs the revision.
    ///
    /// # Errors
    ///
    /// As for [`Record::seal`](super::Record::seal); [`Error::Expired`] if the revision before, which counts, is later than
    /// `now`; [`Error::TooLarge`] if there are more revisions than seconds; [`Error::NotAllowed`] for what is left to
    /// the owner's devices; [`Error::ApiMisuse`] if nothing was changed, or a part is not here and
    /// neither is the content that it was written in: stored, the amendment would close that part for ever;
    /// [`Error::Rollback`] for a part under an earlier key than that of a consent that the reader [knows](Reader::newest),
    /// or whose access was given.
    pub fn seal(self, author: &Author<'_>, now: Time) -> Result<SealedRecord> {
        let Self { base, parts, left_out, schema, not_before, known, .. } = self;
        let parts: Vec<_> = parts.into_iter().filter(|part| part.state != State::Kept).collect();
        if parts.is_empty() {
            return Err(Error::ApiMisuse("nothing was changed: who signs a revision writes a part of it"));
        }
        if parts.iter().any(|part| part.state == State::Changed && part.fields.is_empty()) {
            return Err(NO_FIELD);
        }
        parts.iter().try_for_each(|part| check_current(&known, &part.place))?;
        let owners = parts.iter().any(|part| part.state == State::AnewByOwner)
            || !left_out.is_empty()
            || schema != *base.schema();
        if owners && !author.is_device() {
            return Err(Error::NotAllowed);
        }
        if not_before.is_some_and(|before| now.plus(CLOCK_SKEW) < before) {
            return Err(Error::Expired("content"));
        }
        let revision = base.revision().0.checked_add(1).ok_or(Error::TooLarge("revision"))?;
        let gone = |compartment: &CompartmentId| {
            left_out.contains(compartment) || parts.iter().any(|part| part.place.compartment() == compartment)
        };
        let kept = base.content.parts.iter().filter(|part| !gone(&part.compartment));
        let content = Content {
            suite: Suite,
            owner: base.owner().clone(),
            record: base.record().clone(),
            schema,
            revision: Revision(revision),
            previous: Some(base.hash()?),
            time: now,
            parts: kept.cloned().collect(),
        };
        if !content.has_room() {
            return Err(Error::TooLarge("revision"));
        }
        if content.parts.len() + parts.len() > super::MAX_PARTS {
            return Err(Error::TooLarge("number of parts"));
        }
        if content.schema != *base.schema() && !content.parts.is_empty() {
            return Err(Error::ApiMisuse("a part that is kept keeps its schema"));
        }

        let mut sealed = base.parts;
        sealed.retain(|part| !gone(&part.envelope.statement.compartment));
        let mut older = base.older;
        older.push(base.content);
        older.retain(|older| content.names_a_part_of(older));
        if !content.parts.iter().all(|part| older.iter().any(|older| older.wrote(part))) {
            return Err(Error::ApiMisuse("the content of a part that is not here is missing, and would be lost"));
        }

        let parts = parts.into_iter().map(|part| (part.place, part.fields, part.older)).collect();
        let (content, new) = seal_parts(content, parts, author)?;
        sealed.extend(new);
        sealed.sort_by(|a, b| a.envelope.statement.compartment.cmp(&b.envelope.statement.compartment));
        SealedRecord { content, older, parts: sealed }.within_limits()
    }

    fn check_owner(&self, place: &Place<'_>) -> Result<()> {
        if place.owner() == self.base.owner() { Ok(()) } else { Err(Error::ApiMisuse("a record has one owner")) }
    }

    fn position(&self, compartment: &CompartmentId) -> Option<usize> {
        self.parts.iter().position(|part| part.place.compartment() == compartment)
    }

    /// Whether the revision before has such a part, and it is not left out.
    fn is_named(&self, compartment: &CompartmentId) -> bool {
        self.base.content.part(compartment).is_some() && !self.left_out.contains(compartment)
    }

    fn refusal(&self, compartment: &CompartmentId) -> Option<&Refusal> {
        self.refused.iter().find(|refusal| refusal.compartment == *compartment)
    }

    fn push(&mut self, place: Place<'a>, state: State) -> Option<usize> {
        self.parts.push(Opened { place, fields: Fields::new(), older: Older::new(), state });
        self.parts.len().checked_sub(1)
    }

    fn current(&mut self) -> Result<&mut Opened<'a>> {
        self.at.and_then(|at| self.parts.get_mut(at)).ok_or(NO_PART)
    }
}

impl Opened<'_> {
    fn change(&mut self) {
        if self.state == State::Kept {
            self.state = State::Changed;
        }
    }
}

/// Tells compartments and paths, no values.
impl fmt::Debug for Amendment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Amendment");
        out.field("record", self.base.record()).field("revision", &self.base.revision());
        for part in &self.parts {
            out.field(part.place.compartment().as_str(), &part.fields.keys());
        }
        out.finish()
    }
}

pub(super) const NO_FIELD: Error = Error::ApiMisuse("a part needs a field");
const NO_PART: Error = Error::ApiMisuse("say which part first");
