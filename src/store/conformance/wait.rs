//! Waiting that ends.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::store::{BoxFuture, StoreError, StoreFailure};

/// How long a call may take.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(super) fn block_on(mut call: BoxFuture<'_, ()>) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    while call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        thread::park();
    }
}

/// A call that fails when it takes too long, whatever polls it.
pub(super) struct Bounded<'a, T> {
    call: BoxFuture<'a, Result<T, StoreError>>,
    until: Instant,
    // Only of a call that was not ready at once: most of what is asked of a store in memory needs no such thread.
    alarm: Option<Arc<Alarm>>,
}

/// Wakes whoever waits when the time is over, by a thread that ends with the call.
#[derive(Default)]
struct Alarm {
    waker: Mutex<Option<Waker>>,
    over: Condvar,
}

impl<'a, T> Bounded<'a, T> {
    pub(super) fn new(call: BoxFuture<'a, Result<T, StoreError>>, limit: Duration) -> Self {
        Self { call, until: Instant::now() + limit, alarm: None }
    }
}

impl<T> Future for Bounded<'_, T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(answer) = self.call.as_mut().poll(context) {
            return Poll::Ready(answer);
        }
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Poll::Ready(Err(no_answer()));
        }
        match &self.alarm {
            Some(alarm) => alarm.set(Some(context.waker().clone())),
            None => self.alarm = Some(Alarm::start(context.waker().clone(), left)),
        }
        Poll::Pending
    }
}

impl<T> Drop for Bounded<'_, T> {
    fn drop(&mut self) {
        if let Some(alarm) = &self.alarm {
            alarm.set(None);
        }
    }
}

impl Alarm {
    fn start(waker: Waker, limit: Duration) -> Arc<Self> {
        let alarm = Arc::new(Self { waker: Mutex::new(Some(waker)), over: Condvar::new() });
        let rings = alarm.clone();
        // Where there are no threads, nothing but the call itself wakes whoever waits.
        let _started = thread::Builder::new().spawn(move || {
            let waker = rings.waker.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = rings.over.wait_timeout_while(waker, limit, |waker| waker.is_some());
            if let Some(waker) = waited.unwrap_or_else(PoisonError::into_inner).0.take() {
                waker.wake();
            }
        });
        alarm
    }

    fn set(&self, waker: Option<Waker>) {
        let ended = waker.is_none();
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = waker;
        if ended {
            self.over.notify_all();
        }
    }
}

pub(super) fn no_answer() -> StoreError {
    StoreError::new(StoreFailure::Unavailable, "a call has no answer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_nothing_wakes_ends_with_an_error() {
        let mut answer = None;
        let never = Bounded::<()>::new(Box::pin(std::future::pending()), Duration::from_millis(20));
        block_on(Box::pin(async { answer = Some(never.await) }));
        assert_eq!(answer, Some(Err(no_answer())));
    }
}
