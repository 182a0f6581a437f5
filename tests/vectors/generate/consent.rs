//! Writes the vectors.

use std::fs;
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use chartseal::consent::{Access, Consent, StoredConsent};
use chartseal::id::{Hash, Time};
use chartseal::identity::Identity;
use chartseal::owner::Device;
use ed25519_dalek::Signer;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::case::{directory, hex};
use crate::support::two_hospitals::{DAY, NOW, Person, World, cardiology, olave};

/// What all the vectors are made of.
pub(crate) struct Cast {
    pub(crate) world: World,
    ada: Person,
    nina: Person,
    carol: Identity,
    pub(crate) stored: StoredConsent,
    pub(crate) access: Access,
}

struct Vector<'a> {
    cast: &'a Cast,
    name: &'a str,
    comment: &'a str,
    compartment: String,
    now: Time,
    devices: Vec<u8>,
    consent: String,
    form: &'a str,
    seen: Option<Vec<u8>>,
    opener: String,
    secret: Vec<u8>,
    key: bool,
}

impl Cast {
    pub(crate) fn new() -> Self {
        let mut world = World::new();
        let ada = world.at_olave("dr-ada", "role:doctor, dept:icu");
        let nina = world.at_olave("nina", "role:nurse, dept:icu");
        world.at_olave("dr-bob", "role:doctor, dept:icu");
        let carol = Identity::generate("carol".parse().unwrap()).unwrap();
        let builder = world.consent().name(&carol.public()).unwrap();
        let policy = "role:doctor and not user:dr-bob";
        let builder = builder.read(&world.trust, &olave(), policy).unwrap();
        let builder = builder.write(&world.trust, &olave(), "role:doctor").unwrap();
        let (stored, access) = builder.valid(NOW, NOW.plus(Duration::from_secs(30 * DAY))).seal(NOW).unwrap();
        Self { ada, nina, carol, stored, access, world }
    }

    fn vector<'a>(&'a self, name: &'a str, comment: &'a str) -> Vector<'a> {
        Vector {
            cast: self,
            name,
            comment,
            compartment: cardiology().to_string(),
            now: NOW,
            devices: self.world.owner.list().to_cbor().unwrap(),
            consent: hex(&self.stored.to_cbor().unwrap()),
            form: "cbor",
            seen: None,
            opener: "nobody".to_owned(),
            secret: Vec::new(),
            key: false,
        }
    }

    fn slots(&self) -> Vec<Vec<u8>> {
        self.stored.slots().map(<[u8]>::to_vec).collect()
    }

    fn with_slots(&self, slots: Vec<Vec<u8>>) -> StoredConsent {
        StoredConsent::from_parts(self.stored.consent().clone(), self.stored.terms().to_vec(), slots).unwrap()
    }
}

impl Vector<'_> {
    fn consent(mut self, stored: &StoredConsent) -> Self {
        self.consent = hex(&stored.to_cbor().unwrap());
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.consent = hex(bytes);
        self
    }

    fn json(mut self, text: String) -> Self {
        (self.form, self.consent) = ("json", text);
        self
    }

    fn now(mut self, now: u64) -> Self {
        self.now = Time::from_secs(now).unwrap();
        self
    }

    fn compartment(mut self, compartment: &str) -> Self {
        self.compartment = compartment.to_owned();
        self
    }

    fn seen(mut self, stored: &StoredConsent) -> Self {
        self.seen = Some(stored.to_cbor().unwrap());
        self
    }

    fn device(self, device: &Device) -> Self {
        self.opener("device", device.to_secret_bytes().expose().clone())
    }

    fn identity(self, identity: &Identity) -> Self {
        self.opener("identity", identity.to_secret_bytes().expose().clone())
    }

    fn key(mut self, person: &Person) -> Self {
        self.key = true;
        self.opener("key", person.key.to_secret_bytes().expose().clone())
    }

    fn opener(mut self, opener: &str, secret: Vec<u8>) -> Self {
        (self.opener, self.secret) = (opener.to_owned(), secret);
        self
    }

    fn expect(self, expect: &str) {
        let mut lines = vec![
            format!("expect: {expect}"),
            format!("comment: {}", self.comment),
            format!("owner: {}", self.cast.world.owner.id()),
            format!("compartment: {}", self.compartment),
            format!("now: {}", self.now.as_secs()),
            format!("devices: {}", hex(&self.devices)),
        ];
        lines.extend(self.seen.map(|seen| format!("seen: {}", hex(&seen))));
        lines.push(format!("form: {}", self.form));
        lines.push(format!("consent: {}", self.consent));
        lines.push(format!("as: {}", self.opener));
        if self.opener != "nobody" {
            lines.push(format!("secret: {}", hex(&self.secret)));
        }
        if self.key {
            let parameters = self.cast.world.trust.parameters(&olave()).unwrap();
            lines.push(format!("parameters: {}", hex(parameters.as_bytes())));
        }
        if expect == "ok" && self.opener != "nobody" {
            lines.push(format!("terms: {}", serde_json::to_string(self.cast.access.terms()).unwrap()));
        }
        let path = directory("consent").join(format!("{}.txt", self.name));
        fs::write(path, lines.join("\n") + "\n").unwrap();
    }
}

