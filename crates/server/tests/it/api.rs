//! The API over HTTP; the files mirror its addresses.

mod accounts;
mod auth_org;
mod auth_users;
mod authentication;
mod identities;
mod limits;
mod oauth;
mod oauth_clients;
mod openapi;
mod password_dictionary;
mod password_management;
mod password_org_config;
mod password_policies;
mod password_sync_groups;
mod personal_access_tokens;
mod protocol;
mod source_apps;
mod sources;
mod system;
mod user_apps;
