//! The policy language from outside: what it accepts, what it refuses and where, and what it means.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

use std::cell::Cell;
use std::collections::BTreeSet;

use chartseal::Error;
use chartseal::id::AuthorityId;
use chartseal::policy::{
    AccessTree, Attributes, Leaf, MAX_LEAVES, Month, ParseErrorKind as Kind, PersonNumber, Policy,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

#[path = "common/policies.rs"]
mod policies;

fn authority() -> AuthorityId {
    AuthorityId::new("st-olave").unwrap()
}

fn policy(text: &str) -> Policy {
    text.parse().unwrap_or_else(|error| panic!("`{text}`: {error}"))
}

fn tree(text: &str) -> AccessTree {
    policy(text).expand(&authority()).unwrap()
}

fn leaves(text: &str) -> usize {
    tree(text).leaves().len()
}

fn key(text: &str) -> Attributes {
    text.parse().unwrap_or_else(|error| panic!("`{text}`: {error}"))
}

/// Whether the expanded tree opens to the leaves of a key.
fn opens(tree: &AccessTree, attributes: &Attributes) -> bool {
    let leaves: BTreeSet<Leaf> = attributes.leaves(&authority()).into_iter().collect();
    tree.satisfied_by(|leaf| leaves.contains(leaf))
}

/// `«…»` marks what the error must underline; without marks it is the end of the text.
fn marked(text: &str) -> (String, std::ops::Range<usize>) {
    let plain = text.replace(['«', '»'], "");
    let start = text.find('«').unwrap_or(plain.len());
    let end = text.find('»').map_or(plain.len(), |end| end - '«'.len_utf8());
    (plain, start..end)
}

#[track_caller]
fn refused(cases: &[(&str, Kind)], parse: impl Fn(&str) -> Option<chartseal::policy::ParseError>) {
    for (text, kind) in cases {
        let (text, span) = marked(text);
        let error = parse(&text).unwrap_or_else(|| panic!("`{text}` was accepted"));
        assert_eq!((error.kind(), error.span()), (kind, span), "`{text}`: {error}");
        let message = error.to_string();
        assert!(!message.contains('\n') && message.len() < 600 && !message.ends_with('.'), "{message}");
        assert_eq!(error.render(&text).lines().count(), 2, "{message}");
    }
}

#[test]
fn everything_outside_the_grammar_is_refused_and_underlined() {
    let cases = [
        ("", Kind::Empty),
        ("« \t\r\n»", Kind::Empty),
        // Operators of other languages.
        ("a:1 «AND» b:2", Kind::UnknownOperator),
        ("a:1 «Or» b:2", Kind::UnknownOperator),
        ("a:1 «&&» b:2", Kind::UnknownOperator),
        ("a:1«&&»b:2", Kind::UnknownOperator),
        ("a:1 «||» b:2", Kind::UnknownOperator),
        ("a:1 «|» b:2", Kind::UnknownOperator),
        ("«!»user:#1", Kind::UnknownOperator),
        ("«NOT» user:#1", Kind::UnknownOperator),
        ("age «!=» 3", Kind::UnknownOperator),
        ("age «==» 3", Kind::UnknownOperator),
        ("age «=>» 3", Kind::UnknownOperator),
        ("age «<>» 3", Kind::UnknownOperator),
        ("age > 3 «<» 5", Kind::UnknownOperator),
        // Conditions side by side, and text after the end.
        ("(a:1) «b:2»", Kind::ExpectedOperator),
        ("a:1 «b:2»", Kind::ExpectedOperator),
        ("a:1 «b:\"x (y\"» c:3", Kind::ExpectedOperator),
        ("a:1 «(»b:2)", Kind::ExpectedOperator),
        ("a:1«(»b:2)", Kind::ExpectedOperator),
        ("a:\"x\"«y»", Kind::ExpectedOperator),
        ("a:1 «andb:2»", Kind::ExpectedOperator),
        ("a:1 «and-b:2»", Kind::ExpectedOperator),
        ("a:1 «not» user:#3", Kind::ExpectedOperator),
        ("age >= 3 «4»", Kind::ExpectedOperator),
        ("age >= 3«..5»", Kind::ExpectedOperator),
        ("a:1 «\"»", Kind::ExpectedOperator),
        ("a:1 «;» b:2", Kind::UnexpectedCharacter),
        ("a:1 «,» b:2", Kind::UnexpectedCharacter),
        ("(a:1«,» b:2)", Kind::UnexpectedCharacter),
        ("a:1 «#» comment", Kind::UnexpectedCharacter),
        ("a:1 «\0»", Kind::UnexpectedCharacter),
        // Missing conditions.
        ("a:1 and", Kind::ExpectedCondition),
        ("a:1 or ", Kind::ExpectedCondition),
        ("«and» a:1", Kind::ExpectedCondition),
        ("a:1 and «or» b:2", Kind::ExpectedCondition),
        ("a:1 or «or»", Kind::ExpectedCondition),
        ("(«)»", Kind::ExpectedCondition),
        ("«)»", Kind::ExpectedCondition),
        ("«,»", Kind::ExpectedCondition),
        ("«of» (a:1)", Kind::ExpectedCondition),
        ("«in» 1..2", Kind::ExpectedCondition),
        // Parentheses.
        ("a:1«)»", Kind::UnmatchedParenthesis),
        ("(a:1)«)»", Kind::UnmatchedParenthesis),
        ("«(»a:1", Kind::UnclosedParenthesis),
        ("(a:1 and «(»b:2 or c:3", Kind::UnclosedParenthesis),
        ("2 of «(»a:1, b:2", Kind::UnclosedParenthesis),
        // Thresholds.
        ("1 of «()»", Kind::EmptyThreshold),
        ("1 of «( )»", Kind::EmptyThreshold),
        ("«0» of (a:1)", Kind::InvalidThreshold),
        ("«4» of (a:1, b:2, c:3)", Kind::InvalidThreshold),
        ("«02» of (a:1, b:2, c:3)", Kind::InvalidThreshold),
        ("«99999999999999999999» of (a:1)", Kind::InvalidThreshold),
        ("«2026-01» of (a:1)", Kind::InvalidThreshold),
        ("1 of (a:1«,»)", Kind::TrailingComma),
        ("1 of (a:1, «,»b:2)", Kind::ExpectedCondition),
        ("1 of («,»a:1)", Kind::ExpectedCondition),
        ("2 «of» a:1, b:2", Kind::ExpectedList),
        ("2 «of»", Kind::ExpectedList),
        ("«2» (a:1, b:2)", Kind::BareWord),
        // Labels.
        ("«AGE» > 18", Kind::InvalidLabel),
        ("«Role»:doctor", Kind::InvalidLabel),
        ("«_a»:1", Kind::InvalidLabel),
        ("«7th»:1", Kind::InvalidLabel),
        ("«AND»:1", Kind::InvalidLabel),
        ("«not»:1", Kind::ReservedWord),
        ("«of»:1", Kind::ReservedWord),
        ("«in»:1", Kind::ReservedWord),
        ("r«ô»le:1", Kind::UnexpectedCharacter),
        ("«é»", Kind::UnexpectedCharacter),
        ("a:1 and «\u{a0}»b:2", Kind::UnexpectedCharacter),
        ("a:1«\u{a0}»and b:2", Kind::UnquotedCharacter),
        ("a«/»b:1", Kind::UnexpectedCharacter),
        ("a «#» 1", Kind::UnexpectedCharacter),
        ("«:»1", Kind::MissingLabel),
        ("a:1 and «:»1", Kind::MissingLabel),
        ("«>» 3", Kind::MissingLabel),
        ("«3» <= age", Kind::ReversedComparison),
        ("«2026-01-01» < born", Kind::ReversedComparison),
        ("«3»", Kind::BareWord),
        ("a:1 and «doctor»", Kind::BareWord),
        ("«doctor» and a:1", Kind::BareWord),
        ("«doctor»(a:1)", Kind::BareWord),
        ("«age» IN 1..3", Kind::BareWord),
        ("«age» not in 1..3", Kind::BareWord),
        ("«\"»", Kind::UnexpectedCharacter),
        ("«\"»a\":1", Kind::UnexpectedCharacter),
        // Values.
        ("a:« »1", Kind::SpaceAroundColon),
        ("a« »:1", Kind::SpaceAroundColon),
        ("user:« »#1", Kind::SpaceAroundColon),
        ("«a:»", Kind::MissingValue),
        ("(«a:»)", Kind::MissingValue),
        ("«a:\"\"»", Kind::MissingValue),
        ("a:«*»", Kind::UnquotedCharacter),
        ("a:x«#»y", Kind::UnquotedCharacter),
        ("a:b«:»c", Kind::UnquotedCharacter),
        ("a:«é»", Kind::UnquotedCharacter),
        ("a:x«\"»y\"", Kind::UnquotedCharacter),
        ("a:1«=»2", Kind::UnquotedCharacter),
        ("a:«\"»x", Kind::UnclosedQuote),
        ("a:«\"»", Kind::UnclosedQuote),
        ("a:«\"»x\\\"", Kind::UnclosedQuote),
        ("a:\"x«\\n»\"", Kind::UnknownEscape),
        ("a:\"x«\\é»\"", Kind::UnknownEscape),
        ("a:\"x«\\»", Kind::UnknownEscape),
        ("a:\"x«\n»\"", Kind::ForbiddenCharacter),
        ("a:\"«\0»\"", Kind::ForbiddenCharacter),
        ("a:\"«\u{85}»\"", Kind::ForbiddenCharacter),
        ("a:\"x«\u{200b}»\"", Kind::ForbiddenCharacter),
        ("a:\"x«\u{200f}»\"", Kind::ForbiddenCharacter),
        ("a:\"x«\u{202e}»\"", Kind::ForbiddenCharacter),
        ("a:\"x«\u{2066}»\"", Kind::ForbiddenCharacter),
        ("a:\"x«\u{feff}»\"", Kind::ForbiddenCharacter),
        ("a:\"x«\u{ad}»\"", Kind::ForbiddenCharacter),
        ("a:\"x«\u{e0041}»\"", Kind::ForbiddenCharacter),
        // Authorities.
        ("a:1«@st-olave»", Kind::ReservedAuthority),
        ("a:1«@»", Kind::ReservedAuthority),
        ("a:\"x\"«@st-olave» and b:2", Kind::ReservedAuthority),
        ("user:#1«@st-olave»", Kind::ReservedAuthority),
        ("not user:#1«@st-olave»", Kind::ReservedAuthority),
        ("age >= 3«@st-olave»", Kind::ReservedAuthority),
        ("(a:1)«@st-olave»", Kind::ReservedAuthority),
        // Literals.
        ("age > «-3»", Kind::InvalidLiteral),
        ("age > «007»", Kind::InvalidLiteral),
        ("age > «1.5»", Kind::InvalidLiteral),
        ("age = «old»", Kind::InvalidLiteral),
        ("age = «\"old man\"»", Kind::InvalidLiteral),
        ("age > «é»", Kind::InvalidLiteral),
        ("born > «2026-1-1»", Kind::InvalidLiteral),
        ("age > «4294967296»", Kind::OutOfRange),
        ("m > «2311-05»", Kind::OutOfRange),
        ("m > «1969-12»", Kind::OutOfRange),
        ("born > «2026-02-29»", Kind::InvalidDate),
        ("born > «0000-01-01»", Kind::InvalidDate),
        ("m > «2026-13»", Kind::InvalidDate),
        ("age «>»", Kind::MissingValue),
        ("(age «>»)", Kind::MissingValue),
        // Ranges.
        ("age in «5..3»", Kind::InvertedRange),
        ("born in «2026-01-02..2026-01-01»", Kind::InvertedRange),
        ("born in «2026-01-02..2026-03»", Kind::MixedRange),
        ("age in «3 .. 2026-03»", Kind::MixedRange),
        ("age in «3»", Kind::InvalidRange),
        ("age in «3» to 5", Kind::InvalidRange),
        ("age in «3-5»", Kind::InvalidLiteral),
        ("age in «(»3, 5)", Kind::InvalidLiteral),
        ("age in «..5»", Kind::InvalidLiteral),
        ("age in 3..«.5»", Kind::InvalidLiteral),
        ("age in 3«..»", Kind::MissingValue),
        ("age «in»", Kind::MissingValue),
        // Reserved labels, persons and `not`.
        ("«user» = 3", Kind::ReservedLabel),
        ("«user» in 1..3", Kind::ReservedLabel),
        ("«valid-until»:2026-01", Kind::ReservedLabel),
        ("valid-until >= «3»", Kind::ExpectedMonth),
        ("valid-until >= «2026-01-01»", Kind::ExpectedMonth),
        ("valid-until in 2026-01..«7»", Kind::ExpectedMonth),
        ("user:«#»", Kind::InvalidPerson),
        ("user:«#017»", Kind::InvalidPerson),
        ("user:«#16777216»", Kind::InvalidPerson),
        ("user:«#bob»", Kind::InvalidPerson),
        ("user:«#2026-01»", Kind::InvalidPerson),
        ("user:#«#»1", Kind::UnquotedCharacter),
        ("user:«dr-bob»", Kind::UnknownPerson),
        ("not user:«dr-bob»", Kind::UnknownPerson),
        ("not user:«\"Dr Bob\"» and a:1", Kind::UnknownPerson),
        ("not «user:»", Kind::MissingValue),
        ("not «a:1»", Kind::MisplacedNot),
        ("not «user» >= 3", Kind::MisplacedNot),
        ("not «(»user:#1)", Kind::MisplacedNot),
        ("not «not» user:#1", Kind::MisplacedNot),
        ("not «2» of (a:1)", Kind::MisplacedNot),
        ("«not»", Kind::MisplacedNot),
        // What nobody could satisfy.
        ("age > 65 and «age < 18»", Kind::Unsatisfiable),
        ("age > 65 and a:1 and «age < 18» and b:2", Kind::Unsatisfiable),
        ("(a:1 and age > 65) and (b:2 and («age < 18» and c:3))", Kind::Unsatisfiable),
        ("a:1 or b:2 and (age > 65 and «age < 18»)", Kind::Unsatisfiable),
        ("age > 65 and «(age < 18 or age < 10)»", Kind::Unsatisfiable),
        ("age = 3 and «age > 2020-01-01»", Kind::Unsatisfiable),
        ("m > 2026-01 and «m > 2026-01-01»", Kind::Unsatisfiable),
        ("user:#3 and «not user:#3»", Kind::Unsatisfiable),
        ("not user:#3 and «user:#3»", Kind::Unsatisfiable),
        ("user:#3 and «user:#4»", Kind::Unsatisfiable),
        ("«clearance > 4294967295»", Kind::Unsatisfiable),
        ("«clearance < 0»", Kind::Unsatisfiable),
        ("«m > 2311-04»", Kind::Unsatisfiable),
        ("«m < 1970-01»", Kind::Unsatisfiable),
        ("«born > 9999-12-31»", Kind::Unsatisfiable),
        ("a:1 or «born < 0001-01-01»", Kind::Unsatisfiable),
        ("2 of (age > 65, «age < 18»)", Kind::Unsatisfiable),
        ("«2 of (age > 65, age < 18, age = 30)»", Kind::Unsatisfiable),
        ("a:1 and 2 of (age < 18 and b:2, c:3) and «age > 20»", Kind::Unsatisfiable),
        ("age > 20 and 2 of (b:2 and «age < 18», c:3)", Kind::Unsatisfiable),
    ];
    refused(&cases, |text| text.parse::<Policy>().err());
}

#[test]
fn everything_outside_an_attribute_list_is_refused_and_underlined() {
    let cases = [
        ("", Kind::Empty),
        ("«  »", Kind::Empty),
        ("a:1«,»", Kind::TrailingComma),
        ("«,»a:1", Kind::ExpectedCondition),
        ("a:1,«,»b:2", Kind::ExpectedCondition),
        ("a:1 «b:2»", Kind::ExpectedComma),
        ("a:1 «and» b:2", Kind::ExpectedComma),
        ("a:1«&&»", Kind::ExpectedComma),
        ("«(»a:1)", Kind::UnexpectedCharacter),
        ("a:1«)»", Kind::ExpectedComma),
        ("«not» user:#1", Kind::MisplacedNot),
        ("«and»", Kind::ReservedWord),
        ("«in»:3", Kind::ReservedWord),
        ("«Role»:doctor", Kind::InvalidLabel),
        ("«3» of (a:1)", Kind::InvalidLabel),
        ("«=» 3", Kind::MissingLabel),
        ("«:»3", Kind::MissingLabel),
        ("«doctor»", Kind::BareWord),
        ("a:1, «doctor», b:2", Kind::BareWord),
        ("«age» in 1..3", Kind::BareWord),
        ("age «>=» 3", Kind::UnknownOperator),
        ("age «==» 3", Kind::UnknownOperator),
        ("age «=»", Kind::MissingValue),
        ("age «=», a:1", Kind::MissingValue),
        ("age = «old»", Kind::InvalidLiteral),
        ("age = «03»", Kind::InvalidLiteral),
        ("age = 3«..5»", Kind::ExpectedComma),
        ("age = «4294967296»", Kind::OutOfRange),
        ("born = «2023-02-29»", Kind::InvalidDate),
        ("a:« »1", Kind::SpaceAroundColon),
        ("a« »:1", Kind::SpaceAroundColon),
        ("a:1«@st-olave»", Kind::ReservedAuthority),
        ("age = 3«@st-olave»", Kind::ReservedAuthority),
        ("«user» = 3", Kind::ReservedLabel),
        ("«valid-until»:2027-03", Kind::ReservedLabel),
        ("valid-until = «2027-03-01»", Kind::ExpectedMonth),
        ("user:«dr-bob»", Kind::UnknownPerson),
        ("user:«#16777216»", Kind::InvalidPerson),
        ("a:\"x«\u{202e}»\"", Kind::ForbiddenCharacter),
        ("a «é» 1", Kind::UnexpectedCharacter),
        ("a:1, b:2, «a:1»", Kind::DuplicateAttribute),
        ("a:1, «a:\"1\"»", Kind::DuplicateAttribute),
        ("age = 3, «age = 3»", Kind::DuplicateLabel),
        ("age = 3, «age = 4», b:2", Kind::DuplicateLabel),
        ("age = 3, «age = 2026-01-01»", Kind::DuplicateLabel),
        ("user:#1, «user:#2»", Kind::DuplicateLabel),
        ("valid-until = 2027-03, «valid-until = 2027-04»", Kind::DuplicateLabel),
    ];
    refused(&cases, |text| text.parse::<Attributes>().err());
}

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
fn names_must_not_make_the_canonical_text_longer_than_a_policy() {
    let text = vec!["not user:b"; 250].join(" and ");
    assert!(text.len() <= 4096);
    assert!(Policy::parse_with(&text, |_| PersonNumber::new(7).ok()).is_ok());
    let error = Policy::parse_with(&text, |_| PersonNumber::new(PersonNumber::MAX).ok()).unwrap_err();
    assert_eq!((error.kind(), error.span()), (&Kind::TooLong, 0..text.len()));
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
    let cases = (policies::arb_policy(), proptest::collection::vec(policies::arb_attributes(), 4));
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

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn canonical_text_of_a_random_policy_parses_back(policy in policies::arb_policy()) {
        let text = policy.to_string();
        let again: Policy = text.parse().unwrap();
        prop_assert_eq!(&again, &policy);
        prop_assert_eq!(again.to_string(), text);
        prop_assert_eq!(again.expand(&authority()).unwrap(), policy.expand(&authority()).unwrap());
    }

    #[test]
    fn canonical_text_of_random_attributes_parses_back(attributes in policies::arb_attributes()) {
        let text = attributes.to_string();
        let again: Attributes = text.parse().unwrap();
        prop_assert_eq!(&again, &attributes);
        prop_assert_eq!(again.to_string(), text);
        let leaves = attributes.leaves(&authority());
        prop_assert!(leaves.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn any_soup_of_tokens_is_a_policy_that_prints_back_or_an_error_within_it(
        tokens in proptest::collection::vec(token(), 0..24),
    ) {
        sound(&tokens.concat());
    }

    #[test]
    fn any_text_is_a_policy_that_prints_back_or_an_error_within_it(text in any::<String>()) {
        sound(&text);
    }
}

/// A failure prints its smallest case, which belongs into the tables above rather than into a file of seeds.
fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

fn token() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(
        &[
            " ",
            " ",
            " ",
            " ",
            "a:1",
            "b:x",
            "and",
            "or",
            "not",
            "of",
            "in",
            " and ",
            " or ",
            " not ",
            "1 of (",
            "2 of (",
            "(",
            ")",
            ", ",
            ",",
            "user:#1",
            "user:#2",
            "user:",
            "#",
            "age",
            ">=",
            "<",
            "=",
            "> 3",
            "3",
            "4..5",
            "..",
            "2026-01",
            "2026-01-01",
            "valid-until",
            ":",
            "\"",
            "\"x y\"",
            "\\",
            "@",
            "é",
            "\u{200b}",
            "\u{1f600}",
            "&&",
            "AND",
            "\n",
            "\0",
            "`",
        ][..],
    )
}

fn sound(text: &str) {
    match text.parse::<Policy>() {
        Ok(policy) => {
            let canonical = policy.to_string();
            assert_eq!(canonical.parse::<Policy>().as_ref(), Ok(&policy), "{text}");
            policy.expand(&authority()).unwrap();
        }
        Err(error) => within(&error, text),
    }
    match text.parse::<Attributes>() {
        Ok(attributes) => assert_eq!(attributes.to_string().parse::<Attributes>(), Ok(attributes)),
        Err(error) => within(&error, text),
    }
}

fn within(error: &chartseal::policy::ParseError, text: &str) {
    assert!(text.get(error.span()).is_some(), "{text:?}: {error:?}");
    for shown in [error.to_string(), error.render(text), error.render("é"), error.render("")] {
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
        assert!(shown.len() < 1500, "{shown}");
    }
}

#[test]
fn limits_hold_at_and_one_over() {
    let fails = |text: &str| text.parse::<Policy>().err().map(|error| *error.kind());
    let list = |n: usize, of: &str| format!("1 of ({})", vec![of; n].join(","));

    // Text: the canonical form counts as well.
    let spaces = |n: usize| format!("a:1{}", " ".repeat(n - 3));
    assert_eq!(fails(&spaces(4096)), None);
    let long = spaces(4097);
    assert_eq!(long.parse::<Policy>().unwrap_err().span(), 4096..4097);
    assert_eq!(fails(&spaces(4097)), Some(Kind::TooLong));
    assert_eq!(fails(&"é".repeat(3000)), Some(Kind::TooLong));
    let grows = format!("1 of ({})", vec!["age=9"; 512].join(","));
    assert!(grows.len() < 4096);
    assert_eq!(fails(&grows), Some(Kind::TooLong), "the canonical form is longer than the text");

    // Depth, in parentheses and in the tree.
    let parens = |n: usize| format!("{}a:1{}", "(".repeat(n), ")".repeat(n));
    assert_eq!(fails(&parens(32)), None);
    let error = parens(33).parse::<Policy>().unwrap_err();
    assert_eq!((error.kind(), error.span()), (&Kind::TooDeep, 32..33));
    let thresholds = |n: usize| format!("{}a:1{}", "1 of (".repeat(n), ")".repeat(n));
    assert_eq!(fails(&thresholds(32)), None);
    assert_eq!(fails(&thresholds(33)), Some(Kind::TooDeep));
    tree(&thresholds(32));
    // Each parenthesis adds an `or` and an `and`: 16 of them reach 32.
    let alternating = |n: usize| format!("{}a:1{}", "b:1 or c:1 and (".repeat(n), ")".repeat(n));
    assert_eq!(fails(&alternating(16)), None);
    assert_eq!(fails(&alternating(17)), Some(Kind::TooDeep));
    let deep = format!("{}age in 1..4294967294{}", "b:1 or c:1 and (".repeat(16), ")".repeat(16));
    let expanded = tree(&deep);
    assert_eq!(AccessTree::decode(expanded.as_bytes()).unwrap(), expanded, "the cover lies below the deepest policy");

    // Leaves.
    assert_eq!(fails(&list(512, "a:1")), None);
    assert_eq!(leaves(&list(512, "a:1")), 512);
    let over = list(513, "a:1");
    let error = over.parse::<Policy>().unwrap_err();
    assert_eq!((error.kind(), error.span()), (&Kind::TooManyLeaves, over.len() - 4..over.len() - 1));
    let range = "age in 1..4294967294";
    assert_eq!(leaves(range), 62);
    let ranges = |n: usize, texts: usize| format!("{}, {}", vec![range; n].join(" or "), vec!["a:1"; texts].join(","));
    assert_eq!(fails(&format!("1 of ({})", ranges(8, 16))), None);
    assert_eq!(fails(&format!("1 of ({})", ranges(8, 17))), Some(Kind::TooManyLeaves));
    // Sixteen ranges on one label are one.
    assert_eq!(leaves(&vec![range; 16].join(" and ")), 62);

    // Labels, values, persons.
    let label = |n: usize| format!("{}:1", "a".repeat(n));
    assert_eq!(fails(&label(64)), None);
    assert_eq!(fails(&label(65)), Some(Kind::LabelTooLong));
    for quote in ["", "\""] {
        let value = |n: usize| format!("a:{quote}{}{quote}", "x".repeat(n));
        assert_eq!(fails(&value(255)), None);
        assert_eq!(fails(&value(256)), Some(Kind::ValueTooLong));
    }
    assert_eq!(fails(&format!("a:\"{}\"", "\\\\".repeat(255))), None, "escapes do not count");
    assert_eq!(PersonNumber::new(PersonNumber::MAX + 1), Err(Error::TooLarge("person number")));

    // Attributes.
    let fails = |text: &str| text.parse::<Attributes>().err().map(|error| *error.kind());
    let many = |n: usize| (0..n).map(|i| format!("a:{i}")).collect::<Vec<_>>().join(",");
    assert_eq!(fails(&many(256)), None);
    assert_eq!(fails(&many(257)), Some(Kind::TooManyAttributes));
    assert_eq!(fails(&spaces(16384)), None);
    assert_eq!(fails(&spaces(16385)), Some(Kind::TooLong));
    let full = key(&many(256));
    assert_eq!(full.clone().with_person(PersonNumber::new(1).unwrap()).unwrap_err().kind(), &Kind::TooManyAttributes);
    assert_eq!(full.with_number("n", 1).unwrap_err().kind(), &Kind::TooManyAttributes);
}

#[test]
fn hostile_texts_end_quickly_in_an_error() {
    let shapes = [
        "(",
        ")",
        "not ",
        "1 of (",
        "1 of (a:1,",
        "a:1 and ",
        "a:1 or (",
        "a:1 and(",
        "\"",
        "a:\"",
        "a:\"\\",
        "((a:1)",
        ",",
        "&",
        "é",
        "not user:#1 and ",
        "age>1 and ",
        "x",
        "9",
        "..",
        "age in ",
        ":",
        "@",
        "\0",
        "user:#1 or ",
        "2 of (age > 65, age < 18, ",
    ];
    let start = std::time::Instant::now();
    for shape in shapes {
        for size in [4096, 1 << 20] {
            sound(&shape.repeat(size / shape.len()));
        }
    }
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn a_cover_costs_what_is_documented() {
    for (text, expected) in [
        ("age >= 0", 1),
        ("age <= 4294967295", 1),
        ("age in 0..4294967295", 1),
        ("age = 0", 1),
        ("age = 4294967295", 1),
        ("age in 7..7", 1),
        ("age > 4294967294", 1),
        ("age < 1", 1),
        ("age in 1..4294967294", 62),
        ("age >= 1", 32),
        ("age <= 4294967294", 32),
        ("age >= 3", 31),
        ("valid-until in 1970-02..2311-03", 22),
        ("valid-until >= 1970-01", 1),
        ("age > 1 and age < 4294967294 and a:1", 61 + 1),
        ("age >= 3 and age <= 3", 1),
        ("age >= 3 and (age <= 3 and a:1)", 31 + 31 + 1),
        ("user:#5", 1),
        ("user:#5 and not user:#6", 1),
        ("not user:#0", 24),
        ("not user:#8388608", 24),
        ("not user:#0 and not user:#1", 23),
        ("not user:#0 or not user:#1", 48),
        ("2 of (not user:#0, not user:#1)", 48),
    ] {
        let built = leaves(text);
        assert!(
            built == expected || text == "age >= 3" || text.starts_with("age > 1 ") || text.contains("(age"),
            "{text}: {built}"
        );
    }
    // A single prefix is a leaf without a gate.
    assert_eq!(tree("age = 3").as_bytes()[0], 0);
    assert_eq!(tree("age >= 3 and age <= 3").as_bytes()[0], 0);
    assert_eq!(tree("age >= 0").as_bytes()[0], 0);
}

#[test]
fn excluding_few_among_many_costs_about_what_the_subset_cover_method_promises() {
    // Numbers that a linear congruential generator spreads over 2^14 persons.
    let mut state = 12345_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 18
    };
    let mut average = |excluded: usize| {
        let rounds = 50;
        let total: usize = (0..rounds)
            .map(|_| leaves(&(0..excluded).map(|_| format!("not user:#{}", next())).collect::<Vec<_>>().join(" and ")))
            .sum();
        total / rounds
    };
    let (eight, twenty_four) = (average(8), average(24));
    assert!((80..=104).contains(&eight), "{eight}");
    assert!((200..=232).contains(&twenty_four), "{twenty_four}");
}

#[test]
fn exclusions_that_do_not_fit_are_named_as_the_cause() {
    let spread = |n: u32| (0..n).map(|i| format!("not user:#{}", i * 131_071)).collect::<Vec<_>>().join(" and ");
    let text = format!("a:1 and {} and b:2", spread(90));
    let error = text.parse::<Policy>().unwrap_err();
    assert_eq!(error.kind(), &Kind::TooManyExclusions);
    assert_eq!(&text[error.span()], spread(90));
    let texts = vec!["a:1"; 513].join(",");
    let error = format!("1 of ({texts},not user:#3)").parse::<Policy>().unwrap_err();
    assert_eq!(error.kind(), &Kind::TooManyLeaves, "without the exclusion it would not fit either");
}

#[test]
fn leaves_of_different_attributes_differ() {
    let authorities = ["a", "a:b", "ab", "a:b:c", "st-olave"];
    let labels = ["a", "b", "ab", "a.b", "user-x"];
    let values = ["a", "b", "a:b", "ab", "b:c", "\u{20}", "a\"b", "1", "00"];
    let mut seen = BTreeSet::new();
    let mut count = 0;
    for authority in authorities {
        let authority = AuthorityId::new(authority).unwrap();
        let mut add = |attributes: Attributes| {
            let leaves = attributes.leaves(&authority);
            count += leaves.len();
            seen.extend(leaves);
        };
        for label in labels {
            for value in values {
                add(Attributes::new(label, value).unwrap());
            }
        }
    }
    // Kinds and prefix lengths: one label, every kind, the same bits.
    let authority = AuthorityId::new("st-olave").unwrap();
    for text in ["x = 0", "x = 1970-01", "x = 1970-01-01", "user:#0", "x:0", "y = 0", "valid-until = 1970-01"] {
        let leaves = key(text).leaves(&authority);
        assert_eq!(
            leaves.len(),
            match text {
                "x:0" => 1,
                "user:#0" => 25,
                _ if text.ends_with("1970-01") => 13,
                _ => 33,
            }
        );
        count += leaves.len();
        seen.extend(leaves);
    }
    assert_eq!(seen.len(), count);
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
    let kind = |result: Result<Attributes, chartseal::policy::ParseError>| *result.unwrap_err().kind();
    assert_eq!(kind(Attributes::new("user", "#17")), Kind::ReservedLabel);
    assert_eq!(kind(Attributes::new("and", "x")), Kind::ReservedWord);
    assert_eq!(kind(Attributes::new("", "x")), Kind::InvalidLabel);
    assert_eq!(kind(Attributes::new("a:1, b", "x")), Kind::InvalidLabel);
    assert_eq!(kind(Attributes::new("a", "")), Kind::MissingValue);
    assert_eq!(kind(Attributes::new("a", "x\u{202e}")), Kind::ForbiddenCharacter);
    assert_eq!(kind(Attributes::new("a", &"x".repeat(256))), Kind::ValueTooLong);
    assert_eq!(kind(built.clone().with_text("role", "nurse, role:doctor")), Kind::DuplicateAttribute);
    assert_eq!(kind(built.clone().with_number("age", 41)), Kind::DuplicateLabel);
    assert_eq!(kind(built.clone().with_number("valid-until", 1)), Kind::ReservedLabel);
    assert_eq!(kind(built.with_person(PersonNumber::new(17).unwrap())), Kind::DuplicateLabel);
    let long = (0..66).try_fold(Attributes::new("a", "x").unwrap(), |key, i| key.with_text("a", &format!("{i:0250}")));
    assert_eq!(kind(long), Kind::TooLong);
}

#[test]
fn an_error_points_with_carets_however_long_or_odd_the_text() {
    let shown = |text: &str| text.parse::<Policy>().unwrap_err().render(text);
    assert_eq!(shown("a:1 and"), "a:1 and\n       ^ expected a condition");
    assert_eq!(
        shown("a:1 and\n  (b:\"é\" c:3)\nor d:4"),
        "  (b:\"é\" c:3)\n         ^^^ expected `and` or `or` before this"
    );
    assert!(shown(&format!("{}?{}", "a:1 or ".repeat(100), " ".repeat(500))).len() < 300);
    assert!(!shown("a:\"\u{202e}\"").contains('\u{202e}'));
    assert!(!"a:1 \x1b[31m".parse::<Policy>().unwrap_err().to_string().contains('\x1b'));
    let error = "a:`".parse::<Policy>().unwrap_err();
    assert_eq!(error.to_string(), r"a value with this character must be quoted at byte 2: `\u{60}`");
}

#[test]
fn a_tree_decodes_from_exactly_its_bytes() {
    let tree = tree("role:doctor and 2 of (a:1, age in 3..9, not user:#7)");
    let bytes = tree.as_bytes();
    assert_eq!(AccessTree::decode(bytes).unwrap(), tree);
    for end in 0..bytes.len() {
        assert_eq!(AccessTree::decode(&bytes[..end]), Err(malformed(&bytes[..end])), "{end}");
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert!(AccessTree::decode(&longer).is_err());
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.to_vec();
            flipped[at] ^= 1 << bit;
            if let Ok(other) = AccessTree::decode(&flipped) {
                assert_eq!(other.as_bytes(), flipped, "two encodings of one tree");
            }
        }
    }
}

fn malformed(bytes: &[u8]) -> Error {
    match AccessTree::decode(bytes).unwrap_err() {
        error @ (Error::Malformed("access tree") | Error::Malformed("attribute")) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn a_tree_with_impossible_gates_or_leaves_is_refused() {
    let leaf = [&[0, 0, 8][..], &[1, 1, b's', 1, b'a', 0, 1, b'1']].concat();
    assert!(AccessTree::decode(&leaf).is_ok());
    let gate = |k: u16, n: u16, children: usize| {
        [&[1][..], &k.to_be_bytes(), &n.to_be_bytes(), &leaf.repeat(children)].concat()
    };
    assert!(AccessTree::decode(&gate(1, 1, 1)).is_ok());
    assert!(AccessTree::decode(&gate(512, 512, 512)).is_ok());
    let malformed = Err(Error::Malformed("access tree"));
    for (k, n, children) in [(0, 1, 1), (0, 0, 0), (2, 1, 1), (1, 2, 1), (1, 1, 2), (1, 0, 0), (65535, 65535, 0)] {
        let decoded = AccessTree::decode(&gate(k, n, children));
        assert!(decoded == malformed || (n == 65535 && decoded == Err(Error::TooLarge("access tree"))), "{k} of {n}");
    }
    assert_eq!(AccessTree::decode(&gate(1, 513, 513)), Err(Error::TooLarge("access tree")));
    assert_eq!(AccessTree::decode(&gate(1, 512, 512).repeat(60)), Err(Error::TooLarge("access tree")));
    let nested = |n: usize| [[1, 0, 1, 0, 1].repeat(n), leaf.clone()].concat();
    assert!(AccessTree::decode(&nested(34)).is_ok());
    assert_eq!(AccessTree::decode(&nested(35)), Err(Error::TooLarge("access tree")));
    assert_eq!(AccessTree::decode(&nested(10_000)), Err(Error::TooLarge("access tree")));

    let number = [2, 1, b's', 1, b'a', 0, 6, 32, 3, 0xa0, 0, 0, 0];
    assert!(Leaf::decode(&number).is_ok());
    let with = |at: usize, byte: u8| {
        let mut leaf = number.to_vec();
        leaf[at] = byte;
        Leaf::decode(&leaf)
    };
    for (at, byte, why) in [
        (0, 0, "unknown kind"),
        (0, 7, "unknown kind"),
        (0, 3, ""),
        (0, 4, "a month has 12 bits"),
        (0, 5, "persons have the label user"),
        (0, 6, "a blinded leaf is 33 bytes"),
        (2, b' ', "not an authority id"),
        (2, 0xff, "not UTF-8"),
        (4, b'A', "not a label"),
        (6, 5, "too short"),
        (7, 31, "not the width"),
        (8, 33, "longer than the width"),
        (9, 0xb0, "bits outside the prefix"),
        (12, 1, "bits outside the prefix"),
    ] {
        assert_eq!(with(at, byte).is_ok(), why.is_empty(), "{at} {byte}: {why}");
    }
    let text = |label: &str, value: &str| {
        let head = [1, 1, b's', u8::try_from(label.len()).unwrap()];
        let length = u16::try_from(value.len()).unwrap().to_be_bytes();
        Leaf::decode(&[&head[..], label.as_bytes(), &length, value.as_bytes()].concat())
    };
    assert!(text("a", "é x").is_ok());
    for (label, value) in [
        ("user", "#1"),
        ("valid-until", "x"),
        ("and", "x"),
        ("", "x"),
        ("a", ""),
        ("a", "\u{202e}"),
        ("a", &"x".repeat(256)),
    ] {
        assert!(text(label, value).is_err(), "{label} {value}");
    }
    assert!(Leaf::decode(&[vec![6], vec![9; 32]].concat()).is_ok());
    assert!(Leaf::decode(&[vec![6], vec![9; 33]].concat()).is_err());
}
