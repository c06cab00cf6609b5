use berth_core::text::bytes;
use leptos::prelude::*;

use super::place::Place;
use crate::{
    components::{Glyph, Icon},
    files::upload::{self, Step, Transfer},
    state::announcer::announce,
    text,
};

/// Of those that are not done; the rest is counted.
const SHOWN: usize = 30;

/// What is on its way, in total and one by one.
#[component]
pub(super) fn Transfers(place: Place) -> impl IntoView {
    let uploads = StoredValue::new(upload::uploads());
    let totals = Memo::new(move |_| uploads.with_value(|u| u.totals.get()));
    let preparing = Memo::new(move |_| uploads.with_value(|u| u.preparing.get()) > 0);
    let open = Memo::new(move |_| uploads.with_value(|u| u.open.with(Vec::len)));
    let any = Memo::new(move |_| preparing.get() || totals.with(|t| t.files > 0));
    let paused = Memo::new(move |_| totals.with(|t| t.paused) > 0);
    let moving = Memo::new(move |_| totals.with(|t| open.get() > t.failed + t.paused + t.asking));
    Effect::new(move |before: Option<usize>| {
        let now = open.get();
        if before.is_some_and(|before| before > 0) && now == 0 {
            announce(text::uploads_finished());
        }
        now
    });
    let first = move || {
        uploads
            .with_value(|u| u.open.with(|all| all.iter().take(SHOWN).cloned().collect::<Vec<_>>()))
    };
    let recent = move || uploads.with_value(|u| u.recent.get());
    let act = move |act: fn(&upload::Uploads)| uploads.with_value(act);
    view! {
        <Show when=move || any.get()>
            <section class="card transfers" aria-labelledby="uploads">
                <div class="transfers-head">
                    <h2 id="uploads">{text::uploads}</h2>
                    <p class="muted figures">
                        {move || preparing.get().then(text::uploads_preparing)}
                        {move || {
                            let totals = totals.get();
                            (totals.files > 0).then(|| sums(&totals))
                        }}
                    </p>
                    <div class="acts">
                        <Show when=move || moving.get()>
                            <button type="button" class="button small" on:click=move |_| act(upload::Uploads::pause_all)>
                                <Glyph icon=Icon::Pause />
                                <span>{text::pause_all}</span>
                            </button>
                        </Show>
                        <Show when=move || paused.get()>
                            <button type="button" class="button small" on:click=move |_| act(upload::Uploads::resume_all)>
                                <Glyph icon=Icon::Play />
                                <span>{text::resume_all}</span>
                            </button>
                        </Show>
                        <Show when=move || open.get() != 0>
                            <button type="button" class="button small" on:click=move |_| act(upload::Uploads::cancel_all)>
                                <Glyph icon=Icon::X />
                                <span>{text::cancel_all}</span>
                            </button>
                        </Show>
                        <Show when=move || open.get() == 0 && !preparing.get()>
                            <button type="button" class="button small" on:click=move |_| act(upload::Uploads::clear)>
                                <Glyph icon=Icon::X />
                                <span>{text::clear_list}</span>
                            </button>
                        </Show>
                    </div>
                </div>
                <progress
                    aria-label=text::uploads
                    value=move || totals.with(|t| percent(t.sent, t.bytes))
                    max="100"
                ></progress>
                <ul class="transfer-list">
                    <For each=first key=|transfer| transfer.id let:transfer>
                        <Item place transfer />
                    </For>
                    <Show when=move || { open.get() > SHOWN }>
                        <li class="muted figures">{move || text::uploads_more(open.get() - SHOWN)}</li>
                    </Show>
                    <For each=recent key=|transfer| transfer.id let:transfer>
                        <Item place transfer />
                    </For>
                </ul>
            </section>
        </Show>
    }
}

