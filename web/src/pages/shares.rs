use berth_core::{guest_port, text::problem};
use berth_proto::v1::{Container, ShareLink};
use leptos::{ev, prelude::*};

use crate::{
    api::{self, Error},
    components::{CopyButton, Dialog, Failure, Glyph, Icon, Moment, Need, TextField},
    erased, i18n,
    state::announcer::announce,
    text, time,
};

const HOUR: i64 = 3600;
/// 0 for what the site says.
const LIFETIMES: [i64; 5] = [0, HOUR, 8 * HOUR, 24 * HOUR, 7 * 24 * HOUR];

/// Links that open one port to whoever has them; nothing where the site has no names for ports.
#[component]
pub(super) fn Shares(container: ArcRwSignal<Container>, owner: Memo<String>) -> impl IntoView {
    let has_names = {
        let container = container.clone();
        Memo::new(move |_| container.with(|c| !c.app_url_template.is_empty()))
    };
    let container = StoredValue::new(container);
    move || {
        let container = container.get_value();
        has_names.get().then(|| view! { <Links container owner /> })
    }
}

#[component]
fn Links(container: ArcRwSignal<Container>, owner: Memo<String>) -> impl IntoView {
    let name = {
        let container = container.clone();
        Memo::new(move |_| container.with(|c| c.name.clone()))
    };
    let links = RwSignal::new(Vec::<ShareLink>::new());
    let refused = RwSignal::new(None::<Error>);
    let sharing = RwSignal::new(false);
    let load = move || {
        let (name, owner) = (name.get(), owner.get());
        erased::spawn_while_shown(async move {
            match api::list_share_links(name, owner).await {
                Ok(found) => links.set(found),
                Err(error) => refused.set(Some(error)),
            }
        });
    };
    erased::effect(load);
    let changed = Callback::new(move |()| untrack(load));
    let end = Callback::new(move |id: String| {
        let (name, owner) = (name.get_untracked(), owner.get_untracked());
        refused.set(None);
        erased::spawn(async move {
            let result = api::delete_share_link(name, owner, id).await;
            if refused.is_disposed() {
                return;
            }
            match result {
                Ok(()) => announce(untrack(|| text::share_ended().to_owned())),
                Err(error) => refused.set(Some(error)),
            }
            changed.run(());
        });
    });
    view! {
        <section class="card shares" aria-labelledby="shares">
            <div class="card-head">
                <h2 id="shares">{text::share_links}</h2>
                <button type="button" class="button" on:click=move |_| sharing.set(true)>
                    <Glyph icon=Icon::Link />
                    <span>{text::share_new}</span>
                </button>
            </div>
            <p class="hint">{text::share_means}</p>
            {move || refused.get().map(|error| view! { <Failure error=Signal::stored(error) /> })}
            <ul class="endpoints">
                <For each=move || links.get() key=|link| link.id.clone() let:link>
                    <Item link end />
                </For>
            </ul>
        </section>
        <Making container owner open=sharing made=changed />
    }
}

#[component]
fn Item(link: ShareLink, end: Callback<String>) -> impl IntoView {
    let ShareLink { id, port, expire_time, creator, .. } = link;
    view! {
        <li>
            <span>{move || text::guest_port_number(port)}</span>
            <span class="muted">
                {text::share_until} " " <Moment at=Signal::stored(expire_time) />
            </span>
            <span class="muted">{move || text::share_by(&creator)}</span>
            <button
                type="button"
                class="button small danger"
                aria-label=move || text::share_end_what(port)
                on:click=move |_| end.run(id.clone())
            >
                <Glyph icon=Icon::Trash />
                <span>{text::share_end}</span>
            </button>
        </li>
    }
}

