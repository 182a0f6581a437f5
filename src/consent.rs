//! Consents: the owner's signed, versioned word on who may read and write a compartment, with the key slots that make it
//! true.

mod access;
mod statement;
mod terms;
mod verify;

pub use access::Access;
pub use statement::{Consent, ConsentStatement};
pub use terms::{Named, Reading, Terms, Writing};
pub use verify::LiveConsent;
