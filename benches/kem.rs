//! The KEM against rabe 0.4.2: what one key, one encapsulation and one decapsulation cost, by number of attributes.
//!
//! The policy is an AND of `n` attributes and the key holds exactly those, so every row is used. Three functions per
//! group: `chartseal`, and rabe's two CP-ABE schemes that are nearest to it, `rabe_ac17` and `rabe_bsw`.
//!
//! ```text
//! cargo bench --bench kem                        # all, some three minutes
//! cargo bench --bench kem -- encapsulate/        # one group
//! cargo bench --bench kem -- rabe                # one peer
//! ```
//!
//! Where the two do different work, rabe is given the easier part:
//!
//! - rabe works on its own structs, in memory; nothing is serialised. chartseal starts from and ends with bytes.
//! - rabe's AND gates are nested in pairs, because its AC17 panics on wider ones; as JSON, because its other language
//!   takes exponential time over the parentheses. Right-leaning, the shape whose share matrix has the fewest entries.
//! - rabe encrypts a payload, chartseal yields a key. The payload is 32 bytes, the size of that key, so that this adds
//!   one AES-GCM call of about a microsecond.
//! - rabe's decryption has no counterpart to the re-encapsulation by which chartseal refuses an altered capsule.
//! - Both start from a policy in text form, which is part of rabe's `encrypt`.
//!
//! rabe takes up to a second a call, so it gets ten samples; its figures need no more precision than that.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make undocumented items, and a benchmark may panic"
)]

use std::cell::LazyCell;
use std::time::Duration;

use chartseal::id::AuthorityId;
use chartseal::kem;
use chartseal::policy::{AccessTree, Attributes, Policy};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use rabe::schemes::{ac17, bsw};
use rabe::utils::policy::pest::PolicyLanguage::JsonPolicy;

const SIZES: [usize; 6] = [1, 5, 10, 20, 50, 100];
const PAYLOAD: [u8; 32] = [7; 32];
const CONTEXT: &[u8] = b"st-olave/cardiology/1";

criterion_group!(benches, chartseal, rabe_ac17, rabe_bsw);
criterion_main!(benches);

fn chartseal(criterion: &mut Criterion) {
    let (public, master) = kem::setup(AuthorityId::new("st-olave").unwrap()).unwrap();

    let mut group = fast_group(criterion, "issue");
    for n in SIZES {
        let held: Attributes = attributes(n).join(", ").parse().unwrap();
        group.bench_function(BenchmarkId::new("chartseal", n), |b| b.iter(|| kem::issue(&master, &held).unwrap()));
    }
    group.finish();

    // Policy text to capsule bytes.
    let mut group = fast_group(criterion, "encapsulate");
    for n in SIZES {
        let text = attributes(n).join(" and ");
        group.bench_function(BenchmarkId::new("chartseal", n), |b| {
            b.iter(|| {
                let tree = public.expand(&text.parse::<Policy>().unwrap()).unwrap();
                let (capsule, shared) = kem::encapsulate(&public, &tree, CONTEXT).unwrap();
                (capsule.as_bytes().to_vec(), shared)
            })
        });
    }
    group.finish();

    // Tree and capsule bytes to shared key; the reader's key is loaded once and serves many.
    let mut group = fast_group(criterion, "decapsulate");
    for n in SIZES {
        let ready = LazyCell::new(|| {
            let key = kem::issue(&master, &attributes(n).join(", ").parse().unwrap()).unwrap();
            let tree = public.expand(&attributes(n).join(" and ").parse().unwrap()).unwrap();
            let (capsule, shared) = kem::encapsulate(&public, &tree, CONTEXT).unwrap();
            assert!(kem::decapsulate(&key, &tree, CONTEXT, &capsule).unwrap().ct_eq(&shared));
            (key, tree.as_bytes().to_vec(), capsule.as_bytes().to_vec())
        });
        group.bench_function(BenchmarkId::new("chartseal", n), |b| {
            let (key, tree, capsule) = &*ready;
            b.iter(|| {
                let tree = AccessTree::decode(tree).unwrap();
                let capsule = kem::Capsule::decode(&tree, capsule).unwrap();
                kem::decapsulate(key, &tree, CONTEXT, &capsule).unwrap()
            });
        });
    }
    group.finish();
}

