//! States and their names in the database.

use crate::error::{Error, Result};

/// The name of a state, from the table that its type keeps.
pub(crate) fn name_of<T: PartialEq>(
    names: &[(T, &'static str)],
    what: &'static str,
    state: &T,
) -> Result<&'static str> {
    let name = names.iter().find(|(known, _)| known == state).map(|(_, name)| *name);
    name.ok_or_else(|| Error::Corrupt { what, value: "a state without a name".to_owned() })
}

/// The state of a name.
pub(crate) fn state_of<T: Copy>(names: &[(T, &'static str)], what: &'static str, name: &str) -> Result<T> {
    let state = names.iter().find(|(_, known)| *known == name).map(|(state, _)| *state);
    state.ok_or_else(|| Error::Corrupt { what, value: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use lockstep_core::change::{ChangeState, TargetState};

    use super::*;

    #[test]
    fn every_name_leads_back_to_its_state() {
        for (state, name) in ChangeState::NAMES {
            assert_eq!(name_of(&ChangeState::NAMES, "state", &state).expect("named"), name);
            assert_eq!(state_of(&ChangeState::NAMES, "state", name).expect("known"), state);
        }
        for (state, name) in TargetState::NAMES {
            assert_eq!(state_of(&TargetState::NAMES, "state", name).expect("known"), state);
        }
    }

    #[test]
    fn an_unknown_name_says_what_it_is_of() {
        let error = state_of(&ChangeState::NAMES, "a change's state", "lost").expect_err("unknown");
        assert_eq!(error.to_string(), "a change's state cannot be read: \"lost\" is unknown");
    }
}
