//! Writes the vector files.

use std::fs;
use std::time::Duration;

use chartseal::authority::{
    Authority, Credential, CredentialStatement, ParametersStatement, PeopleMap, Reason, RevocationList, Revoked,
};
use chartseal::id::{Time, Version};
use chartseal::identity::{Identity, Signed};
use chartseal::policy::PersonNumber;
use serde::Serialize;

use crate::support::case::{directory, hex};
use crate::support::forge::{self, Forge};

const ID: &str = "st-olave";
const NOW: Time = Time::at(1_775_000_000);
const END: Time = Time::at(1_806_000_000);

/// The text of one file in the making.
struct File(String);

impl File {
    fn new(expect: &str, comment: &str, at: Time) -> Self {
        Self(format!("expect: {expect}\ncomment: {comment}\nat: {}\n", at.as_secs()))
    }

    fn with(mut self, header: &str, bytes: &[u8]) -> Self {
        self.0 += &format!("{header}: {}\n", hex(bytes));
        self
    }

    fn text(mut self, header: &str, text: &str) -> Self {
        self.0 += &format!("{header}: {text}\n");
        self
    }

    fn write(self, name: &str) {
        fs::write(directory("credential").join(name).with_extension("txt"), self.0).unwrap();
    }
}

pub(crate) fn write_all() {
    fs::remove_dir_all(directory("credential")).ok();
    fs::create_dir_all(directory("credential")).unwrap();
    deliveries();
    credentials();
    encodings();
    lists();
}

/// A real authority, and keys for their holder.
fn deliveries() {
    let mut hospital = Authority::setup(ID.parse().unwrap(), NOW).unwrap();
    let [ada, bob] = ["dr-ada", "dr-bob"].map(|id| Identity::generate(id.parse().unwrap()).unwrap());
    for person in [&ada, &bob] {
        hospital.enrol(&person.enrol().unwrap()).unwrap();
    }
    let attributes = "role:doctor, dept:icu, clearance = 3".parse().unwrap();
    let mut issue = |person: &Identity| hospital.issue(person.id(), &attributes, NOW, END, NOW).unwrap();
    let (mine, second, theirs) = (issue(&ada), issue(&ada), issue(&bob));
    let bulletin = hospital.publish(NOW).unwrap();
    let base = |expect, comment| {
        File::new(expect, comment, NOW)
            .with("anchor", &hospital.anchor().to_cbor().unwrap())
            .with("parameters", &bulletin.parameters.to_cbor().unwrap())
            .with("revocations", &bulletin.revocations.to_cbor().unwrap())
            .with("people", &bulletin.people.to_cbor().unwrap())
    };
    let deliver = |file: File, identity: &Identity, issued: &chartseal::authority::Issued| {
        file.with("identity", identity.to_secret_bytes().expose()).with("issued", &issued.to_cbor().unwrap())
    };
    // Two texts, 33 prefixes of a number, 25 of a person, 13 of a month.
    deliver(base("ok", "a user key for its holder"), &ada, &mine).text("leaves", "73").write("delivered");
    deliver(base("cannot open", "a user key for somebody else"), &bob, &mine).write("delivered_to_another");
    let namesake = Identity::generate("dr-ada".parse().unwrap()).unwrap();
    deliver(base("cannot open", "the same name, other keys"), &namesake, &mine).write("delivered_to_a_namesake");
    for (name, comment, other) in [
        ("delivery_of_another_credential", "the key that came with an earlier credential", &second),
        ("delivery_of_another_person", "the credential of one, the key of another", &theirs),
    ] {
        let mixed = chartseal::authority::Issued { credential: mine.credential.clone(), key: other.key.clone() };
        deliver(base("cannot open", comment), &ada, &mixed).write(name);
    }
    let other = Authority::setup(ID.parse().unwrap(), NOW).unwrap();
    let file = File::new("forged", "parameters signed by somebody else", NOW)
        .with("anchor", &hospital.anchor().to_cbor().unwrap())
        .with("parameters", &other.parameters().unwrap().to_cbor().unwrap());
    file.write("parameters_forged");

    let forge = Forge::new(1);
    let public = other.parameters().unwrap().unverified().clone();
    let parameters = |name: &str, expect, comment, statement: &ParametersStatement| {
        File::new(expect, comment, NOW)
            .with("anchor", &forge.anchor(ID).to_cbor().unwrap())
            .with("parameters", &forge.sign(forge::PARAMETERS, statement))
            .write(name);
    };
    parameters("parameters", "ok", "public parameters", &public);
    let later = ParametersStatement { version: Version(2), ..public.clone() };
    parameters("parameters_of_another_version", "untrusted", "version 1 signed as version 2", &later);
    let mut long = public;
    long.parameters.push(0);
    parameters("parameters_trailing_byte", "malformed", "one byte too many in the parameters", &long);
}

