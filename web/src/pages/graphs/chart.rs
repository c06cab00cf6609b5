use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast as _;

use super::{data::Data, plan::Plan, reading};
use crate::{
    graphs::{Frame, HEIGHT, Place, Quantity, Range, Sample, Scale, Series, WIDTH},
    text,
    time::{self, Detail},
};

/// Times below the graph.
const TIMES: u32 = 4;
/// Fewer where they are long.
const LONG_TIMES: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Full,
    Small,
}

#[derive(Clone, PartialEq)]
struct Drawing {
    scale: Scale,
    frame: Frame,
    /// Beginning with the one that is filled.
    lines: Vec<String>,
    area: String,
    peaks: Vec<String>,
    limit: Option<f64>,
}

impl Drawing {
    fn of(data: Data, plan: Plan) -> Self {
        let range = data.range.get();
        let limit = data.limits.with(|limits| plan.of.iter().find_map(|of| of.limit(limits)));
        data.series.with(|series| {
            let most = plan.of.iter().map(|of| series.most(*of)).fold(0.0, f64::max);
            let unit = plan.of.first().map_or(Quantity::Cpu, |of| *of).unit();
            let scale = Scale::fitting(unit, most.max(limit.unwrap_or(0.0)));
            let (from, to) = (data.from(), data.now.get());
            let frame = Frame { from, to, top: scale.top, gap: range.gap() };
            Self {
                scale,
                frame,
                lines: plan.of.iter().map(|of| frame.line(means(series, *of))).collect(),
                area: plan.of.first().map_or_else(String::new, |of| frame.area(means(series, *of))),
                peaks: match range {
                    Range::Hour => Vec::new(),
                    Range::ThreeDays | Range::Month => {
                        plan.of.iter().map(|of| frame.line(peaks(series, *of))).collect()
                    }
                },
                limit,
            }
        })
    }
}

fn means(series: &Series, of: Quantity) -> impl Iterator<Item = (f64, f64)> + '_ {
    series.samples().iter().filter_map(move |sample| Some((sample.at, of.of(&sample.mean)?)))
}

fn peaks(series: &Series, of: Quantity) -> impl Iterator<Item = (f64, f64)> + '_ {
    let peak = move |sample: &Sample| Some((sample.at, of.of(sample.peak.as_ref()?)?));
    series.samples().iter().filter_map(peak)
}

/// From nothing up, with the limit drawn in.
#[component]
pub(super) fn Chart(
    data: Data,
    plan: Plan,
    size: Size,
    /// "Limit 2 cores", in the words that fit.
    limit: fn(String) -> String,
) -> impl IntoView {
    let drawing = Memo::new(move |_| Drawing::of(data, plan));
    let plot = match size {
        Size::Full => view! { <Plot data plan drawing /> }.into_any(),
        Size::Small => view! {
            <div class="chart-plot" role="img" aria-label=move || format!("{}: {}", (plan.title)(), reading::sentence(data, plan))>
                <Lines data drawing />
            </div>
        }
        .into_any(),
    };
    let unit = plan.of.first().map_or(Quantity::Cpu, |of| *of).unit();
    view! {
        <figure class="chart">
            <figcaption class="chart-head">
                {match size {
                    Size::Full => view! { <h2>{plan.title}</h2> }.into_any(),
                    Size::Small => view! { <span class="chart-name">{plan.title}</span> }.into_any(),
                }}
                <Values data plan size />
                {move || drawing.with(|drawing| drawing.limit).map(|most| view! {
                    <span class="chart-limit muted figures">
                        <i class="swatch limit" aria-hidden="true"></i>
                        {move || limit(unit.say(most))}
                    </span>
                })}
            </figcaption>
            {plot}
        </figure>
    }
}

#[component]
fn Values(data: Data, plan: Plan, size: Size) -> impl IntoView {
    const SWATCHES: [&str; 2] = ["swatch first", "swatch second"];
    let pointed = move || size == Size::Full && data.at.get().is_some();
    view! {
        <span class="chart-values figures">
            {move || {
                let sample = data.shown();
                let time = sample.as_ref().filter(|_| pointed()).map(|sample| {
                    let moment = reading::moment(data.range.get(), sample.at);
                    view! { <span class="muted">{moment}</span> }
                });
                let values = reading::values(plan, sample.as_ref())
                    .into_iter()
                    .zip(SWATCHES)
                    .map(|((what, value, peak), swatch)| {
                        let what = (plan.of.len() > 1).then(|| view! {
                            <i class=swatch aria-hidden="true"></i>
                            <span class="muted">{what}</span>
                        });
                        view! {
                            <span class="chart-value">
                                {what}
                                <strong>{value}</strong>
                                {peak.map(|peak| view! { <span class="muted">{peak}</span> })}
                            </span>
                        }
                    })
                    .collect_view();
                view! { {time} {values} }
            }}
        </span>
    }
}

