//! Writes the first files of the corpora: `cargo run --manifest-path fuzz/Cargo.toml --example seed`.
//!
//! They are small and genuine, so that a fuzzer starts behind the first checks. What it found since stands beside them.

use std::fs;
use std::path::Path;

#[path = "targets.rs"]
mod targets;

use chartseal::authority::Authority;
use chartseal::backup;
use chartseal::consent::{Decline, ReferralEnd};
use chartseal::owner::recovery::RecoveryKey;
use chartseal::pin::{PinStore, Pins};
use chartseal::record::SealedRecord;
use chartseal::repository::{Put, Repository};
use chartseal::store::MemoryStore;
use pollster::block_on;
use targets::{
    AUTHORITY, CHANGED, CLINIC, HOUSE, KEYS, NOTED, NOW, PEOPLE, PUBLIC, PUBLISHED, REFERRAL, SCENES, SEGMENT, STORED,
};

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
    statements()?;
    life()?;
    consents()?;
    kept()?;
    stored()?;
    secrets()?;
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/record");
    for name in RECORDS {
        let text = fs::read_to_string(vectors.join(format!("{name}_json.txt")))?;
        let (_, json) = text.split_once("\n\n").expect("a vector has a body");
        write("record_json", name, json.trim_end().as_bytes())?;
        let sealed = SealedRecord::from_json(json).expect("it is a record");
        write("record_cbor", name, &sealed.to_cbor().expect("it was read"))?;
    }
    // Read, or refused, and not opened: nothing of them is a fact.
    for name in ["fields_swapped", "part_renamed_json", "no_field", "old_part", "later_suite_json"] {
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

/// Both forms of a statement, as the object of this number.
macro_rules! both {
    ($name:literal, $object:literal, $value:expr) => {
        let value = $value;
        let cbor = value.to_cbor().expect("it was made");
        write("statements", $name, &[&[$object << 1], &cbor[..]].concat())?;
        let json = value.to_json().expect("it was made");
        write("statements", concat!($name, "-json"), &[&[$object << 1 | 1], json.as_bytes()].concat())?;
    };
}

/// Both forms.
macro_rules! forms {
    ($value:expr) => {
        [$value.to_cbor().expect("it was made"), $value.to_json().expect("it was made").into_bytes()]
    };
}

fn statements() -> std::io::Result<()> {
    let bulletin = &PUBLISHED.bulletin;
    both!("credential", 0, &HOUSE.issued[0].credential);
    both!("parameters", 1, &bulletin.parameters);
    both!("revocations", 2, &bulletin.revocations);
    both!("people", 3, &bulletin.people);
    both!("bulletin", 4, bulletin);
    both!("issued", 5, &HOUSE.issued[0]);
    both!("enrolment", 6, PEOPLE[0].enrol().expect("it has keys"));
    both!("devices", 7, &CLINIC.list);
    both!("head", 8, &CLINIC.head);
    both!("anchor", 9, &PUBLISHED.anchor);
    let mut pins = PinStore::default();
    CLINIC.list.accept(&CLINIC.owner, &mut pins, NOW).expect("it is genuine");
    let pins = pins.to_cbor().expect("it was made");
    write("statements", "pins", &[&[20], &pins[..]].concat())?;
    write("statements", "cut", &[&[20], &pins[..pins.len() - 1]].concat())?;
    // Short enough as JSON, too long as CBOR.
    let json = HOUSE.issued[0].credential.to_json().expect("it was made");
    let long = json.replacen("role:doctor", &"a".repeat(21_000), 1);
    write("statements", "credential-long-json", &[&[1], long.as_bytes()].concat())?;
    let issued = HOUSE.issued[1].to_cbor().expect("it was made");
    write("statements", "issued-to-another", &[&[5 << 1], &issued[..]].concat())
}

fn life() -> std::io::Result<()> {
    let from = HOUSE.trust.credential(&HOUSE.issued[0].credential, NOW).expect("it is genuine");
    let (by, owner) = ((&PEOPLE[0], &from), CLINIC.root.id());
    let section: chartseal::id::CompartmentId = "surgery".parse().expect("it is an id");
    let end = ReferralEnd::end(by, &REFERRAL, NOW).expect("it is hers");
    let decline = Decline::decline(by, owner, &section, NOW).expect("it is hers");
    let veto = CLINIC.phone.veto(CLINIC.root.devices(), &CHANGED).expect("there is a change");
    let erasure = CLINIC.root.erase(NOW, NOW).expect("it is a wish");
    let key = RecoveryKey::generate().expect("there is randomness");
    let names = ["ann", "ben"].map(|name| name.parse().expect("it is an id"));
    let (plan, shares) = key.share(2, names.into()).expect("two of two");
    for (object, name, [cbor, json]) in [
        (1, "referral", forms!(REFERRAL)),
        (2, "end", forms!(end)),
        (3, "decline", forms!(decline)),
        (4, "veto", forms!(veto)),
        (5, "erasure", forms!(erasure)),
        (6, "list", forms!(CHANGED)),
        (7, "plan", forms!(plan)),
    ] {
        write("life", name, &[&[object << 1], &cbor[..]].concat())?;
        write("life", &format!("{name}-cut"), &[&[object << 1], &cbor[..cbor.len() - 1]].concat())?;
        write("life", &format!("{name}-json"), &[&[object << 1 | 1], &json[..]].concat())?;
    }
    let share = shares[0].to_secret_bytes().expect("it was made");
    write("life", "share", &[&[8 << 1], &share.expose()[..]].concat())?;
    write("life", "code", &[&[9 << 1], key.code().expose().as_bytes()].concat())?;
    let store = MemoryStore::new();
    let mut stream = vec![10 << 1];
    let put = block_on(Repository::new(&store).put_consent(&CLINIC.consents[0]));
    assert_eq!(put.expect("memory holds it"), Put::Done);
    let written = block_on(backup::write(&store, &mut stream)).expect("memory holds it");
    assert!(written.damaged.is_empty());
    write("life", "backup", &stream)?;
    write("life", "backup-cut", &stream[..stream.len() - 1])
}

fn consents() -> std::io::Result<()> {
    for (at, stored) in CLINIC.consents.iter().enumerate() {
        let cbor = stored.to_cbor().expect("it was read");
        write("consent", &format!("cbor-{at}"), &[&[0], &cbor[..]].concat())?;
        write("consent", &format!("cut-{at}"), &[&[0], &cbor[..cbor.len() - 1]].concat())?;
    }
    let json = CLINIC.consents[0].to_json().expect("it was read");
    write("consent", "json", &[&[1], json.as_bytes()].concat())?;
    for form in 2..5 {
        write("consent", &format!("unedited-{form}"), &[form])?;
        write("consent", &format!("edited-{form}"), &[form, 0, 200, 0, 1, 4, 0, 1, 96])?;
        write("consent", &format!("mixed-{form}"), &[form, 0, 120, 1, 255, 1, 119, 1, 255, 2, 118, 1, 255])?;
    }
    Ok(())
}

/// The words of consents, the memory of a reader, and a ledger's entry.
fn kept() -> std::io::Result<()> {
    let clinic = &*CLINIC;
    let pins = &mut PinStore::default();
    let plain = clinic.live.open_as_device(&clinic.phone, pins).expect("it is the owner's");
    let hospital = HOUSE.issued[0].credential.unverified().authority.clone();
    let builder = clinic.phone.consent(&clinic.devices, clinic.compartment.clone());
    let builder = builder.name(&PEOPLE[0].public()).expect("a person");
    let builder = builder.read(&HOUSE.trust, &hospital, "role:doctor or dept:icu").expect("a policy");
    let builder = builder.write(&HOUSE.trust, &hospital, "role:doctor").expect("a policy");
    let builder = builder.exclude(PEOPLE[1].id().clone());
    let (_, first) = builder.seal(NOW).expect("a consent");
    let sharing = clinic.phone.sharing(&clinic.devices, &HOUSE.trust, &first);
    let (_, rich, _) = sharing.rotate().expect("the next").seal(NOW).expect("a consent");
    for (name, access) in [("plain", &plain), ("first", &first), ("rich", &rich)] {
        let bytes = access.terms().to_cbor().expect("they were sealed");
        write("terms", name, &bytes)?;
        write("terms", &format!("{name}-cut"), &bytes[..bytes.len() - 1])?;
    }
    write("kept", "ledger", &[&[1], &NOTED.1[..]].concat())?;
    write("kept", "ledger-cut", &[&[1], &NOTED.1[..NOTED.1.len() - 1]].concat())?;
    let name = format!("consent/{}/{}", clinic.owner, clinic.compartment);
    let pin = Pins::get(pins, &name).expect("memory").expect("it was opened").to_cbor().expect("a row");
    write("kept", "pin", &[&[0], &pin[..]].concat())?;
    write("kept", "pin-cut", &[&[0], &pin[..pin.len() - 1]].concat())
}

/// Bodies in segments, and changes to what an authority keeps.
fn stored() -> std::io::Result<()> {
    let framed = |segment: &[u8]| {
        let length = u16::try_from(segment.len()).expect("it is small").to_be_bytes();
        [&length, segment].concat()
    };
    let body = &*SEGMENT;
    write("segments", "whole", &framed(body))?;
    write("segments", "none", &[])?;
    write("segments", "cut", &framed(&body[..body.len() - 1]))?;
    write("segments", "twice", &[framed(body), framed(body)].concat())?;
    let mut two = body.clone();
    two[1 + b"\x68segments".len()] = 2;
    write("segments", "of-two", &framed(&two))?;
    // A length in two bytes that has room in one.
    let long = body.windows(8).rposition(|at| at == b"\x66fields\xa1").expect("it has one field");
    let (before, after) = body.split_at(long);
    write("segments", "long-form", &framed(&[before, b"\x66fields\xb8\x01", &after[8..]].concat()))?;
    // The fields moved to a segment of their own, though there was room.
    let at = body.windows(7).position(|at| at == b"\x66fields").expect("it has fields");
    let (author, fields) = two.split_at(at);
    write(
        "segments",
        "loose",
        &[framed(&[author, b"\x66fields\xa0"].concat()), framed(&[b"\xa1", fields].concat())].concat(),
    )?;
    for (at, (key, _)) in (0_u8..).zip(STORED.iter()) {
        let name: Vec<_> = key.split('/').skip(2).take(2).collect();
        let name = name.join("-");
        write("stored", &format!("{name}-unedited"), &[at, 1])?;
        write("stored", &format!("{name}-edited"), &[at, 1, 0, 20, 0, 1, 0, 40, 1, 9])?;
        write("stored", &format!("{name}-gone"), &[at, 2])?;
    }
    write("stored", "boasts", &[&[0, 0][..], b"\xa2\x64note\x40\x65parts\x9a\xff\xff\xff\xff"].concat())
}

fn secrets() -> std::io::Result<()> {
    for (name, kind, bytes) in [
        ("identity", 0, PEOPLE[0].to_secret_bytes()),
        ("device", 1, CLINIC.phone.to_secret_bytes()),
        ("owner", 2, CLINIC.root.to_secret_bytes().expect("it was read")),
    ] {
        let bytes = bytes.expose();
        write("secrets", name, &[&[kind], &bytes[..]].concat())?;
        write("secrets", &format!("{name}-cut"), &[&[kind], &bytes[..bytes.len() - 1]].concat())?;
    }
    let stranger = [&[0][..], b"csi\x01\x04nina", &[11; 64]].concat();
    write("secrets", "identity-new", &stranger)?;
    write("secrets", "authority", &[&[3], &HOUSE.bytes[..]].concat())?;
    write("secrets", "state", &[&[4], &HOUSE.bytes[HOUSE.state..]].concat())?;
    let new = Authority::setup(AUTHORITY.clone(), NOW).and_then(|new| new.to_secret_bytes()).expect("it is new");
    write("secrets", "state-new", &[&[4], &new.expose()[HOUSE.state..]].concat())
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

const RECORDS: [&str; 7] =
    ["one_field", "empty_value", "two_parts", "one_part_taken_back", "amended", "resealed", "absent_part"];

const RESOURCES: [(&str, &str); 7] = [
    ("patient", r#"{"resourceType":"Patient","id":"6f1c","name":[{"family":"Delarosa","given":["Claudio"]}]}"#),
    ("observation", "{ \"resourceType\": \"Observation\",\r\n  \"valueQuantity\": {\"value\": 1.10, \"x\": -1e2} }\n"),
    ("escapes", r#"{"resource\u0054ype":"X1","a~/b":"\ud83d\ude00\n","":null,"é":[true,false,[]]}"#),
    ("twice", r#"{"resourceType":"X","a":1,"\u0061":2}"#),
    ("trailing", r#"{"resourceType":"X"} {}"#),
    ("marked", "\u{feff}{\"resourceType\":\"X\",\"id\":17}\n"),
    ("unseen", "{\"resourceType\":\"X\",\"a\u{200d}b\":1}"),
];

const BUNDLES: [(&str, &str); 5] = [
    (
        "two",
        r#"{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:6f1c","resource":{"resourceType":"Patient","id":"6f1c"}},
 {"request":{"method":"DELETE"}}, {"resource" : {"resourceType":"Claim","total":{"value":10.00}} } ]}"#,
    ),
    ("empty", r#"{"resourceType":"Bundle","entry":[]}"#),
    ("none", r#"{"resourceType":"Bundle"}"#),
    (
        "gaps",
        "\u{feff}{\"resourceType\":\"Bundle\",\"entry\":[null,{\"resource\":null},\
         {\"fullUrl\":1,\"resource\":{\"resourceType\":\"X\",\"id\":2,\" \":3}},{\"resource\":{\"resourceType\":\"Y\"}}]}",
    ),
    ("other", r#"{"resourceType":"Patient","entry":[]}"#),
];