fn statement() -> CredentialStatement {
    CredentialStatement {
        authority: ID.parse().unwrap(),
        serial: 7,
        person: "dr-ada".parse().unwrap(),
        number: PersonNumber::new(1).unwrap(),
        signing: [1; 32].into(),
        sealing: [2; 32].into(),
        attributes: "role:doctor, user:#1, valid-until = 2027-03".to_owned(),
        not_before: NOW,
        not_after: END,
    }
}

fn revoked(n: u32, key: u8, since: u64, reason: Reason) -> Revoked {
    let person = format!("person-{n}").parse().unwrap();
    Revoked {
        person,
        number: PersonNumber::new(n).unwrap(),
        signing: [key; 32].into(),
        since: Time::from_secs(since).unwrap(),
        reason,
    }
}

fn list(revoked: &[Revoked]) -> RevocationList {
    RevocationList { authority: ID.parse().unwrap(), version: Version(1), issued_at: NOW, revoked: revoked.to_vec() }
}

fn base(expect: &str, comment: &str, at: Time, entries: &[Revoked]) -> File {
    let forge = Forge::new(1);
    File::new(expect, comment, at)
        .with("anchor", &forge.anchor(ID).to_cbor().unwrap())
        .with("revocations", &forge.sign(forge::REVOCATIONS, &list(entries)))
}

fn signed(statement: &impl Serialize) -> Vec<u8> {
    Forge::new(1).sign(forge::CREDENTIAL, statement)
}

