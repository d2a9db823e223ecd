//! The API over HTTP; the files mirror its addresses.

mod accounts;
mod authentication;
mod identities;
mod limits;
mod oauth;
mod openapi;
mod password_management;
mod protocol;
mod sources;
mod system;
