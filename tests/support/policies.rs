//! Random policies and keys over a universe so small that about half of them match, and shorthands for tests.

use std::collections::BTreeSet;

use chartseal::id::AuthorityId;
use chartseal::policy::{AccessTree, Attributes, Leaf, Policy};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, FileFailurePersistence};

const TEXTS: [&str; 8] = [
    "role:doctor",
    "role:nurse",
    "role:admin",
    "dept:icu",
    "dept:cardiology",
    r#"ward:"7 \"north\"""#,
    "shift:night",
    "ward:9",
];
const NUMBERS: [&str; 7] = ["0", "1", "2", "3", "4", "5", "4294967295"];
const DATES: [&str; 6] = ["1900-02-28", "1969-12-31", "1970-01-01", "1970-01-02", "2024-02-29", "2024-03-01"];
const MONTHS: [&str; 5] = ["1970-01", "2026-12", "2027-01", "2027-02", "2311-04"];
const PERSONS: [u32; 5] = [0, 1, 2, 3, 16_777_215];
const OPS: [&str; 5] = [">=", "<=", ">", "<", "="];

/// The text of a policy, valid but for what its own parts exclude or cost.
pub(crate) fn arb_policy_text() -> impl Strategy<Value = String> {
    condition().prop_recursive(5, 24, 4, |inner| {
        let joined = |word: &'static str| {
            vec(inner.clone(), 2..4)
                .prop_map(move |parts| parts.iter().map(|part| format!("({part})")).collect::<Vec<_>>().join(word))
        };
        let bare = |word: &'static str| vec(condition(), 2..4).prop_map(move |parts| parts.join(word));
        let threshold = vec(inner.clone(), 1..5)
            .prop_flat_map(|parts| (1..=parts.len(), Just(parts)))
            .prop_map(|(k, parts)| format!("{k} of ({})", parts.join(", ")));
        prop_oneof![joined(" and "), joined(" or "), bare(" and "), bare(" or "), threshold]
    })
}

/// A policy.
pub(crate) fn arb_policy() -> impl Strategy<Value = Policy> {
    arb_policy_text()
        .prop_filter_map("a policy that nobody can satisfy, or that is too large", |text| text.parse().ok())
}

/// What a key may hold.
pub(crate) fn arb_attributes() -> impl Strategy<Value = Attributes> {
    let texts = vec(any::<bool>(), TEXTS.len());
    let number = |label: &'static str| option::weighted(0.8, select(&NUMBERS[..]).prop_map(move |n| (label, n)));
    let date = option::weighted(0.7, select(&DATES[..]).prop_map(|date| ("born", date)));
    let month = option::weighted(0.8, select(&MONTHS[..]).prop_map(|month| ("valid-until", month)));
    let person = option::weighted(0.9, select(&PERSONS[..]));
    (texts, number("age"), number("clearance"), date, month, person).prop_map(
        |(texts, age, clearance, date, month, person)| {
            let mut parts: Vec<String> =
                TEXTS.iter().zip(texts).filter(|(_, held)| *held).map(|(text, _)| (*text).to_owned()).collect();
            let numeric = [age, clearance, date, month].into_iter().flatten();
            parts.extend(numeric.map(|(label, value)| format!("{label} = {value}")));
            parts.extend(person.map(|number| format!("user:#{number}")));
            if parts.is_empty() {
                parts.push("role:visitor".to_owned());
            }
            parts.join(", ").parse().expect("made of valid parts")
        },
    )
}

fn condition() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => select(&TEXTS[..]).prop_map(str::to_owned),
        3 => select(&["age", "clearance"][..]).prop_flat_map(|label| numeric(label, &NUMBERS)),
        2 => numeric("born", &DATES),
        2 => numeric("valid-until", &MONTHS),
        1 => select(&PERSONS[..]).prop_map(|number| format!("user:#{number}")),
        3 => select(&PERSONS[..]).prop_map(|number| format!("not user:#{number}")),
    ]
}

/// A comparison or range over `values`, which are in ascending order.
fn numeric(label: &'static str, values: &'static [&'static str]) -> impl Strategy<Value = String> {
    let comparison = (select(&OPS[..]), select(values)).prop_map(move |(op, value)| format!("{label} {op} {value}"));
    let range = (0..values.len(), 0..values.len())
        .prop_map(move |(a, b)| format!("{label} in {}..{}", values[a.min(b)], values[a.max(b)]));
    prop_oneof![3 => comparison, 1 => range]
}

pub(crate) fn authority() -> AuthorityId {
    AuthorityId::new("st-olave").unwrap()
}

pub(crate) fn policy(text: &str) -> Policy {
    text.parse().unwrap_or_else(|error| panic!("`{text}`: {error}"))
}

pub(crate) fn tree(text: &str) -> AccessTree {
    policy(text).expand(&authority()).unwrap()
}

pub(crate) fn leaves(text: &str) -> usize {
    tree(text).leaves().len()
}

pub(crate) fn key(text: &str) -> Attributes {
    text.parse().unwrap_or_else(|error| panic!("`{text}`: {error}"))
}

/// Whether the expanded tree opens to the leaves of a key.
pub(crate) fn opens(tree: &AccessTree, attributes: &Attributes) -> bool {
    let leaves: BTreeSet<Leaf> = attributes.leaves(&authority()).into_iter().collect();
    tree.satisfied_by(|leaf| leaves.contains(leaf))
}

/// The seed of a failure is kept in a file beside the test, and tried first from then on.
pub(crate) fn cases(cases: u32) -> Config {
    let persistence = FileFailurePersistence::WithSource("proptest-regressions");
    Config { cases, failure_persistence: Some(Box::new(persistence)), ..Config::default() }
}
