//! Who may write: verbs as for reading, and receipts that say who was let in, until when.

use std::time::Duration;

use chartseal::authority::VerifiedCredential;
use chartseal::consent::{Access, Action, Cause, Decline, Named, Reader};
use chartseal::identity::Identity;
use chartseal::owner::{Change, Party, Sharing, Who};
use chartseal::{Error, Result};

use crate::support::two_hospitals::{DAY, NOW, Person, World, cardiology, olave, thomas};

struct Case {
    world: World,
    people: Vec<VerifiedCredential>,
    access: Access,
}

impl Case {
    /// A doctor, a nurse and a clerk of St Olave's, a doctor of St Thomas'; doctors write.
    fn new() -> Self {
        let mut world = World::new();
        let shown = |person: Person| person.shown;
        let people = vec![
            shown(world.at_olave("dr-ada", "role:doctor")),
            shown(world.at_olave("nurse-ned", "role:nurse")),
            shown(world.at_olave("clerk-cy", "role:clerk")),
            shown(world.at_thomas("dr-tom", "role:doctor")),
        ];
        let consent = world.consent().read(&world.trust, &olave(), "role:doctor or role:nurse").unwrap();
        let (_, access) = consent.write(&world.trust, &olave(), "role:doctor").unwrap().seal(NOW).unwrap();
        Self { world, people, access }
    }

    fn sharing<'a>(&'a self, access: &'a Access) -> Sharing<'a> {
        self.world.phone.sharing(self.world.owner.devices(), &self.world.trust, access)
    }

    /// What comes of it, and who writes then: by the preview, which has to be right.
    fn seal(&self, before: &Access, change: Result<Change<'_>>) -> (Access, Vec<Party>, Vec<String>) {
        let change = change.unwrap();
        let preview = change.preview(&self.people, NOW).unwrap();
        let (_, access, receipt) = change.seal(NOW).unwrap();
        let writes = |access: &Access, who: &VerifiedCredential| access.may_write(who.authority(), who.attributes());
        let reader =
            |who: &VerifiedCredential| Reader { authority: who.authority().clone(), person: who.person().clone() };
        for who in &self.people {
            let (was, is, reader) = (writes(before, who), writes(&access, who), reader(who));
            assert_eq!(preview.writes.contains(&reader), is, "{reader:?}");
            assert_eq!(preview.gains_writing.contains(&reader), is && !was, "{reader:?}");
            assert_eq!(preview.loses_writing.contains(&reader), was && !is, "{reader:?}");
        }
        assert_eq!(access.terms().people, before.terms().people);
        let names = preview.writes.iter().map(|reader| reader.person.to_string()).collect();
        (access, [receipt.let_in, receipt.shut_out].concat(), names)
    }
}

#[test]
fn who_may_write_is_granted_restricted_and_ended_and_reading_stays_as_it_is() {
    let case = Case::new();
    let by = |policy: &str, authority| (Who::Policy { authority, policy: policy.into() }, Action::Write);
    let said = |parties: Vec<Party>| parties.into_iter().map(|one| (one.who, one.action)).collect::<Vec<_>>();
    let before = &case.access;

    let (wider, told, names) = case.seal(before, case.sharing(before).grant_writing(&olave(), "role:nurse"));
    assert_eq!(names, ["dr-ada", "nurse-ned"]);
    assert_eq!(said(told), [by("role:doctor or role:nurse", olave())]);
    assert_eq!(wider.generation(), before.generation(), "nobody loses by it");

    let (both, told, names) = case.seal(&wider, case.sharing(&wider).grant_writing(&thomas(), "role:doctor"));
    assert_eq!(names, ["dr-ada", "nurse-ned", "dr-tom"]);
    assert_eq!(said(told), [by("role:doctor", thomas())]);

    let (narrow, told, names) = case.seal(&both, case.sharing(&both).restrict_writing(&olave(), "role:clerk"));
    assert_eq!(names, ["clerk-cy", "dr-tom"]);
    assert_eq!(said(told), [by("role:clerk", olave())]);
    assert!(narrow.generation() > both.generation(), "what is written under the old key is turned away");

    let (none, told, names) = case.seal(&narrow, case.sharing(&narrow).revoke_writing(&olave()));
    assert_eq!(names, ["dr-tom"]);
    assert_eq!(said(told), [by("role:clerk", olave())]);
    assert!(none.generation() > narrow.generation());
    for access in [&wider, &both, &narrow, &none] {
        assert_eq!(access.terms().read, before.terms().read);
    }
    // Under an authority that had no policy, too.
    let (again, _, names) = case.seal(&none, case.sharing(&none).restrict_writing(&olave(), "role:doctor"));
    assert_eq!(names, ["dr-ada", "dr-tom"]);
    assert_eq!(again.terms().write.len(), 2);
}

