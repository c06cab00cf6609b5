//! What the graphs say at one moment, in words.

use leptos::prelude::*;

use super::{data::Data, plan::Plan};
use crate::{
    graphs::{Range, Sample},
    text,
    time::{self, Detail},
};

/// "Nov 23, 02:03:05".
pub(super) fn moment(range: Range, at: f64) -> String {
    let detail = match range {
        Range::Hour => Detail::Second,
        Range::ThreeDays | Range::Month => Detail::DayAndMinute,
    };
    time::point(at, detail)
}

/// Each of the plan's quantities: what it is, its value, and the peak of what is rolled up.
pub(super) fn values(
    plan: Plan,
    sample: Option<&Sample>,
) -> Vec<(&'static str, String, Option<String>)> {
    plan.of
        .iter()
        .map(|of| {
            let say = |value: f64| of.unit().say(value);
            let mean = sample.and_then(|sample| of.of(&sample.mean));
            let peak = sample.and_then(|sample| of.of(sample.peak.as_ref()?));
            let value = mean.map_or_else(|| "-".to_owned(), say);
            (of.words()(), value, peak.map(|peak| text::graph_peak(say(peak))))
        })
        .collect()
}

/// For a screen reader.
pub(super) fn sentence(data: Data, plan: Plan) -> String {
    let Some(sample) = data.shown() else { return text::graph_no_data().to_owned() };
    let values: Vec<String> = values(plan, Some(&sample))
        .into_iter()
        .map(|(what, value, peak)| {
            let value = if plan.of.len() > 1 { text::graph_value(what, value) } else { value };
            peak.into_iter().fold(value, |value, peak| format!("{value} {peak}"))
        })
        .collect();
    text::graph_at(moment(data.range.get(), sample.at), values.join(", "))
}
