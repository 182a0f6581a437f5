//! Health records that only the people a patient allows can open: a policy over attributes decides, by
//! ciphertext-policy attribute-based encryption (CP-ABE), who gets the key of a compartment of records, and AES-256-GCM
//! keeps each field. A record opens for exactly those whose attributes satisfy the policy, whole and in the place that it
//! was sealed for, or it does not open at all.
//!
//! # Example
//!
//! ```
//! use chartseal::{Error, id::Generation, kem, record::*, seal::*};
//!
//! let (public, master) = kem::setup("st-olave".parse()?)?;
//! let tree = public.expand(&"role:doctor and not user:#4".parse()?)?;
//! let (capsule, shared) = kem::encapsulate(&public, &tree, b"alice/cardiology/1")?;
//! let (cek, record) = (Cek::generate()?, RecordContext {
//!     owner: "alice".parse()?, record: "17".parse()?, schema: "visit".parse()?, compartment: "cardiology".parse()? });
//! let slot = wrap_cek(&shared, b"alice/cardiology/1", &cek)?;
//! let sealed = Record::new(record).field("/diagnosis", "I21.4")?.seal(&cek, Generation(1))?;
//!
//! let ada = kem::issue(&master, &"role:doctor, user:#17".parse()?)?;
//! let shared = kem::decapsulate(&ada, &tree, b"alice/cardiology/1", &capsule)?;
//! let view = sealed.open(&unwrap_cek(&shared, b"alice/cardiology/1", &slot)?)?;
//! assert_eq!(view.get("/diagnosis"), Some(&b"I21.4"[..]));
//! # Ok::<(), Error>(())
//! ```
//!
//! # Words
//!
//! - **Authority**: who vouches for attributes, such as a hospital. It holds the [`kem::MasterKey`] and issues a
//!   [`kem::UserKey`] to each member of staff; everybody may have its [`kem::PublicParameters`].
//! - **Policy**: who may read, as a formula over attributes ([`policy::Policy`]), expanded for one authority to a
//!   [`policy::AccessTree`]; a [`kem::Capsule`] for that tree carries a [`seal::SharedKey`] to those who satisfy it.
//! - **Compartment**: records of one owner that the same people read. Its key, the [`seal::Cek`], lies wrapped under the
//!   shared key: the policy is paid for once a compartment, never once a record.
//! - **Record**: fields by path ([`record::Record`]), sealed ([`record::SealedRecord`]) and opened again
//!   ([`record::View`]) under a key of its own that lies wrapped under the compartment key.
//! - **Generation**: the number of a compartment key ([`id::Generation`]). To lock a reader out of what is yet to come,
//!   draw a key of the next generation, put it behind a new policy, and move the records
//!   ([`record::SealedRecord::rewrap`]).
//!
//! # What it does not do
//!
//! - **No signatures, consents or audit log yet.** Whoever can write the store can put a record, a slot or a policy of
//!   their own in place of yours, and leave some out or bring old ones back. What opens is consistent; who made it is not
//!   said.
//! - **Nothing is called back.** Readers may keep what they once opened, and a user key opens what its attributes satisfy
//!   until policies no longer admit it. `rewrap` gives a record's key a new wrap, not the record a new key. Bulk rotation
//!   is not there yet.
//! - **The authority can open everything**: the master key is a key to every capsule. So can whoever holds a
//!   compartment key, for its compartment.
//! - **Not hidden**: ids, paths of fields, lengths of values, and policies (unless blinded by a [`kem::RealmKey`]).
//! - **No quantum resistance**: BLS12-381 gives about 120 bits against classical computers and nothing against quantum
//!   ones. What is recorded today can be opened by whoever has one.
//! - **One authority for each capsule**, and limits on everything that is read: 4 KiB and 512 leaves for a policy, 4,096
//!   fields of at most 16 MiB and 64 MiB together for a record.
//!
//! The crate does no I/O beyond asking the operating system for randomness, has no clock, and prints nothing. All calls
//! are synchronous. Secrets are wiped when dropped, as far as Rust lets a library do that: moves and registers can leave
//! copies.
//!
//! # Where to go on
//!
//! - [`policy`] for the language, [`kem`] for attribute-based encryption by itself, [`seal`] for keys and every formula,
//!   [`record`] for records, `fhir` (a default feature) for FHIR R4 text that has to come back byte for byte.
//! - `cargo run --example quickstart`: the above at leisure. `cargo run --release --example clinic`: two whole charts,
//!   five sections, ten members of staff.
//! - The [`manual`], first of all [coming from rabe](manual::coming_from_rabe).
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
