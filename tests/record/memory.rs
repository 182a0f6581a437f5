//! What was seen of a record is not unsaid, part by part.

use std::collections::BTreeMap;

use chartseal::Error;
use chartseal::authority::Reason;
use chartseal::consent::Access;
use chartseal::id::MAX_ID;
use chartseal::pin::{MAX_PIN_KEY, Pin, PinStore, Pins};
use chartseal::record::{Author, Place, Reader, Record, SealedRecord, Verdict, View};
use chartseal::store::{StoreError, StoreFailure};

use super::authors::refused;
use super::support::world::{NOW, World, after, record};
use super::verdicts::{phone, without};

fn amended(world: &World, base: &SealedRecord, (access, value): (&Access, &str), author: &Author<'_>) -> SealedRecord {
    let next = world.reader().amend(base, &[access]).unwrap();
    next.part(access).unwrap().field("/a", value).unwrap().seal(author, after(base.revision().0 + 1)).unwrap()
}

fn sealed(world: &World, access: &Access) -> SealedRecord {
    record("r").part(access).unwrap().field("/a", "0").unwrap().seal(&world.ada.author(), NOW).unwrap()
}

fn opened(world: &World, record: &SealedRecord, access: &Access, pins: &mut dyn Pins) -> Result<Vec<u8>, Error> {
    let view = world.reader().remembering(pins).open(record, &[access])?;
    Ok(view.get_in(access.compartment(), "/a").unwrap().to_vec())
}

fn value(text: &str) -> Result<Vec<u8>, Error> {
    Ok(text.as_bytes().to_vec())
}

#[test]
fn a_reader_with_memory_is_not_shown_an_earlier_revision() {
    let world = World::new();
    let [a, b] = ["a", "b"].map(|compartment| world.access(compartment));
    let zero = record("r").part(&a).unwrap().field("/a", "0").unwrap().part(&b).unwrap().field("/b", "n").unwrap();
    let zero = zero.seal(&world.ada.author(), NOW).unwrap();
    let one = amended(&world, &zero, (&a, "1"), &world.ada.author());
    let reader = world.reader();
    let mut pins = PinStore::default();
    assert!(reader.remembering(&mut pins).open(&one, &[&a, &b]).is_ok());
    let before = pins.clone();
    // The other part is as it was, and is shown.
    let shown = |view: View| {
        assert_eq!((view.get("/a"), view.get("/b")), (Ok(None), Ok(Some(&b"n"[..]))));
        assert_eq!(refused(&view), [("a", vec![Verdict::RolledBack])]);
    };
    shown(reader.remembering(&mut pins).open(&zero, &[&a, &b]).unwrap());
    shown(reader.remembering(&mut pins).into_view(zero.clone(), &[&a, &b]).unwrap());
    assert_eq!(opened(&world, &zero, &a, &mut pins), Err(Error::Rollback("record")));
    assert_eq!(reader.remembering(&mut pins).amend(&zero, &[&a]).err(), Some(Error::Rollback("record")));
    let beside = reader.remembering(&mut pins).supersede(&zero, &[&a, &b]).unwrap();
    assert_eq!(beside.part(&a).err(), Some(Error::NotAllowed));
    // With its verdict, it is shown to whoever asks for that.
    let review = reader.remembering(&mut pins).review(&zero, &[&a, &b]).unwrap();
    let part = review.part(a.compartment()).unwrap();
    assert_eq!(part.values(&[]).err(), Some(Verdict::RolledBack));
    assert_eq!(part.values(&[Verdict::RolledBack]).unwrap().get("/a"), Some(&b"0"[..]));
    assert_eq!(pins, before, "nothing of it is remembered");
    assert_eq!(opened(&world, &one, &a, &mut pins), value("1"));
    // Without a memory nobody can tell.
    assert!(reader.open(&zero, &[&a]).is_ok());
}

