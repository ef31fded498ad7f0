//! The explanation, as the document that `/api/explain` answers.
//!
//! Times are whole seconds; what is left of a lifetime is negative once it is over. Fields that do not apply are left out.

use serde::{Deserialize, Serialize};

/// Everything about one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    pub request: RequestAsked,
    pub route: RouteTaken,
    /// Fields that the route's rules change before the app, or the cache, sees them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub normalised: Vec<Field>,
    pub key: Key,
    /// What the request would get if it came now.
    pub next: Next,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<Entry>,
    /// Why the last answer was not stored, where that is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_refusal: Option<Reason>,
    /// What an answer needs to be stored. Only said where nothing that is stored answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// The answer that was given with the question, judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestAsked {
    pub method: String,
    pub url: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
}

/// A field and its value; none where it is absent, or not for showing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTaken {
    pub name: String,
    /// The patterns that matched, or that none did.
    pub because: String,
}

/// What the request is stored under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The key itself, in hex.
    pub hash: String,
    pub scheme: String,
    pub host: String,
    pub path: String,
    /// What counts of the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The query as it was sent, where not all of it counts as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_query: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub generation: String,
    /// Fields and cookies that the route's key names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cookies: Vec<String>,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// From the store, fresh.
    Hit,
    /// From the store, stale, since the client takes it so.
    Stale,
    /// From the store, stale, while it is refreshed.
    Updating,
    /// The app is asked whether what is stored still holds.
    Revalidate,
    /// From the app.
    Miss,
    /// From the app, past the cache.
    Bypass,
    /// An error of vacpack's own.
    Refused,
}

impl Outcome {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Updating => "updating",
            Self::Revalidate => "revalidate",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
            Self::Refused => "refused",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    pub outcome: Outcome,
    pub because: String,
    /// Where vacpack itself decides the status: a refusal, or a condition of the request that is met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// In which coding, where that is known before the app has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
}

/// A body on its way to this client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    pub coding: String,
    /// `stored`, `derived` from what is stored, `live` from the app, `recoded` in place of the app's own coding, or `app` as
    /// the app sent it.
    pub made: String,
    /// Of the encoder that makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<i32>,
    /// Why it is not coded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Reason>,
}

/// A label, and what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    pub reason: String,
    pub meaning: String,
}

/// What is stored under the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// With heads and keys.
    pub bytes: u64,
    pub variants: u64,
    pub max_variants: u64,
    /// The one that is this request's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<VariantKept>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<OtherVariant>,
}

/// A stored answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantKept {
    pub status: u16,
    pub lifetime: Lifetime,
    pub etag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selected_by: Vec<Field>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    pub hits: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_bytes: Option<u64>,
    /// Whether vacpack may put it into other codings.
    pub codable: bool,
    pub representations: Vec<RepresentationKept>,
}

/// Another answer of the same resource, and what a request must say to get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherVariant {
    pub selected_by: Vec<Field>,
    pub age: u64,
    pub fresh_for: i64,
    pub hits: u64,
    pub codings: Vec<String>,
}

/// One coded form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepresentationKept {
    pub coding: String,
    pub bytes: u64,
    /// Of the encoder that made it; none where it was not made here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<i32>,
    /// Compressed again, since it kept being hit.
    pub improved: bool,
    pub hits: u64,
    pub etag: String,
}

/// How long an answer is fresh, and on whose word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifetime {
    pub seconds: u64,
    /// RFC 9111, section 4.2.3, `current_age`.
    pub age: u64,
    pub fresh_for: i64,
    pub source: String,
    /// Where that stands: a field with its value, or a key of the configuration.
    pub from: String,
    pub stale_while_revalidate: u64,
    pub stale_if_error: u64,
    pub no_cache: bool,
    pub must_revalidate: bool,
}

/// An answer of the app, judged before it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub status: u16,
    pub stored: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_stored: Option<Reason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Lifetime>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selected_by: Vec<Field>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    pub body: Body,
    /// What the same request gets right after it.
    pub then: Next,
}
