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
    /// What there was no room for, in its turn: what is light does not overtake what is heavy for ever.
    outside: VecDeque<Outside<T>>,
    closed: bool,
}

struct Outside<T> {
    item: T,
    weight: usize,
    /// Dropped by who no longer waits; told when the item is let in.
    sender: oneshot::Sender<()>,
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
        let state = State { waiting: VecDeque::new(), weight: 0, outside: VecDeque::new(), closed: false };
        Self { state: Mutex::new(state), arrived: Condvar::new(), most }
    }

    // Nothing in here panics while it holds the lock.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends it when there is room. Dropped before, this has sent nothing.
    pub(super) async fn send(&self, item: T, weight: usize) -> Result<(), StoreError> {
        let let_in = {
            let mut state = self.state();
            if state.closed {
                return Err(gone());
            }
            state.outside.retain(|outside| !outside.sender.is_canceled());
            if state.outside.is_empty() && state.has_room(weight, self.most) {
                state.let_in(item, weight);
                self.arrived.notify_one();
                return Ok(());
            }
            let (sender, let_in) = oneshot::channel();
            state.outside.push_back(Outside { item, weight, sender });
            let_in
        };
        let_in.await.map_err(|_| gone())
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
        match self.take(&mut state) {
            Some(item) => Received::Item(item),
            None if state.closed => Received::Closed,
            None => Received::Idle,
        }
    }

    /// The next one, if it is there and right.
    pub(super) fn next_if(&self, right: impl FnOnce(&T) -> bool) -> Option<T> {
        let mut state = self.state();
        state.waiting.front().is_some_and(|(item, _)| right(item)).then(|| self.take(&mut state)).flatten()
    }

    /// The next one; lets in what there is room for now.
    fn take(&self, state: &mut State<T>) -> Option<T> {
        let (item, weight) = state.waiting.pop_front()?;
        state.weight = state.weight.saturating_sub(weight);
        while let Some(next) = state.outside.front() {
            if !(next.sender.is_canceled() || state.has_room(next.weight, self.most)) {
                break;
            }
            let Some(Outside { item, weight, sender }) = state.outside.pop_front() else { break };
            if sender.send(()).is_ok() {
                state.let_in(item, weight);
                self.arrived.notify_one();
            }
        }
        Some(item)
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
    fn has_room(&self, weight: usize, most: usize) -> bool {
        self.waiting.is_empty() || self.weight.saturating_add(weight) <= most
    }

    fn let_in(&mut self, item: T, weight: usize) {
        self.weight = self.weight.saturating_add(weight);
        self.waiting.push_back((item, weight));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
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
    fn what_is_heavy_is_not_overtaken_for_ever_by_what_is_light() {
        let queue = Queue::new(10);
        let mut context = Context::from_waker(Waker::noop());
        let mut poll = |sending: &mut std::pin::Pin<Box<dyn Future<Output = Result<(), StoreError>> + '_>>| {
            sending.as_mut().poll(&mut context)
        };
        let mut light: Vec<_> = (0..20).map(|_| Box::pin(queue.send("light", 3)) as _).collect();
        let mut heavy = Box::pin(queue.send("heavy", 9)) as _;
        for sending in &mut light[..3] {
            assert_eq!(poll(sending), Poll::Ready(Ok(())));
        }
        assert_eq!(poll(&mut heavy), Poll::Pending);
        // From now on there is always one who has something light to write.
        let mut before = 0;
        for sending in &mut light[3..] {
            assert_eq!(poll(sending), Poll::Pending);
            match queue.receive(None) {
                Received::Item("light") => before += 1,
                Received::Item("heavy") => break,
                _ => panic!("something is there"),
            }
        }
        assert_eq!(before, 3);
        assert_eq!(poll(&mut heavy), Poll::Ready(Ok(())));
    }

    #[test]
    fn what_is_heavier_than_the_bound_waits_alone() {
        let queue = Queue::new(10);
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(pin!(queue.send("a", 100)).poll(&mut context), Poll::Ready(Ok(())));
        assert_eq!(pin!(queue.send("b", 1)).poll(&mut context), Poll::Pending);
    }

    /// Callers who give up at any moment, and threads that take: nobody waits for ever, and nothing is lost or comes twice.
    #[test]
    fn of_many_who_send_and_give_up_everybody_is_answered_and_nothing_is_lost() {
        let (queue, sent, got) = (Queue::new(10), Mutex::new(BTreeSet::new()), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            let takers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        loop {
                            let mut all = match queue.receive(Some(Duration::from_secs(20))) {
                                Received::Item(item) => vec![item],
                                Received::Closed => return,
                                Received::Idle => panic!("somebody waits for ever"),
                            };
                            while let Some(next) = queue.next_if(|item: &usize| item.is_multiple_of(3)) {
                                all.push(next);
                            }
                            got.lock().unwrap().extend(all);
                        }
                    })
                })
                .collect();
            let senders: Vec<_> = (0..8)
                .map(|at| {
                    let (queue, sent) = (&queue, &sent);
                    scope.spawn(move || {
                        for n in 0..4000_usize {
                            let item = at * 4000 + n;
                            let weight = 1 + (item * 7919) % 12;
                            let mut sending = Box::pin(queue.send(item, weight));
                            let first = sending.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                            if first.is_pending() && n.is_multiple_of(5) {
                                if n.is_multiple_of(2) {
                                    std::thread::yield_now();
                                }
                                drop(sending);
                                continue;
                            }
                            if first.is_pending() {
                                pollster::block_on(sending).unwrap();
                            }
                            sent.lock().unwrap().insert(item);
                        }
                    })
                })
                .collect();
            senders.into_iter().for_each(|sender| sender.join().unwrap());
            queue.close();
            takers.into_iter().for_each(|taker| taker.join().unwrap());
        });
        let (sent, got) = (sent.into_inner().unwrap(), got.into_inner().unwrap());
        let received: BTreeSet<usize> = got.iter().copied().collect();
        assert_eq!(received.len(), got.len(), "nothing comes twice");
        assert!(sent.is_subset(&received));
        let state = queue.state();
        assert!(state.waiting.is_empty() && state.outside.is_empty() && state.weight == 0);
    }
}
