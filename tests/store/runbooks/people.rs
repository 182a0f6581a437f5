//! Somebody is to read or write, or fewer are; a referral; stolen keys; an authority rotates; a member leaves.

use std::time::Duration;

use chartseal::Error;
use chartseal::authority::{Authority, REVOCATION_LIMIT, Reason, Trust};
use chartseal::consent::{Access, Exposure, Mandate, Named, OpenedConsents, Referral, ReferralEnd, StoredConsent};
use chartseal::id::Time;
use chartseal::identity::Identity;
use chartseal::owner::{Change, Sharing};
use chartseal::pin::PinStore;
use chartseal::record::{Author, Reader, Verdict};
use chartseal::repository::Put;

use super::{DAY, Knows, Site, by_device, by_key, by_name, identity, issue, section};
use crate::support::stored::sealed;
use crate::support::waiting::block_on;
use crate::support::world::{self, NOW, World, YEAR, after};

/// A patient with a custodian, whose consent is published: doctors read and write.
struct Ward {
    world: World,
    site: Site,
    keeper: Identity,
    access: Access,
}

impl Ward {
    fn new() -> Self {
        let (world, site, keeper) = (World::new(), Site::new(), identity("keeper"));
        let consent = world.phone.consent(world.devices(), section()).custodian(&keeper.public()).unwrap();
        let consent = consent.read(&world.trust, world.hospital.id(), "role:doctor").unwrap();
        let consent = consent.write(&world.trust, world.hospital.id(), "role:doctor").unwrap();
        let (stored, access) = consent.seal(NOW).unwrap();
        site.publish(world.devices(), &stored, NOW);
        site.write(&world, &access, "r");
        Self { world, site, keeper, access }
    }

    fn newest(&self, now: Time) -> OpenedConsents {
        self.site.open(self.world.devices(), now, by_device(&self.world.phone)).unwrap()
    }

    /// What the patient's device makes of the newest consent is published; under a new key, the records are moved.
    fn change(&self, now: Time, job: &str, verb: impl Fn(Sharing<'_>) -> Change<'_>) -> (Access, String) {
        let (world, opened) = (&self.world, self.newest(now));
        let change = verb(world.phone.sharing(world.devices(), &world.trust, &opened.newest));
        change.preview(&[], now).unwrap();
        let (stored, access, receipt) = change.seal(now).unwrap();
        self.site.publish(world.devices(), &stored, now);
        if receipt.needs_rewrap() {
            self.site.moves(&opened.accesses(), &access, job, now);
        }
        (access, receipt.to_string())
    }

    fn mandate(&self, access: &Access, now: Time) -> Mandate {
        let until = now.plus(Duration::from_secs(30 * DAY));
        self.world.phone.mandate((self.world.devices(), access), &self.keeper.public(), until, now).unwrap()
    }

    /// The custodian seals it again.
    fn custodians(&self, mandate: &Mandate, now: Time) -> Result<(StoredConsent, Access), Error> {
        let opened = self.site.open(self.world.devices(), now, by_name(&self.keeper)).unwrap();
        let consent = mandate.consent(&self.keeper, self.world.devices())?.after(&opened.newest)?.reseal()?;
        let sealed = consent.same_terms(&self.world.trust)?.seal(now)?;
        match self.site.try_to_publish(&sealed.1, &sealed.0)? {
            Put::Done => Ok(sealed),
            other => panic!("{other:?}"),
        }
    }

    fn knows(&self, now: Time) -> Knows<'_> {
        (&self.world.trust, self.world.devices(), now)
    }
}