pub(crate) fn write_all() {
    let _ = fs::remove_dir_all(directory("consent"));
    fs::create_dir_all(directory("consent")).unwrap();
    let cast = Cast::new();
    opening(&cast);
    serving(&cast);
    malformed(&cast);
    signing(&cast);
}

fn opening(cast: &Cast) {
    let world = &cast.world;
    cast.vector("by_attributes", "a user key that satisfies the policy").key(&cast.ada).expect("ok");
    cast.vector("by_name", "a person who is named").identity(&cast.carol).expect("ok");
    cast.vector("by_device", "the device that signed").device(&world.phone).expect("ok");
    let root = world.owner.to_secret_bytes().unwrap().expose().clone();
    cast.vector("by_root", "the owner's root key").opener("root", root).expect("ok");
    let json = cast.stored.to_json().unwrap();
    cast.vector("by_attributes_json", "the JSON form").json(json.clone()).key(&cast.ada).expect("ok");
    cast.vector("verified_only", "what a party sees that only writes").expect("ok");
    cast.vector("last_second", "validity includes its end").now(NOW.as_secs() + 30 * DAY).key(&cast.ada).expect("ok");
    let spaced = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&json).unwrap()).unwrap();
    let spaced = spaced.replace('\n', " ");
    cast.vector("spaced_json", "members in any order, and spaces").json(spaced).key(&cast.ada).expect("ok");

    cast.vector("unsatisfied", "a nurse's key").key(&cast.nina).expect("cannot open");
    cast.vector("not_named", "somebody who is not named").identity(&cast.nina.identity).expect("cannot open");
    let impostor = Device::generate("phone".parse().unwrap()).unwrap();
    cast.vector("device_not_listed", "another device of that id").device(&impostor).expect("cannot open");
    let namesake = Identity::generate("carol".parse().unwrap()).unwrap();
    cast.vector("namesake", "another person of that name").identity(&namesake).expect("cannot open");
}

