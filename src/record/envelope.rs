//! The pieces of a part: envelope, wrap and body.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::content::Content;
use super::format::{self, map_only};
use crate::consent::{Access, LiveConsent};
use crate::error::{Error, Result};
use crate::id::{CompartmentId, Generation, Hash, KeyId, Revision, Time};
use crate::identity::Sealed;
use crate::seal::{
    Commitment, Dek, FieldHeader, FieldPath, PartKey, Salt, SealedField, WrapHeader, WrappedKey, label, unwrap_dek,
    wrap_dek,
};
use crate::secret::Secret;
use crate::wire;

/// One part of a sealed record. Each of its pieces can be replaced alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    #[serde(deserialize_with = "map_only")]
    pub(super) envelope: Envelope,
    #[serde(deserialize_with = "map_only")]
    pub(super) wrap: Wrap,
    #[serde(deserialize_with = "map_only")]
    pub(super) body: Body,
}

/// Ties a body to a content. Whoever seals the body signs it; the signatures lie in the sealer's block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Envelope {
    #[serde(deserialize_with = "map_only")]
    pub(super) statement: EnvelopeStatement,
    pub(super) sealer: SealedField,
}

/// What a sealer signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvelopeStatement {
    /// The hash of the content that the part was written in.
    pub(super) content: Hash,
    pub(super) compartment: CompartmentId,
    /// When it was sealed, by the sealer's clock.
    pub(super) time: Time,
    pub(super) salt: Salt,
    pub(super) commitment: Commitment,
    /// The root over the body.
    pub(super) root: Hash,
}

/// The part's key, for whoever holds the compartment key of that generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wrap {
    /// The number of the compartment key, which orders.
    pub(super) generation: Generation,
    /// Its id, which tells it from others.
    pub(super) id: KeyId,
    pub(super) key: WrapKey,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum WrapKey {
    /// By somebody who reads, under the compartment key.
    Symmetric(WrappedKey),
    /// By somebody who only writes, to the consent's write key.
    Written(#[serde(deserialize_with = "map_only")] Sealed),
}

/// What is sealed under the part's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    pub(super) author: SealedField,
    #[serde(deserialize_with = "format::fields")]
    pub(super) fields: BTreeMap<FieldPath, SealedField>,
}

impl EnvelopeStatement {
    /// What is signed, without its label.
    pub(super) fn message(&self) -> Result<Vec<u8>> {
        wire::to_cbor(self, "envelope")
    }

    /// `SHA-256("chartseal-1 sign envelope: " ‖ canonical CBOR of the statement)`.
    pub(super) fn hash_of(message: &[u8]) -> Hash {
        Hash(Sha256::new().chain_update(label::SIGN_ENVELOPE).chain_update(message).finalize().into())
    }

    /// Compares the commitment.
    pub(super) fn part_key(&self, dek: &Dek) -> Result<PartKey> {
        PartKey::verified(dek, &self.salt, &self.commitment)
    }
}

impl Body {
    /// `SHA-256("chartseal-1 envelope root: " ‖ iv and tag of the author's block ‖ lp(path), iv and tag of each field)`.
    ///
    /// IVs and tags are enough here: the content binds the values themselves.
    pub(super) fn root(&self) -> Result<Hash> {
        let mut hash = Sha256::new().chain_update(label::ENVELOPE_ROOT);
        hash.update(self.author.iv());
        hash.update(self.author.tag());
        for (path, field) in &self.fields {
            let length = u16::try_from(path.as_str().len()).map_err(|_| Error::TooLarge("field path"))?;
            hash.update(length.to_be_bytes());
            hash.update(path.as_str());
            hash.update(field.iv());
            hash.update(field.tag());
        }
        Ok(Hash(hash.finalize().into()))
    }
}

impl Wrap {
    /// For the compartment's readers, by one of them.
    pub(super) fn symmetric(access: &Access, content: &Content, dek: &Dek) -> Result<Self> {
        let (generation, id) = (access.generation(), access.key_id());
        let header = header(content, access.compartment(), (generation, id))?;
        Ok(Self { generation, id, key: WrapKey::Symmetric(wrap_dek(access.cek(), &header, dek)?) })
    }

    /// For the compartment's readers, by somebody who is none.
    pub(super) fn written(consent: &LiveConsent, content: &Content, dek: &Dek) -> Result<Self> {
        let (generation, id) = (consent.generation(), consent.key_id());
        let header = header(content, consent.compartment(), (generation, id))?;
        let sealed = consent.write_key().seal(label::HPKE_WRITE, header.as_bytes(), dek.expose())?;
        Ok(Self { generation, id, key: WrapKey::Written(sealed) })
    }

    pub(super) fn open(&self, access: &Access, content: &Content) -> Result<Dek> {
        self.open_as(access, &header(content, access.compartment(), self.key())?)
    }

    /// Number and id of the compartment key.
    pub(super) fn key(&self) -> (Generation, KeyId) {
        (self.generation, self.id)
    }

    /// Opens the wrap in the place that the header names, which has the wrap's own key.
    pub(super) fn open_as(&self, access: &Access, header: &WrapHeader) -> Result<Dek> {
        match &self.key {
            WrapKey::Symmetric(key) => unwrap_dek(access.cek(), header, key),
            WrapKey::Written(sealed) => {
                let dek = access.write_secret()?.open(label::HPKE_WRITE, header.as_bytes(), sealed)?;
                let bytes: &[u8; 32] = dek.expose().as_slice().try_into().map_err(|_| Error::CannotOpen)?;
                Ok(Dek::from_secret(Secret::build(|dek| dek.copy_from_slice(bytes))))
            }
        }
    }
}

fn header(content: &Content, compartment: &CompartmentId, key: (Generation, KeyId)) -> Result<WrapHeader> {
    WrapHeader::new(&content.owner, &content.record, compartment, key)
}

/// The header of the fields of one part.
pub(super) fn field_header(content: &Content, compartment: &CompartmentId) -> Result<FieldHeader> {
    FieldHeader::new(&content.owner, &content.record, &content.schema, compartment)
}

/// The revision that a field was written in: that of its part, unless the author's block says otherwise.
pub(super) fn revision_of(older: &BTreeMap<FieldPath, Revision>, path: &FieldPath, part: Revision) -> Revision {
    older.get(path).copied().unwrap_or(part)
}
