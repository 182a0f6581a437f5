//! The ways in which tests wait for each other end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::support::waiting::{Meeting, block_on, block_on_within};

const SHORT: Duration = Duration::from_millis(20);

fn told<T>(wait: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(wait)).err().expect("it waited in vain");
    panic.downcast_ref::<String>().unwrap().clone()
}

#[test]
fn whoever_is_alone_at_a_meeting_says_which_one_and_goes() {
    let meeting = Meeting::within(SHORT, "the other has written");
    assert_eq!(told(|| meeting.meet()), "nobody else came within 20ms: the other has written");
    // Who comes after he gave up, or after he died, is not left waiting either.
    meeting.meet();
    assert!(told(|| meeting.meet()).contains("the other has written"));
}

#[test]
fn two_meet_as_often_as_they_like() {
    let meeting = Meeting::new("a round");
    let rounds = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..1000 {
                meeting.meet();
                rounds.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                meeting.meet();
            }
        });
        for round in 1..=1000 {
            meeting.meet();
            meeting.meet();
            assert_eq!(rounds.load(std::sync::atomic::Ordering::SeqCst), round);
        }
    });
}

#[test]
fn a_future_that_nothing_wakes_is_given_up() {
    assert_eq!(told(|| block_on_within(SHORT, std::future::pending::<()>())), "nothing woke the future within 20ms");
    assert_eq!(block_on(async { 7 }), 7);
}
