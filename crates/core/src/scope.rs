//! Scopes, which a token carries, and user levels, which a person has.
//!
//! A scope says what a token may be used for; a level says whom a person may act for. Both must allow a call. Whether a
//! token is genuine is not asked here.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// What a token may be used for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Scope {
            $($(#[$doc])* $name,)+
        }

        /// Every scope with its spelling on the wire.
        const SCOPES: &[(Scope, &str)] = &[$((Scope::$name, $text)),+];
    };
}

scopes! {
    /// Ask for accounts, policy and transport key before a change.
    PasswordInfoRead = "idn:password-info:read",
    /// Change passwords.
    PasswordChangeManage = "idn:password-change:manage",
    /// Read what became of a change.
    PasswordChangeRead = "idn:password-change:read",
    /// Draw digit tokens.
    PasswordDigitTokenCreate = "idn:password-digit-token:create",
    /// Read password policies.
    PasswordPolicyRead = "idn:password-policy:read",
    /// Make, change and delete password policies.
    PasswordPolicyWrite = "idn:password-policy:write",
    /// Read sync groups.
    PasswordSyncGroupRead = "idn:password-sync-group:read",
    /// Make, change and delete sync groups.
    PasswordSyncGroupManage = "idn:password-sync-group:manage",
    /// Read the organisation's password settings.
    PasswordOrgConfigRead = "idn:password-org-config:read",
    /// Change the organisation's password settings.
    PasswordOrgConfigManage = "idn:password-org-config:manage",
    /// Read the organisation's words.
    PasswordDictionaryRead = "idn:password-dictionary:read",
    /// Replace the organisation's words.
    PasswordDictionaryManage = "idn:password-dictionary:manage",
    /// Read sources.
    SourcesRead = "idn:sources:read",
    /// Make, change, delete and aggregate sources.
    SourcesManage = "idn:sources:manage",
    /// Test the connection of sources.
    SourceConnectorManage = "idn:source-connector:manage",
    /// Read accounts.
    AccountsRead = "idn:accounts:read",
    /// Say whose an account is.
    AccountsManage = "idn:accounts:manage",
    /// Unlock, enable, disable and reload accounts.
    AccountsStateManage = "idn:accounts-state:manage",
    /// Read identities.
    IdentityRead = "idn:identity:read",
    /// Delete identities.
    IdentityManage = "idn:identity:manage",
    /// Read how far a task is.
    TaskManagementRead = "idn:task-management:read",
    /// Read applications.
    AppRolesRead = "idn:app-roles:read",
    /// Make, change and delete applications.
    AppRolesManage = "idn:app-roles:manage",
    /// Read one's own personal access tokens.
    MyPersonalAccessTokensRead = "sp:my-personal-access-tokens:read",
    /// Make, change and delete one's own personal access tokens.
    MyPersonalAccessTokensManage = "sp:my-personal-access-tokens:manage",
    /// Read everybody's personal access tokens.
    AllPersonalAccessTokensRead = "sp:all-personal-access-tokens:read",
    /// Delete everybody's personal access tokens.
    AllPersonalAccessTokensManage = "sp:all-personal-access-tokens:manage",
    /// Read API clients.
    OauthClientRead = "sp:oauth-client:read",
    /// Make, change and delete API clients.
    OauthClientManage = "sp:oauth-client:manage",
    /// Read what people are in the organisation.
    AuthUserRead = "sp:auth-user:read",
    /// Grant and revoke levels.
    AuthUserManage = "sp:auth-user:manage",
    /// Read the organisation's sign-in settings.
    AuthOrgRead = "sp:auth-org:read",
    /// Change the organisation's sign-in settings.
    AuthOrgManage = "sp:auth-org:manage",
    /// Everything that the caller's level allows.
    All = "sp:scopes:all",
    /// What needs no scope of its own.
    Default = "sp:scopes:default",
}

/// There is no such scope. OAuth calls that `invalid_scope` (RFC 6749 section 5.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope {0:?}")]
pub struct UnknownScope(pub String);

impl Scope {
    /// Every scope there is.
    pub fn all() -> impl Iterator<Item = Self> {
        SCOPES.iter().map(|(scope, _)| *scope)
    }

    /// As the wire spells it.
    pub fn as_str(self) -> &'static str {
        SCOPES.iter().find_map(|(scope, text)| (*scope == self).then_some(*text)).unwrap_or_default()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        let found = SCOPES.iter().find_map(|(scope, spelling)| (*spelling == text).then_some(*scope));
        found.ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The scopes of a token or of a client: in JSON a list, in OAuth's `scope` parameter words between spaces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(pub BTreeSet<Scope>);

impl Scopes {
    /// Whether a token with these scopes may be used where `needed` is asked for. `sp:scopes:all` grants every scope;
    /// `sp:scopes:default` grants only itself; every token may do what needs only that.
    pub fn grants(&self, needed: Scope) -> bool {
        needed == Scope::Default || self.0.contains(&Scope::All) || self.0.contains(&needed)
    }

