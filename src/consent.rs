//! Consents: the owner's signed, versioned word on who may read and write a compartment, with the key slots that make it
//! true.

mod access;
#[cfg(test)]
mod attacks;
mod builder;
mod devices;
mod head;
mod open;
mod preview;
mod slot;
mod statement;
mod stored;
mod terms;
mod verify;

pub use access::Access;
pub use builder::ConsentBuilder;
pub(crate) use builder::Signer;
pub(crate) use devices::owner_id;
pub use devices::{DeviceList, DeviceListStatement, Devices, MAX_DEVICES, MAX_REMOVED, PublicDevice, RemovedDevice};
pub use head::{Freshness, HEAD_LIMIT, Head, HeadStatement};
pub use preview::{Preview, Reader, Uncovered};
pub use slot::{MAX_SLOT, MAX_SLOTS};
pub use statement::{Consent, ConsentStatement};
pub use stored::{MAX_CONSENT, StoredConsent};
pub use terms::{MAX_TERMS, Named, Reading, Terms, Writing};
pub use verify::LiveConsent;
