//! What a sealed record refuses, tried by writing the altered bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

use chartseal::id::Generation;
use chartseal::record::{MAX_FIELDS, Record, RecordContext, SealedRecord};
use chartseal::seal::{Cek, FieldPath, MAX_FIELD, Salt, SharedKey, WrappedKey, unwrap_cek, wrap_cek};
use chartseal::{Error, Secret};
use records::{context, sealed, value};
use serde_json::{Value, json};

#[path = "common/records.rs"]
mod records;

/// The record as an attacker who writes the store leaves it.
fn altered(record: &SealedRecord, alter: impl FnOnce(&mut Value)) -> SealedRecord {
    let mut value = value(record);
    alter(&mut value);
    SealedRecord::from_json(&value.to_string()).unwrap()
}

fn stays_closed(record: &SealedRecord, cek: &Cek, path: &str) {
    assert_eq!(record.open(cek).unwrap_err(), Error::CannotOpen);
    assert_eq!(record.clone().into_view(cek).unwrap_err(), Error::CannotOpen);
    assert_eq!(record.open_field(cek, path).unwrap_err(), Error::CannotOpen);
}

#[test]
fn every_way_of_opening_gives_the_values_back() {
    let cek = Cek::generate().unwrap();
    let record = sealed(&cek, context());
    let expected: [(&str, &[u8]); 3] = [("/diagnosis", b"I21.4"), ("/empty", b""), ("/history", b"I20.0")];

    let copies = [
        record.clone(),
        SealedRecord::from_json(&record.to_json().unwrap()).unwrap(),
        SealedRecord::from_cbor(&record.to_cbor().unwrap()).unwrap(),
    ];
    for copy in copies {
        assert_eq!(copy, record, "both forms carry the same content");
        assert_eq!((copy.context(), copy.revision().0, copy.generation()), (&context(), 0, Generation(3)));
        for (path, value) in expected {
            assert_eq!(&*copy.open_field(&cek, path).unwrap(), value);
        }
        for view in [copy.open(&cek).unwrap(), copy.into_view(&cek).unwrap()] {
            assert_eq!(view.len(), 3);
            assert!(view.iter().map(|(path, value)| (path.as_str(), value)).eq(expected));
            assert_eq!(view.get("/diagnosis"), Some(&b"I21.4"[..]));
            assert_eq!(view.get("/absent"), None);
        }
    }
    assert_eq!(record.open_field(&cek, "/absent").unwrap_err(), Error::CannotOpen);
}

#[test]
fn the_ciphertext_takes_the_place_of_the_plaintext() {
    let value = b"I21.4".to_vec();
    let place = value.as_ptr();
    let record = Record::new(context()).field("/diagnosis", value).unwrap();
    let sealed = record.seal(&Cek::generate().unwrap(), Generation(1)).unwrap();
    let (_, field) = sealed.fields().next().unwrap();
    assert_eq!(field.data().as_ptr(), place);
    assert_ne!(field.data(), b"I21.4");
}

#[test]
fn two_seals_of_one_record_share_no_bytes() {
    let cek = Cek::generate().unwrap();
    let [one, two] = [value(&sealed(&cek, context())), value(&sealed(&cek, context()))];
    for pointer in
        ["/envelope/salt", "/envelope/commitment", "/wrap/key", "/body/~1diagnosis/iv", "/body/~1diagnosis/data"]
    {
        assert_ne!(one.pointer(pointer).unwrap(), two.pointer(pointer).unwrap(), "{pointer}");
    }
    assert_ne!(one.pointer("/body/~1diagnosis/iv"), one.pointer("/body/~1history/iv"));
}

#[test]
fn another_key_opens_nothing() {
    let record = sealed(&Cek::generate().unwrap(), context());
    stays_closed(&record, &Cek::generate().unwrap(), "/diagnosis");
}

#[test]
fn a_field_moved_within_its_record_stays_closed() {
    let cek = Cek::generate().unwrap();
    let record = sealed(&cek, context());
    let swapped = altered(&record, |v| {
        let (one, two) = (v["body"]["/diagnosis"].clone(), v["body"]["/history"].clone());
        v["body"]["/diagnosis"] = two;
        v["body"]["/history"] = one;
    });
    stays_closed(&swapped, &cek, "/diagnosis");

    let renamed = altered(&record, |v| {
        let field = v["body"].as_object_mut().unwrap().remove("/diagnosis").unwrap();
        v["body"]["/treatment"] = field;
    });
    stays_closed(&renamed, &cek, "/treatment");
}