#[test]
fn a_reader_with_memory_is_shown_one_content_of_a_revision() {
    let world = World::new();
    let a = world.access("a");
    let ada = world.ada.author();
    let zero = sealed(&world, &a);
    let [one, other] = ["1", "x"].map(|value| amended(&world, &zero, (&a, value), &ada));
    let [two, after_other] = [&one, &other].map(|base| amended(&world, base, (&a, "2"), &ada));
    let three = amended(&world, &after_other, (&a, "3"), &ada);
    let mut pins = PinStore::default();
    let fork = Err(Error::Fork("record"));
    assert_eq!(opened(&world, &one, &a, &mut pins), value("1"));
    assert_eq!(opened(&world, &other, &a, &mut pins), fork);
    assert_eq!(opened(&world, &after_other, &a, &mut pins), fork, "it goes on from what was not seen");
    let review = world.reader().remembering(&mut pins).review(&other, &[&a]).unwrap();
    assert_eq!(review.parts()[0].verdicts(), [Verdict::Forked]);
    // Whoever missed a revision cannot tell where the next one goes on from.
    let mut late = pins.clone();
    assert_eq!(opened(&world, &three, &a, &mut late), value("3"));
    assert_eq!(opened(&world, &two, &a, &mut pins), value("2"));
    assert_eq!(opened(&world, &three, &a, &mut pins), fork);
}

/// A nurse who may not write, with the server on her side; and one who alters what somebody wrote.
#[test]
fn an_invented_revision_shuts_nobody_out() {
    let world = World::new();
    let a = world.access("a");
    let zero = sealed(&world, &a);
    let mut invented = zero.clone();
    let mut pins = PinStore::default();
    assert_eq!(opened(&world, &zero, &a, &mut pins), value("0"));
    let before = pins.clone();
    for revision in 1..=5 {
        let evil = world.reader().supersede(&invented, &[&a]).unwrap().anew(&a).unwrap().field("/a", "evil").unwrap();
        invented = evil.seal(&world.nurse.author().danger_unchecked(), after(revision)).unwrap();
        assert_eq!(opened(&world, &invented, &a, &mut pins), Err(Error::NotAllowed));
        let review = world.reader().remembering(&mut pins).review(&invented, &[&a]).unwrap();
        assert_eq!(review.parts()[0].verdicts(), [Verdict::NotAllowed]);
        assert!(review.parts()[0].values(&[Verdict::NotAllowed]).is_ok());
    }
    // Of one who may write, with a value that is not his.
    let [one, two] = {
        let one = amended(&world, &zero, (&a, "1"), &world.ada.author());
        let two = amended(&world, &one, (&a, "2"), &world.ada.author());
        [one, two]
    };
    for pointer in ["body/fields/~1a/tag", "envelope/sealer/tag"] {
        let mut altered: serde_json::Value = serde_json::from_str(&two.to_json().unwrap()).unwrap();
        *altered["parts"][0].pointer_mut(&format!("/{pointer}")).unwrap() = "AAAAAAAAAAAAAAAAAAAAAA".into();
        let altered = SealedRecord::from_json(&altered.to_string()).unwrap();
        assert!(opened(&world, &altered, &a, &mut pins).is_err());
        let review = world.reader().remembering(&mut pins).review(&altered, &[&a]).unwrap();
        assert_eq!(review.parts()[0].verdicts(), [Verdict::Altered]);
    }
    assert_eq!(pins, before);
    assert_eq!(opened(&world, &one, &a, &mut pins), value("1"));
}

#[test]
fn the_owners_superseding_replaces_what_is_remembered() {
    let world = World::new();
    let a = world.access("a");
    let ada = world.ada.author();
    let zero = sealed(&world, &a);
    let [one, other] = ["1", "x"].map(|value| amended(&world, &zero, (&a, value), &ada));
    let mut pins = PinStore::default();
    // The reader was shown what the store has not.
    assert_eq!(opened(&world, &other, &a, &mut pins), value("x"));
    let mended = world.reader().supersede(&one, &[&a]).unwrap().anew(&a).unwrap().field("/a", "2").unwrap();
    let by_ada = world.reader().supersede(&one, &[&a]).unwrap().anew(&a).unwrap().field("/a", "2").unwrap();
    let by_ada = by_ada.seal(&ada, after(2)).unwrap();
    assert_eq!(opened(&world, &by_ada, &a, &mut pins), Err(Error::Fork("record")), "another's word mends no fork");
    let mended = mended.seal(&phone(&world), after(2)).unwrap();
    assert_eq!(opened(&world, &mended, &a, &mut pins), value("2"));
    for earlier in [&one, &other] {
        assert_eq!(opened(&world, earlier, &a, &mut pins), Err(Error::Rollback("record")));
    }
    // What was seen of her own is seen of all that she signs under that number.
    assert_eq!(opened(&world, &by_ada, &a, &mut pins), Err(Error::Fork("record")));
    let next = amended(&world, &mended, (&a, "3"), &ada);
    assert_eq!(opened(&world, &next, &a, &mut pins), value("3"));
}

