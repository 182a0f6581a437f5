//! What a retirement does not see, it does not destroy.

use crate::support::hospital::{Hospital, Scanned};
use crate::support::store::hands_on;
use crate::support::stored::{contents, now, read};
use crate::support::waiting::block_on;
use crate::support::world::after;
use chartseal::Error;
use chartseal::ledger::{KeyState, LedgerError};
use chartseal::repository::{Put, Repository};
use chartseal::rotation::{Retirement, Rotation};
use chartseal::store::{BoxFuture, Fault, MemoryStore, Store, StoreError};

/// A store whose listings leave out what has this in its key: a replica that lags behind.
struct Hides<'a> {
    store: &'a dyn Store,
    hidden: &'a [&'a str],
}

impl Hides<'_> {
    fn shows(&self, key: &str) -> bool {
        !self.hidden.iter().any(|hidden| key.contains(hidden))
    }
}

impl Store for Hides<'_> {
    hands_on!(store: limits get tags apply);

    fn keys<'a>(&'a self, prefix: &'a str, after: &'a str, n: usize) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            let all = self.store.keys(prefix, after, usize::MAX).await?;
            Ok(all.into_iter().filter(|key| self.shows(key)).take(n).collect())
        })
    }

    fn scan<'a>(&'a self, prefix: &'a str, after: &'a str, n: usize) -> Scanned<'a> {
        Box::pin(async move {
            let all = self.store.scan(prefix, after, usize::MAX).await?;
            Ok(all.into_iter().filter(|(key, _)| self.shows(key)).take(n).collect())
        })
    }
}

impl Hospital {
    fn assert_kept(&self, what: &str) {
        let (owner, section) = self.place();
        let state = block_on(self.noted().state(&owner, &section, self.access(0).key_id()));
        assert_eq!(state, Ok(KeyState::DecryptOnly), "{what}");
        for (n, record) in ["r00000", "r00001", "r00002"].into_iter().enumerate() {
            let record = read(&self.store, self.access(0), record);
            let accesses = [self.access(0), self.access(1)];
            assert!(self.world.reader().open(&record, &accesses).is_ok(), "{what}: {n}");
        }
    }
}

/// From the whole listing down to nothing but the count of the job: each alone is enough.
#[test]
fn a_wrap_that_a_listing_hides_keeps_its_key_from_being_destroyed() {
    let wrap = "/r00001/";
    let hidden: [&[&str]; 3] = [&["wrap/"], &["wrap/", "envelope/"], &["wrap/", "envelope/", "content/"]];
    for kinds in hidden {
        let hospital = Hospital::new();
        hospital.publish(1);
        let old = [hospital.access(0)];
        // The job sees two of the three.
        let all = contents(&hospital.store).into_keys();
        let hidden: Vec<String> =
            all.filter(|key| key.contains("r00001") && kinds.iter().any(|kind| key.starts_with(kind))).collect();
        let hidden: Vec<&str> = hidden.iter().map(String::as_str).collect();
        assert!(!hidden.is_empty() && hidden.iter().all(|key| key.contains(wrap) || key.ends_with("r00001")));
        let lagging = Hides { store: &hospital.store, hidden: &hidden };
        // One that had seen all three has finished before, to another key; here, the records that were moved count.
        let whole = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
        let rotation = Rotation::new(&lagging, &old, hospital.access(1), &now).unwrap();
        if kinds.len() == 3 {
            // A record that the listing has lost since the job: the count alone tells.
            assert!(block_on(whole.run("job", |_| ())).unwrap().finished);
            let retired = block_on(rotation.retire(&hospital.noted())).unwrap();
            assert!(matches!(retired, Retirement::Blocked { unseen: 1, .. }), "{retired:?}");
        } else {
            assert_eq!(block_on(rotation.run("job", |_| ())).unwrap().records, 2);
            let retired = block_on(rotation.retire(&hospital.noted())).unwrap();
            let Retirement::Blocked { found, .. } = retired else { panic!("{kinds:?}: {retired:?}") };
            assert_eq!((found.moved, found.behind), (2, 1), "{kinds:?}");
        }
        hospital.assert_kept(&format!("{kinds:?}"));
        // When the listing is whole again, the next job moves it, and the key may go.
        assert!(block_on(whole.run("next", |_| ())).unwrap().finished);
        assert!(matches!(block_on(whole.retire(&hospital.noted())).unwrap(), Retirement::Done { .. }));
    }
}

#[test]
fn an_empty_database_beside_the_real_ledger_retires_nothing() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let empty = MemoryStore::new();
    let stored = Repository::new(&empty);
    let old = [hospital.access(0)];
    let rotation = Rotation::new(&empty, &old, hospital.access(1), &now).unwrap();
    assert_eq!(block_on(rotation.retire(&hospital.noted())), Err(LedgerError::OtherStore.into()));
    assert!(matches!(block_on(rotation.run("job", |_| ())), Err(Error::ApiMisuse(_))));
    assert_eq!(block_on(stored.stored_consents(old[0].owner(), old[0].compartment(), None)), Ok(Vec::new()));
    hospital.assert_kept("an empty database");
}

