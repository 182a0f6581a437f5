//! An authority in a store: no value is too large, nothing is given out twice, and nobody sees or changes what lies there.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Waker};

use chartseal::authority::{Authority, BulletinBoard, Credential, REVOCATION_LIMIT, Reason, StoredAuthority, Trust};
use chartseal::backup;
use chartseal::identity::{Identity, PublicIdentity, Signed};
use chartseal::pin::PinStore;
use chartseal::policy::PersonNumber;
use chartseal::store::{BoxFuture, Fault, FaultyStore, MAX_VALUE, MemoryStore, Op, Outcome, Store, StoreError};
use chartseal::{Error, Secret, Unknown};

use crate::support::hospital::{Hospital, put, remove};
use crate::support::store::hands_on;
use crate::support::stored::contents;
use crate::support::waiting::{block_on, calls};
use crate::support::world::{NOW, YEAR, after};

fn house() -> Authority {
    Authority::setup("st-olave".parse().unwrap(), NOW).unwrap()
}

fn key() -> Secret<[u8; 32]> {
    Secret::new([7; 32])
}

fn create<'a>(store: &'a dyn Store, pins: &'a mut PinStore, house: Authority) -> StoredAuthority<'a> {
    block_on(StoredAuthority::create(store, &key(), pins, house)).unwrap()
}

fn open<'a>(store: &'a dyn Store, pins: &'a mut PinStore) -> Result<StoredAuthority<'a>, Error> {
    block_on(StoredAuthority::open(store, &key(), pins, "st-olave".parse().unwrap()))
}

fn person(id: &str) -> Signed<PublicIdentity> {
    Identity::generate(id.parse().unwrap()).unwrap().enrol().unwrap()
}

fn enrol(house: &mut StoredAuthority<'_>, person: &Signed<PublicIdentity>) -> Result<PersonNumber, Error> {
    block_on(house.change(|house| house.enrol(person)))
}

/// All that it keeps.
fn bytes(house: &mut StoredAuthority<'_>) -> Vec<u8> {
    block_on(house.authority()).unwrap().to_secret_bytes().unwrap().expose().clone()
}

/// A store with the same entries.
fn copy(store: &dyn Store) -> MemoryStore {
    let copy = MemoryStore::new();
    contents(store).iter().for_each(|(key, value)| put(&copy, key, value));
    copy
}

/// An unsigned integer, or the head of something, in CBOR.
fn cbor(kind: u8, n: usize) -> Vec<u8> {
    match n {
        0..24 => vec![kind | u8::try_from(n).unwrap()],
        24..256 => vec![kind | 24, u8::try_from(n).unwrap()],
        256..65_536 => [&[kind | 25][..], &u16::try_from(n).unwrap().to_be_bytes()].concat(),
        _ => [&[kind | 26][..], &u32::try_from(n).unwrap().to_be_bytes()].concat(),
    }
}

fn text(text: &str) -> Vec<u8> {
    [cbor(0x60, text.len()), text.as_bytes().to_vec()].concat()
}

fn key_of(kind: u8, n: usize) -> Vec<u8> {
    [&b"\x58\x20"[..], &[kind; 28], &u32::try_from(n).unwrap().to_be_bytes()].concat()
}

/// A house with as many people as a state has room for in a test, the first of whom lost her keys again and again: written
/// by hand, as enrolling them takes its time.
fn large(people: usize, revoked: usize) -> Authority {
    let secret = house().to_secret_bytes().unwrap();
    let one = |n: usize| {
        let keys = [text("signing"), key_of(1, n), text("sealing"), key_of(2, n)].concat();
        [text(&format!("person-{n:07}")), vec![0xa3], text("number"), cbor(0, n), keys].concat()
    };
    let lost = |n: usize| {
        let who = [text("person"), text("person-0000001"), text("number"), cbor(0, 1), text("signing"), key_of(3, n)];
        let since = [text("since"), cbor(0, 1_775_000_000), text("reason"), text("replaced")];
        [vec![0xa5], who.concat(), since.concat()].concat()
    };
    let map = [text("people"), cbor(0xa0, people), (1..=people).flat_map(one).collect()].concat();
    let list = [text("revoked"), cbor(0x80, revoked), (1..=revoked).flat_map(lost).collect()].concat();
    let bytes = replaced(secret.expose(), &[text("people"), vec![0xa0]].concat(), &map);
    Authority::decode(&replaced(&bytes, &[text("revoked"), vec![0x80]].concat(), &list)).unwrap()
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|at| at == from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

/// Counts the bytes that are written.
struct Counted<'a> {
    store: &'a dyn Store,
    bytes: AtomicUsize,
}

