//! Who works at the clinic, and what the two patients allow them.

use crate::sections::Section;

/// A patient, and the persons whom the patient excludes whatever attributes they hold.
pub(crate) struct Patient {
    pub(crate) name: &'static str,
    pub(crate) chart: &'static str,
    pub(crate) excluded: &'static [u32],
}

pub(crate) const PATIENTS: [Patient; 2] = [
    Patient {
        name: "claudio-delarosa",
        chart: include_str!("../data/claudio-delarosa.json"),
        // Dr Bob is a neighbour.
        excluded: &[4],
    },
    Patient {
        name: "donovan-gottlieb",
        chart: include_str!("../data/donovan-gottlieb.json"),
        // Dr Bob again, and Dr Kim, whose patient he no longer wants to be.
        excluded: &[4, 10],
    },
];

/// A member of staff; the attributes are those of the key that the hospital issued.
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) attributes: &'static str,
}

pub(crate) const MEMBERS: [Member; 10] = [
    Member {
        name: "dr-ada, pediatrician",
        attributes: r#"role:doctor, dept:pediatrics, clearance = 4, training:"adolescent mental health", user:#1, valid-until = 2025-06"#,
    },
    Member {
        name: "dr-noor, psychiatrist",
        attributes: "role:doctor, dept:psychiatry, clearance = 3, user:#2, valid-until = 2025-06",
    },
    Member {
        name: "nurse-ben, pediatric ward",
        attributes: "role:nurse, ward:pediatrics, user:#3, valid-until = 2024-12",
    },
    Member {
        name: "dr-bob, psychiatrist, excluded",
        attributes: "role:doctor, dept:psychiatry, clearance = 5, user:#4, valid-until = 2025-06",
    },
    Member { name: "eve, pharmacist", attributes: "role:pharmacist, user:#5, valid-until = 2024-12" },
    Member {
        name: "finn, billing clerk",
        attributes: r#"role:billing, site:"St. Olave", user:#6, valid-until = 2024-12"#,
    },
    Member {
        name: "gia, researcher",
        attributes: "role:researcher, approved-until = 2024-06-30, user:#7, valid-until = 2024-12",
    },
    Member {
        name: "dr-hugo, key lapsed",
        attributes: r#"role:doctor, dept:pediatrics, clearance = 4, training:"adolescent mental health", user:#8, valid-until = 2023-12"#,
    },
    Member {
        name: "nurse-ines, surgical ward",
        attributes: "role:nurse, ward:surgery, user:#9, valid-until = 2024-12",
    },
    Member {
        name: "dr-kim, cardiologist",
        attributes: "role:doctor, dept:cardiology, clearance = 3, user:#10, valid-until = 2025-06",
    },
];

/// The policy of one section of one patient's chart, sealed in January 2024.
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
    let excluded: String = patient.excluded.iter().map(|person| format!(" and not user:#{person}")).collect();
    format!("({readers}){excluded} and valid-until >= 2024-01")
}

#[cfg(test)]
mod tests {
    use chartseal::policy::{Attributes, Policy};

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
        for (member, (claudio, donovan)) in MEMBERS.iter().zip(TABLE) {
            let attributes: Attributes = member.attributes.parse().unwrap();
            let row = |patient| -> String {
                let opens = |section| policy(section, patient).parse::<Policy>().unwrap().satisfied_by(&attributes);
                Section::ALL.into_iter().zip("SMLPB".chars()).map(|(s, c)| if opens(s) { c } else { '-' }).collect()
            };
            assert_eq!(PATIENTS.each_ref().map(row), [claudio, donovan], "{}", member.name);
        }
    }
}
