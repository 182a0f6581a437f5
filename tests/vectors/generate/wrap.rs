//! Writes the files of `tests/vectors/wrap`.

use crate::support::case::hex;
use chartseal::Secret;
use chartseal::seal::{Cek, Salt, SharedKey, wrap_cek};

use super::Folder;

pub(crate) fn write_all() {
    let folder = Folder::anew("wrap");
    let shared = Secret::<[u8; 32]>::random().unwrap();
    let bytes = Secret::<[u8; 32]>::random().unwrap();
    let cek = Cek::danger_from_bytes(bytes.duplicate());
    let salt = Salt::generate().unwrap();
    let commitment = cek.commit(&salt).unwrap();
    let wrap = |context: &[u8]| wrap_cek(&SharedKey::danger_from_bytes(shared.duplicate()), context, &cek).unwrap();
    let context = b"alice/cardiology/1";
    let wrapped = *wrap(context).as_bytes();
    let other = [0x42; 32];
    let flipped = |at: usize| {
        let mut bytes = wrapped;
        bytes[at] ^= 1;
        bytes
    };
    let write = |name: &str,
                 comment: &str,
                 key: &[u8; 32],
                 context: &[u8],
                 wrapped: &[u8; 80],
                 commitment: &[u8; 32]| {
        let opens = comment.starts_with("opens");
        let mut text = format!("comment: {comment}\nexpect: {}\n", if opens { "ok" } else { "cannot open" });
        let salt = salt.as_bytes();
        let parts: [(&str, &[u8]); 5] =
            [("shared", key), ("context", context), ("wrapped", wrapped), ("salt", salt), ("commitment", commitment)];
        for (header, value) in parts {
            text += &format!("{header}: {}\n", hex(value));
        }
        if opens {
            text += &format!("cek: {}\n", hex(bytes.expose()));
        }
        folder.write(name, &text);
    };
    let (key, commitment) = (shared.expose(), commitment.as_bytes());
    write("open", "opens under its key and context", key, context, &wrapped, commitment);
    write("empty_context", "opens under no context at all", key, b"", wrap(b"").as_bytes(), commitment);
    write("another_shared_key", "another shared key", &other, context, &wrapped, commitment);
    write("another_context", "another version in the context", key, b"alice/cardiology/2", &wrapped, commitment);
    write("longer_context", "the context is authenticated whole", key, b"alice/cardiology/1\0", &wrapped, commitment);
    write("flipped_salt", "the first bit of the salt", key, context, &flipped(0), commitment);
    write("flipped_key", "a bit of the wrapped key", key, context, &flipped(40), commitment);
    write("flipped_tag", "the last byte of the tag", key, context, &flipped(79), commitment);
    write("another_commitment", "it unwraps, and is not the key committed to", key, context, &wrapped, &other);
}
