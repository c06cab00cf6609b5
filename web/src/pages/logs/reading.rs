//! Lines from the controller to the sheet, at a pace that browser and person can take.

use berth_proto::v1::{LogLine, Phase};
use leptos::prelude::*;

use super::place::{Place, State};
use crate::{
    logs::{Assembler, Entry, Event, Note, Pace, Source, Step},
    time,
};

/// After what is skipped it goes on with so many lines before the newest: by number, so that the last are there also when
/// nothing comes behind them.
const TAIL: u32 = 1_000;
const REST_MS: u32 = 100;
/// While nobody looks at the end.
const HELD_UP_MS: u32 = 250;
/// An end that a container which runs has: it has been started again.
const AGAIN_MS: u32 = 2_000;

/// As long as the page is shown.
pub(super) async fn read(place: Place) {
    let mut source = Source::new(place.request());
    let mut lines = Assembler::default();
    let mut pace = Pace::default();
    let mut come_since_back = true;
    loop {
        let event = match source.next().await {
            Ok(event) => event,
            Err(error) => return place.state.set(State::Failed(error)),
        };
        match event {
            Event::Lines(new) => {
                live(place);
                come_since_back |= !new.is_empty();
                let (bytes, printed) = weigh(&new);
                for piece in new {
                    if let Some(entry) = lines.piece(piece) {
                        push(place, entry);
                    }
                }
                // A line of which a part has come is asked for again as a whole.
                if lines.is_whole() {
                    place.cursor.set_value(source.cursor().to_owned());
                }
                place.show();
                match pace.took(bytes, printed, js_sys::Date::now()) {
                    Step::Go => {}
                    Step::Rest => time::sleep(REST_MS).await,
                    Step::Skip => place.skip.set_value(true),
                }
                while place.is_held_up() {
                    time::sleep(HELD_UP_MS).await;
                }
                if place.skip.get_value() {
                    source = skip(place);
                    lines.forget();
                }
            }
            Event::Open => live(place),
            Event::Lost => place.state.set(State::Lost),
            Event::Back(seconds) => {
                live(place);
                if std::mem::take(&mut come_since_back) {
                    push(place, Entry::Note(Note::Back(seconds)));
                    place.show();
                }
            }
            Event::End => {
                if place.phase.get_untracked() != Phase::Running {
                    push(place, Entry::Note(Note::Ended));
                    place.show();
                    return place.state.set(State::Ended);
                }
                time::sleep(AGAIN_MS).await;
                source = Source::new(place.request());
            }
        }
    }
}

fn live(place: Place) {
    if place.state.get_untracked() != State::Live {
        place.state.set(State::Live);
    }
}

/// To the newest lines; those in between stay in the log.
fn skip(place: Place) -> Source {
    place.skip.set_value(false);
    push(place, Entry::Note(Note::Skipped));
    place.show();
    let mut request = place.request();
    request.cursor.clear();
    (request.since, request.tail) = (None, TAIL);
    Source::new(request)
}

fn push(place: Place, entry: Entry) {
    place.sheet.with_value(|sheet| sheet.borrow_mut().waiting.push(entry));
}

fn weigh(lines: &[LogLine]) -> (usize, f64) {
    // Each costs something, also an empty one.
    let bytes = lines.iter().map(|line| line.text.len() + 32).sum();
    let printed = lines.last().and_then(|line| line.time.as_ref()).map(time::milliseconds);
    (bytes, printed.unwrap_or_else(js_sys::Date::now))
}
