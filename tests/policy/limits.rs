//! The limits of the policy language, and what its conditions cost.

use chartseal::Error;
use chartseal::id::AuthorityId;
use chartseal::policy::{AccessTree, Attributes, ParseErrorKind as Kind, PersonNumber, Policy};

use crate::support::policies::{authority, key, leaves, policy, tree};

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
    assert_eq!(fails(&many(512)), None);
    assert_eq!(fails(&many(513)), Some(Kind::TooManyAttributes));
    assert_eq!(fails(&spaces(16384)), None);
    assert_eq!(fails(&spaces(16385)), Some(Kind::TooLong));
    let full = key(&many(512));
    assert_eq!(full.clone().with_person(PersonNumber::new(1).unwrap()).unwrap_err().kind(), &Kind::TooManyAttributes);
    assert_eq!(full.with_number("n", 1).unwrap_err().kind(), &Kind::TooManyAttributes);
}

#[test]
fn names_must_not_make_the_canonical_text_longer_than_a_policy() {
    let text = vec!["not user:b"; 250].join(" and ");
    assert!(text.len() <= 4096);
    assert!(Policy::parse_with(&text, |_| PersonNumber::new(7).ok()).is_ok());
    let error = Policy::parse_with(&text, |_| PersonNumber::new(PersonNumber::MAX).ok()).unwrap_err();
    assert_eq!((error.kind(), error.span()), (&Kind::TooLong, 0..text.len()));
}

/// The policies that ask most of a key: everything in them at once.
#[test]
fn the_most_demanding_policies_can_be_met_by_a_key() {
    let names: Vec<String> = ('a'..='z').flat_map(|a| ('a'..='z').map(move |b| format!("{a}{b}"))).collect();
    let names = || names.iter().filter(|name| !["of", "in", "or"].contains(&name.as_str()));
    let texts = |sep: &str, n| {
        names().map(|name| format!("{}:{}", &name[..1], &name[1..])).take(n).collect::<Vec<_>>().join(sep)
    };
    let numbers =
        |what: &str, sep: &str, n| names().map(|name| format!("{name} {what}")).take(n).collect::<Vec<_>>().join(sep);
    for (asked, held, count) in [
        (texts(" and ", 512), texts(", ", 512), 512),
        (format!("512 of ({})", texts(", ", 512)), texts(", ", 512), 512),
        (numbers(">= 0", " and ", 340), numbers("= 4294967295", ", ", 340), 340),
    ] {
        let policy = policy(&asked);
        assert_eq!(policy.expand(&authority()).unwrap().leaves().len(), count);
        assert!(policy.satisfied_by(&key(&held)));
    }
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
        ("age > 1 and age < 4294967294 and a:1", 60 + 1),
        ("age >= 3 and age <= 3", 1),
        ("age >= 3 and (age <= 3 and a:1)", 31 + 1 + 1),
        ("user:#5", 1),
        ("user:#5 and not user:#6", 1),
        ("not user:#0", 24),
        ("not user:#8388608", 24),
        ("not user:#0 and not user:#1", 23),
        ("not user:#0 or not user:#1", 48),
        ("2 of (not user:#0, not user:#1)", 48),
    ] {
        assert_eq!(leaves(text), expected, "{text}");
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
fn the_largest_policies_fit_into_a_tree_under_the_longest_authority() {
    let authority = AuthorityId::new("a".repeat(64)).unwrap();
    let range = format!("{} in 1..4294967294", "l".repeat(64));
    let ranges = format!("1 of ({}, {})", vec![range; 8].join(", "), ["a:1"; 16].join(", "));
    let values = format!("1 of ({})", vec![format!("a:{}", "v".repeat(255)); 15].join(", "));
    let deep = format!("{}{}{}", "1 of (".repeat(31), ["a:1"; 512].join(" or "), ")".repeat(31));
    for (text, count) in [(ranges, 512), (values, 15), (deep, 512)] {
        let tree = policy(&text).expand(&authority).unwrap();
        assert_eq!(tree.leaves().len(), count);
        assert_eq!(AccessTree::decode(tree.as_bytes()), Ok(tree));
    }
}
