//! The places that the app has for requests, and the queue before them: the mechanism of [`admission`](super::admission).
//!
//! A place that becomes free is handed to whoever waits first, in the order of importance and then of arrival, so that
//! nobody who comes later gets it. Whoever stops waiting, for whatever reason, leaves the queue, or gives back the place
//! that it was just handed: every change is made under one lock.
//!
//! Who leaves while the app works for the store may leave a request behind. Nobody waits for it, so it is not to be in the
//! way of those who do: a few of the places are all that such requests get.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use super::admission::{Admission, Limits, Waiting, admit};
use crate::metrics::{AdmissionMeters, Label, Priority, Shed};

/// Of so many places one may be a request's that was left behind.
const LEFT_BEHIND: usize = 8;

/// Who is with the app, and who waits.
pub struct Places {
    limits: Limits,
    state: Mutex<State>,
    meters: AdmissionMeters,
    /// For requests that were left behind.
    for_the_store: Arc<Semaphore>,
}

#[derive(Default)]
struct State {
    occupied: usize,
    queues: [VecDeque<Waiter>; Priority::ALL.len()],
    /// The number of the next who waits.
    next: u64,
}

struct Waiter {
    number: u64,
    call: oneshot::Sender<Call>,
}

/// What one who waits is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// There is a place, which is now its own.
    Come,
    /// Somebody more important waits in its stead.
    Leave,
}

/// A request that is with the app, until this is dropped.
#[must_use = "the place is free again when this is dropped"]
pub struct Place(Arc<Places>);

/// A place in the queue, until this is dropped.
struct Ticket {
    places: Arc<Places>,
    priority: Priority,
    number: u64,
    call: oneshot::Receiver<Call>,
    /// What was told is known.
    called: bool,
}

impl Places {
    pub fn new(limits: Limits, meters: AdmissionMeters) -> Self {
        let behind = (limits.requests / LEFT_BEHIND).clamp(1, Semaphore::MAX_PERMITS);
        let for_the_store = Arc::new(Semaphore::new(behind));
        Self { limits, state: Mutex::default(), meters, for_the_store }
    }

    /// Lets a request go on whose client has left, until this is dropped; None where too many do.
    pub fn leave_behind(&self) -> Option<OwnedSemaphorePermit> {
        self.for_the_store.clone().try_acquire_owned().ok()
    }

    /// Waits for a place, or is told that there will be none.
    pub async fn enter(self: &Arc<Self>, priority: Priority) -> Result<Place, Shed> {
        let entered = match self.ask(priority) {
            Ok(Asked::Place(place)) => return Ok(place),
            Ok(Asked::Ticket(mut ticket)) => match timeout(self.limits.wait, ticket.called()).await {
                Ok(Call::Come) => Ok(Place(self.clone())),
                Ok(Call::Leave) => Err(Shed::Displaced),
                Err(_) => Err(Shed::QueueTimeout),
            },
            Err(reason) => Err(reason),
        };
        if let Err(reason) = entered {
            self.meters.shed(priority, reason);
        }
        entered
    }

    /// A place, or one in the queue.
    fn ask(self: &Arc<Self>, priority: Priority) -> Result<Asked, Shed> {
        let mut state = self.state.lock();
        match admit(state.occupied, &state.waiting(), &self.limits, priority) {
            Admission::Go => {
                state.occupied += 1;
                self.show(&state);
                return Ok(Asked::Place(Place(self.clone())));
            }
            Admission::Wait => {}
            Admission::WaitInsteadOf(other) => {
                if let Some(last) = state.queues[other.index()].pop_back() {
                    let _left_already = last.call.send(Call::Leave);
                }
            }
            Admission::Shed => return Err(Shed::QueueFull),
        }
        let (call, called) = oneshot::channel();
        let number = state.next;
        state.next += 1;
        state.queues[priority.index()].push_back(Waiter { number, call });
        self.show(&state);
        Ok(Asked::Ticket(Ticket { places: self.clone(), priority, number, call: called, called: false }))
    }

    /// A place is free: whoever is next has it now.
    fn hand_on(&self) {
        let mut state = self.state.lock();
        let mut waiters = std::iter::from_fn(|| state.queues.iter_mut().find_map(VecDeque::pop_front));
        let handed = waiters.any(|next| next.call.send(Call::Come).is_ok());
        if !handed {
            state.occupied -= 1;
        }
        self.show(&state);
    }

