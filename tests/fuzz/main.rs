//! Heads that nobody would write, through everything that reads heads (see [`heads`]).
//!
//! The function is the target of a fuzzer as well: README.md beside this file. Here it gets what the fuzzer starts from
//! ([`SEEDS`]), those with bytes changed, and lines made of what parsers stumble over.

mod exchange;
mod heads;

use heads::survive;
use proptest::prelude::*;

const SEEDS: [&[u8]; 6] = [
    include_bytes!("seeds/plain"),
    include_bytes!("seeds/conditions"),
    include_bytes!("seeds/conflicts"),
    include_bytes!("seeds/dates"),
    include_bytes!("seeds/targeted"),
    include_bytes!("seeds/numbers"),
];

const NAMES: [&str; 30] = [
    "cache-control",
    "cache-control",
    "cache-control",
    "cdn-cache-control",
    "surrogate-control",
    "vary",
    "vary",
    "expires",
    "date",
    "age",
    "last-modified",
    "etag",
    "pragma",
    "connection",
    "set-cookie",
    "authorization",
    "range",
    "if-range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "accept-encoding",
    "content-encoding",
    "content-type",
    "content-length",
    "location",
    "content-location",
    "surrogate-key",
    "cache-tag",
];

const PIECES: [&str; 58] = [
    "max-age=60",
    "max-age=0",
    "max-age=18446744073709551616",
    "max-age=-1",
    "max-age=\"60\"",
    "max-age=6 0",
    "max-age",
    "max-age=",
    "max-age=1.5",
    "s-maxage=30",
    "no-store",
    "private",
    "private=\"x",
    "no-cache",
    "no-cache=\"set-cookie\"",
    "must-revalidate",
    "proxy-revalidate",
    "must-understand",
    "public",
    "stale-while-revalidate=60",
    "stale-if-error=60",
    "only-if-cached",
    "max-stale",
    "min-fresh=5",
    "no-transform",
    "*",
    "accept-encoding",
    "x-lang",
    "\"a\"",
    "W/\"a\"",
    "\"a-br.0000002a\"",
    "bytes=0-1",
    "bytes=-0",
    "bytes=5-2",
    "bytes=18446744073709551615-",
    "br;q=0",
    "gzip;q=1.0001",
    "*;q=0",
    "br",
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
    "Sun, 31 Feb 1994 25:61:61 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "0",
    "-1",
    "2147483648",
    "99999999999999999999",
    ",",
    ";",
    "=",
    "\"",
    "\\",
    " ",
    "\t",
    "http://site.test/x",
    "//",
    "text/html; charset=utf-8",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(input: Vec<u8>) {
        survive(&input);
    }

    #[test]
    fn a_seed_with_other_bytes_in_it(
        seed in prop::sample::select(&SEEDS[..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
    ) {
        let mut input = seed.to_vec();
        for (at, byte) in changes {
            let at = at.index(input.len());
            input[at] = byte;
        }
        survive(&input);
    }

    #[test]
    fn lines_of_what_parsers_stumble_over(pick: u8, heads in prop::array::uniform2(prop::collection::vec(line(), 0..9))) {
        let mut input = vec![pick];
        for (at, head) in heads.into_iter().enumerate() {
            input.extend(if at == 0 { &b""[..] } else { b"\n" });
            head.into_iter().for_each(|line| input.extend(line));
        }
        survive(&input);
    }
}

/// A field of pieces, some with a byte that no grammar has.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(0x80_u8..=0xff, 1..3),
        1 => "[ -~]{0,6}".prop_map(String::into_bytes),
    ];
    let separator = prop::sample::select(vec![", ", ",", ";", "", " "]);
    let pieces = prop::collection::vec((piece, separator), 1..5);
    (prop::sample::select(&NAMES[..]), pieces).prop_map(|(name, pieces)| {
        let mut line = format!("{name}:").into_bytes();
        for (piece, separator) in pieces {
            line.extend(piece);
            line.extend(separator.as_bytes());
        }
        line.push(b'\n');
        line
    })
}

/// Each of the fuzzer's seeds is an exchange of which something is read.
#[test]
fn seeds_hold_both_heads() {
    for seed in SEEDS {
        survive(seed);
        let exchange = exchange::Exchange::read(seed);
        assert!(!exchange.request.is_empty() && !exchange.response.is_empty(), "{}", String::from_utf8_lossy(seed));
    }
}
