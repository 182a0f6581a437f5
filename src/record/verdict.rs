//! What is to be thought of a part, and why.

use std::collections::BTreeSet;

use crate::error::{Error, Result};

/// What is to be thought of a part of a record, once its signatures were looked at.
///
/// [`Reader::open`](super::Reader::open) shows what [counts](Verdict::counts), and nothing else.
/// [`Reader::review`](super::Reader::review) shows the rest, too, but for [`Verdict::Altered`] and
/// [`Verdict::UnknownAuthor`]: of those there is no value, since nobody can say whose it would be. Nor is there one of
/// [`Verdict::LeftOut`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// Nothing speaks against it.
    Counts,
    /// The author was revoked, or the device removed, after the time that the part states. Only the author's word says that
    /// it was not written later.
    BeforeRevocation,
    /// Somebody else may have the author's key, and may have written this, with any date.
    KeyCompromised,
    /// The anchor of the author's authority was [retired](crate::authority::Trust::retire). Whoever has the authority's
    /// stolen key, if that was why, may have written this.
    AnchorRetired,
    /// No revocation list of the author's authority is at hand, or one that is too old today to believe anybody by
    /// ([`Trust::new`](crate::authority::Trust::new)).
    RevocationsUnknown,
    /// The map of people of the author's authority gives the author's number to somebody else, or the author another one.
    NumberContradicted,
    /// The author was revoked, or the device removed, by the time that the part states.
    AfterRevocation,
    /// The author's credential, or the device's own time, was not valid at the time that the part states.
    CredentialExpired,
    /// The consent that the part names had ended by the time that it states.
    ConsentEnded,
    /// The time that the part states is yet to come.
    FromTheFuture,
    /// The author's attributes did not allow to write there.
    NotAllowed,
    /// The part names a later consent than the owner's at hand, and those at hand do not allow its author to write there:
    /// whether that one does cannot be said. A custodian's of that number may be at hand.
    OlderRule,
    /// The author of a later revision, who counts, names another part in its place: an older one was brought back.
    Contradicted,
    /// A later revision of the part was seen ([`Reader::remembering`](super::Reader::remembering)).
    RolledBack,
    /// Another content of that revision was seen, or of the one before it.
    Forked,
    /// The part was seen, and the record does not name it any more. There is no value.
    LeftOut,
    /// Nobody vouches for the author: there is no anchor of the authority, no device list of the owner, or none that has
    /// the device. There is no value.
    UnknownAuthor,
    /// The part is not what its author signed, or was not signed by whom it names. There is no value.
    Altered,
}

impl Verdict {
    /// Whether a part with this verdict, and no worse one, is one that [`Reader::open`](super::Reader::open) shows.
    pub fn counts(self) -> bool {
        matches!(self, Self::Counts | Self::BeforeRevocation)
    }

    /// The verdict on a part of which there is no value.
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::Unknown(_) => Self::UnknownAuthor,
            Error::Rollback(_) => Self::LeftOut,
            _ => Self::Altered,
        }
    }

    /// Whether whoever may write there may begin a part with these verdicts anew. Otherwise only the owner's devices do.
    ///
    /// So it is with what is refused by its own fault: everybody refuses it, whatever he learns. What is refused for
    /// something that the reader has not (a list, an anchor, a consent, the right time) may be a colleague's honest word.
    /// So may what a key wrote that was stolen since. And where another part belongs in its place, that one would be lost
    /// unseen.
    pub(super) fn may_be_replaced(verdicts: &[Self]) -> bool {
        let by_its_own_fault = |verdict: &Self| {
            matches!(
                verdict,
                Self::AfterRevocation | Self::CredentialExpired | Self::ConsentEnded | Self::NotAllowed | Self::Altered
            )
        };
        let is_in_anothers_place =
            |verdict: &Self| matches!(verdict, Self::Contradicted | Self::RolledBack | Self::Forked | Self::LeftOut);
        verdicts.iter().any(by_its_own_fault) && !verdicts.iter().any(is_in_anothers_place)
    }
}

/// All that speaks against a part, and what the first of it is refused with.
#[derive(Debug, Clone, Default)]
pub(super) struct Doubts {
    verdicts: BTreeSet<Verdict>,
    error: Option<Error>,
}

impl Doubts {
    /// Adds a verdict that shuts the part out.
    pub(super) fn add(&mut self, verdict: Verdict, error: Error) {
        self.verdicts.insert(verdict);
        self.error.get_or_insert(error);
    }

    /// Adds a verdict that the part counts with.
    pub(super) fn note(&mut self, verdict: Verdict) {
        self.verdicts.insert(verdict);
    }

    /// Whether the part counts; or why not.
    pub(super) fn check(&self) -> Result<()> {
        self.error.clone().map_or(Ok(()), Err)
    }

    /// One verdict at least, the mildest first.
    pub(super) fn verdicts(&self) -> Vec<Verdict> {
        if self.verdicts.is_empty() { vec![Verdict::Counts] } else { self.verdicts.iter().copied().collect() }
    }
}
