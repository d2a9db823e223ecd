//! Values for the tests: people, accounts, changes.

use chrono::{DateTime, TimeDelta, Utc};
use lockstep_core::account::Account;
use lockstep_core::change::{Change, ChangeState, Target, TargetKey, TargetState};
use lockstep_core::id::{AccountId, ChangeId, IdentityId, NodeId, SourceId, TransportKeyId};
use lockstep_core::identity::Identity;
use lockstep_core::source::{Feature, Source};
use lockstep_store::change::Payload;
use uuid::Uuid;

/// A time, in seconds after the beginning, with milliseconds that are not zero.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_790_000_000_123).expect("in range") + TimeDelta::seconds(seconds)
}

pub(crate) fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

pub(crate) fn node(n: u128) -> NodeId {
    NodeId(uuid(0xd0_0000 + n))
}

/// An identity whose bucket is the last byte of `n`.
pub(crate) fn identity_id(n: u128) -> IdentityId {
    IdentityId(uuid(0x1d_0000_0000 + n))
}

pub(crate) fn account_id(n: u128) -> AccountId {
    AccountId(uuid(0xac_0000_0000 + n))
}

pub(crate) fn source_id(n: u128) -> SourceId {
    SourceId(uuid(0x50_0000_0000 + n))
}

pub(crate) fn transport_key_id(n: u128) -> TransportKeyId {
    TransportKeyId(uuid(0x7e_0000_0000 + n))
}

pub(crate) fn change_id(identity: IdentityId, n: u128) -> ChangeId {
    ChangeId::of(identity, uuid((identity.0.as_u128() << 64) + n * 0x100))
}

pub(crate) fn identity(n: u128, alias: &str) -> Identity {
    Identity {
        id: identity_id(n),
        alias: alias.to_owned(),
        display_name: format!("{alias} (person {n})"),
        email: Some(format!("person{n}@example.test")),
        attributes: [("department".to_owned(), "Räder & Co".to_owned())].into(),
        sign_in_source: SourceId::IDENTITY_NOW,
        enabled: true,
    }
}

pub(crate) fn source(n: u128, name: &str) -> Source {
    Source {
        id: source_id(n),
        name: name.to_owned(),
        description: "A system".to_owned(),
        connector: "sql".to_owned(),
        config: serde_json::json!({"address": "127.0.0.1", "port": 5432}),
        features: [Feature::Password, Feature::Unlock].into(),
        policy_holders: Vec::new(),
        concurrency: 7,
        aggregation: Default::default(),
    }
}

pub(crate) fn account(n: u128, identity: Option<IdentityId>, source: SourceId) -> Account {
    Account {
        id: account_id(n),
        identity,
        source,
        stable_id: format!("stable-{n}"),
        native_id: format!("CN=Person {n},DC=example,DC=test"),
        name: format!("person{n}"),
        password_sync: true,
        attributes: [("title".to_owned(), "O'Neill \"x\"".to_owned())].into(),
        vanished: false,
    }
}

/// The change at place `seq` of an identity's order, just accepted.
pub(crate) fn change(identity: IdentityId, seq: i64) -> Change {
    Change {
        id: change_id(identity, seq.unsigned_abs().into()),
        identity,
        seq,
        source: source_id(1),
        account: account_id(1),
        transport_key: transport_key_id(1),
        state: ChangeState::Accepted,
        joined: None,
        refusals: Vec::new(),
        created_at: at(seq),
        expires_at: at(seq + 3600),
        settled_at: None,
    }
}

pub(crate) fn target(change: &Change, account: u128, state: TargetState) -> Target {
    Target {
        key: TargetKey { change: change.id, account: account_id(account) },
        source: source_id(account),
        native_id: format!("uid={account}"),
        name: format!("person{account}"),
        seq: change.seq,
        sign_in: false,
        state,
        attempts: 1,
        probed: false,
        unsure: false,
        reason: None,
        settled_at: state.is_final().then(|| at(100)),
    }
}

pub(crate) fn payload() -> Payload {
    Payload { new: vec![1, 0, 255], current: Some(vec![2, 0, 254]) }
}
