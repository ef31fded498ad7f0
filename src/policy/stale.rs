//! How long after its lifetime a stored response may still answer (RFC 9111, §4.2.4; RFC 5861).
//!
//! | who says so | `stale-while-revalidate`, `stale-if-error` of the app | of the operator |
//! |---|---|---|
//! | nobody forbids | the longer of the two | the longer of the two |
//! | `s-maxage` (§5.2.2.10: as `proxy-revalidate`) | honoured | not applied |
//! | `must-revalidate`, `proxy-revalidate`, `no-cache` | not applied | not applied |
//!
//! The middle row is a choice. `s-maxage=60, stale-while-revalidate=300` is what web frameworks
//! send when they want a shared cache to do exactly that; §4.2.4 forbids stale use "by an explicit
//! in-protocol directive", and a window the app wrote beside `s-maxage` is as explicit as its
//! implication. An operator's default is not.
//!
//! However it came to be, no window is longer than the operator's limit; nor is a client's `max-stale`.

use std::time::Duration;

use super::governing::Governing;
use super::rules::Rules;
use crate::header::CacheControl;
use crate::header::delta_seconds::GREATEST;

/// For how long after it became stale, and on what occasion, a response may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StaleWindows {
    /// RFC 5861, §3.
    pub while_revalidate: Duration,
    /// RFC 5861, §4.
    pub if_error: Duration,
}

impl StaleWindows {
    /// What the operator grants.
    pub fn of_operator(rules: &Rules) -> Self {
        Self { while_revalidate: rules.stale_while_revalidate, if_error: rules.stale_if_error }.clamped()
    }

    /// What the app grants.
    fn of_app(directives: &CacheControl) -> Self {
        Self {
            while_revalidate: directives.stale_while_revalidate.unwrap_or_default(),
            if_error: directives.stale_if_error.unwrap_or_default(),
        }
        .clamped()
    }

    /// No longer than the operator lets anybody grant.
    pub fn at_most(self, limit: Duration) -> Self {
        Self { while_revalidate: self.while_revalidate.min(limit), if_error: self.if_error.min(limit) }
    }

    /// The table above. `operator` is what the operator would grant to this response.
    pub fn granted(governing: &Governing, operator: Self) -> Self {
        let directives = &governing.directives;
        // §4.2.4: "MUST NOT generate a stale response if it is prohibited by an explicit
        // in-protocol directive".
        if governing.no_cache() || directives.must_revalidate || directives.proxy_revalidate {
            return Self::default();
        }
        let app = Self::of_app(directives);
        if directives.s_maxage.is_some() {
            return app;
        }
        Self {
            while_revalidate: app.while_revalidate.max(operator.while_revalidate),
            if_error: app.if_error.max(operator.if_error),
        }
    }

    fn clamped(self) -> Self {
        self.at_most(GREATEST)
    }
}

/// Does the app forbid stale use beyond the windows it grants itself: on an error, on a client's
/// `max-stale`?
pub fn must_revalidate(governing: &Governing) -> bool {
    let directives = &governing.directives;
    // §5.2.2.2, §5.2.2.8, §5.2.2.10, §5.2.2.4
    directives.must_revalidate || directives.proxy_revalidate || directives.s_maxage.is_some() || governing.no_cache()
}
