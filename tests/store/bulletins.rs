//! What authorities publish, in a store.

use chartseal::Error;
use chartseal::authority::{Authority, Bulletin, BulletinBoard, PeopleMap, REVOCATION_LIMIT, Reason, Trust};
use chartseal::identity::{Identity, Signed};
use chartseal::pin::PinStore;
use chartseal::store::{Fault, FaultyStore, MAX_VALUE, MemoryStore, Store};

use crate::support::hospital::{put, remove};
use crate::support::stored::contents;
use crate::support::waiting::{block_on, calls};
use crate::support::world::{NOW, after};

fn house() -> Authority {
    Authority::setup("st-olave".parse().unwrap(), NOW).unwrap()
}

/// Somebody comes, and goes.
fn changed(house: &mut Authority, name: &str, seconds: u64) -> Bulletin {
    let person = Identity::generate(name.parse().unwrap()).unwrap();
    house.enrol(&person.enrol().unwrap()).unwrap();
    house.revoke(person.id(), after(seconds), Reason::Ended, after(seconds)).unwrap();
    house.publish(after(seconds)).unwrap()
}

fn posted(store: &dyn Store) -> Result<Option<Bulletin>, Error> {
    block_on(BulletinBoard::new(store).bulletin(&"st-olave".parse().unwrap()))
}

fn post(store: &dyn Store, bulletin: &Bulletin) -> Result<(), Error> {
    block_on(BulletinBoard::new(store).post(bulletin))
}

/// A map of so many people with the longest names, which nobody signed.
fn large_map(genuine: &Signed<PeopleMap>, people: u32) -> Signed<PeopleMap> {
    let entry =
        |n: u32| [&b"\x78\x40"[..], format!("{n:064}").as_bytes(), &[0x1a], &(65_536 + n).to_be_bytes()].concat();
    let map =
        [&b"\x66people\xba"[..], &people.to_be_bytes(), &(0..people).flat_map(entry).collect::<Vec<_>>()].concat();
    let bytes = genuine.to_cbor().unwrap();
    let at = bytes.windows(8).position(|at| at == b"\x66people\xa0").unwrap();
    Signed::from_cbor(&[&bytes[..at], &map, &bytes[at + 8..]].concat()).unwrap()
}

#[test]
fn a_people_map_that_is_larger_than_any_value_is_posted_and_read_whole() {
    let (store, mut house) = (MemoryStore::new(), house());
    let bulletin = house.publish(NOW).unwrap();
    let bulletin = Bulletin { people: large_map(&bulletin.people, 150_000), ..bulletin };
    assert!(bulletin.people.to_cbor().unwrap().len() > MAX_VALUE);
    post(&store, &bulletin).unwrap();
    assert!(contents(&store).values().all(|value| value.len() <= MAX_VALUE));
    assert!(posted(&store).unwrap() == Some(bulletin));
}

#[test]
fn a_crash_at_any_call_of_a_post_leaves_each_list_whole_and_the_next_post_heals_it() {
    let mut house = house();
    let first = changed(&mut house, "one", 10);
    house.rotate(after(20)).unwrap();
    let second = changed(&mut house, "two", 20);
    for fault in [Fault::Refused, Fault::AnswerLost, Fault::Torn(1), Fault::Crash] {
        for before in [None, Some(&first)] {
            for call in calls() {
                let store = FaultyStore::new(MemoryStore::new());
                before.iter().for_each(|before| post(&store, before).unwrap());
                store.fail_at(call, fault);
                let told = post(&store, &second);
                let ended = store.calls() < call;
                store.heal();
                match (posted(&store).unwrap(), before) {
                    (None, before) => assert!(before.is_none() && told.is_err()),
                    (Some(found), before) => {
                        let first = before.unwrap_or(&second);
                        let pair = (found.parameters, found.previous);
                        assert!([first, &second].iter().any(|of| pair == (of.parameters.clone(), of.previous.clone())));
                        assert!([&first.revocations, &second.revocations].contains(&&found.revocations));
                        assert!([&first.people, &second.people].contains(&&found.people));
                    }
                }
                post(&store, &second).unwrap();
                assert_eq!(posted(&store), Ok(Some(second.clone())));
                if ended {
                    assert_eq!(told, Ok(()));
                    break;
                }
            }
        }
    }
}

#[test]
fn what_is_posted_again_without_a_change_is_not_written_again() {
    let (store, mut house) = (MemoryStore::new(), house());
    let bulletin = changed(&mut house, "one", 10);
    post(&store, &bulletin).unwrap();
    let tags = || {
        let keys: Vec<_> = contents(&store).into_keys().collect();
        block_on(store.tags(&keys)).unwrap()
    };
    let before = tags();
    post(&store, &bulletin).unwrap();
    assert_eq!(tags(), before);
    block_on(BulletinBoard::new(&store).post_revocations(&house.renew_revocations(after(20)).unwrap())).unwrap();
    let (kept, all) = (tags().iter().filter(|tag| before.contains(tag)).count(), before.len());
    assert_eq!((kept, all), (4, 6), "the list alone is new");
}

