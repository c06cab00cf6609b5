//! Looks in their order.

use berth_proto::v1::{Figures, GetFiguresResponse, Point};

use super::Quantity;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// The middle of what it stands for, in milliseconds since 1970.
    pub(crate) at: f64,
    pub(crate) mean: Figures,
    /// Of what is rolled up.
    pub(crate) peak: Option<Figures>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Series {
    samples: Vec<Sample>,
}

impl Series {
    pub(crate) fn samples(&self) -> &[Sample] {
        &self.samples
    }

    pub(crate) fn last(&self) -> Option<&Sample> {
        self.samples.last()
    }

    /// What is new comes behind; what is older than `from` goes.
    pub(crate) fn extend(&mut self, answer: GetFiguresResponse, every: f64, from: f64) {
        let newest = self.last().map_or(f64::MIN, |last| last.at);
        let new = answer.points.into_iter().filter_map(|point| sample(point, every));
        self.samples.extend(new.filter(|sample| sample.at > newest));
        let gone = self.samples.partition_point(|sample| sample.at < from);
        self.samples.drain(..gone);
    }

    /// The one that is the nearest, unless it is further away than `reach`.
    pub(crate) fn nearest(&self, at: f64, reach: f64) -> Option<&Sample> {
        let after = self.samples.partition_point(|sample| sample.at < at);
        let beside = self.samples.get(after.saturating_sub(1)..)?;
        let distance = |sample: &Sample| (sample.at - at).abs();
        beside
            .iter()
            .take(2)
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .filter(|sample| distance(sample) <= reach)
    }

    /// The time of the one so many places from `at`.
    pub(crate) fn step(&self, at: f64, by: isize) -> Option<f64> {
        let last = self.samples.len().checked_sub(1)?;
        let here = self.samples.partition_point(|sample| sample.at < at).min(last);
        Some(self.samples[here.saturating_add_signed(by).min(last)].at)
    }

    /// The largest there is, peaks as well.
    pub(crate) fn most(&self, of: Quantity) -> f64 {
        self.samples
            .iter()
            .filter_map(|sample| of.of(sample.peak.as_ref().unwrap_or(&sample.mean)))
            .fold(0.0, f64::max)
    }

    pub(crate) fn has(&self, of: Quantity) -> bool {
        self.samples.iter().any(|sample| of.of(&sample.mean).is_some())
    }

    /// At most `count` of them, evenly, the newest first.
    pub(crate) fn thinned(&self, count: usize) -> impl Iterator<Item = &Sample> {
        let every = self.samples.len().div_ceil(count.max(1)).max(1);
        self.samples.iter().rev().step_by(every)
    }
}

fn sample(point: Point, every: f64) -> Option<Sample> {
    let time = point.time?;
    // Whole seconds since 1970: far below 2^53.
    #[allow(clippy::cast_precision_loss)]
    let begin = time.seconds as f64 * 1000.0 + f64::from(time.nanos) / 1e6;
    // A look stands for itself, what is rolled up for what follows its beginning.
    let at = if point.peak.is_some() { begin + every / 2.0 } else { begin };
    Some(Sample { at, mean: point.mean?, peak: point.peak })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(seconds: &[i64]) -> GetFiguresResponse {
        let point = |seconds: &i64| Point {
            time: Some(prost_types::Timestamp { seconds: *seconds, nanos: 0 }),
            mean: Some(Figures { cpu_millis: 500, ..Figures::default() }),
            peak: None,
        };
        let points = seconds.iter().map(point).collect();
        GetFiguresResponse { points, ..GetFiguresResponse::default() }
    }

    fn seconds(series: &Series) -> Vec<f64> {
        series.samples().iter().map(|sample| sample.at / 1000.0).collect()
    }

    #[test]
    fn new_ones_come_behind_and_old_ones_go() {
        let mut series = Series::default();
        series.extend(answer(&[10, 15, 20]), 5000.0, 0.0);
        series.extend(answer(&[15, 20, 25, 30]), 5000.0, 15_000.0);
        assert_eq!(seconds(&series), [15.0, 20.0, 25.0, 30.0]);
    }

    #[test]
    fn the_nearest_within_reach() {
        let mut series = Series::default();
        series.extend(answer(&[10, 15, 60]), 5000.0, 0.0);
        let nearest = |at: f64| series.nearest(at, 20_000.0).map(|sample| sample.at);
        assert_eq!(nearest(0.0), Some(10_000.0));
        assert_eq!(nearest(13_000.0), Some(15_000.0));
        assert_eq!(nearest(37_000.0), None);
        assert_eq!(nearest(70_000.0), Some(60_000.0));
        assert_eq!(Series::default().nearest(0.0, 1.0), None);
        assert_eq!(series.step(15_000.0, -1), Some(10_000.0));
        assert_eq!(series.step(15_000.0, 9), Some(60_000.0));
        assert_eq!(series.step(90_000.0, 0), Some(60_000.0));
    }

    #[test]
    fn a_few_for_the_table() {
        let mut series = Series::default();
        series.extend(answer(&(1..=100).collect::<Vec<_>>()), 5000.0, 0.0);
        let few: Vec<f64> = series.thinned(30).map(|sample| sample.at / 1000.0).collect();
        assert_eq!(few.len(), 25);
        assert_eq!((few[0], few[1]), (100.0, 96.0));
    }
}
