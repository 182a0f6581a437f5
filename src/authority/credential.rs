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
    /// Counts the authority's credentials from 1; an authority that came out of a safe goes on from a higher one.
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
        let parameters = trust.known_parameters(verified.authority())?;
        let aad = issued.credential.hash()?;
        let bytes = self.sealing().open(&info(issued.credential.unverified()), aad.as_bytes(), &issued.key)?;
        // A key names its parameters, so that it is of these or of those.
        let known = [Some(parameters), trust.previous_parameters(verified.authority())];
        let leaves = verified.attributes().leaves(verified.authority());
        UserKey::decode_for(bytes.expose(), known.into_iter().flatten(), &leaves)
    }
}

/// `"chartseal-1 hpke user key: " ‖ lp(authority) ‖ lp(person)`.
fn info(statement: &CredentialStatement) -> Vec<u8> {
    let mut w = Writer::new(label::HPKE_USER_KEY);
    for part in [statement.authority.as_str(), statement.person.as_str()] {
        // Ids have at most 64 bytes.
        w.u16(u16::try_from(part.len()).unwrap_or(u16::MAX)).bytes(part.as_bytes());
    }
    w.finish()
}

wire::object! { Issued, "issued key", (4 << 20) + 32 * 1024 }

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::authority::Authority;
    use crate::pin::PinStore;
    use crate::policy::Attributes;

    const NOW: Time = Time::at(1_775_000_000);

    /// The bytes of a user key with every point replaced by what is none.
    fn without_points(key: &UserKey) -> Vec<u8> {
        let mut bytes = key.to_secret_bytes().expose().clone();
        let mut at = 4 + 32 + 48 + 96 + 2;
        bytes[4 + 32..at - 2].fill(0xff);
        for leaf in key.leaves() {
            at += 2 + leaf.as_bytes().len();
            bytes[at..at + 48].fill(0xff);
            at += 48;
        }
        assert_eq!(at, bytes.len());
        bytes
    }

    #[test]
    fn a_user_key_for_other_attributes_than_the_credentials_is_refused_before_any_point_is_decoded() {
        let mut hospital = Authority::setup("st-olave".parse().unwrap(), NOW).unwrap();
        let ada = Identity::generate("dr-ada".parse().unwrap()).unwrap();
        hospital.enrol(&ada.enrol().unwrap()).unwrap();
        let later = NOW.plus(Duration::from_secs(1_000_000));
        let issued = hospital.issue(ada.id(), &"role:doctor".parse().unwrap(), NOW, later, NOW).unwrap();
        let mut trust = Trust::new(Duration::MAX);
        trust.add(hospital.anchor()).unwrap();
        trust.update(&hospital.publish(NOW).unwrap(), &mut PinStore::default(), NOW).unwrap();
        let honest = ada.accept(&issued, &trust, NOW).unwrap();

        // Whoever issues can seal what he likes beside an honest credential.
        let sealing = |bytes: &[u8]| {
            let credential = issued.credential.clone();
            let statement = credential.unverified();
            let aad = credential.hash().unwrap();
            let key = statement.sealing.seal(&info(statement), aad.as_bytes(), bytes).unwrap();
            ada.accept(&Issued { credential, key }, &trust, NOW).err()
        };
        assert_eq!(sealing(honest.to_secret_bytes().expose()), None);
        assert_eq!(sealing(&without_points(&honest)), Some(Error::Untrusted("user key")));
        let mut many = Attributes::new("role", "doctor").unwrap();
        many = (0..40).fold(many, |many, n| many.with_number(&format!("n{n}"), n).unwrap());
        let other = crate::kem::issue(&hospital.master, &many).unwrap();
        for bytes in [other.to_secret_bytes().expose().clone(), without_points(&other)] {
            assert_eq!(sealing(&bytes), Some(Error::Untrusted("attributes of a user key")));
        }
    }
}
