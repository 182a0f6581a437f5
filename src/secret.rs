//! The one secret type.

use std::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, zeroize_stack};

use crate::error::{Error, Result};

/// A secret value: on the heap, wiped when dropped, never printed, compared in constant time.
///
/// What is wiped is the heap. The KEM wipes the stack below it, too, when it is done. Other copies that computations leave
/// on the stack and in registers, this crate's and its dependencies', are wiped where they are named, and otherwise
/// overwritten by whatever comes next.
///
/// It has no `Clone`, no `PartialEq` and no serde on purpose; [`Secret::expose`] is the one way to the value.
///
/// # Example
///
/// ```
/// use chartseal::Secret;
///
/// let key = Secret::new([7u8; 32]);
/// assert_eq!(format!("{key:?}"), "Secret(..)");
/// assert!(key.ct_eq(&Secret::new([7u8; 32])));
/// assert!(!key.ct_eq(&Secret::new([8u8; 32])));
/// ```
pub struct Secret<T: Zeroize>(Box<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes the value over. The caller's own copy, if the value is `Copy`, is the caller's to wipe; prefer
    /// [`Secret::build`] where the value is made in place.
    pub fn new(value: T) -> Self {
        Self(Box::new(value))
    }

    /// Shows the value. Keep the borrow short, and wipe what you copy out of it.
    pub fn expose(&self) -> &T {
        &self.0
    }

    pub(crate) fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<const N: usize> Secret<[u8; N]> {
    /// Makes `N` bytes in place, so that no copy is left on the stack.
    pub fn build(fill: impl FnOnce(&mut [u8; N])) -> Self {
        let mut secret = Self(Box::new([0; N]));
        fill(&mut secret.0);
        secret
    }

    /// Draws `N` bytes from the operating system.
    ///
    /// # Errors
    ///
    /// [`Error::Randomness`] when the operating system gives none.
    pub fn random() -> Result<Self> {
        let mut secret = Self(Box::new([0; N]));
        getrandom::fill(secret.0.as_mut_slice()).map_err(|_| Error::Randomness)?;
        Ok(secret)
    }

    /// Another copy, wiped like the first. Spelled out, since every copy is one more place to leak from.
    pub fn duplicate(&self) -> Self {
        Self::build(|bytes| bytes.copy_from_slice(self.expose()))
    }

    /// Compares in constant time.
    pub fn ct_eq(&self, other: &Self) -> bool {
        let equal: Choice = self.0.as_slice().ct_eq(other.0.as_slice());
        equal.into()
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Does work with secrets, and wipes the stack that it used: what compiled code leaves there is not for the source to say.
///
/// What the work gives back goes through the caller's frame: secrets in it have to be on the heap.
pub(crate) fn wiping_stack<T>(work: impl FnOnce() -> T) -> T {
    let out = below(work);
    zeroize_stack::<WIPED_STACK>();
    out
}

/// A frame of its own, so that all of the work lies below the caller's.
#[inline(never)]
fn below<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Deeper than any work that is done so goes, which `tests/memory` measures.
const WIPED_STACK: usize = 40 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    struct Witness<'a>(&'a AtomicBool);

    impl Zeroize for Witness<'_> {
        fn zeroize(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_dropped_secret_is_zeroized() {
        let wiped = AtomicBool::new(false);
        drop(Secret::new(Witness(&wiped)));
        assert!(wiped.load(Ordering::SeqCst));
    }

    #[test]
    fn two_random_secrets_differ() {
        let one = Secret::<[u8; 32]>::random().unwrap();
        let two = Secret::<[u8; 32]>::random().unwrap();
        assert!(!one.ct_eq(&two));
    }
}
