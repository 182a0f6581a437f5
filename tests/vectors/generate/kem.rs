//! Writes the vectors: a few chains from seeds, and what an attacker makes of them.

use std::fs;

use chartseal::Secret;
use chartseal::id::AuthorityId;
use chartseal::kem::{Capsule, MasterKey, PublicParameters, RealmKey, UserKey, danger};
use chartseal::policy::{AccessTree, Attributes, Policy};

use crate::support::case::{directory, hex};

const CONTEXT: &[u8] = b"owner alice, compartment 7, version 1";

struct World {
    public: PublicParameters,
    master: MasterKey,
}

impl World {
    fn new(seed: u8) -> Self {
        let authority = AuthorityId::new("st-olave").unwrap();
        let (public, master) = danger::setup_from_seed(authority, &[seed; 64]).unwrap();
        Self { public, master }
    }

    fn key(&self, attributes: &str, seed: u8) -> Vec<u8> {
        let attributes: Attributes = attributes.parse().unwrap();
        bytes(&danger::issue_from_seed(&self.master, &attributes, &[seed; 64]).unwrap())
    }

    fn tree(&self, policy: &str) -> AccessTree {
        self.public.expand(&policy.parse::<Policy>().unwrap()).unwrap()
    }

    fn capsule(&self, tree: &AccessTree, message: u8) -> (Capsule, [u8; 32]) {
        let (capsule, shared) = danger::encapsulate_message(&self.public, tree, CONTEXT, &[message; 32]);
        (capsule, *shared.expose())
    }
}

fn bytes(key: &UserKey) -> Vec<u8> {
    key.to_secret_bytes().expose().clone()
}

fn write(name: &str, expect: &str, comment: &str, object: &str, headers: &[(&str, &str)]) {
    let mut text = format!("comment: {comment}\nexpect: {expect}\nobject: {object}\n");
    for (header, value) in headers {
        text += &format!("{header}: {value}\n");
    }
    fs::write(directory("kem").join(format!("{name}.txt")), text).unwrap();
}

