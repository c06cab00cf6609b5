use berth_core::text::{bytes, cores};
use berth_proto::v1::ExplainPlacementResponse;
use leptos::prelude::*;

use super::{draft::Draft, problems::Problems};
use crate::{
    api::{self, Error},
    components::{Failure, Glyph, Icon},
    erased, i18n,
    state::session,
    text, time,
};

/// Long enough to type a word, short enough to seem to come by itself.
const PAUSE: u32 = 350;

/// What would be lent, and what the scheduler says to it.
#[component]
pub(super) fn Summary(
    draft: Draft,
    problems: Problems,
    refused: RwSignal<Option<Error>>,
    busy: RwSignal<bool>,
) -> impl IntoView {
    let answer = RwSignal::new(None::<ExplainPlacementResponse>);
    erased::effect(move || {
        i18n::language();
        let Some(request) = problems.what_if() else {
            answer.set(None);
            return;
        };
        // The next change cancels this one.
        erased::spawn_while_shown(async move {
            time::sleep(PAUSE).await;
            // No answer is no obstacle: creating asks again.
            answer.set(api::explain_placement(request).await.ok());
        });
    });
    let site = || session::person().unwrap_or_default();
    let size = move || {
        let person = site();
        let (request, _) = draft.request(&person.site);
        let mut words = vec![text::cores(cores(request.cpu_millis)), bytes(request.memory_bytes)];
        if request.gpus > 0 {
            words.push(text::gpus(request.gpus));
        }
        words.join(" · ")
    };
    let dash = |value: String| if value.is_empty() { "-".to_owned() } else { value };
    view! {
        <aside class="card summary" aria-labelledby="summary">
            <h2 id="summary">{text::summary}</h2>
            <dl class="facts">
                <div><dt>{text::name}</dt><dd><code>{move || dash(draft.name.get())}</code></dd></div>
                <div><dt>{text::image}</dt><dd><code>{move || dash(draft.image.get())}</code></dd></div>
                <div><dt>{text::how_big}</dt><dd class="figures">{size}</dd></div>
                <div><dt>{text::back_by}</dt><dd class="figures">
                    {move || time::absolute(&time::from_now(draft.lease.get()))}
                </dd></div>
            </dl>
            <div aria-live="polite">
                {move || match answer.get() {
                    Some(answer) => view! { <Verdict answer /> }.into_any(),
                    None => view! { <p class="verdict muted">{text::verdict_later}</p> }.into_any(),
                }}
            </div>
            {move || refused.get().map(|error| view! { <Failure error=Signal::stored(error) /> })}
            <button
                type="submit"
                class="button primary wide"
                aria-disabled=move || busy.get().then_some("true")
            >
                {move || match (busy.get(), draft.stopped.get()) {
                    (true, _) => text::creating(),
                    (false, true) => text::define(),
                    (false, false) => text::create(),
                }}
            </button>
        </aside>
    }
}

#[component]
fn Verdict(answer: ExplainPlacementResponse) -> impl IntoView {
    let ExplainPlacementResponse { starts_now, node, message, verdicts } = answer;
    let (class, icon) =
        if starts_now { ("verdict ok", Icon::Check) } else { ("verdict wait", Icon::Hourglass) };
    let words = move || match (message.is_empty(), starts_now) {
        (false, _) => message.clone(),
        (true, true) => text::starts_now_on(node.clone()),
        (true, false) => text::waits().to_owned(),
    };
    let rejected: Vec<(String, String)> = verdicts
        .into_iter()
        .filter(|verdict| !starts_now && !verdict.rejections.is_empty())
        .map(|verdict| (verdict.node, verdict.rejections.join(", ")))
        .collect();
    let any = rejected.len() > 1;
    view! {
        <p class=class><Glyph icon /><span>{words}</span></p>
        {any.then(|| view! {
            <details>
                <summary>{text::why}</summary>
                <dl class="facts">
                    {rejected.into_iter().map(|(node, why)| view! {
                        <div><dt>{node}</dt><dd>{why}</dd></div>
                    }).collect_view()}
                </dl>
            </details>
        })}
    }
}
