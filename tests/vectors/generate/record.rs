//! Writes the files of `tests/vectors/record`.

use std::fs;
use std::time::Duration;

use chartseal::authority::Reason;
use chartseal::consent::{Access, StoredConsent};
use chartseal::id::Time;
use chartseal::record::{Author, SealedRecord};
use chartseal::seal::FieldPath;
use serde_json::{Value, json};

use crate::record::lines_of;
use chartseal::pin::PinStore;

use crate::support::case::{directory, hex};
use crate::support::world::{NOW, World, YEAR, after, record};

struct Writing {
    world: World,
    cardiology: Access,
    second: Access,
    psychiatry: Access,
    live: StoredConsent,
    psychiatric: StoredConsent,
}

pub(crate) fn write_all() {
    for folder in ["record", "record_world"] {
        fs::remove_dir_all(directory(folder)).ok();
        fs::create_dir_all(directory(folder)).unwrap();
    }
    let mut world = World::new();
    world.revoke("lab-7", after(50), Reason::Ended);
    let policy = "role:doctor or role:laboratory";
    let (live, cardiology) = world.consent("cardiology", policy);
    let (psychiatric, psychiatry) = world.consent("psychiatry", "role:doctor");
    let next = world.phone.consent(world.devices(), "cardiology".parse().unwrap()).after(&cardiology).unwrap();
    let next = next.write(&world.trust, world.hospital.id(), policy).unwrap();
    let (next, second) = next.seal(NOW).unwrap();

    let consents = [("cardiology", &live), ("cardiology-2", &next), ("psychiatry", &psychiatric)];
    let consents: String = consents
        .iter()
        .map(|(name, stored)| format!("consent {name}: {}\n", hex(&stored.to_cbor().unwrap())))
        .collect();
    let anchor = world.hospital.anchor();
    let revocations = world.hospital.revocations(after(100)).unwrap();
    let text = format!(
        "comment: what the cases of tests/vectors/record share\nnow: {}\nauthority: {}\nanchor: {}\nrevocations: {}\n\
         devices: {}\ndevice: {}\n{consents}",
        NOW.as_secs(),
        anchor.authority,
        hex(anchor.key.as_bytes()),
        hex(&revocations.to_cbor().unwrap()),
        hex(&world.alice.list().to_cbor().unwrap()),
        hex(world.phone.to_secret_bytes().expose()),
    );
    fs::write(directory("record_world").join("world.txt"), text).unwrap();

    let writing = Writing { world, cardiology, second, psychiatry, live, psychiatric };
    writing.positive();
    writing.negative_text();
    writing.negative_binary();
    writing.negative_people();
    writing.refused_parts();
}

impl Writing {
    fn sealed(&self, values: &[(&str, &[u8])]) -> SealedRecord {
        let mut record = record("encounter-17").part(&self.cardiology).unwrap();
        for (path, value) in values {
            record = record.field(FieldPath::new(*path).unwrap(), *value).unwrap();
        }
        record.seal(&self.world.ada.author(), NOW).unwrap()
    }

    fn two_parts(&self) -> SealedRecord {
        let record = record("letter").part(&self.psychiatry).unwrap().field("/note", "n").unwrap();
        let record = record.part(&self.cardiology).unwrap().field("/diagnosis", "I20.0").unwrap();
        record.field("/history", "h").unwrap().seal(&self.world.ada.author(), NOW).unwrap()
    }

    fn access(&self, name: &str) -> &Access {
        match name {
            "cardiology" => &self.cardiology,
            "cardiology-2" => &self.second,
            _ => &self.psychiatry,
        }
    }

    fn opens(&self, name: &str, comment: &str, consents: &str, record: &SealedRecord) {
        let accesses: Vec<_> = consents.split(", ").map(|name| self.access(name)).collect();
        let view = self.world.reader().open(record, &accesses).unwrap();
        let shown = lines_of(&view).join("\n");
        for form in ["json", "cbor"] {
            let head = format!(
                "expect: ok\ncomment: {comment}\nform: {form}\nnow: {}\nconsents: {consents}\n{shown}\n",
                NOW.as_secs()
            );
            let payload = if form == "json" { pretty(&value(record)) } else { lines(&record.to_cbor().unwrap()) };
            write(&format!("{name}_{form}"), &head, &payload);
        }
    }

