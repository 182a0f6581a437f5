//! The Fujisaki-Okamoto transform with explicit rejection, over the capsule of FABEO (figure 3: Enc and Dec).
//!
//! One function, [`seal`], makes a capsule from a 32-byte message. Decapsulation recovers the message by pairings, calls
//! the same function and compares. So every key that satisfies the policy gets the same answer.

use shake::{ExtendableOutput, Shake256, Update, XofReader};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, Result};
use crate::kem::capsule::Capsule;
use crate::kem::keys::UserKey;
use crate::kem::params::{PublicParameters, b_table};
use crate::kem::shares::{self, Term};
use crate::pairing::{G1, G1Affine, G2Affine, Gt, Scalar, g2_table, known};
use crate::policy::AccessTree;
use crate::seal::{SharedKey, label};
use crate::secret::Secret;

/// The capsule and the key that the message stands for.
pub(super) fn seal(
    public: &PublicParameters,
    tree: &AccessTree,
    context: &[u8],
    message: &[u8; 32],
) -> (Capsule, SharedKey) {
    let transcript = Transcript::new(public, tree, context);
    let (rho, tau) = shares::uses(tree);

    let mut coins = transcript.coins(message);
    let s1 = coins.scalar();
    let lambda = shares::share(tree, &s1, || coins.scalar());
    let s2: Vec<Scalar> = (0..tau).map(|_| coins.scalar()).collect();

    let mut points = Vec::with_capacity(96 * (1 + tau) + 48 * lambda.len());
    points.extend_from_slice(&g2_table().mul(&s1).affine().encode());
    for s in &s2 {
        points.extend_from_slice(&g2_table().mul(s).affine().encode());
    }
    let hashes = public.hash_all(tree.leaves());
    let mut rows: Vec<G1> = Vec::with_capacity(lambda.len());
    for ((hash, share), use_of) in hashes.iter().zip(&lambda).zip(&rho) {
        // ρ is below τ by construction.
        let Some(s) = s2.get(*use_of) else { continue };
        rows.push(hash.mul(s).add(&b_table().mul(share)));
    }
    for row in G1::batch_affine(&rows) {
        points.extend_from_slice(&row.encode());
    }

    let mut d = public.a_pow(&s1);
    let mut ct0 = transcript.pad(&d, &points);
    d.zeroize();
    xor(&mut ct0, message);
    let key = transcript.key(message, &ct0, &points);
    (Capsule::from_parts(&ct0, &points), key)
}

/// The key in the capsule.
pub(super) fn open(key: &UserKey, tree: &AccessTree, context: &[u8], capsule: &Capsule) -> Result<SharedKey> {
    let terms = shares::reconstruct(tree, |leaf| key.element(leaf).is_some()).ok_or(Error::CannotOpen)?;
    let mut d = blinding(key, tree, capsule, &terms).ok_or(Error::CannotOpen)?;
    let opened = unmask(key.public(), tree, context, capsule, &d);
    d.zeroize();
    opened
}