fn rabe_ac17(criterion: &mut Criterion) {
    let (public, master) = ac17::setup();

    let mut group = slow_group(criterion, "issue");
    for n in SIZES {
        let names = attributes(n);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        group
            .bench_function(BenchmarkId::new("rabe_ac17", n), |b| b.iter(|| ac17::cp_keygen(&master, &names).unwrap()));
    }
    group.finish();

    let mut group = slow_group(criterion, "encapsulate");
    for n in SIZES {
        let policy = nested_json(n);
        group.bench_function(BenchmarkId::new("rabe_ac17", n), |b| {
            b.iter(|| ac17::cp_encrypt(&public, &policy, &PAYLOAD, JsonPolicy).unwrap())
        });
    }
    group.finish();

    let mut group = slow_group(criterion, "decapsulate");
    for n in SIZES {
        let ready = LazyCell::new(|| {
            let names = attributes(n);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let key = ac17::cp_keygen(&master, &names).unwrap();
            let sealed = ac17::cp_encrypt(&public, &nested_json(n), &PAYLOAD, JsonPolicy).unwrap();
            assert_eq!(ac17::cp_decrypt(&key, &sealed).unwrap(), PAYLOAD);
            (key, sealed)
        });
        group.bench_function(BenchmarkId::new("rabe_ac17", n), |b| {
            let (key, sealed) = &*ready;
            b.iter(|| ac17::cp_decrypt(key, sealed).unwrap());
        });
    }
    group.finish();
}

fn rabe_bsw(criterion: &mut Criterion) {
    let (public, master) = bsw::setup();

    let mut group = slow_group(criterion, "issue");
    for n in SIZES {
        let names = attributes(n);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        group.bench_function(BenchmarkId::new("rabe_bsw", n), |b| {
            b.iter(|| bsw::keygen(&public, &master, &names).unwrap())
        });
    }
    group.finish();

    let mut group = slow_group(criterion, "encapsulate");
    for n in SIZES {
        let policy = nested_json(n);
        group.bench_function(BenchmarkId::new("rabe_bsw", n), |b| {
            b.iter(|| bsw::encrypt(&public, &policy, JsonPolicy, &PAYLOAD).unwrap())
        });
    }
    group.finish();

    let mut group = slow_group(criterion, "decapsulate");
    for n in SIZES {
        let ready = LazyCell::new(|| {
            let names = attributes(n);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let key = bsw::keygen(&public, &master, &names).unwrap();
            let sealed = bsw::encrypt(&public, &nested_json(n), JsonPolicy, &PAYLOAD).unwrap();
            assert_eq!(bsw::decrypt(&key, &sealed).unwrap(), PAYLOAD);
            (key, sealed)
        });
        group.bench_function(BenchmarkId::new("rabe_bsw", n), |b| {
            let (key, sealed) = &*ready;
            b.iter(|| bsw::decrypt(key, sealed).unwrap());
        });
    }
    group.finish();
}

/// The `n` attributes: `a0:x`, `a1:x`, …
fn attributes(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("a{i}:x")).collect()
}

/// An AND of `n` attributes in rabe's JSON form, two to a gate: `a0 and (a1 and (a2 and …))`.
fn nested_json(n: usize) -> String {
    attributes(n)
        .iter()
        .map(|name| format!(r#"{{"name": "{name}"}}"#))
        .rev()
        .reduce(|rest, leaf| format!(r#"{{"name": "and", "children": [{leaf}, {rest}]}}"#))
        .unwrap()
}

/// A group for calls of a few milliseconds at most.
fn fast_group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(50).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    group
}

/// A group with few, short samples.
fn slow_group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1));
    group
}
