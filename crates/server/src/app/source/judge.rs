//! Whether a source can be what it is to be.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_connectors::{Capabilities, ConfigError, Secrets};
use lockstep_core::source::Source;
use zeroize::Zeroizing;

use crate::app::{App, Error};

/// The field of the wire that holds a connector's settings and secrets.
const FIELD: &str = "connectorAttributes";

/// Whether the passwords of `after` go elsewhere, or another way, than those of `before`.
pub(in crate::app) fn is_moved(before: &Source, after: &Source) -> bool {
    before.config != after.config || before.connector != after.connector
}

/// Asks the connector whether it can work with these settings and secrets. Reads certificate files that they name.
pub(super) fn connect(
    app: &App,
    source: &Source,
    secrets: BTreeMap<String, Zeroizing<String>>,
) -> Result<Capabilities, Error> {
    let secrets: Secrets = secrets.into_iter().collect();
    let clock = app.clock.clone();
    let built = lockstep_connectors::build(&source.connector, &source.config, &secrets, Arc::new(move || clock.utc()));
    if let Some(problem) = source.aggregation.problem() {
        return Err(Error::Illegal { field: "aggregation", reason: format!("is wrong: {problem}") });
    }
    match built {
        Ok(connector) => {
            let can = connector.capabilities();
            if source.aggregation.every.is_some() && !can.read_accounts {
                let reason = "says every, but connectorAttributes do not say how accounts are read".to_owned();
                return Err(Error::Illegal { field: "aggregation", reason });
            }
            Ok(can)
        }
        Err(error @ ConfigError::UnknownKind { .. }) => {
            Err(Error::Illegal { field: "connector", reason: format!("is wrong: {error}") })
        }
        Err(error) => Err(Error::Illegal { field: FIELD, reason: format!("are wrong: {error}") }),
    }
}

/// The secrets that a source has after an edit. One that stays must have been given for this connection.
pub(super) fn secrets_after(
    moved: bool,
    stored: BTreeMap<String, Zeroizing<String>>,
    given: &BTreeMap<String, Zeroizing<String>>,
) -> Result<BTreeMap<String, Zeroizing<String>>, Error> {
    if let Some(name) = stored.keys().find(|name| moved && !given.contains_key(*name)) {
        let reason = format!("change, so {name:?} must be given again with them");
        return Err(Error::Illegal { field: FIELD, reason });
    }
    let mut after = stored;
    after.extend(given.clone());
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(pairs: &[(&str, &str)]) -> BTreeMap<String, Zeroizing<String>> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Zeroizing::new((*value).to_owned()))).collect()
    }

    #[test]
    fn a_secret_does_not_follow_to_where_somebody_points_the_source() {
        let stored = || secrets(&[("password", "old")]);
        assert_eq!(secrets_after(false, stored(), &secrets(&[])).expect("stays"), stored());
        let refused = secrets_after(true, stored(), &secrets(&[])).expect_err("moved");
        assert!(refused.to_string().contains("\"password\" must be given again"), "{refused}");
        let given = secrets(&[("password", "new")]);
        assert_eq!(secrets_after(true, stored(), &given).expect("given"), given);
        assert_eq!(secrets_after(true, secrets(&[]), &secrets(&[])).expect("never had one"), secrets(&[]));
    }
}
