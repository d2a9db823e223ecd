//! Operations: everything that can be asked of the API with a token, where it is, and who may.
//!
//! There is one table, and the router is built from it: what is not in it has no address, and what is in it is guarded by
//! its row.
//!
//! A row says two things about access. Whoever has one of the scopes and is what the row asks for may do it to everybody;
//! and where the row says so, a person may do it to themselves, whatever their level. Whether a token is genuine, and whose
//! it is, is found out elsewhere.

use std::collections::BTreeSet;
use std::fmt;

use crate::id::IdentityId;
use crate::scope::{Scope, Scopes, UserLevel};

/// How an operation is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes something, or starts it.
    Post,
    /// Replaces.
    Put,
    /// Changes a part.
    Patch,
    /// Removes.
    Delete,
}

/// Under which versions clients must say that they know an operation may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Experimental {
    /// Under none.
    Never,
    /// Under those whose published clients can say it.
    Always,
    /// Under those from 2025 on: the published clients of the earlier ones do not say it here.
    Since2025,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The contract's name for it.
    pub id: &'static str,
    /// How it is asked for.
    pub method: Method,
    /// The first segment of its address: the collection. Versions stand before or after it.
    pub first: &'static str,
    /// What follows.
    pub rest: &'static str,
    /// Whether clients must say that they know it may change.
    pub experimental: Experimental,
    /// With one of these scopes it may be done to everybody, by programs and people of the levels below.
    pub scopes: &'static [Scope],
    /// Whether every API client may. Those that have one of the levels always may.
    pub programs: bool,
    /// The levels of the people who may.
    pub levels: &'static [UserLevel],
    /// With one of these scopes, a person may do it to themselves.
    pub own: &'static [Scope],
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// The person whose token it is; none for an API client.
    pub person: Option<IdentityId>,
    /// What that person, or that client, is in the organisation.
    pub levels: &'a BTreeSet<UserLevel>,
    /// What the token may be used for.
    pub scopes: &'a Scopes,
}

/// To whom an operation may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To everybody.
    Everybody,
    /// To the person whose token it is.
    Own(IdentityId),
}

/// Why an operation is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPermitted {
    /// The token has none of these scopes.
    #[error("the token lacks the scope {}", words(.0))]
    Scope(Vec<Scope>),
    /// Its owner is nothing that the operation asks for.
    #[error("this takes {}", .0.takes())]
    Level(Operation),
    /// It may be done to oneself only.
    #[error("the token reaches its owner only; everybody else takes {}", .0.takes())]
    Other(Operation),
}

