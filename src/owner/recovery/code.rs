//! The recovery key on paper: bech32m (BIP 350) in groups of four characters.

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Hrp};
use zeroize::Zeroizing;

use super::WHAT;
use crate::error::{Error, Result};
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

pub(super) fn read(text: &str) -> Result<Secret<[u8; 32]>> {
    let malformed = || Error::Malformed(WHAT);
    if text.len() > MOST {
        return Err(malformed());
    }
    let mut plain = Zeroizing::new(String::with_capacity(MOST));
    plain.extend(text.chars().filter(|c| !c.is_ascii_whitespace() && *c != '-'));
    if plain.len() != LENGTH {
        return Err(malformed());
    }
    let checked = CheckedHrpstring::new::<Bech32m>(&plain).map_err(|_| malformed())?;
    checked.validate_segwit_padding().map_err(|_| malformed())?;
    if checked.hrp() != PREFIX {
        return Err(malformed());
    }
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
    if missing || bytes.next().is_some() { Err(malformed()) } else { Ok(secret) }
}

const PREFIX: Hrp = Hrp::parse_unchecked("csrec");
/// The prefix and the 1 that ends it.
const HEAD: usize = 6;
const GROUP: usize = 4;
/// 52 characters for the key, six for the checksum.
const LENGTH: usize = HEAD + 52 + 6;
/// However it is spaced.
const MOST: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::recovery::shares::random_secret;

    #[test]
    fn a_code_reads_back_however_it_is_spaced_and_in_capitals() {
        let secret = random_secret().unwrap();
        let text = write(&secret);
        for spaced in [
            text.expose().clone(),
            text.expose().replace(' ', ""),
            text.expose().replace(' ', "-"),
            text.expose().replace(' ', "\n  "),
            text.expose().to_uppercase(),
        ] {
            assert!(read(&spaced).unwrap().ct_eq(&secret), "{spaced}");
        }
    }

    #[test]
    fn one_wrong_character_is_refused_at_every_position() {
        let text = write(&random_secret().unwrap());
        let alphabet: Vec<char> = (' '..='~').collect();
        for at in 0..text.expose().len() {
            for wrong in &alphabet {
                let mut altered: Vec<char> = text.expose().chars().collect();
                let right = altered[at];
                if *wrong == right || (" -".contains(right) && " -".contains(*wrong)) {
                    continue;
                }
                altered[at] = *wrong;
                let altered: String = altered.into_iter().collect();
                assert_eq!(read(&altered).err(), Some(Error::Malformed(WHAT)), "{at} {wrong:?}");
            }
        }
    }

    #[test]
    fn characters_that_are_swapped_missing_or_too_many_are_refused() {
        let text = write(&random_secret().unwrap()).expose().replace(' ', "");
        for at in 1..text.len() {
            let mut short = text.clone();
            short.remove(at);
            assert!(read(&short).is_err(), "{at}");
            let mut long = text.clone();
            long.insert(at, 'q');
            assert!(read(&long).is_err(), "{at}");
            let mut swapped = text.clone().into_bytes();
            swapped.swap(at - 1, at);
            let swapped = String::from_utf8(swapped).unwrap();
            assert!(swapped == text || read(&swapped).is_err(), "{at}");
        }
        assert!(read("").is_err());
        assert!(read(&" ".repeat(4096)).is_err());
    }

    #[test]
    fn a_code_of_another_kind_is_refused() {
        let other = bech32::encode::<Bech32m>(Hrp::parse_unchecked("csabc"), &[1; 32]).unwrap();
        assert!(read(&other).is_err());
        let weaker = bech32::encode::<bech32::Bech32>(PREFIX, &[1; 32]).unwrap();
        assert!(read(&weaker).is_err());
    }
}
