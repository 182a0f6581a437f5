use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64ct::{Base64UrlUnpadded, Encoding};
use pollster::block_on;

use super::*;
use crate::store::{BoxFuture, Fault, FaultyStore, Limits, MemoryStore, Op, Outcome, StoreFailure};

const LIMITS: LargeLimits = LargeLimits { parts: 5, bytes: 20 << 20 };

fn large(store: &dyn Store) -> Large<'_> {
    let keys = LargeKeys::of_authority(&"house".parse().unwrap(), "thing");
    Large::new(store, keys, LIMITS, "thing")
}

fn read(store: &dyn Store) -> Result<Option<Vec<Vec<u8>>>> {
    Ok(block_on(large(store).read())?.map(|(_, parts)| parts))
}

fn replace(store: &dyn Store, before: Held, parts: &[Vec<u8>]) -> Result<Replaced> {
    let next = parts.iter().cloned().map(Next::New).collect();
    block_on(large(store).replace(before, next, |_| Ok(b"note".to_vec())))
}

fn write(store: &dyn Store, parts: &[Vec<u8>]) -> Held {
    let held = block_on(large(store).held()).unwrap();
    done(replace(store, held, parts).unwrap())
}

fn done(replaced: Replaced) -> Held {
    match replaced {
        Replaced::Done(held) => held,
        Replaced::Conflict => panic!("it was replaced meanwhile"),
    }
}

fn keys(store: &dyn Store) -> Vec<String> {
    block_on(store.keys("", "", 1000)).unwrap()
}

fn entry(store: &dyn Store, key: &str) -> Entry {
    block_on(store.get(&[key.to_owned()])).unwrap().remove(0).unwrap()
}

/// Puts other bytes under a key that has a value.
fn alter(store: &dyn Store, key: &str, value: Vec<u8>) {
    let op = Op::Swap { key: key.to_owned(), tag: entry(store, key).tag, value };
    assert!(matches!(block_on(store.apply(vec![op])).unwrap()[..], [Outcome::Written(_)]));
}

fn remove(store: &dyn Store, key: &str) {
    let op = Op::Delete { key: key.to_owned(), tag: entry(store, key).tag };
    assert_eq!(block_on(store.apply(vec![op])).unwrap(), [Outcome::Deleted]);
}

/// Two parts, of which one has three segments.
fn value(seed: u8) -> Vec<Vec<u8>> {
    vec![vec![seed; 2 * SEGMENT + 1], vec![seed.wrapping_add(1); 5]]
}

#[test]
fn a_value_that_is_larger_than_any_of_a_store_comes_back_whole() {
    let store = MemoryStore::new();
    assert_eq!(read(&store), Ok(None));
    for parts in [value(1), vec![vec![1; 2 * SEGMENT]], vec![vec![1; SEGMENT]], vec![vec![1]; 5], vec![]] {
        write(&store, &parts);
        assert_eq!(read(&store), Ok(Some(parts)));
        let largest = keys(&store).iter().map(|key| entry(&store, key).value.len()).max().unwrap();
        assert!(largest <= SEGMENT && SEGMENT <= MAX_VALUE);
    }
    assert_eq!(keys(&store), ["authority/house/thing/head"], "what was replaced is gone");
}

/// The head byte for byte, so that others can read it.
#[test]
fn the_head_is_as_the_manual_says() {
    let store = MemoryStore::new();
    let held = write(&store, &[b"part".to_vec()]);
    let [Part { id, .. }] = *held.named() else { panic!("one part") };
    let part = [b"\xa3\x62id\x50", &id[..], b"\x66length\x04\x66sha256\x58\x20", &Sha256::digest(b"part")].concat();
    let head = [b"\xa2\x64note\x44note\x65parts\x81", &part[..]].concat();
    let name = format!("authority/house/thing/part/{}/0000", Base64UrlUnpadded::encode_string(&id));
    assert_eq!(keys(&store), ["authority/house/thing/head", &name]);
    assert_eq!(entry(&store, "authority/house/thing/head").value, head);
    assert_eq!(held.hash().unwrap().as_bytes()[..], Sha256::digest([b"\x81", &part[..]].concat())[..]);
}

/// The writer dies at each call in turn, in each way; whoever comes then finds the old value or the new one, writes another,
/// and leaves nothing behind but that.
#[test]
fn a_crash_at_any_write_leaves_the_old_value_or_the_new_one() {
    for fault in [Fault::Refused, Fault::AnswerLost, Fault::Torn(1), Fault::Crash, Fault::CrashTorn(2)] {
        let (mut ended, mut found) = (false, BTreeSet::new());
        for call in 1..100 {
            let store = FaultyStore::new(MemoryStore::new());
            write(&store, &value(1));
            store.fail_at(call, fault);
            let told = block_on(large(&store).held()).and_then(|held| replace(&store, held, &value(7)));
            ended = store.calls() < call;
            store.heal();
            let left = read(&store).unwrap().unwrap();
            assert!(left == value(1) || left == value(7), "{fault:?} at {call}");
            assert!(told.is_err() || left == value(7), "{fault:?} at {call}: what was acknowledged is there");
            found.insert(left == value(7));
            if ended {
                break;
            }
            write(&store, &[b"next".to_vec()]);
            assert_eq!(read(&store), Ok(Some(vec![b"next".to_vec()])));
            assert_eq!(keys(&store).len(), 2, "{fault:?} at {call}: {:?}", keys(&store));
        }
        assert!(ended && found.len() == 2, "{fault:?}");
    }
}

