//! What is sealed this month can be sealed again in the month that takes the most, and as often as it has to be.

use std::time::Duration;

use chartseal::authority::{Authority, Trust};
use chartseal::consent::{Access, ConsentBuilder, MAX_CONSENT, MAX_SLOT, StoredConsent};
use chartseal::id::{AuthorityId, MAX_ID, Time};
use chartseal::identity::Identity;
use chartseal::owner::{Device, Owner};
use chartseal::pin::PinStore;
use chartseal::policy::Policy;
use chartseal::{Error, Result};

use crate::support::two_hospitals::{NOW, World, cardiology, olave};

/// 2055-06-15: keys that are valid from a month of this number on take eleven leaves, the most of any to come. NOW takes eight.
const WORST: Time = Time::at(2_696_630_400);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A patient, and authorities with the longest ids.
struct Region {
    trust: Trust,
    ids: Vec<AuthorityId>,
    owner: Owner,
    phone: Device,
}

impl Region {
    fn new(authorities: usize) -> Self {
        let (mut trust, mut pins) = (Trust::new(Duration::MAX), PinStore::default());
        let id = |n: usize| format!("{n:0>MAX_ID$}").parse::<AuthorityId>().unwrap();
        let ids: Vec<_> = (0..authorities).map(id).collect();
        for id in &ids {
            let mut authority = Authority::setup(id.clone(), NOW).unwrap();
            trust.add(authority.anchor()).unwrap();
            trust.update(&authority.publish(NOW).unwrap(), &mut pins, NOW).unwrap();
        }
        let (owner, phone) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
        Self { trust, ids, owner, phone }
    }

    fn consent(&self) -> ConsentBuilder<'_> {
        self.phone.consent(self.owner.devices(), cardiology())
    }

    /// With a policy for each of the first authorities.
    fn sealed(&self, policies: &[String], now: Time) -> Result<(StoredConsent, Access)> {
        let mut policies = self.ids.iter().zip(policies);
        policies.try_fold(self.consent(), |consent, (id, policy)| consent.read(&self.trust, id, policy))?.seal(now)
    }
}

/// So many numbers between two others, of 62 leaves each, under the longest labels.
fn ranges(count: usize) -> String {
    let range = |n: usize| format!("{}{n} in 1..4294967294", "l".repeat(63));
    (0..count).map(range).collect::<Vec<_>>().join(" or ")
}

#[test]
fn whatever_policy_is_sealed_this_month_can_be_sealed_in_the_worst_month() {
    let region = Region::new(1);
    let long = |n: usize| format!("{}:{}", "l".repeat(64), "v".repeat(n));
    // One attribute as often as it fits has the most uses; the longest labels have the longest tree.
    let mut policies = vec![format!("1 of ({})", vec!["a:1"; 500].join(", "))];
    policies.extend((5..=8).map(ranges));
    policies.extend([48, 200, 255].map(|n| format!("{} or {}", ranges(7), long(n))));
    policies.push(vec![long(60); 30].join(" and "));
    let mut sealed = 0;
    for policy in policies {
        assert!(policy.parse::<Policy>().is_ok(), "{policy}");
        let of = |now| region.sealed(std::slice::from_ref(&policy), now).map(|(stored, _)| stored);
        let (now, worst) = (of(NOW), of(WORST));
        assert_eq!(now.as_ref().err(), worst.as_ref().err(), "{policy}");
        assert!(matches!(now, Ok(_) | Err(Error::Policy(_))), "{:?} {policy}", now.err());
        if let (Ok(now), Ok(worst)) = (now, worst) {
            let slot = |stored: &StoredConsent| stored.slots().map(<[u8]>::len).max().unwrap();
            assert!(slot(&now) < slot(&worst) && slot(&worst) < MAX_SLOT);
            sealed += 1;
        }
    }
    assert!(sealed > 5, "{sealed}");
}