impl Counted<'_> {
    fn taken(&self) -> usize {
        self.bytes.swap(0, Ordering::SeqCst)
    }
}

impl Store for Counted<'_> {
    hands_on!(store: limits get tags keys scan);

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        let sizes = ops.iter().map(|op| match op {
            Op::Put { value, .. } | Op::Swap { value, .. } => value.len(),
            Op::Delete { .. } => 0,
        });
        self.bytes.fetch_add(sizes.sum(), Ordering::SeqCst);
        self.store.apply(ops)
    }
}

#[test]
fn whatever_an_authority_holds_no_value_is_too_large_for_a_store() {
    let (store, mut pins) = (MemoryStore::new(), PinStore::default());
    let house = large(80_000, 90_000);
    let whole = house.to_secret_bytes().unwrap();
    assert!(whole.expose().len() > 2 * MAX_VALUE);
    create(&store, &mut pins, house);
    let held = contents(&store);
    assert!(held.values().all(|value| value.len() <= MAX_VALUE) && held.len() > 10);
    assert!(bytes(&mut open(&store, &mut pins).unwrap()) == *whole.expose(), "it came back whole");
}

#[test]
fn a_change_of_one_person_writes_little_of_a_large_state() {
    let (store, mut pins) = (MemoryStore::new(), PinStore::default());
    let house = large(50_000, 0);
    let whole = house.to_secret_bytes().unwrap().expose().len();
    create(&store, &mut pins, house);
    let counted = Counted { store: &store, bytes: AtomicUsize::new(0) };
    let mut house = open(&counted, &mut pins).unwrap();
    let someone = "person-0030000".parse().unwrap();
    let attributes = "role:doctor".parse().unwrap();
    let new = person("new");
    enrol(&mut house, &new).unwrap();
    let enrolled = counted.taken();
    enrol(&mut house, &new).unwrap();
    assert_eq!(counted.taken(), 0, "nothing was changed");
    block_on(house.change(|house| house.issue(&someone, &attributes, NOW, after(YEAR), NOW))).unwrap();
    let issued = counted.taken();
    block_on(house.change(|house| house.revoke(&someone, NOW, Reason::Ended, NOW))).unwrap();
    let revoked = counted.taken();
    for written in [enrolled, issued, revoked] {
        assert!(written > 0 && written < whole / 25, "{written} of {whole}");
    }
    block_on(house.change(|house| house.publish(NOW))).unwrap();
    assert!(counted.taken() < 8192, "a publication changes versions alone");
    let kept = bytes(&mut house);
    drop(house);
    assert!(bytes(&mut open(&store, &mut pins).unwrap()) == kept);
}

/// The process dies at each call in turn, in each way, and another one goes on; or it does not die, and goes on itself.
#[test]
fn a_crash_at_any_call_of_a_change_gives_no_number_out_twice() {
    let people = ["one", "two", "three"].map(person);
    for fault in [Fault::Refused, Fault::AnswerLost, Fault::Torn(1), Fault::Crash, Fault::CrashTorn(1)] {
        for call in calls() {
            let (store, mut pins) = (FaultyStore::new(MemoryStore::new()), PinStore::default());
            let mut house = create(&store, &mut pins, self::house());
            assert_eq!(enrol(&mut house, &people[0]).unwrap().get(), 1);
            store.fail_at(call, fault);
            let told = enrol(&mut house, &people[1]);
            let ended = store.calls() < call;
            store.heal();
            if call % 2 == 0 {
                drop(house);
                house = open(&store, &mut pins).unwrap();
            }
            let third = enrol(&mut house, &people[2]).unwrap();
            let again = enrol(&mut house, &people[1]).unwrap();
            assert_eq!(enrol(&mut house, &people[0]).unwrap().get(), 1);
            assert_eq!(BTreeSet::from([1, third.get(), again.get()]), BTreeSet::from([1, 2, 3]));
            assert!(told.is_err() || told == Ok(again), "{fault:?} at {call}: what was given out stands");
            assert_eq!(contents(&store).len(), 2, "{fault:?} at {call}: nothing is left behind");
            if ended {
                break;
            }
        }
    }
}

