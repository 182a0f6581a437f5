//! From conditions to monotone leaves: intervals of values, and the binary prefixes that cover them.
//!
//! An n-bit value is the leaf of a binary tree of depth n. A key holds the n+1 prefixes on the way to its own value; an
//! interval is covered by the largest subtrees inside it, at most 2n−2. A set of excluded persons is covered by the
//! largest subtrees that hold none of them: the complete-subtree method of Naor, Naor and Lotspiech, "Revocation and
//! Tracing Schemes for Stateless Receivers" (CRYPTO 2001), section 3.1.

use std::collections::BTreeMap;
use std::iter;

use super::literal::domain;
use super::scan::USER;
use super::syntax::{Atom, Expr, Gate, Op};
use super::tree::{AccessTree, Branch, Leaf, Numeric};
use crate::error::Result;
use crate::id::AuthorityId;

/// Values of one label, of any kind, as sorted and disjoint closed intervals.
///
/// A value is a point on one line: its kind in the high 32 bits, its number in the low. A key has one point per label,
/// so conditions of two kinds on one label have nothing in common, as they must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Points(Vec<(u64, u64)>);

impl Points {
    fn interval(kind: Numeric, low: u32, high: u32) -> Self {
        Self(if low <= high { vec![(point(kind, low), point(kind, high))] } else { Vec::new() })
    }

    fn none() -> Self {
        Self(Vec::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        Self::at_least(2, &[self, other])
    }

    /// The points that lie in at least `k` of `sets`.
    pub(super) fn at_least(k: usize, sets: &[&Self]) -> Self {
        let intervals = sets.iter().flat_map(|set| &set.0);
        let mut steps: Vec<(u64, bool)> =
            intervals.flat_map(|&(low, high)| [(low, true), (high.saturating_add(1), false)]).collect();
        steps.sort_unstable();
        let mut points = Vec::new();
        let (mut active, mut open) = (0_usize, None);
        for here in steps.chunk_by(|a, b| a.0 == b.0) {
            let at = here.first().map_or(0, |step| step.0);
            let begin = here.iter().filter(|step| step.1).count();
            active = (active + begin).saturating_sub(here.len() - begin);
            match open {
                None if active >= k => open = Some(at),
                Some(low) if active < k => {
                    points.push((low, at.saturating_sub(1)));
                    open = None;
                }
                _ => {}
            }
        }
        Self(points)
    }

    /// Without the values that no key can hold.
    pub(super) fn writable(&self, kind: Numeric) -> Self {
        let (low, high) = domain(kind);
        self.and(&Self::interval(kind, low, high))
    }
}

fn point(kind: Numeric, value: u32) -> u64 {
    (kind as u64) << 32 | u64::from(value)
}

/// What a condition asks of its label; `None` for text.
pub(super) fn asked(atom: &Atom) -> Option<(&str, Numeric, Points)> {
    Some(match atom {
        Atom::Text { .. } => return None,
        Atom::Person(number) => (USER, Numeric::Person, Points::interval(Numeric::Person, number.get(), number.get())),
        Atom::Not(number) => {
            let kind = Numeric::Person;
            let below = number.get().checked_sub(1).map_or(Points::none(), |high| Points::interval(kind, 0, high));
            let above = Points::interval(kind, number.get() + 1, kind.max());
            (USER, kind, Points::at_least(1, &[&below, &above]))
        }
        Atom::Range { label, low, high } => (label, low.kind, Points::interval(low.kind, low.value, high.value)),
        Atom::Compare { label, op, literal } => {
            let (kind, value) = (literal.kind, literal.value);
            let points = match op {
                Op::Eq => Points::interval(kind, value, value),
                Op::Ge => Points::interval(kind, value, kind.max()),
                Op::Le => Points::interval(kind, 0, value),
                Op::Gt => value.checked_add(1).map_or(Points::none(), |low| Points::interval(kind, low, kind.max())),
                Op::Lt => value.checked_sub(1).map_or(Points::none(), |high| Points::interval(kind, 0, high)),
            };
            (label, kind, points)
        }
    })
}

/// A child of a gate as it is expanded.
pub(super) enum Term<'a, T> {
    /// A text condition or a gate.
    Child(&'a T),
    /// One or, under `and`, several conditions on one label.
    Constraint(Constraint<'a, T>),
}

/// The common part of the conditions on one label.
pub(super) struct Constraint<'a, T> {
    label: &'a str,
    pub(super) kind: Numeric,
    points: Points,
    pub(super) first: &'a T,
    pub(super) last: &'a T,
}

impl<T> Constraint<'_, T> {
    /// The cover, as prefixes and their lengths, in the order of the values.
    pub(super) fn prefixes(&self) -> impl Iterator<Item = (u32, u8)> + '_ {
        let value = |point: u64| u32::try_from(point & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        self.points.0.iter().flat_map(move |&(low, high)| dyadic(value(low), value(high), self.kind.width()))
    }
}

/// The children of a gate, with the numeric conditions of an `and` merged by label and kind, each at the place of its
/// first. `atom` tells which children are conditions.
pub(super) fn terms<'a, T>(
    gate: Gate,
    children: &'a [T],
    atom: impl Fn(&'a T) -> Option<&'a Atom>,
) -> Vec<Term<'a, T>> {
    let mut terms: Vec<Term<'a, T>> = Vec::with_capacity(children.len());
    let mut places = BTreeMap::new();
    for child in children {
        let Some((label, kind, points)) = atom(child).and_then(asked) else {
            terms.push(Term::Child(child));
            continue;
        };
        if gate == Gate::And {
            let place = *places.entry((label, kind)).or_insert(terms.len());
            if let Some(Term::Constraint(merged)) = terms.get_mut(place) {
                merged.points = merged.points.and(&points);
                merged.last = child;
                continue;
            }
        }
        terms.push(Term::Constraint(Constraint { label, kind, points, first: child, last: child }));
    }
    terms
}

