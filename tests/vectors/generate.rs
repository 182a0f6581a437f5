//! Writes all vectors anew, after a change of a format:
//!
//! ```console
//! CHARTSEAL_REGENERATE=1 cargo test --test vectors
//! cargo run --manifest-path fuzz/Cargo.toml --example seed
//! ```
//!
//! The keys in them are new each time, but for those of the KEM. What was written is read by the same tests in the same
//! run, so one that passes is done. The second command writes the first files of the fuzzers' corpora, of which some are
//! vectors. What others implement has changed then: the commit has to say why.

use std::fs;

use crate::support::case::directory;

pub(crate) mod consent;
pub(crate) mod credential;
pub(crate) mod kem;
pub(crate) mod life;
pub(crate) mod policy;
pub(crate) mod record;
pub(crate) mod wrap;

/// Calls this if vectors are to be written.
pub(crate) fn if_asked(write_all: fn()) {
    if std::env::var_os("CHARTSEAL_REGENERATE").is_some() {
        assert!(std::env::var_os("CI").is_none(), "vectors are written by a person who looks at what changed");
        write_all();
    }
}

/// A folder of vectors that is being written.
pub(crate) struct Folder(&'static str);

impl Folder {
    /// Nothing of before stays.
    pub(crate) fn anew(name: &'static str) -> Self {
        for entry in fs::read_dir(directory(name)).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        Self(name)
    }

    /// What is not written again stays.
    pub(crate) fn open(name: &'static str) -> Self {
        Self(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(directory(self.0).join(format!("{name}.txt")), text).unwrap();
    }
}
