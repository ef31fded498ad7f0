//! Configuration: what operators write becomes, once, a type that cannot be wrong.
//!
//! * `keys/` lists every key with its kind, default and meaning; the schema, the reference and the checks follow it;
//! * `read` walks a parsed file beside that list: checked values, each with its origin, and every problem found;
//! * `files` reads a file, or all of a directory; `load` lays flags over environment over file over defaults;
//! * `checks` and `warnings` look at values that do not go together;
//! * `build` and `route` turn what is left into [`Config`], every route complete;
//! * `restart` says which of two configurations' differences only a start can bring.
//!
//! It knows everybody's configuration type, and nobody below knows it. The environment and the root of the file
//! system are arguments.

mod address;
mod build;
mod checks;
mod conflict;
mod effective;
mod files;
mod form;
mod keys;
mod kind;
pub mod limits;
mod load;
mod problem;
mod read;
mod reference;
mod restart;
mod route;
mod scalar;
mod schema;
mod settings;
mod source;
mod substitute;
mod suggest;
mod syntax;
#[cfg(test)]
mod tests;
mod tree;
mod typed;
mod warnings;

pub use effective::Effective;
pub use files::{Fingerprint, fingerprint};
pub use load::{Inputs, LoadError, Loaded, Override, Purpose, load, parse};
pub use problem::Problem;
pub use reference::reference;
pub use schema::schema;
pub use source::Origin;
pub use substitute::Environment;
pub use typed::*;
