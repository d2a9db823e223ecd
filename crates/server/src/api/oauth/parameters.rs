//! The parameters of a request at the OAuth endpoints, wherever a client puts them: urlencoded or multipart body, query, HTTP Basic.
//!
//! A parameter may be given in one place only (RFC 6749 section 3.2), and so may the credentials (section 2.3), except
//! that a client id may be repeated with the same value.

use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{HeaderMap, header};
use base64::Engine;
use lockstep_vault::secret::Secret;
use zeroize::Zeroizing;

use super::OAuthError;
use crate::api::error::Error;
use crate::api::extract::{self, BASE64};

/// What a request says.
#[derive(Debug, Default)]
pub(in crate::api) struct Parameters {
    pub(super) grant_type: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<Secret>,
    pub(super) scope: Option<String>,
    pub(super) code: Option<Secret>,
    pub(super) redirect_uri: Option<String>,
    pub(super) code_verifier: Option<Secret>,
    pub(super) refresh_token: Option<Secret>,
    pub(super) token: Option<Secret>,
}

const TWICE: OAuthError = OAuthError::invalid_request("a parameter is there twice");

impl<S: Send + Sync> FromRequest<S> for Parameters {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let mut parameters = Self::default();
        let query = pairs(request.uri().query().unwrap_or_default().as_bytes());
        let basic = basic(request.headers())?;
        let body = body_parameters(request, state).await?;
        // A query reaches logs. The published clients send their credentials there all the same; nothing else that is secret.
        if query.iter().any(|(name, _)| matches!(name.as_str(), "code" | "code_verifier" | "refresh_token" | "token")) {
            return Err(OAuthError::invalid_request("a secret parameter must be in the body").into());
        }
        for (name, value) in query.into_iter().chain(body) {
            parameters.take(&name, value)?;
        }
        if let Some((id, secret)) = basic {
            parameters.authenticate(id, secret)?;
        }
        Ok(parameters)
    }
}

impl Parameters {
    /// Takes one in; empty ones and those that nobody here knows are ignored (RFC 6749 section 3.2).
    fn take(&mut self, name: &str, value: String) -> Result<(), OAuthError> {
        if value.is_empty() {
            return Ok(());
        }
        let secret = match name {
            "client_secret" => &mut self.client_secret,
            "code" => &mut self.code,
            "code_verifier" => &mut self.code_verifier,
            "refresh_token" => &mut self.refresh_token,
            "token" => &mut self.token,
            _ => return self.take_text(name, value),
        };
        secret.replace(Secret::new(value)).map_or(Ok(()), |_| Err(TWICE))
    }

    fn take_text(&mut self, name: &str, value: String) -> Result<(), OAuthError> {
        let place = match name {
            "grant_type" => &mut self.grant_type,
            "client_id" => &mut self.client_id,
            "redirect_uri" => &mut self.redirect_uri,
            "scope" => &mut self.scope,
            _ => return Ok(()),
        };
        place.replace(value).map_or(Ok(()), |_| Err(TWICE))
    }

    fn authenticate(&mut self, id: String, secret: Secret) -> Result<(), OAuthError> {
        let other = self.client_id.as_ref().is_some_and(|named| *named != id);
        if other || self.client_secret.is_some() {
            return Err(OAuthError::invalid_request("the credentials are there twice"));
        }
        (self.client_id, self.client_secret) = (Some(id), Some(secret));
        Ok(())
    }
}

async fn body_parameters<S: Send + Sync>(request: Request, state: &S) -> Result<Vec<(String, String)>, Error> {
    match extract::media_type(request.headers()).as_deref() {
        Some("multipart/form-data") => multipart(request, state).await,
        Some("application/x-www-form-urlencoded") => Ok(pairs(&extract::body(request, state).await?)),
        _ => match extract::body(request, state).await?.is_empty() {
            true => Ok(Vec::new()),
            false => Err(Error::MediaType("application/x-www-form-urlencoded or multipart/form-data")),
        },
    }
}

fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(encoded).into_owned().collect()
}

async fn multipart<S: Send + Sync>(request: Request, state: &S) -> Result<Vec<(String, String)>, Error> {
    let unreadable = Error::from(OAuthError::invalid_request("the form cannot be read"));
    let Ok(mut form) = Multipart::from_request(request, state).await else { return Err(unreadable) };
    let refusal = |error: axum::extract::multipart::MultipartError| match error.status() {
        axum::http::StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge,
        _ => OAuthError::invalid_request("the form cannot be read").into(),
    };
    let mut parameters = Vec::new();
    while let Some(field) = form.next_field().await.map_err(refusal)? {
        let name = field.name().unwrap_or_default().to_owned();
        parameters.push((name, field.text().await.map_err(refusal)?));
    }
    Ok(parameters)
}

