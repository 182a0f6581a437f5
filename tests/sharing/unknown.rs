//! Who and what nobody at hand knows is an error that names it.

use chartseal::authority::{REVOCATION_LIMIT, Trust};
use chartseal::id::PersonId;
use chartseal::pin::PinStore;
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
