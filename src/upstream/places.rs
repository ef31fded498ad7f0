//! The places that the app has for requests, and the queue before them: the mechanism of [`admission`](super::admission).
//!
//! A place that becomes free is handed to whoever is next in [`line`](super::line), so that nobody who comes later gets it.
//! Whoever stops waiting, for whatever reason, leaves the queue, or gives back the place that it was just handed: every
//! change is made under one lock. Places are also given no faster than the app can be expected to accept the connections
//! that it may take: [`openings`](super::openings).
//!
//! Who leaves while the app works for the store may leave a request behind. Nobody waits for it, so it is not to be in the
//! way of those who do: a few of the places are all that such requests get.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{sleep_until, timeout};

use super::admission::Limits;
use super::line::{Joined, Line, Party, Rank};
use super::openings::{Opening, Openings};
use crate::metrics::{AdmissionMeters, Priority, Shed};

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

struct State {
    occupied: usize,
    openings: Openings,
    line: Line<oneshot::Sender<Call>>,
    /// Somebody looks at the clock for those who wait.
    paced: bool,
}

/// What one who waits is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// There is a place, which is now its own.
    Come(Opening),
    /// Somebody waits in its stead who is more important, or has fewer in line.
    Leave,
}

/// A request that is with the app, until this is dropped.
#[must_use = "the place is free again when this is dropped"]
pub struct Place {
    places: Arc<Places>,
    /// The app may have to accept a connection for it.
    opening: Option<Opening>,
}

/// A place in the queue, until this is dropped.
struct Ticket {
    places: Arc<Places>,
    priority: Priority,
    rank: Rank,
    call: oneshot::Receiver<Call>,
    /// What was told is known.
    called: bool,
}

impl Places {
    pub fn new(limits: Limits, meters: AdmissionMeters) -> Self {
        let behind = (limits.requests / LEFT_BEHIND).clamp(1, Semaphore::MAX_PERMITS);
        let for_the_store = Arc::new(Semaphore::new(behind));
        let openings = Openings::before(limits.requests);
        let state = Mutex::new(State { occupied: 0, openings, line: Line::default(), paced: false });
        Self { limits, state, meters, for_the_store }
    }

    /// Lets a request go on whose client has left, until this is dropped; None where too many do.
    pub fn leave_behind(&self) -> Option<OwnedSemaphorePermit> {
        self.for_the_store.clone().try_acquire_owned().ok()
    }

