//! AES-256-GCM, in place and detached: the one place that names its backend.

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};

use crate::error::{Error, Result};

pub(super) const IV: usize = 12;
pub(super) const TAG: usize = 16;

/// Encrypts in place and gives the tag.
pub(super) fn seal(key: &[u8; 32], iv: &[u8; IV], header: &[u8], text: &mut [u8]) -> Result<[u8; TAG]> {
    let tag = Aes256Gcm::new(key.into()).encrypt_inout_detached(iv.into(), header, text.into());
    tag.map(Into::into).map_err(|_| Error::TooLarge("plaintext"))
}

/// Decrypts in place. The tag is checked first: after a failure `text` is as it was.
pub(super) fn open(key: &[u8; 32], iv: &[u8; IV], header: &[u8], text: &mut [u8], tag: &[u8; TAG]) -> Result<()> {
    open_buffers(key, iv, header, text.into(), tag)
}

/// Decrypts from one buffer into another of the same length, which is not touched after a failure.
pub(super) fn open_into(
    key: &[u8; 32],
    iv: &[u8; IV],
    header: &[u8],
    (from, into): (&[u8], &mut [u8]),
    tag: &[u8; TAG],
) -> Result<()> {
    let buffers = InOutBuf::new(from, into).map_err(|_| Error::CannotOpen)?;
    open_buffers(key, iv, header, buffers, tag)
}

fn open_buffers(
    key: &[u8; 32],
    iv: &[u8; IV],
    header: &[u8],
    buffers: InOutBuf<'_, '_, u8>,
    tag: &[u8; TAG],
) -> Result<()> {
    let opened = Aes256Gcm::new(key.into()).decrypt_inout_detached(iv.into(), header, buffers, tag.into());
    opened.map_err(|_| Error::CannotOpen)
}