#[test]
fn two_desks_have_one_authority_open_and_no_change_is_lost() {
    let store = MemoryStore::new();
    let (mut pins, mut other_pins) = (PinStore::default(), PinStore::default());
    create(&store, &mut pins, house());
    let mut one = open(&store, &mut pins).unwrap();
    let mut two = open(&store, &mut other_pins).unwrap();
    let mut numbers = BTreeSet::new();
    for n in 0..4 {
        numbers.insert(enrol(&mut one, &person(&format!("one-{n}"))).unwrap());
        numbers.insert(enrol(&mut two, &person(&format!("two-{n}"))).unwrap());
    }
    assert_eq!(numbers.len(), 8);
    drop(one);
    assert_eq!(bytes(&mut two), bytes(&mut open(&store, &mut pins).unwrap()));
    // Nor is a name given to two authorities.
    let told = block_on(StoredAuthority::create(&store, &key(), &mut PinStore::default(), house())).map(drop);
    assert!(matches!(told, Err(Error::ApiMisuse(_))), "{told:?}");
}

/// Threads, each with a handle of its own.
#[test]
fn of_changes_at_one_time_each_is_made_once() {
    let store = MemoryStore::new();
    create(&store, &mut PinStore::default(), house());
    let numbers = std::sync::Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for desk in 0..3 {
            let (store, numbers) = (&store, &numbers);
            scope.spawn(move || {
                let mut pins = PinStore::default();
                let mut house = open(store, &mut pins).unwrap();
                for n in 0..5 {
                    let number = enrol(&mut house, &person(&format!("p-{desk}-{n}"))).unwrap();
                    assert!(numbers.lock().unwrap().insert(number), "{number:?} was given twice");
                }
            });
        }
    });
    assert_eq!(numbers.lock().unwrap().len(), 15);
}

#[test]
fn a_state_that_was_taken_back_is_refused_by_whoever_remembers_a_later_one() {
    let (store, mut pins) = (MemoryStore::new(), PinStore::default());
    let mut house = create(&store, &mut pins, self::house());
    let earlier = copy(&store);
    enrol(&mut house, &person("ada")).unwrap();
    let safe = Authority::decode(&bytes(&mut house)).unwrap();
    drop(house);
    let forked = copy(&earlier);
    enrol(&mut open(&forked, &mut PinStore::default()).unwrap(), &person("eve")).unwrap();
    assert_eq!(open(&earlier, &mut pins).map(drop), Err(Error::Rollback("authority state")));
    assert_eq!(open(&forked, &mut pins).map(drop), Err(Error::Fork("authority state")));
    let lost = MemoryStore::new();
    let unknown = Unknown::AuthorityState("st-olave".parse().unwrap());
    assert_eq!(open(&lost, &mut pins).map(drop), Err(Error::Unknown(unknown)));
    // What came out of a safe goes on, on the word of whoever puts it there.
    create(&lost, &mut pins, safe);
    assert_eq!(enrol(&mut open(&lost, &mut pins).unwrap(), &person("ben")).unwrap().get(), 2);
    assert_eq!(open(&store, &mut pins).map(drop), Err(Error::Rollback("authority state")));
}

