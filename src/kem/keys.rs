//! Master keys and user keys (FABEO, figure 3: Setup and KeyGen).

use std::fmt;

use zeroize::Zeroize;

use crate::error::{Error, Result};
use crate::id::AuthorityId;
use crate::kem::params::{PublicParameters, b_table};
use crate::pairing::{G1, G1_BYTES, G1Affine, G2_BYTES, G2Affine, Gt, Scalar, g2_table};
use crate::policy::{Leaf, MAX_ATTRIBUTES};
use crate::secret::{Secret, wiping_stack};
use crate::wire::{Reader, Writer};

/// The authority's master key, `g1^α`: whoever holds it can issue any key.
pub struct MasterKey {
    public: PublicParameters,
    secret: Secret<G1Affine>,
}

impl MasterKey {
    pub(super) fn from_alpha(authority: AuthorityId, version: u64, alpha: &Scalar) -> Result<Self> {
        let secret = Secret::new(G1::generator().mul(alpha).affine());
        // Fails only for α = 0.
        let a = Gt::pairing_product(&[(*secret.expose(), G2Affine::generator())]).ok_or(Error::Randomness)?;
        Ok(Self { public: PublicParameters::new(authority, version, a), secret })
    }

    /// The public half.
    pub fn public(&self) -> &PublicParameters {
        &self.public
    }

    /// The canonical bytes, to be kept where keys are kept: `"csm" ‖ 1 ‖ public parameters ‖ g1^α` (48 bytes).
    pub fn to_secret_bytes(&self) -> Secret<Vec<u8>> {
        wiping_stack(|| {
            let public = self.public.as_bytes();
            // Reserved at once, so that no growth leaves a copy behind.
            let mut w = Writer::with_capacity(MASTER_MAGIC.len() + public.len() + G1_BYTES, MASTER_MAGIC);
            w.bytes(public).bytes(&self.secret.expose().encode());
            Secret::new(w.finish())
        })
    }

    /// Reads a master key strictly.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] or [`Error::UnknownVersion`] for bytes in another form, [`Error::Untrusted`] if the secret is
    /// not the one of the public parameters.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        wiping_stack(|| Self::read(bytes))
    }

    fn read(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes, MASTER);
        r.magic(MASTER_MAGIC)?;
        let public = PublicParameters::read(&mut r)?;
        let point = r.array::<G1_BYTES>()?;
        r.finish()?;
        let secret = Secret::new(G1Affine::decode_checked(point).ok_or(Error::Untrusted(MASTER))?);
        let a = Gt::pairing_product(&[(*secret.expose(), G2Affine::generator())]);
        if a != Some(*public.a()) {
            return Err(Error::Untrusted(MASTER));
        }
        Ok(Self { public, secret })
    }

    /// `r ← Zp; sk1 = g1^α · B^r; sk2[u] = H(u)^r; sk3 = g2^r`, with a fresh `r` for every key.
    pub(super) fn issue(&self, leaves: Vec<Leaf>, r: &Scalar) -> UserKey {
        let mut points: Vec<G1> = Vec::with_capacity(leaves.len() + 1);
        points.push(b_table().mul(r).add_affine(self.secret.expose()));
        points.extend(self.public.hash_all(&leaves).iter().map(|h| h.mul(r)));
        let mut sk2 = G1::batch_affine(&points);
        points.zeroize();
        // The vector has an element for each leaf and this one.
        let sk1 = sk2.remove(0);
        let sk3 = g2_table().mul(r).affine();
        UserKey { public: self.public.clone(), leaves, points: Secret::new(Points { sk1, sk2, sk3 }) }
    }
}

#[cfg(test)]
impl MasterKey {
    pub(super) fn secret_for_attack(&self) -> &G1Affine {
        self.secret.expose()
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("public", &self.public).field("secret", &self.secret).finish()
    }
}

/// A key for a set of attributes under one authority. Two keys never combine, not even of the same person.
pub struct UserKey {
    public: PublicParameters,
    leaves: Vec<Leaf>,
    points: Secret<Points>,
}

