//! BLS12-381: the only module that names the curve crate, `blst`.
//!
//! The rest of the crate sees six types: [`Scalar`], [`G1`], [`G1Affine`], [`G2`], [`G2Affine`] and [`Gt`]. Everything
//! here is constant-time in its values unless it says otherwise; decoding and checks of public bytes need not be.
//!
//! What has to be known of `blst`: `uncompress` accepts the point at infinity and points outside the prime-order
//! subgroup (scalar multiplication is wrong on those); the Miller loop of an infinite point is zero; the pairing is the
//! optimal ate pairing with its hard exponent multiplied by three, as in most implementations.
#![allow(
    unsafe_code,
    reason = "blst is a C library; every block passes pointers to initialized, properly sized values that live through the call"
)]

#[cfg(test)]
pub(crate) mod memcheck;
mod table;

use std::ptr;

use blst::{
    BLST_ERROR, blst_bendian_from_fp, blst_final_exp, blst_fp, blst_fp_cneg, blst_fp_from_bendian, blst_fp12,
    blst_fp12_conjugate, blst_fp12_cyclotomic_sqr, blst_fp12_frobenius_map, blst_fp12_in_group, blst_fp12_is_one,
    blst_fp12_mul, blst_fp12_one, blst_fr, blst_fr_add, blst_fr_cneg, blst_fr_from_scalar, blst_fr_from_uint64,
    blst_fr_inverse, blst_fr_mul, blst_fr_sub, blst_hash_to_g1, blst_miller_loop_n, blst_p1, blst_p1_add_or_double,
    blst_p1_add_or_double_affine, blst_p1_affine, blst_p1_affine_compress, blst_p1_affine_in_g1, blst_p1_affine_is_inf,
    blst_p1_cneg, blst_p1_double, blst_p1_from_affine, blst_p1_generator, blst_p1_is_inf, blst_p1_mult,
    blst_p1_to_affine, blst_p1_uncompress, blst_p1s_to_affine, blst_p2, blst_p2_add_or_double,
    blst_p2_add_or_double_affine, blst_p2_affine, blst_p2_affine_compress, blst_p2_affine_in_g2, blst_p2_affine_is_inf,
    blst_p2_double, blst_p2_generator, blst_p2_to_affine, blst_p2_uncompress, blst_p2s_to_affine, blst_scalar,
    blst_scalar_from_be_bytes, blst_scalar_from_fr,
};
use subtle::{Choice, ConditionallySelectable};
use zeroize::Zeroize;

pub(crate) use table::{Table, g2_table};

/// Bytes of a compressed G1 point.
pub(crate) const G1_BYTES: usize = 48;
/// Bytes of a compressed G2 point.
pub(crate) const G2_BYTES: usize = 96;
/// Bytes of a target group element.
pub(crate) const GT_BYTES: usize = 576;

/// An integer modulo the group order, wiped when dropped.
#[derive(Clone)]
#[cfg_attr(test, derive(PartialEq, Eq))]
pub(crate) struct Scalar(blst_fr);

impl Scalar {
    /// Reduces 64 big-endian bytes; uniform bytes give a scalar within 2^-256 of uniform.
    pub(crate) fn from_wide(bytes: &[u8; 64]) -> Self {
        let mut scalar = blst_scalar::default();
        let mut out = Self::from_u64(0);
        // SAFETY: see the module's reason. The returned flag says only whether the result is zero.
        unsafe {
            blst_scalar_from_be_bytes(&mut scalar, bytes.as_ptr(), bytes.len());
            blst_fr_from_scalar(&mut out.0, &scalar);
        }
        out
    }

    pub(crate) fn from_u64(n: u64) -> Self {
        let mut out = Self(blst_fr::default());
        // SAFETY: see the module's reason; the input is four limbs.
        unsafe { blst_fr_from_uint64(&mut out.0, [n, 0, 0, 0].as_ptr()) };
        out
    }

    pub(crate) fn one() -> Self {
        Self::from_u64(1)
    }

    pub(crate) fn add(&self, other: &Self) -> Self {
        let mut out = self.clone();
        // SAFETY: see the module's reason; blst allows the output to be an input.
        unsafe { blst_fr_add(&mut out.0, &self.0, &other.0) };
        out
    }

    pub(crate) fn sub(&self, other: &Self) -> Self {
        let mut out = self.clone();
        // SAFETY: as above.
        unsafe { blst_fr_sub(&mut out.0, &self.0, &other.0) };
        out
    }

