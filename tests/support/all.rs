//! What the tests share: every binary of `tests` includes it as its module `support`.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod branches;
pub(crate) mod case;
pub(crate) mod forge;
pub(crate) mod guard;
pub(crate) mod hospital;
pub(crate) mod policies;
pub(crate) mod store;
pub(crate) mod stored;
pub(crate) mod two_hospitals;
pub(crate) mod waiting;
pub(crate) mod world;
