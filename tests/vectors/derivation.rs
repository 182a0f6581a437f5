//! The slots of one consent, made again from its compartment key by the letter of the format page, with nothing of the
//! crate's but the capsule, whose own vectors are elsewhere.
//!
//! `tests/vectors/derivation/consent.txt` says: `comment`, `owner`, `compartment`, `now`, `devices` (the signed device list,
//! CBOR), `device` (the secret keys of one), `parameters`, `consent` (CBOR); and what comes of it: `cek`, `salt`, `context`,
//! `terms salt`, and for each slot by its number what is derived for it, and its bytes.

use std::convert::Infallible;

use aes_gcm::aead::Payload;
use aes_gcm::aead::array::Array;
use aes_gcm::{Aes256Gcm, KeyInit, aead::Aead};
use chartseal::consent::{Access, DeviceList, StoredConsent};
use chartseal::id::Time;
use chartseal::kem::{PublicParameters, danger};
use chartseal::owner::Device;
use chartseal::pin::PinStore;
use hkdf::Hkdf;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use sha2::{Digest, Sha256};

use crate::generate::consent::Cast;
use crate::generate::{Folder, if_asked};
use crate::support::case::{Case, hex};
use crate::support::two_hospitals::{NOW, cardiology, olave};

#[test]
fn slots_terms_and_salts_follow_from_the_compartment_key_as_the_format_page_says() {
    if_asked(write_all);
    for mut case in Case::all("derivation") {
        let _comment = case.text("comment");
        let owner = case.text("owner").parse().unwrap();
        let compartment = case.text("compartment").parse().unwrap();
        let now = Time::from_secs(case.text("now").parse().unwrap()).unwrap();
        let mut pins = PinStore::default();
        let devices = DeviceList::from_cbor(&case.bytes("devices")).unwrap().accept(&owner, &mut pins, now).unwrap();
        let secret = case.bytes("device");
        let parameters = PublicParameters::decode(&case.bytes("parameters")).unwrap();
        let stored = StoredConsent::from_cbor(&case.bytes("consent")).unwrap();
        let live = stored.verify(&devices, &compartment, &pins, now).unwrap();
        let access = live.open_as_device(&Device::decode(&secret).unwrap(), &mut PinStore::default()).unwrap();

        let derived = derive(&stored, &access, &secret, &parameters);
        for (index, slot) in stored.slots().enumerate() {
            let made = derived.iter().find(|(name, _)| *name == format!("slot {index} bytes"));
            assert_eq!(hex(slot), hex(&made.unwrap().1), "slot {index}");
        }
        let written: Vec<_> = derived.iter().map(|(name, _)| (name.clone(), case.text(name))).collect();
        assert_eq!(written, derived.iter().map(|(name, value)| (name.clone(), hex(value))).collect::<Vec<_>>());
        case.finish();
    }
}

/// Writes the vector.
fn write_all() {
    let cast = &Cast::new();
    let world = &cast.world;
    let parameters = world.trust.parameters(&olave()).unwrap();
    let secret = world.phone.to_secret_bytes();
    let mut lines = vec![
        "comment: everything random in a consent, from its compartment key".to_owned(),
        format!("owner: {}", world.owner.id()),
        format!("compartment: {}", cardiology()),
        format!("now: {}", NOW.as_secs()),
        format!("devices: {}", hex(&world.owner.list().to_cbor().unwrap())),
        format!("device: {}", hex(secret.expose())),
        format!("parameters: {}", hex(parameters.as_bytes())),
        format!("consent: {}", hex(&cast.stored.to_cbor().unwrap())),
    ];
    let derived = of_cast(cast);
    lines.extend(derived.iter().map(|(name, value)| format!("{name}: {}", hex(value))));
    Folder::anew("derivation").write("consent", &(lines.join("\n") + "\n"));
}

/// A slot that opens for a key, with an ephemeral key pair and a salt of somebody's choice.
pub(crate) fn chosen(cast: &Cast, index: usize, to: &[u8; 32]) -> Vec<u8> {
    let derived = of_cast(cast);
    let of = |wanted: &str| &derived.iter().find(|(name, _)| name == wanted).unwrap().1;
    let index = u16::try_from(index).unwrap().to_be_bytes();
    let info = [b"chartseal-1 hpke slot: ", &of("context")[..], &lp(&index)].concat();
    sealed_slot(&[7; 32], seal(to, &[8; 32], &info, of("cek").as_slice().try_into().unwrap()))
}

/// Whom a sealed slot is for.
pub(crate) fn recipient(cast: &Cast, index: usize) -> [u8; 32] {
    let derived = of_cast(cast);
    let (_, key) = derived.iter().find(|(name, _)| *name == format!("slot {index} recipient")).unwrap();
    key.as_slice().try_into().unwrap()
}

