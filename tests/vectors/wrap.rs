//! Replays `tests/vectors/wrap/*.txt`: compartment keys wrapped under the KEM's shared key, and their commitments.
//!
//! Headers: `comment`, `expect` (`ok` or `cannot open`), and in hexadecimal `shared`, `context`, `wrapped`, `salt`,
//! `commitment`; the compartment key, `cek`, where it opens.

use crate::generate::if_asked;
use crate::support::case::Case;
use chartseal::seal::{Cek, Commitment, Salt, SharedKey, WrappedKey, unwrap_cek};
use chartseal::{Error, Secret};

#[test]
fn every_wrap_vector_ends_as_it_says() {
    if_asked(crate::generate::wrap::write_all);
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
