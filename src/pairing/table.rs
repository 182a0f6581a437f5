//! Fixed-base tables: signed windows of five bits, looked up in constant time.
//!
//! A scalar is written as 52 digits in -15..=16 to the base 32. Window `i` of a table holds the multiples 1 to 16 of
//! `32^(i · stride) · base`. With a stride of one there is a window for each digit, so a multiplication is 52 selections
//! and additions; with a larger stride the table is smaller, and `5 · (stride - 1)` doublings come on top.
//!
//! For the target group the scalar is first split to the base |x| (64 bits), x being the curve's parameter: since the
//! Frobenius map raises to p ≡ x modulo the group order, `a^s = Π frobenius^i(a)^(±s_i)` takes four exponents of 64
//! bits from one small table (Galbraith and Scott, "Exponentiation in pairing-friendly groups using homomorphisms",
//! Pairing 2008).

use std::sync::LazyLock;

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use super::{Frobenius, G1, G1Affine, G2, G2Affine, Gt, Scalar, negate_fp, select_fp};
use blst::{blst_fp2, blst_p1_affine, blst_p2_affine};

/// The table of the generator of G2.
pub(crate) fn g2_table() -> &'static Table<G2> {
    static TABLE: LazyLock<Table<G2>> = LazyLock::new(|| Table::new(G2::generator()));
    &TABLE
}

/// The multiples of one fixed base.
pub(crate) struct Table<G: Base> {
    windows: Vec<[G::Entry; ENTRIES]>,
    stride: usize,
}

impl<G: Base> Table<G> {
    /// The fastest table: 80 KiB for G1, 160 KiB for G2, 117 KiB for the target group.
    pub(crate) fn new(base: G) -> Self {
        Self::with_stride(base, 1)
    }

    /// A table of 11 KiB in G1.
    pub(crate) fn small(base: G) -> Self {
        Self::with_stride(base, 8)
    }

    fn with_stride(base: G, stride: usize) -> Self {
        let windows = G::DIGITS.div_ceil(stride);
        let mut multiples = Vec::with_capacity(windows * ENTRIES);
        let mut first = base;
        for _ in 0..windows {
            let mut multiple = first;
            for _ in 1..ENTRIES {
                multiples.push(multiple);
                multiple = multiple.combine(&first);
            }
            multiples.push(multiple);
            first = multiple.double();
            for _ in 0..5 * (stride - 1) {
                first = first.double();
            }
        }
        let entries = G::entries(&multiples);
        let windows = entries.as_chunks::<ENTRIES>().0.to_vec();
        Self { windows, stride }
    }

    fn raise(&self, scalar: &[u8; 32]) -> G {
        let digits = digits(scalar);
        let mut sum = G::neutral();
        for offset in (0..self.stride).rev() {
            if offset + 1 < self.stride {
                for _ in 0..5 {
                    sum = sum.double();
                }
            }
            for (digit, window) in digits.iter().skip(offset).step_by(self.stride).zip(&self.windows) {
                sum = sum.combine_entry(&pick(window, *digit));
            }
        }
        sum
    }
}

impl Table<G1> {
    pub(crate) fn base(&self) -> G1Affine {
        self.windows.first().map(|[base, ..]| *base).unwrap_or_default()
    }

    pub(crate) fn mul(&self, scalar: &Scalar) -> G1 {
        self.raise(&scalar.canonical().b)
    }
}

impl Table<G2> {
    pub(crate) fn mul(&self, scalar: &Scalar) -> G2 {
        self.raise(&scalar.canonical().b)
    }
}

impl Table<Gt> {
    pub(crate) fn pow(&self, scalar: &Scalar) -> Gt {
        let [s0, s1, s2, s3] = *split(&scalar.canonical().b);
        // x is negative, so odd powers of it change the sign.
        let part = |s: u64| self.pow_short(s);
        part(s0)
            .mul(&part(s1).frobenius(Frobenius::One).conjugate())
            .mul(&part(s2).frobenius(Frobenius::Two))
            .mul(&part(s3).frobenius(Frobenius::Three).conjugate())
    }

    fn pow_short(&self, s: u64) -> Gt {
        let mut bytes = Zeroizing::new([0; 32]);
        for (byte, shift) in bytes.iter_mut().zip((0..64).step_by(8)) {
            *byte = (s >> shift) as u8;
        }
        self.raise(&bytes)
    }
}