    pub(crate) fn mul(&self, other: &Self) -> Self {
        let mut out = self.clone();
        // SAFETY: as above.
        unsafe { blst_fr_mul(&mut out.0, &self.0, &other.0) };
        out
    }

    pub(crate) fn neg(&self) -> Self {
        let mut out = self.clone();
        // SAFETY: as above.
        unsafe { blst_fr_cneg(&mut out.0, &self.0, true) };
        out
    }

    /// The inverse; zero for zero.
    pub(crate) fn invert(&self) -> Self {
        let mut out = self.clone();
        // SAFETY: as above.
        unsafe { blst_fr_inverse(&mut out.0, &self.0) };
        out
    }

    /// The canonical value, little-endian; `blst_scalar` wipes itself.
    fn canonical(&self) -> blst_scalar {
        let mut out = blst_scalar::default();
        // SAFETY: see the module's reason.
        unsafe { blst_scalar_from_fr(&mut out, &self.0) };
        out
    }
}

impl Zeroize for Scalar {
    fn zeroize(&mut self) {
        self.0.l.zeroize();
    }
}

impl Drop for Scalar {
    fn drop(&mut self) {
        self.zeroize();
    }
}

/// A point of G1 in projective coordinates.
#[derive(Clone, Copy, PartialEq)]
#[repr(transparent)]
pub(crate) struct G1(blst_p1);

/// A point of G1 in affine coordinates.
#[derive(Clone, Copy, Default, PartialEq)]
#[repr(transparent)]
pub(crate) struct G1Affine(blst_p1_affine);

/// A point of G2 in projective coordinates.
#[derive(Clone, Copy, PartialEq)]
#[repr(transparent)]
pub(crate) struct G2(blst_p2);

/// A point of G2 in affine coordinates.
#[derive(Clone, Copy, Default, PartialEq)]
#[repr(transparent)]
pub(crate) struct G2Affine(blst_p2_affine);

impl G1 {
    pub(crate) fn identity() -> Self {
        Self(blst_p1::default())
    }

    pub(crate) fn generator() -> Self {
        // SAFETY: blst returns a pointer to a static point.
        Self(unsafe { *blst_p1_generator() })
    }

    /// RFC 9380, section 8.8.1: `BLS12381G1_XMD:SHA-256_SSWU_RO_` under the domain separation tag `dst`.
    pub(crate) fn hash(message: &[u8], dst: &[u8]) -> Self {
        let mut out = blst_p1::default();
        // SAFETY: see the module's reason; pointers come with their lengths, the augmentation is empty.
        unsafe {
            blst_hash_to_g1(&mut out, message.as_ptr(), message.len(), dst.as_ptr(), dst.len(), ptr::null(), 0);
        }
        Self(out)
    }

    pub(crate) fn add(&self, other: &Self) -> Self {
        let mut out = blst_p1::default();
        // SAFETY: see the module's reason.
        unsafe { blst_p1_add_or_double(&mut out, &self.0, &other.0) };
        Self(out)
    }

    pub(crate) fn add_affine(&self, other: &G1Affine) -> Self {
        let mut out = blst_p1::default();
        // SAFETY: see the module's reason.
        unsafe { blst_p1_add_or_double_affine(&mut out, &self.0, &other.0) };
        Self(out)
    }

    pub(crate) fn doubled(&self) -> Self {
        let mut out = blst_p1::default();
        // SAFETY: see the module's reason.
        unsafe { blst_p1_double(&mut out, &self.0) };
        Self(out)
    }

    pub(crate) fn neg(&self) -> Self {
        let mut out = *self;
        // SAFETY: see the module's reason.
        unsafe { blst_p1_cneg(&mut out.0, true) };
        out
    }

    /// `self` must lie in the prime-order subgroup, else the result is some other point.
    pub(crate) fn mul(&self, scalar: &Scalar) -> Self {
        let mut out = blst_p1::default();
        let scalar = scalar.canonical();
        // SAFETY: see the module's reason; the scalar has 32 bytes, 255 bits of which are read.
        unsafe { blst_p1_mult(&mut out, &self.0, scalar.b.as_ptr(), 255) };
        Self(out)
    }

    /// Multiplies by a 128-bit number, little-endian.
    pub(crate) fn mul_short(&self, scalar: &[u8; 16]) -> Self {
        let mut out = blst_p1::default();
        // SAFETY: see the module's reason.
        unsafe { blst_p1_mult(&mut out, &self.0, scalar.as_ptr(), 128) };
        Self(out)
    }

