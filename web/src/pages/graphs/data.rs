//! The figures that the graphs of a page show, kept up to date while the page is shown.

use berth_proto::v1::{GetFiguresResponse, Limits};
use leptos::prelude::*;

use super::plan::Plan;
use crate::{
    api::{self, Error},
    erased,
    files::Whose,
    graphs::{Range, Sample, Series},
    state::connection,
    time,
};

/// What may have come after the newest that is here, and the time that an answer takes.
const OVERLAP_MS: f64 = 15_000.0;
const AGAIN_MS: u32 = 2_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    Container(Whose),
    Node(String),
}

#[derive(Clone, PartialEq)]
pub(super) enum State {
    Loading,
    Failed(Error),
    Here,
}

#[derive(Clone, Copy)]
pub(super) struct Data {
    pub(super) range: RwSignal<Range>,
    pub(super) series: RwSignal<Series>,
    pub(super) limits: RwSignal<Limits>,
    /// Where the graphs end: milliseconds since 1970.
    pub(super) now: RwSignal<f64>,
    /// The time that is read out.
    pub(super) at: RwSignal<Option<f64>>,
    pub(super) state: RwSignal<State>,
    pub(super) is_empty: Memo<bool>,
    plans: Memo<Vec<Plan>>,
    attempt: RwSignal<u32>,
}

impl Data {
    pub(super) fn new(subject: Memo<Subject>) -> Self {
        let series = RwSignal::new(Series::default());
        let data = Self {
            range: RwSignal::new(Range::Hour),
            series,
            limits: RwSignal::new(Limits::default()),
            now: RwSignal::new(js_sys::Date::now()),
            at: RwSignal::new(None),
            state: RwSignal::new(State::Loading),
            is_empty: Memo::new(move |_| series.with(|series| series.last().is_none())),
            plans: Memo::new(move |_| {
                series.with(|series| {
                    let has = |plan: &Plan| plan.of.iter().any(|of| series.has(*of));
                    Plan::ALL.into_iter().filter(has).collect()
                })
            }),
            attempt: RwSignal::new(0),
        };
        erased::effect(move || {
            data.attempt.track();
            let (subject, range) = (subject.get(), data.range.get());
            data.state.set(State::Loading);
            data.series.set(Series::default());
            data.at.set(None);
            erased::spawn_while_shown(data.keep(subject, range));
        });
        data
    }

    /// Those that there is something to draw in.
    pub(super) fn plans(self) -> Vec<Plan> {
        self.plans.get()
    }

    pub(super) fn retry(self) {
        self.attempt.update(|attempt| *attempt += 1);
    }

    pub(super) fn from(self) -> f64 {
        self.now.get() - f64::from(self.range.get().seconds()) * 1000.0
    }

    /// What is read out: at the time that was pointed at, else the newest.
    pub(super) fn shown(self) -> Option<Sample> {
        let gap = self.range.get().gap();
        self.series.with(|series| match self.at.get() {
            Some(at) => series.nearest(at, gap).cloned(),
            None => series.last().cloned(),
        })
    }

    async fn keep(self, subject: Subject, range: Range) {
        loop {
            if document().hidden() && self.state.get_untracked() == State::Here {
                time::sleep(AGAIN_MS).await;
                continue;
            }
            let result = ask(&subject, range, self.seconds(range)).await;
            let wait = match result {
                Ok(answer) => {
                    self.take(answer, range);
                    range.refresh()
                }
                // What is there stays; the connection's notice says that it may be old.
                Err(error) if error.is_passing() && self.state.get_untracked() == State::Here => {
                    connection::lost();
                    time::jittered(AGAIN_MS)
                }
                Err(error) => return self.state.set(State::Failed(error)),
            };
            time::sleep(wait).await;
        }
    }

    /// Of the single looks only what is new. What is rolled up still changes at its end, and comes seldom.
    fn seconds(self, range: Range) -> u32 {
        let newest = self.series.with_untracked(|series| series.last().map(|last| last.at));
        match (range, newest) {
            (Range::Hour, Some(newest)) => {
                let age = (js_sys::Date::now() - newest + OVERLAP_MS) / 1000.0;
                // Between 15 seconds and an hour.
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let seconds = age.clamp(15.0, f64::from(range.seconds())) as u32;
                seconds
            }
            (Range::Hour, None) | (Range::ThreeDays | Range::Month, _) => range.seconds(),
        }
    }

    fn take(self, answer: GetFiguresResponse, range: Range) {
        let now = js_sys::Date::now();
        let from = now - f64::from(range.seconds()) * 1000.0;
        self.now.set(now);
        if let Some(limits) = answer.limits
            && limits != self.limits.get_untracked()
        {
            self.limits.set(limits);
        }
        match range {
            Range::Hour => {
                self.series.update(|series| series.extend(answer, range.every(), from));
            }
            Range::ThreeDays | Range::Month => {
                let mut series = Series::default();
                series.extend(answer, range.every(), from);
                self.series.set(series);
            }
        }
        if self.state.get_untracked() != State::Here {
            self.state.set(State::Here);
        }
    }
}

async fn ask(subject: &Subject, range: Range, seconds: u32) -> Result<GetFiguresResponse, Error> {
    match subject.clone() {
        Subject::Container(Whose { name, owner }) => {
            api::get_figures(owner, name, seconds, range.resolution()).await
        }
        Subject::Node(name) => api::get_node_figures(name, seconds, range.resolution()).await,
    }
}