    fn positive(&self) {
        let one = "cardiology";
        let all = "cardiology, psychiatry";
        self.opens("one_field", "the smallest record", one, &self.sealed(&[("/diagnosis", b"I21.4")]));
        self.opens("empty_value", "a value of no bytes has a tag all the same", one, &self.sealed(&[("/note", b"")]));
        let many: &[(&str, &[u8])] = &[
            ("/a~1b", b"1"),
            ("/a~0b", b"2"),
            ("/z:\u{e9}/0", b"\0\xff"),
            ("/Z", b"4"),
            ("/", b"5"),
            ("#layout", b"[]"),
        ];
        let comment =
            "escapes, bytes beyond ASCII, a colon, the layout's path; fields sort by the bytes of their paths";
        self.opens("many_fields", comment, one, &self.sealed(many));
        let long = self.sealed(&[("/ecg", &[0x5a; 1000])]);
        self.opens("long_value", "more than one run of counter blocks", one, &long);

        let two = self.two_parts();
        self.opens("two_parts", "a record in two compartments", all, &two);
        self.opens("closed_part", "one of two compartments: the other part stays closed", one, &two);
        let mut pieces = two.pieces().unwrap();
        pieces.retain(|key, _| !key.contains("~psychiatry~"));
        let partial = SealedRecord::from_pieces(two.owner(), two.record(), pieces).unwrap();
        self.opens("absent_part", "the store gave one of two parts", all, &partial);

        let ada = self.world.ada.author();
        let reader = self.world.reader();
        let amended = reader.amend(&two, &[&self.cardiology]).unwrap().field("/diagnosis", "I21.4").unwrap();
        let amended = amended.seal(&ada, after(60)).unwrap();
        let comment = "revision 1 changed a field of one part; the other part belongs to the older content";
        self.opens("amended", comment, all, &amended);

        let live = self.world.live(&self.live);
        let written = record("potassium")
            .part(live.write_only(&mut PinStore::default()).unwrap())
            .unwrap()
            .field("/value", "3.9")
            .unwrap();
        let mut written = written.seal(&self.world.lab.author(), after(49)).unwrap();
        self.opens("written", "by a laboratory that opens nothing, revoked a second later", one, &written);
        written.rewrap(&self.cardiology, &self.second).unwrap();
        self.opens("rewrapped", "the same under the next compartment key", "cardiology-2", &written);

        let phone = Author::device(&self.world.phone, self.world.devices()).unwrap();
        let own = record("diary").part(&self.cardiology).unwrap().field("/mood", "good").unwrap();
        self.opens("by_device", "by the owner's phone", one, &own.seal(&phone, NOW).unwrap());
        let resealed = reader.reseal(&two, (&self.cardiology, &self.second), &phone, after(9)).unwrap();
        let comment = "one part sealed anew by the owner's phone: the author stays";
        self.opens("resealed", comment, "cardiology-2, psychiatry", &resealed);
    }

    fn refused(&self, name: &str, expect: &str, comment: &str, form: &str, payload: &str) {
        let head = format!(
            "expect: {expect}\ncomment: {comment}\nform: {form}\nnow: {}\nconsents: cardiology, psychiatry\n",
            NOW.as_secs()
        );
        write(name, &head, payload);
    }