/// `d = e(sk1, ct1) · Π_j e(Π_{ρ(i)=j} sk2[π(i)]^γ_i, ct2[j]) / e(Π_i ct3[i]^γ_i, sk3)`.
///
/// The points of the capsule need not lie in the subgroup: the comparison in [`unmask`] rejects any that do not.
pub(super) fn blinding(key: &UserKey, tree: &AccessTree, capsule: &Capsule, terms: &[Term]) -> Option<Gt> {
    let (rho, tau) = shares::uses(tree);
    let parts = capsule.parts(tau, tree.leaves().len())?;
    let raise = |point: &G1Affine, term: &Term| match &term.gamma {
        None => point.projective(),
        Some(gamma) => point.projective().mul(gamma),
    };

    let mut ct3 = G1::identity();
    let mut sk2: Zeroizing<Vec<Option<G1>>> = Zeroizing::new(vec![None; tau]);
    for term in terms {
        let row = G1Affine::decode(parts.ct3.get(term.row)?)?;
        ct3 = ct3.add(&raise(&row, term));
        let element = raise(key.element(tree.leaves().get(term.row)?)?, term);
        let sum = sk2.get_mut(*rho.get(term.row)?)?;
        *sum = Some(sum.map_or(element, |sum| sum.add(&element)));
    }

    let points = key.points();
    // Reserved at once, so that no growth leaves a copy behind.
    let mut pairs = Zeroizing::new(Vec::with_capacity(2 + tau));
    pairs.extend([(points.sk1, G2Affine::decode(parts.ct1)?), (ct3.neg().affine(), points.sk3)]);
    for (sum, ct2) in sk2.iter().zip(parts.ct2) {
        if let Some(sum) = sum {
            pairs.push((sum.affine(), G2Affine::decode(ct2)?));
        }
    }
    Gt::pairing_product(&pairs)
}

/// Takes the message out, makes the capsule again and compares every byte.
fn unmask(
    public: &PublicParameters,
    tree: &AccessTree,
    context: &[u8],
    capsule: &Capsule,
    d: &Gt,
) -> Result<SharedKey> {
    let (_, tau) = shares::uses(tree);
    let parts = capsule.parts(tau, tree.leaves().len()).ok_or(Error::CannotOpen)?;
    let mut message = Zeroizing::new(*parts.ct0);
    xor(&mut message, &Transcript::new(public, tree, context).pad(d, parts.points));
    let (again, key) = seal(public, tree, context, &message);
    let same = known(again.as_bytes().ct_eq(capsule.as_bytes()).into());
    if same { Ok(key) } else { Err(Error::CannotOpen) }
}

/// What a re-randomizing attacker wants: the forged capsule with the mask of `after` over the message under `before`.
#[cfg(test)]
pub(super) fn remask(
    public: &PublicParameters,
    tree: &AccessTree,
    context: &[u8],
    (capsule, before): (&Capsule, &Gt),
    (forged, after): (&Capsule, &Gt),
) -> Capsule {
    let (_, tau) = shares::uses(tree);
    let transcript = Transcript::new(public, tree, context);
    let (old, new) =
        (capsule.parts(tau, tree.leaves().len()).unwrap(), forged.parts(tau, tree.leaves().len()).unwrap());
    let mut ct0 = *old.ct0;
    xor(&mut ct0, &transcript.pad(before, old.points));
    xor(&mut ct0, &transcript.pad(after, new.points));
    Capsule::from_parts(&ct0, new.points)
}

/// SHAKE256 over `label ‖ pid ‖ u64 length ‖ context ‖ u64 length ‖ T`; each use goes on with a byte of its own.
struct Transcript(Shake256);

impl Transcript {
    fn new(public: &PublicParameters, tree: &AccessTree, context: &[u8]) -> Self {
        let mut hash = Shake256::default();
        hash.update(label::KEM_CAPSULE);
        hash.update(public.pid());
        for part in [context, tree.as_bytes()] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash)
    }

    /// `… ‖ 1 ‖ m`: s1, then the columns of the matrix, then s', 64 bytes each.
    fn coins(&self, message: &[u8; 32]) -> Coins {
        Coins(self.then(1, &[message]))
    }

    /// `… ‖ 2 ‖ d ‖ ct1 ‖ ct2 ‖ ct3`: 32 bytes.
    fn pad(&self, d: &Gt, points: &[u8]) -> Zeroizing<[u8; 32]> {
        let d = Zeroizing::new(d.encode());
        let mut pad = Zeroizing::new([0; 32]);
        self.then(2, &[d.as_slice(), points]).read(pad.as_mut_slice());
        pad
    }

    /// `… ‖ 3 ‖ m ‖ ct0 ‖ ct1 ‖ ct2 ‖ ct3`: 32 bytes.
    fn key(&self, message: &[u8; 32], ct0: &[u8; 32], points: &[u8]) -> SharedKey {
        let mut reader = self.then(3, &[message, ct0, points]);
        SharedKey::danger_from_bytes(Secret::build(|key| reader.read(key.as_mut_slice())))
    }

    fn then(&self, purpose: u8, parts: &[&[u8]]) -> shake::Shake256Reader {
        let mut hash = self.0.clone();
        hash.update(&[purpose]);
        for part in parts {
            hash.update(part);
        }
        hash.finalize_xof()
    }
}

