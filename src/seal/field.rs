//! One sealed value.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::aead::{IV, TAG};
use crate::error::{Error, Result};
use crate::wire::bytes;

/// Most bytes in one field.
pub const MAX_FIELD: usize = 4 * 1024 * 1024;

/// One value under AES-256-GCM: ciphertext (as long as the value), IV (12 bytes) and tag (16 bytes).
///
/// In JSON, and in a document of MongoDB, it is `{"data":"…","iv":"…","tag":"…"}` with unpadded base64url; in CBOR the
/// same map with byte strings. Reading is strict: other members, a missing or repeated one, another length of `iv` or
/// `tag`, padding or other base64 than the one canonical text are refused.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct SealedField {
    #[serde(serialize_with = "to_bytes")]
    pub(super) data: Vec<u8>,
    #[serde(serialize_with = "to_bytes")]
    pub(super) iv: [u8; IV],
    #[serde(serialize_with = "to_bytes")]
    pub(super) tag: [u8; TAG],
}

impl SealedField {
    /// Puts a field together from its parts, for stores with byte types of their own.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] if `data` is over [`MAX_FIELD`].
    pub fn from_parts(data: Vec<u8>, iv: [u8; 12], tag: [u8; 16]) -> Result<Self> {
        if data.len() > MAX_FIELD { Err(Error::TooLarge("field")) } else { Ok(Self { data, iv, tag }) }
    }

    /// The ciphertext; it is as long as the value.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The IV.
    pub fn iv(&self) -> &[u8; 12] {
        &self.iv
    }

    /// The tag.
    pub fn tag(&self) -> &[u8; 16] {
        &self.tag
    }
}

impl<'de> Deserialize<'de> for SealedField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Members {
            #[serde(deserialize_with = "from_bytes")]
            data: Vec<u8>,
            #[serde(deserialize_with = "bytes::deserialize_array")]
            iv: [u8; IV],
            #[serde(deserialize_with = "bytes::deserialize_array")]
            tag: [u8; TAG],
        }

        let Members { data, iv, tag } = bytes::map_only(deserializer)?;
        Ok(Self { data, iv, tag })
    }
}

impl fmt::Debug for SealedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedField({} bytes)", self.data.len())
    }
}

fn to_bytes<S: Serializer>(value: &impl AsRef<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    bytes::serialize(value.as_ref(), serializer)
}

fn from_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    bytes::deserialize(deserializer, MAX_FIELD)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"data":"-_8","iv":"AAAAAAAAAAAAAAAA","tag":"AAAAAAAAAAAAAAAAAAAAAA"}"#;

    #[test]
    fn a_field_is_three_texts_in_json_and_three_byte_strings_in_cbor() {
        let field = SealedField::from_parts(vec![0xfb, 0xff], [0; 12], [0; 16]).unwrap();
        assert_eq!(serde_json::to_string(&field).unwrap(), JSON);
        assert_eq!(serde_json::from_str::<SealedField>(JSON).unwrap(), field);

        let cbor = crate::wire::to_cbor(&field, "field").unwrap();
        let mut expected = b"\xa3\x64data\x42\xfb\xff\x62iv\x4c".to_vec();
        expected.extend([0; 12]);
        expected.extend(b"\x63tag\x50");
        expected.extend([0; 16]);
        assert_eq!(cbor, expected);
        assert_eq!(crate::wire::from_cbor::<SealedField>(&cbor, 100, "field").unwrap(), field);
    }

    #[test]
    fn any_other_shape_of_a_field_is_refused() {
        let twice = JSON.replace("\"tag\"", "\"iv\":\"AAAAAAAAAAAAAAAA\",\"tag\"");
        let bad = [
            JSON.replace("\"tag\"", "\"mac\""),
            JSON.replace("}", ",\"alg\":\"none\"}"),
            JSON.replace("\"data\":\"-_8\",", ""),
            JSON.replace("\"iv\":\"AAAAAAAAAAAAAAAA\"", "\"iv\":\"AAAAAAAAAAAAAAA\""),
            JSON.replace("\"iv\":\"AAAAAAAAAAAAAAAA\"", "\"iv\":\"AAAAAAAAAAAAAAAAAA\""),
            JSON.replace("AAAAAA\"}", "AAAAAB\"}"),
            JSON.replace("AAAAAA\"}", "AAAAAA==\"}"),
            JSON.replace("\"-_8\"", "\"+/8\""),
            JSON.replace("\"-_8\"", "[251,255]"),
            r#"["-_8","AAAAAAAAAAAAAAAA","AAAAAAAAAAAAAAAAAAAAAA"]"#.to_owned(),
            twice,
        ];
        for text in bad {
            assert!(serde_json::from_str::<SealedField>(&text).is_err(), "{text}");
        }
    }
}
