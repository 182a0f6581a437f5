//! Where a field stands in its record.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::visible;

/// Longest path, in bytes.
pub const MAX_PATH: usize = 512;

/// The path of a field: a JSON pointer ([RFC 6901]) such as `/diagnosis` or `/contact/0/name`.
///
/// One to [`MAX_PATH`] bytes, beginning with `/`, every `~` followed by `0` or `1`, no character that is not seen, and
/// between two `/` no space at an end or after another: what [values](crate::policy) refuse. The pointer to the whole
/// document, `""`, is no field. Paths compare and sort by their bytes. A path stands in the open beside its
/// sealed value: it names a kind of fact, never a fact.
///
/// # Example
///
/// ```
/// use chartseal::seal::FieldPath;
///
/// assert_eq!("/a~1b/0".parse::<FieldPath>()?.as_str(), "/a~1b/0");
/// assert!("diagnosis".parse::<FieldPath>().is_err());
/// assert!("/a~2".parse::<FieldPath>().is_err());
/// # Ok::<(), chartseal::Error>(())
/// ```
///
/// [RFC 6901]: https://www.rfc-editor.org/rfc/rfc6901
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FieldPath(Cow<'static, str>);

impl FieldPath {
    /// The one path that is no pointer: how the fields stood together in the document that they were taken from. A
    /// pointer begins with `/`, so none collides with it.
    pub const LAYOUT: Self = Self(Cow::Borrowed("#layout"));

    /// Checks and takes over a pointer, or the path of [`FieldPath::LAYOUT`].
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if it is neither.
    pub fn new(path: impl Into<String>) -> Result<Self> {
        let path = path.into();
        if path == Self::LAYOUT.0 {
            Ok(Self::LAYOUT)
        } else if is_pointer(&path) {
            Ok(Self(Cow::Owned(path)))
        } else {
            Err(Error::Malformed(WHAT))
        }
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FieldPath {
    type Err = Error;

    fn from_str(path: &str) -> Result<Self> {
        Self::new(path)
    }
}

impl TryFrom<String> for FieldPath {
    type Error = Error;

    fn try_from(path: String) -> Result<Self> {
        Self::new(path)
    }
}

impl TryFrom<&str> for FieldPath {
    type Error = Error;

    fn try_from(path: &str) -> Result<Self> {
        Self::new(path)
    }
}

impl From<FieldPath> for String {
    fn from(path: FieldPath) -> Self {
        path.0.into_owned()
    }
}

impl Borrow<str> for FieldPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldPath({:?})", self.as_str())
    }
}

fn is_pointer(path: &str) -> bool {
    path.len() <= MAX_PATH
        && path.starts_with('/')
        && path.split('/').all(visible::is_visible)
        && path.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']))
}

const WHAT: &str = "field path";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_json_pointer_or_refused() {
        for good in ["/", "/a", "/a/0/b", "//", "/a~0b~1c", "/é.ü$"] {
            assert_eq!(FieldPath::new(good).unwrap().to_string(), good);
        }
        for bad in [
            "", "a", "#layouts", "#/a", "/a~", "/~2", "/a~~0", "/a\0", "/a\n", "/a\u{85}", " /a", "/ a", "/a ",
            "/a /b", "/a  b",
        ] {
            assert_eq!(FieldPath::new(bad), Err(Error::Malformed("field path")), "{bad:?}");
        }
        assert!(FieldPath::new(format!("/{}", "x".repeat(MAX_PATH - 1))).is_ok());
        assert!(FieldPath::new(format!("/{}", "x".repeat(MAX_PATH))).is_err());
    }

    #[test]
    fn only_the_layout_stands_beside_pointers() {
        assert_eq!(serde_json::from_str::<FieldPath>("\"#layout\"").unwrap(), FieldPath::LAYOUT);
        assert_eq!(serde_json::to_string(&FieldPath::LAYOUT).unwrap(), "\"#layout\"");
        for bad in ["\"#other\"", "\"\"", "\"a\"", "7", "[\"/a\"]"] {
            assert!(serde_json::from_str::<FieldPath>(bad).is_err(), "{bad}");
        }
    }
}
