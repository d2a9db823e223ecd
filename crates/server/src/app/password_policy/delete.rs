//! Deleting a password policy that binds nowhere.

use lockstep_core::audit::Action;
use lockstep_core::id::PasswordPolicyId;
use lockstep_store::{Tx, configuration, password_policy};

use super::Policies;
use crate::app::record::{About, record};
use crate::app::revision::Seen;
use crate::app::{App, Error};
use crate::auth::Permit;

/// Deletes it, unless a sync group or a source names it, also one whose list does not count at the moment.
pub async fn delete(app: &App, permit: &Permit, id: PasswordPolicyId, seen: Seen) -> Result<(), Error> {
    let (now, permit) = (app.clock.utc(), permit.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            let policies = Policies::load(tx).await?;
            seen.is(&policies.find(id)?)?;
            if id == PasswordPolicyId::DEFAULT {
                return Err(Error::Impossible("the Default policy binds where no other does and stays".to_owned()));
            }
            let groups = policies.groups.iter().filter(|group| group.policy == id);
            let groups = groups.map(|group| format!("sync group {:?}", group.name));
            let by: Vec<String> =
                groups.chain(policies.naming(id).map(|source| format!("source {:?}", source.name))).collect();
            if !by.is_empty() {
                return Err(Error::InUse { what: "password policy", by });
            }
            password_policy::remove(tx, id).await?;
            record(tx, &permit, Action::PasswordPolicyDeleted, About::default().with("policy", id.0), now).await?;
            Ok(())
        })
    });
    written.await
}
