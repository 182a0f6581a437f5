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
        let disks = Self::open(folder);
        let ledger = block_on(Ledger::create(&disks.noted)).unwrap();
        block_on(Repository::bind(&disks.data, ledger)).unwrap();
        disks
    }

    pub(crate) fn open(folder: &Path) -> Self {
        Self {
            data: RedbStore::open(folder.join("data")).unwrap(),
            noted: RedbStore::open(folder.join("ledger")).unwrap(),
            pins: RedbPins::open(folder.join("pins")).unwrap(),
        }
    }

    pub(crate) fn ledger(&self) -> Ledger<'_> {
        block_on(Ledger::open(&self.noted)).unwrap()
    }

    pub(crate) fn repository(&self) -> Repository<'_> {
        block_on(Repository::guarded(&self.data, self.ledger())).unwrap()
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
