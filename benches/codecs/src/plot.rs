//! Speed against ratio as a drawing: a panel for each class, a line for each engine and coding, operating points marked.

use std::fmt::Write;

use vacpack::header::Coding;

use crate::contender::{CODINGS, Engine, Plan};
use crate::measure::{Measured, Point};

const COLUMNS: usize = 2;
const PANEL: (f64, f64) = (560.0, 400.0);
/// Left, top, right and bottom of the axes within a panel.
const MARGIN: (f64, f64, f64, f64) = (54.0, 34.0, 16.0, 44.0);
const LEGEND: f64 = 62.0;
/// MB/s at both ends of the axis, which is logarithmic.
const SLOWEST: f64 = 0.3;
const FASTEST: f64 = 1000.0;

pub fn plot(classes: &[Measured]) -> String {
    let (width, rows) = (PANEL.0 * COLUMNS as f64, classes.len().div_ceil(COLUMNS) as f64);
    let height = LEGEND + PANEL.1 * rows;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    legend(&mut svg);
    for (number, class) in classes.iter().enumerate() {
        let x = (number % COLUMNS) as f64 * PANEL.0;
        let y = LEGEND + (number / COLUMNS) as f64 * PANEL.1;
        add(&mut svg, format_args!("<g transform=\"translate({x} {y})\">\n"));
        panel(&mut svg, class);
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn add(svg: &mut String, text: std::fmt::Arguments<'_>) {
    svg.write_fmt(text).expect("a String takes everything");
}

fn colour(coding: Coding) -> &'static str {
    match coding {
        Coding::Brotli => "#c0392b",
        Coding::Zstd => "#1f6fb2",
        _ => "#2e8b57",
    }
}

fn dashes(is_ours: bool) -> &'static str {
    if is_ours { "" } else { " stroke-dasharray=\"5 4\"" }
}

fn legend(svg: &mut String) {
    svg.push_str(
        "<text x=\"16\" y=\"22\" font-size=\"15\" font-weight=\"bold\">Speed against ratio, one thread</text>\n",
    );
    let mut x = 16.0;
    for coding in CODINGS {
        for (engine, is_ours) in [("vacpack", true), ("C", false)] {
            let (stroke, dashes, end) = (colour(coding), dashes(is_ours), x + 28.0);
            add(svg, format_args!("<path d=\"M{x} 42H{end}\" stroke=\"{stroke}\" stroke-width=\"2\"{dashes}/>\n"));
            add(svg, format_args!("<text x=\"{}\" y=\"46\">{} {engine}</text>\n", x + 34.0, coding.token()));
            x += 118.0;
        }
    }
    add(svg, format_args!("<circle cx=\"{}\" cy=\"42\" r=\"6\" fill=\"#444\"/>\n", x + 8.0));
    add(svg, format_args!("<text x=\"{}\" y=\"46\">live</text>\n", x + 20.0));
    add(svg, format_args!("<path d=\"M{} 36l6 6-6 6-6-6z\" fill=\"#444\"/>\n", x + 68.0));
    add(svg, format_args!("<text x=\"{}\" y=\"46\">improved while idle</text>\n", x + 80.0));
}

/// Where a point is drawn: speed to the right, ratio upwards.
struct Axes {
    lowest: f64,
    highest: f64,
}

impl Axes {
    fn of(class: &Measured) -> Self {
        let ratios = class.points.iter().map(Point::ratio);
        let (lowest, highest) = ratios.fold((f64::MAX, 0.0f64), |(low, high), each| (low.min(each), high.max(each)));
        Self { lowest: lowest.floor(), highest: highest * 1.04 }
    }

    fn x(&self, speed: f64) -> f64 {
        let share = (speed.clamp(SLOWEST, FASTEST) / SLOWEST).ln() / (FASTEST / SLOWEST).ln();
        MARGIN.0 + share * (PANEL.0 - MARGIN.0 - MARGIN.2)
    }

    fn y(&self, ratio: f64) -> f64 {
        let share = (ratio - self.lowest) / (self.highest - self.lowest);
        PANEL.1 - MARGIN.3 - share * (PANEL.1 - MARGIN.1 - MARGIN.3)
    }