    pub(crate) fn is_identity(&self) -> bool {
        // SAFETY: see the module's reason.
        known(unsafe { blst_p1_is_inf(&self.0) })
    }

    pub(crate) fn affine(&self) -> G1Affine {
        let mut out = blst_p1_affine::default();
        // SAFETY: see the module's reason.
        unsafe { blst_p1_to_affine(&mut out, &self.0) };
        G1Affine(out)
    }

    /// Normalizes many points with one field inversion.
    pub(crate) fn batch_affine(points: &[Self]) -> Vec<G1Affine> {
        // An identity among them would spoil the shared inversion.
        if points.is_empty() || points.iter().any(Self::is_identity) {
            return points.iter().map(Self::affine).collect();
        }
        let mut out = vec![G1Affine::default(); points.len()];
        let list = [points.as_ptr().cast::<blst_p1>(), ptr::null()];
        // SAFETY: a list of one pointer and a null stands for contiguous points; both slices have `points.len()` of
        // them, in transparent wrappers.
        unsafe { blst_p1s_to_affine(out.as_mut_ptr().cast(), list.as_ptr(), points.len()) };
        out
    }
}

impl G1Affine {
    /// Reads a canonical compressed point on the curve that is not the identity. It need not be in the subgroup.
    pub(crate) fn decode(bytes: &[u8; G1_BYTES]) -> Option<Self> {
        let mut out = blst_p1_affine::default();
        // SAFETY: see the module's reason; the input has 48 bytes.
        let code = unsafe { blst_p1_uncompress(&mut out, bytes.as_ptr()) };
        let point = Self(out);
        (code == BLST_ERROR::BLST_SUCCESS && !point.is_identity()).then_some(point)
    }

    /// As [`Self::decode`], and in the prime-order subgroup.
    pub(crate) fn decode_checked(bytes: &[u8; G1_BYTES]) -> Option<Self> {
        // SAFETY: see the module's reason.
        Self::decode(bytes).filter(|p| unsafe { blst_p1_affine_in_g1(&p.0) })
    }

    pub(crate) fn encode(&self) -> [u8; G1_BYTES] {
        let mut out = [0; G1_BYTES];
        // SAFETY: see the module's reason; the output has 48 bytes.
        unsafe { blst_p1_affine_compress(out.as_mut_ptr(), &self.0) };
        out
    }

    pub(crate) fn projective(&self) -> G1 {
        let mut out = blst_p1::default();
        // SAFETY: see the module's reason.
        unsafe { blst_p1_from_affine(&mut out, &self.0) };
        G1(out)
    }

    pub(crate) fn is_identity(&self) -> bool {
        // SAFETY: see the module's reason.
        known(unsafe { blst_p1_affine_is_inf(&self.0) })
    }
}

impl G2 {
    pub(crate) fn identity() -> Self {
        Self(blst_p2::default())
    }

    pub(crate) fn generator() -> Self {
        // SAFETY: blst returns a pointer to a static point.
        Self(unsafe { *blst_p2_generator() })
    }

    pub(crate) fn add(&self, other: &Self) -> Self {
        let mut out = blst_p2::default();
        // SAFETY: see the module's reason.
        unsafe { blst_p2_add_or_double(&mut out, &self.0, &other.0) };
        Self(out)
    }

    pub(crate) fn add_affine(&self, other: &G2Affine) -> Self {
        let mut out = blst_p2::default();
        // SAFETY: see the module's reason.
        unsafe { blst_p2_add_or_double_affine(&mut out, &self.0, &other.0) };
        Self(out)
    }

    pub(crate) fn doubled(&self) -> Self {
        let mut out = blst_p2::default();
        // SAFETY: see the module's reason.
        unsafe { blst_p2_double(&mut out, &self.0) };
        Self(out)
    }

    /// `self` must lie in the prime-order subgroup.
    #[cfg(test)]
    pub(crate) fn mul(&self, scalar: &Scalar) -> Self {
        let mut out = blst_p2::default();
        let scalar = scalar.canonical();
        // SAFETY: see the module's reason; the scalar has 32 bytes, 255 bits of which are read.
        unsafe { blst::blst_p2_mult(&mut out, &self.0, scalar.b.as_ptr(), 255) };
        Self(out)
    }

