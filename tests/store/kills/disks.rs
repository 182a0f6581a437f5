//! The three files: records and consents, the ledger, and the pins of a reader.

use std::path::Path;

use chartseal::consent::StoredConsent;
use chartseal::ledger::Ledger;
use chartseal::pin::RedbPins;
use chartseal::repository::Repository;
use chartseal::store::{RedbStore, Store};

use super::cast::Patient;
use crate::support::waiting::block_on;

pub(crate) struct Disks {
    pub(crate) data: RedbStore,
    pub(crate) noted: RedbStore,
    pub(crate) pins: RedbPins,
}

impl Disks {
    /// Once, before anybody works.
    pub(crate) fn create(folder: &Path) -> Self {
        Self::open(folder)
    }

    pub(crate) fn open(folder: &Path) -> Self {
        Self {
            data: RedbStore::open(folder.join("data")).unwrap(),
            noted: RedbStore::open(folder.join("ledger")).unwrap(),
            pins: RedbPins::open(folder.join("pins")).unwrap(),
        }
    }

    pub(crate) fn ledger(&self) -> Ledger<'_> {
        Ledger::new(&self.noted)
    }

    pub(crate) fn repository(&self) -> Repository<'_> {
        self.over(&self.data)
    }

    pub(crate) fn over<'a>(&'a self, store: &'a dyn Store) -> Repository<'a> {
        Repository::new(store).guarded(self.ledger())
    }

    pub(crate) fn stored(&self, patient: &Patient) -> Vec<StoredConsent> {
        block_on(self.repository().stored_consents(patient.owner.id(), &patient.section(), None)).unwrap()
    }

    /// The names of a patient's records.
    pub(crate) fn records(&self, patient: &Patient) -> Vec<String> {
        let prefix = format!("content/{}/", patient.owner.id());
        let keys = block_on(self.data.keys(&prefix, "", 1000)).unwrap();
        keys.iter().map(|key| key.strip_prefix(&prefix).unwrap().to_owned()).collect()
    }
}