/// The credentials of HTTP Basic (RFC 7617), urlencoded as RFC 6749 section 2.3.1 wants them.
fn basic(headers: &HeaderMap) -> Result<Option<(String, Secret)>, OAuthError> {
    let unreadable = OAuthError::invalid_request("the Authorization header cannot be read");
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let value = value.to_str().map_err(|_| unreadable)?;
    let Some((scheme, credentials)) = value.split_once(' ') else { return Ok(None) };
    // Clients that hold a stale token may send it here too; it says nothing.
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    let decoded = Zeroizing::new(BASE64.decode(credentials.trim()).map_err(|_| unreadable)?);
    let text = std::str::from_utf8(&decoded).map_err(|_| unreadable)?;
    let (id, secret) = text.split_once(':').ok_or(unreadable)?;
    Ok(Some((decoded_text(id), Secret::new(decoded_text(secret)))))
}

/// Undoes the encoding of form values.
fn decoded_text(encoded: &str) -> String {
    let name = Zeroizing::new(encoded.replace('=', "%3D"));
    let name = Zeroizing::new(name.replace('&', "%26"));
    pairs(name.as_bytes()).into_iter().next().map(|(name, _)| name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    async fn read(request: axum::http::request::Builder, body: &'static str) -> Result<Parameters, Error> {
        let request = request.method("POST").body(Body::from(body)).expect("request");
        Parameters::from_request(request, &()).await
    }

    fn form() -> axum::http::request::Builder {
        Request::builder().header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
    }

    #[tokio::test]
    async fn every_place_is_read() {
        let body = "grant_type=client_credentials&client_id=a%2Db&client_secret=c+d&unknown=x&scope=";
        let in_query = Request::builder().uri("/?grant_type=client_credentials&client_id=a-b&client_secret=c%20d");
        let basic = BASE64.encode("a-b:c+d");
        let in_header = form().header("authorization", format!("Basic {basic}"));
        let multipart = "--x\r\ncontent-disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n\
            --x\r\ncontent-disposition: form-data; name=\"client_id\"\r\n\r\na-b\r\n\
            --x\r\ncontent-disposition: form-data; name=\"client_secret\"\r\n\r\nc d\r\n--x--\r\n";
        let in_multipart = Request::builder().header("content-type", "multipart/form-data; boundary=x");
        for (request, body) in
            [(form(), body), (in_query, ""), (in_header, "grant_type=client_credentials"), (in_multipart, multipart)]
        {
            let parameters = read(request, body).await.expect("read");
            assert_eq!(parameters.grant_type.as_deref(), Some("client_credentials"), "{body}");
            assert_eq!(parameters.client_id.as_deref(), Some("a-b"), "{body}");
            assert_eq!(parameters.client_secret.as_ref().map(Secret::expose), Some("c d"), "{body}");
            assert!(parameters.scope.is_none());
        }
    }

    #[tokio::test]
    async fn nothing_may_be_said_twice() {
        let basic = || form().header("authorization", format!("Basic {}", BASE64.encode("a:b")));
        for (request, body) in [
            (form(), "client_id=a&client_id=a"),
            (form(), "client_secret=a&client_secret=b"),
            (form().uri("/?grant_type=x"), "grant_type=y"),
            (basic(), "client_secret=b"),
            (basic(), "client_id=other"),
        ] {
            let error = read(request, body).await.expect_err(body);
            assert!(matches!(error, Error::OAuth(_)), "{error:?}");
        }
        assert!(read(basic(), "client_id=a").await.is_ok());
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_refused_in_oauths_words_or_as_another_format() {
        let broken = Request::builder().header("content-type", "multipart/form-data");
        assert!(matches!(read(broken, "x").await, Err(Error::OAuth(_))));
        let header = form().header("authorization", "Basic !");
        assert!(matches!(read(header, "").await, Err(Error::OAuth(_))));
        let json = Request::builder().header("content-type", "application/json");
        assert!(matches!(read(json, "{}").await, Err(Error::MediaType(_))));
        assert!(read(Request::builder(), "").await.is_ok());
    }
}
