//! What a proxy owes to both sides: fields that end here, requests that are refused, failures that are told.

mod answers;
mod failures;
mod fields;
mod limits;
mod poisoning;
mod requests;
mod sections;
mod transport;
mod websocket;
