//! Writes the vectors: a few records, and what an attacker or a careless encoder makes of them.

use std::fs;

use chartseal::Secret;
use chartseal::id::Generation;
use chartseal::record::{Record, RecordContext, SealedRecord};
use chartseal::seal::{Cek, FieldPath};
use serde_json::{Value, json};

use crate::case::{directory, hex};

struct Sealed {
    cek: String,
    fields: Vec<(FieldPath, Vec<u8>)>,
    record: SealedRecord,
}

pub(crate) fn write_all() {
    fs::remove_dir_all(directory("field")).ok();
    fs::create_dir_all(directory("field")).unwrap();
    positive("one_field", "the smallest record", &[("/diagnosis", b"I21.4")]).write_both();
    positive("empty_value", "a value of no bytes has a tag all the same", &[("/note", b"")]).write_both();
    positive(
        "many_fields",
        "escapes, bytes beyond ASCII, a colon, the layout's path; fields sort by the bytes of their paths",
        &[("/a~1b", b"1"), ("/a~0b", b"2"), ("/z:\u{e9}/0", b"\0\xff"), ("/Z", b"4"), ("/", b"5"), ("#layout", b"[]")],
    )
    .write_both();
    positive("long_value", "more than one run of counter blocks", &[("/ecg", &[0x5a; 1000])]).write_both();
    negative_text();
    negative_binary();
}

/// A case with the name and comment of its file.
struct Named<'a>(&'a str, &'a str, Sealed);

fn positive<'a>(name: &'a str, comment: &'a str, values: &[(&str, &[u8])]) -> Named<'a> {
    Named(name, comment, case(values))
}

fn case(values: &[(&str, &[u8])]) -> Sealed {
    let key = Secret::<[u8; 32]>::random().unwrap();
    let cek = hex(key.expose());
    let context = RecordContext {
        owner: "patient-4711".parse().unwrap(),
        record: "encounter-17".parse().unwrap(),
        schema: "clinic/encounter".parse().unwrap(),
        compartment: "cardiology".parse().unwrap(),
    };
    let mut record = Record::new(context);
    let mut fields = Vec::new();
    for (path, value) in values {
        let path = FieldPath::try_from((*path).to_owned()).unwrap();
        record = record.field(path.clone(), *value).unwrap();
        fields.push((path, value.to_vec()));
    }
    Sealed { cek, fields, record: record.seal(&Cek::danger_from_bytes(key), Generation(3)).unwrap() }
}

impl Named<'_> {
    fn write_both(&self) {
        let Self(name, comment, case) = self;
        let fields: String =
            case.fields.iter().map(|(path, value)| format!("field {path}: {}\n", hex(value))).collect();
        let head = |form| format!("expect: ok\ncomment: {comment}\nform: {form}\ncek: {}\n{fields}", case.cek);
        write(&format!("{name}_json"), &head("json"), &pretty(&value(&case.record)));
        write(&format!("{name}_cbor"), &head("cbor"), &lines(&case.record.to_cbor().unwrap()));
    }
}