#[test]
fn whoever_is_let_in_reads_and_whoever_is_left_out_reads_nothing_that_was_moved() {
    let ward = Ward::new();
    let (world, site) = (&ward.world, &ward.site);
    let olave = world.hospital.id();
    let [doctor, laboratory] =
        [&world.ada, &world.lab].map(|one| one.identity.accept(&one.issued, &world.trust, NOW).unwrap());
    let ned = world.trust.credential(&world.nurse.issued.credential, NOW).unwrap();
    let nurse = by_name(&world.nurse.identity);
    // More.
    let (_, said) = ward.change(after(1), "", |sharing| sharing.grant(Named::from(&ned).until(after(100))).unwrap());
    assert!(said.contains("nurse-ned") && said.contains("until"), "{said}");
    assert_eq!(site.reads(ward.knows(after(2)), "r", &nurse), Ok(()));
    assert!(matches!(site.reads(ward.knows(after(101)), "r", &nurse), Err(Error::Expired(_))));
    ward.change(after(3), "", |sharing| sharing.grant_policy(olave, "role:laboratory").unwrap());
    assert_eq!(site.reads(ward.knows(after(3)), "r", by_key(&laboratory)), Ok(()));
    // Shut out by name: readmitted first.
    ward.change(after(4), "revoke", |sharing| sharing.revoke("nurse-ned".parse().unwrap()).unwrap());
    assert_eq!(site.reads(ward.knows(after(4)), "r", &nurse), Err(Error::CannotOpen));
    let opened = ward.newest(after(5));
    let refused =
        world.phone.sharing(world.devices(), &world.trust, &opened.newest).grant(&ned).unwrap().seal(after(5));
    assert!(matches!(refused, Err(Error::ApiMisuse(_))));
    ward.change(after(6), "", |sharing| sharing.readmit(&"nurse-ned".parse().unwrap()).unwrap());
    let (both, _) = ward.change(after(7), "", |sharing| sharing.grant(&ned).unwrap());
    assert_eq!(site.reads(ward.knows(after(7)), "r", &nurse), Ok(()));
    // Fewer: whom the new policy leaves out, the preview says of whom it is given.
    let known = [&world.ada, &world.lab].map(|one| world.trust.credential(&one.issued.credential, NOW).unwrap());
    let opened = ward.newest(after(8));
    let restricted =
        world.phone.sharing(world.devices(), &world.trust, &opened.newest).restrict(olave, "role:laboratory");
    assert_eq!(restricted.unwrap().preview(&known, after(8)).unwrap().loses.len(), 1);
    let (_, said) = ward.change(after(8), "restrict", |sharing| sharing.restrict(olave, "role:laboratory").unwrap());
    assert!(said.contains("whoever is `role:laboratory`"), "{said}");
    assert_eq!(site.reads(ward.knows(after(8)), "r", by_key(&laboratory)), Ok(()));
    assert_eq!(site.reads(ward.knows(after(8)), "r", by_key(&doctor)), Err(Error::CannotOpen));
    assert_eq!(site.opens(ward.knows(after(8)), "r", &[&both, &ward.access]), Err(Error::CannotOpen));
    ward.change(after(9), "nobody", |sharing| sharing.revoke_authority(olave).unwrap());
    assert_eq!(site.reads(ward.knows(after(9)), "r", by_key(&laboratory)), Err(Error::CannotOpen));
    assert_eq!(site.reads(ward.knows(after(9)), "r", &nurse), Ok(()), "named people stay");
    // Writing.
    let note = |id: &str, access: &Access, now: Time| {
        let record = world::record(id).part(access).unwrap().field("/diagnosis", "slept well").unwrap();
        record.seal(&world.nurse.author().danger_unchecked(), now).unwrap()
    };
    let (access, _) = ward.change(after(10), "", |sharing| sharing.grant_writing(olave, "role:nurse").unwrap());
    site.put(&note("n", &access, after(11)));
    assert_eq!(site.reads(ward.knows(after(12)), "n", &nurse), Ok(()));
    let (last, _) =
        ward.change(after(13), "write", |sharing| sharing.restrict_writing(olave, "role:laboratory").unwrap());
    assert_eq!(block_on(site.repository().put(&note("late", &access, after(14)))), Ok(Put::Outdated));
    site.put(&note("not-allowed", &last, after(14)));
    let refused = site.reads(ward.knows(after(15)), "not-allowed", &nurse);
    assert_eq!(refused, Err(Error::NotAllowed));
    ward.change(after(16), "none", |sharing| sharing.revoke_writing(olave).unwrap());
    for stands in ["r", "n"] {
        assert_eq!(site.reads(ward.knows(after(17)), stands, &nurse), Ok(()), "{stands}");
    }
}

