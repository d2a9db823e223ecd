//! What administrators ask about accounts that come in from their sources, one file each: request, response, description,
//! handler.

pub mod load_accounts;
pub mod reload_account;
pub mod task_status;
pub mod update_account;
