//! A response on its way to the client whose request fills the cache, without that client being in the way.
//!
//! The platform reads the app, fills the cache and writes to the first client in one loop: a client that reads slowly
//! makes the fill slow, one that leaves takes it along, and everybody who waits for the same response waits in vain. So
//! where a fill was admitted, the connection is taken from under the platform as soon as the head is ready to go. What
//! the platform writes to from then on is a [`StandIn`](stand_in::StandIn), which takes everything at once; the
//! connection is served from a task of its own, one [`Piece`] after the other, by the platform's own methods, so that
//! framing, timers and errors are those of any other response. At the end the connection comes home, to be reused and
//! reported on.
//!
//! ```text
//!            platform's loop                                    task
//!   app --> fill --> StandIn --> pieces that wait (bounded) --> connection --> client
//! ```
//!
//! How much may wait for the client, see [`admit`]:
//! * little ([`LAG`]) at any time;
//! * while the fill is undecided, as much as the body has, which the fill's own limit bounds: accounted in the budget of
//!   all fills, and when that is used up the client is waited for;
//! * once the fill was refused nobody else is served by it: the app is read as fast as the client reads, as without a fill.
//!
//! A client that leaves takes nothing along while the fill is undecided. After a refusal the platform is told, and drops
//! the connection to the app. A client that leaves before there is a head is not missed either, if others may be waiting
//! for the same answer: until then nobody knows whether there will be a fill, so a stand-in that is patient is there from
//! the request on, and the connection is back in time for the head. There may be few such requests at a time
//! ([`Places::leave_behind`]): clients that only ask and leave would have all of the app otherwise. One too many ends with
//! its client, and who waits for the same asks anew.
//!
//! The platform's loop hears of the client's end through the same stand-in, and of nothing else that is not the app's. So
//! where the app has a time of its own for an answer, and it is no connection that ends with it, the stand-in is who tells
//! that the time is up, for requests of every kind.
//!
//! Nothing of this is worth a task for a response that is here as a whole when its head is written, as small ones are: its
//! fill has ended before the first byte is sent, and it is written to the connection directly. A client that asked for a
//! part has it before the fill has ended, and is done then. Not asked at all: `HEAD` and hits, which fill nothing; background refreshes, which have no client; requests
//! whose content still comes.

mod stand_in;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use http::StatusCode;
use pingora::protocols::http::{HttpTask, ServerSession};
use pingora::proxy::Session;
use pingora::{Error, ErrorType, Result};
use tokio::sync::{Notify, mpsc, oneshot};

use super::intake::content_length;
use crate::cache::{FillOutcome, FillPlan, Memory, Share};
use crate::upstream::{Places, Watch};
use stand_in::StandIn;

/// What may wait for a client whatever becomes of the fill: enough that the app and the client need not take turns.
const LAG: usize = 64 * 1024;

/// A connection that is lent out; kept until the request ends.
pub struct Delivery {
    home: oneshot::Receiver<Home>,
}

/// How a connection comes back.
enum Home {
    /// As the platform left it, or after the last piece.
    Returned(Box<ServerSession>),
    /// The client left, or did not read in time. The connection is closed.
    Lost { error: Box<Error>, at: Instant },
    /// The response broke off on our side.
    BrokeOff(Box<ServerSession>),
}

/// Why a response did not reach its client, and when that was clear.
pub struct Undelivered {
    pub error: Box<Error>,
    pub at: Instant,
}

/// Something to write to the client.
struct Piece {
    task: HttpTask,
    bytes: usize,
    /// Its part of the budget, until it is written.
    _share: Option<Share>,
}

/// What both ends see of each other.
#[derive(Default)]
struct Lane {
    /// Bytes of body taken and not yet written.
    waiting: AtomicUsize,
    /// Bytes of body written.
    sent: AtomicUsize,
    /// The client has all that is for it.
    served: AtomicBool,
    /// Less is waiting, or nobody is left to write it.
    moved: Notify,
}

/// What the connection is lent out for.
enum Purpose {
    /// To hear when the app's time is up; the client is written to as ever.
    Time,
    /// To wait for a head that others may be waiting for. A client that leaves leaves a request behind at the app.
    Head(Arc<Places>),
    /// To have what fills the cache.
    Fill(Arc<FillPlan>),
}

/// May another piece wait for the client?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    Take,
    /// If the budget of the fills has room for it.
    TakeOnBudget,
    /// Not before the client has read.
    Wait,
}

fn admit(waiting: usize, fill: Option<&FillOutcome>) -> Admission {
    match fill {
        _ if waiting < LAG => Admission::Take,
        None => Admission::TakeOnBudget,
        // The platform has the rest of the body in its hands: nothing more is read from the app.
        Some(FillOutcome::Stored { .. }) => Admission::Take,
        Some(FillOutcome::Refused(_)) => Admission::Wait,
    }
}

impl Delivery {
    /// Until the head is there: the client may leave.
    pub fn await_head(
        session: &mut Session,
        memory: &'static Memory,
        places: Arc<Places>,
        time: Option<Watch>,
    ) -> Self {
        Self::stand_in(session, Purpose::Head(places), time, memory)
    }

    /// From the head on: the client may be slow, or leave.
    pub fn begin(session: &mut Session, fill: Arc<FillPlan>, memory: &'static Memory, time: Option<Watch>) -> Self {
        Self::stand_in(session, Purpose::Fill(fill), time, memory)
    }

    /// Until the time is up.
    pub fn within(session: &mut Session, time: Watch, memory: &'static Memory) -> Self {
        Self::stand_in(session, Purpose::Time, Some(time), memory)
    }

