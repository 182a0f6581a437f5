//! What a rotation costs: moving wraps in memory and on disk, and revoking a person beside the way without compartment keys.
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench, not a library")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use chartseal::authority::{Authority, REVOCATION_LIMIT, Trust};
use chartseal::consent::{Access, StoredConsent};
use chartseal::id::Time;
use chartseal::identity::Identity;
use chartseal::kem;
use chartseal::owner::{Device, Owner};
use chartseal::pin::PinStore;
use chartseal::record::{Author, Record, SealedRecord};
use chartseal::repository::{Put, Repository};
use chartseal::rotation::Rotation;
use chartseal::store::{MemoryStore, Op, RedbStore, Store};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pollster::block_on;

const NOW: Time = Time::at(1_775_000_000);
/// People whom the hospital knows.
const STAFF: usize = 1000;
const POLICY: &str = "a:1 and a:2 and a:3 and a:4 and a:5 and a:6 and a:7 and a:8 and a:9 and a:10";

struct World {
    trust: Trust,
    hospital: Authority,
    alice: Owner,
    phone: Device,
}

impl World {
    fn new() -> Self {
        let mut hospital = Authority::setup("st-olave".parse().unwrap(), NOW).unwrap();
        for n in 0..STAFF {
            let person = Identity::generate(format!("staff-{n}").parse().unwrap()).unwrap();
            hospital.enrol(&person.enrol().unwrap()).unwrap();
        }
        let mut trust = Trust::new(REVOCATION_LIMIT);
        trust.add(hospital.anchor()).unwrap();
        trust.update(&hospital.publish(NOW).unwrap(), &mut PinStore::default(), NOW).unwrap();
        let (alice, phone) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
        Self { trust, hospital, alice, phone }
    }

    fn first(&self) -> Access {
        let consent = self.phone.consent(self.alice.devices(), "a".parse().unwrap());
        consent.read(&self.trust, self.hospital.id(), POLICY).unwrap().seal(NOW).unwrap().1
    }

    fn next(&self, access: &Access) -> (StoredConsent, Access) {
        let sharing = self.phone.sharing(self.alice.devices(), &self.trust, access);
        let (stored, next, _) = sharing.rotate().unwrap().seal(NOW).unwrap();
        (stored, next)
    }

    /// The next version, which excludes a person.
    fn without(&self, access: &Access) -> (StoredConsent, Access) {
        let sharing = self.phone.sharing(self.alice.devices(), &self.trust, access);
        let (stored, next, _) = sharing.revoke("staff-517".parse().unwrap()).unwrap().seal(NOW).unwrap();
        (stored, next)
    }

    /// The next version, which takes that back.
    fn with(&self, access: &Access) -> Access {
        let sharing = self.phone.sharing(self.alice.devices(), &self.trust, access);
        sharing.readmit(&"staff-517".parse().unwrap()).unwrap().seal(NOW).unwrap().1
    }

    fn sealed(&self, access: &Access, id: &str, size: usize) -> SealedRecord {
        let record = Record::new(id.parse().unwrap(), "note".parse().unwrap()).part(access).unwrap();
        let author = Author::device(&self.phone, self.alice.devices()).unwrap();
        record.field("/text", vec![7; size]).unwrap().seal(&author, NOW).unwrap()
    }

    fn fill(&self, stores: &[&dyn Store], access: &Access, n: usize) {
        let mut ops = Vec::new();
        for i in 0..n {
            let pieces = self.sealed(access, &format!("r{i:07}"), 16).pieces().unwrap();
            ops.extend(pieces.into_iter().map(|(key, value)| Op::Put { key, value }));
            if ops.len() >= 4000 || i + 1 == n {
                for store in stores {
                    block_on(store.apply(ops.clone())).unwrap();
                }
                ops.clear();
            }
        }
    }
}

fn publish(store: &dyn Store, stored: &StoredConsent) {
    assert_eq!(block_on(Repository::new(store).put_consent(stored)), Ok(Put::Done));
}

fn clock() -> Time {
    NOW
}

