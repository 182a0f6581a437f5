//! What a policy or attribute text fails with, and where.

use std::fmt;
use std::ops::Range;

use crate::visible;

/// Longest excerpt of the input in a message, in characters before escaping.
const EXCERPT: usize = 40;
/// Characters that [`ParseError::render`] shows on either side of the place.
const WINDOW: usize = 60;

/// A policy or attribute text is not in the language; it says what is wrong and underlines where.
///
/// ```
/// use chartseal::policy::{ParseErrorKind, Policy};
///
/// let text = "role:doctor AND dept:icu";
/// let error = text.parse::<Policy>().unwrap_err();
/// assert_eq!(error.kind(), &ParseErrorKind::UnknownOperator);
/// assert_eq!(&text[error.span()], "AND");
/// assert_eq!(error.render(text), "\
/// role:doctor AND dept:icu
///             ^^^ unknown operator; conditions are joined by lower-case `and` and `or`");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    kind: ParseErrorKind,
    /// None for what is wrong with no text that anybody gave.
    span: Option<Range<usize>>,
    found: String,
}

impl ParseError {
    pub(super) fn new(kind: ParseErrorKind, text: &str, span: Range<usize>) -> Self {
        let start = boundary(text, span.start);
        let span = start..boundary(text, span.end).max(start);
        let underlined = text.get(span.clone()).unwrap_or_default();
        let mut found: String = underlined.chars().take(EXCERPT).map(escape).collect();
        if underlined.chars().nth(EXCERPT).is_some() {
            found.push_str("...");
        }
        Self { kind, span: Some(span), found }
    }

    /// The same of a text that was put together here: its places say nothing to whoever wrote other texts.
    pub(crate) fn without_place(self) -> Self {
        Self { span: None, found: String::new(), ..self }
    }

    /// The same of all that somebody wrote, of which the text with the mistake was made.
    pub(crate) fn of_all(kind: ParseErrorKind, text: &str) -> Self {
        Self::new(kind, text, 0..text.len())
    }

    /// What is wrong.
    pub fn kind(&self) -> &ParseErrorKind {
        &self.kind
    }

    /// Where, in bytes of the input: within it and on character boundaries. Empty at the end of an input that stops
    /// too early. `0..0` if what is wrong came about without any input: a policy that was said before does not fit any more
    /// with those who are excluded since.
    pub fn span(&self) -> Range<usize> {
        self.span.clone().unwrap_or_default()
    }

    /// The line of `text` that holds the place, carets beneath it, and what is wrong.
    ///
    /// `text` is the input that was parsed. Long lines are cut around the place, and characters that could disturb a
    /// terminal are shown as `?`, so the result is at most two short lines whatever the input held.
    pub fn render(&self, text: &str) -> String {
        let span = self.span();
        let start = boundary(text, span.start);
        let end = boundary(text, span.end).max(start);
        let (before, rest) = text.split_at_checked(start).unwrap_or((text, ""));
        let (marked, after) = rest.split_at_checked(end - start).unwrap_or((rest, ""));
        let before = before.rsplit('\n').next().unwrap_or_default();
        let hidden = before.chars().count().saturating_sub(WINDOW);
        let before: String = before.chars().skip(hidden).map(visible).collect();
        let marked = marked.split('\n').next().unwrap_or_default();
        let cut = marked.chars().nth(WINDOW).is_some();
        let marked: String = marked.chars().take(WINDOW).map(visible).collect();
        let after = if cut { "" } else { after.split('\n').next().unwrap_or_default() };
        let after: String = after.chars().take(WINDOW).map(visible).collect();
        let indent = " ".repeat(before.chars().count());
        let carets = "^".repeat(marked.chars().count().max(1));
        format!("{before}{marked}{after}\n{indent}{carets} {}", self.kind)
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(span) = &self.span else {
            return write!(f, "{}", self.kind);
        };
        write!(f, "{} at byte {}", self.kind, span.start)?;
        if self.found.is_empty() { Ok(()) } else { write!(f, ": `{}`", self.found) }
    }
}