pub(super) struct Points {
    pub(super) sk1: G1Affine,
    pub(super) sk2: Vec<G1Affine>,
    pub(super) sk3: G2Affine,
}

impl Zeroize for Points {
    fn zeroize(&mut self) {
        self.sk1.zeroize();
        self.sk2.zeroize();
        self.sk3.zeroize();
    }
}

impl UserKey {
    /// The parameters that this key was issued and checked under.
    pub fn public(&self) -> &PublicParameters {
        &self.public
    }

    /// The expanded attributes, sorted; a numeric value of n bits stands for n + 1 of them.
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// The canonical bytes:
    /// `"csu" ‖ 1 ‖ SHA-256(public parameters) ‖ sk1 ‖ sk3 ‖ u16 count ‖ count × (u16 length ‖ leaf ‖ sk2)`, leaves
    /// strictly ascending.
    pub fn to_secret_bytes(&self) -> Secret<Vec<u8>> {
        wiping_stack(|| self.written())
    }

    fn written(&self) -> Secret<Vec<u8>> {
        let points = self.points.expose();
        // Reserved at once, so that no growth leaves a copy behind.
        let size = 4 + 32 + G1_BYTES + G2_BYTES + 2;
        let size = self.leaves.iter().fold(size, |sum, leaf| sum + 2 + leaf.as_bytes().len() + G1_BYTES);
        let mut w = Writer::with_capacity(size, USER_MAGIC);
        w.bytes(self.public.pid()).bytes(&points.sk1.encode()).bytes(&points.sk3.encode());
        // Attributes::leaves and decode bound the count and the lengths.
        w.u16(u16::try_from(self.leaves.len()).unwrap_or(u16::MAX));
        for (leaf, point) in self.leaves.iter().zip(&points.sk2) {
            w.u16(u16::try_from(leaf.as_bytes().len()).unwrap_or(u16::MAX)).bytes(leaf.as_bytes());
            w.bytes(&point.encode());
        }
        Secret::new(w.finish())
    }

    /// Reads a key strictly and checks it in full against the parameters: every point in its prime-order subgroup and
    /// not the identity, and the whole key by one pairing equation with random 128-bit weights `δ`:
    /// `e(sk1 · Π sk2[u]^δ_u, g2) = A · e(B · Π H(u)^δ_u, sk3)`. A false key passes with probability 2^-128.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`], [`Error::UnknownVersion`] or [`Error::TooLarge`] for bytes in another form,
    /// [`Error::Untrusted`] for a key of other parameters or one that fails a check, [`Error::Randomness`].
    pub fn decode(bytes: &[u8], public: &PublicParameters) -> Result<Self> {
        wiping_stack(|| Layout::read(bytes, [public])?.check())
    }

    /// As [`Self::decode`], under whichever of these parameters the key names, for a key of these attributes and no
    /// others. Of any other key no point is decoded: that would take the longer, the more attributes it claims.
    pub(crate) fn decode_for<'a>(
        bytes: &[u8],
        known: impl IntoIterator<Item = &'a PublicParameters>,
        leaves: &[Leaf],
    ) -> Result<Self> {
        wiping_stack(|| {
            let layout = Layout::read(bytes, known)?;
            if layout.leaves == leaves { layout.check() } else { Err(Error::Untrusted(ATTRIBUTES)) }
        })
    }

    /// `sk2` of an attribute.
    pub(super) fn element(&self, leaf: &Leaf) -> Option<&G1Affine> {
        let at = self.leaves.binary_search(leaf).ok()?;
        self.points.expose().sk2.get(at)
    }

    pub(super) fn points(&self) -> &Points {
        self.points.expose()
    }

    /// The batched pairing equation.
    fn pairs_up(&self) -> Result<bool> {
        let points = self.points.expose();
        let mut left = points.sk1.projective();
        let mut right = b_table().base().projective();
        for (sk2, h) in points.sk2.iter().zip(self.public.hash_all(&self.leaves)) {
            let weight = Secret::<[u8; 16]>::random()?;
            left = left.add(&sk2.projective().mul_short(weight.expose()));
            right = right.add(&h.point().projective().mul_short(weight.expose()));
        }
        let product =
            Gt::pairing_product(&[(left.affine(), G2Affine::generator()), (right.neg().affine(), points.sk3)]);
        left.zeroize();
        Ok(product.is_some_and(|product| product == *self.public.a()))
    }

    #[cfg(test)]
    pub(super) fn forge(public: PublicParameters, leaves: Vec<Leaf>, points: Points) -> Self {
        Self { public, leaves, points: Secret::new(points) }
    }
}

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserKey")
            .field("public", &self.public)
            .field("leaves", &self.leaves.len())
            .field("points", &self.points)
            .finish()
    }
}

