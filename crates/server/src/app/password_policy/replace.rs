//! Giving a password policy other rules. They bind from the next password on.

use lockstep_core::audit::Action;
use lockstep_core::id::PasswordPolicyId;
use lockstep_store::{Tx, configuration, password_policy};

use super::{Policies, Policy, Wanted};
use crate::app::record::{About, record};
use crate::app::revision::{Revised, Seen};
use crate::app::{App, Error};
use crate::auth::Permit;

/// Replaces all of its rules: what is not said is off.
pub async fn replace(
    app: &App,
    permit: &Permit,
    id: PasswordPolicyId,
    seen: Seen,
    mut wanted: Wanted,
) -> Result<Revised<Policy>, Error> {
    let (now, permit) = (app.clock.utc(), permit.clone());
    wanted.rules.id = id;
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            let policies = Policies::load(tx).await?;
            let before = policies.find(id)?;
            seen.is(&before)?;
            policies.judge(id, &wanted)?;
            // Files and people find it by its name.
            if id == PasswordPolicyId::DEFAULT && wanted.rules.name != before.rules.name {
                return Err(Error::ReadOnly("the name of the Default policy".to_owned()));
            }
            let rules = lockstep_core::password_policy::PasswordPolicy {
                default_policy: id == PasswordPolicyId::DEFAULT,
                ..wanted.rules
            };
            password_policy::put(tx, &rules, now).await?;
            record(tx, &permit, Action::PasswordPolicyUpdated, About::default().with("policy", id.0), now).await?;
            Policies::load(tx).await?.find(id)
        })
    });
    Ok(written.await?.into())
}
