//! The integration tests of the server: one binary, because linking is what costs.

mod aggregation;
mod api;
mod architecture;
mod authenticator;
mod browser;
mod cli;
mod compatibility;
mod countries;
mod documentation;
mod harness;
mod intents;
mod pages;
mod sign_in;
mod system;
