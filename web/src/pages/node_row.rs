use berth_core::text::{bytes, cores};
use berth_proto::v1::{Availability, Capacity, Gpu, Liveness, Node};
use leptos::prelude::*;

use crate::{
    api::{self, Error},
    components::{Failure, Glyph, Icon, Moment},
    erased,
    i18n::Words,
    routes,
    state::{announcer::announce, collection::Collection},
    text,
};

#[component]
pub(crate) fn NodeRow(
    node: ArcRwSignal<Node>,
    all: Collection<Node>,
    /// The blade that is asked to be deleted.
    leaving: RwSignal<Option<String>>,
) -> impl IntoView {
    let shared = StoredValue::new(node);
    let node = move || shared.get_value();
    let name = Memo::new(move |_| node().with(|n| n.name.clone()));
    let address = Memo::new(move |_| node().with(|n| n.address.clone()));
    let liveness = Memo::new(move |_| node().with(Node::liveness));
    let since = Memo::new(move |_| node().with(|n| n.liveness_time));
    let cordoned = Memo::new(move |_| node().with(|n| n.availability() == Availability::Cordoned));
    let problems = Memo::new(move |_| node().with(|n| n.problems.clone()));
    let gpus = Memo::new(move |_| node().with(|n| n.gpus.clone()));
    let capacity = move |of: fn(&Capacity) -> u64| {
        Memo::new(move |_| {
            node().with(|n| (n.used.as_ref().map_or(0, of), n.offered.as_ref().map_or(0, of)))
        })
    };
    let refused = RwSignal::new(None::<Error>);
    let turn = move |_| {
        let name = name.get_untracked();
        refused.set(None);
        let closed = cordoned.get_untracked();
        let word = if closed { text::uncordon() } else { text::cordon() };
        erased::spawn(async move {
            let result = if closed {
                api::uncordon_node(name.clone()).await
            } else {
                api::cordon_node(name.clone()).await
            };
            if refused.is_disposed() {
                return;
            }
            match result {
                Ok(node) => {
                    announce(text::act_done(word, name));
                    all.put(node);
                }
                Err(error) => refused.set(Some(error)),
            }
        });
    };
    view! {
        <tr role="row">
            <th scope="row" role="rowheader">
                <a class="node-name" href=move || routes::node(&name.get())>{name}</a>
                <code class="muted">{address}</code>
            </th>
            <td role="cell">
                <LivenessBadge liveness />
                <Show when=move || cordoned.get()>
                    <span class="pill wait">{text::cordoned}</span>
                </Show>
                <Show when=move || liveness.get() == Liveness::Unreachable>
                    <span class="muted"><Moment at=since /></span>
                </Show>
                <ul class="problems">
                    {move || problems.get().into_iter().map(|problem| view! {
                        <li><Glyph icon=Icon::Warning />{problem}</li>
                    }).collect_view()}
                </ul>
                {move || refused.get().map(|error| view! { <Failure error=Signal::stored(error) /> })}
            </td>
            <td role="cell" class="figures" data-label=text::containers>{move || node().with(|n| n.containers)}</td>
            <td role="cell" data-label=text::cpu>
                <Bar
                    label=text::cpu
                    figures=capacity(|c| c.cpu_millis.into())
                    words=|millis| cores(u32::try_from(millis).unwrap_or(u32::MAX))
                />
            </td>
            <td role="cell" data-label=text::memory><Bar label=text::memory figures=capacity(|c| c.memory_bytes) words=bytes /></td>
            <td role="cell" data-label="GPU">
                <ul class="gpus">
                    {move || gpus.get().into_iter().map(|gpu| view! { <GpuCell gpu /> }).collect_view()}
                </ul>
            </td>
            <td role="cell">
                <div class="acts end">
                    <button
                        type="button"
                        class="button small"
                        aria-label=move || {
                            let word = if cordoned.get() { text::uncordon() } else { text::cordon() };
                            text::act_on(word, name.get())
                        }
                        on:click=turn
                    >
                        {move || if cordoned.get() { text::uncordon() } else { text::cordon() }}
                    </button>
                    <button
                        type="button"
                        class="button small danger square"
                        aria-label=move || text::act_on(text::delete(), name.get())
                        on:click=move |_| leaving.set(Some(name.get_untracked()))
                    >
                        <Glyph icon=Icon::Trash />
                    </button>
                </div>
            </td>
        </tr>
    }
}

#[component]
fn LivenessBadge(#[prop(into)] liveness: Signal<Liveness>) -> impl IntoView {
    let badge = move || match liveness.get() {
        Liveness::Ready => ("phase ok", Icon::Check, text::ready()),
        Liveness::Unreachable => ("phase bad", Icon::X, text::unreachable()),
        Liveness::Unknown | Liveness::Unspecified => {
            ("phase wait", Icon::Hourglass, text::not_heard_of())
        }
    };
    view! {
        <span class=move || badge().0>
            {move || view! { <Glyph icon=badge().1 /> }}
            <span>{move || badge().2}</span>
        </span>
    }
}

/// How much of what can be lent is lent.
#[component]
fn Bar(label: Words, figures: Memo<(u64, u64)>, words: fn(u64) -> String) -> impl IntoView {
    view! {
        <span class="meter">
            <meter
                min="0"
                max=move || figures.get().1.max(1).to_string()
                prop:value=move || figures.get().0.to_string()
                aria-label=label
            ></meter>
            <span class="figures">
                {move || {
                    let (used, offered) = figures.get();
                    text::used_of_offered(words(used), words(offered))
                }}
            </span>
        </span>
    }
}

#[component]
fn GpuCell(gpu: Gpu) -> impl IntoView {
    let lent = !gpu.lent_to.is_empty();
    let hover = format!("{} · {} · {}", gpu.model, bytes(gpu.memory_bytes), gpu.id);
    view! {
        <li class=if lent { "gpu lent" } else { "gpu" } title=hover>
            <span class="unseen">{gpu.model}" "</span>
            {move || if lent { gpu.lent_to.clone() } else { text::free().to_owned() }}
        </li>
    }
}
