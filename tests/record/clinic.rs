//! The sections of the example's charts hold what their names say.
#![cfg(feature = "fhir")]

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding};
use chartseal::fhir::Bundle;

#[path = "../../examples/clinic/sections.rs"]
mod sections;

#[path = "../../examples/clinic/people.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod people;

use people::PATIENTS;
use sections::{Section, sections};

/// A resource's text with every base64 attachment decoded beside it, in lower case.
fn readable(text: &str) -> String {
    let attachments = text.split("\"data\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let notes = attachments.map(|data| String::from_utf8(Base64::decode_vec(data).unwrap()).unwrap());
    notes.fold(text.to_owned(), |text, note| text + &note).to_lowercase()
}

#[test]
fn each_section_has_so_many_resources() {
    let expected = [
        (
            "claudio-delarosa",
            [("summary", 560), ("medications", 3), ("laboratory", 129), ("mental-health", 10), ("billing", 87)],
        ),
        (
            "donovan-gottlieb",
            [("summary", 671), ("medications", 9), ("laboratory", 126), ("mental-health", 59), ("billing", 85)],
        ),
    ];
    for (patient, expected) in PATIENTS.iter().zip(expected) {
        let sections = sections(&Bundle::parse(patient.chart).unwrap()).unwrap();
        let count = |section| sections.iter().filter(|found| **found == section).count();
        assert_eq!((patient.name, Section::ALL.map(|section| (section.name(), count(section)))), expected);
    }
}

#[test]
fn nothing_outside_mental_health_tells_of_it() {
    for patient in &PATIENTS {
        let chart = Bundle::parse(patient.chart).unwrap();
        let mut telling = BTreeMap::new();
        for (entry, section) in chart.entries().iter().zip(sections(&chart).unwrap()) {
            let text = readable(entry.text());
            let tells =
                ["depress", "anxi", "gad-7", "phq", "substance use", "risk activity", "car, relax", "160968000"]
                    .iter()
                    .any(|word| text.contains(word));
            assert_eq!(tells, section == Section::MentalHealth, "{text}");
            *telling.entry(entry.resource_type().to_owned()).or_insert(0) += usize::from(tells);
        }
        assert!(telling["DocumentReference"] > 0 && telling["Observation"] > 0 && telling["Procedure"] > 0);
    }
}

#[test]
fn a_resource_of_an_unknown_type_is_put_nowhere() {
    let chart = r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Consent"}}]}"#;
    let error = sections(&Bundle::parse(chart).unwrap()).unwrap_err();
    assert_eq!(error, "no section for a resource of type `Consent`");
}
