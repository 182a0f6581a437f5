//! What a sealed record refuses, tried by writing the altered bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

use chartseal::id::Generation;
use chartseal::record::{MAX_CBOR, MAX_FIELDS, MAX_JSON, Record, RecordContext, SealedRecord};
use chartseal::seal::{Cek, FieldPath, MAX_FIELD, Salt, SharedKey, WrappedKey, unwrap_cek, wrap_cek};
use chartseal::{Error, Secret};
use serde_json::{Value, json};

fn context() -> RecordContext {
    RecordContext {
        owner: "alice".parse().unwrap(),
        record: "encounter-17".parse().unwrap(),
        schema: "clinic/encounter".parse().unwrap(),
        compartment: "cardiology".parse().unwrap(),
    }
}

fn sealed(cek: &Cek, context: RecordContext) -> SealedRecord {
    let record = Record::new(context).field("/diagnosis", "I21.4").unwrap();
    record.field("/history", "I20.0").unwrap().field("/empty", "").unwrap().seal(cek, Generation(3)).unwrap()
}

fn value(record: &SealedRecord) -> Value {
    serde_json::from_str(&record.to_json().unwrap()).unwrap()
}

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
fn every_flipped_bit_of_the_binary_form_is_noticed() {
    let cek = Cek::generate().unwrap();
    let record = sealed(&cek, context());
    let bytes = record.to_cbor().unwrap();
    let mut opened = 0;
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(record) = SealedRecord::from_cbor(&flipped) {
            assert_eq!(record.open(&cek).unwrap_err(), Error::CannotOpen, "bit {bit}");
            opened += 1;
        }
    }
    // Most of the form is ciphertext, IVs, tags, salts: there the encoding has no say.
    assert!(opened > bytes.len() * 4, "{opened} of {}", bytes.len() * 8);
}

#[test]
fn a_cut_or_lengthened_binary_form_is_refused() {
    let bytes = sealed(&Cek::generate().unwrap(), context()).to_cbor().unwrap();
    let malformed = Err(Error::Malformed("sealed record"));
    for length in 0..bytes.len() {
        assert_eq!(SealedRecord::from_cbor(&bytes[..length]), malformed, "{length} bytes");
    }
    for extra in [0x00, 0xa0, 0xf6, 0xff] {
        assert_eq!(SealedRecord::from_cbor(&[&bytes[..], &[extra]].concat()), malformed, "and {extra:#x}");
    }
}

#[test]
fn a_cut_or_lengthened_text_is_refused() {
    let json = sealed(&Cek::generate().unwrap(), context()).to_json().unwrap();
    for length in 0..json.len() {
        assert_eq!(SealedRecord::from_json(&json[..length]), Err(Error::Malformed("sealed record")), "{length}");
    }
    for extra in ["{}", "x", ",", "\0", "null"] {
        assert!(SealedRecord::from_json(&format!("{json}{extra}")).is_err(), "and {extra:?}");
    }
    assert!(SealedRecord::from_json(&format!(" {json}\n")).is_ok());
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at: Vec<_> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(from)).collect();
    assert_eq!(at.len(), 1, "found {} times", at.len());
    [&bytes[..at[0]], to, &bytes[at[0] + from.len()..]].concat()
}

