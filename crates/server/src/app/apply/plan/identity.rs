//! Identities and their accounts.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use lockstep_core::account::Account;
use lockstep_core::audit::Action;
use lockstep_core::change::IntentKind;
use lockstep_core::id::{AccountId, IdentityId, SourceId};
use lockstep_core::identity::Identity;
use lockstep_core::password::Password;
use lockstep_core::scope::UserLevel;
use lockstep_core::source::{Feature, Source};
use lockstep_vault::secret::draw_id_at;
use toml::Spanned;

use super::Planner;
use super::fields::differing;
use crate::app::apply::native_key;
use crate::app::apply::wanted::{Name, Wanted, WantedAccount, WantedIdentity};
use crate::app::apply::write::Write;
use crate::app::level;
use crate::app::record::About;

impl Planner<'_> {
    pub(super) fn identities(&mut self, wanted: &Wanted) {
        let mut seen = HashSet::new();
        let mut accounts = HashSet::new();
        for identity in wanted.identity.iter().map(Spanned::get_ref) {
            let key = Identity::alias_key(identity.alias.get_ref());
            if self.once(&mut seen, "identity", &identity.alias, key) {
                self.identity(identity, &mut accounts);
            }
        }
    }

    fn audit_levels(&mut self, id: IdentityId, before: &BTreeSet<UserLevel>, after: &BTreeSet<UserLevel>) {
        let granted: Vec<_> = after.difference(before).copied().collect();
        let revoked: Vec<_> = before.difference(after).copied().collect();
        self.audit(Action::UserLevelsUpdated, level::about(id, &granted, &revoked));
    }

    /// Accounts that stand under no person.
    pub(super) fn lone_accounts(&mut self, wanted: &Wanted) {
        let mut seen = HashSet::new();
        for lone in &wanted.lone_account {
            let Some(alias) = &lone.identity else {
                self.account(&lone.account, None, &mut seen);
                continue;
            };
            match self.existing.identities.get(&Identity::alias_key(alias.get_ref())).cloned() {
                Some(owner) => self.account(&lone.account, Some(&owner), &mut seen),
                None => {
                    self.problem(alias.span().start, format!("there is no identity {:?}", alias.get_ref()));
                }
            }
        }
    }

    fn identity(&mut self, wanted: &WantedIdentity, seen: &mut HashSet<(SourceId, String)>) {
        let alias = wanted.alias.get_ref();
        let problems = self.problems.len();
        let base = self.existing.identities.get(&Identity::alias_key(alias)).cloned();
        let Some(identity) = self.described_identity(wanted, base.as_ref()) else { return };
        let levels_before = self.existing.levels.get(&identity.id).cloned().unwrap_or_default();
        let levels = wanted.levels.clone().unwrap_or_else(|| levels_before.clone());
        if self.problems.len() > problems {
            return;
        }

        let built_in = built_in_account(&identity);
        let mut fields = Vec::new();
        match &base {
            None => {
                self.write(Write::Identity(identity.clone()));
                self.write(built_in);
                if !levels.is_empty() {
                    self.audit_levels(identity.id, &BTreeSet::new(), &levels);
                    self.write(Write::Levels(identity.id, levels));
                }
                self.first_password(wanted, identity.id);
            }
            Some(base) => {
                fields = differing(base, &identity);
                if !fields.is_empty() {
                    self.write(Write::Identity(identity.clone()));
                }
                if base.enabled && !identity.enabled {
                    self.audit(Action::AccountDisabled, About::built_in(identity.id));
                    self.write(Write::Intent(identity.id, IntentKind::Disable));
                }
                if self.existing.retired.contains(&identity.id) && !identity.enabled {
                    fields.push("enabled".to_owned());
                    self.audit(Action::AccountDisabled, About::built_in(identity.id));
                    self.write(Write::StaysDisabled(identity.id));
                }
                if !base.enabled && identity.enabled {
                    self.audit(Action::AccountEnabled, About::built_in(identity.id));
                    self.write(Write::Withdraw(identity.id, None));
                }
                if base.alias != identity.alias {
                    self.write(built_in);
                }
                if levels != levels_before {
                    fields.push("levels".to_owned());
                    self.audit_levels(identity.id, &levels_before, &levels);
                    self.write(Write::Levels(identity.id, levels));
                }
            }
        }
        let from = self.plan.entries.len();
        for account in &wanted.account {
            self.account(account, Some(&identity), seen);
        }
        // The person is told before the accounts that are this person's.
        let accounts = self.plan.entries.split_off(from);
        match base {
            None => self.created("identity", alias),
            Some(_) if !fields.is_empty() => self.changed("identity", alias, fields),
            Some(_) => {}
        }
        self.plan.entries.extend(accounts);
        self.existing.identities.insert(Identity::alias_key(alias), identity);
    }

    fn described_identity(&mut self, wanted: &WantedIdentity, base: Option<&Identity>) -> Option<Identity> {
        let alias = wanted.alias.get_ref();
        let id = match (&wanted.id, base) {
            (Some(id), Some(base)) if *id.get_ref() != base.id => {
                self.problem(id.span().start, format!("{alias:?} exists already, under the id {}", base.id));
                return None;
            }
            (Some(id), None) if self.existing.identity_ids.contains(id.get_ref()) => {
                self.problem(id.span().start, "this id is another identity's");
                return None;
            }
            (Some(id), _) => *id.get_ref(),
            (None, Some(base)) => base.id,
            (None, None) => IdentityId(draw_id_at(self.now)),
        };
        self.existing.identity_ids.insert(id);
        let mut identity = base.cloned().unwrap_or_else(|| Identity {
            id,
            alias: alias.clone(),
            display_name: alias.clone(),
            email: None,
            attributes: BTreeMap::new(),
            sign_in_source: SourceId::IDENTITY_NOW,
            enabled: true,
        });
        identity.alias.clone_from(alias);
        if key_is_too_long(&Identity::alias_key(alias)) {
            self.problem(wanted.alias.span().start, TOO_LONG_A_KEY);
        }
        if let Some(display_name) = &wanted.display_name {
            self.text("display name", display_name);
            identity.display_name.clone_from(display_name.get_ref());
        }
        if let Some(email) = &wanted.email {
            self.text("mail address", email);
            identity.email = Some(email.get_ref().clone()).filter(|email| !email.is_empty());
        }
        if let Some(attributes) = &wanted.attributes {
            self.attributes(attributes);
            identity.attributes.clone_from(attributes.get_ref());
        }
        if let Some(enabled) = wanted.enabled {
            identity.enabled = enabled;
        }
        if let Some(name) = &wanted.sign_in_source {
            let source = self.source_named(name)?;
            if !source.features.contains(&Feature::Authenticate) {
                let text = format!("{:?} cannot sign anybody in: it lacks the feature AUTHENTICATE", source.name);
                self.problem(name.span().start, text);
            }
            identity.sign_in_source = source.id;
        }
        Some(identity)
    }

    /// Writes the hash where it is made already; where not, gives the password away to be hashed.
    fn first_password(&mut self, wanted: &WantedIdentity, id: IdentityId) {
        let Some(reference) = &wanted.password else { return };
        let alias = wanted.alias.get_ref();
        if let Some(hashed) = self.passwords.0.get(alias) {
            return self.write(Write::FirstPassword(id, hashed.clone()));
        }
        let Some(text) = self.secret(reference) else { return };
        match Password::try_from(text.as_str()) {
            Ok(password) => self.plan.passwords.push((alias.clone(), password)),
            Err(_) => {
                let origin = reference.get_ref();
                let text = format!("{origin} holds no password: there are control characters, or it is too long");
                self.problem(reference.span().start, text);
            }
        }
    }

    fn account(
        &mut self,
        wanted: &Spanned<WantedAccount>,
        owner: Option<&Identity>,
        seen: &mut HashSet<(SourceId, String)>,
    ) {
        let at = wanted.span().start;
        let wanted = wanted.get_ref();
        let Some(source) = self.source_named(&wanted.source) else { return };
        if source.is_built_in() {
            let text = format!("the account on {} is made with the identity; leave it out", Source::IDENTITY_NOW);
            return self.problem(wanted.source.span().start, text);
        }
        let native_id = wanted.native_id.get_ref();
        let stable_id = wanted.stable_id.as_ref().unwrap_or(&wanted.native_id).get_ref();
        if native_id.is_empty() || stable_id.is_empty() {
            return self.problem(wanted.native_id.span().start, "an account needs a native id");
        }
        let native_key = native_key(&source, native_id);
        for (name, keys) in [(Some(&wanted.native_id), &native_key), (wanted.stable_id.as_ref(), stable_id)] {
            let Some(name) = name else { continue };
            let control = name.get_ref().chars().any(char::is_control);
            if control || key_is_too_long(keys) {
                return self.problem(name.span().start, TOO_LONG_A_KEY);
            }
        }
        let key = (source.id, stable_id.clone());
        if !seen.insert(key.clone()) {
            let text = format!("the account {stable_id:?} on {:?} is in this file twice", source.name);
            return self.problem(at, text);
        }
        let base = self.existing.accounts.get(&key).cloned();
        // A tombstone shares its native id with whoever has it now.
        let buried = match &base {
            Some(base) => base.vanished && wanted.gone != Some(false),
            None => wanted.gone == Some(true),
        };
        if !buried {
            let other = self.existing.natives.insert((source.id, native_key.clone()), stable_id.clone());
            if other.is_some_and(|other| other != *stable_id) {
                let text = format!("another account on {:?} has the native id {native_id:?}", source.name);
                return self.problem(wanted.native_id.span().start, text);
            }
        }
        let problems = self.problems.len();
        let mut account = base.clone().unwrap_or_else(|| Account {
            id: AccountId(draw_id_at(self.now)),
            identity: owner.map(|owner| owner.id),
            source: source.id,
            stable_id: stable_id.clone(),
            native_id: native_id.clone(),
            name: owner.map_or(native_id, |owner| &owner.alias).clone(),
            password_sync: true,
            attributes: BTreeMap::new(),
            vanished: false,
        });
        account.native_id.clone_from(native_id);
        if let Some(name) = &wanted.name {
            self.text("name", name);
            account.name.clone_from(name.get_ref());
        }
        if let Some(password_sync) = wanted.password_sync {
            account.password_sync = password_sync;
        }
        if let Some(attributes) = &wanted.attributes {
            self.attributes(attributes);
            account.attributes.clone_from(attributes.get_ref());
        }
        if self.problems.len() > problems {
            return;
        }
        let called = format!("{} on {}", account.native_id, source.name);
        let Some(base) = base else {
            self.created("account", &called);
            account.vanished = wanted.gone == Some(true);
            return self.write(Write::Account { account, native_key });
        };
        let becomes = self.become_of(&mut account, owner.map(|owner| owner.id), wanted.gone);
        let mut fields = differing(&base, &account);
        let about = About::account(&account);
        if !fields.is_empty() {
            self.write(Write::Account { account, native_key });
        }
        if let Some((field, write)) = becomes {
            fields.push(field.to_owned());
            self.write(write);
        }
        if fields.iter().any(|field| field == "identity") {
            self.audit(Action::AccountLinked, about);
        }
        if !fields.is_empty() {
            self.changed("account", &called, fields);
        }
    }

    /// What becomes of an account besides its fields, and the field that says so: it goes to `wanted`, is gone, or is there
    /// again. The first two have to wait until nothing is under way there. What is to become of it already is not asked
    /// for again, and what is no longer wanted is taken back. Where it is nobody's, nothing is under way.
    fn become_of(
        &self,
        account: &mut Account,
        wanted: Option<IdentityId>,
        gone: Option<bool>,
    ) -> Option<(&'static str, Write)> {
        let id = account.id;
        let standing = self.existing.intents.get(&id).copied();
        let Some(owner) = account.identity else {
            account.identity = wanted;
            account.vanished |= gone == Some(true);
            return (account.vanished && gone == Some(false)).then_some(("gone", Write::FoundAgain(id)));
        };
        let wanted = match (wanted, standing) {
            (Some(wanted), _) => wanted,
            // Where nobody says whose it is, it stays on its way.
            (None, Some(IntentKind::Give { .. })) => return None,
            (None, _) => owner,
        };
        match (standing, gone) {
            (Some(IntentKind::Give { to, .. }), _) if to == Some(wanted) => None,
            (Some(IntentKind::Give { .. }), _) if owner == wanted => {
                Some(("identity", Write::Withdraw(owner, Some(id))))
            }
            _ if owner != wanted => {
                Some(("identity", Write::Intent(owner, IntentKind::Give { account: id, to: Some(wanted) })))
            }
            (Some(IntentKind::Bury { .. }), Some(false)) => Some(("gone", Write::Withdraw(owner, Some(id)))),
            (None, Some(true)) if !account.vanished => {
                Some(("gone", Write::Intent(owner, IntentKind::Bury { account: id })))
            }
            (_, Some(false)) if account.vanished => Some(("gone", Write::FoundAgain(id))),
            _ => None,
        }
    }
}

