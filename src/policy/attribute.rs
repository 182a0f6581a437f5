//! What a key holds: text attributes, and one value per numeric label.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::error::{ParseError, ParseErrorKind as Kind};
use super::literal::{Literal, Month, PersonNumber};
use super::scan::{KEYWORDS, Scanner, USER, VALID_UNTIL, is_operator, is_word};
use super::syntax::Atom;
use super::tree::{Leaf, MAX_LEAVES, Numeric};
use crate::id::AuthorityId;
use crate::visible::{Fault, Watch};

/// Most bytes in a label.
pub const MAX_LABEL: usize = 64;
/// Most bytes in a text value.
pub const MAX_VALUE: usize = 255;
/// Most attributes in one set: as many as a policy has leaves, so that a key can meet whatever a policy asks.
pub const MAX_ATTRIBUTES: usize = MAX_LEAVES;
/// Most bytes in the text of an attribute set.
pub const MAX_ATTRIBUTES_TEXT: usize = 16 * 1024;

/// The attributes of one key: at least one, at most [`MAX_ATTRIBUTES`].
///
/// Written as a list: `label:value` (a label may have several values), `label = literal` (a label has one number, date
/// or month), and the reserved `user:#17` and `valid-until = 2027-03`. Labels, values and literals are those of
/// [`Policy`](super::Policy). [`Display`](fmt::Display) writes the list sorted; it parses back to the same value.
///
/// ```
/// use chartseal::policy::{Attributes, ParseErrorKind};
///
/// let key: Attributes = "role:doctor, clearance = 3, valid-until = 2027-03, user:#17".parse()?;
/// assert_eq!(key.to_string(), "role:doctor, clearance = 3, user:#17, valid-until = 2027-03");
///
/// let text = "clearance = 3, clearance = 4";
/// let error = text.parse::<Attributes>().unwrap_err();
/// assert_eq!(error.kind(), &ParseErrorKind::DuplicateLabel);
/// assert_eq!(&text[error.span()], "clearance = 4");
/// # Ok::<(), chartseal::policy::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    text: BTreeMap<String, BTreeSet<String>>,
    numeric: BTreeMap<String, Literal>,
}

impl Attributes {
    /// The set of one text attribute; there is no empty set.
    ///
    /// For names that come from a database: unlike a formatted text, it cannot be made to say more than one attribute.
    ///
    /// ```
    /// use chartseal::policy::Attributes;
    ///
    /// let key = Attributes::new("role", "nurse, role:doctor")?;
    /// assert_eq!(key.to_string(), r#"role:"nurse, role:doctor""#);
    /// assert!(Attributes::new("Role", "nurse").is_err());
    /// # Ok::<(), chartseal::policy::ParseError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`with_text`](Self::with_text).
    pub fn new(label: &str, value: &str) -> Result<Self, ParseError> {
        Self { text: BTreeMap::new(), numeric: BTreeMap::new() }.with_text(label, value)
    }

    /// Adds `label:value`.
    ///
    /// # Errors
    ///
    /// The label or value is not one of the language, the label is reserved, the attribute is already there, or the set
    /// is over a limit. The span is within the label or value that is wrong.
    pub fn with_text(mut self, label: &str, value: &str) -> Result<Self, ParseError> {
        check_label(label)?;
        if let Some((kind, span)) = value_fault(value) {
            return Err(ParseError::new(kind, value, span));
        }
        self.insert_text(label.to_owned(), value.to_owned()).map_err(|kind| at_label(kind, label))?;
        self.within_limits(label)
    }

    /// Adds `label = number`.
    ///
    /// # Errors
    ///
    /// The label is not one of the language or is reserved, it has a value already, or the set is over a limit. The span
    /// is within the label.
    pub fn with_number(mut self, label: &str, number: u32) -> Result<Self, ParseError> {
        check_label(label)?;
        self.insert_numeric(label.to_owned(), Literal { kind: Numeric::Number, value: number })
            .map_err(|kind| at_label(kind, label))?;
        self.within_limits(label)
    }

    /// Adds `user:#number`.
    ///
    /// # Errors
    ///
    /// The set names a person already, or is over a limit.
    pub fn with_person(mut self, number: PersonNumber) -> Result<Self, ParseError> {
        self.insert_numeric(USER.to_owned(), Literal { kind: Numeric::Person, value: number.get() })
            .map_err(|kind| at_label(kind, USER))?;
        self.within_limits(USER)
    }

    /// Adds `valid-until = month`.
    ///
    /// # Errors
    ///
    /// The set has such a month already, or is over a limit.
    pub fn with_valid_until(mut self, month: Month) -> Result<Self, ParseError> {
        self.insert_numeric(VALID_UNTIL.to_owned(), Literal { kind: Numeric::Month, value: month.count() })
            .map_err(|kind| at_label(kind, VALID_UNTIL))?;
        self.within_limits(VALID_UNTIL)
    }

