//! An answer that the app is supposed to give, judged as if it came.

use http::Method;
use http::header::CONTENT_ENCODING;
use pingora::http::ResponseHeader;

use super::entry::selected_by;
use super::{Asking, Supposed, went};
use crate::encode;
use crate::explain::{Answer, Body, Next, Outcome, on_lookup, on_not_stored, on_skip};
use crate::header::{Coding, Forward};
use crate::negotiate::BodyPlan;
use crate::policy::{NotStored, StoreRequest};
use crate::proxy::context::AppHead;
use crate::proxy::intake::content_length;
use crate::proxy::judgement::{self, Admission, Reuse};

impl Asking<'_> {
    pub(super) fn answer(&self, supposed: &Supposed) -> Answer {
        let response = head_of(supposed);
        let end = content_length(&response.headers) == Some(0) || self.head.method == Method::HEAD;
        let kept = |app: &AppHead| self.admitted(app).is_ok();
        let (app, _, plan) = judgement::body_plan(&self.request, &response, end, kept);
        let admitted = self.admitted(&app).and_then(|admission| self.fits(&app, plan, admission));
        let then = self.then(&admitted, &app, plan);
        let admission = admitted.as_ref().ok();
        let lifetime = |admission: &Admission| {
            let stored = admission.freshness.stored(self.now);
            self.lifetime(&admission.freshness, &stored, &app.headers)
        };
        Answer {
            status: supposed.status.as_u16(),
            stored: admission.is_some(),
            not_stored: admitted.as_ref().err().copied().map(on_not_stored),
            lifetime: admission.map(lifetime),
            selected_by: admission.map_or_else(Vec::new, |admission| selected_by(&admission.selector)),
            tags: admission.map_or_else(Vec::new, |_| crate::cdn::tags(&app.headers)),
            body: self.sent(&app, plan),
            then,
        }
    }

    fn admitted(&self, app: &AppHead) -> Result<Admission, NotStored> {
        match self.request.passes_by(&self.head.method) {
            Some(Forward::Method) => return Err(NotStored::Method),
            Some(_) => return Err(NotStored::Disabled),
            None => {}
        }
        if !self.request.fills(&self.head) {
            return Err(if self.head.method == Method::GET { NotStored::Range } else { NotStored::Method });
        }
        let asked = StoreRequest { method: &self.head.method, headers: &self.head.headers };
        judgement::admission(&asked, app, &self.request.route.cache, self.now)
    }

    fn fits(&self, app: &AppHead, plan: BodyPlan, admission: Admission) -> Result<Admission, NotStored> {
        // How long a body is that is encoded, is known at its end.
        let length = content_length(&app.headers).filter(|_| matches!(plan, BodyPlan::Pass(_)));
        match length.is_some_and(|length| !self.scene.limits.takes(length)) {
            true => Err(NotStored::TooLarge),
            false => Ok(admission),
        }
    }

    /// The body as this client gets it, memory for an encoder permitting.
    fn sent(&self, app: &AppHead, plan: BodyPlan) -> Body {
        let made = match plan {
            BodyPlan::Encode(_) => "live",
            BodyPlan::Recode { .. } | BodyPlan::Decode { .. } => "recoded",
            BodyPlan::Verify(_) | BodyPlan::Pass(_) => "app",
        };
        let coding = match (plan.target(), plan) {
            (Some(coding), _) => coding.token().to_owned(),
            (None, BodyPlan::Decode { .. }) => Coding::Identity.token().to_owned(),
            (None, _) => applied(app),
        };
        let length = content_length(&app.headers).filter(|_| plan.source().is_none());
        let level = plan.target().map(|coding| encode::setup(coding, self.request.route.live, length).level);
        Body { coding, made: made.to_owned(), level, skipped: plan.skipped().map(on_skip) }
    }

    /// The same request once more, right after.
    fn then(&self, admitted: &Result<Admission, NotStored>, app: &AppHead, plan: BodyPlan) -> Next {
        let admission = match admitted {
            Ok(admission) => admission,
            Err(reason) => return self.then_without(*reason),
        };
        let freshness = admission.freshness.stored(self.now);
        match judgement::reuse(&app.headers, &freshness, &self.request, &self.head.headers, self.now) {
            Reuse::NotAuthorized => self.missed(Forward::Request),
            Reuse::Judged(lookup) => {
                let (outcome, because) = on_lookup(lookup);
                let mut next = went(outcome, because);
                if matches!(outcome, Outcome::Hit | Outcome::Stale | Outcome::Updating) {
                    let sent = self.sent(app, plan);
                    next.body = Some(Body { made: "stored".into(), ..sent });
                }
                next
            }
        }
    }

    fn then_without(&self, reason: NotStored) -> Next {
        if let Some(forward) = self.request.passes_by(&self.head.method) {
            return went(Outcome::Bypass, crate::explain::on_forward(forward));
        }
        let remembered = !reason.is_about_request() && reason != NotStored::TooLarge;
        match remembered && self.request.collapses(&self.head) {
            true => went(Outcome::Bypass, "the last answer could not be stored, and that is remembered"),
            false => self.missed(Forward::UriMiss),
        }
    }
}

fn applied(app: &AppHead) -> String {
    let coding = app.headers.get(CONTENT_ENCODING).and_then(|coding| coding.to_str().ok());
    coding.unwrap_or(Coding::Identity.token()).to_owned()
}

/// As the app's head comes in.
fn head_of(supposed: &Supposed) -> ResponseHeader {
    let mut head = ResponseHeader::build(supposed.status, Some(supposed.fields.len()))
        .expect("a status of its own type is a status");
    head.set_version(supposed.version);
    for (name, value) in &supposed.fields {
        head.append_header(name.clone(), value.clone()).expect("a field of its own type is a field");
    }
    head
}
