//! What the platform holds for a client's connection while that is served elsewhere, or may have to be.
//!
//! To the platform it is one more kind of connection. It asks little of it once a head is ready: to take what comes from
//! the app, and to say when the client is gone, or the app's time. The first writing decides who serves the client: a
//! response that is there as a whole goes to the connection directly, any other begins a task, if there is a fill to go on
//! with. The rest of the trait the connection itself answers; one that is with a task, as it would for a request that was
//! read to its end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use http::HeaderMap;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::Digest;
use pingora::protocols::http::custom::CustomMessageWrite;
use pingora::protocols::http::custom::server::Session as Connection;
use pingora::protocols::http::{HttpTask, ServerSession};
use pingora::protocols::l4::socket::SocketAddr;
use pingora::{Error, ErrorType, Result};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::{Admission, Home, Lane, Piece, Pieces, Purpose, admit, deliver};
use crate::cache::{FillOutcome, FillPlan, Memory, Share};
use crate::upstream::Watch;

pub struct StandIn {
    request: RequestHeader,
    digest: Option<Digest>,
    purpose: Purpose,
    /// What the app has for its answer, where the platform does not see to that.
    time: Option<Watch>,
    /// The client has left before there was a head, and the request goes on.
    left_behind: Option<OwnedSemaphorePermit>,
    memory: &'static Memory,
    lane: Arc<Lane>,
    way: Way,
    /// The head that went to the task.
    written: Option<ResponseHeader>,
    /// The task has all there is.
    ended: bool,
}

/// Where the client is.
enum Way {
    /// Here: nothing was written yet, or all of it at once.
    Direct(Box<ServerSession>, oneshot::Sender<Home>),
    /// With a task that writes what is sent to it.
    Task(mpsc::UnboundedSender<Piece>),
    /// Given back.
    Away,
}

impl StandIn {
    pub(super) fn new(
        client: Box<ServerSession>,
        give_back: oneshot::Sender<Home>,
        (purpose, time): (Purpose, Option<Watch>),
        memory: &'static Memory,
    ) -> Self {
        Self {
            request: client.req_header().clone(),
            digest: client.digest().cloned(),
            purpose,
            time,
            left_behind: None,
            memory,
            lane: Arc::default(),
            way: Way::Direct(client, give_back),
            written: None,
            ended: false,
        }
    }

    /// Hands the client over to a task.
    fn part(&mut self) {
        let (sender, queue) = mpsc::unbounded_channel();
        if let Way::Direct(client, give_back) = std::mem::replace(&mut self.way, Way::Task(sender)) {
            let pieces = Pieces { queue, lane: self.lane.clone() };
            tokio::spawn(deliver(client, pieces, give_back));
        }
    }