#[test]
fn a_field_moved_between_records_stays_closed() {
    let cek = Cek::generate().unwrap();
    let one = sealed(&cek, context());
    let two = sealed(&cek, RecordContext { record: "encounter-18".parse().unwrap(), ..context() });
    let same = sealed(&cek, context());
    for other in [two, same] {
        let mixed = altered(&one, |v| v["body"]["/diagnosis"] = value(&other)["body"]["/diagnosis"].clone());
        stays_closed(&mixed, &cek, "/diagnosis");
    }
}

#[test]
fn a_whole_record_moved_to_another_place_stays_closed() {
    let cek = Cek::generate().unwrap();
    let record = sealed(&cek, context());
    for member in ["owner", "record", "schema", "compartment"] {
        let moved = altered(&record, |v| v["header"]["context"][member] = json!("mallory"));
        stays_closed(&moved, &cek, "/diagnosis");
    }
    let newer = altered(&record, |v| v["header"]["revision"] = json!(1));
    stays_closed(&newer, &cek, "/diagnosis");
    let later = altered(&record, |v| v["wrap"]["generation"] = json!(4));
    stays_closed(&later, &cek, "/diagnosis");
}

/// Everything but the fields of `one` with the fields of `two`, and every mix of envelope and wrap between them.
#[test]
fn pieces_of_two_records_do_not_mix() {
    let cek = Cek::generate().unwrap();
    let [one, two] = [value(&sealed(&cek, context())), value(&sealed(&cek, context()))];
    for choice in 1..7 {
        let mut mixed = one.clone();
        for (bit, member) in ["envelope", "wrap", "body"].into_iter().enumerate() {
            if choice >> bit & 1 == 1 {
                mixed[member] = two[member].clone();
            }
        }
        let mixed = SealedRecord::from_json(&mixed.to_string()).unwrap();
        stays_closed(&mixed, &cek, "/diagnosis");
    }
    for member in ["salt", "commitment"] {
        let mut mixed = one.clone();
        mixed["envelope"][member] = two["envelope"][member].clone();
        stays_closed(&SealedRecord::from_json(&mixed.to_string()).unwrap(), &cek, "/diagnosis");
    }
}

#[test]
fn a_record_within_its_limits_can_be_built_and_no_other() {
    let cek = Cek::generate().unwrap();
    let misuse = |result: Result<Record, Error>| result.err().unwrap();
    assert!(matches!(Record::new(context()).seal(&cek, Generation(0)), Err(Error::ApiMisuse(_))));
    let twice = Record::new(context()).field("/a", "1").unwrap().field("/a", "2");
    assert!(matches!(misuse(twice), Error::ApiMisuse(_)));
    for path in ["", "a", "#other", "/~"] {
        assert_eq!(misuse(Record::new(context()).field(path, "1")), Error::Malformed("field path"));
    }
    assert_eq!(misuse(Record::new(context()).field("/a", vec![0; MAX_FIELD + 1])), Error::TooLarge("field"));

    let mut large = Record::new(context());
    for i in 0..3 {
        large = large.field(format!("/{i}").as_str(), vec![0; MAX_FIELD]).unwrap();
    }
    let larger = Record::new(context()).field("/a", "1").unwrap();
    let larger = (0..3).fold(larger, |record, i| record.field(&*format!("/{i}"), vec![0; MAX_FIELD]).unwrap());
    assert_eq!(misuse(larger.field("/3", vec![0; MAX_FIELD])), Error::TooLarge("record"));
    let large = large.seal(&cek, Generation(0)).unwrap();
    assert_eq!(SealedRecord::from_json(&large.to_json().unwrap()).unwrap(), large);
    assert_eq!(SealedRecord::from_cbor(&large.to_cbor().unwrap()).unwrap(), large);
    assert_eq!(large.into_view(&cek).unwrap().get("/2").map(<[u8]>::len), Some(MAX_FIELD));

    let mut many = Record::new(context()).field(FieldPath::LAYOUT, "").unwrap();
    for i in 1..MAX_FIELDS {
        many = many.field(FieldPath::new(format!("/{i}")).unwrap(), [7]).unwrap();
    }
    let record = many.seal(&cek, Generation(0)).unwrap();
    let record = SealedRecord::from_cbor(&record.to_cbor().unwrap()).unwrap();
    assert_eq!(record.open(&cek).unwrap().len(), MAX_FIELDS);

    let mut more = value(&record);
    more["body"]["/0"] = more["body"]["/1"].clone();
    assert_eq!(SealedRecord::from_json(&more.to_string()), Err(Error::Malformed("sealed record")));
}

