//! Replays `vectors/policy`: one case a file, headers, an empty line, then the policy text up to the last line end.
//!
//! `expect: ok` with `canonical`, `authority` and `tree` (the bytes of the expanded tree), and any number of pairs of
//! `attributes` and `satisfied`; or `expect: error KIND START..END`, the span in bytes. `comment` says why.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

use std::fs;
use std::path::Path;

use chartseal::id::AuthorityId;
use chartseal::policy::{Attributes, Policy};

#[test]
fn every_policy_vector_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/policy");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let (mut positive, mut negative) = (0, 0);
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.ends_with(".txt"), "{name} is not a vector");
        let case = fs::read_to_string(&path).unwrap();
        let (headers, body) = case.split_once("\n\n").unwrap_or_else(|| panic!("{name}: no empty line"));
        let text = body.strip_suffix('\n').unwrap_or_else(|| panic!("{name}: no line end"));
        let headers: Vec<(&str, &str)> = headers
            .lines()
            .map(|line| line.split_once(": ").unwrap_or_else(|| panic!("{name}: `{line}` is no header")))
            .collect();
        let Some((("expect", expect), headers)) = headers.split_first() else {
            panic!("{name}: the first header is not `expect`");
        };
        match expect.strip_prefix("error ") {
            Some(error) => {
                fails(&name, headers, text, error);
                negative += 1;
            }
            None => {
                assert_eq!(*expect, "ok", "{name}");
                parses(&name, headers, text);
                positive += 1;
            }
        }
    }
    assert!(positive >= 20 && negative >= 40, "{positive} and {negative} vectors: some are missing");
}

fn fails(name: &str, headers: &[(&str, &str)], text: &str, expected: &str) {
    assert!(matches!(headers, [("comment", _)]), "{name}: an error has a comment and nothing else");
    let error = text.parse::<Policy>().expect_err(name);
    let span = error.span();
    assert_eq!(format!("{:?} {}..{}", error.kind(), span.start, span.end), expected, "{name}");
}

fn parses(name: &str, headers: &[(&str, &str)], text: &str) {
    let policy: Policy = text.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
    let [("comment", _), ("authority", authority), ("canonical", canonical), ("tree", tree), keys @ ..] = headers
    else {
        panic!("{name}: a policy has comment, authority, canonical and tree, in this order");
    };
    assert_eq!(policy.to_string(), *canonical, "{name}");
    assert_eq!(canonical.parse::<Policy>().as_ref(), Ok(&policy), "{name}");
    let authority = AuthorityId::new(*authority).unwrap();
    let expanded = policy.expand(&authority).unwrap();
    let bytes: String = expanded.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(bytes, *tree, "{name}");
    for pair in keys.chunks(2) {
        let [("attributes", attributes), ("satisfied", satisfied @ ("yes" | "no"))] = pair else {
            panic!("{name}: {pair:?} is not `attributes` and `satisfied`");
        };
        let attributes: Attributes = attributes.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        let leaves = attributes.leaves(&authority);
        assert_eq!(policy.satisfied_by(&attributes), *satisfied == "yes", "{name}: {attributes}");
        assert_eq!(expanded.satisfied_by(|leaf| leaves.contains(leaf)), *satisfied == "yes", "{name}: {attributes}");
    }
}
