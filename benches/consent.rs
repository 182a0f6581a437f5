//! What a consent costs beside the capsule in it.
//!
//! `consent_seal/chartseal/10` makes and signs a consent with one policy slot of ten attributes; `consent_seal/encapsulate/10`
//! makes the capsule of that slot alone, for the same tree (the ten attributes and the month in which keys have to be
//! valid). `consent_open/…` is a reader's way from the stored consent to the compartment key, beside the decapsulation; each of
//! the sealed slots is made again on the way, two in `consent_open/chartseal/10`, and as many as it says in
//! `consent_open/sealed_slots/…`. `consent_check/policy_slots/10` makes the policy slot again.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may panic; criterion's macros make undocumented items")]

use std::hint::black_box;

use chartseal::authority::{Authority, REVOCATION_LIMIT, Trust};
use chartseal::id::{DeviceId, Time};
use chartseal::identity::Identity;
use chartseal::kem;
use chartseal::owner::Owner;
use chartseal::pin::PinStore;
use chartseal::policy::{Month, Policy};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const NOW: Time = Time::at(1_775_000_000);
const NEXT_YEAR: Time = Time::at(1_806_000_000);

fn consent(c: &mut Criterion) {
    let mut hospital = Authority::setup("st-olave".parse().unwrap(), NOW).unwrap();
    let ada = Identity::generate("dr-ada".parse().unwrap()).unwrap();
    hospital.enrol(&ada.enrol().unwrap()).unwrap();
    let names: Vec<String> = (0..10).map(|i| format!("is:a{i}")).collect();
    let attributes = names.join(", ").parse().unwrap();
    let issued = hospital.issue(ada.id(), &attributes, NOW, NEXT_YEAR, NOW).unwrap();
    let (mut trust, mut pins) = (Trust::new(REVOCATION_LIMIT), PinStore::default());
    trust.add(hospital.anchor()).unwrap();
    trust.update(&hospital.publish(NOW).unwrap(), &mut pins, NOW).unwrap();
    let key = ada.accept(&issued, &trust, NOW).unwrap();
    let (alice, phone) = Owner::generate_with_device(DeviceId::new("phone").unwrap(), NOW).unwrap();

    let policy = names.join(" and ");
    let seal = || {
        let consent = phone.consent(alice.devices(), "cardiology".parse().unwrap());
        consent.read(&trust, hospital.id(), &policy).unwrap().seal(NOW).unwrap()
    };
    let public = trust.parameters(hospital.id()).unwrap();
    let month = Month::at(NOW).unwrap();
    let policy: Policy = format!("({policy}) and valid-until >= {month}").parse().unwrap();
    let tree = public.expand(&policy).unwrap();

    let mut group = c.benchmark_group("consent_seal");
    group.bench_function(BenchmarkId::new("chartseal", 10), |b| b.iter(|| black_box(seal())));
    group.bench_function(BenchmarkId::new("encapsulate", 10), |b| {
        b.iter(|| black_box(kem::encapsulate(public, &tree, b"context").unwrap()));
    });
    group.finish();

    let (stored, _) = seal();
    let (capsule, _) = kem::encapsulate(public, &tree, b"context").unwrap();
    let compartment = "cardiology".parse().unwrap();
    let mut group = c.benchmark_group("consent_open");
    group.bench_function(BenchmarkId::new("chartseal", 10), |b| {
        b.iter(|| {
            let live = stored.verify(alice.devices(), &compartment, &pins, NOW).unwrap();
            black_box(live.open(&key, &mut PinStore::default()).unwrap())
        });
    });
    for count in [2, 12, 52] {
        let people = (2..count).map(|i| Identity::generate(format!("p{i}").parse().unwrap()).unwrap().public());
        let consent = phone.consent(alice.devices(), "summary".parse().unwrap());
        let consent = people.fold(consent, |consent, person| consent.name(&person).unwrap());
        let (stored, _) = consent.read(&trust, hospital.id(), "is:a0").unwrap().seal(NOW).unwrap();
        let live = stored.verify(alice.devices(), &"summary".parse().unwrap(), &PinStore::default(), NOW).unwrap();
        group.bench_function(BenchmarkId::new("sealed_slots", count), |b| {
            b.iter(|| black_box(live.open(&key, &mut PinStore::default()).unwrap()))
        });
    }
    group.bench_function(BenchmarkId::new("decapsulate", 10), |b| {
        b.iter(|| black_box(kem::decapsulate(&key, &tree, b"context", &capsule).unwrap()));
    });
    group.finish();

    let (_, access) = seal();
    let mut group = c.benchmark_group("consent_check");
    group.bench_function(BenchmarkId::new("policy_slots", 10), |b| {
        b.iter(|| access.check_policy_slots(black_box(&trust)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, consent);
criterion_main!(benches);
