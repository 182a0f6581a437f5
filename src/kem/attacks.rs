//! The attacker's computations, with every satisfaction check bypassed. Each attack is also run where it must succeed,
//! so that it is known to be written right.

use super::*;
use crate::kem::fo::{self, blinding};
use crate::kem::keys::Points;
use crate::kem::params::b_table;
use crate::kem::shares::{self, Term};
use crate::pairing::{G1, G1Affine, G2, G2Affine, Gt, Scalar, g2_table};
use crate::policy::{Branch, Leaf};

const CONTEXT: &[u8] = b"context";

fn authority() -> (PublicParameters, MasterKey) {
    danger::setup_from_seed(AuthorityId::new("st-olave").unwrap(), &[1; 64]).unwrap()
}

fn issue_leaves(master: &MasterKey, leaves: Vec<Leaf>) -> Result<UserKey> {
    danger::issue_leaves_from_seed(master, leaves, Secret::random()?.expose())
}

fn leaf(name: &str) -> Leaf {
    Leaf::text(&AuthorityId::new("st-olave").unwrap(), "is", name)
}

fn key(master: &MasterKey, names: &[&str]) -> UserKey {
    let mut leaves: Vec<Leaf> = names.iter().map(|name| leaf(name)).collect();
    leaves.sort();
    issue_leaves(master, leaves).unwrap()
}

fn of(k: usize, children: impl Into<Vec<Branch>>) -> Branch {
    Branch::Gate { k, children: children.into() }
}

fn a(name: &str) -> Branch {
    Branch::Leaf(leaf(name))
}

fn tree(root: Branch) -> AccessTree {
    AccessTree::from_branch(root).unwrap()
}

/// The points of a capsule and the value that hides its message, by the plain path and from given scalars.
struct Core {
    d: Gt,
    ct1: G2,
    ct2: Vec<G2>,
    ct3: Vec<G1>,
}

/// FABEO's encryption with one s' a use, or with a single s' for all uses, as in the paper's reference code.
fn core(public: &PublicParameters, tree: &AccessTree, shared_s: Option<&Scalar>) -> Core {
    let mut n = 40;
    let mut draw = || {
        n += 1;
        Scalar::from_wide(&[n; 64])
    };
    let s1 = draw();
    let lambda = shares::share(tree, &s1, &mut draw);
    let (rho, tau) = shares::uses(tree);
    let s2: Vec<Scalar> = (0..tau).map(|_| shared_s.cloned().unwrap_or_else(&mut draw)).collect();
    let rows = tree.leaves().iter().zip(&rho).zip(&lambda);
    Core {
        d: public.a_pow(&s1),
        ct1: G2::generator().mul(&s1),
        ct2: s2.iter().map(|s| G2::generator().mul(s)).collect(),
        ct3: rows
            .map(|((leaf, rho), share)| cache::hash(leaf).mul(&s2[*rho]).add(&b_table().base().projective().mul(share)))
            .collect(),
    }
}

impl Core {
    fn capsule(&self) -> Capsule {
        let mut points = self.ct1.affine().encode().to_vec();
        self.ct2.iter().for_each(|p| points.extend(p.affine().encode()));
        self.ct3.iter().for_each(|p| points.extend(p.affine().encode()));
        Capsule::from_parts(&[0; 32], &points)
    }
}

/// `e(sk1, ct1) · e(elements, ct2[0]) / e(rows, sk3)`, whatever the elements and rows are.
fn combine(key: &Points, core: &Core, elements: &G1, rows: &G1) -> Gt {
    Gt::pairing_product(&[
        (key.sk1, core.ct1.affine()),
        (elements.affine(), core.ct2[0].affine()),
        (rows.neg().affine(), key.sk3),
    ])
    .unwrap()
}

fn element(key: &UserKey, name: &str) -> G1 {
    key.element(&leaf(name)).unwrap().projective()
}

fn times(n: u64) -> Scalar {
    Scalar::from_u64(n)
}