#[test]
fn a_referral_ends_by_its_date_or_by_the_physicians_word() {
    for by_date in [true, false] {
        let mut ward = Ward::new();
        // 1.
        let specialist = identity("dr-bo");
        let mut practice = Authority::setup("practice".parse().unwrap(), NOW).unwrap();
        practice.enrol(&specialist.enrol().unwrap()).unwrap();
        let issued =
            practice.issue(specialist.id(), &"role:specialist".parse().unwrap(), NOW, after(YEAR), NOW).unwrap();
        let mut physicians = Trust::new(REVOCATION_LIMIT);
        for authority in [&mut practice, &mut ward.world.hospital] {
            physicians.add(authority.anchor()).unwrap();
            physicians.update(&authority.publish(after(100)).unwrap(), &mut PinStore::default(), after(100)).unwrap();
        }
        let now = after(100);
        let shown = physicians.credential(&issued.credential, now).unwrap();
        let ada = physicians.credential(&ward.world.ada.issued.credential, now).unwrap();
        let sections = ["a", "b"].map(|section| section.parse().unwrap());
        let owner = ward.world.devices().owner().clone();
        let until = after(20 * DAY);
        let by = (&ward.world.ada.identity, &ada);
        let referral = Referral::refer(by, &owner, sections, &shown, (until, now)).unwrap();
        // 2.
        ward.world.trust.add(practice.anchor()).unwrap();
        ward.world.trust.update(&practice.publish(now).unwrap(), &mut ward.world.pins, now).unwrap();
        let accepted = referral.accept(&ada, &ward.world.trust, now).unwrap();
        let (brought, _) = ward.change(now, "", |sharing| sharing.refer(&accepted).unwrap());
        let mandate = ward.mandate(&brought, now);
        assert_eq!(ward.site.reads(ward.knows(now), "r", by_name(&specialist)), Ok(()));
        // 3 and 4.
        let end = if by_date {
            let day = until.plus(Duration::from_secs(1));
            let opened = ward.site.open(ward.world.devices(), day, by_name(&ward.keeper)).unwrap();
            let (_, access) = ward.custodians(&mandate, day).unwrap();
            ward.site.moves(&opened.accesses(), &access, "end", day);
            day
        } else {
            let end = ReferralEnd::end(by, &referral, after(200)).unwrap();
            let ended = end.accept(&referral, &ada).unwrap();
            let (access, _) = ward.change(after(200), "end", |sharing| sharing.end_referral(&ended).unwrap());
            // In the section where it has brought nobody yet.
            let (_, other) = ward.world.phone.consent(ward.world.devices(), "b".parse().unwrap()).seal(NOW).unwrap();
            let sharing = ward.world.phone.sharing(ward.world.devices(), &ward.world.trust, &other);
            let (_, other, _) = sharing.end_referral(&ended).unwrap().seal(after(200)).unwrap();
            let sharing = ward.world.phone.sharing(ward.world.devices(), &ward.world.trust, &other);
            assert_eq!(sharing.refer(&accepted).err(), Some(Error::Revoked("this referral")));
            assert_eq!(ward.custodians(&mandate, after(201)).err().map(drop), Some(()), "her own consent ended it");
            let mandate = ward.mandate(&access, after(201));
            ward.custodians(&mandate, after(202)).unwrap();
            after(203)
        };
        assert_eq!(ward.site.reads(ward.knows(end), "r", by_name(&specialist)), Err(Error::CannotOpen));
        assert_eq!(ward.site.opens(ward.knows(end), "r", &[&brought]), Err(Error::CannotOpen));
        let doctor = ward.world.ada.identity.accept(&ward.world.ada.issued, &ward.world.trust, end).unwrap();
        assert_eq!(ward.site.reads(ward.knows(end), "r", by_key(&doctor)), Ok(()));
        let again = ward.newest(end);
        let sharing = ward.world.phone.sharing(ward.world.devices(), &ward.world.trust, &again.newest);
        assert_eq!(sharing.refer(&accepted).err(), Some(Error::Revoked("this referral")), "once in each section");
    }
}

