//! The organisation's dictionary: reading it and replacing it.

use lockstep_core::audit::Action;
use lockstep_core::password_policy::dictionary::Dictionary;
use lockstep_store::{Tx, configuration, dictionary};

use super::record::{About, record};
use super::revision::{Revised, Seen};
use super::{App, Error};
use crate::auth::Permit;

/// What a new dictionary took the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Of nothing.
    Nothing,
    /// Of another one.
    Another,
}

/// The text that was uploaded.
pub async fn get(app: &App, _: &Permit) -> Result<Revised<String>, Error> {
    let read = app.store.read(|tx: &mut Tx<'_>| Box::pin(dictionary::find(tx)));
    let words = read.await.map_err(Error::Store)?.ok_or(Error::NotFound("dictionary: none was uploaded yet"))?;
    Ok(words.into())
}

/// Puts `file` in its place. Words that it has no more may be in passwords again.
pub async fn replace(app: &App, permit: &Permit, seen: Seen, file: &[u8]) -> Result<(Before, Revised<String>), Error> {
    let dictionary = Dictionary::parse(file)
        .map_err(|error| Error::Illegal { field: "file", reason: format!("cannot be taken: {error}") })?;
    let (now, permit) = (app.clock.utc(), permit.clone());
    let words = dictionary.to_text().to_owned();
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            let before = dictionary::find(tx).await?;
            seen.is(&before.clone().unwrap_or_default())?;
            dictionary::put(tx, &words, now).await?;
            record(tx, &permit, Action::PasswordDictionaryUpdated, About::default(), now).await?;
            Ok::<_, Error>((before.map_or(Before::Nothing, |_| Before::Another), words.into()))
        })
    });
    written.await
}
