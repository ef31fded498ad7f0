//! The plan for a body that the app coded itself.
//!
//! The app is asked for identity; some compress all the same. Undoing that costs a decoder, and is
//! done for a reason only:
//!
//! * the client refuses the app's coding: it gets another, or none, whatever that costs;
//! * the answer will be stored: other clients will want other codings, and are served from what was
//!   seen whole. In the coding that this client prefers, the app's bytes stay as they are, and a
//!   decoder reads along: no encoder runs. In any other they are recoded, once for all who come
//!   later;
//! * the coding is `deflate`, of which no client can be sure which of two formats it is;
//! * a guard against BREACH is due, which bytes that somebody else coded would undermine.
//!
//! In every other case another coding would cost time on each request and gain a few percent: the
//! app's bytes pass.

use super::breach::{Breach, guard};
use super::facts::{Offer, RequestFacts, ResponseFacts};
use super::plan::{BodyPlan, preferred};
use super::reason::SkipReason;
use crate::header::coding::Source;

/// Decides, once it is settled that this body may be touched. `min_size` says nothing here: the
/// length of the identity is not known, and counts as large.
pub(super) fn transcode(
    from: Source,
    request: &RequestFacts,
    response: &ResponseFacts<'_>,
    offer: &Offer,
) -> Result<BodyPlan, SkipReason> {
    let guard = guard(request, response, offer);
    let wanted = match guard {
        Breach::Off | Breach::Pad => preferred(&request.accept, &offer.codings),
        Breach::NoCompression => Err(SkipReason::Breach),
    };
    if let (Source::Coded(own), Breach::Off) = (from, guard) {
        if response.stored && wanted == Ok(own) {
            return Ok(BodyPlan::Verify(own));
        }
        if !response.stored && request.accept.accepts(own) {
            return Err(SkipReason::AlreadyEncoded);
        }
    }
    Ok(match wanted {
        Ok(to) => BodyPlan::Recode { from, to },
        Err(why) => BodyPlan::Decode { from, why },
    })
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use proptest::prelude::*;

    use super::super::plan;
    use super::*;
    use crate::header::{AcceptEncoding, Coding, MediaTypes, testing};
    use BodyPlan::{Decode, Encode, Pass, Recode, Verify};
    use Coding::{Brotli, Gzip, Zstd};
    use SkipReason::{AlreadyEncoded, IdentityPreferred, NoAccept};

    const GZIP: Source = Source::Coded(Gzip);
    const BROTLI: Source = Source::Coded(Brotli);

    fn offer() -> Offer {
        Offer {
            enabled: true,
            codings: vec![Brotli, Zstd, Gzip],
            min_size: 1024,
            types: MediaTypes::parse(["text/*"]).expect("patterns"),
            transcode: true,
            breach: Breach::Off,
        }
    }

    fn request(accept_encoding: &str) -> RequestFacts {
        RequestFacts {
            head: false,
            http10: false,
            range: false,
            upgrade: false,
            accept: AcceptEncoding::parse(&testing::field("accept-encoding", &[accept_encoding])),
            no_transform: false,
            credentials: false,
        }
    }

    /// The plan for a page that the app coded so.
    fn seen(coding: &str, request: &RequestFacts, stored: bool, offer: &Offer) -> BodyPlan {
        let headers = testing::fields(&[("content-type", "text/html"), ("content-encoding", coding)]);
        let (status, length) = (StatusCode::OK, Some(500));
        plan(request, &ResponseFacts { status, headers: &headers, length, end_of_stream: false, stored }, offer)
    }

    #[test]
    fn of_an_answer_that_is_not_stored_only_what_is_refused_is_undone() {
        let table = [
            ("gzip", "gzip, br", Pass(AlreadyEncoded)),
            ("gzip", "br, gzip;q=0.1", Pass(AlreadyEncoded)),
            ("x-gzip", "gzip", Pass(AlreadyEncoded)),
            ("gzip", "*", Pass(AlreadyEncoded)),
            ("gzip", "identity, gzip;q=0.5", Pass(AlreadyEncoded)),
            ("gzip", "br", Recode { from: GZIP, to: Brotli }),
            ("gzip", "gzip;q=0, *", Recode { from: GZIP, to: Brotli }),
            ("br", "gzip, deflate", Recode { from: BROTLI, to: Gzip }),
            ("gzip", "", Decode { from: GZIP, why: NoAccept }),
            ("gzip", "deflate", Decode { from: GZIP, why: NoAccept }),
            ("gzip", "identity, br;q=0.5", Decode { from: GZIP, why: IdentityPreferred }),
            // Nothing is acceptable: RFC 9110, 12.5.3 permits identity, and not what was refused.
            ("gzip", "*;q=0", Decode { from: GZIP, why: NoAccept }),
            // Two formats go by this name.
            ("deflate", "gzip, deflate, br", Recode { from: Source::Deflate, to: Brotli }),
            ("deflate", "deflate", Decode { from: Source::Deflate, why: NoAccept }),
            // More than one, or one that cannot be undone.
            ("gzip, br", "", Pass(AlreadyEncoded)),
            ("compress", "", Pass(AlreadyEncoded)),
        ];
        for (coding, accept, wanted) in table {
            assert_eq!(seen(coding, &request(accept), false, &offer()), wanted, "{coding} for {accept}");
        }
    }

    #[test]
    fn a_stored_answer_is_in_the_coding_of_its_first_client() {
        let table = [
            ("gzip", "gzip", Verify(Gzip)),
            ("gzip", "gzip, br;q=0.9", Verify(Gzip)),
            ("br", "gzip, br", Verify(Brotli)),
            ("gzip", "gzip, br", Recode { from: GZIP, to: Brotli }),
            ("gzip", "zstd", Recode { from: GZIP, to: Zstd }),
            ("gzip", "", Decode { from: GZIP, why: NoAccept }),
            ("deflate", "gzip", Recode { from: Source::Deflate, to: Gzip }),
            ("gzip, br", "gzip, br", Pass(AlreadyEncoded)),
        ];
        for (coding, accept, wanted) in table {
            assert_eq!(seen(coding, &request(accept), true, &offer()), wanted, "{coding} for {accept}");
        }
        // What is not offered is not kept either: it could never be served from the store.
        let gzip_only = Offer { codings: vec![Gzip], ..offer() };
        assert_eq!(seen("br", &request("gzip, br"), true, &gzip_only), Recode { from: BROTLI, to: Gzip });
    }

    #[test]
    fn what_is_not_to_be_touched_is_not() {
        let plain = request("");
        let requests = [
            (RequestFacts { head: true, ..plain }, SkipReason::Head),
            (RequestFacts { range: true, ..plain }, SkipReason::Partial),
            (RequestFacts { http10: true, ..plain }, SkipReason::Http10),
            (RequestFacts { no_transform: true, ..plain }, SkipReason::NoTransform),
        ];
        for (request, why) in requests {
            for stored in [false, true] {
                assert_eq!(seen("gzip", &request, stored, &offer()), Pass(why), "{request:?}");
            }
        }
        let off = Offer { transcode: false, ..offer() };
        assert_eq!(seen("gzip", &plain, true, &off), Pass(AlreadyEncoded));
        assert_eq!(seen("deflate", &plain, true, &off), Pass(AlreadyEncoded));
        assert_eq!(seen("identity", &request("br;q=0, *;q=0.5"), true, &off), Pass(SkipReason::TooSmall));
    }

    #[test]
    fn the_guard_is_for_what_is_made_for_one_person() {
        let named = |accept| RequestFacts { credentials: true, ..request(accept) };
        let pad = Offer { breach: Breach::Pad, min_size: 0, ..offer() };
        let none = Offer { breach: Breach::NoCompression, min_size: 0, ..offer() };
        let table = [
            ("", "br", false, Encode(Brotli), Pass(SkipReason::Breach)),
            ("", "br", true, Encode(Brotli), Encode(Brotli)),
            ("", "", false, Pass(NoAccept), Pass(NoAccept)),
            // What the app coded is not padded, and gives as much away.
            ("gzip", "gzip", false, Recode { from: GZIP, to: Gzip }, Decode { from: GZIP, why: SkipReason::Breach }),
            ("gzip", "gzip", true, Verify(Gzip), Verify(Gzip)),
        ];
        for (coding, accept, stored, padded, plain) in table {
            assert_eq!(seen(coding, &named(accept), stored, &pad), padded, "{coding} {accept} {stored}");
            assert_eq!(seen(coding, &named(accept), stored, &none), plain, "{coding} {accept} {stored}");
            // Nobody in particular asks.
            let unguarded = Offer { min_size: 0, ..offer() };
            for offer in [&pad, &none] {
                let anybody = request(accept);
                assert_eq!(
                    seen(coding, &anybody, stored, offer),
                    seen(coding, &anybody, stored, &unguarded),
                    "{coding} {accept} {stored}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn nobody_gets_a_coding_that_it_refuses(
            accept in "((br|zstd|gzip|identity|\\*|deflate)(;q=(0|0\\.[0-9]{1,3}|1))?, ?){0,6}",
            coding in "br|zstd|gzip|x-gzip|deflate",
            stored: bool,
            credentials: bool,
            breach in prop::sample::select(&[Breach::Off, Breach::Pad, Breach::NoCompression][..]),
        ) {
            let offer = Offer { breach, ..offer() };
            let request = RequestFacts { credentials, ..request(&accept) };
            let applied = match coding.as_str() {
                "deflate" => None,
                token => Coding::parse(token.as_bytes()),
            };
            let sent = match seen(&coding, &request, stored, &offer) {
                Recode { to, .. } | Encode(to) => Some(to),
                Verify(coding) => {
                    prop_assert!(stored && Some(coding) == applied);
                    Some(coding)
                }
                Decode { .. } => Some(Coding::Identity),
                Pass(_) => applied,
            };
            let sent = sent.expect("deflate never passes");
            prop_assert!(sent == Coding::Identity || request.accept.accepts(sent));
        }
    }
}
