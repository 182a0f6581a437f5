//! Wraps and envelopes as they lie in a store, each under its own key: what a rotation reads and writes.

use super::envelope::{Envelope, Wrap, WrapKey};
use crate::consent::Access;
use crate::error::{Error, Result};
use crate::id::{CompartmentId, Generation, Hash, KeyId, OwnerId, RecordId};
use crate::seal::{WrapHeader, wrap_dek};
use crate::wire;
use base64ct::{Base64UrlUnpadded, Encoding};

/// A wrap, and which part's it is, as its store key says.
pub(crate) struct StoredWrap {
    record: RecordId,
    wrap: Wrap,
}

impl StoredWrap {
    /// What the keys of a compartment's wraps begin with. No id holds a `~`.
    pub(crate) fn prefix(owner: &OwnerId, compartment: &CompartmentId) -> String {
        format!("wrap~{owner}~{compartment}~")
    }

    /// Reads a wrap whose key begins with `prefix`.
    pub(crate) fn read(prefix: &str, key: &str, bytes: &[u8]) -> Result<Self> {
        let (record, root) =
            key.strip_prefix(prefix).and_then(|rest| rest.split_once('~')).ok_or(Error::Malformed(WHAT))?;
        hash_in(root).ok_or(Error::Malformed(WHAT))?;
        Ok(Self { record: RecordId::new(record)?, wrap: wire::from_cbor(bytes, MAX_WRAP, WHAT)? })
    }

    pub(crate) fn generation(&self) -> Generation {
        self.wrap.generation
    }

    pub(crate) fn key_id(&self) -> KeyId {
        self.wrap.id
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        wire::to_cbor(&self.wrap, WHAT)
    }

    /// The same part's key under a later compartment key. The body is not needed for it.
    pub(crate) fn rewrap(&self, old: &Access, new: &Access) -> Result<Self> {
        let dek = self.wrap.open_as(old, &self.header(old, self.wrap.key())?)?;
        let (generation, id) = (new.generation(), new.key_id());
        let header = self.header(new, (generation, id))?;
        let key = WrapKey::Symmetric(wrap_dek(new.cek(), &header, &dek)?);
        Ok(Self { record: self.record.clone(), wrap: Wrap { generation, id, key } })
    }

    /// Whether the wrap opens; and, with the part's envelope, whether what it holds is that part's key.
    pub(crate) fn check(&self, access: &Access, envelope: Option<&StoredEnvelope>) -> Result<()> {
        let dek = self.wrap.open_as(access, &self.header(access, self.wrap.key())?)?;
        envelope.map_or(Ok(()), |envelope| envelope.0.statement.part_key(&dek).map(|_| ()))
    }

    fn header(&self, access: &Access, key: (Generation, KeyId)) -> Result<WrapHeader> {
        WrapHeader::new(access.owner(), &self.record, access.compartment(), key)
    }
}

/// An envelope, as far as a rotation looks at it.
pub(crate) struct StoredEnvelope(Envelope);

impl StoredEnvelope {
    /// What the keys of a compartment's envelopes begin with.
    pub(crate) fn prefix(owner: &OwnerId, compartment: &CompartmentId) -> String {
        format!("envelope~{owner}~{compartment}~")
    }

    /// Whose part's it is, by its key: the record, and the content that it was written in.
    pub(crate) fn place(prefix: &str, key: &str) -> Option<(RecordId, Hash)> {
        let (record, hash) = key.strip_prefix(prefix)?.split_once('~')?;
        Some((RecordId::new(record).ok()?, hash_in(hash)?))
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        wire::from_cbor(bytes, MAX_ENVELOPE, "envelope").map(Self)
    }

    /// The key of the wrap that belongs to it, for an envelope whose own key begins with `prefix`.
    pub(crate) fn wrap_key(&self, prefix: &str, key: &str, wraps: &str) -> Result<String> {
        let record = key.strip_prefix(prefix).and_then(|rest| rest.split_once('~')).map(|(record, _)| record);
        let root = Base64UrlUnpadded::encode_string(self.0.statement.root.as_bytes());
        Ok(format!("{wraps}{}~{root}", record.ok_or(Error::Malformed("envelope"))?))
    }
}

fn hash_in(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    let whole = Base64UrlUnpadded::decode(text, &mut hash).map(<[u8]>::len) == Ok(32);
    whole.then_some(Hash(hash))
}

const MAX_WRAP: usize = 1024;
const MAX_ENVELOPE: usize = 64 * 1024;
const WHAT: &str = "wrap";
