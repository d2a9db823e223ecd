//! Tasks: one is at work with a source, one waits, and one whose node is gone is anybody's.

use lockstep_core::aggregation::Counters;
use lockstep_core::id::{SourceId, TaskId};
use lockstep_core::task::{Report, Task, TaskKind, TaskState};
use lockstep_store::{Error, Window, node, source, task};

use crate::harness::{Database, on_both_engines};
use crate::sample::{at, node as node_id, source as sample_source, source_id, uuid};

fn sample(n: u128, source: SourceId) -> Task {
    Task {
        id: TaskId(uuid(n)),
        kind: TaskKind::Aggregation,
        source,
        state: TaskState::Waiting,
        full: false,
        allowance: 0,
        launcher: "a test".to_owned(),
        counters: Counters::default(),
        reports: Vec::new(),
        node: None,
        created_at: at(i64::try_from(n).expect("small")),
        started_at: None,
        modified_at: at(1),
        finished_at: None,
    }
}

/// Two sources and two nodes.
async fn populate(database: &Database) {
    let work = database.write(|tx| {
        Box::pin(async move {
            source::put(tx, &sample_source(1, "Directory"), at(1)).await?;
            source::put(tx, &sample_source(2, "Shop"), at(1)).await?;
            node::register(tx, node_id(1), "one", at(1)).await?;
            node::register(tx, node_id(2), "two", at(1)).await
        })
    });
    work.await;
}

async fn ask(database: &Database, wanted: Task) -> Task {
    database.write(move |tx| Box::pin(async move { task::ask(tx, &wanted).await })).await
}

async fn take(database: &Database, node: u128) -> Option<TaskId> {
    let taken = database.write(move |tx| Box::pin(async move { task::take(tx, node_id(node), at(50)).await }));
    taken.await.map(|task| task.id)
}

on_both_engines! {
    async fn who_asks_again_gets_the_task_that_waits(database) {
        populate(&database).await;
        assert!(!database.read(|tx| Box::pin(task::is_any_open(tx))).await);
        let first = ask(&database, sample(1, source_id(1))).await;
        let mut more = sample(2, source_id(1));
        (more.full, more.allowance) = (true, 7);
        let again = ask(&database, more).await;
        assert_eq!((again.id, again.full, again.allowance), (first.id, true, 7));
        let less = ask(&database, sample(3, source_id(1))).await;
        assert_eq!((less.id, less.full, less.allowance), (first.id, true, 7));
        assert!(database.read(|tx| Box::pin(task::is_any_open(tx))).await);
        assert_eq!(database.read(|tx| Box::pin(task::count(tx))).await, 1);
    }

    async fn of_two_nodes_one_is_at_work_with_a_source(database) {
        populate(&database).await;
        ask(&database, sample(1, source_id(1))).await;
        let (one, two) = tokio::join!(take(&database, 1), take(&database, 2));
        assert!(one.is_some() != two.is_some(), "{one:?} {two:?}");
        // What is asked for meanwhile waits; another source does not.
        ask(&database, sample(2, source_id(1))).await;
        assert_eq!(take(&database, 2).await, None);
        ask(&database, sample(3, source_id(2))).await;
        assert_eq!(take(&database, 2).await, Some(TaskId(uuid(3))));
    }

    async fn a_task_whose_node_is_gone_is_taken_over_and_the_old_one_writes_nothing(database) {
        populate(&database).await;
        ask(&database, sample(1, source_id(1))).await;
        assert_eq!(take(&database, 1).await, Some(TaskId(uuid(1))));
        assert_eq!(take(&database, 2).await, None, "its node lives");
        let hold = async |n| {
            database.try_write(move |tx| Box::pin(async move { task::hold(tx, TaskId(uuid(1)), node_id(n)).await })).await
        };
        hold(1).await.expect("its own");
        assert!(matches!(hold(2).await, Err(Error::Stale("task"))));
        database.write(|tx| Box::pin(async move { node::remove(tx, node_id(1)).await })).await;
        assert_eq!(take(&database, 2).await, Some(TaskId(uuid(1))));
        assert!(matches!(hold(1).await, Err(Error::Stale("task"))));
        // One that stops gives it up by itself.
        database.write(|tx| Box::pin(async move { task::give_up(tx, TaskId(uuid(1)), node_id(2)).await })).await;
        assert_eq!(take(&database, 2).await, Some(TaskId(uuid(1))));
    }

    async fn what_a_node_has_taken_can_be_listed_and_given_back(database) {
        populate(&database).await;
        let task = ask(&database, sample(1, source_id(1))).await.id;
        assert_eq!(take(&database, 1).await, Some(task));
        let of = async |node| database.read(move |tx| Box::pin(task::list_of(tx, node_id(node)))).await;
        assert_eq!((of(1).await, of(2).await), (vec![task], vec![]));
        database.write(move |tx| Box::pin(async move { task::give_up(tx, task, node_id(1)).await })).await;
        assert_eq!(of(1).await, []);
        assert_eq!(take(&database, 2).await, Some(task));
    }

    async fn what_is_said_is_read_back_and_forgotten_in_time(database) {
        populate(&database).await;
        let mut said = ask(&database, sample(1, source_id(1))).await;
        take(&database, 1).await;
        said.state = TaskState::Unconfirmed;
        said.counters = Counters { known: 100, gone: 20, ..Counters::default() };
        said.reports = vec![Report::error("20 of 100 accounts would be taken for gone")];
        (said.modified_at, said.finished_at, said.started_at) = (at(60), Some(at(60)), Some(at(50)));
        let say = said.clone();
        database.write(move |tx| Box::pin(async move { task::say(tx, &say).await })).await;
        assert_eq!(database.read(|tx| Box::pin(task::get(tx, TaskId(uuid(1))))).await, said);
        let latest = database.read(|tx| Box::pin(task::latest(tx, source_id(1)))).await;
        assert_eq!(latest.as_ref(), Some(&said));
        assert_eq!(database.read(|tx| Box::pin(task::list(tx, Window::ALL))).await, [said]);
        let forget = async |n| database.write(move |tx| Box::pin(async move { task::forget(tx, at(n)).await })).await;
        assert_eq!((forget(60).await, forget(61).await), (0, 1));
        let unknown = database.store.read(|tx| Box::pin(task::get(tx, TaskId(uuid(1))))).await;
        assert!(matches!(unknown, Err(Error::NotFound("task"))));
    }
}
