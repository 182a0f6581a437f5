//! Who reads while a key retires is given what there is, before or after.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::guard;
use crate::support::hospital::{Budget, Hospital, Interrupted, When};
use crate::support::store::hands_on;
use crate::support::stored::{backed_up, restored};
use crate::support::waiting::block_on;
use chartseal::Error;
use chartseal::id::{RecordId, Revision};
use chartseal::repository::Repository;
use chartseal::rotation::Retirement;
use chartseal::store::{BoxFuture, Entry, Store, StoreError, StoreFailure};

fn id() -> RecordId {
    "r00000".parse().unwrap()
}

/// What a reader asks for, and whether he was given it.
type Reads = fn(&Hospital, &Repository<'_>) -> Result<bool, Error>;

const READS: [(&str, Reads); 3] = [
    ("a record", |hospital, repository| {
        let record = block_on(repository.get(&hospital.place().0, &id()))?.unwrap();
        Ok(hospital.world.reader().open(&record, &[hospital.access(1)]).is_ok())
    }),
    ("a revision", |hospital, repository| {
        let record = block_on(repository.revision(&hospital.place().0, &id(), Revision(0)))?.unwrap();
        Ok(hospital.world.reader().open(&record, &[hospital.access(1)]).is_ok())
    }),
    ("the consents", |hospital, repository| {
        let (owner, section) = hospital.place();
        Ok(block_on(repository.consents(&owner, &section, None))?.contains(&hospital.chain[1].0))
    }),
];

/// The whole of it, from the new consent to the end of the old one, comes between two looks of the reader: at the record, at
/// the ledger, at the consents.
#[test]
fn a_reader_whom_a_retirement_overtakes_is_given_what_there_is_now() {
    for (what, reads) in READS {
        for (in_ledger, begin) in [(true, "ledger/"), (false, "restoring"), (false, "content/"), (false, "wrap/")] {
            let hospital = Hospital::new();
            let act = || {
                hospital.publish(1);
                assert!(matches!(hospital.rotate(0, 1, "job"), Retirement::Done { .. }));
            };
            let data = Interrupted::new(&hospital.store, When::Reading(if in_ledger { "-" } else { begin }), &act);
            let noted = Interrupted::new(&hospital.ledger, When::Reading(if in_ledger { begin } else { "-" }), &act);
            let repository = guard::guarded(&data, guard::ledger(&noted));
            let told = reads(&hospital, &repository);
            // Who asks for consents looks at no record.
            let looked = data.happened() || noted.happened();
            assert!(looked != (what == "the consents" && ["content/", "wrap/"].contains(&begin)), "{what} {begin}");
            assert_eq!(told, Ok(looked), "{what}, before {begin}");
        }
    }
}

/// What came out of a backup stays so, however often one looks: a few looks are enough to know.
#[test]
fn a_reader_of_a_store_that_is_behind_is_told_so_soon() {
    let hospital = Hospital::new();
    let stream = backed_up(&hospital.store);
    hospital.publish(1);
    assert!(matches!(hospital.rotate(0, 1, "job"), Retirement::Done { .. }));
    let store = restored(&stream);
    hospital.over(&store);
    for (what, reads) in READS {
        let store = Budget(&store, AtomicU64::new(25));
        assert!(matches!(reads(&hospital, &hospital.over(&store)), Err(Error::Rollback(_))), "{what}");
    }
}

/// Shows the wrap in every second call, and the body in the others.
struct Flickering<'a>(&'a dyn Store, AtomicU64);

impl Store for Flickering<'_> {
    hands_on!(0: limits tags keys scan apply);

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        Box::pin(async move {
            let mut held = self.0.get(keys).await?;
            if keys.iter().any(|key| key.starts_with("wrap/") || key.starts_with("body/")) {
                let hidden = ["wrap/", "body/"][usize::from(self.1.fetch_add(1, Ordering::SeqCst) % 4 < 2)];
                let hide = |(key, held): (&String, &mut Option<Entry>)| {
                    *held = held.take().filter(|_| !key.starts_with(hidden))
                };
                keys.iter().zip(&mut held).for_each(hide);
            }
            Ok(held)
        })
    }
}

#[test]
fn a_record_that_keeps_changing_is_said_to_be_busy_and_not_to_be_damaged() {
    let hospital = Hospital::new();
    let (owner, _) = hospital.place();
    let store = Flickering(&hospital.store, AtomicU64::new(0));
    let told = block_on(Repository::new(&store).get(&owner, &id())).unwrap_err();
    assert!(matches!(&told, Error::Store(told) if told.failure() == StoreFailure::Unavailable), "{told}");
    assert!(store.1.load(Ordering::SeqCst) >= 8);
}
