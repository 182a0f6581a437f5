//! Who may read: the policy language, and the attributes that keys hold.
//!
//! # The language
//!
//! ```text
//! policy     = and-list { "or" and-list }
//! and-list   = condition { "and" condition }
//! condition  = "(" policy ")"
//!            | count "of" "(" policy { "," policy } ")"       at least so many of them
//!            | label ":" value                                  the key has this attribute
//!            | label ( ">=" | "<=" | ">" | "<" | "=" ) literal  the key's value compares so
//!            | label "in" literal ".." literal                  within a range, both ends included
//!            | "user:" person                                   this person
//!            | "not" "user:" person                             anyone but this person
//! label      = a lower-case letter, then up to 63 of a-z 0-9 - _ .   except: and or not of in
//! value      = 1 to 255 of A-Z a-z 0-9 - _ . / +, or any text in "quotes", with \" and \\
//! literal    = number | date | month                             0 to 4294967295, 2027-03-31, 2027-03
//! person     = "#" number | value                                a number up to 16777215, or a name
//! ```
//!
//! - Spaces, tabs and line ends may stand between words, and nowhere around a colon.
//! - Case matters. Values are compared byte for byte; no Unicode normalisation is done. Quoted values refuse characters
//!   that are not seen: controls, format and text-direction characters, joiners, blanks, private use, line separators,
//!   what Unicode has not assigned, and every space but U+0020. Nor do they begin or end with a space or hold two
//!   together. So nothing is sealed that is not shown.
//!   Letters that look alike in two scripts, or are composed in two ways, are not told apart for the reader: where a
//!   policy decides much, keep its values to ASCII.
//! - A literal's form is its kind, and each kind is a name space of its own: a policy about the number `age` says
//!   nothing of a key with a date `age`. Dates are those of the proleptic Gregorian calendar from 0001-01-01 to
//!   9999-12-31, months are from 1970-01 to 2311-04.
//! - A key without a label meets no condition on it. That goes for `not user:#17` too: it wants another person, not
//!   the absence of one.
//! - `user` is for persons and `valid-until` for months; `label:value@authority` is reserved.
//! - `not` excludes persons and nothing else, because only those are covered by every key: the absence of any other
//!   attribute cannot be proved by a key.
//!
//! # Limits
//!
//! A text and its canonical form have at most [`MAX_TEXT`] bytes, are nested at most [`MAX_DEPTH`] deep and expand to at
//! most [`MAX_LEAVES`] leaves. All are checked before anything of that size is built.
//!
//! # A policy that can be written can be opened
//!
//! Conditions that leave no value of some label, such as `age > 65 and age < 18`, are refused wherever they stand. The
//! check takes each label on its own and is exact for it; conditions that exclude each other only through several labels
//! together are not found, since finding them all is NP-hard.

pub(crate) mod attribute;
mod check;
mod cover;
mod error;
mod implies;
mod literal;
mod parse;
mod scan;
mod syntax;
mod tree;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

pub use attribute::{Attributes, MAX_ATTRIBUTES, MAX_ATTRIBUTES_TEXT, MAX_LABEL, MAX_VALUE};
pub use error::{ParseError, ParseErrorKind};
pub use literal::{Month, PersonNumber};
#[cfg(test)]
pub(crate) use tree::Branch;
pub(crate) use tree::MAX_TREE_BYTES;
pub(crate) use tree::Node;
pub use tree::{AccessTree, Leaf, MAX_LEAVES};

use crate::error::Result;
use crate::id::AuthorityId;
use syntax::{Atom, Expr};

/// Most bytes in the text of a policy, as written and in its canonical form.
pub const MAX_TEXT: usize = 4096;
/// Deepest nesting of a policy.
pub const MAX_DEPTH: usize = 32;

/// Who may read, as a boolean formula over the attributes of a key. Always valid: see the [module](self) for the
/// language.
///
/// [`Display`](fmt::Display) writes the canonical text, which parses back to the equal policy. Nothing is sorted,
/// flattened or simplified: `(a:1 and b:2) and c:3` stays nested.
///
/// ```
/// use chartseal::policy::{Attributes, ParseErrorKind, Policy};
///
/// let policy: Policy = "role:doctor and (dept:icu or clearance >= 3) and not user:#17".parse()?;
/// let ada: Attributes = "role:doctor, dept:icu, user:#4".parse()?;
/// let bob: Attributes = "role:doctor, dept:icu, user:#17".parse()?;
/// assert!(policy.satisfied_by(&ada));
/// assert!(!policy.satisfied_by(&bob));
///
/// let text = "age > 65 and age < 18";
/// let error = text.parse::<Policy>().unwrap_err();
/// assert_eq!(error.kind(), &ParseErrorKind::Unsatisfiable);
/// assert_eq!(&text[error.span()], "age < 18");
/// # Ok::<(), chartseal::policy::ParseError>(())
/// ```
///
/// # Security
///
/// A policy that is put together from text of others can come to say something else. [`Attributes::new`] writes one
/// condition that stays one:
///
/// ```
/// use chartseal::policy::{Attributes, Policy};
///
/// let team = "blue or role:visitor";
/// let policy: Policy = format!("role:nurse and {}", Attributes::new("team", team)?).parse()?;
/// assert_eq!(policy.to_string(), r#"role:nurse and team:"blue or role:visitor""#);
/// assert!(!policy.satisfied_by(&"role:visitor".parse()?));
/// # Ok::<(), chartseal::policy::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy(Expr);

