//! The plan: what must be done so that what is wanted is so.
//!
//! Pure but for the references it follows and the secrets it draws: it takes what there is, what is wanted, and gives
//! either every problem there is or every write, in an order that the database's own rules allow. Nothing is written
//! here.

mod access;
mod auth_org;
mod fields;
mod identity;
mod password_policy;
mod prune;
mod source;
mod sync_group;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use lockstep_core::audit::Action;
use lockstep_core::password::Password;
use lockstep_vault::Vault;
use lockstep_vault::secret::Secret;

use super::Problem;
use super::existing::Existing;
use super::reference::Follow;
use super::wanted::{Name, Wanted};
use super::write::{FirstPassword, Write};
use crate::app::record::About;

/// What would be, or was, brought about.
#[derive(Debug, Default)]
pub struct Plan {
    /// What people are told, in the order it is done.
    pub entries: Vec<Entry>,
    /// The secrets that were drawn for new clients and tokens. They are shown once and kept only as hashes.
    pub drawn: Vec<Drawn>,
    /// The writes themselves.
    pub(super) writes: Vec<Write>,
    /// The first passwords of new identities that are not hashed yet, by alias.
    pub(super) passwords: Vec<(String, Password)>,
}

/// One thing that something is done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The noun: `source`, `identity`, ….
    pub kind: &'static str,
    /// The thing's name.
    pub name: String,
    /// What is done to it.
    pub done: Done,
}

/// What is done to a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It is new.
    Created,
    /// These fields of it change. Never a value: it may be a secret.
    Changed(Vec<String>),
    /// The file does not name it, and it goes.
    Removed,
}

/// A secret that was drawn.
#[derive(Debug)]
pub struct Drawn {
    /// The noun: `client` or `personal access token`.
    pub kind: &'static str,
    /// The thing's name.
    pub name: String,
    /// The id to sign in with.
    pub id: String,
    /// The secret to sign in with.
    pub secret: Secret,
}

/// The longest name, in characters.
const LONGEST_NAME: usize = 255;

/// The hashed first passwords of new identities, by alias.
#[derive(Debug, Default)]
pub(super) struct FirstPasswords(pub(super) HashMap<String, FirstPassword>);

/// What planning needs, and what it has found so far.
pub(super) struct Planner<'a> {
    /// What there is; every step leaves it as it will be, so that later ones refer to what earlier ones create.
    existing: Existing,
    vault: &'a Vault,
    clock: lockstep_connectors::Clock,
    follow: &'a Follow,
    passwords: &'a FirstPasswords,
    now: DateTime<Utc>,
    plan: Plan,
    problems: Vec<Problem>,
    /// Policies and sources that are in the file with problems: whoever refers to them is not to blame.
    faulty: HashSet<(&'static str, String)>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        existing: Existing,
        vault: &'a Vault,
        clock: lockstep_connectors::Clock,
        follow: &'a Follow,
        passwords: &'a FirstPasswords,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            existing,
            vault,
            clock,
            follow,
            passwords,
            now,
            plan: Plan::default(),
            problems: Vec::new(),
            faulty: HashSet::new(),
        }
    }

    /// Every write that is needed, or every problem, in the order of the file.
    pub(super) fn plan(mut self, wanted: &Wanted) -> Result<Plan, Vec<Problem>> {
        // What is referred to comes before what refers to it.
        self.dictionary(wanted);
        self.org_config(wanted);
        self.security_questions(wanted);
        self.auth_org(wanted);
        self.password_policies(wanted);
        self.sources(wanted);
        if wanted.prune {
            self.prune_sync_groups(wanted);
        }
        self.sync_groups(wanted);
        self.applications(wanted);
        self.identities(wanted);
        self.lone_accounts(wanted);
        self.clients(wanted);
        self.tokens(wanted);
        if wanted.prune && self.problems.is_empty() {
            self.prune(wanted);
        }
        if self.problems.is_empty() {
            return Ok(self.plan);
        }
        self.problems.sort_by_key(|problem| problem.at);
        Err(self.problems)
    }

    fn problem(&mut self, at: usize, text: impl Into<String>) {
        self.problems.push(Problem { at, text: text.into() });
    }

    fn created(&mut self, kind: &'static str, name: &str) {
        self.entry(kind, name, Done::Created);
    }

    fn changed(&mut self, kind: &'static str, name: &str, fields: Vec<String>) {
        self.entry(kind, name, Done::Changed(fields));
    }

    fn entry(&mut self, kind: &'static str, name: &str, done: Done) {
        self.plan.entries.push(Entry { kind, name: name.to_owned(), done });
    }

    fn write(&mut self, write: Write) {
        self.plan.writes.push(write);
    }

    fn audit(&mut self, action: Action, about: About) {
        self.write(Write::Audit(action, about));
    }

    /// Refuses the second of two things with one name, and a name that nobody could read.
    fn once(&mut self, seen: &mut HashSet<String>, kind: &str, name: &Name, key: String) -> bool {
        let at = name.span().start;
        if name.get_ref().trim().is_empty() {
            self.problem(at, format!("the {kind} needs a name"));
            return false;
        }
        if name.get_ref().chars().count() > LONGEST_NAME || name.get_ref().chars().any(char::is_control) {
            self.problem(at, format!("a name has at most {LONGEST_NAME} characters and no control characters"));
            return false;
        }
        if !seen.insert(key) {
            self.problem(at, format!("the {kind} {:?} is in this file twice", name.get_ref()));
            return false;
        }
        true
    }
}
