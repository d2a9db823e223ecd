//! Audit events: who did what to whom, and how it ended.
//!
//! An event holds ids only. Personal data lies beside it, so that erasing a person leaves the sealed events whole; and
//! because its detail takes no text that was made at run time, neither a secret nor a name can get into it by accident.
//! Sealing, keeping and exporting events is done elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::id::{AccountId, ChangeId, ClientId, IdentityId, NodeId, SourceId};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// What was done.
    pub action: Action,
    /// Who did it.
    pub actor: Actor,
    /// Whom it was done to, if anybody.
    pub identity: Option<IdentityId>,
    /// Where, if on a source.
    pub source: Option<SourceId>,
    /// To which account, if to one.
    pub account: Option<AccountId>,
    /// In the course of which password change, if of one.
    pub change: Option<ChangeId>,
    /// When.
    pub at: DateTime<Utc>,
    /// How it ended.
    pub outcome: Outcome,
    /// What else is worth knowing, by name.
    pub detail: BTreeMap<&'static str, Detail>,
}

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A person, on a page or with a personal access token.
    Identity(IdentityId),
    /// A program.
    Client(ClientId),
    /// Lockstep itself, on this node.
    Node(NodeId),
    /// Somebody who was not signed in.
    Nobody,
}

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As intended.
    Passed,
    /// Not as intended, or refused.
    Failed,
}