#[test]
fn there_is_one_binary_form() {
    let cek = Cek::generate().unwrap();
    let record = sealed(&cek, context());
    let bytes = record.to_cbor().unwrap();
    let field = |name: &str| {
        let field = record.fields().find(|(path, _)| path.as_str() == name).unwrap().1;
        let data = [&[0x40 + u8::try_from(field.data().len()).unwrap()], field.data()].concat();
        let members = [b"\xa3\x64data", &data[..], b"\x62iv\x4c", field.iv(), b"\x63tag\x50", field.tag()].concat();
        let mut key = vec![0x60 + u8::try_from(name.len()).unwrap()];
        key.extend(name.as_bytes());
        (key, members)
    };
    let ((key_d, diagnosis), (key_h, history)) = (field("/diagnosis"), field("/history"));
    let entry = [&key_d[..], &diagnosis].concat();
    let iv = &diagnosis[diagnosis.len() - 34..diagnosis.len() - 21];
    let indefinite = [b"\x5f\x4c", &iv[1..], b"\xff"].concat();
    let reordered = [&diagnosis[..1], &diagnosis[12..25 + 3], &diagnosis[1..12], &diagnosis[25 + 3..]].concat();
    let twice = [&entry[..], &entry].concat();
    let numbered = [&key_d[..], &history].concat();

    let cases: [(&str, &[u8], &[u8]); 14] = [
        ("a number in two bytes", b"generation\x03", b"generation\x18\x03"),
        ("a number in nine bytes", b"generation\x03", b"generation\x1b\0\0\0\0\0\0\0\x03"),
        ("a number as a big integer", b"generation\x03", b"generation\xc2\x41\x03"),
        ("a negative number", b"generation\x03", b"generation\x23"),
        ("a float", b"generation\x03", b"generation\xf9\x42\x00"),
        ("a length in two bytes", b"\x65alice", b"\x78\x05alice"),
        ("a text in chunks", b"\x65alice", b"\x7f\x65alice\xff"),
        ("a text as bytes", b"\x65alice", b"\x45alice"),
        ("bytes in chunks", iv, &indefinite),
        ("a map without its length", &[b"\xa3", &key_d[..]].concat(), &[b"\xbf", &key_d[..]].concat()),
        ("members out of order", &diagnosis, &reordered),
        ("a path twice", &[b"\xa3", &entry[..]].concat(), &[b"\xa4", &twice[..]].concat()),
        ("a path that is a number", &key_d, b"\x07"),
        ("a path that is another's", &[&key_h[..], &history].concat(), &numbered),
    ];
    for (what, from, to) in cases {
        let bad = replaced(&bytes, from, to);
        assert_eq!(SealedRecord::from_cbor(&bad), Err(Error::Malformed("sealed record")), "{what}");
    }

    // Fields in another order than that of their paths.
    let (empty_key, empty) = field("/empty");
    let empty = [empty_key, empty].concat();
    let swapped = replaced(&bytes, &[&entry[..], &empty].concat(), &[&empty[..], &entry].concat());
    assert_eq!(SealedRecord::from_cbor(&swapped), Err(Error::Malformed("sealed record")));
}

/// A length that is only declared costs nothing: neither memory nor time.
#[test]
fn a_declared_length_is_not_believed() {
    let bytes = sealed(&Cek::generate().unwrap(), context()).to_cbor().unwrap();
    let huge = b"\xff\xff\xff\xff\xff\xff\xff\xff";
    let places = [(&b"dsalt"[..], 0x5b), (b"eowner", 0x7b), (b"dbody", 0xbb), (b"dwrap", 0xbb), (b"dwrap", 0xdb)];
    for (name, head) in places {
        let at = (0..bytes.len()).find(|&at| bytes[at..].starts_with(name)).unwrap() + name.len();
        let bad = [&bytes[..at], &[head], huge, &bytes[at + 1..]].concat();
        assert!(SealedRecord::from_cbor(&bad).is_err());
    }
    for head in [0x5b, 0x7b, 0x9b, 0xbb, 0xdb] {
        assert!(SealedRecord::from_cbor(&[&[head], &huge[..]].concat()).is_err());
    }
}

#[test]
fn deep_nesting_is_refused_without_descending() {
    for depth in [200, 1_000_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = open.repeat(depth) + "0" + &close.repeat(depth);
            assert!(SealedRecord::from_json(&deep).is_err());
            assert!(SealedRecord::from_json(&format!("{{\"suite\":{deep}}}")).is_err());
            assert!(SealedRecord::from_json(&format!("{{\"future\":{deep},\"suite\":\"chartseal-1\"}}")).is_err());
        }
        for head in [0x81, 0xa1, 0xc1, 0x9f, 0xbf, 0xd8] {
            assert!(SealedRecord::from_cbor(&vec![head; depth]).is_err());
        }
        let member = [b"\xa1\x65later", &vec![0x81; depth][..]].concat();
        assert!(SealedRecord::from_cbor(&member).is_err());
    }
}

