//! No heap block that the KEM gives back still holds a secret scalar or a secret point: neither what a vector leaves
//! behind when it grows, nor what is moved out of it. The patterns are the first 16 bytes of the secrets of the vector
//! `chain_and`, in the Montgomery form in which the curve library keeps them, computed from the vector's seeds by
//! another implementation.

use chartseal::id::AuthorityId;
use chartseal::kem::{self, Capsule, MasterKey, UserKey, danger};

use crate::allocator::{looked_at, watched};

pub(crate) const SECRETS: [(&str, u128); 11] = [
    ("alpha", 0xf9b5c985d572e8028dc861bac0760cde),
    ("r", 0x887e0d0c32d1851c4ebe1e9df43ec1b2),
    ("s1", 0x616942f6e254c0c69d4777f1c290f65d),
    ("s'", 0x7cc77aafe541cf320d1ab9597ec78041),
    ("lambda 1", 0xe13f084846db2a553a2db9d27e2bb0c9),
    ("lambda 2", 0x80293aae9c799571631abe1e44654694),
    ("g1^alpha", 0xff0c1f4eb1c67476fcfcb55fb6db5a8a),
    ("sk1", 0x162cefa13a8b8edb315171c25cc28cb0),
    ("sk2 of icu", 0x34367e9d18fd2d9de10c3706c790a2aa),
    ("sk2 of doctor", 0x296beb56db2983f9350e813c07b71cf8),
    ("d", 0x180c0f04a34427c0c040d5c28b7e81f6),
];

#[test]
fn nothing_secret_is_given_back_unwiped() {
    let none: [&str; 0] = [];
    let authority = AuthorityId::new("st-olave").unwrap();
    let ((public, master), found) = watched(|| danger::setup_from_seed(authority, &[1; 64]).unwrap());
    assert_eq!(found, none, "setup");
    let (master, found) = watched(|| MasterKey::decode(master.to_secret_bytes().expose()).unwrap());
    assert_eq!(found, none, "reading a master key");
    let attributes = "role:doctor, dept:icu, ward:7, a:1, b:2, c:3".parse().unwrap();
    let (key, found) = watched(|| danger::issue_from_seed(&master, &attributes, &[2; 64]).unwrap());
    assert_eq!(found, none, "issue");
    let (key, found) = watched(|| UserKey::decode(key.to_secret_bytes().expose(), &public).unwrap());
    assert_eq!(found, none, "reading a user key");

    let tree = public.expand(&"role:doctor and dept:icu".parse().unwrap()).unwrap();
    let context = b"owner alice, compartment 7, version 1";
    let ((capsule, _), found) = watched(|| danger::encapsulate_message(&public, &tree, context, &[3; 32]));
    assert_eq!(found, none, "encapsulate");
    let (opened, found) = watched(|| kem::decapsulate(&key, &tree, context, &capsule).is_ok());
    assert!(opened);
    assert_eq!(found, none, "decapsulate");
    // A use and a row that are no points end the work half way.
    for at in [132, 132 + 96, 132 + 96 + 48] {
        let mut bytes = capsule.as_bytes().to_vec();
        bytes.splice(at..at + 48, [0xff; 48]);
        let mauled = Capsule::decode(&tree, &bytes).unwrap();
        let (opened, found) = watched(|| kem::decapsulate(&key, &tree, context, &mauled).is_ok());
        assert!(!opened);
        assert_eq!(found, none, "decapsulate what is altered at {at}");
    }
    assert!(looked_at() > 20);

    // The watch itself works: a key's bytes, not wiped.
    let secret = SECRETS.map(|(_, secret)| secret.to_be_bytes());
    let ((), found) = watched(|| drop(Vec::from(std::hint::black_box(&secret)[6])));
    assert_eq!(found, ["g1^alpha"]);
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_secret_is_left_on_the_stack() {
    use crate::stack::left_by;

    let authority = || AuthorityId::new("st-olave").unwrap();
    let (public, master) = danger::setup_from_seed(authority(), &[1; 64]).unwrap();
    // Nothing that writes 48 bytes reaches as deep as the wiping itself does.
    let wiped = left_by(|| drop(master.to_secret_bytes())).depth;
    let found = |what: &str, work: &(dyn Fn() + Sync)| {
        let left = left_by(work);
        let found: Vec<_> = SECRETS.iter().filter(|(_, secret)| left.has(&secret.to_be_bytes())).collect();
        assert!(found.is_empty(), "{what} leaves {found:?}");
        // What reached deeper than is wiped would not be, whether it shows here or not.
        assert!(left.depth < wiped + 2048, "{what} reaches {} bytes deep of {wiped}", left.depth);
    };
    found("setup", &|| drop(danger::setup_from_seed(authority(), &[1; 64])));
    let bytes = master.to_secret_bytes();
    found("writing a master key", &|| drop(master.to_secret_bytes()));
    found("reading a master key", &|| drop(MasterKey::decode(bytes.expose()).unwrap()));
    let attributes = "role:doctor, dept:icu, ward:7, a:1, b:2, c:3".parse().unwrap();
    found("issue", &|| drop(danger::issue_from_seed(&master, &attributes, &[2; 64]).unwrap()));
    let key = danger::issue_from_seed(&master, &attributes, &[2; 64]).unwrap();
    let bytes = key.to_secret_bytes();
    found("writing a user key", &|| drop(key.to_secret_bytes()));
    found("reading a user key", &|| drop(UserKey::decode(bytes.expose(), &public).unwrap()));

    let tree = public.expand(&"role:doctor and dept:icu".parse().unwrap()).unwrap();
    let context = b"owner alice, compartment 7, version 1";
    let (capsule, _) = danger::encapsulate_message(&public, &tree, context, &[3; 32]);
    found("encapsulate", &|| drop(danger::encapsulate_message(&public, &tree, context, &[3; 32])));
    found("decapsulate", &|| drop(kem::decapsulate(&key, &tree, context, &capsule).unwrap()));
    found("decapsulate under another context", &|| assert!(kem::decapsulate(&key, &tree, b"", &capsule).is_err()));

    // The search itself works: a secret in a local variable, not wiped.
    let secret = SECRETS.map(|(_, secret)| secret.to_be_bytes());
    let left = left_by(|| leaves(&secret[6]));
    assert!(left.has(&secret[6]));
}

/// At a whole word, as limbs are, and deeper than the end of the thread reaches.
#[cfg(target_os = "linux")]
#[inline(never)]
fn leaves(secret: &[u8; 16]) {
    let mut local = [0_u128; 1024];
    for at in &mut local {
        *at = u128::from_ne_bytes(*secret);
    }
    std::hint::black_box(&mut local);
}
