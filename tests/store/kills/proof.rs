//! What is on disk after a kill, held against what was acknowledged.

use chartseal::Error;
use chartseal::consent::Access;
use chartseal::id::Revision;
use chartseal::ledger::KeyState;
use chartseal::pin::PinStore;
use chartseal::record::SealedRecord;
use chartseal::repository::Repository;
use chartseal::store::Store;

use super::cast::{Cast, Patient};
use super::disks::Disks;
use super::known::{Known, OfPatient};
use super::work::{SHUTS_OUT, value};
use crate::support::waiting::block_on;
use crate::support::world::NOW;

/// Everything that was acknowledged holds. What is there beyond that is learnt: it was not acknowledged, and is there.
pub(crate) fn holds(known: &mut Known, cast: &Cast, disks: &Disks, when: &str) {
    for store in [&disks.data, &disks.noted] {
        let found = block_on(store.check()).unwrap();
        assert!(found.damaged().is_empty(), "{when}: {found}");
    }
    let numbers: Vec<usize> = (0..cast.patients.len()).filter(|number| !known.erased.contains(number)).collect();
    for number in numbers {
        let patient = &cast.patients[number];
        if block_on(disks.ledger().is_erased(patient.owner.id())).unwrap() {
            // In the middle of it: nothing of hers is served.
            let verb = known.cut.as_ref().map(|verb| (verb.name.as_str(), verb.patient));
            assert_eq!(verb, Some(("erase", number)), "{when}");
            for name in disks.records(patient) {
                let served = block_on(disks.repository().get(patient.owner.id(), &name.parse().unwrap()));
                assert!(!matches!(served, Ok(Some(_))), "{when}: {name} of one who is being erased is served");
            }
            continue;
        }
        let stored = disks.stored(patient);
        let of = known.patients.entry(number).or_default();
        assert!(!stored.is_empty() || of.version.is_none(), "{when}: the consents are gone");
        if !stored.is_empty() {
            consents_hold(of, (cast, patient), disks, when);
            records_hold((of, number), (cast, patient), disks, when);
        }
    }
    for number in &known.erased {
        is_gone(&cast.patients[*number], disks, when);
    }
}

fn consents_hold(of: &mut OfPatient, (cast, patient): (&Cast, &Patient), disks: &Disks, when: &str) {
    let (owner, section) = (patient.owner.id(), patient.section());
    let served = block_on(disks.repository().consents(owner, &section, None)).unwrap();
    let newest = patient.access(served.last().unwrap(), &mut PinStore::default());
    assert!(of.version <= Some(newest.version()), "{when}: {:?} was acknowledged", of.version);
    let noted = block_on(disks.ledger().newest(owner, &section)).unwrap();
    let noted = noted.map(|noted| noted.consent().unverified().version);
    assert!(of.version <= noted, "{when}: the ledger knows {noted:?}");
    of.version = of.version.max(noted);
    for stored in &disks.stored(patient) {
        let access = patient.access(stored, &mut PinStore::default());
        of.keys.insert(access.version(), access.key_id());
        let nurse = cast.nurse.as_ref().unwrap();
        let opened = patient.opened_by(nurse, stored);
        assert_eq!(opened.is_some(), access.version() < SHUTS_OUT, "{when}");
        of.nurses.extend(opened.filter(|opened| of.nurses.iter().all(|kept| kept.hash() != opened.hash())));
    }
    // What a reader has seen does not go back.
    if let Some(pinned) = of.pinned {
        for stored in &disks.stored(patient) {
            let verified = stored.verify(patient.owner.devices(), &section, &disks.pins, NOW);
            if stored.consent().unverified().version < pinned {
                assert_eq!(verified.err(), Some(Error::Rollback("consent")), "{when}");
            }
        }
    }
    if let Some(retired) = of.retired {
        let new = of.keys.get(&retired).copied();
        let earlier = of.keys.range(..retired).filter(|(_, key)| Some(**key) != new);
        for (version, key) in earlier {
            let state = block_on(disks.ledger().state(owner, &section, *key)).unwrap();
            assert_eq!(state, KeyState::Destroyed, "{when}: the key of {version:?}, retired by {retired:?}");
            let gives = patient.accesses(&served).iter().any(|served| served.key_id() == *key);
            assert!(!gives, "{when}: the key of {version:?} is served");
        }
    }
}