fn of_cast(cast: &Cast) -> Vec<(String, Vec<u8>)> {
    let secret = cast.world.phone.to_secret_bytes();
    derive(&cast.stored, &cast.access, secret.expose(), cast.world.trust.parameters(&olave()).unwrap())
}

fn derive(
    stored: &StoredConsent,
    access: &Access,
    secret: &[u8],
    parameters: &PublicParameters,
) -> Vec<(String, Vec<u8>)> {
    let said = stored.consent().unverified();
    let context = [
        b"chartseal-1 slot context: ",
        &lp(b"chartseal-1")[..],
        &lp(said.owner.as_str().as_bytes()),
        &lp(said.compartment.as_str().as_bytes()),
        &lp(&said.version.0.to_be_bytes()),
        &lp(said.previous.as_ref().map_or(&[], |hash| hash.as_bytes())),
        &lp(said.salt.as_bytes()),
        &lp(said.commitment.as_bytes()),
    ]
    .concat();
    let context_of = |index: usize| [&context[..], &lp(&u16::try_from(index).unwrap().to_be_bytes())].concat();
    let info_of = |index: usize| [b"chartseal-1 hpke slot: ", &context_of(index)[..]].concat();
    let terms = Sha256::digest([b"chartseal-1 terms: ", stored.terms()].concat());
    let bound = |context: &[u8]| lp(&[context, &terms[..]].concat());

    // The key, from a sealed slot of the device's.
    let own: &[u8; 32] = secret.last_chunk().unwrap();
    let slots: Vec<_> = stored.slots().collect();
    let policies = access.read_policies().len();
    let cek = (policies..slots.len()).find_map(|index| open(own, &info_of(index), slots[index])).unwrap();

    let salt = hkdf(
        &[0; 32],
        &cek,
        &[b"chartseal-1 cek salt", &lp(said.owner.as_str().as_bytes()), &lp(said.compartment.as_str().as_bytes())],
    );
    assert_eq!(salt, *said.salt.as_bytes());
    let text = open_terms(&cek, &context, stored.terms());
    let terms_salt = hkdf(&[0; 32], &cek, &[b"chartseal-1 terms salt", &lp(&context), &text]);
    assert_eq!(terms_salt, stored.terms()[..32]);
    let mut all: Vec<(String, Vec<u8>)> = vec![
        ("cek".to_owned(), cek.to_vec()),
        ("salt".to_owned(), salt.to_vec()),
        ("context".to_owned(), context.clone()),
        ("terms salt".to_owned(), terms_salt.to_vec()),
    ];

    for (index, (authority, policy)) in access.read_policies().iter().enumerate() {
        let (context, tree) = (context_of(index), parameters.expand(policy).unwrap());
        let header = [b"chartseal-1 cek wrap: ", &context[..]].concat();
        let recipient = [Sha256::digest(parameters.as_bytes()), Sha256::digest(tree.as_bytes())].concat();
        let inputs = [bound(&context), lp(&context), lp(&header), lp(&recipient), lp(&cek)].concat();
        let [message, wrap_salt, slot_salt] =
            ["slot message", "slot wrap salt", "slot salt"].map(|label| labelled(&salt, &cek, label, &inputs));
        let (capsule, shared) = danger::encapsulate_message(parameters, &tree, &context, &message);
        let wrap_key = hkdf(&wrap_salt, shared.expose(), &[b"chartseal-1 cek wrap key"]);
        let wrapped = [&wrap_salt[..], &aes_gcm(&wrap_key, &header, &cek)].concat();
        let members = [
            text_of("policy"),
            head(5, 5),
            [text_of("authority"), text_of(authority.as_str())].concat(),
            [text_of("parameters"), head(0, parameters.version())].concat(),
            [text_of("tree"), bytes_of(tree.as_bytes())].concat(),
            [text_of("capsule"), bytes_of(capsule.as_bytes())].concat(),
            [text_of("key"), bytes_of(&wrapped)].concat(),
        ];
        all.extend(
            [("message", &message), ("wrap salt", &wrap_salt), ("salt", &slot_salt)]
                .map(|(name, value)| (format!("slot {index} {name}"), value.to_vec())),
        );
        all.push((format!("slot {index} bytes"), slot(&slot_salt, &members.concat())));
    }

    let named = access.terms().people.iter().chain(&access.terms().custodian).map(|named| named.sealing);
    let holders = named.chain(access.terms().owner_keys.iter().copied());
    let place = |key: &[u8; 32]| labelled(&salt, &cek, "slot order", &[bound(&context), lp(key)].concat());
    let mut holders: Vec<_> = holders.map(|key| (place(key.as_bytes()), *key.as_bytes())).collect();
    holders.sort_unstable();
    for (index, (order, key)) in holders.iter().enumerate().map(|(at, holder)| (policies + at, holder)) {
        let (context, info) = (context_of(index), info_of(index));
        let inputs = [bound(&context), lp(&info), lp(&[]), lp(key), lp(&cek)].concat();
        let [ephemeral, slot_salt] = ["slot ephemeral", "slot salt"].map(|label| labelled(&salt, &cek, label, &inputs));
        let (encapped, data) = seal(key, &ephemeral, &info, &cek);
        all.extend(
            [
                ("recipient", key),
                ("order", order),
                ("ephemeral", &ephemeral),
                ("encapped", &encapped),
                ("salt", &slot_salt),
            ]
            .map(|(name, value)| (format!("slot {index} {name}"), value.to_vec())),
        );
        all.push((format!("slot {index} bytes"), sealed_slot(&slot_salt, (encapped, data))));
    }
    all
}

