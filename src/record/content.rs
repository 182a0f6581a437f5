//! What an author signs: where a record belongs, its revision, and a root over each part's values.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::MAX_PARTS;
use super::author::By;
use super::format::maps;
use crate::error::{Error, Result};
use crate::id::{CompartmentId, Hash, OwnerId, RecordId, Revision, SchemaId, Time, Version};
use crate::seal::{FieldPath, SUITE, label};
use crate::wire;

/// The content of a record at one revision: all that its author says in the open.
///
/// Whoever writes a revision signs it; the signature lies sealed in the parts that were written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    pub(super) suite: Suite,
    /// The patient.
    pub owner: OwnerId,
    /// The record.
    pub record: RecordId,
    /// What its fields mean.
    pub schema: SchemaId,
    /// 0 when first sealed, one more with each amendment.
    pub revision: Revision,
    /// The hash of the content before this one; none for revision 0.
    pub previous: Option<Hash>,
    /// When it was written, by the author's clock.
    pub time: Time,
    /// The parts, in the order of their compartments.
    #[serde(deserialize_with = "maps")]
    pub parts: Vec<ContentPart>,
}

/// One part of a record, as its content names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentPart {
    /// The compartment whose key opens it.
    pub compartment: CompartmentId,
    /// The version of the consent that it was written under.
    pub consent: Version,
    /// The revision that it was written in. An amendment leaves the parts that it does not change.
    pub revision: Revision,
    /// The root over its values.
    pub root: Hash,
}

/// The suite, as a text that has one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub(super) struct Suite;

impl TryFrom<String> for Suite {
    type Error = &'static str;

    fn try_from(suite: String) -> Result<Self, &'static str> {
        if suite == SUITE { Ok(Self) } else { Err("unknown suite") }
    }
}

impl From<Suite> for &'static str {
    fn from(_: Suite) -> Self {
        SUITE
    }
}

impl Content {
    /// What is signed and hashed, without its label.
    pub(super) fn message(&self) -> Result<Vec<u8>> {
        wire::to_cbor(self, "content")
    }

    /// What the content says of a compartment.
    pub fn part(&self, compartment: &CompartmentId) -> Option<&ContentPart> {
        let index = self.parts.binary_search_by(|part| part.compartment.cmp(compartment)).ok()?;
        self.parts.get(index)
    }

    /// Whether it names a part as the older content wrote it. That one has to be kept then, whether the part is at hand
    /// or not: without it the part opens for nobody.
    pub(super) fn names_a_part_of(&self, older: &Self) -> bool {
        self.parts.iter().any(|part| older.wrote(part))
    }

    /// Whether the part was written in this content, and in no earlier one.
    pub(super) fn wrote(&self, part: &ContentPart) -> bool {
        part.revision == self.revision && self.part(&part.compartment) == Some(part)
    }

    /// Whether it can be a content at all. [`Content::part`] relies on the order.
    pub(super) fn is_well_formed(&self) -> bool {
        let ascending = self.parts.iter().zip(self.parts.iter().skip(1)).all(|(a, b)| a.compartment < b.compartment);
        (1..=MAX_PARTS).contains(&self.parts.len())
            && ascending
            && self.parts.iter().all(|part| part.revision <= self.revision)
            && self.parts.iter().any(|part| part.revision == self.revision)
            && self.previous.is_some() == (self.revision.0 > 0)
            && self.has_room()
    }

    /// Whether its revision leaves room for others: no record is amended more than once a second. So nobody takes the last
    /// number that there is, and every reader computes the same.
    pub(super) fn has_room(&self) -> bool {
        self.revision.0 <= self.time.as_secs()
    }
}

/// `SHA-256("chartseal-1 sign content: " ‖ canonical CBOR of the content)`.
pub(super) fn hash_of(message: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update(label::SIGN_CONTENT).chain_update(message).finalize().into())
}

/// The key that makes the roots of a part no dictionary: without it nobody can try values against a root.
pub(super) type Rho = Zeroizing<[u8; 32]>;

