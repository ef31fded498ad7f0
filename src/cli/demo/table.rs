//! The table a person reads: a line a resource, the totals, and what to try next. Pure.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use super::driver::ACCEPT_ENCODING;
use super::report::{Report, Row, Totals, saved, share};

/// Everything that was measured, as text.
pub(super) fn render(report: &Report) -> String {
    let mut out =
        format!("\n{} requests as browsers send them (Accept-Encoding: {ACCEPT_ENCODING})\n\n", report.totals.requests);
    out.push_str(&line([
        "resource",
        "",
        "from app",
        "to client",
        "saved",
        "coding",
        "first",
        "second",
        "second request",
    ]));
    for row in &report.rows {
        out.push_str(&resource(row));
    }
    out.push('\n');
    out.push_str(&totals(&report.totals));
    out.push_str(&compression(report));
    out.push_str(&verdict(&report.rows));
    out
}

fn line([path, note, app, client, saved, coding, first, second, cache]: [&str; 9]) -> String {
    let text =
        format!("{path:<20} {note:<19}{app:>10} {client:>10} {saved:>8}  {coding:<9}{first:>9} {second:>9}  {cache}");
    format!("{}\n", text.trim_end())
}

fn resource(row: &Row) -> String {
    line([
        row.path,
        row.note,
        &size(row.from_app),
        &size(row.to_client),
        &percent(saved(row.from_app, row.to_client)),
        &row.coding,
        &milliseconds(row.first),
        &milliseconds(row.second),
        row.cache.as_str(),
    ])
}

fn totals(totals: &Totals) -> String {
    let compare =
        |what: &str, without: &str, with: &str, saved: &str| format!("{what:<20}{without:>16} {with:>14} {saved:>9}\n");
    let hit_rate = format!(
        "hit rate: {} of requests for cacheable resources ({} of {}), {} of all\n",
        percent(share(totals.hits, totals.storable)),
        totals.hits,
        totals.storable,
        percent(share(totals.hits, totals.requests)),
    );
    [
        compare("total", "without vacpack", "with vacpack", "saved"),
        compare(
            "bytes to clients",
            &size(totals.without),
            &size(totals.with),
            &percent(saved(totals.without, totals.with)),
        ),
        compare(
            "requests to the app",
            &totals.requests.to_string(),
            &totals.app_requests.to_string(),
            &percent(saved(totals.requests, totals.app_requests)),
        ),
        hit_rate,
    ]
    .concat()
}

/// The saving of the codecs alone, twice: as the proxy counts it and as its clients saw it.
fn compression(report: &Report) -> String {
    let seen = report.totals.coded;
    report.metrics.map_or_else(
        || {
            format!(
                "compression: in {} out {} (saved {}) as received; no /metrics to compare with\n",
                size(seen.input),
                size(seen.output),
                percent(seen.saved())
            )
        },
        |counted| {
            format!(
                "compression: in {} out {} (saved {}) by /metrics; {} by what the clients received\n",
                size(counted.input),
                size(counted.output),
                percent(counted.saved()),
                percent(seen.saved()),
            )
        },
    )
}

/// Whether the cache did what the app's heads allow.
fn verdict(rows: &[Row]) -> String {
    let cacheable = rows.iter().filter(|row| row.storable).count();
    let mut missed = rows.iter().filter(|row| row.storable && !row.cache.is_hit()).map(|row| row.path).peekable();
    if missed.peek().is_none() {
        return format!("every second request of the {cacheable} cacheable resources was a hit\n");
    }
    format!("not a hit the second time, though cacheable: {}\n", missed.collect::<Vec<_>>().join(", "))
}

/// What to try by hand.
pub(super) fn urls(listen: SocketAddr, admin: SocketAddr, app: SocketAddr) -> String {
    let mut out = String::from("Try:\n");
    let lines = [
        (
            format!("curl -sS -D - -o /dev/null -H 'Accept-Encoding: br' http://{listen}/products/1042"),
            "a hit, compressed",
        ),
        (
            format!("curl -sS -D - -o /dev/null http://{listen}/products/1042"),
            "the same for a client that takes no coding",
        ),
        (format!("curl -sS -N --compressed http://{listen}/events"), "events as they happen"),
        (format!("curl -sS -D - -o /dev/null http://{app}/products/1042"), "the app itself"),
        (format!("curl -sS http://{admin}/metrics"), "what vacpack counted"),
    ];
    for (command, shows) in lines {
        writeln!(out, "  {command:<88} # {shows}").expect("writing to a String cannot fail");
    }
    out
}