    fn negative_text(&self) {
        let values: &[(&str, &[u8])] = &[("/diagnosis", b"I21.4"), ("/history", b"I20.0")];
        let (v, other) = (value(&self.sealed(values)), value(&self.sealed(values)));

        let altered = |name: &str, expect: &str, comment: &str, alter: &dyn Fn(&mut Value)| {
            let mut altered = v.clone();
            alter(&mut altered);
            assert_ne!(altered, v, "{name}");
            self.refused(name, expect, comment, "json", &pretty(&altered));
        };
        let closed =
            |name: &str, comment: &str, alter: &dyn Fn(&mut Value)| altered(name, "cannot open", comment, alter);
        for (member, to) in [
            ("owner", json!("mallory")),
            ("record", json!("mallory")),
            ("schema", json!("mallory")),
            ("time", json!(7)),
            ("revision", json!(1)),
            ("previous", other["content"]["parts"][0]["root"].clone()),
        ] {
            let comment = format!("another {member} in the content: the envelope names another");
            altered(&format!("moved_{member}"), "malformed", &comment, &|v| v["content"][member] = to.clone());
        }
        for (member, to) in [
            ("compartment", json!("psychiatry")),
            ("consent", json!(2)),
            ("root", other["content"]["parts"][0]["root"].clone()),
        ] {
            let comment = format!("another {member} of the part in the content");
            altered(&format!("moved_part_{member}"), "malformed", &comment, &|v| {
                v["content"]["parts"][0][member] = to.clone();
            });
        }
        closed("moved_generation", "another generation in the wrap", &|v| {
            v["parts"][0]["wrap"]["generation"] = json!(2)
        });
        closed("fields_swapped", "two fields have changed places", &|v| {
            let fields = &mut v["parts"][0]["body"]["fields"];
            let (one, two) = (fields["/diagnosis"].clone(), fields["/history"].clone());
            fields["/diagnosis"] = two;
            fields["/history"] = one;
        });
        closed("field_renamed", "a field under another path", &|v| {
            let fields = v["parts"][0]["body"]["fields"].as_object_mut().unwrap();
            let field = fields.remove("/history").unwrap();
            fields.insert("/treatment".to_owned(), field);
        });
        closed("no_field", "all fields were taken away", &|v| v["parts"][0]["body"]["fields"] = json!({}));
        closed("field_left_out", "a field was taken away", &|v| {
            v["parts"][0]["body"]["fields"].as_object_mut().unwrap().remove("/history");
        });
        for (name, pointer, comment) in [
            ("field", "body/fields/~1history", "a field of a record with another key"),
            ("wrap", "wrap/key", "a wrap of another key"),
            ("salt", "envelope/statement/salt", "the salt does not belong to the commitment"),
            ("commitment", "envelope/statement/commitment", "the commitment is that of another key"),
            ("body_root", "envelope/statement/root", "the envelope is that of another body"),
            ("body", "body", "author's block and fields under another key"),
            ("authors_block", "body/author", "the author's block of another record"),
            ("sealers_block", "envelope/sealer", "the sealer's block of another record"),
        ] {
            let pointer = format!("/parts/0/{pointer}");
            closed(&format!("{name}_of_another_record"), comment, &|v| {
                *v.pointer_mut(&pointer).unwrap() = other.pointer(&pointer).unwrap().clone();
            });
        }
        altered("moved_sealing_time", "forged", "the time of the envelope is signed", &|v| {
            v["parts"][0]["envelope"]["statement"]["time"] = json!(NOW.as_secs() + 1);
        });
        altered("content_of_another_record", "malformed", "the envelope names another content", &|v| {
            v["content"] = other["content"].clone();
        });
        for member in ["data", "iv", "tag"] {
            closed(&format!("flipped_{member}"), &format!("one bit of `{member}` is flipped"), &|v| {
                let field = &mut v["parts"][0]["body"]["fields"]["/history"][member];
                let text = field.as_str().unwrap();
                // The first character carries six whole bits.
                let first = if text.starts_with('A') { "B" } else { "A" };
                *field = json!(first.to_owned() + &text[1..]);
            });
        }
        self.negative_parts();
        self.malformed_text(&v);
    }

    fn negative_parts(&self) {
        let [before, again] = [self.two_parts(), self.two_parts()];
        let ada = self.world.ada.author();
        let reader = self.world.reader();
        let amended = reader.amend(&before, &[&self.cardiology]).unwrap().field("/diagnosis", "I21.4").unwrap();
        let amended = value(&amended.seal(&ada, NOW).unwrap());
        let (before, again) = (value(&before), value(&again));

        let mut mixed = before.clone();
        mixed["parts"][1] = again["parts"][1].clone();
        let refused = |name: &str, expect: &str, comment: &str, v: &Value| {
            self.refused(name, expect, comment, "json", &pretty(v));
        };
        refused("part_of_another_record", "malformed", "its envelope names a content that is not here", &mixed);
        mixed["older"] = json!([again["content"]]);
        refused("two_contents_of_one_revision", "malformed", "a part with its content", &mixed);
        mixed["older"] = json!([]);
        mixed["parts"][1]["envelope"]["statement"]["content"] =
            before["parts"][1]["envelope"]["statement"]["content"].clone();
        let comment = "a part of another record whose envelope was made to fit: the other is shown";
        let mixed = SealedRecord::from_json(&mixed.to_string()).unwrap();
        self.opens("part_renamed", comment, "cardiology, psychiatry", &mixed);

        let mut old = amended.clone();
        old["parts"][0] = before["parts"][0].clone();
        refused("old_part", "malformed", "a part as it was before the amendment", &old);
        let mut dropped = amended.clone();
        dropped["older"] = json!([]);
        refused("older_content_missing", "malformed", "the content of the part that was not amended", &dropped);
        let mut unused = before.clone();
        unused["older"] = json!([before["content"]]);
        refused("content_twice", "malformed", "the latest content among the older ones", &unused);
        let mut twice = before.clone();
        twice["parts"][1] = before["parts"][0].clone();
        refused("part_twice", "malformed", "one part twice", &twice);
        let mut order = before.clone();
        order["parts"].as_array_mut().unwrap().reverse();
        refused("parts_out_of_order", "malformed", "compartments do not ascend", &order);
    }