/// A record's key, from one compartment key to the next; the body stays where it is. Several in a row, so that the copy of
/// the body that a run begins with, and not the rewrap, has the processor's cache to itself for a moment only.
fn rewrap(c: &mut Criterion) {
    let world = World::new();
    let mut chain = vec![world.first()];
    while chain.len() <= ROW {
        let next = world.next(chain.last().unwrap()).1;
        chain.push(next);
    }
    let mut group = c.benchmark_group("rewrap, 64 in a row");
    group.throughput(Throughput::Elements(ROW as u64));
    for (name, size) in [("1 KiB", 1 << 10), ("1 MiB", 1 << 20)] {
        let mut record = world.sealed(chain.first().unwrap(), "r", size);
        let fresh = record.clone();
        group.bench_function(name, |b| {
            b.iter_custom(|n| {
                let mut spent = Duration::ZERO;
                for _ in 0..n {
                    record.clone_from(&fresh);
                    let start = Instant::now();
                    for (old, new) in chain.iter().zip(chain.iter().skip(1)) {
                        black_box(&mut record).rewrap(old, new).unwrap();
                    }
                    spent += start.elapsed();
                }
                spent
            });
        });
    }
    group.finish();
}

const ROW: usize = 64;

/// A whole job: pages of keys, claims, compare-and-swap, cursor. To seal a million records takes minutes: they are there
/// only if `ROTATION_MILLION` is set.
fn job(c: &mut Criterion) {
    let mut group = c.benchmark_group("job");
    group.sample_size(10);
    let million = std::env::var_os("ROTATION_MILLION").map(|_| 1_000_000);
    for n in [10_000, 100_000].into_iter().chain(million) {
        let folder = tempfile::tempdir().unwrap();
        let memory = MemoryStore::new();
        let disk = RedbStore::open(folder.path().join("store")).unwrap();
        let world = World::new();
        let first = world.first();
        world.fill(&[&memory, &disk], &first, n);
        // How far each store's records were moved.
        let (mut in_memory, mut on_disk) = (None, None);
        for (name, workers) in [("memory", 1), ("redb", 1), ("redb, two workers", 2)] {
            let (store, last): (&dyn Store, &mut Option<Access>) =
                if name == "memory" { (&memory, &mut in_memory) } else { (&disk, &mut on_disk) };
            group.throughput(Throughput::Elements(n as u64));
            group.bench_function(format!("{name}/{n}"), |b| {
                b.iter_custom(|times| {
                    let mut spent = Duration::ZERO;
                    for _ in 0..times {
                        let access = last.as_ref().unwrap_or(&first);
                        let (stored, new) = world.next(access);
                        publish(store, &stored);
                        let start = Instant::now();
                        let work = || {
                            let rotation = Rotation::new(store, &[access], &new, &clock).unwrap();
                            block_on(rotation.run("job", |_| ())).unwrap()
                        };
                        std::thread::scope(|scope| {
                            (1..workers).for_each(|_| _ = scope.spawn(work));
                            _ = work();
                        });
                        spent += start.elapsed();
                        let progress = work();
                        assert!(progress.finished && progress.records == n as u64);
                        *last = Some(new);
                    }
                    spent
                });
            });
        }
    }
    group.finish();
}

/// Revoking one of a thousand persons from 10,000 records: one consent that excludes her, and the rewraps; beside one capsule
/// for each record under the same policy, of which a hundred are made.
fn revoke(c: &mut Criterion) {
    const RECORDS: usize = 10_000;
    let world = World::new();
    let mut group = c.benchmark_group("revoke");
    group.sample_size(10);
    let store = MemoryStore::new();
    let mut access = world.first();
    world.fill(&[&store], &access, RECORDS);
    group.bench_function("one consent and 10000 rewraps", |b| {
        b.iter_custom(|times| {
            let mut spent = Duration::ZERO;
            for _ in 0..times {
                let start = Instant::now();
                let (stored, new) = world.without(&access);
                publish(&store, &stored);
                let rotation = Rotation::new(&store, &[&access], &new, &clock).unwrap();
                assert!(block_on(rotation.run("job", |_| ())).unwrap().finished);
                spent += start.elapsed();
                access = world.with(&new);
            }
            spent
        });
    });
    let public = world.trust.parameters(world.hospital.id()).unwrap();
    let (_, excluding) = world.without(&access);
    let (_, policy) = excluding.read_policies().first().unwrap();
    let tree = public.expand(policy).unwrap();
    group.bench_function("100 capsules, a hundredth of 10000 records", |b| {
        b.iter_batched(
            || (),
            |()| {
                for _ in 0..RECORDS / 100 {
                    black_box(kem::encapsulate(public, &tree, b"record").unwrap());
                }
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, rewrap, job, revoke);
criterion_main!(benches);
