//! Records in a store.

use std::collections::BTreeMap;

use chartseal::backup;
use chartseal::consent::{Access, StoredConsent};
use chartseal::id::Time;
use chartseal::record::SealedRecord;
use chartseal::repository::{Put, Repository};
use chartseal::store::{MemoryStore, Store};
use serde_json::Value;

use super::waiting::block_on;
use super::world::{NOW, World, record};

pub(crate) fn sealed(world: &World, access: &Access, id: &str) -> SealedRecord {
    let record = record(id).part(access).unwrap().field("/diagnosis", format!("of {id}")).unwrap();
    // Whenever the consent was signed: some tests sign theirs late.
    record.seal(&world.ada.author().danger_unchecked(), NOW).unwrap()
}

pub(crate) fn fill(world: &World, store: &dyn Store, access: &Access, n: usize) {
    for i in 0..n {
        let put = block_on(Repository::new(store).put(&sealed(world, access, &format!("r{i:05}"))));
        assert_eq!(put.unwrap(), Put::Done);
    }
}

/// Puts the consent there that [`World::rotated`] gave this access to.
pub(crate) fn publish(world: &World, store: &dyn Store, access: &Access) {
    assert_eq!(block_on(Repository::new(store).put_consent(&world.stored(access))).unwrap(), Put::Done);
}

pub(crate) fn read(store: &dyn Store, access: &Access, id: &str) -> SealedRecord {
    block_on(Repository::new(store).get(access.owner(), &id.parse().unwrap())).unwrap().unwrap()
}

/// What is kept in a store, or noted in a ledger; not what the two say of each other.
pub(crate) fn contents(store: &dyn Store) -> BTreeMap<String, Vec<u8>> {
    let mut keys = block_on(store.keys("", "", usize::MAX)).unwrap();
    keys.retain(|key| !["bound", "identity"].contains(&key.as_str()));
    let entries = block_on(store.get(&keys)).unwrap();
    keys.into_iter().zip(entries).map(|(key, entry)| (key, entry.unwrap().value)).collect()
}

/// A backup of a store of which nothing is damaged.
pub(crate) fn backed_up(store: &dyn Store) -> Vec<u8> {
    let mut stream = Vec::new();
    let written = block_on(backup::write(store, &mut stream)).unwrap();
    assert!(written.damaged.is_empty(), "{written:?}");
    stream
}

/// The store that a backup is restored into.
pub(crate) fn restored(mut stream: &[u8]) -> MemoryStore {
    let store = MemoryStore::new();
    block_on(backup::restore(&store, &mut stream)).unwrap();
    store
}

pub(crate) fn now() -> Time {
    NOW
}

/// The same consent with other numbers in these fields: the signature does not hold, and a server that only reads it cannot
/// tell.
pub(crate) fn altered(stored: &StoredConsent, fields: &str) -> StoredConsent {
    fn alter(value: &mut Value, named: &str) {
        match value {
            Value::Object(fields) => fields.iter_mut().for_each(|(name, field)| match field {
                Value::Number(number) if name == named => *field = (number.as_u64().unwrap() + 1).into(),
                field => alter(field, named),
            }),
            Value::Array(all) => all.iter_mut().for_each(|value| alter(value, named)),
            _ => {}
        }
    }
    let mut json = serde_json::from_str(&stored.to_json().unwrap()).unwrap();
    alter(&mut json, fields);
    StoredConsent::from_json(&json.to_string()).unwrap()
}