    fn malformed_text(&self, v: &Value) {
        let json = pretty(v);
        let malformed = |name: &str, comment: &str, payload: &str| {
            assert_ne!(payload, json, "{name}");
            self.refused(name, "malformed", comment, "json", payload);
        };
        let field = &v["parts"][0]["body"]["fields"]["/history"];
        let (iv, tag) = (field["iv"].as_str().unwrap(), field["tag"].as_str().unwrap());
        malformed("unknown_member", "a member that this version does not know", &json.replacen('{', "{\"kid\": 1,", 1));
        malformed(
            "unknown_member_of_field",
            "a field says how it was sealed",
            &json.replace("\"iv\":", "\"alg\": \"none\", \"iv\":"),
        );
        malformed(
            "repeated_member",
            "one iv per field",
            &json.replace("\"iv\":", &format!("\"iv\": \"{iv}\", \"iv\":")),
        );
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
        malformed(
            "another_wrap",
            "a kind of wrap that this version does not know",
            &json.replace("symmetric", "other"),
        );
        malformed("no_part", "a record without parts", &{
            let mut empty = v.clone();
            empty["parts"] = json!([]);
            pretty(&empty)
        });
        let later = json.replace("chartseal-1", "chartseal-2");
        self.refused("later_suite_json", "unknown version", "a suite to come", "json", &later);
    }

    fn negative_binary(&self) {
        let bytes = self.sealed(&[("/diagnosis", b"I21.4"), ("/history", b"I20.0")]).to_cbor().unwrap();
        let binary = |name: &str, expect: &str, comment: &str, payload: &[u8]| {
            assert_ne!(payload, bytes, "{name}");
            self.refused(name, expect, comment, "cbor", &lines(payload));
        };
        let found = |from: &[u8]| (0..bytes.len()).find(|&at| bytes[at..].starts_with(from)).unwrap();
        let replaced = |from: &[u8], to: &[u8]| {
            let at = found(from);
            [&bytes[..at], to, &bytes[at + from.len()..]].concat()
        };
        let body = found(b"\x66fields\xa2") + 8;
        let second = found(b"\x68/history");
        let (before, first, second) = (&bytes[..body], &bytes[body..second], &bytes[second..]);
        let three = [&before[..before.len() - 1], b"\xa3", first, second, second].concat();

        binary("cbor_trailing_byte", "malformed", "one byte too many", &[&bytes[..], b"\0"].concat());
        binary("cbor_cut", "malformed", "one byte too few", &bytes[..bytes.len() - 1]);
        let long = replaced(b"generation\x01", b"generation\x18\x01");
        binary("cbor_long_integer", "malformed", "1 in two bytes", &long);
        binary("cbor_long_length", "malformed", "a length in two bytes", &replaced(b"\x65owner", b"\x78\x05owner"));
        binary("cbor_chunked_text", "malformed", "a text in chunks", &replaced(b"\x65owner", b"\x7f\x65owner\xff"));
        binary("cbor_fields_out_of_order", "malformed", "paths do not ascend", &[before, second, first].concat());
        binary("cbor_repeated_path", "malformed", "the same path twice", &three);
        binary("cbor_bytes_as_text", "malformed", "an iv that is a text", &replaced(b"\x62iv\x4c", b"\x62iv\x6c"));
        let at = found(b"chartseal-1") + 10;
        let later = [&bytes[..at], b"2", &bytes[at + 1..]].concat();
        binary("later_suite_cbor", "unknown version", "a suite to come", &later);
        let flipped = [&bytes[..bytes.len() - 1], &[bytes[bytes.len() - 1] ^ 1]].concat();
        binary("cbor_flipped_tag", "cannot open", "the last bit of the last tag is flipped", &flipped);
    }

