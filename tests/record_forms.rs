//! The two forms of a sealed record are strict, and hostile ones cost little.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

use chartseal::Error;
use chartseal::id::Generation;
use chartseal::record::{MAX_CBOR, MAX_JSON, Record, SealedRecord};
use chartseal::seal::{Cek, MAX_FIELD};
use records::{context, sealed};
use serde_json::{Value, json};

#[path = "common/records.rs"]
mod records;

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
