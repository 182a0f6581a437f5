//! Sealing and opening whole records, beside the AES-GCM that they cannot do without.
//!
//! `raw_aes_gcm` is one prepared key, in place, no header; `raw_aes_gcm_sha256` does one pass of SHA-256 over the
//! plaintext as well. Parameters are fields x bytes.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "benches may panic; criterion's macros write no docs"
)]

use std::hint::black_box;
use std::time::Duration;

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use chartseal::id::Generation;
use chartseal::record::{Record, RecordContext, SealedRecord};
use chartseal::seal::{Cek, FieldPath};
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sha2::{Digest, Sha256};

const SHAPES: [(usize, usize); 6] = [(1, 100), (10, 100), (100, 100), (1, 10_000), (10, 10_000), (100, 10_000)];

fn seal(c: &mut Criterion) {
    let mut group = c.benchmark_group("seal");
    let cek = Cek::generate().unwrap();
    for shape in SHAPES {
        let id = parameter(&mut group, shape);
        group.bench_function(BenchmarkId::new("chartseal", &id), |b| {
            b.iter_batched(|| record(shape), |record| record.seal(&cek, Generation(1)), BatchSize::SmallInput);
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
    let cek = Cek::generate().unwrap();
    for shape in SHAPES {
        let id = parameter(&mut group, shape);
        let sealed = record(shape).seal(&cek, Generation(1)).unwrap();
        group.bench_function(BenchmarkId::new("chartseal", &id), |b| {
            b.iter_batched(|| sealed.clone(), |sealed: SealedRecord| sealed.into_view(&cek), BatchSize::SmallInput);
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

fn parameter<M: criterion::measurement::Measurement>(
    group: &mut BenchmarkGroup<'_, M>,
    (fields, bytes): (usize, usize),
) -> String {
    group.throughput(Throughput::Bytes((fields * bytes) as u64));
    format!("{fields}x{bytes}")
}

fn record(shape: (usize, usize)) -> Record {
    let context = RecordContext {
        owner: "patient-4711".parse().unwrap(),
        record: "encounter-17".parse().unwrap(),
        schema: "fhir/R4/Encounter".parse().unwrap(),
        compartment: "cardiology".parse().unwrap(),
    };
    values(shape).into_iter().enumerate().fold(Record::new(context), |record, (i, value)| {
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
    targets = seal, open
}
criterion_main!(benches);
