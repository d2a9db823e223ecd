//! The integration tests of the server: one binary, because linking is what costs.

mod cli;
mod system;