impl Policy {
    /// Parses a policy in which persons may stand by name; `resolve` gives their numbers. The policy holds numbers only.
    ///
    /// ```
    /// use chartseal::policy::{ParseErrorKind, PersonNumber, Policy};
    ///
    /// let bob = PersonNumber::new(17)?;
    /// let policy = Policy::parse_with("not user:dr-bob", |name| (name == "dr-bob").then_some(bob))?;
    /// assert_eq!(policy.to_string(), "not user:#17");
    ///
    /// let error = "not user:dr-bob".parse::<Policy>().unwrap_err();
    /// assert_eq!(error.kind(), &ParseErrorKind::UnknownPerson);
    /// # Ok::<(), chartseal::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The text is not in the language, is over a limit, cannot be satisfied, or holds a name that `resolve` does not
    /// know; the error underlines the place.
    pub fn parse_with(text: &str, resolve: impl Fn(&str) -> Option<PersonNumber>) -> Result<Self, ParseError> {
        let syntax = parse::parse(text, &resolve)?;
        check::check(&syntax).map_err(|(kind, span)| ParseError::new(kind, text, span))?;
        let policy = Self(syntax.strip());
        if policy.to_string().len() > MAX_TEXT {
            return Err(ParseError::new(ParseErrorKind::TooLong, text, 0..text.len()));
        }
        Ok(policy)
    }

    /// Whether a key with these attributes meets the policy.
    ///
    /// Plain boolean evaluation, for previews and tests; what keeps a record closed is the capsule.
    pub fn satisfied_by(&self, attributes: &Attributes) -> bool {
        self.0.satisfied_by(attributes)
    }

    /// The monotone form under one authority: what a capsule is made for.
    ///
    /// A text condition becomes one leaf, a numeric condition an OR of the prefixes that cover its values. Conditions on
    /// one label that stand side by side under an `and` become one cover, at the place of the first; so do several
    /// exclusions. The same policy always gives the same bytes.
    ///
    /// # Errors
    ///
    /// None for a policy that was parsed: its size was checked then.
    pub fn expand(&self, authority: &AuthorityId) -> Result<AccessTree> {
        cover::expand(&self.0, authority)
    }

    /// The persons behind `not user:…`, as written.
    pub fn exclusions(&self) -> impl Iterator<Item = PersonNumber> {
        let mut numbers = Vec::new();
        self.0.each(&mut |atom| {
            if let Atom::Not(number) = atom {
                numbers.push(*number);
            }
        });
        numbers.into_iter()
    }

    /// The policy closed to these people, too. Exclusions stand on one level, where one cover does for all of them.
    ///
    /// # Errors
    ///
    /// As [`Policy::parse_with`], without a place: nobody wrote the text.
    pub(crate) fn excluding(self, people: &BTreeSet<PersonNumber>) -> Result<Self, ParseError> {
        let new: Vec<PersonNumber> = people.iter().copied().filter(|person| !self.excludes(*person)).collect();
        if new.is_empty() {
            return Ok(self);
        }
        self.0.excluding(new.into_iter()).to_string().parse().map_err(ParseError::without_place)
    }

    /// The policy open to those as well who satisfy another; on one level, so that policies that grow one by one do not get
    /// deep, and with nothing twice.
    ///
    /// # Errors
    ///
    /// As [`Policy::parse_with`], without a place: nobody wrote the text.
    pub(crate) fn or(self, other: Self) -> Result<Self, ParseError> {
        Self(self.0.or(other.0)).to_string().parse().map_err(ParseError::without_place)
    }

    /// The policy without the exclusions of a person that stand beside everything else, if there is anything else. What one
    /// branch excludes stays.
    pub(crate) fn without_exclusion(self, person: PersonNumber) -> Self {
        Self(self.0.clone().without_exclusion(person).unwrap_or(self.0))
    }

    /// Whether a condition is for this very person.
    pub(crate) fn names(&self, person: PersonNumber) -> bool {
        self.0.names(person)
    }

    /// Whether the policy is closed to a person whatever else she shows. An exclusion in one branch of an `or` does not
    /// do that.
    pub(crate) fn excludes(&self, person: PersonNumber) -> bool {
        self.0.excludes(person)
    }
}

impl FromStr for Policy {
    type Err = ParseError;

    /// Parses a policy in which persons stand by number.
    ///
    /// # Errors
    ///
    /// As [`Policy::parse_with`]; every name is unknown.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse_with(text, |_| None)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
