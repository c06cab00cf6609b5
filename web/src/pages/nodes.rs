use berth_proto::v1::{Node, WatchNodesRequest, WatchNodesResponse};
use leptos::prelude::*;

use super::{join_token::JoinToken, node_row::NodeRow};
use crate::{
    api::{self, Error, ItsContainers},
    components::{Dialog, Failure, Glyph, Icon, Skeleton, title},
    erased,
    state::{
        announcer::announce,
        feed::{Feed, FeedState},
        session,
    },
    text,
};

/// The blades, for administrators.
#[component]
pub(crate) fn Nodes() -> impl IntoView {
    title(|| text::blades().to_owned());
    let administrator =
        Memo::new(|_| session::person().is_some_and(|person| person.is_administrator()));
    move || {
        if administrator.get() {
            view! { <Blades /> }.into_any()
        } else {
            view! { <h1>{text::blades}</h1> <p class="notice">{text::error_permission}</p> }
                .into_any()
        }
    }
}

#[component]
fn Blades() -> impl IntoView {
    let feed =
        Feed::<Node>::open::<WatchNodesResponse>(|resume_token| WatchNodesRequest { resume_token });
    let joining = RwSignal::new(false);
    let leaving = RwSignal::new(None::<String>);
    let count = Memo::new(move |_| feed.all.entries().len());
    let lent = move || feed.all.map(|node| node.containers).iter().sum::<u32>();
    view! {
        <div class="page-head">
            <div>
                <h1>{text::blades}</h1>
                <p class="muted figures">
                    {move || (count.get() > 0).then(|| text::blades_lend(count.get(), lent()))}
                </p>
            </div>
            <button type="button" class="button primary" on:click=move |_| joining.set(true)>
                <Glyph icon=Icon::Plus />
                <span>{text::add_blade}</span>
            </button>
        </div>
        {move || match feed.state.get() {
            FeedState::Loading => view! { <Skeleton lines=4 /> }.into_any(),
            FeedState::Failed(error) => {
                let retry = Callback::new(move |()| feed.retry());
                view! { <Failure error=Signal::stored(error) retry /> }.into_any()
            }
            FeedState::Live => ().into_any(),
        }}
        <Show when=move || feed.state.get() == FeedState::Live && count.get() == 0>
            <div class="empty">
                <span class="empty-mark"><Glyph icon=Icon::Server /></span>
                <h2>{text::no_blades}</h2>
                <p>{text::no_blades_why}</p>
            </div>
        </Show>
        <Show when=move || count.get() != 0>
            // The roles are said because styles turn the table into cards on a phone, and browsers then forget them.
            <div class="table-box" role="region" aria-label=text::blades tabindex="0">
                <table role="table">
                    <thead role="rowgroup">
                        <tr role="row">
                            <th scope="col" role="columnheader">{text::blade}</th>
                            <th scope="col" role="columnheader">{text::state}</th>
                            <th scope="col" role="columnheader">{text::containers}</th>
                            <th scope="col" role="columnheader">{text::cpu}</th>
                            <th scope="col" role="columnheader">{text::memory}</th>
                            <th scope="col" role="columnheader">"GPU"</th>
                            <th scope="col" role="columnheader"><span class="unseen">{text::actions}</span></th>
                        </tr>
                    </thead>
                    <tbody role="rowgroup">
                        <For each=move || feed.all.entries() key=|e| e.key.clone() let:entry>
                            <NodeRow node=entry.value all=feed.all leaving />
                        </For>
                    </tbody>
                </table>
            </div>
        </Show>
        <JoinToken open=joining />
        <DeleteNode which=leaving />
    }
}

#[component]
fn DeleteNode(which: RwSignal<Option<String>>) -> impl IntoView {
    let open = RwSignal::new(false);
    let force = RwSignal::new(false);
    let refused = RwSignal::new(None::<Error>);
    erased::effect(move || {
        let chosen = which.with(Option::is_some);
        if chosen {
            refused.set(None);
            force.set(false);
        }
        open.set(chosen);
    });
    erased::effect(move || {
        if !open.get() && which.with_untracked(Option::is_some) {
            which.set(None);
        }
    });
    let delete = move |_| {
        let Some(name) = which.get_untracked() else { return };
        let containers =
            if force.get_untracked() { ItsContainers::Forget } else { ItsContainers::MustBeGone };
        erased::spawn(async move {
            match api::delete_node(name.clone(), containers).await {
                Ok(_) => {
                    announce(text::act_done(text::delete(), name));
                    open.try_set(false);
                }
                Err(error) => {
                    refused.try_set(Some(error));
                }
            }
        });
    };
    view! {
        <Dialog id="delete-node" open title=text::delete_blade>
            <p>{move || text::delete_blade_what(which.get().unwrap_or_default())}</p>
            <label class="check">
                <input
                    type="checkbox"
                    prop:checked=move || force.get()
                    on:change:target=move |event| force.set(event.target().checked())
                />
                <span>{text::delete_blade_force}</span>
            </label>
            {move || refused.get().map(|error| view! { <Failure error=Signal::stored(error) /> })}
            <div class="dialog-acts">
                <button type="button" class="button" on:click=move |_| open.set(false)>
                    {text::keep}
                </button>
                <button type="button" class="button danger solid" on:click=delete>
                    <Glyph icon=Icon::Trash />
                    <span>{text::delete}</span>
                </button>
            </div>
        </Dialog>
    }
}
