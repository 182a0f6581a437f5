//! What every input must meet: the bodies of the fuzz targets, over the public API alone.
//!
//! The fuzzers call them with bytes that libFuzzer makes; `cargo test` calls them with every file of the corpora. Each
//! returns whether the input was a valid one, so that the test can tell that a corpus reaches both sides of a decoder.
#![allow(dead_code, unused_imports, reason = "a fuzzer uses one of them")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "they are tests")]

#[path = "targets/kept.rs"]
mod kept;
#[path = "targets/life.rs"]
mod life;
#[path = "targets/record.rs"]
mod record;
#[path = "targets/secrets.rs"]
mod secrets;
#[path = "targets/signed.rs"]
mod signed;
#[path = "targets/stored.rs"]
mod stored;

use std::sync::LazyLock;

use chartseal::id::AuthorityId;
use chartseal::kem::{self, Capsule, MasterKey, PublicParameters, UserKey, danger};
use chartseal::policy::{AccessTree, Attributes, Leaf, ParseError, PersonNumber, Policy};
use chartseal::seal::{FieldPath, SharedKey};

pub(crate) use kept::{NOTED, kept, terms};
pub(crate) use life::{CHANGED, REFERRAL, life};
pub(crate) use record::{record_cbor, record_json};
pub(crate) use secrets::{HOUSE, NOW, PEOPLE, secrets};
pub(crate) use signed::{CLINIC, PUBLISHED, consent, statements};
pub(crate) use stored::{SEGMENT, STORED, segments, stored};

/// A policy's canonical text gives the equal policy, and its expansion, written and read, holds for the same keys.
///
/// `policy`, or `policy ‖ 0 ‖ attributes` to choose the key that both are asked about.
pub(crate) fn policy_text(data: &[u8]) -> bool {
    let Ok(input) = str::from_utf8(data) else { return false };
    let (text, key) = input.split_once('\0').unwrap_or((input, ""));
    let policy = match Policy::parse_with(text, person) {
        Ok(policy) => policy,
        Err(error) => {
            shows(&error, text);
            return false;
        }
    };
    let shown = policy.to_string();
    let again: Policy = shown.parse().expect("the canonical text is a policy");
    assert_eq!(again, policy);
    assert_eq!(again.to_string(), shown);

    let tree = policy.expand(&AUTHORITY).expect("a policy that was parsed fits a tree");
    assert_eq!(again.expand(&AUTHORITY).unwrap(), tree);
    assert_eq!(AccessTree::decode(tree.as_bytes()).expect("a tree can be read"), tree);
    for attributes in MEMBERS.iter().cloned().chain(key.parse()) {
        let leaves = attributes.leaves(&AUTHORITY);
        let opens = tree.satisfied_by(|leaf| leaves.binary_search(leaf).is_ok());
        assert_eq!(opens, policy.satisfied_by(&attributes), "{policy} for {attributes}");
    }
    true
}

/// The canonical text gives the equal set; its leaves are sorted, each once, and can be read.
pub(crate) fn attributes_text(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let attributes: Attributes = match text.parse() {
        Ok(attributes) => attributes,
        Err(error) => {
            shows(&error, text);
            return false;
        }
    };
    let shown = attributes.to_string();
    let again: Attributes = shown.parse().expect("the canonical text is a set");
    assert_eq!(again, attributes);
    assert_eq!(again.to_string(), shown);
    let leaves = attributes.leaves(&AUTHORITY);
    assert!(leaves.is_sorted_by(|one, next| one < next) && !leaves.is_empty());
    for leaf in leaves {
        assert_eq!(Leaf::decode(leaf.as_bytes()).expect("a leaf can be read"), leaf);
    }
    true
}

/// A tree has one encoding, opens for who has all of it and for nobody who has nothing.
pub(crate) fn access_tree(data: &[u8]) -> bool {
    let Ok(tree) = AccessTree::decode(data) else { return false };
    assert_eq!(tree.as_bytes(), data);
    assert!(tree.satisfied_by(|_| true));
    assert!(!tree.satisfied_by(|_| false));
    assert!(Capsule::decode(&tree, b"csc\x01").is_err());
    true
}

