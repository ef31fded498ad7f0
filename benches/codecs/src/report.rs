//! The page: a table for each class, and one of long streams.

use std::fmt::Write;

use vacpack::header::Coding;

use crate::contender::{CODINGS, Engine, Plan};
use crate::libbrotli;
use crate::measure::{Measured, Point};
use crate::streams::{C_LEVEL, MOST_HEAP, MOST_OVER, Stream};

pub fn page(classes: &[Measured], streams: &[Stream]) -> String {
    let mut page = String::from(
        "# The engine beside the C libraries\n\n\
         `make bench-codecs`. CPU time of one thread, the shortest of four rounds (of one at levels that take seconds); \
         everybody in turn, in chunks of 16 KiB, encoder made anew for each body. Of each file at most the first MiB, its \
         length known.\n\n",
    );
    add(&mut page, format_args!("- libbrotli {} at vacpack's level and window", libbrotli::version()));
    add(&mut page, format_args!("; zstd {} at its own parameters for a level", zstd::zstd_safe::version_string()));
    add(&mut page, format_args!("; zlib-ng by flate2.\n"));
    add(
        &mut page,
        format_args!("- Not measured: more than one thread, other processors.\n\n![speed against ratio](codecs.svg)\n"),
    );
    operating_points(&mut page, classes);
    for class in classes {
        table(&mut page, class);
    }
    long_streams(&mut page, streams);
    page
}

fn add(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a String takes everything");
}

fn find(class: &Measured, coding: Coding, engine: Engine) -> Option<&Point> {
    class.points.iter().find(|point| point.contender.coding == coding && point.contender.engine == engine)
}

/// Where live responses stand, and C where others stand.
fn operating_points(page: &mut String, classes: &[Measured]) {
    page.push_str("\n## Live levels\n\nRatio @ MB/s; C at brotli 5, zstd 6, gzip 6.\n\n");
    page.push_str("| class | files | bytes | br | C | zstd | C | gzip | C |\n|---|---|---|---|---|---|---|---|---|\n");
    for class in classes {
        add(page, format_args!("| {} | {} | {} ", class.class, class.files, class.bytes));
        for coding in CODINGS {
            let level = if coding == Coding::Brotli { C_LEVEL } else { 6 };
            for engine in [Engine::Vacpack(Plan::Live), Engine::C(level)] {
                match find(class, coding, engine) {
                    Some(point) => {
                        add(page, format_args!("| {:.2} @ {:.0} ", point.ratio(), point.megabytes_a_second()))
                    }
                    None => page.push_str("| - "),
                }
            }
        }
        page.push_str("|\n");
    }
}

fn table(page: &mut String, class: &Measured) {
    add(page, format_args!("\n## {} ({} files, {} bytes)\n\n", class.class, class.files, class.bytes));
    page.push_str(
        "| coding | engine | level | bytes | saved | ratio | MB/s | ns a byte |\n|---|---|---|---|---|---|---|---|\n",
    );
    for point in &class.points {
        let engine = match point.contender.engine {
            Engine::Vacpack(_) => "vacpack",
            Engine::C(_) => "C",
        };
        let saved = 100.0 - 100.0 / point.ratio();
        let (coding, level) = (point.contender.coding.token(), point.contender.label());
        add(
            page,
            format_args!("| {coding} | {engine} | {level} | {} | {saved:.1} % | {:.2} ", point.coded, point.ratio()),
        );
        add(page, format_args!("| {:.1} | {:.2} |\n", point.megabytes_a_second(), point.nanoseconds_a_byte()));
    }
}

fn long_streams(page: &mut String, streams: &[Stream]) {
    page.push_str("\n## Long streams of unknown length\n\n");
    page.push_str("Files of the class in a row. Bounds: ");
    add(
        page,
        format_args!(
            "{MOST_OVER} % over level {C_LEVEL} of C in the same window, {} KiB of heap.\n\n",
            MOST_HEAP >> 10
        ),
    );
    page.push_str("| class | bytes | window | C, bytes | vacpack, bytes | beside C | C, ratio | vacpack, ratio ");
    page.push_str(
        "| heap at most, KiB | C, MB/s | vacpack, MB/s | holds |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for stream in streams {
        let ratio = |coded: usize| stream.length as f64 / coded as f64;
        let speed = |busy: std::time::Duration| stream.length as f64 / busy.as_secs_f64() / 1e6;
        add(page, format_args!("| {} | {} | {} ", stream.class, stream.length, stream.window));
        add(page, format_args!("| {} | {} | {:+.1} % ", stream.c, stream.ours, stream.over()));
        add(page, format_args!("| {:.2} | {:.2} | {} ", ratio(stream.c), ratio(stream.ours), stream.peak >> 10));
        add(page, format_args!("| {:.0} | {:.0} ", speed(stream.busy_c), speed(stream.busy)));
        add(page, format_args!("| {} |\n", if stream.holds() { "yes" } else { "**no**" }));
    }
}
