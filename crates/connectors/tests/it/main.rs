//! The connectors against real servers: slapd, PostgreSQL, MariaDB and SQLite files, and against servers that are
//! stopped, silent or broken on purpose. `cargo xtask test` starts the servers and tells where they are.

mod ldap;
mod ldap_accounts;
mod ldap_failures;
mod sql;
mod sql_accounts;
mod sql_failures;
mod support;
