//! Credentials, and the delivery of a user key to its holder.

use serde::{Deserialize, Serialize};

use super::trust::Trust;
use crate::error::{Error, Result};
use crate::id::{AuthorityId, PersonId, Time};
use crate::identity::{Identity, Sealed, SealingPublic, Signed, SigningPublic, Statement};
use crate::kem::UserKey;
use crate::policy::PersonNumber;
use crate::seal::label;
use crate::wire::{self, Writer};

/// An authority's signed statement of one person.
pub type Credential = Signed<CredentialStatement>;

/// What a credential says; [`Trust::credential`] says whether to believe it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialStatement {
    /// The authority.
    pub authority: AuthorityId,
    /// Counts the authority's credentials from 1.
    pub serial: u64,
    /// The person.
    pub person: PersonId,
    /// Her number, for life.
    pub number: PersonNumber,
    /// Verifies what she signs.
    pub signing: SigningPublic,
    /// Seals to her.
    pub sealing: SealingPublic,
    /// The canonical text of her [`Attributes`](crate::policy::Attributes), `user:#number` and `valid-until` among them.
    pub attributes: String,
    /// The first second at which this is valid.
    pub not_before: Time,
    /// The last second at which this is valid.
    pub not_after: Time,
}

impl Statement for CredentialStatement {
    const LABEL: &'static [u8] = label::SIGN_CREDENTIAL;
    const WHAT: &'static str = "credential";
    // The attributes have at most 16 KiB, all else less than 1 KiB.
    const LIMIT: usize = 20 * 1024;
}

/// What an authority hands to a person: what she shows, and what she opens with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issued {
    /// The credential.
    pub credential: Credential,
    /// The user key, sealed to her sealing key.
    pub key: Sealed,
}

impl Issued {
    /// Seals a user key to the holder of the credential.
    pub(super) fn new(credential: Credential, key: &UserKey) -> Result<Self> {
        let statement = credential.unverified();
        let key =
            statement.sealing.seal(&info(statement), credential.hash()?.as_bytes(), key.to_secret_bytes().expose())?;
        Ok(Self { credential, key })
    }
}

impl Identity {
    /// Opens and checks what an authority issued to this person: the credential as [`Trust::credential`] does, that it
    /// names this person's keys, and the user key in full ([`UserKey::decode`]) against the authority's parameters and
    /// the credential's attributes.
    ///
    /// # Errors
    ///
    /// Those of [`Trust::credential`]; [`Error::CannotOpen`] if it was issued to other keys or altered;
    /// [`Error::Unknown`] if the trust has no parameters of the authority; [`Error::Untrusted`] if the user key is of
    /// other parameters than the latest and the ones before, of other attributes, or fails its checks.
    pub fn accept(&self, issued: &Issued, trust: &Trust, now: Time) -> Result<UserKey> {
        let verified = trust.credential(&issued.credential, now)?;
        let own = self.public();
        if (verified.person(), verified.signing(), verified.sealing()) != (&own.id, &own.signing, &own.sealing) {
            return Err(Error::CannotOpen);
        }
        let parameters = trust.parameters(verified.authority()).ok_or(Error::Unknown("public parameters"))?;
        let aad = issued.credential.hash()?;
        let bytes = self.sealing().open(&info(issued.credential.unverified()), aad.as_bytes(), &issued.key)?;
        // A key names its parameters, so that it is of these or of those.
        let key = UserKey::decode(bytes.expose(), parameters).or_else(|error| {
            let previous = trust.previous_parameters(verified.authority());
            previous.map_or(Err(error), |previous| UserKey::decode(bytes.expose(), previous))
        })?;
        if key.leaves() == verified.attributes().leaves(verified.authority()) {
            Ok(key)
        } else {
            Err(Error::Untrusted("user key"))
        }
    }
}

/// `"chartseal-1 hpke user key: " ‖ lp(authority) ‖ lp(person)`.
fn info(statement: &CredentialStatement) -> Vec<u8> {
    let mut w = Writer::new(label::HPKE_USER_KEY);
    for part in [statement.authority.as_str(), statement.person.as_str()] {
        // Ids have at most 128 bytes.
        w.u16(u16::try_from(part.len()).unwrap_or(u16::MAX)).bytes(part.as_bytes());
    }
    w.finish()
}

wire::object! { Issued, "issued key", (4 << 20) + 32 * 1024 }
