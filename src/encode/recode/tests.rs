//! Whatever the app coded comes out as the same content; whatever is no whole coded body comes out as an error.

use std::io::Write;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::encode::decode::heap;
use crate::encode::{Budget, Live, Padding, Setup, sample, setup, transcode};
use crate::header::Coding;

const SOURCES: [Source; 5] = [
    Source::Coded(Coding::Brotli),
    Source::Coded(Coding::Zstd),
    Source::Coded(Coding::Gzip),
    Source::Deflate,
    // Only to show that it is not special.
    Source::Coded(Coding::Identity),
];

/// As an app would send it; `raw` is `deflate` without its wrapper.
fn coded(source: Source, raw: bool, body: &[u8]) -> Vec<u8> {
    match source {
        Source::Coded(coding) => {
            let plan = setup(coding, Live::Auto, None);
            transcode(body, Coding::Identity, &plan, u64::MAX).unwrap().to_vec()
        }
        Source::Deflate => {
            let level = flate2::Compression::default();
            if raw {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
                encoder.write_all(body).unwrap();
                encoder.finish().unwrap()
            } else {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(body).unwrap();
                encoder.finish().unwrap()
            }
        }
    }
}

fn target(to: Option<Coding>) -> Target {
    match to {
        None => Target::AsItCame,
        Some(Coding::Identity) => Target::Identity,
        Some(coding) => {
            let plan = setup(coding, Live::Auto, None);
            Target::Coded(Box::new(BodyEncoder::new(&plan).unwrap()))
        }
    }
}

fn decoded(source: Source, coded: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::new(source, u64::MAX).unwrap();
    let mut out = BytesMut::new();
    decoder.push(coded, &mut out).unwrap();
    decoder.finish().unwrap();
    out.to_vec()
}

