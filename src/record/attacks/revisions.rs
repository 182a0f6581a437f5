//! Attacks by the next revision of a record.

use super::*;

/// The last number that there is closes a record for ever. None is higher than the seconds of its own time, which cannot
/// lie in the future.
#[test]
fn nobody_takes_the_last_revision_there_is() {
    let world = world();
    let base = world.sealed("r", "I21.4");
    let fields = [("/diagnosis", "Z99")];
    for (revision, reads) in [(NOW.as_secs(), true), (NOW.as_secs() + 1, false), (u64::MAX, false)] {
        let content = Content { revision: Revision(revision), ..world.next(&base) };
        let evil = world.revision(&base, content, &fields, Older::new());
        assert_eq!(evil.clone().checked().is_ok(), reads, "{revision}");
        assert_eq!(SealedRecord::from_cbor(&evil.to_cbor().unwrap()).is_ok(), reads);
        assert_eq!(SealedRecord::from_json(&evil.to_json().unwrap()).is_ok(), reads);
        let pieces = evil.pieces().unwrap();
        assert_eq!(SealedRecord::from_pieces(evil.owner(), evil.record(), pieces).is_ok(), reads);
        // Nor is a number skipped where records are kept.
        assert!(!evil.follows(&base).unwrap() && !evil.supersedes(&base).unwrap());
    }
    // With a time that has room for it, it is of the future, and counts for nobody.
    let content = Content { revision: Revision(Time::MAX.as_secs()), time: Time::MAX, ..world.next(&base) };
    let evil = world.revision(&base, content, &fields, Older::new());
    assert!(world.open(&evil).is_err());
    let review = Reader::new(&world.trust, NOW).review(&evil, &[&world.access]).unwrap();
    assert!(review.parts()[0].verdicts().contains(&Verdict::FromTheFuture));
    // Whoever has used up the numbers of his clock is told.
    let content = Content { revision: Revision(NOW.as_secs()), ..world.next(&base) };
    let last = world.revision(&base, content, &fields, Older::new());
    let reader = Reader::new(&world.trust, NOW).devices(world.alice.devices().clone());
    let next = |now| {
        let next = reader.amend(&last, &[&world.access]).unwrap().field("/diagnosis", "I21.4").unwrap();
        next.seal(&world.author(&world.ada), now).map(drop)
    };
    assert_eq!((next(NOW), next(NOW.plus(Duration::from_secs(1)))), (Err(Error::TooLarge("revision")), Ok(())));
}

