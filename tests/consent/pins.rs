//! The memory of readers: rows in a store of the host's.

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

#[cfg(feature = "redb")]
#[test]
fn pins_on_disk_outlive_the_process_that_wrote_them() {
    use chartseal::pin::RedbPins;

    let world = World::new();
    let (first, access) = world.sealed("role:doctor");
    let (second, _) = world.consent().after(&access).unwrap().seal(NOW).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pins.redb");
    let verify = |stored: &chartseal::consent::StoredConsent| {
        // Each time a new one on the same file.
        let mut pins = RedbPins::open(&path).unwrap();
        let live = stored.verify(world.owner.devices(), access.compartment(), &pins, NOW)?;
        live.open_as_device(&world.phone, &mut pins).map(drop)
    };
    assert_eq!(verify(&first), Ok(()));
    assert_eq!(verify(&second), Ok(()));
    assert_eq!(verify(&first), Err(Error::Rollback("consent")));
    let row = format!("consent/{}/{}", access.owner(), access.compartment());
    for _ in 0..2 {
        RedbPins::open(&path).unwrap().remove(&row).unwrap();
        assert_eq!(RedbPins::open(&path).unwrap().get(&row), Ok(None));
    }
    assert_eq!(verify(&first), Ok(()));
    std::fs::write(&path, b"no database").unwrap();
    assert!(RedbPins::open(&path).is_err());
}

/// A row that is not found is taken for nothing seen.
#[cfg(feature = "redb")]
#[test]
fn no_flipped_bit_of_a_file_of_pins_makes_it_forget_or_takes_the_process_with_it() {
    use chartseal::pin::RedbPins;

    let world = World::new();
    let (stored, access) = world.sealed("role:doctor");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pins.redb");
    let mut pins = RedbPins::open(&path).unwrap();
    let live = stored.verify(world.owner.devices(), access.compartment(), &pins, NOW).unwrap();
    live.open_as_device(&world.phone, &mut pins).unwrap();
    let row = format!("consent/{}/{}", access.owner(), access.compartment());
    let pin = pins.get(&row).unwrap();
    assert!(pin.is_some());
    drop(pins);
    let whole = std::fs::read(&path).unwrap();
    // Around each copy of the row, and here and there.
    let rows = whole.windows(row.len()).enumerate().filter(|(_, at)| *at == row.as_bytes()).map(|(at, _)| at);
    let near = rows.flat_map(|at| at.saturating_sub(16)..at + row.len() + 80);
    let mut refused = 0;
    for at in near.step_by(5).chain((0..400).step_by(7)).chain((0..whole.len()).step_by(997)) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&path, &damaged).unwrap();
        match RedbPins::open(&path).and_then(|pins| pins.get(&row)) {
            Ok(found) => assert_eq!(found, pin, "{at}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0);
}

/// The bits that say which commit is the last one are damaged, of a file that nobody closed.
#[cfg(feature = "redb")]
#[test]
fn no_flipped_bit_takes_pins_of_a_killed_process_back_by_a_commit() {
    use chartseal::pin::RedbPins;

    let world = World::new();
    let (first, access) = world.sealed("role:doctor");
    let (second, _) = world.consent().after(&access).unwrap().seal(NOW).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pins.redb");
    let mut pins = RedbPins::open(&path).unwrap();
    for stored in [&first, &second] {
        let live = stored.verify(world.owner.devices(), access.compartment(), &pins, NOW).unwrap();
        live.open_as_device(&world.phone, &mut pins).unwrap();
    }
    let row = format!("consent/{}/{}", access.owner(), access.compartment());
    let pin = pins.get(&row).unwrap();
    let killed = std::fs::read(&path).unwrap();
    drop(pins);
    std::fs::write(&path, &killed).unwrap();
    assert_eq!(RedbPins::open(&path).unwrap().get(&row).unwrap(), pin);
    let mut refused = 0;
    // The marks, and here and there in what says where the last two commits lie.
    for (at, bit) in (0..8).map(|bit| (9, 1 << bit)).chain((0..320).step_by(3).map(|at| (at, 0x01))) {
        let mut damaged = killed.clone();
        damaged[at] ^= bit;
        std::fs::write(&path, &damaged).unwrap();
        match RedbPins::open(&path).and_then(|pins| pins.get(&row)) {
            Ok(found) => assert_eq!(found, pin, "{at}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0);
}

/// A file of millions of rows is not read at each start.
#[cfg(feature = "redb")]
#[test]
fn no_flipped_bit_of_a_file_of_pins_that_is_not_checked_makes_it_forget() {
    use chartseal::pin::RedbPins;
    use chartseal::store::{OpenCheck, RedbOptions};

    let world = World::new();
    let (stored, access) = world.sealed("role:doctor");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pins.redb");
    let mut pins = RedbPins::open(&path).unwrap();
    let live = stored.verify(world.owner.devices(), access.compartment(), &pins, NOW).unwrap();
    live.open_as_device(&world.phone, &mut pins).unwrap();
    let row = format!("consent/{}/{}", access.owner(), access.compartment());
    let pin = pins.get(&row).unwrap();
    assert!(pin.is_some());
    drop(pins);
    let whole = std::fs::read(&path).unwrap();
    let rows = whole.windows(row.len()).enumerate().filter(|(_, at)| *at == row.as_bytes()).map(|(at, _)| at);
    let near = rows.flat_map(|at| at.saturating_sub(16)..at + row.len() + 80);
    let options = RedbOptions::new().check(OpenCheck::AfterACrash);
    let mut refused = 0;
    for at in near.step_by(5) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&path, &damaged).unwrap();
        match RedbPins::open_with(&path, &options).and_then(|pins| pins.get(&row)) {
            Ok(found) => assert_eq!(found, pin, "{at}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0);
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
