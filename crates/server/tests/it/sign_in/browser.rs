//! As much of a browser as a form needs: it keeps the cookie, sends its origin, and follows nothing by itself.

use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};
use url::Url;

use super::Portal;
use crate::harness::Harness;

/// A browser.
pub(super) struct Browser<'a> {
    harness: &'a Harness,
    http: reqwest::Client,
    /// The form's cookie.
    pub(super) cookie: Option<String>,
    /// What it says of where a form stands.
    pub(super) origin: Vec<(&'static str, String)>,
}

/// What it was shown, or where it was sent.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl<'a> Browser<'a> {
    pub(super) fn new(harness: &'a Harness) -> Self {
        let policy = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().no_proxy().redirect(policy).build().expect("a client");
        let origin = vec![("origin", harness.app.config.public_url())];
        Self { harness, http, cookie: None, origin }
    }

    /// Opens the page that a client sends people to.
    pub(super) async fn open(&mut self, asks: &[(String, String)]) -> Page {
        let mut url = Url::parse(&self.harness.url("/oauth/authorize")).expect("an address");
        url.query_pairs_mut().extend_pairs(asks);
        self.get(url.as_str()).await
    }

    /// Opens a page.
    pub(super) async fn get(&mut self, url: &str) -> Page {
        let request = self.http.get(url);
        self.send(request).await
    }

    /// Fills the form of a page in and sends it.
    pub(super) async fn submit(&mut self, page: &Page, path: &str, filled: &[(&str, &str)]) -> Page {
        let mut fields = page.hidden();
        fields.extend(filled.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut request = self.http.post(self.harness.url(path)).form(&fields);
        for (name, value) in &self.origin {
            request = request.header(*name, value);
        }
        self.send(request).await
    }

    /// Signs in, and gives the code that the client gets.
    pub(super) async fn sign_in(&mut self, portal: &Portal, alias: &str, password: &str) -> String {
        let page = self.open(&portal.asks()).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let sent = self.submit(&page, "/oauth/authorize", &[("user_name", alias), ("password", password)]).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        sent.returned("code").expect("a code")
    }

    async fn send(&mut self, mut request: reqwest::RequestBuilder) -> Page {
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", format!("other=1; {cookie}"));
        }
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        if let Some(set) = headers.get(SET_COOKIE).map(|value| value.to_str().expect("text")) {
            let pair = set.split(';').next().expect("a pair").to_owned();
            self.cookie = (!set.contains("Max-Age=0")).then_some(pair);
        }
        Page { status, headers, text: answer.text().await.expect("a body") }
    }
}

impl Page {
    /// The fields that a form brings back without anybody's seeing them.
    pub(super) fn hidden(&self) -> Vec<(String, String)> {
        let inputs = self.text.split("<input type=\"hidden\" name=\"").skip(1);
        let pairs = inputs.filter_map(|rest| rest.split_once("\" value=\""));
        pairs.map(|(name, rest)| (plain(name), plain(rest.split('"').next().unwrap_or_default()))).collect()
    }

    /// Why somebody was not let in.
    pub(super) fn alert(&self) -> Option<&str> {
        let (_, rest) = self.text.split_once("role=\"alert\">")?;
        Some(rest.split("</").next()?.trim())
    }

    /// Where it was sent.
    pub(super) fn location(&self) -> Option<Url> {
        let location = self.headers.get(LOCATION)?.to_str().expect("text");
        Some(location.parse().expect("an address"))
    }

    /// What the client gets back.
    pub(super) fn returned(&self, name: &str) -> Option<String> {
        let location = self.location()?;
        location.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }
}

/// Undoes what a page does to text.
fn plain(text: &str) -> String {
    let pairs = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    pairs.into_iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
