//! Hostile bytes: points and lengths that a decoder must refuse.

use super::*;
use crate::pairing::{G1Affine, G2Affine, Gt};
use crate::policy::{Branch, Leaf, MAX_ATTRIBUTES};

fn authority() -> (PublicParameters, MasterKey) {
    danger::setup_from_seed(AuthorityId::new("st-olave").unwrap(), &[1; 64]).unwrap()
}

fn issue_leaves(master: &MasterKey, leaves: Vec<Leaf>) -> Result<UserKey> {
    danger::issue_leaves_from_seed(master, leaves, Secret::random()?.expose())
}

fn leaf(name: &str) -> Leaf {
    Leaf::text(&AuthorityId::new("st-olave").unwrap(), "is", name)
}

/// The start of `A` in the parameters of `st-olave`.
const A_AT: usize = 4 + 1 + 8 + 8;

/// The field's modulus, big-endian.
const P: [u8; 48] = [
    0x1a, 0x01, 0x11, 0xea, 0x39, 0x7f, 0xe6, 0x9a, 0x4b, 0x1b, 0xa7, 0xb6, 0x43, 0x4b, 0xac, 0xd7, 0x64, 0x77, 0x4b,
    0x84, 0xf3, 0x85, 0x12, 0xbf, 0x67, 0x30, 0xd2, 0xa0, 0xf6, 0xb0, 0xf6, 0x24, 0x1e, 0xab, 0xff, 0xfe, 0xb1, 0x53,
    0xff, 0xff, 0xb9, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xaa, 0xab,
];