#[test]
fn no_leaf_of_an_and_carries_the_secret() {
    let (public, master) = authority();
    let names = ["a", "b", "c", "d"];
    let tree = tree(of(4, names.map(a)));
    let core = core(&public, &tree, None);
    let capsule = core.capsule();
    let all = key(&master, &names);
    let term = |row| Term { row, gamma: None };

    // The whole set opens; no proper subset of rows does.
    for subset in 1u32..16 {
        let terms: Vec<Term> = (0..4).filter(|row| subset >> row & 1 == 1).map(term).collect();
        let d = blinding(&all, &tree, &capsule, &terms).unwrap();
        assert_eq!(d == core.d, subset == 15, "rows {subset:b}");
    }
    let s = Scalar::from_wide(&[3; 64]);
    let mut n = 0;
    let shares = shares::share(&tree, &s, || {
        n += 1;
        Scalar::from_wide(&[n; 64])
    });
    assert!(shares.iter().all(|share| *share != s));
}

#[test]
fn the_keys_of_two_people_do_not_combine() {
    let (public, master) = authority();
    let tree = tree(of(2, [a("a"), a("b")]));
    let core = core(&public, &tree, None);
    let rows = core.ct3[0].add(&core.ct3[1]);
    let both = key(&master, &["a", "b"]);
    let one = key(&master, &["a"]);
    let two = key(&master, &["b"]);

    let honest = combine(both.points(), &core, &element(&both, "a").add(&element(&both, "b")), &rows);
    assert!(honest == core.d, "the attack's computation is the decryption");
    let pooled = element(&one, "a").add(&element(&two, "b"));
    for (sk1, sk3) in [(&one, &one), (&one, &two), (&two, &one), (&two, &two)] {
        let mixed = Points { sk1: sk1.points().sk1, sk2: Vec::new(), sk3: sk3.points().sk3 };
        assert!(combine(&mixed, &core, &pooled, &rows) != core.d);
    }
    // Each row under the key that fits it, with either first element, both, or their quotients.
    let paired = |first: &[(G1, G2Affine)]| {
        let mut pairs: Vec<(G1Affine, G2Affine)> = first.iter().map(|(p, q)| (p.affine(), *q)).collect();
        pairs.push((pooled.affine(), core.ct2[0].affine()));
        pairs.push((core.ct3[0].neg().affine(), one.points().sk3));
        pairs.push((core.ct3[1].neg().affine(), two.points().sk3));
        Gt::pairing_product(&pairs).unwrap()
    };
    let (x, y) = (one.points().sk1.projective(), two.points().sk1.projective());
    let ct1 = core.ct1.affine();
    for first in [vec![(x, ct1)], vec![(y, ct1)], vec![(x, ct1), (y, ct1)]] {
        assert!(paired(&first) != core.d);
    }
    // The sum of two keys is a key of the set under r1 + r2 only where both have the attribute.
    let sum = Points {
        sk1: x.add(&y).affine(),
        sk2: Vec::new(),
        sk3: G2::identity().add_affine(&one.points().sk3).add_affine(&two.points().sk3).affine(),
    };
    assert!(combine(&sum, &core, &pooled, &rows) != core.d.mul(&core.d));
    assert!(combine(&sum, &core, &pooled, &rows) != core.d);
}