/// With its scales, and read out by pointer and keyboard.
#[component]
fn Plot(data: Data, plan: Plan, drawing: Memo<Drawing>) -> impl IntoView {
    let unit = plan.of.first().map_or(Quantity::Cpu, |of| *of).unit();
    let point = move |event: ev::PointerEvent| {
        let Some(plot) = event.current_target() else { return };
        let width = plot.unchecked_ref::<web_sys::Element>().client_width();
        let part = f64::from(event.offset_x()) / f64::from(width.max(1));
        let (from, to) = untrack(|| (data.from(), data.now.get()));
        data.at.set(Some(from + part.clamp(0.0, 1.0) * (to - from)));
    };
    let key = move |event: ev::KeyboardEvent| {
        let far = if event.shift_key() { 12 } else { 1 };
        let by = match event.key().as_str() {
            "ArrowLeft" | "ArrowDown" => -far,
            "ArrowRight" | "ArrowUp" => far,
            "Home" => isize::MIN,
            "End" => isize::MAX,
            "Escape" => return data.at.set(None),
            _ => return,
        };
        event.prevent_default();
        let at = data.at.get_untracked().unwrap_or(f64::MAX);
        data.at.set(data.series.with_untracked(|series| series.step(at, by)));
    };
    let percent = move || {
        let (from, to) = (data.from(), data.now.get());
        let at = data.shown().map_or(to, |sample| sample.at);
        let percent = ((at - from) / (to - from).max(1.0) * 100.0).clamp(0.0, 100.0);
        Place(percent).to_string()
    };
    view! {
        <div class="chart-body">
            <ol class="chart-scale figures" aria-hidden="true">
                {move || {
                    drawing
                        .with(|drawing| drawing.scale)
                        .ticks()
                        .map(|tick| view! { <li>{unit.say(tick)}</li> })
                        .collect_view()
                }}
            </ol>
            <div
                class="chart-plot"
                role="slider"
                tabindex="0"
                aria-label=move || text::graph_label((plan.title)())
                aria-valuemin="0"
                aria-valuemax="100"
                aria-valuenow=percent
                aria-valuetext=move || reading::sentence(data, plan)
                on:pointermove=point
                on:pointerdown=point
                on:pointerleave=move |_| data.at.set(None)
                on:keydown=key
                on:blur=move |_| data.at.set(None)
            >
                <Lines data drawing />
            </div>
            <Times data />
        </div>
    }
}

#[component]
fn Times(data: Data) -> impl IntoView {
    view! {
        <ol class="chart-times figures" aria-hidden="true">
            {move || {
                let (from, to) = (data.from(), data.now.get());
                let (detail, count) = match data.range.get() {
                    Range::Hour => (Detail::Minute, TIMES),
                    Range::ThreeDays => (Detail::DayAndMinute, LONG_TIMES),
                    Range::Month => (Detail::Day, TIMES),
                };
                (0..=count)
                    .map(|n| from + (to - from) * f64::from(n) / f64::from(count))
                    .map(|at| view! { <li>{time::point(at, detail)}</li> })
                    .collect_view()
            }}
        </ol>
    }
}

#[component]
fn Lines(data: Data, drawing: Memo<Drawing>) -> impl IntoView {
    const CLASSES: [&str; 2] = ["line first", "line second"];
    // The drawing's width and height.
    const RIGHT: &str = "1000";
    const BOTTOM: &str = "200";
    let grid = move || {
        let scale = drawing.with(|drawing| drawing.scale);
        let top = scale.top;
        scale
            .ticks()
            .map(|tick| {
                let y = Place(HEIGHT * (1.0 - tick / top)).to_string();
                view! { <line class="grid" x1="0" x2=RIGHT y1=y.clone() y2=y /> }
            })
            .collect_view()
    };
    let path = move |index: usize| {
        move || drawing.with(|drawing| drawing.lines.get(index).cloned().unwrap_or_default())
    };
    let peak = move |index: usize| {
        move || drawing.with(|drawing| drawing.peaks.get(index).cloned().unwrap_or_default())
    };
    let cursor = move || {
        data.at.get()?;
        let x = drawing.with(|drawing| drawing.frame).x(data.shown()?.at).clamp(0.0, WIDTH);
        let x = Place(x).to_string();
        Some(view! { <line class="cursor" x1=x.clone() x2=x y1="0" y2=BOTTOM /> })
    };
    let limit = move || {
        let (limit, frame) = drawing.with(|drawing| (drawing.limit, drawing.frame));
        let y = Place(frame.y(limit?)).to_string();
        Some(view! { <line class="limit" x1="0" x2=RIGHT y1=y.clone() y2=y /> })
    };
    view! {
        <svg
            viewBox="0 0 1000 200"
            preserveAspectRatio="none"
            aria-hidden="true"
            focusable="false"
        >
            {grid}
            <path class="area" d=move || drawing.with(|drawing| drawing.area.clone()) />
            <path class="peak first" d=peak(0) />
            <path class="peak second" d=peak(1) />
            <path class=CLASSES[0] d=path(0) />
            <path class=CLASSES[1] d=path(1) />
            {limit}
            {cursor}
        </svg>
    }
}
