//! Why a request is answered as it is: the question, the explanation, and both as text.
//!
//! Only the vocabulary is here. Who answers is the proxy, with the same functions that decide about requests
//! ([`crate::proxy::Scene`]); who asks is an operator, through the admin listener or, without a running vacpack, with
//! the head of a response in hand.
//!
//! An [`Explanation`] is a document: its JSON is what `/api/explain` answers, and what scripts read, so fields are added
//! and never change their meaning. Words in it are the labels of metrics and of the access log.

mod advice;
mod question;
mod report;
mod text;

pub use advice::{needs, on_forward, on_lookup, on_not_stored, on_skip, source_of};
pub use question::{Question, QuestionProblem, field};
pub use report::{
    Answer, Body, Entry, Explanation, Field, Key, Lifetime, Next, OtherVariant, Outcome, Reason, RepresentationKept,
    RequestAsked, RouteTaken, VariantKept,
};
