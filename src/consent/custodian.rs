//! Custodians: the hook for a host's key service, and one that keeps a master key itself.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};

use super::head::HeadStatement;
use super::statement::ConsentStatement;
use crate::error::{Error, Result, Unknown};
use crate::id::PersonId;
use crate::identity::{Identity, PublicIdentity, Sealed, Signature, Statement};
use crate::seal::custodian_seeds;
use crate::secret::Secret;
use crate::store::BoxFuture;
use crate::wire;

/// Who holds a key on owners' behalf: a key service, a hardware module, or [`MasterKeyCustodian`].
///
/// A custodian opens the slots that are sealed to it, and signs consents under an owner's
/// [`Mandate`](crate::consent::Mandate). It needs to know nothing of consents for that: HPKE and Ed25519 suffice.
pub trait Custodian: Send + Sync {
    /// The public keys; consents name them.
    fn public(&self) -> &PublicIdentity;

    /// Opens a message: HPKE (RFC 9180), base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, this info, no
    /// AAD.
    ///
    /// # Errors
    ///
    /// [`Error::CannotOpen`] if it is not for this custodian.
    fn open<'a>(&'a self, info: &'a [u8], sealed: &'a Sealed) -> BoxFuture<'a, Result<Secret<Vec<u8>>>>;

    /// Signs these bytes with Ed25519 (RFC 8032): a consent or a head under a mandate, as
    /// [`ConsentDraft::message`](crate::consent::ConsentDraft::message) and
    /// [`HeadDraft::message`](crate::consent::HeadDraft::message) give them. A custodian signs
    /// nothing else with this key: a signature over other bytes is a word that nobody gave.
    ///
    /// # Errors
    ///
    /// The service's own; [`Error::NotAllowed`] if it refuses.
    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Signature>>;
}

/// The environment variable that [`MasterKeyCustodian::from_env`] reads.
pub const MASTER_KEY: &str = "CHARTSEAL_MASTER_KEY";

/// A custodian whose keys are derived from one master key of 32 bytes: for hosts without a key service.
///
/// # Security
///
/// Whoever has the master key, and whoever can read the memory of the process, opens every slot that is sealed to this
/// custodian. "The server cannot read" does not hold for the host that it runs on: run it apart from the store.
pub struct MasterKeyCustodian {
    identity: Identity,
    public: PublicIdentity,
}

impl MasterKeyCustodian {
    /// Derives the keys of the custodian of this name; a master key may serve several.
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn new(id: PersonId, master: &Secret<[u8; 32]>) -> Result<Self> {
        let identity = Identity::from_seeds(id.clone(), &custodian_seeds(master, id.as_str())?);
        Ok(Self { public: identity.public(), identity })
    }

    /// Takes the master key from the environment variable [`MASTER_KEY`]: 43 characters of unpadded base64url, 32 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] if it is not set, [`Error::Malformed`] if it is not of that form.
    pub fn from_env(id: PersonId) -> Result<Self> {
        let text = std::env::var(MASTER_KEY).map_err(|_| Error::Unknown(Unknown::MasterKey))?;
        Self::new(id, &Self::parse(Secret::new(text))?)
    }

    fn parse(text: Secret<String>) -> Result<Secret<[u8; 32]>> {
        let mut malformed = Ok(());
        let master = Secret::build(|bytes| match Base64UrlUnpadded::decode(text.expose(), &mut bytes[..]) {
            Ok(decoded) if decoded.len() == 32 => {}
            _ => malformed = Err(Error::Malformed("master key")),
        });
        malformed.map(|()| master)
    }

    /// The keys, to sign under a mandate in this process ([`Mandate::consent`](crate::identity::Signed::consent)).
    pub fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl Custodian for MasterKeyCustodian {
    fn public(&self) -> &PublicIdentity {
        &self.public
    }

    fn open<'a>(&'a self, info: &'a [u8], sealed: &'a Sealed) -> BoxFuture<'a, Result<Secret<Vec<u8>>>> {
        Box::pin(std::future::ready(self.identity.sealing().open(info, &[], sealed)))
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Signature>> {
        let signed =
            if is_mandated(message) { Ok(self.identity.signing().sign(&[], message)) } else { Err(Error::NotAllowed) };
        Box::pin(std::future::ready(signed))
    }
}

/// Whether these bytes are what a custodian signs: a consent or a head, and under a mandate. Whether it is this custodian's
/// mandate is for verifiers: they hold the mandate itself.
fn is_mandated(message: &[u8]) -> bool {
    let consent = said::<ConsentStatement>(message).map(|consent| consent.mandate);
    let head = || said::<HeadStatement>(message).map(|head| head.mandate);
    consent.or_else(head).is_some_and(|mandate| mandate.is_some())
}

/// The statement that these bytes are the message of.
fn said<T: Statement>(message: &[u8]) -> Option<T> {
    wire::from_cbor(message.strip_prefix(T::LABEL)?, T::LIMIT, T::WHAT).ok()
}

impl fmt::Debug for MasterKeyCustodian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKeyCustodian").field("public", &self.public).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<[u8; 32]> {
        MasterKeyCustodian::parse(Secret::new(text.into())).ok().map(|master| *master.expose())
    }

    #[test]
    fn a_master_key_is_read_whole_or_not_at_all() {
        let text = Base64UrlUnpadded::encode_string(&[7; 32]);
        assert_eq!(parse(&text), Some([7; 32]));
        for bad in ["", "BwcH", &text[1..], &format!("{text}A"), &format!("{text}="), &format!(" {}", &text[1..])] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn one_master_key_gives_the_same_keys_to_one_name_and_others_to_another() {
        let master = Secret::build(|bytes: &mut [u8; 32]| bytes.fill(7));
        let keys = |id: &str| MasterKeyCustodian::new(id.parse().unwrap(), &master).unwrap().public;
        assert_eq!(keys("keeper"), keys("keeper"));
        assert_ne!(keys("keeper").signing, keys("other").signing);
        assert_ne!(keys("keeper").sealing, keys("other").sealing);
    }
}
