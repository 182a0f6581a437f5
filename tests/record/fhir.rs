//! FHIR text is split and joined byte for byte, or refused.
#![cfg(feature = "fhir")]

use chartseal::fhir::{
    self, Bundle, FhirError, FhirErrorKind as Kind, LAYOUT, MAX_DEPTH, MAX_ENTRIES, MAX_MEMBERS, MAX_PATH, MAX_TEXT,
    MAX_VALUE, Resource,
};
use chartseal::id::Time;
use chartseal::owner::Owner;
use chartseal::record::Record;

mod feeds;
mod random;

const CHARTS: [&str; 2] = [
    include_str!("../../examples/data/claudio-delarosa.json"),
    include_str!("../../examples/data/donovan-gottlieb.json"),
];

/// Splits, puts the fields into a record, and joins; they go in backwards, since their order is the layout's business.
fn there_and_back(text: &str) -> Resource<'_> {
    let resource = Resource::parse(text).unwrap();
    let mut fields: Vec<(String, Vec<u8>)> =
        resource.fields().map(|(path, value)| (path.to_owned(), value.as_bytes().to_vec())).collect();
    fields.reverse();
    let now = Time::at(1_775_000_000);
    let (alice, phone) = Owner::generate_with_device("phone".parse().unwrap(), now).unwrap();
    let (_, access) = phone.consent(alice.devices(), "all".parse().unwrap()).seal(now).unwrap();
    let record = Record::new("1".parse().unwrap(), "fhir/R4".parse().unwrap()).part(&access).unwrap();
    let record = fields.iter().try_fold(record, |record, (path, value)| record.field(&**path, &**value));
    assert!(record.is_ok(), "{record:?}");
    assert_eq!(Resource::join(fields).unwrap().expose(), text);
    resource
}

fn malformed<T>(result: Result<T, FhirError>) -> bool {
    result.is_err_and(|error| !is_limit(error.kind()))
}

fn too_large<T>(result: Result<T, FhirError>) -> bool {
    result.is_err_and(|error| is_limit(error.kind()))
}

fn is_limit(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::TextTooLarge
            | Kind::ValueTooLarge
            | Kind::TooDeep
            | Kind::TooManyMembers
            | Kind::TooManyEntries
            | Kind::NameTooLong
    )
}

/// A resource of so many bytes, no value of which is longer than a field holds.
fn padded(length: usize) -> String {
    let mut text = String::from("{\"resourceType\":\"X\"");
    for n in 0.. {
        let name = format!(",\"n{n}\":\"");
        let rest = length - text.len() - "}".len();
        if rest == 0 {
            break;
        }
        // What is left has to hold a member.
        let value = (rest - name.len() - 1).min(MAX_VALUE / 2);
        text.push_str(&name);
        text.push_str(&"x".repeat(value));
        text.push('"');
    }
    text.push('}');
    text
}

fn with_members(count: usize) -> String {
    let members: Vec<String> = (1..count).map(|n| format!("\"m{n}\":{n}")).collect();
    format!("{{\"resourceType\":\"X\",{}}}", members.join(","))
}

fn with_depth(depth: usize) -> String {
    let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
    format!("{{\"resourceType\":\"X\",\"deep\":{open}{close}}}")
}

#[test]
fn both_charts_come_back_byte_for_byte_resource_by_resource_and_whole() {
    for (chart, count) in CHARTS.into_iter().zip([789, 950]) {
        let bundle = Bundle::parse(chart).unwrap();
        assert_eq!(bundle.entries().len(), count);
        let mut joined = Vec::new();
        for entry in bundle.entries() {
            let resource = there_and_back(entry.text());
            assert_eq!(entry.split().unwrap().text(), entry.text());
            assert_eq!(resource.resource_type(), entry.resource_type());
            assert_eq!(resource.id(), entry.id());
            assert_eq!(entry.full_url(), Some(format!("urn:uuid:{}", entry.id().unwrap()).as_str()));
            joined.push(Resource::join(entry.split().unwrap().fields()).unwrap().expose().clone());
        }
        assert!(bundle.skeleton().len() < chart.len() / 4, "the skeleton holds no resources");
        assert!(Bundle::join(bundle.skeleton(), &joined).unwrap().expose() == chart);
        there_and_back(chart);
        there_and_back(bundle.skeleton());
    }
}