/// The doctor's keys were stolen. She goes on with new ones.
#[test]
fn stolen_keys_open_nothing_that_was_moved_and_the_doctor_reads_on() {
    let mut ward = Ward::new();
    let now = after(200);
    let stolen = ward.world.ada.identity.accept(&ward.world.ada.issued, &ward.world.trust, NOW).unwrap();
    let credential = ward.world.ada.issued.credential.clone();
    let old_mandate = ward.mandate(&ward.access, NOW);
    assert_eq!(ward.site.reads(ward.knows(now), "r", by_key(&stolen)), Ok(()));
    // 1 and 2.
    let again = identity("dr-ada");
    let enrolment = again.enrol().unwrap();
    ward.world.hospital.replace_keys(&enrolment, now, Reason::Compromised, now).unwrap();
    let attributes = "role:doctor".parse().unwrap();
    let issued = ward.world.hospital.issue(again.id(), &attributes, now, after(YEAR), now).unwrap();
    let bulletin = ward.world.hospital.publish(now).unwrap();
    ward.world.trust.update(&bulletin, &mut ward.world.pins, now).unwrap();
    let renewed = again.accept(&issued, &ward.world.trust, now).unwrap();
    let devices = ward.world.devices().clone();
    let held = ward.site.record(devices.owner(), "r");
    let reader = Reader::new(&ward.world.trust, now).devices(devices.clone());
    assert!(reader.open(&held, &[&ward.access]).is_err());
    let review = reader.review(&held, &[&ward.access]).unwrap();
    assert_eq!(review.parts()[0].verdicts(), [Verdict::KeyCompromised]);
    let value = review.parts()[0].values(&[Verdict::KeyCompromised]).unwrap().get("/diagnosis").unwrap().to_vec();
    let author = Author::device(&ward.world.phone, &devices).unwrap();
    let anew = reader.supersede(&held, &[&ward.access]).unwrap().anew(&ward.access).unwrap();
    let anew = anew.field("/diagnosis", value).unwrap().seal(&author, now).unwrap();
    assert_eq!(block_on(ward.site.repository().supersede(&held, &anew)), Ok(Put::Done));
    // 3.
    let opened = ward.newest(now);
    assert_eq!(Exposure::of(&[&credential], &opened.accesses()).unwrap().opened.len(), 1);
    // 4 and 5.
    let shown = ward.world.trust.credential(&issued.credential, now).unwrap();
    let (closed, _) = ward.change(now, "stolen", |sharing| sharing.replace_key(&[&credential], &shown).unwrap());
    let knows = ward.knows(after(300));
    assert_eq!(ward.site.reads(knows, "r", by_name(&again)), Ok(()));
    assert_eq!(ward.site.reads(knows, "r", by_key(&renewed)), Err(Error::CannotOpen));
    assert_eq!(ward.site.reads(knows, "r", by_key(&stolen)), Err(Error::CannotOpen));
    assert_eq!(ward.site.reads(knows, "r", by_name(&ward.world.ada.identity)), Err(Error::CannotOpen));
    assert_eq!(ward.site.opens(knows, "r", &[&ward.access]), Err(Error::CannotOpen));
    // 6.
    assert!(ward.custodians(&old_mandate, after(300)).is_err());
    let mandate = ward.mandate(&closed, after(300));
    ward.custodians(&mandate, after(301)).unwrap();
    // What is said later keeps the stolen key out, too.
    let olave = ward.world.hospital.id().clone();
    ward.change(after(400), "", |sharing| sharing.grant_policy(&olave, "role:doctor or role:nurse").unwrap());
    assert_eq!(ward.site.reads(ward.knows(after(401)), "r", by_key(&stolen)), Err(Error::CannotOpen));
    // After the month in which the last of them ended; and she is named no more, so that there is a new key.
    let later = after(YEAR + 32 * DAY);
    let issued = (after(3 * YEAR), later);
    let (_, renewed) = issue(&mut ward.world.hospital, &ward.world.trust, &again, "role:doctor", issued);
    let (access, _) = ward.change(later, "later", |sharing| sharing.reseal().unwrap());
    assert_eq!(ward.site.reads(ward.knows(later), "r", by_key(&renewed)), Ok(()));
    assert_eq!(ward.site.reads(ward.knows(later), "r", by_key(&stolen)), Err(Error::CannotOpen));
    ward.custodians(&ward.mandate(&access, later), later).unwrap();
}