#[test]
fn nothing_of_an_authoritys_keys_or_people_can_be_seen_in_the_store() {
    let (store, mut pins) = (MemoryStore::new(), PinStore::default());
    let mut house = create(&store, &mut pins, self::house());
    let ada = person("dr-ada");
    enrol(&mut house, &ada).unwrap();
    let secret = bytes(&mut house);
    let held: Vec<u8> = contents(&store).into_values().flatten().collect();
    let is_in = |part: &[u8]| held.windows(part.len()).any(|at| at == part);
    assert!(secret.windows(16).all(|part| !is_in(part)), "a piece of the secret bytes");
    assert!(!is_in(b"dr-ada") && !is_in(ada.unverified().signing.as_bytes()));
    assert!(is_in(b"parts"), "this test sees what is there");
}

/// Each value, with each of its bytes changed, cut, in another's place, or gone.
#[test]
fn what_somebody_changed_in_the_store_opens_for_nobody() {
    let (store, mut pins) = (MemoryStore::new(), PinStore::default());
    let mut house = create(&store, &mut pins, self::house());
    enrol(&mut house, &person("dr-ada")).unwrap();
    let genuine = bytes(&mut house);
    drop(house);
    let held = contents(&store);
    let mut opened = 0;
    for (key, value) in &held {
        let flipped = (0..value.len()).map(|at| {
            let mut value = value.clone();
            value[at] ^= 1;
            value
        });
        let cut = (0..value.len()).step_by(7).map(|length| value[..length].to_vec());
        for other in flipped.chain(cut).chain(held.values().filter(|other| *other != value).cloned()) {
            remove(&store, key);
            put(&store, key, &other);
            match open(&store, &mut PinStore::default()) {
                Ok(mut house) => opened += usize::from(bytes(&mut house) == genuine),
                Err(Error::CannotOpen | Error::Malformed(_) | Error::TooLarge(_)) => {}
                Err(error) => panic!("{key}: {error}"),
            }
        }
        remove(&store, key);
        assert!(open(&store, &mut PinStore::default()).is_err());
        put(&store, key, value);
    }
    assert_eq!(opened, 0);
    assert_eq!(bytes(&mut open(&store, &mut pins).unwrap()), genuine);
}

/// The note of one state beside the parts of another, each genuine.
#[test]
fn pieces_of_two_states_do_not_open_together() {
    let (store, mut pins) = (MemoryStore::new(), PinStore::default());
    let mut house = create(&store, &mut pins, self::house());
    enrol(&mut house, &person("ada")).unwrap();
    let earlier = contents(&store);
    let enrolled = enrol(&mut house, &person("ben"));
    assert_eq!(enrolled.unwrap().get(), 2);
    drop(house);
    let mixed = copy(&store);
    // The parts of the earlier one are there, too.
    for (key, value) in earlier.iter().filter(|(key, _)| key.contains("/part/")) {
        put(&mixed, key, value);
    }
    let head = "authority/st-olave/state/head";
    let (now, before) = (contents(&store)[head].clone(), &earlier[head]);
    let split = |head: &[u8]| {
        let at = head.windows(6).rposition(|at| at == b"\x65parts").unwrap();
        (head[..at].to_vec(), head[at..].to_vec())
    };
    for (note, parts, expected) in [
        (split(&now).0, split(before).1, Err(Error::CannotOpen)),
        (split(before).0, split(&now).1, Err(Error::CannotOpen)),
        (split(before).0, split(before).1, Ok(())),
    ] {
        remove(&mixed, head);
        put(&mixed, head, &[note, parts].concat());
        assert_eq!(open(&mixed, &mut PinStore::default()).map(drop), expected);
    }
}

