//! The app's bodies: a function of what they are made of, so that any of them can be made again to compare.

use super::profile::{Body, PROFILES};
use super::world::Made;
use crate::harness::payload::{Random, noise, page};

/// The content, of which the first line says what it is made of.
pub fn content(made: &Made) -> Vec<u8> {
    let profile = &PROFILES[made.resource];
    let mut random = Random::new(made.version.wrapping_mul(31) + made.resource as u64);
    // Most versions have about the same size, some are tiny or empty but for their first line.
    let size = match random.below(8) {
        0 => random.below(40),
        _ => profile.size / 2 + random.below(profile.size / 2),
    };
    let mut body = format!("{}\n", label(made)).into_bytes();
    match profile.body {
        Body::Text => body.extend(page(size + 16)),
        Body::Noise => body.extend(noise(size)),
    }
    body
}

/// `X-Made`.
pub fn label(made: &Made) -> String {
    format!("{}/{}/{}/{}", made.resource, made.version, made.variant, made.user)
}

pub fn read_label(text: &str) -> Option<Made> {
    let mut parts = text.split('/');
    let made = Made {
        resource: parts.next()?.parse().ok()?,
        version: parts.next()?.parse().ok()?,
        variant: parts.next()?.to_owned(),
        user: parts.next()?.to_owned(),
    };
    parts.next().is_none().then_some(made)
}

/// The app's own entity tag, between the quotes.
pub fn tag(made: &Made) -> String {
    format!("v{}.{}.{}", made.version, made.variant, made.user)
}

/// The app's `Last-Modified`: each version has its own, in the past.
pub fn modified(version: u64) -> String {
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000 + 10 * version);
    httpdate::fmt_http_date(at)
}
