//! Who takes part: an engine, a coding, a level, and how it codes a body.

use std::io::Write;

use flate2::Compression;
use vacpack::encode::{Best, BodyEncoder, Levels, Live, Setup, best, setup};
use vacpack::header::Coding;

use crate::{CHUNK, libbrotli};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Vacpack(Plan),
    C(u32),
}

/// Which of vacpack's plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    Fixed(u32),
    /// What clients wait for.
    Live,
    /// What is made of a stored body in idle time.
    Improved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contender {
    pub coding: Coding,
    pub engine: Engine,
}

pub const CODINGS: [Coding; 3] = [Coding::Brotli, Coding::Zstd, Coding::Gzip];

/// Heap that one improving encoder may take.
const ROOM: u64 = 40 << 20;

/// In the order of the report: engines and levels of a coding together, fast ones first.
pub fn contenders() -> Vec<Contender> {
    let of_coding = |coding| {
        let (levels, highest): (&[u32], u32) = match coding {
            Coding::Brotli => (&[1, 2, 3, 4, 5, 6, 7, 9], 11),
            Coding::Zstd => (&[1, 3, 6, 9, 12], 19),
            _ => (&[1, 3, 4, 6], 9),
        };
        let ours = levels.iter().map(|&level| Engine::Vacpack(Plan::Fixed(level)));
        let plans = [Engine::Vacpack(Plan::Live), Engine::Vacpack(Plan::Improved)];
        let c = levels.iter().chain([&highest]).map(|&level| Engine::C(level));
        let engines: Vec<Engine> = ours.chain(plans).chain(c).collect();
        engines.into_iter().map(move |engine| Contender { coding, engine })
    };
    CODINGS.into_iter().flat_map(of_coding).collect()
}

impl Contender {
    pub fn label(&self) -> String {
        match self.engine {
            Engine::Vacpack(Plan::Fixed(level)) | Engine::C(level) => level.to_string(),
            Engine::Vacpack(Plan::Live) => "live".to_owned(),
            Engine::Vacpack(Plan::Improved) => "improved".to_owned(),
        }
    }

    /// Seconds for a megabyte: one round has to do.
    pub fn is_slow(&self) -> bool {
        matches!(
            (self.coding, self.engine),
            (Coding::Brotli | Coding::Zstd, Engine::Vacpack(Plan::Improved))
                | (Coding::Brotli, Engine::C(10..))
                | (Coding::Zstd, Engine::C(13..))
        )
    }

    /// The coded body: its length is known beforehand, as that of a file is.
    pub fn encode(&self, body: &[u8]) -> Vec<u8> {
        let length = Some(body.len() as u64);
        match (self.engine, self.coding) {
            (Engine::Vacpack(plan), coding) => ours(&plan.setup(coding, body.len() as u64), body),
            (Engine::C(level), Coding::Brotli) => {
                // The window that ours has at this level.
                let window = plan_of(level).setup(self.coding, body.len() as u64).window;
                libbrotli::encode(level, window, length, body, CHUNK)
            }
            (Engine::C(level), Coding::Zstd) => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), level as i32).expect("memory");
                written(body, &mut encoder);
                encoder.finish().expect("an end mark")
            }
            (Engine::C(level), _) => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::new(level));
                written(body, &mut encoder);
                encoder.finish().expect("an end mark")
            }
        }
    }
}

/// Above level 9 brotli is for what is stored.
fn plan_of(level: u32) -> Plan {
    if level > 9 { Plan::Improved } else { Plan::Fixed(level) }
}

impl Plan {
    fn setup(self, coding: Coding, length: u64) -> Setup {
        match self {
            Self::Fixed(level) => {
                let levels = Levels { brotli: level, zstd: level as i32, gzip: level };
                setup(coding, Live::Fixed(levels), Some(length))
            }
            Self::Live => setup(coding, Live::Auto, Some(length)),
            Self::Improved => {
                best(coding, Best::default(), length, ROOM).expect("files of the corpus are not too long")
            }
        }
    }
}

/// As the proxy does it.
pub fn ours(plan: &Setup, body: &[u8]) -> Vec<u8> {
    let mut encoder = BodyEncoder::new(plan).expect("an encoder");
    let mut coded = Vec::new();
    for chunk in body.chunks(CHUNK) {
        coded.extend_from_slice(&encoder.push(chunk, false).expect("coded"));
    }
    coded.extend_from_slice(&encoder.finish().expect("coded").expect("an end mark"));
    coded
}

fn written(body: &[u8], encoder: &mut impl Write) {
    for chunk in body.chunks(CHUNK) {
        encoder.write_all(chunk).expect("memory takes everything");
    }
}