/// Signed by hand, so that they can say anything.
fn credentials() {
    let shown = statement().attributes;
    let bytes = signed(&statement());
    let json = Credential::from_cbor(&bytes).unwrap().to_json().unwrap();
    let ok = |comment, at, entries: &[Revoked]| {
        base("ok", comment, at, entries).with("credential", &bytes).text("shown", &shown)
    };
    ok("a credential in both forms, in its first second", NOW, &[]).text("json", &json).write("credential");
    ok("the last second", END, &[]).write("last_second");
    let since = NOW.plus(Duration::from_secs(1));
    let ended = |since: Time| [revoked(1, 1, since.as_secs(), Reason::Ended)];
    ok("revoked a second later", NOW, &ended(since)).text("since", &since.as_secs().to_string()).write("revoked_later");
    ok("another key of the same person is revoked", NOW, &[revoked(1, 9, 0, Reason::Replaced)])
        .write("another_key_revoked");

    let refused = |name: &str, expect, comment, at, entries: &[Revoked]| {
        base(expect, comment, at, entries).with("credential", &bytes).write(name);
    };
    refused("not_yet", "expired", "a second too early", NOW.minus(Duration::from_secs(1)), &[]);
    refused("no_longer", "expired", "a second too late", END.plus(Duration::from_secs(1)), &[]);
    refused("revoked_now", "revoked", "revoked in this second", NOW, &ended(NOW));
    refused("revoked_before", "revoked", "revoked long ago", NOW, &ended(Time::MIN));
    let stolen = [revoked(1, 1, since.as_secs(), Reason::Compromised)];
    refused("compromised_later", "revoked", "whoever stole the key can put any date on what it signs", NOW, &stolen);

    let forge = Forge::new(1);
    File::new("unknown", "nobody supplied a revocation list", NOW)
        .with("anchor", &forge.anchor(ID).to_cbor().unwrap())
        .with("credential", &bytes)
        .write("no_revocation_list");
    File::new("unknown", "an anchor of another authority", NOW)
        .with("anchor", &forge.anchor("st-giles").to_cbor().unwrap())
        .with("credential", &bytes)
        .write("no_anchor");

    let said = |name: &str, expect, comment, bytes: &[u8]| {
        base(expect, comment, NOW, &[]).with("credential", bytes).write(name)
    };
    let another = Forge::new(2).sign(forge::CREDENTIAL, &statement());
    said("another_signer", "forged", "signed by another authority's key", &another);
    let crossed = forge.sign(forge::PEOPLE, &statement());
    said("another_label", "forged", "signed as a map of people", &crossed);
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 0x20;
    said("flipped_signature", "forged", "one bit of the signature is flipped", &flipped);
    let altered = |from: &[u8], to: &[u8]| replaced(&bytes, from, to);
    said("altered_role", "forged", "another role", &altered(b"role:doctor", b"role:chief1"));
    said("altered_person", "forged", "another person", &altered(b"dr-ada", b"dr-eve"));
    said("altered_key", "forged", "another signing key", &altered(&[1; 32], &[3; 32]));
    for (name, comment, attributes) in [
        ("number_differs", "the attributes name another person", "role:doctor, user:#2, valid-until = 2027-03"),
        ("month_differs", "the month is not that of the end", "role:doctor, user:#1, valid-until = 2027-04"),
        ("no_person", "no person among the attributes", "role:doctor, valid-until = 2027-03"),
        ("no_month", "no month among the attributes", "role:doctor, user:#1"),
        ("not_sorted", "attributes in another order", "user:#1, role:doctor, valid-until = 2027-03"),
        ("quoted_needlessly", "a second text for the same value", "role:\"doctor\", user:#1, valid-until = 2027-03"),
        ("no_attributes", "an empty text", ""),
    ] {
        let statement = CredentialStatement { attributes: attributes.to_owned(), ..statement() };
        said(name, "malformed", comment, &signed(&statement));
    }
}

/// What does not decode, whoever signed it.
fn encodings() {
    let bytes = signed(&statement());
    let malformed = |name: &str, comment, bytes: &[u8]| {
        base("malformed", comment, NOW, &[]).with("credential", bytes).write(name);
    };
    malformed("cut", "one byte too few", &bytes[..bytes.len() - 1]);
    malformed("trailing_byte", "one byte too many", &[&bytes[..], b"\0"].concat());
    let altered = |from: &[u8], to: &[u8]| replaced(&bytes, from, to);
    malformed("long_integer", "7 in two bytes", &altered(b"serial\x07", b"serial\x18\x07"));
    malformed("number_too_large", "a person number of 25 bits", &altered(b"number\x01", b"number\x1a\x01\0\0\0"));
    malformed("number_as_text", "a number that is a text", &altered(b"number\x01", b"number\x611"));
    malformed(
        "short_key",
        "a key of 31 bytes",
        &altered(&[&b"\x58\x20"[..], &[1; 32]].concat(), &[&b"\x58\x1f"[..], &[1; 31]].concat()),
    );
    malformed("id_with_space", "an id with a space", &altered(b"dr-ada", b"dr ada"));
    let unknown = std::collections::BTreeMap::from([("authority", ID)]);
    malformed("missing_members", "a map of one member", &signed(&unknown));
    malformed("unknown_member", "a member that this version does not know", &altered(b"serial", b"serieS"));
    let beyond = [&b"not_after\x1b"[..], &(Time::MAX.as_secs() + 1).to_be_bytes()].concat();
    let end = [&b"not_after\x1a"[..], &u32::try_from(END.as_secs()).unwrap().to_be_bytes()].concat();
    malformed("time_beyond_9999", "an end in the year 10000", &altered(&end, &beyond));
}

