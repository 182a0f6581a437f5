//! Whether one policy admits nobody whom another does not.

use std::collections::HashMap;

use super::Policy;
use super::cover::asked;
use super::syntax::{Atom, Expr, Gate};

impl Policy {
    /// Whether everybody who satisfies this policy satisfies `other` too, as far as that can be seen part by part.
    ///
    /// Sound and not complete: `true` is always right; of two policies that say the same in very different words it can
    /// be `false`, since to decide that for all is NP-hard. A policy implies itself, and adding `and …`, dropping a
    /// branch of an `or`, raising a threshold or narrowing a range is seen wherever it stands, one change at a time.
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
        let mut walk = Walk { steps: MOST_STEPS, found: HashMap::new() };
        walk.implies(&self.0, &other.0).unwrap_or(false)
    }
}

/// What was found of two parts already, so that each pair is looked at once however deep it lies; and how many more may be.
struct Walk {
    steps: usize,
    found: HashMap<(*const Expr, *const Expr), bool>,
}

impl Walk {
    /// `None` when the steps are used up.
    fn implies(&mut self, one: &Expr, other: &Expr) -> Option<bool> {
        if let (Expr::Atom(one), Expr::Atom(other)) = (one, other) {
            return Some(narrows(one, other));
        }
        let pair = (std::ptr::from_ref(one), std::ptr::from_ref(other));
        if let Some(found) = self.found.get(&pair) {
            return Some(*found);
        }
        self.steps = self.steps.checked_sub(1)?;
        let found = self.look(one, other)?;
        self.found.insert(pair, found);
        Some(found)
    }

    fn look(&mut self, one: &Expr, other: &Expr) -> Option<bool> {
        if let Expr::Gate(Gate::Or, children) = one {
            return self.count(children, |walk, child| walk.implies(child, other)).map(|n| n == children.len());
        }
        if let Expr::Gate(Gate::And, children) = other {
            return self.count(children, |walk, child| walk.implies(one, child)).map(|n| n == children.len());
        }
        if let Expr::Gate(gate, children) = other
            && self.count(children, |walk, child| walk.implies(one, child))? >= gate.k(children.len())
        {
            return Some(true);
        }
        let Expr::Gate(gate, children) = one else {
            return Some(false);
        };
        // However k of n are chosen, one of any n − k + 1 of them is among them.
        if self.count(children, |walk, child| walk.implies(child, other))? > children.len() - gate.k(children.len()) {
            return Some(true);
        }
        self.threshold((gate, children), other)
    }

    /// A threshold of conditions each of which narrows one of the other's, as high or higher.
    fn threshold(&mut self, (gate, children): (&Gate, &[Expr]), other: &Expr) -> Option<bool> {
        let Expr::Gate(Gate::AtLeast(k), others) = other else {
            return Some(false);
        };
        // Each may stand for one only, or `a, a` would count twice for `a`. Its own like first.
        let mut left: Vec<&Expr> = others.iter().collect();
        let (mut kept, mut unlike) = (0, Vec::new());
        for child in children {
            match left.iter().position(|other| *other == child) {
                Some(at) => {
                    left.swap_remove(at);
                    kept += 1;
                }
                None => unlike.push(child),
            }
        }
        for child in unlike {
            for (at, other) in left.iter().enumerate() {
                if self.implies(child, other)? {
                    left.swap_remove(at);
                    kept += 1;
                    break;
                }
            }
        }
        let lost = children.len() - kept;
        Some(gate.k(children.len()).saturating_sub(lost) >= *k)
    }

    fn count(&mut self, children: &[Expr], mut holds: impl FnMut(&mut Self, &Expr) -> Option<bool>) -> Option<usize> {
        let mut n = 0;
        for child in children {
            n += usize::from(holds(self, child)?);
        }
        Some(n)
    }
}

fn narrows(one: &Atom, other: &Atom) -> bool {
    match (asked(one), asked(other)) {
        (Some((label, _, points)), Some((other_label, _, others))) => {
            label == other_label && points.and(&others) == points
        }
        _ => one == other,
    }
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
            ("2 of (a:1, b:1, c:1)", "2 of (a:1, b:1, c:1 or d:1)"),
            ("2 of (a:1, b:1, x >= 5)", "2 of (a:1, b:1, x >= 3)"),
            ("2 of (a:1, b:1, c:1 and d:1)", "2 of (a:1, b:1, c:1)"),
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
            ("2 of (a:1 and b:1, a:1 and c:1, d:1)", "2 of (a:1, d:1, e:1)"),
            ("a:1 and not user:#7", "a:1 and not user:#7 and not user:#8"),
        ] {
            assert!(!policy(one).implies(&policy(other)), "{one} => {other}");
        }
    }

    /// Deep and wide, and narrowed by an exclusion: within the steps.
    #[test]
    fn a_policy_of_any_depth_implies_itself() {
        fn tree(depth: usize, width: usize, n: &mut usize, join: fn(Vec<String>, usize) -> String) -> String {
            if depth == 0 {
                *n += 1;
                return format!("a:{n}");
            }
            let parts = (0..width).map(|_| tree(depth - 1, width, n, join)).collect();
            join(parts, depth)
        }
        let alternating = |parts: Vec<String>, depth: usize| {
            format!("({})", parts.join(if depth.is_multiple_of(2) { " or " } else { " and " }))
        };
        let two_of = |parts: Vec<String>, _| format!("2 of ({})", parts.join(", "));
        let chain = (0..30).fold("z:1".to_owned(), |inner, n| {
            if n % 2 == 0 { format!("(a:{n} or {inner})") } else { format!("(a:{n} and {inner})") }
        });
        let texts =
            [chain, tree(8, 2, &mut 0, alternating), tree(4, 4, &mut 0, alternating), tree(5, 3, &mut 0, two_of)];
        for text in texts {
            let whole = policy(&text);
            assert!(whole.implies(&whole), "{text}");
            assert!(policy(&format!("({text}) and not user:#7")).implies(&whole), "{text}");
            assert!(!whole.implies(&policy(&format!("({text}) and not user:#7"))), "{text}");
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