/// A leaf has one encoding.
pub(crate) fn leaf(data: &[u8]) -> bool {
    let Ok(leaf) = Leaf::decode(data) else { return false };
    assert_eq!(leaf.as_bytes(), data);
    true
}

/// Parameters have one encoding, and carry the one `A` that this authority made.
///
/// The first byte says whether the rest is all of them, or what stands before a genuine `A`.
pub(crate) fn public_parameters(data: &[u8]) -> bool {
    let bytes = with_tail(data, &PUBLIC.as_bytes()[PUBLIC.as_bytes().len() - GT..]);
    let Ok(public) = PublicParameters::decode(&bytes) else { return false };
    assert_eq!(public.as_bytes(), bytes);
    true
}

/// A master key has one encoding, and is the one for its parameters.
///
/// The first byte says whether the rest is all of it, or what stands before genuine points.
pub(crate) fn master_key(data: &[u8]) -> bool {
    let secret = MASTER.to_secret_bytes();
    let bytes = with_tail(data, &secret.expose()[secret.expose().len() - GT - G1..]);
    let Ok(master) = MasterKey::decode(&bytes) else { return false };
    assert_eq!(master.to_secret_bytes().expose(), &bytes);
    let a = |public: &PublicParameters| public.as_bytes()[public.as_bytes().len() - GT..].to_vec();
    assert_eq!(a(master.public()), a(&PUBLIC), "a second master key cannot be found");
    true
}

/// A user key has one encoding, and holds nothing that was not issued: at most, attributes were left out.
///
/// If the first byte is odd, the rest lacks the heading and the parameters' hash; else it is the whole key.
pub(crate) fn user_key(data: &[u8]) -> bool {
    let bytes = match data.split_first() {
        Some((1, rest)) => [&KEY_BYTES[..4 + 32], rest].concat(),
        Some((_, rest)) => rest.to_vec(),
        None => return false,
    };
    let Ok(key) = UserKey::decode(&bytes, &PUBLIC) else { return false };
    assert_eq!(key.to_secret_bytes().expose(), &bytes);
    let issued = |key: &UserKey, whole: &UserKey| key.leaves().iter().all(|leaf| whole.leaves().contains(leaf));
    assert!(KEYS.iter().any(|whole| issued(&key, whole)), "nobody issued such a key");
    true
}

/// A capsule opens when it is the genuine one, and for no other bytes, tree, key or context.
///
/// The first byte chooses a scene, the second what the rest is:
/// - 0: the capsule;
/// - 1: edits to the genuine capsule, with another one for the same tree at hand;
/// - else: another tree, for which a capsule is made of genuine points.
pub(crate) fn capsule(data: &[u8]) -> bool {
    let &[scene, form, ref rest @ ..] = data else { return false };
    let scene = &SCENES[usize::from(scene) % SCENES.len()];
    let mut bytes = scene.capsule.as_bytes().to_vec();
    let mut tree = scene.tree.clone();
    match form {
        0 => bytes = rest.to_vec(),
        1 => edit(&mut bytes, scene.other.as_bytes(), rest),
        _ => match AccessTree::decode(rest) {
            Ok(other) => (bytes, tree) = (scene.stretched(&other), other),
            Err(_) => return false,
        },
    }
    let Ok(capsule) = Capsule::decode(&tree, &bytes) else {
        assert!(form < 2, "the length fits the tree");
        return false;
    };
    assert_eq!(capsule.as_bytes(), bytes);
    let opened = kem::decapsulate(&KEYS[0], &tree, CONTEXT, &capsule);
    if let Ok(shared) = &opened {
        assert_eq!(tree, scene.tree, "it opened for another tree");
        let genuine = [(&scene.capsule, &scene.shared), (&scene.other, &scene.other_shared)];
        let (_, expected) = genuine.into_iter().find(|(known, _)| **known == capsule).expect("a capsule was forged");
        assert!(shared.ct_eq(expected));
        assert!(kem::decapsulate(&KEYS[0], &tree, b"another", &capsule).is_err());
    }
    assert!(kem::decapsulate(&KEYS[1], &tree, CONTEXT, &capsule).is_err(), "an outsider's key opened it");
    opened.is_ok()
}

