//! How much is spent on a body that is to be encoded: what was planned, as far as CPU and memory allow.

use super::Proxy;
use super::request::Request;
use crate::encode::{self, Admission, FlushRule, Live, Reservation, Rung, USUAL_RATIO};
use crate::header::Coding;
use crate::metrics::Downgrade;
use crate::negotiate::{self, BodyPlan, Breach, Offer, RequestFacts, ResponseFacts, SkipReason};

/// The length that an encoder of events is planned for: they are small, alike, and sent for hours, and need no long memory.
const EVENTS: u64 = 16 << 10;

impl Proxy {
    /// The plan as it can be carried out, and the room for its decoder.
    ///
    /// Where there is none the body goes as the app coded it, as without us - but not where that would be what the guard
    /// against BREACH is there to prevent: memory that somebody filled must not switch it off.
    pub(super) fn admit_decoder(
        &self,
        request: &Request,
        plan: BodyPlan,
        response: &ResponseFacts,
    ) -> (BodyPlan, Option<Reservation>) {
        let Some(source) = plan.source() else {
            return (plan, None);
        };
        let handed_out = match plan {
            BodyPlan::Verify(_) => 0,
            _ => response.length.unwrap_or(u64::MAX).saturating_mul(USUAL_RATIO).min(encode::PIECE),
        };
        let bytes = encode::decoder_heap(source, response.length) + handed_out;
        let encoders = &self.parts.encoders;
        match encoders.admit_decoder(bytes) {
            Some(reservation) => (plan, Some(reservation)),
            None if negotiate::guard(&request.facts, response, &request.route.offer) != Breach::Off => {
                (plan, Some(encoders.overdraw(bytes)))
            }
            None => (plan.without_decoder(SkipReason::OverBudget), None),
        }
    }

    /// The plan as it can be carried out, and an encoder with the room for it.
    ///
    /// Where there is none the body goes as it is, whatever the client said of `identity` (RFC 9110, section 12.5.3, lets
    /// us): a response in a coding that nobody has memory for is no response.
    pub(super) fn admit_encoder(
        &self,
        request: &Request,
        plan: BodyPlan,
        response: &ResponseFacts,
        flush: FlushRule,
    ) -> (BodyPlan, Option<Admission>) {
        let Some(coding) = plan.target() else {
            return (plan, None);
        };
        let length = match flush {
            FlushRule::EveryChunk => Some(EVENTS),
            // The length of coded bytes says nothing of the identity.
            _ => response.length.filter(|_| plan.source().is_none()),
        };
        let allowed = allowed(&request.facts, &request.route.offer);
        let (coding, live) = match request.route.live {
            Live::Auto => {
                let step = self.parts.pressure.step();
                (step.coding(coding, &allowed), step.live())
            }
            fixed @ Live::Fixed(_) => (coding, fixed),
        };
        let setup = encode::setup(coding, live, length);
        let admission = self.parts.encoders.admit(&setup, &allowed);
        if let Some(what) = given_up(admission.as_ref()) {
            self.parts.metrics.compression.downgraded(what);
        }
        match admission {
            Some(admission) => (plan, Some(admission)),
            None => (plan.without_encoder(SkipReason::OverBudget), None),
        }
    }
}

/// What the route offers and the client accepts, no less gladly than the body as it is.
fn allowed(request: &RequestFacts, offer: &Offer) -> Vec<Coding> {
    let least = request.accept.quality(Coding::Identity);
    let accepts = |coding: &Coding| {
        let quality = request.accept.quality(*coding);
        !quality.is_zero() && quality >= least
    };
    offer.codings.iter().copied().filter(accepts).collect()
}

fn given_up(admission: Option<&Admission>) -> Option<Downgrade> {
    match admission.map(|admission| admission.rung) {
        Some(Rung::Full) => None,
        Some(Rung::Window) => Some(Downgrade::Window),
        Some(Rung::Level) => Some(Downgrade::Level),
        Some(Rung::Coding) => Some(Downgrade::Coding),
        Some(Rung::Fragment) => Some(Downgrade::Fragment),
        None => Some(Downgrade::Identity),
    }
}
