//! The values of one figure over the runs, and how they are told.

/// One figure, measured once a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Series(pub(crate) Vec<f64>);

impl Series {
    /// The one in the middle; of two the mean.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match sorted.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => sorted[n / 2],
            n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
        }
    }

    /// Run by run, this divided by that.
    pub(crate) fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one / other).collect())
    }

    /// Run by run, whichever of the two is less.
    pub(crate) fn lesser(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one.min(*other)).collect())
    }

    /// The median, and from the least to the most.
    pub(crate) fn told(&self) -> String {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        match self.0.len() {
            0 => "not measured".to_owned(),
            1 => number(self.median()),
            _ => format!("{} ({}–{})", number(self.median()), number(least), number(most)),
        }
    }
}

/// Three digits that count, and no more.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert_eq!(Series(vec![9.0, 1.0, 2.0]).median(), 2.0);
        assert_eq!(Series(vec![4.0, 1.0]).median(), 2.5);
        assert!(Series::default().median().is_nan());
    }

    #[test]
    fn a_ratio_is_made_run_by_run() {
        let ratio = Series(vec![1.0, 4.0]).over(&Series(vec![2.0, 4.0]));
        assert_eq!(ratio, Series(vec![0.5, 1.0]));
        assert_eq!(ratio.told(), "0.750 (0.500–1.00)");
        assert_eq!(ratio.lesser(&Series(vec![0.7, 0.2])), Series(vec![0.5, 0.2]));
    }
}