macro_rules! operations {
    ($(
        $(#[$doc:meta])*
        $name:ident = $id:literal $method:ident $first:literal $rest:literal
            scopes[$($scope:ident)*] $programs:ident levels[$($level:ident)*] own[$($own:ident)*] $experimental:ident;
    )+) => {
        /// What can be asked for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Operation {
            $($(#[$doc])* $name,)+
        }

        impl Operation {
            /// Every operation there is.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its row.
            pub const fn rule(self) -> Rule {
                match self {
                    $(Self::$name => Rule {
                        id: $id,
                        method: Method::$method,
                        first: $first,
                        rest: $rest,
                        experimental: asked!($experimental),
                        scopes: &[$(Scope::$scope),*],
                        programs: flag!($programs),
                        levels: &[$(UserLevel::$level),*],
                        own: &[$(Scope::$own),*],
                    },)+
                }
            }
        }
    };
}

macro_rules! flag {
    (programs) => {
        true
    };
    (people) => {
        false
    };
}

macro_rules! asked {
    (stable) => {
        Experimental::Never
    };
    (experimental) => {
        Experimental::Always
    };
    (since2025) => {
        Experimental::Since2025
    };
}

// The name in the code, the contract's name, the address; then with which scopes, whether by every program or by people (and
// programs) of the levels only; by which levels; with which scopes by a person to themselves.
operations! {
    /// Accounts, policy and transport key.
    QueryPasswordInfo = "queryPasswordInfo" Post "query-password-info" ""
        scopes[PasswordInfoRead] programs levels[OrgAdmin HelpDesk] own[PasswordInfoRead] stable;
    /// A password change. Nobody chooses somebody else's password, whatever their level: a help desk draws a digit token.
    SetPassword = "setPassword" Post "set-password" ""
        scopes[PasswordChangeManage] programs levels[] own[PasswordChangeManage] stable;
    /// What became of it.
    GetPasswordChangeStatus = "getPasswordChangeStatus" Get "password-change-status" "/{id}"
        scopes[PasswordChangeRead] programs levels[OrgAdmin HelpDesk] own[PasswordChangeRead] stable;
    /// A code that a help desk reads to a caller.
    CreateDigitToken = "createDigitToken" Post "generate-password-reset-token" "/digit"
        scopes[PasswordDigitTokenCreate] programs levels[OrgAdmin HelpDesk] own[PasswordDigitTokenCreate] experimental;

    /// Every source.
    ListSources = "listSources" Get "sources" ""
        scopes[SourcesRead SourcesManage] programs levels[OrgAdmin SourceAdmin HelpDesk] own[] stable;
    /// A source.
    GetSource = "getSource" Get "sources" "/{id}"
        scopes[SourcesRead SourcesManage] programs levels[OrgAdmin SourceAdmin HelpDesk] own[] stable;
    /// A new source. Where passwords go is decided by ORG_ADMIN alone.
    CreateSource = "createSource" Post "sources" ""
        scopes[SourcesManage] people levels[OrgAdmin] own[] stable;
    /// A source, whole.
    PutSource = "putSource" Put "sources" "/{id}"
        scopes[SourcesManage] people levels[OrgAdmin] own[] stable;
    /// A part of a source.
    UpdateSource = "updateSource" Patch "sources" "/{id}"
        scopes[SourcesManage] people levels[OrgAdmin] own[] stable;
    /// A source is gone.
    DeleteSource = "deleteSource" Delete "sources" "/{id}"
        scopes[SourcesManage] people levels[OrgAdmin] own[] stable;
    /// Which policy binds whom on a source.
    UpdatePasswordPolicyHolders = "updatePasswordPolicyHolders" Patch "sources" "/{id}/password-policies"
        scopes[SourcesManage] people levels[OrgAdmin] own[] stable;
    /// Whether a source can be reached and does what it should.
    TestSourceConnection = "testSourceConnection" Post "sources" "/{id}/connector/check-connection"
        scopes[SourceConnectorManage] people levels[OrgAdmin SourceAdmin] own[] stable;
    /// The same, under another name of the contract's.
    TestSourceConfiguration = "testSourceConfiguration" Post "sources" "/{id}/connector/test-configuration"
        scopes[SourceConnectorManage] people levels[OrgAdmin SourceAdmin] own[] stable;

    /// What people have on sources.
    ListAccounts = "listAccounts" Get "accounts" ""
        scopes[AccountsRead AccountsManage] programs levels[OrgAdmin HelpDesk SourceAdmin] own[] stable;
    /// An account.
    GetAccount = "getAccount" Get "accounts" "/{id}"
        scopes[AccountsRead AccountsManage] programs levels[OrgAdmin HelpDesk SourceAdmin] own[] stable;
    /// A lock after wrong passwords ends.
    UnlockAccount = "unlockAccount" Post "accounts" "/{id}/unlock"
        scopes[AccountsStateManage] programs levels[OrgAdmin HelpDesk SourceAdmin] own[] stable;
    /// An account may sign in again.
    EnableAccount = "enableAccount" Post "accounts" "/{id}/enable"
        scopes[AccountsStateManage] people levels[OrgAdmin HelpDesk SourceAdmin] own[] stable;
    /// An account may not sign in.
    DisableAccount = "disableAccount" Post "accounts" "/{id}/disable"
        scopes[AccountsStateManage] people levels[OrgAdmin HelpDesk SourceAdmin] own[] stable;

    /// The people, for whoever administers.
    ListIdentities = "listIdentities" Get "identities" ""
        scopes[IdentityRead IdentityManage] programs levels[OrgAdmin HelpDesk SourceAdmin] own[] stable;
    /// One of them.
    GetIdentity = "getIdentity" Get "identities" "/{id}"
        scopes[IdentityRead IdentityManage] programs levels[OrgAdmin HelpDesk SourceAdmin] own[] stable;
    /// The people, for everybody.
    GetPublicIdentities = "getPublicIdentities" Get "public-identities" ""
        scopes[Default] programs levels[User] own[] stable;
    /// The password policies.
    ListPasswordPolicies = "listPasswordPolicies" Get "password-policies" ""
        scopes[PasswordPolicyRead] programs levels[OrgAdmin HelpDesk SourceAdmin] own[] since2025;
    /// A new one.
    CreatePasswordPolicy = "createPasswordPolicy" Post "password-policies" ""
        scopes[PasswordPolicyWrite] people levels[OrgAdmin] own[] since2025;
    /// One of them.
    GetPasswordPolicy = "getPasswordPolicyById" Get "password-policies" "/{id}"
        scopes[PasswordPolicyRead] programs levels[OrgAdmin HelpDesk SourceAdmin] own[] since2025;
    /// Other rules for one.
    ReplacePasswordPolicy = "setPasswordPolicy" Put "password-policies" "/{id}"
        scopes[PasswordPolicyWrite] people levels[OrgAdmin] own[] since2025;
    /// One that nobody needs.
    DeletePasswordPolicy = "deletePasswordPolicy" Delete "password-policies" "/{id}"
        scopes[PasswordPolicyWrite] people levels[OrgAdmin] own[] since2025;

    /// The sync groups.
    ListSyncGroups = "getPasswordSyncGroups" Get "password-sync-groups" ""
        scopes[PasswordSyncGroupRead PasswordSyncGroupManage] programs levels[OrgAdmin HelpDesk SourceAdmin] own[] stable;
    /// A new one. Its members get each other's passwords, so only an ORG_ADMIN decides that.
    CreateSyncGroup = "createPasswordSyncGroup" Post "password-sync-groups" ""
        scopes[PasswordSyncGroupManage] people levels[OrgAdmin] own[] stable;
    /// One of them.
    GetSyncGroup = "getPasswordSyncGroup" Get "password-sync-groups" "/{id}"
        scopes[PasswordSyncGroupRead PasswordSyncGroupManage] programs levels[OrgAdmin HelpDesk SourceAdmin] own[] stable;
    /// Other members for one.
    ReplaceSyncGroup = "updatePasswordSyncGroup" Put "password-sync-groups" "/{id}"
        scopes[PasswordSyncGroupManage] people levels[OrgAdmin] own[] stable;
    /// The end of one.
    DeleteSyncGroup = "deletePasswordSyncGroup" Delete "password-sync-groups" "/{id}"
        scopes[PasswordSyncGroupManage] people levels[OrgAdmin] own[] stable;

    /// The organisation's password settings.
    GetOrgConfig = "getPasswordOrgConfig" Get "password-org-config" ""
        scopes[PasswordOrgConfigRead] programs levels[OrgAdmin] own[] stable;
    /// The first ones.
    CreateOrgConfig = "createPasswordOrgConfig" Post "password-org-config" ""
        scopes[PasswordOrgConfigManage] people levels[OrgAdmin] own[] stable;
    /// Others.
    ChangeOrgConfig = "putPasswordOrgConfig" Put "password-org-config" ""
        scopes[PasswordOrgConfigManage] people levels[OrgAdmin] own[] stable;

    /// How many wrong tries lock.
    GetLockoutConfig = "getAuthOrgLockoutConfig" Get "auth-org" "/lockout-config"
        scopes[AuthOrgRead] programs levels[OrgAdmin] own[] stable;
    /// Others.
    ChangeLockoutConfig = "patchAuthOrgLockoutConfig" Patch "auth-org" "/lockout-config"
        scopes[AuthOrgManage] people levels[OrgAdmin] own[] stable;
    /// From where people are trusted.
    GetNetworkConfig = "getAuthOrgNetworkConfig" Get "auth-org" "/network-config"
        scopes[AuthOrgRead] programs levels[OrgAdmin] own[] stable;
    /// The first networks and countries.
    CreateNetworkConfig = "createAuthOrgNetworkConfig" Post "auth-org" "/network-config"
        scopes[AuthOrgManage] people levels[OrgAdmin] own[] stable;
    /// Others.
    ChangeNetworkConfig = "patchAuthOrgNetworkConfig" Patch "auth-org" "/network-config"
        scopes[AuthOrgManage] people levels[OrgAdmin] own[] stable;
    /// How long a session goes on.
    GetSessionConfig = "getAuthOrgSessionConfig" Get "auth-org" "/session-config"
        scopes[AuthOrgRead] programs levels[OrgAdmin] own[] stable;
    /// Longer, or shorter.
    ChangeSessionConfig = "patchAuthOrgSessionConfig" Patch "auth-org" "/session-config"
        scopes[AuthOrgManage] people levels[OrgAdmin] own[] stable;

    /// The words that no password may hold.
    GetDictionary = "getPasswordDictionary" Get "password-dictionary" ""
        scopes[PasswordDictionaryRead PasswordDictionaryManage] programs levels[OrgAdmin] own[] stable;
    /// Other words.
    ReplaceDictionary = "putPasswordDictionary" Put "password-dictionary" ""
        scopes[PasswordDictionaryManage] people levels[OrgAdmin] own[] stable;

    /// What a person is in the organisation.
    GetAuthUser = "getAuthUser" Get "auth-users" "/{id}"
        scopes[AuthUserRead] people levels[OrgAdmin] own[] stable;
    /// Something else in the organisation.
    ChangeAuthUser = "patchAuthUser" Patch "auth-users" "/{id}"
        scopes[AuthUserManage] people levels[OrgAdmin] own[] stable;

    /// The applications that people see.
    ListApplications = "listAvailableSourceApps" Get "source-apps" ""
        scopes[AppRolesRead AppRolesManage] programs levels[User] own[] experimental;
    /// All of them.
    ListAllApplications = "listAllSourceApp" Get "source-apps" "/all"
        scopes[AppRolesRead AppRolesManage] programs levels[OrgAdmin] own[] experimental;
    /// Those in which somebody has an account.
    ListAssignedApplications = "listAssignedSourceApp" Get "source-apps" "/assigned"
        scopes[] people levels[] own[AppRolesRead AppRolesManage] experimental;
    /// A new one.
    CreateApplication = "createSourceApp" Post "source-apps" ""
        scopes[AppRolesManage] people levels[OrgAdmin] own[] experimental;
    /// One of them.
    GetApplication = "getSourceApp" Get "source-apps" "/{id}"
        scopes[AppRolesRead AppRolesManage] programs levels[User] own[] experimental;
    /// Parts of one.
    ChangeApplication = "patchSourceApp" Patch "source-apps" "/{id}"
        scopes[AppRolesManage] people levels[OrgAdmin] own[] experimental;
    /// One that nobody needs.
    DeleteApplication = "deleteSourceApp" Delete "source-apps" "/{id}"
        scopes[AppRolesManage] people levels[OrgAdmin] own[] experimental;

    /// What somebody has of the applications.
    ListOwnUserApps = "listOwnedUserApps" Get "user-apps" ""
        scopes[] people levels[] own[AppRolesRead AppRolesManage] experimental;
    /// What everybody has.
    ListAllUserApps = "listAllUserApps" Get "user-apps" "/all"
        scopes[AppRolesManage] people levels[OrgAdmin] own[] experimental;
    /// Another account of somebody's for an application.
    ChangeUserApp = "patchUserApp" Patch "user-apps" "/{id}"
        scopes[] people levels[] own[AppRolesManage] experimental;
    /// The accounts that somebody has for an application.
    ListUserAppAccounts = "listAvailableAccountsForUserApp" Get "user-apps" "/{id}/available-accounts"
        scopes[] people levels[] own[AppRolesRead AppRolesManage] experimental;
    /// The programs that may call.
    ListOauthClients = "listOauthClients" Get "oauth-clients" ""
        scopes[OauthClientRead OauthClientManage] people levels[OrgAdmin] own[] stable;
    /// A new one. It gets nothing that whoever makes it has not.
    CreateOauthClient = "createOauthClient" Post "oauth-clients" ""
        scopes[OauthClientManage] people levels[OrgAdmin] own[] stable;
    /// One of them.
    GetOauthClient = "getOauthClient" Get "oauth-clients" "/{id}"
        scopes[OauthClientRead OauthClientManage] people levels[OrgAdmin] own[] stable;
    /// What is set about it.
    PatchOauthClient = "patchOauthClient" Patch "oauth-clients" "/{id}"
        scopes[OauthClientManage] people levels[OrgAdmin] own[] stable;
    /// It calls no more.
    DeleteOauthClient = "deleteOauthClient" Delete "oauth-clients" "/{id}"
        scopes[OauthClientManage] people levels[OrgAdmin] own[] stable;
    /// With what people's programs get tokens.
    ListPersonalAccessTokens = "listPersonalAccessTokens" Get "personal-access-tokens" ""
        scopes[AllPersonalAccessTokensRead AllPersonalAccessTokensManage] people levels[OrgAdmin]
        own[MyPersonalAccessTokensRead MyPersonalAccessTokensManage
            AllPersonalAccessTokensRead AllPersonalAccessTokensManage] stable;
    /// A new one, which nobody makes for another.
    CreatePersonalAccessToken = "createPersonalAccessToken" Post "personal-access-tokens" ""
        scopes[MyPersonalAccessTokensManage AllPersonalAccessTokensManage] people levels[]
        own[MyPersonalAccessTokensManage AllPersonalAccessTokensManage] stable;
    /// Its name, and what it is for.
    PatchPersonalAccessToken = "patchPersonalAccessToken" Patch "personal-access-tokens" "/{id}"
        scopes[MyPersonalAccessTokensManage] people levels[] own[MyPersonalAccessTokensManage] stable;
    /// It gives no more tokens, and those that it gave are dead.
    DeletePersonalAccessToken = "deletePersonalAccessToken" Delete "personal-access-tokens" "/{id}"
        scopes[AllPersonalAccessTokensManage] people levels[OrgAdmin]
        own[MyPersonalAccessTokensManage AllPersonalAccessTokensManage] stable;
    /// Reading the accounts of a source.
    ImportAccounts = "importAccounts" Post "sources" "/{id}/load-accounts"
        scopes[SourcesManage] people levels[OrgAdmin SourceAdmin] own[] stable;
    /// How far a task is.
    GetTaskStatus = "getTaskStatus" Get "task-status" "/{id}"
        scopes[TaskManagementRead] programs levels[OrgAdmin SourceAdmin] own[] stable;
    /// How far the latest tasks are.
    GetTaskStatusList = "getTaskStatusList" Get "task-status" ""
        scopes[TaskManagementRead] programs levels[OrgAdmin SourceAdmin] own[] stable;
    /// Saying whose an account is, and so whose password reaches it. Nobody says that it is their own.
    UpdateAccount = "updateAccount" Patch "accounts" "/{id}"
        scopes[AccountsManage] people levels[OrgAdmin] own[] stable;
    /// Reading one account again.
    SubmitReloadAccount = "submitReloadAccount" Post "accounts" "/{id}/reload"
        scopes[AccountsStateManage] programs levels[OrgAdmin SourceAdmin HelpDesk] own[] stable;
}

impl Operation {
    /// Whether `asking` may do this, and to whom.
    ///
    /// # Errors
    /// What is missing.
    pub fn permit(self, asking: Asking<'_>) -> Result<Reach, NotPermitted> {
        let rule = self.rule();
        let granted = |scopes: &[Scope]| scopes.iter().any(|scope| asking.scopes.grants(*scope));
        let program = asking.person.is_none();
        // Everybody who is a person is a user.
        let holds = |level: &UserLevel| asking.levels.contains(level) || (!program && *level == UserLevel::User);
        if granted(rule.scopes) && ((program && rule.programs) || rule.levels.iter().any(holds)) {
            return Ok(Reach::Everybody);
        }
        match asking.person {
            Some(person) if granted(rule.own) => Ok(Reach::Own(person)),
            _ if granted(rule.scopes) || (rule.scopes.is_empty() && granted(rule.own)) => {
                Err(NotPermitted::Level(self))
            }
            _ => Err(NotPermitted::Scope(rule.lacking(program))),
        }
    }

    /// What it takes to reach everybody, for a sentence.
    fn takes(self) -> String {
        let Rule { levels, programs, .. } = self.rule();
        let mut takes = Vec::new();
        if !levels.is_empty() {
            takes.push(format!("the level {}", words(levels)));
        }
        if programs {
            takes.push("an API client".to_owned());
        }
        if takes.is_empty() {
            takes.push("the token of a person, who does it to themselves".to_owned());
            takes.push("a token of the person whom it is about".to_owned());
        }
        takes.join(", or ")
    }
}

impl Rule {
    /// The scopes of which one is missing.
    fn lacking(&self, program: bool) -> Vec<Scope> {
        let mut scopes = self.scopes.to_vec();
        let own = self.own.iter().filter(|scope| (!program || self.scopes.is_empty()) && !self.scopes.contains(scope));
        scopes.extend(own);
        scopes
    }
}

impl Reach {
    /// Whether it reaches that person; none where nobody was found, which only whoever reaches everybody is told.
    pub fn reaches(self, whom: Option<IdentityId>) -> bool {
        match self {
            Self::Everybody => true,
            Self::Own(person) => whom == Some(person),
        }
    }
}

fn words<T: fmt::Display>(several: &[T]) -> String {
    several.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use uuid::Uuid;

    use super::*;

    const ABBY: IdentityId = IdentityId(Uuid::from_u128(1));
    const BEA: IdentityId = IdentityId(Uuid::from_u128(2));

    fn permit(
        operation: Operation,
        person: Option<IdentityId>,
        levels: &[UserLevel],
        scopes: &[Scope],
    ) -> Result<Reach, NotPermitted> {
        let (levels, scopes) = (levels.iter().copied().collect(), scopes.iter().copied().collect());
        operation.permit(Asking { person, levels: &levels, scopes: &scopes })
    }

    #[test]
    fn every_operation_has_an_address_and_a_name_of_its_own() {
        let mut names = HashSet::new();
        let mut addresses = HashSet::new();
        for operation in Operation::ALL {
            let rule = operation.rule();
            assert!(names.insert(rule.id), "{}", rule.id);
            assert!(addresses.insert((format!("{:?}", rule.method), rule.first, rule.rest)), "{}", rule.id);
            assert!(!rule.scopes.is_empty() || !rule.own.is_empty(), "{} asks for no scope", rule.id);
            assert!(rule.programs || !rule.levels.is_empty() || !rule.own.is_empty(), "{} is for nobody", rule.id);
        }
    }

    #[test]
    fn a_scope_alone_is_not_enough_and_neither_is_a_level() {
        for operation in Operation::ALL {
            let rule = operation.rule();
            for level in rule.levels.iter().filter(|level| **level != UserLevel::User) {
                let every = permit(*operation, Some(ABBY), &[*level], rule.scopes);
                assert_eq!(every, Ok(Reach::Everybody), "{} {level:?}", rule.id);
                if rule.scopes != [Scope::Default] {
                    let refused = permit(*operation, Some(ABBY), &[*level], &[]);
                    assert!(matches!(refused, Err(NotPermitted::Scope(_))), "{} {level:?}", rule.id);
                }
            }
            if !rule.levels.contains(&UserLevel::User) {
                let person = permit(*operation, Some(ABBY), &[], &[Scope::All]);
                match rule.own.is_empty() {
                    true => assert!(matches!(person, Err(NotPermitted::Level(_))), "{}", rule.id),
                    false => assert_eq!(person, Ok(Reach::Own(ABBY)), "{}", rule.id),
                }
            }
            let program = permit(*operation, None, &[], &[Scope::All]);
            assert_eq!(program.is_ok(), rule.programs, "{}", rule.id);
        }
    }

    #[test]
    fn nobody_sets_the_password_of_another_by_their_level() {
        for level in [UserLevel::User, UserLevel::HelpDesk, UserLevel::SourceAdmin, UserLevel::OrgAdmin] {
            let reach = permit(Operation::SetPassword, Some(ABBY), &[level], &[Scope::All]).expect("their own");
            assert!(reach.reaches(Some(ABBY)) && !reach.reaches(Some(BEA)) && !reach.reaches(None), "{level:?}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let refused = permit(Operation::QueryPasswordInfo, Some(ABBY), &[], &[Scope::PasswordChangeRead]);
        let text = refused.expect_err("no scope").to_string();
        assert_eq!(text, "the token lacks the scope idn:password-info:read");
        let takes = Operation::QueryPasswordInfo.takes();
        assert_eq!(takes, "the level ORG_ADMIN or HELPDESK, or an API client");
        assert_eq!(Operation::SetPassword.takes(), "an API client");
    }
}