#[test]
fn a_repeated_attribute_gives_nothing_to_a_key_without_it() {
    let (public, master) = authority();
    let tree = tree(of(2, [of(2, [a("a"), a("b")]), of(1, [a("a"), a("c")])]));
    let key = key(&master, &["b", "c"]);
    // Rows a1, b, a2, c: s = a1 + b + a2 and c = a2, so s = b + 2c + (a1 - a2), and under one s' the
    // quotient of the rows a1 and a2 is B^(a1 - a2), free of H(a).
    let attack = |core: &Core| {
        let elements = element(&key, "b").add(&element(&key, "c").mul(&times(2)));
        let rows = core.ct3[1].add(&core.ct3[3].mul(&times(2))).add(&core.ct3[0]).add(&core.ct3[2].neg());
        combine(key.points(), core, &elements, &rows)
    };
    let weak = core(&public, &tree, Some(&Scalar::from_wide(&[77; 64])));
    assert!(attack(&weak) == weak.d, "the attack opens a capsule with one s' for all uses");
    let ours = core(&public, &tree, None);
    assert!(attack(&ours) != ours.d);

    let (capsule, _) = encapsulate(&public, &tree, CONTEXT).unwrap();
    assert_eq!(decapsulate(&key, &tree, CONTEXT, &capsule).err(), Some(Error::CannotOpen));
}

#[test]
fn a_threshold_that_repeats_an_attribute_gives_nothing_to_a_key_without_it() {
    let (public, master) = authority();
    let tree = tree(of(2, [a("a"), a("a"), a("b")]));
    let key = key(&master, &["b"]);
    // Shares s + v, s + 2v, s + 3v: under one s' the quotient of the first two rows is B^-v.
    let attack = |core: &Core| {
        let minus_v = core.ct3[0].add(&core.ct3[1].neg());
        combine(key.points(), core, &element(&key, "b"), &core.ct3[2].add(&minus_v.mul(&times(3))))
    };
    let weak = core(&public, &tree, Some(&Scalar::from_wide(&[78; 64])));
    assert!(attack(&weak) == weak.d, "the attack opens a capsule with one s' for all uses");
    let ours = core(&public, &tree, None);
    assert!(attack(&ours) != ours.d);
}

#[test]
fn an_element_relabelled_to_another_attribute_opens_nothing() {
    let (public, master) = authority();
    let tree = tree(a("doctor"));
    let core = core(&public, &tree, None);
    let cleaner = key(&master, &["cleaner"]);
    let doctor = key(&master, &["doctor"]);
    let try_with = |key: &UserKey, element: &G1| combine(key.points(), &core, element, &core.ct3[0]) == core.d;
    assert!(try_with(&doctor, &element(&doctor, "doctor")));

    let own = element(&cleaner, "cleaner");
    assert!(!try_with(&cleaner, &own));
    assert!(!try_with(&cleaner, &element(&doctor, "doctor")), "nor an element of another key");
    // What opens rabe: the quotient of the two public exponents. Here there is no public exponent; the hash of the
    // name as a number is none.
    let exponent = |name: &str| {
        let digest: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(leaf(name).as_bytes()).into();
        let mut wide = [0; 64];
        wide[32..].copy_from_slice(&digest);
        Scalar::from_wide(&wide)
    };
    let quotient = exponent("doctor").mul(&exponent("cleaner").invert());
    assert!(!try_with(&cleaner, &own.mul(&quotient)));
    // Nor does the row of the capsule turn into a row of the attribute at hand.
    let row = |row: &G1| combine(cleaner.points(), &core, &own, row) == core.d;
    assert!(!row(&core.ct3[0].mul(&quotient.invert())));
    let moved = core.ct3[0].add(&cache::hash(&leaf("cleaner"))).add(&cache::hash(&leaf("doctor")).neg());
    assert!(!row(&moved));
    // The same computation opens where attributes are g1^h(u), as in rabe.
    let r = Scalar::from_wide(&[5; 64]);
    let s = Scalar::from_wide(&[6; 64]);
    let point = |name: &str| G1::generator().mul(&exponent(name));
    let relabelled = point("cleaner").mul(&r).mul(&quotient);
    let product = Gt::pairing_product(&[
        (relabelled.affine(), g2_table().mul(&s).affine()),
        (point("doctor").mul(&s).neg().affine(), g2_table().mul(&r).affine()),
    ]);
    assert!(product.unwrap().is_one());
}