#[test]
fn a_consent_that_is_over_its_bytes_in_the_worst_month_is_not_sealed_now() {
    let region = Region::new(10);
    // Each of eight takes about 94 KiB, in the worst month 105. The last is a little longer each time.
    let policies = |count: usize| {
        let mut all = vec![ranges(8); 8];
        all.push(ranges(1));
        all.push((0..count).map(|n| format!("a:{n}")).collect::<Vec<_>>().join(" or "));
        all
    };
    let sealed = |count, now| region.sealed(&policies(count), now).map(|(stored, _)| stored.to_cbor().unwrap().len());
    let mut tried = (1..440).rev().step_by(20).map(|count| (count, sealed(count, NOW)));
    let (fits, now) = tried.find(|(_, sealed)| *sealed != Err(Error::TooLarge("consent"))).unwrap();
    assert!(fits < 430, "the first is refused: {now:?}");
    let worst = sealed(fits, WORST).unwrap();
    assert!(now.unwrap() < worst && worst <= MAX_CONSENT, "{worst}");
    assert_eq!(sealed(fits + 20, WORST), Err(Error::TooLarge("consent")));
}

#[test]
fn terms_have_room_for_all_that_later_versions_and_a_custodian_s_remember() {
    let region = Region::new(16);
    let keeper = Identity::generate("keeper".parse().unwrap()).unwrap();
    let policy = (0..40).map(|n| format!("a:{n}{}", "v".repeat(80))).collect::<Vec<_>>().join(" or ");
    let writing = |builder: ConsentBuilder<'_>, count: usize, now: Time| {
        let builder = builder.custodian(&keeper.public()).unwrap().valid(None, now.plus(40 * DAY));
        let mut ids = region.ids.iter().take(count);
        ids.try_fold(builder, |builder, id| builder.write(&region.trust, id, &policy))?.seal(now)
    };
    let most = (1..=16).rev().find(|count| writing(region.consent(), *count, NOW).is_ok()).unwrap();
    assert!(most > 4, "{most}");
    let (_, mut access) = writing(region.consent(), most, NOW).unwrap();
    // Another end each time, so that each version is remembered by itself.
    let mut now = NOW;
    for _ in 0..5 {
        now = now.plus(30 * DAY);
        access = writing(region.consent().after(&access).unwrap(), most, now).unwrap().1;
    }
    let given = (region.owner.devices(), &access);
    let mandate = region.phone.mandate(given, &keeper.public(), now.plus(40 * DAY), now).unwrap();
    for day in 1..5_u32 {
        let builder = mandate.consent(&keeper, region.owner.devices()).unwrap().after(&access).unwrap();
        let builder = builder.same_terms(&region.trust).unwrap().valid(None, now.plus((day + 10) * DAY));
        access = builder.seal(now.plus(day * DAY)).unwrap().1;
    }
}

#[test]
fn a_policy_of_keys_that_have_all_ended_keeps_nobody_from_sealing_again() {
    let world = World::new();
    let saying = |builder: ConsentBuilder<'_>, role: &str, now| {
        builder.read(&world.trust, &olave(), &format!("role:{role} and valid-until <= 2026-05")).unwrap().seal(now)
    };
    let (stored, access) = saying(world.consent(), "doctor", NOW).unwrap();
    assert_eq!(stored.slots().len(), 3);
    let june = NOW.plus(80 * DAY);
    let next = || world.consent().after(&access).unwrap();
    let (stored, next_access) = next().same_terms(&world.trust).unwrap().seal(june).unwrap();
    assert_eq!((stored.slots().len(), next_access.terms().read.len()), (2, 1));
    let live = world.verify_at(&stored, june).unwrap();
    assert!(live.open_as_device(&world.phone, &mut PinStore::default()).is_ok());
    // Whoever says it only now is told.
    assert!(matches!(saying(next(), "nurse", june), Err(Error::ApiMisuse(_))));
}
