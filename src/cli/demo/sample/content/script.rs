//! The shop's JavaScript and CSS: machine-made, with the words such files are made of.

use std::fmt::{self, Write};

use super::words::{COLOURS, Choice};

const SUBJECTS: &[&str] = &[
    "Basket", "Carousel", "Dialog", "Filter", "Gallery", "Menu", "Price", "Review", "Search", "Shelf", "Stock",
    "Swatch", "Toast", "Wishlist", "Zoom", "Voucher",
];
const ACTIONS: &[&str] = &[
    "add", "close", "collapse", "fetch", "focus", "format", "hide", "load", "measure", "open", "refresh", "render",
    "select", "sort", "submit", "toggle", "update", "validate",
];
const OBJECTS: &[&str] = &[
    "item", "entry", "label", "panel", "total", "image", "option", "quantity", "address", "section", "heading",
    "message",
];
const EVENTS: &[&str] = &["click", "change", "input", "keydown", "pointerdown", "resize", "submit", "transitionend"];

/// About 1.7 KB a module.
pub(in crate::cli::demo::sample) fn javascript(modules: u64) -> String {
    let mut out = String::from("'use strict';\n");
    let mut choice = Choice::new(21);
    for number in 1..=modules {
        module(&mut out, number, &mut choice).expect("writing to a String cannot fail");
    }
    out
}

fn module(out: &mut String, number: u64, choice: &mut Choice) -> fmt::Result {
    let (subject, event) = (choice.pick(SUBJECTS), choice.pick(EVENTS));
    let class = format!("{subject}{number}");
    writeln!(
        out,
        "\nclass {class} extends Component {{\n  constructor(element, options = {{}}) {{\n    super(element);"
    )?;
    writeln!(
        out,
        "    this.delay = options.delay ?? {};\n    this.limit = options.limit ?? {};",
        choice.below(900),
        choice.below(64)
    )?;
    writeln!(out, "    element.addEventListener('{event}', (event) => this.handle(event));\n  }}\n")?;
    for _ in 0..6 {
        method(out, choice)?;
    }
    writeln!(out, "}}\nregister('{}', {class});", subject.to_lowercase())
}

fn method(out: &mut String, choice: &mut Choice) -> fmt::Result {
    let (action, object, other) = (choice.pick(ACTIONS), choice.pick(OBJECTS), choice.pick(OBJECTS));
    let (threshold, field) = (choice.below(250), choice.pick(OBJECTS));
    match choice.below(4) {
        0 => writeln!(
            out,
            "  async {action}_{object}({other}) {{\n    const response = await fetch(`/api/{object}s/${{{other}.id}}`);\n    if (!response.ok) throw new Error(`{action} failed: ${{response.status}}`);\n    this.{field} = await response.json();\n    return this.render();\n  }}\n"
        ),
        1 => writeln!(
            out,
            "  {action}_{object}(event) {{\n    const target = event.target.closest('[data-{object}]');\n    if (target === null) return;\n    target.classList.toggle('is-{action}', this.{field} > {threshold});\n    target.setAttribute('aria-hidden', String(!this.{other}));\n  }}\n"
        ),
        2 => writeln!(
            out,
            "  {action}_{object}({field}s) {{\n    return {field}s\n      .filter(({field}) => {field}.{other} >= {threshold})\n      .map(({field}) => ({{ ...{field}, {object}: this.{action}({field}.{object}) }}))\n      .sort((left, right) => left.{other} - right.{other});\n  }}\n"
        ),
        _ => writeln!(
            out,
            "  get {action}_{object}() {{\n    let total = 0;\n    for (const {field} of this.{other}s) total += {field}.price * {field}.quantity;\n    return total > {threshold} ? total.toFixed(2) : this.{object};\n  }}\n"
        ),
    }
}

/// About 400 bytes a rule set.
pub(in crate::cli::demo::sample) fn stylesheet(blocks: u64) -> String {
    let mut out = String::from(":root {\n");
    let mut choice = Choice::new(22);
    colours(&mut out, &mut choice)
        .and_then(|()| (1..=blocks).try_for_each(|_| rules(&mut out, &mut choice)))
        .expect("writing to a String cannot fail");
    out
}

fn colours(out: &mut String, choice: &mut Choice) -> fmt::Result {
    for colour in COLOURS {
        writeln!(out, "  --{}: #{:06x};", colour.replace(' ', "-"), choice.below(1 << 24))?;
    }
    writeln!(out, "}}")
}

fn rules(out: &mut String, choice: &mut Choice) -> fmt::Result {
    let block = choice.pick(SUBJECTS).to_lowercase();
    let (element, state, colour) = (choice.pick(OBJECTS), choice.pick(ACTIONS), choice.pick(COLOURS).replace(' ', "-"));
    writeln!(
        out,
        ".{block}__{element} {{\n  display: {};\n  gap: {}px;",
        choice.pick(&["flex", "grid", "block", "inline-flex"]),
        choice.below(33)
    )?;
    writeln!(out, "  padding: {}px {}px;\n  border: 1px solid var(--{colour});", choice.below(40), choice.below(40))?;
    writeln!(
        out,
        "  border-radius: {}px;\n  transition: opacity {}ms ease-in-out;\n}}",
        choice.below(12),
        choice.below(400)
    )?;
    writeln!(
        out,
        ".{block}__{element}--{state}:hover,\n.{block}__{element}--{state}:focus-visible {{\n  color: var(--{colour});\n  transform: translateY(-{}px);\n}}",
        choice.below(6)
    )?;
    writeln!(
        out,
        "@media (min-width: {}px) {{\n  .{block}__{element} {{\n    font-size: {}.{}rem;\n    margin-block: {}px;\n  }}\n}}",
        480 + choice.below(900),
        choice.below(3),
        choice.below(100),
        choice.below(64)
    )
}