/// A user key before any point in it is decoded.
struct Layout<'a> {
    public: PublicParameters,
    leaves: Vec<Leaf>,
    sk1: &'a [u8; G1_BYTES],
    sk2: Vec<&'a [u8; G1_BYTES]>,
    sk3: &'a [u8; G2_BYTES],
}

impl<'a> Layout<'a> {
    fn read<'p>(bytes: &'a [u8], known: impl IntoIterator<Item = &'p PublicParameters>) -> Result<Self> {
        if bytes.len() > MAX_KEY_BYTES {
            return Err(Error::TooLarge(USER));
        }
        let mut r = Reader::new(bytes, USER);
        r.magic(USER_MAGIC)?;
        let pid = r.array::<32>()?;
        let public = known.into_iter().find(|public| public.pid() == pid).ok_or(Error::Untrusted(USER))?.clone();
        let (sk1, sk3) = (r.array()?, r.array()?);
        let count = usize::from(r.u16()?);
        if count > MAX_KEY_LEAVES {
            return Err(Error::TooLarge(USER));
        }
        let (mut leaves, mut sk2): (Vec<Leaf>, Vec<_>) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for _ in 0..count {
            let length = r.u16()?;
            let leaf = Leaf::decode(r.take(length.into())?).map_err(|_| r.malformed())?;
            if leaves.last().is_some_and(|last| *last >= leaf) {
                return Err(r.malformed());
            }
            leaves.push(leaf);
            sk2.push(r.array()?);
        }
        r.finish()?;
        if leaves.is_empty() { Err(Error::Malformed(USER)) } else { Ok(Self { public, leaves, sk1, sk2, sk3 }) }
    }

    /// Decodes every point, and checks the whole.
    fn check(self) -> Result<UserKey> {
        let Self { public, leaves, sk1, sk2, sk3 } = self;
        let g1 = |bytes| G1Affine::decode_checked(bytes).ok_or(Error::Untrusted(USER));
        let sk3 = G2Affine::decode_checked(sk3).ok_or(Error::Untrusted(USER))?;
        // Reserved at once, so that no growth leaves a copy behind.
        let mut points = Secret::new(Points { sk1: g1(sk1)?, sk2: Vec::with_capacity(sk2.len()), sk3 });
        for bytes in sk2 {
            points.expose_mut().sk2.push(g1(bytes)?);
        }
        let key = UserKey { public, leaves, points };
        if key.pairs_up()? { Ok(key) } else { Err(Error::Untrusted(USER)) }
    }
}

/// Most leaves of a key: each attribute a number or a date, of 33 prefixes.
pub(super) const MAX_KEY_LEAVES: usize = MAX_ATTRIBUTES * 33;
/// Above the largest key: 512 labels of 26 bytes (16 KiB of text) with 33 leaves of 215 bytes each are 3.6 MB.
const MAX_KEY_BYTES: usize = 4 << 20;

const MASTER: &str = "master key";
const MASTER_MAGIC: &[u8; 4] = b"csm\x01";
const USER: &str = "user key";
const ATTRIBUTES: &str = "attributes of a user key";
const USER_MAGIC: &[u8; 4] = b"csu\x01";
