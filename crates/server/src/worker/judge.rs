//! Judging a change: opens its payload and asks the rules. Nothing is written here.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use lockstep_core::account::Account;
use lockstep_core::change::{Change, INVALID_PAYLOAD, NewTarget, fan_out};
use lockstep_core::id::AccountId;
use lockstep_core::identity::Identity;
use lockstep_core::password::Password;
use lockstep_core::password_policy::PasswordPolicy;
use lockstep_core::password_policy::dictionary::{Dictionary, InvalidDictionary};
use lockstep_core::password_policy::holder::binding_policy;
use lockstep_core::password_policy::rules::{self, Context, Violation};
use lockstep_core::password_set::PasswordSet;
use lockstep_core::source::Source;
use lockstep_core::sync_group::SyncGroup;
use lockstep_engine::Judged;
use lockstep_store::history::Holder;
use lockstep_store::{Tx, account, history, identity, password_set};

use super::call::{self, Entry, Payload, Sealed};
use crate::app::App;
use crate::failpoint::failpoint;

/// Judgements that precede delivery become visible at multiples of this.
const TICK: std::time::Duration = std::time::Duration::from_millis(500);

/// Opens and judges `change`.
///
/// # Errors
/// When the store or the vault fails. A payload that cannot be opened is no error.
pub(super) async fn judge(app: &App, change: &Change) -> anyhow::Result<Judged<Payload>> {
    let (facts, sealed) = Facts::load(app, change).await?;
    let judged = match facts.refusal() {
        Some(reason) => Judged::Refused(vec![reason]),
        None => facts.judge(app, change, sealed).await?,
    };
    if matches!(judged, Judged::Refused(_)) {
        // So that the time of opening does not show in it.
        next_tick(app).await;
    }
    Ok(judged)
}

/// What a judgement rests on, besides the password.
pub(super) struct Facts {
    identity: Option<Identity>,
    source: Option<Arc<Source>>,
    accounts: Vec<Account>,
    group: Option<Arc<SyncGroup>>,
    holder: Holder,
    policy: Option<Arc<PasswordPolicy>>,
    dictionary: Option<Arc<Result<Dictionary, InvalidDictionary>>>,
}

