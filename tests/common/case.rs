//! Reads the vector files: one case a file, `header: value` lines, then perhaps a blank line and a body.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One vector file. Every header must be asked for, so that a misspelt one is found.
pub(crate) struct Case {
    pub(crate) name: String,
    headers: BTreeMap<String, String>,
}

impl Case {
    /// Every case of a folder under `tests/vectors`, of which there is at least one.
    pub(crate) fn all(folder: &str) -> Vec<Self> {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(directory(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        assert!(!paths.is_empty(), "no vectors in {folder}");
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Self {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(path).unwrap();
        let mut headers = BTreeMap::new();
        for line in text.lines() {
            let (header, value) = line.split_once(": ").unwrap_or_else(|| panic!("{name}: no header in `{line}`"));
            let before = headers.insert(header.to_owned(), value.to_owned());
            assert!(before.is_none(), "{name}: `{header}` twice");
        }
        Self { name, headers }
    }

    pub(crate) fn text(&mut self, header: &str) -> String {
        self.maybe(header).unwrap_or_else(|| panic!("{}: no `{header}`", self.name))
    }

    pub(crate) fn maybe(&mut self, header: &str) -> Option<String> {
        self.headers.remove(header)
    }

    pub(crate) fn bytes(&mut self, header: &str) -> Vec<u8> {
        unhex(&self.text(header))
    }

    pub(crate) fn finish(self) {
        assert!(self.headers.is_empty(), "{}: unknown headers {:?}", self.name, self.headers.keys());
    }
}

/// The folder of some vectors.
pub(crate) fn directory(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(folder)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "odd number of hex digits");
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}
