//! The shapes of a policy: conditions, gates, and the same with their places in the text.

use std::fmt;
use std::ops::Range;

use super::attribute::{self, Attributes};
use super::literal::{Literal, PersonNumber};

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Ge,
    Le,
    Gt,
    Lt,
    Eq,
}

impl Op {
    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Ge, Self::Le, Self::Gt, Self::Lt, Self::Eq].into_iter().find(|op| op.as_str() == text)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Ge => ">=",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Lt => "<",
            Self::Eq => "=",
        }
    }
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Atom {
    Text { label: String, value: String },
    Person(PersonNumber),
    Not(PersonNumber),
    Compare { label: String, op: Op, literal: Literal },
    Range { label: String, low: Literal, high: Literal },
}

impl Atom {
    /// Direct evaluation; the expanded form plays no part in it.
    fn satisfied_by(&self, attributes: &Attributes) -> bool {
        match self {
            Self::Text { label, value } => attributes.has_text(label, value),
            Self::Person(number) => attributes.person() == Some(*number),
            Self::Not(number) => attributes.person().is_some_and(|own| own != *number),
            Self::Compare { label, op, literal } => attributes.numeric(label).is_some_and(|own| {
                own.kind == literal.kind
                    && match op {
                        Op::Ge => own.value >= literal.value,
                        Op::Le => own.value <= literal.value,
                        Op::Gt => own.value > literal.value,
                        Op::Lt => own.value < literal.value,
                        Op::Eq => own.value == literal.value,
                    }
            }),
            Self::Range { label, low, high } => attributes
                .numeric(label)
                .is_some_and(|own| own.kind == low.kind && (low.value..=high.value).contains(&own.value)),
        }
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { label, value } => attribute::write_text(f, label, value),
            Self::Person(number) => write!(f, "user:{number}"),
            Self::Not(number) => write!(f, "not user:{number}"),
            Self::Compare { label, op, literal } => write!(f, "{label} {} {literal}", op.as_str()),
            Self::Range { label, low, high } => write!(f, "{label} in {low}..{high}"),
        }
    }
}

/// How the children of a gate are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    And,
    Or,
    AtLeast(usize),
}

impl Gate {
    /// How many of `n` children must be satisfied.
    pub(super) fn k(self, n: usize) -> usize {
        match self {
            Self::And => n,
            Self::Or => 1,
            Self::AtLeast(k) => k,
        }
    }
}

/// A policy without places: what [`Policy`](super::Policy) holds. Recursion over it is bounded by
/// [`MAX_DEPTH`](super::MAX_DEPTH).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expr {
    Atom(Atom),
    Gate(Gate, Vec<Expr>),
}

impl Expr {
    /// Without the exclusions of a person that stand beside everything else; none if there would be nothing left.
    pub(super) fn without_exclusion(self, person: PersonNumber) -> Option<Self> {
        match self {
            Self::Atom(Atom::Not(number)) if number == person => None,
            Self::Gate(Gate::And, children) => {
                let mut rest: Vec<Self> =
                    children.into_iter().filter_map(|child| child.without_exclusion(person)).collect();
                if rest.len() > 1 { Some(Self::Gate(Gate::And, rest)) } else { rest.pop() }
            }
            other => Some(other),
        }
    }

    /// Whether a condition is for this very person.
    pub(super) fn names(&self, person: PersonNumber) -> bool {
        match self {
            Self::Atom(atom) => *atom == Atom::Person(person),
            Self::Gate(_, children) => children.iter().any(|child| child.names(person)),
        }
    }

    /// One or the other, on one level; nothing twice.
    pub(super) fn or(self, other: Self) -> Self {
        let parts = |expr| match expr {
            Self::Gate(Gate::Or, children) => children,
            other => vec![other],
        };
        let mut children = parts(self);
        for part in parts(other) {
            if !children.contains(&part) {
                children.push(part);
            }
        }
        match <[Self; 1]>::try_from(children) {
            Ok([only]) => only,
            Err(children) => Self::Gate(Gate::Or, children),
        }
    }

    /// With more exclusions beside everything else, on one level, so that they become one cover together.
    pub(super) fn excluding(self, people: impl Iterator<Item = PersonNumber>) -> Self {
        let mut children = match self {
            Self::Gate(Gate::And, children) => children,
            other => vec![other],
        };
        children.extend(people.map(|number| Self::Atom(Atom::Not(number))));
        Self::Gate(Gate::And, children)
    }

    /// Whether exclusions alone keep the person from satisfying this.
    pub(super) fn excludes(&self, person: PersonNumber) -> bool {
        match self {
            Self::Atom(atom) => *atom == Atom::Not(person),
            Self::Gate(gate, children) => {
                let open = children.iter().filter(|child| !child.excludes(person)).count();
                open < gate.k(children.len())
            }
        }
    }

    pub(super) fn satisfied_by(&self, attributes: &Attributes) -> bool {
        match self {
            Self::Atom(atom) => atom.satisfied_by(attributes),
            Self::Gate(gate, children) => {
                children.iter().filter(|child| child.satisfied_by(attributes)).count() >= gate.k(children.len())
            }
        }
    }

    /// Calls `f` for each condition, from left to right.
    pub(super) fn each<'a>(&'a self, f: &mut impl FnMut(&'a Atom)) {
        match self {
            Self::Atom(atom) => f(atom),
            Self::Gate(_, children) => children.iter().for_each(|child| child.each(f)),
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, parent: Gate) -> fmt::Result {
        // `and` binds tighter than `or`; the list of a threshold keeps anything apart by itself.
        let bare = match (self, parent) {
            (Self::Atom(_) | Self::Gate(Gate::AtLeast(_), _), _) | (_, Gate::AtLeast(_)) => true,
            (Self::Gate(own, _), parent) => *own == Gate::And && parent == Gate::Or,
        };
        if bare { fmt::Display::fmt(self, f) } else { write!(f, "({self})") }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (gate, children) = match self {
            Self::Atom(atom) => return atom.fmt(f),
            Self::Gate(gate, children) => (*gate, children),
        };
        let (open, between, close) = match gate {
            Gate::And => ("", " and ", ""),
            Gate::Or => ("", " or ", ""),
            Gate::AtLeast(k) => {
                write!(f, "{k} of ")?;
                ("(", ", ", ")")
            }
        };
        f.write_str(open)?;
        for (i, child) in children.iter().enumerate() {
            if i > 0 {
                f.write_str(between)?;
            }
            child.write(f, gate)?;
        }
        f.write_str(close)
    }
}

/// A policy with places, parentheses included: what the parser makes and the checks read.
#[derive(Debug)]
pub(super) struct Syntax {
    pub(super) span: Range<usize>,
    pub(super) shape: Shape,
}

#[derive(Debug)]
pub(super) enum Shape {
    Atom(Atom),
    Gate(Gate, Vec<Syntax>),
}

impl Syntax {
    /// Forgets the places.
    pub(super) fn strip(self) -> Expr {
        match self.shape {
            Shape::Atom(atom) => Expr::Atom(atom),
            Shape::Gate(gate, children) => Expr::Gate(gate, children.into_iter().map(Self::strip).collect()),
        }
    }
}
