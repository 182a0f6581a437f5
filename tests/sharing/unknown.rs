//! Who and what nobody at hand knows is an error that names it.

use chartseal::authority::{REVOCATION_LIMIT, Trust};
use chartseal::consent::{Access, Action};
use chartseal::id::{PersonId, Time};
use chartseal::identity::Identity;
use chartseal::owner::Who;
use chartseal::pin::PinStore;
use chartseal::policy::ParseErrorKind;
use chartseal::{Error, Unknown};

use crate::support::two_hospitals::{NOW, World, olave, thomas};

fn person(name: &str) -> PersonId {
    name.parse().unwrap()
}

#[test]
fn a_rotation_or_a_revocation_whose_authority_is_unknown_names_it() {
    let mut world = World::new();
    world.at_olave("dr-ada", "role:doctor");
    let consent = world.consent().read(&world.trust, &olave(), "role:doctor").unwrap();
    let (_, access) = consent.read(&world.trust, &thomas(), "role:nurse").unwrap().seal(NOW).unwrap();
    let mut retired = world.trust.clone();
    retired.retire(world.thomas.anchor()).unwrap();
    let mut bare = Trust::new(REVOCATION_LIMIT);
    bare.add(world.olave.anchor()).unwrap();
    bare.update(&world.olave.publish(NOW).unwrap(), &mut PinStore::default(), NOW).unwrap();
    for trust in [&retired, &bare] {
        let sharing = || world.phone.sharing(world.owner.devices(), trust, &access);
        let changes = [
            sharing().rotate(),
            sharing().reseal(),
            sharing().revoke(person("dr-ada")),
            sharing().restrict(&olave(), "role:doctor and ward:1"),
            sharing().grant_policy(&thomas(), "role:clerk"),
        ];
        for change in changes {
            let error = change.unwrap().seal(NOW).unwrap_err();
            assert_eq!(error, Error::Unknown(Unknown::PublicParameters(thomas())));
            assert_eq!(error.to_string(), "the public parameters of `st-thomas` are unknown here");
        }
        // By the runbook: without its policy, the compartment goes on.
        let (_, next, _) = sharing().revoke_authority(&thomas()).unwrap().seal(NOW).unwrap();
        let rotated = world.phone.sharing(world.owner.devices(), trust, &next).rotate().unwrap().seal(NOW);
        assert_eq!(rotated.unwrap().1.read_policies().len(), 1);
    }
}

/// Of a consent with policies of both hospitals.
fn both(world: &World) -> Access {
    let consent = world.consent().read(&world.trust, &olave(), "role:doctor").unwrap();
    let consent = consent.read(&world.trust, &thomas(), "role:doctor").unwrap();
    consent.write(&world.trust, &olave(), "role:doctor").unwrap().seal(NOW).unwrap().1
}

fn nobody(name: &str) -> Error {
    Error::Unknown(Unknown::Person { person: person(name), asked: vec![olave(), thomas()] })
}

#[test]
fn a_revocation_of_a_name_that_nobody_has_is_an_error_that_says_who_was_asked() {
    let mut world = World::new();
    world.at_olave("dr-bob", "role:doctor");
    let access = both(&world);
    let sharing = || world.phone.sharing(world.owner.devices(), &world.trust, &access);
    let error = sharing().revoke(person("dr-bop")).unwrap_err();
    assert_eq!(error, nobody("dr-bop"));
    assert_eq!(error.to_string(), "the person `dr-bop` is unknown to `st-olave`, `st-thomas`");
    // Whom one of them knows is shut out there, and the receipt names the other one.
    let (_, out, receipt) = sharing().revoke(person("dr-bob")).unwrap().seal(NOW).unwrap();
    let shut_out: Vec<_> = receipt.shut_out.iter().map(|party| (party.who.clone(), party.action)).collect();
    assert_eq!(shut_out, [(Who::Person(person("dr-bob")), Action::Both)]);
    assert_eq!(receipt.unenforced.iter().map(|one| one.authority.clone()).collect::<Vec<_>>(), [thomas()]);
    assert!(receipt.to_string().contains("Not shut out under st-thomas: dr-bob, whom it does not know by this name."));
    // Twice does no harm, with or without the map of people.
    let mut bare = Trust::new(REVOCATION_LIMIT);
    for (authority, bulletin) in [&mut world.olave, &mut world.thomas].map(|a| (a.anchor(), a.publish(NOW).unwrap())) {
        bare.add(authority).unwrap();
        bare.update_parameters(&bulletin.parameters, &mut PinStore::default(), NOW).unwrap();
    }
    for trust in [&world.trust, &bare] {
        let again = world.phone.sharing(world.owner.devices(), trust, &out).revoke(person("dr-bob")).unwrap();
        assert_eq!(again.seal(NOW).unwrap().1.terms().exclusions, out.terms().exclusions);
    }
    let unknown = Unknown::Exclusion(person("dr-bop"));
    let sharing = world.phone.sharing(world.owner.devices(), &world.trust, &out);
    assert_eq!(sharing.readmit(&person("dr-bop")).err(), Some(Error::Unknown(unknown)));
}