#[test]
fn what_a_change_did_before_it_failed_is_kept_and_written() {
    let (store, mut pins) = (MemoryStore::new(), PinStore::default());
    let mut house = create(&store, &mut pins, self::house());
    let (ada, nobody) = (person("ada"), "nobody".parse().unwrap());
    let told = block_on(house.change(|house| {
        house.enrol(&ada)?;
        house.revoke(&nobody, NOW, Reason::Ended, NOW)
    }));
    assert!(matches!(told, Err(Error::Unknown(_))));
    let kept = bytes(&mut house);
    drop(house);
    let mut house = open(&store, &mut pins).unwrap();
    assert_eq!(bytes(&mut house), kept);
    assert_eq!(enrol(&mut house, &person("ben")).unwrap().get(), 2);
    // Another authority is not written in the place of this one; one of the same name is, whole.
    let other = || Authority::setup("st-bride".parse().unwrap(), NOW).unwrap();
    let told = block_on(house.change(|house| take_the_place(house, other())));
    assert!(matches!(told, Err(Error::ApiMisuse(_))), "{told:?}");
    assert_eq!(enrol(&mut house, &ada).unwrap().get(), 1);
    block_on(house.change(|house| take_the_place(house, self::house()))).unwrap();
    assert_eq!(enrol(&mut house, &person("eve")).unwrap().get(), 1);
}

fn take_the_place(of: &mut Authority, other: Authority) -> Result<(), Error> {
    *of = other;
    Ok(())
}

/// Never answers, once.
struct Silent<'a> {
    store: &'a dyn Store,
    silent: AtomicBool,
}

impl Store for Silent<'_> {
    hands_on!(store: limits get tags keys scan);

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        if self.silent.swap(false, Ordering::SeqCst) { Box::pin(std::future::pending()) } else { self.store.apply(ops) }
    }
}

