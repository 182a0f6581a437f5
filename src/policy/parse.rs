//! The grammar, by recursive descent bounded by [`MAX_DEPTH`].

use std::ops::Range;

use super::error::{ParseError, ParseErrorKind as Kind};
use super::literal::Literal;
use super::scan::{KEYWORDS, Resolver, Scanner, USER, is_operator, is_word};
use super::syntax::{Atom, Gate, Op, Shape, Syntax};
use super::tree::Numeric;
use super::{MAX_DEPTH, MAX_TEXT};

type Parsed<T> = Result<T, ParseError>;

pub(super) fn parse(text: &str, resolve: Resolver<'_>) -> Parsed<Syntax> {
    let mut parser = Parser { scan: Scanner::new(text, MAX_TEXT)?, resolve };
    let syntax = parser.any(0)?;
    if parser.scan.peek().is_some() { Err(parser.unexpected(None)) } else { Ok(syntax) }
}

struct Parser<'a> {
    scan: Scanner<'a>,
    resolve: Resolver<'a>,
}

impl Parser<'_> {
    /// Conditions joined by `or`; leaves the scanner before whatever follows them.
    fn any(&mut self, depth: usize) -> Parsed<Syntax> {
        self.joined("or", Gate::Or, |parser| parser.joined("and", Gate::And, |parser| parser.condition(depth)))
    }

    fn joined(&mut self, word: &str, gate: Gate, part: impl Fn(&mut Self) -> Parsed<Syntax>) -> Parsed<Syntax> {
        let first = part(self)?;
        let mut span = first.span.clone();
        let mut children = vec![first];
        while self.scan.keyword(word).is_some() {
            let next = part(self)?;
            span.end = next.span.end;
            children.push(next);
        }
        match <[Syntax; 1]>::try_from(children) {
            Ok([only]) => Ok(only),
            Err(children) => Ok(Syntax { span, shape: Shape::Gate(gate, children) }),
        }
    }

    /// One condition and the space around it.
    fn condition(&mut self, depth: usize) -> Parsed<Syntax> {
        self.scan.skip_space();
        let start = self.scan.at();
        let shape = match self.scan.peek() {
            Some('(') => {
                let open = self.open(depth)?;
                let inner = self.any(depth + 1)?;
                self.close(&open)?;
                inner.shape
            }
            Some(c) if c.is_ascii_digit() => self.numbered(depth)?,
            Some(c) if is_word(c) => self.named()?,
            Some(':') => return Err(self.scan.error_here(Kind::MissingLabel)),
            Some(c) if is_operator(c) => {
                let sign = self.scan.operator();
                let known = Op::parse(self.scan.slice(&sign)).is_some();
                return Err(self.scan.error(if known { Kind::MissingLabel } else { Kind::UnknownOperator }, sign));
            }
            None | Some(')' | ',') => return Err(self.scan.error_here(Kind::ExpectedCondition)),
            Some(_) => return Err(self.scan.error_here(Kind::UnexpectedCharacter)),
        };
        let span = start..self.scan.at();
        self.scan.no_authority()?;
        self.scan.skip_space();
        Ok(Syntax { span, shape })
    }

    fn open(&mut self, depth: usize) -> Parsed<Range<usize>> {
        if depth >= MAX_DEPTH {
            return Err(self.scan.error_here(Kind::TooDeep));
        }
        Ok(self.scan.eat("(").unwrap_or_default())
    }

    fn close(&mut self, open: &Range<usize>) -> Parsed<()> {
        if self.scan.eat(")").is_some() { Ok(()) } else { Err(self.unexpected(Some(open))) }
    }

    /// `k of (…)`, the only condition that begins with a digit.
    fn numbered(&mut self, depth: usize) -> Parsed<Shape> {
        let count = self.scan.word();
        if self.scan.peek() == Some(':') {
            return Err(self.scan.error(Kind::InvalidLabel, count));
        }
        self.scan.skip_space();
        let Some(of) = self.scan.keyword("of") else {
            let kind =
                if self.scan.peek().is_some_and(is_operator) { Kind::ReversedComparison } else { Kind::BareWord };
            return Err(self.scan.error(kind, count));
        };
        self.scan.skip_space();
        if self.scan.peek() != Some('(') {
            return Err(self.scan.error(Kind::ExpectedList, of));
        }
        let open = self.open(depth)?;
        self.scan.skip_space();
        if self.scan.peek() == Some(')') {
            return Err(self.scan.error(Kind::EmptyThreshold, open.start..self.scan.at() + 1));
        }
        let mut children = vec![self.any(depth + 1)?];
        while let Some(comma) = self.scan.eat(",") {
            self.scan.skip_space();
            if self.scan.peek() == Some(')') {
                return Err(self.scan.error(Kind::TrailingComma, comma));
            }
            children.push(self.any(depth + 1)?);
        }
        self.close(&open)?;
        let k = match Literal::parse(self.scan.slice(&count)) {
            Ok(Literal { kind: Numeric::Number, value }) => usize::try_from(value).unwrap_or(usize::MAX),
            _ => 0,
        };
        if k == 0 || k > children.len() {
            return Err(self.scan.error(Kind::InvalidThreshold, count));
        }
        Ok(Shape::Gate(Gate::AtLeast(k), children))
    }

    /// A condition that begins with a word.
    fn named(&mut self) -> Parsed<Shape> {
        let word = self.scan.word();
        let text = self.scan.slice(&word);
        if self.scan.peek() == Some(':') {
            return Ok(Shape::Atom(self.scan.tagged(&word, self.resolve)?));
        }
        if text == "not" {
            return self.exclusion(&word);
        }
        if let Some(kind) = misused_keyword(text) {
            return Err(self.scan.error(kind, word));
        }
        let label = self.scan.label(&word)?;
        let space = self.scan.skip_space();
        let atom = match self.scan.peek() {
            Some(c) if is_operator(c) => {
                let sign = self.scan.operator();
                let Some(op) = Op::parse(self.scan.slice(&sign)) else {
                    return Err(self.scan.error(Kind::UnknownOperator, sign));
                };
                self.not_user(label, &word)?;
                let (literal, _) = self.scan.literal(label, &sign)?;
                Atom::Compare { label: label.to_owned(), op, literal }
            }
            Some(':') => return Err(self.scan.error(Kind::SpaceAroundColon, space)),
            Some(c) if is_word(c) => match self.scan.keyword("in") {
                Some(keyword) => self.range(label, &word, &keyword)?,
                None => return Err(self.scan.error(Kind::BareWord, word)),
            },
            None | Some('(' | ')' | ',') => return Err(self.scan.error(Kind::BareWord, word)),
            Some(_) => return Err(self.scan.error_here(Kind::UnexpectedCharacter)),
        };
        Ok(Shape::Atom(atom))
    }

    /// `low..high` after `in`.
    fn range(&mut self, label: &str, word: &Range<usize>, keyword: &Range<usize>) -> Parsed<Atom> {
        self.not_user(label, word)?;
        let (low, from) = self.scan.literal(label, keyword)?;
        self.scan.skip_space();
        let Some(dots) = self.scan.eat("..") else {
            return Err(self.scan.error(Kind::InvalidRange, from));
        };
        let (high, to) = self.scan.literal(label, &dots)?;
        let kind = if low.kind != high.kind {
            Kind::MixedRange
        } else if low.value > high.value {
            Kind::InvertedRange
        } else {
            return Ok(Atom::Range { label: label.to_owned(), low, high });
        };
        Err(self.scan.error(kind, from.start..to.end))
    }

    /// `user:…` after `not`.
    fn exclusion(&mut self, not: &Range<usize>) -> Parsed<Shape> {
        self.scan.skip_space();
        let misplaced = match self.scan.extent() {
            end if end.is_empty() => not.clone(),
            next => next,
        };
        let word = self.scan.word();
        if self.scan.slice(&word) == USER
            && self.scan.peek() == Some(':')
            && let Atom::Person(number) = self.scan.tagged(&word, self.resolve)?
        {
            return Ok(Shape::Atom(Atom::Not(number)));
        }
        Err(self.scan.error(Kind::MisplacedNot, misplaced))
    }

    fn not_user(&self, label: &str, word: &Range<usize>) -> Parsed<()> {
        if label == USER { Err(self.scan.error(Kind::ReservedLabel, word.clone())) } else { Ok(()) }
    }

    /// What follows a whole condition and is neither `and`, `or` nor the end of what holds it.
    fn unexpected(&mut self, open: Option<&Range<usize>>) -> ParseError {
        match (self.scan.peek(), open) {
            (None, Some(open)) => self.scan.error(Kind::UnclosedParenthesis, open.clone()),
            (Some(')'), None) => self.scan.error_here(Kind::UnmatchedParenthesis),
            (Some(c), _) if is_operator(c) => {
                let sign = self.scan.operator();
                self.scan.error(Kind::UnknownOperator, sign)
            }
            (Some(c), _) if is_word(c) => {
                let word = self.scan.peek_word();
                match misused_keyword(self.scan.slice(&word)) {
                    Some(Kind::UnknownOperator) => self.scan.error(Kind::UnknownOperator, word),
                    _ => self.scan.error(Kind::ExpectedOperator, self.scan.extent()),
                }
            }
            (Some('(' | '"'), _) => self.scan.error(Kind::ExpectedOperator, self.scan.extent()),
            _ => self.scan.error_here(Kind::UnexpectedCharacter),
        }
    }
}

/// What is wrong with a word of the language, in whatever case, where a condition must begin.
fn misused_keyword(word: &str) -> Option<Kind> {
    if KEYWORDS.contains(&word) {
        Some(Kind::ExpectedCondition)
    } else {
        KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word)).then_some(Kind::UnknownOperator)
    }
}
