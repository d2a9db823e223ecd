//! How the pages look like the organisation's: its name, its picture and its colour, as the configuration has them, and the icons of
//! its applications.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lockstep_core::picture::Picture;
use lockstep_store::{Tx, application_icon};

use crate::api::boundary::UNCHANGING;
use crate::app::App;
use crate::config::Organisation;

/// The stylesheet that every installation has.
const STYLESHEET: &str = include_str!("../../assets/lockstep.css");

/// The most bytes of a picture: a page is not to wait for it.
const LARGEST_LOGO: usize = 128 * 1024;

/// What is the organisation's own.
#[derive(Debug, Default)]
pub(super) struct Brand {
    name: Option<String>,
    logo: Option<(Picture, Vec<u8>)>,
    stylesheet: String,
}

impl Brand {
    /// What the configuration says. A picture that cannot be shown is left out, and the log says so.
    pub(super) fn of(organisation: &Organisation) -> Self {
        let logo = organisation.logo.as_ref().and_then(|path| {
            let bytes = std::fs::read(path)
                .inspect_err(|error| tracing::warn!(%error, file = %path.display(), "the logo cannot be read"))
                .ok()?;
            let kind = Picture::of(&bytes).filter(|_| bytes.len() <= LARGEST_LOGO);
            if kind.is_none() {
                tracing::warn!(file = %path.display(), "the logo is no SVG or PNG of at most 128 KiB");
            }
            kind.map(|kind| (kind, bytes))
        });
        let mut stylesheet = STYLESHEET.to_owned();
        if let Some(colour) = organisation.colour {
            stylesheet.push_str(&format!(":root {{\n  --accent: {colour};\n}}\n"));
        }
        // After the first, which would hold in the dark too.
        let dark = organisation.colour_dark.map(|colour| colour.to_string());
        let dark = dark.or_else(|| organisation.colour.map(|_| "#8db8f5".to_owned()));
        if let Some(colour) = dark {
            let rule =
                format!("@media (prefers-color-scheme: dark) {{\n  :root {{\n    --accent: {colour};\n  }}\n}}\n");
            stylesheet.push_str(&rule);
        }
        Self { name: organisation.display_name.clone(), logo, stylesheet }
    }

    /// What people read; none: Lockstep.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether there is a picture.
    pub(super) fn has_logo(&self) -> bool {
        self.logo.is_some()
    }

    /// The stylesheet of all pages.
    pub(super) fn stylesheet(&self) -> Response {
        ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], self.stylesheet.clone()).into_response()
    }

    /// The picture.
    pub(super) fn logo(&self) -> Response {
        match &self.logo {
            Some((kind, bytes)) => picture(*kind, bytes.clone()),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

/// The icon of an application, by its digest. Under the same address it never changes: a browser asks once.
pub(super) async fn icon(State(app): State<App>, Path(digest): Path<String>) -> Response {
    if digest.len() != 32 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        let digest = digest.clone();
        Box::pin(async move { application_icon::find(tx, &digest).await })
    });
    let found: Option<Vec<u8>> = match read.await {
        Ok(found) => found,
        Err(error) => {
            tracing::error!(%error, "an icon could not be read");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let Some((kind, bytes)) = found.and_then(|bytes| Some((Picture::of(&bytes)?, bytes))) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = picture(kind, bytes);
    response.headers_mut().insert(header::CACHE_CONTROL, UNCHANGING);
    response
}

/// A picture. What is in it does nothing, even where somebody opens it alone.
fn picture(kind: Picture, bytes: Vec<u8>) -> Response {
    const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
    let kind = HeaderValue::from_static(kind.media_type());
    ([(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, NOTHING)], bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_the_last_word_and_the_dark_has_one_too() {
        let colour = |text: &str| Some(text.to_owned().try_into().expect("a colour"));
        let plain = Brand::of(&Organisation::default());
        assert_eq!((plain.stylesheet.as_str(), plain.name(), plain.has_logo()), (STYLESHEET, None, false));
        let own = Brand::of(&Organisation { colour: colour("#0b6e4f"), ..Organisation::default() });
        let added = own.stylesheet.strip_prefix(STYLESHEET).expect("what is ours comes first");
        assert!(added.contains("--accent: #0b6e4f") && added.contains("dark") && added.contains("#8db8f5"), "{added}");
    }
}
