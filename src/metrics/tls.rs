//! The listener's certificates, asked at each scrape. Only where there are any: a gauge at zero would be an alarm.

use std::sync::Arc;

use super::family::{TLS_CURRENT, TLS_EXPIRY};
use super::scraped::Scraped;

/// What is known of the certificates at this moment.
pub trait TlsGauges: Send + Sync {
    /// Those in use are what their files hold.
    fn is_current(&self) -> bool;
    /// When the first of them expires, in seconds since 1970.
    fn expires(&self) -> u64;
}

pub(super) fn collector(source: Arc<dyn TlsGauges>) -> Scraped<dyn TlsGauges> {
    Scraped::new(source, &[(&TLS_CURRENT, |tls| tls.is_current().into()), (&TLS_EXPIRY, |tls| tls.expires())])
}
