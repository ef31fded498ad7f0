//! Long bodies of unknown length: live brotli beside level 5 of the C library in the same window, and what it holds.

use std::time::Duration;

use vacpack::encode::{BodyEncoder, Live, Setup, setup};
use vacpack::header::Coding;

use crate::classes::Class;
use crate::clock::timed;
use crate::counting::Counting;
use crate::{CHUNK, libbrotli};

pub struct Stream {
    pub class: &'static str,
    pub length: usize,
    pub window: u32,
    pub ours: usize,
    pub c: usize,
    /// The most heap of the encoder at any time.
    pub peak: usize,
    pub busy: Duration,
    pub busy_c: Duration,
}

const LENGTHS: [usize; 3] = [1_500_000, 8_000_000, 20_000_000];
/// What proxies with the C library use.
pub const C_LEVEL: u32 = 5;
/// Percent over C's size.
pub const MOST_OVER: f64 = 2.0;
pub const MOST_HEAP: usize = 4 << 20;
/// These have long documents.
const CLASSES: [&str; 4] = ["JSON", "HTML", "XML, SVG", "prose"];

impl Stream {
    pub fn over(&self) -> f64 {
        100.0 * self.ours as f64 / self.c as f64 - 100.0
    }

    pub fn holds(&self) -> bool {
        self.over() <= MOST_OVER && self.peak <= MOST_HEAP
    }
}

pub fn streams(classes: &[Class]) -> Vec<Stream> {
    let of_class = |class| LENGTHS.map(|length| stream(class, length));
    classes.iter().filter(|class| CLASSES.contains(&class.name)).flat_map(of_class).collect()
}

fn stream(class: &Class, length: usize) -> Stream {
    let body = long(class, length);
    let plan = setup(Coding::Brotli, Live::Auto, None);
    let ((ours, peak), busy) = timed(|| ours(&plan, &body));
    let (c, busy_c) = timed(|| libbrotli::encode(C_LEVEL, plan.window, None, &body, CHUNK).len());
    Stream { class: class.name, length, window: plan.window, ours, c, peak, busy, busy_c }
}

/// The longest files first, one after the other and from the beginning again: no repetition is within the window.
fn long(class: &Class, length: usize) -> Vec<u8> {
    let mut files: Vec<&[u8]> = class.files.iter().map(Vec::as_slice).collect();
    files.sort_by_key(|body| std::cmp::Reverse(body.len()));
    files.into_iter().cycle().flatten().copied().take(length).collect()
}

/// Nothing of the output is kept: the heap is the encoder's.
fn ours(plan: &Setup, body: &[u8]) -> (usize, usize) {
    let before = Counting::held();
    Counting::forget_peak();
    let mut encoder = BodyEncoder::new(plan).expect("an encoder");
    for chunk in body.chunks(CHUNK) {
        drop(encoder.push(chunk, false).expect("coded"));
    }
    drop(encoder.finish().expect("an end mark"));
    (encoder.output_bytes() as usize, Counting::peak() - before)
}