#[test]
fn numbers_keep_every_character() {
    for number in [
        "0",
        "-0",
        "-0.0",
        "1.0",
        "1.10",
        "1e2",
        "1E+2",
        "1e-400",
        "1e400",
        "0.1000",
        "100000000000000000000",
        "123456789012345678901234567890",
        "0.123456789012345678901234567890",
        "3.14159265358979323846264338327950288",
    ] {
        let text = format!("{{\"resourceType\":\"Observation\",\"a\":{number},\"b\":{{\"value\":{number}}}}}");
        let resource = there_and_back(&text);
        assert_eq!(resource.get("/a"), Some(number));
        assert_eq!(resource.get("/b"), Some(format!("{{\"value\":{number}}}").as_str()));
    }
}

#[test]
fn white_space_order_and_escapes_come_back_as_they_were() {
    for text in [
        "{\"resourceType\":\"X\"}",
        "{\"a\":1,\"resourceType\":\"X\"}\n",
        " \t\r\n{ \"resourceType\" :\r\n\t\"X\" , \"a\" : [ 1 ,\r\n 2 ] }\r\n\r\n",
        "{\r\n  \"resourceType\": \"X\",\r\n  \"a\": 0,\r\n  \"b\": \"0\"\r\n}\r\n",
        "{\"resource\\u0054ype\":\"\\u0058\",\"a\\u0020b\":\"\\u00e9\\/\\ud83d\\ude00\"}",
        "{\"resourceType\":\"X\",\"é😀\":\"é😀\",\"\":null,\"a b\":true,\"\\u00e0\":false}",
        "{\"resourceType\":\"X\",\"div\":\"<a href=\\\"{[\\\\\\\">}\\\" \"}",
    ] {
        assert_eq!(there_and_back(text).resource_type(), "X", "{text}");
    }
}

#[test]
fn a_path_is_the_json_pointer_of_the_unescaped_name() {
    let text = r##"{"resourceType":"X","a/b~c":1,"\u0064":2,"":3,"#layout":4,"~1":5,"d\"\\":6,"/resourceType":7}"##;
    let resource = there_and_back(text);
    let paths: Vec<&str> = resource.fields().map(|(path, _)| path).collect();
    assert_eq!(
        paths,
        ["/resourceType", "/a~1b~0c", "/d", "/", "/#layout", "/~01", "/d\"\\", "/~1resourceType", LAYOUT]
    );
}

#[test]
fn a_name_that_is_not_seen_as_it_is_is_refused() {
    for name in
        ["\\u0000", "a\\n", "\\u0085", "\u{85}", "\u{7f}", "\\u00a0", "a\u{200d}b", " ", "a ", "a  b", "\u{e000}"]
    {
        let text = format!("{{\"resourceType\":\"X\",\"{name}\":1}}");
        assert_eq!(Resource::parse(&text).unwrap_err().kind(), Kind::HiddenName, "{name:?}");
    }
}

#[test]
fn the_layout_is_the_source_with_every_value_replaced_by_a_zero() {
    let resource = Resource::parse("{ \"resourceType\": \"X\",\r\n \"a\":[1, {}]\t,\"b\\u0062\" : -1.50 }\n").unwrap();
    assert_eq!(resource.get(LAYOUT), Some("{ \"resourceType\": 0,\r\n \"a\":0\t,\"b\\u0062\" : 0 }\n"));
}

#[test]
fn what_is_not_one_resource_is_refused() {
    for text in [
        "",
        " ",
        "null",
        "1",
        "\"X\"",
        "[]",
        "{}",
        "[{\"resourceType\":\"X\"}]",
        "{\"id\":\"a\"}",
        "{\"resourceType\":null}",
        "{\"resourceType\":1}",
        "{\"resourceType\":[\"X\"]}",
        "{\"resourceType\":\"\"}",
        "{\"resourceType\":\"a b\"}",
        "{\"resourceType\":\"é\"}",
        "{\"resourceType\":\"X\"",
        "{\"resourceType\":\"X\",}",
        "{\"resourceType\":\"X\"}}",
        "{\"resourceType\":\"X\"} x",
        "{\"resourceType\":\"X\"}{}",
        "{\"resourceType\":\"X\"}\0",
        "{\"resourceType\":\"X\"}\u{a0}",
        "\u{feff}",
        "\u{feff}\u{feff}{\"resourceType\":\"X\"}",
        " \u{feff}{\"resourceType\":\"X\"}",
        "{\u{feff}\"resourceType\":\"X\"}",
        "{\"resourceType\":\"X\"}\u{feff}",
        "{'resourceType':'X'}",
        "{resourceType:\"X\"}",
        "{\"resourceType\":\"X\" \"a\":1}",
        "{\"resourceType\":\"X\",\"a\"}",
        "{\"resourceType\":\"X\",\"a\":}",
        "{\"resourceType\":\"X\",\"a\":01}",
        "{\"resourceType\":\"X\",\"a\":1.}",
        "{\"resourceType\":\"X\",\"a\":.5}",
        "{\"resourceType\":\"X\",\"a\":+1}",
        "{\"resourceType\":\"X\",\"a\":NaN}",
        "{\"resourceType\":\"X\",\"a\":tru}",
        "{\"resourceType\":\"X\",\"a\":[1,]}",
        "{\"resourceType\":\"X\",\"a\":[1}",
        "{\"resourceType\":\"X\",\"a\":{]}",
        "{\"resourceType\":\"X\",\"a\":\"\n\"}",
        "{\"resourceType\":\"X\",\"a\":\"\\x\"}",
        "{\"resourceType\":\"X\",\"a\":\"\\u12\"}",
        "{\"resourceType\":\"X\",\"\\ud800\":1}",
        "{\"resourceType\":\"X\",//\n\"a\":1}",
    ] {
        assert!(malformed(Resource::parse(text)), "{text}");
    }
}