#[test]
fn after_an_authority_rotated_keys_of_before_open_nothing_that_was_sealed_again() {
    for stolen in [false, true] {
        let mut ward = Ward::new();
        let (world, now) = (&mut ward.world, after(200));
        let old = world.ada.identity.accept(&world.ada.issued, &world.trust, NOW).unwrap();
        // 1 to 3.
        world.hospital.rotate(now).unwrap();
        let bulletin = world.hospital.publish(now).unwrap();
        assert!(bulletin.previous.is_some());
        let issued = world.hospital.reissue(&world.ada.issued.credential, now).unwrap();
        world.trust.update(&bulletin, &mut world.pins, now).unwrap();
        let new = world.ada.identity.accept(&issued, &world.trust, now).unwrap();
        // 4.
        let is_left = |ward: &Ward| {
            let stored = ward.site.consents(ward.world.devices().owner()).pop().unwrap();
            let live = stored.verify(ward.world.devices(), &section(), &PinStore::default(), now).unwrap();
            live.check_parameters(&ward.world.trust).is_err()
        };
        assert!(is_left(&ward));
        assert_eq!(ward.site.reads(ward.knows(now), "r", by_key(&old)), Ok(()));
        let (access, _) =
            ward.change(
                now,
                "rotated",
                |sharing| {
                    if stolen { sharing.rotate().unwrap() } else { sharing.reseal().unwrap() }
                },
            );
        assert!(!is_left(&ward));
        // 5.
        let world = &mut ward.world;
        world.hospital.drop_previous();
        let bulletin = world.hospital.publish(now).unwrap();
        world.trust.update(&bulletin, &mut world.pins, now).unwrap();
        assert_eq!(ward.site.reads(ward.knows(now), "r", by_key(&new)), Ok(()));
        assert_eq!(ward.site.reads(ward.knows(now), "r", by_key(&old)), Err(Error::CannotOpen));
        assert_eq!(ward.site.opens(ward.knows(now), "r", &[&ward.access]).is_ok(), !stolen);
        // The custodian, as when the month turns.
        ward.custodians(&ward.mandate(&access, now), after(300)).unwrap();
        assert_eq!(ward.site.reads(ward.knows(after(300)), "r", by_key(&new)), Ok(()));
    }
}

