//! What the process does that is killed: one verb after the other, chosen at random, each from what it finds on disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use chartseal::backup;
use chartseal::consent::{Access, StoredConsent};
use chartseal::id::{Revision, Time, Version};
use chartseal::record::{Author, SealedRecord};
use chartseal::repository::Put;
use chartseal::rotation::{Retirement, Rotation};
use chartseal::store::{RedbStore, Store};

use super::Random;
use super::cast::{Cast, Patient};
use super::disks::Disks;
use crate::support::waiting::block_on;
use crate::support::world::{NOW, after, record};

/// Patients who are there at once.
const PATIENTS: usize = 3;
const RECORDS: usize = 6;
const LAST_REVISION: u64 = 3;
/// The consent to a compartment that shuts the nurse out.
pub(crate) const SHUTS_OUT: Version = Version(3);

pub(crate) struct Worker<'a> {
    cast: &'a Cast,
    disks: Disks,
    folder: &'a Path,
    number: u64,
    random: Random,
    names: u64,
}

/// What is written into a record's field.
pub(crate) fn value(patient: usize, record: &str, revision: Revision) -> String {
    let padding = match (patient + record.len() + usize::from(record.as_bytes()[1])) as u64 + revision.0 {
        n if n % 7 == 0 => 150_000,
        n if n % 3 == 0 => 3_000,
        _ => 0,
    };
    format!("of {patient} {record} {}{}", revision.0, ".".repeat(padding))
}

/// After so many were killed, leases of those before are over.
pub(crate) fn time(number: u64) -> Time {
    after(number * 10_000)
}

fn say(what: &str, verb: &str) {
    println!("~{what} {verb}~");
}

impl<'a> Worker<'a> {
    pub(crate) fn new(cast: &'a Cast, disks: Disks, folder: &'a Path, number: u64) -> Self {
        Self { cast, disks, folder, number, random: Random::new(number), names: 0 }
    }

    /// Says what it begins, does it, and says that it is done.
    pub(crate) fn step(&mut self) {
        let there =
            |number: &usize| !block_on(self.disks.ledger().is_erased(self.cast.patients[*number].owner.id())).unwrap();
        let there: Vec<usize> = (0..self.cast.patients.len()).filter(there).take(PATIENTS).collect();
        let number = there[self.random.below(there.len() as u64) as usize];
        let patient = &self.cast.patients[number];
        let stored = self.disks.stored(patient);
        if stored.is_empty() {
            return self.publish_first(number);
        }
        match self.random.below(24) {
            0..=5 => self.put(number, &stored),
            6..=10 => self.amend(number, &stored),
            11..=14 => self.publish_next(number, &stored),
            15..=16 => _ = self.rotate(number, &stored),
            17..=18 => self.reencrypt(number, &stored),
            19..=20 => self.retire(number, &stored),
            21 => self.back_up(),
            22 => self.restore(),
            _ => self.erase(number),
        }
    }

    fn put(&mut self, number: usize, stored: &[StoredConsent]) {
        let patient = &self.cast.patients[number];
        let count = self.disks.records(patient).len();
        if count >= RECORDS {
            return self.amend(number, stored);
        }
        let (name, access) = (format!("r{count}"), self.newest(patient, stored));
        let new = record(&name).part(&access).unwrap();
        let new = new.field("/diagnosis", value(number, &name, Revision(0))).unwrap();
        let new = new.seal(&self.cast.ada.author(), NOW).unwrap();
        self.keep_pieces(&[&new]);
        let verb = format!("put {number} {name} 0");
        say("begin", &verb);
        assert_eq!(block_on(self.disks.repository().put(&new)).unwrap(), Put::Done);
        say("done", &verb);
    }

    fn amend(&mut self, number: usize, stored: &[StoredConsent]) {
        let patient = &self.cast.patients[number];
        let names = self.disks.records(patient);
        if names.is_empty() {
            return self.put(number, stored);
        }
        let name = &names[self.random.below(names.len() as u64) as usize];
        let before =
            block_on(self.disks.repository().get(patient.owner.id(), &name.parse().unwrap())).unwrap().unwrap();
        let access = self.newest(patient, stored);
        if before.key_id(&patient.section()) != Some(access.key_id()) {
            _ = self.rotate(number, stored);
            return;
        }
        let revision = Revision(before.revision().0 + 1);
        if revision.0 > LAST_REVISION {
            return;
        }
        let reader = self.cast.reader(patient);
        let after = reader.amend(&before, &[&access]).unwrap();
        let after = after.field("/diagnosis", value(number, name, revision)).unwrap();
        let after = after.seal(&self.cast.ada.author(), NOW).unwrap();
        self.keep_pieces(&[&before, &after]);
        let verb = format!("amend {number} {name} {}", revision.0);
        say("begin", &verb);
        assert_eq!(block_on(self.disks.repository().amend(&before, &after)).unwrap(), Put::Done);
        say("done", &verb);
    }

