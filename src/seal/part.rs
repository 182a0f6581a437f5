//! Fields of one part of a record, under one DEK.

use zeroize::{Zeroize, Zeroizing};

use super::aead::{self, IV};
use super::field::{MAX_FIELD, SealedField};
use super::header::FieldHeader;
use super::key::{Commitment, Dek, Prk, Salt};
use super::label;
use super::path::FieldPath;
use crate::error::{Error, Result};
use crate::id::Revision;

/// The derived state of a DEK.
///
/// INVARIANT: its fields were never sealed under another DEK than the committed one: it is made either for a fresh DEK
/// ([`PartKey::fresh`]) or after the commitment was compared ([`PartKey::verified`]).
pub(crate) struct PartKey(pub(super) Prk);

impl PartKey {
    /// For sealing under a DEK that was just drawn; the commitment goes beside the fields.
    pub(crate) fn fresh(dek: &Dek, salt: &Salt) -> Result<(Self, Commitment)> {
        let prk = Prk::extract(salt.as_bytes(), dek.expose());
        let commitment = prk.commitment(label::DEK_COMMIT)?;
        Ok((Self(prk), commitment))
    }

    /// For opening: compares the commitment first.
    pub(crate) fn verified(dek: &Dek, salt: &Salt, commitment: &Commitment) -> Result<Self> {
        let (part, expected) = Self::fresh(dek, salt)?;
        if expected == *commitment { Ok(part) } else { Err(Error::CannotOpen) }
    }

    /// Seals a value in its own buffer, which becomes the ciphertext: no copy of the plaintext is left, nor what the
    /// buffer held beyond the value before it was cut to that length.
    pub(crate) fn seal(
        &self,
        header: &mut FieldHeader,
        (path, revision): (&FieldPath, Revision),
        iv: [u8; IV],
        value: &mut Zeroizing<Vec<u8>>,
    ) -> Result<SealedField> {
        if value.len() > MAX_FIELD {
            return Err(Error::TooLarge("field"));
        }
        let tag = aead::seal(&*self.key(path)?, &iv, header.of(path, revision)?, value)?;
        value.spare_capacity_mut().zeroize();
        Ok(SealedField { data: std::mem::take(&mut **value), iv, tag })
    }

    /// Opens a field into a new buffer.
    pub(crate) fn open(
        &self,
        header: &mut FieldHeader,
        (path, revision): (&FieldPath, Revision),
        field: &SealedField,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let mut value = Zeroizing::new(vec![0; field.data.len()]);
        let buffers = (field.data.as_slice(), value.as_mut_slice());
        aead::open_into(&*self.key(path)?, &field.iv, header.of(path, revision)?, buffers, &field.tag)?;
        Ok(value)
    }

    /// Opens a field in its own buffer.
    pub(crate) fn open_owned(
        &self,
        header: &mut FieldHeader,
        (path, revision): (&FieldPath, Revision),
        field: SealedField,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let mut value = Zeroizing::new(field.data);
        aead::open(&*self.key(path)?, &field.iv, header.of(path, revision)?, &mut value, &field.tag)?;
        Ok(value)
    }

    fn key(&self, path: &FieldPath) -> Result<Zeroizing<[u8; 32]>> {
        self.0.subkey(&[label::FIELD_KEY, path.as_str().as_bytes()])
    }
}
