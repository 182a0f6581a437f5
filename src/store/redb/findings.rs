//! Whether a file is whole, and what in it is not.

use std::fmt;

use redb::{ReadTransaction, ReadableTable};

use super::failure::{caught, failed, name};
use super::row::{BODIES, ENTRIES, WRITTEN, decode, written};
use crate::store::StoreError;

/// What [`RedbStore::check`](super::RedbStore::check) and [`RedbStore::salvage`](super::RedbStore::salvage) found.
///
/// # Example
///
/// ```
/// use chartseal::store::RedbStore;
///
/// let folder = tempfile::tempdir()?;
/// let store = RedbStore::open(folder.path().join("records.redb"))?;
/// let findings = pollster::block_on(store.check())?;
/// assert!(findings.damaged().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    pub(super) whole: u64,
    damaged: Vec<String>,
    unnamed: u64,
}

impl Findings {
    /// How many keys have their whole value.
    pub fn whole(&self) -> u64 {
        self.whole
    }

    /// What is damaged, each a sentence that names the key, or keys that it lies between. The first thousand.
    pub fn damaged(&self) -> &[String] {
        &self.damaged
    }

    pub(super) fn add(&mut self, damage: String) {
        if self.damaged.len() < MOST_NAMED {
            self.damaged.push(damage);
        } else {
            self.unnamed += 1;
        }
    }
}

/// For the operator, a line each.
impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} keys are whole, {} damaged.", self.whole, self.damaged.len() as u64 + self.unnamed)?;
        self.damaged.iter().try_for_each(|damage| writeln!(f, "{damage}"))
    }
}

const MOST_NAMED: usize = 1000;
pub(super) const COUNT: &str = "the count of writes is damaged";

pub(super) fn check(reading: &ReadTransaction) -> Result<Findings, StoreError> {
    let mut findings = Findings::default();
    let bodies = reading.open_table(BODIES).map_err(failed)?;
    walk(reading, &mut |Found { key, row, in_place }| {
        if !in_place {
            findings.add(format!("{}: it is not in its place", name(key)));
        }
        match read(&bodies, key, row) {
            Ok(_) => findings.whole += 1,
            Err(error) => findings.add(error.text().to_owned()),
        }
    })
    .into_iter()
    .for_each(|gap| findings.add(gap));
    if written(&reading.open_table(WRITTEN).map_err(failed)?).is_err() {
        findings.add(COUNT.to_owned());
    }
    Ok(findings)
}

/// What a whole row has.
pub(super) struct Whole {
    pub(super) number: u64,
    pub(super) body: Option<Vec<u8>>,
}

pub(super) fn read(
    bodies: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
    row: &[u8],
) -> Result<Whole, StoreError> {
    let row = decode(key, row)?;
    // The engine may give up over the other table alone.
    let value = caught(|| row.value_from(bodies))?;
    let body = row.is_beside().then_some(value);
    Ok(Whole { number: u64::from_be_bytes(row.number), body })
}

/// A row that lies in a file.
pub(super) struct Found<'a> {
    pub(super) key: &'a [u8],
    pub(super) row: &'a [u8],
    /// Whether its key is on the right side of the one that was found before it.
    pub(super) in_place: bool,
}

/// Gives each row from the first on, and, where that ends at damage, from the last one back. Says what lies between.
pub(super) fn walk(reading: &ReadTransaction, each: &mut dyn FnMut(Found<'_>)) -> Option<String> {
    let (mut first, mut last) = (None::<Vec<u8>>, None::<Vec<u8>>);
    let forward = caught(|| {
        for entry in reading.open_table(ENTRIES).map_err(failed)?.iter().map_err(failed)? {
            let (key, row) = entry.map_err(failed)?;
            let in_place = first.as_deref().is_none_or(|first| first < key.value());
            each(Found { key: key.value(), row: row.value(), in_place });
            first = Some(key.value().to_vec());
        }
        Ok(())
    });
    let cause = forward.err()?;
    let _ended = caught(|| {
        for entry in reading.open_table(ENTRIES).map_err(failed)?.iter().map_err(failed)?.rev() {
            let (key, row) = entry.map_err(failed)?;
            if first.as_ref().is_some_and(|first| key.value() <= first.as_slice()) {
                break;
            }
            let in_place = last.as_deref().is_none_or(|last| key.value() < last);
            each(Found { key: key.value(), row: row.value(), in_place });
            last = Some(key.value().to_vec());
        }
        Ok(())
    });
    let end = |key: Option<Vec<u8>>, none: &str| key.map_or(none.to_owned(), |key| name(&key));
    Some(format!("between {} and {}: {}", end(first, "the begin"), end(last, "the end"), cause.text()))
}
