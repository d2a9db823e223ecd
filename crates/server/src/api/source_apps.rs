//! `…/source-apps`: applications, which are what people see.

pub(super) mod list;
pub(super) mod one;

use serde::Serialize;
use utoipa::ToSchema;

use super::time::instant;
use crate::app::application::Told;

/// An application.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SourceApp)]
pub(super) struct AppView {
    /// Its id.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    id: String,
    /// What people call it.
    name: String,
    /// A sentence for people.
    description: String,
    /// When it was made.
    #[schema(format = "date-time")]
    created: String,
    /// When it was last changed; null if it never was.
    #[schema(format = "date-time")]
    modified: Option<String>,
    /// Always true.
    enabled: bool,
    /// Always false: accounts are not asked for here.
    provision_request_enabled: bool,
    /// Always true: it stands for all accounts of its source.
    match_all_accounts: bool,
    /// Always true.
    app_center_enabled: bool,
    /// Where its accounts are.
    account_source: AccountSource,
    /// Always null: applications have no owners.
    owner: Option<String>,
}

/// Where the accounts of an application are.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AccountSource {
    /// Always `SOURCE`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The source.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    id: String,
    /// What people call it.
    name: String,
    /// Whether people see the application where they change passwords.
    use_for_password_management: bool,
}

impl From<Told> for AppView {
    fn from(told: Told) -> Self {
        let Told { application, source_name, created_at, modified_at } = told;
        Self {
            id: application.id.to_string(),
            name: application.name,
            description: application.description,
            created: instant(created_at),
            modified: modified_at.map(instant),
            enabled: true,
            provision_request_enabled: false,
            match_all_accounts: true,
            app_center_enabled: true,
            account_source: AccountSource {
                kind: "SOURCE",
                id: application.source.to_string(),
                name: source_name,
                use_for_password_management: application.use_for_password_management,
            },
            owner: None,
        }
    }
}
