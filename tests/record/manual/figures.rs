//! Each limit that the manual gives is that of the code.

use std::path::Path;

use chartseal::consent::{MAX_CONSENT, MAX_OWNER_TERMS, MAX_SLOT, MAX_SLOTS, MAX_TERMS};

use super::constants::Constants;

/// A phrase of a page, with the figures that stand in it.
type Phrase = (&'static str, String);

#[test]
fn each_limit_in_the_manual_is_the_constant_of_the_code() {
    let phrases = phrases(&Constants::read());
    let mut unclaimed = Vec::new();
    for page in pages() {
        let mut text = on_one_line(&page.text);
        for (of, phrase) in &phrases {
            if page.name == *of || (*of == ANYWHERE && text.contains(phrase)) {
                assert!(text.contains(phrase), "{} does not say `{phrase}`", page.name);
                text = text.replace(phrase, " … ");
            }
        }
        for measured in MEASURED.iter().filter(|(of, _)| page.name == *of) {
            assert!(text.contains(measured.1), "{} does not say `{}`", page.name, measured.1);
            text = text.replace(measured.1, " … ");
        }
        unclaimed.extend(limits(&text).map(|limit| format!("{}: {limit}", page.name)));
    }
    assert!(unclaimed.is_empty(), "figures that no constant answers for:\n{}", unclaimed.join("\n"));
    // And each of those for any page stands in one.
    for (_, phrase) in phrases.iter().filter(|(of, _)| *of == ANYWHERE) {
        assert!(pages().any(|page| on_one_line(&page.text).contains(phrase)), "`{phrase}` stands nowhere");
    }
}

#[test]
fn a_figure_is_known_for_a_limit_by_its_unit_or_its_words() {
    for text in [
        "64 KiB",
        "at most 7",
        "7 at most",
        "8,192 at most",
        "(90 days)",
        "1 to 64 parts",
        "at most 2^18",
        "300 seconds.",
    ] {
        assert_eq!(limits(text).count(), 1, "{text}");
    }
    for text in ["bytes 32", "32 bytes", "version 1", "RFC 9180, section 7.1.3", "at most one", "steps 3 to 5"] {
        assert_eq!(limits(text).count(), 0, "{text}");
    }
}

/// Each figure and the constant that it is, in the words around it: a changed constant, or a changed figure, and the phrase
/// is not there.
fn phrases(constants: &Constants) -> Vec<Phrase> {
    let of = |key: &str| constants.value(key);
    let sized = |key: &str| size(of(key));
    let days = |key: &str| format!("{} days", whole(of(key), 24 * 60 * 60));
    let commas = |key: &str| with_commas(of(key));

    let format = vec![
        format!("ids: 1 to {} bytes of ASCII", of("id.rs MAX_ID")),
        format!("Schema ids: 1 to {} bytes of ASCII", of("id.rs MAX_SCHEMA")),
        format!("A key has at most {} bytes", of("store/limits.rs MAX_KEY")),
        format!("(RFC 6901) of at most {} bytes", of("seal/path.rs MAX_PATH")),
        format!("A value has at most {}.", sized("store/limits.rs MAX_VALUE")),
        format!("| policy text | {}, {} levels |", sized("policy.rs MAX_TEXT"), of("policy.rs MAX_DEPTH")),
        format!(
            "| attribute text | {}, {} attributes |",
            sized("policy/attribute.rs MAX_ATTRIBUTES_TEXT"),
            of("policy/attribute.rs MAX_ATTRIBUTES")
        ),
        format!(
            "| label, value | {}, {} bytes |",
            of("policy/attribute.rs MAX_LABEL"),
            of("policy/attribute.rs MAX_VALUE")
        ),
        format!("| leaves in a tree | {} |", of("policy/tree.rs MAX_LEAVES")),
        format!("| bytes of a tree | {} |", sized("policy/tree.rs MAX_TREE_BYTES")),
        format!("leaves strictly ascending, {} at most |", of("kem/keys.rs MAX_KEY_LEAVES")),
        format!("{} (the end of the year 9999) at most", of("time.rs Time::MAX")),
        format!("{} at most: a larger one is malformed", of("time.rs Time::MAX")),
        format!("1970-01-01T00:00:00Z, {} at most)", of("time.rs Time::MAX")),
        format!("sign enrolment: \"` | the person | {} |", commas("identity.rs PublicIdentity::LIMIT")),
        format!(
            "sign credential: \"` | the authority | {} |",
            commas("authority/credential.rs CredentialStatement::LIMIT")
        ),
        format!(
            "sign parameters: \"` | the authority | {} |",
            commas("authority/statements.rs ParametersStatement::LIMIT")
        ),
        format!("sign revocations: \"` | the authority | {} |", sized("authority/statements.rs RevocationList::LIMIT")),
        format!("sign people: \"` | the authority | {} |", sized("authority/statements.rs PeopleMap::LIMIT")),
        format!("text of the attributes, at most {} |", sized("policy/attribute.rs MAX_ATTRIBUTES_TEXT")),
        format!("(576 bytes); at most {} |", commas("authority/statements.rs MAX_PARAMETERS")),
        format!("at most 2^{} |", of("authority/state.rs MAX_REVOKED").ilog2()),
        format!("a person number is at most 2^{} − 1", (of("policy/literal.rs PersonNumber::MAX") + 1).ilog2()),
        format!("`key` bytes 32 (Ed25519) | {} |", commas("authority/statements.rs Anchor::LIMIT")),
        format!("left out where there is none | {} |", mib_and_more(of("authority/statements.rs Bulletin::LIMIT"))),
        format!("`key`: sealed message | {} |", mib_and_more(of("authority/credential.rs Issued::LIMIT"))),
        format!("`data` at most {} |", sized("identity/sealing.rs MAX_SEALED")),
        format!("The state of an authority is a CBOR map, at most {},", sized("authority/state.rs MAX_STATE")),
        format!("a part in segments of {}, the last one", sized("store/large.rs SEGMENT")),
        format!("A note has at most {}, and", sized("store/large.rs MAX_NOTE")),
        format!("a head names at most {} parts,", commas("store/large.rs MAX_PARTS")),
        format!("the people, {} numbers in each,", commas("authority/shards.rs SHARD")),
        format!("A pin is CBOR, at most {} bytes", of("pin.rs MAX_PIN")),
        format!("one map, at most {}", sized("pin/memory.rs MAX_PINS")),
        format!("sign devices: `; at most {}.", sized("consent/devices.rs DeviceListStatement::LIMIT")),
        format!("| `devices` | 1 to {} ×", of("consent/devices.rs MAX_DEVICES")),
        format!("| `removed` | 0 to {} ×", of("consent/devices.rs MAX_REMOVED")),
        format!("| `recovery` | 1 to {} signed arrangements", of("consent/succession.rs MAX_ARRANGEMENTS")),
        format!("| `succession` | 1 to {} ×", of("consent/succession.rs MAX_SUCCESSION")),
        format!("sign arrangement: `, at most {},", sized("consent/succession.rs ArrangementStatement::LIMIT")),
        format!(
            "`delay` is at most {} ({})",
            of("consent/succession.rs MAX_DELAY"),
            days("consent/succession.rs MAX_DELAY")
        ),
        format!(
            "as many as shares are needed ({} to {})",
            of("owner/recovery/shares.rs MIN_THRESHOLD"),
            of("owner/recovery/shares.rs MAX_GUARDIANS")
        ),
        format!("sign root change: `, at most {}:", sized("consent/succession.rs RootChangeStatement::LIMIT")),
        format!("sign veto: `, at most {}:", sized("consent/succession.rs VetoStatement::LIMIT")),
        format!("sign erasure: `, at most {}:", sized("owner/erasure.rs ErasureStatement::LIMIT")),
        format!(
            "at most {} seconds ({}) after it",
            of("owner/erasure.rs ERASURE_LIMIT"),
            days("owner/erasure.rs ERASURE_LIMIT")
        ),
        format!("at most {} in CBOR and {} in JSON", size(MAX_CONSENT as u64), size(2 * MAX_CONSENT as u64)),
        format!("1 to {MAX_SLOTS} slots of at most {} each", size(MAX_SLOT as u64)),
        format!("`terms` of at most {} + 48 bytes", size(MAX_TERMS as u64)),
        format!("sign consent: `; at most {}.", sized("consent/statement.rs ConsentStatement::LIMIT")),
        format!("The text is CBOR of at most {};", size(MAX_TERMS as u64)),
        format!("what an owner signs has room, within {},", size(MAX_OWNER_TERMS as u64)),
        format!("| `past` | list of 1 to {} `", of("consent/terms.rs MAX_PAST")),
        format!(
            "There are {} entries at most, and {} (",
            of("consent/terms.rs MAX_PAST"),
            sized("consent/terms.rs MAX_PAST_BYTES")
        ),
        format!(
            "there are {} at most, and {} where there are several",
            of("consent/terms.rs MAX_MANDATES_PAST"),
            sized("consent/terms.rs MAX_MANDATES_PAST_BYTES")
        ),
        format!(
            "beyond {} and {}, or, after a consent that the owner signed, beyond {} and {},",
            of("consent/terms.rs MAX_PAST"),
            sized("consent/terms.rs MAX_PAST_BYTES"),
            of("consent/terms.rs MAX_PAST") - of("consent/terms.rs MAX_MANDATES_PAST"),
            size(of("consent/terms.rs MAX_PAST_BYTES") - of("consent/terms.rs MAX_MANDATES_PAST_BYTES"))
        ),
        format!("sign mandate: `; at most {};", sized("consent/mandate.rs MandateStatement::LIMIT")),
        format!("above `base`, by {} at most;", commas("consent/mandate.rs MAX_MANDATED")),
        format!("there are {} more at most", of("consent/mandate.rs MAX_MORE")),
        format!("\"compartments\": [1 to {}, ascending]", of("consent/referral.rs MAX_SECTIONS")),
        format!("\"until\", \"issued_at\"}}` | {} |", sized("consent/referral.rs ReferralStatement::LIMIT")),
        format!("\"by\", \"issued_at\"}}` | {} |", sized("consent/referral.rs ReferralEndStatement::LIMIT")),
        format!("\"person\", \"issued_at\"}}` | {} |", sized("consent/referral.rs DeclineStatement::LIMIT")),
        format!("A decline can be carried out for {},", days("consent/referral.rs DECLINE_LIMIT")),
        format!("sign head: `; at most {}:", sized("consent/head.rs HeadStatement::LIMIT")),
        format!(
            "At most {} in CBOR and {} in JSON; what is read from JSON must fit into {} of CBOR",
            sized("record/format.rs MAX_CBOR"),
            sized("record/format.rs MAX_JSON"),
            sized("record/format.rs MAX_CBOR")
        ),
        format!("| `older` | 0 to {} contents", of("record.rs MAX_PARTS")),
        format!("| `parts` | 1 to {} parts", of("record.rs MAX_PARTS")),
        format!("each content has 1 to {} parts", of("record.rs MAX_PARTS")),
        format!("with 0 to {} fields", commas("record.rs MAX_FIELDS")),
        format!("`data` of at most {}.", sized("seal/field.rs MAX_FIELD")),
        format!("each once, the earliest first, at most {};", commas("ledger/known.rs MAX_KEYS")),
        format!("the earliest first, at most {}, which the store could not", commas("ledger/known.rs MAX_KEPT")),
        format!("those that were retired, at most {}.", commas("ledger/known.rs MAX_DESTROYED")),
        format!("\"started\": time}}`, at most {} claims", of("rotation/job.rs MOST_CLAIMS")),
    ];
    let elsewhere = vec![
        (ANYWHERE, format!("{} seconds", of("time.rs CLOCK_SKEW"))),
        ("threat_model.md", format!("carried out within {}", days("consent/referral.rs DECLINE_LIMIT"))),
        (
            "runbooks/a_device_is_added.md",
            format!("A list has {} devices at most", of("consent/devices.rs MAX_DEVICES")),
        ),
        ("runbooks/a_head_is_due.md", format!("which is {} hours", whole(of("consent/head.rs HEAD_LIMIT"), 60 * 60))),
        ("runbooks/a_patient_is_erased.md", format!("which is {}", days("owner/erasure.rs ERASURE_LIMIT"))),
        ("runbooks/recovery_is_arranged.md", format!("{} at most for each", days("consent/succession.rs MAX_DELAY"))),
        (
            "runbooks/revoke_a_person.md",
            format!("carried out for {}, and once", days("consent/referral.rs DECLINE_LIMIT")),
        ),
    ];
    format.into_iter().map(|phrase| ("format.md", phrase)).chain(elsewhere).collect()
}

/// What was measured, or says no limit of the code.
const MEASURED: [(&str, &str); 0] = [];

struct Page {
    name: String,
    text: String,
}

fn pages() -> impl Iterator<Item = Page> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manual");
    super::texts("src/manual", "md")
        .into_iter()
        .map(move |(path, text)| Page { name: path.strip_prefix(&root).unwrap().display().to_string(), text })
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The figures in a text that are limits by their look.
fn limits(text: &str) -> impl Iterator<Item = String> {
    let words: Vec<&str> =
        text.split_whitespace().map(|word| word.trim_matches(|c: char| "(),.;:|`[]".contains(c))).collect();
    let around = move |at: usize| {
        let word = |at: usize| words.get(at).copied().unwrap_or_default();
        let is_figure = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_digit())
                && word.bytes().all(|b| b.is_ascii_digit() || b",^".contains(&b))
        };
        let before = (word(at.wrapping_sub(2)), word(at.wrapping_sub(1)));
        let after = (word(at + 1), word(at + 2));
        let limit = is_figure(word(at))
            && (UNITS.contains(&after.0)
                || before == ("at", "most")
                || after == ("at", "most")
                || (after.0 == "to" && is_figure(after.1) && !before.1.starts_with("step")));
        (at < words.len()).then(|| limit.then(|| [before.0, before.1, word(at), after.0, after.1].join(" ")))
    };
    (0..).map_while(around).flatten().collect::<Vec<_>>().into_iter()
}

