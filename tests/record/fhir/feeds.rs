//! What other people's feeds bring: marks, gaps, odd ids and large attachments.

use chartseal::fhir::{
    Bundle, Entry, FhirError, FhirErrorKind as Kind, LAYOUT, MAX_DEPTH, MAX_MEMBERS, MAX_VALUE, Resource,
};
use chartseal::seal::MAX_FIELD;

use super::{CHARTS, there_and_back, with_depth, with_members};

fn bundle_of(resources: &[&str]) -> String {
    let entries: Vec<_> = resources.iter().map(|resource| format!("{{\"resource\":{resource}}}")).collect();
    format!("{{\"resourceType\":\"Bundle\",\"entry\":[\n{}\n]}}", entries.join(",\n"))
}

fn comes_back(text: &str) -> Bundle<'_> {
    let bundle = Bundle::parse(text).unwrap();
    let resources: Vec<&str> = bundle.entries().iter().map(Entry::text).collect();
    assert!(Bundle::join(bundle.skeleton(), &resources).unwrap().expose() == text);
    bundle
}

/// The kind of an error, and the text from its place on.
fn place<'a>(text: &'a str, error: &FhirError) -> (Kind, &'a str, Option<usize>) {
    (error.kind(), &text[error.offset().unwrap()..], error.entry())
}

#[test]
fn a_byte_order_mark_is_kept_and_comes_back() {
    let text = "\u{feff}{\"resourceType\":\"X\",\"a\":1}\r\n";
    let resource = there_and_back(text);
    assert_eq!(resource.get(LAYOUT), Some("\u{feff}{\"resourceType\":0,\"a\":0}\r\n"));
    let joined = Resource::join([("/resourceType", "\"Y\""), (LAYOUT, "\u{feff}{\"resourceType\":0}")]).unwrap();
    assert_eq!(joined.expose(), "\u{feff}{\"resourceType\":\"Y\"}");

    for chart in CHARTS {
        let marked = format!("\u{feff}{chart}");
        let bundle = comes_back(&marked);
        assert!(bundle.skeleton().starts_with('\u{feff}'));
        there_and_back(bundle.skeleton());
        assert_eq!(bundle.entries().len(), Bundle::parse(chart).unwrap().entries().len());
    }
    // Inside a text it is no mark.
    let error = Bundle::parse("{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":\u{feff}{}}]}").unwrap_err();
    assert_eq!(error.kind(), Kind::NotJson);
}

#[test]
fn null_entries_and_ids_that_are_no_strings_stay_as_they_stand() {
    let text = "{\"resourceType\":\"Bundle\",\"entry\":[null,{\"resource\":{\"resourceType\":\"X\",\"id\":17}},\
                {\"resource\":null},null , {\"fullUrl\":4,\"resource\":{\"resourceType\":\"Y\",\"id\":null}},\
                {\"resource\":{\"id\":\"\\ud800\",\"resourceType\":\"Z\"}},{},\
                {\"fullUrl\":null,\"resource\":{\"resourceType\":\"Z\",\"id\":\"z\"}}]}";
    let bundle = comes_back(text);
    let found: Vec<_> = bundle
        .entries()
        .iter()
        .map(|entry| (entry.index(), entry.resource_type(), entry.id(), entry.full_url()))
        .collect();
    assert_eq!(found, [(1, "X", None, None), (4, "Y", None, None), (5, "Z", None, None), (7, "Z", Some("z"), None)]);
    assert_eq!(bundle.entries()[0].split().unwrap().get("/id"), Some("17"));
    assert_eq!(bundle.entries()[1].split().unwrap().get("/id"), Some("null"));
    for entry in bundle.entries() {
        there_and_back(entry.text());
    }
    there_and_back(bundle.skeleton());
    assert!(comes_back("{\"resourceType\":\"Bundle\",\"entry\":null}").entries().is_empty());
}

