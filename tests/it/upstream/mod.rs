//! The way to the app: its addresses, TLS, HTTP/2 and gRPC, and how many connections there are.

mod addresses;
mod connections;
mod early;
mod grpc;
mod h2;
mod tls;
