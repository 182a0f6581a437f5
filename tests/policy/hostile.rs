//! Whatever text comes in: an answer, soon, and one that can be shown.

use chartseal::policy::{Attributes, ParseError, Policy};
use proptest::prelude::*;

use crate::support::policies::{authority, cases};

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

fn within(error: &ParseError, text: &str) {
    assert!(text.get(error.span()).is_some(), "{text:?}: {error:?}");
    for shown in [error.to_string(), error.render(text), error.render("é"), error.render("")] {
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
        assert!(shown.len() < 1500, "{shown}");
    }
}

proptest! {
    #![proptest_config(cases(2000))]

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
