//! Which policy binds whom on a source, while it is in no sync group.

use lockstep_core::audit::Action;
use lockstep_core::id::SourceId;
use lockstep_core::password_policy::holder::PolicyHolder;
use lockstep_store::{Tx, configuration, source};

use super::{Told, about, told};
use crate::app::record::record;
use crate::app::revision::{Revised, Seen};
use crate::app::{App, Error};
use crate::auth::Permit;

/// More entries than anybody reads.
const MOST: usize = 100;

/// Replaces the whole list.
pub async fn set_policy_holders(
    app: &App,
    permit: &Permit,
    id: SourceId,
    seen: Seen,
    holders: Vec<PolicyHolder>,
) -> Result<Revised<Told>, Error> {
    if holders.len() > MOST {
        return Err(Error::Impossible(format!("a source has at most {MOST} policy holders")));
    }
    let (now, permit) = (app.clock.utc(), permit.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            let found = told(tx, id).await?.value;
            seen.is(&found.stored.version)?;
            if holders.iter().any(|holder| !found.policies.contains_key(&holder.policy_id)) {
                return Err(Error::Unknown { field: "policyId", what: "a password policy" });
            }
            let mut changed = found.stored.source;
            changed.policy_holders = holders;
            source::put(tx, &changed, now).await?;
            record(tx, &permit, Action::SourcePasswordPolicyAssigned, about(id, false), now).await?;
            told(tx, id).await
        })
    });
    written.await
}
