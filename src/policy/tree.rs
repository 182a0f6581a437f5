//! The expanded, monotone form of a policy: a tree of `k`-of-`n` gates over [`Leaf`]s, and its bytes.

use std::fmt;

use super::attribute::MAX_LABEL;
use crate::error::{Error, Result};
use crate::id::{AuthorityId, MAX_ID};
use crate::wire::{Reader, Writer};

/// Most leaves in an expanded tree.
pub const MAX_LEAVES: usize = 512;
/// Deepest nesting of an expanded tree: the policy's own depth, and the cover of a comparison below it.
pub(crate) const MAX_TREE_DEPTH: usize = super::MAX_DEPTH + 2;
/// Most bytes of an expanded tree. Larger than any policy text within its own limit expands to.
pub(crate) const MAX_TREE_BYTES: usize = 128 * 1024;
// Each leaf has its authority, and a label and a prefix that one condition may share, or a label and a value that stand in
// the text; each gate has two leaves or seven bytes of text.
const _: () = {
    let leaf = 3 + (1 + 1 + MAX_ID + 1 + MAX_LABEL + 2 + 6);
    let gates = MAX_LEAVES + super::MAX_TEXT / 7;
    assert!(MAX_LEAVES * leaf + super::MAX_TEXT + 5 * gates <= MAX_TREE_BYTES);
};
/// Most bytes in a leaf.
pub(crate) const MAX_LEAF_BYTES: usize = 1024;

const LEAF: u8 = 0;
const GATE: u8 = 1;
const TEXT: u8 = 1;
const NUMBER: u8 = 2;
const DATE: u8 = 3;
const MONTH: u8 = 4;
const PERSON: u8 = 5;
const BLINDED: u8 = 6;

/// The four kinds of numeric attribute; each kind is a name space of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Numeric {
    Number,
    Date,
    Month,
    Person,
}

impl Numeric {
    /// Width in bits.
    pub(crate) fn width(self) -> u8 {
        match self {
            Self::Number | Self::Date => 32,
            Self::Month => 12,
            Self::Person => 24,
        }
    }

    /// The largest value.
    pub(crate) fn max(self) -> u32 {
        u32::MAX >> (32 - u32::from(self.width()))
    }

    fn kind(self) -> u8 {
        match self {
            Self::Number => NUMBER,
            Self::Date => DATE,
            Self::Month => MONTH,
            Self::Person => PERSON,
        }
    }
}

/// One monotone attribute, as the bytes that are hashed to the curve.
///
/// `kind ‖ u8 length ‖ authority ‖ u8 length ‖ label ‖ u16 length ‖ value`: every part is length-prefixed, so no two
/// different attributes have the same bytes. The value of a numeric leaf is `width ‖ prefix length ‖ prefix`. A blinded
/// leaf is `kind ‖ 32 bytes`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Leaf(Box<[u8]>);

impl Leaf {
    /// A `label:value` attribute. The parts are short by construction of [`Attributes`](super::Attributes) and
    /// [`Policy`](super::Policy).
    pub(crate) fn text(authority: &AuthorityId, label: &str, value: &str) -> Self {
        Self::build(TEXT, authority, label, value.as_bytes())
    }

    /// The first `length` bits of a numeric value; the other bits of `prefix` are ignored.
    pub(crate) fn prefix(authority: &AuthorityId, kind: Numeric, label: &str, prefix: u32, length: u8) -> Self {
        let width = kind.width();
        let free = u32::from(width.saturating_sub(length));
        let kept = prefix.checked_shr(free).and_then(|p| p.checked_shl(free)).unwrap_or(0);
        let [a, b, c, d] = kept.to_be_bytes();
        Self::build(kind.kind(), authority, label, &[width, length, a, b, c, d])
    }

    /// A leaf known only by its keyed hash.
    pub(crate) fn blinded(mac: &[u8; 32]) -> Self {
        let mut w = Writer::new(&[BLINDED]);
        w.bytes(mac);
        Self(w.finish().into())
    }