/// A value of an event's detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Detail {
    /// A number: of attempts, of targets, of milliseconds.
    Count(i64),
    /// A word of the program's own, such as the kind of a failure or the field of a broken rule.
    Word(&'static str),
    /// The id of something that has no place of its own in an event.
    Id(Uuid),
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// What can be done, under the names of the contract where it has one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $($(#[$doc])* $name,)+
        }

        impl Action {
            /// Every action there is.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The action's name on the wire and in every export.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

actions! {
    /// A person or program asked for a password change.
    PasswordsRequestStart = "PasswordsRequestStart",
    /// A password change came to its end and every target has it.
    PasswordChange = "passwordChange",
    /// A password change came to its end and a target has not got it.
    PasswordChangeFailure = "passwordChangeFailure",
    /// A person changed their own password.
    ActionPasswordChangeSuccess = "ACTION_PASSWORD_CHANGE_SUCCESS",
    /// A sign-in password was written.
    UserPasswordUpdatePassed = "USER_PASSWORD_UPDATE_PASSED",
    /// A sign-in password was not written.
    UserPasswordUpdateFailed = "USER_PASSWORD_UPDATE_FAILED",
    /// A reset was refused.
    UserPasswordResetRejected = "USER_PASSWORD_RESET_REJECTED",
    /// A forgotten password is to be replaced, by whoever showed a code in its place.
    ForgotPasswordChange = "forgotPasswordChange",
    /// A person said that they forgot their password.
    ForgotPasswordStart = "ForgotPasswordStart",
    /// An expired password was replaced.
    ExpiredPasswordChange = "expiredPasswordChange",
    /// An account got the new password.
    AccountPasswordResetPassed = "ACCOUNT_PASSWORD_RESET_PASSED",
    /// An account did not get the new password.
    AccountPasswordResetFailed = "ACCOUNT_PASSWORD_RESET_FAILED",
    /// An account got the new password because its sync group shares it.
    AccountPasswordSyncPassed = "ACCOUNT_PASSWORD_SYNC_PASSED",
    /// A digit token was drawn.
    DigitTokenGenerationPassed = "DIGIT_TOKEN_GENERATION_PASSED",
    /// A digit token was refused to whoever asked for one.
    DigitTokenGenerationFailed = "DIGIT_TOKEN_GENERATION_FAILED",
    /// A digit token was used.
    DigitTokenVerificationPassed = "DIGIT_TOKEN_VERIFICATION_PASSED",
    /// A digit token was wrong or dead.
    DigitTokenVerificationFailed = "DIGIT_TOKEN_VERIFICATION_FAILED",
    /// A second factor was wrong.
    MfaVerificationFailed = "MFA_VERIFICATION_FAILED",
    /// A password policy was made.
    PasswordPolicyCreated = "PASSWORD_POLICY_CREATED",
    /// A password policy was changed.
    PasswordPolicyUpdated = "PASSWORD_POLICY_UPDATED",
    /// A password policy was deleted.
    PasswordPolicyDeleted = "PASSWORD_POLICY_DELETED",
    /// A source's policy holders were set.
    SourcePasswordPolicyAssigned = "SOURCE_PASSWORD_POLICY_ASSIGNED",
    /// A source was made. This name and the next two are Lockstep's own.
    SourceCreated = "SOURCE_CREATED",
    /// A source was changed; the detail says so where its passwords go elsewhere now.
    SourceUpdated = "SOURCE_UPDATED",
    /// A source was deleted.
    SourceDeleted = "SOURCE_DELETED",
    /// The organisation's password settings were made.
    PasswordOrgConfigCreate = "PASSWORD_ORG_CONFIG_CREATE",
    /// The organisation's password settings were changed.
    PasswordOrgConfigUpdate = "PASSWORD_ORG_CONFIG_UPDATE",
    /// Instructions for a page were set.
    CustomPasswordInstructionsCreate = "CUSTOM_PASSWORD_INSTRUCTIONS_CREATE",
    /// Instructions for a page were deleted.
    CustomPasswordInstructionsDelete = "CUSTOM_PASSWORD_INSTRUCTIONS_DELETE",
    /// A password that was changed on a source itself was carried on.
    SourceExternalPasswordChangePassed = "SOURCE_EXTERNAL_PASSWORD_CHANGE_PASSED",
    /// A password that was changed on a source itself was not carried on.
    SourceExternalPasswordChangeFailed = "SOURCE_EXTERNAL_PASSWORD_CHANGE_FAILED",
    /// An intercepted password was taken.
    SourcePasswordInterceptProcessed = "SOURCE_PASSWORD_INTERCEPT_PROCESSED",
    /// An intercepted password changed nothing.
    SourcePasswordInterceptIgnored = "SOURCE_PASSWORD_INTERCEPT_IGNORED",
    /// A person was locked out.
    UserLock = "USER_LOCK",
    /// A person was let in again.
    UserUnlock = "USER_UNLOCK",
    /// Letting a person in again was refused.
    UserUnlockRejected = "USER_UNLOCK_REJECTED",
    /// A person showed a second factor again.
    UserStepUpAuth = "USER_STEP_UP_AUTH",
    /// A person failed to show a second factor again.
    UserStepUpAuthFailure = "USER_STEP_UP_AUTH_FAILURE",
    /// A person set answers to security questions.
    UserKbaAnswers = "USER_KBA_ANSWERS",
    /// A person was invited.
    UserInvite = "USER_INVITE",
    /// An account was unlocked.
    UnlockAccount = "UnlockAccount",
    /// An account was not unlocked.
    UnlockAccountFailure = "UnlockAccountFailure",
    /// Somebody said whose an account is. This name and those below are Lockstep's own.
    AccountLinked = "ACCOUNT_LINKED",
    /// An account, or the person that it is, was enabled.
    AccountEnabled = "ACCOUNT_ENABLED",
    /// An account, or the person that it is, was disabled.
    AccountDisabled = "ACCOUNT_DISABLED",
    /// A person signed in.
    AuthenticationPassed = "AUTHENTICATION-100",
    /// A person failed to sign in.
    AuthenticationFailed = "AUTHENTICATION-240",
    /// A person who is locked out tried to sign in.
    AuthenticationLocked = "AUTHENTICATION-245",
    /// A person with an expired password tried to sign in.
    AuthenticationExpired = "AUTHENTICATION-246",
    /// A personal access token was made.
    PersonalAccessTokenCreated = "PERSONAL_ACCESS_TOKEN_CREATED",
    /// A personal access token was exchanged for an access token.
    PersonalAccessTokenUsed = "PERSONAL_ACCESS_TOKEN_USED",
    /// A program got an access token.
    ClientTokenIssue = "CLIENT_TOKEN_ISSUE",
    /// An API client was made.
    ApiClientCreated = "API_CLIENT_CREATED",
    /// An API client was deleted.
    ApiClientDeleted = "API_CLIENT_DELETED",
    /// A sync group was made. This name and those after it are Lockstep's own.
    PasswordSyncGroupCreated = "PASSWORD_SYNC_GROUP_CREATED",
    /// A sync group was changed.
    PasswordSyncGroupUpdated = "PASSWORD_SYNC_GROUP_UPDATED",
    /// A sync group was deleted.
    PasswordSyncGroupDeleted = "PASSWORD_SYNC_GROUP_DELETED",
    /// From then on a source gets the passwords of a sync group.
    PasswordSyncGroupSourceAdded = "PASSWORD_SYNC_GROUP_SOURCE_ADDED",
    /// From then on it gets them no more.
    PasswordSyncGroupSourceRemoved = "PASSWORD_SYNC_GROUP_SOURCE_REMOVED",
    /// The organisation's words were replaced.
    PasswordDictionaryUpdated = "PASSWORD_DICTIONARY_UPDATED",
    /// Networks and countries where people are trusted were told for the first time.
    AuthOrgNetworkConfigCreate = "AUTH_ORG_NETWORK_CONFIG_CREATE",
    /// Other networks or countries are where people are trusted.
    AuthOrgNetworkConfigUpdate = "AUTH_ORG_NETWORK_CONFIG_UPDATE",
    /// How many wrong tries lock, or for how long, was changed.
    AuthOrgLockoutConfigUpdate = "AUTH_ORG_LOCKOUT_CONFIG_UPDATE",
    /// How long sessions go on was changed.
    AuthOrgSessionConfigUpdate = "AUTH_ORG_SESSION_CONFIG_UPDATE",
    /// A person was given a level, or it was taken away.
    UserLevelsUpdated = "USER_LEVELS_UPDATED",
    /// An application was made.
    ApplicationCreated = "APPLICATION_CREATED",
    /// An application was changed.
    ApplicationUpdated = "APPLICATION_UPDATED",
    /// An application was deleted.
    ApplicationDeleted = "APPLICATION_DELETED",
    /// An API client was changed. This name is Lockstep's own, and so are those below.
    ApiClientUpdated = "API_CLIENT_UPDATED",
    /// A personal access token was changed.
    PersonalAccessTokenUpdated = "PERSONAL_ACCESS_TOKEN_UPDATED",
    /// A personal access token was deleted.
    PersonalAccessTokenDeleted = "PERSONAL_ACCESS_TOKEN_DELETED",
    /// A client got tokens for a sign-in, or the next ones.
    SignInTokenIssue = "SIGN_IN_TOKEN_ISSUE",
    /// A code or a refresh token came a second time: somebody else has it.
    TokenReuse = "TOKEN_REUSE_DETECTED",
    /// A client ended a token.
    TokenRevoked = "TOKEN_REVOKED",
    /// Somebody had what is to be tried again later tried at once.
    DeliveryRetried = "DELIVERY_RETRIED",
    /// A person signed out of the pages.
    SignedOut = "SIGNED_OUT",
    /// A person set a second factor up.
    SecondFactorAdded = "SECOND_FACTOR_ADDED",
    /// A person has no second factor any more.
    SecondFactorRemoved = "SECOND_FACTOR_REMOVED",
    /// A person drew recovery codes, in place of those before.
    RecoveryCodesRenewed = "RECOVERY_CODES_RENEWED",
    /// A person showed a recovery code in place of their second factor.
    RecoveryCodeUsed = "RECOVERY_CODE_USED",
    /// A person answered security questions, in place of those before.
    SecurityQuestionsAnswered = "SECURITY_QUESTIONS_ANSWERED",
    /// A person has answered no security questions any more.
    SecurityAnswersRemoved = "SECURITY_ANSWERS_REMOVED",
    /// The organisation's security questions were changed.
    SecurityQuestionsUpdated = "SECURITY_QUESTIONS_UPDATED",
    /// Somebody was given a code to set a password with.
    EnrolmentCreated = "ENROLMENT_CREATED",
    /// Everything that a restored database called unfinished was ended.
    DatabaseRestored = "DATABASE_RESTORED",
}

/// A name that is no action's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such audit action")]
pub struct UnknownAction;

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        Self::ALL.iter().find(|action| action.as_str() == text).copied().ok_or(UnknownAction)
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_action_is_read_as_it_is_written_and_has_its_own_name() {
        let names: BTreeSet<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
        assert_eq!(names.len(), Action::ALL.len());
        for action in Action::ALL {
            assert_eq!(action.to_string().parse(), Ok(*action));
        }
        assert_eq!("PASSWORD_CHANGE".parse::<Action>(), Err(UnknownAction));
    }

    #[test]
    fn the_names_are_the_contracts_and_few_of_our_own() {
        // Written out a second time, from the contract, so that a slip above shows.
        let contract = "passwordChange passwordChangeFailure PasswordsRequestStart ACTION_PASSWORD_CHANGE_SUCCESS \
             USER_PASSWORD_UPDATE_PASSED USER_PASSWORD_UPDATE_FAILED USER_PASSWORD_RESET_REJECTED \
             forgotPasswordChange ForgotPasswordStart expiredPasswordChange ACCOUNT_PASSWORD_RESET_PASSED \
             ACCOUNT_PASSWORD_RESET_FAILED ACCOUNT_PASSWORD_SYNC_PASSED DIGIT_TOKEN_GENERATION_PASSED \
             DIGIT_TOKEN_GENERATION_FAILED DIGIT_TOKEN_VERIFICATION_PASSED DIGIT_TOKEN_VERIFICATION_FAILED \
             MFA_VERIFICATION_FAILED PASSWORD_POLICY_CREATED PASSWORD_POLICY_UPDATED PASSWORD_POLICY_DELETED \
             SOURCE_PASSWORD_POLICY_ASSIGNED PASSWORD_ORG_CONFIG_CREATE PASSWORD_ORG_CONFIG_UPDATE \
             CUSTOM_PASSWORD_INSTRUCTIONS_CREATE CUSTOM_PASSWORD_INSTRUCTIONS_DELETE \
             SOURCE_EXTERNAL_PASSWORD_CHANGE_PASSED SOURCE_EXTERNAL_PASSWORD_CHANGE_FAILED \
             SOURCE_PASSWORD_INTERCEPT_PROCESSED SOURCE_PASSWORD_INTERCEPT_IGNORED USER_LOCK USER_UNLOCK \
             USER_UNLOCK_REJECTED USER_STEP_UP_AUTH USER_STEP_UP_AUTH_FAILURE USER_KBA_ANSWERS USER_INVITE \
             UnlockAccount UnlockAccountFailure AUTHENTICATION-100 AUTHENTICATION-240 AUTHENTICATION-245 \
             AUTHENTICATION-246 PERSONAL_ACCESS_TOKEN_CREATED PERSONAL_ACCESS_TOKEN_USED CLIENT_TOKEN_ISSUE \
             API_CLIENT_CREATED API_CLIENT_DELETED";
        let own = "PASSWORD_SYNC_GROUP_CREATED PASSWORD_SYNC_GROUP_UPDATED PASSWORD_SYNC_GROUP_DELETED \
             PASSWORD_SYNC_GROUP_SOURCE_ADDED PASSWORD_SYNC_GROUP_SOURCE_REMOVED PASSWORD_DICTIONARY_UPDATED \
             USER_LEVELS_UPDATED APPLICATION_CREATED APPLICATION_UPDATED APPLICATION_DELETED SOURCE_CREATED \
             SOURCE_UPDATED SOURCE_DELETED ACCOUNT_LINKED ACCOUNT_ENABLED ACCOUNT_DISABLED API_CLIENT_UPDATED \
             PERSONAL_ACCESS_TOKEN_UPDATED PERSONAL_ACCESS_TOKEN_DELETED SIGN_IN_TOKEN_ISSUE TOKEN_REUSE_DETECTED \
             TOKEN_REVOKED DELIVERY_RETRIED SIGNED_OUT SECOND_FACTOR_ADDED SECOND_FACTOR_REMOVED \
             RECOVERY_CODES_RENEWED RECOVERY_CODE_USED ENROLMENT_CREATED DATABASE_RESTORED \
             AUTH_ORG_NETWORK_CONFIG_CREATE AUTH_ORG_NETWORK_CONFIG_UPDATE AUTH_ORG_LOCKOUT_CONFIG_UPDATE \
             AUTH_ORG_SESSION_CONFIG_UPDATE SECURITY_QUESTIONS_ANSWERED SECURITY_ANSWERS_REMOVED \
             SECURITY_QUESTIONS_UPDATED";
        let expected: BTreeSet<&str> = contract.split_whitespace().chain(own.split_whitespace()).collect();
        assert_eq!(Action::ALL.iter().map(|action| action.as_str()).collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn an_event_is_written_as_ids_numbers_and_words() {
        let event = Event {
            action: Action::AccountPasswordResetFailed,
            actor: Actor::Node(NodeId(Uuid::from_u128(1))),
            identity: Some(IdentityId(Uuid::from_u128(2))),
            source: Some(SourceId(Uuid::from_u128(3))),
            account: None,
            change: None,
            at: DateTime::UNIX_EPOCH + TimeDelta::milliseconds(1500),
            outcome: Outcome::Failed,
            detail: BTreeMap::from([("attempt", Detail::Count(3)), ("cause", Detail::Word("unreachable"))]),
        };
        assert_eq!(
            serde_json::to_value(&event).expect("written"),
            json!({
                "action": "ACCOUNT_PASSWORD_RESET_FAILED",
                "actor": {"node": "00000000000000000000000000000001"},
                "identity": "00000000000000000000000000000002",
                "source": "00000000000000000000000000000003",
                "account": null,
                "change": null,
                "at": "1970-01-01T00:00:01.500Z",
                "outcome": "failed",
                "detail": {"attempt": 3, "cause": "unreachable"}
            })
        );
    }
}