    /// Leaves something to be written.
    async fn leave(&mut self, task: HttpTask) -> Result<()> {
        let bytes = match &task {
            HttpTask::Header(head, _) => {
                self.written = Some((**head).clone());
                0
            }
            HttpTask::Body(piece, _) | HttpTask::UpgradedBody(piece, _) => piece.as_ref().map_or(0, Bytes::len),
            HttpTask::Trailer(_) | HttpTask::Done | HttpTask::Failed(_) => 0,
        };
        self.ended |= task.is_end();
        let share = self.room(bytes).await;
        let Way::Task(queue) = &self.way else {
            return Ok(());
        };
        self.lane.waiting.fetch_add(bytes, Ordering::Relaxed);
        match queue.send(Piece { task, bytes, _share: share }) {
            // A part of what was to be stored: there is nobody left to read the rest for.
            Err(_) if self.is_given_up() && self.lane.served.load(Ordering::Relaxed) => {
                self.ended = true;
                Ok(())
            }
            Err(_) if self.is_given_up() => Err(gone()),
            // Nobody reads it, and the fill goes on.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Waits for room; what it takes of the budget, if it does.
    async fn room(&self, bytes: usize) -> Option<Share> {
        let Way::Task(queue) = &self.way else {
            return None;
        };
        while !queue.is_closed() {
            match admit(self.lane.waiting.load(Ordering::Relaxed), self.outcome()) {
                Admission::Take => break,
                Admission::TakeOnBudget => {
                    if let Some(share) = self.memory.share(bytes as u64) {
                        return Some(share);
                    }
                }
                Admission::Wait => {}
            }
            self.lane.moved.notified().await;
        }
        None
    }

    fn fill(&self) -> Option<&FillPlan> {
        match &self.purpose {
            Purpose::Time | Purpose::Head(_) => None,
            Purpose::Fill(fill) => Some(fill),
        }
    }

    fn outcome(&self) -> Option<&FillOutcome> {
        self.fill()?.outcome.get()
    }

    /// Pending until the client says something or is gone, and with it the last reason to read the app.
    async fn hear(&mut self, no_body_expected: bool) -> Result<Option<Bytes>> {
        match &mut self.way {
            Way::Direct(client, _) => {
                let said = client.read_body_or_idle(no_body_expected).await;
                let Purpose::Head(places) = &self.purpose else {
                    return said;
                };
                if said.is_ok() {
                    return said;
                }
                if self.left_behind.is_none() {
                    self.left_behind = Some(places.leave_behind().ok_or_else(gone)?);
                }
            }
            Way::Task(queue) => {
                queue.closed().await;
                if self.lane.served.load(Ordering::Relaxed) {
                    return std::future::pending().await;
                }
            }
            Way::Away => {}
        }
        match self.is_given_up() {
            true => Err(gone()),
            // If the fill is given up later, the next writing tells it.
            false => std::future::pending().await,
        }
    }

    /// The client is all there is to read the app for.
    fn is_given_up(&self) -> bool {
        self.fill().is_some_and(FillPlan::is_given_up)
    }
}

/// What the platform is told when it need not go on.
fn gone() -> Box<Error> {
    Error::explain(ErrorType::ConnectionClosed, "the client left before the end of its response").into_down()
}

/// What the platform is told when the app's time is up; whoever set the time says better what that means.
fn late() -> Box<Error> {
    Error::explain(ErrorType::ReadTimedout, "the app's time is up").into_down()
}

#[async_trait]
impl Connection for StandIn {
    async fn response_duplex_vec(&mut self, tasks: Vec<HttpTask>) -> Result<bool> {
        if let Way::Direct(client, _) = &mut self.way {
            if matches!(self.purpose, Purpose::Time) || tasks.iter().any(HttpTask::is_end) {
                return client.response_duplex_vec(tasks).await;
            }
            self.part();
        }
        for task in tasks {
            match task {
                HttpTask::Failed(error) => return Err(error),
                task => self.leave(task).await?,
            }
        }
        Ok(self.ended)
    }

    async fn write_response_header(&mut self, head: Box<ResponseHeader>, end: bool) -> Result<()> {
        match &mut self.way {
            Way::Direct(client, _) => client.write_response_header(head).await,
            _ => self.leave(HttpTask::Header(head, end)).await,
        }
    }

    async fn write_response_header_ref(&mut self, head: &ResponseHeader, end: bool) -> Result<()> {
        self.write_response_header(Box::new(head.clone()), end).await
    }

    async fn write_body(&mut self, piece: Bytes, end: bool) -> Result<()> {
        match &mut self.way {
            Way::Direct(client, _) => client.write_response_body(piece, end).await,
            _ => self.leave(HttpTask::Body(Some(piece), end)).await,
        }
    }

    async fn write_trailers(&mut self, trailers: HeaderMap) -> Result<()> {
        match &mut self.way {
            Way::Direct(client, _) => client.write_response_trailers(trailers).await,
            _ => self.leave(HttpTask::Trailer(Some(Box::new(trailers)))).await,
        }
    }

    async fn finish(&mut self) -> Result<()> {
        match &mut self.way {
            Way::Direct(client, _) => client.finish_body().await,
            Way::Task(_) if !self.ended => self.leave(HttpTask::Done).await,
            Way::Task(_) | Way::Away => Ok(()),
        }
    }

    /// No more will be written: gives the client back, at once or when the task is through.
    async fn abandon(&mut self, _reason: &str) {
        if let Way::Direct(client, give_back) = std::mem::replace(&mut self.way, Way::Away) {
            // The request has ended without waiting: only a panic does that.
            let _ = give_back.send(Home::Returned(client));
        }
    }

    async fn shutdown(&mut self, _code: u32, reason: &str) {
        self.abandon(reason).await;
    }

    async fn read_body_or_idle(&mut self, no_body_expected: bool) -> Result<Option<Bytes>> {
        let Some(mut time) = self.time.clone() else {
            return self.hear(no_body_expected).await;
        };
        tokio::select! {
            biased;
            said = self.hear(no_body_expected) => said,
            () = time.over() => Err(late()),
        }
    }

    fn req_header(&self) -> &RequestHeader {
        &self.request
    }

    fn req_header_mut(&mut self) -> &mut RequestHeader {
        &mut self.request
    }

    fn request_summary(&self) -> String {
        format!("{} {}", self.request.method, self.request.uri)
    }

    fn response_written(&self) -> Option<&ResponseHeader> {
        match &self.way {
            Way::Direct(client, _) => client.response_written(),
            Way::Task(_) | Way::Away => self.written.as_ref(),
        }
    }

    fn body_bytes_sent(&self) -> usize {
        match &self.way {
            Way::Direct(client, _) => client.body_bytes_sent(),
            Way::Task(_) | Way::Away => self.lane.sent.load(Ordering::Relaxed),
        }
    }

    fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    fn digest_mut(&mut self) -> Option<&mut Digest> {
        self.digest.as_mut()
    }

    fn client_addr(&self) -> Option<&SocketAddr> {
        self.digest.as_ref()?.socket_digest.as_ref()?.peer_addr()
    }

    fn server_addr(&self) -> Option<&SocketAddr> {
        self.digest.as_ref()?.socket_digest.as_ref()?.local_addr()
    }

    // The content of a request whose client is elsewhere was read, all of it.

    async fn read_body_bytes(&mut self) -> Result<Option<Bytes>> {
        match &mut self.way {
            Way::Direct(client, _) => client.read_request_body().await,
            Way::Task(_) | Way::Away => Ok(None),
        }
    }

    async fn drain_request_body(&mut self) -> Result<()> {
        match &mut self.way {
            Way::Direct(client, _) => client.drain_request_body().await,
            Way::Task(_) | Way::Away => Ok(()),
        }
    }

    fn is_body_done(&mut self) -> bool {
        match &mut self.way {
            Way::Direct(client, _) => client.is_body_done(),
            Way::Task(_) | Way::Away => true,
        }
    }

    fn is_body_empty(&mut self) -> bool {
        match &mut self.way {
            Way::Direct(client, _) => client.is_body_empty(),
            Way::Task(_) | Way::Away => true,
        }
    }

    fn body_bytes_read(&self) -> usize {
        match &self.way {
            Way::Direct(client, _) => client.body_bytes_read(),
            Way::Task(_) | Way::Away => 0,
        }
    }

    fn enable_retry_buffering(&mut self) {
        if let Way::Direct(client, _) = &mut self.way {
            client.enable_retry_buffering();
        }
    }

    fn retry_buffer_truncated(&self) -> bool {
        matches!(&self.way, Way::Direct(client, _) if client.retry_buffer_truncated())
    }

    fn get_retry_buffer(&self) -> Option<Bytes> {
        match &self.way {
            Way::Direct(client, _) => client.get_retry_buffer(),
            Way::Task(_) | Way::Away => None,
        }
    }

    fn pseudo_raw_h1_request_header(&self) -> Bytes {
        Bytes::new()
    }

    // The connection has its timers already.

    fn set_read_timeout(&mut self, _timeout: Option<Duration>) {}

    fn get_read_timeout(&self) -> Option<Duration> {
        None
    }

    fn set_write_timeout(&mut self, _timeout: Option<Duration>) {}

    fn get_write_timeout(&self) -> Option<Duration> {
        None
    }

    fn set_total_drain_timeout(&mut self, _timeout: Option<Duration>) {}

    fn get_total_drain_timeout(&self) -> Option<Duration> {
        None
    }

    // HTTP has no messages beside the response.

    async fn finish_custom(&mut self) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_reader(
        &mut self,
    ) -> Option<Box<dyn Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>> {
        None
    }

    fn restore_custom_message_reader(
        &mut self,
        _reader: Box<dyn Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>,
    ) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_writer(&mut self) -> Option<Box<dyn CustomMessageWrite>> {
        None
    }

    fn restore_custom_message_writer(&mut self, _writer: Box<dyn CustomMessageWrite>) -> Result<()> {
        Ok(())
    }
}
