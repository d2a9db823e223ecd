//! As much of a browser as a form needs: it keeps cookies, sends its origin, and follows nothing by itself.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};
use url::Url;

use crate::harness::Harness;

/// A browser.
pub(crate) struct Browser<'a> {
    pub(crate) harness: &'a Harness,
    http: reqwest::Client,
    /// Its cookies.
    pub(crate) cookies: BTreeMap<String, String>,
    /// What a proxy says of where it is.
    pub(crate) forwarded_for: Option<String>,
    /// What it says of where a form stands.
    pub(crate) origin: Vec<(&'static str, String)>,
}

/// What it was shown, or where it was sent.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(harness: &'a Harness) -> Self {
        let policy = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().no_proxy().redirect(policy).build().expect("a client");
        let origin = vec![("origin", harness.app.config.public_url())];
        Self { harness, http, cookies: BTreeMap::new(), forwarded_for: None, origin }
    }

    /// Opens a page.
    pub(crate) async fn get(&mut self, url: &str) -> Page {
        let request = self.http.get(url);
        self.send(request).await
    }

    /// Fills the form of a page in and sends it.
    pub(crate) async fn submit(&mut self, page: &Page, path: &str, filled: &[(&str, &str)]) -> Page {
        let mut fields = page.hidden(path);
        fields.extend(filled.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut request = self.http.post(self.harness.url(path)).form(&fields);
        for (name, value) in &self.origin {
            request = request.header(*name, value);
        }
        self.send(request).await
    }

    async fn send(&mut self, mut request: reqwest::RequestBuilder) -> Page {
        let cookies = self.cookies.iter().map(|(name, value)| format!("; {name}={value}"));
        request = request.header("cookie", cookies.fold("other=1".to_owned(), |all, one| all + &one));
        if let Some(address) = &self.forwarded_for {
            request = request.header("x-forwarded-for", address);
        }
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        for set in headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().expect("text")) {
            let (name, value) = set.split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
            match set.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        Page { status, headers, text: answer.text().await.expect("a body") }
    }
}

impl Page {
    /// The fields that the form for this address brings back without anybody's seeing them.
    pub(crate) fn hidden(&self, path: &str) -> Vec<(String, String)> {
        let form = self.text.split_once(&format!("action=\"{path}\""));
        let form = form.and_then(|(_, rest)| rest.split_once("</form>"));
        let inputs = form.map_or("", |(form, _)| form).split("<input type=\"hidden\" name=\"").skip(1);
        let pairs = inputs.filter_map(|rest| rest.split_once("\" value=\""));
        pairs.map(|(name, rest)| (plain(name), plain(rest.split('"').next().unwrap_or_default()))).collect()
    }

    /// What a page asks of a passkey: the attribute of this name.
    pub(crate) fn asks(&self, attribute: &str) -> serde_json::Value {
        let (_, rest) = self.text.split_once(&format!(" {attribute}=\"")).expect("it asks for a passkey");
        serde_json::from_str(&plain(rest.split('"').next().expect("an end"))).expect("JSON")
    }

    /// Why somebody was not let in.
    pub(crate) fn alert(&self) -> Option<&str> {
        let (_, rest) = self.text.split_once("role=\"alert\">")?;
        Some(rest.split("</").next()?.trim())
    }

    /// Where it was sent.
    pub(crate) fn location(&self) -> Option<Url> {
        let location = self.headers.get(LOCATION)?.to_str().expect("text");
        Some(Url::parse("http://here.invalid").expect("an address").join(location).expect("an address"))
    }

    /// What the client gets back.
    pub(crate) fn returned(&self, name: &str) -> Option<String> {
        let location = self.location()?;
        location.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }
}

/// Undoes what a page does to text.
fn plain(text: &str) -> String {
    let pairs = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    pairs.into_iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