#[test]
fn after_a_change_that_was_dropped_the_next_one_goes_on_from_what_lies_there() {
    let (store, mut pins) = (MemoryStore::new(), PinStore::default());
    create(&store, &mut pins, house());
    let silent = Silent { store: &store, silent: AtomicBool::new(true) };
    let mut house = open(&silent, &mut pins).unwrap();
    let dropped = person("dropped");
    {
        let change = std::pin::pin!(house.change(|house| house.enrol(&dropped)));
        assert!(change.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(enrol(&mut house, &person("next")).unwrap().get(), 1);
}

/// By the runbook: of a list that was published before, `publish` alone says no later version, and one that is renewed
/// without the revocations since gives a host that was started since nothing to hold it against.
#[test]
fn an_authority_from_a_safe_is_believed_again_and_nobody_who_was_revoked_since_is() {
    let (board, mut pins) = (MemoryStore::new(), PinStore::default());
    let board = BulletinBoard::new(&board);
    let ned = Identity::generate("ned".parse().unwrap()).unwrap();
    let mut house = house();
    house.enrol(&ned.enrol().unwrap()).unwrap();
    let issued = house.issue(ned.id(), &"role:nurse".parse().unwrap(), NOW, after(YEAR), NOW).unwrap();
    house.publish(NOW).unwrap();
    let safe = Authority::decode(house.to_secret_bytes().unwrap().expose()).unwrap();
    house.revoke(ned.id(), NOW, Reason::Compromised, NOW).unwrap();
    let published = house.publish(NOW).unwrap();
    block_on(board.post(&published)).unwrap();
    let host = || {
        let mut trust = Trust::new(REVOCATION_LIMIT);
        trust.add(house.anchor()).unwrap();
        trust
    };
    let (mut remembers, mut started_since) = (host(), host());
    remembers.update(&published, &mut pins, NOW).unwrap();
    drop(published);

    let (lost, mut kept) = (MemoryStore::new(), PinStore::default());
    let mut house = create(&lost, &mut kept, safe);
    let last = block_on(board.revocations(&"st-olave".parse().unwrap())).unwrap().unwrap();
    let last = last.unverified();
    let revoked = block_on(house.change(|house| {
        last.revoked.iter().try_for_each(|it| house.revoke(&it.person, it.since, it.reason, after(1)))
    }));
    revoked.unwrap();
    let same = block_on(house.change(|house| house.publish(after(1)))).unwrap();
    assert!(remembers.update(&same, &mut pins, after(1)).is_err(), "one version, said at two times");
    let mut renew = || block_on(house.change(|house| house.renew_revocations(after(2)))).unwrap();
    while renew().unverified().version <= last.version {}
    let next = block_on(house.change(|house| house.publish(after(2)))).unwrap();
    block_on(board.post(&next)).unwrap();
    for trust in [&mut remembers, &mut started_since] {
        trust.update(&next, &mut pins, after(2)).unwrap();
        assert!(matches!(trust.credential(&issued.credential, after(2)), Err(Error::Revoked(_))));
    }
}

/// The safe was filled when she was a doctor, or a chief, and the store is lost when she is a nurse.
#[test]
fn no_role_that_was_dropped_since_a_safe_was_filled_comes_back_and_no_serial_is_given_twice() {
    let ada = Identity::generate("ada".parse().unwrap()).unwrap();
    let (first, mut pins) = (MemoryStore::new(), PinStore::default());
    let mut stored = create(&first, &mut pins, house());
    let enrolment = ada.enrol().unwrap();
    block_on(stored.change(|house| house.enrol(&enrolment))).unwrap();
    let mut safes = Vec::new();
    let mut issue = |house: &mut StoredAuthority<'_>, role: &str| {
        let role = role.parse().unwrap();
        let issued = block_on(house.change(|house| house.issue(ada.id(), &role, NOW, after(YEAR), NOW))).unwrap();
        safes.push(block_on(house.authority()).unwrap().to_secret_bytes().unwrap());
        issued.credential
    };
    let before = ["role:doctor", "role:chief", "role:nurse"].map(|role| issue(&mut stored, role));
    drop(stored);
    let serial = |credential: &Credential| credential.unverified().serial;
    let mut last = before.iter().map(serial).max().unwrap();
    // The first one twice: what was issued after it was put back is lost, too.
    for safe in safes.iter().chain(&safes[..1]) {
        let lost = MemoryStore::new();
        let mut house = create(&lost, &mut pins, Authority::decode(safe.expose()).unwrap());
        let mut reissue = |credential: &Credential| block_on(house.change(|house| house.reissue(credential, NOW)));
        for credential in &before {
            assert_eq!(reissue(credential).map(drop), Err(Error::Rollback("credential")));
        }
        let role = "role:nurse".parse().unwrap();
        let issued = block_on(house.change(|house| house.issue(ada.id(), &role, NOW, after(YEAR), NOW))).unwrap();
        assert!(last < serial(&issued.credential));
        last = serial(&issued.credential);
        for credential in &before {
            let told = block_on(house.change(|house| house.reissue(credential, NOW)));
            assert_eq!(told.map(drop), Err(Error::Rollback("credential")));
        }
        assert!(block_on(house.change(|house| house.reissue(&issued.credential, NOW))).is_ok());
    }
}

/// In the store of a hospital's records, though it is not made for that.
#[test]
fn no_backup_holds_an_authority_and_no_erasure_touches_it() {
    let hospital = Hospital::new();
    let mut pins = PinStore::default();
    create(&hospital.store, &mut pins, house());
    let held = |store: &dyn Store| {
        let mut held = contents(store);
        held.retain(|key, _| key.starts_with("authority/"));
        held
    };
    let before = held(&hospital.store);
    assert_eq!(before.len(), 1);
    let mut stream = Vec::new();
    let written = block_on(backup::write(&hospital.store, &mut stream)).unwrap();
    assert!(written.damaged.is_empty() && !stream.windows(10).any(|at| at == b"authority/"));
    let erasure = hospital.world.erasure();
    block_on(hospital.repository().erase(&erasure)).unwrap();
    assert_eq!(contents(&hospital.store), before);
}

/// Work may go from thread to thread.
#[test]
fn a_change_can_be_made_on_another_thread() {
    let (store, mut pins) = (MemoryStore::new(), PinStore::default());
    let mut house = create(&store, &mut pins, self::house());
    let (ada, made) = (person("ada"), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let change = house.change(|house| {
            made.fetch_add(1, Ordering::SeqCst);
            house.enrol(&ada)
        });
        let number = scope.spawn(move || block_on(change)).join().unwrap();
        assert_eq!(number.unwrap().get(), 1);
    });
    assert_eq!(made.load(Ordering::SeqCst), 1);
}
