//! The capsule: what is sent to those who satisfy the policy.

use std::fmt;

use crate::error::{Error, Result};
use crate::kem::shares;
use crate::pairing::{G1_BYTES, G2_BYTES};
use crate::policy::{AccessTree, MAX_LEAVES};
use crate::wire::Reader;

/// One encapsulated key for one tree.
///
/// `"csc" ‖ 1 ‖ ct0 (32) ‖ ct1 (96) ‖ τ × ct2 (96) ‖ n × ct3 (48)`, with τ the most uses of one attribute and n the
/// leaves of the tree: 132 + 96 τ + 48 n bytes.
///
/// The tree is not in it; keep its bytes beside it.
#[derive(Clone, PartialEq, Eq)]
pub struct Capsule(Vec<u8>);

impl Capsule {
    /// Takes bytes as a capsule for the tree: the length and the heading must fit. The points in it are looked at when
    /// it is decapsulated.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] or [`Error::UnknownVersion`].
    pub fn decode(tree: &AccessTree, bytes: &[u8]) -> Result<Self> {
        Reader::new(bytes, WHAT).magic(MAGIC)?;
        let (_, tau) = shares::uses(tree);
        if bytes.len() == length(tau, tree.leaves().len()) {
            Ok(Self(bytes.to_vec()))
        } else {
            Err(Error::Malformed(WHAT))
        }
    }

    /// How many bytes a capsule for this tree has, if no attribute stood in it more than `more` times beside.
    pub(crate) fn length_for(tree: &AccessTree, more: usize) -> usize {
        let (_, tau) = shares::uses(tree);
        length(tau.saturating_add(more), tree.leaves().len())
    }

    /// The canonical bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn from_parts(ct0: &[u8; 32], points: &[u8]) -> Self {
        Self([MAGIC.as_slice(), ct0, points].concat())
    }

    /// `ct0` and the points as bytes; none if the length is not right for the tree (a capsule of another tree).
    pub(super) fn parts(&self, tau: usize, rows: usize) -> Option<Parts<'_>> {
        if self.0.len() != length(tau, rows) {
            return None;
        }
        let (_, rest) = self.0.split_first_chunk::<4>()?;
        let (ct0, points) = rest.split_first_chunk::<32>()?;
        let (ct1, rest) = points.split_first_chunk::<G2_BYTES>()?;
        let (ct2, ct3) = rest.split_at_checked(tau * G2_BYTES)?;
        Some(Parts { ct0, points, ct1, ct2: ct2.as_chunks().0, ct3: ct3.as_chunks().0 })
    }
}

/// A capsule taken apart.
pub(super) struct Parts<'a> {
    pub(super) ct0: &'a [u8; 32],
    /// `ct1 ‖ ct2 ‖ ct3`.
    pub(super) points: &'a [u8],
    pub(super) ct1: &'a [u8; G2_BYTES],
    pub(super) ct2: &'a [[u8; G2_BYTES]],
    pub(super) ct3: &'a [[u8; G1_BYTES]],
}

impl fmt::Debug for Capsule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Capsule({} bytes)", self.0.len())
    }
}

const fn length(tau: usize, rows: usize) -> usize {
    4 + 32 + G2_BYTES + tau * G2_BYTES + rows * G1_BYTES
}

/// Most bytes of a capsule: for the most leaves, all of one attribute.
pub(crate) const MAX_CAPSULE: usize = length(MAX_LEAVES, MAX_LEAVES);

const WHAT: &str = "capsule";
const MAGIC: &[u8; 4] = b"csc\x01";
