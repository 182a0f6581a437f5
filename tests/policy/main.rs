//! What policies say and whom they open to: the language, its limits, and the key encapsulation over it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

mod hostile;
mod language;
mod limits;
mod rabe_attack;
mod refusals;
#[path = "../support/all.rs"]
mod support;
mod tree;
mod truth_table;