/// Three digits at most before the unit, as a person reads sizes.
fn size(bytes: u64) -> String {
    const KIB: f64 = 1024.0;
    let bytes_float = bytes as f64;
    if bytes < 1_024 {
        format!("{bytes} B")
    } else if bytes_float < 999.95 * KIB {
        format!("{:.1} KiB", bytes_float / KIB)
    } else if bytes_float < 999.95 * KIB * KIB {
        format!("{:.1} MiB", bytes_float / KIB / KIB)
    } else {
        format!("{:.1} GiB", bytes_float / KIB / KIB / KIB)
    }
}

fn percent(share: f64) -> String {
    // Adding zero turns the -0.0 of a tiny growth into 0.0.
    format!("{:.1} %", (share * 10.0).round() / 10.0 + 0.0)
}

fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    if milliseconds < 10.0 { format!("{milliseconds:.2} ms") } else { format!("{milliseconds:.0} ms") }
}

#[cfg(test)]
mod tests {
    use super::super::report::{CacheWord, Coded};
    use super::*;

    fn row(path: &'static str, cache: &str, storable: bool) -> Row {
        Row {
            path,
            note: "chunked",
            from_app: 49_152,
            to_client: 7_270,
            coding: "br".to_owned(),
            first: Duration::from_micros(3_140),
            second: Duration::from_micros(310),
            cache: CacheWord::new(Some(cache)),
            storable,
        }
    }

    fn report(rows: Vec<Row>) -> Report {
        let totals = Totals {
            requests: 400,
            storable: 360,
            hits: 342,
            app_requests: 50,
            without: 100 << 20,
            with: 20 << 20,
            coded: Coded { input: 4_000_000, output: 1_000_000 },
        };
        Report { rows, totals, metrics: Some(Coded { input: 4_000_000, output: 1_000_400 }) }
    }

    #[test]
    fn the_table_says_what_was_measured() {
        let text =
            render(&report(vec![row("/", "vacpack; hit; ttl=59", true), row("/basket", "vacpack; fwd=bypass", false)]));
        for expected in [
            "400 requests as browsers send them (Accept-Encoding: gzip, deflate, br, zstd)",
            "/                    chunked              48.0 KiB    7.1 KiB   85.2 %  br         3.14 ms   0.31 ms  hit; ttl=59\n",
            "fwd=bypass\n",
            "bytes to clients           100.0 MiB       20.0 MiB    80.0 %\n",
            "requests to the app              400             50    87.5 %\n",
            "hit rate: 95.0 % of requests for cacheable resources (342 of 360), 85.5 % of all\n",
            "compression: in 3.8 MiB out 977.0 KiB (saved 75.0 %) by /metrics; 75.0 % by what the clients received\n",
            "every second request of the 1 cacheable resources was a hit\n",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
        for line in text.lines() {
            assert!(line.len() <= 120 && line.trim_end() == line, "{line:?}");
        }
    }

    #[test]
    fn a_cacheable_resource_that_missed_twice_is_named() {
        let text = render(&report(vec![row("/", "vacpack; fwd=uri-miss", true), row("/news", "vacpack; hit", true)]));
        assert!(text.contains("not a hit the second time, though cacheable: /\n"), "{text}");
    }

    #[test]
    fn sizes_and_shares_are_short() {
        let sizes = [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (1_023_900, "999.9 KiB"),
            (1_023_960, "1.0 MiB"),
            (1 << 40, "1024.0 GiB"),
        ];
        for (bytes, text) in sizes {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(percent(-0.01), "0.0 %");
        assert_eq!(percent(74.25), "74.3 %");
        assert_eq!(milliseconds(Duration::from_millis(412)), "412 ms");
    }
}
