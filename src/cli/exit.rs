//! Exit codes, after sysexits.h: a supervisor and a person tell them apart.

/// Done, or drained.
pub const OK: u8 = 0;
/// The command line is wrong.
pub const USAGE: u8 = 64;
/// An address cannot be bound, or nothing answers at it.
pub const UNAVAILABLE: u8 = 69;
/// vacpack's own fault.
pub const INTERNAL: u8 = 70;
/// The running vacpack refuses: a token is missing or wrong.
pub const REFUSED: u8 = 77;
/// The configuration is wrong, or cannot be read.
pub const CONFIG: u8 = 78;
