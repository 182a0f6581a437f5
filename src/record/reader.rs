//! Opening records.

use std::fmt;

use super::Fields;
use super::block::AuthorBlock;
use super::judge::{OpenPart, Weighed};
use super::review::{Review, ReviewedPart};
use super::sealed::SealedRecord;
use super::signer::Signers;
use super::verdict::Verdict;
use super::view::{Field, Refusal, View, ViewPart};
use crate::authority::Trust;
use crate::consent::{Access, Devices, LiveConsent};
use crate::error::{Error, Result};
use crate::id::{CompartmentId, Hash, OwnerId, Time};
use crate::identity::Signature;
use crate::pin::Place;

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
    pub(super) newest: Vec<Newest>,
}

/// A consent that the reader was told of: nothing is judged by an older one that was written after it was signed.
pub(super) struct Newest {
    pub(super) owner: OwnerId,
    pub(super) compartment: CompartmentId,
    pub(super) place: Place,
    pub(super) issued_at: Time,
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

    /// Knows of a consent, whether its access is given or not. Whoever has an older access alone, opened before the consent
    /// was replaced by one with the same key, is no judge of what was written since: [`Verdict::OlderRule`].
    pub fn newest(mut self, consent: &LiveConsent) -> Self {
        let (owner, compartment) = (consent.owner().clone(), consent.compartment().clone());
        self.newest.push(Newest { owner, compartment, place: consent.place(), issued_at: consent.issued_at() });
        self
    }

    /// Opens every part of a record that one of `accesses` opens: those of the owner, the compartment and the key that the
    /// part is wrapped under. What none opens stays closed, and is counted.
    ///
    /// A part that does not count is passed over and listed, with what speaks against it, in [`View::refused`]: its author
    /// was not allowed to write there, or it was altered or mixed from others. Nothing of it is shown, and it takes nothing
    /// away from the others. So whoever asks for one part by its access alone gets it or an error, and whoever asks for several
    /// looks at what was refused. To read what does not count any more, see [`Reader::review`].
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
    /// - [`Error::Forged`] if what an author or sealer signed is something else, or a later part names another in its place;
    /// - [`Error::NotAllowed`] if the author may not write there;
    /// - [`Error::Expired`] if the author's credential was not valid when the content was written, or the consent that it
    ///   names had ended by then, or the content is written in the future; or with `"revocation list"` if the one at hand is
    ///   too old today to believe anybody by ([`Trust::new`]); [`Error::Revoked`] if it was revoked by then,
    ///   or its key is compromised;
    /// - [`Error::Rollback`] if there is a newer consent than those that are given, which was signed before the content was
    ///   written ([`Reader::newest`]);
    /// - [`Error::Unknown`] if nobody vouches for the author, or the anchor was retired.
    pub fn open(&self, record: &SealedRecord, accesses: &[&Access]) -> Result<View> {
        self.sorted(record, accesses)?.view(record)
    }

    /// Opens a record like [`Reader::open`], each value in the memory of its ciphertext: no copy is made.
    ///
    /// # Errors
    ///
    /// As for [`Reader::open`]; the record is gone then, too.
    pub fn into_view(&self, mut record: SealedRecord, accesses: &[&Access]) -> Result<View> {
        let weighed = self.weigh(&record, accesses)?;
        let sorted = Sorted::of(weighed, |open| {
            let part = record.parts.get_mut(open.index).ok_or(Error::CannotOpen)?;
            open.values_owned(std::mem::take(&mut part.body.fields))
        });
        sorted.view(&record)
    }

    /// Opens every part of a record that one of `accesses` opens, and says what is to be thought of each: also of those that
    /// do not count, or count no more, since a key was compromised or an anchor retired.
    ///
    /// Signatures and keys are checked as in [`Reader::open`]. What is graded is whether their owners are to be trusted.
    ///
    /// # Errors
    ///
    /// [`Error::CannotOpen`] if no part has its key among `accesses`.
    pub fn review(&self, record: &SealedRecord, accesses: &[&Access]) -> Result<Review> {
        let weighed = self.weigh(record, accesses)?;
        if weighed.is_empty() {
            return Err(Error::CannotOpen);
        }
        let parts = weighed.into_iter().map(|Weighed { compartment, outcome }| {
            let opened = outcome.and_then(|open| {
                let verdicts = open.doubts.verdicts();
                let part = record.parts.get(open.index).ok_or(Error::CannotOpen)?;
                Ok((verdicts, open.values(&part.body.fields)?))
            });
            match opened {
                Ok((verdicts, opened)) => ReviewedPart { compartment, verdicts, opened: Some(opened) },
                Err(error) => ReviewedPart { compartment, verdicts: vec![Verdict::of(&error)], opened: None },
            }
        });
        Ok(Review::new(record, parts.collect()))
    }

    /// What of a record counts, and what does not.
    pub(super) fn sorted(&self, record: &SealedRecord, accesses: &[&Access]) -> Result<Sorted> {
        Ok(Sorted::of(self.weigh(record, accesses)?, |open| {
            let part = record.parts.get(open.index).ok_or(Error::CannotOpen)?;
            open.values(&part.body.fields)
        }))
    }

    /// What one part holds, verified. Not whether its author was allowed to write it, and still is trusted.
    pub(super) fn unsealed(&self, record: &SealedRecord, index: usize, access: &Access) -> Result<Unsealed> {
        let mut parts = self.weigh(record, &[access])?.into_iter();
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
    fn of(weighed: Vec<Weighed>, mut values: impl FnMut(OpenPart) -> Result<(ViewPart, Vec<Field>)>) -> Self {
        let mut sorted = Self { opened: Vec::with_capacity(weighed.len()), refused: Vec::new(), error: None };
        for Weighed { compartment, outcome } in weighed {
            let doubted = outcome.and_then(|open| match open.doubts.check() {
                Ok(()) => values(open).map(Ok),
                Err(error) => Ok(Err((open.doubts.verdicts(), error))),
            });
            let (verdicts, error) = match doubted {
                Ok(Ok(opened)) => {
                    sorted.opened.push(opened);
                    continue;
                }
                Ok(Err(doubts)) => doubts,
                Err(error) => (vec![Verdict::of(&error)], error),
            };
            sorted.refused.push(Refusal { compartment, verdicts });
            sorted.error.get_or_insert(error);
        }
        sorted
    }

    /// Whether anything counts; or why the first part does not.
    pub(super) fn check(&self) -> Result<()> {
        if self.opened.is_empty() { Err(self.error.clone().unwrap_or(Error::CannotOpen)) } else { Ok(()) }
    }

    fn view(self, record: &SealedRecord) -> Result<View> {
        self.check()?;
        Ok(View::new(record, self.opened, self.refused))
    }
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("now", &self.now).finish_non_exhaustive()
    }
}
