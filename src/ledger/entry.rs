//! The bytes of what a ledger keeps, and of what a store keeps of its ledger.
//!
//! Each entry has a checksum over its key and its bytes: what is damaged, or lies in the place of another, is an error and
//! never another state that can be read. The sum finds damage by chance, not an attacker.

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::wire::{Reader, Writer};

/// An entry with its checksum.
pub(super) fn sealed(key: &str, body: &[u8]) -> Vec<u8> {
    let mut out = Writer::with_capacity(MAGIC.len() + SUM + body.len(), MAGIC);
    out.bytes(&sum(key, body)).bytes(body);
    out.finish()
}

/// The body of an entry, if it is whole and in its place.
pub(super) fn opened<'a>(key: &str, bytes: &'a [u8]) -> Result<Reader<'a>> {
    let mut reader = Reader::new(bytes, WHAT);
    reader.magic(MAGIC)?;
    let held = reader.array::<SUM>()?;
    if *held == sum(key, reader.clone().rest()) { Ok(reader) } else { Err(MALFORMED) }
}

fn sum(key: &str, body: &[u8]) -> [u8; SUM] {
    let length = u64::try_from(key.len()).unwrap_or(u64::MAX);
    let sum = Sha256::new().chain_update(length.to_be_bytes()).chain_update(key).chain_update(body).finalize();
    sum.first_chunk().copied().unwrap_or_default()
}

const MAGIC: &[u8; 4] = b"csl\x01";
const SUM: usize = 8;
pub(super) const WHAT: &str = "ledger";
pub(super) const MALFORMED: Error = Error::Malformed(WHAT);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_with_any_byte_changed_or_missing_or_under_another_key_is_refused() {
        let whole = sealed("ledger/alice/notes", b"what is known");
        assert_eq!(opened("ledger/alice/notes", &whole).unwrap().rest(), b"what is known");
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert!(opened("ledger/alice/notes", &damaged).is_err(), "{at}");
            assert!(opened("ledger/alice/notes", &whole[..at]).is_err(), "{at}");
        }
        assert!(opened("ledger/alice/notes", &[&whole[..], b"."].concat()).is_err());
        assert_eq!(opened("ledger/alice/other", &whole).err(), Some(MALFORMED));
    }
}
