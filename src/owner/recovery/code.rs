//! The recovery key on paper: bech32m (BIP 350) in groups of four characters.

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Fe32, Hrp};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// `csrec1 xxxx xxxx …`
pub(super) fn write(secret: &Secret<[u8; 32]>) -> Secret<String> {
    let mut plain = Zeroizing::new(String::with_capacity(LENGTH));
    // A String takes everything, and the length is far below bech32m's limit.
    let _ = bech32::encode_to_fmt::<Bech32m, _>(&mut *plain, PREFIX, secret.expose());
    let mut text = String::with_capacity(2 * LENGTH);
    for (at, character) in plain.chars().enumerate() {
        if at >= HEAD && (at - HEAD).is_multiple_of(GROUP) {
            text.push(' ');
        }
        text.push(character);
    }
    Secret::new(text)
}

/// Reads what somebody typed: capitals are small letters, and what a keyboard puts between characters does not count.
pub(super) fn read(text: &str) -> Result<Secret<[u8; 32]>, CodeError> {
    let counted = || text.chars().filter(|c| !is_between(*c));
    let found = counted().take(MOST).count();
    if found == MOST {
        return Err(CodeError::Length { found });
    }
    let mut plain = Zeroizing::new(String::with_capacity(LENGTH));
    for (at, typed) in counted().enumerate() {
        let c = typed.to_ascii_lowercase();
        let position = at.saturating_add(1);
        match WRITTEN.get(at) {
            Some(expected) if c != char::from(*expected) => return Err(CodeError::Prefix { position }),
            None if Fe32::from_char(c).is_err() => return Err(CodeError::Character { position }),
            // No more than the code has, so that the text does not move and leave a copy behind.
            _ if at < LENGTH => plain.push(c),
            _ => {}
        }
    }
    if found != LENGTH {
        return Err(CodeError::Length { found });
    }
    let checked = CheckedHrpstring::new::<Bech32m>(&plain).map_err(|_| CodeError::Checksum)?;
    checked.validate_segwit_padding().map_err(|_| CodeError::NoKey)?;
    let mut bytes = checked.byte_iter();
    let mut missing = false;
    let secret = Secret::build(|secret: &mut [u8; 32]| {
        for to in secret {
            match bytes.next() {
                Some(byte) => *to = byte,
                None => missing = true,
            }
        }
    });
    if missing || bytes.next().is_some() { Err(CodeError::NoKey) } else { Ok(secret) }
}

/// Whether a character stands between those of a code and is none of them: spaces and line ends of every kind, what is
/// not seen and says where a line may break, dashes of every length, and the full stop that a phone makes of two spaces.
fn is_between(c: char) -> bool {
    use GeneralCategory as Category;

    match c.general_category() {
        Category::SpaceSeparator
        | Category::LineSeparator
        | Category::ParagraphSeparator
        | Category::Format
        | Category::DashPunctuation => true,
        _ => c.is_whitespace() || matches!(c, '.' | '\u{2212}'),
    }
}

/// What is wrong with a typed code. It holds places and counts, never a character of the code.
///
/// Characters are counted from 1, without the spaces, line ends and dashes between them: 6 for `csrec1`, then 4 for each
/// group of the printed code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// A character of `csrec1`, with which each code begins, is another or is missing.
    #[error("a recovery code begins with `csrec1`, and character {position} is another")]
    Prefix {
        /// The first that differs.
        position: usize,
    },
    /// A character that no code has: after `csrec1`, there is no `1`, `b`, `i` or `o`, and nothing but ASCII letters and
    /// digits.
    #[error("character {position} of the recovery code, without spaces and dashes, is none that a code has")]
    Character {
        /// The first of them.
        position: usize,
    },
    /// There are not 64 characters.
    #[error("a recovery code has 64 characters, without spaces and dashes, and this has {found}")]
    Length {
        /// How many there are; with 4,096 the counting ends.
        found: usize,
    },
    /// The checksum does not fit: a character is another, or two are swapped.
    #[error("the checksum of the recovery code does not fit: a character is wrong, or two are swapped")]
    Checksum,
    /// The checksum fits, and there is no recovery key in it.
    #[error("the recovery code holds no recovery key")]
    NoKey,
}

const PREFIX: Hrp = Hrp::parse_unchecked("csrec");
/// What is written before the key: the prefix and the 1 that ends it.
const WRITTEN: &[u8; HEAD] = b"csrec1";
const HEAD: usize = 6;
const GROUP: usize = 4;
/// 52 characters for the key, six for the checksum.
const LENGTH: usize = HEAD + 52 + 6;
/// Characters that are counted at most.
const MOST: usize = 4096;

#[cfg(test)]
mod tests;
