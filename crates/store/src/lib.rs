//! What Lockstep keeps: one SQL text for two engines, SQLite and PostgreSQL.
//!
//! [`Store`] opens a database and runs work in transactions; each noun has a module of functions that take a [`Tx`].
//! `find` gives an option, `get` fails with [`Error::NotFound`], `list` gives everything or a window, `put` inserts or
//! replaces, and what stores a time takes `now` (in UTC, cut to milliseconds).
//!
//! The store decides nothing: rules are in `lockstep-core`. It never sees a plaintext password and holds no key: what
//! is called sealed, wrapped or hashed here went through `lockstep-vault` before.
//!
//! Hot tables (changes, targets, doubts, submissions, histories, tokens, audit) have the bucket in their keys, and on
//! PostgreSQL a transaction over them works in one bucket, or two when a change is accepted.

pub mod account;
pub mod aggregation;
pub mod application;
pub mod application_icon;
pub mod audit;
pub mod auth_org;
pub mod authorization_code;
pub mod bucket;
pub mod change;
pub mod client;
pub mod configuration;
pub mod data_key;
mod dated;
pub mod dictionary;
pub mod digit_token;
pub mod enrolment;
mod error;
pub mod hint;
pub mod history;
pub mod identity;
pub mod identity_value;
pub mod intent;
pub mod lane;
pub mod listing;
mod migrate;
mod names;
pub mod node;
pub mod org_config;
pub mod passkey;
pub mod password_policy;
pub mod password_set;
pub mod personal_access_token;
mod postgres;
pub mod recovery;
pub mod refresh_token;
pub mod restore_mark;
pub mod revoked_token;
pub mod second_factor;
pub mod security_question;
pub mod session;
pub mod sign_in_link;
pub mod sign_in_password;
pub mod signing_key;
pub mod source;
pub mod source_secret;
pub mod source_sign_in;
mod sqlite;
mod store;
pub mod submission;
pub mod sync_group;
pub mod task;
pub mod token_family;
pub mod transport_key;
mod tx;
mod window;

pub use dated::Dated;
pub use error::{Cause, Error, Result};
pub use migrate::Schema;
pub use store::{Options, Statistics, Store};
pub use tx::Tx;
pub use window::Window;
