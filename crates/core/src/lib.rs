//! The rules of Lockstep: what a password change is, which policy binds, who may do what, and what becomes of each
//! target.
//!
//! Nothing here does I/O, awaits, reads a clock or draws a random number: time and randomness are arguments, so every
//! rule is a function of values and can be tested as one. Nothing here knows of HTTP, SQL or a connector's protocol
//! either; those live in the sibling crates.

pub mod account;
pub mod aggregation;
pub mod application;
pub mod audit;
pub mod auth_org;
pub mod change;
pub mod client;
pub mod digit_token;
pub mod filter;
pub mod id;
pub mod identity;
pub mod node;
pub mod operation;
pub mod org_config;
pub mod password;
pub mod password_policy;
pub mod password_set;
pub mod picture;
pub mod recovery;
pub mod restore_mark;
pub mod scope;
pub mod security_question;
pub mod session;
pub mod sign_in;
pub mod source;
pub mod sync_group;
pub mod task;
