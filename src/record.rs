//! One record: fields by path, sealed under a key of its own that lies wrapped under the compartment key.
//!
//! - [`Record`]: the plaintext, built field by field;
//! - [`SealedRecord`]: what is stored and sent, in JSON or CBOR;
//! - [`View`]: the plaintext again, for whoever holds the compartment key.
//!
//! # What sealing proves, and what not
//!
//! A field opens only in the place that it was sealed for: this owner, record, schema, compartment, path and revision.
//! So a record that opens is the one that it says it is, which need not be the one that you asked for: compare
//! [`SealedRecord::context`] with what you wanted, or the store can serve one record of a compartment for another.
//!
//! Whoever holds the compartment key can make records, so a record that opens says nothing about who wrote it. Whoever
//! keeps the store can leave fields out, or bring back an older state of the record, unnoticed. Paths, ids and the
//! lengths of values stand in the open.

mod format;
mod sealed;
mod view;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::id::{CompartmentId, Generation, OwnerId, RecordId, Revision, SchemaId};
use crate::seal::{Cek, Dek, FieldPath, MAX_FIELD, PartKey, Salt, fill_random, wrap_dek};

pub use format::{MAX_CBOR, MAX_JSON};
pub use sealed::SealedRecord;
use sealed::{Envelope, Header, Wrap};
pub use view::{Value, View};

/// Most fields in a record.
pub const MAX_FIELDS: usize = 4096;

/// Where a record belongs. All of it is bound to every field and stands beside the record in the open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordContext {
    /// The patient.
    pub owner: OwnerId,
    /// The record.
    pub record: RecordId,
    /// What its fields mean.
    pub schema: SchemaId,
    /// The compartment whose key opens it.
    pub compartment: CompartmentId,
}

/// A record before it is sealed. Its values are wiped when it is dropped, and overwritten when it is sealed.
///
/// # Example
///
/// ```
/// use chartseal::id::Generation;
/// use chartseal::record::{Record, RecordContext, SealedRecord};
/// use chartseal::seal::Cek;
///
/// let context = RecordContext {
///     owner: "alice".parse()?,
///     record: "encounter-17".parse()?,
///     schema: "clinic/encounter".parse()?,
///     compartment: "cardiology".parse()?,
/// };
/// let cek = Cek::generate()?;
/// let sealed = Record::new(context).field("/diagnosis", "I21.4")?.seal(&cek, Generation(1))?;
///
/// let stored = sealed.to_json()?;
/// assert!(!stored.contains("I21.4"));
///
/// let view = SealedRecord::from_json(&stored)?.open(&cek)?;
/// assert_eq!(view.get("/diagnosis"), Some(&b"I21.4"[..]));
/// assert!(sealed.open(&Cek::generate()?).is_err());
/// # Ok::<(), chartseal::Error>(())
/// ```
pub struct Record {
    context: RecordContext,
    fields: BTreeMap<FieldPath, Zeroizing<Vec<u8>>>,
    // INVARIANT: an upper bound of what the fields take in CBOR.
    size: usize,
}

impl Record {
    /// Starts a record without fields.
    pub fn new(context: RecordContext) -> Self {
        Self { context, fields: BTreeMap::new(), size: SIZE_OF_HEAD }
    }

    /// Adds a value. A `Vec` or `String` is taken over and wiped with the record; of borrowed bytes the record keeps a
    /// copy.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if the path is no JSON pointer, [`Error::ApiMisuse`] if the record has that path already,
    /// [`Error::TooLarge`] if the value is over [`MAX_FIELD`] or the record over [`MAX_FIELDS`] or [`MAX_CBOR`]. The
    /// record is dropped, and wiped, with each.
    pub fn field(mut self, path: impl TryInto<FieldPath>, value: impl Into<Vec<u8>>) -> Result<Self> {
        let value = Zeroizing::new(value.into());
        let path = path.try_into().map_err(|_| Error::Malformed("field path"))?;
        if value.len() > MAX_FIELD {
            return Err(Error::TooLarge("field"));
        }
        self.size = self.size.saturating_add(value.len()).saturating_add(path.as_str().len() + SIZE_OF_FIELD);
        if self.size > MAX_CBOR {
            return Err(Error::TooLarge("record"));
        }
        if self.fields.len() >= MAX_FIELDS {
            return Err(Error::TooLarge("number of fields"));
        }
        match self.fields.insert(path, value) {
            None => Ok(self),
            Some(_) => Err(Error::ApiMisuse("the record has that path already")),
        }
    }

    /// Seals the record under a fresh key, wrapped under the compartment key `cek` of that `generation`.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if it has no field, [`Error::Randomness`] when the operating system gives no randomness.
    pub fn seal(self, cek: &Cek, generation: Generation) -> Result<SealedRecord> {
        if self.fields.is_empty() {
            return Err(Error::ApiMisuse("a record needs a field"));
        }
        let mut ivs = vec![[0; 12]; self.fields.len()];
        fill_random(ivs.as_flattened_mut())?;
        let salt = Salt::generate()?;
        let dek = Dek::generate()?;

        let header = Header { context: self.context, revision: Revision(0) };
        let key = wrap_dek(cek, &header.wrap_header(generation)?, &dek)?;
        let (part, commitment) = PartKey::fresh(&dek, &salt)?;
        let mut field_header = header.field_header()?;
        let seal = |((path, mut value), iv): ((FieldPath, _), _)| {
            let field = part.seal(&mut field_header, (&path, header.revision), iv, &mut value)?;
            Ok((path, field))
        };
        let body = self.fields.into_iter().zip(ivs).map(seal).collect::<Result<_>>()?;
        Ok(SealedRecord { header, envelope: Envelope { salt, commitment }, wrap: Wrap { generation, key }, body })
    }
}

/// Tells paths and lengths, no values.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths: BTreeMap<_, _> = self.fields.iter().map(|(path, value)| (path, value.len())).collect();
        f.debug_struct("Record").field("context", &self.context).field("lengths", &lengths).finish()
    }
}

/// Bytes in CBOR of everything but the body: five ids of at most 128 bytes, three byte strings, names and lengths.
const SIZE_OF_HEAD: usize = 1024;
/// Bytes in CBOR of a field beside its path and its data: IV, tag, three names, lengths.
const SIZE_OF_FIELD: usize = 64;
