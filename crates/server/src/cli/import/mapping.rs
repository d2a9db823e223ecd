//! What a column, a key or a directory's attribute is to us: a field, an attribute, or nothing.

use serde_json::Value;

use super::record::Noun;
use crate::app::import::row::{Field, Unreadable};

/// What a name of the file stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// One of ours.
    Field(Field),
    /// An attribute of that name.
    Attribute(String),
    /// It is not looked at.
    Nothing,
    /// It is not known here.
    Unknown,
}

/// What becomes of names that are neither fields nor mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// They are attributes.
    Attributes,
    /// They are mistakes.
    Unknown,
    /// They are nobody's business: a directory has dozens.
    Nothing,
}

/// How names are understood.
#[derive(Debug, Clone)]
pub(super) struct Mapping {
    noun: Noun,
    others: Others,
    /// What was said: their name, and what it is to us.
    said: Vec<(String, Target)>,
    ignored: Vec<String>,
}

/// A part of `--map`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// Our field, or the name that an attribute is to have.
    pub(super) ours: String,
    /// Their name.
    pub(super) theirs: String,
}

impl std::str::FromStr for Said {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=').map(|(ours, theirs)| (ours.trim(), theirs.trim())) {
            Some((ours, theirs)) if !ours.is_empty() && !theirs.is_empty() => {
                Ok(Self { ours: ours.to_owned(), theirs: theirs.to_owned() })
            }
            _ => Err("write FIELD=THEIRS, such as alias=sAMAccountName".to_owned()),
        }
    }
}

/// What begins the name of a column whose attribute has the name of a field.
pub(in crate::cli) const ATTRIBUTE: &str = "attributes.";

/// How directories call what they have (RFC 4519, RFC 4530, RFC 2798).
const LDIF_IDENTITIES: [(Field, &str); 3] = [(Field::Alias, "uid"), (Field::DisplayName, "cn"), (Field::Email, "mail")];
const LDIF_ACCOUNTS: [(Field, &str); 3] =
    [(Field::NativeId, "dn"), (Field::StableId, "entryUUID"), (Field::Identity, "uid")];

impl Mapping {
    /// What was said, and what follows from the rest.
    pub(super) fn new(noun: Noun, others: Others, said: &[Said], ignored: &[String]) -> Self {
        let target = |ours: &str| match Field::named(noun, ours) {
            Some(field) => Target::Field(field),
            None => Target::Attribute(ours.strip_prefix(ATTRIBUTE).unwrap_or(ours).to_owned()),
        };
        let mut all: Vec<_> = said.iter().map(|said| (said.theirs.clone(), target(&said.ours))).collect();
        let usual = match (others, noun) {
            (Others::Nothing, Noun::Identities) => &LDIF_IDENTITIES[..],
            (Others::Nothing, Noun::Accounts) => &LDIF_ACCOUNTS[..],
            _ => &[],
        };
        for (field, theirs) in usual {
            if !all.iter().any(|(_, target)| *target == Target::Field(*field)) {
                all.push(((*theirs).to_owned(), Target::Field(*field)));
            }
        }
        Self { noun, others, said: all, ignored: ignored.to_vec() }
    }

    /// Whether something is said to be an attribute: then whoever lacks it has none.
    pub(super) fn names_attributes(&self) -> bool {
        self.said.iter().any(|(_, target)| matches!(target, Target::Attribute(_)))
    }

    /// Everything that a name stands for. A directory's one attribute may be several of our fields.
    ///
    /// # Errors
    /// When it is the name of a password.
    pub(super) fn targets(&self, name: &str) -> Result<Vec<Target>, Unreadable> {
        if self.ignored.iter().any(|ignored| ignored.eq_ignore_ascii_case(name)) {
            return Ok(vec![Target::Nothing]);
        }
        let said: Vec<_> = self.said.iter().filter(|(theirs, _)| theirs.eq_ignore_ascii_case(name)).collect();
        if said.is_empty() && self.others == Others::Nothing {
            return Ok(vec![Target::Nothing]);
        }
        refuse_password(name)?;
        if !said.is_empty() {
            return Ok(said.into_iter().map(|(_, target)| target.clone()).collect());
        }
        let field = Field::named(self.noun, name);
        // A field that is read from elsewhere is not read from its own name too.
        let taken = field.filter(|field| self.said.iter().any(|(_, target)| *target == Target::Field(*field)));
        Ok(vec![match (field, self.others) {
            (Some(field), _) if taken.is_none() => Target::Field(field),
            (_, Others::Unknown) => Target::Unknown,
            _ => Target::Attribute(name.strip_prefix(ATTRIBUTE).unwrap_or(name).to_owned()),
        }])
    }
}

