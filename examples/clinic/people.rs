//! Who works at the clinic, and what the two patients allow them.

use std::time::Duration;

use chartseal::id::Time;

use super::sections::Section;

/// A patient, and the persons whom the patient excludes whatever attributes they hold.
pub(crate) struct Patient {
    pub(crate) name: &'static str,
    pub(crate) chart: &'static str,
    pub(crate) excluded: &'static [&'static str],
}

pub(crate) const PATIENTS: [Patient; 2] = [
    Patient {
        name: "claudio-delarosa",
        chart: include_str!("../data/claudio-delarosa.json"),
        // Dr Bob is a neighbour.
        excluded: &["dr-bob"],
    },
    Patient {
        name: "donovan-gottlieb",
        chart: include_str!("../data/donovan-gottlieb.json"),
        // Dr Bob again, and Dr Kim, whose patient he no longer wants to be.
        excluded: &["dr-bob", "dr-kim"],
    },
];

/// A member of staff. The hospital adds the person's number and the month of `until` to the attributes.
pub(crate) struct Member {
    pub(crate) id: &'static str,
    pub(crate) what: &'static str,
    pub(crate) attributes: &'static str,
    pub(crate) until: Time,
}

/// When the consents are sealed, and everything happens: 15 January 2024.
pub(crate) const NOW: Time = Time::at(1_705_276_800);
/// When the hospital gave out its keys: a year before.
pub(crate) const ISSUED: Time = NOW.minus(Duration::from_secs(365 * DAY));
const DAY: u64 = 86_400;
const END_OF_2024: Time = NOW.plus(Duration::from_secs(350 * DAY));
const LAST_DECEMBER: Time = NOW.minus(Duration::from_secs(20 * DAY));

pub(crate) const MEMBERS: [Member; 10] = [
    Member {
        id: "dr-ada",
        what: "pediatrician",
        attributes: r#"role:doctor, dept:pediatrics, clearance = 4, training:"adolescent mental health""#,
        until: END_OF_2024,
    },
    Member {
        id: "dr-noor",
        what: "psychiatrist",
        attributes: "role:doctor, dept:psychiatry, clearance = 3",
        until: END_OF_2024,
    },
    Member { id: "nurse-ben", what: "pediatric ward", attributes: "role:nurse, ward:pediatrics", until: END_OF_2024 },
    Member {
        id: "dr-bob",
        what: "psychiatrist, excluded",
        attributes: "role:doctor, dept:psychiatry, clearance = 5",
        until: END_OF_2024,
    },
    Member { id: "eve", what: "pharmacist", attributes: "role:pharmacist", until: END_OF_2024 },
    Member { id: "finn", what: "billing clerk", attributes: r#"role:billing, site:"St. Olave""#, until: END_OF_2024 },
    Member {
        id: "gia",
        what: "researcher",
        attributes: "role:researcher, approved-until = 2024-06-30",
        until: END_OF_2024,
    },
    Member {
        id: "dr-hugo",
        what: "key lapsed",
        attributes: r#"role:doctor, dept:pediatrics, clearance = 4, training:"adolescent mental health""#,
        until: LAST_DECEMBER,
    },
    Member { id: "nurse-ines", what: "surgical ward", attributes: "role:nurse, ward:surgery", until: END_OF_2024 },
    Member {
        id: "dr-kim",
        what: "cardiologist",
        attributes: "role:doctor, dept:cardiology, clearance = 3",
        until: END_OF_2024,
    },
];

/// The laboratory: it writes into one section and reads none.
pub(crate) const LABORATORY: Member =
    Member { id: "laboratory-1", what: "laboratory", attributes: "role:laboratory", until: END_OF_2024 };

/// Who may read one section of one patient's chart. The consent adds that keys have to be valid in its month.
///
/// Whoever reads the summary reads the medications: the clinical notes in the summary name them.
pub(crate) fn policy(section: Section, patient: &Patient) -> String {
    let readers = match section {
        Section::Summary => "role:doctor or role:nurse and ward:pediatrics",
        Section::Medications => "role:doctor or role:nurse and ward:pediatrics or role:pharmacist",
        Section::Laboratory => "role:doctor or role:researcher and approved-until >= 2024-01-31",
        Section::MentalHealth => {
            "role:doctor and (dept:psychiatry or \
             2 of (dept:pediatrics, clearance >= 4, training:\"adolescent mental health\"))"
        }
        Section::Billing => "role:billing and (site:\"St. Olave\" or site:\"St. Hilda\")",
    };
    let excluded: String = patient.excluded.iter().map(|person| format!(" and not user:{person}")).collect();
    format!("({readers}){excluded}")
}

/// Who may write there, beside the patient.
pub(crate) fn writers(section: Section) -> &'static str {
    match section {
        Section::Summary | Section::Medications | Section::MentalHealth => "role:doctor",
        Section::Laboratory => "role:laboratory",
        Section::Billing => "role:billing",
    }
}

#[cfg(test)]
mod tests {
    use chartseal::policy::{Attributes, Month, PersonNumber, Policy};

    use super::*;

    #[test]
    fn the_table_is_what_the_policies_say() {
        // One row a member: summary, medications, laboratory, mental health, billing; Claudio's chart, then Donovan's.
        const TABLE: [(&str, &str); 10] = [
            ("SMLP-", "SMLP-"), // dr-ada
            ("SMLP-", "SMLP-"), // dr-noor
            ("SM---", "SM---"), // nurse-ben
            ("-----", "-----"), // dr-bob
            ("-M---", "-M---"), // eve
            ("----B", "----B"), // finn
            ("--L--", "--L--"), // gia
            ("-----", "-----"), // dr-hugo
            ("-----", "-----"), // nurse-ines
            ("SML--", "-----"), // dr-kim
        ];
        let number = |id: &str| {
            let at = MEMBERS.iter().position(|member| member.id == id)?;
            PersonNumber::new(u32::try_from(at).unwrap() + 1).ok()
        };
        for (member, (claudio, donovan)) in MEMBERS.iter().zip(TABLE) {
            let attributes: Attributes = member.attributes.parse().unwrap();
            let attributes = attributes.with_person(number(member.id).unwrap()).unwrap();
            let attributes = attributes.with_valid_until(Month::at(member.until).unwrap()).unwrap();
            let row = |patient| -> String {
                let text = |section| format!("({}) and valid-until >= 2024-01", policy(section, patient));
                let opens = |section| Policy::parse_with(&text(section), number).unwrap().satisfied_by(&attributes);
                Section::ALL.into_iter().zip("SMLPB".chars()).map(|(s, c)| if opens(s) { c } else { '-' }).collect()
            };
            assert_eq!(PATIENTS.each_ref().map(row), [claudio, donovan], "{}", member.id);
        }
    }
}
