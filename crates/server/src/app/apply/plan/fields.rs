//! Fields: which of them differ, and tables whose fields the domain defines.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use toml::Spanned;

use super::Planner;
use crate::app::apply::wanted::Fields;

/// The names of the fields in which two values of one type differ, as an apply file spells them; of a table, each
/// entry by itself.
pub(super) fn differing<T: Serialize>(old: &T, new: &T) -> Vec<String> {
    let (Value::Object(old), Value::Object(new)) = (json(old), json(new)) else { return Vec::new() };
    let mut names = Vec::new();
    for (field, value) in &new {
        match (old.get(field), value) {
            (Some(before), after) if before == after => {}
            (Some(Value::Object(before)), Value::Object(after)) => {
                let all = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key)));
                let changed = all.filter(|key| before.get(*key) != after.get(*key));
                names.extend(changed.map(|key| format!("{}.{key}", spelling(field))));
            }
            _ => names.push(spelling(field)),
        }
    }
    names.sort();
    names
}

/// A table as JSON.
pub(super) fn to_json(fields: &Fields) -> Value {
    let entries = fields.iter().map(|(name, value)| (name.get_ref().clone(), json(value.get_ref())));
    Value::Object(entries.collect::<Map<_, _>>())
}

/// Where a table's field is written.
pub(super) fn place_of(table: &Spanned<Fields>, field: &str) -> usize {
    let found = table.get_ref().iter().find(|(name, _)| name.get_ref() == field);
    found.map_or(table.span().start, |(_, value)| value.span().start)
}

impl Planner<'_> {
    /// `base` with the table's fields written over it, each checked by itself so that an error has its place. Fields in
    /// `closed` are not for people to set.
    pub(super) fn merged<T: Serialize + DeserializeOwned>(
        &mut self,
        base: &T,
        table: &Spanned<Fields>,
        closed: &[&str],
    ) -> Option<T> {
        let mut object = json(base);
        let before = self.problems.len();
        for (name, value) in table.get_ref() {
            let field = name.get_ref().as_str();
            if closed.contains(&field) || object.get(field).is_none() {
                let known = object.as_object().into_iter().flatten().map(|(known, _)| known.as_str());
                let known: Vec<&str> = known.filter(|known| !closed.contains(known)).collect();
                let text = format!("unknown field `{field}`, expected one of {}", known.join(", "));
                self.problem(name.span().start, text);
                continue;
            }
            let kept = std::mem::replace(&mut object[field], json(value.get_ref()));
            if let Err(error) = T::deserialize(&object) {
                self.problem(value.span().start, format!("{field}: {error}"));
                object[field] = kept;
            }
        }
        if self.problems.len() > before {
            return None;
        }
        T::deserialize(&object).ok()
    }
}

/// As JSON. The values are our own structs and TOML's, which have nothing that JSON lacks.
fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// A field's name as an apply file has it: hyphens for what Rust has underscores, and the file's word where the API has
/// another.
fn spelling(field: &str) -> String {
    match field {
        "passwordPolicyId" => "policy".to_owned(),
        "sourceIds" => "sources".to_owned(),
        "policy_holders" => "policies".to_owned(),
        "useForPasswordManagement" => "use-for-password-management".to_owned(),
        _ => field.replace('_', "-"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_that_differ_are_named_as_the_file_spells_them() {
        let old = json!({"display_name": "A", "config": {"url": "x", "port": 1, "gone": true}, "same": [1]});
        let new = json!({"display_name": "B", "config": {"url": "y", "port": 1, "new": null}, "same": [1]});
        assert_eq!(differing(&old, &new), ["config.gone", "config.new", "config.url", "display-name"]);
        assert!(differing(&old, &old).is_empty());
        assert_eq!(differing(&json!({"sourceIds": [1]}), &json!({"sourceIds": [2]})), ["sources"]);
    }
}
