//! chartseal
#![forbid(unsafe_op_in_unsafe_fn)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "tests may panic"
    )
)]

pub mod authority;
pub mod consent;
mod error;
#[cfg(feature = "fhir")]
pub mod fhir;
pub mod id;
pub mod identity;
pub mod kem;
pub mod manual;
pub mod owner;
mod pairing;
pub mod pin;
pub mod policy;
pub mod record;
pub mod seal;
mod secret;
mod wire;

pub use error::{Error, Result};
pub use secret::Secret;
