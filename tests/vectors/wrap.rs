//! Replays `tests/vectors/wrap/*.txt`: compartment keys wrapped under the KEM's shared key, and their commitments.
//!
//! Headers: `comment`, `expect` (`ok` or `cannot open`), and in hexadecimal `shared`, `context`, `wrapped`, `salt`,
//! `commitment`; the compartment key, `cek`, where it opens.
//!
//! `CHARTSEAL_REGENERATE=1 cargo test --test vectors wrap` writes the files anew, with new keys, and fails on purpose.

use std::fs;

use crate::support::case::{Case, directory, hex};
use chartseal::seal::{Cek, Commitment, Salt, SharedKey, WrappedKey, unwrap_cek, wrap_cek};
use chartseal::{Error, Secret};

#[test]
fn every_wrap_vector_ends_as_it_says() {
    if std::env::var_os("CHARTSEAL_REGENERATE").is_some() {
        write_all();
        panic!("the vectors were written anew: run the test again without CHARTSEAL_REGENERATE");
    }
    let (mut opened, mut refused) = (0, 0);
    for mut case in Case::all("wrap") {
        case.text("comment");
        let name = case.name.clone();
        let shared = SharedKey::danger_from_bytes(Secret::new(array(&mut case, "shared")));
        let (salt, commitment) =
            (Salt::from(array(&mut case, "salt")), Commitment::from(array(&mut case, "commitment")));
        let wrapped = WrappedKey::from(array::<80>(&mut case, "wrapped"));
        let cek = unwrap_cek(&shared, &case.bytes("context"), &wrapped)
            .and_then(|cek| cek.verify(&salt, &commitment).map(|()| cek));
        match (case.text("expect").as_str(), cek) {
            ("ok", Ok(_)) => {
                // A key shows nothing of itself; its commitment says which one it is.
                let expected = Cek::danger_from_bytes(Secret::new(array(&mut case, "cek")));
                assert_eq!(expected.commit(&salt).unwrap(), commitment, "{name}");
                opened += 1;
            }
            ("cannot open", Err(Error::CannotOpen)) => refused += 1,
            (expected, got) => panic!("{name}: expected {expected}, got {got:?}"),
        }
        case.finish();
    }
    assert!(opened >= 2 && refused >= 5, "{opened} open, {refused} refused");
}

fn array<const N: usize>(case: &mut Case, header: &str) -> [u8; N] {
    case.bytes(header).try_into().unwrap()
}

fn write_all() {
    fs::create_dir_all(directory("wrap")).unwrap();
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
        fs::write(directory("wrap").join(name).with_extension("txt"), text).unwrap();
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
