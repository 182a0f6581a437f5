//! Whom consents open for, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

#[path = "consent/devices.rs"]
mod devices;
#[path = "consent/form.rs"]
mod form;
#[path = "consent/head.rs"]
mod head;
#[path = "consent/readers.rs"]
mod readers;
#[path = "consent/server.rs"]
mod server;
#[path = "consent/world.rs"]
mod world;
