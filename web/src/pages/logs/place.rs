//! What the parts of the page share.

use std::{cell::RefCell, rc::Rc};

use berth_proto::v1::{
    Container, Phase, StreamLogsRequest, WatchContainersRequest, WatchContainersResponse,
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use web_sys::HtmlDivElement;

use super::{
    reading,
    sheet::{Look, Sheet},
};
use crate::{
    api::Error,
    erased,
    files::Whose,
    i18n,
    state::{
        connection::{self, Connection},
        feed::Feed,
    },
    time,
};

/// So many lines are kept: asking for more would be for nothing.
const MOST: u32 = 5_000;
/// A blade finds the place in a large log within this; before it nobody knows that there is nothing.
const QUIET_MS: u32 = 4_000;
/// Typing goes on while the lines are searched.
const SETTLE_MS: u32 = 150;
/// Of the time that drawing takes, so many times is left to everything else.
const CALM: f64 = 3.0;

#[derive(Clone, PartialEq)]
pub(super) enum State {
    Opening,
    Live,
    Lost,
    Ended,
    Failed(Error),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    End,
    /// So many pixels from the top.
    Above(i32),
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    Lines(u32),
    Minutes(u32),
}

impl From {
    pub(super) const ALL: [From; 6] = [
        From::Lines(100),
        From::Lines(1_000),
        From::Lines(MOST),
        From::Minutes(10),
        From::Minutes(60),
        From::Minutes(1_440),
    ];
}

#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) whose: Memo<Whose>,
    pub(super) phase: Memo<Phase>,
    pub(super) from: RwSignal<From>,
    pub(super) times: RwSignal<bool>,
    pub(super) wrap: RwSignal<bool>,
    /// Only lines that match.
    pub(super) only: RwSignal<bool>,
    pub(super) search: RwSignal<String>,
    /// The end is in sight, and stays there.
    pub(super) follows: RwSignal<bool>,
    pub(super) state: RwSignal<State>,
    pub(super) held: RwSignal<usize>,
    /// So many lines have come and are not shown yet,
    pub(super) waiting: RwSignal<usize>,
    /// and no more are taken.
    pub(super) is_full: RwSignal<bool>,
    pub(super) gone: RwSignal<u64>,
    /// It has listened for a while, and nothing has come.
    pub(super) is_quiet: RwSignal<bool>,
    /// Which match is looked at, and how many there are; from 1.
    pub(super) found: RwSignal<(usize, usize)>,
    /// The download could not be made.
    pub(super) refused: RwSignal<Option<Error>>,
    pub(super) sheet: StoredValue<Rc<RefCell<Sheet>>, LocalStorage>,
    /// Behind the last line that came.
    pub(super) cursor: StoredValue<String>,
    /// What is between has to be left out.
    pub(super) skip: StoredValue<bool>,
    attempt: RwSignal<u32>,
    drawing: StoredValue<bool>,
}

impl Place {
    pub(super) fn new() -> Self {
        let params = use_params_map();
        let query = use_query_map();
        let whose = Memo::new(move |_| Whose {
            name: params.with(|p| p.get("name").unwrap_or_default()),
            owner: query.with(|q| q.get("owner").unwrap_or_default()),
        });
        let feed = Feed::<Container>::open::<WatchContainersResponse>(move |resume_token| {
            let Whose { name, owner } = whose.get();
            WatchContainersRequest { owner, name, resume_token }
        });
        let phase = Memo::new(move |_| {
            feed.all.first().map_or(Phase::Unspecified, |entry| entry.value.with(Container::phase))
        });
        let place = Self {
            whose,
            phase,
            from: RwSignal::new(From::Lines(1_000)),
            times: RwSignal::new(false),
            wrap: RwSignal::new(true),
            only: RwSignal::new(false),
            search: RwSignal::new(String::new()),
            follows: RwSignal::new(true),
            state: RwSignal::new(State::Opening),
            held: RwSignal::new(0),
            waiting: RwSignal::new(0),
            is_full: RwSignal::new(false),
            gone: RwSignal::new(0),
            is_quiet: RwSignal::new(false),
            found: RwSignal::new((0, 0)),
            refused: RwSignal::new(None),
            sheet: StoredValue::new_local(Rc::default()),
            cursor: StoredValue::new(String::new()),
            skip: StoredValue::new(false),
            attempt: RwSignal::new(0),
            drawing: StoredValue::new(false),
        };
        place.keep_reading();
        place.keep_looks();
        place
    }

    pub(super) fn shows_in(self, element: HtmlDivElement) {
        self.sheet.with_value(|sheet| sheet.borrow_mut().show_in(element));
        self.draw();
    }

    pub(super) fn again(self) {
        self.attempt.update(|attempt| *attempt += 1);
    }

    pub(super) fn request(self) -> StreamLogsRequest {
        let Whose { name, owner } = self.whose.get_untracked();
        let cursor = self.cursor.get_value();
        let (since, tail) = match self.from.get_untracked() {
            From::Lines(count) => (None, count),
            From::Minutes(minutes) => (Some(time::ago(minutes * 60)), MOST),
        };
        StreamLogsRequest { owner, name, cursor, since, tail, follow: true }
    }

