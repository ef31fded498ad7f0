//! What compression did: bytes in, bytes out, time, the spread of the ratios, and why bodies were left alone.

use std::time::Duration;

use prometheus::{Counter, Histogram, IntCounter, IntGauge};

use super::children::Children;
use super::family::{
    COMPRESSION_INPUT_BYTES, COMPRESSION_OUTPUT_BYTES, COMPRESSION_RATIO, COMPRESSION_SECONDS, COMPRESSION_SKIPPED,
    COMPRESSION_TRANSCODED, ENCODER_DOWNGRADES, PRESSURE_STEP,
};
use super::label::{Downgrade, Mode, Transcoding};
use super::registry::{Registry, seconds};
use crate::header::Coding;
use crate::header::coding::Source;
use crate::negotiate::SkipReason;

/// Upper bounds of the ratio: fine where text falls, coarse where compression gains little, and one for bodies that
/// grew.
const RATIO_BUCKETS: [f64; 11] = [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0];

pub struct CompressionMeters {
    brotli: CodingMeters,
    zstd: CodingMeters,
    gzip: CodingMeters,
    skipped: Children<SkipReason, IntCounter>,
    transcoded: Children<Source, Children<Transcoding, IntCounter>>,
    downgrades: Children<Downgrade, IntCounter>,
    pressure_step: IntGauge,
}

struct CodingMeters {
    volume: Children<Mode, Volume>,
    ratio: Histogram,
}

struct Volume {
    input: IntCounter,
    output: IntCounter,
    seconds: Counter,
}

/// One body that an encoder worked on, whether or not it got to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    pub coding: Coding,
    pub mode: Mode,
    pub input: u64,
    pub output: u64,
    /// Time inside the encoder alone.
    pub busy: Duration,
}

impl Encoded {
    /// Output over input; none where nothing went in.
    pub fn ratio(&self) -> Option<f64> {
        ratio(self.input, self.output)
    }
}

/// Output over input; none where nothing went in.
pub(super) fn ratio(input: u64, output: u64) -> Option<f64> {
    (input > 0).then(|| output as f64 / input as f64)
}

impl CompressionMeters {
    pub(super) fn register(registry: &Registry) -> Self {
        let input = registry.counters(&COMPRESSION_INPUT_BYTES);
        let output = registry.counters(&COMPRESSION_OUTPUT_BYTES);
        let busy = registry.second_counters(&COMPRESSION_SECONDS);
        let transcoded = registry.counters(&COMPRESSION_TRANSCODED);
        let ratio = registry.histograms(&COMPRESSION_RATIO, RATIO_BUCKETS.to_vec());
        let meters = |coding: Coding| CodingMeters {
            volume: Children::resolve(|mode| Volume {
                input: input.with_label_values(&[coding.token(), mode]),
                output: output.with_label_values(&[coding.token(), mode]),
                seconds: busy.with_label_values(&[coding.token(), mode]),
            }),
            ratio: ratio.with_label_values(&[coding.token()]),
        };
        Self {
            brotli: meters(Coding::Brotli),
            zstd: meters(Coding::Zstd),
            gzip: meters(Coding::Gzip),
            skipped: Children::of_family(&registry.counters(&COMPRESSION_SKIPPED)),
            transcoded: Children::resolve(|source| {
                Children::resolve(|ended| transcoded.with_label_values(&[source, ended]))
            }),
            downgrades: Children::of_family(&registry.counters(&ENCODER_DOWNGRADES)),
            pressure_step: registry.gauge(&PRESSURE_STEP),
        }
    }

    /// Also for encoders outside of a request. What improves stored bodies has families of its own.
    pub fn encoded(&self, body: &Encoded) {
        let Some(meters) = self.meters(body.coding) else {
            return;
        };
        let volume = meters.volume.of(body.mode);
        volume.input.inc_by(body.input);
        volume.output.inc_by(body.output);
        volume.seconds.inc_by(seconds(body.busy));
        if let Some(ratio) = body.ratio() {
            meters.ratio.observe(ratio);
        }
    }

    /// An encoder was given less memory than planned, or none.
    pub fn downgraded(&self, what: Downgrade) {
        self.downgrades.of(what).inc();
    }

    pub fn pressure_step(&self, step: u8) {
        self.pressure_step.set(step.into());
    }

    pub(super) fn skipped(&self, reason: SkipReason) {
        self.skipped.of(reason).inc();
    }

    pub(super) fn transcoded(&self, source: Source, ended: Transcoding) {
        self.transcoded.of(source).of(ended).inc();
    }

    fn meters(&self, coding: Coding) -> Option<&CodingMeters> {
        match coding {
            Coding::Identity => None,
            Coding::Brotli => Some(&self.brotli),
            Coding::Zstd => Some(&self.zstd),
            Coding::Gzip => Some(&self.gzip),
        }
    }
}
