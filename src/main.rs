//! Parse, load, run, exit code - nothing else.

fn main() {}