    /// Waits for a place, or is told that there will be none. `party`: whose turn it takes.
    pub async fn enter(self: &Arc<Self>, priority: Priority, party: Option<&Party>) -> Result<Place, Shed> {
        let entered = match self.ask(priority, party) {
            Ok(Asked::Place(place)) => return Ok(place),
            Ok(Asked::Ticket(mut ticket)) => match timeout(self.limits.wait, ticket.called()).await {
                Ok(Call::Come(opening)) => Ok(self.place(opening)),
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
    fn ask(self: &Arc<Self>, priority: Priority, party: Option<&Party>) -> Result<Asked, Shed> {
        let mut state = self.state.lock();
        if state.line.is_empty()
            && let Some(opening) = state.take(&self.limits)
        {
            self.show(&state);
            return Ok(Asked::Place(self.place(opening)));
        }
        let (call, called) = oneshot::channel();
        // Whoever waits although there is a place for it is in nobody's way.
        let most = self.limits.queued.saturating_add(self.limits.requests.saturating_sub(state.occupied));
        let rank = match state.line.join(most, priority, party, call) {
            Joined::Full => return Err(Shed::QueueFull),
            Joined::Waits(rank) => rank,
            Joined::WaitsInsteadOf(last, rank) => {
                let _left_already = last.send(Call::Leave);
                rank
            }
        };
        self.pace(&mut state);
        self.show(&state);
        Ok(Asked::Ticket(Ticket { places: self.clone(), priority, rank, call: called, called: false }))
    }

    fn place(self: &Arc<Self>, opening: Opening) -> Place {
        Place { places: self.clone(), opening: Some(opening) }
    }

    /// Gives what places there are to whoever is next.
    fn serve(self: &Arc<Self>, state: &mut State) {
        while !state.line.is_empty()
            && let Some(opening) = state.take(&self.limits)
        {
            let mut waiters = std::iter::from_fn(|| state.line.next());
            if !waiters.any(|next| next.send(Call::Come(opening)).is_ok()) {
                state.give_back(Some(opening));
            }
        }
        self.pace(state);
        self.show(state);
    }

    /// Looks at the clock for those who wait although there are places.
    fn pace(self: &Arc<Self>, state: &mut State) {
        if state.paced || state.line.is_empty() || state.occupied >= self.limits.requests {
            return;
        }
        if let (Some(end), Ok(runtime)) = (state.openings.next_end(), Handle::try_current()) {
            state.paced = true;
            runtime.spawn(self.clone().serve_at(end));
        }
    }

    async fn serve_at(self: Arc<Self>, then: Instant) {
        sleep_until(then.into()).await;
        let mut state = self.state.lock();
        state.paced = false;
        self.serve(&mut state);
    }

    fn show(&self, state: &State) {
        self.meters.show(state.occupied, state.line.waiting().iter().sum());
    }
}

enum Asked {
    Place(Place),
    Ticket(Ticket),
}

impl State {
    /// A place, if the app may have one more request now.
    fn take(&mut self, limits: &Limits) -> Option<Opening> {
        if self.occupied >= limits.requests {
            return None;
        }
        let opening = self.openings.begin(Instant::now())?;
        self.occupied += 1;
        Some(opening)
    }

    /// `unused`: the app was not asked to accept anything.
    fn give_back(&mut self, unused: Option<Opening>) {
        self.occupied -= 1;
        if let Some(opening) = unused {
            self.openings.end(opening);
        }
    }
}

impl Place {
    /// The app has it, on a connection that it has accepted.
    pub fn has_met_the_app(&mut self) {
        if let Some(opening) = self.opening.take() {
            let mut state = self.places.state.lock();
            if state.openings.end(opening) && !state.line.is_empty() {
                self.places.serve(&mut state);
            }
        }
    }
}

/// What the app has not met by now has left a connection that is to be accepted all the same: that has its time.
impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.places.state.lock();
        state.give_back(None);
        self.places.serve(&mut state);
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
        state.line.leave(self.priority, self.rank);
        self.places.show(&state);
        // Handed over a moment ago, to one who does not wait any more.
        if let Ok(Call::Come(opening)) = self.call.try_recv() {
            state.give_back(Some(opening));
            self.places.serve(&mut state);
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
        while places.state.lock().line.waiting().iter().sum::<usize>() < count {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn the_most_important_goes_first_and_then_who_came_first() {
        let places = places(1, 9, LONG);
        let held = places.enter(Priority::Normal, None).await.expect("a place");
        let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
        let arriving = [Priority::Low, Priority::Normal, Priority::Normal, Priority::Critical, Priority::High];
        for (number, priority) in arriving.into_iter().enumerate() {
            let (own, told) = (places.clone(), told.clone());
            tokio::spawn(async move {
                let place = own.enter(priority, None).await.expect("a place");
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
        let held = places.enter(Priority::Low, None).await.expect("a place");
        let own = places.clone();
        let low = tokio::spawn(async move { own.enter(Priority::Low, None).await.err() });
        until_waiting(&places, 1).await;
        assert_eq!(places.enter(Priority::Low, None).await.err(), Some(Shed::QueueFull));
        let own = places.clone();
        let high = tokio::spawn(async move { own.enter(Priority::High, None).await.map(drop) });
        assert_eq!(low.await.expect("no panic"), Some(Shed::Displaced));
        drop(held);
        assert_eq!(high.await.expect("no panic"), Ok(()));
    }

    #[tokio::test]
    async fn nobody_waits_for_ever_and_no_place_is_lost() {
        let places = places(1, 1, Duration::from_millis(5));
        let held = places.enter(Priority::Normal, None).await.expect("a place");
        assert_eq!(places.enter(Priority::Normal, None).await.err(), Some(Shed::QueueTimeout));
        assert_eq!(places.state.lock().line.waiting(), [0; 4]);
        drop(held);
        assert!(places.enter(Priority::Normal, None).await.is_ok());
    }

    /// The client's task ends between the call and its hearing it.
    #[tokio::test]
    async fn a_place_that_was_handed_to_nobody_goes_on() {
        let places = places(1, 2, LONG);
        let held = places.enter(Priority::Normal, None).await.expect("a place");
        let Ok(Asked::Ticket(first)) = places.ask(Priority::Normal, None) else { panic!("a ticket") };
        let Ok(Asked::Ticket(mut second)) = places.ask(Priority::Normal, None) else { panic!("a ticket") };
        drop(held);
        drop(first);
        assert!(matches!(second.called().await, Call::Come(_)));
        assert_eq!(places.state.lock().occupied, 1);
    }

    #[tokio::test]
    async fn who_waits_for_the_clock_alone_needs_no_room_in_the_queue() {
        let places = places(100, 0, LONG);
        let all: Vec<_> = (0..100).map_while(|_| places.ask(Priority::Normal, None).ok()).collect();
        assert_eq!(all.len(), 100);
        assert_eq!(places.ask(Priority::Normal, None).err(), Some(Shed::QueueFull));
    }

    /// Whatever waits for the clock alone goes on by it.
    #[tokio::test]
    async fn a_crowd_gets_its_places_one_lot_after_the_other() {
        let places = places(100, 100, LONG);
        let mut first = Vec::new();
        while let Ok(Asked::Place(place)) = places.ask(Priority::Normal, None) {
            first.push(place);
        }
        assert!(first.len() < 100, "{}", first.len());
        let Ok(Asked::Ticket(mut next)) = places.ask(Priority::Normal, None) else { panic!("a ticket") };
        first[0].has_met_the_app();
        assert!(matches!(next.called().await, Call::Come(_)), "in its stead");
        drop(first.split_off(1));
        assert!(
            places.enter(Priority::Normal, None).await.is_ok(),
            "not at once, as what is gone was to be accepted, too"
        );
        assert!(places.enter(Priority::Normal, None).await.is_ok());
    }
}