impl Facts {
    /// Reads them, and what is to be opened, in one consistent state.
    pub(super) async fn load(app: &App, change: &Change) -> anyhow::Result<(Self, Sealed)> {
        let (identity_id, source_id) = (change.identity, change.source);
        let (id, key_id) = (change.id, change.transport_key);
        let key = app.vault.cached_transport_key(key_id);
        let within = app.clone();
        let load = app.store.read(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                let configuration = within.configuration.read(tx).await?;
                let identity = identity::find(tx, identity_id).await?;
                let source = configuration.source(tx, source_id).await?;
                let accounts = account::list_of(tx, identity_id).await?;
                let group = configuration.group_of(tx, source_id).await?;
                let policy = match (&identity, &source) {
                    (Some(identity), Some(source)) => {
                        let of_group = group.as_ref().map(|group| group.policy);
                        let bound = binding_policy(of_group, &source.policy_holders, identity);
                        configuration.policy(tx, bound).await?
                    }
                    _ => None,
                };
                let dictionary = match policy.as_ref().is_some_and(|policy| policy.use_dictionary) {
                    true => configuration.dictionary(tx).await?,
                    false => None,
                };
                let holder = group.as_ref().map_or(Holder::Source(source_id), |group| Holder::SyncGroup(group.id));
                let facts = Self { identity, source, accounts, group, holder, policy, dictionary };
                Ok::<_, lockstep_store::Error>((facts, Sealed::read(tx, id, key_id, key).await?))
            })
        });
        load.await.context("cannot read what the change is judged by")
    }

    /// Why nothing can be changed, whatever the password.
    fn refusal(&self) -> Option<String> {
        match (&self.identity, &self.source) {
            (None, _) => Some("the identity does not exist any more".to_owned()),
            (Some(identity), _) if !identity.enabled => Some("the identity is disabled".to_owned()),
            (_, None) => Some("the source does not exist any more".to_owned()),
            (_, Some(source)) if !source.takes_passwords() => {
                Some(format!("{}: passwords cannot be set on this source", source.name))
            }
            _ => None,
        }
    }

    /// The fewest characters that the policy accepts.
    pub(super) fn minimum(&self) -> usize {
        self.policy.as_ref().map_or(0, |policy| usize::try_from(policy.min_length).unwrap_or(0))
    }

    async fn judge(&self, app: &App, change: &Change, sealed: Sealed) -> anyhow::Result<Judged<Payload>> {
        let Some(identity) = &self.identity else { return Ok(Judged::Refused(Vec::new())) };
        let Some(password) = call::open(app, change, sealed, self.minimum()).await? else {
            return Ok(Judged::Refused(vec![INVALID_PAYLOAD.to_owned()]));
        };
        failpoint!(app, JudgeOpened);
        let members = self.group.as_ref().map_or(&[][..], |group| &group.sources);
        let targets = fan_out(identity, change.source, change.account, members, &self.accounts);
        let broken = self.broken_rules(identity, &targets, &password)?;
        if !broken.is_empty() {
            return Ok(Judged::Refused(broken));
        }
        let compared = call::compare_with_history(app, change, self.keep(), self.holder, &password).await?;
        let history = match (compared, &self.policy) {
            (Ok(entry), _) => entry,
            (Err(violation), Some(policy)) => return Ok(Judged::Refused(vec![refusal(policy, &violation)])),
            (Err(_), None) => None,
        };
        let fingerprint = app.vault.fingerprint(&password);
        let renews = self.renews(app, change, &history).await?;
        if !renews && self.has_expired(app, change).await? {
            let violation = Violation::Reused { history: i64::from(self.keep()) };
            return Ok(Judged::Refused(self.policy.iter().map(|policy| refusal(policy, &violation)).collect()));
        }
        Ok(Judged::Passed { targets, payload: Arc::new(Payload { password, fingerprint, history, renews }) })
    }

    /// Every rule that the password breaks for any account that would get it.
    fn broken_rules(
        &self,
        identity: &Identity,
        targets: &[NewTarget],
        password: &Password,
    ) -> anyhow::Result<Vec<String>> {
        let Some(policy) = &self.policy else { return Ok(Vec::new()) };
        let none = Ok(Dictionary::default());
        let dictionary = self.dictionary.as_deref().unwrap_or(&none);
        let dictionary = dictionary.as_ref().map_err(Clone::clone).context("the stored dictionary is invalid")?;
        let reached: BTreeSet<AccountId> = targets.iter().map(|target| target.account).collect();
        let mut broken: Vec<String> = Vec::new();
        for account in self.accounts.iter().filter(|account| reached.contains(&account.id)) {
            let context = Context::of(identity, account, dictionary);
            for violation in rules::check(policy, password, &context).err().unwrap_or_default() {
                let sentence = refusal(policy, &violation);
                if !broken.contains(&sentence) {
                    broken.push(sentence);
                }
            }
        }
        Ok(broken)
    }

    /// How many passwords of this holder may not come back.
    fn keep(&self) -> u32 {
        self.policy.as_ref().map_or(0, |policy| u32::try_from(policy.history).unwrap_or(0))
    }

    /// Whether the password is another than the one before, where this is what the history will hold of it. Where there is no
    /// history, nobody knows.
    pub(super) async fn renews(&self, app: &App, change: &Change, entry: &Option<Entry>) -> anyhow::Result<bool> {
        if self.keep() == 0 || entry.is_some() {
            return Ok(true);
        }
        // It may be this very change that the history has already: opened again after an interruption.
        let (identity, holder) = (change.identity, self.holder);
        let read = app.store.read(move |tx: &mut Tx<'_>| Box::pin(history::newest_at(tx, identity, holder)));
        let newest: lockstep_store::Result<Option<DateTime<Utc>>> = read.await;
        Ok(newest.context("cannot read the password history")?.is_some_and(|at| at >= change.created_at))
    }

    /// Whether the password that the named account has was to be changed before this change was asked for.
    async fn has_expired(&self, app: &App, change: &Change) -> anyhow::Result<bool> {
        let identity = change.identity;
        let read = app.store.read(move |tx: &mut Tx<'_>| Box::pin(password_set::list_of(tx, identity)));
        let set: lockstep_store::Result<Vec<(Account, PasswordSet)>> = read.await;
        let set = set.context("cannot read when passwords were set")?;
        // One that was set outside since does not make the one of before younger, and that one is asked for again.
        let expires = set
            .iter()
            .find(|(account, _)| account.id == change.account)
            .and_then(|(_, known)| self.policy.as_ref().and_then(|policy| policy.expires_at(known.set_at?)));
        Ok(expires.is_some_and(|at| at <= change.created_at))
    }

    /// What the history will hold of this password, whether or not it would pass now: for a change that passed.
    pub(super) async fn entry(&self, app: &App, change: &Change, password: &Password) -> anyhow::Result<Option<Entry>> {
        Ok(call::compare_with_history(app, change, self.keep(), self.holder, password).await?.unwrap_or_default())
    }
}

fn refusal(policy: &PasswordPolicy, violation: &Violation) -> String {
    format!("Password policy {}: the new password {violation}", policy.name)
}

async fn next_tick(app: &App) {
    let elapsed = app.clock.monotonic();
    let past = elapsed.as_nanos() % TICK.as_nanos();
    let rest = TICK.as_nanos() - past;
    tokio::time::sleep(std::time::Duration::from_nanos(u64::try_from(rest).unwrap_or(0))).await;
}