/// What the next revision may do to a record, where it is kept without a key.
#[test]
fn the_next_revision_takes_nothing_from_the_one_before() {
    let world = world();
    let (base, other) = world.two_parts();
    let fields = [("/diagnosis", "Z99")];
    let honest = world.revision(&base, world.next(&base), &fields, Older::new());
    assert!(honest.follows(&base).unwrap() && honest.clone().checked().is_ok());
    type Alteration = (&'static str, fn(&mut Content));
    let alterations: [Alteration; 7] = [
        ("another schema", |content| content.schema = "another/schema".parse().unwrap()),
        ("a revision left out", |content| content.revision.0 += 1),
        ("the same revision", |content| content.revision.0 -= 1),
        ("another predecessor", |content| content.previous = Some(Hash([7; 32]))),
        ("a part gone", |content| content.parts.clear()),
        ("a part that is said to be another", |content| content.parts[0].root = Hash([7; 32])),
        ("a part written anew that is not here", |content| content.parts[0].revision.0 += 1),
    ];
    for (what, alter) in alterations {
        let mut content = world.next(&base);
        alter(&mut content);
        let mut evil = world.revision(&base, content, &fields, Older::new());
        if what.ends_with("not here") {
            evil.parts.retain(|part| part.envelope.statement.compartment != *other.compartment());
        }
        assert!(!evil.follows(&base).unwrap(), "{what}");
        // The owner may leave a part out, and no more.
        assert_eq!(evil.supersedes(&base).unwrap(), what == "a part gone", "{what}");
    }
    // Nor does it take the content from a part that stays, or bring one that is none of its own.
    let mut bare = honest.clone();
    bare.older.clear();
    assert!(!bare.follows(&base).unwrap());
    let again = Reader::new(&world.trust, NOW).devices(world.alice.devices().clone());
    let next = again.amend(&honest, &[&world.access]).unwrap().field("/diagnosis", "1").unwrap();
    let mut next = next.seal(&world.author(&world.ada), NOW).unwrap();
    assert!(next.follows(&honest).unwrap());
    next.older.insert(1, honest.content.clone());
    assert!(!next.follows(&honest).unwrap());
    // The kept part opens as ever.
    let view = again.open(&honest, &[&world.access, &other]).unwrap();
    assert_eq!((view.get("/diagnosis"), view.get("/note")), (Ok(Some(&b"Z99"[..])), Ok(Some(&b"n"[..]))));
}

/// One who may amend changes a value and says that it is as old as before. Nobody who has the newest revision alone can
/// tell; with the one before at hand it shows.
#[test]
fn a_changed_value_passes_for_an_old_one_before_nobody_who_kept_the_old_one() {
    let world = world();
    let base = world.sealed("r", "I21.4");
    let before = world.open(&base).unwrap();
    let older = || Older::from([(FieldPath::new("/diagnosis").unwrap(), Revision(0))]);
    let more = |value| [("/diagnosis", value), ("/more", "1")];
    let honest = world.revision(&base, world.next(&base), &more("I21.4"), older());
    assert_eq!(world.open(&honest).unwrap().follows(&before), Ok(()));
    let changed = world.revision(&base, world.next(&base), &more("Z99"), older());
    let view = world.open(&changed).unwrap();
    assert_eq!(
        (view.get("/diagnosis"), view.revision_of("/diagnosis")),
        (Ok(Some(&b"Z99"[..])), Ok(Some(Revision(0))))
    );
    assert_eq!(view.follows(&before), Err(Error::Forged("revision of a field")));
    // Nor a value that was not there.
    let invented = Older::from([(FieldPath::new("/more").unwrap(), Revision(0))]);
    let invented = world.revision(&base, world.next(&base), &more("I21.4"), invented);
    assert_eq!(world.open(&invented).unwrap().follows(&before), Err(Error::Forged("revision of a field")));
    // Said of a later revision than both, it is the word of whoever wrote that.
    let second = world.revision(&changed, world.next(&changed), &more("Z99"), older());
    assert_eq!(world.open(&second).unwrap().follows(&before), Err(Error::Forged("revision of a field")));

    // Another meaning of the same values, and an earlier time.
    let schema = Content { schema: "another/schema".parse().unwrap(), ..world.next(&base) };
    let schema = world.revision(&base, schema, &more("I21.4"), Older::new());
    assert_eq!(world.open(&schema).unwrap().follows(&before), Err(Error::Forged("schema")));
    let base = {
        let record = Record::new("r".parse().unwrap(), "clinic/encounter".parse().unwrap());
        let record = record.part(&world.access).unwrap().field("/diagnosis", "I21.4").unwrap();
        record.seal(&world.author(&world.ada), NOW.plus(Duration::from_secs(300))).unwrap()
    };
    let before = world.open(&base).unwrap();
    let content = Content { time: NOW, ..world.next(&base) };
    let late = world.revision(&base, content, &more("I21.4"), older());
    assert_eq!(world.open(&late).unwrap().follows(&before), Ok(()), "clocks may differ by so much");
    let base = {
        let record = Record::new("r".parse().unwrap(), "clinic/encounter".parse().unwrap());
        let record = record.part(&world.access).unwrap().field("/diagnosis", "I21.4").unwrap();
        record.seal(&world.author(&world.ada), NOW.plus(Duration::from_secs(301))).unwrap()
    };
    let reader = Reader::new(&world.trust, NOW.plus(Duration::from_secs(301)));
    let before = reader.open(&base, &[&world.access]).unwrap();
    let content = Content { time: NOW, ..world.next(&base) };
    let early = world.revision(&base, content, &more("I21.4"), older());
    let early = reader.open(&early, &[&world.access]).unwrap();
    assert_eq!(early.follows(&before), Err(Error::Expired("content")));
}

/// What is counted against a part is said by who counts: one who may not write there, or is of the future, bears no
/// witness.
#[test]
fn a_content_that_does_not_count_takes_nothing_from_a_part_that_does() {
    let world = world();
    let (base, other) = world.two_parts();
    let reader = Reader::new(&world.trust, NOW).devices(world.alice.devices().clone());
    // The forger's content says of the other part that it is another; a content above both that nobody signed says the truth.
    let lie = |time: Time| {
        let mut content = world.next(&base);
        content.parts[0].root = Hash([7; 32]);
        content.time = time;
        let mut evil = world.revision(&base, content, &[("/diagnosis", "Z99")], Older::new());
        let mut above = evil.content.clone();
        above.revision.0 += 1;
        above.previous = Some(evil.hash().unwrap());
        above.parts = evil.content.parts.clone();
        above.parts[1] = base.content.parts[1].clone();
        let mut third = above.parts[0].clone();
        (third.compartment, third.revision) = ("zzz".parse().unwrap(), above.revision);
        above.parts.push(third);
        evil.older = vec![base.content.clone(), std::mem::replace(&mut evil.content, above)];
        evil.checked().unwrap()
    };
    let shown = |record: &SealedRecord| {
        let view = reader.open(record, &[&world.access, &other]).unwrap();
        let verdicts: Vec<_> = view.refused().iter().flat_map(|refusal| refusal.verdicts.clone()).collect();
        (view.get("/note").unwrap().is_some(), view.get("/diagnosis").unwrap().is_some(), verdicts)
    };
    // By one who counts: then one of the two is brought back, and the older one is it.
    assert_eq!(shown(&lie(NOW)), (false, true, vec![Verdict::Contradicted]));
    let review = reader.review(&lie(NOW), &[&other, &world.access]).unwrap();
    assert!(review.part(other.compartment()).unwrap().values(&[Verdict::Contradicted]).is_ok());
    // By one who does not.
    assert_eq!(shown(&lie(NOW.plus(Duration::from_secs(301)))), (true, false, vec![Verdict::FromTheFuture]));
    // Nor by one whose part was seen to be another.
    let honest = reader.amend(&base, &[&world.access]).unwrap().field("/diagnosis", "I21.9").unwrap();
    let honest = honest.seal(&world.author(&world.ada), NOW).unwrap();
    let mut pins = PinStore::default();
    let mut remembering = reader.remembering(&mut pins);
    assert!(remembering.open(&honest, &[&world.access, &other]).is_ok());
    let view = remembering.open(&lie(NOW), &[&world.access, &other]).unwrap();
    assert_eq!((view.get("/note"), view.get("/diagnosis")), (Ok(Some(&b"n"[..])), Ok(None)));
    assert_eq!(view.refused().iter().flat_map(|refusal| &refusal.verdicts).collect::<Vec<_>>(), [&Verdict::Forked]);
}
