//! An opened record.

use std::fmt;
use std::ops::Deref;

use zeroize::Zeroizing;

use crate::seal::FieldPath;

/// One opened value; wiped when dropped, never printed.
pub struct Value(Zeroizing<Vec<u8>>);

impl Value {
    pub(super) fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

impl Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Value {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(..)")
    }
}

/// The values of an opened record, by path. They are wiped when it is dropped.
pub struct View(Vec<(FieldPath, Value)>);

impl View {
    // INVARIANT: sorted by path, each path once; it comes out of a sorted map.
    pub(super) fn new(fields: Vec<(FieldPath, Value)>) -> Self {
        Self(fields)
    }

    /// The value at `path`, if the record has one there.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        let index = self.0.binary_search_by(|(at, _)| at.as_str().cmp(path)).ok()?;
        self.0.get(index).map(|(_, value)| &**value)
    }

    /// All values, in the order of their paths.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&FieldPath, &[u8])> {
        self.0.iter().map(|(path, value)| (path, &**value))
    }

    /// How many values there are: one at least.
    #[expect(clippy::len_without_is_empty, reason = "a record has a field")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// Tells paths, no values.
impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("View")?;
        f.debug_list().entries(self.0.iter().map(|(path, _)| path.as_str())).finish()
    }
}