/// The largest aligned blocks that make up `low..=high`, as prefixes and their lengths.
fn dyadic(low: u32, high: u32, width: u8) -> impl Iterator<Item = (u32, u8)> {
    let mut next = (low <= high).then_some(low);
    iter::from_fn(move || {
        let start = next?;
        let aligned = start.trailing_zeros().min(width.into());
        let free = (0..=aligned).rev().find(|free| start | low_bits(*free) <= high).unwrap_or(0);
        next = (start | low_bits(free)).checked_add(1).filter(|start| *start <= high);
        Some((start, width.saturating_sub(u8::try_from(free).unwrap_or(0))))
    })
}

fn low_bits(n: u32) -> u32 {
    u32::MAX.checked_shr(u32::BITS - n).unwrap_or(0)
}

/// The monotone tree of a policy. Its size was checked when the policy was parsed.
pub(super) fn expand(expr: &Expr, authority: &AuthorityId) -> Result<AccessTree> {
    let mut branches = branches(Gate::Or, std::slice::from_ref(expr), authority);
    let root = branches.pop().unwrap_or(Branch::Gate { k: 0, children: Vec::new() });
    AccessTree::from_branch(root)
}

fn branches(gate: Gate, children: &[Expr], authority: &AuthorityId) -> Vec<Branch> {
    let branch = |term| match term {
        Term::Child(Expr::Atom(Atom::Text { label, value })) => Branch::Leaf(Leaf::text(authority, label, value)),
        Term::Child(Expr::Atom(_)) => join(Gate::Or, Vec::new()),
        Term::Child(Expr::Gate(gate, children)) => join(*gate, branches(*gate, children, authority)),
        Term::Constraint(constraint) => {
            let leaf = |(prefix, length)| Leaf::prefix(authority, constraint.kind, constraint.label, prefix, length);
            join(Gate::Or, constraint.prefixes().map(leaf).map(Branch::Leaf).collect())
        }
    };
    terms(gate, children, atom).into_iter().map(branch).collect()
}

fn atom(expr: &Expr) -> Option<&Atom> {
    match expr {
        Expr::Atom(atom) => Some(atom),
        Expr::Gate(..) => None,
    }
}

/// A gate; a conjunction or a cover that came down to one branch is that branch.
fn join(gate: Gate, branches: Vec<Branch>) -> Branch {
    match (gate, <[Branch; 1]>::try_from(branches)) {
        (Gate::And | Gate::Or, Ok([only])) => only,
        (Gate::AtLeast(k), Ok(only)) => Branch::Gate { k, children: only.into() },
        (gate, Err(children)) => Branch::Gate { k: gate.k(children.len()), children },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cover as intervals again.
    fn blocks(low: u32, high: u32, width: u8) -> Vec<(u32, u32)> {
        let mask = u32::MAX >> (32 - u32::from(width));
        dyadic(low, high, width).map(|(at, length)| (at, at | low_bits(u32::from(width - length)) & mask)).collect()
    }

    #[test]
    fn a_cover_is_exactly_its_interval_and_the_smallest_there_is() {
        const WIDTH: u8 = 5;
        for low in 0..32 {
            for high in low..32 {
                let blocks = blocks(low, high, WIDTH);
                let covered: Vec<u32> = blocks.iter().flat_map(|(a, b)| *a..=*b).collect();
                assert_eq!(covered, (low..=high).collect::<Vec<_>>());
                assert!(blocks.len() <= 2 * usize::from(WIDTH) - 2);
                // No two blocks are halves of one that would do as well.
                for pair in blocks.windows(2) {
                    let size = pair[0].1 - pair[0].0;
                    let halves = size == pair[1].1 - pair[1].0 && pair[0].0 & (2 * size + 1) == 0;
                    assert!(!halves, "{low}..{high}: {pair:?}");
                }
            }
        }
    }

    #[test]
    fn a_cover_reaches_both_ends_of_every_width() {
        for width in [12, 24, 32] {
            let max = u32::MAX >> (32 - u32::from(width));
            assert_eq!(dyadic(0, max, width).collect::<Vec<_>>(), [(0, 0)]);
            assert_eq!(dyadic(0, 0, width).collect::<Vec<_>>(), [(0, width)]);
            assert_eq!(dyadic(max, max, width).collect::<Vec<_>>(), [(max, width)]);
            let n = usize::from(width);
            assert_eq!(dyadic(1, max - 1, width).count(), 2 * n - 2);
            assert_eq!(dyadic(1, max, width).count(), n);
            assert_eq!(dyadic(0, max - 1, width).count(), n);
            assert_eq!(dyadic(1, 0, width).count(), 0);
        }
    }

    #[test]
    fn at_least_k_agrees_with_counting_point_by_point() {
        let set = |intervals: &[(u64, u64)]| Points(intervals.to_vec());
        let sets = [set(&[(0, 3), (4, 6), (9, 9)]), set(&[(3, 9)]), set(&[(5, 5), (8, 20)]), set(&[])];
        let refs: Vec<&Points> = sets.iter().collect();
        for k in 1..=4 {
            let got = Points::at_least(k, &refs);
            for at in 0..25 {
                let within = |set: &Points| set.0.iter().any(|(low, high)| (*low..=*high).contains(&at));
                assert_eq!(within(&got), sets.iter().filter(|set| within(set)).count() >= k, "{k} {at}");
            }
            assert!(got.0.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "not minimal: {got:?}");
        }
    }
}
