//! Who publishes a consent and dies leaves a state that the next one ends.

mod kept;

use std::sync::atomic::AtomicU64;

use crate::support::guard;
use crate::support::hospital::{Budget, Hospital, Interrupted, When, put, remove};
use crate::support::store::hands_on;
use crate::support::stored::{contents, sealed};
use crate::support::waiting::{block_on, calls};
use crate::support::world::{NOW, World};
use chartseal::Error;
use chartseal::consent::StoredConsent;
use chartseal::repository::{Put, Repository};
use chartseal::store::{
    BoxFuture, Entry, Fault, FaultyStore, MemoryStore, Op, Outcome, Store, StoreError, StoreFailure,
};

impl Hospital {
    fn published(&self, repository: &Repository<'_>, at: usize) -> Result<Put, Error> {
        let stored = &self.chain[at].0;
        block_on(repository.publish(&self.world.live(stored), stored))
    }

    fn newest(&self) -> StoredConsent {
        let (owner, section) = self.place();
        block_on(self.noted().newest(&owner, &section)).unwrap().unwrap()
    }

    fn held(&self) -> Vec<StoredConsent> {
        let (owner, section) = self.place();
        block_on(Repository::new(&self.store).stored_consents(&owner, &section, None)).unwrap()
    }
}

/// By whom a publication is brought to its end.
type Comes = fn(&Hospital);

const BY: [(&str, Comes); 4] = [
    ("a reader of a record", |hospital| {
        let (owner, _) = hospital.place();
        assert!(block_on(hospital.repository().get(&owner, &"r00000".parse().unwrap())).unwrap().is_some());
    }),
    ("a reader of consents", |hospital| {
        let (owner, section) = hospital.place();
        assert!(!block_on(hospital.repository().consents(&owner, &section, None)).unwrap().is_empty());
    }),
    ("a writer", |hospital| {
        // He is told whether the consent that he knows of is published.
        let late = sealed(&hospital.world, hospital.access(1), "of-the-second");
        let _told = block_on(hospital.repository().put(&late)).unwrap();
    }),
    ("whoever catches up", |hospital| {
        let (owner, section) = hospital.place();
        assert!(block_on(hospital.repository().catch_up(&owner, &section)).unwrap().is_some());
    }),
];

/// Whether the second consent is published. Store and ledger say one thing: all of the publication, or nothing.
fn is_published(hospital: &Hospital, what: &str) -> bool {
    let held = hospital.held();
    let published = hospital.newest() == hospital.chain[1].0;
    assert_eq!(held.len(), if published { 2 } else { 1 }, "{what}");
    let repository = hospital.repository();
    assert!(block_on(repository.behind()).unwrap().is_empty(), "{what}: nothing came back with a backup");
    // Who writes goes by the newest alone.
    let new = usize::from(published);
    let id = |at: usize| format!("w{at}");
    for (at, put) in [(new, Put::Done), (1 - new, Put::Outdated)] {
        let told = block_on(repository.put(&sealed(&hospital.world, hospital.access(at), &id(at))));
        assert_eq!(told, Ok(put), "{what}: under the key of {at}");
    }
    published
}

#[test]
fn a_publisher_who_dies_at_any_step_is_brought_to_the_end_by_the_next_who_comes() {
    for (by, comes) in BY {
        for in_ledger in [false, true] {
            for fault in [Fault::Crash, Fault::AnswerLost] {
                let (mut before, mut after) = (0, 0);
                for call in calls() {
                    let hospital = Hospital::new();
                    let repository = hospital.repository();
                    (if in_ledger { &hospital.ledger } else { &hospital.store }).fail_at(call, fault);
                    let died = hospital.published(&repository, 1).is_err();
                    [&hospital.ledger, &hospital.store].into_iter().for_each(FaultyStore::heal);
                    let what = format!("{by}, {fault:?} at call {call}, in the ledger: {in_ledger}");
                    comes(&hospital);
                    let published = is_published(&hospital, &what);
                    assert!(published || died, "{what}");
                    (before, after) = (before + u64::from(!published), after + u64::from(published));
                    // And to publish it again does no harm.
                    assert_eq!(hospital.published(&hospital.repository(), 1), Ok(Put::Done), "{what}");
                    assert_eq!(hospital.newest(), hospital.chain[1].0, "{what}");
                    if !died {
                        break;
                    }
                }
                assert!((before > 0 || !in_ledger) && after > 1, "{by} {fault:?} {before} {after}");
            }
        }
    }
}