/// In the largest unit of which it is a whole number.
fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB"), (0, "bytes")];
    let (shift, unit) = units.into_iter().find(|(shift, _)| bytes.is_multiple_of(1 << shift)).unwrap();
    format!("{} {unit}", bytes >> shift)
}

fn whole(value: u64, unit: u64) -> u64 {
    assert!(value.is_multiple_of(unit), "{value} is no multiple of {unit}");
    value / unit
}

/// As the manual writes what is a little more than a round number.
fn mib_and_more(value: u64) -> String {
    let (mib, more) = (value >> 20, value & ((1 << 20) - 1));
    match more.is_multiple_of(32 << 10) {
        true => format!("{mib} MiB + {} KiB", more >> 10),
        false => format!("{mib} MiB + {}", with_commas(more)),
    }
}

fn with_commas(value: u64) -> String {
    let digits = value.to_string();
    let (first, rest) = digits.split_at((digits.len() - 1) % 3 + 1);
    let rest = rest.as_bytes().chunks(3).map(|three| std::str::from_utf8(three).unwrap());
    std::iter::once(first).chain(rest).collect::<Vec<_>>().join(",")
}

const ANYWHERE: &str = "any page";
const UNITS: [&str; 9] = ["KiB", "MiB", "GiB", "seconds", "minutes", "hours", "days", "weeks", "years"];
