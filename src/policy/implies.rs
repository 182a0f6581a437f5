//! Whether one policy admits nobody whom another does not.

use super::Policy;
use super::cover::asked;
use super::syntax::{Atom, Expr, Gate};

impl Policy {
    /// Whether everybody who satisfies this policy satisfies `other` too, as far as that can be seen part by part.
    ///
    /// Sound and not complete: `true` is always right; of two policies that say the same in very different words it can be
    /// `false`, since to decide that for all is NP-hard. Adding `and …`, dropping a branch of an `or`, raising a threshold
    /// or narrowing a range is always seen.
    ///
    /// # Example
    ///
    /// ```
    /// use chartseal::policy::Policy;
    ///
    /// let doctors: Policy = "role:doctor or role:nurse".parse()?;
    /// assert!("role:doctor and dept:icu and not user:#3".parse::<Policy>()?.implies(&doctors));
    /// assert!(!"role:doctor or role:clerk".parse::<Policy>()?.implies(&doctors));
    /// # Ok::<(), chartseal::Error>(())
    /// ```
    pub fn implies(&self, other: &Self) -> bool {
        implies(&self.0, &other.0, &mut { MOST_STEPS }).unwrap_or(false)
    }
}

/// `None` when the steps are used up.
fn implies(one: &Expr, other: &Expr, steps: &mut usize) -> Option<bool> {
    *steps = steps.checked_sub(1)?;
    if let Expr::Gate(Gate::Or, children) = one {
        return count(children, |child| implies(child, other, steps)).map(|n| n == children.len());
    }
    if let Expr::Gate(Gate::And, children) = other {
        return count(children, |child| implies(one, child, steps)).map(|n| n == children.len());
    }
    if let (Expr::Atom(one), Expr::Atom(other)) = (one, other) {
        return Some(narrows(one, other));
    }
    if let Expr::Gate(gate, children) = other
        && count(children, |child| implies(one, child, steps))? >= gate.k(children.len())
    {
        return Some(true);
    }
    let Expr::Gate(gate, children) = one else {
        return Some(false);
    };
    // However k of n are chosen, one of any n − k + 1 of them is among them.
    if count(children, |child| implies(child, other, steps))? > children.len() - gate.k(children.len()) {
        return Some(true);
    }
    Some(threshold(gate, children, other))
}

/// A threshold of the same conditions, as high or higher.
fn threshold(gate: &Gate, children: &[Expr], other: &Expr) -> bool {
    let Expr::Gate(Gate::AtLeast(k), others) = other else {
        return false;
    };
    // Each may stand for one only, or `a, a` would count twice for `a`.
    let mut left: Vec<&Expr> = others.iter().collect();
    let mut kept = 0;
    for child in children {
        if let Some(at) = left.iter().position(|other| *other == child) {
            left.swap_remove(at);
            kept += 1;
        }
    }
    let lost = children.len() - kept;
    gate.k(children.len()).saturating_sub(lost) >= *k
}

fn narrows(one: &Atom, other: &Atom) -> bool {
    match (asked(one), asked(other)) {
        (Some((label, _, points)), Some((other_label, _, others))) => {
            label == other_label && points.and(&others) == points
        }
        _ => one == other,
    }
}

fn count(children: &[Expr], mut holds: impl FnMut(&Expr) -> Option<bool>) -> Option<usize> {
    let mut n = 0;
    for child in children {
        n += usize::from(holds(child)?);
    }
    Some(n)
}

const MOST_STEPS: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::policy::{Attributes, Policy};

    fn policy(text: &str) -> Policy {
        text.parse().unwrap()
    }

    #[test]
    fn what_narrows_is_seen() {
        for (one, other) in [
            ("a:1", "a:1"),
            ("a:1 and b:2", "a:1"),
            ("a:1", "a:1 or b:2"),
            ("(a:1 or b:2) and c:3 and not user:#7", "a:1 or b:2"),
            ("a:1 and b:2", "2 of (a:1, b:2, c:3)"),
            ("3 of (a:1, b:2, c:3)", "2 of (a:1, b:2, c:3)"),
            ("2 of (a:1, b:2)", "2 of (a:1, b:2, c:3)"),
            ("2 of (a:1, b:2, c:3)", "a:1 or b:2"),
            ("x > 5", "x >= 5"),
            ("x in 3..4", "x >= 3"),
            ("user:#3", "not user:#7"),
        ] {
            assert!(policy(one).implies(&policy(other)), "{one} => {other}");
        }
    }

    #[test]
    fn what_widens_is_refused() {
        for (one, other) in [
            ("a:1", "b:1"),
            ("a:1", "a:1 and b:2"),
            ("a:1 or b:2", "a:1"),
            ("x >= 5", "x > 5"),
            ("x > 5", "y > 4"),
            ("2 of (a:1, b:2, c:3)", "3 of (a:1, b:2, c:3)"),
            ("2 of (a:1, b:2, c:3)", "2 of (a:1, b:2, d:4)"),
            ("not user:#7", "not user:#8"),
            ("a:1 and not user:#7", "a:1 and not user:#7 and not user:#8"),
        ] {
            assert!(!policy(one).implies(&policy(other)), "{one} => {other}");
        }
    }

    fn any_policy() -> impl Strategy<Value = String> {
        let leaf = (0..4u8, 0..4u8).prop_map(|(kind, n)| match kind {
            0 => format!("x >= {n}"),
            1 => format!("x <= {n}"),
            2 => format!("not user:#{}", n + 1),
            _ => format!("{}:1", ["a", "b", "c", "d"][usize::from(n)]),
        });
        leaf.prop_recursive(3, 16, 3, |inner| {
            (0..3usize, prop::collection::vec(inner, 2..4)).prop_map(|(gate, children)| match gate {
                0 => format!("({})", children.join(" and ")),
                1 => format!("({})", children.join(" or ")),
                _ => format!("2 of ({})", children.join(", ")),
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn whoever_satisfies_a_policy_satisfies_what_it_implies(one in any_policy(), other in any_policy()) {
            let (Ok(one), Ok(other)) = (one.parse::<Policy>(), other.parse::<Policy>()) else { return Ok(()) };
            let narrower: Result<Policy, _> = format!("({one}) and ({other})").parse();
            if let Ok(narrower) = &narrower {
                prop_assert!(narrower.implies(&one) && narrower.implies(&other));
            }
            if one.implies(&other) {
                for set in 0..16u8 {
                    for x in 0..5 {
                        let text: Vec<String> = ["a", "b", "c", "d"].iter().enumerate()
                            .filter(|(i, _)| set >> i & 1 == 1).map(|(_, name)| format!("{name}:1"))
                            .chain([format!("x = {x}")]).collect();
                        let attributes: Attributes = text.join(", ").parse().unwrap();
                        for person in 1..6 {
                            let person = crate::policy::PersonNumber::new(person).unwrap();
                            let attributes = attributes.clone().with_person(person).unwrap();
                            prop_assert!(!one.satisfied_by(&attributes) || other.satisfied_by(&attributes), "{attributes}");
                        }
                    }
                }
            }
        }
    }
}