/// What a table can be made of.
pub(crate) trait Base: Copy {
    /// One stored multiple.
    type Entry: Entry;
    /// Digits of five bits that an exponent has, the last carry included.
    const DIGITS: usize;

    fn neutral() -> Self;
    fn double(&self) -> Self;
    fn combine_entry(&self, entry: &Self::Entry) -> Self;
    fn combine(&self, other: &Self) -> Self;
    fn entries(multiples: &[Self]) -> Vec<Self::Entry>;
}

impl Base for G1 {
    type Entry = G1Affine;
    const DIGITS: usize = 52;

    fn neutral() -> Self {
        Self::identity()
    }

    fn double(&self) -> Self {
        self.doubled()
    }

    fn combine_entry(&self, entry: &G1Affine) -> Self {
        self.add_affine(entry)
    }

    fn combine(&self, other: &Self) -> Self {
        self.add(other)
    }

    fn entries(multiples: &[Self]) -> Vec<G1Affine> {
        Self::batch_affine(multiples)
    }
}

impl Base for G2 {
    type Entry = G2Affine;
    const DIGITS: usize = 52;

    fn neutral() -> Self {
        Self::identity()
    }

    fn double(&self) -> Self {
        self.doubled()
    }

    fn combine_entry(&self, entry: &G2Affine) -> Self {
        self.add_affine(entry)
    }

    fn combine(&self, other: &Self) -> Self {
        self.add(other)
    }

    fn entries(multiples: &[Self]) -> Vec<G2Affine> {
        Self::batch_affine(multiples)
    }
}

impl Base for Gt {
    type Entry = Gt;
    const DIGITS: usize = 13;

    fn neutral() -> Self {
        Self::one()
    }

    fn double(&self) -> Self {
        self.square()
    }

    fn combine_entry(&self, entry: &Self) -> Self {
        self.mul(entry)
    }

    fn combine(&self, other: &Self) -> Self {
        self.mul(other)
    }

    fn entries(multiples: &[Self]) -> Vec<Gt> {
        multiples.to_vec()
    }
}

/// A table entry: can be chosen and negated under a mask.
pub(crate) trait Entry: Copy {
    fn neutral() -> Self;
    fn select(&self, other: &Self, choice: Choice) -> Self;
    fn negate_if(&self, choice: Choice) -> Self;
}

impl Entry for G1Affine {
    fn neutral() -> Self {
        Self::default()
    }

    fn select(&self, other: &Self, choice: Choice) -> Self {
        Self(blst_p1_affine {
            x: select_fp(&self.0.x, &other.0.x, choice),
            y: select_fp(&self.0.y, &other.0.y, choice),
        })
    }

    fn negate_if(&self, choice: Choice) -> Self {
        Self(blst_p1_affine { x: self.0.x, y: negate_fp(&self.0.y, choice) })
    }
}

impl Entry for G2Affine {
    fn neutral() -> Self {
        Self::default()
    }

    fn select(&self, other: &Self, choice: Choice) -> Self {
        Self(blst_p2_affine {
            x: select_fp2(&self.0.x, &other.0.x, choice),
            y: select_fp2(&self.0.y, &other.0.y, choice),
        })
    }

    fn negate_if(&self, choice: Choice) -> Self {
        let [a, b] = self.0.y.fp;
        let y = blst_fp2 { fp: [negate_fp(&a, choice), negate_fp(&b, choice)] };
        Self(blst_p2_affine { x: self.0.x, y })
    }
}

impl Entry for Gt {
    fn neutral() -> Self {
        Self::one()
    }

    fn select(&self, other: &Self, choice: Choice) -> Self {
        let mut out = *self;
        for (mine, theirs) in out.0.fp6.iter_mut().zip(&other.0.fp6) {
            for (mine, theirs) in mine.fp2.iter_mut().zip(&theirs.fp2) {
                *mine = select_fp2(mine, theirs, choice);
            }
        }
        out
    }

    fn negate_if(&self, choice: Choice) -> Self {
        self.select(&self.conjugate(), choice)
    }
}

fn select_fp2(a: &blst_fp2, b: &blst_fp2, choice: Choice) -> blst_fp2 {
    let ([a0, a1], [b0, b1]) = (&a.fp, &b.fp);
    blst_fp2 { fp: [select_fp(a0, b0, choice), select_fp(a1, b1, choice)] }
}

/// Entries a window.
const ENTRIES: usize = 16;
/// Digits of a 256-bit scalar.
const DIGITS: usize = 52;
/// |x| of the curve.
const X: u64 = 0xd201_0000_0001_0000;