/// A resource comes back byte for byte, whatever the order of its fields, and each path points to its value.
#[cfg(feature = "fhir")]
pub(crate) fn fhir_resource(data: &[u8]) -> bool {
    use chartseal::fhir::{LAYOUT, Resource};

    let Ok(text) = str::from_utf8(data) else { return false };
    let Ok(resource) = Resource::parse(text) else { return false };
    let mut fields: Vec<_> = resource.fields().collect();
    assert_eq!(Resource::join(fields.iter().copied()).expect("the fields fit together").expose(), text);
    fields.reverse();
    assert_eq!(Resource::join(fields.iter().copied()).expect("in any order").expose(), text);
    assert!(Resource::join(fields.iter().skip(1).copied()).is_err(), "a field is missing");

    // What is JSON here is JSON elsewhere, save for numbers that have no double.
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(text) {
        for (path, field) in fields.into_iter().filter(|(path, _)| *path != LAYOUT) {
            assert_eq!(value.pointer(path), serde_json::from_str(field).ok().as_ref(), "{path}");
        }
    }
    true
}

/// A bundle comes back byte for byte, and so does each of its resources.
#[cfg(feature = "fhir")]
pub(crate) fn fhir_bundle(data: &[u8]) -> bool {
    use chartseal::fhir::{Bundle, Resource};

    let Ok(text) = str::from_utf8(data) else { return false };
    let Ok(bundle) = Bundle::parse(text) else { return false };
    let mut resources = Vec::new();
    for entry in bundle.entries() {
        let resource = match entry.split() {
            Ok(resource) => resource,
            Err(error) => {
                assert_eq!(error.entry(), Some(entry.index()));
                assert!(error.offset().is_some_and(|offset| offset < text.len()));
                resources.push(entry.text().to_owned());
                continue;
            }
        };
        let joined = Resource::join(resource.fields()).expect("the fields fit together");
        assert_eq!(joined.expose(), entry.text());
        assert_eq!((resource.resource_type(), resource.id()), (entry.resource_type(), entry.id()));
        resources.push(joined.expose().clone());
    }
    assert_eq!(Bundle::join(bundle.skeleton(), &resources).expect("the resources fit").expose(), text);
    resources.push("{}".to_owned());
    assert!(Bundle::join(bundle.skeleton(), &resources).is_err(), "one resource too many");
    true
}

/// A path has one text, here and in serde's forms.
pub(crate) fn field_path(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let json = serde_json::to_string(text).unwrap();
    let read: Result<FieldPath, _> = serde_json::from_str(&json);
    let Ok(path) = FieldPath::new(text) else {
        assert!(read.is_err() || text == FieldPath::LAYOUT.as_str());
        return false;
    };
    assert_eq!((path.as_str(), path.to_string().as_str()), (text, text));
    assert_eq!(read.unwrap(), path);
    assert_eq!(serde_json::to_string(&path).unwrap(), json);
    true
}

/// The errors underline a place within the text, and can be shown.
fn shows(error: &ParseError, text: &str) {
    assert!(text.get(error.span()).is_some(), "{:?}", error.span());
    assert!(!error.to_string().is_empty() && !error.render(text).is_empty());
}

/// Names have numbers, but not all of them.
fn person(name: &str) -> Option<PersonNumber> {
    let first = name.bytes().next()?;
    (first != b'x').then(|| PersonNumber::new(first.into()).unwrap())
}

/// The rest of the input; with `tail` after it, if the input begins with 1.
fn with_tail(data: &[u8], tail: &[u8]) -> Vec<u8> {
    match data.split_first() {
        Some((1, rest)) => [rest, tail].concat(),
        Some((_, rest)) => rest.to_vec(),
        None => Vec::new(),
    }
}

