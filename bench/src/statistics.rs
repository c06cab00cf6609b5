//! Order statistics, and how far they can be trusted.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

/// The width of the interval's tails is then known to about a tenth.
const RESAMPLES: usize = 4000;

/// Of measurements in any order; not a number when there are none.
pub(crate) fn quantile(values: &[f64], at: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile_of_sorted(&sorted, at)
}

pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "positions in a list of some thousand values"
)]
fn quantile_of_sorted(sorted: &[f64], at: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let position = at * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    let part = position - position.floor();
    sorted[below] * (1.0 - part) + sorted[above] * part
}

/// Where the median lies with 95 % confidence: percentiles of the medians of resamples. The same values give the same
/// interval.
pub(crate) fn median_interval(values: &[f64]) -> (f64, f64) {
    if values.is_empty() {
        return (f64::NAN, f64::NAN);
    }
    let mut random = StdRng::seed_from_u64(1);
    let mut resample = vec![0.0; values.len()];
    let medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            resample.fill_with(|| values[random.random_range(0..values.len())]);
            median(&resample)
        })
        .collect();
    (quantile(&medians, 0.025), quantile(&medians, 0.975))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_between_values() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert!((median(&values) - 2.5).abs() < 1e-9);
        assert!((quantile(&values, 0.0) - 1.0).abs() < 1e-9);
        assert!((quantile(&values, 1.0) - 4.0).abs() < 1e-9);
        assert!(median(&[]).is_nan());
        assert!((median(&[7.0]) - 7.0).abs() < 1e-9);
    }

    #[test]
    fn the_interval_holds_the_median_and_narrows() {
        let few: Vec<f64> = (0..20).map(f64::from).collect();
        let many: Vec<f64> = (0..600).map(|n| f64::from(n) / 30.0).collect();
        let width = |values: &[f64]| {
            let (low, high) = median_interval(values);
            let middle = median(values);
            assert!(low <= middle && middle <= high);
            high - low
        };
        assert!(width(&many) < width(&few) / 3.0);
        assert_eq!(median_interval(&few), median_interval(&few));
    }
}