/// The longest display name, mail address and name of an account, in characters.
const LONGEST_TEXT: usize = 255;
/// The longest name and value of an attribute, in characters.
const LONGEST_ATTRIBUTE: (usize, usize) = (255, 4096);
/// The longest key, in bytes: PostgreSQL has no longer ones in an index.
const LONGEST_KEY: usize = 2048;
const TOO_LONG_A_KEY: &str = "at most 2048 bytes, and no control characters";

fn key_is_too_long(key: &str) -> bool {
    key.len() > LONGEST_KEY
}

impl Planner<'_> {
    fn text(&mut self, what: &str, text: &Name) {
        if text.get_ref().chars().count() > LONGEST_TEXT || text.get_ref().chars().any(char::is_control) {
            let text_of = format!("the {what} has at most {LONGEST_TEXT} characters and no control characters");
            self.problem(text.span().start, text_of);
        }
    }

    /// What people write on several lines, an address, is a value too.
    fn attributes(&mut self, attributes: &Spanned<BTreeMap<String, String>>) {
        let (name_length, value_length) = LONGEST_ATTRIBUTE;
        let breaks = ['\n', '\r', '\t'];
        for (name, value) in attributes.get_ref() {
            let bad_name = name.is_empty() || name.chars().count() > name_length || name.chars().any(char::is_control);
            let control = |character: char| character.is_control() && !breaks.contains(&character);
            let bad_value = value.chars().count() > value_length || value.chars().any(control);
            if bad_name || bad_value {
                let text = format!(
                    "an attribute's name has 1 to {name_length} characters and its value at most {value_length}, without \
                     control characters"
                );
                self.problem(attributes.span().start, text);
            }
        }
    }
}

/// The account that stands for the sign-in password in Lockstep itself.
fn built_in_account(identity: &Identity) -> Write {
    let account = Account::built_in(identity);
    Write::Account { account, native_key: Identity::alias_key(&identity.alias) }
}