fn sums(totals: &upload::Totals) -> String {
    let mut sums = vec![
        text::uploads_so_far(totals.done, totals.files),
        text::uploads_bytes(bytes(totals.sent), bytes(totals.bytes)),
    ];
    if totals.failed > 0 {
        sums.push(text::uploads_failed(totals.failed));
    }
    if totals.skipped > 0 {
        sums.push(text::uploads_skipped(totals.skipped));
    }
    sums.join(" · ")
}

/// An empty file is whole from the start.
fn percent(sent: u64, all: u64) -> String {
    match all {
        0 => 100,
        all => u128::from(sent) * 100 / u128::from(all),
    }
    .to_string()
}

#[component]
fn Item(place: Place, transfer: Transfer) -> impl IntoView {
    let name = StoredValue::new(transfer.name().to_owned());
    let size = transfer.size;
    let (step, sent) = (transfer.step.clone(), transfer.sent.clone());
    let step = Memo::new(move |_| step.get());
    let done = Memo::new(move |_| percent(sent.get(), size));
    // What goes elsewhere says where.
    let title = {
        let elsewhere = transfer.whose != place.whose.get_untracked();
        let Transfer { whose, path, .. } = &transfer;
        if elsewhere {
            let name = if whose.is_home() { text::home() } else { &whose.name };
            format!("{name}: {path}")
        } else {
            path.clone()
        }
    };
    let transfer = StoredValue::new(transfer);
    let act = move |act: fn(&upload::Uploads, &Transfer)| {
        transfer.with_value(|transfer| act(&upload::uploads(), transfer));
    };
    let words = move || match step.get() {
        Step::Waiting => text::upload_waiting().to_owned(),
        Step::Asking => text::upload_asking().to_owned(),
        Step::Sending => text::upload_sending(done.get()),
        Step::Again => text::upload_again().to_owned(),
        Step::Paused => text::upload_paused().to_owned(),
        Step::Done => text::upload_done().to_owned(),
        Step::Skipped => text::upload_skipped().to_owned(),
        Step::Failed(sentence) => sentence,
    };
    let class = move || match step.get() {
        Step::Done => "transfer-step ok",
        Step::Failed(_) => "transfer-step bad",
        Step::Again | Step::Asking => "transfer-step wait",
        Step::Waiting | Step::Sending | Step::Paused | Step::Skipped => "transfer-step",
    };
    let runs = move || matches!(step.get(), Step::Waiting | Step::Sending | Step::Again);
    let rests = move || matches!(step.get(), Step::Paused | Step::Failed(_));
    let ended = move || matches!(step.get(), Step::Done | Step::Skipped);
    view! {
        <li class="transfer">
            <span class="transfer-name" title=title>{move || name.get_value()}</span>
            <span class="muted figures">{bytes(size)}</span>
            <span class=class>{words}</span>
            <Show when=move || !ended()>
                <div class="acts end">
                    <Show when=runs>
                        <button
                            type="button"
                            class="button ghost small square"
                            aria-label=move || text::pause_what(name.get_value())
                            title=text::pause
                            on:click=move |_| act(upload::Uploads::pause)
                        >
                            <Glyph icon=Icon::Pause />
                        </button>
                    </Show>
                    <Show when=rests>
                        <button
                            type="button"
                            class="button ghost small square"
                            aria-label=move || text::resume_what(name.get_value())
                            title=text::resume
                            on:click=move |_| act(upload::Uploads::resume)
                        >
                            <Glyph icon=Icon::Play />
                        </button>
                    </Show>
                    <button
                        type="button"
                        class="button ghost small square"
                        aria-label=move || text::cancel_what(name.get_value())
                        title=text::cancel
                        on:click=move |_| act(upload::Uploads::cancel)
                    >
                        <Glyph icon=Icon::X />
                    </button>
                </div>
            </Show>
            <Show when=move || runs() || step.get() == Step::Paused>
                <progress
                    aria-label=move || text::upload_progress(name.get_value())
                    value=done
                    max="100"
                ></progress>
            </Show>
        </li>
    }
}