#[test]
fn no_verb_for_writing_lets_anybody_write_who_is_excluded() {
    let case = Case::new();
    let (_, revoked, _) = case.sharing(&case.access).revoke("dr-ada".parse().unwrap()).unwrap().seal(NOW).unwrap();
    for change in [
        case.sharing(&revoked).grant_writing(&olave(), "role:nurse"),
        case.sharing(&revoked).restrict_writing(&olave(), "role:doctor or role:nurse"),
    ] {
        let (access, _, names) = case.seal(&revoked, change);
        assert_eq!(names, ["nurse-ned"]);
        assert_eq!(access.terms().exclusions, revoked.terms().exclusions);
    }
    let ada = case.people[0].number();
    for policy in ["user:dr-ada".to_owned(), format!("user:{ada} and role:clerk")] {
        let granted = case.sharing(&revoked).grant_writing(&olave(), &policy);
        assert!(matches!(granted, Err(Error::ApiMisuse(_))), "{policy}");
    }
    // Whom the present policy excludes by number stays out of a wider one, and reads on; another policy ends that.
    let but = format!("role:nurse and not user:{ada}");
    let (access, ..) = case.seal(&case.access, case.sharing(&case.access).restrict_writing(&olave(), &but));
    let (access, _, names) = case.seal(&access, case.sharing(&access).grant_writing(&olave(), "role:doctor"));
    assert_eq!(names, ["nurse-ned"]);
    let causes: Vec<_> = access.terms().exclusions.iter().map(|one| (one.cause, one.action)).collect();
    assert_eq!(causes, [(Cause::Policy, Action::Write)]);
    let readers = case.sharing(&access).rotate().unwrap().preview(&case.people, NOW).unwrap().opens;
    assert_eq!(readers.len(), 2, "she reads on");
    let (read, ..) = case.seal(&access, case.sharing(&access).restrict(&olave(), "role:doctor"));
    assert_eq!(read.terms().exclusions, access.terms().exclusions, "a policy for reading does not end it");
    let (access, _, names) = case.seal(&access, case.sharing(&access).restrict_writing(&olave(), "role:doctor"));
    assert_eq!((names, access.terms().exclusions.len()), (vec!["dr-ada".into()], 0));
}

#[test]
fn a_receipt_says_who_was_let_in_and_until_when() {
    let case = Case::new();
    let end = NOW.plus(Duration::from_secs(30 * DAY));
    let sister = Identity::generate("sister".parse().unwrap()).unwrap();
    let named = Named::from(&sister.public()).until(end);
    let (_, access, receipt) = case.sharing(&case.access).grant(named.clone()).unwrap().seal(NOW).unwrap();
    assert_eq!(receipt.let_in.len(), 1);
    assert_eq!((&receipt.let_in[0].who, receipt.let_in[0].until), (&Who::Named(sister.id().clone()), Some(end)));
    let nobody =
        "Nobody who has opened it before was shut out: the key is the same, and it is not protected from them.\n";
    assert_eq!(
        receipt.to_string(),
        format!(
            "Your consent for cardiology is now version 2.\n\
             Let in: sister may read until 2026-04-30T23:33:20Z.\n{nobody}"
        )
    );
    // She stays: nothing new is said of her. When her time is over, she is left out.
    let (_, same, receipt) = case.sharing(&access).reseal().unwrap().seal(NOW).unwrap();
    assert_eq!((receipt.let_in.len(), receipt.shut_out.len()), (0, 0));
    let late = end.plus(Duration::from_secs(1));
    let (_, _, receipt) = case.sharing(&same).reseal().unwrap().seal(late).unwrap();
    assert!(receipt.to_string().contains("Shut out: sister may not read by name any more.\n"), "{receipt}");
    assert!(receipt.needs_rewrap());

    // Of a consent that ends, everybody's time does.
    let soon = NOW.plus(Duration::from_secs(DAY));
    let (_, short) = case.world.consent().valid(NOW, soon).seal(NOW).unwrap();
    let (_, short, receipt) = case.sharing(&short).grant(named).unwrap().seal(NOW).unwrap();
    assert_eq!((receipt.let_in[0].until, receipt.until), (Some(soon), Some(soon)));
    let (_, short, receipt) = case.sharing(&short).grant_policy(&olave(), "role:clerk").unwrap().seal(NOW).unwrap();
    assert!(
        receipt.to_string().contains("whoever is `role:clerk` at st-olave may read until 2026-04-01T23:33:20Z.\n"),
        "{receipt}"
    );
    // Out, and in again.
    let (_, out, receipt) = case.sharing(&short).revoke("clerk-cy".parse().unwrap()).unwrap().seal(NOW).unwrap();
    assert!(receipt.to_string().contains("Shut out: clerk-cy may not read or write.\n"), "{receipt}");
    let (_, back, receipt) = case.sharing(&out).readmit(&"clerk-cy".parse().unwrap()).unwrap().seal(NOW).unwrap();
    assert_eq!(receipt.readmitted.len(), 1);
    assert!(receipt.to_string().contains("No longer shut out: clerk-cy may read or write again"), "{receipt}");
    let (.., receipt) = case.sharing(&back).revoke_authority(&olave()).unwrap().seal(NOW).unwrap();
    let text = "Shut out: whoever is `role:clerk` at st-olave may not read by that any more.\n";
    assert!(receipt.to_string().contains(text), "{receipt}");
}

