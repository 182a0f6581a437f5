//! Wraps and envelopes as they lie in a store, each under its own key: what a rotation reads and writes.

use super::envelope::{Envelope, Wrap, WrapKey};
use crate::consent::Access;
use crate::error::{Error, Result};
use crate::id::{Generation, Hash, KeyId, RecordId};
use crate::seal::{WrapHeader, wrap_dek};
use crate::store::space::{self, Kind, PartPiece};
use crate::wire;

/// A wrap, and which part's it is, as its store key says.
pub(crate) struct StoredWrap {
    record: RecordId,
    wrap: Wrap,
}

impl StoredWrap {
    /// Reads the wrap that lies under a key.
    pub(crate) fn read(key: &str, bytes: &[u8]) -> Result<Self> {
        let record = space::wrap_of(key).ok_or(Error::Malformed(WHAT))?;
        Ok(Self { record, wrap: wire::from_cbor(bytes, MAX_WRAP, WHAT)? })
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
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        wire::from_cbor(bytes, MAX_ENVELOPE, "envelope").map(Self)
    }

    /// The root of the body that it is about.
    pub(crate) fn root(&self) -> Hash {
        self.0.statement.root
    }

    /// The key of the wrap that belongs to it, for the envelope under this key.
    pub(crate) fn wrap_key(&self, key: &str) -> Result<String> {
        match PartPiece::read(key) {
            Some((Kind::Envelope, place)) => Ok(place.keys().wrap(&self.root())),
            _ => Err(Error::Malformed("envelope")),
        }
    }
}

const MAX_WRAP: usize = 1024;
const MAX_ENVELOPE: usize = 64 * 1024;
const WHAT: &str = "wrap";
