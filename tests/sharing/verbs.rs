//! The patient's verbs, judged by what keys open and not by what calls refuse; and the receipts, whose every word is tried.

use crate::support::waiting::block_on;
use crate::support::world::{NOW, Person, World, YEAR, after, record};
use chartseal::authority::Authority;
use chartseal::backup;
use chartseal::consent::{Access, StoredConsent};
use chartseal::id::{Generation, Version};
use chartseal::identity::Identity;
use chartseal::kem::UserKey;
use chartseal::owner::{Adversary, Change, Protection, Receipt, Sharing, Step};
use chartseal::pin::PinStore;
use chartseal::record::{Author, SealedRecord};
use chartseal::repository::{Put, Repository};
use chartseal::store::MemoryStore;
use chartseal::{Error, Unknown};

struct Clinic {
    world: World,
    ada: UserKey,
    ned: UserKey,
    access: Access,
    stored: StoredConsent,
}

impl Clinic {
    fn new() -> Self {
        let world = World::new();
        let key = |person: &Person| person.identity.accept(&person.issued, &world.trust, NOW).unwrap();
        let (ada, ned) = (key(&world.ada), key(&world.nurse));
        let consent = world.phone.consent(world.devices(), "a".parse().unwrap());
        let consent = consent.read(&world.trust, world.hospital.id(), "role:doctor or role:nurse").unwrap();
        let consent = consent.write(&world.trust, world.hospital.id(), "role:doctor").unwrap();
        let (stored, access) = consent.seal(NOW).unwrap();
        Self { world, ada, ned, access, stored }
    }

    fn sharing<'a>(&'a self, access: &'a Access) -> Sharing<'a> {
        self.world.phone.sharing(self.world.devices(), &self.world.trust, access)
    }

    fn open(&self, stored: &StoredConsent, key: &UserKey) -> Result<Access, Error> {
        let compartment = "a".parse().unwrap();
        let live = stored.verify(self.world.devices(), &compartment, &PinStore::default(), NOW)?;
        live.open(key, &mut PinStore::default())
    }

    /// Whether doctor and nurse open it.
    fn opened(&self, stored: &StoredConsent) -> (bool, bool) {
        let opens = |key| match self.open(stored, key) {
            Ok(_) => true,
            Err(Error::CannotOpen) => false,
            Err(other) => panic!("{other}"),
        };
        (opens(&self.ada), opens(&self.ned))
    }

    fn write(&self, access: &Access, id: &str) -> SealedRecord {
        let record = record(id).part(access).unwrap().field("/a", "secret").unwrap();
        record.seal(&self.world.ada.author(), NOW).unwrap()
    }

    /// What a reader gets out of a record with these keys, if anything.
    fn reads(&self, record: &SealedRecord, accesses: &[&Access]) -> bool {
        self.world.reader().open(record, accesses).is_ok()
    }

    fn seal(&self, change: Change<'_>) -> (StoredConsent, Access, Receipt) {
        change.seal(NOW).unwrap()
    }
}

