//! The integration tests of the server: one binary, because linking is what costs.

mod api;
mod cli;
mod harness;
mod system;
