//! The vectors of the KEM.

use crate::generate::if_asked;
use crate::support::case::{Case, hex, unhex};
use chartseal::Error;
use chartseal::id::AuthorityId;
use chartseal::kem::{self, Capsule, MasterKey, PublicParameters, RealmKey, UserKey, danger};
use chartseal::policy::{AccessTree, Attributes, Policy};

#[test]
fn every_vector_gives_what_it_expects() {
    if_asked(crate::generate::kem::write_all);
    let (mut opened, mut refused) = (0, 0);
    for mut case in Case::all("kem") {
        case.text("comment");
        let expect = case.text("expect");
        let object = case.text("object");
        let name = case.name.clone();
        let outcome = match object.as_str() {
            "chain" => chain(&mut case),
            "decapsulation" => decapsulation(&mut case),
            "parameters" => PublicParameters::decode(&case.bytes("public")).map(|_| ()),
            "master key" => MasterKey::decode(&case.bytes("master-key")).map(|_| ()),
            "user key" => {
                let public = PublicParameters::decode(&case.bytes("public")).unwrap();
                UserKey::decode(&case.bytes("user-key"), &public).map(|_| ())
            }
            "tree" => AccessTree::decode(&case.bytes("tree")).map(|_| ()),
            "capsule" => {
                let tree = AccessTree::decode(&case.bytes("tree")).unwrap();
                Capsule::decode(&tree, &case.bytes("capsule")).map(|_| ())
            }
            other => panic!("{name}: unknown object `{other}`"),
        };
        case.finish();
        match outcome {
            Ok(()) => opened += 1,
            Err(_) => refused += 1,
        }
        assert_eq!(word(outcome), expect, "{name}");
    }
    assert!(opened >= 6 && refused >= 25, "{opened} open, {refused} refused");
}

fn word(outcome: Result<(), Error>) -> &'static str {
    match outcome {
        Ok(()) => "ok",
        Err(Error::CannotOpen) => "cannot open",
        Err(Error::Malformed(_)) => "malformed",
        Err(Error::UnknownVersion(_)) => "unknown version",
        Err(Error::Untrusted(_)) => "untrusted",
        Err(Error::TooLarge(_)) => "too large",
        Err(other) => panic!("{other}"),
    }
}

/// From seeds and texts to every object and the shared key.
fn chain(case: &mut Case) -> Result<(), Error> {
    let seed = |case: &mut Case, header: &str| <[u8; 64]>::try_from(case.bytes(header)).unwrap();
    let authority = AuthorityId::new(case.text("authority"))?;
    let (public, master) = danger::setup_from_seed(authority, &seed(case, "setup-seed"))?;
    let attributes: Attributes = case.text("attributes").parse()?;
    let policy: Policy = case.text("policy").parse()?;
    let issue_seed = seed(case, "issue-seed");
    let (key, tree) = match case.maybe("realm-key") {
        None => (danger::issue_from_seed(&master, &attributes, &issue_seed)?, public.expand(&policy)?),
        Some(realm) => {
            let realm = RealmKey::from_secret(chartseal::Secret::new(unhex(&realm).try_into().unwrap()));
            let key = danger::issue_blinded_from_seed(&master, &attributes, &realm, &issue_seed)?;
            (key, public.expand_blinded(&policy, &realm)?)
        }
    };
    let context = case.bytes("context");
    let message: [u8; 32] = case.bytes("message").try_into().unwrap();
    let (capsule, shared) = danger::encapsulate_message(&public, &tree, &context, &message);
    for (header, made) in [
        ("public", public.as_bytes()),
        ("master-key", master.to_secret_bytes().expose()),
        ("user-key", key.to_secret_bytes().expose()),
        ("tree", tree.as_bytes()),
        ("capsule", capsule.as_bytes()),
        ("shared", shared.expose()),
    ] {
        assert_eq!(hex(made), case.text(header), "{}: {header}", case.name);
    }
    assert!(kem::decapsulate(&key, &tree, &context, &capsule)?.ct_eq(&shared));
    Ok(())
}

/// From bytes to the shared key.
fn decapsulation(case: &mut Case) -> Result<(), Error> {
    let public = PublicParameters::decode(&case.bytes("public"))?;
    let key = UserKey::decode(&case.bytes("user-key"), &public)?;
    let tree = AccessTree::decode(&case.bytes("tree"))?;
    let capsule = Capsule::decode(&tree, &case.bytes("capsule"))?;
    let shared = kem::decapsulate(&key, &tree, &case.bytes("context"), &capsule)?;
    assert_eq!(hex(shared.expose()), case.text("shared"), "{}", case.name);
    Ok(())
}