#[test]
fn each_verb_opens_and_closes_what_it_says_and_follows_the_version_before() {
    let clinic = Clinic::new();
    let id = clinic.world.hospital.id().clone();
    assert_eq!(clinic.opened(&clinic.stored), (true, true));
    let verbs: [(&str, Change<'_>, (bool, bool), u64); 7] = [
        ("restrict", clinic.sharing(&clinic.access).restrict(&id, "role:doctor").unwrap(), (true, false), 2),
        ("revoke", clinic.sharing(&clinic.access).revoke("dr-ada".parse().unwrap()).unwrap(), (false, true), 2),
        ("revoke_authority", clinic.sharing(&clinic.access).revoke_authority(&id).unwrap(), (false, false), 2),
        ("rotate", clinic.sharing(&clinic.access).rotate().unwrap(), (true, true), 2),
        ("reseal", clinic.sharing(&clinic.access).reseal().unwrap(), (true, true), 1),
        ("grant_policy", clinic.sharing(&clinic.access).grant_policy(&id, "role:clerk").unwrap(), (true, true), 1),
        ("grant", clinic.sharing(&clinic.access).grant(&clinic.world.lab.identity.public()).unwrap(), (true, true), 1),
    ];
    for (what, change, opened, generation) in verbs {
        let (stored, access, receipt) = clinic.seal(change);
        assert_eq!(clinic.opened(&stored), opened, "{what}");
        assert_eq!((access.version(), access.generation()), (Version(2), Generation(generation)), "{what}");
        assert_eq!(stored.consent().unverified().previous, Some(clinic.access.hash()), "{what}");
        let kept = access.write_policies() == clinic.access.write_policies();
        assert_eq!(kept, what != "revoke", "{what}");
        assert_eq!((receipt.from, receipt.to.0), ((Version(1), Generation(1)), Version(2)));
        assert_eq!(receipt.needs_rewrap(), generation == 2, "{what}");
    }
}

#[test]
fn a_person_by_name_comes_and_goes() {
    let clinic = Clinic::new();
    let lab = &clinic.world.lab.identity;
    let as_lab = |stored: &StoredConsent| {
        let compartment = "a".parse().unwrap();
        let live = stored.verify(clinic.world.devices(), &compartment, &PinStore::default(), NOW).unwrap();
        live.open_as(lab, &mut PinStore::default()).is_ok()
    };
    assert!(!as_lab(&clinic.stored));
    let (stored, access, receipt) = clinic.seal(clinic.sharing(&clinic.access).grant(&lab.public()).unwrap());
    assert!(as_lab(&stored) && !receipt.needs_rewrap());
    // Through other changes she stays.
    let (stored, access, _) = clinic.seal(clinic.sharing(&access).rotate().unwrap());
    assert!(as_lab(&stored));
    let (stored, access, _) = clinic.seal(clinic.sharing(&access).revoke("lab-7".parse().unwrap()).unwrap());
    assert!(!as_lab(&stored));
    assert_eq!(clinic.opened(&stored), (true, true));
    // And out she stays.
    let (stored, access, _) = clinic.seal(clinic.sharing(&access).rotate().unwrap());
    assert!(!as_lab(&stored));
    let names: Vec<_> = access.terms().exclusions.iter().map(|one| one.person.clone()).collect();
    assert_eq!(names, [Some("lab-7".parse().unwrap())]);
}

#[test]
fn a_revoked_person_stays_out_with_a_key_that_is_issued_again() {
    let mut clinic = Clinic::new();
    let (stored, access, receipt) =
        clinic.seal(clinic.sharing(&clinic.access).revoke("dr-ada".parse().unwrap()).unwrap());
    assert!(receipt.unenforced.is_empty());
    let attributes = "role:doctor, role:nurse".parse().unwrap();
    let (start, end) = (NOW, after(YEAR));
    let id = clinic.world.ada.identity.id().clone();
    let issued = clinic.world.hospital.issue(&id, &attributes, start, end, NOW).unwrap();
    let again = clinic.world.ada.identity.accept(&issued, &clinic.world.trust, NOW).unwrap();
    assert!(clinic.open(&clinic.stored, &again).is_ok());
    assert_eq!(clinic.open(&stored, &again).err(), Some(Error::CannotOpen));
    let (later, ..) = clinic.seal(clinic.sharing(&access).restrict(clinic.world.hospital.id(), "role:doctor").unwrap());
    assert_eq!(clinic.open(&later, &again).err(), Some(Error::CannotOpen));
}

/// Who may not read can still seal to the write key; whether that counts is for readers to say.
#[test]
fn a_revoked_person_writes_nothing_either_and_what_she_wrote_before_stands() {
    let clinic = Clinic::new();
    let before = clinic.write(&clinic.access, "before");
    let (stored, new, _) = clinic.seal(clinic.sharing(&clinic.access).revoke("dr-ada".parse().unwrap()).unwrap());
    let live = clinic.world.live(&stored);
    let written =
        record("r").part(live.write_only(&mut PinStore::default()).unwrap()).unwrap().field("/a", "1").unwrap();
    let written = written.seal(&clinic.world.ada.author(), NOW).unwrap();
    assert_eq!(clinic.world.reader().open(&written, &[&new]).err(), Some(Error::NotAllowed));

    let mut moved = before.clone();
    moved.rewrap(&clinic.access, &new).unwrap();
    assert!(clinic.reads(&moved, &[&new]));
    // Through the next change she stays out, and revoking her again adds nothing.
    let (_, next, _) = clinic.seal(clinic.sharing(&new).revoke("dr-ada".parse().unwrap()).unwrap());
    assert_eq!(next.terms().exclusions, new.terms().exclusions);
}

#[test]
fn the_preview_names_who_gains_and_who_loses() {
    let clinic = Clinic::new();
    let people = [&clinic.world.ada, &clinic.world.nurse, &clinic.world.lab]
        .map(|person| clinic.world.trust.credential(&person.issued.credential, NOW).unwrap());
    let change = clinic.sharing(&clinic.access).restrict(clinic.world.hospital.id(), "role:doctor or role:laboratory");
    let preview = change.unwrap().preview(&people, NOW).unwrap();
    let names = |set: &std::collections::BTreeSet<chartseal::consent::Reader>| -> Vec<String> {
        set.iter().map(|reader| reader.person.to_string()).collect()
    };
    assert_eq!(names(&preview.opens), ["dr-ada", "lab-7"]);
    assert_eq!((names(&preview.gains), names(&preview.loses)), (vec!["lab-7".into()], vec!["nurse-ned".into()]));
}

#[test]
fn the_receipt_lists_whom_an_authority_does_not_know() {
    let mut clinic = Clinic::new();
    clinic.world.known_elsewhere("dr-who");
    let (_, _, receipt) = clinic.seal(clinic.sharing(&clinic.access).revoke("dr-who".parse().unwrap()).unwrap());
    assert_eq!((receipt.unenforced.len(), receipt.shut_out.len()), (1, 0));
    assert!(receipt.to_string().contains("Not shut out under st-olave: dr-who, whom it does not know by this name."));
}

/// What the nurse, who is shut out, kept; and what she can read with it afterwards. Each line of the receipt is tried on
/// the records that the store held before, and on one that is written afterwards.
#[test]
fn a_receipt_is_true_of_every_adversary_at_every_step() {
    let clinic = Clinic::new();
    let store = MemoryStore::new();
    let before = clinic.write(&clinic.access, "before");
    assert_eq!(block_on(Repository::new(&store).put(&before)).unwrap(), Put::Done);
    let mut earlier_copy = Vec::new();
    assert!(block_on(backup::write(&store, &mut earlier_copy)).unwrap().damaged.is_empty());
    let old = clinic.open(&clinic.stored, &clinic.ned).unwrap();
    let id = clinic.world.hospital.id();
    let (stored, new, receipt) = clinic.seal(clinic.sharing(&clinic.access).restrict(id, "role:doctor").unwrap());
    assert_eq!(clinic.opened(&stored), (true, false));

    let mut rewrapped = before.clone();
    rewrapped.rewrap(&clinic.access, &new).unwrap();
    let phone = Author::device(&clinic.world.phone, clinic.world.devices()).unwrap();
    let (_, newest, _) = clinic.seal(clinic.sharing(&new).rotate().unwrap());
    let resealed = clinic.world.reader().reseal(&rewrapped, (&new, &newest), &phone, NOW).unwrap();
    let after = clinic.write(&newest, "after");

    // A server that keeps all it ever held, and puts it together as it likes: any version with any wrap.
    let versions = [&before, &rewrapped, &resealed, &after].map(|record| record.pieces().unwrap());
    let wraps: Vec<_> = versions.iter().flatten().filter(|(key, _)| key.starts_with("wrap/")).collect();
    let of_the_server = |record: &SealedRecord| {
        wraps.iter().any(|(_, wrap)| {
            let mut pieces = record.pieces().unwrap();
            pieces.iter_mut().filter(|(key, _)| key.starts_with("wrap/")).for_each(|(_, held)| held.clone_from(wrap));
            let record = SealedRecord::from_pieces(record.owner(), record.record(), pieces).unwrap();
            clinic.reads(&record, &[&old])
        })
    };

    // Someone who kept a record's key has, in effect, its old wrap: the DEK is the same until the record is sealed again.
    let with_old_wrap = |held: &SealedRecord| {
        let (mut mixed, kept) = (to_value(held), to_value(&before));
        mixed["parts"][0]["wrap"] = kept["parts"][0]["wrap"].clone();
        SealedRecord::from_json(&mixed.to_string()).unwrap()
    };
    for (step, held) in [(Step::Sealed, &before), (Step::Rewrapped, &rewrapped), (Step::Resealed, &resealed)] {
        for adversary in [
            Adversary::AttributeKey,
            Adversary::CompartmentKey,
            Adversary::RecordKey,
            Adversary::EarlierCopy,
            Adversary::ColludingServer,
        ] {
            let (reads_before, reads_after) = match adversary {
                // The old consent still opens with the attribute key, wherever it is kept.
                Adversary::AttributeKey => {
                    let access = clinic.open(&clinic.stored, &clinic.ned).unwrap();
                    (clinic.reads(held, &[&access]), clinic.reads(&after, &[&access]))
                }
                Adversary::CompartmentKey => (clinic.reads(held, &[&old]), clinic.reads(&after, &[&old])),
                Adversary::RecordKey => {
                    let mixed = with_old_wrap(held);
                    (clinic.reads(&mixed, &[&old]), clinic.reads(&after, &[&old]))
                }
                Adversary::EarlierCopy => {
                    let copy = MemoryStore::new();
                    block_on(backup::restore(&copy, &mut earlier_copy.as_slice())).unwrap();
                    let get = |record: &SealedRecord| {
                        block_on(Repository::new(&copy).get(record.owner(), record.record())).unwrap()
                    };
                    let reads = |record| get(record).is_some_and(|copied| clinic.reads(&copied, &[&old]));
                    (reads(held), reads(&after) || clinic.reads(&with_old_wrap(&after), &[&old]))
                }
                Adversary::ColludingServer => {
                    let all = [&before, &rewrapped, &resealed];
                    (all.into_iter().any(of_the_server), of_the_server(&after))
                }
                other => panic!("{other:?}"),
            };
            assert!(!reads_after, "{adversary:?} at {step:?}");
            let expected = match receipt.protects(adversary, step) {
                Protection::Everything => false,
                Protection::LaterRecords => true,
                other => panic!("{other:?}"),
            };
            assert_eq!(reads_before, expected, "{adversary:?} at {step:?}");
        }
    }
    // What the patient is told, each sentence of which stands for a line above: what is written from now on (`after`),
    // what was moved (`Rewrapped`), copies and records' own keys (`RecordKey`, `EarlierCopy`, `ColludingServer`).
    assert_eq!(
        receipt.to_string(),
        "Your consent for a is now version 2.\n\
         Changed: whoever is `role:doctor` at st-olave may read, in the place of whoever is `role:doctor or role:nurse`.\n\
         Protected: whoever may read no more cannot read anything that is written from now on.\n\
         Protected once your records have been moved to the new key: what is stored already, from those who kept no copy of \
         it and no key of single records.\n\
         Still not protected: what somebody has already read or copied, and old backups, together with the keys from before. \
         A record can be closed to those who kept its own key by sealing it again.\n"
    );
    // The doctor lost nothing on the way.
    for record in [&rewrapped, &resealed, &after] {
        assert!(clinic.reads(record, &[&new, &newest]));
    }
}

#[test]
fn a_reseal_protects_nothing_from_whoever_opened_before_and_says_so() {
    let clinic = Clinic::new();
    let old = clinic.open(&clinic.stored, &clinic.ned).unwrap();
    let (_, access, receipt) = clinic.seal(clinic.sharing(&clinic.access).reseal().unwrap());
    assert_eq!(receipt.protects(Adversary::CompartmentKey, Step::Resealed), Protection::Nothing);
    assert!(clinic.reads(&clinic.write(&access, "later"), &[&old]));
    assert_eq!(
        receipt.to_string(),
        "Your consent for a is now version 2.\n\
         Nobody who has opened it before was shut out: the key is the same, and it is not protected from them.\n"
    );
}

#[test]
fn an_edit_after_a_revocation_is_closed_to_the_old_record_key() {
    let clinic = Clinic::new();
    let before = clinic.write(&clinic.access, "r");
    let (_, new, _) = clinic.seal(clinic.sharing(&clinic.access).revoke("nurse-ned".parse().unwrap()).unwrap());
    let mut moved = before.clone();
    moved.rewrap(&clinic.access, &new).unwrap();
    let reader = clinic.world.reader();
    let edit = reader.amend(&moved, &[&new]).unwrap().field("/a", "newer").unwrap();
    let edited = edit.seal(&clinic.world.ada.author(), NOW).unwrap();
    let (mut mixed, kept) = (to_value(&edited), to_value(&before));
    mixed["parts"][0]["wrap"] = kept["parts"][0]["wrap"].clone();
    let mixed = SealedRecord::from_json(&mixed.to_string()).unwrap();
    assert!(!clinic.reads(&mixed, &[&clinic.access]));
    assert!(clinic.reads(&edited, &[&new]));
}

fn to_value(record: &SealedRecord) -> serde_json::Value {
    serde_json::from_str(&record.to_json().unwrap()).unwrap()
}

#[test]
fn who_was_shut_out_and_taken_back_reads_and_writes_again() {
    let clinic = Clinic::new();
    let ada = clinic.world.ada.identity.id().clone();
    assert_eq!(
        clinic.sharing(&clinic.access).readmit(&ada).err(),
        Some(Error::Unknown(Unknown::Exclusion(ada.clone())))
    );
    let (_, out, _) = clinic.seal(clinic.sharing(&clinic.access).revoke(ada.clone()).unwrap());
    let (stored, back, receipt) = clinic.seal(clinic.sharing(&out).readmit(&ada).unwrap());
    assert_eq!(clinic.opened(&stored), (true, true));
    assert!(!receipt.needs_rewrap());
    let (now, before) = (back.terms(), clinic.access.terms());
    assert_eq!((&now.read, &now.write, &now.exclusions), (&before.read, &before.write, &before.exclusions));
    assert!(clinic.reads(&clinic.write(&back, "again"), &[&back]));
    // Excluded in a branch by the patient's own words: those are not guessed at.
    let id = clinic.world.hospital.id();
    let words = "(role:doctor and not user:dr-ada) or role:nurse";
    let (_, access, _) = clinic.seal(clinic.sharing(&clinic.access).restrict(id, words).unwrap());
    let (_, access, _) = clinic.seal(clinic.sharing(&access).rotate().unwrap());
    let (stored, ..) = clinic.seal(clinic.sharing(&access).readmit(&ada).unwrap());
    assert_eq!(clinic.opened(&stored), (false, true));
}

/// One after the other, a consent at a time.
#[test]
fn many_can_be_shut_out() {
    let mut clinic = Clinic::new();
    let people: Vec<_> = (0..60).map(|i| format!("dr-{i}")).collect();
    for id in &people {
        let identity = chartseal::identity::Identity::generate(id.parse().unwrap()).unwrap();
        clinic.world.hospital.enrol(&identity.enrol().unwrap()).unwrap();
    }
    clinic.world.publish();
    let mut access = None;
    for id in &people {
        let before = access.as_ref().unwrap_or(&clinic.access);
        let (stored, next, _) = clinic.seal(clinic.sharing(before).revoke(id.parse().unwrap()).unwrap());
        assert_eq!(clinic.opened(&stored), (true, true));
        access = Some(next);
    }
    let access = access.unwrap();
    assert_eq!(access.read_policies()[0].1.exclusions().count(), 60);
    assert_eq!(access.write_policies()[0].1.exclusions().count(), 60);
    // In one cover: no more leaves than when they are said by hand.
    let numbers = access.terms().exclusions.iter().map(|one| one.numbers[clinic.world.hospital.id()]);
    let numbers: std::collections::BTreeSet<_> = numbers.collect();
    let all = numbers.iter().map(|number| format!(" and not user:{number}")).collect::<String>();
    let by_hand = format!("((role:doctor or role:nurse){all}) and valid-until >= 2026-03");
    assert_eq!(access.read_policies()[0].1.to_string(), by_hand);
}

/// An authority that did not know her when she was shut out; she is enrolled there afterwards, and the month goes on.
#[test]
fn who_was_shut_out_does_not_come_to_write_by_a_second_authority() {
    let mut clinic = Clinic::new();
    let mut other = Authority::setup("other".parse().unwrap(), NOW).unwrap();
    clinic.world.trust.add(other.anchor()).unwrap();
    let mut pins = PinStore::default();
    clinic.world.trust.update(&other.publish(NOW).unwrap(), &mut pins, NOW).unwrap();
    let builder = clinic.world.phone.consent(clinic.world.devices(), "a".parse().unwrap());
    let builder = builder.write(&clinic.world.trust, other.id(), "role:doctor").unwrap();
    let (_, access) = builder.exclude("dr-ada".parse().unwrap()).seal(NOW).unwrap();
    let (stored, access, receipt) = clinic.seal(clinic.sharing(&access).reseal().unwrap());
    assert_eq!(receipt.unenforced.iter().map(|one| one.authority.as_str()).collect::<Vec<_>>(), ["other"]);

    let ada = clinic.world.ada.identity.id().clone();
    other.enrol(&clinic.world.ada.identity.enrol().unwrap()).unwrap();
    let issued = other.issue(&ada, &"role:doctor".parse().unwrap(), NOW, after(YEAR), NOW).unwrap();
    clinic.world.trust.update(&other.publish(after(1)).unwrap(), &mut pins, after(1)).unwrap();
    let (stored_next, next, receipt) = clinic.seal(clinic.sharing(&access).reseal().unwrap());
    assert!(receipt.unenforced.is_empty());
    let author = Author::new(&clinic.world.ada.identity, &issued.credential).unwrap();
    // Sealed to the write key, so that readers alone judge.
    let write = |stored: &StoredConsent, access: &Access| {
        let live = clinic.world.live(stored);
        let record = record("r")
            .part(live.write_only(&mut PinStore::default()).unwrap())
            .unwrap()
            .field("/a", "1")
            .unwrap()
            .seal(&author, NOW)
            .unwrap();
        clinic.world.reader().open(&record, &[access]).map(|_| ()).err()
    };
    assert_eq!(write(&stored, &access), None);
    assert_eq!(write(&stored_next, &next), Some(Error::NotAllowed));
}

/// What excluded her before for another reason than her name stays.
#[test]
fn a_readmission_gives_back_what_the_revocation_took() {
    let clinic = Clinic::new();
    let consent = clinic.world.phone.consent(clinic.world.devices(), "a".parse().unwrap());
    let consent = consent.read(&clinic.world.trust, clinic.world.hospital.id(), "role:doctor").unwrap();
    let write = "role:doctor and not user:dr-ada";
    let (_, access) = consent.write(&clinic.world.trust, clinic.world.hospital.id(), write).unwrap().seal(NOW).unwrap();
    let (_, revoked, _) = clinic.seal(clinic.sharing(&access).revoke("dr-ada".parse().unwrap()).unwrap());
    let (_, rotated, _) = clinic.seal(clinic.sharing(&revoked).rotate().unwrap());
    let (stored, back, _) = clinic.seal(clinic.sharing(&rotated).readmit(&"dr-ada".parse().unwrap()).unwrap());
    assert_eq!((&back.terms().write, &back.terms().read), (&access.terms().write, &access.terms().read));
    assert!(clinic.open(&stored, &clinic.ada).is_ok());
}

/// A wider policy lets nobody in who is shut out, and does not stand in the way of taking that back.
#[test]
fn a_wider_policy_leaves_out_who_is_shut_out() {
    let clinic = Clinic::new();
    let id = clinic.world.hospital.id();
    let ada = clinic.world.ada.identity.id().clone();
    let (_, revoked, _) = clinic.seal(clinic.sharing(&clinic.access).revoke(ada.clone()).unwrap());
    let (stored, wider, _) = clinic.seal(clinic.sharing(&revoked).grant_policy(id, "role:doctor or dept:icu").unwrap());
    assert_eq!(clinic.opened(&stored), (false, true));
    let number = clinic.world.ada.issued.credential.unverified().number;
    let text = format!("((role:doctor or role:nurse or dept:icu) and not user:{number}) and valid-until >= 2026-03");
    assert_eq!(wider.read_policies()[0].1.to_string(), text);
    for policy in [format!("user:{number}"), "role:clerk and user:dr-ada".into()] {
        assert!(matches!(clinic.sharing(&wider).grant_policy(id, &policy), Err(Error::ApiMisuse(_))), "{policy}");
    }
    let (stored, back, _) = clinic.seal(clinic.sharing(&wider).readmit(&ada).unwrap());
    assert_eq!(clinic.opened(&stored), (true, true));
    assert_eq!(back.terms().read[0].policy, "role:doctor or role:nurse or dept:icu");
    // What is excluded by number, and everybody but her.
    for (present, policy) in [("role:doctor and not user:#", "dept:icu"), ("not user:#", "role:doctor")] {
        let present = format!("{present}{}", number.get());
        let (_, access, _) = clinic.seal(clinic.sharing(&clinic.access).restrict(id, &present).unwrap());
        let (stored, ..) = clinic.seal(clinic.sharing(&access).grant_policy(id, policy).unwrap());
        assert!(!clinic.opened(&stored).0, "{present}");
        let (stored, ..) = clinic.seal(clinic.sharing(&access).grant_policy(id, "role:nurse").unwrap());
        assert_eq!(clinic.opened(&stored), (false, true), "{present}");
    }
}

/// More grants than a policy may be deep, one of them twice; and no text that two halves of a policy hide in.
#[test]
fn policies_grow_by_many_grants() {
    let clinic = Clinic::new();
    let id = clinic.world.hospital.id();
    let mut access = None;
    for ward in (0..40).chain([7]) {
        let before = access.as_ref().unwrap_or(&clinic.access);
        let change = clinic.sharing(before).grant_policy(id, &format!("ward:{ward}")).unwrap();
        let (stored, next, _) = clinic.seal(change);
        assert_eq!(clinic.opened(&stored), (true, true));
        access = Some(next);
    }
    assert_eq!(access.unwrap().terms().read[0].policy.matches("ward:").count(), 40);
    let halves = "ward:1) or (ward:2";
    let Err(Error::Policy(error)) = clinic.sharing(&clinic.access).grant_policy(id, halves) else { panic!() };
    assert_eq!(&halves[error.span()], ")");
}

/// One after the other, over the years, with a custodian who seals in between.
#[test]
fn the_terms_do_not_fill_up_with_what_they_remember() {
    let mut clinic = Clinic::new();
    for i in 0..130 {
        let person = Identity::generate(format!("physician-{i:04}").parse().unwrap()).unwrap();
        clinic.world.hospital.enrol(&person.enrol().unwrap()).unwrap();
    }
    clinic.world.publish();
    let world = &clinic.world;
    let keeper = Identity::generate("keeper".parse().unwrap()).unwrap();
    let policy = "role:doctor or role:nurse";
    let consent = world.phone.consent(world.devices(), "a".parse().unwrap()).custodian(&keeper.public()).unwrap();
    let consent = consent.read(&world.trust, world.hospital.id(), policy).unwrap();
    let (_, mut access) = consent.write(&world.trust, world.hospital.id(), policy).unwrap().seal(NOW).unwrap();
    for i in 0..130 {
        let change = clinic.sharing(&access).revoke(format!("physician-{i:04}").parse().unwrap()).unwrap();
        access = change.seal(after(i)).unwrap().1;
        if i % 10 == 9 {
            let given = world.phone.mandate((world.devices(), &access), &keeper.public(), after(1000), after(i));
            let given = given.unwrap();
            let next = given.consent(&keeper, world.devices()).unwrap().after(&access).unwrap();
            let (stored, _) = next.same_terms(&world.trust).unwrap().seal(after(i)).unwrap();
            let live = stored.verify(world.devices(), access.compartment(), &PinStore::default(), after(i)).unwrap();
            assert!(live.open_as(&keeper, &mut PinStore::default()).is_ok());
        }
    }
    // And they remember much: whoever was excluded at some time stands there by number.
    assert!(access.terms().past.len() > 12, "{}", access.terms().past.len());
}
