//! What lies in a ledger is whole and in its place, or it is an error.

use crate::support::guard;
use crate::support::hospital::{Hospital, put, remove};
use crate::support::stored::{contents, sealed};
use crate::support::waiting::block_on;
use chartseal::Error;
use chartseal::ledger::{Ledger, LedgerError};
use chartseal::rotation::Retirement;
use chartseal::store::{Entry, MemoryStore, Store};

fn value(store: &dyn Store, key: &str) -> Vec<u8> {
    let Entry { value, .. } = block_on(store.get(&[key.to_owned()])).unwrap().remove(0).unwrap();
    value
}

fn replace(store: &dyn Store, key: &str, value: &[u8]) {
    remove(store, key);
    put(store, key, value);
}

#[test]
fn no_entry_of_a_ledger_that_is_damaged_is_read_as_another_state() {
    let hospital = Hospital::new();
    hospital.publish(1);
    assert!(matches!(hospital.rotate(0, 1, "job"), Retirement::Done { .. }));
    hospital.publish(2);
    let (owner, section) = hospital.place();
    let key = format!("ledger/{owner}/{section}");
    let (whole, repository, noted) = (value(&hospital.ledger, &key), hospital.repository(), hospital.noted());
    let is_refused = |what: &str| {
        let told = [
            block_on(noted.newest(&owner, &section)).map(drop),
            block_on(noted.state(&owner, &section, hospital.access(0).key_id())).map(drop),
            block_on(repository.consents(&owner, &section, None)).map(drop),
            block_on(repository.get(&owner, &"r00000".parse().unwrap())).map(drop),
            block_on(noted.advance(&hospital.world.live(&hospital.chain[3].0), &hospital.chain[3].0)),
        ];
        for told in told {
            assert!(
                matches!(told, Err(Error::Malformed("ledger") | Error::UnknownVersion("ledger"))),
                "{what} {told:?}"
            );
        }
        assert_eq!(block_on(noted.damaged()).unwrap(), std::slice::from_ref(&key), "{what}");
    };
    for at in (0..whole.len()).step_by(37).chain(0..120) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        replace(&hospital.ledger, &key, &damaged);
        is_refused(&at.to_string());
    }
    replace(&hospital.ledger, &key, &whole[..whole.len() - 1]);
    is_refused("cut");
    // Nor is that of another compartment.
    let (stored, access) = hospital.world.consent("b", "role:doctor");
    block_on(noted.advance(&access, &stored)).unwrap();
    replace(&hospital.ledger, &key, &value(&hospital.ledger, &format!("ledger/{owner}/b")));
    is_refused("of another");
    replace(&hospital.ledger, &key, &whole);
    assert!(block_on(noted.damaged()).unwrap().is_empty());
    assert!(block_on(repository.consents(&owner, &section, None)).is_ok());
}

#[test]
fn what_is_none_of_a_ledgers_entries_is_passed_over_and_named() {
    let hospital = Hospital::new();
    let mut foreign: Vec<String> = (0..250).map(|n| format!("ledger/0{n:03}")).collect();
    foreign.extend(["a/b/c", "foreign"].map(String::from));
    foreign.extend((0..150).map(|n| format!("erased/a/{n:03}")));
    for key in &foreign {
        put(&hospital.ledger, key, b"");
    }
    foreign.sort_unstable();
    let noted = hospital.noted();
    let (owner, section) = hospital.place();
    assert_eq!(block_on(noted.compartments(None)).unwrap(), [hospital.place()]);
    assert!(block_on(noted.compartments(Some((&owner, &section)))).unwrap().is_empty());
    assert!(block_on(hospital.repository().behind()).unwrap().is_empty());
    let erasure = hospital.world.erasure();
    assert!(block_on(hospital.repository().erase(&erasure)).is_ok());
    assert_eq!(block_on(noted.erased(None)).unwrap(), std::slice::from_ref(&owner));
    assert!(block_on(noted.erased(Some(&owner))).unwrap().is_empty());
    assert_eq!(block_on(noted.damaged()).unwrap(), foreign);
}

#[test]
fn an_owner_whose_note_is_damaged_stays_erased() {
    let hospital = Hospital::new();
    let erasure = hospital.world.erasure();
    assert!(block_on(hospital.repository().erase(&erasure)).is_ok());
    let (owner, section) = hospital.place();
    let key = format!("erased/{owner}");
    replace(&hospital.ledger, &key, b"damaged");
    let noted = hospital.noted();
    assert_eq!(block_on(noted.is_erased(&owner)), Ok(true));
    assert_eq!(block_on(noted.erased(None)).unwrap(), std::slice::from_ref(&owner));
    assert_eq!(block_on(noted.damaged()).unwrap(), [key]);
    let served = block_on(hospital.repository().consents(&owner, &section, None));
    assert_eq!(served.err(), Some(Error::Rollback("consent")));
}

#[test]
fn a_ledger_is_opened_again_and_says_what_it_said() {
    let noted = MemoryStore::new();
    let hospital = Hospital::new();
    let (owner, section) = hospital.place();
    let stored = &hospital.chain[0].0;
    block_on(guard::ledger(&noted).advance(&hospital.world.live(stored), stored)).unwrap();
    assert_eq!(block_on(guard::ledger(&noted).newest(&owner, &section)).unwrap().as_ref(), Some(stored));
}

/// Its disk is changed for an empty one while the server runs, or for another ledger's.
#[test]
fn a_ledger_that_goes_while_it_is_used_is_an_error_and_no_blank_one() {
    let elsewhere = Hospital::new();
    for (another, knows) in [(false, false), (true, false), (true, true)] {
        let hospital = Hospital::new();
        hospital.publish(1);
        let (owner, section) = hospital.place();
        let (repository, noted, id) = (hospital.repository(), hospital.noted(), "r00000".parse().unwrap());
        let late = sealed(&hospital.world, hospital.access(0), "late");
        let (next, _) = &hospital.chain[2];
        let live = hospital.world.live(next);
        let erasure = hospital.world.erasure();
        block_on(hospital.ledger.delete_prefix("")).unwrap();
        if another {
            let ledger = block_on(Ledger::create(&hospital.ledger)).unwrap();
            if knows {
                let (stored, _) = &elsewhere.chain[0];
                block_on(ledger.advance(&elsewhere.world.live(stored), stored)).unwrap();
            }
        }
        let before = [contents(&hospital.store), contents(&hospital.ledger)];
        let told = [
            block_on(noted.newest(&owner, &section)).map(drop),
            block_on(noted.state(&owner, &section, hospital.access(0).key_id())).map(drop),
            block_on(noted.advance(&live, next)),
            block_on(repository.consents(&owner, &section, None)).map(drop),
            block_on(repository.get(&owner, &id)).map(drop),
            block_on(repository.put(&late)).map(drop),
            block_on(repository.put_consent(next)).map(drop),
            block_on(repository.publish(&live, next)).map(drop),
            block_on(repository.catch_up(&owner, &section)).map(drop),
            block_on(noted.is_erased(&owner)).map(drop),
            block_on(noted.compartments(None)).map(drop),
            block_on(noted.erased(None)).map(drop),
            block_on(noted.damaged()).map(drop),
            block_on(repository.behind()).map(drop),
            block_on(repository.erase(&erasure)).map(drop),
        ];
        for (at, told) in told.into_iter().enumerate() {
            assert_eq!(told, Err(LedgerError::Missing.into()), "{at} {another} {knows}");
        }
        assert_eq!([contents(&hospital.store), contents(&hospital.ledger)], before);
    }
}
