//! Canonical encoding and its limits.
//!
//! Two forms, both strict. Fixed layouts (capsules, keys, parameters, trees) go through [`Writer`] and [`Reader`].
//! Structures go through serde as deterministic CBOR ([`to_cbor`], [`from_cbor`]): declared field order, shortest
//! definite lengths, no trailing bytes. A decoder re-encodes what it read and compares, so a value has exactly one
//! encoding.

pub(crate) mod bytes;

use std::io;

use serde::{Serialize, de::DeserializeOwned};

use crate::error::{Error, Result};

/// Appends to a fixed layout.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new(magic: &[u8]) -> Self {
        Self(magic.to_vec())
    }

    pub(crate) fn with_capacity(capacity: usize, magic: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.extend_from_slice(magic);
        Self(bytes)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn u8(&mut self, n: u8) -> &mut Self {
        self.bytes(&[n])
    }

    pub(crate) fn u16(&mut self, n: u16) -> &mut Self {
        self.bytes(&n.to_be_bytes())
    }

    pub(crate) fn u64(&mut self, n: u64) -> &mut Self {
        self.bytes(&n.to_be_bytes())
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads a fixed layout; every failure is [`Error::Malformed`] with the object's name.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    pub(crate) fn malformed(&self) -> Error {
        Error::Malformed(self.what)
    }

    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(Error::Malformed(self.what))?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N]> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(Error::Malformed(self.what))?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_be_bytes(*self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(*self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_be_bytes(*self.array()?))
    }

    /// Reads the three magic bytes and the version byte that head every object.
    pub(crate) fn magic(&mut self, expected: &[u8; 4]) -> Result<()> {
        let [a, b, c, version] = self.array::<4>()?;
        let [ea, eb, ec, known] = expected;
        if [a, b, c] != [ea, eb, ec] {
            return Err(self.malformed());
        }
        if version != known {
            return Err(Error::UnknownVersion(self.what));
        }
        Ok(())
    }

    /// Everything that is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn finish(self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.malformed()) }
    }
}

/// Encodes as canonical CBOR.
pub(crate) fn to_cbor<T: Serialize>(value: &T, what: &'static str) -> Result<Vec<u8>> {
    cbor4ii::serde::to_vec(Vec::new(), value).map_err(|_| Error::Malformed(what))
}

/// Decodes canonical CBOR of at most `limit` bytes: anything that would not be re-encoded to the same bytes is
/// malformed.
pub(crate) fn from_cbor<T: Serialize + DeserializeOwned>(bytes: &[u8], limit: usize, what: &'static str) -> Result<T> {
    if bytes.len() > limit {
        return Err(Error::TooLarge(what));
    }
    let value: T = cbor4ii::serde::from_slice(bytes).map_err(|_| Error::Malformed(what))?;
    let mut again = Expected(bytes);
    match cbor4ii::serde::to_writer(&mut again, &value) {
        Ok(()) if again.0.is_empty() => Ok(value),
        _ => Err(Error::Malformed(what)),
    }
}

/// Whether the canonical CBOR of a value is at most `limit` bytes long. Nothing is allocated for it.
pub(crate) fn fits_cbor<T: Serialize>(value: &T, limit: usize) -> bool {
    cbor4ii::serde::to_writer(Room(limit), value).is_ok()
}

/// Takes exactly these bytes.
struct Expected<'a>(&'a [u8]);

impl io::Write for Expected<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes so many bytes, whatever they are.
struct Room(usize);

impl io::Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Decodes JSON of what has at most `limit` bytes in CBOR; the text may have twice as many. Members may stand in any
/// order and white space anywhere; beyond that the text must say what the value says and no more: serde alone would take
/// a list for a structure, and nothing for a null.
pub(crate) fn from_json<T: Serialize + DeserializeOwned>(text: &str, limit: usize, what: &'static str) -> Result<T> {
    if text.len() > limit.saturating_mul(2) {
        return Err(Error::TooLarge(what));
    }
    let malformed = |_| Error::Malformed(what);
    let value: T = serde_json::from_str(text).map_err(malformed)?;
    let said: serde_json::Value = serde_json::from_str(text).map_err(malformed)?;
    if serde_json::to_value(&value).map_err(malformed)? != said {
        return Err(Error::Malformed(what));
    }
    // Else what is read from one form could not be passed on in the other.
    if fits_cbor(&value, limit) { Ok(value) } else { Err(Error::TooLarge(what)) }
}

/// The two forms of an object that is no statement by itself, `$limit` bytes of CBOR at most, or twice as many of JSON.
macro_rules! object {
    ($name:ident, $what:literal, $limit:expr) => {
        impl $name {
            /// Canonical CBOR.
            ///
            /// # Errors
            ///
            /// None that a caller can bring about.
            pub fn to_cbor(&self) -> $crate::Result<Vec<u8>> {
                $crate::wire::to_cbor(self, $what)
            }

            /// Reads canonical CBOR.
            ///
            /// # Errors
            ///
            /// [`Error::Malformed`](crate::Error::Malformed) or [`Error::TooLarge`](crate::Error::TooLarge).
            pub fn from_cbor(bytes: &[u8]) -> $crate::Result<Self> {
                $crate::wire::from_cbor(bytes, $limit, $what)
            }

            /// JSON with the same content.
            ///
            /// # Errors
            ///
            /// None that a caller can bring about.
            pub fn to_json(&self) -> $crate::Result<String> {
                serde_json::to_string(self).map_err(|_| $crate::Error::Malformed($what))
            }

            /// Reads JSON.
            ///
            /// # Errors
            ///
            /// [`Error::Malformed`](crate::Error::Malformed) or [`Error::TooLarge`](crate::Error::TooLarge).
            pub fn from_json(text: &str) -> $crate::Result<Self> {
                $crate::wire::from_json(text, $limit, $what)
            }
        }
    };
}

/// Public bytes of a fixed length: base64url in text, a byte string in CBOR.
macro_rules! public_bytes {
    ($(#[$doc:meta])* $vis:vis struct $name:ident($n:expr);) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis struct $name(pub(crate) [u8; $n]);

        impl $name {
            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; $n] {
                &self.0
            }
        }

        impl From<[u8; $n]> for $name {
            fn from(bytes: [u8; $n]) -> Self {
                Self(bytes)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.0.len())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                crate::wire::bytes::serialize(&self.0, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::wire::bytes::deserialize_array(deserializer).map(Self)
            }
        }
    };
}

pub(crate) use {object, public_bytes};