fn sealed_slot(salt: &[u8; 32], (encapped, data): ([u8; 32], Vec<u8>)) -> Vec<u8> {
    let members = [
        text_of("sealed"),
        head(5, 2),
        [text_of("encapped"), bytes_of(&encapped)].concat(),
        [text_of("data"), bytes_of(&data)].concat(),
    ];
    slot(salt, &members.concat())
}

fn hkdf(salt: &[u8; 32], key: &[u8; 32], info: &[&[u8]]) -> [u8; 32] {
    let mut out = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), key).expand_multi_info(info, &mut out).unwrap();
    out
}

fn labelled(salt: &[u8; 32], cek: &[u8; 32], label: &str, inputs: &[u8]) -> [u8; 32] {
    hkdf(salt, cek, &[b"chartseal-1 ", label.as_bytes(), inputs])
}

fn lp(text: &[u8]) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes(), text].concat()
}

fn aes_gcm(key: &[u8; 32], aad: &[u8], msg: &[u8]) -> Vec<u8> {
    Aes256Gcm::new(&Array(*key)).encrypt(&Array([0; 12]), Payload { msg, aad }).unwrap()
}

fn open_terms(cek: &[u8; 32], aad: &[u8], sealed: &[u8]) -> Vec<u8> {
    let (salt, msg) = sealed.split_first_chunk().unwrap();
    let key = hkdf(salt, cek, &[b"chartseal-1 terms key"]);
    Aes256Gcm::new(&Array(key)).decrypt(&Array([0; 12]), Payload { msg, aad }).unwrap()
}

/// The ends of a sealed slot have fixed places.
fn open(own: &[u8; 32], info: &[u8], slot: &[u8]) -> Option<[u8; 32]> {
    type Encapped = <X25519HkdfSha256 as Kem>::EncappedKey;
    let own = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(own).unwrap();
    let encapped = Encapped::from_bytes(&slot[68..100]).unwrap();
    let mode = OpModeR::Base;
    let context = hpke::setup_receiver::<AesGcm256, HkdfSha256, X25519HkdfSha256>(&mode, &own, &encapped, info);
    context.unwrap().open(&slot[107..155], &[]).ok()?.try_into().ok()
}

fn seal(to: &[u8; 32], ephemeral: &[u8; 32], info: &[u8], cek: &[u8; 32]) -> ([u8; 32], Vec<u8>) {
    let to = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(to).unwrap();
    let (mode, mut fixed) = (OpModeS::Base, Fixed(*ephemeral));
    let made = hpke::setup_sender_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(&mode, &to, info, &mut fixed);
    let (encapped, mut context) = made.unwrap();
    let (_, public) = X25519HkdfSha256::derive_keypair(ephemeral);
    assert_eq!(encapped.to_bytes(), public.to_bytes(), "it is DeriveKeyPair's");
    (encapped.to_bytes().into(), context.seal(cek, &[]).unwrap())
}

struct Fixed([u8; 32]);

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("HPKE asks for 32 bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("HPKE asks for 32 bytes")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0);
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

fn slot(salt: &[u8; 32], content: &[u8]) -> Vec<u8> {
    [head(5, 2), text_of("salt"), bytes_of(salt), text_of("content"), head(5, 1), content.to_vec()].concat()
}

/// The head of a CBOR item, in its shortest form.
fn head(major: u8, number: u64) -> Vec<u8> {
    let major = major << 5;
    match number {
        0..=23 => vec![major | number as u8],
        24..=0xff => vec![major | 24, number as u8],
        0x100..=0xffff => [&[major | 25], &(number as u16).to_be_bytes()[..]].concat(),
        _ => [&[major | 26], &u32::try_from(number).unwrap().to_be_bytes()[..]].concat(),
    }
}

fn text_of(text: &str) -> Vec<u8> {
    [&head(3, text.len() as u64), text.as_bytes()].concat()
}

fn bytes_of(bytes: &[u8]) -> Vec<u8> {
    [&head(2, bytes.len() as u64), bytes].concat()
}
