use berth_core::text::bytes;
use berth_proto::v1::{Phase, PullProgress};
use leptos::prelude::*;

use crate::text;

/// How much of the image is there; nothing unless it is being fetched.
#[component]
pub(crate) fn PullBar(
    #[prop(into)] phase: Signal<Phase>,
    #[prop(into)] pull: Signal<Option<PullProgress>>,
) -> impl IntoView {
    let progress = Memo::new(move |_| pull.get().filter(|_| phase.get() == Phase::Pulling));
    move || {
        progress.get().map(|pull| {
            let (done, total) = (pull.done_bytes.to_string(), pull.total_bytes.to_string());
            let known = pull.total_bytes > 0;
            view! {
                <span class="pull">
                    <progress
                        aria-label=text::phase_pulling
                        max=known.then_some(total)
                        value=known.then_some(done)
                    ></progress>
                    <span class="figures">
                        {move || if known {
                            let percent = pull.done_bytes.saturating_mul(100) / pull.total_bytes;
                            text::pull_known(
                                percent.min(100),
                                bytes(pull.done_bytes),
                                bytes(pull.total_bytes),
                            )
                        } else {
                            text::pull_unknown(bytes(pull.done_bytes))
                        }}
                    </span>
                </span>
            }
        })
    }
}
