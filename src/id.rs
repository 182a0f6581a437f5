//! Newtypes for ids, versions, generations and times.

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
pub use crate::time::Time;
use crate::wire::public_bytes;

/// Longest id, in bytes.
pub const MAX_ID: usize = 64;
/// Longest schema id, in bytes.
pub const MAX_SCHEMA: usize = 128;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        text_type! {
            $(#[$doc])*
            ///
            /// One to [`MAX_ID`] bytes of ASCII letters, digits and `- _ . :`, and not `.` or `..`: the same bytes in every
            /// log, path and database that it meets. Some file systems take `A` for `a`.
            $name, $what, is_id
        }
    };
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks and takes over an id.
            ///
            /// # Errors
            ///
            /// [`Error::Malformed`] if it is empty, too long or holds another character.
            pub fn new(id: impl Into<String>) -> Result<Self> {
                let id = id.into();
                if $check(&id) { Ok(Self(id)) } else { Err(Error::Malformed($what)) }
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(id: &str) -> Result<Self> {
                Self::new(id)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(id: String) -> Result<Self> {
                Self::new(id)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

text_id!(
    /// Names an attribute authority: a hospital, an agency.
    AuthorityId,
    "authority id"
);

text_id!(
    /// Names one record of one owner.
    RecordId,
    "record id"
);

text_id!(
    /// Names one compartment of one owner. Choose it opaque: it stands beside the record in the open.
    CompartmentId,
    "compartment id"
);

text_id!(
    /// Names the owner of records, the patient. Choose it opaque: it stands beside the record in the open.
    OwnerId,
    "owner id"
);

text_type!(
    /// Names the schema of a record's fields, such as `fhir/R4/Observation`: one to [`MAX_SCHEMA`] bytes of ASCII letters,
    /// digits and `- _ . : / + =`. It stands in no key of a store.
    SchemaId,
    "schema id",
    is_schema
);

text_id!(
    /// Names a person towards an authority: a member of staff, a guardian, a service.
    PersonId,
    "person id"
);

text_id!(
    /// Names one of an owner's devices.
    DeviceId,
    "device id"
);

/// The version of something that its signer publishes again and again: 1, then one more each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl Version {
    /// Whether this is the version of something signed at that time. No version exceeds the seconds of its own signed time,
    /// so that nobody can take all the numbers at once; every reader computes this alike, whatever he has seen.
    pub(crate) fn is_of(self, issued_at: Time) -> bool {
        self.0 <= issued_at.as_secs()
    }
}

public_bytes! {
    /// SHA-256 of a signed statement: `SHA-256(label ‖ canonical CBOR)`.
    pub struct Hash(32);
}

/// The number of a compartment key: a revocation or a rotation starts the next one. It orders keys for people to read;
/// what tells them apart is the [`KeyId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

public_bytes! {
    /// Names a compartment key everywhere: the first 16 bytes of its commitment. Two keys may share a [`Generation`],
    /// where a device, or a custodian, went on without knowing of another; no two share an id.
    pub struct KeyId(16);
}

impl KeyId {
    /// The id as it stands in keys of a store: 22 characters of unpadded base64url.
    pub(crate) fn to_text(self) -> String {
        Base64UrlUnpadded::encode_string(&self.0)
    }
}

/// The revision of a record: 0 when first sealed, one more with each amendment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

fn is_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    (1..=MAX_ID).contains(&id.len()) && !matches!(id, "." | "..") && id.bytes().all(plain)
}

fn is_schema(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte);
    (1..=MAX_SCHEMA).contains(&id.len()) && id.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_plain_ascii_or_refused() {
        assert!(RecordId::new("urn:uuid:6f1c").is_ok());
        for bad in ["", "a b", "é", "a\0", "a\n", "a/b", ".", "..", "a~", "a+b", "a=", "a%2f"] {
            assert_eq!(RecordId::new(bad), Err(Error::Malformed("record id")), "{bad:?}");
        }
        assert!(RecordId::new("x".repeat(MAX_ID)).is_ok());
        assert!(RecordId::new("x".repeat(MAX_ID + 1)).is_err());
        assert!(serde_json::from_str::<RecordId>("\"a b\"").is_err());
        assert!(SchemaId::new("fhir/R4/Observation").is_ok() && SchemaId::new("a b").is_err());
        assert!(SchemaId::new("x".repeat(MAX_SCHEMA)).is_ok() && SchemaId::new("x".repeat(MAX_SCHEMA + 1)).is_err());
    }
}
