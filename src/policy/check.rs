//! What a parsed policy must meet to be a policy: it fits its limits, and somebody could satisfy it.

use std::collections::BTreeMap;
use std::ops::Range;

use super::MAX_DEPTH;
use super::cover::{Points, Term, asked, terms};
use super::error::ParseErrorKind as Kind;
use super::syntax::{Atom, Gate, Shape, Syntax};
use super::tree::{MAX_LEAVES, Numeric};

type Fault = (Kind, Range<usize>);

pub(super) fn check(syntax: &Syntax) -> Result<(), Fault> {
    check_depth(syntax, 0)?;
    possible(syntax).map_err(|span| (Kind::Unsatisfiable, span))?;
    check_leaves(syntax)
}

/// Parentheses bound the depth only to within a factor: each may hold an `and` within an `or`.
fn check_depth(syntax: &Syntax, depth: usize) -> Result<(), Fault> {
    if depth > MAX_DEPTH {
        return Err((Kind::TooDeep, syntax.span.clone()));
    }
    match &syntax.shape {
        Shape::Atom(_) => Ok(()),
        Shape::Gate(_, children) => children.iter().try_for_each(|child| check_depth(child, depth + 1)),
    }
}

/// The values of each label with which `syntax` can hold if nothing else stands in its way; labels that do not matter
/// are left out.
///
/// Exact for each label on its own, through every gate. Labels are not weighed against one another, since that is
/// NP-hard: `(x > 5 and y < 3 or x < 3 and y > 5) and x < 3 and y < 3` passes.
fn possible(syntax: &Syntax) -> Result<BTreeMap<&str, Points>, Range<usize>> {
    let (gate, children) = match &syntax.shape {
        Shape::Gate(gate, children) => (*gate, children),
        Shape::Atom(atom) => {
            let Some((label, kind, points)) = asked(atom) else {
                return Ok(BTreeMap::new());
            };
            let points = points.writable(kind);
            return if points.is_empty() { Err(syntax.span.clone()) } else { Ok(BTreeMap::from([(label, points)])) };
        }
    };
    let k = gate.k(children.len());
    let mut left: BTreeMap<&str, Points> = BTreeMap::new();
    if k == children.len() {
        for child in children {
            for (label, mut points) in possible(child)? {
                if let Some(before) = left.get(label) {
                    points = points.and(before);
                    if points.is_empty() {
                        return Err(culprit(child, label, before));
                    }
                }
                left.insert(label, points);
            }
        }
        return Ok(left);
    }
    let mut asked: BTreeMap<&str, Vec<Points>> = BTreeMap::new();
    for child in children {
        for (label, points) in possible(child)? {
            asked.entry(label).or_default().push(points);
        }
    }
    for (label, sets) in asked {
        let indifferent = children.len() - sets.len();
        if indifferent < k {
            let points = Points::at_least(k - indifferent, &sets.iter().collect::<Vec<_>>());
            if points.is_empty() {
                return Err(syntax.span.clone());
            }
            left.insert(label, points);
        }
    }
    Ok(left)
}

/// The innermost part of a conjunction that leaves no value of `label` of those in `left`.
fn culprit(syntax: &Syntax, label: &str, left: &Points) -> Range<usize> {
    let mut left = left.clone();
    if let Shape::Gate(gate, children) = &syntax.shape
        && gate.k(children.len()) == children.len()
    {
        for child in children {
            if let Some(points) = possible(child).ok().as_ref().and_then(|possible| possible.get(label)) {
                let next = left.and(points);
                if next.is_empty() {
                    return culprit(child, label, &left);
                }
                left = next;
            }
        }
    }
    syntax.span.clone()
}

#[derive(Default)]
struct Tally {
    leaves: usize,
    persons: usize,
    /// The condition that crosses the limit.
    over: Option<Range<usize>>,
    /// The costliest exclusion.
    costliest: (usize, Range<usize>),
}

/// Counts what [`expand`](super::cover::expand) would make, without making it.
fn check_leaves(syntax: &Syntax) -> Result<(), Fault> {
    let mut tally = Tally::default();
    tally.add(Gate::Or, std::slice::from_ref(syntax));
    match tally.over {
        None => Ok(()),
        Some(_) if tally.leaves - tally.persons <= MAX_LEAVES => Err((Kind::TooManyExclusions, tally.costliest.1)),
        Some(span) => Err((Kind::TooManyLeaves, span)),
    }
}

impl Tally {
    fn add(&mut self, gate: Gate, children: &[Syntax]) {
        for term in terms(gate, children, atom) {
            let (leaves, span) = match term {
                Term::Child(Syntax { shape: Shape::Gate(gate, children), .. }) => {
                    self.add(*gate, children);
                    continue;
                }
                Term::Child(text) => (1, text.span.clone()),
                Term::Constraint(constraint) => {
                    let leaves = constraint.prefixes().count();
                    let span = constraint.first.span.start..constraint.last.span.end;
                    if constraint.kind == Numeric::Person {
                        self.persons += leaves;
                        if leaves > self.costliest.0 {
                            self.costliest = (leaves, span.clone());
                        }
                    }
                    (leaves, span)
                }
            };
            self.leaves += leaves;
            if self.leaves > MAX_LEAVES {
                self.over.get_or_insert(span);
            }
        }
    }
}

fn atom(syntax: &Syntax) -> Option<&Atom> {
    match &syntax.shape {
        Shape::Atom(atom) => Some(atom),
        Shape::Gate(..) => None,
    }
}
