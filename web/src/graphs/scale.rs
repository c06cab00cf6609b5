//! The upright scale: from nothing to a round figure, in round steps.

use super::Unit;

const STEPS: u32 = 5;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    pub(crate) top: f64,
    steps: u32,
}

impl Scale {
    /// With room for `most`, which is the limit where there is one.
    pub(crate) fn fitting(unit: Unit, most: f64) -> Self {
        let most = most.max(unit.least());
        let step = match unit {
            Unit::Percent => 25.0,
            Unit::Bytes => binary_step(most / f64::from(STEPS)),
            Unit::Cores | Unit::Rate | Unit::Watts => decimal_step(most / f64::from(STEPS)),
        };
        // A hair above a step is that step: sums of binary fractions are never quite round.
        let count = (most / step - 1e-6).ceil().clamp(1.0, f64::from(2 * STEPS));
        // Between 1 and 10.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let steps = count as u32;
        Self { top: step * f64::from(steps), steps }
    }

    /// From the top down to nothing, evenly.
    pub(crate) fn ticks(self) -> impl Iterator<Item = f64> {
        (0..=self.steps).rev().map(move |n| self.top * f64::from(n) / f64::from(self.steps))
    }
}

/// The smallest power of two that is no less.
fn binary_step(least: f64) -> f64 {
    let mut step = 1.0;
    while step < least {
        step *= 2.0;
    }
    step
}

/// The smallest of 1, 2, 5, 10, 20, ... and 0.5, 0.2, 0.1, ... that is no less.
fn decimal_step(least: f64) -> f64 {
    let mut power = 1.0;
    while power > least && power > 1e-6 {
        power /= 10.0;
    }
    while power * 10.0 <= least {
        power *= 10.0;
    }
    let fits = [1.0, 2.0, 5.0].into_iter().map(|of| of * power).find(|step| *step >= least);
    fits.unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: f64 = 1_073_741_824.0;

    fn ticks(unit: Unit, most: f64) -> Vec<f64> {
        let round = |tick: f64| (tick * 1e6).round() / 1e6;
        Scale::fitting(unit, most).ticks().map(round).collect()
    }

    #[test]
    fn round_and_from_nothing() {
        assert_eq!(ticks(Unit::Cores, 2.0), [2.0, 1.5, 1.0, 0.5, 0.0]);
        assert_eq!(ticks(Unit::Cores, 0.5), [0.5, 0.4, 0.3, 0.2, 0.1, 0.0]);
        assert_eq!(ticks(Unit::Cores, 0.0), [0.1, 0.08, 0.06, 0.04, 0.02, 0.0]);
        assert_eq!(ticks(Unit::Cores, 192.0), [200.0, 150.0, 100.0, 50.0, 0.0]);
        assert_eq!(ticks(Unit::Bytes, GIB), [GIB, 0.75 * GIB, 0.5 * GIB, 0.25 * GIB, 0.0]);
        assert_eq!(ticks(Unit::Bytes, 1.5 * GIB).len(), 4);
        assert_eq!(Scale::fitting(Unit::Bytes, 139.0 * GIB).top, 160.0 * GIB);
        assert_eq!(ticks(Unit::Percent, 3.0), [100.0, 75.0, 50.0, 25.0, 0.0]);
        assert_eq!(ticks(Unit::Watts, 700.0), [800.0, 600.0, 400.0, 200.0, 0.0]);
    }

    #[test]
    fn everything_has_room() {
        for unit in [Unit::Cores, Unit::Bytes, Unit::Rate, Unit::Percent, Unit::Watts] {
            let mut most = 1e-3;
            while most < 1e15 {
                let scale = Scale::fitting(unit, if unit == Unit::Percent { 99.0 } else { most });
                let count = scale.ticks().count();
                assert!((2..=6).contains(&count), "{unit:?} {most}: {count}");
                assert!(unit == Unit::Percent || scale.top >= most * 0.999, "{unit:?} {most}");
                most *= 1.37;
            }
        }
    }
}
