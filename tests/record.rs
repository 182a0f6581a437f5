//! What a sealed record refuses, tried by writing the altered bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

#[path = "common/world.rs"]
mod world;

use chartseal::consent::Access;
use chartseal::id::{CompartmentId, Generation};
use chartseal::record::{MAX_CBOR, MAX_FIELDS, MAX_PARTS, Record, SealedRecord};
use chartseal::seal::{Cek, FieldPath, MAX_FIELD, Salt, SharedKey, WrappedKey, unwrap_cek, wrap_cek};
use chartseal::{Error, Secret};
use serde_json::{Value, json};
use world::{NOW, World, record};

fn world() -> (World, Access) {
    let world = World::new();
    let access = world.access("cardiology");
    (world, access)
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

fn stays_closed(world: &World, record: &SealedRecord, access: &Access) {
    assert_eq!(world.reader().open(record, &[access]).unwrap_err(), Error::CannotOpen);
    assert_eq!(world.reader().into_view(record.clone(), &[access]).unwrap_err(), Error::CannotOpen);
}

#[test]
fn every_way_of_opening_gives_the_values_back() {
    let (world, access) = world();
    let record = world.sealed(&access);
    let expected: [(&str, &[u8]); 3] = [("/diagnosis", b"I21.4"), ("/empty", b""), ("/history", b"I20.0")];

    let copies = [
        record.clone(),
        SealedRecord::from_json(&record.to_json().unwrap()).unwrap(),
        SealedRecord::from_cbor(&record.to_cbor().unwrap()).unwrap(),
        SealedRecord::from_pieces(record.owner(), record.record(), record.pieces().unwrap()).unwrap(),
    ];
    for copy in copies {
        assert_eq!(copy, record, "all forms carry the same content");
        assert_eq!((copy.owner(), copy.revision().0), (world.alice.id(), 0));
        assert_eq!(copy.generation(access.compartment()), Some(Generation(1)));
        let reader = world.reader();
        for view in [reader.open(&copy, &[&access]).unwrap(), reader.into_view(copy, &[&access]).unwrap()] {
            assert!(view.iter().map(|(path, value)| (path.as_str(), value)).eq(expected));
            assert_eq!(view.get("/diagnosis"), Some(&b"I21.4"[..]));
            assert_eq!(view.get("/absent"), None);
            assert_eq!(view.closed(), []);
        }
    }
}

#[test]
fn the_ciphertext_takes_the_place_of_the_plaintext() {
    let (world, access) = world();
    let value = b"I21.4".to_vec();
    let place = value.as_ptr();
    let record = record("r").part(&access).unwrap().field("/diagnosis", value).unwrap();
    let sealed = record.seal(&world.ada.author(), NOW).unwrap();
    let (_, field) = sealed.fields().next().unwrap();
    assert_eq!(field.data().as_ptr(), place);
    assert_ne!(field.data(), b"I21.4");
    let view = world.reader().into_view(sealed, &[&access]).unwrap();
    assert_eq!(view.get("/diagnosis").unwrap().as_ptr(), place);
}

#[test]
fn two_seals_of_one_record_share_no_bytes() {
    let (world, access) = world();
    let [one, two] = [value(&world.sealed(&access)), value(&world.sealed(&access))];
    for pointer in [
        "/content/parts/0/root",
        "/parts/0/envelope/statement/salt",
        "/parts/0/envelope/statement/commitment",
        "/parts/0/envelope/sealer/iv",
        "/parts/0/wrap/key/symmetric",
        "/parts/0/body/author/iv",
        "/parts/0/body/fields/~1diagnosis/iv",
        "/parts/0/body/fields/~1diagnosis/data",
    ] {
        assert!(one.pointer(pointer).is_some(), "{pointer}");
        assert_ne!(one.pointer(pointer), two.pointer(pointer), "{pointer}");
    }
    let iv = |path| one.pointer(path).unwrap();
    assert_ne!(iv("/parts/0/body/fields/~1diagnosis/iv"), iv("/parts/0/body/fields/~1history/iv"));
}

#[test]
fn another_key_opens_nothing() {
    let (world, access) = world();
    let record = world.sealed(&access);
    // The same compartment, owner and generation, and another key; another compartment; another patient.
    stays_closed(&world, &record, &world.access("cardiology"));
    stays_closed(&world, &record, &world.access("other"));
    stays_closed(&world, &record, &World::new().access("cardiology"));
    assert_eq!(world.reader().open(&record, &[]).unwrap_err(), Error::CannotOpen);
}

#[test]
fn a_field_moved_within_its_record_stays_closed() {
    let (world, access) = world();
    let record = world.sealed(&access);
    let swapped = altered(&record, |v| {
        let fields = &mut v["parts"][0]["body"]["fields"];
        let (one, two) = (fields["/diagnosis"].clone(), fields["/history"].clone());
        fields["/diagnosis"] = two;
        fields["/history"] = one;
    });
    stays_closed(&world, &swapped, &access);
    let renamed = altered(&record, |v| {
        let fields = v["parts"][0]["body"]["fields"].as_object_mut().unwrap();
        let field = fields.remove("/diagnosis").unwrap();
        fields.insert("/treatment".to_owned(), field);
    });
    stays_closed(&world, &renamed, &access);
    let left_out = altered(&record, |v| drop(v["parts"][0]["body"]["fields"].as_object_mut().unwrap().remove("/empty")));
    stays_closed(&world, &left_out, &access);
}

#[test]
fn a_field_moved_between_records_stays_closed() {
    let (world, access) = world();
    let one = world.sealed(&access);
    let other = record("encounter-18").part(&access).unwrap().field("/diagnosis", "I21.4").unwrap();
    for other in [other.seal(&world.ada.author(), NOW).unwrap(), world.sealed(&access)] {
        let field = value(&other)["parts"][0]["body"]["fields"]["/diagnosis"].clone();
        stays_closed(&world, &altered(&one, |v| v["parts"][0]["body"]["fields"]["/diagnosis"] = field), &access);
    }
}

/// The content does not fit the envelope then, and the record is not even well-formed.
#[test]
fn a_whole_record_moved_to_another_place_is_refused() {
    let (world, access) = world();
    let before = value(&world.sealed(&access));
    let malformed = Err(Error::Malformed("sealed record"));
    for (member, other) in [
        ("owner", json!("mallory")),
        ("record", json!("mallory")),
        ("schema", json!("mallory")),
        ("time", json!(7)),
        ("revision", json!(1)),
        ("previous", before["content"]["parts"][0]["root"].clone()),
        ("parts", json!([])),
    ] {
        let mut moved = before.clone();
        moved["content"][member] = other;
        assert_eq!(SealedRecord::from_json(&moved.to_string()), malformed, "{member}");
    }
    for (member, other) in [("compartment", json!("mallory")), ("consent", json!(2)), ("revision", json!(1))] {
        let mut moved = before.clone();
        moved["content"]["parts"][0][member] = other;
        assert_eq!(SealedRecord::from_json(&moved.to_string()), malformed, "{member}");
    }
}

/// Every mix of content, envelope, wrap, author's block and fields of two records, and of the envelope's members.
#[test]
fn pieces_of_two_records_do_not_mix() {
    let (world, access) = world();
    let [one, two] = [value(&world.sealed(&access)), value(&world.sealed(&access))];
    let pointers = [
        "/content",
        "/parts/0/envelope",
        "/parts/0/wrap",
        "/parts/0/body/author",
        "/parts/0/body/fields",
    ];
    for choice in 1..31 {
        let mut mixed = one.clone();
        for (bit, pointer) in pointers.into_iter().enumerate() {
            if choice >> bit & 1 == 1 {
                *mixed.pointer_mut(pointer).unwrap() = two.pointer(pointer).unwrap().clone();
            }
        }
        match SealedRecord::from_json(&mixed.to_string()) {
            Ok(mixed) => stays_closed(&world, &mixed, &access),
            Err(error) => {
                assert_eq!(error, Error::Malformed("sealed record"));
                assert!((choice ^ choice >> 1) & 1 == 1, "{choice}: content and envelope of one record decode");
            }
        }
    }
    for member in ["salt", "commitment", "root", "content"] {
        let mut mixed = one.clone();
        let pointer = format!("/parts/0/envelope/statement/{member}");
        *mixed.pointer_mut(&pointer).unwrap() = two.pointer(&pointer).unwrap().clone();
        match SealedRecord::from_json(&mixed.to_string()) {
            Ok(mixed) => stays_closed(&world, &mixed, &access),
            Err(_) => assert_eq!(member, "content"),
        }
    }
    let mut mixed = one.clone();
    mixed["parts"][0]["envelope"]["sealer"] = two["parts"][0]["envelope"]["sealer"].clone();
    stays_closed(&world, &SealedRecord::from_json(&mixed.to_string()).unwrap(), &access);
}

#[test]
fn a_changed_time_of_sealing_or_generation_is_noticed() {
    let (world, access) = world();
    let record = world.sealed(&access);
    let later = altered(&record, |v| v["parts"][0]["envelope"]["statement"]["time"] = json!(7));
    assert_eq!(world.reader().open(&later, &[&access]).unwrap_err(), Error::Forged("content"));
    let later = altered(&record, |v| v["parts"][0]["wrap"]["generation"] = json!(2));
    stays_closed(&world, &later, &access);
    let next = world.rotated(&access, "role:doctor");
    stays_closed(&world, &later, &next);
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
        ("another suite in the content", json.replace("{\"suite\":\"chartseal-1\",\"owner\"", "{\"suite\":\"x\",\"owner\"")),
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
    for (pointer, empty) in [("/parts", json!([])), ("/parts/0/body/fields", json!({}))] {
        let mut bad = v.clone();
        *bad.pointer_mut(pointer).unwrap() = empty;
        assert!(SealedRecord::from_json(&bad.to_string()).is_err(), "no {pointer}");
    }
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
fn a_record_within_its_limits_can_be_built_and_no_other() {
    let (world, access) = world();
    let author = world.ada.author();
    let start = || record("r").part(&access).unwrap();
    let misuse = |result: Result<Record<'_>, Error>| result.err().unwrap();
    assert!(matches!(record("r").seal(&author, NOW), Err(Error::ApiMisuse(_))), "no part");
    assert!(matches!(start().seal(&author, NOW), Err(Error::ApiMisuse(_))), "no field");
    assert!(matches!(misuse(record("r").field("/a", "1")), Error::ApiMisuse(_)), "no part for the field");
    assert!(matches!(misuse(start().part(&access)), Error::ApiMisuse(_)), "one compartment twice");
    let foreign = World::new().access("other");
    assert!(matches!(misuse(start().part(&foreign)), Error::ApiMisuse(_)), "two owners");
    let other = world.access("other");
    let twice = start().field("/a", "1").unwrap().field("/a", "2");
    assert!(matches!(misuse(twice), Error::ApiMisuse(_)));
    let twice = start().field("/a", "1").unwrap().part(&other).unwrap().field("/a", "2");
    assert!(matches!(misuse(twice), Error::ApiMisuse(_)), "one path in two parts");
    for path in ["", "a", "#other", "/~"] {
        assert_eq!(misuse(start().field(path, "1")), Error::Malformed("field path"));
    }
    assert_eq!(misuse(start().field("/a", vec![0; MAX_FIELD + 1])), Error::TooLarge("field"));

    let mut large = start();
    for i in 0..3 {
        large = large.field(format!("/{i}").as_str(), vec![0; MAX_FIELD]).unwrap();
    }
    let larger = start().field("/a", "1").unwrap();
    let larger = (0..3).fold(larger, |record, i| record.field(&*format!("/{i}"), vec![0; MAX_FIELD]).unwrap());
    assert_eq!(misuse(larger.field("/3", vec![0; MAX_FIELD])), Error::TooLarge("record"));
    let large = large.seal(&author, NOW).unwrap();
    assert_eq!(SealedRecord::from_json(&large.to_json().unwrap()).unwrap(), large);
    assert_eq!(SealedRecord::from_cbor(&large.to_cbor().unwrap()).unwrap(), large);
    let view = world.reader().into_view(large, &[&access]).unwrap();
    assert_eq!(view.get("/2").map(<[u8]>::len), Some(MAX_FIELD));

    let mut many = start().field(FieldPath::LAYOUT, "").unwrap();
    for i in 1..MAX_FIELDS {
        many = many.field(FieldPath::new(format!("/{i}")).unwrap(), [7]).unwrap();
    }
    let record = many.seal(&author, NOW).unwrap();
    let record = SealedRecord::from_cbor(&record.to_cbor().unwrap()).unwrap();
    assert_eq!(world.reader().open(&record, &[&access]).unwrap().len(), MAX_FIELDS);

    let mut more = value(&record);
    let fields = &mut more["parts"][0]["body"]["fields"];
    fields["/0"] = fields["/1"].clone();
    assert_eq!(SealedRecord::from_json(&more.to_string()), Err(Error::Malformed("sealed record")));
}

/// What fills the last bytes is what stands beside the values; nothing is sealed that would not be read again.
#[test]
fn what_is_sealed_at_the_limit_is_read_again() {
    let (world, access) = world();
    let start = record("r").part(&access).unwrap();
    let full = (0..3).fold(start, |record, i| record.field(&*format!("/{i}"), vec![0; MAX_FIELD]).unwrap());
    let rest = MAX_CBOR - 3 * MAX_FIELD - 4 * 70;
    let over = full.field("/3", vec![0; rest]).unwrap().seal(&world.ada.author(), NOW);
    assert_eq!(over.unwrap_err(), Error::TooLarge("record"));
}

#[test]
fn a_record_has_at_most_so_many_parts() {
    let world = World::new();
    let accesses: Vec<_> = (0..=MAX_PARTS).map(|i| world.access(&format!("c{i}"))).collect();
    let mut full = record("r");
    for (i, access) in accesses.iter().take(MAX_PARTS).enumerate() {
        full = full.part(access).unwrap().field(format!("/{i}").as_str(), "x").unwrap();
    }
    let sealed = full.seal(&world.ada.author(), NOW).unwrap();
    let read = SealedRecord::from_json(&sealed.to_json().unwrap()).unwrap();
    assert_eq!(SealedRecord::from_cbor(&sealed.to_cbor().unwrap()).unwrap(), read);
    let all: Vec<_> = accesses.iter().collect();
    assert_eq!(world.reader().open(&read, &all).unwrap().parts().len(), MAX_PARTS);
    let more = world.reader().amend(&read, &all[..1]).unwrap().part(all[MAX_PARTS]).unwrap().field("/x", "x").unwrap();
    assert_eq!(more.seal(&world.ada.author(), NOW).unwrap_err(), Error::TooLarge("number of parts"));

    let mut full = record("r");
    for access in accesses.iter().take(MAX_PARTS) {
        full = full.part(access).unwrap();
    }
    assert_eq!(full.part(all[MAX_PARTS]).unwrap_err(), Error::TooLarge("number of parts"));
    let mut more = value(&sealed);
    for list in ["/parts", "/content/parts"] {
        let list = more.pointer_mut(list).unwrap().as_array_mut().unwrap();
        list.push(list[0].clone());
    }
    assert_eq!(SealedRecord::from_json(&more.to_string()), Err(Error::Malformed("sealed record")));
}

#[test]
fn pieces_are_asked_for_and_put_together() {
    let world = World::new();
    let [a, b] = ["a", "b"].map(|compartment| world.access(compartment));
    let letter = record("letter/1").part(&a).unwrap().field("/a", "1").unwrap().part(&b).unwrap();
    let first = letter.field("/b", "2").unwrap().seal(&world.ada.author(), NOW).unwrap();
    let reader = world.reader();
    let sealed = reader.amend(&first, &[&a]).unwrap().field("/a", "3").unwrap().seal(&world.ada.author(), NOW).unwrap();
    let (owner, id) = (sealed.owner().clone(), sealed.record().clone());
    let store = sealed.pieces().unwrap();
    assert_eq!(store.len(), 7);
    assert!(store.keys().all(|key| key.ends_with("~letter/1") || key.contains("~letter/1~")));
    let envelope = |compartment: &str, revision: u8| format!("envelope~{owner}~{compartment}~letter/1~{revision:020}");
    assert!(store.contains_key(&envelope("a", 1)) && store.contains_key(&envelope("b", 0)));

    // All of it, in three rounds.
    let mut pieces = std::collections::BTreeMap::new();
    let mut rounds = Vec::new();
    loop {
        let missing = SealedRecord::missing(&owner, &id, &pieces).unwrap();
        if missing.is_empty() {
            break;
        }
        rounds.push(missing.len());
        pieces.extend(missing.into_iter().map(|key| (key.clone(), store[&key].clone())));
    }
    assert_eq!(rounds, [1, 2, 4]);
    assert_eq!(SealedRecord::from_pieces(&owner, &id, pieces).unwrap(), sealed);

    // Without the part that the reader cannot open: it counts as closed, and its older content is not needed.
    let mut some = store.clone();
    some.retain(|key, _| !key.contains("~b~"));
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
    let mut more = store.clone();
    more.insert("body~x".to_owned(), Vec::new());
    assert_eq!(SealedRecord::from_pieces(&owner, &id, more), malformed);
    // Pieces of another revision, patient or record under these keys.
    for (key, piece) in first.pieces().unwrap() {
        if store.get(&key).is_some_and(|newer| *newer != piece) {
            let mut mixed = store.clone();
            mixed.insert(key, piece);
            assert_eq!(SealedRecord::from_pieces(&owner, &id, mixed), malformed);
        }
    }
    assert_eq!(SealedRecord::from_pieces(&owner, &"letter/2".parse().unwrap(), store), malformed);
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
    let (world, access) = world();
    let record = record("r").part(&access).unwrap().field("/diagnosis", "I21.4").unwrap();
    let printed = format!("{record:?}");
    assert!(printed.ends_with("cardiology: {FieldPath(\"/diagnosis\"): 5} }"), "{printed}");

    let sealed = record.seal(&world.ada.author(), NOW).unwrap();
    let reader = world.reader();
    let view = reader.open(&sealed, &[&access]).unwrap();
    assert_eq!(format!("{view:?}"), "View[\"/diagnosis\"]");
    let printed = format!("{sealed:?}");
    assert!(printed.contains("SealedField(5 bytes)") && printed.contains("WrappedKey(80 bytes)"), "{printed}");
    let amendment = format!("{:?}", reader.amend(&sealed, &[&access]).unwrap());
    assert!(amendment.ends_with("cardiology: [FieldPath(\"/diagnosis\")] }"), "{amendment}");
    assert!(format!("{:?}", world.ada.author()).contains("SigningKey(Secret(..))"));
}
