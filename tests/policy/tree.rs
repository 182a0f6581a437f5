//! The bytes of leaves and expanded trees.

use std::collections::BTreeSet;

use chartseal::Error;
use chartseal::id::AuthorityId;
use chartseal::policy::{AccessTree, Attributes, Leaf};

use crate::support::policies::{key, tree};

#[test]
fn leaves_of_different_attributes_differ() {
    let authorities = ["a", "a:b", "ab", "a:b:c", "st-olave"];
    let labels = ["a", "b", "ab", "a.b", "user-x"];
    let values = ["a", "b", "a:b", "ab", "b:c", "a b", "a\"b", "1", "00"];
    let mut seen = BTreeSet::new();
    let mut count = 0;
    for authority in authorities {
        let authority = AuthorityId::new(authority).unwrap();
        let mut add = |attributes: Attributes| {
            let leaves = attributes.leaves(&authority);
            count += leaves.len();
            seen.extend(leaves);
        };
        for label in labels {
            for value in values {
                add(Attributes::new(label, value).unwrap());
            }
        }
    }
    // Kinds and prefix lengths: one label, every kind, the same bits.
    let authority = AuthorityId::new("st-olave").unwrap();
    for text in ["x = 0", "x = 1970-01", "x = 1970-01-01", "user:#0", "x:0", "y = 0", "valid-until = 1970-01"] {
        let leaves = key(text).leaves(&authority);
        assert_eq!(
            leaves.len(),
            match text {
                "x:0" => 1,
                "user:#0" => 25,
                _ if text.ends_with("1970-01") => 13,
                _ => 33,
            }
        );
        count += leaves.len();
        seen.extend(leaves);
    }
    assert_eq!(seen.len(), count);
}

#[test]
fn a_tree_decodes_from_exactly_its_bytes() {
    let tree = tree("role:doctor and 2 of (a:1, age in 3..9, not user:#7)");
    let bytes = tree.as_bytes();
    assert_eq!(AccessTree::decode(bytes).unwrap(), tree);
    for end in 0..bytes.len() {
        assert_eq!(AccessTree::decode(&bytes[..end]), Err(malformed(&bytes[..end])), "{end}");
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert!(AccessTree::decode(&longer).is_err());
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.to_vec();
            flipped[at] ^= 1 << bit;
            if let Ok(other) = AccessTree::decode(&flipped) {
                assert_eq!(other.as_bytes(), flipped, "two encodings of one tree");
            }
        }
    }
}

fn malformed(bytes: &[u8]) -> Error {
    match AccessTree::decode(bytes).unwrap_err() {
        error @ (Error::Malformed("access tree") | Error::Malformed("attribute")) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn a_tree_with_impossible_gates_or_leaves_is_refused() {
    let leaf = [&[0, 0, 8][..], &[1, 1, b's', 1, b'a', 0, 1, b'1']].concat();
    assert!(AccessTree::decode(&leaf).is_ok());
    let gate = |k: u16, n: u16, children: usize| {
        [&[1][..], &k.to_be_bytes(), &n.to_be_bytes(), &leaf.repeat(children)].concat()
    };
    assert!(AccessTree::decode(&gate(1, 1, 1)).is_ok());
    assert!(AccessTree::decode(&gate(512, 512, 512)).is_ok());
    let malformed = Err(Error::Malformed("access tree"));
    for (k, n, children) in [(0, 1, 1), (0, 0, 0), (2, 1, 1), (1, 2, 1), (1, 1, 2), (1, 0, 0), (65535, 65535, 0)] {
        let decoded = AccessTree::decode(&gate(k, n, children));
        assert!(decoded == malformed || (n == 65535 && decoded == Err(Error::TooLarge("access tree"))), "{k} of {n}");
    }
    assert_eq!(AccessTree::decode(&gate(1, 513, 513)), Err(Error::TooLarge("access tree")));
    assert_eq!(AccessTree::decode(&gate(1, 512, 512).repeat(60)), Err(Error::TooLarge("access tree")));
    let nested = |n: usize| [[1, 0, 1, 0, 1].repeat(n), leaf.clone()].concat();
    assert!(AccessTree::decode(&nested(34)).is_ok());
    assert_eq!(AccessTree::decode(&nested(35)), Err(Error::TooLarge("access tree")));
    assert_eq!(AccessTree::decode(&nested(10_000)), Err(Error::TooLarge("access tree")));

    let number = [2, 1, b's', 1, b'a', 0, 6, 32, 3, 0xa0, 0, 0, 0];
    assert!(Leaf::decode(&number).is_ok());
    let with = |at: usize, byte: u8| {
        let mut leaf = number.to_vec();
        leaf[at] = byte;
        Leaf::decode(&leaf)
    };
    for (at, byte, why) in [
        (0, 0, "unknown kind"),
        (0, 7, "unknown kind"),
        (0, 3, ""),
        (0, 4, "a month has 12 bits"),
        (0, 5, "persons have the label user"),
        (0, 6, "a blinded leaf is 33 bytes"),
        (2, b' ', "not an authority id"),
        (2, 0xff, "not UTF-8"),
        (4, b'A', "not a label"),
        (6, 5, "too short"),
        (7, 31, "not the width"),
        (8, 33, "longer than the width"),
        (9, 0xb0, "bits outside the prefix"),
        (12, 1, "bits outside the prefix"),
    ] {
        assert_eq!(with(at, byte).is_ok(), why.is_empty(), "{at} {byte}: {why}");
    }
    let text = |label: &str, value: &str| {
        let head = [1, 1, b's', u8::try_from(label.len()).unwrap()];
        let length = u16::try_from(value.len()).unwrap().to_be_bytes();
        Leaf::decode(&[&head[..], label.as_bytes(), &length, value.as_bytes()].concat())
    };
    assert!(text("a", "é x").is_ok());
    for (label, value) in [
        ("user", "#1"),
        ("valid-until", "x"),
        ("and", "x"),
        ("", "x"),
        ("a", ""),
        ("a", "\u{202e}"),
        ("a", &"x".repeat(256)),
    ] {
        assert!(text(label, value).is_err(), "{label} {value}");
    }
    assert!(Leaf::decode(&[vec![6], vec![9; 32]].concat()).is_ok());
    assert!(Leaf::decode(&[vec![6], vec![9; 33]].concat()).is_err());
}
