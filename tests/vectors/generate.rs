//! Writes vectors anew.

pub(crate) mod consent;
pub(crate) mod credential;
pub(crate) mod kem;
pub(crate) mod record;
