//! Writes the first files of the corpora: `cargo run --manifest-path fuzz/Cargo.toml --example seed`.
//!
//! They are small and genuine, so that a fuzzer starts behind the first checks. What it found since stands beside them.

use std::fs;
use std::path::Path;

#[path = "targets.rs"]
mod targets;

use chartseal::record::SealedRecord;
use targets::{AUTHORITY, KEYS, PUBLIC, SCENES};

fn main() -> std::io::Result<()> {
    for (name, text) in POLICIES {
        write("policy_text", name, text.as_bytes())?;
        if let Ok(policy) = text.split('\0').next().unwrap_or_default().parse::<chartseal::policy::Policy>() {
            write("access_tree", name, policy.expand(&AUTHORITY).expect("it fits").as_bytes())?;
        }
    }
    for (name, text) in ATTRIBUTES {
        write("attributes_text", name, text.as_bytes())?;
        if let Ok(attributes) = text.parse::<chartseal::policy::Attributes>() {
            let leaves = attributes.leaves(&AUTHORITY);
            for (at, leaf) in leaves.iter().enumerate().take(3) {
                write("leaf", &format!("{name}-{at}"), leaf.as_bytes())?;
            }
        }
    }
    write("leaf", "blinded", &[&[5][..], &[7; 32]].concat())?;
    for (at, path) in ["/", "/a/0/b", "/a~0b~1c", "/é.ü$", "/~2", "/a\0", "#layout"].iter().enumerate() {
        write("field_path", &format!("path-{at}"), path.as_bytes())?;
    }

    let public = PUBLIC.as_bytes();
    write("public_parameters", "whole", &[&[0], public].concat())?;
    write("public_parameters", "head", &[&[1], &public[..public.len() - 576]].concat())?;
    let master = targets::MASTER.to_secret_bytes();
    let master = master.expose();
    write("master_key", "whole", &[&[0], &master[..]].concat())?;
    write("master_key", "head", &[&[1], &master[..master.len() - 576 - 48]].concat())?;
    for (at, key) in KEYS.iter().enumerate() {
        let bytes = key.to_secret_bytes();
        write("user_key", &format!("whole-{at}"), &[&[0], &bytes.expose()[..]].concat())?;
        write("user_key", &format!("tail-{at}"), &[&[1], &bytes.expose()[36..]].concat())?;
    }
    for (name, text) in
        [("range", "clearance in 2..9 and role:doctor"), ("twice", "role:doctor and role:doctor or dept:icu")]
    {
        let tree = PUBLIC.expand(&text.parse().expect("it is a policy")).expect("it fits");
        write("capsule", &format!("tree-{name}"), &[&[2, 2], tree.as_bytes()].concat())?;
    }
    for (tree, scene) in (0..).zip(SCENES.iter()) {
        write("capsule", &format!("whole-{tree}"), &[&[tree, 0], scene.capsule.as_bytes()].concat())?;
        write("capsule", &format!("unedited-{tree}"), &[tree, 1])?;
        write("capsule", &format!("edited-{tree}"), &[tree, 1, 0, 4, 0, 1, 0, 36, 1, 96])?;
        write("capsule", &format!("other-{tree}"), &[[tree, 1, 0, 0, 1, 255], [1, 0, 1, 255, 0, 255]].concat())?;
    }
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/record");
    for name in RECORDS {
        let text = fs::read_to_string(vectors.join(format!("{name}_json.txt")))?;
        let (_, json) = text.split_once("\n\n").expect("a vector has a body");
        write("record_json", name, json.trim_end().as_bytes())?;
        let sealed = SealedRecord::from_json(json).expect("it is a record");
        write("record_cbor", name, &sealed.to_cbor().expect("it was read"))?;
    }
    // Read, or refused, and not opened: nothing of them is a fact.
    for name in ["fields_swapped", "part_renamed", "old_part", "later_suite_json"] {
        let text = fs::read_to_string(vectors.join(format!("{name}.txt")))?;
        let (_, json) = text.split_once("\n\n").expect("a vector has a body");
        write("record_json", name, json.trim_end().as_bytes())?;
    }
    let sealed = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/record_cbor/one_field"))?;
    write("record_cbor", "cut", &sealed[..sealed.len() - 1])?;
    for (name, text) in RESOURCES {
        write("fhir_resource", name, text.as_bytes())?;
    }
    for (name, text) in BUNDLES {
        write("fhir_bundle", name, text.as_bytes())?;
    }
    Ok(())
}

fn write(target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)
}

const POLICIES: [(&str, &str); 12] = [
    ("doctor", "role:doctor and (dept:cardiology or dept:icu)"),
    ("threshold", "2 of (role:nurse, ward:7, shift:night)\0role:nurse, shift:night"),
    ("clearance", "clearance >= 3 and clearance < 9\0clearance = 3"),
    ("not", "role:doctor and not user:#17 and not user:#4 and not user:bob\0role:doctor, user:#5"),
    ("valid", "valid-until >= 2026-11"),
    ("range", "birth in 2004-02-29..2008-12-31 or age in 3..4294967295"),
    ("quoted", r#"ward:"7 \"north\" \\" and (a:1 or b:2)"#),
    ("nested", "((a:1 and (b:2)) or 1 of (c:3)) and d:4 and 2 of (a:1, a:1, b:2)"),
    ("reserved", "role:doctor@st-olave"),
    ("upper", "role:doctor AND dept:icu"),
    ("juxtaposed", "(a:1) b:2"),
    ("unsatisfiable", "age > 65 and age < 18"),
];

const ATTRIBUTES: [(&str, &str); 6] = [
    ("doctor", "role:doctor, dept:icu, clearance = 3, user:#17, valid-until = 2026-12"),
    ("quoted", r#"ward:"7 \"north\"", role:nurse"#),
    ("date", "born = 2004-02-29, age = 4294967295"),
    ("twice", "role:doctor, role:doctor"),
    ("trailing", "role:doctor,"),
    ("one", "a:b"),
];

const RECORDS: [&str; 6] = ["one_field", "empty_value", "two_parts", "amended", "resealed", "absent_part"];

const RESOURCES: [(&str, &str); 5] = [
    ("patient", r#"{"resourceType":"Patient","id":"6f1c","name":[{"family":"Delarosa","given":["Claudio"]}]}"#),
    ("observation", "{ \"resourceType\": \"Observation\",\r\n  \"valueQuantity\": {\"value\": 1.10, \"x\": -1e2} }\n"),
    ("escapes", r#"{"resource\u0054ype":"X1","a~/b":"\ud83d\ude00\n","":null,"é":[true,false,[]]}"#),
    ("twice", r#"{"resourceType":"X","a":1,"\u0061":2}"#),
    ("trailing", r#"{"resourceType":"X"} {}"#),
];

const BUNDLES: [(&str, &str); 4] = [
    (
        "two",
        r#"{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:6f1c","resource":{"resourceType":"Patient","id":"6f1c"}},
 {"request":{"method":"DELETE"}}, {"resource" : {"resourceType":"Claim","total":{"value":10.00}} } ]}"#,
    ),
    ("empty", r#"{"resourceType":"Bundle","entry":[]}"#),
    ("none", r#"{"resourceType":"Bundle"}"#),
    ("other", r#"{"resourceType":"Patient","entry":[]}"#),
];
