//! Where a part goes: a compartment, of which the author may know the key or not.

use super::content::Content;
use super::envelope::Wrap;
use crate::consent::{Access, WriteOnly};
use crate::error::Result;
use crate::id::{CompartmentId, KeyId, OwnerId, Time, Version};
use crate::pin;
use crate::seal::Dek;

/// The compartment of a part that is written, by the consent that rules it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Place<'a> {
    /// The author can read there.
    Access(&'a Access),
    /// The author can write there and open nothing, not even what he wrote: a laboratory.
    WriteOnly(WriteOnly<'a>),
}

impl<'a> From<&'a Access> for Place<'a> {
    fn from(access: &'a Access) -> Self {
        Self::Access(access)
    }
}

impl<'a> From<WriteOnly<'a>> for Place<'a> {
    fn from(consent: WriteOnly<'a>) -> Self {
        Self::WriteOnly(consent)
    }
}

impl Place<'_> {
    pub(super) fn owner(&self) -> &OwnerId {
        match self {
            Self::Access(access) => access.owner(),
            Self::WriteOnly(consent) => consent.consent().owner(),
        }
    }

    pub(super) fn compartment(&self) -> &CompartmentId {
        match self {
            Self::Access(access) => access.compartment(),
            Self::WriteOnly(consent) => consent.consent().compartment(),
        }
    }

    pub(super) fn version(&self) -> Version {
        match self {
            Self::Access(access) => access.version(),
            Self::WriteOnly(consent) => consent.consent().version(),
        }
    }

    /// Where the consent stands among all to the compartment, and which key it gives.
    pub(super) fn consent(&self) -> (pin::Place, KeyId) {
        match self {
            Self::Access(access) => (access.place(), access.key_id()),
            Self::WriteOnly(consent) => (consent.consent().place(), consent.consent().key_id()),
        }
    }

    pub(super) fn not_after(&self) -> Option<Time> {
        match self {
            Self::Access(access) => access.not_after(),
            Self::WriteOnly(consent) => consent.consent().not_after(),
        }
    }

    pub(super) fn issued_at(&self) -> Time {
        match self {
            Self::Access(access) => access.issued_at(),
            Self::WriteOnly(consent) => consent.consent().issued_at(),
        }
    }

    pub(super) fn wrap(&self, content: &Content, dek: &Dek) -> Result<Wrap> {
        match self {
            Self::Access(access) => Wrap::symmetric(access, content, dek),
            Self::WriteOnly(consent) => Wrap::written(consent.consent(), content, dek),
        }
    }
}
