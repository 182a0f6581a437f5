//! Public parameters: `A = e(g1, g2)^α` with a name and a version, and what is precomputed from them.

use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::id::AuthorityId;
use crate::kem::blind::RealmKey;
use crate::kem::cache::{Cache, Hashed};
use crate::pairing::{G1, GT_BYTES, Gt, Scalar, Table};
use crate::policy::{AccessTree, Leaf, Policy};
use crate::seal::label;
use crate::wire::{Reader, Writer};

/// The public parameters of one authority: what anybody needs to encapsulate, and to check keys and capsules.
///
/// Cloning is cheap, and clones share their tables and their bounded cache of hashed attributes. The cache holds only
/// what is computable from public names; its timing shows which attributes were used lately in this process.
///
/// # Security
///
/// These bytes alone do not say that they are the authority's: get them over a channel that does.
#[derive(Clone)]
pub struct PublicParameters(Arc<Inner>);

struct Inner {
    authority: AuthorityId,
    version: u64,
    a: Gt,
    bytes: Vec<u8>,
    pid: [u8; 32],
    table: OnceLock<Table<Gt>>,
    cache: Cache,
}

impl PublicParameters {
    /// Reads parameters strictly.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] or [`Error::UnknownVersion`] for bytes in another form; [`Error::Untrusted`] if `A` is one,
    /// not canonical, or outside the group of prime order.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes, WHAT);
        let parameters = Self::read(&mut r)?;
        r.finish()?;
        Ok(parameters)
    }

    /// The canonical bytes: `"csp" ‖ 1 ‖ u8 length ‖ authority id ‖ u64 version ‖ A` (576 bytes).
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The authority whose attributes these parameters are for.
    pub fn authority(&self) -> &AuthorityId {
        &self.0.authority
    }

    /// The version of the master key: 1 from [`setup`](super::setup), one more with each [`rotate`](super::rotate).
    pub fn version(&self) -> u64 {
        self.0.version
    }

    /// The tree that capsules are made for: the policy over this authority's attributes.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] over the limits of a tree, which no valid policy reaches.
    pub fn expand(&self, policy: &Policy) -> Result<AccessTree> {
        policy.expand(&self.0.authority)
    }

    /// As [`Self::expand`], with every attribute replaced by its keyed hash, for keys issued with
    /// [`issue_blinded`](super::issue_blinded) under the same realm key.
    ///
    /// # Errors
    ///
    /// As [`Self::expand`].
    pub fn expand_blinded(&self, policy: &Policy, realm: &RealmKey) -> Result<AccessTree> {
        self.expand(policy)?.map_leaves(|leaf| realm.blind(leaf))
    }

    pub(super) fn new(authority: AuthorityId, version: u64, a: Gt) -> Self {
        let mut w = Writer::new(MAGIC);
        // Ids have at most 128 bytes.
        w.u8(u8::try_from(authority.as_str().len()).unwrap_or(u8::MAX)).bytes(authority.as_str().as_bytes());
        w.u64(version).bytes(&a.encode());
        let bytes = w.finish();
        let pid = Sha256::digest(&bytes).into();
        let cache = Cache::default();
        Self(Arc::new(Inner { authority, version, a, bytes, pid, table: OnceLock::new(), cache }))
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self> {
        r.magic(MAGIC)?;
        let length = r.u8()?;
        let id = r.take(length.into())?;
        let id = str::from_utf8(id).map_err(|_| r.malformed())?;
        let authority = AuthorityId::new(id).map_err(|_| r.malformed())?;
        let version = r.u64()?;
        let a = Gt::decode(r.array::<GT_BYTES>()?).ok_or(Error::Untrusted(WHAT))?;
        Ok(Self::new(authority, version, a))
    }

    /// SHA-256 of all the parameters.
    pub(crate) fn pid(&self) -> &[u8; 32] {
        &self.0.pid
    }

    pub(super) fn a(&self) -> &Gt {
        &self.0.a
    }

    /// `A^s`.
    pub(super) fn a_pow(&self, s: &Scalar) -> Gt {
        self.0.table.get_or_init(|| Table::new(self.0.a)).pow(s)
    }

    /// `H(u)` for each leaf, in order.
    pub(super) fn hash_all(&self, leaves: &[Leaf]) -> Vec<Hashed> {
        self.0.cache.get_all(leaves)
    }
}

/// Equal when all bytes are.
impl PartialEq for PublicParameters {
    fn eq(&self, other: &Self) -> bool {
        self.0.bytes == other.0.bytes
    }
}

impl Eq for PublicParameters {}

impl fmt::Debug for PublicParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicParameters")
            .field("authority", &self.0.authority)
            .field("version", &self.0.version)
            .finish_non_exhaustive()
    }
}

/// The table of B, the point of G1 that shares are raised on: a hash, so that nobody knows its logarithm.
pub(super) fn b_table() -> &'static Table<G1> {
    static TABLE: LazyLock<Table<G1>> = LazyLock::new(|| Table::new(G1::hash(b"B", label::KEM_B)));
    &TABLE
}

const WHAT: &str = "public parameters";
const MAGIC: &[u8; 4] = b"csp\x01";
