//! Reading the accounts of a directory: all, or what changed since a mark.
//!
//! A reading has a connection of its own, since it may take long and no delivery waits for it. It holds one page. It
//! ends well only after the directory said that the last page was the last: a limit on the way is a failure.

use chrono::TimeDelta;
use ldap3::ldap_escape;

use super::accounts::{Accounts, Disable};
use super::answer::Answer;
use super::connection::Connection;
use super::entry::{Values, account};
use super::page::{Page, Search};
use super::timestamp::Timestamp;
use crate::account::{AccountEntry, Pages, Reading};
use crate::failure::{Failure, FailureKind, RefusalKind};
use crate::{Report, failure};

const MODIFIED: &str = "modifyTimestamp";
const CREATED: &str = "createTimestamp";

/// How far before the mark a reading of changes begins. Servers that replicate to each other stamp a change by their own
/// clocks and pass it on later, so it may arrive with an earlier time than changes that were seen already.
const OVERLAP: TimeDelta = TimeDelta::seconds(60);

/// What a reading needs to know.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) accounts: &'a Accounts,
    pub(super) disable: Option<&'a Disable>,
}

impl Reader<'_> {
    /// Reads all accounts, or with `since` those that may have changed.
    ///
    /// The mark is the newest `modifyTimestamp` among the accounts when the reading begins. What the reading does not
    /// show happens after that on the server, so it gets this time or a later one by the same clock, whatever ours says,
    /// and the next reading asks for "this time or later": a change in the very second of the mark is read twice rather
    /// than never. A time taken at the end would lose the changes to entries that had been sent already.
    pub(super) async fn all(
        self,
        connection: &mut Connection,
        since: Option<&str>,
        mut pages: Pages,
    ) -> Result<Reading, Failure> {
        // A mark that is none of ours leads to a reading of everything.
        let since = since.and_then(Timestamp::parse);
        let filter = match since {
            None => self.accounts.filter.clone(),
            Some(since) => changed_since(&self.accounts.filter, since.before(OVERLAP)),
        };
        let mark = self.newest(connection, &filter).await?.max(since);
        let search = self.search(filter);
        let mut cookie = Vec::new();
        loop {
            let mut page = Page::ask(connection, &search, self.accounts.page_size, cookie).await?;
            while let Some(entry) = page.next().await? {
                if pages.take(account(entry, self.accounts, self.disable)).await? {
                    page.more_time();
                }
            }
            match page.end().await?.map_err(|answer| self.refusal(&answer))? {
                Some(next) => cookie = next,
                None => return Ok(Reading { mark: mark.map(|mark| mark.to_string()), skipped: pages.end().await? }),
            }
        }
    }

    /// The account with that stable id.
    pub(super) async fn one(
        self,
        connection: &mut Connection,
        stable_id: &str,
    ) -> Result<Option<AccountEntry>, Failure> {
        let Accounts { filter, stable_id: attribute, .. } = self.accounts;
        let search = self.search(format!("(&{filter}({attribute}={}))", ldap_escape(stable_id)));
        let mut page = Page::ask(connection, &search, 2, Vec::new()).await?;
        let (first, second) = (page.next().await?, page.next().await?);
        if second.is_some() {
            let detail = format!("more than one entry has this `{attribute}`; name an attribute that is unique");
            return Err(Failure::refused(RefusalKind::AccountAmbiguous, detail));
        }
        page.end().await?.map_err(|answer| self.refusal(&answer))?;
        first.map(|entry| account(entry, self.accounts, self.disable)).transpose().map_err(|problem| {
            let detail = failure::diagnostic(&problem, &[]).unwrap_or_default();
            Failure::refused(RefusalKind::Misconfigured, detail)
        })
    }

    /// Says in a report what a reading would find. A reading that fails stands in nobody's way who changes passwords.
    pub(super) async fn test(self, connection: &mut Connection, report: &mut Report) {
        match self.first(connection).await {
            Ok(Some(Ok(account))) => report.good(format!(
                "accounts can be read, for example {} with the `{}` {}",
                account.native_id, self.accounts.stable_id, account.stable_id
            )),
            Ok(Some(Err(problem))) => report.warning(format!("accounts cannot all be read: {problem}")),
            Ok(None) => report.warning(format!(
                "there are no accounts: nothing under {} fits the filter {}, or the service account may not read it",
                self.accounts.base, self.accounts.filter
            )),
            Err(Failure { detail, .. }) => report.warning(format!("accounts cannot be read: {detail}")),
        }
        if !connection.features.paging {
            report.warning("the directory does not say that it sends accounts in pages; all come at once");
        }
    }

    async fn first(self, connection: &mut Connection) -> Result<Option<Result<AccountEntry, String>>, Failure> {
        let search = self.search(self.accounts.filter.clone());
        let mut page = Page::ask(connection, &search, 1, Vec::new()).await?;
        if let Some(entry) = page.next().await? {
            return Ok(Some(account(entry, self.accounts, self.disable)));
        }
        page.end().await?.map_err(|answer| self.refusal(&answer))?;
        Ok(None)
    }

    /// The newest `modifyTimestamp` among the entries of a filter; none if the directory does not show it.
    ///
    /// It takes a pass of its own over the entries, of one attribute: no directory can be relied on to sort, and asking
    /// for times greater than one that was seen takes some of them longer than sending all.
    async fn newest(self, connection: &mut Connection, filter: &str) -> Result<Option<Timestamp>, Failure> {
        let search = Search { wanted: [MODIFIED.to_owned()].into(), ..self.search(filter.to_owned()) };
        let (mut cookie, mut newest) = (Vec::new(), None);
        loop {
            let mut page = Page::ask(connection, &search, self.accounts.page_size, cookie).await?;
            while let Some(entry) = page.next().await? {
                newest = newest.max(Values::of(&entry).first(MODIFIED).and_then(Timestamp::parse));
            }
            match page.end().await?.map_err(|answer| self.refusal(&answer))? {
                Some(next) => cookie = next,
                None => return Ok(newest),
            }
        }
    }

    fn search(self, filter: String) -> Search {
        let Accounts { base, scope, .. } = self.accounts;
        Search { base: base.clone(), scope: *scope, filter, wanted: self.accounts.wanted(self.disable) }
    }

    /// Why the directory did not send all that was asked for.
    fn refusal(self, answer: &Answer) -> Failure {
        let base = &self.accounts.base;
        let misconfigured = FailureKind::Refused(RefusalKind::Misconfigured);
        let (kind, words) = match answer.code {
            3 => (misconfigured, "the directory ended the search for taking too long; raise its time limit for the service account, or index what the filter asks for".to_owned()),
            4 => (misconfigured, "the directory sends the service account only part of the accounts, so none are taken; raise its size limit for the service account (OpenLDAP: `limits`, 389 Directory Server: `nsSizeLimit`)".to_owned()),
            11 => (misconfigured, "the directory reached an administrative limit, so no accounts are taken; raise it for the service account (389 Directory Server: `nsLookThroughLimit`, `nsPagedSizeLimit`)".to_owned()),
            10 => (misconfigured, format!("this server does not hold {base}; name the one that does, or another `accounts.base`")),
            32 => (misconfigured, format!("there is no entry {base}, or the service account may not see it; correct `accounts.base`")),
            34 => (misconfigured, format!("the directory does not take {base} for a distinguished name; correct `accounts.base`")),
            50 => (FailureKind::Refused(RefusalKind::NoRights), format!("the service account may not read under {base}")),
            _ => return answer.failure(&[]),
        };
        Failure { kind, detail: answer.sentence(&words, &[]) }
    }
}

/// Entries that were never changed may have no `modifyTimestamp` in some directories.
fn changed_since(filter: &str, time: Timestamp) -> String {
    format!("(&{filter}(|({MODIFIED}>={time})({CREATED}>={time})))")
}
