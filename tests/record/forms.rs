//! The forms of a sealed record: what reads as one, and what does not.

use crate::support::world::{NOW, World, record};
use base64ct::{Base64UrlUnpadded, Encoding};
use chartseal::Error;
use chartseal::consent::Access;
use chartseal::id::CompartmentId;
use chartseal::record::{MAX_CBOR, MAX_JSON, SealedRecord};
use chartseal::seal::MAX_FIELD;
use serde_json::{Value, json};

fn world() -> (World, Access) {
    let world = World::new();
    let access = world.access("cardiology");
    (world, access)
}

#[test]
fn every_flipped_bit_of_the_binary_form_is_noticed() {
    let (world, access) = world();
    let record = world.sealed(&access);
    let bytes = record.to_cbor().unwrap();
    let reader = world.reader();
    let mut decoded = 0;
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(record) = SealedRecord::from_cbor(&flipped) {
            let error = reader.open(&record, &[&access]).unwrap_err();
            assert!(matches!(error, Error::CannotOpen | Error::Forged(_)), "bit {bit}: {error}");
            decoded += 1;
        }
    }
    // Most of the form is ciphertext, IVs, tags, salts: there the encoding has no say.
    assert!(decoded > bytes.len() * 4, "{decoded} of {}", bytes.len() * 8);
}

#[test]
fn a_cut_or_lengthened_binary_form_is_refused() {
    let (world, access) = world();
    let bytes = world.sealed(&access).to_cbor().unwrap();
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
    let (world, access) = world();
    let json = world.sealed(&access).to_json().unwrap();
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
    let (world, access) = world();
    let record = world.sealed(&access);
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
        ("a number in two bytes", b"generation\x01", b"generation\x18\x01"),
        ("a number in nine bytes", b"generation\x01", b"generation\x1b\0\0\0\0\0\0\0\x01"),
        ("a number as a big integer", b"generation\x01", b"generation\xc2\x41\x01"),
        ("a negative number", b"generation\x01", b"generation\x20"),
        ("a float", b"generation\x01", b"generation\xf9\x3c\x00"),
        ("a length in two bytes", b"\x66schema\x70", b"\x66schema\x78\x10"),
        ("a text in chunks", b"\x6cencounter-17", b"\x7f\x6cencounter-17\xff"),
        ("a text as bytes", b"\x6cencounter-17", b"\x4cencounter-17"),
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
    let (world, access) = world();
    let bytes = world.sealed(&access).to_cbor().unwrap();
    let huge = b"\xff\xff\xff\xff\xff\xff\xff\xff";
    let places = [(&b"dsalt"[..], 0x5b), (b"eowner", 0x7b), (b"dbody", 0xbb), (b"dwrap", 0xbb), (b"eolder", 0x9b)];
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
    let (world, access) = world();
    let json = world.sealed(&access).to_json().unwrap();
    let cases = [
        ("an unknown member", json.replacen('{', "{\"alg\":\"none\",", 1)),
        ("an unknown member of the wrap", json.replace("\"generation\"", "\"kid\":1,\"generation\"")),
        ("an unknown member of the content", json.replace("\"owner\"", "\"room\":\"4\",\"owner\"")),
        ("an unknown member of a part", json.replace("\"envelope\"", "\"x\":1,\"envelope\"")),
        ("an unknown member of the envelope", json.replace("\"statement\"", "\"x\":1,\"statement\"")),
        ("an unknown member of the statement", json.replace("\"salt\"", "\"x\":1,\"salt\"")),
        ("an unknown member of the body", json.replace("\"author\"", "\"x\":1,\"author\"")),
        ("another kind of wrap", json.replace("\"symmetric\"", "\"asymmetric\"")),
        ("two kinds of wrap", json.replace("{\"symmetric\"", "{\"written\":{},\"symmetric\"")),
        ("a repeated member", json.replacen('{', "{\"suite\":\"chartseal-1\",", 1)),
        ("a repeated generation", json.replace("\"generation\":1", "\"generation\":1,\"generation\":1")),
        ("a missing member", json.replacen("\"suite\":\"chartseal-1\",", "", 1)),
        (
            "another suite in the content",
            json.replace("{\"suite\":\"chartseal-1\",\"owner\"", "{\"suite\":\"x\",\"owner\""),
        ),
        ("a text for a number", json.replace("\"generation\":1", "\"generation\":\"1\"")),
        ("a fraction for a number", json.replace("\"generation\":1", "\"generation\":1.0")),
        ("an unknown path", json.replace("/empty", "empty")),
        ("an id with a space", json.replace("encounter-17", "encounter 17")),
    ];
    for (what, bad) in cases {
        assert_ne!(bad, json, "{what}");
        assert_eq!(SealedRecord::from_json(&bad), Err(Error::Malformed("sealed record")), "{what}");
    }

    // Members as a list, at every place that has members.
    let v: Value = serde_json::from_str(&json).unwrap();
    let members = |v: &Value| Value::Array(v.as_object().unwrap().values().cloned().collect());
    for pointer in [
        "",
        "/content",
        "/content/parts/0",
        "/parts/0",
        "/parts/0/envelope",
        "/parts/0/envelope/statement",
        "/parts/0/envelope/sealer",
        "/parts/0/wrap",
        "/parts/0/body",
        "/parts/0/body/fields",
        "/parts/0/body/fields/~1empty",
    ] {
        let mut bad = v.clone();
        let place = bad.pointer_mut(pointer).unwrap();
        *place = members(place);
        assert!(SealedRecord::from_json(&bad.to_string()).is_err(), "{pointer} as a list");
    }
    let mut bad = v.clone();
    bad["parts"] = json!([]);
    assert!(SealedRecord::from_json(&bad.to_string()).is_err(), "no part");
    for list in ["older", "parts"] {
        let mut bad = v.clone();
        bad[list] = json!(vec![v["parts"][0].clone(); 2]);
        assert!(SealedRecord::from_json(&bad.to_string()).is_err(), "{list} twice");
        bad[list] = json!(vec![v["content"].clone(); 1]);
        assert!(SealedRecord::from_json(&bad.to_string()).is_err(), "{list} of contents");
    }

    let field = serde_json::to_string(&v["parts"][0]["body"]["fields"]["/empty"]).unwrap();
    let twice = json.replace("\"fields\":{", &format!("\"fields\":{{\"/empty\":{field},"));
    assert!(twice.len() > json.len());
    assert!(SealedRecord::from_json(&twice).is_err(), "a path twice");
}