    /// Reads a leaf strictly.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] for an unknown kind, a wrong length or a numeric prefix with bits outside its length.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes, "attribute");
        if bytes.len() > MAX_LEAF_BYTES {
            return Err(Error::TooLarge("attribute"));
        }
        let kind = r.u8()?;
        if kind == BLINDED {
            r.array::<32>()?;
        } else {
            let authority = r.u8()?;
            let authority = r.take(authority.into())?;
            let authority = str::from_utf8(authority).map_err(|_| r.malformed())?;
            AuthorityId::new(authority).map_err(|_| r.malformed())?;
            let label = r.u8()?;
            let label = r.take(label.into())?;
            if !str::from_utf8(label).is_ok_and(super::attribute::is_label) {
                return Err(r.malformed());
            }
            let value = r.u16()?;
            let value = r.take(value.into())?;
            let numeric = match kind {
                TEXT => None,
                NUMBER => Some(Numeric::Number),
                DATE => Some(Numeric::Date),
                MONTH => Some(Numeric::Month),
                PERSON => Some(Numeric::Person),
                _ => return Err(r.malformed()),
            };
            let valid = match numeric {
                None => str::from_utf8(value).is_ok_and(super::attribute::is_value),
                Some(numeric) => is_prefix(numeric, value),
            };
            let label = str::from_utf8(label).unwrap_or_default();
            if !valid || !super::attribute::is_kind_of(label, numeric) {
                return Err(r.malformed());
            }
        }
        r.finish()?;
        Ok(Self(bytes.into()))
    }

    /// The bytes that are hashed to the curve.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this can be an attribute of `authority`; of a blinded leaf one cannot tell.
    pub(crate) fn may_be_of(&self, authority: &AuthorityId) -> bool {
        match &*self.0 {
            [BLINDED, ..] => true,
            [_, length, rest @ ..] => rest.get(..usize::from(*length)) == Some(authority.as_str().as_bytes()),
            _ => false,
        }
    }

    fn build(kind: u8, authority: &AuthorityId, label: &str, value: &[u8]) -> Self {
        let mut w = Writer::new(&[kind]);
        for part in [authority.as_str(), label] {
            w.u8(u8::try_from(part.len()).unwrap_or(u8::MAX)).bytes(part.as_bytes());
        }
        w.u16(u16::try_from(value.len()).unwrap_or(u16::MAX)).bytes(value);
        Self(w.finish().into())
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Leaf({})", self.0.escape_ascii())
    }
}

fn is_prefix(numeric: Numeric, value: &[u8]) -> bool {
    let &[width, length, a, b, c, d] = value else {
        return false;
    };
    let prefix = u32::from_be_bytes([a, b, c, d]);
    let free = width.saturating_sub(length);
    let clear = u32::MAX.checked_shl(free.into()).unwrap_or(0);
    width == numeric.width() && length <= width && prefix <= numeric.max() && prefix & !clear == 0
}

/// A tree under construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Branch {
    Leaf(Leaf),
    Gate { k: usize, children: Vec<Branch> },
}

/// A node of a finished tree; indices point into [`AccessTree::nodes`] and [`AccessTree::leaves`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Leaf(usize),
    Gate { k: usize, children: Vec<usize> },
}

/// The expanded form of a policy under one authority: what a capsule is made for.
///
/// Its bytes are the tree in preorder, children as written: a leaf is `0 ‖ u16 length ‖ leaf`, a gate is
/// `1 ‖ u16 k ‖ u16 n ‖ children`. The share matrix, the labels and the use counts are functions of these bytes alone.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessTree {
    nodes: Vec<Node>,
    leaves: Vec<Leaf>,
    bytes: Vec<u8>,
}

