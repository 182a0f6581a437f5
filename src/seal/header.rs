//! What AES-GCM authenticates beside each plaintext; the formulas stand in [`super`].

use super::label;
use super::path::FieldPath;
use crate::error::{Error, Result};
use crate::id::{CompartmentId, Generation, KeyId, OwnerId, RecordId, Revision, SchemaId};

/// The header of the fields of one part: what they share is written once.
pub(crate) struct FieldHeader {
    bytes: Vec<u8>,
    shared: usize,
}

impl FieldHeader {
    pub(crate) fn new(
        owner: &OwnerId,
        record: &RecordId,
        schema: &SchemaId,
        compartment: &CompartmentId,
    ) -> Result<Self> {
        let mut bytes = label::FIELD.to_vec();
        for id in [owner.as_str(), record.as_str(), schema.as_str(), compartment.as_str()] {
            push(&mut bytes, id)?;
        }
        Ok(Self { shared: bytes.len(), bytes })
    }

    pub(super) fn of(&mut self, path: &FieldPath, revision: Revision) -> Result<&[u8]> {
        self.bytes.truncate(self.shared);
        push(&mut self.bytes, path.as_str())?;
        self.bytes.extend_from_slice(&revision.0.to_be_bytes());
        Ok(&self.bytes)
    }
}

/// The header of a wrapped DEK.
pub(crate) struct WrapHeader(Vec<u8>);

impl WrapHeader {
    pub(crate) fn new(
        owner: &OwnerId,
        record: &RecordId,
        compartment: &CompartmentId,
        (generation, key): (Generation, KeyId),
    ) -> Result<Self> {
        let mut bytes = label::DEK_WRAP.to_vec();
        for id in [owner.as_str(), record.as_str(), compartment.as_str()] {
            push(&mut bytes, id)?;
        }
        bytes.extend_from_slice(&generation.0.to_be_bytes());
        bytes.extend_from_slice(key.as_bytes());
        Ok(Self(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The length first, so that no two lists of texts give the same bytes.
fn push(bytes: &mut Vec<u8>, text: &str) -> Result<()> {
    let length = u16::try_from(text.len()).map_err(|_| Error::TooLarge("id"))?;
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header([owner, record, schema, compartment]: [&str; 4], path: &str, revision: u64) -> Vec<u8> {
        let (owner, record) = (OwnerId::new(owner).unwrap(), RecordId::new(record).unwrap());
        let (schema, compartment) = (SchemaId::new(schema).unwrap(), CompartmentId::new(compartment).unwrap());
        let mut header = FieldHeader::new(&owner, &record, &schema, &compartment).unwrap();
        // A longer one before must leave nothing behind.
        header.of(&FieldPath::new("/a/much/longer/path").unwrap(), Revision(7)).unwrap();
        header.of(&FieldPath::new(path).unwrap(), Revision(revision)).unwrap().to_vec()
    }

    #[test]
    fn the_header_of_a_field_is_its_label_its_ids_its_path_and_its_revision() {
        let expected = b"chartseal-1 field: \0\x01o\0\x02rr\0\x01s\0\x01c\0\x02/p\0\0\0\0\0\0\0\x09";
        assert_eq!(header(["o", "rr", "s", "c"], "/p", 9), expected);
    }

    #[test]
    fn no_two_contexts_share_a_header() {
        let all = [
            header(["a", "bc", "s", "c"], "/p", 0),
            header(["ab", "c", "s", "c"], "/p", 0),
            header(["a", "b", "cs", "c"], "/p", 0),
            header(["a", "bc", "s", "c"], "/q", 0),
            header(["a", "bc", "s", "c"], "/p", 1),
            header(["a", "bc", "c", "s"], "/p", 0),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!(all.iter().skip(i + 1).all(|other| one != other), "{i}");
        }
    }
}
