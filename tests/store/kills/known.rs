//! What whoever looks on was told, and what he saw.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chartseal::consent::Access;
use chartseal::id::{KeyId, Revision, Version};

/// What a verb was about: the name or number at the end differs by verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verb {
    pub(crate) name: String,
    pub(crate) patient: usize,
    pub(crate) what: Vec<String>,
}

#[derive(Default)]
pub(crate) struct Known {
    pub(crate) kills: u64,
    /// Begun, and nothing was said since.
    pub(crate) cut: Option<Verb>,
    pub(crate) patients: BTreeMap<usize, OfPatient>,
    pub(crate) erased: BTreeSet<usize>,
    /// The revision of each record when a backup began, by the backup's name, until somebody looked at it.
    pub(crate) backups: Vec<(String, Snapshot)>,
    begun: Option<Snapshot>,
    done: BTreeMap<String, u64>,
    cuts: BTreeMap<String, u64>,
}

pub(crate) type Snapshot = BTreeMap<(usize, String), Revision>;

#[derive(Default)]
pub(crate) struct OfPatient {
    /// The newest consent.
    pub(crate) version: Option<Version>,
    pub(crate) pinned: Option<Version>,
    pub(crate) records: BTreeMap<String, Revision>,
    /// The consent of the latest retirement.
    pub(crate) retired: Option<Version>,
    /// The keys of the consents that were seen, and the consents that gave them.
    pub(crate) keys: BTreeMap<Version, KeyId>,
    /// A retirement was cut off that nobody did again: consents may be left that the next one deletes.
    pub(crate) is_behind: bool,
    /// What the nurse once opened, and keeps.
    pub(crate) nurses: Vec<Access>,
}

impl Known {
    /// Whether this line says that something begins.
    pub(crate) fn hear(&mut self, line: &str) -> bool {
        // A line that was cut off says nothing.
        let Some(line) = line.split_once('~').and_then(|(_, rest)| rest.strip_suffix('~')) else { return false };
        let mut words = line.split(' ').map(str::to_owned);
        let (said, name) = (words.next().unwrap(), words.next().unwrap());
        let verb = Verb { name, patient: words.next().unwrap().parse().unwrap(), what: words.collect() };
        if said == "begin" {
            if verb.name == "backup" {
                self.begun = Some(self.snapshot());
            }
            self.cut = Some(verb);
            return true;
        }
        assert_eq!(self.cut.take().as_ref(), Some(&verb));
        self.is_done(&verb);
        false
    }

    pub(crate) fn is_done(&mut self, verb: &Verb) {
        *self.done.entry(verb.name.clone()).or_default() += 1;
        let of = self.patients.entry(verb.patient).or_default();
        let version = || Some(Version(verb.what[0].parse().unwrap()));
        match verb.name.as_str() {
            "put" | "amend" => _ = of.records.insert(verb.what[0].clone(), Revision(verb.what[1].parse().unwrap())),
            "publish" => of.version = version(),
            "pin" => of.pinned = version(),
            "retire" => (of.retired, of.is_behind) = (version(), false),
            "erase" => {
                self.patients.remove(&verb.patient);
                self.erased.insert(verb.patient);
            }
            "backup" => self.backups.push((verb.what[0].clone(), self.begun.take().unwrap())),
            _ => {}
        }
    }

    /// It was cut off, and is no more what may half stand.
    pub(crate) fn was_cut(&mut self, verb: &Verb) {
        *self.cuts.entry(verb.name.clone()).or_default() += 1;
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let of = |(number, of): (&usize, &OfPatient)| {
            let number = *number;
            of.records.iter().map(move |(name, revision)| ((number, name.clone()), *revision)).collect::<Vec<_>>()
        };
        self.patients.iter().flat_map(of).collect()
    }

    /// Nothing is shown by a process that did nothing.
    pub(crate) fn was_thorough(&self, kills: u64) {
        let done: u64 = self.done.values().sum();
        assert!(done > 3 * kills, "{self}");
        if kills >= 200 {
            for verb in
                ["put", "amend", "publish", "pin", "rotate", "reencrypt", "retire", "erase", "backup", "restore"]
            {
                assert!(self.done.contains_key(verb) && self.cuts.contains_key(verb), "{verb}: {self}");
            }
        }
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} kills; acknowledged: {:?}; cut off: {:?}; lost: 0", self.kills, self.done, self.cuts)
    }
}
