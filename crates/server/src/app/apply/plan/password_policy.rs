//! What passwords must be: policies, the dictionary and the organisation's settings.

use std::collections::HashSet;

use lockstep_core::audit::Action;
use lockstep_core::id::PasswordPolicyId;
use lockstep_core::password_policy::PasswordPolicy;
use lockstep_core::password_policy::dictionary::Dictionary;
use lockstep_vault::secret::draw_id;
use toml::Spanned;

use super::Planner;
use super::fields::{differing, place_of};
use crate::app::apply::wanted::{Fields, Name, Wanted};
use crate::app::apply::write::Write;
use crate::app::record::About;

/// Fields of a policy that follow from what it is.
const CLOSED: [&str; 3] = ["id", "defaultPolicy", "name"];

impl Planner<'_> {
    pub(super) fn dictionary(&mut self, wanted: &Wanted) {
        let Some(reference) = &wanted.dictionary else { return };
        let at = reference.span().start;
        let file = match (self.follow)(reference.get_ref()) {
            Ok(file) => file,
            Err(problem) => return self.problem(at, problem),
        };
        match Dictionary::parse(&file) {
            Err(error) => self.problem(at, format!("{}: {error}", reference.get_ref())),
            Ok(dictionary) if dictionary == self.existing.dictionary => {}
            Ok(dictionary) => {
                if self.existing.dictionary == Dictionary::default() {
                    self.created("dictionary", "the organisation's words");
                } else {
                    self.changed("dictionary", "the organisation's words", vec!["words".to_owned()]);
                }
                self.audit(Action::PasswordDictionaryUpdated, About::default());
                self.write(Write::Dictionary(dictionary));
            }
        }
    }

    pub(super) fn org_config(&mut self, wanted: &Wanted) {
        let Some(table) = &wanted.org_config else { return };
        let base = self.existing.org_config.clone();
        let Some(config) = self.merged(&base.clone().unwrap_or_default(), table, &[]) else { return };
        if let Err(error) = config.validate() {
            return self.problem(place_of(table, error.field), error.to_string());
        }
        match base {
            Some(base) if base == config => return,
            Some(base) => {
                self.changed("settings", "the organisation's settings", differing(&base, &config));
                self.audit(Action::PasswordOrgConfigUpdate, About::default());
            }
            None => {
                self.created("settings", "the organisation's settings");
                self.audit(Action::PasswordOrgConfigCreate, About::default());
            }
        }
        self.write(Write::OrgConfig(config));
    }

    pub(super) fn security_questions(&mut self, wanted: &Wanted) {
        let Some(table) = &wanted.security_questions else { return };
        let base = self.existing.security_questions.clone();
        let Some(questions) = self.merged(&base.clone().unwrap_or_default(), table, &[]) else { return };
        if let Err(error) = questions.validate() {
            return self.problem(place_of(table, error.field()), error.to_string());
        }
        const WHAT: &str = "what people can answer";
        match base {
            Some(base) if base == questions => return,
            Some(base) => self.changed("security questions", WHAT, differing(&base, &questions)),
            None => self.created("security questions", WHAT),
        }
        self.audit(Action::SecurityQuestionsUpdated, About::default());
        self.write(Write::SecurityQuestions(questions));
    }

    pub(super) fn password_policies(&mut self, wanted: &Wanted) {
        let mut seen = HashSet::new();
        for table in &wanted.password_policy {
            let Some(name) = self.policy_name(table) else { continue };
            if self.once(&mut seen, "password policy", &name, name.get_ref().clone()) {
                let problems = self.problems.len();
                self.password_policy(table, name.get_ref());
                if self.problems.len() > problems {
                    self.faulty.insert(("password policy", name.get_ref().clone()));
                }
            }
        }
    }

    /// The policy of that name, once this file is applied.
    pub(super) fn policy_named(&mut self, name: &Name) -> Option<PasswordPolicyId> {
        let found = self.existing.policies.iter().find(|policy| policy.name == *name.get_ref()).map(|policy| policy.id);
        if found.is_none() && !self.faulty.contains(&("password policy", name.get_ref().clone())) {
            self.problem(name.span().start, format!("there is no password policy {:?}", name.get_ref()));
        }
        found
    }

    fn password_policy(&mut self, table: &Spanned<Fields>, name: &str) {
        let index = self.existing.policies.iter().position(|policy| policy.name == name);
        let base = match index {
            Some(index) => self.existing.policies[index].clone(),
            None => PasswordPolicy {
                id: PasswordPolicyId(draw_id()),
                name: name.to_owned(),
                ..PasswordPolicy::unrestricted()
            },
        };
        let mut rules = table.get_ref().clone();
        rules.remove("name");
        let Some(policy) = self.merged(&base, &Spanned::new(table.span(), rules), &CLOSED) else { return };
        if let Err(error) = policy.validate() {
            let text = error.to_string();
            let field = text.split(' ').next().unwrap_or_default();
            return self.problem(place_of(table, field), text);
        }
        match index {
            Some(_) if policy == base => {}
            Some(index) => {
                self.changed("password policy", name, differing(&base, &policy));
                self.audit(Action::PasswordPolicyUpdated, About::default().with("policy", policy.id.0));
                self.write(Write::Policy(policy.clone()));
                self.existing.policies[index] = policy;
            }
            None => {
                self.created("password policy", name);
                self.audit(Action::PasswordPolicyCreated, About::default().with("policy", policy.id.0));
                self.write(Write::Policy(policy.clone()));
                self.existing.policies.push(policy);
            }
        }
    }

    fn policy_name(&mut self, table: &Spanned<Fields>) -> Option<Name> {
        match table.get_ref().get("name") {
            None => {
                self.problem(table.span().start, "missing field `name`");
                None
            }
            Some(value) => match value.get_ref() {
                toml::Value::String(name) => Some(Spanned::new(value.span(), name.clone())),
                _ => {
                    self.problem(value.span().start, "name: expected a string");
                    None
                }
            },
        }
    }
}
