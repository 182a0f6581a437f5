//! What a consent costs beside the capsule in it.
//!
//! `consent_seal/chartseal/10` makes and signs a consent with one policy slot of ten attributes; `consent_seal/encapsulate/10`
//! makes the capsule of that slot alone, for the same tree (the ten attributes and the month in which keys have to be
//! valid). `consent_open/…` is a reader's way from the stored consent to the compartment key, beside the decapsulation.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may panic; criterion's macros make undocumented items")]

use std::hint::black_box;

use chartseal::authority::{Authority, Trust};
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
    let (mut trust, mut pins) = (Trust::new(), PinStore::default());
    trust.add(hospital.anchor()).unwrap();
    trust.update(&hospital.publish(NOW).unwrap(), &mut pins).unwrap();
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
            let live = stored.verify(alice.devices(), &compartment, &mut pins, NOW).unwrap();
            black_box(live.open(&key).unwrap())
        });
    });
    group.bench_function(BenchmarkId::new("decapsulate", 10), |b| {
        b.iter(|| black_box(kem::decapsulate(&key, &tree, b"context", &capsule).unwrap()));
    });
    group.finish();
}

criterion_group!(benches, consent);
criterion_main!(benches);