pub(crate) fn write_all() {
    for entry in fs::read_dir(directory("kem")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    chains();
    decapsulations();
    decoders();
}

fn chains() {
    for (name, comment, policy, attributes, realm) in [
        ("chain_one_attribute", "the smallest", "role:doctor", "role:doctor", None),
        ("chain_and", "three pairings", "role:doctor and dept:icu", "role:doctor, dept:icu, ward:7", None),
        (
            "chain_repeated_attribute",
            "two uses of one attribute: tau is two",
            "(role:doctor and dept:icu) and (role:doctor or dept:er)",
            "role:doctor, dept:icu",
            None,
        ),
        (
            "chain_threshold",
            "Lagrange coefficients",
            "2 of (role:nurse, ward:7, shift:night)",
            "ward:7, shift:night",
            None,
        ),
        (
            "chain_numbers",
            "a comparison, a range of dates, an exclusion and a validity",
            "clearance >= 3 and since in 2020-01-01..2026-12-31 and not user:#5 and valid-until >= 2026-11",
            "clearance = 4, since = 2024-02-29, user:#6, valid-until = 2027-01",
            None,
        ),
        ("chain_blinded", "labels under a realm key", "role:doctor or dept:icu", "dept:icu", Some([9; 32])),
    ] {
        let World { public, master } = World::new(1);
        let parsed: Attributes = attributes.parse().unwrap();
        let policy_parsed: Policy = policy.parse().unwrap();
        let realm_text = realm.map(|bytes| hex(&bytes));
        let (key, tree) = match realm {
            None => {
                let key = danger::issue_from_seed(&master, &parsed, &[2; 64]).unwrap();
                (key, public.expand(&policy_parsed).unwrap())
            }
            Some(bytes) => {
                let realm = RealmKey::from_secret(Secret::new(bytes));
                let key = danger::issue_blinded_from_seed(&master, &parsed, &realm, &[2; 64]).unwrap();
                (key, public.expand_blinded(&policy_parsed, &realm).unwrap())
            }
        };
        let (capsule, shared) = danger::encapsulate_message(&public, &tree, CONTEXT, &[3; 32]);
        let mut headers = vec![
            ("authority", "st-olave".to_owned()),
            ("setup-seed", hex(&[1; 64])),
            ("attributes", attributes.to_owned()),
            ("policy", policy.to_owned()),
            ("issue-seed", hex(&[2; 64])),
            ("context", hex(CONTEXT)),
            ("message", hex(&[3; 32])),
            ("public", hex(public.as_bytes())),
            ("master-key", hex(master.to_secret_bytes().expose())),
            ("user-key", hex(&bytes(&key))),
            ("tree", hex(tree.as_bytes())),
            ("capsule", hex(capsule.as_bytes())),
            ("shared", hex(shared.expose())),
        ];
        headers.extend(realm_text.map(|text| ("realm-key", text)));
        let headers: Vec<(&str, &str)> = headers.iter().map(|(h, v)| (*h, v.as_str())).collect();
        write(name, "ok", comment, "chain", &headers);
    }
}

fn decapsulations() {
    let world = World::new(1);
    let tree = world.tree("role:doctor and dept:icu");
    let key = world.key("role:doctor, dept:icu", 2);
    let (capsule, shared) = world.capsule(&tree, 3);
    let (other, _) = world.capsule(&tree, 4);
    let honest = capsule.as_bytes();
    let case = |name: &str, comment: &str, key: &[u8], tree: &AccessTree, context: &[u8], capsule: &[u8]| {
        let expect = if name == "open" { "ok" } else { "cannot open" };
        let (public, shared) = (hex(world.public.as_bytes()), hex(&shared));
        let mut headers = vec![
            ("public", public),
            ("user-key", hex(key)),
            ("tree", hex(tree.as_bytes())),
            ("context", hex(context)),
            ("capsule", hex(capsule)),
        ];
        if name == "open" {
            headers.push(("shared", shared));
        } else {
            headers.retain(|(header, _)| *header != "shared");
        }
        let headers: Vec<(&str, &str)> = headers.iter().map(|(h, v)| (*h, v.as_str())).collect();
        write(&format!("decapsulation_{name}"), expect, comment, "decapsulation", &headers);
    };
    let mauled = |at: usize| {
        let mut bytes = honest.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    let splice = |at: usize| [&honest[..at], &other.as_bytes()[at..]].concat();
    case("open", "a satisfying key", &key, &tree, CONTEXT, honest);
    case("unsatisfied", "one attribute of two", &world.key("role:doctor", 2), &tree, CONTEXT, honest);
    case("another_context", "transplanted to another compartment", &key, &tree, b"compartment 8", honest);
    case("empty_context", "the context left out", &key, &tree, b"", honest);
    case("mauled_ct0", "a bit of the masked message", &key, &tree, CONTEXT, &mauled(4));
    case("mauled_ct1_sign", "the sign of ct1", &key, &tree, CONTEXT, &{
        let mut bytes = honest.to_vec();
        bytes[36] ^= 0x20;
        bytes
    });
    case("mauled_ct3_sign", "the sign of a row", &key, &tree, CONTEXT, &{
        let mut bytes = honest.to_vec();
        bytes[36 + 192] ^= 0x20;
        bytes
    });
    case("mauled_last_byte", "a bit of the last row", &key, &tree, CONTEXT, &mauled(honest.len() - 1));
    case("spliced_after_ct0", "ct0 of one capsule, points of another", &key, &tree, CONTEXT, &splice(36));
    case("spliced_rows", "the last row of another capsule", &key, &tree, CONTEXT, &splice(honest.len() - 48));
    let mut swapped = honest.to_vec();
    let rows = swapped.len() - 96;
    swapped[rows..].rotate_left(48);
    case("swapped_rows", "the two rows exchanged", &key, &tree, CONTEXT, &swapped);
    let or = world.tree("role:doctor or dept:icu");
    case("swapped_policy", "and made or, the same leaves", &key, &or, CONTEXT, honest);
    let reversed = world.tree("dept:icu and role:doctor");
    case("reordered_policy", "the children exchanged", &key, &reversed, CONTEXT, honest);
    let mut infinite = honest.to_vec();
    infinite[36..132].fill(0);
    infinite[36] = 0xc0;
    case("ct1_at_infinity", "ct1 is the identity", &key, &tree, CONTEXT, &infinite);

    // An unused row altered: the reader of the other branch must refuse too.
    let either = world.tree("role:doctor or dept:icu");
    let (capsule, _) = world.capsule(&either, 3);
    let mut one_row = capsule.as_bytes().to_vec();
    let (last, _) = world.capsule(&either, 5);
    let at = one_row.len() - 48;
    one_row[at..].copy_from_slice(&last.as_bytes()[at..]);
    let doctor = world.key("role:doctor", 2);
    case("unused_row_altered", "two readers must never see two things", &doctor, &either, CONTEXT, &one_row);

    let stranger = World::new(7);
    let (foreign, _) = stranger.capsule(&tree, 3);
    case("other_parameters", "a capsule under another master key", &key, &tree, CONTEXT, foreign.as_bytes());
}

fn decoders() {
    let world = World::new(1);
    let public = world.public.as_bytes().to_vec();
    let a_at = public.len() - 576;
    let altered = |bytes: &[u8], at: usize, with: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    };
    let mut one = [0; 576];
    one[47] = 1;
    for (name, expect, comment, bytes) in [
        ("honest", "ok", "as set up", public.clone()),
        ("a_is_one", "untrusted", "A = 1: the mask is known to all", altered(&public, a_at, &one)),
        ("a_is_zero", "untrusted", "A = 0", altered(&public, a_at, &[0; 576])),
        ("a_outside_the_group", "untrusted", "an element of another order", altered(&public, a_at + 47, &[9])),
        ("trailing_byte", "malformed", "one byte more", [&public[..], &[0]].concat()),
        ("truncated", "malformed", "one byte less", public[..public.len() - 1].to_vec()),
        ("unknown_version", "unknown version", "version byte 2", altered(&public, 3, &[2])),
        ("wrong_magic", "malformed", "not parameters", altered(&public, 0, b"x")),
        ("empty_id", "malformed", "an authority without a name", [&public[..4], &[0], &public[13..]].concat()),
    ] {
        write(&format!("parameters_{name}"), expect, comment, "parameters", &[("public", &hex(&bytes))]);
    }

    let honest = world.key("role:doctor, dept:icu", 2);
    let other = world.key("role:doctor, dept:icu", 4);
    let master = world.master.to_secret_bytes();
    let g1_alpha = &master.expose()[master.expose().len() - 48..];
    let infinity = |n: usize| [&[0xc0][..], &vec![0; n - 1]].concat();
    let (sk1, sk3) = (36, 84);
    let last = honest.len() - 48;
    let master_like = altered(&altered(&honest, sk1, g1_alpha), sk3, &infinity(96));
    let relabelled = {
        // The bytes "doctor" in the leaf become "doctos", which keeps the order.
        let at = honest.windows(6).position(|w| w == b"doctor").unwrap();
        altered(&honest, at + 5, b"s")
    };
    for (name, expect, comment, bytes) in [
        ("honest", "ok", "as issued", honest.clone()),
        ("sk3_at_infinity", "untrusted", "g1^alpha with an infinite sk3 is the master key", master_like),
        ("sk2_at_infinity", "untrusted", "an element at infinity", altered(&honest, last, &infinity(48))),
        ("relabelled", "untrusted", "an element under another attribute", relabelled),
        ("pooled", "untrusted", "the last element of another person's key", altered(&honest, last, &other[last..])),
        ("pooled_sk1", "untrusted", "the first element of another key", altered(&honest, sk1, &other[sk1..sk1 + 48])),
        ("outside_the_subgroup", "untrusted", "on the curve, in no subgroup of prime order", {
            let mut x = [0; 48];
            (x[0], x[47]) = (0x80, 4);
            altered(&honest, sk1, &x)
        }),
        ("other_parameters", "untrusted", "issued under another master key", World::new(7).key("role:doctor", 2)),
        ("trailing_byte", "malformed", "one byte more", [&honest[..], &[0]].concat()),
        ("truncated", "malformed", "one byte less", honest[..honest.len() - 1].to_vec()),
    ] {
        let headers = [("public", hex(&public)), ("user-key", hex(&bytes))];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(h, v)| (*h, v.as_str())).collect();
        write(&format!("user_key_{name}"), expect, comment, "user key", &headers);
    }

    let stranger = World::new(7).master.to_secret_bytes();
    let swapped = altered(stranger.expose(), 4, &public);
    write("master_key_honest", "ok", "as set up", "master key", &[("master-key", &hex(master.expose()))]);
    let comment = "the parameters of another authority";
    write("master_key_swapped", "untrusted", comment, "master key", &[("master-key", &hex(&swapped))]);

    let tree = world.tree("role:doctor and dept:icu");
    let (capsule, _) = world.capsule(&tree, 3);
    let bytes = capsule.as_bytes();
    for (name, expect, comment, capsule) in [
        ("one_row_more", "malformed", "a row that the tree does not have", [bytes, &[0; 48]].concat()),
        ("one_row_less", "malformed", "a row is missing", bytes[..bytes.len() - 48].to_vec()),
        ("one_use_more", "malformed", "a second ct2", [bytes, &[0; 96]].concat()),
        ("unknown_version", "unknown version", "version byte 2", altered(bytes, 3, &[2])),
        ("empty", "malformed", "no bytes beyond the heading", bytes[..4].to_vec()),
    ] {
        let headers = [("tree", hex(tree.as_bytes())), ("capsule", hex(&capsule))];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(h, v)| (*h, v.as_str())).collect();
        write(&format!("capsule_{name}"), expect, comment, "capsule", &headers);
    }

    let bytes = tree.as_bytes();
    let leaf_length = usize::from(u16::from_be_bytes([bytes[6], bytes[7]]));
    for (name, expect, comment, tree) in [
        ("honest", "ok", "role:doctor and dept:icu", bytes.to_vec()),
        ("trailing_byte", "malformed", "one byte more", [bytes, &[0]].concat()),
        ("truncated", "malformed", "one byte less", bytes[..bytes.len() - 1].to_vec()),
        ("k_of_zero", "malformed", "a gate that nobody has to satisfy", altered(bytes, 1, &[0, 0])),
        ("k_over_n", "malformed", "a gate that nobody can satisfy", altered(bytes, 1, &[0, 3])),
        ("unknown_node", "malformed", "neither a leaf nor a gate", altered(bytes, 0, &[2])),
        ("unknown_leaf_kind", "malformed", "a kind that is none", altered(bytes, 8, &[9])),
        ("leaf_too_long", "malformed", "a leaf with a byte after its value", {
            let mut longer = altered(bytes, 6, &(leaf_length as u16 + 1).to_be_bytes());
            longer.insert(8 + leaf_length, b'x');
            longer
        }),
        ("wide", "too large", "more children than a tree may have leaves", altered(bytes, 1, &[0, 1, 2, 1])),
        ("deep", "too large", "forty gates of one child", [[1, 0, 1, 0, 1].repeat(40), bytes.to_vec()].concat()),
    ] {
        write(&format!("tree_{name}"), expect, comment, "tree", &[("tree", &hex(&tree))]);
    }

    for (name, expect, comment, change) in [
        ("no_attributes", "malformed", "a key for nothing", {
            let mut short = honest[..36 + 48 + 96].to_vec();
            short.extend([0, 0]);
            short
        }),
        ("leaf_twice", "malformed", "the same attribute twice", {
            let first = 36 + 48 + 96 + 2;
            let entry = 2 + usize::from(u16::from_be_bytes([honest[first], honest[first + 1]])) + 48;
            let mut twice = honest[..first].to_vec();
            twice.extend([&honest[first..first + entry], &honest[first..first + entry]].concat());
            twice
        }),
    ] {
        let headers = [("public", hex(&public)), ("user-key", hex(&change))];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(h, v)| (*h, v.as_str())).collect();
        write(&format!("user_key_{name}"), expect, comment, "user key", &headers);
    }
}
