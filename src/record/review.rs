//! A record with a verdict for each part.

use std::fmt;

use super::sealed::SealedRecord;
use super::verdict::Verdict;
use super::view::{Field, Values, ViewPart};
use crate::id::CompartmentId;

/// All parts of a record whose keys were there, each with what is to be thought of it. Values are wiped when it is dropped.
///
/// # Example
///
/// ```no_run
/// # use chartseal::{Error, consent::Access, record::{Reader, SealedRecord, Verdict}};
/// # fn example(reader: Reader, sealed: SealedRecord, access: Access) -> Result<(), Error> {
/// let review = reader.review(&sealed, &[&access])?;
/// for part in review.parts() {
///     // Years of notes, of a doctor whose key was stolen last week: shown with a mark, and nothing worse is.
///     match part.values(&[Verdict::BeforeRevocation, Verdict::KeyCompromised]) {
///         Ok(values) => println!("{:?}: {} values", part.verdicts(), values.len()),
///         Err(verdict) => println!("not shown: {verdict:?}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct Review {
    // INVARIANT: sorted by compartment, at least one.
    parts: Vec<ReviewedPart>,
    closed: Vec<CompartmentId>,
}

/// One part of a record, what is to be thought of it, and its values for whoever accepts that.
pub struct ReviewedPart {
    pub(super) compartment: CompartmentId,
    // INVARIANT: sorted, at least one.
    pub(super) verdicts: Vec<Verdict>,
    /// None for a part that is not what its author signed, and for one whose author nobody knows.
    pub(super) opened: Option<(ViewPart, Vec<Field>)>,
}

impl Review {
    pub(super) fn new(record: &SealedRecord, parts: Vec<ReviewedPart>) -> Self {
        let known = |compartment: &CompartmentId| parts.iter().any(|part| part.compartment == *compartment);
        let all = record.content.parts.iter().map(|part| &part.compartment);
        let closed = all.filter(|compartment| !known(compartment)).cloned().collect();
        Self { parts, closed }
    }

    /// The parts, in the order of their compartments: one at least.
    pub fn parts(&self) -> &[ReviewedPart] {
        &self.parts
    }

    /// The part of a compartment, if its key was there.
    pub fn part(&self, compartment: &CompartmentId) -> Option<&ReviewedPart> {
        self.parts.iter().find(|part| part.compartment == *compartment)
    }

    /// The compartments of the parts that stay closed, by the account of whoever keeps the record.
    pub fn closed(&self) -> &[CompartmentId] {
        &self.closed
    }
}

impl ReviewedPart {
    /// The compartment.
    pub fn compartment(&self) -> &CompartmentId {
        &self.compartment
    }

    /// All that is to be thought of the part: one verdict at least, the mildest first.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// Whether [`Reader::open`](super::Reader::open) shows it.
    pub fn counts(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.counts())
    }

    /// Who wrote it and when, as far as the signatures go; none where there is no value.
    pub fn written(&self) -> Option<&ViewPart> {
        self.opened.as_ref().map(|(part, _)| part)
    }

    /// The values, if every verdict on the part is [`Verdict::Counts`] or one of `accepted`. So no value is had without
    /// naming what is to be thought of it.
    ///
    /// # Errors
    ///
    /// The worst verdict that is not accepted; [`Verdict::Altered`] and [`Verdict::UnknownAuthor`] whatever is accepted.
    pub fn values(&self, accepted: &[Verdict]) -> Result<Values<'_>, Verdict> {
        let refused = |verdict: &&Verdict| **verdict != Verdict::Counts && !accepted.contains(verdict);
        if let Some(worst) = self.verdicts.iter().rev().find(refused) {
            return Err(*worst);
        }
        match &self.opened {
            Some((_, fields)) => Ok(Values::new(fields)),
            None => Err(self.verdicts.last().copied().unwrap_or(Verdict::Altered)),
        }
    }
}

/// Tells verdicts, no values.
impl fmt::Debug for Review {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Review")?;
        f.debug_map().entries(self.parts.iter().map(|part| (&part.compartment, &part.verdicts))).finish()
    }
}

/// Tells the verdicts, no values.
impl fmt::Debug for ReviewedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("ReviewedPart");
        out.field("compartment", &self.compartment).field("verdicts", &self.verdicts).finish_non_exhaustive()
    }
}