#[test]
fn every_altered_byte_of_a_capsule_closes_it_for_everybody() {
    let (public, master) = authority();
    let tree = tree(of(1, [of(2, [a("a"), a("b")]), a("c")]));
    let (capsule, shared) = encapsulate(&public, &tree, CONTEXT).unwrap();
    let readers = [key(&master, &["a", "b"]), key(&master, &["c"])];
    for reader in &readers {
        assert!(decapsulate(reader, &tree, CONTEXT, &capsule).unwrap().ct_eq(&shared), "every reader gets the same");
    }
    for at in (4..capsule.as_bytes().len()).step_by(7) {
        let mut bytes = capsule.as_bytes().to_vec();
        bytes[at] ^= 1;
        let mauled = Capsule::decode(&tree, &bytes).unwrap();
        for reader in &readers {
            assert_eq!(decapsulate(reader, &tree, CONTEXT, &mauled).err(), Some(Error::CannotOpen), "byte {at}");
        }
    }
}

#[test]
fn a_re_randomized_capsule_opens_for_nobody() {
    let (public, master) = authority();
    let tree = tree(of(2, [a("a"), a("b")]));
    let reader = key(&master, &["a", "b"]);
    let (capsule, _) = encapsulate(&public, &tree, CONTEXT).unwrap();
    let parts = capsule.parts(1, 2).unwrap();
    // s1 + x: ct1 · g2^x, the share of the first row too, and ct0 for d · A^x by whoever knows the message.
    let x = Scalar::from_wide(&[8; 64]);
    let moved = Core {
        d: public.a_pow(&x),
        ct1: G2::identity().add_affine(&G2Affine::decode(parts.ct1).unwrap()).add(&g2_table().mul(&x)),
        ct2: vec![G2::identity().add_affine(&G2Affine::decode(&parts.ct2[0]).unwrap())],
        ct3: vec![
            G1Affine::decode(&parts.ct3[0]).unwrap().projective().add(&b_table().mul(&x)),
            G1Affine::decode(&parts.ct3[1]).unwrap().projective(),
        ],
    };
    let terms = || shares::reconstruct(&tree, |_| true).unwrap();
    let before = blinding(&reader, &tree, &capsule, &terms()).unwrap();
    let after = blinding(&reader, &tree, &moved.capsule(), &terms()).unwrap();
    assert!(after == before.mul(&moved.d), "without the transform the capsule moves as computed");
    let forged = Capsule::from_parts(parts.ct0, &moved.capsule().as_bytes()[36..]);
    assert_eq!(decapsulate(&reader, &tree, CONTEXT, &forged).err(), Some(Error::CannotOpen));
    // With ct0 remade for the new d, so that the right message comes out, the comparison still refuses.
    let remade = fo::remask(&public, &tree, CONTEXT, (&capsule, &before), (&forged, &after));
    assert_eq!(decapsulate(&reader, &tree, CONTEXT, &remade).err(), Some(Error::CannotOpen));
}

#[test]
fn spliced_transplanted_and_swapped_policy_capsules_open_for_nobody() {
    let (public, master) = authority();
    let and = tree(of(2, [a("a"), a("b")]));
    let (one, _) = encapsulate(&public, &and, CONTEXT).unwrap();
    let (two, _) = encapsulate(&public, &and, CONTEXT).unwrap();
    let reader = key(&master, &["a", "b", "c"]);
    let refused = |tree: &AccessTree, context: &[u8], bytes: &[u8]| {
        let capsule = Capsule::decode(tree, bytes).unwrap();
        assert_eq!(decapsulate(&reader, tree, context, &capsule).err(), Some(Error::CannotOpen));
    };
    let length = one.as_bytes().len();
    for cut in [36, 36 + 96, 36 + 192, 36 + 192 + 48] {
        refused(&and, CONTEXT, &[&one.as_bytes()[..cut], &two.as_bytes()[cut..]].concat());
    }
    let mut swapped = one.as_bytes().to_vec();
    swapped[length - 96..].rotate_left(48);
    refused(&and, CONTEXT, &swapped);
    refused(&and, b"another context", one.as_bytes());
    for other in [of(1, [a("a"), a("b")]), of(2, [a("b"), a("a")]), of(2, [a("a"), a("c")])] {
        refused(&tree(other), CONTEXT, one.as_bytes());
    }
    let wider = tree(of(1, [a("a"), a("b"), a("c")]));
    assert_eq!(decapsulate(&reader, &wider, CONTEXT, &one).err(), Some(Error::CannotOpen));

    // Another authority of the same name: same labels, another α.
    let (_, other) = danger::setup_from_seed(AuthorityId::new("st-olave").unwrap(), &[2; 64]).unwrap();
    let foreign = key(&other, &["a", "b"]);
    assert_eq!(decapsulate(&foreign, &and, CONTEXT, &one).err(), Some(Error::CannotOpen));
}

