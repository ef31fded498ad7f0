//! HTTP's vocabulary: one RFC section a file. Pure: no I/O, no clock, no pingora type.

pub mod coding;

pub use coding::Coding;
