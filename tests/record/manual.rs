//! What the manual's pages name is there.

mod constants;
mod figures;
mod labels;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The text of every file under a folder of the crate that ends so.
fn texts(folder: &str, end: &str) -> Vec<(PathBuf, String)> {
    let (mut folders, mut found) = (vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == end) {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

/// Every function that the crate's test runners run: one below `#[test]`, of a property test, too. Not those that are ignored.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (_, text) in ["src", "tests"].iter().flat_map(|folder| texts(folder, "rs")) {
        let mut attributes = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[") {
                attributes.push(line);
            } else if !line.starts_with("//") {
                if let Some(name) = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next())
                    && attributes.contains(&"#[test]")
                    && !attributes.iter().any(|attribute| attribute.starts_with("#[ignore"))
                {
                    names.insert(name.to_owned());
                }
                attributes.clear();
            }
        }
    }
    names
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// The rows of a page's section, by their two cells.
fn rows<'a>(page: &'a str, section: &str) -> Vec<(&'a str, &'a str)> {
    let (_, rest) = page.split_once(section).unwrap();
    let rows = rest.split("\n# ").next().unwrap().lines().filter_map(|line| line.strip_prefix("| "));
    rows.skip(1).map(|row| row.trim_end_matches(" |").split_once(" | ").unwrap()).collect()
}

fn is_a_name(quoted: &str) -> bool {
    quoted.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

#[test]
fn each_promise_of_the_threat_model_names_tests_that_are_there() {
    let (page, tests) = (include_str!("../../src/manual/threat_model.md"), tests());
    assert!(tests.contains("each_promise_of_the_threat_model_names_tests_that_are_there"));
    let rows = rows(page, "# Which test shows it\n");
    assert!(rows.len() > 50, "{}", rows.len());
    for (promise, shown_by) in rows {
        let named: Vec<_> = quoted(shown_by).collect();
        let whole = named.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        assert!(!named.is_empty() && whole == shown_by, "`{promise}` is shown by {shown_by}");
        for name in named {
            assert!(tests.contains(name), "`{promise}` is shown by `{name}`, which is no test");
        }
    }
    // And wherever the text names one.
    for name in quoted(page).filter(|name| is_a_name(name) && name.matches('_').count() > 2) {
        assert!(tests.contains(name), "`{name}` is no test");
    }
}

#[test]
fn each_file_that_the_manual_and_the_readme_name_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = texts("src/manual", "md");
    pages.push((root.join("README.md"), fs::read_to_string(root.join("README.md")).unwrap()));
    let mut files = 0;
    for (page, text) in &pages {
        let folders = ["src/", "tests/", "examples/", "benches/", "fuzz/"];
        for file in quoted(text).filter(|name| folders.iter().any(|folder| name.starts_with(folder))) {
            assert!(root.join(file).exists(), "{} names `{file}`", page.display());
            files += 1;
        }
    }
    assert!(files > 20, "{files}");
}
