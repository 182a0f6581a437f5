//! A consent between its slots and its signature.

use crate::consent::access::Access;
use crate::consent::mandate::Mandate;
use crate::consent::statement::Consent;
use crate::consent::stored::StoredConsent;
use crate::error::Result;
use crate::identity::{Signature, Signed, SigningKey, SigningPublic};

/// A consent that only lacks its signature.
#[derive(Debug)]
pub struct ConsentDraft {
    pub(super) access: Access,
    pub(super) sealed_terms: Vec<u8>,
    pub(super) slots: Vec<Vec<u8>>,
    pub(super) mandate: Option<Mandate>,
    pub(super) signing: SigningPublic,
}

impl ConsentDraft {
    /// What has to be signed, label and all, with Ed25519.
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn message(&self) -> Result<Vec<u8>> {
        Signed::message(&self.access.statement)
    }

    /// The consent with its signature.
    ///
    /// # Errors
    ///
    /// [`Error::Forged`](crate::Error::Forged) if it is not the signature of the message by the key that was announced;
    /// [`Error::TooLarge`](crate::Error::TooLarge).
    pub fn finish(self, signature: Signature) -> Result<(StoredConsent, Access)> {
        let consent = Signed::with_signature(self.access.statement.clone(), signature);
        consent.verify(&self.signing)?;
        self.put_together(consent)
    }

    pub(super) fn sign(self, key: &SigningKey) -> Result<(StoredConsent, Access)> {
        let consent = Signed::sign(self.access.statement.clone(), key)?;
        self.put_together(consent)
    }

    fn put_together(self, consent: Consent) -> Result<(StoredConsent, Access)> {
        let hash = consent.hash()?;
        let stored = StoredConsent::from_parts(consent, self.sealed_terms, self.slots)?.under(self.mandate)?;
        let signatures = stored.signatures();
        Ok((stored, Access { hash, signatures, ..self.access }))
    }
}
