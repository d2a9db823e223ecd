//! Making a password policy. It binds nowhere until a source or a sync group names it.

use lockstep_core::audit::Action;
use lockstep_core::id::PasswordPolicyId;
use lockstep_store::{Tx, configuration, password_policy};
use lockstep_vault::secret::draw_id;

use super::{Policies, Policy, Wanted};
use crate::app::record::{About, record};
use crate::app::revision::Revised;
use crate::app::{App, Error};
use crate::auth::Permit;

/// Makes it.
pub async fn create(app: &App, permit: &Permit, mut wanted: Wanted) -> Result<Revised<Policy>, Error> {
    let (now, id, permit) = (app.clock.utc(), PasswordPolicyId(draw_id()), permit.clone());
    wanted.rules.id = id;
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            Policies::load(tx).await?.judge(id, &wanted)?;
            password_policy::put(tx, &wanted.rules, now).await?;
            record(tx, &permit, Action::PasswordPolicyCreated, About::default().with("policy", id.0), now).await?;
            Policies::load(tx).await?.find(id)
        })
    });
    Ok(written.await?.into())
}
