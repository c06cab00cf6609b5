use berth_proto::v1::Container;
use leptos::prelude::*;

use crate::{
    components::{Act, Acting, Glyph, Icon, Moment},
    state::session,
    text, time,
};

/// The lease is marked when its end is so near.
const ENDS_SOON: f64 = 3600.0;

/// Until when it is lent, and how to keep it longer.
#[component]
pub(crate) fn Lease(container: ArcRwSignal<Container>, acting: Acting) -> impl IntoView {
    let end = {
        let container = container.clone();
        Memo::new(move |_| container.with(|c| c.lease_end_time))
    };
    let delete = {
        let container = container.clone();
        Memo::new(move |_| container.with(|c| c.delete_time))
    };
    let seconds = move |of: fn(&session::Person) -> Option<prost_types::Duration>| {
        session::person().and_then(|person| of(&person)).map_or(0, |d| d.seconds)
    };
    let choices = move || {
        let usual = seconds(|p| p.site.default_lease);
        let maximum = seconds(|p| p.site.maximum_lease);
        let mut choices = vec![usual, maximum];
        // What would bring the end forward is no extension.
        choices.retain(|choice| {
            *choice > 0 && end.get().is_none_or(|end| end.seconds < time::from_now(*choice).seconds)
        });
        choices.dedup();
        choices
    };
    let soon = move || end.get().is_some_and(|end| time::is_within(&end, ENDS_SOON));
    view! {
        <section class="card" aria-labelledby="lease">
            <h2 id="lease">{text::lease}</h2>
            <p class="figures">
                <span class="muted">{text::back_by}</span>
                " "
                <strong class=move || if soon() { "soon" } else { "" }><Moment at=end /></strong>
                <span class="muted">
                    " "
                    {move || end.get().map(|end| text::in_brackets(time::absolute(&end)))}
                </span>
            </p>
            <p class="hint">
                {move || match delete.get() {
                    Some(at) => text::deleted_at(time::absolute(&at)),
                    None => text::lease_end_means().to_owned(),
                }}
            </p>
            <div class="acts" role="group" aria-label=text::extend>
                {move || {
                    let container = container.clone();
                    choices()
                        .into_iter()
                        .map(|choice| {
                            let container = container.clone();
                            view! {
                                <button
                                    type="button"
                                    class="button"
                                    aria-disabled=move || acting.doing.get().map(|_| "true")
                                    on:click=move |_| container
                                        .with_untracked(|c| acting.run(Act::Extend(choice), c))
                                >
                                    <Glyph icon=Icon::Hourglass />
                                    <span>{move || text::extend_to(time::span(choice))}</span>
                                </button>
                            }
                        })
                        .collect_view()
                }}
            </div>
        </section>
    }
}