#[test]
fn of_two_writers_one_wins_and_the_other_is_told() {
    let store = MemoryStore::new();
    for first in [true, false] {
        let [one, two] = [(); 2].map(|()| block_on(large(&store).held()).unwrap());
        assert_eq!(one.is_there(), !first);
        done(replace(&store, one, &value(3)).unwrap());
        assert!(matches!(replace(&store, two, &value(5)), Ok(Replaced::Conflict)));
        assert_eq!(read(&store), Ok(Some(value(3))));
    }
}

/// Does something just before a call, as often as it may.
struct Interrupted<'a> {
    store: &'a dyn Store,
    before: Before,
    left: AtomicUsize,
    act: &'a (dyn Fn() + Sync),
}

#[derive(PartialEq, Eq)]
enum Before {
    HeadIsWritten,
    SegmentsAreRead,
}

impl Interrupted<'_> {
    fn now(&self, before: Before) {
        let may = || self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if self.before == before && may() {
            (self.act)();
        }
    }
}

impl Store for Interrupted<'_> {
    fn limits(&self) -> Limits {
        self.store.limits()
    }

    fn get<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Entry>>, StoreError>> {
        if keys.iter().any(|key| key.contains("/part/")) {
            self.now(Before::SegmentsAreRead);
        }
        self.store.get(keys)
    }

    fn tags<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Tag>>, StoreError>> {
        self.store.tags(keys)
    }

    fn keys<'a>(&'a self, prefix: &'a str, after: &'a str, n: usize) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.store.keys(prefix, after, n)
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        n: usize,
    ) -> BoxFuture<'a, Result<Vec<(String, Entry)>, StoreError>> {
        self.store.scan(prefix, after, n)
    }

    fn apply<'a>(&'a self, ops: Vec<Op>) -> BoxFuture<'a, Result<Vec<Outcome>, StoreError>> {
        if ops.iter().any(|op| op.key().ends_with("/head")) {
            self.now(Before::HeadIsWritten);
        }
        self.store.apply(ops)
    }
}

/// The other one lists the parts of a writer who is not dead, and deletes them: he is told, and counts nothing on them.
#[test]
fn whoever_takes_a_slow_writer_for_dead_has_shut_him_out() {
    for there in [true, false] {
        let store = MemoryStore::new();
        if there {
            write(&store, &value(1));
        }
        let act = || _ = write(&store, &[b"other".to_vec()]);
        let slow = Interrupted { store: &store, before: Before::HeadIsWritten, left: AtomicUsize::new(1), act: &act };
        let held = block_on(large(&slow).held()).unwrap();
        assert!(matches!(replace(&slow, held, &value(7)), Ok(Replaced::Conflict)));
        assert_eq!(read(&store), Ok(Some(vec![b"other".to_vec()])));
        assert_eq!(keys(&store).len(), 2);
    }
}

#[test]
fn a_reader_who_races_a_writer_reads_again_and_not_for_ever() {
    let store = MemoryStore::new();
    write(&store, &value(1));
    let act = || _ = write(&store, &[b"short".to_vec(), b"other".to_vec()]);
    let raced = |times: usize| {
        read(&Interrupted { store: &store, before: Before::SegmentsAreRead, left: AtomicUsize::new(times), act: &act })
    };
    assert_eq!(raced(3), Ok(Some(vec![b"short".to_vec(), b"other".to_vec()])));
    let told = raced(usize::MAX).unwrap_err();
    assert!(matches!(&told, Error::Store(told) if told.failure() == StoreFailure::Unavailable), "{told}");
}

#[test]
fn what_is_missing_or_altered_is_damage_and_never_another_value() {
    let store = MemoryStore::new();
    write(&store, &value(1));
    let malformed = Err(Error::Malformed("thing"));
    let segments: Vec<_> = keys(&store).into_iter().filter(|key| key.contains("/part/")).collect();
    assert_eq!(segments.len(), 4);
    for key in &segments {
        let genuine = entry(&store, key).value;
        let mut flipped = genuine.clone();
        *flipped.last_mut().unwrap() ^= 1;
        for other in [flipped, genuine[1..].to_vec(), [&genuine[..], &[1]].concat(), Vec::new()] {
            alter(&store, key, other);
            assert_eq!(read(&store), malformed, "{key}");
        }
        alter(&store, key, genuine);
    }
    for key in &segments {
        let genuine = entry(&store, key).value;
        remove(&store, key);
        assert_eq!(read(&store), malformed, "{key}");
        block_on(store.apply(vec![Op::Put { key: key.clone(), value: genuine }])).unwrap();
    }
    assert_eq!(read(&store), Ok(Some(value(1))));
}

