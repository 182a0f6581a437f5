//! Reading words, values and literals: what policies and attribute lists have in common.

use std::ops::Range;

use super::attribute::{MAX_LABEL, MAX_VALUE, fault_kind, is_label, is_plain};
use super::error::{ParseError, ParseErrorKind as Kind};
use super::literal::{Literal, PersonNumber};
use super::syntax::Atom;
use super::tree::Numeric;
use crate::visible::Watch;

/// The words of the language; none is a label.
pub(super) const KEYWORDS: [&str; 5] = ["and", "or", "not", "of", "in"];
/// The label of persons.
pub(super) const USER: &str = "user";
/// The label of a key's last month.
pub(super) const VALID_UNTIL: &str = "valid-until";

pub(super) type Resolver<'a> = &'a dyn Fn(&str) -> Option<PersonNumber>;

/// A position in a text. Every step moves forward, so a parse is linear.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, limit: usize) -> Result<Self, ParseError> {
        let scanner = Self { text, at: 0 };
        if text.len() > limit {
            return Err(scanner.error(Kind::TooLong, limit..text.len()));
        }
        if text.chars().all(is_space) {
            return Err(scanner.error(Kind::Empty, 0..text.len()));
        }
        Ok(scanner)
    }

    pub(super) fn error(&self, kind: Kind, span: Range<usize>) -> ParseError {
        ParseError::new(kind, self.text, span)
    }

    /// An error about the next character, or about the end of the text.
    pub(super) fn error_here(&self, kind: Kind) -> ParseError {
        self.error(kind, self.at..self.at + self.peek().map_or(0, char::len_utf8))
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn slice(&self, span: &Range<usize>) -> &'a str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn eat(&mut self, token: &str) -> Option<Range<usize>> {
        let start = self.at;
        self.rest().starts_with(token).then(|| {
            self.at += token.len();
            start..self.at
        })
    }

    fn run(&self, wanted: impl Fn(char) -> bool) -> Range<usize> {
        let rest = self.rest();
        self.at..self.at + rest.find(|c| !wanted(c)).unwrap_or(rest.len())
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> Range<usize> {
        let run = self.run(wanted);
        self.at = run.end;
        run
    }

    pub(super) fn skip_space(&mut self) -> Range<usize> {
        self.take(is_space)
    }

    /// The word that begins here, or nothing; does not move.
    pub(super) fn peek_word(&self) -> Range<usize> {
        self.run(is_word)
    }

    pub(super) fn word(&mut self) -> Range<usize> {
        self.take(is_word)
    }

    /// Moves past `word` if it stands here as a whole word.
    pub(super) fn keyword(&mut self, word: &str) -> Option<Range<usize>> {
        let next = self.peek_word();
        (self.slice(&next) == word).then(|| {
            self.at = next.end;
            next
        })
    }

    /// The run of operator characters that begins here, or nothing.
    pub(super) fn operator(&mut self) -> Range<usize> {
        self.take(is_operator)
    }

    /// What a reader would take for the next thing as a whole: a condition, a bracket, a run of signs.
    pub(super) fn extent(&self) -> Range<usize> {
        let mut quoted = false;
        let mut escaped = false;
        let end = |c: char| {
            if quoted {
                quoted = escaped || c != '"';
                escaped = c == '\\' && !escaped;
                return false;
            }
            quoted = c == '"';
            is_space(c) || matches!(c, '(' | ')' | ',')
        };
        let length = self.rest().find(end).unwrap_or(self.rest().len());
        let first = self.peek().map_or(0, char::len_utf8);
        self.at..self.at + length.max(first)
    }

    pub(super) fn label(&self, word: &Range<usize>) -> Result<&'a str, ParseError> {
        let label = self.slice(word);
        let kind = if is_label(label) {
            return Ok(label);
        } else if KEYWORDS.contains(&label) {
            Kind::ReservedWord
        } else if label.len() > MAX_LABEL {
            Kind::LabelTooLong
        } else {
            Kind::InvalidLabel
        };
        Err(self.error(kind, word.clone()))
    }

    /// `:value` after a label.
    pub(super) fn tagged(&mut self, word: &Range<usize>, resolve: Resolver<'_>) -> Result<Atom, ParseError> {
        let label = self.label(word)?;
        if label == VALID_UNTIL {
            return Err(self.error(Kind::ReservedLabel, word.clone()));
        }
        self.eat(":");
        let space = self.skip_space();
        if !space.is_empty() {
            return Err(self.error(Kind::SpaceAroundColon, space));
        }
        let atom = if label == USER {
            Atom::Person(self.person(word.start, resolve)?)
        } else {
            let (value, _) = self.value(word.start)?;
            Atom::Text { label: label.to_owned(), value }
        };
        self.no_authority()?;
        Ok(atom)
    }

    /// `@authority` is reserved after any condition.
    pub(super) fn no_authority(&mut self) -> Result<(), ParseError> {
        if self.peek() == Some('@') { Err(self.error(Kind::ReservedAuthority, self.extent())) } else { Ok(()) }
    }

    fn person(&mut self, start: usize, resolve: Resolver<'_>) -> Result<PersonNumber, ParseError> {
        if let Some(hash) = self.eat("#") {
            let digits = self.word();
            let number = match Literal::parse(self.slice(&digits)) {
                Ok(Literal { kind: Numeric::Number, value }) => PersonNumber::new(value).ok(),
                _ => None,
            };
            self.no_more_value()?;
            return number.ok_or_else(|| self.error(Kind::InvalidPerson, hash.start..digits.end));
        }
        let (name, span) = self.value(start)?;
        resolve(&name).ok_or_else(|| self.error(Kind::UnknownPerson, span))
    }

    /// A quoted or unquoted value; `start` is where its label begins.
    fn value(&mut self, start: usize) -> Result<(String, Range<usize>), ParseError> {
        let (value, span) = match self.peek() {
            None | Some(')' | ',') => return Err(self.error(Kind::MissingValue, start..self.at)),
            Some('"') => self.quoted()?,
            Some(_) => {
                let span = self.take(is_plain);
                self.no_more_value()?;
                (self.slice(&span).to_owned(), span)
            }
        };
        if value.is_empty() {
            return Err(self.error(Kind::MissingValue, start..span.end));
        }
        if value.len() > MAX_VALUE {
            return Err(self.error(Kind::ValueTooLong, span));
        }
        Ok((value, span))
    }

    /// An unquoted value must not run into a character that it cannot hold.
    fn no_more_value(&self) -> Result<(), ParseError> {
        match self.peek() {
            None | Some('(' | ')' | ',' | '@' | '&' | '|') => Ok(()),
            Some(c) if is_space(c) => Ok(()),
            Some(_) => Err(self.error_here(Kind::UnquotedCharacter)),
        }
    }

    fn quoted(&mut self) -> Result<(String, Range<usize>), ParseError> {
        let start = self.at;
        let open = start..start + 1;
        let mut value = String::new();
        let mut watch = Watch::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((i, c)) = chars.next() {
            let here = start + i;
            match c {
                '"' => {
                    if !value.is_empty() && watch.ends_in_space() {
                        return Err(self.error(Kind::MisplacedSpace, here - 1..here));
                    }
                    self.at = here + 1;
                    return Ok((value, start..self.at));
                }
                '\\' => match chars.next() {
                    Some((_, c @ ('"' | '\\'))) => {
                        watch.see(c);
                        value.push(c);
                    }
                    next => {
                        let end = here + 1 + next.map_or(0, |(_, c)| c.len_utf8());
                        return Err(self.error(Kind::UnknownEscape, here..end));
                    }
                },
                c => match watch.see(c) {
                    Some(fault) => return Err(self.error(fault_kind(fault), here..here + c.len_utf8())),
                    None => value.push(c),
                },
            }
        }
        Err(self.error(Kind::UnclosedQuote, open))
    }

    /// The literal that `label` is compared with; `before` is the operator.
    pub(super) fn literal(
        &mut self,
        label: &str,
        before: &Range<usize>,
    ) -> Result<(Literal, Range<usize>), ParseError> {
        self.skip_space();
        if matches!(self.peek(), None | Some(')' | ',')) {
            return Err(self.error(Kind::MissingValue, before.clone()));
        }
        // Two dots end it: they belong to a range.
        let run = self.run(is_plain);
        let length = self.slice(&run).find("..").unwrap_or(run.len());
        let span = run.start..run.start + length;
        if span.is_empty() {
            return Err(self.error(Kind::InvalidLiteral, self.extent()));
        }
        self.at = span.end;
        let literal = Literal::parse(self.slice(&span)).map_err(|kind| self.error(kind, span.clone()))?;
        if label == VALID_UNTIL && literal.kind != Numeric::Month {
            return Err(self.error(Kind::ExpectedMonth, span));
        }
        Ok((literal, span))
    }
}

pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

pub(super) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

pub(super) fn is_operator(c: char) -> bool {
    matches!(c, '<' | '>' | '=' | '!' | '&' | '|')
}