#[test]
fn the_first_publication_of_all_is_brought_to_its_end_too() {
    let world = World::new();
    let (stored, access) = world.consent("a", "role:doctor");
    let (owner, section) = (access.owner(), access.compartment());
    let (mut nothing, mut all) = (0, 0);
    for in_ledger in [false, true] {
        for call in calls() {
            let [store, noted] = [(); 2].map(|()| FaultyStore::new(MemoryStore::new()));
            let repository = guard::guarded(&store, guard::ledger(&noted));
            (if in_ledger { &noted } else { &store }).fail_at(call, Fault::Crash);
            let died = block_on(repository.publish(&access, &stored)).is_err();
            [&noted, &store].into_iter().for_each(FaultyStore::heal);
            let served = block_on(repository.consents(owner, section, None)).unwrap();
            let newest = block_on(repository.ledger().unwrap().newest(owner, section)).unwrap();
            assert_eq!(served.first(), newest.as_ref(), "{call}");
            *(if newest.is_some() { &mut all } else { &mut nothing }) += 1;
            if !died {
                break;
            }
        }
    }
    assert!(nothing > 0 && all > 2, "{nothing} {all}");
}

/// It lies in the store, by whoever has got at it: nobody spoke for it.
#[test]
fn no_reader_and_no_writer_has_the_ledger_go_by_a_consent_that_nobody_published() {
    for (by, comes) in BY {
        let hospital = Hospital::new();
        assert_eq!(block_on(hospital.repository().put_consent(&hospital.chain[1].0)), Ok(Put::Done));
        comes(&hospital);
        assert_eq!(hospital.newest(), hospital.chain[0].0, "{by}");
        let under = |at: usize, id: &str| {
            block_on(hospital.repository().put(&sealed(&hospital.world, hospital.access(at), id))).unwrap()
        };
        assert_eq!((under(0, "first"), under(1, "second")), (Put::Done, Put::Outdated), "{by}");
    }
}

impl Hospital {
    /// A publisher who dies when the ledger was told, and nobody else.
    fn announce(&self, at: usize) {
        let repository = self.repository();
        let died = calls().take(100).any(|call| {
            self.store.fail_at(call, Fault::Crash);
            let died = self.published(&repository, at).is_err();
            self.store.heal();
            died && self.held().len() == at
        });
        assert!(died && self.newest() == self.chain[at - 1].0);
    }
}

/// A store that can be read only.
struct ReadOnly<'a>(&'a dyn Store);

impl Store for ReadOnly<'_> {
    hands_on!(0: limits get tags keys scan);

    fn apply<'a>(&'a self, _: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        Box::pin(async { Err(StoreError::new(StoreFailure::Full, "no room")) })
    }
}

#[test]
fn who_cannot_end_a_publication_reads_what_was_published_before() {
    let hospital = Hospital::new();
    hospital.announce(1);
    let (owner, section) = hospital.place();
    let store = ReadOnly(&hospital.store);
    let repository = hospital.over(&store);
    assert!(block_on(repository.get(&owner, &"r00000".parse().unwrap())).unwrap().is_some());
    let served = block_on(repository.consents(&owner, &section, None)).unwrap();
    assert_eq!(served, [hospital.chain[0].0.clone()]);
    assert_eq!(hospital.newest(), hospital.chain[0].0);
    assert_eq!(hospital.held().len(), 1);
}

/// Her phone and her tablet made the second consent at once, and the phone's died on its way.
#[test]
fn of_two_consents_of_one_number_the_one_that_was_announced_first_is_published() {
    let hospital = Hospital::new();
    hospital.announce(1);
    let world = &hospital.world;
    let builder = world.phone.consent(world.devices(), "a".parse().unwrap()).after(hospital.access(0)).unwrap();
    let (twin, _) = builder.seal(NOW).unwrap();
    let told = block_on(hospital.repository().publish(&world.live(&twin), &twin));
    assert_eq!(told, Err(Error::Fork("consent")));
    assert!(is_published(&hospital, "the other one came"));
}

impl Hospital {
    /// Where the consent at this place of the chain lies in the store.
    fn lies_at(&self, at: usize) -> String {
        let published = Self::new();
        (1..=at).for_each(|at| published.publish(at));
        let key = contents(&published.store).into_keys().filter(|key| key.starts_with("consent/")).nth(at).unwrap();
        format!("{}{}", self.prefix("consent"), key.rsplit('/').next().unwrap())
    }
}

/// The file was salvaged, and that consent was not whole; the patient signs the next one before anybody catches up.
#[test]
fn a_publication_leaves_the_consent_before_it_in_the_store_if_the_ledger_alone_had_it() {
    for (damaged, died) in [(false, false), (false, true), (true, false), (true, true)] {
        let hospital = Hospital::new();
        let key = hospital.lies_at(0);
        if died {
            hospital.announce(1);
        }
        remove(&hospital.store, &key);
        if damaged {
            put(&hospital.store, &key, b"damaged");
        }
        if died {
            let (owner, section) = hospital.place();
            assert!(block_on(hospital.repository().catch_up(&owner, &section)).unwrap().is_some());
        } else {
            hospital.publish(1);
        }
        let both: Vec<_> = hospital.chain[..2].iter().map(|(stored, _)| stored.clone()).collect();
        assert_eq!(hospital.held(), both, "{damaged} {died}");
        assert!(is_published(&hospital, "both are there"));
    }
}

