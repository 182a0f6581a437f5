//! Text that shows what it is: the one predicate for attributes, field paths and names.
//!
//! These are compared by their bytes, and people decide by what they see of them. A character that is not seen, or a space
//! where nobody looks for one, makes two texts of what looks like one, and lets in whom nobody meant.
//!
//! What a character is, the tables of `unicode-properties` say; the version of Unicode stands in the manual's page on
//! formats. A character that a later version assigns is refused until the tables know it.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Why a text does not show what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A character that is not seen, that no version of Unicode known here has, or that moves others.
    Hidden,
    /// A space at the beginning, at the end or after another.
    Space,
}

/// Goes over a text character by character.
pub(crate) struct Watch {
    after_space: bool,
}

impl Watch {
    /// Before the first character: a space there would be one too many.
    pub(crate) fn new() -> Self {
        Self { after_space: true }
    }

    /// What is wrong with the next character.
    pub(crate) fn see(&mut self, c: char) -> Option<Fault> {
        let after_space = std::mem::replace(&mut self.after_space, c == ' ');
        match c {
            ' ' => after_space.then_some(Fault::Space),
            c => (!is_shown(c)).then_some(Fault::Hidden),
        }
    }

    /// Whether the last character was a space. Only of a text that is not empty.
    pub(crate) fn ends_in_space(&self) -> bool {
        self.after_space
    }
}

/// Whether all of a text is seen. An empty one is.
pub(crate) fn is_visible(text: &str) -> bool {
    let mut watch = Watch::new();
    text.chars().all(|c| watch.see(c).is_none()) && (text.is_empty() || !watch.ends_in_space())
}

/// Whether a character is seen, and seen where it stands. Of the spaces, only U+0020 is.
pub(crate) fn is_shown(c: char) -> bool {
    use GeneralCategory as Category;

    match c.general_category() {
        Category::Control
        | Category::Format
        | Category::Surrogate
        | Category::PrivateUse
        | Category::Unassigned
        | Category::LineSeparator
        | Category::ParagraphSeparator => false,
        Category::SpaceSeparator => c == ' ',
        _ => !is_blank(c),
    }
}

/// Letters, marks and symbols by their category that show nothing: those that Unicode lists as
/// `Default_Ignorable_Code_Point`, and those whose glyph is a blank.
fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\u{34f}'                       // combining grapheme joiner
            | '\u{115f}'..='\u{1160}'   // Hangul fillers
            | '\u{17b4}'..='\u{17b5}'   // Khmer inherent vowels
            | '\u{180b}'..='\u{180f}'   // Mongolian variation selectors
            | '\u{2800}'                // Braille pattern without dots
            | '\u{3164}'                // Hangul filler
            | '\u{fe00}'..='\u{fe0f}'   // variation selectors
            | '\u{ffa0}'                // halfwidth Hangul filler
            | '\u{fffc}'                // object replacement character
            | '\u{1107f}'               // Brahmi number joiner
            | '\u{11d45}' | '\u{11d97}' // viramas of Gondi
            | '\u{13441}'..='\u{13442}' // Egyptian blanks
            | '\u{16fe4}'               // Khitan filler
            | '\u{1bc9d}'               // Duployan letter selector
            | '\u{1d159}'               // musical null notehead
            | '\u{e0100}'..='\u{e01ef}' // variation selectors
    )
}

#[cfg(test)]
mod tests;