/// No value that a head boasts of is read, and no memory is taken for it.
#[test]
fn a_head_that_names_more_than_there_may_be_is_refused_before_anything_is_read() {
    let store = MemoryStore::new();
    write(&store, &[vec![1; 5]]);
    let key = "authority/house/thing/head";
    let Held { head, .. } = block_on(large(&store).held()).unwrap();
    let part = head.parts[0];
    let with = |parts: Vec<Part>| wire::to_cbor(&Head { note: Vec::new(), parts }, "head").unwrap();
    let other = |id: u8, length| Part { id: [id; 16], length, ..part };
    let (large_one, malformed) = (Err(Error::TooLarge("thing")), Err(Error::Malformed("thing")));
    for (bytes, expected) in [
        (with((0..6).map(|id| other(id, 5)).collect()), &large_one),
        (with(vec![other(1, LIMITS.bytes + 1)]), &large_one),
        (with(vec![other(1, LIMITS.bytes), part]), &large_one),
        (with(vec![other(1, u64::MAX), other(2, u64::MAX)]), &large_one),
        (vec![0; MAX_HEAD + 1], &large_one),
        (with(vec![part, part]), &malformed),
        (with(vec![other(1, 0)]), &malformed),
        (with(vec![other(1, LIMITS.bytes)]), &malformed),
        (Vec::new(), &malformed),
        (wire::to_cbor(&Head { note: vec![0; MAX_NOTE + 1], parts: vec![part] }, "head").unwrap(), &malformed),
    ] {
        alter(&store, key, bytes);
        assert_eq!(read(&store), *expected);
    }
    // The largest head there may be is one.
    let parts = (0..MAX_PARTS).map(|n| Part { id: (n as u128).to_be_bytes(), length: u64::MAX, ..part }).collect();
    assert!(wire::to_cbor(&Head { note: vec![0; MAX_NOTE], parts }, "head").unwrap().len() <= MAX_HEAD);
}

#[test]
fn a_value_over_its_limit_is_refused_before_anything_is_written() {
    let store = MemoryStore::new();
    for parts in [vec![vec![1]; 6], vec![vec![1; 20 << 20], vec![1]], vec![Vec::new()]] {
        let held = block_on(large(&store).held()).unwrap();
        assert!(replace(&store, held, &parts).is_err());
        assert_eq!(keys(&store), [""; 0]);
    }
}

#[test]
fn a_part_that_stays_is_not_written_again() {
    let store = MemoryStore::new();
    let held = write(&store, &[vec![1; 100], vec![2; 100], vec![3; 100]]);
    let before: Vec<_> = keys(&store).into_iter().map(|key| (entry(&store, &key).tag, key)).collect();
    let [one, _, three] = *held.named() else { panic!("three parts") };
    let next = vec![Next::Kept(three), Next::New(vec![4; 100]), Next::Kept(one)];
    done(block_on(large(&store).replace(held, next, |_| Ok(Vec::new()))).unwrap());
    assert_eq!(read(&store), Ok(Some(vec![vec![3; 100], vec![4; 100], vec![1; 100]])));
    let same = before
        .iter()
        .filter(|(tag, key)| block_on(store.tags(std::slice::from_ref(key))).unwrap() == [Some(tag.clone())]);
    assert_eq!((same.count(), keys(&store).len()), (2, 4));
}

#[test]
fn what_is_damaged_can_be_written_anew_and_leaves_nothing() {
    let store = MemoryStore::new();
    write(&store, &value(1));
    alter(&store, "authority/house/thing/head", b"no head".to_vec());
    let held = block_on(large(&store).held_or_damaged()).unwrap();
    done(replace(&store, held, &[vec![1]]).unwrap());
    assert_eq!((read(&store), keys(&store).len()), (Ok(Some(vec![vec![1]])), 2));
}

/// Keys that look like no part's lead to no deletion.
#[test]
fn a_part_is_known_by_the_form_of_its_key() {
    let keys = LargeKeys::of_authority(&"house".parse().unwrap(), "thing");
    let part = |rest: &str| keys.part_of(&format!("authority/house/thing/{rest}"));
    assert_eq!(part("part/abc/0000").as_deref(), Some("authority/house/thing/part/abc/"));
    for other in ["head", "part/abc", "part/", "part//0000", "part/abc/", "part/abc/0/0", "other/abc/0000"] {
        assert_eq!(part(other), None, "{other}");
    }
    assert_eq!(keys.part_of("content/part/abc/0000"), None);
}