/// The root over a part's values, field by field in the order of their paths.
///
/// ```text
/// root   = SHA-256("chartseal-1 content root: " ‖ author ‖ mac(field 1) ‖ mac(field 2) …)
/// author = HMAC-SHA-256[ρ]("chartseal-1 content root: " ‖ u16 0 ‖ by)
/// mac    = HMAC-SHA-256[ρ]("chartseal-1 content root: " ‖ lp(path) ‖ revision ‖ value)
/// ```
///
/// The author stands in it, so that nobody can sign the same content as his own. No path is empty.
pub(super) struct Root {
    mac: Hmac<Sha256>,
    hash: Sha256,
}

impl Root {
    pub(super) fn new(rho: &Rho, by: &By) -> Result<Self> {
        let mut mac = Hmac::<Sha256>::new_from_slice(rho.as_slice()).map_err(|_| Error::TooLarge("key"))?;
        mac.update(label::CONTENT_ROOT);
        let author = mac.clone().chain_update([0, 0]).chain_update(by.to_bytes()?).finalize();
        let hash = Sha256::new().chain_update(label::CONTENT_ROOT).chain_update(author.into_bytes());
        Ok(Self { mac, hash })
    }

    pub(super) fn add(&mut self, path: &FieldPath, revision: Revision, value: &[u8]) -> Result<()> {
        let length = u16::try_from(path.as_str().len()).map_err(|_| Error::TooLarge("field path"))?;
        let mut mac = self.mac.clone();
        mac.update(&length.to_be_bytes());
        mac.update(path.as_str().as_bytes());
        mac.update(&revision.0.to_be_bytes());
        mac.update(value);
        self.hash.update(mac.finalize().into_bytes());
        Ok(())
    }

    pub(super) fn finish(self) -> Hash {
        Hash(self.hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(rho: u8, fields: &[(&str, u64, &[u8])]) -> Hash {
        root_by(By::Credential(b"ada".to_vec()), rho, fields)
    }

    fn root_by(by: By, rho: u8, fields: &[(&str, u64, &[u8])]) -> Hash {
        let mut root = Root::new(&Zeroizing::new([rho; 32]), &by).unwrap();
        for (path, revision, value) in fields {
            root.add(&FieldPath::new(*path).unwrap(), Revision(*revision), value).unwrap();
        }
        root.finish()
    }

    /// RFC 2104 spelled out over the hash alone.
    #[test]
    fn a_root_is_the_hash_of_one_mac_for_the_author_and_one_a_field() {
        let hmac = |text: &[u8]| {
            let padded = |pad: u8| -> [u8; 64] { std::array::from_fn(|i| if i < 32 { 7 ^ pad } else { pad }) };
            let inner = Sha256::digest([&padded(0x36), text].concat());
            Sha256::digest([&padded(0x5c)[..], inner.as_slice()].concat())
        };
        let label = b"chartseal-1 content root: ";
        let author = hmac(&[&label[..], b"\0\0\x01\0\x03ada"].concat());
        let one = hmac(&[&label[..], b"\0\x02/a\0\0\0\0\0\0\0\x03value"].concat());
        let two = hmac(&[&label[..], b"\0\x02/b\0\0\0\0\0\0\0\x04"].concat());
        let expected = Sha256::digest([&label[..], &author, &one, &two].concat());
        assert_eq!(root(7, &[("/a", 3, b"value"), ("/b", 4, b"")]).0[..], expected[..]);
    }

    #[test]
    fn no_two_parts_share_a_root() {
        let all = [
            root(1, &[("/a", 0, b"b")]),
            root(2, &[("/a", 0, b"b")]),
            root(1, &[("/ab", 0, b"")]),
            root(1, &[("/a", 1, b"b")]),
            root(1, &[("/a", 0, b"b"), ("/b", 0, b"")]),
            root(1, &[]),
            root_by(By::Credential(b"bob".to_vec()), 1, &[("/a", 0, b"b")]),
            root_by(By::Device("ada".parse().unwrap()), 1, &[("/a", 0, b"b")]),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!(all.iter().skip(i + 1).all(|other| one != other), "{i}");
        }
    }
}
