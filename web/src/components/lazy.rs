use leptos::{prelude::*, wasm_split::SplitLoaderError};
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::JsFuture;
use web_sys::{RequestCache, RequestInit, Response};

use super::{
    icon::{Glyph, Icon},
    notice::{Failure, Skeleton},
};
use crate::{
    api::Error,
    app, erased,
    parts::{Draw, Part},
    text, time,
};

/// The heading of a page that is not here yet.
const COMING: &str = "coming";
/// A change of the network cuts off whatever is on its way: once more helps.
const ATTEMPTS: u32 = 4;

#[derive(Clone, Copy)]
enum State {
    Coming,
    Here(Draw),
    Unreachable,
    /// The controller has another version of the console by now, and this page's parts no more.
    Replaced,
}

/// A page that is fetched when it is visited.
#[component]
pub(crate) fn Lazy(part: Part) -> impl IntoView {
    let state = RwSignal::new(State::Coming);
    let load = move || {
        state.set(State::Coming);
        // Whatever part of the page began it: drawing anew what failed must not end the next attempt.
        erased::spawn(async move {
            let found = load(part).await;
            // Whoever was led here while it was coming is led on to what has come.
            let waits = document().active_element().is_some_and(|element| element.id() == COMING);
            if state.try_set(found).is_none() && waits {
                request_animation_frame(app::focus_heading);
            }
        });
    };
    load();
    move || match state.get() {
        State::Here(draw) => draw(),
        State::Coming => view! {
            <h1 class="unseen" id=COMING>{text::loading}</h1>
            <Skeleton />
        }
        .into_any(),
        State::Unreachable => {
            let retry = Callback::new(move |()| load());
            view! {
                <h1 class="unseen">"Berth"</h1>
                <Failure error=Signal::stored(Error::Network) retry />
            }
            .into_any()
        }
        State::Replaced => view! { <Reload /> }.into_any(),
    }
}

/// A piece of a page that is fetched when it is shown. Where it cannot be, the page goes without.
#[component]
pub(crate) fn LazyPiece(part: Part) -> impl IntoView {
    let here = RwSignal::new(None::<Draw>);
    erased::spawn(async move {
        if let State::Here(draw) = load(part).await {
            here.try_set(Some(draw));
        }
    });
    move || here.get().map(|draw| draw())
}

#[component]
fn Reload() -> impl IntoView {
    // A page that cannot be reloaded says so itself.
    let reload = |_| drop(window().location().reload());
    view! {
        <h1 class="unseen">"Berth"</h1>
        <div class="notice wait" role="alert">
            <Glyph icon=Icon::Warning />
            <p>{text::new_version}</p>
            <button type="button" class="button" on:click=reload>
                <Glyph icon=Icon::Restart />
                <span>{text::reload}</span>
            </button>
        </div>
    }
}

async fn load(part: Part) -> State {
    for attempt in 1..=ATTEMPTS {
        match part.load().await {
            Ok(draw) => return State::Here(draw),
            Err(SplitLoaderError { .. }) if is_replaced().await => return State::Replaced,
            Err(SplitLoaderError { .. }) if attempt == ATTEMPTS => {}
            Err(SplitLoaderError { .. }) => time::sleep(time::jittered(300 * attempt)).await,
        }
    }
    State::Unreachable
}

/// Whether the start page names another program than the one that runs.
async fn is_replaced() -> bool {
    let Some(program) = program() else { return false };
    start_page().await.is_some_and(|page| !page.contains(&program))
}

fn program() -> Option<String> {
    let link = document().query_selector("link[rel=preload][type='application/wasm']").ok()??;
    link.get_attribute("href")
}

async fn start_page() -> Option<String> {
    let init = RequestInit::new();
    init.set_cache(RequestCache::NoStore);
    let response = JsFuture::from(window().fetch_with_str_and_init("/", &init)).await.ok()?;
    let response: Response = response.dyn_into().ok()?;
    let text = JsFuture::from(response.text().ok().filter(|_| response.ok())?).await.ok()?;
    text.as_string()
}