#[test]
fn a_member_named_twice_is_refused_whatever_its_escapes() {
    for text in [
        "{\"resourceType\":\"X\",\"resourceType\":\"X\"}",
        "{\"resourceType\":\"X\",\"id\":\"1\",\"a\":0,\"id\":\"2\"}",
        "{\"resourceType\":\"X\",\"id\":\"1\",\"\\u0069d\":\"2\"}",
        "{\"resourceType\":\"X\",\"/\":1,\"\\/\":2}",
        "{\"resourceType\":\"X\",\"😀\":1,\"\\ud83d\\ude00\":2}",
    ] {
        assert_eq!(Resource::parse(text).unwrap_err().kind(), Kind::RepeatedMember, "{text}");
    }
}

#[test]
fn each_limit_admits_its_last_value_and_refuses_the_next() {
    there_and_back(&padded(MAX_TEXT));
    assert!(too_large(Resource::parse(&padded(MAX_TEXT + 1))));

    let valued = |length: usize| format!("{{\"resourceType\":\"X\",\"a\":\"{}\"}}", "x".repeat(length - 2));
    there_and_back(&valued(MAX_VALUE));
    assert_eq!(Resource::parse(&valued(MAX_VALUE + 1)).unwrap_err().kind(), Kind::ValueTooLarge);
    let laid_out = |length: usize| format!("{}{{\"resourceType\":\"X\"}}", " ".repeat(length - 18));
    assert_eq!(there_and_back(&laid_out(MAX_VALUE)).get(LAYOUT).unwrap().len(), MAX_VALUE);
    assert_eq!(Resource::parse(&laid_out(MAX_VALUE + 1)).unwrap_err().kind(), Kind::ValueTooLarge);

    assert_eq!(there_and_back(&with_members(MAX_MEMBERS)).fields().count(), 4096);
    assert!(too_large(Resource::parse(&with_members(MAX_MEMBERS + 1))));

    let named = |name: &str| format!("{{\"resourceType\":\"X\",\"{name}\":1}}");
    there_and_back(&named(&"n".repeat(MAX_PATH - 1)));
    assert!(too_large(Resource::parse(&named(&"n".repeat(MAX_PATH)))));
    there_and_back(&named(&format!("{}~", "n".repeat(MAX_PATH - 3))));
    assert!(too_large(Resource::parse(&named(&format!("{}~", "n".repeat(MAX_PATH - 2))))));

    there_and_back(&with_depth(MAX_DEPTH));
    assert!(too_large(Resource::parse(&with_depth(MAX_DEPTH + 1))));
    assert!(too_large(Resource::parse(&"[".repeat(1 << 20))));
    assert!(too_large(Resource::parse(&"{\"a\":".repeat(1 << 20))));
}

#[test]
fn brackets_in_strings_are_not_depth() {
    let text = format!("{{\"resourceType\":\"X\",\"a\":\"\\\"{}\\\\\"}}", "[{".repeat(MAX_DEPTH));
    there_and_back(&text);
}