fn records_hold((of, number): (&mut OfPatient, usize), (cast, patient): (&Cast, &Patient), disks: &Disks, when: &str) {
    let owner = patient.owner.id();
    let accesses = patient.accesses(&block_on(disks.repository().consents(owner, &patient.section(), None)).unwrap());
    let accesses: Vec<&Access> = accesses.iter().collect();
    let names = disks.records(patient);
    for name in of.records.keys() {
        assert!(names.contains(name), "{when}: {name} of {number} is lost");
    }
    let repository = disks.repository();
    let nurses: Vec<&Access> = of.nurses.iter().collect();
    let is_shut_out = of.retired >= Some(SHUTS_OUT);
    for name in names {
        let latest = block_on(repository.get(owner, &name.parse().unwrap())).unwrap().unwrap();
        let acknowledged = of.records.get(&name).copied();
        assert!(acknowledged <= Some(latest.revision()), "{when}: {name} of {number} is of {:?}", latest.revision());
        is_whole((number, &latest), (cast, patient), &accesses, when);
        for revision in (0..latest.revision().0).map(Revision) {
            let earlier = block_on(repository.revision(owner, latest.record(), revision)).unwrap();
            is_whole((number, &earlier.expect(when)), (cast, patient), &accesses, when);
        }
        if is_shut_out {
            assert!(cast.reader(patient).open(&latest, &nurses).is_err(), "{when}: the nurse reads {name}");
        }
        of.records.insert(name, latest.revision());
    }
}

/// Whether the record says what was written, by the plaintext.
pub(crate) fn is_whole(
    (number, record): (usize, &SealedRecord),
    (cast, patient): (&Cast, &Patient),
    accesses: &[&Access],
    when: &str,
) {
    let (name, revision) = (record.record().to_string(), record.revision());
    let view = cast.reader(patient).open(record, accesses);
    let view = view.unwrap_or_else(|error| panic!("{when}: {name} of {number} at {revision:?}: {error}"));
    let said = view.get("/diagnosis").unwrap().unwrap();
    assert!(said == value(number, &name, revision).as_bytes(), "{when}: {name} of {number} at {revision:?}");
}

fn is_gone(patient: &Patient, disks: &Disks, when: &str) {
    let owner = patient.owner.id();
    assert!(block_on(disks.ledger().is_erased(owner)).unwrap(), "{when}");
    let noted = block_on(disks.ledger().compartments(None)).unwrap();
    assert!(noted.iter().all(|(other, _)| other != owner), "{when}: the ledger knows {owner}");
    let keys = block_on(disks.data.keys("", "", 10_000)).unwrap();
    let left: Vec<&String> = keys.iter().filter(|key| key.contains(owner.as_str())).collect();
    assert!(left.is_empty(), "{when}: {left:?} of one who was erased");
}

/// Nothing has to be mended when what was cut off was done again.
pub(crate) fn is_clean(known: &Known, cast: &Cast, disks: &Disks, when: &str) {
    let behind = block_on(disks.repository().behind()).unwrap();
    for (number, of) in &known.patients {
        let patient = &cast.patients[*number];
        let is_behind = behind.iter().any(|(owner, _)| owner == patient.owner.id());
        assert!(!is_behind || of.is_behind, "{when}: {number} is behind");
        let damaged = block_on(disks.repository().damaged_consents(patient.owner.id(), &patient.section())).unwrap();
        assert!(damaged.is_empty(), "{when}: {damaged:?}");
    }
}

/// Whether a store that a backup was put into holds these records as they were, or later, with what opens them.
pub(crate) fn is_restored(store: &dyn Store, snapshot: &super::known::Snapshot, cast: &Cast, when: &str) {
    let repository = Repository::new(store);
    for ((number, name), revision) in snapshot {
        let patient = &cast.patients[*number];
        let owner = patient.owner.id();
        let stored = block_on(repository.stored_consents(owner, &patient.section(), None)).unwrap();
        let accesses = patient.accesses(&stored);
        let accesses: Vec<&Access> = accesses.iter().collect();
        let held = block_on(repository.get(owner, &name.parse().unwrap())).unwrap();
        let held = held.unwrap_or_else(|| panic!("{when}: {name} of {number} is not in the backup"));
        assert!(held.revision() >= *revision, "{when}: {name} of {number} is of {:?}", held.revision());
        is_whole((*number, &held), (cast, patient), &accesses, when);
    }
}
