//! Writes the files of `tests/vectors/policy` again, whose policies and attributes were chosen by hand: what is said of them
//! is said anew, and they stay.

use crate::support::case::{Case, hex};
use chartseal::id::AuthorityId;
use chartseal::policy::{Attributes, Policy};

use super::Folder;

pub(crate) fn write_all() {
    let folder = Folder::open("policy");
    for mut case in Case::all("policy") {
        let (comment, body) = (case.text("comment"), case.body());
        let text = match body.parse::<Policy>() {
            Err(error) => {
                let span = error.span();
                format!("expect: error {:?} {}..{}\ncomment: {comment}\n", error.kind(), span.start, span.end)
            }
            Ok(policy) => {
                let authority = case.maybe("authority").unwrap_or_else(|| "st-olave".to_owned());
                let tree = policy.expand(&AuthorityId::new(authority.clone()).unwrap()).unwrap();
                let mut text = format!("expect: ok\ncomment: {comment}\nauthority: {authority}\n");
                text += &format!("canonical: {policy}\ntree: {}\n", hex(tree.as_bytes()));
                while let Some(attributes) = case.maybe("attributes") {
                    let satisfied = policy.satisfied_by(&attributes.parse::<Attributes>().unwrap());
                    let satisfied = if satisfied { "yes" } else { "no" };
                    text += &format!("attributes: {attributes}\nsatisfied: {satisfied}\n");
                }
                text
            }
        };
        folder.write(&case.name, &format!("{text}\n{body}\n"));
    }
}
