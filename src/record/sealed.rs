//! A sealed record: its pieces, and opening it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::view::{Value, View};
use super::{RecordContext, format};
use crate::error::{Error, Result};
use crate::id::{Generation, Revision};
use crate::seal::{
    Cek, Commitment, Dek, FieldHeader, FieldPath, PartKey, Salt, SealedField, WrapHeader, WrappedKey, unwrap_dek,
    wrap_dek,
};

/// A record as it is stored and sent: header, envelope, wrap and body.
///
/// - header: [`RecordContext`] and [`Revision`];
/// - envelope: salt and [`Commitment`] of the record's own key;
/// - wrap: that key under the compartment key, and the generation of the latter;
/// - body: the [`SealedField`]s by path.
///
/// The wrap can be replaced without touching the rest ([`SealedRecord::rewrap`]).
///
/// # Security
///
/// A value that was decoded is only well-formed. Nothing in it is true before it was opened, and then as much as the
/// [module](super) says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRecord {
    pub(super) header: Header,
    pub(super) envelope: Envelope,
    pub(super) wrap: Wrap,
    pub(super) body: BTreeMap<FieldPath, SealedField>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    #[serde(deserialize_with = "format::map_only")]
    pub(super) context: RecordContext,
    pub(super) revision: Revision,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Envelope {
    pub(super) salt: Salt,
    pub(super) commitment: Commitment,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wrap {
    pub(super) generation: Generation,
    pub(super) key: WrappedKey,
}

impl Header {
    pub(super) fn field_header(&self) -> Result<FieldHeader> {
        let RecordContext { owner, record, schema, compartment } = &self.context;
        FieldHeader::new(owner, record, schema, compartment)
    }

    pub(super) fn wrap_header(&self, generation: Generation) -> Result<WrapHeader> {
        let RecordContext { owner, record, compartment, .. } = &self.context;
        WrapHeader::new(owner, record, compartment, generation)
    }
}

impl SealedRecord {
    /// Opens every field.
    ///
    /// # Security
    ///
    /// Compare [`SealedRecord::context`] with the place that you asked the store for.
    ///
    /// # Errors
    ///
    /// [`Error::CannotOpen`] if the compartment key is another one, or a single byte was altered or moved.
    ///
    /// # Example
    ///
    /// See [`Record`](super::Record).
    pub fn open(&self, cek: &Cek) -> Result<View> {
        let (part, mut header) = self.part(cek)?;
        let mut fields = Vec::with_capacity(self.body.len());
        for (path, field) in &self.body {
            let value = part.open(&mut header, (path, self.header.revision), field)?;
            fields.push((path.clone(), Value::new(value)));
        }
        Ok(View::new(fields))
    }

    /// Opens every field like [`SealedRecord::open`], each in the memory of its ciphertext: no copy is made.
    ///
    /// # Errors
    ///
    /// As for [`SealedRecord::open`]; the record is gone then, too.
    pub fn into_view(self, cek: &Cek) -> Result<View> {
        let (part, mut header) = self.part(cek)?;
        let mut fields = Vec::with_capacity(self.body.len());
        for (path, field) in self.body {
            let value = part.open_owned(&mut header, (&path, self.header.revision), field)?;
            fields.push((path, Value::new(value)));
        }
        Ok(View::new(fields))
    }

    /// Opens one field. The others are not looked at: they may be altered.
    ///
    /// # Errors
    ///
    /// [`Error::CannotOpen`] if the compartment key is another one, the field, the header, the envelope or the wrap was
    /// altered, or there is no field at `path`.
    pub fn open_field(&self, cek: &Cek, path: &str) -> Result<Value> {
        let (path, field) = self.body.get_key_value(path).ok_or(Error::CannotOpen)?;
        let (part, mut header) = self.part(cek)?;
        part.open(&mut header, (path, self.header.revision), field).map(Value::new)
    }

    /// Moves the record's own key from the compartment key `old` to `new`. Envelope and body stay as they are.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if `generation` is not later than the wrap's, [`Error::CannotOpen`] if `old` does not open
    /// the wrap, [`Error::Randomness`] when the operating system gives no randomness. The record is unchanged then.
    ///
    /// # Security
    ///
    /// Whoever kept the record's key, or the old compartment key and the old wrap, can still open this record.
    pub fn rewrap(&mut self, old: &Cek, new: &Cek, generation: Generation) -> Result<()> {
        if generation <= self.wrap.generation {
            return Err(Error::ApiMisuse("a rewrap needs a later generation"));
        }
        let dek = self.dek(old)?;
        PartKey::verified(&dek, &self.envelope.salt, &self.envelope.commitment)?;
        let key = wrap_dek(new, &self.header.wrap_header(generation)?, &dek)?;
        self.wrap = Wrap { generation, key };
        Ok(())
    }

    /// Where the record says that it belongs.
    pub fn context(&self) -> &RecordContext {
        &self.header.context
    }

    /// Which revision it says it is.
    pub fn revision(&self) -> Revision {
        self.header.revision
    }

    /// The generation of the compartment key that its own key is wrapped under.
    pub fn generation(&self) -> Generation {
        self.wrap.generation
    }

    /// The sealed fields, in the order of their paths.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&FieldPath, &SealedField)> {
        self.body.iter()
    }

    fn part(&self, cek: &Cek) -> Result<(PartKey, FieldHeader)> {
        let part = PartKey::verified(&self.dek(cek)?, &self.envelope.salt, &self.envelope.commitment)?;
        Ok((part, self.header.field_header()?))
    }

    fn dek(&self, cek: &Cek) -> Result<Dek> {
        unwrap_dek(cek, &self.header.wrap_header(self.wrap.generation)?, &self.wrap.key)
    }
}