/// The stream of scalars of one encapsulation or of a seeded key.
pub(super) struct Coins(shake::Shake256Reader);

impl Coins {
    /// `SHAKE256(label ‖ seed)`.
    pub(super) fn seeded(label: &[u8], seed: &[u8; 64]) -> Self {
        let mut hash = Shake256::default();
        hash.update(label);
        hash.update(seed);
        Self(hash.finalize_xof())
    }

    pub(super) fn scalar(&mut self) -> Scalar {
        let mut wide = Zeroizing::new([0; 64]);
        self.0.read(wide.as_mut_slice());
        Scalar::from_wide(&wide)
    }
}

fn xor(into: &mut [u8; 32], other: &[u8; 32]) {
    for (a, b) in into.iter_mut().zip(other) {
        *a ^= b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::AuthorityId;
    use crate::kem::{cache, danger};
    use crate::pairing::G2;

    /// No table, no cache, no batch: every step by the plain operation, and d by the master key.
    #[test]
    fn re_encapsulation_with_tables_and_cache_agrees_with_the_plain_path() {
        let authority = AuthorityId::new("st-olave").unwrap();
        let (public, master) = danger::setup_from_seed(authority, &[1; 64]).unwrap();
        let policy = "2 of (role:a, role:b, role:c and role:a) or clearance >= 9";
        let tree = public.expand(&policy.parse().unwrap()).unwrap();
        // Hot attributes get their tables on the way.
        for message in [[7; 32], [8; 32], [9; 32], [10; 32], [11; 32], [12; 32]] {
            let (capsule, key) = seal(&public, &tree, b"context", &message);

            let transcript = Transcript::new(&public, &tree, b"context");
            let mut coins = transcript.coins(&message);
            let s1 = coins.scalar();
            let lambda = shares::share(&tree, &s1, || coins.scalar());
            let (rho, tau) = shares::uses(&tree);
            let s2: Vec<Scalar> = (0..tau).map(|_| coins.scalar()).collect();
            let ct1 = G2::generator().mul(&s1).affine();
            let mut points = ct1.encode().to_vec();
            s2.iter().for_each(|s| points.extend(G2::generator().mul(s).affine().encode()));
            for ((leaf, share), rho) in tree.leaves().iter().zip(&lambda).zip(&rho) {
                let row = cache::hash(leaf).mul(&s2[*rho]).add(&b_table().base().projective().mul(share));
                points.extend(row.affine().encode());
            }
            let d = Gt::pairing_product(&[(*master.secret_for_attack(), ct1)]).unwrap();
            let mut ct0 = transcript.pad(&d, &points);
            xor(&mut ct0, &message);
            assert!(Capsule::from_parts(&ct0, &points) == capsule);
            assert!(transcript.key(&message, &ct0, &points).ct_eq(&key));
        }
    }

    #[test]
    fn a_capsule_for_ten_attributes_has_708_bytes() {
        let authority = AuthorityId::new("st-olave").unwrap();
        let (public, _) = danger::setup_from_seed(authority, &[1; 64]).unwrap();
        let policy: Vec<String> = (0..10).map(|i| format!("is:a{i}")).collect();
        let tree = public.expand(&policy.join(" and ").parse().unwrap()).unwrap();
        assert_eq!(seal(&public, &tree, b"", &[7; 32]).0.as_bytes().len(), 708);
    }
}
