//! The store is lost, and there is no backup.

use chartseal::Error;
use chartseal::consent::{Access, StoredConsent};
use chartseal::id::CompartmentId;
use chartseal::ledger::LedgerError;
use chartseal::owner::Owner;
use chartseal::pin::PinStore;
use chartseal::record::Reader;
use chartseal::repository::{Put, Repository};

use super::{DAY, Site, by_device, by_key, record, section};
use crate::support::stored::sealed;
use crate::support::waiting::block_on;
use crate::support::world::{NOW, World, after};

fn first(world: &World, compartment: &str) -> (StoredConsent, Access) {
    let consent = world.phone.consent(world.devices(), compartment.parse().unwrap());
    let consent = consent.read(&world.trust, world.hospital.id(), "role:doctor or role:nurse").unwrap();
    consent.write(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap()
}

/// Two compartments, of which one was moved to a new key when the nurse was shut out; and somebody who was erased.
#[test]
fn a_new_store_beside_the_ledger_has_the_newest_consents_again_and_nobody_else_is_let_in() {
    let (world, site) = (World::new(), Site::new());
    let devices = world.devices();
    let [ada, nurse] =
        [&world.ada, &world.nurse].map(|one| one.identity.accept(&one.issued, &world.trust, NOW).unwrap());
    let (stored, old) = first(&world, "a");
    site.publish(devices, &stored, NOW);
    site.publish(devices, &first(&world, "b").0, NOW);
    site.write(&world, &old, "r");
    let revoked = world.phone.sharing(devices, &world.trust, &old).revoke("nurse-ned".parse().unwrap()).unwrap();
    let (stored, access, _) = revoked.seal(after(10)).unwrap();
    site.publish(devices, &stored, after(10));
    site.moves(&[&old], &access, "job", after(10));
    let now = after(20);
    let reader = Reader::new(&world.trust, now).devices(devices.clone());
    let mut seen = PinStore::default();
    let amended = reader.amend(&site.record(devices.owner(), "r"), &[&access]).unwrap();
    let amended = amended.field("/diagnosis", "I21.9").unwrap().seal(&world.ada.author(), now).unwrap();
    assert_eq!(block_on(site.repository().amend(&site.record(devices.owner(), "r"), &amended)), Ok(Put::Done));
    reader.remembering(&mut seen).open(&amended, &[&access]).unwrap();
    let (gone, gones) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
    let (stored, of_the_erased) = gones.consent(gone.devices(), section()).seal(NOW).unwrap();
    site.publish(gone.devices(), &stored, NOW);
    let erasure = gone.erase(after(DAY), now).unwrap().accept(gone.devices(), now).unwrap();
    block_on(site.repository().erase(&erasure)).unwrap();

    // The disk is lost. An empty store takes no place.
    let (store, ledger) = (site.another_store("new"), site.ledger());
    assert_eq!(block_on(Repository::guarded(&store, ledger)).err(), Some(LedgerError::OtherStore.into()));
    assert_eq!(block_on(Repository::replace_store(&store, ledger)).err(), Some(LedgerError::NothingRestored.into()));
    // One of the ledger's consents, so that it does.
    let known = block_on(ledger.compartments(None)).unwrap();
    let place = |name: &str| (devices.owner().clone(), name.parse::<CompartmentId>().unwrap());
    assert_eq!(known, [place("a"), place("b")]);
    let newest = block_on(ledger.newest(&known[0].0, &known[0].1)).unwrap().unwrap();
    assert_eq!(block_on(Repository::new(&store).put_consent(&newest)), Ok(Put::Done));
    let repository = block_on(Repository::replace_store(&store, ledger)).unwrap();
    // The others.
    assert_eq!(block_on(repository.behind()), Ok(vec![place("b")]));
    for (owner, compartment) in block_on(repository.behind()).unwrap() {
        assert!(block_on(repository.catch_up(&owner, &compartment)).unwrap().is_some());
    }
    assert_eq!(block_on(repository.behind()), Ok(Vec::new()));

    // Whoever was let in is, and nobody who was shut out before; the records are gone.
    let served = block_on(repository.consents(devices.owner(), &section(), None)).unwrap();
    let opened = devices.open_consents(&section(), &served, &mut seen, now, by_key(&ada)).unwrap();
    let shut_out = devices.open_consents(&section(), &served, &mut PinStore::default(), now, by_key(&nurse));
    assert_eq!(shut_out.err(), Some(Error::CannotOpen));
    let phone = devices.open_consents(&section(), &served, &mut PinStore::default(), now, by_device(&world.phone));
    assert!(phone.is_ok());
    assert_eq!(block_on(repository.get(devices.owner(), &record("r"))), Ok(None));
    // Nothing is written under the key of before, nor of whoever was erased.
    for outdated in [sealed(&world, &old, "r"), sealed(&world, &of_the_erased, "r")] {
        assert_eq!(block_on(repository.put(&outdated)), Ok(Put::Outdated));
    }
    // What the hospital has elsewhere is written again, under an id of its own: of the old one they remember more.
    for (id, reads) in [("r", false), ("r-again", true)] {
        let again = sealed(&world, &opened.newest, id);
        assert_eq!(block_on(repository.put(&again)), Ok(Put::Done));
        let again = block_on(repository.get(devices.owner(), &record(id))).unwrap().unwrap();
        assert_eq!(reader.remembering(&mut seen).open(&again, &[&opened.newest]).is_ok(), reads, "{id}");
    }
    // It is found after all.
    assert_eq!(block_on(Repository::guarded(&site.store, ledger)).err(), Some(LedgerError::OtherStore.into()));
    let found = block_on(Repository::replace_store(&site.store, ledger)).unwrap();
    assert_eq!(block_on(found.behind()), Ok(Vec::new()));
    assert_eq!(site.reads((&world.trust, devices, now), "r", by_key(&ada)), Ok(()));
}

/// The ledger was lost with the store. A reader remembers consents that nobody has any more.
#[test]
fn first_consents_are_taken_again_by_whoever_remembers_earlier_ones_under_a_later_list() {
    let mut world = World::new();
    let ada = world.ada.identity.accept(&world.ada.issued, &world.trust, NOW).unwrap();
    let opens = |world: &World, site: &Site, pins: &mut PinStore| {
        let devices = world.alice.list().accept(world.alice.id(), pins, after(30)).unwrap();
        let served = site.consents(devices.owner());
        devices.open_consents(&section(), &served, pins, after(30), by_key(&ada)).map(drop)
    };
    let mut pins = PinStore::default();
    let lost = Site::new();
    let (_, access) = first(&world, "a");
    let change = world.phone.sharing(world.devices(), &world.trust, &access).rotate().unwrap();
    lost.publish(world.devices(), &change.seal(after(10)).unwrap().0, after(10));
    assert_eq!(opens(&world, &lost, &mut pins), Ok(()));
    let site = Site::new();
    site.publish(world.devices(), &first(&world, "a").0, after(10));
    assert_eq!(opens(&world, &site, &mut pins), Err(Error::Rollback("consent")));
    world.alice.arrange_recovery(&[], after(20)).unwrap();
    let site = Site::new();
    site.publish(world.devices(), &first(&world, "a").0, after(20));
    assert_eq!(opens(&world, &site, &mut pins), Ok(()));
}