#[test]
fn another_suite_is_named_as_such_whatever_else_it_holds() {
    let (world, access) = world();
    let record = world.sealed(&access);
    let unknown = Err(Error::UnknownVersion("sealed record"));
    let json = record.to_json().unwrap().replace("chartseal-1", "chartseal-2");
    assert_eq!(SealedRecord::from_json(&json), unknown);
    assert_eq!(SealedRecord::from_json(r#"{"parts":[{"a":null}],"suite":"chartseal-9"}"#), unknown);
    let later = |bytes: Vec<u8>| {
        let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
        text.replace("chartseal-1", "chartseal-2").chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
    };
    let cbor: Vec<u8> = later(record.to_cbor().unwrap());
    assert_eq!(SealedRecord::from_cbor(&cbor), unknown);
    assert_eq!(SealedRecord::from_cbor(b"\xa2\x65parts\x81\xf6\x65suite\x6bchartseal-9"), unknown);
    let mut pieces = record.pieces().unwrap();
    let first = SealedRecord::content_key(record.owner(), record.record());
    pieces.insert(first.clone(), later(pieces[&first].clone()));
    assert_eq!(SealedRecord::from_pieces(record.owner(), record.record(), pieces), unknown);
}

#[test]
fn pieces_are_asked_for_and_put_together() {
    let world = World::new();
    let [a, b] = ["a", "b"].map(|compartment| world.access(compartment));
    let letter = record("letter:1").part(&a).unwrap().field("/a", "1").unwrap().part(&b).unwrap();
    let first = letter.field("/b", "2").unwrap().seal(&world.ada.author(), NOW).unwrap();
    let reader = world.reader();
    let sealed = reader.amend(&first, &[&a]).unwrap().field("/a", "3").unwrap().seal(&world.ada.author(), NOW).unwrap();
    let (owner, id) = (sealed.owner().clone(), sealed.record().clone());
    let store = sealed.pieces().unwrap();
    assert_eq!(store.len(), 7);
    assert!(store.keys().all(|key| key.ends_with("/letter:1") || key.contains("/letter:1/")));
    let envelope = |compartment: &str, written: &SealedRecord| {
        let hash = Base64UrlUnpadded::encode_string(written.hash().unwrap().as_bytes());
        format!("envelope/{owner}/{compartment}/letter:1/{hash}")
    };
    assert!(store.contains_key(&envelope("a", &sealed)) && store.contains_key(&envelope("b", &first)));

    // All of it, in three rounds.
    let mut pieces = std::collections::BTreeMap::new();
    let mut rounds = Vec::new();
    for _ in 0..9 {
        let missing = SealedRecord::missing(&owner, &id, &pieces).unwrap();
        if missing.is_empty() {
            break;
        }
        rounds.push(missing.len());
        pieces.extend(missing.into_iter().map(|key| (key.clone(), store[&key].clone())));
    }
    assert_eq!(rounds, [1, 2, 4]);
    assert_eq!(SealedRecord::from_pieces(&owner, &id, pieces).unwrap(), sealed);

    // Without the part that the reader cannot open: it counts as closed.
    let mut some = store.clone();
    some.retain(|key, _| !key.contains("/b/"));
    let some = SealedRecord::from_pieces(&owner, &id, some).unwrap();
    assert_eq!(reader.open(&some, &[&a, &b]).unwrap().closed(), ["b".parse::<CompartmentId>().unwrap()]);
    assert_eq!(SealedRecord::from_cbor(&some.to_cbor().unwrap()).unwrap(), some);

    let malformed = Err(Error::Malformed("sealed record"));
    for key in store.keys().filter(|key| !key.starts_with("envelope")) {
        let mut less = store.clone();
        less.remove(key);
        assert_eq!(SealedRecord::from_pieces(&owner, &id, less), malformed, "without {key}");
    }
    for (key, piece) in &store {
        for bad in [&piece[..piece.len() - 1], &[&piece[..], &[0]].concat(), b""] {
            let mut cut = store.clone();
            cut.insert(key.clone(), bad.to_vec());
            assert_eq!(SealedRecord::from_pieces(&owner, &id, cut), malformed, "{key}");
        }
    }
    // A store that answers with another record's content does not choose which keys are asked for next.
    let key = SealedRecord::content_key(&owner, &id);
    let other = SealedRecord::content_key(&owner, &"letter:2".parse().unwrap());
    let answer = std::collections::BTreeMap::from([(other, store[&key].clone())]);
    let asked = SealedRecord::missing(&owner, &"letter:2".parse().unwrap(), &answer);
    assert_eq!(asked, Err(Error::Malformed("sealed record")));
    let mut more = store.clone();
    more.insert("body/x".to_owned(), Vec::new());
    assert_eq!(SealedRecord::from_pieces(&owner, &id, more), malformed);
    // Pieces of another revision, patient or record under these keys.
    for (key, piece) in first.pieces().unwrap() {
        if store.get(&key).is_some_and(|newer| *newer != piece) {
            let mut mixed = store.clone();
            mixed.insert(key, piece);
            assert_eq!(SealedRecord::from_pieces(&owner, &id, mixed), malformed);
        }
    }
    assert_eq!(SealedRecord::from_pieces(&owner, &"letter:2".parse().unwrap(), store), malformed);
}

/// A text within its own limit that says more than the binary form can hold.
#[test]
fn a_text_that_has_no_binary_form_is_refused() {
    let (world, access) = world();
    let empty = record("r").part(&access).unwrap().field("/a", "").unwrap();
    let record =
        (1..MAX_CBOR / MAX_FIELD).fold(empty, |record, i| record.field(&*format!("/{i}"), vec![7; MAX_FIELD]).unwrap());
    let record = record.seal(&world.ada.author(), NOW).unwrap();
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
