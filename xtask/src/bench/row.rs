//! One row of the table: a figure with its goal, and everything that it was made of.

use super::series::{Series, number};

/// A baseline must reach this part of what the bare components allow, or its row is void.
const NEAR: f64 = 0.8;

/// A row.
#[derive(Debug)]
pub(crate) struct Row {
    /// `a`, `b`, …: how rows are referred to.
    pub(crate) letter: &'static str,
    /// What is measured.
    pub(crate) title: String,
    /// The unit of the figure; empty for a ratio.
    pub(crate) unit: &'static str,
    /// The figure.
    pub(crate) figure: Series,
    pub(crate) goal: Option<Goal>,
    /// The baseline as a part of what the bare components allow.
    pub(crate) baseline: Option<Series>,
    /// What the figure was made of, by name with unit.
    pub(crate) parts: Vec<(String, Series)>,
    /// The command that measures this row.
    pub(crate) command: &'static str,
    /// How it was measured, what was raised or switched off, what shares the processors.
    pub(crate) notes: Vec<String>,
}

/// What a figure must reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

/// How a row ended.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    Met,
    Missed,
    /// The baseline is too slow to compare with.
    Void,
    /// There is no goal.
    Told,
}

impl Row {
    pub(crate) fn verdict(&self) -> Verdict {
        let figure = self.figure.median();
        match (&self.baseline, self.goal) {
            // A median of nothing is no number, and near to nothing.
            (Some(baseline), _) if baseline.median().is_nan() || baseline.median() < NEAR => Verdict::Void,
            (_, None) => Verdict::Told,
            (_, Some(Goal::AtLeast(goal))) if figure >= goal => Verdict::Met,
            (_, Some(Goal::AtMost(goal))) if figure <= goal => Verdict::Met,
            _ => Verdict::Missed,
        }
    }

    /// The verdict in a word.
    pub(crate) fn word(&self) -> &'static str {
        match self.verdict() {
            Verdict::Met => "met",
            Verdict::Missed => "missed",
            Verdict::Void => "void: the baseline is too slow",
            Verdict::Told => "",
        }
    }

    /// The goal in words.
    pub(crate) fn goal(&self) -> String {
        match self.goal {
            Some(Goal::AtLeast(goal)) => format!(">= {}", number(goal)),
            Some(Goal::AtMost(goal)) => format!("<= {}", number(goal)),
            None => String::new(),
        }
    }

    /// The figure with its unit.
    pub(crate) fn told(&self) -> String {
        format!("{} {}", self.figure.told(), self.unit).trim().to_owned()
    }

    /// One line for the terminal.
    pub(crate) fn line(&self) -> String {
        let mut line = format!("({}) {}: {}  {}  {}", self.letter, self.title, self.told(), self.goal(), self.word());
        for (name, series) in &self.parts {
            line.push_str(&format!("\n      {name}: {}", series.told()));
        }
        if let Some(baseline) = &self.baseline {
            line.push_str(&format!("\n      baseline ÷ limit: {}", baseline.told()));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(figure: f64, goal: Goal, baseline: Option<f64>) -> Row {
        Row {
            letter: "x",
            title: String::new(),
            unit: "",
            figure: Series(vec![figure]),
            goal: Some(goal),
            baseline: baseline.map(|value| Series(vec![value])),
            parts: Vec::new(),
            command: "",
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_slow_baseline_makes_a_row_void_whatever_its_figure() {
        assert_eq!(row(0.9, Goal::AtLeast(0.8), Some(0.79)).verdict(), Verdict::Void);
        assert_eq!(row(0.9, Goal::AtLeast(0.8), Some(f64::NAN)).verdict(), Verdict::Void);
        assert_eq!(row(0.9, Goal::AtLeast(0.8), Some(0.81)).verdict(), Verdict::Met);
    }

    #[test]
    fn a_figure_that_was_not_measured_meets_no_goal() {
        assert_eq!(row(f64::NAN, Goal::AtLeast(0.8), None).verdict(), Verdict::Missed);
        assert_eq!(row(1.3, Goal::AtMost(1.2), None).verdict(), Verdict::Missed);
    }
}