/// A store that cannot write one of its keys.
struct BadPlace<'a>(&'a dyn Store, String);

impl Store for BadPlace<'_> {
    hands_on!(0: limits get tags keys scan);

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        if ops.iter().any(|op| op.key() == self.1) {
            return Box::pin(async { Err(StoreError::new(StoreFailure::Corrupt, "a bad page")) });
        }
        self.0.apply(ops)
    }
}

#[test]
fn a_publication_that_can_never_be_ended_keeps_no_later_one_out() {
    let hospital = Hospital::new();
    let store = BadPlace(&hospital.store, hospital.lies_at(1));
    let repository = hospital.over(&store);
    let told = hospital.published(&repository, 1);
    assert!(matches!(told, Err(Error::Store(_))), "{told:?}");
    // Nor does another of the same number take its place.
    let world = &hospital.world;
    let builder = world.phone.consent(world.devices(), "a".parse().unwrap()).after(hospital.access(0)).unwrap();
    let (twin, _) = builder.seal(NOW).unwrap();
    let told = block_on(repository.publish(&world.live(&twin), &twin));
    assert!(matches!(told, Err(Error::Fork(_))), "{told:?}");
    assert_eq!(hospital.newest(), hospital.chain[0].0);
    assert_eq!(hospital.published(&repository, 2), Ok(Put::Done));
    assert_eq!(hospital.newest(), hospital.chain[2].0);
    // And whoever was on his way with it is told.
    assert_eq!(hospital.published(&hospital.repository(), 1), Err(Error::Rollback("consent")));
}

/// The next version comes while the one before is on its way.
#[test]
fn a_publication_is_ended_before_the_next_one_begins() {
    let hospital = Hospital::new();
    hospital.announce(1);
    hospital.publish(2);
    assert_eq!(hospital.newest(), hospital.chain[2].0);
    let all: Vec<_> = hospital.chain[..3].iter().map(|(stored, _)| stored.clone()).collect();
    assert_eq!(hospital.held(), all);
    // Whoever was slow is told that there is a later one.
    assert_eq!(hospital.published(&hospital.repository(), 1), Err(Error::Rollback("consent")));
}

#[test]
fn two_who_publish_one_consent_at_once_both_do() {
    for (in_ledger, begin) in [(true, "ledger/"), (false, "consent/")] {
        let when = |op: &Op| op.key().starts_with(begin);
        let hospital = Hospital::new();
        let act = || hospital.publish(1);
        let slow =
            Interrupted::new(if in_ledger { &hospital.ledger } else { &hospital.store }, When::Writing(&when), &act);
        let repository =
            if in_ledger { guard::guarded(&hospital.store, guard::ledger(&slow)) } else { hospital.over(&slow) };
        assert_eq!(hospital.published(&repository, 1), Ok(Put::Done));
        assert!(slow.happened() && is_published(&hospital, "both"));
    }
}

/// Somebody has written another one there, past the ledger.
#[test]
fn an_announcement_is_taken_back_where_another_consent_has_the_place() {
    for died in [false, true] {
        let hospital = Hospital::new();
        let world = &hospital.world;
        if died {
            hospital.announce(1);
        }
        let builder = world.phone.consent(world.devices(), "a".parse().unwrap()).after(hospital.access(0)).unwrap();
        let (twin, _) = builder.seal(NOW).unwrap();
        assert_eq!(block_on(Repository::new(&hospital.store).put_consent(&twin)), Ok(Put::Done));
        assert_eq!(hospital.published(&hospital.repository(), 1), Ok(Put::Conflict));
        assert_eq!(hospital.newest(), hospital.chain[0].0);
        // Nobody who comes by has anything to do, and it ends.
        let store = Budget(&hospital.store, AtomicU64::new(30));
        let (owner, section) = hospital.place();
        assert_eq!(block_on(hospital.over(&store).consents(&owner, &section, None)).unwrap().len(), 2);
        let calls = store.1.into_inner();
        let store = Budget(&hospital.store, AtomicU64::new(30));
        assert!(block_on(hospital.over(&store).consents(&owner, &section, None)).is_ok());
        assert_eq!(store.1.into_inner(), calls, "the second time it costs what it did at first");
    }
}

