//! Health records that only the people a patient allows can open: a policy over attributes decides, by
//! ciphertext-policy attribute-based encryption (CP-ABE), who gets the key of a compartment of records, and AES-256-GCM
//! keeps each field. A record opens for exactly those whose attributes satisfy the policy, whole and in the place that it
//! was sealed for, or it does not open at all.
//!
//! # Example
//!
//! ```
//! use chartseal::{Error, authority::*, id::Time, identity::Identity, owner::Owner, pin::PinStore, record::*};
//!
//! # let (now, next_year) = (Time::at(1_775_000_000), Time::at(1_806_000_000));
//! let mut hospital = Authority::setup("st-olave".parse()?, now)?;
//! let ada = Identity::generate("dr-ada".parse()?)?;
//! hospital.enrol(&ada.enrol()?)?;
//! let issued = hospital.issue(ada.id(), &"role:doctor".parse()?, now, next_year, now)?;
//! let (mut trust, mut pins) = (Trust::new(REVOCATION_LIMIT), PinStore::default());
//! trust.add(hospital.anchor())?;
//! trust.update(&hospital.publish(now)?, &mut pins, now)?;
//!
//! let (alice, phone) = Owner::generate_with_device("phone".parse()?, now)?;
//! let consent = phone.consent(alice.devices(), "cardiology".parse()?).read(&trust, hospital.id(), "role:doctor")?;
//! let (stored, access) = consent.write(&trust, hospital.id(), "role:doctor")?.seal(now)?;
//! let record = Record::new("encounter-17".parse()?, "visit".parse()?).part(&access)?.field("/diagnosis", "I21.4")?;
//! let sealed = record.seal(&Author::new(&ada, &issued.credential)?, now)?;
//!
//! let consent = stored.verify(alice.devices(), access.compartment(), &pins, now)?;
//! let access = consent.open(&ada.accept(&issued, &trust, now)?, &mut pins)?;
//! let view = Reader::new(&trust, now).remembering(&mut pins).open(&sealed, &[&access])?;
//! assert_eq!(view.get("/diagnosis")?, Some(&b"I21.4"[..]));
//! # Ok::<(), Error>(())
//! ```
//!
//! # Words
//!
//! - **Authority**: who vouches for attributes, such as a hospital. It holds the [`kem::MasterKey`] and issues a
//!   [`kem::UserKey`] to each member of staff; everybody may have its [`kem::PublicParameters`].
//! - **Policy**: who may read, as a formula over attributes ([`policy::Policy`]), expanded for one authority to a
//!   [`policy::AccessTree`]; a [`kem::Capsule`] for that tree carries a [`seal::SharedKey`] to those who satisfy it.
//! - **Consent**: what an owner's device signs ([`consent::Consent`]): who may read and who may write one compartment, and
//!   the slots that make it true.
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
//! - **No gate and no audit log yet.** Whoever can write the store can leave records out, and bring old ones back before
//!   readers who have not seen later ones ([`record::Remembering`]). What opens is consistent, and says who wrote it.
//! - **Nothing is called back.** Readers may keep what they once opened, and a user key opens what its attributes satisfy
//!   until policies no longer admit it. A [`rotation`] gives records' keys new wraps, or the records new keys; each
//!   [`owner::Receipt`] says what that protects.
//! - **The authority can open everything**: the master key is a key to every capsule. So can whoever holds a
//!   compartment key, for its compartment.
//! - **Not hidden**: ids, paths of fields, lengths of values, and policies (unless blinded by a [`kem::RealmKey`]).
//! - **No quantum resistance**: BLS12-381 gives about 120 bits against classical computers and nothing against quantum
//!   ones. What is recorded today can be opened by whoever has one.
//! - **One authority for each capsule**, and limits on everything that is read: 4 KiB and 512 leaves for a policy, 4,096
//!   fields of at most 4 MiB and 64 MiB together for a record.
//!
//! But for [`store`] and what works over it ([`repository`], [`ledger`], [`rotation`], [`backup`],
//! [`authority::StoredAuthority`], [`authority::BulletinBoard`]), the crate does no I/O beyond asking the operating system for
//! randomness, and all calls are synchronous. It has no clock, and prints nothing.
//! Secrets are wiped when dropped, as far as Rust lets a library do that: moves and registers can leave copies.
//!
//! # Where to go on
//!
//! - [`authority`], [`owner`], [`consent`] and [`record`]: who is who, whose it is, who may, and what was written.
//! - [`store`], [`repository`] and [`rotation`]: records in a database, and moving them to a new key; [`ledger`] and
//!   [`backup`]: what was revoked stays away when a backup comes back.
//! - [`owner::Sharing`] for the patient's verbs, [`owner::recovery`] for lost keys, the [runbooks](manual::runbooks) for
//!   everything that happens.
//! - [`policy`] for the language, [`kem`] for attribute-based encryption by itself, [`seal`] for keys and every formula,
//!   `fhir` (a default feature) for FHIR R4 text that has to come back byte for byte.
//! - `cargo run --example quickstart`: the above at leisure. `cargo run --release --example clinic`: two whole charts,
//!   five sections, ten members of staff.
//! - The [`manual`]: [architecture](manual::architecture), [threat model](manual::threat_model), [every
//!   byte](mod@manual::format), [coming from rabe](manual::coming_from_rabe).
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
pub mod backup;
pub mod consent;
mod error;
#[cfg(feature = "fhir")]
pub mod fhir;
pub mod id;
pub mod identity;
pub mod kem;
pub mod ledger;
pub mod manual;
pub mod owner;
mod pairing;
pub mod pin;
pub mod policy;
pub mod record;
pub mod repository;
pub mod rotation;
pub mod seal;
mod secret;
pub mod store;
mod time;
mod visible;
mod wire;

pub use error::{Error, Result, Unknown};
pub use secret::Secret;
