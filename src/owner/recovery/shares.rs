//! Sharing of a secret scalar among guardians: Shamir's polynomial, with Feldman's commitments to its coefficients.
//!
//! The field is that of the scalars of ristretto255, the group of the commitments, so that both have the same prime order.

use std::collections::BTreeSet;

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::wire::public_bytes;

/// Most guardians of one recovery key.
pub const MAX_GUARDIANS: usize = 16;
/// Fewest guardians that bring a recovery key back; for a single holder there is the printed code.
pub const MIN_THRESHOLD: usize = 2;

public_bytes! {
    /// A commitment to one coefficient of the sharing polynomial: a point of ristretto255.
    pub struct Commitment(32);
}

/// Commitments to a sharing: the first is to the secret itself, and there are as many as shares are needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Commitments(Vec<Commitment>);

/// One share: the polynomial's value at the guardian's place, which is not zero.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) place: u8,
    pub(crate) value: Secret<[u8; 32]>,
}

impl Share {
    /// Another copy, wiped like the first.
    pub(crate) fn duplicate(&self) -> Self {
        Self { place: self.place, value: self.value.duplicate() }
    }
}

/// Draws a uniform secret.
pub(crate) fn random_secret() -> Result<Secret<[u8; 32]>> {
    let scalar = random()?;
    Ok(to_secret(&scalar))
}

/// Whether these bytes are a secret that can be shared: a canonical scalar, and not zero.
pub(crate) fn is_secret(bytes: &Secret<[u8; 32]>) -> bool {
    scalar(bytes).is_ok_and(|scalar| *scalar != Scalar::ZERO)
}

/// Shares the secret: any `threshold` of the shares give it back.
///
/// # Errors
///
/// [`Error::ApiMisuse`] unless `MIN_THRESHOLD <= threshold <= shares <= MAX_GUARDIANS`, [`Error::Malformed`] if the
/// secret is none, [`Error::Randomness`].
pub(crate) fn share(secret: &Secret<[u8; 32]>, threshold: usize, shares: usize) -> Result<(Commitments, Vec<Share>)> {
    if !(MIN_THRESHOLD..=shares).contains(&threshold) || shares > MAX_GUARDIANS {
        return Err(Error::ApiMisuse("at least two guardians, and not more of them than there are, bring a key back"));
    }
    if !is_secret(secret) {
        return Err(Error::Malformed(WHAT));
    }
    // At its full size from the start: one that grew would leave the secret behind in freed memory.
    let mut coefficients = Vec::with_capacity(threshold);
    coefficients.push(scalar(secret)?);
    while coefficients.len() < threshold {
        coefficients.push(random()?);
    }
    let commit =
        |coefficient: &Zeroizing<Scalar>| Commitment(RistrettoPoint::mul_base(coefficient).compress().to_bytes());
    let commitments = Commitments(coefficients.iter().map(commit).collect());
    let places = 1..=u8::try_from(shares).map_err(|_| Error::TooLarge(WHAT))?;
    Ok((commitments, places.map(|place| Share { place, value: to_secret(&evaluate(&coefficients, place)) }).collect()))
}

impl Commitments {
    /// How many shares are needed.
    pub(crate) fn threshold(&self) -> usize {
        self.0.len()
    }

    /// The points, if there is a usable number of them and each is one of the group, and not its identity.
    pub(crate) fn points(&self) -> Result<Vec<RistrettoPoint>> {
        if !(MIN_THRESHOLD..=MAX_GUARDIANS).contains(&self.0.len()) {
            return Err(Error::Malformed(WHAT));
        }
        let point = |commitment: &Commitment| {
            let point = CompressedRistretto(commitment.0).decompress();
            point.filter(|point| *point != RistrettoPoint::identity()).ok_or(Error::Malformed(WHAT))
        };
        self.0.iter().map(point).collect()
    }

    /// Checks a share against the commitments.
    ///
    /// # Errors
    ///
    /// [`Error::Untrusted`] if it is not the share of its place.
    pub(crate) fn check(&self, share: &Share) -> Result<()> {
        let at = Scalar::from(share.place);
        let expected = self.points()?.iter().rev().fold(RistrettoPoint::identity(), |sum, point| sum * at + point);
        let value = scalar(&share.value).map_err(|_| Error::Untrusted(WHAT))?;
        if share.place != 0 && RistrettoPoint::mul_base(&value) == expected {
            Ok(())
        } else {
            Err(Error::Untrusted(WHAT))
        }
    }

    /// The secret. Every share is checked first, and the result is checked too: there is the secret or an error, never
    /// another secret.
    ///
    /// # Errors
    ///
    /// [`Error::Untrusted`] if a share is not that of its place, [`Error::ApiMisuse`] if one comes twice or there are too
    /// few.
    pub(crate) fn combine(&self, shares: &[Share]) -> Result<Secret<[u8; 32]>> {
        let mut places = BTreeSet::new();
        for share in shares {
            self.check(share)?;
            if !places.insert(share.place) {
                return Err(Error::ApiMisuse("the same share came twice"));
            }
        }
        if shares.len() < self.threshold() {
            return Err(Error::ApiMisuse("too few shares"));
        }
        let shares = shares.get(..self.threshold()).ok_or(Error::ApiMisuse("too few shares"))?;
        let secret = interpolate(shares)?;
        if self.points()?.first() != Some(&RistrettoPoint::mul_base(&secret)) {
            return Err(Error::Untrusted(WHAT));
        }
        Ok(to_secret(&secret))
    }
}

/// The value at zero of the polynomial through the shares, whose places differ. Only the values are secret.
fn interpolate(shares: &[Share]) -> Result<Zeroizing<Scalar>> {
    let mut sum = Zeroizing::new(Scalar::ZERO);
    for share in shares {
        let at = Scalar::from(share.place);
        let (mut over, mut under) = (Scalar::ONE, Scalar::ONE);
        for other in shares.iter().map(|other| other.place).filter(|place| *place != share.place) {
            over *= Scalar::from(other);
            under *= Scalar::from(other) - at;
        }
        let term = Zeroizing::new(*scalar(&share.value)? * over * under.invert());
        *sum += *term;
    }
    Ok(sum)
}

fn evaluate(coefficients: &[Zeroizing<Scalar>], place: u8) -> Zeroizing<Scalar> {
    let at = Scalar::from(place);
    let mut sum = Zeroizing::new(Scalar::ZERO);
    for coefficient in coefficients.iter().rev() {
        *sum *= at;
        *sum += **coefficient;
    }
    sum
}

fn random() -> Result<Zeroizing<Scalar>> {
    let wide = Secret::<[u8; 64]>::random()?;
    Ok(Zeroizing::new(Scalar::from_bytes_mod_order_wide(wide.expose())))
}

fn scalar(bytes: &Secret<[u8; 32]>) -> Result<Zeroizing<Scalar>> {
    Option::from(Scalar::from_canonical_bytes(*bytes.expose())).map(Zeroizing::new).ok_or(Error::Malformed(WHAT))
}

fn to_secret(scalar: &Zeroizing<Scalar>) -> Secret<[u8; 32]> {
    let mut bytes = scalar.to_bytes();
    let secret = Secret::build(|to| to.copy_from_slice(&bytes));
    bytes.zeroize();
    secret
}

pub(crate) const WHAT: &str = "guardian's share";

#[cfg(test)]
mod tests;
