//! Replays `tests/vectors/field/*.txt`: sealed records that another implementation must open, or refuse, as we do.
//!
//! A file is headers, an empty line and the record. Headers: `expect` (`ok`, `cannot open`, `malformed`, `unknown
//! version`), `comment`, `form` (`json`, or `cbor` as hexadecimal), `cek` (the compartment key, hexadecimal), and for
//! each field of a record that opens `field <path>` with its value in hexadecimal.
//!
//! `CHARTSEAL_REGENERATE=1 cargo test --test field_vectors` writes the files anew, with new keys, after a change of the
//! format; it fails on purpose, so that the next run is the one that counts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

#[path = "common/case.rs"]
mod case;

#[path = "field_vectors/generate.rs"]
mod generate;

use std::collections::BTreeMap;

use case::{Case, unhex};
use chartseal::record::SealedRecord;
use chartseal::seal::Cek;
use chartseal::{Error, Secret};

#[test]
fn every_vector_ends_as_it_says() {
    if std::env::var_os("CHARTSEAL_REGENERATE").is_some() {
        generate::write_all();
        panic!("the vectors were written anew: run the test again without CHARTSEAL_REGENERATE");
    }
    let mut outcomes = BTreeMap::<_, u32>::new();
    for case in Case::all("field") {
        *outcomes.entry(replay(case)).or_default() += 1;
    }
    for (outcome, least) in [("ok", 4), ("cannot open", 12), ("malformed", 12), ("unknown version", 2)] {
        assert!(outcomes.get(outcome).is_some_and(|&n| n >= least), "{outcome}: {outcomes:?}");
    }
}

fn replay(mut case: Case) -> String {
    let name = case.name.clone();
    case.text("comment");
    let expect = case.text("expect");
    let cek = Cek::danger_from_bytes(Secret::new(case.bytes("cek").try_into().unwrap()));
    let payload = case.body();
    let decoded = match case.text("form").as_str() {
        "json" => SealedRecord::from_json(&payload),
        "cbor" => SealedRecord::from_cbor(&unhex(&payload.replace('\n', ""))),
        other => panic!("{name}: form {other}"),
    };
    let opened = decoded.and_then(|record| {
        // Whatever decodes has both forms, and they say the same.
        assert_eq!(SealedRecord::from_json(&record.to_json()?)?, record, "{name}");
        assert_eq!(SealedRecord::from_cbor(&record.to_cbor()?)?, record, "{name}");
        record.open(&cek)
    });
    let mut fields = case.each("field ");
    fields.sort();
    case.finish();
    match (expect.as_str(), opened) {
        ("ok", Ok(view)) => {
            let fields = fields.iter().map(|(path, value)| (path.as_str(), unhex(value)));
            let view = view.iter().map(|(path, value)| (path.as_str(), value.to_vec()));
            assert!(view.eq(fields), "{name}");
        }
        ("cannot open", Err(Error::CannotOpen))
        | ("malformed", Err(Error::Malformed(_)))
        | ("unknown version", Err(Error::UnknownVersion(_))) => assert!(fields.is_empty(), "{name}"),
        (expected, got) => panic!("{name}: expected {expected}, got {got:?}"),
    }
    expect
}
