use std::rc::Rc;

use leptos::{html, prelude::*};
use wasm_bindgen::JsCast as _;

use super::{
    Place,
    ending::Ended,
    keys::{Keys, take},
};
use crate::{
    api::Error,
    components::Failure,
    erased,
    state::announcer::announce,
    terminal::{self, Ctrl, Ending, Handle, Key, Screen, Shown, Target},
    text, time,
};

/// How long good news stays.
const NEWS: u32 = 6000;

#[derive(Clone, PartialEq)]
enum State {
    Loading,
    Failed(Error),
    Live(Shown),
    /// Live, and nothing to say.
    Quiet,
    Ended(Ending),
}

type Held = StoredValue<Option<Rc<Screen>>, LocalStorage>;

/// One terminal, as large as there is room.
#[component]
pub(super) fn View(place: Place, number: u32) -> impl IntoView {
    let element = NodeRef::<html::Div>::new();
    let state = RwSignal::new_local(State::Loading);
    let held: Held = StoredValue::new_local(None);
    let ctrl = RwSignal::new(false);
    let attempt = RwSignal::new(0u32);
    erased::effect(move || {
        attempt.track();
        let Some(element) = element.get() else { return };
        state.set(State::Loading);
        erased::spawn_while_shown(async move {
            let ended = live(place, number, &element, state, held, ctrl).await;
            state.set(ended);
            place.refresh();
        });
    });
    follow_settings(place, held);
    let press = Callback::new(move |key: Key| {
        held.with_value(|screen| {
            if let Some(screen) = screen {
                screen.type_text(&key.sends(take(ctrl), screen.cursor()));
            }
        });
    });
    view! {
        <div class="terminal-screen" node_ref=element></div>
        <div class="terminal-foot">
            <p class="terminal-state" role="status">{move || words(&state.get())}</p>
            <p class="hint terminal-leave">{text::terminal_leave_before} " " <kbd>"Ctrl+Shift+L"</kbd></p>
        </div>
        {move || match state.get() {
            State::Ended(ending) => Some(view! { <Ended place ending /> }.into_any()),
            State::Failed(error) => {
                let retry = Callback::new(move |()| attempt.update(|attempt| *attempt += 1));
                Some(view! { <Failure error=Signal::stored(error) retry /> }.into_any())
            }
            State::Loading | State::Quiet | State::Live(_) => None,
        }}
        <Keys held=ctrl press />
    }
}

/// Until it has ended. How, is what comes back.
async fn live(
    place: Place,
    number: u32,
    element: &web_sys::HtmlDivElement,
    state: RwSignal<State, LocalStorage>,
    held: Held,
    ctrl: RwSignal<bool>,
) -> State {
    if let Err(error) = terminal::load().await {
        return State::Failed(error);
    }
    let (handle, commands) = Handle::new();
    let typed = move |bytes: Vec<u8>| match take(ctrl) {
        Ctrl::Held => terminal::controlled(&bytes).map_or(bytes, |byte| vec![byte]),
        Ctrl::Up => bytes,
    };
    let Some(screen) = terminal::open(element, &place.settings(number), &handle, typed, focus_tab)
    else {
        return State::Failed(Error::Garbled);
    };
    let screen = Rc::new(screen);
    held.set_value(Some(Rc::clone(&screen)));
    if has_keyboard() {
        screen.focus();
    }
    let _awake = Awake::listen(&handle);
    let target =
        Target { owner: place.owner.get_untracked(), name: place.name.get_untracked(), number };
    let show = move |shown| show(state, shown);
    let ending = terminal::run(target, Rc::clone(&screen), commands, show).await;
    screen.end();
    State::Ended(ending)
}

fn show(state: RwSignal<State, LocalStorage>, shown: Shown) {
    if shown == Shown::Open {
        state.set(State::Quiet);
        return;
    }
    state.set(State::Live(shown));
    if shown != Shown::Lost {
        erased::spawn(async move {
            time::sleep(NEWS).await;
            if state.try_get_untracked() == Some(State::Live(shown)) {
                state.set(State::Quiet);
            }
        });
    }
}

fn words(state: &State) -> &'static str {
    match state {
        State::Loading => text::terminal_opening(),
        State::Live(Shown::Lost) => text::terminal_lost(),
        State::Live(Shown::Back) => text::terminal_back(),
        State::Live(Shown::Gap) => text::terminal_gap(),
        State::Live(Shown::Open) | State::Quiet | State::Failed(_) | State::Ended(_) => "",
    }
}

fn follow_settings(place: Place, held: Held) {
    Effect::new(move |before: Option<()>| {
        let (font, reader) = (place.font.get(), place.reader.get());
        if before.is_some() {
            held.with_value(|screen| {
                if let Some(screen) = screen {
                    screen.set_font_size(font);
                    screen.set_screen_reader(reader);
                }
            });
        }
    });
}

/// The way out for those who have a keyboard alone: Tab belongs to the program in the terminal.
fn focus_tab() {
    let tab = document().query_selector(".terminal-tabs [aria-current]").ok().flatten();
    if let Some(tab) = tab.and_then(|tab| tab.dyn_into::<web_sys::HtmlElement>().ok()) {
        // Focusing an element that is on the page does not fail.
        let _ = tab.focus();
        announce(text::leave_terminal());
    }
}

/// On a phone the focus would bring up a keyboard over half of the screen.
fn has_keyboard() -> bool {
    window().match_media("(pointer: coarse)").ok().flatten().is_none_or(|media| !media.matches())
}

/// What tells that the network may be back.
struct Awake([Option<WindowListenerHandle>; 2]);

impl Awake {
    fn listen(handle: &Handle) -> Self {
        let wake = |event| {
            let handle = handle.clone();
            window_event_listener_untyped(event, move |_| handle.wake())
        };
        Self(["online", "focus"].map(|event| Some(wake(event))))
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.0.iter_mut().filter_map(Option::take).for_each(WindowListenerHandle::remove);
    }
}