impl std::error::Error for ParseError {}

/// The largest character boundary of `text` that is not above `at`.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn escape(c: char) -> String {
    match c {
        '`' => c.escape_unicode().to_string(),
        ' ' | '"' | '\'' => c.to_string(),
        _ => c.escape_default().to_string(),
    }
}

fn visible(c: char) -> char {
    if matches!(c, '\t' | '\r') {
        ' '
    } else if !visible::is_shown(c) {
        '?'
    } else {
        c
    }
}

/// The ways in which a policy or attribute text can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The text holds nothing but white space. Neither a policy that anyone meets nor a key without attributes exists.
    #[error("the text is empty")]
    Empty,
    /// The text, or its canonical form, is over its limit: 4 KiB for a policy, 16 KiB for attributes.
    #[error("the text or its canonical form is too long")]
    TooLong,
    /// Parentheses, or the tree that results, are nested deeper than 32.
    #[error("nested too deep, over 32 levels")]
    TooDeep,
    /// The policy expands to more than 512 leaves; the span is the condition that crosses the limit. A comparison costs
    /// up to 31 leaves, a range up to 62.
    #[error("the policy expands to more than 512 leaves")]
    TooManyLeaves,
    /// As [`TooManyLeaves`](Self::TooManyLeaves), but without its exclusions (`not user:…`) the policy would fit.
    #[error("the exclusions expand to more leaves than the 512 of a policy")]
    TooManyExclusions,
    /// More than 512 attributes in one set.
    #[error("more than 512 attributes")]
    TooManyAttributes,
    /// A character that nothing in the language begins with at this place. Outside quotes the language is ASCII.
    #[error("unexpected character")]
    UnexpectedCharacter,
    /// A condition is missing: the text ends, a parenthesis closes or a keyword stands where one must be.
    #[error("expected a condition")]
    ExpectedCondition,
    /// Text follows a whole condition without `and` or `or` between them.
    #[error("expected `and` or `or` before this")]
    ExpectedOperator,
    /// Text follows a whole attribute without a comma between them.
    #[error("expected a comma before this")]
    ExpectedComma,
    /// Not an operator of the language, such as `AND`, `&&`, `||`, `!`, `!=` or `==`.
    #[error("unknown operator; conditions are joined by lower-case `and` and `or`")]
    UnknownOperator,
    /// `(` without its `)`.
    #[error("unclosed parenthesis")]
    UnclosedParenthesis,
    /// `)` without its `(`.
    #[error("unmatched parenthesis")]
    UnmatchedParenthesis,
    /// Not a label: a lower-case ASCII letter, then lower-case letters, digits, `-`, `_`, `.`.
    #[error("not a label; a label is a lower-case letter, then lower-case letters, digits, `-`, `_` and `.`")]
    InvalidLabel,
    /// A label of more than 64 bytes.
    #[error("a label has at most 64 bytes")]
    LabelTooLong,
    /// One of the words `and`, `or`, `not`, `of`, `in` as a label.
    #[error("a word of the language cannot be a label")]
    ReservedWord,
    /// `user` other than as `user:#17` or `user:name`, or `valid-until` other than compared with a month.
    #[error("a reserved label; `user` is for persons and `valid-until` is compared with a month")]
    ReservedLabel,
    /// `valid-until` compared with something that is not a month.
    #[error("`valid-until` is compared with a month, written like 2027-03")]
    ExpectedMonth,
    /// A comparison or a colon without a label before it.
    #[error("expected a label before this")]
    MissingLabel,
    /// A label or a number that nothing is said about: no `:value`, comparison or range follows.
    #[error("expected `:`, a comparison or a range after this")]
    BareWord,
    /// A comparison with the literal on the left, such as `3 <= age`.
    #[error("a comparison has its label on the left")]
    ReversedComparison,
    /// White space before or after the colon of `label:value`.
    #[error("no space is allowed around a colon")]
    SpaceAroundColon,
    /// Nothing, or an empty quotation, after a colon or an operator.
    #[error("expected a value after this")]
    MissingValue,
    /// A value of more than 255 bytes.
    #[error("a value has at most 255 bytes")]
    ValueTooLong,
    /// A character in an unquoted value that is not an ASCII letter, a digit or one of `-_./+`.
    #[error("a value with this character must be quoted")]
    UnquotedCharacter,
    /// A character in a quoted value that is not seen (a control, format or private-use character, a joiner, a blank, a
    /// line separator), that no version of Unicode known here has, or a space other than U+0020: it would make a reader
    /// see another policy than the one that is sealed.
    #[error("a value must not hold characters that are not seen, or other spaces than the common one")]
    ForbiddenCharacter,
    /// A space at the beginning or end of a quoted value, or after another space.
    #[error("a value must not begin or end with a space, or hold two together")]
    MisplacedSpace,
    /// `"` without its end.
    #[error("unclosed quotation mark")]
    UnclosedQuote,
    /// A backslash before anything but `"` or `\`.
    #[error("unknown escape; only quotation marks and backslashes are escaped")]
    UnknownEscape,
    /// Neither a decimal number without sign and leading zeros, nor `YYYY-MM-DD`, nor `YYYY-MM`.
    #[error("expected a number, a date like 2027-03-01 or a month like 2027-03")]
    InvalidLiteral,
    /// Formed like a date or a month, but not in the calendar.
    #[error("no such day in the calendar")]
    InvalidDate,
    /// A number over 4294967295, or a month before 1970-01 or after 2311-04.
    #[error("outside the range of its kind")]
    OutOfRange,
    /// No `..` between the ends of a range.
    #[error("a range is written like 3..7, both ends included")]
    InvalidRange,
    /// The ends of a range are of different kinds.
    #[error("the ends of a range must be of one kind")]
    MixedRange,
    /// The low end of a range is above its high end.
    #[error("the range is inverted")]
    InvertedRange,
    /// After `user:#`: not a decimal number from 0 to 16777215.
    #[error("a person number is a decimal number up to 16777215")]
    InvalidPerson,
    /// A user name that the resolver does not know. Names resolve through the authority's map, numbers need none.
    #[error("unknown user: no map of people at hand has this name")]
    UnknownPerson,
    /// `not` before anything but `user:…`: only a person can be excluded.
    #[error("`not` excludes a person and nothing else; expected `user:` after it")]
    MisplacedNot,
    /// The count of `k of (…)` is zero, above the number of conditions, or not a plain decimal number.
    #[error("the count must be from 1 to the number of conditions")]
    InvalidThreshold,
    /// `k of ()`.
    #[error("a threshold needs conditions")]
    EmptyThreshold,
    /// `k of` without its parenthesised list.
    #[error("expected a list of conditions in parentheses after `of`")]
    ExpectedList,
    /// A comma with nothing after it.
    #[error("trailing comma")]
    TrailingComma,
    /// `…@authority` is kept for a later version of the language.
    #[error("naming an authority is reserved")]
    ReservedAuthority,
    /// No key can meet the conditions on some label: the span is the one that rules out all that the others left.
    #[error("no key can satisfy this together with the conditions that it is joined with")]
    Unsatisfiable,
    /// The policy is for nobody but people who are excluded from the consent; the span is all of it. Readmit them first.
    #[error("only people who are excluded could satisfy this")]
    ExcludedAlone,
    /// A second value for a numeric label, a person or `valid-until`; a key has one.
    #[error("a key has one value per numeric label")]
    DuplicateLabel,
    /// The same attribute twice.
    #[error("the same attribute twice")]
    DuplicateAttribute,
}
