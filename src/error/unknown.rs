//! What nobody at hand knows, by its id.

use std::fmt;

use crate::id::{AuthorityId, CompartmentId, DeviceId, OwnerId, PersonId};
use crate::policy::PersonNumber;

/// Of what, or of whom, nothing is at hand: what [`Error::Unknown`](crate::Error::Unknown) names, so that whoever reads it
/// learns what to fetch. It holds ids, which are public, and nothing else.
///
/// ```
/// use chartseal::{Error, Unknown, authority::{REVOCATION_LIMIT, Trust}, id::{Time, AuthorityId}, owner::Owner};
///
/// let now = Time::at(1_775_000_000);
/// let (alice, phone) = Owner::generate_with_device("phone".parse()?, now)?;
/// let (trust, hospital) = (Trust::new(REVOCATION_LIMIT), "st-olave".parse::<AuthorityId>()?);
/// let consent = phone.consent(alice.devices(), "cardiology".parse()?).read(&trust, &hospital, "role:doctor")?;
/// let error = consent.seal(now).unwrap_err();
/// assert_eq!(error, Error::Unknown(Unknown::PublicParameters(hospital)));
/// assert_eq!(error.to_string(), "the public parameters of `st-olave` are unknown here");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unknown {
    /// There is no trust anchor of this authority, or it was retired.
    Authority(AuthorityId),
    /// The trust has no public parameters of this authority: it has not published any yet, what it published was not taken
    /// over, or its anchor was retired.
    PublicParameters(AuthorityId),
    /// The trust has no revocation list of this authority.
    RevocationList(AuthorityId),
    /// Nobody bears this name in the map of people of any of these authorities, which are all that were asked.
    Person {
        /// The name.
        person: PersonId,
        /// Who was asked, in order. With none, there was no authority to ask.
        asked: Vec<AuthorityId>,
    },
    /// The person is not excluded by this name, nor by another that stands for her.
    Exclusion(PersonId),
    /// Nobody is excluded by this number of this authority for that cause.
    NumberExclusion {
        /// The authority.
        authority: AuthorityId,
        /// The number.
        number: PersonNumber,
    },
    /// There is no state of this authority in the store.
    AuthorityState(AuthorityId),
    /// There is no device list of this owner.
    DeviceList(OwnerId),
    /// The device list of this owner does not have this device.
    Device {
        /// The owner.
        owner: OwnerId,
        /// The device.
        device: DeviceId,
    },
    /// The record has no part in this compartment.
    Part(CompartmentId),
    /// The environment has no master key.
    MasterKey,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authority(authority) => {
                write!(f, "the authority `{authority}` is unknown here: no anchor of it is trusted")
            }
            Self::PublicParameters(authority) => write!(f, "the public parameters of `{authority}` are unknown here"),
            Self::RevocationList(authority) => write!(f, "the revocation list of `{authority}` is unknown here"),
            Self::Person { person, asked } if asked.is_empty() => {
                write!(f, "the person `{person}` is unknown here: there is no authority to ask")
            }
            Self::Person { person, asked } => {
                write!(f, "the person `{person}` is unknown to")?;
                for (at, authority) in asked.iter().enumerate() {
                    write!(f, "{} `{authority}`", if at == 0 { "" } else { "," })?;
                }
                Ok(())
            }
            Self::Exclusion(person) => write!(f, "no exclusion of `{person}` is known here"),
            Self::NumberExclusion { authority, number } => {
                write!(f, "no exclusion of the number {number} of `{authority}` for that cause is known here")
            }
            Self::AuthorityState(authority) => write!(f, "the state of `{authority}` is unknown to this store"),
            Self::DeviceList(owner) => write!(f, "the device list of `{owner}` is unknown here"),
            Self::Device { owner, device } => write!(f, "the device `{device}` is unknown to the list of `{owner}`"),
            Self::Part(compartment) => write!(f, "the record has no part in `{compartment}`"),
            Self::MasterKey => write!(f, "the master key is unknown here"),
        }
    }
}
