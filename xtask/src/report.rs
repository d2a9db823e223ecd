//! What became of each step, as the table at the end.

use std::fmt::Write;
use std::time::Duration;

/// How a step ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It ran, and found nothing wrong.
    Passed,
    /// It ran, and failed; the reason was printed when it happened.
    Failed,
    /// It could not run, and why. Counts as failed.
    NotRun(String),
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) step: String,
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
}

/// True if every step ran and passed.
pub(crate) fn all_passed(lines: &[Line]) -> bool {
    lines.iter().all(|line| matches!(line.outcome, Outcome::Passed))
}

/// The table, and below it what is needed by the steps that could not run.
pub(crate) fn table(lines: &[Line], total: Duration) -> String {
    let width = lines.iter().map(|line| line.step.len()).max().unwrap_or_default().max("total".len());
    let mut text = String::new();
    for Line { step, outcome, took } in lines {
        let word = match outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "FAILED",
            Outcome::NotRun(_) => "NOT RUN",
        };
        let _infallible = writeln!(text, "{step:width$}  {word:7}  {:8.1} s", took.as_secs_f32());
    }
    let word = if all_passed(lines) { "passed" } else { "FAILED" };
    let _infallible = writeln!(text, "{:width$}  {word:7}  {:8.1} s", "total", total.as_secs_f32());
    for Line { step, outcome, .. } in lines {
        if let Outcome::NotRun(reason) = outcome {
            let _infallible = writeln!(text, "\n{step} did not run: {reason}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Line, Outcome, all_passed, table};

    fn line(step: &str, outcome: Outcome) -> Line {
        Line { step: step.to_owned(), outcome, took: Duration::from_millis(1500) }
    }

    #[test]
    fn a_step_that_did_not_run_counts_as_failed_and_says_what_it_needs() {
        let lines = [line("fmt", Outcome::Passed), line("sdk-go", Outcome::NotRun("Go is not installed".to_owned()))];
        assert!(!all_passed(&lines));
        let expected = "fmt     passed        1.5 s\n\
                        sdk-go  NOT RUN       1.5 s\n\
                        total   FAILED        3.0 s\n\
                        \nsdk-go did not run: Go is not installed\n";
        assert_eq!(table(&lines, Duration::from_secs(3)), expected);
    }

    #[test]
    fn one_failure_fails_the_whole() {
        assert!(all_passed(&[line("fmt", Outcome::Passed)]));
        assert!(!all_passed(&[line("fmt", Outcome::Passed), line("doc", Outcome::Failed)]));
    }
}
