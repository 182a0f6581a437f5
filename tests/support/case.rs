//! Reads the vector files: one case a file, `header: value` lines, then perhaps an empty line and a body, which is all
//! up to the last line end.

use std::fs;
use std::path::{Path, PathBuf};

/// One vector file. Every header has to be asked for, and the body if there is one, so that a misspelt one is found.
pub(crate) struct Case {
    pub(crate) name: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
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
        let name = path.file_name().unwrap().to_str().unwrap();
        let name = name.strip_suffix(".txt").unwrap_or_else(|| panic!("{name} is not a vector")).to_owned();
        let text = fs::read_to_string(path).unwrap();
        let text = text.strip_suffix('\n').unwrap_or_else(|| panic!("{name}: no line end"));
        let (head, body) = match text.split_once("\n\n") {
            Some((head, body)) => (head, Some(body.to_owned())),
            None => (text, None),
        };
        let header = |line: &str| match line.split_once(": ") {
            Some((header, value)) => (header.to_owned(), value.to_owned()),
            None => panic!("{name}: no header in `{line}`"),
        };
        let headers = head.lines().map(header).collect();
        Self { name, headers, body }
    }

    /// The first header of that name.
    pub(crate) fn text(&mut self, header: &str) -> String {
        self.maybe(header).unwrap_or_else(|| panic!("{}: no `{header}`", self.name))
    }

    pub(crate) fn maybe(&mut self, header: &str) -> Option<String> {
        let at = self.headers.iter().position(|(name, _)| name == header)?;
        Some(self.headers.remove(at).1)
    }

    pub(crate) fn bytes(&mut self, header: &str) -> Vec<u8> {
        unhex(&self.text(header))
    }

    /// The headers that begin with a prefix, without it.
    pub(crate) fn each(&mut self, prefix: &str) -> Vec<(String, String)> {
        let (found, rest) =
            std::mem::take(&mut self.headers).into_iter().partition(|(name, _)| name.starts_with(prefix));
        self.headers = rest;
        let found: Vec<(String, String)> = found;
        found.into_iter().map(|(name, value)| (name[prefix.len()..].to_owned(), value)).collect()
    }

    pub(crate) fn body(&mut self) -> String {
        self.body.take().unwrap_or_else(|| panic!("{}: no body", self.name))
    }

    pub(crate) fn finish(self) {
        let Self { name, headers, body } = self;
        assert!(headers.is_empty(), "{name}: unknown or repeated headers {headers:?}");
        assert!(body.is_none(), "{name}: a body");
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
