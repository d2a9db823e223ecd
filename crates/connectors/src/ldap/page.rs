//! One page of a search: the simple paged results control (RFC 2696), entry by entry.
//!
//! The control goes with every search and is never critical. A directory that does not know it sends everything at once
//! and no control with it, which is complete as well; then the client library holds what was not taken yet.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use ldap3::controls::{Control, ControlParser as _, PagedResults};
use ldap3::{DerefAliases, Scope, SearchEntry, SearchOptions, SearchStream};
use tokio::time::Instant;

use super::answer::Answer;
use super::connection::{Connection, answered};
use crate::failure::Failure;

/// The control's object identifier.
pub(super) const OID: &str = "1.2.840.113556.1.4.319";

/// What is searched for.
#[derive(Debug, Clone)]
pub(super) struct Search {
    pub(super) base: String,
    pub(super) scope: Scope,
    pub(super) filter: String,
    pub(super) wanted: Arc<[String]>,
}

/// A page on its way.
pub(super) struct Page {
    stream: SearchStream<'static, String, Arc<[String]>>,
    limit: Duration,
    deadline: Instant,
    /// Whether this is the first page.
    first: bool,
    /// Whether its last entry was seen. The library must not be asked again then.
    over: bool,
}

impl Page {
    /// Asks for the page behind `cookie`, which is empty for the first. Aliases are not followed.
    pub(super) async fn ask(
        connection: &mut Connection,
        search: &Search,
        size: u16,
        cookie: Vec<u8>,
    ) -> Result<Self, Failure> {
        let (limit, first) = (connection.request_timeout, cookie.is_empty());
        let Search { base, scope, filter, wanted } = search;
        let ldap = connection.ldap();
        ldap.with_controls(PagedResults { size: i32::from(size), cookie });
        ldap.with_search_options(SearchOptions::new().deref(DerefAliases::Never));
        let stream = answered(limit, ldap.streaming_search(base, *scope, filter, wanted.clone())).await?;
        Ok(Self { stream, limit, deadline: Instant::now() + limit, first, over: false })
    }

    /// The next entry. References to other servers are passed over.
    pub(super) async fn next(&mut self) -> Result<Option<SearchEntry>, Failure> {
        while !self.over {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let next = match answered(left, self.stream.next()).await {
                Ok(next) => next,
                Err(failure) => return Err(self.limit_in_words(failure)),
            };
            let Some(next) = next else {
                self.over = true;
                break;
            };
            if next.is_ref() || next.is_intermediate() {
                continue;
            }
            // The library panics on entries that it cannot read.
            return match catch_unwind(AssertUnwindSafe(|| SearchEntry::construct(next))) {
                Ok(entry) => Ok(Some(entry)),
                Err(_panic) => Err(Failure::broken("the directory's answer could not be read")),
            };
        }
        Ok(None)
    }

    /// Begins the time limit anew: the directory is not to blame for the time in which nobody took its entries.
    pub(super) fn more_time(&mut self) {
        self.deadline = Instant::now() + self.limit;
    }

    /// How the page ended: with the cookie of the next one, or none after the last; or with the directory's refusal.
    pub(super) async fn end(mut self) -> Result<Result<Option<Vec<u8>>, Answer>, Failure> {
        let result = self.stream.finish().await;
        if result.rc != 0 {
            return Ok(Err(Answer::from(result)));
        }
        let control = result.ctrls.iter().find(|Control(_, raw)| raw.ctype == OID);
        let Some(value) = control.map(|Control(_, raw)| raw.val.as_deref().unwrap_or_default()) else {
            // Without the control, the first answer is everything; a later one would be a page that nothing leads on from.
            return if self.first { Ok(Ok(None)) } else { Err(Failure::broken(NO_END)) };
        };
        match catch_unwind(AssertUnwindSafe(|| PagedResults::parse(value))) {
            Ok(PagedResults { cookie, .. }) => Ok(Ok(Some(cookie).filter(|cookie| !cookie.is_empty()))),
            Err(_panic) => Err(Failure::broken(NO_END)),
        }
    }

    fn limit_in_words(&self, failure: Failure) -> Failure {
        match failure.kind {
            crate::FailureKind::Timeout => Failure::timeout(format!(
                "the directory did not send a page of accounts within {} ms",
                self.limit.as_millis()
            )),
            _ => failure,
        }
    }
}

const NO_END: &str = "the directory did not say whether more accounts follow, so nothing is known to be complete";
