//! Byte strings and strict maps for serde types that have a text form and a binary form.

use std::fmt;
use std::marker::PhantomData;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serializer};

/// Writes bytes: unpadded base64url (RFC 4648 section 5) where the format is for people, a byte string elsewhere.
pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        serializer.serialize_str(&Base64UrlUnpadded::encode_string(bytes))
    } else {
        serializer.serialize_bytes(bytes)
    }
}

/// Reads what [`serialize`] wrote, `limit` bytes at most. The length is checked before anything is decoded.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D, limit: usize) -> Result<Vec<u8>, D::Error> {
    if deserializer.is_human_readable() {
        deserializer.deserialize_str(Text { limit })
    } else {
        deserializer.deserialize_bytes(Bytes { limit })
    }
}

/// Reads exactly `N` bytes.
pub(crate) fn deserialize_array<'de, D: Deserializer<'de>, const N: usize>(
    deserializer: D,
) -> Result<[u8; N], D::Error> {
    let bytes = deserialize(deserializer, N)?;
    bytes.as_slice().try_into().map_err(|_| D::Error::invalid_length(bytes.len(), &"the exact length"))
}

/// Reads a struct from a map only. What serde derives would also take the members as a bare list, which is a second
/// text for the same value.
pub(crate) fn map_only<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_map(MapOnly(PhantomData))
}

struct Text {
    limit: usize,
}

impl Visitor<'_> for Text {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unpadded base64url")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        if text.len() > self.limit.div_ceil(3).saturating_mul(4) {
            return Err(E::custom("too long"));
        }
        let bytes = Base64UrlUnpadded::decode_vec(text).map_err(|_| E::custom("not unpadded base64url"))?;
        Bytes { limit: self.limit }.visit_byte_buf(bytes)
    }
}

struct Bytes {
    limit: usize,
}

impl Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte string")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        if bytes.len() > self.limit { Err(E::custom("too long")) } else { Ok(bytes.to_vec()) }
    }

    fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        if bytes.len() > self.limit { Err(E::custom("too long")) } else { Ok(bytes) }
    }
}

struct MapOnly<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for MapOnly<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> Option<Vec<u8>> {
        deserialize(&mut serde_json::Deserializer::from_str(json), 4).ok()
    }

    #[test]
    fn bytes_have_one_text() {
        assert_eq!(text("\"-_8\""), Some(vec![0xfb, 0xff]));
        assert_eq!(text("\"\""), Some(vec![]));
        // The other alphabet, padding, white space, bits set beyond the last byte, an impossible length.
        for bad in ["\"+/8\"", "\"-_8=\"", "\"-_ 8\"", "\"-_9\"", "\"-\"", "[251,255]", "null", "7"] {
            assert_eq!(text(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_byte_string_over_its_limit_is_refused() {
        assert_eq!(text("\"AAAAAA\""), Some(vec![0; 4]));
        assert_eq!(text("\"AAAAAAA\""), None);
        assert_eq!(text("\"AAAAAAAAAAAAAAAA\""), None);
    }
}
