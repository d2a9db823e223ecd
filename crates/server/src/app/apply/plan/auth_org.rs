//! The organisation's sign-in settings.

use lockstep_core::audit::Action;
use lockstep_core::auth_org::{LockoutConfig, NetworkConfig, SessionConfig};
use toml::Spanned;

use super::Planner;
use super::fields::{differing, place_of};
use crate::app::apply::wanted::{Fields, Wanted};
use crate::app::apply::write::Write;
use crate::app::auth_org::Part;
use crate::app::record::About;

impl Planner<'_> {
    pub(super) fn auth_org(&mut self, wanted: &Wanted) {
        let before = self.existing.auth_org.clone();
        self.part::<NetworkConfig>("network-config", &wanted.network_config);
        self.part::<LockoutConfig>("lockout-config", &wanted.lockout_config);
        self.part::<SessionConfig>("session-config", &wanted.session_config);
        if self.existing.auth_org != before {
            self.write(Write::AuthOrg(self.existing.auth_org.clone()));
        }
    }

    fn part<T: Part>(&mut self, name: &str, table: &Option<Spanned<Fields>>) {
        let Some(table) = table else { return };
        let base = T::of(self.existing.auth_org.clone());
        let Some(part) = self.merged(&base, table, &[]) else { return };
        if let Err(error) = part.validate() {
            return self.problem(place_of(table, error.field), error.to_string());
        }
        let before = self.existing.auth_org.clone();
        part.replace(&mut self.existing.auth_org);
        if self.existing.auth_org == before {
            return;
        }
        match before.network.is_none() && self.existing.auth_org.network.is_some() {
            true => {
                self.created("settings", name);
                self.audit(Action::AuthOrgNetworkConfigCreate, About::default());
            }
            false => {
                self.changed("settings", name, differing(&base, &part));
                self.audit(T::CHANGED, About::default());
            }
        }
    }
}