fn value(record: &SealedRecord) -> Value {
    serde_json::from_str(&record.to_json().unwrap()).unwrap()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

fn lines(bytes: &[u8]) -> String {
    bytes.chunks(40).map(hex).collect::<Vec<_>>().join("\n")
}

fn write(name: &str, head: &str, payload: &str) {
    fs::write(directory("field").join(name).with_extension("txt"), format!("{head}\n{payload}\n")).unwrap();
}

fn refused(name: &str, expect: &str, comment: &str, form: &str, cek: &str, payload: &str) {
    let head = format!("expect: {expect}\ncomment: {comment}\nform: {form}\ncek: {cek}\n");
    write(name, &head, payload);
}

fn negative_text() {
    let values: &[(&str, &[u8])] = &[("/diagnosis", b"I21.4"), ("/history", b"I20.0")];
    let (one, two) = (case(values), case(values));
    let (v, other) = (value(&one.record), value(&two.record));

    let closed = |name: &str, comment: &str, alter: &dyn Fn(&mut Value)| {
        let mut altered = v.clone();
        alter(&mut altered);
        refused(name, "cannot open", comment, "json", &one.cek, &pretty(&altered));
    };
    refused("wrong_cek", "cannot open", "another compartment key", "json", &two.cek, &pretty(&v));
    for member in ["owner", "record", "schema", "compartment"] {
        closed(&format!("moved_{member}"), &format!("another {member} in the header"), &|v| {
            v["header"]["context"][member] = json!("mallory");
        });
    }
    closed("moved_revision", "another revision in the header", &|v| v["header"]["revision"] = json!(1));
    closed("moved_generation", "another generation in the wrap", &|v| v["wrap"]["generation"] = json!(4));
    closed("fields_swapped", "two fields have changed places", &|v| {
        let (one, two) = (v["body"]["/diagnosis"].clone(), v["body"]["/history"].clone());
        v["body"]["/diagnosis"] = two;
        v["body"]["/history"] = one;
    });
    closed("field_renamed", "a field under another path", &|v| {
        let field = v["body"].as_object_mut().unwrap().remove("/history").unwrap();
        v["body"]["/treatment"] = field;
    });
    closed("field_of_another_record", "a field of a record with another key", &|v| {
        v["body"]["/history"] = other["body"]["/history"].clone();
    });
    closed("wrap_of_another_record", "a wrap made under another compartment key", &|v| {
        v["wrap"]["key"] = other["wrap"]["key"].clone();
    });
    closed("salt_of_another_record", "the salt does not belong to the commitment", &|v| {
        v["envelope"]["salt"] = other["envelope"]["salt"].clone();
    });
    closed(
        "commitment_of_another_record",
        "every tag is right, only the commitment tells: whoever opens this does not compare it",
        &|v| v["envelope"]["commitment"] = other["envelope"]["commitment"].clone(),
    );
    for member in ["data", "iv", "tag"] {
        closed(&format!("flipped_{member}"), &format!("one bit of `{member}` is flipped"), &|v| {
            let text = v["body"]["/history"][member].as_str().unwrap();
            // The first character carries six whole bits.
            let first = if text.starts_with('A') { "B" } else { "A" };
            v["body"]["/history"][member] = json!(first.to_owned() + &text[1..]);
        });
    }

    let json = pretty(&v);
    let malformed = |name: &str, comment: &str, payload: &str| {
        assert_ne!(payload, json, "{name}");
        refused(name, "malformed", comment, "json", &one.cek, payload);
    };
    let iv = v["body"]["/history"]["iv"].as_str().unwrap();
    let tag = v["body"]["/history"]["tag"].as_str().unwrap();
    malformed("unknown_member", "a member that this version does not know", &json.replacen('{', "{\"kid\": 1,", 1));
    malformed(
        "unknown_member_of_field",
        "a field says how it was sealed",
        &json.replace("\"iv\":", "\"alg\": \"none\", \"iv\":"),
    );
    malformed("repeated_member", "one iv per field", &json.replace("\"iv\":", &format!("\"iv\": \"{iv}\", \"iv\":")));
    malformed("repeated_path", "the same path twice", &json.replace("/history", "/diagnosis"));
    malformed("trailing_text", "a second value after the record", &format!("{json}\n{{}}"));
    malformed("null_tag", "null for a tag", &json.replace(&format!("\"tag\": \"{tag}\""), "\"tag\": null"));
    malformed("short_tag", "a tag of 12 bytes", &json.replace(tag, &tag[..16]));
    malformed("short_iv", "an iv of 9 bytes", &json.replace(iv, &iv[..12]));
    malformed("base64_padded", "a tag with padding", &json.replace(tag, &format!("{tag}==")));
    let last = tag.chars().last().unwrap();
    let beyond = char::from_u32(u32::from(last) + 1).unwrap();
    malformed(
        "base64_bits_beyond_the_end",
        "a second text for the same tag",
        &json.replace(tag, &format!("{}{beyond}", &tag[..21])),
    );
    malformed("path_without_slash", "a path that is no JSON pointer", &json.replace("/history", "history"));
    malformed("no_field", "an empty body", &{
        let mut empty = v.clone();
        empty["body"] = json!({});
        pretty(&empty)
    });
    let later = json.replace("chartseal-1", "chartseal-2");
    refused("later_suite_json", "unknown version", "a suite to come", "json", &one.cek, &later);
}

fn negative_binary() {
    let case = case(&[("/diagnosis", b"I21.4"), ("/history", b"I20.0")]);
    let bytes = case.record.to_cbor().unwrap();
    let binary = |name: &str, expect: &str, comment: &str, payload: &[u8]| {
        assert_ne!(payload, bytes, "{name}");
        refused(name, expect, comment, "cbor", &case.cek, &lines(payload));
    };
    let replaced = |from: &[u8], to: &[u8]| {
        let at = (0..bytes.len()).find(|&at| bytes[at..].starts_with(from)).unwrap();
        [&bytes[..at], to, &bytes[at + from.len()..]].concat()
    };
    let body = (0..bytes.len()).find(|&at| bytes[at..].starts_with(b"\x64body\xa2")).unwrap() + 6;
    let second = (0..bytes.len()).find(|&at| bytes[at..].starts_with(b"\x68/history")).unwrap();
    let (before, first, second) = (&bytes[..body], &bytes[body..second], &bytes[second..]);
    let three = [&before[..before.len() - 1], b"\xa3", first, second, second].concat();

    binary("cbor_trailing_byte", "malformed", "one byte too many", &[&bytes[..], b"\0"].concat());
    binary("cbor_cut", "malformed", "one byte too few", &bytes[..bytes.len() - 1]);
    binary("cbor_long_integer", "malformed", "3 in two bytes", &replaced(b"generation\x03", b"generation\x18\x03"));
    binary("cbor_long_length", "malformed", "a length in two bytes", &replaced(b"\x65owner", b"\x78\x05owner"));
    binary("cbor_chunked_text", "malformed", "a text in chunks", &replaced(b"\x65owner", b"\x7f\x65owner\xff"));
    binary("cbor_fields_out_of_order", "malformed", "paths do not ascend", &[before, second, first].concat());
    binary("cbor_repeated_path", "malformed", "the same path twice", &three);
    binary("cbor_bytes_as_text", "malformed", "an iv that is a text", &replaced(b"\x62iv\x4c", b"\x62iv\x6c"));
    binary("later_suite_cbor", "unknown version", "a suite to come", &replaced(b"chartseal-1", b"chartseal-2"));
    let flipped = [&bytes[..bytes.len() - 1], &[bytes[bytes.len() - 1] ^ 1]].concat();
    binary("cbor_flipped_tag", "cannot open", "the last bit of the last tag is flipped", &flipped);
}