fn serving(cast: &Cast) {
    let world = &cast.world;
    const FORGED: &str = "consent is not signed by the key that it names";
    const EXPIRED: &str = "consent is not valid at this time";
    let forged = |name, comment, stored: &StoredConsent| cast.vector(name, comment).consent(stored).expect(FORGED);
    let (next, after) = world.consent().after(&cast.access).unwrap().seal(NOW).unwrap();

    let mut slots = cast.slots();
    slots.push(slots[1].clone());
    forged("slot_added", "a slot twice", &cast.with_slots(slots));
    let mut slots = cast.slots();
    slots.pop();
    forged("slot_dropped", "the last slot left out", &cast.with_slots(slots));
    let mut slots = cast.slots();
    slots.swap(1, 2);
    forged("slots_reordered", "two slots in each other's place", &cast.with_slots(slots));
    let mut slots = cast.slots();
    slots[1] = next.slots().last().unwrap().to_vec();
    forged("slot_of_next_version", "a slot of the next version", &cast.with_slots(slots));
    let mut slots = cast.slots();
    *slots[0].last_mut().unwrap() ^= 1;
    forged("slot_flipped", "one bit of a slot", &cast.with_slots(slots));
    let terms = StoredConsent::from_parts(cast.stored.consent().clone(), next.terms().to_vec(), cast.slots());
    forged("terms_of_next_version", "the terms of the next version", &terms.unwrap());
    let mut terms = cast.stored.terms().to_vec();
    terms[40] ^= 1;
    let terms = StoredConsent::from_parts(cast.stored.consent().clone(), terms, cast.slots());
    forged("terms_flipped", "one bit of the terms", &terms.unwrap());
    let signed = StoredConsent::from_parts(next.consent().clone(), cast.stored.terms().to_vec(), cast.slots());
    forged("statement_of_next_version", "terms and slots under another statement", &signed.unwrap());

    let altered = |name, comment, change: &dyn Fn(&mut Value), expect: &str| {
        let mut json: Value = serde_json::from_str(&cast.stored.to_json().unwrap()).unwrap();
        change(&mut json["consent"]["statement"]);
        cast.vector(name, comment).json(json.to_string()).expect(expect);
    };
    altered("version_raised", "a higher version", &|statement| statement["version"] = 2.into(), FORGED);
    altered("end_removed", "no end of validity", &|statement| statement["not_after"] = Value::Null, FORGED);
    altered("other_device", "another device's name", &|statement| statement["device"] = "tablet".into(), FORGED);
    let list = "device list is older than one seen before";
    altered(
        "newer_list_named",
        "a device list that does not exist",
        &|statement| statement["devices"] = 2.into(),
        list,
    );

    let impostor = Device::generate("phone".parse().unwrap()).unwrap();
    let (other, _) = impostor_consent(cast, &impostor);
    cast.vector("impostor", "a device of that id, in a list of its own").consent(&other).expect(FORGED);
    cast.vector("other_compartment", "asked for another compartment").compartment("psychiatry").expect(FORGED);

    cast.vector("too_late", "a second after the end").now(NOW.as_secs() + 30 * DAY + 1).expect(EXPIRED);
    cast.vector("too_early", "a second before the beginning").now(NOW.as_secs() - 1).expect(EXPIRED);
    let rollback = "consent is older than one seen before";
    cast.vector("rolled_back", "a later version was seen").seen(&next).expect(rollback);
    let (fork, _) = world.consent().after(&cast.access).unwrap().seal(NOW).unwrap();
    let expect = "two different versions of consent have the same number";
    cast.vector("forked", "another version 2 was seen").consent(&fork).seen(&next).expect(expect);
    cast.vector("seen_before", "the same consent again").seen(&cast.stored).key(&cast.ada).expect("ok");
    assert_eq!(after.version().0, 2);
}

/// What only the device can sign, and every reader sees.
fn signing(cast: &Cast) {
    const FORGED: &str = "consent is not signed by the key that it names";
    let (world, count) = (&cast.world, cast.slots().len());
    let root = *world.owner.list().unverified().root_sealing.as_bytes();
    let nina = *cast.nina.identity.public().sealing.as_bytes();
    // By the derivation, not by looking who opens it.
    let at_root = (1..count).find(|index| crate::derivation::recipient(cast, *index) == root).unwrap();

    let mut hidden = cast.slots();
    hidden.push(crate::derivation::chosen(cast, count, &nina));
    let hidden = resigned(cast, hidden);
    let mut left_out = cast.slots();
    left_out.remove(at_root);
    let left_out = resigned(cast, left_out);
    let mut ephemeral = cast.slots();
    ephemeral[at_root] = crate::derivation::chosen(cast, at_root, &root);
    let ephemeral = resigned(cast, ephemeral);

    let comment = "a slot for somebody whom the terms do not name";
    cast.vector("hidden_slot", comment).consent(&hidden).key(&cast.ada).expect(FORGED);
    cast.vector("hidden_slot_opened", comment).consent(&hidden).identity(&cast.nina.identity).expect(FORGED);
    let comment = "no slot for the owner's root key, whom the terms name";
    cast.vector("root_left_out", comment).consent(&left_out).key(&cast.ada).expect(FORGED);
    let comment = "a slot with an ephemeral key pair that was chosen";
    cast.vector("ephemeral_chosen", comment).consent(&ephemeral).key(&cast.ada).expect(FORGED);
    let owner = world.owner.to_secret_bytes().unwrap().expose().clone();
    cast.vector("ephemeral_chosen_opened", comment).consent(&ephemeral).opener("root", owner).expect(FORGED);
}