/// The worker died with its claim; the operator knows, and does not wait for the lease.
#[test]
fn an_operator_breaks_the_lease_of_a_dead_worker() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let old = [hospital.access(0)];
    let far = || after(60);
    let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &far).unwrap().lease(3600);
    let dies_with_a_claim = (1..20).map(|call| format!("job-{call}")).zip(1..).find(|(job, call)| {
        hospital.store.fail_at(*call, Fault::Crash);
        let died = block_on(rotation.run(job, |_| ())).is_err();
        hospital.store.heal();
        died && block_on(rotation.run(job, |_| ())).is_ok_and(|at| !at.finished)
    });
    let (job, _) = dies_with_a_claim.unwrap();
    assert_eq!(block_on(rotation.break_leases(&job)), Ok(1));
    assert!(block_on(rotation.run(&job, |_| ())).unwrap().finished);
    assert_eq!(block_on(rotation.break_leases(&job)), Ok(0));
    assert!(matches!(block_on(rotation.retire(&hospital.noted())).unwrap(), Retirement::Done { .. }));
    // Of the jobs to keys that are gone nothing is left.
    hospital.publish(2);
    assert!(matches!(hospital.rotate(1, 2, "next"), Retirement::Done { .. }));
    assert_eq!(contents(&hospital.store).into_keys().filter(|key| key.starts_with("job/")).count(), 1);
}

#[test]
fn an_empty_database_that_caught_up_beside_the_real_ledger_retires_nothing() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let empty = MemoryStore::new();
    // By the ledger it is refused, and takes no place. The consent comes there all the same.
    for refused in [
        block_on(Repository::guarded(&empty, hospital.noted())).map(drop),
        block_on(Repository::bind(&empty, hospital.noted())).map(drop),
    ] {
        assert_eq!(refused, Err(LedgerError::OtherStore.into()));
    }
    let replaced = block_on(Repository::replace_store(&empty, hospital.noted()));
    assert_eq!(replaced.err(), Some(LedgerError::NothingRestored.into()));
    assert_eq!(block_on(Repository::new(&empty).put_consent(&hospital.chain[1].0)), Ok(Put::Done));
    let old = [hospital.access(0)];
    let rotation = Rotation::new(&empty, &old, hospital.access(1), &now).unwrap();
    assert_eq!(block_on(rotation.run("job", |_| ())).unwrap().records, 0);
    let retired = block_on(rotation.retire(&hospital.noted()));
    assert_eq!(retired, Err(LedgerError::OtherStore.into()));
    hospital.assert_kept("an empty database");
}

/// The last run of a job went through a listing that lagged behind, and came upon less than one before.
#[test]
fn a_run_over_a_listing_that_lags_lowers_no_count_of_what_has_to_be_seen() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let old = [hospital.access(0)];
    let hidden: Vec<String> = contents(&hospital.store).into_keys().filter(|key| key.contains("r00001")).collect();
    let hidden: Vec<&str> = hidden.iter().map(String::as_str).collect();
    let lagging = Hides { store: &hospital.store, hidden: &hidden };
    let whole = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
    assert_eq!(block_on(whole.run("whole", |_| ())).unwrap().records, 3);
    let late = || after(60);
    let rotation = Rotation::new(&lagging, &old, hospital.access(1), &late).unwrap();
    assert_eq!(block_on(rotation.run("lagging", |_| ())).unwrap().records, 2);
    let retired = block_on(rotation.retire(&hospital.noted())).unwrap();
    let Retirement::Blocked { unseen: 1, counted: Some(job), .. } = retired else { panic!("{retired:?}") };
    assert!(job.ends_with("/whole"));
    hospital.assert_kept("by the run that saw all");
    assert!(matches!(block_on(whole.retire(&hospital.noted())).unwrap(), Retirement::Done { .. }));
}

/// The operator knows that a part was deleted since, and says so: by the job that had come upon it.
#[test]
fn a_part_that_was_deleted_since_keeps_its_key_until_its_job_is_given_up() {
    let hospital = Hospital::new();
    hospital.publish(1);
    let old = [hospital.access(0)];
    let rotation = Rotation::new(&hospital.store, &old, hospital.access(1), &now).unwrap();
    assert_eq!(block_on(rotation.run("before", |_| ())).unwrap().records, 3);
    for key in contents(&hospital.store).into_keys().filter(|key| key.contains("r00001")) {
        crate::support::hospital::remove(&hospital.store, &key);
    }
    assert_eq!(block_on(rotation.run("since", |_| ())).unwrap().records, 2);
    let retired = block_on(rotation.retire(&hospital.noted())).unwrap();
    let Retirement::Blocked { unseen: 1, counted: Some(job), .. } = retired else { panic!("{retired:?}") };
    let retired = block_on(rotation.retire_leaving(&hospital.noted(), &[job])).unwrap();
    assert!(matches!(retired, Retirement::Done { .. }), "{retired:?}");
}
