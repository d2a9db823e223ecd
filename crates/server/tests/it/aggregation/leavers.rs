//! What is gone: tombstones, the guard, and what comes back.

use lockstep::app::aggregate::Wanted;
use lockstep_core::task::TaskState;

use super::staff::{BY_MAIL, Staff};
use crate::harness::{Engine, Harness};

fn accepting(allowance: u64) -> Wanted {
    Wanted { full: true, allowance, ..Wanted::default() }
}

#[tokio::test]
async fn what_is_gone_becomes_a_tombstone_and_comes_back() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let staff = Staff::with(100).await;
        let karl = staff.person(&harness, "Karl", "user3@example.test").await;
        staff.apply(&harness, BY_MAIL).await;
        staff.aggregate(&harness).await;
        staff.run("DELETE FROM staff WHERE id IN (3, 4)").await;
        // Only a reading of everything notices it.
        assert_eq!(staff.aggregate(&harness).await.counters.gone, 0);
        let gone = staff.aggregate_with(&harness, accepting(0)).await;
        assert_eq!((gone.state, gone.counters.gone, gone.counters.known), (TaskState::Done, 2, 100), "{gone:?}");
        // Karl's goes when nothing is under way there, the other at once.
        staff.buried(&harness, 3).await;
        assert!(staff.known(&harness, 4).await.account.vanished);
        let again = staff.aggregate_with(&harness, accepting(0)).await;
        assert_eq!((again.counters.gone, again.counters.known), (0, 98));

        staff.hire(3, 4).await;
        let back = staff.aggregate_with(&harness, accepting(0)).await;
        assert_eq!((back.state, back.counters.returned), (TaskState::Done, 2));
        let three = staff.known(&harness, 3).await;
        assert_eq!((three.account.vanished, three.account.identity), (false, Some(karl)));
        harness.stop().await;
    }
}

#[tokio::test]
async fn when_more_than_a_tenth_would_go_somebody_is_asked_and_nothing_goes() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let staff = Staff::with(100).await;
        staff.apply(&harness, BY_MAIL).await;
        staff.aggregate(&harness).await;
        staff.run("DELETE FROM staff WHERE id > 85").await;
        staff.run("UPDATE staff SET mail = 'new@example.test' WHERE id = 1").await;
        let asks = staff.aggregate_with(&harness, accepting(14)).await;
        assert_eq!((asks.state, asks.counters.gone), (TaskState::Unconfirmed, 15));
        assert!(asks.reports[0].text.contains("--accept-deletes 15"), "{:?}", asks.reports);
        assert!(staff.all(&harness).await.iter().all(|(.., vanished)| !vanished));
        // Everything else is done.
        assert_eq!(staff.known(&harness, 1).await.account.attributes["mail"], "new@example.test");

        let agreed = staff.aggregate_with(&harness, accepting(15)).await;
        assert_eq!((agreed.state, agreed.counters.gone), (TaskState::Done, 15));
        assert_eq!(staff.all(&harness).await.iter().filter(|(.., vanished)| *vanished).count(), 15);
        harness.stop().await;
    }
}

#[tokio::test]
async fn an_empty_source_is_not_believed_and_a_broken_one_buries_nobody() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let staff = Staff::with(5).await;
        staff.apply(&harness, BY_MAIL).await;
        staff.aggregate(&harness).await;
        staff.run("ALTER TABLE staff RENAME TO other").await;
        let broken = staff.aggregate_with(&harness, accepting(100)).await;
        assert_eq!(broken.state, TaskState::Failed);
        assert!(broken.reports[0].text.starts_with("the source could not be read: "), "{:?}", broken.reports);
        staff.run("ALTER TABLE other RENAME TO staff").await;
        staff.run("DELETE FROM staff").await;
        let empty = staff.aggregate_with(&harness, accepting(4)).await;
        assert_eq!((empty.state, empty.counters.gone), (TaskState::Unconfirmed, 5));
        assert!(staff.all(&harness).await.iter().all(|(.., vanished)| !vanished));
        harness.stop().await;
    }
}

#[tokio::test]
async fn ids_that_all_changed_are_mass_deletion_though_every_name_is_still_there() {
    for engine in Engine::BOTH {
        let harness = Harness::start_on(engine).await;
        let staff = Staff::with(50).await;
        staff.apply(&harness, BY_MAIL).await;
        staff.aggregate(&harness).await;
        staff.run("UPDATE staff SET id = id + 1000").await;
        let asks = staff.aggregate_with(&harness, accepting(0)).await;
        assert_eq!(asks.state, TaskState::Unconfirmed, "{asks:?}");
        assert!(staff.all(&harness).await.iter().all(|(.., vanished)| !vanished));

        // One that was made anew under the same name is another account.
        staff.run("UPDATE staff SET id = id - 1000").await;
        staff.run("UPDATE staff SET id = 2000 WHERE id = 7").await;
        let anew = staff.aggregate_with(&harness, accepting(0)).await;
        assert_eq!((anew.state, anew.counters.created, anew.counters.gone), (TaskState::Done, 1, 1), "{anew:?}");
        assert!(staff.known(&harness, 7).await.account.vanished);
        assert_eq!(staff.known(&harness, 2000).await.account.native_id, "user7");
        harness.stop().await;
    }
}
