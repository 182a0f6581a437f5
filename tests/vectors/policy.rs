//! Replays `vectors/policy`: one case a file, headers, an empty line, then the policy text up to the last line end.
//!
//! `expect: ok` with `canonical`, `authority` and `tree` (the bytes of the expanded tree), and any number of pairs of
//! `attributes` and `satisfied`; or `expect: error KIND START..END`, the span in bytes. `comment` says why.

use crate::generate::if_asked;
use crate::support::case::{Case, hex};
use chartseal::id::AuthorityId;
use chartseal::policy::{Attributes, Policy};

#[test]
fn every_policy_vector_holds() {
    if_asked(crate::generate::policy::write_all);
    let (mut positive, mut negative) = (0, 0);
    for mut case in Case::all("policy") {
        case.text("comment");
        let expect = case.text("expect");
        let text = case.body();
        match expect.strip_prefix("error ") {
            Some(error) => {
                fails(&case.name, &text, error);
                negative += 1;
            }
            None => {
                assert_eq!(expect, "ok", "{}", case.name);
                parses(&mut case, &text);
                positive += 1;
            }
        }
        case.finish();
    }
    assert!(positive >= 20 && negative >= 40, "{positive} and {negative} vectors: some are missing");
}

fn fails(name: &str, text: &str, expected: &str) {
    let error = text.parse::<Policy>().expect_err(name);
    let span = error.span();
    assert_eq!(format!("{:?} {}..{}", error.kind(), span.start, span.end), expected, "{name}");
}

fn parses(case: &mut Case, text: &str) {
    let name = case.name.clone();
    let policy: Policy = text.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
    let canonical = case.text("canonical");
    assert_eq!(policy.to_string(), canonical, "{name}");
    assert_eq!(canonical.parse::<Policy>().as_ref(), Ok(&policy), "{name}");
    let authority = AuthorityId::new(case.text("authority")).unwrap();
    let expanded = policy.expand(&authority).unwrap();
    assert_eq!(hex(expanded.as_bytes()), case.text("tree"), "{name}");
    while let Some(attributes) = case.maybe("attributes") {
        let satisfied = match case.text("satisfied").as_str() {
            "yes" => true,
            "no" => false,
            other => panic!("{name}: satisfied `{other}`"),
        };
        let attributes: Attributes = attributes.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        let leaves = attributes.leaves(&authority);
        assert_eq!(policy.satisfied_by(&attributes), satisfied, "{name}: {attributes}");
        assert_eq!(expanded.satisfied_by(|leaf| leaves.contains(leaf)), satisfied, "{name}: {attributes}");
    }
}
