//! What somebody holds who has opened a consent.

use std::fmt;
use std::ops::RangeInclusive;

use super::statement::ConsentStatement;
use super::stored::Signatures;
use super::terms::{Named, Terms};
use crate::error::{Error, Result};
use crate::id::{AuthorityId, CompartmentId, Generation, Hash, KeyId, OwnerId, Time, Version};
use crate::identity::{SealingKey, SealingPublic};
use crate::pin::{Base, Place};
use crate::policy::{Attributes, Policy};
use crate::seal::{Cek, write_seed};

/// An opened consent: the compartment key, and what the consent says.
///
/// Records are sealed and opened with it. It has no serialised form on purpose; its `Debug` shows no key and no terms.
pub struct Access {
    pub(super) statement: ConsentStatement,
    pub(super) hash: Hash,
    pub(super) signatures: Signatures,
    /// The owner's own consent that this one goes on from, if a custodian signed it.
    pub(super) base: Option<Base>,
    pub(super) cek: Cek,
    pub(super) terms: Terms,
    // INVARIANT: the parsed forms of `terms`, in its order; without those that are for excluded people alone.
    pub(super) read: Vec<(AuthorityId, Policy)>,
    pub(super) write: Vec<(AuthorityId, Policy)>,
    pub(super) past: Vec<Vec<(AuthorityId, Policy)>>,
    /// The version of the parameters of each policy slot, in the order of `read`.
    pub(super) parameters: Vec<Version>,
    pub(super) use_for: Use,
}

/// What an access is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    All,
    /// Its consent was replaced: what lies under its key opens, and nothing is judged, sealed or signed by its terms.
    ItsKey,
}

impl Use {
    /// Whether the consent's word is to be gone by.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`].
    pub(super) fn check(self) -> Result<()> {
        const EARLIER: Error = Error::ApiMisuse("this consent was replaced, and opened for its key alone");
        if self == Self::All { Ok(()) } else { Err(EARLIER) }
    }
}

/// Who could write under one or several versions.
pub(crate) struct WriteRule<'a> {
    pub(crate) versions: RangeInclusive<Version>,
    /// When the first of them was signed.
    pub(crate) issued_at: Time,
    pub(crate) not_after: Option<Time>,
    /// Where the last of them stands among all.
    place: Place,
    write: &'a [(AuthorityId, Policy)],
}

impl WriteRule<'_> {
    pub(crate) fn admits(&self, authority: &AuthorityId, attributes: &Attributes) -> bool {
        self.write.iter().any(|(who, policy)| who == authority && policy.satisfied_by(attributes))
    }
}

impl WriteRule<'_> {
    /// The version that the owner signed last of these, or before them: later ones of hers are not known.
    pub(crate) fn owners_last(&self) -> Version {
        self.place.base
    }

    /// Whether this came to be after the other, by what the owner's word counts.
    pub(crate) fn is_after(&self, other: &Self) -> bool {
        self.place > other.place
    }
}

impl Access {
    /// The patient.
    pub fn owner(&self) -> &OwnerId {
        &self.statement.owner
    }

    /// The compartment.
    pub fn compartment(&self) -> &CompartmentId {
        &self.statement.compartment
    }

    /// The consent's version.
    pub fn version(&self) -> Version {
        self.statement.version
    }

    /// The consent's hash.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// When the consent was signed, by the clock of the device.
    pub(crate) fn issued_at(&self) -> Time {
        self.statement.issued_at
    }

    /// Until when the consent is valid.
    pub fn not_after(&self) -> Option<Time> {
        self.statement.not_after
    }

    /// The end that the owner set: under a mandate, that of the consent that the mandate was given for.
    pub(crate) fn owners_end(&self) -> Option<Time> {
        self.terms.ceiling.as_ref().map_or(self.not_after(), |ceiling| ceiling.not_after)
    }

    /// The generation of the compartment key.
    pub fn generation(&self) -> Generation {
        self.statement.generation
    }

    /// What those who only write seal to.
    pub fn write_key(&self) -> SealingPublic {
        self.statement.write_key
    }

    /// What the consent says.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Whose time is over: the next consent leaves them out.
    pub fn over(&self, now: Time) -> impl Iterator<Item = &Named> {
        self.terms.people.iter().filter(move |named| named.is_over(now))
    }

    /// Who may read by attributes: the policies that slots were made for, without the excluded and with the month that keys
    /// have to be valid in.
    pub fn read_policies(&self) -> &[(AuthorityId, Policy)] {
        &self.read
    }

    /// Who may write by attributes, without the excluded. The owner's devices always may.
    pub fn write_policies(&self) -> &[(AuthorityId, Policy)] {
        &self.write
    }

    /// Whether the consent lets somebody write who has these attributes from `authority`.
    pub fn may_write(&self, authority: &AuthorityId, attributes: &Attributes) -> bool {
        self.write_rule().admits(authority, attributes)
    }

    /// Whether its terms are to be gone by, and not its key alone used: see [`OpenedConsents`](super::OpenedConsents).
    pub(crate) fn rules(&self) -> bool {
        self.use_for == Use::All
    }

    /// As [`Access::rules`].
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`].
    pub(crate) fn check_rules(&self) -> Result<()> {
        self.use_for.check()
    }

    /// Where the consent stands among all to its compartment.
    pub(crate) fn place(&self) -> Place {
        let version = self.version();
        let base = self.base.map_or(version, |base| base.version);
        Place { under: self.statement.devices, base, version }
    }

    /// Who may write under this version.
    pub(crate) fn write_rule(&self) -> WriteRule<'_> {
        WriteRule {
            versions: self.version()..=self.version(),
            issued_at: self.issued_at(),
            not_after: self.not_after(),
            place: self.place(),
            write: &self.write,
        }
    }

    /// Who could write under the versions before, as far as this one remembers.
    pub(crate) fn past_rules(&self) -> impl Iterator<Item = WriteRule<'_>> {
        self.terms.past.iter().zip(&self.past).map(|(past, write)| WriteRule {
            versions: past.from..=past.to,
            issued_at: past.issued_at,
            not_after: past.not_after,
            place: past.place(),
            write,
        })
    }

    /// Whether both hold one compartment key: one consent was sealed again for the other, or they are the same.
    pub fn has_key_of(&self, other: &Self) -> bool {
        self.statement.has_key_of(&other.statement)
    }

    /// The id of the compartment key.
    pub fn key_id(&self) -> KeyId {
        self.statement.key_id()
    }

    pub(crate) fn cek(&self) -> &Cek {
        &self.cek
    }

    /// The secret half of the write key.
    pub(crate) fn write_secret(&self) -> Result<SealingKey> {
        Ok(SealingKey::derive(&write_seed(&self.cek, &self.statement.salt)?))
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("owner", self.owner())
            .field("compartment", self.compartment())
            .field("version", &self.version())
            .field("cek", &self.cek)
            .finish_non_exhaustive()
    }
}
