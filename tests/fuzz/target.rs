//! libFuzzer's way in.

#![no_main]

mod exchange;
mod heads;

libfuzzer_sys::fuzz_target!(|input: &[u8]| heads::survive(input));
