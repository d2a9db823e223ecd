//! The Lockstep process: the API, the worker that carries password changes out, and the command line.
//!
//! Handlers ([`api`] for programs, [`web`] for people) parse, call one use case ([`app`]) and render; a use case loads, decides in `lockstep_core`,
//! writes in one transaction and returns; the [`worker`] does what accepted changes need, alone. Everything they share
//! is one [`app::App`], passed down: there is no global state.

pub mod api;
pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod compute;
pub mod config;
pub mod failpoint;
pub mod geography;
pub mod metrics;
pub mod seclusion;
pub mod tls;
pub mod web;
pub mod worker;
