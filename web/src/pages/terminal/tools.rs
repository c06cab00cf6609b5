use leptos::prelude::*;

use super::Place;
use crate::{
    components::{Glyph, Icon},
    state::preferences,
    terminal::ScreenReader,
    text,
};

#[component]
pub(super) fn Tools(place: Place) -> impl IntoView {
    let change = move |by: i32| {
        let size = place.font.get_untracked().saturating_add_signed(by);
        if preferences::TERMINAL_FONTS.contains(&size) {
            place.font.set(size);
            preferences::choose_terminal_font(size);
        }
    };
    let reads = move || place.reader.get() == ScreenReader::On;
    let toggle = move |_| {
        let mode = match place.reader.get_untracked() {
            ScreenReader::On => ScreenReader::Off,
            ScreenReader::Off => ScreenReader::On,
        };
        place.reader.set(mode);
        preferences::choose_terminal_reader(mode);
    };
    view! {
        <div class="terminal-tools">
            <button
                type="button"
                class="chip"
                aria-pressed=move || if reads() { "true" } else { "false" }
                on:click=toggle
            >
                {text::screen_reader}
            </button>
            <button
                type="button"
                class="button ghost small square"
                aria-label=text::font_smaller
                title=text::font_smaller
                on:click=move |_| change(-1)
            >
                <Glyph icon=Icon::AArrowDown />
            </button>
            <button
                type="button"
                class="button ghost small square"
                aria-label=text::font_larger
                title=text::font_larger
                on:click=move |_| change(1)
            >
                <Glyph icon=Icon::AArrowUp />
            </button>
        </div>
    }
}