    pub(crate) fn affine(&self) -> G2Affine {
        let mut out = blst_p2_affine::default();
        // SAFETY: see the module's reason.
        unsafe { blst_p2_to_affine(&mut out, &self.0) };
        G2Affine(out)
    }

    /// Normalizes many points with one field inversion; none may be the identity.
    fn batch_affine(points: &[Self]) -> Vec<G2Affine> {
        let mut out = vec![G2Affine::default(); points.len()];
        let list = [points.as_ptr().cast::<blst_p2>(), ptr::null()];
        // SAFETY: as for G1.
        unsafe { blst_p2s_to_affine(out.as_mut_ptr().cast(), list.as_ptr(), points.len()) };
        out
    }
}

impl G2Affine {
    pub(crate) fn generator() -> Self {
        G2::generator().affine()
    }

    /// Reads a canonical compressed point on the curve that is not the identity. It need not be in the subgroup.
    pub(crate) fn decode(bytes: &[u8; G2_BYTES]) -> Option<Self> {
        let mut out = blst_p2_affine::default();
        // SAFETY: see the module's reason; the input has 96 bytes.
        let code = unsafe { blst_p2_uncompress(&mut out, bytes.as_ptr()) };
        let point = Self(out);
        (code == BLST_ERROR::BLST_SUCCESS && !point.is_identity()).then_some(point)
    }

    /// As [`Self::decode`], and in the prime-order subgroup.
    pub(crate) fn decode_checked(bytes: &[u8; G2_BYTES]) -> Option<Self> {
        // SAFETY: see the module's reason.
        Self::decode(bytes).filter(|p| unsafe { blst_p2_affine_in_g2(&p.0) })
    }

    pub(crate) fn encode(&self) -> [u8; G2_BYTES] {
        let mut out = [0; G2_BYTES];
        // SAFETY: see the module's reason; the output has 96 bytes.
        unsafe { blst_p2_affine_compress(out.as_mut_ptr(), &self.0) };
        out
    }

    pub(crate) fn is_identity(&self) -> bool {
        // SAFETY: see the module's reason.
        known(unsafe { blst_p2_affine_is_inf(&self.0) })
    }
}

/// What becomes known of secrets here, and may: whether a point is the identity, which it is by forgery alone, and whether
/// a capsule opens. The value itself; under test, memcheck is told.
pub(crate) fn known(is: bool) -> bool {
    #[cfg(test)]
    let is = memcheck::public(is);
    is
}

/// An element of the target group.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Gt(blst_fp12);

impl Gt {
    /// The product of the pairings, with one final exponentiation; `None` if there is none, or an identity among the
    /// points, on which the Miller loop is zero.
    pub(crate) fn pairing_product(pairs: &[(G1Affine, G2Affine)]) -> Option<Self> {
        if pairs.is_empty() || pairs.iter().any(|(p, q)| p.is_identity() || q.is_identity()) {
            return None;
        }
        // Collected from slices, whose length is known, so that no growth leaves a copy behind.
        let mut ps: Vec<G1Affine> = pairs.iter().map(|(p, _)| *p).collect();
        let qs: Vec<G2Affine> = pairs.iter().map(|(_, q)| *q).collect();
        let p_list = [ps.as_ptr().cast::<blst_p1_affine>(), ptr::null()];
        let q_list = [qs.as_ptr().cast::<blst_p2_affine>(), ptr::null()];
        let mut out = blst_fp12::default();
        // SAFETY: a list of one pointer and a null stands for contiguous points; both vectors have `pairs.len()` of
        // them, in transparent wrappers.
        unsafe {
            let mut looped = blst_fp12::default();
            blst_miller_loop_n(&mut looped, q_list.as_ptr(), p_list.as_ptr(), pairs.len());
            blst_final_exp(&mut out, &looped);
        }
        // The points of G1 may come from a user key.
        ps.zeroize();
        Some(Self(out))
    }

    pub(crate) fn one() -> Self {
        // SAFETY: blst returns a pointer to a static element.
        Self(unsafe { *blst_fp12_one() })
    }

    pub(crate) fn is_one(&self) -> bool {
        // SAFETY: see the module's reason.
        unsafe { blst_fp12_is_one(&self.0) }
    }

    pub(crate) fn mul(&self, other: &Self) -> Self {
        let mut out = blst_fp12::default();
        // SAFETY: see the module's reason.
        unsafe { blst_fp12_mul(&mut out, &self.0, &other.0) };
        Self(out)
    }

