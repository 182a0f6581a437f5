//! Records, sealed and opened, and the texts that they are made from.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

mod amendments;
mod anew;
mod authors;
mod clinic;
mod fhir;
mod forms;
mod manual;
mod memory;
mod readme;
mod sealing;
mod segments;
#[path = "../support/all.rs"]
mod support;
mod verdicts;
