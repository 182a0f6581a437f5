//! How much memory something takes, and what it leaves in there. These tests are a binary of their own, since a binary has
//! one allocator for all of its tests, and this one is slower than the system's: it counts, and looks at what it gets back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]
#![allow(unsafe_code, reason = "an allocator and a stack of our own")]

mod allocator;
#[cfg(feature = "redb")]
mod costs;
mod decoders;
mod kem_wiping;
mod rotation;
#[cfg(target_os = "linux")]
mod stack;
#[path = "../support/all.rs"]
mod support;