    /// The person who holds the key.
    pub fn person(&self) -> Option<PersonNumber> {
        self.numeric(USER).and_then(|literal| PersonNumber::new(literal.value).ok())
    }

    /// The last month in which the key opens what is newly sealed.
    pub fn valid_until(&self) -> Option<Month> {
        self.numeric(VALID_UNTIL).map(|literal| Month::from_count(literal.value))
    }

    /// What a key for these attributes under `authority` consists of, sorted and each once: a text attribute is one
    /// leaf, an n-bit value is its n + 1 prefixes (33 for a number or a date, 13 for a month, 25 for a person).
    pub fn leaves(&self, authority: &AuthorityId) -> Vec<Leaf> {
        let text = self.text().map(|(label, value)| Leaf::text(authority, label, value));
        let numeric = self.numeric.iter().flat_map(|(label, literal)| {
            let prefix = |length| Leaf::prefix(authority, literal.kind, label, literal.value, length);
            (0..=literal.kind.width()).map(prefix)
        });
        let mut leaves: Vec<Leaf> = text.chain(numeric).collect();
        leaves.sort_unstable();
        leaves.dedup();
        leaves
    }

    pub(super) fn has_text(&self, label: &str, value: &str) -> bool {
        self.text.get(label).is_some_and(|values| values.contains(value))
    }

    pub(super) fn numeric(&self, label: &str) -> Option<Literal> {
        self.numeric.get(label).copied()
    }

    fn text(&self) -> impl Iterator<Item = (&str, &str)> {
        self.text.iter().flat_map(|(label, values)| values.iter().map(move |value| (label.as_str(), value.as_str())))
    }

    fn len(&self) -> usize {
        self.text().count() + self.numeric.len()
    }

    fn insert_text(&mut self, label: String, value: String) -> Result<(), Kind> {
        if self.len() == MAX_ATTRIBUTES {
            return Err(Kind::TooManyAttributes);
        }
        if self.text.entry(label).or_default().insert(value) { Ok(()) } else { Err(Kind::DuplicateAttribute) }
    }

    fn insert_numeric(&mut self, label: String, literal: Literal) -> Result<(), Kind> {
        if self.len() == MAX_ATTRIBUTES {
            return Err(Kind::TooManyAttributes);
        }
        if self.numeric.insert(label, literal).is_none() { Ok(()) } else { Err(Kind::DuplicateLabel) }
    }

    fn within_limits(self, label: &str) -> Result<Self, ParseError> {
        if self.to_string().len() > MAX_ATTRIBUTES_TEXT { Err(at_label(Kind::TooLong, label)) } else { Ok(self) }
    }
}

impl FromStr for Attributes {
    type Err = ParseError;

    /// Reads a list of attributes.
    ///
    /// # Errors
    ///
    /// Anything that is not exactly such a list, at most 16 KiB long; the error underlines the place.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut scan = Scanner::new(text, MAX_ATTRIBUTES_TEXT)?;
        let mut attributes = Self { text: BTreeMap::new(), numeric: BTreeMap::new() };
        loop {
            scan.skip_space();
            let start = scan.at();
            let inserted = attribute(&mut scan, &mut attributes)?;
            inserted.map_err(|kind| scan.error(kind, start..scan.at()))?;
            scan.skip_space();
            if scan.peek().is_none() {
                break;
            }
            let Some(comma) = scan.eat(",") else {
                return Err(scan.error(Kind::ExpectedComma, scan.extent()));
            };
            scan.skip_space();
            if scan.peek().is_none() {
                return Err(scan.error(Kind::TrailingComma, comma));
            }
        }
        if attributes.to_string().len() > MAX_ATTRIBUTES_TEXT {
            return Err(scan.error(Kind::TooLong, 0..text.len()));
        }
        Ok(attributes)
    }
}

