//! Stores, and all that is done in them: rotations, retirements, restores, and who comes between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

mod authority;
mod binding;
mod broken;
mod bulletins;
mod contract;
mod damage;
mod disk;
mod healing;
mod hostile;
mod kills;
mod late;
mod ledger;
mod missing;
mod owner_returns;
mod publication;
mod races;
mod reading;
mod reencryption;
mod restore;
mod retirement;
mod rotation;
mod rotation_redb;
mod runbooks;
mod send;
#[path = "../support/all.rs"]
mod support;
mod unseen;
mod waiting;
