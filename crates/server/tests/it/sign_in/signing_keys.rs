//! The keys that sign tokens change, and nobody notices.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use lockstep_store::signing_key;
use lockstep_vault::secret::draw_id;
use serde_json::{Value, json};
use uuid::Uuid;

use super::lives;
use crate::harness::{Answer, Credentials, Harness};

async fn kids(harness: &Harness) -> Vec<String> {
    let set = Answer::of(harness.http.get(harness.url("/oauth/jwks"))).await.with_status(200);
    set["keys"].as_array().expect("keys").iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

/// Puts a key there as another node would have, so long ago.
async fn another(harness: &Harness, made_before: TimeDelta) -> Uuid {
    let id = draw_id();
    let sealed = harness.app.vault.generate_signing_key(id).expect("a key");
    let made = harness.app.clock.utc() - made_before;
    harness
        .write(move |tx| {
            let sealed = sealed.clone();
            Box::pin(async move { signing_key::insert(tx, id, &sealed, made).await })
        })
        .await;
    id
}

async fn signed_by(harness: &Harness, credentials: &Credentials) -> (String, Value) {
    let token = harness.token(credentials).await;
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().expect("a header")).expect("base64");
    let header: Value = serde_json::from_slice(&header).expect("JSON");
    (header["kid"].as_str().expect("a kid").to_owned(), json!({ "access_token": token }))
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} never came");
}

#[tokio::test]
async fn a_new_key_is_published_before_it_signs_and_the_old_one_stays_while_its_tokens_live() {
    let harness = Harness::start().await;
    let credentials = harness.client("sp:scopes:all").await;
    let first = kids(&harness).await;
    let (signer, old) = signed_by(&harness, &credentials).await;
    assert_eq!(first, std::slice::from_ref(&signer));

    let second = another(&harness, TimeDelta::zero()).await;
    until("the second key", async || kids(&harness).await.len() == 2).await;
    assert_eq!(signed_by(&harness, &credentials).await.0, signer, "it does not sign yet");
    let (removed, kept) = (second, first[0].parse::<Uuid>().expect("an id"));
    assert!(harness.write(move |tx| Box::pin(signing_key::remove(tx, removed))).await);

    // As if both were older: the first by a week, the next by two hours.
    let sealed = harness.read(|tx| Box::pin(signing_key::list(tx))).await;
    let (_, sealed, made) = sealed.into_iter().find(|(id, ..)| *id == kept).expect("the first");
    harness
        .write(move |tx| {
            let sealed = sealed.clone();
            Box::pin(async move {
                signing_key::remove(tx, kept).await?;
                signing_key::insert(tx, kept, &sealed, made - TimeDelta::days(6)).await
            })
        })
        .await;
    let third = another(&harness, TimeDelta::hours(2)).await.simple().to_string();
    until("the third key", async || signed_by(&harness, &credentials).await.0 == third).await;
    assert!(lives(&harness, &old).await && lives(&harness, &signed_by(&harness, &credentials).await.1).await);

    assert!(harness.write(move |tx| Box::pin(signing_key::remove(tx, kept))).await);
    until("the end of the first key", async || !lives(&harness, &old).await).await;
    harness.stop().await;
}