#[test]
fn a_part_that_was_seen_and_is_gone_is_missed() {
    let world = World::new();
    let [a, b] = ["a", "b"].map(|compartment| world.access(compartment));
    let both = record("r").part(&a).unwrap().field("/a", "0").unwrap().part(&b).unwrap().field("/b", "n").unwrap();
    let both = both.seal(&world.ada.author(), NOW).unwrap();
    let reader = world.reader();
    let mut pins = PinStore::default();
    let before = reader.remembering(&mut pins).open(&both, &[&a, &b]).unwrap();
    // What is not served, or not asked for, is closed: nothing is said against it.
    for (record, accesses) in [(&without(&both, "b"), &[&a, &b][..]), (&both, &[&a][..])] {
        let view = reader.remembering(&mut pins).open(record, accesses).unwrap();
        assert_eq!((view.refused(), view.closed()), (&[][..], &[b.compartment().clone()][..]));
    }
    let gone = reader.supersede(&both, &[&a, &b]).unwrap().leave_out(b.compartment()).unwrap().part(&a).unwrap();
    let gone = gone.field("/a", "1").unwrap().seal(&phone(&world), after(1)).unwrap();
    let kept = pins.clone();
    let view = reader.remembering(&mut pins).open(&gone, &[&b, &a]).unwrap();
    assert_eq!(view.get("/a"), Ok(Some(&b"1"[..])));
    assert_eq!(refused(&view), [("b", vec![Verdict::LeftOut])]);
    assert!(view.closed().is_empty());
    assert_eq!(view.follows(&before), Err(Error::Rollback("record")));
    assert_eq!(reader.remembering(&mut pins).open(&gone, &[&b]).err(), Some(Error::Rollback("record")));
    let review = reader.remembering(&mut pins).review(&gone, &[&b, &a]).unwrap();
    let compartments: Vec<_> = review.parts().iter().map(|part| part.compartment().as_str()).collect();
    assert_eq!(compartments, ["a", "b"]);
    assert_eq!(review.parts()[1].values(&[Verdict::LeftOut]).err(), Some(Verdict::LeftOut));
    // Who never saw it, or asks for another part alone, misses nothing.
    let mut others = kept.clone();
    assert!(refused(&reader.remembering(&mut others).open(&gone, &[&a]).unwrap()).is_empty());
    assert!(refused(&reader.remembering(&mut PinStore::default()).open(&gone, &[&a, &b]).unwrap()).is_empty());
    // Nobody writes there by chance, and the owner begins it anew.
    let anew = |author: &Author<'_>| {
        let mut pins = pins.clone();
        let anew = reader.remembering(&mut pins).supersede(&gone, &[&a, &b]).unwrap();
        anew.anew(&b).unwrap().field("/b", "m").unwrap().seal(author, after(2))
    };
    assert_eq!(anew(&world.ada.author()).err(), Some(Error::NotAllowed));
    let anew = anew(&phone(&world)).unwrap();
    let view = reader.remembering(&mut pins).open(&anew, &[&a, &b]).unwrap();
    assert_eq!((view.get("/b"), refused(&view)), (Ok(Some(&b"m"[..])), vec![]));
}

/// Counts what is asked of it, and fails when it is told to.
#[derive(Default)]
struct Watched {
    rows: BTreeMap<String, Pin>,
    read: std::cell::RefCell<Vec<String>>,
    written: Vec<String>,
    broken: Option<&'static str>,
}

impl Watched {
    fn check(&self, what: &str) -> Result<(), StoreError> {
        if self.broken == Some(what) { Err(StoreError::new(StoreFailure::Unavailable, "no disk")) } else { Ok(()) }
    }
}

impl Pins for Watched {
    fn get(&self, key: &str) -> Result<Option<Pin>, StoreError> {
        self.check("get")?;
        self.read.borrow_mut().push(key.to_owned());
        Ok(self.rows.get(key).copied())
    }

    fn set(&mut self, key: &str, pin: Pin) -> Result<(), StoreError> {
        self.check("set")?;
        self.written.push(key.to_owned());
        self.rows.insert(key.to_owned(), pin);
        Ok(())
    }

    fn remove(&mut self, key: &str) -> Result<(), StoreError> {
        self.check("remove")?;
        self.rows.remove(key);
        Ok(())
    }
}

