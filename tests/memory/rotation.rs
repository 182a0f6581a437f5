//! The memory of a rotation does not grow with the number of records.

use crate::allocator::peak;
use crate::support::stored::{now, publish, sealed};
use crate::support::waiting::block_on;
use crate::support::world::World;
use chartseal::rotation::Rotation;
use chartseal::store::{MemoryStore, Op, Store};

/// The most that a rotation of `n` records held at once beyond the store.
fn of(n: usize) -> usize {
    let world = World::new();
    let (store, old) = (MemoryStore::new(), world.access("a"));
    for i in 0..n {
        let pieces = sealed(&world, &old, &format!("r{i:05}")).pieces().unwrap();
        let ops = pieces.into_iter().map(|(key, value)| Op::Put { key, value }).collect();
        block_on(store.apply(ops)).unwrap();
    }
    let new = world.rotated(&old, "role:doctor");
    publish(&world, &store, &new);
    let rotation = Rotation::new(&store, &[&old], &new, &now).unwrap();
    peak(|| {
        let progress = block_on(rotation.run("job", |_| ())).unwrap();
        assert_eq!(progress.records, u64::try_from(n).unwrap());
        assert!(block_on(rotation.verify()).unwrap().is_clean());
    })
}

#[test]
fn ten_times_the_records_take_no_more_memory() {
    let (few, many) = (of(2_000), of(20_000));
    assert!(few > 100_000, "the count works: {few}");
    assert!(many < few + few / 5, "{few} {many}");
}