/// `x + p`, which still fits in 48 bytes.
fn plus_p(x: &mut [u8]) {
    let mut carry = 0;
    for (byte, p) in x.iter_mut().zip(P).rev() {
        let sum = u16::from(*byte) + u16::from(p) + carry;
        *byte = (sum & 255) as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
}

/// Compressed points on the curve, outside the subgroup of prime order.
fn g1_outside() -> [u8; 48] {
    let candidates = (1u8..).map(|x| {
        let mut bytes = [0; 48];
        bytes[0] = 0x80;
        bytes[47] = x;
        bytes
    });
    let outside = |b: &[u8; 48]| G1Affine::decode(b).is_some() && G1Affine::decode_checked(b).is_none();
    candidates.take(200).find(outside).unwrap()
}

fn g2_outside() -> [u8; 96] {
    let candidates = (1u8..).map(|x| {
        let mut bytes = [0; 96];
        bytes[0] = 0x80;
        bytes[95] = x;
        bytes
    });
    let outside = |b: &[u8; 96]| G2Affine::decode(b).is_some() && G2Affine::decode_checked(b).is_none();
    candidates.take(200).find(outside).unwrap()
}

#[test]
fn parameters_with_a_of_one_or_outside_the_group_are_refused() {
    let (public, _) = authority();
    let honest = public.as_bytes();
    assert_eq!(PublicParameters::decode(honest).unwrap(), public);
    let with_a = |a: &[u8]| [&honest[..A_AT], a].concat();
    let refused =
        |a: &[u8]| assert_eq!(PublicParameters::decode(&with_a(a)).err(), Some(Error::Untrusted("public parameters")));

    let one = Gt::one().encode();
    assert_eq!(one[47], 1);
    refused(&one);
    refused(&[0; 576]);
    // -1 has order two: unitary, not in the group.
    let mut minus_one = [0; 576];
    minus_one[..48].copy_from_slice(&P);
    minus_one[47] -= 1;
    refused(&minus_one);
    // An element of the field that is in no small subgroup either.
    let mut any = [0; 576];
    any[47] = 5;
    any[300] = 7;
    refused(&any);
    // A times -1: the right value up to a small factor.
    let mut a = honest[A_AT..].to_vec();
    for chunk in a.chunks_exact_mut(48).filter(|chunk| chunk.iter().any(|b| *b != 0)) {
        let mut borrow = 0i16;
        for (byte, p) in chunk.iter_mut().zip(P).rev() {
            let difference = i16::from(p) - i16::from(*byte) - borrow;
            borrow = i16::from(difference < 0);
            *byte = (difference & 255) as u8;
        }
    }
    refused(&a);
    // The right value, written with a coefficient that is not reduced.
    for i in 0..12 {
        let mut a = honest[A_AT..].to_vec();
        plus_p(&mut a[48 * i..48 * i + 48]);
        refused(&a);
    }
}

#[test]
fn a_user_key_with_points_outside_the_subgroup_or_not_canonical_is_refused() {
    let (public, master) = authority();
    let key = issue_leaves(&master, vec![leaf("a")]).unwrap();
    let honest = key.to_secret_bytes().expose().clone();
    let refused = |at: usize, point: &[u8]| {
        let mut bytes = honest.clone();
        bytes[at..at + point.len()].copy_from_slice(point);
        assert_eq!(UserKey::decode(&bytes, &public).err(), Some(Error::Untrusted("user key")));
    };
    let (sk1, sk3, sk2) = (36, 36 + 48, honest.len() - 48);
    let infinity = |n: usize| [&[0xc0][..], &vec![0; n - 1]].concat();
    refused(sk1, &infinity(48));
    refused(sk2, &infinity(48));
    refused(sk3, &infinity(96));
    refused(sk1, &g1_outside());
    refused(sk2, &g1_outside());
    refused(sk3, &g2_outside());
    // Not reduced: x + p, with the flags of the encoding.
    let mut x = [0; 48];
    x[47] = 4;
    plus_p(&mut x);
    x[0] |= 0x80;
    refused(sk1, &x);
    // No compression flag, and a flag for infinity on a finite point.
    refused(sk1, &[honest[sk1] & 0x7f]);
    refused(sk1, &[honest[sk1] | 0x40]);
}

#[test]
fn a_capsule_with_points_outside_the_subgroup_or_at_infinity_does_not_open() {
    let (public, master) = authority();
    let key = issue_leaves(&master, vec![leaf("a")]).unwrap();
    let tree = AccessTree::from_branch(Branch::Leaf(leaf("a"))).unwrap();
    let (capsule, _) = encapsulate(&public, &tree, b"").unwrap();
    let infinity = |n: usize| [&[0xc0][..], &vec![0; n - 1]].concat();
    let (ct1, ct2, ct3) = (36, 36 + 96, 36 + 192);
    for (at, point) in [
        (ct1, g2_outside().to_vec()),
        (ct2, g2_outside().to_vec()),
        (ct3, g1_outside().to_vec()),
        (ct1, infinity(96)),
        (ct2, infinity(96)),
        (ct3, infinity(48)),
        (ct1, vec![0; 96]),
        (ct3, vec![0xff; 48]),
    ] {
        let mut bytes = capsule.as_bytes().to_vec();
        bytes[at..at + point.len()].copy_from_slice(&point);
        let mauled = Capsule::decode(&tree, &bytes).unwrap();
        assert_eq!(decapsulate(&key, &tree, b"", &mauled).err(), Some(Error::CannotOpen), "at {at}");
    }
}

#[test]
fn every_truncation_and_every_trailing_byte_is_refused() {
    let (public, master) = authority();
    let key = issue_leaves(&master, vec![leaf("a"), leaf("b")]).unwrap();
    let tree = AccessTree::from_branch(Branch::Leaf(leaf("a"))).unwrap();
    let (capsule, _) = encapsulate(&public, &tree, b"").unwrap();

    let check = |honest: &[u8], refused: &dyn Fn(&[u8]) -> bool| {
        assert!(!refused(honest));
        assert!((0..honest.len()).all(|length| refused(&honest[..length])));
        assert!(refused(&[honest, &[0]].concat()));
    };
    check(public.as_bytes(), &|b| PublicParameters::decode(b).is_err());
    check(master.to_secret_bytes().expose(), &|b| MasterKey::decode(b).is_err());
    check(key.to_secret_bytes().expose(), &|b| UserKey::decode(b, &public).is_err());
    check(capsule.as_bytes(), &|b| Capsule::decode(&tree, b).is_err());
    check(tree.as_bytes(), &|b| AccessTree::decode(b).is_err());
}

#[test]
fn an_unknown_version_is_named_as_such() {
    let (public, _) = authority();
    let mut bytes = public.as_bytes().to_vec();
    bytes[3] = 2;
    assert_eq!(PublicParameters::decode(&bytes).err(), Some(Error::UnknownVersion("public parameters")));
    bytes[0] = b'x';
    assert_eq!(PublicParameters::decode(&bytes).err(), Some(Error::Malformed("public parameters")));
}

#[test]
fn a_master_key_of_other_parameters_is_refused() {
    let (public, _) = authority();
    let (_, other) = danger::setup_from_seed(AuthorityId::new("st-olave").unwrap(), &[2; 64]).unwrap();
    let mut bytes = other.to_secret_bytes().expose().clone();
    bytes[4..4 + public.as_bytes().len()].copy_from_slice(public.as_bytes());
    assert_eq!(MasterKey::decode(&bytes).err(), Some(Error::Untrusted("master key")));
}

#[test]
fn a_user_key_with_unsorted_or_repeated_attributes_is_refused() {
    let (public, master) = authority();
    for names in [["b", "a"], ["a", "a"]] {
        let key = issue_leaves(&master, names.map(leaf).into()).unwrap();
        let refused = UserKey::decode(key.to_secret_bytes().expose(), &public).err();
        assert_eq!(refused, Some(Error::Malformed("user key")));
    }
    assert!(issue_leaves(&master, Vec::new()).is_err());
}

#[test]
fn a_user_key_of_more_leaves_than_any_is_issued_for_is_refused_before_any_work() {
    let (public, master) = authority();
    let most = Attributes::new("is", "a").unwrap();
    let most = (1..MAX_ATTRIBUTES).try_fold(most, |all, i| all.with_number(&format!("n{i}"), 1)).unwrap();
    assert!(most.leaves(public.authority()).len() <= keys::MAX_KEY_LEAVES);
    let honest = issue_leaves(&master, vec![leaf("a")]).unwrap().to_secret_bytes().expose().clone();
    let mut bytes = honest[..honest.len() - 48 - leaf("a").as_bytes().len() - 4].to_vec();
    bytes.extend(u16::try_from(keys::MAX_KEY_LEAVES + 1).unwrap().to_be_bytes());
    assert_eq!(UserKey::decode(&bytes, &public).err(), Some(Error::TooLarge("user key")));
}

#[test]
fn a_tree_of_another_authority_is_refused_when_it_is_sealed_for() {
    let (public, _) = authority();
    let realm = RealmKey::generate().unwrap();
    for name in ["st-olav", "st-olave2", "st-olavf"] {
        let (other, _) = setup(AuthorityId::new(name).unwrap()).unwrap();
        let policy = "is:a or age >= 3".parse().unwrap();
        let refused = encapsulate(&public, &other.expand(&policy).unwrap(), b"").err();
        assert!(matches!(refused, Some(Error::ApiMisuse(_))), "{name}");
        assert!(encapsulate(&public, &public.expand(&policy).unwrap(), b"").is_ok());
        assert!(encapsulate(&public, &public.expand_blinded(&policy, &realm).unwrap(), b"").is_ok());
    }
}

#[test]
fn a_message_gives_the_same_capsule_whatever_the_cache_holds() {
    let (public, _) = authority();
    let tree = public.expand(&"is:a and (is:a or is:b) and 2 of (is:c, is:a, age >= 3)".parse().unwrap()).unwrap();
    let (cold, key) = danger::encapsulate_message(&public, &tree, b"", &[3; 32]);
    for _ in 0..6 {
        let (warm, same) = danger::encapsulate_message(&public, &tree, b"", &[3; 32]);
        assert!(warm == cold && same.ct_eq(&key));
    }
    assert!(public.hash_all(tree.leaves()).iter().all(|hash| matches!(hash, cache::Hashed::Table(_))));
    let again = PublicParameters::decode(public.as_bytes()).unwrap();
    assert!(danger::encapsulate_message(&again, &tree, b"", &[3; 32]).0 == cold);
}

#[test]
fn the_debug_form_of_every_secret_holder_is_redacted() {
    let (_, master) = authority();
    let key = issue_leaves(&master, vec![leaf("a")]).unwrap();
    let public = r#"PublicParameters { authority: AuthorityId("st-olave"), version: 1, .. }"#;
    assert_eq!(format!("{master:?}"), format!("MasterKey {{ public: {public}, secret: Secret(..) }}"));
    assert_eq!(format!("{key:?}"), format!("UserKey {{ public: {public}, leaves: 1, points: Secret(..) }}"));
    let realm = RealmKey::generate().unwrap();
    assert_eq!(format!("{realm:?}"), "RealmKey(Secret(..))");
}

#[test]
fn secret_points_and_scalars_zeroize() {
    use crate::kem::keys::Points;
    use crate::pairing::{G1, G2, Scalar};
    use zeroize::Zeroize;

    let mut points =
        Points { sk1: G1::generator().affine(), sk2: vec![G1::generator().affine()], sk3: G2::generator().affine() };
    points.zeroize();
    assert!(points.sk1.is_identity() && points.sk2.is_empty() && points.sk3.is_identity());
    let mut scalar = Scalar::from_u64(7);
    scalar.zeroize();
    assert!(scalar == Scalar::from_u64(0));
    let mut d = Gt::one();
    d.zeroize();
    assert!(d.encode() == [0; 576]);
}