#[test]
fn a_receipt_says_of_nobody_that_she_may_again_what_something_else_keeps_her_from() {
    let mut case = Case::new();
    let eve = case.world.at_olave("dr-eve", "role:doctor");
    let (name, ada) = (eve.identity.id().clone(), case.people[0].clone());
    let by = (&eve.identity, &eve.shown);
    let decline = Decline::decline(by, case.world.owner.id(), &cardiology(), NOW).unwrap();
    let declined = decline.accept(&eve.shown, NOW).unwrap();
    let (_, out, _) = case.sharing(&case.access).decline(&declined).unwrap().seal(NOW).unwrap();
    let (_, out, _) = case.sharing(&out).revoke(name.clone()).unwrap().seal(NOW).unwrap();
    let (_, out, receipt) = case.sharing(&out).readmit(&name).unwrap().seal(NOW).unwrap();
    assert!(receipt.readmitted.is_empty() && !receipt.to_string().contains("again"), "{receipt}");
    let back = case.sharing(&out).readmit_number(&olave(), eve.shown.number(), Cause::Declined).unwrap();
    assert_eq!(back.seal(NOW).unwrap().2.readmitted.len(), 1);

    // Kept from writing alone, she may read again.
    let but = format!("role:nurse and not user:{}", ada.number());
    let (access, ..) = case.seal(&case.access, case.sharing(&case.access).restrict_writing(&olave(), &but));
    let (access, ..) = case.seal(&access, case.sharing(&access).grant_writing(&olave(), "role:doctor"));
    let (_, out, _) = case.sharing(&access).revoke(ada.person().clone()).unwrap().seal(NOW).unwrap();
    let (.., receipt) = case.sharing(&out).readmit(ada.person()).unwrap().seal(NOW).unwrap();
    let again: Vec<_> = receipt.readmitted.into_iter().map(|party| (party.who, party.action)).collect();
    assert_eq!(again, [(Who::Person(ada.person().clone()), Action::Read)]);
}

#[test]
fn a_receipt_does_not_say_that_somebody_may_not_read_whom_a_policy_lets_in() {
    let case = Case::new();
    let end = NOW.plus(Duration::from_secs(30 * DAY));
    let named = Named::from(&case.people[0]).until(end);
    let (_, access, _) = case.sharing(&case.access).grant(named).unwrap().seal(NOW).unwrap();
    let late = end.plus(Duration::from_secs(1));
    let change = case.sharing(&access).rotate().unwrap();
    assert!(change.preview(&case.people, late).unwrap().loses.is_empty());
    let (.., receipt) = change.seal(late).unwrap();
    assert!(receipt.to_string().contains("Shut out: dr-ada may not read by name any more.\n"), "{receipt}");
}

#[test]
fn a_receipt_does_not_say_of_those_who_write_no_more_that_they_cannot_read() {
    let case = Case::new();
    let change = case.sharing(&case.access).revoke_writing(&olave()).unwrap();
    let preview = change.preview(&case.people, NOW).unwrap();
    assert_eq!((preview.loses.len(), preview.loses_writing.len()), (0, 1));
    let receipt = change.seal(NOW).unwrap().2.to_string();
    assert!(receipt.contains("may not write by that any more.\n"), "{receipt}");
    assert!(!receipt.contains("shut out cannot read") && receipt.contains("whoever may read no more"), "{receipt}");
}
