//! Sources and applications.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use lockstep_connectors::{ConfigError, Secrets};
use lockstep_core::application::Application;
use lockstep_core::audit::Action;
use lockstep_core::id::{ApplicationId, SourceId};
use lockstep_core::password_policy::holder::{PolicyHolder, Selector, Selectors};
use lockstep_core::picture::{LARGEST_ICON, Picture};
use lockstep_core::source::{Feature, Source};
use lockstep_vault::seal::Binding;
use lockstep_vault::secret::draw_id;
use sha2::{Digest, Sha256};
use toml::Spanned;
use zeroize::Zeroizing;

use super::Planner;
use super::fields::{differing, place_of, to_json};
use crate::app::apply::reference::Reference;
use crate::app::apply::wanted::{Name, Wanted, WantedApplication, WantedHolder, WantedSource};
use crate::app::apply::write::{Icon, Write};
use crate::app::record::About;
use crate::app::source::{about, is_moved};

impl Planner<'_> {
    pub(super) fn sources(&mut self, wanted: &Wanted) {
        let mut seen = HashSet::new();
        for source in wanted.source.iter().map(Spanned::get_ref) {
            let key = source.name.get_ref().to_lowercase();
            if self.once(&mut seen, "source", &source.name, key.clone()) {
                let problems = self.problems.len();
                self.source(source);
                if self.problems.len() > problems {
                    self.faulty.insert(("source", key));
                }
            }
        }
    }

    pub(super) fn applications(&mut self, wanted: &Wanted) {
        let mut seen = HashSet::new();
        for application in wanted.application.iter().map(Spanned::get_ref) {
            if self.once(&mut seen, "application", &application.name, application.name.get_ref().clone()) {
                self.application(application);
            }
        }
    }

    /// The source of that name, once this file is applied.
    pub(super) fn source_named(&mut self, name: &Name) -> Option<Source> {
        let found = self.existing.source(name.get_ref()).cloned();
        if found.is_none() && !self.faulty.contains(&("source", name.get_ref().to_lowercase())) {
            self.problem(name.span().start, format!("there is no source {:?}", name.get_ref()));
        }
        found
    }

    fn source(&mut self, wanted: &WantedSource) {
        let problems = self.problems.len();
        let name = wanted.name.get_ref();
        let index = self.existing.sources.iter().position(|source| source.name.to_lowercase() == name.to_lowercase());
        let base = index.map(|index| self.existing.sources[index].clone());
        let Some(mut source) = self.described(wanted, base.as_ref()) else { return };

        let secrets = self.secrets(wanted);
        if source.is_built_in() {
            let at = wanted.connector.as_ref().map(Spanned::span).or(wanted.config.as_ref().map(Spanned::span));
            if let Some(at) = at.or(wanted.secrets.values().next().map(Spanned::span)) {
                let text = format!("{} is built in: it has no connector, configuration or secrets", source.name);
                return self.problem(at.start, text);
            }
        } else if self.problems.len() == problems {
            // Without its secrets a connector would complain about those.
            self.connect(wanted, base.as_ref(), &mut source, &secrets);
        }
        if let Some(holders) = &wanted.policies {
            source.policy_holders = holders.iter().filter_map(|holder| self.holder(holder.get_ref())).collect();
        }
        if self.problems.len() > problems {
            return;
        }

        let stored = base.as_ref().and_then(|base| self.existing.secrets.get(&base.id)).cloned().unwrap_or_default();
        let new_secrets: Vec<_> = secrets.iter().filter(|(name, value)| stored.get(*name) != Some(*value)).collect();
        let secret_fields = new_secrets.iter().map(|(name, _)| format!("secrets.{name}"));
        match &base {
            Some(base) => {
                let mut fields = differing(base, &source);
                fields.extend(secret_fields);
                if fields.is_empty() {
                    return;
                }
                self.audit(Action::SourceUpdated, about(source.id, is_moved(base, &source)));
                if base.policy_holders != source.policy_holders {
                    self.audit(Action::SourcePasswordPolicyAssigned, About::source(source.id));
                }
                self.changed("source", name, fields);
                self.write(Write::Source(source.clone()));
            }
            None => {
                self.created("source", name);
                self.audit(Action::SourceCreated, About::source(source.id));
                self.write(Write::Source(source.clone()));
            }
        }
        for (name, value) in new_secrets {
            let sealed = self.vault.seal(&Binding::ConnectorSecret { source: source.id, name }, value.as_bytes());
            self.write(Write::SourceSecret { source: source.id, name: name.clone(), sealed });
        }
        match index {
            Some(index) => self.existing.sources[index] = source,
            None => self.existing.sources.push(source),
        }
    }

    /// The source with everything that the file says about it, but for what its connector must judge.
    fn described(&mut self, wanted: &WantedSource, base: Option<&Source>) -> Option<Source> {
        let mut source = match (base, &wanted.connector) {
            (Some(base), _) => base.clone(),
            (None, Some(connector)) => Source {
                id: SourceId(draw_id()),
                name: wanted.name.get_ref().clone(),
                description: String::new(),
                connector: connector.get_ref().clone(),
                config: serde_json::Value::Object(serde_json::Map::new()),
                features: [Feature::Password].into(),
                policy_holders: Vec::new(),
                concurrency: Source::CONCURRENCY,
                aggregation: Default::default(),
            },
            (None, None) => {
                self.problem(wanted.name.span().start, "a new source needs a connector: \"ldap\" or \"sql\"");
                return None;
            }
        };
        source.name.clone_from(wanted.name.get_ref());
        if let Some(description) = &wanted.description {
            source.description.clone_from(description);
        }
        if let Some(connector) = &wanted.connector {
            source.connector.clone_from(connector.get_ref());
        }
        if let Some(config) = &wanted.config {
            source.config = to_json(config.get_ref());
        }
        if let Some(features) = &wanted.features {
            source.features.clone_from(features.get_ref());
        }
        if let Some(concurrency) = &wanted.concurrency {
            source.concurrency = *concurrency.get_ref();
            if source.concurrency == 0 {
                self.problem(concurrency.span().start, "concurrency must be at least 1");
            }
        }
        if let Some(aggregation) = &wanted.aggregation {
            source.aggregation.clone_from(aggregation.get_ref());
            if let Some(problem) = source.aggregation.problem() {
                self.problem(aggregation.span().start, problem);
            }
            if source.is_built_in() {
                let text = format!("{} has no accounts to be read", Source::IDENTITY_NOW);
                self.problem(aggregation.span().start, text);
            }
        }
        Some(source)
    }

    /// Asks the connector whether it can work with the configuration, and what it can do.
    fn connect(
        &mut self,
        wanted: &WantedSource,
        base: Option<&Source>,
        source: &mut Source,
        secrets: &BTreeMap<String, Zeroizing<String>>,
    ) {
        let stored = base.and_then(|base| self.existing.secrets.get(&base.id)).cloned().unwrap_or_default();
        // Whoever changes where passwords go would otherwise have the service account's password sent there too.
        let moved = base.is_some_and(|base| is_moved(base, source));
        for name in stored.keys().filter(|name| moved && !secrets.contains_key(*name)) {
            let at = wanted.config.as_ref().map_or(wanted.name.span(), Spanned::span).start;
            self.problem(
                at,
                format!("the connection changes, so the secret {name:?} must be given again under secrets"),
            );
        }
        let mut all = if moved { BTreeMap::new() } else { stored };
        all.extend(secrets.clone());
        let all: Secrets = all.into_iter().collect();
        match lockstep_connectors::build(&source.connector, &source.config, &all, self.clock.clone()) {
            Ok(connector) if wanted.features.is_none() && base.is_none() => {
                let can = connector.capabilities();
                source.features.extend(can.sign_in.then_some(Feature::Authenticate));
                source.features.extend(can.unlock.then_some(Feature::Unlock));
            }
            Ok(connector) if source.features.contains(&Feature::Authenticate) && !connector.capabilities().sign_in => {
                let at = wanted.features.as_ref().map_or(wanted.name.span().start, |features| features.span().start);
                let text = "AUTHENTICATE needs settings that say how a password is tried (SQL: verify)";
                self.problem(at, text.to_owned());
            }
            Ok(_) => {}
            Err(error) => {
                let source_at = wanted.name.span().start;
                let (at, text) = match (&error, &wanted.config, &wanted.connector) {
                    (ConfigError::UnknownKind { .. }, _, Some(connector)) => {
                        (connector.span().start, error.to_string())
                    }
                    (ConfigError::Field { field, problem }, Some(config), _) => {
                        let first = field.split('.').next().unwrap_or_default();
                        // A missing field has no name of its own; the problem says which.
                        let path = match field.as_str() {
                            "" | "." => "config".to_owned(),
                            field => format!("config.{field}"),
                        };
                        (place_of(config, first), format!("{path}: {problem}"))
                    }
                    _ => (source_at, error.to_string()),
                };
                self.problem(at, text);
            }
        }
    }

    fn secrets(&mut self, wanted: &WantedSource) -> BTreeMap<String, Zeroizing<String>> {
        let read = |(name, reference): (&String, &Spanned<Reference>)| Some((name.clone(), self.secret(reference)?));
        wanted.secrets.iter().filter_map(read).collect()
    }

    /// The text that a reference leads to, without the line end that editors add.
    pub(super) fn secret(&mut self, reference: &Spanned<Reference>) -> Option<Zeroizing<String>> {
        let read = (self.follow)(reference.get_ref()).and_then(|bytes| {
            let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
            match std::str::from_utf8(bytes) {
                Ok("") => Err(format!("{} is empty", reference.get_ref())),
                Ok(text) => Ok(Zeroizing::new(text.to_owned())),
                Err(_) => Err(format!("{} does not hold UTF-8 text", reference.get_ref())),
            }
        });
        read.map_err(|problem| self.problem(reference.span().start, problem)).ok()
    }

    fn holder(&mut self, wanted: &WantedHolder) -> Option<PolicyHolder> {
        let policy_id = self.policy_named(&wanted.policy)?;
        let selector = |(name, value): (&String, &String)| Selector { name: name.clone(), value: value.clone() };
        let identity_attr: Vec<_> = wanted.when.iter().map(selector).collect();
        let selectors = (!identity_attr.is_empty()).then_some(Selectors { identity_attr });
        Some(PolicyHolder { policy_id, selectors })
    }

    /// What is to be written so that an application has the icon that is wanted.
    fn icon(&mut self, wanted: &WantedApplication, id: ApplicationId) -> Option<Write> {
        let reference = wanted.icon.as_ref()?;
        let before = self.existing.icons.get(&id);
        if *reference.get_ref() == Reference::File(PathBuf::new()) {
            return before.map(|_| Write::Icon(id, None));
        }
        let read = (self.follow)(reference.get_ref()).and_then(|bytes| match Picture::of(&bytes) {
            Some(_) if bytes.len() <= LARGEST_ICON => Ok(bytes.to_vec()),
            _ => Err(format!("{} is no SVG or PNG of at most 16 KiB", reference.get_ref())),
        });
        let picture = match read {
            Ok(picture) => picture,
            Err(problem) => {
                self.problem(reference.span().start, problem);
                return None;
            }
        };
        // Half of it is enough for nobody to find another picture for an address.
        let digest = hex::encode(&Sha256::digest(&picture)[..16]);
        (before != Some(&digest)).then_some(Write::Icon(id, Some(Icon { digest, picture })))
    }

    fn application(&mut self, wanted: &WantedApplication) {
        let name = wanted.name.get_ref();
        let index = self.existing.applications.iter().position(|application| application.name == *name);
        let base = index.map(|index| self.existing.applications[index].clone());
        let source = match (&wanted.source, &base) {
            (Some(source), _) => self.source_named(source).map(|source| source.id),
            (None, Some(base)) => Some(base.source),
            (None, None) => return self.problem(wanted.name.span().start, "a new application needs a source"),
        };
        let Some(source) = source else { return };
        let mut application = base.clone().unwrap_or_else(|| Application {
            id: ApplicationId(draw_id()),
            name: name.clone(),
            description: String::new(),
            source,
            use_for_password_management: true,
        });
        application.source = source;
        if let Some(description) = &wanted.description {
            application.description.clone_from(description);
        }
        if let Some(shown) = wanted.use_for_password_management {
            application.use_for_password_management = shown;
        }
        if let Err(error) = application.validate() {
            return self.problem(wanted.name.span().start, error.to_string());
        }
        let problems = self.problems.len();
        let icon = self.icon(wanted, application.id);
        if self.problems.len() > problems {
            return;
        }
        let told = About::source(source).with("application", application.id.0);
        match base {
            Some(base) if base == application && icon.is_none() => return,
            Some(base) => {
                let mut fields = differing(&base, &application);
                fields.extend(icon.is_some().then(|| "icon".to_owned()));
                self.changed("application", name, fields);
                self.audit(Action::ApplicationUpdated, told);
            }
            None => {
                self.created("application", name);
                self.audit(Action::ApplicationCreated, told);
            }
        }
        self.write(Write::Application(application.clone()));
        if let Some(icon) = icon {
            self.write(icon);
        }
        match index {
            Some(index) => self.existing.applications[index] = application,
            None => self.existing.applications.push(application),
        }
    }
}