#[test]
fn an_error_says_the_byte_and_the_entry() {
    let fine = "{\"resourceType\":\"X\"}";
    for (bad, kind, from) in [
        ("{\"resourceType\":\"X\",\n\"a\":1,\"id\":\"1\",\"\\u0061\":2}", Kind::RepeatedMember, "2}"),
        ("{\"resourceType\":\"X\",\"b\\u200b\":7}", Kind::HiddenName, "7}"),
        ("{\"a\":\"é\"}", Kind::NoResourceType, "{\"a\""),
        ("{\"a\":\"é\",\"resourceType\":9}", Kind::NoResourceType, "9}"),
        ("[1]", Kind::ExpectedObject, "[1]"),
        ("{\"resourceType\":\"X\",\"a\":01}", Kind::NotJson, "1}"),
        ("{\"resourceType\":\"X\",\r\n\"a\":tru\r\n}", Kind::NotJson, "\r\n}"),
    ] {
        assert_eq!(
            place(bad, &Resource::parse(bad).unwrap_err()),
            (kind, &*[from, rest(bad, from)].concat(), None),
            "{bad}"
        );
        let marked = format!("\u{feff}\n{bad}");
        let error = Resource::parse(&marked).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (kind, alone(bad, error).map(|at| at + 4)), "{bad}");

        for before in 0..3 {
            let mut resources = vec![fine; before];
            resources.extend([bad, fine]);
            let text = format!("\u{feff}{}", bundle_of(&resources));
            let error = match Bundle::parse(&text) {
                Err(error) => error,
                // What is no field refuses itself alone.
                Ok(bundle) => bundle.entries()[before].split().unwrap_err(),
            };
            let (found, shown, entry) = place(&text, &error);
            assert_eq!(found, kind);
            assert!(shown.starts_with(from), "{bad}: {shown}");
            assert_eq!(entry, Some(before), "{bad}");
        }
    }
    for (bad, kind, from, entry) in [
        ("{\"resourceType\":\"Bundle\",\"entry\":[null,{},5]}", Kind::ExpectedObject, "5]", Some(2)),
        ("{\"resourceType\":\"Bundle\",\"entry\":[{\"a\":1,\"a\":2}]}", Kind::RepeatedMember, "2}", Some(0)),
        ("{\"resourceType\":\"Bundle\",\"entry\":{}}", Kind::ExpectedArray, "{}}", None),
        ("{\"resourceType\":\"Patient\"}", Kind::NotABundle, "\"Patient\"", None),
        ("{\"resourceType\":\"Bundle\"}\n{", Kind::NotJson, "{", None),
        ("{\"resourceType\":\"Bundle\",", Kind::NotJson, "", None),
        ("{\"resourceType\":\"Bundle\",\"entry\":[{\"a\":[1,2]},{},", Kind::NotJson, "", Some(2)),
        ("{\"resourceType\":\"Bundle\",\"entr\\u0079\":[{\"a\":\"]\\\"\"},x", Kind::NotJson, "x", Some(1)),
        ("{\"resourceType\":\"Bundle\",\"entry\":[{}],\"entry \":[x", Kind::NotJson, "x", None),
        ("{\"resourceType\":\"Bundle\",\"meta\":{\"entry\":[x", Kind::NotJson, "x", None),
    ] {
        let error = Bundle::parse(bad).unwrap_err();
        let (found, shown, index) = place(bad, &error);
        assert_eq!((found, index), (kind, entry), "{bad}");
        assert!(shown.starts_with(from), "{bad}: {shown}");
    }
}

/// The offset of the same error without what was put before the text.
fn alone(text: &str, error: FhirError) -> Option<usize> {
    assert_eq!(error.entry(), None);
    Resource::parse(text).unwrap_err().offset()
}

/// What follows `from` where it stands last.
fn rest<'a>(text: &'a str, from: &str) -> &'a str {
    text.rsplit_once(from).unwrap().1
}

#[test]
fn an_error_shows_nothing_of_the_text() {
    let text = bundle_of(&["{\"resourceType\":\"X\",\"cancer\":1,\"cancer\":2}"]);
    let error = Bundle::parse(&text).unwrap_err();
    assert_eq!(error.to_string(), "a JSON object of FHIR text names a member twice at byte 87, in `entry[0]`");
    assert!(!format!("{error:?}").contains("cancer"));
    assert_eq!(chartseal::Error::from(error).to_string(), error.to_string());
}

