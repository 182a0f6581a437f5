//! What is there before a verb is measured.

use std::path::Path;
use std::time::Duration;

use chartseal::consent::{Access, StoredConsent};
use chartseal::id::Revision;
use chartseal::ledger::Ledger;
use chartseal::record::{Author, SealedRecord};
use chartseal::repository::{Put, Repository};
use chartseal::store::{Op, Outcome, Store};

use super::counted::Counted;
use crate::allocator::peak_of_all;
use crate::support::guard::guarded;
use crate::support::waiting::block_on;
use crate::support::world::{NOW, World, record};

/// A patient with a store and a ledger, and consents to her compartment.
pub(crate) struct Base {
    pub(crate) world: World,
    pub(crate) data: Counted,
    pub(crate) noted: Counted,
    pub(crate) consents: Vec<(StoredConsent, Access)>,
    /// What grows.
    of: &'static str,
}

/// After that long the store on disk has nothing left to do.
const QUIET: Duration = Duration::from_millis(25);

impl Base {
    /// One consent is published.
    pub(crate) fn new(folder: &Path, of: &'static str) -> Self {
        let world = World::new();
        let consents = vec![world.consent("a", "role:doctor")];
        let base = Self {
            data: Counted::open(&folder.join("data")),
            noted: Counted::open(&folder.join("ledger")),
            world,
            consents,
            of,
        };
        let ledger = block_on(Ledger::create(&base.noted)).unwrap();
        block_on(Repository::bind(&base.data, ledger)).unwrap();
        base.publish_last();
        base
    }

    pub(crate) fn ledger(&self) -> Ledger<'_> {
        self.noted.uncounted(|| block_on(Ledger::open(&self.noted)).unwrap())
    }

    pub(crate) fn repository(&self) -> Repository<'_> {
        self.over(&self.data)
    }

    pub(crate) fn over<'a>(&'a self, store: &'a Counted) -> Repository<'a> {
        let ledger = self.ledger();
        self.noted.uncounted(|| store.uncounted(|| guarded(store, ledger)))
    }

    pub(crate) fn newest(&self) -> &Access {
        &self.consents.last().unwrap().1
    }

    pub(crate) fn publish_last(&self) {
        let (stored, access) = self.consents.last().unwrap();
        assert_eq!(block_on(self.repository().publish(access, stored)).unwrap(), Put::Done);
    }

    /// The next consent, under a new key.
    pub(crate) fn rotate(&mut self) {
        let change = self.world.phone.sharing(self.world.devices(), &self.world.trust, self.newest()).rotate();
        let (stored, access, _) = change.unwrap().seal(NOW).unwrap();
        self.consents.push((stored, access));
    }

    /// The next consent, under the same key.
    pub(crate) fn reseal(&mut self) {
        let change = self.world.phone.sharing(self.world.devices(), &self.world.trust, self.newest()).reseal();
        let (stored, access, _) = change.unwrap().seal(NOW).unwrap();
        self.consents.push((stored, access));
    }

    pub(crate) fn device(&self) -> Author<'_> {
        Author::device(&self.world.phone, self.world.devices()).unwrap()
    }

    pub(crate) fn sealed(&self, id: &str, bytes: usize) -> SealedRecord {
        let new = record(id).part(self.newest()).unwrap().field("/diagnosis", vec![b'x'; bytes]).unwrap();
        new.seal(&self.world.ada.author(), NOW).unwrap()
    }

    pub(crate) fn amended(&self, before: &SealedRecord) -> SealedRecord {
        let bytes = usize::try_from(before.revision().0).unwrap();
        let after = self.world.reader().amend(before, &[self.newest()]).unwrap();
        after.field("/history", vec![b'y'; bytes % 50]).unwrap().seal(&self.world.ada.author(), NOW).unwrap()
    }

    pub(crate) fn read(&self, id: &str) -> SealedRecord {
        block_on(self.repository().get(self.world.alice.id(), &id.parse().unwrap())).unwrap().unwrap()
    }

    pub(crate) fn at_first(&self, record: &SealedRecord) -> Option<SealedRecord> {
        block_on(self.repository().revision(record.owner(), record.record(), Revision(0))).unwrap()
    }

    /// Many records, by few writes.
    pub(crate) fn fill(&self, records: impl Iterator<Item = SealedRecord>) {
        let ops =
            |record: SealedRecord| record.pieces().unwrap().into_iter().map(|(key, value)| Op::Put { key, value });
        let mut ops = records.flat_map(ops).peekable();
        while ops.peek().is_some() {
            let batch: Vec<Op> = ops.by_ref().take(1000).collect();
            let outcomes = block_on(self.data.apply(batch)).unwrap();
            assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Written(_))));
            // Whoever waits for a line sees that it goes on.
            println!("filling");
        }
    }

    /// Says what a verb costs.
    pub(crate) fn measure<T>(&self, verb: &str, work: impl FnOnce() -> T) -> T {
        self.measure_in(&self.data, verb, work)
    }

    pub(crate) fn measure_in<T>(&self, data: &Counted, verb: &str, work: impl FnOnce() -> T) -> T {
        std::thread::sleep(QUIET);
        for store in [data, &self.noted] {
            _ = (store.take_calls(), store.take_read());
        }
        let (out, peak) = peak_of_all(work);
        let read = data.take_read() + self.noted.take_read();
        println!("~{verb}|{}|{}|{}|{read}|{peak}~", self.of, data.take_calls(), self.noted.take_calls());
        out
    }
}
