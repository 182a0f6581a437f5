//! What the policy language refuses, and where it underlines.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

use chartseal::policy::{Attributes, ParseError, ParseErrorKind as Kind, Policy};
use proptest::prelude::*;

use policies::{authority, cases};

#[path = "common/policies.rs"]
mod policies;

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
        ("a:\"x«\u{a0}»y\"", Kind::ForbiddenCharacter),
        ("a:\"x«\u{3000}»y\"", Kind::ForbiddenCharacter),
        ("a:\"x«\u{2028}»y\"", Kind::ForbiddenCharacter),
        ("a:\"x«\u{34f}»y\"", Kind::ForbiddenCharacter),
        ("a:\"x«\u{3164}»\"", Kind::ForbiddenCharacter),
        ("a:\"x«\u{fe0f}»\"", Kind::ForbiddenCharacter),
        ("a:\"x«\u{e0100}»\"", Kind::ForbiddenCharacter),
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

/// `«…»` marks what the error must underline; without marks it is the end of the text.
fn marked(text: &str) -> (String, std::ops::Range<usize>) {
    let plain = text.replace(['«', '»'], "");
    let start = text.find('«').unwrap_or(plain.len());
    let end = text.find('»').map_or(plain.len(), |end| end - '«'.len_utf8());
    (plain, start..end)
}

#[track_caller]
fn refused(cases: &[(&str, Kind)], parse: impl Fn(&str) -> Option<ParseError>) {
    for (text, kind) in cases {
        let (text, span) = marked(text);
        let error = parse(&text).unwrap_or_else(|| panic!("`{text}` was accepted"));
        assert_eq!((error.kind(), error.span()), (kind, span), "`{text}`: {error}");
        let message = error.to_string();
        assert!(!message.contains('\n') && message.len() < 600 && !message.ends_with('.'), "{message}");
        assert_eq!(error.render(&text).lines().count(), 2, "{message}");
    }
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
