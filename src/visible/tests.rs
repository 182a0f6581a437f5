//! The predicate over every code point, against tables from elsewhere.

use super::*;

/// The code points of a class, as the tables of the regular expressions have it.
fn class(pattern: &str) -> Vec<char> {
    use regex_syntax::hir::{Class, HirKind};

    let HirKind::Class(Class::Unicode(class)) = regex_syntax::parse(pattern).unwrap().into_kind() else {
        panic!("{pattern} is no class")
    };
    class.ranges().iter().flat_map(|range| range.start()..=range.end()).collect()
}

#[test]
fn no_character_that_is_not_seen_is_taken_whatever_its_category() {
    for pattern in [
        r"\p{Control}",
        r"\p{Format}",
        r"\p{Private_Use}",
        r"[\p{Line_Separator}\p{Paragraph_Separator}]",
        r"\p{Default_Ignorable_Code_Point}",
        r"\p{Join_Control}",
        r"\p{Bidi_Control}",
        r"\p{Noncharacter_Code_Point}",
        r"\p{Variation_Selector}",
        r"[\p{White_Space}--\x20]",
    ] {
        let class = class(pattern);
        assert!(!class.is_empty());
        for c in class {
            assert!(!is_shown(c), "{pattern} {c:?}");
            assert!(!is_visible(&format!("a{c}b")), "{pattern} {c:?}");
        }
    }
}

#[test]
fn every_unassigned_code_point_is_refused_and_every_letter_digit_mark_and_sign_is_taken() {
    let (mut unassigned, mut taken) = (0, 0);
    for c in class(r"\p{Unassigned}") {
        // The tables from elsewhere may be of an earlier version than ours, never of a later one.
        if c.general_category() == GeneralCategory::Unassigned {
            assert!(!is_shown(c), "{c:?}");
            unassigned += 1;
        }
    }
    for c in class(r"[\p{L}\p{M}\p{N}\p{P}\p{S}--\p{Default_Ignorable_Code_Point}]") {
        assert!(is_shown(c) != is_blank(c), "{c:?}");
        taken += usize::from(is_shown(c));
    }
    assert!(unassigned > 800_000 && taken > 150_000, "{unassigned} {taken}");
}

/// Marks that join or choose letters and have no glyph of their own. Their category is that of marks which are seen.
#[test]
fn a_mark_that_works_on_letters_and_shows_nothing_itself_is_refused() {
    for c in ['\u{1107f}', '\u{11d45}', '\u{11d97}', '\u{1bc9d}'] {
        assert_eq!(c.general_category(), GeneralCategory::NonspacingMark);
        assert!(!is_shown(c), "{c:?}");
    }
    // Those of scripts that are in use are seen: a plus below, or the letter that they put below another.
    for c in ['\u{94d}', '\u{1039}', '\u{17d2}', '\u{1a60}', '\u{2d7f}'] {
        assert!(is_shown(c), "{c:?}");
    }
}

#[test]
fn spaces_at_the_ends_and_double_spaces_are_refused() {
    for good in ["", "a", "a b", "a b c", "Zoë Ω 山 ३", "naïve 🩺"] {
        assert!(is_visible(good), "{good:?}");
    }
    for bad in [" ", " a", "a ", "a  b", "a b ", "\ta", "a\u{a0}b", "a \u{301f}\u{200b}b"] {
        assert!(!is_visible(bad), "{bad:?}");
    }
}

#[test]
fn the_format_page_names_the_version_of_unicode() {
    let (major, minor, update) = unicode_properties::UNICODE_VERSION;
    assert!(include_str!("../manual/format.md").contains(&format!("By Unicode {major}.{minor}.{update}, refused")));
}
