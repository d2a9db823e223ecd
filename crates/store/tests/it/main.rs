//! The store on both engines. Every test of a noun runs on SQLite and on PostgreSQL; what only one engine has is
//! tested in the file of that engine.

mod aggregation;
mod bucket;
mod change;
mod configuration;
mod engine;
mod harness;
mod history;
mod intent;
mod keys;
mod lane;
mod listing;
mod migrate;
mod password_set;
mod people;
mod postgres;
mod restore;
mod sample;
mod sign_in;
mod sqlite;
mod submission;
mod task;
