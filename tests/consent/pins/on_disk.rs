//! Pins in a file, which may be damaged.

use std::path::PathBuf;

use chartseal::Error;
use chartseal::consent::StoredConsent;
use chartseal::pin::{Pin, Pins, RedbPins};
use chartseal::store::{OpenCheck, RedbOptions};

use crate::support::two_hospitals::{NOW, World};

#[test]
fn pins_on_disk_outlive_the_process_that_wrote_them() {
    let world = World::new();
    let (first, access) = world.sealed("role:doctor");
    let (second, _) = world.consent().after(&access).unwrap().seal(NOW).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pins.redb");
    let verify = |stored: &StoredConsent| {
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

/// A file in which the first consents of a compartment are remembered.
struct Written {
    _folder: tempfile::TempDir,
    path: PathBuf,
    row: String,
    pin: Pin,
    /// After its process closed it.
    closed: Vec<u8>,
    /// As a process that was killed leaves it.
    killed: Vec<u8>,
}

impl Written {
    fn new(consents: usize) -> Self {
        let world = World::new();
        let (first, access) = world.sealed("role:doctor");
        let (second, _) = world.consent().after(&access).unwrap().seal(NOW).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pins.redb");
        let mut pins = RedbPins::open(&path).unwrap();
        for stored in [&first, &second].into_iter().take(consents) {
            let live = stored.verify(world.owner.devices(), access.compartment(), &pins, NOW).unwrap();
            live.open_as_device(&world.phone, &mut pins).unwrap();
        }
        let row = format!("consent/{}/{}", access.owner(), access.compartment());
        let pin = pins.get(&row).unwrap().unwrap();
        let killed = std::fs::read(&path).unwrap();
        drop(pins);
        let closed = std::fs::read(&path).unwrap();
        Self { _folder: folder, path, row, pin, closed, killed }
    }

    /// Places around each copy of the row.
    fn near(&self) -> impl Iterator<Item = usize> {
        let row = self.row.as_bytes();
        let rows = self.closed.windows(row.len()).enumerate().filter(move |(_, at)| *at == row).map(|(at, _)| at);
        rows.flat_map(move |at| at.saturating_sub(16)..at + row.len() + 80).step_by(5)
    }

    /// Each of these bits flipped alone: the pin is what it was, or an error says that something is wrong.
    fn forgets_nothing(&self, file: &[u8], options: &RedbOptions, bits: impl Iterator<Item = (usize, u8)>) {
        let mut refused = 0;
        for (at, bit) in bits {
            let mut damaged = file.to_vec();
            damaged[at] ^= bit;
            std::fs::write(&self.path, &damaged).unwrap();
            match RedbPins::open_with(&self.path, options).and_then(|pins| pins.get(&self.row)) {
                Ok(found) => assert_eq!(found.as_ref(), Some(&self.pin), "{at}"),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 0);
    }
}

/// A row that is not found is taken for nothing seen.
#[test]
fn no_flipped_bit_of_a_file_of_pins_makes_it_forget_or_takes_the_process_with_it() {
    let written = Written::new(1);
    // Around each copy of the row, and here and there.
    let places = written.near().chain((0..400).step_by(7)).chain((0..written.closed.len()).step_by(997));
    written.forgets_nothing(&written.closed, &RedbOptions::new(), places.map(|at| (at, 0x10)));
}

/// The bits that say which commit is the last one are damaged, of a file that nobody closed.
#[test]
fn no_flipped_bit_takes_pins_of_a_killed_process_back_by_a_commit() {
    let written = Written::new(2);
    std::fs::write(&written.path, &written.killed).unwrap();
    assert_eq!(RedbPins::open(&written.path).unwrap().get(&written.row).unwrap().as_ref(), Some(&written.pin));
    // The marks, and here and there in what says where the last two commits lie.
    let bits = (0..8).map(|bit| (9, 1 << bit)).chain((0..320).step_by(3).map(|at| (at, 0x01)));
    written.forgets_nothing(&written.killed, &RedbOptions::new(), bits);
}

/// A file of millions of rows is not read at each start.
#[test]
fn no_flipped_bit_of_a_file_of_pins_that_is_not_checked_makes_it_forget() {
    let written = Written::new(1);
    let options = RedbOptions::new().check(OpenCheck::AfterACrash);
    written.forgets_nothing(&written.closed, &options, written.near().map(|at| (at, 0x10)));
}
