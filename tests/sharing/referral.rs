//! Referrals: named sections, for a time, ended by date or by who referred, and not passed on. And the physician's no.

use crate::support::forge::{self, Forge};
use crate::support::world::{NOW, Person, World, YEAR, after};
use chartseal::authority::{Authority, Credential, CredentialStatement, Reason, Trust, VerifiedCredential};
use chartseal::consent::{Access, Cause, Decline, Named, Referral, ReferralEnd, ReferralStatement, StoredConsent};
use chartseal::id::{Generation, Time};
use chartseal::identity::Identity;
use chartseal::owner::{Change, Sharing};
use chartseal::pin::PinStore;
use chartseal::{Error, Unknown};

const WEEK: u64 = 604_800;

struct Clinic {
    world: World,
    stored: StoredConsent,
    access: Access,
    specialist: Identity,
    shown: VerifiedCredential,
}

/// The practice of somebody whom the hospital does not know, and the patient does.
fn practice(trust: &mut Trust, who: &Identity) -> VerifiedCredential {
    let mut practice = Authority::setup(format!("practice-of-{}", who.id()).parse().unwrap(), NOW).unwrap();
    practice.enrol(&who.enrol().unwrap()).unwrap();
    let issued = practice.issue(who.id(), &"role:specialist".parse().unwrap(), NOW, after(YEAR), NOW).unwrap();
    trust.add(practice.anchor()).unwrap();
    trust.update(&practice.publish(NOW).unwrap(), &mut PinStore::default(), NOW).unwrap();
    trust.credential(&issued.credential, NOW).unwrap()
}

impl Clinic {
    fn new() -> Self {
        let mut world = World::new();
        let (stored, access) = world.consent("cardiology", "role:doctor");
        let specialist = Identity::generate("dr-bo".parse().unwrap()).unwrap();
        let shown = practice(&mut world.trust, &specialist);
        Self { world, stored, access, specialist, shown }
    }

    fn credential(&self, person: &Person) -> VerifiedCredential {
        self.world.trust.credential(&person.issued.credential, NOW).unwrap()
    }

    /// The doctor refers to the specialist for a week.
    fn referral(&self) -> Referral {
        let (ada, sections) = (&self.world.ada, ["cardiology", "laboratory"].map(|section| section.parse().unwrap()));
        let from = (&ada.identity, &self.credential(ada));
        Referral::refer(from, self.access.owner(), sections, &self.shown, (after(WEEK), NOW)).unwrap()
    }

    fn referred(&self) -> (StoredConsent, Access) {
        let accepted = self.referral().accept(&self.credential(&self.world.ada), &self.world.trust, NOW).unwrap();
        self.seal(self.sharing(&self.access).refer(&accepted).unwrap(), NOW)
    }

    fn sharing<'a>(&'a self, access: &'a Access) -> Sharing<'a> {
        self.world.phone.sharing(self.world.devices(), &self.world.trust, access)
    }

    fn seal(&self, change: Change<'_>, now: Time) -> (StoredConsent, Access) {
        let (stored, access, _) = change.seal(now).unwrap();
        (stored, access)
    }

    fn open(&self, stored: &StoredConsent, now: Time) -> Result<Access, Error> {
        let section = stored.consent().unverified().compartment.clone();
        stored
            .verify(self.world.devices(), &section, &PinStore::default(), now)?
            .open_as(&self.specialist, &mut PinStore::default())
    }
}

#[test]
fn whom_a_referral_brought_is_named_with_its_end() {
    let clinic = Clinic::new();
    let referral = clinic.referral().accept(&clinic.credential(&clinic.world.ada), &clinic.world.trust, NOW).unwrap();
    let named = referral.named(clinic.access.owner(), clinic.access.compartment()).unwrap();
    let mut json = serde_json::to_value(&named).unwrap();
    assert_eq!(serde_json::from_value::<Named>(json.clone()).unwrap(), named);
    json["referred"].as_object_mut().unwrap().remove("until").unwrap();
    assert!(serde_json::from_value::<Named>(json).is_err());
}

