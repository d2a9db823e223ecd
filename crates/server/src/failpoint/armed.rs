//! The list of failpoints, and the one that the environment arms.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

/// The variable that arms one: `write.before-send:kill@7`. `kill` ends the process as SIGKILL does, `stop` stops it as
/// SIGSTOP does, `sleep=2s` holds the caller up, `error` fails the call; once, at the seventh pass, or at the first where
/// no number is said.
pub const VARIABLE: &str = "LOCKSTEP_FAILPOINT";

macro_rules! failpoints {
    ($($(#[$about:meta])* $point:ident = $name:literal,)*) => {
        /// A place that can be made to fail.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Failpoint { $($(#[$about])* $point,)* }

        impl Failpoint {
            /// Every place with its name.
            pub const NAMES: &[(Self, &str)] = &[$((Self::$point, $name),)*];
        }
    };
}

failpoints! {
    /// A request was found to be good; nothing is written.
    AcceptBeforeCommit = "accept.before-commit",
    /// Everything about it is written and not committed.
    AcceptWithinCommit = "accept.within-commit",
    /// It is durable; nobody was told.
    AcceptAfterCommit = "accept.after-commit",
    /// The worker was told; the client was not.
    AcceptBeforeAnswer = "accept.before-answer",
    /// A lane's rows were read.
    LaneLoaded = "lane.loaded",
    /// A payload was opened to be judged.
    JudgeOpened = "judge.opened",
    /// A change was judged; nothing of it is written.
    JudgeDone = "judge.done",
    /// An identity's salt is durable; nothing is hashed with it.
    SaltStored = "salt.stored",
    /// A sign-in password was hashed; nothing of it is written.
    HashMade = "hash.made",
    /// A lane is about to write down what changed.
    CommitBefore = "commit.before",
    /// The same, where it says that accounts begin to be written.
    BeginBeforeCommit = "begin.before-commit",
    /// The same, where it says what became of accounts.
    SettleBeforeCommit = "settle.before-commit",
    /// The lane's rows are written and not committed.
    CommitWithin = "commit.within",
    /// It is durable; nothing that follows was begun.
    CommitAfter = "commit.after",
    /// The same, where it says what became of accounts.
    SettleAfterCommit = "settle.after-commit",
    /// A payload was opened again for a call.
    PayloadReopened = "payload.reopened",
    /// A row says that an account is being written; nothing was sent.
    WriteBeforeSend = "write.before-send",
    /// The system has answered a write; nobody knows.
    WriteAnswered = "write.answered",
    /// A row says that a sign-in is made; nothing was sent.
    SignInBeforeSend = "sign-in.before-send",
    /// The system has answered a sign-in; nobody knows.
    SignInAnswered = "sign-in.answered",
    /// A node is known to the others and has not read what they own.
    NodeRegistered = "node.registered",
    /// A beat is durable; nothing that follows from it was begun.
    BeatAfter = "beat.after",
    /// A bucket is about to be taken, or handed to another node.
    BucketBeforePass = "bucket.before-pass",
    /// It has changed hands; who got it does not know.
    BucketPassed = "bucket.passed",
    /// A node that stops is about to give a bucket up.
    BucketBeforeRelease = "bucket.before-release",
    /// The bucket is nobody's.
    BucketReleased = "bucket.released",
    /// A node has said that it stops, and still owns its buckets.
    NodeRetired = "node.retired",
    /// A node that is gone was forgotten.
    NodeForgotten = "node.forgotten",
    /// A transport key was made and is not stored.
    KeyMade = "key.made",
    /// It is stored and not published.
    KeyStored = "key.stored",
    /// Transport keys are about to be published, retired or destroyed.
    KeysBeforeMove = "keys.before-move",
    /// They were; caches do not know.
    KeysMoved = "keys.moved",
    /// The ciphertexts of destroyed keys were forgotten.
    SubmissionsForgotten = "submissions.forgotten",
    /// Old changes were removed.
    ChangesPruned = "changes.pruned",
    /// A file of wanted state was judged; nothing is written.
    ApplyBeforeCommit = "apply.before-commit",
    /// It was brought about; nobody was told.
    ApplyAfterCommit = "apply.after-commit",
    /// A part of an import is written and not committed.
    ImportWithinCommit = "import.within-commit",
    /// It is durable; the next one was not begun.
    ImportAfterCommit = "import.after-commit",
    /// What a page of an aggregation changes is written and not committed.
    AggregationWithinPage = "aggregation.within-page",
    /// A page of an aggregation is durable.
    AggregationPageWritten = "aggregation.page-written",
    /// Some of what is gone was taken for gone.
    AggregationPartGone = "aggregation.part-gone",
    /// Everything of an aggregation is durable but that it is done.
    AggregationBeforeEnd = "aggregation.before-end",
    /// It is known that an aggregation has ended otherwise.
    AggregationEnded = "aggregation.ended",
}

/// What happens at the place that is armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Kill,
    Stop,
    Sleep(Duration),
    Error,
}

#[derive(Debug)]
struct Armed {
    point: Failpoint,
    action: Action,
    /// At which pass.
    at: u64,
    passes: AtomicU64,
}

/// What this process was asked to do at one of the places; most are asked for nothing.
#[derive(Debug)]
pub struct Failpoints(Option<Armed>);

/// The failure that was asked for.
#[derive(Debug, thiserror::Error)]
#[error("a failpoint failed, as a test asked for")]
pub struct Failed;

/// The variable makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("LOCKSTEP_FAILPOINT must be NAME:kill, NAME:stop, NAME:error or NAME:sleep=2s, and may end in @PASS: {0:?}")]
pub struct ArmingError(String);

impl Failpoints {
    /// Reads the variable.
    ///
    /// # Errors
    /// When it is set and makes no sense.
    pub fn from_environment() -> Result<Self, ArmingError> {
        match std::env::var(VARIABLE) {
            Ok(text) => text.parse(),
            Err(std::env::VarError::NotPresent) => Ok(Self(None)),
            Err(error) => Err(ArmingError(error.to_string())),
        }
    }

    /// Passes a place.
    ///
    /// # Errors
    /// When a failure was asked for here.
    pub(crate) async fn pass(&self, point: Failpoint) -> Result<(), Failed> {
        let Some(armed) = self.0.as_ref().filter(|armed| armed.point == point) else { return Ok(()) };
        if armed.passes.fetch_add(1, Ordering::Relaxed) + 1 != armed.at {
            return Ok(());
        }
        match armed.action {
            Action::Kill => {
                // What this process did not send by now, it never sends.
                let _ = kill_process(getpid(), Signal::KILL);
                std::future::pending().await
            }
            Action::Stop => {
                let _ = kill_process(getpid(), Signal::STOP);
                Ok(())
            }
            Action::Sleep(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            Action::Error => Err(Failed),
        }
    }
}

impl FromStr for Failpoints {
    type Err = ArmingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = || {
            let (name, rest) = text.split_once(':')?;
            let (action, at) = match rest.split_once('@') {
                Some((action, at)) => (action, at.parse::<u64>().ok().filter(|at| *at > 0)?),
                None => (rest, 1),
            };
            let action = match action.split_once('=') {
                None => match action {
                    "kill" => Action::Kill,
                    "stop" => Action::Stop,
                    "error" => Action::Error,
                    _ => return None,
                },
                Some(("sleep", time)) => Action::Sleep(humantime_serde::re::humantime::parse_duration(time).ok()?),
                Some(_) => return None,
            };
            let (point, _) = Failpoint::NAMES.iter().find(|(_, known)| *known == name)?;
            Some(Armed { point: *point, action, at, passes: AtomicU64::new(0) })
        };
        parsed().map(|armed| Self(Some(armed))).ok_or_else(|| ArmingError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_armed_place_fails_once_at_the_pass_that_was_said() {
        let failpoints: Failpoints = "write.answered:error@2".parse().expect("armed");
        let mut failed = Vec::new();
        for point in [Failpoint::WriteAnswered, Failpoint::WriteBeforeSend, Failpoint::WriteAnswered] {
            failed.push(failpoints.pass(point).await.is_err());
        }
        failed.push(failpoints.pass(Failpoint::WriteAnswered).await.is_err());
        assert_eq!(failed, [false, false, true, false]);
    }

    #[test]
    fn what_makes_no_sense_arms_nothing() {
        for text in
            ["", "write.answered", "write.answered:", "write.answered:kill@0", "write.answered:sleep=x", "a:kill"]
        {
            assert!(text.parse::<Failpoints>().is_err(), "{text}");
        }
        assert!("write.answered:sleep=20ms".parse::<Failpoints>().is_ok());
    }

    #[test]
    fn a_name_is_one_place() {
        let names: std::collections::BTreeSet<&str> = Failpoint::NAMES.iter().map(|(_, name)| *name).collect();
        assert_eq!(names.len(), Failpoint::NAMES.len());
    }
}