/// Reads one attribute; the inner result says whether the set takes it.
fn attribute(scan: &mut Scanner<'_>, attributes: &mut Attributes) -> Result<Result<(), Kind>, ParseError> {
    let inserted = match scan.peek() {
        Some(c) if is_word(c) => {
            let word = scan.word();
            if scan.peek() == Some(':') {
                match scan.tagged(&word, &|_| None)? {
                    Atom::Text { label, value } => attributes.insert_text(label, value),
                    Atom::Person(number) => attributes
                        .insert_numeric(USER.to_owned(), Literal { kind: Numeric::Person, value: number.get() }),
                    _ => return Err(scan.error(Kind::UnexpectedCharacter, word)),
                }
            } else {
                if scan.slice(&word) == "not" {
                    return Err(scan.error(Kind::MisplacedNot, word));
                }
                let label = scan.label(&word)?.to_owned();
                let space = scan.skip_space();
                let sign = scan.operator();
                match (scan.slice(&sign), scan.peek()) {
                    ("=", _) if label == USER => return Err(scan.error(Kind::ReservedLabel, word)),
                    ("=", _) => {
                        let (literal, _) = scan.literal(&label, &sign)?;
                        attributes.insert_numeric(label, literal)
                    }
                    ("", Some(':')) => return Err(scan.error(Kind::SpaceAroundColon, space)),
                    ("", None | Some(',')) => return Err(scan.error(Kind::BareWord, word)),
                    ("", Some(c)) if is_word(c) => return Err(scan.error(Kind::BareWord, word)),
                    ("", Some(_)) => return Err(scan.error_here(Kind::UnexpectedCharacter)),
                    _ => return Err(scan.error(Kind::UnknownOperator, sign)),
                }
            }
        }
        Some(':') => return Err(scan.error_here(Kind::MissingLabel)),
        Some(c) if is_operator(c) => {
            let sign = scan.operator();
            return Err(scan.error(Kind::MissingLabel, sign));
        }
        None | Some(',') => return Err(scan.error_here(Kind::ExpectedCondition)),
        Some(_) => return Err(scan.error_here(Kind::UnexpectedCharacter)),
    };
    scan.no_authority()?;
    Ok(inserted)
}

impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for (label, value) in self.text() {
            f.write_str(between)?;
            write_text(f, label, value)?;
            between = ", ";
        }
        for (label, literal) in &self.numeric {
            let sign = if literal.kind == Numeric::Person { ":" } else { " = " };
            write!(f, "{between}{label}{sign}{literal}")?;
            between = ", ";
        }
        Ok(())
    }
}

/// Writes `label:value`, quoted only if it must be.
pub(super) fn write_text(f: &mut fmt::Formatter<'_>, label: &str, value: &str) -> fmt::Result {
    if value.chars().all(is_plain) {
        return write!(f, "{label}:{value}");
    }
    write!(f, "{label}:\"")?;
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            f.write_str("\\")?;
        }
        write!(f, "{c}")?;
    }
    f.write_str("\"")
}

/// Whether `label` can stand before a colon or a comparison.
pub(crate) fn is_label(label: &str) -> bool {
    let begins = label.starts_with(|c: char| c.is_ascii_lowercase());
    let holds = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    begins && label.len() <= MAX_LABEL && label.bytes().all(holds) && !KEYWORDS.contains(&label)
}

/// Whether `value` can stand, quoted if need be, after a colon.
pub(crate) fn is_value(value: &str) -> bool {
    value_fault(value).is_none()
}

/// Whether leaves with this label and kind (`None` for text) exist.
pub(crate) fn is_kind_of(label: &str, kind: Option<Numeric>) -> bool {
    match label {
        USER => kind == Some(Numeric::Person),
        VALID_UNTIL => kind == Some(Numeric::Month),
        _ => kind != Some(Numeric::Person),
    }
}

/// Whether a character needs no quotation marks in a value.
pub(super) fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '+')
}

fn value_fault(value: &str) -> Option<(Kind, Range<usize>)> {
    if value.is_empty() {
        return Some((Kind::MissingValue, 0..0));
    }
    if value.len() > MAX_VALUE {
        return Some((Kind::ValueTooLong, 0..value.len()));
    }
    let mut watch = Watch::new();
    for (at, c) in value.char_indices() {
        if let Some(fault) = watch.see(c) {
            return Some((fault_kind(fault), at..at + c.len_utf8()));
        }
    }
    watch.ends_in_space().then(|| (Kind::MisplacedSpace, value.len() - 1..value.len()))
}

/// What the language says of a character that does not show what it is.
pub(super) fn fault_kind(fault: Fault) -> Kind {
    match fault {
        Fault::Hidden => Kind::ForbiddenCharacter,
        Fault::Space => Kind::MisplacedSpace,
    }
}

fn check_label(label: &str) -> Result<(), ParseError> {
    if is_label(label) && label != USER && label != VALID_UNTIL {
        return Ok(());
    }
    let kind = match label {
        USER | VALID_UNTIL => Kind::ReservedLabel,
        _ if KEYWORDS.contains(&label) => Kind::ReservedWord,
        _ if label.len() > MAX_LABEL => Kind::LabelTooLong,
        _ => Kind::InvalidLabel,
    };
    Err(at_label(kind, label))
}

fn at_label(kind: Kind, label: &str) -> ParseError {
    ParseError::new(kind, label, 0..label.len())
}
