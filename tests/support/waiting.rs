//! Ways to wait that end. No test may wait for ever: one that would fails, and says what it waited for.

use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long anybody waits for anything.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Where two threads wait for each other, as often as they like.
pub(crate) struct Meeting {
    what: &'static str,
    limit: Duration,
    came: Mutex<u64>,
    both: Condvar,
}

impl Meeting {
    pub(crate) fn new(what: &'static str) -> Self {
        Self::within(LIMIT, what)
    }

    pub(crate) fn within(limit: Duration, what: &'static str) -> Self {
        Self { what, limit, came: Mutex::new(0), both: Condvar::new() }
    }

    /// Waits until the other one is here, too.
    ///
    /// # Panics
    ///
    /// If the other one does not come in time.
    pub(crate) fn meet(&self) {
        // The lock is poisoned by somebody who waited in vain. His arrival stands, so that whoever comes then goes on.
        let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        *came += 1;
        let mine = *came;
        if mine.is_multiple_of(2) {
            self.both.notify_all();
            return;
        }
        let alone = self.both.wait_timeout_while(came, self.limit, |came| *came == mine);
        let (_came, waited) = alone.unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "nobody else came within {:?}: {}", self.limit, self.what);
    }
}

struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// What the future gives.
///
/// # Panics
///
/// If nothing wakes it in time.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    block_on_within(LIMIT, future)
}

pub(crate) fn block_on_within<T>(limit: Duration, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let unpark = Arc::new(Unpark { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(unpark.clone());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        let asleep = Instant::now();
        while !unpark.woken.swap(false, Ordering::SeqCst) {
            let left = limit.checked_sub(asleep.elapsed());
            thread::park_timeout(left.unwrap_or_else(|| panic!("nothing woke the future within {limit:?}")));
        }
    }
}

/// 1, 2, 3 and so on: the calls at which something is made to fail, until it does not come to so many.
///
/// # Panics
///
/// At a number that is beyond all reason.
pub(crate) fn calls() -> impl Iterator<Item = u64> {
    (1..).inspect(|call| assert!(*call < 5_000, "it does not end"))
}

/// One of this binary's tests, in a process of its own; killed when nobody looks at it any more.
pub(crate) struct Again {
    child: Child,
    lines: Receiver<String>,
}

impl Again {
    /// Starts the test of this path, which begins with the name of the binary, with what the environment is to hold.
    pub(crate) fn start(test: &str, prepare: impl FnOnce(&mut Command)) -> Self {
        let (_, test) = test.split_once("::").unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]).stdout(Stdio::piped());
        prepare(&mut command);
        let mut child = command.spawn().unwrap();
        let stdout = std::io::BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        thread::spawn(move || {
            // Until the process is gone, or nobody listens.
            for line in std::io::BufRead::lines(stdout).map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The next line that it writes, or nothing when it writes no more.
    pub(crate) fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(LIMIT) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the process wrote nothing within {LIMIT:?}"),
        }
    }

    /// Kills it, and gives what it wrote that nobody had read.
    pub(crate) fn killed(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::iter::from_fn(|| self.line()).take(10_000).collect()
    }

    /// Whether it ran the test, and the test passed.
    pub(crate) fn passed(mut self) -> bool {
        // A name that is none selects no test, which is no failure to the process.
        let ran = std::iter::from_fn(|| self.line()).take(10_000).filter(|line| line.contains("1 passed")).count() == 1;
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return ran && status.success();
            }
            assert!(start.elapsed() < LIMIT, "the process does not end within {LIMIT:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        // It is gone already, or it goes now.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
