//! What a key, a value and a batch may be.

use super::{Op, StoreError, StoreFailure};

/// Longest key, in bytes.
pub const MAX_KEY: usize = 512;
/// Longest value, in bytes.
pub const MAX_VALUE: usize = 8 << 20;

/// What a batch may hold, and what is left of one that failed: an adapter says what its engine can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most changes in a batch, one at least.
    pub ops: usize,
    /// Most bytes of keys and values in a batch. One value of [`MAX_VALUE`] with its key fits in every store.
    pub bytes: usize,
    /// What is left of a batch that failed.
    pub order: Order,
}

/// What is left of a batch that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The changes that were made come before all that were not: a transaction, or one change after the other. What needs
    /// an order is written in one batch. Whoever reads meanwhile sees no change without those that stand before it.
    Prefix,
    /// Any of them. What needs an order is written in several batches.
    Any,
}

impl Limits {
    /// Whether a batch that holds so much may have this, too.
    pub(crate) fn take(&self, (ops, bytes): (usize, usize), op: &Op) -> bool {
        ops < self.ops && bytes.saturating_add(op.size()) <= self.bytes
    }
}

/// Whether each of these is a key. Adapters ask this before they do anything.
///
/// # Errors
///
/// [`StoreFailure::Refused`].
pub fn check_keys(keys: &[String]) -> Result<(), StoreError> {
    if keys.iter().all(|key| is_key(key)) { Ok(()) } else { Err(refused("not a key")) }
}

/// Whether this is a prefix of keys: empty, or whole segments, each with its `/`. Adapters ask this before they list.
///
/// # Errors
///
/// [`StoreFailure::Refused`].
pub fn check_prefix(prefix: &str) -> Result<(), StoreError> {
    match prefix.strip_suffix('/') {
        Some(key) if is_key(key) => Ok(()),
        None if prefix.is_empty() => Ok(()),
        _ => Err(refused("not a prefix")),
    }
}

/// Whether a batch is one: within the limits, each key one and named once, and each value within its limit. Adapters ask
/// this before they do anything.
///
/// # Errors
///
/// [`StoreFailure::Refused`].
pub fn check_ops(ops: &[Op], limits: &Limits) -> Result<(), StoreError> {
    let mut bytes = 0_usize;
    for op in ops {
        if !is_key(op.key()) {
            return Err(refused("not a key"));
        }
        if let Op::Put { value, .. } | Op::Swap { value, .. } = op
            && value.len() > MAX_VALUE
        {
            return Err(refused("a value over the limit"));
        }
        bytes = bytes.saturating_add(op.size());
    }
    if ops.len() > limits.ops || bytes > limits.bytes {
        return Err(refused("a batch over the limit"));
    }
    // Jobs write in ascending order, which costs nothing to look at.
    let ascending = ops.windows(2).all(|pair| matches!(pair, [one, next] if one.key() < next.key()));
    if !ascending {
        let mut keys: Vec<&str> = ops.iter().map(Op::key).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| matches!(pair, [one, next] if one == next)) {
            return Err(refused("a batch that names a key twice"));
        }
    }
    Ok(())
}

/// Whether it is a path of segments that no file system takes for another.
fn is_key(key: &str) -> bool {
    if key.len() > MAX_KEY {
        return false;
    }
    // One pass and a table, since every key of every call is looked at.
    let (mut length, mut dots) = (0, 0);
    for byte in key.bytes().chain([b'/']) {
        if byte == b'/' {
            if length == 0 || (length <= 2 && length == dots) {
                return false;
            }
            (length, dots) = (0, 0);
        } else if PLAIN.get(usize::from(byte)) == Some(&true) {
            length += 1;
            dots += usize::from(byte == b'.');
        } else {
            return false;
        }
    }
    true
}

/// Which bytes a segment may hold.
const PLAIN: [bool; 256] = {
    let (mut plain, mut byte) = ([false; 256], 0_u8);
    loop {
        #[expect(clippy::indexing_slicing, reason = "a byte is less than 256, and this runs when it is compiled")]
        {
            plain[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
        }
        if byte == u8::MAX {
            break plain;
        }
        byte += 1;
    }
};

fn refused(text: &str) -> StoreError {
    StoreError::new(StoreFailure::Refused, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_path_of_plain_segments() {
        let long = "k".repeat(MAX_KEY);
        for good in ["a", "a/b", "A-_.:9/...", ".a", &long] {
            assert_eq!(check_keys(&[good.to_owned()]), Ok(()), "{good}");
        }
        for bad in ["", "/", "a/", "/a", "a//b", ".", "..", "a/../b", "a/./b", "a~b", "a b", "é", "a\0", "a%2f", "a\\b"]
        {
            assert!(check_keys(&[bad.to_owned()]).is_err(), "{bad:?}");
        }
        assert!(check_keys(&[format!("{long}k")]).is_err());
        assert_eq!(check_prefix("").and_then(|()| check_prefix("a/b/")), Ok(()));
        for bad in ["a", "/", "a//", "../", "a/.."] {
            assert!(check_prefix(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_batch_names_a_key_once_and_keeps_its_limits() {
        let put = |key: &str| Op::Put { key: key.to_owned(), value: vec![0; 10] };
        let limits = Limits { ops: 3, bytes: 33, order: Order::Any };
        assert_eq!(check_ops(&[put("c"), put("a"), put("b")], &limits), Ok(()));
        assert!(check_ops(&[put("c"), put("a"), put("c")], &limits).is_err());
        assert!(check_ops(&[put("a"), put("b"), put("c"), put("d")], &limits).is_err());
        assert!(check_ops(&[put("aa"), put("b"), put("c")], &limits).is_err());
        let whole = Limits { ops: 1, bytes: usize::MAX, order: Order::Any };
        let value = |length| [Op::Put { key: "a".to_owned(), value: vec![0; length] }];
        assert_eq!(check_ops(&value(MAX_VALUE), &whole), Ok(()));
        assert!(check_ops(&value(MAX_VALUE + 1), &whole).is_err());
    }
}
