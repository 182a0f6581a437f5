//! Sealing and opening whole records, beside the AES-GCM that they cannot do without.
//!
//! `raw_aes_gcm` is one prepared key, in place, no header; `raw_aes_gcm_sha256` does one pass of SHA-256 over the
//! plaintext as well. Parameters are fields x bytes. `chartseal` signs on sealing, and verifies author and envelope on
//! opening; the author's credential was verified before, as that of somebody who wrote more than one record.
//!
//! `open_many` opens 1,000 records of one compartment, ten fields of 100 bytes each, with all that it takes to get there:
//! one consent verified and opened (one decapsulation), one credential verified, two signatures a record.
//! `raw_two_verifications` is the Ed25519 part of it alone.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "benches may panic; criterion's macros write no docs"
)]

use std::hint::black_box;
use std::time::Duration;

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use chartseal::consent::Access;
use chartseal::pin::PinStore;
use chartseal::record::{Reader, Record, SealedRecord};
use chartseal::seal::FieldPath;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sha2::{Digest, Sha256};

#[path = "../tests/support/world.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod world;

use world::{NOW, World};

const SHAPES: [(usize, usize); 6] = [(1, 100), (10, 100), (100, 100), (1, 10_000), (10, 10_000), (100, 10_000)];

fn seal(c: &mut Criterion) {
    let mut group = c.benchmark_group("seal");
    let world = World::new();
    let access = world.access("cardiology");
    let author = world.ada.author();
    for shape in SHAPES {
        let id = parameter(&mut group, shape);
        group.bench_function(BenchmarkId::new("chartseal", &id), |b| {
            b.iter_batched(
                || record(shape, &access),
                |record| record.seal(&author, NOW).unwrap(),
                BatchSize::SmallInput,
            );
        });
        for (name, hash) in [("raw_aes_gcm", false), ("raw_aes_gcm_sha256", true)] {
            group.bench_function(BenchmarkId::new(name, &id), |b| {
                let key = Aes256Gcm::new(&[7; 32].into());
                let seal = |mut values: Vec<Vec<u8>>| {
                    for (i, value) in values.iter_mut().enumerate() {
                        if hash {
                            black_box(Sha256::digest(&*value));
                        }
                        let tag = key.encrypt_inout_detached(&iv(i).into(), b"", value.as_mut_slice().into());
                        black_box(tag.unwrap());
                    }
                    values
                };
                b.iter_batched(|| values(shape), seal, BatchSize::SmallInput);
            });
        }
    }
}

fn open(c: &mut Criterion) {
    let mut group = c.benchmark_group("open");
    let world = World::new();
    let access = world.access("cardiology");
    let reader = world.reader();
    for shape in SHAPES {
        let id = parameter(&mut group, shape);
        let sealed = record(shape, &access).seal(&world.ada.author(), NOW).unwrap();
        group.bench_function(BenchmarkId::new("chartseal", &id), |b| {
            let open = |sealed: SealedRecord| reader.into_view(sealed, &[&access]).unwrap();
            b.iter_batched(|| sealed.clone(), open, BatchSize::SmallInput);
        });
        for (name, hash) in [("raw_aes_gcm", false), ("raw_aes_gcm_sha256", true)] {
            let key = Aes256Gcm::new(&[7; 32].into());
            let mut sealed = values(shape);
            let seal = |(i, value): (usize, &mut Vec<u8>)| {
                key.encrypt_inout_detached(&iv(i).into(), b"", value.as_mut_slice().into()).unwrap()
            };
            let tags: Vec<_> = sealed.iter_mut().enumerate().map(seal).collect();
            group.bench_function(BenchmarkId::new(name, &id), |b| {
                let open = |mut values: Vec<Vec<u8>>| {
                    for (i, value) in values.iter_mut().enumerate() {
                        let text = value.as_mut_slice().into();
                        key.decrypt_inout_detached(&iv(i).into(), b"", text, &tags[i]).unwrap();
                        if hash {
                            black_box(Sha256::digest(&*value));
                        }
                    }
                    values
                };
                b.iter_batched(|| sealed.clone(), open, BatchSize::SmallInput);
            });
        }
    }
}

fn open_many(c: &mut Criterion) {
    let mut group = c.benchmark_group("open_many");
    let world = World::new();
    let hospital = world.hospital.id();
    let consent = world.phone.consent(world.devices(), "cardiology".parse().unwrap());
    let consent = consent.read(&world.trust, hospital, "role:doctor").unwrap();
    let (stored, access) = consent.write(&world.trust, hospital, "role:doctor").unwrap().seal(NOW).unwrap();
    let key = world.ada.identity.accept(&world.ada.issued, &world.trust, NOW).unwrap();
    let sealed: Vec<_> =
        (0..1000).map(|_| record((10, 100), &access).seal(&world.ada.author(), NOW).unwrap()).collect();
    group.throughput(Throughput::Elements(1000));
    group.bench_function(BenchmarkId::new("chartseal", 1000), |b| {
        let open = |sealed: Vec<SealedRecord>| -> Vec<_> {
            let access = world.live(&stored).open(&key, &mut PinStore::default()).unwrap();
            let reader = Reader::new(&world.trust, NOW);
            sealed.into_iter().map(|record| reader.into_view(record, &[&access]).unwrap()).collect()
        };
        b.iter_batched(|| sealed.clone(), open, BatchSize::LargeInput);
    });
    // The floor: two signatures a record, under a key that was read before.
    group.bench_function(BenchmarkId::new("raw_two_verifications", 1000), |b| {
        let secret = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let public = secret.verifying_key();
        let messages = [[1; 300], [2; 300]];
        let signatures = messages.map(|message| ed25519_dalek::Signer::sign(&secret, &message));
        b.iter(|| {
            for _ in 0..1000 {
                for (message, signature) in messages.iter().zip(&signatures) {
                    public.verify_strict(black_box(message), signature).unwrap();
                }
            }
        });
    });
    group.finish();
}

fn parameter<M: criterion::measurement::Measurement>(
    group: &mut BenchmarkGroup<'_, M>,
    (fields, bytes): (usize, usize),
) -> String {
    group.throughput(Throughput::Bytes((fields * bytes) as u64));
    format!("{fields}x{bytes}")
}

fn record(shape: (usize, usize), access: &Access) -> Record<'_> {
    let record = Record::new("encounter-17".parse().unwrap(), "fhir/R4/Encounter".parse().unwrap());
    values(shape).into_iter().enumerate().fold(record.part(access).unwrap(), |record, (i, value)| {
        record.field(FieldPath::new(format!("/component/{i}/value")).unwrap(), value).unwrap()
    })
}

fn values((fields, bytes): (usize, usize)) -> Vec<Vec<u8>> {
    (0..fields).map(|i| vec![i as u8; bytes]).collect()
}

fn iv(i: usize) -> [u8; 12] {
    let mut iv = [0; 12];
    iv[..8].copy_from_slice(&(i as u64).to_be_bytes());
    iv
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1500));
    targets = seal, open, open_many
}
criterion_main!(benches);
