//! What a job walks through.

use super::Rotation;
use super::job::BATCH;
use crate::error::{Error, Result};
use crate::store::space::{self, Kind};

/// What is done to each of a compartment's entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Each part's own key is moved to the new compartment key.
    Rewrap,
    /// Each part is sealed again under a new key of its own.
    Reencrypt,
}

/// One pass of a job: which keys it goes through, and where it keeps its state.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    pub(super) prefix: String,
    pub(super) job: String,
    /// What the keys of what it could not move begin with.
    pub(super) quarantine: String,
}

impl Pass {
    pub(super) const ALL: [Self; 2] = [Self::Reencrypt, Self::Rewrap];

    /// How many of a claim are done at a time, before the rest of it is claimed anew. To seal a part again takes long.
    pub(super) fn step(self) -> usize {
        match self {
            Self::Rewrap => BATCH,
            Self::Reencrypt => 16,
        }
    }

    /// How its states are told apart by their keys.
    fn name(self) -> &'static str {
        match self {
            Self::Rewrap => "rewrap",
            Self::Reencrypt => "reencrypt",
        }
    }
}

pub(super) fn check_name(name: &str) -> Result<()> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !(1..=64).contains(&name.len()) || !plain {
        return Err(Error::Malformed("name of a job"));
    }
    Ok(())
}

impl Rotation<'_> {
    /// A pass of the job of that name.
    pub(super) fn walk(&self, pass: Pass, name: &str) -> Result<Walk> {
        check_name(name)?;
        let (owner, compartment) = (self.new.owner(), self.new.compartment());
        let kind = match pass {
            Pass::Rewrap => Kind::Wrap,
            Pass::Reencrypt => Kind::Envelope,
        };
        Ok(Walk {
            prefix: kind.of_compartment(owner, compartment),
            job: format!("{}{}/{name}", self.jobs(Kind::Job), pass.name()),
            quarantine: format!("{}{}/{name}/", self.jobs(Kind::Quarantine), pass.name()),
        })
    }

    /// Whether a job's entry is of a pass of rewraps.
    pub(super) fn is_rewrap(&self, job: &str) -> bool {
        job.starts_with(&format!("{}{}/", self.jobs(Kind::Job), Pass::Rewrap.name()))
    }

    /// What the keys of all jobs to this compartment key begin with, or of what they could not move.
    pub(super) fn jobs(&self, kind: Kind) -> String {
        space::jobs(kind, (self.new.owner(), self.new.compartment(), self.new.key_id()))
    }

    /// The passes of this rotation, in their order. What was never finished has wraps and no content: the second pass
    /// moves these.
    pub(super) fn passes(&self) -> &'static [Pass] {
        if self.sealer.is_some() { &Pass::ALL } else { &[Pass::Rewrap] }
    }
}