/// She reads by her attributes, writes, and is the custodian.
#[test]
fn a_member_who_left_writes_nothing_that_counts_and_reads_no_more_once_she_is_left_out() {
    let (mut world, site, keeper) = (World::new(), Site::new(), identity("keeper"));
    let lab = world.lab.identity.accept(&world.lab.issued, &world.trust, NOW).unwrap();
    let consent = world.phone.consent(world.devices(), section()).custodian(&world.nurse.identity.public()).unwrap();
    let consent = consent.read(&world.trust, world.hospital.id(), "role:nurse or role:laboratory").unwrap();
    let consent = consent.write(&world.trust, world.hospital.id(), "role:nurse or role:doctor").unwrap();
    let (stored, access) = consent.seal(NOW).unwrap();
    site.publish(world.devices(), &stored, NOW);
    site.write(&world, &access, "r");
    let nurse = world.nurse.identity.accept(&world.nurse.issued, &world.trust, NOW).unwrap();
    // 1.
    let (ned, left) = (world.nurse.identity.id().clone(), after(200));
    world.hospital.leave(&ned, left, left).unwrap();
    let bulletin = world.hospital.publish(left).unwrap();
    let mut strict = Trust::new(REVOCATION_LIMIT);
    strict.add(world.hospital.anchor()).unwrap();
    strict.update(&bulletin, &mut PinStore::default(), left).unwrap();
    world.trust.update(&bulletin, &mut world.pins, left).unwrap();
    let issued = world.hospital.issue(&ned, &"role:nurse".parse().unwrap(), left, after(YEAR), left);
    assert_eq!(issued.err(), Some(Error::Revoked("this person")));
    let late = world::record("late").part(&access).unwrap().field("/diagnosis", "slept well").unwrap();
    site.put(&late.seal(&world.nurse.author(), after(300)).unwrap());
    let knows = (&world.trust, world.devices(), after(400));
    assert_eq!(site.reads(knows, "late", by_key(&lab)), Err(Error::Revoked("this person")));
    // Every day, or nobody is believed after the limit.
    let later = left.plus(REVOCATION_LIMIT).plus(Duration::from_secs(1));
    let devices = world.devices().clone();
    let reads = |strict: &Trust| site.reads((strict, &devices, later), "r", by_key(&lab));
    assert_eq!(reads(&strict), Err(Error::Expired("revocation list")));
    let renewed = world.hospital.renew_revocations(later).unwrap();
    strict.update_revocations(&renewed, &mut PinStore::default(), later).unwrap();
    assert_eq!(reads(&strict), Ok(()));
    // 2. Her key goes on to open, for as long as it lasts: so she is excluded.
    let knows = (&world.trust, world.devices(), after(400));
    assert_eq!(site.reads(knows, "r", by_key(&nurse)), Ok(()));
    let opened = site.open(world.devices(), after(400), by_device(&world.phone)).unwrap();
    let revoked = world.phone.sharing(world.devices(), &world.trust, &opened.newest).revoke(ned).unwrap();
    let (stored, closed, receipt) = revoked.seal(after(400)).unwrap();
    assert!(receipt.unenforced.is_empty());
    site.publish(world.devices(), &stored, after(400));
    site.moves(&opened.accesses(), &closed, "left", after(400));
    // 3.
    let consent = world.phone.consent(world.devices(), section()).after(&closed).unwrap().reseal().unwrap();
    let consent = consent.same_terms(&world.trust).unwrap().custodian(&keeper.public()).unwrap();
    let (stored, kept) = consent.seal(after(500)).unwrap();
    site.publish(world.devices(), &stored, after(500));
    world.phone.mandate((world.devices(), &kept), &keeper.public(), after(10 * DAY), after(500)).unwrap();
    let knows = (&world.trust, world.devices(), after(600));
    assert_eq!(site.reads(knows, "r", by_name(&keeper)), Ok(()));
    assert_eq!(site.reads(knows, "r", by_key(&lab)), Ok(()));
    assert_eq!(site.reads(knows, "r", by_key(&nurse)), Err(Error::CannotOpen));
    assert_eq!(site.reads(knows, "r", by_name(&world.nurse.identity)), Err(Error::CannotOpen));
    assert_eq!(site.opens(knows, "r", &[&access]), Err(Error::CannotOpen));
    let too_late = sealed(&world, &access, "too-late");
    assert_eq!(block_on(site.repository().put(&too_late)), Ok(Put::Outdated));
}