#[test]
fn a_key_whose_third_element_is_the_identity_would_open_everything_and_is_refused() {
    let (public, master) = authority();
    let tree = tree(a("anything"));
    let core = core(&public, &tree, None);
    let forged = Gt::pairing_product(&[(*master.secret_for_attack(), core.ct1.affine())]).unwrap();
    assert!(forged == core.d, "g1^α with an infinite sk3 is the master key");

    let honest = key(&master, &["a"]);
    let mut bytes = honest.to_secret_bytes().expose().clone();
    bytes[36..36 + 48].copy_from_slice(&master.secret_for_attack().encode());
    let mut infinity = [0; 96];
    infinity[0] = 0xc0;
    bytes[36 + 48..36 + 48 + 96].copy_from_slice(&infinity);
    assert_eq!(UserKey::decode(&bytes, &public).err(), Some(Error::Untrusted("user key")));
}

#[test]
fn a_user_key_with_any_false_element_is_refused_on_import() {
    let (public, master) = authority();
    let honest = key(&master, &["a", "b"]);
    let other = key(&master, &["a", "b"]);
    let bytes = honest.to_secret_bytes();
    assert!(UserKey::decode(bytes.expose(), &public).is_ok());
    let take = |key: &UserKey| (key.points().sk1, key.points().sk2.clone(), key.points().sk3);
    let (sk1, sk2, sk3) = take(&honest);
    let (other1, other2, other3) = take(&other);
    let doubled = |p: &G1Affine| p.projective().add(&p.projective()).affine();
    let forgeries = [
        Points { sk1: other1, sk2: sk2.clone(), sk3 },
        Points { sk1, sk2: sk2.clone(), sk3: other3 },
        Points { sk1, sk2: vec![sk2[0], other2[1]], sk3 },
        Points { sk1, sk2: vec![sk2[1], sk2[0]], sk3 },
        Points { sk1: doubled(&sk1), sk2: sk2.clone(), sk3 },
        // Errors that would cancel in an unweighted sum.
        Points { sk1, sk2: vec![doubled(&sk2[0]), sk2[1].projective().add(&sk2[0].projective().neg()).affine()], sk3 },
    ];
    for (i, points) in forgeries.into_iter().enumerate() {
        let forged = UserKey::forge(public.clone(), honest.leaves().to_vec(), points);
        let refused = UserKey::decode(forged.to_secret_bytes().expose(), &public).err();
        assert_eq!(refused, Some(Error::Untrusted("user key")), "forgery {i}");
    }
    let (public2, master2) = danger::setup_from_seed(AuthorityId::new("st-olave").unwrap(), &[9; 64]).unwrap();
    assert_eq!(UserKey::decode(bytes.expose(), &public2).err(), Some(Error::Untrusted("user key")));
    let foreign = key(&master2, &["a"]);
    let mut bytes = foreign.to_secret_bytes().expose().clone();
    bytes[4..36].copy_from_slice(public.pid());
    assert_eq!(UserKey::decode(&bytes, &public).err(), Some(Error::Untrusted("user key")));
}