fn lists() {
    let forge = Forge::new(1);
    let one = |name: &str, expect, comment, header: &str, bytes: &[u8]| {
        let file = File::new(expect, comment, NOW).with("anchor", &forge.anchor(ID).to_cbor().unwrap());
        file.with(header, bytes).write(name);
    };
    let entries = [
        revoked(1, 2, 5, Reason::Compromised),
        revoked(1, 3, 6, Reason::Replaced),
        revoked(2, 1, NOW.as_secs(), Reason::Ended),
    ];
    let signed = |entries: &[Revoked]| forge.sign(forge::REVOCATIONS, &list(entries));
    one("revocations", "ok", "three entries of two people", "revocations", &signed(&entries));
    let above = RevocationList { version: Version(NOW.as_secs() + 1), ..list(&[]) };
    let above = forge.sign(forge::REVOCATIONS, &above);
    one("version_above_its_time", "malformed", "a version above the seconds of its time", "revocations", &above);
    let [a, b, c] = entries;
    one("revocations_unordered", "malformed", "entries out of order", "revocations", &signed(&[a.clone(), c, b]));
    one("revocations_twice", "malformed", "an entry twice", "revocations", &signed(&[a.clone(), a.clone()]));
    let reason = replaced(&signed(&[a]), b"compromised", b"compremised");
    one("revocations_unknown_reason", "malformed", "a reason that this version does not know", "revocations", &reason);

    let map = |version, people: &[(&str, u32)]| {
        let people = people.iter().map(|(id, n)| (id.parse().unwrap(), PersonNumber::new(*n).unwrap())).collect();
        let map = PeopleMap { authority: ID.parse().unwrap(), version: Version(version), issued_at: NOW, people };
        forge.sign(forge::PEOPLE, &map)
    };
    let believed = |name: &str, expect, comment, people: &[(&str, u32)]| {
        let file = base(expect, comment, NOW, &[]).with("people", &map(1, people));
        let file = file.with("credential", &forge.sign(forge::CREDENTIAL, &statement()));
        if expect == "ok" { file.text("shown", &statement().attributes) } else { file }.write(name);
    };
    believed("number_of_another", "untrusted", "the map says that the number is another person's", &[("dr-eve", 1)]);
    believed("another_number", "untrusted", "the map says that the person has another number", &[("dr-ada", 2)]);
    believed("newer_than_the_map", "ok", "the map knows neither the person nor the number yet", &[("dr-bob", 2)]);
    let day = Duration::from_secs(86_400);
    let aged = |name: &str, comment, issued_at| {
        let list = RevocationList { issued_at, ..list(&[]) };
        File::new("expired", comment, NOW)
            .with("anchor", &forge.anchor(ID).to_cbor().unwrap())
            .with("revocations", &forge.sign(forge::REVOCATIONS, &list))
            .with("credential", &forge.sign(forge::CREDENTIAL, &statement()))
            .write(name);
    };
    aged("list_over_the_limit", "a revocation list of more than a year ago", NOW.minus(366 * day));
    aged("list_from_the_future", "a revocation list of tomorrow", NOW.plus(day));
    let good = map(1, &[("dr-ada", 1), ("dr-bob", 2)]);
    assert!(Signed::<PeopleMap>::from_cbor(&good).is_ok());
    one("people", "ok", "two people", "people", &good);
    let shared = map(1, &[("dr-ada", 1), ("dr-bob", 1)]);
    one("people_sharing_a_number", "malformed", "two people under one number", "people", &shared);
    let twice = replaced(&good, b"dr-bob", b"dr-ada");
    one("people_twice", "malformed", "a person twice", "people", &twice);
    let altered = replaced(&good, b"dr-bob", b"dr-eve");
    one("people_forged", "forged", "another person in the place of one", "people", &altered);
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = (0..bytes.len()).find(|&at| bytes[at..].starts_with(from)).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}
