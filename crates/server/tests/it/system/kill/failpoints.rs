//! How each failpoint is reached: most by the load that goes on anyway, some by a start, a stop or another command.

use std::process::Stdio;
use std::time::Duration;

use lockstep::failpoint::VARIABLE;

use super::fleet::{Fleet, was_killed};

pub(super) use lockstep::failpoint::Failpoint;

/// How long a place may wait for somebody to pass it. A doubt must end for some of them.
const PATIENCE: Duration = Duration::from_secs(60);

/// What makes a process pass a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It starts, or it serves while clients send changes.
    Serve,
    /// It serves after one that was killed when an account had just been written.
    ServeInDoubt,
    /// It stops.
    Stop,
    /// Another command runs.
    Apply,
}

fn way(point: Failpoint) -> Way {
    use Failpoint::*;
    match point {
        PayloadReopened | SignInBeforeSend | SignInAnswered => Way::ServeInDoubt,
        BucketBeforeRelease | BucketReleased | NodeRetired => Way::Stop,
        ApplyBeforeCommit | ApplyAfterCommit => Way::Apply,
        _ => Way::Serve,
    }
}

/// Whether the place is passed only where there are no transport keys yet, or they are a day old.
pub(super) fn is_of_first_start(point: Failpoint) -> bool {
    use Failpoint::*;
    matches!(point, KeyMade | KeyStored | KeysBeforeMove | KeysMoved)
}

/// Whether no change passes the place: it is tried where imports and aggregations are (`system/imported.rs`,
/// `cli/aggregate.rs`).
pub(super) fn is_of_other_work(point: Failpoint) -> bool {
    use Failpoint::*;
    let imports = matches!(point, ImportWithinCommit | ImportAfterCommit);
    let pages = matches!(point, AggregationWithinPage | AggregationPageWritten | AggregationPartGone);
    imports || pages || matches!(point, AggregationBeforeEnd | AggregationEnded)
}

/// Kills every server, has one started that dies at this place, and says whether it did. Nobody else runs meanwhile, so
/// that everything there is to do is this server's.
pub(super) async fn reach(fleet: &mut Fleet, point: Failpoint, name: &str) -> bool {
    let armed = format!("{name}:kill");
    if way(point) == Way::Apply {
        // Somebody new, so that there is something to write.
        let file = fleet.installation.data().join(format!("{name}.toml"));
        std::fs::write(&file, format!("[[identity]]\nalias = \"{name}\"\n")).expect("written");
        let apply = || {
            let mut command = fleet.installation.command(&["apply", file.to_str().expect("text")]);
            command.stdout(Stdio::null());
            command
        };
        let status = apply().env(VARIABLE, armed).status().await.expect("it runs");
        let again = apply().status().await.expect("it runs");
        assert!(again.success(), "{again}");
        return was_killed(status);
    }
    fleet.kill_all().await;
    if way(point) == Way::ServeInDoubt {
        fleet.start(0, Some("write.answered:kill"));
        let Some(status) = fleet.ended(0, PATIENCE).await else { return false };
        assert!(was_killed(status), "{status}");
    }
    fleet.start(0, Some(&armed));
    if way(point) == Way::Stop {
        // Before that it has nothing to give up.
        fleet.said(0, "took buckets over").await;
        fleet.ready(0).await;
        fleet.ask_to_stop(0);
    }
    match fleet.ended(0, PATIENCE).await {
        Some(status) => was_killed(status),
        None => {
            fleet.kill_all().await;
            false
        }
    }
}