    /// The square, for elements of the group (cyclotomic).
    fn square(&self) -> Self {
        let mut out = blst_fp12::default();
        // SAFETY: see the module's reason.
        unsafe { blst_fp12_cyclotomic_sqr(&mut out, &self.0) };
        Self(out)
    }

    /// The inverse, for elements of the group (unitary).
    fn conjugate(&self) -> Self {
        let mut out = *self;
        // SAFETY: see the module's reason.
        unsafe { blst_fp12_conjugate(&mut out.0) };
        out
    }

    /// `self^(p^power)`, for a power of 1 to 3.
    fn frobenius(&self, power: Frobenius) -> Self {
        let mut out = blst_fp12::default();
        // SAFETY: see the module's reason; blst requires 1 to 3.
        unsafe { blst_fp12_frobenius_map(&mut out, &self.0, power as usize) };
        Self(out)
    }

    /// Twelve 48-byte big-endian coefficients, in the order of `blst_bendian_from_fp12`: for `i` in 0..3, `j` in 0..2,
    /// `k` in 0..2 the coefficient of `v^i · w^j · u^k`.
    pub(crate) fn encode(&self) -> [u8; GT_BYTES] {
        let mut out = [0; GT_BYTES];
        for (chunk, (i, j, k)) in out.chunks_exact_mut(48).zip(coefficients()) {
            if let Some(fp) = self.0.fp6.get(j).and_then(|f| f.fp2.get(i)).and_then(|f| f.fp.get(k)) {
                // SAFETY: see the module's reason; the chunk has 48 bytes.
                unsafe { blst_bendian_from_fp(chunk.as_mut_ptr(), fp) };
            }
        }
        out
    }

    /// Reads a canonical element of the prime-order group that is not one.
    pub(crate) fn decode(bytes: &[u8; GT_BYTES]) -> Option<Self> {
        let mut out = blst_fp12::default();
        for (chunk, (i, j, k)) in bytes.chunks_exact(48).zip(coefficients()) {
            let fp = out.fp6.get_mut(j).and_then(|f| f.fp2.get_mut(i)).and_then(|f| f.fp.get_mut(k))?;
            // SAFETY: see the module's reason; the chunk has 48 bytes. Out of range values reduce, which the comparison
            // below finds.
            unsafe { blst_fp_from_bendian(fp, chunk.as_ptr()) };
        }
        let element = Self(out);
        // SAFETY: see the module's reason.
        let in_group = unsafe { blst_fp12_in_group(&out) };
        (in_group && !element.is_one() && element.encode() == *bytes).then_some(element)
    }
}

/// The powers of the Frobenius map that blst has.
#[derive(Clone, Copy)]
enum Frobenius {
    One = 1,
    Two = 2,
    Three = 3,
}

fn coefficients() -> impl Iterator<Item = (usize, usize, usize)> {
    (0..3).flat_map(|i| (0..2).flat_map(move |j| (0..2).map(move |k| (i, j, k))))
}

fn select_fp(a: &blst_fp, b: &blst_fp, choice: Choice) -> blst_fp {
    let mut out = *a;
    for (mine, theirs) in out.l.iter_mut().zip(&b.l) {
        mine.conditional_assign(theirs, choice);
    }
    out
}

fn negate_fp(fp: &blst_fp, choice: Choice) -> blst_fp {
    let mut out = blst_fp::default();
    // SAFETY: see the module's reason; the flag is used as a mask.
    unsafe { blst_fp_cneg(&mut out, fp, choice.unwrap_u8() == 1) };
    out
}

macro_rules! zeroize_points {
    ($($name:ty => |$p:ident| $fields:expr;)*) => {$(
        impl Zeroize for $name {
            fn zeroize(&mut self) {
                let $p = &mut self.0;
                for fp in $fields {
                    fp.l.zeroize();
                }
            }
        }
    )*};
}

zeroize_points! {
    G1 => |p| [&mut p.x, &mut p.y, &mut p.z];
    G1Affine => |p| [&mut p.x, &mut p.y];
    G2 => |p| p.x.fp.iter_mut().chain(&mut p.y.fp).chain(&mut p.z.fp);
    G2Affine => |p| p.x.fp.iter_mut().chain(&mut p.y.fp);
    Gt => |p| p.fp6.iter_mut().flat_map(|f| f.fp2.iter_mut()).flat_map(|f| f.fp.iter_mut());
}
