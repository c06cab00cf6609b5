use berth_core::text::bytes;
use leptos::{ev, prelude::*};

use super::{
    download::Download,
    place::{From, Place, State},
};
use crate::{
    components::{Glyph, Icon},
    i18n::Words,
    text,
};

#[component]
pub(super) fn Tools(place: Place) -> impl IntoView {
    view! {
        <div class="logs-tools">
            <Begin place />
            <div class="chips">
                <Toggle label=text::logs_follow is=place.follows on_turn=move |on: bool| {
                    if on { place.to_newest() } else { place.follows.set(false) }
                } />
                <Toggle label=text::logs_times is=place.times on_turn=move |on| place.times.set(on) />
                <Toggle label=text::logs_wrap is=place.wrap on_turn=move |on| place.wrap.set(on) />
            </div>
            <Find place />
        </div>
    }
}

/// How things stand, and all of it as a file.
#[component]
pub(super) fn Head(place: Place) -> impl IntoView {
    let download = Download::new();
    on_cleanup(move || download.stop());
    view! {
        <div class="logs-head">
            <Status place />
            {move || match download.bytes.get() {
                None => view! {
                    <button type="button" class="button small" on:click=move |_| download.begin(place)>
                        <Glyph icon=Icon::Download />
                        <span>{text::logs_download}</span>
                    </button>
                }
                .into_any(),
                Some(so_far) => view! {
                    <button type="button" class="button small" on:click=move |_| download.stop()>
                        <Glyph icon=Icon::X />
                        <span class="figures">{move || text::logs_downloading(bytes(so_far))}</span>
                    </button>
                }
                .into_any(),
            }}
        </div>
    }
}

#[component]
fn Begin(place: Place) -> impl IntoView {
    let words = |from: From| match from {
        From::Lines(count) => text::logs_tail(count),
        From::Minutes(60) => text::logs_hour().to_owned(),
        From::Minutes(1_440) => text::logs_day().to_owned(),
        From::Minutes(count) => text::logs_minutes(count),
    };
    let chosen = move |event: ev::Targeted<ev::Event, web_sys::HtmlSelectElement>| {
        let number = usize::try_from(event.target().selected_index()).unwrap_or(0);
        if let Some(from) = From::ALL.get(number) {
            place.from.set(*from);
        }
    };
    view! {
        <label class="logs-from">
            <span class="unseen">{text::logs_from}</span>
            <select on:change:target=chosen>
                {From::ALL
                    .into_iter()
                    .map(|from| view! {
                        <option selected=place.from.get_untracked() == from>
                            {move || words(from)}
                        </option>
                    })
                    .collect_view()}
            </select>
        </label>
    }
}

#[component]
fn Toggle(label: Words, is: RwSignal<bool>, on_turn: impl Fn(bool) + 'static) -> impl IntoView {
    view! {
        <button
            type="button"
            class="chip"
            aria-pressed=move || if is.get() { "true" } else { "false" }
            on:click=move |_| on_turn(!is.get_untracked())
        >
            {label}
        </button>
    }
}

#[component]
fn Find(place: Place) -> impl IntoView {
    let searches = move || !place.search.with(String::is_empty);
    let key = move |event: ev::KeyboardEvent| match event.key().as_str() {
        "Enter" => {
            event.prevent_default();
            place.find(if event.shift_key() { -1 } else { 1 });
        }
        "Escape" => place.search.set(String::new()),
        _ => {}
    };
    view! {
        <div class="logs-find" role="search">
            <div class="search">
                <Glyph icon=Icon::Search />
                <input
                    type="search"
                    aria-label=text::logs_search
                    placeholder=text::logs_search
                    autocomplete="off"
                    spellcheck="false"
                    prop:value=move || place.search.get()
                    on:input:target=move |event| place.search.set(event.target().value())
                    on:keydown=key
                />
            </div>
            <Show when=searches>
                <span class="muted figures" role="status">
                    {move || match place.found.get() {
                        (_, 0) => text::logs_none_found().to_owned(),
                        (at, count) => text::logs_found(at, count),
                    }}
                </span>
                <button
                    type="button"
                    class="button small square"
                    aria-label=text::find_previous
                    title=text::find_previous
                    on:click=move |_| place.find(-1)
                >
                    <Glyph icon=Icon::ChevronUp />
                </button>
                <button
                    type="button"
                    class="button small square"
                    aria-label=text::find_next
                    title=text::find_next
                    on:click=move |_| place.find(1)
                >
                    <Glyph icon=Icon::ChevronDown />
                </button>
                <Toggle label=text::logs_only is=place.only on_turn=move |on| place.only.set(on) />
            </Show>
        </div>
    }
}

#[component]
fn Status(place: Place) -> impl IntoView {
    let said = move || match place.state.get() {
        State::Opening => ("muted", text::loading()),
        State::Live => ("phase ok", text::logs_live()),
        State::Lost => ("phase wait", text::logs_lost()),
        State::Ended => ("phase quiet", text::logs_ended()),
        State::Failed(_) => ("muted", ""),
    };
    view! {
        <p class="logs-state" role="status">
            <span class=move || said().0>{move || said().1}</span>
        </p>
    }
}
