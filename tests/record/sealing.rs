//! What a sealed record refuses, tried by writing the altered bytes.

use crate::support::world::{NOW, World, record};
use chartseal::consent::Access;
use chartseal::id::Generation;
use chartseal::record::{MAX_CBOR, MAX_FIELDS, MAX_PARTS, Record, SealedRecord};
use chartseal::seal::{Cek, FieldPath, MAX_FIELD, Salt, SharedKey, WrappedKey, unwrap_cek, wrap_cek};
use chartseal::{Error, Secret};
use serde_json::{Value, json};

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

/// How many of the largest fields a record holds, and something besides.
const WHOLE: usize = MAX_CBOR / MAX_FIELD - 1;

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
            assert!(view.iter().map(|(_, path, value)| (path.as_str(), value)).eq(expected));
            assert_eq!(view.get("/diagnosis"), Ok(Some(&b"I21.4"[..])));
            assert_eq!(view.get("/absent"), Ok(None));
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
    assert_eq!(view.get("/diagnosis").unwrap().unwrap().as_ptr(), place);
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
    let left_out =
        altered(&record, |v| drop(v["parts"][0]["body"]["fields"].as_object_mut().unwrap().remove("/empty")));
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
    let pointers = ["/content", "/parts/0/envelope", "/parts/0/wrap", "/parts/0/body/author", "/parts/0/body/fields"];
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
    let twice = start().field("/a", "1").unwrap().part(&other).unwrap().field("/a", "2").unwrap();
    assert!(twice.seal(&author, NOW).is_ok(), "one path in two parts");
    for path in ["", "a", "#other", "/~"] {
        assert_eq!(misuse(start().field(path, "1")), Error::Malformed("field path"));
    }
    assert_eq!(misuse(start().field("/a", vec![0; MAX_FIELD + 1])), Error::TooLarge("field"));

    let mut large = start();
    for i in 0..WHOLE {
        large = large.field(format!("/{i}").as_str(), vec![0; MAX_FIELD]).unwrap();
    }
    let larger = start().field("/a", "1").unwrap();
    let larger = (0..WHOLE).fold(larger, |record, i| record.field(&*format!("/{i}"), vec![0; MAX_FIELD]).unwrap());
    assert_eq!(misuse(larger.field("/last", vec![0; MAX_FIELD])), Error::TooLarge("record"));
    let large = large.seal(&author, NOW).unwrap();
    assert_eq!(SealedRecord::from_json(&large.to_json().unwrap()).unwrap(), large);
    assert_eq!(SealedRecord::from_cbor(&large.to_cbor().unwrap()).unwrap(), large);
    let view = world.reader().into_view(large, &[&access]).unwrap();
    assert_eq!(view.get("/2").unwrap().map(<[u8]>::len), Some(MAX_FIELD));

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
    let full = (0..WHOLE).fold(start, |record, i| record.field(&*format!("/{i}"), vec![0; MAX_FIELD]).unwrap());
    let rest = MAX_CBOR - WHOLE * MAX_FIELD - (WHOLE + 1) * 70;
    let over = full.field("/last", vec![0; rest]).unwrap().seal(&world.ada.author(), NOW);
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
    assert_eq!(format!("{view:?}"), r#"View{CompartmentId("cardiology"): Values["/diagnosis"]}"#);
    let printed = format!("{sealed:?}");
    assert!(printed.contains("SealedField(5 bytes)") && printed.contains("WrappedKey(80 bytes)"), "{printed}");
    let amendment = format!("{:?}", reader.amend(&sealed, &[&access]).unwrap());
    assert!(amendment.ends_with("cardiology: [FieldPath(\"/diagnosis\")] }"), "{amendment}");
    assert!(format!("{:?}", world.ada.author()).contains("SigningKey(Secret(..))"));
}
