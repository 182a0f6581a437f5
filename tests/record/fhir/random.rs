//! Random resource texts, and random changes of them.

use chartseal::fhir::{Bundle, Entry, FhirErrorKind, LAYOUT, Resource};
use chartseal::seal::FieldPath;
use proptest::prelude::*;

use super::there_and_back;

/// White space as JSON has it.
fn space() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(String::new()), 1 => "[ \t\r\n]{1,3}"]
}

/// A string and one of the ways to write it.
fn string() -> impl Strategy<Value = (String, String)> {
    let char = prop_oneof![6 => proptest::char::range('a', 'e'), 2 => any::<char>(), 1 => proptest::sample::select(vec!['~', '/', '"', '\\', '\0', '0', '{', ']'])];
    proptest::collection::vec((char, 0..4u8), 0..6).prop_map(|chars| {
        let mut written = String::from("\"");
        for (c, how) in &chars {
            if *how == 0 || *c < ' ' || ['"', '\\'].contains(c) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    written.push_str(&if *how == 1 { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") });
                }
            } else {
                written.push(*c);
            }
        }
        written.push('"');
        (chars.iter().map(|(c, _)| c).collect(), written)
    })
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("0".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?",
        string().prop_map(|(_, written)| written),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            (proptest::collection::vec((space(), inner.clone(), space()), 0..4), space()).prop_map(|(items, s)| {
                let items: Vec<String> = items.into_iter().map(|(a, item, b)| a + &item + &b).collect();
                if items.is_empty() { format!("[{s}]") } else { format!("[{}]", items.join(",")) }
            }),
            proptest::collection::vec((space(), string(), space(), inner, space()), 0..4).prop_map(|members| {
                let members: Vec<String> =
                    members.into_iter().map(|(a, (_, name), b, value, c)| a + &name + &b + ":" + &value + &c).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// The text of a resource, and its members' names.
fn resource() -> impl Strategy<Value = (String, Vec<String>)> {
    let member = (string(), value(), [space(), space(), space(), space()]);
    (proptest::collection::vec(member, 0..6), any::<prop::sample::Index>(), space(), space()).prop_map(
        |(mut members, place, before, after)| {
            let kind = (("resourceType".to_owned(), "\"resourceType\"".to_owned()), "\"Kind1\"".to_owned());
            members.insert(place.index(members.len() + 1), (kind.0, kind.1, Default::default()));
            let mut seen = std::collections::HashSet::new();
            members.retain(|((name, _), _, _)| {
                FieldPath::new(format!("/{}", name.replace('~', "~0").replace('/', "~1"))).is_ok()
                    && seen.insert(name.clone())
            });
            let written: Vec<String> =
                members.iter().map(|((_, name), value, [a, b, c, d])| format!("{a}{name}{b}:{c}{value}{d}")).collect();
            let names = members.into_iter().map(|((name, _), _, _)| name).collect();
            (format!("{before}{{{}}}{after}", written.join(",")), names)
        },
    )
}

/// Changes a few bytes of a text, in ways that keep it near to JSON.
fn mutate(text: &str, changes: &[(prop::sample::Index, u8, u8)]) -> Option<String> {
    const BYTES: &[u8] = b"{}[]\",:0\\ \n1eEu~/a.-\xff";
    let mut bytes = text.as_bytes().to_vec();
    for (place, how, byte) in changes {
        let byte = BYTES[usize::from(*byte) % BYTES.len()];
        let place = place.index(bytes.len() + 1);
        match how % 3 {
            0 => bytes.insert(place, byte),
            1 if place < bytes.len() => drop(bytes.remove(place)),
            2 if place < bytes.len() => bytes[place] = byte,
            _ => {}
        }
    }
    String::from_utf8(bytes).ok()
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, u8)>> {
    proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<u8>()), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_resource_text_comes_back((text, names) in resource()) {
        let resource = there_and_back(&text);
        let paths: Vec<String> = resource.fields().map(|(path, _)| path.to_owned()).collect();
        let expected: Vec<String> =
            names.iter().map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1"))).collect();
        prop_assert_eq!(&paths[..names.len()], &expected[..]);

        let trimmed = text.trim_matches([' ', '\t', '\r', '\n']);
        let bundle = format!("{{\"resourceType\":\"Bundle\",\"entry\":[{{\"resource\": {trimmed} }},{{\"resource\":{trimmed}}}]}}");
        let parsed = Bundle::parse(&bundle).unwrap();
        prop_assert_eq!(parsed.entries()[0].text(), trimmed);
        let joined = Bundle::join(parsed.skeleton(), [trimmed; 2]).unwrap();
        prop_assert_eq!(joined.expose(), &bundle);
    }

    #[test]
    fn changed_text_is_refused_or_comes_back((text, _) in resource(), changes in changes()) {
        let Some(text) = mutate(&text, &changes) else { return Ok(()) };
        // What another parser takes for an object of the right kind, this one must not refuse for its syntax.
        let reference = serde_json::from_str::<serde_json::Value>(&text).is_ok();
        match Resource::parse(&text) {
            Ok(_) => drop(there_and_back(&text)),
            Err(error) if [FhirErrorKind::NotJson, FhirErrorKind::ExpectedObject].contains(&error.kind()) => {
                let object = text.trim_start().starts_with('{');
                prop_assert!(!(reference && object));
            },
            Err(_) => {}
        }
    }

    #[test]
    fn changed_fields_are_refused_or_are_those_of_the_joined_text(
        (text, _) in resource(), which in any::<prop::sample::Index>(), changes in changes(),
    ) {
        let resource = Resource::parse(&text).unwrap();
        let mut fields: Vec<(String, String)> =
            resource.fields().map(|(path, value)| (path.to_owned(), value.to_owned())).collect();
        let which = which.index(fields.len());
        let Some(changed) = mutate(&fields[which].1, &changes) else { return Ok(()) };
        fields[which].1 = changed;
        if let Ok(joined) = Resource::join(fields.iter().map(|(path, value)| (path, value))) {
            let again: Vec<(String, String)> = Resource::parse(joined.expose())
                .unwrap()
                .fields()
                .map(|(path, value)| (path.to_owned(), value.to_owned()))
                .collect();
            // A changed layout may put the members in another order; it may not change what they hold.
            let sorted = |mut fields: Vec<(String, String)>| { fields.sort(); fields };
            prop_assert_eq!(sorted(again), sorted(fields));
        }
    }

    #[test]
    fn a_changed_bundle_is_refused_or_comes_back((text, _) in resource(), changes in changes()) {
        let text = format!("{{\"resourceType\":\"Bundle\",\"entry\":[{{\"fullUrl\":\"a\",\"resource\":{}}}]}}", text.trim());
        let Some(text) = mutate(&text, &changes) else { return Ok(()) };
        if let Ok(bundle) = Bundle::parse(&text) {
            let resources: Vec<&str> = bundle.entries().iter().map(Entry::text).collect();
            let joined = Bundle::join(bundle.skeleton(), resources).unwrap();
            prop_assert_eq!(joined.expose(), &text);
        }
    }

    #[test]
    fn any_text_at_all_is_refused_without_a_panic(text in ".{0,64}", layout in ".{0,64}") {
        let _ = Bundle::parse(&text);
        let _ = Bundle::join(&layout, [&text]);
        let _ = Resource::join([("/a", text.as_str()), (LAYOUT, layout.as_str())]);
        prop_assert!(Resource::parse(&text).is_err());
    }
}
