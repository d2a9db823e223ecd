//! The first administrator: the link that `lockstep init --admin` shows, a password that is set with it, and a sign-in.

use anyhow::{Context, Result, ensure};

use crate::http::{self, Reply};

/// Who it is.
pub(super) const ADMINISTRATOR: &str = "admin";

const PASSWORD: &str = "Quiet-Lantern-Over-Harbour-42";

/// A link that works once.
pub(super) struct Link {
    /// Where forms come from.
    origin: String,
    code: String,
}

/// The link in what a command printed.
pub(super) fn link(words: &str) -> Result<Link> {
    let link = words.split_whitespace().find(|word| word.contains("/enrol#"));
    let (origin, code) = link.and_then(|link| link.split_once("/enrol#")).context("no link was shown")?;
    Ok(Link { origin: origin.to_owned(), code: code.to_owned() })
}

/// Sets the password, which works once, and signs in with it.
pub(super) fn enrol(port: u16, link: &Link) -> Result<()> {
    let sets = [("code", link.code.as_str()), ("new_password", PASSWORD), ("repeated", PASSWORD)];
    let done = submit(port, &link.origin, "/enrol", &sets)?;
    ensure!(done.status == 200, "the password was not set: {}", done.body);
    let again = submit(port, &link.origin, "/enrol", &sets)?;
    ensure!(again.status == 400, "the link worked twice: {}", again.status);
    let signs_in = [("user_name", ADMINISTRATOR), ("password", PASSWORD), ("to", "/passwords")];
    let came = submit(port, &link.origin, "/sign-in", &signs_in)?;
    ensure!(came.status == 303, "the administrator is not let in: {}", came.body);
    Ok(())
}

/// Fills in the form of a page, as a browser would. Nothing in it needs encoding.
fn submit(port: u16, origin: &str, path: &str, fields: &[(&str, &str)]) -> Result<Reply> {
    let page = http::get(port, path)?;
    let token = page.body.split_once("name=\"form_token\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
    let (token, _) = token.with_context(|| format!("{path} has no form"))?;
    let cookie = page.header("set-cookie").next().and_then(|set| set.split(';').next()).context("no cookie was set")?;
    let mut form = format!("form_token={token}");
    fields.iter().for_each(|(name, value)| form.push_str(&format!("&{name}={value}")));
    http::post_form_with(port, path, &form, &[("Origin", origin), ("Cookie", cookie)])
}
