//! The keys that sign access tokens: using those that there are, making the next one, forgetting those that are over.

use lockstep_store::{Store, Tx, signing_key};
use lockstep_vault::Vault;
use lockstep_vault::secret::draw_id;
use lockstep_vault::token::rotation::signing_plan;
use uuid::Uuid;

use super::open::OpenError;
use crate::clock::Clock;

/// The keys in use, the one that signs first.
pub(crate) type InUse = Vec<Uuid>;

/// Has the vault sign and verify with the keys that there are, unless it does already. Gives which.
pub(crate) async fn use_them(store: &Store, vault: &Vault, clock: &Clock, used: InUse) -> Result<InUse, OpenError> {
    let ids = store.read(|tx: &mut Tx<'_>| Box::pin(signing_key::ids(tx))).await?;
    let signer = signing_plan(&ids, clock.utc()).signer;
    let mut wanted: InUse = ids.into_iter().map(|(id, _)| id).collect();
    wanted.sort_by_key(|id| Some(*id) != signer);
    if wanted == used {
        return Ok(used);
    }
    let mut keys = store.read(|tx: &mut Tx<'_>| Box::pin(signing_key::list(tx))).await?;
    keys.sort_by_key(|(id, ..)| Some(*id) != signer);
    vault.use_signing_keys(keys.iter().map(|(id, sealed, _)| (*id, sealed.as_slice())))?;
    Ok(keys.into_iter().map(|(id, ..)| id).collect())
}

/// Makes the next key where it is time, and forgets those that are over. Of several nodes one does it. Gives whether
/// anything was done.
pub(crate) async fn maintain(store: &Store, vault: &Vault, clock: &Clock) -> Result<bool, OpenError> {
    let ids = store.read(|tx: &mut Tx<'_>| Box::pin(signing_key::ids(tx))).await?;
    let now = clock.utc();
    let plan = signing_plan(&ids, now);
    if !plan.due && plan.over.is_empty() {
        return Ok(false);
    }
    let made = match plan.due {
        true => {
            let (vault, id) = (vault.clone(), draw_id());
            let sealed = tokio::task::spawn_blocking(move || vault.generate_signing_key(id)).await;
            Some((id, sealed.map_err(|_| lockstep_vault::token::SigningError::Generate)??))
        }
        false => None,
    };
    let write = store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            signing_key::hold(tx).await?;
            let plan = signing_plan(&signing_key::ids(tx).await?, now);
            if let Some((id, sealed)) = made.filter(|_| plan.due) {
                signing_key::insert(tx, id, &sealed, now).await?;
            }
            for id in plan.over {
                signing_key::remove(tx, id).await?;
            }
            Ok::<_, lockstep_store::Error>(())
        })
    });
    write.await?;
    Ok(true)
}