impl AccessTree {
    /// Reads a tree strictly.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] over a limit (128 KiB, [`MAX_LEAVES`], depth), [`Error::Malformed`] for anything else that
    /// is not exactly one tree.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_TREE_BYTES {
            return Err(Error::TooLarge(WHAT));
        }
        let mut r = Reader::new(bytes, WHAT);
        let mut leaves = 0;
        let root = read(&mut r, 0, &mut leaves)?;
        r.finish()?;
        Self::from_branch(root)
    }

    pub(crate) fn from_branch(root: Branch) -> Result<Self> {
        let mut tree = Self { nodes: Vec::new(), leaves: Vec::new(), bytes: Vec::new() };
        let mut w = Writer::default();
        tree.add(root, 0, &mut w)?;
        tree.bytes = w.finish();
        if tree.bytes.len() > MAX_TREE_BYTES {
            return Err(Error::TooLarge(WHAT));
        }
        Ok(tree)
    }

    /// The tree in preorder bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The leaves in preorder: the rows of the share matrix.
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// Whether a key satisfies the tree; `has` says which leaves it holds.
    pub fn satisfied_by(&self, has: impl Fn(&Leaf) -> bool) -> bool {
        // Preorder puts children after their gate, so backwards they are known before it.
        let mut satisfied = vec![false; self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate().rev() {
            let holds = match node {
                Node::Leaf(i) => self.leaves.get(*i).is_some_and(&has),
                Node::Gate { k, children } => {
                    children.iter().filter(|child| satisfied.get(**child) == Some(&true)).count() >= *k
                }
            };
            if let Some(slot) = satisfied.get_mut(at) {
                *slot = holds;
            }
        }
        satisfied.first() == Some(&true)
    }

    /// The root is the first node.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The same tree over other leaves (blinding).
    pub(crate) fn map_leaves(&self, f: impl Fn(&Leaf) -> Leaf) -> Result<Self> {
        let mut w = Writer::default();
        for node in &self.nodes {
            match node {
                Node::Leaf(i) => {
                    let leaf = self.leaves.get(*i).ok_or(Error::Malformed(WHAT))?;
                    write_leaf(&mut w, &f(leaf))?;
                }
                Node::Gate { k, children } => write_gate(&mut w, *k, children.len())?,
            }
        }
        Self::decode(&w.finish())
    }

    fn add(&mut self, branch: Branch, depth: usize, w: &mut Writer) -> Result<usize> {
        if depth > MAX_TREE_DEPTH {
            return Err(Error::TooLarge(WHAT));
        }
        let at = self.nodes.len();
        match branch {
            Branch::Leaf(leaf) => {
                if self.leaves.len() == MAX_LEAVES {
                    return Err(Error::TooLarge(WHAT));
                }
                write_leaf(w, &leaf)?;
                self.nodes.push(Node::Leaf(self.leaves.len()));
                self.leaves.push(leaf);
            }
            Branch::Gate { k, children } => {
                if k == 0 || k > children.len() {
                    return Err(Error::Malformed(WHAT));
                }
                write_gate(w, k, children.len())?;
                self.nodes.push(Node::Gate { k, children: Vec::new() });
                let mut indices = Vec::with_capacity(children.len());
                for child in children {
                    indices.push(self.add(child, depth + 1, w)?);
                }
                if let Some(Node::Gate { children, .. }) = self.nodes.get_mut(at) {
                    *children = indices;
                }
            }
        }
        Ok(at)
    }
}

impl fmt::Debug for AccessTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessTree").field("leaves", &self.leaves.len()).finish_non_exhaustive()
    }
}

fn write_leaf(w: &mut Writer, leaf: &Leaf) -> Result<()> {
    let length = u16::try_from(leaf.as_bytes().len()).map_err(|_| Error::TooLarge("attribute"))?;
    w.u8(LEAF).u16(length).bytes(leaf.as_bytes());
    Ok(())
}

fn write_gate(w: &mut Writer, k: usize, n: usize) -> Result<()> {
    let small = |n| u16::try_from(n).map_err(|_| Error::TooLarge(WHAT));
    w.u8(GATE).u16(small(k)?).u16(small(n)?);
    Ok(())
}

/// Recursion is bounded by [`MAX_TREE_DEPTH`], allocation by the bytes at hand and [`MAX_LEAVES`].
fn read(r: &mut Reader<'_>, depth: usize, leaves: &mut usize) -> Result<Branch> {
    if depth > MAX_TREE_DEPTH {
        return Err(Error::TooLarge(WHAT));
    }
    match r.u8()? {
        LEAF => {
            *leaves += 1;
            if *leaves > MAX_LEAVES {
                return Err(Error::TooLarge(WHAT));
            }
            let length = r.u16()?;
            Ok(Branch::Leaf(Leaf::decode(r.take(length.into())?)?))
        }
        GATE => {
            let k = usize::from(r.u16()?);
            let n = usize::from(r.u16()?);
            if k == 0 || k > n {
                return Err(r.malformed());
            }
            if n > MAX_LEAVES {
                return Err(Error::TooLarge(WHAT));
            }
            let children = (0..n).map(|_| read(r, depth + 1, leaves)).collect::<Result<_>>()?;
            Ok(Branch::Gate { k, children })
        }
        _ => Err(r.malformed()),
    }
}

const WHAT: &str = "access tree";
