//! What is signed before anything is sealed: what authorities say of people, device lists, consents and heads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

mod authority;
mod custodian;
mod devices;
mod form;
mod growth;
mod head;
mod master_key;
mod pins;
mod readers;
mod server;
#[path = "../support/all.rs"]
mod support;
mod trust;
