//! What a reader saw last of each part of a record.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

use super::judge::OpenPart;
use super::reader::Reader;
use super::review::Review;
use super::sealed::SealedRecord;
use super::verdict::Verdict;
use super::view::{View, ViewPart};
use crate::consent::Access;
use crate::error::{Error, Result};
use crate::id::{CompartmentId, OwnerId, RecordId, Revision, Version};
use crate::pin::Pins;

/// A [`Reader`] with a memory: whoever serves him records brings back no revision that he has seen a later one of.
///
/// The memory has a row for each part (owner, record and compartment): the revision that it was seen in last, and the hash
/// of the content that its author signed. Only a part that counts is remembered, with its values opened: what somebody
/// invents who may not write there shuts nobody out. Each part is held against its own row, and takes nothing from others:
///
/// - one of an earlier revision is refused: [`Verdict::RolledBack`];
/// - another content of the same revision is refused, and so is one of the next revision that goes on from another content:
///   [`Verdict::Forked`];
/// - one that the record does not name any more is refused where an access to its compartment is given:
///   [`Verdict::LeftOut`];
/// - a later one takes its place. The owner's devices go on from whatever there is: so her
///   [superseding](Reader::supersede) mends a fork.
///
/// [`Reader::review`] shows, with its verdict, what was refused so. A part whose key is not there, or which was not served,
/// stays closed.
///
/// # Security
///
/// Whoever may write there and has the server on his side can show one reader alone a revision of a high number, and what
/// all others write is then earlier to that reader, until he [forgets](Remembering::forget) it at the owner's word. So it
/// is, too, with what he opened before it was stored, and somebody else's was stored in its place: open what the store
/// took.
///
/// # Example
///
/// ```no_run
/// # use chartseal::{Error, consent::Access, pin::Pins, record::{Reader, SealedRecord, Verdict}};
/// # fn example(reader: Reader, new: SealedRecord, old: SealedRecord, access: Access, pins: &mut dyn Pins)
/// # -> Result<(), Error> {
/// let mut reader = reader.remembering(pins);
/// let view = reader.open(&new, &[&access])?;
/// assert_eq!(reader.open(&old, &[&access]).err(), Some(Error::Rollback("record")));
/// # Ok(())
/// # }
/// ```
pub struct Remembering<'m> {
    pub(super) reader: &'m Reader<'m>,
    pub(super) memory: Memory<'m>,
}

/// The rows, or none for a reader who remembers nothing.
pub(super) struct Memory<'m>(Option<&'m mut dyn Pins>);

/// The row that a part is to be remembered in, once it counts.
pub(super) struct Row(String);

impl Reader<'_> {
    /// The same reader, with a memory of what it sees: keep it where it outlives the process. It makes a row for each part
    /// that is seen, and writes it again when the part is a later one: with [`RedbPins`](crate::pin::RedbPins), each is a
    /// commit.
    pub fn remembering<'m>(&'m self, pins: &'m mut dyn Pins) -> Remembering<'m> {
        Remembering { reader: self, memory: Memory(Some(pins)) }
    }
}

impl Remembering<'_> {
    /// Opens a record like [`Reader::open`], as far as nothing later was seen.
    ///
    /// # Errors
    ///
    /// As there; where no part counts, [`Error::Rollback`] or [`Error::Fork`] with `"record"`, too.
    /// [`Error::Store`] if the memory cannot be read or written: nothing is shown that cannot be held against it or
    /// remembered.
    pub fn open(&mut self, record: &SealedRecord, accesses: &[&Access]) -> Result<View> {
        self.reader.sorted(record, accesses, &mut self.memory)?.view(record)
    }

    /// Opens a record like [`Remembering::open`], each value in the memory of its ciphertext.
    ///
    /// # Errors
    ///
    /// As there; the record is gone then, too.
    pub fn into_view(&mut self, record: SealedRecord, accesses: &[&Access]) -> Result<View> {
        self.reader.owned(record, accesses, &mut self.memory)
    }

    /// Opens a record like [`Reader::review`], and says of each part, too, if a later one was seen. What counts is
    /// remembered, and nothing else.
    ///
    /// # Errors
    ///
    /// As there; [`Error::Store`] as for [`Remembering::open`].
    pub fn review(&mut self, record: &SealedRecord, accesses: &[&Access]) -> Result<Review> {
        self.reader.reviewed(record, accesses, &mut self.memory)
    }

    /// Forgets what was seen of a part, where the owner says so: what is served next is taken, whatever its revision.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the memory cannot be written.
    ///
    /// # Security
    ///
    /// A server that lies looks the same as one that lost something. Ask the owner, and not the server.
    pub fn forget(&mut self, owner: &OwnerId, record: &RecordId, compartment: &CompartmentId) -> Result<()> {
        let Some(pins) = &mut self.memory.0 else { return Ok(()) };
        pins.forget(WHAT, &name(owner, record, compartment))
    }
}

impl Memory<'_> {
    /// Of a reader who remembers nothing.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// Holds a part against what was seen of it last. That is said of what does not count, too: a review shows it.
    pub(super) fn weigh(&self, record: &SealedRecord, open: &mut OpenPart) -> Result<()> {
        let Some(pins) = &self.0 else { return Ok(()) };
        let name = name(record.owner(), record.record(), &open.place.compartment);
        let Some((version, content)) = pins.seen(WHAT, &name)? else {
            open.news = Some(Row(name));
            return Ok(());
        };
        match open.place.compare((Revision(version.0), content)) {
            Ok(Ordering::Greater) => open.news = Some(Row(name)),
            Ok(Ordering::Equal) => {}
            Ok(Ordering::Less) => open.doubts.add(Verdict::RolledBack, Error::Rollback(WHAT)),
            Err(fork) => open.doubts.add(Verdict::Forked, fork),
        }
        Ok(())
    }

    /// The compartments whose key is there and whose part was seen, and which the record does not name any more.
    pub(super) fn left_out(&self, record: &SealedRecord, accesses: &[&Access]) -> Result<Vec<CompartmentId>> {
        let Some(pins) = &self.0 else { return Ok(Vec::new()) };
        let own = accesses.iter().filter(|access| access.owner() == record.owner());
        let mut all: BTreeSet<&CompartmentId> = own.map(|access| access.compartment()).collect();
        all.retain(|compartment| record.content.part(compartment).is_none());
        let mut left_out = Vec::new();
        for compartment in all {
            if pins.seen(WHAT, &name(record.owner(), record.record(), compartment))?.is_some() {
                left_out.push(compartment.clone());
            }
        }
        Ok(left_out)
    }

    /// Remembers a part that counts, if it is later than what was seen.
    pub(super) fn keep(&mut self, row: Option<Row>, part: &ViewPart) -> Result<()> {
        let (Some(pins), Some(Row(name))) = (&mut self.0, row) else { return Ok(()) };
        pins.replace(WHAT, &name, Version(part.revision.0), part.content)
    }
}

/// No id has a `/`, so no two parts give the same name; three ids and what stands between them are within
/// [`MAX_PIN_KEY`](crate::pin::MAX_PIN_KEY).
fn name(owner: &OwnerId, record: &RecordId, compartment: &CompartmentId) -> String {
    format!("{owner}/{record}/{compartment}")
}

const WHAT: &str = "record";

impl fmt::Debug for Remembering<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembering").field("reader", self.reader).finish_non_exhaustive()
    }
}