    fn keep_reading(self) {
        let asked = StoredValue::new(None);
        erased::effect(move || {
            self.attempt.track();
            let ask = (self.whose.get(), self.from.get());
            if asked.get_value().as_ref() != Some(&ask) {
                asked.set_value(Some(ask));
                self.clear();
            }
            self.state.set(State::Opening);
            self.is_quiet.set(false);
            erased::spawn_while_shown(reading::read(self));
            erased::spawn_while_shown(async move {
                time::sleep(QUIET_MS).await;
                self.is_quiet.set(true);
            });
        });
        // It has been started again: what it prints now comes behind what it printed then.
        erased::effect(move || {
            let runs = matches!(self.phase.get(), Phase::Running | Phase::Starting);
            if runs && self.state.get_untracked() == State::Ended {
                self.again();
            }
        });
        // A connection that is quiet does not hear that it is cut off; the watch does.
        let was_lost = StoredValue::new(false);
        erased::effect(move || match connection::current() {
            Connection::Lost => was_lost.set_value(true),
            Connection::Restored | Connection::Good => {
                if was_lost.get_value() {
                    was_lost.set_value(false);
                    if self.state.get_untracked() == State::Live {
                        self.again();
                    }
                }
            }
        });
    }

    /// What changes how lines look draws all of them anew.
    fn keep_looks(self) {
        let asked = StoredValue::new(0_u64);
        let first = StoredValue::new(true);
        erased::effect(move || {
            i18n::language();
            let look =
                Look { times: self.times.get(), only: self.only.get(), search: self.search.get() };
            self.wrap.track();
            if first.get_value() {
                first.set_value(false);
                return;
            }
            let turn = asked.get_value() + 1;
            asked.set_value(turn);
            erased::spawn(async move {
                time::sleep(SETTLE_MS).await;
                if asked.try_get_value() == Some(turn) {
                    self.redraw(look);
                }
            });
        });
    }

    fn redraw(self, look: Look) {
        let follows = self.follows.get_untracked();
        let found = self.sheet.with_value(|sheet| {
            let mut sheet = sheet.borrow_mut();
            sheet.look_like(look);
            if follows {
                sheet.go_to_end();
            }
            sheet.first_match()
        });
        self.found.set(found);
    }

    fn clear(self) {
        self.cursor.set_value(String::new());
        self.skip.set_value(false);
        self.sheet.with_value(|sheet| sheet.borrow_mut().clear());
        self.follows.set(true);
        self.tell();
    }

    /// Lines have come.
    pub(super) fn show(self) {
        if !self.follows.get_untracked() {
            return self.tell();
        }
        if self.drawing.get_value() {
            return;
        }
        self.drawing.set_value(true);
        erased::spawn(async move {
            time::next_frame().await;
            if self.drawing.try_get_value().is_none() {
                return;
            }
            let began = js_sys::Date::now();
            self.draw();
            // A program that prints all the time leaves the page time for its person.
            let took = (js_sys::Date::now() - began).clamp(0.0, 1000.0);
            // Between nothing and three seconds.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            time::sleep((took * CALM) as u32).await;
            if self.drawing.try_set_value(false).is_none() && self.has_more() {
                self.show();
            }
        });
    }

    fn has_more(self) -> bool {
        self.follows.get_untracked()
            && self.sheet.with_value(|sheet| !sheet.borrow().waiting.is_empty())
    }

    fn draw(self) {
        if self.follows.get_untracked() {
            self.sheet.with_value(|sheet| {
                let mut sheet = sheet.borrow_mut();
                sheet.draw();
                sheet.go_to_end();
            });
        }
        self.tell();
        // What is told may have made the lines' box smaller.
        request_animation_frame(move || {
            if self.follows.try_get_untracked() == Some(true) {
                self.sheet.with_value(|sheet| sheet.borrow_mut().go_to_end());
            }
        });
    }

    fn tell(self) {
        let told = self.sheet.with_value(|sheet| {
            let sheet = sheet.borrow();
            let waiting = &sheet.waiting;
            (sheet.held.len(), waiting.len(), waiting.is_full(), sheet.held.gone(), sheet.matches())
        });
        let (held, waiting, is_full, gone, matches) = told;
        put(self.held, held);
        put(self.waiting, waiting);
        put(self.is_full, is_full);
        put(self.gone, gone);
        let (at, _) = self.found.get_untracked();
        put(self.found, (at.min(matches), matches));
    }

    pub(super) fn scrolled(self, to: Where) {
        match to {
            // Only upwards: when what is around the lines grows, the end moves away by itself.
            Where::Above(top) => {
                if self.sheet.with_value(|sheet| top < sheet.borrow().top) {
                    put(self.follows, false);
                }
            }
            Where::End if !self.follows.get_untracked() => self.to_newest(),
            Where::End => {}
        }
    }

    pub(super) fn to_newest(self) {
        if self.is_full.get_untracked() {
            self.skip.set_value(true);
        }
        self.follows.set(true);
        self.draw();
    }

    /// Nobody looks at the end, and no more is kept for later: the blade waits.
    pub(super) fn is_held_up(self) -> bool {
        self.is_full.get_untracked() && !self.follows.get_untracked()
    }

    pub(super) fn find(self, by: isize) {
        // Where the match is, and not at the end.
        let found = self.sheet.with_value(|sheet| sheet.borrow_mut().go(by));
        if found.1 > 0 {
            self.follows.set(false);
        }
        self.found.set(found);
        self.tell();
    }
}

/// Only what is new makes the page draw.
fn put<T: PartialEq + Copy + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.get_untracked() != value {
        signal.set(value);
    }
}