/// The consent with other slots, signed by the device.
fn resigned(cast: &Cast, slots: Vec<Vec<u8>>) -> StoredConsent {
    let mut statement = cast.stored.consent().unverified().clone();
    let hash =
        |slot: &Vec<u8>| Hash::from(<[u8; 32]>::from(Sha256::digest([b"chartseal-1 slot: ", &slot[..]].concat())));
    statement.slots = slots.iter().map(hash).collect();
    let message =
        [b"chartseal-1 sign consent: ", &cbor4ii::serde::to_vec(Vec::new(), &statement).unwrap()[..]].concat();
    // `"csd" ‖ 1 ‖ u8 length ‖ id ‖ signing seed ‖ sealing key`.
    let secret = cast.world.phone.to_secret_bytes();
    let seed: &[u8; 32] = secret.expose()[secret.expose().len() - 64..].first_chunk().unwrap();
    let signature = ed25519_dalek::SigningKey::from_bytes(seed).sign(&message).to_bytes();
    let json = serde_json::json!({ "statement": statement, "signature": Base64UrlUnpadded::encode_string(&signature) });
    let consent = Consent::from_json(&json.to_string()).unwrap();
    StoredConsent::from_parts(consent, cast.stored.terms().to_vec(), slots).unwrap()
}

fn impostor_consent(cast: &Cast, impostor: &Device) -> (StoredConsent, Access) {
    let owner = chartseal::owner::Owner::generate(&impostor.public(), NOW).unwrap();
    let (stored, access) = impostor.consent(owner.devices(), cardiology()).seal(NOW).unwrap();
    // It names the owner that it is not.
    let json = stored.to_json().unwrap().replace(owner.id().as_str(), cast.world.owner.id().as_str());
    (StoredConsent::from_json(&json).unwrap(), access)
}

fn malformed(cast: &Cast) {
    const MALFORMED: &str = "malformed consent";
    let (cbor, json) = (cast.stored.to_cbor().unwrap(), cast.stored.to_json().unwrap());
    let cut = &cbor[..cbor.len() - 1];
    cast.vector("cut", "the last byte is missing").bytes(cut).expect(MALFORMED);
    cast.vector("trailing_byte", "a byte more").bytes(&[&cbor[..], &[0]].concat()).expect(MALFORMED);
    cast.vector("trailing_text", "a letter more").json(format!("{json}x")).expect(MALFORMED);
    let unknown = json.replacen("{\"suite\"", "{\"more\":1,\"suite\"", 1);
    cast.vector("unknown_member", "a member that is not ours").json(unknown).expect(MALFORMED);
    let list = json.replacen("\"version\":1", "\"version\":[1]", 1);
    cast.vector("version_as_list", "a list for a number").json(list).expect(MALFORMED);
    // Version 1 in two bytes.
    let at = cbor.windows(9).position(|window| window == b"\x67version\x01").unwrap() + 8;
    let long = [&cbor[..at], b"\x18\x01", &cbor[at + 1..]].concat();
    cast.vector("long_integer", "a number not in its shortest form").bytes(&long).expect(MALFORMED);
    let later = json.replacen("chartseal-1", "chartseal-2", 1);
    cast.vector("later_suite", "a suite to come").json(later).expect("unknown version of consent");
    let mut more: Value = serde_json::from_str(&json).unwrap();
    more["slots"] = vec![more["slots"][1].clone(); 65].into();
    cast.vector("too_many_slots", "65 slots").json(more.to_string()).expect("slots is over its limit");
}
