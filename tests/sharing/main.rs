//! What owners do with their consents in the course of a life, and what others may do beside them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

mod authority_rotation;
mod branches;
mod exclusions;
mod histories;
mod kept_out;
mod memory;
mod model;
mod races;
mod recovery;
mod referral;
#[path = "../support/all.rs"]
mod support;
mod unknown;
mod verbs;
mod writing;
