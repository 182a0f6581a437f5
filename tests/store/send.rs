//! A task that does any verb may move between threads.

use std::io::{Cursor, Empty};

use crate::support::hospital::Hospital;
use crate::support::stored::{now, sealed};
use crate::support::waiting::block_on;
use crate::support::world::NOW;
use chartseal::Secret;
use chartseal::authority::{Authority, BulletinBoard, StoredAuthority};
use chartseal::backup;
use chartseal::ledger::Ledger;
use chartseal::pin::PinStore;
use chartseal::record::Author;
use chartseal::repository::Repository;
use chartseal::rotation::{Rotation, Scope, Sweep};
use chartseal::store::{MemoryStore, Store};

/// It is only looked at by the compiler; nothing is done.
fn is_send<T: Send>(_: T) {}

#[test]
fn the_future_of_each_verb_can_move_between_threads() {
    let hospital = Hospital::new();
    let (repository, ledger) = (hospital.repository(), hospital.noted());
    let (stored, access) = &hospital.chain[0];
    let (owner, section) = hospital.place();
    let record = sealed(&hospital.world, access, "r");
    let id = record.record();

    is_send(repository.put(&record));
    is_send(repository.amend(&record, &record));
    is_send(repository.supersede(&record, &record));
    is_send(repository.reseal(&record, &record));
    is_send(repository.get(&owner, id));
    is_send(repository.revision(&owner, id, record.revision()));
    is_send(repository.publish(access, stored));
    is_send(repository.put_consent(stored));
    is_send(repository.consents(&owner, &section, None));
    is_send(repository.stored_consents(&owner, &section, None));
    is_send(repository.damaged_consents(&owner, &section));
    is_send(repository.compartments(Some(&owner), None));
    is_send(repository.behind());
    is_send(repository.catch_up(&owner, &section));
    let erasure = hospital.world.erasure();
    is_send(repository.erase(&erasure));
    is_send(repository.erase_restored(&owner));

    is_send(ledger.advance(access, stored));
    is_send(ledger.newest(&owner, &section));
    is_send(ledger.state(&owner, &section, access.key_id()));
    is_send(ledger.erased(None));
    is_send(ledger.is_erased(&owner));
    is_send(ledger.compartments(None));
    is_send(ledger.damaged());
    is_send(Ledger::create(&hospital.ledger));
    is_send(Ledger::open(&hospital.ledger));
    is_send(Repository::bind(&hospital.store, ledger));
    is_send(Repository::guarded(&hospital.store, ledger));
    is_send(Repository::replace_store(&hospital.store, ledger));
    is_send(Repository::replace_ledger(&hospital.store, ledger));

    let author = Author::device(&hospital.world.phone, hospital.world.devices()).unwrap();
    let (old, trust, devices) = ([access], &hospital.world.trust, hospital.world.devices());
    let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
    let rotation = rotation.reencrypt(ledger, trust, devices, &author);
    is_send(rotation.run("job", |_| ()));
    is_send(rotation.break_leases("job"));
    is_send(rotation.quarantined("job"));
    is_send(rotation.retry("job"));
    is_send(rotation.verify());
    is_send(rotation.retire(&ledger));
    is_send(rotation.retire_leaving(&ledger, &[]));
    let sweep = Sweep::new(&hospital.store, &now, Scope::Everything).trusting(ledger, trust);
    is_send(sweep.run("sweep", |_| Ok(None), |_, _| ()));

    let (store, mut out, mut input): (MemoryStore, _, Empty) =
        (MemoryStore::new(), Cursor::new(Vec::new()), std::io::empty());
    is_send(backup::write(&store, &mut out));
    is_send(backup::restore(&store, &mut input));
    is_send(store.delete_prefix(""));
}

#[test]
fn the_future_of_each_verb_of_an_authority_in_a_store_can_move_between_threads() {
    let (store, key, mut pins) = (MemoryStore::new(), Secret::random().unwrap(), PinStore::default());
    let mut house = Authority::setup("st-olave".parse().unwrap(), NOW).unwrap();
    let (id, bulletin) = (house.id().clone(), house.publish(NOW).unwrap());
    let board = BulletinBoard::new(&store);
    is_send(board.post(&bulletin));
    is_send(board.post_revocations(&bulletin.revocations));
    is_send(board.bulletin(&id));
    is_send(board.revocations(&id));
    is_send(StoredAuthority::open(&store, &key, &mut pins, id));
    let mut stored = block_on(StoredAuthority::create(&store, &key, &mut pins, house)).unwrap();
    is_send(stored.authority());
    is_send(stored.change(|house| house.publish(NOW)));
}

#[cfg(feature = "redb")]
#[test]
fn the_future_of_each_call_of_a_store_on_disk_can_move_between_threads() {
    let folder = tempfile::tempdir().unwrap();
    let store = chartseal::store::RedbStore::open(folder.path().join("store")).unwrap();
    is_send(store.get(&[]));
    is_send(store.tags(&[]));
    is_send(store.keys("", "", 1));
    is_send(store.scan("", "", 1));
    is_send(store.apply(Vec::new()));
    is_send(store.delete_prefix(""));
    is_send(store.check());
    is_send(store.compact());
}