#[test]
fn an_attachment_too_large_for_a_field_is_refused_by_entry_and_byte_and_the_rest_goes_on() {
    assert_eq!((MAX_VALUE, MAX_FIELD), (4 << 20, 4 << 20));
    let large = |length: usize| {
        format!(
            "{{\"resourceType\":\"Binary\",\"id\":\"scan\",\"contentType\":\"x\",\"data\":\"{}\"}}",
            "A".repeat(length - 2)
        )
    };
    let (fits, over) = (large(MAX_VALUE), large(MAX_VALUE + 1));
    let small = "{\"resourceType\":\"Patient\",\"id\":\"p\"}";
    let text = bundle_of(&[small, &over, &fits, small]);
    let bundle = comes_back(&text);
    let split: Vec<_> = bundle.entries().iter().map(Entry::split).collect();
    assert_eq!(split.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, true]);
    let error = *split[1].as_ref().unwrap_err();
    assert_eq!((error.kind(), error.entry()), (Kind::ValueTooLarge, Some(1)));
    assert!(text[error.offset().unwrap()..].starts_with("\"AAA"));
    assert!(text[..error.offset().unwrap()].ends_with("\"data\":"));
    // It is named all the same, and its text is at hand.
    let refused = &bundle.entries()[1];
    assert_eq!((refused.index(), refused.resource_type(), refused.id()), (1, "Binary", Some("scan")));
    assert!(refused.text() == over);
}

#[test]
fn what_no_record_can_hold_refuses_its_own_entry_alone() {
    let small = "{\"resourceType\":\"Patient\"}";
    let long_name = format!("{{\"resourceType\":\"X\",\"{}\":1}}", "n".repeat(600));
    for (bad, kind) in [
        (with_members(MAX_MEMBERS + 1), Kind::TooManyMembers),
        (with_depth(MAX_DEPTH + 1), Kind::TooDeep),
        (long_name, Kind::NameTooLong),
        ("{\"resourceType\":\"X\",\" \":1}".to_owned(), Kind::HiddenName),
    ] {
        let text = bundle_of(&[small, &bad, small]);
        let bundle = comes_back(&text);
        let [first, second, third] = bundle.entries() else { panic!("{kind:?}") };
        assert!(first.split().is_ok() && third.split().is_ok());
        let error = second.split().unwrap_err();
        assert_eq!((error.kind(), error.entry(), second.resource_type()), (kind, Some(1), "X"));
    }
}

#[test]
fn a_resource_may_be_nested_as_deep_in_a_bundle_as_by_itself() {
    let (deepest, deeper) = (with_depth(MAX_DEPTH), with_depth(MAX_DEPTH + 1));
    there_and_back(&deepest);
    let text = bundle_of(&[&deepest, &deeper, &deepest]);
    let bundle = comes_back(&text);
    there_and_back(bundle.entries()[0].text());
    assert!(bundle.entries()[0].split().is_ok() && bundle.entries()[2].split().is_ok());
    let alone = Resource::parse(&deeper).unwrap_err();
    let inside = bundle.entries()[1].split().unwrap_err();
    let start = text.find(&deeper).unwrap();
    assert_eq!(inside.kind(), alone.kind());
    assert_eq!(inside.offset(), alone.offset().map(|offset| offset + start));
    // What is around the resources is counted without them, and can itself be sealed.
    there_and_back(bundle.skeleton());
    let around = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 3), "]".repeat(depth - 3));
        format!("{{\"resourceType\":\"Bundle\",\"entry\":[{{\"resource\":{deepest},\"search\":{open}{close}}}]}}")
    };
    there_and_back(comes_back(&around(MAX_DEPTH)).skeleton());
    assert_eq!(Bundle::parse(&around(MAX_DEPTH + 1)).unwrap_err().kind(), Kind::TooDeep);
}