#[test]
fn a_part_takes_one_look_and_one_row_of_its_own() {
    let world = World::new();
    let long = "x".repeat(MAX_ID);
    let mut pins = Watched::default();
    let places = [("a", "b:c"), ("a:b", "c"), (long.as_str(), long.as_str())];
    for (id, compartment) in places {
        let access = world.access(compartment);
        let sealed = Record::new(id.parse().unwrap(), "s".parse().unwrap()).part(Place::from(&access)).unwrap();
        let sealed = sealed.field("/a", "0").unwrap().seal(&world.ada.author(), NOW).unwrap();
        for _ in 0..2 {
            assert_eq!(opened(&world, &sealed, &access, &mut pins), value("0"));
        }
        let next = amended(&world, &sealed, (&access, "1"), &world.ada.author());
        assert_eq!(opened(&world, &next, &access, &mut pins), value("1"));
    }
    assert_eq!(pins.rows.len(), places.len());
    assert_eq!((pins.read.borrow().len(), pins.written.len()), (3 * places.len(), 2 * places.len()));
    for (key, pin) in &pins.rows {
        assert!(key.len() <= MAX_PIN_KEY && pin.to_cbor().unwrap().len() < 80, "{key}");
    }
}

#[test]
fn a_memory_that_fails_shows_nothing() {
    let world = World::new();
    let a = world.access("a");
    let sealed = sealed(&world, &a);
    for broken in ["get", "set"] {
        let mut pins = Watched { broken: Some(broken), ..Watched::default() };
        let reader = world.reader();
        let mut reader = reader.remembering(&mut pins);
        assert!(matches!(reader.open(&sealed, &[&a]), Err(Error::Store(_))), "{broken}");
        assert!(matches!(reader.into_view(sealed.clone(), &[&a]), Err(Error::Store(_))), "{broken}");
        assert!(matches!(reader.review(&sealed, &[&a]), Err(Error::Store(_))), "{broken}");
        assert!(matches!(reader.amend(&sealed, &[&a]), Err(Error::Store(_))), "{broken}");
        assert!(matches!(reader.supersede(&sealed, &[&a]), Err(Error::Store(_))), "{broken}");
    }
    // Nor does one that cannot say whether a part was there.
    let mut pins = Watched { broken: Some("get"), ..Watched::default() };
    let b = world.access("b");
    let missing = world.reader().remembering(&mut pins).review(&sealed, &[&b]);
    assert!(matches!(missing, Err(Error::Store(_))));
}

/// Both revisions are by an author whose key was stolen since: neither is shown, and the older one does not pass for the later.
#[test]
fn no_older_part_hides_behind_a_verdict() {
    let mut world = World::new();
    let a = world.access("a");
    let (_, b) = world.consent("b", "role:laboratory");
    let zero = sealed(&world, &a);
    let lab = world.reader().amend(&zero, &[&a]).unwrap().part(&b).unwrap().field("/k", "3.1").unwrap();
    let zero = lab.seal(&world.lab.author(), NOW).unwrap();
    let [one, branch] = ["1", "x"].map(|value| amended(&world, &zero, (&a, value), &world.ada.author()));
    let mut pins = PinStore::default();
    let before = world.reader().remembering(&mut pins).open(&one, &[&a, &b]).unwrap();
    // One who may not write there writes over it, or alters it: that is passed over.
    let evil = world.reader().supersede(&one, &[&a, &b]).unwrap().anew(&a).unwrap().field("/a", "evil").unwrap();
    let evil = evil.seal(&world.nurse.author().danger_unchecked(), after(5)).unwrap();
    let mut altered: serde_json::Value = serde_json::from_str(&one.to_json().unwrap()).unwrap();
    *altered["parts"][0].pointer_mut("/envelope/sealer/tag").unwrap() = "AAAAAAAAAAAAAAAAAAAAAA".into();
    let altered = SealedRecord::from_json(&altered.to_string()).unwrap();
    for (record, verdict) in [(&evil, Verdict::NotAllowed), (&altered, Verdict::Altered)] {
        let view = world.reader().open(record, &[&a, &b]).unwrap();
        assert_eq!((refused(&view), view.follows(&before)), (vec![("a", vec![verdict])], Ok(())));
    }

    world.revoke("dr-ada", after(50), Reason::Compromised);
    let cases = [
        (&one, Ok(()), vec![Verdict::KeyCompromised]),
        (&zero, Err(Error::Rollback("record")), vec![Verdict::KeyCompromised, Verdict::RolledBack]),
        (&branch, Err(Error::Fork("record")), vec![Verdict::KeyCompromised, Verdict::Forked]),
    ];
    for (record, follows, verdicts) in cases {
        let view = world.reader().open(record, &[&a, &b]).unwrap();
        assert_eq!((view.follows(&before), refused(&view)), (follows, vec![("a", vec![Verdict::KeyCompromised])]));
        let review = world.reader().remembering(&mut pins).review(record, &[&a, &b]).unwrap();
        assert_eq!(review.part(a.compartment()).unwrap().verdicts(), verdicts);
    }
}

