//! Another consent lies in the place of the next.

use chartseal::Error;
use chartseal::consent::Access;
use chartseal::owner::Device;
use chartseal::pin::PinStore;
use chartseal::repository::{Put, Repository};
use chartseal::rotation::Rotation;

use super::{DAY, Site, by_device, by_key, by_name, identity, section};
use crate::support::stored::altered;
use crate::support::waiting::block_on;
use crate::support::world::{NOW, World, after};

/// The tablet's was written into the store without the ledger.
#[test]
fn a_version_that_was_published_past_the_ledger_is_gone_on_from() {
    let (mut world, site) = (World::new(), Site::new());
    let nurse = world.nurse.identity.accept(&world.nurse.issued, &world.trust, NOW).unwrap();
    let tablet = Device::generate("tablet".parse().unwrap()).unwrap();
    world.alice.add_device(&tablet.public(), NOW).unwrap();
    let (devices, friend) = (world.devices(), identity("friend"));
    let consent =
        world.phone.consent(devices, section()).read(&world.trust, world.hospital.id(), "role:nurse").unwrap();
    let consent = consent.write(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let (stored, access) = consent.seal(NOW).unwrap();
    site.publish(devices, &stored, NOW);
    site.write(&world, &access, "r");
    let change = tablet.sharing(devices, &world.trust, &access).revoke("nurse-ned".parse().unwrap()).unwrap();
    let (tablets, ..) = change.seal(after(10)).unwrap();
    assert_eq!(block_on(Repository::new(&site.store).put_consent(&tablets)), Ok(Put::Done));
    let grant = |access: &Access, now| {
        let change = world.phone.sharing(devices, &world.trust, access).grant(&friend.public()).unwrap();
        change.seal(now).unwrap()
    };
    let (phones, refused, _) = grant(&access, after(11));
    assert_eq!(site.try_to_publish(&refused, &phones), Ok(Put::Conflict));

    let now = after(20);
    let opened = site.open(devices, now, by_device(&world.phone)).unwrap();
    let (stored, next, _) = grant(&opened.newest, now);
    site.publish(devices, &stored, now);
    site.moves(&opened.accesses(), &next, "both", now);
    let knows = (&world.trust, devices, now);
    assert_eq!(site.reads(knows, "r", by_name(&friend)), Ok(()));
    assert_eq!(site.reads(knows, "r", by_key(&nurse)), Err(Error::CannotOpen));
}

/// By a server that has seen it come, or by a custodian who signs two of one number.
#[test]
fn a_consent_that_was_planted_in_the_place_of_the_next_gives_way_to_it_by_the_ledgers_word() {
    for by_custodian in [false, true] {
        let (world, site, keeper) = (World::new(), Site::new(), identity("keeper"));
        let devices = world.devices();
        let [ada, nurse] =
            [&world.ada, &world.nurse].map(|one| one.identity.accept(&one.issued, &world.trust, NOW).unwrap());
        let consent = world.phone.consent(devices, section()).custodian(&keeper.public()).unwrap();
        let consent = consent.read(&world.trust, world.hospital.id(), "role:doctor or role:nurse").unwrap();
        let (stored, old) = consent.write(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap();
        site.publish(devices, &stored, NOW);
        site.write(&world, &old, "r");
        let mandate = world.phone.mandate((devices, &old), &keeper.public(), after(30 * DAY), NOW).unwrap();
        let his = || {
            let consent = mandate.consent(&keeper, devices).unwrap().after(&old).unwrap();
            let consent = consent.same_terms(&world.trust).unwrap().exclude("nurse-ned".parse().unwrap());
            consent.seal(after(10)).unwrap()
        };
        let (next, access, planted) = if by_custodian {
            let ((next, access), (planted, _)) = (his(), his());
            (next, access, planted)
        } else {
            let change = world.phone.sharing(devices, &world.trust, &old).revoke("nurse-ned".parse().unwrap()).unwrap();
            let (next, access, _) = change.seal(after(10)).unwrap();
            let planted = altered(&next, "issued_at");
            (next, access, planted)
        };
        assert_eq!(block_on(Repository::new(&site.store).put_consent(&planted)), Ok(Put::Done));
        let now = after(20);
        let mut deceived = PinStore::default();
        let opened =
            devices.open_consents(&section(), &site.consents(devices.owner()), &mut deceived, now, by_key(&ada));
        assert_eq!(opened.unwrap().refused.len(), usize::from(!by_custodian), "what does not verify deceives nobody");
        for _ in 0..2 {
            assert_eq!(site.try_to_publish(&access, &next), Ok(Put::Conflict));
        }
        // Meanwhile nothing is lost, and nothing is closed to her.
        assert_eq!(site.reads((&world.trust, devices, now), "r", by_key(&nurse)), Ok(()));
        let clock = || now;
        let before = [&old];
        let rotation = Rotation::new(&site.store, &before, &access, &clock).unwrap();
        assert!(matches!(block_on(rotation.run("early", |_| ())), Err(Error::ApiMisuse(_))));

        let (repository, owner) = (site.repository(), devices.owner());
        block_on(site.ledger().advance(&access, &next)).unwrap();
        assert_eq!(site.try_to_publish(&access, &next), Ok(Put::Conflict), "to publish it again does not do it");
        assert_eq!(block_on(repository.catch_up(owner, &section())), Ok(Some(next.clone())));
        assert_eq!(site.try_to_publish(&access, &next), Ok(Put::Done));
        assert_eq!(site.consents(owner), [stored.clone(), next.clone()]);
        site.moves(&[&old], &access, "job", now);
        let knows = (&world.trust, devices, now);
        assert_eq!(site.reads(knows, "r", by_key(&ada)), Ok(()));
        assert_eq!(site.reads(knows, "r", by_name(&keeper)), Ok(()));
        assert_eq!(site.reads(knows, "r", by_key(&nurse)), Err(Error::CannotOpen));
        assert_eq!(site.opens(knows, "r", &[&old]), Err(Error::CannotOpen));
        // Whoever opened the custodian's other one goes on with the owner's next word.
        let opens = |pins: &mut PinStore| {
            devices.open_consents(&section(), &site.consents(owner), pins, now, by_key(&ada)).map(drop)
        };
        assert_eq!(opens(&mut deceived), if by_custodian { Err(Error::Fork("consent")) } else { Ok(()) });
        let newest = site.open(devices, now, by_device(&world.phone)).unwrap().newest;
        let change = world.phone.sharing(devices, &world.trust, &newest).reseal().unwrap();
        site.publish(devices, &change.seal(now).unwrap().0, now);
        assert_eq!(opens(&mut deceived), Ok(()));
    }
}