#[test]
fn an_earlier_list_takes_no_later_ones_place() {
    let (store, mut house) = (MemoryStore::new(), house());
    let first = changed(&mut house, "one", 10);
    let second = changed(&mut house, "two", 20);
    post(&store, &second).unwrap();
    assert_eq!(post(&store, &first), Err(Error::Rollback("revocation list")));
    assert_eq!(posted(&store), Ok(Some(second.clone())));
    // What is published no more is posted no more, under the same version.
    house.rotate(after(30)).unwrap();
    let both = house.publish(after(30)).unwrap();
    post(&store, &both).unwrap();
    assert!(posted(&store).unwrap().unwrap().previous.is_some());
    house.drop_previous();
    post(&store, &house.publish(after(30)).unwrap()).unwrap();
    assert_eq!(posted(&store).unwrap().unwrap().previous, None);
    let mixed =
        Bulletin { people: Authority::setup("st-bride".parse().unwrap(), NOW).unwrap().people(NOW).unwrap(), ..both };
    assert!(matches!(post(&store, &mixed), Err(Error::ApiMisuse(_))));
}

/// Each value in turn: damaged, or gone. What is read is nothing, an error, or what the authority signed.
#[test]
fn what_is_damaged_is_never_believed_and_is_mended_by_the_next_post() {
    let mut house = house();
    let bulletin = changed(&mut house, "one", 10);
    let genuine = MemoryStore::new();
    post(&genuine, &bulletin).unwrap();
    let held = contents(&genuine);
    for (key, value) in &held {
        let flipped = (0..value.len()).step_by(5).map(|at| {
            let mut value = value.clone();
            value[at] ^= 1;
            Some(value)
        });
        for other in flipped.chain([Some(Vec::new()), None]) {
            let store = MemoryStore::new();
            held.iter().filter(|(other, _)| *other != key).for_each(|(key, value)| put(&store, key, value));
            other.iter().for_each(|other| put(&store, key, other));
            match posted(&store) {
                Ok(Some(found)) => {
                    let (mut trust, mut pins) = (Trust::new(REVOCATION_LIMIT), PinStore::default());
                    trust.add(house.anchor()).unwrap();
                    assert_eq!(trust.update(&found, &mut pins, after(10)).is_ok(), found == bulletin);
                }
                Ok(None) => assert!(other.is_none() && key.ends_with("/head")),
                Err(Error::Malformed(_) | Error::TooLarge(_)) => {}
                Err(error) => panic!("{key}: {error}"),
            }
            match post(&store, &bulletin) {
                Ok(()) => {
                    assert_eq!(posted(&store), Ok(Some(bulletin.clone())));
                    assert_eq!(contents(&store).len(), held.len());
                }
                // Somebody says that a later one was here.
                Err(Error::Rollback(_)) => assert!(other.is_some() && key.ends_with("/head")),
                Err(error) => panic!("{key}: {error}"),
            }
        }
    }
}

#[test]
fn a_list_under_another_authoritys_name_is_none_of_hers() {
    let (store, mut house) = (MemoryStore::new(), house());
    post(&store, &changed(&mut house, "one", 10)).unwrap();
    for (key, value) in contents(&store) {
        put(&store, &key.replace("/st-olave/", "/st-bride/"), &value);
        remove(&store, &key);
    }
    let moved = block_on(BulletinBoard::new(&store).bulletin(&"st-bride".parse().unwrap()));
    assert_eq!(moved, Err(Error::Malformed("parameters statement")));
    assert_eq!(posted(&store), Ok(None));
}

/// Nobody signed it, and no list says so.
#[test]
fn a_note_of_a_later_version_than_its_list_has_keeps_no_list_out() {
    let (store, mut house) = (MemoryStore::new(), house());
    let first = changed(&mut house, "one", 10);
    let second = changed(&mut house, "two", 20);
    for name in ["parameters", "revocations", "people"] {
        post(&store, &first).unwrap();
        let key = format!("authority/st-olave/{name}/head");
        let mut head = contents(&store).remove(&key).unwrap();
        let note = head.windows(7).position(|bytes| bytes == [0; 7]).unwrap();
        head[note] = 0x40;
        remove(&store, &key);
        put(&store, &key, &head);
        assert_eq!(post(&store, &second), Ok(()), "{name}");
        assert_eq!(posted(&store), Ok(Some(second.clone())));
        // And what is later by its list stays.
        assert!(matches!(post(&store, &first), Err(Error::Rollback(_))));
        block_on(store.delete_prefix("")).unwrap();
    }
}
