//! What a change of a consent protects from now on, and what it does not.

mod parties;

use std::fmt;

pub use parties::{Party, Who};
use parties::{let_in, readmitted, shut_out};

use crate::consent::{Access, UnenforcedExclusion};
use crate::id::{CompartmentId, Generation, Time, Version};

/// Whom a change of a consent lets in, until when, and whom it shuts out; what it protects, against whom, and what is left
/// to do.
///
/// Its `Display` says it to the patient.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The compartment.
    pub compartment: CompartmentId,
    /// Version and key generation before.
    pub from: (Version, Generation),
    /// Version and key generation from now on.
    pub to: (Version, Generation),
    /// Until when the consent is valid; none until it is replaced.
    pub until: Option<Time>,
    /// Who may read or write from now on by something that was not said before. A policy that was said anew stands here with
    /// all whom it admits, and with the one that it came [in the place of](Party::instead_of): it may let in more, or fewer.
    pub let_in: Vec<Party>,
    /// Whose exclusion ended, and what from, if no other one keeps them from it: they may do what the policies admit them to.
    pub readmitted: Vec<Party>,
    /// Who may read or write no more: people; and whoever was let in by name, or by a policy in whose place there is none,
    /// and may no more by that.
    pub shut_out: Vec<Party>,
    /// Exclusions that an authority does not carry out, since it does not know the person by this name.
    pub unenforced: Vec<UnenforcedExclusion>,
}

/// Somebody who was shut out, and what he kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Adversary {
    /// His attribute key, and nothing that it opened.
    AttributeKey,
    /// The compartment key that he opened.
    CompartmentKey,
    /// The key of a record's part that he opened.
    RecordKey,
    /// Any of these, and an earlier copy of the store.
    EarlierCopy,
    /// Any of these, and a server that keeps all it ever held and gives it to him.
    ColludingServer,
}

/// How far the host has carried a change out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The consent is stored.
    Sealed,
    /// All records were rewrapped, and the old wraps are gone.
    Rewrapped,
    /// All records were sealed again under keys of their own, and the old bodies are gone.
    Resealed,
}

/// What is closed to an adversary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protection {
    /// Nothing.
    Nothing,
    /// Records that are first sealed from now on.
    LaterRecords,
    /// All of them, as the store holds them now.
    Everything,
}

impl Receipt {
    pub(super) fn new(before: &Access, after: &Access, unenforced: Vec<UnenforcedExclusion>) -> Self {
        Self {
            compartment: after.compartment().clone(),
            from: (before.version(), before.generation()),
            to: (after.version(), after.generation()),
            until: after.not_after(),
            let_in: let_in(before, after),
            readmitted: readmitted(before, after),
            shut_out: shut_out(before, after),
            unenforced,
        }
    }

    /// Whether there is a new compartment key: records have to be rewrapped.
    pub fn needs_rewrap(&self) -> bool {
        self.from.1 != self.to.1
    }

    /// What is closed, after this step, to somebody who could read before and cannot any more.
    ///
    /// Without a new compartment key, nothing is closed to whoever once opened the compartment.
    pub fn protects(&self, adversary: Adversary, step: Step) -> Protection {
        if !self.needs_rewrap() {
            return Protection::Nothing;
        }
        match (adversary, step) {
            (Adversary::AttributeKey | Adversary::CompartmentKey, Step::Rewrapped | Step::Resealed)
            | (Adversary::RecordKey, Step::Resealed) => Protection::Everything,
            _ => Protection::LaterRecords,
        }
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (compartment, Version(version)) = (&self.compartment, self.to.0);
        match self.until {
            None => writeln!(f, "Your consent for {compartment} is now version {version}.")?,
            Some(until) => writeln!(f, "Your consent for {compartment} is now version {version}, until {until}.")?,
        }
        for Party { who, action, until, instead_of } in &self.let_in {
            let (what, action) = (if instead_of.is_some() { "Changed" } else { "Let in" }, parties::verb(*action));
            write!(f, "{what}: {who} may {action}")?;
            if let Some(until) = until {
                write!(f, " until {until}")?;
            }
            match instead_of {
                None => writeln!(f, ".")?,
                Some(before) => writeln!(f, ", in the place of whoever is `{before}`.")?,
            }
        }
        for Party { who, action, .. } in &self.readmitted {
            let action = parties::verb(*action);
            writeln!(f, "No longer shut out: {who} may {action} again where a policy says so.")?;
        }
        for Party { who, action, until, .. } in &self.shut_out {
            let action = parties::verb(*action);
            match (who, until) {
                (Who::Policy { .. }, _) => writeln!(f, "Shut out: {who} may not {action} by that any more.")?,
                (Who::Named(_), _) => writeln!(f, "Shut out: {who} may not {action} by name any more.")?,
                (_, None) => writeln!(f, "Shut out: {who} may not {action}.")?,
                (_, Some(until)) => writeln!(f, "Shut out: {who} may not {action} until {until}.")?,
            }
        }
        if self.needs_rewrap() {
            writeln!(f, "Protected: whoever may read no more cannot read anything that is written from now on.")?;
            writeln!(
                f,
                "Protected once your records have been moved to the new key: what is stored already, from those who kept no \
                 copy of it and no key of single records."
            )?;
            writeln!(
                f,
                "Still not protected: what somebody has already read or copied, and old backups, together with the keys from \
                 before. A record can be closed to those who kept its own key by sealing it again."
            )?;
        } else {
            writeln!(
                f,
                "Nobody who has opened it before was shut out: the key is the same, and it is not protected from them."
            )?;
        }
        for UnenforcedExclusion { authority, person } in &self.unenforced {
            writeln!(f, "Not shut out under {authority}: {person}, whom it does not know by this name.")?;
        }
        Ok(())
    }
}
