//! What the policy language means.

use std::cell::Cell;

use chartseal::policy::{
    AccessTree, Attributes, MAX_LEAVES, Month, ParseError, ParseErrorKind as Kind, PersonNumber, Policy,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::policies::{arb_attributes, arb_policy, authority, cases, key, opens, policy, tree};

#[test]
fn the_canonical_text_is_as_expected_and_parses_back() {
    for (text, canonical) in [
        ("a:1", "a:1"),
        ("((a:1))", "a:1"),
        ("a:1 and b:2 and c:3", "a:1 and b:2 and c:3"),
        ("(a:1 and b:2) and c:3", "(a:1 and b:2) and c:3"),
        ("a:1 and (b:2 and c:3)", "a:1 and (b:2 and c:3)"),
        ("a:1 or (b:2 and c:3)", "a:1 or b:2 and c:3"),
        ("a:1 and b:2 or c:3 and d:4", "a:1 and b:2 or c:3 and d:4"),
        ("(a:1 or b:2)and(c:3 or d:4)", "(a:1 or b:2) and (c:3 or d:4)"),
        ("(a:1 or b:2) or c:3", "(a:1 or b:2) or c:3"),
        ("2 of(a:1,(b:2 or c:3),\td:4)", "2 of (a:1, b:2 or c:3, d:4)"),
        ("1 of (a:1)", "1 of (a:1)"),
        ("1 of (1 of (a:1))", "1 of (1 of (a:1))"),
        ("2 of (a:1, b:2) and c:3", "2 of (a:1, b:2) and c:3"),
        ("b:2 and a:1 and a:1", "b:2 and a:1 and a:1"),
        ("age>=3", "age >= 3"),
        ("age\n=\r\n3", "age = 3"),
        ("age in 3 .. 3", "age in 3..3"),
        ("born in 1899-12-31..2024-02-29", "born in 1899-12-31..2024-02-29"),
        ("valid-until in 2026-01..2026-06", "valid-until in 2026-01..2026-06"),
        ("not   user:#0", "not user:#0"),
        ("user:#16777215", "user:#16777215"),
        ("a:and or a:or", "a:and or a:or"),
        ("android:1 and order:2 and inn:3 and note:4", "android:1 and order:2 and inn:3 and note:4"),
        ("a:-1..+2/3_", "a:-1..+2/3_"),
        ("a.b-c_d.9:1", "a.b-c_d.9:1"),
        (r#"a:"1""#, "a:1"),
        (r#"a:"x y" and b:"\"\\" and c:"é@""#, r#"a:"x y" and b:"\"\\" and c:"é@""#),
    ] {
        let parsed = policy(text);
        assert_eq!(parsed.to_string(), canonical);
        assert_eq!(policy(canonical), parsed);
    }
    assert_ne!(policy("(a:1 and b:2) and c:3"), policy("a:1 and b:2 and c:3"));
    assert_ne!(policy("age > 2"), policy("age >= 3"));
    assert_ne!(policy("a:x"), policy("a:X"));
}

#[test]
fn names_resolve_to_numbers_and_leave_no_trace() {
    let map = |name: &str| match name {
        "dr-bob" => PersonNumber::new(17).ok(),
        "Dr Ada" => PersonNumber::new(4).ok(),
        _ => None,
    };
    let resolved = Policy::parse_with(r#"not user:dr-bob and not user:"Dr Ada" or user:dr-bob"#, map).unwrap();
    assert_eq!(resolved.to_string(), "not user:#17 and not user:#4 or user:#17");
    assert_eq!(resolved.exclusions().map(PersonNumber::get).collect::<Vec<_>>(), [17, 4]);
    let error = Policy::parse_with("user:dr-bob and user:dr-eve", map).unwrap_err();
    assert_eq!((error.kind(), error.span()), (&Kind::UnknownPerson, 21..27));
    let error = Policy::parse_with("user:dr-bob and not user:#17", map).unwrap_err();
    assert_eq!(error.kind(), &Kind::Unsatisfiable);
}

#[test]
fn a_policy_means_what_it_says() {
    let ada = key("role:doctor, dept:icu, dept:er, age = 40, born = 1984-02-29, valid-until = 2027-03, user:#17");
    for text in [
        "role:doctor",
        "dept:icu and dept:er",
        "role:nurse or dept:er and age > 39",
        "2 of (role:nurse, dept:icu, dept:er)",
        "age = 40",
        "age >= 40",
        "age <= 40",
        "age in 40..40",
        "age in 0..4294967295",
        "born < 1984-03-01",
        "born > 1969-12-31 and born in 1984-02-29..1984-02-29",
        "born > 0001-01-01",
        "valid-until >= 2027-03",
        "user:#17",
        "not user:#16 and not user:#18 and not user:#0 and not user:#16777215",
        "user:#17 and not user:#16",
    ] {
        assert!(policy(text).satisfied_by(&ada), "{text}");
        assert!(opens(&tree(text), &ada), "{text}");
    }
    for text in [
        "role:Doctor",
        "(role:nurse or dept:er) and age > 40",
        "3 of (role:nurse, dept:icu, dept:er)",
        "age < 40",
        "age > 40",
        "age in 41..50",
        "age in 30..39",
        "age >= 1970-01-01",
        "age >= 1970-01",
        "height >= 0",
        "height in 0..4294967295",
        "born >= 1984-03-01",
        "born > 1984-02-29",
        "valid-until >= 2027-04",
        "not user:#17",
        "user:#16",
        "not user:#16 and not user:#17",
    ] {
        assert!(!policy(text).satisfied_by(&ada), "{text}");
        assert!(!opens(&tree(text), &ada), "{text}");
    }
    let nobody = key("role:doctor");
    for text in ["not user:#17", "user:#0", "age >= 0", "valid-until >= 1970-01"] {
        assert!(!policy(text).satisfied_by(&nobody), "{text}");
        assert!(!opens(&tree(text), &nobody), "{text}");
    }
}

/// The promise of the language: what a key opens is what evaluation says.
#[test]
fn the_expanded_tree_agrees_with_plain_evaluation_on_random_policies_and_keys() {
    let (open, closed) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(cases(4000));
    let cases = (arb_policy(), proptest::collection::vec(arb_attributes(), 4));
    runner
        .run(&cases, |(policy, keys)| {
            let tree = policy.expand(&authority()).unwrap();
            prop_assert!(tree.leaves().len() <= MAX_LEAVES);
            prop_assert_eq!(&AccessTree::decode(tree.as_bytes()).unwrap(), &tree);
            for key in keys {
                let expected = policy.satisfied_by(&key);
                prop_assert_eq!(opens(&tree, &key), expected, "{} / {}", policy, key);
                let count = if expected { &open } else { &closed };
                count.set(count.get() + 1);
            }
            Ok(())
        })
        .unwrap();
    let share = open.get() * 100 / (open.get() + closed.get());
    assert!((25..=75).contains(&share), "{share} % open: the cases say little");
}

/// A policy over one number and text attributes that every key holds, with its own evaluation.
#[derive(Debug, Clone)]
enum Model {
    Text,
    Compare(&'static str, u32),
    Range(u32, u32),
    Gate(&'static str, usize, Vec<Model>),
}

impl Model {
    fn text(&self) -> String {
        match self {
            Self::Text => "a:1".to_owned(),
            Self::Compare(op, n) => format!("age {op} {n}"),
            Self::Range(low, high) => format!("age in {low}..{high}"),
            Self::Gate(word, k, children) => {
                let texts: Vec<String> = children.iter().map(|child| format!("({})", child.text())).collect();
                if word.is_empty() { format!("{k} of ({})", texts.join(", ")) } else { texts.join(word) }
            }
        }
    }

    fn holds(&self, age: u32) -> bool {
        match self {
            Self::Text => true,
            Self::Compare(">=", n) => age >= *n,
            Self::Compare("<=", n) => age <= *n,
            Self::Compare(">", n) => age > *n,
            Self::Compare("<", n) => age < *n,
            Self::Compare(_, n) => age == *n,
            Self::Range(low, high) => *low <= age && age <= *high,
            Self::Gate(_, k, children) => children.iter().filter(|child| child.holds(age)).count() >= *k,
        }
    }

    /// Every part of it holds for some age.
    fn can_be_opened(&self) -> bool {
        let parts = match self {
            Self::Gate(_, _, children) => children.iter().all(Self::can_be_opened),
            _ => true,
        };
        parts && (0..=7).any(|age| self.holds(age))
    }
}

fn model() -> impl Strategy<Value = Model> {
    let leaf = prop_oneof![
        1 => Just(Model::Text),
        3 => (proptest::sample::select(&[">=", "<=", ">", "<", "="][..]), 1..6_u32).prop_map(|(op, n)| Model::Compare(op, n)),
        1 => (0..3_u32, 3..7_u32).prop_map(|(low, high)| Model::Range(low, high)),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        proptest::collection::vec(inner, 2..4).prop_flat_map(|children| {
            let n = children.len();
            let gates = vec![(" and ", n), (" or ", 1), ("", 1), ("", 2), ("", n)];
            proptest::sample::select(gates).prop_map(move |(word, k)| Model::Gate(word, k, children.clone()))
        })
    })
}

#[test]
fn a_policy_over_one_label_is_refused_exactly_if_some_part_of_it_cannot_be_opened() {
    let (accepted, refused) = (Cell::new(0), Cell::new(0));
    TestRunner::new(cases(4000))
        .run(&model(), |model| {
            let text = model.text();
            match text.parse::<Policy>() {
                Ok(policy) => {
                    accepted.set(accepted.get() + 1);
                    prop_assert!(model.can_be_opened(), "{}", text);
                    for age in 0..=7 {
                        prop_assert_eq!(policy.satisfied_by(&key(&format!("a:1, age = {age}"))), model.holds(age));
                    }
                }
                Err(error) => {
                    refused.set(refused.get() + 1);
                    prop_assert_eq!(error.kind(), &Kind::Unsatisfiable);
                    prop_assert!(!model.can_be_opened(), "{}", text);
                }
            }
            Ok(())
        })
        .unwrap();
    assert!(accepted.get() > 800 && refused.get() > 400, "{accepted:?} {refused:?}");
}

#[test]
fn attributes_built_from_parts_cannot_say_more_than_one_thing() {
    let built = Attributes::new("role", "nurse, role:doctor")
        .and_then(|key| key.with_text("ward", "7\" or \\"))
        .and_then(|key| key.with_number("age", 40))
        .and_then(|key| key.with_person(PersonNumber::new(17).unwrap()))
        .and_then(|key| key.with_valid_until(Month::new(2027, 3).unwrap()))
        .unwrap();
    let text = r#"role:"nurse, role:doctor", ward:"7\" or \\", age = 40, user:#17, valid-until = 2027-03"#;
    assert_eq!(built.to_string(), text);
    assert_eq!(key(text), built);
    assert!(!policy("role:doctor").satisfied_by(&built));
    assert_eq!(built.person(), PersonNumber::new(17).ok());
    assert_eq!(built.valid_until(), Month::new(2027, 3).ok());
    let kind = |result: Result<Attributes, ParseError>| *result.unwrap_err().kind();
    assert_eq!(kind(Attributes::new("user", "#17")), Kind::ReservedLabel);
    assert_eq!(kind(Attributes::new("and", "x")), Kind::ReservedWord);
    assert_eq!(kind(Attributes::new("", "x")), Kind::InvalidLabel);
    assert_eq!(kind(Attributes::new("a:1, b", "x")), Kind::InvalidLabel);
    assert_eq!(kind(Attributes::new("a", "")), Kind::MissingValue);
    for hidden in ["x\u{202e}", "\u{e000}", "x\u{378}y", "x\u{200d}y", "x\u{2028}y"] {
        assert_eq!(kind(Attributes::new("a", hidden)), Kind::ForbiddenCharacter, "{hidden:?}");
    }
    for spaced in [" ", " x", "x ", "x  y"] {
        assert_eq!(kind(Attributes::new("a", spaced)), Kind::MisplacedSpace, "{spaced:?}");
    }
    assert!(Attributes::new("a", "\"x\" y z").is_ok());
    assert_eq!(kind(Attributes::new("a", &"x".repeat(256))), Kind::ValueTooLong);
    assert_eq!(kind(built.clone().with_text("role", "nurse, role:doctor")), Kind::DuplicateAttribute);
    assert_eq!(kind(built.clone().with_number("age", 41)), Kind::DuplicateLabel);
    assert_eq!(kind(built.clone().with_number("valid-until", 1)), Kind::ReservedLabel);
    assert_eq!(kind(built.with_person(PersonNumber::new(17).unwrap())), Kind::DuplicateLabel);
    let long = (0..66).try_fold(Attributes::new("a", "x").unwrap(), |key, i| key.with_text("a", &format!("{i:0250}")));
    assert_eq!(kind(long), Kind::TooLong);
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn canonical_text_of_a_random_policy_parses_back(policy in arb_policy()) {
        let text = policy.to_string();
        let again: Policy = text.parse().unwrap();
        prop_assert_eq!(&again, &policy);
        prop_assert_eq!(again.to_string(), text);
        prop_assert_eq!(again.expand(&authority()).unwrap(), policy.expand(&authority()).unwrap());
    }

    #[test]
    fn canonical_text_of_random_attributes_parses_back(attributes in arb_attributes()) {
        let text = attributes.to_string();
        let again: Attributes = text.parse().unwrap();
        prop_assert_eq!(&again, &attributes);
        prop_assert_eq!(again.to_string(), text);
        let leaves = attributes.leaves(&authority());
        prop_assert!(leaves.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
