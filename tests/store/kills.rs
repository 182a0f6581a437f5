//! A process is killed at random instants while it writes, publishes, moves, retires, erases, backs up and restores, on disk.
//! What it said that was done is done, and nothing that was cut off half stands.
//!
//! `CHARTSEAL_KILLS` is how many times; each line that the process writes says what it begins or what is done.
#![cfg(feature = "redb")]

mod cast;
mod disks;
mod known;
mod proof;
mod repeat;
mod work;

use std::time::{Duration, Instant};

use crate::support::waiting::Again;
use crate::support::world::World;
use cast::Cast;
use disks::Disks;
use known::Known;
use work::Worker;

/// Where the files are, for the process that is killed.
const FOLDER: &str = "CHARTSEAL_TEST_KILLED_IN";
/// How many were killed before it.
const NUMBER: &str = "CHARTSEAL_TEST_KILLED_BEFORE";
/// For how long a process works that nobody kills.
const WORK: Duration = Duration::from_secs(30);

/// Numbers that look random, the same in each run.
pub(crate) struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Less than this.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// The part of the next test that runs in a process of its own.
#[test]
fn works_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let number = std::env::var(NUMBER).unwrap().parse().unwrap();
    let start = Instant::now();
    let cast = Cast::load(folder.as_ref());
    let disks = Disks::open(folder.as_ref());
    let mut worker = Worker::new(&cast, disks, folder.as_ref(), number);
    while start.elapsed() < WORK {
        // The line fails, and with it this, when nobody listens any more.
        worker.step();
    }
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_half_stands_after_a_kill_at_any_instant() {
    let kills = std::env::var("CHARTSEAL_KILLS").map_or(20, |kills| kills.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let world = World::new();
    let mut cast = Cast::new(&world, folder.path());
    let (mut known, mut random) = (Known::default(), Random::new(0x6b69_6c6c));
    drop(Disks::create(folder.path()));
    for number in 0..kills {
        cast.keep(folder.path(), known.erased.len() + 4);
        let test = concat!(module_path!(), "::works_until_it_is_killed");
        let killed = Again::start(test, |command| {
            command.env(FOLDER, folder.path()).env(NUMBER, number.to_string());
        });
        // One in ten while it opens its files; the others within one of its verbs, or between two.
        let begun = if random.below(10) == 0 { 0 } else { 1 + random.below(12) };
        for _ in 0..begun {
            while !known.hear(&killed.line().expect("the process ended by itself")) {}
        }
        std::thread::sleep(Duration::from_micros(random.below(if begun == 0 { 200_000 } else { 40_000 })));
        killed.killed().iter().for_each(|line| _ = known.hear(line));
        known.kills += 1;
        let disks = Disks::open(folder.path());
        proof::holds(&mut known, &cast, &disks, &format!("after kill {number}"));
        repeat::what_was_cut(&mut known, &cast, &disks, (folder.path(), number, &mut random));
        proof::is_clean(&known, &cast, &disks, &format!("after kill {number}"));
    }
    println!("{known}");
    known.was_thorough(kills);
}