    /// Whether every one of `wanted` is granted: a token never gets more than its client has.
    pub fn cover(&self, wanted: &Self) -> bool {
        wanted.0.iter().all(|scope| self.grants(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl FromStr for Scopes {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        text.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.0.iter().map(|scope| scope.as_str()).collect();
        f.write_str(&words.join(" "))
    }
}

/// What a person, or an API client, is in the organisation, as the contract's `authorities` spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserLevel {
    /// Administers the organisation.
    OrgAdmin,
    /// Helps people who cannot sign in. May start a reset, never choose a password.
    HelpDesk,
    /// Looks after sources: reads, tests and aggregates them. Where a source's passwords go is decided by ORG_ADMIN.
    SourceAdmin,
    /// Everybody.
    User,
}

/// Every level with its spelling on the wire.
const LEVELS: [(UserLevel, &str); 4] = [
    (UserLevel::OrgAdmin, "ORG_ADMIN"),
    (UserLevel::HelpDesk, "HELPDESK"),
    (UserLevel::SourceAdmin, "SOURCE_ADMIN"),
    (UserLevel::User, "USER"),
];

/// There is no such level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown level {0:?}; known are ORG_ADMIN, HELPDESK, SOURCE_ADMIN and USER")]
pub struct UnknownLevel(pub String);

impl UserLevel {
    /// Every level there is.
    pub fn all() -> impl Iterator<Item = Self> {
        LEVELS.into_iter().map(|(level, _)| level)
    }

    /// As the wire spells it.
    pub fn as_str(self) -> &'static str {
        LEVELS.into_iter().find_map(|(level, text)| (level == self).then_some(text)).unwrap_or_default()
    }
}

impl fmt::Display for UserLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for UserLevel {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        let found = LEVELS.into_iter().find_map(|(level, spelling)| (spelling == text).then_some(level));
        found.ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}

impl Serialize for UserLevel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for UserLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_is_read_as_it_is_written() {
        for scope in Scope::all() {
            assert_eq!(scope.to_string().parse(), Ok(scope));
            let json = serde_json::to_string(&scope).expect("written");
            assert_eq!(serde_json::from_str::<Scope>(&json).expect("read"), scope);
        }
        assert_eq!(Scope::PasswordChangeManage.to_string(), "idn:password-change:manage");
    }

    #[test]
    fn scopes_are_words_between_spaces() {
        let scopes: Scopes = " idn:password-info:read  idn:password-change:manage ".parse().expect("scopes");
        assert_eq!(scopes, Scopes::from_iter([Scope::PasswordChangeManage, Scope::PasswordInfoRead]));
        assert_eq!(scopes.to_string(), "idn:password-info:read idn:password-change:manage");
        assert_eq!("".parse(), Ok(Scopes::default()));
        assert_eq!("idn:password-info:read idn:nothing".parse::<Scopes>(), Err(UnknownScope("idn:nothing".to_owned())));
        assert!("IDN:password-info:read".parse::<Scopes>().is_err());
    }

    #[test]
    fn only_the_scope_itself_or_all_grants() {
        for needed in Scope::all().filter(|scope| *scope != Scope::Default) {
            for held in Scope::all() {
                let granted = Scopes::from_iter([held]).grants(needed);
                assert_eq!(granted, held == needed || held == Scope::All, "{held} {needed}");
            }
            assert!(!Scopes::default().grants(needed));
        }
        assert!(Scopes::default().grants(Scope::Default));
    }

    #[test]
    fn a_client_covers_no_more_than_it_has() {
        let client: Scopes = "idn:password-info:read idn:password-change:read".parse().expect("scopes");
        assert!(client.cover(&"idn:password-info:read sp:scopes:default".parse().expect("scopes")));
        assert!(!client.cover(&"idn:password-info:read idn:password-change:manage".parse().expect("scopes")));
        assert!(!client.cover(&"sp:scopes:all".parse().expect("scopes")));
        assert!(Scopes::from_iter([Scope::All]).cover(&client));
    }

    #[test]
    fn every_level_is_read_as_it_is_written() {
        for level in UserLevel::all() {
            assert_eq!(level.to_string().parse(), Ok(level));
            let json = serde_json::to_string(&level).expect("written");
            assert_eq!(serde_json::from_str::<UserLevel>(&json).expect("read"), level);
        }
        assert_eq!(UserLevel::HelpDesk.to_string(), "HELPDESK");
        assert!("helpdesk".parse::<UserLevel>().is_err());
    }
}