/// What the owner mends is no fork to whoever compares views, either.
#[test]
fn the_owners_superseding_follows_what_it_replaces() {
    let world = World::new();
    let a = world.access("a");
    let zero = sealed(&world, &a);
    let [one, other] = ["1", "x"].map(|value| amended(&world, &zero, (&a, value), &world.ada.author()));
    let mended = |author: &Author<'_>| {
        let mended = world.reader().supersede(&one, &[&a]).unwrap().anew(&a).unwrap().field("/a", "2").unwrap();
        mended.seal(author, after(2)).unwrap()
    };
    let seen = world.reader().open(&other, &[&a]).unwrap();
    let by = |author: &Author<'_>| world.reader().open(&mended(author), &[&a]).unwrap().follows(&seen);
    assert_eq!((by(&world.ada.author()), by(&phone(&world))), (Err(Error::Fork("record")), Ok(())));
}

/// Reads as if it had no memory, so that both are of one kind.
#[test]
fn a_memory_changes_nothing_for_what_is_new_or_the_same() {
    let world = World::new();
    let a = world.access("a");
    let sealed = sealed(&world, &a);
    let reader: Reader<'_> = world.reader();
    let mut pins = PinStore::default();
    for _ in 0..2 {
        let views = [reader.open(&sealed, &[&a]).unwrap(), reader.remembering(&mut pins).open(&sealed, &[&a]).unwrap()];
        let [plain, remembering] = views.map(|view| (view.parts().to_vec(), view.get("/a").unwrap().unwrap().to_vec()));
        assert_eq!(plain, remembering);
    }
    // As it is kept from one run to the next.
    let mut again = PinStore::from_cbor(&pins.to_cbor().unwrap()).unwrap();
    let next = amended(&world, &sealed, (&a, "1"), &world.ada.author());
    assert_eq!(opened(&world, &next, &a, &mut again), value("1"));
    assert_eq!(opened(&world, &sealed, &a, &mut again), Err(Error::Rollback("record")));
}

/// A doctor and the server show one reader alone a revision of a high number; and a doctor opens what she is about to store,
/// and another's was stored in its place.
#[test]
fn a_reader_who_saw_what_nobody_else_has_forgets_it_at_the_owners_word() {
    let world = World::new();
    let [a, b] = ["a", "b"].map(|compartment| world.access(compartment));
    let ada = world.ada.author();
    let zero = sealed(&world, &a);
    let [one, other] = ["1", "x"].map(|value| amended(&world, &zero, (&a, value), &ada));
    let high = (2..6).fold(other.clone(), |base, _| amended(&world, &base, (&a, "x"), &ada));
    let mended = world.reader().supersede(&one, &[&a]).unwrap().anew(&a).unwrap().field("/a", "2").unwrap();
    let mended = mended.seal(&phone(&world), after(2)).unwrap();
    for (alone, refused) in [(&high, Error::Rollback("record")), (&other, Error::Fork("record"))] {
        let mut pins = Watched::default();
        let beside = record("beside").part(&b).unwrap().field("/a", "b").unwrap().seal(&ada, NOW).unwrap();
        assert_eq!(opened(&world, &beside, &b, &mut pins), value("b"));
        assert_eq!(opened(&world, alone, &a, &mut pins), value("x"));
        assert_eq!(opened(&world, &one, &a, &mut pins), Err(refused));
        let reader = world.reader();
        pins.broken = Some("remove");
        let forget =
            |pins: &mut Watched| reader.remembering(pins).forget(world.alice.id(), one.record(), a.compartment());
        assert!(matches!(forget(&mut pins), Err(Error::Store(_))));
        pins.broken = None;
        assert_eq!(forget(&mut pins), Ok(()));
        assert_eq!(forget(&mut pins), Ok(()), "there is nothing left");
        assert_eq!(opened(&world, &one, &a, &mut pins), value("1"));
        assert_eq!(opened(&world, &mended, &a, &mut pins), value("2"));
        assert_eq!(pins.rows.len(), 2, "of the others nothing is forgotten");
    }
}
