//! Fields by which a response should not vary: almost every client sends its own value, so that hardly any stored
//! response ever answers again (RFC 9111, section 4.1).

use http::HeaderName;
use http::header::{AUTHORIZATION, COOKIE, REFERER, USER_AGENT};

use crate::header::Vary;

/// A field that parts a cache into single clients; the `field` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OverVarying {
    Authorization,
    Cookie,
    ForwardedFor,
    Referer,
    UserAgent,
}

impl OverVarying {
    pub const ALL: [Self; 5] = [Self::Authorization, Self::Cookie, Self::ForwardedFor, Self::Referer, Self::UserAgent];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::Cookie => "cookie",
            Self::ForwardedFor => "x-forwarded-for",
            Self::Referer => "referer",
            Self::UserAgent => "user-agent",
        }
    }

    pub const fn field(self) -> HeaderName {
        match self {
            Self::Authorization => AUTHORIZATION,
            Self::Cookie => COOKIE,
            Self::ForwardedFor => HeaderName::from_static("x-forwarded-for"),
            Self::Referer => REFERER,
            Self::UserAgent => USER_AGENT,
        }
    }

    /// Those that a response varies by. `*` is another matter: such a response is not stored at all.
    pub fn of(vary: &Vary) -> impl Iterator<Item = Self> {
        let named = |one: &Self| matches!(vary, Vary::Fields(fields) if fields.contains(&one.field()));
        Self::ALL.into_iter().filter(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_the_names_of_the_fields() {
        for one in OverVarying::ALL {
            assert_eq!(one.field(), one.label());
        }
    }

    #[test]
    fn only_what_is_named_is_found() {
        let vary =
            |names: &[&'static str]| Vary::Fields(names.iter().map(|name| HeaderName::from_static(name)).collect());
        let found = |vary: &Vary| OverVarying::of(vary).map(OverVarying::label).collect::<Vec<_>>();
        assert_eq!(found(&vary(&["accept", "cookie", "user-agent"])), ["cookie", "user-agent"]);
        assert!(found(&vary(&["accept-encoding", "origin"])).is_empty());
        assert!(found(&Vary::Any).is_empty());
    }
}