/// All of `chunks` through `recoder`; what came out, and what was seen of the identity.
fn run<'a>(
    recoder: &mut Recoder,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Vec<u8>, Vec<u8>), TranscodeError> {
    let (mut out, mut seen) = (Vec::new(), Vec::new());
    for chunk in chunks {
        let piece = recoder.push(Bytes::copy_from_slice(chunk), false, |bytes| seen.extend_from_slice(bytes))?;
        out.extend_from_slice(&piece);
    }
    out.extend_from_slice(&recoder.finish()?.unwrap_or_default());
    assert_eq!(recoder.finish()?, None, "there is one end");
    Ok((out, seen))
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (0usize..60_000).prop_map(sample::json),
        prop::collection::vec(any::<u8>(), 0..4_000),
        (any::<u8>(), 0usize..200_000).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

fn any_source() -> impl Strategy<Value = Source> {
    prop::sample::select(&SOURCES[..])
}

fn any_target() -> impl Strategy<Value = Option<Coding>> {
    prop::option::of(prop::sample::select(&Coding::ALL[..]))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_content_stays_the_same(
        from in any_source(),
        raw: bool,
        to in any_target(),
        body in any_body(),
        size in prop_oneof![Just(1usize), Just(7), Just(1_460), 1usize..70_000],
    ) {
        let sent = coded(from, raw, &body);
        prop_assume!(size > 1 || sent.len() < 5_000);
        let mut recoder = Recoder::new(from, target(to)).unwrap();
        let (out, seen) = run(&mut recoder, sent.chunks(size)).unwrap();
        prop_assert!(seen == body);
        match to {
            Some(coding) => prop_assert!(decoded(coding.into(), &out) == body),
            None => prop_assert!(out == sent),
        }
        prop_assert_eq!(recoder.outcome(), Some(Ok(())));
    }

    #[test]
    fn what_the_app_flushed_is_flushed(from in any_source(), to in any_target(), body in any_body(), cut: prop::sample::Index) {
        let (Source::Coded(source), Some(to)) = (from, to) else {
            return Ok(());
        };
        prop_assume!(source != Coding::Identity);
        let cut = cut.index(body.len() + 1);
        let mut app = BodyEncoder::new(&setup(source, Live::Auto, None)).unwrap();
        let first = app.push(&body[..cut], true).unwrap();
        let mut recoder = Recoder::new(from, target(Some(to))).unwrap();
        let out = recoder.push(first, true, |_| {}).unwrap();
        let mut decoder = Decoder::new(to, u64::MAX).unwrap();
        let mut read = BytesMut::new();
        decoder.push(&out, &mut read).unwrap();
        prop_assert!(read == body[..cut]);
    }

    #[test]
    fn a_body_cut_anywhere_is_an_error(
        from in prop::sample::select(&SOURCES[..4]),
        raw: bool,
        to in any_target(),
        body in any_body(),
        cut: prop::sample::Index,
    ) {
        let sent = coded(from, raw, &body);
        let cut = cut.index(sent.len());
        let mut recoder = Recoder::new(from, target(to)).unwrap();
        let error = run(&mut recoder, [&sent[..cut]]).unwrap_err();
        prop_assert_eq!(error, TranscodeError::Decode(DecodeError::Truncated { coding: from }));
        prop_assert!(recoder.finish().is_err(), "an error stays one");
        let more = recoder.push(Bytes::from_static(b"x"), false, |_| {});
        prop_assert!(more.is_err());
    }

    #[test]
    fn any_bytes_are_survived(
        from in prop::sample::select(&SOURCES[..4]),
        to in any_target(),
        bytes in prop::collection::vec(any::<u8>(), 0..3_000),
    ) {
        let _ = run(&mut Recoder::new(from, target(to)).unwrap(), bytes.chunks(1_000));
    }
}

#[test]
fn bytes_behind_the_end_are_an_error() {
    for from in &SOURCES[..4] {
        for raw in [false, true] {
            let sent = [coded(*from, raw, b"some body"), b"<!-- and more -->".to_vec()].concat();
            for size in [1, 5, sent.len()] {
                let error = run(&mut Recoder::new(*from, target(None)).unwrap(), sent.chunks(size)).unwrap_err();
                assert_eq!(
                    error,
                    TranscodeError::Decode(DecodeError::Trailing { coding: *from }),
                    "{from:?} by {size}"
                );
            }
        }
    }
}

#[test]
fn no_bytes_at_all_are_no_coded_body() {
    for from in &SOURCES[..4] {
        assert!(Recoder::new(*from, target(Some(Coding::Gzip))).unwrap().finish().is_err());
    }
}

#[test]
fn a_bomb_is_seen_early_and_takes_no_room() {
    let zeros = vec![0u8; 64 << 20];
    for from in &SOURCES[..4] {
        let bomb = coded(*from, false, &zeros);
        for to in [None, Some(Coding::Identity), Some(Coding::Brotli), Some(Coding::Gzip)] {
            let mut recoder = Recoder::new(*from, target(to)).unwrap();
            let mut seen = 0;
            let error = bomb
                .chunks(64 << 10)
                .find_map(|chunk| recoder.push(Bytes::copy_from_slice(chunk), false, |bytes| seen += bytes.len()).err())
                .unwrap();
            assert_eq!(error, TranscodeError::Decode(DecodeError::OverRatio { coding: *from, limit: 200 }));
            assert!(seen <= (8 << 20) + 2 * TURN, "{from:?}: {seen} bytes were decoded");
        }
    }
}

#[test]
fn each_bound_has_its_error() {
    let body = sample::json(300_000);
    let from = Source::Coded(Coding::Gzip);
    let sent = coded(from, false, &body);
    let wide = Bounds::OF_AN_APP;
    let seen = |bounds| {
        let mut recoder = Recoder::within(bounds, from, Target::Identity).unwrap();
        run(&mut recoder, sent.chunks(1_000)).map(|(out, _)| out.len()).map_err(|error| match error {
            TranscodeError::Decode(error) => error,
            TranscodeError::Encode(error) => panic!("{error}"),
        })
    };
    assert_eq!(seen(wide), Ok(body.len()));
    assert_eq!(seen(Bounds { size: 300_000, ..wide }), Ok(body.len()));
    assert!(matches!(seen(Bounds { size: 299_999, ..wide }), Err(DecodeError::OverLimit { .. })));
    assert!(matches!(seen(Bounds { ratio: 2, grace: 1_000, ..wide }), Err(DecodeError::OverRatio { .. })));
    assert_eq!(seen(Bounds { ratio: 2, grace: 300_000, ..wide }), Ok(body.len()));
    assert!(matches!(seen(Bounds { time: Duration::ZERO, ..wide }), Err(DecodeError::OverTime { .. })));
}

#[test]
fn padding_makes_a_body_longer_and_nothing_else() {
    let body = sample::html(90_000);
    for coding in [Coding::Brotli, Coding::Zstd, Coding::Gzip] {
        for level in
            [0, 1, 5, 9].map(|level| Live::Fixed(crate::encode::Levels { brotli: level, zstd: 3, gzip: level }))
        {
            let plan = setup(coding, level, None);
            let length = |dice: Option<u8>, body: &[u8]| {
                let mut encoder = match dice {
                    Some(dice) => {
                        let padding = Padding::new(dice, [0xa5; 64]);
                        BodyEncoder::new(&plan).unwrap().padded(&padding).unwrap()
                    }
                    None => BodyEncoder::new(&plan).unwrap(),
                };
                let mut coded = Vec::new();
                for chunk in body.chunks(5_000) {
                    coded.extend_from_slice(&encoder.push(chunk, chunk[0] < b'f').unwrap());
                }
                coded.extend_from_slice(&encoder.finish().unwrap().unwrap());
                assert!(decoded(coding.into(), &coded) == body, "{plan:?} {dice:?}");
                assert_eq!(encoder.output_bytes(), coded.len() as u64);
                coded.len()
            };
            for body in [&body[..], b"short", b""] {
                let plain = length(None, body);
                let padded: Vec<usize> = (0..64).map(|dice| length(Some(dice), body) - plain).collect();
                assert!(padded.is_sorted_by(|one, other| one < other), "{plan:?}: {padded:?}");
                assert!(padded[0] >= 1 && padded[63] <= 64 + 16, "{plan:?}: {padded:?}");
            }
        }
    }
}

/// Coded with a window far larger than encoders of live bodies use.
fn far(source: Coding, body: &[u8]) -> Vec<u8> {
    let window = if source == Coding::Brotli { 24 } else { 23 };
    let plan = Setup { window, table: 16, ..setup(source, Live::Auto, None) };
    transcode(body, Coding::Identity, &plan, u64::MAX).unwrap().to_vec()
}

fn push_all(recoder: &mut Recoder, coded: &[u8], each: impl Fn()) -> Result<(), TranscodeError> {
    for chunk in coded.chunks(64 << 10) {
        recoder.push(Bytes::copy_from_slice(chunk), false, |_| ())?;
        each();
    }
    recoder.finish().map(|_| ())
}

#[test]
fn a_usual_decoder_stays_within_what_it_asks_for() {
    let budget = Arc::new(Budget::new(64 << 20));
    for length in [0, 1_000, 100_000, 3_000_000] {
        let body = sample::json(length);
        for from in &SOURCES[..4] {
            let sent = coded(*from, false, &body);
            let asked = heap(*from, Some(sent.len() as u64));
            let decoder = budget.admit_decoder(asked).unwrap();
            let mut recoder = Recoder::new(*from, Target::AsItCame).unwrap().admitted(decoder);
            push_all(&mut recoder, &sent, || {
                assert!(budget.held() > 0);
                assert_eq!(budget.reserved(), asked, "{from:?} of {length}: {} held", budget.held());
            })
            .unwrap();
            drop(recoder);
            assert_eq!((budget.reserved(), budget.held()), (0, 0));
        }
    }
}

#[test]
fn a_window_that_there_is_no_room_for_is_an_error() {
    let body = sample::noise(5 << 20);
    for from in [Coding::Brotli, Coding::Zstd] {
        let sent = far(from, &body);
        for (room, fits) in [(6, false), (32, true)] {
            let budget = Arc::new(Budget::new(room << 20));
            let decoder = budget.admit_decoder(1 << 20).unwrap();
            let mut recoder = Recoder::new(from.into(), Target::AsItCame).unwrap().admitted(decoder);
            let within = || assert!(budget.held() <= budget.reserved() && budget.reserved() <= budget.limit());
            match push_all(&mut recoder, &sent, within) {
                Ok(()) => assert!(fits, "{from:?}"),
                Err(TranscodeError::Decode(DecodeError::OverMemory { bytes, .. })) => {
                    assert!(!fits && bytes > 6 << 20, "{from:?}: {bytes}");
                }
                Err(other) => panic!("{from:?}: {other}"),
            }
            assert!(recoder.outcome().is_some());
            assert_eq!(budget.held(), 0, "{from:?}: nothing outlives the end");
        }
    }
}

#[test]
fn a_long_piece_is_of_the_budget_until_it_is_written() {
    let from = Source::Coded(Coding::Gzip);
    let sent = coded(from, false, &b"<td></td>".repeat(700_000));
    assert!(sent.len() < 64 << 10);
    let recoder = |budget: &Arc<Budget>| {
        let decoder = budget.admit_decoder(heap(from, None)).unwrap();
        Recoder::new(from, Target::Identity).unwrap().admitted(decoder)
    };
    let budget = Arc::new(Budget::new(32 << 20));
    let mut roomy = recoder(&budget);
    let piece = roomy.push(sent.clone().into(), false, |_| ()).unwrap();
    assert_eq!(piece.len(), 6_300_000);
    assert!(budget.held() > 6_300_000 && budget.reserved() >= budget.held());
    let part = piece.slice(6_000_000..);
    drop((piece, roomy.finish().unwrap()));
    assert!(budget.held() > 6_300_000, "some of it is still to be written");
    drop(part);
    assert_eq!((budget.reserved(), budget.held()), (0, 0));

    let budget = Arc::new(Budget::new(4 << 20));
    let mut narrow = recoder(&budget);
    let error = narrow.push(sent.into(), false, |_| ()).unwrap_err();
    assert!(matches!(error, TranscodeError::Decode(DecodeError::OverMemory { .. })), "{error}");
    drop(narrow);
    assert_eq!((budget.reserved(), budget.held()), (0, 0));
}
