//! Which section of the chart a resource belongs to.
//!
//! | section | resources |
//! |---|---|
//! | mental health | whatever has a `code` of [`SENSITIVE`], and clinical notes that tell of such a thing |
//! | medications | `MedicationRequest`, `MedicationAdministration` |
//! | laboratory | `Observation` and `DiagnosticReport` whose category is the laboratory |
//! | billing | `Claim`, `ExplanationOfBenefit`, `Coverage` |
//! | summary | the rest of the types in these charts |
//!
//! The order matters: screening scores come in the category of the laboratory, and would be read by whoever may read a
//! blood count. And notes are free text: they retell the screening, so a rule by resource type alone would give it away.
//! A type that is not listed is an error, since a guess would put it before the wrong readers.

use base64ct::{Base64, Encoding};
use chartseal::fhir::{Bundle, Resource};
use serde::Deserialize;

/// A part of the chart with readers of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Section {
    Summary,
    Medications,
    Laboratory,
    MentalHealth,
    Billing,
}

impl Section {
    pub(crate) const ALL: [Self; 5] =
        [Self::Summary, Self::Medications, Self::Laboratory, Self::MentalHealth, Self::Billing];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Medications => "medications",
            Self::Laboratory => "laboratory",
            Self::MentalHealth => "mental-health",
            Self::Billing => "billing",
        }
    }
}

/// Screening for depression, anxiety and substance use, and what came of it: (system, code).
const SENSITIVE: [(&str, &str); 10] = [
    ("http://loinc.org", "69737-5"),               // GAD-7, the report
    ("http://loinc.org", "70274-6"),               // GAD-7, the score
    ("http://loinc.org", "89206-7"),               // PHQ-9 for teens, the report
    ("http://loinc.org", "89204-2"),               // PHQ-9 for teens, the score
    ("http://snomed.info/sct", "710841007"),       // assessment of anxiety
    ("http://snomed.info/sct", "171207006"),       // depression screening
    ("http://snomed.info/sct", "715252007"),       // depression screening by PHQ-9
    ("http://snomed.info/sct", "428211000124100"), // assessment of substance use
    ("http://snomed.info/sct", "868187001"),       // the CRAFFT test
    ("http://snomed.info/sct", "160968000"),       // risk activity involvement
];

#[derive(Deserialize)]
struct Concept {
    #[serde(default)]
    coding: Vec<Coding>,
}

#[derive(Deserialize)]
struct Coding {
    system: Option<String>,
    code: Option<String>,
    display: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    attachment: Attachment,
}

#[derive(Deserialize)]
struct Attachment {
    data: Option<String>,
}

/// The section of each entry of a chart.
///
/// # Errors
///
/// A resource of an unknown type, or one whose code, category or note is not of the form that FHIR gives it.
pub(crate) fn sections(chart: &Bundle<'_>) -> Result<Vec<Section>, String> {
    let resources: Vec<Resource<'_>> = chart
        .entries()
        .iter()
        .map(|entry| entry.split().map_err(|error| error.to_string()))
        .collect::<Result<_, _>>()?;
    let mut told = Vec::new();
    for resource in &resources {
        told.extend(sensitive(resource)?);
    }
    resources.iter().map(|resource| section(resource, &told)).collect()
}

fn section(resource: &Resource<'_>, told: &[String]) -> Result<Section, String> {
    if !sensitive(resource)?.is_empty() || note(resource)?.is_some_and(|note| told.iter().any(|s| note.contains(s))) {
        return Ok(Section::MentalHealth);
    }
    match resource.resource_type() {
        "MedicationRequest" | "MedicationAdministration" => Ok(Section::Medications),
        "Claim" | "ExplanationOfBenefit" | "Coverage" => Ok(Section::Billing),
        "Observation" | "DiagnosticReport" => {
            let categories: Vec<Concept> = member(resource, "/category")?.unwrap_or_default();
            let codes = categories.iter().flat_map(|category| &category.coding).filter_map(|c| c.code.as_deref());
            let laboratory = codes.into_iter().any(|code| ["laboratory", "LAB"].contains(&code));
            Ok(if laboratory { Section::Laboratory } else { Section::Summary })
        }
        "AllergyIntolerance" | "CarePlan" | "CareTeam" | "Condition" | "Device" | "DocumentReference" | "Encounter"
        | "ImagingStudy" | "Immunization" | "Location" | "Organization" | "Patient" | "Practitioner"
        | "PractitionerRole" | "Procedure" | "Provenance" | "SupplyDelivery" => Ok(Section::Summary),
        other => Err(format!("no section for a resource of type `{other}`")),
    }
}

/// The names of a resource's own sensitive codes, in lower case; empty if it has none.
fn sensitive(resource: &Resource<'_>) -> Result<Vec<String>, String> {
    // Elsewhere `code` may be a plain string.
    if !["Condition", "DiagnosticReport", "Observation", "Procedure"].contains(&resource.resource_type()) {
        return Ok(Vec::new());
    }
    let code: Option<Concept> = member(resource, "/code")?;
    let codings = code.map(|code| code.coding).unwrap_or_default().into_iter();
    let found = codings.filter_map(|coding| {
        let (system, code) = (coding.system?, coding.code?);
        SENSITIVE.contains(&(&system, &code)).then(|| coding.display.unwrap_or(code).to_lowercase())
    });
    Ok(found.collect())
}

/// The text of a clinical note, in lower case.
fn note(resource: &Resource<'_>) -> Result<Option<String>, String> {
    if resource.resource_type() != "DocumentReference" {
        return Ok(None);
    }
    let contents: Vec<Content> = member(resource, "/content")?.unwrap_or_default();
    let mut text = String::new();
    for data in contents.into_iter().filter_map(|content| content.attachment.data) {
        let bytes = Base64::decode_vec(&data).map_err(|error| error.to_string())?;
        text.push_str(&String::from_utf8_lossy(&bytes).to_lowercase());
    }
    Ok(Some(text))
}

fn member<T: for<'de> Deserialize<'de>>(resource: &Resource<'_>, path: &str) -> Result<Option<T>, String> {
    resource.get(path).map(|value| serde_json::from_str(value).map_err(|error| error.to_string())).transpose()
}