/// Edits in order: `offset (2) ‖ 0 ‖ byte to be added by XOR`, or `offset (2) ‖ 1 ‖ count` to bring bytes over from the
/// same place of `other`.
fn edit(bytes: &mut [u8], other: &[u8], edits: &[u8]) {
    let length = bytes.len().min(other.len());
    for edit in edits.chunks_exact(4).take(64) {
        let from = usize::from(u16::from_be_bytes([edit[0], edit[1]])) % length;
        if edit[2] == 0 {
            bytes[from] ^= edit[3];
        } else {
            let to = length.min(from + usize::from(edit[3]));
            bytes[from..to].copy_from_slice(&other[from..to]);
        }
    }
}

/// What a test vector says under a header.
pub(crate) fn header<'a>(text: &'a str, header: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(header)?.strip_prefix(": ")).unwrap()
}

/// The same, of bytes.
pub(crate) fn header_bytes(text: &str, name: &str) -> Vec<u8> {
    let digits: Vec<_> = header(text, name).chars().map(|digit| digit.to_digit(16).unwrap()).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}

/// What a capsule is attacked with.
pub(crate) struct Scene {
    pub(crate) tree: AccessTree,
    pub(crate) capsule: Capsule,
    shared: SharedKey,
    other: Capsule,
    other_shared: SharedKey,
}

impl Scene {
    /// The heading, ct0 and ct1, then a genuine ct2 and ct3 as often as `tree` needs them.
    fn stretched(&self, tree: &AccessTree) -> Vec<u8> {
        let genuine = self.capsule.as_bytes();
        let uses = |leaf| tree.leaves().iter().filter(|other| *other == leaf).count();
        let tau = tree.leaves().iter().map(uses).max().unwrap_or(0);
        let (head, points) = genuine.split_at(4 + 32 + 2 * G1);
        let (ct2, ct3) = (&points[..2 * G1], &points[points.len() - G1..]);
        [head, &ct2.repeat(tau), &ct3.repeat(tree.leaves().len())].concat()
    }
}

pub(crate) static AUTHORITY: LazyLock<AuthorityId> = LazyLock::new(|| "st-olave".parse().unwrap());

pub(crate) static MASTER: LazyLock<MasterKey> =
    LazyLock::new(|| danger::setup_from_seed(AUTHORITY.clone(), &[1; 64]).unwrap().1);

pub(crate) static PUBLIC: LazyLock<PublicParameters> = LazyLock::new(|| MASTER.public().clone());

/// A member of staff for whom every scene opens, and a visitor for whom none does.
static MEMBERS: LazyLock<[Attributes; 2]> = LazyLock::new(|| {
    let staff = r#"role:doctor, dept:icu, "#.to_owned() + "clearance = 3, user:#17, valid-until = 2026-12";
    [staff.parse().unwrap(), "role:visitor, dept:cardiology, user:#4, clearance = 1".parse().unwrap()]
});

pub(crate) static KEYS: LazyLock<Vec<UserKey>> = LazyLock::new(|| {
    let seeds = [[2; 64], [3; 64]];
    MEMBERS.iter().zip(&seeds).map(|(who, seed)| danger::issue_from_seed(&MASTER, who, seed).unwrap()).collect()
});

static KEY_BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| KEYS[0].to_secret_bytes().expose().clone());

pub(crate) static SCENES: LazyLock<Vec<Scene>> = LazyLock::new(|| {
    let policies = [
        "role:doctor",
        "role:doctor and dept:icu",
        "2 of (role:doctor, dept:icu, role:nurse) and (dept:icu or role:doctor)",
    ];
    let scene = |text: &str| {
        let tree = PUBLIC.expand(&text.parse().unwrap()).unwrap();
        let (capsule, shared) = danger::encapsulate_message(&PUBLIC, &tree, CONTEXT, &[4; 32]);
        let (other, other_shared) = danger::encapsulate_message(&PUBLIC, &tree, CONTEXT, &[5; 32]);
        Scene { tree, capsule, shared, other, other_shared }
    };
    policies.into_iter().map(scene).collect()
});

const CONTEXT: &[u8] = b"fuzz";

/// Bytes of a point of G1 and of an element of GT.
const G1: usize = 48;
const GT: usize = 576;
