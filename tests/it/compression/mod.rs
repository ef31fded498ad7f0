//! Bodies on the wire: which coding, why none, the fields that go with it, and that the content is the app's.

mod accidents;
mod breach;
mod fields;
mod improvement;
mod matrix;
mod memory;
mod negotiation;
mod skipped;
mod transcoding;
