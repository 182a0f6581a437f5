//! Opening records.

use std::fmt;

use super::Fields;
use super::block::AuthorBlock;
use super::judge::{OpenPart, Weighed};
use super::memory::Memory;
use super::review::{Review, ReviewedPart};
use super::sealed::SealedRecord;
use super::signer::Signers;
use super::verdict::Verdict;
use super::view::{Field, Refusal, View, ViewPart};
use crate::authority::Trust;
use crate::consent::{Access, Devices};
use crate::error::{Error, Result};
use crate::id::{Hash, Time};
use crate::identity::Signature;

/// Opens records, and checks who wrote them.
///
/// It remembers the credentials that it verified, so keep one for as long as trust and time stay the same: of 1,000
/// records by one author, the credential is verified once.
///
/// # Example
///
/// See [`Record`](super::Record).
pub struct Reader<'a> {
    pub(super) signers: Signers<'a>,
    pub(super) now: Time,
    pub(super) newest: Vec<&'a Access>,
}

/// What a part holds once it was opened: its values, its author's block, and what its author signed.
pub(super) type Unsealed = (Fields, AuthorBlock, (Signature, Hash));

impl<'a> Reader<'a> {
    /// Believes whom `trust` believes, and takes `now` for the time.
    pub fn new(trust: &'a Trust, now: Time) -> Self {
        Self { signers: Signers::new(trust, now), now, newest: Vec::new() }
    }

    /// Believes an owner's devices, too. Of several lists of one owner the newest counts.
    pub fn devices(mut self, devices: Devices) -> Self {
        self.signers.add(devices);
        self
    }

    /// Knows a consent, and judges by it as if its access were given with each record of that compartment: also where a
    /// record is opened by an older access, from before the consent was replaced by one with the same key.
    ///
    /// It has to be opened. A consent that only verifies says nothing of who may write: a custodian, or who has a stolen
    /// device, can sign one that opens for nobody.
    pub fn newest(mut self, access: &'a Access) -> Self {
        self.newest.push(access);
        self
    }

    /// Opens every part of a record that one of `accesses` opens: those of the owner, the compartment and the key that the
    /// part is wrapped under. What none opens stays closed, and is counted.
    ///
    /// A part that does not count is passed over and listed, with what speaks against it, in [`View::refused`]: its
    /// author was not allowed to write there, or it was altered or mixed from others. Nothing of it is shown, and it
    /// takes nothing away from the others. So whoever asks for one part by its access alone gets it or an error, and
    /// whoever asks for several looks at what was refused. To read what does not count any more, see [`Reader::review`].
    ///
    /// A reader without memory takes an older revision for the latest: see [`Reader::remembering`].
    ///
    /// The author has to satisfy the write policy of the consent that the content names, if its access is there, or of a
    /// later one that is there and was signed before the content was written; or else that of the newest one for the
    /// compartment. Give old accesses, too, where a later consent took a right to write
    /// away from somebody whose earlier words shall stand.
    ///
    /// # Errors
    ///
    /// Where no part counts, for the first of them:
    ///
    /// - [`Error::CannotOpen`] if no part opens, or one whose key is there was altered or mixed from others;
    /// - [`Error::Forged`] if what an author or sealer signed is something else, or a later part names another in its
    ///   place;
    /// - [`Error::NotAllowed`] if the author may not write there;
    /// - [`Error::Expired`] if the author's credential was not valid when the content was written, or the consent that it
    ///   names had ended by then, or the content is written in the future; or with `"revocation list"` if the one at hand
    ///   is too old today to believe anybody by ([`Trust::new`]); [`Error::Revoked`] if it was revoked by then, or its
    ///   key is compromised;
    /// - [`Error::Rollback`] if the content names a later consent than those that are given, and these do not allow its
    ///   author to write there; or if none is given that says who may;
    /// - [`Error::Unknown`] if nobody vouches for the author, or the anchor was retired.
    pub fn open(&self, record: &SealedRecord, accesses: &[&Access]) -> Result<View> {
        self.sorted(record, accesses, &mut Memory::none())?.view(record)
    }

    /// Opens a record like [`Reader::open`], each value in the memory of its ciphertext: no copy is made.
    ///
    /// # Errors
    ///
    /// As for [`Reader::open`]; the record is gone then, too.
    pub fn into_view(&self, record: SealedRecord, accesses: &[&Access]) -> Result<View> {
        self.owned(record, accesses, &mut Memory::none())
    }

    /// Opens every part of a record that one of `accesses` opens, and says what is to be thought of each: also of those
    /// that do not count, or count no more, since a key was compromised or an anchor retired.
    ///
    /// Signatures and keys are checked as in [`Reader::open`]. What is graded is whether their owners are to be trusted.
    ///
    /// # Errors
    ///
    /// [`Error::CannotOpen`] if no part has its key among `accesses`.
    pub fn review(&self, record: &SealedRecord, accesses: &[&Access]) -> Result<Review> {
        self.reviewed(record, accesses, &mut Memory::none())
    }