#[test]
fn text_with_other_members_is_refused() {
    let json = sealed(&Cek::generate().unwrap(), context()).to_json().unwrap();
    let cases = [
        ("an unknown member", json.replacen('{', "{\"alg\":\"none\",", 1)),
        ("an unknown member of the wrap", json.replace("\"generation\"", "\"kid\":1,\"generation\"")),
        ("an unknown member of the context", json.replace("\"owner\"", "\"room\":\"4\",\"owner\"")),
        ("a repeated member", json.replacen('{', "{\"suite\":\"chartseal-1\",", 1)),
        ("a repeated generation", json.replace("\"generation\":3", "\"generation\":3,\"generation\":3")),
        ("a missing member", json.replace("\"suite\":\"chartseal-1\",", "")),
        ("a text for a number", json.replace("\"generation\":3", "\"generation\":\"3\"")),
        ("a fraction for a number", json.replace("\"generation\":3", "\"generation\":3.0")),
        ("an unknown path", json.replace("/empty", "empty")),
        ("an id with a space", json.replace("alice", "alice b")),
    ];
    for (what, bad) in cases {
        assert_ne!(bad, json, "{what}");
        assert_eq!(SealedRecord::from_json(&bad), Err(Error::Malformed("sealed record")), "{what}");
    }

    let v: Value = serde_json::from_str(&json).unwrap();
    let list = json!([v["suite"], v["header"], v["envelope"], v["wrap"], v["body"]]);
    assert!(SealedRecord::from_json(&list.to_string()).is_err(), "members as a list");
    for (member, list) in [("wrap", json!([3, v["wrap"]["key"]])), ("body", json!([]))] {
        let mut bad = v.clone();
        bad[member] = list;
        assert!(SealedRecord::from_json(&bad.to_string()).is_err(), "{member} as a list");
    }
    let mut empty = v.clone();
    empty["body"] = json!({});
    assert!(SealedRecord::from_json(&empty.to_string()).is_err(), "no field");

    let body = serde_json::to_string(&v["body"]).unwrap();
    let field = serde_json::to_string(&v["body"]["/empty"]).unwrap();
    let twice = json.replace("\"body\":{", &format!("\"body\":{{\"/empty\":{field},"));
    assert!(twice.len() > json.len() && body.contains("/empty"));
    assert!(SealedRecord::from_json(&twice).is_err(), "a path twice");
}

#[test]
fn another_suite_is_named_as_such_whatever_else_it_holds() {
    let record = sealed(&Cek::generate().unwrap(), context());
    let unknown = Err(Error::UnknownVersion("sealed record"));
    let json = record.to_json().unwrap().replace("chartseal-1", "chartseal-2");
    assert_eq!(SealedRecord::from_json(&json), unknown);
    assert_eq!(SealedRecord::from_json(r#"{"parts":[{"a":null}],"suite":"chartseal-9"}"#), unknown);
    let cbor = replaced(&record.to_cbor().unwrap(), b"chartseal-1", b"chartseal-2");
    assert_eq!(SealedRecord::from_cbor(&cbor), unknown);
    assert_eq!(SealedRecord::from_cbor(b"\xa2\x65parts\x81\xf6\x65suite\x6bchartseal-9"), unknown);
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

/// A text within its own limit that says more than the binary form can hold.
#[test]
fn a_text_that_has_no_binary_form_is_refused() {
    let empty = Record::new(context()).field("/a", "").unwrap();
    let record = (0..3).fold(empty, |record, i| record.field(&*format!("/{i}"), vec![7; MAX_FIELD]).unwrap());
    let record = record.seal(&Cek::generate().unwrap(), Generation(0)).unwrap();
    let text = record.to_json().unwrap();
    let with = |n: usize| text.replacen(r#""data":"""#, &format!(r#""data":"{}""#, "A".repeat((n * 4).div_ceil(3))), 1);

    // The length of the field takes four bytes more than that of the empty one.
    let largest = MAX_CBOR - record.to_cbor().unwrap().len() - 4;
    let read = SealedRecord::from_json(&with(largest)).unwrap();
    let binary = read.to_cbor().unwrap();
    assert_eq!(binary.len(), MAX_CBOR);
    assert_eq!(SealedRecord::from_cbor(&binary).unwrap(), read);
    assert!(with(largest + 1).len() < MAX_JSON);
    assert_eq!(SealedRecord::from_json(&with(largest + 1)), Err(Error::TooLarge("sealed record")));
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