    fn show(&self, state: &State) {
        self.meters.show(state.occupied, state.waiting().iter().sum());
    }
}

enum Asked {
    Place(Place),
    Ticket(Ticket),
}

impl State {
    fn waiting(&self) -> Waiting {
        self.queues.each_ref().map(VecDeque::len)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.hand_on();
    }
}

impl Ticket {
    async fn called(&mut self) -> Call {
        // Nobody leaves the queue without having been told something.
        let call = (&mut self.call).await.unwrap_or(Call::Leave);
        self.called = true;
        call
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.called {
            return;
        }
        let mut state = self.places.state.lock();
        state.queues[self.priority.index()].retain(|waiter| waiter.number != self.number);
        self.places.show(&state);
        // Handed over a moment ago, to one who does not wait any more.
        let missed = self.call.try_recv() == Ok(Call::Come);
        drop(state);
        if missed {
            self.places.hand_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn places(requests: usize, queued: usize, wait: Duration) -> Arc<Places> {
        Arc::new(Places::new(Limits { requests, queued, wait }, AdmissionMeters::unregistered()))
    }

    const LONG: Duration = Duration::from_secs(600);

    async fn until_waiting(places: &Arc<Places>, count: usize) {
        while places.state.lock().waiting().iter().sum::<usize>() < count {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn the_most_important_goes_first_and_then_who_came_first() {
        let places = places(1, 9, LONG);
        let held = places.enter(Priority::Normal).await.expect("a place");
        let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
        let arriving = [Priority::Low, Priority::Normal, Priority::Normal, Priority::Critical, Priority::High];
        for (number, priority) in arriving.into_iter().enumerate() {
            let (own, told) = (places.clone(), told.clone());
            tokio::spawn(async move {
                let place = own.enter(priority).await.expect("a place");
                told.send(number).expect("somebody listens");
                drop(place);
            });
            until_waiting(&places, number + 1).await;
        }
        drop((held, told));
        let mut gone = Vec::new();
        while let Some(number) = order.recv().await {
            gone.push(number);
        }
        assert_eq!(gone, [3, 4, 1, 2, 0]);
        assert_eq!(places.state.lock().occupied, 0);
    }

    #[tokio::test]
    async fn a_full_queue_sheds_the_least_important() {
        let places = places(1, 1, LONG);
        let held = places.enter(Priority::Low).await.expect("a place");
        let own = places.clone();
        let low = tokio::spawn(async move { own.enter(Priority::Low).await.err() });
        until_waiting(&places, 1).await;
        assert_eq!(places.enter(Priority::Low).await.err(), Some(Shed::QueueFull));
        let own = places.clone();
        let high = tokio::spawn(async move { own.enter(Priority::High).await.map(drop) });
        assert_eq!(low.await.expect("no panic"), Some(Shed::Displaced));
        drop(held);
        assert_eq!(high.await.expect("no panic"), Ok(()));
    }

    #[tokio::test]
    async fn nobody_waits_for_ever_and_no_place_is_lost() {
        let places = places(1, 1, Duration::from_millis(5));
        let held = places.enter(Priority::Normal).await.expect("a place");
        assert_eq!(places.enter(Priority::Normal).await.err(), Some(Shed::QueueTimeout));
        assert_eq!(places.state.lock().waiting(), [0; 4]);
        drop(held);
        assert!(places.enter(Priority::Normal).await.is_ok());
    }

    /// The client's task ends between the call and its hearing it.
    #[tokio::test]
    async fn a_place_that_was_handed_to_nobody_goes_on() {
        let places = places(1, 2, LONG);
        let held = places.enter(Priority::Normal).await.expect("a place");
        let Ok(Asked::Ticket(first)) = places.ask(Priority::Normal) else { panic!("a ticket") };
        let Ok(Asked::Ticket(mut second)) = places.ask(Priority::Normal) else { panic!("a ticket") };
        drop(held);
        drop(first);
        assert_eq!(second.called().await, Call::Come);
        assert_eq!(places.state.lock().occupied, 1);
    }
}
