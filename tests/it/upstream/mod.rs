//! The way to the app: its addresses, TLS, and how many connections there are.

mod addresses;
mod connections;
mod tls;