#[test]
fn join_takes_exactly_the_fields_of_the_layout() {
    let layout = "{\"resourceType\":0, \"a\":0}";
    let good = [("/resourceType", "\"X\""), ("/a", "[1.0]"), (LAYOUT, layout)];
    assert_eq!(Resource::join(good).unwrap().expose(), "{\"resourceType\":\"X\", \"a\":[1.0]}");

    let bad: [&[(&str, &str)]; 17] = [
        &[],
        &[(LAYOUT, layout)],
        &good[..2],
        &good[1..],
        &[good[0], good[1], good[2], ("/b", "1")],
        &[good[0], good[1], good[1], good[2]],
        &[good[0], good[1], good[2], good[2]],
        &[good[0], ("/a", "1,\"b\":2"), good[2]],
        &[good[0], ("/a", " 1"), good[2]],
        &[good[0], ("/a", "1 "), good[2]],
        &[good[0], ("/a", ""), good[2]],
        &[good[0], ("/a", "tru"), good[2]],
        &[("/resourceType", "1"), good[1], good[2]],
        &[good[0], good[1], (LAYOUT, "{\"resourceType\":0, \"a\":1}")],
        &[good[0], good[1], (LAYOUT, "{\"resourceType\":0, \"a\":0.0}")],
        &[good[0], good[1], (LAYOUT, "{\"resourceType\":0, \"a\":0, \"a\":0}")],
        &[good[0], good[1], (LAYOUT, "[0, 0]")],
    ];
    for fields in bad {
        assert!(malformed(Resource::join(fields.iter().copied())), "{fields:?}");
    }
    assert!(malformed(Resource::join([("/resourceType", &b"\"\xff\""[..]), (LAYOUT, b"{\"resourceType\":0}")])));
}

#[test]
fn join_keeps_the_limits_and_ends_on_an_endless_iterator() {
    assert!(too_large(Resource::join(std::iter::repeat((LAYOUT, "{}")))));
    let deep = "[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH);
    let fields = [("/resourceType", "\"X\""), ("/a", deep.as_str()), (LAYOUT, "{\"resourceType\":0,\"a\":0}")];
    assert!(too_large(Resource::join(fields)));
    let long = format!("\"{}\"", "x".repeat(MAX_VALUE));
    let fields = [("/resourceType", "\"X\""), ("/a", long.as_str()), (LAYOUT, "{\"resourceType\":0,\"a\":0}")];
    assert!(too_large(Resource::join(fields)));

    let skeleton = r#"{"resourceType":"Bundle","entry":[{"resource":0}]}"#;
    assert!(malformed(Bundle::join(skeleton, std::iter::repeat("{\"resourceType\":\"X\"}"))));
}

#[test]
fn a_bundle_keeps_its_odd_forms() {
    for (text, count) in [
        ("{\"resourceType\":\"Bundle\"}", 0),
        ("{\"resourceType\":\"Bundle\",\"entry\":[]}", 0),
        ("{\"resourceType\":\"Bundle\",\"entry\":[{\"request\":{\"method\":\"DELETE\"}}]}", 0),
        (
            "\r\n{ \"entry\" : [ {\"resource\" : {\"resourceType\":\"X\", \"n\": 1.0 } },\r\n{},\
             {\"fullUrl\":\"\\u0061\",\"r\\u0065source\":\t{\"resourceType\":\"Bundle\",\"entry\":[]}\t}],\
             \"resourceType\":\"Bundle\" }\r\n",
            2,
        ),
    ] {
        let bundle = Bundle::parse(text).unwrap();
        assert_eq!(bundle.entries().len(), count);
        let resources: Vec<&str> = bundle.entries().iter().map(fhir::Entry::text).collect();
        assert_eq!(Bundle::join(bundle.skeleton(), &resources).unwrap().expose(), text);
    }
}

#[test]
fn what_is_not_a_bundle_is_refused() {
    for text in [
        "[]",
        "{\"entry\":[]}",
        "{\"resourceType\":\"Patient\"}",
        "{\"resourceType\":\"Bundle\",\"entry\":{}}",
        "{\"resourceType\":\"Bundle\",\"entry\":[1]}",
        "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":0}]}",
        "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":[]}]}",
        "{\"resourceType\":null,\"entry\":[]}",
        "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{}}]}",
        "{\"resourceType\":\"Bundle\",\"entry\":[],\"entry\":[]}",
        "{\"resourceType\":\"Bundle\",\"entry\":[{\"fullUrl\":\"a\",\"fullUrl\":\"a\"}]}",
        "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"resourceType\":\"X\",\"a\":1,\"a\":1}}]}",
        "{\"resourceType\":\"Bundle\"} x",
    ] {
        assert!(malformed(Bundle::parse(text)), "{text}");
    }
    let entries = |count| format!("{{\"resourceType\":\"Bundle\",\"entry\":[{}{{}}]}}", "{},".repeat(count - 1));
    assert!(Bundle::parse(&entries(fhir::MAX_ENTRIES)).is_ok());
    assert!(too_large(Bundle::parse(&entries(fhir::MAX_ENTRIES + 1))));
    assert!(malformed(Bundle::parse(&format!("{{\"resourceType\":\"Bundle\",\"entry\":{}", "[".repeat(1 << 20)))));
    let deep = format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
    assert!(too_large(Bundle::parse(&format!("{{\"resourceType\":\"Bundle\",\"link\":{deep}}}"))));
}

