//! What is read of a typed code, and what is said of one that is not.

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
fn a_code_typed_on_a_phone_is_read_with_its_capitals_spaces_and_dashes() {
    let secret = random_secret().unwrap();
    let text = write(&secret);
    // The first letter of each line, and of what looks like a sentence, becomes a capital.
    let capital = |text: &str| text[..1].to_uppercase() + &text[1..];
    let each: Vec<_> = text.expose().split(' ').map(capital).collect();
    for typed in [
        capital(text.expose()),
        each.join(" "),
        each.join("\n"),
        each.join(". "),
        each.join("  "),
        each.join("--"),
        each.join(" \u{2013} "),
        each.join("\u{2014}"),
        each.join("\u{2011}"),
        each.join("\u{2212}"),
        each.join("\u{a0}"),
        each.join("\u{202f}"),
        each.join("\u{3000}"),
        each.join("\u{2028}"),
        each.join("\u{ad}\r\n"),
        each.join("\u{200b}"),
        format!("\u{feff}\u{200e}{}\u{2060}\t", each.join("-\u{200d}")),
        text.expose().chars().flat_map(|c| [c, '\u{2014}', '\u{a0}', '\n']).collect(),
    ] {
        assert!(read(&typed).unwrap().ct_eq(&secret), "{typed}");
    }
}

#[test]
fn the_error_says_which_character_is_wrong_without_echoing_it() {
    let text = write(&random_secret().unwrap());
    for (at, character) in text.expose().chars().enumerate().filter(|(_, c)| *c != ' ') {
        for wrong in ['1', 'b', 'i', 'o', 'O', '!', '_', 'é', '\u{212a}', '\u{130}', '０', '\0', '🩺'] {
            let altered: String =
                text.expose().chars().enumerate().map(|(i, c)| if i == at { wrong } else { c }).collect();
            let position = text.expose()[..=at].chars().filter(|c| *c != ' ').count();
            let expected = match position {
                1..=6 if wrong == character => continue,
                1..=6 => CodeError::Prefix { position },
                _ => CodeError::Character { position },
            };
            let error = read(&altered).err().unwrap();
            assert_eq!(error, expected, "{altered}");
            // The words and the number, and nothing of what was typed.
            assert_eq!(words(error), words(blank(error)));
        }
    }
}

/// What is said, without its numbers.
fn words(error: CodeError) -> String {
    format!("{error} {error:?}").chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// The same error about character 0.
fn blank(error: CodeError) -> CodeError {
    match error {
        CodeError::Prefix { .. } => CodeError::Prefix { position: 0 },
        CodeError::Character { .. } => CodeError::Character { position: 0 },
        other => other,
    }
}

#[test]
fn the_error_says_how_many_characters_there_are() {
    let text = write(&random_secret().unwrap());
    let length = |text: &str| match read(text) {
        Err(CodeError::Length { found }) => found,
        other => panic!("{:?}", other.map(|_| ())),
    };
    assert_eq!(length(""), 0);
    assert_eq!(length(&" -\u{2014}".repeat(4096)), 0);
    for found in 1..64 {
        let short: String = text.expose().replace(' ', "").chars().take(found).collect();
        assert_eq!(length(&short), found);
    }
    assert_eq!(length(&(text.expose().clone() + "q")), 65);
    assert_eq!(length(&(text.expose().clone() + &"q".repeat(4096 - 65))), 4095);
    assert_eq!(length(&(text.expose().clone() + &"q".repeat(1 << 20))), 4096);
}

#[test]
fn one_wrong_character_is_refused_at_every_position() {
    let text = write(&random_secret().unwrap());
    let alphabet: Vec<char> = (' '..='~').filter(|c| !is_between(*c)).collect();
    for at in 0..text.expose().len() {
        for wrong in &alphabet {
            let mut altered: Vec<char> = text.expose().chars().collect();
            let right = altered[at];
            if wrong.to_ascii_lowercase() == right {
                continue;
            }
            altered[at] = *wrong;
            let altered: String = altered.into_iter().collect();
            assert!(read(&altered).is_err(), "{at} {wrong:?}");
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
        let prefix = at <= 6;
        match read(&swapped).err() {
            _ if swapped == text => {}
            Some(CodeError::Checksum) => assert!(!prefix, "{at}"),
            Some(CodeError::Prefix { .. }) => assert!(prefix, "{at}"),
            other => panic!("{at} {other:?}"),
        }
    }
}

#[test]
fn a_code_of_another_kind_is_refused() {
    let other = bech32::encode::<Bech32m>(Hrp::parse_unchecked("csabc"), &[1; 32]).unwrap();
    assert_eq!(read(&other).err(), Some(CodeError::Prefix { position: 3 }));
    let weaker = bech32::encode::<bech32::Bech32>(PREFIX, &[1; 32]).unwrap();
    assert_eq!(read(&weaker).err(), Some(CodeError::Checksum));
    let zero = bech32::encode::<Bech32m>(PREFIX, &[0; 32]).unwrap();
    assert_eq!(super::super::RecoveryKey::from_code(&zero).err(), Some(CodeError::NoKey));
}