#[test]
fn a_rewrap_moves_the_key_and_leaves_the_rest() {
    let [old, new] = [Cek::generate().unwrap(), Cek::generate().unwrap()];
    let before = sealed(&old, context());
    let mut after = before.clone();
    assert!(matches!(after.rewrap(&old, &new, Generation(3)), Err(Error::ApiMisuse(_))));
    assert_eq!(after.rewrap(&new, &old, Generation(4)), Err(Error::CannotOpen));
    assert_eq!(after, before);

    after.rewrap(&old, &new, Generation(4)).unwrap();
    assert_eq!(after.generation(), Generation(4));
    assert_eq!(after.open(&new).unwrap().get("/diagnosis"), Some(&b"I21.4"[..]));
    stays_closed(&after, &old, "/diagnosis");
    let (mut one, two) = (value(&before), value(&after));
    one["wrap"] = two["wrap"].clone();
    assert_eq!(one, two);
}

#[test]
fn a_rewrap_does_not_move_a_key_that_the_record_is_not_committed_to() {
    let [old, new] = [Cek::generate().unwrap(), Cek::generate().unwrap()];
    let other = value(&sealed(&old, context()));
    let mut spliced = altered(&sealed(&old, context()), |v| v["wrap"] = other["wrap"].clone());
    assert_eq!(spliced.rewrap(&old, &new, Generation(4)), Err(Error::CannotOpen));
}

#[test]
fn a_wrapped_compartment_key_opens_under_its_key_and_context_only() {
    let shared = |byte| SharedKey::danger_from_bytes(Secret::new([byte; 32]));
    let cek = Cek::generate().unwrap();
    let salt = Salt::generate().unwrap();
    let commitment = cek.commit(&salt).unwrap();
    let wrapped = wrap_cek(&shared(1), b"context", &cek).unwrap();

    unwrap_cek(&shared(1), b"context", &wrapped).unwrap().verify(&salt, &commitment).unwrap();
    assert_eq!(unwrap_cek(&shared(2), b"context", &wrapped).unwrap_err(), Error::CannotOpen);
    for context in [&b""[..], b"contex", b"context\0", b"Context"] {
        assert_eq!(unwrap_cek(&shared(1), context, &wrapped).unwrap_err(), Error::CannotOpen);
    }
    for bit in 0..640 {
        let mut bytes = *wrapped.as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let flipped = WrappedKey::from(bytes);
        assert_eq!(unwrap_cek(&shared(1), b"context", &flipped).unwrap_err(), Error::CannotOpen, "bit {bit}");
    }
    assert_ne!(wrap_cek(&shared(1), b"context", &cek).unwrap(), wrapped);
}

#[test]
fn a_commitment_names_one_key_and_one_salt() {
    let [one, two] = [Cek::generate().unwrap(), Cek::generate().unwrap()];
    let [salt, other] = [Salt::generate().unwrap(), Salt::generate().unwrap()];
    let commitment = one.commit(&salt).unwrap();
    assert_eq!(one.verify(&salt, &commitment), Ok(()));
    assert_eq!(two.verify(&salt, &commitment), Err(Error::CannotOpen));
    assert_eq!(one.verify(&other, &commitment), Err(Error::CannotOpen));
}

/// Snapshots: no value and no key byte can be in them.
#[test]
fn what_holds_secrets_prints_none() {
    let cek = Cek::danger_from_bytes(Secret::new([0xab; 32]));
    let shared = SharedKey::danger_from_bytes(Secret::new([0xab; 32]));
    assert_eq!(format!("{cek:?} {shared:?}"), "Cek(..) SharedKey(..)");
    let record = Record::new(context()).field("/diagnosis", "I21.4").unwrap();
    let printed = format!("{record:?}");
    assert!(printed.ends_with("lengths: {FieldPath(\"/diagnosis\"): 5} }"), "{printed}");

    let sealed = record.seal(&cek, Generation(1)).unwrap();
    let view = sealed.open(&cek).unwrap();
    assert_eq!(format!("{view:?}"), "View[\"/diagnosis\"]");
    assert_eq!(format!("{:?}", sealed.open_field(&cek, "/diagnosis").unwrap()), "Value(..)");
    let printed = format!("{sealed:?}");
    assert!(printed.contains("SealedField(5 bytes)") && printed.contains("WrappedKey(80 bytes)"), "{printed}");
}
