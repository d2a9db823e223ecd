//! Lists: which part of one a client asks for, and how it is told (`limit`, `offset`, `count`, `filters`, `sorters`).

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use lockstep_core::filter::apply::{self, Record};
use lockstep_core::filter::{Collection, Query};
use serde::Serialize;
use utoipa::IntoParams;

use super::error::Error;
use crate::app::Error as AppError;
use crate::app::list::{Part, Wanted};

/// How many entries a list gives at most, and where the request does not say.
const MOST: u32 = 250;

/// How many there are in all, where the request asks.
const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// The part of a list that a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRequest {
    /// How many entries are given at most.
    pub(super) limit: u32,
    /// How many are skipped.
    pub(super) offset: u32,
    /// Whether it is told how many there are in all.
    pub(super) count: bool,
    /// Which entries, in the filter language.
    pub(super) filters: Option<String>,
    /// In which order: fields with commas between them, `-` for descending.
    pub(super) sorters: Option<String>,
}

/// How much of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that are read by hand")]
pub struct Paging {
    /// How many entries are given at most.
    #[param(minimum = 0, maximum = 250, default = 250)]
    limit: Option<u32>,
    /// How many entries are skipped.
    #[param(minimum = 0, default = 0)]
    offset: Option<u32>,
    /// Whether the header `X-Total-Count` says how many there are in all.
    #[param(default = false)]
    count: Option<bool>,
}

/// Which entries of a list, in which order.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that are read by hand")]
pub struct Choosing {
    /// Which entries, in the filter language: `name sw "A" and not (id eq "…")`.
    filters: Option<String>,
    /// The order: fields with commas between them, `-` before a field for descending.
    sorters: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for ListRequest {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let mut list = Self { limit: MOST, offset: 0, count: false, filters: None, sorters: None };
        for (name, value) in url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
            match &*name {
                "limit" => list.limit = number("limit", &value, MOST)?,
                "offset" => list.offset = number("offset", &value, i32::MAX as u32)?,
                "count" => list.count = switch("count", &value)?,
                "filters" => list.filters = given(&value),
                "sorters" => list.sorters = given(&value),
                _ => {}
            }
        }
        Ok(list)
    }
}

impl ListRequest {
    /// The part that is wanted of a long list.
    pub(super) fn of(&self, collection: &'static Collection) -> Result<Wanted, AppError> {
        let query = self.query(collection)?;
        Ok(Wanted { query, offset: u64::from(self.offset), limit: self.limit, count: self.count })
    }

    /// Refuses filters and sorters, for a list that has none.
    pub(super) fn unsorted(&self) -> Result<(), AppError> {
        for (field, given) in [("filters", &self.filters), ("sorters", &self.sorters)] {
            if given.is_some() {
                return Err(AppError::Illegal { field, reason: "cannot be used with this list".to_owned() });
            }
        }
        Ok(())
    }

    /// What is wanted of a collection.
    pub(super) fn query(&self, collection: &'static Collection) -> Result<Query, AppError> {
        Ok(Query::parse(collection, self.filters.as_deref(), self.sorters.as_deref())?)
    }

    /// The part that is asked for of a list that was read whole.
    pub(super) fn chosen<R: Record>(&self, all: Vec<R>, query: &Query) -> Listed<R> {
        let part = apply::apply(all, query, self.offset as usize, self.limit as usize);
        Listed { entries: part.records, total: self.count.then_some(part.total as u64) }
    }

    /// The same of a list that is always in its own order.
    pub(super) fn part<T>(&self, all: Vec<T>) -> Listed<T> {
        let total = self.count.then_some(all.len() as u64);
        let entries = all.into_iter().skip(self.offset as usize).take(self.limit as usize).collect();
        Listed { entries, total }
    }
}

/// A switch of a query.
pub(super) fn switch(field: &'static str, text: &str) -> Result<bool, AppError> {
    text.parse().map_err(|_| AppError::Illegal { field, reason: "must be true or false".to_owned() })
}

fn number(field: &'static str, text: &str, most: u32) -> Result<u32, AppError> {
    let number = text.parse().ok().filter(|number| *number <= most);
    number.ok_or_else(|| AppError::Illegal { field, reason: format!("must be a whole number from 0 to {most}") })
}

fn given(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| text.to_owned())
}

/// A part of a list.
#[derive(Debug)]
pub struct Listed<T> {
    /// The entries.
    pub(super) entries: Vec<T>,
    /// How many there are in all, where it was asked.
    pub(super) total: Option<u64>,
}

impl<T> Listed<T> {
    /// The part as it is told.
    pub(super) fn of<U>(part: Part<U>, told: impl FnMut(U) -> T) -> Self {
        Self { entries: part.entries.into_iter().map(told).collect(), total: part.total }
    }

    /// Each entry as it is told.
    pub(super) fn map<U>(self, told: impl FnMut(T) -> U) -> Listed<U> {
        Listed { entries: self.entries.into_iter().map(told).collect(), total: self.total }
    }
}

impl<T: Serialize> IntoResponse for Listed<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.entries).into_response();
        if let Some(total) = self.total {
            response.headers_mut().insert(TOTAL_COUNT, HeaderValue::from(total));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    async fn asked(query: &str) -> Result<ListRequest, String> {
        let request = Request::builder().uri(format!("/things?{query}")).body(()).expect("a request");
        let (mut parts, ()) = request.into_parts();
        ListRequest::from_request_parts(&mut parts, &()).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn what_is_not_said_is_the_first_page_of_everything() {
        let first = ListRequest { limit: 250, offset: 0, count: false, filters: None, sorters: None };
        for query in ["", "filters=&sorters=+", "unknown=1"] {
            assert_eq!(asked(query).await, Ok(first.clone()), "{query}");
        }
        let said = asked("limit=0&offset=250&count=true&filters=name+sw+%22A%22&sorters=-name").await.expect("read");
        assert_eq!((said.limit, said.offset, said.count), (0, 250, true));
        assert_eq!((said.filters.as_deref(), said.sorters.as_deref()), (Some("name sw \"A\""), Some("-name")));
    }

    #[tokio::test]
    async fn what_is_out_of_bounds_is_named() {
        for (query, text) in [
            ("limit=251", "limit must be a whole number from 0 to 250"),
            ("limit=-1", "limit must be a whole number from 0 to 250"),
            ("limit=", "limit must be a whole number from 0 to 250"),
            ("offset=2147483648", "offset must be a whole number from 0 to 2147483647"),
            ("count=yes", "count must be true or false"),
        ] {
            assert_eq!(asked(query).await, Err(text.to_owned()), "{query}");
        }
    }
}
