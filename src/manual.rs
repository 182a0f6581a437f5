//! The manual: pages that are longer than the documentation of one item.
//!
//! - [`architecture`]: the floors of the crate, the keys, and what happens when a record is written and read;
//! - [`threat_model`]: who is trusted with what, boundary by boundary, and what is not defended;
//! - [`format`](mod@format): every byte that is written, and every limit;
//! - [`costs`]: how often each verb calls the store, and how much memory it takes;
//! - [`runbooks`]: what to do, call by call, when something happens;
//! - [`coming_from_rabe`]: what each call of the `rabe` crate becomes here, and why the results differ.

#[doc = include_str!("manual/architecture.md")]
pub mod architecture {}

#[doc = include_str!("manual/threat_model.md")]
pub mod threat_model {}

#[doc = include_str!("manual/format.md")]
pub mod format {}

#[doc = include_str!("manual/costs.md")]
pub mod costs {}

#[doc = include_str!("manual/coming_from_rabe.md")]
pub mod coming_from_rabe {}

pub mod runbooks;
