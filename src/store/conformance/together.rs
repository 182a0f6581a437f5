//! Several threads at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::bench::{Broken, broken};

/// Does this on so many threads, which begin at one moment, and gives what each found.
pub(super) fn together<T: Send>(
    threads: usize,
    work: impl Fn(usize) -> Result<T, Broken> + Sync,
) -> Result<Vec<T>, Broken> {
    let here = AtomicUsize::new(0);
    let run = |n| {
        here.fetch_add(1, Ordering::SeqCst);
        // A thread that could not be started is not waited for.
        let start = Instant::now();
        while here.load(Ordering::SeqCst) < threads && start.elapsed() < Duration::from_secs(1) {
            thread::yield_now();
        }
        work(n)
    };
    let run = &run;
    thread::scope(|scope| {
        let started: Vec<_> =
            (0..threads).map(|n| thread::Builder::new().spawn_scoped(scope, move || run(n))).collect();
        let ended: Vec<_> = started
            .into_iter()
            .map(|thread| match thread.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(found)) => found,
                Ok(Err(_)) => Err(broken("a call panics")),
                Err(error) => Err(broken(format!("the suite has no thread: {error}"))),
            })
            .collect();
        ended.into_iter().collect()
    })
}
