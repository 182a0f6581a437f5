//! The share matrix as a function of the tree (FABEO, section 2.3: monotone span programs): shares going down,
//! reconstruction coefficients coming up.
//!
//! A 1-of-n gate copies its row to every child. An n-of-n gate appends n-1 columns: the first child gets `v ‖ 1`, the
//! next `0 ‖ -1, 1`, the last `0 ‖ -1`; all coefficients are one. Any other k-of-n gate appends k-1 columns, child `i`
//! (from 1) gets `v ‖ i, i², …`; the coefficients are Lagrange's at zero. Columns are numbered in preorder of gates.

use std::collections::HashMap;

use crate::pairing::Scalar;
use crate::policy::{AccessTree, Leaf, Node};

/// ρ less one for each row, and τ: which use of its attribute a row is, and the most uses of any.
pub(super) fn uses(tree: &AccessTree) -> (Vec<usize>, usize) {
    let mut seen: HashMap<&Leaf, usize> = HashMap::new();
    let rho: Vec<usize> = tree
        .leaves()
        .iter()
        .map(|leaf| {
            let count = seen.entry(leaf).or_default();
            *count += 1;
            *count - 1
        })
        .collect();
    let tau = rho.iter().max().map_or(0, |most| most + 1);
    (rho, tau)
}

/// `λ = M · (secret ‖ randomness)`, a share for each leaf in preorder; `randomness` gives one scalar a column.
pub(super) fn share(tree: &AccessTree, secret: &Scalar, mut randomness: impl FnMut() -> Scalar) -> Vec<Scalar> {
    // Nodes stand in preorder, so that a gate is always reached before its children.
    let mut values: Vec<Option<Scalar>> = vec![None; tree.nodes().len()];
    if let Some(root) = values.first_mut() {
        *root = Some(secret.clone());
    }
    let mut shares = Vec::with_capacity(tree.leaves().len());
    for (at, node) in tree.nodes().iter().enumerate() {
        // Copied, not moved out: a value that is moved is not wiped where it was.
        let Some(value) = values.get(at).cloned().flatten() else { continue };
        match node {
            Node::Leaf(_) => shares.push(value),
            Node::Gate { k, children } => {
                let coins: Vec<Scalar> = (1..*k).map(|_| randomness()).collect();
                for (i, child) in children.iter().enumerate() {
                    let part =
                        if *k == children.len() { chained(i, &value, &coins) } else { polynomial(i, &value, &coins) };
                    if let Some(slot) = values.get_mut(*child) {
                        *slot = Some(part);
                    }
                }
            }
        }
    }
    shares
}

/// Child `i` (from 0) of an n-of-n gate.
fn chained(i: usize, value: &Scalar, coins: &[Scalar]) -> Scalar {
    let start = match i.checked_sub(1) {
        None => value.clone(),
        Some(before) => coins.get(before).map_or_else(|| Scalar::from_u64(0), Scalar::neg),
    };
    coins.get(i).map_or(start.clone(), |coin| start.add(coin))
}

/// Child `i` (from 0) of a k-of-n gate: Horner at `i + 1`.
fn polynomial(i: usize, value: &Scalar, coins: &[Scalar]) -> Scalar {
    let x = Scalar::from_u64(i as u64 + 1);
    let high = coins.iter().rev().fold(Scalar::from_u64(0), |sum, coin| sum.add(coin).mul(&x));
    high.add(value)
}

/// A row that reconstruction uses, and its coefficient; `None` stands for one.
pub(super) struct Term {
    pub(super) row: usize,
    pub(super) gamma: Option<Scalar>,
}

/// The smallest set of rows whose attributes are at hand and that satisfies the tree, with `Σ γ_i M_i = (1, 0…)`; none
/// if there is no such set.
pub(super) fn reconstruct(tree: &AccessTree, has: impl Fn(&Leaf) -> bool) -> Option<Vec<Term>> {
    let nodes = tree.nodes();
    // Children stand after their gate, so that backwards every child is reached before its gate.
    let mut costs: Vec<Option<usize>> = vec![None; nodes.len()];
    for (at, node) in nodes.iter().enumerate().rev() {
        let cost = match node {
            Node::Leaf(row) => tree.leaves().get(*row).filter(|leaf| has(leaf)).map(|_| 1),
            Node::Gate { k, children } => {
                let chosen = cheapest(*k, children, &costs);
                (chosen.len() == *k).then(|| chosen.iter().map(|(cost, ..)| cost).sum())
            }
        };
        if let Some(slot) = costs.get_mut(at) {
            *slot = cost;
        }
    }
    costs.first().copied().flatten()?;

    let mut terms = Vec::new();
    let mut open: Vec<(usize, Option<Scalar>)> = vec![(0, None)];
    while let Some((at, gamma)) = open.pop() {
        match nodes.get(at)? {
            Node::Leaf(row) => terms.push(Term { row: *row, gamma }),
            Node::Gate { k, children } => {
                let chosen = cheapest(*k, children, &costs);
                let plain = *k == 1 || *k == children.len();
                for (_, i, child) in &chosen {
                    let coefficient = if plain {
                        gamma.clone()
                    } else {
                        let lagrange = lagrange(*i, chosen.iter().map(|(_, j, _)| *j));
                        Some(gamma.as_ref().map_or(lagrange.clone(), |gamma| gamma.mul(&lagrange)))
                    };
                    open.push((*child, coefficient));
                }
            }
        }
    }
    Some(terms)
}

/// At most `k` satisfied children, cheapest first, as (cost, place under the gate, node).
fn cheapest(k: usize, children: &[usize], costs: &[Option<usize>]) -> Vec<(usize, usize, usize)> {
    let mut satisfied: Vec<(usize, usize, usize)> = children
        .iter()
        .enumerate()
        .filter_map(|(i, child)| Some((costs.get(*child).copied().flatten()?, i, *child)))
        .collect();
    satisfied.sort_unstable();
    satisfied.truncate(k);
    satisfied
}

/// Lagrange's coefficient at zero for place `i` (from 0) among `places`.
fn lagrange(i: usize, places: impl Iterator<Item = usize>) -> Scalar {
    let x = |place: usize| Scalar::from_u64(place as u64 + 1);
    let mut numerator = Scalar::one();
    let mut denominator = Scalar::one();
    for j in places.filter(|j| *j != i) {
        numerator = numerator.mul(&x(j));
        denominator = denominator.mul(&x(j).sub(&x(i)));
    }
    numerator.mul(&denominator.invert())
}
