//! Who may read: the policy language.

pub(crate) mod attribute;
mod tree;

pub use tree::{AccessTree, Leaf, MAX_LEAVES};
pub(crate) use tree::{Branch, Node, Numeric};

/// Deepest nesting of a policy.
pub const MAX_DEPTH: usize = 32;

/// Placeholder until the language lands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parse error")]
pub struct ParseError;
