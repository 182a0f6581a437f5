//! The constants of the crate, read from its source: most of them are no part of its interface, and all stand in the
//! manual.

use std::collections::BTreeMap;
use std::path::Path;

use super::texts;

/// Each constant by its file below `src` and its name: `consent/slot.rs MAX_SLOT`, `consent/head.rs HeadStatement::LIMIT`.
pub(super) struct Constants(BTreeMap<String, String>);

impl Constants {
    pub(super) fn read() -> Self {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut all = BTreeMap::new();
        for (path, text) in texts("src", "rs") {
            let file = path.strip_prefix(&src).unwrap().display().to_string();
            // What an associated constant belongs to.
            let mut of = "";
            for (at, line) in
                text.split_inclusive('\n').scan(0, |at, line| Some((std::mem::replace(at, *at + line.len()), line)))
            {
                if let Some(header) = line.strip_prefix("impl").filter(|_| line.trim_end().ends_with('{')) {
                    of = header.trim_end_matches(['{', ' ', '\n']).rsplit(' ').next().unwrap();
                } else if let Some((_, rest)) = line.split_once("wire::object!").filter(|_| !line.starts_with("//")) {
                    let parts: Vec<_> =
                        rest.trim_matches([' ', '{', '}', '(', ')', ';', '\n']).splitn(3, ", ").collect();
                    all.insert(format!("{file} {}::LIMIT", parts[0]), parts[2].trim_end_matches(" }").to_owned());
                }
                let bare = line.trim_start().trim_start_matches("pub").trim_start_matches("(crate)");
                let bare = bare.trim_start_matches("(super)").trim_start();
                let Some((name, _)) = bare.strip_prefix("const ").and_then(|rest| rest.split_once(": ")) else {
                    continue;
                };
                let Some((_, value)) =
                    text[at..].split_once(';').map_or(text[at..].split_once('='), |(all, _)| all.split_once('='))
                else {
                    continue;
                };
                let name = if line.starts_with(' ') { format!("{of}::{name}") } else { name.to_owned() };
                all.insert(format!("{file} {name}"), value.trim().to_owned());
            }
        }
        Self(all)
    }

    /// The value of a constant.
    pub(super) fn value(&self, key: &str) -> u64 {
        let (file, _) = key.split_once(' ').unwrap();
        let text = self.0.get(key).unwrap_or_else(|| panic!("there is no constant `{key}`"));
        let mut parser = Parser { constants: self, file, rest: text };
        let value = parser.shift();
        assert!(parser.rest.trim().is_empty(), "`{key}` is {text}");
        value
    }

    /// By a name as it is used in a file: one of the file, or the only one of this name.
    fn named(&self, file: &str, path: &str) -> u64 {
        let name = path.rsplit("::").next().unwrap();
        if name == path && self.0.contains_key(&format!("{file} {name}")) {
            return self.value(&format!("{file} {name}"));
        }
        let path = path.replace("::LIMIT", ".LIMIT");
        let name = path.rsplit("::").next().unwrap().replace(".LIMIT", "::LIMIT");
        let all: Vec<_> = self.0.keys().filter(|key| key.split_once(' ').unwrap().1 == name).collect();
        let within =
            |key: &&&String| path.split("::").all(|part| ["crate", "super"].contains(&part) || key.contains(part));
        match all.as_slice() {
            [only] => self.value(only),
            several => self.value(several.iter().find(within).unwrap_or_else(|| panic!("which `{path}` in {file}?"))),
        }
    }
}

/// Sums, products, shifts, brackets, and the few calls that stand in constants.
struct Parser<'a> {
    constants: &'a Constants,
    file: &'a str,
    rest: &'a str,
}

impl Parser<'_> {
    fn shift(&mut self) -> u64 {
        let mut value = self.sum();
        while self.takes("<<") {
            value <<= self.sum();
        }
        value
    }

    fn sum(&mut self) -> u64 {
        let mut value = self.product();
        loop {
            if self.takes("+") {
                value += self.product();
            } else if self.takes("-") {
                value -= self.product();
            } else {
                return value;
            }
        }
    }

    fn product(&mut self) -> u64 {
        let mut value = self.atom();
        loop {
            if self.takes("*") {
                value *= self.atom();
            } else if self.takes("/") {
                value /= self.atom();
            } else if self.takes(".next_multiple_of(") {
                value = value.next_multiple_of(self.shift());
                assert!(self.takes(")"));
            } else {
                return value;
            }
        }
    }

    fn atom(&mut self) -> u64 {
        self.rest = self.rest.trim_start();
        if self.takes("(") || self.takes("Duration::from_secs(") || self.takes("Self(") {
            let value = self.shift();
            assert!(self.takes(")"));
            return value;
        }
        let end =
            self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return word.replace('_', "").parse().unwrap();
        }
        self.constants.named(self.file, word)
    }

    fn takes(&mut self, what: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(what);
        if let Some(rest) = rest {
            self.rest = rest;
        }
        rest.is_some()
    }
}
