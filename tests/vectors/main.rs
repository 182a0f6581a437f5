//! Fixed bytes, in the folders beside this file, which another implementation must read as this one does.
//! `generate.rs` says how they are written anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

mod consent;
mod credential;
mod derivation;
mod generate;
mod kem;
mod life;
mod policy;
mod record;
#[path = "../support/all.rs"]
mod support;
mod wrap;