/// Reads every entry of the window, keeps the one that the digit names.
fn pick<E: Entry>(window: &[E; ENTRIES], digit: i8) -> E {
    let size = digit.unsigned_abs();
    let mut out = E::neutral();
    for (entry, k) in window.iter().zip(1u8..) {
        out = out.select(entry, size.ct_eq(&k));
    }
    out.negate_if(Choice::from((digit.to_le_bytes()[0] >> 7) & 1))
}

/// Writes a little-endian scalar of at most 255 bits in signed digits to the base 32.
fn digits(scalar: &[u8; 32]) -> Zeroizing<[i8; DIGITS]> {
    let mut out = Zeroizing::new([0; DIGITS]);
    let mut carry = 0u8;
    for (digit, at) in out.iter_mut().zip((0usize..).step_by(5)) {
        let byte = |i: usize| scalar.get(i).copied().unwrap_or(0);
        let pair = u16::from_le_bytes([byte(at / 8), byte(at / 8 + 1)]);
        let [window, _] = ((pair >> (at % 8)) & 31).to_le_bytes();
        let value = window + carry;
        // 17..=32 becomes -15..=0 and a carry.
        carry = (value + 15) >> 5;
        *digit = i8::from_le_bytes([value.wrapping_sub(carry << 5)]);
    }
    out
}

/// Writes a little-endian scalar below the group order in four digits to the base |x|, in constant time.
fn split(scalar: &[u8; 32]) -> Zeroizing<[u64; 4]> {
    let mut number = Zeroizing::new(*scalar);
    let mut out = Zeroizing::new([0; 4]);
    for digit in out.iter_mut() {
        let mut rest: u128 = 0;
        for byte in number.iter_mut().rev() {
            let mut quotient = 0u8;
            for bit in (0..8).rev() {
                rest = (rest << 1) | u128::from((*byte >> bit) & 1);
                let less = rest.wrapping_sub(u128::from(X));
                // The top bit of the difference says that the rest was the smaller.
                let borrow = less >> 127;
                rest = u128::conditional_select(&less, &rest, Choice::from((borrow & 1) as u8));
                quotient = (quotient << 1) | (1 - (borrow & 1) as u8);
            }
            *byte = quotient;
        }
        *digit = (rest & u128::from(u64::MAX)) as u64;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalars() -> Vec<Scalar> {
        let mut all: Vec<Scalar> = [0, 1, 2, 15, 16, 17, 31, 32, 33, X - 1, X, u64::MAX].map(Scalar::from_u64).into();
        all.extend((0..40u8).map(|i| Scalar::from_wide(&[i.wrapping_mul(37).wrapping_add(1); 64])));
        let negative: Vec<Scalar> = all.iter().map(Scalar::neg).collect();
        all.extend(negative);
        all
    }

    #[test]
    fn tables_agree_with_the_plain_path() {
        let gt = Gt::pairing_product(&[(G1::generator().affine(), G2Affine::generator())]).unwrap();
        let gt_table = Table::new(gt);
        let base = G1::hash(b"base", b"test");
        let table = Table::new(base);
        for s in scalars() {
            assert!(table.mul(&s) == base.mul(&s));
            assert!(Table::small(base).mul(&s) == base.mul(&s));
            assert!(g2_table().mul(&s) == G2::generator().mul(&s));
            assert!(gt_table.pow(&s) == plain_pow(&gt, &s));
        }
    }

    /// Square and multiply.
    fn plain_pow(base: &Gt, s: &Scalar) -> Gt {
        let mut out = Gt::one();
        for byte in s.canonical().b.iter().rev() {
            for bit in (0..8).rev() {
                out = out.square();
                if (byte >> bit) & 1 == 1 {
                    out = out.mul(base);
                }
            }
        }
        out
    }

    #[test]
    fn the_pairing_is_bilinear_and_the_table_of_its_value_agrees() {
        let s = Scalar::from_wide(&[9; 64]);
        let t = Scalar::from_wide(&[7; 64]);
        let left = Gt::pairing_product(&[(G1::generator().mul(&s).affine(), G2::generator().mul(&t).affine())]);
        let gt = Gt::pairing_product(&[(G1::generator().affine(), G2Affine::generator())]).unwrap();
        assert!(left.unwrap() == Table::new(gt).pow(&s.mul(&t)));
    }
}