#[test]
fn a_referral_opens_the_named_section_until_its_end() {
    let clinic = Clinic::new();
    assert_eq!(clinic.open(&clinic.stored, NOW).err(), Some(Error::CannotOpen));
    let (stored, access) = clinic.referred();
    // The key stays: no record is touched.
    assert_eq!(access.generation(), Generation(1));
    assert!(clinic.open(&stored, after(WEEK)).is_ok());
    assert!(matches!(clinic.open(&stored, after(WEEK + 1)), Err(Error::Expired(_))));
    // The other sections of the patient do not open, nor can the referral be used for one that it does not name.
    let (other, elsewhere) = clinic.world.consent("psychiatry", "role:doctor");
    assert_eq!(clinic.open(&other, NOW).err(), Some(Error::CannotOpen));
    let accepted = clinic.referral().accept(&clinic.credential(&clinic.world.ada), &clinic.world.trust, NOW).unwrap();
    assert!(matches!(clinic.sharing(&elsewhere).refer(&accepted), Err(Error::ApiMisuse(_))));
}

/// By the key and not by the date: whoever ignores the date is shut out by the first consent after it, whatever that is
/// for.
#[test]
fn the_first_consent_after_the_end_shuts_the_specialist_out() {
    let clinic = Clinic::new();
    let (_, access) = clinic.referred();
    assert_eq!(access.over(after(WEEK + 1)).map(|named| named.person.as_str()).collect::<Vec<_>>(), ["dr-bo"]);
    let ned = Named::from(&clinic.credential(&clinic.world.nurse));
    let verbs: [fn(Sharing<'_>, Named) -> Change<'_>; 3] = [
        |sharing, _| sharing.reseal().unwrap(),
        |sharing, _| sharing.rotate().unwrap(),
        |sharing, ned| sharing.grant(ned).unwrap(),
    ];
    for verb in verbs {
        let (in_time, kept) = clinic.seal(verb(clinic.sharing(&access), ned.clone()), after(WEEK));
        assert!(clinic.open(&in_time, after(WEEK)).is_ok());
        assert!(kept.terms().people.iter().any(|named| named.person.as_str() == "dr-bo"));

        let late = verb(clinic.sharing(&access), ned.clone());
        let (closed, new) = clinic.seal(late, after(WEEK + 1));
        assert_eq!(new.generation(), Generation(2));
        assert!(new.terms().people.iter().all(|named| named.person.as_str() != "dr-bo"));
        // At a time when his own date would not stop him.
        let section = "cardiology".parse().unwrap();
        let live = closed.verify(clinic.world.devices(), &section, &PinStore::default(), after(WEEK + 1)).unwrap();
        assert_eq!(live.open_as(&clinic.specialist, &mut PinStore::default()).err(), Some(Error::CannotOpen));
    }
}

#[test]
fn the_preview_shows_who_loses_by_the_date() {
    let clinic = Clinic::new();
    let nurse = clinic.credential(&clinic.world.nurse);
    let (_, access) = clinic.seal(clinic.sharing(&clinic.access).grant(Named::from(&nurse).until(NOW)).unwrap(), NOW);
    let people = [nurse];
    let names = |now: Time| {
        let preview = clinic.sharing(&access).reseal().unwrap().preview(&people, now).unwrap();
        (preview.opens.len(), preview.loses.len())
    };
    assert_eq!((names(NOW), names(after(1))), ((1, 0), (0, 1)));
}

#[test]
fn who_is_named_for_a_time_that_is_over_is_refused() {
    let clinic = Clinic::new();
    let late = Named::from(&clinic.specialist.public()).until(NOW);
    let change = clinic.sharing(&clinic.access).grant(late).unwrap();
    assert!(matches!(change.seal(after(1)), Err(Error::ApiMisuse(_))));
    let referral = clinic.referral();
    let from = clinic.credential(&clinic.world.ada);
    assert_eq!(referral.accept(&from, &clinic.world.trust, after(WEEK + 1)).err(), Some(Error::Expired("referral")));
}

fn forged_end() -> Option<Error> {
    Some(Error::Forged("end of a referral"))
}

#[test]
fn who_referred_ends_it_and_nobody_else_does() {
    let clinic = Clinic::new();
    let world = &clinic.world;
    let (_, access) = clinic.referred();
    let referral = clinic.referral();
    let from = clinic.credential(&world.ada);
    // The same person refers for the same section twice; each end ends its own.
    let ada = (&world.ada.identity, &from);
    let other = Referral::refer(ada, access.owner(), ["cardiology".parse().unwrap()], &clinic.shown, (after(1), NOW));
    let other = other.unwrap();
    let ended = ReferralEnd::end(ada, &other, NOW).unwrap().accept(&other, &from).unwrap();
    let (stays, _) = clinic.seal(clinic.sharing(&access).end_referral(&ended).unwrap(), NOW);
    assert!(clinic.open(&stays, NOW).is_ok());
    assert_eq!(ReferralEnd::end(ada, &other, NOW).unwrap().accept(&referral, &from).err(), forged_end());

    // The nurse cannot: her statement of the same referral is hers, and the doctor's name on it is forged.
    let ned = clinic.credential(&world.nurse);
    let nurse = (&world.nurse.identity, &ned);
    assert!(matches!(ReferralEnd::end(nurse, &referral, NOW), Err(Error::ApiMisuse(_))));
    let end = ReferralEnd::end(ada, &referral, NOW).unwrap();
    assert!(end.accept(&referral, &ned).is_err());
    let renamed = end.to_json().unwrap().replace("dr-ada", "nurse-ned");
    assert!(ReferralEnd::from_json(&renamed).unwrap().accept(&referral, &ned).is_err());

    let ended = end.accept(&referral, &from).unwrap();
    let (closed, new) = clinic.seal(clinic.sharing(&access).end_referral(&ended).unwrap(), NOW);
    assert_eq!(new.generation(), Generation(2));
    assert_eq!(clinic.open(&closed, NOW).err(), Some(Error::CannotOpen));
}

#[test]
fn a_referral_in_anothers_name_or_altered_is_refused() {
    let clinic = Clinic::new();
    let (ada, ned) = (clinic.credential(&clinic.world.ada), clinic.credential(&clinic.world.nurse));
    let referral = clinic.referral();
    assert_eq!(referral.accept(&ned, &clinic.world.trust, NOW).err(), Some(Error::Forged("referral")));
    let json = referral.to_json().unwrap();
    for (what, with) in [("laboratory", "psychiatry"), ("dr-bo", "dr-bob"), ("dr-ada", "nurse-ned")] {
        let altered = Referral::from_json(&json.replace(what, with)).unwrap();
        assert!([&ada, &ned].iter().all(|from| altered.accept(from, &clinic.world.trust, NOW).is_err()), "{what}");
    }
    let from = (&clinic.world.nurse.identity, &ada);
    let sections = ["cardiology".parse().unwrap()];
    let stolen = Referral::refer(from, clinic.access.owner(), sections, &clinic.shown, (after(1), NOW));
    assert!(matches!(stolen, Err(Error::ApiMisuse(_))));
}

/// A doctor who will be shut out by name brings herself back under another one, with a key of her own.
#[test]
fn a_referral_names_nobody_whom_no_trusted_authority_vouches_for_under_that_id_with_that_key() {
    let clinic = Clinic::new();
    let (world, ada) = (&clinic.world, clinic.credential(&clinic.world.ada));
    let puppet = Identity::generate("dr-famous".parse().unwrap()).unwrap();
    // She signs whatever she likes with her own key: the crate's refusals are left out.
    let seed = |of: &Identity| {
        let bytes = of.to_secret_bytes();
        let at = 5 + of.id().as_str().len();
        <[u8; 32]>::try_from(&bytes.expose()[at..at + 32]).unwrap()
    };
    let hers = Forge::of(&seed(&world.ada.identity));
    let refer = |to: Credential| {
        let statement = ReferralStatement { to, ..clinic.referral().unverified().clone() };
        let bytes = hers.sign("chartseal-1 sign referral: ", &statement);
        Referral::from_cbor(&bytes).unwrap().accept(&ada, &world.trust, NOW)
    };
    let by = |forge: &Forge, statement: &CredentialStatement| {
        Credential::from_cbor(&forge.sign(forge::CREDENTIAL, statement)).unwrap()
    };
    let (signing, sealing) = (puppet.public().signing, puppet.public().sealing);
    let real = clinic.shown.credential().unverified().clone();
    let own = by(&hers, &CredentialStatement { person: puppet.id().clone(), signing, sealing, ..real.clone() });
    assert_eq!(refer(own).err(), Some(Error::Forged("credential")), "in the name of an authority");
    let renamed = CredentialStatement { authority: "famous-practice".parse().unwrap(), ..real.clone() };
    let unknown = Error::Unknown(Unknown::Authority("famous-practice".parse().unwrap()));
    assert_eq!(refer(by(&hers, &renamed)).err(), Some(unknown), "of her own making");
    let key = CredentialStatement { sealing, ..real };
    assert_eq!(refer(by(&hers, &key)).err(), Some(Error::Forged("credential")), "the real name, her key");
    assert!(refer(clinic.shown.credential().clone()).is_ok());
    // Under her own name she comes in, and goes out by it.
    let herself = refer(world.ada.issued.credential.clone()).unwrap();
    let (_, with) = clinic.seal(clinic.sharing(&clinic.access).refer(&herself).unwrap(), NOW);
    let (closed, _) = clinic.seal(clinic.sharing(&with).revoke("dr-ada".parse().unwrap()).unwrap(), NOW);
    assert_eq!(
        world.live(&closed).open_as(&world.ada.identity, &mut PinStore::default()).err(),
        Some(Error::CannotOpen)
    );
}

#[test]
fn a_specialist_who_was_revoked_is_not_brought_here() {
    let mut clinic = Clinic::new();
    let (sections, from) = (["cardiology".parse().unwrap()], clinic.credential(&clinic.world.ada));
    let (ada, nurse) = ((&clinic.world.ada.identity, &from), clinic.credential(&clinic.world.nurse));
    let referral = Referral::refer(ada, clinic.access.owner(), sections, &nurse, (after(WEEK), NOW)).unwrap();
    assert!(referral.accept(&from, &clinic.world.trust, NOW).is_ok());
    clinic.world.revoke("nurse-ned", after(50), Reason::Ended);
    let refused = referral.accept(&from, &clinic.world.trust, after(100));
    assert_eq!(refused.err(), Some(Error::Revoked("this person")));
}

/// He has the compartment key. With it he makes a consent that lets a friend in, and signs it with what he has.
#[test]
fn the_specialist_cannot_pass_it_on() {
    let clinic = Clinic::new();
    let (stored, _) = clinic.referred();
    let opened = clinic.open(&stored, NOW).unwrap();
    let friend = Identity::generate("friend".parse().unwrap()).unwrap();
    // A device of his own making, under a list that the owner's root did not sign.
    let (mallory, phone) = chartseal::owner::Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
    let consent = phone.consent(mallory.devices(), "cardiology".parse().unwrap());
    assert!(matches!(consent.after(&opened), Err(Error::ApiMisuse(_))));
    let consent = phone.consent(mallory.devices(), "cardiology".parse().unwrap());
    let (forged, _) = consent.name(&friend.public()).unwrap().seal(NOW).unwrap();
    let renamed = forged.to_json().unwrap().replace(mallory.id().as_str(), opened.owner().as_str());
    let section = "cardiology".parse().unwrap();
    for forged in [forged, StoredConsent::from_json(&renamed).unwrap()] {
        let verified = forged.verify(clinic.world.devices(), &section, &PinStore::default(), NOW);
        assert_eq!(verified.err(), Some(Error::Forged("consent")));
    }
    // A slot for the friend inside the true consent: its hash was not signed.
    let mut slots: Vec<_> = stored.slots().map(<[u8]>::to_vec).collect();
    slots.push(slots[0].clone());
    let spliced = StoredConsent::from_parts(stored.consent().clone(), stored.terms().to_vec(), slots).unwrap();
    let verified = spliced.verify(clinic.world.devices(), &section, &PinStore::default(), NOW);
    assert_eq!(verified.err(), Some(Error::Forged("consent")));
}

/// The custodian ends it while the patient is away, and cannot make it longer.
#[test]
fn a_mandate_is_enough_to_end_a_referral_and_not_to_prolong_it() {
    let clinic = Clinic::new();
    let world = &clinic.world;
    let service = Identity::generate("service".parse().unwrap()).unwrap();
    let consent = world.phone.consent(world.devices(), "cardiology".parse().unwrap());
    let consent = consent.custodian(&service.public()).unwrap();
    let accepted = clinic.referral().accept(&clinic.credential(&world.ada), &world.trust, NOW).unwrap();
    let named = accepted.named(clinic.access.owner(), clinic.access.compartment()).unwrap();
    let (stored, access) = consent.name(named.clone()).unwrap().seal(NOW).unwrap();
    let mandate = world.phone.mandate((world.devices(), &access), &service.public(), after(2 * WEEK), NOW);
    let mandate = mandate.unwrap();
    let opened = world.live(&stored).open_as(&service, &mut PinStore::default()).unwrap();
    let late = after(WEEK + 1);
    let next = || mandate.consent(&service, world.devices()).unwrap().after(&opened).unwrap();
    let (closed, new) = next().reseal().unwrap().same_terms(&world.trust).unwrap().seal(late).unwrap();
    assert_eq!(new.generation(), Generation(2));
    assert_eq!(clinic.open(&closed, late).err(), Some(Error::CannotOpen));
    let longer = next().custodian(&service.public()).unwrap().name(named.until(after(3 * WEEK))).unwrap();
    assert_eq!(longer.seal(late).err(), Some(Error::NotAllowed));
}

#[test]
fn a_physician_who_declines_is_shut_out_by_her_own_word_only() {
    let clinic = Clinic::new();
    let world = &clinic.world;
    let key = world.ada.identity.accept(&world.ada.issued, &world.trust, NOW).unwrap();
    let consent = world.phone.consent(world.devices(), "cardiology".parse().unwrap());
    let (stored, access) =
        consent.read(&world.trust, world.hospital.id(), "role:doctor or role:nurse").unwrap().seal(NOW).unwrap();
    assert!(world.live(&stored).open(&key, &mut PinStore::default()).is_ok());
    let (ada, ned) = (clinic.credential(&world.ada), clinic.credential(&world.nurse));
    let decline = Decline::decline((&world.ada.identity, &ada), access.owner(), access.compartment(), NOW).unwrap();
    assert_eq!(decline.accept(&ned, NOW).err(), Some(Error::Forged("decline")));
    let declined = decline.accept(&ada, NOW).unwrap();
    let elsewhere = world.access("other");
    assert!(matches!(clinic.sharing(&elsewhere).decline(&declined), Err(Error::ApiMisuse(_))));
    let (closed, next) = clinic.seal(clinic.sharing(&access).decline(&declined).unwrap(), NOW);
    assert_eq!(world.live(&closed).open(&key, &mut PinStore::default()).err(), Some(Error::CannotOpen));
    // Whatever the patient says anew, until the physician thinks better of it; a revocation of hers is another matter.
    let id = world.hospital.id();
    let (anew, next) = clinic.seal(clinic.sharing(&next).restrict(id, "role:doctor or role:nurse").unwrap(), NOW);
    assert_eq!(world.live(&anew).open(&key, &mut PinStore::default()).err(), Some(Error::CannotOpen));
    let (_, revoked) = clinic.seal(clinic.sharing(&next).revoke("dr-ada".parse().unwrap()).unwrap(), NOW);
    for (access, opens) in [(&next, true), (&revoked, false)] {
        let (back, _) =
            clinic.seal(clinic.sharing(access).readmit_number(id, ada.number(), Cause::Declined).unwrap(), NOW);
        assert_eq!(world.live(&back).open(&key, &mut PinStore::default()).is_ok(), opens);
    }
    let (_, willing) =
        clinic.seal(clinic.sharing(&revoked).readmit_number(id, ada.number(), Cause::Declined).unwrap(), NOW);
    let (back, _) = clinic.seal(clinic.sharing(&willing).readmit(&"dr-ada".parse().unwrap()).unwrap(), NOW);
    assert!(world.live(&back).open(&key, &mut PinStore::default()).is_ok());
    let named = clinic.sharing(&next).grant(&world.ada.identity.public()).unwrap();
    let (named, _) = clinic.seal(named, NOW);
    assert!(world.live(&named).open_as(&world.ada.identity, &mut PinStore::default()).is_ok());
    let nurse = world.nurse.identity.accept(&world.nurse.issued, &world.trust, NOW).unwrap();
    assert!(world.live(&closed).open(&nurse, &mut PinStore::default()).is_ok());
}

/// The host keeps the referral and shows it again; the specialist keeps it, too.
#[test]
fn a_referral_that_was_ended_brings_nobody_here_again() {
    let clinic = Clinic::new();
    let (ada, credential) = (&clinic.world.ada.identity, clinic.credential(&clinic.world.ada));
    let (_, access) = clinic.referred();
    let referral = clinic.referral();
    let ended = ReferralEnd::end((ada, &credential), &referral, NOW).unwrap().accept(&referral, &credential).unwrap();
    let (_, closed) = clinic.seal(clinic.sharing(&access).end_referral(&ended).unwrap(), NOW);
    let again = referral.accept(&credential, &clinic.world.trust, NOW).unwrap();
    assert_eq!(clinic.sharing(&closed).refer(&again).err(), Some(Error::Revoked("this referral")));
    // Whatever else is done in between; and it is forgotten with the referral's own end.
    let verbs: [fn(Sharing<'_>) -> Change<'_>; 4] = [
        |sharing| sharing.rotate().unwrap(),
        |sharing| sharing.revoke("lab-7".parse().unwrap()).unwrap(),
        |sharing| sharing.restrict(&"st-olave".parse().unwrap(), "role:doctor").unwrap(),
        |sharing| sharing.revoke_authority(&"st-olave".parse().unwrap()).unwrap(),
    ];
    for verb in verbs {
        let (_, next) = clinic.seal(verb(clinic.sharing(&closed)), after(WEEK));
        assert_eq!(clinic.sharing(&next).refer(&again).err(), Some(Error::Revoked("this referral")));
        let (_, later) = clinic.seal(clinic.sharing(&next).rotate().unwrap(), after(WEEK + 1));
        assert!(later.terms().consumed.is_empty());
    }
}

#[test]
fn who_was_revoked_refers_nobody_by_an_earlier_date() {
    let mut clinic = Clinic::new();
    let referral = clinic.referral();
    clinic.world.revoke("dr-ada", after(50), Reason::Ended);
    let from = clinic.credential(&clinic.world.ada);
    assert_eq!(referral.accept(&from, &clinic.world.trust, NOW).err(), Some(Error::Revoked("who refers")));
}

/// Somebody of the same name under another authority says no, and a no of before is shown again.
#[test]
fn a_decline_shuts_out_its_own_signer_and_once() {
    let mut clinic = Clinic::new();
    let mut small = Authority::setup("small".parse().unwrap(), NOW).unwrap();
    let namesake = Identity::generate("dr-ada".parse().unwrap()).unwrap();
    small.enrol(&namesake.enrol().unwrap()).unwrap();
    let issued = small.issue(namesake.id(), &"role:doctor".parse().unwrap(), NOW, after(WEEK), NOW).unwrap();
    clinic.world.trust.add(small.anchor()).unwrap();
    clinic.world.trust.update(&small.publish(NOW).unwrap(), &mut PinStore::default(), NOW).unwrap();
    let world = &clinic.world;
    let consent = || world.phone.consent(world.devices(), "cardiology".parse().unwrap());
    let builder = consent().read(&world.trust, world.hospital.id(), "role:doctor").unwrap();
    let builder = builder.read(&world.trust, small.id(), "role:doctor").unwrap();
    let builder = builder.name(&clinic.credential(&world.nurse)).unwrap();
    let (_, access) = builder.seal(after(10)).unwrap();

    let hers = world.trust.credential(&issued.credential, NOW).unwrap();
    let at = |time| Decline::decline((&namesake, &hers), access.owner(), access.compartment(), time).unwrap();
    let declined = at(after(10)).accept(&hers, after(10)).unwrap();
    let (closed, next) = clinic.seal(clinic.sharing(&access).decline(&declined).unwrap(), after(10));
    let live = closed.verify(world.devices(), next.compartment(), &PinStore::default(), after(10)).unwrap();
    let key = |person: &Identity, issued| person.accept(issued, &world.trust, NOW).unwrap();
    assert!(live.open(&key(&world.ada.identity, &world.ada.issued), &mut PinStore::default()).is_ok());
    assert!(live.open_as(&world.nurse.identity, &mut PinStore::default()).is_ok());
    assert_eq!(live.open(&key(&namesake, &issued), &mut PinStore::default()).err(), Some(Error::CannotOpen));

    // She is asked back; what she said before does not count against that.
    let builder = consent().after(&next).unwrap().read(&world.trust, small.id(), "role:doctor").unwrap();
    let (_, back) = builder.seal(after(20)).unwrap();
    let builder = consent().after(&back).unwrap().reseal().unwrap().same_terms(&world.trust).unwrap();
    let (_, back) = builder.seal(after(21)).unwrap();
    assert_eq!(clinic.sharing(&back).decline(&declined).err(), Some(Error::Revoked("this decline")));
    assert!(clinic.sharing(&back).decline(&at(after(20)).accept(&hers, after(20)).unwrap()).is_ok());
}

/// The host keeps the referral, and shows it again after the specialist left for another reason than its end.
#[test]
fn a_referral_counts_once() {
    let clinic = Clinic::new();
    let world = &clinic.world;
    let ada = clinic.credential(&world.ada);
    let referral = |to: &VerifiedCredential| {
        let sections = ["cardiology".parse().unwrap()];
        let from = (&world.ada.identity, &ada);
        Referral::refer(from, clinic.access.owner(), sections, to, (after(WEEK), NOW)).unwrap()
    };
    // To the nurse, who declines.
    let to_nurse = referral(&clinic.credential(&world.nurse)).accept(&ada, &world.trust, NOW).unwrap();
    let (_, access) = clinic.seal(clinic.sharing(&clinic.access).refer(&to_nurse).unwrap(), NOW);
    assert!(matches!(clinic.sharing(&access).refer(&to_nurse), Err(Error::ApiMisuse(_))));
    let nurse = clinic.credential(&world.nurse);
    let decline = Decline::decline((&world.nurse.identity, &nurse), access.owner(), access.compartment(), NOW);
    let declined = decline.unwrap().accept(&nurse, NOW).unwrap();
    let (_, closed) = clinic.seal(clinic.sharing(&access).decline(&declined).unwrap(), NOW);
    assert_eq!(clinic.sharing(&closed).refer(&to_nurse).err(), Some(Error::Revoked("this referral")));
    // Shut out, and taken back by name only.
    let (_, revoked) = clinic.seal(clinic.sharing(&access).revoke("nurse-ned".parse().unwrap()).unwrap(), NOW);
    let (_, back) = clinic.seal(clinic.sharing(&revoked).readmit(&"nurse-ned".parse().unwrap()).unwrap(), NOW);
    assert_eq!(clinic.sharing(&back).refer(&to_nurse).err(), Some(Error::Revoked("this referral")));
    // Named for a shorter time than the referral's; and the version after the next.
    let shorter = to_nurse.named(access.owner(), access.compartment()).unwrap().until(after(10));
    let (_, access) = clinic.seal(clinic.sharing(&clinic.access).grant(shorter).unwrap(), NOW);
    let (_, over) = clinic.seal(clinic.sharing(&access).reseal().unwrap(), after(11));
    let (_, later) = clinic.seal(clinic.sharing(&over).rotate().unwrap(), after(12));
    assert_eq!(clinic.sharing(&later).refer(&to_nurse).err(), Some(Error::Revoked("this referral")));
}

#[test]
fn an_end_that_comes_before_its_referral_counts() {
    let clinic = Clinic::new();
    let (ada, credential) = (&clinic.world.ada.identity, clinic.credential(&clinic.world.ada));
    let referral = clinic.referral();
    let ended = ReferralEnd::end((ada, &credential), &referral, NOW).unwrap().accept(&referral, &credential).unwrap();
    let (_, next) = clinic.seal(clinic.sharing(&clinic.access).end_referral(&ended).unwrap(), NOW);
    assert_eq!(next.generation(), clinic.access.generation());
    let again = referral.accept(&credential, &clinic.world.trust, NOW).unwrap();
    assert_eq!(clinic.sharing(&next).refer(&again).err(), Some(Error::Revoked("this referral")));
}

#[test]
fn declines_that_wait_are_carried_out_one_after_the_other_and_old_ones_are_not() {
    let clinic = Clinic::new();
    let world = &clinic.world;
    let people = [&world.ada, &world.nurse];
    let mut consent = world.phone.consent(world.devices(), "cardiology".parse().unwrap());
    for person in people {
        consent = consent.name(&clinic.credential(person)).unwrap();
    }
    let (_, mut access) = consent.seal(NOW).unwrap();
    let decline = |person: &Person, at| {
        let credential = clinic.credential(person);
        let decline = Decline::decline((&person.identity, &credential), access.owner(), access.compartment(), at);
        move |now| decline.as_ref().unwrap().accept(&credential, now)
    };
    let waiting = people.map(|person| decline(person, after(5))(after(100)).unwrap());
    let ahead = decline(people[0], after(10 * WEEK));
    let limit = chartseal::consent::DECLINE_LIMIT.as_secs();
    let old = decline(people[0], NOW);
    assert_eq!(ahead(NOW).err(), Some(Error::Expired("decline")));
    assert!(old(after(limit)).is_ok());
    assert_eq!(old(after(limit + 1)).err(), Some(Error::Expired("decline")));
    for (at, declined) in waiting.iter().enumerate() {
        access = clinic.seal(clinic.sharing(&access).decline(declined).unwrap(), after(100)).1;
        assert_eq!(access.terms().people.len(), 1 - at);
    }
}
