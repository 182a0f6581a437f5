//! The attack that the commitment is there for: one ciphertext, one tag, two keys, two plaintexts.
//!
//! An author who seals a field once and hands different keys to different readers would show each another value, and
//! every tag would be right. The tag of AES-GCM is linear in each block of ciphertext, so one block left free is solved
//! for so that both keys give the same tag.

use aes_gcm::aes::Aes256;
use aes_gcm::aes::cipher::BlockCipherEncrypt;
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};

use super::key::Prk;
use super::*;
use crate::error::Error;
use crate::id::{CompartmentId, OwnerId, RecordId, Revision, SchemaId};
use crate::secret::Secret;

/// A product in the field of GHASH (NIST SP 800-38D section 6.3).
fn mul(x: u128, mut y: u128) -> u128 {
    let mut product = 0;
    for bit in (0..128).rev() {
        if x >> bit & 1 == 1 {
            product ^= y;
        }
        let carry = y & 1;
        y >>= 1;
        if carry == 1 {
            y ^= 0xe1 << 120;
        }
    }
    product
}

/// The inverse, as the power 2^128 - 2.
fn inverse(x: u128) -> u128 {
    let (mut power, mut square) = (1 << 127, x);
    for _ in 1..128 {
        square = mul(square, square);
        power = mul(power, square);
    }
    power
}

fn blocks(bytes: &[u8]) -> Vec<u128> {
    let padded = |chunk: &[u8]| std::array::from_fn(|i| chunk.get(i).copied().unwrap_or(0));
    bytes.chunks(16).map(|chunk| u128::from_be_bytes(padded(chunk))).collect()
}

fn aes(key: &[u8; 32], block: u128) -> u128 {
    let mut block = block.to_be_bytes().into();
    Aes256::new(key.into()).encrypt_block(&mut block);
    u128::from_be_bytes(block.into())
}

fn tag(key: &[u8; 32], iv: &[u8; 12], header: &[u8], text: &[u8]) -> u128 {
    let h = aes(key, 0);
    let lengths = (header.len() as u128 * 8) << 64 | (text.len() as u128 * 8);
    let all = [blocks(header), blocks(text), vec![lengths]].concat();
    all.into_iter().fold(0, |sum, block| mul(sum ^ block, h)) ^ aes(key, counter(iv, 1))
}

fn counter(iv: &[u8; 12], n: u32) -> u128 {
    u128::from_be_bytes(std::array::from_fn(|i| iv.get(i).copied().unwrap_or_else(|| n.to_be_bytes()[i - 12])))
}

/// Two blocks: the first shows `text` to the holder of `one`, the second makes the tags agree.
fn for_two_keys(one: &[u8; 32], two: &[u8; 32], iv: &[u8; 12], header: &[u8], text: &[u8; 16]) -> (Vec<u8>, [u8; 16]) {
    let first = u128::from_be_bytes(*text) ^ aes(one, counter(iv, 2));
    let mut data = [first.to_be_bytes(), [0; 16]].concat();
    let [h1, h2] = [aes(one, 0), aes(two, 0)];
    let difference = tag(one, iv, header, &data) ^ tag(two, iv, header, &data);
    // The last block of ciphertext stands before the lengths: its coefficient is h^2.
    let free = mul(difference, inverse(mul(h1, h1) ^ mul(h2, h2)));
    data[16..].copy_from_slice(&free.to_be_bytes());
    let tag = tag(one, iv, header, &data).to_be_bytes();
    (data, tag)
}

#[test]
fn a_ciphertext_for_two_keys_opens_under_the_committed_one_only() {
    let [one, two] = [7, 8].map(|byte| Dek::from_secret(Secret::new([byte; 32])));
    let salt = Salt::from([9; 32]);
    let (owner, record) = (OwnerId::new("o").unwrap(), RecordId::new("r").unwrap());
    let (schema, compartment) = (SchemaId::new("s").unwrap(), CompartmentId::new("c").unwrap());
    let path = FieldPath::new("/potassium").unwrap();
    let mut header = FieldHeader::new(&owner, &record, &schema, &compartment).unwrap();
    let iv = [3; 12];

    let subkey = |dek: &Dek| {
        let prk = Prk::extract(salt.as_bytes(), dek.expose());
        *prk.subkey(&[label::FIELD_KEY, path.as_str().as_bytes()]).unwrap()
    };
    let keys = [&one, &two].map(subkey);
    let bytes = header.of(&path, Revision(0)).unwrap().to_vec();
    let (data, tag) = for_two_keys(&keys[0], &keys[1], &iv, &bytes, b"3.1 mmol/l      ");

    // AES-GCM itself takes it under both keys, and shows two values.
    let shown = keys.map(|key| {
        let mut text = data.clone();
        let opened = Aes256Gcm::new(&key.into()).decrypt_inout_detached(
            &iv.into(),
            &bytes,
            text.as_mut_slice().into(),
            &tag.into(),
        );
        opened.unwrap();
        text
    });
    assert_eq!(&shown[0][..16], b"3.1 mmol/l      ");
    assert_ne!(shown[0], shown[1]);

    // So does a part that was not checked against the commitment.
    let field = SealedField::from_parts(data, iv, tag).unwrap();
    let (part, commitment) = PartKey::fresh(&one, &salt).unwrap();
    assert_eq!(*part.open(&mut header, (&path, Revision(0)), &field).unwrap(), shown[0]);
    let (unchecked, _) = PartKey::fresh(&two, &salt).unwrap();
    assert_eq!(*unchecked.open(&mut header, (&path, Revision(0)), &field).unwrap(), shown[1]);

    // The commitment lets one of them in.
    assert!(PartKey::verified(&one, &salt, &commitment).is_ok());
    assert_eq!(PartKey::verified(&two, &salt, &commitment).err(), Some(Error::CannotOpen));
}
