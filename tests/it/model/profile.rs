//! The resources of the model's app: what each lets a cache do, as it says it and as the model means it.

use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validator {
    None,
    Strong,
    Weak,
    Date,
    StrongAndDate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    Text,
    Noise,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Length,
    Chunked,
    /// With pauses in between.
    Dripping,
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// `Cache-Control`; none where empty.
    pub control: &'static str,
    /// Seconds; none where it must not be stored.
    pub fresh: Option<u64>,
    pub while_revalidate: u64,
    pub if_error: u64,
    /// Every use is validated.
    pub no_cache: bool,
    /// A client's max-stale is not heard.
    pub must: bool,
    /// Also for those who log in.
    pub public: bool,
    pub vary: Option<&'static str>,
    pub cookie: bool,
    pub status: u16,
    pub validator: Validator,
    pub body: Body,
    pub end: End,
    /// At most; each version has its own size.
    pub size: usize,
}

const BASE: Profile = Profile {
    control: "max-age=1",
    fresh: Some(1),
    while_revalidate: 0,
    if_error: 0,
    no_cache: false,
    must: false,
    public: false,
    vary: None,
    cookie: false,
    status: 200,
    validator: Validator::Strong,
    body: Body::Text,
    end: End::Length,
    size: 8_000,
};

pub const PROFILES: [Profile; 26] = [
    BASE,
    Profile { validator: Validator::None, ..BASE },
    Profile { validator: Validator::Weak, end: End::Chunked, ..BASE },
    Profile { validator: Validator::Date, ..BASE },
    Profile { control: "max-age=2", fresh: Some(2), validator: Validator::StrongAndDate, body: Body::Noise, ..BASE },
    Profile { control: "max-age=3600", fresh: Some(3600), ..BASE },
    Profile { control: "max-age=3600", fresh: Some(3600), validator: Validator::None, size: 60_000, ..BASE },
    Profile { control: "max-age=3600", fresh: Some(3600), vary: Some("X-Variant"), end: End::Chunked, ..BASE },
    Profile { control: "max-age=3600, public", fresh: Some(3600), public: true, vary: Some("Accept-Language"), ..BASE },
    Profile { control: "s-maxage=1, max-age=3600", must: true, public: true, ..BASE },
    Profile { control: "max-age=1, stale-while-revalidate=2", while_revalidate: 2, ..BASE },
    Profile {
        control: "max-age=1, stale-while-revalidate=600",
        while_revalidate: 600,
        validator: Validator::None,
        ..BASE
    },
    Profile { control: "max-age=1, stale-if-error=600", if_error: 600, ..BASE },
    Profile {
        control: "max-age=1, stale-if-error=2",
        if_error: 2,
        validator: Validator::Date,
        vary: Some("X-Variant"),
        ..BASE
    },
    Profile { control: "max-age=1, must-revalidate", must: true, public: true, ..BASE },
    Profile { control: "no-cache", fresh: Some(0), no_cache: true, must: true, ..BASE },
    Profile { control: "max-age=1", end: End::Dripping, size: 30_000, ..BASE },
    Profile {
        control: "max-age=3600",
        fresh: Some(3600),
        end: End::Dripping,
        validator: Validator::None,
        size: 30_000,
        ..BASE
    },
    Profile { control: "max-age=3600", fresh: None, end: End::Close, ..BASE },
    Profile { control: "no-store", fresh: None, ..BASE },
    Profile { control: "private, max-age=3600", fresh: None, ..BASE },
    Profile { control: "max-age=3600", fresh: None, cookie: true, validator: Validator::None, ..BASE },
    Profile { control: "", fresh: None, validator: Validator::None, end: End::Chunked, ..BASE },
    // The negative lifetime of the shipped configuration.
    Profile { control: "", fresh: Some(10), status: 404, validator: Validator::None, size: 2_000, ..BASE },
    // Over the limit of an object that the model's configuration sets, at times.
    Profile { control: "max-age=3600", fresh: Some(3600), size: 250_000, end: End::Chunked, ..BASE },
    Profile { control: "max-age=2", fresh: Some(2), size: 250_000, body: Body::Noise, ..BASE },
];

impl Profile {
    pub fn is_storable(&self) -> bool {
        self.fresh.is_some()
    }

    pub fn lifetime(&self) -> Duration {
        Duration::from_secs(self.fresh.unwrap_or_default())
    }

    /// For how many seconds beyond its lifetime it may answer, at most.
    pub fn stale_for(&self, failed: bool, max_stale: Option<u64>) -> u64 {
        let on_error = if failed { self.if_error } else { 0 };
        let taken = if self.must { 0 } else { max_stale.unwrap_or_default() };
        self.while_revalidate.max(on_error).max(taken)
    }
}