#[test]
fn a_skeleton_takes_one_whole_resource_for_each_hole() {
    let (x, y) = ("{\"resourceType\":\"X\"}", "{\"resourceType\":\"Y\"}");
    let skeleton = "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":0},{\"resource\":0}]}";
    assert!(Bundle::join(skeleton, [x, y]).is_ok());
    for resources in [vec![], vec![x], vec![x, y, x], vec![x, "0"], vec![x, "{}"], vec![x, "null"], vec![x, ""]] {
        assert!(malformed(Bundle::join(skeleton, &resources)), "{resources:?}");
    }
    for resource in [format!(" {x}"), format!("{x}\n"), format!("{x},\"a\":1"), format!("{x}}},{{\"resource\":{y}")] {
        assert!(malformed(Bundle::join(skeleton, [y, resource.as_str()])), "{resource}");
    }
    let filled = skeleton.replacen('0', x, 1);
    assert!(malformed(Bundle::join(&filled, [x, y])));
}

#[test]
fn debug_shows_no_content() {
    let bundle =
        Bundle::parse(r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"X","a":"cancer"}}]}"#).unwrap();
    let resource = bundle.entries()[0].split().unwrap();
    let joined = Resource::join(resource.fields()).unwrap();
    let shown = format!("{bundle:?} {:?} {resource:?} {joined:?}", bundle.entries());
    assert!(!shown.contains("cancer"), "{shown}");
}

#[test]
fn what_is_wrong_in_an_entry_beside_its_resource_names_the_entry() {
    let bundle = |entries: &str| format!("\u{feff}{{\"resourceType\":\"Bundle\",\"entry\":[{entries}]}}");
    let deep = format!("{}{}", "[".repeat(130), "]".repeat(130));
    let text = bundle(&format!("{{\"resource\":{{\"resourceType\":\"X\",\"a\":{deep}}}}},null,{{\"request\":{deep}}}"));
    let error = Bundle::parse(&text).unwrap_err();
    let offset = text.rfind("request\":").unwrap() + "request\":".len() + 125;
    assert_eq!((error.kind(), error.offset(), error.entry()), (Kind::TooDeep, Some(offset), Some(2)));
    let text = bundle(&vec!["{}"; MAX_ENTRIES + 1].join(","));
    let error = Bundle::parse(&text).unwrap_err();
    assert_eq!((error.kind(), error.entry()), (Kind::TooManyEntries, Some(MAX_ENTRIES)));
    assert_eq!(error.offset(), Some(text.len() - "{}]}".len()));
}

#[test]
fn the_byte_that_is_named_is_the_first_that_json_cannot_go_on_with() {
    for (before, rest) in [
        ("{\"resourceType\":\"X\",\"a\":\"b", "\n\"}"),
        ("{\"resourceType\":\"X\",\"a\":\"", "\t\"}"),
        ("{\"resourceType\":\"X\",\"a", "\u{1}\":1}"),
        ("{\"resourceType\":\"X\",\"é\":[\"é", "\r\n\"]}"),
        ("{\r\n\"resourceType\":\"X\",\n\"a\":\"\\n", "\0\"}"),
        ("{\"resourceType\":\"X\",\"a\":\"\\", "\n\"}"),
        ("{\"resourceType\":\"X\",\"a\":tru", "}"),
        ("{\"resourceType\":\"X\",\"a\":[1", "}}"),
        ("{\"resourceType\":\"X\" ", "x}"),
        ("{\"resourceType\":\"X\"}", "\0"),
    ] {
        let text = format!("{before}{rest}");
        let error = Resource::parse(&text).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (Kind::NotJson, Some(before.len())), "{text:?}");
        let around = "\u{feff}{\"resourceType\":\"Bundle\",\n\"entry\":[null,{\"resource\":";
        let bundle = format!("{around}{text}");
        let error = Bundle::parse(&bundle).unwrap_err();
        assert_eq!((error.offset(), error.entry()), (Some(around.len() + before.len()), Some(1)), "{bundle:?}");
    }
}
