//! API clients and personal access tokens.

use std::collections::HashSet;
use std::time::Duration;

use lockstep_core::audit::Action;
use lockstep_core::client::ClientSettings;
use lockstep_core::id::{ClientId, PersonalAccessTokenId};
use lockstep_core::identity::Identity;
use lockstep_core::scope::{Scope, Scopes};
use lockstep_store::client::Client;
use lockstep_store::personal_access_token::PersonalAccessToken;
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::secret::{Secret, draw_client_secret, draw_id};
use toml::Spanned;

use super::{Drawn, Planner};
use crate::app::apply::reference::Reference;
use crate::app::apply::wanted::{Wanted, WantedClient, WantedToken};
use crate::app::apply::write::Write;
use crate::app::record::About;

/// How long access tokens may live (CONTRACT section 3), in seconds; the longest is the default, because most clients
/// never ask for another.
const TOKEN_SECONDS: std::ops::RangeInclusive<u64> = 15..=43_200;
/// How many personal access tokens a person may have (CONTRACT section 3).
const MOST_TOKENS: usize = 10;
/// The shortest secret of a client. It is kept as a keyed hash, not a slow one, so it must not be guessable.
const SHORTEST_SECRET: usize = 32;

impl Planner<'_> {
    pub(super) fn clients(&mut self, wanted: &Wanted) {
        let mut seen = HashSet::new();
        for client in wanted.client.iter().map(Spanned::get_ref) {
            // Several may have one name, and then their ids say which is meant.
            let key = client.id.as_ref().map_or_else(|| client.name.get_ref().clone(), |id| id.get_ref().to_string());
            if self.once(&mut seen, "client", &client.name, key) {
                self.client(client);
            }
        }
    }

    pub(super) fn tokens(&mut self, wanted: &Wanted) {
        let mut seen = HashSet::new();
        for token in wanted.personal_access_token.iter().map(Spanned::get_ref) {
            let key = format!("{}\0{}", Identity::alias_key(token.identity.get_ref()), token.name.get_ref());
            if self.once(&mut seen, "personal access token", &token.name, key) {
                self.token(token);
            }
        }
    }

    fn client(&mut self, wanted: &WantedClient) {
        let name = wanted.name.get_ref();
        let at = wanted.name.span().start;
        let base = match &wanted.id {
            Some(id) => self.existing.clients.iter().find(|client| client.id == *id.get_ref()),
            None => {
                let mut named = self.existing.clients.iter().filter(|client| client.name == *name);
                let first = named.next();
                if named.next().is_some() {
                    return self.problem(at, format!("there are several clients {name:?}; say which by its id"));
                }
                first
            }
        };
        let base = base.cloned();
        let given = wanted.secret.as_ref().map(|reference| self.given_secret(reference, HashPurpose::ClientSecret));
        let seconds = self.token_seconds(wanted.token_lifetime, at);
        let (Some(seconds), false) = (seconds, matches!(given, Some(None))) else { return };
        let given = given.flatten();

        let mut client = base.clone().unwrap_or_else(|| Client {
            id: wanted.id.as_ref().map_or_else(|| ClientId(draw_id()), |id| *id.get_ref()),
            name: name.clone(),
            secret_hash: Vec::new(),
            scopes: [Scope::All].into_iter().collect(),
            levels: Default::default(),
            enabled: true,
            token_seconds: DEFAULT_SECONDS,
            settings: ClientSettings::default(),
            created_at: self.now,
        });
        client.name.clone_from(name);
        client.token_seconds = seconds.unwrap_or(client.token_seconds);
        client.enabled = wanted.enabled.unwrap_or(client.enabled);
        if let Some(scopes) = &wanted.scopes {
            client.scopes.clone_from(scopes);
        }
        if let Some(levels) = &wanted.levels {
            client.levels.clone_from(levels);
        }
        if let Some(hash) = given {
            client.secret_hash = hash;
        }
        let Some(base) = base else {
            if client.secret_hash.is_empty() {
                client.secret_hash =
                    self.drawn_secret("client", name, client.id.to_string(), HashPurpose::ClientSecret);
            }
            self.created("client", name);
            self.audit(Action::ApiClientCreated, About::default().with("client", client.id.0));
            return self.write(Write::Client(client));
        };
        let fields = [
            ("name", base.name != client.name),
            ("secret", base.secret_hash != client.secret_hash),
            ("scopes", base.scopes != client.scopes),
            ("levels", base.levels != client.levels),
            ("token-lifetime", base.token_seconds != client.token_seconds),
            ("enabled", base.enabled != client.enabled),
        ];
        if self.changed_fields("client", name, &fields) {
            self.audit(Action::ApiClientUpdated, About::default().with("client", client.id.0));
            self.write(Write::Client(client));
        }
    }

    fn token(&mut self, wanted: &WantedToken) {
        let name = wanted.name.get_ref();
        let at = wanted.name.span().start;
        let Some(owner) = self.existing.identities.get(&Identity::alias_key(wanted.identity.get_ref())) else {
            let text = format!("there is no identity {:?}", wanted.identity.get_ref());
            return self.problem(wanted.identity.span().start, text);
        };
        let owner = owner.id;
        let of_owner = |token: &&PersonalAccessToken| token.identity == owner;
        let base = match &wanted.id {
            Some(id) => self.existing.tokens.iter().find(|token| token.id == *id.get_ref()),
            None => self.existing.tokens.iter().filter(of_owner).find(|token| token.name == *name),
        };
        let base = base.cloned();
        let (count, place) = (self.existing.tokens.iter().filter(of_owner).count(), wanted.identity.span().start);
        if base.as_ref().is_some_and(|base| base.identity != owner) {
            return self.problem(place, "the token with this id is another identity's");
        }
        if base.is_none() && count >= MOST_TOKENS {
            return self.problem(place, format!("a person has at most {MOST_TOKENS} personal access tokens"));
        }
        let purpose = HashPurpose::PersonalAccessToken;
        let given = wanted.secret.as_ref().map(|reference| self.given_secret(reference, purpose));
        let seconds = self.token_seconds(wanted.token_lifetime, at);
        let (Some(seconds), false) = (seconds, matches!(given, Some(None))) else { return };

        let mut token = base.clone().unwrap_or_else(|| PersonalAccessToken {
            id: wanted.id.as_ref().map_or_else(|| PersonalAccessTokenId(draw_id()), |id| *id.get_ref()),
            identity: owner,
            name: name.clone(),
            secret_hash: Vec::new(),
            scopes: Scopes::from_iter([Scope::All]),
            token_seconds: DEFAULT_SECONDS,
            created_at: self.now,
            expires_at: None,
            last_used_at: None,
        });
        token.name.clone_from(name);
        token.token_seconds = seconds.unwrap_or(token.token_seconds);
        if let Some(scopes) = &wanted.scopes {
            token.scopes.clone_from(scopes);
        }
        if let Some(hash) = given.flatten() {
            token.secret_hash = hash;
        }
        let called = format!("{name} of {}", wanted.identity.get_ref());
        let Some(base) = base else {
            if token.secret_hash.is_empty() {
                token.secret_hash = self.drawn_secret("personal access token", &called, token.id.to_string(), purpose);
            }
            self.created("personal access token", &called);
            self.audit(Action::PersonalAccessTokenCreated, About::identity(owner).with("token", token.id.0));
            self.existing.tokens.push(token.clone());
            return self.write(Write::Token(token));
        };
        let fields = [
            ("name", base.name != token.name),
            ("secret", base.secret_hash != token.secret_hash),
            ("scopes", base.scopes != token.scopes),
            ("token-lifetime", base.token_seconds != token.token_seconds),
        ];
        if self.changed_fields("personal access token", &called, &fields) {
            self.audit(Action::PersonalAccessTokenUpdated, About::identity(owner).with("token", token.id.0));
            self.write(Write::Token(token));
        }
    }

    fn changed_fields(&mut self, kind: &'static str, name: &str, fields: &[(&str, bool)]) -> bool {
        let changed: Vec<String> = fields.iter().filter(|(_, is)| *is).map(|(field, _)| (*field).to_owned()).collect();
        let any = !changed.is_empty();
        if any {
            self.changed(kind, name, changed);
        }
        any
    }

    /// The keyed hash of a secret that the file refers to; none, and a problem, where it cannot be one.
    fn given_secret(&mut self, reference: &Spanned<Reference>, purpose: HashPurpose) -> Option<Vec<u8>> {
        let secret = self.secret(reference)?;
        let wrong = match purpose {
            // The contract's shape (section 3), which programs may check.
            HashPurpose::PersonalAccessToken => {
                let hexadecimal = secret.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                (secret.len() != 64 || !hexadecimal).then(|| "64 lower-case hexadecimal digits".to_owned())
            }
            _ => (secret.chars().count() < SHORTEST_SECRET).then(|| format!("at least {SHORTEST_SECRET} characters")),
        };
        if let Some(expected) = wrong {
            let text = format!(
                "{} holds no secret for this: expected {expected}, such as `openssl rand -hex 32` prints",
                reference.get_ref()
            );
            self.problem(reference.span().start, text);
            return None;
        }
        Some(self.vault.keyed_hash(purpose, secret.as_bytes()).to_vec())
    }

    /// Draws a secret to be shown once; gives its keyed hash.
    fn drawn_secret(&mut self, kind: &'static str, name: &str, id: String, purpose: HashPurpose) -> Vec<u8> {
        let secret: Secret = draw_client_secret();
        let hash = self.vault.keyed_hash(purpose, secret.expose().as_bytes()).to_vec();
        self.plan.drawn.push(Drawn { kind, name: name.to_owned(), id, secret });
        hash
    }

    /// The life of access tokens in seconds, if it is said; none, and a problem, where it is out of bounds.
    fn token_seconds(&mut self, lifetime: Option<Duration>, at: usize) -> Option<Option<u32>> {
        let Some(seconds) = lifetime.map(|lifetime| lifetime.as_secs()) else { return Some(None) };
        if TOKEN_SECONDS.contains(&seconds) {
            return Some(u32::try_from(seconds).ok());
        }
        self.problem(at, "token-lifetime must be between 15 seconds and 12 hours");
        None
    }
}

const DEFAULT_SECONDS: u32 = *TOKEN_SECONDS.end() as u32;