#[test]
fn of_an_erased_owner_no_announcement_is_left_and_none_is_ended() {
    let hospital = Hospital::new();
    let erasure = hospital.world.erasure();
    let (owner, section) = hospital.place();
    let act = || assert!(block_on(hospital.repository().erase(&erasure)).is_ok());
    for begin in ["consent/", "ledger/"] {
        let hospital_is_new = contents(&hospital.ledger).keys().any(|key| key.starts_with("ledger/"));
        let when = |op: &Op| op.key().starts_with(begin);
        let (data, noted) = (
            Interrupted::new(&hospital.store, When::Writing(&when), &act),
            Interrupted::new(&hospital.ledger, When::Writing(&when), &act),
        );
        let repository = guard::guarded(&data, guard::ledger(&noted));
        let told = hospital.published(&repository, 1);
        assert!(matches!(told, Ok(Put::Outdated) | Err(Error::Rollback("consent"))), "{begin} {told:?}");
        assert!(!hospital_is_new || data.happened() || noted.happened());
        assert_eq!(contents(&hospital.ledger).into_keys().collect::<Vec<_>>(), [format!("erased/{owner}")]);
        assert!(contents(&hospital.store).is_empty());
        assert_eq!(
            block_on(hospital.repository().consents(&owner, &section, None)).err(),
            Some(Error::Rollback("consent"))
        );
        remove(&hospital.ledger, &format!("erased/{owner}"));
        hospital.publish(0);
    }
}

/// A store in which somebody else writes under the keys of a kind whenever this one does: before it, or over it.
struct Contested<'a> {
    inner: &'a dyn Store,
    kind: &'static str,
    over: bool,
}

impl Contested<'_> {
    async fn changed(&self, ops: &[Op]) -> Result<(), StoreError> {
        for key in ops.iter().map(Op::key).filter(|key| key.starts_with(self.kind)) {
            if let Some(Entry { tag, value }) = self.inner.get(&[key.to_owned()]).await?.remove(0) {
                self.inner.apply(vec![Op::Swap { key: key.to_owned(), tag, value }]).await?;
            }
        }
        Ok(())
    }

    async fn undone(&self, keys: &[String], before: Vec<Option<Entry>>) -> Result<(), StoreError> {
        for ((key, before), now) in keys.iter().zip(before).zip(self.inner.get(keys).await?) {
            if let (Some(Entry { value, .. }), Some(Entry { tag, .. })) = (before, now) {
                self.inner.apply(vec![Op::Swap { key: key.clone(), tag, value }]).await?;
            }
        }
        Ok(())
    }
}

impl Store for Contested<'_> {
    hands_on!(inner: limits get tags keys scan);

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        Box::pin(async move {
            if !self.over {
                self.changed(&ops).await?;
                return self.inner.apply(ops).await;
            }
            let keys: Vec<String> = ops.iter().map(|op| op.key().to_owned()).collect();
            let keys: Vec<String> = keys.into_iter().filter(|key| key.starts_with(self.kind)).collect();
            let before = self.inner.get(&keys).await?;
            let outcomes = self.inner.apply(ops).await?;
            self.undone(&keys, before).await?;
            Ok(outcomes)
        })
    }
}

/// What is damaged is taken away by hand, so nothing is said to be that is not.
#[test]
fn what_others_keep_changing_is_said_to_be_busy_and_not_to_be_damaged() {
    let is_busy = |told: Error| matches!(told, Error::Store(failed) if failed.failure() == StoreFailure::Unavailable);
    let hospital = Hospital::new();
    let (owner, section) = hospital.place();
    let key = hospital.lies_at(0);
    remove(&hospital.store, &key);
    put(&hospital.store, &key, b"of somebody else");
    let store = Contested { inner: &hospital.store, kind: "consent/", over: false };
    let told = block_on(hospital.over(&store).catch_up(&owner, &section)).unwrap_err();
    assert!(is_busy(told.clone()), "{told}");

    let hospital = Hospital::new();
    let noted = Contested { inner: &hospital.ledger, kind: "ledger/", over: true };
    let repository = guard::guarded(&hospital.store, guard::ledger(&noted));
    let told = hospital.published(&repository, 1).unwrap_err();
    assert!(is_busy(told.clone()), "{told}");
    assert_eq!(hospital.published(&hospital.repository(), 1), Ok(Put::Done));

    let [store, noted] = [(); 2].map(|()| MemoryStore::new());
    let ledger = guard::ledger(&noted);
    let contested = Contested { inner: &noted, kind: "identity", over: false };
    let told = block_on(Repository::bind(&store, guard::ledger(&contested))).unwrap_err();
    assert!(is_busy(told.clone()), "{told}");
    assert!(block_on(Repository::bind(&store, ledger)).is_ok());
}