    pub(super) fn owned(
        &self,
        mut record: SealedRecord,
        accesses: &[&Access],
        memory: &mut Memory<'_>,
    ) -> Result<View> {
        let weighed = self.weigh(&record, accesses, memory)?;
        let sorted = Sorted::of(weighed, memory, |open| {
            let part = record.parts.get_mut(open.index).ok_or(Error::CannotOpen)?;
            open.values_owned(std::mem::take(&mut part.body.fields))
        })?;
        sorted.view(&record)
    }

    pub(super) fn reviewed(
        &self,
        record: &SealedRecord,
        accesses: &[&Access],
        memory: &mut Memory<'_>,
    ) -> Result<Review> {
        let weighed = self.weigh(record, accesses, memory)?;
        if weighed.is_empty() {
            return Err(Error::CannotOpen);
        }
        let mut parts = Vec::with_capacity(weighed.len());
        for Weighed { compartment, outcome } in weighed {
            let opened = outcome.and_then(|mut open| {
                let (doubts, row) = (std::mem::take(&mut open.doubts), open.news.take());
                let part = record.parts.get(open.index).ok_or(Error::CannotOpen)?;
                Ok((doubts, row, open.values(&part.body.fields)?))
            });
            parts.push(match opened {
                Ok((doubts, row, opened)) => {
                    if doubts.check().is_ok() {
                        memory.keep(row, &opened.0)?;
                    }
                    ReviewedPart { compartment, verdicts: doubts.verdicts(), opened: Some(opened) }
                }
                Err(error) => ReviewedPart { compartment, verdicts: vec![Verdict::of(&error)], opened: None },
            });
        }
        Ok(Review::new(record, parts))
    }

    /// What of a record counts, and what does not.
    pub(super) fn sorted(
        &self,
        record: &SealedRecord,
        accesses: &[&Access],
        memory: &mut Memory<'_>,
    ) -> Result<Sorted> {
        Sorted::of(self.weigh(record, accesses, memory)?, memory, |open| {
            let part = record.parts.get(open.index).ok_or(Error::CannotOpen)?;
            open.values(&part.body.fields)
        })
    }

    /// What one part holds, verified. Not whether its author was allowed to write it, and still is trusted.
    pub(super) fn unsealed(&self, record: &SealedRecord, index: usize, access: &Access) -> Result<Unsealed> {
        let mut parts = self.weigh(record, &[access], &Memory::none())?.into_iter();
        let is_it = |one: &Weighed| record.index(&one.compartment) == Some(index);
        let open = parts.find(is_it).ok_or(Error::CannotOpen)?.outcome?;
        let part = record.parts.get(index).ok_or(Error::CannotOpen)?;
        open.unsealed(&part.body.fields)
    }
}

/// The parts of a record whose keys were there.
pub(super) struct Sorted {
    /// Those that count.
    pub(super) opened: Vec<(ViewPart, Vec<Field>)>,
    /// Those that do not.
    pub(super) refused: Vec<Refusal>,
    /// Why the first of them does not.
    error: Option<Error>,
}

impl Sorted {
    fn of(
        weighed: Vec<Weighed>,
        memory: &mut Memory<'_>,
        mut values: impl FnMut(OpenPart) -> Result<(ViewPart, Vec<Field>)>,
    ) -> Result<Self> {
        let mut sorted = Self { opened: Vec::with_capacity(weighed.len()), refused: Vec::new(), error: None };
        for Weighed { compartment, outcome } in weighed {
            let doubted = outcome.and_then(|mut open| match open.doubts.check() {
                Ok(()) => {
                    let row = open.news.take();
                    Ok(Ok((row, values(open)?)))
                }
                Err(error) => Ok(Err((open.doubts.verdicts(), Some(open.place), error))),
            });
            let (verdicts, written, error) = match doubted {
                Ok(Ok((row, opened))) => {
                    memory.keep(row, &opened.0)?;
                    sorted.opened.push(opened);
                    continue;
                }
                Ok(Err(doubts)) => doubts,
                Err(error) => (vec![Verdict::of(&error)], None, error),
            };
            sorted.refused.push(Refusal { compartment, verdicts, written });
            sorted.error.get_or_insert(error);
        }
        Ok(sorted)
    }

    /// Whether anything counts; or why the first part does not.
    pub(super) fn check(&self) -> Result<()> {
        if self.opened.is_empty() { Err(self.error.clone().unwrap_or(Error::CannotOpen)) } else { Ok(()) }
    }

    pub(super) fn view(self, record: &SealedRecord) -> Result<View> {
        self.check()?;
        Ok(View::new(record, self.opened, self.refused))
    }
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("now", &self.now).finish_non_exhaustive()
    }
}
