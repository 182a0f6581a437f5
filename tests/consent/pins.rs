//! The memory of readers: rows in a store of the host's.

#[cfg(feature = "redb")]
mod on_disk;

use std::cell::Cell;
use std::collections::BTreeMap;

use chartseal::Error;
use chartseal::pin::{MAX_PIN_KEY, Pin, PinStore, Pins};
use chartseal::store::{StoreError, StoreFailure};

use crate::support::two_hospitals::{NOW, World};

/// A table of two columns, which counts.
#[derive(Default)]
struct Table {
    rows: BTreeMap<String, Vec<u8>>,
    read: Cell<usize>,
    written: usize,
}

impl Pins for Table {
    fn get(&self, key: &str) -> Result<Option<Pin>, StoreError> {
        self.read.set(self.read.get() + 1);
        let row = self.rows.get(key).map(|row| Pin::from_cbor(row));
        row.transpose().map_err(|_| StoreError::new(StoreFailure::Corrupt, "no pin"))
    }

    fn set(&mut self, key: &str, pin: Pin) -> Result<(), StoreError> {
        assert!(key.len() <= MAX_PIN_KEY);
        self.written += 1;
        self.rows.insert(key.to_owned(), pin.to_cbor().unwrap());
        Ok(())
    }

    fn remove(&mut self, key: &str) -> Result<(), StoreError> {
        self.rows.remove(key);
        Ok(())
    }
}

#[test]
fn a_look_up_reads_its_own_rows_and_writes_what_changed() {
    let world = World::new();
    let (stored, access) = world.sealed("role:doctor");
    // Of a million patients there would be as many rows more, and none of them is read.
    let mut table = Table::default();
    let live = stored.verify(world.owner.devices(), access.compartment(), &table, NOW).unwrap();
    live.open_as_device(&world.phone, &mut table).unwrap();
    let row = table.rows.pop_last().unwrap().1;
    table.rows.extend((0..1000).map(|n| (format!("consent/of-another/{n}"), row.clone())));
    let verify = |table: &mut Table| {
        let (read, written) = (table.read.get(), table.written);
        let live = stored.verify(world.owner.devices(), access.compartment(), table, NOW).unwrap();
        live.open_as_device(&world.phone, table).unwrap();
        (table.read.get() - read, table.written - written)
    };
    let (read, written) = verify(&mut table);
    assert!(read <= 4 && written == 1, "{read} {written}");
    let (read, written) = verify(&mut table);
    assert!(read <= 4 && written == 0, "what is known already is not written again: {read} {written}");
}

/// A row that is damaged says nothing, and nothing is accepted beside it.
#[test]
fn a_damaged_memory_is_no_empty_one() {
    let world = World::new();
    let (stored, access) = world.sealed("role:doctor");
    let mut table = Table::default();
    let verify = |table: &mut Table| {
        let live = stored.verify(world.owner.devices(), access.compartment(), table, NOW)?;
        live.open_as_device(&world.phone, table).map(drop)
    };
    assert_eq!(verify(&mut table), Ok(()));
    table.rows.values_mut().for_each(|row| row.truncate(3));
    assert!(matches!(verify(&mut table), Err(Error::Store(error)) if error.failure() == StoreFailure::Corrupt));
}

#[test]
fn pins_are_read_strictly() {
    let mut pins = PinStore::default();
    let world = World::new();
    let (stored, access) = world.sealed("role:doctor");
    let live = stored.verify(world.owner.devices(), access.compartment(), &pins, NOW).unwrap();
    live.open_as_device(&world.phone, &mut pins).unwrap();
    let bytes = pins.to_cbor().unwrap();
    assert_eq!(PinStore::from_cbor(&bytes).unwrap(), pins);
    for end in 0..bytes.len() {
        assert!(PinStore::from_cbor(&bytes[..end]).is_err(), "{end}");
    }
    let mut long = bytes.clone();
    long.push(0);
    assert!(PinStore::from_cbor(&long).is_err());
}
