//! docs/benchmarks.md: the table, and below it what each row was made of.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use super::row::Row;

/// What it was measured on.
pub(crate) struct Machine {
    processors: String,
    memory: String,
    kernel: String,
    /// How many were running or waiting for a processor when the measurement began.
    load: String,
}

impl Machine {
    /// Looks at the machine.
    pub(crate) fn look() -> Result<Self> {
        let read = |path: &str| fs::read_to_string(path).with_context(|| format!("reading {path}"));
        let processors = read("/proc/cpuinfo")?;
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        let count = std::thread::available_parallelism().map_or(0, usize::from);
        let memory = read("/proc/meminfo")?;
        let kilobytes = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next());
        let gigabytes = kilobytes.and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0 / 1024.0;
        Ok(Self {
            processors: format!("{count} × {}", model.map_or("unknown", |(_, name)| name.trim())),
            memory: format!("{gigabytes:.0} GB"),
            kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease")?.trim()),
            load: read("/proc/loadavg")?.split_whitespace().next().unwrap_or_default().to_owned(),
        })
    }
}

/// The page.
pub(crate) fn write(rows: &[Row], machine: &Machine, runs: usize, is_result: bool, took: Duration) -> String {
    let mut page = String::from(
        "# Benchmarks\n\n<!-- Written by `cargo xtask bench`; not edited by hand. -->\n\n\
         What Lockstep takes, beside what the unavoidable work alone takes, on the same machine in the same run. Everything\n\
         shares its processors: the load, the product or its baseline, the directory or database it writes to.\n\n",
    );
    if !is_result {
        page.push_str("**These figures are no result**: the run was cut short for trying.\n\n");
    }
    let Machine { processors, memory, kernel, load } = machine;
    let _infallible = write!(
        page,
        "Measured by `cargo xtask bench` in {minutes} minutes, each side {runs} times in turns. {processors}, {memory},\n\
         {kernel}; load average {load} when it began. A figure is the median, with the least and the most in brackets; a\n\
         ratio is made run by run. A row is void unless its baseline reaches 80 % of what the bare components allow.\n\n\
         | | what | figure | goal | |\n|---|---|---|---|---|\n",
        minutes = took.as_secs().div_ceil(60),
    );
    for row in rows {
        let (letter, title, told, goal, word) = (row.letter, &row.title, row.told(), row.goal(), row.word());
        let _infallible = writeln!(page, "| {letter} | {title} | {told} | {goal} | {word} |");
    }
    for row in rows {
        let _infallible = write!(page, "\n## ({}) {}\n\n`{}`\n\n", row.letter, row.title, row.command);
        if !row.parts.is_empty() || row.baseline.is_some() {
            page.push_str("| | median (least–most) |\n|---|---|\n");
            for (name, series) in &row.parts {
                let _infallible = writeln!(page, "| {name} | {} |", series.told());
            }
            if let Some(baseline) = &row.baseline {
                let _infallible = writeln!(page, "| baseline ÷ limit | {} |", baseline.told());
            }
            page.push('\n');
        }
        for note in &row.notes {
            let _infallible = writeln!(page, "- {note}");
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::row::Goal;
    use crate::bench::series::Series;

    #[test]
    fn a_page_says_of_each_row_what_it_is_and_how_it_ended() {
        let row = Row {
            letter: "x",
            title: "this ÷ that".to_owned(),
            unit: "",
            figure: Series(vec![0.5, 0.7, 0.6]),
            goal: Some(Goal::AtLeast(0.8)),
            baseline: Some(Series(vec![0.9, 0.9, 0.9])),
            parts: vec![("this, 1/s".to_owned(), Series(vec![5.0]))],
            command: "cargo xtask bench --only x",
            notes: vec!["A note.".to_owned()],
        };
        let machine = Machine {
            processors: "2 × Abacus".to_owned(),
            memory: "1 GB".to_owned(),
            kernel: "Linux 1".to_owned(),
            load: "0.00".to_owned(),
        };
        let page = write(&[row], &machine, 3, false, Duration::from_secs(61));
        for line in [
            "| x | this ÷ that | 0.600 (0.500–0.700) | >= 0.800 | missed |",
            "| this, 1/s | 5.00 |",
            "| baseline ÷ limit | 0.900 (0.900–0.900) |",
            "- A note.",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is missing in\n{page}");
        }
        assert!(page.contains("no result") && page.contains("in 2 minutes"));
    }
}
