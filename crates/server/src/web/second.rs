//! The second factor in a form, on whichever page: what the form asks for, and what it brings.

use lockstep_core::id::IdentityId;
use zeroize::Zeroizing;

use super::Web;
use super::form::Fields;
use crate::app::second_factor::{Second, own};
use crate::app::{Error, passkey};

/// What a form asks for.
#[derive(Default)]
pub(super) struct Asked {
    /// What a passkey is to sign, if there is one.
    pub(super) passkey: Option<String>,
    /// Whether there are codes by the clock; recovery codes there are always.
    pub(super) has_codes: bool,
}

/// What the form with this token asks of a person.
pub(super) async fn asked(web: &Web, whose: IdentityId, form_token: &str) -> Result<Asked, Error> {
    let own = own(&web.app, whose).await?;
    let passkey = passkey::ask(&web.app, own.passkeys, form_token);
    Ok(Asked { passkey, has_codes: own.codes_since.is_some() })
}

/// What a form brings.
pub(super) async fn brought(web: &Web, fields: &Fields) -> Result<Second, Error> {
    match fields.get("passkey") {
        "" => Ok(Second::Code(Zeroizing::new(fields.get("second").to_owned()))),
        response => {
            let right = passkey::check(&web.app, response, fields.get("form_token")).await?;
            Ok(right.map_or(Second::Nothing, Second::Passkey))
        }
    }
}