    fn publish_first(&mut self, number: usize) {
        let Patient { owner, phone } = &self.cast.patients[number];
        let consent = phone.consent(owner.devices(), self.cast.patients[number].section());
        let consent = consent.read(&self.cast.trust, &self.cast.hospital, "role:doctor or role:nurse").unwrap();
        let consent = consent.write(&self.cast.trust, &self.cast.hospital, "role:doctor").unwrap();
        let (stored, access) = consent.seal(NOW).unwrap();
        self.publish(number, &stored, &access);
    }

    fn publish_next(&mut self, number: usize, stored: &[StoredConsent]) {
        let patient = &self.cast.patients[number];
        let before = self.newest(patient, stored);
        let sharing = patient.phone.sharing(patient.owner.devices(), &self.cast.trust, &before);
        let change = if before.version().0 + 1 == SHUTS_OUT.0 {
            sharing.revoke("nurse-ned".parse().unwrap())
        } else if self.random.below(2) == 0 {
            sharing.rotate()
        } else {
            sharing.reseal()
        };
        let (next, access, _) = change.unwrap().seal(NOW).unwrap();
        self.publish(number, &next, &access);
    }

    fn publish(&mut self, number: usize, stored: &StoredConsent, access: &Access) {
        fs::write(self.folder.join("consent"), stored.to_cbor().unwrap()).unwrap();
        let verb = format!("publish {number} {}", access.version().0);
        say("begin", &verb);
        assert_eq!(block_on(self.disks.repository().publish(access, stored)).unwrap(), Put::Done);
        say("done", &verb);
        // A reader comes upon it.
        let verb = format!("pin {number} {}", access.version().0);
        say("begin", &verb);
        self.cast.patients[number].access(stored, &mut self.disks.pins);
        say("done", &verb);
    }

    /// Whether there was anything to do.
    fn rotate(&mut self, number: usize, stored: &[StoredConsent]) -> bool {
        let patient = &self.cast.patients[number];
        let accesses = patient.accesses(stored);
        let Some((old, new)) = keys(&accesses) else {
            return false;
        };
        let verb = format!("rotate {number} {}", self.name());
        say("begin", &verb);
        run(&self.disks.data, (&old, new), verb.rsplit(' ').next().unwrap(), time(self.number));
        say("done", &verb);
        true
    }

    fn reencrypt(&mut self, number: usize, stored: &[StoredConsent]) {
        let patient = &self.cast.patients[number];
        let accesses = patient.accesses(stored);
        let verb = format!("reencrypt {number} {}", self.name());
        say("begin", &verb);
        reencrypt((self.cast, patient), &self.disks, &accesses, verb.rsplit(' ').next().unwrap(), time(self.number));
        say("done", &verb);
    }

    fn retire(&mut self, number: usize, stored: &[StoredConsent]) {
        if !self.rotate(number, stored) {
            return;
        }
        let accesses = self.cast.patients[number].accesses(stored);
        let (old, new) = keys(&accesses).unwrap();
        let verb = format!("retire {number} {}", new.version().0);
        say("begin", &verb);
        let clock = || time(self.number);
        let rotation = Rotation::new(&self.disks.data, &old, new, &clock).unwrap();
        let retired = block_on(rotation.retire(&self.disks.ledger())).unwrap();
        assert!(matches!(retired, Retirement::Done { lost: 0, .. }), "{retired:?}");
        say("done", &verb);
    }

    fn erase(&mut self, number: usize) {
        // Not before there is something to erase.
        if self.disks.records(&self.cast.patients[number]).len() < RECORDS / 2 {
            return;
        }
        let verb = format!("erase {number} 0");
        say("begin", &verb);
        erase(&self.cast.patients[number], &self.disks);
        say("done", &verb);
    }

    fn back_up(&mut self) {
        let verb = format!("backup 0 {}", self.name());
        say("begin", &verb);
        back_up(&self.disks.data, &self.folder.join(verb.replace(' ', "-")));
        say("done", &verb);
    }