impl Field {
    /// The field that a name stands for, however it is spelled: `displayName`, `display-name`, `Display Name`.
    pub(in crate::cli) fn named(noun: Noun, name: &str) -> Option<Self> {
        let simple = simple(name);
        noun.fields().iter().copied().find(|field| simple == field.as_str().to_lowercase())
    }
}

/// Refuses what holds passwords: they would be kept where everybody who reads attributes sees them.
pub(super) fn refuse_password(name: &str) -> Result<(), Unreadable> {
    const ENDINGS: [&str; 6] = ["password", "passwd", "pwd", "passphrase", "passwordhash", "secret"];
    let simple = simple(name);
    match ENDINGS.iter().any(|ending| simple.ends_with(ending)) {
        false => Ok(()),
        true => Err(Unreadable(format!(
            "{name:?} reads like passwords, which are never imported: leave it out of the file, or say \
             --ignore {name}. People get their first password on IdentityNow with `lockstep apply`, and keep those that \
             their systems have"
        ))),
    }
}

/// Refuses the same in a table of attributes.
pub(super) fn refuse_passwords(attributes: &Value) -> Result<(), Unreadable> {
    attributes.as_object().into_iter().flatten().try_for_each(|(name, _)| refuse_password(name))
}

fn simple(name: &str) -> String {
    name.chars().filter(|character| !matches!(character, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(mapping: &Mapping, name: &str) -> Target {
        let mut targets = mapping.targets(name).expect("no password");
        assert_eq!(targets.len(), 1);
        targets.remove(0)
    }

    #[test]
    fn a_name_is_a_field_an_attribute_or_nothing() {
        let said = ["alias=Login", "city=Town", "attributes.email=Other Mail"].map(|text| text.parse().expect("said"));
        let mapping = Mapping::new(Noun::Identities, Others::Attributes, &said, &["Salary".to_owned()]);
        for (name, expected) in [
            ("login", Target::Field(Field::Alias)),
            ("alias", Target::Attribute("alias".to_owned())),
            ("displayName", Target::Field(Field::DisplayName)),
            ("Display Name", Target::Field(Field::DisplayName)),
            ("display-name", Target::Field(Field::DisplayName)),
            ("nativeId", Target::Attribute("nativeId".to_owned())),
            ("Town", Target::Attribute("city".to_owned())),
            ("other mail", Target::Attribute("email".to_owned())),
            ("attributes.id", Target::Attribute("id".to_owned())),
            ("attributes", Target::Field(Field::Attributes)),
            ("department", Target::Attribute("department".to_owned())),
            ("SALARY", Target::Nothing),
        ] {
            assert_eq!(one(&mapping, name), expected, "{name}");
        }
        let json = Mapping::new(Noun::Accounts, Others::Unknown, &[], &[]);
        assert_eq!(one(&json, "nativeId"), Target::Field(Field::NativeId));
        assert_eq!(one(&json, "department"), Target::Unknown);
        let ldif = Mapping::new(Noun::Identities, Others::Nothing, &said[..1], &[]);
        assert_eq!(one(&ldif, "Login"), Target::Field(Field::Alias));
        assert_eq!(one(&ldif, "uid"), Target::Nothing);
        assert_eq!(one(&ldif, "MAIL"), Target::Field(Field::Email));
        assert_eq!(one(&ldif, "userPassword"), Target::Nothing);
    }

    #[test]
    fn passwords_are_refused() {
        let csv = |ignored: &[String]| Mapping::new(Noun::Accounts, Others::Attributes, &[], ignored);
        for name in
            ["password", "Password", "userPassword", "unicodePwd", "password_hash", "Initial Password", "client-secret"]
        {
            assert!(csv(&[]).targets(name).is_err(), "{name}");
            assert_eq!(csv(&[name.to_owned()]).targets(name), Ok(vec![Target::Nothing]), "{name}");
        }
        for name in ["passwordSync", "pwdLastSet", "secretary", "passport"] {
            assert!(csv(&[]).targets(name).is_ok(), "{name}");
        }
        let said = ["note=userPassword".parse().expect("said")];
        assert!(Mapping::new(Noun::Identities, Others::Nothing, &said, &[]).targets("userpassword").is_err());
    }
}
