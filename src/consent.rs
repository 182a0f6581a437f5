//! Consents: the owner's signed, versioned word on who may read and write a compartment, with the key slots that make it
//! true.
//!
//! - A [`ConsentBuilder`], got from a [`Device`](crate::owner::Device), makes a [`StoredConsent`]: what a server keeps.
//! - [`StoredConsent::verify`] makes a [`LiveConsent`] of it, before any key is used: signed by one of the owner's
//!   [`Devices`], whole, valid, no older than what was seen before.
//! - [`LiveConsent::open`] and its sisters make an [`Access`]: the compartment key, and the [`Terms`] in words.
//! - [`Devices::open_consents`] does both for all that a server has of a compartment: the call for a reader with memory
//!   while a rotation is under way.
//! - A [`Head`] says which consent is the latest, for readers without memory.
//!
//! # Example
//!
//! ```
//! use chartseal::authority::{Authority, REVOCATION_LIMIT, Trust};
//! use chartseal::{Error, id::Time, identity::Identity, owner::Owner, pin::PinStore};
//!
//! let now = Time::at(1_775_000_000);
//! let mut hospital = Authority::setup("st-olave".parse()?, now)?;
//! let [ada, bob] = [Identity::generate("dr-ada".parse()?)?, Identity::generate("dr-bob".parse()?)?];
//! let mut issue = |who: &Identity| {
//!     hospital.enrol(&who.enrol()?)?;
//!     hospital.issue(who.id(), &"role:doctor".parse()?, now, Time::at(1_776_000_000), now)
//! };
//! let (for_ada, for_bob) = (issue(&ada)?, issue(&bob)?);
//! let (mut trust, mut pins) = (Trust::new(REVOCATION_LIMIT), PinStore::default());
//! trust.add(hospital.anchor())?;
//! trust.update(&hospital.publish(now)?, &mut pins, now)?;
//!
//! // The patient: every doctor but Dr Bob.
//! let (alice, phone) = Owner::generate_with_device("phone".parse()?, now)?;
//! let builder = phone.consent(alice.devices(), "cardiology".parse()?);
//! let (stored, _) = builder.read(&trust, hospital.id(), "role:doctor and not user:dr-bob")?.seal(now)?;
//!
//! // The readers.
//! let devices = alice.list().accept(alice.id(), &mut pins, now)?;
//! let live = stored.verify(&devices, &"cardiology".parse()?, &mut pins, now)?;
//! let access = live.open(&ada.accept(&for_ada, &trust, now)?, &mut pins)?;
//! assert_eq!(access.terms().read[0].policy, "role:doctor");
//! assert_eq!(access.terms().exclusions[0].person, Some("dr-bob".parse()?));
//! assert_eq!(live.open(&bob.accept(&for_bob, &trust, now)?, &mut pins).err(), Some(Error::CannotOpen));
//!
//! // The phone starts a new key. While records are moved to it, a reader opens both at once, with the pins that she keeps.
//! let (rotated, ..) = phone.sharing(alice.devices(), &trust, &access).rotate()?.seal(now)?;
//! let (served, key) = ([stored, rotated], ada.accept(&for_ada, &trust, now)?);
//! let opened = devices.open_consents(access.compartment(), &served, &mut pins, now, |live, pins| live.open(&key, pins))?;
//! assert_eq!((opened.newest.version().0, opened.earlier.len()), (2, 1));
//! # Ok::<(), Error>(())
//! ```
//!
//! # What it proves, and what not
//!
//! Only a device of the owner makes a consent. Whoever reads holds the compartment key and can show it to anybody, but
//! can add nobody to the consent, nor change what it says, in the eyes of others. All readers get the same key and see
//! the same terms, and whoever opens it makes the slots for sealing keys again: they are for those whom the terms name, the
//! owner's own keys among them, and for nobody else, whoever signed it. The policies that its other slots show are those of
//! the terms. Whether the capsule beside a policy is for that policy takes as long to find out as sealing does:
//! [`Access::check_policy_slots`] does it, and a preview. Whoever has the compartment key can hand it out by other ways.
//!
//! Excluding or dropping somebody takes nothing back that was read, nor the key of the generation before: start a new
//! generation ([`ConsentBuilder::after`] without [`ConsentBuilder::reseal`]), and rewrap the records.
//!
//! A server sees the policies, the number of named people, the versions and the times. It can hide a newer consent from
//! whoever has no memory of it ([`PinStore`](crate::pin::PinStore)), until the last [`Head`] is stale; and an older device
//! list likewise.

mod access;
#[cfg(test)]
mod attacks;
mod builder;
mod compromise;
mod current;
mod custodian;
mod devices;
mod evidence;
mod exclusion;
mod head;
mod mandate;
mod open;
mod policy_slots;
mod preview;
mod referral;
mod slot;
mod statement;
mod stored;
mod succession;
mod terms;
mod verify;

pub use access::Access;
pub(crate) use access::WriteRule;
pub(crate) use builder::Signer;
pub use builder::{ConsentBuilder, ConsentDraft};
pub use compromise::{Exposed, ExposedBy, Exposure};
pub use current::{MAX_EARLIER, MAX_REFUSED, OpenedConsents, RefusedConsent};
pub use custodian::{Custodian, MASTER_KEY, MasterKeyCustodian};
pub(crate) use devices::owner_id;
pub use devices::{
    DeviceList, DeviceListStatement, Devices, ListedDevice, MAX_DEVICES, MAX_REMOVED, PublicDevice, Removal,
    RemovedDevice,
};
pub use evidence::{Confirmed, Evidence};
pub use exclusion::{Action, Cause, Exclusion};
pub use head::{Freshness, HEAD_LIMIT, Head, HeadDraft, HeadStatement};
pub use mandate::{Ceiling, MAX_MANDATED, Mandate, MandateStatement};
pub use preview::{Preview, Reader, UnenforcedExclusion};
pub use referral::{
    AcceptedReferral, DECLINE_LIMIT, Decline, DeclineStatement, Declined, EndedReferral, MAX_SECTIONS, Referral,
    ReferralEnd, ReferralEndStatement, ReferralStatement, Referred,
};
pub use slot::{MAX_SLOT, MAX_SLOTS};
pub use statement::{Consent, ConsentStatement};
pub use stored::{MAX_CONSENT, StoredConsent};
pub use succession::{
    Arrangement, ArrangementStatement, MAX_ARRANGEMENTS, MAX_DELAY, MAX_SUCCESSION, RootChangeStatement, Succession,
    Veto, VetoStatement,
};
pub use terms::{
    ConsumedStatement, MAX_MANDATES_PAST, MAX_MANDATES_PAST_BYTES, MAX_OWNER_TERMS, MAX_PAST, MAX_PAST_BYTES,
    MAX_TERMS, Named, PastRule, PastWriting, Reading, Terms, Writing,
};
pub use verify::{LiveConsent, WriteOnly};