    fn negative_people(&self) {
        let live = self.world.live(&self.live);
        let written = |person: &crate::support::world::Person, time: Time| {
            let record =
                record("r").part(live.write_only(&mut PinStore::default()).unwrap()).unwrap().field("/a", "1").unwrap();
            pretty(&value(&record.seal(&person.author().danger_unchecked(), time).unwrap()))
        };
        let refused = |name: &str, expect: &str, comment: &str, json: &str| {
            self.refused(name, expect, comment, "json", json);
        };
        let World { ada, nurse, lab, .. } = &self.world;
        refused("by_a_nurse", "not allowed", "her attributes do not satisfy the write policy", &written(nurse, NOW));
        refused(
            "before_the_credential",
            "expired",
            "a second before the credential is valid",
            &written(ada, NOW.minus(Duration::from_secs(1))),
        );
        refused(
            "after_the_credential",
            "expired",
            "a second after the credential was valid",
            &written(ada, after(YEAR + 1)),
        );
        refused("from_the_future", "expired", "301 seconds ahead of the reader's clock", &written(ada, after(301)));
        refused("by_a_revoked_person", "revoked", "in the second of the revocation", &written(lab, after(50)));
        let psychiatry = self.world.live(&self.psychiatric);
        let foreign = record("r")
            .part(psychiatry.write_only(&mut PinStore::default()).unwrap())
            .unwrap()
            .field("/a", "1")
            .unwrap();
        let foreign = pretty(&value(&foreign.seal(&lab.author(), NOW).unwrap()));
        refused("into_another_compartment", "not allowed", "the laboratory writes elsewhere", &foreign);
        let foreign = World::new();
        let elsewhere = foreign.access("cardiology");
        let sealed = pretty(&value(&foreign.sealed(&elsewhere)));
        refused("of_another_patient", "cannot open", "whole and genuine, of another patient", &sealed);
        let other = self.world.access("cardiology");
        let sealed = pretty(&value(&self.world.sealed(&other)));
        refused("another_key", "cannot open", "another key for the same compartment and generation", &sealed);
    }

    /// Parts that do not count, and the others all the same.
    fn refused_parts(&self) {
        let all = "cardiology, psychiatry";
        let World { ada, nurse, .. } = &self.world;
        let mut spoilt = value(&self.two_parts());
        let tag = &mut spoilt["parts"][1]["body"]["fields"]["/note"]["tag"];
        *tag = json!("AAAAAAAAAAAAAAAAAAAAAA");
        let spoilt = SealedRecord::from_json(&spoilt.to_string()).unwrap();
        self.opens("one_part_spoilt", "one part is altered: the other is shown", all, &spoilt);

        let start = || record("letter").part(&self.cardiology).unwrap().field("/diagnosis", "I20.0").unwrap();
        let reader = self.world.reader();
        let before = start().seal(&ada.author(), NOW).unwrap();
        let junk = reader.amend(&before, &[&self.cardiology]).unwrap().part(&self.psychiatry).unwrap();
        let junk = junk.field("/diagnosis", "Z99").unwrap();
        let junk = junk.seal(&nurse.author().danger_unchecked(), after(60)).unwrap();
        self.opens("one_part_not_allowed", "a nurse added a part that she may not write", all, &junk);
        let phone = Author::device(&self.world.phone, self.world.devices()).unwrap();
        let mended = reader.supersede(&junk, &[&self.cardiology, &self.psychiatry]).unwrap();
        let mended = mended.anew(&self.psychiatry).unwrap().seal(&phone, after(120)).unwrap();
        let comment = "the owner took that part back: an empty part by a device of hers";
        self.opens("one_part_taken_back", comment, all, &mended);
        let twice = start().part(&self.psychiatry).unwrap().field("/diagnosis", "F32").unwrap();
        let twice = twice.seal(&ada.author(), NOW).unwrap();
        self.opens("one_path_in_two_parts", "a path belongs to its part", all, &twice);
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
    let path = directory("record").join(name).with_extension("txt");
    assert!(!path.exists(), "{name} twice");
    fs::write(path, format!("{head}\n{payload}\n")).unwrap();
}