/// Asks for a port and an end; the link is shown once.
#[component]
fn Making(
    container: ArcRwSignal<Container>,
    owner: Memo<String>,
    open: RwSignal<bool>,
    made: Callback<()>,
) -> impl IntoView {
    let port = RwSignal::new(String::new());
    let lifetime = RwSignal::new(0_i64);
    let touched = RwSignal::new(false);
    let refused = RwSignal::new(None::<Error>);
    let url = RwSignal::new(String::new());
    let busy = RwSignal::new(false);
    let shared = container.clone();
    erased::effect(move || {
        if open.get() {
            let first = shared.with_untracked(|c| c.guest_ports.first().map(u32::to_string));
            port.set(first.unwrap_or_default());
            touched.set(false);
            refused.set(None);
            url.set(String::new());
        }
    });
    let checked = Memo::new(move |_| {
        let numbers = port.with(|text| guest_port::parse_text(text, "port"))?;
        match guest_port::check(&numbers, "port")?.as_slice() {
            [one] => Ok(*one),
            _ => guest_port::parse_text("-", "port").map(|_| 0),
        }
    });
    let error = Signal::derive(move || {
        let bad = checked.get().err().filter(|_| touched.get())?;
        let problem = problem(i18n::language(), &bad.first()?.problem);
        Some(i18n::about(text::share_port(), &problem))
    });
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        touched.set(true);
        let (Ok(port), false) = (checked.get_untracked(), busy.get_untracked()) else { return };
        busy.set(true);
        refused.set(None);
        let name = container.with_untracked(|c| c.name.clone());
        let (owner, lifetime) = (owner.get_untracked(), lifetime.get_untracked());
        erased::spawn(async move {
            let result = api::create_share_link(name, owner, port.into(), lifetime).await;
            if busy.is_disposed() {
                return;
            }
            busy.set(false);
            match result {
                Ok(answer) => {
                    url.set(answer.url);
                    made.run(());
                }
                Err(error) => refused.set(Some(error)),
            }
        });
    };
    let submit = StoredValue::new(submit);
    let words = |seconds: i64| match seconds {
        0 => text::share_usual().to_owned(),
        seconds => time::span(seconds),
    };
    view! {
        <Dialog id="share" open title=text::share_new>
            <Show
                when=move || url.with(String::is_empty)
                fallback=move || view! {
                    <p>{text::share_once}</p>
                    <div class="command">
                        <pre tabindex="0" aria-label=text::share_link><code>{url}</code></pre>
                        <CopyButton value=url what=Signal::derive(|| text::share_link().to_owned()) />
                    </div>
                    <div class="dialog-acts">
                        <button type="button" class="button" on:click=move |_| open.set(false)>
                            {text::close}
                        </button>
                    </div>
                }
            >
                <form novalidate on:submit=move |event| submit.with_value(|submit| submit(event))>
                    <TextField id="share-port" label=text::share_port value=port error need=Need::Required
                        inputmode="numeric" on_edit=Callback::new(move |()| touched.set(true)) />
                    <div class="field">
                        <label for="share-lifetime">{text::share_for}</label>
                        <select
                            id="share-lifetime"
                            prop:value=move || lifetime.get().to_string()
                            on:change:target=move |event| {
                                lifetime.set(event.target().value().parse().unwrap_or_default());
                            }
                        >
                            {LIFETIMES.into_iter().map(|seconds| view! {
                                <option value=seconds.to_string() selected=move || lifetime.get() == seconds>
                                    {move || words(seconds)}
                                </option>
                            }).collect_view()}
                        </select>
                    </div>
                    {move || refused.get().map(|error| view! { <Failure error=Signal::stored(error) /> })}
                    <div class="dialog-acts">
                        <button type="button" class="button" on:click=move |_| open.set(false)>
                            {text::cancel}
                        </button>
                        <button
                            type="submit"
                            class="button primary"
                            aria-disabled=move || busy.get().then_some("true")
                        >
                            {text::share_make}
                        </button>
                    </div>
                </form>
            </Show>
        </Dialog>
    }
}