#[test]
fn an_exclusion_by_a_name_that_nobody_has_is_not_sealed_by_an_owner_nor_by_a_custodian() {
    let mut world = World::new();
    world.at_thomas("dr-bob", "role:doctor");
    let keeper = Identity::generate(person("keeper")).unwrap();
    let consent = || world.consent().custodian(&keeper.public()).unwrap().read(&world.trust, &olave(), "role:doctor");
    let refused = consent().unwrap().exclude(person("dr-bop"));
    assert_eq!(refused.preview(&[], NOW).err(), Some(nobody("dr-bop")));
    assert_eq!(refused.seal(NOW).err(), Some(nobody("dr-bop")));
    // It is enough that an authority knows her that may get a policy later.
    let (_, access) = consent().unwrap().exclude(person("dr-bob")).seal(NOW).unwrap();
    let mandate = world.phone.mandate((world.owner.devices(), &access), &keeper.public(), Time::MAX, NOW).unwrap();
    let night = mandate.consent(&keeper, world.owner.devices()).unwrap().after(&access).unwrap();
    let night = night.same_terms(&world.trust).unwrap().exclude(person("dr-bop"));
    assert_eq!(night.seal(NOW).err(), Some(nobody("dr-bop")));
}

#[test]
fn who_is_let_in_by_name_alone_is_revoked_by_her_name() {
    let world = World::new();
    let sister = Identity::generate(person("sister")).unwrap();
    let access = both(&world);
    let sharing = |access| world.phone.sharing(world.owner.devices(), &world.trust, access);
    let (_, named, _) = sharing(&access).grant(&sister.public()).unwrap().seal(NOW).unwrap();
    let (stored, out, receipt) = sharing(&named).revoke(person("sister")).unwrap().seal(NOW).unwrap();
    assert!(world.verify(&stored).unwrap().open_as(&sister, &mut PinStore::default()).is_err());
    assert!(receipt.to_string().contains("Shut out: sister may not read by name any more.\n"), "{receipt}");
    // Nobody knows her any more.
    assert_eq!(sharing(&out).revoke(person("sister")).err(), Some(nobody("sister")));
}

#[test]
fn a_policy_for_who_is_excluded_is_refused_in_the_words_of_the_caller() {
    let mut world = World::new();
    world.at_olave("dr-ada", "role:doctor");
    let access = both(&world);
    let sharing = |access| world.phone.sharing(world.owner.devices(), &world.trust, access);
    let (_, out, _) = sharing(&access).revoke(person("dr-ada")).unwrap().seal(NOW).unwrap();
    let text = "user:dr-ada and  role:doctor";
    for change in [sharing(&out).restrict(&olave(), text), sharing(&out).restrict_writing(&olave(), text)] {
        let Err(Error::Policy(error)) = change.unwrap().seal(NOW) else { panic!("it was sealed") };
        assert_eq!((error.kind(), &text[error.span()]), (&ParseErrorKind::ExcludedAlone, text));
        assert_eq!(error.to_string(), format!("only people who are excluded could satisfy this at byte 0: `{text}`"));
    }
    // As many leaves as there is room for, before anybody is excluded: of what nobody wrote, no place is told.
    let digit = |n: u32| char::from_digit(n % 36, 36).unwrap();
    let wide = |n: u32| (0..n).map(|i| format!("a:{}{}", digit(i / 36), digit(i))).collect::<Vec<_>>().join(" or ");
    let full =
        (480..=512).rev().find_map(|n| world.consent().read(&world.trust, &olave(), &wide(n)).unwrap().seal(NOW).ok());
    let (_, full) = full.unwrap();
    let Err(Error::Policy(error)) = sharing(&full).revoke(person("dr-ada")).unwrap().seal(NOW) else { panic!("room") };
    assert_eq!((error.kind(), error.span()), (&ParseErrorKind::TooManyExclusions, 0..0));
    assert!(!error.to_string().contains(" at byte "), "{error}");
    // What was said makes too much of what stands already.
    let text = "b:1 or b:2 or clearance >= 3";
    let Err(Error::Policy(error)) = sharing(&full).grant_policy(&olave(), text).and_then(|change| change.seal(NOW))
    else {
        panic!("room")
    };
    assert_eq!((error.kind(), &text[error.span()]), (&ParseErrorKind::TooManyLeaves, text));
}
