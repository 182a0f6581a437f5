//! A person's keys were stolen: what they open, and what closes it.

use std::fmt;

use super::access::Access;
use crate::authority::Credential;
use crate::error::{Error, Result};
use crate::id::{AuthorityId, CompartmentId, Generation, OwnerId, Version};
use crate::policy::Attributes;

/// What stolen keys open among some consents, by what these say: every version counts, since whoever has a key may have
/// kept the consents of before.
///
/// It says what the keys *could* open. What they *had* opened, nobody knows who only sees consents.
///
/// It is closed in each section by [`Sharing::replace_key`](crate::owner::Sharing::replace_key), which keeps the person,
/// or [`Sharing::revoke`](crate::owner::Sharing::revoke), which does not; for all patients at once by
/// [`Authority::rotate`](crate::authority::Authority::rotate) and sealing again under new compartment keys. What was sealed
/// before stays readable to whoever kept it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    /// The consents that open, in the order that they were given.
    pub opened: Vec<Exposed>,
}

/// A consent that stolen keys open.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exposed {
    /// The patient.
    pub owner: OwnerId,
    /// The section.
    pub compartment: CompartmentId,
    /// The version of the consent.
    pub version: Version,
    /// The generation of the key that it gives.
    pub generation: Generation,
    /// Which of the keys.
    pub by: ExposedBy,
}

/// Which key opens a consent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExposedBy {
    /// The user key, by attributes of this authority.
    Attributes(AuthorityId),
    /// The sealing key, since the person is named, or the custodian.
    Name,
}

impl Exposure {
    /// What opens among these consents with what was issued by these credentials, all of the stolen keys. What the
    /// credentials say is taken at its word, revoked or not.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the attributes of one are none.
    pub fn of(credentials: &[&Credential], consents: &[&Access]) -> Result<Self> {
        let mut keys = Vec::new();
        for credential in credentials {
            let claimed = credential.unverified();
            let attributes: Attributes = claimed.attributes.parse().map_err(|_| Error::Malformed("credential"))?;
            keys.push((&claimed.authority, attributes, claimed.sealing));
        }
        let by = |access: &Access| {
            let attributes = access.read_policies().iter().find(|(authority, policy)| {
                keys.iter().any(|(from, attributes, _)| *from == authority && policy.satisfied_by(attributes))
            });
            let named = || access.terms().named().any(|named| keys.iter().any(|(.., key)| *key == named.sealing));
            match attributes {
                Some((authority, _)) => Some(ExposedBy::Attributes(authority.clone())),
                None => named().then_some(ExposedBy::Name),
            }
        };
        let exposed = |access: &&Access| {
            Some(Exposed {
                owner: access.owner().clone(),
                compartment: access.compartment().clone(),
                version: access.version(),
                generation: access.generation(),
                by: by(access)?,
            })
        };
        Ok(Self { opened: consents.iter().filter_map(exposed).collect() })
    }
}

/// For the report that the patient gets.
impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.opened.is_empty() {
            return writeln!(f, "The stolen keys open none of these consents.");
        }
        writeln!(f, "The stolen keys open:")?;
        for Exposed { owner, compartment, version, by, .. } in &self.opened {
            let how = match by {
                ExposedBy::Attributes(authority) => format!("by attributes from {authority}"),
                ExposedBy::Name => "by name".to_owned(),
            };
            writeln!(f, "- `{compartment}` of {owner}, version {} of the consent, {how}", version.0)?;
        }
        writeln!(f, "Whether somebody opened it, the consents do not say. What was read stays read.")
    }
}
