//! A queue from callers who wait without a thread to threads that wait: bounded, so that callers who are faster than the
//! disk wait with what they have.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_channel::oneshot;

use super::failure::gone;
use crate::store::StoreError;

pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
    /// Most of the weights that wait. One that is heavier waits alone.
    most: usize,
}

struct State<T> {
    waiting: VecDeque<(T, usize)>,
    weight: usize,
    /// They are woken when there is room.
    outside: Vec<oneshot::Sender<()>>,
    closed: bool,
}

/// What a thread has waited for.
pub(super) enum Received<T> {
    Item(T),
    /// Nothing came in time.
    Idle,
    /// Nothing is there, and nothing comes any more.
    Closed,
}

impl<T> Queue<T> {
    pub(super) fn new(most: usize) -> Self {
        let state = State { waiting: VecDeque::new(), weight: 0, outside: Vec::new(), closed: false };
        Self { state: Mutex::new(state), arrived: Condvar::new(), most }
    }

    // Nothing in here panics while it holds the lock.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends it when there is room. Dropped before, this has sent nothing.
    pub(super) async fn send(&self, item: T, weight: usize) -> Result<(), StoreError> {
        let mut item = Some(item);
        loop {
            let room = {
                let mut state = self.state();
                if state.closed {
                    return Err(gone());
                }
                if state.waiting.is_empty() || state.weight.saturating_add(weight) <= self.most {
                    state.weight = state.weight.saturating_add(weight);
                    state.waiting.extend(item.take().map(|item| (item, weight)));
                    self.arrived.notify_one();
                    return Ok(());
                }
                let (sender, room) = oneshot::channel();
                state.outside.retain(|sender| !sender.is_canceled());
                state.outside.push(sender);
                room
            };
            // Whether it was woken or the queue is gone, it looks again.
            let _woken = room.await;
        }
    }

    /// The next one; waits for it, without an end or for so long.
    pub(super) fn receive(&self, limit: Option<Duration>) -> Received<T> {
        let state = self.state();
        let empty = |state: &mut State<T>| state.waiting.is_empty() && !state.closed;
        let mut state = match limit {
            None => self.arrived.wait_while(state, empty).unwrap_or_else(PoisonError::into_inner),
            Some(limit) => {
                self.arrived.wait_timeout_while(state, limit, empty).unwrap_or_else(PoisonError::into_inner).0
            }
        };
        match state.take() {
            Some(item) => Received::Item(item),
            None if state.closed => Received::Closed,
            None => Received::Idle,
        }
    }

    /// The next one, if it is there and right.
    pub(super) fn next_if(&self, right: impl FnOnce(&T) -> bool) -> Option<T> {
        let mut state = self.state();
        state.waiting.front().is_some_and(|(item, _)| right(item)).then(|| state.take()).flatten()
    }

    /// What is sent is still received, and nothing more is.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.outside.clear();
        self.arrived.notify_all();
    }
}

impl<T> State<T> {
    fn take(&mut self) -> Option<T> {
        let (item, weight) = self.waiting.pop_front()?;
        self.weight = self.weight.saturating_sub(weight);
        // All of them: one that was woken alone might be gone before it looks.
        self.outside.drain(..).for_each(|sender| _ = sender.send(()));
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn what_waits_is_bounded_and_what_was_dropped_outside_is_never_received() {
        let queue = Queue::new(10);
        let mut context = Context::from_waker(Waker::noop());
        let mut send = |item, weight| {
            let mut sending = Box::pin(queue.send(item, weight));
            let sent = sending.as_mut().poll(&mut context);
            (sent, sending)
        };
        assert_eq!(send("a", 6).0, Poll::Ready(Ok(())));
        let (outside, b) = send("b", 6);
        assert_eq!(outside, Poll::Pending);
        let (outside, mut c) = send("c", 5);
        assert_eq!(outside, Poll::Pending);
        drop(b);
        assert!(matches!(queue.receive(None), Received::Item("a")));
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(c.as_mut().poll(&mut context), Poll::Ready(Ok(())));
        drop(c);
        assert_eq!(pin!(queue.send("d", 1)).poll(&mut context), Poll::Ready(Ok(())));
        queue.close();
        assert!(matches!(pin!(queue.send("e", 1)).poll(&mut context), Poll::Ready(Err(_))));
        assert!(matches!(queue.receive(None), Received::Item("c")));
        assert!(matches!(queue.receive(None), Received::Item("d")));
        assert!(matches!(queue.receive(None), Received::Closed));
    }

    #[test]
    fn what_is_heavier_than_the_bound_waits_alone() {
        let queue = Queue::new(10);
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(pin!(queue.send("a", 100)).poll(&mut context), Poll::Ready(Ok(())));
        assert_eq!(pin!(queue.send("b", 1)).poll(&mut context), Poll::Pending);
    }
}