    /// The latest backup that is whole.
    fn restore(&mut self) {
        let names = fs::read_dir(self.folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let Some(last) = names.filter(|name| name.starts_with("backup-") && !name.ends_with(".part")).max() else {
            return self.back_up();
        };
        let verb = format!("restore 0 {}", last.rsplit_once('-').unwrap().1);
        let place = self.folder.join(format!("restored-{}", self.name()));
        fs::write(self.folder.join("place"), place.to_str().unwrap()).unwrap();
        say("begin", &verb);
        restore(&self.folder.join(last), &place);
        say("done", &verb);
        fs::remove_file(place).unwrap();
    }

    fn newest(&mut self, patient: &Patient, stored: &[StoredConsent]) -> Access {
        patient.access(stored.last().unwrap(), &mut self.disks.pins)
    }

    /// One that nothing had before, and later ones are greater.
    fn name(&mut self) -> String {
        self.names += 1;
        format!("n{:04}x{:03}", self.number, self.names)
    }

    /// So that the same call can be made again.
    fn keep_pieces(&self, records: &[&SealedRecord]) {
        let mut bytes = Vec::new();
        for record in records {
            let pieces = record.pieces().unwrap();
            bytes.extend(u32::try_from(pieces.len()).unwrap().to_be_bytes());
            for part in pieces.iter().flat_map(|(key, value)| [key.as_bytes(), value]) {
                bytes.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
                bytes.extend(part);
            }
        }
        fs::write(self.folder.join("pieces"), bytes).unwrap();
    }
}

/// What was kept, as many records as there are.
pub(crate) fn kept_pieces(folder: &Path) -> Vec<BTreeMap<String, Vec<u8>>> {
    let bytes = fs::read(folder.join("pieces")).unwrap();
    let (mut rest, mut records) = (bytes.as_slice(), Vec::new());
    while !rest.is_empty() {
        let mut pieces = BTreeMap::new();
        for _ in 0..number(&mut rest) {
            let [key, value] = [(); 2].map(|()| {
                let length = number(&mut rest);
                rest.split_off(..length).unwrap().to_vec()
            });
            pieces.insert(String::from_utf8(key).unwrap(), value);
        }
        records.push(pieces);
    }
    records
}

fn number(rest: &mut &[u8]) -> usize {
    u32::from_be_bytes(rest.split_off(..4).unwrap().try_into().unwrap()) as usize
}

/// The newest access, and those that give other keys; nothing if there are none.
pub(crate) fn keys(accesses: &[Access]) -> Option<(Vec<&Access>, &Access)> {
    let (new, old) = accesses.split_last()?;
    let old: Vec<&Access> = old.iter().filter(|old| !old.has_key_of(new)).collect();
    (!old.is_empty()).then_some((old, new))
}

pub(crate) fn run(store: &dyn Store, (old, new): (&[&Access], &Access), name: &str, now: Time) {
    let clock = || now;
    let rotation = Rotation::new(store, old, new, &clock).unwrap();
    assert!(block_on(rotation.run(name, |_| ())).unwrap().finished);
    assert!(block_on(rotation.quarantined(name)).unwrap().is_empty());
    let found = block_on(rotation.verify()).unwrap();
    assert!(found.is_clean(), "{found:?}");
}

pub(crate) fn reencrypt((cast, patient): (&Cast, &Patient), disks: &Disks, accesses: &[Access], name: &str, now: Time) {
    let (old, new) = keys(accesses).unwrap_or((Vec::new(), accesses.last().unwrap()));
    let clock = || now;
    let author = Author::device(&patient.phone, patient.owner.devices()).unwrap();
    let rotation = Rotation::new(&disks.data, &old, new, &clock).unwrap();
    let rotation = rotation.reencrypt(disks.ledger(), &cast.trust, patient.owner.devices(), &author);
    assert!(block_on(rotation.run(name, |_| ())).unwrap().finished);
    assert!(block_on(rotation.quarantined(name)).unwrap().is_empty());
}

pub(crate) fn erase(patient: &Patient, disks: &Disks) {
    let wish = patient.owner.erase(NOW, NOW).unwrap().accept(patient.owner.devices(), NOW).unwrap();
    block_on(disks.repository().erase(&wish)).unwrap();
}

/// It has its name when it is whole.
pub(crate) fn back_up(store: &dyn Store, to: &Path) {
    let part: PathBuf = to.with_extension("part");
    let mut file = fs::File::create(&part).unwrap();
    let written = block_on(backup::write(store, &mut file)).unwrap();
    assert!(written.damaged.is_empty(), "{written:?}");
    file.sync_all().unwrap();
    fs::rename(part, to).unwrap();
}

pub(crate) fn restore(from: &Path, to: &Path) {
    let store = RedbStore::open(to).unwrap();
    block_on(backup::restore(&store, &mut fs::File::open(from).unwrap())).unwrap();
}