    fn at(&self, point: &Point) -> (f64, f64) {
        (self.x(point.megabytes_a_second()), self.y(point.ratio()))
    }
}

fn panel(svg: &mut String, class: &Measured) {
    let axes = Axes::of(class);
    let (left, right, bottom) = (MARGIN.0, PANEL.0 - MARGIN.2, PANEL.1 - MARGIN.3);
    add(svg, format_args!("<text x=\"{left}\" y=\"22\" font-weight=\"bold\">{}, ", class.class));
    add(svg, format_args!("{} files, {:.1} MB</text>\n", class.files, class.bytes as f64 / 1e6));
    for speed in [0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0] {
        let x = axes.x(speed);
        add(svg, format_args!("<path d=\"M{x:.1} {}V{bottom}\" stroke=\"#e4e4e4\"/>\n", MARGIN.1));
        add(svg, format_args!("<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{speed}</text>\n", bottom + 16.0));
    }
    let step = step(axes.highest - axes.lowest);
    let mut ratio = axes.lowest;
    while ratio <= axes.highest {
        let y = axes.y(ratio);
        add(svg, format_args!("<path d=\"M{left} {y:.1}H{right}\" stroke=\"#e4e4e4\"/>\n"));
        add(svg, format_args!("<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{ratio}</text>\n", left - 6.0, y + 4.0));
        ratio += step;
    }
    add(svg, format_args!("<text x=\"{right}\" y=\"{}\" text-anchor=\"end\">MB/s</text>\n", bottom + 34.0));
    add(svg, format_args!("<text x=\"16\" y=\"{}\">ratio</text>\n", MARGIN.1 - 12.0));
    for coding in CODINGS {
        line(svg, class, &axes, coding, false);
        line(svg, class, &axes, coding, true);
    }
    for coding in CODINGS {
        marks(svg, class, &axes, coding);
    }
}

/// Some five lines across the panel.
fn step(range: f64) -> f64 {
    [0.5, 1.0, 2.0, 5.0, 10.0].into_iter().find(|step| range / step <= 8.0).unwrap_or(20.0)
}

/// The levels of one engine, each with its number.
fn line(svg: &mut String, class: &Measured, axes: &Axes, coding: Coding, is_ours: bool) {
    let is_level = |point: &&Point| match point.contender.engine {
        Engine::Vacpack(plan) => is_ours && matches!(plan, Plan::Fixed(_)),
        Engine::C(_) => !is_ours,
    };
    let levels: Vec<&Point> =
        class.points.iter().filter(|point| point.contender.coding == coding).filter(is_level).collect();
    let stroke = colour(coding);
    let path: Vec<String> = levels.iter().map(|point| axes.at(point)).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    add(svg, format_args!("<polyline points=\"{}\" fill=\"none\" stroke=\"{stroke}\"", path.join(" ")));
    add(svg, format_args!(" stroke-width=\"1.6\"{}/>\n", dashes(is_ours)));
    for point in levels {
        let (x, y) = axes.at(point);
        add(svg, format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.4\" fill=\"{stroke}\"/>\n"));
        // Ours above its line, the library's below.
        let below = if is_ours { -6.0 } else { 14.0 };
        add(svg, format_args!("<text x=\"{x:.1}\" y=\"{:.1}\" font-size=\"9\" fill=\"{stroke}\"", y + below));
        add(svg, format_args!(" text-anchor=\"middle\">{}</text>\n", point.contender.label()));
    }
}

fn marks(svg: &mut String, class: &Measured, axes: &Axes, coding: Coding) {
    let fill = colour(coding);
    for point in class.points.iter().filter(|point| point.contender.coding == coding) {
        let (x, y) = axes.at(point);
        match point.contender.engine {
            Engine::Vacpack(Plan::Live) => {
                add(
                    svg,
                    format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"6\" fill=\"{fill}\" stroke=\"#fff\"/>\n"),
                );
            }
            Engine::Vacpack(Plan::Improved) => {
                let top = y - 7.0;
                add(svg, format_args!("<path d=\"M{x:.1} {top:.1}l7 7-7 7-7-7z\" fill=\"{fill}\" stroke=\"#fff\"/>\n"));
            }
            Engine::Vacpack(Plan::Fixed(_)) | Engine::C(_) => {}
        }
    }
}
