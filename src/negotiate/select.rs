//! Which stored representation answers a client (RFC 9110, section 12.5.3), on a cache hit.

use super::preference::{Preference, codings, first_of, preference};
use crate::header::{AcceptEncoding, Coding};

/// How a stored response is served. The coding is the one the client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// It is stored in this coding.
    Serve(Coding),
    /// It has to be made from what is stored.
    Derive(Coding),
}

impl Selection {
    /// What the client gets.
    pub const fn coding(self) -> Coding {
        match self {
            Self::Serve(coding) | Self::Derive(coding) => coding,
        }
    }
}

/// Selects among the representations in `stored`, and those that could be made from them.
///
/// If the body is `codable`, the client's highest weight among the codings we offer decides: a
/// stored representation of that weight is served, and one is made only if there is none - never
/// just because we would have liked another coding better. If it is not, only what is stored
/// counts, such as the coding an app applied itself. A client for whom there is none gets identity,
/// whether it accepts that or not.
pub fn select(accept: &AcceptEncoding, stored: &[Coding], codable: bool, offer_codings: &[Coding]) -> Selection {
    let choice = if codable { offer_codings } else { stored };
    let Preference::Coded(weight) = preference(accept, choice) else {
        return serve_or_derive(Coding::Identity, stored);
    };
    let at_hand = codings(choice).filter(|coding| stored.contains(coding));
    first_of(accept, at_hand, weight)
        .or_else(|| first_of(accept, codings(choice), weight))
        .map_or(Selection::Derive(Coding::Identity), |coding| serve_or_derive(coding, stored))
}

fn serve_or_derive(coding: Coding, stored: &[Coding]) -> Selection {
    if stored.contains(&coding) { Selection::Serve(coding) } else { Selection::Derive(coding) }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::ACCEPT_ENCODING;
    use proptest::prelude::*;

    use super::*;
    use Coding::{Brotli, Gzip, Identity, Zstd};
    use Selection::{Derive, Serve};

    const ALL: &[Coding] = &[Brotli, Zstd, Gzip];

    fn accept(value: &str) -> AcceptEncoding {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, value.parse().expect("a field value"));
        AcceptEncoding::parse(&headers)
    }

    #[test]
    fn codable_bodies() {
        let table: [(&str, &[Coding], &[Coding], Selection); 22] = [
            // What is stored has the highest weight: served, whatever our own order.
            ("gzip, br, zstd", &[Brotli], ALL, Serve(Brotli)),
            ("gzip, br, zstd", &[Gzip], ALL, Serve(Gzip)),
            ("gzip, br, zstd", &[Gzip, Zstd], ALL, Serve(Zstd)),
            ("gzip, br, zstd", &[Identity, Gzip], ALL, Serve(Gzip)),
            // It has a lower one, or none.
            ("gzip;q=0.5, br", &[Gzip], ALL, Derive(Brotli)),
            ("gzip", &[Brotli], ALL, Derive(Gzip)),
            ("gzip", &[Brotli, Gzip], ALL, Serve(Gzip)),
            ("br;q=0, *", &[Brotli], ALL, Derive(Zstd)),
            ("br;q=0, *", &[Brotli, Gzip], ALL, Serve(Gzip)),
            // Only identity is stored.
            ("gzip, br", &[Identity], ALL, Derive(Brotli)),
            ("gzip, br", &[Identity], &[Gzip, Brotli], Derive(Gzip)),
            ("identity;q=0, br", &[Identity], ALL, Derive(Brotli)),
            // Identity is wanted.
            ("", &[Brotli], ALL, Derive(Identity)),
            ("", &[Brotli, Identity], ALL, Serve(Identity)),
            ("deflate", &[Gzip], ALL, Derive(Identity)),
            ("br;q=0.5, identity", &[Brotli], ALL, Derive(Identity)),
            ("br;q=0.5, identity;q=0.5", &[Brotli], ALL, Serve(Brotli)),
            // Nothing is acceptable: identity, as 12.5.3 permits.
            ("*;q=0", &[Brotli], ALL, Derive(Identity)),
            ("*;q=0", &[Identity], ALL, Serve(Identity)),
            // A coding that is offered no more is not served either.
            ("br", &[Brotli], &[Gzip], Derive(Identity)),
            ("br, gzip", &[Brotli], &[Gzip], Derive(Gzip)),
            ("br", &[Brotli], &[], Derive(Identity)),
        ];
        for (value, stored, offered, wanted) in table {
            assert_eq!(select(&accept(value), stored, true, offered), wanted, "{value} {stored:?}");
        }
    }

    #[test]
    fn bodies_that_cannot_be_coded() {
        let table: [(&str, &[Coding], Selection); 6] = [
            ("gzip, br", &[Identity], Serve(Identity)),
            ("identity;q=0, br", &[Identity], Serve(Identity)),
            // The app's own coding is served to those who take it, and undone for the others.
            ("gzip, br", &[Gzip], Serve(Gzip)),
            ("br", &[Gzip], Derive(Identity)),
            ("", &[Gzip], Derive(Identity)),
            ("gzip;q=0.5, identity", &[Gzip, Identity], Serve(Identity)),
        ];
        for (value, stored, wanted) in table {
            assert_eq!(select(&accept(value), stored, false, ALL), wanted, "{value} {stored:?}");
        }
    }

    proptest! {
        #[test]
        fn what_a_client_refuses_is_never_selected(
            value in "((br|zstd|gzip|identity|\\*|deflate)(;q=(0|0\\.[0-9]{1,3}|1))?, ?){0,6}",
            stored in proptest::sample::subsequence(Coding::ALL.to_vec(), 1..=4),
            offered in proptest::sample::subsequence(ALL.to_vec(), 0..=3).prop_shuffle(),
            codable: bool,
        ) {
            let accept = accept(&value);
            let (coding, served) = match select(&accept, &stored, codable, &offered) {
                Serve(coding) => (coding, true),
                Derive(coding) => (coding, false),
            };
            prop_assert!(coding == Identity || accept.accepts(coding));
            prop_assert_eq!(served, stored.contains(&coding));
            // Nothing is made that could not be.
            prop_assert!(served || coding == Identity || (codable && offered.contains(&coding)));
            // Nothing better was to be had.
            let choice = if codable { &offered } else { &stored };
            for other in codings(choice) {
                let better = accept.quality(other) > accept.quality(coding);
                prop_assert!(!better, "{other:?} over {coding:?}");
            }
        }
    }
}
