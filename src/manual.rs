//! The manual: pages that are longer than the documentation of one item.
//!
//! - [`coming_from_rabe`]: what each call of the `rabe` crate becomes here, and why the results differ.
//! - [`kem_format`]: the KEM byte for byte, for a second implementation.
//! - [`format_record`]: sealed records byte for byte.

#[doc = include_str!("manual/coming_from_rabe.md")]
pub mod coming_from_rabe {}

#[doc = include_str!("manual/kem_format.md")]
pub mod kem_format {}

#[doc = include_str!("manual/format_record.md")]
pub mod format_record {}