    /// Takes the connection from under the platform.
    fn stand_in(session: &mut Session, purpose: Purpose, time: Option<Watch>, memory: &'static Memory) -> Self {
        let (give_back, home) = oneshot::channel();
        // The unit is the platform's own blank; nobody sees it.
        let blank = Box::new(ServerSession::new_custom(Box::new(())));
        let client = std::mem::replace(&mut session.downstream_session, blank);
        let stand_in = StandIn::new(client, give_back, (purpose, time), memory);
        *session.downstream_session = ServerSession::new_custom(Box::new(stand_in));
        Self { home }
    }

    /// Waits until the client has everything that there is for it, or is gone, and puts the connection back. A client that
    /// is gone leaves the stand-in behind, which knows what was sent; so does one whose response broke off, unless the
    /// platform knows of that, because it `failed`: it would end the response as if it were whole.
    pub async fn end(self, session: &mut Session, failed: bool) -> std::result::Result<(), Undelivered> {
        // What has not come to its end by now never will.
        session.downstream_session.shutdown().await;
        match self.home.await {
            Ok(Home::Returned(client)) => session.downstream_session = client,
            Ok(Home::Lost { error, at }) => return Err(Undelivered { error, at }),
            Ok(Home::BrokeOff(client)) if failed => session.downstream_session = client,
            Ok(Home::BrokeOff(_closed)) => {}
            Err(_) => {
                let error = Error::explain(ErrorType::InternalError, "the delivery of a response ended early");
                return Err(Undelivered { error, at: Instant::now() });
            }
        }
        Ok(())
    }
}

/// Writes to the client what comes, until the end of it.
async fn deliver(mut client: Box<ServerSession>, mut pieces: Pieces, give_back: oneshot::Sender<Home>) {
    let served = pieces.write_to(&mut client).await;
    // Before anybody hears of it: what comes now is not to be kept for a client that is gone.
    drop(pieces);
    let home = match served {
        Ok(End::Whole) => Home::Returned(client),
        Ok(End::BrokeOff) => Home::BrokeOff(client),
        Err(error) => Home::Lost { error, at: Instant::now() },
    };
    // The request has ended without waiting: only a panic does that.
    let _ = give_back.send(home);
}

/// How what is to be written ended.
enum End {
    Whole,
    BrokeOff,
}

/// The receiving end. Whichever way it goes, nobody goes on waiting for it.
struct Pieces {
    queue: mpsc::UnboundedReceiver<Piece>,
    lane: Arc<Lane>,
}

impl Pieces {
    async fn write_to(&mut self, client: &mut ServerSession) -> Result<End> {
        let mut left = None;
        loop {
            let piece = tokio::select! {
                biased;
                piece = self.queue.recv() => piece,
                // A client has nothing to say now: what comes is its end, and an error.
                left = client.read_body_or_idle(true) => {
                    left.map_err(|error| error.into_down())?;
                    continue;
                }
            };
            let Some(Piece { mut task, bytes, _share }) = piece else {
                return Ok(End::BrokeOff);
            };
            end_of_part(&mut task, &mut left);
            let end = task.is_end();
            if end {
                self.lane.served.store(true, Ordering::Relaxed);
            }
            let written = client.response_duplex_vec(vec![task]).await;
            self.lane.sent.store(client.body_bytes_sent(), Ordering::Relaxed);
            written.map_err(|error| error.into_down())?;
            self.lane.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.lane.moved.notify_one();
            if end {
                return Ok(End::Whole);
            }
        }
    }
}

/// What comes after a part that was asked for is for the store alone: the client's response ends with its last byte.
/// `left` is what of it has not come yet.
fn end_of_part(task: &mut HttpTask, left: &mut Option<u64>) {
    let end = match task {
        HttpTask::Header(head, end) => {
            let cut = matches!(head.status, StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE);
            *left = content_length(&head.headers).filter(|_| cut);
            end
        }
        HttpTask::Body(Some(piece), end) => {
            *left = left.map(|left| left.saturating_sub(piece.len() as u64));
            end
        }
        _ => return,
    };
    *end |= *left == Some(0);
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.queue.close();
        self.lane.moved.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Refusal;

    #[test]
    fn a_part_ends_with_its_last_byte() {
        let head = |status, length: u64| {
            let mut head = pingora::http::ResponseHeader::build(status, None).unwrap();
            head.insert_header("Content-Length", length).unwrap();
            HttpTask::Header(Box::new(head), false)
        };
        let body = |length| HttpTask::Body(Some(vec![0; length].into()), false);
        let ends = |tasks: Vec<HttpTask>| {
            let mut left = None;
            let end = |mut task| {
                end_of_part(&mut task, &mut left);
                task.is_end()
            };
            tasks.into_iter().map(end).collect::<Vec<_>>()
        };
        let part = vec![head(206, 10), HttpTask::Body(None, false), body(4), body(6)];
        assert_eq!(ends(part), [false, false, false, true]);
        assert_eq!(ends(vec![head(416, 0)]), [true]);
        assert_eq!(ends(vec![head(200, 10), body(10)]), [false, false], "the platform says so itself");
    }

    #[test]
    fn only_a_fill_lets_a_client_lag_behind() {
        let stored = FillOutcome::Stored { bytes: 1 };
        let refused = FillOutcome::Refused(Refusal::TooLarge);
        for (waiting, fill, admission) in [
            (0, None, Admission::Take),
            (LAG - 1, None, Admission::Take),
            (LAG, None, Admission::TakeOnBudget),
            (0, Some(&refused), Admission::Take),
            (LAG - 1, Some(&refused), Admission::Take),
            (LAG, Some(&refused), Admission::Wait),
            (usize::MAX, Some(&refused), Admission::Wait),
            (usize::MAX, Some(&stored), Admission::Take),
        ] {
            assert_eq!(admit(waiting, fill), admission, "{waiting} {fill:?}");
        }
    }
}
