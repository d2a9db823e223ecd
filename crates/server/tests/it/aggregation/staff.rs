//! A table of people in a SQLite file, as a source.

use std::sync::Arc;
use std::time::Duration;

use lockstep::app::aggregate::{self, Wanted};
use lockstep::app::apply;
use lockstep_core::aggregation::Known;
use lockstep_core::id::{IdentityId, SourceId, TaskId};
use lockstep_core::task::Task;
use lockstep_store::{Window, account, aggregation, identity, source, task};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tempfile::TempDir;

use crate::harness::Harness;

/// Accounts belong to who has their mail address.
pub(super) const BY_MAIL: &str = "correlation = [{ account = \"mail\", identity = \"email\" }]";

/// A table of people.
pub(super) struct Staff {
    pool: SqlitePool,
    folder: TempDir,
}

impl Staff {
    /// The people 1 to `people`: `user7` has the address `user7@example.test`.
    pub(super) async fn with(people: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = SqliteConnectOptions::new().filename(folder.path().join("staff.db")).create_if_missing(true);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.expect("a database");
        let staff = Self { pool, folder };
        staff
            .run(
                "CREATE TABLE staff (id INTEGER PRIMARY KEY, login TEXT, mail TEXT, number TEXT, secret TEXT,
                     enabled INTEGER DEFAULT 1, changed TEXT DEFAULT '0001')",
            )
            .await;
        staff.hire(1, people).await;
        staff
    }

    /// More of them.
    pub(super) async fn hire(&self, from: u32, to: u32) {
        let insert = format!(
            "INSERT INTO staff (id, login, mail, number)
             WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to})
             SELECT i, 'user' || i, 'user' || i || '@example.test', 'N' || i FROM n"
        );
        self.run(&insert).await;
    }

    /// Changes the table.
    pub(super) async fn run(&self, sql: &str) {
        sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&self.pool).await.expect("done");
    }

    /// What somebody is called.
    pub(super) async fn login(&self, id: u32) -> String {
        let select = format!("SELECT login FROM staff WHERE id = {id}");
        let (login,): (String,) =
            sqlx::query_as(sqlx::AssertSqlSafe(select)).fetch_one(&self.pool).await.expect("somebody");
        login
    }

    /// The table as the source `Staff`, aggregated so.
    pub(super) async fn apply(&self, harness: &Harness, aggregation: &str) {
        self.apply_as(harness, "Staff", aggregation).await;
    }

    /// The table as a source of that name.
    pub(super) async fn apply_as(&self, harness: &Harness, name: &str, aggregation: &str) {
        let columns = "id AS stable_id, login AS account, mail, number, enabled, changed AS changed_at";
        let text = format!(
            "[[source]]\nname = \"{name}\"\nconnector = \"sql\"\n[source.config]\nurl = \"sqlite:{path}\"\n\
             statement = \"UPDATE staff SET secret = :hash WHERE login = :account\"\nhash = \"pbkdf2-sha256\"\n\
             hash_rounds = 1000\n[source.config.accounts]\nstatement = \"SELECT {columns} FROM staff ORDER BY id\"\n\
             changed = \"SELECT {columns} FROM staff WHERE changed > :since\"\n\
             one = \"SELECT {columns} FROM staff WHERE id = :stable_id\"\n[source.aggregation]\n{aggregation}\n",
            path = self.folder.path().join("staff.db").display(),
        );
        apply(harness, &text).await;
    }

    /// A person who is known already.
    pub(super) async fn person(&self, harness: &Harness, alias: &'static str, email: &str) -> IdentityId {
        apply(harness, &format!("[[identity]]\nalias = \"{alias}\"\nemail = \"{email}\"")).await;
        let found = harness.read(move |tx| Box::pin(identity::find_by_alias(tx, alias))).await;
        found.expect("made").id
    }

    pub(super) async fn id(&self, harness: &Harness) -> SourceId {
        let found = harness.read(|tx| Box::pin(source::find_by_name(tx, "Staff"))).await;
        found.expect("applied").id
    }

    /// Reads it, to the end.
    pub(super) async fn aggregate(&self, harness: &Harness) -> Task {
        self.aggregate_with(harness, Wanted::default()).await
    }

    /// The same as somebody wants it.
    pub(super) async fn aggregate_with(&self, harness: &Harness, wanted: Wanted) -> Task {
        aggregate_source(harness, "Staff", wanted).await
    }

    /// The account of one of them.
    pub(super) async fn known(&self, harness: &Harness, id: u32) -> Known {
        let source = self.id(harness).await;
        let wanted = vec![id.to_string()];
        let read = harness.read(move |tx| Box::pin(async move { aggregation::known(tx, source, &wanted).await })).await;
        read.into_iter().next().expect("an account")
    }

    /// Waits until an account is an identity's, or nobody's.
    pub(super) async fn owned_by(&self, harness: &Harness, id: u32, owner: Option<IdentityId>) {
        for _ in 0..400 {
            if self.known(harness, id).await.account.identity == owner {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the account {id} never became {owner:?}'s");
    }

    /// Waits until an account is a tombstone.
    pub(super) async fn buried(&self, harness: &Harness, id: u32) {
        for _ in 0..400 {
            if self.known(harness, id).await.account.vanished {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the account {id} never became a tombstone");
    }

    /// Every account and identity that there is, with when it was last written.
    pub(super) async fn written(&self, harness: &Harness) -> Vec<String> {
        let rows: Vec<(String,)> = match harness.app.config.store.url.strip_prefix("sqlite:") {
            Some(path) => {
                let options = SqliteConnectOptions::new().filename(path).read_only(true);
                let mut database = options.connect().await.expect("opened");
                let sql = "SELECT hex(id) || stable_id || modified_at || vanished FROM account
                     UNION ALL SELECT hex(id) || alias || modified_at FROM identity ORDER BY 1";
                sqlx::query_as(sql).fetch_all(&mut database).await.expect("read")
            }
            None => {
                let mut database = PgConnection::connect(&harness.app.config.store.url).await.expect("opened");
                let sql = "SELECT id::text || stable_id || modified_at || vanished FROM account
                     UNION ALL SELECT id::text || alias || modified_at FROM identity ORDER BY 1";
                sqlx::query_as(sql).fetch_all(&mut database).await.expect("read")
            }
        };
        rows.into_iter().map(|(row,)| row).collect()
    }

    /// Every account of the source as it would be compared with another database's.
    pub(super) async fn all(&self, harness: &Harness) -> Vec<(String, String, bool)> {
        let id = self.id(harness).await;
        let read = harness.read(move |tx| Box::pin(account::list_on(tx, id, Window::ALL))).await;
        read.into_iter().map(|account| (account.stable_id, account.native_id, account.vanished)).collect()
    }
}

pub(super) async fn apply(harness: &Harness, text: &str) {
    let wanted = toml::from_str(text).expect("a file");
    let follow = Arc::new(|_: &apply::Reference| Err("there is nothing to follow".to_owned()));
    apply::apply(&harness.app, Arc::new(wanted), follow).await.expect("applied");
}

pub(super) async fn aggregate_source(harness: &Harness, name: &'static str, wanted: Wanted) -> Task {
    let found = harness.read(move |tx| Box::pin(source::find_by_name(tx, name))).await.expect("applied");
    let asked = aggregate::ask(&harness.app, found.id, wanted).await.expect("asked");
    ended(harness, asked.id).await
}

/// Waits until a task is at its end.
pub(super) async fn ended(harness: &Harness, id: TaskId) -> Task {
    for _ in 0..1200 {
        let task = harness.read(move |tx| Box::pin(task::get(tx, id))).await;
        if task.state.is_final() {
            return task;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the task {id} never came to its end");
}
